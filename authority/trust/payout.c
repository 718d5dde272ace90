/* Payouts: the states stand in the header. */
#include "authority/trust/payout.h"

#include <string.h>

static struct p2_payout *find(struct p2_payouts *payouts, uint64_t number)
{
    for (uint32_t i = 0; i < payouts->count; i++) {
        if (payouts->items[i].number == number) {
            return &payouts->items[i];
        }
    }
    return NULL;
}

int p2_payout_begin(struct p2_payouts *payouts, struct p2_ledger *ledger,
                    const struct p2_id *helper, uint64_t minimum_nd, uint64_t now_s,
                    struct p2_ledger_entry *ret_entry, struct p2_payout *ret_payout)
{
    const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_HELPER, helper);
    if (account == NULL || account->balance_nd <= 0 || (uint64_t)account->balance_nd < minimum_nd) {
        return P2_E_NOENT;
    }
    for (uint32_t i = 0; i < payouts->count; i++) {
        if (p2_id_equal(&payouts->items[i].helper, helper)) {
            return P2_E_EXIST;
        }
    }
    if (payouts->count == P2_PAYOUTS_MAX) {
        return P2_E_LIMIT;
    }
    struct p2_ledger_entry entry = {
        .number = ledger->next_number,
        .at_s = now_s,
        .kind = P2_LEDGER_PAYOUT,
        .from = P2_ACCOUNT_HELPER,
        .to = P2_ACCOUNT_TRANSIT,
        .key = *helper,
        .amount_nd = (uint64_t)account->balance_nd,
        .reference = ledger->next_number,
    };
    int error = p2_ledger_apply(ledger, &entry);
    if (error != P2_OK) {
        return error;
    }
    struct p2_payout *payout = &payouts->items[payouts->count++];
    *payout = (struct p2_payout){
        .number = entry.number,
        .helper = *helper,
        .amount_nd = entry.amount_nd,
        .at_s = now_s,
        .state = P2_PAYOUT_BEGUN,
    };
    *ret_payout = *payout;
    *ret_entry = entry;
    return P2_OK;
}

int p2_payout_start(struct p2_payouts *payouts, uint64_t number, struct p2_payout *ret_payout)
{
    struct p2_payout *payout = find(payouts, number);
    if (payout == NULL || payout->state != P2_PAYOUT_BEGUN) {
        return payout == NULL ? P2_E_NOENT : P2_E_STATE;
    }
    payout->state = P2_PAYOUT_STARTED;
    *ret_payout = *payout;
    return P2_OK;
}

int p2_payout_answer(struct p2_payouts *payouts, struct p2_ledger *ledger, uint64_t number,
                     enum p2_payout_answer answer, uint64_t now_s, struct p2_payout *ret_payout,
                     struct p2_ledger_entry *ret_entry, bool *ret_has_entry)
{
    struct p2_payout *payout = find(payouts, number);
    if (payout == NULL || payout->state == P2_PAYOUT_BEGUN) {
        return payout == NULL ? P2_E_NOENT : P2_E_STATE;
    }
    *ret_has_entry = answer != P2_PAYOUT_SAYS_NOTHING;
    if (answer == P2_PAYOUT_SAYS_NOTHING) {
        payout->state = P2_PAYOUT_UNKNOWN;
        *ret_payout = *payout;
        return P2_OK;
    }
    bool is_paid = answer == P2_PAYOUT_SAYS_PAID;
    struct p2_ledger_entry entry = {
        .number = ledger->next_number,
        .at_s = now_s,
        .kind = is_paid ? P2_LEDGER_PAID : P2_LEDGER_UNPAID,
        .from = P2_ACCOUNT_TRANSIT,
        .to = is_paid ? P2_ACCOUNT_WORLD : P2_ACCOUNT_HELPER,
        .key = payout->helper,
        .amount_nd = payout->amount_nd,
        .reference = number,
    };
    int error = p2_ledger_apply(ledger, &entry);
    if (error != P2_OK) {
        return error;
    }
    payout->state = is_paid ? P2_PAYOUT_PAID : P2_PAYOUT_FAILED;
    *ret_payout = *payout;
    *ret_entry = entry;
    *payout = payouts->items[--payouts->count];
    return P2_OK;
}

int p2_payout_restore(struct p2_payouts *payouts, const struct p2_payout *stored)
{
    if (stored->state == P2_PAYOUT_PAID || stored->state == P2_PAYOUT_FAILED) {
        return P2_OK;
    }
    if (payouts->count == P2_PAYOUTS_MAX) {
        return P2_E_LIMIT;
    }
    struct p2_payout *payout = &payouts->items[payouts->count++];
    *payout = *stored;
    if (payout->state == P2_PAYOUT_STARTED) {
        payout->state = P2_PAYOUT_UNKNOWN;
    }
    return P2_OK;
}

const char *p2_payout_state_name(enum p2_payout_state state)
{
    static const char *const names[P2_PAYOUT_STATES] = {"BEGUN", "STARTED", "UNKNOWN", "PAID",
                                                        "FAILED"};
    return state < P2_PAYOUT_STATES ? names[state] : "UNKNOWN";
}

/* version 1, number 8, helper 32, amount_nd 8, at_s 8, state 1 */
size_t p2_payout_encode(uint8_t *out, const struct p2_payout *payout)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_PAYOUT_BYTES_MAX);
    p2_writer_u8(&writer, P2_PAYOUT_VERSION);
    p2_writer_u64(&writer, payout->number);
    p2_writer_bytes(&writer, p2_span(payout->helper.bytes, P2_ID_BYTES));
    p2_writer_u64(&writer, payout->amount_nd);
    p2_writer_u64(&writer, payout->at_s);
    p2_writer_u8(&writer, (uint8_t)payout->state);
    P2_ASSERT(writer.error == P2_OK);
    return writer.size;
}

int p2_payout_decode(struct p2_payout *ret_payout, struct p2_span bytes)
{
    struct p2_payout payout = {0};
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    uint8_t version = p2_reader_u8(&reader);
    if (reader.error == P2_OK && version > P2_PAYOUT_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    payout.number = p2_reader_u64(&reader);
    struct p2_span id = p2_reader_bytes(&reader, P2_ID_BYTES);
    payout.amount_nd = p2_reader_u64(&reader);
    payout.at_s = p2_reader_u64(&reader);
    uint8_t state = p2_reader_u8(&reader);
    if (version != P2_PAYOUT_VERSION || p2_reader_end(&reader) != P2_OK ||
        state >= P2_PAYOUT_STATES) {
        return P2_E_CORRUPT;
    }
    memcpy(payout.helper.bytes, id.data, P2_ID_BYTES);
    payout.state = (enum p2_payout_state)state;
    *ret_payout = payout;
    return P2_OK;
}
