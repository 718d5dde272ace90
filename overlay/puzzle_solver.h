/* The identity puzzle of a daemon, solved once (puzzle.h): in the loop's thread pool, so that the
 * loop stays responsive, with progress for people, and kept in a file of the state directory. A
 * daemon that is stopped goes on where it was.
 *
 * Thread: the loop's. */
#ifndef P2_OVERLAY_PUZZLE_SOLVER_H
#define P2_OVERLAY_PUZZLE_SOLVER_H

#include "base/error.h"
#include "overlay/puzzle.h"

#include <uv.h>

/* File of the state directory; 0600. */
#define P2_PUZZLE_FILE "puzzle"

struct p2_puzzle_solver;

struct p2_puzzle_solver_events {
    /* About twice a second while solving. May be NULL. */
    void (*on_progress)(uint32_t progress_ppm, void *ctx);
    /* The solution, once: from the file or solved; never from inside open. After it the solver only
     * waits to be closed. `stored` is 0, or why the file could not be written. */
    void (*on_solved)(uint64_t nonce, int stored, void *ctx);
};

/* Reads `folder`/P2_PUZZLE_FILE; a file that is damaged, of another key or too easy is not used.
 * `bits` 0: solved at once. Gives: p2_puzzle_solver_close. P2_E_NOMEM. `folder` is copied, `events`
 * and `ctx` are kept. */
int p2_puzzle_solver_open(struct p2_puzzle_solver **ret_solver, uv_loop_t *loop, const char *folder,
                          const struct p2_id *key, uint8_t bits,
                          const struct p2_puzzle_solver_events *events, void *ctx);

/* Stops within one step (20 ms of a core), stores how far it came, then calls `on_closed` once, not
 * from inside; it is freed when that returns. */
void p2_puzzle_solver_close(struct p2_puzzle_solver *solver, void (*on_closed)(void *ctx),
                            void *ctx);

/* For status. */
bool p2_puzzle_solver_is_solved(const struct p2_puzzle_solver *solver);
uint32_t p2_puzzle_solver_progress_ppm(const struct p2_puzzle_solver *solver);

#endif
