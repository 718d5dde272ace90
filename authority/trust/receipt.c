/* When receipts are due, and what they state. */
#include "authority/trust/receipt.h"

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
    struct p2_receipt receipt;
    int error = p2_receipt_sign(&receipt, &statement, authority, network_id);
    if (error != P2_OK) {
        return error;
    }
    account->sequence++;
    account->reported_tasks = account->tasks;
    account->reported_s = now_s;
    *ret_receipt = receipt;
    return P2_OK;
}
