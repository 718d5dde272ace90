/* The launcher: fails closed, dies with the daemon, leaves nothing behind; and the runner. */
#include "tests/lib/test.h"
#include "tests/lib/test_pool.h"

#include "exec/lockdown.h"
#include "exec/run.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Patience of these tests with a process that has to die. Chosen: long under any load. */
#define PATIENCE_MS 120000

/* ---- fails closed -------------------------------------------------------------------------- */

/* Makes the calling process, and all it forks, unable to install a filter: seccomp(2) and
 * prctl(PR_SET_SECCOMP) fail with EPERM. */
static int forbid_seccomp(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {P2_COUNT_OF(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Runs `body` in a child of this process; its exit status. */
static int in_child(int (*body)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(body());
    }
    int status = -1;
    CU_ASSERT(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int start_without_seccomp(void)
{
    struct p2_failure failure = {0, ""};
    struct p2_launcher *launcher = NULL;
    if (forbid_seccomp() != 0) {
        return 2;
    }
    int error = p2_launcher_start(p2_test_kernels, P2_TEST_KERNEL_COUNT, &failure, &launcher);
    (void)printf("\n    %s: %s\n", p2_error_name(error), failure.message);
    (void)fflush(stdout);
    if (error == P2_OK) {
        return 3;
    }
    return error == P2_E_UNSUPPORTED && strstr(failure.message, "seccomp") != NULL ? 0 : 1;
}

static void without_seccomp_there_are_no_workers_and_the_reason_is_given(void)
{
    P2_ASSERT_EQUAL(in_child(start_without_seccomp), 0);
}

static void a_kernel_outside_the_limits_of_its_abi_is_refused(void)
{
    struct p2c2r_kernel wrong = *p2_test_kernels[P2_TEST_ECHO];
    const struct p2c2r_kernel *const table[] = {&wrong};
    struct p2_launcher *launcher = NULL;
    wrong.arena_bytes = P2C2R_ARENA_MAX + 1;
    P2_ASSERT_ERROR(p2_launcher_start(table, 1, NULL, &launcher), P2_E_INVALID);
    wrong = *p2_test_kernels[P2_TEST_ECHO];
    wrong.abi = P2C2R_KERNEL_ABI + 1;
    P2_ASSERT_ERROR(p2_launcher_start(table, 1, NULL, &launcher), P2_E_INVALID);
    wrong = *p2_test_kernels[P2_TEST_ECHO];
    wrong.run = NULL;
    P2_ASSERT_ERROR(p2_launcher_start(table, 1, NULL, &launcher), P2_E_INVALID);
    CU_ASSERT(launcher == NULL);
}

static void settings_outside_their_ranges_are_refused(void)
{
    static const struct p2_pool_settings wrong[] = {
        {.workers = 0, .queue_capacity = 1, .cpu_permille = 1000},
        {.workers = P2_POOL_WORKERS_MAX + 1, .queue_capacity = 1, .cpu_permille = 1000},
        {.workers = 1, .queue_capacity = 0, .cpu_permille = 1000},
        {.workers = 1, .queue_capacity = P2_POOL_TASKS_MAX + 1, .cpu_permille = 1000},
        {.workers = 1, .queue_capacity = 1, .cpu_permille = 0},
        {.workers = 1, .queue_capacity = 1, .cpu_permille = 1001},
        {.workers = 1, .queue_capacity = 1, .cpu_permille = 1000, .nice = -1},
        {.workers = 1, .queue_capacity = 1, .cpu_permille = 1000, .nice = 20},
    };
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        struct p2_launcher *launcher = NULL;
        struct p2_pool *pool = NULL;
        uv_loop_t loop;
        P2_ASSERT_EQUAL(uv_loop_init(&loop), 0);
        P2_ASSERT_ERROR(p2_launcher_start(p2_test_kernels, 1, NULL, &launcher), P2_OK);
        P2_ASSERT_ERROR(p2_pool_open(&loop, launcher, &wrong[i], NULL, &pool), P2_E_INVALID);
        P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    }
}

/* ---- dies with the daemon ------------------------------------------------------------------ */

/* A "daemon" with a busy worker that reports the launcher and its children, then waits. */
static _Noreturn void play_daemon(int report_fd)
{
    static struct p2_test_pool test;
    static struct p2_test_task task;
    static const uint8_t loop[1] = {P2_MISDEED_LOOP};
    struct p2_pool_settings settings = p2_test_settings();
    pid_t pids[8] = {0};
    if (!p2_test_pool_start(&test, &settings) || !p2_test_wait_ready(&test, 2)) {
        _exit(1);
    }
    p2_test_task_init(&task, P2_TEST_MISDEED, loop, 1);
    task.task.budget_us = P2_TASK_BUDGET_MAX_US;
    if (p2_test_submit(&test, &task) != P2_OK) {
        _exit(1);
    }
    pids[0] = test.launcher;
    (void)p2_test_workers(&test, pids + 1, P2_COUNT_OF(pids) - 1);
    if (write(report_fd, pids, sizeof pids) != (ssize_t)sizeof pids) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

/* Waits, without polling, for the end of a process that need not be our child. */
static bool has_died(int pidfd)
{
    struct pollfd source = {.fd = pidfd, .events = POLLIN};
    return poll(&source, 1, PATIENCE_MS) == 1;
}

static void launcher_and_workers_die_with_the_daemon(void)
{
    int ends[2];
    pid_t pids[8] = {0};
    int pidfds[8];
    size_t count = 0;
    if (P2_TEST_HAS_TSAN) {
        (void)printf("\n    SKIPPED: ThreadSanitizer hangs in a fork of a fork\n");
        return;
    }
    CU_ASSERT_FATAL(pipe(ends) == 0);
    (void)fflush(NULL);
    pid_t daemon = fork();
    if (daemon == 0) {
        play_daemon(ends[1]);
    }
    (void)close(ends[1]); /* so that a daemon that fails is seen */
    CU_ASSERT_FATAL(read(ends[0], pids, sizeof pids) == (ssize_t)sizeof pids);
    while (count < P2_COUNT_OF(pids) && pids[count] > 0) {
        pidfds[count] = (int)syscall(SYS_pidfd_open, pids[count], 0);
        CU_ASSERT_FATAL(pidfds[count] >= 0);
        count++;
    }
    CU_ASSERT(count >= 3); /* the launcher and two workers */
    CU_ASSERT(kill(daemon, SIGKILL) == 0);
    CU_ASSERT(waitpid(daemon, NULL, 0) == daemon);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(has_died(pidfds[i]));
        (void)close(pidfds[i]);
    }
    (void)close(ends[0]);
}

static void a_polite_signal_to_the_launcher_does_not_end_it(void)
{
    struct p2_test_pool test;
    struct p2_test_task task;
    struct p2_pool_settings settings = p2_test_settings();
    CU_ASSERT_FATAL(p2_test_pool_start(&test, &settings));
    CU_ASSERT(kill(test.launcher, SIGTERM) == 0);
    CU_ASSERT(kill(test.launcher, SIGINT) == 0);
    p2_test_task_init(&task, P2_TEST_ECHO, "x", 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_OK);
    CU_ASSERT(p2_test_pool_stop(&test));
}

/* ---- the runner ---------------------------------------------------------------------------- */

static void the_runner_runs_one_task_after_another(void)
{
    struct p2_launcher *launcher = NULL;
    struct p2_runner *runner = NULL;
    struct p2_run_result result;
    struct p2_exec_task task = {
        .kernel = P2_TEST_SUM, .input = {(const uint8_t *)"\1\2", 2}, .budget_us = 100000};
    const struct p2c2r_bytes blobs[] = {{(const uint8_t *)"\3\4", 2}, {(const uint8_t *)"\5", 1}};
    uint8_t output[8], loop = P2_MISDEED_LOOP;
    P2_ASSERT_ERROR(p2_launcher_start(p2_test_kernels, P2_TEST_KERNEL_COUNT, NULL, &launcher),
                    P2_OK);
    P2_ASSERT_ERROR(p2_runner_open(launcher, NULL, &runner), P2_OK);
    P2_ASSERT_ERROR(p2_runner_run(runner, &task, blobs, 2, output, sizeof output, &result), P2_OK);
    P2_ASSERT_EQUAL(result.status, P2_TASK_OK);
    P2_ASSERT_EQUAL(result.output_size, 8);
    P2_ASSERT_EQUAL(output[0], 1 + 2 + 3 + 4 + 5);
    P2_ASSERT_ERROR(p2_runner_run(runner, &task, NULL, 0, output, 7, &result), P2_OK);
    P2_ASSERT_EQUAL(result.status, P2_TASK_NO_ROOM);
    task.kernel = P2_TEST_MISDEED;
    task.input = p2_span(&loop, 1);
    task.budget_us = 5000;
    P2_ASSERT_ERROR(p2_runner_run(runner, &task, NULL, 0, output, sizeof output, &result), P2_OK);
    P2_ASSERT_EQUAL(result.status, P2_TASK_TIMEOUT);
    task.kernel = P2_TEST_ECHO;
    P2_ASSERT_ERROR(p2_runner_run(runner, &task, NULL, 0, output, sizeof output, &result), P2_OK);
    P2_ASSERT_EQUAL(result.status, P2_TASK_OK);
    p2_runner_close(runner);
    p2_runner_close(NULL);
}

static void every_outcome_has_a_name_of_its_own(void)
{
    for (int i = 0; i < P2_TASK_STATUS_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(p2_task_status_text((enum p2_task_status)i),
                                       p2_task_status_text((enum p2_task_status)j));
        }
    }
    for (int i = 0; i < P2_TRAP_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(p2_task_trap_text((enum p2_task_trap)i),
                                       p2_task_trap_text((enum p2_task_trap)j));
        }
    }
    CU_ASSERT_STRING_EQUAL(p2_task_status_text((enum p2_task_status)99), "unknown");
    CU_ASSERT_STRING_EQUAL(p2_task_trap_text((enum p2_task_trap)99), "unknown");
    CU_ASSERT_STRING_EQUAL(p2_lock_step_text(P2_LOCK_SECCOMP), "seccomp");
    CU_ASSERT_STRING_EQUAL(p2_lock_step_text(99), "unknown");
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(without_seccomp_there_are_no_workers_and_the_reason_is_given),
        P2_TEST(a_kernel_outside_the_limits_of_its_abi_is_refused),
        P2_TEST(settings_outside_their_ranges_are_refused),
        P2_TEST(launcher_and_workers_die_with_the_daemon),
        P2_TEST(a_polite_signal_to_the_launcher_does_not_end_it),
        P2_TEST(the_runner_runs_one_task_after_another),
        P2_TEST(every_outcome_has_a_name_of_its_own),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"launcher", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
