/* Queue, group commit, delivery. */
#include "store/batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct queue {
    struct p2_batch *first, **last; /* last: where the next one is linked */
};

struct p2_store_writer {
    struct p2_store *store;
    uv_loop_t *loop; /* NULL: the caller's thread does it all */
    uv_async_t async;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards everything below but what a comment excepts */
    pthread_cond_t wake;
    struct queue waiting; /* submitted */
    struct queue done;    /* committed or failed, to be delivered */
    size_t failed_undelivered;
    size_t batches_max, bytes_max;
    struct p2_store_writer_stats stats;
    bool is_stopping; /* nothing new is taken */
    bool is_drained;  /* the thread has nothing left */
    bool is_closing;  /* loop's thread only: the thread was joined */
    bool is_stopped;  /* loop's thread only */
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
};

/* ---- queues -------------------------------------------------------------------------------------- */

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_push(struct queue *queue, struct p2_batch *batch)
{
    batch->next = NULL;
    *queue->last = batch;
    queue->last = &batch->next;
}

static struct p2_batch *queue_pop(struct queue *queue)
{
    struct p2_batch *batch = queue->first;
    if (batch != NULL) {
        queue->first = batch->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return batch;
}

static void queue_free(struct queue *queue)
{
    for (struct p2_batch *batch; (batch = queue_pop(queue)) != NULL;) {
        p2_batch_free(batch);
    }
}

static void lock(struct p2_store_writer *writer)
{
    P2_ASSERT(pthread_mutex_lock(&writer->mutex) == 0);
}

static void unlock(struct p2_store_writer *writer)
{
    P2_ASSERT(pthread_mutex_unlock(&writer->mutex) == 0);
}

/* ---- commit -------------------------------------------------------------------------------------- */

/* A group on its way: the batches in order, those that failed marked by their error. */
struct group {
    struct queue batches;
    size_t count, bytes;
    struct p2_batch *culprit; /* whose error ended the transaction, or NULL */
};

/* Failed by itself. Those that only follow count no more once the cause was told. */
static bool is_root(const struct p2_batch *batch)
{
    return batch->error != P2_OK && !batch->is_follower;
}

static void cancel(struct p2_batch *batch)
{
    batch->is_follower = true;
    batch->error = p2_fail(&batch->failure, P2_E_CANCELLED,
                           "not written: an earlier record of its stream was not");
}

static bool is_cancelled_by(const struct p2_batch *from, const struct p2_batch *until,
                            uint64_t stream)
{
    for (; from != until; from = from->next) {
        if (from->stream == stream && is_root(from)) {
            return true;
        }
    }
    return false;
}

/* Moves what fits from the queue into the group. The lock is held. */
static void take_group(struct p2_store_writer *writer, struct group *group)
{
    queue_init(&group->batches);
    group->count = group->bytes = 0;
    while (writer->waiting.first != NULL) {
        struct p2_batch *batch = writer->waiting.first;
        if (group->count > 0 && batch->cost > P2_STORE_GROUP_BYTES - group->bytes) {
            break;
        }
        (void)queue_pop(&writer->waiting);
        if (batch->stream != 0 && writer->failed_undelivered > 0 &&
            is_cancelled_by(writer->done.first, NULL, batch->stream)) {
            cancel(batch);
        }
        queue_push(&group->batches, batch);
        group->count++;
        /* A batch above the limit is a group of its own and ends it. */
        group->bytes = batch->cost < P2_STORE_GROUP_BYTES - group->bytes
                           ? group->bytes + batch->cost
                           : P2_STORE_GROUP_BYTES;
    }
}

static int apply_group(struct p2_txn *txn, void *ctx)
{
    struct group *group = ctx;
    group->culprit = NULL;
    for (struct p2_batch *batch = group->batches.first; batch != NULL; batch = batch->next) {
        if (batch->error == P2_OK && p2_batch_apply(batch, txn) != P2_OK) {
            group->culprit = batch;
            return txn->error;
        }
    }
    return P2_OK;
}

/* Of the batch alone: the others of its group can do without it. Errors of the machine concern all
 * of them; trying each alone would only take longer. */
static bool is_own_error(int error)
{
    return error != P2_E_NODISK && error != P2_E_IO && error != P2_E_NOMEM;
}

static void cancel_followers(struct group *group)
{
    for (struct p2_batch *batch = group->batches.first; batch != NULL; batch = batch->next) {
        if (batch->error == P2_OK && batch->stream != 0 &&
            is_cancelled_by(group->batches.first, batch, batch->stream)) {
            cancel(batch);
        }
    }
}

static bool has_work(const struct group *group)
{
    const struct p2_batch *batch = group->batches.first;
    while (batch != NULL && batch->error != P2_OK) {
        batch = batch->next;
    }
    return batch != NULL;
}

/* Commits the group; afterwards each batch has its outcome. Returns the error of the machine. */
static int commit_group(struct p2_store_writer *writer, struct group *group)
{
    struct p2_failure failure;
    while (has_work(group)) {
        int error = p2_store_write(writer->store, apply_group, group, &failure);
        if (error == P2_OK) {
            return P2_OK;
        }
        if (group->culprit != NULL && is_own_error(error)) {
            group->culprit->error = error;
            group->culprit->failure = failure;
            cancel_followers(group);
            continue;
        }
        for (struct p2_batch *batch = group->batches.first; batch != NULL; batch = batch->next) {
            if (batch->error == P2_OK) {
                batch->error = error;
                batch->failure = failure;
            }
        }
        return error;
    }
    return P2_OK;
}

/* Takes one group through its commit. The lock is held, but not while the disk works. */
static void work(struct p2_store_writer *writer)
{
    struct group group;
    take_group(writer, &group);
    unlock(writer);
    uint64_t begin = uv_hrtime();
    int error = commit_group(writer, &group);
    uint64_t took_us = (uv_hrtime() - begin) / 1000;
    lock(writer);
    struct p2_store_writer_stats *stats = &writer->stats;
    stats->last_error = error;
    stats->commits += error == P2_OK;
    stats->commit_us += took_us;
    stats->commit_max_us = took_us > stats->commit_max_us ? took_us : stats->commit_max_us;
    stats->largest_group = group.count > stats->largest_group ? group.count : stats->largest_group;
    for (struct p2_batch *batch; (batch = queue_pop(&group.batches)) != NULL;) {
        writer->failed_undelivered += is_root(batch);
        queue_push(&writer->done, batch);
    }
}

static void *run_thread(void *ctx)
{
    struct p2_store_writer *writer = ctx;
    lock(writer);
    for (;;) {
        while (writer->waiting.first == NULL && !writer->is_stopping) {
            P2_ASSERT(pthread_cond_wait(&writer->wake, &writer->mutex) == 0);
        }
        if (writer->waiting.first == NULL) {
            break;
        }
        work(writer);
        (void)uv_async_send(&writer->async); /* fails only on a closed handle */
    }
    writer->is_drained = true;
    (void)uv_async_send(&writer->async);
    unlock(writer);
    return NULL;
}

/* ---- delivery ------------------------------------------------------------------------------------ */

/* What was submitted before the caller could know of a failure must not be written after it. */
static void cancel_waiting(struct p2_store_writer *writer, uint64_t stream)
{
    for (struct p2_batch *batch = writer->waiting.first; batch != NULL; batch = batch->next) {
        if (batch->stream == stream && batch->error == P2_OK) {
            cancel(batch);
        }
    }
}

/* Calls completions, one at a time: a completion may submit, and a failure counts as delivered only
 * when its own completion runs. */
static void deliver(struct p2_store_writer *writer)
{
    for (;;) {
        lock(writer);
        struct p2_batch *batch = queue_pop(&writer->done);
        if (batch != NULL) {
            bool is_good = batch->error == P2_OK;
            writer->failed_undelivered -= is_root(batch);
            writer->stats.queued--;
            writer->stats.queued_bytes -= batch->cost;
            writer->stats.batches += is_good;
            writer->stats.failed += !is_good;
            writer->stats.bytes += is_good ? batch->cost : 0;
            if (is_root(batch) && batch->stream != 0) {
                cancel_waiting(writer, batch->stream);
            }
        }
        unlock(writer);
        if (batch == NULL) {
            return;
        }
        if (batch->done != NULL) {
            batch->done(batch->done_ctx, batch->error, &batch->failure);
        }
        p2_batch_free(batch);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct p2_store_writer *writer = handle->data;
    writer->is_stopped = true;
    if (writer->on_stopped != NULL) {
        writer->on_stopped(writer->stopped_ctx);
    }
}

static void on_async(uv_async_t *async)
{
    struct p2_store_writer *writer = async->data;
    deliver(writer);
    lock(writer);
    bool is_finished = writer->is_drained && writer->done.first == NULL;
    unlock(writer);
    if (is_finished && !writer->is_closing) {
        writer->is_closing = true;
        P2_ASSERT(pthread_join(writer->thread, NULL) == 0); /* it is past its last wait */
        uv_close((uv_handle_t *)async, on_closed);
    }
}

/* ---- life ------------------------------------------------------------------------------------------ */

static int start_thread(struct p2_store_writer *writer)
{
    writer->async.data = writer;
    if (uv_async_init(writer->loop, &writer->async, on_async) != 0) {
        return P2_E_IO;
    }
    if (pthread_create(&writer->thread, NULL, run_thread, writer) != 0) {
        /* The handle lives in the writer: the loop must close it before the memory goes. */
        writer->is_closing = true;
        return P2_E_NOMEM;
    }
    return P2_OK;
}

static void free_closed(uv_handle_t *handle)
{
    struct p2_store_writer *writer = handle->data;
    writer->is_stopped = true;
    p2_store_writer_free(writer);
}

int p2_store_writer_new(struct p2_store_writer **ret_writer,
                        const struct p2_store_writer_options *options)
{
    struct p2_store_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return P2_E_NOMEM;
    }
    writer->store = options->store;
    writer->loop = options->loop;
    writer->batches_max =
        options->queue_batches != 0 ? options->queue_batches : P2_STORE_QUEUE_BATCHES;
    writer->bytes_max = options->queue_bytes != 0 ? options->queue_bytes : P2_STORE_QUEUE_BYTES;
    queue_init(&writer->waiting);
    queue_init(&writer->done);
    P2_ASSERT(pthread_mutex_init(&writer->mutex, NULL) == 0); /* Linux: cannot fail */
    P2_ASSERT(pthread_cond_init(&writer->wake, NULL) == 0);   /* as well */
    int error = writer->loop != NULL ? start_thread(writer) : P2_OK;
    if (error == P2_OK) {
        *ret_writer = writer;
        return P2_OK;
    }
    if (writer->is_closing) {
        uv_close((uv_handle_t *)&writer->async, free_closed);
    } else {
        writer->is_stopped = true;
        p2_store_writer_free(writer);
    }
    return error;
}

int p2_store_writer_submit(struct p2_store_writer *writer, struct p2_batch *batch,
                           p2_batch_done_fn *done, void *ctx)
{
    if (batch->error != P2_OK) {
        return batch->error;
    }
    lock(writer);
    struct p2_store_writer_stats *stats = &writer->stats;
    /* A batch larger than the whole queue may go when it is alone. */
    bool has_room = stats->queued == 0 || (stats->queued < writer->batches_max &&
                                           stats->queued_bytes < writer->bytes_max &&
                                           batch->cost <= writer->bytes_max - stats->queued_bytes);
    int error = writer->is_stopping ? P2_E_DRAINING : has_room ? P2_OK : P2_E_AGAIN;
    if (error == P2_OK) {
        batch->done = done;
        batch->done_ctx = ctx;
        stats->queued++;
        stats->queued_bytes += batch->cost;
        queue_push(&writer->waiting, batch);
        P2_ASSERT(pthread_cond_signal(&writer->wake) == 0);
    }
    unlock(writer);
    return error;
}

bool p2_store_writer_run(struct p2_store_writer *writer)
{
    P2_ASSERT(writer->loop == NULL);
    lock(writer);
    bool has_any = writer->waiting.first != NULL;
    if (has_any) {
        work(writer);
    }
    unlock(writer);
    deliver(writer);
    return has_any;
}

void p2_store_writer_forget(struct p2_store_writer *writer)
{
    P2_ASSERT(writer->loop == NULL);
    queue_free(&writer->waiting);
    queue_free(&writer->done);
    writer->is_stopping = writer->is_stopped = true;
}

void p2_store_writer_stop(struct p2_store_writer *writer, void (*on_stopped)(void *ctx), void *ctx)
{
    writer->on_stopped = on_stopped;
    writer->stopped_ctx = ctx;
    lock(writer);
    writer->is_stopping = true;
    P2_ASSERT(pthread_cond_signal(&writer->wake) == 0);
    unlock(writer);
    if (writer->loop == NULL) {
        while (p2_store_writer_run(writer)) {
        }
        writer->is_stopped = true;
        if (on_stopped != NULL) {
            on_stopped(ctx);
        }
    }
}

void p2_store_writer_free(struct p2_store_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    P2_ASSERT(writer->is_stopped);
    P2_ASSERT(pthread_cond_destroy(&writer->wake) == 0); /* nobody waits: the thread ended */
    P2_ASSERT(pthread_mutex_destroy(&writer->mutex) == 0);
    free(writer);
}

struct p2_store_writer_stats p2_store_writer_stats(struct p2_store_writer *writer)
{
    lock(writer);
    struct p2_store_writer_stats stats = writer->stats;
    unlock(writer);
    return stats;
}
