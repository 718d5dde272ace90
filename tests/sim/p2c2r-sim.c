/* p2c2r-sim: runs the authority's core in the simulator; see --help. */
#include "tests/sim/sim_store.h"
#include "tests/sim/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: p2c2r-sim [--seed N] [--seeds COUNT] [--events M] [--seconds S] [--profile NAME]\n"
    "                 [--trace] [--figures]\n"
    "Runs COUNT seeds from N on, each for M core steps or S virtual seconds, then heals the world\n"
    "and checks that everything settles. Profiles: honest churn liars swarm, and the fixed\n"
    "scenarios ontime massacre alone burst policed turned. Exit status 1 when a checker "
    "complained.\n"
    "Profile trust [--full]: audits, reputation and money against liars; the figures of\n"
    "doc/trust.md. Exit status 1 when a bar does not hold.\n";

struct arguments {
    uint64_t seed, seeds, events, seconds;
    enum sim_profile profile;
    bool is_traced, has_figures, is_trust, is_full;
};

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    *ret_number = number;
    return end != text && *end == '\0';
}

static bool read_profile(const char *text, enum sim_profile *ret_profile)
{
    for (int i = 0; i <= SIM_TURNED; i++) {
        if (strcmp(text, sim_profile_name((enum sim_profile)i)) == 0) {
            *ret_profile = (enum sim_profile)i;
            return true;
        }
    }
    return false;
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            arguments->is_traced = true;
            continue;
        }
        if (strcmp(argv[i], "--figures") == 0) {
            arguments->has_figures = true;
            continue;
        }
        if (strcmp(argv[i], "--full") == 0) {
            arguments->is_full = true;
            continue;
        }
        bool is_good = false;
        if (strcmp(argv[i], "--profile") == 0 && strcmp(value, "trust") == 0) {
            is_good = arguments->is_trust = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            is_good = read_number(value, &arguments->seed);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            is_good = read_number(value, &arguments->seeds);
        } else if (strcmp(argv[i], "--events") == 0) {
            is_good = read_number(value, &arguments->events);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            is_good = read_number(value, &arguments->seconds);
        } else if (strcmp(argv[i], "--profile") == 0) {
            is_good = read_profile(value, &arguments->profile);
        }
        if (!is_good) {
            return false;
        }
        i++;
    }
    return true;
}

static void print_figures(const struct sim *sim)
{
    const struct p2_core_counters *counters = &sim->core.counters;
    (void)printf("  tasks=%llu delivered=%llu degraded=%llu cancelled=%llu wrong_applied=%llu\n",
                 (unsigned long long)sim->submitted, (unsigned long long)sim->delivered,
                 (unsigned long long)sim->degraded, (unsigned long long)sim->cancelled,
                 (unsigned long long)sim->wrong_applied);
    (void)printf("  peer=%llu second=%llu cloud=%llu local=%llu hedges=%llu late=%llu refused=%llu "
                 "wrong=%llu strikes=%llu expired=%llu lost=%llu\n",
                 (unsigned long long)sim->tiers[0], (unsigned long long)sim->tiers[1],
                 (unsigned long long)sim->tiers[2], (unsigned long long)sim->tiers[3],
                 (unsigned long long)counters->hedges, (unsigned long long)counters->results_late,
                 (unsigned long long)counters->results_refused,
                 (unsigned long long)counters->results_wrong, (unsigned long long)counters->strikes,
                 (unsigned long long)counters->leases_expired,
                 (unsigned long long)counters->leases_lost);
    (void)printf("  sessions=%u cloud_leases=%llu drained=%llu\n", sim->play_count,
                 (unsigned long long)sim->cloud_leases, (unsigned long long)sim->drained);
    (void)printf("  depth=%u helpers=%u degraded_frames_after_massacre=%llu "
                 "on_time_1s_after=%llu/%llu\n",
                 sim->plays[0].reference_depth, sim->config.helpers,
                 (unsigned long long)sim->degraded_after_massacre,
                 (unsigned long long)sim->on_time_after, (unsigned long long)sim->frames_after);
    struct sim_store_figures kept = sim_store_figures(sim->store);
    (void)printf("  store: frames=%llu promises=%llu power_cuts=%llu replayed=%llu full_disks=%llu "
                 "images=%llu\n",
                 (unsigned long long)kept.frames, (unsigned long long)kept.durable,
                 (unsigned long long)kept.cuts, (unsigned long long)kept.replayed,
                 (unsigned long long)kept.full, (unsigned long long)kept.checkpoints);
    for (size_t i = 1; i < P2_COUNT_OF(sim->reasons); i++) {
        (void)printf("  %s=%llu", p2_frame_reason_name(i), (unsigned long long)sim->reasons[i]);
    }
    (void)printf("\n");
}

static bool run_seed(const struct arguments *arguments, uint64_t seed)
{
    struct sim *sim = malloc(sizeof *sim);
    if (sim == NULL || sim_init(sim, arguments->profile, seed, arguments->is_traced) != P2_OK) {
        (void)fputs("p2c2r-sim: out of memory\n", stderr);
        exit(99);
    }
    sim_run(sim, arguments->events, arguments->seconds * 1000000u);
    uint64_t share = sim->frames > 0 ? sim->on_time * 1000000u / sim->frames : 1000000u;
    (void)printf("seed=%llu profile=%s events=%llu virtual_s=%llu.%03llu frames=%llu "
                 "on_time=%llu.%04llu%% violations=%llu trace=%016llx\n",
                 (unsigned long long)seed, sim_profile_name(sim->profile),
                 (unsigned long long)sim->steps, (unsigned long long)(sim->now_us / 1000000u),
                 (unsigned long long)(sim->now_us / 1000u % 1000u),
                 (unsigned long long)sim->plays[0].frames_seen,
                 (unsigned long long)(share / 10000u), (unsigned long long)(share % 10000u),
                 (unsigned long long)sim->violations, (unsigned long long)sim->trace);
    if (arguments->has_figures) {
        print_figures(sim);
    }
    bool is_clean = sim->violations == 0;
    sim_free(sim);
    free(sim);
    return is_clean;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1, .seeds = 1, .events = UINT64_MAX, .seconds = 3600};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (!read_arguments(argc, argv, &arguments)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    if (arguments.is_trust) {
        return trust_profile(arguments.seed, arguments.is_full) ? 0 : 1;
    }
    if (arguments.events == UINT64_MAX && arguments.seconds == 3600) {
        arguments.events = 5000;
    }
    bool is_clean = true;
    for (uint64_t i = 0; i < arguments.seeds; i++) {
        is_clean = run_seed(&arguments, arguments.seed + i) && is_clean;
    }
    return is_clean ? 0 : 1;
}
