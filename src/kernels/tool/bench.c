/* How long kernels take, and how well their cost models know it. */
#include "kernels/tool/commands.h"

#include "kernels/harness.h"
#include "kernels/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_CASES     100u   /* default of --cases; chosen: half a second per kernel */
#define BENCH_CASES_MAX 10000u /* chosen: bounds the memory of the table */
/* The fastest of PASSES x REPEATS counts: the others met other programs, which take processor time
 * through caches and shared cores. Passes lie far apart in time, repeats follow each other. */
#define PASSES  3u
#define REPEATS 2u

struct sample {
    double run_us, check_us, ratio; /* ratio: predicted cost / run time */
};

/* CPU time of this process: other programs on the machine do not count. */
static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* cannot fail for this clock */
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The p-th part (0..1) of one field of the samples in rising order. `sorted[count]` is scratch. */
static double quantile(const struct sample *samples, size_t field, uint32_t count, double *sorted,
                       double p)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&sorted[i], (const uint8_t *)&samples[i] + field, sizeof sorted[i]);
    }
    qsort(sorted, count, sizeof sorted[0], compare_doubles);
    return sorted[(size_t)(p * (double)(count - 1))];
}

/* Measures the current case once more; keeps the shortest times. */
static int measure(struct p2_harness *harness, struct sample *sample, size_t *ret_bytes)
{
    struct p2_span result = {NULL, 0};
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        const double start = now_us();
        int status = p2_harness_run(harness, &result);
        const double middle = now_us();
        if (status == P2C2R_KERNEL_OK) {
            status = p2_harness_check(harness, result, repeat);
        }
        const double end = now_us();
        if (status != P2C2R_KERNEL_OK) {
            return status;
        }
        sample->run_us = middle - start < sample->run_us ? middle - start : sample->run_us;
        sample->check_us = end - middle < sample->check_us ? end - middle : sample->check_us;
    }
    sample->ratio = (double)p2_harness_cost(harness) / sample->run_us;
    *ret_bytes = harness->test_case.input_size + result.size;
    return P2C2R_KERNEL_OK;
}

static void report(const struct p2c2r_kernel *kernel, const struct sample *samples, uint32_t count,
                   double *sorted, double bytes)
{
    double total_us = 0;
    uint32_t within = 0;
    for (uint32_t i = 0; i < count; i++) {
        total_us += samples[i].run_us;
        within += samples[i].ratio >= 0.5 && samples[i].ratio <= 2.0;
    }
    const size_t run = offsetof(struct sample, run_us), check = offsetof(struct sample, check_us);
    const size_t ratio = offsetof(struct sample, ratio);
    (void)printf(
        "%-24s %6" PRIu32 " %10.1f %10.1f %9.1f %9.1f %9" PRIu32 " %7.1f %6.2f %6.2f %6.2f %8.1f\n",
        kernel->name, count, quantile(samples, run, count, sorted, 0.5),
        quantile(samples, run, count, sorted, 1.0), quantile(samples, check, count, sorted, 0.5),
        quantile(samples, check, count, sorted, 1.0), kernel->check_bound_us,
        100.0 * within / count, quantile(samples, ratio, count, sorted, 0.05),
        quantile(samples, ratio, count, sorted, 0.5), quantile(samples, ratio, count, sorted, 0.95),
        bytes / total_us);
}

static int bench_one(const struct p2c2r_kernel *kernel, const struct p2_tool_options *options)
{
    struct p2_harness *harness = NULL;
    const uint32_t count =
        options->cases > 0 && options->cases <= BENCH_CASES_MAX ? options->cases : BENCH_CASES;
    struct sample *samples = calloc(count, sizeof *samples);
    double *sorted = calloc(count, sizeof *sorted), bytes = 0;
    int exit_status = P2_TOOL_TROUBLE;
    if (samples == NULL || sorted == NULL || p2_harness_open(&harness, kernel) != 0) {
        (void)fprintf(stderr, "p2c2r-kernel: no memory for %s\n", kernel->name);
        goto out;
    }
    harness->test_case.is_small = options->is_small ? 1 : 0;
    for (uint32_t i = 0; i < count; i++) {
        samples[i].run_us = samples[i].check_us = 1e18;
    }
    for (uint32_t k = 0; k < PASSES * count; k++) {
        const uint32_t i = k % count;
        size_t size = 0;
        p2_harness_generate(harness, options->seed, i);
        const int status = measure(harness, &samples[i], &size);
        if (status != P2C2R_KERNEL_OK) {
            (void)fprintf(stderr, "p2c2r-kernel: %s: case %" PRIu32 " ends as %s\n", kernel->name,
                          i, p2_harness_status_name(status));
            goto out;
        }
        bytes += (double)size / PASSES;
    }
    report(kernel, samples, count, sorted, bytes);
    exit_status = P2_TOOL_OK;
out:
    p2_harness_close(harness);
    free(samples);
    free(sorted);
    return exit_status;
}

int p2_tool_bench(const struct p2_tool_options *options)
{
    int worst = P2_TOOL_OK;
    if (options->operands[0] != NULL && p2_kernel_find(options->operands[0]) == NULL) {
        (void)fprintf(stderr, "p2c2r-kernel: there is no kernel %s\n", options->operands[0]);
        return P2_TOOL_USAGE;
    }
    (void)printf("%-24s %6s %10s %10s %9s %9s %9s %7s %6s %6s %6s %8s\n", "kernel", "cases",
                 "median us", "max us", "check us", "chk max", "chk bound", "in 2x %", "p05", "p50",
                 "p95", "MB/s");
    for (size_t i = 0; i < p2_kernel_count(); i++) {
        const struct p2c2r_kernel *kernel = p2_kernel_at(i);
        if (options->operands[0] == NULL || strcmp(options->operands[0], kernel->name) == 0) {
            const int status = bench_one(kernel, options);
            worst = status > worst ? status : worst;
            (void)fflush(stdout); /* progress; a write error is seen at the next one */
        }
    }
    return worst;
}
