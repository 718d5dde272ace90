/* Blocks of locked pages, cut into slots; see the header. */
#include "link/slab.h"

#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

/* One block. Chosen: 16 pages, small against RLIMIT_MEMLOCK's usual 8 MiB, with room for 60 pairs
 * of transport keys. */
#define BLOCK_BYTES (64u << 10)
#define PAGE_BYTES  4096u
#define SLOT_ALIGN  16u /* of struct p2_aead */

struct p2_slab_block {
    struct p2_slab_block *next;
    unsigned char *data; /* BLOCK_BYTES, page-aligned */
    bool is_locked;
};

void p2_slab_init(struct p2_slab *slab, size_t size, bool must_lock)
{
    P2_ASSERT(size >= sizeof(void *) && size <= BLOCK_BYTES);
    memset(slab, 0, sizeof *slab);
    slab->slot_size = (size + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    slab->must_lock = must_lock;
}

void p2_slab_free(struct p2_slab *slab)
{
    P2_ASSERT(slab->used == 0);
    while (slab->blocks != NULL) {
        struct p2_slab_block *block = slab->blocks;
        slab->blocks = block->next;
        if (block->is_locked) {
            p2_secret_unlock(block->data, BLOCK_BYTES);
        }
        free(block->data);
        free(block);
    }
    p2_slab_init(slab, slab->slot_size, slab->must_lock);
}

static bool add_block(struct p2_slab *slab)
{
    struct p2_slab_block *block = malloc(sizeof *block);
    unsigned char *data = aligned_alloc(PAGE_BYTES, BLOCK_BYTES);
    if (block == NULL || data == NULL) {
        goto failed;
    }
    memset(data, 0, BLOCK_BYTES);
    block->is_locked = p2_secret_lock(data, BLOCK_BYTES) == P2_OK;
    if (!block->is_locked && slab->must_lock) {
        goto failed;
    }
    *(block->is_locked ? &slab->locked_bytes : &slab->unlocked_bytes) += BLOCK_BYTES;
    block->data = data;
    block->next = slab->blocks;
    slab->blocks = block;
    for (size_t at = 0; at + slab->slot_size <= BLOCK_BYTES; at += slab->slot_size) {
        memcpy(data + at, &slab->free, sizeof slab->free);
        slab->free = data + at;
    }
    return true;
failed:
    free(data);
    free(block);
    return false;
}

void *p2_slab_take(struct p2_slab *slab)
{
    if (slab->free == NULL && !add_block(slab)) {
        return NULL;
    }
    void *slot = slab->free;
    memcpy(&slab->free, slot, sizeof slab->free);
    memset(slot, 0, sizeof slab->free); /* the rest was wiped */
    slab->used++;
    return slot;
}

void p2_slab_give(struct p2_slab *slab, void *slot)
{
    if (slot == NULL) {
        return;
    }
    P2_ASSERT(slab->used > 0);
    p2_secret_wipe(slot, slab->slot_size);
    memcpy(slot, &slab->free, sizeof slab->free);
    slab->free = slot;
    slab->used--;
}
