/* The writer: order, groups, failures, a full queue, a full disk, stopping; with and without a
 * thread. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* What completions saw, in order. */
static struct {
    int errors[4096];
    uint64_t keys[4096];
    size_t count;
    char message[P2_FAILURE_MESSAGE_MAX];
} seen;

static struct p2_store *store;
static struct p2_store_writer *writer;

static void on_done(void *ctx, int error, const struct p2_failure *failure)
{
    seen.keys[seen.count] = (uintptr_t)ctx;
    seen.errors[seen.count++] = error;
    if (error != P2_OK) {
        (void)snprintf(seen.message, sizeof seen.message, "%s", failure->message);
    }
}

static struct p2_batch *batch_put(uint64_t key, size_t size, bool is_insert)
{
    uint8_t name[8];
    struct p2_batch *batch = p2_batch_new();
    p2_store_be64(name, key);
    if (is_insert) {
        p2_batch_insert(batch, &fixture_tables[0], p2_span(name, 8), 1, fixture_bytes(key, size));
    } else {
        p2_batch_put(batch, &fixture_tables[0], p2_span(name, 8), 1, fixture_bytes(key, size));
    }
    return batch;
}

static void submit(uint64_t key, bool is_insert, uint64_t stream)
{
    struct p2_batch *batch = batch_put(key, 50, is_insert);
    p2_batch_set_stream(batch, stream);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, (void *)(uintptr_t)key), P2_OK);
}

static bool is_stored(uint64_t key)
{
    return fixture_holds(store, TABLE_A, key, fixture_bytes(key, 50).data, 50);
}

static void start(uv_loop_t *loop)
{
    struct p2_store_writer_options options = {.store = store, .loop = loop, .queue_batches = 2000};
    memset(&seen, 0, sizeof seen);
    P2_ASSERT_ERROR(p2_store_writer_new(&writer, &options), P2_OK);
}

static void count_stop(void *ctx)
{
    ++*(int *)ctx;
}

static void without_a_loop_a_run_commits_all_that_waits(void)
{
    int stops = 0;
    store = fixture_open();
    start(NULL);
    struct p2_store_stats before, after;
    P2_ASSERT_ERROR(p2_store_stats(store, &before), P2_OK);
    for (uint64_t i = 1; i <= 100; i++) {
        submit(i, false, 0);
    }
    P2_ASSERT_EQUAL(seen.count, 0);
    CU_ASSERT(!is_stored(1));
    CU_ASSERT(p2_store_writer_run(writer));
    CU_ASSERT(!p2_store_writer_run(writer));
    P2_ASSERT_ERROR(p2_store_stats(store, &after), P2_OK);
    P2_ASSERT_EQUAL(after.last_commit - before.last_commit, 1);
    P2_ASSERT_EQUAL(seen.count, 100);
    for (uint64_t i = 1; i <= 100; i++) {
        P2_ASSERT_EQUAL(seen.keys[i - 1], i);
        P2_ASSERT_ERROR(seen.errors[i - 1], P2_OK);
        CU_ASSERT(is_stored(i));
    }
    struct p2_store_writer_stats stats = p2_store_writer_stats(writer);
    P2_ASSERT_EQUAL(stats.batches, 100);
    P2_ASSERT_EQUAL(stats.commits, 1);
    P2_ASSERT_EQUAL(stats.largest_group, 100);
    P2_ASSERT_EQUAL(stats.queued, 0);
    P2_ASSERT_EQUAL(stats.queued_bytes, 0);
    submit(500, false, 0);
    p2_store_writer_stop(writer, count_stop, &stops);
    P2_ASSERT_EQUAL(stops, 1);
    CU_ASSERT(is_stored(500));
    struct p2_batch *late = batch_put(1, 1, false);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, late, on_done, NULL), P2_E_DRAINING);
    p2_batch_free(late);
    p2_store_writer_free(writer);
    fixture_close(store);
}

static void a_batch_that_fails_alone_leaves_its_group_alone(void)
{
    store = fixture_open();
    start(NULL);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 5, "taken", 5), P2_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        submit(i, true, 0);
    }
    (void)p2_store_writer_run(writer);
    for (uint64_t i = 1; i <= 10; i++) {
        P2_ASSERT_EQUAL(seen.keys[i - 1], i);
        P2_ASSERT_ERROR(seen.errors[i - 1], i == 5 ? P2_E_EXIST : P2_OK);
        CU_ASSERT(is_stored(i) == (i != 5));
    }
    CU_ASSERT(fixture_holds(store, TABLE_A, 5, "taken", 5));
    p2_store_writer_forget(writer);
    p2_store_writer_free(writer);
    fixture_close(store);
}

/* Submits the rest of the stream when the failure is told. */
static void resubmit(void *ctx, int error, const struct p2_failure *failure)
{
    on_done(ctx, error, failure);
    submit(20, false, 7);
}

static void a_stream_has_no_gap_after_a_failure(void)
{
    store = fixture_open();
    start(NULL);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 2, "taken", 5), P2_OK);
    submit(1, true, 7);
    struct p2_batch *bad = batch_put(2, 50, true);
    p2_batch_set_stream(bad, 7);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, bad, resubmit, (void *)(uintptr_t)2), P2_OK);
    submit(3, true, 7);
    submit(4, true, 8);
    submit(5, true, 0);
    /* Too large for the group: still waiting when the failure is told. */
    struct p2_batch *large = p2_batch_new();
    p2_batch_put(large, &fixture_tables[0], p2_span("large", 5), 1, fixture_bytes(6, 50));
    p2_batch_work(large, NULL, NULL, P2_STORE_GROUP_BYTES);
    p2_batch_set_stream(large, 7);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, large, on_done, (void *)(uintptr_t)6), P2_OK);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT(p2_store_writer_run(writer));
    }
    const int expected[] = {P2_OK, P2_E_EXIST, P2_E_CANCELLED, P2_OK, P2_OK, P2_E_CANCELLED, P2_OK};
    const uint64_t keys[] = {1, 2, 3, 4, 5, 6, 20};
    P2_ASSERT_EQUAL(seen.count, 7);
    for (size_t i = 0; i < 7; i++) {
        P2_ASSERT_EQUAL(seen.keys[i], keys[i]);
        P2_ASSERT_ERROR(seen.errors[i], expected[i]);
    }
    CU_ASSERT(is_stored(1) && !is_stored(3) && is_stored(4) && is_stored(5) && is_stored(20));
    p2_store_writer_forget(writer);
    p2_store_writer_free(writer);
    fixture_close(store);
}

static int work_runs;

static int count_work(struct p2_txn *txn, void *ctx)
{
    work_runs++;
    p2_txn_put(txn, &fixture_tables[1], p2_span("work", 4), 1, p2_span("done", 4));
    return *(int *)ctx;
}

static int delete_op_left(void)
{
    struct p2_store_stats stats;
    return p2_store_stats(store, &stats) == P2_OK ? (int)stats.records - 1 : -1;
}

static void batches_take_every_operation_and_work(void)
{
    int error = P2_OK;
    store = fixture_open();
    start(NULL);
    struct p2_batch *batch = batch_put(1, 50, false);
    p2_batch_insert(batch, &fixture_tables[1], p2_span("other", 5), 1, p2_span("x", 1));
    p2_batch_put(batch, &fixture_tables[1], p2_span("otter", 5), 1, p2_span("x", 1));
    p2_batch_work(batch, count_work, &error, 4);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
    (void)p2_store_writer_run(writer);
    P2_ASSERT_EQUAL(delete_op_left(), 4);
    batch = p2_batch_new();
    p2_batch_delete_prefix(batch, &fixture_tables[1], p2_span("ot", 2));
    p2_batch_delete(batch, &fixture_tables[1], p2_span("work", 4));
    p2_batch_delete(batch, &fixture_tables[1], p2_span("never", 5));
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, NULL, NULL), P2_OK);
    (void)p2_store_writer_run(writer);
    P2_ASSERT_EQUAL(delete_op_left(), 1);
    P2_ASSERT_EQUAL(work_runs, 1);
    /* The work's own error undoes the whole batch. */
    error = P2_E_RANGE;
    batch = batch_put(9, 50, false);
    p2_batch_work(batch, count_work, &error, 4);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
    (void)p2_store_writer_run(writer);
    P2_ASSERT_ERROR(seen.errors[1], P2_E_RANGE);
    P2_ASSERT_EQUAL(delete_op_left(), 1);
    /* Mistakes are told by submit. */
    batch = p2_batch_new();
    p2_batch_work(batch, count_work, &error, 4);
    p2_batch_work(batch, count_work, &error, 4);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_E_STATE);
    p2_batch_free(batch);
    static const uint8_t key[P2_STORE_KEY_MAX + 1];
    batch = p2_batch_new();
    p2_batch_delete(batch, &fixture_tables[0], p2_span(key, sizeof key));
    p2_batch_delete(batch, &fixture_tables[0], p2_span(key, 1));
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_E_INVALID);
    p2_batch_free(batch);
    p2_store_writer_forget(writer);
    p2_store_writer_free(writer);
    fixture_close(store);
}

static void a_full_queue_says_so_and_a_lone_batch_always_fits(void)
{
    store = fixture_open();
    struct p2_store_writer_options options = {
        .store = store, .queue_batches = 3, .queue_bytes = 5000};
    P2_ASSERT_ERROR(p2_store_writer_new(&writer, &options), P2_OK);
    memset(&seen, 0, sizeof seen);
    struct p2_batch *batch = batch_put(1, 10000, false);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
    batch = batch_put(2, 10, false);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_E_AGAIN);
    (void)p2_store_writer_run(writer);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
    submit(3, false, 0);
    submit(4, false, 0);
    batch = batch_put(5, 1, false);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_E_AGAIN);
    p2_batch_free(batch);
    p2_store_writer_forget(writer); /* as a power cut: nothing is told, nothing is there */
    P2_ASSERT_EQUAL(seen.count, 1);
    CU_ASSERT(!is_stored(3));
    p2_store_writer_free(writer);
    fixture_close(store);
}

/* ---- with a thread ----------------------------------------------------------------------------- */

static uint64_t next_key;

/* Checks commit-then-release, and keeps a few batches under way. */
static void on_threaded(void *ctx, int error, const struct p2_failure *failure)
{
    on_done(ctx, error, failure);
    CU_ASSERT(is_stored((uintptr_t)ctx));
    if (next_key <= 1000) {
        struct p2_batch *batch = batch_put(next_key, 50, true);
        void *key = (void *)(uintptr_t)next_key++;
        P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_threaded, key), P2_OK);
        CU_ASSERT(seen.count <= next_key); /* never before submit returned */
    }
}

static void completions_come_on_the_loop_after_the_commit_and_in_order(void)
{
    uv_loop_t loop;
    int stops = 0;
    CU_ASSERT_FATAL(uv_loop_init(&loop) == 0);
    store = fixture_open();
    start(&loop);
    for (next_key = 1; next_key <= 40; next_key++) {
        struct p2_batch *batch = batch_put(next_key, 50, true);
        void *key = (void *)(uintptr_t)next_key;
        P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_threaded, key), P2_OK);
    }
    P2_ASSERT_EQUAL(seen.count, 0);
    while (seen.count < 1000) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        P2_ASSERT_EQUAL(seen.keys[i], i + 1);
    }
    struct p2_store_writer_stats stats = p2_store_writer_stats(writer);
    CU_ASSERT(stats.commits < 1000); /* groups */
    p2_store_writer_stop(writer, count_stop, &stops);
    CU_ASSERT(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    P2_ASSERT_EQUAL(stops, 1);
    p2_store_writer_free(writer);
    CU_ASSERT(uv_loop_close(&loop) == 0);
    fixture_close(store);
}

static void stopping_commits_everything_first(void)
{
    uv_loop_t loop;
    int stops = 0;
    CU_ASSERT_FATAL(uv_loop_init(&loop) == 0);
    store = fixture_open();
    start(&loop);
    for (uint64_t i = 1; i <= 500; i++) {
        submit(i, false, 1);
    }
    p2_store_writer_stop(writer, count_stop, &stops);
    P2_ASSERT_EQUAL(stops, 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    P2_ASSERT_EQUAL(stops, 1);
    P2_ASSERT_EQUAL(seen.count, 500);
    for (uint64_t i = 1; i <= 500; i++) {
        CU_ASSERT(is_stored(i));
    }
    p2_store_writer_free(writer);
    CU_ASSERT(uv_loop_close(&loop) == 0);
    fixture_close(store);
}

/* ---- a full disk ------------------------------------------------------------------------------- */

static void a_full_disk_refuses_promises_and_goes_on_when_there_is_room(void)
{
    const char *folder = p2_test_folder_make();
    if (mount("tmpfs", folder, "tmpfs", 0, "size=4m,mode=0700") != 0) {
        (void)fprintf(stderr, "skipped: a small tmpfs needs root (%s)\n", strerror(errno));
        p2_test_folder_remove();
        return;
    }
    char path[4096], ballast[4096 + 16];
    (void)snprintf(path, sizeof path, "%s/store", folder);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    fixture_write_file(ballast, fixture_bytes(0, 1 << 20));
    struct p2_store_options options = fixture_options();
    options.folder = path;
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    start(NULL);
    uint64_t acknowledged = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        struct p2_batch *batch = batch_put(i, 100000, false);
        P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
        (void)p2_store_writer_run(writer);
        if (seen.errors[i - 1] != P2_OK) {
            break;
        }
        acknowledged = i;
    }
    CU_ASSERT(acknowledged > 5 && acknowledged < 40);
    P2_ASSERT_ERROR(seen.errors[acknowledged], P2_E_NODISK);
    CU_ASSERT(strstr(seen.message, "is full") != NULL);
    P2_ASSERT_ERROR(p2_store_writer_stats(writer).last_error, P2_E_NODISK);
    /* Reading goes on, and a small promise may still fit or is refused the same way. */
    for (uint64_t i = 1; i <= acknowledged; i++) {
        CU_ASSERT(fixture_holds(store, TABLE_A, i, fixture_bytes(i, 100000).data, 100000));
    }
    CU_ASSERT(unlink(ballast) == 0);
    struct p2_batch *batch = batch_put(1000, 100000, false);
    P2_ASSERT_ERROR(p2_store_writer_submit(writer, batch, on_done, NULL), P2_OK);
    (void)p2_store_writer_run(writer);
    P2_ASSERT_ERROR(seen.errors[seen.count - 1], P2_OK);
    P2_ASSERT_ERROR(p2_store_writer_stats(writer).last_error, P2_OK);
    p2_store_writer_stop(writer, NULL, NULL);
    p2_store_writer_free(writer);
    p2_store_close(store);
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    static struct p2_store_report report;
    P2_ASSERT_ERROR(p2_store_check(store, &report, NULL), P2_OK);
    P2_ASSERT_EQUAL(report.tables[TABLE_A].records, acknowledged + 1);
    p2_store_close(store);
    CU_ASSERT(umount(folder) == 0);
    p2_test_folder_remove();
}

int main(int argc, char **argv)
{
    CU_TestInfo alone[] = {
        P2_TEST(without_a_loop_a_run_commits_all_that_waits),
        P2_TEST(a_batch_that_fails_alone_leaves_its_group_alone),
        P2_TEST(a_stream_has_no_gap_after_a_failure),
        P2_TEST(batches_take_every_operation_and_work),
        P2_TEST(a_full_queue_says_so_and_a_lone_batch_always_fits),
        P2_TEST(a_full_disk_refuses_promises_and_goes_on_when_there_is_room),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo threads[] = {
        P2_TEST(completions_come_on_the_loop_after_the_commit_and_in_order),
        P2_TEST(stopping_commits_everything_first),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"without a thread", NULL, NULL, NULL, NULL, alone},
        {"with a thread", NULL, NULL, NULL, NULL, threads},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
