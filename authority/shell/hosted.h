/* A session as its host runs it: a game on its own thread, a session of the core, seats, figures.
 *
 *   state      entered by                              leaves it when
 *   LOADING    open: the thread calls the game's init  on_ready (READY), or it fails (ENDING)
 *   READY      the game is there                       enough helpers are there (RUNNING)
 *   RUNNING    the first slot                          its frames are over, or it is ended (CLOSING)
 *   CLOSING    no more frames; audits still run        they are done (ENDING)
 *   ENDING     the thread is asked to stop             the thread is gone: freed
 *
 * A frame: the core's slot fills a list (inputs, results), `commit` hands it to the thread; when the
 * thread is done, P2_EVENT_GAME puts what the game asked for into the core and the frame ships; then
 * gamers' frames leave. Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_HOSTED_H
#define P2_AUTHORITY_SHELL_HOSTED_H

#include "authority/shell/authority_internal.h"
#include "authority/shell/game_tasks.h"
#include "authority/shell/game_thread.h"
#include "authority/shell/journal_file.h"
#include "overlay/session_id.h"

#define P2_HOSTED_NAME_MAX 32u

/* How long a seat is kept for a client that is gone (games: reconnect without dialogue). */
#define P2_SEAT_KEPT_US UINT64_C(60000000)

enum p2_hosted_state {
    P2_HOSTED_LOADING,
    P2_HOSTED_READY,
    P2_HOSTED_RUNNING,
    P2_HOSTED_CLOSING,
    P2_HOSTED_ENDING
};

struct p2_hosted_content {
    uint64_t key; /* 0: unused */
    uint8_t *data;
    size_t size;
    struct p2_blob_handle place; /* in the pool */
    bool is_removed;             /* by the game; goes when no task names it */
};

struct p2_discovered;

struct p2_seat {
    enum {
        P2_SEAT_FREE,
        P2_SEAT_ASKED,
        P2_SEAT_TAKEN
    } state; /* ASKED: the game was not heard yet */
    struct p2_id id;
    uint64_t serial;      /* of its JOIN: the game's answer names it */
    struct p2_peer *peer; /* NULL: its client is gone */
    bool is_robot;
    bool is_welcomed;
    uint64_t lost_us; /* since when */
    uint16_t width, height;
    enum p2_view_mode view;
    uint32_t applied;  /* newest input in a frame */
    uint32_t durable;  /* newest that survives a crash */
    uint32_t newest;   /* newest that came */
    uint64_t input_us; /* when that was */
    char name[P2_WIRE_STRING_MAX + 1];
};

struct p2_figures {
    uint64_t shipped, on_time, missed_slots;
    uint64_t tasks, cancelled; /* submitted, cancelled */
    uint64_t settled;          /* delivered, degraded ones too, or cancelled */
    uint64_t tiers[5];
    uint64_t cost[5];
    uint64_t overruns; /* frames whose game took more than its budget */
    uint64_t game_us;  /* all frames together */
    uint32_t game_max_us;
    uint64_t cut; /* writes over the limits */
    uint64_t out_of_sync;
    uint64_t frames_sent; /* FRAME messages */
    uint64_t frame_bytes;
    uint64_t corrected;
};

/* What one frame of the game's callbacks may take (DESIGN 11). */
#define P2_HOSTED_BUDGET_US 3000u

struct p2_hosted {
    struct p2_authority *authority;
    struct p2_hosted *next;
    enum p2_hosted_state state;
    char name[P2_HOSTED_NAME_MAX + 1]; /* for people: the configuration's, or the game's */
    char *module_path;
    char *options;
    uint64_t seed;
    uint64_t frames_max; /* 0: for ever */
    bool is_main;        /* of `host`: the program ends with it */
    bool is_locked;
    bool is_synctest;
    uint32_t robots;
    int outcome;

    struct p2_session_id id;
    uint8_t salt[P2_SALT_BYTES];      /* of the ID; as secret as it */
    struct p2_discovered *discovered; /* where gamers find it; NULL: nowhere */
    struct p2_session_keys *keys;     /* secret memory */
    uint8_t tag[P2_WIRE_TAG_BYTES];

    struct p2_game_thread *thread;
    struct p2c2r_game game; /* a copy; its pointers belong to the module */
    char game_name[P2C2R_GAME_NAME_MAX];
    uint8_t palette[768];
    uint32_t palette_size;
    struct p2_frame_in lists[2];
    struct p2_frame_in *in; /* of the next frame; the other one may be the thread's */
    struct p2_frame_out out;
    bool is_waiting; /* a frame waits for a swap of modules to end */
    bool wants_reload;
    struct p2_ctl_call *reload_call;

    uint16_t session;                   /* of the core */
    bool is_open;                       /* with the core */
    struct p2_hosted_content *contents; /* owned; [P2_CORE_BLOBS_MAX] */
    uint32_t removed;                   /* contents that wait to go */
    struct p2_seat seats[P2C2R_PLAYERS_MAX];
    uint64_t seat_serials;
    struct p2_figures figures;
    struct p2_journal_file *journal;
    uint8_t quality;
    char end_text[P2_WIRE_STRING_MAX + 1];
    enum p2_end_reason end_reason;
};

struct p2_hosted_options {
    const char *name;    /* NULL: the game's */
    const char *module;  /* name or path */
    const char *options; /* of the game */
    const char *journal; /* path, or NULL */
    uint64_t seed;       /* 0: a fresh one */
    uint64_t frames_max;
    uint32_t robots;
    bool is_main;
    bool is_synctest;
};

/* Loads the module and starts its thread. Everything is copied. The session is in the authority's
 * list; what goes wrong later ends it and is logged. Errors of p2_game_module_load, P2_E_NOMEM. */
int p2_hosted_open(struct p2_authority *authority, const struct p2_hosted_options *options,
                   struct p2_failure *failure);

/* Starts the clock if it may: the game is there, and enough helpers. */
void p2_hosted_start_if_ready(struct p2_hosted *hosted);

/* Effects of the core. */
void p2_hosted_shipped(struct p2_hosted *hosted, const struct p2_effect *effect);

/* Contents of a task, for the pool and for checks. P2_E_NOENT. */
int p2_hosted_contents(const struct p2_hosted *hosted, const uint64_t *keys, uint32_t count,
                       struct p2_compute_contents *ret_contents);

/* A quarter of a second has gone by: seats, contents, ends. */
void p2_hosted_look(struct p2_hosted *hosted, uint64_t now_us);

/* Ends it: gamers are told `reason` and `text` (may be NULL). */
void p2_hosted_end(struct p2_hosted *hosted, enum p2_end_reason reason, const char *text);

/* Loads the module again and moves the state into it at a frame boundary. `call` (may be NULL) is
 * answered then. P2_E_STATE: not running, or under way already. */
int p2_hosted_reload(struct p2_hosted *hosted, struct p2_ctl_call *call,
                     struct p2_failure *failure);

/* The session of the core's number, or with this name; NULL. */
struct p2_hosted *p2_hosted_of(struct p2_authority *authority, uint16_t session);
struct p2_hosted *p2_hosted_named(struct p2_authority *authority, const char *name);

/* Figures for people and programs; a new object. */
json_t *p2_hosted_summary(const struct p2_hosted *hosted);
const char *p2_hosted_state_name(enum p2_hosted_state state);

#endif
