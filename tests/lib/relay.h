/* A TCP relay that makes a network worse: it stands between two real processes on loopback and
 * delays, limits, stalls or breaks what they say. In user space over libuv, so that tests need no
 * rights and no network namespace.
 *
 * Every connection to the relay is one connection to the target, opened at once. In each direction
 * bytes keep their order and arrive unchanged; a piece read from one side is written to the other
 * after delay + jitter, at most `bytes_per_s`. While 256 KiB of a direction wait, its sender is not
 * read, so that back-pressure passes through the relay.
 *
 * Life: init -> stop(callback); the memory may go when the callback came. Thread: the loop's. */
#ifndef P2_TESTS_LIB_RELAY_H
#define P2_TESTS_LIB_RELAY_H

#include "base/rng.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What happens to bytes, in both directions. All zero: nothing. Changes hold from the next piece
 * on. */
struct p2_relay_rules {
    uint32_t delay_ms;
    uint32_t jitter_ms;         /* uniform, 0..jitter_ms, on top; order is kept */
    uint64_t bytes_per_s;       /* per direction of a connection; 0: no limit */
    uint64_t stall_after_bytes; /* after so many bytes of a direction ... */
    uint32_t stall_ms;          /* ... nothing passes for this long, once; 0: never */
    uint64_t reset_after_bytes; /* RST to both sides after so many bytes of a direction; 0: never */
};

struct p2_relay_conn;

/* Embedded by value; fields but `rules` are private to relay.c. */
struct p2_relay {
    struct p2_relay_rules rules; /* may be changed at any time */
    uv_loop_t *loop;
    uv_tcp_t server;
    struct sockaddr_in target;
    struct p2_rng rng;
    struct p2_relay_conn *conns;
    uint64_t conn_count; /* since init */
    bool is_stalled;
    bool is_server_closed;
    void (*on_stopped)(void *ctx);
    void *ctx;
};

/* Listens on a free loopback port and relays to `target`. Returns 0 or libuv's error, after which
 * only p2_relay_stop may be called. */
int p2_relay_init(struct p2_relay *relay, uv_loop_t *loop, const struct sockaddr_in *target,
                  const struct p2_relay_rules *rules, uint64_t seed);

/* The port it listens on. */
uint16_t p2_relay_port(const struct p2_relay *relay);

/* Nothing passes until this is called again with false. */
void p2_relay_stall(struct p2_relay *relay, bool is_stalled);

/* Breaks all connections of this moment with RST. */
void p2_relay_reset(struct p2_relay *relay);

/* Closes everything; `on_stopped` comes once, after the last handle is closed. */
void p2_relay_stop(struct p2_relay *relay, void (*on_stopped)(void *ctx), void *ctx);

/* Carries out one line of control: "delay MS", "jitter MS", "bandwidth BYTES_PER_S", "stall",
 * "resume", "reset". False when it is none of these. */
bool p2_relay_command(struct p2_relay *relay, const char *line);

#endif
