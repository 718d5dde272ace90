/* Transactions, cursors, growth, readers, opening. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- record layout ---------------------------------------------------------------------------- */

static void keys_sort_by_table_version_and_number(void)
{
    struct p2_entry_key a, b;
    uint8_t small[8], large[8];
    p2_store_be64(small, 255);
    p2_store_be64(large, 256);
    P2_ASSERT_ERROR(p2_entry_key(&a, 1, 2, p2_span(small, 8)), P2_OK);
    P2_ASSERT_ERROR(p2_entry_key(&b, 1, 2, p2_span(large, 8)), P2_OK);
    P2_ASSERT_EQUAL(a.size, 11);
    P2_ASSERT_BYTES(a.bytes, "\0\1\2\0\0\0\0\0\0\0\377", 11);
    CU_ASSERT(memcmp(a.bytes, b.bytes, 11) < 0);
    static const uint8_t long_key[P2_STORE_KEY_MAX + 1];
    P2_ASSERT_ERROR(p2_entry_key(&a, 1, 2, p2_span(long_key, sizeof long_key)), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_entry_key(&a, UINT16_MAX, 255, p2_span("\377", 1)), P2_OK);
    CU_ASSERT(!p2_entry_key_after(&a));
    P2_ASSERT_ERROR(p2_entry_key(&a, 1, 255, p2_span("\377", 1)), P2_OK);
    CU_ASSERT(p2_entry_key_after(&a));
    P2_ASSERT_EQUAL(a.size, 2);
    P2_ASSERT_BYTES(a.bytes, "\0\2", 2);
}

static void every_flipped_bit_of_a_record_is_found(void)
{
    uint8_t value[P2_ENTRY_VALUE_HEAD + 100], version;
    struct p2_span key = p2_span("\0\1\1some key", 11), payload;
    p2_entry_seal(value, key, 3, fixture_bytes(1, 100));
    P2_ASSERT_ERROR(p2_entry_open(key, p2_span(value, sizeof value), &version, &payload), P2_OK);
    P2_ASSERT_EQUAL(version, 3);
    P2_ASSERT_EQUAL(payload.size, 100);
    for (size_t bit = 0; bit < 8 * sizeof value; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        P2_ASSERT_ERROR(p2_entry_open(key, p2_span(value, sizeof value), &version, &payload),
                        P2_E_CORRUPT);
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof value; size++) {
        P2_ASSERT_ERROR(p2_entry_open(key, p2_span(value, size), &version, &payload), P2_E_CORRUPT);
    }
    P2_ASSERT_ERROR(p2_entry_open(p2_span("\0\1\1some kez", 11), p2_span(value, sizeof value),
                                  &version, &payload),
                    P2_E_CORRUPT);
}

/* ---- transactions ------------------------------------------------------------------------------ */

static void what_was_written_is_there_after_closing(void)
{
    struct p2_store *store = fixture_open();
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 7, "seven", 5), P2_OK);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_B, 7, "", 0), P2_OK);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 7, "SEVEN!", 6), P2_OK);
    p2_store_close(store);
    store = fixture_reopen(&fixture_schema);
    CU_ASSERT(fixture_holds(store, TABLE_A, 7, "SEVEN!", 6));
    CU_ASSERT(fixture_holds(store, TABLE_B, 7, NULL, 0));
    CU_ASSERT(!fixture_holds(store, TABLE_A, 8, NULL, 0));
    fixture_close(store);
}

static int fail_after_put(struct p2_txn *txn, void *ctx)
{
    p2_txn_put(txn, &fixture_tables[0], p2_span("12345678", 8), 1, p2_span("x", 1));
    return *(int *)ctx;
}

static int misuse(struct p2_txn *txn, void *ctx)
{
    uint8_t long_key[P2_STORE_KEY_MAX + 1] = {0};
    struct p2_buf buf;
    p2_buf_init(&buf, 16);
    p2_txn_put(txn, &fixture_tables[0], p2_span(long_key, sizeof long_key), 1, p2_span("x", 1));
    P2_ASSERT_ERROR(txn->error, P2_E_INVALID);
    /* Everything after the first error does nothing. */
    p2_txn_put(txn, &fixture_tables[0], p2_span("12345678", 8), 1, p2_span("x", 1));
    CU_ASSERT(!p2_txn_get(txn, &fixture_tables[0], p2_span("12345678", 8), NULL, &buf));
    CU_ASSERT(!p2_txn_has(txn, &fixture_tables[0], p2_span("12345678", 8)));
    CU_ASSERT(!p2_txn_delete(txn, &fixture_tables[0], p2_span("12345678", 8)));
    P2_ASSERT_EQUAL(p2_txn_delete_prefix(txn, &fixture_tables[0], p2_span("", 0)), 0);
    struct p2_cursor cursor;
    struct p2_entry record;
    p2_cursor_open(&cursor, txn, &fixture_tables[0], p2_span(NULL, 0), P2_CURSOR_UP);
    p2_cursor_range(&cursor, p2_span("a", 1), p2_span("b", 1));
    CU_ASSERT(!p2_cursor_next(&cursor, &record));
    p2_cursor_close(&cursor);
    (void)ctx;
    return P2_OK;
}

static void a_failed_transaction_leaves_nothing(void)
{
    struct p2_store *store = fixture_open();
    struct p2_failure failure;
    struct p2_store_stats before, after;
    int error = P2_E_CANCELLED;
    P2_ASSERT_ERROR(p2_store_stats(store, &before), P2_OK);
    P2_ASSERT_ERROR(p2_store_write(store, fail_after_put, &error, &failure), P2_E_CANCELLED);
    CU_ASSERT(strstr(failure.message, fixture_folder()) != NULL);
    P2_ASSERT_ERROR(p2_store_write(store, misuse, NULL, &failure), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_store_stats(store, &after), P2_OK);
    P2_ASSERT_EQUAL(after.records, before.records);
    P2_ASSERT_EQUAL(after.last_commit, before.last_commit);
    fixture_close(store);
}

static int insert_twice(struct p2_txn *txn, void *ctx)
{
    (void)ctx;
    p2_txn_insert(txn, &fixture_tables[0], p2_span("key", 3), 1, p2_span("1", 1));
    CU_ASSERT(p2_txn_has(txn, &fixture_tables[0], p2_span("key", 3)));
    P2_ASSERT_ERROR(txn->error, P2_OK);
    p2_txn_insert(txn, &fixture_tables[0], p2_span("key", 3), 1, p2_span("2", 1));
    return P2_OK;
}

static int delete_some(struct p2_txn *txn, void *ctx)
{
    (void)ctx;
    for (uint64_t i = 0; i < 600; i++) {
        uint8_t key[8];
        p2_store_be64(key, i);
        p2_txn_put(txn, &fixture_tables[0], p2_span(key, 8), 1, fixture_bytes(i, 64));
    }
    p2_txn_put(txn, &fixture_tables[1], p2_span("\0\0\0\0\0\0\0\1", 8), 1, p2_span("b", 1));
    /* 256..511 share seven bytes. */
    P2_ASSERT_EQUAL(p2_txn_delete_prefix(txn, &fixture_tables[0], p2_span("\0\0\0\0\0\0\1", 7)),
                    256);
    CU_ASSERT(p2_txn_delete(txn, &fixture_tables[0], p2_span("\0\0\0\0\0\0\0\1", 8)));
    CU_ASSERT(!p2_txn_delete(txn, &fixture_tables[0], p2_span("\0\0\0\0\0\0\0\1", 8)));
    return P2_OK;
}

static void inserts_refuse_and_deletes_take_what_they_name(void)
{
    struct p2_store *store = fixture_open();
    P2_ASSERT_ERROR(p2_store_write(store, insert_twice, NULL, NULL), P2_E_EXIST);
    P2_ASSERT_ERROR(p2_store_write(store, delete_some, NULL, NULL), P2_OK);
    struct p2_store_stats stats;
    P2_ASSERT_ERROR(p2_store_stats(store, &stats), P2_OK);
    P2_ASSERT_EQUAL(stats.records, 1 + 600 - 256 - 1 + 1);
    CU_ASSERT(!fixture_holds(store, TABLE_A, 300, NULL, 0));
    CU_ASSERT(fixture_holds(store, TABLE_A, 512, fixture_bytes(512, 64).data, 64));
    CU_ASSERT(fixture_holds(store, TABLE_B, 1, "b", 1));
    fixture_close(store);
}

static void a_reader_sees_what_was_there_when_it_began(void)
{
    struct p2_store *store = fixture_open();
    struct p2_txn txn;
    struct p2_buf buf;
    uint8_t key[8] = {0};
    p2_buf_init(&buf, 16);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 0, "old", 3), P2_OK);
    p2_txn_begin_read(&txn, store);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 0, "newer", 5), P2_OK);
    CU_ASSERT(p2_txn_get(&txn, &fixture_tables[0], p2_span(key, 8), NULL, &buf));
    P2_ASSERT_EQUAL(buf.size, 3);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    CU_ASSERT(fixture_holds(store, TABLE_A, 0, "newer", 5));
    /* A value longer than the buffer may grow is an error, not a part. */
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 0, "0123456789abcdefX", 17), P2_OK);
    p2_txn_begin_read(&txn, store);
    CU_ASSERT(!p2_txn_get(&txn, &fixture_tables[0], p2_span(key, 8), NULL, &buf));
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_E_LIMIT);
    p2_buf_free(&buf);
    fixture_close(store);
}

/* Walks and returns the keys as digits: "0.1.2". */
static const char *walk(struct p2_store *store, enum p2_cursor_order order, struct p2_span prefix,
                        struct p2_span first, struct p2_span end)
{
    static char text[256];
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry record;
    text[0] = '\0';
    p2_txn_begin_read(&txn, store);
    p2_cursor_open(&cursor, &txn, &fixture_tables[0], prefix, order);
    if (first.size > 0) {
        p2_cursor_range(&cursor, first, end);
    }
    while (p2_cursor_next(&cursor, &record)) {
        (void)strncat(text, (const char *)record.key.data, record.key.size);
        (void)strcat(text, ".");
        P2_ASSERT_EQUAL(record.payload.size, record.key.size);
        P2_ASSERT_EQUAL(record.version, 9);
    }
    CU_ASSERT(!p2_cursor_next(&cursor, &record));
    p2_cursor_close(&cursor);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    return text;
}

static int put_words(struct p2_txn *txn, void *ctx)
{
    static const char *const words[] = {"a", "aa", "ab", "b", "ba", "c"};
    (void)ctx;
    for (size_t i = 0; i < P2_COUNT_OF(words); i++) {
        struct p2_span word = p2_span(words[i], strlen(words[i]));
        p2_txn_put(txn, &fixture_tables[0], word, 9, word);
    }
    return P2_OK;
}

static void cursors_walk_prefixes_and_ranges_both_ways(void)
{
    struct p2_store *store = fixture_open();
    struct p2_span none = p2_span(NULL, 0), a = p2_span("a", 1), b = p2_span("b", 1);
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_DOWN, none, none, none), "");
    P2_ASSERT_ERROR(p2_store_write(store, put_words, NULL, NULL), P2_OK);
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_UP, none, none, none), "a.aa.ab.b.ba.c.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_DOWN, none, none, none), "c.ba.b.ab.aa.a.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_UP, a, none, none), "a.aa.ab.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_DOWN, a, none, none), "ab.aa.a.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_UP, p2_span("x", 1), none, none), "");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_UP, none, p2_span("aa", 2), b), "aa.ab.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_UP, none, b, none), "b.ba.c.");
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_DOWN, none, a, p2_span("ba", 2)), "b.ab.aa.a.");
    P2_ASSERT_ERROR(fixture_put(store, TABLE_B, 1, "x", 1), P2_OK);
    CU_ASSERT_STRING_EQUAL(walk(store, P2_CURSOR_DOWN, none, none, none), "c.ba.b.ab.aa.a.");
    fixture_close(store);
}

/* ---- growth and readers ------------------------------------------------------------------------ */

static void the_map_grows_by_itself_up_to_its_limit(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_stats stats;
    p2_store_close(store);
    struct p2_store_options options = fixture_options();
    options.map_max_bytes = 8 << 20;
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    uint64_t i = 0;
    int error = P2_OK;
    for (; i < 200 && error == P2_OK; i++) {
        error = fixture_put(store, TABLE_A, i, fixture_bytes(i, 100000).data, 100000);
    }
    P2_ASSERT_ERROR(error, P2_E_LIMIT);
    P2_ASSERT_ERROR(p2_store_stats(store, &stats), P2_OK);
    P2_ASSERT_EQUAL(stats.map_bytes, 8 << 20);
    P2_ASSERT_EQUAL(stats.growths, 3); /* 1, 2, 4, 8 MiB */
    P2_ASSERT_EQUAL(stats.records, i - 1 + 1);
    for (uint64_t j = 0; j + 1 < i; j++) {
        CU_ASSERT(fixture_holds(store, TABLE_A, j, fixture_bytes(j, 100000).data, 100000));
    }
    p2_store_close(store);
    /* A larger limit, and it goes on. */
    options.map_max_bytes = 0;
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, i, fixture_bytes(i, 100000).data, 100000), P2_OK);
    fixture_close(store);
}

/* Takes all slots for readers in a process of its own and dies. */
static void die_reading(void)
{
    MDB_env *env;
    MDB_txn *txn = NULL;
    if (mdb_env_create(&env) == 0 && mdb_env_set_maxreaders(env, 4) == 0 &&
        mdb_env_open(env, fixture_folder(), MDB_NOTLS | MDB_RDONLY, 0600) == 0) {
        for (int i = 0; i < 4; i++) {
            if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0) {
                break;
            }
        }
    }
    (void)kill(getpid(), SIGKILL);
}

static void slots_of_dead_readers_are_taken_back(void)
{
    struct p2_store *store = fixture_open();
    struct p2_txn txns[5];
    int status;
    p2_store_close(store);
    struct p2_store_options options = fixture_options();
    options.readers_max = 4;
    CU_ASSERT(unlink(fixture_path("lock.mdb")) == 0); /* it has slots for more */
    P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
    pid_t child = fork();
    if (child == 0) {
        die_reading();
    }
    P2_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    for (size_t i = 0; i < 4; i++) {
        p2_txn_begin_read(&txns[i], store);
        P2_ASSERT_ERROR(txns[i].error, P2_OK);
    }
    p2_txn_begin_read(&txns[4], store);
    P2_ASSERT_ERROR(txns[4].error, P2_E_LIMIT);
    for (size_t i = 0; i < 5; i++) {
        (void)p2_txn_end_read(&txns[i]);
    }
    struct p2_store_stats stats;
    P2_ASSERT_ERROR(p2_store_stats(store, &stats), P2_OK);
    P2_ASSERT_EQUAL(stats.stale_cleared, 4);
    P2_ASSERT_EQUAL(p2_store_clear_stale_readers(store), 0);
    fixture_close(store);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static void a_store_that_is_open_is_refused_by_name_of_the_process(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process (%ld)", (long)getpid());
    fixture_refuses(&options, P2_E_EXIST, pid);
    fixture_close(store);
}

static void wrong_modes_and_kinds_are_refused(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    p2_store_close(store);
    CU_ASSERT(chmod(fixture_folder(), 0750) == 0);
    fixture_refuses(&options, P2_E_BAD_MODE, "chmod 0700");
    CU_ASSERT(chmod(fixture_folder(), 0700) == 0);
    CU_ASSERT(chmod(fixture_path("data.mdb"), 0644) == 0);
    fixture_refuses(&options, P2_E_BAD_MODE, "chmod 0600");
    CU_ASSERT(chmod(fixture_path("data.mdb"), 0600) == 0);
    CU_ASSERT(chmod(fixture_path("lock.mdb"), 0666) == 0);
    fixture_refuses(&options, P2_E_BAD_MODE, "lock.mdb");
    CU_ASSERT(unlink(fixture_path("lock.mdb")) == 0);
    if (geteuid() == 0) {
        CU_ASSERT(chown(fixture_path("data.mdb"), 12345, (gid_t)-1) == 0);
        fixture_refuses(&options, P2_E_BAD_MODE, "user 12345");
    }
    CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    CU_ASSERT(symlink("elsewhere", fixture_path("data.mdb")) == 0);
    fixture_refuses(&options, P2_E_BAD_MODE, "not a regular file");
    options.folder = fixture_path("owner.lock");
    char file[PATH_MAX];
    (void)snprintf(file, sizeof file, "%s", fixture_path("owner.lock"));
    options.folder = file;
    fixture_refuses(&options, P2_E_BAD_MODE, "not a folder");
    fixture_close(NULL);
}

static void missing_stores_are_made_or_refused_as_asked(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    struct stat status;
    CU_ASSERT(stat(fixture_folder(), &status) == 0 && (status.st_mode & 07777) == 0700);
    CU_ASSERT(stat(fixture_path("data.mdb"), &status) == 0 && (status.st_mode & 07777) == 0600);
    CU_ASSERT(stat(fixture_path("new"), &status) != 0 && errno == ENOENT);
    p2_store_close(store);
    options.must_exist = true;
    CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    fixture_refuses(&options, P2_E_NOENT, "holds no store");
    options.folder = "";
    fixture_refuses(&options, P2_E_INVALID, "folder");
    char deep[PATH_MAX];
    (void)snprintf(deep, sizeof deep, "%s", fixture_path("no/where"));
    options.folder = deep;
    fixture_refuses(&options, P2_E_NOENT, "no/where");
    options.must_exist = false;
    fixture_refuses(&options, P2_E_NOENT, "no/where");
    fixture_close(NULL);
}

static void half_of_a_new_store_is_swept_away(void)
{
    struct p2_store *store = fixture_open();
    p2_store_close(store);
    CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    CU_ASSERT(mkdir(fixture_path("new"), 0700) == 0);
    fixture_write_file(fixture_path("new/data.mdb"), p2_span("half", 4));
    store = fixture_reopen(&fixture_schema);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 1, "x", 1), P2_OK);
    p2_store_close(store);
    /* Something else of that name is not ours to remove. */
    CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    CU_ASSERT(mkdir(fixture_path("new"), 0700) == 0);
    CU_ASSERT(mkdir(fixture_path("new/mine"), 0700) == 0);
    struct p2_store_options options = fixture_options();
    fixture_refuses(&options, P2_E_IO, "new");
    fixture_close(NULL);
}

static void a_read_only_file_system_is_named(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    p2_store_close(store);
    if (mount(fixture_folder(), fixture_folder(), NULL, MS_BIND, NULL) != 0) {
        (void)fprintf(stderr, "skipped: a read-only mount needs root (%s)\n", strerror(errno));
    } else {
        CU_ASSERT(mount(NULL, fixture_folder(), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
        fixture_refuses(&options, P2_E_PERM, "read-only");
        CU_ASSERT(umount(fixture_folder()) == 0);
    }
    fixture_close(NULL);
}

int main(int argc, char **argv)
{
    CU_TestInfo records[] = {
        P2_TEST(keys_sort_by_table_version_and_number),
        P2_TEST(every_flipped_bit_of_a_record_is_found),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo transactions[] = {
        P2_TEST(what_was_written_is_there_after_closing),
        P2_TEST(a_failed_transaction_leaves_nothing),
        P2_TEST(inserts_refuse_and_deletes_take_what_they_name),
        P2_TEST(a_reader_sees_what_was_there_when_it_began),
        P2_TEST(cursors_walk_prefixes_and_ranges_both_ways),
        P2_TEST(the_map_grows_by_itself_up_to_its_limit),
        P2_TEST(slots_of_dead_readers_are_taken_back),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo opening[] = {
        P2_TEST(a_store_that_is_open_is_refused_by_name_of_the_process),
        P2_TEST(wrong_modes_and_kinds_are_refused),
        P2_TEST(missing_stores_are_made_or_refused_as_asked),
        P2_TEST(half_of_a_new_store_is_swept_away),
        P2_TEST(a_read_only_file_system_is_named),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"records", NULL, NULL, NULL, NULL, records},
        {"transactions", NULL, NULL, NULL, NULL, transactions},
        {"opening", NULL, NULL, NULL, NULL, opening},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
