/* Placement: which helper gets a task (DESIGN 9, research volunteer-and-trust 2.6).
 *
 * Expected completion = round trip + wait behind the helper's other leases + time on its core + how
 * much later than that it usually answers; all measured by the authority. The 95th percentile adds
 * twice the mean deviation of that error (of a normal distribution: 2.06 times). A helper qualifies for a task when
 *   - it may work, offers the kernel, has credit, and is not tied to a player of the session;
 *   - its round trip suits the class;
 *   - its 95th percentile is before the task's latest time (deadline-aware);
 *   - it shares no owner and no prefix with a live lease of the same task;
 *   - it holds the task's contents;
 *   - the audits it will owe fit the budget (verify.h).
 * Of those, the least expected completion divided by availability wins (classes with slack leave near
 * helpers to C1), among helpers whose owner
 * and prefix stay at or below 25 % of the session's leases in flight; if there is none, among all.
 *
 * A session chooses among an active set: the best P2_PLACEMENT_ACTIVE of all helpers and a few that
 * were not measured lately, picked again every P2_ROTATE_US. So one choice costs the same with ten
 * and with a thousand helpers. Thread: one. */
#ifndef P2_AUTHORITY_PLACEMENT_H
#define P2_AUTHORITY_PLACEMENT_H

#include "authority/helper.h"
#include "authority/verify.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_task_class {
    P2_CLASS_C0, /* authority only */
    P2_CLASS_C1, /* frame-critical */
    P2_CLASS_C2, /* 5-30 frames of slack */
    P2_CLASS_C3  /* seconds */
};
#define P2_TASK_CLASSES 4

/* A session's leases in flight, in all and per owner or prefix. */
struct p2_share {
    uint16_t *by_group; /* owned; by number of the group */
    uint32_t total;
};

struct p2_placement {
    struct p2_share share;
    struct p2_rng rng;                    /* for sampling; never decides what is audited */
    uint32_t active[P2_PLACEMENT_ACTIVE]; /* peers */
    uint32_t active_count;
    uint64_t rotated_us; /* 0: never */
    bool is_audit_bound; /* the last choice failed for want of audit time alone */
    uint16_t session;
};

/* What is to be placed. Everything is borrowed. */
struct p2_placement_request {
    uint8_t kernel;
    enum p2_task_class class;
    bool cloud;   /* the host's own machines instead of peers */
    bool explore; /* prefer the least measured qualified helper */
    uint64_t cost_units;
    uint64_t latest_us;   /* the result must be here by then */
    const uint64_t *keys; /* contents, keys[key_count] */
    uint32_t key_count;
    const uint32_t *avoid; /* peers that were tried or have a lease, avoid[avoid_count] */
    uint32_t avoid_count;
    const struct p2_verify_port *verify; /* who may have it while its audits fit; NULL: everybody */
    uint8_t weight;
    bool is_state;
    uint32_t local_us; /* predicted time on an own core */
};

struct p2_placement_choice {
    uint32_t peer;
    uint32_t expected_us; /* from now: round trip, wait, core */
    uint32_t likely_us;   /* the same with the usual error */
    uint32_t p95_us;      /* from now */
    uint32_t exec_us;     /* on its core */
    bool lacks_contents;  /* nobody qualified only for want of contents: this one should get them */
};

/* Keeps nothing of `rng`: a child stream is split from it. P2_E_NOMEM. */
int p2_placement_init(struct p2_placement *placement, const struct p2_helpers *helpers,
                      uint16_t session, const struct p2_rng *rng);
void p2_placement_free(struct p2_placement *placement);

/* Picks the active set again. O(helpers). */
void p2_placement_rotate(struct p2_placement *placement, struct p2_helpers *helpers,
                         uint64_t now_us);

/* P2_E_NOENT: nobody suits kernel, class and session at all; P2_E_AGAIN: somebody does, but not in
 * time or without credit. O(active set). */
int p2_placement_choose(struct p2_placement *placement, struct p2_helpers *helpers,
                        const struct p2_placement_request *request, uint64_t now_us,
                        struct p2_placement_choice *ret_choice);

/* A lease of this session is in flight on / gone from `helper`. */
void p2_share_add(struct p2_share *share, const struct p2_helper *helper);
void p2_share_remove(struct p2_share *share, const struct p2_helper *helper);

/* Would one more lease keep the helper's owner and prefix at or below their share? */
bool p2_share_allows(const struct p2_share *share, const struct p2_helper *helper);

/* Longest round trip for a class, in microseconds; 0 for C0. */
uint32_t p2_class_rtt_us(enum p2_task_class class);

/* Do the two count as one party? (same owner or same prefix) */
bool p2_helpers_related(const struct p2_helper *a, const struct p2_helper *b);

#endif
