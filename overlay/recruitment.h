/* How an authority gets helpers (DESIGN 6): policy only, state and events in, effects out.
 *
 *   state of a candidate   event                        next
 *   FRESH                  chosen                       INVITED (effect INVITE, attempt 0)
 *   INVITED                3 s, then 10 s without dial   INVITED (effect INVITE, attempts 1, 2)
 *                          10 s more                    SILENT for 60 s, doubling to 1 h
 *   any                    it dials in                  CONNECTED (the only acknowledgement)
 *   CONNECTED              its link ends                FRESH after 15 s, known from now on
 *   SILENT                 time is over                 FRESH
 *
 * While fewer than `want` helpers are connected or invited: first those it knows (worked for us
 * before), then those whose ads it read, in random order; when nobody is left, it reads random
 * shards (directory.h), at most every 3 s. Every candidate is filtered: the block list, at most 2
 * connected or invited per /24 or /48, the identity puzzle, which is checked only when the candidate
 * is chosen: so its cost is bounded by the rate of invites. The ad's signature and expiry were
 * checked before (capacity_ad.h).
 *
 * Pure. Thread: one. */
#ifndef P2_OVERLAY_RECRUITMENT_H
#define P2_OVERLAY_RECRUITMENT_H

#include "base/rng.h"
#include "overlay/capacity_ad.h"
#include "overlay/directory.h"
#include "overlay/invite.h"

#define P2_RECRUITMENT_CANDIDATES \
    512                             /* chosen: 4 reads of 64, and 256 connected ones of a session */
#define P2_RECRUITMENT_PER_PREFIX 2 /* DESIGN 6 */
#define P2_RECRUITMENT_POLL_US    3000000ull /* DESIGN 6 */
#define P2_RECRUITMENT_ATTEMPTS \
    3 /* measured: a lost put is found by the next; 3 s and 10 s apart */
#define P2_RECRUITMENT_SILENT_US     60000000ull   /* chosen: longer than a helper's restart */
#define P2_RECRUITMENT_SILENT_MAX_US 3600000000ull /* chosen: an hour, as other bars */
#define P2_RECRUITMENT_LOST_US       15000000ull   /* DESIGN 9: back-off of the disconnected */

enum p2_candidate_state {
    P2_CANDIDATE_FREE, /* no candidate */
    P2_CANDIDATE_FRESH,
    P2_CANDIDATE_INVITED,
    P2_CANDIDATE_CONNECTED,
    P2_CANDIDATE_SILENT
};

struct p2_candidate {
    enum p2_candidate_state state;
    struct p2_id id;
    struct p2_ip ip;  /* claimed by the ad, measured once connected; family 0: not known */
    bool is_known;    /* worked for us before */
    bool is_proved;   /* its puzzle was checked */
    uint8_t attempt;  /* of the invites so far, 1.. */
    uint8_t silences; /* rounds without a dial */
    uint64_t puzzle_nonce;
    uint64_t next_us;                     /* when this state is over */
    uint64_t expires;                     /* of its ad, unix seconds; 0: no ad */
    uint8_t token[P2_INVITE_TOKEN_BYTES]; /* of the newest invite */
};

struct p2_recruitment_options {
    char region[P2_REGION_MAX];
    const struct p2_overlay_rules *rules; /* borrowed */
    enum p2_local_peers local_peers;
    uint32_t invites_per_minute; /* at least 1 */
    /* The block list. May be NULL. */
    bool (*is_blocked)(const struct p2_id *id, void *ctx);
    void *ctx;
};

enum p2_recruitment_effect_kind {
    P2_RECRUITMENT_READ,  /* look up `key`, offer the ads, then p2_recruitment_read_done */
    P2_RECRUITMENT_INVITE /* put an invite with `token` into both inboxes of `helper` */
};

struct p2_recruitment_effect {
    enum p2_recruitment_effect_kind kind;
    struct p2_overlay_key key; /* READ */
    struct p2_shard shard;     /* READ: what the ads must be bound to */
    struct p2_id helper;       /* INVITE */
    uint8_t token[P2_INVITE_TOKEN_BYTES];
    uint8_t attempt; /* INVITE: 0, 1, 2 */
};

struct p2_recruitment {
    struct p2_recruitment_options options;
    struct p2_rng rng;
    uint32_t want;
    bool is_reading;
    bool walk_goes_on;
    struct p2_directory_walk walk;
    uint64_t next_read_us;
    uint64_t budget_updated_us; /* of invites: a bucket of micro-invites */
    uint64_t budget;
    struct p2_candidate candidates[P2_RECRUITMENT_CANDIDATES];
    /* Counters. */
    uint64_t reads;
    uint64_t invites;
    uint64_t dialled_in;
    uint64_t puzzles;        /* checks made */
    uint64_t refused_puzzle; /* candidates refused for each reason */
    uint64_t refused_blocked;
    uint64_t refused_full;
};

/* `rng` is copied. `now_us` is the steady time, as everywhere here; it never goes back. */
void p2_recruitment_init(struct p2_recruitment *recruitment,
                         const struct p2_recruitment_options *options, const struct p2_rng *rng,
                         uint64_t now_us);

/* How many helpers are wanted, connected ones included. */
void p2_recruitment_set_want(struct p2_recruitment *recruitment, uint32_t want);

/* A helper that worked for us before (from the store). `ip` may have family 0. */
void p2_recruitment_add_known(struct p2_recruitment *recruitment, const struct p2_id *id,
                              const struct p2_ip *ip);

/* A valid ad that was read. When the table is full it replaces somebody unknown and useless, or is
 * dropped. */
void p2_recruitment_offer(struct p2_recruitment *recruitment, const struct p2_capacity_ad *ad);

/* The read is over; `live` valid ads were there. */
void p2_recruitment_read_done(struct p2_recruitment *recruitment, uint32_t live, uint64_t now_us);

/* A helper's HELLO was read: may it stay? `ip` is its measured address; `token` what it echoes.
 * 0: it counts as connected. P2_E_NOT_ALLOWED (blocked), P2_E_LIMIT (2 of its neighbourhood are
 * connected already), P2_E_EXIST (it is connected already), P2_E_FULL. `ret_invited` tells whether
 * the token is one we sent to it and was not used before. */
int p2_recruitment_dialled_in(struct p2_recruitment *recruitment, const struct p2_id *id,
                              const struct p2_ip *ip, const uint8_t token[P2_INVITE_TOKEN_BYTES],
                              bool *ret_invited);

/* Its link ended. Unknown ids are ignored. */
void p2_recruitment_gone(struct p2_recruitment *recruitment, const struct p2_id *id,
                         uint64_t now_us);

/* The next thing to do, if there is any at `now_us` (`unix_s` for expiry). Call until false; then
 * again at *ret_due_us at the latest (UINT64_MAX: only an event can change anything). P2_E_NOMEM of
 * a puzzle check counts as a refusal. O(P2_RECRUITMENT_CANDIDATES). */
bool p2_recruitment_next(struct p2_recruitment *recruitment, uint64_t now_us, uint64_t unix_s,
                         struct p2_recruitment_effect *ret_effect, uint64_t *ret_due_us);

/* Candidates in a state. */
uint32_t p2_recruitment_count(const struct p2_recruitment *recruitment,
                              enum p2_candidate_state state);

#endif
