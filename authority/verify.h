/* The seam of verification: what is done with a result that passed its kernel's check.
 *
 * The core asks once per result, after it arrived and after its check, so that no helper can tell
 * an audited lease from another (research volunteer-and-trust 2.2). Policy (probation, audit rates,
 * the audit budget) belongs to whoever implements the table; the default accepts everything that
 * passed its check. Pure. */
#ifndef P2_AUTHORITY_VERIFY_H
#define P2_AUTHORITY_VERIFY_H

#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_verdict {
    P2_VERIFY_ACCEPT, /* it counts */
    P2_VERIFY_AUDIT, /* own cores compute it too: before it counts where they can in time (then their
                         * result is delivered), else it counts and AUDIT asks for it afterwards */
    P2_VERIFY_RECOMPUTE /* it does not count: own cores compute, its digest is compared (shadow) */
};

/* One result. Borrowed for the call. */
struct p2_verify_case {
    struct p2_id helper;
    uint64_t lease;
    uint64_t task;
    uint16_t session;
    uint8_t kernel;
    uint8_t weight;
    bool is_state; /* else VIEW */
    bool is_cloud;
    bool is_agreed; /* enough replicas of different owners and prefixes are equal */
    uint64_t cost_units;
    uint32_t exec_us; /* predicted time on an own core */
    uint64_t owed_us; /* what `granted` reserved for it */
    uint64_t now_us;
};

/* A lease that could go out. Borrowed for the call. */
struct p2_verify_ask {
    struct p2_id helper;
    uint8_t kernel;
    uint8_t weight;
    bool is_state;
    bool is_cloud;
    uint32_t exec_us; /* predicted time on an own core */
    uint64_t now_us;
};

/* NULL functions are the default: everything is admitted and accepted, nothing reserved. */
struct p2_verify_port {
    enum p2_verdict (*decide)(void *ctx, const struct p2_verify_case *item);
    /* May this helper get a lease of this kernel now, or would its audits not fit the budget? Asked
     * while placing, possibly often; changes nothing but counters. */
    bool (*admit)(void *ctx, const struct p2_verify_ask *ask);
    /* The lease went out: the audit time it will owe, reserved. Kept with the lease. */
    uint64_t (*granted)(void *ctx, const struct p2_verify_ask *ask);
    /* It ended without `decide`: the reservation is given back. */
    void (*released)(void *ctx, uint64_t owed_us);
    void *ctx;
};

enum p2_verdict p2_verify_decide(const struct p2_verify_port *port,
                                 const struct p2_verify_case *item);
bool p2_verify_admit(const struct p2_verify_port *port, const struct p2_verify_ask *ask);
uint64_t p2_verify_granted(const struct p2_verify_port *port, const struct p2_verify_ask *ask);
void p2_verify_released(const struct p2_verify_port *port, uint64_t owed_us);

#endif
