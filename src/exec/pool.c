/* The pool's life, its tasks, authorities and settings; see the header. */
#include "exec/pool_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

uint64_t p2_pool_now_us(void)
{
    return uv_hrtime() / 1000u;
}

void p2_pool_arm(struct p2_pool *pool, uint64_t at_us)
{
    if (at_us >= pool->armed_us || pool->is_closing) {
        return;
    }
    /* libuv's clock is CLOCK_MONOTONIC (uv_hrtime). A zero time would disarm. */
    uint64_t at = at_us > 0 ? at_us : 1;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / 1000000u), .tv_nsec = (long)(at % 1000000u) * 1000L},
    };
    int failed = timerfd_settime(pool->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    P2_ASSERT(failed == 0);
    pool->armed_us = at_us;
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static void release_blobs(struct p2_job *job)
{
    for (uint32_t i = 0; i < job->task.blob_count; i++) {
        p2_blobs_release(job->authority->blobs, job->handles[i]);
    }
    job->task.blob_count = 0;
}

static void on_settle(uv_idle_t *handle);

/* Has the loop call on_settle in its next turn. */
static void come_back(struct p2_pool *pool)
{
    int failed = uv_idle_start(&pool->settle, on_settle);
    P2_ASSERT(failed == 0);
}

void p2_pool_settle(struct p2_pool *pool, uint32_t index, enum p2_task_status status,
                    enum p2_task_trap trap)
{
    struct p2_job *job = &pool->jobs[index];
    P2_ASSERT(job->state == P2_JOB_QUEUED || job->state == P2_JOB_RUNNING);
    if (job->state == P2_JOB_QUEUED) {
        p2_queue_remove(&job->authority->queue, index);
        pool->counters.waiting--;
    } else {
        pool->counters.running--;
    }
    release_blobs(job);
    job->authority = NULL;
    job->state = P2_JOB_SETTLED;
    job->result.status = status;
    job->result.trap = trap;
    pool->counters.ended[status]++;
    pool->counters.traps[trap]++;
    job->next = P2_NO_JOB;
    if (pool->settled_first == P2_NO_JOB) {
        pool->settled_first = index;
    } else {
        pool->jobs[pool->settled_last].next = index;
    }
    pool->settled_last = index;
    come_back(pool);
}

void p2_pool_requeue(struct p2_pool *pool, uint32_t index, bool is_alone)
{
    struct p2_job *job = &pool->jobs[index];
    P2_ASSERT(job->state == P2_JOB_RUNNING);
    job->state = P2_JOB_QUEUED;
    job->is_alone = job->is_alone || is_alone;
    pool->counters.running--;
    pool->counters.waiting++;
    pool->counters.rerun++;
    p2_queue_push(&job->authority->queue, index, &job->key);
}

/* Tells a drain that it is over. */
static void check_drained(struct p2_pool *pool)
{
    if (pool->drained != NULL && pool->open_jobs == 0) {
        p2_pool_cb drained = pool->drained;
        pool->drained = NULL;
        drained(pool->drained_ctx);
    }
}

void p2_pool_deliver(struct p2_pool *pool)
{
    /* Jobs that the callbacks settle wait for the next turn, so that this always ends. */
    uint32_t index = pool->settled_first;
    pool->settled_first = P2_NO_JOB;
    while (index != P2_NO_JOB) {
        struct p2_job *job = &pool->jobs[index];
        const struct p2_task_result result = job->result;
        p2_task_done_cb done = job->task.done;
        void *ctx = job->task.ctx;
        uint32_t next = job->next;
        job->state = P2_JOB_FREE;
        job->next = pool->free_jobs;
        pool->free_jobs = index;
        pool->open_jobs--;
        done(ctx, &result);
        index = next;
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct p2_pool *pool = handle->data;
    P2_ASSERT(pool->handles > 0);
    pool->handles--;
    if (pool->handles > 0) {
        return;
    }
    p2_pool_cb closed = pool->closed;
    void *ctx = pool->closed_ctx;
    free(pool->jobs);
    free(pool->seats);
    free(pool->output);
    free(pool);
    if (closed != NULL) {
        closed(ctx);
    }
}

static void on_settle(uv_idle_t *handle)
{
    struct p2_pool *pool = handle->data;
    (void)uv_idle_stop(&pool->settle); /* always succeeds */
    p2_pool_deliver(pool);
    check_drained(pool);
    if (pool->is_closing && pool->open_jobs == 0) {
        uv_close((uv_handle_t *)&pool->settle, on_handle_closed);
        return;
    }
    p2_pool_pump(pool);
}

/* ---- authorities --------------------------------------------------------------------------- */

static struct p2_authority *find_authority(struct p2_pool *pool, uint64_t tag)
{
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        if (pool->authorities[i].is_open && pool->authorities[i].tag == tag) {
            return &pool->authorities[i];
        }
    }
    return NULL;
}

int p2_pool_authority_add(struct p2_pool *pool, uint64_t tag, uint64_t blob_bytes)
{
    struct p2_authority *authority = NULL;
    if (pool->is_closing) {
        return P2_E_DRAINING;
    }
    if (find_authority(pool, tag) != NULL) {
        return P2_E_EXIST;
    }
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX && authority == NULL; i++) {
        authority = pool->authorities[i].is_open ? NULL : &pool->authorities[i];
    }
    if (authority == NULL) {
        return P2_E_LIMIT;
    }
    memset(authority, 0, sizeof *authority);
    int error = p2_queue_open(&authority->queue, pool->settings.queue_capacity);
    if (error == P2_OK && blob_bytes > 0) {
        error = p2_blobs_open(blob_bytes, &authority->blobs);
    }
    if (error != P2_OK) {
        p2_queue_close(&authority->queue);
        return error;
    }
    authority->is_open = true;
    authority->tag = tag;
    authority->serial = ++pool->serials;
    p2_pool_pump(pool);
    return P2_OK;
}

/* Ends all tasks of an authority as CANCELLED, and its workers. */
static void clear_authority(struct p2_pool *pool, struct p2_authority *authority)
{
    for (uint32_t i = 0; i < pool->settings.queue_capacity; i++) {
        struct p2_job *job = &pool->jobs[i];
        if ((job->state == P2_JOB_QUEUED || job->state == P2_JOB_RUNNING) &&
            job->authority == authority) {
            p2_pool_settle(pool, i, P2_TASK_CANCELLED, P2_TRAP_NONE);
        }
    }
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        struct p2_seat *seat = &pool->seats[i];
        if (seat->authority == authority) {
            seat->job_count = 0;
            p2_seat_kill(seat);
        }
    }
}

static void close_authority(struct p2_authority *authority)
{
    p2_queue_close(&authority->queue);
    p2_blobs_close(authority->blobs);
    authority->blobs = NULL;
    authority->is_open = false;
}

int p2_pool_authority_remove(struct p2_pool *pool, uint64_t tag)
{
    struct p2_authority *authority = find_authority(pool, tag);
    if (pool->is_closing || authority == NULL) {
        return pool->is_closing ? P2_E_DRAINING : P2_E_NOENT;
    }
    clear_authority(pool, authority);
    P2_ASSERT(authority->live == 0 && authority->queue.count == 0);
    close_authority(authority);
    return P2_OK;
}

int p2_pool_blob_put(struct p2_pool *pool, uint64_t tag, struct p2_span data,
                     struct p2_blob_handle *ret_handle)
{
    struct p2_authority *authority = find_authority(pool, tag);
    if (pool->is_closing) {
        return P2_E_DRAINING;
    }
    if (authority == NULL || authority->blobs == NULL) {
        return P2_E_NOENT;
    }
    return p2_blobs_put(authority->blobs, data, ret_handle);
}

int p2_pool_blob_drop(struct p2_pool *pool, uint64_t tag, struct p2_blob_handle handle)
{
    struct p2_authority *authority = find_authority(pool, tag);
    if (pool->is_closing) {
        return P2_E_DRAINING;
    }
    if (authority == NULL || authority->blobs == NULL) {
        return P2_E_NOENT;
    }
    return p2_blobs_drop(authority->blobs, handle);
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* The caller's mistakes. */
static int check_task(const struct p2_pool *pool, const struct p2_exec_task *task)
{
    if (task->kernel >= pool->kernel_count) {
        return P2_E_NOENT;
    }
    const struct p2c2r_kernel *kernel = pool->kernels[task->kernel];
    bool has_function = task->operation == P2_TASK_RUN ? kernel->run != NULL
                        : task->operation == P2_TASK_CHECK
                            ? kernel->check != NULL
                            : task->operation == P2_TASK_CANONICAL && kernel->canonical != NULL;
    if (!has_function || task->budget_us == 0 || task->budget_us > P2_TASK_BUDGET_MAX_US ||
        task->priority >= P2_TASK_PRIORITIES || task->blob_count > P2C2R_BLOBS_MAX ||
        task->done == NULL) {
        return P2_E_INVALID;
    }
    return P2_OK;
}

/* The peer's: what the kernel would refuse, or the slot cannot carry. */
static bool is_within_limits(const struct p2_job *job, const struct p2c2r_kernel *kernel)
{
    bool fits = job->task.input.size <= kernel->input_max &&
                job->task.result.size <= kernel->output_max &&
                job->task.blob_count <= kernel->blobs_max;
    for (uint32_t i = 0; fits && i < job->task.blob_count; i++) {
        fits = job->places[i].size <= kernel->blob_max;
    }
    return fits;
}

/* Takes one hold on each blob of the task; none when one is unknown. */
static int hold_blobs(struct p2_job *job, struct p2_authority *authority,
                      const struct p2_exec_task *task)
{
    for (uint32_t i = 0; i < task->blob_count; i++) {
        int error = authority->blobs == NULL
                        ? P2_E_NOENT
                        : p2_blobs_hold(authority->blobs, task->blobs[i], &job->places[i]);
        if (error != P2_OK) {
            while (i > 0) {
                i--;
                p2_blobs_release(authority->blobs, task->blobs[i]);
            }
            return error;
        }
        job->handles[i] = task->blobs[i];
    }
    return P2_OK;
}

static void enqueue(struct p2_pool *pool, uint32_t index, struct p2_authority *authority,
                    const struct p2_exec_task *task)
{
    struct p2_job *job = &pool->jobs[index];
    const struct p2c2r_kernel *kernel = pool->kernels[task->kernel];
    pool->free_jobs = job->next;
    pool->open_jobs++;
    job->generation++;
    job->state = P2_JOB_QUEUED;
    job->is_alone = false;
    job->authority = authority;
    job->task = *task;
    job->task.blobs = NULL;
    job->output_capacity = kernel->output_max;
    if (task->operation == P2_TASK_CHECK) {
        job->output_capacity = 0;
    } else if (task->output_capacity > 0 && task->output_capacity < kernel->output_max) {
        job->output_capacity = task->output_capacity;
    }
    job->key.deadline_us = task->deadline_us != 0 ? task->deadline_us : UINT64_MAX;
    job->key.arrival = ++pool->arrivals;
    job->key.priority = task->priority;
    memset(&job->result, 0, sizeof job->result);
    job->result.id = (uint64_t)job->generation << 32 | index;
    p2_queue_push(&authority->queue, index, &job->key);
    pool->counters.submitted++;
    pool->counters.waiting++;
}

int p2_pool_submit(struct p2_pool *pool, const struct p2_exec_task *task, uint64_t *ret_id)
{
    struct p2_authority *authority = find_authority(pool, task->authority);
    uint32_t index = pool->free_jobs;
    int error = pool->is_closing || pool->is_draining ? P2_E_DRAINING
                : pool->is_broken                     ? P2_E_STATE
                : authority == NULL                   ? P2_E_NOENT
                                                      : check_task(pool, task);
    if (error == P2_OK && index == P2_NO_JOB) {
        error = P2_E_AGAIN;
    }
    if (error == P2_OK) {
        error = hold_blobs(&pool->jobs[index], authority, task);
    }
    if (error != P2_OK) {
        pool->counters.refused++;
        return error;
    }
    enqueue(pool, index, authority, task);
    if (ret_id != NULL) {
        *ret_id = pool->jobs[index].result.id;
    }
    if (!is_within_limits(&pool->jobs[index], pool->kernels[task->kernel])) {
        p2_pool_settle(pool, index, P2_TASK_BAD_INPUT, P2_TRAP_NONE);
        return P2_OK;
    }
    p2_pool_pump(pool);
    return P2_OK;
}

/* Takes a running task away from its worker. */
static void cancel_running(struct p2_pool *pool, uint32_t index)
{
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        struct p2_seat *seat = &pool->seats[i];
        for (uint32_t k = 0; k < seat->job_count; k++) {
            if (seat->jobs[k] != index) {
                continue;
            }
            if (seat->job_count == 1) {
                p2_seat_fail(seat, P2_TASK_CANCELLED, P2_TRAP_NONE);
                p2_seat_kill(seat);
            } else {
                seat->jobs[k] = P2_NO_JOB;
                p2_pool_settle(pool, index, P2_TASK_CANCELLED, P2_TRAP_NONE);
            }
            return;
        }
    }
    P2_ASSERT(false); /* a running task is in a seat */
}

int p2_pool_cancel(struct p2_pool *pool, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (pool->is_closing) {
        return P2_E_DRAINING;
    }
    if (index >= pool->settings.queue_capacity ||
        pool->jobs[index].generation != (uint32_t)(id >> 32)) {
        return P2_E_NOENT;
    }
    switch (pool->jobs[index].state) {
    case P2_JOB_FREE:
    case P2_JOB_SETTLED:
        return P2_E_NOENT;
    case P2_JOB_QUEUED:
        p2_pool_settle(pool, index, P2_TASK_CANCELLED, P2_TRAP_NONE);
        break;
    case P2_JOB_RUNNING:
        cancel_running(pool, index);
        break;
    }
    return P2_OK;
}

/* ---- settings ------------------------------------------------------------------------------ */

static bool are_valid(const struct p2_pool_settings *settings)
{
    return settings->workers >= 1 && settings->workers <= P2_POOL_WORKERS_MAX &&
           settings->queue_capacity >= 1 && settings->queue_capacity <= P2_POOL_TASKS_MAX &&
           settings->nice >= 0 && settings->nice <= 19 && settings->cpu_permille >= 1 &&
           settings->cpu_permille <= 1000;
}

/* Brings the cgroup, if there is one, or the allowance in line with the settings. */
static void apply_share(struct p2_pool *pool)
{
    pool->allowance_us = 0;
    pool->allowance_at = p2_pool_now_us();
    if (pool->share != NULL &&
        p2_share_set(pool->share, pool->settings.cpu_permille, pool->settings.workers) != P2_OK) {
        /* The group was taken away from us: withhold work instead. */
        p2_share_close(pool->share);
        pool->share = NULL;
    }
}

static int change(struct p2_pool *pool, const struct p2_pool_settings *settings)
{
    if (pool->is_closing) {
        return P2_E_DRAINING;
    }
    if (!are_valid(settings)) {
        return P2_E_INVALID;
    }
    while (pool->seat_count < settings->workers) {
        int error = p2_seat_open(pool);
        if (error != P2_OK) {
            return error;
        }
    }
    if (settings->nice != pool->settings.nice || settings->is_idle != pool->settings.is_idle) {
        pool->epoch++;
    }
    pool->settings = *settings;
    apply_share(pool);
    p2_pool_pump(pool);
    return P2_OK;
}

int p2_pool_set_workers(struct p2_pool *pool, uint32_t workers)
{
    struct p2_pool_settings settings = pool->settings;
    settings.workers = workers;
    return change(pool, &settings);
}

int p2_pool_set_priority(struct p2_pool *pool, int nice, bool is_idle)
{
    struct p2_pool_settings settings = pool->settings;
    settings.nice = nice;
    settings.is_idle = is_idle;
    return change(pool, &settings);
}

int p2_pool_set_cpu_share(struct p2_pool *pool, uint32_t cpu_permille)
{
    struct p2_pool_settings settings = pool->settings;
    settings.cpu_permille = cpu_permille;
    return change(pool, &settings);
}

void p2_pool_pause(struct p2_pool *pool, uint64_t grace_us)
{
    if (pool->is_closing) {
        return;
    }
    uint64_t now = p2_pool_now_us();
    pool->is_paused = true;
    pool->grace_us = grace_us < UINT64_MAX - now ? now + grace_us : UINT64_MAX;
    p2_pool_arm(pool, pool->grace_us);
}

void p2_pool_resume(struct p2_pool *pool)
{
    pool->is_paused = false;
    p2_pool_pump(pool);
}

int p2_pool_drain(struct p2_pool *pool, p2_pool_cb drained, void *ctx)
{
    if (pool->is_closing || pool->is_draining) {
        return P2_E_STATE;
    }
    pool->is_draining = true;
    pool->drained = drained;
    pool->drained_ctx = ctx;
    come_back(pool);
    return P2_OK;
}

bool p2_pool_has_cgroup(const struct p2_pool *pool)
{
    return pool->share != NULL;
}

bool p2_pool_is_broken(const struct p2_pool *pool)
{
    return pool->is_broken;
}

void p2_pool_counters(const struct p2_pool *pool, struct p2_pool_counters *ret_counters)
{
    *ret_counters = pool->counters;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int open_memory(struct p2_pool *pool)
{
    pool->jobs = calloc(pool->settings.queue_capacity, sizeof *pool->jobs);
    pool->seats = calloc(P2_POOL_WORKERS_MAX, sizeof *pool->seats);
    pool->output = malloc(P2_SLOT_OUTPUT_BYTES);
    if (pool->jobs == NULL || pool->seats == NULL || pool->output == NULL) {
        return P2_E_NOMEM;
    }
    for (uint32_t i = 0; i < pool->settings.queue_capacity; i++) {
        pool->jobs[i].next = i + 1 < pool->settings.queue_capacity ? i + 1 : P2_NO_JOB;
    }
    pool->free_jobs = 0;
    pool->settled_first = P2_NO_JOB;
    return P2_OK;
}

static int open_handles(struct p2_pool *pool)
{
    pool->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (pool->timer_fd < 0) {
        return P2_E_IO;
    }
    (void)uv_idle_init(pool->loop, &pool->settle); /* always succeeds */
    pool->settle.data = pool;
    pool->handles++;
    if (uv_poll_init(pool->loop, &pool->timer, pool->timer_fd) != 0) {
        return P2_E_IO;
    }
    pool->timer.data = pool;
    pool->handles++;
    if (uv_poll_init(pool->loop, &pool->events, p2_launcher_fd(pool->launcher)) != 0) {
        return P2_E_IO;
    }
    pool->events.data = pool;
    pool->handles++;
    if (uv_poll_start(&pool->timer, UV_READABLE, p2_pool_on_timer) != 0 ||
        uv_poll_start(&pool->events, UV_READABLE, p2_pool_on_events) != 0) {
        return P2_E_IO;
    }
    while (pool->seat_count < pool->settings.workers) {
        int error = p2_seat_open(pool);
        if (error != P2_OK) {
            return error;
        }
    }
    return P2_OK;
}

/* Closes all handles but `settle`, which must still call callbacks; then everything behind them. */
static void shut(struct p2_pool *pool)
{
    uv_handle_t *const handles[] = {(uv_handle_t *)&pool->timer, (uv_handle_t *)&pool->events};
    for (size_t i = 0; i < P2_COUNT_OF(handles); i++) {
        if (handles[i]->data != NULL) {
            uv_close(handles[i], on_handle_closed);
        }
    }
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        pool->seats[i].done.data = pool; /* as on_handle_closed expects */
        uv_close((uv_handle_t *)&pool->seats[i].done, on_handle_closed);
    }
    p2_launcher_stop(pool->launcher);
    pool->launcher = NULL;
    p2_share_close(pool->share);
    pool->share = NULL;
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        p2_seat_close(&pool->seats[i]);
    }
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        if (pool->authorities[i].is_open) {
            close_authority(&pool->authorities[i]);
        }
    }
    if (pool->timer_fd >= 0) {
        (void)close(pool->timer_fd); /* no data to lose */
        pool->timer_fd = -1;
    }
}

void p2_pool_close(struct p2_pool *pool, p2_pool_cb closed, void *ctx)
{
    P2_ASSERT(!pool->is_closing);
    pool->is_closing = true;
    pool->closed = closed;
    pool->closed_ctx = ctx;
    for (uint32_t i = 0; i < pool->settings.queue_capacity; i++) {
        if (pool->jobs[i].state == P2_JOB_QUEUED || pool->jobs[i].state == P2_JOB_RUNNING) {
            p2_pool_settle(pool, i, P2_TASK_CANCELLED, P2_TRAP_NONE);
        }
    }
    shut(pool);
    come_back(pool);
}

int p2_pool_open(uv_loop_t *loop, struct p2_launcher *launcher,
                 const struct p2_pool_settings *settings, struct p2_failure *failure,
                 struct p2_pool **ret_pool)
{
    if (!are_valid(settings)) {
        p2_launcher_stop(launcher);
        return p2_fail(failure, P2_E_INVALID, "settings of the worker pool are out of range");
    }
    struct p2_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        p2_launcher_stop(launcher);
        return p2_fail(failure, P2_E_NOMEM, "no memory for the worker pool");
    }
    pool->loop = loop;
    pool->launcher = launcher;
    pool->kernels = p2_launcher_kernels(launcher, &pool->kernel_count);
    pool->settings = *settings;
    pool->timer_fd = -1;
    pool->armed_us = UINT64_MAX;
    pool->grace_us = UINT64_MAX;
    int error = open_memory(pool);
    if (error == P2_OK) {
        error = open_handles(pool);
    }
    if (error != P2_OK) {
        if (pool->handles == 0) {
            p2_launcher_stop(launcher);
            free(pool->jobs);
            free(pool->seats);
            free(pool->output);
            free(pool);
        } else {
            p2_pool_close(pool, NULL, NULL);
        }
        return p2_fail(failure, error, "cannot open the worker pool: %s", p2_error_text(error));
    }
    if (settings->uses_cgroup && p2_share_open(p2_launcher_pid(launcher), &pool->share) != P2_OK) {
        pool->share = NULL; /* work is withheld instead; p2_pool_has_cgroup tells */
    }
    apply_share(pool);
    *ret_pool = pool;
    return P2_OK;
}
