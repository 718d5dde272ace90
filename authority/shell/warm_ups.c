/* One kernel after the other; each task's callback starts the next. */
#include "authority/shell/warm_ups.h"

#include "base/crypto.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Which case. Chosen: any series that is not the known answers', which everybody has. */
#define SERIES UINT64_C(0x7761726d)
#define TRIES  16u

/* Most predicted cost. Chosen: a hundredth of the time a helper has for it (limits.h). */
#define COST_MAX  20000u
#define BUDGET_US 2000000u

static void go_on(struct p2_warm_ups *warm);

static void drop(struct p2_warm_ups *warm)
{
    warm->usable &= ~(1u << warm->next);
    warm->next++;
}

static int submit(struct p2_warm_ups *warm, enum p2_task_operation operation);

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct p2_warm_ups *warm = ctx;
    struct p2_core_kernel *kernel = &warm->kernels[warm->next];
    bool is_canonical = warm->table[warm->next]->canonical == NULL || warm->result.size > 0;
    if (result->status == P2_TASK_OK && is_canonical) {
        p2_hash(kernel->warm_digest, sizeof kernel->warm_digest, &result->output, 1);
        warm->next++;
        go_on(warm);
    } else if (result->status == P2_TASK_OK &&
               p2_buf_append(&warm->result, result->output) == P2_OK &&
               submit(warm, P2_TASK_CANONICAL) == P2_OK) {
        /* on_task comes again */
    } else {
        drop(warm);
        go_on(warm);
    }
}

static int submit(struct p2_warm_ups *warm, enum p2_task_operation operation)
{
    const struct p2_exec_task task = {
        .authority = warm->tag,
        .kernel = warm->next,
        .operation = operation,
        .input = warm->kernels[warm->next].warm_input,
        .result = p2_buf_span(&warm->result),
        .budget_us = BUDGET_US,
        .done = on_task,
        .ctx = warm,
    };
    return p2_pool_submit(warm->pool, &task, NULL);
}

/* Generates the cheapest of a few cases. */
static int generate(struct p2_warm_ups *warm, uint32_t at)
{
    const struct p2c2r_kernel *kernel = warm->table[at];
    struct p2_core_kernel *about = &warm->kernels[at];
    struct p2c2r_kernel_case made = {0};
    uint8_t *input = malloc(P2C2R_INPUT_MAX);
    if (input == NULL) {
        return P2_E_NOMEM;
    }
    for (uint32_t i = 0; i < TRIES; i++) {
        made.input = input;
        kernel->generate(SERIES, i, &made);
        struct p2c2r_bytes bytes = {input, made.input_size};
        uint64_t cost = kernel->cost(bytes, NULL, 0);
        if (cost == 0 || cost > COST_MAX || (about->warm_cost != 0 && cost >= about->warm_cost)) {
            continue;
        }
        uint8_t *copy = realloc(warm->inputs[at], made.input_size > 0 ? made.input_size : 1);
        if (copy == NULL) {
            free(input);
            return P2_E_NOMEM;
        }
        memcpy(copy, input, made.input_size);
        warm->inputs[at] = copy;
        about->warm_cost = cost;
        about->warm_input = p2_span(copy, made.input_size);
    }
    free(input);
    return P2_OK;
}

static void go_on(struct p2_warm_ups *warm)
{
    for (; warm->next < warm->count; warm->next++) {
        if (warm->kernels[warm->next].warm_input.size == 0) {
            continue;
        }
        p2_buf_clear(&warm->result);
        if (submit(warm, P2_TASK_RUN) == P2_OK) {
            return;
        }
        warm->usable &= ~(1u << warm->next);
    }
    warm->on_done(warm->ctx);
}

int p2_warm_ups_start(struct p2_warm_ups *warm, struct p2_pool *pool, uint64_t tag,
                      const struct p2c2r_kernel *const *table, uint32_t count,
                      const struct p2_self_test_row *rows, void (*on_done)(void *ctx), void *ctx)
{
    memset(warm, 0, sizeof *warm);
    if (count > P2_CORE_KERNELS_MAX) {
        return P2_E_LIMIT;
    }
    p2_buf_init(&warm->result, P2C2R_OUTPUT_MAX);
    warm->pool = pool;
    warm->tag = tag;
    warm->table = table;
    warm->count = count;
    warm->on_done = on_done;
    warm->ctx = ctx;
    for (uint32_t i = 0; i < count; i++) {
        struct p2_core_kernel *kernel = &warm->kernels[i];
        bool is_good = rows[i].verdict == P2_HARNESS_OK;
        kernel->name = is_good ? table[i]->name : "";
        kernel->version = table[i]->version;
        kernel->warm_output_max = (uint32_t)table[i]->output_max;
        memcpy(kernel->digest, rows[i].digest, sizeof kernel->digest);
        warm->usable |= is_good ? 1u << i : 0;
        if (is_good && table[i]->blobs_max == 0) {
            int error = generate(warm, i);
            if (error != P2_OK) {
                return error;
            }
        }
    }
    go_on(warm);
    return P2_OK;
}

void p2_warm_ups_free(struct p2_warm_ups *warm)
{
    for (uint32_t i = 0; i < P2_CORE_KERNELS_MAX; i++) {
        free(warm->inputs[i]);
    }
    p2_buf_free(&warm->result);
    memset(warm, 0, sizeof *warm);
}
