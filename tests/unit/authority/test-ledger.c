/* The ledger, receipts and payouts. */
#include "authority/trust/payout.h"
#include "authority/trust/receipt.h"
#include "base/rng.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#define NOW_S UINT64_C(1700000000)

static const struct p2_session_limits open_limits = {UINT64_MAX, UINT64_MAX};
static const uint8_t network[P2_KEY_BYTES] = {5};

static struct p2_id id_of(uint32_t number)
{
    struct p2_id id = {{1}};
    p2_store_be32(id.bytes + 20, number);
    return id;
}

static void open_ledger(struct p2_ledger *ledger, enum p2_pay mode)
{
    P2_ASSERT_ERROR(p2_ledger_init(ledger, mode, P2_PRICE_GAMER_ND_H), P2_OK);
}

/* Units at the default price; all entries are thrown away. */
static int earn(struct p2_ledger *ledger, uint32_t helper, uint64_t units, uint64_t tasks,
                uint64_t now_s)
{
    struct p2_ledger_entry entries[2];
    uint32_t count;
    struct p2_id id = id_of(helper), session = id_of(900);
    return p2_ledger_earn(ledger, &id, &session, units, tasks, P2_PRICE_HELPER_ND_M, &open_limits,
                          now_s, entries, &count);
}

/* ---- entries ----------------------------------------------------------------------------------- */

static void pay_is_exact_over_any_division_of_the_work(void)
{
    /* By hand: 3,600,000,000 units x 41,666 nd / 1e6 = 149,997,600 nd: $0.15 an hour, rounded down. */
    struct p2_ledger ledger;
    struct p2_rng rng;
    struct p2_id id = id_of(1);
    p2_rng_init_u64(&rng, 3, "pieces");
    open_ledger(&ledger, P2_PAY_POINTS);
    uint64_t left = UINT64_C(3600000000);
    while (left > 0) {
        uint64_t piece = 1 + p2_rng_below(&rng, 999983);
        piece = piece < left ? piece : left;
        P2_ASSERT_ERROR(earn(&ledger, 1, piece, 1, NOW_S), P2_OK);
        left -= piece;
    }
    const struct p2_account *account = p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id);
    P2_ASSERT_EQUAL(account->held_nd, 149997600);
    P2_ASSERT_EQUAL(account->rest, 0);
    P2_ASSERT_EQUAL(ledger.host_nd, -149997600);
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void an_hour_of_play_costs_a_cent_second_by_second(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entry;
    struct p2_id gamer = id_of(2), session = id_of(900);
    open_ledger(&ledger, P2_PAY_FUNDED);
    P2_ASSERT_ERROR(p2_ledger_charge(&ledger, &gamer, &session, 1, NOW_S, &entry), P2_E_LIMIT);
    P2_ASSERT_ERROR(p2_ledger_credit(&ledger, &gamer, 10000000, NOW_S, &entry), P2_OK);
    P2_ASSERT_EQUAL(p2_ledger_seconds_left(&ledger, &gamer), 3600);
    for (int s = 0; s < 3600; s++) {
        P2_ASSERT_ERROR(p2_ledger_charge(&ledger, &gamer, &session, 1, NOW_S + (uint64_t)s, &entry),
                        P2_OK);
    }
    P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_GAMER, &gamer)->balance_nd, 0);
    P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_ESCROW, &session)->balance_nd, 10000000);
    P2_ASSERT_ERROR(p2_ledger_charge(&ledger, &gamer, &session, 1, NOW_S, &entry), P2_E_LIMIT);
    P2_ASSERT_EQUAL(p2_ledger_seconds_left(&ledger, &gamer), 0);
    P2_ASSERT_ERROR(p2_ledger_end_session(&ledger, &session, NOW_S, &entry), P2_OK);
    P2_ASSERT_EQUAL(ledger.host_nd, 10000000);
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void pay_clears_after_an_hour_and_ten_thousand_tasks(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entry;
    struct p2_id id = id_of(1);
    open_ledger(&ledger, P2_PAY_POINTS);
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 200, NOW_S), P2_OK); /* the first lot: 41,666 nd */
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 9999, NOW_S + 100), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 3700, &entry), P2_E_NOENT); /* tasks */
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 1, NOW_S + 101), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 3599, &entry), P2_E_NOENT); /* time */
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 3600, &entry), P2_OK);
    P2_ASSERT_EQUAL(entry.amount_nd, 41666);
    P2_ASSERT_EQUAL(entry.tasks, 200);
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 9999999, &entry), P2_E_NOENT);
    const struct p2_account *account = p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id);
    P2_ASSERT_EQUAL(account->balance_nd, 41666);
    P2_ASSERT_EQUAL(account->held_nd, 2 * 41666);
    p2_ledger_free(&ledger);
}

static void lots_stay_bounded_and_nothing_clears_early(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entry;
    struct p2_rng rng;
    struct p2_id id = id_of(1);
    p2_rng_init_u64(&rng, 4, "lots");
    open_ledger(&ledger, P2_PAY_POINTS);
    uint64_t now = NOW_S;
    for (int i = 0; i < 50000; i++) {
        now += p2_rng_below(&rng, i % 5000 < 2500 ? 3 : 200);
        P2_ASSERT_ERROR(earn(&ledger, 1, 1000, 1 + p2_rng_below(&rng, 50), now), P2_OK);
        const struct p2_account *account = p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id);
        CU_ASSERT(account->lot_count <= P2_LOTS_MAX + 1);
        uint64_t oldest_s = account->lots[0].newest_s;
        uint64_t after = account->tasks - account->lots[0].last_task;
        if (p2_ledger_clear(&ledger, &id, now, &entry) == P2_OK) {
            CU_ASSERT(now - oldest_s >= 3600 && after >= 10000);
        }
    }
    CU_ASSERT(p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id)->cleared_nd > 0);
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void a_lie_forfeits_what_is_held_and_nothing_else(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entry;
    struct p2_id id = id_of(1), other = id_of(2);
    uint8_t digest[P2_DIGEST_BYTES] = {9};
    open_ledger(&ledger, P2_PAY_POINTS);
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 200, NOW_S), P2_OK);
    P2_ASSERT_ERROR(earn(&ledger, 2, 1000000, 200, NOW_S), P2_OK);
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 10000, NOW_S + 60), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 3600, &entry), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_forfeit(&ledger, &id, 4711, digest, NOW_S + 3600, &entry), P2_OK);
    P2_ASSERT_EQUAL(entry.amount_nd, 41666);
    P2_ASSERT_EQUAL(entry.reference, 4711);
    P2_ASSERT_EQUAL(entry.digest[0], 9);
    P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id)->balance_nd, 41666);
    P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id)->held_nd, 0);
    P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &other)->held_nd, 41666);
    P2_ASSERT_ERROR(p2_ledger_forfeit(&ledger, &id, 1, digest, NOW_S, &entry), P2_E_NOENT);
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void funded_work_stops_at_money_budget_and_subsidy(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entries[2];
    uint32_t count;
    struct p2_id helper = id_of(1), gamer = id_of(2), session = id_of(900);
    struct p2_session_limits limits = {.budget_nd_h = 100000};
    open_ledger(&ledger, P2_PAY_FUNDED);
    P2_ASSERT_ERROR(p2_ledger_credit(&ledger, NULL, 1000000, NOW_S, &entries[0]), P2_OK);
    CU_ASSERT(!p2_ledger_session_can_pay(&ledger, &session, 0, &limits, NOW_S));
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits, NOW_S,
                                   entries, &count),
                    P2_E_LIMIT); /* no gamer paid, and the host gives nothing */
    limits.subsidy_nd_h = 50000;
    CU_ASSERT(p2_ledger_session_can_pay(&ledger, &session, 41665, &limits, NOW_S));
    CU_ASSERT(!p2_ledger_session_can_pay(&ledger, &session, 50001, &limits, NOW_S));
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits, NOW_S,
                                   entries, &count),
                    P2_OK);
    P2_ASSERT_EQUAL(count, 2);
    P2_ASSERT_EQUAL(entries[0].kind, P2_LEDGER_SUBSIDY);
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits, NOW_S,
                                   entries, &count),
                    P2_E_LIMIT); /* the subsidy of this hour */
    P2_ASSERT_ERROR(p2_ledger_credit(&ledger, &gamer, 1000000, NOW_S, &entries[0]), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_charge(&ledger, &gamer, &session, 300, NOW_S, &entries[0]), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits, NOW_S,
                                   entries, &count),
                    P2_OK); /* gamers' money */
    P2_ASSERT_EQUAL(count, 1);
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits, NOW_S,
                                   entries, &count),
                    P2_E_LIMIT); /* the budget of this hour */
    P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &helper, &session, 1000000, 1, 41666, &limits,
                                   NOW_S + 3600, entries, &count),
                    P2_OK);
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    struct p2_solvency solvency;
    p2_ledger_solvency(&ledger, P2_PRICE_HELPER_ND_M, &solvency);
    P2_ASSERT_EQUAL(solvency.affordable_ppm, 66667); /* 1/15 */
    P2_ASSERT_EQUAL(solvency.earned_nd, 3 * 41666);
    P2_ASSERT_EQUAL(solvency.charged_nd, 833333);
    P2_ASSERT_EQUAL(solvency.shortfall_nd, 3 * 41666 - 833333);
    p2_ledger_free(&ledger);
}

static void entries_that_lie_are_refused(void)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entry = {.number = 1,
                                    .kind = P2_LEDGER_CREDIT,
                                    .to = P2_ACCOUNT_GAMER,
                                    .key = id_of(2),
                                    .amount_nd = 5};
    open_ledger(&ledger, P2_PAY_FUNDED);
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &entry), P2_OK);
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &entry), P2_E_CORRUPT); /* its number was */
    struct p2_ledger_entry charge = {.number = 2,
                                     .kind = P2_LEDGER_CHARGE,
                                     .from = P2_ACCOUNT_GAMER,
                                     .to = P2_ACCOUNT_ESCROW,
                                     .key = id_of(2),
                                     .session = id_of(900),
                                     .amount_nd = 6};
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &charge), P2_E_CORRUPT); /* below zero */
    charge.amount_nd = 5;
    charge.to = P2_ACCOUNT_HOST;
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &charge), P2_E_CORRUPT); /* no such flow */
    charge.to = P2_ACCOUNT_ESCROW;
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &charge), P2_OK);
    struct p2_ledger_entry clear = {.number = 3,
                                    .kind = P2_LEDGER_CLEAR,
                                    .from = P2_ACCOUNT_HELD,
                                    .to = P2_ACCOUNT_HELPER,
                                    .key = id_of(1)};
    P2_ASSERT_ERROR(p2_ledger_apply(&ledger, &clear), P2_E_CORRUPT); /* nothing is held */
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void entries_have_their_golden_form(void)
{
    struct p2_ledger_entry entry = {.number = 42,
                                    .at_s = NOW_S,
                                    .kind = P2_LEDGER_FORFEIT,
                                    .from = P2_ACCOUNT_HELD,
                                    .to = P2_ACCOUNT_HOST,
                                    .amount_nd = 123456789,
                                    .tasks = 777,
                                    .reference = 4711};
    struct p2_ledger_entry back;
    for (uint8_t i = 0; i < 32; i++) {
        entry.key.bytes[i] = i;
        entry.session.bytes[i] = (uint8_t)(100 + i);
        entry.digest[i % 16] = (uint8_t)(i % 16);
    }
    uint8_t bytes[P2_LEDGER_ENTRY_BYTES_MAX];
    size_t size = p2_ledger_entry_encode(bytes, &entry);
    struct p2_span golden = p2_test_data_read("trust/ledger-entry.bin");
    P2_ASSERT_EQUAL(size, golden.size);
    if (size == golden.size) {
        P2_ASSERT_BYTES(bytes, golden.data, size);
    }
    free((void *)(uintptr_t)golden.data);
    P2_ASSERT_ERROR(p2_ledger_entry_decode(&back, p2_span(bytes, size)), P2_OK);
    P2_ASSERT_EQUAL(back.reference, 4711);
    for (size_t cut = 0; cut < size; cut++) {
        P2_ASSERT_ERROR(p2_ledger_entry_decode(&back, p2_span(bytes, cut)), P2_E_CORRUPT);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = p2_ledger_entry_decode(&back, p2_span(bytes, size));
        CU_ASSERT(error == P2_OK || error == P2_E_CORRUPT || error == P2_E_NEW_SCHEMA);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    char text[P2_LEDGER_TEXT_MAX];
    p2_ledger_entry_csv(text, &entry);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "42,1700000000,FORFEIT,HELD,HOST,"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, ",123456789,0,777,0,4711,000102030405060708090a0b0c0d0e0f"));
    entry.amount_nd = entry.number = entry.at_s = entry.units = entry.tasks = UINT64_MAX;
    entry.reference = UINT64_MAX;
    entry.rest = UINT32_MAX;
    p2_ledger_entry_json(text, &entry);
    CU_ASSERT(strlen(text) < P2_LEDGER_TEXT_MAX - 1); /* the longest one fits */
    CU_ASSERT(text[strlen(text) - 1] == '}');
}

/* ---- receipts ---------------------------------------------------------------------------------- */

static void open_identity(struct p2_identity *identity, uint8_t first)
{
    uint8_t seed[P2_KEY_BYTES] = {first};
    while (p2_identity_from_seed(identity, seed) != P2_OK) {
        seed[1]++;
    }
}

static void receipts_are_cumulative_and_verify_offline(void)
{
    struct p2_ledger ledger;
    struct p2_identity authority, impostor;
    struct p2_receipt first, second, back;
    struct p2_msg_statement statement;
    struct p2_id helper = id_of(1), other = id_of(2), key;
    open_identity(&authority, 1);
    open_identity(&impostor, 2);
    memcpy(key.bytes, authority.public_key, sizeof key.bytes);
    open_ledger(&ledger, P2_PAY_POINTS);
    P2_ASSERT_ERROR(p2_receipt_make(&first, &ledger, &helper, &authority, network, NOW_S),
                    P2_E_NOENT);
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 10, NOW_S), P2_OK);
    CU_ASSERT(p2_receipt_is_due(&ledger, &helper, NOW_S + 60));
    P2_ASSERT_ERROR(p2_receipt_make(&first, &ledger, &helper, &authority, network, NOW_S), P2_OK);
    CU_ASSERT(!p2_receipt_is_due(&ledger, &helper, NOW_S + 600)); /* nothing new */
    P2_ASSERT_ERROR(earn(&ledger, 1, 1000000, 999, NOW_S + 1), P2_OK);
    CU_ASSERT(!p2_receipt_is_due(&ledger, &helper, NOW_S + 59));
    P2_ASSERT_ERROR(earn(&ledger, 1, 0, 1, NOW_S + 1), P2_OK);
    CU_ASSERT(p2_receipt_is_due(&ledger, &helper, NOW_S + 2)); /* 1,000 tasks */
    P2_ASSERT_ERROR(p2_receipt_make(&second, &ledger, &helper, &authority, network, NOW_S), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &second, &key, &helper, network), P2_OK);
    P2_ASSERT_EQUAL(statement.sequence, 2);
    P2_ASSERT_EQUAL(statement.cost_units, 2000000);
    P2_ASSERT_EQUAL(statement.held_nd, 2 * 41666);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &second, &key, NULL, network), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &second, &key, &other, network), P2_E_WRONG_PEER);
    memcpy(key.bytes, impostor.public_key, sizeof key.bytes);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &second, &key, &helper, network),
                    P2_E_BAD_SIGNATURE);
    memcpy(key.bytes, authority.public_key, sizeof key.bytes);
    uint8_t bytes[P2_RECEIPT_BYTES_MAX];
    size_t size = p2_receipt_encode(bytes, &second);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT(p2_receipt_decode(&back, p2_span(bytes, size)) != P2_OK ||
                  p2_receipt_verify(&statement, &back, &key, &helper, network) != P2_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    P2_ASSERT_ERROR(p2_receipt_decode(&back, p2_span(bytes, size)), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &back, &key, &helper, network), P2_OK);
    /* After a restart the next one follows. */
    struct p2_ledger again;
    open_ledger(&again, P2_PAY_POINTS);
    P2_ASSERT_ERROR(p2_receipt_restore(&again, &statement), P2_E_NOENT);
    P2_ASSERT_ERROR(earn(&again, 1, 2000000, 1010, NOW_S), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_restore(&again, &statement), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_make(&first, &again, &helper, &authority, network, NOW_S), P2_OK);
    P2_ASSERT_ERROR(p2_receipt_verify(&statement, &first, &key, &helper, network), P2_OK);
    P2_ASSERT_EQUAL(statement.sequence, 3);
    p2_ledger_free(&again);
    p2_ledger_free(&ledger);
}

/* ---- payouts ----------------------------------------------------------------------------------- */

/* What survives a crash: stored entries and the newest stored record of each payout. */
struct disk {
    struct p2_ledger_entry entries[64];
    uint32_t entry_count;
    struct p2_payout payout;
    bool has_payout;
};

/* The bank beyond the hook: pays each time it is asked. */
struct bank {
    uint32_t paid;
};

static void boot(const struct disk *disk, struct p2_ledger *ledger, struct p2_payouts *payouts)
{
    memset(payouts, 0, sizeof *payouts);
    open_ledger(ledger, P2_PAY_POINTS);
    for (uint32_t i = 0; i < disk->entry_count; i++) {
        P2_ASSERT_ERROR(p2_ledger_apply(ledger, &disk->entries[i]), P2_OK);
    }
    if (disk->has_payout) {
        P2_ASSERT_ERROR(p2_payout_restore(payouts, &disk->payout), P2_OK);
    }
}

static void store_payout(struct disk *disk, const struct p2_payout *payout)
{
    uint8_t bytes[P2_PAYOUT_BYTES_MAX];
    size_t size = p2_payout_encode(bytes, payout);
    P2_ASSERT_ERROR(p2_payout_decode(&disk->payout, p2_span(bytes, size)), P2_OK);
    disk->has_payout = true;
}

/* One attempt of the daemon, from whatever the disk says, until `crash_at` steps were made. */
static void attempt(struct disk *disk, struct bank *bank, int crash_at, bool does_bank_pay)
{
    struct p2_ledger ledger;
    static struct p2_payouts payouts;
    struct p2_ledger_entry entry;
    struct p2_payout payout;
    bool has_entry = false;
    struct p2_id helper = id_of(1);
    int step = 0;
    boot(disk, &ledger, &payouts);
    if (payouts.count == 0 &&
        p2_payout_begin(&payouts, &ledger, &helper, 1, NOW_S, &entry, &payout) == P2_OK) {
        if (step++ == crash_at) {
            goto crash; /* before anything was stored */
        }
        disk->entries[disk->entry_count++] = entry;
        store_payout(disk, &payout);
    }
    if (step++ == crash_at || payouts.count == 0 || payouts.items[0].state != P2_PAYOUT_BEGUN) {
        goto crash; /* BEGUN stored, not started; or UNKNOWN: a person's affair */
    }
    P2_ASSERT_ERROR(p2_payout_start(&payouts, payouts.items[0].number, &payout), P2_OK);
    store_payout(disk, &payout);
    if (step++ == crash_at) {
        goto crash; /* STARTED stored, the hook not run */
    }
    bank->paid += does_bank_pay ? 1 : 0;
    if (step++ == crash_at) {
        goto crash; /* the hook ran, nobody heard it */
    }
    P2_ASSERT_ERROR(p2_payout_answer(&payouts, &ledger, payout.number,
                                     does_bank_pay ? P2_PAYOUT_SAYS_PAID : P2_PAYOUT_SAYS_UNPAID,
                                     NOW_S, &payout, &entry, &has_entry),
                    P2_OK);
    if (step++ == crash_at) {
        goto crash; /* heard, not stored */
    }
    CU_ASSERT(has_entry);
    disk->entries[disk->entry_count++] = entry;
    store_payout(disk, &payout);
crash:
    P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
    p2_ledger_free(&ledger);
}

static void fill_disk(struct disk *disk)
{
    struct p2_ledger ledger;
    struct p2_ledger_entry entries[2];
    uint32_t count;
    struct p2_id id = id_of(1), session = id_of(900);
    memset(disk, 0, sizeof *disk);
    open_ledger(&ledger, P2_PAY_POINTS);
    for (uint64_t i = 0; i < 2; i++) {
        P2_ASSERT_ERROR(p2_ledger_earn(&ledger, &id, &session, 1000000, i == 0 ? 200 : 10000,
                                       P2_PRICE_HELPER_ND_M, &open_limits, NOW_S + 60 * i, entries,
                                       &count),
                        P2_OK);
        disk->entries[disk->entry_count++] = entries[0];
    }
    P2_ASSERT_ERROR(p2_ledger_clear(&ledger, &id, NOW_S + 3600, &entries[0]), P2_OK);
    disk->entries[disk->entry_count++] = entries[0];
    p2_ledger_free(&ledger);
}

static void no_crash_pays_twice_and_doubt_is_visible(void)
{
    for (int crash_at = 0; crash_at < 6; crash_at++) {
        for (int pays = 0; pays < 2; pays++) {
            struct disk disk;
            struct bank bank = {0};
            fill_disk(&disk);
            attempt(&disk, &bank, crash_at, pays == 1);
            for (int again = 0; again < 3; again++) { /* the daemon keeps starting */
                attempt(&disk, &bank, 99, true);
            }
            CU_ASSERT(bank.paid <= 1);
            struct p2_ledger ledger;
            static struct p2_payouts payouts;
            boot(&disk, &ledger, &payouts);
            struct p2_id id = id_of(1);
            const struct p2_account *account = p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id);
            bool is_in_doubt = crash_at >= 2 && crash_at <= 4;
            if (is_in_doubt) {
                P2_ASSERT_EQUAL(payouts.count, 1);
                P2_ASSERT_EQUAL(payouts.items[0].state, P2_PAYOUT_UNKNOWN);
                P2_ASSERT_EQUAL(account->transit_nd, 41666);
                P2_ASSERT_EQUAL(account->balance_nd, 0);
            } else {
                P2_ASSERT_EQUAL(bank.paid, 1);
                P2_ASSERT_EQUAL(account->paid_nd, 41666);
                P2_ASSERT_EQUAL(ledger.world_nd, 41666);
            }
            p2_ledger_free(&ledger);
        }
    }
}

static void a_person_settles_an_unknown_payout_once(void)
{
    for (int is_paid = 0; is_paid < 2; is_paid++) {
        struct disk disk;
        struct bank bank = {0};
        struct p2_ledger ledger;
        static struct p2_payouts payouts;
        struct p2_payout payout;
        struct p2_ledger_entry entry;
        bool has_entry;
        struct p2_id id = id_of(1);
        fill_disk(&disk);
        attempt(&disk, &bank, 3, true);
        boot(&disk, &ledger, &payouts);
        uint64_t number = payouts.items[0].number;
        P2_ASSERT_ERROR(p2_payout_start(&payouts, number, &payout), P2_E_STATE);
        P2_ASSERT_ERROR(p2_payout_begin(&payouts, &ledger, &id, 0, NOW_S, &entry, &payout),
                        P2_E_NOENT);
        P2_ASSERT_ERROR(p2_payout_answer(&payouts, &ledger, number,
                                         is_paid ? P2_PAYOUT_SAYS_PAID : P2_PAYOUT_SAYS_UNPAID,
                                         NOW_S, &payout, &entry, &has_entry),
                        P2_OK);
        P2_ASSERT_EQUAL(p2_ledger_account(&ledger, P2_ACCOUNT_HELPER, &id)->balance_nd,
                        is_paid ? 0 : 41666);
        P2_ASSERT_ERROR(p2_payout_answer(&payouts, &ledger, number, P2_PAYOUT_SAYS_PAID, NOW_S,
                                         &payout, &entry, &has_entry),
                        P2_E_NOENT);
        P2_ASSERT_EQUAL(p2_ledger_sum_nd(&ledger), 0);
        p2_ledger_free(&ledger);
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo ledger[] = {
        P2_TEST(pay_is_exact_over_any_division_of_the_work),
        P2_TEST(an_hour_of_play_costs_a_cent_second_by_second),
        P2_TEST(pay_clears_after_an_hour_and_ten_thousand_tasks),
        P2_TEST(lots_stay_bounded_and_nothing_clears_early),
        P2_TEST(a_lie_forfeits_what_is_held_and_nothing_else),
        P2_TEST(funded_work_stops_at_money_budget_and_subsidy),
        P2_TEST(entries_that_lie_are_refused),
        P2_TEST(entries_have_their_golden_form),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo papers[] = {
        P2_TEST(receipts_are_cumulative_and_verify_offline),
        P2_TEST(no_crash_pays_twice_and_doubt_is_visible),
        P2_TEST(a_person_settles_an_unknown_payout_once),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"ledger", NULL, NULL, NULL, NULL, ledger},
        {"papers", NULL, NULL, NULL, NULL, papers},
        CU_SUITE_INFO_NULL,
    };
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    return p2_test_main(argc, argv, suites);
}
