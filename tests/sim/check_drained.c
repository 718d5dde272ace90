/* A helper that was asked to leave gets no new lease before it came back. */
#include "tests/sim/sim.h"

void check_drained(struct sim *sim, const struct p2_effect *effect)
{
    if (sim->helpers[effect->peer].is_drained) {
        sim_violation(sim, "drained", "a lease for a helper that leaves", effect->peer);
    }
}
