/* Leases in the pool. */
#include "helper/lease_run.h"

#include <stdlib.h>
#include <string.h>

/* Priorities of the pool: urgent leases are frame-critical. */
#define PRIORITY_URGENT 0u
#define PRIORITY_OTHER  1u

struct run {
    struct p2_lease_runs *runs;
    uint64_t lease_id;
    uint64_t task_id;
    struct p2_buf input; /* the pool borrows it until the task ends */
    struct run *next_free;
    bool is_open;
    bool is_paused; /* the owner wanted the machine meanwhile */
};

struct p2_lease_runs {
    struct p2_lease_runs_options options;
    struct run *free;
    uint32_t open_count;
    bool is_closed;
    bool is_answering; /* inside on_answer: may be closed there, but not freed */
    struct run runs[]; /* runs[capacity] */
};

int p2_lease_runs_open(const struct p2_lease_runs_options *options, struct p2_lease_runs **ret_runs)
{
    struct p2_lease_runs *runs =
        calloc(1, sizeof *runs + (size_t)options->capacity * sizeof runs->runs[0]);
    if (runs == NULL) {
        return P2_E_NOMEM;
    }
    runs->options = *options;
    for (uint32_t i = 0; i < options->capacity; i++) {
        struct run *run = &runs->runs[i];
        run->runs = runs;
        p2_buf_init(&run->input, P2_WIRE_SLOT_MAX);
        run->next_free = runs->free;
        runs->free = run;
    }
    *ret_runs = runs;
    return P2_OK;
}

static void free_if_done(struct p2_lease_runs *runs)
{
    if (runs->is_closed && runs->open_count == 0 && !runs->is_answering) {
        for (uint32_t i = 0; i < runs->options.capacity; i++) {
            p2_buf_free(&runs->runs[i].input);
        }
        free(runs);
    }
}

void p2_lease_runs_close(struct p2_lease_runs *runs)
{
    if (runs != NULL) {
        runs->is_closed = true;
        free_if_done(runs);
    }
}

static void answer(struct p2_lease_runs *runs, const struct p2_msg_result *result)
{
    if (!runs->is_closed) {
        runs->is_answering = true;
        runs->options.on_answer(runs->options.ctx, result);
        runs->is_answering = false;
    }
}

static void refuse(struct p2_lease_runs *runs, uint64_t id, enum p2_result_status status)
{
    const struct p2_msg_result result = {.id = id, .status = status, .codec = P2_CODEC_RAW};
    answer(runs, &result);
    free_if_done(runs);
}

/* What the pool's word about a task is on the wire. A worker that broke the protocol is a trap to
 * the authority; that no worker could be had means: not computed. */
static enum p2_result_status wire_status(const struct p2_task_result *result)
{
    switch (result->status) {
    case P2_TASK_OK:
        return P2_RESULT_STATUS_OK;
    case P2_TASK_BAD_INPUT:
        return P2_RESULT_STATUS_BAD_INPUT;
    case P2_TASK_NO_ROOM:
        return P2_RESULT_STATUS_OUTPUT_FULL;
    case P2_TASK_TIMEOUT:
        return P2_RESULT_STATUS_TIMEOUT;
    case P2_TASK_MEMORY:
        return P2_RESULT_STATUS_MEMORY;
    case P2_TASK_CANCELLED:
        return P2_RESULT_STATUS_CANCELLED;
    case P2_TASK_WORKER_ERROR:
        return result->trap == P2_TRAP_NO_WORKER ? P2_RESULT_STATUS_BUSY : P2_RESULT_STATUS_TRAP;
    case P2_TASK_TRAP:
    case P2_TASK_BAD_RESULT: /* never the outcome of a run */
    case P2_TASK_STATUS_COUNT:
        break;
    }
    return P2_RESULT_STATUS_TRAP;
}

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct run *run = ctx;
    struct p2_lease_runs *runs = run->runs;
    struct p2_msg_result message = {
        .id = run->lease_id,
        .status = wire_status(result),
        .codec = P2_CODEC_RAW,
        .exec_us = result->cpu_us < UINT32_MAX ? (uint32_t)result->cpu_us : UINT32_MAX,
        .output = result->output,
    };
    if (run->is_paused && result->status == P2_TASK_CANCELLED) {
        message.status = P2_RESULT_STATUS_PAUSED;
    }
    run->is_open = run->is_paused = false;
    run->next_free = runs->free;
    runs->free = run;
    runs->open_count--;
    answer(runs, &message);
    free_if_done(runs);
}

static enum p2_result_status submit(struct p2_lease_runs *runs, struct run *run,
                                    const struct p2_msg_lease *lease,
                                    const struct p2_lease_place *place)
{
    const struct p2_exec_task task = {
        .authority = runs->options.tag,
        .kernel = place->kernel,
        .operation = P2_TASK_RUN,
        .input = p2_buf_span(&run->input),
        .blobs = place->blobs,
        .blob_count = lease->blobs_count,
        .output_capacity = lease->output_max,
        .budget_us = lease->budget_us,
        .deadline_us = p2_pool_now_us() + lease->budget_us,
        .expires = true,
        .priority = (lease->flags & P2_LEASE_URGENT) != 0 ? PRIORITY_URGENT : PRIORITY_OTHER,
        .done = on_task,
        .ctx = run,
    };
    int error = p2_pool_submit(runs->options.pool, &task, &run->task_id);
    if (error == P2_OK) {
        return P2_RESULT_STATUS_OK;
    }
    return error == P2_E_INVALID ? P2_RESULT_STATUS_BAD_INPUT : P2_RESULT_STATUS_BUSY;
}

void p2_lease_runs_take(struct p2_lease_runs *runs, const struct p2_msg_lease *lease,
                        const struct p2_lease_place *place)
{
    struct run *run = runs->free;
    if (run == NULL) {
        refuse(runs, lease->id, P2_RESULT_STATUS_BUSY);
        return;
    }
    p2_buf_clear(&run->input);
    if (p2_buf_append(&run->input, lease->input) != P2_OK) {
        refuse(runs, lease->id, P2_RESULT_STATUS_BUSY);
        return;
    }
    enum p2_result_status status = submit(runs, run, lease, place);
    if (status != P2_RESULT_STATUS_OK) {
        refuse(runs, lease->id, status);
        return;
    }
    runs->free = run->next_free;
    run->lease_id = lease->id;
    run->is_open = true;
    runs->open_count++;
}

void p2_lease_runs_cancel(struct p2_lease_runs *runs, uint64_t id)
{
    for (uint32_t i = 0; i < runs->options.capacity; i++) {
        struct run *run = &runs->runs[i];
        if (run->is_open && run->lease_id == id) {
            /* NOENT: its outcome is settled already and its callback due. */
            (void)p2_pool_cancel(runs->options.pool, run->task_id);
            return;
        }
    }
}

void p2_lease_runs_pause(struct p2_lease_runs *runs)
{
    for (uint32_t i = 0; i < runs->options.capacity; i++) {
        struct run *run = &runs->runs[i];
        if (run->is_open) {
            run->is_paused = true;
            (void)p2_pool_cancel(runs->options.pool, run->task_id); /* NOENT: as above */
        }
    }
}

uint32_t p2_lease_runs_count(const struct p2_lease_runs *runs)
{
    return runs->open_count;
}
