/* The ledger: entries and their fold. */
#include "authority/trust/ledger.h"

#include "authority/trust/ledger_record.h"

#include <stdlib.h>
#include <string.h>

#define MILLION      UINT64_C(1000000)
#define HOUR_S       UINT64_C(3600)
#define CAPACITY_MIN 64u
#define AMOUNT_MAX   (INT64_MAX / 4)      /* of one entry: sums of two stay far from the limit */
#define SECONDS_MAX  UINT64_C(86400)      /* charged at once; a second is usual */
#define PRICE_MAX_ND UINT64_C(3600000000) /* as P2_WIRE_PRICE_MAX; keeps units x price in 64 bits */

/* ---- accounts ----------------------------------------------------------------------------------- */

int p2_ledger_init(struct p2_ledger *ledger, enum p2_pay mode, uint64_t gamer_price_nd_h)
{
    memset(ledger, 0, sizeof *ledger);
    ledger->accounts = calloc(CAPACITY_MIN, sizeof *ledger->accounts);
    if (ledger->accounts == NULL) {
        return P2_E_NOMEM;
    }
    ledger->capacity = CAPACITY_MIN;
    ledger->mode = mode;
    ledger->gamer_price_nd_h =
        gamer_price_nd_h < PRICE_MAX_ND * 1000u ? gamer_price_nd_h : PRICE_MAX_ND * 1000u;
    ledger->next_number = 1;
    return P2_OK;
}

void p2_ledger_free(struct p2_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->capacity; i++) {
        free(ledger->accounts[i].lots);
    }
    free(ledger->accounts);
    memset(ledger, 0, sizeof *ledger);
}

/* Three kinds are rows of their own; HELD and TRANSIT belong to a HELPER. */
static enum p2_account_kind row_kind(enum p2_account_kind kind)
{
    return kind == P2_ACCOUNT_HELD || kind == P2_ACCOUNT_TRANSIT ? P2_ACCOUNT_HELPER : kind;
}

static struct p2_account *place(const struct p2_ledger *ledger, enum p2_account_kind kind,
                                const struct p2_id *key)
{
    uint32_t at =
        (uint32_t)((p2_load_be64(key->bytes + 16) + (uint64_t)kind) & (ledger->capacity - 1));
    for (;;) {
        struct p2_account *account = &ledger->accounts[at];
        if (!account->is_used || (account->kind == kind && p2_id_equal(&account->key, key))) {
            return account;
        }
        at = (at + 1) & (ledger->capacity - 1);
    }
}

static int grow(struct p2_ledger *ledger)
{
    struct p2_account *old = ledger->accounts;
    uint32_t count = ledger->capacity;
    struct p2_account *accounts = calloc(2 * (size_t)count, sizeof *accounts);
    if (accounts == NULL) {
        return P2_E_NOMEM;
    }
    ledger->accounts = accounts;
    ledger->capacity = 2 * count;
    for (uint32_t i = 0; i < count; i++) {
        if (old[i].is_used) {
            *place(ledger, old[i].kind, &old[i].key) = old[i];
        }
    }
    free(old);
    return P2_OK;
}

/* Makes the account if need be; moves others. */
static int need(struct p2_ledger *ledger, enum p2_account_kind kind, const struct p2_id *key)
{
    if (place(ledger, kind, key)->is_used) {
        return P2_OK;
    }
    if (ledger->count == P2_ACCOUNTS_MAX) {
        return P2_E_LIMIT;
    }
    if (2 * (ledger->count + 1) > ledger->capacity && grow(ledger) != P2_OK) {
        return P2_E_NOMEM;
    }
    struct p2_lot *lots = NULL;
    if (kind == P2_ACCOUNT_HELPER) {
        lots = calloc(P2_LOTS_MAX + 1, sizeof *lots);
        if (lots == NULL) {
            return P2_E_NOMEM;
        }
    }
    *place(ledger, kind, key) =
        (struct p2_account){.key = *key, .kind = kind, .is_used = true, .lots = lots};
    ledger->count++;
    return P2_OK;
}

static const struct p2_id *key_of(const struct p2_ledger_entry *entry, enum p2_account_kind kind)
{
    return kind == P2_ACCOUNT_ESCROW ? &entry->session : &entry->key;
}

static bool is_single(enum p2_account_kind kind)
{
    return kind == P2_ACCOUNT_WORLD || kind == P2_ACCOUNT_HOST;
}

static int64_t *balance_of(struct p2_ledger *ledger, const struct p2_ledger_entry *entry,
                           enum p2_account_kind kind)
{
    if (kind == P2_ACCOUNT_WORLD) {
        return &ledger->world_nd;
    }
    if (kind == P2_ACCOUNT_HOST) {
        return &ledger->host_nd;
    }
    struct p2_account *account = place(ledger, row_kind(kind), key_of(entry, kind));
    return kind == P2_ACCOUNT_HELD      ? &account->held_nd
           : kind == P2_ACCOUNT_TRANSIT ? &account->transit_nd
                                        : &account->balance_nd;
}

const struct p2_account *p2_ledger_account(const struct p2_ledger *ledger,
                                           enum p2_account_kind kind, const struct p2_id *key)
{
    const struct p2_account *account = place(ledger, row_kind(kind), key);
    return account->is_used ? account : NULL;
}

const struct p2_account *p2_ledger_next(const struct p2_ledger *ledger, uint32_t *index)
{
    while (*index < ledger->capacity) {
        const struct p2_account *account = &ledger->accounts[(*index)++];
        if (account->is_used) {
            return account;
        }
    }
    return NULL;
}

int64_t p2_ledger_sum_nd(const struct p2_ledger *ledger)
{
    int64_t sum = ledger->world_nd + ledger->host_nd;
    uint32_t index = 0;
    const struct p2_account *account = p2_ledger_next(ledger, &index);
    while (account != NULL) {
        sum += account->balance_nd + account->held_nd + account->transit_nd;
        account = p2_ledger_next(ledger, &index);
    }
    return sum;
}

/* ---- the fold ----------------------------------------------------------------------------------- */

/* Work joins the newest lot until that is old and large enough. */
static void add_to_lot(struct p2_account *account, const struct p2_ledger_entry *entry)
{
    struct p2_lot *lot = account->lot_count > 0 ? &account->lots[account->lot_count - 1] : NULL;
    bool is_closed =
        lot != NULL && entry->at_s >= lot->opened_s + P2_LOT_S && lot->tasks >= P2_LOT_TASKS;
    if (lot == NULL || (is_closed && account->lot_count <= P2_LOTS_MAX)) {
        lot = &account->lots[account->lot_count++];
        *lot = (struct p2_lot){.opened_s = entry->at_s};
    }
    lot->newest_s = entry->at_s;
    lot->tasks += entry->tasks;
    lot->last_task = account->tasks;
    lot->amount_nd += entry->amount_nd;
}

static void count_hour(struct p2_account *escrow, const struct p2_ledger_entry *entry)
{
    uint64_t hour = entry->at_s / HOUR_S;
    if (escrow->hour_s != hour) {
        escrow->hour_s = hour;
        escrow->hour_nd = escrow->hour_subsidy_nd = 0;
    }
    if (entry->kind == P2_LEDGER_EARN) {
        escrow->hour_nd += entry->amount_nd;
    } else {
        escrow->hour_subsidy_nd += entry->amount_nd;
    }
}

/* What an entry changes beside the two balances. */
static void count(struct p2_ledger *ledger, const struct p2_ledger_entry *entry)
{
    struct p2_account *account = place(ledger, row_kind(entry->to), key_of(entry, entry->to));
    switch (entry->kind) {
    case P2_LEDGER_EARN:
        account->units += entry->units;
        account->tasks += entry->tasks;
        account->rest = entry->rest;
        add_to_lot(account, entry);
        ledger->units += entry->units;
        ledger->earned_nd += entry->amount_nd;
        if (entry->from == P2_ACCOUNT_ESCROW) {
            count_hour(place(ledger, P2_ACCOUNT_ESCROW, &entry->session), entry);
        }
        break;
    case P2_LEDGER_CHARGE:
        place(ledger, P2_ACCOUNT_GAMER, &entry->key)->rest = entry->rest;
        ledger->seconds += entry->units;
        ledger->charged_nd += entry->amount_nd;
        break;
    case P2_LEDGER_SUBSIDY:
        count_hour(account, entry);
        ledger->subsidy_nd += entry->amount_nd;
        break;
    case P2_LEDGER_CLEAR:
        account->cleared_nd += entry->amount_nd;
        memmove(account->lots, account->lots + 1,
                (size_t)(account->lot_count - 1) * sizeof *account->lots);
        account->lot_count--;
        break;
    case P2_LEDGER_FORFEIT:
        account = place(ledger, P2_ACCOUNT_HELPER, &entry->key);
        account->forfeited_nd += entry->amount_nd;
        account->lot_count = 0;
        ledger->forfeited_nd += entry->amount_nd;
        break;
    case P2_LEDGER_PAID:
        place(ledger, P2_ACCOUNT_HELPER, &entry->key)->paid_nd += entry->amount_nd;
        break;
    case P2_LEDGER_CREDIT:
    case P2_LEDGER_RETURN:
    case P2_LEDGER_PAYOUT:
    case P2_LEDGER_UNPAID:
    case P2_LEDGER_KINDS:
        break;
    }
}

/* What must be true of an entry before anything changes. */
static int inspect(struct p2_ledger *ledger, const struct p2_ledger_entry *entry)
{
    if (entry->number != ledger->next_number || !p2_ledger_is_shaped(entry) ||
        entry->amount_nd > (uint64_t)AMOUNT_MAX) {
        return P2_E_CORRUPT;
    }
    bool may_owe = entry->from == P2_ACCOUNT_WORLD ||
                   (entry->from == P2_ACCOUNT_HOST && ledger->mode == P2_PAY_POINTS);
    int64_t amount = (int64_t)entry->amount_nd;
    int64_t from = *balance_of(ledger, entry, entry->from);
    int64_t to = *balance_of(ledger, entry, entry->to);
    if ((!may_owe && from < amount) || from < INT64_MIN / 2 + amount ||
        to > INT64_MAX / 2 - amount) {
        return P2_E_CORRUPT;
    }
    const struct p2_account *helper = place(ledger, P2_ACCOUNT_HELPER, &entry->key);
    if (entry->kind == P2_LEDGER_CLEAR &&
        (helper->lot_count == 0 || helper->lots[0].amount_nd != entry->amount_nd)) {
        return P2_E_CORRUPT;
    }
    if (entry->kind == P2_LEDGER_FORFEIT && helper->held_nd != amount) {
        return P2_E_CORRUPT;
    }
    return P2_OK;
}

int p2_ledger_apply(struct p2_ledger *ledger, const struct p2_ledger_entry *entry)
{
    const enum p2_account_kind kinds[2] = {entry->from, entry->to};
    for (size_t i = 0; i < 2; i++) {
        if (kinds[i] >= P2_ACCOUNT_KINDS) {
            return P2_E_CORRUPT;
        }
        int error =
            is_single(kinds[i]) ? P2_OK : need(ledger, row_kind(kinds[i]), key_of(entry, kinds[i]));
        if (error != P2_OK) {
            return error;
        }
    }
    int error = inspect(ledger, entry);
    if (error != P2_OK) {
        return error;
    }
    *balance_of(ledger, entry, entry->from) -= (int64_t)entry->amount_nd;
    *balance_of(ledger, entry, entry->to) += (int64_t)entry->amount_nd;
    count(ledger, entry);
    ledger->next_number++;
    return P2_OK;
}

/* ---- what happens ------------------------------------------------------------------------------- */

static struct p2_ledger_entry entry_of(const struct p2_ledger *ledger, enum p2_ledger_kind kind,
                                       const struct p2_id *key, uint64_t now_s)
{
    struct p2_ledger_shape shape = p2_ledger_shape(kind);
    struct p2_ledger_entry entry = {
        .number = ledger->next_number,
        .at_s = now_s,
        .kind = kind,
        .from = shape.from,
        .to = shape.to,
    };
    if (key != NULL) {
        entry.key = *key;
    }
    return entry;
}

/* An entry made here that the fold refuses is refused by the caller's rules as well. */
static int post(struct p2_ledger *ledger, const struct p2_ledger_entry *entry)
{
    int error = p2_ledger_apply(ledger, entry);
    return error == P2_E_CORRUPT ? P2_E_LIMIT : error;
}

uint64_t p2_pay_nd(uint64_t units, uint64_t price_nd_m)
{
    uint64_t some = units < P2_EARN_UNITS_MAX ? units : P2_EARN_UNITS_MAX;
    uint64_t price = price_nd_m < PRICE_MAX_ND ? price_nd_m : PRICE_MAX_ND;
    return (some * price + MILLION - 1) / MILLION;
}

/* What the host must add so that the escrow covers `amount_nd`; P2_E_LIMIT when limits forbid. */
static int missing(const struct p2_ledger *ledger, const struct p2_account *escrow,
                   uint64_t amount_nd, const struct p2_session_limits *limits, uint64_t now_s,
                   uint64_t *ret_subsidy)
{
    static const struct p2_account none;
    const struct p2_account *account = escrow == NULL ? &none : escrow;
    bool is_hour = account->is_used && account->hour_s == now_s / HOUR_S;
    uint64_t spent = is_hour ? account->hour_nd : 0;
    uint64_t given = is_hour ? account->hour_subsidy_nd : 0;
    uint64_t held = (uint64_t)account->balance_nd;
    uint64_t subsidy = amount_nd > held ? amount_nd - held : 0;
    if (spent > limits->budget_nd_h || amount_nd > limits->budget_nd_h - spent) {
        return P2_E_LIMIT;
    }
    if (subsidy > 0 && (given > limits->subsidy_nd_h || subsidy > limits->subsidy_nd_h - given ||
                        ledger->host_nd < 0 || subsidy > (uint64_t)ledger->host_nd)) {
        return P2_E_LIMIT;
    }
    *ret_subsidy = subsidy;
    return P2_OK;
}

int p2_ledger_earn(struct p2_ledger *ledger, const struct p2_id *helper,
                   const struct p2_id *session, uint64_t units, uint64_t tasks, uint64_t price_nd_m,
                   const struct p2_session_limits *limits, uint64_t now_s,
                   struct p2_ledger_entry ret_entries[2], uint32_t *ret_count)
{
    if (units > P2_EARN_UNITS_MAX || price_nd_m > PRICE_MAX_ND) {
        return P2_E_RANGE;
    }
    int error = need(ledger, P2_ACCOUNT_HELPER, helper);
    if (error == P2_OK && ledger->mode == P2_PAY_FUNDED) {
        error = need(ledger, P2_ACCOUNT_ESCROW, session);
    }
    if (error != P2_OK) {
        return error;
    }
    uint64_t scaled = units * price_nd_m + place(ledger, P2_ACCOUNT_HELPER, helper)->rest;
    uint64_t amount = scaled / MILLION;
    uint64_t subsidy = 0;
    uint32_t entries = 0;
    if (ledger->mode == P2_PAY_FUNDED) {
        error = missing(ledger, p2_ledger_account(ledger, P2_ACCOUNT_ESCROW, session), amount,
                        limits, now_s, &subsidy);
    }
    if (error == P2_OK && subsidy > 0) {
        ret_entries[0] = entry_of(ledger, P2_LEDGER_SUBSIDY, NULL, now_s);
        ret_entries[0].session = *session;
        ret_entries[0].amount_nd = subsidy;
        error = post(ledger, &ret_entries[0]);
        entries = 1;
    }
    if (error != P2_OK) {
        return error;
    }
    struct p2_ledger_entry *entry = &ret_entries[entries];
    *entry = entry_of(ledger, P2_LEDGER_EARN, helper, now_s);
    entry->session = *session;
    entry->amount_nd = amount;
    entry->units = units;
    entry->tasks = tasks;
    entry->rest = (uint32_t)(scaled % MILLION);
    if (ledger->mode == P2_PAY_POINTS) {
        entry->from = P2_ACCOUNT_HOST;
    }
    error = post(ledger, entry);
    *ret_count = error == P2_OK ? entries + 1 : entries;
    return error;
}

bool p2_ledger_session_can_pay(const struct p2_ledger *ledger, const struct p2_id *session,
                               uint64_t in_flight_nd, const struct p2_session_limits *limits,
                               uint64_t now_s)
{
    uint64_t subsidy;
    return ledger->mode == P2_PAY_POINTS ||
           missing(ledger, p2_ledger_account(ledger, P2_ACCOUNT_ESCROW, session), in_flight_nd + 1,
                   limits, now_s, &subsidy) == P2_OK;
}

static bool is_free(const struct p2_ledger *ledger)
{
    return ledger->mode == P2_PAY_POINTS || ledger->gamer_price_nd_h == 0;
}

int p2_ledger_charge(struct p2_ledger *ledger, const struct p2_id *gamer,
                     const struct p2_id *session, uint64_t seconds, uint64_t now_s,
                     struct p2_ledger_entry *ret_entry)
{
    if (is_free(ledger)) {
        return P2_E_STATE;
    }
    if (seconds > SECONDS_MAX) {
        return P2_E_RANGE;
    }
    const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_GAMER, gamer);
    uint64_t scaled = seconds * ledger->gamer_price_nd_h + (account == NULL ? 0 : account->rest);
    struct p2_ledger_entry entry = entry_of(ledger, P2_LEDGER_CHARGE, gamer, now_s);
    entry.session = *session;
    entry.amount_nd = scaled / HOUR_S;
    entry.units = seconds;
    entry.rest = (uint32_t)(scaled % HOUR_S);
    if (account == NULL || (uint64_t)account->balance_nd < entry.amount_nd) {
        return P2_E_LIMIT;
    }
    int error = post(ledger, &entry);
    if (error == P2_OK) {
        *ret_entry = entry;
    }
    return error;
}

uint64_t p2_ledger_seconds_left(const struct p2_ledger *ledger, const struct p2_id *gamer)
{
    if (is_free(ledger)) {
        return UINT64_MAX;
    }
    const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_GAMER, gamer);
    uint64_t balance = account == NULL ? 0 : (uint64_t)account->balance_nd;
    return balance > UINT64_MAX / HOUR_S ? UINT64_MAX : balance * HOUR_S / ledger->gamer_price_nd_h;
}

int p2_ledger_clear(struct p2_ledger *ledger, const struct p2_id *helper, uint64_t now_s,
                    struct p2_ledger_entry *ret_entry)
{
    const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_HELPER, helper);
    if (account == NULL || account->lot_count == 0) {
        return P2_E_NOENT;
    }
    const struct p2_lot *lot = &account->lots[0];
    if (now_s < lot->newest_s + P2_CLEAR_S || account->tasks - lot->last_task < P2_CLEAR_TASKS) {
        return P2_E_NOENT;
    }
    struct p2_ledger_entry entry = entry_of(ledger, P2_LEDGER_CLEAR, helper, now_s);
    entry.amount_nd = lot->amount_nd;
    entry.tasks = lot->tasks;
    int error = post(ledger, &entry);
    if (error == P2_OK) {
        *ret_entry = entry;
    }
    return error;
}

int p2_ledger_forfeit(struct p2_ledger *ledger, const struct p2_id *helper, uint64_t lease,
                      const uint8_t expected[P2_DIGEST_BYTES], uint64_t now_s,
                      struct p2_ledger_entry *ret_entry)
{
    const struct p2_account *account = p2_ledger_account(ledger, P2_ACCOUNT_HELPER, helper);
    if (account == NULL || account->held_nd == 0) {
        return P2_E_NOENT;
    }
    struct p2_ledger_entry entry = entry_of(ledger, P2_LEDGER_FORFEIT, helper, now_s);
    entry.amount_nd = (uint64_t)account->held_nd;
    for (uint32_t i = 0; i < account->lot_count; i++) {
        entry.tasks += account->lots[i].tasks;
    }
    entry.reference = lease;
    memcpy(entry.digest, expected, sizeof entry.digest);
    int error = post(ledger, &entry);
    if (error == P2_OK) {
        *ret_entry = entry;
    }
    return error;
}

int p2_ledger_credit(struct p2_ledger *ledger, const struct p2_id *gamer, uint64_t amount_nd,
                     uint64_t now_s, struct p2_ledger_entry *ret_entry)
{
    if (amount_nd == 0 || amount_nd > (uint64_t)AMOUNT_MAX) {
        return P2_E_RANGE;
    }
    struct p2_ledger_entry entry = entry_of(ledger, P2_LEDGER_CREDIT, gamer, now_s);
    entry.to = gamer == NULL ? P2_ACCOUNT_HOST : P2_ACCOUNT_GAMER;
    entry.amount_nd = amount_nd;
    int error = post(ledger, &entry);
    if (error == P2_OK) {
        *ret_entry = entry;
    }
    return error;
}

int p2_ledger_end_session(struct p2_ledger *ledger, const struct p2_id *session, uint64_t now_s,
                          struct p2_ledger_entry *ret_entry)
{
    const struct p2_account *escrow = p2_ledger_account(ledger, P2_ACCOUNT_ESCROW, session);
    if (escrow == NULL || escrow->balance_nd == 0) {
        return P2_E_NOENT;
    }
    struct p2_ledger_entry entry = entry_of(ledger, P2_LEDGER_RETURN, NULL, now_s);
    entry.session = *session;
    entry.amount_nd = (uint64_t)escrow->balance_nd;
    int error = post(ledger, &entry);
    if (error == P2_OK) {
        *ret_entry = entry;
    }
    return error;
}

void p2_ledger_solvency(const struct p2_ledger *ledger, uint64_t helper_price_nd_m,
                        struct p2_solvency *ret_solvency)
{
    uint64_t helper_nd_h = helper_price_nd_m * HOUR_S;
    *ret_solvency = (struct p2_solvency){
        .helper_nd_h = helper_nd_h,
        .gamer_nd_h = ledger->gamer_price_nd_h,
        .affordable_ppm = helper_nd_h == 0 ? 0 : ledger->gamer_price_nd_h * MILLION / helper_nd_h,
        /* A unit is a microsecond: units per second are the parts per million already. */
        .used_ppm = ledger->seconds == 0 ? 0 : ledger->units / ledger->seconds,
        .earned_nd = ledger->earned_nd,
        .charged_nd = ledger->charged_nd,
        .subsidy_nd = ledger->subsidy_nd,
        .forfeited_nd = ledger->forfeited_nd,
        .shortfall_nd = (int64_t)ledger->earned_nd - (int64_t)ledger->forfeited_nd -
                        (int64_t)ledger->charged_nd,
    };
}
