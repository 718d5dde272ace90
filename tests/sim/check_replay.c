/* The state equals a naive reference replay: a second copy of the game is fed by the journal alone
 * and knows nothing of helpers, leases or time. */
#include "tests/sim/sim.h"

#include <string.h>

static struct sim_expected *expected(struct sim_play *play, uint64_t id)
{
    return &play->expected[id % SIM_SHADOW_TASKS];
}

static void cancel_tag(struct sim_play *play, uint64_t tag)
{
    for (uint64_t id = play->expected_first; id < play->reference.next_task; id++) {
        if (expected(play, id)->tag == tag) {
            expected(play, id)->is_live = false;
        }
    }
}

static void tick(struct sim_play *play, uint64_t frame)
{
    static struct p2_task_spec specs[SIM_PLAN_MAX];
    static uint8_t inputs[SIM_PLAN_MAX][SIM_INPUT_BYTES];
    static uint64_t keys[SIM_PLAN_MAX];
    struct sim_game *game = &play->reference;
    play->is_reference_ticked = true;
    play->expected_last_id = 0;
    if (play->sim->is_healing) {
        return;
    }
    uint32_t count = sim_game_plan(game, frame, specs, inputs, keys, SIM_PLAN_MAX);
    for (uint32_t i = 0; i < count; i++) {
        *expected(play, game->next_task) = (struct sim_expected){
            .id = game->next_task,
            .due_frame = frame + (specs[i].class == P2_CLASS_C1 ? play->reference_depth
                                                                : specs[i].slack_frames),
            .tag = specs[i].tag,
            .flags = specs[i].flags,
            .is_live = true,
        };
        game->next_task++;
    }
    if (sim_mix(game->state, frame) % 50 == 0 && play->sim->config.burst == 0) {
        cancel_tag(play, game->state % 16);
    }
}

static void apply_result(struct sim_play *play, const struct p2_effect *effect)
{
    struct sim_expected *task = expected(play, effect->task);
    if (task->id != effect->task || !task->is_live || task->due_frame != effect->frame ||
        (task->flags & P2_TASK_VIEW) != 0 || effect->task <= play->expected_last_id) {
        sim_violation(play->sim, "replay", "a result the replay does not expect", effect->task);
        return;
    }
    play->expected_last_id = effect->task;
    task->is_live = false;
    uint64_t value = 0;
    if (effect->journal == P2_JOURNAL_RESULT) {
        value = sim_hash(effect->result.data, effect->result.size);
    }
    play->reference.state = sim_mix(play->reference.state, sim_mix(effect->task, value));
}

void check_replay_journal(struct sim_play *play, const struct p2_effect *effect)
{
    if (effect->journal == P2_JOURNAL_DEPTH) {
        play->reference_depth = effect->depth;
        return;
    }
    if (effect->journal == P2_JOURNAL_INPUT) {
        play->reference.state =
            sim_mix(play->reference.state, sim_mix(effect->player, effect->sequence) ^
                                               sim_hash(effect->result.data, effect->result.size));
        return;
    }
    if (!play->is_reference_ticked) {
        tick(play, effect->frame);
    }
    if (effect->journal == P2_JOURNAL_CORRECTED) {
        uint64_t right = sim_hash(effect->result.data, effect->result.size);
        play->reference.state = sim_mix(play->reference.state, sim_mix(effect->task, right));
        return;
    }
    apply_result(play, effect);
}

void check_replay_frame(struct sim_play *play, const struct p2_frame_record *record)
{
    if (!play->is_reference_ticked) {
        tick(play, record->frame);
    }
    for (uint64_t id = play->expected_first; id < play->reference.next_task; id++) {
        struct sim_expected *task = expected(play, id);
        if (task->is_live && task->due_frame == record->frame) {
            if ((task->flags & P2_TASK_VIEW) == 0) {
                sim_violation(play->sim, "replay", "a STATE task is missing in the journal", id);
            }
            task->is_live = false;
        }
    }
    while (play->expected_first < play->reference.next_task &&
           !expected(play, play->expected_first)->is_live) {
        play->expected_first++;
    }
    if (play->reference.state != play->game.state) {
        sim_violation(play->sim, "replay", "the state differs from the replay's", record->frame);
    }
    play->is_reference_ticked = false;
}
