/* Signed receipts. */
#include "authority/trust/receipt.h"

#include "wire/decode.h"
#include "wire/encode.h"

#include <string.h>

static const struct p2_account *helper_account(const struct p2_ledger *ledger,
                                               const struct p2_id *helper)
{
    return p2_ledger_account(ledger, P2_ACCOUNT_HELPER, helper);
}

/* The same to change: who has the ledger may. */
static struct p2_account *own_account(struct p2_ledger *ledger, const struct p2_id *helper)
{
    return (struct p2_account *)(uintptr_t)helper_account(ledger, helper);
}

int p2_receipt_restore(struct p2_ledger *ledger, const struct p2_msg_statement *statement)
{
    struct p2_account *account = own_account(ledger, &statement->helper);
    if (account == NULL) {
        return P2_E_NOENT;
    }
    if (statement->sequence > account->sequence) {
        account->sequence = statement->sequence;
        account->reported_s = statement->issued_s;
    }
    return P2_OK;
}

bool p2_receipt_is_due(const struct p2_ledger *ledger, const struct p2_id *helper, uint64_t now_s)
{
    const struct p2_account *account = helper_account(ledger, helper);
    if (account == NULL || account->tasks == account->reported_tasks) {
        return false;
    }
    return account->tasks - account->reported_tasks >= P2_RECEIPT_TASKS ||
           now_s >= account->reported_s + P2_RECEIPT_S;
}

int p2_receipt_make(struct p2_receipt *ret_receipt, struct p2_ledger *ledger,
                    const struct p2_id *helper, const struct p2_identity *authority,
                    const uint8_t network_id[P2_KEY_BYTES], uint64_t now_s)
{
    struct p2_account *account = own_account(ledger, helper);
    if (account == NULL) {
        return P2_E_NOENT;
    }
    struct p2_msg_statement statement = {
        .helper = *helper,
        .sequence = account->sequence + 1,
        .issued_s = now_s,
        .mode = ledger->mode == P2_PAY_FUNDED ? P2_PAY_MODE_FUNDED : P2_PAY_MODE_POINTS,
        .cost_units = account->units,
        .cleared_nd = account->cleared_nd,
        .held_nd = (uint64_t)account->held_nd,
        .forfeited_nd = account->forfeited_nd,
        .balance_nd = account->balance_nd,
    };
    memcpy(statement.authority.bytes, authority->public_key, P2_ID_BYTES);
    struct p2_receipt receipt;
    struct p2_writer writer;
    p2_writer_init(&writer, receipt.statement, sizeof receipt.statement);
    int error = p2_wire_encode_statement(&writer, &statement);
    if (error != P2_OK) {
        return error;
    }
    receipt.statement_size = writer.size;
    error = p2_sign(receipt.signature, authority, P2_RECEIPT_DOMAIN, network_id,
                    p2_writer_span(&writer));
    if (error != P2_OK) {
        return error;
    }
    account->sequence++;
    account->reported_tasks = account->tasks;
    account->reported_s = now_s;
    *ret_receipt = receipt;
    return P2_OK;
}

int p2_receipt_verify(struct p2_msg_statement *ret_statement, const struct p2_receipt *receipt,
                      const struct p2_id *authority, const struct p2_id *helper,
                      const uint8_t network_id[P2_KEY_BYTES])
{
    struct p2_span bytes = p2_span(receipt->statement, receipt->statement_size);
    int error =
        p2_verify(receipt->signature, authority->bytes, P2_RECEIPT_DOMAIN, network_id, bytes);
    if (error != P2_OK) {
        return error;
    }
    struct p2_msg_statement statement;
    error = p2_wire_decode_statement(&statement, bytes);
    if (error != P2_OK) {
        return error;
    }
    if (!p2_id_equal(&statement.authority, authority) ||
        (helper != NULL && !p2_id_equal(&statement.helper, helper))) {
        return P2_E_WRONG_PEER;
    }
    *ret_statement = statement;
    return P2_OK;
}

size_t p2_receipt_encode(uint8_t *out, const struct p2_receipt *receipt)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_RECEIPT_BYTES_MAX);
    p2_writer_u8(&writer, P2_RECEIPT_VERSION);
    p2_writer_u16(&writer, (uint16_t)receipt->statement_size);
    p2_writer_bytes(&writer, p2_span(receipt->statement, receipt->statement_size));
    p2_writer_bytes(&writer, p2_span(receipt->signature, P2_SIGNATURE_BYTES));
    P2_ASSERT(writer.error == P2_OK);
    return writer.size;
}

int p2_receipt_decode(struct p2_receipt *ret_receipt, struct p2_span bytes)
{
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    uint8_t version = p2_reader_u8(&reader);
    uint16_t size = p2_reader_u16(&reader);
    if (reader.error == P2_OK && version > P2_RECEIPT_VERSION) {
        return P2_E_NEW_SCHEMA;
    }
    if (version != P2_RECEIPT_VERSION || size > P2_WIRE_STATEMENT_MAX) {
        return P2_E_CORRUPT;
    }
    struct p2_span statement = p2_reader_bytes(&reader, size);
    struct p2_span signature = p2_reader_bytes(&reader, P2_SIGNATURE_BYTES);
    if (p2_reader_end(&reader) != P2_OK) {
        return P2_E_CORRUPT;
    }
    memcpy(ret_receipt->statement, statement.data, statement.size);
    ret_receipt->statement_size = statement.size;
    memcpy(ret_receipt->signature, signature.data, signature.size);
    return P2_OK;
}
