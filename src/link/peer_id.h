/* Is the peer the one its id names? A node signs with its Ed25519 id and handshakes with that
 * key's X25519 form; this ties the two together (DESIGN 4). Pure. Thread: reentrant. */
#ifndef P2_LINK_PEER_ID_H
#define P2_LINK_PEER_ID_H

#include "base/id.h"

#include <stdint.h>

/* Checks the id a peer claims (in HELLO or JOIN) against the static key its handshake proved.
 * P2_E_BAD_KEY for an id no node can have (sign bit 1, no curve point, small order),
 * P2_E_WRONG_PEER when it is somebody else's id. Costs one conversion, about 50 us. */
int p2_peer_id_check(const struct p2_id *id, const uint8_t remote_static[P2_KEY_BYTES]);

#endif
