/* The real store under the simulated authority: every journalled effect goes into it, and it loses
 * power, fills up and is slow at times that the seed draws. After each power cut the store is opened
 * anew and recovered: what was promised must be there, every frame must be the one that was
 * journalled, and the state it ends in must be the game's of that frame. Then the session goes on.
 *
 * It lies on a tmpfs when there is one, for the simulator needs no disk. Its own stream of the seed:
 * the runs of the core are the same with it and without. */
#ifndef P2_TESTS_SIM_STORE_H
#define P2_TESTS_SIM_STORE_H

#include "tests/sim/sim.h"

struct sim_store;

/* A new store for `sessions` sessions that begin with frame `first`. Gives: sim_store_close.
 * `sim` is told of violations. NULL when it cannot be made. */
struct sim_store *sim_store_open(struct sim *sim, uint32_t sessions, uint64_t first);
void sim_store_close(struct sim_store *store);

/* A JOURNAL effect of session `session`, below `sessions`. */
void sim_store_journal(struct sim_store *store, uint32_t session, const struct p2_effect *effect);

/* The FRAME effect: `state` is the game's after it. Also lets time pass for the disk. */
void sim_store_frame(struct sim_store *store, uint32_t session, uint64_t frame, uint64_t state,
                     uint64_t now_us);

/* What happened, for figures. */
struct sim_store_figures {
    uint64_t frames, durable, cuts, replayed, full, checkpoints;
};
struct sim_store_figures sim_store_figures(const struct sim_store *store);

#endif
