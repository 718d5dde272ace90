/* Payouts through a hook: never paid twice, whatever crashes when.
 *
 *   state     entered by                                              left by
 *   BEGUN     p2_payout_begin; stored before the hook is started      STARTED
 *   STARTED   stored, then the hook runs once, with the number        PAID, FAILED, UNKNOWN
 *   UNKNOWN   the hook timed out or died without a verdict, or the    PAID, FAILED (a person, or the
 *             authority restarted while STARTED                       hook's own `query`)
 *   PAID      the hook said "paid NUMBER"                             never
 *   FAILED    the hook said "unpaid NUMBER"; money back               never
 *
 * BEGUN after a restart: the hook was never started; it may be started. STARTED after a restart:
 * UNKNOWN. An UNKNOWN payout is never started again by itself. The hook gets the number as its
 * idempotence key (DESIGN 12: absolute root-owned path, no shell, empty environment, timeout: the
 * shell's part). State = ledger entries (PAYOUT, PAID, UNPAID) and these records. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_PAYOUT_H
#define P2_AUTHORITY_TRUST_PAYOUT_H

#include "authority/trust/ledger.h"

enum p2_payout_state {
    P2_PAYOUT_BEGUN,
    P2_PAYOUT_STARTED,
    P2_PAYOUT_UNKNOWN,
    P2_PAYOUT_PAID,
    P2_PAYOUT_FAILED,
    P2_PAYOUT_STATES
};

struct p2_payout {
    uint64_t number; /* of the ledger entry PAYOUT: unique for ever */
    struct p2_id helper;
    uint64_t amount_nd;
    uint64_t at_s;
    enum p2_payout_state state;
};

struct p2_payouts {
    struct p2_payout items[P2_PAYOUTS_MAX]; /* not PAID and not FAILED */
    uint32_t count;
};

/* What the hook answered, or what a person decided. */
enum p2_payout_answer { P2_PAYOUT_SAYS_PAID, P2_PAYOUT_SAYS_UNPAID, P2_PAYOUT_SAYS_NOTHING };

/* Takes the helper's whole cleared balance if it is at least `minimum_nd`: entry PAYOUT and a BEGUN
 * record, to be stored in one transaction. P2_E_NOENT (too little), P2_E_EXIST (one is under way),
 * P2_E_LIMIT. */
int p2_payout_begin(struct p2_payouts *payouts, struct p2_ledger *ledger,
                    const struct p2_id *helper, uint64_t minimum_nd, uint64_t now_s,
                    struct p2_ledger_entry *ret_entry, struct p2_payout *ret_payout);

/* STARTED: to be stored before the hook runs. P2_E_STATE unless BEGUN. */
int p2_payout_start(struct p2_payouts *payouts, uint64_t number, struct p2_payout *ret_payout);

/* The hook's answer, or a person's: PAID or FAILED with its ledger entry (*ret_has_entry), or UNKNOWN.
 * To be stored in one transaction. P2_E_NOENT, P2_E_STATE (BEGUN: nothing ran yet). */
int p2_payout_answer(struct p2_payouts *payouts, struct p2_ledger *ledger, uint64_t number,
                     enum p2_payout_answer answer, uint64_t now_s, struct p2_payout *ret_payout,
                     struct p2_ledger_entry *ret_entry, bool *ret_has_entry);

/* A stored record at start: STARTED becomes UNKNOWN. Closed ones are skipped. P2_E_LIMIT. */
int p2_payout_restore(struct p2_payouts *payouts, const struct p2_payout *payout);

const char *p2_payout_state_name(enum p2_payout_state state);

/* As stored (table payouts; key: number u64). */
#define P2_PAYOUT_VERSION   1
#define P2_PAYOUT_BYTES_MAX 64u
size_t p2_payout_encode(uint8_t *out, const struct p2_payout *payout);
int p2_payout_decode(struct p2_payout *ret_payout, struct p2_span bytes);

#endif
