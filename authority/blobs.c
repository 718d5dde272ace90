/* Bookkeeping of what a helper's cache holds. */
#include "authority/blobs.h"

#include <string.h>

#define SLOT_MASK (P2_BLOBS_ENTRIES_MAX - 1u)

void p2_blobs_init(struct p2_blobs *blobs, struct p2_blob_entry *entries, uint32_t capacity,
                   uint64_t cache_bytes)
{
    P2_ASSERT(capacity <= P2_BLOBS_ENTRIES_MAX);
    memset(blobs, 0, sizeof *blobs);
    memset(entries, 0, capacity * sizeof *entries);
    blobs->entries = entries;
    blobs->capacity = capacity;
    blobs->cache_bytes = cache_bytes;
}

struct p2_blob_entry *p2_blobs_find(struct p2_blobs *blobs, uint64_t key)
{
    for (uint32_t i = 0; i < blobs->capacity; i++) {
        if (blobs->entries[i].key == key && key != 0) {
            return &blobs->entries[i];
        }
    }
    return NULL;
}

uint32_t p2_blobs_held(struct p2_blobs *blobs, const uint64_t *keys, uint32_t count)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct p2_blob_entry *entry = p2_blobs_find(blobs, keys[i]);
        held += entry != NULL && entry->is_held ? 1 : 0;
    }
    return held;
}

static void remove_entry(struct p2_blobs *blobs, struct p2_blob_entry *entry)
{
    blobs->bytes -= entry->size;
    blobs->count--;
    entry->key = 0;
}

static struct p2_blob_entry *least_recent(struct p2_blobs *blobs)
{
    struct p2_blob_entry *oldest = NULL;
    for (uint32_t i = 0; i < blobs->capacity; i++) {
        struct p2_blob_entry *entry = &blobs->entries[i];
        if (entry->key != 0 && entry->pins == 0 &&
            (oldest == NULL || entry->used_us < oldest->used_us)) {
            oldest = entry;
        }
    }
    return oldest;
}

/* Can dropping everything that is not pinned make room? */
static bool is_possible(const struct p2_blobs *blobs, uint32_t size)
{
    uint64_t pinned_bytes = 0;
    uint32_t pinned = 0;
    for (uint32_t i = 0; i < blobs->capacity; i++) {
        if (blobs->entries[i].key != 0 && blobs->entries[i].pins > 0) {
            pinned_bytes += blobs->entries[i].size;
            pinned++;
        }
    }
    return pinned < blobs->capacity && size <= blobs->cache_bytes &&
           pinned_bytes <= blobs->cache_bytes - size;
}

int p2_blobs_make_room(struct p2_blobs *blobs, uint32_t size, uint32_t *ret_handles, uint32_t max,
                       uint32_t *ret_count)
{
    if (!is_possible(blobs, size)) {
        return P2_E_FULL;
    }
    uint32_t count = 0;
    while (count < max &&
           (blobs->count == blobs->capacity || blobs->bytes > blobs->cache_bytes - size)) {
        struct p2_blob_entry *entry = least_recent(blobs);
        P2_ASSERT(entry != NULL); /* is_possible counted them */
        ret_handles[count++] = entry->handle;
        remove_entry(blobs, entry);
    }
    *ret_count = count;
    return P2_OK;
}

int p2_blobs_add(struct p2_blobs *blobs, uint64_t key, uint32_t size, uint64_t now_us,
                 uint32_t *ret_handle)
{
    if (key == 0 || p2_blobs_find(blobs, key) != NULL) {
        return P2_E_EXIST;
    }
    if (size > blobs->cache_bytes || blobs->bytes > blobs->cache_bytes - size) {
        return P2_E_FULL;
    }
    for (uint32_t i = 0; i < blobs->capacity; i++) {
        struct p2_blob_entry *entry = &blobs->entries[i];
        if (entry->key == 0) {
            blobs->serial++;
            *entry = (struct p2_blob_entry){
                .key = key,
                .used_us = now_us,
                .handle = blobs->serial * P2_BLOBS_ENTRIES_MAX + i,
                .size = size,
            };
            blobs->count++;
            blobs->bytes += size;
            *ret_handle = entry->handle;
            return P2_OK;
        }
    }
    return P2_E_FULL;
}

int p2_blobs_acknowledge(struct p2_blobs *blobs, uint32_t handle)
{
    uint32_t slot = handle & SLOT_MASK;
    uint32_t serial = handle / P2_BLOBS_ENTRIES_MAX;
    if (slot >= blobs->capacity || serial == 0 || serial > blobs->serial) {
        return P2_E_UNSOLICITED;
    }
    struct p2_blob_entry *entry = &blobs->entries[slot];
    if (entry->key == 0 || entry->handle != handle) {
        return P2_OK;
    }
    if (entry->is_held) {
        return P2_E_UNSOLICITED;
    }
    entry->is_held = true;
    return P2_OK;
}

int p2_blobs_pin(struct p2_blobs *blobs, const uint64_t *keys, uint32_t count, uint64_t now_us,
                 uint32_t *ret_handles)
{
    if (p2_blobs_held(blobs, keys, count) != count) {
        return P2_E_NOENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct p2_blob_entry *entry = p2_blobs_find(blobs, keys[i]);
        P2_ASSERT(entry != NULL); /* all are held, see above */
        entry->pins++;
        entry->used_us = now_us;
        ret_handles[i] = entry->handle;
    }
    return P2_OK;
}

void p2_blobs_unpin(struct p2_blobs *blobs, const uint32_t *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct p2_blob_entry *entry = &blobs->entries[handles[i] & SLOT_MASK];
        P2_ASSERT(entry->handle == handles[i] && entry->pins > 0);
        entry->pins--;
    }
}

bool p2_blobs_remove(struct p2_blobs *blobs, uint64_t key, uint32_t *ret_handle)
{
    struct p2_blob_entry *entry = p2_blobs_find(blobs, key);
    if (entry == NULL || entry->pins > 0) {
        return false;
    }
    *ret_handle = entry->handle;
    remove_entry(blobs, entry);
    return true;
}
