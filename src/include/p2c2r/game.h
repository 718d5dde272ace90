/* Game modules: the contract between a game and the authority that hosts it (DESIGN 11).
 *
 * A module is a shared object that exports one function, p2c2r_game_entry. The host hands it a table
 * of services, the game fills a table of callbacks; both begin with their size, so that either side
 * can grow at its end without breaking the other.
 *
 * Two halves live in one module and must not mix:
 *   STATE  what `tick`, `input`, `on_result`, `commit` read and write. After `commit` it is a function
 *          of (seed, inputs, frames' depth and quality, results) and of nothing else: the host proves
 *          it by replay and --synctest. It is all that `snapshot` writes and `restore` reads.
 *   VIEW   what `view` and `on_view_result` keep to show it: caches, pictures, tiles in the making. It
 *          reads the state, never changes it, and starts empty after `restore`.
 *
 * A frame n, all on one thread, in this order (60 a second):
 *   input      for every player with one, by player            STATE
 *   tick       reads state n - 1, submits STATE tasks          STATE
 *   on_result  for every STATE task due in n, by task id       STATE
 *   commit     applies; the frame counts from here on          STATE
 *   on_view_result  for every VIEW task that ended             VIEW
 *   view       for every player: submits VIEW tasks, writes what this player receives   VIEW
 *
 * Rules of every callback: it never blocks, opens no file or socket, reads no clock, calls no rand();
 * together a frame's callbacks have 3 ms, overruns are counted and shown. A crash ends the process;
 * the host restarts and replays. Pointers given to a callback are borrowed for the call. */
#ifndef P2C2R_GAME_H
#define P2C2R_GAME_H

#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this contract. A host refuses a module of another one and says so in words. */
#define P2C2R_GAME_ABI 1

#define P2C2R_PLAYERS_MAX    8u           /* seats of one session */
#define P2C2R_GAME_INPUT_MAX 64u          /* bytes of one player's input for one tick (DESIGN 5) */
#define P2C2R_GAME_NAME_MAX  65u          /* bytes of a name with its final zero */
#define P2C2R_GAME_WHY_MAX   65u          /* bytes of a refusal with its final zero */
#define P2C2R_GAME_WORLD_MAX (256u << 20) /* bytes of one snapshot */
#define P2C2R_GAME_TICK_HZ   60u
#define P2C2R_QUALITY_FULL   255u

/* When a task is due; C0, the game's own work, is no task (DESIGN 8). */
enum p2c2r_task_class {
    P2C2R_CLASS_FRAME = 1, /* C1: due in frame + depth (1..3); near helpers only */
    P2C2R_CLASS_SOON = 2,  /* C2: due in frame + slack, 5..30 */
    P2C2R_CLASS_LATER = 3  /* C3: due in frame + slack, seconds */
};

enum p2c2r_task_flags {
    P2C2R_TASK_OPTIONAL = 1, /* nobody misses it: a frame without it is still on time */
    P2C2R_TASK_SECRET = 2    /* never to strangers: the host's own and cloud machines only */
};

/* Bytes that many tasks share, such as one chunk of the scene: sent to a helper once. */
struct p2c2r_content {
    uint64_t key; /* not 0; names exactly these bytes for ever: changed bytes get another key */
    struct p2c2r_bytes
        bytes; /* borrowed by the host until `content_remove`; VIEW or STATE memory */
};

/* What the game asks for. Borrowed; the host copies the input. */
struct p2c2r_task {
    uint32_t size;       /* sizeof(struct p2c2r_task) */
    const char *kernel;  /* name of a kernel of the host's table */
    uint32_t task_class; /* enum p2c2r_task_class */
    uint32_t flags;      /* enum p2c2r_task_flags */
    uint32_t slack;      /* frames; SOON and LATER only */
    uint32_t replicas;   /* results of different owners that must agree; 0 and 1: one */
    uint32_t weight;     /* what a wrong result would do to the game, 1 (little) .. 10 */
    uint32_t player;     /* VIEW tasks: whose view it is for; such tasks never mix players */
    uint64_t tag;        /* the game's own: for `invalidate`, and handed back with the result */
    struct p2c2r_bytes input;
    const uint64_t *contents; /* keys of the contents the kernel reads, in its order */
    uint32_t content_count;   /* at most P2C2R_BLOBS_MAX */
};

enum p2c2r_result_status {
    P2C2R_RESULT_OK = 0,
    P2C2R_RESULT_DEGRADED = 1,  /* nobody in time: do what you declared (keep the old path, ...) */
    P2C2R_RESULT_CORRECTED = 2, /* a result delivered before was wrong: `bytes` are right. Repair
                                   forward from now on; time does not go back. Same task and tag. */
    P2C2R_RESULT_BAD_INPUT = 3  /* the kernel refused the input: the game's own mistake */
};

/* Where a result came from: for display only. STATE results carry NONE, so that no state can depend
 * on it. */
enum p2c2r_result_tier {
    P2C2R_TIER_PEER = 0,
    P2C2R_TIER_SECOND = 1,
    P2C2R_TIER_CLOUD = 2,
    P2C2R_TIER_LOCAL = 3,
    P2C2R_TIER_NONE = 4
};

struct p2c2r_result {
    uint32_t size;
    uint32_t status; /* enum p2c2r_result_status */
    uint64_t task;
    uint64_t tag;
    uint64_t frame; /* submitted in */
    uint32_t player;
    uint32_t tier;            /* enum p2c2r_result_tier */
    struct p2c2r_bytes bytes; /* canonical; empty when DEGRADED or BAD_INPUT */
};

/* What is the same for all players in a frame. Journalled, so the state may depend on all of it. */
struct p2c2r_frame {
    uint32_t size;
    uint32_t depth;   /* 1..3: frames until a FRAME task is due */
    uint64_t number;  /* counted from 1; the first after `restore` is the snapshot's + 1 */
    uint32_t quality; /* 0..255: how much work the host can have done in time just now; 255 = more
                         than the game asked for lately. Scale rays, debris, crowds by it. */
};

/* A snapshot in the making: `put` appends bytes; `same` says that the next `size` bytes are what they
 * were at this place in the last snapshot that this writer's host took (then they need no copy; the
 * host says in `has_last` whether there is one of the same length so far). */
struct p2c2r_writer {
    uint32_t size;
    bool has_last;
    void *ctx;
    void (*put)(void *ctx, const void *data, size_t size);
    void (*same)(void *ctx, size_t size);
};

/* Scene v1: what a client can draw without knowing the game. Layouts: doc/scene.md. All `data` are
 * copied. A later delta with the same kind and key replaces an earlier one; the host sends each
 * client what it lacks. Writes over the limits of the wire are cut off and counted. */
struct p2c2r_view_writer {
    uint32_t size;
    void *ctx;
    uint32_t picture_width, picture_height; /* pixels this player wants; 0: state view, no tiles */
    uint32_t tile_width, tile_height;
    /* enum p2_delta_kind in doc/wire.md: 0 chunk, 1 entities, 2 lights, 3 text, 4 events. */
    void (*delta)(void *ctx, uint32_t kind, uint32_t key, const void *data, size_t size);
    /* The camera the tiles were drawn with, for late-warp; layout in doc/scene.md. */
    void (*camera)(void *ctx, const void *data, size_t size);
    /* One tile of palette bytes, tile_width * tile_height of them, row by row; `tier` says who drew
     * it, `age` how many frames ago. */
    void (*tile)(void *ctx, uint32_t index, uint32_t tier, uint32_t age, const uint8_t *pixels);
};

/* Services of the host. Callable inside callbacks only, from the callbacks' thread. */
struct p2c2r_host {
    uint32_t size;
    uint32_t abi;
    void *ctx;

    /* Asks for a task and gives its id. In `tick`: STATE kernels only; in `view`: VIEW kernels only.
     * 0, or a negative number: the task does not exist (too many, too large, unknown kernel). Whether
     * it succeeds depends on the game's own tasks only, never on helpers. */
    int (*submit)(void *ctx, const struct p2c2r_task *task, uint64_t *ret_task);
    /* The result is not wanted any more and will not be delivered. In the half that submitted it. */
    void (*cancel)(void *ctx, uint64_t task);
    /* The same for every undelivered task with `tag` of the half that calls. */
    void (*invalidate)(void *ctx, uint64_t tag);

    /* Announces or forgets shared contents. 0, or a negative number: too many, or the key is taken. */
    int (*content_put)(void *ctx, const struct p2c2r_content *content);
    void (*content_remove)(void *ctx, uint64_t key);

    /* The next 64 random bits of stream `stream` (0..15). Part of the state: snapshots keep it. STATE
     * half only. */
    uint64_t (*random)(void *ctx, uint32_t stream);

    /* A line for the host's log; level 0 error .. 3 debug. At most a few a second are kept. */
    void (*log)(void *ctx, int level, const char *text);

    /* Ends the session politely after this frame; `why` goes to the players. STATE half only. */
    void (*end)(void *ctx, const char *why);
};

/* Callbacks of the game. Those marked * may be NULL. `self` is what `init` gave. */
struct p2c2r_game {
    uint32_t size;
    uint32_t abi;
    const char *name;       /* lower case, [a-z0-9-]: for files, saves and people */
    uint32_t version;       /* of the game */
    uint32_t schema;        /* of its snapshots; `restore` is given the one they were made with */
    uint32_t players_max;   /* 1..P2C2R_PLAYERS_MAX */
    const uint8_t *palette; /* palette[256][3]: red, green, blue; NULL: no pictures */

    /* A new world from `seed`. 0, or a negative number: the session does not begin. `options` is the
     * text of the host's `game-options`, or "". */
    int (*init)(const struct p2c2r_host *host, uint64_t seed, const char *options, void **ret_self);
    void (*shutdown)(void *self);

    /* A player takes a seat. 0, or a negative number with a reason for people in `why`. Journalled. */
    int (*join)(void *self, uint32_t player, const char *name, char why[P2C2R_GAME_WHY_MAX]);
    void (*leave)(void *self, uint32_t player);
    /* At most one a player and tick, by rising sequence, with gaps where the client was too fast. */
    void (*input)(void *self, uint32_t player, uint32_t sequence, struct p2c2r_bytes data);
    void (*tick)(void *self, const struct p2c2r_frame *frame);
    /* * May refuse what the kernel's own check passed: 0 = fine. The host then recomputes; if the
     * right result is the same, it is the game's fault and it is delivered. Pure. */
    int (*check)(void *self, const struct p2c2r_task *task, struct p2c2r_bytes result);
    /* Exactly once per STATE task that was not cancelled, in its frame; CORRECTED may follow later. */
    void (*on_result)(void *self, const struct p2c2r_result *result);
    void (*commit)(void *self, const struct p2c2r_frame *frame);

    /* The whole STATE, canonical: equal states give equal bytes. */
    void (*snapshot)(void *self, const struct p2c2r_writer *writer);
    /* * Replaces the state. Hostile input when a save was imported: 0, or a negative number for bytes
     * that no game wrote, and then the session does not begin. NULL: the game cannot be saved. */
    int (*restore)(void *self, uint32_t schema, struct p2c2r_bytes state);

    /* What this player sees of the state, and nothing else: hidden things must not change a byte. */
    void (*view)(void *self, uint32_t player, const struct p2c2r_frame *frame,
                 const struct p2c2r_view_writer *writer);
    /* * Exactly once per VIEW task that was not cancelled, as soon as it is there, in any order. */
    void (*on_view_result)(void *self, const struct p2c2r_result *result);

    /* * A line typed by the host (p2c2rctl sessions console); the answer goes to `answer`. STATE half,
     * journalled. */
    void (*console)(void *self, const char *line, char *answer, size_t answer_size);
};

/* The module's one export. Fills `ret_game`, whose `size` says how much the host knows: 0, or a
 * negative number when it cannot run on this host (host->abi, host->size). */
int p2c2r_game_entry(const struct p2c2r_host *host, struct p2c2r_game *ret_game);

#ifdef __cplusplus
}
#endif

#endif
