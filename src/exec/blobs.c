/* Blob memory; see the header. */
#include "exec/blobs.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Blobs start at cache lines: kernels may use vector loads. */
#define UNIT 64u

struct blob {
    uint64_t offset;
    uint64_t size;       /* bytes; 0: this index is free */
    uint32_t generation; /* of this index, never 0 once used */
    uint32_t holds;
    bool is_dropped;
};

struct p2_blobs {
    int fd;
    uint8_t *map;
    uint64_t capacity;
    uint64_t used;
    struct blob table[P2_BLOBS_MAX];
    uint16_t order[P2_BLOBS_MAX]; /* indexes of blobs in use, by offset */
    uint32_t count;               /* of `order` */
};
_Static_assert(P2_BLOBS_MAX <= UINT16_MAX, "an index fits `order`");

static uint64_t stored(uint64_t size)
{
    return (size + UNIT - 1) / UNIT * UNIT;
}

int p2_blobs_open(uint64_t capacity_bytes, struct p2_blobs **ret_blobs)
{
    if (capacity_bytes == 0 || capacity_bytes > P2_BLOBS_BYTES_MAX) {
        return P2_E_INVALID;
    }
    int error = P2_E_NOMEM;
    struct p2_blobs *blobs = calloc(1, sizeof *blobs);
    if (blobs == NULL) {
        return P2_E_NOMEM;
    }
    blobs->capacity =
        (capacity_bytes + P2_SLOT_AREA_BYTES - 1) / P2_SLOT_AREA_BYTES * P2_SLOT_AREA_BYTES;
    blobs->fd = memfd_create("p2c2r-blobs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (blobs->fd < 0 || ftruncate(blobs->fd, (off_t)blobs->capacity) != 0) {
        goto out;
    }
    void *map = mmap(NULL, blobs->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, blobs->fd, 0);
    if (map == MAP_FAILED) {
        goto out;
    }
    blobs->map = map;
    /* The mapping above stays writable; every later one, and write(2), is refused. */
    if (fcntl(blobs->fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
        error = P2_E_UNSUPPORTED;
        goto out;
    }
    *ret_blobs = blobs;
    return P2_OK;
out:
    p2_blobs_close(blobs);
    return error;
}

void p2_blobs_close(struct p2_blobs *blobs)
{
    if (blobs == NULL) {
        return;
    }
    if (blobs->map != NULL) {
        (void)munmap(blobs->map, blobs->capacity); /* our own mapping: cannot fail */
    }
    if (blobs->fd >= 0) {
        (void)close(blobs->fd); /* memory only: nothing to lose */
    }
    free(blobs);
}

int p2_blobs_fd(const struct p2_blobs *blobs)
{
    return blobs->fd;
}

uint64_t p2_blobs_capacity(const struct p2_blobs *blobs)
{
    return blobs->capacity;
}

uint64_t p2_blobs_used(const struct p2_blobs *blobs)
{
    return blobs->used;
}

/* Finds the first gap of `size` bytes: its offset, and the place in `order` before which it is. */
static bool find_gap(const struct p2_blobs *blobs, uint64_t size, uint64_t *ret_offset,
                     uint32_t *ret_place)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < blobs->count; i++) {
        const struct blob *blob = &blobs->table[blobs->order[i]];
        if (blob->offset - at >= size) {
            *ret_offset = at;
            *ret_place = i;
            return true;
        }
        at = blob->offset + stored(blob->size);
    }
    *ret_offset = at;
    *ret_place = blobs->count;
    return blobs->capacity - at >= size;
}

int p2_blobs_put(struct p2_blobs *blobs, struct p2_span data, struct p2_blob_handle *ret_handle)
{
    uint64_t offset;
    uint32_t place, index = 0;
    if (data.size == 0 || data.size > P2C2R_BLOB_MAX) {
        return P2_E_INVALID;
    }
    if (blobs->count == P2_BLOBS_MAX) {
        return P2_E_LIMIT;
    }
    if (!find_gap(blobs, stored(data.size), &offset, &place)) {
        return P2_E_FULL;
    }
    while (blobs->table[index].size != 0) {
        index++;
    }
    struct blob *blob = &blobs->table[index];
    blob->offset = offset;
    blob->size = data.size;
    blob->generation = blob->generation == UINT32_MAX ? 1 : blob->generation + 1;
    blob->holds = 0;
    blob->is_dropped = false;
    memmove(&blobs->order[place + 1], &blobs->order[place],
            (blobs->count - place) * sizeof blobs->order[0]);
    blobs->order[place] = (uint16_t)index;
    blobs->count++;
    blobs->used += stored(data.size);
    memcpy(blobs->map + offset, data.data, data.size);
    *ret_handle = (struct p2_blob_handle){index, blob->generation};
    return P2_OK;
}

static struct blob *find(struct p2_blobs *blobs, struct p2_blob_handle handle)
{
    if (handle.index >= P2_BLOBS_MAX || handle.generation == 0) {
        return NULL;
    }
    struct blob *blob = &blobs->table[handle.index];
    return blob->size != 0 && blob->generation == handle.generation ? blob : NULL;
}

static void forget(struct p2_blobs *blobs, struct blob *blob)
{
    uint32_t place = 0;
    while (&blobs->table[blobs->order[place]] != blob) {
        place++;
    }
    memmove(&blobs->order[place], &blobs->order[place + 1],
            (blobs->count - place - 1) * sizeof blobs->order[0]);
    blobs->count--;
    blobs->used -= stored(blob->size);
    blob->size = 0;
}

int p2_blobs_drop(struct p2_blobs *blobs, struct p2_blob_handle handle)
{
    struct blob *blob = find(blobs, handle);
    if (blob == NULL || blob->is_dropped) {
        return P2_E_NOENT;
    }
    blob->is_dropped = true;
    if (blob->holds == 0) {
        forget(blobs, blob);
    }
    return P2_OK;
}

int p2_blobs_hold(struct p2_blobs *blobs, struct p2_blob_handle handle,
                  struct p2_slot_blob *ret_place)
{
    struct blob *blob = find(blobs, handle);
    if (blob == NULL || blob->is_dropped) {
        return P2_E_NOENT;
    }
    blob->holds++;
    *ret_place = (struct p2_slot_blob){blob->offset, blob->size};
    return P2_OK;
}

void p2_blobs_release(struct p2_blobs *blobs, struct p2_blob_handle handle)
{
    struct blob *blob = find(blobs, handle);
    P2_ASSERT(blob != NULL && blob->holds > 0);
    blob->holds--;
    if (blob->holds == 0 && blob->is_dropped) {
        forget(blobs, blob);
    }
}
