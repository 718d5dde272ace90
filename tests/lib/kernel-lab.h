/* A bench for task kernels: storage of the declared sizes, and the promises every kernel makes,
 * to be called from the test of each kernel. */
#ifndef P2_TESTS_LIB_KERNEL_LAB_H
#define P2_TESTS_LIB_KERNEL_LAB_H

#include "kernels/pack.h"

struct p2_lab {
    const struct p2c2r_kernel *kernel;
    struct p2c2r_kernel_case test_case; /* its input is owned and writable */
    uint8_t *output;                    /* output[kernel->output_max] */
    uint8_t *arena;
    uint8_t poison; /* what fills the arena before each call */
    size_t size;    /* bytes of the last result */
};

/* Allocates; the kernel takes no blobs. 0, or -1 without memory: what a suite's start returns. */
int p2_lab_open(struct p2_lab *lab, const struct p2c2r_kernel *kernel);
void p2_lab_close(struct p2_lab *lab);

/* The generated case `index`. */
void p2_lab_generate(struct p2_lab *lab, uint64_t seed, uint32_t index);

/* Runs the case with a poisoned arena into lab->output. Returns the kernel's status. */
int p2_lab_run(struct p2_lab *lab);
/* Checks result[size] for the case. */
int p2_lab_check(struct p2_lab *lab, const uint8_t *result, size_t size, uint64_t secret);

/* ---- promises ------------------------------------------------------------------------------- */

/* Generated cases run, fit, pass their check under several secrets and cost something. */
void p2_lab_generated_cases_pass(struct p2_lab *lab, uint32_t cases);

/* The output does not depend on what the arena held. */
void p2_lab_arena_does_not_matter(struct p2_lab *lab, uint32_t cases);

/* Cut and bit-flipped inputs give an error or a valid result, never anything else; cost is 0 for
 * exactly the malformed ones. */
void p2_lab_malformed_input_is_refused(struct p2_lab *lab, uint32_t cases, uint32_t flips);

/* Wrong results that look right. A kernel's own kinds come through `mutate`: it changes
 * result[*size] (capacity output_max + 64) in the way number `kind`; false when it cannot. */
struct p2_lab_mutations {
    bool (*mutate)(struct p2_lab *lab, uint32_t kind, struct p2_kernel_random *random,
                   uint8_t *result, size_t *size);
    const char *const *names; /* names[count] of the kinds */
    uint32_t count;
};

/* Mutates results of `cases` cases in every way, prints the share that check catches per way and
 * returns the share of all, in ppm. Mutations that change nothing do not count. */
uint32_t p2_lab_catch_rate_ppm(struct p2_lab *lab, uint32_t cases,
                               const struct p2_lab_mutations *own);

#endif
