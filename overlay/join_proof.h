/* What a gamer shows in JOIN: which session it means, and that it knows the session's ID.
 *
 *   tag    first 16 bytes of p2_derive_key(master, "p2c2r session tag", authority id)
 *   proof  p2_derive_key(master, "p2c2r join proof", channel binding of the link | gamer id)
 *
 * The tag is the same for all who join, so an authority finds the session by it; it says nothing
 * about the ID. The proof is good on one link only (Noise 11.2, channel binding): whoever relays or
 * records it has nothing. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_JOIN_PROOF_H
#define P2_OVERLAY_JOIN_PROOF_H

#include "overlay/session_id.h"
#include "wire/limits.h"

void p2_join_tag(uint8_t ret_tag[P2_WIRE_TAG_BYTES], const struct p2_session_keys *keys,
                 const struct p2_id *authority);

/* `binding` is p2_link_binding of the link, [P2_KEY_BYTES]. Compare with p2_secret_equal. */
void p2_join_proof(uint8_t ret_proof[P2_WIRE_PROOF_BYTES], const struct p2_session_keys *keys,
                   const uint8_t *binding, const struct p2_id *gamer);

#endif
