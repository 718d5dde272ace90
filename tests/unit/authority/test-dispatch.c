/* Tiers, hedges and deadlines of single tasks. */
#include "tests/unit/authority/core_fixture.h"

#include <string.h>

/* The lease given last, by value: later steps reuse the outbox. */
static struct p2_effect newest_lease(void)
{
    uint32_t count = fixture_count(P2_EFFECT_LEASE);
    CU_ASSERT_FATAL(count > 0);
    return *fixture_find(P2_EFFECT_LEASE, count - 1);
}

static struct p2_task *task_of(uint64_t id)
{
    return p2_pipeline_find(&fixture.core.sessions[fixture.session].pipeline, id);
}

static void a_late_helper_is_hedged_with_another_one(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    fixture_helper(1, 2, 9000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    struct p2_effect first = newest_lease();
    for (int ms = 0; ms < 150 && fixture_count(P2_EFFECT_LEASE) == 1; ms++) {
        fixture_pass(1000);
    }
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 2);
    struct p2_effect second = newest_lease();
    CU_ASSERT(second.peer != first.peer);
    P2_ASSERT_EQUAL(fixture.core.counters.hedges, 1);
    fixture_answer(second.peer, second.lease, "answer", P2_OK);
    P2_ASSERT_EQUAL(task_of(id)->state, P2_TASK_SETTLED);
    const struct p2_effect *cancel = fixture_find(P2_EFFECT_CANCEL, 0);
    CU_ASSERT_FATAL(cancel != NULL);
    P2_ASSERT_EQUAL(cancel->lease, first.lease);
    fixture_close();
}

static void a_lease_ends_at_200_ms_and_its_answer_never_counts(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    struct p2_effect lease = newest_lease();
    fixture_pass(199000);
    P2_ASSERT_EQUAL(fixture.core.counters.leases_expired, 0);
    fixture_pass(1000);
    P2_ASSERT_EQUAL(fixture.core.counters.leases_expired, 1);
    fixture_answer(0, lease.lease, "answer", P2_OK);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LATE), 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CHECK), 0);
    CU_ASSERT(task_of(id)->state != P2_TASK_SETTLED);
    fixture_close();
}

static void a_silent_helper_is_left_alone_after_three_timeouts(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    for (int i = 0; i < 3; i++) {
        (void)fixture_task(P2_CLASS_C2, 0, 1);
    }
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 3);
    fixture_pass(260000); /* all three are overdue */
    fixture_clear();
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    fixture_close();
}

static void a_secret_task_goes_to_the_hosts_machines_only(void)
{
    fixture_defaults();
    fixture.options.cloud_units_per_hour = 1000;
    fixture_open();
    struct p2_id cloud = {{9}};
    P2_ASSERT_ERROR(p2_core_configure(&fixture.core, &cloud, true), P2_OK);
    fixture_helper(0, 1, 5000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, P2_TASK_SECRET, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    fixture_helper(1, 9, 20000, 8);
    fixture_pass(1000);
    struct p2_effect lease = newest_lease();
    P2_ASSERT_EQUAL(lease.peer, 1);
    P2_ASSERT_EQUAL(lease.task, id);
    fixture_clear();
    (void)fixture_task(P2_CLASS_C2, P2_TASK_SECRET, 1); /* the hour's 1,000 units are spent */
    fixture_pass(1000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    fixture_close();
}

static void peers_come_before_the_cloud(void)
{
    fixture_defaults();
    fixture.options.cloud_units_per_hour = 1000000;
    fixture_open();
    struct p2_id cloud = {{9}};
    P2_ASSERT_ERROR(p2_core_configure(&fixture.core, &cloud, true), P2_OK);
    fixture_helper(0, 9, 1000, 8); /* nearer, and yet the last remote tier */
    fixture_helper(1, 1, 9000, 8);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_EQUAL(newest_lease().peer, 1);
    fixture_close();
}

static void own_cores_start_while_they_can_still_finish(void)
{
    fixture_defaults();
    fixture.options.local_cores = 1;
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    uint64_t id = fixture_task(P2_CLASS_C1, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    uint64_t due_us = task_of(id)->due_us;
    while (fixture_count(P2_EFFECT_COMPUTE) == 0 && fixture.now_us < due_us - 1000) {
        fixture_pass(1000);
    }
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_COMPUTE), 1);
    CU_ASSERT(fixture.now_us + 1000 + P2_LOCAL_MARGIN_US <= due_us); /* 1,000 units: 1 ms */
    fixture_computed(id, "truth");
    P2_ASSERT_EQUAL(task_of(id)->state, P2_TASK_SETTLED);
    P2_ASSERT_EQUAL(task_of(id)->tier, P2_TIER_LOCAL);
    fixture_close();
}

static void what_one_helper_has_in_hand_is_taken_over_in_time(void)
{
    fixture_defaults();
    fixture.options.local_cores = 1;
    fixture_open();
    fixture_helper(0, 1, 5000, 16);
    (void)fixture_task(P2_CLASS_C1, 0, 1); /* the fixture's helper gets eight of one frame */
    fixture_clear();
    for (uint32_t i = 0; i < 8; i++) {
        fixture.specs[i] = fixture.specs[0];
    }
    fixture.spec_count = 8;
    const struct p2_pipeline *pipeline = &fixture.core.sessions[fixture.session].pipeline;
    fixture.now_us = p2_pipeline_slot_us(pipeline, pipeline->frame);
    fixture_pass(0);
    uint64_t due_us = task_of(fixture.tasks[7])->due_us;
    /* Own cores answer at once after the millisecond that each task takes them. */
    uint32_t computed = 0;
    uint64_t free_us = 0;
    while (fixture.now_us < due_us - 1000) {
        fixture_pass(1000);
        if (fixture_count(P2_EFFECT_COMPUTE) > computed && fixture.now_us >= free_us) {
            uint64_t id = fixture_find(P2_EFFECT_COMPUTE, computed)->task;
            if (task_of(id) != NULL) {
                fixture_computed(id, "truth");
            }
            computed++;
            free_us = fixture.now_us + 1000;
        }
    }
    for (uint32_t i = 0; i < 8; i++) {
        P2_ASSERT_EQUAL(task_of(fixture.tasks[i])->state, P2_TASK_SETTLED);
    }
    fixture_close();
}

static void a_refused_result_is_asked_of_somebody_else(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    fixture_helper(1, 2, 9000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    struct p2_effect first = newest_lease();
    fixture_answer(first.peer, first.lease, "wrong", P2_E_BAD_RESULT);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_INTEGRITY), 1);
    CU_ASSERT(task_of(id)->state != P2_TASK_SETTLED);
    fixture_pass(1000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 2);
    CU_ASSERT(newest_lease().peer != first.peer);
    fixture_close();
}

static void replicas_that_differ_are_decided_by_own_cores(void)
{
    fixture_defaults();
    fixture.options.local_cores = 1;
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    fixture_helper(1, 2, 9000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 2);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 2);
    struct p2_effect one = *fixture_find(P2_EFFECT_LEASE, 0);
    struct p2_effect two = *fixture_find(P2_EFFECT_LEASE, 1);
    CU_ASSERT(one.peer != two.peer);
    fixture_answer(one.peer, one.lease, "this", P2_OK);
    CU_ASSERT(task_of(id)->state != P2_TASK_SETTLED);
    fixture_answer(two.peer, two.lease, "that", P2_OK);
    CU_ASSERT(task_of(id)->state != P2_TASK_SETTLED);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_COMPUTE), 1);
    fixture_computed(id, "that");
    P2_ASSERT_EQUAL(task_of(id)->state, P2_TASK_SETTLED);
    const struct p2_effect *blame = fixture_find(P2_EFFECT_INTEGRITY, 0);
    CU_ASSERT_FATAL(blame != NULL);
    P2_ASSERT_EQUAL(blame->peer, one.peer);
    fixture_close();
}

static void a_lost_link_gives_its_work_back_at_once(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    fixture_helper(1, 2, 9000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    struct p2_effect first = newest_lease();
    fixture_step(&(struct p2_event){.type = P2_EVENT_CLOSED, .peer = first.peer});
    P2_ASSERT_EQUAL(fixture.core.counters.leases_lost, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 2);
    CU_ASSERT(newest_lease().peer != first.peer);
    P2_ASSERT_EQUAL(newest_lease().task, id);
    fixture_close();
}

static void a_lost_link_gets_nothing_of_what_still_waits(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 1);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    (void)fixture_task(P2_CLASS_C2, 0, 1); /* no credit for it */
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    fixture_step(&(struct p2_event){.type = P2_EVENT_CLOSED, .peer = 0});
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    P2_ASSERT_EQUAL(fixture.core.helpers.items[0].live, 0);
    fixture_close();
}

static void a_drained_helper_is_closed_when_its_last_lease_ended(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    struct p2_effect lease = newest_lease();
    fixture_clear();
    P2_ASSERT_ERROR(p2_core_drain(&fixture.core, 0), P2_OK);
    fixture_pass(150000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CLOSE), 0);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    fixture_answer(0, lease.lease, "answer", P2_OK);
    fixture_pass(100000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CLOSE), 1);
    fixture_pass(200000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CLOSE), 1);
    P2_ASSERT_ERROR(p2_core_drain(&fixture.core, 7), P2_E_RANGE);
    fixture_close();
}

static void a_drained_helper_without_work_is_closed_too(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    P2_ASSERT_ERROR(p2_core_drain(&fixture.core, 0), P2_OK);
    CU_ASSERT(p2_core_wake_us(&fixture.core) <= fixture.now_us + 100000);
    fixture_pass(100000);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CLOSE), 1);
    fixture_close();
}

static void speed_is_learnt_only_where_the_round_trip_is_known(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 10000, 8);
    struct p2_helper *helper = &fixture.core.helpers.items[0];
    uint32_t before = helper->speed[0].samples;
    helper->has_rtt = false;
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    fixture.now_us += 12000;
    fixture_answer(0, newest_lease().lease, "answer", P2_OK);
    P2_ASSERT_EQUAL(helper->speed[0].samples, before);
    helper->has_rtt = true;
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    fixture.now_us += 12000;
    fixture_answer(0, newest_lease().lease, "answer", P2_OK);
    P2_ASSERT_EQUAL(helper->speed[0].samples, before + 1);
    fixture_close();
}

static void an_overdue_helper_looks_busier_by_the_millisecond(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 10000, 8);
    const struct p2_helper *helper = &fixture.core.helpers.items[0];
    P2_ASSERT_EQUAL(p2_helper_wait_us(helper, fixture.now_us), 0);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    uint64_t sent_us = fixture.now_us;
    uint32_t exec_us = p2_helper_exec_us(helper, 0, 1000);
    /* A lease sent at once waits for the first; one sent when it is done does not. */
    P2_ASSERT_EQUAL(p2_helper_wait_us(helper, sent_us), exec_us);
    P2_ASSERT_EQUAL(p2_helper_wait_us(helper, sent_us + exec_us), 0);
    P2_ASSERT_EQUAL(p2_helper_wait_us(helper, sent_us + 10000 + exec_us + 50000), 50000);
    fixture_close();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_late_helper_is_hedged_with_another_one),
        P2_TEST(a_lease_ends_at_200_ms_and_its_answer_never_counts),
        P2_TEST(a_silent_helper_is_left_alone_after_three_timeouts),
        P2_TEST(a_secret_task_goes_to_the_hosts_machines_only),
        P2_TEST(peers_come_before_the_cloud),
        P2_TEST(own_cores_start_while_they_can_still_finish),
        P2_TEST(what_one_helper_has_in_hand_is_taken_over_in_time),
        P2_TEST(a_refused_result_is_asked_of_somebody_else),
        P2_TEST(replicas_that_differ_are_decided_by_own_cores),
        P2_TEST(a_lost_link_gives_its_work_back_at_once),
        P2_TEST(a_lost_link_gets_nothing_of_what_still_waits),
        P2_TEST(a_drained_helper_is_closed_when_its_last_lease_ended),
        P2_TEST(a_drained_helper_without_work_is_closed_too),
        P2_TEST(speed_is_learnt_only_where_the_round_trip_is_known),
        P2_TEST(an_overdue_helper_looks_busier_by_the_millisecond),
        CU_TEST_INFO_NULL,
    };
    (void)p2_crypto_init();
    CU_SuiteInfo suites[] = {{"dispatch", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
