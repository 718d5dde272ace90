/* Records: what a node says about itself in the overlay, in one canonical signed form (DESIGN 6).
 *
 *   offset  bytes  field
 *        0      1  version, 1
 *        1      1  kind, enum p2_overlay_record_kind
 *        2     32  signer, an Ed25519 id
 *       34     20  the key it is stored under
 *       54      8  not before, seconds since 1970
 *       62      8  expires, the same
 *       70      8  sequence: of one signer and kind the highest counts
 *       78      8  the signer's identity puzzle nonce (puzzle.h)
 *       86      n  body, 0..P2_OVERLAY_RECORD_BODY_MAX bytes, laid out by its kind
 *     86+n     64  Ed25519 signature over all before it
 *
 * Numbers are big-endian. The size follows from the value's, so every record has one encoding. The
 * signature's domain string names the kind; the network id is signed too (crypto.h). A record taken
 * from another network, kind or key does not verify or is not bound, and is refused.
 *
 * Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_RECORD_H
#define P2_OVERLAY_RECORD_H

#include "base/crypto.h"
#include "base/id.h"
#include "overlay/overlay.h"

#include <stddef.h>
#include <stdint.h>

#define P2_OVERLAY_RECORD_VERSION      1
#define P2_OVERLAY_RECORD_HEADER_BYTES 86
#define P2_OVERLAY_RECORD_MIN          (P2_OVERLAY_RECORD_HEADER_BYTES + P2_SIGNATURE_BYTES)
#define P2_OVERLAY_RECORD_MAX          (P2_OVERLAY_VALUE_MAX - 8) /* room for a stamp (stamp.h) */
#define P2_OVERLAY_RECORD_BODY_MAX     (P2_OVERLAY_RECORD_MAX - P2_OVERLAY_RECORD_MIN)

/* How far the clocks of two nodes may differ: a record may start this much in our future. Chosen:
 * machines without NTP drift by seconds a day; an invite lives 120 s and must survive it. */
#define P2_OVERLAY_RECORD_SKEW_S 60

/* Lifetimes. DESIGN 6: 9 minutes, below the 10 the network keeps a value; invites 120 s. */
#define P2_OVERLAY_RECORD_LIFE_S 540
#define P2_INVITE_LIFE_S         120

enum p2_overlay_record_kind {
    P2_OVERLAY_RECORD_CAPACITY_AD = 1, /* capacity_ad.h */
    P2_OVERLAY_RECORD_INVITE = 2,      /* invite.h */
    P2_OVERLAY_RECORD_SESSION = 3      /* session_id.h */
};
#define P2_OVERLAY_RECORD_KINDS 3

/* What all nodes of one network agree on; from the configuration. */
struct p2_overlay_rules {
    uint8_t network_id[P2_KEY_BYTES];
    uint8_t puzzle_bits; /* difficulty of the identity puzzle, 0..P2_PUZZLE_BITS_MAX */
    uint8_t stamp_bits;  /* difficulty of stamps, 0..P2_STAMP_BITS_MAX */
};

struct p2_overlay_record {
    enum p2_overlay_record_kind kind;
    struct p2_id signer;
    struct p2_overlay_key key;
    uint64_t not_before;
    uint64_t expires;
    uint64_t sequence;
    uint64_t puzzle_nonce;
    size_t body_size; /* 0..P2_OVERLAY_RECORD_BODY_MAX */
    uint8_t body[P2_OVERLAY_RECORD_BODY_MAX];
};

/* Where a reader looked, and when. */
struct p2_overlay_record_place {
    enum p2_overlay_record_kind kind;
    struct p2_overlay_key key;
    uint64_t unix_s;
};

/* The longest life of a record of `kind`, in seconds. */
uint64_t p2_overlay_record_life_s(enum p2_overlay_record_kind kind);

/* Writes and signs; `identity` must be the signer's. P2_E_RANGE for a kind, lifetime or body size
 * no reader would accept. */
int p2_overlay_record_sign(uint8_t out[P2_OVERLAY_RECORD_MAX], size_t *ret_size,
                           const struct p2_overlay_record *record,
                           const struct p2_identity *identity,
                           const struct p2_overlay_rules *rules);

/* Reads and checks, in this order; the first that fails is the result:
 *   size       P2_E_TRUNCATED, P2_E_TOO_BIG
 *   version    P2_E_BAD_VERSION; kind: P2_E_BAD_TYPE for one that nobody defined
 *   signature  P2_E_BAD_KEY (an id no node can have), P2_E_BAD_SIGNATURE
 *   binding    P2_E_UNSOLICITED: another kind or key than `place`
 *   time       P2_E_RANGE (lives longer than its kind may, or starts in the future), P2_E_EXPIRED
 * The body and the puzzle are not looked at. Costs one Ed25519 check (about 80 us) at most. */
int p2_overlay_record_open(struct p2_overlay_record *ret_record, struct p2_span value,
                           const struct p2_overlay_record_place *place,
                           const struct p2_overlay_rules *rules);

/* The overlay key for `parts[count]` under the domain string `label`: the first 20 bytes of
 * BLAKE2b-256(label | 0 | network id | parts). The caller's parts have fixed sizes. */
void p2_overlay_record_key(struct p2_overlay_key *ret_key, const char *label,
                           const struct p2_overlay_rules *rules, const struct p2_span *parts,
                           size_t count);
#define P2_OVERLAY_RECORD_KEY_PARTS_MAX 4

#endif
