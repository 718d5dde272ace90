/* Each task settles exactly once, in its frame, in the order of ids. */
#include "tests/sim/sim.h"

void check_once(struct sim_play *play, const struct p2_delivery *delivery, uint64_t frame)
{
    struct sim *sim = play->sim;
    struct sim_task *task = sim_task(play, delivery->task);
    if (task->id != delivery->task) {
        sim_violation(sim, "once", "a task that was never submitted", delivery->task);
        return;
    }
    if (task->is_delivered) {
        sim_violation(sim, "once", "delivered twice", delivery->task);
    }
    if (task->is_cancelled) {
        sim_violation(sim, "once", "delivered after it was cancelled", delivery->task);
    }
    if (task->due_frame != frame) {
        sim_violation(sim, "once", "not in its frame", delivery->task);
    }
    if (delivery->task <= play->last_task) {
        sim_violation(sim, "once", "not sorted by id", delivery->task);
    }
    play->last_task = delivery->task;
    task->is_delivered = true;
}
