/* Ids against handshake keys; see the header. */
#include "link/peer_id.h"

int p2_peer_id_check(const struct p2_id *id, const uint8_t remote_static[P2_KEY_BYTES])
{
    uint8_t exchange[P2_KEY_BYTES];
    int error = p2_id_to_exchange_key(exchange, id->bytes);
    if (error != P2_OK) {
        return error;
    }
    return p2_secret_equal(exchange, remote_static, sizeof exchange) ? P2_OK : P2_E_WRONG_PEER;
}
