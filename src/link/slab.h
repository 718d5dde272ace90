/* Slots of one size in memory that is locked, kept out of core dumps, and wiped when given back:
 * for the secrets of links (DESIGN 4), which are too many for guarded pages of their own.
 *
 * When the system's limit (RLIMIT_MEMLOCK) forbids locking, a slab either refuses or goes on
 * unlocked and says so. It grows by blocks and shrinks only when freed. Thread: one. */
#ifndef P2_LINK_SLAB_H
#define P2_LINK_SLAB_H

#include <stdbool.h>
#include <stddef.h>

struct p2_slab_block;

struct p2_slab {
    struct p2_slab_block *blocks;
    void *free;            /* list of unused slots, linked through their first bytes */
    size_t slot_size;      /* multiple of 16 bytes */
    size_t used;           /* slots given out */
    size_t locked_bytes;   /* of the blocks */
    size_t unlocked_bytes; /* of the blocks the system would not lock */
    bool must_lock;
};

/* An empty slab for slots of `size` bytes. */
void p2_slab_init(struct p2_slab *slab, size_t size, bool must_lock);

/* Frees all blocks. All slots must have been given back. */
void p2_slab_free(struct p2_slab *slab);

/* Gives a zeroed slot, 16-byte aligned; NULL when there is no memory, or none that can be locked
 * and `must_lock` is set. O(1) but for a new block. */
void *p2_slab_take(struct p2_slab *slab);

/* Wipes a slot and takes it back; NULL is ignored. */
void p2_slab_give(struct p2_slab *slab, void *slot);

#endif
