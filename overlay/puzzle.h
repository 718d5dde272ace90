/* The identity puzzle: what a fresh key costs (DESIGN 6).
 *
 * A nonce such that Argon2id(password = key, salt = nonce (8 bytes, big-endian) | 8 zero bytes;
 * 1 MiB, 1 pass, 16 bytes out) begins with c zero bits. Helpers and authorities solve it once per
 * key and store the solution; it travels in every record they sign. It slows floods of identities
 * (at c = 14 a key costs about 9 s of one core, at 0.55 ms a try). It does not tell good from bad,
 * does not bind a key to a person, and whoever rents a thousand cores has a thousand keys in 9 s.
 *
 * The solver works in steps: a daemon shows progress and stays responsive, and can store where it
 * was. Stored form, 63 bytes: "P2PZ", version 1, difficulty c, solved 0 or 1, key [32], nonce u64
 * (the solution, or where to go on), BLAKE2b-128("p2c2r puzzle file" | 0 | all before it).
 * Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_PUZZLE_H
#define P2_OVERLAY_PUZZLE_H

#include "base/crypto.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_PUZZLE_MEMORY_BYTES (1u << 20) /* DESIGN 6: 1 MiB */
#define P2_PUZZLE_PASSES       1
#define P2_PUZZLE_BITS_DEFAULT 14
#define P2_PUZZLE_BITS_MAX     24 /* chosen: three hours of one core */
#define P2_PUZZLE_STORED_BYTES 63

struct p2_puzzle {
    struct p2_id key;
    uint64_t nonce; /* the solution when solved, else the next one to try */
    uint8_t bits;
    bool is_solved;
};

/* Starts at nonce 0. `bits` at most P2_PUZZLE_BITS_MAX. */
void p2_puzzle_begin(struct p2_puzzle *puzzle, const struct p2_id *key, uint8_t bits);

/* Tries at most `tries` nonces (about 0.55 ms each); is_solved tells. P2_E_NOMEM. */
int p2_puzzle_step(struct p2_puzzle *puzzle, uint32_t tries);

/* The chance that a solution would have been found by now, in parts per million: what a progress
 * bar shows. 1,000,000 only when solved. */
uint32_t p2_puzzle_progress_ppm(const struct p2_puzzle *puzzle);

/* P2_E_NOT_ALLOWED when `nonce` does not solve the puzzle of `key`; P2_E_NOMEM. `bits` 0: always
 * 0, at no cost. */
int p2_puzzle_check(const struct p2_id *key, uint64_t nonce, uint8_t bits);

/* The stored form. Decoding: P2_E_CORRUPT (damaged, or of another size), P2_E_NEW_SCHEMA. Whether
 * a stored solution holds is asked of p2_puzzle_check: files are not believed. */
void p2_puzzle_encode(uint8_t out[P2_PUZZLE_STORED_BYTES], const struct p2_puzzle *puzzle);
int p2_puzzle_decode(struct p2_puzzle *ret_puzzle, struct p2_span stored);

#endif
