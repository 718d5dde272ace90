/* The one writer of a store: promises are kept before they are given.
 *
 * The loop submits batches of operations; each has a completion that runs on the loop, and only
 * after the commit of its batch returned. So an effect that promises something (an acknowledged
 * input, a ledger entry, a ban) is released in the completion and nowhere else.
 *
 * Group commit: while one commit is on its way to the disk, batches collect; the next commit takes
 * them all (up to P2_STORE_GROUP_BYTES). A promise waits for at most the rest of the running commit
 * and its own: two commit times. Batches are committed and completed in the order of submission.
 *
 * A batch is applied whole or not at all. When one fails (P2_E_EXIST of an insert, an error of its
 * function), the others of its group are committed without it. Batches of one stream (a journal)
 * depend on each other: after a failure all later ones of that stream fail with P2_E_CANCELLED until
 * the completion of the failed one was called, so a journal has no gaps. A full disk fails the whole
 * group with P2_E_NODISK; later batches are tried anew and succeed when there is room.
 *
 * With a loop the commits run on a thread of their own. Without (the simulator), p2_store_writer_run
 * does the same work on the caller's thread: same order, same code, no threads.
 *
 * Life: new -> submit... -> stop -> (its callback) -> free. Thread: that of the loop for all
 * functions; batch functions run on the writer's thread. */
#ifndef P2_STORE_WRITER_H
#define P2_STORE_WRITER_H

#include "store/store.h"

struct uv_loop_s;

/* Chosen: a commit of 16 MiB takes less than 50 ms on a disk of 400 MB/s. A larger batch is a group
 * of its own. */
#define P2_STORE_GROUP_BYTES ((size_t)16 << 20)

/* Defaults of the queue. Chosen: a second of 32 sessions at 60 Hz; the autosaves of ten worlds. */
#define P2_STORE_QUEUE_BATCHES 4096
#define P2_STORE_QUEUE_BYTES   ((size_t)64 << 20)

struct p2_store_writer;
struct p2_batch;

struct p2_store_writer_options {
    struct p2_store *store; /* borrowed until p2_store_writer_free */
    struct uv_loop_s *loop; /* NULL: no thread, see p2_store_writer_run */
    size_t queue_batches;   /* 0 = default; submitted and not completed */
    size_t queue_bytes;     /* 0 = default */
};

/* Starts the writer. Gives: p2_store_writer_free after stop. P2_E_NOMEM, P2_E_IO (thread, loop). */
int p2_store_writer_new(struct p2_store_writer **ret_writer,
                        const struct p2_store_writer_options *options);

/* ---- batches ---------------------------------------------------------------------------------- */

/* A new empty batch; NULL when out of memory. Gives: to p2_store_writer_submit or p2_batch_free. */
struct p2_batch *p2_batch_new(void);
void p2_batch_free(struct p2_batch *batch);

/* Appends an operation; key and payload are copied, `table` is kept until the completion. Errors
 * are sticky and reported by submit. They mean what p2_txn_put, _insert, _delete and
 * _delete_prefix say. */
void p2_batch_put(struct p2_batch *batch, const struct p2_table *table, struct p2_span key,
                  uint8_t version, struct p2_span payload);
void p2_batch_insert(struct p2_batch *batch, const struct p2_table *table, struct p2_span key,
                     uint8_t version, struct p2_span payload);
void p2_batch_delete(struct p2_batch *batch, const struct p2_table *table, struct p2_span key);
void p2_batch_delete_prefix(struct p2_batch *batch, const struct p2_table *table,
                            struct p2_span prefix);

/* Runs `work` on the writer's thread, in the transaction, after the operations of the batch: for
 * work that is too long for the loop, as compressing a checkpoint. It may run more than once
 * (p2_store_write_fn) and owns what `ctx` points to until the completion. `bytes` is about what it
 * will write and counts for the queue. One per batch; a second one is P2_E_STATE. */
void p2_batch_work(struct p2_batch *batch, p2_store_write_fn *work, void *ctx, size_t bytes);

/* Gives `ctx` to the batch: `release` (not NULL) runs once with it when the batch is freed, after its
 * completion or without one, on the loop's thread. One per batch; a second one is P2_E_STATE. */
void p2_batch_own(struct p2_batch *batch, void (*release)(void *ctx), void *ctx);

/* Sets the sticky error unless one is set: for functions that fill a batch. */
void p2_batch_fail(struct p2_batch *batch, int error);

/* Makes the batch depend on earlier ones of the same stream, see above; 0 = on none. */
void p2_batch_set_stream(struct p2_batch *batch, uint64_t stream);

/* The outcome: `error` is 0 when the batch is on the disk; else nothing of it is in the store and
 * `failure` (borrowed) holds a message. May submit. */
typedef void p2_batch_done_fn(void *ctx, int error, const struct p2_failure *failure);

/* Takes the batch on success; on error the caller keeps it and `done` is not called: P2_E_AGAIN the
 * queue is full, P2_E_DRAINING after stop, or a sticky error of the batch. `done` may be NULL; it
 * runs exactly once and never before this returned. */
int p2_store_writer_submit(struct p2_store_writer *writer, struct p2_batch *batch,
                           p2_batch_done_fn *done, void *ctx);

/* ---- life --------------------------------------------------------------------------------------- */

/* Without a loop: commits one group and calls its completions. True when there was one. */
bool p2_store_writer_run(struct p2_store_writer *writer);

/* Without a loop: forgets everything that is queued, calls nothing. The simulator's power cut. */
void p2_store_writer_forget(struct p2_store_writer *writer);

/* Takes nothing new, commits all that was submitted, calls the completions, then `on_stopped` (may
 * be NULL), on the loop; without a loop before it returns. */
void p2_store_writer_stop(struct p2_store_writer *writer, void (*on_stopped)(void *ctx), void *ctx);

/* After on_stopped, or without a loop after stop or forget. NULL is ignored. */
void p2_store_writer_free(struct p2_store_writer *writer);

struct p2_store_writer_stats {
    uint64_t batches;       /* completed well */
    uint64_t failed;        /* completed with an error */
    uint64_t commits;       /* groups that were committed */
    uint64_t bytes;         /* of the operations of completed batches */
    uint64_t queued;        /* submitted and not completed, now */
    uint64_t queued_bytes;  /* of these */
    uint64_t largest_group; /* batches in one commit */
    uint64_t commit_us;     /* time of all commits */
    uint64_t commit_max_us; /* of the slowest one */
    int last_error;         /* of the last group; 0 = the store takes promises */
};
struct p2_store_writer_stats p2_store_writer_stats(struct p2_store_writer *writer);

#endif
