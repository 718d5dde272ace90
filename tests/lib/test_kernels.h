/* Kernels for testing the execution module: simple ones with answers anybody can compute, and
 * hostile ones that do what a kernel must never do. */
#ifndef P2_TESTS_LIB_TEST_KERNELS_H
#define P2_TESTS_LIB_TEST_KERNELS_H

#include "p2c2r/kernel.h"

#include <stddef.h>

/* The table's order. */
enum p2_test_kernel {
    P2_TEST_ECHO,  /* output = input; check: result = input; canonical: the result reversed */
    P2_TEST_SUM,   /* u64 LE: the sum of all input and blob bytes */
    P2_TEST_WORK,  /* input u32 LE: that many thousand steps of arithmetic; output the outcome */
    P2_TEST_FLOAT, /* input byte 1: flush small numbers from now on; output 1 if they are flushed */
    P2_TEST_ARENA, /* output the arena's first and last 16 bytes as found, then fills it with 1 */
    P2_TEST_SEARCH, /* input: 16 bytes, inverted; output u32 LE: how often they stand in the slot */
    P2_TEST_MISDEED, /* input byte: an enum p2_test_misdeed */
    P2_TEST_ESCAPE,  /* input byte: a number below p2_test_escape_count(); u32 LE: a process */
    P2_TEST_KERNEL_COUNT
};

enum p2_test_misdeed {
    P2_MISDEED_LOOP,          /* never returns */
    P2_MISDEED_SLEEP,         /* waits for ever without using the CPU */
    P2_MISDEED_MALLOC,        /* malloc until it fails, touching all */
    P2_MISDEED_MMAP,          /* mmap until it fails */
    P2_MISDEED_RECURSE,       /* without end */
    P2_MISDEED_WILD_STORE,    /* to an address that is not mapped */
    P2_MISDEED_NULL_STORE,    /* to address 8 */
    P2_MISDEED_CODE_STORE,    /* into its own code */
    P2_MISDEED_INPUT_STORE,   /* into its input */
    P2_MISDEED_INPUT_BEYOND,  /* reads 64 KiB behind its input */
    P2_MISDEED_OUTPUT_BEYOND, /* writes behind the output area */
    P2_MISDEED_OUTPUT_BEFORE, /* writes before the output area */
    P2_MISDEED_ARENA_BEYOND,  /* writes behind its arena */
    P2_MISDEED_BLOB_STORE,    /* into its first blob */
    P2_MISDEED_DIVIDE,        /* by zero */
    P2_MISDEED_ABORT,
    P2_MISDEED_ILLEGAL,      /* instruction */
    P2_MISDEED_EXIT,         /* with status 0 */
    P2_MISDEED_LIE_LENGTH,   /* says OK and a length above its capacity */
    P2_MISDEED_LIE_HUGE,     /* says OK and SIZE_MAX */
    P2_MISDEED_LIE_STATUS,   /* returns 7 */
    P2_MISDEED_LIE_PROTOCOL, /* writes to its reply: answers a hand-over that was never made */
    P2_MISDEED_SIGNALS,      /* signals the daemon again and again, never answers */
    P2_MISDEED_CLOCK,        /* reads the time stamp counter, where there is one */
    P2_MISDEED_COUNT
};

/* kernels[P2_TEST_KERNEL_COUNT]. Static. */
extern const struct p2c2r_kernel *const p2_test_kernels[P2_TEST_KERNEL_COUNT];

/* The forbidden actions of P2_TEST_ESCAPE. A kernel that survives one answers OK with
 * i64 LE result, i32 LE errno. */
size_t p2_test_escape_count(void);
const char *p2_test_escape_name(size_t index);

#endif
