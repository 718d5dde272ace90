/* The subcommand `dispatch`: leases through the production core against the floors, ZeroMQ with CURVE
 * and gearmand, all in turns in one run. Rows 1, 2, 3 and 4 of DESIGN 14. */
#include "tests/bench/bench_link.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPS_MAX 99

enum { F1, F2, CORE, ZMQ, GEARMAN, AHEAD, SYSTEMS };
static const struct bench_system *const systems[SYSTEMS] = {
    &bench_floor_1, &bench_floor_2, &bench_core, &bench_zmq, &bench_gearman, &bench_gearman_ahead};

struct ratio {
    const char *row; /* of DESIGN 14; NULL: unused */
    int against;
    bool is_latency;
    double bar, aim;
};

struct plan {
    struct bench_case bench;
    unsigned used; /* bits of systems */
    struct ratio ratios[4];
};

#define BIT(system) (1u << (system))

static const struct plan plans[] = {
    {{.title = "leases", .req_bytes = 1024, .rep_bytes = 64, .inflight = 256, .peers = 2},
     BIT(F1) | BIT(F2) | BIT(CORE) | BIT(ZMQ) | BIT(GEARMAN) | BIT(AHEAD),
     {{"1 leases/s against F2", F2, false, 0.5, 0.75},
      {"2 leases/s against ZeroMQ with CURVE", ZMQ, false, 0.9, 1.3},
      {"2 leases/s against gearmand -t 1", GEARMAN, false, 5, 7},
      {"- (no bar) gearmand -t 1, workers that ask ahead", AHEAD, false, 0, 0}}},
    {{.title = "verified",
      .req_bytes = 1024,
      .rep_bytes = 64,
      .inflight = 256,
      .peers = 2,
      .replicas = 2},
     BIT(F2) | BIT(CORE),
     {{"3 verified tasks/s against F2x2", F2, false, 0.5, 0.75}}},
    {{.title = "one_lease",
      .req_bytes = 1024,
      .rep_bytes = 64,
      .inflight = 1,
      .peers = 1,
      .pin = BENCH_PIN_ONE},
     BIT(F1) | BIT(F2) | BIT(CORE),
     {{"4 p50 of one lease against F1", F1, true, 1.5, 1.25}}},
};

static struct bench_result results[REPS_MAX][SYSTEMS];

static void print_ratio(const struct ratio *ratio, unsigned reps)
{
    double values[REPS_MAX];
    for (unsigned i = 0; i < reps; i++) {
        const struct bench_result *ours = &results[i][CORE];
        const struct bench_result *other = &results[i][ratio->against];
        values[i] =
            ratio->is_latency ? ours->p50_us / other->p50_us : ours->tasks_s / other->tasks_s;
    }
    double median = bench_median(values, reps);
    bool holds = ratio->is_latency ? median <= ratio->bar : median >= ratio->bar;
    const char *sign = ratio->is_latency ? "<=" : ">=";
    (void)printf("R\trow %s\tmedian=%.3f\tmin=%.3f\tmax=%.3f\tbar%s%.2f\taim%s%.2f\t%s\n",
                 ratio->row, median, values[0], values[reps - 1], sign, ratio->bar, sign,
                 ratio->aim, holds ? "HOLDS" : "MISSED");
}

static void run_plan(const struct plan *plan, unsigned reps)
{
    (void)printf("# %s: %u/%u bytes, %u in flight, %u workers, replicas %u, %u x %u ms\n",
                 plan->bench.title, plan->bench.req_bytes, plan->bench.rep_bytes,
                 plan->bench.inflight, plan->bench.peers, plan->bench.replicas, reps,
                 plan->bench.seconds_ms);
    unsigned used = plan->used;
    if ((used & BIT(ZMQ)) != 0 && bench_zmq_lacks() != NULL) {
        (void)printf("# no ZeroMQ: %s\n", bench_zmq_lacks());
        used &= ~BIT(ZMQ);
    }
    if ((used & BIT(GEARMAN)) != 0 && bench_gearman_lacks() != NULL) {
        (void)printf("# no gearmand: %s\n", bench_gearman_lacks());
        used &= ~(BIT(GEARMAN) | BIT(AHEAD));
    }
    for (unsigned i = 0; i < reps; i++) {
        for (unsigned s = 0; s < SYSTEMS; s++) {
            if ((used & BIT(s)) != 0) {
                results[i][s] = bench_measure(systems[s], &plan->bench);
                bench_print(systems[s], &plan->bench, &results[i][s]);
            }
        }
    }
    for (size_t r = 0; r < P2_COUNT_OF(plan->ratios) && plan->ratios[r].row != NULL; r++) {
        if ((used & BIT(plan->ratios[r].against)) != 0) {
            print_ratio(&plan->ratios[r], reps);
        }
    }
}

static const char help[] =
    "Usage: p2c2r-bench dispatch [options]\n"
    "Leases through the production core over real links, against floors F1 and F2, ZeroMQ with\n"
    "CURVE and gearmand -t 1 in the same run. Without options: rows 1 to 4 of DESIGN 14.\n"
    "  --req BYTES   --rep BYTES   payloads (1024, 64)\n"
    "  --inflight N  --workers K   leases in flight, helper processes (256, 2)\n"
    "  --replicas N                2: every task on two helpers, answers compared\n"
    "  --seconds S   --reps N      of each measurement; repetitions (0.5, 5)\n"
    "  --pin WHERE                 none, one (CPU 0) or split\n"
    "  --only                      nothing but the core: for profiling\n";

static uint32_t number(const char *text, double low, double high, double scale)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)) {
        (void)fprintf(stderr, "p2c2r-bench: %s is not a number from %g to %g\n", text, low, high);
        exit(2);
    }
    return (uint32_t)(value * scale);
}

int bench_dispatch_main(int argc, char **argv)
{
    static const struct option options[] = {{"req", required_argument, NULL, 'q'},
                                            {"rep", required_argument, NULL, 'r'},
                                            {"inflight", required_argument, NULL, 'i'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"replicas", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"reps", required_argument, NULL, 'n'},
                                            {"pin", required_argument, NULL, 'p'},
                                            {"only", no_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct plan hand = plans[0];
    bool is_by_hand = false;
    uint32_t reps = 5;
    uint32_t seconds_ms = 500;
    hand.bench.title = "by_hand";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        is_by_hand |= strchr("qriwcp", option) != NULL;
        if (option == 'q') {
            hand.bench.req_bytes = number(optarg, 1, 60000, 1);
        } else if (option == 'r') {
            hand.bench.rep_bytes = number(optarg, 1, 60000, 1);
        } else if (option == 'i') {
            hand.bench.inflight = number(optarg, 1, 4096, 1);
        } else if (option == 'w') {
            hand.bench.peers = number(optarg, 1, BENCH_PEERS_MAX, 1);
        } else if (option == 'c') {
            hand.bench.replicas = number(optarg, 1, 2, 1);
        } else if (option == 's') {
            seconds_ms = number(optarg, 0.05, 3600, 1000);
        } else if (option == 'n') {
            reps = number(optarg, 1, REPS_MAX, 1);
        } else if (option == 'o') {
            hand.used = BIT(CORE);
            is_by_hand = true;
        } else if (option == 'p') {
            hand.bench.pin = strcmp(optarg, "one") == 0     ? BENCH_PIN_ONE
                             : strcmp(optarg, "split") == 0 ? BENCH_PIN_SPLIT
                                                            : BENCH_PIN_NONE;
        } else {
            (void)fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (hand.bench.replicas > 1) {
        hand.ratios[0] = plans[1].ratios[0];
        hand.ratios[1].row = NULL;
        hand.used &= ~(BIT(ZMQ) | BIT(GEARMAN) | BIT(AHEAD));
    }
    for (size_t i = 0; i < (is_by_hand ? 1 : P2_COUNT_OF(plans)); i++) {
        struct plan plan = is_by_hand ? hand : plans[i];
        plan.bench.cipher =
            p2_cipher_available(P2_CIPHER_AESGCM) ? P2_CIPHER_AESGCM : P2_CIPHER_CHACHAPOLY;
        plan.bench.seconds_ms = seconds_ms;
        run_plan(&plan, reps);
    }
    return 0;
}
