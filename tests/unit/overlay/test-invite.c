#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/dial_policy.h"
#include "overlay/directory.h"

#include <string.h>

/* ---- ads ---------------------------------------------------------------------------------------- */

static struct p2_shard golden_shard(void)
{
    uint8_t bytes[512];
    P2_ASSERT_EQUAL(golden("ad-shard", bytes), 4);
    return p2_shard_of(p2_load_be32(bytes), 5);
}

static int open_ad(struct p2_capacity_ad *ad, uint8_t *value, size_t size)
{
    struct p2_span content;
    const struct p2_overlay_key key = golden_key("ad-key");
    int error = p2_stamp_check(&content, NULL, p2_span(value, size), &key, &golden_rules);
    return error == P2_OK ? p2_capacity_ad_open(ad, NULL, content, "utc+1", golden_shard(),
                                                GOLDEN_NOW, &golden_rules)
                          : error;
}

static void an_ad_of_another_implementation_is_read_and_written(void)
{
    uint8_t value[512], made[P2_CAPACITY_VALUE_BYTES];
    struct p2_capacity_ad ad;
    struct p2_identity helper;
    struct p2_overlay_key key, expected = golden_key("ad-key");
    size_t size = golden("ad-value", value), made_size = 0;
    golden_node(&helper, "helper-seed");
    P2_ASSERT_EQUAL(size, P2_CAPACITY_VALUE_BYTES);
    P2_ASSERT_ERROR(open_ad(&ad, value, size), P2_OK);
    CU_ASSERT_STRING_EQUAL(ad.region, "utc+1");
    P2_ASSERT_EQUAL(ad.depth, 5);
    P2_ASSERT_EQUAL(ad.cores, 8);
    P2_ASSERT_EQUAL(ad.free_slots, 6);
    P2_ASSERT_EQUAL(ad.price_micro_dollars, 150000);
    P2_ASSERT_EQUAL(ad.kernel_count, 2);
    CU_ASSERT(ad.kernels[0] == p2_capacity_kernel_tag("physics_step", 1) ||
              ad.kernels[1] == p2_capacity_kernel_tag("physics_step", 1));
    CU_ASSERT(p2_ip_equal(&ad.address, &(struct p2_ip){4, {203, 0, 113, 9}}));
    P2_ASSERT_ERROR(p2_puzzle_check(&ad.helper, ad.puzzle_nonce, golden_rules.puzzle_bits), P2_OK);
    P2_ASSERT_ERROR(p2_capacity_ad_sign(made, &made_size, &key, &ad, &helper, &golden_rules),
                    P2_OK);
    CU_ASSERT(p2_overlay_key_equal(&key, &expected));
    P2_ASSERT_ERROR(p2_stamp_append(made, &made_size, sizeof made, &key, &golden_rules), P2_OK);
    P2_ASSERT_BYTES(made, value, size);
}

static void every_flipped_bit_and_cut_of_an_ad_is_refused(void)
{
    uint8_t value[512];
    struct p2_capacity_ad ad;
    size_t size = golden("ad-value", value);
    unsigned accepted = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* Another nonce that does the work is no forgery: the content is untouched. */
        accepted += open_ad(&ad, value, size) == P2_OK && bit / 8 < size - P2_STAMP_BYTES;
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    P2_ASSERT_EQUAL(accepted, 0);
    for (size_t cut = 0; cut < size; cut++) {
        CU_ASSERT(open_ad(&ad, value, cut) != P2_OK);
    }
}

/* Signs a body of our choice, to see that authentic nonsense is refused too. */
static int open_changed_body(size_t at, uint8_t byte)
{
    uint8_t value[512], made[P2_OVERLAY_RECORD_MAX];
    struct p2_overlay_record record;
    struct p2_identity helper;
    struct p2_capacity_ad ad;
    size_t size = golden("ad-value", value) - P2_STAMP_BYTES;
    const struct p2_overlay_record_place place = {P2_OVERLAY_RECORD_CAPACITY_AD,
                                                  golden_key("ad-key"), GOLDEN_NOW};
    golden_node(&helper, "helper-seed");
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(value, size), &place, &golden_rules),
                    P2_OK);
    record.body[at] = byte;
    P2_ASSERT_ERROR(p2_overlay_record_sign(made, &size, &record, &helper, &golden_rules), P2_OK);
    return p2_capacity_ad_open(&ad, NULL, p2_span(made, size), "utc+1", golden_shard(), GOLDEN_NOW,
                               &golden_rules);
}

static void authentic_nonsense_in_an_ad_is_refused(void)
{
    P2_ASSERT_ERROR(open_changed_body(0, 'u'), P2_OK);          /* as it was */
    P2_ASSERT_ERROR(open_changed_body(0, 'U'), P2_E_MALFORMED); /* region */
    P2_ASSERT_ERROR(open_changed_body(15, 'x'), P2_E_NOT_CANONICAL);
    P2_ASSERT_ERROR(open_changed_body(16, 4), P2_E_UNSOLICITED); /* another depth */
    P2_ASSERT_ERROR(open_changed_body(16, 21), P2_E_RANGE);
    P2_ASSERT_ERROR(open_changed_body(17, 2), P2_E_RANGE); /* flags */
    P2_ASSERT_ERROR(open_changed_body(19, 0), P2_E_RANGE); /* cores */
    P2_ASSERT_ERROR(open_changed_body(26, 5), P2_E_RANGE); /* family */
    P2_ASSERT_ERROR(open_changed_body(42, 1),
                    P2_E_NOT_CANONICAL);                    /* bytes behind an IPv4 address */
    P2_ASSERT_ERROR(open_changed_body(43, 17), P2_E_RANGE); /* kernels */
    P2_ASSERT_ERROR(open_changed_body(43, 1), P2_E_NOT_CANONICAL);
    P2_ASSERT_ERROR(open_changed_body(43, 3), P2_E_RANGE);
    P2_ASSERT_ERROR(open_changed_body(0, '+'), P2_E_UNSOLICITED); /* another region */
}

static void an_ad_stands_only_where_its_key_puts_it(void)
{
    uint8_t value[P2_CAPACITY_VALUE_BYTES];
    struct p2_identity helper;
    struct p2_overlay_key key;
    struct p2_overlay_record record;
    size_t size = 0;
    uint32_t bits, rank;
    make_node(&helper, 1);
    const struct p2_id id = id_of(&helper);
    struct p2_capacity_ad ad = make_ad(&helper, GOLDEN_NOW, 1), back;
    ad.depth = 3;
    p2_capacity_hash(&id, &bits, &rank);
    const struct p2_shard right = p2_shard_of(bits, 3), wrong = p2_shard_of(~bits, 3);
    P2_ASSERT_ERROR(p2_capacity_ad_sign(value, &size, &key, &ad, &helper, &easy_rules), P2_OK);
    P2_ASSERT_ERROR(p2_capacity_ad_open(&back, &record, p2_span(value, size), "utc+1", right,
                                        GOLDEN_NOW, &easy_rules),
                    P2_OK);
    P2_ASSERT_ERROR(p2_capacity_ad_open(&back, NULL, p2_span(value, size), "utc+1", wrong,
                                        GOLDEN_NOW, &easy_rules),
                    P2_E_UNSOLICITED);
    /* Signed for the wrong shard's key: authentic, bound, and still not its place. */
    p2_shard_key(&record.key, "utc+1", wrong, &easy_rules);
    uint8_t moved[P2_OVERLAY_RECORD_MAX];
    P2_ASSERT_ERROR(p2_overlay_record_sign(moved, &size, &record, &helper, &easy_rules), P2_OK);
    P2_ASSERT_ERROR(p2_capacity_ad_open(&back, NULL, p2_span(moved, size), "utc+1", wrong,
                                        GOLDEN_NOW, &easy_rules),
                    P2_E_UNSOLICITED);
}

/* ---- directory ---------------------------------------------------------------------------------- */

static void a_helper_goes_deeper_only_when_sixteen_are_ahead(void)
{
    const struct p2_directory_view full = {40, 16}, first = {40, 0}, last = {15, 15};
    const struct p2_directory_view room = {15, 3}, none = {16, 3};
    P2_ASSERT_EQUAL(p2_directory_next_depth(4, &full, &none), 5);
    P2_ASSERT_EQUAL(p2_directory_next_depth(4, &last, &none), 4);
    P2_ASSERT_EQUAL(p2_directory_next_depth(4, &first, &none), 4);
    P2_ASSERT_EQUAL(p2_directory_next_depth(4, &first, &room), 3);
    P2_ASSERT_EQUAL(p2_directory_next_depth(4, &last, &room), 4);
    P2_ASSERT_EQUAL(p2_directory_next_depth(0, &first, &room), 0);
    P2_ASSERT_EQUAL(p2_directory_next_depth(P2_DIRECTORY_DEPTH_MAX, &full, &none),
                    P2_DIRECTORY_DEPTH_MAX);
}

static void ranks_order_helpers_the_same_way_for_everybody(void)
{
    static struct p2_overlay_record records[20];
    unsigned seen[20] = {0};
    for (size_t i = 0; i < 20; i++) {
        struct p2_identity node;
        make_node(&node, 200 + i);
        records[i].signer = id_of(&node);
    }
    for (size_t i = 0; i < 20; i++) {
        struct p2_directory_view view = p2_directory_look(records, 20, &records[i].signer);
        P2_ASSERT_EQUAL(view.live, 19);
        CU_ASSERT_FATAL(view.ahead < 20);
        seen[view.ahead]++;
    }
    for (size_t i = 0; i < 20; i++) {
        P2_ASSERT_EQUAL(seen[i], 1);
    }
}

static void a_reader_descends_while_full_and_climbs_from_nothing(void)
{
    struct p2_directory_walk walk;
    p2_directory_walk_begin(&walk, 0xa0000000, 0);
    CU_ASSERT(p2_directory_walk_next(&walk, 16));
    P2_ASSERT_EQUAL(p2_directory_walk_shard(&walk).bits, 0x80000000);
    CU_ASSERT(p2_directory_walk_next(&walk, 8));
    P2_ASSERT_EQUAL(walk.depth, 2);
    CU_ASSERT(!p2_directory_walk_next(&walk, 0)); /* from above: there is nothing higher */
    p2_directory_walk_begin(&walk, 0xa0000000, 3);
    CU_ASSERT(p2_directory_walk_next(&walk, 0));
    CU_ASSERT(p2_directory_walk_next(&walk, 0));
    CU_ASSERT(!p2_directory_walk_next(&walk, 16)); /* from below */
    P2_ASSERT_EQUAL(walk.depth, 1);
    unsigned reads = 0;
    p2_directory_walk_begin(&walk, 1, 0);
    while (p2_directory_walk_next(&walk, 64)) {
        reads++;
    }
    P2_ASSERT_EQUAL(reads, P2_DIRECTORY_DEPTH_MAX); /* a flood cannot make it go on for ever */
}

/* ---- invites ------------------------------------------------------------------------------------ */

static struct p2_invite_memory memory;

static int open_golden(unsigned copy, uint8_t *value, size_t size, struct p2_overlay_invite *invite)
{
    struct p2_identity helper;
    golden_node(&helper, "helper-seed");
    return p2_invite_open(&memory, invite, p2_span(value, size), copy, GOLDEN_NOW, &helper,
                          &golden_rules);
}

static void an_invite_of_another_implementation_counts_once_for_both_inboxes(void)
{
    uint8_t value[512];
    struct p2_overlay_invite invite;
    memset(&memory, 0, sizeof memory);
    size_t size = golden("invite-0-value", value);
    P2_ASSERT_EQUAL(size, P2_INVITE_VALUE_BYTES);
    P2_ASSERT_ERROR(open_golden(1, value, size, &invite), P2_E_FLOOD); /* the other inbox's stamp */
    P2_ASSERT_ERROR(open_golden(0, value, size, &invite), P2_OK);
    P2_ASSERT_EQUAL(invite.token[0], 0x40);
    P2_ASSERT_EQUAL(invite.endpoint_count, 2);
    P2_ASSERT_EQUAL(invite.endpoints[0].port, 4242);
    P2_ASSERT_EQUAL(invite.expires, GOLDEN_NOW + 120);
    CU_ASSERT(invite.has_aes);
    P2_ASSERT_ERROR(open_golden(0, value, size, &invite), P2_E_EXIST);
    size = golden("invite-1-value", value);
    P2_ASSERT_ERROR(open_golden(1, value, size, &invite), P2_E_EXIST); /* the same token */
}

static void sealing_gives_the_invite_of_another_implementation(void)
{
    uint8_t value[512], made[P2_INVITE_VALUE_BYTES], ephemeral[32];
    struct p2_overlay_invite invite;
    struct p2_identity authority;
    struct p2_overlay_key key;
    size_t size = golden("invite-1-value", value), made_size = P2_INVITE_SEALED_BYTES;
    memset(&memory, 0, sizeof memory);
    memset(ephemeral, 0x71, sizeof ephemeral);
    golden_node(&authority, "authority-seed");
    P2_ASSERT_ERROR(open_golden(1, value, size, &invite), P2_OK);
    P2_ASSERT_ERROR(p2_invite_seal(made, &invite, 1, ephemeral, &authority, &golden_rules), P2_OK);
    p2_invite_inbox(&key, &invite.helper, 1, &golden_rules);
    P2_ASSERT_ERROR(p2_stamp_append(made, &made_size, sizeof made, &key, &golden_rules), P2_OK);
    P2_ASSERT_BYTES(made, value, size);
}

static void every_flipped_bit_and_cut_of_an_invite_is_refused(void)
{
    uint8_t value[512];
    struct p2_overlay_invite invite;
    size_t size = golden("invite-0-value", value);
    unsigned accepted = 0;
    for (size_t bit = 0; bit < (size - P2_STAMP_BYTES) * 8; bit++) {
        memset(&memory, 0, sizeof memory);
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        accepted += open_golden(0, value, size, &invite) == P2_OK;
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    P2_ASSERT_EQUAL(accepted, 0);
    for (size_t cut = 0; cut < size; cut++) {
        P2_ASSERT_ERROR(open_golden(0, value, cut, &invite), P2_E_MALFORMED);
    }
}

static int seal_and_open(const struct p2_overlay_invite *invite,
                         const struct p2_identity *authority, const struct p2_identity *helper,
                         uint64_t unix_s)
{
    uint8_t value[P2_INVITE_VALUE_BYTES];
    const uint8_t ephemeral[32] = {5};
    struct p2_overlay_key key;
    struct p2_overlay_invite back;
    struct p2_overlay_invite to_helper = *invite;
    size_t size = P2_INVITE_SEALED_BYTES;
    to_helper.helper = id_of(helper); /* the box's recipient */
    P2_ASSERT_ERROR(p2_invite_seal(value, &to_helper, 0, ephemeral, authority, &easy_rules), P2_OK);
    p2_invite_inbox(&key, &to_helper.helper, 0, &easy_rules);
    P2_ASSERT_ERROR(p2_stamp_append(value, &size, sizeof value, &key, &easy_rules), P2_OK);
    return p2_invite_open(&memory, &back, p2_span(value, size), 0, unix_s, helper, &easy_rules);
}

static void late_early_and_unproved_invites_are_refused(void)
{
    struct p2_identity authority, helper;
    memset(&memory, 0, sizeof memory);
    make_node(&authority, 1);
    make_node(&helper, 2);
    struct p2_overlay_invite invite = make_invite(&authority, &helper, 1000, 1);
    P2_ASSERT_ERROR(seal_and_open(&invite, &authority, &helper, 1120), P2_E_EXPIRED);
    invite.sequence++; /* other bytes: no copy of what was seen */
    P2_ASSERT_ERROR(seal_and_open(&invite, &authority, &helper, 900), P2_E_RANGE);
    invite.sequence++;
    P2_ASSERT_ERROR(seal_and_open(&invite, &authority, &helper, 1119), P2_OK);
    invite.sequence++; /* sealed again with its token */
    P2_ASSERT_ERROR(seal_and_open(&invite, &authority, &helper, 1119), P2_E_EXIST);
}

static void an_invite_sealed_again_for_somebody_else_is_recognised(void)
{
    uint8_t plain[P2_OVERLAY_RECORD_MAX], value[P2_INVITE_VALUE_BYTES];
    const uint8_t ephemeral[32] = {6};
    struct p2_identity authority, thief, victim;
    struct p2_overlay_invite back;
    struct p2_overlay_key key;
    size_t size = 0;
    memset(&memory, 0, sizeof memory);
    make_node(&authority, 1);
    make_node(&thief, 2);
    make_node(&victim, 3);
    const struct p2_id victim_id = id_of(&victim);
    struct p2_overlay_invite invite = make_invite(&authority, &thief, 1000, 1);
    /* What the thief got, opened with its own key. */
    P2_ASSERT_ERROR(p2_invite_seal(value, &invite, 0, ephemeral, &authority, &easy_rules), P2_OK);
    P2_ASSERT_ERROR(p2_box_open(plain, value, P2_INVITE_SEALED_BYTES, &thief), P2_OK);
    P2_ASSERT_ERROR(p2_box_seal(value, plain, P2_INVITE_SEALED_BYTES - P2_BOX_BYTES, ephemeral,
                                victim.exchange_public),
                    P2_OK);
    size = P2_INVITE_SEALED_BYTES;
    p2_invite_inbox(&key, &victim_id, 0, &easy_rules);
    P2_ASSERT_ERROR(p2_stamp_append(value, &size, sizeof value, &key, &easy_rules), P2_OK);
    P2_ASSERT_ERROR(
        p2_invite_open(&memory, &back, p2_span(value, size), 0, 1000, &victim, &easy_rules),
        P2_E_UNSOLICITED); /* bound to the thief's inbox */
}

static void junk_without_a_stamp_opens_no_box(void)
{
    uint8_t value[P2_INVITE_VALUE_BYTES];
    struct p2_identity helper;
    struct p2_overlay_invite invite;
    struct p2_rng rng;
    struct p2_overlay_rules rules = easy_rules;
    rules.stamp_bits = P2_STAMP_BITS_DEFAULT;
    memset(&memory, 0, sizeof memory);
    make_node(&helper, 2);
    p2_rng_init_u64(&rng, 3, "junk");
    for (unsigned i = 0; i < 5000; i++) {
        p2_rng_bytes(&rng, value, sizeof value);
        CU_ASSERT(p2_invite_open(&memory, &invite, p2_span(value, sizeof value), 0, 1000, &helper,
                                 &rules) != P2_OK);
    }
    P2_ASSERT_EQUAL(memory.stamps, 5000);
    CU_ASSERT(memory.boxes <= 2); /* 5,000 tries at 1 in 65,536: 0.08 expected */
    P2_ASSERT_EQUAL(memory.signatures + memory.puzzles, 0);
}

static void a_full_memory_refuses_until_tokens_expire(void)
{
    struct p2_identity authority, helper;
    memset(&memory, 0, sizeof memory);
    make_node(&authority, 1);
    make_node(&helper, 2);
    for (uint8_t i = 0; i < P2_INVITE_MEMORY; i++) {
        const struct p2_overlay_invite invite =
            make_invite(&authority, &helper, 1000, (uint8_t)(i + 1));
        P2_ASSERT_ERROR(seal_and_open(&invite, &authority, &helper, 1000), P2_OK);
    }
    struct p2_overlay_invite more = make_invite(&authority, &helper, 1050, 200);
    P2_ASSERT_ERROR(seal_and_open(&more, &authority, &helper, 1050), P2_E_LIMIT);
    more = make_invite(&authority, &helper, 1120, 201);
    P2_ASSERT_ERROR(seal_and_open(&more, &authority, &helper, 1120), P2_OK);
}

/* ---- dial policy -------------------------------------------------------------------------------- */

#define S 1000000ull
static struct p2_dial_policy policy;

static void fresh_policy(bool private_allowed, enum p2_local_peers local_peers)
{
    const struct p2_dial_options options = {private_allowed, local_peers};
    p2_dial_policy_init(&policy, &options);
}

static enum p2_dial_verdict ask(struct p2_link_address address, uint64_t now_us)
{
    return p2_dial_policy_ask(&policy, &address, P2_DIAL_INVITE, now_us);
}

static void end(struct p2_link_address address, enum p2_dial_outcome outcome, uint64_t now_us)
{
    p2_dial_policy_end(&policy, &address, outcome, now_us);
}

static void invites_never_reach_private_places_or_low_ports(void)
{
    static const char *const places[] = {
        "127.0.0.1", "10.1.2.3",      "192.168.0.1",     "169.254.1.1",
        "224.0.0.1", "0.0.0.0",       "100.64.0.1",      "255.255.255.255",
        "::1",       "fe80::1",       "fd00::1",         "ff02::1",
        "::",        "2002:7f00:1::", "64:ff9b::7f00:1", "::ffff:127.0.0.1",
        "192.0.2.1"};
    fresh_policy(false, P2_LOCAL_PEERS_ALLOW);
    for (size_t i = 0; i < P2_COUNT_OF(places); i++) {
        struct p2_link_address address = {.port = 4242};
        P2_ASSERT_ERROR(p2_ip_parse(&address.ip, places[i], strlen(places[i])), P2_OK);
        P2_ASSERT_EQUAL(ask(address, 0), P2_DIAL_NOT_ROUTABLE);
    }
    static const uint16_t ports[] = {0, 22, 25, 53, 80, 443, 1023};
    for (size_t i = 0; i < P2_COUNT_OF(ports); i++) {
        P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 9, ports[i]), 0), P2_DIAL_LOW_PORT);
    }
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 9, 1024), 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(policy.active_count, 1);
}

static void private_places_open_by_configuration_or_discovery_only(void)
{
    struct p2_link_address address = address4(192, 168, 1, 5, 4242);
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    P2_ASSERT_EQUAL(p2_dial_policy_ask(&policy, &address, P2_DIAL_LAN, 0), P2_DIAL_ALLOWED);
    struct p2_link_address shell = address4(192, 168, 1, 6, 22);
    P2_ASSERT_EQUAL(p2_dial_policy_ask(&policy, &shell, P2_DIAL_LAN, 0), P2_DIAL_LOW_PORT);
    P2_ASSERT_EQUAL(p2_dial_policy_ask(&policy, &shell, P2_DIAL_CONFIGURED, 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(policy.active_count, 1); /* a configured dial leaves no trace */
    fresh_policy(true, P2_LOCAL_PEERS_STRICT);
    P2_ASSERT_EQUAL(ask(address, 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(ask(address4(224, 0, 0, 1, 4242), 0), P2_DIAL_NOT_ROUTABLE);
}

static void six_new_destinations_a_minute_whoever_asks(void)
{
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    for (uint8_t i = 0; i < 6; i++) {
        P2_ASSERT_EQUAL(ask(address4(9, 9, i, 1, 4242), i * S), P2_DIAL_ALLOWED);
        end(address4(9, 9, i, 1, 4242), P2_DIAL_GIVEN_UP, i * S);
    }
    P2_ASSERT_EQUAL(ask(address4(9, 9, 6, 1, 4242), 59 * S), P2_DIAL_TOO_OFTEN);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 6, 1, 4242), 60 * S), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 7, 1, 4242), 60 * S), P2_DIAL_TOO_OFTEN);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 7, 1, 4242), 61 * S), P2_DIAL_ALLOWED);
}

static void one_dial_at_a_time_per_neighbourhood(void)
{
    struct p2_link_address six = {.port = 4242}, sibling = {.port = 4242};
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    P2_ASSERT_ERROR(p2_ip_parse(&six.ip, "2a00:1:2:3::1", 13), P2_OK);
    P2_ASSERT_ERROR(p2_ip_parse(&sibling.ip, "2a00:1:2:ffff::9", 16), P2_OK);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 1, 4242), 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 2, 4242), 0), P2_DIAL_NEIGHBOUR);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 1, 5000), 0), P2_DIAL_NEIGHBOUR);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 8, 1, 4242), 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(ask(six, 0), P2_DIAL_ALLOWED);
    P2_ASSERT_EQUAL(ask(sibling, 0), P2_DIAL_NEIGHBOUR);
    end(address4(9, 9, 9, 1, 4242), P2_DIAL_OPENED, 0);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 2, 4242), 0), P2_DIAL_ALLOWED);
}

static void where_the_handshake_failed_nobody_dials_for_an_hour(void)
{
    const struct p2_link_address victim = address4(9, 9, 9, 9, 4242);
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    P2_ASSERT_EQUAL(ask(victim, 0), P2_DIAL_ALLOWED);
    end(victim, P2_DIAL_HANDSHAKE_FAILED, 10 * S);
    P2_ASSERT_EQUAL(ask(address4(9, 9, 9, 9, 9999), 100 * S), P2_DIAL_BARRED); /* any port */
    P2_ASSERT_EQUAL(ask(victim, 3609 * S), P2_DIAL_BARRED);
    P2_ASSERT_EQUAL(ask(victim, 3610 * S), P2_DIAL_ALLOWED);
    end(victim, P2_DIAL_UNREACHED, 3611 * S);
    P2_ASSERT_EQUAL(ask(victim, 3730 * S), P2_DIAL_BARRED);
    P2_ASSERT_EQUAL(ask(victim, 3731 * S), P2_DIAL_ALLOWED);
}

static void a_proven_address_is_not_new_until_it_fails(void)
{
    const struct p2_link_address friendly = address4(9, 9, 100, 9, 4242);
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    P2_ASSERT_EQUAL(ask(friendly, 0), P2_DIAL_ALLOWED);
    end(friendly, P2_DIAL_OPENED, 0);
    for (uint8_t i = 0; i < 5; i++) {
        P2_ASSERT_EQUAL(ask(address4(9, 9, i, 1, 4242), S), P2_DIAL_ALLOWED);
    }
    P2_ASSERT_EQUAL(ask(address4(9, 9, 6, 1, 4242), S), P2_DIAL_TOO_OFTEN);
    P2_ASSERT_EQUAL(ask(friendly, S), P2_DIAL_ALLOWED);
    end(friendly, P2_DIAL_UNREACHED, S);
    P2_ASSERT_EQUAL(ask(friendly, 122 * S), P2_DIAL_ALLOWED); /* new again */
    P2_ASSERT_EQUAL(policy.new_count, 7);
}

/* 1,000 authorities take turns in naming one victim, or one each, for two hours. */
static void a_thousand_authorities_cannot_aim_a_helper(void)
{
    unsigned at_victim = 0, elsewhere = 0;
    fresh_policy(false, P2_LOCAL_PEERS_STRICT);
    for (uint64_t second = 0; second < 7200; second++) {
        for (unsigned i = 0; i < 5; i++) {
            struct p2_link_address address = address4(9, 9, 9, 9, (uint16_t)(2000 + second % 1000));
            if (i > 0) {
                address = address4((uint8_t)(20 + second / 256 % 50), (uint8_t)second, (uint8_t)i,
                                   1, 4242);
            }
            if (ask(address, second * S) == P2_DIAL_ALLOWED) {
                end(address, P2_DIAL_HANDSHAKE_FAILED, second * S);
                at_victim += i == 0;
                elsewhere += i != 0;
            }
        }
    }
    P2_ASSERT_EQUAL(at_victim, 2); /* once an hour */
    CU_ASSERT(at_victim + elsewhere <= 720);
    CU_ASSERT(policy.barred_count <= 361);
}

int main(int argc, char **argv)
{
    static CU_TestInfo ads[] = {P2_TEST(an_ad_of_another_implementation_is_read_and_written),
                                P2_TEST(every_flipped_bit_and_cut_of_an_ad_is_refused),
                                P2_TEST(authentic_nonsense_in_an_ad_is_refused),
                                P2_TEST(an_ad_stands_only_where_its_key_puts_it),
                                P2_TEST(a_helper_goes_deeper_only_when_sixteen_are_ahead),
                                P2_TEST(ranks_order_helpers_the_same_way_for_everybody),
                                P2_TEST(a_reader_descends_while_full_and_climbs_from_nothing),
                                CU_TEST_INFO_NULL};
    static CU_TestInfo invites[] = {
        P2_TEST(an_invite_of_another_implementation_counts_once_for_both_inboxes),
        P2_TEST(sealing_gives_the_invite_of_another_implementation),
        P2_TEST(every_flipped_bit_and_cut_of_an_invite_is_refused),
        P2_TEST(late_early_and_unproved_invites_are_refused),
        P2_TEST(an_invite_sealed_again_for_somebody_else_is_recognised),
        P2_TEST(junk_without_a_stamp_opens_no_box),
        P2_TEST(a_full_memory_refuses_until_tokens_expire),
        CU_TEST_INFO_NULL};
    static CU_TestInfo dials[] = {P2_TEST(invites_never_reach_private_places_or_low_ports),
                                  P2_TEST(private_places_open_by_configuration_or_discovery_only),
                                  P2_TEST(six_new_destinations_a_minute_whoever_asks),
                                  P2_TEST(one_dial_at_a_time_per_neighbourhood),
                                  P2_TEST(where_the_handshake_failed_nobody_dials_for_an_hour),
                                  P2_TEST(a_proven_address_is_not_new_until_it_fails),
                                  P2_TEST(a_thousand_authorities_cannot_aim_a_helper),
                                  CU_TEST_INFO_NULL};
    static CU_SuiteInfo suites[] = {{"ads", NULL, NULL, NULL, NULL, ads},
                                    {"invites", NULL, NULL, NULL, NULL, invites},
                                    {"dials", NULL, NULL, NULL, NULL, dials},
                                    CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
