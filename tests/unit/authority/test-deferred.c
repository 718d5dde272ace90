/* Sessions whose game runs elsewhere: the same frames as at once, only later within the slot. */
#include "authority/core.h"

#include "tests/lib/test.h"

#include <string.h>

#define KERNELS 1u
#define FIRST   UINT64_C(1000000) /* slot of frame 1 */
#define VIEW_ID (UINT64_C(1) << 62)

static const struct p2_core_kernel kernel = {
    .name = "test", .version = 1, .warm_cost = 10, .warm_output_max = 8};

struct fixture {
    struct p2_core core;
    struct p2_outbox out;
    uint16_t session;
    uint64_t handed;  /* frame the game was given last */
    uint64_t emitted; /* frame it was asked for last */
    uint64_t delivered[8];
    uint32_t delivered_count;
    uint64_t next_state, next_view; /* ids to submit in emit; 0: nothing */
    uint64_t due_frame;
    int error;
};

static void on_commit(void *ctx, uint64_t frame)
{
    ((struct fixture *)ctx)->handed = frame;
}

static void on_result(void *ctx, const struct p2_delivery *delivery)
{
    struct fixture *f = ctx;
    f->delivered[f->delivered_count++ % 8] = delivery->task;
}

static void submit(struct fixture *f, uint64_t id, uint8_t flags)
{
    static const uint8_t input[4] = {1, 2, 3, 4};
    const struct p2_task_spec spec = {.id = id,
                                      .class = flags != 0 ? P2_CLASS_C2 : P2_CLASS_C1,
                                      .flags = flags,
                                      .slack_frames = 30,
                                      .output_max = 8,
                                      .cost_units = 10,
                                      .input = p2_span(input, sizeof input)};
    uint64_t given = 0;
    f->error = p2_session_submit(&f->core, f->session, &spec, &given);
    if (f->error == P2_OK) {
        P2_ASSERT_EQUAL(given, id);
        f->due_frame = p2_pipeline_find(&f->core.sessions[f->session].pipeline, id)->due_frame;
    }
}

static void on_emit(void *ctx, uint64_t frame)
{
    struct fixture *f = ctx;
    f->emitted = frame;
    if (f->next_view != 0) {
        submit(f, f->next_view, P2_TASK_VIEW);
    }
    if (f->next_state != 0) {
        submit(f, f->next_state, 0);
    }
    f->next_state = f->next_view = 0;
}

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    struct p2_core_options options = {.kernels = &kernel,
                                      .kernel_count = KERNELS,
                                      .helpers_max = 4,
                                      .leases_max = 16,
                                      .blobs_each = 4,
                                      .sessions_max = 1,
                                      .window_max = 4,
                                      .local_cores = 1,
                                      .price_max = 1};
    p2_rng_init_u64(&options.rng, 1, "test");
    P2_ASSERT_ERROR(p2_core_init(&f->core, &options), P2_OK);
    const struct p2_session_options session = {
        .game = {.ctx = f, .on_result = on_result, .commit = on_commit, .emit = on_emit},
        .tasks_max = 16,
        .memory_max = 4096,
        .first_frame = 1,
        .start_us = FIRST,
        .is_deferred = true};
    P2_ASSERT_ERROR(p2_session_open(&f->core, &session, &f->session), P2_OK);
    P2_ASSERT_ERROR(p2_outbox_init(&f->out, p2_core_outbox_needed(&f->core)), P2_OK);
}

static void teardown(struct fixture *f)
{
    p2_outbox_free(&f->out);
    p2_core_free(&f->core);
}

static int step(struct fixture *f, enum p2_event_type type, uint64_t now_us)
{
    const struct p2_event event = {.type = type, .session = f->session};
    p2_outbox_clear(&f->out);
    return p2_core_step(&f->core, &event, now_us, &f->out);
}

static uint32_t effects(const struct fixture *f, enum p2_effect_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->out.count; i++) {
        count += f->out.items[i].type == type ? 1 : 0;
    }
    return count;
}

static uint64_t slot(uint64_t frame)
{
    return FIRST + (frame - 1) * 1000000u / 60u;
}

static void frame_ships_when_the_game_is_done_and_not_before(void)
{
    struct fixture f;
    setup(&f);
    P2_ASSERT_ERROR(step(&f, P2_EVENT_GAME, slot(1)), P2_E_STATE);
    P2_ASSERT_ERROR(step(&f, P2_EVENT_TIME, slot(1)), P2_OK);
    P2_ASSERT_EQUAL(f.handed, 1);
    P2_ASSERT_EQUAL(effects(&f, P2_EFFECT_FRAME), 0);
    P2_ASSERT_ERROR(step(&f, P2_EVENT_TIME, slot(2) + 1), P2_OK);
    P2_ASSERT_EQUAL(f.handed, 1); /* the next slot waits for the game */
    P2_ASSERT_EQUAL(p2_core_wake_us(&f.core) == UINT64_MAX, 1);
    P2_ASSERT_ERROR(step(&f, P2_EVENT_GAME, slot(2) + 2), P2_OK);
    P2_ASSERT_EQUAL(f.emitted, 1);
    P2_ASSERT_EQUAL(effects(&f, P2_EFFECT_FRAME), 1);
    P2_ASSERT_EQUAL(f.core.sessions[0].record.is_on_time, false);
    P2_ASSERT_EQUAL(f.core.sessions[0].record.reason, P2_FRAME_REASON_OVERRUN);
    P2_ASSERT_EQUAL(p2_core_wake_us(&f.core) <= slot(2), 1); /* and then begins at once */
    P2_ASSERT_ERROR(step(&f, P2_EVENT_TIME, slot(2) + 3), P2_OK);
    P2_ASSERT_EQUAL(f.handed, 2);
    teardown(&f);
}

static void task_of_a_frame_enters_with_the_frame_and_its_own_id(void)
{
    struct fixture f;
    setup(&f);
    (void)step(&f, P2_EVENT_TIME, slot(1));
    f.next_state = 7;
    P2_ASSERT_ERROR(step(&f, P2_EVENT_GAME, slot(1) + 900), P2_OK);
    P2_ASSERT_ERROR(f.error, P2_OK);
    P2_ASSERT_EQUAL(f.due_frame, 1 + P2_DEPTH_MAX); /* of frame 1, as if it had run at once */
    (void)step(&f, P2_EVENT_TIME, slot(2));
    f.next_state = 7;
    P2_ASSERT_ERROR(step(&f, P2_EVENT_GAME, slot(2) + 900), P2_OK);
    P2_ASSERT_ERROR(f.error, P2_E_EXIST);
    teardown(&f);
}

/* Answers the COMPUTE effect of `task`, which must be there. */
static void compute(struct fixture *f, uint64_t task, uint64_t now_us)
{
    static const uint8_t result[2] = {5, 6};
    const struct p2_event event = {.type = P2_EVENT_COMPUTED,
                                   .session = f->session,
                                   .task = task,
                                   .exec_us = 10,
                                   .bytes = p2_span(result, sizeof result)};
    p2_outbox_clear(&f->out);
    P2_ASSERT_ERROR(p2_core_step(&f->core, &event, now_us, &f->out), P2_OK);
}

static void view_results_come_when_they_are_there_and_state_results_when_due(void)
{
    struct fixture f;
    setup(&f);
    (void)step(&f, P2_EVENT_TIME, slot(1));
    f.next_state = 1;
    f.next_view = VIEW_ID;
    (void)step(&f, P2_EVENT_GAME, slot(1) + 500);
    P2_ASSERT_EQUAL(effects(&f, P2_EFFECT_COMPUTE), 2); /* nobody else is there */
    compute(&f, VIEW_ID, slot(1) + 1000);
    compute(&f, 1, slot(1) + 1000);
    for (uint64_t frame = 2; frame <= 1 + P2_DEPTH_MAX; frame++) {
        f.delivered_count = 0;
        (void)step(&f, P2_EVENT_TIME, slot(frame));
        bool is_due = frame == 1 + P2_DEPTH_MAX;
        P2_ASSERT_EQUAL(f.delivered_count, frame == 2 || is_due ? 1 : 0);
        if (f.delivered_count == 1) {
            P2_ASSERT_EQUAL(f.delivered[0], is_due ? 1 : VIEW_ID);
        }
        (void)step(&f, P2_EVENT_GAME, slot(frame) + 500);
    }
    teardown(&f);
}

static CU_TestInfo tests[] = {
    P2_TEST(frame_ships_when_the_game_is_done_and_not_before),
    P2_TEST(task_of_a_frame_enters_with_the_frame_and_its_own_id),
    P2_TEST(view_results_come_when_they_are_there_and_state_results_when_due),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"deferred", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
