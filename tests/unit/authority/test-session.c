/* Sessions: frames, inputs, cancelling, budgets, verdicts of the verification policy. */
#include "tests/unit/authority/core_fixture.h"

#include <string.h>

static enum p2_verdict verdict;
static uint32_t asked;

static enum p2_verdict decide(void *ctx, const struct p2_verify_case *item)
{
    (void)ctx;
    CU_ASSERT(item->is_state);
    asked++;
    return verdict;
}

static void run_frames(uint32_t count)
{
    const struct p2_pipeline *pipeline = &fixture.core.sessions[fixture.session].pipeline;
    for (uint32_t i = 0; i < count; i++) {
        fixture.now_us = p2_pipeline_slot_us(pipeline, pipeline->frame);
        fixture_step(&(struct p2_event){.type = P2_EVENT_TIME});
    }
}

static void nobody_helps_and_the_frame_still_ships(void)
{
    fixture_defaults();
    fixture_open();
    (void)fixture_task(P2_CLASS_C1, 0, 1);
    run_frames(4);
    P2_ASSERT_EQUAL(fixture.deliveries, 1);
    CU_ASSERT(fixture.last.is_degraded);
    P2_ASSERT_EQUAL(fixture.last.reason, P2_FRAME_REASON_NO_HELPERS);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_FRAME), 5);
    fixture_close();
}

static void a_result_is_delivered_in_its_frame_and_journalled(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    uint64_t id = fixture_task(P2_CLASS_C1, 0, 1);
    fixture_answer(0, fixture_find(P2_EFFECT_LEASE, 0)->lease, "answer", P2_OK);
    run_frames(2);
    P2_ASSERT_EQUAL(fixture.deliveries, 0);
    run_frames(1);
    P2_ASSERT_EQUAL(fixture.deliveries, 1);
    P2_ASSERT_EQUAL(fixture.last.task, id);
    CU_ASSERT_STRING_EQUAL((const char *)fixture.result, "answer");
    const struct p2_effect *entry = fixture_find(P2_EFFECT_JOURNAL, 0);
    CU_ASSERT_FATAL(entry != NULL);
    P2_ASSERT_EQUAL(entry->journal, P2_JOURNAL_RESULT);
    P2_ASSERT_EQUAL(entry->task, id);
    fixture_close();
}

static void an_invalidated_task_is_never_delivered(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    fixture.invalidate_tag = 7;
    run_frames(40);
    P2_ASSERT_EQUAL(fixture.invalidated, 1);
    P2_ASSERT_EQUAL(fixture.deliveries, 0);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CANCEL), 1);
    fixture_close();
}

static void nothing_is_submitted_or_cancelled_between_frames(void)
{
    fixture_defaults();
    fixture_open();
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    uint64_t other = 0;
    P2_ASSERT_ERROR(p2_session_submit(&fixture.core, fixture.session, &fixture.specs[0], &other),
                    P2_E_STATE);
    P2_ASSERT_ERROR(p2_session_cancel(&fixture.core, fixture.session, id), P2_E_STATE);
    fixture_close();
}

static void one_input_of_a_player_counts_in_each_frame(void)
{
    fixture_defaults();
    fixture_open();
    struct p2_id id = {{3}};
    P2_ASSERT_ERROR(p2_session_join(&fixture.core, fixture.session, 0, &id, NULL), P2_OK);
    run_frames(1);
    const uint32_t sequences[] = {1, 2, 2, 1, 3};
    for (size_t i = 0; i < P2_COUNT_OF(sequences); i++) {
        struct p2_event event = {.type = P2_EVENT_INPUT,
                                 .session = fixture.session,
                                 .sequence = sequences[i],
                                 .bytes = p2_span("x", 1)};
        (void)p2_core_step(&fixture.core, &event, fixture.now_us, &fixture.out);
    }
    run_frames(1);
    P2_ASSERT_EQUAL(fixture.inputs, 1);
    run_frames(5);
    P2_ASSERT_EQUAL(fixture.inputs, 3);
    P2_ASSERT_EQUAL(fixture.input_sequence, 3);
    fixture_close();
}

static void a_spent_budget_stops_peers_and_says_so(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    p2_session_set_budget(&fixture.core, fixture.session, true);
    (void)fixture_task(P2_CLASS_C1, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    run_frames(3);
    P2_ASSERT_EQUAL(fixture.last.reason, P2_FRAME_REASON_BUDGET);
    p2_session_set_budget(&fixture.core, fixture.session, false);
    (void)fixture_task(P2_CLASS_C1, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    fixture_close();
}

static void a_players_own_helper_works_for_other_sessions_only(void)
{
    fixture_defaults();
    fixture_open();
    struct p2_id id = {{1}};
    P2_ASSERT_ERROR(p2_session_join(&fixture.core, fixture.session, 0, &id, NULL), P2_OK);
    fixture_helper(0, 1, 5000, 8);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 0);
    P2_ASSERT_ERROR(p2_session_leave(&fixture.core, fixture.session, 0), P2_OK);
    fixture_pass(P2_ROTATE_US);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_LEASE), 1);
    fixture_close();
}

static void closing_a_session_cancels_what_it_has_out(void)
{
    fixture_defaults();
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    (void)fixture_task(P2_CLASS_C2, 0, 1);
    P2_ASSERT_ERROR(p2_session_close(&fixture.core, fixture.session, &fixture.out), P2_OK);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_CANCEL), 1);
    P2_ASSERT_EQUAL(fixture.core.helpers.items[0].live, 0);
    P2_ASSERT_ERROR(p2_session_close(&fixture.core, fixture.session, &fixture.out), P2_E_RANGE);
    fixture_close();
}

/* One answered task under `wanted`, with or without own cores. */
static void judge(enum p2_verdict wanted, uint16_t local_cores, bool is_settled, uint32_t audits)
{
    verdict = wanted;
    asked = 0;
    fixture_defaults();
    fixture.options.local_cores = local_cores;
    fixture.options.verify.decide = decide;
    fixture_open();
    fixture_helper(0, 1, 5000, 8);
    uint64_t id = fixture_task(P2_CLASS_C2, 0, 1);
    fixture_answer(0, fixture_find(P2_EFFECT_LEASE, 0)->lease, "answer", P2_OK);
    P2_ASSERT_EQUAL(asked, 1);
    const struct p2_task *task =
        p2_pipeline_find(&fixture.core.sessions[fixture.session].pipeline, id);
    P2_ASSERT_EQUAL(task->state == P2_TASK_SETTLED, is_settled);
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_AUDIT), audits);
    bool is_computed = local_cores > 0 && wanted != P2_VERIFY_ACCEPT;
    P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_COMPUTE), is_computed ? 1 : 0);
    if (is_computed) {
        fixture_computed(id, "truth");
        P2_ASSERT_EQUAL(fixture_count(P2_EFFECT_INTEGRITY), 1);
        P2_ASSERT_EQUAL(task->state, P2_TASK_SETTLED);
        P2_ASSERT_EQUAL(task->tier, P2_TIER_LOCAL);
    }
    fixture_close();
}

static void each_verdict_of_the_policy_has_its_effect(void)
{
    judge(P2_VERIFY_ACCEPT, 1, true, 0);
    judge(P2_VERIFY_AUDIT, 1, false, 0); /* own cores have the time: first theirs */
    judge(P2_VERIFY_AUDIT, 0, true, 1);  /* nobody has it: afterwards */
    judge(P2_VERIFY_RECOMPUTE, 1, false, 0);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(nobody_helps_and_the_frame_still_ships),
        P2_TEST(a_result_is_delivered_in_its_frame_and_journalled),
        P2_TEST(an_invalidated_task_is_never_delivered),
        P2_TEST(nothing_is_submitted_or_cancelled_between_frames),
        P2_TEST(one_input_of_a_player_counts_in_each_frame),
        P2_TEST(a_spent_budget_stops_peers_and_says_so),
        P2_TEST(a_players_own_helper_works_for_other_sessions_only),
        P2_TEST(closing_a_session_cancels_what_it_has_out),
        P2_TEST(each_verdict_of_the_policy_has_its_effect),
        CU_TEST_INFO_NULL,
    };
    (void)p2_crypto_init();
    CU_SuiteInfo suites[] = {{"session", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
