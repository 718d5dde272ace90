/* The subcommand `link`: which measurements are made, interleaved, and what their ratios say. */
#include "tests/bench/bench_link.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPS_MAX 99

enum system_index { F1, F2, OURS, SYSTEMS };
static const struct bench_system *const systems[SYSTEMS] = {&bench_floor_1, &bench_floor_2,
                                                            &bench_ours};

/* What a ratio is made of: ours against a floor in the same repetition. */
struct bar {
    const char *what;
    enum system_index floor;
    bool is_latency; /* p50: smaller is better; else tasks_s */
    double bar;      /* 0: shown without a verdict */
};

struct bench_plan {
    struct bench_case bench;
    struct bar bars[4];
};

static const char *pin_name(enum bench_pin pin)
{
    switch (pin) {
    case BENCH_PIN_NONE:
        return "none";
    case BENCH_PIN_ONE:
        return "one";
    case BENCH_PIN_SPLIT:
        break;
    }
    return "split";
}

void bench_print(const struct bench_system *system, const struct bench_case *bench,
                 const struct bench_result *result)
{
    (void)printf("D\t%s\t%u/%u\tw%u\tk%u\ttasks_s=%.0f\tp50_us=%.1f\tp99_us=%.1f\tcpu_us=%.2f\n",
                 system->name, bench->req_bytes, bench->rep_bytes, bench->inflight, bench->peers,
                 result->tasks_s, result->p50_us, result->p99_us, result->cpu_us);
    (void)fflush(stdout);
}

static int compare_doubles(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

double bench_median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void print_ratio(const struct bench_plan *plan, const struct bar *bar,
                        struct bench_result (*results)[SYSTEMS], unsigned reps)
{
    double ratios[REPS_MAX];
    for (unsigned i = 0; i < reps; i++) {
        const struct bench_result *ours = &results[i][OURS];
        const struct bench_result *floor = &results[i][bar->floor];
        ratios[i] = bar->is_latency ? ours->p50_us / floor->p50_us : ours->tasks_s / floor->tasks_s;
    }
    double ratio = bench_median(ratios, reps);
    (void)printf("R\t%s\t%s\tmedian=%.3f\tmin=%.3f\tmax=%.3f", plan->bench.title, bar->what, ratio,
                 ratios[0], ratios[reps - 1]);
    if (bar->bar > 0) {
        bool holds = bar->is_latency ? ratio <= bar->bar : ratio >= bar->bar;
        (void)printf("\tbar%s%.2f\t%s", bar->is_latency ? "<=" : ">=", bar->bar,
                     holds ? "HOLDS" : "MISSED");
    }
    (void)printf("\n");
}

/* One plan: in every repetition the systems take turns, so that a slow stretch of the machine hits
 * all of them. */
static void run_plan(const struct bench_plan *plan, unsigned reps)
{
    struct bench_result results[REPS_MAX][SYSTEMS];
    (void)printf("# %s: %u/%u bytes, %u in flight, %u peers, cipher %s, pin %s, %u x %u ms\n",
                 plan->bench.title, plan->bench.req_bytes, plan->bench.rep_bytes,
                 plan->bench.inflight, plan->bench.peers,
                 plan->bench.cipher == P2_CIPHER_AESGCM ? "aes" : "chacha",
                 pin_name(plan->bench.pin), reps, plan->bench.seconds_ms);
    for (unsigned i = 0; i < reps; i++) {
        for (unsigned s = 0; s < SYSTEMS; s++) {
            results[i][s] = bench_measure(systems[s], &plan->bench);
            bench_print(systems[s], &plan->bench, &results[i][s]);
        }
    }
    for (unsigned b = 0; b < P2_COUNT_OF(plan->bars) && plan->bars[b].what != NULL; b++) {
        print_ratio(plan, &plan->bars[b], results, reps);
    }
}

static const struct bench_plan standard_plans[] = {
    {{.title = "one_in_flight",
      .req_bytes = 1024,
      .rep_bytes = 64,
      .inflight = 1,
      .peers = 1,
      .pin = BENCH_PIN_ONE},
     {{"p50/F1", F1, true, 1.5}, {"p50/F2", F2, true, 0}}},
    {{.title = "dispatch",
      .req_bytes = 1024,
      .rep_bytes = 64,
      .inflight = 256,
      .peers = 2,
      .pin = BENCH_PIN_NONE},
     {{"tasks_s/F2", F2, false, 0.6}, {"tasks_s/F1", F1, false, 0}}},
    {{.title = "streaming",
      .req_bytes = 16384,
      .rep_bytes = 16,
      .inflight = 64,
      .peers = 1,
      .pin = BENCH_PIN_SPLIT},
     {{"tasks_s/F1", F1, false, 0.8}, {"tasks_s/F2", F2, false, 0}}},
};

static const char help[] =
    "Usage: p2c2r-bench link [options]\n"
    "Round trips over an encrypted link, ours against floors F1 and F2 in the same run.\n"
    "Without options: the standard measurements and their bars.\n"
    "  --req BYTES      request, 1..60000\n"
    "  --rep BYTES      reply, 0..60000\n"
    "  --inflight N     requests in flight, 1..65536\n"
    "  --peers K        peer processes, 1..64\n"
    "  --seconds S      of each measurement (default 0.5)\n"
    "  --cipher NAME    aes or chacha (default aes where the machine has it)\n"
    "  --pin WHERE      none, one (CPU 0) or split (driver CPU 0, peers CPU 1)\n"
    "  --reps N         repetitions, 1..99 (default 5)\n"
    "  --stream         one way: 16384 byte requests, 16 byte replies, 64 in flight\n";

static double number(const char *text, double low, double high)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= low && value <= high)) {
        (void)fprintf(stderr, "p2c2r-bench: %s is not a number from %g to %g\n", text, low, high);
        exit(2);
    }
    return value;
}

struct settings {
    struct bench_plan plan; /* by hand */
    bool is_by_hand;
    unsigned reps;
    uint32_t seconds_ms;
    enum p2_cipher cipher;
};

static void set_names(struct settings *settings, int option, const char *text)
{
    if (option == 'c') {
        settings->cipher = strcmp(text, "chacha") == 0 ? P2_CIPHER_CHACHAPOLY : P2_CIPHER_AESGCM;
        return;
    }
    settings->is_by_hand = true;
    settings->plan.bench.pin = strcmp(text, "one") == 0     ? BENCH_PIN_ONE
                               : strcmp(text, "split") == 0 ? BENCH_PIN_SPLIT
                                                            : BENCH_PIN_NONE;
}

static void set_option(struct settings *settings, int option, const char *text)
{
    struct bench_case *bench = &settings->plan.bench;
    settings->is_by_hand |= strchr("qrikm", option) != NULL;
    switch (option) {
    case 'q':
        bench->req_bytes = (uint32_t)number(text, 1, 60000);
        break;
    case 'r':
        bench->rep_bytes = (uint32_t)number(text, 0, 60000);
        break;
    case 'i':
        bench->inflight = (uint32_t)number(text, 1, BENCH_INFLIGHT_MAX);
        break;
    case 'k':
        bench->peers = (uint32_t)number(text, 1, BENCH_PEERS_MAX);
        break;
    case 's':
        settings->seconds_ms = (uint32_t)(number(text, 0.01, 3600) * 1000);
        break;
    case 'n':
        settings->reps = (unsigned)number(text, 1, REPS_MAX);
        break;
    case 'm':
        settings->plan = standard_plans[P2_COUNT_OF(standard_plans) - 1];
        break;
    default:
        set_names(settings, option, text);
        break;
    }
}

int bench_link_main(int argc, char **argv)
{
    static const struct option options[] = {{"req", required_argument, NULL, 'q'},
                                            {"rep", required_argument, NULL, 'r'},
                                            {"inflight", required_argument, NULL, 'i'},
                                            {"peers", required_argument, NULL, 'k'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"cipher", required_argument, NULL, 'c'},
                                            {"pin", required_argument, NULL, 'p'},
                                            {"reps", required_argument, NULL, 'n'},
                                            {"stream", no_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct settings settings = {.plan = standard_plans[1], .reps = 5, .seconds_ms = 500};
    settings.plan.bench.title = "by_hand";
    settings.plan.bars[0].bar = 0;
    settings.cipher =
        p2_cipher_available(P2_CIPHER_AESGCM) ? P2_CIPHER_AESGCM : P2_CIPHER_CHACHAPOLY;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h' || option == '?') {
            (void)fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
        set_option(&settings, option, optarg);
    }
    if (!p2_cipher_available(settings.cipher)) {
        (void)fprintf(stderr, "p2c2r-bench: this machine has no AES-256-GCM\n");
        return 2;
    }
    for (size_t i = 0; i < (settings.is_by_hand ? 1 : P2_COUNT_OF(standard_plans)); i++) {
        struct bench_plan plan = settings.is_by_hand ? settings.plan : standard_plans[i];
        plan.bench.cipher = settings.cipher;
        plan.bench.seconds_ms = settings.seconds_ms;
        run_plan(&plan, settings.reps);
    }
    return 0;
}
