/* What happens when a kernel tries to get out, run away or lie. Every attempt runs in a worker of
 * its own; the table of outcomes is printed. */
#include "tests/lib/test.h"
#include "tests/lib/test_pool.h"

#include "exec/lockdown.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct p2_test_pool test;

static void set_up(void)
{
    struct p2_pool_settings settings = p2_test_settings();
    CU_ASSERT_FATAL(p2_test_pool_start(&test, &settings));
    CU_ASSERT_FATAL(p2_test_wait_ready(&test, settings.workers));
}

static void tear_down(void)
{
    CU_ASSERT(p2_test_pool_stop(&test));
}

static int64_t number(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return (int64_t)value;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void the_lock_has_all_mandatory_layers(void)
{
    struct p2_failure failure = {0, ""};
    struct p2_launcher *launcher = NULL;
    P2_ASSERT_ERROR(p2_launcher_start(p2_test_kernels, P2_TEST_KERNEL_COUNT, &failure, &launcher),
                    P2_OK);
    uint32_t features = p2_launcher_features(launcher);
    (void)printf("\n");
    for (unsigned i = 0; i < P2_LOCK_STEP_COUNT; i++) {
        bool has = (features & P2_LOCK_BIT(i)) != 0;
        (void)printf("    %-34s %-9s %s\n", p2_lock_step_text(i),
                     p2_lock_is_mandatory(i) ? "mandatory" : "if there", has ? "yes" : "no");
        CU_ASSERT(has || !p2_lock_is_mandatory(i));
    }
    p2_launcher_stop(launcher);
}

static void every_forbidden_action_is_contained(void)
{
    uint64_t times[256];
    size_t count = p2_test_escape_count();
    CU_ASSERT_FATAL(count >= 25 && count <= P2_COUNT_OF(times));
    (void)printf("\n");
    for (size_t i = 0; i < count; i++) {
        struct p2_test_task task;
        struct p2_pool_counters counters;
        uint32_t pid = (uint32_t)getpid();
        uint8_t input[5] = {(uint8_t)i, (uint8_t)pid, (uint8_t)(pid >> 8), (uint8_t)(pid >> 16),
                            (uint8_t)(pid >> 24)};
        char text[128];
        p2_test_task_init(&task, P2_TEST_ESCAPE, input, sizeof input);
        enum p2_task_status status = p2_test_run(&test, &task);
        bool contained = status == P2_TASK_TRAP || status == P2_TASK_MEMORY;
        (void)snprintf(text, sizeof text, "%s: %s", p2_task_status_text(status),
                       p2_task_trap_text(task.result.trap));
        if (status == P2_TASK_OK) {
            contained = number(task.output, 8) < 0;
            (void)snprintf(text, sizeof text, "returned %lld: %s",
                           (long long)number(task.output, 8),
                           strerror((int)number(task.output + 8, 4)));
        }
        CU_ASSERT(p2_test_wait_ready(&test, 2));
        p2_pool_counters(test.pool, &counters);
        times[i] = counters.respawn_last_us;
        (void)printf("    %-28s %-34s %s, back after %llu us\n", p2_test_escape_name(i), text,
                     contained ? "contained" : "ESCAPED", (unsigned long long)times[i]);
        CU_ASSERT(contained);
    }
    qsort(times, count, sizeof times[0], by_size);
    (void)printf("    %zu actions; back to full strength: median %llu us, worst %llu us\n", count,
                 (unsigned long long)times[count / 2], (unsigned long long)times[count - 1]);
}

/* What each misdeed must end as. */
static const struct misdeed {
    enum p2_test_misdeed what;
    const char *name;
    enum p2_task_status status;
    enum p2_task_trap trap;
} misdeeds[] = {
    {P2_MISDEED_LOOP, "infinite loop", P2_TASK_TIMEOUT, P2_TRAP_NONE},
    {P2_MISDEED_SLEEP, "sleeps for ever", P2_TASK_TIMEOUT, P2_TRAP_SILENT},
    {P2_MISDEED_MALLOC, "memory hog, malloc", P2_TASK_MEMORY, P2_TRAP_ALLOCATE},
    {P2_MISDEED_MMAP, "memory hog, mmap", P2_TASK_MEMORY, P2_TRAP_ALLOCATE},
    {P2_MISDEED_RECURSE, "stack overflow", P2_TASK_TRAP, P2_TRAP_STACK},
    {P2_MISDEED_WILD_STORE, "wild store", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_NULL_STORE, "null store", P2_TASK_TRAP, P2_TRAP_NULL},
    {P2_MISDEED_CODE_STORE, "store into code", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_INPUT_STORE, "store into input", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_INPUT_BEYOND, "read behind input", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_OUTPUT_BEYOND, "store behind output", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_OUTPUT_BEFORE, "store before output", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_ARENA_BEYOND, "store behind arena", P2_TASK_TRAP, P2_TRAP_ACCESS},
    {P2_MISDEED_BLOB_STORE, "store into a blob", P2_TASK_TRAP, P2_TRAP_ACCESS},
#if defined(P2_SANITIZED) && !P2_TEST_HAS_TSAN /* the runtime notices first, and aborts */
    {P2_MISDEED_DIVIDE, "division by zero", P2_TASK_TRAP, P2_TRAP_CALL},
#else
    {P2_MISDEED_DIVIDE, "division by zero", P2_TASK_TRAP, P2_TRAP_NUMBER},
#endif
    {P2_MISDEED_ABORT, "abort", P2_TASK_TRAP, P2_TRAP_CALL},
    {P2_MISDEED_ILLEGAL, "illegal instruction", P2_TASK_TRAP, P2_TRAP_CODE},
    {P2_MISDEED_EXIT, "exit", P2_TASK_TRAP, P2_TRAP_EXIT},
    {P2_MISDEED_LIE_LENGTH, "length one too long", P2_TASK_WORKER_ERROR, P2_TRAP_LIE},
    {P2_MISDEED_LIE_HUGE, "length SIZE_MAX", P2_TASK_WORKER_ERROR, P2_TRAP_LIE},
    {P2_MISDEED_LIE_STATUS, "unknown status", P2_TASK_WORKER_ERROR, P2_TRAP_LIE},
    {P2_MISDEED_LIE_PROTOCOL, "answers what was not asked", P2_TASK_WORKER_ERROR, P2_TRAP_LIE},
    {P2_MISDEED_SIGNALS, "signals without end", P2_TASK_WORKER_ERROR, P2_TRAP_LIE},
};

/* What else a misdeed may end as, for reasons that are not the pool's. */
static bool is_other_end(const struct misdeed *row, enum p2_task_status status,
                         enum p2_task_trap trap)
{
    /* Signals without end cost CPU time too: on a busy machine the budget may be used up before the
     * first of them is seen. */
    if (row->what == P2_MISDEED_SIGNALS && status == P2_TASK_TIMEOUT) {
        return true;
    }
#ifdef P2_SANITIZED
    /* AddressSanitizer with detect_stack_use_after_return keeps variables on the heap: what the
     * overflow hits is then not near the stack pointer. */
    if (row->what == P2_MISDEED_RECURSE && status == P2_TASK_TRAP && trap == P2_TRAP_ACCESS) {
        return true;
    }
#endif
    (void)trap;
    return false;
}

static void every_misdeed_is_contained_and_reported_by_name(void)
{
    uint64_t times[P2_COUNT_OF(misdeeds)];
    struct p2_blob_handle blob;
    P2_ASSERT_ERROR(p2_pool_blob_put(test.pool, P2_TEST_AUTHORITY, p2_span("blob", 4), &blob),
                    P2_OK);
    (void)printf("\n");
    for (size_t i = 0; i < P2_COUNT_OF(misdeeds); i++) {
        const struct misdeed *row = &misdeeds[i];
        struct p2_test_task task;
        struct p2_pool_counters counters;
        uint8_t input = (uint8_t)row->what;
        times[i] = 0;
        if (P2_TEST_HAS_TSAN && row->what == P2_MISDEED_RECURSE) {
            (void)printf("    %-28s SKIPPED: ThreadSanitizer hangs in it\n", row->name);
            continue;
        }
        if (P2_TEST_HAS_TSAN && row->what == P2_MISDEED_WILD_STORE) {
            (void)printf("    %-28s SKIPPED: ThreadSanitizer's shadow lies there\n", row->name);
            continue;
        }
        p2_test_task_init(&task, P2_TEST_MISDEED, &input, 1);
        task.task.budget_us = 20000;
        task.task.blobs = &blob;
        task.task.blob_count = 1;
        enum p2_task_status status = p2_test_run(&test, &task);
        if (!is_other_end(row, status, task.result.trap)) {
            P2_ASSERT_EQUAL(status, row->status);
            P2_ASSERT_EQUAL(task.result.trap, row->trap);
        }
        CU_ASSERT(p2_test_wait_ready(&test, 2));
        p2_pool_counters(test.pool, &counters);
        times[i] = counters.respawn_last_us;
        (void)printf("    %-28s %s, %s; %llu us CPU; back after %llu us\n", row->name,
                     p2_task_status_text(status), p2_task_trap_text(task.result.trap),
                     (unsigned long long)task.result.cpu_us, (unsigned long long)times[i]);
    }
    qsort(times, P2_COUNT_OF(times), sizeof times[0], by_size);
    (void)printf("    back to full strength: median %llu us\n",
                 (unsigned long long)times[P2_COUNT_OF(times) / 2]);
}

static void the_clock_is_out_of_reach_on_request(void)
{
#if defined(__x86_64__) && !defined(P2_SANITIZED)
    struct p2_pool_settings settings = p2_test_settings();
    struct p2_test_task task;
    settings.hides_clock = true;
    CU_ASSERT(p2_test_pool_stop(&test));
    CU_ASSERT_FATAL(p2_test_pool_start(&test, &settings));
    uint8_t input = P2_MISDEED_CLOCK;
    p2_test_task_init(&task, P2_TEST_MISDEED, &input, 1);
    P2_ASSERT_EQUAL(p2_test_run(&test, &task), P2_TASK_TRAP);
#else
    (void)printf("\n    no such lock here\n");
#endif
}

/* Runs this program's other tests as a user that is not root, in a child. */
static void all_of_this_holds_for_an_unprivileged_user_too(void)
{
    if (getuid() != 0) {
        (void)printf("\n    already running as uid %u\n", (unsigned)getuid());
        return;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0) {
            _exit(99);
        }
        (void)execl("/proc/self/exe", "test-escape", "--only", "contained", (char *)NULL);
        _exit(98);
    }
    int status = -1;
    CU_ASSERT(waitpid(child, &status, 0) == child);
    CU_ASSERT(WIFEXITED(status));
    P2_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(every_forbidden_action_is_contained),
        P2_TEST(every_misdeed_is_contained_and_reported_by_name),
        P2_TEST(the_clock_is_out_of_reach_on_request),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo own[] = {
        P2_TEST(the_lock_has_all_mandatory_layers),
        P2_TEST(all_of_this_holds_for_an_unprivileged_user_too),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"escape", NULL, NULL, set_up, tear_down, tests},
                             {"lock", NULL, NULL, NULL, NULL, own},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
