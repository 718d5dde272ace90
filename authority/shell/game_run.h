/* One game, one frame at a time: the host's side of p2c2r/game.h without threads or sockets. The
 * session's thread runs it, and so do --replay and --synctest.
 *
 * What is the game's own affair is decided here, deterministically: ids of tasks, whether there is
 * room for one, random numbers, who holds a seat. A frame is a function of the state and the STATE
 * items of its list (JOIN, LEAVE, CONSOLE, INPUT, RESULT, CORRECTED, depth, quality).
 *
 * The state as bytes has two parts: the host's (random streams, undelivered STATE tasks, seats) and
 * the game's (its snapshot). Its hash is over both. Thread: one at a time. */
#ifndef P2_AUTHORITY_SHELL_GAME_RUN_H
#define P2_AUTHORITY_SHELL_GAME_RUN_H

#include "authority/gamer_frames.h"
#include "authority/shell/frame_batch.h"
#include "authority/shell/game_module.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_GAME_STREAMS 16u
#define P2_GAME_CONTENTS_MAX \
    768u /* shared contents; chosen: the core keeps 1,024, removed ones too */

/* Log lines of a game that are kept, per second and at once. Chosen: people read them. */
#define P2_GAME_LOGS_PER_S 5u

/* Pictures: tiles of 64x60, at most 1280x720, which are P2_WIRE_TILES_MAX at most. */
#define P2_GAME_TILE_WIDTH     64u
#define P2_GAME_TILE_HEIGHT    60u
#define P2_GAME_PICTURE_WIDTH  1280u
#define P2_GAME_PICTURE_HEIGHT 720u

struct p2_game_run;

struct p2_game_run_options {
    struct p2_game_module *module;             /* borrowed; p2_game_run_swap changes it */
    const struct p2c2r_kernel *const *kernels; /* the host's table [kernel_count], borrowed */
    uint32_t kernel_count;
    uint32_t usable;     /* bits of the table: kernels that passed their self-test */
    uint64_t seed;       /* of the world; a secret */
    const char *options; /* of the game; copied */
    bool is_viewed;      /* false: replay, nobody looks */
    bool is_synctest;    /* every frame also runs in a second game from the same snapshot */
};

/* Calls the module and its init: may take long. Contents it announces are in `out`. Gives the run.
 * Errors of p2_game_module_table; P2_E_UNSUPPORTED when init refuses; P2_E_NOMEM. */
int p2_game_run_open(const struct p2_game_run_options *options, struct p2_frame_out *out,
                     struct p2_failure *failure, struct p2_game_run **ret_run);

/* Calls shutdown. Accepts NULL. */
void p2_game_run_close(struct p2_game_run *run);

/* What the module said of itself. Borrowed. */
const struct p2c2r_game *p2_game_run_game(const struct p2_game_run *run);

/* One frame. `out` is cleared first. */
void p2_game_run_frame(struct p2_game_run *run, const struct p2_frame_in *in,
                       struct p2_frame_out *out);

/* Appends the state to the two buffers. P2_E_LIMIT, P2_E_NOMEM. */
int p2_game_run_state(struct p2_game_run *run, struct p2_buf *host, struct p2_buf *world);
uint64_t p2_game_run_hash(struct p2_span host, struct p2_span world);

/* Replaces the state. The VIEW half starts empty: its tasks are cancelled in `out`. P2_E_UNSUPPORTED
 * (the game cannot be saved), P2_E_CORRUPT (the game or the host refuses the bytes; the state is
 * then undefined: close the run). */
int p2_game_run_restore(struct p2_game_run *run, uint32_t schema, struct p2_span host,
                        struct p2_span world, struct p2_frame_out *out);

/* Between two frames: the state moves into `module` (another build of the same game). On failure the
 * old one goes on. Errors as open and restore. The module given back by *ret_old is to be freed. */
int p2_game_run_swap(struct p2_game_run *run, struct p2_game_module *module,
                     struct p2_frame_out *out, struct p2_failure *failure,
                     struct p2_game_module **ret_old);

/* The size of picture a client gets that asks for this one. 0 and 0: none. */
void p2_game_picture(uint16_t *width, uint16_t *height);

#endif
