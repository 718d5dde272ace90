/* The newest delta of each kind and key. */
#include "client/scene_store.h"

#include "base/error.h"
#include "kernels/zstd_frame.h"

#include <stdlib.h>
#include <string.h>

void p2_scene_store_init(struct p2_scene_store *store)
{
    memset(store, 0, sizeof *store);
}

static void drop_chunks(struct p2_scene_store *store)
{
    for (uint32_t i = 0; i < store->chunk_count; i++) {
        free(store->chunks[i]);
    }
    store->chunk_count = 0;
    store->changes++;
}

void p2_scene_store_clear(struct p2_scene_store *store)
{
    drop_chunks(store);
    memset(store->pages, 0, sizeof store->pages);
    memset(store->lamp_pages, 0, sizeof store->lamp_pages);
    memset(store->texts, 0, sizeof store->texts);
    store->has_sky = false;
}

void p2_scene_store_free(struct p2_scene_store *store)
{
    drop_chunks(store);
    free(store->chunks);
    free(store->unpacked);
    memset(store, 0, sizeof *store);
}

/* Index of the first chunk whose key is not below `key`. */
static uint32_t place_of(const struct p2_scene_store *store, uint32_t key)
{
    uint32_t low = 0, high = store->chunk_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->chunks[middle]->key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int insert_chunk(struct p2_scene_store *store, uint32_t at, uint32_t key,
                        struct p2_scene_chunk **ret_chunk)
{
    if (store->chunk_count == P2_SCENE_CHUNKS_MAX) {
        return P2_E_LIMIT;
    }
    if (store->chunks == NULL) {
        store->chunks = calloc(P2_SCENE_CHUNKS_MAX, sizeof(struct p2_scene_chunk *));
    }
    struct p2_scene_chunk *chunk = calloc(1, sizeof *chunk);
    if (store->chunks == NULL || chunk == NULL) {
        free(chunk);
        return P2_E_NOMEM;
    }
    chunk->key = key;
    memmove(store->chunks + at + 1, store->chunks + at,
            (store->chunk_count - at) * sizeof(struct p2_scene_chunk *));
    store->chunks[at] = chunk;
    store->chunk_count++;
    *ret_chunk = chunk;
    return P2_OK;
}

/* A chunk that came by a delta of its own is never older than one in a bundle. */
static int put_chunk(struct p2_scene_store *store, uint32_t key, const uint8_t *voxels,
                     bool is_bundled)
{
    uint32_t at = place_of(store, key);
    struct p2_scene_chunk *chunk = at < store->chunk_count ? store->chunks[at] : NULL;
    if (chunk == NULL || chunk->key != key) {
        int error = insert_chunk(store, at, key, &chunk);
        if (error != P2_OK) {
            return error;
        }
    }
    if (is_bundled && chunk->change != 0 && !chunk->is_bundled) {
        return P2_OK;
    }
    memcpy(chunk->voxels, voxels, sizeof chunk->voxels);
    store->changes += store->changes + 1 == 0 ? 2 : 1;
    chunk->change = store->changes;
    chunk->is_bundled = is_bundled;
    return P2_OK;
}

static int apply_bundle(struct p2_scene_store *store, struct p2c2r_bytes bytes)
{
    uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS];
    struct p2c2r_bytes frame, content;
    uint32_t size = 0, key = 0;
    if (!p2c2r_scene_bundle_open(bytes, &frame, &size)) {
        return P2_E_MALFORMED;
    }
    if (store->unpacked == NULL) {
        store->unpacked = aligned_alloc(64, P2C2R_SCENE_BUNDLE_CONTENT + P2_ZSTD_DECOMPRESS_ARENA);
    }
    if (store->unpacked == NULL) {
        return P2_E_NOMEM;
    }
    if (p2_zstd_frame_decompress(frame, store->unpacked, size,
                                 store->unpacked + P2C2R_SCENE_BUNDLE_CONTENT,
                                 P2_ZSTD_DECOMPRESS_ARENA) != P2C2R_KERNEL_OK) {
        return P2_E_MALFORMED;
    }
    content = (struct p2c2r_bytes){store->unpacked, size};
    while (p2c2r_scene_bundle_next(&content, &key, voxels)) { /* all well formed, or none */
    }
    if (content.size > 0) {
        return P2_E_MALFORMED;
    }
    content = (struct p2c2r_bytes){store->unpacked, size};
    int error = P2_OK;
    while (error == P2_OK && content.size > 0 && p2c2r_scene_bundle_next(&content, &key, voxels)) {
        error = put_chunk(store, key, voxels, true);
    }
    return error;
}

static int apply_chunk(struct p2_scene_store *store, uint32_t key, struct p2c2r_bytes bytes)
{
    uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS];
    if (key >= P2C2R_SCENE_BUNDLE_KEY) {
        return key - P2C2R_SCENE_BUNDLE_KEY < P2C2R_SCENE_BUNDLES ? apply_bundle(store, bytes)
                                                                  : P2_E_RANGE;
    }
    return p2c2r_scene_chunk_read(bytes, voxels) ? put_chunk(store, key, voxels, false)
                                                 : P2_E_MALFORMED;
}

static int apply_entities(struct p2_scene_store *store, uint32_t key, struct p2c2r_bytes bytes)
{
    struct p2_scene_page page;
    if (key >= P2C2R_SCENE_PAGES) {
        return P2_E_RANGE;
    }
    if (!p2c2r_scene_entities_read(bytes, page.entities, &page.count)) {
        return P2_E_MALFORMED;
    }
    store->pages[key].count = page.count;
    memcpy(store->pages[key].entities, page.entities, page.count * sizeof *page.entities);
    return P2_OK;
}

static int apply_lights(struct p2_scene_store *store, uint32_t key, struct p2c2r_bytes bytes)
{
    if (key == 0) {
        struct p2c2r_scene_sky sky;
        if (!p2c2r_scene_sky_read(bytes, &sky)) {
            return P2_E_MALFORMED;
        }
        store->sky = sky;
        store->has_sky = true;
        return P2_OK;
    }
    struct p2_scene_lamps page;
    if (key > P2C2R_SCENE_LAMP_PAGES) {
        return P2_E_RANGE;
    }
    if (!p2c2r_scene_lamps_read(bytes, page.lamps, &page.count)) {
        return P2_E_MALFORMED;
    }
    store->lamp_pages[key - 1].count = page.count;
    memcpy(store->lamp_pages[key - 1].lamps, page.lamps, page.count * sizeof *page.lamps);
    return P2_OK;
}

static int apply_text(struct p2_scene_store *store, uint32_t key, struct p2c2r_bytes bytes)
{
    struct p2c2r_scene_text text;
    if (key >= P2C2R_SCENE_TEXTS) {
        return P2_E_RANGE;
    }
    if (!p2c2r_scene_text_read(bytes, &text)) {
        return P2_E_MALFORMED;
    }
    store->texts[key] = text;
    return P2_OK;
}

/* Keeps those with numbers not seen yet; a late joiner plays nothing old. */
static int apply_events(struct p2_scene_store *store, uint32_t key, struct p2c2r_bytes bytes)
{
    struct p2c2r_scene_event events[P2C2R_SCENE_EVENTS_COUNT];
    uint32_t first = 0, count = 0;
    if (key != 0) {
        return P2_E_RANGE;
    }
    if (!p2c2r_scene_events_read(bytes, &first, events, &count)) {
        return P2_E_MALFORMED;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = store->has_events && (int32_t)(first + i - store->next_event) >= 0;
        if (is_new && store->event_count < P2_SCENE_EVENTS_KEPT) {
            store->events[store->event_count++] = events[i];
        }
    }
    if (!store->has_events || (int32_t)(first + count - store->next_event) > 0) {
        store->next_event = first + count;
    }
    store->has_events = true;
    return P2_OK;
}

int p2_scene_store_apply(struct p2_scene_store *store, uint32_t kind, uint32_t key,
                         struct p2_span data)
{
    struct p2c2r_bytes bytes = {data.data, data.size};
    switch (kind) {
    case P2C2R_SCENE_CHUNK:
        return apply_chunk(store, key, bytes);
    case P2C2R_SCENE_ENTITIES:
        return apply_entities(store, key, bytes);
    case P2C2R_SCENE_LIGHTS:
        return apply_lights(store, key, bytes);
    case P2C2R_SCENE_TEXT:
        return apply_text(store, key, bytes);
    case P2C2R_SCENE_EVENTS:
        return apply_events(store, key, bytes);
    default:
        return P2_OK;
    }
}

const struct p2_scene_chunk *p2_scene_store_chunk(const struct p2_scene_store *store, uint32_t cx,
                                                  uint32_t cz)
{
    if (cx >= P2C2R_SCENE_CHUNKS_SIDE || cz >= P2C2R_SCENE_CHUNKS_SIDE) {
        return NULL;
    }
    uint32_t key = p2c2r_scene_chunk_key(cx, cz);
    uint32_t at = place_of(store, key);
    return at < store->chunk_count && store->chunks[at]->key == key ? store->chunks[at] : NULL;
}

uint32_t p2_scene_store_entities(const struct p2_scene_store *store,
                                 struct p2c2r_scene_entity *entities, uint32_t capacity)
{
    uint32_t count = 0;
    for (uint32_t page = 0; page < P2C2R_SCENE_PAGES; page++) {
        for (uint32_t i = 0; i < store->pages[page].count && count < capacity; i++) {
            entities[count++] = store->pages[page].entities[i];
        }
    }
    return count;
}
