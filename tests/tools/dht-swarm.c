/* dht-swarm PROGRAM NODES [BOOTSTRAP-PORT]: NODES real p2c2r-dht processes on loopback.
 *
 * Publishes values on some nodes and looks them up on others, watches, kills a third of the nodes
 * for good and looks up again, then kills and stops single nodes and sees them come back. Prints
 * one line per promise ("ok ..." or "FAILED ...") and p50/p95/max of what it measured.
 * Exit status 0 when all promises held. */
#include "overlay/overlay_dht.h"

#include "base/entropy.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define NODES_MAX 256
#define ROUNDS    40 /* values published */
#define TRIES     4  /* publishes and lookups of one value; rendezvous.h does the same */

/* Nothing here may take longer. Chosen: sixty times what it takes on an idle machine. */
#define PATIENCE_MS 60000

static uv_loop_t loop;
static struct p2_overlay *nodes[NODES_MAX];
static int count, closed, failures;
static bool is_late;
static uint8_t stored[P2_OVERLAY_DHT_NODES_BYTES];
static size_t stored_size;

/* One publish or lookup that is waited for. */
struct wait {
    bool is_over, is_found;
    int result;
    const uint8_t *value;
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    is_late = true;
}

/* Runs the loop until `done` says so; false: patience is over. */
static bool run_until(bool (*done)(void *ctx), void *ctx)
{
    uv_timer_t timer;
    (void)uv_timer_init(&loop, &timer);
    is_late = false;
    (void)uv_timer_start(&timer, on_patience, PATIENCE_MS, 0);
    while (!done(ctx) && !is_late) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    return !is_late;
}

static void expect(bool is_true, const char *what)
{
    (void)printf("%s: %s\n", is_true ? "ok" : "FAILED", what);
    failures += !is_true;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void figure(const char *what, uint64_t *us, size_t n)
{
    if (n > 0) {
        qsort(us, n, sizeof *us, compare);
        (void)printf("figure: %s: p50 %.1f ms, p95 %.1f ms, max %.1f ms (%zu)\n", what,
                     (double)us[n / 2] / 1000, (double)us[n * 95 / 100] / 1000,
                     (double)us[n - 1] / 1000, n);
    }
}

/* ---- nodes --------------------------------------------------------------------------------------- */

static void on_nodes(struct p2_span list, void *ctx)
{
    (void)ctx;
    memcpy(stored, list.data, list.size);
    stored_size = list.size;
}

static void on_down(int error, const char *text, void *ctx)
{
    (void)printf("node %d: %s: %s\n", (int)(intptr_t)ctx, p2_error_name(error), text);
}

/* `restart_ms`: how soon it is started again; 0: as usual. */
static bool open_node(int i, const char *program, uint16_t bootstrap, uint32_t restart_ms)
{
    char text[32];
    const char *list[] = {text};
    struct p2_failure failure = {0};
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", bootstrap);
    const struct p2_overlay_dht_config config = {.program = program,
                                                 .network = 4711,
                                                 .bootstrap = list,
                                                 .bootstrap_count = bootstrap != 0,
                                                 .restart_min_ms = restart_ms,
                                                 .hang_ms = 3000,
                                                 .on_nodes = on_nodes,
                                                 .on_down = on_down,
                                                 .ctx = (void *)(intptr_t)i};
    if (p2_overlay_dht_open(&nodes[i], &loop, &config, &failure) != P2_OK) {
        (void)printf("node %d: %s\n", i, failure.message);
        return false;
    }
    return true;
}

static bool has_port(void *ctx)
{
    return p2_overlay_status(nodes[*(int *)ctx]).port_v4 != 0;
}

static bool is_connected(void *ctx)
{
    return p2_overlay_status(nodes[*(int *)ctx]).state == P2_OVERLAY_CONNECTED;
}

static bool are_connected(void *ctx)
{
    (void)ctx;
    int good = 0;
    for (int i = 0; i < count; i++) {
        good += p2_overlay_status(nodes[i]).state == P2_OVERLAY_CONNECTED;
    }
    return good == count;
}

/* ---- publish and lookup ----------------------------------------------------------------------------- */

static enum p2_overlay_verdict on_value(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct wait *wait = ctx;
    (void)op;
    wait->is_found |= value.size == 300 && memcmp(value.data, wait->value, value.size) == 0;
    return wait->is_found ? P2_OVERLAY_STOP : P2_OVERLAY_MORE;
}

static void on_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct wait *wait = ctx;
    (void)op;
    wait->is_over = true;
    wait->result = result;
}

static const struct p2_overlay_events events = {.on_value = on_value, .on_end = on_end};

static bool is_over(void *ctx)
{
    return ((struct wait *)ctx)->is_over;
}

static void make(int round, struct p2_overlay_key *key, uint8_t value[300])
{
    static uint8_t seed[16];
    if (seed[0] == 0) {
        p2_entropy(seed, sizeof seed);
        seed[0] = 1;
    }
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        key->bytes[i] = (uint8_t)(seed[i % 15 + 1] + round * 37 + (int)i * (round + 11));
    }
    memset(value, round + 1, 300);
}

static bool publish(int node, int round, uint64_t *ret_us)
{
    struct p2_overlay_key key;
    uint8_t value[300];
    struct wait wait = {.value = value};
    uint64_t from = now_us();
    make(round, &key, value);
    if (p2_overlay_publish(nodes[node], &key, p2_span(value, sizeof value), &events, &wait, NULL) !=
            P2_OK ||
        !run_until(is_over, &wait)) {
        return false;
    }
    *ret_us = now_us() - from;
    return wait.result == P2_OK;
}

/* Looks up until found, publishing anew in between as a publisher does; 0: never found. */
static uint64_t resolve(int reader, int writer, int round, int *ret_tries)
{
    static const struct p2_overlay_limits limits = {.values_max = 64, .time_ms = 5000};
    struct p2_overlay_key key;
    uint8_t value[300];
    uint64_t from = now_us(), unused;
    make(round, &key, value);
    for (*ret_tries = 1; *ret_tries <= TRIES; ++*ret_tries) {
        struct wait wait = {.value = value};
        if (p2_overlay_lookup(nodes[reader], &key, &limits, &events, &wait, NULL) == P2_OK &&
            run_until(is_over, &wait) && wait.is_found) {
            return now_us() - from;
        }
        if (writer >= 0) {
            (void)publish(writer, round, &unused);
        }
    }
    return 0;
}

static void read_all(int first_reader, int writer_of(int round), const char *what)
{
    uint64_t us[ROUNDS];
    size_t found = 0;
    int again = 0, tries;
    char text[128];
    for (int round = 0; round < ROUNDS; round++) {
        int writer = writer_of(round);
        int reader = first_reader + (round * 7 + 3) % (count - first_reader);
        reader = reader == writer
                     ? first_reader + (reader - first_reader + 1) % (count - first_reader)
                     : reader;
        uint64_t took = resolve(reader, writer, round, &tries);
        again += took != 0 && tries > 1;
        us[found] = took;
        found += took != 0;
    }
    figure(what, us, found);
    (void)snprintf(text, sizeof text, "%s: %zu of %d values found, %d not at the first try", what,
                   found, ROUNDS, again);
    expect(found == ROUNDS, text);
}

/* Writers are among the nodes that stay; see main. */
static int survivors_from;

static int writer_of(int round)
{
    return survivors_from + round % (count - survivors_from);
}

static int nobody(int round)
{
    (void)round;
    return -1;
}

static void check_watches(void)
{
    uint64_t us[ROUNDS];
    size_t seen = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct p2_overlay_key key;
        uint8_t value[300];
        struct wait watch = {.value = value};
        uint64_t took, from;
        make(1000 + round, &key, value);
        int watcher = survivors_from + (round + 1) % (count - survivors_from);
        struct p2_overlay_op *op = NULL;
        if (p2_overlay_watch(nodes[watcher], &key, &events, &watch, &op) != P2_OK) {
            continue;
        }
        /* The watch ends itself with the value; lost publishes are repeated. */
        from = now_us();
        for (int try = 0; try < TRIES && !watch.is_over; try++) {
            (void)publish(writer_of(round), 1000 + round, &took);
            uint64_t until = now_us() + 2000000;
            while (!watch.is_over && now_us() < until) {
                (void)uv_run(&loop, UV_RUN_ONCE);
            }
        }
        us[seen] = now_us() - from;
        seen += watch.is_found;
        if (!watch.is_over) {
            p2_overlay_cancel(nodes[watcher], op);
        }
    }
    figure("publish to watcher", us, seen);
    expect(seen == ROUNDS, "every watcher saw its value");
}

/* ---- trouble ------------------------------------------------------------------------------------------- */

struct comeback {
    int node;
    uint32_t restarts;
};

static bool is_back(void *ctx)
{
    struct comeback *comeback = ctx;
    struct p2_overlay_status status = p2_overlay_status(nodes[comeback->node]);
    return status.restarts > comeback->restarts && status.state == P2_OVERLAY_CONNECTED;
}

static void check_comeback(int signal_number, int expected_error, const char *what)
{
    struct comeback comeback = {.node = count - 2}; /* the last may be the bootstrap node */
    uint64_t from = now_us();
    int tries;
    comeback.restarts = p2_overlay_status(nodes[comeback.node]).restarts;
    (void)kill(p2_overlay_dht_pid(nodes[comeback.node]), signal_number);
    bool is_good = run_until(is_back, &comeback);
    uint64_t took = now_us() - from;
    figure(what, &took, is_good);
    expect(is_good, what);
    expect(p2_overlay_status(nodes[comeback.node]).last_error == expected_error,
           "and the status names the error");
    expect(resolve(comeback.node, survivors_from, 0, &tries) != 0, "and it finds values again");
}

static bool are_down(void *ctx)
{
    int down = 0, *most = ctx;
    for (int i = 0; i < *most; i++) {
        down += p2_overlay_dht_pid(nodes[i]) == 0;
    }
    return down == *most;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    closed++;
}

static bool is_all_closed(void *ctx)
{
    return closed == *(int *)ctx;
}

static void connect_all(const char *program, uint16_t bootstrap)
{
    int first = 0;
    uint64_t from = now_us();
    /* Without a bootstrap node the last of ours is one: it stays to the end. */
    if (bootstrap == 0) {
        first = count - 1;
        if (!open_node(first, program, 0, 0) || !run_until(has_port, &first)) {
            exit(99);
        }
        bootstrap = p2_overlay_status(nodes[first]).port_v4;
    }
    for (int i = 0; i < count; i++) {
        if (nodes[i] == NULL &&
            !open_node(i, program, bootstrap, i < survivors_from ? 120000 : 0)) {
            exit(99);
        }
    }
    expect(run_until(are_connected, NULL), "all nodes are connected");
    uint64_t took = now_us() - from;
    figure("all nodes started and connected", &took, 1);
}

/* A node that knows only what an earlier run stored. */
static void check_stored(const char *program)
{
    struct p2_failure failure;
    int node = survivors_from, all = 1;
    closed = 0;
    p2_overlay_close(nodes[node], on_closed, NULL);
    expect(run_until(is_all_closed, &all) && stored_size > 0, "a node that closes stores others");
    const struct p2_overlay_dht_config config = {
        .program = program, .network = 4711, .nodes = p2_span(stored, stored_size)};
    int error = p2_overlay_dht_open(&nodes[node], &loop, &config, &failure);
    expect(error == P2_OK && run_until(is_connected, &node),
           "a node that knows only stored ones gets connected");
    if (error != P2_OK) {
        exit(99);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || (count = (int)strtol(argv[2], NULL, 10)) < 4 || count >= NODES_MAX - 1) {
        (void)fprintf(stderr, "usage: dht-swarm PROGRAM NODES [BOOTSTRAP-PORT]\n");
        return 64;
    }
    uint16_t bootstrap = argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0;
    uint64_t us[ROUNDS];
    size_t good = 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)uv_loop_init(&loop);
    survivors_from = count / 3;
    connect_all(argv[1], bootstrap);
    for (int round = 0; round < ROUNDS; round++) {
        good += publish(writer_of(round), round, &us[good]);
    }
    figure("publish", us, good);
    expect(good == ROUNDS, "every publish was answered");
    read_all(0, writer_of, "lookup");
    check_watches();
    for (int i = 0; i < survivors_from; i++) {
        (void)kill(p2_overlay_dht_pid(nodes[i]), SIGKILL);
    }
    expect(run_until(are_down, &survivors_from), "a third of the nodes is killed");
    read_all(survivors_from, nobody, "lookup after a third was killed");
    check_comeback(SIGKILL, P2_E_CLOSED, "a killed node comes back");
    check_comeback(SIGSTOP, P2_E_STALLED, "a stopped node comes back");
    check_stored(argv[1]);
    closed = 0;
    uint64_t from = now_us();
    for (int i = 0; i < count; i++) {
        p2_overlay_close(nodes[i], on_closed, NULL);
    }
    expect(run_until(is_all_closed, &count), "all nodes close");
    uint64_t took = now_us() - from;
    figure("all nodes closed", &took, 1);
    expect(uv_loop_close(&loop) == 0, "the loop is empty");
    return failures == 0 ? 0 : 1;
}
