/* How much of a helper's work is computed again, and whether there is time for it.
 *
 *   STATE, n < 1,000     in shadow: everything is computed here, its answer only compares
 *   STATE, n >= 1,000    q(n) = max(q_min, min(1, w / (1 + K n)))
 *   VIEW                 applied after its check, audited afterwards at 0.01
 *   cloud helper         q_min, no probation: the host's own machine
 *
 * n counts checked-good tasks of one helper and kernel since its last confirmed lie. With this rule no
 * strategy yields more than K (1 - delta) accepted lies per task (V&T 2.4; the dynamic programme in
 * tests/unit/authority/test-audit.c).
 *
 * The budget is a bucket of own core time, filled at its share of the own cores. A lease reserves the
 * audit time it is expected to owe; what an audit really costs is settled when it was drawn. An audit
 * that is owed is done whatever the bucket says; an empty bucket stops new leases instead.
 * No floating point. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_AUDIT_H
#define P2_AUTHORITY_TRUST_AUDIT_H

#include "base/crypto.h"

#include <stdbool.h>
#include <stdint.h>

/* K in ppb for a kernel whose check catches `delta_ppm` of crafted lies. */
uint64_t p2_audit_k_ppb(uint32_t delta_ppm);

/* q(n) in ppb for STATE work; `weight` 1..10, others count as the nearest. */
uint64_t p2_audit_rate_ppb(uint64_t n, uint8_t weight, uint64_t k_ppb);

/* The draw: true with probability rate_ppb / 1e9, a keyed function of the lease alone, so that it is
 * made once, after the answer, and nobody without `key` can foresee it. */
bool p2_audit_draw(const uint8_t key[P2_KEY_BYTES], uint16_t session, uint64_t task, uint64_t lease,
                   uint64_t rate_ppb);

struct p2_audit_budget {
    uint64_t share_ppm; /* of one core: own cores x share */
    int64_t left_us;    /* negative: owed audits took more than there was */
    int64_t burst_us;   /* at most this is saved up */
    uint64_t filled_us; /* when it was filled last */
    uint64_t rest;      /* of filling, in millionths of a microsecond */
    /* totals since the start, for figures */
    uint64_t audited_us; /* predicted time of all audits drawn */
    uint64_t refused;    /* leases not admitted */
};

/* `cores` own cores of which `share_ppm` may be spent on audits. The bucket starts full. */
void p2_audit_budget_init(struct p2_audit_budget *budget, uint16_t cores, uint32_t share_ppm,
                          uint64_t now_us);

/* Does the bucket allow a lease that is expected to owe `owed_us`? VIEW work may overdraw by a burst,
 * STATE work not at all. Counts refusals; reserves nothing. */
bool p2_audit_budget_allows(struct p2_audit_budget *budget, uint64_t owed_us, bool is_state,
                            uint64_t now_us);

/* A lease went out / ended without a draw: its expected audit time is taken / given back. */
void p2_audit_budget_reserve(struct p2_audit_budget *budget, uint64_t owed_us);
void p2_audit_budget_release(struct p2_audit_budget *budget, uint64_t owed_us);

/* The draw of a lease that had `owed_us` reserved: an audit of `cost_us`, or none (0). */
void p2_audit_budget_settle(struct p2_audit_budget *budget, uint64_t owed_us, uint64_t cost_us);

#endif
