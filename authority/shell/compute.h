/* The authority's own computing: checks of results, own results, audits, warm-up answers. Everything
 * runs in the worker pool, but for checks whose kernel declares a bound of at most
 * P2_COMPUTE_LOOP_US, which run on the loop.
 *
 *   job       steps                                       ends with
 *   CHECK     unpack, check, [canonical]                  on_checked
 *   RUN       run, [canonical]                            on_computed
 *   AUDIT     run, [canonical]; theirs is canonical       on_audited
 *
 * Steps in brackets are for kernels whose result is not canonical. Inputs and results are copied:
 * the core's memory is good for one step only. Callbacks never come from inside the functions that
 * start a job. Trouble of the own pool is nobody's fault and never a verdict.
 *
 * Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_COMPUTE_H
#define P2_AUTHORITY_SHELL_COMPUTE_H

#include "base/id.h"
#include "base/rng.h"
#include "exec/pool.h"

#include <stdbool.h>
#include <stdint.h>

/* DESIGN 3: a check of at most this declared time runs on the loop. */
#define P2_COMPUTE_LOOP_US 50u

struct p2_compute;

enum p2_compute_verdict { P2_COMPUTE_RIGHT, P2_COMPUTE_WRONG, P2_COMPUTE_UNKNOWN };

/* What a job is about; given back with its outcome. */
struct p2_compute_case {
    uint32_t kernel; /* index into the pool's table */
    uint16_t session;
    uint64_t lease;
    uint64_t task;
    uint64_t tag;        /* audits: the game's, unused otherwise */
    struct p2_id helper; /* checks and audits: whose result it is */
};

struct p2_compute_events {
    /* status: P2_OK with the canonical bytes, P2_E_BAD_RESULT, or another error: no verdict. */
    void (*on_checked)(void *ctx, const struct p2_compute_case *what, int status,
                       struct p2_span bytes);
    void (*on_computed)(void *ctx, const struct p2_compute_case *what, int status,
                        struct p2_span bytes, uint32_t exec_us);
    /* WRONG: `right` is what it should have been. */
    void (*on_audited)(void *ctx, const struct p2_compute_case *what,
                       enum p2_compute_verdict verdict, struct p2_span right);
};

struct p2_compute_options {
    uv_loop_t *loop;
    struct p2_pool *pool; /* kept; closes before this */
    uint64_t tag;         /* of the pool's authority */
    uint32_t workers;
    const struct p2c2r_kernel *const *kernels; /* kernels[kernel_count], the pool's table */
    uint32_t kernel_count;
    const struct p2_compute_events *events;
    void *ctx;
    const struct p2_rng *rng; /* a stream is split from it: secrets of checks */
};

/* P2_E_NOMEM. */
int p2_compute_open(const struct p2_compute_options *options, struct p2_compute **ret_compute);

/* Contents of a job: bytes for checks on the loop, places in the pool for the others. */
struct p2_compute_contents {
    struct p2c2r_bytes bytes[P2C2R_BLOBS_MAX];
    struct p2_blob_handle places[P2C2R_BLOBS_MAX];
    uint32_t count;
};

/* Each copies what it is given. P2_E_NOMEM, errors of p2_pool_submit: nothing follows. */
int p2_compute_check(struct p2_compute *compute, const struct p2_compute_case *what,
                     struct p2_span input, struct p2_span result, uint8_t codec,
                     uint32_t output_max, const struct p2_compute_contents *contents);
int p2_compute_run(struct p2_compute *compute, const struct p2_compute_case *what,
                   struct p2_span input, uint64_t deadline_us,
                   const struct p2_compute_contents *contents);
int p2_compute_audit(struct p2_compute *compute, const struct p2_compute_case *what,
                     struct p2_span input, struct p2_span result,
                     const struct p2_compute_contents *contents);

/* The result of RUN (session, task) is not wanted; on_computed still comes. A job that is likely to
 * be running already goes on: killing its worker would cost more. */
void p2_compute_cancel(struct p2_compute *compute, uint16_t session, uint64_t task);

/* Jobs under way, and audits among them. */
uint32_t p2_compute_count(const struct p2_compute *compute);
uint32_t p2_compute_audits(const struct p2_compute *compute);

/* No more callbacks. `on_closed` comes once, when the pool has given every task back. Accepts NULL:
 * then `on_closed` comes at once. */
void p2_compute_close(struct p2_compute *compute, void (*on_closed)(void *ctx), void *ctx);

#endif
