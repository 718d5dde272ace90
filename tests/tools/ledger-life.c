/* A ledger's life at random, with crashes, for an independent reader:
 *
 *   ledger-life EVENTS SEED JOURNAL BALANCES
 *
 * plays EVENTS random events; now and then what was not committed is lost and the ledger is built again
 * from its stored entries. JOURNAL gets the committed entries as CSV, BALANCES what the ledger says of
 * every account. Exit status 1 when money appeared or vanished. */
#include "authority/trust/payout.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELPERS  40u
#define GAMERS   20u
#define SESSIONS 4u
#define GROUP    64u /* entries a commit takes */

struct life {
    struct p2_ledger ledger;
    struct p2_payouts payouts;
    struct p2_rng rng;
    uint8_t *disk; /* owned; committed entries as stored */
    size_t committed, capacity;
    struct p2_ledger_entry pending[GROUP + 2];
    uint32_t pending_count;
    uint64_t now_s;
    uint64_t crashes, lost;
    FILE *journal;
};

static struct p2_id key_of(uint8_t kind, uint64_t index)
{
    struct p2_id id = {{kind}};
    p2_store_be64(id.bytes + 16, index * UINT64_C(0x9e3779b97f4a7c15));
    return id;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "ledger-life: %s\n", what);
    exit(1);
}

static void commit(struct life *life)
{
    for (uint32_t i = 0; i < life->pending_count; i++) {
        if (life->committed == life->capacity) {
            life->capacity = life->capacity == 0 ? 65536 : 2 * life->capacity;
            life->disk = realloc(life->disk, life->capacity * P2_LEDGER_ENTRY_BYTES_MAX);
            if (life->disk == NULL) {
                die("out of memory");
            }
        }
        uint8_t *place = life->disk + life->committed++ * P2_LEDGER_ENTRY_BYTES_MAX;
        place[P2_LEDGER_ENTRY_BYTES_MAX - 1] =
            (uint8_t)p2_ledger_entry_encode(place, &life->pending[i]);
        char text[P2_LEDGER_TEXT_MAX];
        p2_ledger_entry_csv(text, &life->pending[i]);
        (void)fprintf(life->journal, "%s\n", text);
    }
    life->pending_count = 0;
}

static void note(struct life *life, const struct p2_ledger_entry *entry)
{
    life->pending[life->pending_count++] = *entry;
}

/* A payout is known by its entries alone here: one without an answer is in doubt. */
static void recover_payout(struct life *life, const struct p2_ledger_entry *entry)
{
    struct p2_payout payout = {.number = entry->reference,
                               .helper = entry->key,
                               .amount_nd = entry->amount_nd,
                               .at_s = entry->at_s,
                               .state = P2_PAYOUT_STARTED};
    if (entry->kind == P2_LEDGER_PAYOUT) {
        (void)p2_payout_restore(&life->payouts, &payout);
    } else if (entry->kind == P2_LEDGER_PAID || entry->kind == P2_LEDGER_UNPAID) {
        for (uint32_t i = 0; i < life->payouts.count; i++) {
            if (life->payouts.items[i].number == entry->reference) {
                life->payouts.items[i] = life->payouts.items[--life->payouts.count];
            }
        }
    }
}

static void crash(struct life *life)
{
    enum p2_pay mode = life->ledger.mode;
    life->crashes++;
    life->lost += life->pending_count;
    life->pending_count = 0;
    p2_ledger_free(&life->ledger);
    memset(&life->payouts, 0, sizeof life->payouts);
    if (p2_ledger_init(&life->ledger, mode, P2_PRICE_GAMER_ND_H) != P2_OK) {
        die("out of memory");
    }
    for (size_t i = 0; i < life->committed; i++) {
        const uint8_t *place = life->disk + i * P2_LEDGER_ENTRY_BYTES_MAX;
        struct p2_ledger_entry entry;
        if (p2_ledger_entry_decode(&entry, p2_span(place, place[P2_LEDGER_ENTRY_BYTES_MAX - 1])) !=
                P2_OK ||
            p2_ledger_apply(&life->ledger, &entry) != P2_OK) {
            die("a stored entry is refused");
        }
        recover_payout(life, &entry);
    }
}

static void pay_out(struct life *life, const struct p2_id *helper)
{
    struct p2_ledger_entry entry;
    struct p2_payout payout;
    bool has_entry = false;
    if (p2_payout_begin(&life->payouts, &life->ledger, helper, 1, life->now_s, &entry, &payout) ==
        P2_OK) {
        note(life, &entry);
        (void)p2_payout_start(&life->payouts, payout.number, &payout);
    } else if (life->payouts.count > 0) {
        uint64_t number = life->payouts.items[p2_rng_below(&life->rng, life->payouts.count)].number;
        enum p2_payout_answer answer = (enum p2_payout_answer)p2_rng_below(&life->rng, 3);
        if (p2_payout_answer(&life->payouts, &life->ledger, number, answer, life->now_s, &payout,
                             &entry, &has_entry) == P2_OK &&
            has_entry) {
            note(life, &entry);
        }
    }
}

static void work(struct life *life, const struct p2_id *helper, const struct p2_id *session)
{
    struct p2_session_limits limits = {.budget_nd_h = 2000000000, .subsidy_nd_h = 100000000};
    struct p2_ledger_entry entries[2];
    uint32_t count = 0;
    uint64_t units = p2_rng_below(&life->rng, 5000000);
    if (p2_ledger_earn(&life->ledger, helper, session, units, 1 + p2_rng_below(&life->rng, 3000),
                       P2_PRICE_HELPER_ND_M - p2_rng_below(&life->rng, 20000), &limits, life->now_s,
                       entries, &count) == P2_OK) {
        for (uint32_t i = 0; i < count; i++) {
            note(life, &entries[i]);
        }
    }
}

static void event(struct life *life)
{
    static const uint8_t digest[P2_DIGEST_BYTES] = {1, 2, 3};
    struct p2_ledger_entry entry;
    struct p2_id helper = key_of(1, p2_rng_below(&life->rng, HELPERS));
    struct p2_id gamer = key_of(2, p2_rng_below(&life->rng, GAMERS));
    struct p2_id session = key_of(3, p2_rng_below(&life->rng, SESSIONS));
    uint64_t what = p2_rng_below(&life->rng, 1000);
    int error = P2_E_NOENT;
    life->now_s += p2_rng_below(&life->rng, 4);
    if (what < 450) {
        work(life, &helper, &session);
    } else if (what < 800) {
        error = p2_ledger_charge(&life->ledger, &gamer, &session, 1 + p2_rng_below(&life->rng, 5),
                                 life->now_s, &entry);
    } else if (what < 960) {
        error = p2_ledger_clear(&life->ledger, &helper, life->now_s, &entry);
    } else if (what < 985) {
        error = p2_ledger_credit(&life->ledger, what < 983 ? &gamer : NULL,
                                 1 + p2_rng_below(&life->rng, 100000000), life->now_s, &entry);
    } else if (what < 988) {
        error = p2_ledger_forfeit(&life->ledger, &helper, what, digest, life->now_s, &entry);
    } else if (what < 990) {
        error = p2_ledger_end_session(&life->ledger, &session, life->now_s, &entry);
    } else {
        pay_out(life, &helper);
    }
    if (error == P2_OK) {
        note(life, &entry);
    }
    if (life->pending_count >= GROUP || p2_rng_below(&life->rng, 40) == 0) {
        commit(life);
    }
}

static void print_balances(const struct life *life, FILE *out)
{
    uint32_t index = 0;
    (void)fprintf(out, "WORLD  %lld\nHOST  %lld\n", (long long)life->ledger.world_nd,
                  (long long)life->ledger.host_nd);
    const struct p2_account *account = p2_ledger_next(&life->ledger, &index);
    while (account != NULL) {
        char key[P2_ID_TEXT_MAX];
        p2_id_format(key, &account->key);
        (void)fprintf(out, "%s %s %lld\n", p2_account_kind_name(account->kind), key,
                      (long long)account->balance_nd);
        if (account->kind == P2_ACCOUNT_HELPER) {
            (void)fprintf(out, "HELD %s %lld\nTRANSIT %s %lld\n", key, (long long)account->held_nd,
                          key, (long long)account->transit_nd);
        }
        account = p2_ledger_next(&life->ledger, &index);
    }
}

int main(int argc, char **argv)
{
    static struct life life;
    if (argc != 5 || p2_crypto_init() != P2_OK ||
        p2_ledger_init(&life.ledger, P2_PAY_FUNDED, P2_PRICE_GAMER_ND_H) != P2_OK) {
        return 99;
    }
    uint64_t events = strtoull(argv[1], NULL, 10);
    p2_rng_init_u64(&life.rng, strtoull(argv[2], NULL, 10), "ledger");
    life.journal = fopen(argv[3], "w");
    FILE *balances = fopen(argv[4], "w");
    if (life.journal == NULL || balances == NULL) {
        return 99;
    }
    (void)fprintf(life.journal, "%s\n", p2_ledger_csv_head);
    life.now_s = 1700000000;
    for (uint64_t i = 0; i < events; i++) {
        event(&life);
        if (p2_rng_below(&life.rng, events / 12 + 1) == 0) {
            crash(&life);
        }
        if (i % 1000 == 0 && p2_ledger_sum_nd(&life.ledger) != 0) {
            die("the sum of all accounts is not zero");
        }
    }
    commit(&life);
    if (p2_ledger_sum_nd(&life.ledger) != 0) {
        die("the sum of all accounts is not zero");
    }
    print_balances(&life, balances);
    (void)printf("%llu events, %zu entries, %llu crashes that lost %llu entries, sum 0\n",
                 (unsigned long long)events, life.committed, (unsigned long long)life.crashes,
                 (unsigned long long)life.lost);
    p2_ledger_free(&life.ledger);
    free(life.disk);
    return fclose(life.journal) == 0 && fclose(balances) == 0 ? 0 : 99;
}
