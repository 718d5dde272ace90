/* Leases, queues and memory stay within their limits, and the tables agree with each other. */
#include "tests/sim/sim.h"

static void check_helper(struct sim *sim, uint32_t peer, uint32_t *live)
{
    const struct p2_helper *helper = &sim->core.helpers.items[peer];
    if (helper->state == P2_HELPER_ABSENT) {
        return;
    }
    *live += helper->live;
    if (helper->live > helper->window + 1u) { /* a warm-up may come on top */
        sim_violation(sim, "limits", "more leases than the helper's window", peer);
    }
    if (helper->running > helper->cores && helper->state == P2_HELPER_ACTIVE) {
        sim_violation(sim, "limits", "more running than cores", peer);
    }
    if (helper->blobs.bytes > helper->blobs.cache_bytes) {
        sim_violation(sim, "limits", "more contents than the helper's cache", peer);
    }
    if (helper->owed < helper->live || helper->owed < helper->forgotten) {
        sim_violation(sim, "limits", "owed answers do not add up", peer);
    }
}

static void check_session(struct sim *sim, uint16_t index)
{
    const struct p2_core *core = &sim->core;
    const struct p2_session *session = &core->sessions[index];
    uint32_t working = 0;
    for (uint32_t i = 0; i < core->leases.capacity; i++) {
        const struct p2_lease *lease = &core->leases.items[i];
        working += p2_lease_is_live(lease) && lease->session == index ? 1 : 0;
    }
    if (session->placement.share.total != working) {
        sim_violation(sim, "limits", "the session's share does not add up", working);
    }
    const struct p2_pipeline *pipeline = &session->pipeline;
    if (pipeline->submitted != pipeline->delivered + pipeline->cancelled + pipeline->all.count) {
        sim_violation(sim, "limits", "tasks do not add up", pipeline->submitted);
    }
    if (pipeline->all.count > pipeline->capacity || pipeline->reserved > pipeline->memory_max ||
        pipeline->pool.used_bytes > pipeline->pool.used_max ||
        (pipeline->all.count == 0 && pipeline->reserved != 0)) {
        sim_violation(sim, "limits", "tasks or memory above the limit", pipeline->all.count);
    }
}

void check_limits(struct sim *sim)
{
    const struct p2_core *core = &sim->core;
    uint32_t sum = 0;
    for (size_t i = 0; i < P2_LEASE_STATES; i++) {
        sum += core->leases.counts[i];
    }
    if (sum != core->leases.capacity || core->leases.counts[P2_LEASE_SETTLED] != 0) {
        sim_violation(sim, "limits", "lease states do not add up", sum);
    }
    uint32_t live = 0;
    for (uint32_t peer = 0; peer < core->helpers.capacity; peer++) {
        check_helper(sim, peer, &live);
    }
    if (live != core->leases.counts[P2_LEASE_OFFERED] + core->leases.counts[P2_LEASE_RUNNING]) {
        sim_violation(sim, "limits", "live leases do not add up", live);
    }
    for (uint32_t i = 0; i < sim->play_count; i++) {
        check_session(sim, sim->plays[i].session);
    }
    uint64_t backlog = 0;
    for (uint32_t i = 0; i < core->job_count; i++) {
        backlog += core->jobs[i].predicted_us;
    }
    if (backlog != core->local_backlog_us) {
        sim_violation(sim, "limits", "own cores' backlog does not add up", backlog);
    }
    if (sim->out.count > sim->out.capacity) {
        sim_violation(sim, "limits", "outbox", sim->out.count);
    }
}
