/* Known answers, computed in the sandbox. One kernel at a time has buffers; each step is a task
 * whose callback starts the next. */
#include "exec/self_test.h"

#include "base/crypto.h"
#include "kernels/float_guard.h"

#include <stdlib.h>
#include <string.h>

/* Time one case may take. Chosen: a thousand times the median case, for machines under load. */
#define CASE_BUDGET_US 2000000u

struct self_test {
    struct p2_self_test_options options;
    struct p2_self_test_row rows[P2_SELF_TEST_MAX];
    struct p2_harness *harness; /* of the current kernel */
    struct p2_hasher hasher;
    size_t kernel;  /* the current one */
    uint32_t index; /* the current case */
    struct p2_span result;
    struct p2_blob_handle blobs[P2C2R_BLOBS_MAX];
    uint32_t blob_count; /* of `blobs` that the pool holds */
};

static void next_case(struct self_test *test);

static void drop_blobs(struct self_test *test)
{
    while (test->blob_count > 0) {
        /* Fails only when the pool closes, which forgets them anyway. */
        (void)p2_pool_blob_drop(test->options.pool, test->options.tag,
                                test->blobs[--test->blob_count]);
    }
}

/* Ends the current kernel with a verdict and goes on to the next one. */
static void end_kernel(struct self_test *test, enum p2_harness_verdict verdict)
{
    test->rows[test->kernel].verdict = verdict;
    drop_blobs(test);
    p2_harness_close(test->harness);
    test->harness = NULL;
    test->kernel++;
    test->index = 0;
    next_case(test);
}

static void on_task(void *ctx, const struct p2_task_result *result);

static int submit(struct self_test *test, enum p2_task_operation operation)
{
    const struct p2c2r_kernel_case *test_case = &test->harness->test_case;
    struct p2_exec_task task = {
        .authority = test->options.tag,
        .kernel = (uint32_t)test->kernel,
        .operation = operation,
        .input = {test_case->input, test_case->input_size},
        .result = test->result,
        .blobs = test->blobs,
        .blob_count = test->blob_count,
        .budget_us = CASE_BUDGET_US,
        .done = on_task,
        .ctx = test,
    };
    return p2_pool_submit(test->options.pool, &task, NULL);
}

/* All cases are digested: compares with the table. */
static void compare(struct self_test *test)
{
    uint8_t known[P2_HARNESS_DIGEST];
    uint8_t *digest = test->rows[test->kernel].digest;
    enum p2_harness_verdict verdict = P2_HARNESS_OK;
    p2_hasher_end(&test->hasher, digest);
    if (!p2_float_is_exact()) {
        verdict = P2_HARNESS_INEXACT_FLOAT;
    } else if (!p2_harness_known(test->options.kernels[test->kernel], known)) {
        verdict = P2_HARNESS_NO_ANSWER;
    } else if (memcmp(known, digest, sizeof known) != 0) {
        verdict = P2_HARNESS_WRONG_ANSWER;
    }
    end_kernel(test, verdict);
}

static void take_canonical(struct self_test *test, struct p2_span bytes)
{
    uint8_t size[8];
    p2_store_be64(size, bytes.size);
    p2_hasher_add(&test->hasher, p2_span(size, sizeof size));
    p2_hasher_add(&test->hasher, bytes);
    drop_blobs(test);
    test->result = p2_span(NULL, 0);
    test->index++;
    next_case(test);
}

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct self_test *test = ctx;
    const struct p2c2r_kernel *kernel = test->options.kernels[test->kernel];
    if (result->status != P2_TASK_OK) {
        end_kernel(test, P2_HARNESS_WRONG_ANSWER);
    } else if (kernel->canonical == NULL || test->result.data != NULL) {
        take_canonical(test, result->output);
    } else {
        P2_ASSERT(result->output.size <= P2C2R_OUTPUT_MAX);
        memcpy(test->harness->output, result->output.data, result->output.size);
        test->result = p2_span(test->harness->output, result->output.size);
        if (submit(test, P2_TASK_CANONICAL) != P2_OK) {
            end_kernel(test, P2_HARNESS_WRONG_ANSWER);
        }
    }
}

/* Puts the case's blobs into the pool. */
static int put_blobs(struct self_test *test)
{
    const struct p2c2r_kernel_case *test_case = &test->harness->test_case;
    for (uint32_t i = 0; i < test_case->blob_count; i++) {
        int error = p2_pool_blob_put(test->options.pool, test->options.tag,
                                     p2_span(test_case->blobs[i].data, test_case->blobs[i].size),
                                     &test->blobs[i]);
        if (error != P2_OK) {
            return error;
        }
        test->blob_count++;
    }
    return P2_OK;
}

static int start_case(struct self_test *test)
{
    if (test->index == 0) {
        int error = p2_harness_open(&test->harness, test->options.kernels[test->kernel]);
        if (error != P2_OK) {
            return error;
        }
        p2_hasher_init(&test->hasher, P2_HARNESS_DIGEST);
    }
    p2_harness_generate(test->harness, P2_HARNESS_KNOWN_SEED, test->index);
    int error = put_blobs(test);
    return error == P2_OK ? submit(test, P2_TASK_RUN) : error;
}

/* Starts the current case, or ends kernels and the whole test. Kernels that cannot even start are
 * skipped here in a loop, so that nothing recurses through the whole table. */
static void next_case(struct self_test *test)
{
    while (test->kernel < test->options.count) {
        if (test->index == P2_HARNESS_KNOWN_CASES) {
            compare(test);
            return;
        }
        if (start_case(test) == P2_OK) {
            return;
        }
        drop_blobs(test);
        p2_harness_close(test->harness);
        test->harness = NULL;
        test->rows[test->kernel++].verdict = P2_HARNESS_WRONG_ANSWER;
        test->index = 0;
    }
    test->options.done(test->options.ctx, test->rows);
    free(test);
}

uint64_t p2_self_test_blob_bytes(const struct p2c2r_kernel *const *kernels, size_t count)
{
    uint64_t most = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = (uint64_t)kernels[i]->blobs_max * (kernels[i]->blob_max + 64);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int p2_self_test_start(const struct p2_self_test_options *options)
{
    if (options->count == 0 || options->count > P2_SELF_TEST_MAX) {
        return P2_E_INVALID;
    }
    struct self_test *test = calloc(1, sizeof *test);
    if (test == NULL) {
        return P2_E_NOMEM;
    }
    test->options = *options;
    int error = start_case(test);
    if (error != P2_OK) {
        p2_harness_close(test->harness);
        free(test);
    }
    return error;
}
