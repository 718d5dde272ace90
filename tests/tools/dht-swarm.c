/* dht-swarm PROGRAM NODES [BOOTSTRAP-PORT]: NODES real p2c2r-dht processes on loopback.
 *
 * Publishes values on some nodes and looks them up on others, watches, kills a third of the nodes
 * for good and looks up again, then kills and stops single nodes and sees them come back. Prints
 * one line per promise ("ok ..." or "FAILED ...") and p50/p95/max of what it measured.
 * Exit status 0 when all promises held. */
#include "tests/tools/swarm.h"

#include "base/entropy.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 40 /* values published */
#define TRIES  4  /* publishes and lookups of one value; rendezvous.h does the same */

/* A stopped node must be noticed within the test's time, a slow one must not be taken for it. */
#define HANG_MS 8000

/* One publish or lookup that is waited for. */
struct wait {
    bool is_over, is_found;
    int result;
    const uint8_t *value;
};

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
    uint64_t from = swarm_now_us();
    make(round, &key, value);
    if (p2_overlay_publish(swarm.nodes[node], &key, p2_span(value, sizeof value), &events, &wait,
                           NULL) != P2_OK ||
        !swarm_run_until(is_over, &wait)) {
        return false;
    }
    *ret_us = swarm_now_us() - from;
    return wait.result == P2_OK;
}

/* Looks up until found, publishing anew in between as a publisher does; 0: never found. */
static uint64_t resolve(int reader, int writer, int round, int *ret_tries)
{
    static const struct p2_overlay_limits limits = {.values_max = 64, .time_ms = 5000};
    struct p2_overlay_key key;
    uint8_t value[300];
    uint64_t from = swarm_now_us(), unused;
    make(round, &key, value);
    for (*ret_tries = 1; *ret_tries <= TRIES; ++*ret_tries) {
        struct wait wait = {.value = value};
        if (p2_overlay_lookup(swarm.nodes[reader], &key, &limits, &events, &wait, NULL) == P2_OK &&
            swarm_run_until(is_over, &wait) && wait.is_found) {
            return swarm_now_us() - from;
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
        int reader = first_reader + (round * 7 + 3) % (swarm.count - first_reader);
        reader = reader == writer
                     ? first_reader + (reader - first_reader + 1) % (swarm.count - first_reader)
                     : reader;
        uint64_t took = resolve(reader, writer, round, &tries);
        again += took != 0 && tries > 1;
        us[found] = took;
        found += took != 0;
    }
    (void)swarm_figure(what, us, found);
    (void)snprintf(text, sizeof text, "%s: %zu of %d values found, %d not at the first try", what,
                   found, ROUNDS, again);
    swarm_expect(found == ROUNDS, "%s", text);
}

/* Writers are among the nodes that stay; see main. */
static int survivors_from;

static int writer_of(int round)
{
    return survivors_from + round % (swarm.count - survivors_from);
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
        int watcher = survivors_from + (round + 1) % (swarm.count - survivors_from);
        struct p2_overlay_op *op = NULL;
        if (p2_overlay_watch(swarm.nodes[watcher], &key, &events, &watch, &op) != P2_OK) {
            continue;
        }
        /* The watch ends itself with the value; lost publishes are repeated. */
        from = swarm_now_us();
        for (int try = 0; try < TRIES && !watch.is_over; try++) {
            (void)publish(writer_of(round), 1000 + round, &took);
            uint64_t until = swarm_now_us() + 2000000;
            while (!watch.is_over && swarm_now_us() < until) {
                (void)uv_run(&swarm.loop, UV_RUN_ONCE);
            }
        }
        us[seen] = swarm_now_us() - from;
        seen += watch.is_found;
        if (!watch.is_over) {
            p2_overlay_cancel(swarm.nodes[watcher], op);
        }
    }
    (void)swarm_figure("publish to watcher", us, seen);
    swarm_expect(seen == ROUNDS, "every watcher saw its value");
}

/* ---- trouble ------------------------------------------------------------------------------------------- */

struct comeback {
    int node;
    uint32_t restarts;
};

static bool is_back(void *ctx)
{
    struct comeback *comeback = ctx;
    struct p2_overlay_status status = p2_overlay_status(swarm.nodes[comeback->node]);
    return status.restarts > comeback->restarts && status.state == P2_OVERLAY_CONNECTED;
}

static void check_comeback(int signal_number, int expected_error, const char *what)
{
    struct comeback comeback = {.node = swarm.count - 2}; /* the last may be the bootstrap node */
    uint64_t from = swarm_now_us();
    int tries;
    comeback.restarts = p2_overlay_status(swarm.nodes[comeback.node]).restarts;
    (void)kill(p2_overlay_dht_pid(swarm.nodes[comeback.node]), signal_number);
    bool is_good = swarm_run_until(is_back, &comeback);
    uint64_t took = swarm_now_us() - from;
    (void)swarm_figure(what, &took, is_good);
    swarm_expect(is_good, "%s", what);
    swarm_expect(p2_overlay_status(swarm.nodes[comeback.node]).last_error == expected_error,
                 "and the status names the error");
    swarm_expect(resolve(comeback.node, survivors_from, 0, &tries) != 0,
                 "and it finds values again");
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
    return *(bool *)ctx;
}

/* A node that knows only what an earlier run stored. */
static void check_stored(void)
{
    struct p2_failure failure;
    int node = survivors_from;
    bool is_closed = false;
    swarm.stored_size = 0;
    p2_overlay_close(swarm.nodes[node], on_closed, &is_closed);
    swarm_expect(swarm_run_until(is_true, &is_closed) && swarm.stored_size > 0,
                 "a node that closes stores others");
    const struct p2_overlay_dht_config config = {.program = swarm.program,
                                                 .network = swarm.network,
                                                 .nodes = p2_span(swarm.stored, swarm.stored_size)};
    int error = p2_overlay_dht_open(&swarm.nodes[node], &swarm.loop, &config, &failure);
    if (error != P2_OK) {
        exit(99);
    }
    swarm_expect(swarm_run_until(swarm_is_connected, &node),
                 "a node that knows only stored ones gets connected");
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (count < 4 || count >= SWARM_NODES_MAX - 1) {
        (void)fprintf(stderr, "usage: dht-swarm PROGRAM NODES [BOOTSTRAP-PORT]\n");
        return 64;
    }
    uint16_t bootstrap = argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0;
    uint64_t us[ROUNDS];
    size_t good = 0;
    swarm_begin(argv[1], 4711);
    swarm.hang_ms = HANG_MS;
    swarm.count = count;
    survivors_from = swarm.count / 3;
    swarm_connect(survivors_from, bootstrap);
    for (int round = 0; round < ROUNDS; round++) {
        good += publish(writer_of(round), round, &us[good]);
    }
    (void)swarm_figure("publish", us, good);
    swarm_expect(good == ROUNDS, "every publish was answered");
    read_all(0, writer_of, "lookup");
    check_watches();
    swarm_kill(survivors_from);
    read_all(survivors_from, nobody, "lookup after a third was killed");
    check_comeback(SIGKILL, P2_E_CLOSED, "a killed node comes back");
    check_comeback(SIGSTOP, P2_E_STALLED, "a stopped node comes back");
    check_stored();
    return swarm_end();
}
