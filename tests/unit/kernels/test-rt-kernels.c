/* The four ray kernels as a host uses them: generated cases, malformed ones, checks that catch lies
 * and never cry wolf, parts that add up to the whole, and pictures pinned by digest. */
#include "base/crypto.h"
#include "kernels/palette.h"
#include "kernels/ray_light.h"
#include "kernels/rt_global_illumination.h"
#include "kernels/rt_reflections.h"
#include "kernels/rt_render_tile.h"
#include "kernels/rt_shadows.h"
#include "tests/lib/test.h"
#include "tests/tools/picture.h"
#include "tests/unit/kernels/ray-world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNELS 4u
static const struct p2c2r_kernel *const kernels[KERNELS] = {
    &p2_kernel_rt_render_tile,
    &p2_kernel_rt_shadows,
    &p2_kernel_rt_reflections,
    &p2_kernel_rt_global_illumination,
};

static struct ray_bench bench;

static void open_bench(const struct p2c2r_kernel *kernel)
{
    CU_ASSERT_FATAL(ray_bench_open(&bench, kernel));
}

static void generate(uint64_t seed, uint32_t index)
{
    bench.kernel->generate(seed, index, &bench.test_case);
}

static void hex_of(char hex[33], const uint8_t digest[16])
{
    for (unsigned i = 0; i < 16; i++) {
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
    }
}

/* ---- generated cases ------------------------------------------------------------------------ */

static void generated_cases_are_valid_priced_and_within_the_declared_limits(void)
{
    for (unsigned k = 0; k < KERNELS; k++) {
        open_bench(kernels[k]);
        for (uint32_t i = 0; i < 40; i++) {
            generate(9, i);
            struct p2c2r_bytes input = {bench.test_case.input, bench.test_case.input_size};
            CU_ASSERT(input.size <= bench.kernel->input_max);
            CU_ASSERT(bench.test_case.blob_count <= bench.kernel->blobs_max);
            for (uint32_t b = 0; b < bench.test_case.blob_count; b++) {
                CU_ASSERT(p2_voxel_chunk_is_valid(bench.test_case.blobs[b]));
            }
            P2_ASSERT_EQUAL(ray_bench_run(&bench, input.size, 0), P2C2R_KERNEL_OK);
            CU_ASSERT(bench.size > 0 && bench.size <= bench.kernel->output_max);
            uint64_t cost =
                bench.kernel->cost(input, bench.test_case.blobs, bench.test_case.blob_count);
            CU_ASSERT(cost >= 1 && cost < 1000000);
        }
        ray_bench_close(&bench);
    }
}

/* BLAKE2b of the results of the first 24 cases of series 1. Pinned once, after the pictures of the
 * same kernels had been looked at; a change of any bit is a new version of the kernel. */
static const char *const golden_results[KERNELS] = {
    "fe005235957593a4656d845658e32c1d",
    "e10602d7cc64b48b1d4fbcc7ce60a415",
    "0c5d8e0c1e41b6e82e715e3e092ddd7d",
    "047509a8224288d4561728e9eb7fc2c9",
};

static void results_are_those_pinned_whatever_the_arena_held(void)
{
    for (unsigned k = 0; k < KERNELS; k++) {
        struct p2_hasher hasher;
        uint8_t digest[16];
        char hex[33];
        open_bench(kernels[k]);
        p2_hasher_init(&hasher, sizeof digest);
        for (uint32_t i = 0; i < 24; i++) {
            generate(1, i);
            CU_ASSERT_FATAL(ray_bench_run(&bench, bench.test_case.input_size, 0x00) == 0);
            uint8_t *first = malloc(bench.size);
            CU_ASSERT_FATAL(first != NULL);
            size_t size = bench.size;
            memcpy(first, bench.output, size);
            CU_ASSERT_FATAL(ray_bench_run(&bench, bench.test_case.input_size, 0xa5) == 0);
            CU_ASSERT(bench.size == size && memcmp(first, bench.output, size) == 0);
            p2_hasher_add(&hasher, p2_span(first, size));
            free(first);
        }
        p2_hasher_end(&hasher, digest);
        hex_of(hex, digest);
        CU_ASSERT_STRING_EQUAL(hex, golden_results[k]);
        if (strcmp(hex, golden_results[k]) != 0) {
            (void)printf("%s: %s\n", kernels[k]->name, hex);
        }
        ray_bench_close(&bench);
    }
}

/* ---- malformed cases ------------------------------------------------------------------------ */

static void every_truncation_is_refused(void)
{
    for (unsigned k = 0; k < KERNELS; k++) {
        unsigned accepted = 0;
        open_bench(kernels[k]);
        generate(3, 1);
        size_t size = bench.test_case.input_size;
        for (size_t cut = 0; cut < size; cut += cut < 500 ? 1 : 61) {
            struct p2c2r_bytes input = {bench.test_case.input, cut};
            accepted += ray_bench_run(&bench, cut, 0) != P2C2R_KERNEL_BAD_INPUT;
            accepted +=
                bench.kernel->cost(input, bench.test_case.blobs, bench.test_case.blob_count) != 0;
        }
        bench.test_case.input[size] = 0;
        accepted += ray_bench_run(&bench, size + 1, 0) != P2C2R_KERNEL_BAD_INPUT;
        P2_ASSERT_EQUAL(accepted, 0);
        ray_bench_close(&bench);
    }
}

static void every_flipped_bit_gives_a_result_or_a_refusal(void)
{
    for (unsigned k = 0; k < KERNELS; k++) {
        unsigned refused = 0, other = 0;
        open_bench(kernels[k]);
        generate(3, 2);
        size_t size = bench.test_case.input_size, flips = size < 500 ? size : 500;
        for (size_t bit = 0; bit < flips * 8; bit += 3) {
            bench.test_case.input[bit / 8] ^= (uint8_t)(1u << bit % 8);
            int status = ray_bench_run(&bench, size, 0);
            refused += status == P2C2R_KERNEL_BAD_INPUT;
            other += status != P2C2R_KERNEL_BAD_INPUT && status != P2C2R_KERNEL_OK;
            bench.test_case.input[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        P2_ASSERT_EQUAL(other, 0);
        CU_ASSERT(refused > 50); /* the counts, ranges and coordinates */
        ray_bench_close(&bench);
    }
}

static void wrong_blobs_and_short_buffers_are_refused(void)
{
    for (unsigned k = 0; k < KERNELS; k++) {
        size_t size = 0;
        open_bench(kernels[k]);
        generate(3, 3);
        struct p2c2r_kernel_case *c = &bench.test_case;
        struct p2c2r_kernel_args args = {
            .input = {c->input, c->input_size},
            .blobs = c->blobs,
            .blob_count = c->blob_count,
            .output = bench.output,
            .output_capacity = 0,
            .arena = bench.arena,
            .arena_size = bench.kernel->arena_bytes,
        };
        P2_ASSERT_EQUAL(bench.kernel->run(&args, &size), P2C2R_KERNEL_OUTPUT_FULL);
        args.output_capacity = bench.kernel->output_max;
        args.blob_count--;
        P2_ASSERT_EQUAL(bench.kernel->run(&args, &size), P2C2R_KERNEL_BAD_INPUT);
        args.blob_count++;
        c->blobs[0].size--;
        P2_ASSERT_EQUAL(bench.kernel->run(&args, &size), P2C2R_KERNEL_BAD_INPUT);
        P2_ASSERT_EQUAL(ray_bench_check(&bench, bench.output, 1, 1), P2C2R_KERNEL_BAD_INPUT);
        P2_ASSERT_EQUAL(size, 0);
        ray_bench_close(&bench);
    }
}

/* ---- checks --------------------------------------------------------------------------------- */

enum lie {
    LIE_OTHER_TILE, /* the result of another case of the same length */
    LIE_CONSTANT,   /* one byte everywhere */
    LIE_QUARTER,    /* a quarter of the result is zero */
    LIE_TENTH,      /* a tenth of the result, in one piece, is changed */
    LIE_LIGHT,      /* everything one level brighter */
    LIE_LENGTH,     /* a byte is missing */
    LIE_HALF,       /* a half is changed, in one piece */
    LIE_PERCENT,    /* a hundredth is changed, in one piece */
    LIE_BYTE,       /* one byte is changed: the smallest lie */
    LIE_BLEND,      /* one byte becomes that of its neighbour: the most careful lie */
    LIES
};

static const char *const lie_names[LIES] = {"other tile", "constant",    "quarter", "tenth",
                                            "light",      "length",      "half",    "percent",
                                            "one byte",   "blended byte"};

/* Makes a lie out of the right result; returns its size, or 0 when it happens to be the truth. */
static size_t tell(enum lie lie, uint8_t *out, const uint8_t *right, size_t size,
                   const uint8_t *old, size_t old_size, struct p2_kernel_random *random)
{
    size_t result = size;
    memcpy(out, right, size);
    const size_t parts = lie == LIE_HALF ? 2 : lie == LIE_PERCENT ? 100 : 10;
    size_t tenth = size / parts + 1,
           at = p2_kernel_random_below(random, (uint32_t)(size - tenth + 1));
    switch (lie) {
    case LIE_OTHER_TILE:
        memcpy(out, old, old_size < size ? old_size : size);
        break;
    case LIE_CONSTANT:
        memset(out, right[size / 2], size);
        break;
    case LIE_QUARTER:
        memset(out, 0, size / 4 + 1);
        break;
    case LIE_TENTH:
    case LIE_HALF:
    case LIE_PERCENT:
        for (size_t i = at; i < at + tenth; i++) {
            out[i] ^= 0x11;
        }
        break;
    case LIE_LIGHT:
        for (size_t i = 0; i < size; i++) {
            out[i]++;
        }
        break;
    case LIE_LENGTH:
        result = size - 1;
        break;
    case LIE_BYTE:
        out[at] ^= 0x21;
        break;
    case LIE_BLEND:
        for (size_t i = 0; i + 1 < size && out[at] == right[at]; i++) {
            at = (at + 1) % (size - 1);
            out[at] = right[at + 1];
        }
        break;
    case LIES:
        break;
    }
    return result == size && memcmp(out, right, size) == 0 ? 0 : result;
}

/* Lowest share of each lie that must be caught, in percent. A single byte is seen with probability
 * (pixels looked at) / (pixels); what is measured is written in doc/kernels.md. */
static const unsigned caught_at_least[LIES] = {95, 85, 88, 85, 100, 100, 97, 50, 40, 0};

#define CHECK_CASES 120u

static void checks_catch_lies_and_never_refuse_the_truth(void)
{
    uint8_t *lie_bytes = malloc(P2C2R_OUTPUT_MAX), *old = calloc(1, P2C2R_OUTPUT_MAX);
    CU_ASSERT_FATAL(lie_bytes != NULL && old != NULL);
    for (unsigned k = 0; k < KERNELS; k++) {
        unsigned told[LIES] = {0}, caught[LIES] = {0}, alarms = 0;
        size_t old_size = 0;
        open_bench(kernels[k]);
        for (uint32_t i = 0; i < CHECK_CASES; i++) {
            struct p2_kernel_random random = p2_kernel_random_start(77, i);
            generate(5, i);
            CU_ASSERT_FATAL(ray_bench_run(&bench, bench.test_case.input_size, 0) == 0);
            for (unsigned n = 0; n < 4; n++) {
                alarms += ray_bench_check(&bench, bench.output, bench.size,
                                          p2_kernel_random_u64(&random)) != P2C2R_KERNEL_OK;
            }
            for (unsigned lie = 0; lie < LIES; lie++) {
                size_t size = tell((enum lie)lie, lie_bytes, bench.output, bench.size, old,
                                   old_size, &random);
                uint64_t secret = p2_kernel_random_u64(&random);
                if (size > 0) {
                    told[lie]++;
                    caught[lie] +=
                        ray_bench_check(&bench, lie_bytes, size, secret) == P2C2R_KERNEL_BAD_RESULT;
                }
            }
            old_size = bench.size;
            memcpy(old, bench.output, bench.size);
        }
        P2_ASSERT_EQUAL(alarms, 0);
        for (unsigned lie = 0; lie < LIES; lie++) {
            (void)printf("%-24s %-11s caught %u of %u\n", bench.kernel->name, lie_names[lie],
                         caught[lie], told[lie]);
            CU_ASSERT(caught[lie] * 100 >= told[lie] * caught_at_least[lie]);
        }
        ray_bench_close(&bench);
    }
    free(old);
    free(lie_bytes);
}

/* ---- parts and pictures --------------------------------------------------------------------- */

static void a_tile_without_light_and_its_shadow_mask_make_the_full_tile(void)
{
    struct p2_ray_shot shot;
    static uint8_t full[P2_RAY_PIXELS_MAX], base[P2_RAY_PIXELS_MAX], mask[P2_RAY_PIXELS_MAX];
    unsigned different = 0, lit = 0;
    open_bench(&p2_kernel_rt_render_tile);
    for (uint32_t i = 0; i < 24; i++) {
        struct p2_kernel_random random = p2_kernel_random_start(8, i);
        struct p2_ray_view view;
        p2_ray_shot_generate(&shot, &random, 4.0F, false, &bench.test_case);
        shot.rays = 1;
        const unsigned flags = shot.flags, parts = P2_RAY_SUN | P2_RAY_LAMPS;
        for (unsigned part = 0; part < 3; part++) {
            struct p2_pack out = p2_pack_start(bench.test_case.input, P2C2R_INPUT_MAX);
            shot.flags = (uint8_t)(part == 1 ? flags & ~parts : flags);
            p2_ray_shot_write(&shot, &out);
            bench.kernel = part == 2 ? &p2_kernel_rt_shadows : &p2_kernel_rt_render_tile;
            size_t view_size = out.size;
            if (part == 2) {
                p2_pack_u32(&out, 0);
            }
            CU_ASSERT_FATAL(ray_bench_run(&bench, out.size, 0) == P2C2R_KERNEL_OK);
            memcpy(part == 0 ? full : part == 1 ? base : mask, bench.output, bench.size);
            struct p2_unpack in =
                p2_unpack_start((struct p2c2r_bytes){bench.test_case.input, view_size});
            CU_ASSERT_FATAL(
                p2_ray_view_read(&view, &in, bench.test_case.blobs, bench.test_case.blob_count));
        }
        for (size_t p = 0; p < bench.size; p++) {
            different += p2_ray_compose(&view, base[p], mask[p]) != full[p];
            lit += base[p] != full[p];
        }
    }
    P2_ASSERT_EQUAL(different, 0);
    CU_ASSERT(lit > 1000);
    bench.kernel = &p2_kernel_rt_render_tile;
    ray_bench_close(&bench);
}

/* Digests of the pictures in doc/ (tests/tools/render-png prints them), pinned after a person's eye
 * had looked at them. */
static const struct {
    struct p2_picture_order order;
    const char *digest;
} golden_pictures[] = {
    {{1, P2_PICTURE_LAKE, P2_DAYTIME_MORNING, 640, 360, 1}, "ed7bb38573a73b13b3100395f44c1708"},
    {{1, P2_PICTURE_BIRD, P2_DAYTIME_DUSK, 640, 360, 1}, "e66d0ca043045402a5078bc3e4023ee5"},
    {{1, P2_PICTURE_VILLAGE, P2_DAYTIME_NIGHT, 640, 360, 1}, "fe2b8d6423be89585b97a8dad45ba2f2"},
};

static void pictures_are_those_a_person_has_looked_at(void)
{
    uint8_t *pixels = malloc((size_t)640 * 360);
    CU_ASSERT_FATAL(pixels != NULL);
    for (size_t i = 0; i < sizeof golden_pictures / sizeof golden_pictures[0]; i++) {
        const struct p2_picture_order *order = &golden_pictures[i].order;
        uint8_t digest[16];
        char hex[33];
        CU_ASSERT_FATAL(p2_picture_render(order, pixels, NULL, NULL) == 0);
        const struct p2_span part = {pixels, (size_t)order->width * order->height};
        p2_hash(digest, sizeof digest, &part, 1);
        hex_of(hex, digest);
        CU_ASSERT_STRING_EQUAL(hex, golden_pictures[i].digest);
        if (strcmp(hex, golden_pictures[i].digest) != 0) {
            (void)printf("picture %zu: %s\n", i, hex);
        }
    }
    free(pixels);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(generated_cases_are_valid_priced_and_within_the_declared_limits),
        P2_TEST(results_are_those_pinned_whatever_the_arena_held),
        P2_TEST(every_truncation_is_refused),
        P2_TEST(every_flipped_bit_gives_a_result_or_a_refusal),
        P2_TEST(wrong_blobs_and_short_buffers_are_refused),
        P2_TEST(checks_catch_lies_and_never_refuse_the_truth),
        P2_TEST(a_tile_without_light_and_its_shadow_mask_make_the_full_tile),
        P2_TEST(pictures_are_those_a_person_has_looked_at),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"rt-kernels", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
