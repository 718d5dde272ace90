/* What a batch is made of: between writer.c and batch.c. */
#ifndef P2_STORE_BATCH_H
#define P2_STORE_BATCH_H

#include "store/writer.h"

struct p2_batch {
    struct p2_batch *next; /* in a queue */
    struct p2_buf bytes;   /* the operations, see batch.c */
    p2_store_write_fn *work;
    void *work_ctx;
    void (*release)(void *ctx); /* NULL: owns nothing more */
    void *owned;
    p2_batch_done_fn *done;
    void *done_ctx;
    uint64_t stream;
    size_t cost;               /* bytes it counts for in the queue */
    int error;                 /* sticky while built; the outcome once committed */
    bool is_follower;          /* fails only because an earlier one of its stream did */
    struct p2_failure failure; /* message of the outcome */
};

/* Applies operations, then the work, to an open write transaction; the error is the batch's own
 * unless txn->system says otherwise. */
int p2_batch_apply(struct p2_batch *batch, struct p2_txn *txn);

#endif
