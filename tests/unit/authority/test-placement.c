/* Placement: who gets a task, and who never does. */
#include "authority/placement.h"
#include "tests/lib/test.h"

#include <string.h>

static struct p2_helpers helpers;
static struct p2_placement placement;
static const uint64_t now = 1000000;

static int set_up(void)
{
    struct p2_rng rng;
    (void)p2_crypto_init();
    p2_rng_init_u64(&rng, 1, "test");
    (void)p2_helpers_init(&helpers, 64, 4);
    (void)p2_placement_init(&placement, &helpers, 0, &rng);
    return 0;
}

/* A new world for each test: helpers of different owners in different /24s. */
static void fresh(uint32_t count, uint32_t rtt_us)
{
    p2_placement_free(&placement);
    p2_helpers_free(&helpers);
    (void)set_up();
    for (uint32_t i = 0; i < count; i++) {
        uint8_t ip[4] = {11, 22, (uint8_t)i, 1};
        struct p2_ip address = p2_ip_from_v4(ip);
        struct p2_id id = {{(uint8_t)(i + 1), 7}};
        (void)p2_helper_open(&helpers, i, &address, now);
        (void)p2_helper_identify(&helpers, i, &id, p2_span(NULL, 0), P2_LOCAL_PEERS_STRICT, now);
        struct p2_helper *helper = &helpers.items[i];
        helper->state = P2_HELPER_ACTIVE;
        helper->ready_kernels = 1;
        helper->cores = 2;
        helper->window = 16;
        helper->rtt_us = rtt_us;
        helper->spread_us = 1000;
        helper->speed[0].mean_ns = 1000;
        placement.active[i] = i;
    }
    placement.active_count = count;
}

static struct p2_placement_request request(enum p2_task_class class, uint64_t in_us)
{
    return (struct p2_placement_request){
        .class = class, .cost_units = 1000, .latest_us = now + in_us};
}

static int choose(const struct p2_placement_request *want, uint32_t *ret_peer)
{
    struct p2_placement_choice choice;
    int error = p2_placement_choose(&placement, &helpers, want, now, &choice);
    if (error == P2_OK) {
        *ret_peer = choice.peer;
    }
    return error;
}

static void the_nearest_idle_helper_wins(void)
{
    fresh(3, 20000);
    helpers.items[1].rtt_us = 10000;
    struct p2_placement_request want = request(P2_CLASS_C1, 100000);
    struct p2_placement_choice choice = {0};
    P2_ASSERT_ERROR(p2_placement_choose(&placement, &helpers, &want, now, &choice), P2_OK);
    P2_ASSERT_EQUAL(choice.peer, 1);
    P2_ASSERT_EQUAL(choice.exec_us, 1000);      /* 1000 units at 1000 ns */
    P2_ASSERT_EQUAL(choice.expected_us, 11000); /* 10 ms there and back, 1 ms of work */
    P2_ASSERT_EQUAL(choice.p95_us, 13000);      /* and twice the deviation */
}

static void a_busy_helper_counts_its_queue(void)
{
    fresh(2, 20000);
    helpers.items[0].rtt_us = 10000;
    helpers.items[0].live = 2;
    helpers.items[0].backlog_us = 60000; /* two cores: 30 ms of waiting */
    uint32_t peer = 9;
    struct p2_placement_request want = request(P2_CLASS_C1, 100000);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    P2_ASSERT_EQUAL(peer, 1);
}

static void a_far_helper_never_gets_frame_critical_work(void)
{
    fresh(2, 36000);
    uint32_t peer = 99;
    struct p2_placement_request want = request(P2_CLASS_C1, 900000);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_E_NOENT);
    want = request(P2_CLASS_C2, 900000);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    helpers.items[0].rtt_us = helpers.items[1].rtt_us = 151000;
    P2_ASSERT_ERROR(choose(&want, &peer), P2_E_NOENT);
}

static void a_helper_that_cannot_make_it_in_time_is_skipped(void)
{
    fresh(1, 20000);
    uint32_t peer = 99;
    struct p2_placement_request want = request(P2_CLASS_C1, 23000); /* needs 20 + 1 + 2 ms */
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    want = request(P2_CLASS_C1, 22999);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_E_AGAIN);
}

static void credit_is_never_exceeded_and_a_quarter_is_kept_for_c1(void)
{
    fresh(1, 20000);
    uint32_t peer = 99;
    struct p2_placement_request slow = request(P2_CLASS_C2, 900000);
    struct p2_placement_request fast = request(P2_CLASS_C1, 900000);
    helpers.items[0].owed = 12;
    P2_ASSERT_ERROR(choose(&slow, &peer), P2_E_AGAIN);
    P2_ASSERT_ERROR(choose(&fast, &peer), P2_OK);
    helpers.items[0].owed = 16;
    P2_ASSERT_ERROR(choose(&fast, &peer), P2_E_AGAIN);
}

static void copies_never_share_an_owner_or_a_prefix(void)
{
    fresh(3, 20000);
    helpers.items[1].owner_key = helpers.items[0].owner_key;
    helpers.items[2].prefix_key = helpers.items[0].prefix_key;
    uint32_t tried[1] = {0};
    uint32_t peer = 99;
    struct p2_placement_request want = request(P2_CLASS_C2, 900000);
    want.avoid = tried;
    want.avoid_count = 1;
    P2_ASSERT_ERROR(choose(&want, &peer), P2_E_AGAIN);
    tried[0] = 1; /* helper 2 shares nothing with helper 1 */
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    P2_ASSERT_EQUAL(peer, 2);
}

static void a_helper_tied_to_a_player_gets_nothing(void)
{
    fresh(1, 20000);
    uint32_t peer = 99;
    struct p2_placement_request want = request(P2_CLASS_C2, 900000);
    helpers.items[0].ties = 2; /* another session's player */
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    helpers.items[0].ties = 1;
    P2_ASSERT_ERROR(choose(&want, &peer), P2_E_NOENT);
}

static void one_owner_holds_a_quarter_while_others_qualify(void)
{
    fresh(8, 20000);
    for (uint32_t i = 0; i < 4; i++) { /* the four best are one owner's */
        helpers.items[i].owner_group = helpers.items[0].owner_group;
        helpers.items[i].rtt_us = 5000;
    }
    uint32_t by_owner = 0;
    for (uint32_t n = 0; n < 40; n++) {
        uint32_t peer = 0;
        struct p2_placement_request want = request(P2_CLASS_C1, 900000);
        P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
        p2_share_add(&placement.share, &helpers.items[peer]);
        by_owner += peer < 4 ? 1 : 0;
    }
    P2_ASSERT_EQUAL(by_owner, 10);
    for (uint32_t i = 4; i < 8; i++) {
        helpers.items[i].state = P2_HELPER_PAUSED;
    }
    uint32_t peer = 9;
    struct p2_placement_request want = request(P2_CLASS_C1, 900000);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK); /* nobody else qualifies any more */
    CU_ASSERT(peer < 4);
}

static void an_unreliable_helper_looks_further_away(void)
{
    fresh(2, 20000);
    helpers.known[helpers.items[0].standing].availability_ppm = 400000;
    helpers.items[1].rtt_us = 30000;
    uint32_t peer = 9;
    struct p2_placement_request want = request(P2_CLASS_C1, 900000);
    P2_ASSERT_ERROR(choose(&want, &peer), P2_OK);
    P2_ASSERT_EQUAL(peer, 1);
}

static void back_off_starts_at_15_s_and_doubles_to_10_min(void)
{
    fresh(1, 20000);
    struct p2_helper *helper = &helpers.items[0];
    struct p2_standing *standing = p2_helper_standing(&helpers, helper);
    static const uint64_t seconds[8] = {15, 30, 60, 120, 240, 480, 600, 600};
    uint64_t at = now;
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT(!p2_helper_missed(helper, standing, false, at));
        CU_ASSERT(!p2_helper_missed(helper, standing, false, at));
        CU_ASSERT(p2_helper_missed(helper, standing, false, at));
        P2_ASSERT_EQUAL(standing->backoff_until_us - at, seconds[i] * 1000000);
        CU_ASSERT(!p2_helper_may_work(helper, standing, at));
        at = standing->backoff_until_us;
        CU_ASSERT(p2_helper_may_work(helper, standing, at));
    }
}

static void a_helper_without_the_contents_is_asked_to_get_them(void)
{
    fresh(1, 20000);
    struct p2_helper *helper = &helpers.items[0];
    p2_blobs_init(&helper->blobs, helpers.blob_entries, 4, 1000);
    uint64_t key = 5;
    uint32_t handle;
    struct p2_placement_request want = request(P2_CLASS_C2, 900000);
    want.keys = &key;
    want.key_count = 1;
    struct p2_placement_choice choice = {0};
    P2_ASSERT_ERROR(p2_placement_choose(&placement, &helpers, &want, now, &choice), P2_OK);
    CU_ASSERT(choice.lacks_contents);
    P2_ASSERT_ERROR(p2_blobs_add(&helper->blobs, 5, 900, now, &handle), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_add(&helper->blobs, 6, 101, now, &handle), P2_E_FULL);
    (void)p2_placement_choose(&placement, &helpers, &want, now, &choice);
    CU_ASSERT(choice.lacks_contents); /* on its way is not there */
    P2_ASSERT_ERROR(p2_blobs_acknowledge(&helper->blobs, helper->blobs.entries[0].handle), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_acknowledge(&helper->blobs, helper->blobs.entries[0].handle),
                    P2_E_UNSOLICITED);
    choice.lacks_contents = false;
    (void)p2_placement_choose(&placement, &helpers, &want, now, &choice);
    CU_ASSERT(!choice.lacks_contents);
    /* Pinned contents are never dropped. */
    uint32_t drops[4];
    uint32_t count = 0;
    P2_ASSERT_ERROR(p2_blobs_pin(&helper->blobs, &key, 1, now, &handle), P2_OK);
    P2_ASSERT_ERROR(p2_blobs_make_room(&helper->blobs, 200, drops, 4, &count), P2_E_FULL);
    p2_blobs_unpin(&helper->blobs, &handle, 1);
    P2_ASSERT_ERROR(p2_blobs_make_room(&helper->blobs, 200, drops, 4, &count), P2_OK);
    P2_ASSERT_EQUAL(count, 1);
    P2_ASSERT_EQUAL(drops[0], handle);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(the_nearest_idle_helper_wins),
        P2_TEST(a_busy_helper_counts_its_queue),
        P2_TEST(a_far_helper_never_gets_frame_critical_work),
        P2_TEST(a_helper_that_cannot_make_it_in_time_is_skipped),
        P2_TEST(credit_is_never_exceeded_and_a_quarter_is_kept_for_c1),
        P2_TEST(copies_never_share_an_owner_or_a_prefix),
        P2_TEST(a_helper_tied_to_a_player_gets_nothing),
        P2_TEST(one_owner_holds_a_quarter_while_others_qualify),
        P2_TEST(an_unreliable_helper_looks_further_away),
        P2_TEST(back_off_starts_at_15_s_and_doubles_to_10_min),
        P2_TEST(a_helper_without_the_contents_is_asked_to_get_them),
        CU_TEST_INFO_NULL,
    };
    (void)set_up();
    CU_SuiteInfo suites[] = {{"placement", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    int status = p2_test_main(argc, argv, suites);
    p2_placement_free(&placement);
    p2_helpers_free(&helpers);
    return status;
}
