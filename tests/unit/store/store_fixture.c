#include "store_fixture.h"

#include "base/crypto.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct p2_table fixture_tables[2] = {
    {.name = "a", .id = 1, .version = 1, .owner = "test", .key_layout = "number u64"},
    {.name = "b", .id = 2, .version = 1, .owner = "test", .key_layout = "number u64"},
};
const struct p2_schema fixture_schema = {
    .program = "p2c2r-test", .tables = fixture_tables, .table_count = 2};

static char folder[PATH_MAX];

const char *fixture_folder(void)
{
    return folder;
}

const char *fixture_path(const char *name)
{
    static char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

struct p2_store_options fixture_options(void)
{
    return (struct p2_store_options){
        .folder = folder, .schema = &fixture_schema, .map_initial_bytes = 1 << 20};
}

struct p2_store *fixture_open(void)
{
    (void)snprintf(folder, sizeof folder, "%s/store", p2_test_folder_make());
    return fixture_reopen(&fixture_schema);
}

struct p2_store *fixture_reopen(const struct p2_schema *schema)
{
    struct p2_store_options options = fixture_options();
    struct p2_store *store = NULL;
    struct p2_failure failure = {0};
    options.schema = schema;
    P2_ASSERT_ERROR(p2_store_open(&store, &options, &failure), P2_OK);
    if (store == NULL) {
        (void)fprintf(stderr, "%s\n", failure.message);
    }
    return store;
}

void fixture_close(struct p2_store *store)
{
    p2_store_close(store);
    p2_test_folder_remove();
}

void fixture_refuses(const struct p2_store_options *options, int error, const char *words)
{
    struct p2_store *store = NULL;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_store_open(&store, options, &failure), error);
    CU_ASSERT_PTR_NULL(store);
    if (strstr(failure.message, words) == NULL) {
        (void)fprintf(stderr, "\"%s\" does not say \"%s\"\n", failure.message, words);
        CU_FAIL("the message misses its words");
    }
    p2_store_close(store);
}

struct put {
    int table;
    uint8_t key[8];
    struct p2_span bytes;
};

static int put_in(struct p2_txn *txn, void *ctx)
{
    const struct put *put = ctx;
    p2_txn_put(txn, &fixture_tables[put->table], p2_span(put->key, 8), 1, put->bytes);
    return P2_OK;
}

int fixture_put(struct p2_store *store, int table, uint64_t key, const void *bytes, size_t size)
{
    struct put put = {.table = table, .bytes = p2_span(bytes, size)};
    p2_store_be64(put.key, key);
    return p2_store_write(store, put_in, &put, NULL);
}

bool fixture_holds(struct p2_store *store, int table, uint64_t key, const void *bytes, size_t size)
{
    uint8_t name[8];
    struct p2_txn txn;
    struct p2_buf buf;
    p2_store_be64(name, key);
    p2_buf_init(&buf, P2_STORE_VALUE_MAX);
    p2_txn_begin_read(&txn, store);
    bool is_there = p2_txn_get(&txn, &fixture_tables[table], p2_span(name, 8), NULL, &buf);
    bool is_good = p2_txn_end_read(&txn) == P2_OK && is_there && buf.size == size &&
                   (size == 0 || memcmp(buf.data, bytes, size) == 0);
    p2_buf_free(&buf);
    return is_good;
}

struct p2_span fixture_bytes(uint64_t seed, size_t size)
{
    static uint8_t bytes[1 << 20];
    uint8_t key[P2_KEY_BYTES] = {0};
    p2_store_be64(key, seed);
    p2_stream(bytes, size, key, 0);
    return p2_span(bytes, size);
}

struct p2_span fixture_read_file(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = NULL;
    CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &status) == 0);
    bytes = malloc((size_t)status.st_size);
    CU_ASSERT_FATAL(bytes != NULL);
    CU_ASSERT_EQUAL(read(fd, bytes, (size_t)status.st_size), status.st_size);
    (void)close(fd);
    return p2_span(bytes, (size_t)status.st_size);
}

void fixture_write_file(const char *path, struct p2_span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, bytes.data, bytes.size), (ssize_t)bytes.size);
    (void)close(fd);
}
