/* The blob memory of one authority: resident pieces of a scene that its tasks read.
 *
 * One memfd, mapped for writing by the daemon and then sealed (F_SEAL_FUTURE_WRITE and against any
 * change of size), so that whoever else maps it, reads it. The authority's workers map all of it;
 * new blobs appear in running workers. Blobs of different authorities are never in the same memfd.
 *
 * Offsets are multiples of 64 bytes; free places are reused first-fit. A blob that tasks still hold
 * stays until the last of them has ended. Thread: an object belongs to one thread. */
#ifndef P2_EXEC_BLOBS_H
#define P2_EXEC_BLOBS_H

#include "exec/slot.h"
#include "exec/task.h"

#include <stdint.h>

struct p2_blobs;

/* Makes an empty memory of `capacity_bytes` (1 .. P2_BLOBS_BYTES_MAX; rounded up to whole areas of
 * the slot). Pages are used as blobs fill them. P2_E_INVALID, P2_E_NOMEM, P2_E_UNSUPPORTED when
 * this kernel cannot seal it against writing. Gives the object. */
int p2_blobs_open(uint64_t capacity_bytes, struct p2_blobs **ret_blobs);

/* Workers that still map the memory keep it alive, nobody else. Accepts NULL. */
void p2_blobs_close(struct p2_blobs *blobs);

/* The memfd, for workers, and its size in bytes. */
int p2_blobs_fd(const struct p2_blobs *blobs);
uint64_t p2_blobs_capacity(const struct p2_blobs *blobs);

/* Bytes in use, rounded as they are stored. */
uint64_t p2_blobs_used(const struct p2_blobs *blobs);

/* Copies `data` (1 .. P2C2R_BLOB_MAX bytes) in. P2_E_INVALID for other sizes, P2_E_FULL when there
 * is no room, P2_E_LIMIT above P2_BLOBS_MAX blobs. Cost: O(blobs) and the bytes. */
int p2_blobs_put(struct p2_blobs *blobs, struct p2_span data, struct p2_blob_handle *ret_handle);

/* Forgets a blob; its place is free when no task holds it. P2_E_NOENT for an unknown handle. */
int p2_blobs_drop(struct p2_blobs *blobs, struct p2_blob_handle handle);

/* Where a blob lies, and one hold on it for a task. P2_E_NOENT for a dropped or unknown handle. */
int p2_blobs_hold(struct p2_blobs *blobs, struct p2_blob_handle handle,
                  struct p2_slot_blob *ret_place);

/* Ends one hold. The handle must have been held. */
void p2_blobs_release(struct p2_blobs *blobs, struct p2_blob_handle handle);

#endif
