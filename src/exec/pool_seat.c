/* The seats of the pool: starting, feeding, watching and replacing workers. */
#include "exec/pool_internal.h"

#include "exec/lockdown.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- states -------------------------------------------------------------------------------- */

/* transitions[from][to]: the table of pool.h as data. */
static const bool transitions[P2_SEAT_STATE_COUNT][P2_SEAT_STATE_COUNT] = {
    [P2_SEAT_EMPTY] = {[P2_SEAT_STARTING] = true},
    [P2_SEAT_STARTING] = {[P2_SEAT_IDLE] = true, [P2_SEAT_EMPTY] = true, [P2_SEAT_DYING] = true},
    [P2_SEAT_IDLE] = {[P2_SEAT_BUSY] = true, [P2_SEAT_EMPTY] = true, [P2_SEAT_DYING] = true},
    [P2_SEAT_BUSY] = {[P2_SEAT_IDLE] = true, [P2_SEAT_EMPTY] = true, [P2_SEAT_DYING] = true},
    [P2_SEAT_DYING] = {[P2_SEAT_EMPTY] = true},
};

static bool is_live(enum p2_seat_state state)
{
    return state == P2_SEAT_STARTING || state == P2_SEAT_IDLE || state == P2_SEAT_BUSY;
}

/* The one place that moves a seat; keeps the authority's and the pool's counts. */
static void move(struct p2_seat *seat, enum p2_seat_state to)
{
    struct p2_authority *authority = seat->authority;
    P2_ASSERT(transitions[seat->state][to]);
    P2_ASSERT(authority != NULL || !(is_live(seat->state) || is_live(to)));
    if (authority != NULL) {
        authority->live += (uint32_t)is_live(to) - (uint32_t)is_live(seat->state);
        authority->starting +=
            (uint32_t)(to == P2_SEAT_STARTING) - (uint32_t)(seat->state == P2_SEAT_STARTING);
        authority->idle += (uint32_t)(to == P2_SEAT_IDLE) - (uint32_t)(seat->state == P2_SEAT_IDLE);
    }
    bool was_ready = seat->state == P2_SEAT_IDLE || seat->state == P2_SEAT_BUSY;
    bool is_ready = to == P2_SEAT_IDLE || to == P2_SEAT_BUSY;
    seat->pool->counters.ready += (uint32_t)is_ready - (uint32_t)was_ready;
    seat->state = to;
    if (!is_live(to)) {
        seat->authority = NULL;
    }
}

/* ---- clocks -------------------------------------------------------------------------------- */

/* The worker's CPU time in us; the last that is known when it is gone. */
static uint64_t cpu_now_us(const struct p2_seat *seat)
{
    struct timespec now;
    if (seat->dead_cpu_us != 0) {
        return seat->dead_cpu_us;
    }
    if (clock_gettime(seat->clock, &now) != 0) {
        return seat->cpu_us;
    }
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t p2_seat_used_us(const struct p2_seat *seat)
{
    uint64_t now = cpu_now_us(seat);
    return now > seat->cpu_us ? now - seat->cpu_us : 0;
}

uint64_t p2_seat_charge(struct p2_seat *seat)
{
    uint64_t now = cpu_now_us(seat);
    uint64_t used = now > seat->cpu_us ? now - seat->cpu_us : 0;
    seat->cpu_us = now > seat->cpu_us ? now : seat->cpu_us;
    seat->pool->allowance_us -= (int64_t)used;
    seat->pool->counters.cpu_us += used;
    return used;
}

/* ---- losing workers ------------------------------------------------------------------------ */

static void lose(struct p2_seat *seat)
{
    if (seat->lost_us == 0) {
        seat->lost_us = p2_pool_now_us();
    }
    seat->pool->counters.workers_lost++;
}

/* The launcher is lost: its workers are dead or dying, and nothing replaces it. */
static void break_pool(struct p2_pool *pool)
{
    if (pool->is_broken) {
        return;
    }
    pool->is_broken = true;
    (void)uv_poll_stop(&pool->events); /* always succeeds */
    for (uint32_t i = 0; i < pool->seat_count; i++) {
        struct p2_seat *seat = &pool->seats[i];
        (void)uv_poll_stop(&seat->done); /* always succeeds */
        for (uint32_t k = 0; k < seat->job_count; k++) {
            if (seat->jobs[k] != P2_NO_JOB) {
                p2_pool_settle(pool, seat->jobs[k], P2_TASK_WORKER_ERROR, P2_TRAP_NO_WORKER);
            }
        }
        seat->job_count = 0;
        if (seat->state != P2_SEAT_EMPTY) {
            lose(seat);
            move(seat, P2_SEAT_EMPTY);
        }
    }
}

/* Ends all waiting tasks: no worker can be had. */
static void fail_waiting(struct p2_pool *pool)
{
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        struct p2_authority *authority = &pool->authorities[i];
        while (authority->is_open && authority->queue.count > 0) {
            p2_pool_settle(pool, p2_queue_first(&authority->queue)->task, P2_TASK_WORKER_ERROR,
                           P2_TRAP_NO_WORKER);
        }
    }
}

void p2_seat_kill(struct p2_seat *seat)
{
    P2_ASSERT(seat->job_count == 0);
    lose(seat);
    move(seat, P2_SEAT_DYING);
    if (p2_launcher_kill(seat->pool->launcher, seat->serial) != P2_OK) {
        break_pool(seat->pool);
        fail_waiting(seat->pool);
    }
}

void p2_seat_fail(struct p2_seat *seat, enum p2_task_status status, enum p2_task_trap trap)
{
    uint32_t count = seat->job_count;
    uint64_t used = p2_seat_charge(seat);
    seat->job_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t job = seat->jobs[i];
        if (job == P2_NO_JOB) {
            continue;
        }
        if (count > 1) {
            p2_pool_requeue(seat->pool, job, true);
            continue;
        }
        seat->pool->jobs[job].result.cpu_us = used;
        seat->pool->jobs[job].result.wall_us = p2_pool_now_us() - seat->handed_us;
        seat->pool->jobs[job].result.batch = 1;
        p2_pool_settle(seat->pool, job, status, trap);
    }
}

/* What a worker's death says about the task it ran. */
static enum p2_task_status status_of(int wait_status, enum p2_task_trap *ret_trap)
{
    if (WIFEXITED(wait_status)) {
        int code = WEXITSTATUS(wait_status) - P2_LOCK_EXIT_TRAP;
        *ret_trap =
            code > P2_TRAP_NONE && code < P2_TRAP_COUNT ? (enum p2_task_trap)code : P2_TRAP_EXIT;
        return *ret_trap == P2_TRAP_ALLOCATE ? P2_TASK_MEMORY : P2_TASK_TRAP;
    }
    switch (WTERMSIG(wait_status)) {
    case SIGSYS:
        *ret_trap = P2_TRAP_CALL;
        return P2_TASK_TRAP;
    case SIGKILL: /* not by us: then the seat would be DYING */
        *ret_trap = P2_TRAP_SYSTEM;
        return P2_TASK_MEMORY;
    case SIGXCPU:
        *ret_trap = P2_TRAP_NONE;
        return P2_TASK_TIMEOUT;
    default: /* a fault whose handler could not run */
        *ret_trap = P2_TRAP_ACCESS;
        return P2_TASK_TRAP;
    }
}

static void on_start_failed(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    move(seat, P2_SEAT_EMPTY);
    pool->counters.workers_failed++;
    pool->failures_in_row++;
    pool->retry_us = p2_pool_now_us() + P2_SPAWN_RETRY_US;
    if (pool->failures_in_row % P2_SPAWN_FAILURES_MAX == 0) {
        fail_waiting(pool);
    }
}

static void on_exited(struct p2_seat *seat, int wait_status, uint64_t cpu_us)
{
    enum p2_task_trap trap;
    seat->dead_cpu_us = cpu_us;
    if (seat->state == P2_SEAT_STARTING) {
        on_start_failed(seat);
        return;
    }
    if (seat->state == P2_SEAT_BUSY) {
        enum p2_task_status status = status_of(wait_status, &trap);
        p2_seat_fail(seat, status, trap);
    }
    if (seat->state != P2_SEAT_DYING) {
        lose(seat);
    }
    move(seat, P2_SEAT_EMPTY);
}

/* ---- starting workers ---------------------------------------------------------------------- */

/* Makes the slot fit for `authority`: bytes of another one never meet its worker. */
static int clean_slot(struct p2_seat *seat, const struct p2_authority *authority)
{
    if (seat->slot_serial == authority->serial) {
        return P2_OK;
    }
    if (seat->slot_serial != 0) {
        seat->pool->counters.authority_switches++;
    }
    int error = P2_OK;
    if (seat->slot.fd < 0 || p2_slot_wipe(&seat->slot) != P2_OK) {
        p2_slot_close(&seat->slot);
        error = p2_slot_open(&seat->slot);
    }
    if (error == P2_OK) {
        seat->slot_serial = authority->serial;
    }
    return error;
}

static void start(struct p2_seat *seat, struct p2_authority *authority)
{
    struct p2_pool *pool = seat->pool;
    uint64_t ignored;
    seat->authority = authority;
    move(seat, P2_SEAT_STARTING);
    seat->pid = 0;
    seat->is_ready = false;
    seat->dead_cpu_us = 0;
    seat->spurious = 0;
    seat->owes_signal = false;
    seat->epoch = pool->epoch;
    seat->serial = ++pool->serials;
    seat->tenancy_us = p2_pool_now_us();
    /* A fresh eventfd: the dead worker may have left a signal unread. */
    if (seat->wake_fd >= 0) {
        (void)close(seat->wake_fd);
    }
    seat->wake_fd = eventfd(0, EFD_CLOEXEC);
    ssize_t drained = read(seat->done_fd, &ignored, sizeof ignored);
    (void)drained; /* nothing there is as good */
    if (seat->wake_fd < 0 || clean_slot(seat, authority) != P2_OK) {
        on_start_failed(seat);
        return;
    }
    p2_slot_serve(&seat->slot, seat->serial);
    struct p2_launcher_worker worker = {
        .serial = seat->serial,
        .slot_fd = seat->slot.fd,
        .wake_fd = seat->wake_fd,
        .done_fd = seat->done_fd,
        .blob_fd = authority->blobs != NULL ? p2_blobs_fd(authority->blobs) : -1,
        .blob_bytes = authority->blobs != NULL ? p2_blobs_capacity(authority->blobs) : 0,
        .nice = pool->settings.nice,
        .is_idle = pool->settings.is_idle,
        .poisons_arena = pool->settings.poisons_arena,
        .hides_clock = pool->settings.hides_clock,
    };
    int error = p2_launcher_spawn(pool->launcher, &worker);
    if (error == P2_E_CLOSED) {
        break_pool(pool);
        fail_waiting(pool);
    } else if (error != P2_OK) {
        on_start_failed(seat);
    }
}

static void become_idle(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    if (seat->state != P2_SEAT_STARTING || !seat->is_ready || seat->pid == 0) {
        return;
    }
    if (clock_getcpuclockid(seat->pid, &seat->clock) != 0) {
        return; /* dead already; its end is on the way */
    }
    move(seat, P2_SEAT_IDLE);
    seat->cpu_us = 0;
    pool->counters.workers_started++;
    pool->failures_in_row = 0;
    pool->retry_us = 0;
    if (seat->lost_us != 0) {
        pool->counters.respawn_last_us = p2_pool_now_us() - seat->lost_us;
        seat->lost_us = 0;
    }
}

static void on_event(struct p2_pool *pool, const struct p2_launcher_event *event)
{
    struct p2_seat *seat = NULL;
    for (uint32_t i = 0; i < pool->seat_count && seat == NULL; i++) {
        if (pool->seats[i].serial == event->serial && pool->seats[i].state != P2_SEAT_EMPTY) {
            seat = &pool->seats[i];
        }
    }
    if (seat == NULL) {
        return;
    }
    switch (event->kind) {
    case P2_LAUNCHER_STARTED:
        seat->pid = event->pid;
        become_idle(seat);
        break;
    case P2_LAUNCHER_FAILED:
        if (seat->state == P2_SEAT_STARTING) {
            on_start_failed(seat);
        } else {
            move(seat, P2_SEAT_EMPTY); /* its death was ordered meanwhile */
        }
        break;
    case P2_LAUNCHER_EXITED:
        on_exited(seat, event->status, event->cpu_us);
        break;
    }
}

void p2_pool_on_events(uv_poll_t *handle, int status, int events)
{
    struct p2_pool *pool = handle->data;
    struct p2_launcher_event event;
    int error = status < 0 ? P2_E_CLOSED : P2_OK;
    (void)events;
    while (error == P2_OK) {
        error = p2_launcher_next(pool->launcher, &event);
        if (error == P2_OK) {
            on_event(pool, &event);
        }
    }
    if (error == P2_E_CLOSED) {
        break_pool(pool);
        fail_waiting(pool);
        return;
    }
    p2_pool_pump(pool);
}

/* ---- giving work --------------------------------------------------------------------------- */

static bool is_small(const struct p2_job *job)
{
    return !job->is_alone && job->task.budget_us <= P2_BATCH_TASK_US &&
           job->task.input.size <= P2_BATCH_BYTES && job->task.result.size <= P2_BATCH_BYTES &&
           job->output_capacity <= P2_BATCH_BYTES;
}

/* How many tasks one hand-over may have now: not so many that another idle worker goes without. */
static uint32_t batch_limit(const struct p2_pool *pool, const struct p2_authority *authority)
{
    if (!pool->settings.batches) {
        return 1;
    }
    uint32_t workers = authority->idle > 0 ? authority->idle : 1;
    uint32_t share = (authority->queue.count + workers - 1) / workers;
    return share < P2_BATCH_MAX ? share : P2_BATCH_MAX;
}

static void take_job(struct p2_seat *seat, uint32_t index)
{
    struct p2_pool *pool = seat->pool;
    struct p2_job *job = &pool->jobs[index];
    p2_queue_remove(&job->authority->queue, index);
    job->state = P2_JOB_RUNNING;
    pool->counters.waiting--;
    pool->counters.running++;
    seat->budget_us += job->task.budget_us;
    seat->jobs[seat->job_count] = index;
    seat->job_count++;
}

/* Fills the seat's hand-over from the front of its authority's queue. */
static void fill(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    uint32_t limit = batch_limit(pool, seat->authority);
    const struct p2_queue_node *node;
    seat->budget_us = 0;
    seat->job_count = 0;
    p2_slot_begin(&seat->slot);
    while ((node = p2_queue_first(&seat->authority->queue)) != NULL) {
        uint32_t index = node->task;
        struct p2_job *job = &pool->jobs[index];
        if (seat->job_count > 0 && (seat->job_count >= limit || !is_small(job) ||
                                    seat->budget_us + job->task.budget_us > P2_BATCH_BUDGET_US)) {
            break;
        }
        int error = p2_slot_add(&seat->slot, &job->task, job->places, job->output_capacity);
        if (error != P2_OK) {
            P2_ASSERT(error == P2_E_FULL && seat->job_count > 0);
            break;
        }
        take_job(seat, index);
        if (!is_small(job)) {
            break;
        }
    }
}

static void hand_over(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    uint64_t one = 1;
    fill(seat);
    move(seat, P2_SEAT_BUSY);
    seat->cpu_us = cpu_now_us(seat);
    seat->handed_us = p2_pool_now_us();
    seat->wall_us = seat->handed_us + seat->budget_us * P2_WALL_FACTOR + P2_WALL_SLACK_US;
    seat->wall_used_us = 0;
    seat->renewals = 0;
    seat->was_over = false;
    seat->check_us = seat->handed_us + seat->budget_us + P2_BUDGET_SLACK_US;
    p2_pool_arm(pool, seat->check_us);
    pool->counters.handovers++;
    if (seat->job_count > 1) {
        pool->counters.batched += seat->job_count;
    }
    p2_slot_publish(&seat->slot);
    if (write(seat->wake_fd, &one, sizeof one) != (ssize_t)sizeof one) {
        p2_seat_fail(seat, P2_TASK_WORKER_ERROR, P2_TRAP_NO_WORKER);
        p2_seat_kill(seat);
    }
}

/* Without a cgroup, CPU time is an allowance that refills with time. */
static bool may_work(struct p2_pool *pool, uint64_t now)
{
    uint64_t rate = (uint64_t)pool->settings.cpu_permille * pool->settings.workers;
    if (pool->share != NULL || pool->settings.cpu_permille == 1000) {
        pool->withheld_at = 0;
        return true;
    }
    int64_t most = (int64_t)P2_SHARE_BURST_US * (int64_t)pool->settings.workers;
    /* A minute refills any debt one hand-over can make; more would only risk an overflow. */
    uint64_t passed = now - pool->allowance_at < 60000000u ? now - pool->allowance_at : 60000000u;
    uint64_t earned = passed * rate / 1000u;
    if (earned > 0) {
        pool->allowance_us += (int64_t)earned;
        pool->allowance_us = pool->allowance_us < most ? pool->allowance_us : most;
        pool->allowance_at = now;
    }
    if (pool->allowance_us > 0) {
        pool->counters.withheld_us += pool->withheld_at != 0 ? now - pool->withheld_at : 0;
        pool->withheld_at = 0;
        return true;
    }
    pool->withheld_at = pool->withheld_at != 0 ? pool->withheld_at : now;
    p2_pool_arm(pool, now + ((uint64_t)-pool->allowance_us + 1) * 1000u / rate + 1);
    return false;
}

/* Ends waiting tasks that are too late to begin. Deadlines grow along a queue of one priority, so
 * looking at the front is enough to notice before a worker would. */
static void drop_late(struct p2_pool *pool, uint64_t now)
{
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        struct p2_authority *authority = &pool->authorities[i];
        const struct p2_queue_node *node;
        while (authority->is_open && (node = p2_queue_first(&authority->queue)) != NULL &&
               pool->jobs[node->task].task.expires) {
            if (node->key.deadline_us > now) {
                p2_pool_arm(pool, node->key.deadline_us);
                break;
            }
            p2_pool_settle(pool, node->task, P2_TASK_TIMEOUT, P2_TRAP_LATE);
        }
    }
}

/* True when the earliest task of `a` goes before that of `b`; both have tasks. */
static bool is_earlier(const struct p2_authority *a, const struct p2_authority *b)
{
    return p2_queue_is_before(&p2_queue_first(&a->queue)->key, &p2_queue_first(&b->queue)->key);
}

/* The authority, other than its own, that should have this idle seat; NULL: none. */
static struct p2_authority *heir(struct p2_seat *seat, uint64_t now)
{
    struct p2_pool *pool = seat->pool;
    struct p2_authority *best = NULL;
    bool is_needed = seat->authority->queue.count > 0;
    bool is_over = now - seat->tenancy_us >= P2_TENANCY_US;
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        struct p2_authority *other = &pool->authorities[i];
        if (!other->is_open || other == seat->authority || other->queue.count == 0 ||
            other->starting > 0 || other->idle > 0) {
            continue;
        }
        /* Having none outweighs having little; a seat in use is only taken from time to time. */
        if (other->live == 0 ? is_needed && !is_over : is_needed || !is_over) {
            p2_pool_arm(pool, seat->tenancy_us + P2_TENANCY_US);
            continue;
        }
        if (best == NULL || is_earlier(other, best)) {
            best = other;
        }
    }
    return best;
}

/* True when an empty seat should rather serve `a` than `b`; both have tasks, `b` may be NULL. */
static bool is_needier(const struct p2_authority *a, const struct p2_authority *b)
{
    if (b == NULL || (a->live == 0) != (b->live == 0)) {
        return b == NULL || a->live == 0;
    }
    return is_earlier(a, b);
}

/* The authority an empty seat should serve; NULL: there is none. Without work it stays with its
 * former one, or keeps a worker warm for the one that has the fewest. */
static struct p2_authority *tenant(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    struct p2_authority *waiting = NULL, *former = NULL, *fewest = NULL;
    for (uint32_t i = 0; i < P2_POOL_AUTHORITIES_MAX; i++) {
        struct p2_authority *authority = &pool->authorities[i];
        if (!authority->is_open) {
            continue;
        }
        if (authority->queue.count > authority->starting + authority->idle &&
            is_needier(authority, waiting)) {
            waiting = authority;
        }
        if (authority->serial == seat->slot_serial) {
            former = authority;
        }
        if (fewest == NULL || authority->live < fewest->live) {
            fewest = authority;
        }
    }
    return waiting != NULL ? waiting : former != NULL ? former : fewest;
}

static bool is_outdated(const struct p2_seat *seat)
{
    return seat->index >= seat->pool->settings.workers || seat->epoch != seat->pool->epoch ||
           seat->cpu_us >= (uint64_t)P2_WORKER_RECYCLE_S * 1000000u;
}

static void serve_idle(struct p2_seat *seat, uint64_t now)
{
    struct p2_pool *pool = seat->pool;
    if (is_outdated(seat)) {
        p2_seat_kill(seat);
        return;
    }
    if (pool->is_paused) {
        return;
    }
    struct p2_authority *other = heir(seat, now);
    if (other != NULL) {
        p2_seat_kill(seat);
        return;
    }
    if (seat->authority->queue.count > 0 && may_work(pool, now)) {
        hand_over(seat);
    }
}

void p2_pool_pump(struct p2_pool *pool)
{
    uint64_t now = p2_pool_now_us();
    if (pool->is_closing || pool->is_broken) {
        return;
    }
    drop_late(pool, now);
    for (uint32_t i = 0; i < pool->seat_count && !pool->is_broken; i++) {
        struct p2_seat *seat = &pool->seats[i];
        if (seat->state == P2_SEAT_IDLE) {
            serve_idle(seat, now);
        } else if (seat->state == P2_SEAT_EMPTY && i < pool->settings.workers) {
            struct p2_authority *authority = tenant(seat);
            if (authority != NULL && now < pool->retry_us) {
                p2_pool_arm(pool, pool->retry_us);
            } else if (authority != NULL) {
                start(seat, authority);
            }
        }
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

/* Status of an answered task, from the kernel's word. */
static enum p2_task_status status_from_kernel(int status)
{
    switch ((enum p2c2r_kernel_status)status) {
    case P2C2R_KERNEL_OK:
        return P2_TASK_OK;
    case P2C2R_KERNEL_BAD_INPUT:
        return P2_TASK_BAD_INPUT;
    case P2C2R_KERNEL_BAD_RESULT:
        return P2_TASK_BAD_RESULT;
    case P2C2R_KERNEL_OUTPUT_FULL:
    case P2C2R_KERNEL_ARENA_FULL:
        return P2_TASK_NO_ROOM;
    }
    return P2_TASK_WORKER_ERROR;
}

static void take_answers(struct p2_seat *seat, const struct p2_slot_outcome *outcomes)
{
    struct p2_pool *pool = seat->pool;
    uint64_t used = p2_seat_charge(seat);
    uint64_t wall = p2_pool_now_us() - seat->handed_us;
    uint32_t count = seat->job_count;
    seat->job_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (seat->jobs[i] == P2_NO_JOB) {
            continue;
        }
        struct p2_job *job = &pool->jobs[seat->jobs[i]];
        enum p2_task_status status = status_from_kernel(outcomes[i].status);
        if (status == P2_TASK_OK && job->task.operation != P2_TASK_CHECK) {
            job->result.output = outcomes[i].output;
        }
        job->result.cpu_us = used * job->task.budget_us / seat->budget_us;
        job->result.wall_us = wall;
        job->result.batch = count;
        p2_pool_settle(pool, seat->jobs[i], status, P2_TRAP_NONE);
    }
}

/* Counts a signal without an answer; true when there were too many. */
static bool is_spurious(struct p2_seat *seat)
{
    if (seat->owes_signal) {
        seat->owes_signal = false; /* its answer was taken before it came */
        return false;
    }
    seat->spurious++;
    seat->pool->counters.spurious_wakeups++;
    return seat->spurious >= P2_SPURIOUS_MAX;
}

static void on_answer(struct p2_seat *seat)
{
    struct p2_pool *pool = seat->pool;
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    int error = p2_slot_collect(&seat->slot, outcomes, pool->output);
    if (error == P2_OK) {
        take_answers(seat, outcomes);
        move(seat, P2_SEAT_IDLE);
        /* The worker gets its next work before the callbacks take their time. */
        p2_pool_pump(pool);
        p2_pool_deliver(pool);
        return;
    }
    if (error != P2_E_AGAIN || is_spurious(seat)) {
        p2_seat_fail(seat, P2_TASK_WORKER_ERROR, P2_TRAP_LIE);
        p2_seat_kill(seat);
    }
}

bool p2_seat_take_early(struct p2_seat *seat)
{
    uint64_t count;
    if (!p2_slot_has_answer(&seat->slot)) {
        return false;
    }
    seat->owes_signal = read(seat->done_fd, &count, sizeof count) != (ssize_t)sizeof count;
    on_answer(seat);
    return true;
}

static void on_done(uv_poll_t *handle, int status, int events)
{
    struct p2_seat *seat = handle->data;
    struct p2_pool *pool = seat->pool;
    uint64_t count;
    uint32_t features;
    (void)status; /* an eventfd has no errors */
    (void)events;
    if (read(seat->done_fd, &count, sizeof count) != (ssize_t)sizeof count) {
        return; /* taken already */
    }
    if (seat->state == P2_SEAT_STARTING && p2_slot_is_ready(&seat->slot, &features)) {
        seat->is_ready = true;
        become_idle(seat);
        p2_pool_pump(pool);
    } else if (seat->state == P2_SEAT_BUSY) {
        on_answer(seat);
    } else if (seat->state == P2_SEAT_STARTING || seat->state == P2_SEAT_IDLE) {
        if (is_spurious(seat)) {
            p2_seat_kill(seat);
        }
    }
}

/* ---- seats --------------------------------------------------------------------------------- */

int p2_seat_open(struct p2_pool *pool)
{
    struct p2_seat *seat = &pool->seats[pool->seat_count];
    P2_ASSERT(pool->seat_count < P2_POOL_WORKERS_MAX);
    memset(seat, 0, sizeof *seat);
    seat->pool = pool;
    seat->index = pool->seat_count;
    seat->wake_fd = -1;
    seat->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = p2_slot_open(&seat->slot);
    if (error == P2_OK && seat->done_fd < 0) {
        error = P2_E_IO;
    }
    if (error == P2_OK && uv_poll_init(pool->loop, &seat->done, seat->done_fd) != 0) {
        error = P2_E_IO;
    }
    if (error != P2_OK) {
        p2_seat_close(seat);
        return error;
    }
    seat->done.data = seat;
    pool->seat_count++;
    pool->handles++;
    if (uv_poll_start(&seat->done, UV_READABLE, on_done) != 0) {
        return P2_E_IO; /* the handle is closed with the pool */
    }
    return P2_OK;
}

void p2_seat_close(struct p2_seat *seat)
{
    p2_slot_close(&seat->slot);
    if (seat->wake_fd >= 0) {
        (void)close(seat->wake_fd); /* no data to lose */
        seat->wake_fd = -1;
    }
    if (seat->done_fd >= 0) {
        (void)close(seat->done_fd);
        seat->done_fd = -1;
    }
}
