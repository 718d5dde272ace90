/* No honest helper loses integrity, whatever the network does. */
#include "tests/sim/sim.h"

void check_integrity(struct sim *sim, const struct p2_effect *effect)
{
    if (!sim->helpers[effect->peer].has_lied) {
        sim_violation(sim, "integrity", "an honest helper is accused", effect->peer);
    }
}
