/* The kernel around zstd frames, and assets to try it on. */
#include "kernels/compress.h"

#include "kernels/pack.h"

#include <string.h>

/* ---- run, check, canonical ------------------------------------------------------------------ */

struct job {
    int level;
    struct p2c2r_bytes content;
};

static int parse(struct p2c2r_bytes input, uint32_t blob_count, struct job *ret_job)
{
    struct p2_unpack in = p2_unpack_start(input);
    const uint32_t head = p2_unpack_u32(&in);
    if (in.failed || blob_count != 0 || head < P2_ZSTD_LEVEL_MIN || head > P2_ZSTD_LEVEL_MAX ||
        in.left > P2_COMPRESS_CONTENT_MAX) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    *ret_job = (struct job){(int)head, {in.data, in.left}};
    return P2C2R_KERNEL_OK;
}

static int compress_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct job job;
    int status = parse(args->input, args->blob_count, &job);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    return p2_zstd_frame_compress(job.content, job.level, args->output, args->output_capacity,
                                  args->arena, args->arena_size, ret_size);
}

static int compress_canonical(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                              size_t *ret_size)
{
    struct job job;
    int status = parse(args->input, args->blob_count, &job);
    if (status == P2C2R_KERNEL_OK && job.content.size > args->output_capacity) {
        status = P2C2R_KERNEL_OUTPUT_FULL;
    }
    if (status == P2C2R_KERNEL_OK) {
        status = p2_zstd_frame_decompress(result, args->output, job.content.size, args->arena,
                                          args->arena_size);
    }
    if (status == P2C2R_KERNEL_OK) {
        *ret_size = job.content.size;
    }
    return status;
}

static int compress_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                          uint64_t secret)
{
    struct job job;
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    (void)secret; /* everything is looked at */
    int status = parse(args->input, args->blob_count, &job);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    uint8_t *content = p2_arena_take(&arena, job.content.size, 1);
    if (arena.failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    status = p2_zstd_frame_decompress(result, content, job.content.size, arena.data, arena.left);
    if (status == P2C2R_KERNEL_OK && job.content.size > 0 &&
        memcmp(content, job.content.data, job.content.size) != 0) {
        status = P2C2R_KERNEL_BAD_RESULT;
    }
    return status;
}

/* ---- cost ----------------------------------------------------------------------------------- */

#define SAMPLES      64u /* places of the content a cost looks at; chosen: below 2 us */
#define SAMPLE_BYTES 16u

enum content_class {
    CONTENT_REPEATS, /* text, palette pixels: fewer than 200 different byte values */
    CONTENT_MIXED,   /* some byte values much more frequent than others */
    CONTENT_NOISE,   /* all alike: zstd soon gives up */
    CONTENT_CLASSES
};

/* By class and level: fixed time and time per KiB. Fitted to generated cases with zstd 1.5.4. */
static const struct {
    uint32_t fixed_ns, kib_ns;
} prices[CONTENT_CLASSES][P2_ZSTD_LEVEL_MAX + 1] = {
    {{0, 0}, {10500, 2460}, {11000, 2800}, {9000, 3100}, {9000, 4700}, {5500, 7300}, {2500, 11100}},
    {{0, 0}, {13500, 890}, {14000, 890}, {15000, 890}, {18500, 1570}, {15000, 2610}, {15000, 2610}},
    {{0, 0}, {12500, 300}, {10000, 640}, {12000, 500}, {13000, 840}, {9500, 2660}, {10000, 2360}},
};

/* The class of a content, from samples spread over it. */
static enum content_class classify(struct p2c2r_bytes content)
{
    uint32_t counts[256] = {0};
    uint64_t distinct = 0, squares = 0, total = 0;
    const size_t step =
        content.size > (size_t)SAMPLES * SAMPLE_BYTES ? content.size / SAMPLES : SAMPLE_BYTES;
    for (size_t at = 0; at < content.size; at += step) {
        for (size_t i = at; i < at + SAMPLE_BYTES && i < content.size; i++) {
            counts[content.data[i]]++;
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        distinct += counts[i] > 0;
        squares += (uint64_t)counts[i] * counts[i];
        total += counts[i];
    }
    if (distinct < 200) {
        return CONTENT_REPEATS;
    }
    /* The chance that two samples are equal; 1/256 + 1/total for noise. */
    return squares * 1000 > total * total * 6 ? CONTENT_MIXED : CONTENT_NOISE;
}

static uint64_t compress_cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                              uint32_t blob_count)
{
    struct job job;
    (void)blobs;
    if (parse(input, blob_count, &job) != P2C2R_KERNEL_OK) {
        return 0;
    }
    const enum content_class class = classify(job.content);
    const uint64_t ns = prices[class][job.level].fixed_ns +
                        (uint64_t)job.content.size * prices[class][job.level].kib_ns / 1024;
    return (ns + 999) / 1000;
}

/* ---- cases ---------------------------------------------------------------------------------- */

/* Palette pixels of a tile or a texture: runs along rows that mostly repeat the row above. */
static void make_pixels(struct p2_kernel_random *random, uint8_t *out, size_t size)
{
    const size_t width = 32u << p2_kernel_random_below(random, 4);
    const uint32_t colours = 4 + p2_kernel_random_below(random, 28);
    uint8_t colour = 0;
    for (size_t i = 0; i < size; i++) {
        if (p2_kernel_random_percent(random, 12)) {
            colour = (uint8_t)p2_kernel_random_below(random, colours);
        } else if (i >= width && p2_kernel_random_percent(random, 60)) {
            colour = out[i - width];
        }
        out[i] = colour;
    }
}

/* Text as of a level's description: words of a small vocabulary. */
static void make_text(struct p2_kernel_random *random, uint8_t *out, size_t size)
{
    static const char *const words[] = {
        "block", "spawn",   "light", "=",       "\n",    "{",        "}",
        "stone", "lantern", "door",  "north",   "east",  "true",     "false",
        "0",     "16",      "255",   "texture", "sound", "creature", "speed",
    };
    for (size_t at = 0; at < size;) {
        const char *word =
            words[p2_kernel_random_below(random, (uint32_t)(sizeof words / sizeof words[0]))];
        for (; *word != '\0' && at < size; word++) {
            out[at++] = (uint8_t)*word;
        }
        if (at < size) {
            out[at++] = p2_kernel_random_percent(random, 15)
                            ? (uint8_t)('0' + p2_kernel_random_below(random, 10))
                            : (uint8_t)' ';
        }
    }
}

/* Vertices: 32-bit numbers that change slowly, their low bytes noisy. */
static void make_mesh(struct p2_kernel_random *random, uint8_t *out, size_t size)
{
    uint32_t axis[3] = {0, 0, 0};
    uint8_t word[4];
    for (size_t at = 0; at < size; at += 4) {
        uint32_t *number = &axis[at / 4 % 3];
        *number += p2_kernel_random_below(random, 4096);
        p2_store_le32(word, *number);
        memcpy(out + at, word, size - at < 4 ? size - at : 4);
    }
}

/* What is compressed already, or encrypted. */
static void make_noise(struct p2_kernel_random *random, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)p2_kernel_random_u32(random);
    }
}

static void compress_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    uint8_t *content = test_case->input + P2_COMPRESS_HEADER_BYTES;
    /* Sizes from 1 KiB to 256 KiB, small ones as frequent as large ones. */
    const uint32_t doubling = p2_kernel_random_below(&random, 8);
    const uint32_t least = test_case->is_small != 0 ? 16 : 1024; /* to 4 KiB when small */
    const size_t size =
        ((size_t)least << doubling) + p2_kernel_random_below(&random, least << doubling);
    const uint32_t kind = p2_kernel_random_below(&random, 10);
    p2_store_le32(test_case->input, (uint32_t)p2_kernel_random_between(&random, 1, 6));
    if (kind < 4) {
        make_pixels(&random, content, size);
    } else if (kind < 7) {
        make_text(&random, content, size);
    } else if (kind < 9) {
        make_mesh(&random, content, size);
    } else {
        make_noise(&random, content, size);
    }
    test_case->input_size = P2_COMPRESS_HEADER_BYTES + size;
    test_case->blob_count = 0;
}

const struct p2c2r_kernel p2_kernel_compress = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "compress",
    .version = 1,
    .kind = P2C2R_KERNEL_VIEW,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = P2_ZSTD_COMPRESS_ARENA,
    .input_max = P2_COMPRESS_HEADER_BYTES + P2_COMPRESS_CONTENT_MAX,
    .output_max = P2C2R_OUTPUT_MAX,
    .blobs_max = 0,
    .blob_max = 0,
    .check_bound_us = 3000,
    .run = compress_run,
    .check = compress_check,
    .cost = compress_cost,
    .canonical = compress_canonical,
    .generate = compress_generate,
};
