#include "tests/lib/kernel-lab.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

/* Room for a mutation that makes a result longer. */
#define SPARE 64

int p2_lab_open(struct p2_lab *lab, const struct p2c2r_kernel *kernel)
{
    *lab = (struct p2_lab){.kernel = kernel, .poison = 0xa5};
    lab->test_case.input = malloc(P2C2R_INPUT_MAX);
    lab->output = malloc(kernel->output_max);
    lab->arena = aligned_alloc(64, (kernel->arena_bytes + 63) & ~(size_t)63);
    return lab->test_case.input != NULL && lab->output != NULL && lab->arena != NULL ? 0 : -1;
}

void p2_lab_close(struct p2_lab *lab)
{
    free(lab->test_case.input);
    free(lab->output);
    free(lab->arena);
}

void p2_lab_generate(struct p2_lab *lab, uint64_t seed, uint32_t index)
{
    lab->kernel->generate(seed, index, &lab->test_case);
}

/* The input as an exact copy, so that a byte read too far is seen by ASan. Gives. */
static uint8_t *lab_input_copy(const struct p2_lab *lab)
{
    size_t size = lab->test_case.input_size;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CU_ASSERT_FATAL(copy != NULL);
    memcpy(copy, lab->test_case.input, size);
    return copy;
}

static struct p2c2r_kernel_args lab_args(struct p2_lab *lab, const uint8_t *input)
{
    memset(lab->arena, lab->poison, lab->kernel->arena_bytes);
    return (struct p2c2r_kernel_args){.input = {input, lab->test_case.input_size},
                                      .output = lab->output,
                                      .output_capacity = lab->kernel->output_max,
                                      .arena = lab->arena,
                                      .arena_size = lab->kernel->arena_bytes};
}

int p2_lab_run(struct p2_lab *lab)
{
    uint8_t *input = lab_input_copy(lab);
    struct p2c2r_kernel_args args = lab_args(lab, input);
    int status = lab->kernel->run(&args, &lab->size);
    free(input);
    return status;
}

int p2_lab_check(struct p2_lab *lab, const uint8_t *result, size_t size, uint64_t secret)
{
    uint8_t *input = lab_input_copy(lab), *copy = malloc(size > 0 ? size : 1);
    CU_ASSERT_FATAL(copy != NULL);
    memcpy(copy, result, size);
    struct p2c2r_kernel_args args = lab_args(lab, input);
    int status = lab->kernel->check(&args, (struct p2c2r_bytes){copy, size}, secret);
    free(copy);
    free(input);
    return status;
}

static uint64_t lab_cost(const struct p2_lab *lab)
{
    struct p2c2r_bytes input = {lab->test_case.input, lab->test_case.input_size};
    return lab->kernel->cost(input, NULL, 0);
}

void p2_lab_generated_cases_pass(struct p2_lab *lab, uint32_t cases)
{
    for (uint32_t i = 0; i < cases; i++) {
        p2_lab_generate(lab, 1, i);
        CU_ASSERT(lab->test_case.input_size <= lab->kernel->input_max);
        P2_ASSERT_EQUAL(p2_lab_run(lab), P2C2R_KERNEL_OK);
        CU_ASSERT(lab->size <= lab->kernel->output_max);
        CU_ASSERT(lab_cost(lab) >= 1);
        for (uint64_t secret = 0; secret < 3; secret++) {
            P2_ASSERT_EQUAL(p2_lab_check(lab, lab->output, lab->size, i * 3 + secret),
                            P2C2R_KERNEL_OK);
        }
    }
}

void p2_lab_arena_does_not_matter(struct p2_lab *lab, uint32_t cases)
{
    uint8_t *first = malloc(lab->kernel->output_max);
    CU_ASSERT_FATAL(first != NULL);
    for (uint32_t i = 0; i < cases; i++) {
        p2_lab_generate(lab, 2, i);
        lab->poison = 0;
        P2_ASSERT_EQUAL(p2_lab_run(lab), P2C2R_KERNEL_OK);
        size_t size = lab->size;
        memcpy(first, lab->output, size);
        lab->poison = 0xff;
        P2_ASSERT_EQUAL(p2_lab_run(lab), P2C2R_KERNEL_OK);
        P2_ASSERT_EQUAL(lab->size, size);
        P2_ASSERT_BYTES(lab->output, first, size);
    }
    lab->poison = 0xa5;
    free(first);
}

/* Runs whatever the case now is. */
static void lab_try(struct p2_lab *lab)
{
    int status = p2_lab_run(lab);
    CU_ASSERT(status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_BAD_INPUT);
    CU_ASSERT((lab_cost(lab) == 0) == (status == P2C2R_KERNEL_BAD_INPUT));
    int checked = p2_lab_check(lab, lab->output, status == P2C2R_KERNEL_OK ? lab->size : 0, 5);
    CU_ASSERT(status == P2C2R_KERNEL_OK ? checked == P2C2R_KERNEL_OK
                                        : checked == P2C2R_KERNEL_BAD_INPUT);
}

void p2_lab_malformed_input_is_refused(struct p2_lab *lab, uint32_t cases, uint32_t flips)
{
    struct p2_kernel_random random = p2_kernel_random_start(3, 0);
    for (uint32_t i = 0; i < cases; i++) {
        p2_lab_generate(lab, 3, i);
        size_t size = lab->test_case.input_size;
        for (size_t cut = 0; cut < size; cut = cut < 128 ? cut + 1 : cut + 1 + size / 16) {
            lab->test_case.input_size = cut;
            P2_ASSERT_EQUAL(p2_lab_run(lab), P2C2R_KERNEL_BAD_INPUT);
            P2_ASSERT_EQUAL(lab_cost(lab), 0);
        }
        lab->test_case.input[size] = 0;
        lab->test_case.input_size = size + 1;
        P2_ASSERT_EQUAL(p2_lab_run(lab), P2C2R_KERNEL_BAD_INPUT);
        lab->test_case.input_size = size;
        for (uint32_t k = 0; k < flips; k++) {
            /* Half of them where headers and tables are. */
            uint32_t range = (k & 1) != 0 && size > 128 ? 128 : (uint32_t)size;
            uint32_t at = p2_kernel_random_below(&random, range);
            uint8_t bit = (uint8_t)(1u << p2_kernel_random_below(&random, 8));
            lab->test_case.input[at] ^= bit;
            lab_try(lab);
            lab->test_case.input[at] ^= bit;
        }
    }
}

/* ---- mutations ------------------------------------------------------------------------------ */

enum { FLIP, BYTE, WORD, SWAP, CUT, GROW, BLANK, COPY, OTHER_CASE, GENERIC };

static const char *const generic_names[GENERIC] = {
    "one bit",     "one byte", "one word",       "two words swapped",
    "cut",         "grown",    "32 bytes blank", "32 bytes from elsewhere",
    "another case"};

static void lab_mutate(struct p2_lab *lab, uint32_t kind, struct p2_kernel_random *random,
                       const uint8_t *other, size_t other_size, uint8_t *result, size_t *size)
{
    uint32_t words = (uint32_t)*size / 4, bytes = (uint32_t)*size;
    uint32_t at = 4 * p2_kernel_random_below(random, words);
    uint32_t from = 4 * p2_kernel_random_below(random, words);
    uint32_t any = p2_kernel_random_below(random, bytes), piece = bytes < 32 ? bytes : 32;
    uint32_t place = p2_kernel_random_below(random, bytes - piece + 1);
    uint32_t source = p2_kernel_random_below(random, bytes - piece + 1);
    uint8_t word[4];
    switch (kind) {
    case FLIP:
        result[any] ^= (uint8_t)(1u << p2_kernel_random_below(random, 8));
        break;
    case BYTE:
        result[any] = (uint8_t)p2_kernel_random_u32(random);
        break;
    case WORD:
        p2_store_le32(result + at, p2_kernel_random_u32(random));
        break;
    case SWAP:
        memcpy(word, result + at, 4);
        memcpy(result + at, result + from, 4);
        memcpy(result + from, word, 4);
        break;
    case CUT:
        *size -= 1 + p2_kernel_random_below(random, bytes);
        break;
    case GROW:
        *size += 1 + p2_kernel_random_below(random, SPARE);
        break;
    case BLANK:
        memset(result + place, 0, piece);
        break;
    case COPY:
        memmove(result + place, result + source, piece);
        break;
    default:
        memcpy(result, other, other_size);
        *size = other_size;
        break;
    }
    (void)lab;
}

struct tally {
    uint32_t made, caught;
};

static void lab_judge(struct p2_lab *lab, struct p2_kernel_random *random, const uint8_t *result,
                      size_t size, struct tally *tally)
{
    if (size == lab->size && memcmp(result, lab->output, size) == 0) {
        return;
    }
    int status = p2_lab_check(lab, result, size, p2_kernel_random_u64(random));
    CU_ASSERT(status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_BAD_RESULT);
    tally->made++;
    tally->caught += status == P2C2R_KERNEL_BAD_RESULT;
}

uint32_t p2_lab_catch_rate_ppm(struct p2_lab *lab, uint32_t cases,
                               const struct p2_lab_mutations *own)
{
    struct tally tallies[32] = {{0, 0}}, all = {0, 0};
    size_t capacity = lab->kernel->output_max + SPARE, other_size = 0;
    uint8_t *other = malloc(capacity), *result = calloc(1, capacity);
    CU_ASSERT_FATAL(other != NULL && result != NULL && GENERIC + own->count <= 32);
    for (uint32_t i = 0; i < cases; i++) {
        struct p2_kernel_random random = p2_kernel_random_start(4, i);
        p2_lab_generate(lab, 4, i);
        CU_ASSERT_FATAL(p2_lab_run(lab) == P2C2R_KERNEL_OK);
        for (uint32_t kind = 0; kind < GENERIC + own->count; kind++) {
            size_t size = lab->size;
            memcpy(result, lab->output, size);
            if (kind == OTHER_CASE && other_size == 0) {
                continue;
            }
            if (kind < GENERIC) {
                lab_mutate(lab, kind, &random, other, other_size, result, &size);
            } else if (!own->mutate(lab, kind - GENERIC, &random, result, &size)) {
                continue;
            }
            lab_judge(lab, &random, result, size, &tallies[kind]);
        }
        memcpy(other, lab->output, lab->size);
        other_size = lab->size;
    }
    for (uint32_t kind = 0; kind < GENERIC + own->count; kind++) {
        (void)printf("    %-28s %4u of %4u caught\n",
                     kind < GENERIC ? generic_names[kind] : own->names[kind - GENERIC],
                     tallies[kind].caught, tallies[kind].made);
        all.made += tallies[kind].made;
        all.caught += tallies[kind].caught;
    }
    free(other);
    free(result);
    CU_ASSERT_FATAL(all.made > 0);
    uint32_t ppm = (uint32_t)((uint64_t)all.caught * 1000000u / all.made);
    (void)printf("    %s: catch rate %u.%04u\n", lab->kernel->name, ppm / 1000000u,
                 ppm % 1000000u / 100u);
    return ppm;
}
