/* The warm-up task of every kernel: a small generated case, its result computed in the own pool when
 * the program starts. Kernels that read contents have none: a warm-up brings no contents along.
 * Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_WARM_UPS_H
#define P2_AUTHORITY_SHELL_WARM_UPS_H

#include "authority/core.h"
#include "exec/pool.h"
#include "exec/self_test.h"

struct p2_warm_ups {
    struct p2_core_kernel kernels[P2_CORE_KERNELS_MAX]; /* in the pool's order */
    uint32_t count;
    uint32_t usable; /* bits: passed the self-test */

    /* Private. */
    struct p2_pool *pool;
    uint64_t tag;
    const struct p2c2r_kernel *const *table;
    uint8_t *inputs[P2_CORE_KERNELS_MAX];
    struct p2_buf result;
    uint32_t next;
    void (*on_done)(void *ctx);
    void *ctx;
};

/* Prepares all kernels of the pool's table with their rows[count] of the self-test; a kernel that
 * failed it, or whose warm-up cannot be computed, is not usable. `on_done` comes once, from the
 * loop. P2_E_NOMEM. */
int p2_warm_ups_start(struct p2_warm_ups *warm, struct p2_pool *pool, uint64_t tag,
                      const struct p2c2r_kernel *const *table, uint32_t count,
                      const struct p2_self_test_row *rows, void (*on_done)(void *ctx), void *ctx);
void p2_warm_ups_free(struct p2_warm_ups *warm);

#endif
