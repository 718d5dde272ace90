/* Admission under load: many helpers ask for work, the production policy says who gets a lease, draws
 * the audits and judges. One virtual machine with two cores, a step a millisecond. */
#include "tests/sim/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORES     2u
#define EXEC_US   1000u /* of a task on an own core */
#define ANSWER_MS 30u   /* round trip and computing */
#define QUEUE_MAX 65536u
#define START_S   1700000000u

struct out {
    uint32_t helper;
    uint64_t lease;
    uint64_t owed_us;
    uint64_t at_ms;
    bool is_state;
};

struct load {
    struct p2_trust trust;
    struct p2_verify_port port;
    struct p2_rng rng;
    struct p2_id *ids; /* owned */
    bool *liars;       /* owned */
    uint32_t helpers;
    uint64_t now_ms;
    uint64_t lease;
    struct out queue[QUEUE_MAX];
    uint32_t first, count;
    /* figures */
    uint64_t offered, leased, drawn, done, shadow, wrong, view_offered, view_leased;
    uint64_t liar_bans, honest_bans;
};

static void tell(struct load *load, const struct p2_trust_event *event, uint32_t helper)
{
    struct p2_trust_effect effects[P2_TRUST_EFFECTS_MAX];
    uint32_t count = p2_trust_hear(&load->trust, event, effects);
    for (uint32_t i = 0; i < count; i++) {
        if (effects[i].type == P2_TRUST_BAN) {
            load->liar_bans += load->liars[helper] ? 1 : 0;
            load->honest_bans += load->liars[helper] ? 0 : 1;
        }
    }
}

static void answer(struct load *load, const struct out *out)
{
    struct p2_verify_case item = {
        .helper = load->ids[out->helper],
        .lease = out->lease,
        .task = out->lease,
        .weight = 1,
        .is_state = out->is_state,
        .cost_units = EXEC_US,
        .exec_us = EXEC_US,
        .owed_us = out->owed_us,
        .now_us = load->now_ms * 1000u,
    };
    enum p2_verdict verdict = load->port.decide(load->port.ctx, &item);
    bool is_lie = load->liars[out->helper];
    if (verdict == P2_VERIFY_ACCEPT) {
        load->wrong += is_lie ? 1 : 0;
        return;
    }
    /* Whatever was drawn is computed: nothing here can decline it. */
    load->drawn++;
    load->shadow += verdict == P2_VERIFY_RECOMPUTE ? 1 : 0;
    load->done++;
    struct p2_trust_event event = {
        .type = P2_TRUST_AUDITED,
        .helper = load->ids[out->helper],
        .lease = out->lease,
        .is_inside = true,
        .is_equal = !is_lie,
    };
    tell(load, &event, out->helper);
}

static bool ask(struct load *load, uint32_t helper, bool is_state)
{
    uint64_t until;
    if (p2_trust_refusal(&load->trust, &load->ids[helper], NULL, &until) != NULL) {
        return false;
    }
    struct p2_verify_ask question = {
        .helper = load->ids[helper],
        .weight = 1,
        .is_state = is_state,
        .exec_us = EXEC_US,
        .now_us = load->now_ms * 1000u,
    };
    if (load->count == QUEUE_MAX || !load->port.admit(load->port.ctx, &question)) {
        return false;
    }
    load->queue[(load->first + load->count++) % QUEUE_MAX] = (struct out){
        .helper = helper,
        .lease = ++load->lease,
        .owed_us = load->port.granted(load->port.ctx, &question),
        .at_ms = load->now_ms + ANSWER_MS,
        .is_state = is_state,
    };
    return true;
}

static void step(struct load *load, uint32_t state_tasks, uint32_t view_tasks)
{
    load->now_ms++;
    p2_trust_clock(&load->trust, load->now_ms * 1000u, START_S + load->now_ms / 1000u);
    while (load->count > 0 && load->queue[load->first].at_ms <= load->now_ms) {
        struct out out = load->queue[load->first];
        load->first = (load->first + 1) % QUEUE_MAX;
        load->count--;
        answer(load, &out);
    }
    for (uint32_t i = 0; i < state_tasks + view_tasks; i++) {
        bool is_state = i < state_tasks;
        uint32_t helper = (uint32_t)p2_rng_below(&load->rng, load->helpers);
        bool is_leased = ask(load, helper, is_state);
        load->offered += is_state ? 1 : 0;
        load->view_offered += is_state ? 0 : 1;
        load->leased += is_state && is_leased ? 1 : 0;
        load->view_leased += !is_state && is_leased ? 1 : 0;
    }
}

static struct load *load_open(uint64_t seed, uint32_t helpers, uint64_t n, uint32_t liars)
{
    static const struct p2_trust_kernel kernel = {"kernel", 0};
    static uint8_t key[P2_KEY_BYTES];
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        abort();
    }
    p2_rng_init_u64(&load->rng, seed, "load");
    p2_rng_bytes(&load->rng, key, sizeof key);
    struct p2_trust_options options = {.kernels = &kernel,
                                       .kernel_count = 1,
                                       .helpers_max = 2 * helpers,
                                       .local_cores = CORES,
                                       .key = key};
    load->ids = calloc(helpers, sizeof *load->ids);
    load->liars = calloc(helpers, sizeof *load->liars);
    if (load->ids == NULL || load->liars == NULL ||
        p2_trust_init(&load->trust, &options, 0, START_S) != P2_OK) {
        abort();
    }
    load->helpers = helpers;
    load->port = p2_trust_port(&load->trust);
    for (uint32_t i = 0; i < helpers; i++) {
        p2_rng_bytes(&load->rng, load->ids[i].bytes, sizeof load->ids[i].bytes);
        load->liars[i] = i < liars;
        struct p2_reputation *rep = p2_trust_record(&load->trust, &load->ids[i]);
        if (n > 0) {
            p2_reputation_good(rep, 0, n, true);
        }
    }
    return load;
}

static void load_close(struct load *load)
{
    p2_trust_free(&load->trust);
    free(load->ids);
    free(load->liars);
    free(load);
}

bool trust_sybils(uint64_t seed)
{
    const uint32_t seconds = 60;
    struct load *load = load_open(seed, 1000, P2_PROBATION_TASKS, 500);
    for (uint32_t ms = 0; ms < seconds * 1000; ms++) {
        step(load, 60, 0);
    }
    uint32_t most = load->count; /* still out */
    while (load->count > 0) {
        step(load, 0, 0);
    }
    uint64_t budget_us = seconds * UINT64_C(1000000) * CORES * P2_AUDIT_SHARE_PPM / 1000000u;
    uint64_t burst_us = P2_AUDIT_BURST_US * CORES * P2_AUDIT_SHARE_PPM / 1000000u;
    uint64_t spent_us = load->done * EXEC_US;
    (void)printf(
        "\n1,000 sybils just past probation, 500 lying, %u s: %llu STATE tasks offered, %llu "
        "leased; audits owed %llu, done %llu, skipped %llu\n",
        seconds, (unsigned long long)load->offered, (unsigned long long)load->leased,
        (unsigned long long)load->drawn, (unsigned long long)load->done,
        (unsigned long long)(load->drawn - load->done));
    (void)printf(
        "  audit time %.3f s of %.3f s budget (and %.3f s saved up before): %.2f %% of own "
        "cores; %u leases out at the end\n",
        (double)spent_us / 1e6, (double)budget_us / 1e6, (double)burst_us / 1e6,
        (double)spent_us / 1e4 / seconds / CORES, most);
    (void)printf("  wrong results that stayed: %llu of %llu; bans: liars %llu, honest %llu\n",
                 (unsigned long long)load->wrong, (unsigned long long)load->leased,
                 (unsigned long long)load->liar_bans, (unsigned long long)load->honest_bans);
    bool is_good = load->drawn == load->done && spent_us <= budget_us + burst_us + 1000u &&
                   load->honest_bans == 0;
    load_close(load);
    return is_good;
}

void trust_young(uint64_t seed)
{
    struct load *load = load_open(seed, 8, 0, 0);
    (void)printf("\n8 brand-new helpers; offered: 10 STATE and 40 VIEW tasks of 1 ms per frame\n");
    (void)printf("  %6s %12s %12s %14s %12s\n", "minute", "STATE leased", "of which",
                 "of own cores", "VIEW leased");
    (void)printf("  %6s %12s %12s %14s %12s\n", "", "", "shadow", "for audits", "");
    for (uint32_t minute = 1; minute <= 10; minute++) {
        load->offered = load->leased = load->shadow = load->done = 0;
        load->view_offered = load->view_leased = 0;
        for (uint32_t ms = 0; ms < 60000; ms++) {
            bool is_frame = ms % 50 == 0 || ms % 50 == 16 || ms % 50 == 33;
            step(load, is_frame ? 10 : 0, is_frame ? 40 : 0);
        }
        (void)printf("  %6u %11.1f%% %11.1f%% %13.2f%% %11.1f%%\n", minute,
                     100.0 * (double)load->leased / (double)load->offered,
                     100.0 * (double)load->shadow / (double)(load->leased ? load->leased : 1),
                     100.0 * (double)load->done * EXEC_US / 60e6 / CORES,
                     100.0 * (double)load->view_leased / (double)load->view_offered);
    }
    load_close(load);
}
