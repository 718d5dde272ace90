/* What the loop and a session's thread hand each other once a frame: plain lists over one growing
 * buffer each, kept and used again, so that a running session allocates nothing.
 *
 *   in    loop -> thread: the frame, who came and went, inputs, results, and what gamers acknowledged
 *   out   thread -> loop: what the game asked for, and the frame of every gamer
 *
 * Items keep the order in which they take effect. Offsets point into the list's bytes. Whoever holds
 * a list may read and write it, nobody else: it is handed over whole. Thread: its holder's. */
#ifndef P2_AUTHORITY_SHELL_FRAME_BATCH_H
#define P2_AUTHORITY_SHELL_FRAME_BATCH_H

#include "authority/outbox.h"
#include "authority/pipeline.h"
#include "p2c2r/game.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of one list. Chosen: a frame whose results are all of the largest size would need more;
 * what does not fit is delivered degraded (in) or refused (out). */
#define P2_FRAME_BATCH_MAX ((size_t)256 << 20)

/* Items of one list. Chosen: every task of a session delivered at once, and as many again. */
#define P2_FRAME_ITEMS_MAX (4u * P2_CORE_TASKS_MAX)

enum p2_in_kind {
    P2_IN_JOIN,        /* player, version: given back by JOINED, bytes: the name */
    P2_IN_LEAVE,       /* player */
    P2_IN_CONSOLE,     /* bytes: the line; token goes back with the answer */
    P2_IN_INPUT,       /* player, sequence, bytes */
    P2_IN_RESULT,      /* task, status, bytes: STATE, in the order of ids */
    P2_IN_CORRECTED,   /* task, tag, bytes: a STATE result delivered before was wrong */
    P2_IN_VIEW_RESULT, /* task, status, tier, bytes */
    P2_IN_LOOK,        /* player, width, height: a client begins, or wants another picture */
    P2_IN_AWAY,        /* player: its client is gone */
    P2_IN_ACK          /* player, task: the frame, version */
};

struct p2_in_item {
    enum p2_in_kind kind;
    uint8_t player;
    uint8_t status; /* enum p2c2r_result_status */
    uint8_t tier;   /* enum p2_tier */
    uint16_t width, height;
    uint32_t sequence;
    uint64_t task;
    uint64_t version; /* ACK; CORRECTED: tag; CONSOLE: token */
    size_t offset, size;
};

struct p2_frame_in {
    uint64_t frame;
    uint8_t depth;
    uint8_t quality;
    bool wants_hash;                      /* of the state after this frame */
    bool wants_state;                     /* the same as bytes */
    uint32_t applied[P2C2R_PLAYERS_MAX];  /* newest input in this frame */
    uint32_t durable[P2C2R_PLAYERS_MAX];  /* newest input that survives a crash */
    uint32_t queue_us[P2C2R_PLAYERS_MAX]; /* how long its newest input waited */
    struct p2_frame_record record;        /* as far as it is known when the frame begins */
    struct p2_in_item *items;             /* owned */
    uint32_t count, capacity;
    struct p2_buf bytes;
};

enum p2_out_kind {
    P2_OUT_SUBMIT,         /* task, spec, bytes: the input; keys_offset */
    P2_OUT_CANCEL,         /* task */
    P2_OUT_CONTENT,        /* task: the key; bytes */
    P2_OUT_CONTENT_REMOVE, /* task: the key */
    P2_OUT_JOINED,         /* player, task: of JOIN, status: 0 or the game's refusal; bytes: why */
    P2_OUT_ANSWER,         /* token in task; bytes: the console's answer */
    P2_OUT_LOG,            /* status: the level; bytes */
    P2_OUT_FRAME,          /* player, bytes: the payload of FRAME */
    P2_OUT_END             /* bytes: why */
};

struct p2_out_item {
    enum p2_out_kind kind;
    uint8_t player;
    int status;
    uint64_t task;
    struct p2_task_spec spec; /* SUBMIT; its spans and keys are empty: see offset, keys_offset */
    size_t offset, size;
    size_t keys_offset; /* uint64_t [spec.key_count], not aligned */
};

struct p2_frame_out {
    uint64_t frame;
    bool is_out_of_sync;       /* --synctest: the second run differs */
    uint32_t game_us;          /* CPU time of the game's callbacks */
    uint32_t frames_us;        /* CPU time of the gamers' frames */
    uint32_t cut;              /* writes over the limits that were left out */
    uint64_t hash;             /* when wanted */
    struct p2_buf host;        /* when wanted: the host's part of the state */
    struct p2_buf world;       /* and the game's */
    struct p2_out_item *items; /* owned */
    uint32_t count, capacity;
    struct p2_buf bytes;
};

void p2_frame_in_init(struct p2_frame_in *in);
void p2_frame_in_clear(struct p2_frame_in *in);
void p2_frame_in_free(struct p2_frame_in *in);

/* Appends an item; `item` is copied, its offset and size set from `bytes`. P2_E_LIMIT, P2_E_NOMEM:
 * nothing was added. */
int p2_frame_in_add(struct p2_frame_in *in, const struct p2_in_item *item, struct p2_span bytes);
struct p2_span p2_frame_in_bytes(const struct p2_frame_in *in, const struct p2_in_item *item);

void p2_frame_out_init(struct p2_frame_out *out);
void p2_frame_out_clear(struct p2_frame_out *out);
void p2_frame_out_free(struct p2_frame_out *out);
int p2_frame_out_add(struct p2_frame_out *out, const struct p2_out_item *item,
                     struct p2_span bytes);
/* SUBMIT with its keys. */
int p2_frame_out_add_task(struct p2_frame_out *out, const struct p2_task_spec *spec);
struct p2_span p2_frame_out_bytes(const struct p2_frame_out *out, const struct p2_out_item *item);

#endif
