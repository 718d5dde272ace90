/* What the tests and benchmarks of the pool share: a loop, a launcher with the test kernels, a
 * pool, and a way to run one task to its end. */
#ifndef P2_TESTS_LIB_TEST_POOL_H
#define P2_TESTS_LIB_TEST_POOL_H

#include "exec/pool.h"
#include "tests/lib/test_kernels.h"

#include <stdbool.h>
#include <stdint.h>

/* True in a build with ThreadSanitizer, whose runtime does not survive two of the tests. */
#if defined(__SANITIZE_THREAD__)
#define P2_TEST_HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define P2_TEST_HAS_TSAN 1
#endif
#endif
#ifndef P2_TEST_HAS_TSAN
#define P2_TEST_HAS_TSAN 0
#endif

/* The authority that p2_test_pool_start adds, with 1 MiB of blobs. */
#define P2_TEST_AUTHORITY 1u

struct p2_test_pool {
    uv_loop_t loop;
    struct p2_pool *pool;
    bool is_closed;
    pid_t launcher; /* its process */
};

/* Worker processes alive now, their numbers in pids[at most max]. */
size_t p2_test_workers(const struct p2_test_pool *test, pid_t *pids, size_t max);

/* One task and its outcome. */
struct p2_test_task {
    struct p2_exec_task task; /* filled by p2_test_task, may be changed before it is submitted */
    uint64_t id;
    unsigned calls; /* of the callback; must end as 1 */
    struct p2_task_result result;
    uint8_t output[256]; /* first bytes of the result's output, which is borrowed */
    uint64_t order;      /* 1 for the first task that ended, ... */
};

/* Two workers, a queue of 64, no batches; change the copy for a pool of another kind. */
struct p2_pool_settings p2_test_settings(void);

/* Opens a pool; false with a printed reason when this machine cannot. */
bool p2_test_pool_start(struct p2_test_pool *test, const struct p2_pool_settings *settings);

/* Closes pool and loop. True when the loop closed clean. Accepts a pool that did not start. */
bool p2_test_pool_stop(struct p2_test_pool *test);

/* A task for the test authority with a budget of 0.1 s. `input` is borrowed. */
void p2_test_task_init(struct p2_test_task *task, enum p2_test_kernel kernel, const void *input,
                       size_t size);

/* Submits. Returns p2_pool_submit's error. */
int p2_test_submit(struct p2_test_pool *test, struct p2_test_task *task);

/* Runs the loop until `task` has ended. False after two minutes. */
bool p2_test_wait(struct p2_test_pool *test, const struct p2_test_task *task);

/* Runs the loop until `count` workers are ready and the pool has nothing to do. False after two
 * minutes. */
bool p2_test_wait_ready(struct p2_test_pool *test, uint32_t count);

/* Runs the loop until `count` tasks run. False after two minutes. */
bool p2_test_wait_running(struct p2_test_pool *test, uint32_t count);

/* Submits and waits; the status, or P2_TASK_STATUS_COUNT when it was refused or never ended. */
enum p2_task_status p2_test_run(struct p2_test_pool *test, struct p2_test_task *task);

#endif
