/* A host for game modules in one process: runs a module against the contract of p2c2r/game.h and its
 * kernels directly, at the frame a result is due. No network, no clock, no thread: what it does is a
 * function of its settings, so it is also the reference of a replay. For game-run and unit tests.
 *
 * Thread: an object belongs to one thread. */
#ifndef P2_TESTS_LIB_GAME_HOST_H
#define P2_TESTS_LIB_GAME_HOST_H

#include "base/buf.h"
#include "p2c2r/game.h"
#include "p2c2r/scene.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_GAME_HOST_KERNELS  16u
#define P2_GAME_HOST_CONTENTS 512u

struct p2_game_settings {
    uint64_t seed;
    const char *options;
    uint32_t players, depth, quality;
    uint32_t drop_percent;  /* results that are degraded, by task id */
    uint32_t again_percent; /* STATE results that come a second time as CORRECTED */
    uint32_t width, height; /* 0: state view */
};

struct p2_game_kernel_count {
    const char *name;
    uint64_t tasks, degraded, bad_input, units, input_bytes, output_bytes;
};

/* What player P was sent, put together as a client would. */
struct p2_game_screen {
    struct p2c2r_scene_entity pages[P2C2R_SCENE_PAGES][P2C2R_SCENE_PAGE_ENTITIES];
    uint32_t counts[P2C2R_SCENE_PAGES];
    struct p2c2r_scene_text texts[P2C2R_SCENE_TEXTS];
    struct p2c2r_scene_camera camera;
    uint8_t *pixels; /* pixels[height][width] */
    uint64_t deltas, delta_bytes, tiles, malformed, chunk_deltas, bundles;
    uint64_t frame_hash; /* of all bytes of the last view */
};

struct p2_game_host;
typedef int p2_game_entry(const struct p2c2r_host *host, struct p2c2r_game *ret_game);

/* Opens a session. Borrows `settings` for its life. P2_E_*; P2_E_STATE when the game refuses. */
int p2_game_host_open(struct p2_game_host **ret_host, p2_game_entry *entry,
                      const struct p2_game_settings *settings);
void p2_game_host_close(struct p2_game_host *host);

/* One frame: pads of all players (NULL: none came), STATE callbacks; then the views. */
void p2_game_host_state(struct p2_game_host *host, const struct p2c2r_pad *pads);
void p2_game_host_views(struct p2_game_host *host);

/* The view of player 0 into a writer of the caller's. */
void p2_game_host_view_with(struct p2_game_host *host, const struct p2c2r_view_writer *writer,
                            const struct p2c2r_frame *frame);

/* The state's bytes, borrowed until the next call of the same function (two buffers: `which` 0, 1).
 * `is_full` false: lets the game say what is as in the last snapshot. */
struct p2_span p2_game_host_snapshot(struct p2_game_host *host, unsigned which, bool is_full);

/* Keeps the host's own part (tasks, random streams, frame) in the background, and puts it back
 * together with the game's state. False: the game refuses its own snapshot. */
void p2_game_host_keep(struct p2_game_host *host);
bool p2_game_host_back(struct p2_game_host *host, struct p2_span state);

uint64_t p2_game_host_frame(const struct p2_game_host *host);
bool p2_game_host_is_over(const struct p2_game_host *host);
const struct p2c2r_game *p2_game_host_game(const struct p2_game_host *host, void **ret_self);
const struct p2_game_kernel_count *p2_game_host_kernels(const struct p2_game_host *host);
struct p2_game_screen *p2_game_host_screen(struct p2_game_host *host, uint32_t player);
/* A number over everything submitted in the last frame's STATE half. */
uint64_t p2_game_host_submitted(const struct p2_game_host *host);
/* Called around the game's callbacks; for measuring. */
void p2_game_host_watch(struct p2_game_host *host, void (*watch)(void *context, bool is_inside),
                        void *context);

/* A pad of a scripted player that wanders, digs, builds and throws: a function of the numbers. */
struct p2c2r_pad p2_game_bot(uint64_t seed, uint32_t player, uint64_t frame);

#endif
