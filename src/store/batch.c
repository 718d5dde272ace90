/* Operations copied into one run of bytes.
 *
 *   0  1  kind        10  4  key size
 *   1  1  version     14  4  payload size
 *   2  8  table       18  n  key, payload
 *
 * Never leaves the process: the table is a pointer. */
#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES 18

/* Largest batch. Chosen: twice the largest payload, so one of these always fits. */
#define BATCH_BYTES_MAX (2 * P2_STORE_VALUE_MAX)

enum kind { KIND_PUT, KIND_INSERT, KIND_DELETE, KIND_DELETE_PREFIX };

struct p2_batch *p2_batch_new(void)
{
    struct p2_batch *batch = calloc(1, sizeof *batch);
    if (batch != NULL) {
        p2_buf_init(&batch->bytes, BATCH_BYTES_MAX);
        batch->cost = sizeof *batch;
    }
    return batch;
}

void p2_batch_free(struct p2_batch *batch)
{
    if (batch != NULL) {
        if (batch->release != NULL) {
            batch->release(batch->owned);
        }
        p2_buf_free(&batch->bytes);
        free(batch);
    }
}

static void append(struct p2_batch *batch, enum kind kind, const struct p2_table *table,
                   struct p2_span key, uint8_t version, struct p2_span payload)
{
    uint8_t head[HEAD_BYTES];
    if (batch->error != P2_OK) {
        return;
    }
    if (key.size > P2_STORE_KEY_MAX || payload.size > P2_STORE_VALUE_MAX) {
        batch->error = P2_E_INVALID;
        return;
    }
    head[0] = (uint8_t)kind;
    head[1] = version;
    p2_store_be64(head + 2, (uintptr_t)table);
    p2_store_be32(head + 10, (uint32_t)key.size);
    p2_store_be32(head + 14, (uint32_t)payload.size);
    batch->error = p2_buf_reserve(&batch->bytes, HEAD_BYTES + key.size + payload.size);
    if (batch->error == P2_OK) {
        (void)p2_buf_append(&batch->bytes, p2_span(head, sizeof head)); /* there is room */
        (void)p2_buf_append(&batch->bytes, key);
        (void)p2_buf_append(&batch->bytes, payload);
        batch->cost += HEAD_BYTES + key.size + payload.size;
    }
}

void p2_batch_put(struct p2_batch *batch, const struct p2_table *table, struct p2_span key,
                  uint8_t version, struct p2_span payload)
{
    append(batch, KIND_PUT, table, key, version, payload);
}

void p2_batch_insert(struct p2_batch *batch, const struct p2_table *table, struct p2_span key,
                     uint8_t version, struct p2_span payload)
{
    append(batch, KIND_INSERT, table, key, version, payload);
}

void p2_batch_delete(struct p2_batch *batch, const struct p2_table *table, struct p2_span key)
{
    append(batch, KIND_DELETE, table, key, 0, p2_span(NULL, 0));
}

void p2_batch_delete_prefix(struct p2_batch *batch, const struct p2_table *table,
                            struct p2_span prefix)
{
    append(batch, KIND_DELETE_PREFIX, table, prefix, 0, p2_span(NULL, 0));
}

void p2_batch_work(struct p2_batch *batch, p2_store_write_fn *work, void *ctx, size_t bytes)
{
    if (batch->error == P2_OK && batch->work != NULL) {
        batch->error = P2_E_STATE;
    }
    if (batch->error == P2_OK) {
        batch->work = work;
        batch->work_ctx = ctx;
        batch->cost += bytes;
    }
}

void p2_batch_own(struct p2_batch *batch, void (*release)(void *ctx), void *ctx)
{
    if (batch->release != NULL) {
        p2_batch_fail(batch, P2_E_STATE);
        return;
    }
    batch->release = release;
    batch->owned = ctx;
}

void p2_batch_fail(struct p2_batch *batch, int error)
{
    if (batch->error == P2_OK) {
        batch->error = error;
    }
}

void p2_batch_set_stream(struct p2_batch *batch, uint64_t stream)
{
    batch->stream = stream;
}

int p2_batch_apply(struct p2_batch *batch, struct p2_txn *txn)
{
    struct p2_reader in;
    p2_reader_init(&in, p2_buf_span(&batch->bytes));
    while (in.left > 0 && txn->error == P2_OK) {
        enum kind kind = (enum kind)p2_reader_u8(&in);
        uint8_t version = p2_reader_u8(&in);
        const struct p2_table *table = (const struct p2_table *)(uintptr_t)p2_reader_u64(&in);
        size_t key_size = p2_reader_u32(&in), payload_size = p2_reader_u32(&in);
        struct p2_span key = p2_reader_bytes(&in, key_size);
        struct p2_span payload = p2_reader_bytes(&in, payload_size);
        switch (kind) {
        case KIND_PUT:
            p2_txn_put(txn, table, key, version, payload);
            break;
        case KIND_INSERT:
            p2_txn_insert(txn, table, key, version, payload);
            break;
        case KIND_DELETE:
            (void)p2_txn_delete(txn, table, key); /* nothing to delete is fine */
            break;
        case KIND_DELETE_PREFIX:
            (void)p2_txn_delete_prefix(txn, table, key); /* the number is of no use here */
            break;
        }
    }
    P2_ASSERT(in.error == P2_OK); /* our own bytes */
    if (txn->error == P2_OK && batch->work != NULL) {
        p2_txn_fail(txn, batch->work(txn, batch->work_ctx));
    }
    return txn->error;
}
