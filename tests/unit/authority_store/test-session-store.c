/* The loop's side: promises, gaps, what is due; and a frame's bytes. */
#include "session_fixture.h"

#include <stdlib.h>
#include <string.h>

static struct session_fixture fixture;

/* ---- promises --------------------------------------------------------------------------------- */

static void a_promise_is_given_after_the_commit_and_not_before(void)
{
    fixture_begin(&fixture);
    fixture_run(&fixture, 40, false);
    P2_ASSERT_EQUAL(fixture.durable_calls, 0);
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(fixture.durable_next, 41);
    for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
        CU_ASSERT(fixture.model.sequences[i] > 0);
        P2_ASSERT_EQUAL(fixture.durable[i], fixture.model.sequences[i]);
    }
    fixture_end(&fixture);
}

static void frames_out_of_order_are_refused(void)
{
    fixture_begin(&fixture);
    P2_ASSERT_ERROR(p2_session_store_frame(fixture.session, 2), P2_E_STATE);
    P2_ASSERT_ERROR(p2_session_store_frame(fixture.session, 1), P2_OK);
    P2_ASSERT_ERROR(p2_session_store_frame(fixture.session, 1), P2_E_STATE);
    fixture_end(&fixture);
}

static void a_depth_for_the_next_frame_may_come_before_this_one_is_closed(void)
{
    struct p2_effect depth = {
        .type = P2_EFFECT_JOURNAL, .journal = P2_JOURNAL_DEPTH, .frame = 2, .depth = 3};
    struct p2_effect input = {.type = P2_EFFECT_JOURNAL,
                              .journal = P2_JOURNAL_INPUT,
                              .frame = 1,
                              .player = 5,
                              .sequence = 9,
                              .result = p2_span("up", 2)};
    fixture_begin(&fixture);
    p2_session_store_effect(fixture.session, &depth);
    p2_session_store_effect(fixture.session, &input);
    P2_ASSERT_ERROR(p2_session_store_frame(fixture.session, 1), P2_OK);
    P2_ASSERT_ERROR(p2_session_store_frame(fixture.session, 2), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(fixture.durable[5], 9);
    struct p2_session_store_stats stats = p2_session_store_stats(fixture.session);
    P2_ASSERT_EQUAL(stats.frames, 2);
    /* heads and counts, the input in the first frame, the depth in the second */
    P2_ASSERT_EQUAL(stats.frame_bytes, 2 * (32 + 4) + (1 + 1 + 4 + 1 + 2) + 2);
    fixture_end(&fixture);
}

static void closing_gives_no_more_promises_but_writes_what_was_submitted(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 6, false);
    p2_session_store_close(fixture.session);
    fixture.session = NULL;
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(fixture.durable_calls, 0);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, 7);
    fixture_end(&fixture);
}

/* ---- trouble ---------------------------------------------------------------------------------- */

/* Fails with NODISK as long as it is asked to: stands for the disk. */
static int refuse(struct p2_txn *txn, void *ctx)
{
    (void)ctx;
    p2_txn_fail(txn, P2_E_NODISK);
    return P2_E_NODISK;
}

static void a_full_disk_stops_promises_not_the_session_and_then_it_goes_on(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    P2_ASSERT_EQUAL(fixture.durable_next, 11);
    /* A batch of somebody else that finds the disk full takes its whole group with it. */
    struct p2_batch *batch = p2_batch_new();
    p2_batch_work(batch, refuse, NULL, 1);
    P2_ASSERT_ERROR(p2_store_writer_submit(fixture.writer, batch, NULL, NULL), P2_OK);
    fixture_run(&fixture, 5, false);
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(fixture.trouble, P2_E_NODISK);
    P2_ASSERT_EQUAL(fixture.troubles, 1);
    CU_ASSERT(strlen(fixture.message) > 20);
    fixture_run(&fixture, 20, true); /* there would be room again, but the journal has a gap */
    P2_ASSERT_EQUAL(fixture.durable_next, 11);
    CU_ASSERT(p2_session_store_stats(fixture.session).is_waiting);
    P2_ASSERT_EQUAL(p2_session_store_due(fixture.session, 0), P2_DUE_CHECKPOINT);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 3, false);
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(fixture.recoveries, 1);
    P2_ASSERT_EQUAL(fixture.durable_next, 39);
    for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
        P2_ASSERT_EQUAL(fixture.durable[i], fixture.model.sequences[i]);
    }
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, 39);
    P2_ASSERT_EQUAL(position.timeline, 2);
    CU_ASSERT(model_is_right(&fixture.model));
    fixture_end(&fixture);
}

static void a_base_that_fails_leaves_what_was_promised_untouched(void)
{
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 10, true);
    for (int i = 0; i < 3; i++) {
        struct p2_batch *batch = p2_batch_new();
        p2_batch_work(batch, refuse, NULL, 1);
        P2_ASSERT_ERROR(p2_store_writer_submit(fixture.writer, batch, NULL, NULL), P2_OK);
        fixture_run(&fixture, 2, false);
        if (i > 0) {
            P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
            fixture_run(&fixture, 2, false);
        }
        fixture_commit(&fixture);
    }
    P2_ASSERT_EQUAL(fixture.troubles, 1); /* told once */
    P2_ASSERT_ERROR(fixture.image_error, P2_E_NODISK);
    P2_ASSERT_EQUAL(fixture.durable_next, 11);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, 11);
    CU_ASSERT(model_is_right(&fixture.model));
    fixture_end(&fixture);
}

static void frames_after_a_base_wait_in_memory_and_follow_it(void)
{
    struct p2_session_image image;
    struct p2_session_position position;
    struct p2_failure failure = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 4, true);
    p2_session_store_restart(fixture.session, fixture.model.next);
    fixture_run(&fixture, 3, true);
    model_image(&fixture.model, fixture.builder, P2_DUE_CHECKPOINT, &image);
    uint32_t sequences[MODEL_PLAYERS];
    memcpy(sequences, fixture.model.sequences, sizeof sequences);
    fixture.watched_next = fixture.model.next;
    fixture_run(&fixture, 6, true);
    CU_ASSERT(memcmp(sequences, fixture.model.sequences, sizeof sequences) != 0);
    P2_ASSERT_EQUAL(fixture.durable_next, 5);
    P2_ASSERT_EQUAL(p2_session_store_stats(fixture.session).frames_kept, 9);
    P2_ASSERT_ERROR(p2_session_store_write(fixture.session, &image, NULL, NULL), P2_OK);
    CU_ASSERT(p2_store_writer_run(fixture.writer));
    P2_ASSERT_EQUAL(fixture.durable_next, 14);
    /* The base alone promised what was applied before it, no more. */
    CU_ASSERT(memcmp(sequences, fixture.watched, sizeof sequences) == 0);
    fixture_crash(&fixture);
    P2_ASSERT_ERROR(fixture_recover(&fixture, &position, &failure), P2_OK);
    P2_ASSERT_EQUAL(position.next, 14);
    CU_ASSERT(model_is_right(&fixture.model));
    fixture_end(&fixture);
}

static void an_image_whose_successors_are_gone_is_no_base(void)
{
    struct p2_session_image image;
    fixture_begin(&fixture);
    fixture_run(&fixture, 4, true);
    model_image(&fixture.model, fixture.builder, P2_DUE_CHECKPOINT, &image);
    p2_session_store_restart(fixture.session, fixture.model.next);
    fixture_run(&fixture, P2_SESSION_KEEP_FRAMES + 5, false);
    P2_ASSERT_EQUAL(p2_session_store_stats(fixture.session).frames_kept, P2_SESSION_KEEP_FRAMES);
    P2_ASSERT_ERROR(p2_session_store_write(fixture.session, &image, NULL, NULL), P2_E_STATE);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_AUTOSAVE, NULL), P2_E_STATE);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_ERROR(fixture.image_error, P2_OK);
    P2_ASSERT_EQUAL(fixture.durable_next, fixture.model.next);
    fixture_end(&fixture);
}

static void an_entry_that_cannot_be_kept_stops_the_journal(void)
{
    uint8_t large[P2_JOURNAL_TEXT_MAX + 1] = {0};
    fixture_begin(&fixture);
    fixture_run(&fixture, 2, true);
    p2_session_store_add(fixture.session,
                         &(struct p2_journal_entry){.kind = P2_ENTRY_CONSOLE,
                                                    .bytes = p2_span(large, sizeof large)});
    P2_ASSERT_EQUAL(fixture.troubles, 1);
    fixture_run(&fixture, 3, true);
    P2_ASSERT_EQUAL(fixture.durable_next, 3);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
    fixture_run(&fixture, 3, true);
    P2_ASSERT_EQUAL(fixture.durable_next, 9);
    fixture_end(&fixture);
}

/* ---- due -------------------------------------------------------------------------------------- */

static void images_are_due_at_their_times(void)
{
    fixture_begin(&fixture);
    struct p2_session_store *session = fixture.session;
    P2_ASSERT_EQUAL(p2_session_store_due(session, 0), P2_DUE_CHECKPOINT);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK); /* at 16 ms */
    P2_ASSERT_EQUAL(p2_session_store_due(session, 5000), 0);                  /* one is under way */
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(p2_session_store_due(session, 1015), 0);
    P2_ASSERT_EQUAL(p2_session_store_due(session, 1016), P2_DUE_CHECKPOINT);
    P2_ASSERT_EQUAL(p2_session_store_due(session, 60000), P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE);
    P2_ASSERT_EQUAL(p2_session_store_due(session, 3600000),
                    P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE | P2_DUE_HOURLY);
    fixture_end(&fixture);
}

static void an_autosave_that_failed_is_due_again_with_the_next_checkpoint(void)
{
    fixture_begin(&fixture);
    struct p2_batch *batch = p2_batch_new();
    p2_batch_work(batch, refuse, NULL, 1);
    P2_ASSERT_ERROR(p2_store_writer_submit(fixture.writer, batch, NULL, NULL), P2_OK);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE, NULL), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_ERROR(fixture.image_error, P2_E_NODISK);
    P2_ASSERT_EQUAL(p2_session_store_due(fixture.session, 1016),
                    P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE, NULL), P2_OK);
    fixture_commit(&fixture);
    P2_ASSERT_EQUAL(p2_session_store_due(fixture.session, 1016), P2_DUE_CHECKPOINT);
    fixture_end(&fixture);
}

static void the_journal_keeps_what_the_older_checkpoint_needs_and_no_more(void)
{
    fixture_begin(&fixture);
    for (int i = 0; i < 4; i++) {
        fixture_run(&fixture, 10, true);
        P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, NULL), P2_OK);
        fixture_commit(&fixture);
    }
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_SAVES), P2_CHECKPOINTS_KEPT);
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_CHECKPOINTS), 2 * P2_CHECKPOINTS_KEPT);
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_JOURNAL), 10); /* 31..40 */
    fixture_end(&fixture);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static struct p2_buf make_frame(void)
{
    const struct p2_journal_entry entries[] = {
        {.kind = P2_ENTRY_INPUT, .player = 3, .sequence = 77, .bytes = p2_span("left", 4)},
        {.kind = P2_ENTRY_DEPTH, .depth = 2},
        {.kind = P2_ENTRY_RESULT, .task = 12, .bytes = p2_span("path", 4)},
        {.kind = P2_ENTRY_RECOMPUTE, .task = 13},
        {.kind = P2_ENTRY_DEGRADED, .task = 14},
        {.kind = P2_ENTRY_JOIN, .player = 4, .bytes = p2_span("Ada", 3)},
        {.kind = P2_ENTRY_LEAVE, .player = 1},
        {.kind = P2_ENTRY_CONSOLE, .bytes = p2_span("rain on", 7)},
        {.kind = P2_ENTRY_QUALITY, .quality = 200},
        {.kind = P2_ENTRY_CORRECTED, .task = 9, .bytes = p2_span("right", 5)},
        {.kind = P2_ENTRY_HASH, .hash = UINT64_C(0x0102030405060708)},
    };
    struct p2_buf frame;
    p2_buf_init(&frame, P2_JOURNAL_FRAME_MAX);
    P2_ASSERT_ERROR(p2_journal_begin(&frame), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(entries); i++) {
        P2_ASSERT_ERROR(p2_journal_append(&frame, 0, &entries[i]), P2_OK);
    }
    return frame;
}

static void a_frame_has_the_bytes_of_its_layout(void)
{
    static const char expected[] = "\0\0\0\x0b"
                                   "\1\3\0\0\0\x4d\4left"
                                   "\2\2"
                                   "\3\0\0\0\0\0\0\0\x0c\0\0\0\4path"
                                   "\4\0\0\0\0\0\0\0\x0d"
                                   "\5\0\0\0\0\0\0\0\x0e"
                                   "\6\4\0\3"
                                   "Ada"
                                   "\7\1"
                                   "\x08\0\7rain on"
                                   "\x0a\xc8"
                                   "\x0b\0\0\0\0\0\0\0\x09\0\0\0\5right"
                                   "\x09\1\2\3\4\5\6\7\x08";
    struct p2_buf frame = make_frame();
    P2_ASSERT_EQUAL(frame.size, sizeof expected - 1);
    P2_ASSERT_BYTES(frame.data, expected, sizeof expected - 1);
    p2_buf_free(&frame);
}

/* How many entries there are before the end, and how it ends. */
static size_t read_frame(struct p2_span frame, int *ret_error)
{
    struct p2_journal_reader reader;
    struct p2_journal_entry entry;
    size_t count = 0;
    *ret_error = p2_journal_reader_init(&reader, frame);
    while (*ret_error == P2_OK && p2_journal_next(&reader, &entry)) {
        CU_ASSERT(entry.player < P2_PLAYERS_MAX);
        count++;
    }
    if (*ret_error == P2_OK) {
        *ret_error = p2_journal_reader_end(&reader);
    }
    return count;
}

static void cut_and_flipped_frames_are_corrupt_or_other_entries_never_worse(void)
{
    struct p2_buf frame = make_frame();
    int error;
    P2_ASSERT_EQUAL(read_frame(p2_buf_span(&frame), &error), 11);
    P2_ASSERT_ERROR(error, P2_OK);
    for (size_t size = 0; size < frame.size; size++) {
        (void)read_frame(p2_span(frame.data, size), &error);
        P2_ASSERT_ERROR(error, P2_E_CORRUPT);
    }
    for (size_t bit = 0; bit < frame.size * 8; bit++) {
        frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)read_frame(p2_buf_span(&frame), &error);
        CU_ASSERT(error == P2_OK || error == P2_E_CORRUPT);
        frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    p2_buf_free(&frame);
}

static void results_beyond_the_limit_are_to_be_computed_again(void)
{
    const size_t size = (size_t)1 << 20;
    uint8_t *bytes = calloc(1, size);
    struct p2_journal_reader reader;
    struct p2_journal_entry entry;
    struct p2_buf frame;
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    p2_buf_init(&frame, P2_JOURNAL_FRAME_MAX);
    P2_ASSERT_ERROR(p2_journal_begin(&frame), P2_OK);
    for (uint64_t task = 1; task <= 10; task++) {
        P2_ASSERT_ERROR(
            p2_journal_append(&frame, 0,
                              &(struct p2_journal_entry){.kind = P2_ENTRY_RESULT,
                                                         .task = task,
                                                         .bytes = p2_span(bytes, size)}),
            P2_OK);
    }
    P2_ASSERT_ERROR(p2_journal_reader_init(&reader, p2_buf_span(&frame)), P2_OK);
    for (uint64_t task = 1; task <= 10; task++) {
        CU_ASSERT(p2_journal_next(&reader, &entry));
        P2_ASSERT_EQUAL(entry.task, task);
        /* Six of a mebibyte and a head fit into seven. */
        P2_ASSERT_EQUAL(entry.kind, task <= 6 ? P2_ENTRY_RESULT : P2_ENTRY_RECOMPUTE);
    }
    P2_ASSERT_ERROR(p2_journal_reader_end(&reader), P2_OK);
    p2_buf_free(&frame);
    free(bytes);
}

static void what_has_no_shorter_form_is_refused_beyond_the_limit(void)
{
    const size_t size = (size_t)3 << 20;
    uint8_t *bytes = calloc(1, size);
    struct p2_journal_entry entry = {.kind = P2_ENTRY_CORRECTED, .bytes = p2_span(bytes, size)};
    struct p2_buf frame;
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    p2_buf_init(&frame, 4 * P2_JOURNAL_FRAME_MAX);
    P2_ASSERT_ERROR(p2_journal_begin(&frame), P2_OK);
    P2_ASSERT_ERROR(p2_journal_append(&frame, 0, &entry), P2_OK);
    P2_ASSERT_ERROR(p2_journal_append(&frame, 0, &entry), P2_OK);
    size_t before = frame.size;
    P2_ASSERT_ERROR(p2_journal_append(&frame, 0, &entry), P2_E_LIMIT);
    P2_ASSERT_EQUAL(frame.size, before);
    p2_buf_free(&frame);
    free(bytes);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_promise_is_given_after_the_commit_and_not_before),
        P2_TEST(frames_out_of_order_are_refused),
        P2_TEST(a_depth_for_the_next_frame_may_come_before_this_one_is_closed),
        P2_TEST(closing_gives_no_more_promises_but_writes_what_was_submitted),
        P2_TEST(a_full_disk_stops_promises_not_the_session_and_then_it_goes_on),
        P2_TEST(a_base_that_fails_leaves_what_was_promised_untouched),
        P2_TEST(frames_after_a_base_wait_in_memory_and_follow_it),
        P2_TEST(an_image_whose_successors_are_gone_is_no_base),
        P2_TEST(an_entry_that_cannot_be_kept_stops_the_journal),
        P2_TEST(images_are_due_at_their_times),
        P2_TEST(an_autosave_that_failed_is_due_again_with_the_next_checkpoint),
        P2_TEST(the_journal_keeps_what_the_older_checkpoint_needs_and_no_more),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo bytes[] = {
        P2_TEST(a_frame_has_the_bytes_of_its_layout),
        P2_TEST(cut_and_flipped_frames_are_corrupt_or_other_entries_never_worse),
        P2_TEST(results_beyond_the_limit_are_to_be_computed_again),
        P2_TEST(what_has_no_shorter_form_is_refused_beyond_the_limit),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"session_store", NULL, NULL, NULL, NULL, tests},
                             {"journal", NULL, NULL, NULL, NULL, bytes},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
