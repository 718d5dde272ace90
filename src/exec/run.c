/* One task at a time; see the header. */
#include "exec/run.h"

#include "exec/pool.h"

#include <stdlib.h>
#include <string.h>

/* The one authority of a runner. */
#define AUTHORITY 1u

/* Blob memory: the most that one task can hold. */
#define BLOB_BYTES ((uint64_t)P2C2R_BLOBS_MAX * P2C2R_BLOB_MAX)

struct p2_runner {
    uv_loop_t loop;
    struct p2_pool *pool;
    bool is_done;
    uint8_t *output;
    size_t capacity;
    struct p2_run_result result;
};

int p2_runner_open(struct p2_launcher *launcher, struct p2_failure *failure,
                   struct p2_runner **ret_runner)
{
    static const struct p2_pool_settings settings = {
        .workers = 1, .queue_capacity = 1, .cpu_permille = 1000};
    struct p2_runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL || uv_loop_init(&runner->loop) != 0) {
        p2_launcher_stop(launcher);
        free(runner);
        return p2_fail(failure, P2_E_NOMEM, "no memory for an event loop");
    }
    int error = p2_pool_open(&runner->loop, launcher, &settings, failure, &runner->pool);
    if (error == P2_OK) {
        error = p2_pool_authority_add(runner->pool, AUTHORITY, BLOB_BYTES);
        if (error != P2_OK) {
            (void)p2_fail(failure, error, "cannot make the blob memory of a worker: %s",
                          p2_error_text(error));
        }
    }
    if (error != P2_OK) {
        p2_runner_close(runner);
        return error;
    }
    *ret_runner = runner;
    return P2_OK;
}

void p2_runner_close(struct p2_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    if (runner->pool != NULL) {
        p2_pool_close(runner->pool, NULL, NULL);
    }
    (void)uv_run(&runner->loop, UV_RUN_DEFAULT); /* until the pool's handles are closed */
    int failed = uv_loop_close(&runner->loop);
    P2_ASSERT(failed == 0);
    free(runner);
}

static void on_done(void *ctx, const struct p2_task_result *result)
{
    struct p2_runner *runner = ctx;
    runner->is_done = true;
    runner->result.status = result->status;
    runner->result.trap = result->trap;
    runner->result.cpu_us = result->cpu_us;
    runner->result.output_size = result->output.size;
    if (result->output.size > 0) {
        P2_ASSERT(result->output.size <= runner->capacity);
        memcpy(runner->output, result->output.data, result->output.size);
    }
}

/* Submits and turns the loop until the callback came. */
static int run_task(struct p2_runner *runner, const struct p2_exec_task *task)
{
    runner->is_done = false;
    memset(&runner->result, 0, sizeof runner->result);
    int error = p2_pool_submit(runner->pool, task, NULL);
    while (error == P2_OK && !runner->is_done) {
        (void)uv_run(&runner->loop, UV_RUN_ONCE);
    }
    return error;
}

int p2_runner_run(struct p2_runner *runner, const struct p2_exec_task *task,
                  const struct p2c2r_bytes *blobs, uint32_t blob_count, uint8_t *output,
                  size_t capacity, struct p2_run_result *ret_result)
{
    struct p2_blob_handle handles[P2C2R_BLOBS_MAX];
    struct p2_exec_task copy = *task;
    uint32_t put = 0;
    int error = blob_count <= P2C2R_BLOBS_MAX ? P2_OK : P2_E_INVALID;
    while (error == P2_OK && put < blob_count) {
        error = p2_pool_blob_put(runner->pool, AUTHORITY, p2_span(blobs[put].data, blobs[put].size),
                                 &handles[put]);
        put += error == P2_OK;
    }
    copy.authority = AUTHORITY;
    copy.blobs = handles;
    copy.blob_count = put;
    /* 0 would mean the kernel's own maximum. */
    copy.output_capacity = capacity > 0 ? capacity : 1;
    copy.done = on_done;
    copy.ctx = runner;
    runner->output = output;
    runner->capacity = capacity;
    if (error == P2_OK && capacity == 0 && task->operation != P2_TASK_CHECK) {
        error = P2_E_INVALID;
    }
    if (error == P2_OK) {
        error = run_task(runner, &copy);
    }
    while (put > 0) {
        put--;
        (void)p2_pool_blob_drop(runner->pool, AUTHORITY, handles[put]); /* it is there */
    }
    if (error == P2_OK) {
        *ret_result = runner->result;
    }
    return error;
}
