/* The world: performs the core's effects, makes faults happen, calls the checkers. */
#include "tests/sim/sim.h"

#include "tests/sim/sim_store.h"

#include "link/wire_rules.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (64u << 20)
#define CONTENTS   8u

static uint8_t contents[CONTENTS][512];
static uint8_t warm_input[SIM_INPUT_BYTES];

void sim_violation(struct sim *sim, const char *checker, const char *what, uint64_t number)
{
    sim->violations++;
    if (sim->violations <= 20) {
        (void)fprintf(stderr, "violation: seed=%llu profile=%s t=%llu %s: %s (%llu)\n",
                      (unsigned long long)sim->seed, sim_profile_name(sim->profile),
                      (unsigned long long)sim->now_us, checker, what, (unsigned long long)number);
    }
}

const char *sim_profile_name(enum sim_profile profile)
{
    static const char *const names[] = {"honest",   "churn", "liars", "swarm",   "ontime",
                                        "massacre", "alone", "burst", "policed", "turned"};
    return names[profile];
}

/* ---- making the world ------------------------------------------------------------------------- */

static void make_helper(struct sim *sim, uint32_t index)
{
    struct sim_helper *helper = &sim->helpers[index];
    const struct sim_config *config = &sim->config;
    p2_rng_bytes(&sim->draws, helper->id.bytes, sizeof helper->id.bytes);
    uint8_t ip[4] = {(uint8_t)(11 + index / 65536), (uint8_t)(index / 256), (uint8_t)index, 9};
    if (p2_rng_below(&sim->draws, 5) == 0) {
        ip[2] = 0; /* some share a /24 */
    }
    helper->ip = p2_ip_from_v4(ip);
    helper->owner = (uint32_t)p2_rng_below(&sim->draws, 60);
    helper->rtt_us = (uint32_t)p2_rng_between(&sim->draws, config->rtt_min_us, config->rtt_max_us);
    /* What is measured is the mean: the jitter is around it, not on top. */
    helper->rtt_us -=
        helper->rtt_us > config->jitter_us ? config->jitter_us / 2 : helper->rtt_us / 2;
    helper->cores = (uint32_t)p2_rng_between(&sim->draws, 1, config->cores_max);
    helper->slots = helper->cores > config->slots_max ? helper->cores : config->slots_max;
    helper->ns_per_unit = (uint32_t)p2_rng_between(&sim->draws, 500, 3000);
    helper->slow_factor = 1;
    if (config->clouds_ppm > 0 && p2_rng_chance_ppm(&sim->draws, config->clouds_ppm)) {
        helper->is_cloud = true;
    } else if (p2_rng_chance_ppm(&sim->draws, config->liars_ppm)) {
        helper->lies = (uint32_t)p2_rng_between(&sim->draws, 1, 511) & config->liar_set;
    }
}

/* Sessions start at different times: their slots do not coincide. */
static int open_play(struct sim *sim, struct sim_play *play, uint32_t index)
{
    *play = (struct sim_play){.sim = sim,
                              .epoch_us = 5555u * index,
                              .expected_first = 1,
                              .reference_depth = P2_DEPTH_MAX};
    play->game.config = play->reference.config = &sim->config;
    play->game.state = play->reference.state = sim_mix(sim->seed, 1 + index);
    play->reference.next_task = 1;
    play->tasks = calloc(SIM_SHADOW_TASKS, sizeof *play->tasks);
    play->expected = calloc(SIM_SHADOW_TASKS, sizeof *play->expected);
    sim->play_count = index + 1;
    if (play->tasks == NULL || play->expected == NULL) {
        return P2_E_NOMEM;
    }
    struct p2_session_options session = {
        .game = sim_game_port(play),
        .tasks_max = sim->config.tasks_max,
        .memory_max = MEMORY_MAX,
        .start_us = play->epoch_us,
    };
    int error = p2_session_open(&sim->core, &session, &play->session);
    for (uint32_t i = 0; error == P2_OK && i < CONTENTS; i++) {
        error = p2_session_content_put(&sim->core, play->session, i + 1,
                                       p2_span(contents[i], sizeof contents[i]));
    }
    return error;
}

struct sim_play *sim_play_of(struct sim *sim, uint16_t session)
{
    for (uint32_t i = 1; i < sim->play_count; i++) {
        if (sim->plays[i].session == session) {
            return &sim->plays[i];
        }
    }
    return &sim->plays[0];
}

static int make_core(struct sim *sim)
{
    static struct p2_core_kernel kernel = {
        .name = "model", .version = 1, .warm_cost = 1000, .warm_output_max = SIM_OUTPUT_BYTES};
    memset(kernel.digest, 7, sizeof kernel.digest);
    kernel.warm_input = p2_span(warm_input, sizeof warm_input);
    sim_model_digest(kernel.warm_digest);
    struct p2_core_options options = {
        .kernels = &kernel,
        .kernel_count = 1,
        .helpers_max = sim->config.helpers > 0 ? sim->config.helpers : 1,
        .leases_max = sim->config.leases_max,
        .blobs_each = 16,
        .sessions_max = SIM_PLAYS_MAX,
        .window_max = (uint16_t)sim->config.window_max,
        .local_cores = (uint16_t)sim->config.local_cores,
        .cache_max = 2048,
        .is_open = true,
        .cloud_units_per_hour = sim->config.cloud_units,
    };
    if (sim->profile >= SIM_POLICED) {
        int unready = sim_police_open(sim);
        if (unready != P2_OK) {
            return unready;
        }
        options.verify = p2_trust_port(&sim->trust);
    }
    p2_rng_split(&options.rng, &sim->draws, "core", 0);
    int error = p2_core_init(&sim->core, &options);
    if (error != P2_OK) {
        return error;
    }
    for (uint32_t i = 0; error == P2_OK && i < sim->config.helpers; i++) {
        if (sim->helpers[i].is_cloud) {
            error = p2_core_configure(&sim->core, &sim->helpers[i].id, true);
        }
    }
    for (uint32_t i = 0; error == P2_OK && i < sim->config.sessions; i++) {
        error = open_play(sim, &sim->plays[i], i);
    }
    return error == P2_OK ? p2_outbox_init(&sim->out, p2_core_outbox_needed(&sim->core)) : error;
}

static void start_world(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->config.helpers; i++) {
        sim_push(sim, p2_rng_below(&sim->draws, 500000), SIM_EVENT_OPEN)->helper = i;
    }
    for (uint32_t i = 0; i < sim->play_count * sim->config.gamers; i++) {
        uint16_t session = sim->plays[i / sim->config.gamers].session;
        uint8_t player = (uint8_t)(i % sim->config.gamers);
        struct p2_id id = {{(uint8_t)(i + 1)}};
        int error = p2_session_join(&sim->core, session, player, &id, NULL);
        P2_ASSERT(error == P2_OK);
        struct sim_event *event = sim_push(sim, 1000u * i, SIM_EVENT_INPUT);
        event->number = player;
        event->session = session;
    }
    if (sim->config.fault_every_us > 0) {
        sim_push(sim, sim->config.fault_every_us, SIM_EVENT_FAULT);
    }
    if (sim->config.deaths_per_min_ppm > 0) {
        sim_push(sim, 0, SIM_EVENT_DEATH)->status = 1; /* only plans the first */
    }
    if (sim->config.drain_every_us > 0 && sim->config.helpers > 0) {
        sim_push(sim, sim->config.drain_every_us, SIM_EVENT_DRAIN);
    }
    if (sim->config.massacre_us > 0) {
        sim_push(sim, sim->config.massacre_us, SIM_EVENT_MASSACRE);
    }
    sim_push(sim, 0, SIM_EVENT_TIME);
}

int sim_init(struct sim *sim, enum sim_profile profile, uint64_t seed, bool is_traced)
{
    memset(sim, 0, sizeof *sim);
    sim->profile = profile;
    sim->seed = seed;
    sim->is_traced = is_traced;
    struct p2_rng root;
    p2_rng_init_u64(&root, seed, sim_profile_name(profile));
    p2_rng_split(&sim->draws, &root, "draws", 0);
    p2_rng_split(&sim->net, &root, "net", 0);
    p2_rng_split(&sim->faults, &root, "faults", 0);
    p2_rng_split(&sim->lies, &root, "lies", 0);
    sim_draw(sim);
    sim->helpers = calloc(sim->config.helpers + 1, sizeof *sim->helpers);
    sim->leases = calloc(SIM_SHADOW_LEASES, sizeof *sim->leases);
    if (sim->helpers == NULL || sim->leases == NULL) {
        return P2_E_NOMEM;
    }
    for (uint32_t i = 0; i < sim->config.helpers; i++) {
        make_helper(sim, i);
    }
    int error = make_core(sim);
    if (error == P2_OK && profile >= SIM_POLICED) {
        sim_police_enrol(sim);
    }
    sim->store = sim_store_open(sim, sim->config.sessions, 0);
    if (error == P2_OK && sim->store == NULL) {
        error = P2_E_NOMEM;
    }
    if (error == P2_OK) {
        start_world(sim);
    }
    return error;
}

void sim_free(struct sim *sim)
{
    sim_store_close(sim->store);
    for (size_t i = 0; i < sim->heap_count; i++) {
        free(sim->heap[i].bytes);
    }
    free(sim->heap);
    p2_outbox_free(&sim->out);
    p2_core_free(&sim->core);
    if (sim->profile >= SIM_POLICED) {
        sim_police_close(sim);
    }
    free(sim->helpers);
    for (uint32_t i = 0; i < sim->play_count; i++) {
        free(sim->plays[i].tasks);
        free(sim->plays[i].expected);
    }
    free(sim->leases);
    memset(sim, 0, sizeof *sim);
}

/* ---- effects ---------------------------------------------------------------------------------- */

static void trace(struct sim *sim, const struct p2_effect *effect)
{
    uint64_t hash = sim_mix(sim->now_us, (uint64_t)effect->type);
    hash = sim_mix(hash, effect->peer);
    hash = sim_mix(hash, effect->lease);
    hash = sim_mix(hash, effect->task);
    hash = sim_mix(hash, effect->frame);
    hash = sim_mix(hash, sim_hash(effect->result.data, effect->result.size));
    sim->trace = sim_mix(sim->trace, hash);
    if (sim->is_traced) {
        (void)printf("%llu.%06llu %s peer=%u lease=%llu task=%llu frame=%llu status=%d\n",
                     (unsigned long long)(sim->now_us / 1000000u),
                     (unsigned long long)(sim->now_us % 1000000u), p2_effect_name(effect->type),
                     effect->peer, (unsigned long long)effect->lease,
                     (unsigned long long)effect->task, (unsigned long long)effect->frame,
                     effect->status);
    }
}

void sim_note_candidate(struct sim *sim, uint16_t session, uint64_t id, struct p2_span bytes)
{
    struct sim_task *task = sim_task(sim_play_of(sim, session), id);
    if (task->id == id && task->candidate_count < SIM_CANDIDATES) {
        task->candidates[task->candidate_count++] = sim_hash(bytes.data, bytes.size);
    }
}

static void note_lease(struct sim *sim, const struct p2_effect *effect)
{
    struct sim_lease *lease = &sim->leases[effect->lease % SIM_SHADOW_LEASES];
    *lease = (struct sim_lease){
        .id = effect->lease,
        .task = effect->task,
        .peer = effect->peer,
        .epoch = sim->helpers[effect->peer].link.epoch,
        .end_us = sim->now_us + P2_LEASE_LONG_US,
    };
    if (effect->session == P2_SESSION_NONE) {
        lease->end_us = sim->now_us + P2_ADMISSION_TIMEOUT_US + 100000u;
    } else if (sim_task(sim_play_of(sim, effect->session), effect->task)->class != P2_CLASS_C3) {
        lease->end_us = sim->now_us + P2_LEASE_TIMEOUT_US;
    }
}

static void send(struct sim *sim, const struct p2_effect *effect)
{
    struct sim_helper *helper = &sim->helpers[effect->peer];
    static const struct p2_effect_terms terms = {.ping_ms = 1000};
    uint8_t body[4096];
    struct p2_writer writer;
    uint8_t type = 0;
    p2_writer_init(&writer, body, sizeof body);
    if (p2_effect_bound(effect) > sizeof body ||
        p2_effect_encode(effect, &terms, &writer, &type) != P2_OK) {
        sim_violation(sim, "effects", "a message that cannot be encoded", (uint64_t)effect->type);
    } else if (helper->link.is_open) {
        sim_send_down(sim, effect->peer, type, body, writer.size);
    }
}

static void start_local(struct sim *sim)
{
    while (sim->local_running < sim->config.local_cores) {
        struct sim_local_job *best = NULL;
        for (uint32_t i = 0; i < sim->local_count; i++) {
            struct sim_local_job *job = &sim->locals[i];
            if (!job->is_running && (best == NULL || job->due_us < best->due_us)) {
                best = job;
            }
        }
        if (best == NULL) {
            return;
        }
        best->is_running = true;
        sim->local_running++;
        struct sim_event *event =
            sim_push(sim, sim->now_us + sim_task(sim_play_of(sim, best->session), best->task)->cost,
                     SIM_EVENT_COMPUTED);
        event->number = best->task;
        event->session = best->session;
    }
}

static void compute(struct sim *sim, const struct p2_effect *effect)
{
    sim->locals[sim->local_count++] = (struct sim_local_job){
        effect->task, effect->session, sim->now_us + effect->budget_us, false};
    start_local(sim);
}

static void compute_cancel(struct sim *sim, const struct p2_effect *effect)
{
    for (uint32_t i = 0; i < sim->local_count; i++) {
        if (sim->locals[i].task == effect->task && sim->locals[i].session == effect->session &&
            !sim->locals[i].is_running) {
            sim->locals[i] = sim->locals[--sim->local_count];
            struct sim_event *event = sim_push(sim, sim->now_us, SIM_EVENT_COMPUTED);
            event->number = effect->task;
            event->session = effect->session;
            event->status = P2_E_CANCELLED;
            return;
        }
    }
}

/* The kernel's check: catches a wrong result with the profile's probability. */
static void check_kernel(struct sim *sim, const struct p2_effect *effect)
{
    check_acceptance_lease(sim, effect);
    uint8_t right[SIM_OUTPUT_BYTES];
    sim_model(effect->input.data, right);
    bool is_right = effect->result.size == sizeof right &&
                    memcmp(right, effect->result.data, sizeof right) == 0;
    bool is_caught = !is_right && p2_rng_chance_ppm(&sim->lies, sim->config.catch_ppm);
    struct sim_event *event = sim_push(sim, sim->now_us + sim->config.check_us, SIM_EVENT_CHECKED);
    event->number = effect->lease;
    event->status = is_caught ? P2_E_BAD_RESULT : P2_OK;
    sim_attach(event, effect->result.data, effect->result.size);
    if (!is_caught && effect->session != P2_SESSION_NONE) {
        sim_note_candidate(sim, effect->session, effect->task, effect->result);
        if (sim->profile >= SIM_POLICED) {
            sim_police_checked(sim, effect);
        }
    }
}

static void ship(struct sim *sim, const struct p2_effect *effect)
{
    const struct p2_frame_record *record = effect->record;
    struct sim_play *play = sim_play_of(sim, effect->session);
    check_slots(play, record);
    check_replay_frame(play, record);
    sim_store_frame(sim->store, (uint32_t)(play - sim->plays), record->frame, play->game.state,
                    sim->now_us);
    if (sim->is_healing || record->frame < 120) {
        return; /* helpers are still dialling in during the first two seconds */
    }
    sim->frames++;
    sim->on_time += record->is_on_time ? 1 : 0;
    if (sim->is_massacred) {
        sim->degraded_after_massacre += record->required_degraded > 0 ? 1 : 0;
        if (sim->now_us >= sim->config.massacre_us + 1000000u) {
            sim->frames_after++;
            sim->on_time_after += record->is_on_time ? 1 : 0;
        }
    }
}

static void police(struct sim *sim, const struct p2_effect *effect)
{
    if (sim->profile >= SIM_POLICED) {
        sim_police_effect(sim, effect);
    }
}

static void perform(struct sim *sim, const struct p2_effect *effect)
{
    struct sim_lease *lease = &sim->leases[effect->lease % SIM_SHADOW_LEASES];
    switch (effect->type) {
    case P2_EFFECT_LEASE:
        note_lease(sim, effect);
        check_tiers(sim, effect);
        check_drained(sim, effect);
        send(sim, effect);
        break;
    case P2_EFFECT_CANCEL:
        lease->is_ended = lease->is_ended || lease->id == effect->lease;
        send(sim, effect);
        break;
    case P2_EFFECT_ACCEPT:
    case P2_EFFECT_DENIED:
    case P2_EFFECT_BLOB:
    case P2_EFFECT_BLOB_DROP:
        send(sim, effect);
        break;
    case P2_EFFECT_CLOSE:
        sim_helper_die(sim, effect->peer, false, true);
        break;
    case P2_EFFECT_CHECK:
        check_kernel(sim, effect);
        break;
    case P2_EFFECT_COMPUTE:
        compute(sim, effect);
        break;
    case P2_EFFECT_COMPUTE_CANCEL:
        compute_cancel(sim, effect);
        break;
    case P2_EFFECT_INTEGRITY:
        check_integrity(sim, effect);
        police(sim, effect);
        break;
    case P2_EFFECT_JOURNAL:
        check_replay_journal(sim_play_of(sim, effect->session), effect);
        sim_store_journal(sim->store, (uint32_t)(sim_play_of(sim, effect->session) - sim->plays),
                          effect);
        break;
    case P2_EFFECT_FRAME:
        ship(sim, effect);
        break;
    case P2_EFFECT_LATE:
    case P2_EFFECT_STRIKE:
        break;
    case P2_EFFECT_AUDIT:
        sim->audits_after++;
        police(sim, effect);
        break;
    case P2_EFFECT_PROVEN:
        police(sim, effect);
        break;
    }
}

void sim_step(struct sim *sim, const struct p2_event *event)
{
    sim->steps++;
    int error = p2_core_step(&sim->core, event, sim->now_us, &sim->out);
    if (error != P2_OK && event->type != P2_EVENT_INPUT) {
        sim_violation(sim, "step", p2_error_name(error), (uint64_t)event->type);
    }
    for (uint32_t i = 0; i < sim->out.count; i++) {
        trace(sim, &sim->out.items[i]);
        perform(sim, &sim->out.items[i]);
    }
    p2_outbox_clear(&sim->out);
    check_limits(sim);
}

/* ---- events ----------------------------------------------------------------------------------- */

static void fault(struct sim *sim)
{
    sim_push(sim, sim->now_us + 1 + p2_rng_below(&sim->faults, 2 * sim->config.fault_every_us),
             SIM_EVENT_FAULT);
    if (sim->config.helpers == 0) {
        return;
    }
    struct sim_helper *helper = &sim->helpers[p2_rng_below(&sim->faults, sim->config.helpers)];
    uint64_t until = sim->now_us + p2_rng_below(&sim->faults, 1000000);
    switch (p2_rng_below(&sim->faults, 5)) {
    case 0:
        helper->link.up_blocked_us = until;
        break;
    case 1:
        helper->link.down_blocked_us = until;
        break;
    case 2:
        helper->link.up_blocked_us = helper->link.down_blocked_us = until;
        break;
    case 3:
        helper->slow_factor = 1 + (uint32_t)p2_rng_below(&sim->faults, 20);
        break;
    default:
        helper->slow_factor = 1;
        break;
    }
}

static void death(struct sim *sim, bool is_plan)
{
    uint64_t per_min = (uint64_t)sim->config.helpers * sim->config.deaths_per_min_ppm;
    if (per_min == 0) {
        return;
    }
    uint64_t mean_us = UINT64_C(60000000) * 1000000u / per_min + 1;
    sim_push(sim, sim->now_us + 1 + p2_rng_below(&sim->faults, 2 * mean_us), SIM_EVENT_DEATH);
    if (!is_plan) {
        bool is_silent = p2_rng_chance_ppm(&sim->faults, sim->config.silent_death_ppm);
        sim_helper_die(sim, (uint32_t)p2_rng_below(&sim->faults, sim->config.helpers), is_silent,
                       true);
    }
}

static void massacre(struct sim *sim)
{
    sim->is_massacred = true;
    for (uint32_t i = 0; i < sim->config.helpers; i += 2) {
        sim_helper_die(sim, i, false, false);
    }
}

static void report_rtt(struct sim *sim, const struct sim_event *event, struct p2_event *out)
{
    struct sim_helper *helper = &sim->helpers[event->helper];
    uint32_t sample = helper->rtt_us + (uint32_t)p2_rng_below(&sim->net, sim->config.jitter_us + 1);
    p2_link_rtt_add(&helper->link.rtt, sample);
    out->type = P2_EVENT_RTT;
    out->peer = event->helper;
    out->rtt_us = helper->link.rtt.rtt_us;
    out->jitter_us = helper->link.rtt.jitter_us;
    struct sim_event *next = sim_push(sim, sim->now_us + 1000000u, SIM_EVENT_RTT);
    next->helper = event->helper;
    next->epoch = event->epoch;
}

static void hear_closed(struct sim *sim, const struct sim_event *event)
{
    struct sim_helper *helper = &sim->helpers[event->helper];
    helper->link.is_open = false;
    for (size_t i = 0; i < SIM_SHADOW_LEASES; i++) {
        struct sim_lease *lease = &sim->leases[i];
        if (lease->id != 0 && lease->peer == event->helper && lease->epoch == event->epoch) {
            lease->is_ended = true;
        }
    }
    sim_step(sim, &(struct p2_event){.type = P2_EVENT_CLOSED, .peer = event->helper});
}

static void computed(struct sim *sim, const struct sim_event *event)
{
    uint8_t output[SIM_OUTPUT_BYTES];
    struct sim_task *task = sim_task(sim_play_of(sim, event->session), event->number);
    struct p2_event out = {.type = P2_EVENT_COMPUTED,
                           .session = event->session,
                           .task = event->number,
                           .status = event->status,
                           .exec_us = task->cost};
    if (event->status == P2_OK) {
        for (uint32_t i = 0; i < sim->local_count; i++) {
            if (sim->locals[i].task == event->number && sim->locals[i].session == event->session &&
                sim->locals[i].is_running) {
                sim->locals[i] = sim->locals[--sim->local_count];
                break;
            }
        }
        sim->local_running--;
        sim_model(task->input, output);
        out.bytes = p2_span(output, sizeof output);
        sim_note_candidate(sim, event->session, event->number, out.bytes);
        start_local(sim);
    }
    sim_step(sim, &out);
}

static void input(struct sim *sim, const struct sim_event *event)
{
    struct sim_play *play = sim_play_of(sim, event->session);
    uint8_t player = (uint8_t)event->number;
    uint8_t data[8];
    p2_rng_bytes(&sim->draws, data, sizeof data);
    /* Inputs come at 60 a second; some twice, some out of order, some wild. */
    uint32_t sequence = ++play->input_sequence[player];
    if (p2_rng_below(&sim->draws, 50) == 0) {
        sequence += (uint32_t)p2_rng_below(&sim->draws, 200);
    }
    sim_step(sim, &(struct p2_event){.type = P2_EVENT_INPUT,
                                     .session = event->session,
                                     .player = player,
                                     .sequence = sequence,
                                     .bytes = p2_span(data, sizeof data)});
    if (!sim->is_healing) {
        struct sim_event *next = sim_push(sim, sim->now_us + 16667u, SIM_EVENT_INPUT);
        next->number = player;
        next->session = event->session;
    }
}

static bool is_link_event(const struct sim *sim, const struct sim_event *event)
{
    const struct sim_helper *helper = &sim->helpers[event->helper];
    return helper->link.is_open && helper->link.epoch == event->epoch;
}

/* The authority asks a helper to leave; its link is closed when it owes nothing, and it comes back. */
static void drain(struct sim *sim)
{
    sim_push(sim, sim->now_us + 1 + p2_rng_below(&sim->faults, 2 * sim->config.drain_every_us),
             SIM_EVENT_DRAIN);
    uint32_t peer = (uint32_t)p2_rng_below(&sim->faults, sim->config.helpers);
    if (p2_core_drain(&sim->core, peer) == P2_OK) {
        sim->helpers[peer].is_drained = true;
        sim->drained++;
    }
}

/* What a link brings. */
static void handle_link(struct sim *sim, const struct sim_event *event)
{
    struct p2_event out = {.type = P2_EVENT_MESSAGE, .peer = event->helper};
    if (event->kind == SIM_EVENT_OPEN) {
        if (!sim->helpers[event->helper].link.is_open) {
            out.type = P2_EVENT_OPENED;
            out.ip = sim->helpers[event->helper].ip;
            sim->helpers[event->helper].is_drained = false;
            sim_helper_dial(sim, event->helper);
            sim_step(sim, &out);
        }
    } else if (!is_link_event(sim, event)) {
        return; /* of a link that is gone */
    } else if (event->kind == SIM_EVENT_UP) {
        out.message = event->type;
        out.bytes = p2_span(event->bytes, event->size);
        sim_step(sim, &out);
    } else if (event->kind == SIM_EVENT_RTT) {
        report_rtt(sim, event, &out);
        sim_step(sim, &out);
    } else {
        hear_closed(sim, event);
    }
}

/* What goes wrong, until the world heals. */
static void handle_fault(struct sim *sim, const struct sim_event *event)
{
    if (sim->is_healing) {
        return;
    }
    if (event->kind == SIM_EVENT_FAULT) {
        fault(sim);
    } else if (event->kind == SIM_EVENT_DEATH) {
        death(sim, event->status == 1);
    } else if (event->kind == SIM_EVENT_DRAIN) {
        drain(sim);
    } else {
        massacre(sim);
    }
}

static void handle(struct sim *sim, const struct sim_event *event)
{
    switch ((enum sim_kind)event->kind) {
    case SIM_EVENT_TIME:
        sim_step(sim, &(struct p2_event){.type = P2_EVENT_TIME});
        sim_push(sim, p2_core_wake_us(&sim->core), SIM_EVENT_TIME);
        break;
    case SIM_EVENT_OPEN:
    case SIM_EVENT_UP:
    case SIM_EVENT_RTT:
    case SIM_EVENT_CLOSED:
        handle_link(sim, event);
        break;
    case SIM_EVENT_DOWN:
        sim_helper_hear(sim, event);
        break;
    case SIM_EVENT_DONE:
        sim_helper_done(sim, event);
        break;
    case SIM_EVENT_CHECKED:
        sim_step(sim, &(struct p2_event){.type = P2_EVENT_CHECKED,
                                         .lease = event->number,
                                         .status = event->status,
                                         .bytes = p2_span(event->bytes, event->size)});
        break;
    case SIM_EVENT_COMPUTED:
        computed(sim, event);
        break;
    case SIM_EVENT_FAULT:
    case SIM_EVENT_DEATH:
    case SIM_EVENT_MASSACRE:
    case SIM_EVENT_DRAIN:
        handle_fault(sim, event);
        break;
    case SIM_EVENT_INPUT:
        input(sim, event);
        break;
    case SIM_EVENT_AUDITED:
        sim_police_audited(sim, event);
        break;
    case SIM_EVENT_BAN:
        if (sim->helpers[event->helper].link.is_open) {
            sim_step(sim, &(struct p2_event){.type = P2_EVENT_BAN,
                                             .peer = event->helper,
                                             .until_us = event->number});
        }
        break;
    }
}

static void run_until(struct sim *sim, uint64_t steps, uint64_t end_us)
{
    struct sim_event event;
    while (sim->steps < steps && sim->heap_count > 0 && sim->heap[0].at_us <= end_us &&
           sim_pop(sim, &event)) {
        sim->now_us = event.at_us;
        handle(sim, &event);
        free(event.bytes);
    }
}

void sim_run(struct sim *sim, uint64_t steps, uint64_t end_us)
{
    run_until(sim, steps, end_us);
    sim->is_healing = true;
    for (uint32_t i = 0; i < sim->config.helpers; i++) {
        sim->helpers[i].link.up_blocked_us = sim->helpers[i].link.down_blocked_us = 0;
        sim->helpers[i].slow_factor = 1;
    }
    uint64_t heal = sim->config.burst > 0 ? 20000000u : SIM_HEAL_US;
    run_until(sim, UINT64_MAX, sim->now_us + heal);
    check_settled(sim);
    if (sim->profile >= SIM_POLICED) {
        sim_police_end(sim);
    }
}
