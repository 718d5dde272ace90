/* Seeded deterministic random streams, split by label.
 *
 * A stream is the ChaCha20 key stream of BLAKE2b(parent key, label): the same seed and labels give
 * the same numbers on every machine, and drawing from one stream never shifts another. Splitting
 * depends on the stream's key only, not on how much was drawn from it. Policy code takes a stream
 * as argument; the shell seeds it from entropy.h, the simulator from its seed.
 * Thread: a stream belongs to one thread. */
#ifndef P2_BASE_RNG_H
#define P2_BASE_RNG_H

#include "base/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes drawn from the key stream at once. Chosen: 8 ChaCha20 blocks, one AVX2 pass. */
#define P2_RNG_BUFFER 512

struct p2_rng {
    uint8_t key[P2_KEY_BYTES];
    uint64_t block;                /* next 64-byte block of the key stream */
    uint32_t used;                 /* bytes of `buffer` already given out */
    uint8_t buffer[P2_RNG_BUFFER]; /* current piece of the key stream */
};

/* A root stream from a 32-byte seed. */
void p2_rng_init(struct p2_rng *rng, const uint8_t seed[P2_KEY_BYTES], const char *label);

/* A root stream from a small number, as given on a command line. */
void p2_rng_init_u64(struct p2_rng *rng, uint64_t seed, const char *label);

/* A child stream: (label, index) of `parent`. The parent is not changed. */
void p2_rng_split(struct p2_rng *child, const struct p2_rng *parent, const char *label,
                  uint64_t index);

/* Draws. */
void p2_rng_bytes(struct p2_rng *rng, void *out, size_t size);
uint64_t p2_rng_u64(struct p2_rng *rng);
uint32_t p2_rng_u32(struct p2_rng *rng);

/* A number in [0, bound), without bias; 0 when bound is 0. */
uint64_t p2_rng_below(struct p2_rng *rng, uint64_t bound);

/* A number in [low, high], both included; low <= high. */
uint64_t p2_rng_between(struct p2_rng *rng, uint64_t low, uint64_t high);

/* True with probability ppm / 1,000,000. Always draws, so that streams stay aligned. */
bool p2_rng_chance_ppm(struct p2_rng *rng, uint32_t ppm);

#endif
