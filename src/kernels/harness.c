/* Buffers around a kernel, and what is measured with them. */
#include "kernels/harness.h"

#include "kernels/float_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Arenas are 64-byte aligned by contract. */
#define ARENA_ALIGNMENT 64u

/* What a fresh arena holds. Chosen: neither 0 nor all ones, odd as a number of any width. */
#define ARENA_PATTERN 0xa5

/* ---- life ----------------------------------------------------------------------------------- */

int p2_harness_open(struct p2_harness **ret_harness, const struct p2c2r_kernel *kernel)
{
    struct p2_harness *harness = calloc(1, sizeof *harness);
    if (harness == NULL) {
        return P2_E_NOMEM;
    }
    const size_t blobs = kernel->blobs_max * kernel->blob_max;
    harness->kernel = kernel;
    harness->test_case.input = malloc(P2C2R_INPUT_MAX);
    harness->test_case.blob_storage = malloc(blobs > 0 ? blobs : 1);
    harness->test_case.blob_capacity = blobs;
    harness->output = malloc(P2C2R_OUTPUT_MAX);
    harness->canonical = malloc(P2C2R_OUTPUT_MAX);
    harness->mutant = malloc(P2C2R_OUTPUT_MAX);
    harness->other = malloc(P2C2R_OUTPUT_MAX);
    harness->arena_memory = malloc(kernel->arena_bytes + ARENA_ALIGNMENT);
    if (harness->test_case.input == NULL || harness->test_case.blob_storage == NULL ||
        harness->output == NULL || harness->canonical == NULL || harness->mutant == NULL ||
        harness->other == NULL || harness->arena_memory == NULL) {
        p2_harness_close(harness);
        return P2_E_NOMEM;
    }
    const size_t off = (size_t)((uintptr_t)harness->arena_memory % ARENA_ALIGNMENT);
    harness->arena = harness->arena_memory + (ARENA_ALIGNMENT - off) % ARENA_ALIGNMENT;
    p2_harness_poison(harness, ARENA_PATTERN);
    *ret_harness = harness;
    return 0;
}

void p2_harness_close(struct p2_harness *harness)
{
    if (harness != NULL) {
        free(harness->test_case.input);
        free(harness->test_case.blob_storage);
        free(harness->output);
        free(harness->canonical);
        free(harness->mutant);
        free(harness->other);
        free(harness->arena_memory);
        free(harness);
    }
}

void p2_harness_poison(struct p2_harness *harness, uint8_t pattern)
{
    memset(harness->arena, pattern, harness->kernel->arena_bytes);
}

/* ---- calls ---------------------------------------------------------------------------------- */

void p2_harness_generate(struct p2_harness *harness, uint64_t seed, uint32_t index)
{
    harness->test_case.input_size = 0;
    harness->test_case.blob_count = 0;
    harness->kernel->generate(seed, index, &harness->test_case);
}

int p2_harness_load(struct p2_harness *harness, struct p2_span input, const struct p2_span *blobs,
                    uint32_t blob_count)
{
    struct p2c2r_kernel_case *test_case = &harness->test_case;
    size_t used = 0;
    if (input.size > P2C2R_INPUT_MAX || blob_count > P2C2R_BLOBS_MAX) {
        return P2_E_TOO_BIG;
    }
    for (uint32_t i = 0; i < blob_count; i++) {
        if (blobs[i].size > test_case->blob_capacity - used) {
            return P2_E_TOO_BIG;
        }
        used += blobs[i].size;
    }
    if (input.size > 0) {
        memcpy(test_case->input, input.data, input.size);
    }
    test_case->input_size = input.size;
    used = 0;
    for (uint32_t i = 0; i < blob_count; i++) {
        test_case->blobs[i] = (struct p2c2r_bytes){test_case->blob_storage + used, blobs[i].size};
        if (blobs[i].size > 0) {
            memcpy(test_case->blob_storage + used, blobs[i].data, blobs[i].size);
        }
        used += blobs[i].size;
    }
    test_case->blob_count = blob_count;
    return 0;
}

static struct p2c2r_kernel_args args_of(const struct p2_harness *harness, uint8_t *output)
{
    const struct p2c2r_kernel_case *test_case = &harness->test_case;
    const bool has_output = output != NULL;
    return (struct p2c2r_kernel_args){
        .input = {test_case->input, test_case->input_size},
        .blobs = test_case->blobs,
        .blob_count = test_case->blob_count,
        .output = output,
        .output_capacity = has_output ? P2C2R_OUTPUT_MAX : 0,
        .arena = harness->arena,
        .arena_size = harness->kernel->arena_bytes,
    };
}

int p2_harness_run(struct p2_harness *harness, struct p2_span *ret_result)
{
    const struct p2c2r_kernel_args args = args_of(harness, harness->output);
    size_t size = 0;
    int status = harness->kernel->run(&args, &size);
    if (status == P2C2R_KERNEL_OK) {
        *ret_result = p2_span(harness->output, size);
    }
    return status;
}

int p2_harness_check(struct p2_harness *harness, struct p2_span result, uint64_t secret)
{
    const struct p2c2r_kernel_args args = args_of(harness, NULL);
    return harness->kernel->check(&args, (struct p2c2r_bytes){result.data, result.size}, secret);
}

int p2_harness_canonical(struct p2_harness *harness, struct p2_span result,
                         struct p2_span *ret_bytes)
{
    const struct p2c2r_kernel_args args = args_of(harness, harness->canonical);
    size_t size = 0;
    if (harness->kernel->canonical == NULL) {
        *ret_bytes = result;
        return P2C2R_KERNEL_OK;
    }
    int status =
        harness->kernel->canonical(&args, (struct p2c2r_bytes){result.data, result.size}, &size);
    if (status == P2C2R_KERNEL_OK) {
        *ret_bytes = p2_span(harness->canonical, size);
    }
    return status;
}

uint64_t p2_harness_cost(const struct p2_harness *harness)
{
    const struct p2c2r_kernel_case *test_case = &harness->test_case;
    return harness->kernel->cost((struct p2c2r_bytes){test_case->input, test_case->input_size},
                                 test_case->blobs, test_case->blob_count);
}

const char *p2_harness_status_name(int status)
{
    switch (status) {
    case P2C2R_KERNEL_OK:
        return "OK";
    case P2C2R_KERNEL_BAD_INPUT:
        return "BAD_INPUT";
    case P2C2R_KERNEL_OUTPUT_FULL:
        return "OUTPUT_FULL";
    case P2C2R_KERNEL_ARENA_FULL:
        return "ARENA_FULL";
    case P2C2R_KERNEL_BAD_RESULT:
        return "BAD_RESULT";
    default:
        return "UNKNOWN";
    }
}

/* ---- digests -------------------------------------------------------------------------------- */

int p2_harness_digest(struct p2_harness *harness, uint64_t seed, uint32_t cases,
                      uint8_t ret_digest[P2_HARNESS_DIGEST])
{
    struct p2_hasher hasher;
    p2_hasher_init(&hasher, P2_HARNESS_DIGEST);
    for (uint32_t i = 0; i < cases; i++) {
        struct p2_span result, bytes;
        uint8_t size[8];
        p2_harness_generate(harness, seed, i);
        int status = p2_harness_run(harness, &result);
        if (status == P2C2R_KERNEL_OK) {
            status = p2_harness_canonical(harness, result, &bytes);
        }
        if (status != P2C2R_KERNEL_OK) {
            return status;
        }
        p2_store_be64(size, bytes.size);
        p2_hasher_add(&hasher, p2_span(size, sizeof size));
        p2_hasher_add(&hasher, bytes);
    }
    p2_hasher_end(&hasher, ret_digest);
    return P2C2R_KERNEL_OK;
}

struct known_answer {
    const char *kernel;
    uint32_t version;
    const char *digest; /* hex */
};

static const struct known_answer known_answers[] = {
#define P2_KNOWN(kernel, version, digest) {kernel, version, digest},
#include "kernels/known.def"
#undef P2_KNOWN
    {NULL, 0, NULL},
};

static const struct known_answer *find_known(const struct p2c2r_kernel *kernel)
{
    for (const struct known_answer *known = known_answers; known->kernel != NULL; known++) {
        if (strcmp(known->kernel, kernel->name) == 0 && known->version == kernel->version) {
            return known;
        }
    }
    return NULL;
}

/* The value of a lower-case hex digit of known.def. */
static uint8_t hex_value(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

bool p2_harness_known(const struct p2c2r_kernel *kernel, uint8_t ret_digest[P2_HARNESS_DIGEST])
{
    const struct known_answer *known = find_known(kernel);
    if (known == NULL) {
        return false;
    }
    for (size_t i = 0; i < P2_HARNESS_DIGEST; i++) {
        const char *digits = known->digest + 2 * i;
        ret_digest[i] = (uint8_t)(hex_value(digits[0]) << 4 | hex_value(digits[1]));
    }
    return true;
}

enum p2_harness_verdict p2_harness_selftest(struct p2_harness *harness,
                                            uint8_t ret_digest[P2_HARNESS_DIGEST])
{
    uint8_t known[P2_HARNESS_DIGEST];
    memset(ret_digest, 0, P2_HARNESS_DIGEST);
    if (p2_harness_digest(harness, P2_HARNESS_KNOWN_SEED, P2_HARNESS_KNOWN_CASES, ret_digest) !=
        P2C2R_KERNEL_OK) {
        return P2_HARNESS_WRONG_ANSWER;
    }
    if (!p2_float_is_exact()) {
        return P2_HARNESS_INEXACT_FLOAT;
    }
    if (!p2_harness_known(harness->kernel, known)) {
        return P2_HARNESS_NO_ANSWER;
    }
    return memcmp(ret_digest, known, sizeof known) == 0 ? P2_HARNESS_OK : P2_HARNESS_WRONG_ANSWER;
}

const char *p2_harness_verdict_text(enum p2_harness_verdict verdict)
{
    switch (verdict) {
    case P2_HARNESS_OK:
        return "ok";
    case P2_HARNESS_NO_ANSWER:
        return "FAILED (no known answer for this version)";
    case P2_HARNESS_WRONG_ANSWER:
        return "FAILED (wrong answer)";
    case P2_HARNESS_INEXACT_FLOAT:
        return "FAILED (this build contracts floating point)";
    default:
        return "FAILED";
    }
}

/* ---- mutated results ------------------------------------------------------------------------ */

const char *p2_harness_mutation_name(enum p2_harness_mutation mutation)
{
    static const char *const names[P2_MUTATIONS] = {
        [P2_MUTATE_BIT] = "bit flip",       [P2_MUTATE_BYTE] = "byte",
        [P2_MUTATE_WORD] = "word",          [P2_MUTATE_STEP] = "off by one",
        [P2_MUTATE_TRUNCATE] = "truncated", [P2_MUTATE_EXTEND] = "extended",
        [P2_MUTATE_OTHER] = "other case",   [P2_MUTATE_SWAP] = "swapped regions",
        [P2_MUTATE_ZERO] = "zeroed region", [P2_MUTATE_COPY] = "copied region",
    };
    return names[mutation];
}

static void add_one_off(uint8_t *bytes, size_t size, bool is_up)
{
    /* Little-endian numbers: the carry moves to higher addresses. */
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(is_up ? bytes[i] + 1 : bytes[i] - 1);
        if (bytes[i] != (is_up ? 0 : 0xff)) {
            break;
        }
    }
}

/* A region of 1 .. size / 2 bytes, mostly short. */
static size_t region_size(struct p2_rng *rng, size_t size)
{
    const size_t most = p2_rng_chance_ppm(rng, 700000) && size > 64 ? 32 : (size + 1) / 2;
    return (size_t)p2_rng_between(rng, 1, most);
}

/* The mutations that keep the size; size is at least 1. */
static void mutate_in_place(struct p2_rng *rng, enum p2_harness_mutation mutation, uint8_t *bytes,
                            size_t size)
{
    size_t at = (size_t)p2_rng_below(rng, size);
    size_t word = (size_t)1 << p2_rng_below(rng, 4);
    size_t region = region_size(rng, size);
    size_t from = (size_t)p2_rng_below(rng, size - region + 1);
    size_t to = (size_t)p2_rng_below(rng, size - region + 1);
    switch ((int)mutation) {
    case P2_MUTATE_BIT:
        bytes[at] ^= (uint8_t)(1u << p2_rng_below(rng, 8));
        break;
    case P2_MUTATE_BYTE:
        bytes[at] = (uint8_t)p2_rng_u32(rng);
        break;
    case P2_MUTATE_WORD:
        at -= at % word;
        p2_rng_bytes(rng, bytes + at, word < size - at ? word : size - at);
        break;
    case P2_MUTATE_STEP:
        word = word > 4 ? 4 : word;
        at -= at % word;
        add_one_off(bytes + at, word < size - at ? word : size - at,
                    p2_rng_chance_ppm(rng, 500000));
        break;
    case P2_MUTATE_SWAP:
        for (size_t i = 0; i < region; i++) {
            uint8_t byte = bytes[from + i];
            bytes[from + i] = bytes[to + i];
            bytes[to + i] = byte;
        }
        break;
    case P2_MUTATE_ZERO:
        memset(bytes + from, 0, region);
        break;
    default: /* P2_MUTATE_COPY */
        memmove(bytes + to, bytes + from, region);
        break;
    }
}

struct p2_span p2_harness_mutate(struct p2_harness *harness, struct p2_rng *rng,
                                 enum p2_harness_mutation mutation, struct p2_span result,
                                 struct p2_span other)
{
    const struct p2_span source = mutation == P2_MUTATE_OTHER ? other : result;
    size_t size = source.size;
    if (size > 0) {
        memcpy(harness->mutant, source.data, size);
    }
    if (mutation == P2_MUTATE_TRUNCATE) {
        size -= size > 0 ? region_size(rng, size) : 0;
    } else if (mutation == P2_MUTATE_EXTEND) {
        const size_t room = P2C2R_OUTPUT_MAX - size;
        const size_t most = room < 64 ? room : 64;
        const size_t more = most > 0 ? (size_t)p2_rng_between(rng, 1, most) : 0;
        p2_rng_bytes(rng, harness->mutant + size, more);
        size += more;
    } else if (mutation != P2_MUTATE_OTHER && size > 0) {
        mutate_in_place(rng, mutation, harness->mutant, size);
    }
    return p2_span(harness->mutant, size);
}

/* Is the mutant wrong, that is, does it not stand for the right bytes? */
static bool mutant_is_wrong(struct p2_harness *harness, struct p2_span right_bytes,
                            struct p2_span mutant)
{
    struct p2_span bytes;
    return p2_harness_canonical(harness, mutant, &bytes) != P2C2R_KERNEL_OK ||
           !p2_span_equal(bytes, right_bytes);
}

/* Measures one case, whose right result (kept in harness->output) stands for `right_bytes`. */
static void measure_case(struct p2_harness *harness, struct p2_rng *rng, struct p2_span result,
                         struct p2_span other, struct p2_span right_bytes,
                         struct p2_mutation_report *report)
{
    for (unsigned i = 0; i < 4; i++) {
        report->checked++;
        report->false_alarms +=
            p2_harness_check(harness, result, p2_rng_u64(rng)) != P2C2R_KERNEL_OK;
    }
    for (unsigned i = 0; i < 2 * P2_MUTATIONS; i++) {
        const enum p2_harness_mutation kind = (enum p2_harness_mutation)(i % P2_MUTATIONS);
        const struct p2_span mutant = p2_harness_mutate(harness, rng, kind, result, other);
        if (!mutant_is_wrong(harness, right_bytes, mutant)) {
            continue;
        }
        const bool is_caught =
            p2_harness_check(harness, mutant, p2_rng_u64(rng)) != P2C2R_KERNEL_OK;
        report->by_kind[kind].wrong++;
        report->by_kind[kind].caught += is_caught;
        report->total.wrong++;
        report->total.caught += is_caught;
    }
}

int p2_harness_measure_check(struct p2_harness *harness, uint64_t seed, uint32_t cases,
                             struct p2_mutation_report *ret_report)
{
    struct p2_mutation_report report = {0};
    struct p2_rng rng;
    int status = P2C2R_KERNEL_OK;
    uint8_t *right = malloc(P2C2R_OUTPUT_MAX);
    p2_rng_init_u64(&rng, seed, "p2c2r mutated results");
    if (right == NULL) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    for (uint32_t i = 0; i < cases; i++) {
        struct p2_span result, bytes;
        p2_harness_generate(harness, seed, i + 1);
        if ((status = p2_harness_run(harness, &result)) != P2C2R_KERNEL_OK) {
            break;
        }
        const struct p2_span other = p2_span(harness->other, result.size);
        memcpy(harness->other, result.data, result.size);
        p2_harness_generate(harness, seed, i);
        if ((status = p2_harness_run(harness, &result)) != P2C2R_KERNEL_OK ||
            (status = p2_harness_canonical(harness, result, &bytes)) != P2C2R_KERNEL_OK) {
            break;
        }
        memcpy(right, bytes.data, bytes.size);
        measure_case(harness, &rng, result, other, p2_span(right, bytes.size), &report);
    }
    free(right);
    if (status == P2C2R_KERNEL_OK) {
        *ret_report = report;
    }
    return status;
}
