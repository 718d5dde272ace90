/* Addresses of nodes as people and configurations write them: host:port#key (DESIGN 4).
 *
 *   helper.example.org:4242#KEY     a name, resolved by the shell
 *   192.0.2.7:4242#KEY              an IPv4 literal
 *   [2001:db8::7]:4242#KEY          an IPv6 literal, always in brackets
 *
 * KEY is the text form of the node's id (base/id.h). An address without a key is refused: without
 * it nobody could tell the node from whoever answers there. Pure. Thread: reentrant. */
#ifndef P2_LINK_ADDRESS_H
#define P2_LINK_ADDRESS_H

#include "base/error.h"
#include "base/id.h"
#include "link/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_ADDRESS_HOST_LEN 253 /* RFC 1035: longest name as text, without a final dot */
#define P2_ADDRESS_HOST_MAX (P2_ADDRESS_HOST_LEN + 1)

/* Longest text with its zero: host, brackets, ":65535", "#", key. */
#define P2_ADDRESS_TEXT_MAX (P2_ADDRESS_HOST_LEN + 2 + 6 + 1 + P2_ID_TEXT_LEN + 1)

struct p2_address {
    struct p2_id key;
    struct p2_ip ip;                /* set when is_literal */
    bool is_literal;                /* the host is an IP address, nothing to resolve */
    uint16_t port;                  /* 1..65535 */
    char host[P2_ADDRESS_HOST_MAX]; /* lower-case name, or the canonical text of `ip` */
};

/* Reads exactly the `length` characters at `text`. On failure `ret_address` is unchanged and
 * `failure` (may be NULL) says for a person what is wrong; the text itself is not repeated there.
 * P2_E_MALFORMED (form, host, missing key), P2_E_TOO_BIG (host or text too long), P2_E_RANGE
 * (port), P2_E_CHECKSUM (damaged key), P2_E_BAD_KEY (a key no node can have). */
int p2_address_parse(struct p2_address *ret_address, const char *text, size_t length,
                     struct p2_failure *failure);

/* Reads host:port without a key, where another field carries the key. Errors as above. */
int p2_address_parse_endpoint(struct p2_address *ret_address, const char *text, size_t length,
                              struct p2_failure *failure);

/* Writes host:port#key with its final zero; p2_address_parse reads it back as the same address. */
void p2_address_format(char text[P2_ADDRESS_TEXT_MAX], const struct p2_address *address);

#endif
