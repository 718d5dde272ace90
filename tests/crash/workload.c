#include "tests/crash/workload.h"

#include "base/crypto.h"
#include "store/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE, JOURNAL, BLOBS };
static const struct p2_table tables[] = {
    {.name = "state", .id = 1, .version = 1, .owner = "crash", .key_layout = "\"state\""},
    {.name = "journal", .id = 2, .version = 1, .owner = "crash", .key_layout = "number u64"},
    {.name = "blobs", .id = 3, .version = 1, .owner = "crash", .key_layout = "number u64"},
};
static const struct p2_schema schema = {
    .program = "p2c2r-crash", .tables = tables, .table_count = 3};

#define STATE_BYTES (3 * 8 + P2_CHAIN_HEAD)
#define ENTRY_BYTES 8
#define BLOB_EVERY  8  /* transfers */
#define BLOB_KEYS   16 /* blobs that are there at a time */
#define BLOB_BYTES  40000

/* What the store must hold after `count` transfers. */
struct model {
    uint64_t count;
    int64_t left, right;
    struct p2_chain chain;
};

int crash_open(struct p2_store **ret_store, const char *folder, struct p2_failure *failure)
{
    struct p2_store_options options = {
        .folder = folder, .schema = &schema, .map_initial_bytes = 1 << 20};
    return p2_store_open(ret_store, &options, failure);
}

static struct p2_span state_key(void)
{
    return p2_span("state", 5);
}

/* An amount that follows from n: splitmix64 (Steele, Lea, Flood 2014). */
static int64_t amount_of(uint64_t n)
{
    uint64_t x = n * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((x ^ x >> 31) % 1000001) - 500000;
}

static void model_init(struct model *model)
{
    *model = (struct model){.count = 0};
    p2_chain_init(&model->chain, p2_span("crash", 5));
}

/* Transfer count + 1; its journal entry into entry[P2_CHAIN_SEALED(ENTRY_BYTES)]. */
static void model_step(struct model *model, uint8_t *entry)
{
    uint8_t amount[ENTRY_BYTES];
    model->count++;
    model->left -= amount_of(model->count);
    model->right += amount_of(model->count);
    p2_store_be64(amount, (uint64_t)amount_of(model->count));
    p2_chain_seal(&model->chain, p2_span(amount, sizeof amount), entry);
}

static void model_write(const struct model *model, uint8_t bytes[STATE_BYTES])
{
    p2_store_be64(bytes, model->count);
    p2_store_be64(bytes + 8, (uint64_t)model->left);
    p2_store_be64(bytes + 16, (uint64_t)model->right);
    memcpy(bytes + 24, model->chain.head, P2_CHAIN_HEAD);
}

/* What the store holds. False when there is an error. */
static bool model_read(struct p2_txn *txn, struct model *model)
{
    struct p2_buf buf;
    p2_buf_init(&buf, STATE_BYTES);
    model_init(model);
    if (p2_txn_get(txn, &tables[STATE], state_key(), NULL, &buf) && buf.size == STATE_BYTES) {
        model->count = p2_load_be64(buf.data);
        model->left = (int64_t)p2_load_be64(buf.data + 8);
        model->right = (int64_t)p2_load_be64(buf.data + 16);
        p2_chain_resume(&model->chain, buf.data + 24, model->count);
    }
    p2_buf_free(&buf);
    return txn->error == P2_OK;
}

uint64_t crash_count(struct p2_store *store)
{
    struct model model;
    struct p2_txn txn;
    p2_txn_begin_read(&txn, store);
    bool is_good = txn.error == P2_OK && model_read(&txn, &model);
    return p2_txn_end_read(&txn) == P2_OK && is_good ? model.count : UINT64_MAX;
}

static int transfer(struct p2_txn *txn, void *ctx)
{
    uint64_t n = (uintptr_t)ctx;
    struct model model;
    uint8_t key[8], entry[P2_CHAIN_SEALED(ENTRY_BYTES)], state[STATE_BYTES];
    if (!model_read(txn, &model)) {
        return txn->error;
    }
    if (model.count != n - 1) {
        return P2_E_STATE;
    }
    model_step(&model, entry);
    model_write(&model, state);
    p2_store_be64(key, n);
    p2_txn_insert(txn, &tables[JOURNAL], p2_span(key, 8), 1, p2_span(entry, sizeof entry));
    p2_txn_put(txn, &tables[STATE], state_key(), 1, p2_span(state, sizeof state));
    if (n > CRASH_JOURNAL_KEEP) {
        p2_store_be64(key, n - CRASH_JOURNAL_KEEP);
        (void)p2_txn_delete(txn, &tables[JOURNAL], p2_span(key, 8)); /* the check counts them */
    }
    if (n % BLOB_EVERY == 0) {
        uint8_t blob[BLOB_BYTES], seed[P2_KEY_BYTES] = {0};
        p2_store_be64(seed, n);
        p2_stream(blob, sizeof blob, seed, 0);
        p2_store_be64(key, n / BLOB_EVERY % BLOB_KEYS);
        p2_txn_put(txn, &tables[BLOBS], p2_span(key, 8), 1, p2_span(blob, sizeof blob));
    }
    return txn->error;
}

struct p2_batch *crash_batch(uint64_t n)
{
    struct p2_batch *batch = p2_batch_new();
    if (batch == NULL) {
        abort();
    }
    p2_batch_work(batch, transfer, (void *)(uintptr_t)n, 100);
    p2_batch_set_stream(batch, 1);
    return batch;
}

static bool complain(const char *what, uint64_t count)
{
    (void)fprintf(stderr, "after %llu transfers: %s\n", (unsigned long long)count, what);
    return false;
}

/* The journal holds the last entries, each as the reference says. `at` starts before the first. */
static bool verify_journal(struct p2_txn *txn, struct model *at, uint64_t count)
{
    struct p2_cursor cursor;
    struct p2_entry entry;
    bool is_good = true;
    p2_cursor_open(&cursor, txn, &tables[JOURNAL], p2_span(NULL, 0), P2_CURSOR_UP);
    while (is_good && p2_cursor_next(&cursor, &entry)) {
        uint8_t expected[P2_CHAIN_SEALED(ENTRY_BYTES)];
        model_step(at, expected);
        is_good = entry.key.size == 8 && p2_load_be64(entry.key.data) == at->count &&
                  p2_span_equal(entry.payload, p2_span(expected, sizeof expected));
    }
    p2_cursor_close(&cursor);
    return is_good && at->count == count && txn->error == P2_OK;
}

bool crash_verify(struct p2_store *store, uint64_t *ret_count)
{
    static struct p2_store_report report;
    static struct model reference; /* follows the store, for counts only rise in most tests */
    struct p2_failure failure = {0};
    struct model model;
    struct p2_txn txn;
    uint8_t entry[P2_CHAIN_SEALED(ENTRY_BYTES)];
    if (p2_store_check(store, &report, &failure) != P2_OK) {
        return complain(failure.message, 0);
    }
    p2_txn_begin_read(&txn, store);
    bool is_good = txn.error == P2_OK && model_read(&txn, &model);
    if (is_good) {
        uint64_t first = model.count > CRASH_JOURNAL_KEEP ? model.count - CRASH_JOURNAL_KEEP : 0;
        if (reference.count == 0 || reference.count > first) {
            model_init(&reference);
        }
        while (reference.count < first) {
            model_step(&reference, entry);
        }
        struct model at = reference;
        is_good = verify_journal(&txn, &at, model.count) || complain("wrong journal", model.count);
        is_good =
            is_good &&
            ((at.left == model.left && at.right == model.right && model.left + model.right == 0) ||
             complain("the accounts do not balance", model.count));
        is_good = is_good && (memcmp(at.chain.head, model.chain.head, P2_CHAIN_HEAD) == 0 ||
                              complain("another state hash", model.count));
    }
    is_good = p2_txn_end_read(&txn) == P2_OK && is_good;
    if (is_good) {
        *ret_count = model.count;
    }
    return is_good;
}
