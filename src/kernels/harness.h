/* Drives one kernel outside the sandbox: buffers of the declared sizes, known answers, digests, and
 * a corpus of mutated results that measures what a kernel's check catches. For p2c2r-kernel, the
 * tests and the self-test of a helper. Shell side: allocates; does not read a clock.
 *
 * Thread: a harness belongs to one thread. */
#ifndef P2_KERNELS_HARNESS_H
#define P2_KERNELS_HARNESS_H

#include "base/buf.h"
#include "base/rng.h"
#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A digest of canonical outputs: BLAKE2b-256. */
#define P2_HARNESS_DIGEST 32

struct p2_harness {
    const struct p2c2r_kernel *kernel;
    struct p2c2r_kernel_case test_case; /* the current input and blobs; is_small stays as set */
    uint8_t *output;                    /* of run */
    uint8_t *canonical;                 /* of canonical */
    uint8_t *mutant;                    /* of p2_harness_mutate */
    uint8_t *other;                     /* a copy of another case's result */
    uint8_t *arena;
    uint8_t *arena_memory; /* what arena was cut from */
};

/* Gives a harness for `kernel`; close it. P2_E_NOMEM. The arena is filled with a pattern. */
int p2_harness_open(struct p2_harness **ret_harness, const struct p2c2r_kernel *kernel);
void p2_harness_close(struct p2_harness *harness);

/* Overwrites the arena, so that a kernel that reads what it did not write is found. */
void p2_harness_poison(struct p2_harness *harness, uint8_t pattern);

/* Makes generated case (seed, index) the current one. */
void p2_harness_generate(struct p2_harness *harness, uint64_t seed, uint32_t index);

/* Makes foreign bytes the current case. P2_E_TOO_BIG beyond the ABI's limits. */
int p2_harness_load(struct p2_harness *harness, struct p2_span input, const struct p2_span *blobs,
                    uint32_t blob_count);

/* Each calls the kernel's function on the current case and returns an enum p2c2r_kernel_status.
 * Results are borrowed until the next call of the same function. */
int p2_harness_run(struct p2_harness *harness, struct p2_span *ret_result);
int p2_harness_check(struct p2_harness *harness, struct p2_span result, uint64_t secret);
int p2_harness_canonical(struct p2_harness *harness, struct p2_span result,
                         struct p2_span *ret_bytes);
uint64_t p2_harness_cost(const struct p2_harness *harness);

/* The name of an enum p2c2r_kernel_status, "BAD_INPUT". Static. */
const char *p2_harness_status_name(int status);

/* BLAKE2b over (size, canonical bytes) of the cases 0 .. cases - 1 of `seed`, size as 8 bytes.
 * Returns the first status that is not OK. */
int p2_harness_digest(struct p2_harness *harness, uint64_t seed, uint32_t cases,
                      uint8_t ret_digest[P2_HARNESS_DIGEST]);

/* ---- known answers -------------------------------------------------------------------------- */

/* The cases a self-test runs. Chosen: all kernels together stay below a fifth of a second. */
#define P2_HARNESS_KNOWN_CASES 16u
#define P2_HARNESS_KNOWN_SEED  UINT64_C(1)

/* The digest that every build of this kernel and version has for those cases, from known.def.
 * False when the table has no row. */
bool p2_harness_known(const struct p2c2r_kernel *kernel, uint8_t ret_digest[P2_HARNESS_DIGEST]);

enum p2_harness_verdict {
    P2_HARNESS_OK,
    P2_HARNESS_NO_ANSWER,    /* the table has no row for this kernel and version */
    P2_HARNESS_WRONG_ANSWER, /* some case failed or its bytes differ */
    P2_HARNESS_INEXACT_FLOAT /* this build contracts floating point: no kernel may be offered */
};

/* Compares the digest of a few fixed cases with the table known.def. */
enum p2_harness_verdict p2_harness_selftest(struct p2_harness *harness,
                                            uint8_t ret_digest[P2_HARNESS_DIGEST]);
const char *p2_harness_verdict_text(enum p2_harness_verdict verdict);

/* ---- mutated results ------------------------------------------------------------------------ */

enum p2_harness_mutation {
    P2_MUTATE_BIT,      /* one bit flipped */
    P2_MUTATE_BYTE,     /* one byte replaced */
    P2_MUTATE_WORD,     /* 2, 4 or 8 bytes replaced */
    P2_MUTATE_STEP,     /* a number of 1, 2 or 4 bytes off by one */
    P2_MUTATE_TRUNCATE, /* bytes missing at the end */
    P2_MUTATE_EXTEND,   /* bytes too many at the end */
    P2_MUTATE_OTHER,    /* the result of another case */
    P2_MUTATE_SWAP,     /* two regions swapped */
    P2_MUTATE_ZERO,     /* a region zeroed */
    P2_MUTATE_COPY,     /* a region overwritten by another one */
    P2_MUTATIONS
};

/* "bit flip" and so on. Static. */
const char *p2_harness_mutation_name(enum p2_harness_mutation mutation);

/* Writes a mutation of `result` into the harness and returns it, borrowed until the next call.
 * `other` is the result of another case (for P2_MUTATE_OTHER). It may happen to equal `result`. */
struct p2_span p2_harness_mutate(struct p2_harness *harness, struct p2_rng *rng,
                                 enum p2_harness_mutation mutation, struct p2_span result,
                                 struct p2_span other);

struct p2_mutation_count {
    uint64_t wrong;  /* mutants whose canonical bytes differ from the right ones, or have none */
    uint64_t caught; /* of those, refused by check */
};

struct p2_mutation_report {
    struct p2_mutation_count by_kind[P2_MUTATIONS];
    struct p2_mutation_count total;
    uint64_t checked;      /* checks of right results */
    uint64_t false_alarms; /* of those, refused */
};

/* Runs the cases 0 .. cases - 1 of `seed`: four checks of the right result and two mutants of each
 * kind, every check with a fresh secret. Returns a status that is not OK when a run fails. */
int p2_harness_measure_check(struct p2_harness *harness, uint64_t seed, uint32_t cases,
                             struct p2_mutation_report *ret_report);

#endif
