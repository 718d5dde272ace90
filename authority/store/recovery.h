/* After a crash: the newest checkpoint that is whole, then every frame since, in order.
 *
 *   world    once, unless the session never had a checkpoint: then the game begins from its seed
 *   frame    for each frame in order; the caller replays it: inputs, tick, results, commit
 *   progress about ten times a second of work, for a person
 *
 * A checkpoint that is damaged is passed over for the one before it, whose frames are still there.
 * The chain is checked while reading. A damaged frame ends the replay: the position then says
 * is_damaged, and the error is P2_E_CORRUPT with a message of what is lost and which saves there
 * are; the caller may go on from there or stop.
 *
 * Reads in short transactions, so a daemon may recover one session while others run. Blocks: at the
 * start, or on the session's thread. */
#ifndef P2_AUTHORITY_STORE_RECOVERY_H
#define P2_AUTHORITY_STORE_RECOVERY_H

#include "authority/store/session_store.h"

struct p2_recovery_events {
    /* The state before frame `frame`; borrowed for the call. Errors end the recovery. */
    int (*world)(void *ctx, uint64_t frame, uint32_t schema, struct p2_span world,
                 struct p2_span host);
    /* One frame; `entries` is at its first entry. Errors end the recovery. */
    int (*frame)(void *ctx, uint64_t frame, struct p2_journal_reader *entries);
    /* `done` of `total` frames were replayed. May be NULL. */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
};

/* Frames between two calls of progress. Chosen: a second of play, replayed in milliseconds. */
#define P2_RECOVERY_PROGRESS_FRAMES 60u

/* Recovers `session`. `first` is the frame a session without a checkpoint begins with. P2_OK;
 * P2_E_CORRUPT with the position of what could be saved; an error of a callback; errors of reading.
 * P2_E_NOENT: nothing was ever written; the position is that of a new session. */
int p2_session_recover(struct p2_store *store, uint64_t session, uint64_t first,
                       const struct p2_recovery_events *events, void *ctx,
                       struct p2_session_position *ret_position, struct p2_failure *failure);

#endif
