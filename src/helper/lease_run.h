/* The leases of one authority while they run in the pool: LEASE in, exactly one answer out.
 *
 * Nothing is allocated per lease once the input buffers have grown to the sizes an authority uses.
 * Thread: the pool's. */
#ifndef P2_HELPER_LEASE_RUN_H
#define P2_HELPER_LEASE_RUN_H

#include "exec/pool.h"
#include "wire/messages.h"

struct p2_lease_runs;

struct p2_lease_runs_options {
    struct p2_pool *pool; /* kept */
    uint64_t tag;         /* the authority's in the pool; the caller added it */
    uint32_t capacity;    /* leases at once; more are answered BUSY */
    /* The answer to one lease: `result` and its output are borrowed for the call. Comes once for
     * every lease taken, also from inside p2_lease_runs_take. Not after p2_lease_runs_close. */
    void (*on_answer)(void *ctx, const struct p2_msg_result *result);
    void *ctx; /* kept */
};

/* What a lease names, looked up by the caller. */
struct p2_lease_place {
    uint32_t kernel;                    /* index into the pool's kernel table */
    const struct p2_blob_handle *blobs; /* blobs[lease->blobs_count], copied */
};

/* Copies `options`. P2_E_NOMEM. Gives the object. */
int p2_lease_runs_open(const struct p2_lease_runs_options *options,
                       struct p2_lease_runs **ret_runs);

/* Starts a lease: `lease` and its input are copied. Its deadline is its budget from now; among all
 * authorities the earliest deadline goes first, urgent leases before others. What cannot be started
 * is answered from inside the call. */
void p2_lease_runs_take(struct p2_lease_runs *runs, const struct p2_msg_lease *lease,
                        const struct p2_lease_place *place);

/* Ends a lease if it is still open; its answer, CANCELLED, follows. Unknown ids are ignored: the
 * answer was under way already. */
void p2_lease_runs_cancel(struct p2_lease_runs *runs, uint64_t id);

/* Ends all open leases; their answers, PAUSED, follow: the owner wants the machine. */
void p2_lease_runs_pause(struct p2_lease_runs *runs);

/* Leases taken and not answered. */
uint32_t p2_lease_runs_count(const struct p2_lease_runs *runs);

/* No more answers. The memory goes when the pool has given every task back, which the caller brings
 * about with p2_pool_authority_remove. Accepts NULL. */
void p2_lease_runs_close(struct p2_lease_runs *runs);

#endif
