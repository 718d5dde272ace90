/* Tables and records of p2c2rd's store. */
#include "helper/store_schema.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Layout of every payload here. */
#define LAYOUT 1

enum { RECEIPTS, COUNTERS, CONSENT, SETTINGS, OFFENCES, TABLES };

static const struct p2_table tables[TABLES] = {
    [RECEIPTS] = {.name = "receipts",
                  .id = 1,
                  .version = 1,
                  .owner = "helper",
                  .key_layout = "authority key[32]",
                  .value_max = 16 + P2_HELPER_RECEIPT_MAX},
    [COUNTERS] = {.name = "counters",
                  .id = 2,
                  .version = 1,
                  .owner = "helper",
                  .key_layout = "name",
                  .value_max = 8},
    [CONSENT] = {.name = "consent",
                 .id = 3,
                 .version = 1,
                 .owner = "helper",
                 .key_layout = "\"consent\"",
                 .value_max = 48},
    [SETTINGS] = {.name = "settings",
                  .id = 4,
                  .version = 1,
                  .owner = "helper",
                  .key_layout = "name",
                  .value_max = P2_HELPER_VALUE_MAX},
    [OFFENCES] = {.name = "offences",
                  .id = 5,
                  .version = 1,
                  .owner = "helper",
                  .key_layout = "authority key[32]",
                  .value_max = 8 + P2_HELPER_NAME_MAX},
};

const struct p2_schema p2_helper_schema = {
    .program = "p2c2rd", .tables = tables, .table_count = TABLES};

static struct p2_span id_key(const struct p2_id *id)
{
    return p2_span(id->bytes, sizeof id->bytes);
}

/* Reads one record; P2_E_NOENT, P2_E_CORRUPT. */
static int get(struct p2_store *store, const struct p2_table *table, struct p2_span key,
               struct p2_buf *bytes)
{
    struct p2_txn txn;
    uint8_t version = 0;
    p2_txn_begin_read(&txn, store);
    bool is_there = p2_txn_get(&txn, table, key, &version, bytes);
    int error = p2_txn_end_read(&txn);
    if (error == P2_OK) {
        error = !is_there ? P2_E_NOENT : version != LAYOUT ? P2_E_CORRUPT : P2_OK;
    }
    return error;
}

/* Calls `one` with every whole record; P2_E_CORRUPT of `one` counts as damage. */
static int each(struct p2_store *store, const struct p2_table *table,
                int (*one)(void *ctx, struct p2_span key, struct p2_reader *in), void *ctx,
                size_t *ret_damaged)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry entry;
    size_t damaged = 0;
    int error = P2_OK;
    p2_txn_begin_read(&txn, store);
    p2_cursor_open(&cursor, &txn, table, p2_span(NULL, 0), P2_CURSOR_UP);
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

/* ---- receipts ----------------------------------------------------------------------------------------- */

#define RECEIPT_HEAD 16

struct receipt_put {
    struct p2_id authority;
    uint64_t sequence;
    size_t size;
    uint8_t payload[RECEIPT_HEAD + P2_HELPER_RECEIPT_MAX];
};

/* A receipt is cumulative: one that came late must not take pay away again. */
static int put_newer(struct p2_txn *txn, void *ctx)
{
    const struct receipt_put *put = ctx;
    struct p2_buf stored;
    p2_buf_init(&stored, sizeof put->payload);
    bool is_older = p2_txn_get(txn, &tables[RECEIPTS], id_key(&put->authority), NULL, &stored) &&
                    stored.size >= RECEIPT_HEAD && p2_load_be64(stored.data + 8) >= put->sequence;
    p2_buf_free(&stored);
    if (!is_older) {
        p2_txn_put(txn, &tables[RECEIPTS], id_key(&put->authority), LAYOUT,
                   p2_span(put->payload, put->size));
    }
    return txn->error;
}

int p2_helper_receipt_put(struct p2_batch *batch, const struct p2_helper_receipt *receipt)
{
    if (receipt->bytes.size > P2_HELPER_RECEIPT_MAX) {
        return P2_E_INVALID;
    }
    struct receipt_put *put = calloc(1, sizeof *put);
    if (put == NULL) {
        return P2_E_NOMEM;
    }
    put->authority = receipt->authority;
    put->sequence = receipt->sequence;
    put->size = RECEIPT_HEAD + receipt->bytes.size;
    p2_store_be64(put->payload, receipt->when_ms);
    p2_store_be64(put->payload + 8, receipt->sequence);
    if (receipt->bytes.size > 0) {
        memcpy(put->payload + RECEIPT_HEAD, receipt->bytes.data, receipt->bytes.size);
    }
    p2_batch_own(batch, free, put);
    p2_batch_work(batch, put_newer, put, put->size);
    return P2_OK;
}

struct receipt_visit {
    int (*visit)(void *ctx, const struct p2_helper_receipt *receipt);
    void *ctx;
};

static int one_receipt(void *ctx, struct p2_span key, struct p2_reader *in)
{
    const struct receipt_visit *visitor = ctx;
    struct p2_helper_receipt receipt = {.when_ms = p2_reader_u64(in),
                                        .sequence = p2_reader_u64(in)};
    if (key.size != sizeof receipt.authority.bytes || in->error != P2_OK) {
        return P2_E_CORRUPT;
    }
    memcpy(receipt.authority.bytes, key.data, key.size);
    receipt.bytes = p2_reader_bytes(in, in->left);
    return visitor->visit(visitor->ctx, &receipt);
}

int p2_helper_receipt_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_helper_receipt *receipt),
                           void *ctx, size_t *ret_damaged)
{
    struct receipt_visit visitor = {visit, ctx};
    return each(store, &tables[RECEIPTS], one_receipt, &visitor, ret_damaged);
}

/* ---- counters and settings ---------------------------------------------------------------------------- */

/* The key of a name; an error of it becomes the batch's. */
static bool name_key(struct p2_batch *batch, const char *name, struct p2_span *ret_key)
{
    size_t length = strnlen(name, P2_HELPER_NAME_MAX + 1);
    if (length == 0 || length > P2_HELPER_NAME_MAX) {
        p2_batch_fail(batch, P2_E_INVALID);
        return false;
    }
    *ret_key = p2_span(name, length);
    return true;
}

void p2_helper_counter_put(struct p2_batch *batch, const char *name, uint64_t value)
{
    struct p2_span key;
    uint8_t bytes[8];
    p2_store_be64(bytes, value);
    if (name_key(batch, name, &key)) {
        p2_batch_put(batch, &tables[COUNTERS], key, LAYOUT, p2_span(bytes, sizeof bytes));
    }
}

int p2_helper_counter_get(struct p2_store *store, const char *name, uint64_t *ret_value)
{
    struct p2_buf bytes;
    p2_buf_init(&bytes, 8);
    int error = get(store, &tables[COUNTERS], p2_span(name, strlen(name)), &bytes);
    if (error == P2_OK && bytes.size != 8) {
        error = P2_E_CORRUPT;
    }
    if (error == P2_OK || error == P2_E_NOENT) {
        *ret_value = error == P2_OK ? p2_load_be64(bytes.data) : 0;
        error = P2_OK;
    }
    p2_buf_free(&bytes);
    return error;
}

void p2_helper_setting_put(struct p2_batch *batch, const char *name, struct p2_span value)
{
    struct p2_span key;
    if (value.size > P2_HELPER_VALUE_MAX) {
        p2_batch_fail(batch, P2_E_INVALID);
    } else if (name_key(batch, name, &key)) {
        p2_batch_put(batch, &tables[SETTINGS], key, LAYOUT, value);
    }
}

int p2_helper_setting_get(struct p2_store *store, const char *name, struct p2_buf *value)
{
    return get(store, &tables[SETTINGS], p2_span(name, strlen(name)), value);
}

/* ---- consent ------------------------------------------------------------------------------------------ */

#define CONSENT_BYTES (4 + 8 + 4 + 32)

static struct p2_span consent_key(void)
{
    return p2_span("consent", 7);
}

void p2_helper_consent_put(struct p2_batch *batch, const struct p2_helper_consent *consent)
{
    uint8_t bytes[CONSENT_BYTES];
    p2_store_be32(bytes, consent->version);
    p2_store_be64(bytes + 4, consent->when_ms);
    p2_store_be32(bytes + 12, consent->uid);
    memcpy(bytes + 16, consent->digest, sizeof consent->digest);
    p2_batch_put(batch, &tables[CONSENT], consent_key(), LAYOUT, p2_span(bytes, sizeof bytes));
}

void p2_helper_consent_delete(struct p2_batch *batch)
{
    p2_batch_delete(batch, &tables[CONSENT], consent_key());
}

int p2_helper_consent_get(struct p2_store *store, struct p2_helper_consent *ret_consent)
{
    struct p2_buf bytes;
    p2_buf_init(&bytes, CONSENT_BYTES);
    int error = get(store, &tables[CONSENT], consent_key(), &bytes);
    if (error == P2_OK && bytes.size != CONSENT_BYTES) {
        error = P2_E_CORRUPT;
    }
    if (error == P2_OK) {
        ret_consent->version = p2_load_be32(bytes.data);
        ret_consent->when_ms = p2_load_be64(bytes.data + 4);
        ret_consent->uid = p2_load_be32(bytes.data + 12);
        memcpy(ret_consent->digest, bytes.data + 16, sizeof ret_consent->digest);
    }
    p2_buf_free(&bytes);
    return error;
}

/* ---- offences ----------------------------------------------------------------------------------------- */

void p2_helper_offence_put(struct p2_batch *batch, const struct p2_helper_offence *offence)
{
    uint8_t bytes[8 + P2_HELPER_NAME_MAX];
    size_t length = strnlen(offence->reason, P2_HELPER_NAME_MAX + 1);
    if (length > P2_HELPER_NAME_MAX || !p2_text_is_clean(p2_span(offence->reason, length))) {
        p2_batch_fail(batch, P2_E_INVALID);
        return;
    }
    p2_store_be64(bytes, offence->when_ms);
    memcpy(bytes + 8, offence->reason, length);
    p2_batch_put(batch, &tables[OFFENCES], id_key(&offence->authority), LAYOUT,
                 p2_span(bytes, 8 + length));
}

void p2_helper_offence_delete(struct p2_batch *batch, const struct p2_id *authority)
{
    p2_batch_delete(batch, &tables[OFFENCES], id_key(authority));
}

struct offence_visit {
    int (*visit)(void *ctx, const struct p2_helper_offence *offence);
    void *ctx;
};

static int one_offence(void *ctx, struct p2_span key, struct p2_reader *in)
{
    const struct offence_visit *visitor = ctx;
    struct p2_helper_offence offence = {.when_ms = p2_reader_u64(in)};
    struct p2_span reason = p2_reader_bytes(in, in->left);
    if (key.size != sizeof offence.authority.bytes || in->error != P2_OK ||
        reason.size > P2_HELPER_NAME_MAX || !p2_text_is_clean(reason)) {
        return P2_E_CORRUPT;
    }
    memcpy(offence.authority.bytes, key.data, key.size);
    (void)snprintf(offence.reason, sizeof offence.reason, "%.*s", (int)reason.size,
                   (const char *)reason.data);
    return visitor->visit(visitor->ctx, &offence);
}

int p2_helper_offence_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_helper_offence *offence),
                           void *ctx, size_t *ret_damaged)
{
    struct offence_visit visitor = {visit, ctx};
    return each(store, &tables[OFFENCES], one_offence, &visitor, ret_damaged);
}
