/* The identity puzzle; see the header. */
#include "overlay/puzzle.h"

#include "overlay/stamp.h"

#include <string.h>

#define STORED_VERSION 1
#define STORED_CHECK   16
#define STORED_CONTENT (P2_PUZZLE_STORED_BYTES - STORED_CHECK)
static const uint8_t magic[4] = {'P', '2', 'P', 'Z'};
_Static_assert(sizeof magic + 3 + P2_ID_BYTES + 8 == STORED_CONTENT, "stored size");

void p2_puzzle_begin(struct p2_puzzle *puzzle, const struct p2_id *key, uint8_t bits)
{
    P2_ASSERT(bits <= P2_PUZZLE_BITS_MAX);
    *puzzle = (struct p2_puzzle){.key = *key, .bits = bits};
}

int p2_puzzle_check(const struct p2_id *key, uint64_t nonce, uint8_t bits)
{
    uint8_t salt[P2_SALT_BYTES] = {0};
    uint8_t out[16];
    P2_ASSERT(bits <= P2_PUZZLE_BITS_MAX);
    if (bits == 0) {
        return P2_OK;
    }
    p2_store_be64(salt, nonce);
    int error = p2_argon2id(out, sizeof out, p2_span(key->bytes, P2_ID_BYTES), salt,
                            P2_PUZZLE_MEMORY_BYTES, P2_PUZZLE_PASSES);
    if (error != P2_OK) {
        return error;
    }
    return p2_leading_zero_bits(out, sizeof out) >= bits ? P2_OK : P2_E_NOT_ALLOWED;
}

int p2_puzzle_step(struct p2_puzzle *puzzle, uint32_t tries)
{
    for (uint32_t i = 0; i < tries && !puzzle->is_solved; i++) {
        int error = p2_puzzle_check(&puzzle->key, puzzle->nonce, puzzle->bits);
        if (error == P2_OK) {
            puzzle->is_solved = true;
        } else if (error == P2_E_NOT_ALLOWED) {
            puzzle->nonce++;
        } else {
            return error;
        }
    }
    return P2_OK;
}

/* a * b of two numbers in [0, 1] with 32 bits behind the point. */
static uint64_t multiply_q32(uint64_t a, uint64_t b)
{
    return a * b >>
           32; /* both at most 2^32: only 2^32 * 2^32 overflows, and the caller avoids it */
}

uint32_t p2_puzzle_progress_ppm(const struct p2_puzzle *puzzle)
{
    /* 1 - (1 - 2^-bits)^tries by repeated squaring, in integers: no policy uses float. */
    uint64_t base = ((uint64_t)1 << 32) - ((uint64_t)1 << (32 - puzzle->bits));
    uint64_t missed = UINT32_MAX;
    if (puzzle->is_solved) {
        return 1000000;
    }
    for (uint64_t tries = puzzle->nonce; tries > 0; tries >>= 1) {
        if ((tries & 1) != 0) {
            missed = multiply_q32(missed, base);
        }
        base = multiply_q32(base, base);
    }
    uint64_t ppm = (UINT32_MAX - missed) * 1000000 >> 32;
    return ppm < 999999 ? (uint32_t)ppm : 999999;
}

static void stored_check(uint8_t check[STORED_CHECK], const uint8_t *content)
{
    static const char domain[] = "p2c2r puzzle file";
    const struct p2_span parts[] = {p2_span(domain, sizeof domain),
                                    p2_span(content, STORED_CONTENT)};
    p2_hash(check, STORED_CHECK, parts, P2_COUNT_OF(parts));
}

void p2_puzzle_encode(uint8_t out[P2_PUZZLE_STORED_BYTES], const struct p2_puzzle *puzzle)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, STORED_CONTENT);
    p2_writer_bytes(&writer, p2_span(magic, sizeof magic));
    p2_writer_u8(&writer, STORED_VERSION);
    p2_writer_u8(&writer, puzzle->bits);
    p2_writer_u8(&writer, puzzle->is_solved ? 1 : 0);
    p2_writer_bytes(&writer, p2_span(puzzle->key.bytes, P2_ID_BYTES));
    p2_writer_u64(&writer, puzzle->nonce);
    P2_ASSERT(writer.error == P2_OK && writer.size == STORED_CONTENT);
    stored_check(out + STORED_CONTENT, out);
}

int p2_puzzle_decode(struct p2_puzzle *ret_puzzle, struct p2_span stored)
{
    uint8_t check[STORED_CHECK];
    struct p2_puzzle puzzle = {0};
    if (stored.size != P2_PUZZLE_STORED_BYTES) {
        return P2_E_CORRUPT;
    }
    stored_check(check, stored.data);
    if (memcmp(check, stored.data + STORED_CONTENT, STORED_CHECK) != 0 ||
        memcmp(magic, stored.data, sizeof magic) != 0) {
        return P2_E_CORRUPT;
    }
    if (stored.data[4] != STORED_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    puzzle.bits = stored.data[5];
    if (puzzle.bits > P2_PUZZLE_BITS_MAX || stored.data[6] > 1) {
        return P2_E_CORRUPT;
    }
    puzzle.is_solved = stored.data[6] == 1;
    memcpy(puzzle.key.bytes, stored.data + 7, P2_ID_BYTES);
    puzzle.nonce = p2_load_be64(stored.data + 7 + P2_ID_BYTES);
    *ret_puzzle = puzzle;
    return P2_OK;
}
