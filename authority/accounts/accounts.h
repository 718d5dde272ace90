/* Trust and money in the store.
 *
 *   table         key                      payload
 *   reputations   key[32], u16 0xffff      reputation.h
 *   policy        'B', number u64          ban.h: the trail of bans by people
 *   policy        'P', number u64          payout.h: the newest state
 *   ledger        number u64               ledger.h
 *   receipts      key[32], sequence u64    wire/receipt.h
 *
 * Ledger entries are applied in memory when they are made and promised when their batch is on the disk.
 * All batches of money are one stream of the writer: when one fails, all later ones fail, and the ledger
 * is read again from what was stored; meanwhile p2_accounts_can_post is false.
 * Thread: the loop. */
#ifndef P2_AUTHORITY_ACCOUNTS_ACCOUNTS_H
#define P2_AUTHORITY_ACCOUNTS_ACCOUNTS_H

#include "authority/trust/ledger.h"
#include "authority/trust/payout.h"
#include "authority/trust/receipt.h"
#include "authority/trust/trust.h"
#include "store/writer.h"

#define P2_ACCOUNTS_STREAM UINT64_C(0x6d6f6e6579) /* the writer's stream: "money" */

struct p2_accounts {
    struct p2_trust *trust; /* all borrowed */
    struct p2_ledger *ledger;
    struct p2_payouts *payouts;
    struct p2_store *store;
    struct p2_store_writer *writer;
    struct p2_kernel_names names;
    unsigned pending; /* batches under way: do not free anything before it is 0 */
    bool must_reload; /* a batch of money failed */
};

/* Reads bans, ledger, receipts and payouts into the fresh objects. P2_E_CORRUPT (`failure` says
 * where), P2_E_NOMEM, P2_E_LIMIT. O(entries). */
int p2_accounts_load(struct p2_accounts *accounts, struct p2_failure *failure);

/* Reads what is stored of a key into the trust table, before the helper is let in. P2_OK also when
 * nothing is stored. */
int p2_accounts_recall(struct p2_accounts *accounts, const struct p2_id *id);

/* May money be moved now? */
bool p2_accounts_can_post(const struct p2_accounts *accounts);

/* Puts records into a batch of the caller. */
void p2_accounts_put_reputation(const struct p2_accounts *accounts, struct p2_batch *batch,
                                const struct p2_reputation *rep);
void p2_accounts_put_ban(struct p2_batch *batch, const struct p2_ban_entry *entry);
void p2_accounts_put_entry(struct p2_batch *batch, const struct p2_ledger_entry *entry);
void p2_accounts_put_payout(struct p2_batch *batch, const struct p2_payout *payout);
void p2_accounts_put_receipt(struct p2_batch *batch, const struct p2_id *helper, uint64_t sequence,
                             const struct p2_receipt *receipt);

/* Submits a batch that may hold money; `done` (may be NULL) as p2_store_writer_submit. Takes the batch
 * on success only. */
int p2_accounts_submit(struct p2_accounts *accounts, struct p2_batch *batch, p2_batch_done_fn *done,
                       void *ctx);

/* The effects of p2_trust_hear: reputations stored, held pay forfeited, in one batch; `done` when it is
 * on the disk: only then BAN takes effect for others. P2_E_AGAIN: money cannot be moved now. */
int p2_accounts_perform(struct p2_accounts *accounts, const struct p2_trust_effect *effects,
                        uint32_t count, uint64_t unix_s, p2_batch_done_fn *done, void *ctx);

/* Gives each stored entry of the ledger from `first` on to `each` (may stop by returning an error).
 * Reads the store: from any thread, one call a thread. */
int p2_accounts_walk(struct p2_store *store, uint64_t first,
                     int (*each)(void *ctx, const struct p2_ledger_entry *entry), void *ctx);

#endif
