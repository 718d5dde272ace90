/* The grid of the profile `trust`, its figures with their bounds, and its bars. */
#include "tests/sim/trust.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITS_MAX 100000u
#define SEEDS_MAX 100u

/* Mean over seeds with its 95 % half width (normal; 100 seeds of thousands of lives each). */
struct mean {
    double sum, squares;
    uint32_t count;
};

static void add(struct mean *mean, double value)
{
    mean->sum += value;
    mean->squares += value * value;
    mean->count++;
}

static double value_of(const struct mean *mean)
{
    return mean->sum / mean->count;
}

static double half_of(const struct mean *mean)
{
    double average = value_of(mean);
    double variance = mean->squares / mean->count - average * average;
    variance = variance > 0 ? variance * mean->count / (mean->count > 1 ? mean->count - 1 : 1) : 0;
    return 1.96 * sqrt(variance / mean->count);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct figures {
    struct mean overhead, wrong, surviving, profit, bans;
    double wrong_most; /* upper bound: mean + half width, or three events when none happened */
    double p50, p99;   /* tasks from the first lie to the first confirmed one */
};

/* Honest lives of a cell, shared by all its strategies. */
struct base {
    struct tally good[SEEDS_MAX];
    double *cleared[SEEDS_MAX]; /* owned; [helpers] */
};

static void base_open(struct base *base, const struct cell *cell, uint64_t seed)
{
    uint32_t unused = 0;
    memset(base, 0, sizeof *base);
    for (uint32_t i = 0; i < cell->seeds; i++) {
        base->cleared[i] = calloc(cell->helpers, sizeof *base->cleared[i]);
        if (base->cleared[i] == NULL) {
            abort();
        }
        trust_live(cell, &strategy_honest, seed + i, base->cleared[i], &base->good[i], NULL, 0,
                   &unused);
    }
}

static void base_close(struct base *base, const struct cell *cell)
{
    for (uint32_t i = 0; i < cell->seeds; i++) {
        free(base->cleared[i]);
    }
}

/* Liars' lives are simulated by themselves and weighted with their share: rare liars are not waited
 * for (stratified sampling). */
static void measure(const struct cell *cell, const struct strategy *strategy, struct base *base,
                    uint64_t seed, struct figures *ret)
{
    static double waits[WAITS_MAX];
    uint32_t wait_count = 0;
    double tasks = 0;
    *ret = (struct figures){0};
    for (uint32_t i = 0; i < cell->seeds; i++) {
        const struct tally *good = &base->good[i];
        struct tally bad = {0};
        trust_live(cell, strategy, seed + i, base->cleared[i], &bad, waits, WAITS_MAX, &wait_count);
        double c = cell->cheaters;
        tasks += bad.tasks;
        add(&ret->overhead, 1 + (1 - c) * good->audits / good->tasks + c * bad.audits / bad.tasks);
        add(&ret->surviving, c * bad.wrong / bad.tasks);
        add(&ret->wrong, c * (bad.wrong + bad.passing) / bad.tasks);
        add(&ret->profit, bad.profit / bad.hours / 1e9);
        add(&ret->bans, good->bans / good->hours * 1e6);
    }
    double none = 3 * cell->cheaters / tasks;
    ret->wrong_most = value_of(&ret->wrong) + half_of(&ret->wrong);
    ret->wrong_most = ret->wrong_most > none ? ret->wrong_most : none;
    qsort(waits, wait_count, sizeof *waits, compare);
    ret->p50 = wait_count > 0 ? waits[wait_count / 2] : -1;
    ret->p99 = wait_count > 0 ? waits[(uint32_t)(wait_count * 0.99)] : -1;
}

static void print_head(void)
{
    (void)printf("%-26s %9s %8s %9s %9s %9s %8s %9s %10s %9s\n", "strategy", "overhead", "+-",
                 "wrong", "+-", "surviving", "p50", "p99", "profit $/h", "+-");
    (void)printf("%66s %18s\n", "", "tasks to conviction");
}

static void print_row(const char *name, const struct figures *f)
{
    (void)printf("%-26s %9.5f %8.5f %9.2e %9.1e %9.2e %8.0f %9.0f %10.5f %9.5f\n", name,
                 value_of(&f->overhead), half_of(&f->overhead), value_of(&f->wrong),
                 f->wrong_most - value_of(&f->wrong), value_of(&f->surviving), f->p50, f->p99,
                 value_of(&f->profit), half_of(&f->profit));
}

/* The bars at c = 1 %, median life 2 h: overhead, wrong results (18 strategies are judged at once: two half
 * widths; the dynamic programme has the exact bound), profit. */
static bool is_within_bars(const struct figures *f)
{
    return value_of(&f->overhead) + half_of(&f->overhead) <= 1.10 &&
           value_of(&f->wrong) - 2 * half_of(&f->wrong) <= 1e-6 &&
           value_of(&f->profit) + half_of(&f->profit) < 0;
}

static bool show_strategies(const struct cell *cell, uint64_t seed)
{
    static struct base base;
    bool is_good = true;
    base_open(&base, cell, seed);
    (void)printf("\nc=%.1f %% life=%.0f min rate=%.0f/s delta=%.2f late=%.0f %% error=%.0e "
                 "audited after delivery=%.0f %%, %u seeds x %u lives\n",
                 cell->cheaters * 100, cell->life_s / 60, cell->rate, cell->delta, cell->late * 100,
                 cell->error, cell->after * 100, cell->seeds, cell->helpers);
    print_head();
    for (uint32_t i = 0; i < strategy_count; i++) {
        struct figures f;
        measure(cell, &strategies[i], &base, seed, &f);
        print_row(strategies[i].name, &f);
        is_good = is_within_bars(&f) && is_good;
    }
    base_close(&base, cell);
    return is_good;
}

static bool show_optimum(void)
{
    bool is_good = true;
    static const double deltas[] = {0, 0.9, 0.99};
    (void)printf("\nbest possible attacker (dynamic programme over n), fleet share 1 %%\n");
    for (size_t i = 0; i < 3; i++) {
        double k = (double)p2_audit_k_ppb((uint32_t)(deltas[i] * 1e6 + 0.5)) / 1e9;
        double lies = trust_optimum(deltas[i]);
        (void)printf(
            "  delta=%.2f K=%.0e: %.3e lies per task, %.3e of all results (K (1-delta) c = "
            "%.3e)\n",
            deltas[i], k, lies, lies * 0.01, k * (1 - deltas[i]) * 0.01);
        is_good = is_good && lies <= k * (1 - deltas[i]) * (1 + 1e-6);
    }
    return is_good;
}

/* ---- false bans ---------------------------------------------------------------------------------- */

/* Mean tasks between two confirmed faults of an honest helper with `e` mistakes per task: the sum over
 * n of the chance to come that far without one, the product of 1 - e q(i). */
static double mean_gap(double e)
{
    double sum = 0, left = 1, n = 0;
    while (left > 1e-12 && n < 1e15) {
        double step = n < 1e5 ? 1 : floor(n * 1e-4);
        double audits = trust_audits((uint64_t)(n + step), 0) - trust_audits((uint64_t)n, 0);
        sum += left * step;
        left *= exp(log1p(-e * audits / step) * step);
        n += step;
    }
    return sum;
}

/* Bans per helper-hour: a confirmed fault that three more follow within 30 days. An upper bound: each of
 * the three has the whole window. */
static double ban_rate(double e, double rate)
{
    double window = 1 - exp(-e * trust_audits((uint64_t)(rate * (double)P2_CONFIRMED_S), 0));
    return rate * 3600 / mean_gap(e) * window * window * window;
}

static bool show_false_bans(uint64_t seed, uint32_t lives)
{
    bool is_good = true;
    (void)printf("\nfalse bans of honest helpers with e mistakes per task, 60 tasks a second\n");
    static const double errors[] = {1e-2, 1e-3};
    for (size_t i = 0; i < 2; i++) {
        struct cell cell = {.rate = 60, .error = errors[i]};
        struct mean tasks = {0};
        for (uint32_t life = 0; life < lives; life++) {
            add(&tasks, trust_tasks_to_ban(&cell, seed, life));
        }
        double formula = 4 * mean_gap(errors[i]);
        (void)printf("  e=%.0e: banned after %.0f tasks by the formula, %.0f +- %.0f simulated (%u "
                     "lives)\n",
                     errors[i], formula, value_of(&tasks), half_of(&tasks), lives);
        is_good = is_good && fabs(value_of(&tasks) - formula) <= 2 * half_of(&tasks) + 1;
    }
    static const double small[] = {1e-9, 1e-8, 1e-7, 1e-6};
    for (size_t i = 0; i < 4; i++) {
        (void)printf("  e=%.0e: at most %.2e bans per 1e6 helper-hours\n", small[i],
                     ban_rate(small[i], 60) * 1e6);
    }
    double low = 1e-9, high = 1e-4;
    for (int i = 0; i < 40; i++) {
        double middle = sqrt(low * high);
        if (ban_rate(middle, 60) * 1e6 <= 1) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (void)printf("  at most 1 per 1e6 helper-hours up to e=%.2e\n", low);
    return is_good;
}

/* ---- the profile --------------------------------------------------------------------------------- */

static void show_wide_grid(uint64_t seed)
{
    static const double shares[] = {0.001, 0.01, 0.05, 0.2};
    static const double lives_s[] = {1200, 7200};
    static const double deltas[] = {0, 0.9, 0.99};
    static const double lates[] = {0, 0.01, 0.05};
    static const double errors[] = {0, 1e-7, 1e-6, 1e-4};
    static const double rates[] = {10, 60, 600};
    struct cell base = {.rate = 60, .life_s = 7200, .cheaters = 0.01, .helpers = 60, .seeds = 5};
    for (size_t i = 0; i < 24; i++) {
        struct cell cell = base;
        cell.cheaters = shares[i % 4];
        cell.life_s = lives_s[i / 4 % 2];
        cell.delta = deltas[i / 8];
        (void)show_strategies(&cell, seed);
    }
    for (size_t i = 0; i < 36; i++) {
        struct cell cell = base;
        cell.late = lates[i % 3];
        cell.error = errors[i / 3 % 4];
        cell.rate = rates[i / 12];
        (void)show_strategies(&cell, seed);
    }
    base.after = 0.05;
    (void)show_strategies(&base, seed);
}

bool trust_profile(uint64_t seed, bool is_full)
{
    struct cell cell = {.rate = 60,
                        .life_s = 7200,
                        .cheaters = 0.01,
                        .late = 0.01,
                        .helpers = is_full ? 200 : 20,
                        .seeds = is_full ? SEEDS_MAX : 10};
    bool is_optimum = show_optimum();
    bool is_grid = show_strategies(&cell, seed);
    bool is_bans = show_false_bans(seed, is_full ? 4000 : 400);
    bool is_sybils = trust_sybils(seed);
    trust_young(seed);
    bool is_money = trust_self_dealing(seed, is_full ? 100000 : 4000);
    if (is_full) {
        show_wide_grid(seed);
    }
    (void)printf("\nbest attacker %s, grid %s, false bans %s, sybils %s, self-dealing %s\n",
                 is_optimum ? "ok" : "FAILED", is_grid ? "ok" : "FAILED", is_bans ? "ok" : "FAILED",
                 is_sybils ? "ok" : "FAILED", is_money ? "ok" : "FAILED");
    return is_optimum && is_grid && is_bans && is_sybils && is_money;
}
