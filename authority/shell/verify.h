/* Verifying one result in the pool: the kernel's check with a fresh secret, and, when it is drawn,
 * a recomputation whose canonical bytes are compared.
 *
 *   step         task in the pool                       then
 *   CHECK        check of the helper's result           on_checked; drawn -> RECOMPUTE, else end
 *   RECOMPUTE    run of the same input                  CANON_OURS, or the comparison
 *   CANON_OURS   canonical bytes of our result          CANON_THEIRS (kernels that have them)
 *   CANON_THEIRS canonical bytes of the helper's        the comparison, on_audited; end
 *
 * Trouble of our own pool is never a helper's fault: the verdict is then UNKNOWN.
 * Thread: the pool's. */
#ifndef P2_AUTHORITY_SHELL_VERIFY_H
#define P2_AUTHORITY_SHELL_VERIFY_H

#include "authority/shell/corpus.h"

enum p2_verdict { P2_VERDICT_RIGHT, P2_VERDICT_WRONG, P2_VERDICT_UNKNOWN };

/* One result under verification. */
struct p2_verify {
    const struct p2_corpus_case *work;
    uint64_t lease;
    uint32_t task;                /* of the dispatcher; valid until on_checked */
    struct p2_helper_record *who; /* whose result it is */
};

struct p2_verifier;

struct p2_verifier_options {
    struct p2_pool *pool; /* kept */
    uint64_t tag;
    const struct p2c2r_kernel *const *kernels; /* the pool's table; kept */
    void *ctx;                                 /* kept */
    /* Each once per result, in this order; on_audited only when it was drawn. */
    void (*on_checked)(void *ctx, const struct p2_verify *verify, enum p2_verdict verdict);
    void (*on_audited)(void *ctx, const struct p2_verify *verify, enum p2_verdict verdict);
};

/* Copies `options`. P2_E_NOMEM. Gives the verifier. */
int p2_verifier_open(const struct p2_verifier_options *options, struct p2_verifier **ret_verifier);

/* Verifies `result` (copied). `secret` is unpredictable; `is_drawn` asks for the recomputation,
 * decided after the result arrived. `deadline_us` (p2_pool_now_us) orders the check. P2_E_NOMEM and
 * errors of p2_pool_submit: then nothing is called. */
int p2_verifier_take(struct p2_verifier *verifier, const struct p2_verify *verify,
                     struct p2_span result, uint64_t secret, bool is_drawn, uint64_t deadline_us);

/* Results not verified yet. */
uint32_t p2_verifier_count(const struct p2_verifier *verifier);

/* No more callbacks. The memory goes when the pool has given every task back. Accepts NULL. */
void p2_verifier_close(struct p2_verifier *verifier);

#endif
