/* Checks, own results, audits. */
#include "authority/shell/compute.h"

#include "base/error.h"
#include "kernels/zstd_frame.h"
#include "wire/messages.h"

#include <stdlib.h>
#include <string.h>

/* CPU time of one step. Chosen: a hundred times a usual task; what needs more is broken. */
#define STEP_BUDGET_US 500000u

/* Checks stand between a result and its frame, own results too; audits can wait. */
#define PRIORITY_CHECK 0u
#define PRIORITY_RUN   1u
#define PRIORITY_AUDIT 3u

enum kind { CHECK, RUN, AUDIT };
enum step { STEP_CHECK, STEP_RUN, STEP_CANON, STEP_DONE };

struct job {
    struct p2_compute *compute;
    struct job *next, *prev; /* of all jobs, oldest first; free ones by next */
    enum kind kind;
    enum step step;
    struct p2_compute_case what;
    uint64_t pool_id; /* of the task in the pool */
    uint64_t secret;
    uint64_t deadline_us;
    uint32_t exec_us;
    int status; /* STEP_DONE */
    struct p2_compute_contents contents;
    struct p2_buf input;
    struct p2_buf theirs;
    struct p2_buf ours;
    struct p2_buf canonical;
};

struct p2_compute {
    struct p2_compute_options options;
    struct p2_rng rng;
    struct job *first, *last; /* under way */
    struct job *free;
    uint32_t count;
    uint32_t audits;
    uint32_t done; /* jobs with STEP_DONE that wait for the loop's next turn */
    uv_idle_t idle;
    bool is_closed;
    bool is_handle_closed;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    uint8_t *arena; /* of checks on the loop, 64-byte aligned in arena_memory */
    uint8_t *arena_memory;
    size_t arena_size;
};

#define ARENA_ALIGN 64u

static bool is_on_loop(const struct p2c2r_kernel *kernel)
{
    return kernel->check_bound_us <= P2_COMPUTE_LOOP_US && kernel->canonical == NULL;
}

/* ---- jobs -------------------------------------------------------------------------------------- */

static struct job *take_job(struct p2_compute *compute)
{
    struct job *job = compute->free;
    if (job != NULL) {
        compute->free = job->next;
    } else {
        job = calloc(1, sizeof *job);
        if (job == NULL) {
            return NULL;
        }
        job->compute = compute;
        p2_buf_init(&job->input, P2C2R_INPUT_MAX);
        p2_buf_init(&job->theirs, P2C2R_OUTPUT_MAX);
        p2_buf_init(&job->ours, P2C2R_OUTPUT_MAX);
        p2_buf_init(&job->canonical, P2C2R_OUTPUT_MAX);
    }
    job->next = NULL;
    job->prev = compute->last;
    if (compute->last != NULL) {
        compute->last->next = job;
    } else {
        compute->first = job;
    }
    compute->last = job;
    compute->count++;
    p2_buf_clear(&job->input);
    p2_buf_clear(&job->theirs);
    p2_buf_clear(&job->ours);
    p2_buf_clear(&job->canonical);
    job->pool_id = 0;
    job->exec_us = 0;
    return job;
}

static void give_job(struct job *job)
{
    struct p2_compute *compute = job->compute;
    if (job->prev != NULL) {
        job->prev->next = job->next;
    } else {
        compute->first = job->next;
    }
    if (job->next != NULL) {
        job->next->prev = job->prev;
    } else {
        compute->last = job->prev;
    }
    compute->count--;
    compute->audits -= job->kind == AUDIT ? 1 : 0;
    job->next = compute->free;
    compute->free = job;
}

static void free_job(struct job *job)
{
    p2_buf_free(&job->input);
    p2_buf_free(&job->theirs);
    p2_buf_free(&job->ours);
    p2_buf_free(&job->canonical);
    free(job);
}

static void free_if_done(struct p2_compute *compute)
{
    if (!compute->is_closed || !compute->is_handle_closed || compute->count > 0) {
        return;
    }
    void (*on_closed)(void *ctx) = compute->on_closed;
    void *ctx = compute->closed_ctx;
    while (compute->free != NULL) {
        struct job *job = compute->free;
        compute->free = job->next;
        free_job(job);
    }
    free(compute->arena_memory);
    free(compute);
    on_closed(ctx);
}

/* Ends a job and tells its outcome. */
static void end(struct job *job, int status, enum p2_compute_verdict verdict)
{
    struct p2_compute *compute = job->compute;
    const struct p2_compute_events *events = compute->options.events;
    void *ctx = compute->options.ctx;
    const struct p2c2r_kernel *kernel = compute->options.kernels[job->what.kernel];
    struct p2_span theirs = p2_buf_span(kernel->canonical == NULL ? &job->theirs : &job->canonical);
    struct p2_span ours = p2_buf_span(kernel->canonical == NULL ? &job->ours : &job->canonical);
    if (compute->is_closed) {
        /* nobody listens */
    } else if (job->kind == CHECK) {
        events->on_checked(ctx, &job->what, status, status == P2_OK ? theirs : p2_span(NULL, 0));
    } else if (job->kind == RUN) {
        events->on_computed(ctx, &job->what, status, status == P2_OK ? ours : p2_span(NULL, 0),
                            job->exec_us);
    } else {
        events->on_audited(ctx, &job->what, verdict, ours);
    }
    give_job(job);
    free_if_done(compute);
}

/* ---- the pool ---------------------------------------------------------------------------------- */

static void on_task(void *ctx, const struct p2_task_result *result);

static int submit(struct job *job)
{
    static const enum p2_task_operation operations[] = {
        [STEP_CHECK] = P2_TASK_CHECK,
        [STEP_RUN] = P2_TASK_RUN,
        [STEP_CANON] = P2_TASK_CANONICAL,
    };
    static const uint32_t priorities[] = {
        [CHECK] = PRIORITY_CHECK, [RUN] = PRIORITY_RUN, [AUDIT] = PRIORITY_AUDIT};
    bool is_theirs = job->step == STEP_CHECK || job->kind == CHECK;
    const struct p2_exec_task task = {
        .authority = job->compute->options.tag,
        .kernel = job->what.kernel,
        .operation = operations[job->step],
        .input = p2_buf_span(&job->input),
        .result = job->step == STEP_RUN ? p2_span(NULL, 0)
                                        : p2_buf_span(is_theirs ? &job->theirs : &job->ours),
        .blobs = job->contents.places,
        .blob_count = job->contents.count,
        .secret = job->secret,
        .budget_us = STEP_BUDGET_US,
        .deadline_us = job->deadline_us,
        .expires = job->kind == RUN && job->step == STEP_RUN,
        .priority = priorities[job->kind],
        .done = on_task,
        .ctx = job,
    };
    return p2_pool_submit(job->compute->options.pool, &task, &job->pool_id);
}

static void go_on(struct job *job, enum step step)
{
    job->step = step;
    if (submit(job) != P2_OK) {
        end(job, P2_E_AGAIN, P2_COMPUTE_UNKNOWN);
    }
}

static enum p2_compute_verdict compare(struct p2_span a, struct p2_span b)
{
    return p2_span_equal(a, b) ? P2_COMPUTE_RIGHT : P2_COMPUTE_WRONG;
}

static void after_run(struct job *job, const struct p2_task_result *result)
{
    const struct p2c2r_kernel *kernel = job->compute->options.kernels[job->what.kernel];
    job->exec_us = (uint32_t)(result->cpu_us < UINT32_MAX ? result->cpu_us : UINT32_MAX);
    if (result->status != P2_TASK_OK) {
        end(job, result->status == P2_TASK_CANCELLED ? P2_E_CANCELLED : P2_E_TIMEOUT,
            P2_COMPUTE_UNKNOWN);
    } else if (p2_buf_append(&job->ours, result->output) != P2_OK) {
        end(job, P2_E_NOMEM, P2_COMPUTE_UNKNOWN);
    } else if (kernel->canonical != NULL) {
        go_on(job, STEP_CANON);
    } else {
        end(job, P2_OK, compare(p2_buf_span(&job->ours), p2_buf_span(&job->theirs)));
    }
}

static void after_canon(struct job *job, const struct p2_task_result *result)
{
    if (result->status != P2_TASK_OK || p2_buf_append(&job->canonical, result->output) != P2_OK) {
        bool is_refused = job->kind == CHECK && result->status == P2_TASK_BAD_RESULT;
        end(job, is_refused ? P2_E_BAD_RESULT : P2_E_AGAIN, P2_COMPUTE_UNKNOWN);
    } else {
        end(job, P2_OK, compare(p2_buf_span(&job->canonical), p2_buf_span(&job->theirs)));
    }
}

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct job *job = ctx;
    const struct p2c2r_kernel *kernel = job->compute->options.kernels[job->what.kernel];
    switch (job->step) {
    case STEP_CHECK:
        if (result->status != P2_TASK_OK) {
            end(job, result->status == P2_TASK_BAD_RESULT ? P2_E_BAD_RESULT : P2_E_AGAIN,
                P2_COMPUTE_UNKNOWN);
        } else if (kernel->canonical != NULL) {
            go_on(job, STEP_CANON);
        } else {
            end(job, P2_OK, P2_COMPUTE_UNKNOWN);
        }
        break;
    case STEP_RUN:
        after_run(job, result);
        break;
    case STEP_CANON:
        after_canon(job, result);
        break;
    case STEP_DONE:
        break;
    }
}

/* ---- on the loop ------------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle)
{
    struct p2_compute *compute = idle->data;
    struct job *job = compute->first;
    (void)uv_idle_stop(idle); /* always succeeds */
    while (job != NULL && compute->done > 0) {
        struct job *next = job->next;
        if (job->step == STEP_DONE) {
            compute->done--;
            end(job, job->status, P2_COMPUTE_UNKNOWN);
        }
        job = next;
    }
}

static int check_here(struct p2_compute *compute, const struct job *job)
{
    const struct p2c2r_kernel *kernel = compute->options.kernels[job->what.kernel];
    const struct p2c2r_kernel_args args = {
        .input = {job->input.data, job->input.size},
        .blobs = job->contents.bytes,
        .blob_count = job->contents.count,
        .arena = compute->arena,
        .arena_size = compute->arena_size,
    };
    const struct p2c2r_bytes result = {job->theirs.data, job->theirs.size};
    int status = kernel->check(&args, result, job->secret);
    return status == P2C2R_KERNEL_OK           ? P2_OK
           : status == P2C2R_KERNEL_BAD_RESULT ? P2_E_BAD_RESULT
                                               : P2_E_INVALID;
}

/* ---- starting ---------------------------------------------------------------------------------- */

static struct job *make_job(struct p2_compute *compute, enum kind kind,
                            const struct p2_compute_case *what, struct p2_span input,
                            struct p2_span theirs, const struct p2_compute_contents *contents)
{
    struct job *job = compute->is_closed ? NULL : take_job(compute);
    if (job == NULL) {
        return NULL;
    }
    job->kind = kind;
    compute->audits += kind == AUDIT ? 1 : 0;
    job->what = *what;
    job->contents = *contents;
    job->deadline_us = 0;
    if (p2_buf_append(&job->input, input) != P2_OK ||
        p2_buf_append(&job->theirs, theirs) != P2_OK) {
        give_job(job);
        return NULL;
    }
    return job;
}

/* Packed results are sent as one frame that says its size in its first bytes (RFC 8878, 3.1.1); only
 * a size that the lease allows is unpacked. */
static int unpack(struct job *job, uint32_t output_max)
{
    static uint8_t arena[P2_ZSTD_DECOMPRESS_ARENA] __attribute__((aligned(64)));
    struct p2_buf packed = job->theirs;
    size_t size = 0;
    int error = p2_zstd_frame_content_size((struct p2c2r_bytes){packed.data, packed.size},
                                           output_max, &size);
    if (error != P2C2R_KERNEL_OK) {
        return P2_E_BAD_RESULT;
    }
    p2_buf_clear(&job->ours);
    if (p2_buf_reserve(&job->ours, size) != P2_OK) {
        return P2_E_NOMEM;
    }
    error = p2_zstd_frame_decompress((struct p2c2r_bytes){packed.data, packed.size}, job->ours.data,
                                     size, arena, sizeof arena);
    job->theirs = job->ours;
    job->theirs.size = size;
    job->ours = packed;
    p2_buf_clear(&job->ours);
    return error == P2C2R_KERNEL_OK ? P2_OK : P2_E_BAD_RESULT;
}

/* The outcome is known already; it is told in the loop's next turn. */
static void settle(struct job *job, int status)
{
    struct p2_compute *compute = job->compute;
    job->step = STEP_DONE;
    job->status = status;
    compute->done++;
    (void)uv_idle_start(&compute->idle, on_idle); /* fails only without a callback */
}

int p2_compute_check(struct p2_compute *compute, const struct p2_compute_case *what,
                     struct p2_span input, struct p2_span result, uint8_t codec,
                     uint32_t output_max, const struct p2_compute_contents *contents)
{
    struct job *job = make_job(compute, CHECK, what, input, result, contents);
    if (job == NULL) {
        return P2_E_NOMEM;
    }
    job->secret = p2_rng_u64(&compute->rng);
    int error = codec == P2_CODEC_ZSTD ? unpack(job, output_max) : P2_OK;
    if (error == P2_OK && is_on_loop(compute->options.kernels[what->kernel])) {
        settle(job, check_here(compute, job));
        return P2_OK;
    }
    if (error == P2_E_BAD_RESULT) {
        settle(job, error);
        return P2_OK;
    }
    job->step = STEP_CHECK;
    error = error == P2_OK ? submit(job) : error;
    if (error != P2_OK) {
        give_job(job);
    }
    return error;
}

int p2_compute_run(struct p2_compute *compute, const struct p2_compute_case *what,
                   struct p2_span input, uint64_t deadline_us,
                   const struct p2_compute_contents *contents)
{
    struct job *job = make_job(compute, RUN, what, input, p2_span(NULL, 0), contents);
    if (job == NULL) {
        return P2_E_NOMEM;
    }
    job->deadline_us = deadline_us;
    job->step = STEP_RUN;
    int error = submit(job);
    if (error != P2_OK) {
        give_job(job);
    }
    return error;
}

int p2_compute_audit(struct p2_compute *compute, const struct p2_compute_case *what,
                     struct p2_span input, struct p2_span result,
                     const struct p2_compute_contents *contents)
{
    struct job *job = make_job(compute, AUDIT, what, input, result, contents);
    if (job == NULL) {
        return P2_E_NOMEM;
    }
    job->step = STEP_RUN;
    int error = submit(job);
    if (error != P2_OK) {
        give_job(job);
    }
    return error;
}

void p2_compute_cancel(struct p2_compute *compute, uint16_t session, uint64_t task)
{
    uint32_t before = 0;
    for (struct job *job = compute->first; job != NULL; job = job->next) {
        if (job->kind == RUN && job->what.session == session && job->what.task == task) {
            if (before >= compute->options.workers && job->step == STEP_RUN) {
                (void)p2_pool_cancel(compute->options.pool, job->pool_id); /* or it is over */
            }
            return;
        }
        before += job->kind != AUDIT ? 1 : 0;
    }
}

uint32_t p2_compute_count(const struct p2_compute *compute)
{
    return compute->count;
}

uint32_t p2_compute_audits(const struct p2_compute *compute)
{
    return compute->audits;
}

/* ---- life -------------------------------------------------------------------------------------- */

int p2_compute_open(const struct p2_compute_options *options, struct p2_compute **ret_compute)
{
    struct p2_compute *compute = calloc(1, sizeof *compute);
    if (compute == NULL) {
        return P2_E_NOMEM;
    }
    compute->options = *options;
    p2_rng_split(&compute->rng, options->rng, "check secrets", 0);
    for (uint32_t i = 0; i < options->kernel_count; i++) {
        if (is_on_loop(options->kernels[i]) &&
            options->kernels[i]->arena_bytes > compute->arena_size) {
            compute->arena_size = options->kernels[i]->arena_bytes;
        }
    }
    compute->arena_memory = malloc(compute->arena_size + ARENA_ALIGN);
    if (compute->arena_memory == NULL) {
        free(compute);
        return P2_E_NOMEM;
    }
    uintptr_t at =
        ((uintptr_t)compute->arena_memory + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1);
    compute->arena = (uint8_t *)at;
    (void)uv_idle_init(options->loop, &compute->idle); /* cannot fail */
    compute->idle.data = compute;
    *ret_compute = compute;
    return P2_OK;
}

static void on_idle_closed(uv_handle_t *handle)
{
    struct p2_compute *compute = handle->data;
    compute->is_handle_closed = true;
    free_if_done(compute);
}

void p2_compute_close(struct p2_compute *compute, void (*on_closed)(void *ctx), void *ctx)
{
    if (compute == NULL) {
        on_closed(ctx);
        return;
    }
    struct job *job = compute->first;
    compute->is_closed = true;
    compute->on_closed = on_closed;
    compute->closed_ctx = ctx;
    while (job != NULL) {
        struct job *next = job->next;
        if (job->step == STEP_DONE) {
            give_job(job);
        } else if (job->pool_id != 0) {
            (void)p2_pool_cancel(compute->options.pool, job->pool_id); /* or it is over */
        }
        job = next;
    }
    compute->done = 0;
    uv_close((uv_handle_t *)&compute->idle, on_idle_closed);
}
