/* The authority's policy of trust, in the one place that a better one replaces: which accepted
 * results are recomputed, what is remembered of a key, who is banned. A wrong result bans its key for
 * as long as the process lives. Pure but for memory. Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_POLICY_H
#define P2_AUTHORITY_SHELL_POLICY_H

#include "authority/verify.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* Keys that are remembered. Chosen: the core's standings hold four times its helpers. */
#define P2_POLICY_KEYS_MAX 4096u

struct p2_policy_row {
    struct p2_id id;
    bool is_banned;
    bool is_admitted; /* ever */
    uint64_t leases;  /* sent */
    uint64_t done;    /* results that passed their check */
    uint64_t wrong;   /* found by check or recomputation */
    uint64_t late;
    uint64_t strikes;
    char why[64]; /* of the ban */
};

struct p2_policy {
    struct p2_policy_row *rows; /* owned */
    uint32_t count;
    uint32_t audit_ppm;
    uint32_t admitted; /* keys that were ever admitted */
    struct p2_rng rng; /* draws audits: fresh randomness, never a game's */
    uint64_t lies_by_check;
    uint64_t lies_by_recomputation;
    uint64_t audits; /* with a verdict */
};

/* P2_E_NOMEM. A stream is split from `rng`. */
int p2_policy_init(struct p2_policy *policy, uint32_t audit_ppm, const struct p2_rng *rng);
void p2_policy_free(struct p2_policy *policy);

/* The row of a key, made when it is new; NULL when there is no room. Borrowed until the next call. */
struct p2_policy_row *p2_policy_row(struct p2_policy *policy, const struct p2_id *id);

/* For the core. */
struct p2_verify_port p2_policy_port(struct p2_policy *policy);

/* A result was wrong. True when the key is banned by it. */
bool p2_policy_wrong(struct p2_policy *policy, const struct p2_id *id, bool is_recomputed,
                     const char *kernel);

#endif
