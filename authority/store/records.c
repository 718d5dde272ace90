/* Small records to bytes and back. */
#include "authority/store/records.h"

#include "authority/store/schema.h"
#include "base/crypto.h"
#include "base/text.h"

#include <string.h>

/* Layout of every payload here. */
#define LAYOUT 1

#define FLAG_LOCKED 1u
#define FLAG_KICKED 1u

/* The longest payload: a session with all its texts and bytes. */
#define PAYLOAD_MAX (P2_RECORD_BLOB_MAX + 4 * P2_RECORD_TEXT_MAX + 256)

/* ---- bytes ------------------------------------------------------------------------------------------ */

static void write_text(struct p2_writer *out, const char *text)
{
    size_t length = strnlen(text, P2_RECORD_TEXT_MAX + 1);
    if (length > P2_RECORD_TEXT_MAX || !p2_text_is_clean(p2_span(text, length))) {
        out->error = P2_E_INVALID;
        return;
    }
    p2_writer_u8(out, (uint8_t)length);
    p2_writer_bytes(out, p2_span(text, length));
}

static void read_text(struct p2_reader *in, char text[P2_RECORD_TEXT_MAX + 1])
{
    struct p2_span bytes = p2_reader_bytes(in, p2_reader_u8(in));
    if (bytes.size > P2_RECORD_TEXT_MAX || !p2_text_is_clean(bytes)) {
        p2_reader_fail(in, P2_E_CORRUPT);
        return;
    }
    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    text[bytes.size] = '\0';
}

static void write_blob(struct p2_writer *out, struct p2_span bytes)
{
    if (bytes.size > P2_RECORD_BLOB_MAX) {
        out->error = P2_E_INVALID;
        return;
    }
    p2_writer_u16(out, (uint16_t)bytes.size);
    p2_writer_bytes(out, bytes);
}

/* Adds what `out` holds as a record; an error of writing becomes the batch's. */
static void put(struct p2_batch *batch, enum p2_authority_table table, struct p2_span key,
                const struct p2_writer *out)
{
    if (out->error != P2_OK) {
        p2_batch_fail(batch, P2_E_INVALID);
    } else {
        p2_batch_put(batch, p2_authority_table(table), key, LAYOUT, p2_writer_span(out));
    }
}

/* Calls `one` with every whole record under `prefix`. P2_E_CORRUPT of `one`: counted as damage. */
static int each(struct p2_store *store, enum p2_authority_table table, struct p2_span prefix,
                int (*one)(void *ctx, struct p2_span key, struct p2_reader *in), void *ctx,
                size_t *ret_damaged)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry entry;
    size_t damaged = 0;
    int error = P2_OK;
    p2_txn_begin_read(&txn, store);
    p2_cursor_open(&cursor, &txn, p2_authority_table(table), prefix, P2_CURSOR_UP);
    p2_cursor_skip_damaged(&cursor);
    while (error == P2_OK && p2_cursor_next(&cursor, &entry)) {
        struct p2_reader in;
        p2_reader_init(&in, entry.payload);
        error = entry.version == LAYOUT ? one(ctx, entry.key, &in) : P2_E_CORRUPT;
        if (error == P2_E_CORRUPT) {
            damaged++;
            error = P2_OK;
        }
    }
    damaged += cursor.damaged;
    p2_cursor_close(&cursor);
    int end = p2_txn_end_read(&txn);
    if (ret_damaged != NULL) {
        *ret_damaged = damaged;
    }
    return error != P2_OK ? error : end;
}

/* What `each` passes on to the caller's function. */
struct visitor {
    union {
        int (*session)(void *ctx, const struct p2_session_record *record);
        int (*player)(void *ctx, const struct p2_player_record *record);
        int (*helper)(void *ctx, const struct p2_helper_memory *record);
    } visit;
    void *ctx;
};

/* ---- sessions --------------------------------------------------------------------------------------- */

void p2_session_record_put(struct p2_batch *batch, const struct p2_session_record *record)
{
    uint8_t key[8], bytes[PAYLOAD_MAX];
    struct p2_writer out;
    p2_store_be64(key, record->session);
    p2_writer_init(&out, bytes, sizeof bytes);
    p2_writer_bytes(&out, p2_span(record->seed, sizeof record->seed));
    p2_writer_u64(&out, record->made_ms);
    p2_writer_u64(&out, record->ended_ms);
    p2_writer_u8(&out, record->is_locked ? FLAG_LOCKED : 0);
    write_text(&out, record->game);
    write_text(&out, record->name);
    write_blob(&out, record->more);
    put(batch, P2_TABLE_SESSIONS, p2_span(key, sizeof key), &out);
    p2_secret_wipe(bytes, sizeof bytes); /* the seed */
}

static int one_session(void *ctx, struct p2_span key, struct p2_reader *in)
{
    const struct visitor *visitor = ctx;
    struct p2_session_record record = {0};
    if (key.size != 8) {
        return P2_E_CORRUPT;
    }
    record.session = p2_load_be64(key.data);
    struct p2_span seed = p2_reader_bytes(in, sizeof record.seed);
    record.made_ms = p2_reader_u64(in);
    record.ended_ms = p2_reader_u64(in);
    record.is_locked = (p2_reader_u8(in) & FLAG_LOCKED) != 0;
    read_text(in, record.game);
    read_text(in, record.name);
    record.more = p2_reader_bytes(in, p2_reader_u16(in));
    if (p2_reader_end(in) != P2_OK) {
        return P2_E_CORRUPT;
    }
    memcpy(record.seed, seed.data, sizeof record.seed);
    int error = visitor->visit.session(visitor->ctx, &record);
    p2_secret_wipe(record.seed, sizeof record.seed);
    return error;
}

int p2_session_record_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_session_record *record),
                           void *ctx, size_t *ret_damaged)
{
    struct visitor visitor = {.visit.session = visit, .ctx = ctx};
    return each(store, P2_TABLE_SESSIONS, p2_span(NULL, 0), one_session, &visitor, ret_damaged);
}

void p2_session_record_delete(struct p2_batch *batch, uint64_t session)
{
    static const enum p2_authority_table tables[] = {
        P2_TABLE_SESSIONS, P2_TABLE_JOURNAL,     P2_TABLE_TAILS,  P2_TABLE_SAVES,
        P2_TABLE_CHUNKS,   P2_TABLE_CHECKPOINTS, P2_TABLE_PLAYERS};
    uint8_t key[8];
    p2_store_be64(key, session);
    for (size_t i = 0; i < P2_COUNT_OF(tables); i++) {
        p2_batch_delete_prefix(batch, p2_authority_table(tables[i]), p2_span(key, sizeof key));
    }
}

/* ---- seats ------------------------------------------------------------------------------------------ */

void p2_player_record_put(struct p2_batch *batch, const struct p2_player_record *record)
{
    uint8_t key[9], bytes[PAYLOAD_MAX];
    struct p2_writer out;
    p2_store_be64(key, record->session);
    key[8] = record->seat;
    p2_writer_init(&out, bytes, sizeof bytes);
    p2_writer_bytes(&out, p2_span(record->id.bytes, sizeof record->id.bytes));
    p2_writer_u64(&out, record->joined_ms);
    p2_writer_u64(&out, record->left_ms);
    p2_writer_u8(&out, record->is_kicked ? FLAG_KICKED : 0);
    write_text(&out, record->name);
    if (record->seat >= P2_PLAYERS_MAX) {
        out.error = P2_E_INVALID;
    }
    put(batch, P2_TABLE_PLAYERS, p2_span(key, sizeof key), &out);
}

void p2_player_record_delete(struct p2_batch *batch, uint64_t session, uint8_t seat)
{
    uint8_t key[9];
    p2_store_be64(key, session);
    key[8] = seat;
    p2_batch_delete(batch, p2_authority_table(P2_TABLE_PLAYERS), p2_span(key, sizeof key));
}

static int one_player(void *ctx, struct p2_span key, struct p2_reader *in)
{
    const struct visitor *visitor = ctx;
    struct p2_player_record record = {0};
    if (key.size != 9 || key.data[8] >= P2_PLAYERS_MAX) {
        return P2_E_CORRUPT;
    }
    record.session = p2_load_be64(key.data);
    record.seat = key.data[8];
    struct p2_span id = p2_reader_bytes(in, sizeof record.id.bytes);
    record.joined_ms = p2_reader_u64(in);
    record.left_ms = p2_reader_u64(in);
    record.is_kicked = (p2_reader_u8(in) & FLAG_KICKED) != 0;
    read_text(in, record.name);
    if (p2_reader_end(in) != P2_OK) {
        return P2_E_CORRUPT;
    }
    memcpy(record.id.bytes, id.data, id.size);
    return visitor->visit.player(visitor->ctx, &record);
}

int p2_player_record_each(struct p2_store *store, uint64_t session,
                          int (*visit)(void *ctx, const struct p2_player_record *record), void *ctx,
                          size_t *ret_damaged)
{
    struct visitor visitor = {.visit.player = visit, .ctx = ctx};
    uint8_t prefix[8];
    p2_store_be64(prefix, session);
    return each(store, P2_TABLE_PLAYERS, p2_span(prefix, sizeof prefix), one_player, &visitor,
                ret_damaged);
}

/* ---- helpers ---------------------------------------------------------------------------------------- */

void p2_helper_memory_put(struct p2_batch *batch, const struct p2_helper_memory *record)
{
    uint8_t bytes[PAYLOAD_MAX];
    struct p2_writer out;
    p2_writer_init(&out, bytes, sizeof bytes);
    p2_writer_u64(&out, record->seen_ms);
    p2_writer_u64(&out, record->first_ms);
    p2_writer_u32(&out, record->availability);
    p2_writer_u32(&out, record->rtt_us);
    p2_writer_u64(&out, record->answered);
    p2_writer_u64(&out, record->missed);
    p2_writer_u64(&out, record->backoff_us);
    p2_writer_u64(&out, record->barred_until_ms);
    write_blob(&out, record->address);
    put(batch, P2_TABLE_HELPERS, p2_span(record->id.bytes, sizeof record->id.bytes), &out);
}

static int one_helper(void *ctx, struct p2_span key, struct p2_reader *in)
{
    const struct visitor *visitor = ctx;
    struct p2_helper_memory record = {0};
    if (key.size != sizeof record.id.bytes) {
        return P2_E_CORRUPT;
    }
    memcpy(record.id.bytes, key.data, key.size);
    record.seen_ms = p2_reader_u64(in);
    record.first_ms = p2_reader_u64(in);
    record.availability = p2_reader_u32(in);
    record.rtt_us = p2_reader_u32(in);
    record.answered = p2_reader_u64(in);
    record.missed = p2_reader_u64(in);
    record.backoff_us = p2_reader_u64(in);
    record.barred_until_ms = p2_reader_u64(in);
    record.address = p2_reader_bytes(in, p2_reader_u16(in));
    return p2_reader_end(in) != P2_OK ? P2_E_CORRUPT : visitor->visit.helper(visitor->ctx, &record);
}

int p2_helper_memory_each(struct p2_store *store,
                          int (*visit)(void *ctx, const struct p2_helper_memory *record), void *ctx,
                          size_t *ret_damaged)
{
    struct visitor visitor = {.visit.helper = visit, .ctx = ctx};
    return each(store, P2_TABLE_HELPERS, p2_span(NULL, 0), one_helper, &visitor, ret_damaged);
}

/* ---- settings --------------------------------------------------------------------------------------- */

void p2_setting_put(struct p2_batch *batch, const char *name, struct p2_span value)
{
    size_t length = strnlen(name, P2_RECORD_TEXT_MAX + 1);
    if (length == 0 || length > P2_RECORD_TEXT_MAX || value.size > P2_RECORD_BLOB_MAX) {
        p2_batch_fail(batch, P2_E_INVALID);
        return;
    }
    p2_batch_put(batch, p2_authority_table(P2_TABLE_SETTINGS), p2_span(name, length), LAYOUT,
                 value);
}

int p2_setting_get(struct p2_store *store, const char *name, struct p2_buf *value)
{
    struct p2_txn txn;
    uint8_t version = 0;
    p2_txn_begin_read(&txn, store);
    bool is_there =
        p2_txn_get(&txn, p2_authority_table(P2_TABLE_SETTINGS),
                   p2_span(name, strnlen(name, P2_RECORD_TEXT_MAX + 1)), &version, value);
    int error = p2_txn_end_read(&txn);
    return error != P2_OK      ? error
           : !is_there         ? P2_E_NOENT
           : version != LAYOUT ? P2_E_CORRUPT
                               : P2_OK;
}
