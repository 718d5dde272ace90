/* What the wire promises about foreign text: only clean text comes in, and what is printed is one
 * line that cannot act on a terminal. */
#include "base/text.h"
#include "tests/lib/test.h"
#include "wire/decode.h"
#include "wire/print.h"
#include "wire/reader.h"

#include <string.h>

/* Reads `text` of at most 31 bytes as a msgpack fixstr. */
static int read_string(const char *text, size_t size)
{
    uint8_t encoded[32];
    struct p2_mp_reader reader;
    encoded[0] = (uint8_t)(0xa0 | size);
    memcpy(encoded + 1, text, size);
    p2_mp_init(&reader, p2_span(encoded, 1 + size));
    (void)p2_mp_string(&reader, 0, P2_WIRE_STRING_MAX);
    return p2_mp_end(&reader);
}

static void names_in_any_script_are_read(void)
{
    static const char *const clean[] = {"",       "p2c2rd 0.1.0", "Zoë", "Жанна",
                                        "日本語", "a\"b\\c",      "🚀",   "\xc2\xa0\xc2\xae"};
    for (size_t i = 0; i < P2_COUNT_OF(clean); i++) {
        P2_ASSERT_ERROR(read_string(clean[i], strlen(clean[i])), P2_OK);
    }
}

static void malformed_utf8_is_refused(void)
{
    static const char *const malformed[] = {"\x80",             /* continuation without a start */
                                            "\xc3",             /* start without continuation */
                                            "\xc3!",            /* wrong continuation */
                                            "\xc0\xaf",         /* overlong '/' in two bytes */
                                            "\xc1\xbf",         /* overlong in two bytes */
                                            "\xe0\x80\xaf",     /* overlong in three */
                                            "\xf0\x80\x80\xaf", /* overlong in four */
                                            "\xed\xa0\x80",     /* first surrogate */
                                            "\xed\xbf\xbf",     /* last surrogate */
                                            "\xf4\x90\x80\x80", /* beyond U+10FFFF */
                                            "\xf5\x80\x80\x80", /* starts no sequence */
                                            "\xff",             /* never a byte of UTF-8 */
                                            "\xe2\x82",         /* cut */
                                            "\xf0\x9f\x98"};    /* cut */
    for (size_t i = 0; i < P2_COUNT_OF(malformed); i++) {
        P2_ASSERT_ERROR(read_string(malformed[i], strlen(malformed[i])), P2_E_BAD_TEXT);
    }
}

static void characters_that_act_on_the_display_are_refused(void)
{
    static const char *const refused[] = {
        "a\nb",         "a\tb",         "\x1b[31m",        "\x7f",
        "\xc2\x80",     "\xc2\x9f",     "\xc2\xad",          /* C1 controls, soft hyphen */
        "\xd8\x9c",     "\xe2\x80\x8b", "\xe2\x80\x8f",      /* U+061C, U+200B, U+200F */
        "\xe2\x80\xa8", "\xe2\x80\xaa", "\xe2\x80\xae",      /* U+2028, U+202A, U+202E */
        "\xe2\x81\xa0", "\xe2\x81\xa6", "\xe2\x81\xa9",      /* U+2060, U+2066, U+2069 */
        "\xef\xbb\xbf", "\xef\xbf\xb9", "\xf3\xa0\x80\x81"}; /* U+FEFF, U+FFF9, U+E0001 */
    for (size_t i = 0; i < P2_COUNT_OF(refused); i++) {
        P2_ASSERT_ERROR(read_string(refused[i], strlen(refused[i])), P2_E_BAD_TEXT);
    }
    P2_ASSERT_ERROR(read_string("a\0b", 3), P2_E_BAD_TEXT);
}

static void any_two_bytes_print_as_clean_text(void)
{
    for (unsigned value = 0; value < 0x10000; value++) {
        const char bytes[] = {(char)(value >> 8), (char)value, (char)0x80};
        struct p2_msg msg = {.type = P2_MSG_DENIED, .denied = {.text = p2_span(bytes, 3)}};
        uint8_t line[128];
        struct p2_writer writer;
        p2_writer_init(&writer, line, sizeof line);
        p2_wire_print(&writer, &msg);
        CU_ASSERT(writer.error == P2_OK && p2_text_is_clean(p2_writer_span(&writer)));
    }
}

static void the_longest_string_prints_whole(void)
{
    uint8_t line[512];
    uint8_t hostile[P2_WIRE_STRING_MAX];
    struct p2_writer writer;
    memset(hostile, 0x1b, sizeof hostile);
    struct p2_msg msg = {.type = P2_MSG_DENIED,
                         .denied = {.text = p2_span(hostile, sizeof hostile)}};
    p2_writer_init(&writer, line, sizeof line);
    p2_wire_print(&writer, &msg);
    P2_ASSERT_EQUAL(writer.size, strlen("DENIED reason=TASK_DATA_ONLY text=\"\" retry_s=0") +
                                     strlen("\\u001b") * P2_WIRE_STRING_MAX);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(names_in_any_script_are_read),
                           P2_TEST(malformed_utf8_is_refused),
                           P2_TEST(characters_that_act_on_the_display_are_refused),
                           P2_TEST(any_two_bytes_print_as_clean_text),
                           P2_TEST(the_longest_string_prints_whole),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"text", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
