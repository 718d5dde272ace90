/* The simulated transport: the interface of link.h over a network that exists only in memory.
 *
 * Virtual time in integer microseconds, one queue of events ordered by (time, order of making), one
 * seed: the same seed and calls give the same run, and the same trace. No threads, no clock, no
 * cryptography: a link is what TCP and Noise make of a network, seen from above. Messages pass the
 * real mux, so queues, limits, classes, newest-wins and back-pressure are those of the real
 * transport.
 *
 * What is modelled, for each direction between two nodes (struct p2_link_sim_path):
 *   - delay: minimum + exponential + uniform jitter; order is kept, as TCP does
 *   - loss: a lost segment comes after a retransmission delay, doubled for each further loss, and
 *     holds up all behind it
 *   - bandwidth: one segment after another
 *   - the window: bytes the network takes before the sender's queue fills
 *   - blocks: nothing arrives until a time (a clog) or until unblocked (a one-way partition)
 * Opening costs the round trips of TCP and Noise XK: on_open after 2 at the dialler, 2.5 at the
 * listener. Nodes crash with or without notice to their peers. Resets strike pairs of nodes.
 *
 * Thread: one. */
#ifndef P2_LINK_LINK_SIM_H
#define P2_LINK_LINK_SIM_H

#include "base/rng.h"
#include "link/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct p2_link_sim;
struct p2_link_sim_node;

/* Time without end: a block that only p2_link_sim_unblock lifts. */
#define P2_LINK_SIM_FOREVER UINT64_MAX

/* One direction between two nodes. All zero is a perfect network without limits. */
struct p2_link_sim_path {
    uint32_t delay_min_us;
    uint32_t delay_mean_us; /* mean of the exponential part */
    uint32_t jitter_us;     /* uniform, 0..jitter_us */
    uint32_t loss_ppm;      /* of segments; below 1,000,000 */
    uint32_t retransmit_us; /* first delay of a lost segment; 0: 200 ms, Linux's minimum */
    uint64_t bytes_per_s;   /* 0: no limit */
    uint32_t window_bytes;  /* 0: 128 KiB, about what TCP takes by default */
};

struct p2_link_sim_options {
    uint64_t seed;
    const struct p2_link_rules *rules; /* kept */
    struct p2_link_sim_path path;      /* of all pairs that have none of their own */
    uint32_t ping_interval_us;         /* 0: 5 s */
    uint32_t idle_us;                  /* silence without progress, then P2_E_TIMEOUT; 0: 15 s */
    uint32_t handshake_us;             /* deadline of dial; 0: 5 s */
    uint32_t drain_us;                 /* deadline of drain, then P2_E_STALLED; 0: 10 s */
    uint32_t partial_us; /* deadline of a partial message, then P2_E_TIMEOUT; 0: 30 s */
    size_t memory_max;   /* of all queues together, bytes; 0: 1 GiB */
};

/* Gives: free with p2_link_sim_free. P2_E_NOMEM. */
int p2_link_sim_new(struct p2_link_sim **ret_sim, const struct p2_link_sim_options *options);

/* Frees everything, calls nothing. Accepts NULL. */
void p2_link_sim_free(struct p2_link_sim *sim);

/* Adds a node with one address. Borrowed by the caller until p2_link_sim_free. P2_E_EXIST (address
 * in use), P2_E_BAD_KEY (an id no node can have), P2_E_NOMEM. */
int p2_link_sim_add_node(struct p2_link_sim *sim, const struct p2_ip *ip, const struct p2_id *id,
                         struct p2_link_sim_node **ret_node);

/* The node's transport, for p2_transport_*. Borrowed. */
struct p2_transport *p2_link_sim_transport(struct p2_link_sim_node *node);

/* ---- time ------------------------------------------------------------------------------------- */

uint64_t p2_link_sim_now_us(const struct p2_link_sim *sim);

/* Calls `call` at `at_us` (now at the earliest). P2_E_NOMEM. */
int p2_link_sim_at(struct p2_link_sim *sim, uint64_t at_us, void (*call)(void *ctx), void *ctx);

/* Handles the next event; P2_E_NOENT when there is none. P2_E_NOMEM once memory ran out inside an
 * event: the run is then worth nothing. */
int p2_link_sim_step(struct p2_link_sim *sim);

/* Handles all events up to `until_us`, which is then the time. P2_E_NOMEM as above. */
int p2_link_sim_run(struct p2_link_sim *sim, uint64_t until_us);

/* A number made of every event so far: equal for equal runs. */
uint64_t p2_link_sim_trace(const struct p2_link_sim *sim);

/* Links and connections that still exist, for leak checks. */
size_t p2_link_sim_connections(const struct p2_link_sim *sim);

/* ---- faults ----------------------------------------------------------------------------------- */

/* Sets the path of one direction. Holds for what is sent from now on. P2_E_NOMEM. */
int p2_link_sim_set_path(struct p2_link_sim_node *from, struct p2_link_sim_node *to,
                         const struct p2_link_sim_path *path);

/* Nothing sent by `from` reaches `to` before `until_us`; what is on its way waits. P2_E_NOMEM. */
int p2_link_sim_block(struct p2_link_sim_node *from, struct p2_link_sim_node *to,
                      uint64_t until_us);
void p2_link_sim_unblock(struct p2_link_sim_node *from, struct p2_link_sim_node *to);

/* Breaks all connections between two nodes: both ends get P2_E_RESET. */
void p2_link_sim_reset(struct p2_link_sim_node *a, struct p2_link_sim_node *b);

/* The node stops at once: none of its callbacks comes any more, its links and listeners are gone.
 * With `silent` (power lost) its peers find out by their deadlines, else (process killed) they get
 * P2_E_RESET after the path's delay. */
void p2_link_sim_crash(struct p2_link_sim_node *node, bool silent);

/* A crashed or stopped node can dial and listen again. */
void p2_link_sim_restart(struct p2_link_sim_node *node);

#endif
