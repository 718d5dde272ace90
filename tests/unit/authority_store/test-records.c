/* Sessions, seats, helpers and settings come back as they were put; damage is left out and counted. */
#include "authority/store/records.h"
#include "session_fixture.h"

#include <string.h>

static struct session_fixture fixture;

static void submit(struct p2_batch *batch, int error)
{
    int result = p2_store_writer_submit(fixture.writer, batch, NULL, NULL);
    P2_ASSERT_ERROR(result, error);
    if (result != P2_OK) {
        p2_batch_free(batch);
    }
    fixture_commit(&fixture);
}

static struct p2_session_record session_record(uint64_t number)
{
    struct p2_session_record record = {.session = number,
                                       .game = "voxels",
                                       .name = "Friday night",
                                       .made_ms = 1700000000000,
                                       .is_locked = true,
                                       .more = p2_span("more", 4)};
    memset(record.seed, (int)number, sizeof record.seed);
    return record;
}

static unsigned visits;

static int see_session(void *ctx, const struct p2_session_record *record)
{
    struct p2_session_record expected = session_record(record->session);
    (void)ctx;
    visits++;
    CU_ASSERT_STRING_EQUAL(record->game, expected.game);
    CU_ASSERT_STRING_EQUAL(record->name, expected.name);
    P2_ASSERT_BYTES(record->seed, expected.seed, sizeof expected.seed);
    P2_ASSERT_EQUAL(record->made_ms, expected.made_ms);
    P2_ASSERT_EQUAL(record->ended_ms, 0);
    CU_ASSERT(record->is_locked);
    CU_ASSERT(p2_span_equal(record->more, expected.more));
    return P2_OK;
}

static int see_player(void *ctx, const struct p2_player_record *record)
{
    (void)ctx;
    visits++;
    P2_ASSERT_EQUAL(record->seat, 63);
    CU_ASSERT_STRING_EQUAL(record->name, "Ada");
    P2_ASSERT_EQUAL(record->id.bytes[31], 9);
    P2_ASSERT_EQUAL(record->left_ms, 5);
    CU_ASSERT(record->is_kicked);
    return P2_OK;
}

static void sessions_and_seats_come_back(void)
{
    size_t damaged = 0;
    fixture_begin(&fixture);
    struct p2_batch *batch = p2_batch_new();
    for (uint64_t i = 1; i <= 3; i++) {
        struct p2_session_record record = session_record(i);
        p2_session_record_put(batch, &record);
    }
    struct p2_player_record player = {
        .session = 2, .seat = 63, .name = "Ada", .joined_ms = 4, .left_ms = 5, .is_kicked = true};
    player.id.bytes[31] = 9;
    p2_player_record_put(batch, &player);
    submit(batch, P2_OK);
    visits = 0;
    P2_ASSERT_ERROR(p2_session_record_each(fixture.store, see_session, NULL, &damaged), P2_OK);
    P2_ASSERT_EQUAL(visits, 3);
    P2_ASSERT_EQUAL(damaged, 0);
    visits = 0;
    P2_ASSERT_ERROR(p2_player_record_each(fixture.store, 2, see_player, NULL, &damaged), P2_OK);
    P2_ASSERT_ERROR(p2_player_record_each(fixture.store, 1, see_player, NULL, &damaged), P2_OK);
    P2_ASSERT_EQUAL(visits, 1);
    /* A session that goes takes all it has along. */
    batch = p2_batch_new();
    p2_session_record_delete(batch, 2);
    submit(batch, P2_OK);
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_SESSIONS), 2);
    P2_ASSERT_EQUAL(fixture_count(&fixture, P2_TABLE_PLAYERS), 0);
    fixture_end(&fixture);
}

static void a_deleted_session_leaves_nothing_behind(void)
{
    fixture_begin(&fixture);
    fixture_run(&fixture, 5, true);
    P2_ASSERT_ERROR(fixture_image(&fixture, P2_DUE_CHECKPOINT, "mine"), P2_OK);
    fixture_commit(&fixture);
    struct p2_batch *batch = p2_batch_new();
    p2_session_record_delete(batch, FIXTURE_SESSION);
    submit(batch, P2_OK);
    for (int table = 0; table < P2_AUTHORITY_TABLES; table++) {
        P2_ASSERT_EQUAL(fixture_count(&fixture, (enum p2_authority_table)table), 0);
    }
    fixture_end(&fixture);
}

static void damaged_records_are_left_out_and_counted(void)
{
    size_t damaged = 0;
    fixture_begin(&fixture);
    struct p2_batch *batch = p2_batch_new();
    for (uint64_t i = 1; i <= 3; i++) {
        struct p2_session_record record = session_record(i);
        p2_session_record_put(batch, &record);
    }
    submit(batch, P2_OK);
    uint8_t key[8];
    p2_store_be64(key, 2);
    fixture_put(&fixture, P2_TABLE_SESSIONS, p2_span(key, sizeof key), p2_span("short", 5));
    visits = 0;
    P2_ASSERT_ERROR(p2_session_record_each(fixture.store, see_session, NULL, &damaged), P2_OK);
    P2_ASSERT_EQUAL(visits, 2);
    P2_ASSERT_EQUAL(damaged, 1);
    fixture_end(&fixture);
}

static void foreign_text_and_sizes_are_refused(void)
{
    static uint8_t large[P2_RECORD_BLOB_MAX + 1];
    fixture_begin(&fixture);
    struct p2_session_record record = session_record(1);
    record.name[3] = '\n';
    struct p2_batch *batch = p2_batch_new();
    p2_session_record_put(batch, &record);
    submit(batch, P2_E_INVALID);
    record = session_record(1);
    record.more = p2_span(large, sizeof large);
    batch = p2_batch_new();
    p2_session_record_put(batch, &record);
    submit(batch, P2_E_INVALID);
    batch = p2_batch_new();
    p2_player_record_put(batch, &(struct p2_player_record){.seat = P2_PLAYERS_MAX});
    submit(batch, P2_E_INVALID);
    fixture_end(&fixture);
}

static int see_helper(void *ctx, const struct p2_helper_memory *record)
{
    (void)ctx;
    visits++;
    P2_ASSERT_EQUAL(record->id.bytes[0], 1);
    P2_ASSERT_EQUAL(record->seen_ms, 2);
    P2_ASSERT_EQUAL(record->first_ms, 3);
    P2_ASSERT_EQUAL(record->availability, 4);
    P2_ASSERT_EQUAL(record->rtt_us, 5);
    P2_ASSERT_EQUAL(record->answered, 6);
    P2_ASSERT_EQUAL(record->missed, 7);
    P2_ASSERT_EQUAL(record->backoff_us, 8);
    P2_ASSERT_EQUAL(record->barred_until_ms, 9);
    CU_ASSERT(p2_span_equal(record->address, p2_span("here", 4)));
    return P2_OK;
}

static void helpers_and_settings_come_back(void)
{
    struct p2_helper_memory helper = {.seen_ms = 2,
                                      .first_ms = 3,
                                      .availability = 4,
                                      .rtt_us = 5,
                                      .answered = 6,
                                      .missed = 7,
                                      .backoff_us = 8,
                                      .barred_until_ms = 9,
                                      .address = p2_span("here", 4)};
    struct p2_buf value;
    fixture_begin(&fixture);
    p2_buf_init(&value, P2_RECORD_BLOB_MAX);
    helper.id.bytes[0] = 1;
    struct p2_batch *batch = p2_batch_new();
    p2_helper_memory_put(batch, &helper);
    p2_setting_put(batch, "port", p2_span("4321", 4));
    submit(batch, P2_OK);
    visits = 0;
    P2_ASSERT_ERROR(p2_helper_memory_each(fixture.store, see_helper, NULL, NULL), P2_OK);
    P2_ASSERT_EQUAL(visits, 1);
    P2_ASSERT_ERROR(p2_setting_get(fixture.store, "port", &value), P2_OK);
    CU_ASSERT(p2_span_equal(p2_buf_span(&value), p2_span("4321", 4)));
    P2_ASSERT_ERROR(p2_setting_get(fixture.store, "other", &value), P2_E_NOENT);
    p2_buf_free(&value);
    fixture_end(&fixture);
}

static void the_schema_is_valid(void)
{
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_schema_validate(&p2_authority_schema, &failure), P2_OK);
    for (int i = 0; i < P2_AUTHORITY_TABLES; i++) {
        P2_ASSERT_EQUAL(p2_authority_table((enum p2_authority_table)i)->id, i + 1);
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(sessions_and_seats_come_back),
        P2_TEST(a_deleted_session_leaves_nothing_behind),
        P2_TEST(damaged_records_are_left_out_and_counted),
        P2_TEST(foreign_text_and_sizes_are_refused),
        P2_TEST(helpers_and_settings_come_back),
        P2_TEST(the_schema_is_valid),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"records", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
