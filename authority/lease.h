/* The lease table: who computes which task until when.
 *
 *   state \ event  OFFER    START    ANSWER    EXPIRE   CANCEL     SETTLE   FORGET   RELEASE
 *   FREE           OFFERED  -        -         -        -          -        -        -
 *   OFFERED        -        RUNNING  ANSWERED  EXPIRED  CANCELLED  SETTLED  -        -
 *   RUNNING        -        -        ANSWERED  EXPIRED  CANCELLED  SETTLED  -        -
 *   ANSWERED       -        -        -         -        -          SETTLED  -        -
 *   EXPIRED        -        -        SETTLED   -        -          SETTLED  SETTLED  -
 *   CANCELLED      -        -        SETTLED   -        -          SETTLED  SETTLED  -
 *   SETTLED        -        -        -         -        -          -        -        FREE
 *
 * OFFERED waits behind others at the helper, RUNNING is believed to have a core (the first `cores`
 * leases of a helper), ANSWERED waits for the kernel's check. SETTLE from OFFERED and RUNNING is the
 * loss of the link. An answer to an EXPIRED or CANCELLED lease is late: never accepted, but compared
 * with the digest of the right result when that is known (a free audit, research 2.2). After the
 * grace time the lease is forgotten; how many answers a helper still owes is counted there.
 *
 * Ids are never used again: slot + capacity * generation. The table is one block, allocated once.
 * Thread: one. */
#ifndef P2_AUTHORITY_LEASE_H
#define P2_AUTHORITY_LEASE_H

#include "authority/limits.h"
#include "base/error.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_LEASE_NONE   UINT32_MAX /* no lease: end of a list */
#define P2_DIGEST_BYTES 16u        /* BLAKE2b-128 of canonical result bytes */

enum p2_lease_state {
    P2_LEASE_FREE,
    P2_LEASE_OFFERED,
    P2_LEASE_RUNNING,
    P2_LEASE_ANSWERED,
    P2_LEASE_EXPIRED,
    P2_LEASE_CANCELLED,
    P2_LEASE_SETTLED
};
#define P2_LEASE_STATES 7

enum p2_lease_event {
    P2_LEASE_OFFER,
    P2_LEASE_START,
    P2_LEASE_ANSWER,
    P2_LEASE_EXPIRE,
    P2_LEASE_CANCEL,
    P2_LEASE_SETTLE,
    P2_LEASE_FORGET,
    P2_LEASE_RELEASE
};
#define P2_LEASE_EVENTS 8

/* What a lease says and whom it concerns. */
struct p2_lease {
    uint64_t id;   /* of the wire; 0 while FREE */
    uint64_t task; /* the session's task; 0: a warm-up */
    uint32_t peer;
    uint32_t link; /* the helper's `link`: a number of a peer is used again, this is not */
    uint16_t session;
    uint8_t kernel; /* index into the core's table */
    enum p2_lease_state state;
    enum p2_tier tier;
    bool has_expected;                 /* what its task was settled with is known */
    bool is_trusted;                   /* and that was computed on our own cores */
    uint8_t expected[P2_DIGEST_BYTES]; /* its digest */
    uint64_t offered_us;
    uint64_t started_us;  /* when it is believed to have reached a core at the helper */
    uint64_t deadline_us; /* EXPIRE then */
    uint64_t hedge_us;    /* the 95th percentile of its completion: ask somebody else then */
    uint64_t ended_us;    /* when it expired or was cancelled */
    uint32_t expected_us; /* predicted time of completion, from offered_us, without surprise */
    uint32_t exec_us;     /* predicted time on the helper's core */
    uint64_t cost_units;
    uint64_t owed_us; /* audit time reserved for it (verify.h); 0 once decided */
    uint32_t output_max;
    uint32_t prev, next;   /* of the helper's queue, or of the ended ones */
    uint32_t handle_count; /* blobs it pins at its helper */
    uint32_t handles[P2_WIRE_BLOBS_MAX];
    uint32_t generation;
};

struct p2_leases {
    struct p2_lease *items; /* owned; items[capacity] */
    uint32_t capacity;
    uint32_t free_first; /* FREE slots, linked by next; oldest first, so that ids stay rare */
    uint32_t free_last;
    uint32_t ended_first; /* EXPIRED and CANCELLED, oldest first */
    uint32_t ended_last;
    uint32_t counts[P2_LEASE_STATES]; /* leases in each state */
    uint64_t granted;                 /* ever */
};

/* Allocates a table. P2_E_NOMEM, P2_E_INVALID (capacity 0 or above 2^24). */
int p2_leases_init(struct p2_leases *table, uint32_t capacity);
void p2_leases_free(struct p2_leases *table);

/* The state after `event`, or P2_LEASE_STATES when the event is not possible in that state. */
enum p2_lease_state p2_lease_next(enum p2_lease_state state, enum p2_lease_event event);

/* Takes a free slot: state OFFERED, a fresh id, everything else zero. P2_E_LIMIT when none is free;
 * the caller may forget the oldest ended lease (p2_leases_oldest) and try again. O(1). */
int p2_lease_grant(struct p2_leases *table, struct p2_lease **ret_lease);

/* Moves a lease and keeps the counts and lists. P2_E_STATE when the table forbids it; nothing
 * changes then. `now_us` becomes started_us with START, ended_us with EXPIRE and CANCEL. RELEASE
 * frees the slot. O(1). */
int p2_lease_move(struct p2_leases *table, struct p2_lease *lease, enum p2_lease_event event,
                  uint64_t now_us);

/* The lease with this id, in any state but FREE; NULL when there is none (any more). O(1). */
struct p2_lease *p2_lease_find(struct p2_leases *table, uint64_t id);

/* Was `id` ever granted? (It may be forgotten since.) O(1). */
bool p2_lease_was_granted(const struct p2_leases *table, uint64_t id);

/* The oldest ended lease, or NULL. O(1). */
struct p2_lease *p2_leases_oldest(struct p2_leases *table);

/* Its place in `items`, and back. */
uint32_t p2_lease_index(const struct p2_leases *table, const struct p2_lease *lease);
struct p2_lease *p2_lease_at(struct p2_leases *table, uint32_t index);

/* Is it one whose result would be accepted? (OFFERED or RUNNING) */
bool p2_lease_is_live(const struct p2_lease *lease);

/* "OFFERED", ... Static. */
const char *p2_lease_state_name(enum p2_lease_state state);

#endif
