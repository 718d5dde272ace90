/* Invites: how an authority asks a helper to dial it (DESIGN 6).
 *
 * Stored under both of the helper's inboxes, always P2_INVITE_VALUE_BYTES:
 *
 *   sealed box to the helper's key (crypto.h) of a record of kind INVITE | stamp (stamp.h)
 *
 * The signer is the authority. Body, 126 bytes:
 *
 *   offset  bytes  field
 *        0     32  the helper it is for: a re-sealed invite is recognised
 *       32     16  token, used once: echoed in HELLO
 *       48      1  flags: bit 0 the authority has AES; others 0
 *       49     77  1..4 endpoints (endpoints.h)
 *
 * A helper checks, cheapest first: size and stamp (0.5 us), copies, the box (45 us), signature,
 * binding and time (80 us), its own name, the authority's identity puzzle (0.55 ms), the token.
 * Then the dial policy has its say. An invite is not answered: the dial is the answer.
 * Pure. Thread: one per memory. */
#ifndef P2_OVERLAY_INVITE_H
#define P2_OVERLAY_INVITE_H

#include "link/link.h"
#include "overlay/endpoints.h"
#include "overlay/record.h"
#include "overlay/stamp.h"

#define P2_INVITE_COPIES      2 /* DESIGN 6: two inboxes */
#define P2_INVITE_ENDPOINTS   4
#define P2_INVITE_TOKEN_BYTES 16
#define P2_INVITE_BODY_BYTES \
    (P2_ID_BYTES + P2_INVITE_TOKEN_BYTES + 1 + 1 + P2_INVITE_ENDPOINTS * P2_ENDPOINT_BYTES)
#define P2_INVITE_SEALED_BYTES (P2_OVERLAY_RECORD_MIN + P2_INVITE_BODY_BYTES + P2_BOX_BYTES)
#define P2_INVITE_VALUE_BYTES  (P2_INVITE_SEALED_BYTES + P2_STAMP_BYTES)

struct p2_overlay_invite {
    struct p2_id authority;
    struct p2_id helper;
    uint64_t not_before;
    uint64_t expires; /* at most P2_INVITE_LIFE_S later */
    uint64_t sequence;
    uint64_t puzzle_nonce; /* the authority's */
    uint8_t token[P2_INVITE_TOKEN_BYTES];
    bool has_aes;
    uint8_t endpoint_count; /* 1..P2_INVITE_ENDPOINTS */
    struct p2_link_address endpoints[P2_INVITE_ENDPOINTS];
};

/* The overlay key of inbox 0 or 1 of a helper. */
void p2_invite_inbox(struct p2_overlay_key *ret_key, const struct p2_id *helper, unsigned copy,
                     const struct p2_overlay_rules *rules);

/* Signs and seals for one inbox; the stamp is added by the caller (stamp.h) over the inbox's key.
 * `ephemeral[32]` is fresh and random. P2_E_BAD_KEY (the helper's id), P2_E_RANGE. */
int p2_invite_seal(uint8_t out[P2_INVITE_SEALED_BYTES], const struct p2_overlay_invite *invite,
                   unsigned copy, const uint8_t ephemeral[P2_KEY_BYTES],
                   const struct p2_identity *identity, const struct p2_overlay_rules *rules);

/* Tokens a helper has seen. Chosen: with at most 6 new dials a minute a helper can use 18 invites
 * before all of them expire. */
#define P2_INVITE_MEMORY 64

/* A helper's inbox reader: what it has seen, and what it did. Zero it to begin. */
struct p2_invite_memory {
    struct {
        uint8_t token[P2_INVITE_TOKEN_BYTES];
        struct p2_id authority;
        uint64_t expires; /* 0: free */
    } seen[P2_INVITE_MEMORY];
    uint64_t copies[P2_INVITE_MEMORY]; /* digests of values already looked at */
    uint32_t next_copy;
    /* Operations, for those who must bound them. */
    uint64_t stamps;
    uint64_t boxes;
    uint64_t signatures;
    uint64_t puzzles;
};

/* Checks a value found in our inbox `copy`. Each genuine invite is returned once, whichever inbox
 * it came through. P2_E_MALFORMED (size), P2_E_FLOOD (no stamp), P2_E_EXIST (seen before),
 * P2_E_BAD_TAG (not for us), errors of p2_overlay_record_open, P2_E_WRONG_PEER (names another helper: it
 * was sealed again), P2_E_NOT_ALLOWED (puzzle), P2_E_LIMIT (memory full until some expire),
 * P2_E_RANGE, P2_E_NOT_CANONICAL. */
int p2_invite_open(struct p2_invite_memory *memory, struct p2_overlay_invite *ret_invite,
                   struct p2_span value, unsigned copy, uint64_t unix_s,
                   const struct p2_identity *helper, const struct p2_overlay_rules *rules);

#endif
