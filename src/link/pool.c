/* A free list per power of two; see the header. */
#include "link/pool.h"

#include <stdlib.h>
#include <string.h>

void p2_pool_init(struct p2_pool *pool, size_t used_max, size_t cached_max)
{
    memset(pool, 0, sizeof *pool);
    pool->used_max = used_max;
#ifdef P2_SANITIZED
    cached_max = 0; /* a sanitizer must see every use of a block that was given back */
#endif
    pool->cached_max = cached_max;
}

void p2_pool_free(struct p2_pool *pool)
{
    P2_ASSERT(pool->used_bytes == 0);
    for (unsigned i = 0; i < P2_POOL_CLASSES; i++) {
        while (pool->free[i] != NULL) {
            void *block = pool->free[i];
            memcpy(&pool->free[i], block, sizeof pool->free[i]);
            free(block);
        }
    }
    pool->cached_bytes = 0;
}

/* The smallest class that holds `size`, or P2_POOL_CLASSES. */
static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class < P2_POOL_CLASSES && (size_t)P2_POOL_BLOCK_MIN << class < size) {
        class ++;
    }
    return class;
}

void *p2_pool_take(struct p2_pool *pool, size_t size, size_t *ret_capacity)
{
    unsigned class = class_of(size);
    if (class == P2_POOL_CLASSES) {
        return NULL;
    }
    size_t capacity = (size_t)P2_POOL_BLOCK_MIN << class;
    if (capacity > pool->used_max - pool->used_bytes) {
        return NULL;
    }
    void *block = pool->free[class];
    if (block != NULL) {
        memcpy(&pool->free[class], block, sizeof pool->free[class]);
        pool->cached_bytes -= capacity;
    } else {
        block = malloc(capacity);
        if (block == NULL) {
            return NULL;
        }
    }
    pool->used_bytes += capacity;
    *ret_capacity = capacity;
    return block;
}

void p2_pool_give(struct p2_pool *pool, void *block, size_t capacity)
{
    if (block == NULL) {
        return;
    }
    P2_ASSERT(capacity <= pool->used_bytes);
    pool->used_bytes -= capacity;
    if (capacity > pool->cached_max - pool->cached_bytes) {
        free(block);
        return;
    }
    unsigned class = class_of(capacity);
    memcpy(block, &pool->free[class], sizeof pool->free[class]);
    pool->free[class] = block;
    pool->cached_bytes += capacity;
}
