/* Receipts: what a helper earned, signed by the authority. Cumulative: the newest supersedes all.
 *
 * The statement is the wire's STATEMENT; the signature covers exactly its bytes under its own domain
 * and the network's id. Anybody can verify one offline with the authority's key. Pure. Thread:
 * reentrant. */
#ifndef P2_AUTHORITY_TRUST_RECEIPT_H
#define P2_AUTHORITY_TRUST_RECEIPT_H

#include "authority/trust/ledger.h"
#include "wire/messages.h"

#define P2_RECEIPT_DOMAIN "p2c2r receipt v1"

struct p2_receipt {
    uint8_t statement[P2_WIRE_STATEMENT_MAX];
    size_t statement_size;
    uint8_t signature[P2_SIGNATURE_BYTES];
};

/* Is one due for `helper` (P2_RECEIPT_TASKS paid tasks, or P2_RECEIPT_S after unreported work)? */
bool p2_receipt_is_due(const struct p2_ledger *ledger, const struct p2_id *helper, uint64_t now_s);

/* Makes the next receipt of `helper` and counts its sequence. P2_E_NOENT: never earned anything. */
int p2_receipt_make(struct p2_receipt *ret_receipt, struct p2_ledger *ledger,
                    const struct p2_id *helper, const struct p2_identity *authority,
                    const uint8_t network_id[P2_KEY_BYTES], uint64_t now_s);

/* Verifies and reads one. `helper` may be NULL (whoever it names). P2_E_BAD_SIGNATURE, P2_E_WRONG_PEER
 * (it names another helper or authority), errors of the decoder. */
int p2_receipt_verify(struct p2_msg_statement *ret_statement, const struct p2_receipt *receipt,
                      const struct p2_id *authority, const struct p2_id *helper,
                      const uint8_t network_id[P2_KEY_BYTES]);

/* At start: the newest stored receipt of a helper; the next one follows its sequence. P2_E_NOENT. */
int p2_receipt_restore(struct p2_ledger *ledger, const struct p2_msg_statement *statement);

/* As stored (table receipts; key: the helper's id) and as files: version, size, statement, signature.
 * out[P2_RECEIPT_BYTES_MAX]. */
#define P2_RECEIPT_VERSION   1
#define P2_RECEIPT_BYTES_MAX (3u + P2_WIRE_STATEMENT_MAX + P2_SIGNATURE_BYTES)
size_t p2_receipt_encode(uint8_t *out, const struct p2_receipt *receipt);
int p2_receipt_decode(struct p2_receipt *ret_receipt, struct p2_span bytes);

#endif
