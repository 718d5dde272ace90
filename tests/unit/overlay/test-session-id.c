#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/join_link.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static struct p2_session_id golden_id(unsigned number, char text[P2_SESSION_ID_TEXT_MAX])
{
    char name[32];
    struct p2_session_id id = {{0}};
    (void)snprintf(name, sizeof name, "session-%u-text", number);
    golden_text(name, text, P2_SESSION_ID_TEXT_MAX);
    P2_ASSERT_ERROR(p2_session_id_parse(&id, text, strlen(text)), P2_OK);
    return id;
}

/* ---- the ID ------------------------------------------------------------------------------------- */

static void ids_and_keys_agree_with_another_implementation(void)
{
    struct p2_identity authority;
    golden_node(&authority, "authority-seed");
    const struct p2_id key = id_of(&authority);
    for (unsigned i = 0; i < 3; i++) {
        char name[32], text[P2_SESSION_ID_TEXT_MAX], made[P2_SESSION_ID_TEXT_MAX];
        uint8_t bytes[512];
        struct p2_session_id id;
        struct p2_session_keys keys;
        struct p2_overlay_key place, expected;
        const struct p2_session_id read = golden_id(i, text);
        (void)snprintf(name, sizeof name, "session-%u-salt", i);
        P2_ASSERT_EQUAL(golden(name, bytes), P2_SALT_BYTES);
        P2_ASSERT_ERROR(p2_session_id_derive(&id, &key, bytes), P2_OK);
        CU_ASSERT(p2_session_id_equal(&id, &read));
        (void)snprintf(name, sizeof name, "session-%u-bytes", i);
        P2_ASSERT_EQUAL(golden(name, bytes), P2_SESSION_ID_BYTES);
        P2_ASSERT_BYTES(id.bytes, bytes, P2_SESSION_ID_BYTES);
        p2_session_id_format(made, &id);
        CU_ASSERT_STRING_EQUAL(made, text);
        P2_ASSERT_ERROR(p2_session_keys_derive(&keys, &id, &golden_rules), P2_OK);
        (void)snprintf(name, sizeof name, "session-%u-master", i);
        P2_ASSERT_EQUAL(golden(name, bytes), P2_KEY_BYTES);
        P2_ASSERT_BYTES(keys.master, bytes, P2_KEY_BYTES);
        for (unsigned copy = 0; copy < 2; copy++) {
            (void)snprintf(name, sizeof name, "session-%u-key-%u", i, copy);
            expected = golden_key(name);
            p2_session_slot_key(&place, &keys, copy, p2_session_slot(GOLDEN_NOW));
            CU_ASSERT(p2_overlay_key_equal(&place, &expected));
        }
    }
}

/* The code is linear: damage is caught when the difference is no code word. So all differences of
 * one character (16 x 31) and all exchanges of two (120 pairs of places x 31 differences) on one
 * word prove it for every word. Exchanges need words that have that difference there. */
static void every_wrong_character_and_every_exchange_of_two_is_caught(void)
{
    char text[P2_SESSION_ID_TEXT_MAX], plain[17] = {0};
    struct p2_session_id id, back;
    for (unsigned number = 0; number < 3; number++) {
        id = golden_id(number, text);
        for (size_t i = 0, at = 0; text[i] != '\0'; i++) {
            if (text[i] != '-') {
                plain[at++] = text[i];
            }
        }
        for (size_t at = 0; at < 16; at++) {
            char right = plain[at];
            for (const char *c = alphabet; *c != '\0'; c++) {
                plain[at] = *c;
                P2_ASSERT_ERROR(p2_session_id_parse(&back, plain, 16),
                                *c == right ? P2_OK : P2_E_CHECKSUM);
            }
            plain[at] = right;
        }
    }
    /* Words with every pair of characters at every pair of the first 15 places; the check follows. */
    memset(&id, 0, sizeof id);
    unsigned long exchanges = 0;
    for (unsigned i = 0; i < 15; i++) {
        for (unsigned j = i + 1; j < 16; j++) {
            for (unsigned value = 0; value < 32 * 32; value++) {
                uint8_t symbols[15] = {0};
                symbols[i] = (uint8_t)(value & 31);
                symbols[j < 15 ? j : (i + 1) % 15] = (uint8_t)(value >> 5);
                memset(&id, 0, sizeof id);
                for (unsigned bit = 0; bit < 75; bit++) {
                    if ((symbols[bit / 5] >> (4 - bit % 5) & 1) != 0) {
                        id.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
                    }
                }
                p2_session_id_format(text, &id);
                size_t left = i + i / 4, right = j + j / 4;
                char kept = text[left];
                bool differs = kept != text[right];
                text[left] = text[right];
                text[right] = kept;
                exchanges += differs;
                CU_ASSERT(p2_session_id_parse(&back, text, P2_SESSION_ID_TEXT_LEN) ==
                          (differs ? P2_E_CHECKSUM : P2_OK));
            }
        }
    }
    CU_ASSERT(exchanges > 100000);
}

static void ids_are_read_as_people_type_them_and_not_otherwise(void)
{
    char text[P2_SESSION_ID_TEXT_MAX];
    struct p2_session_id back;
    const struct p2_session_id id = golden_id(2, text); /* 5VT8-PRH2-0J0T-DH3J */
    P2_ASSERT_ERROR(p2_session_id_parse(&back, "5vt8prh2ojOtdh3j", 16), P2_OK);
    CU_ASSERT(p2_session_id_equal(&back, &id));
    static const char *const bad[] = {"",
                                      "5VT8-PRH2-0J0T-DH3",
                                      "5VT8-PRH2-0J0T-DH3J ",
                                      " 5VT8-PRH2-0J0T-DH3J",
                                      "5VT8PRH20J0TDH3J-",
                                      "5VT8 PRH2 0J0T DH3J",
                                      "5VT8-PRH2-0J0TD-H3J",
                                      "5VT8-PRH2-0J0T-DH3U",
                                      "5VT8-PRH2-0J0T-DH3JJ",
                                      "5VT8--PRH2-0J0T-DH3"};
    for (size_t i = 0; i < P2_COUNT_OF(bad); i++) {
        P2_ASSERT_ERROR(p2_session_id_parse(&back, bad[i], strlen(bad[i])), P2_E_MALFORMED);
    }
}

/* ---- links -------------------------------------------------------------------------------------- */

static void links_with_and_without_address_read_back(void)
{
    static const char *const hosts[] = {"host.example.org:4242", "192.0.2.7:1",
                                        "[2001:db8::7]:65535"};
    char text[P2_SESSION_ID_TEXT_MAX], link_text[P2_JOIN_LINK_MAX], again[P2_JOIN_LINK_MAX];
    char key_text[P2_ID_TEXT_MAX];
    struct p2_join_link link;
    struct p2_identity node;
    const struct p2_session_id id = golden_id(0, text);
    make_node(&node, 3);
    const struct p2_id key = id_of(&node);
    p2_id_format(key_text, &key);
    (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s", text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, link_text, strlen(link_text), NULL), P2_OK);
    CU_ASSERT(!link.has_address && p2_session_id_equal(&link.id, &id));
    p2_join_link_format(again, &link);
    CU_ASSERT_STRING_EQUAL(again, link_text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, text, strlen(text), NULL), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(hosts); i++) {
        (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s?at=%s&key=%s", text, hosts[i],
                       key_text);
        P2_ASSERT_ERROR(p2_join_link_parse(&link, link_text, strlen(link_text), NULL), P2_OK);
        CU_ASSERT(link.has_address && p2_id_equal(&link.address.key, &key));
        p2_join_link_format(again, &link);
        CU_ASSERT_STRING_EQUAL(again, link_text);
    }
}

static void other_links_are_refused_with_a_reason_that_does_not_repeat_them(void)
{
    static const char *const tails[] = {
        "?",       "?at=", "?at=h:1",        "?key=", "#x", "/", "?at=h:1&key=abc",
        "&at=h:1", "%20",  "?at=h:1&at=h:2", " "};
    char text[P2_SESSION_ID_TEXT_MAX], link_text[P2_JOIN_LINK_MAX], key_text[P2_ID_TEXT_MAX];
    struct p2_join_link link;
    struct p2_failure failure;
    struct p2_identity node;
    (void)golden_id(0, text);
    make_node(&node, 3);
    const struct p2_id key = id_of(&node);
    p2_id_format(key_text, &key);
    for (size_t i = 0; i < P2_COUNT_OF(tails); i++) {
        (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s%s", text, tails[i]);
        CU_ASSERT(p2_join_link_parse(&link, link_text, strlen(link_text), &failure) != P2_OK);
        CU_ASSERT(failure.message[0] != '\0' && strstr(failure.message, text) == NULL);
    }
    (void)snprintf(link_text, sizeof link_text, "P2C2R://join/%s", text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, link_text, strlen(link_text), NULL), P2_E_MALFORMED);
    (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s?at=h:0&key=%s", text, key_text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, link_text, strlen(link_text), NULL), P2_E_RANGE);
    (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s?at=h:1&key=%s&x=1", text,
                   key_text);
    CU_ASSERT(p2_join_link_parse(&link, link_text, strlen(link_text), NULL) != P2_OK);
    key_text[5] = key_text[5] == 'a' ? 'b' : 'a';
    (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s?at=h:1&key=%s", text, key_text);
    P2_ASSERT_ERROR(p2_join_link_parse(&link, link_text, strlen(link_text), NULL), P2_E_CHECKSUM);
}

static void ten_thousand_mutated_links_crash_nothing(void)
{
    char text[P2_SESSION_ID_TEXT_MAX], link_text[P2_JOIN_LINK_MAX], key_text[P2_ID_TEXT_MAX];
    char mutated[P2_JOIN_LINK_MAX + 8];
    struct p2_join_link link;
    struct p2_identity node;
    struct p2_rng rng;
    unsigned accepted = 0;
    p2_rng_init_u64(&rng, 1, "mutated links");
    (void)golden_id(0, text);
    make_node(&node, 3);
    const struct p2_id key = id_of(&node);
    p2_id_format(key_text, &key);
    (void)snprintf(link_text, sizeof link_text, "p2c2r://join/%s?at=h.example:1&key=%s", text,
                   key_text);
    for (unsigned i = 0; i < 10000; i++) {
        size_t size = strlen(link_text);
        memcpy(mutated, link_text, size);
        for (uint64_t edits = p2_rng_between(&rng, 1, 4); edits > 0; edits--) {
            size_t at = (size_t)p2_rng_below(&rng, size);
            switch (p2_rng_below(&rng, 3)) {
            case 0:
                mutated[at] = (char)p2_rng_below(&rng, 256);
                break;
            case 1:
                size = at + 1;
                break;
            default:
                memmove(mutated + at + 1, mutated + at, size - at);
                size++;
                break;
            }
        }
        if (p2_join_link_parse(&link, mutated, size, NULL) == P2_OK) {
            char again[P2_JOIN_LINK_MAX];
            struct p2_join_link back;
            p2_join_link_format(again, &link);
            P2_ASSERT_ERROR(p2_join_link_parse(&back, again, strlen(again), NULL), P2_OK);
            accepted++;
        }
    }
    CU_ASSERT(accepted < 5000); /* most damage is seen; case and host names may change */
}

/* ---- the sealed record --------------------------------------------------------------------------- */

static struct p2_session_keys keys;
static struct p2_session_checker checker;

static void use_golden_session(unsigned number)
{
    char text[P2_SESSION_ID_TEXT_MAX];
    const struct p2_session_id id = golden_id(number, text);
    P2_ASSERT_ERROR(p2_session_keys_derive(&keys, &id, &golden_rules), P2_OK);
    p2_session_checker_init(&checker, &id, NULL, &keys, &golden_rules);
}

static void a_sealed_record_of_another_implementation_is_opened(void)
{
    uint8_t value[512], salt[512];
    struct p2_overlay_session record;
    use_golden_session(0);
    const struct p2_overlay_key key = golden_key("session-0-key-1");
    P2_ASSERT_EQUAL(golden("session-0-value-1", value), P2_SESSION_VALUE_BYTES);
    P2_ASSERT_ERROR(p2_session_check(&checker, &record, NULL,
                                     p2_span(value, P2_SESSION_VALUE_BYTES), &key, GOLDEN_NOW),
                    P2_OK);
    P2_ASSERT_EQUAL(golden("session-0-salt", salt), P2_SALT_BYTES);
    P2_ASSERT_BYTES(record.salt, salt, P2_SALT_BYTES);
    P2_ASSERT_EQUAL(record.sequence, 3);
    CU_ASSERT(record.has_aes && !record.is_locked);
    P2_ASSERT_EQUAL(record.endpoint_count, 2);
    CU_ASSERT(p2_ip_equal(&record.endpoints[0].ip, &(struct p2_ip){4, {203, 0, 113, 80}}));
    P2_ASSERT_EQUAL(record.endpoints[1].ip.family, 6);
    P2_ASSERT_EQUAL(record.endpoints[1].port, 7777);
}

static void sealing_gives_the_bytes_of_another_implementation(void)
{
    uint8_t value[512], made[P2_SESSION_VALUE_BYTES];
    struct p2_overlay_session record;
    struct p2_identity authority;
    use_golden_session(1);
    golden_node(&authority, "authority-seed");
    const struct p2_overlay_key key = golden_key("session-1-key-0");
    const struct p2_span span = p2_span(value, golden("session-1-value-0", value));
    P2_ASSERT_ERROR(p2_session_unseal(&record, NULL, span, &key, GOLDEN_NOW, &keys, &golden_rules),
                    P2_OK);
    P2_ASSERT_ERROR(p2_session_seal(made, &record, &key, &keys, value, &authority, &golden_rules),
                    P2_OK);
    P2_ASSERT_BYTES(made, value, sizeof made);
}

static void every_flipped_bit_cut_and_foreign_place_is_refused(void)
{
    uint8_t value[512];
    struct p2_overlay_session record;
    use_golden_session(0);
    const struct p2_overlay_key key = golden_key("session-0-key-0");
    const struct p2_overlay_key other = golden_key("session-0-key-1");
    size_t size = golden("session-0-value-0", value);
    for (size_t bit = 0; bit < size * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        P2_ASSERT_ERROR(
            p2_session_check(&checker, &record, NULL, p2_span(value, size), &key, GOLDEN_NOW),
            P2_E_BAD_TAG);
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        P2_ASSERT_ERROR(
            p2_session_check(&checker, &record, NULL, p2_span(value, cut), &key, GOLDEN_NOW),
            P2_E_MALFORMED);
    }
    P2_ASSERT_ERROR(
        p2_session_check(&checker, &record, NULL, p2_span(value, size), &other, GOLDEN_NOW),
        P2_E_BAD_TAG);
    P2_ASSERT_ERROR(
        p2_session_check(&checker, &record, NULL, p2_span(value, size), &key, GOLDEN_NOW + 540),
        P2_E_EXPIRED);
    P2_ASSERT_EQUAL(checker.argons + checker.puzzles, 0); /* junk costs nothing slow */
    use_golden_session(1);                                /* another ID */
    P2_ASSERT_ERROR(
        p2_session_check(&checker, &record, NULL, p2_span(value, size), &key, GOLDEN_NOW),
        P2_E_BAD_TAG);
}

/* A value of `node` for golden session 0, sealed by someone who knows its ID. */
static void seal_as(const struct p2_identity *node, uint8_t salt, uint64_t puzzle_nonce,
                    uint64_t sequence, const struct p2_overlay_key *key, uint8_t *value)
{
    const uint8_t nonce[P2_XNONCE_BYTES] = {1};
    struct p2_overlay_session record = make_session(node, salt, GOLDEN_NOW, sequence);
    record.puzzle_nonce = puzzle_nonce;
    P2_ASSERT_ERROR(p2_session_seal(value, &record, key, &keys, nonce, node, &golden_rules), P2_OK);
}

static uint64_t solve(const struct p2_identity *node)
{
    struct p2_puzzle puzzle;
    const struct p2_id id = id_of(node);
    p2_puzzle_begin(&puzzle, &id, golden_rules.puzzle_bits);
    P2_ASSERT_ERROR(p2_puzzle_step(&puzzle, 100000), P2_OK);
    CU_ASSERT(puzzle.is_solved);
    return puzzle.nonce;
}

static void a_stolen_id_with_another_key_is_refused_at_one_slow_hash_per_key(void)
{
    uint8_t value[P2_SESSION_VALUE_BYTES];
    struct p2_overlay_session record;
    struct p2_identity thief;
    use_golden_session(0);
    make_node(&thief, 20);
    uint64_t nonce = solve(&thief);
    const struct p2_overlay_key key = golden_key("session-0-key-0");
    for (uint8_t i = 0; i < 20; i++) {
        seal_as(&thief, (uint8_t)(0xa0 + i), nonce, i, &key, value); /* the right salt first */
        P2_ASSERT_ERROR(p2_session_check(&checker, &record, NULL, p2_span(value, sizeof value),
                                         &key, GOLDEN_NOW),
                        P2_E_WRONG_PEER);
    }
    P2_ASSERT_EQUAL(checker.puzzles, 1);
    P2_ASSERT_EQUAL(checker.argons, 1);
}

static void a_key_without_its_puzzle_never_reaches_the_slow_hash(void)
{
    uint8_t value[P2_SESSION_VALUE_BYTES];
    struct p2_overlay_session record;
    struct p2_identity thief;
    use_golden_session(0);
    make_node(&thief, 21);
    uint64_t wrong = 0;
    const struct p2_id id = id_of(&thief);
    while (p2_puzzle_check(&id, wrong, golden_rules.puzzle_bits) == P2_OK) {
        wrong++;
    }
    const struct p2_overlay_key key = golden_key("session-0-key-0");
    seal_as(&thief, 0xa0, wrong, 1, &key, value);
    P2_ASSERT_ERROR(
        p2_session_check(&checker, &record, NULL, p2_span(value, sizeof value), &key, GOLDEN_NOW),
        P2_E_NOT_ALLOWED);
    P2_ASSERT_EQUAL(checker.puzzles, 1);
    P2_ASSERT_EQUAL(checker.argons, 0);
}

static void slow_hashes_of_a_lookup_are_bounded_and_verdicts_outlive_it(void)
{
    static struct p2_identity thieves[40];
    uint8_t value[P2_SESSION_VALUE_BYTES], right[512];
    struct p2_overlay_session record;
    struct p2_overlay_rules no_puzzle = golden_rules;
    use_golden_session(0);
    no_puzzle.puzzle_bits = 0;
    checker.rules = &no_puzzle;
    const struct p2_overlay_key key = golden_key("session-0-key-0");
    for (unsigned lookup = 0; lookup < 2; lookup++) {
        p2_session_checker_renew(&checker);
        for (uint64_t i = 0; i < 40; i++) {
            make_node(&thieves[i], 100 + i);
            seal_as(&thieves[i], 1, 0, 1, &key, value);
            int error = p2_session_check(&checker, &record, NULL, p2_span(value, sizeof value),
                                         &key, GOLDEN_NOW);
            P2_ASSERT_ERROR(error, lookup == 0 && i >= 32 ? P2_E_LIMIT : P2_E_WRONG_PEER);
        }
        P2_ASSERT_EQUAL(checker.argons, lookup == 0 ? 32 : 40);
    }
    const struct p2_span span = p2_span(right, golden("session-0-value-0", right));
    P2_ASSERT_ERROR(p2_session_check(&checker, &record, NULL, span, &key, GOLDEN_NOW), P2_OK);
}

static void the_key_of_a_join_link_spares_all_slow_checks_of_others(void)
{
    uint8_t value[P2_SESSION_VALUE_BYTES], right[512];
    struct p2_overlay_session record;
    struct p2_identity thief, authority;
    use_golden_session(0);
    golden_node(&authority, "authority-seed");
    make_node(&thief, 22);
    const struct p2_id known = id_of(&authority);
    const struct p2_session_id id = checker.id;
    p2_session_checker_init(&checker, &id, &known, &keys, &golden_rules);
    const struct p2_overlay_key key = golden_key("session-0-key-0");
    seal_as(&thief, 0xa0, solve(&thief), 1, &key, value);
    P2_ASSERT_ERROR(
        p2_session_check(&checker, &record, NULL, p2_span(value, sizeof value), &key, GOLDEN_NOW),
        P2_E_WRONG_PEER);
    P2_ASSERT_EQUAL(checker.puzzles, 0);
    const struct p2_span span = p2_span(right, golden("session-0-value-0", right));
    P2_ASSERT_ERROR(p2_session_check(&checker, &record, NULL, span, &key, GOLDEN_NOW), P2_OK);
}

/* Two sessions of one host, sealed with our code: 360 x 360 positions of 4 bytes coincide by chance
 * with probability 3e-5 a pair of values. Fixed nonces make it the same every time. */
static void stored_bytes_of_two_sessions_share_nothing_and_show_no_key(void)
{
    uint8_t values[4][512];
    static const char *const names[] = {"session-0-value-0", "session-0-value-1",
                                        "session-1-value-0", "session-1-value-1"};
    struct p2_identity authority;
    golden_node(&authority, "authority-seed");
    for (size_t i = 0; i < 4; i++) {
        P2_ASSERT_EQUAL(golden(names[i], values[i]), P2_SESSION_VALUE_BYTES);
        for (size_t at = 0; at + 4 <= P2_SESSION_VALUE_BYTES; at++) {
            CU_ASSERT(at + 32 > P2_SESSION_VALUE_BYTES ||
                      memcmp(values[i] + at, authority.public_key, 8) != 0);
            for (size_t j = 0; j < i; j++) {
                for (size_t other = 0; other + 4 <= P2_SESSION_VALUE_BYTES; other++) {
                    if (memcmp(values[i] + at, values[j] + other, 4) == 0) {
                        CU_FAIL("two stored values share four bytes");
                    }
                }
            }
        }
    }
    CU_ASSERT_EQUAL(P2_SESSION_VALUE_BYTES, 360);
}

int main(int argc, char **argv)
{
    static CU_TestInfo ids[] = {P2_TEST(ids_and_keys_agree_with_another_implementation),
                                P2_TEST(every_wrong_character_and_every_exchange_of_two_is_caught),
                                P2_TEST(ids_are_read_as_people_type_them_and_not_otherwise),
                                CU_TEST_INFO_NULL};
    static CU_TestInfo links[] = {
        P2_TEST(links_with_and_without_address_read_back),
        P2_TEST(other_links_are_refused_with_a_reason_that_does_not_repeat_them),
        P2_TEST(ten_thousand_mutated_links_crash_nothing), CU_TEST_INFO_NULL};
    static CU_TestInfo records[] = {
        P2_TEST(a_sealed_record_of_another_implementation_is_opened),
        P2_TEST(sealing_gives_the_bytes_of_another_implementation),
        P2_TEST(every_flipped_bit_cut_and_foreign_place_is_refused),
        P2_TEST(a_stolen_id_with_another_key_is_refused_at_one_slow_hash_per_key),
        P2_TEST(a_key_without_its_puzzle_never_reaches_the_slow_hash),
        P2_TEST(slow_hashes_of_a_lookup_are_bounded_and_verdicts_outlive_it),
        P2_TEST(the_key_of_a_join_link_spares_all_slow_checks_of_others),
        P2_TEST(stored_bytes_of_two_sessions_share_nothing_and_show_no_key),
        CU_TEST_INFO_NULL};
    static CU_SuiteInfo suites[] = {{"ids", NULL, NULL, NULL, NULL, ids},
                                    {"links", NULL, NULL, NULL, NULL, links},
                                    {"records", NULL, NULL, NULL, NULL, records},
                                    CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
