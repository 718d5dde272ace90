/* A thread with one job at a time. */
#include "authority/shell/game_thread.h"

#include "base/error.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum job { JOB_NONE, JOB_OPEN, JOB_FRAME, JOB_SWAP, JOB_STOP };

struct p2_game_thread {
    const struct p2_game_thread_events *events;
    void *ctx;
    uv_async_t async;
    pthread_t thread;
    bool is_stopping; /* the loop's */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    enum job job;  /* to be done, or being done */
    enum job done; /* to be reported */

    /* The job's: belongs to whoever has the job. */
    struct p2_game_run_options options;
    struct p2_game_module *module; /* owned: of the run */
    struct p2_game_module *other;  /* owned: to be swapped in */
    struct p2_game_run *run;
    struct p2_frame_in *in;
    struct p2_frame_out *out;
    struct p2_frame_out said; /* by init and swap */
    struct p2_failure failure;
    int error;
};

/* ---- the thread -------------------------------------------------------------------------------- */

static void swap(struct p2_game_thread *thread)
{
    struct p2_game_module *old = NULL;
    p2_frame_out_clear(&thread->said);
    thread->error =
        p2_game_run_swap(thread->run, thread->other, &thread->said, &thread->failure, &old);
    if (thread->error == P2_OK) {
        thread->module = thread->other;
        thread->other = old;
    }
    p2_game_module_free(thread->other);
    thread->other = NULL;
}

static void do_job(struct p2_game_thread *thread, enum job job)
{
    switch (job) {
    case JOB_OPEN:
        thread->error =
            p2_game_run_open(&thread->options, &thread->said, &thread->failure, &thread->run);
        break;
    case JOB_FRAME:
        p2_game_run_frame(thread->run, thread->in, thread->out);
        break;
    case JOB_SWAP:
        swap(thread);
        break;
    case JOB_STOP:
        p2_game_run_close(thread->run);
        p2_game_module_free(thread->module);
        break;
    case JOB_NONE:
        break;
    }
}

static void *work(void *argument)
{
    struct p2_game_thread *thread = argument;
    enum job job = JOB_NONE;
    while (job != JOB_STOP) {
        (void)pthread_mutex_lock(&thread->mutex); /* neither can fail: no error checking mutex */
        while (thread->job == JOB_NONE || thread->done != JOB_NONE) {
            (void)pthread_cond_wait(&thread->wake, &thread->mutex);
        }
        job = thread->job;
        (void)pthread_mutex_unlock(&thread->mutex);
        do_job(thread, job);
        (void)pthread_mutex_lock(&thread->mutex);
        thread->done = job;
        (void)pthread_mutex_unlock(&thread->mutex);
        (void)uv_async_send(&thread->async); /* never fails for an open handle */
    }
    return NULL;
}

/* ---- the loop ---------------------------------------------------------------------------------- */

static void give_job(struct p2_game_thread *thread, enum job job)
{
    (void)pthread_mutex_lock(&thread->mutex);
    P2_ASSERT(thread->job == JOB_NONE);
    thread->job = job;
    (void)pthread_cond_signal(&thread->wake);
    (void)pthread_mutex_unlock(&thread->mutex);
}

static void on_closed(uv_handle_t *handle)
{
    struct p2_game_thread *thread = handle->data;
    void (*on_stopped)(void *ctx) = thread->events->on_stopped;
    void *ctx = thread->ctx;
    p2_frame_out_free(&thread->said);
    (void)pthread_mutex_destroy(&thread->mutex);
    (void)pthread_cond_destroy(&thread->wake);
    free(thread);
    on_stopped(ctx);
}

static void on_async(uv_async_t *async)
{
    struct p2_game_thread *thread = async->data;
    (void)pthread_mutex_lock(&thread->mutex);
    enum job done = thread->done;
    if (done != JOB_NONE) {
        thread->job = thread->done = JOB_NONE;
    }
    (void)pthread_mutex_unlock(&thread->mutex);
    if (done == JOB_STOP) {
        (void)pthread_join(thread->thread, NULL); /* it has ended, or is about to */
        uv_close((uv_handle_t *)&thread->async, on_closed);
    } else if (done != JOB_NONE && thread->is_stopping) {
        give_job(thread, JOB_STOP);
    } else if (done == JOB_OPEN) {
        thread->events->on_ready(thread->ctx, thread->error, &thread->failure, &thread->said);
    } else if (done == JOB_FRAME) {
        thread->events->on_frame(thread->ctx, thread->in, thread->out);
    } else if (done == JOB_SWAP) {
        thread->events->on_swapped(thread->ctx, thread->error, &thread->failure, &thread->said);
    }
}

/* Signals are the loop's. */
static int start_thread(struct p2_game_thread *thread)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->thread, NULL, work, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 ? P2_OK : P2_E_LIMIT;
}

int p2_game_thread_start(uv_loop_t *loop, const struct p2_game_run_options *options,
                         struct p2_game_module *module, const struct p2_game_thread_events *events,
                         void *ctx, struct p2_game_thread **ret_thread)
{
    struct p2_game_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL || uv_async_init(loop, &thread->async, on_async) != 0) {
        free(thread);
        p2_game_module_free(module);
        return P2_E_NOMEM;
    }
    thread->async.data = thread;
    thread->events = events;
    thread->ctx = ctx;
    thread->options = *options;
    thread->options.module = module;
    thread->module = module;
    thread->job = JOB_OPEN;
    p2_frame_out_init(&thread->said);
    (void)pthread_mutex_init(&thread->mutex, NULL); /* with default attributes these cannot fail */
    (void)pthread_cond_init(&thread->wake, NULL);
    int error = start_thread(thread);
    if (error != P2_OK) {
        /* Reported as an ended thread: the handle has to be closed by the loop first. */
        p2_game_module_free(module);
        uv_close((uv_handle_t *)&thread->async, on_closed);
        return error;
    }
    *ret_thread = thread;
    return P2_OK;
}

void p2_game_thread_frame(struct p2_game_thread *thread, struct p2_frame_in *in,
                          struct p2_frame_out *out)
{
    thread->in = in;
    thread->out = out;
    give_job(thread, JOB_FRAME);
}

void p2_game_thread_swap(struct p2_game_thread *thread, struct p2_game_module *module)
{
    thread->other = module;
    give_job(thread, JOB_SWAP);
}

bool p2_game_thread_is_busy(const struct p2_game_thread *thread)
{
    return thread->job != JOB_NONE;
}

const struct p2c2r_game *p2_game_thread_game(const struct p2_game_thread *thread)
{
    return p2_game_run_game(thread->run);
}

void p2_game_thread_stop(struct p2_game_thread *thread)
{
    if (!thread->is_stopping) {
        thread->is_stopping = true;
        if (!p2_game_thread_is_busy(thread)) {
            give_job(thread, JOB_STOP);
        }
    }
}
