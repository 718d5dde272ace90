#include "tests/lib/test.h"

#include "base/rng.h"

static void same_seed_and_label_give_the_same_numbers_in_any_piece_size(void)
{
    struct p2_rng a, b;
    uint8_t whole[3000], pieces[3000];
    p2_rng_init_u64(&a, 42, "net");
    p2_rng_init_u64(&b, 42, "net");
    p2_rng_bytes(&a, whole, sizeof whole);
    for (size_t at = 0, step = 1; at < sizeof pieces; step = step % 97 + 1) {
        size_t size = step < sizeof pieces - at ? step : sizeof pieces - at;
        p2_rng_bytes(&b, pieces + at, size);
        at += size;
    }
    P2_ASSERT_BYTES(pieces, whole, sizeof whole);
}

static void labels_and_indices_give_different_streams(void)
{
    struct p2_rng root, a, b;
    p2_rng_init_u64(&root, 1, "root");
    p2_rng_split(&a, &root, "net", 0);
    p2_rng_split(&b, &root, "net", 1);
    CU_ASSERT(p2_rng_u64(&a) != p2_rng_u64(&b));
    p2_rng_split(&b, &root, "task", 0);
    p2_rng_split(&a, &root, "net", 0);
    CU_ASSERT(p2_rng_u64(&a) != p2_rng_u64(&b));
}

static void splitting_does_not_depend_on_what_was_drawn(void)
{
    struct p2_rng root, before, after;
    p2_rng_init_u64(&root, 5, "root");
    p2_rng_split(&before, &root, "x", 3);
    for (int i = 0; i < 1000; i++) {
        (void)p2_rng_u64(&root);
    }
    p2_rng_split(&after, &root, "x", 3);
    P2_ASSERT_EQUAL(p2_rng_u64(&before), p2_rng_u64(&after));
}

static void bounded_draws_stay_in_bounds_and_reach_every_value(void)
{
    struct p2_rng rng;
    unsigned seen[7] = {0};
    p2_rng_init_u64(&rng, 9, "dice");
    for (int i = 0; i < 70000; i++) {
        uint64_t value = p2_rng_below(&rng, 7);
        CU_ASSERT_FATAL(value < 7);
        seen[value]++;
    }
    for (size_t i = 0; i < 7; i++) {
        CU_ASSERT(seen[i] > 9500 && seen[i] < 10500); /* five standard deviations are 463 */
    }
    P2_ASSERT_EQUAL(p2_rng_below(&rng, 0), 0);
    P2_ASSERT_EQUAL(p2_rng_between(&rng, 5, 5), 5);
    uint64_t value = p2_rng_between(&rng, 10, 12);
    CU_ASSERT(value >= 10 && value <= 12);
    (void)p2_rng_between(&rng, 0, UINT64_MAX);
}

static void chances_come_true_about_as_often_as_they_say(void)
{
    struct p2_rng rng;
    int hits = 0;
    p2_rng_init_u64(&rng, 11, "chance");
    for (int i = 0; i < 100000; i++) {
        hits += p2_rng_chance_ppm(&rng, 100000);
    }
    CU_ASSERT(hits > 9500 && hits < 10500);
    CU_ASSERT_FALSE(p2_rng_chance_ppm(&rng, 0));
    CU_ASSERT(p2_rng_chance_ppm(&rng, 1000000));
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(same_seed_and_label_give_the_same_numbers_in_any_piece_size),
        P2_TEST(labels_and_indices_give_different_streams),
        P2_TEST(splitting_does_not_depend_on_what_was_drawn),
        P2_TEST(bounded_draws_stay_in_bounds_and_reach_every_value),
        P2_TEST(chances_come_true_about_as_often_as_they_say),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"rng", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
