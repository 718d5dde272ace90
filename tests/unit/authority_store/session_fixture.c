#include "session_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[4096];

static void on_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    struct session_fixture *fixture = ctx;
    fixture->durable_next = next;
    memcpy(fixture->durable, sequences, sizeof fixture->durable);
    fixture->durable_calls++;
    if (next == fixture->watched_next) {
        memcpy(fixture->watched, sequences, sizeof fixture->watched);
    }
}

static void on_trouble(void *ctx, int error, const struct p2_failure *failure)
{
    struct session_fixture *fixture = ctx;
    fixture->trouble = error;
    fixture->troubles += error != P2_OK;
    fixture->recoveries += error == P2_OK;
    if (failure != NULL) {
        (void)snprintf(fixture->message, sizeof fixture->message, "%s", failure->message);
    }
}

static const struct p2_session_store_events events = {on_durable, on_trouble};

static void open_store(struct session_fixture *fixture)
{
    struct p2_store_options options = {.folder = folder,
                                       .schema = &p2_authority_schema,
                                       .map_initial_bytes = 1 << 20,
                                       .map_max_bytes = fixture->map_max};
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_store_open(&fixture->store, &options, &failure), P2_OK);
    if (fixture->store == NULL) {
        (void)fprintf(stderr, "%s\n", failure.message);
        abort();
    }
    struct p2_store_writer_options writer = {.store = fixture->store};
    P2_ASSERT_ERROR(p2_store_writer_new(&fixture->writer, &writer), P2_OK);
}

static void open_session(struct session_fixture *fixture,
                         const struct p2_session_position *position)
{
    struct p2_session_store_options options = {.writer = fixture->writer,
                                               .session = FIXTURE_SESSION,
                                               .position = *position,
                                               .events = &events,
                                               .ctx = fixture};
    P2_ASSERT_ERROR(p2_session_store_open(&fixture->session, &options), P2_OK);
}

void fixture_begin(struct session_fixture *fixture)
{
    size_t map_max = fixture->map_max;
    *fixture = (struct session_fixture){.map_max = map_max};
    (void)snprintf(folder, sizeof folder, "%s/store", p2_test_folder_make());
    open_store(fixture);
    model_init(&fixture->model, FIXTURE_WORLD);
    P2_ASSERT_ERROR(p2_image_builder_new(&fixture->builder, FIXTURE_WORLD), P2_OK);
    open_session(fixture, &(struct p2_session_position){.next = 1});
}

static void close_all(struct session_fixture *fixture, bool commits)
{
    p2_session_store_close(fixture->session);
    fixture->session = NULL;
    if (commits) {
        p2_store_writer_stop(fixture->writer, NULL, NULL);
    } else {
        p2_store_writer_forget(fixture->writer);
    }
    p2_store_writer_free(fixture->writer);
    p2_store_close(fixture->store);
    fixture->writer = NULL;
    fixture->store = NULL;
}

void fixture_end(struct session_fixture *fixture)
{
    close_all(fixture, true);
    p2_image_builder_free(fixture->builder);
    model_free(&fixture->model);
    p2_test_folder_remove();
}

void fixture_commit(struct session_fixture *fixture)
{
    while (p2_store_writer_run(fixture->writer)) {
    }
}

void fixture_run(struct session_fixture *fixture, unsigned frames, bool commits)
{
    for (unsigned i = 0; i < frames; i++) {
        model_run(&fixture->model, fixture->session);
        if (commits) {
            fixture_commit(fixture);
        }
    }
}

static void on_image(void *ctx, int error, const struct p2_failure *failure)
{
    struct session_fixture *fixture = ctx;
    fixture->images_done++;
    fixture->image_error = error;
    (void)snprintf(fixture->image_message, sizeof fixture->image_message, "%s",
                   error != P2_OK && failure != NULL ? failure->message : "");
}

int fixture_image(struct session_fixture *fixture, unsigned kinds, const char *name)
{
    struct p2_session_image image;
    model_image(&fixture->model, fixture->builder, kinds, &image);
    image.name = name;
    return p2_session_store_write(fixture->session, &image, on_image, fixture);
}

void fixture_crash(struct session_fixture *fixture)
{
    close_all(fixture, false);
    model_free(&fixture->model);
    model_init(&fixture->model, FIXTURE_WORLD);
    open_store(fixture);
}

int fixture_recover(struct session_fixture *fixture, struct p2_session_position *ret_position,
                    struct p2_failure *failure)
{
    int error = p2_session_recover(fixture->store, FIXTURE_SESSION, 1, &model_recovery,
                                   &fixture->model, ret_position, failure);
    open_session(fixture, ret_position);
    return error;
}

/* ---- records ---------------------------------------------------------------------------------- */

struct put {
    enum p2_authority_table table;
    struct p2_span key, bytes;
};

static int put(struct p2_txn *txn, void *ctx)
{
    const struct put *record = ctx;
    p2_txn_put(txn, p2_authority_table(record->table), record->key, 1, record->bytes);
    return txn->error;
}

void fixture_put(struct session_fixture *fixture, enum p2_authority_table table, struct p2_span key,
                 struct p2_span bytes)
{
    struct put record = {table, key, bytes};
    P2_ASSERT_ERROR(p2_store_write(fixture->store, put, &record, NULL), P2_OK);
}

/* Copies record number `which` of a table; returns how many there are. */
static size_t walk(struct session_fixture *fixture, enum p2_authority_table table, size_t which,
                   struct p2_buf *key, struct p2_buf *bytes)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry entry;
    size_t count = 0;
    p2_txn_begin_read(&txn, fixture->store);
    p2_cursor_open(&cursor, &txn, p2_authority_table(table), p2_span(NULL, 0), P2_CURSOR_UP);
    while (p2_cursor_next(&cursor, &entry)) {
        if (count++ == which) {
            P2_ASSERT_ERROR(p2_buf_append(key, entry.key), P2_OK);
            P2_ASSERT_ERROR(p2_buf_append(bytes, entry.payload), P2_OK);
        }
    }
    p2_cursor_close(&cursor);
    P2_ASSERT_ERROR(p2_txn_end_read(&txn), P2_OK);
    return count;
}

size_t fixture_count(struct session_fixture *fixture, enum p2_authority_table table)
{
    return walk(fixture, table, SIZE_MAX, NULL, NULL);
}

void fixture_damage(struct session_fixture *fixture, enum p2_authority_table table, size_t which,
                    long at)
{
    struct p2_buf key, bytes;
    p2_buf_init(&key, P2_STORE_KEY_MAX);
    p2_buf_init(&bytes, P2_STORE_VALUE_MAX);
    CU_ASSERT_FATAL(walk(fixture, table, which, &key, &bytes) > which);
    bytes.data[at >= 0 ? (size_t)at : bytes.size - (size_t)-at] ^= 0x10;
    fixture_put(fixture, table, p2_buf_span(&key), p2_buf_span(&bytes));
    p2_buf_free(&key);
    p2_buf_free(&bytes);
}
