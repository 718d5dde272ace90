/* After healing everything settles: no task, no live lease, no local job is left over. */
#include "tests/sim/sim.h"

void check_settled(struct sim *sim)
{
    const struct p2_core *core = &sim->core;
    for (uint32_t i = 0; i < sim->play_count; i++) {
        uint32_t left = core->sessions[sim->plays[i].session].pipeline.all.count;
        if (left > 0) {
            sim_violation(sim, "settled", "tasks are left", left);
        }
    }
    for (uint32_t peer = 0; peer < sim->config.helpers; peer++) {
        if (sim->helpers[peer].is_drained && sim->helpers[peer].link.is_open) {
            sim_violation(sim, "settled", "a drained helper's link is still open", peer);
        }
    }
    uint32_t live = 0;
    for (uint32_t i = 0; i < core->leases.capacity; i++) {
        const struct p2_lease *lease = &core->leases.items[i];
        /* A silent liar's warm-up may still be waited for: that takes as long as healing. */
        live += lease->session != P2_SESSION_NONE &&
                        (p2_lease_is_live(lease) || lease->state == P2_LEASE_ANSWERED)
                    ? 1
                    : 0;
    }
    if (live > 0) {
        sim_violation(sim, "settled", "leases are left", live);
    }
    if (core->job_count > 0) {
        sim_violation(sim, "settled", "local jobs are left", core->job_count);
    }
    if (sim->submitted != sim->delivered + sim->cancelled) {
        sim_violation(sim, "settled", "tasks were lost", sim->submitted);
    }
}
