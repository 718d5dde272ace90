/* The work of the built-in test session: cases of the kernels' own generators, made once at start,
 * and the blobs they share. Frames draw from them.
 *
 * Thread: the loop's. */
#ifndef P2_AUTHORITY_SHELL_CORPUS_H
#define P2_AUTHORITY_SHELL_CORPUS_H

#include "base/buf.h"
#include "exec/pool.h"

#include <stdint.h>

/* Cases of one kernel. Chosen: enough that the same one does not return within a second. */
#define P2_CORPUS_CASES     24u
#define P2_CORPUS_RAY_CASES 4u /* of kernels with blobs: a handful of tiles of a few scenes */

/* Most predicted cost of a case, in units (microseconds). Chosen: a tenth of a frame; larger
 * generated cases are left out, as a game would split them. */
#define P2_CORPUS_COST_MAX 1500u

#define P2_CORPUS_MAX       512u /* cases of all kernels */
#define P2_CORPUS_BLOBS_MAX 1024u

struct p2_corpus_case {
    uint32_t kernel; /* index into the pool's table */
    uint64_t cost_us;
    struct p2_span input;
    uint32_t blob_count;
    uint32_t blobs[P2C2R_BLOBS_MAX];               /* indexes into the corpus's blobs */
    struct p2_blob_handle places[P2C2R_BLOBS_MAX]; /* of the same in the authority's own pool */
};

struct p2_corpus_blob {
    struct p2_span data;
    struct p2_blob_handle place;
};

/* Read only; made by p2_corpus_open. */
struct p2_corpus {
    struct p2_corpus_case cases[P2_CORPUS_MAX];
    uint32_t case_count;
    struct p2_corpus_blob blobs[P2_CORPUS_BLOBS_MAX];
    uint32_t blob_count;
    uint64_t blob_bytes;
};

/* Generates cases of series `seed` for each kernel with use[i] true, and puts their blobs into the
 * pool's authority `tag`. Gives the corpus. P2_E_NOMEM, P2_E_LIMIT, errors of p2_pool_blob_put. */
int p2_corpus_open(struct p2_pool *pool, uint64_t tag, const struct p2c2r_kernel *const *kernels,
                   const bool *use, size_t count, uint64_t seed, struct p2_corpus **ret_corpus);

/* Frees it; the blobs of the pool go with its authority. Accepts NULL. */
void p2_corpus_close(struct p2_corpus *corpus);

#endif
