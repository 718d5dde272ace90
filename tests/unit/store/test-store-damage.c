/* Damage and the check that finds it; migrations, backups. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- damage ------------------------------------------------------------------------------------ */

#define RECORDS 300

/* A store of some pages of every kind, with free ones. */
static void fill(struct p2_store *store)
{
    for (uint64_t i = 0; i < RECORDS; i += 100) {
        P2_ASSERT_ERROR(fixture_put(store, TABLE_B, i, fixture_bytes(i, 9000).data, 9000), P2_OK);
        P2_ASSERT_ERROR(fixture_put(store, TABLE_B, i, fixture_bytes(i, 9000).data, 9000), P2_OK);
    }
    for (uint64_t i = 0; i < RECORDS; i++) {
        P2_ASSERT_ERROR(fixture_put(store, TABLE_A, i, fixture_bytes(i, 90).data, 90), P2_OK);
    }
}

static bool is_filled(struct p2_store *store, uint64_t records)
{
    bool is_whole = true;
    for (uint64_t i = 0; i < records; i++) {
        is_whole = is_whole && fixture_holds(store, TABLE_A, i, fixture_bytes(i, 90).data, 90);
    }
    for (uint64_t i = 0; i < RECORDS; i += 100) {
        is_whole = is_whole && fixture_holds(store, TABLE_B, i, fixture_bytes(i, 9000).data, 9000);
    }
    return is_whole;
}

static void truncated_files_are_refused_or_whole(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    fill(store);
    p2_store_close(store);
    struct p2_span file = fixture_read_file(fixture_path("data.mdb"));
    unsigned refused = 0, opened = 0;
    for (size_t size = 0; size < file.size; size += size % 4096 == 0 ? 1000 : 3096) {
        struct p2_failure failure = {0};
        fixture_write_file(fixture_path("data.mdb"), p2_span(file.data, size));
        int error = p2_store_open(&store, &options, &failure);
        if (error == P2_OK) {
            CU_ASSERT(is_filled(store, RECORDS));
            opened++;
            p2_store_close(store);
        } else {
            P2_ASSERT_ERROR(error, P2_E_CORRUPT);
            CU_ASSERT(failure.message[0] != '\0');
            refused++;
        }
    }
    CU_ASSERT(refused > 20 && opened < refused);
    free((void *)(uintptr_t)file.data);
    fixture_close(NULL);
}

/* Returns true when the damage was refused or found. */
static bool survives(const struct p2_store_options *options)
{
    static struct p2_store_report report;
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    int error = p2_store_open(&store, options, &failure);
    if (error == P2_OK) {
        error = p2_store_check(store, &report, &failure);
        if (error == P2_OK) {
            /* LMDB's meta pages carry no checksum: a flip of the commit number leads to the commit
             * before. */
            CU_ASSERT(is_filled(store, RECORDS) || is_filled(store, RECORDS - 1));
        }
    }
    CU_ASSERT(error == P2_OK || error == P2_E_CORRUPT || error == P2_E_NEW_SCHEMA);
    CU_ASSERT(error == P2_OK || failure.message[0] != '\0');
    p2_store_close(store);
    return error != P2_OK;
}

static void flipped_bits_are_found_or_harmless(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    fill(store);
    p2_store_close(store);
    struct p2_span file = fixture_read_file(fixture_path("data.mdb"));
    int fd = open(fixture_path("data.mdb"), O_RDWR | O_CLOEXEC);
    unsigned found = 0, tried = 0;
    /* All of both meta pages' content and the heads of the pages, a sample of the rest. */
    for (size_t at = 0; at < file.size; at += at < 200 || (at >= 4096 && at < 4296) ? 1
                                              : at % 4096 < 48                      ? 3
                                                                                    : 61) {
        uint8_t byte = (uint8_t)(file.data[at] ^ (1u << (at * 5 % 8)));
        CU_ASSERT(pwrite(fd, &byte, 1, (off_t)at) == 1);
        found += survives(&options);
        tried++;
        /* Opening may have written: everything back as it was. */
        CU_ASSERT(pwrite(fd, file.data, file.size, 0) == (ssize_t)file.size);
    }
    (void)close(fd);
    CU_ASSERT(found > tried / 4);
    free((void *)(uintptr_t)file.data);
    fixture_close(NULL);
}

static void other_files_are_no_stores(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    p2_store_close(store);
    static uint8_t zeros[65536];
    fixture_write_file(fixture_path("data.mdb"), p2_span(zeros, sizeof zeros));
    fixture_refuses(&options, P2_E_CORRUPT, "damaged");
    fixture_write_file(fixture_path("data.mdb"), p2_span("", 0));
    fixture_refuses(&options, P2_E_CORRUPT, "damaged");
    CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    /* LMDB's, but not ours: empty, and with another's records. */
    for (int is_filled_store = 0; is_filled_store < 2; is_filled_store++) {
        MDB_env *env;
        MDB_txn *txn = NULL;
        MDB_dbi dbi = 0;
        char text[] = "word";
        MDB_val word = {4, text};
        CU_ASSERT_FATAL(
            mdb_env_create(&env) == 0 && mdb_env_open(env, fixture_folder(), 0, 0600) == 0 &&
            mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &dbi) == 0);
        CU_ASSERT(is_filled_store == 0 || mdb_put(txn, dbi, &word, &word, 0) == 0);
        CU_ASSERT(mdb_txn_commit(txn) == 0);
        mdb_env_close(env);
        if (is_filled_store != 0) {
            fixture_refuses(&options, P2_E_CORRUPT, "not ours");
        } else {
            P2_ASSERT_ERROR(p2_store_open(&store, &options, NULL), P2_OK);
            p2_store_close(store);
        }
        CU_ASSERT(unlink(fixture_path("data.mdb")) == 0);
    }
    fixture_close(NULL);
}

static void the_check_counts_what_is_there(void)
{
    struct p2_store *store = fixture_open();
    static struct p2_store_report report;
    struct p2_failure failure;
    fill(store);
    P2_ASSERT_ERROR(p2_store_check(store, &report, &failure), P2_OK);
    P2_ASSERT_EQUAL(report.tables[TABLE_A].records, RECORDS);
    P2_ASSERT_EQUAL(report.tables[TABLE_B].records, 3);
    P2_ASSERT_EQUAL(report.tables[TABLE_A].bytes, RECORDS * (3 + 8 + 9 + 90));
    P2_ASSERT_EQUAL(report.records, RECORDS + 3 + 1);
    P2_ASSERT_EQUAL(report.pages.records, report.records);
    CU_ASSERT(report.pages.is_complete);
    P2_ASSERT_EQUAL(report.pages.unaccounted, 0);
    P2_ASSERT_EQUAL(report.pages.overflow, 9);
    CU_ASSERT(report.pages.free_pages > 0);
    struct p2_store_stats stats;
    P2_ASSERT_ERROR(p2_store_stats(store, &stats), P2_OK);
    P2_ASSERT_EQUAL(stats.last_commit, report.pages.commit);
    fixture_close(store);
}

/* Writes raw records with LMDB itself. */
static void put_raw(struct p2_span key, struct p2_span value)
{
    MDB_env *env;
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    uint8_t bytes[2][64];
    memcpy(bytes[0], key.data, key.size);
    memcpy(bytes[1], value.data, value.size);
    MDB_val raw_key = {key.size, bytes[0]}, raw_value = {value.size, bytes[1]};
    CU_ASSERT_FATAL(
        mdb_env_create(&env) == 0 && mdb_env_open(env, fixture_folder(), 0, 0600) == 0 &&
        mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &dbi) == 0);
    CU_ASSERT(mdb_put(txn, dbi, &raw_key, &raw_value, 0) == 0);
    CU_ASSERT(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

static void the_check_names_damaged_and_unknown_records(void)
{
    static struct p2_store_report report;
    struct p2_failure failure = {0};
    struct p2_span key = p2_span("\0\1\1\0\0\0\0\0\0\0\5", 11), stranger = p2_span("\0\115\1k", 4);
    struct p2_store *store = fixture_open();
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 4, "good", 4), P2_OK);
    p2_store_close(store);
    put_raw(key, p2_span("\1notachecksum", 13));
    store = fixture_reopen(&fixture_schema);
    P2_ASSERT_ERROR(p2_store_check(store, &report, &failure), P2_E_CORRUPT);
    CU_ASSERT(strstr(failure.message, "of table 1, is damaged") != NULL);
    P2_ASSERT_EQUAL(report.damaged, 1);
    P2_ASSERT_EQUAL(report.tables[TABLE_A].damaged, 1);
    P2_ASSERT_EQUAL(report.tables[TABLE_A].records, 2);
    /* Reading it is an error, a walk that skips it goes on. */
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry entry;
    p2_txn_begin_read(&txn, store);
    p2_cursor_open(&cursor, &txn, &fixture_tables[0], p2_span(NULL, 0), P2_CURSOR_DOWN);
    p2_cursor_skip_damaged(&cursor);
    CU_ASSERT(p2_cursor_next(&cursor, &entry) && p2_load_be64(entry.key.data) == 4);
    P2_ASSERT_EQUAL(cursor.damaged, 1);
    p2_cursor_close(&cursor);
    p2_cursor_open(&cursor, &txn, &fixture_tables[0], p2_span(NULL, 0), P2_CURSOR_DOWN);
    CU_ASSERT(!p2_cursor_next(&cursor, &entry));
    p2_cursor_close(&cursor);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_E_CORRUPT);
    p2_store_close(store);
    uint8_t value[P2_ENTRY_VALUE_HEAD + 1];
    p2_entry_seal(value, stranger, 1, p2_span("x", 1));
    put_raw(stranger, p2_span(value, sizeof value));
    store = fixture_reopen(&fixture_schema);
    P2_ASSERT_ERROR(p2_store_check(store, &report, &failure), P2_E_CORRUPT);
    P2_ASSERT_EQUAL(report.unknown, 1);
    CU_ASSERT_PTR_NULL(p2_schema_find(&fixture_schema, 77));
    p2_store_close(store);
    /* The description itself. */
    put_raw(p2_span("\0\0\1tables", 9), p2_span("\1notachecksum", 13));
    struct p2_store_options options = fixture_options();
    fixture_refuses(&options, P2_E_CORRUPT, "does not describe its tables");
    fixture_close(NULL);
}

/* ---- schemas ----------------------------------------------------------------------------------- */

static int upgrades, fail_upgrade_at;

/* Payload "x" of version n becomes "x+" of version n + 1. */
static int upgrade(struct p2_txn *txn, const struct p2_table *from, const struct p2_table *to)
{
    for (;;) {
        struct p2_cursor cursor;
        struct p2_entry record;
        uint8_t text[16];
        p2_cursor_open(&cursor, txn, from, p2_span(NULL, 0), P2_CURSOR_UP);
        bool has_more = p2_cursor_next(&cursor, &record);
        if (has_more) {
            struct p2_writer out;
            p2_writer_init(&out, text, sizeof text);
            p2_writer_bytes(&out, record.payload);
            p2_writer_u8(&out, '+');
            uint8_t key[8];
            memcpy(key, record.key.data, 8);
            p2_cursor_close(&cursor);
            p2_txn_put(txn, to, p2_span(key, 8), 1, p2_writer_span(&out));
            (void)p2_txn_delete(txn, from, p2_span(key, 8));
        } else {
            p2_cursor_close(&cursor);
            break;
        }
        if (++upgrades == fail_upgrade_at) {
            return P2_E_CANCELLED;
        }
    }
    return P2_OK;
}

static int forget_to_upgrade(struct p2_txn *txn, const struct p2_table *from,
                             const struct p2_table *to)
{
    (void)txn;
    (void)from;
    (void)to;
    return P2_OK;
}

static struct p2_table newer_tables[2];
static const struct p2_schema newer_schema = {
    .program = "p2c2r-test", .tables = newer_tables, .table_count = 2};

static void make_newer(uint8_t version, p2_table_migrate_fn *migrate)
{
    newer_tables[0] = fixture_tables[0];
    newer_tables[1] = fixture_tables[1];
    newer_tables[0].version = version;
    newer_tables[0].migrate = migrate;
}

static bool holds_version(struct p2_store *store, uint64_t key, const char *text)
{
    struct p2_txn txn;
    struct p2_buf buf;
    uint8_t name[8];
    p2_store_be64(name, key);
    p2_buf_init(&buf, 64);
    p2_txn_begin_read(&txn, store);
    bool is_there = p2_txn_get(&txn, &newer_tables[0], p2_span(name, 8), NULL, &buf) &&
                    p2_span_equal(p2_buf_span(&buf), p2_span(text, strlen(text)));
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    p2_buf_free(&buf);
    return is_there;
}

static void a_migration_happens_whole_or_not_at_all(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    for (uint64_t i = 0; i < 10; i++) {
        P2_ASSERT_ERROR(fixture_put(store, TABLE_A, i, "x", 1), P2_OK);
    }
    p2_store_close(store);
    make_newer(3, upgrade);
    options.schema = &newer_schema;
    for (fail_upgrade_at = 1; fail_upgrade_at <= 20; fail_upgrade_at++) {
        upgrades = 0;
        fixture_refuses(&options, P2_E_CANCELLED, "nothing was changed");
        store = fixture_reopen(&fixture_schema);
        for (uint64_t i = 0; i < 10; i++) {
            CU_ASSERT(fixture_holds(store, TABLE_A, i, "x", 1));
        }
        p2_store_close(store);
    }
    upgrades = fail_upgrade_at = 0;
    store = fixture_reopen(&newer_schema);
    P2_ASSERT_EQUAL(upgrades, 20);
    for (uint64_t i = 0; i < 10; i++) {
        CU_ASSERT(holds_version(store, i, "x++"));
    }
    p2_store_close(store);
    store = fixture_reopen(&newer_schema);
    P2_ASSERT_EQUAL(upgrades, 20);
    p2_store_close(store);
    /* The older program sees a newer store. */
    options.schema = &fixture_schema;
    fixture_refuses(&options, P2_E_NEW_SCHEMA, "newer program");
    fixture_close(NULL);
}

static void schemas_that_do_not_fit_are_refused(void)
{
    struct p2_store *store = fixture_open();
    struct p2_store_options options = fixture_options();
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 1, "x", 1), P2_OK);
    p2_store_close(store);
    make_newer(2, forget_to_upgrade);
    options.schema = &newer_schema;
    fixture_refuses(&options, P2_E_BUG, "left records behind");
    make_newer(2, NULL);
    fixture_refuses(&options, P2_E_INVALID, "migration");
    make_newer(1, NULL);
    newer_tables[1].id = 1;
    fixture_refuses(&options, P2_E_INVALID, "same id");
    newer_tables[1].id = 0;
    fixture_refuses(&options, P2_E_INVALID, "an id");
    struct p2_schema other = fixture_schema;
    options.schema = &other;
    other.program = "p2c2r-other";
    fixture_refuses(&options, P2_E_CORRUPT, "another program");
    other.program = "P2C2R!";
    fixture_refuses(&options, P2_E_INVALID, "program");
    other = fixture_schema;
    other.table_count = 1; /* a program that does not know table b */
    fixture_refuses(&options, P2_E_NEW_SCHEMA, "table b, id 2");
    /* A table that is added needs no migration. */
    static struct p2_table three[3];
    static const struct p2_schema grown = {
        .program = "p2c2r-test", .tables = three, .table_count = 3};
    memcpy(three, fixture_tables, sizeof fixture_tables);
    three[2] = (struct p2_table){.name = "c", .id = 3, .version = 1};
    store = fixture_reopen(&grown);
    CU_ASSERT(fixture_holds(store, TABLE_A, 1, "x", 1));
    p2_store_close(store);
    options.schema = &fixture_schema;
    fixture_refuses(&options, P2_E_NEW_SCHEMA, "table c, id 3");
    fixture_close(NULL);
}

/* ---- backup and tools ---------------------------------------------------------------------------- */

static void a_backup_is_a_store(void)
{
    struct p2_store *store = fixture_open();
    fill(store);
    char folder[PATH_MAX], path[PATH_MAX + 16];
    (void)snprintf(folder, sizeof folder, "%s", fixture_path("copy"));
    (void)snprintf(path, sizeof path, "%s/data.mdb", folder);
    CU_ASSERT(mkdir(folder, 0700) == 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    P2_ASSERT_ERROR(p2_store_backup(store, fd, NULL), P2_OK);
    (void)close(fd);
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 0, "later", 5), P2_OK);
    struct p2_store *copy = NULL;
    struct p2_store_options options = fixture_options();
    options.folder = folder;
    options.must_exist = true;
    P2_ASSERT_ERROR(p2_store_open(&copy, &options, NULL), P2_OK);
    CU_ASSERT(is_filled(copy, RECORDS));
    static struct p2_store_report report;
    P2_ASSERT_ERROR(p2_store_check(copy, &report, NULL), P2_OK);
    P2_ASSERT_EQUAL(report.pages.free_pages, 0);
    p2_store_close(copy);
    struct p2_failure failure;
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    P2_ASSERT_ERROR(p2_store_backup(store, fd, &failure), P2_E_NODISK);
    (void)close(fd);
    fixture_close(store);
}

static bool run_tool(const char *command, const char *words)
{
    char line[PATH_MAX + 64], output[8192] = "";
    (void)snprintf(line, sizeof line, "%s %s", command, fixture_folder());
    FILE *pipe = popen(line, "r");
    if (pipe == NULL) {
        return false;
    }
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = '\0';
    return pclose(pipe) == 0 && strstr(output, words) != NULL;
}

static void lmdbs_own_tools_read_a_running_store(void)
{
    struct p2_store *store = fixture_open();
    P2_ASSERT_ERROR(fixture_put(store, TABLE_A, 1, "x", 1), P2_OK);
    if (access("/usr/bin/mdb_stat", X_OK) != 0) {
        (void)fprintf(stderr, "skipped: mdb_stat is not installed (lmdb-utils)\n");
    } else {
        CU_ASSERT(run_tool("/usr/bin/mdb_stat", "Entries: 2"));
        /* Table 1, version 1, key 1. */
        CU_ASSERT(run_tool("/usr/bin/mdb_dump", " 0001010000000000000001\n"));
    }
    fixture_close(store);
}

int main(int argc, char **argv)
{
    CU_TestInfo damage[] = {
        P2_TEST(truncated_files_are_refused_or_whole),
        P2_TEST(flipped_bits_are_found_or_harmless),
        P2_TEST(other_files_are_no_stores),
        P2_TEST(the_check_counts_what_is_there),
        P2_TEST(the_check_names_damaged_and_unknown_records),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo schemas[] = {
        P2_TEST(a_migration_happens_whole_or_not_at_all),
        P2_TEST(schemas_that_do_not_fit_are_refused),
        P2_TEST(a_backup_is_a_store),
        P2_TEST(lmdbs_own_tools_read_a_running_store),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"damage", NULL, NULL, NULL, NULL, damage},
        {"schemas", NULL, NULL, NULL, NULL, schemas},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
