/* What every kernel shares: bounded little-endian readers and writers, arena pieces, and a
 * deterministic generator of numbers.
 *
 * A cursor whose `failed` is set ignores further calls, so a kernel checks once at the end of what
 * it read or wrote. All functions are pure, inline and cheap; none allocates.
 * Thread: an object belongs to one call. */
#ifndef P2_KERNELS_PACK_H
#define P2_KERNELS_PACK_H

#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- little-endian numbers in memory -------------------------------------------------------- */

static inline uint16_t p2_load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t p2_load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t p2_load_le64(const uint8_t *p)
{
    return (uint64_t)p2_load_le32(p) | (uint64_t)p2_load_le32(p + 4) << 32;
}

static inline void p2_store_le16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void p2_store_le32(uint8_t *p, uint32_t value)
{
    p2_store_le16(p, (uint16_t)value);
    p2_store_le16(p + 2, (uint16_t)(value >> 16));
}

static inline void p2_store_le64(uint8_t *p, uint64_t value)
{
    p2_store_le32(p, (uint32_t)value);
    p2_store_le32(p + 4, (uint32_t)(value >> 32));
}

/* ---- two's complement without implementation-defined conversions ------------------------------ */

static inline int32_t p2_i32_of_bits(uint32_t bits)
{
    int32_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int64_t p2_i64_of_bits(uint64_t bits)
{
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float p2_f32_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t p2_bits_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- reader --------------------------------------------------------------------------------- */

struct p2_unpack {
    const uint8_t *data; /* next byte, borrowed */
    size_t left;         /* bytes from `data` to the end */
    bool failed;         /* more was asked for than there was; sticky */
};

/* Starts at the first byte of `bytes`, which must outlive the reader. */
static inline struct p2_unpack p2_unpack_start(struct p2c2r_bytes bytes)
{
    return (struct p2_unpack){bytes.data, bytes.size, false};
}

/* The next `size` bytes, borrowed from the input; NULL and `failed` when there are fewer. */
static inline const uint8_t *p2_unpack_bytes(struct p2_unpack *in, size_t size)
{
    if (in->failed || size > in->left) {
        in->failed = true;
        return NULL;
    }
    const uint8_t *data = in->data;
    if (size > 0) { /* no arithmetic on the NULL of an empty span */
        in->data += size;
        in->left -= size;
    }
    return data;
}

/* Each returns 0 once the reader failed. */
static inline uint8_t p2_unpack_u8(struct p2_unpack *in)
{
    const uint8_t *p = p2_unpack_bytes(in, 1);
    return p != NULL ? p[0] : 0;
}

static inline uint16_t p2_unpack_u16(struct p2_unpack *in)
{
    const uint8_t *p = p2_unpack_bytes(in, 2);
    return p != NULL ? p2_load_le16(p) : 0;
}

static inline uint32_t p2_unpack_u32(struct p2_unpack *in)
{
    const uint8_t *p = p2_unpack_bytes(in, 4);
    return p != NULL ? p2_load_le32(p) : 0;
}

static inline uint64_t p2_unpack_u64(struct p2_unpack *in)
{
    const uint8_t *p = p2_unpack_bytes(in, 8);
    return p != NULL ? p2_load_le64(p) : 0;
}

static inline int32_t p2_unpack_i32(struct p2_unpack *in)
{
    return p2_i32_of_bits(p2_unpack_u32(in));
}

static inline int64_t p2_unpack_i64(struct p2_unpack *in)
{
    return p2_i64_of_bits(p2_unpack_u64(in));
}

/* A binary32 number. Fails on NaN and on anything outside [-limit, limit] (so on infinities);
 * minus zero reads as plus zero, so that no kernel meets it. */
static inline float p2_unpack_f32(struct p2_unpack *in, float limit)
{
    float value = p2_f32_of_bits(p2_unpack_u32(in));
    if (!(value >= -limit && value <= limit)) {
        in->failed = true;
        return 0.0F;
    }
    return value == 0.0F ? 0.0F : value;
}

/* True when nothing failed and every byte was read. */
static inline bool p2_unpack_done(const struct p2_unpack *in)
{
    return !in->failed && in->left == 0;
}

/* ---- writer --------------------------------------------------------------------------------- */

struct p2_pack {
    uint8_t *data;   /* borrowed storage */
    size_t capacity; /* bytes of it */
    size_t size;     /* bytes written */
    bool failed;     /* no room; sticky: nothing is written from then on */
};

/* Writes into `data[capacity]`, which must outlive the writer. */
static inline struct p2_pack p2_pack_start(uint8_t *data, size_t capacity)
{
    return (struct p2_pack){data, capacity, 0, false};
}

/* Room for the next `size` bytes, to be filled by the caller; NULL and `failed` without room. */
static inline uint8_t *p2_pack_space(struct p2_pack *out, size_t size)
{
    if (out->failed || size > out->capacity - out->size) {
        out->failed = true;
        return NULL;
    }
    uint8_t *space = out->data + out->size;
    out->size += size;
    return space;
}

static inline void p2_pack_u8(struct p2_pack *out, uint8_t value)
{
    uint8_t *p = p2_pack_space(out, 1);
    if (p != NULL) {
        p[0] = value;
    }
}

static inline void p2_pack_u16(struct p2_pack *out, uint16_t value)
{
    uint8_t *p = p2_pack_space(out, 2);
    if (p != NULL) {
        p2_store_le16(p, value);
    }
}

static inline void p2_pack_u32(struct p2_pack *out, uint32_t value)
{
    uint8_t *p = p2_pack_space(out, 4);
    if (p != NULL) {
        p2_store_le32(p, value);
    }
}

static inline void p2_pack_u64(struct p2_pack *out, uint64_t value)
{
    uint8_t *p = p2_pack_space(out, 8);
    if (p != NULL) {
        p2_store_le64(p, value);
    }
}

static inline void p2_pack_i32(struct p2_pack *out, int32_t value)
{
    p2_pack_u32(out, (uint32_t)value);
}

static inline void p2_pack_i64(struct p2_pack *out, int64_t value)
{
    p2_pack_u64(out, (uint64_t)value);
}

/* A binary32 number; NaN and minus zero are written as plus zero, so that outputs have one form. */
static inline void p2_pack_f32(struct p2_pack *out, float value)
{
    bool is_nan = value != value;
    p2_pack_u32(out, is_nan || value == 0.0F ? 0 : p2_bits_of_f32(value));
}

static inline void p2_pack_bytes(struct p2_pack *out, const uint8_t *data, size_t size)
{
    uint8_t *p = p2_pack_space(out, size);
    if (p != NULL && size > 0) {
        memcpy(p, data, size);
    }
}

/* ---- arena ---------------------------------------------------------------------------------- */

struct p2_arena {
    uint8_t *data; /* next free byte, borrowed from the call */
    size_t left;   /* bytes */
    bool failed;   /* asked for more than there was; sticky */
};

static inline struct p2_arena p2_arena_start(uint8_t *data, size_t size)
{
    return (struct p2_arena){data, size, false};
}

/* A piece of `count` objects of `size` bytes, aligned to 64 bytes when the arena is. Its content is
 * arbitrary. NULL and `failed` when the arena is too small. */
static inline void *p2_arena_take(struct p2_arena *arena, size_t count, size_t size)
{
    if (arena->failed || (size > 0 && count > arena->left / size)) {
        arena->failed = true;
        return NULL;
    }
    size_t bytes = (count * size + 63u) & ~(size_t)63;
    if (bytes > arena->left) {
        arena->failed = true;
        return NULL;
    }
    void *piece = arena->data;
    arena->data += bytes;
    arena->left -= bytes;
    return piece;
}

/* ---- numbers from a seed -------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014):
 * one 64-bit word of state, the same numbers on every machine. It chooses test cases and what a
 * check looks at; it is no cipher, a check's seed itself must be secret. */
struct p2_kernel_random {
    uint64_t state;
};

static inline uint64_t p2_kernel_random_u64(struct p2_kernel_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The stream number `index` of `seed`; neighbouring indices give unrelated streams. */
static inline struct p2_kernel_random p2_kernel_random_start(uint64_t seed, uint64_t index)
{
    struct p2_kernel_random random = {seed};
    random.state = p2_kernel_random_u64(&random) ^ (index * UINT64_C(0xd1342543de82ef95));
    random.state = p2_kernel_random_u64(&random);
    return random;
}

static inline uint32_t p2_kernel_random_u32(struct p2_kernel_random *random)
{
    return (uint32_t)(p2_kernel_random_u64(random) >> 32);
}

/* A number in [0, bound); 0 when bound is 0. Its bias is below bound / 2^32. */
static inline uint32_t p2_kernel_random_below(struct p2_kernel_random *random, uint32_t bound)
{
    return (uint32_t)(((uint64_t)p2_kernel_random_u32(random) * bound) >> 32);
}

/* A number in [low, high], both included; low <= high and high - low < 2^31. */
static inline int32_t p2_kernel_random_between(struct p2_kernel_random *random, int32_t low,
                                               int32_t high)
{
    uint32_t span = (uint32_t)high - (uint32_t)low + 1;
    return (int32_t)((int64_t)low + (int64_t)p2_kernel_random_below(random, span));
}

/* True with probability `percent` / 100. Always draws, so that streams stay aligned. */
static inline bool p2_kernel_random_percent(struct p2_kernel_random *random, uint32_t percent)
{
    return p2_kernel_random_below(random, 100) < percent;
}

/* A binary32 number in [low, high): 24 random bits, scaled by exact steps (the product may round). */
static inline float p2_kernel_random_f32(struct p2_kernel_random *random, float low, float high)
{
    float unit = (float)(p2_kernel_random_u64(random) >> 40) * 0x1p-24F;
    float value = low + (high - low) * unit;
    return value < high ? value : low;
}

#endif
