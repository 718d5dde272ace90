/* No result counts after its lease ended, from another peer, for another task, or twice; and what is
 * delivered is byte for byte something that was allowed to count for this task. */
#include "tests/sim/sim.h"

void check_acceptance_lease(struct sim *sim, const struct p2_effect *effect)
{
    struct sim_lease *lease = &sim->leases[effect->lease % SIM_SHADOW_LEASES];
    if (lease->id != effect->lease) {
        sim_violation(sim, "acceptance", "a result for a lease that never was", effect->lease);
        return;
    }
    if (lease->is_ended) {
        sim_violation(sim, "acceptance", "a result after the lease ended", effect->lease);
    }
    if (sim->now_us >= lease->end_us + P2_CORE_POLL_US) {
        sim_violation(sim, "acceptance", "a result after the hard timeout", effect->lease);
    }
    if (lease->is_answered) {
        sim_violation(sim, "acceptance", "two results for one lease", effect->lease);
    }
    if (lease->peer != effect->peer || lease->epoch != sim->helpers[lease->peer].link.epoch) {
        sim_violation(sim, "acceptance", "a result of another link", effect->lease);
    }
    if (lease->task != effect->task) {
        sim_violation(sim, "acceptance", "a result for another task", effect->lease);
    }
    lease->is_answered = true;
}

void check_acceptance_result(struct sim_play *play, const struct p2_delivery *delivery)
{
    if (delivery->is_degraded) {
        return;
    }
    const struct sim_task *task = sim_task(play, delivery->task);
    uint64_t hash = sim_hash(delivery->result.data, delivery->result.size);
    for (uint32_t i = 0; i < task->candidate_count; i++) {
        if (task->candidates[i] == hash) {
            return;
        }
    }
    sim_violation(play->sim, "acceptance", "bytes nobody gave for this task", delivery->task);
}
