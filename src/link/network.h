/* Which network a node belongs to: part of every handshake, so that two networks never mix. Pure.
 * Thread: reentrant. */
#ifndef P2_LINK_NETWORK_H
#define P2_LINK_NETWORK_H

#include "base/crypto.h"

/* The public network's name; a private one has any other. */
#define P2_NETWORK_PUBLIC "p2c2r"

/* Bytes of a network's name. Chosen: a foreign string's length (DESIGN 5). */
#define P2_NETWORK_NAME_MAX 64

/* The id of the network called `name`: BLAKE2b-256("p2c2r network" | 0 | name). */
void p2_network_id(uint8_t ret_id[P2_KEY_BYTES], const char *name);

/* The same network for the overlay's node, which takes a number: the first 32 bits of the id,
 * big-endian. It keeps networks apart by accident, not against an attacker. */
uint32_t p2_network_number(const char *name);

#endif
