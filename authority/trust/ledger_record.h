/* Parts of the ledger that know no money: names, and the stored and exported forms (ledger.h declares
 * the public ones). Thread: reentrant. */
#ifndef P2_AUTHORITY_TRUST_LEDGER_RECORD_H
#define P2_AUTHORITY_TRUST_LEDGER_RECORD_H

#include "authority/trust/ledger.h"

/* Between which accounts an entry of `kind` moves money; `to` of CREDIT and `from` of EARN may also be
 * HOST. */
struct p2_ledger_shape {
    enum p2_account_kind from, to;
};
struct p2_ledger_shape p2_ledger_shape(enum p2_ledger_kind kind);

/* Does the entry move between accounts its kind allows? */
bool p2_ledger_is_shaped(const struct p2_ledger_entry *entry);

#endif
