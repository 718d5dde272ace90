/* What one authority keeps resident on this helper: its handles, and where the bytes are.
 *
 * The authority chooses handles and what to drop; the cache enforces what HELLO offered. It holds
 * no bytes itself: those lie in the pool's sealed memory, named by p2_blob_handle. Pure. Thread: an
 * object belongs to one thread. */
#ifndef P2_HELPER_BLOB_CACHE_H
#define P2_HELPER_BLOB_CACHE_H

#include "exec/task.h"

#include <stdint.h>

struct p2_blob_cache;

/* An empty cache for at most `capacity_bytes` in `count_max` blobs (at least 1). Gives the object.
 * P2_E_NOMEM. */
int p2_blob_cache_open(uint64_t capacity_bytes, uint32_t count_max,
                       struct p2_blob_cache **ret_cache);

/* Accepts NULL. */
void p2_blob_cache_close(struct p2_blob_cache *cache);

/* May `handle` be put with `size` bytes? P2_E_EXIST when it is in use, P2_E_TOO_BIG when the bytes
 * or the count would exceed what was offered, P2_E_RANGE for an empty blob: each is the authority's
 * mistake. */
int p2_blob_cache_admit(const struct p2_blob_cache *cache, uint32_t handle, uint64_t size);

/* Records an admitted blob. O(blobs) in the worst case, O(log blobs) for growing handles. */
void p2_blob_cache_put(struct p2_blob_cache *cache, uint32_t handle, uint64_t size,
                       struct p2_blob_handle place);

/* Where `handle` lies. P2_E_NOENT. O(log blobs). */
int p2_blob_cache_find(const struct p2_blob_cache *cache, uint32_t handle,
                       struct p2_blob_handle *ret_place);

/* Forgets `handle` and gives its place back. P2_E_NOENT. */
int p2_blob_cache_drop(struct p2_blob_cache *cache, uint32_t handle,
                       struct p2_blob_handle *ret_place);

uint32_t p2_blob_cache_count(const struct p2_blob_cache *cache);
uint64_t p2_blob_cache_bytes(const struct p2_blob_cache *cache);

#endif
