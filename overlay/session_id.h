/* Session IDs: what a host reads out loud and a gamer types (DESIGN 6).
 *
 * 75 bits and a check, 16 characters of Crockford base32 in four groups: PVGD-Q92Y-JFCB-ND68.
 *
 * The bits are the first 75 of Argon2id(password = authority key, salt = 16 random bytes; 16 MiB,
 * 1 pass, 16 bytes out). A session record carries key and salt and must give the ID again: so the
 * ID names its authority, and nobody else can answer for it without 2^75 such hashes.
 *
 * Check character: with the characters as elements of GF(32) = GF(2)[a] / (a^5 + a^2 + 1),
 *   s0 a^15 + s1 a^14 + ... + s14 a + s15 = 0
 * The 16 weights are different and not zero, so every single wrong character and every exchange of
 * two different characters at any two places is caught (the difference is (w_i - w_j)(s_i - s_j));
 * other damage passes with probability 1/32.
 *
 *   master    = Argon2id(password = the 10 bytes of the ID, salt = BLAKE2b-128("p2c2r session
 *               master" | 0 | network id); 16 MiB, 1 pass, 32 bytes out)
 *   seal key  = p2_derive_key(master, "p2c2r session seal", no context)
 *   DHT key   = first 20 bytes of p2_derive_key(master, "p2c2r session key", copy u8 | slot u64)
 *
 * Whoever holds an ID can find and read its record; without it neither key nor value can be told
 * from noise. IDs are secrets: they are never logged. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_SESSION_ID_H
#define P2_OVERLAY_SESSION_ID_H

#include "overlay/record.h"

#define P2_SESSION_ID_BYTES     10 /* 75 bits, then 5 zero bits */
#define P2_SESSION_ID_TEXT_LEN  19 /* 16 characters and 3 hyphens */
#define P2_SESSION_ID_TEXT_MAX  (P2_SESSION_ID_TEXT_LEN + 1)
#define P2_SESSION_MEMORY_BYTES (16u << 20) /* DESIGN 6: 16 MiB, 9 ms measured */
#define P2_SESSION_PASSES       1
#define P2_SESSION_COPIES       2    /* DESIGN 6 */
#define P2_SESSION_SLOT_S       3600 /* DESIGN 6: hour slots */

struct p2_session_id {
    uint8_t bytes[P2_SESSION_ID_BYTES];
};

/* What an ID opens. Secret: wipe after use. */
struct p2_session_keys {
    uint8_t master[P2_KEY_BYTES];
    uint8_t seal[P2_KEY_BYTES];
};

/* The ID of (authority, salt). P2_E_NOMEM. 9 ms and 16 MiB. */
int p2_session_id_derive(struct p2_session_id *ret_id, const struct p2_id *authority,
                         const uint8_t salt[P2_SALT_BYTES]);

/* Upper-case text with hyphens and its final zero. */
void p2_session_id_format(char text[P2_SESSION_ID_TEXT_MAX], const struct p2_session_id *id);

/* Reads exactly the `length` characters: 16, or 19 with hyphens after each fourth; any case, o as
 * 0, i and l as 1. P2_E_MALFORMED, P2_E_CHECKSUM (a typing slip); `ret_id` is then unchanged. */
int p2_session_id_parse(struct p2_session_id *ret_id, const char *text, size_t length);

/* Constant time: IDs are secrets. */
bool p2_session_id_equal(const struct p2_session_id *a, const struct p2_session_id *b);

/* P2_E_NOMEM. 9 ms and 16 MiB: once per session. */
int p2_session_keys_derive(struct p2_session_keys *ret_keys, const struct p2_session_id *id,
                           const struct p2_overlay_rules *rules);

/* The slot of a time. */
uint64_t p2_session_slot(uint64_t unix_s);

/* Where copy 0 or 1 of the record lies in `slot`. */
void p2_session_slot_key(struct p2_overlay_key *ret_key, const struct p2_session_keys *keys,
                         unsigned copy, uint64_t slot);

#endif
