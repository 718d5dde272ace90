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
    P2_VERIFY_ACCEPT,   /* it counts */
    P2_VERIFY_AUDIT,    /* it counts, and AUDIT asks for a recomputation afterwards */
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
};

struct p2_verify_port {
    enum p2_verdict (*decide)(void *ctx, const struct p2_verify_case *item); /* NULL: the default */
    void *ctx;
};

enum p2_verdict p2_verify_decide(const struct p2_verify_port *port,
                                 const struct p2_verify_case *item);

#endif
