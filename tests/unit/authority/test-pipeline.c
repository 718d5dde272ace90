/* The frame pipeline: slots, due frames, exactly-once delivery, depth, memory. */
#include "authority/pipeline.h"
#include "tests/lib/test.h"

#include <string.h>

static struct p2_task_spec spec(enum p2_task_class class, uint16_t slack)
{
    return (struct p2_task_spec){.class = class,
                                 .slack_frames = slack,
                                 .output_max = 64,
                                 .cost_units = 10,
                                 .input = p2_span("input", 5)};
}

static void slots_are_exact_after_a_day(void)
{
    struct p2_pipeline pipeline;
    P2_ASSERT_ERROR(p2_pipeline_init(&pipeline, 4, 4096, 0, 500), P2_OK);
    P2_ASSERT_EQUAL(p2_pipeline_slot_us(&pipeline, 0), 500);
    P2_ASSERT_EQUAL(p2_pipeline_slot_us(&pipeline, 1), 17166); /* 500 + 16666.67 */
    P2_ASSERT_EQUAL(p2_pipeline_slot_us(&pipeline, 3), 50500);
    P2_ASSERT_EQUAL(p2_pipeline_slot_us(&pipeline, 5184000), 86400000500LL);
    p2_pipeline_free(&pipeline);
}

static void due_frames_are_fixed_at_emission(void)
{
    struct p2_pipeline pipeline;
    struct p2_task *task = NULL;
    (void)p2_pipeline_init(&pipeline, 8, 65536, 10, 0);
    struct p2_task_spec c1 = spec(P2_CLASS_C1, 0);
    struct p2_task_spec c2 = spec(P2_CLASS_C2, 7);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &c1, 0, &task), P2_OK);
    P2_ASSERT_EQUAL(task->due_frame, 13);
    P2_ASSERT_EQUAL(task->due_us, 50000); /* three slots after frame 10's */
    pipeline.depth = 1;
    P2_ASSERT_EQUAL(task->due_frame, 13);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &c1, 0, &task), P2_OK);
    P2_ASSERT_EQUAL(task->due_frame, 11);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &c2, 0, &task), P2_OK);
    P2_ASSERT_EQUAL(task->due_frame, 17);
    p2_pipeline_free(&pipeline);
}

static void tasks_are_due_sorted_by_id_whatever_settled_first(void)
{
    struct p2_pipeline pipeline;
    struct p2_task *tasks[4];
    (void)p2_pipeline_init(&pipeline, 8, 65536, 0, 0);
    pipeline.depth = 1;
    static const uint16_t slack[4] = {3, 2, 1, 1};
    for (int i = 0; i < 4; i++) { /* frames 0, 1, 2, 2: all due in frame 3 */
        pipeline.frame = i < 3 ? (uint64_t)i : 2;
        struct p2_task_spec item = spec(P2_CLASS_C2, slack[i]);
        P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &tasks[i]), P2_OK);
    }
    for (int i = 3; i >= 0; i--) {
        P2_ASSERT_ERROR(p2_pipeline_keep(&pipeline, tasks[i], p2_span("r", 1)), P2_OK);
        P2_ASSERT_ERROR(p2_pipeline_settle(&pipeline, tasks[i], P2_TIER_PEER, 1), P2_OK);
        P2_ASSERT_ERROR(p2_pipeline_settle(&pipeline, tasks[i], P2_TIER_PEER, 1), P2_E_STATE);
    }
    CU_ASSERT_PTR_NULL(p2_pipeline_due(&pipeline)); /* never earlier */
    pipeline.frame = 3;
    for (uint64_t id = 1; id <= 4; id++) {
        struct p2_task *task = p2_pipeline_due(&pipeline);
        CU_ASSERT_PTR_NOT_NULL_FATAL(task);
        P2_ASSERT_EQUAL(task->id, id);
        p2_pipeline_remove(&pipeline, task, true);
    }
    CU_ASSERT_PTR_NULL(p2_pipeline_due(&pipeline));
    P2_ASSERT_EQUAL(pipeline.delivered, 4);
    p2_pipeline_free(&pipeline);
}

static void a_cancelled_task_is_never_due(void)
{
    struct p2_pipeline pipeline;
    struct p2_task *task = NULL;
    (void)p2_pipeline_init(&pipeline, 8, 65536, 0, 0);
    struct p2_task_spec item = spec(P2_CLASS_C2, 1);
    (void)p2_pipeline_submit(&pipeline, &item, 0, &task);
    (void)p2_pipeline_submit(&pipeline, &item, 0, &task);
    p2_pipeline_remove(&pipeline, p2_pipeline_find(&pipeline, 1), false);
    CU_ASSERT_PTR_NULL(p2_pipeline_find(&pipeline, 1));
    pipeline.frame = 1;
    P2_ASSERT_EQUAL(p2_pipeline_due(&pipeline)->id, 2);
    P2_ASSERT_EQUAL(pipeline.cancelled, 1);
    p2_pipeline_free(&pipeline);
}

static void whether_a_task_fits_does_not_depend_on_answers(void)
{
    struct p2_pipeline pipeline;
    struct p2_task *task = NULL;
    struct p2_task *second = NULL;
    (void)p2_pipeline_init(&pipeline, 8, 1024, 0, 0); /* two tasks of two blocks of 256 */
    struct p2_task_spec item = spec(P2_CLASS_C2, 1);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &task), P2_OK);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &second), P2_OK);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &second), P2_E_LIMIT);
    (void)p2_pipeline_keep(&pipeline, task, p2_span("r", 1));
    (void)p2_pipeline_settle(&pipeline, task, P2_TIER_PEER, 1);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &second), P2_E_LIMIT);
    p2_pipeline_remove(&pipeline, task, true);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &second), P2_OK);
    p2_pipeline_free(&pipeline);
}

/* One frame with one C1 task that settles after `took_us`, or never (0). */
static void frame(struct p2_pipeline *pipeline, uint64_t took_us)
{
    struct p2_task *task = NULL;
    struct p2_task_spec item = spec(P2_CLASS_C1, 0);
    p2_pipeline_begin(pipeline);
    (void)p2_pipeline_submit(pipeline, &item, 0, &task);
    if (took_us > 0) {
        (void)p2_pipeline_keep(pipeline, task, p2_span("r", 1));
        (void)p2_pipeline_settle(pipeline, task, P2_TIER_PEER, took_us);
    }
    p2_pipeline_remove(pipeline, task, true);
    (void)p2_pipeline_end_frame(pipeline);
}

static void depth_falls_after_two_calm_seconds_and_rises_at_once(void)
{
    struct p2_pipeline pipeline;
    (void)p2_pipeline_init(&pipeline, 8, 65536, 0, 0);
    P2_ASSERT_EQUAL(pipeline.depth, 3);
    for (int i = 0; i < 119; i++) {
        frame(&pipeline, 10000);
    }
    P2_ASSERT_EQUAL(pipeline.depth, 3);
    frame(&pipeline, 10000);
    P2_ASSERT_EQUAL(pipeline.depth, 2);
    for (int i = 0; i < 120; i++) {
        frame(&pipeline, 10000);
    }
    P2_ASSERT_EQUAL(pipeline.depth, 1);
    frame(&pipeline, 0); /* one miss */
    P2_ASSERT_EQUAL(pipeline.depth, 2);
    for (int i = 0; i < 300; i++) {
        frame(&pipeline, 16000); /* one frame would not be enough */
    }
    P2_ASSERT_EQUAL(pipeline.depth, 2);
    p2_pipeline_free(&pipeline);
}

static void impossible_tasks_are_refused(void)
{
    struct p2_pipeline pipeline;
    struct p2_task *task = NULL;
    (void)p2_pipeline_init(&pipeline, 8, 65536, 0, 0);
    struct p2_task_spec item = spec(P2_CLASS_C2, 0);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &task), P2_E_INVALID);
    item = spec(P2_CLASS_C2, P2_SLACK_MAX_FRAMES + 1);
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &task), P2_E_INVALID);
    item = spec(P2_CLASS_C2, 1);
    item.cost_units = 0;
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &task), P2_E_INVALID);
    item.cost_units = 1;
    item.output_max = P2_WIRE_SLOT_MAX + 1;
    P2_ASSERT_ERROR(p2_pipeline_submit(&pipeline, &item, 0, &task), P2_E_INVALID);
    P2_ASSERT_EQUAL(pipeline.submitted, 0);
    p2_pipeline_free(&pipeline);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(slots_are_exact_after_a_day),
        P2_TEST(due_frames_are_fixed_at_emission),
        P2_TEST(tasks_are_due_sorted_by_id_whatever_settled_first),
        P2_TEST(a_cancelled_task_is_never_due),
        P2_TEST(whether_a_task_fits_does_not_depend_on_answers),
        P2_TEST(depth_falls_after_two_calm_seconds_and_rises_at_once),
        P2_TEST(impossible_tasks_are_refused),
        CU_TEST_INFO_NULL,
    };
    (void)p2_crypto_init();
    CU_SuiteInfo suites[] = {{"pipeline", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
