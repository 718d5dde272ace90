/* Lists between the loop and a session's thread. */
#include "authority/shell/frame_batch.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 64u

/* Makes room for one more item in an array. */
static int grow(void **items, uint32_t *capacity, uint32_t count, size_t each)
{
    if (count < *capacity) {
        return P2_OK;
    }
    if (count >= P2_FRAME_ITEMS_MAX) {
        return P2_E_LIMIT;
    }
    uint32_t more = *capacity == 0 ? CAPACITY_FIRST : 2 * *capacity;
    void *fresh = realloc(*items, more * each);
    if (fresh == NULL) {
        return P2_E_NOMEM;
    }
    *items = fresh;
    *capacity = more;
    return P2_OK;
}

/* ---- in ---------------------------------------------------------------------------------------- */

void p2_frame_in_init(struct p2_frame_in *in)
{
    memset(in, 0, sizeof *in);
    p2_buf_init(&in->bytes, P2_FRAME_BATCH_MAX);
}

void p2_frame_in_clear(struct p2_frame_in *in)
{
    struct p2_in_item *items = in->items;
    uint32_t capacity = in->capacity;
    struct p2_buf bytes = in->bytes;
    memset(in, 0, sizeof *in);
    in->items = items;
    in->capacity = capacity;
    in->bytes = bytes;
    p2_buf_clear(&in->bytes);
}

void p2_frame_in_free(struct p2_frame_in *in)
{
    free(in->items);
    p2_buf_free(&in->bytes);
    memset(in, 0, sizeof *in);
}

int p2_frame_in_add(struct p2_frame_in *in, const struct p2_in_item *item, struct p2_span bytes)
{
    void *items = in->items;
    int error = grow(&items, &in->capacity, in->count, sizeof *in->items);
    in->items = items;
    size_t offset = in->bytes.size;
    if (error == P2_OK) {
        error = p2_buf_append(&in->bytes, bytes);
    }
    if (error == P2_OK) {
        struct p2_in_item *added = &in->items[in->count++];
        *added = *item;
        added->offset = offset;
        added->size = bytes.size;
    }
    return error;
}

struct p2_span p2_frame_in_bytes(const struct p2_frame_in *in, const struct p2_in_item *item)
{
    return item->size == 0 ? p2_span(NULL, 0) : p2_span(in->bytes.data + item->offset, item->size);
}

/* ---- out --------------------------------------------------------------------------------------- */

void p2_frame_out_init(struct p2_frame_out *out)
{
    memset(out, 0, sizeof *out);
    p2_buf_init(&out->bytes, P2_FRAME_BATCH_MAX);
    p2_buf_init(&out->host, P2_FRAME_BATCH_MAX);
    p2_buf_init(&out->world, P2C2R_GAME_WORLD_MAX);
}

void p2_frame_out_clear(struct p2_frame_out *out)
{
    out->count = 0;
    out->is_out_of_sync = false;
    out->game_us = out->frames_us = out->cut = 0;
    out->hash = 0;
    p2_buf_clear(&out->bytes);
    p2_buf_clear(&out->host);
    p2_buf_clear(&out->world);
}

void p2_frame_out_free(struct p2_frame_out *out)
{
    free(out->items);
    p2_buf_free(&out->bytes);
    p2_buf_free(&out->host);
    p2_buf_free(&out->world);
    memset(out, 0, sizeof *out);
}

int p2_frame_out_add(struct p2_frame_out *out, const struct p2_out_item *item, struct p2_span bytes)
{
    void *items = out->items;
    int error = grow(&items, &out->capacity, out->count, sizeof *out->items);
    out->items = items;
    size_t offset = out->bytes.size;
    if (error == P2_OK) {
        error = p2_buf_append(&out->bytes, bytes);
    }
    if (error == P2_OK) {
        struct p2_out_item *added = &out->items[out->count++];
        *added = *item;
        added->offset = offset;
        added->size = bytes.size;
    }
    return error;
}

int p2_frame_out_add_task(struct p2_frame_out *out, const struct p2_task_spec *spec)
{
    struct p2_out_item item = {.kind = P2_OUT_SUBMIT, .task = spec->id, .spec = *spec};
    size_t before = out->bytes.size;
    item.keys_offset = before;
    item.spec.input = p2_span(NULL, 0);
    item.spec.keys = NULL;
    int error =
        p2_buf_append(&out->bytes, p2_span(spec->keys, spec->key_count * sizeof *spec->keys));
    if (error == P2_OK) {
        error = p2_frame_out_add(out, &item, spec->input);
    }
    if (error != P2_OK) {
        out->bytes.size = before;
    }
    return error;
}

struct p2_span p2_frame_out_bytes(const struct p2_frame_out *out, const struct p2_out_item *item)
{
    return item->size == 0 ? p2_span(NULL, 0) : p2_span(out->bytes.data + item->offset, item->size);
}
