/* The thread of one session: it runs the game's callbacks and nothing else.
 *
 *   loop                               thread
 *   p2_game_thread_start  ----------->  the module's init
 *   on_ready  <-----------------------
 *   p2_game_thread_frame(in) -------->  p2_game_run_frame
 *   on_frame(in, out)  <--------------
 *   p2_game_thread_swap(module) ----->  p2_game_run_swap
 *   on_swapped  <---------------------
 *   p2_game_thread_stop  ------------>  shutdown; the thread ends
 *   on_stopped  <---------------------
 *
 * One job at a time: the next one may be given when the last one's callback has come. The loop never
 * waits for the thread. Thread: all functions and callbacks belong to the loop. */
#ifndef P2_AUTHORITY_SHELL_GAME_THREAD_H
#define P2_AUTHORITY_SHELL_GAME_THREAD_H

#include "authority/shell/game_run.h"

#include <uv.h>

struct p2_game_thread;

struct p2_game_thread_events {
    /* init has returned: `error` 0, or why the game does not begin. `out`: contents it announced. */
    void (*on_ready)(void *ctx, int error, const struct p2_failure *failure,
                     const struct p2_frame_out *out);
    /* The frame is done. Both lists are the loop's again. */
    void (*on_frame)(void *ctx, struct p2_frame_in *in, struct p2_frame_out *out);
    /* The module was changed, or not. `out`: tasks and contents that are gone. The module that is
     * not used any more was freed. */
    void (*on_swapped)(void *ctx, int error, const struct p2_failure *failure,
                       const struct p2_frame_out *out);
    /* The thread is gone, and this object with it when the callback returns. */
    void (*on_stopped)(void *ctx);
};

/* Starts the thread, which opens the run. Takes `module`, also on failure. `options` is copied, its
 * pointers are borrowed until on_ready. P2_E_NOMEM: nothing follows; P2_E_LIMIT (no thread):
 * on_stopped still comes. */
int p2_game_thread_start(uv_loop_t *loop, const struct p2_game_run_options *options,
                         struct p2_game_module *module, const struct p2_game_thread_events *events,
                         void *ctx, struct p2_game_thread **ret_thread);

/* Hands a frame over; both lists are the thread's until on_frame. */
void p2_game_thread_frame(struct p2_game_thread *thread, struct p2_frame_in *in,
                          struct p2_frame_out *out);

/* Moves the state into another build of the game. Takes `module`. */
void p2_game_thread_swap(struct p2_game_thread *thread, struct p2_game_module *module);

/* True while a job is under way. */
bool p2_game_thread_is_busy(const struct p2_game_thread *thread);

/* What the module says of itself; valid from on_ready on. Borrowed. */
const struct p2c2r_game *p2_game_thread_game(const struct p2_game_thread *thread);

/* Ends it after the job under way, whose callback does not come any more. */
void p2_game_thread_stop(struct p2_game_thread *thread);

#endif
