/* One session: the game's callbacks, its frames, its players, its tasks.
 *
 * The game is a table of functions; p2_core_step calls them when a slot begins, in this order:
 * input (by player), tick, on_result (by task id), commit. They may call p2_session_submit, _cancel
 * and _invalidate, and nothing else of the core. A shell that runs the game on a thread of its own
 * gives functions that exchange batches with that thread. What the game does in them must depend on
 * its state, the inputs and the results only.
 *
 * Journal: INPUT, DEPTH and one entry per delivered STATE task. With these a replay needs no
 * helpers: the same ticks emit the same tasks with the same ids and due frames. Thread: one. */
#ifndef P2_AUTHORITY_SESSION_H
#define P2_AUTHORITY_SESSION_H

#include "authority/outbox.h"
#include "authority/pipeline.h"
#include "authority/placement.h"
#include "authority/trust/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct p2_core;

/* One delivered task, as the game sees it. Borrowed for the call. */
struct p2_delivery {
    uint64_t task;
    uint64_t tag;
    uint64_t frame; /* emitted in */
    uint8_t kernel;
    bool is_degraded;            /* nobody in time: take the declared degraded answer */
    bool is_corrected;           /* delivered before, wrongly: `result` is right, repair forward */
    enum p2_frame_reason reason; /* why; of a settled task: what went wrong before */
    enum p2_tier tier;           /* who computed it: for display, never for the state */
    struct p2_span result;       /* empty when degraded */
};

/* A deferred session's game runs elsewhere (a thread of the shell) and its frame takes a while:
 *
 *   slot n            input, on_result (STATE tasks due in n by id, then VIEW tasks that are settled,
 *                     due or not), tick, commit: the shell collects them and hands them over
 *   P2_EVENT_GAME     the game is done with n: the core calls `emit`, which submits and cancels what
 *                     the game did, with the ids the game chose; then frame n ships
 *
 * In between the frame stays n: due frames are those of a game that runs at once, and no further
 * slot of this session begins. Late games make late frames, never skipped ones. */
struct p2_game_port {
    void *ctx;
    void (*input)(void *ctx, uint8_t player, uint32_t sequence, struct p2_span data);
    void (*tick)(void *ctx, uint64_t frame);
    void (*on_result)(void *ctx, const struct p2_delivery *delivery);
    void (*commit)(void *ctx, uint64_t frame);
    void (*emit)(void *ctx, uint64_t frame); /* deferred sessions only */
};

struct p2_input {
    uint32_t sequence;
    uint32_t size;
    uint8_t data[P2_WIRE_INPUT_MAX];
};

struct p2_player {
    bool is_used;
    struct p2_id id;
    struct p2_ip ip;
    bool has_ip;
    uint32_t newest; /* highest sequence queued */
    uint32_t queue_first;
    uint32_t queue_count;
    struct p2_input queue[P2_INPUT_QUEUE];
};

/* Bytes that many tasks share; borrowed from whoever put them. */
struct p2_content {
    uint64_t key;         /* 0: never used */
    struct p2_span bytes; /* NULL: removed */
};

/* A right result that follows a wrong one, at the next frame. */
struct p2_correction {
    uint64_t task;
    uint64_t tag;
    uint8_t kernel;
    struct p2_block result;
};

struct p2_session {
    bool is_used;
    bool is_in_frame;      /* callbacks run: submit is allowed */
    bool is_deferred;      /* the game runs elsewhere */
    bool is_pending;       /* and has not answered for this frame yet */
    bool is_out_of_budget; /* peers are not paid any more: own cores only */
    uint16_t index;
    struct p2_game_port game;
    struct p2_pipeline pipeline;
    struct p2_placement placement;
    struct p2_player players[P2_PLAYERS_MAX];
    uint64_t linked_owners[P2_CORE_TAGS_MAX]; /* owners with a declared link to a player */
    uint32_t linked_count;
    struct p2_correction corrections[P2_CORRECTIONS_MAX]; /* in the order they came */
    uint32_t correction_count;
    uint64_t corrections_lost;                         /* there was no room: counted, shown */
    struct p2_content contents[2 * P2_CORE_BLOBS_MAX]; /* open addressing by key */
    struct p2_content scratch[P2_CORE_BLOBS_MAX];      /* for building it again */
    uint32_t content_count;                            /* places in use, removed ones too */
    struct p2_outbox *out;         /* of the running step, while callbacks run */
    struct p2_frame_record record; /* of the frame shipped last */
    uint64_t frames;               /* shipped */
    uint64_t frames_on_time;
};

struct p2_session_options {
    struct p2_game_port game; /* functions may be NULL */
    uint32_t tasks_max;
    size_t memory_max; /* bytes of inputs and results */
    uint64_t first_frame;
    uint64_t start_us; /* slot of first_frame */
    bool is_deferred;
};

/* Starts a session in a free place. P2_E_LIMIT, P2_E_NOMEM, P2_E_INVALID. */
int p2_session_open(struct p2_core *core, const struct p2_session_options *options,
                    uint16_t *ret_session);

/* Ends it: undelivered tasks are cancelled, their leases too (effects). */
int p2_session_close(struct p2_core *core, uint16_t session, struct p2_outbox *out);

/* Inside the game's callbacks only (P2_E_STATE otherwise). `ret_task`: the task's id.
 * Errors of p2_pipeline_submit. */
int p2_session_submit(struct p2_core *core, uint16_t session, const struct p2_task_spec *spec,
                      uint64_t *ret_task);

/* The game does not want the result any more: it is never delivered. P2_E_NOENT. */
int p2_session_cancel(struct p2_core *core, uint16_t session, uint64_t task);

/* The same for all undelivered tasks with `tag`; how many. */
uint32_t p2_session_invalidate(struct p2_core *core, uint16_t session, uint64_t tag);

/* A player has a seat / left it. Helpers with the player's key, or on its address prefix, or of a
 * linked owner, get no task of this session. `ip` may be NULL. P2_E_RANGE. */
int p2_session_join(struct p2_core *core, uint16_t session, uint8_t player, const struct p2_id *id,
                    const struct p2_ip *ip);
int p2_session_leave(struct p2_core *core, uint16_t session, uint8_t player);

/* Declares that helpers with this owner tag belong to a player. P2_E_LIMIT. */
int p2_session_link_owner(struct p2_core *core, uint16_t session, struct p2_span owner);

/* Sets what depends on the players' ties again: for one helper, or all when P2_PEER_NONE. */
void p2_session_retie(struct p2_core *core, uint16_t session, uint32_t peer);

/* Stops (true) or resumes paying peers: policy of the ledger. */
void p2_session_set_budget(struct p2_core *core, uint16_t session, bool is_spent);

/* Contents that kernels read beside their input (a chunk of the scene): sent to a helper once, named
 * by tasks. `key` (not 0) names exactly these bytes for ever: a changed chunk gets another. `bytes`
 * are borrowed until removed. P2_E_EXIST, P2_E_LIMIT, P2_E_INVALID. */
int p2_session_content_put(struct p2_core *core, uint16_t session, uint64_t key,
                           struct p2_span bytes);
/* Tasks that name it must be settled or cancelled; helpers drop it when they need the room. */
int p2_session_content_remove(struct p2_core *core, uint16_t session, uint64_t key);
/* Its bytes, or an empty span. */
struct p2_span p2_session_content(const struct p2_session *session, uint64_t key);

/* Parts of p2_core_step. */
int p2_session_input(struct p2_core *core, const struct p2_event *event);
int p2_session_correct(struct p2_core *core, const struct p2_event *event);
int p2_session_game(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                    struct p2_outbox *out);
void p2_session_run_slots(struct p2_core *core, struct p2_session *session, uint64_t now_us,
                          struct p2_outbox *out);

#endif
