/* The commands of p2c2r-kernel. Thread: main only. */
#ifndef P2_KERNELS_TOOL_COMMANDS_H
#define P2_KERNELS_TOOL_COMMANDS_H

#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses. */
#define P2_TOOL_OK      0 /* done, and everything was right */
#define P2_TOOL_FAILED  1 /* done, and something was wrong: a result, a known answer, a path */
#define P2_TOOL_USAGE   2 /* the command line is wrong */
#define P2_TOOL_TROUBLE 3 /* a file, memory, or input the kernel refuses */

#define P2_TOOL_OPERANDS_MAX 2

struct p2_tool_options {
    const char *operands[P2_TOOL_OPERANDS_MAX]; /* after the command; NULL when not given */
    const char *blobs[P2C2R_BLOBS_MAX];         /* --blob, in order */
    uint32_t blob_count;
    const char *result; /* --result FILE */
    uint64_t seed;      /* --seed */
    uint64_t secret;    /* --secret */
    uint32_t cases;     /* --cases; 0: the command's own number */
    uint32_t index;     /* --index */
    uint32_t limit;     /* --limit; 0: all */
    bool is_small;      /* --small */
};

/* Each returns an exit status and reports trouble on stderr. */
int p2_tool_list(const struct p2_tool_options *options);
int p2_tool_selftest(const struct p2_tool_options *options);
int p2_tool_generate(const struct p2_tool_options *options);
int p2_tool_run(const struct p2_tool_options *options);
int p2_tool_check(const struct p2_tool_options *options);
int p2_tool_bench(const struct p2_tool_options *options);
int p2_tool_digest(const struct p2_tool_options *options);
int p2_tool_mutate(const struct p2_tool_options *options);
int p2_tool_movingai(const struct p2_tool_options *options);

#endif
