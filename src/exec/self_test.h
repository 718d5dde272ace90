/* The self-test of the kernels at a daemon's start: the cases of known.def, computed by the workers
 * that will compute leases, compared with the digests every build must have. A kernel that fails is
 * neither offered nor used.
 *
 * Thread: the pool's. */
#ifndef P2_EXEC_SELF_TEST_H
#define P2_EXEC_SELF_TEST_H

#include "exec/pool.h"
#include "kernels/harness.h"

/* Most kernels of one table. Chosen: as many as a HELLO may list. */
#define P2_SELF_TEST_MAX 24u

struct p2_self_test_row {
    enum p2_harness_verdict verdict;
    uint8_t digest[P2_HARNESS_DIGEST]; /* what was computed; zero when a case failed */
};

/* What is tested, and who is told. */
struct p2_self_test_options {
    struct p2_pool *pool;                      /* borrowed until `done` */
    uint64_t tag;                              /* an authority of the pool, see below */
    const struct p2c2r_kernel *const *kernels; /* kernels[count], the pool's own table; kept */
    size_t count;                              /* 1 .. P2_SELF_TEST_MAX */
    /* Called once, in a later turn of the loop; rows[count] are borrowed for the call. */
    void (*done)(void *ctx, const struct p2_self_test_row *rows);
    void *ctx; /* kept for `done` */
};

/* The blob memory the authority `tag` needs for these kernels, in bytes; at least 1. */
uint64_t p2_self_test_blob_bytes(const struct p2c2r_kernel *const *kernels, size_t count);

/* Starts it: one task after the other, of the authority `tag`, which the caller added with the
 * memory above and may remove once `done` was called. Copies `options`. P2_E_INVALID, P2_E_NOMEM;
 * then `done` is not called. A pool that closes ends it: `done` comes, all open rows failed. */
int p2_self_test_start(const struct p2_self_test_options *options);

#endif
