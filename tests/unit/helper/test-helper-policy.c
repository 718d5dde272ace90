/* The pure parts of p2c2rd: back-off and blob cache. */
#include "helper/backoff.h"
#include "helper/blob_cache.h"
#include "tests/lib/test.h"

/* ---- back-off ---------------------------------------------------------------------------------- */

static void waits_double_from_a_quarter_second_to_four_seconds(void)
{
    static const uint64_t full_ms[] = {250, 500, 1000, 2000, 4000, 4000, 4000};
    struct p2_backoff backoff;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 1, "test");
    p2_backoff_init(&backoff);
    for (size_t i = 0; i < P2_COUNT_OF(full_ms); i++) {
        uint64_t wait_ms = p2_backoff_wait_ms(&backoff, 0, 0, &rng);
        CU_ASSERT(wait_ms >= full_ms[i] / 2 && wait_ms <= full_ms[i]);
    }
}

static void tries_never_end_and_become_a_minute_apart(void)
{
    struct p2_backoff backoff;
    struct p2_rng rng;
    uint64_t now_ms = 0; /* of a fake clock */
    p2_rng_init_u64(&rng, 2, "test");
    p2_backoff_init(&backoff);
    for (unsigned i = 1; i < 100; i++) {
        uint64_t wait_ms = p2_backoff_wait_ms(&backoff, 0, 0, &rng);
        CU_ASSERT(wait_ms <= 4000);
        now_ms += wait_ms;
    }
    CU_ASSERT(now_ms >= 3 * 60 * 1000 && now_ms <= 7 * 60 * 1000);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t wait_ms = p2_backoff_wait_ms(&backoff, 0, 0, &rng);
        CU_ASSERT(wait_ms >= 30000 && wait_ms <= 60000);
    }
    backoff.failures = UINT32_MAX;
    CU_ASSERT(p2_backoff_wait_ms(&backoff, 0, 0, &rng) >= 30000);
}

static void two_helpers_that_lost_the_same_authority_come_back_at_different_times(void)
{
    unsigned different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct p2_backoff a, b;
        struct p2_rng rng_a, rng_b;
        p2_backoff_init(&a);
        p2_backoff_init(&b);
        p2_rng_init_u64(&rng_a, seed, "one");
        p2_rng_init_u64(&rng_b, seed, "other");
        different += p2_backoff_wait_ms(&a, 0, 0, &rng_a) != p2_backoff_wait_ms(&b, 0, 0, &rng_b);
    }
    CU_ASSERT(different >= 45); /* of 126 possible waits */
}

static void a_link_that_worked_forgets_the_failures_before_it(void)
{
    struct p2_backoff backoff;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 3, "test");
    p2_backoff_init(&backoff);
    for (unsigned i = 0; i < 10; i++) {
        (void)p2_backoff_wait_ms(&backoff, 0, 0, &rng);
    }
    /* 4,999 ms of work are still a hiccup, 5,000 ms are a proof. */
    CU_ASSERT(p2_backoff_wait_ms(&backoff, 4999, 0, &rng) >= 2000);
    CU_ASSERT(p2_backoff_wait_ms(&backoff, 5000, 0, &rng) <= 250);
    P2_ASSERT_EQUAL(backoff.failures, 1);
}

static void what_the_authority_asked_for_is_the_least_wait(void)
{
    struct p2_backoff backoff;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 4, "test");
    p2_backoff_init(&backoff);
    P2_ASSERT_EQUAL(p2_backoff_wait_ms(&backoff, 0, 60000, &rng), 60000);
    CU_ASSERT(p2_backoff_wait_ms(&backoff, 0, 1, &rng) >= 250);
}

/* ---- blob cache -------------------------------------------------------------------------------- */

static struct p2_blob_handle place_of(uint32_t number)
{
    return (struct p2_blob_handle){.index = number, .generation = number + 1};
}

static void what_was_put_is_found_until_it_is_dropped(void)
{
    static const uint32_t handles[] = {7, 3, UINT32_MAX, 0, 5};
    struct p2_blob_cache *cache = NULL;
    struct p2_blob_handle place = {0};
    P2_ASSERT_ERROR(p2_blob_cache_open(1000, 8, &cache), P2_OK);
    for (uint32_t i = 0; i < P2_COUNT_OF(handles); i++) {
        P2_ASSERT_ERROR(p2_blob_cache_admit(cache, handles[i], 10), P2_OK);
        p2_blob_cache_put(cache, handles[i], 10, place_of(i));
    }
    P2_ASSERT_EQUAL(p2_blob_cache_count(cache), 5);
    P2_ASSERT_EQUAL(p2_blob_cache_bytes(cache), 50);
    for (uint32_t i = 0; i < P2_COUNT_OF(handles); i++) {
        P2_ASSERT_ERROR(p2_blob_cache_find(cache, handles[i], &place), P2_OK);
        P2_ASSERT_EQUAL(place.index, i);
    }
    P2_ASSERT_ERROR(p2_blob_cache_drop(cache, 3, &place), P2_OK);
    P2_ASSERT_EQUAL(place.index, 1);
    P2_ASSERT_ERROR(p2_blob_cache_find(cache, 3, &place), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_blob_cache_drop(cache, 3, &place), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_blob_cache_find(cache, UINT32_MAX, &place), P2_OK);
    P2_ASSERT_EQUAL(place.index, 2);
    P2_ASSERT_EQUAL(p2_blob_cache_bytes(cache), 40);
    p2_blob_cache_close(cache);
}

static void an_authority_never_gets_more_than_it_was_offered(void)
{
    struct p2_blob_cache *cache = NULL;
    struct p2_blob_handle place;
    P2_ASSERT_ERROR(p2_blob_cache_open(100, 3, &cache), P2_OK);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 1, 101), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 1, UINT64_MAX), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 1, 0), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 1, 100), P2_OK);
    p2_blob_cache_put(cache, 1, 60, place_of(1));
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 1, 1), P2_E_EXIST);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 2, 41), P2_E_TOO_BIG);
    p2_blob_cache_put(cache, 2, 20, place_of(2));
    p2_blob_cache_put(cache, 3, 10, place_of(3));
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 4, 1), P2_E_TOO_BIG); /* the count is used up */
    P2_ASSERT_ERROR(p2_blob_cache_drop(cache, 1, &place), P2_OK);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 4, 70), P2_OK);
    P2_ASSERT_ERROR(p2_blob_cache_admit(cache, 4, 71), P2_E_TOO_BIG);
    p2_blob_cache_close(cache);
}

int main(int argc, char **argv)
{
    CU_TestInfo backoff_tests[] = {
        P2_TEST(waits_double_from_a_quarter_second_to_four_seconds),
        P2_TEST(tries_never_end_and_become_a_minute_apart),
        P2_TEST(two_helpers_that_lost_the_same_authority_come_back_at_different_times),
        P2_TEST(a_link_that_worked_forgets_the_failures_before_it),
        P2_TEST(what_the_authority_asked_for_is_the_least_wait),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo cache_tests[] = {
        P2_TEST(what_was_put_is_found_until_it_is_dropped),
        P2_TEST(an_authority_never_gets_more_than_it_was_offered),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"backoff", NULL, NULL, NULL, NULL, backoff_tests},
        {"blob cache", NULL, NULL, NULL, NULL, cache_tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
