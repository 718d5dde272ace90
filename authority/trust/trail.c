/* The trail for the back-trace. */
#include "authority/trust/trail.h"

#include <stdlib.h>
#include <string.h>

struct p2_trail_slot {
    struct p2_trail_entry entry; /* its spans point into `bytes` */
    uint8_t *bytes;              /* owned; NULL: forgotten */
    size_t size;
};

int p2_trail_init(struct p2_trail *trail)
{
    memset(trail, 0, sizeof *trail);
    trail->slots = calloc(P2_TRAIL_ENTRIES, sizeof *trail->slots);
    return trail->slots == NULL ? P2_E_NOMEM : P2_OK;
}

static struct p2_trail_slot *slot_at(const struct p2_trail *trail, uint32_t index)
{
    return &trail->slots[(trail->first + index) % P2_TRAIL_ENTRIES];
}

static void empty(struct p2_trail *trail, struct p2_trail_slot *slot)
{
    trail->bytes -= slot->size;
    free(slot->bytes);
    memset(slot, 0, sizeof *slot);
}

static void drop_oldest(struct p2_trail *trail)
{
    empty(trail, slot_at(trail, 0));
    trail->first = (trail->first + 1) % P2_TRAIL_ENTRIES;
    trail->count--;
}

void p2_trail_free(struct p2_trail *trail)
{
    while (trail->count > 0) {
        drop_oldest(trail);
    }
    free(trail->slots);
    memset(trail, 0, sizeof *trail);
}

int p2_trail_add(struct p2_trail *trail, const struct p2_trail_entry *entry)
{
    size_t keys_size = entry->key_count * sizeof *entry->keys;
    size_t size = keys_size + entry->input.size;
    if (entry->key_count > P2_WIRE_BLOBS_MAX || size > P2_TRAIL_BYTES) {
        return P2_E_TOO_BIG;
    }
    while (trail->count == P2_TRAIL_ENTRIES ||
           (trail->count > 0 && trail->bytes + size > P2_TRAIL_BYTES)) {
        drop_oldest(trail);
    }
    uint64_t *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL) {
        return P2_E_NOMEM;
    }
    struct p2_trail_slot *slot = slot_at(trail, trail->count);
    uint8_t *input = (uint8_t *)bytes + keys_size;
    slot->entry = *entry;
    slot->bytes = (uint8_t *)bytes;
    slot->size = size;
    if (keys_size > 0) {
        memcpy(bytes, entry->keys, keys_size);
    }
    if (entry->input.size > 0) {
        memcpy(input, entry->input.data, entry->input.size);
    }
    slot->entry.keys = bytes;
    slot->entry.input = p2_span(input, entry->input.size);
    trail->bytes += size;
    trail->count++;
    return P2_OK;
}

bool p2_trail_get(const struct p2_trail *trail, const struct p2_id *helper, uint32_t index,
                  struct p2_trail_entry *ret_entry)
{
    if (index >= P2_BACKTRACE_MAX) {
        return false;
    }
    for (uint32_t i = trail->count; i > 0; i--) {
        const struct p2_trail_slot *slot = slot_at(trail, i - 1);
        if (slot->bytes != NULL && p2_id_equal(&slot->entry.helper, helper) && index-- == 0) {
            *ret_entry = slot->entry;
            return true;
        }
    }
    return false;
}

void p2_trail_forget(struct p2_trail *trail, uint16_t session)
{
    for (uint32_t i = 0; i < trail->count; i++) {
        struct p2_trail_slot *slot = slot_at(trail, i);
        if (slot->bytes != NULL && slot->entry.session == session) {
            empty(trail, slot);
        }
    }
}
