/* Session records: where a session's authority is, readable only with the session ID (DESIGN 6).
 *
 * Inside, a record (record.h) of kind SESSION with a body of 170 bytes:
 *
 *   offset  bytes  field
 *        0     16  salt: Argon2id(signer, salt) is the ID (session_id.h)
 *       16      1  flags: bit 0 locked (nobody new may join), bit 1 the host has AES; others 0
 *       17    153  1..8 endpoints (endpoints.h), best first
 *
 * Outside, always P2_SESSION_VALUE_BYTES: nonce [24] | XChaCha20-Poly1305 of the record under the
 * ID's seal key, with the overlay key as associated data. Nothing of it repeats from one publishing
 * to the next, and a value moved to another key or hour does not open.
 *
 * A reader checks, cheapest first: size, decryption (2 us), signature and the rest of record.h
 * (80 us), the key of the join link if there is one, the identity puzzle (0.55 ms), and the ID
 * (9 ms, once per key, at most P2_SESSION_ARGONS a lookup). Only someone who holds the ID can make
 * a reader come as far as the signature. Verdicts on keys are remembered between lookups, so
 * that a flood by such a person delays a reader and cannot keep it away.
 * Pure. Thread: one per checker. */
#ifndef P2_OVERLAY_SESSION_RECORD_H
#define P2_OVERLAY_SESSION_RECORD_H

#include "link/link.h"
#include "overlay/endpoints.h"
#include "overlay/session_id.h"

#define P2_SESSION_ENDPOINTS  8 /* chosen: 2 networks x 2 families x 2, a multihomed host */
#define P2_SESSION_BODY_BYTES (P2_SALT_BYTES + 1 + 1 + P2_SESSION_ENDPOINTS * P2_ENDPOINT_BYTES)
#define P2_SESSION_VALUE_BYTES \
    (P2_XNONCE_BYTES + P2_OVERLAY_RECORD_MIN + P2_SESSION_BODY_BYTES + P2_TAG_BYTES)

/* Slow checks of one lookup. 32 is DESIGN 6; 128 puzzles are 70 ms. The CPU limit of the collector
 * may end a lookup earlier. */
#define P2_SESSION_ARGONS  32
#define P2_SESSION_PUZZLES 128

/* Keys whose verdict is remembered; the oldest is forgotten first. Chosen: two lookups' worth. */
#define P2_SESSION_VERDICTS 256

struct p2_overlay_session {
    struct p2_id authority;
    uint64_t not_before;
    uint64_t expires;
    uint64_t sequence;
    uint64_t puzzle_nonce;
    uint8_t salt[P2_SALT_BYTES];
    bool is_locked;
    bool has_aes;
    uint8_t endpoint_count; /* 1..P2_SESSION_ENDPOINTS */
    struct p2_link_address endpoints[P2_SESSION_ENDPOINTS];
};

/* Makes the value to publish under `key`. `nonce[24]` is fresh and random. The record's authority
 * is `identity`'s id. P2_E_RANGE for lifetimes or endpoint counts no reader would accept. */
int p2_session_seal(uint8_t value[P2_SESSION_VALUE_BYTES], const struct p2_overlay_session *record,
                    const struct p2_overlay_key *key, const struct p2_session_keys *keys,
                    const uint8_t nonce[P2_XNONCE_BYTES], const struct p2_identity *identity,
                    const struct p2_overlay_rules *rules);

/* Decrypts and checks up to the body: everything but puzzle and ID. `ret_raw` (may be NULL) is the
 * record as signed. P2_E_MALFORMED for another size, P2_E_BAD_TAG, errors of p2_overlay_record_open,
 * P2_E_RANGE and P2_E_NOT_CANONICAL for the body. */
int p2_session_unseal(struct p2_overlay_session *ret_record, struct p2_overlay_record *ret_raw,
                      struct p2_span value, const struct p2_overlay_key *key, uint64_t unix_s,
                      const struct p2_session_keys *keys, const struct p2_overlay_rules *rules);

struct p2_session_checker {
    const struct p2_overlay_rules *rules; /* borrowed */
    const struct p2_session_keys *keys;   /* borrowed */
    struct p2_session_id id;
    struct p2_id known_key; /* all zero: none known */
    bool has_known_key;
    uint32_t argons_left; /* of this lookup */
    uint32_t puzzles_left;
    uint32_t next_verdict; /* slot to overwrite next */
    uint32_t verdict_count;
    struct {
        struct p2_id key;
        int verdict; /* 0: it is the ID's authority; else why not */
    } verdicts[P2_SESSION_VERDICTS];
    /* What was done so far, for those who must bound it. */
    uint64_t decryptions;
    uint64_t signatures;
    uint64_t puzzles;
    uint64_t argons;
};

/* `known_key` from a join link, or NULL. `rules` and `keys` outlive the checker. */
void p2_session_checker_init(struct p2_session_checker *checker, const struct p2_session_id *id,
                             const struct p2_id *known_key, const struct p2_session_keys *keys,
                             const struct p2_overlay_rules *rules);

/* A new lookup begins: fresh budgets, kept verdicts. */
void p2_session_checker_renew(struct p2_session_checker *checker);

/* Checks a value found under `key`. Errors of p2_session_unseal; P2_E_WRONG_PEER (another key than
 * the link's, or a key that does not give the ID), P2_E_NOT_ALLOWED (puzzle), P2_E_LIMIT (the
 * lookup's slow checks are used up; nothing is held against the key), P2_E_NOMEM. */
int p2_session_check(struct p2_session_checker *checker, struct p2_overlay_session *ret_record,
                     struct p2_overlay_record *ret_raw, struct p2_span value,
                     const struct p2_overlay_key *key, uint64_t unix_s);

#endif
