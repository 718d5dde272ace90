/* Thread CPU time of split (submit and dispatch), settle (results and checks, decoding included) and
 * assemble (delivery), per frame, with many helpers connected. Everything but the core is outside
 * the measured spans. */
#include "tests/bench/bench_frame.h"

#include "authority/core.h"
#include "wire/encode.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEASES_MAX 8192u

struct bench {
    struct p2_core core;
    struct p2_outbox out;
    uint16_t session;
    uint32_t tasks;
    uint32_t helpers;
    uint64_t now_us;
    uint64_t tick_ns, commit_ns, split_ns, assemble_ns;
    struct {
        uint64_t lease;
        uint32_t peer;
    } leases[LEASES_MAX];
    uint32_t lease_count;
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void tick(void *ctx, uint64_t frame)
{
    struct bench *bench = ctx;
    static uint8_t input[1024];
    bench->tick_ns = cpu_ns();
    for (uint32_t i = 0; i < bench->tasks; i++) {
        struct p2_task_spec spec = {.class = i % 4 == 3 ? P2_CLASS_C2 : P2_CLASS_C1,
                                    .slack_frames = 10,
                                    .output_max = 256,
                                    .cost_units = 1600,
                                    .tag = frame,
                                    .input = p2_span(input, sizeof input)};
        uint64_t task;
        if (p2_session_submit(&bench->core, bench->session, &spec, &task) != P2_OK) {
            (void)fputs("p2c2r-bench: a task was refused\n", stderr);
            exit(1);
        }
    }
    bench->split_ns = cpu_ns() - bench->tick_ns;
    bench->commit_ns = cpu_ns();
}

static void commit(void *ctx, uint64_t frame)
{
    struct bench *bench = ctx;
    (void)frame;
    uint64_t now = cpu_ns();
    bench->assemble_ns = now - bench->commit_ns;
    bench->commit_ns = now;
}

static void collect(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->out.count; i++) {
        const struct p2_effect *effect = &bench->out.items[i];
        if (effect->type == P2_EFFECT_LEASE && bench->lease_count < LEASES_MAX) {
            bench->leases[bench->lease_count].lease = effect->lease;
            bench->leases[bench->lease_count++].peer = effect->peer;
        }
    }
    p2_outbox_clear(&bench->out);
}

static void step(struct bench *bench, const struct p2_event *event)
{
    if (p2_core_step(&bench->core, event, bench->now_us, &bench->out) != P2_OK) {
        (void)fputs("p2c2r-bench: an event was refused\n", stderr);
        exit(1);
    }
}

/* Answers all collected leases; returns the core's time for it. */
static uint64_t settle(struct bench *bench)
{
    static const uint8_t output[256];
    uint64_t spent = 0;
    uint32_t count = bench->lease_count;
    bench->lease_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct p2_msg_result result = {.id = bench->leases[i].lease,
                                       .output = p2_span(output, sizeof output)};
        uint8_t body[512];
        struct p2_writer writer;
        p2_writer_init(&writer, body, sizeof body);
        (void)p2_wire_encode_result(&writer, &result);
        struct p2_event event = {.type = P2_EVENT_MESSAGE,
                                 .peer = bench->leases[i].peer,
                                 .message = P2_MSG_RESULT,
                                 .bytes = p2_writer_span(&writer)};
        struct p2_event checked = {.type = P2_EVENT_CHECKED,
                                   .lease = bench->leases[i].lease,
                                   .bytes = p2_span(output, sizeof output)};
        uint64_t start = cpu_ns();
        step(bench, &event);
        step(bench, &checked);
        spent += cpu_ns() - start;
        collect(bench);
    }
    return spent;
}

static void connect_helpers(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->helpers; i++) {
        uint8_t ip[4] = {11, (uint8_t)(i >> 8), (uint8_t)i, 1};
        struct p2_msg_hello hello = {
            .protocol = P2_WIRE_PROTOCOL, .cores = 4, .slots = 32, .kernels_count = 1};
        p2_store_be32(hello.node.bytes, i + 1);
        hello.kernels[0].name = p2_span("model", 5);
        hello.kernels[0].version = 1;
        uint8_t body[P2_WIRE_STRANGER_MAX];
        struct p2_writer writer;
        p2_writer_init(&writer, body, sizeof body);
        (void)p2_wire_encode_hello(&writer, &hello);
        step(bench,
             &(struct p2_event){.type = P2_EVENT_OPENED, .peer = i, .ip = p2_ip_from_v4(ip)});
        step(bench, &(struct p2_event){.type = P2_EVENT_MESSAGE,
                                       .peer = i,
                                       .message = P2_MSG_HELLO,
                                       .bytes = p2_writer_span(&writer)});
        step(bench,
             &(struct p2_event){
                 .type = P2_EVENT_RTT, .peer = i, .rtt_us = 2000 + i * 20, .jitter_us = 500});
        collect(bench);
    }
    bench->now_us += 5000;
    (void)settle(bench);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static void print(const char *what, uint64_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare);
    (void)printf("F %-8s p50=%.1f us  p99=%.1f us  max=%.1f us  bar p99 <= 1000 us\n", what,
                 (double)samples[count / 2] / 1000, (double)samples[count * 99 / 100] / 1000,
                 (double)samples[count - 1] / 1000);
}

static int start(struct bench *bench)
{
    static struct p2_core_kernel kernel = {
        .name = "model", .version = 1, .warm_cost = 1000, .warm_output_max = 256};
    static const uint8_t output[256];
    struct p2_span right = p2_span(output, sizeof output);
    p2_hash(kernel.warm_digest, sizeof kernel.warm_digest, &right, 1);
    struct p2_core_options options = {.kernels = &kernel,
                                      .kernel_count = 1,
                                      .helpers_max = bench->helpers,
                                      .leases_max = LEASES_MAX,
                                      .blobs_each = 64,
                                      .sessions_max = 1,
                                      .window_max = 32,
                                      .local_cores = 2,
                                      .is_open = true};
    p2_rng_init_u64(&options.rng, 1, "bench");
    struct p2_session_options session = {
        .game = {.ctx = bench, .tick = tick, .commit = commit},
        .tasks_max = 4096,
        .memory_max = 64u << 20,
        .start_us = 1000000,
    };
    int error = p2_core_init(&bench->core, &options);
    if (error == P2_OK) {
        error = p2_session_open(&bench->core, &session, &bench->session);
    }
    return error == P2_OK ? p2_outbox_init(&bench->out, p2_core_outbox_needed(&bench->core))
                          : error;
}

static int run(struct bench *bench, uint32_t frames)
{
    uint64_t *samples = calloc(3u * frames, sizeof *samples);
    if (samples == NULL) {
        return P2_E_NOMEM;
    }
    connect_helpers(bench);
    for (uint32_t i = 0; i < frames; i++) {
        bench->now_us = 1000000u + (uint64_t)i * 1000000u / 60 + 1;
        step(bench, &(struct p2_event){.type = P2_EVENT_TIME});
        samples[i] = bench->split_ns + cpu_ns() - bench->commit_ns;
        samples[2 * frames + i] = bench->assemble_ns;
        collect(bench);
        bench->now_us += 8000;
        samples[frames + i] = settle(bench);
    }
    (void)printf("frame: helpers=%u tasks=%u frames=%u on_time=%llu\n", bench->helpers,
                 bench->tasks, frames,
                 (unsigned long long)bench->core.sessions[bench->session].frames_on_time);
    print("split", samples, frames);
    print("settle", samples + frames, frames);
    print("assemble", samples + 2u * frames, frames);
    free(samples);
    return P2_OK;
}

int bench_frame_main(int argc, char **argv)
{
    static const struct option options[] = {{"helpers", required_argument, NULL, 'h'},
                                            {"tasks", required_argument, NULL, 't'},
                                            {"frames", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        return 99;
    }
    bench->helpers = 1000;
    bench->tasks = 60;
    uint32_t frames = 1000;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint32_t number = optarg == NULL ? 0 : (uint32_t)strtoul(optarg, NULL, 10);
        if (option == 'h') {
            bench->helpers = number;
        } else if (option == 't') {
            bench->tasks = number;
        } else if (option == 'f') {
            frames = number;
        }
        if (option == '?' || number == 0) {
            (void)fputs("Usage: p2c2r-bench frame [--helpers N] [--tasks N] [--frames N]\n",
                        stderr);
            free(bench);
            return 2;
        }
    }
    int error = start(bench);
    if (error == P2_OK) {
        error = run(bench, frames);
    }
    p2_outbox_free(&bench->out);
    p2_core_free(&bench->core);
    free(bench);
    return error == P2_OK ? 0 : 1;
}
