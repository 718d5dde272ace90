#include "tests/lib/test.h"
#include "wire/reader.h"

#include <string.h>

/* Encodings below are written by hand from the msgpack specification. */
static struct p2_mp_reader reader;
static uint8_t input[128];

static void start(const char *hex)
{
    p2_mp_init(&reader, p2_span(input, p2_test_unhex(input, hex)));
}

static void expect_uint(const char *hex, uint64_t value)
{
    start(hex);
    CU_ASSERT(p2_mp_uint(&reader, 0, UINT64_MAX) == value);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
}

static void expect_uint_error(const char *hex, int error)
{
    start(hex);
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 0, UINT64_MAX), 0);
    P2_ASSERT_ERROR(p2_mp_end(&reader), error);
}

static void unsigned_numbers_are_read_in_their_shortest_form_only(void)
{
    expect_uint("00", 0);
    expect_uint("7f", 127);
    expect_uint("cc80", 128);
    expect_uint("ccff", 255);
    expect_uint("cd0100", 256);
    expect_uint("cdffff", 65535);
    expect_uint("ce00010000", 65536);
    expect_uint("ceffffffff", UINT32_MAX);
    expect_uint("cf0000000100000000", UINT64_C(1) << 32);
    expect_uint("cfffffffffffffffff", UINT64_MAX);
    expect_uint_error("cc7f", P2_E_NOT_CANONICAL);
    expect_uint_error("cd00ff", P2_E_NOT_CANONICAL);
    expect_uint_error("ce0000ffff", P2_E_NOT_CANONICAL);
    expect_uint_error("cf00000000ffffffff", P2_E_NOT_CANONICAL);
    expect_uint_error("", P2_E_TRUNCATED);
    expect_uint_error("cc", P2_E_TRUNCATED);
    expect_uint_error("cd01", P2_E_TRUNCATED);
    expect_uint_error("ce000100", P2_E_TRUNCATED);
    expect_uint_error("cf00000001000000", P2_E_TRUNCATED);
    expect_uint_error("ff", P2_E_MALFORMED);
    expect_uint_error("d07f", P2_E_MALFORMED);
}

static void numbers_outside_their_range_are_refused(void)
{
    start("05");
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 5, 5), 5);
    start("04");
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 5, 9), 0);
    P2_ASSERT_ERROR(reader.error, P2_E_RANGE);
    start("0a");
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 5, 9), 0);
    P2_ASSERT_ERROR(reader.error, P2_E_RANGE);
    start("fb");
    P2_ASSERT_EQUAL(p2_mp_int(&reader, -5, 9), -5);
    start("fa");
    P2_ASSERT_EQUAL(p2_mp_int(&reader, -5, 9), 0);
    P2_ASSERT_ERROR(reader.error, P2_E_RANGE);
    start("0a");
    P2_ASSERT_EQUAL(p2_mp_int(&reader, -5, 9), 0);
    P2_ASSERT_ERROR(reader.error, P2_E_RANGE);
}

static void expect_int(const char *hex, int64_t value, int error)
{
    start(hex);
    CU_ASSERT(p2_mp_int(&reader, INT64_MIN, INT64_MAX) == value);
    P2_ASSERT_ERROR(p2_mp_end(&reader), error);
}

static void signed_numbers_are_read_in_their_shortest_form_only(void)
{
    expect_int("00", 0, P2_OK);
    expect_int("ff", -1, P2_OK);
    expect_int("e0", -32, P2_OK);
    expect_int("d0df", -33, P2_OK);
    expect_int("d080", -128, P2_OK);
    expect_int("d1ff7f", -129, P2_OK);
    expect_int("d18000", -32768, P2_OK);
    expect_int("d2ffff7fff", -32769, P2_OK);
    expect_int("d280000000", INT32_MIN, P2_OK);
    expect_int("d3ffffffff7fffffff", (int64_t)INT32_MIN - 1, P2_OK);
    expect_int("d38000000000000000", INT64_MIN, P2_OK);
    expect_int("cf7fffffffffffffff", INT64_MAX, P2_OK);
    expect_int("cf8000000000000000", 0, P2_E_RANGE);
    expect_int("d0e0", 0, P2_E_NOT_CANONICAL);
    expect_int("d1ff80", 0, P2_E_NOT_CANONICAL);
    expect_int("d2ffff8000", 0, P2_E_NOT_CANONICAL);
    expect_int("d3ffffffff80000000", 0, P2_E_NOT_CANONICAL);
    expect_int("d005", 0, P2_E_NOT_CANONICAL);
    expect_int("d30000000000000005", 0, P2_E_NOT_CANONICAL);
    expect_int("d0", 0, P2_E_TRUNCATED);
    expect_int("", 0, P2_E_TRUNCATED);
    expect_int("c0", 0, P2_E_MALFORMED);
}

static void booleans_are_two_bytes_and_nothing_else(void)
{
    start("c3c2");
    CU_ASSERT_TRUE(p2_mp_bool(&reader));
    CU_ASSERT_FALSE(p2_mp_bool(&reader));
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
    CU_ASSERT_FALSE(p2_mp_bool(&reader));
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_TRUNCATED);
    start("01");
    CU_ASSERT_FALSE(p2_mp_bool(&reader));
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_MALFORMED);
}

static void expect_bytes_error(const char *hex, size_t min, size_t max, int error)
{
    start(hex);
    P2_ASSERT_EQUAL(p2_mp_bytes(&reader, min, max).size, 0);
    P2_ASSERT_ERROR(p2_mp_end(&reader), error);
}

static void bytes_are_borrowed_from_the_input(void)
{
    start("c40361626301");
    struct p2_span bytes = p2_mp_bytes(&reader, 0, 3);
    P2_ASSERT_EQUAL(bytes.size, 3);
    CU_ASSERT_PTR_EQUAL(bytes.data, input + 2);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_TRAILING);
    start("c400");
    P2_ASSERT_EQUAL(p2_mp_bytes(&reader, 0, 0).size, 0);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
}

static void lengths_are_bounded_by_the_caller_and_by_what_is_left(void)
{
    expect_bytes_error("c403616263", 0, 2, P2_E_TOO_BIG);
    expect_bytes_error("c403616263", 4, 9, P2_E_RANGE);
    expect_bytes_error("c4036162", 0, 9, P2_E_TRUNCATED);
    expect_bytes_error("c6ffffffff", 0, SIZE_MAX, P2_E_TRUNCATED);
    expect_bytes_error("c6ffffffff", 0, 1u << 20, P2_E_TOO_BIG);
    expect_bytes_error("c5000161", 0, 9, P2_E_NOT_CANONICAL);
    expect_bytes_error("c60000000161", 0, 9, P2_E_NOT_CANONICAL);
    expect_bytes_error("c4", 0, 9, P2_E_TRUNCATED);
    expect_bytes_error("", 0, 9, P2_E_TRUNCATED);
    expect_bytes_error("a161", 0, 9, P2_E_MALFORMED);
}

static void fixed_bytes_are_copied_whole_or_not_at_all(void)
{
    uint8_t out[3] = {9, 9, 9};
    start("c4026162");
    p2_mp_fixed(&reader, out, 3);
    P2_ASSERT_ERROR(reader.error, P2_E_RANGE);
    P2_ASSERT_EQUAL(out[0], 9);
    start("c403616263");
    p2_mp_fixed(&reader, out, 3);
    P2_ASSERT_BYTES(out, "abc", 3);
}

static void expect_string_error(const char *hex, size_t max, int error)
{
    start(hex);
    P2_ASSERT_EQUAL(p2_mp_string(&reader, 1, max).size, 0);
    P2_ASSERT_ERROR(p2_mp_end(&reader), error);
}

static void strings_are_short_clean_text_in_their_shortest_form(void)
{
    start("a3616263");
    P2_ASSERT_BYTES(p2_mp_string(&reader, 1, 64).data, "abc", 3);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
    char hex[2 * 34 + 1] = "d920";
    memset(hex + 4, '6', 64);
    hex[68] = '\0';
    start(hex);
    P2_ASSERT_EQUAL(p2_mp_string(&reader, 1, 64).size, 32);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
    expect_string_error("d90161", 64, P2_E_NOT_CANONICAL);
    expect_string_error("da000161", 64, P2_E_NOT_CANONICAL);
    expect_string_error("dbffffffff", 64, P2_E_TOO_BIG);
    expect_string_error("a0", 64, P2_E_RANGE);
    expect_string_error("a26161", 1, P2_E_TOO_BIG);
    expect_string_error("a261", 64, P2_E_TRUNCATED);
    expect_string_error("d9", 64, P2_E_TRUNCATED);
    expect_string_error("", 64, P2_E_TRUNCATED);
    expect_string_error("c40161", 64, P2_E_MALFORMED);
    expect_string_error("a10a", 64, P2_E_BAD_TEXT);
    expect_string_error("a3e280ae", 64, P2_E_BAD_TEXT);
}

static void expect_array_error(const char *hex, uint32_t min, uint32_t max, int error)
{
    start(hex);
    P2_ASSERT_EQUAL(p2_mp_array(&reader, min, max), 0);
    P2_ASSERT_ERROR(p2_mp_end(&reader), error);
}

static void counts_are_bounded_by_the_caller_and_by_what_is_left(void)
{
    start("920102");
    P2_ASSERT_EQUAL(p2_mp_array(&reader, 0, 2), 2);
    expect_array_error("920102", 0, 1, P2_E_TOO_BIG);
    expect_array_error("920102", 3, 9, P2_E_RANGE);
    expect_array_error("9201", 0, 9, P2_E_TRUNCATED);
    expect_array_error("dc000101", 0, 9, P2_E_NOT_CANONICAL);
    expect_array_error("dc000f", 0, 99, P2_E_NOT_CANONICAL);
    expect_array_error("dc0010", 0, 99, P2_E_TRUNCATED);
    expect_array_error("dd0000ffff", 0, UINT32_MAX, P2_E_NOT_CANONICAL);
    expect_array_error("dd00010000", 0, UINT32_MAX, P2_E_TRUNCATED);
    expect_array_error("ddffffffff", 0, UINT32_MAX, P2_E_TRUNCATED);
    expect_array_error("ddffff", 0, UINT32_MAX, P2_E_TRUNCATED);
    expect_array_error("", 0, 9, P2_E_TRUNCATED);
    expect_array_error("80", 0, 9, P2_E_MALFORMED);
}

static void the_five_bytes_that_cost_unpackers_a_gigabyte_cost_one_comparison(void)
{
    /* A map of 16,777,215 pairs (the input that made msgpack-c reserve 1 GB), and the array. */
    expect_array_error("df00ffffff", 0, UINT32_MAX, P2_E_MALFORMED);
    P2_ASSERT_EQUAL(reader.left, 5);
    expect_array_error("dd00ffffff", 0, UINT32_MAX, P2_E_TRUNCATED);
    expect_array_error("dfdfdfdf4374", 0, UINT32_MAX, P2_E_MALFORMED);
}

static void types_outside_the_schema_are_malformed_everywhere(void)
{
    /* nil, never used, ext, float, double, fixext, map; as every kind of field */
    static const char *const foreign[] = {
        "c0",     "c1", "c70100ff", "ca00000000", "cb0000000000000000",
        "d400ff", "80", "de0000",   "df00000000"};
    for (size_t i = 0; i < P2_COUNT_OF(foreign); i++) {
        expect_uint_error(foreign[i], P2_E_MALFORMED);
        expect_int(foreign[i], 0, P2_E_MALFORMED);
        expect_bytes_error(foreign[i], 0, 99, P2_E_MALFORMED);
        expect_string_error(foreign[i], 64, P2_E_MALFORMED);
        expect_array_error(foreign[i], 0, 99, P2_E_MALFORMED);
    }
}

static void arrays_nest_four_deep_and_no_deeper(void)
{
    start("9191919100");
    for (int i = 0; i < 4; i++) {
        P2_ASSERT_EQUAL(p2_mp_array(&reader, 1, 1), 1);
    }
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 0, 0), 0);
    for (int i = 0; i < 4; i++) {
        p2_mp_leave(&reader);
    }
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_OK);
    P2_ASSERT_EQUAL(reader.depth, 0);
    start("919191919100");
    for (int i = 0; i < 5; i++) {
        (void)p2_mp_array(&reader, 1, 1);
    }
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_TOO_DEEP);
}

static void a_record_has_exactly_its_fields(void)
{
    start("9201029103");
    p2_mp_record(&reader, 2);
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 0, 9), 1);
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 0, 9), 2);
    p2_mp_leave(&reader);
    p2_mp_record(&reader, 2);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_MALFORMED);
}

static void the_first_error_stays_and_nothing_is_read_after_it(void)
{
    start("c0010203");
    uint8_t out[1] = {7};
    (void)p2_mp_uint(&reader, 0, 9);
    size_t left = reader.left;
    P2_ASSERT_EQUAL(p2_mp_uint(&reader, 0, 9), 0);
    P2_ASSERT_EQUAL(p2_mp_int(&reader, 0, 9), 0);
    CU_ASSERT_FALSE(p2_mp_bool(&reader));
    P2_ASSERT_EQUAL(p2_mp_bytes(&reader, 0, 9).size, 0);
    P2_ASSERT_EQUAL(p2_mp_string(&reader, 0, 9).size, 0);
    P2_ASSERT_EQUAL(p2_mp_array(&reader, 0, 9), 0);
    p2_mp_fixed(&reader, out, 1);
    p2_mp_record(&reader, 1);
    p2_mp_leave(&reader);
    P2_ASSERT_EQUAL(out[0], 7);
    P2_ASSERT_EQUAL(reader.left, left);
    P2_ASSERT_ERROR(p2_mp_end(&reader), P2_E_MALFORMED);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(unsigned_numbers_are_read_in_their_shortest_form_only),
        P2_TEST(numbers_outside_their_range_are_refused),
        P2_TEST(signed_numbers_are_read_in_their_shortest_form_only),
        P2_TEST(booleans_are_two_bytes_and_nothing_else),
        P2_TEST(bytes_are_borrowed_from_the_input),
        P2_TEST(lengths_are_bounded_by_the_caller_and_by_what_is_left),
        P2_TEST(fixed_bytes_are_copied_whole_or_not_at_all),
        P2_TEST(strings_are_short_clean_text_in_their_shortest_form),
        P2_TEST(counts_are_bounded_by_the_caller_and_by_what_is_left),
        P2_TEST(the_five_bytes_that_cost_unpackers_a_gigabyte_cost_one_comparison),
        P2_TEST(types_outside_the_schema_are_malformed_everywhere),
        P2_TEST(arrays_nest_four_deep_and_no_deeper),
        P2_TEST(a_record_has_exactly_its_fields),
        P2_TEST(the_first_error_stays_and_nothing_is_read_after_it),
        CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"reader", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
