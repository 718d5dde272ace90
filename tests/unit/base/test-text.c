#include "tests/lib/test.h"

#include "base/text.h"

#include <string.h>

/* RFC 3629, section 4: what is and is not UTF-8, by hand. */
static void utf8_is_decoded_strictly(void)
{
    static const struct {
        const char *bytes;
        size_t size, length;
        uint32_t scalar;
    } rows[] = {
        {"A", 1, 1, 0x41},
        {"\xc2\xa2", 2, 2, 0xa2},
        {"\xe2\x82\xac", 3, 3, 0x20ac},
        {"\xf0\x9f\x8e\xae", 4, 4, 0x1f3ae},
        {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"\xc0\x80", 2, 0, 0},         /* overlong zero */
        {"\xe0\x9f\xbf", 3, 0, 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, 0, 0}, /* overlong */
        {"\xed\xa0\x80", 3, 0, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, 0, 0}, /* above U+10FFFF */
        {"\x80", 1, 0, 0},             /* continuation alone */
        {"\xe2\x82", 2, 0, 0},         /* cut */
        {"\xff", 1, 0, 0},
        {"", 0, 0, 0},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        uint32_t scalar = 0;
        P2_ASSERT_EQUAL(p2_text_decode(p2_span(rows[i].bytes, rows[i].size), &scalar),
                        rows[i].length);
        P2_ASSERT_EQUAL(scalar, rows[i].scalar);
    }
}

static void what_hides_is_not_clean(void)
{
    static const char *const hidden[] = {"a\nb",          "\x7f",         "\xc2\x85",
                                         "\xe2\x80\xae",  "\xe2\x81\xa6", "\xe2\x80\x8b",
                                         "\xef\xbb\xbfx", "\xff"};
    for (size_t i = 0; i < P2_COUNT_OF(hidden); i++) {
        CU_ASSERT_FALSE(p2_text_is_clean(p2_span(hidden[i], strlen(hidden[i]))));
    }
    CU_ASSERT(p2_text_is_clean(p2_span("Zo\xc3\xab \xe6\xbc\xa2 \xf0\x9f\x8e\xae", 13)));
    CU_ASSERT(p2_text_is_clean(p2_span(NULL, 0)));
}

static void escaping_shows_every_byte(void)
{
    char out[64];
    size_t size = p2_text_escape(out, sizeof out, p2_span("a\"\\\n\r\t\0\x1b\xff\xe2\x80\xae", 12));
    CU_ASSERT_STRING_EQUAL(out, "a\\\"\\\\\\n\\r\\t\\u0000\\u001b\\xff\\u202e");
    P2_ASSERT_EQUAL(size, strlen(out));
    (void)p2_text_escape_string(out, sizeof out, "\xf3\xa0\x80\x81|Zo\xc3\xab");
    CU_ASSERT_STRING_EQUAL(out, "\\U000e0001|Zo\xc3\xab");
}

static void a_text_that_does_not_fit_is_cut_between_characters(void)
{
    char out[8];
    P2_ASSERT_EQUAL(p2_text_escape_string(out, sizeof out, "1234567"), 7);
    CU_ASSERT_STRING_EQUAL(out, "1234567");
    P2_ASSERT_EQUAL(p2_text_escape_string(out, sizeof out, "12345678"), 7);
    CU_ASSERT_STRING_EQUAL(out, "1234...");
    (void)p2_text_escape_string(out, sizeof out, "12\nxyz78");
    CU_ASSERT_STRING_EQUAL(out, "12\\n...");
    (void)p2_text_escape_string(out, sizeof out, "\xe2\x80\xae..");
    CU_ASSERT_STRING_EQUAL(out, "...");
    for (size_t capacity = 4; capacity < 40; capacity++) {
        char wide[40];
        size_t size = p2_text_escape_string(wide, capacity, "\xe6\xbc\xa2\"\xff\xe6\xbc\xa2 tail");
        CU_ASSERT(size < capacity && strlen(wide) == size);
        CU_ASSERT(p2_text_is_clean(p2_span(wide, size)));
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(utf8_is_decoded_strictly),
        P2_TEST(what_hides_is_not_clean),
        P2_TEST(escaping_shows_every_byte),
        P2_TEST(a_text_that_does_not_fit_is_cut_between_characters),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"text", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
