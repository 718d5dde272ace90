/* Handshakes with fixed keys; see the header. */
#include "tests/lib/handshake.h"

#include <string.h>

void p2_test_identity(struct p2_identity *identity, uint8_t number)
{
    uint8_t seed[P2_KEY_BYTES] = {number};
    while (p2_identity_from_seed(identity, seed) != P2_OK) {
        seed[1]++; /* half of all seeds make an id with sign bit 0 */
    }
}

void p2_test_pair_init(struct p2_test_pair *pair, enum p2_cipher cipher)
{
    static const uint8_t network_id[P2_KEY_BYTES] = {7};
    uint8_t preamble[P2_PREAMBLE_BYTES];
    memset(pair, 0, sizeof *pair);
    p2_test_identity(&pair->identities[0], 1);
    p2_test_identity(&pair->identities[1], 2);
    memset(pair->ephemerals[0], 3, P2_KEY_BYTES);
    memset(pair->ephemerals[1], 4, P2_KEY_BYTES);
    p2_preamble_format(preamble, cipher);
    p2_preamble_prologue(pair->prologue, network_id, preamble);
    pair->initiator_options = (struct p2_noise_options){
        .role = P2_NOISE_INITIATOR,
        .cipher = cipher,
        .prologue = p2_span(pair->prologue, sizeof pair->prologue),
        .static_secret = pair->identities[0].exchange_secret,
        .static_public = pair->identities[0].exchange_public,
        .remote_static = pair->identities[1].exchange_public,
        .ephemeral_secret = pair->ephemerals[0],
    };
    pair->responder_options = (struct p2_noise_options){
        .role = P2_NOISE_RESPONDER,
        .cipher = cipher,
        .prologue = p2_span(pair->prologue, sizeof pair->prologue),
        .static_secret = pair->identities[1].exchange_secret,
        .static_public = pair->identities[1].exchange_public,
        .ephemeral_secret = pair->ephemerals[1],
    };
}

int p2_test_pair_start(struct p2_test_pair *pair)
{
    int error = p2_noise_init(&pair->initiator, &pair->initiator_options);
    return error != P2_OK ? error : p2_noise_init(&pair->responder, &pair->responder_options);
}

int p2_test_pair_run(struct p2_test_pair *pair, int count)
{
    struct p2_noise *sides[2] = {&pair->initiator, &pair->responder};
    int error = P2_OK;
    for (int i = 0; error == P2_OK && i < count; i++) {
        uint8_t message[P2_TEST_MESSAGE_MAX];
        size_t size = 0;
        error = p2_noise_write(sides[i % 2], p2_span(NULL, 0), message, sizeof message, &size);
        if (error == P2_OK) {
            error = p2_noise_read(sides[1 - i % 2], p2_span(message, size), NULL, 0, &size);
        }
    }
    return error;
}
