/* Lines worked out by hand, and what they may never hold. */
#include "kernels/ai_npc_dialogue.h"
#include "kernels/harness.h"
#include "kernels/pack.h"
#include "tests/lib/test.h"

#include <string.h>

static struct p2_harness *harness;

static int open_harness(void)
{
    return p2_crypto_init() == 0 ? p2_harness_open(&harness, &p2_kernel_ai_npc_dialogue) : -1;
}

static int close_harness(void)
{
    p2_harness_close(harness);
    return 0;
}

/* A vocabulary of four words: 0 "wolves", 1 "sleep", 2 "howl", 3 "." (joins). Start -> wolves;
 * wolves -> sleep (weight 1) or howl (weight 1); sleep, howl -> "."; "." ends. One mood and one
 * topic; `howl` has affinity `howl_mood`. Two candidates of at most 4 words, at least 2. */
static void load_wolves(uint8_t howl_mood, const uint32_t random[8], uint16_t bytes_max)
{
    static const uint16_t rows[] = {0, 1, 3, 4, 5, 6};
    static const uint16_t edges[][2] = {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {3, 1}, {65535, 1}};
    static const char text[] = "wolvessleephowl.";
    const uint8_t words[4][4] = {
        {6, 0, 16, 16}, {5, 0, 16, 16}, {4, 0, howl_mood, 16}, {1, 1, 16, 16}};
    uint8_t input[256];
    struct p2_pack out = p2_pack_start(input, sizeof input);
    const uint8_t head[] = {4, 0, 6, 0, 1, 1, 0, 0, 2, 4};
    p2_pack_bytes(&out, head, sizeof head);
    p2_pack_u16(&out, bytes_max);
    p2_pack_u32(&out, 2);
    p2_pack_u32(&out, sizeof text - 1);
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        p2_pack_u16(&out, rows[i]);
    }
    for (size_t i = 0; i < P2_COUNT_OF(edges); i++) {
        p2_pack_u16(&out, edges[i][0]);
        p2_pack_u16(&out, edges[i][1]);
    }
    p2_pack_bytes(&out, words[0], sizeof words);
    p2_pack_bytes(&out, (const uint8_t *)text, sizeof text - 1);
    for (size_t i = 0; i < 8; i++) {
        p2_pack_u32(&out, random[i]);
    }
    P2_ASSERT_ERROR(p2_harness_load(harness, p2_span(input, out.size), NULL, 0), 0);
}

static void expect_line(unsigned candidate, unsigned words, const char *text, unsigned score)
{
    struct p2_span result = {NULL, 0};
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(result.size, 8 + 2 * words + strlen(text));
    if (result.size == 8 + 2 * words + strlen(text)) {
        P2_ASSERT_EQUAL(result.data[0], candidate);
        P2_ASSERT_EQUAL(result.data[1], words);
        P2_ASSERT_EQUAL(p2_load_le32(result.data + 4), score);
        P2_ASSERT_BYTES(result.data + 8 + 2 * (size_t)words, text, strlen(text));
    }
    P2_ASSERT_EQUAL(p2_harness_check(harness, result, 1), P2C2R_KERNEL_OK);
}

static void random_words_choose_the_edges(void)
{
    /* The lower half of the range picks the first edge, the upper half the second. Scores:
     * 16 * (3 * 32) / 3 + 64 = 576 for both; the first wins. */
    const uint32_t low[8] = {0, 0x7fffffff, 0, 0, 0, 0x80000000, 0, 0};
    load_wolves(16, low, 100);
    expect_line(0, 3, "Wolves sleep.", 576);
    const uint32_t high[8] = {0, 0x80000000, 0, 0, 0, 0x7fffffff, 0, 0};
    load_wolves(16, high, 100);
    expect_line(0, 3, "Wolves howl.", 576);
}

static void the_mood_decides_between_candidates(void)
{
    /* Affinity 64 makes howl four times as likely: place 0.1 * 5 still picks sleep. Its line scores
     * 16 * (32 + 80 + 32) / 3 + 64 = 832. */
    const uint32_t random[8] = {0, 0x10000000, 0, 0, 0, 0x80000000, 0, 0};
    load_wolves(64, random, 100);
    expect_line(1, 3, "Wolves howl.", 832);
}

static void a_word_of_affinity_0_is_never_said(void)
{
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t r = i * 0x04000000;
        const uint32_t random[8] = {r, r, r, r, ~r, ~r, ~r, ~r};
        load_wolves(0, random, 100);
        expect_line(0, 3, "Wolves sleep.", 576);
    }
}

static void a_line_never_grows_beyond_its_bytes(void)
{
    /* 12 bytes leave room for "Wolves howl." and for "Wolves sleep", but not for its full stop. */
    const uint32_t random[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    load_wolves(16, random, 12);
    expect_line(0, 2, "Wolves sleep", 512);
    load_wolves(16, random, 5);
    expect_line(0, 0, "", 0);
}

/* The text must be the named words, and the words those of the input. */
static void text_is_made_of_words(struct p2_span result)
{
    const uint8_t *input = harness->test_case.input;
    const uint32_t words = p2_load_le16(input), edges = p2_load_le16(input + 2);
    const size_t record = 2u + input[4] + input[5];
    const uint8_t *word = input + 20 + 2 * (words + 2) + 4 * edges;
    const uint8_t *text = word + words * record, *out = result.data + 8 + 2 * result.data[1];
    const uint8_t *end = result.data + result.size;
    CU_ASSERT(result.data[1] <= input[9]);
    CU_ASSERT(p2_load_le16(result.data + 2) <= p2_load_le16(input + 10));
    for (uint32_t i = 0; i < result.data[1]; i++) {
        const uint32_t id = p2_load_le16(result.data + 8 + 2 * i);
        size_t at = 0;
        CU_ASSERT_FATAL(id < words);
        for (uint32_t k = 0; k < id; k++) {
            at += word[k * record];
        }
        const size_t length = word[id * record];
        if (i > 0 && word[id * record + 1] == 0) {
            CU_ASSERT(out < end && *out == ' ');
            out++;
        }
        CU_ASSERT_FATAL((size_t)(end - out) >= length);
        /* The initial letter may be a capital. */
        CU_ASSERT((out[0] | (i == 0 ? 32 : 0)) == (text[at] | (i == 0 ? 32 : 0)));
        CU_ASSERT(memcmp(out + 1, text + at + 1, length - 1) == 0);
        out += length;
    }
    CU_ASSERT(out == end);
}

static void generated_lines_are_made_of_the_vocabulary(void)
{
    for (uint32_t i = 0; i < 200; i++) {
        struct p2_span result = {NULL, 0};
        p2_harness_generate(harness, 12, i);
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
        text_is_made_of_words(result);
    }
}

static void a_beaten_candidate_is_refused_when_the_winner_is_drawn(void)
{
    static const uint8_t sleep[] = {0,   3,   13,  0,   64,  2,   0,   0,   0,
                                    0,   1,   0,   3,   0,   'W', 'o', 'l', 'v',
                                    'e', 's', ' ', 's', 'l', 'e', 'e', 'p', '.'};
    const uint32_t random[8] = {0, 0x10000000, 0, 0, 0, 0x80000000, 0, 0};
    unsigned refused = 0;
    load_wolves(64, random, 100);
    for (uint64_t secret = 0; secret < 100; secret++) {
        refused += p2_harness_check(harness, p2_span(sleep, sizeof sleep), secret) ==
                   P2C2R_KERNEL_BAD_RESULT;
    }
    CU_ASSERT(refused > 25 && refused < 75); /* one of two candidates is drawn */
}

static void damaged_inputs_end_in_bad_input_or_a_checked_line(void)
{
    const uint32_t random[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    load_wolves(16, random, 100);
    const size_t size = harness->test_case.input_size;
    struct p2_span result;
    for (size_t cut = 0; cut < size; cut++) {
        harness->test_case.input_size = cut;
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_BAD_INPUT);
    }
    harness->test_case.input_size = size;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        harness->test_case.input[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const int status = p2_harness_run(harness, &result);
        CU_ASSERT(status == P2C2R_KERNEL_BAD_INPUT || status == P2C2R_KERNEL_OK);
        if (status == P2C2R_KERNEL_OK) {
            text_is_made_of_words(result);
            P2_ASSERT_EQUAL(p2_harness_check(harness, result, bit), P2C2R_KERNEL_OK);
        }
        harness->test_case.input[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(random_words_choose_the_edges),
        P2_TEST(the_mood_decides_between_candidates),
        P2_TEST(a_word_of_affinity_0_is_never_said),
        P2_TEST(a_line_never_grows_beyond_its_bytes),
        P2_TEST(generated_lines_are_made_of_the_vocabulary),
        P2_TEST(a_beaten_candidate_is_refused_when_the_winner_is_drawn),
        P2_TEST(damaged_inputs_end_in_bad_input_or_a_checked_line),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"ai_npc_dialogue", open_harness, close_harness, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
