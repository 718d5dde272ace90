/* Lists of addresses inside records: `slots` slots of 19 bytes each, so that the size tells
 * nothing. Slot: family 4 or 6, address [16] (IPv4 in the first 4, the rest zero), port u16.
 * Unused slots come last and are zero. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_ENDPOINTS_H
#define P2_OVERLAY_ENDPOINTS_H

#include "base/buf.h"
#include "link/link.h"

#define P2_ENDPOINT_BYTES 19

/* Writes the count and `slots` slots; `count` is 1..slots and the addresses come from link/ip.h. */
void p2_endpoints_write(struct p2_writer *writer, const struct p2_link_address *endpoints,
                        uint8_t count, uint8_t slots);

/* Reads what the other writes. Sets the reader's error: P2_E_RANGE (count, port 0, family),
 * P2_E_NOT_CANONICAL (an IPv4 address in IPv6 form, bytes that must be zero). */
void p2_endpoints_read(struct p2_reader *reader, struct p2_link_address *endpoints,
                       uint8_t *ret_count, uint8_t slots);

/* One address without a port in 17 bytes; family 0 and zeros: none. */
void p2_endpoint_ip_write(struct p2_writer *writer, const struct p2_ip *ip);
void p2_endpoint_ip_read(struct p2_reader *reader, struct p2_ip *ret_ip);
#define P2_ENDPOINT_IP_BYTES 17

#endif
