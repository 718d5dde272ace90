/* Recovery: checkpoint and journal give the exact state, damage is found and told. */
#include "session_fixture.h"

#include <string.h>

static struct session_fixture fixture;

/* Recovers and expects the state of exactly `next` frames. */
static void expect_whole(uint64_t next)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, next);
    P2_ASSERT_EQUAL(fixture.model.next, next);
    CU_ASSERT(!position.is_damaged);
    CU_ASSERT(model_is_right(&fixture.model));
    for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
        P2_ASSERT_EQUAL(position.sequences[i], fixture.model.sequences[i]);
    }
}

static void a_session_that_wrote_nothing_begins_anew(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 3, false);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_E_NOENT);
    P2_ASSERT_EQUAL(position.next, 1);
    P2_ASSERT_EQUAL(fixture.model.next, 1);
    fixture_run(&fixture, 2, true);
    P2_ASSERT_EQUAL(fixture.durable_next, 3);
    fixture_end(&fixture);
}

static void frames_without_a_checkpoint_are_replayed_from_the_first(void)
{
    fixture_begin(&fixture);
    fixture_run(&fixture, 20, true);
    fixture_run(&fixture, 5, false);
    fixture_crash(&fixture);
    expect_whole(21);
    fixture_end(&fixture);
}

static void checkpoint_and_journal_give_the_exact_state(void)
{
    fixture_begin(&fixture);
    for (unsigned round = 0; round < 5; round++) {
        fixture_run(&fixture, 30, true);
        P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
        fixture_commit(&fixture);
        P2_ASSERT_ERROR(fixture.image_error, P2_OK);
    }
    fixture_run(&fixture, 17, true);
    fixture_run(&fixture, 9, false); /* never committed: nothing was promised of them */
    fixture_crash(&fixture);
    expect_whole(168);
    /* And on from there, twice. */
    fixture_run(&fixture, 10, true);
    fixture_crash(&fixture);
    expect_whole(178);
    fixture_end(&fixture);
}

static void promises_are_known_when_no_frame_follows_the_checkpoint(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    uint8_t key[8];
    p2_store_be64(key, FIXTURE_SESSION);
    for (int is_tail_damaged = 0; is_tail_damaged < 2; is_tail_damaged++) {
        fixture_begin(&fixture);
        fixture_run(&fixture, 20, true);
        P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
        fixture_commit(&fixture);
        if (is_tail_damaged == 1) {
            fixture_put(&fixture, P2_TABLE_TAILS, p2_span(key, sizeof key), p2_span("broken", 6));
        }
        fixture_crash(&fixture);
        P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure),
                        is_tail_damaged == 1 ? P2_E_CORRUPT : P2_OK);
        P2_ASSERT_EQUAL(position.next, 21);
        for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
            CU_ASSERT(fixture.durable[i] > 0);
            P2_ASSERT_EQUAL(position.sequences[i], fixture.durable[i]);
        }
        fixture_end(&fixture);
    }
}

static void an_image_that_comes_late_is_of_its_own_frame(void)
{
    struct p2_session_image image;
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    model_image(&fixture.model, fixture.builder, P2_DUE_CHECKPOINT, &image);
    fixture_run(&fixture, 4, true); /* the session goes on while the image is on its way */
    P2_ASSERT_ERROR(p2_session_store_write(fixture.session, &image, NULL, NULL), P2_OK);
    fixture_run(&fixture, 4, true);
    fixture_crash(&fixture);
    expect_whole(19);
    fixture_end(&fixture);
}

static void a_damaged_checkpoint_is_passed_over_for_the_one_before(void)
{
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 10, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 10, true);
    fixture_damage(&fixture, P2_TABLE_SAVES, 1, 40); /* a digest of the newest one */
    fixture_crash(&fixture);
    expect_whole(31);
    fixture_end(&fixture);
}

static void damage_in_the_journal_ends_the_replay_and_names_what_is_lost(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE, NULL), P2_OK);
    fixture_run(&fixture, 30, true);
    fixture_damage(&fixture, P2_TABLE_JOURNAL, 14, -1); /* before 10: dropped; 14 is frame 15 */
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_E_CORRUPT);
    CU_ASSERT(position.is_damaged);
    P2_ASSERT_EQUAL(position.next, fixture.model.next);
    CU_ASSERT(position.next > 11 && position.next < 41);
    CU_ASSERT(model_is_right(&fixture.model));
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "to 40 are lost"));
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "newest whole save is"));
    /* Going on begins a new timeline, of which no promise is given before its base. */
    fixture_run(&fixture, 3, true);
    P2_ASSERT_EQUAL(fixture.durable_next, 41); /* what was said before the crash */
    P2_ASSERT_EQUAL(p2_session_store_due(fixture.session, 0) & P2_DUE_CHECKPOINT, 1);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 4, true);
    P2_ASSERT_ERROR(fixture.image_error, P2_OK);
    uint64_t next = fixture.model.next;
    P2_ASSERT_EQUAL(fixture.durable_next, next);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, next);
    P2_ASSERT_EQUAL(position.timeline, 2);
    CU_ASSERT(model_is_right(&fixture.model));
    fixture_end(&fixture);
}

static void a_lost_end_of_the_journal_is_noticed(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    uint8_t key[20];
    fixture_begin(&fixture);
    fixture_run(&fixture, 12, true);
    p2_store_be64(key, FIXTURE_SESSION);
    p2_store_be32(key + 8, 1);
    p2_store_be64(key + 12, 12);
    struct p2_batch *batch = p2_batch_new();
    p2_batch_delete(batch, p2_authority_table(P2_TABLE_JOURNAL), p2_span(key, sizeof key));
    P2_ASSERT_ERROR(p2_store_writer_submit(fixture.writer, batch, NULL, NULL), P2_OK);
    fixture_commit(&fixture);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_E_CORRUPT);
    P2_ASSERT_EQUAL(position.next, 12);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "frames 12 to 12 are lost"));
    fixture_end(&fixture);
}

static void a_damaged_tail_still_gives_all_frames_and_says_so(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 7, true);
    uint8_t key[8];
    p2_store_be64(key, FIXTURE_SESSION);
    fixture_put(&fixture, P2_TABLE_TAILS, p2_span(key, sizeof key), p2_span("broken", 6));
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_E_CORRUPT);
    P2_ASSERT_EQUAL(position.next, 18);
    CU_ASSERT(model_is_right(&fixture.model));
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 2, true);
    fixture_crash(&fixture);
    expect_whole(20);
    fixture_end(&fixture);
}

static uint64_t progress_last, progress_total;
static unsigned progress_calls;

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    CU_ASSERT(progress_calls == 0 || done >= progress_last);
    progress_last = done;
    progress_total = total;
    progress_calls++;
}

static void progress_is_told_from_nothing_to_all(void)
{
    struct p2_recovery_events events = model_recovery;
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 150, true);
    events.progress = on_progress;
    progress_calls = 0;
    model_free(&fixture.model);
    model_init(&fixture.model, FIXTURE_WORLD);
    P2_ASSERT_ERROR(p2_session_recover(fixture.store, FIXTURE_SESSION, 1, &events, &fixture.model,
                                       &position, &failure),
                    P2_OK);
    P2_ASSERT_EQUAL(progress_last, 150);
    P2_ASSERT_EQUAL(progress_total, 150);
    P2_ASSERT_EQUAL(progress_calls, 4); /* 0, 60, 120, 150 */
    fixture_end(&fixture);
}

static void a_restored_state_replaces_the_old_one_whole_or_not_at_all(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    for (int commits = 0; commits < 2; commits++) {
        fixture_begin(&fixture);
        fixture_run(&fixture, 20, true);
        P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
        fixture_run(&fixture, 10, true);
        uint32_t sequence = fixture.durable[0];
        /* The game takes the state of frame 1: a new model. */
        model_free(&fixture.model);
        model_init(&fixture.model, FIXTURE_WORLD);
        p2_session_store_restart(fixture.session, 1);
        P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
        fixture_run(&fixture, 5, commits == 1);
        fixture_crash(&fixture);
        P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
        P2_ASSERT_EQUAL(position.next, commits == 1 ? 6 : 31);
        CU_ASSERT(model_is_right(&fixture.model));
        CU_ASSERT(position.sequences[0] >= sequence || commits == 1);
        CU_ASSERT(sequence > 0);
        fixture_end(&fixture);
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_session_that_wrote_nothing_begins_anew),
        P2_TEST(frames_without_a_checkpoint_are_replayed_from_the_first),
        P2_TEST(checkpoint_and_journal_give_the_exact_state),
        P2_TEST(promises_are_known_when_no_frame_follows_the_checkpoint),
        P2_TEST(an_image_that_comes_late_is_of_its_own_frame),
        P2_TEST(a_damaged_checkpoint_is_passed_over_for_the_one_before),
        P2_TEST(damage_in_the_journal_ends_the_replay_and_names_what_is_lost),
        P2_TEST(a_lost_end_of_the_journal_is_noticed),
        P2_TEST(a_damaged_tail_still_gives_all_frames_and_says_so),
        P2_TEST(progress_is_told_from_nothing_to_all),
        P2_TEST(a_restored_state_replaces_the_old_one_whole_or_not_at_all),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"recovery", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
