/* Helpers and authorities meet in the simulated network: nothing is called periodically, everything
 * happens through alarms. */
#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/helper_presence.h"
#include "overlay/overlay_sim.h"
#include "overlay/recruiter.h"

#include <string.h>

#define S           1000000ull
#define HELPERS_MAX 40

struct world;

struct helper {
    struct world *world;
    struct p2_overlay *overlay;
    struct p2_identity identity;
    struct p2_helper_presence *presence;
    unsigned dials;
    struct p2_presence_dial last;
    uint64_t first_dial_us;
    bool is_deaf;                 /* says that it does not want to dial */
    enum p2_dial_outcome outcome; /* of its dials; OPENED also calls the recruiter */
};

struct world {
    struct p2_overlay_sim *sim;
    struct p2_overlay *authority;
    struct p2_identity identity;
    struct p2_recruiter *recruiter;
    unsigned helper_count;
    unsigned joined, invited;
    struct helper helpers[HELPERS_MAX];
};

static struct world world;
static const struct p2_overlay_sim_weather calm = {.delay_min_us = 50000, .delay_mean_us = 30000};
static const struct p2_overlay_sim_weather rough = {.loss_ppm = 100000,
                                                    .miss_ppm = 50000,
                                                    .delay_min_us = 50000,
                                                    .delay_mean_us = 30000,
                                                    .slow_ppm = 20000,
                                                    .slow_us = 2000000};

static struct p2_rng rng_of(uint64_t number)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, number, "presence test");
    return rng;
}

static bool on_dial(const struct p2_presence_dial *dial, void *ctx)
{
    struct helper *helper = ctx;
    struct p2_id id = id_of(&helper->identity);
    bool is_invited = false;
    helper->last = *dial;
    if (helper->is_deaf) {
        return false;
    }
    helper->first_dial_us =
        helper->dials == 0 ? p2_overlay_sim_now_us(helper->world->sim) : helper->first_dial_us;
    helper->dials++;
    if (helper->outcome == P2_DIAL_OPENED && helper->world->recruiter != NULL &&
        p2_recruiter_dialled_in(helper->world->recruiter, &id,
                                &(struct p2_ip){.family = 4, .bytes = {9, 9, id.bytes[0], 1}},
                                dial->token, &is_invited) == P2_OK) {
        helper->world->joined++;
        helper->world->invited += is_invited;
    }
    p2_helper_presence_dialled(helper->presence, &dial->address, helper->outcome);
    return true;
}

static const struct p2_presence_events presence_events = {.on_dial = on_dial};

static void open_world(uint64_t seed)
{
    memset(&world, 0, sizeof world);
    make_node(&world.identity, 1000);
    P2_ASSERT_ERROR(p2_overlay_sim_new(&world.sim, seed, GOLDEN_NOW), P2_OK);
}

static void open_authority(const struct p2_overlay_sim_weather *weather, uint32_t want)
{
    const struct p2_link_address endpoint = address4(8, 8, 8, 8, 4242);
    struct p2_recruiter_options options = {.rules = &easy_rules,
                                           .identity = &world.identity,
                                           .first_sequence = 1,
                                           .region = "utc+1",
                                           .invites_per_minute = 600,
                                           .rng = rng_of(7)};
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, weather, &world.authority), P2_OK);
    options.overlay = world.authority;
    P2_ASSERT_ERROR(p2_recruiter_open(&world.recruiter, &options), P2_OK);
    P2_ASSERT_ERROR(p2_recruiter_set_endpoints(world.recruiter, &endpoint, 1), P2_OK);
    p2_recruiter_set_want(world.recruiter, want);
}

static struct helper *open_helper(const struct p2_overlay_sim_weather *weather)
{
    struct helper *helper = &world.helpers[world.helper_count++];
    helper->world = &world;
    helper->outcome = P2_DIAL_OPENED;
    make_node(&helper->identity, world.helper_count);
    struct p2_presence_options options = {.rules = &easy_rules,
                                          .identity = &helper->identity,
                                          .first_sequence = 1,
                                          .rng = rng_of(100 + world.helper_count)};
    const struct p2_capacity_ad ad = make_ad(&helper->identity, 0, 0);
    P2_ASSERT_ERROR(p2_overlay_sim_open(world.sim, weather, &helper->overlay), P2_OK);
    options.overlay = helper->overlay;
    P2_ASSERT_ERROR(p2_helper_presence_open(&helper->presence, &options, &presence_events, helper),
                    P2_OK);
    P2_ASSERT_ERROR(p2_helper_presence_offer(helper->presence, &ad), P2_OK);
    return helper;
}

static void run(uint64_t for_us)
{
    P2_ASSERT_ERROR(p2_overlay_sim_run(world.sim, p2_overlay_sim_now_us(world.sim) + for_us),
                    P2_OK);
}

static void close_world(void)
{
    for (unsigned i = 0; i < world.helper_count; i++) {
        p2_helper_presence_close(world.helpers[i].presence);
    }
    p2_recruiter_close(world.recruiter);
    run(30 * S);                                              /* publishes under way end */
    P2_ASSERT_EQUAL(p2_overlay_sim_operations(world.sim), 0); /* nothing is left behind */
    p2_overlay_sim_free(world.sim);
}

/* Puts an invite of node `authority` to `helper` into inbox 0. */
static void inject_invite(const struct helper *helper, uint64_t authority,
                          const struct p2_link_address *endpoints, uint8_t count, uint8_t token)
{
    struct p2_identity identity;
    uint8_t value[P2_INVITE_VALUE_BYTES];
    uint8_t ephemeral[P2_KEY_BYTES];
    size_t size = P2_INVITE_SEALED_BYTES;
    struct p2_overlay_key key;
    struct p2_id id = id_of(&helper->identity);
    make_node(&identity, authority);
    memset(ephemeral, token ^ 0x55, sizeof ephemeral);
    struct p2_overlay_invite invite = make_invite(
        &identity, &helper->identity, GOLDEN_NOW + p2_overlay_sim_now_us(world.sim) / S, token);
    invite.endpoint_count = count;
    memcpy(invite.endpoints, endpoints, count * sizeof *endpoints);
    P2_ASSERT_ERROR(p2_invite_seal(value, &invite, 0, ephemeral, &identity, &easy_rules), P2_OK);
    p2_invite_inbox(&key, &id, 0, &easy_rules);
    P2_ASSERT_ERROR(p2_stamp_append(value, &size, sizeof value, &key, &easy_rules), P2_OK);
    P2_ASSERT_ERROR(p2_overlay_sim_inject(world.sim, &key, p2_span(value, size), false), P2_OK);
}

/* ---- meeting -------------------------------------------------------------------------------------- */

static void a_helper_is_found_invited_and_dials_within_20_seconds(void)
{
    open_world(1);
    open_authority(&calm, 1);
    struct helper *helper = open_helper(&calm);
    run(20 * S);
    P2_ASSERT_EQUAL(world.joined, 1);
    P2_ASSERT_EQUAL(world.invited, 1); /* with a token of ours */
    CU_ASSERT(memcmp(helper->last.authority.bytes, world.identity.public_key, P2_ID_BYTES) == 0);
    P2_ASSERT_EQUAL(helper->last.address.port, 4242);
    struct p2_recruiter_status status = p2_recruiter_status(world.recruiter);
    P2_ASSERT_EQUAL(status.connected, 1);
    P2_ASSERT_EQUAL(status.invites, 1);
    P2_ASSERT_EQUAL(status.ads, 1);
    uint64_t reads = status.reads;
    run(60 * S);
    P2_ASSERT_EQUAL(p2_recruiter_status(world.recruiter).reads, reads); /* has what it wants */
    close_world();
}

static void every_helper_is_recruited_although_puts_are_lost(void)
{
    open_world(2);
    open_authority(&rough, 30);
    for (int i = 0; i < 30; i++) {
        (void)open_helper(&rough);
    }
    run(240 * S);
    P2_ASSERT_EQUAL(world.joined, 30);
    close_world();
}

static void a_known_helper_is_invited_without_an_ad(void)
{
    const struct p2_ip nowhere = {0};
    open_world(3);
    struct helper *helper = open_helper(&calm);
    struct p2_id id = id_of(&helper->identity);
    run(5 * S);
    open_authority(&calm, 0);
    run(S);
    p2_recruiter_add_known(world.recruiter, &id, &nowhere);
    p2_recruiter_set_want(world.recruiter, 1);
    run(5 * S);
    P2_ASSERT_EQUAL(world.joined, 1);
    P2_ASSERT_EQUAL(p2_recruiter_status(world.recruiter).reads, 0);
    close_world();
}

static void a_lost_helper_is_invited_again(void)
{
    open_world(4);
    open_authority(&calm, 1);
    struct helper *helper = open_helper(&calm);
    struct p2_id id = id_of(&helper->identity);
    run(20 * S);
    P2_ASSERT_EQUAL(world.joined, 1);
    p2_recruiter_gone(world.recruiter, &id);
    run(20 * S); /* 15 s of back-off */
    P2_ASSERT_EQUAL(world.joined, 2);
    P2_ASSERT_EQUAL(world.invited, 2);
    close_world();
}

static void nothing_is_tried_while_the_overlay_is_down(void)
{
    open_world(5);
    open_authority(&calm, 1);
    P2_ASSERT_ERROR(p2_overlay_sim_set_down(world.authority, 60 * S), P2_OK);
    struct helper *helper = open_helper(&calm);
    struct p2_id id = id_of(&helper->identity);
    P2_ASSERT_ERROR(p2_overlay_sim_set_down(helper->overlay, 30 * S), P2_OK);
    const struct p2_ip nowhere = {0};
    p2_recruiter_add_known(world.recruiter, &id, &nowhere);
    run(29 * S);
    P2_ASSERT_EQUAL(p2_helper_presence_status(helper->presence).ads, 0);
    run(30 * S);
    P2_ASSERT_EQUAL(p2_recruiter_status(world.recruiter).invites, 0);
    CU_ASSERT(p2_helper_presence_status(helper->presence).ads >= 1);
    run(10 * S);
    P2_ASSERT_EQUAL(world.joined, 1);
    close_world();
}

/* ---- ads ------------------------------------------------------------------------------------------ */

static size_t ads_at_root(void)
{
    struct p2_overlay_key key;
    p2_shard_key(&key, "utc+1", (struct p2_shard){0, 0}, &easy_rules);
    return p2_overlay_sim_count(world.sim, &key);
}

static void an_ad_is_repeated_after_15_seconds_and_then_every_four_minutes(void)
{
    open_world(6);
    struct helper *helper = open_helper(&calm);
    run(10 * S);
    P2_ASSERT_EQUAL(ads_at_root(), 1);
    run(10 * S);
    P2_ASSERT_EQUAL(ads_at_root(), 2);
    run(170 * S);
    P2_ASSERT_EQUAL(ads_at_root(), 2);
    run(130 * S); /* 15 + 240 * 1.2 = 303 */
    P2_ASSERT_EQUAL(ads_at_root(), 3);
    P2_ASSERT_EQUAL(p2_helper_presence_status(helper->presence).ads, 3);
    close_world();
}

static void who_lends_nothing_publishes_nothing_and_follows_no_invite(void)
{
    const struct p2_link_address endpoint = address4(8, 8, 8, 8, 4242);
    open_world(7);
    struct helper *helper = open_helper(&calm);
    P2_ASSERT_ERROR(p2_helper_presence_offer(helper->presence, NULL), P2_OK);
    run(30 * S);
    P2_ASSERT_EQUAL(ads_at_root(), 0);
    inject_invite(helper, 2000, &endpoint, 1, 1);
    run(10 * S);
    P2_ASSERT_EQUAL(helper->dials, 0);
    P2_ASSERT_EQUAL(p2_helper_presence_status(helper->presence).invites, 1);
    close_world();
}

static void helpers_of_a_full_shard_go_deeper(void)
{
    open_world(8);
    for (int i = 0; i < 40; i++) {
        (void)open_helper(&calm);
        run(2 * S);
    }
    run(600 * S);
    unsigned at_root = 0;
    for (unsigned i = 0; i < world.helper_count; i++) {
        at_root += p2_helper_presence_status(world.helpers[i].presence).depth == 0;
    }
    P2_ASSERT_EQUAL(at_root, P2_DIRECTORY_SHARD);
    close_world();
}

/* ---- dials ---------------------------------------------------------------------------------------- */

static void endpoints_of_an_invite_are_tried_one_after_the_other(void)
{
    const struct p2_link_address endpoints[] = {
        address4(127, 0, 0, 1, 4242), address4(8, 8, 8, 8, 22), address4(8, 8, 4, 4, 4242),
        address4(9, 9, 9, 9, 4242)};
    open_world(9);
    struct helper *helper = open_helper(&calm);
    helper->outcome = P2_DIAL_UNREACHED;
    run(5 * S);
    inject_invite(helper, 2000, endpoints, 4, 1);
    run(10 * S);
    P2_ASSERT_EQUAL(helper->dials, 2);
    CU_ASSERT(p2_ip_equal(&helper->last.address.ip, &endpoints[3].ip));
    struct p2_presence_status status = p2_helper_presence_status(helper->presence);
    P2_ASSERT_EQUAL(status.verdicts[P2_DIAL_NOT_ROUTABLE], 1);
    P2_ASSERT_EQUAL(status.verdicts[P2_DIAL_LOW_PORT], 1);
    P2_ASSERT_EQUAL(status.expired, 1);
    close_world();
}

static void an_unwanted_invite_is_forgotten_without_a_dial(void)
{
    const struct p2_link_address endpoint = address4(8, 8, 8, 8, 4242);
    open_world(10);
    struct helper *helper = open_helper(&calm);
    helper->is_deaf = true;
    run(5 * S);
    inject_invite(helper, 2000, &endpoint, 1, 1);
    run(5 * S);
    P2_ASSERT_EQUAL(p2_helper_presence_status(helper->presence).unwanted, 1);
    P2_ASSERT_EQUAL(p2_helper_presence_status(helper->presence).dials, 0);
    helper->is_deaf = false;
    inject_invite(helper, 2001, &endpoint, 1, 2); /* nothing was learnt about the address */
    run(5 * S);
    P2_ASSERT_EQUAL(helper->dials, 1);
    close_world();
}

static void a_thousand_authorities_naming_one_victim_cause_one_dial(void)
{
    const struct p2_link_address victim = address4(8, 8, 8, 8, 4242);
    open_world(11);
    struct helper *helper = open_helper(&calm);
    helper->outcome = P2_DIAL_HANDSHAKE_FAILED;
    run(5 * S);
    for (unsigned i = 0; i < 1000; i++) {
        inject_invite(helper, 3000 + i, &victim, 1, (uint8_t)i);
        run(S / 10);
    }
    run(300 * S);
    P2_ASSERT_EQUAL(helper->dials, 1);
    close_world();
}

static void at_most_six_new_destinations_a_minute_are_dialled(void)
{
    open_world(12);
    struct helper *helper = open_helper(&calm);
    helper->outcome = P2_DIAL_UNREACHED;
    run(5 * S);
    for (unsigned i = 0; i < 30; i++) {
        const struct p2_link_address endpoint = address4(8, 8, (uint8_t)i, 8, 4242);
        inject_invite(helper, 3000 + i, &endpoint, 1, (uint8_t)i);
    }
    run(50 * S);
    P2_ASSERT_EQUAL(helper->dials, P2_DIAL_NEW_PER_MINUTE);
    run(60 * S); /* those that waited have their turn */
    P2_ASSERT_EQUAL(helper->dials, 2 * P2_DIAL_NEW_PER_MINUTE);
    run(60 * S); /* and are dropped once they are too old */
    P2_ASSERT_EQUAL(helper->dials, 2 * P2_DIAL_NEW_PER_MINUTE);
    close_world();
}

int main(int argc, char **argv)
{
    CU_TestInfo meeting[] = {P2_TEST(a_helper_is_found_invited_and_dials_within_20_seconds),
                             P2_TEST(every_helper_is_recruited_although_puts_are_lost),
                             P2_TEST(a_known_helper_is_invited_without_an_ad),
                             P2_TEST(a_lost_helper_is_invited_again),
                             P2_TEST(nothing_is_tried_while_the_overlay_is_down),
                             CU_TEST_INFO_NULL};
    CU_TestInfo ads[] = {P2_TEST(an_ad_is_repeated_after_15_seconds_and_then_every_four_minutes),
                         P2_TEST(who_lends_nothing_publishes_nothing_and_follows_no_invite),
                         P2_TEST(helpers_of_a_full_shard_go_deeper), CU_TEST_INFO_NULL};
    CU_TestInfo dials[] = {P2_TEST(endpoints_of_an_invite_are_tried_one_after_the_other),
                           P2_TEST(an_unwanted_invite_is_forgotten_without_a_dial),
                           P2_TEST(a_thousand_authorities_naming_one_victim_cause_one_dial),
                           P2_TEST(at_most_six_new_destinations_a_minute_are_dialled),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"meeting", NULL, NULL, NULL, NULL, meeting},
                             {"ads", NULL, NULL, NULL, NULL, ads},
                             {"dials", NULL, NULL, NULL, NULL, dials},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
