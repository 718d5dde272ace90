/* A game made of kernels only. Its state is a hash over inputs and STATE results; each tick's tasks
 * are a function of the state, so that a single wrong bit shows in everything that follows. */
#include "tests/sim/sim.h"

#include <string.h>

uint64_t sim_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * UINT64_C(0x9e3779b97f4a7c15));
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

uint64_t sim_hash(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t hash = size;
    for (size_t i = 0; i < size; i++) {
        hash = sim_mix(hash, at[i] + 1u);
    }
    return hash;
}

struct sim_task *sim_task(struct sim_play *play, uint64_t id)
{
    return &play->tasks[id % SIM_SHADOW_TASKS];
}

static uint32_t draw(uint64_t *state, uint32_t bound)
{
    *state = sim_mix(*state, 0x77);
    return bound == 0 ? 0 : (uint32_t)(*state % bound);
}

static void plan_task(const struct sim_config *config, uint64_t *state, enum p2_task_class class,
                      struct p2_task_spec *spec, uint8_t input[SIM_INPUT_BYTES], uint64_t *key)
{
    uint32_t cost = config->cost_min + draw(state, config->cost_max - config->cost_min + 1);
    p2_store_be32(input, cost);
    for (size_t i = 4; i < SIM_INPUT_BYTES; i += 4) {
        p2_store_be32(input + i, draw(state, UINT32_MAX));
    }
    *spec = (struct p2_task_spec){
        .class = class,
        .flags = draw(state, 2) == 0 ? P2_TASK_VIEW : 0,
        .weight = 1,
        .replicas = draw(state, 1000000) < config->replicas_ppm ? 2 : 1,
        .output_max = SIM_OUTPUT_BYTES,
        .cost_units = cost,
        .tag = draw(state, 16),
        .input = p2_span(input, SIM_INPUT_BYTES),
    };
    if (config->secrets_ppm > 0 && draw(state, 1000000) < config->secrets_ppm) {
        spec->flags |= P2_TASK_SECRET;
    }
    spec->slack_frames = (uint16_t)(class == P2_CLASS_C3   ? 60 + draw(state, 120)
                                    : class == P2_CLASS_C2 ? 5 + draw(state, 25)
                                                           : 1);
    if (class != P2_CLASS_C1 && draw(state, 1000000) < config->blobs_ppm) {
        *key = 1 + draw(state, 8);
        spec->keys = key;
        spec->key_count = 1;
    }
}

uint32_t sim_game_plan(struct sim_game *game, uint64_t frame, struct p2_task_spec *specs,
                       uint8_t (*inputs)[SIM_INPUT_BYTES], uint64_t *keys, uint32_t max)
{
    const struct sim_config *config = game->config;
    uint64_t state = sim_mix(game->state, frame);
    uint32_t counts[P2_TASK_CLASSES] = {
        draw(&state, 20) == 0 ? 1 : 0,
        config->c1_tasks,
        draw(&state, config->c2_tasks + 1),
        draw(&state, 20) == 0 ? draw(&state, config->c3_tasks + 1) : 0,
    };
    if (config->burst > 0) {
        memset(counts, 0, sizeof counts);
        counts[P2_CLASS_C3] = frame == 60 ? config->burst : 0; /* after the helpers' warm-up */
    }
    uint32_t count = 0;
    for (size_t class = 0; class < P2_TASK_CLASSES; class ++) {
        for (uint32_t i = 0; i < counts[class] && count < max; i++, count++) {
            plan_task(config, &state, (enum p2_task_class) class, &specs[count], inputs[count],
                      &keys[count]);
            if (config->burst > 0) {
                specs[count].slack_frames = P2_SLACK_MAX_FRAMES;
            }
        }
    }
    return count;
}

static void on_input(void *ctx, uint8_t player, uint32_t sequence, struct p2_span data)
{
    struct sim_play *play = ctx;
    struct sim *sim = play->sim;
    if (sequence <= play->input_applied[player]) {
        sim_violation(sim, "inputs", "an old or repeated input is applied", sequence);
    }
    play->input_applied[player] = sequence;
    play->game.state =
        sim_mix(play->game.state, sim_mix(player, sequence) ^ sim_hash(data.data, data.size));
}

static void on_tick(void *ctx, uint64_t frame)
{
    struct sim_play *play = ctx;
    struct sim *sim = play->sim;
    static struct p2_task_spec specs[SIM_PLAN_MAX];
    static uint8_t inputs[SIM_PLAN_MAX][SIM_INPUT_BYTES];
    static uint64_t keys[SIM_PLAN_MAX];
    play->last_task = 0;
    if (sim->is_healing) {
        return;
    }
    uint32_t count = sim_game_plan(&play->game, frame, specs, inputs, keys, SIM_PLAN_MAX);
    uint8_t depth = sim->core.sessions[play->session].pipeline.depth;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = 0;
        if (p2_session_submit(&sim->core, play->session, &specs[i], &id) != P2_OK) {
            sim_violation(sim, "game", "a task was refused", frame);
            continue;
        }
        sim->submitted++;
        struct sim_task *task = sim_task(play, id);
        memset(task, 0, sizeof *task);
        task->id = id;
        task->class = (uint8_t)specs[i].class;
        task->flags = specs[i].flags;
        task->cost = (uint32_t)specs[i].cost_units;
        task->due_frame = frame + (specs[i].class == P2_CLASS_C1 ? depth : specs[i].slack_frames);
        memcpy(task->input, inputs[i], SIM_INPUT_BYTES);
    }
    if (sim_mix(play->game.state, frame) % 50 == 0 && sim->config.burst == 0) {
        uint64_t tag = play->game.state % 16;
        const struct p2_pipeline *pipeline = &sim->core.sessions[play->session].pipeline;
        for (uint32_t at = pipeline->all.first; at != P2_TASK_NONE; at = pipeline->items[at].next) {
            if (pipeline->items[at].tag == tag) {
                sim_task(play, pipeline->items[at].id)->is_cancelled = true;
            }
        }
        sim->cancelled += p2_session_invalidate(&sim->core, play->session, tag);
    }
}

static void on_result(void *ctx, const struct p2_delivery *delivery)
{
    struct sim_play *play = ctx;
    struct sim *sim = play->sim;
    if (delivery->is_corrected) {
        sim_police_corrected(play, delivery);
        uint64_t right = sim_hash(delivery->result.data, delivery->result.size);
        play->game.state = sim_mix(play->game.state, sim_mix(delivery->task, right));
        return;
    }
    check_once(play, delivery, sim->core.sessions[play->session].pipeline.frame);
    check_acceptance_result(play, delivery);
    struct sim_task *task = sim_task(play, delivery->task);
    sim->delivered++;
    sim->tiers[delivery->tier]++;
    sim->reasons[delivery->reason]++;
    sim->degraded += delivery->is_degraded ? 1 : 0;
    if (!delivery->is_degraded) {
        uint8_t right[SIM_OUTPUT_BYTES];
        sim_model(task->input, right);
        bool is_right = delivery->result.size == sizeof right &&
                        memcmp(right, delivery->result.data, sizeof right) == 0;
        sim->wrong_applied += is_right ? 0 : 1;
        if (!is_right && (task->flags & P2_TASK_VIEW) == 0) {
            task->is_wrong = true;
            task->delivered_us = sim->now_us;
            sim->wrong_state++;
            sim->wrong_now++;
        }
    }
    if ((task->flags & P2_TASK_VIEW) == 0) {
        uint64_t value =
            delivery->is_degraded ? 0 : sim_hash(delivery->result.data, delivery->result.size);
        play->game.state = sim_mix(play->game.state, sim_mix(delivery->task, value));
    }
}

struct p2_game_port sim_game_port(struct sim_play *play)
{
    return (struct p2_game_port){
        .ctx = play, .input = on_input, .tick = on_tick, .on_result = on_result};
}
