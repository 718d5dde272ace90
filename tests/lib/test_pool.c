/* A pool for tests; see the header. */
#include "tests/lib/test_pool.h"

#include <stdio.h>
#include <string.h>

/* Patience of a test with one task. Chosen: longer than any budget a test gives, under any load. */
#define PATIENCE_US 120000000u

static uint64_t ended; /* tasks, for p2_test_task.order */

struct p2_pool_settings p2_test_settings(void)
{
    return (struct p2_pool_settings){
        .workers = 2,
        .queue_capacity = 64,
        .cpu_permille = 1000,
    };
}

bool p2_test_pool_start(struct p2_test_pool *test, const struct p2_pool_settings *settings)
{
    struct p2_failure failure = {0, ""};
    struct p2_launcher *launcher = NULL;
    memset(test, 0, sizeof *test);
    int error = p2_launcher_start(p2_test_kernels, P2_TEST_KERNEL_COUNT, &failure, &launcher);
    if (error == P2_OK) {
        test->launcher = p2_launcher_pid(launcher);
        (void)uv_loop_init(&test->loop); /* fails only without memory */
        error = p2_pool_open(&test->loop, launcher, settings, &failure, &test->pool);
    }
    if (error == P2_OK) {
        error = p2_pool_authority_add(test->pool, P2_TEST_AUTHORITY, 1u << 20);
    }
    if (error != P2_OK) {
        (void)fprintf(stderr, "no pool: %s: %s\n", p2_error_name(error), failure.message);
    }
    return error == P2_OK;
}

size_t p2_test_workers(const struct p2_test_pool *test, pid_t *pids, size_t max)
{
    char path[96];
    size_t count = 0;
    long pid;
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)test->launcher,
                   (long)test->launcher);
    FILE *file = fopen(path, "re");
    while (file != NULL && count < max && fscanf(file, "%ld", &pid) == 1) {
        pids[count] = (pid_t)pid;
        count++;
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    return count;
}

static void on_closed(void *ctx)
{
    struct p2_test_pool *test = ctx;
    test->is_closed = true;
}

bool p2_test_pool_stop(struct p2_test_pool *test)
{
    if (test->pool == NULL) {
        return false;
    }
    p2_pool_close(test->pool, on_closed, test);
    int left = uv_run(&test->loop, UV_RUN_DEFAULT);
    test->pool = NULL;
    return test->is_closed && left == 0 && uv_loop_close(&test->loop) == 0;
}

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct p2_test_task *task = ctx;
    size_t size =
        result->output.size < sizeof task->output ? result->output.size : sizeof task->output;
    task->calls++;
    task->result = *result;
    task->order = ++ended;
    if (size > 0) {
        memcpy(task->output, result->output.data, size);
    }
}

void p2_test_task_init(struct p2_test_task *task, enum p2_test_kernel kernel, const void *input,
                       size_t size)
{
    memset(task, 0, sizeof *task);
    task->task.authority = P2_TEST_AUTHORITY;
    task->task.kernel = kernel;
    task->task.input = p2_span(input, size);
    task->task.budget_us = 100000;
    task->task.done = on_task;
    task->task.ctx = task;
}

int p2_test_submit(struct p2_test_pool *test, struct p2_test_task *task)
{
    return p2_pool_submit(test->pool, &task->task, &task->id);
}

/* Ends uv_run once a second, so that patience is looked at. */
static void on_patience(uv_timer_t *timer)
{
    (void)timer;
}

static void on_timer_closed(uv_handle_t *handle)
{
    bool *closed = handle->data;
    *closed = true;
}

/* Runs the loop until is_done says so. */
static bool run_until(struct p2_test_pool *test,
                      bool (*is_done)(struct p2_test_pool *, const void *), const void *what)
{
    uint64_t end = p2_pool_now_us() + PATIENCE_US;
    uv_timer_t timer;
    bool closed = false;
    (void)uv_timer_init(&test->loop, &timer); /* always succeeds */
    (void)uv_timer_start(&timer, on_patience, 1000, 1000);
    timer.data = &closed;
    while (!is_done(test, what) && p2_pool_now_us() < end) {
        (void)uv_run(&test->loop, UV_RUN_ONCE);
    }
    bool done = is_done(test, what);
    uv_close((uv_handle_t *)&timer, on_timer_closed);
    while (!closed) {
        (void)uv_run(&test->loop, UV_RUN_NOWAIT);
    }
    return done;
}

static bool has_ended(struct p2_test_pool *test, const void *what)
{
    const struct p2_test_task *task = what;
    (void)test;
    return task->calls > 0;
}

bool p2_test_wait(struct p2_test_pool *test, const struct p2_test_task *task)
{
    return run_until(test, has_ended, task);
}

static bool is_ready(struct p2_test_pool *test, const void *what)
{
    struct p2_pool_counters counters;
    p2_pool_counters(test->pool, &counters);
    return counters.ready == *(const uint32_t *)what && counters.waiting == 0 &&
           counters.running == 0;
}

bool p2_test_wait_ready(struct p2_test_pool *test, uint32_t count)
{
    return run_until(test, is_ready, &count);
}

static bool is_running(struct p2_test_pool *test, const void *what)
{
    struct p2_pool_counters counters;
    p2_pool_counters(test->pool, &counters);
    return counters.running == *(const uint32_t *)what;
}

bool p2_test_wait_running(struct p2_test_pool *test, uint32_t count)
{
    return run_until(test, is_running, &count);
}

enum p2_task_status p2_test_run(struct p2_test_pool *test, struct p2_test_task *task)
{
    int error = p2_test_submit(test, task);
    if (error != P2_OK) {
        (void)fprintf(stderr, "task refused: %s\n", p2_error_name(error));
        return P2_TASK_STATUS_COUNT;
    }
    return p2_test_wait(test, task) ? task->result.status : P2_TASK_STATUS_COUNT;
}
