/* p2c2r-bench link: round trips over an encrypted link against floors in the same run. */
#ifndef P2_TESTS_BENCH_BENCH_LINK_H
#define P2_TESTS_BENCH_BENCH_LINK_H

#include "base/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_pin {
    BENCH_PIN_NONE,
    BENCH_PIN_ONE,  /* every process on CPU 0: path length, stable */
    BENCH_PIN_SPLIT /* the driver on CPU 0, the peers on CPU 1 */
};

/* One measurement. */
struct bench_case {
    const char *title;
    uint32_t req_bytes;
    uint32_t rep_bytes;
    uint32_t inflight; /* of all peers together */
    uint32_t peers;
    uint32_t replicas; /* 0 and 1: one; 2: every task on two peers, answers compared */
    uint32_t seconds_ms;
    enum p2_cipher cipher;
    enum bench_pin pin;
};

struct bench_result {
    double tasks_s;
    double p50_us;
    double p99_us;
    double cpu_us; /* user and system time of all processes per round trip */
};

#define BENCH_PEERS_MAX    64
#define BENCH_INFLIGHT_MAX 65536

/* The driver's side of one measurement, whatever the link is. */
struct bench_load {
    const struct bench_case *bench;
    void (*send)(void *peer, uint32_t slot); /* asks `peer` for task `slot` */
    void (*stop)(struct bench_load *load);   /* time is over: ends the loop */
    void (*publish)(struct bench_load *load, uint16_t port);
    void *ctx;
    void *peers[BENCH_PEERS_MAX];
    int port_pipes[BENCH_PEERS_MAX];
    int children[BENCH_PEERS_MAX];
    uint32_t ready;
    uint8_t *answers; /* with replicas: the first answer of each slot */
    uint8_t answered[BENCH_INFLIGHT_MAX];
    uint64_t sent_ns[BENCH_INFLIGHT_MAX];
    uint64_t warm_ns; /* measuring starts */
    uint64_t end_ns;  /* measuring ends */
    uint64_t cpu_ns;  /* of all processes when measuring started, then the difference */
    uint64_t measured_ns;
    uint32_t *samples; /* latencies in ns */
    size_t samples_count;
    bool is_measuring;
    bool is_over;
};

/* A peer is connected; the last one starts the load. */
void bench_load_ready(struct bench_load *load, void *peer);

/* `peer` answered task `slot` with `output`; sends the next one unless time is over. With replicas the
 * second answer is compared with the first, and only then does the task count. */
void bench_load_reply(struct bench_load *load, void *peer, uint32_t slot, struct p2_span output);

/* For drivers that hand out work themselves: measuring starts; one task that was sent at `sent_ns` is
 * done. False when time is over: stop was called. */
void bench_load_begin(struct bench_load *load);
bool bench_load_count(struct bench_load *load, uint64_t sent_ns);

/* One kind of link. */
struct bench_system {
    const char *name;
    /* Drives: listens, publishes the port, runs until load->stop. */
    void (*drive)(struct bench_load *load);
    /* Serves in a process of its own until the connection ends. */
    void (*serve)(const struct bench_case *bench, uint16_t port);
};

extern const struct bench_system bench_floor_1;
extern const struct bench_system bench_floor_2;
extern const struct bench_system bench_ours;
extern const struct bench_system bench_core;    /* the production core behind the real links */
extern const struct bench_system bench_zmq;     /* ROUTER and DEALER with CURVE; needs libzmq */
extern const struct bench_system bench_gearman; /* gearmand -t 1 from $PATH, unencrypted */
extern const struct bench_system bench_gearman_ahead; /* the same, workers ask for jobs ahead */

/* Can it be measured here? NULL, or what is missing. */
const char *bench_zmq_lacks(void);
const char *bench_gearman_lacks(void);

/* What every run prints of one measurement: the line `D ...`. */
void bench_print(const struct bench_system *system, const struct bench_case *bench,
                 const struct bench_result *result);
double bench_median(double *values, unsigned count);

/* The subcommand `dispatch`. */
int bench_dispatch_main(int argc, char **argv);

/* The subcommand `fanout`. */
int bench_fanout_main(int argc, char **argv);

/* Runs one measurement; exits the program with a message when it cannot. */
struct bench_result bench_measure(const struct bench_system *system,
                                  const struct bench_case *bench);

/* Prints what failed and exits with 99. */
void bench_die(const char *what) __attribute__((noreturn));

uint64_t bench_now_ns(void);

/* The subcommand; argv[0] is "link". Returns the exit status. */
int bench_link_main(int argc, char **argv);

#endif
