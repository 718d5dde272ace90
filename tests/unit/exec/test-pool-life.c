/* The pool's promises about authorities, settings and its own life; see src/exec/pool.h. */
#include "tests/unit/exec/pool_fixture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- authorities --------------------------------------------------------------------------- */

static const uint8_t secret[16] = {0x51, 0x0e, 0x52, 0x7f, 0xad, 0xe6, 0x82, 0xd1,
                                   0x9b, 0x05, 0x68, 0x8c, 0x2b, 0x3e, 0x6c, 0x1f};

/* Lets a hostile kernel of `authority` look for the secret in all memory it can reach. */
static long long search(uint64_t authority, const struct p2_blob_handle *blobs, uint32_t count)
{
    struct p2_test_task task;
    uint8_t inverted[16];
    for (size_t i = 0; i < sizeof inverted; i++) {
        inverted[i] = (uint8_t)~secret[i];
    }
    p2_test_task_init(&task, P2_TEST_SEARCH, inverted, sizeof inverted);
    task.task.authority = authority;
    task.task.blobs = blobs;
    task.task.blob_count = count;
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    return task.output[0] | task.output[1] << 8;
}

static void one_authority_never_sees_bytes_of_another_in_its_slot(void)
{
    struct p2_test_task task;
    static uint8_t input[4096];
    memcpy(input, secret, sizeof secret);
    start_one_worker();
    P2_ASSERT_ERROR(p2_pool_authority_add(test.pool, OTHER, 1u << 20), P2_OK);
    p2_test_task_init(&task, P2_TEST_ECHO, input, sizeof input);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    /* The search does find what is there: the same authority's own old bytes. */
    CU_ASSERT(search(P2_TEST_AUTHORITY, NULL, 0) > 0);
    P2_ASSERT_EQUAL(counters().authority_switches, 0);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    P2_ASSERT_EQUAL(search(OTHER, NULL, 0), 0);
    P2_ASSERT_EQUAL(counters().authority_switches, 1);
    stop();
}

static void one_authority_never_sees_blobs_of_another(void)
{
    struct p2_test_task task;
    struct p2_blob_handle mine[2], theirs[2];
    start_one_worker();
    P2_ASSERT_ERROR(p2_pool_authority_add(test.pool, OTHER, 1u << 20), P2_OK);
    for (size_t i = 0; i < 2; i++) {
        P2_ASSERT_ERROR(
            p2_pool_blob_put(test.pool, P2_TEST_AUTHORITY, p2_span(secret, 16), &mine[i]), P2_OK);
    }
    P2_ASSERT_ERROR(p2_pool_blob_put(test.pool, OTHER, p2_span("0123456789abcdef", 16), &theirs[0]),
                    P2_OK);
    P2_ASSERT_ERROR(p2_pool_blob_put(test.pool, OTHER, p2_span("ghijklmnopqrstuv", 16), &theirs[1]),
                    P2_OK);
    P2_ASSERT_ERROR(p2_pool_blob_drop(test.pool, OTHER, theirs[0]), P2_OK);
    /* The search reads beyond its blob, into the neighbour's place: its own authority's. */
    CU_ASSERT(search(P2_TEST_AUTHORITY, &mine[1], 1) > 0);
    P2_ASSERT_EQUAL(search(OTHER, &theirs[1], 1), 0);
    /* And a handle of one is nothing in the other. */
    p2_test_task_init(&task, P2_TEST_SUM, NULL, 0);
    task.task.authority = OTHER;
    task.task.blobs = &mine[0]; /* same index and generation as the dropped one */
    task.task.blob_count = 1;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_NOENT);
    stop();
}

static void blobs_reach_the_kernel_and_stay_while_tasks_need_them(void)
{
    struct p2_test_task task;
    struct p2_blob_handle blobs[3];
    start_one_worker();
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t bytes[100];
        memset(bytes, i + 1, sizeof bytes);
        P2_ASSERT_ERROR(
            p2_pool_blob_put(test.pool, P2_TEST_AUTHORITY, p2_span(bytes, 100), &blobs[i]), P2_OK);
    }
    p2_test_task_init(&task, P2_TEST_SUM, "\1\1", 2);
    task.task.blobs = blobs;
    task.task.blob_count = 3;
    p2_pool_pause(test.pool, 0);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    P2_ASSERT_ERROR(p2_pool_blob_drop(test.pool, P2_TEST_AUTHORITY, blobs[1]), P2_OK);
    p2_pool_resume(test.pool);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.output[0] | task.output[1] << 8, 100 * (1 + 2 + 3) + 2);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_NOENT); /* now it is gone */
    stop();
}

static void two_authorities_share_one_worker_without_starving(void)
{
    static struct p2_test_task tasks[40];
    uint8_t storage[4];
    start_one_worker();
    P2_ASSERT_ERROR(p2_pool_authority_add(test.pool, OTHER, 0), P2_OK);
    P2_ASSERT_ERROR(p2_pool_authority_add(test.pool, OTHER, 0), P2_E_EXIST);
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_WORK, work(1000, storage), 4);
        tasks[i].task.authority = i < 20 ? P2_TEST_AUTHORITY : OTHER;
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
    }
    CU_ASSERT(counters().authority_switches >= 1);
    CU_ASSERT(counters().authority_switches < 20); /* not for every task */
    stop();
}

static void removing_an_authority_ends_its_tasks_and_no_others(void)
{
    struct p2_test_task running, waiting, other;
    start_one_worker();
    P2_ASSERT_ERROR(p2_pool_authority_add(test.pool, OTHER, 0), P2_OK);
    p2_test_task_init(&running, P2_TEST_MISDEED, loop, 1);
    running.task.budget_us = P2_TASK_BUDGET_MAX_US;
    p2_test_task_init(&waiting, P2_TEST_ECHO, "x", 1);
    p2_test_task_init(&other, P2_TEST_ECHO, "x", 1);
    other.task.authority = OTHER;
    P2_ASSERT_ERROR(p2_test_submit(&test, &running), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &waiting), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &other), P2_OK);
    P2_ASSERT_ERROR(p2_pool_authority_remove(test.pool, P2_TEST_AUTHORITY), P2_OK);
    P2_ASSERT_ERROR(p2_pool_authority_remove(test.pool, P2_TEST_AUTHORITY), P2_E_NOENT);
    CU_ASSERT(p2_test_wait(&test, &other));
    CU_ASSERT(p2_test_wait(&test, &running));
    P2_ASSERT_EQUAL(running.result.status, P2_TASK_CANCELLED);
    P2_ASSERT_EQUAL(waiting.result.status, P2_TASK_CANCELLED);
    P2_ASSERT_EQUAL(other.result.status, P2_TASK_OK);
    stop();
    P2_ASSERT_EQUAL(running.calls, 1);
    P2_ASSERT_EQUAL(waiting.calls, 1);
}

/* ---- settings and life --------------------------------------------------------------------- */

static void a_pause_stops_all_work_and_a_resume_finishes_it(void)
{
    struct p2_test_task shorter, longer;
    uint8_t storage[4];
    start();
    p2_test_task_init(&shorter, P2_TEST_WORK, work(1, storage), 4);
    p2_test_task_init(&longer, P2_TEST_MISDEED, loop, 1);
    longer.task.budget_us = P2_TASK_BUDGET_MAX_US;
    P2_ASSERT_ERROR(p2_test_submit(&test, &shorter), P2_OK);
    P2_ASSERT_ERROR(p2_test_submit(&test, &longer), P2_OK);
    CU_ASSERT(p2_test_wait(&test, &shorter)); /* a busy machine may not run it within the grace */
    uint64_t began = p2_pool_now_us();
    p2_pool_pause(test.pool, 20000);
    CU_ASSERT(p2_test_wait_running(&test, 0));
    uint64_t took = p2_pool_now_us() - began;
    (void)printf("\n    paused after %llu us\n", (unsigned long long)took);
    CU_ASSERT(took >= 20000);
    P2_ASSERT_EQUAL(longer.calls, 0);
    P2_ASSERT_EQUAL(counters().rerun, 1);
    p2_pool_resume(test.pool);
    CU_ASSERT(p2_test_wait_running(&test, 1));
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, longer.id), P2_OK);
    stop();
}

static void a_pause_without_an_end_to_its_grace_stops_nothing(void)
{
    struct p2_test_task task;
    uint8_t storage[4];
    start_one_worker();
    p2_test_task_init(&task, P2_TEST_WORK, work(20000, storage), 4);
    task.task.budget_us = 1000000;
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    p2_pool_pause(test.pool, UINT64_MAX);
    CU_ASSERT(p2_test_wait(&test, &task));
    P2_ASSERT_EQUAL(task.result.status, P2_TASK_OK);
    P2_ASSERT_EQUAL(counters().rerun, 0);
    stop();
}

static void count_call(void *ctx)
{
    unsigned *count = ctx;
    (*count)++;
}

static void a_drain_refuses_new_tasks_and_waits_for_the_old(void)
{
    struct p2_test_task tasks[8], late;
    uint8_t storage[4];
    unsigned drained = 0;
    start();
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_WORK, work(10, storage), 4);
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    P2_ASSERT_ERROR(p2_pool_drain(test.pool, count_call, &drained), P2_OK);
    P2_ASSERT_ERROR(p2_pool_drain(test.pool, count_call, &drained), P2_E_STATE);
    P2_ASSERT_EQUAL(drained, 0);
    p2_test_task_init(&late, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &late), P2_E_DRAINING);
    CU_ASSERT(p2_test_wait_ready(&test, 2));
    while (drained == 0) {
        (void)uv_run(&test.loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_OK);
    }
    stop();
    P2_ASSERT_EQUAL(drained, 1);
}

static void closing_ends_every_task_before_the_close_callback(void)
{
    static struct p2_test_task tasks[20];
    unsigned drained = 0;
    start();
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_MISDEED, loop, 1);
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    P2_ASSERT_ERROR(p2_pool_drain(test.pool, count_call, &drained), P2_OK);
    stop();
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
        P2_ASSERT_EQUAL(tasks[i].result.status, P2_TASK_CANCELLED);
    }
    P2_ASSERT_EQUAL(drained, 1);
    CU_ASSERT(kill(test.launcher, 0) != 0); /* reaped */
}

static void close_at_once(void *ctx, const struct p2_task_result *result)
{
    struct p2_test_task *task = ctx;
    task->calls++;
    task->result = *result;
    p2_pool_close(test.pool, NULL, NULL);
}

static void a_callback_may_close_the_pool(void)
{
    static struct p2_test_task tasks[8];
    static uint8_t inputs[8][4];
    start_batching();
    submit_small(tasks, 8, inputs);
    tasks[2].task.done = close_at_once;
    P2_ASSERT_ERROR(p2_pool_cancel(test.pool, tasks[2].id), P2_OK);
    CU_ASSERT(p2_test_wait(&test, &tasks[2]));
    tasks[2].calls = 0;
    P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[2]), P2_OK);
    p2_pool_resume(test.pool);
    P2_ASSERT_EQUAL(uv_run(&test.loop, UV_RUN_DEFAULT), 0);
    P2_ASSERT_EQUAL(uv_loop_close(&test.loop), 0);
    for (size_t i = 0; i < 8; i++) {
        P2_ASSERT_EQUAL(tasks[i].calls, 1);
    }
}

/* A cgroup cannot be removed while one is left. */
static void when_a_pool_is_closed_no_process_of_it_is_left(void)
{
    pid_t pids[8];
    struct p2_test_task task;
    start();
    p2_test_task_init(&task, P2_TEST_MISDEED, loop, 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_OK);
    size_t count = p2_test_workers(&test, pids, P2_COUNT_OF(pids));
    CU_ASSERT(count >= 2);
    p2_pool_close(test.pool, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(kill(pids[i], 0) != 0 && errno == ESRCH);
    }
    test.pool = NULL;
    (void)uv_run(&test.loop, UV_RUN_DEFAULT);
    P2_ASSERT_EQUAL(uv_loop_close(&test.loop), 0);
}

/* The init of the workers' namespace, where there is one, is the launcher's first child. */
static void a_lost_namespace_is_a_lost_launcher(void)
{
    pid_t pids[8];
    struct p2_test_task task;
    start_one_worker();
    if (p2_test_workers(&test, pids, P2_COUNT_OF(pids)) < 2) {
        (void)printf("    SKIPPED: no pid namespace on this machine\n");
        stop();
        return;
    }
    CU_ASSERT_FATAL(kill(pids[0], SIGKILL) == 0);
    while (!p2_pool_is_broken(test.pool)) {
        (void)uv_run(&test.loop, UV_RUN_ONCE);
    }
    p2_test_task_init(&task, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_ERROR(p2_test_submit(&test, &task), P2_E_STATE);
    stop();
}

static void the_number_of_workers_follows_the_setting(void)
{
    pid_t pids[16];
    struct p2_test_task task;
    start();
    P2_ASSERT_ERROR(p2_pool_set_workers(test.pool, 0), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_pool_set_workers(test.pool, P2_POOL_WORKERS_MAX + 1), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_pool_set_workers(test.pool, 5), P2_OK);
    CU_ASSERT(p2_test_wait_ready(&test, 5));
    P2_ASSERT_ERROR(p2_pool_set_workers(test.pool, 1), P2_OK);
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    p2_test_task_init(&task, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    /* One, and the init of the namespace; the others take a moment to be reaped. */
    while (p2_test_workers(&test, pids, P2_COUNT_OF(pids)) > 2) {
        (void)uv_run(&test.loop, UV_RUN_NOWAIT);
    }
    stop();
}

static void workers_run_at_the_priority_that_was_asked_for(void)
{
    pid_t pids[8];
    const int own = getpriority(PRIO_PROCESS, 0); /* workers are never put above it */
    start_one_worker();
    P2_ASSERT_ERROR(p2_pool_set_priority(test.pool, 20, false), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_pool_set_priority(test.pool, 7, true), P2_OK);
    CU_ASSERT(p2_test_wait_ready(&test, 0));
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    size_t count = p2_test_workers(&test, pids, P2_COUNT_OF(pids));
    CU_ASSERT_FATAL(count >= 1);
    P2_ASSERT_EQUAL(getpriority(PRIO_PROCESS, (id_t)pids[count - 1]), own > 7 ? own : 7);
    P2_ASSERT_EQUAL(sched_getscheduler(pids[count - 1]), SCHED_IDLE);
    P2_ASSERT_ERROR(p2_pool_set_priority(test.pool, 0, false), P2_OK);
    CU_ASSERT(p2_test_wait_ready(&test, 0));
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    count = p2_test_workers(&test, pids, P2_COUNT_OF(pids));
    CU_ASSERT_FATAL(count >= 1);
    P2_ASSERT_EQUAL(getpriority(PRIO_PROCESS, (id_t)pids[count - 1]), own);
    stop();
}

/* Runs work for about 60 ms of CPU at a fifth of one CPU; returns wall time per CPU time in %. */
static uint64_t stretch(bool uses_cgroup, bool *ret_has_cgroup)
{
    static struct p2_test_task tasks[30];
    struct p2_pool_settings settings = p2_test_settings();
    uint8_t storage[4];
    settings.workers = 1;
    settings.cpu_permille = 200;
    settings.uses_cgroup = uses_cgroup;
    start_with(settings);
    *ret_has_cgroup = p2_pool_has_cgroup(test.pool);
    uint64_t began = p2_pool_now_us();
    for (size_t i = 0; i < P2_COUNT_OF(tasks); i++) {
        p2_test_task_init(&tasks[i], P2_TEST_WORK, work(2000, storage), 4);
        tasks[i].task.budget_us = 1000000;
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
    CU_ASSERT(p2_test_wait_ready(&test, 1));
    uint64_t wall = p2_pool_now_us() - began;
    uint64_t cpu = counters().cpu_us;
    (void)printf("\n    %llu us CPU in %llu us, withheld %llu us\n", (unsigned long long)cpu,
                 (unsigned long long)wall, (unsigned long long)counters().withheld_us);
    stop();
    return cpu > 0 ? wall * 100 / cpu : 0;
}

static void without_a_cgroup_work_is_withheld_to_keep_the_share(void)
{
    bool has_cgroup = true;
    /* 500 % on average; the last task's debt is paid after the end, the first ran on credit. */
    CU_ASSERT(stretch(false, &has_cgroup) >= 350);
    CU_ASSERT(!has_cgroup);
}

static void with_a_cgroup_the_kernel_keeps_the_share(void)
{
    bool has_cgroup = false;
    uint64_t percent = stretch(true, &has_cgroup);
    if (!has_cgroup) {
        (void)printf("    no cgroup can be written here: work was withheld\n");
    }
    CU_ASSERT(percent >= 350);
}

int main(int argc, char **argv)
{
    CU_TestInfo authorities[] = {
        P2_TEST(one_authority_never_sees_bytes_of_another_in_its_slot),
        P2_TEST(one_authority_never_sees_blobs_of_another),
        P2_TEST(blobs_reach_the_kernel_and_stay_while_tasks_need_them),
        P2_TEST(two_authorities_share_one_worker_without_starving),
        P2_TEST(removing_an_authority_ends_its_tasks_and_no_others),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo life[] = {
        P2_TEST(a_pause_stops_all_work_and_a_resume_finishes_it),
        P2_TEST(a_pause_without_an_end_to_its_grace_stops_nothing),
        P2_TEST(a_drain_refuses_new_tasks_and_waits_for_the_old),
        P2_TEST(closing_ends_every_task_before_the_close_callback),
        P2_TEST(a_callback_may_close_the_pool),
        P2_TEST(when_a_pool_is_closed_no_process_of_it_is_left),
        P2_TEST(a_lost_namespace_is_a_lost_launcher),
        P2_TEST(the_number_of_workers_follows_the_setting),
        P2_TEST(workers_run_at_the_priority_that_was_asked_for),
        P2_TEST(without_a_cgroup_work_is_withheld_to_keep_the_share),
        P2_TEST(with_a_cgroup_the_kernel_keeps_the_share),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"authorities", NULL, NULL, NULL, NULL, authorities},
                             {"life", NULL, NULL, NULL, NULL, life},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
