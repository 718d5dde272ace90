/* Stamps: a small proof of work at the end of a stored value (as Hashcash, Back 2002).
 *
 * Everybody can write under every key, and a signature costs a reader a hundred times what junk
 * costs its writer. A stamp turns that around: it is checked with two hashes before anything
 * slower, and making one costs 2^bits hashes. It covers the key, so it serves one place only.
 *
 *   value = content | nonce, 8 bytes
 *   BLAKE2b-256(BLAKE2b-256("p2c2r stamp" | 0 | network id | key | content) | nonce)
 *     begins with `stamp_bits` zero bits
 *
 * 16 bits: about 15 ms to make (0.2 us a hash, measured), once per publishing; 1,200 junk values,
 * enough to use up a reader's 100 ms with signature checks, cost their writer about 20 s.
 * Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_STAMP_H
#define P2_OVERLAY_STAMP_H

#include "overlay/record.h"

#define P2_STAMP_BYTES        8
#define P2_STAMP_BITS_MAX     24 /* chosen: above, making one takes seconds */
#define P2_STAMP_BITS_DEFAULT 16

/* Making a stamp, in pieces, so that a loop stays responsive. */
struct p2_stamp_work {
    uint8_t digest[P2_KEY_BYTES];
    uint64_t next_nonce;
    uint8_t bits;
};

void p2_stamp_begin(struct p2_stamp_work *work, struct p2_span content,
                    const struct p2_overlay_key *key, const struct p2_overlay_rules *rules);

/* Tries at most `tries` nonces. True when one was found: it is in ret_nonce. About 0.2 us a try. */
bool p2_stamp_step(struct p2_stamp_work *work, uint32_t tries, uint64_t *ret_nonce);

/* Makes the whole stamp at once and appends it: value[size] becomes value[size + P2_STAMP_BYTES].
 * `capacity` has room, else P2_E_FULL. */
int p2_stamp_append(uint8_t *value, size_t *size, size_t capacity, const struct p2_overlay_key *key,
                    const struct p2_overlay_rules *rules);

/* Checks and removes the stamp: `ret_content` borrows from `value`. `ret_digest` (may be NULL) is
 * a number that differs for different values, for telling copies apart. P2_E_TRUNCATED,
 * P2_E_FLOOD when the work was not done. Two hashes. */
int p2_stamp_check(struct p2_span *ret_content, uint64_t *ret_digest, struct p2_span value,
                   const struct p2_overlay_key *key, const struct p2_overlay_rules *rules);

/* The number of zero bits `bytes[size]` begins with. */
unsigned p2_leading_zero_bits(const uint8_t *bytes, size_t size);

#endif
