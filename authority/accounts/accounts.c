/* Trust and money in the store. */
#include "authority/accounts/accounts.h"

#include "authority/store/schema.h"

#include <stdlib.h>
#include <string.h>

#define KEY_NUMBER_MAX 9u                                /* a letter and a number */
#define KEY_REPUTATION (P2_ID_BYTES + 2u)                /* id, 0xffff: all kernels */
#define KEY_RECEIPT    (P2_ID_BYTES + 8u)                /* id, sequence */
#define RECORD_MAX     ((size_t)P2_REPUTATION_BYTES_MAX) /* the largest of these records */

/* ---- keys -------------------------------------------------------------------------------------- */

static struct p2_span number_key(uint8_t key[KEY_NUMBER_MAX], char letter, uint64_t number)
{
    key[0] = (uint8_t)letter;
    p2_store_be64(key + 1, number);
    return p2_span(key, KEY_NUMBER_MAX);
}

static struct p2_span reputation_key(uint8_t key[KEY_REPUTATION], const struct p2_id *id)
{
    memcpy(key, id->bytes, P2_ID_BYTES);
    p2_store_be16(key + P2_ID_BYTES, UINT16_MAX);
    return p2_span(key, KEY_REPUTATION);
}

/* ---- writing ----------------------------------------------------------------------------------- */

void p2_accounts_put_reputation(const struct p2_accounts *accounts, struct p2_batch *batch,
                                const struct p2_reputation *rep)
{
    uint8_t key[KEY_REPUTATION];
    uint8_t bytes[P2_REPUTATION_BYTES_MAX];
    size_t size = p2_reputation_encode(bytes, rep, &accounts->names);
    p2_batch_put(batch, p2_authority_table(P2_TABLE_REPUTATIONS), reputation_key(key, &rep->id),
                 P2_REPUTATION_VERSION, p2_span(bytes, size));
}

void p2_accounts_put_ban(struct p2_batch *batch, const struct p2_ban_entry *entry)
{
    uint8_t key[KEY_NUMBER_MAX];
    uint8_t bytes[P2_BAN_BYTES_MAX];
    size_t size = p2_ban_encode(bytes, entry);
    p2_batch_insert(batch, p2_authority_table(P2_TABLE_POLICY), number_key(key, 'B', entry->number),
                    P2_BAN_VERSION, p2_span(bytes, size));
}

void p2_accounts_put_entry(struct p2_batch *batch, const struct p2_ledger_entry *entry)
{
    uint8_t key[8];
    uint8_t bytes[P2_LEDGER_ENTRY_BYTES_MAX];
    size_t size = p2_ledger_entry_encode(bytes, entry);
    p2_store_be64(key, entry->number);
    p2_batch_insert(batch, p2_authority_table(P2_TABLE_LEDGER), p2_span(key, sizeof key),
                    P2_LEDGER_VERSION, p2_span(bytes, size));
}

void p2_accounts_put_payout(struct p2_batch *batch, const struct p2_payout *payout)
{
    uint8_t key[KEY_NUMBER_MAX];
    uint8_t bytes[P2_PAYOUT_BYTES_MAX];
    size_t size = p2_payout_encode(bytes, payout);
    p2_batch_put(batch, p2_authority_table(P2_TABLE_POLICY), number_key(key, 'P', payout->number),
                 P2_PAYOUT_VERSION, p2_span(bytes, size));
}

void p2_accounts_put_receipt(struct p2_batch *batch, const struct p2_id *helper, uint64_t sequence,
                             const struct p2_receipt *receipt)
{
    uint8_t key[KEY_RECEIPT];
    uint8_t bytes[P2_RECEIPT_BYTES_MAX];
    size_t size = p2_receipt_encode(bytes, receipt);
    memcpy(key, helper->bytes, P2_ID_BYTES);
    p2_store_be64(key + P2_ID_BYTES, sequence);
    p2_batch_put(batch, p2_authority_table(P2_TABLE_RECEIPTS), p2_span(key, sizeof key),
                 P2_RECEIPT_VERSION, p2_span(bytes, size));
}

bool p2_accounts_can_post(const struct p2_accounts *accounts)
{
    return !accounts->must_reload;
}

/* ---- submitting -------------------------------------------------------------------------------- */

struct submission {
    struct p2_accounts *accounts;
    p2_batch_done_fn *done;
    void *ctx;
};

static int load_ledger(struct p2_accounts *accounts);

static void on_written(void *ctx, int error, const struct p2_failure *failure)
{
    struct submission submission = *(struct submission *)ctx; /* the batch frees it */
    struct p2_accounts *accounts = submission.accounts;
    accounts->pending--;
    accounts->must_reload = accounts->must_reload || error != P2_OK;
    if (accounts->must_reload && accounts->pending == 0) {
        /* What was made since and is not on the disk never happened. */
        accounts->must_reload = load_ledger(accounts) != P2_OK;
    }
    if (submission.done != NULL) {
        submission.done(submission.ctx, error, failure);
    }
}

int p2_accounts_submit(struct p2_accounts *accounts, struct p2_batch *batch, p2_batch_done_fn *done,
                       void *ctx)
{
    struct submission *submission = malloc(sizeof *submission);
    if (submission == NULL) {
        return P2_E_NOMEM;
    }
    *submission = (struct submission){accounts, done, ctx};
    p2_batch_own(batch, free, submission);
    p2_batch_set_stream(batch, P2_ACCOUNTS_STREAM);
    int error = p2_store_writer_submit(accounts->writer, batch, on_written, submission);
    accounts->pending += error == P2_OK ? 1 : 0;
    return error;
}

int p2_accounts_perform(struct p2_accounts *accounts, const struct p2_trust_effect *effects,
                        uint32_t count, uint64_t unix_s, p2_batch_done_fn *done, void *ctx)
{
    if (!p2_accounts_can_post(accounts)) {
        return P2_E_AGAIN;
    }
    struct p2_batch *batch = p2_batch_new();
    if (batch == NULL) {
        return P2_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct p2_ledger_entry entry;
        const struct p2_reputation *rep = p2_trust_find(accounts->trust, &effects[i].helper);
        if (effects[i].type == P2_TRUST_PERSIST && rep != NULL) {
            p2_accounts_put_reputation(accounts, batch, rep);
        } else if (effects[i].type == P2_TRUST_FORFEIT &&
                   p2_ledger_forfeit(accounts->ledger, &effects[i].helper, effects[i].lease,
                                     effects[i].expected, unix_s, &entry) == P2_OK) {
            p2_accounts_put_entry(batch, &entry);
        }
    }
    int error = p2_accounts_submit(accounts, batch, done, ctx);
    if (error != P2_OK) {
        p2_batch_free(batch);
        accounts->must_reload = true; /* the forfeiture is in memory only */
        if (accounts->pending == 0) {
            accounts->must_reload = load_ledger(accounts) != P2_OK;
        }
    }
    return error;
}

/* ---- reading ----------------------------------------------------------------------------------- */

int p2_accounts_walk(struct p2_store *store, uint64_t first,
                     int (*each)(void *ctx, const struct p2_ledger_entry *entry), void *ctx)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry record;
    uint8_t key[8];
    int error = P2_OK;
    p2_store_be64(key, first);
    p2_txn_begin_read(&txn, store);
    p2_cursor_open(&cursor, &txn, p2_authority_table(P2_TABLE_LEDGER), p2_span(NULL, 0),
                   P2_CURSOR_UP);
    p2_cursor_range(&cursor, p2_span(key, sizeof key), p2_span(NULL, 0));
    while (error == P2_OK && p2_cursor_next(&cursor, &record)) {
        struct p2_ledger_entry entry;
        error = p2_ledger_entry_decode(&entry, record.payload);
        if (error == P2_OK) {
            error = each(ctx, &entry);
        }
    }
    p2_cursor_close(&cursor);
    int end = p2_txn_end_read(&txn);
    return error != P2_OK ? error : end;
}

static int apply(void *ctx, const struct p2_ledger_entry *entry)
{
    return p2_ledger_apply(ctx, entry);
}

/* Every receipt of every helper; the sequence of the newest is what counts. */
static int load_receipts(struct p2_accounts *accounts)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry record;
    p2_txn_begin_read(&txn, accounts->store);
    p2_cursor_open(&cursor, &txn, p2_authority_table(P2_TABLE_RECEIPTS), p2_span(NULL, 0),
                   P2_CURSOR_UP);
    while (p2_cursor_next(&cursor, &record)) {
        struct p2_msg_statement statement = {0};
        if (record.key.size != KEY_RECEIPT) {
            p2_txn_fail(&txn, P2_E_CORRUPT);
            break;
        }
        memcpy(statement.helper.bytes, record.key.data, P2_ID_BYTES);
        statement.sequence = p2_load_be64(record.key.data + P2_ID_BYTES);
        (void)p2_receipt_restore(accounts->ledger,
                                 &statement); /* a helper without entries: nothing */
    }
    p2_cursor_close(&cursor);
    return p2_txn_end_read(&txn);
}

static int load_ledger(struct p2_accounts *accounts)
{
    enum p2_pay mode = accounts->ledger->mode;
    uint64_t price = accounts->ledger->gamer_price_nd_h;
    p2_ledger_free(accounts->ledger);
    int error = p2_ledger_init(accounts->ledger, mode, price);
    if (error == P2_OK) {
        error = p2_accounts_walk(accounts->store, 0, apply, accounts->ledger);
    }
    return error == P2_OK ? load_receipts(accounts) : error;
}

/* One record of the table policy. */
static int load_policy(struct p2_accounts *accounts, const struct p2_entry *record)
{
    if (record->key.size != KEY_NUMBER_MAX) {
        return P2_E_CORRUPT;
    }
    if (record->key.data[0] == 'B') {
        struct p2_ban_entry entry;
        int error = p2_ban_decode(&entry, record->payload);
        return error != P2_OK ? error : p2_bans_restore(&accounts->trust->bans, &entry);
    }
    if (record->key.data[0] == 'P') {
        struct p2_payout payout;
        int error = p2_payout_decode(&payout, record->payload);
        return error != P2_OK ? error : p2_payout_restore(accounts->payouts, &payout);
    }
    return P2_E_CORRUPT;
}

int p2_accounts_load(struct p2_accounts *accounts, struct p2_failure *failure)
{
    struct p2_txn txn;
    struct p2_cursor cursor;
    struct p2_entry record;
    int error = P2_OK;
    p2_txn_begin_read(&txn, accounts->store);
    p2_cursor_open(&cursor, &txn, p2_authority_table(P2_TABLE_POLICY), p2_span(NULL, 0),
                   P2_CURSOR_UP);
    while (error == P2_OK && p2_cursor_next(&cursor, &record)) {
        error = load_policy(accounts, &record);
    }
    p2_cursor_close(&cursor);
    int end = p2_txn_end_read(&txn);
    error = error != P2_OK ? error : end;
    if (error != P2_OK) {
        return p2_fail(failure, error, "bans or payouts cannot be read: %s", p2_error_text(error));
    }
    error = load_ledger(accounts);
    if (error != P2_OK) {
        return p2_fail(failure, error, "the ledger cannot be read at entry %llu: %s",
                       (unsigned long long)accounts->ledger->next_number, p2_error_text(error));
    }
    return P2_OK;
}

int p2_accounts_recall(struct p2_accounts *accounts, const struct p2_id *id)
{
    if (p2_trust_find(accounts->trust, id) != NULL) {
        return P2_OK;
    }
    struct p2_txn txn;
    struct p2_buf bytes;
    uint8_t key[KEY_REPUTATION];
    struct p2_reputation rep;
    p2_buf_init(&bytes, RECORD_MAX);
    p2_txn_begin_read(&txn, accounts->store);
    bool is_there = p2_txn_get(&txn, p2_authority_table(P2_TABLE_REPUTATIONS),
                               reputation_key(key, id), NULL, &bytes);
    int error = p2_txn_end_read(&txn);
    if (error == P2_OK && is_there) {
        error = p2_reputation_decode(&rep, p2_buf_span(&bytes), &accounts->names);
        if (error == P2_OK) {
            error = p2_trust_restore(accounts->trust, &rep);
        }
    }
    p2_buf_free(&bytes);
    return error;
}
