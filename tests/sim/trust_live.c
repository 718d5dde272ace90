/* Lives of helpers under the production policy. Honest stretches are skipped in one step (the policy is
 * told how many tasks were good, audits enter as the sum of the production rates); every lie is one real
 * decision, one real draw and one real judgement. */
#include "tests/sim/trust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNITS    1000u /* cost of a task: 1 ms */
#define PUZZLE_S 8.0   /* DESIGN 6: an identity costs about that */
#define LEDGER_S 60.0  /* work is posted that often here */
#define CHEAP    1     /* kernel numbers */
#define DEAR     0
#define RATES    4194304u
#define START_S  1700000000.0

const struct strategy strategy_honest = {"honest", LIE_NEVER, 0, 0, 0, false};

const struct strategy strategies[] = {
    {"always", LIE_CONSTANT, 1, 0, 0, false},
    {"always, whitewashing", LIE_CONSTANT, 1, 0, 0, true},
    {"one in 10", LIE_CONSTANT, 0.1, 0, 0, true},
    {"one in 100", LIE_CONSTANT, 0.01, 0, 0, true},
    {"one in 1,000", LIE_CONSTANT, 1e-3, 0, 0, true},
    {"one in 10,000", LIE_CONSTANT, 1e-4, 0, 0, true},
    {"wait 1,000", LIE_WAIT, 1, 1000, 0, true},
    {"wait 10,000", LIE_WAIT, 1, 10000, 0, true},
    {"wait 100,000", LIE_WAIT, 1, 100000, 0, true},
    {"wait 100,000, staying", LIE_WAIT, 1, 100000, 0, false},
    {"wait 1,000,000", LIE_WAIT, 1, 1000000, 0, true},
    {"on one tenth, off", LIE_ON_OFF, 1, 0, 0, true},
    {"high criticality only", LIE_CRITICAL, 0.01, 10000, 0, true},
    {"free ride", LIE_FREE_RIDE, 0.5, 1000, 0, false},
    {"digest copy", LIE_COPY, 1, 10000, 0.1, true},
    {"collude, eclipsed", LIE_COLLUDE, 1, 10000, 1, true},
    {"farm cheap, lie on dear", LIE_FARM, 1, 0, 0, true},
    {"optimal", LIE_OPTIMAL, 1, P2_PROBATION_TASKS, 0, true},
};
const uint32_t strategy_count = sizeof strategies / sizeof strategies[0];

/* ---- expected audits ----------------------------------------------------------------------------- */

/* Sums of the production rates, one table per delta. */
static const double *rate_sums(double delta)
{
    static double *tables[3];
    static double deltas[3];
    static int used;
    for (int i = 0; i < used; i++) {
        if (deltas[i] == delta) {
            return tables[i];
        }
    }
    int at = used < 3 ? used++ : 2;
    if (tables[at] == NULL) {
        tables[at] = malloc((RATES + 1) * sizeof **tables);
        if (tables[at] == NULL) {
            abort();
        }
    }
    deltas[at] = delta;
    uint64_t k = p2_audit_k_ppb((uint32_t)(delta * 1e6 + 0.5));
    tables[at][0] = 0;
    for (uint32_t n = 0; n < RATES; n++) {
        double rate = n < P2_PROBATION_TASKS ? 1 : (double)p2_audit_rate_ppb(n, 1, k) / 1e9;
        tables[at][n + 1] = tables[at][n] + rate;
    }
    return tables[at];
}

double trust_audits(uint64_t n, double delta)
{
    const double *sums = rate_sums(delta);
    if (n <= RATES) {
        return sums[n];
    }
    /* K n is above 400 here for every K in use: the integral is exact to a millionth. */
    double k = (double)p2_audit_k_ppb((uint32_t)(delta * 1e6 + 0.5)) / 1e9;
    double least = (double)P2_AUDIT_MIN_PPB / 1e9;
    double floor_n = (1 / least - 1) / k;
    double to = (double)n < floor_n ? (double)n : floor_n;
    double sum = sums[RATES];
    if (to > RATES) {
        sum += (log1p(k * to) - log1p(k * RATES)) / k;
    }
    double from = to > RATES ? to : RATES;
    return sum + ((double)n - from) * least;
}

double trust_optimum(double delta)
{
    /* V(n) = max(honest, lie) with the price `g` per task; the right g makes V(0) zero. Beyond `top`
     * the rate is constant and lying for ever is best. */
    uint64_t k = p2_audit_k_ppb((uint32_t)(delta * 1e6 + 0.5));
    uint32_t top = (uint32_t)((1e9 / (double)P2_AUDIT_MIN_PPB - 1) / ((double)k / 1e9)) + 1;
    double low = 0, high = 2 * (double)k / 1e9 * (1 - delta);
    for (int round = 0; round < 30; round++) {
        double g = (low + high) / 2;
        double q = (double)P2_AUDIT_MIN_PPB / 1e9;
        double pass = (1 - delta) * (1 - q);
        double value = (pass - g) / (1 - pass);
        value = value > 0 ? value : 0;
        for (uint32_t n = top; n > P2_PROBATION_TASKS; n--) {
            q = (double)p2_audit_rate_ppb(n - 1, 1, k) / 1e9;
            pass = (1 - delta) * (1 - q);
            double lie = -g + pass * (1 + value);
            double honest = -g + value;
            value = lie > honest ? lie : honest;
        }
        value -= g * P2_PROBATION_TASKS;
        if (value > 0) {
            low = g;
        } else {
            high = g;
        }
    }
    return high;
}

/* ---- one life ------------------------------------------------------------------------------------ */

struct life {
    const struct cell *cell;
    const struct strategy *strategy;
    struct p2_trust trust;
    struct p2_verify_port port;
    struct p2_ledger ledger;
    struct p2_rng rng;
    uint8_t key[P2_KEY_BYTES];
    struct p2_id id;
    uint64_t identities;
    uint64_t lease;
    double now_s;
    double end_s;
    double unposted; /* tasks */
    double posted_s;
    double tasks;
    double audits;
    uint64_t first_lie; /* in tasks, of this identity */
    bool has_lied;
    struct tally *tally;
    double *waits;
    uint32_t wait_max;
    uint32_t *wait_count;
    double computed_less; /* tasks whose computing was saved */
    bool stops_at_ban;
};

static double uniform(struct p2_rng *rng)
{
    return ((double)(p2_rng_u64(rng) >> 11) + 0.5) / 9007199254740992.0;
}

static bool chance(struct p2_rng *rng, double p)
{
    return uniform(rng) < p;
}

/* Tasks before the next event of chance p each. */
static double skip(struct p2_rng *rng, double p)
{
    return p >= 1 ? 0 : p <= 0 ? 1e18 : floor(log(uniform(rng)) / log1p(-p));
}

static void become_somebody(struct life *life)
{
    p2_rng_bytes(&life->rng, life->id.bytes, sizeof life->id.bytes);
    life->identities++;
    life->has_lied = false;
}

static void clock_to(struct life *life, double now_s)
{
    life->now_s = now_s;
    p2_trust_clock(&life->trust, (uint64_t)(now_s * 1e6), (uint64_t)now_s);
}

static void post(struct life *life)
{
    struct p2_session_limits limits = {0};
    struct p2_id session = {{1}};
    struct p2_ledger_entry entries[2];
    uint32_t count;
    uint64_t tasks = (uint64_t)life->unposted;
    uint64_t now_s = (uint64_t)life->now_s;
    if (tasks > 0 &&
        p2_ledger_earn(&life->ledger, &life->id, &session, tasks * UNITS, tasks,
                       P2_PRICE_HELPER_ND_M, &limits, now_s, entries, &count) == P2_OK) {
        life->unposted -= (double)tasks;
    }
    while (p2_ledger_clear(&life->ledger, &life->id, now_s, &entries[0]) == P2_OK) {
        struct p2_trust_event event = {
            .type = P2_TRUST_CLEARED, .helper = life->id, .tasks = entries[0].tasks};
        struct p2_trust_effect effects[P2_TRUST_EFFECTS_MAX];
        (void)p2_trust_hear(&life->trust, &event, effects);
    }
    life->posted_s = life->now_s;
}

/* `count` tasks without a lie. */
static void be_honest(struct life *life, uint8_t kernel, double count)
{
    while (count >= 1) {
        double most = floor((life->posted_s + LEDGER_S - life->now_s) * life->cell->rate) + 1;
        double some = count < most ? floor(count) : most;
        struct p2_reputation *rep = p2_trust_record(&life->trust, &life->id);
        uint64_t n = rep->kernels[kernel].n;
        double audits = trust_audits(n + (uint64_t)some, life->cell->delta) -
                        trust_audits(n, life->cell->delta);
        life->tally->audits += audits * (1 - life->cell->late);
        life->tally->tasks += some;
        life->tasks += some;
        p2_reputation_good(rep, kernel, (uint64_t)some, false);
        life->unposted += some * (1 - life->cell->late);
        clock_to(life, life->now_s + some / life->cell->rate);
        if (life->now_s >= life->posted_s + LEDGER_S) {
            post(life);
        }
        count -= some;
    }
}

/* The policy was told; the consequences. */
static void suffer(struct life *life, const struct p2_trust_event *event)
{
    struct p2_trust_effect effects[P2_TRUST_EFFECTS_MAX];
    uint32_t count = p2_trust_hear(&life->trust, event, effects);
    double until_s = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (effects[i].type == P2_TRUST_FORFEIT) {
            struct p2_ledger_entry entry;
            post(life);
            (void)p2_ledger_forfeit(&life->ledger, &life->id, event->lease, event->expected,
                                    (uint64_t)life->now_s, &entry);
        } else if (effects[i].type == P2_TRUST_BAN) {
            life->tally->bans++;
            until_s =
                effects[i].until_s == P2_BAN_FOR_GOOD ? life->end_s : (double)effects[i].until_s;
        }
    }
    bool is_confirmed = event->type == P2_TRUST_AUDITED;
    if (is_confirmed && life->has_lied) {
        life->tally->caught++;
        if (*life->wait_count < life->wait_max) {
            life->waits[(*life->wait_count)++] = life->tasks - (double)life->first_lie;
        }
        life->has_lied = false;
    }
    if (is_confirmed && life->strategy->is_whitewashing) {
        become_somebody(life);
        clock_to(life, life->now_s + PUZZLE_S);
    } else if (until_s > life->now_s) {
        clock_to(life, until_s < life->end_s ? until_s : life->end_s);
        (void)p2_reputation_is_banned(p2_trust_record(&life->trust, &life->id),
                                      (uint64_t)life->now_s);
    }
}

static bool meets_honest_partner(struct life *life)
{
    bool is_replicated = life->strategy->kind == LIE_COPY || life->strategy->kind == LIE_COLLUDE;
    return is_replicated && !chance(&life->rng, life->strategy->accomplice);
}

/* One wrong result: the kernel's check, the partner, the draw. */
static void lie(struct life *life, uint8_t kernel, uint8_t weight, bool is_honest_error)
{
    struct tally *tally = life->tally;
    struct p2_trust_event event = {.helper = life->id, .lease = ++life->lease, .kernel = kernel};
    if (!life->has_lied) {
        life->has_lied = true;
        life->first_lie = (uint64_t)life->tasks;
    }
    tally->lies++;
    tally->tasks++;
    life->tasks++;
    life->unposted += 1;
    life->computed_less += is_honest_error ? 0 : 1;
    clock_to(life, life->now_s + 1 / life->cell->rate);
    event.type = P2_TRUST_AUDITED;
    if (chance(&life->rng, life->cell->delta)) {
        event.type = P2_TRUST_REFUSED;
        suffer(life, &event);
        event.type = P2_TRUST_AUDITED; /* recomputed: it differs, outside the bounds */
        tally->audits++;
        suffer(life, &event);
        return;
    }
    event.is_inside = true;
    if (meets_honest_partner(life)) {
        tally->audits++;
        suffer(life, &event);
        return;
    }
    struct p2_verify_case item = {
        .helper = life->id,
        .lease = event.lease,
        .task = (uint64_t)life->tasks,
        .kernel = kernel,
        .weight = weight,
        .is_state = true,
        .cost_units = UNITS,
        .exec_us = UNITS,
        .now_us = (uint64_t)(life->now_s * 1e6),
    };
    enum p2_verdict verdict = life->port.decide(life->port.ctx, &item);
    if (verdict == P2_VERIFY_ACCEPT) {
        tally->wrong++;
        return;
    }
    tally->audits++;
    if (verdict == P2_VERIFY_AUDIT && chance(&life->rng, life->cell->after)) {
        tally->passing++;
    }
    suffer(life, &event);
}

/* Honest tasks before the next lie, by the strategy; what weight it has. */
static double plan(struct life *life, uint8_t kernel, uint8_t *ret_weight)
{
    const struct strategy *strategy = life->strategy;
    uint64_t n = p2_trust_record(&life->trust, &life->id)->kernels[kernel].n;
    double waiting = n < strategy->wait ? (double)(strategy->wait - n) : 0;
    double tenth = fmod(life->tasks, 10000);
    *ret_weight = strategy->kind == LIE_CRITICAL ? 10 : 1;
    switch (strategy->kind) {
    case LIE_NEVER:
        return skip(&life->rng, life->cell->error);
    case LIE_ON_OFF:
        return tenth < 1000 ? 0 : 10000 - tenth;
    case LIE_CONSTANT:
    case LIE_CRITICAL:
    case LIE_FREE_RIDE:
        return waiting + skip(&life->rng, strategy->chance);
    case LIE_WAIT:
    case LIE_COPY:
    case LIE_COLLUDE:
    case LIE_FARM:
    case LIE_OPTIMAL:
        break;
    }
    return waiting;
}

static void finish(struct life *life, double *ret_cleared)
{
    post(life);
    double cleared = 0;
    uint32_t index = 0;
    const struct p2_account *account = p2_ledger_next(&life->ledger, &index);
    while (account != NULL) {
        cleared += (double)account->cleared_nd;
        account = p2_ledger_next(&life->ledger, &index);
    }
    *ret_cleared = cleared;
    if (p2_ledger_sum_nd(&life->ledger) != 0) {
        abort(); /* money appeared or vanished */
    }
}

static double live(struct life *life)
{
    uint8_t kernel = DEAR;
    become_somebody(life);
    if (life->strategy->kind == LIE_FARM) {
        be_honest(life, CHEAP, fmin(1e6, (life->end_s - life->now_s) * life->cell->rate / 2));
    }
    while (life->now_s < life->end_s && !(life->stops_at_ban && life->tally->bans > 0)) {
        uint8_t weight = 1;
        double left = floor((life->end_s - life->now_s) * life->cell->rate);
        double honest = plan(life, kernel, &weight);
        if (honest >= left) {
            be_honest(life, kernel, left);
            break;
        }
        be_honest(life, kernel, honest);
        lie(life, kernel, weight, life->strategy->kind == LIE_NEVER);
    }
    double cleared;
    finish(life, &cleared);
    return cleared;
}

static void open_life(struct life *life, const struct cell *cell, const struct strategy *strategy,
                      uint64_t seed, uint64_t index, double life_s)
{
    static const char *const names[] = {"dear", "cheap"};
    static struct p2_trust_kernel kernels[2];
    for (size_t i = 0; i < 2; i++) {
        kernels[i] = (struct p2_trust_kernel){names[i], (uint32_t)(cell->delta * 1e6 + 0.5)};
    }
    life->cell = cell;
    life->strategy = strategy;
    life->now_s = life->posted_s = START_S;
    life->end_s = START_S + life_s;
    struct p2_rng root;
    p2_rng_init_u64(&root, seed, "trust");
    p2_rng_split(&life->rng, &root, strategy->name, index);
    p2_rng_bytes(&life->rng, life->key, sizeof life->key);
    struct p2_trust_options options = {.kernels = kernels,
                                       .kernel_count = 2,
                                       .helpers_max = 4,
                                       .local_cores = 2,
                                       .key = life->key};
    if (p2_trust_init(&life->trust, &options, 0, (uint64_t)life->now_s) != P2_OK ||
        p2_ledger_init(&life->ledger, P2_PAY_POINTS, 0) != P2_OK) {
        abort();
    }
    life->port = p2_trust_port(&life->trust);
}

static void close_life(struct life *life)
{
    p2_trust_free(&life->trust);
    p2_ledger_free(&life->ledger);
}

/* One life of the given length; what it cleared. */
static double one(const struct cell *cell, const struct strategy *strategy, uint64_t seed,
                  uint64_t index, double life_s, struct tally *tally, double *waits,
                  uint32_t wait_max, uint32_t *ret_waits, double *ret_saved)
{
    struct life life = {
        .tally = tally, .waits = waits, .wait_max = wait_max, .wait_count = ret_waits};
    open_life(&life, cell, strategy, seed, index, life_s);
    double cleared = live(&life);
    *ret_saved = life.computed_less * UNITS * (double)P2_PRICE_HELPER_ND_M / 1e6;
    close_life(&life);
    return cleared;
}

double trust_tasks_to_ban(const struct cell *cell, uint64_t seed, uint64_t index)
{
    struct tally tally = {0};
    uint32_t waits = 0;
    struct life life = {.tally = &tally, .wait_count = &waits, .stops_at_ban = true};
    open_life(&life, cell, &strategy_honest, seed, index, 1e12);
    (void)live(&life);
    close_life(&life);
    return tally.tasks;
}

void trust_live(const struct cell *cell, const struct strategy *strategy, uint64_t seed,
                double *honest, struct tally *ret_tally, double *waits, uint32_t wait_max,
                uint32_t *ret_waits)
{
    struct p2_rng root, lives;
    p2_rng_init_u64(&root, seed, "lives");
    p2_rng_split(&lives, &root, "lives", 0);
    for (uint32_t i = 0; i < cell->helpers; i++) {
        double normal = sqrt(-2 * log(uniform(&lives))) * cos(6.283185307179586 * uniform(&lives));
        double life_s = cell->life_s * exp(normal);
        double saved = 0;
        double cleared =
            one(cell, strategy, seed, i, life_s, ret_tally, waits, wait_max, ret_waits, &saved);
        ret_tally->hours += life_s / 3600;
        if (strategy->kind == LIE_NEVER) {
            honest[i] = cleared;
        } else {
            ret_tally->profit += cleared + saved - honest[i];
        }
    }
}
