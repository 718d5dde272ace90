/* What the tests of the pool share: one pool on a loop, made and ended by each test. */
#ifndef P2_TESTS_UNIT_EXEC_POOL_FIXTURE_H
#define P2_TESTS_UNIT_EXEC_POOL_FIXTURE_H

#include "tests/lib/test.h"
#include "tests/lib/test_pool.h"

#define OTHER 2u /* another authority */

static struct p2_test_pool test;

static inline void start_with(struct p2_pool_settings settings)
{
    CU_ASSERT_FATAL(p2_test_pool_start(&test, &settings));
    CU_ASSERT_FATAL(p2_test_wait_ready(&test, settings.workers));
}

static inline void start(void)
{
    start_with(p2_test_settings());
}

static inline void start_one_worker(void)
{
    struct p2_pool_settings settings = p2_test_settings();
    settings.workers = 1;
    start_with(settings);
}

static inline void stop(void)
{
    CU_ASSERT(p2_test_pool_stop(&test));
}

static inline struct p2_pool_counters counters(void)
{
    struct p2_pool_counters now;
    p2_pool_counters(test.pool, &now);
    return now;
}

/* An input for P2_TEST_WORK of about so many thousand steps; static, for one use at a time. */
static inline const uint8_t *work(uint32_t thousands, uint8_t storage[4])
{
    for (size_t i = 0; i < 4; i++) {
        storage[i] = (uint8_t)(thousands >> (8 * i));
    }
    return storage;
}

static const uint8_t loop[1] = {P2_MISDEED_LOOP};

static inline void start_batching(void)
{
    struct p2_pool_settings settings = p2_test_settings();
    settings.workers = 1;
    settings.batches = true;
    start_with(settings);
}

/* Submits `count` small tasks while the pool is paused, so that they are handed over together. */
static inline void submit_small(struct p2_test_task *tasks, size_t count, uint8_t inputs[][4])
{
    p2_pool_pause(test.pool, 0);
    for (size_t i = 0; i < count; i++) {
        memset(inputs[i], (int)i + 1, 4);
        p2_test_task_init(&tasks[i], P2_TEST_ECHO, inputs[i], 4);
        tasks[i].task.output_capacity = 4;
        tasks[i].task.budget_us = 100;
        P2_ASSERT_ERROR(p2_test_submit(&test, &tasks[i]), P2_OK);
    }
}

#endif
