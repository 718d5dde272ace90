/* The pool's promises about tasks; see src/exec/pool.h. */
#include "tests/unit/exec/pool_fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* ---- answers ------------------------------------------------------------------------------- */

static void every_task_ends_exactly_once_with_its_own_answer(void)
{
    static struct p2_test_task tasks[300];
    static uint8_t inputs[300][40];
    uint64_t sum = 0;
    start();
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        memset(inputs[i], (int)i, sizeof inputs[i]);
        inputs[i][0] = (uint8_t)(i >> 8);
        p2_test_task_init(&tasks[i], P2_TEST_ECHO, inputs[i], sizeof inputs[i]);
        while (p2_test_submit(&test, &tasks[i]) == P2_E_AGAIN) {
            (void)uv_run(&test.loop, UV_RUN_ONCE);
        }
        P2_ASSERT_EQUAL(tasks[i].calls, 0); /* never before submit returns */
    }
    CU_ASSERT(p2_test_wait_ready(&test, 2));
    for (int i = 0; i < 3; i++) {
        (void)uv_run(&test.loop, UV_RUN_NOWAIT);
    }
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
        CU_ASSERT(tasks[i].result.id == tasks[i].id);
        P2_ASSERT_EQUAL(tasks[i].result.output.size, sizeof inputs[i]);
        P2_ASSERT_BYTES(tasks[i].output, inputs[i], sizeof inputs[i]);
    }
    for (size_t i = 0; i < P2_TASK_STATUS_COUNT; i++) {
        sum += counters().ended[i];
    }
    P2_ASSERT_EQUAL(sum, counters().submitted);
    P2_ASSERT_EQUAL(counters().waiting + counters().running, 0);
    stop();
}

static void a_full_slot_goes_both_ways(void)
{
    struct p2_test_task task;
    uint8_t *input = malloc(P2C2R_INPUT_MAX);
    CU_ASSERT_FATAL(input != NULL);
    memset(input, 7, P2C2R_INPUT_MAX);
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_ECHO, input, P2C2R_INPUT_MAX);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    P2_ASSERT_EQUAL(task.result.output.size, P2C2R_OUTPUT_MAX);
    /* One byte more is the peer's mistake, not the caller's. */
    task.calls = 0;
    task.task.input.size++;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_BAD_INPUT);
    stop();
    free(input);
}

static void check_and_canonical_see_the_result(void)
{
    struct p2_test_task task;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_ECHO, "abc", 3);
    task.task.operation = P2_TASK_CHECK;
    task.task.result = p2_span("abc", 3);
    task.task.secret = 42;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    P2_ASSERT_EQUAL(task.result.output.size, 0);
    task.calls = 0;
    task.task.result = p2_span("abd", 3);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_BAD_RESULT);
    task.calls = 0;
    task.task.secret = 41; /* the test kernel's own rule */
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_BAD_INPUT);
    task.calls = 0;
    task.task.operation = P2_TASK_CANONICAL;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    P2_ASSERT_BYTES(task.output, "dba", 3);
    stop();
}

static void a_small_output_span_is_respected(void)
{
    struct p2_test_task task;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_ECHO, "abcdef", 6);
    task.task.output_capacity = 5;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_NO_ROOM);
    task.calls = 0;
    task.task.output_capacity = 6;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    stop();
}

static void mistakes_of_the_caller_are_refused(void)
{
    struct p2_test_task good, task;
    struct p2_blob_handle unknown = {3, 1};
    start_one_worker();
    p2_test_task_init(&good, P2_TEST_SUM, "abc", 3);
    task = good;
    task.task.authority = 99;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_NOENT);
    task = good;
    task.task.kernel = P2_TEST_KERNEL_COUNT;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_NOENT);
    task = good;
    task.task.operation = P2_TASK_CHECK; /* sum has none */
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_INVALID);
    task = good;
    task.task.budget_us = 0;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_INVALID);
    task = good;
    task.task.budget_us = P2_TASK_BUDGET_MAX_US + 1;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_INVALID);
    task = good;
    task.task.priority = P2_TASK_PRIORITIES;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_INVALID);
    task = good;
    task.task.blobs = &unknown;
    task.task.blob_count = 1;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_NOENT);
    P2_ASSERT_EQUAL(counters().refused, 7);
    P2_ASSERT_EQUAL(counters().submitted, 0);
    stop();
}

static void every_task_starts_with_a_clean_float_environment(void)
{
    struct p2_test_task task;
    uint8_t spoil = 1, look = 0;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_FLOAT, &spoil, 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
#if defined(__x86_64__)
    P2_ASSERT_EQUAL(task.output[0], 1); /* the kernel did spoil it */
#endif
    p2_test_task_init(&task, P2_TEST_FLOAT, &look, 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    P2_ASSERT_EQUAL(task.output[0], 0);
    P2_ASSERT_EQUAL(task.output[1], 0);
    stop();
}

static void arenas_are_poisoned_on_request(void)
{
    struct p2_pool_settings settings = p2_test_settings();
    struct p2_test_task task;
    uint8_t expected[32];
    settings.workers = 1;
    settings.poisons_arena = true;
    memset(expected, 0xa5, sizeof expected);
    start_with(settings);
    for (int i = 0; i < 2; i++) {
        p2_test_task_init(&task, P2_TEST_ARENA, NULL, 0);
        P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
        P2_ASSERT_BYTES(task.output, expected, sizeof expected);
    }
    stop();
}

/* ---- queue --------------------------------------------------------------------------------- */

static void a_full_queue_refuses_and_loses_nothing(void)
{
    static struct p2_test_task tasks[65];
    start();
    p2_pool_pause(test.pool, 0);
    for (size_t i = 0; i < 64; i++) {
        p2_test_task_init(&tasks[i], P2_TEST_ECHO, "x", 1);
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    p2_test_task_init(&tasks[64], P2_TEST_ECHO, "x", 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[64]), P2_E_AGAIN);
    P2_ASSERT_EQUAL(counters().waiting, 64);
    p2_pool_resume(test.pool);
    CU_ASSERT(p2_test_wait_ready(&test, 2));
    for (size_t i = 0; i < 64; i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
    }
    P2_ASSERT_EQUAL(tasks[64].calls, 0);
    stop();
}

static void priority_then_deadline_then_arrival_decide_the_order(void)
{
    static const struct {
        uint32_t priority;
        uint64_t deadline_us; /* from now; 0: none */
        uint64_t place;       /* by hand */
    } rows[] = {{1, 0, 6},       {1, 2000000, 4}, {1, 1000000, 3}, {0, 9000000, 1},
                {3, 1000000, 8}, {1, 0, 7},       {1, 2000000, 5}, {0, 0, 2}};
    struct p2_test_task tasks[P2_COUNT_OF(rows)];
    uint64_t now = p2_pool_now_us(), first = UINT64_MAX;
    start_one_worker();
    p2_pool_pause(test.pool, 0);
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_ECHO, "x", 1);
        tasks[i].task.priority = rows[i].priority;
        tasks[i].task.deadline_us = rows[i].deadline_us != 0 ? now + rows[i].deadline_us : 0;
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    p2_pool_resume(test.pool);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        first = tasks[i].order < first ? tasks[i].order : first;
    }
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        P2_ASSERT_EQUAL(tasks[i].order - first + 1, rows[i].place);
    }
    stop();
}

static void what_is_too_late_to_begin_never_runs(void)
{
    struct p2_test_task late, busy;
    start_one_worker();
    p2_test_task_init(&late, P2_TEST_ECHO, "x", 1);
    late.task.deadline_us = p2_pool_now_us() - 1;
    late.task.expires = true;
    P2_ASSERT_EQUAL(p2_test_run(&test, &late), P2_TASK_TIMEOUT);
    P2_ASSERT_EQUAL(late.result.trap, P2_TRAP_LATE);
    P2_ASSERT_EQUAL(late.result.batch, 0);
    /* Also when its time passes while it waits. */
    p2_test_task_init(&busy, P2_TEST_MISDEED, loop, 1);
    p2_test_task_init(&late, P2_TEST_ECHO, "x", 1);
    late.task.deadline_us = p2_pool_now_us() + 5000;
    late.task.expires = true;
    P2_ASSERT_ERROR(p2_test_submit(&test, &busy), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &late), P2_OK);
    CU_ASSERT(p2_test_wait(&test, &late));
    P2_ASSERT_EQUAL(late.result.trap, P2_TRAP_LATE);
    P2_ASSERT_EQUAL(busy.calls, 0);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, busy.id), P2_OK);
    stop();
}

static void a_deadline_that_does_not_expire_only_orders(void)
{
    struct p2_test_task late;
    start_one_worker();
    p2_test_task_init(&late, P2_TEST_ECHO, "x", 1);
    late.task.deadline_us = 1;
    P2_ASSERT_EQUAL(p2_test_run(&test, &late), P2_TASK_OK);
    stop();
}

/* ---- cancelling ---------------------------------------------------------------------------- */

static void a_waiting_task_can_be_cancelled_once(void)
{
    struct p2_test_task task;
    start();
    p2_pool_pause(test.pool, 0);
    p2_test_task_init(&task, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, task.id), P2_OK);
    P2_ASSERT_EQUAL(task.calls, 0); /* the callback comes in a later turn */
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, task.id), P2_E_NOENT);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_CANCELLED);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, task.id), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, 0), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, UINT64_MAX), P2_E_NOENT);
    stop();
    P2_ASSERT_EQUAL(task.calls, 1);
}

static void a_running_task_can_be_cancelled_and_its_worker_is_replaced(void)
{
    struct p2_test_task task, next;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_MISDEED, loop, 1);
    task.task.budget_us = P2_TASK_BUDGET_MAX_US;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    P2_ASSERT_EQUAL(counters().running, 1);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, task.id), P2_OK);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_CANCELLED);
    p2_test_task_init(&next, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &next), P2_TASK_OK);
    P2_ASSERT_EQUAL(counters().workers_lost, 1);
    stop();
    P2_ASSERT_EQUAL(task.calls, 1);
}

static struct p2_test_task *victim;

static void cancel_another(void *ctx, const struct p2_task_result *result)
{
    struct p2_test_task *task = ctx;
    task->calls++;
    task->result = *result;
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, victim->id), P2_OK);
}

static void callbacks_may_cancel(void)
{
    struct p2_test_task task, other;
    start_one_worker();
    victim = &other;
    p2_test_task_init(&task, P2_TEST_ECHO, "x", 1);
    p2_test_task_init(&other, P2_TEST_MISDEED, loop, 1);
    task.task.done = cancel_another;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &other), P2_OK);
    CU_ASSERT(p2_test_wait(&test, &other));
    P2_ASSERT_EQUAL(other.result.status, P2_TASK_CANCELLED);
    P2_ASSERT_EQUAL(task.calls, 1);
    stop();
    P2_ASSERT_EQUAL(other.calls, 1);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void cpu_time_counts_and_a_busy_machine_does_not(void)
{
    static struct p2_test_task tasks[6];
    uint8_t storage[4];
    struct p2_pool_settings settings = p2_test_settings();
    uint64_t wall = 0;
    /* More workers than CPUs: each gets its budget of CPU time, however long that takes. */
    settings.workers = P2_COUNT_OF(tasks);
    start_with(settings);
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_WORK, work(20000, storage), 4);
        tasks[i].task.budget_us = 1000000;
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    CU_ASSERT(p2_test_wait_ready(&test, settings.workers));
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
        CU_ASSERT(tasks[i].result.cpu_us > 1000);
        CU_ASSERT(tasks[i].result.cpu_us <= tasks[i].result.wall_us + 1000);
        wall = tasks[i].result.wall_us > wall ? tasks[i].result.wall_us : wall;
    }
    CU_ASSERT(counters().cpu_us > 6000);
    stop();
}

static void a_loop_ends_when_its_cpu_time_is_used_up(void)
{
    struct p2_test_task task;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_MISDEED, loop, 1);
    task.task.budget_us = 30000;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_TIMEOUT);
    P2_ASSERT_EQUAL(task.result.trap, P2_TRAP_NONE);
    CU_ASSERT(task.result.cpu_us >= 30000);
    stop();
}

static void a_sleeper_ends_by_the_wall_backstop(void)
{
    struct p2_test_task task;
    uint8_t sleep_for_ever = P2_MISDEED_SLEEP;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_MISDEED, &sleep_for_ever, 1);
    task.task.budget_us = 10000;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_TIMEOUT);
    P2_ASSERT_EQUAL(task.result.trap, P2_TRAP_SILENT);
    CU_ASSERT(task.result.cpu_us < 10000);
    CU_ASSERT(task.result.wall_us >= 10000 * P2_WALL_FACTOR + P2_WALL_SLACK_US);
    stop();
}

/* Lets `us` of the monotonic clock pass without serving the loop. */
static void let_pass(uint64_t us)
{
    uint64_t end = p2_pool_now_us() + us;
    while (p2_pool_now_us() < end) {
        (void)sched_yield();
    }
}

/* The one worker; the launcher's other child, the namespace's init, is older. */
static pid_t only_worker(void)
{
    pid_t pids[8];
    size_t count = p2_test_workers(&test, pids, P2_COUNT_OF(pids));
    CU_ASSERT_FATAL(count > 0);
    return pids[count - 1];
}

static void an_answer_counts_even_when_the_daemon_is_late_to_look(void)
{
    struct p2_test_task task;
    start_one_worker();
    pid_t worker = only_worker();
    p2_test_task_init(&task, P2_TEST_ECHO, "late", 4);
    task.task.budget_us = 1000;
    CU_ASSERT_FATAL(kill(worker, SIGSTOP) == 0);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    let_pass(5000); /* the look at the CPU time is due before the answer comes */
    CU_ASSERT_FATAL(kill(worker, SIGCONT) == 0);
    let_pass(task.task.budget_us * P2_WALL_FACTOR + 2 * P2_WALL_SLACK_US);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_OK);
    P2_ASSERT_BYTES(task.output, "late", 4);
    /* Its signal is not taken for one without an answer, and the worker stays. */
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    P2_ASSERT_EQUAL(counters().spurious_wakeups, 0);
    P2_ASSERT_EQUAL(counters().workers_lost, 0);
    stop();
}

static void a_worker_that_gets_little_of_the_cpu_is_waited_for(void)
{
    struct p2_test_task task;
    uint8_t storage[4];
    start_one_worker();
    pid_t worker = only_worker();
    p2_test_task_init(&task, P2_TEST_WORK, work(20000, storage), 4); /* 30 ms, or more if slow */
    task.task.budget_us = 500000; /* builds for coverage are slow */
    CU_ASSERT_FATAL(kill(worker, SIGSTOP) == 0);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    uint64_t backstop = task.task.budget_us * P2_WALL_FACTOR + P2_WALL_SLACK_US;
    uint64_t end = p2_pool_now_us() + backstop - 100000;
    while (p2_pool_now_us() < end) { /* now and then a moment, so that it does not finish */
        CU_ASSERT_FATAL(kill(worker, SIGCONT) == 0);
        let_pass(100);
        CU_ASSERT_FATAL(kill(worker, SIGSTOP) == 0);
        let_pass(100000);
        (void)uv_run(&test.loop, UV_RUN_NOWAIT);
    }
    let_pass(200000);
    (void)uv_run(&test.loop, UV_RUN_NOWAIT);
    CU_ASSERT_FATAL(kill(worker, SIGCONT) == 0);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_OK);
    P2_ASSERT_EQUAL(counters().workers_lost, 0);
    stop();
}

/* ---- losing workers ------------------------------------------------------------------------ */

static void a_dead_worker_is_named_by_its_death_however_late_that_is_reported(void)
{
    struct p2_test_task task;
    uint8_t deed = P2_MISDEED_NULL_STORE;
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_MISDEED, &deed, 1);
    task.task.budget_us = 1000;
    CU_ASSERT_FATAL(kill(test.launcher, SIGSTOP) == 0); /* which reports deaths */
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    uint64_t backstop = task.task.budget_us * P2_WALL_FACTOR + P2_WALL_SLACK_US;
    uint64_t end = p2_pool_now_us() + 4 * backstop;
    while (p2_pool_now_us() < end) {
        (void)uv_run(&test.loop, UV_RUN_NOWAIT);
        (void)sched_yield();
    }
    P2_ASSERT_EQUAL(task.calls, 0);
    CU_ASSERT_FATAL(kill(test.launcher, SIGCONT) == 0);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_TRAP);
    P2_ASSERT_EQUAL(task.result.trap, P2_TRAP_NULL);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    stop();
}

static void a_worker_killed_from_outside_is_replaced_and_reported(void)
{
    struct p2_test_task task;
    pid_t pids[8];
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_MISDEED, loop, 1);
    task.task.budget_us = P2_TASK_BUDGET_MAX_US;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    size_t count = p2_test_workers(&test, pids, P2_COUNT_OF(pids));
    CU_ASSERT_FATAL(count >= 1);
    CU_ASSERT(kill(pids[count - 1], SIGKILL) == 0); /* the youngest: not the namespace's init */
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_MEMORY);
    P2_ASSERT_EQUAL(task.result.trap, P2_TRAP_SYSTEM);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    stop();
}

static void a_lost_launcher_fails_closed(void)
{
    struct p2_test_task running, waiting;
    start_one_worker();
    p2_test_task_init(&running, P2_TEST_MISDEED, loop, 1);
    running.task.budget_us = P2_TASK_BUDGET_MAX_US;
    p2_test_task_init(&waiting, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &running), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &waiting), P2_OK);
    CU_ASSERT(kill(test.launcher, SIGKILL) == 0);
    CU_ASSERT(p2_test_wait(&test, &running));
    CU_ASSERT(p2_test_wait(&test, &waiting));
    P2_ASSERT_EQUAL(running.result.status, P2_TASK_WORKER_ERROR);
    P2_ASSERT_EQUAL(waiting.result.status, P2_TASK_WORKER_ERROR);
    CU_ASSERT(p2_pool_is_broken(test.pool));
    P2_ASSERT_ERROR(p2_test_submit(&test, &waiting), P2_E_STATE);
    stop();
}

/* ---- batches ------------------------------------------------------------------------------- */

static void small_tasks_share_a_hand_over(void)
{
    static struct p2_test_task tasks[32];
    static uint8_t inputs[32][4];
    start_batching();
    submit_small(tasks, 32, inputs);
    p2_pool_resume(test.pool);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    for (size_t i = 0; i < 32; i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
        P2_ASSERT_BYTES(tasks[i].output, inputs[i], 4);
        P2_ASSERT_EQUAL(tasks[i].result.batch, 16);
    }
    P2_ASSERT_EQUAL(counters().handovers, 2);
    stop();
}

static void a_crash_in_a_batch_costs_nobody_else_the_answer(void)
{
    static struct p2_test_task tasks[8];
    static uint8_t inputs[8][4];
    static const uint8_t deeds[] = {P2_MISDEED_NULL_STORE, P2_MISDEED_LOOP, P2_MISDEED_LIE_HUGE};
    static const enum p2_task_status expected[] = {P2_TASK_TRAP, P2_TASK_TIMEOUT,
                                                   P2_TASK_WORKER_ERROR};
    for (size_t deed = 0; deed < P2_COUNT_OF(deeds); deed++) {
        struct p2_test_task bad;
        start_batching();
        submit_small(tasks, 7, inputs);
        p2_test_task_init(&bad, P2_TEST_MISDEED, &deeds[deed], 1);
        bad.task.output_capacity = 4;
        bad.task.budget_us = 100;
        bad.task.priority = 0;
        P2_ASSERT_ERROR(p2_test_submit(&test, &bad), P2_OK);
        p2_pool_resume(test.pool);
        CU_ASSERT(p2_test_wait_ready(&test, 1));
        for (size_t i = 0; i < 7; i++) {
            P2_ASSERT_EQUAL(tasks[i].calls, 1);
            P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
            P2_ASSERT_BYTES(tasks[i].output, inputs[i], 4);
        }
        P2_ASSERT_EQUAL(bad.calls, 1);
        P2_ASSERT_EQUAL(bad.result.status, expected[deed]);
        P2_ASSERT_EQUAL(counters().rerun, 8);
        stop();
    }
}

static void cancelling_in_a_batch_spares_the_neighbours(void)
{
    static struct p2_test_task tasks[8];
    static uint8_t inputs[8][4];
    start_batching();
    submit_small(tasks, 8, inputs);
    p2_pool_resume(test.pool);
    P2_ASSERT_EQUAL(counters().running, 8);
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, tasks[3].id), P2_OK);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    (void)uv_run(&test.loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < 8; i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
        P2_ASSERT_EQUAL(tasks[i].result.status, i == 3 ? P2_TASK_CANCELLED : P2_TASK_OK);
    }
    P2_ASSERT_EQUAL(counters().workers_lost, 0);
    stop();
}

int main(int argc, char **argv)
{
    CU_TestInfo answers[] = {
        P2_TEST(every_task_ends_exactly_once_with_its_own_answer),
        P2_TEST(a_full_slot_goes_both_ways),
        P2_TEST(check_and_canonical_see_the_result),
        P2_TEST(a_small_output_span_is_respected),
        P2_TEST(mistakes_of_the_caller_are_refused),
        P2_TEST(every_task_starts_with_a_clean_float_environment),
        P2_TEST(arenas_are_poisoned_on_request),
        P2_TEST(a_full_queue_refuses_and_loses_nothing),
        P2_TEST(priority_then_deadline_then_arrival_decide_the_order),
        P2_TEST(what_is_too_late_to_begin_never_runs),
        P2_TEST(a_deadline_that_does_not_expire_only_orders),
        P2_TEST(a_waiting_task_can_be_cancelled_once),
        P2_TEST(a_running_task_can_be_cancelled_and_its_worker_is_replaced),
        P2_TEST(callbacks_may_cancel),
        P2_TEST(cpu_time_counts_and_a_busy_machine_does_not),
        P2_TEST(a_loop_ends_when_its_cpu_time_is_used_up),
        P2_TEST(a_sleeper_ends_by_the_wall_backstop),
        P2_TEST(an_answer_counts_even_when_the_daemon_is_late_to_look),
        P2_TEST(a_worker_that_gets_little_of_the_cpu_is_waited_for),
        P2_TEST(a_dead_worker_is_named_by_its_death_however_late_that_is_reported),
        P2_TEST(a_worker_killed_from_outside_is_replaced_and_reported),
        P2_TEST(a_lost_launcher_fails_closed),
        P2_TEST(small_tasks_share_a_hand_over),
        P2_TEST(a_crash_in_a_batch_costs_nobody_else_the_answer),
        P2_TEST(cancelling_in_a_batch_spares_the_neighbours),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"tasks", NULL, NULL, NULL, NULL, answers}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
