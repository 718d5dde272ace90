/* The simple dispatcher under a fake clock. */
#include "authority/shell/simple_dispatch.h"
#include "base/error.h"
#include "base/rng.h"
#include "tests/lib/test.h"

#include <string.h>

#define DUE      UINT64_C(1000)
#define FALLBACK UINT64_C(600)

static struct p2_simple_dispatch *dispatch;
static struct p2_simple_dispatch_effect effect;

/* Helpers and tasks that do not fit together, for `may`. */
static uint64_t refused_helpers;

static bool may(void *ctx, uint32_t helper, uint32_t task)
{
    (void)ctx;
    (void)task;
    return (refused_helpers >> helper & 1u) == 0;
}

static bool next(uint64_t now_us)
{
    return p2_simple_dispatch_next(dispatch, now_us, may, NULL, &effect);
}

static void open_dispatch(void)
{
    refused_helpers = 0;
    P2_ASSERT_ERROR(p2_simple_dispatch_open(&dispatch), P2_OK);
}

static void close_dispatch(void)
{
    p2_simple_dispatch_close(dispatch);
    dispatch = NULL;
}

static uint32_t add_helper(uint32_t window)
{
    uint32_t helper = UINT32_MAX;
    P2_ASSERT_ERROR(p2_simple_dispatch_helper_add(dispatch, window, &helper), P2_OK);
    return helper;
}

static uint32_t add_task(void)
{
    const struct p2_simple_dispatch_task task = {.due_us = DUE, .fallback_us = FALLBACK};
    uint32_t number = UINT32_MAX;
    P2_ASSERT_ERROR(p2_simple_dispatch_task_add(dispatch, &task, &number), P2_OK);
    return number;
}

static void expect(enum p2_simple_dispatch_effect_kind kind, uint64_t now_us)
{
    CU_ASSERT_FATAL(next(now_us));
    P2_ASSERT_EQUAL(effect.kind, kind);
}

static void tasks_go_round_robin_to_helpers_with_credit(void)
{
    open_dispatch();
    uint32_t a = add_helper(2), b = add_helper(1), c = add_helper(2);
    const uint32_t order[] = {a, b, c, a, c};
    for (size_t i = 0; i < 6; i++) {
        (void)add_task();
    }
    for (size_t i = 0; i < P2_COUNT_OF(order); i++) {
        expect(P2_SIMPLE_DISPATCH_LEASE, 100);
        P2_ASSERT_EQUAL(effect.helper, order[i]);
        P2_ASSERT_EQUAL(effect.budget_us, 500);
        P2_ASSERT_EQUAL(effect.lease, i + 1);
    }
    CU_ASSERT_FALSE(next(100)); /* the sixth waits for credit */
    P2_ASSERT_EQUAL(p2_simple_dispatch_next_us(dispatch), FALLBACK);
    close_dispatch();
}

static void a_helper_that_lacks_kernel_or_blobs_gets_nothing(void)
{
    open_dispatch();
    uint32_t a = add_helper(1);
    uint32_t b = add_helper(1);
    refused_helpers = UINT64_C(1) << a;
    (void)add_task();
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    P2_ASSERT_EQUAL(effect.helper, b);
    close_dispatch();
}

static void own_cores_start_exactly_at_the_fallback_time(void)
{
    open_dispatch();
    uint32_t task = add_task();
    CU_ASSERT_FALSE(next(FALLBACK - 1));
    expect(P2_SIMPLE_DISPATCH_LOCAL, FALLBACK);
    P2_ASSERT_EQUAL(effect.task, task);
    CU_ASSERT_FALSE(next(FALLBACK));
    P2_ASSERT_EQUAL(p2_simple_dispatch_next_us(dispatch), DUE);
    CU_ASSERT(p2_simple_dispatch_settle(dispatch, task));
    CU_ASSERT_FALSE(next(DUE));
    close_dispatch();
}

static void a_late_helper_loses_its_lease_and_its_answer_is_dropped(void)
{
    open_dispatch();
    uint32_t helper = add_helper(1);
    uint32_t task = add_task(), got = UINT32_MAX;
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    uint64_t lease = effect.lease;
    CU_ASSERT_FALSE(next(FALLBACK - 1));
    expect(P2_SIMPLE_DISPATCH_CANCEL, FALLBACK);
    P2_ASSERT_EQUAL(effect.lease, lease);
    expect(P2_SIMPLE_DISPATCH_LOCAL, FALLBACK);
    /* Its credit stays taken until it has answered. */
    P2_ASSERT_EQUAL(p2_simple_dispatch_helper_open(dispatch, helper), 1);
    CU_ASSERT(p2_simple_dispatch_settle(dispatch, task));
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, helper, lease, &got),
                    P2_SIMPLE_DISPATCH_LATE);
    P2_ASSERT_EQUAL(p2_simple_dispatch_helper_open(dispatch, helper), 0);
    P2_ASSERT_EQUAL(got, UINT32_MAX);
    close_dispatch();
}

static void a_helper_that_is_always_late_keeps_one_lease_at_a_time(void)
{
    uint64_t leases[P2_SIMPLE_DISPATCH_LATE_ROW];
    uint32_t got = UINT32_MAX;
    open_dispatch();
    uint32_t helper = add_helper(P2_SIMPLE_DISPATCH_LATE_ROW);
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_LATE_ROW; i++) {
        (void)add_task();
        expect(P2_SIMPLE_DISPATCH_LEASE, 0);
        leases[i] = effect.lease;
    }
    while (next(DUE)) {
    }
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_LATE_ROW; i++) {
        P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, helper, leases[i], &got),
                        P2_SIMPLE_DISPATCH_LATE);
    }
    (void)add_task();
    (void)add_task();
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    CU_ASSERT_FALSE(next(0)); /* one at a time */
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, helper, effect.lease, &got),
                    P2_SIMPLE_DISPATCH_TAKEN);
    (void)add_task();
    expect(P2_SIMPLE_DISPATCH_LEASE, 0); /* in time: the whole window again */
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    close_dispatch();
}

static void a_second_answer_and_a_made_up_one_are_unsolicited(void)
{
    open_dispatch();
    uint32_t a = add_helper(1), b = add_helper(1);
    uint32_t task = add_task(), got = UINT32_MAX;
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, b, effect.lease, &got),
                    P2_SIMPLE_DISPATCH_UNSOLICITED);
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, a, 99, &got),
                    P2_SIMPLE_DISPATCH_UNSOLICITED);
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, a, effect.lease, &got),
                    P2_SIMPLE_DISPATCH_TAKEN);
    P2_ASSERT_EQUAL(got, task);
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, a, effect.lease, &got),
                    P2_SIMPLE_DISPATCH_UNSOLICITED);
    close_dispatch();
}

static void a_task_settles_once_whoever_comes_second(void)
{
    open_dispatch();
    uint32_t helper = add_helper(1);
    uint32_t task = add_task(), got;
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    (void)p2_simple_dispatch_answered(dispatch, helper, effect.lease, &got);
    CU_ASSERT_FALSE(next(FALLBACK)); /* its check is under way */
    CU_ASSERT(p2_simple_dispatch_settle(dispatch, task));
    CU_ASSERT_FALSE(p2_simple_dispatch_settle(dispatch, task));
    p2_simple_dispatch_failed(dispatch, task); /* too late to matter */
    CU_ASSERT_FALSE(next(DUE));
    close_dispatch();
}

static void a_wrong_answer_is_computed_on_own_cores_at_once(void)
{
    open_dispatch();
    uint32_t helper = add_helper(1);
    uint32_t task = add_task(), got;
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    (void)p2_simple_dispatch_answered(dispatch, helper, effect.lease, &got);
    p2_simple_dispatch_failed(dispatch, task);
    expect(P2_SIMPLE_DISPATCH_LOCAL, 1);
    P2_ASSERT_EQUAL(effect.task, task);
    close_dispatch();
}

static void the_tasks_of_a_lost_helper_go_to_another_one(void)
{
    open_dispatch();
    uint32_t a = add_helper(4);
    uint32_t first = add_task(), second = add_task();
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    uint32_t b = add_helper(4);
    p2_simple_dispatch_helper_remove(dispatch, a);
    expect(P2_SIMPLE_DISPATCH_LEASE, 10);
    P2_ASSERT_EQUAL(effect.helper, b);
    P2_ASSERT_EQUAL(effect.task, first);
    expect(P2_SIMPLE_DISPATCH_LEASE, 10);
    P2_ASSERT_EQUAL(effect.task, second);
    P2_ASSERT_EQUAL(effect.lease, 4); /* numbers are not used again */
    CU_ASSERT(p2_simple_dispatch_task_is_second(dispatch, first));
    close_dispatch();
}

static void a_draining_helper_gets_no_more_and_may_still_answer(void)
{
    open_dispatch();
    uint32_t helper = add_helper(4);
    uint32_t task = add_task(), got = UINT32_MAX;
    expect(P2_SIMPLE_DISPATCH_LEASE, 0);
    p2_simple_dispatch_helper_drain(dispatch, helper);
    (void)add_task();
    CU_ASSERT_FALSE(next(0));
    P2_ASSERT_EQUAL(p2_simple_dispatch_answered(dispatch, helper, effect.lease, &got),
                    P2_SIMPLE_DISPATCH_TAKEN);
    P2_ASSERT_EQUAL(got, task);
    close_dispatch();
}

static void what_is_due_is_degraded_exactly_once(void)
{
    open_dispatch();
    uint32_t task = add_task();
    expect(P2_SIMPLE_DISPATCH_LOCAL, FALLBACK);
    CU_ASSERT_FALSE(next(DUE - 1));
    expect(P2_SIMPLE_DISPATCH_DEGRADE, DUE);
    CU_ASSERT_FALSE(next(DUE));
    CU_ASSERT_FALSE(p2_simple_dispatch_settle(dispatch, task)); /* the local run comes too late */
    close_dispatch();
}

/* A storm of random events: every task is settled exactly once by its due time, credit is never
 * exceeded, and whatever an unknown lease is answered with changes nothing. */
static void storm(uint64_t seed)
{
    enum { TASKS = 200, HELPERS = 5 };
    struct p2_rng rng;
    static unsigned settled[P2_SIMPLE_DISPATCH_TASKS_MAX];
    uint32_t helpers[HELPERS], windows[HELPERS];
    struct {
        uint32_t helper;
        uint64_t lease;
    } open[2000];
    uint32_t checking[2000], local[2000];
    size_t open_count = 0, checking_count = 0, local_count = 0;
    memset(settled, 0, sizeof settled);
    p2_rng_init_u64(&rng, seed, "storm");
    open_dispatch();
    for (uint32_t i = 0; i < HELPERS; i++) {
        windows[i] = 1 + (uint32_t)p2_rng_below(&rng, 8);
        helpers[i] = add_helper(windows[i]);
    }
    for (uint64_t now = 0; now < 2 * DUE + TASKS; now++) {
        if (now < TASKS) {
            const struct p2_simple_dispatch_task task = {
                .due_us = now + DUE, .fallback_us = now + p2_rng_below(&rng, DUE)};
            uint32_t number;
            P2_ASSERT_ERROR(p2_simple_dispatch_task_add(dispatch, &task, &number), P2_OK);
        }
        while (next(now)) {
            if (effect.kind == P2_SIMPLE_DISPATCH_LEASE) {
                open[open_count].helper = effect.helper;
                open[open_count++].lease = effect.lease;
            } else if (effect.kind == P2_SIMPLE_DISPATCH_LOCAL) {
                local[local_count++] = effect.task;
            } else if (effect.kind == P2_SIMPLE_DISPATCH_DEGRADE) {
                settled[effect.task]++;
            }
        }
        if (open_count > 0 && p2_rng_chance_ppm(&rng, 300000)) {
            size_t at = (size_t)p2_rng_below(&rng, open_count);
            uint32_t task;
            enum p2_simple_dispatch_answer answer =
                p2_simple_dispatch_answered(dispatch, open[at].helper, open[at].lease, &task);
            CU_ASSERT(answer != P2_SIMPLE_DISPATCH_UNSOLICITED);
            P2_ASSERT_EQUAL(
                p2_simple_dispatch_answered(dispatch, open[at].helper, open[at].lease, &task),
                P2_SIMPLE_DISPATCH_UNSOLICITED);
            if (answer == P2_SIMPLE_DISPATCH_TAKEN) {
                checking[checking_count++] = task;
            }
            open[at] = open[--open_count];
        }
        if (checking_count > 0 && p2_rng_chance_ppm(&rng, 300000)) {
            uint32_t task = checking[--checking_count];
            if (p2_rng_chance_ppm(&rng, 200000)) {
                p2_simple_dispatch_failed(dispatch, task);
            } else {
                settled[task] += p2_simple_dispatch_settle(dispatch, task);
            }
        }
        if (local_count > 0 && p2_rng_chance_ppm(&rng, 300000)) {
            settled[local[local_count - 1]] +=
                p2_simple_dispatch_settle(dispatch, local[local_count - 1]);
            local_count--;
        }
        for (uint32_t i = 0; i < HELPERS; i++) {
            CU_ASSERT(p2_simple_dispatch_helper_open(dispatch, helpers[i]) <= windows[i]);
        }
    }
    for (uint32_t i = 0; i < TASKS; i++) {
        P2_ASSERT_EQUAL(settled[i], 1);
    }
    P2_ASSERT_EQUAL(p2_simple_dispatch_next_us(dispatch), UINT64_MAX);
    close_dispatch();
}

static void in_any_order_of_events_each_task_settles_exactly_once(void)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        storm(seed);
    }
}

static void limits_and_impossible_times_are_refused(void)
{
    const struct p2_simple_dispatch_task wrong = {.due_us = 1, .fallback_us = 2};
    uint32_t number;
    open_dispatch();
    P2_ASSERT_ERROR(p2_simple_dispatch_task_add(dispatch, &wrong, &number), P2_E_INVALID);
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_TASKS_MAX; i++) {
        (void)add_task();
    }
    const struct p2_simple_dispatch_task task = {.due_us = DUE, .fallback_us = FALLBACK};
    P2_ASSERT_ERROR(p2_simple_dispatch_task_add(dispatch, &task, &number), P2_E_LIMIT);
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_HELPERS_MAX; i++) {
        (void)add_helper(1);
    }
    P2_ASSERT_ERROR(p2_simple_dispatch_helper_add(dispatch, 1, &number), P2_E_LIMIT);
    close_dispatch();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(tasks_go_round_robin_to_helpers_with_credit),
        P2_TEST(a_helper_that_lacks_kernel_or_blobs_gets_nothing),
        P2_TEST(own_cores_start_exactly_at_the_fallback_time),
        P2_TEST(a_late_helper_loses_its_lease_and_its_answer_is_dropped),
        P2_TEST(a_helper_that_is_always_late_keeps_one_lease_at_a_time),
        P2_TEST(a_second_answer_and_a_made_up_one_are_unsolicited),
        P2_TEST(a_task_settles_once_whoever_comes_second),
        P2_TEST(a_wrong_answer_is_computed_on_own_cores_at_once),
        P2_TEST(the_tasks_of_a_lost_helper_go_to_another_one),
        P2_TEST(a_draining_helper_gets_no_more_and_may_still_answer),
        P2_TEST(what_is_due_is_degraded_exactly_once),
        P2_TEST(in_any_order_of_events_each_task_settles_exactly_once),
        P2_TEST(limits_and_impossible_times_are_refused),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"simple dispatch", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
