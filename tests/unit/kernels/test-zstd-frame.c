/* The bounded decoder against frames written by hand after RFC 8878, and the kernel around it. */
#include "kernels/compress.h"
#include "kernels/harness.h"
#include "kernels/pack.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

/* Magic number, single-segment descriptor, content size 5, one last raw block "hello" (RFC 8878,
 * sections 3.1.1.1 and 3.1.1.2: block header = last | type << 1 | size << 3). */
static const uint8_t hello[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 5,   0x29,
                                0,    0,    'h',  'e',  'l',  'l', 'o'};

static uint8_t *arena;

static int open_arena(void)
{
    arena = aligned_alloc(64, P2_ZSTD_COMPRESS_ARENA);
    return p2_crypto_init() == 0 && arena != NULL ? 0 : -1;
}

static int close_arena(void)
{
    free(arena);
    return 0;
}

static int decode(const uint8_t *frame, size_t size, size_t content_size)
{
    uint8_t content[64] = {0};
    const int status = p2_zstd_frame_decompress((struct p2c2r_bytes){frame, size}, content,
                                                content_size, arena, P2_ZSTD_DECOMPRESS_ARENA);
    if (status == P2C2R_KERNEL_OK) {
        P2_ASSERT_BYTES(content, "hello", 5);
    }
    return status;
}

static void a_frame_written_by_hand_is_decoded(void)
{
    P2_ASSERT_EQUAL(decode(hello, sizeof hello, 5), P2C2R_KERNEL_OK);
}

static void a_size_other_than_the_expected_one_is_refused(void)
{
    P2_ASSERT_EQUAL(decode(hello, sizeof hello, 4), P2C2R_KERNEL_BAD_RESULT);
    P2_ASSERT_EQUAL(decode(hello, sizeof hello, 6), P2C2R_KERNEL_BAD_RESULT);
}

static void trailing_bytes_and_second_frames_are_refused(void)
{
    uint8_t twice[2 * sizeof hello];
    memcpy(twice, hello, sizeof hello);
    memcpy(twice + sizeof hello, hello, sizeof hello);
    P2_ASSERT_EQUAL(decode(twice, sizeof hello + 1, 5), P2C2R_KERNEL_BAD_RESULT);
    P2_ASSERT_EQUAL(decode(twice, sizeof twice, 5), P2C2R_KERNEL_BAD_RESULT);
    P2_ASSERT_EQUAL(decode(twice, sizeof twice, 10), P2C2R_KERNEL_BAD_RESULT);
}

static void frames_of_another_form_are_refused(void)
{
    /* A dictionary id, an unknown content size, a skippable frame. */
    static const uint8_t dictionary[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 7,   5,  0x29,
                                         0,    0,    'h',  'e',  'l',  'l', 'o'};
    static const uint8_t no_size[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0,   0x29,
                                      0,    0,    'h',  'e',  'l',  'l', 'o'};
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 5,   0,  0,
                                        0,    'h',  'e',  'l',  'l', 'o'};
    P2_ASSERT_EQUAL(decode(dictionary, sizeof dictionary, 5), P2C2R_KERNEL_BAD_RESULT);
    P2_ASSERT_EQUAL(decode(no_size, sizeof no_size, 5), P2C2R_KERNEL_BAD_RESULT);
    P2_ASSERT_EQUAL(decode(skippable, sizeof skippable, 5), P2C2R_KERNEL_BAD_RESULT);
}

static void truncated_frames_are_refused(void)
{
    for (size_t size = 0; size < sizeof hello; size++) {
        P2_ASSERT_EQUAL(decode(hello, size, 5), P2C2R_KERNEL_BAD_RESULT);
    }
}

static void flipped_bits_never_pass_as_another_length(void)
{
    for (size_t bit = 0; bit < 8 * (sizeof hello - 5); bit++) {
        uint8_t frame[sizeof hello], content[5];
        memcpy(frame, hello, sizeof hello);
        frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const int status = p2_zstd_frame_decompress((struct p2c2r_bytes){frame, sizeof frame},
                                                    content, 5, arena, P2_ZSTD_DECOMPRESS_ARENA);
        /* Reserved bits and an unused window may change without changing the content. */
        CU_ASSERT(status == P2C2R_KERNEL_BAD_RESULT || memcmp(content, "hello", 5) == 0);
    }
}

static void every_size_and_level_comes_back(void)
{
    static const size_t sizes[] = {0, 1, 255, 256, 65791, 65792, 300000, P2_COMPRESS_CONTENT_MAX};
    uint8_t *content = malloc(P2C2R_OUTPUT_MAX), *frame = malloc(P2C2R_OUTPUT_MAX);
    uint8_t *back = malloc(P2C2R_OUTPUT_MAX);
    struct p2_rng rng;
    CU_ASSERT_FATAL(content != NULL && frame != NULL && back != NULL);
    p2_rng_init_u64(&rng, 4, "contents");
    p2_rng_bytes(&rng, content, P2C2R_OUTPUT_MAX); /* the worst case: nothing can be made smaller */
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        for (int level = P2_ZSTD_LEVEL_MIN; level <= P2_ZSTD_LEVEL_MAX; level++) {
            size_t size = 0;
            P2_ASSERT_EQUAL(p2_zstd_frame_compress((struct p2c2r_bytes){content, sizes[i]}, level,
                                                   frame, P2C2R_OUTPUT_MAX, arena,
                                                   P2_ZSTD_COMPRESS_ARENA, &size),
                            P2C2R_KERNEL_OK);
            CU_ASSERT(size <= P2_ZSTD_FRAME_MAX(sizes[i]));
            P2_ASSERT_EQUAL(p2_zstd_frame_decompress((struct p2c2r_bytes){frame, size}, back,
                                                     sizes[i], arena, P2_ZSTD_DECOMPRESS_ARENA),
                            P2C2R_KERNEL_OK);
            P2_ASSERT_BYTES(back, content, sizes[i]);
        }
    }
    free(content);
    free(frame);
    free(back);
}

static void limits_are_reported_by_name(void)
{
    uint8_t frame[8];
    size_t size = 0;
    const struct p2c2r_bytes content = {hello, sizeof hello};
    P2_ASSERT_EQUAL(
        p2_zstd_frame_compress(content, 0, frame, 8, arena, P2_ZSTD_COMPRESS_ARENA, &size),
        P2C2R_KERNEL_BAD_INPUT);
    P2_ASSERT_EQUAL(p2_zstd_frame_compress(content, P2_ZSTD_LEVEL_MAX + 1, frame, 8, arena,
                                           P2_ZSTD_COMPRESS_ARENA, &size),
                    P2C2R_KERNEL_BAD_INPUT);
    P2_ASSERT_EQUAL(
        p2_zstd_frame_compress(content, 1, frame, 8, arena, P2_ZSTD_COMPRESS_ARENA, &size),
        P2C2R_KERNEL_OUTPUT_FULL);
    P2_ASSERT_EQUAL(p2_zstd_frame_compress(content, 1, frame, 8, arena, 4096, &size),
                    P2C2R_KERNEL_ARENA_FULL);
    P2_ASSERT_EQUAL(p2_zstd_frame_decompress(content, frame, 5, arena, 64),
                    P2C2R_KERNEL_ARENA_FULL);
    P2_ASSERT_EQUAL(size, 0);
}

static void a_result_made_by_another_encoder_passes_and_is_canonically_the_same(void)
{
    static const uint8_t input[] = {3, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};
    struct p2_harness *harness = NULL;
    struct p2_span ours, bytes;
    P2_ASSERT_ERROR(p2_harness_open(&harness, &p2_kernel_compress), 0);
    P2_ASSERT_ERROR(p2_harness_load(harness, p2_span(input, sizeof input), NULL, 0), 0);
    P2_ASSERT_EQUAL(p2_harness_run(harness, &ours), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(p2_harness_check(harness, ours, 0), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(hello, sizeof hello), 0), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(p2_harness_canonical(harness, p2_span(hello, sizeof hello), &bytes),
                    P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(bytes.size, 5);
    P2_ASSERT_BYTES(bytes.data, "hello", 5);
    p2_harness_close(harness);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_frame_written_by_hand_is_decoded),
        P2_TEST(a_size_other_than_the_expected_one_is_refused),
        P2_TEST(trailing_bytes_and_second_frames_are_refused),
        P2_TEST(frames_of_another_form_are_refused),
        P2_TEST(truncated_frames_are_refused),
        P2_TEST(flipped_bits_never_pass_as_another_length),
        P2_TEST(every_size_and_level_comes_back),
        P2_TEST(limits_are_reported_by_name),
        P2_TEST(a_result_made_by_another_encoder_passes_and_is_canonically_the_same),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"zstd_frame", open_arena, close_arena, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
