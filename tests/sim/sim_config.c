/* The seed draws the configuration too (swarm testing); a profile bounds what it may draw. */
#include "tests/sim/sim.h"

#include <string.h>

static uint32_t between(struct sim *sim, uint32_t low, uint32_t high)
{
    return (uint32_t)p2_rng_between(&sim->draws, low, high);
}

static bool one_in(struct sim *sim, uint32_t n)
{
    return p2_rng_below(&sim->draws, n) == 0;
}

static void draw_common(struct sim *sim)
{
    struct sim_config *config = &sim->config;
    *config = (struct sim_config){
        .helpers = one_in(sim, 10) ? between(sim, 0, 2) : between(sim, 1, 60),
        .gamers = between(sim, 1, 8),
        .rtt_min_us = between(sim, 1000, 30000),
        .jitter_us = between(sim, 0, 20000),
        .loss_ppm = 0,
        .catch_ppm = 1000000,
        .check_us = one_in(sim, 3) ? between(sim, 1, 3000) : 0,
        .cores_max = between(sim, 1, 8),
        .slots_max = between(sim, 1, 64),
        .local_cores = between(sim, 0, 4),
        .leases_max = one_in(sim, 4) ? between(sim, 8, 64) : 4096,
        .tasks_max = P2_CORE_TASKS_MAX,
        .window_max = between(sim, 1, 256),
        .c1_tasks = between(sim, 0, 20),
        .c2_tasks = between(sim, 0, 6),
        .c3_tasks = between(sim, 0, 40),
        .replicas_ppm = one_in(sim, 3) ? between(sim, 0, 300000) : 0,
        .blobs_ppm = one_in(sim, 3) ? between(sim, 0, 500000) : 0,
        .cost_min = between(sim, 50, 1000),
    };
    config->sessions = one_in(sim, 3) ? between(sim, 2, SIM_PLAYS_MAX) : 1;
    if (one_in(sim, 3)) {
        config->clouds_ppm = between(sim, 50000, 500000);
        config->cloud_units = between(sim, 0, 2000000);
        config->secrets_ppm = one_in(sim, 2) ? between(sim, 0, 300000) : 0;
    }
    config->drain_every_us = one_in(sim, 3) ? between(sim, 100000, 2000000) : 0;
    config->rtt_max_us = config->rtt_min_us + between(sim, 0, 150000);
    config->cost_max = config->cost_min + between(sim, 0, 5000);
}

static void add_churn(struct sim *sim)
{
    struct sim_config *config = &sim->config;
    config->loss_ppm = one_in(sim, 2) ? between(sim, 0, 50000) : 0;
    config->deaths_per_min_ppm = between(sim, 0, 20000000);
    config->restart_us = between(sim, 10000, 3000000);
    config->fault_every_us = between(sim, 20000, 2000000);
    config->silent_death_ppm = between(sim, 0, 1000000);
}

static void add_liars(struct sim *sim)
{
    struct sim_config *config = &sim->config;
    config->liars_ppm = between(sim, 100000, 600000);
    config->liar_set = between(sim, 1, 511);
    config->catch_ppm = one_in(sim, 2) ? 1000000 : between(sim, 900000, 1000000);
}

/* DESIGN 8 and issue 5: 30 helpers at 20-60 ms, 20 ms jitter, 5 % dying a minute. Tasks
 * of about a tile (1.6 ms), 32 ms of them a frame: what the two own cores could do alone with nothing
 * else, so that helpers carry the load and own cores are the reserve. */
static void set_ontime(struct sim *sim)
{
    sim->config = (struct sim_config){
        .helpers = 30,
        .sessions = 1,
        .gamers = 1,
        .rtt_min_us = 20000,
        .rtt_max_us = 60000,
        .jitter_us = 20000,
        .deaths_per_min_ppm = 50000,
        .restart_us = 60000000,
        .catch_ppm = 1000000,
        .cores_max = 8,
        .slots_max = 64,
        .local_cores = 2,
        .leases_max = 8192,
        .tasks_max = 8192,
        .window_max = 64,
        .c1_tasks = 20,
        .c2_tasks = 4,
        .c3_tasks = 8,
        .cost_min = 800,
        .cost_max = 2400,
    };
}

void sim_draw(struct sim *sim)
{
    draw_common(sim);
    if (sim->profile == SIM_CHURN || sim->profile == SIM_SWARM) {
        add_churn(sim);
    }
    if (sim->profile == SIM_LIARS || (sim->profile == SIM_SWARM && one_in(sim, 2))) {
        add_liars(sim);
    }
    if (sim->profile == SIM_SWARM && one_in(sim, 20)) {
        sim->config.helpers = between(sim, 200, SIM_HELPERS_MAX);
    }
    if (sim->profile >= SIM_ONTIME) {
        set_ontime(sim);
    }
    if (sim->profile == SIM_MASSACRE) {
        sim->config.massacre_us = 10000000;
        sim->config.deaths_per_min_ppm = 0;
    } else if (sim->profile == SIM_ALONE) {
        sim->config.helpers = 0;
    } else if (sim->profile >= SIM_POLICED) {
        sim->config.helpers = 10;
        sim->config.deaths_per_min_ppm = 0;
        sim->config.catch_ppm = 0; /* lies that pass every check */
        sim->config.rtt_min_us = 5000;
        sim->config.rtt_max_us = 6000;
        sim->config.jitter_us = 2000;
        sim->config.c1_tasks = 8;
        sim->config.c2_tasks = 4;
        sim->config.c3_tasks = 4;
        sim->config.cost_min = 50;
        sim->config.cost_max = 250;
    } else if (sim->profile == SIM_BURST) {
        sim->config.helpers = 2;
        sim->config.burst = 10000;
        sim->config.local_cores = 0;
        sim->config.tasks_max = P2_CORE_TASKS_MAX;
        sim->config.deaths_per_min_ppm = 0;
    }
}
