#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/collector.h"
#include "overlay/endpoints.h"

#include <string.h>

/* ---- what crypto.h gained ---------------------------------------------------------------------- */

/* RFC 9106 has only vectors with secret and associated data, which libsodium does not take: this
 * one is from OpenSSL 3.5 through Python's cryptography. */
static void argon2id_agrees_with_openssl(void)
{
    uint8_t out[16], expected[16];
    uint8_t password[32], salt[16];
    memset(password, 'k', sizeof password);
    memset(salt, '0', sizeof salt);
    P2_ASSERT_ERROR(p2_argon2id(out, 16, p2_span(password, 32), salt, 16u << 20, 1), P2_OK);
    (void)p2_test_unhex(expected, "879f1db127101d8839785c0e25140951");
    P2_ASSERT_BYTES(out, expected, 16);
}

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static void xchacha_agrees_with_its_draft(void)
{
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                                "only one tip for the future, sunscreen would be it.";
    uint8_t key[32], nonce[24], associated[12], out[sizeof plain + 16], expected[16];
    uint8_t back[sizeof plain];
    const size_t size = sizeof plain - 1;
    (void)p2_test_unhex(key, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    (void)p2_test_unhex(nonce, "404142434445464748494a4b4c4d4e4f5051525354555657");
    (void)p2_test_unhex(associated, "50515253c0c1c2c3c4c5c6c7");
    p2_xchacha_seal(out, (const uint8_t *)plain, size, p2_span(associated, 12), nonce, key);
    (void)p2_test_unhex(expected, "bd6d179d3e83d43b9576579493c0e939");
    P2_ASSERT_BYTES(out, expected, 16);
    (void)p2_test_unhex(expected, "c0875924c1c7987947deafd8780acf49");
    P2_ASSERT_BYTES(out + size, expected, 16);
    P2_ASSERT_ERROR(p2_xchacha_open(back, out, size + 16, p2_span(associated, 12), nonce, key),
                    P2_OK);
    P2_ASSERT_BYTES(back, plain, size);
    out[3] ^= 1;
    P2_ASSERT_ERROR(p2_xchacha_open(back, out, size + 16, p2_span(associated, 12), nonce, key),
                    P2_E_BAD_TAG);
    P2_ASSERT_ERROR(p2_xchacha_open(back, out, 15, p2_span(associated, 12), nonce, key),
                    P2_E_TRUNCATED);
}

static void only_its_owner_opens_a_box(void)
{
    struct p2_identity owner, other;
    const uint8_t ephemeral[32] = {1, 2, 3};
    uint8_t box[5 + P2_BOX_BYTES], back[5];
    make_node(&owner, 1);
    make_node(&other, 2);
    P2_ASSERT_ERROR(p2_box_seal(box, (const uint8_t *)"hello", 5, ephemeral, owner.exchange_public),
                    P2_OK);
    P2_ASSERT_ERROR(p2_box_open(back, box, sizeof box, &owner), P2_OK);
    P2_ASSERT_BYTES(back, "hello", 5);
    P2_ASSERT_ERROR(p2_box_open(back, box, sizeof box, &other), P2_E_BAD_TAG);
    P2_ASSERT_ERROR(p2_box_open(back, box, P2_BOX_BYTES - 1, &owner), P2_E_TRUNCATED);
    const uint8_t zero[32] = {0};
    P2_ASSERT_ERROR(p2_box_seal(box, (const uint8_t *)"hello", 5, ephemeral, zero), P2_E_BAD_KEY);
}

/* ---- records ----------------------------------------------------------------------------------- */

static struct p2_overlay_record_place an_ads_place(void)
{
    return (struct p2_overlay_record_place){P2_OVERLAY_RECORD_CAPACITY_AD, golden_key("ad-key"),
                                            GOLDEN_NOW};
}

/* The golden ad without its stamp. */
static size_t golden_record(uint8_t *out)
{
    return golden("ad-value", out) - P2_STAMP_BYTES;
}

static void a_record_of_another_implementation_is_read(void)
{
    uint8_t bytes[512], id[512];
    struct p2_overlay_record record;
    const struct p2_overlay_record_place place = an_ads_place();
    size_t size = golden_record(bytes);
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_OK);
    P2_ASSERT_EQUAL(golden("helper-id", id), P2_ID_BYTES);
    P2_ASSERT_BYTES(record.signer.bytes, id, P2_ID_BYTES);
    P2_ASSERT_EQUAL(record.not_before, GOLDEN_NOW);
    P2_ASSERT_EQUAL(record.expires, GOLDEN_NOW + 540);
    P2_ASSERT_EQUAL(record.sequence, 7);
    P2_ASSERT_EQUAL(record.puzzle_nonce, golden_number("helper-puzzle-nonce"));
    P2_ASSERT_EQUAL(record.body_size, P2_CAPACITY_BODY_BYTES);
}

static void signing_gives_the_bytes_of_another_implementation(void)
{
    uint8_t bytes[512], out[P2_OVERLAY_RECORD_MAX];
    struct p2_overlay_record record;
    struct p2_identity helper;
    const struct p2_overlay_record_place place = an_ads_place();
    size_t size = golden_record(bytes), written = 0;
    golden_node(&helper, "helper-seed");
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_OK);
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &written, &record, &helper, &golden_rules), P2_OK);
    P2_ASSERT_EQUAL(written, size);
    P2_ASSERT_BYTES(out, bytes, size);
}

static void every_flipped_bit_and_every_cut_is_refused(void)
{
    uint8_t bytes[512];
    struct p2_overlay_record record;
    const struct p2_overlay_record_place place = an_ads_place();
    size_t size = golden_record(bytes);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules) !=
                  P2_OK);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        int error = p2_overlay_record_open(&record, p2_span(bytes, cut), &place, &golden_rules);
        P2_ASSERT_ERROR(error, cut < P2_OVERLAY_RECORD_MIN ? P2_E_TRUNCATED : P2_E_BAD_SIGNATURE);
    }
}

static void checks_come_in_the_order_the_header_gives(void)
{
    uint8_t bytes[512] = {0};
    struct p2_overlay_record record;
    struct p2_overlay_record_place place = an_ads_place();
    size_t size = golden_record(bytes);
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, P2_OVERLAY_RECORD_MAX + 1),
                                           &place, &golden_rules),
                    P2_E_TOO_BIG);
    bytes[0] = 2;
    bytes[1] = 99;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_E_BAD_VERSION);
    bytes[0] = 1;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_E_BAD_TYPE);
    bytes[1] = P2_OVERLAY_RECORD_CAPACITY_AD;
    place.key.bytes[0] ^= 1;
    place.unix_s += 10000; /* expired as well */
    bytes[60] ^= 1;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_E_BAD_SIGNATURE);
    bytes[60] ^= 1;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_E_UNSOLICITED);
    place.key.bytes[0] ^= 1;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, p2_span(bytes, size), &place, &golden_rules),
                    P2_E_EXPIRED);
}

static void a_record_holds_between_its_times_with_a_minute_of_skew(void)
{
    uint8_t bytes[512];
    struct p2_overlay_record record;
    struct p2_overlay_record_place place = an_ads_place();
    const struct p2_span value = p2_span(bytes, golden_record(bytes));
    place.unix_s = GOLDEN_NOW - 60;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules), P2_OK);
    place.unix_s = GOLDEN_NOW - 61;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules), P2_E_RANGE);
    place.unix_s = GOLDEN_NOW + 539;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules), P2_OK);
    place.unix_s = GOLDEN_NOW + 540;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules), P2_E_EXPIRED);
}

static void a_record_of_another_network_or_kind_is_refused(void)
{
    uint8_t bytes[512];
    struct p2_overlay_record record;
    struct p2_overlay_record_place place = an_ads_place();
    struct p2_overlay_rules other = golden_rules;
    const struct p2_span value = p2_span(bytes, golden_record(bytes));
    other.network_id[0] ^= 1;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &other), P2_E_BAD_SIGNATURE);
    place.kind = P2_OVERLAY_RECORD_SESSION;
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules),
                    P2_E_UNSOLICITED);
    bytes[1] = P2_OVERLAY_RECORD_SESSION; /* and its signature is not one of that kind */
    P2_ASSERT_ERROR(p2_overlay_record_open(&record, value, &place, &golden_rules),
                    P2_E_BAD_SIGNATURE);
}

static void nobody_signs_or_reads_a_record_that_lives_too_long(void)
{
    uint8_t out[P2_OVERLAY_RECORD_MAX];
    size_t size = 0;
    struct p2_identity node;
    make_node(&node, 1);
    struct p2_overlay_record record = {
        .kind = P2_OVERLAY_RECORD_INVITE, .signer = id_of(&node), .expires = 121};
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &size, &record, &node, &easy_rules), P2_E_RANGE);
    record.expires = 120;
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &size, &record, &node, &easy_rules), P2_OK);
    record.not_before = record.expires;
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &size, &record, &node, &easy_rules), P2_E_RANGE);
    record.not_before = 0;
    record.body_size = P2_OVERLAY_RECORD_BODY_MAX;
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &size, &record, &node, &easy_rules), P2_OK);
    CU_ASSERT(size + P2_STAMP_BYTES < 500); /* DESIGN 6 */
    record.body_size++;
    P2_ASSERT_ERROR(p2_overlay_record_sign(out, &size, &record, &node, &easy_rules), P2_E_RANGE);
}

static void hidden_ipv4_and_dirty_slots_are_not_canonical(void)
{
    uint8_t bytes[1 + 2 * P2_ENDPOINT_BYTES] = {1, 4, 9, 9, 9, 9};
    struct p2_link_address endpoints[2];
    struct p2_reader reader;
    uint8_t count = 0;
    bytes[1 + P2_ENDPOINT_BYTES - 1] = 80; /* port */
    p2_reader_init(&reader, p2_span(bytes, sizeof bytes));
    p2_endpoints_read(&reader, endpoints, &count, 2);
    P2_ASSERT_ERROR(p2_reader_end(&reader), P2_OK);
    P2_ASSERT_EQUAL(count, 1);
    for (size_t at = 6; at < sizeof bytes; at++) {
        if (at == P2_ENDPOINT_BYTES || at == P2_ENDPOINT_BYTES - 1) {
            continue; /* the port */
        }
        bytes[at] ^= 1;
        p2_reader_init(&reader, p2_span(bytes, sizeof bytes));
        p2_endpoints_read(&reader, endpoints, &count, 2);
        CU_ASSERT(p2_reader_end(&reader) != P2_OK);
        bytes[at] ^= 1;
    }
    uint8_t mapped[1 + P2_ENDPOINT_BYTES] = {1, 6, 0,    0,    0,   0, 0, 0, 0, 0,
                                             0, 0, 0xff, 0xff, 127, 0, 0, 1, 0, 80};
    p2_reader_init(&reader, p2_span(mapped, sizeof mapped));
    p2_endpoints_read(&reader, endpoints, &count, 1);
    P2_ASSERT_ERROR(p2_reader_end(&reader), P2_E_NOT_CANONICAL);
}

/* ---- stamps ------------------------------------------------------------------------------------- */

static void a_stamp_of_another_implementation_holds_for_its_key_only(void)
{
    uint8_t bytes[512];
    struct p2_span content;
    struct p2_overlay_key key = golden_key("ad-key");
    size_t size = golden("ad-value", bytes);
    P2_ASSERT_ERROR(p2_stamp_check(&content, NULL, p2_span(bytes, size), &key, &golden_rules),
                    P2_OK);
    P2_ASSERT_EQUAL(content.size, size - P2_STAMP_BYTES);
    unsigned passed = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        passed += p2_stamp_check(&content, NULL, p2_span(bytes, size), &key, &golden_rules) == 0;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CU_ASSERT(passed < 30); /* 1,872 tries at 1 in 256: 7.3 expected */
    P2_ASSERT_ERROR(p2_stamp_check(&content, NULL, p2_span(bytes, 7), &key, &golden_rules),
                    P2_E_TRUNCATED);
    struct p2_overlay_rules hard = golden_rules;
    hard.stamp_bits = P2_STAMP_BITS_MAX;
    P2_ASSERT_ERROR(p2_stamp_check(&content, NULL, p2_span(bytes, size), &key, &hard), P2_E_FLOOD);
}

static void making_a_stamp_finds_the_first_nonce_as_the_other_implementation(void)
{
    uint8_t bytes[512], made[512];
    struct p2_overlay_key key = golden_key("ad-key");
    size_t size = golden("ad-value", bytes), made_size = size - P2_STAMP_BYTES;
    memcpy(made, bytes, made_size);
    P2_ASSERT_ERROR(p2_stamp_append(made, &made_size, made_size + 7, &key, &golden_rules),
                    P2_E_FULL);
    P2_ASSERT_ERROR(p2_stamp_append(made, &made_size, sizeof made, &key, &golden_rules), P2_OK);
    P2_ASSERT_EQUAL(made_size, size);
    P2_ASSERT_BYTES(made, bytes, size);
}

/* ---- collector ---------------------------------------------------------------------------------- */

static struct p2_collector collector;
static const struct p2_overlay_now start = {.mono_us = 1000, .cpu_us = 50};

static struct p2_overlay_record record_of(uint8_t signer, uint64_t sequence)
{
    struct p2_overlay_record record = {.kind = P2_OVERLAY_RECORD_CAPACITY_AD, .sequence = sequence};
    record.signer.bytes[0] = signer;
    return record;
}

static void the_highest_sequence_of_a_signer_wins_in_any_order(void)
{
    static const uint64_t orders[3][3] = {{1, 2, 3}, {3, 1, 2}, {2, 3, 1}};
    const struct p2_collector_limits limits = p2_collector_default_limits();
    for (size_t i = 0; i < 3; i++) {
        p2_collector_reset(&collector, &limits, &start);
        for (size_t j = 0; j < 3; j++) {
            const struct p2_overlay_record record = record_of(7, orders[i][j]);
            CU_ASSERT(p2_collector_begin(&collector, &start));
            p2_collector_keep(&collector, &record, &start);
        }
        P2_ASSERT_EQUAL(collector.count, 1);
        P2_ASSERT_EQUAL(collector.records[0].sequence, 3);
    }
}

static void sixty_four_valid_records_end_a_lookup(void)
{
    const struct p2_collector_limits limits = p2_collector_default_limits();
    p2_collector_reset(&collector, &limits, &start);
    for (uint8_t i = 0; i < 64; i++) {
        const struct p2_overlay_record record = record_of(i, 1);
        CU_ASSERT(p2_collector_begin(&collector, &start));
        p2_collector_keep(&collector, &record, &start);
    }
    CU_ASSERT(!p2_collector_begin(&collector, &start));
    P2_ASSERT_EQUAL(collector.end, P2_COLLECTOR_END_RECORDS);
}

static void junk_is_bounded_by_values_cpu_time_and_time(void)
{
    const struct p2_collector_limits limits = p2_collector_default_limits();
    struct p2_overlay_now now = start;
    p2_collector_reset(&collector, &limits, &now);
    for (unsigned i = 0; i < 8192; i++) {
        CU_ASSERT(p2_collector_begin(&collector, &now));
        p2_collector_reject(&collector, &now);
    }
    CU_ASSERT(!p2_collector_begin(&collector, &now));
    P2_ASSERT_EQUAL(collector.end, P2_COLLECTOR_END_VALUES);
    p2_collector_reset(&collector, &limits, &now);
    unsigned checked = 0;
    while (p2_collector_begin(&collector, &now)) {
        now.cpu_us += 82; /* a signature */
        p2_collector_reject(&collector, &now);
        now.cpu_us += 5000; /* what the thread does in between is not the reader's */
        checked++;
    }
    P2_ASSERT_EQUAL(checked, 1220); /* 100,000 / 82, rounded up */
    P2_ASSERT_EQUAL(collector.end, P2_COLLECTOR_END_CPU);
    p2_collector_reset(&collector, &limits, &now);
    now.mono_us += 19999999;
    CU_ASSERT(p2_collector_begin(&collector, &now));
    now.mono_us += 1;
    CU_ASSERT(!p2_collector_begin(&collector, &now));
    P2_ASSERT_EQUAL(collector.end, P2_COLLECTOR_END_TIME);
}

static void copies_are_recognised_and_a_full_memory_forgets_nothing_it_has(void)
{
    const struct p2_collector_limits limits = p2_collector_default_limits();
    p2_collector_reset(&collector, &limits, &start);
    for (uint64_t i = 0; i < 5000; i++) {
        CU_ASSERT(!p2_collector_is_copy(&collector, i * 0x9e3779b97f4a7c15u));
    }
    CU_ASSERT(p2_collector_is_copy(&collector, 0));
    CU_ASSERT(p2_collector_is_copy(&collector, 2000 * 0x9e3779b97f4a7c15u));
    P2_ASSERT_EQUAL(collector.copies, 2);
}

/* ---- puzzle ------------------------------------------------------------------------------------- */

static void the_puzzle_is_solved_in_steps_by_the_first_nonce_there_is(void)
{
    struct p2_identity node;
    struct p2_puzzle puzzle;
    golden_node(&node, "authority-seed");
    const struct p2_id id = id_of(&node);
    uint64_t solution = golden_number("authority-puzzle-nonce");
    CU_ASSERT(solution > 2);
    p2_puzzle_begin(&puzzle, &id, golden_rules.puzzle_bits);
    P2_ASSERT_ERROR(p2_puzzle_step(&puzzle, (uint32_t)solution), P2_OK);
    CU_ASSERT(!puzzle.is_solved);
    P2_ASSERT_EQUAL(puzzle.nonce, solution);
    P2_ASSERT_ERROR(p2_puzzle_step(&puzzle, 1000), P2_OK);
    CU_ASSERT(puzzle.is_solved);
    P2_ASSERT_EQUAL(puzzle.nonce, solution);
    P2_ASSERT_ERROR(p2_puzzle_check(&id, solution, golden_rules.puzzle_bits), P2_OK);
    P2_ASSERT_ERROR(p2_puzzle_check(&id, solution - 1, golden_rules.puzzle_bits), P2_E_NOT_ALLOWED);
}

static void progress_is_the_chance_to_have_been_done(void)
{
    struct p2_puzzle puzzle = {.bits = 14, .nonce = 0};
    P2_ASSERT_EQUAL(p2_puzzle_progress_ppm(&puzzle), 0);
    puzzle.nonce = 16384; /* 1 - 1/e = 0.63212 */
    CU_ASSERT(p2_puzzle_progress_ppm(&puzzle) > 632000 && p2_puzzle_progress_ppm(&puzzle) < 632300);
    puzzle.nonce = 11356; /* ln 2 x 16384: one half */
    CU_ASSERT(p2_puzzle_progress_ppm(&puzzle) > 499900 && p2_puzzle_progress_ppm(&puzzle) < 500100);
    puzzle.nonce = UINT64_MAX;
    P2_ASSERT_EQUAL(p2_puzzle_progress_ppm(&puzzle), 999999);
    puzzle.is_solved = true;
    P2_ASSERT_EQUAL(p2_puzzle_progress_ppm(&puzzle), 1000000);
}

static void a_stored_solution_reads_back_and_damage_is_noticed(void)
{
    uint8_t stored[512], again[P2_PUZZLE_STORED_BYTES];
    struct p2_puzzle puzzle;
    size_t size = golden("puzzle-stored", stored);
    P2_ASSERT_EQUAL(size, P2_PUZZLE_STORED_BYTES);
    P2_ASSERT_ERROR(p2_puzzle_decode(&puzzle, p2_span(stored, size)), P2_OK);
    CU_ASSERT(puzzle.is_solved);
    P2_ASSERT_ERROR(p2_puzzle_check(&puzzle.key, puzzle.nonce, puzzle.bits), P2_OK);
    p2_puzzle_encode(again, &puzzle);
    P2_ASSERT_BYTES(again, stored, size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
        P2_ASSERT_ERROR(p2_puzzle_decode(&puzzle, p2_span(stored, size)), P2_E_CORRUPT);
        stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        P2_ASSERT_ERROR(p2_puzzle_decode(&puzzle, p2_span(stored, cut)), P2_E_CORRUPT);
    }
}

int main(int argc, char **argv)
{
    static CU_TestInfo crypto[] = {P2_TEST(argon2id_agrees_with_openssl),
                                   P2_TEST(xchacha_agrees_with_its_draft),
                                   P2_TEST(only_its_owner_opens_a_box), CU_TEST_INFO_NULL};
    static CU_TestInfo records[] = {P2_TEST(a_record_of_another_implementation_is_read),
                                    P2_TEST(signing_gives_the_bytes_of_another_implementation),
                                    P2_TEST(every_flipped_bit_and_every_cut_is_refused),
                                    P2_TEST(checks_come_in_the_order_the_header_gives),
                                    P2_TEST(a_record_holds_between_its_times_with_a_minute_of_skew),
                                    P2_TEST(a_record_of_another_network_or_kind_is_refused),
                                    P2_TEST(nobody_signs_or_reads_a_record_that_lives_too_long),
                                    P2_TEST(hidden_ipv4_and_dirty_slots_are_not_canonical),
                                    CU_TEST_INFO_NULL};
    static CU_TestInfo limits[] = {
        P2_TEST(a_stamp_of_another_implementation_holds_for_its_key_only),
        P2_TEST(making_a_stamp_finds_the_first_nonce_as_the_other_implementation),
        P2_TEST(the_highest_sequence_of_a_signer_wins_in_any_order),
        P2_TEST(sixty_four_valid_records_end_a_lookup),
        P2_TEST(junk_is_bounded_by_values_cpu_time_and_time),
        P2_TEST(copies_are_recognised_and_a_full_memory_forgets_nothing_it_has),
        CU_TEST_INFO_NULL};
    static CU_TestInfo puzzles[] = {
        P2_TEST(the_puzzle_is_solved_in_steps_by_the_first_nonce_there_is),
        P2_TEST(progress_is_the_chance_to_have_been_done),
        P2_TEST(a_stored_solution_reads_back_and_damage_is_noticed), CU_TEST_INFO_NULL};
    static CU_SuiteInfo suites[] = {{"crypto", NULL, NULL, NULL, NULL, crypto},
                                    {"records", NULL, NULL, NULL, NULL, records},
                                    {"limits", NULL, NULL, NULL, NULL, limits},
                                    {"puzzle", NULL, NULL, NULL, NULL, puzzles},
                                    CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
