/* Audits by a share, bans at the first lie. */
#include "authority/shell/policy.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int p2_policy_init(struct p2_policy *policy, uint32_t audit_ppm, const struct p2_rng *rng)
{
    memset(policy, 0, sizeof *policy);
    policy->rows = calloc(P2_POLICY_KEYS_MAX, sizeof *policy->rows);
    policy->audit_ppm = audit_ppm;
    p2_rng_split(&policy->rng, rng, "audits", 0);
    return policy->rows == NULL ? P2_E_NOMEM : P2_OK;
}

void p2_policy_free(struct p2_policy *policy)
{
    free(policy->rows);
    policy->rows = NULL;
}

struct p2_policy_row *p2_policy_row(struct p2_policy *policy, const struct p2_id *id)
{
    for (uint32_t i = 0; i < policy->count; i++) {
        if (p2_id_equal(&policy->rows[i].id, id)) {
            return &policy->rows[i];
        }
    }
    if (policy->rows == NULL || policy->count == P2_POLICY_KEYS_MAX) {
        return NULL;
    }
    struct p2_policy_row *row = &policy->rows[policy->count++];
    row->id = *id;
    return row;
}

/* Drawn after the result arrived, so that nobody can know it before. */
static enum p2_verdict decide(void *ctx, const struct p2_verify_case *item)
{
    struct p2_policy *policy = ctx;
    (void)item;
    return p2_rng_chance_ppm(&policy->rng, policy->audit_ppm) ? P2_VERIFY_AUDIT : P2_VERIFY_ACCEPT;
}

struct p2_verify_port p2_policy_port(struct p2_policy *policy)
{
    return (struct p2_verify_port){.decide = decide, .ctx = policy};
}

bool p2_policy_wrong(struct p2_policy *policy, const struct p2_id *id, bool is_recomputed,
                     const char *kernel)
{
    struct p2_policy_row *row = p2_policy_row(policy, id);
    if (is_recomputed) {
        policy->lies_by_recomputation++;
    } else {
        policy->lies_by_check++;
    }
    if (row == NULL) {
        return false;
    }
    row->wrong++;
    if (row->is_banned) {
        return false;
    }
    row->is_banned = true;
    (void)snprintf(row->why, sizeof row->why, "wrong %s, found by %s", kernel,
                   is_recomputed ? "recomputation" : "check");
    return true;
}
