/* Commands that work on one case or on all kernels. */
#include "kernels/tool/commands.h"

#include "kernels/harness.h"
#include "kernels/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Defaults of --cases. Chosen: a few seconds per kernel. */
#define DIGEST_CASES 300u
#define MUTATE_CASES 200u

/* ---- kernels -------------------------------------------------------------------------------- */

/* Calls `work` for the kernel named by the first operand, or for all. Returns the worst status. */
static int for_kernels(const struct p2_tool_options *options,
                       int (*work)(struct p2_harness *harness,
                                   const struct p2_tool_options *options))
{
    int worst = P2_TOOL_OK;
    bool is_found = false;
    for (size_t i = 0; i < p2_kernel_count(); i++) {
        const struct p2c2r_kernel *kernel = p2_kernel_at(i);
        struct p2_harness *harness = NULL;
        if (options->operands[0] != NULL && strcmp(options->operands[0], kernel->name) != 0) {
            continue;
        }
        is_found = true;
        if (p2_harness_open(&harness, kernel) != 0) {
            (void)fprintf(stderr, "p2c2r-kernel: no memory for %s\n", kernel->name);
            return P2_TOOL_TROUBLE;
        }
        harness->test_case.is_small = options->is_small ? 1 : 0;
        const int status = work(harness, options);
        p2_harness_close(harness);
        (void)fflush(stdout); /* progress; a write error is seen at the next one */
        worst = status > worst ? status : worst;
    }
    if (!is_found) {
        (void)fprintf(stderr, "p2c2r-kernel: there is no kernel %s; see p2c2r-kernel list\n",
                      options->operands[0] != NULL ? options->operands[0] : "");
        return P2_TOOL_USAGE;
    }
    return worst;
}

static void print_digest(const uint8_t digest[P2_HARNESS_DIGEST])
{
    for (size_t i = 0; i < P2_HARNESS_DIGEST; i++) {
        (void)printf("%02x", digest[i]);
    }
}

static int kernel_trouble(const struct p2_harness *harness, const char *what, int status)
{
    (void)fprintf(stderr, "p2c2r-kernel: %s: %s: %s\n", harness->kernel->name, what,
                  p2_harness_status_name(status));
    return P2_TOOL_TROUBLE;
}

int p2_tool_list(const struct p2_tool_options *options)
{
    (void)options;
    (void)printf("%-24s %7s %-5s %-7s %9s %9s %5s %9s %8s\n", "kernel", "version", "kind",
                 "privacy", "input", "output", "blobs", "arena", "check us");
    for (size_t i = 0; i < p2_kernel_count(); i++) {
        const struct p2c2r_kernel *kernel = p2_kernel_at(i);
        (void)printf(
            "%-24s %7" PRIu32 " %-5s %-7s %9zu %9zu %5" PRIu32 " %9zu %8" PRIu32 "\n", kernel->name,
            kernel->version, kernel->kind == P2C2R_KERNEL_STATE ? "STATE" : "VIEW",
            kernel->privacy == P2C2R_KERNEL_P0 ? "P0" : "P1", kernel->input_max, kernel->output_max,
            kernel->blobs_max, kernel->arena_bytes, kernel->check_bound_us);
    }
    return P2_TOOL_OK;
}

static int selftest_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    uint8_t digest[P2_HARNESS_DIGEST];
    const enum p2_harness_verdict verdict = p2_harness_selftest(harness, digest);
    (void)options;
    (void)printf("%-24s version %" PRIu32 " %s ", harness->kernel->name, harness->kernel->version,
                 p2_harness_verdict_text(verdict));
    print_digest(digest);
    (void)printf("\n");
    return verdict == P2_HARNESS_OK ? P2_TOOL_OK : P2_TOOL_FAILED;
}

int p2_tool_selftest(const struct p2_tool_options *options)
{
    return for_kernels(options, selftest_one);
}

static int digest_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    uint8_t digest[P2_HARNESS_DIGEST];
    const uint32_t cases = options->cases > 0 ? options->cases : DIGEST_CASES;
    const int status = p2_harness_digest(harness, options->seed, cases, digest);
    if (status != P2C2R_KERNEL_OK) {
        return kernel_trouble(harness, "a generated case ends as", status);
    }
    print_digest(digest);
    (void)printf("  %s version %" PRIu32 " cases %" PRIu32 "%s\n", harness->kernel->name,
                 harness->kernel->version, cases, options->is_small ? " small" : "");
    return P2_TOOL_OK;
}

int p2_tool_digest(const struct p2_tool_options *options)
{
    return for_kernels(options, digest_one);
}

static double rate_of(const struct p2_mutation_count *count)
{
    return count->wrong > 0 ? (double)count->caught / (double)count->wrong : 1.0;
}

static int mutate_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    struct p2_mutation_report report;
    const uint32_t cases = options->cases > 0 ? options->cases : MUTATE_CASES;
    const int status = p2_harness_measure_check(harness, options->seed, cases, &report);
    if (status != P2C2R_KERNEL_OK) {
        return kernel_trouble(harness, "a generated case ends as", status);
    }
    for (unsigned i = 0; i < P2_MUTATIONS; i++) {
        (void)printf("  %-16s caught %6" PRIu64 " of %6" PRIu64 "  %.4f\n",
                     p2_harness_mutation_name((enum p2_harness_mutation)i),
                     report.by_kind[i].caught, report.by_kind[i].wrong,
                     rate_of(&report.by_kind[i]));
    }
    (void)printf("%s version %" PRIu32 " cases %" PRIu32 " catch rate %.4f (%" PRIu64 " of %" PRIu64
                 ") false alarms %" PRIu64 " of %" PRIu64 "\n",
                 harness->kernel->name, harness->kernel->version, cases, rate_of(&report.total),
                 report.total.caught, report.total.wrong, report.false_alarms, report.checked);
    return report.false_alarms == 0 ? P2_TOOL_OK : P2_TOOL_FAILED;
}

int p2_tool_mutate(const struct p2_tool_options *options)
{
    return for_kernels(options, mutate_one);
}

/* ---- one case ------------------------------------------------------------------------------- */

/* Reads at most `limit` bytes. Gives: free() the data. False after a message. */
static bool read_all(FILE *file, const char *name, size_t limit, struct p2_span *ret_bytes)
{
    uint8_t *data = malloc(limit + 1);
    const size_t size = data != NULL && file != NULL ? fread(data, 1, limit + 1, file) : 0;
    if (data == NULL || file == NULL || ferror(file) != 0 || size > limit) {
        (void)fprintf(stderr, "p2c2r-kernel: cannot read %s (at most %zu bytes)\n", name, limit);
        free(data);
        return false;
    }
    *ret_bytes = p2_span(data, size);
    return true;
}

static bool read_file(const char *path, size_t limit, struct p2_span *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    const bool is_read = read_all(file, path, limit, ret_bytes);
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    return is_read;
}

/* The bytes of a span this file allocated. */
static void free_span(struct p2_span span)
{
    union {
        const uint8_t *data;
        void *memory;
    } owner = {.data = span.data};
    free(owner.memory);
}

/* Input from stdin and blobs from files into the harness. */
static bool load_case(struct p2_harness *harness, const struct p2_tool_options *options)
{
    struct p2_span input = {NULL, 0}, blobs[P2C2R_BLOBS_MAX];
    uint32_t count = 0;
    bool is_loaded = read_all(stdin, "the input", P2C2R_INPUT_MAX, &input);
    while (is_loaded && count < options->blob_count) {
        is_loaded = read_file(options->blobs[count], P2C2R_BLOB_MAX, &blobs[count]);
        count += is_loaded;
    }
    if (is_loaded && p2_harness_load(harness, input, blobs, count) != 0) {
        (void)fprintf(stderr, "p2c2r-kernel: %s takes %" PRIu32 " blobs of %zu bytes\n",
                      harness->kernel->name, harness->kernel->blobs_max, harness->kernel->blob_max);
        is_loaded = false;
    }
    while (count > 0) {
        free_span(blobs[--count]);
    }
    free_span(input);
    return is_loaded;
}

static bool write_all(FILE *file, const char *name, struct p2_span bytes)
{
    if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
        fflush(file) != 0) {
        (void)fprintf(stderr, "p2c2r-kernel: cannot write %s\n", name);
        return false;
    }
    return true;
}

static int generate_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    const struct p2c2r_kernel_case *test_case = &harness->test_case;
    p2_harness_generate(harness, options->seed, options->index);
    if (test_case->blob_count > options->blob_count) {
        (void)fprintf(stderr,
                      "p2c2r-kernel: the case has %" PRIu32 " blobs; name a --blob for each\n",
                      test_case->blob_count);
        return P2_TOOL_USAGE;
    }
    for (uint32_t i = 0; i < test_case->blob_count; i++) {
        FILE *file = fopen(options->blobs[i], "wb");
        const bool is_written = write_all(
            file, options->blobs[i], p2_span(test_case->blobs[i].data, test_case->blobs[i].size));
        if (file == NULL || fclose(file) != 0 || !is_written) {
            return P2_TOOL_TROUBLE;
        }
    }
    return write_all(stdout, "the input", p2_span(test_case->input, test_case->input_size))
               ? P2_TOOL_OK
               : P2_TOOL_TROUBLE;
}

int p2_tool_generate(const struct p2_tool_options *options)
{
    return for_kernels(options, generate_one);
}

static int run_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    struct p2_span result;
    if (!load_case(harness, options)) {
        return P2_TOOL_TROUBLE;
    }
    const int status = p2_harness_run(harness, &result);
    if (status != P2C2R_KERNEL_OK) {
        return kernel_trouble(harness, "run", status);
    }
    return write_all(stdout, "the result", result) ? P2_TOOL_OK : P2_TOOL_TROUBLE;
}

int p2_tool_run(const struct p2_tool_options *options)
{
    return for_kernels(options, run_one);
}

static int check_one(struct p2_harness *harness, const struct p2_tool_options *options)
{
    struct p2_span result;
    if (options->result == NULL) {
        (void)fprintf(stderr, "p2c2r-kernel: check needs --result FILE\n");
        return P2_TOOL_USAGE;
    }
    if (!load_case(harness, options) || !read_file(options->result, P2C2R_OUTPUT_MAX, &result)) {
        return P2_TOOL_TROUBLE;
    }
    const int status = p2_harness_check(harness, result, options->secret);
    free_span(result);
    (void)printf("%s\n", p2_harness_status_name(status));
    if (status == P2C2R_KERNEL_OK) {
        return P2_TOOL_OK;
    }
    return status == P2C2R_KERNEL_BAD_RESULT ? P2_TOOL_FAILED : P2_TOOL_TROUBLE;
}

int p2_tool_check(const struct p2_tool_options *options)
{
    return for_kernels(options, check_one);
}
