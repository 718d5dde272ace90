#include "tests/lib/test.h"

#include "base/id.h"
#include "base/rng.h"

#include <ctype.h>
#include <string.h>

static struct p2_id an_id(uint64_t seed)
{
    struct p2_id id;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, seed, "ids");
    p2_rng_bytes(&rng, id.bytes, sizeof id.bytes);
    return id;
}

/* "foobar" in RFC 4648 base32 is MZXW6YTBOI; its first 5 bytes give MZXW6YTB, which in Crockford's
 * alphabet (same values, other letters) is csqpyrk1. */
static void base32_maps_values_as_crockford_lists_them(void)
{
    char text[9] = {0};
    uint8_t back[5];
    p2_base32_encode(text, (const uint8_t *)"fooba", 5);
    CU_ASSERT_STRING_EQUAL(text, "csqpyrk1");
    P2_ASSERT_ERROR(p2_base32_decode(back, "CSQPYRKL", 8), P2_OK);
    P2_ASSERT_BYTES(back, "fooba", 5);
    P2_ASSERT_ERROR(p2_base32_decode(back, "csqpyrku", 8), P2_E_MALFORMED);
    P2_ASSERT_ERROR(p2_base32_decode(back, "csqpyrk", 7), P2_E_MALFORMED);
}

static void text_form_reads_back_in_any_case(void)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct p2_id id = an_id(seed), back;
        char text[P2_ID_TEXT_MAX];
        p2_id_format(text, &id);
        P2_ASSERT_EQUAL(strlen(text), P2_ID_TEXT_LEN);
        if (seed % 2 == 1) {
            for (char *c = text; *c != '\0'; c++) {
                *c = (char)toupper((unsigned char)*c);
            }
        }
        P2_ASSERT_ERROR(p2_id_parse(&back, text, strlen(text)), P2_OK);
        CU_ASSERT(p2_id_equal(&id, &back));
    }
}

static void every_single_wrong_character_is_caught(void)
{
    struct p2_id id = an_id(7), back;
    char text[P2_ID_TEXT_MAX];
    p2_id_format(text, &id);
    for (size_t at = 0; at < P2_ID_TEXT_LEN; at++) {
        char right = text[at];
        for (const char *c = "0123456789abcdefghjkmnpqrstvwxyz"; *c != '\0'; c++) {
            text[at] = *c;
            P2_ASSERT_ERROR(p2_id_parse(&back, text, P2_ID_TEXT_LEN),
                            *c == right ? P2_OK : P2_E_CHECKSUM);
        }
        text[at] = right;
    }
}

static void neighbouring_characters_swapped_are_caught(void)
{
    struct p2_id id = an_id(8), back;
    char text[P2_ID_TEXT_MAX];
    p2_id_format(text, &id);
    for (size_t at = 0; at + 1 < P2_ID_TEXT_LEN; at++) {
        char first = text[at], second = text[at + 1];
        text[at] = second;
        text[at + 1] = first;
        P2_ASSERT_ERROR(p2_id_parse(&back, text, P2_ID_TEXT_LEN),
                        first == second ? P2_OK : P2_E_CHECKSUM);
        text[at] = first;
        text[at + 1] = second;
    }
}

static void wrong_lengths_and_foreign_characters_are_malformed(void)
{
    struct p2_id id = an_id(9), back;
    char text[P2_ID_TEXT_MAX + 1] = {0};
    p2_id_format(text, &id);
    for (size_t length = 0; length < P2_ID_TEXT_LEN; length++) {
        P2_ASSERT_ERROR(p2_id_parse(&back, text, length), P2_E_MALFORMED);
    }
    P2_ASSERT_ERROR(p2_id_parse(&back, text, P2_ID_TEXT_LEN + 1), P2_E_MALFORMED);
    text[3] = '\0';
    P2_ASSERT_ERROR(p2_id_parse(&back, text, P2_ID_TEXT_LEN), P2_E_MALFORMED);
    text[3] = (char)0xc3;
    P2_ASSERT_ERROR(p2_id_parse(&back, text, P2_ID_TEXT_LEN), P2_E_MALFORMED);
}

static void the_short_form_is_the_beginning_of_the_long_one(void)
{
    struct p2_id id = an_id(10);
    char text[P2_ID_TEXT_MAX], brief[P2_ID_SHORT_MAX];
    p2_id_format(text, &id);
    p2_id_format_short(brief, &id);
    P2_ASSERT_EQUAL(strlen(brief), 8);
    P2_ASSERT_EQUAL(strncmp(text, brief, 8), 0);
}

static void ids_compare_as_their_bytes(void)
{
    struct p2_id a = {{1, 2}}, b = {{1, 3}};
    CU_ASSERT(p2_id_compare(&a, &b) < 0);
    CU_ASSERT(p2_id_compare(&b, &a) > 0);
    P2_ASSERT_EQUAL(p2_id_compare(&a, &a), 0);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(base32_maps_values_as_crockford_lists_them),
        P2_TEST(text_form_reads_back_in_any_case),
        P2_TEST(every_single_wrong_character_is_caught),
        P2_TEST(neighbouring_characters_swapped_are_caught),
        P2_TEST(wrong_lengths_and_foreign_characters_are_malformed),
        P2_TEST(the_short_form_is_the_beginning_of_the_long_one),
        P2_TEST(ids_compare_as_their_bytes),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"id", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
