/* What the authority knows of each helper: who it is, how fast, how reliable, what it owes.
 *
 *   state      entered by                         work
 *   ABSENT     CLOSED                             none
 *   STRANGER   OPENED                             none; one HELLO
 *   WARMING    HELLO accepted                     one warm-up lease per kernel, nothing else
 *   ACTIVE     the first warm-up was right        kernels whose warm-up was right
 *   PAUSED     OFFER with a reason                none until OFFER without one
 *   DRAINING   DRAIN, or the authority refuses    none; answers still count
 *
 * Speed is measured, never believed: time from offer to answer minus the round trip and the wait
 * behind the helper's other leases, per cost unit, for each kernel. What a prediction misses
 * (jitter, queues of the network, a busy machine) is kept per helper as mean and mean deviation of
 * the error, so that the 95th percentile is right whatever its cause.
 * Availability is a smoothed share of leases answered in time, and has nothing to do with integrity.
 * What must survive a reconnect (availability, back-off, strikes) is kept by key in `standing`.
 * Thread: one. */
#ifndef P2_AUTHORITY_HELPER_H
#define P2_AUTHORITY_HELPER_H

#include "authority/blobs.h"
#include "authority/lease.h"
#include "authority/limits.h"
#include "base/id.h"
#include "link/ip.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_PLACE_NONE 255u       /* the helper does not offer this kernel */
#define P2_PEER_NONE  UINT32_MAX /* no helper */

enum p2_helper_state {
    P2_HELPER_ABSENT,
    P2_HELPER_STRANGER,
    P2_HELPER_WARMING,
    P2_HELPER_ACTIVE,
    P2_HELPER_PAUSED,
    P2_HELPER_DRAINING
};

/* Time on a core per cost unit, in nanoseconds (a reference core needs 1,000). */
struct p2_speed {
    uint32_t mean_ns;
    uint32_t deviation_ns; /* mean absolute deviation, for display */
    uint32_t samples;
};

/* What is remembered of a key, connected or not. */
struct p2_standing {
    struct p2_id id;
    bool is_used;
    bool is_connected;
    uint8_t backoff_level;               /* next back-off is 15 s << level */
    uint32_t availability_ppm;           /* EWMA, weight 1/16 */
    uint64_t backoff_until_us;           /* no work before */
    uint64_t banned_until_us;            /* set by policy (BAN) */
    uint64_t strikes_us[P2_STRIKES_MAX]; /* the newest strikes */
    uint32_t strikes;                    /* ever */
    uint64_t seen_us;                    /* last use, for eviction */
};

struct p2_helper {
    enum p2_helper_state state;
    struct p2_id id;
    struct p2_ip ip;
    bool is_cloud;       /* configured by the host: trusted, last of the remote tiers */
    bool has_rtt;        /* the link measured it */
    bool is_leaving;     /* the authority drains it: CLOSE when no lease is live */
    uint32_t link;       /* counts links: leases of an older link are not this one's */
    uint64_t owner_key;  /* hash of the owner tag, or of the prefix, or of the id: never 0 */
    uint64_t prefix_key; /* 0: prefix rules do not count this address */
    uint32_t owner_group;
    uint32_t prefix_group; /* P2_GROUP_NONE without a prefix_key */
    uint64_t ties;         /* bit s: must not work for session s */
    uint16_t cores;
    uint16_t window;                    /* most leases in flight */
    uint32_t offered_kernels;           /* bits of the core's table: digest and version fit */
    uint32_t ready_kernels;             /* of those, warm-up was right */
    uint8_t place[P2_CORE_KERNELS_MAX]; /* of each kernel in HELLO, or P2_PLACE_NONE */
    struct p2_speed speed[P2_CORE_KERNELS_MAX];
    uint32_t rtt_us;
    uint32_t jitter_us;
    int32_t surprise_us; /* EWMA of how much later than predicted answers came; negative: earlier */
    uint32_t spread_us;  /* EWMA of the distance from that */
    uint64_t error_us;   /* offer time of the newest answer that entered them */
    uint32_t live;       /* leases OFFERED or RUNNING */
    uint32_t running;    /* of those, RUNNING */
    uint32_t owed;       /* leases sent whose answer has not come, ended ones too */
    uint32_t forgotten;  /* of those, leases the table no longer knows */
    uint64_t backlog_us; /* predicted core time of the live leases, all cores together */
    uint64_t first_done_us; /* when the first of the RUNNING leases should have been answered */
    uint64_t free_us;       /* when the live leases will all be answered, cores sharing alike */
    uint64_t hand_look;     /* dispatch: the look at which hand_us was begun */
    uint64_t hand_us; /* dispatch: own-core time of what it has in hand and is looked at so far */
    uint32_t queue_first, queue_last; /* live leases in the order they were sent */
    uint32_t misses;                  /* timeouts since the last answer */
    uint32_t good;                    /* answers in time since the last miss */
    uint32_t answers;                 /* accepted, ever on this link */
    uint64_t used_us;                 /* last offer, for rotation */
    uint64_t opened_us;
    uint64_t bucket_us; /* token buckets: last refill */
    uint32_t bucket_messages;
    uint32_t bucket_bytes;
    uint32_t standing; /* index, P2_PEER_NONE for strangers */
    struct p2_blobs blobs;
};

#define P2_GROUP_NONE UINT32_MAX

/* Owners and prefixes, numbered while a helper of theirs is connected. */
struct p2_group {
    uint64_t key; /* 0: unused */
    uint32_t helpers;
};

struct p2_helpers {
    struct p2_helper *items;            /* owned; items[capacity], by peer */
    struct p2_group *groups;            /* owned; groups[group_capacity], open addressing */
    struct p2_standing *known;          /* owned; known[known_capacity], open addressing by id */
    struct p2_blob_entry *blob_entries; /* owned; blobs_each for each helper */
    uint32_t capacity;
    uint32_t group_capacity; /* power of two, 4 x capacity */
    uint32_t known_capacity; /* power of two, 4 x capacity */
    uint32_t blobs_each;
    uint32_t present; /* not ABSENT */
    uint32_t links;   /* ever opened */
};

/* Room for `capacity` helpers that hold `blobs_each` contents each (at most P2_BLOBS_ENTRIES_MAX).
 * P2_E_NOMEM, P2_E_INVALID. */
int p2_helpers_init(struct p2_helpers *table, uint32_t capacity, uint32_t blobs_each);
void p2_helpers_free(struct p2_helpers *table);

/* The helper of a link, also when ABSENT; NULL when `peer` is out of range. */
struct p2_helper *p2_helper_at(struct p2_helpers *table, uint32_t peer);

/* A link opened: STRANGER. P2_E_STATE when the number is in use, P2_E_RANGE. */
int p2_helper_open(struct p2_helpers *table, uint32_t peer, const struct p2_ip *ip,
                   uint64_t now_us);

/* HELLO was accepted: who it is. Numbers its owner and prefix and connects its standing.
 * `owner` is the unverified tag, may be empty. P2_E_EXIST: the key is connected already. */
int p2_helper_identify(struct p2_helpers *table, uint32_t peer, const struct p2_id *id,
                       struct p2_span owner, enum p2_local_peers local_peers, uint64_t now_us);

/* The key of an owner tag, as `owner_key` has it. */
uint64_t p2_helper_owner_key(struct p2_span owner);

/* The link is gone: ABSENT. Its leases must have been settled. */
void p2_helper_close(struct p2_helpers *table, uint32_t peer, uint64_t now_us);

/* What is remembered of `id`; NULL for strangers. Borrowed until the next identify. */
struct p2_standing *p2_helpers_standing(struct p2_helpers *table, const struct p2_id *id);
struct p2_standing *p2_helper_standing(struct p2_helpers *table, const struct p2_helper *helper);

/* ---- queue of live leases --------------------------------------------------------------------- */

/* A lease was sent to / is no longer live at the helper. Starting the next ones is part of leaving:
 * the first `cores` leases are RUNNING. */
void p2_helper_enqueue(struct p2_helper *helper, struct p2_leases *leases, struct p2_lease *lease,
                       uint64_t now_us);
void p2_helper_dequeue(struct p2_helper *helper, struct p2_leases *leases, struct p2_lease *lease,
                       uint64_t now_us);

/* How long a lease sent now would wait for a core: what is left of the queue when it gets there, and
 * at least as long as the queue's front is overdue already (a helper that went silent looks worse by
 * the millisecond, long before its leases expire). */
uint32_t p2_helper_wait_us(const struct p2_helper *helper, uint64_t now_us);

/* ---- measurements ----------------------------------------------------------------------------- */

/* Predicted time of `cost_units` on one of its cores. At least 1. */
uint32_t p2_helper_exec_us(const struct p2_helper *helper, uint8_t kernel, uint64_t cost_units);

/* An answer to `lease` came in time: updates speed, error and availability. */
void p2_helper_answered(struct p2_helper *helper, struct p2_standing *standing,
                        const struct p2_lease *lease, uint64_t now_us);

/* A lease missed its hard deadline, or its link went with work in hand, or a result was refused:
 * availability falls. After P2_BACKOFF_MISSES in a row, or at once when `is_lost`, a back-off
 * starts: 15 s, doubled each time, at most 10 min. True when it did. */
bool p2_helper_missed(struct p2_helper *helper, struct p2_standing *standing, bool is_lost,
                      uint64_t now_us);

/* May it get work at all now? (state, back-off, ban) */
bool p2_helper_may_work(const struct p2_helper *helper, const struct p2_standing *standing,
                        uint64_t now_us);

/* ---- limits ----------------------------------------------------------------------------------- */

/* Counts a message that answers nothing. P2_E_FLOOD when there were too many, or too many bytes. */
int p2_helper_charge(struct p2_helper *helper, size_t bytes, uint64_t now_us);

/* A protocol strike. True when it was the third within an hour. */
bool p2_standing_strike(struct p2_standing *standing, uint64_t now_us);

#endif
