/* Secret tasks never reach a peer, and the host's machines cost no more than their hourly limit. */
#include "tests/sim/sim.h"

void check_tiers(struct sim *sim, const struct p2_effect *effect)
{
    const struct sim_helper *helper = &sim->helpers[effect->peer];
    if (effect->session == P2_SESSION_NONE) {
        return;
    }
    const struct sim_task *task = sim_task(sim_play_of(sim, effect->session), effect->task);
    if ((task->flags & P2_TASK_SECRET) != 0 && !helper->is_cloud) {
        sim_violation(sim, "tiers", "a peer sees a secret task", effect->task);
    }
    if (helper->is_cloud) {
        sim->cloud_leases++;
        if (sim->core.counters.cloud_units > sim->config.cloud_units) {
            sim_violation(sim, "tiers", "the cloud's hourly limit is passed", effect->task);
        }
    }
}
