/* Processes, the closed-loop load and its statistics; the same for every kind of link. */
#include "tests/bench/bench_link.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX   ((size_t)8 << 20)
#define WARM_UP_SHARE 10 /* of the measured time: caches, socket buffers, TCP's window */

void bench_die(const char *what)
{
    (void)fprintf(stderr, "p2c2r-bench: %s: %s\n", what, strerror(errno));
    exit(99);
}

uint64_t bench_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec used;
    if (clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

/* User and system time of the driver and its peers until now. */
static uint64_t all_cpu_ns(const struct bench_load *load)
{
    uint64_t sum = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < load->bench->peers; i++) {
        clockid_t clock;
        if (clock_getcpuclockid(load->children[i], &clock) == 0) {
            sum += clock_ns(clock);
        }
    }
    return sum;
}

static void send_slot(struct bench_load *load, void *peer, uint32_t slot)
{
    load->sent_ns[slot] = bench_now_ns();
    load->send(peer, slot);
}

/* The same task to two peers that are not the same. */
static void send_twice(struct bench_load *load, uint32_t slot)
{
    send_slot(load, load->peers[slot % load->ready], slot);
    load->send(load->peers[(slot + 1) % load->ready], slot);
}

void bench_load_begin(struct bench_load *load)
{
    uint64_t length_ns = (uint64_t)load->bench->seconds_ms * 1000000;
    load->warm_ns = bench_now_ns() + length_ns / WARM_UP_SHARE;
    load->end_ns = load->warm_ns + length_ns;
}

void bench_load_ready(struct bench_load *load, void *peer)
{
    const struct bench_case *bench = load->bench;
    load->peers[load->ready++] = peer;
    if (load->ready < bench->peers) {
        return;
    }
    if (bench->replicas > 1 &&
        (bench->peers < 2 ||
         (load->answers = calloc(bench->inflight, bench->rep_bytes + 1)) == NULL)) {
        bench_die("two peers and memory for what is compared");
    }
    bench_load_begin(load);
    for (uint32_t slot = 0; slot < bench->inflight; slot++) {
        if (bench->replicas > 1) {
            send_twice(load, slot);
        } else {
            send_slot(load, load->peers[slot % load->ready], slot);
        }
    }
}

bool bench_load_count(struct bench_load *load, uint64_t sent_ns)
{
    uint64_t now = bench_now_ns();
    if (load->is_over) {
        return false;
    }
    if (load->is_measuring && load->samples_count < SAMPLES_MAX) {
        load->samples[load->samples_count++] = (uint32_t)(now - sent_ns);
    }
    if (!load->is_measuring && now >= load->warm_ns) {
        load->is_measuring = true;
        load->warm_ns = now;
        load->cpu_ns = all_cpu_ns(load);
    }
    if (now >= load->end_ns) {
        load->is_over = true;
        load->measured_ns = now - load->warm_ns;
        load->cpu_ns = all_cpu_ns(load) - load->cpu_ns;
        load->stop(load);
        return false;
    }
    return true;
}

/* True when both answers of a slot are there and equal. */
static bool is_agreed(struct bench_load *load, uint32_t slot, struct p2_span output)
{
    uint8_t *first = load->answers + (size_t)slot * load->bench->rep_bytes;
    if (output.size != load->bench->rep_bytes) {
        bench_die("an answer of another size");
    }
    load->answered[slot] ^= 1;
    if (load->answered[slot] != 0) {
        memcpy(first, output.data, output.size);
        return false;
    }
    if (memcmp(first, output.data, output.size) != 0) {
        bench_die("two answers differ");
    }
    return true;
}

void bench_load_reply(struct bench_load *load, void *peer, uint32_t slot, struct p2_span output)
{
    if (load->is_over) {
        return;
    }
    if (slot >= load->bench->inflight) {
        bench_die("an answer to nothing");
    }
    bool is_pair = load->bench->replicas > 1;
    if ((is_pair && !is_agreed(load, slot, output)) ||
        !bench_load_count(load, load->sent_ns[slot])) {
        return;
    }
    if (is_pair) {
        send_twice(load, slot);
    } else {
        send_slot(load, peer, slot);
    }
}

/* ---- processes --------------------------------------------------------------------------------- */

static void pin_to(enum bench_pin pin, bool is_driver)
{
    cpu_set_t set;
    if (pin == BENCH_PIN_NONE) {
        return;
    }
    CPU_ZERO(&set);
    CPU_SET(pin == BENCH_PIN_SPLIT && !is_driver ? 1 : 0, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        bench_die("sched_setaffinity");
    }
}

static void start_peer(const struct bench_system *system, struct bench_load *load, uint32_t index)
{
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("pipe");
    }
    int child = fork();
    if (child < 0) {
        bench_die("fork");
    }
    if (child == 0) {
        uint16_t port = 0;
        (void)close(ends[1]);
        pin_to(load->bench->pin, false);
        if (read(ends[0], &port, sizeof port) == (ssize_t)sizeof port) {
            system->serve(load->bench, port);
        }
        _exit(0);
    }
    (void)close(ends[0]);
    load->port_pipes[index] = ends[1];
    load->children[index] = child;
}

static void publish(struct bench_load *load, uint16_t port)
{
    for (uint32_t i = 0; i < load->bench->peers; i++) {
        if (write(load->port_pipes[i], &port, sizeof port) != (ssize_t)sizeof port) {
            bench_die("write");
        }
        (void)close(load->port_pipes[i]);
    }
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The driver runs in a process of its own as well, so that no measurement inherits another's
 * memory, and hands its result back through a pipe. */
static void drive_and_report(const struct bench_system *system, const struct bench_case *bench,
                             int out)
{
    struct bench_load *load = calloc(1, sizeof *load);
    struct bench_result result = {0};
    if (load == NULL || (load->samples = malloc(SAMPLES_MAX * sizeof *load->samples)) == NULL) {
        bench_die("memory");
    }
    load->bench = bench;
    load->publish = publish;
    for (uint32_t i = 0; i < bench->peers; i++) {
        start_peer(system, load, i);
    }
    pin_to(bench->pin, true);
    system->drive(load);
    for (uint32_t i = 0; i < bench->peers; i++) {
        (void)waitpid(load->children[i], NULL, 0);
    }
    if (load->samples_count == 0 || load->measured_ns == 0) {
        bench_die("nothing was measured");
    }
    size_t count = load->samples_count;
    qsort(load->samples, count, sizeof *load->samples, compare_samples);
    result.tasks_s = (double)count * 1e9 / (double)load->measured_ns;
    result.p50_us = load->samples[count / 2] / 1e3;
    result.p99_us = load->samples[count - 1 - count / 100] / 1e3;
    result.cpu_us = (double)load->cpu_ns / 1e3 / (double)count;
    if (write(out, &result, sizeof result) != (ssize_t)sizeof result) {
        bench_die("write");
    }
}

struct bench_result bench_measure(const struct bench_system *system, const struct bench_case *bench)
{
    struct bench_result result;
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("pipe");
    }
    int driver = fork();
    if (driver < 0) {
        bench_die("fork");
    }
    if (driver == 0) {
        (void)close(ends[0]);
        drive_and_report(system, bench, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    if (read(ends[0], &result, sizeof result) != (ssize_t)sizeof result) {
        (void)fprintf(stderr, "p2c2r-bench: %s did not finish\n", system->name);
        exit(99);
    }
    (void)close(ends[0]);
    (void)waitpid(driver, NULL, 0);
    return result;
}
