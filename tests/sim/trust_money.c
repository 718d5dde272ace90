/* Self-dealing: one person with own gamers and own helpers, undetected by the rules of conflict, against
 * the production ledger in funded mode. Random strategies; the best outcome counts. */
#include "tests/sim/trust.h"

#include <stdio.h>
#include <stdlib.h>

#define GAMERS_MAX  8u
#define HELPERS_MAX 8u
#define START_S     1700000000u

/* One strategy, drawn. */
struct plan {
    uint32_t gamers, helpers, strangers;
    uint64_t seconds; /* of play */
    uint64_t
        units_per_s; /* work one own gamer causes a second; more than honest play, if he likes */
    uint64_t stranger_units; /* the same of everybody else */
    uint32_t share_ppm;      /* of the work that his helpers get */
    uint64_t price_nd_m;
    uint64_t credit_nd; /* each of his gamers pays in */
    uint64_t leaves_s;  /* his gamers leave then */
    bool lies;          /* his helpers are caught once, at the end */
};

static void draw(struct p2_rng *rng, struct plan *plan, bool has_strangers)
{
    plan->gamers = 1 + (uint32_t)p2_rng_below(rng, GAMERS_MAX);
    plan->helpers = 1 + (uint32_t)p2_rng_below(rng, HELPERS_MAX);
    plan->strangers = has_strangers ? 1 + (uint32_t)p2_rng_below(rng, GAMERS_MAX) : 0;
    plan->seconds = 60 + p2_rng_below(rng, 4 * 3600);
    plan->units_per_s = p2_rng_below(rng, 4000000);
    plan->stranger_units = p2_rng_below(rng, 66667);
    plan->share_ppm = (uint32_t)p2_rng_below(rng, 1000001);
    plan->price_nd_m = p2_rng_below(rng, 4 * P2_PRICE_HELPER_ND_M);
    plan->credit_nd = 1 + p2_rng_below(rng, 8 * P2_PRICE_GAMER_ND_H);
    plan->leaves_s = p2_rng_below(rng, plan->seconds + 1);
    plan->lies = p2_rng_chance_ppm(rng, 100000);
}

static struct p2_id key_of(uint8_t kind, uint32_t index)
{
    struct p2_id id = {{0}};
    id.bytes[0] = kind;
    id.bytes[16] = kind;
    id.bytes[23] = (uint8_t)index;
    return id;
}

static int64_t value_of(const struct p2_ledger *ledger, uint32_t helpers)
{
    int64_t value = 0;
    for (uint32_t i = 0; i < helpers; i++) {
        struct p2_id id = key_of(2, i);
        const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_HELPER, &id);
        value += account == NULL ? 0 : account->balance_nd + account->held_nd;
    }
    return value;
}

/* Plays the plan in steps of 30 s; what his helpers have (held pay counted as his) minus what his gamers
 * paid. */
static int64_t play(const struct plan *plan)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entries[2];
    struct p2_session_limits limits = {.budget_nd_h = UINT64_MAX};
    struct p2_id session = key_of(9, 0);
    uint32_t count;
    if (p2_ledger_init(&ledger, P2_PAY_FUNDED, P2_PRICE_GAMER_ND_H) != P2_OK) {
        abort();
    }
    (void)p2_ledger_credit(&ledger, NULL, P2_ND_PER_DOLLAR * 1000u, START_S, &entries[0]);
    for (uint32_t g = 0; g < plan->gamers + plan->strangers; g++) {
        struct p2_id gamer = key_of(g < plan->gamers ? 1 : 3, g);
        (void)p2_ledger_credit(&ledger, &gamer,
                               g < plan->gamers ? plan->credit_nd : P2_ND_PER_DOLLAR, START_S,
                               &entries[0]);
    }
    int64_t paid = 0;
    for (uint64_t s = 0; s < plan->seconds; s += 30) {
        uint64_t units = 0;
        for (uint32_t g = 0; g < plan->gamers + plan->strangers; g++) {
            bool is_his = g < plan->gamers;
            struct p2_id gamer = key_of(is_his ? 1 : 3, g);
            if ((!is_his || s < plan->leaves_s) &&
                p2_ledger_charge(&ledger, &gamer, &session, 30, START_S + s, &entries[0]) ==
                    P2_OK) {
                paid += is_his ? (int64_t)entries[0].amount_nd : 0;
                units += 30 * (is_his ? plan->units_per_s : plan->stranger_units);
            }
        }
        for (uint32_t h = 0; h < plan->helpers; h++) {
            struct p2_id helper = key_of(2, h);
            uint64_t part = units / plan->helpers * plan->share_ppm / 1000000u;
            (void)p2_ledger_earn(&ledger, &helper, &session, part < P2_EARN_UNITS_MAX ? part : 0, 1,
                                 plan->price_nd_m, &limits, START_S + s, entries, &count);
        }
    }
    if (plan->lies) {
        static const uint8_t digest[P2_DIGEST_BYTES];
        struct p2_id helper = key_of(2, 0);
        (void)p2_ledger_forfeit(&ledger, &helper, 1, digest, START_S + plan->seconds, &entries[0]);
    }
    if (p2_ledger_sum_nd(&ledger) != 0) {
        abort();
    }
    int64_t net = value_of(&ledger, plan->helpers) - paid;
    p2_ledger_free(&ledger);
    return net;
}

/* The best plan of random ones, each then improved by small changes. */
static int64_t search(struct p2_rng *rng, uint32_t tries, bool has_strangers, struct plan *ret_best)
{
    int64_t best = INT64_MIN;
    for (uint32_t i = 0; i < tries; i++) {
        struct plan plan;
        draw(rng, &plan, has_strangers);
        if (i % 2 == 1) { /* near the best so far: one part of it anew */
            struct plan other = *ret_best;
            switch (p2_rng_below(rng, 5)) {
            case 0:
                other.units_per_s = plan.units_per_s;
                break;
            case 1:
                other.share_ppm = 1000000;
                break;
            case 2:
                other.credit_nd = plan.credit_nd;
                break;
            case 3:
                other.leaves_s = plan.leaves_s < other.seconds ? plan.leaves_s : other.seconds;
                break;
            default:
                other.lies = false;
                break;
            }
            plan = other;
        }
        int64_t net = play(&plan);
        if (net > best) {
            best = net;
            *ret_best = plan;
        }
    }
    return best;
}

bool trust_self_dealing(uint64_t seed, uint32_t tries)
{
    struct p2_rng rng;
    struct plan best;
    p2_rng_init_u64(&rng, seed, "money");
    int64_t alone = search(&rng, tries, false, &best);
    (void)printf("\nself-dealing, %u strategies: best net of own gamers + own helpers %lld nd\n",
                 tries, (long long)alone);
    int64_t mixed = search(&rng, tries / 10, true, &best);
    (void)printf(
        "  among %u strangers who pay: helpers earned %lld nd more than his %u gamers paid (the "
        "strangers' money, for work that was done; caused by %llu units a second of his)\n",
        best.strangers, (long long)mixed, best.gamers, (unsigned long long)best.units_per_s);
    return alone <= 0;
}
