/* What one session keeps: its journal, its checkpoints, its saves.
 *
 *   loop, after each step:     p2_session_store_effect for every JOURNAL effect of the session, then
 *                              p2_session_store_frame for its FRAME effect
 *   completion, on the loop:   on_durable(next_frame, sequences): these inputs may be promised
 *   loop, once a frame:        p2_session_store_due: which images are wanted
 *   session thread:            p2_image_builder_*, p2_image_take at the frame boundary
 *   loop, when it has it:      p2_session_store_write
 *
 * A frame number F of an image means "the state before frame F": all frames below F are in it.
 * Frames are consecutive; every frame has a record, also an empty one, so the newest one that was
 * committed is known. Records of one timeline form a hash chain (store/chain.h).
 *
 *   state        entered by                              what happens
 *   JOURNALLING  open of a new or whole session;         frames are written as they come
 *                a base checkpoint was submitted
 *   WAITING      open of one with damage; a frame could  frames are kept in memory (up to
 *                not be written; restart                 P2_SESSION_KEEP_*), no promise is given;
 *                                                        `due` wants a checkpoint at once and again
 *                                                        every second until one succeeds
 *
 * A checkpoint in WAITING is a base: it begins a new timeline, and one transaction replaces tail,
 * journal and checkpoints. So a journal has no gap, and a session goes on while a disk is full.
 *
 *   tail         timeline u32, first u64, next u64, head[32], seats u8, then per seat u8 and its
 *                highest durable sequence u32
 *   checkpoint   part 0: timeline u32, frame u64, first u64, head[32], schema u32, bytes of host u32,
 *                seats as in the tail
 *                parts 1..: the host's bytes in slices of 256 KiB: size u32, zstd frame
 *
 * Nothing here waits: what is serialised is compressed, hashed and written on the writer's thread.
 * Thread: the loop, but for what is said otherwise. */
#ifndef P2_AUTHORITY_STORE_SESSION_STORE_H
#define P2_AUTHORITY_STORE_SESSION_STORE_H

#include "authority/store/journal.h"
#include "store/image.h"
#include "store/writer.h"

#define P2_CHECKPOINT_EVERY_MS UINT64_C(1000)    /* DESIGN 10 */
#define P2_AUTOSAVE_EVERY_MS   UINT64_C(60000)   /* DESIGN 10 */
#define P2_HOURLY_EVERY_MS     UINT64_C(3600000) /* DESIGN 10 */
#define P2_CHECKPOINTS_KEPT    2u
#define P2_AUTOSAVES_KEPT      10u
#define P2_HOURLIES_KEPT       24u

/* Bytes of the host's own part of a checkpoint: next task id, depth, undelivered tasks with their
 * inputs. Chosen: the pipeline's memory limit is of that size. */
#define P2_SESSION_HOST_MAX ((size_t)64 << 20)

/* Frames that wait in memory while nothing can be written. Chosen: ten seconds. */
#define P2_SESSION_KEEP_FRAMES 600u
#define P2_SESSION_KEEP_BYTES  ((size_t)16 << 20)

/* Where a session stands. Made by recovery.h, or zeroed with `next` for a new session. */
struct p2_session_position {
    uint32_t timeline;                  /* 0: nothing was ever written */
    uint64_t next;                      /* the next frame to run */
    uint32_t sequences[P2_PLAYERS_MAX]; /* highest durable input of each seat */
    bool is_damaged;                    /* frames from `next` on are lost: begin a new timeline */
};

struct p2_session_store_events {
    /* All frames below `next` are on the disk; sequences[P2_PLAYERS_MAX] are the highest inputs
     * that may be promised. */
    void (*on_durable)(void *ctx, uint64_t next, const uint32_t *sequences);
    /* The journal stopped (error != 0, borrowed message) or goes on again (0, NULL). No frame is
     * lost for the players; promises wait. */
    void (*on_trouble)(void *ctx, int error, const struct p2_failure *failure);
};

struct p2_session_store_options {
    struct p2_store_writer *writer; /* kept until the store was closed */
    uint64_t session;
    struct p2_session_position position;          /* where it begins */
    const struct p2_session_store_events *events; /* kept */
    void *ctx;
    uint64_t now_ms; /* monotonic, as in p2_session_store_due */
    /* 0 = the defaults above; for tests. */
    uint64_t checkpoint_every_ms, autosave_every_ms, hourly_every_ms;
};

struct p2_session_store;

/* Gives: p2_session_store_close. P2_E_NOMEM. Writes nothing yet. */
int p2_session_store_open(struct p2_session_store **ret_store,
                          const struct p2_session_store_options *options);

/* None of its events is called from now on; what was submitted is still written, and the `done` of
 * p2_session_store_write still runs. It is freed when its last batch was completed or forgotten.
 * Accepts NULL. */
void p2_session_store_close(struct p2_session_store *store);

/* ---- frames ------------------------------------------------------------------------------------ */

/* Adds an entry to the frame that is being collected; copies. Errors of p2_journal_append: the frame
 * then cannot be replayed, so the journal stops as with a full disk (on_trouble) and a base
 * checkpoint follows. */
void p2_session_store_add(struct p2_session_store *store, const struct p2_journal_entry *entry);

/* The same for a JOURNAL effect. An effect of frame n+1 that comes before frame n was closed (DEPTH)
 * belongs to n+1; any order within a step is right. */
void p2_session_store_effect(struct p2_session_store *store, const struct p2_effect *effect);

/* Closes frame `frame` (consecutive: P2_E_STATE) and writes it. on_durable follows. Costs a few
 * microseconds and the bytes of its results. */
int p2_session_store_frame(struct p2_session_store *store, uint64_t frame);

/* ---- images ------------------------------------------------------------------------------------ */

#define P2_DUE_CHECKPOINT 1u
#define P2_DUE_AUTOSAVE   2u
#define P2_DUE_HOURLY     4u

/* Which images are wanted now; P2_DUE_* bits, 0 while one is under way. The times count as taken
 * when p2_session_store_write is called with the bits. `now_ms` is monotonic. */
unsigned p2_session_store_due(const struct p2_session_store *store, uint64_t now_ms);

struct p2_session_image {
    unsigned kinds;         /* P2_DUE_* bits, may be 0 with a name */
    const char *name;       /* also as a named save; NULL: none */
    uint64_t frame;         /* the state before this frame; <= the frame that is closed next */
    uint32_t schema;        /* the game's, of its snapshots (game.h) */
    uint64_t made_ms;       /* since 1970 */
    uint64_t now_ms;        /* monotonic, as in due */
    struct p2_image *image; /* taken, also on error */
    struct p2_span host;    /* the host's bytes, copied; not part of exports */
};

/* Writes the image as checkpoint, autosave, hourly and named save, all in one transaction; whatever
 * they share is stored once. `done` (may be NULL) says when it is on the disk or why not. In WAITING
 * the image must be a checkpoint of a frame whose successors are still in memory (P2_E_STATE: take a
 * newer one). Errors of p2_store_writer_submit; P2_E_INVALID. */
int p2_session_store_write(struct p2_session_store *store, const struct p2_session_image *image,
                           p2_batch_done_fn *done, void *ctx);

/* The game's state was replaced (a save was restored): frames that are being collected are dropped,
 * the next one is `next`, and no promise is given until the base checkpoint of the new state, which
 * the caller writes next, is on the disk. If the daemon dies before that, the old state resumes. */
void p2_session_store_restart(struct p2_session_store *store, uint64_t next);

/* ---- figures ----------------------------------------------------------------------------------- */

struct p2_session_store_stats {
    bool is_waiting;        /* no promises at the moment */
    int last_error;         /* why */
    uint64_t frames;        /* durable, of this process */
    uint64_t frame_bytes;   /* of these, payloads */
    uint64_t checkpoints;   /* written */
    uint64_t saves;         /* of the other kinds */
    uint64_t chunks;        /* written newly */
    uint64_t chunk_bytes;   /* compressed */
    uint64_t frames_kept;   /* in memory, not written yet */
    uint64_t next_durable;  /* frames below are on the disk */
    uint64_t checkpoint_at; /* newest durable checkpoint's frame */
};
struct p2_session_store_stats p2_session_store_stats(const struct p2_session_store *store);

uint64_t p2_session_store_session(const struct p2_session_store *store);

#endif
