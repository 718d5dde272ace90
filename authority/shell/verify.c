/* Checks and recomputations. */
#include "authority/shell/verify.h"

#include "base/error.h"

#include <stdlib.h>

/* CPU time of one step. Chosen: a hundred times the largest case of the corpus; a kernel that needs
 * more is broken, and then the verdict is UNKNOWN. */
#define STEP_BUDGET_US 500000u

/* Checks stand between a result and its frame; recomputations can wait. */
#define PRIORITY_CHECK 0u
#define PRIORITY_AUDIT 3u

enum step { CHECK, RECOMPUTE, CANON_OURS, CANON_THEIRS };

struct job {
    struct p2_verifier *verifier;
    struct job *next_free;
    struct p2_verify verify;
    enum step step;
    bool is_drawn;
    uint64_t secret;
    uint64_t deadline_us;
    struct p2_buf theirs; /* the helper's result */
    struct p2_buf ours;   /* our result, then its canonical bytes */
    struct p2_buf canonical;
};

struct p2_verifier {
    struct p2_verifier_options options;
    struct job *free;
    uint32_t count;
    bool is_closed;
};

int p2_verifier_open(const struct p2_verifier_options *options, struct p2_verifier **ret_verifier)
{
    struct p2_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        return P2_E_NOMEM;
    }
    verifier->options = *options;
    *ret_verifier = verifier;
    return P2_OK;
}

static void free_if_done(struct p2_verifier *verifier)
{
    if (!verifier->is_closed || verifier->count > 0) {
        return;
    }
    while (verifier->free != NULL) {
        struct job *job = verifier->free;
        verifier->free = job->next_free;
        p2_buf_free(&job->theirs);
        p2_buf_free(&job->ours);
        p2_buf_free(&job->canonical);
        free(job);
    }
    free(verifier);
}

void p2_verifier_close(struct p2_verifier *verifier)
{
    if (verifier != NULL) {
        verifier->is_closed = true;
        free_if_done(verifier);
    }
}

uint32_t p2_verifier_count(const struct p2_verifier *verifier)
{
    return verifier->count;
}

static struct job *take_job(struct p2_verifier *verifier)
{
    struct job *job = verifier->free;
    if (job != NULL) {
        verifier->free = job->next_free;
        return job;
    }
    job = calloc(1, sizeof *job);
    if (job != NULL) {
        job->verifier = verifier;
        p2_buf_init(&job->theirs, P2C2R_OUTPUT_MAX);
        p2_buf_init(&job->ours, P2C2R_OUTPUT_MAX);
        p2_buf_init(&job->canonical, P2C2R_OUTPUT_MAX);
    }
    return job;
}

static void give_job(struct job *job)
{
    job->next_free = job->verifier->free;
    job->verifier->free = job;
}

static void on_task(void *ctx, const struct p2_task_result *result);

static int submit(struct job *job)
{
    static const enum p2_task_operation operations[] = {
        [CHECK] = P2_TASK_CHECK,
        [RECOMPUTE] = P2_TASK_RUN,
        [CANON_OURS] = P2_TASK_CANONICAL,
        [CANON_THEIRS] = P2_TASK_CANONICAL,
    };
    const struct p2_corpus_case *work = job->verify.work;
    const bool is_theirs = job->step == CHECK || job->step == CANON_THEIRS;
    const struct p2_task task = {
        .authority = job->verifier->options.tag,
        .kernel = work->kernel,
        .operation = operations[job->step],
        .input = work->input,
        .result = job->step == RECOMPUTE ? p2_span(NULL, 0)
                                         : p2_buf_span(is_theirs ? &job->theirs : &job->ours),
        .blobs = work->places,
        .blob_count = work->blob_count,
        .secret = job->secret,
        .budget_us = STEP_BUDGET_US,
        .deadline_us = job->step == CHECK ? job->deadline_us : 0,
        .priority = job->step == CHECK ? PRIORITY_CHECK : PRIORITY_AUDIT,
        .done = on_task,
        .ctx = job,
    };
    return p2_pool_submit(job->verifier->options.pool, &task, NULL);
}

/* Ends the job with the verdict of its last step. */
static void end(struct job *job, enum p2_verdict verdict)
{
    struct p2_verifier *verifier = job->verifier;
    const struct p2_verify verify = job->verify;
    const bool is_check = job->step == CHECK;
    give_job(job);
    if (!verifier->is_closed) {
        (is_check ? verifier->options.on_checked
                  : verifier->options.on_audited)(verifier->options.ctx, &verify, verdict);
    }
    verifier->count--; /* last: the verifier may be closed from inside */
    free_if_done(verifier);
}

/* Goes on with `step`. */
static void go_on(struct job *job, enum step step)
{
    job->step = step;
    if (submit(job) != P2_OK) {
        end(job, P2_VERDICT_UNKNOWN);
    }
}

static enum p2_verdict compare(const struct p2_buf *a, struct p2_span b)
{
    return p2_span_equal(p2_buf_span(a), b) ? P2_VERDICT_RIGHT : P2_VERDICT_WRONG;
}

static void after_check(struct job *job, const struct p2_task_result *result)
{
    struct p2_verifier *verifier = job->verifier;
    if (result->status != P2_TASK_OK || !job->is_drawn) {
        end(job, result->status == P2_TASK_OK           ? P2_VERDICT_RIGHT
                 : result->status == P2_TASK_BAD_RESULT ? P2_VERDICT_WRONG
                                                        : P2_VERDICT_UNKNOWN);
        return;
    }
    if (!verifier->is_closed) {
        verifier->options.on_checked(verifier->options.ctx, &job->verify, P2_VERDICT_RIGHT);
    }
    go_on(job, RECOMPUTE);
}

static void after_recompute(struct job *job, const struct p2_task_result *result)
{
    const struct p2c2r_kernel *kernel = job->verifier->options.kernels[job->verify.work->kernel];
    p2_buf_clear(&job->ours);
    if (result->status != P2_TASK_OK || p2_buf_append(&job->ours, result->output) != P2_OK) {
        end(job, P2_VERDICT_UNKNOWN);
    } else if (kernel->canonical == NULL) {
        end(job, compare(&job->ours, p2_buf_span(&job->theirs)));
    } else {
        go_on(job, CANON_OURS);
    }
}

static void on_task(void *ctx, const struct p2_task_result *result)
{
    struct job *job = ctx;
    switch (job->step) {
    case CHECK:
        after_check(job, result);
        break;
    case RECOMPUTE:
        after_recompute(job, result);
        break;
    case CANON_OURS:
        p2_buf_clear(&job->canonical);
        if (result->status != P2_TASK_OK ||
            p2_buf_append(&job->canonical, result->output) != P2_OK) {
            end(job, P2_VERDICT_UNKNOWN);
        } else {
            go_on(job, CANON_THEIRS);
        }
        break;
    case CANON_THEIRS:
        end(job, result->status == P2_TASK_OK           ? compare(&job->canonical, result->output)
                 : result->status == P2_TASK_BAD_RESULT ? P2_VERDICT_WRONG
                                                        : P2_VERDICT_UNKNOWN);
        break;
    }
}

int p2_verifier_take(struct p2_verifier *verifier, const struct p2_verify *verify,
                     struct p2_span result, uint64_t secret, bool is_drawn, uint64_t deadline_us)
{
    struct job *job = take_job(verifier);
    if (job == NULL) {
        return P2_E_NOMEM;
    }
    job->verify = *verify;
    job->step = CHECK;
    job->is_drawn = is_drawn;
    job->secret = secret;
    job->deadline_us = deadline_us;
    p2_buf_clear(&job->theirs);
    int error = p2_buf_append(&job->theirs, result);
    if (error == P2_OK) {
        error = submit(job);
    }
    if (error != P2_OK) {
        give_job(job);
        return error;
    }
    verifier->count++;
    return P2_OK;
}
