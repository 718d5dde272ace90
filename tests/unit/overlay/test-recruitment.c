#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/recruitment.h"

#include <string.h>

#define S      1000000ull
#define UNIX_S GOLDEN_NOW

static struct p2_recruitment recruitment;
static struct p2_id blocked;

static bool is_blocked(const struct p2_id *id, void *ctx)
{
    (void)ctx;
    return p2_id_equal(id, &blocked);
}

static void begin(uint32_t want, uint32_t invites_per_minute, const struct p2_overlay_rules *rules)
{
    struct p2_recruitment_options options = {.region = "utc+1",
                                             .rules = rules,
                                             .local_peers = P2_LOCAL_PEERS_STRICT,
                                             .invites_per_minute = invites_per_minute,
                                             .is_blocked = is_blocked};
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 1, "recruitment test");
    memset(&blocked, 0xff, sizeof blocked);
    p2_recruitment_init(&recruitment, &options, &rng, 0);
    p2_recruitment_set_want(&recruitment, want);
}

static struct p2_id an_id(uint8_t number)
{
    struct p2_id id;
    memset(id.bytes, number, sizeof id.bytes);
    return id;
}

/* An ad of helper `number` in the /24 `net`. */
static void offer(uint8_t number, uint8_t net)
{
    const struct p2_capacity_ad ad = {
        .helper = an_id(number), .expires = UNIX_S + 540, .address = ip4(9, 9, net, number)};
    p2_recruitment_offer(&recruitment, &ad);
}

static bool next(uint64_t now_us, struct p2_recruitment_effect *effect)
{
    uint64_t due_us = 0;
    bool has_effect =
        p2_recruitment_next(&recruitment, now_us, UNIX_S + now_us / S, effect, &due_us);
    CU_ASSERT(has_effect || due_us > now_us); /* a caller that waits for it never spins */
    return has_effect;
}

/* Invites at `now_us`, reads finished as empty; their number. */
static unsigned invites_at(uint64_t now_us, struct p2_recruitment_effect *last)
{
    struct p2_recruitment_effect effect;
    unsigned invites = 0;
    while (next(now_us, &effect)) {
        if (effect.kind == P2_RECRUITMENT_INVITE) {
            invites++;
            *last = effect;
        } else {
            p2_recruitment_read_done(&recruitment, 0, now_us);
        }
    }
    return invites;
}

static void known_helpers_are_invited_before_the_directory_is_read(void)
{
    struct p2_recruitment_effect effect;
    const struct p2_id known = an_id(1);
    const struct p2_ip ip = ip4(9, 9, 1, 1);
    begin(2, 60, &easy_rules);
    offer(2, 2);
    p2_recruitment_add_known(&recruitment, &known, &ip);
    CU_ASSERT(next(0, &effect));
    P2_ASSERT_EQUAL(effect.kind, P2_RECRUITMENT_INVITE);
    CU_ASSERT(p2_id_equal(&effect.helper, &known));
    CU_ASSERT(next(0, &effect));
    P2_ASSERT_EQUAL(effect.kind, P2_RECRUITMENT_INVITE);
    CU_ASSERT(!next(0, &effect)); /* two are on their way: nothing more to do */
    P2_ASSERT_EQUAL(recruitment.reads, 0);
}

static void an_authority_short_of_helpers_reads_random_shards_every_three_seconds(void)
{
    struct p2_recruitment_effect effect;
    begin(1, 60, &easy_rules);
    CU_ASSERT(next(0, &effect));
    P2_ASSERT_EQUAL(effect.kind, P2_RECRUITMENT_READ);
    P2_ASSERT_EQUAL(effect.shard.depth, 0);
    CU_ASSERT(!next(0, &effect)); /* one read at a time */
    p2_recruitment_read_done(&recruitment, 16, 100);
    CU_ASSERT(next(100, &effect)); /* full: the walk goes on at once */
    P2_ASSERT_EQUAL(effect.shard.depth, 1);
    p2_recruitment_read_done(&recruitment, 3, 200);
    CU_ASSERT(!next(200 + 3 * S - 1, &effect));
    CU_ASSERT(next(200 + 3 * S, &effect));
    P2_ASSERT_EQUAL(effect.shard.depth, 0); /* one above where it found them */
}

static void silence_means_three_attempts_then_a_growing_pause(void)
{
    struct p2_recruitment_effect effect = {0}, first = {0};
    begin(1, 60, &easy_rules);
    offer(1, 1);
    P2_ASSERT_EQUAL(invites_at(0, &first), 1);
    P2_ASSERT_EQUAL(first.attempt, 0);
    P2_ASSERT_EQUAL(invites_at(3 * S - 1, &effect), 0);
    P2_ASSERT_EQUAL(invites_at(3 * S, &effect), 1);
    P2_ASSERT_EQUAL(effect.attempt, 1);
    CU_ASSERT(memcmp(effect.token, first.token, sizeof effect.token) != 0);
    P2_ASSERT_EQUAL(invites_at(13 * S, &effect), 1);
    P2_ASSERT_EQUAL(effect.attempt, 2);
    P2_ASSERT_EQUAL(invites_at(23 * S, &effect), 0); /* silent for 60 s */
    P2_ASSERT_EQUAL(p2_recruitment_count(&recruitment, P2_CANDIDATE_SILENT), 1);
    P2_ASSERT_EQUAL(invites_at(83 * S - 1, &effect), 0);
    P2_ASSERT_EQUAL(invites_at(83 * S, &effect), 1);
    P2_ASSERT_EQUAL(invites_at(86 * S, &effect), 1);
    P2_ASSERT_EQUAL(invites_at(96 * S, &effect), 1);
    P2_ASSERT_EQUAL(invites_at(106 * S, &effect), 0);
    P2_ASSERT_EQUAL(invites_at(225 * S, &effect), 0); /* 120 s now */
    P2_ASSERT_EQUAL(invites_at(226 * S, &effect), 1);
}

static void only_a_dial_in_counts_and_its_token_once(void)
{
    struct p2_recruitment_effect effect = {0};
    bool invited = false;
    const struct p2_id id = an_id(1);
    const struct p2_ip ip = ip4(9, 9, 1, 1);
    begin(1, 60, &easy_rules);
    offer(1, 1);
    P2_ASSERT_EQUAL(invites_at(0, &effect), 1);
    P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &id, &ip, effect.token, &invited),
                    P2_OK);
    CU_ASSERT(invited);
    P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &id, &ip, effect.token, &invited),
                    P2_E_EXIST);
    P2_ASSERT_EQUAL(invites_at(100 * S, &effect), 0);
    p2_recruitment_gone(&recruitment, &id, 100 * S);
    P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &id, &ip, effect.token, &invited),
                    P2_OK);
    CU_ASSERT(!invited); /* used before */
    p2_recruitment_gone(&recruitment, &id, 200 * S);
    P2_ASSERT_EQUAL(invites_at(215 * S - 1, &effect), 0);
    P2_ASSERT_EQUAL(invites_at(215 * S, &effect), 1); /* known now, no ad needed */
}

static void two_of_a_neighbourhood_at_most_are_invited_or_let_in(void)
{
    struct p2_recruitment_effect effect = {0};
    bool invited = false;
    begin(10, 600, &easy_rules);
    for (uint8_t i = 1; i <= 5; i++) {
        offer(i, 7);
    }
    offer(6, 8);
    P2_ASSERT_EQUAL(invites_at(0, &effect), 3);
    const uint8_t no_token[P2_INVITE_TOKEN_BYTES] = {0};
    for (uint8_t i = 100; i < 103; i++) { /* three come by themselves, from another /24 */
        const struct p2_id id = an_id(i);
        const struct p2_ip ip = ip4(8, 8, 8, i);
        P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &id, &ip, no_token, &invited),
                        i < 102 ? P2_OK : P2_E_LIMIT);
        CU_ASSERT(!invited);
    }
}

static void local_peers_may_be_lifted_from_the_prefix_rule(void)
{
    const uint8_t no_token[P2_INVITE_TOKEN_BYTES] = {0};
    bool invited = false;
    for (int allow = 0; allow < 2; allow++) {
        begin(10, 600, &easy_rules);
        recruitment.options.local_peers = allow != 0 ? P2_LOCAL_PEERS_ALLOW : P2_LOCAL_PEERS_STRICT;
        for (uint8_t i = 1; i <= 3; i++) {
            const struct p2_id id = an_id(i);
            const struct p2_ip ip = ip4(127, 0, 0, 1);
            P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &id, &ip, no_token, &invited),
                            allow != 0 || i < 3 ? P2_OK : P2_E_LIMIT);
        }
    }
}

static void blocked_helpers_are_neither_invited_nor_let_in(void)
{
    struct p2_recruitment_effect effect = {0};
    bool invited = false;
    const uint8_t no_token[P2_INVITE_TOKEN_BYTES] = {0};
    const struct p2_ip ip = ip4(9, 9, 1, 1);
    begin(1, 60, &easy_rules);
    offer(2, 2);
    blocked = an_id(2); /* after its ad was read */
    P2_ASSERT_EQUAL(invites_at(0, &effect), 0);
    P2_ASSERT_ERROR(p2_recruitment_dialled_in(&recruitment, &blocked, &ip, no_token, &invited),
                    P2_E_NOT_ALLOWED);
    offer(2, 2);
    P2_ASSERT_EQUAL(recruitment.refused_blocked, 3);
}

static void puzzle_checks_are_bounded_by_the_rate_of_invites(void)
{
    struct p2_recruitment_effect effect = {0};
    struct p2_overlay_rules hard = easy_rules;
    hard.puzzle_bits = P2_PUZZLE_BITS_MAX; /* nobody here has solved it */
    begin(100, 60, &hard);
    for (uint8_t i = 1; i < 200; i++) {
        offer(i, i);
    }
    P2_ASSERT_EQUAL(invites_at(0, &effect), 0);
    P2_ASSERT_EQUAL(recruitment.puzzles, 4); /* the burst */
    for (uint64_t second = 1; second <= 30; second++) {
        (void)invites_at(second * S, &effect);
    }
    CU_ASSERT(recruitment.puzzles <= 34);
    P2_ASSERT_EQUAL(recruitment.refused_puzzle, recruitment.puzzles);
    P2_ASSERT_EQUAL(recruitment.invites, 0);
}

static void invites_keep_to_their_rate(void)
{
    struct p2_recruitment_effect effect = {0};
    unsigned invites = 0;
    begin(200, 30, &easy_rules);
    for (uint8_t i = 1; i < 200; i++) {
        offer(i, i);
    }
    for (uint64_t tenth = 0; tenth < 600; tenth++) {
        invites += invites_at(tenth * (S / 10), &effect);
    }
    CU_ASSERT(invites >= 32 && invites <= 34); /* 4 at once, then 30 a minute */
}

static void a_flood_of_ads_displaces_nobody_who_matters(void)
{
    const struct p2_id known = an_id(1);
    const struct p2_ip ip = ip4(9, 9, 1, 1);
    begin(1, 60, &easy_rules);
    p2_recruitment_add_known(&recruitment, &known, &ip);
    for (unsigned i = 0; i < 5000; i++) {
        struct p2_capacity_ad ad = {.expires = UNIX_S + 540};
        p2_store_be32(ad.helper.bytes + 4, i);
        p2_recruitment_offer(&recruitment, &ad);
    }
    struct p2_recruitment_effect effect;
    CU_ASSERT(next(0, &effect));
    CU_ASSERT(p2_id_equal(&effect.helper, &known));
    P2_ASSERT_EQUAL(recruitment.refused_full, 5000 - (P2_RECRUITMENT_CANDIDATES - 1));
    /* And they are gone when their ads expire. */
    (void)invites_at(541 * S, &effect);
    P2_ASSERT_EQUAL(p2_recruitment_count(&recruitment, P2_CANDIDATE_FRESH), 0);
}

int main(int argc, char **argv)
{
    static CU_TestInfo tests[] = {
        P2_TEST(known_helpers_are_invited_before_the_directory_is_read),
        P2_TEST(an_authority_short_of_helpers_reads_random_shards_every_three_seconds),
        P2_TEST(silence_means_three_attempts_then_a_growing_pause),
        P2_TEST(only_a_dial_in_counts_and_its_token_once),
        P2_TEST(two_of_a_neighbourhood_at_most_are_invited_or_let_in),
        P2_TEST(local_peers_may_be_lifted_from_the_prefix_rule),
        P2_TEST(blocked_helpers_are_neither_invited_nor_let_in),
        P2_TEST(puzzle_checks_are_bounded_by_the_rate_of_invites),
        P2_TEST(invites_keep_to_their_rate),
        P2_TEST(a_flood_of_ads_displaces_nobody_who_matters),
        CU_TEST_INFO_NULL};
    static CU_SuiteInfo suites[] = {{"recruitment", NULL, NULL, NULL, NULL, tests},
                                    CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
