/* The state equals a naive reference replay: a second copy of the game is fed by the journal alone
 * and knows nothing of helpers, leases or time. */
#include "tests/sim/sim.h"

#include <string.h>

static struct sim_expected *expected(struct sim *sim, uint64_t id)
{
    return &sim->expected[id % SIM_SHADOW_TASKS];
}

static void cancel_tag(struct sim *sim, uint64_t tag)
{
    for (uint64_t id = sim->expected_first; id < sim->reference.next_task; id++) {
        if (expected(sim, id)->tag == tag) {
            expected(sim, id)->is_live = false;
        }
    }
}

static void tick(struct sim *sim, uint64_t frame)
{
    static struct p2_task_spec specs[SIM_PLAN_MAX];
    static uint8_t inputs[SIM_PLAN_MAX][SIM_INPUT_BYTES];
    static uint64_t keys[SIM_PLAN_MAX];
    struct sim_game *game = &sim->reference;
    sim->is_reference_ticked = true;
    sim->expected_last_id = 0;
    if (sim->is_healing) {
        return;
    }
    uint32_t count = sim_game_plan(game, frame, specs, inputs, keys, SIM_PLAN_MAX);
    for (uint32_t i = 0; i < count; i++) {
        *expected(sim, game->next_task) = (struct sim_expected){
            .id = game->next_task,
            .due_frame = frame + (specs[i].class == P2_CLASS_C1 ? sim->reference_depth
                                                                : specs[i].slack_frames),
            .tag = specs[i].tag,
            .flags = specs[i].flags,
            .is_live = true,
        };
        game->next_task++;
    }
    if (sim_mix(game->state, frame) % 50 == 0 && sim->config.burst == 0) {
        cancel_tag(sim, game->state % 16);
    }
}

static void apply_result(struct sim *sim, const struct p2_effect *effect)
{
    struct sim_expected *task = expected(sim, effect->task);
    if (task->id != effect->task || !task->is_live || task->due_frame != effect->frame ||
        (task->flags & P2_TASK_VIEW) != 0 || effect->task <= sim->expected_last_id) {
        sim_violation(sim, "replay", "a result the replay does not expect", effect->task);
        return;
    }
    sim->expected_last_id = effect->task;
    task->is_live = false;
    uint64_t value = 0;
    if (effect->journal == P2_JOURNAL_RESULT) {
        value = sim_hash(effect->result.data, effect->result.size);
    }
    sim->reference.state = sim_mix(sim->reference.state, sim_mix(effect->task, value));
}

void check_replay_journal(struct sim *sim, const struct p2_effect *effect)
{
    if (effect->journal == P2_JOURNAL_DEPTH) {
        sim->reference_depth = effect->depth;
        return;
    }
    if (effect->journal == P2_JOURNAL_INPUT) {
        sim->reference.state =
            sim_mix(sim->reference.state, sim_mix(effect->player, effect->sequence) ^
                                              sim_hash(effect->result.data, effect->result.size));
        return;
    }
    if (!sim->is_reference_ticked) {
        tick(sim, effect->frame);
    }
    if (effect->journal == P2_JOURNAL_CORRECTED) {
        sim->reference.state =
            sim_mix(sim->reference.state,
                    sim_mix(effect->task, sim_hash(effect->result.data, effect->result.size)));
        return;
    }
    apply_result(sim, effect);
}

void check_replay_frame(struct sim *sim, const struct p2_frame_record *record)
{
    if (!sim->is_reference_ticked) {
        tick(sim, record->frame);
    }
    for (uint64_t id = sim->expected_first; id < sim->reference.next_task; id++) {
        struct sim_expected *task = expected(sim, id);
        if (task->is_live && task->due_frame == record->frame) {
            if ((task->flags & P2_TASK_VIEW) == 0) {
                sim_violation(sim, "replay", "a STATE task is missing in the journal", id);
            }
            task->is_live = false;
        }
    }
    while (sim->expected_first < sim->reference.next_task &&
           !expected(sim, sim->expected_first)->is_live) {
        sim->expected_first++;
    }
    if (sim->reference.state != sim->game.state) {
        sim_violation(sim, "replay", "the state differs from the replay's", record->frame);
    }
    sim->is_reference_ticked = false;
}
