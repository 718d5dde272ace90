/* A host and a gamer in the simulated network: from an ID to the endpoint that opens first. */
#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/overlay_sim.h"
#include "overlay/session_finder.h"
#include "overlay/session_host.h"

#include <string.h>

#define S 1000000ull

static struct {
    struct p2_overlay_sim *sim;
    struct p2_overlay *host_overlay, *gamer_overlay;
    struct p2_identity identity;
    struct p2_session_host *host;
    struct p2_session_finder *finder;
    unsigned dials, drops, ends, records;
    int result;
    unsigned winner;
    unsigned numbers[32];
    struct p2_finder_dial dialled[32];
    uint64_t dialled_us[32];
    unsigned fail_first; /* this many dials are reported as failed at once */
    uint64_t ended_us;
} world;

static const struct p2_overlay_sim_weather calm = {.delay_min_us = 50000, .delay_mean_us = 30000};

static void on_dial(const struct p2_finder_dial *dial, void *ctx)
{
    (void)ctx;
    world.dialled_us[world.dials] = p2_overlay_sim_now_us(world.sim);
    world.dialled[world.dials++] = *dial;
    if (world.dials <= world.fail_first) {
        p2_session_finder_dialled(world.finder, dial->number, false);
    }
}

static void on_drop(unsigned number, void *ctx)
{
    (void)ctx;
    world.numbers[world.drops++] = number;
}

static void on_record(const struct p2_overlay_session *record, void *ctx)
{
    (void)ctx;
    CU_ASSERT(memcmp(record->authority.bytes, world.identity.public_key, P2_ID_BYTES) == 0);
    world.records++;
}

static void on_end(int result, unsigned number, void *ctx)
{
    (void)ctx;
    world.ends++;
    world.result = result;
    world.winner = number;
    world.ended_us = p2_overlay_sim_now_us(world.sim);
}

static const struct p2_finder_events events = {on_dial, on_drop, on_record, on_end};
static const struct p2_finder_events search_only = {.on_record = on_record, .on_end = on_end};

static void open_world(uint64_t seed, const struct p2_link_address *endpoints, uint8_t count,
                       const struct p2_finder_events *finder_events)
{
    memset(&world, 0, sizeof world);
    make_node(&world.identity, 1);
    P2_ASSERT_ERROR(p2_overlay_sim_new(&world.sim, seed, GOLDEN_NOW), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, &calm, &world.host_overlay), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, &calm, &world.gamer_overlay), P2_OK);
    struct p2_session_host_options hosting = {.overlay = world.host_overlay,
                                              .rules = &easy_rules,
                                              .identity = &world.identity,
                                              .first_sequence = 1,
                                              .endpoints = endpoints,
                                              .endpoint_count = count};
    p2_rng_init_u64(&hosting.rng, seed, "session host");
    const struct p2_finder_options finding = {world.gamer_overlay, &easy_rules};
    P2_ASSERT_ERROR(p2_session_host_open(&world.host, &hosting), P2_OK);
    P2_ASSERT_ERROR(p2_session_finder_open(&world.finder, &finding, finder_events, NULL), P2_OK);
}

static void run(uint64_t for_us)
{
    P2_ASSERT_ERROR(p2_overlay_sim_run(world.sim, p2_overlay_sim_now_us(world.sim) + for_us),
                    P2_OK);
}

static void close_world(void)
{
    p2_session_host_close(world.host);
    p2_session_finder_close(world.finder);
    run(30 * S);
    P2_ASSERT_EQUAL(p2_overlay_sim_operations(world.sim), 0); /* nothing is left behind */
    p2_overlay_sim_free(world.sim);
}

static void start(void)
{
    const struct p2_session_id id = *p2_session_host_id(world.host);
    P2_ASSERT_ERROR(p2_session_finder_start(world.finder, &id, NULL, NULL, 0), P2_OK);
}

static void v6(struct p2_link_address *address, uint8_t last)
{
    const uint8_t bytes[16] = {0x26, 0x06, 0x47, 0, 0x47, 0, [15] = last};
    *address = (struct p2_link_address){p2_ip_from_v6(bytes), 4242};
}

static void a_session_is_found_and_its_endpoint_dialled_within_a_second(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    open_world(1, &endpoint, 1, &events);
    run(5 * S);
    uint64_t from_us = p2_overlay_sim_now_us(world.sim);
    start();
    run(S);
    P2_ASSERT_EQUAL(world.dials, 1);
    CU_ASSERT(world.dialled_us[0] - from_us < S);
    CU_ASSERT(memcmp(world.dialled[0].authority.bytes, world.identity.public_key, 32) == 0);
    p2_session_finder_dialled(world.finder, world.dialled[0].number, true);
    P2_ASSERT_EQUAL(world.ends, 0); /* not from inside */
    run(S);
    P2_ASSERT_EQUAL(world.ends, 1);
    P2_ASSERT_ERROR(world.result, P2_OK);
    P2_ASSERT_EQUAL(world.winner, world.dialled[0].number);
    P2_ASSERT_EQUAL(world.drops, 0);
    close_world();
}

static void endpoints_are_dialled_a_quarter_second_apart_families_in_turn(void)
{
    struct p2_link_address endpoints[4] = {address4(9, 9, 9, 1, 4242), address4(9, 9, 9, 2, 4242)};
    v6(&endpoints[2], 1);
    v6(&endpoints[3], 2);
    open_world(2, endpoints, 4, &events);
    run(5 * S);
    start();
    run(5 * S);
    P2_ASSERT_EQUAL(world.dials, 4);
    static const uint8_t order[] = {0, 2, 1, 3};
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT(p2_ip_equal(&world.dialled[i].address.ip, &endpoints[order[i]].ip));
        CU_ASSERT(i == 0 || world.dialled_us[i] - world.dialled_us[i - 1] >= P2_FINDER_STAGGER_US);
    }
    p2_session_finder_dialled(world.finder, world.dialled[2].number, true);
    run(S);
    P2_ASSERT_ERROR(world.result, P2_OK);
    P2_ASSERT_EQUAL(world.winner, world.dialled[2].number);
    P2_ASSERT_EQUAL(world.drops, 3); /* the slower ones */
    close_world();
}

static void a_failed_endpoint_is_followed_by_the_next_at_once(void)
{
    const struct p2_link_address endpoints[] = {address4(9, 9, 9, 1, 4242),
                                                address4(9, 9, 9, 2, 4242)};
    open_world(3, endpoints, 2, &events);
    world.fail_first = 1;
    run(5 * S);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.dials, 2);
    CU_ASSERT(world.dialled_us[1] - world.dialled_us[0] < P2_FINDER_STAGGER_US);
    close_world();
}

static void when_no_endpoint_opens_it_searches_once_more_and_then_says_so(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    open_world(4, &endpoint, 1, &events);
    world.fail_first = 32;
    run(5 * S);
    start();
    run(10 * S);
    P2_ASSERT_EQUAL(world.ends, 1);
    P2_ASSERT_ERROR(world.result, P2_E_UNREACHABLE);
    P2_ASSERT_EQUAL(world.dials, 2);
    P2_ASSERT_EQUAL(world.records, 2);
    close_world();
}

static void a_host_that_moved_is_found_past_the_cache(void)
{
    const struct p2_link_address before = address4(9, 9, 9, 9, 4242);
    const struct p2_link_address after = address4(9, 9, 9, 10, 4243);
    open_world(5, &before, 1, &search_only);
    run(5 * S);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.records, 1);
    P2_ASSERT_ERROR(p2_session_host_set_endpoints(world.host, &after, 1), P2_OK);
    run(5 * S);
    uint64_t lookups = p2_overlay_status(world.gamer_overlay).looked_up;
    start(); /* from the cache */
    run(2 * S);
    P2_ASSERT_EQUAL(p2_overlay_status(world.gamer_overlay).looked_up, lookups);
    p2_session_finder_close(world.finder);
    const struct p2_finder_options finding = {world.gamer_overlay, &easy_rules};
    P2_ASSERT_ERROR(p2_session_finder_open(&world.finder, &finding, &events, NULL), P2_OK);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.dialled[0].address.port, 4243);
    close_world();
}

static void an_unknown_id_is_not_found_after_three_rounds(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    struct p2_session_id id = {{1, 2, 3}};
    open_world(6, &endpoint, 1, &events);
    run(5 * S);
    P2_ASSERT_ERROR(p2_session_finder_start(world.finder, &id, NULL, NULL, 0), P2_OK);
    P2_ASSERT_ERROR(p2_session_finder_start(world.finder, &id, NULL, NULL, 0), P2_E_STATE);
    run(3 * S);
    P2_ASSERT_EQUAL(world.ends, 0);
    run(10 * S);
    P2_ASSERT_EQUAL(world.ends, 1);
    P2_ASSERT_ERROR(world.result, P2_E_NOENT);
    close_world();
}

static void a_link_with_an_address_is_dialled_without_a_search(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    char text[P2_JOIN_LINK_MAX];
    struct p2_join_link link;
    open_world(7, &endpoint, 1, &events);
    p2_session_host_link(world.host, 0, text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, text, strlen(text), NULL), P2_OK);
    CU_ASSERT(link.has_address && link.address.is_literal);
    const struct p2_link_address direct = {link.address.ip, link.address.port};
    P2_ASSERT_ERROR(p2_session_finder_start(world.finder, &link.id, &link.address.key, &direct, 1),
                    P2_OK);
    run(S / 10);
    P2_ASSERT_EQUAL(world.dials, 1);
    P2_ASSERT_EQUAL(p2_overlay_status(world.gamer_overlay).looked_up, 0);
    run(5 * S); /* the session is published meanwhile */
    p2_session_finder_dialled(world.finder, world.dialled[0].number, false);
    run(2 * S); /* the address of the link was old: the ID is looked up */
    P2_ASSERT_EQUAL(world.dials, 2);
    P2_ASSERT_EQUAL(world.records, 1);
    p2_session_finder_stop(world.finder);
    P2_ASSERT_EQUAL(world.drops, 1);
    P2_ASSERT_EQUAL(world.ends, 0);
    close_world();
}

static void a_link_with_another_key_finds_nothing(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    struct p2_identity stranger;
    open_world(8, &endpoint, 1, &events);
    make_node(&stranger, 2);
    const struct p2_id key = id_of(&stranger);
    run(5 * S);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.records, 1);
    p2_session_finder_stop(world.finder); /* the record stays in the cache */
    P2_ASSERT_ERROR(
        p2_session_finder_start(world.finder, p2_session_host_id(world.host), &key, NULL, 0),
        P2_OK);
    run(20 * S);
    P2_ASSERT_EQUAL(world.records, 1);
    P2_ASSERT_ERROR(world.result, P2_E_NOENT);
    close_world();
}

static void a_rotated_id_is_found_and_the_old_one_ends(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    open_world(9, &endpoint, 1, &search_only);
    run(5 * S);
    const struct p2_session_id old = *p2_session_host_id(world.host);
    P2_ASSERT_ERROR(p2_session_host_rotate(world.host), P2_OK);
    CU_ASSERT(!p2_session_id_equal(&old, p2_session_host_id(world.host)));
    run(5 * S);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.records, 1);
    run(560 * S);
    P2_ASSERT_ERROR(p2_session_finder_start(world.finder, &old, NULL, NULL, 0), P2_OK);
    run(20 * S);
    P2_ASSERT_ERROR(world.result, P2_E_NOENT);
    close_world();
}

static void a_host_publishes_once_its_overlay_is_connected(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    open_world(10, &endpoint, 1, &search_only);
    P2_ASSERT_ERROR(p2_overlay_sim_set_down(world.host_overlay, 100 * S), P2_OK);
    run(95 * S);
    P2_ASSERT_EQUAL(p2_session_host_status(world.host).puts, 0);
    run(10 * S);
    P2_ASSERT_EQUAL(p2_session_host_status(world.host).puts, 2);
    start();
    run(2 * S);
    P2_ASSERT_EQUAL(world.records, 1);
    close_world();
}

static void the_same_salt_gives_the_same_id_after_a_restart(void)
{
    const struct p2_link_address endpoint = address4(9, 9, 9, 9, 4242);
    uint8_t salt[P2_SALT_BYTES];
    open_world(11, &endpoint, 1, &search_only);
    memcpy(salt, p2_session_host_salt(world.host), sizeof salt);
    const struct p2_session_id id = *p2_session_host_id(world.host);
    p2_session_host_close(world.host);
    struct p2_session_host_options again = {.overlay = world.host_overlay,
                                            .rules = &easy_rules,
                                            .identity = &world.identity,
                                            .first_sequence = 100,
                                            .salt = salt,
                                            .endpoints = &endpoint,
                                            .endpoint_count = 1};
    p2_rng_init_u64(&again.rng, 99, "session host");
    P2_ASSERT_ERROR(p2_session_host_open(&world.host, &again), P2_OK);
    CU_ASSERT(p2_session_id_equal(&id, p2_session_host_id(world.host)));
    again.endpoint_count = 0;
    struct p2_session_host *none = NULL;
    P2_ASSERT_ERROR(p2_session_host_open(&none, &again), P2_E_RANGE);
    close_world();
}

int main(int argc, char **argv)
{
    CU_TestInfo finding[] = {P2_TEST(a_session_is_found_and_its_endpoint_dialled_within_a_second),
                             P2_TEST(endpoints_are_dialled_a_quarter_second_apart_families_in_turn),
                             P2_TEST(a_failed_endpoint_is_followed_by_the_next_at_once),
                             P2_TEST(when_no_endpoint_opens_it_searches_once_more_and_then_says_so),
                             P2_TEST(a_host_that_moved_is_found_past_the_cache),
                             P2_TEST(an_unknown_id_is_not_found_after_three_rounds),
                             P2_TEST(a_link_with_an_address_is_dialled_without_a_search),
                             P2_TEST(a_link_with_another_key_finds_nothing),
                             CU_TEST_INFO_NULL};
    CU_TestInfo hosting[] = {P2_TEST(a_rotated_id_is_found_and_the_old_one_ends),
                             P2_TEST(a_host_publishes_once_its_overlay_is_connected),
                             P2_TEST(the_same_salt_gives_the_same_id_after_a_restart),
                             CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"finding", NULL, NULL, NULL, NULL, finding},
                             {"hosting", NULL, NULL, NULL, NULL, hosting},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
