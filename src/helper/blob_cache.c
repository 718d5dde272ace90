/* A sorted table of handles: authorities count them upwards, so that most puts append. */
#include "helper/blob_cache.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint32_t handle;
    struct p2_blob_handle place;
    uint64_t size; /* bytes */
};

struct p2_blob_cache {
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint32_t count_max;
    uint32_t count;
    struct entry entries[]; /* entries[count_max], sorted by handle */
};

int p2_blob_cache_open(uint64_t capacity_bytes, uint32_t count_max,
                       struct p2_blob_cache **ret_cache)
{
    struct p2_blob_cache *cache =
        calloc(1, sizeof *cache + (size_t)count_max * sizeof cache->entries[0]);
    if (cache == NULL) {
        return P2_E_NOMEM;
    }
    cache->capacity_bytes = capacity_bytes;
    cache->count_max = count_max;
    *ret_cache = cache;
    return P2_OK;
}

void p2_blob_cache_close(struct p2_blob_cache *cache)
{
    free(cache);
}

/* The first entry whose handle is not below `handle`; `count` when there is none. */
static uint32_t lower_bound(const struct p2_blob_cache *cache, uint32_t handle)
{
    uint32_t low = 0, high = cache->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cache->entries[middle].handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool holds(const struct p2_blob_cache *cache, uint32_t at, uint32_t handle)
{
    return at < cache->count && cache->entries[at].handle == handle;
}

int p2_blob_cache_admit(const struct p2_blob_cache *cache, uint32_t handle, uint64_t size)
{
    if (size == 0) {
        return P2_E_RANGE;
    }
    if (holds(cache, lower_bound(cache, handle), handle)) {
        return P2_E_EXIST;
    }
    if (cache->count == cache->count_max || size > cache->capacity_bytes - cache->used_bytes) {
        return P2_E_TOO_BIG;
    }
    return P2_OK;
}

void p2_blob_cache_put(struct p2_blob_cache *cache, uint32_t handle, uint64_t size,
                       struct p2_blob_handle place)
{
    P2_ASSERT(p2_blob_cache_admit(cache, handle, size) == P2_OK);
    uint32_t at = lower_bound(cache, handle);
    memmove(&cache->entries[at + 1], &cache->entries[at],
            (cache->count - at) * sizeof cache->entries[0]);
    cache->entries[at] = (struct entry){.handle = handle, .place = place, .size = size};
    cache->count++;
    cache->used_bytes += size;
}

int p2_blob_cache_find(const struct p2_blob_cache *cache, uint32_t handle,
                       struct p2_blob_handle *ret_place)
{
    uint32_t at = lower_bound(cache, handle);
    if (!holds(cache, at, handle)) {
        return P2_E_NOENT;
    }
    *ret_place = cache->entries[at].place;
    return P2_OK;
}

int p2_blob_cache_drop(struct p2_blob_cache *cache, uint32_t handle,
                       struct p2_blob_handle *ret_place)
{
    uint32_t at = lower_bound(cache, handle);
    if (!holds(cache, at, handle)) {
        return P2_E_NOENT;
    }
    *ret_place = cache->entries[at].place;
    cache->used_bytes -= cache->entries[at].size;
    cache->count--;
    memmove(&cache->entries[at], &cache->entries[at + 1],
            (cache->count - at) * sizeof cache->entries[0]);
    return P2_OK;
}

uint32_t p2_blob_cache_count(const struct p2_blob_cache *cache)
{
    return cache->count;
}

uint64_t p2_blob_cache_bytes(const struct p2_blob_cache *cache)
{
    return cache->used_bytes;
}
