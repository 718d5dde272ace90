/* What one helper holds: contents that many tasks share, sent once, named by small tasks.
 *
 *   state     entered by                     leases may name it   left by
 *   SENDING   p2_blobs_add (BLOB was sent)   no                   BLOB_HELD, or dropped
 *   HELD      BLOB_HELD                      yes                  dropped when nothing pins it
 *
 * The authority decides what a helper holds and never exceeds its cache: room is made by dropping
 * the contents that were used least recently and that no lease in flight names. Handles are of this
 * link and are not used again before 2^24 others were. Thread: one. */
#ifndef P2_AUTHORITY_BLOBS_H
#define P2_AUTHORITY_BLOBS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_BLOBS_ENTRIES_MAX 256u /* of one helper; handles carry the entry in their low byte */

struct p2_blob_entry {
    uint64_t key;     /* content; 0: unused */
    uint64_t used_us; /* last time a lease named it */
    uint32_t handle;
    uint32_t size;
    uint16_t pins; /* leases in flight that name it */
    bool is_held;  /* acknowledged */
};

struct p2_blobs {
    struct p2_blob_entry *entries; /* borrowed: entries[capacity] */
    uint32_t capacity;             /* at most P2_BLOBS_ENTRIES_MAX */
    uint32_t count;
    uint64_t bytes; /* of all entries, SENDING ones too */
    uint64_t cache_bytes;
    uint32_t serial; /* of handles */
};

/* Starts empty with room for `capacity` contents and `cache_bytes`. Keeps `entries`. */
void p2_blobs_init(struct p2_blobs *blobs, struct p2_blob_entry *entries, uint32_t capacity,
                   uint64_t cache_bytes);

/* The entry of `key`, or NULL. O(entries). */
struct p2_blob_entry *p2_blobs_find(struct p2_blobs *blobs, uint64_t key);

/* How many of keys[count] a lease could name now. O(count * entries). */
uint32_t p2_blobs_held(struct p2_blobs *blobs, const uint64_t *keys, uint32_t count);

/* Finds what must go so that `size` bytes more fit: writes at most `max` handles to drop and removes
 * them. P2_E_FULL when pinned contents leave no room; then nothing is removed. */
int p2_blobs_make_room(struct p2_blobs *blobs, uint32_t size, uint32_t *ret_handles, uint32_t max,
                       uint32_t *ret_count);

/* Adds a content in state SENDING and gives its handle. P2_E_EXIST; P2_E_FULL when there is no room
 * (make it first). */
int p2_blobs_add(struct p2_blobs *blobs, uint64_t key, uint32_t size, uint64_t now_us,
                 uint32_t *ret_handle);

/* BLOB_HELD arrived. P2_E_UNSOLICITED for a handle that was never sent or is held already; a handle
 * that was dropped meanwhile is fine: 0. */
int p2_blobs_acknowledge(struct p2_blobs *blobs, uint32_t handle);

/* Pins the contents of a lease and writes their handles. P2_E_NOENT when one is not held; nothing is
 * pinned then. */
int p2_blobs_pin(struct p2_blobs *blobs, const uint64_t *keys, uint32_t count, uint64_t now_us,
                 uint32_t *ret_handles);

/* The lease ended. Handles as pin gave them. */
void p2_blobs_unpin(struct p2_blobs *blobs, const uint32_t *handles, uint32_t count);

/* Removes a content that became invalid; true when a BLOB_DROP for *ret_handle must be sent. One
 * that is pinned stays until room is made. */
bool p2_blobs_remove(struct p2_blobs *blobs, uint64_t key, uint32_t *ret_handle);

#endif
