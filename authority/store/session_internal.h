/* Between session_store.c (the loop), session_write.c (the writer's thread), recovery.c and saves.c:
 * the keys and records of a session. */
#ifndef P2_AUTHORITY_STORE_SESSION_INTERNAL_H
#define P2_AUTHORITY_STORE_SESSION_INTERNAL_H

#include "authority/store/schema.h"
#include "authority/store/session_store.h"
#include "store/chain.h"

/* Layout of the payloads of tails, journal and checkpoints. */
#define P2_SESSION_LAYOUT 1

/* Named saves. Chosen: what the other kinds never need of P2_SNAPSHOTS_MAX. */
#define P2_NAMED_SAVES_MAX 200u

/* How far a session's journal got. */
struct p2_tail {
    uint32_t timeline;
    uint64_t first; /* first frame of the timeline */
    uint64_t next;  /* behind the last one that was committed */
    uint8_t head[P2_CHAIN_HEAD];
    uint32_t sequences[P2_PLAYERS_MAX];
};

/* What a save needs beside its world. */
struct p2_checkpoint {
    uint32_t timeline;
    uint64_t frame;
    uint64_t first; /* of its timeline: frame - first records stand before it in the chain */
    uint8_t head[P2_CHAIN_HEAD];
    uint32_t schema;
    uint32_t host_bytes;
    uint32_t sequences[P2_PLAYERS_MAX]; /* durable when it was written */
};

/* ---- session_record.c: bytes ------------------------------------------------------------------- */

#define P2_JOURNAL_KEY (8 + 4 + 8)
struct p2_span p2_journal_key(uint8_t key[P2_JOURNAL_KEY], uint64_t session, uint32_t timeline,
                              uint64_t frame);

/* The chain of a timeline before its first frame. */
void p2_session_chain(struct p2_chain *chain, uint64_t session, uint32_t timeline);

/* The tail; P2_E_NOENT, P2_E_CORRUPT. */
int p2_tail_read(struct p2_txn *txn, uint64_t session, struct p2_tail *ret_tail);
void p2_tail_write(struct p2_txn *txn, uint64_t session, const struct p2_tail *tail);

struct p2_snapshot_place p2_session_snapshot_place(uint64_t session);

/* Head and host of a save. Read: P2_E_NOENT; `host` may be NULL. */
int p2_checkpoint_read(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                       uint64_t number, struct p2_checkpoint *ret_checkpoint, struct p2_buf *host);
int p2_checkpoint_write(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                        uint64_t number, const struct p2_checkpoint *checkpoint,
                        struct p2_span host);

/* Deletes a save with its head. */
int p2_session_save_delete(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                           uint64_t number);

/* ---- session_write.c: work on the writer's thread ------------------------------------------------ */

/* A frame on its way. */
struct p2_session_frame {
    struct p2_session_store *owner;
    struct p2_session_frame *next; /* in the queue of those that are kept */
    uint64_t session;
    uint32_t timeline;
    bool is_refused; /* by the writer: still the owner's */
    uint64_t number;
    struct p2_buf bytes;                /* P2_CHAIN_HEAD bytes, then the frame's entries */
    uint64_t seats;                     /* bit per seat with an input in this frame */
    uint32_t sequences[P2_PLAYERS_MAX]; /* of these */
    uint32_t before[P2_PLAYERS_MAX];    /* and what was the highest before */
};
_Static_assert(P2_PLAYERS_MAX <= 64, "a bit per seat");

/* p2_store_write_fn: appends the frame to journal and chain. */
int p2_session_write_frame(struct p2_txn *txn, void *ctx);

/* An image on its way. */
struct p2_session_saving {
    struct p2_session_store *owner;
    uint64_t session;
    unsigned kinds;
    bool is_base; /* begins `timeline` */
    uint32_t timeline;
    uint64_t frame, made_ms;
    uint32_t schema;
    bool has_name;
    char name[P2_SNAPSHOT_NAME_MAX + 1];
    struct p2_image *image;
    struct p2_buf host;
    uint32_t sequences[P2_PLAYERS_MAX]; /* of a base */
    p2_batch_done_fn *done;
    void *done_ctx;
    /* Outcome, set on the writer's thread. */
    int name_error; /* the named save alone could not be made */
    struct p2_snapshot_written written;
    uint64_t saves;
};

/* The named save of `saving` alone; name_error says what a person did wrong. */
int p2_session_write_named(struct p2_txn *txn, struct p2_session_saving *saving);

/* p2_store_write_fn: writes checkpoint, saves, and drops what they replace. */
int p2_session_write_image(struct p2_txn *txn, void *ctx);

#endif
