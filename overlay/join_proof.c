/* Tag and proof of JOIN; see the header. */
#include "overlay/join_proof.h"

#include <string.h>

_Static_assert(P2_WIRE_PROOF_BYTES == P2_KEY_BYTES, "a proof is one derived key");

void p2_join_tag(uint8_t ret_tag[P2_WIRE_TAG_BYTES], const struct p2_session_keys *keys,
                 const struct p2_id *authority)
{
    uint8_t out[P2_KEY_BYTES];
    p2_derive_key(out, keys->master, "p2c2r session tag",
                  p2_span(authority->bytes, sizeof authority->bytes));
    memcpy(ret_tag, out, P2_WIRE_TAG_BYTES);
}

void p2_join_proof(uint8_t ret_proof[P2_WIRE_PROOF_BYTES], const struct p2_session_keys *keys,
                   const uint8_t *binding, const struct p2_id *gamer)
{
    uint8_t context[P2_KEY_BYTES + P2_ID_BYTES];
    memcpy(context, binding, P2_KEY_BYTES);
    memcpy(context + P2_KEY_BYTES, gamer->bytes, P2_ID_BYTES);
    p2_derive_key(ret_proof, keys->master, "p2c2r join proof", p2_span(context, sizeof context));
}
