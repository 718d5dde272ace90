/* Blocks of memory in sizes of powers of two, kept for reuse and bounded in sum.
 *
 * All variable memory of a transport's links comes from one pool: queued messages, partial
 * messages, bytes the network did not take yet. So nothing is allocated per message in steady
 * state, and all peers together cannot make us hold more than the pool's limit.
 * Pure. Thread: one. */
#ifndef P2_LINK_POOL_H
#define P2_LINK_POOL_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define P2_POOL_BLOCK_MIN 256u /* chosen: smallest partial message worth a block of its own */
#define P2_POOL_CLASSES   17   /* 256 B .. 16 MiB; the largest message is 1 MiB and a header */

struct p2_pool {
    void *free[P2_POOL_CLASSES]; /* lists of unused blocks, linked through their first bytes */
    size_t cached_bytes;         /* in those lists */
    size_t cached_max;           /* what comes back beyond this is freed */
    size_t used_bytes;           /* given out, by capacity */
    size_t used_max;             /* limit of used_bytes */
};

/* An empty pool. */
void p2_pool_init(struct p2_pool *pool, size_t used_max, size_t cached_max);

/* Frees the unused blocks. All blocks must have been given back. */
void p2_pool_free(struct p2_pool *pool);

/* Gives a block of at least `size` bytes, its true size to *ret_capacity; NULL when the pool's
 * limit is reached, `size` is above the largest class, or memory is short. Contents undefined.
 * Give it back with p2_pool_give and the same capacity. O(1). */
void *p2_pool_take(struct p2_pool *pool, size_t size, size_t *ret_capacity);

/* Takes a block back; NULL is ignored. */
void p2_pool_give(struct p2_pool *pool, void *block, size_t capacity);

#endif
