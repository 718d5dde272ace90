/* Audit rates, the draw, the budget. */
#include "authority/trust/audit.h"

#include "authority/trust/limits.h"
#include "base/buf.h"

#define MILLION UINT64_C(1000000)
/* n beyond which q is q_min for every K: keeps the product below 2^63. */
#define N_MAX UINT64_C(10000000000)

uint64_t p2_audit_k_ppb(uint32_t delta_ppm)
{
    uint64_t delta = delta_ppm < P2_AUDIT_DELTA_MAX_PPM ? delta_ppm : P2_AUDIT_DELTA_MAX_PPM;
    return P2_AUDIT_K_PPB * MILLION / (MILLION - delta);
}

/* w / (1 + K n) with everything in billionths: w 1e9 1e9 / (1e9 + K_ppb n). */
uint64_t p2_audit_rate_ppb(uint64_t n, uint8_t weight, uint64_t k_ppb)
{
    uint64_t w = weight < 1 ? 1 : weight > P2_AUDIT_WEIGHT_MAX ? P2_AUDIT_WEIGHT_MAX : weight;
    uint64_t count = n < N_MAX ? n : N_MAX;
    uint64_t below = P2_PPB + k_ppb * count;
    uint64_t above = w * P2_PPB * P2_PPB;
    uint64_t q = above / below + (above % below != 0 ? 1 : 0); /* never less than the rule says */
    return q > P2_PPB ? P2_PPB : q < P2_AUDIT_MIN_PPB ? P2_AUDIT_MIN_PPB : q;
}

bool p2_audit_draw(const uint8_t key[P2_KEY_BYTES], uint16_t session, uint64_t task, uint64_t lease,
                   uint64_t rate_ppb)
{
    if (rate_ppb >= P2_PPB) {
        return true;
    }
    uint8_t context[18];
    p2_store_be16(context, session);
    p2_store_be64(context + 2, task);
    p2_store_be64(context + 10, lease);
    uint8_t out[P2_KEY_BYTES];
    p2_derive_key(out, key, "p2c2r audit draw v1", p2_span(context, sizeof context));
    return p2_load_be64(out) / (UINT64_MAX / P2_PPB) < rate_ppb;
}

/* ---- budget ------------------------------------------------------------------------------------ */

void p2_audit_budget_init(struct p2_audit_budget *budget, uint16_t cores, uint32_t share_ppm,
                          uint64_t now_us)
{
    *budget = (struct p2_audit_budget){
        .share_ppm = (uint64_t)cores * share_ppm,
        .filled_us = now_us,
    };
    budget->burst_us = (int64_t)(budget->share_ppm * P2_AUDIT_BURST_US / MILLION);
    budget->left_us = budget->burst_us;
}

static void fill(struct p2_audit_budget *budget, uint64_t now_us)
{
    if (now_us <= budget->filled_us) {
        return;
    }
    uint64_t passed = now_us - budget->filled_us;
    budget->filled_us = now_us;
    /* A pause that long fills whatever is missing; and the product stays small. */
    if (passed > UINT64_C(3600) * MILLION) {
        passed = UINT64_C(3600) * MILLION;
    }
    uint64_t more = passed * budget->share_ppm + budget->rest;
    budget->rest = more % MILLION;
    budget->left_us += (int64_t)(more / MILLION);
    if (budget->left_us > budget->burst_us) {
        budget->left_us = budget->burst_us;
    }
}

bool p2_audit_budget_allows(struct p2_audit_budget *budget, uint64_t owed_us, bool is_state,
                            uint64_t now_us)
{
    fill(budget, now_us);
    /* What is larger than the whole bucket goes out when the bucket is full. */
    int64_t owed = owed_us < (uint64_t)budget->burst_us ? (int64_t)owed_us : budget->burst_us;
    int64_t floor = is_state ? 0 : -budget->burst_us;
    bool is_allowed = budget->burst_us > 0 && budget->left_us - owed >= floor;
    budget->refused += is_allowed ? 0 : 1;
    return is_allowed;
}

void p2_audit_budget_reserve(struct p2_audit_budget *budget, uint64_t owed_us)
{
    budget->left_us -= (int64_t)owed_us;
}

void p2_audit_budget_release(struct p2_audit_budget *budget, uint64_t owed_us)
{
    budget->left_us += (int64_t)owed_us;
}

void p2_audit_budget_settle(struct p2_audit_budget *budget, uint64_t owed_us, uint64_t cost_us)
{
    budget->left_us += (int64_t)owed_us - (int64_t)cost_us;
    budget->audited_us += cost_us;
}
