/* The ledger: double entry in integer nano-dollars (points count the same way).
 *
 *   account            holds
 *   WORLD              what came from and went outside; the only one that is meant to be negative
 *   HOST               the host's own; in points mode it may be negative (unfunded)
 *   ESCROW session     what gamers of a session paid and what the host put in, for its helpers
 *   GAMER key          prepaid credit
 *   HELD key           a helper's pay that may still be forfeited
 *   HELPER key         a helper's cleared pay
 *   TRANSIT key        a payout under way, or UNKNOWN after a crash
 *
 *   entry              from     to        when
 *   CREDIT             WORLD    GAMER|HOST  people: p2c2rctl ledger credit
 *   CHARGE             GAMER    ESCROW    every second of play
 *   SUBSIDY            HOST     ESCROW    what the host pays for a session's work
 *   EARN               ESCROW   HELD      verified work (points mode: from HOST)
 *   CLEAR              HELD     HELPER    1 h and 10,000 further tasks without a fault
 *   FORFEIT            HELD     HOST      a confirmed lie
 *   RETURN             ESCROW   HOST      what a session left over
 *   PAYOUT             HELPER   TRANSIT   before the hook runs
 *   PAID               TRANSIT  WORLD     the hook said so
 *   UNPAID             TRANSIT  HELPER    the hook said it did not
 *
 * Every entry takes from one account what it gives to another, so all accounts together are always 0.
 * Divisions carry their remainders (units to nano-dollars per helper, seconds to nano-dollars per
 * gamer). No account but WORLD (and in points mode HOST) goes below zero: an entry that would is
 * refused.
 *
 * The entry is the truth: state = fold of p2_ledger_apply over the journal, and every function below
 * that changes money gives the entries to be stored; a shell commits them with what caused them. The
 * ledger applies them at once; after a crash only stored ones are replayed, so nothing is known that
 * was not stored. tests/tools/ledger-replay.py is an independent reader. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_LEDGER_H
#define P2_AUTHORITY_TRUST_LEDGER_H

#include "authority/lease.h"
#include "authority/trust/limits.h"
#include "base/buf.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_pay { P2_PAY_POINTS, P2_PAY_FUNDED }; /* as enum p2_pay_mode of the wire */

enum p2_account_kind {
    P2_ACCOUNT_WORLD,
    P2_ACCOUNT_HOST,
    P2_ACCOUNT_ESCROW,
    P2_ACCOUNT_GAMER,
    P2_ACCOUNT_HELD,
    P2_ACCOUNT_HELPER,
    P2_ACCOUNT_TRANSIT,
    P2_ACCOUNT_KINDS
};

enum p2_ledger_kind {
    P2_LEDGER_CREDIT,
    P2_LEDGER_CHARGE,
    P2_LEDGER_SUBSIDY,
    P2_LEDGER_EARN,
    P2_LEDGER_CLEAR,
    P2_LEDGER_FORFEIT,
    P2_LEDGER_RETURN,
    P2_LEDGER_PAYOUT,
    P2_LEDGER_PAID,
    P2_LEDGER_UNPAID,
    P2_LEDGER_KINDS
};

/* One line of the journal (table ledger; key: number u64). */
struct p2_ledger_entry {
    uint64_t number; /* from 1, no gaps */
    uint64_t at_s;   /* Unix */
    enum p2_ledger_kind kind;
    enum p2_account_kind from, to;
    struct p2_id key;     /* of helper or gamer; zero where the account has none */
    struct p2_id session; /* of an ESCROW: the session's random id; zero where it plays no part */
    uint64_t amount_nd;   /* may be 0: only remainders or counts moved */
    uint64_t units;       /* EARN: work; CHARGE: seconds */
    uint64_t tasks;       /* EARN, CLEAR, FORFEIT: how many */
    uint32_t rest;      /* EARN, CHARGE: remainder carried on, in millionths or 3,600ths of a nd */
    uint64_t reference; /* PAYOUT, PAID, UNPAID: the payout's number; FORFEIT: the lease */
    uint8_t digest[P2_DIGEST_BYTES]; /* FORFEIT: of the right result */
};

/* Held pay that clears together. */
struct p2_lot {
    uint64_t opened_s, newest_s;
    uint64_t tasks;
    uint64_t last_task; /* the helper's count of tasks after its newest one */
    uint64_t amount_nd;
};

/* A helper, gamer or session. */
struct p2_account {
    struct p2_id key;
    enum p2_account_kind kind; /* HELPER (with its HELD and TRANSIT), GAMER, ESCROW */
    bool is_used;
    int64_t balance_nd;                  /* HELPER, GAMER, ESCROW */
    int64_t held_nd;                     /* HELPER: its HELD */
    int64_t transit_nd;                  /* HELPER: its TRANSIT */
    uint32_t rest;                       /* carried remainder */
    uint64_t units;                      /* ever verified */
    uint64_t tasks;                      /* ever paid */
    uint64_t cleared_nd;                 /* ever */
    uint64_t forfeited_nd;               /* ever */
    uint64_t paid_nd;                    /* ever: went to WORLD */
    uint64_t sequence;                   /* of its newest receipt */
    uint64_t reported_tasks, reported_s; /* at that receipt */
    uint64_t hour_s;                     /* ESCROW: this hour's start */
    uint64_t hour_nd, hour_subsidy_nd;   /* and what was spent in it */
    uint32_t lot_count;
    struct p2_lot *lots; /* owned; HELPER: lots[P2_LOTS_MAX + 1] */
};

struct p2_ledger {
    enum p2_pay mode;
    struct p2_account *accounts; /* owned; open addressing */
    uint32_t capacity;           /* power of two */
    uint32_t count;
    int64_t world_nd;
    int64_t host_nd;
    uint64_t next_number;
    uint64_t gamer_price_nd_h;
    /* ever */
    uint64_t units, seconds;
    uint64_t earned_nd, charged_nd, subsidy_nd, forfeited_nd;
};

/* P2_E_NOMEM. `gamer_price_nd_h` 0: gamers play free. */
int p2_ledger_init(struct p2_ledger *ledger, enum p2_pay mode, uint64_t gamer_price_nd_h);
void p2_ledger_free(struct p2_ledger *ledger);

/* Applies a stored entry at start; order and balances are checked (P2_E_CORRUPT). */
int p2_ledger_apply(struct p2_ledger *ledger, const struct p2_ledger_entry *entry);

/* ---- what happens: each gives the entries to be stored ----------------------------------------- */

/* What a session may cost in an hour (funded mode). */
struct p2_session_limits {
    uint64_t budget_nd_h; /* all pay of helpers, whoever's money it is */
    uint64_t
        subsidy_nd_h; /* of that, at most this from the host when gamers' charges do not cover it;
                            * 0 (the default): helpers earn what this session's gamers paid, so a
                            * gamer who is his own helper earns back at most what he paid */
};

/* `tasks` results of together `units` (at most P2_EARN_UNITS_MAX) were verified, or left unaudited
 * after their check, at `price_nd_m` nano-dollars per million units: EARN, in funded mode after a
 * SUBSIDY where one is needed. Shells gather results and post them every second and before receipts.
 * P2_E_LIMIT: money or budget do not cover it; nothing changed, nothing is owed (the shell stops
 * leasing before that, see p2_ledger_session_can_pay). P2_E_RANGE. */
#define P2_EARN_UNITS_MAX UINT64_C(4000000000)
int p2_ledger_earn(struct p2_ledger *ledger, const struct p2_id *helper,
                   const struct p2_id *session, uint64_t units, uint64_t tasks, uint64_t price_nd_m,
                   const struct p2_session_limits *limits, uint64_t now_s,
                   struct p2_ledger_entry ret_entries[2], uint32_t *ret_count);

/* May the session lease more paid work while work of `in_flight_nd` is out or not posted? Always in
 * points mode. */
bool p2_ledger_session_can_pay(const struct p2_ledger *ledger, const struct p2_id *session,
                               uint64_t in_flight_nd, const struct p2_session_limits *limits,
                               uint64_t now_s);

/* Pay of `units` at `price_nd_m`, rounded up. */
uint64_t p2_pay_nd(uint64_t units, uint64_t price_nd_m);

/* `seconds` of play: CHARGE. P2_E_LIMIT: the credit does not last (nothing changed): END CREDIT.
 * P2_E_STATE: play is free (points mode, or no price). */
int p2_ledger_charge(struct p2_ledger *ledger, const struct p2_id *gamer,
                     const struct p2_id *session, uint64_t seconds, uint64_t now_s,
                     struct p2_ledger_entry *ret_entry);

/* Whole seconds the gamer's credit lasts; UINT64_MAX when play is free or in points mode. */
uint64_t p2_ledger_seconds_left(const struct p2_ledger *ledger, const struct p2_id *gamer);

/* Clears the oldest lot of `helper` that is due. P2_E_NOENT: none. */
int p2_ledger_clear(struct p2_ledger *ledger, const struct p2_id *helper, uint64_t now_s,
                    struct p2_ledger_entry *ret_entry);

/* A confirmed lie: all held pay goes to the host. P2_E_NOENT: nothing held. */
int p2_ledger_forfeit(struct p2_ledger *ledger, const struct p2_id *helper, uint64_t lease,
                      const uint8_t expected[P2_DIGEST_BYTES], uint64_t now_s,
                      struct p2_ledger_entry *ret_entry);

/* Prepaid money: to a gamer, or to the host when `gamer` is NULL. P2_E_RANGE. */
int p2_ledger_credit(struct p2_ledger *ledger, const struct p2_id *gamer, uint64_t amount_nd,
                     uint64_t now_s, struct p2_ledger_entry *ret_entry);

/* A session ended: what its escrow still holds goes to the host. P2_E_NOENT. */
int p2_ledger_end_session(struct p2_ledger *ledger, const struct p2_id *session, uint64_t now_s,
                          struct p2_ledger_entry *ret_entry);

/* ---- looking ----------------------------------------------------------------------------------- */

/* NULL when it has none. Borrowed until the next change. */
const struct p2_account *p2_ledger_account(const struct p2_ledger *ledger,
                                           enum p2_account_kind kind, const struct p2_id *key);
/* Account number `index` in use; NULL after the last. O(capacity) for all. */
const struct p2_account *p2_ledger_next(const struct p2_ledger *ledger, uint32_t *index);

/* Sum of all accounts: always 0. O(accounts). */
int64_t p2_ledger_sum_nd(const struct p2_ledger *ledger);

/* The arithmetic of `ledger explain`: what a helper-hour and a gamer-hour cost, how much helper time a
 * gamer-hour can pay for, how much it took so far, and what that leaves. */
struct p2_solvency {
    uint64_t helper_nd_h, gamer_nd_h;
    uint64_t affordable_ppm; /* helper time per gamer time that the prices cover: 1/15 by default */
    uint64_t used_ppm;       /* helper time per gamer time so far; 0: nobody played */
    uint64_t earned_nd, charged_nd, subsidy_nd, forfeited_nd;
    int64_t shortfall_nd; /* earned and not covered by charges; negative: left over */
};
void p2_ledger_solvency(const struct p2_ledger *ledger, uint64_t helper_price_nd_m,
                        struct p2_solvency *ret_solvency);

/* ---- as stored and exported ---------------------------------------------------------------------- */

#define P2_LEDGER_VERSION         1
#define P2_LEDGER_ENTRY_BYTES_MAX 160u
#define P2_LEDGER_TEXT_MAX        512u
size_t p2_ledger_entry_encode(uint8_t *out, const struct p2_ledger_entry *entry);
int p2_ledger_entry_decode(struct p2_ledger_entry *ret_entry, struct p2_span bytes);

/* One line of CSV or one JSON object, without newline, into text[P2_LEDGER_TEXT_MAX]. */
extern const char p2_ledger_csv_head[];
void p2_ledger_entry_csv(char *text, const struct p2_ledger_entry *entry);
void p2_ledger_entry_json(char *text, const struct p2_ledger_entry *entry);
const char *p2_ledger_kind_name(enum p2_ledger_kind kind);
const char *p2_account_kind_name(enum p2_account_kind kind);

#endif
