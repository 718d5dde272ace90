/* When a helper's receipt is due and what it states; its form and its verification are the wire's
 * (wire/receipt.h), since helpers and offline tools read it too. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_RECEIPT_H
#define P2_AUTHORITY_TRUST_RECEIPT_H

#include "authority/trust/ledger.h"
#include "wire/receipt.h"

/* Is one due for `helper` (P2_RECEIPT_TASKS paid tasks, or P2_RECEIPT_S after unreported work)? */
bool p2_receipt_is_due(const struct p2_ledger *ledger, const struct p2_id *helper, uint64_t now_s);

/* Makes the next receipt of `helper` and counts its sequence. P2_E_NOENT: never earned anything. */
int p2_receipt_make(struct p2_receipt *ret_receipt, struct p2_ledger *ledger,
                    const struct p2_id *helper, const struct p2_identity *authority,
                    const uint8_t network_id[P2_KEY_BYTES], uint64_t now_s);

/* At start: the newest stored receipt of a helper; the next one follows its sequence. P2_E_NOENT. */
int p2_receipt_restore(struct p2_ledger *ledger, const struct p2_msg_statement *statement);

#endif
