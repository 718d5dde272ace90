/* Signed receipts as bytes. */
#include "wire/receipt.h"

#include "wire/decode.h"
#include "wire/encode.h"

#include <string.h>

int p2_receipt_sign(struct p2_receipt *ret_receipt, struct p2_msg_statement *statement,
                    const struct p2_identity *authority, const uint8_t network_id[P2_KEY_BYTES])
{
    struct p2_receipt receipt;
    struct p2_writer writer;
    memcpy(statement->authority.bytes, authority->public_key, P2_ID_BYTES);
    p2_writer_init(&writer, receipt.statement, sizeof receipt.statement);
    int error = p2_wire_encode_statement(&writer, statement);
    if (error != P2_OK) {
        return error;
    }
    receipt.statement_size = writer.size;
    error = p2_sign(receipt.signature, authority, P2_RECEIPT_DOMAIN, network_id,
                    p2_writer_span(&writer));
    if (error == P2_OK) {
        *ret_receipt = receipt;
    }
    return error;
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
