/* getrandom(2) and what is made of it. */
#include "base/entropy.h"

#include "base/crypto.h"

#include <errno.h>
#include <sys/random.h>

/* Largest request that getrandom(2) never answers in part once the pool is seeded. */
#define ENTROPY_CHUNK 256

void p2_entropy(void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        size_t chunk = size < ENTROPY_CHUNK ? size : ENTROPY_CHUNK;
        ssize_t got = getrandom(at, chunk, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        P2_ASSERT(got > 0);
        at += got;
        size -= (size_t)got;
    }
}

void p2_identity_generate(struct p2_identity *identity)
{
    uint8_t seed[P2_KEY_BYTES];
    do {
        p2_entropy(seed, sizeof seed);
    } while (p2_identity_from_seed(identity, seed) != P2_OK);
    p2_secret_wipe(seed, sizeof seed);
}
