/* Random streams from ChaCha20; see the header for why they split by label. */
#include "base/rng.h"

#include <string.h>

static void start(struct p2_rng *rng)
{
    rng->block = 0;
    rng->used = P2_RNG_BUFFER;
}

void p2_rng_init(struct p2_rng *rng, const uint8_t seed[P2_KEY_BYTES], const char *label)
{
    p2_derive_key(rng->key, seed, label, p2_span(NULL, 0));
    start(rng);
}

void p2_rng_init_u64(struct p2_rng *rng, uint64_t seed, const char *label)
{
    uint8_t bytes[P2_KEY_BYTES] = {0};
    p2_store_be64(bytes, seed);
    p2_rng_init(rng, bytes, label);
}

void p2_rng_split(struct p2_rng *child, const struct p2_rng *parent, const char *label,
                  uint64_t index)
{
    uint8_t context[8];
    p2_store_be64(context, index);
    p2_derive_key(child->key, parent->key, label, p2_span(context, sizeof context));
    start(child);
}

void p2_rng_bytes(struct p2_rng *rng, void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        if (rng->used == P2_RNG_BUFFER) {
            p2_stream(rng->buffer, P2_RNG_BUFFER, rng->key, rng->block);
            rng->block += P2_RNG_BUFFER / 64;
            rng->used = 0;
        }
        size_t left = P2_RNG_BUFFER - rng->used;
        size_t chunk = size < left ? size : left;
        memcpy(at, rng->buffer + rng->used, chunk);
        rng->used += (uint32_t)chunk;
        at += chunk;
        size -= chunk;
    }
}

uint64_t p2_rng_u64(struct p2_rng *rng)
{
    uint8_t bytes[8];
    p2_rng_bytes(rng, bytes, sizeof bytes);
    return p2_load_be64(bytes);
}

uint32_t p2_rng_u32(struct p2_rng *rng)
{
    uint8_t bytes[4];
    p2_rng_bytes(rng, bytes, sizeof bytes);
    return p2_load_be32(bytes);
}

uint64_t p2_rng_below(struct p2_rng *rng, uint64_t bound)
{
    if (bound == 0) {
        return 0;
    }
    /* Values below 2^64 mod bound would favour small remainders; draw again (OpenBSD's
     * arc4random_uniform has the argument). */
    uint64_t threshold = (0 - bound) % bound;
    uint64_t value;
    do {
        value = p2_rng_u64(rng);
    } while (value < threshold);
    return value % bound;
}

uint64_t p2_rng_between(struct p2_rng *rng, uint64_t low, uint64_t high)
{
    P2_ASSERT(low <= high);
    uint64_t width = high - low + 1; /* 0 means all of 2^64 */
    return width == 0 ? p2_rng_u64(rng) : low + p2_rng_below(rng, width);
}

bool p2_rng_chance_ppm(struct p2_rng *rng, uint32_t ppm)
{
    return p2_rng_below(rng, 1000000) < ppm;
}
