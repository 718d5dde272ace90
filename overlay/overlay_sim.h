/* The simulated overlay: the interface of overlay.h over a network that exists only in memory.
 *
 * Virtual time in integer microseconds, one queue of events ordered by (time, order of making), one
 * seed: the same seed and calls give the same run. What is modelled, for each node (struct
 * p2_overlay_sim_weather), is what the real network was measured to do:
 *   - loss: a publish that answers 0 and is found by nobody
 *   - misses: a lookup or watch that does not see a value that is there
 *   - staleness: a lookup sees what was there a while ago
 *   - delay: minimum + exponential part; now and then a slow answer
 *   - expiry: values are gone 600 s after they came
 *   - hostile values: put under any key by anybody, in front of all others
 *   - partitions: nodes of another group are out of reach, and so is what they stored
 *   - lost nodes: DOWN for a while, operations late or timed out
 * CPU time is what the test says it is (p2_overlay_sim_spend): bounds are counted, not measured.
 *
 * Thread: one. */
#ifndef P2_OVERLAY_OVERLAY_SIM_H
#define P2_OVERLAY_OVERLAY_SIM_H

#include "overlay/overlay.h"

#include "base/rng.h"

struct p2_overlay_sim;

#define P2_OVERLAY_SIM_LIFE_US 600000000ull /* measured: values live 10 minutes */

/* All zero: a perfect network without delay. */
struct p2_overlay_sim_weather {
    uint32_t loss_ppm;      /* of publishes */
    uint32_t miss_ppm;      /* of values, for each operation that should see them */
    uint32_t stale_us;      /* lookups do not see what is younger */
    uint32_t delay_min_us;  /* of an answer */
    uint32_t delay_mean_us; /* mean of the exponential part */
    uint32_t slow_ppm;      /* of operations: slow_us more */
    uint32_t slow_us;
    uint32_t value_us; /* between two values of a lookup */
};

/* `unix_s` is the wall clock at virtual time 0. Gives: free with p2_overlay_sim_free. P2_E_NOMEM. */
int p2_overlay_sim_new(struct p2_overlay_sim **ret_sim, uint64_t seed, uint64_t unix_s);

/* Frees everything, calls nothing. Accepts NULL. */
void p2_overlay_sim_free(struct p2_overlay_sim *sim);

/* A node. Borrowed until p2_overlay_close reported or p2_overlay_sim_free. P2_E_NOMEM. */
int p2_overlay_sim_open(struct p2_overlay_sim *sim, const struct p2_overlay_sim_weather *weather,
                        struct p2_overlay **ret_overlay);

/* Handles all events up to `until_us`, which is then the time. P2_E_NOMEM once memory ran out. */
int p2_overlay_sim_run(struct p2_overlay_sim *sim, uint64_t until_us);

/* The time of the next event, or UINT64_MAX. */
uint64_t p2_overlay_sim_next_us(const struct p2_overlay_sim *sim);

uint64_t p2_overlay_sim_now_us(const struct p2_overlay_sim *sim);

/* CPU time passes: what p2_overlay_now shows as cpu_us grows. */
void p2_overlay_sim_spend(struct p2_overlay_sim *sim, uint64_t cpu_us);

/* A stranger's value, at once, without loss, of any size; in front of older ones or behind them.
 * Copied. P2_E_NOMEM. */
int p2_overlay_sim_inject(struct p2_overlay_sim *sim, const struct p2_overlay_key *key,
                          struct p2_span value, bool in_front);

/* Values that now lie under `key`. */
size_t p2_overlay_sim_count(const struct p2_overlay_sim *sim, const struct p2_overlay_key *key);

/* Copies value number `index` (oldest first) to out[P2_OVERLAY_VALUE_MAX]; its size, 0: none. */
size_t p2_overlay_sim_value(const struct p2_overlay_sim *sim, const struct p2_overlay_key *key,
                            size_t index, uint8_t *out);

/* From now on this node's weather is this. */
void p2_overlay_sim_set_weather(struct p2_overlay *overlay,
                                const struct p2_overlay_sim_weather *weather);

/* Nodes see what nodes of the same group store from now on; all begin in group 0. */
void p2_overlay_sim_set_group(struct p2_overlay *overlay, uint32_t group);

/* The node is DOWN until `until_us`: operations wait, watches are set up again afterwards. */
int p2_overlay_sim_set_down(struct p2_overlay *overlay, uint64_t until_us);

/* Operations of all nodes that still exist, for leak checks. */
size_t p2_overlay_sim_operations(const struct p2_overlay_sim *sim);

#endif
