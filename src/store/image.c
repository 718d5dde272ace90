/* Chunks with a count of references, shared between a builder and its images. */
#include "store/image.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK P2_SNAPSHOT_CHUNK

/* `shown` comes first: images show pointers to it. A chunk that more than one holds never changes
 * but for the digest, which only the writing thread touches. */
struct chunk {
    struct p2_snapshot_chunk shown;
    atomic_uint holders;
    uint8_t bytes[CHUNK];
};

struct p2_image_builder {
    struct chunk **chunks; /* chunks[capacity], the first count_chunks(size) in use */
    size_t size, world_max;
    size_t fresh; /* bytes written since the last image */
    size_t at;    /* of the run of rewind .. finish */
    int error;    /* of that run, sticky */
};

struct p2_image {
    size_t size, fresh, count;
    struct p2_snapshot_chunk *chunks[]; /* chunks[count] */
};

static size_t count_chunks(size_t size)
{
    return (size + CHUNK - 1) / CHUNK;
}

/* ---- chunks --------------------------------------------------------------------------------------- */

static struct chunk *chunk_new(void)
{
    struct chunk *chunk = malloc(sizeof *chunk);
    if (chunk != NULL) {
        chunk->shown = (struct p2_snapshot_chunk){.data = chunk->bytes};
        atomic_init(&chunk->holders, 1);
    }
    return chunk;
}

static void chunk_drop(struct chunk *chunk)
{
    /* What others did with the chunk happened before the last holder frees it. */
    if (chunk != NULL && atomic_fetch_sub_explicit(&chunk->holders, 1, memory_order_acq_rel) == 1) {
        free(chunk);
    }
}

/* The builder's chunk `index`, made its own: bytes outside [from, until) are kept. */
static struct chunk *chunk_to_write(struct p2_image_builder *builder, size_t index, size_t from,
                                    size_t until)
{
    struct chunk *old = builder->chunks[index];
    if (atomic_load_explicit(&old->holders, memory_order_acquire) == 1) {
        old->shown.has_digest = false;
        return old;
    }
    struct chunk *new = chunk_new();
    if (new != NULL) {
        memcpy(new->bytes, old->bytes, from);
        memcpy(new->bytes + until, old->bytes + until, CHUNK - until);
        chunk_drop(old);
        builder->chunks[index] = new;
    }
    return new;
}

/* ---- builder -------------------------------------------------------------------------------------- */

int p2_image_builder_new(struct p2_image_builder **ret_builder, size_t world_max)
{
    if (world_max > P2_SNAPSHOT_WORLD_MAX) {
        return P2_E_INVALID;
    }
    struct p2_image_builder *builder = calloc(1, sizeof *builder);
    if (builder == NULL) {
        return P2_E_NOMEM;
    }
    builder->world_max = world_max;
    builder->chunks = calloc(count_chunks(world_max) + 1, sizeof *builder->chunks);
    if (builder->chunks == NULL) {
        free(builder);
        return P2_E_NOMEM;
    }
    *ret_builder = builder;
    return P2_OK;
}

void p2_image_builder_free(struct p2_image_builder *builder)
{
    if (builder != NULL) {
        for (size_t i = 0; i < count_chunks(builder->size); i++) {
            chunk_drop(builder->chunks[i]);
        }
        free(builder->chunks);
        free(builder);
    }
}

size_t p2_image_builder_size(const struct p2_image_builder *builder)
{
    return builder->size;
}

/* What lies behind the end of the world is 0, so that growing later finds zeros. */
static int shrink(struct p2_image_builder *builder, size_t size)
{
    size_t used = size % CHUNK, last = size / CHUNK;
    if (used != 0) {
        struct chunk *chunk = chunk_to_write(builder, last, used, CHUNK);
        if (chunk == NULL) {
            return P2_E_NOMEM;
        }
        memset(chunk->bytes + used, 0, CHUNK - used);
    }
    for (size_t i = count_chunks(size); i < count_chunks(builder->size); i++) {
        chunk_drop(builder->chunks[i]);
        builder->chunks[i] = NULL;
    }
    builder->size = size;
    return P2_OK;
}

int p2_image_builder_resize(struct p2_image_builder *builder, size_t size)
{
    if (size > builder->world_max) {
        return P2_E_TOO_BIG;
    }
    if (size < builder->size) {
        return shrink(builder, size);
    }
    size_t had = count_chunks(builder->size);
    for (size_t i = had; i < count_chunks(size); i++) {
        struct chunk *chunk = chunk_new();
        if (chunk == NULL) {
            while (i-- > had) {
                chunk_drop(builder->chunks[i]);
                builder->chunks[i] = NULL;
            }
            return P2_E_NOMEM;
        }
        memset(chunk->bytes, 0, CHUNK);
        builder->chunks[i] = chunk;
        builder->fresh += CHUNK;
    }
    builder->size = size;
    return P2_OK;
}

int p2_image_builder_write(struct p2_image_builder *builder, size_t offset, struct p2_span bytes)
{
    if (offset > builder->size || bytes.size > builder->size - offset) {
        return P2_E_RANGE;
    }
    while (bytes.size > 0) {
        size_t from = offset % CHUNK;
        size_t part = bytes.size < CHUNK - from ? bytes.size : CHUNK - from;
        if (memcmp(builder->chunks[offset / CHUNK]->bytes + from, bytes.data, part) != 0) {
            struct chunk *chunk = chunk_to_write(builder, offset / CHUNK, from, from + part);
            if (chunk == NULL) {
                return P2_E_NOMEM;
            }
            memcpy(chunk->bytes + from, bytes.data, part);
            builder->fresh += part;
        }
        offset += part;
        bytes = p2_span(bytes.data + part, bytes.size - part);
    }
    return P2_OK;
}

int p2_image_builder_update(struct p2_image_builder *builder, struct p2_span world,
                            const uint8_t *dirty)
{
    size_t had = builder->size;
    int error = p2_image_builder_resize(builder, world.size);
    for (size_t at = 0; at < world.size && error == P2_OK; at += CHUNK) {
        size_t index = at / CHUNK, left = world.size - at, part = left < CHUNK ? left : CHUNK;
        bool is_known = at + part <= had;
        if (is_known && dirty != NULL && (dirty[index / 8] & 1u << index % 8) == 0) {
            continue;
        }
        error = p2_image_builder_write(builder, at, p2_span(world.data + at, part));
    }
    return error;
}

void p2_image_builder_rewind(struct p2_image_builder *builder)
{
    builder->at = 0;
    builder->error = P2_OK;
}

void p2_image_builder_put(struct p2_image_builder *builder, struct p2_span bytes)
{
    if (builder->error == P2_OK && bytes.size > builder->world_max - builder->at) {
        builder->error = P2_E_TOO_BIG;
    }
    if (builder->error == P2_OK && builder->at + bytes.size > builder->size) {
        builder->error = p2_image_builder_resize(builder, builder->at + bytes.size);
    }
    if (builder->error == P2_OK) {
        builder->error = p2_image_builder_write(builder, builder->at, bytes);
        builder->at += bytes.size;
    }
}

void p2_image_builder_same(struct p2_image_builder *builder, size_t size)
{
    if (builder->error == P2_OK && size > builder->size - builder->at) {
        builder->error = P2_E_RANGE;
    }
    if (builder->error == P2_OK) {
        builder->at += size;
    }
}

int p2_image_builder_finish(struct p2_image_builder *builder)
{
    return builder->error == P2_OK ? p2_image_builder_resize(builder, builder->at) : builder->error;
}

/* ---- images --------------------------------------------------------------------------------------- */

int p2_image_take(struct p2_image_builder *builder, struct p2_image **ret_image)
{
    size_t count = count_chunks(builder->size);
    struct p2_image *image = malloc(sizeof *image + count * sizeof *image->chunks);
    if (image == NULL) {
        return P2_E_NOMEM;
    }
    *image = (struct p2_image){.size = builder->size, .fresh = builder->fresh, .count = count};
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add_explicit(&builder->chunks[i]->holders, 1, memory_order_relaxed);
        image->chunks[i] = &builder->chunks[i]->shown;
    }
    builder->fresh = 0;
    *ret_image = image;
    return P2_OK;
}

int p2_image_of(struct p2_span world, struct p2_image **ret_image)
{
    struct p2_image_builder *builder = NULL;
    if (world.size > P2_SNAPSHOT_WORLD_MAX) {
        return P2_E_TOO_BIG;
    }
    int error = p2_image_builder_new(&builder, world.size);
    if (error == P2_OK) {
        error = p2_image_builder_update(builder, world, NULL);
    }
    if (error == P2_OK) {
        error = p2_image_take(builder, ret_image);
    }
    p2_image_builder_free(builder);
    return error;
}

void p2_image_free(struct p2_image *image)
{
    if (image != NULL) {
        for (size_t i = 0; i < image->count; i++) {
            chunk_drop((struct chunk *)image->chunks[i]); /* `shown` is its first member */
        }
        free(image);
    }
}

size_t p2_image_size(const struct p2_image *image)
{
    return image->size;
}

size_t p2_image_fresh(const struct p2_image *image)
{
    return image->fresh;
}

struct p2_snapshot_chunk *const *p2_image_chunks(const struct p2_image *image, size_t *ret_count)
{
    *ret_count = image->count;
    return image->chunks;
}
