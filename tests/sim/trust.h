/* The profile `trust` of p2c2r-sim: the production policy of audits, reputation and money against
 * strategies of liars. Floating point is for figures only; what is judged is judged by the policy. */
#ifndef P2_TESTS_SIM_TRUST_H
#define P2_TESTS_SIM_TRUST_H

#include "authority/trust/ledger.h"
#include "authority/trust/trust.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

enum lie_kind {
    LIE_NEVER,
    LIE_CONSTANT,  /* each task with chance `chance` */
    LIE_WAIT,      /* honest until n reaches `wait`, then each task */
    LIE_ON_OFF,    /* one tenth of its time each task, else none */
    LIE_CRITICAL,  /* only tasks of weight 10, one in a hundred */
    LIE_FREE_RIDE, /* half of the tasks answered from a cache, nothing computed */
    LIE_COPY,      /* replicated tasks: copies its accomplice's wrong answer where it meets one */
    LIE_COLLUDE,   /* replicated tasks: every partner is an accomplice */
    LIE_FARM,      /* a million tasks of a cheap kernel first, then lies on a dear one */
    LIE_OPTIMAL /* honest until probation is over, then each task, as a new identity when caught */
};

struct strategy {
    const char *name;
    enum lie_kind kind;
    double chance;
    uint64_t wait;
    double accomplice;    /* chance that a replica's partner belongs to the same liar */
    bool is_whitewashing; /* comes back as somebody new at once when caught */
};

extern const struct strategy strategy_honest;
extern const struct strategy strategies[];
extern const uint32_t strategy_count;

/* One cell of the grid. */
struct cell {
    double rate;      /* tasks a second */
    double life_s;    /* median of the log-normal lifetimes, sigma 1 */
    double cheaters;  /* share of tasks done by liars */
    double error;     /* honest mistakes per task */
    double late;      /* share of replies that come late */
    double delta;     /* share of crafted lies the check catches, credited to the kernel as well */
    double after;     /* share of audits that own cores cannot make before the result is due */
    uint32_t helpers; /* lives per seed and kind */
    uint32_t seeds;
};

/* What lives of one kind came to. */
struct tally {
    double tasks;
    double audits;  /* recomputations, in tasks */
    double wrong;   /* wrong results that stayed */
    double passing; /* wrong results that were delivered and corrected within 200 ms */
    double lies;
    double caught;
    double bans;
    double hours;
    double profit; /* nano-dollars beyond what an honest machine earned in the same time */
};

/* Lives `cell->helpers` helpers of `strategy`; adds to the tally. honest[cell->helpers]: what an honest
 * machine clears in the same times: filled by strategy_honest, read by the others. `waits` collects the tasks from the
 * first lie to the first confirmed one, waits[wait_max]. */
void trust_live(const struct cell *cell, const struct strategy *strategy, uint64_t seed,
                double *honest, struct tally *ret_tally, double *waits, uint32_t wait_max,
                uint32_t *ret_waits);

/* Tasks an honest helper with cell->error mistakes per task does before its first ban. */
double trust_tasks_to_ban(const struct cell *cell, uint64_t seed, uint64_t index);

/* The most unaudited lies per task that any strategy gets, by dynamic programming over n (V&T 2.4). */
double trust_optimum(double delta);

/* Expected audits of the first n tasks of a kernel: the sum of the rates. */
double trust_audits(uint64_t n, double delta);

/* Runs the profile. False when a bar that must hold does not. */
bool trust_profile(uint64_t seed, bool is_full);

/* Admission under load, and young fleets (trust_load.c). */
bool trust_sybils(uint64_t seed);
void trust_young(uint64_t seed);

/* Own gamer and own helper (trust_money.c): the best outcome of a search, in nano-dollars. */
bool trust_self_dealing(uint64_t seed, uint32_t tries);

#endif
