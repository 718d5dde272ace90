/* Two ends of a Noise handshake with fixed keys, for tests and fuzz targets. The keys are made from
 * small numbers; they protect nothing. */
#ifndef P2_TESTS_LIB_HANDSHAKE_H
#define P2_TESTS_LIB_HANDSHAKE_H

#include "base/crypto.h"
#include "link/noise.h"
#include "link/preamble.h"

/* Room for any message of the tests. */
#define P2_TEST_MESSAGE_MAX 256

/* Both sides and what they were started from; change a field, then start again. */
struct p2_test_pair {
    struct p2_noise initiator;
    struct p2_noise responder;
    struct p2_noise_options initiator_options;
    struct p2_noise_options responder_options;
    struct p2_identity identities[2]; /* initiator, responder */
    uint8_t ephemerals[2][P2_KEY_BYTES];
    uint8_t prologue[P2_PROLOGUE_BYTES];
};

/* Fills keys, prologue and options; starts nothing. */
void p2_test_pair_init(struct p2_test_pair *pair, enum p2_cipher cipher);

/* p2_noise_init on both sides. Returns the first error. */
int p2_test_pair_start(struct p2_test_pair *pair);

/* Runs the next `count` messages with empty payloads, the initiator's first. Returns the first
 * error. */
int p2_test_pair_run(struct p2_test_pair *pair, int count);

/* The identity number `number` of the tests, from a seed found by counting. */
void p2_test_identity(struct p2_identity *identity, uint8_t number);

#endif
