/* Receipts: what a helper earned, signed by the authority. Cumulative: the newest supersedes all.
 *
 * The statement is the message STATEMENT; the signature covers exactly its bytes under its own domain
 * and the network's id. Anybody can verify one offline with the authority's key. Pure. Thread:
 * reentrant. */
#ifndef P2_WIRE_RECEIPT_H
#define P2_WIRE_RECEIPT_H

#include "wire/messages.h"

#define P2_RECEIPT_DOMAIN "p2c2r receipt v1"

struct p2_receipt {
    uint8_t statement[P2_WIRE_STATEMENT_MAX];
    size_t statement_size;
    uint8_t signature[P2_SIGNATURE_BYTES];
};

/* Signs a statement; its `authority` is set. Errors of the encoder. */
int p2_receipt_sign(struct p2_receipt *ret_receipt, struct p2_msg_statement *statement,
                    const struct p2_identity *authority, const uint8_t network_id[P2_KEY_BYTES]);

/* Verifies and reads one. `helper` may be NULL (whoever it names). P2_E_BAD_SIGNATURE, P2_E_WRONG_PEER
 * (it names another helper or authority), errors of the decoder. */
int p2_receipt_verify(struct p2_msg_statement *ret_statement, const struct p2_receipt *receipt,
                      const struct p2_id *authority, const struct p2_id *helper,
                      const uint8_t network_id[P2_KEY_BYTES]);

/* As stored and as files: version u8, size u16, statement, signature. out[P2_RECEIPT_BYTES_MAX]. */
#define P2_RECEIPT_VERSION   1
#define P2_RECEIPT_BYTES_MAX (3u + P2_WIRE_STATEMENT_MAX + P2_SIGNATURE_BYTES)
size_t p2_receipt_encode(uint8_t *out, const struct p2_receipt *receipt);
int p2_receipt_decode(struct p2_receipt *ret_receipt, struct p2_span bytes);

#endif
