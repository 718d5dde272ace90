/* The image of a world at one frame: what a session thread hands over to be written.
 *
 * A builder keeps the world as it was last written, in chunks of P2_SNAPSHOT_CHUNK. A game that
 * knows what changed writes only that; the untouched chunks are shared, with a count of references,
 * by all images that hold them. So an image costs its session thread what changed, not the world's
 * size, and may be hashed and compressed on another thread while the game goes on.
 *
 * Thread: a builder belongs to one thread (the session's). An image is immutable and may move to
 * another one; both may be freed in any order, on any thread. */
#ifndef P2_STORE_IMAGE_H
#define P2_STORE_IMAGE_H

#include "store/snapshot.h"

struct p2_image_builder;
struct p2_image;

/* An empty world that may have up to `world_max` bytes (at most P2_SNAPSHOT_WORLD_MAX).
 * Gives: p2_image_builder_free. P2_E_NOMEM, P2_E_INVALID. */
int p2_image_builder_new(struct p2_image_builder **ret_builder, size_t world_max);
void p2_image_builder_free(struct p2_image_builder *builder);

/* Sets the size of the world; new bytes are 0. P2_E_TOO_BIG, P2_E_NOMEM. O(chunks that change). */
int p2_image_builder_resize(struct p2_image_builder *builder, size_t size);
size_t p2_image_builder_size(const struct p2_image_builder *builder);

/* Overwrites part of the world: [offset, offset + bytes.size) must lie within it (P2_E_RANGE).
 * P2_E_NOMEM. Bytes that are there already cost a
 * comparison only. O(bytes), at most twice a chunk more. */
int p2_image_builder_write(struct p2_image_builder *builder, size_t offset, struct p2_span bytes);

/* Makes the builder's world equal to `world`. `dirty` has one bit per chunk, lowest first, set = it
 * may differ; NULL: all are compared, and only those that differ are copied. */
int p2_image_builder_update(struct p2_image_builder *builder, struct p2_span world,
                            const uint8_t *dirty);

/* The same as a run of bytes from the start, for a game that writes its state in order: rewind, then
 * put (bytes) or same (as many bytes as they were in the last run), then finish, which cuts the world
 * to what was written. Errors are sticky and reported by finish: P2_E_TOO_BIG, P2_E_RANGE (same beyond
 * the last end), P2_E_NOMEM; the world is then of no use until a whole run succeeded. */
void p2_image_builder_rewind(struct p2_image_builder *builder);
void p2_image_builder_put(struct p2_image_builder *builder, struct p2_span bytes);
void p2_image_builder_same(struct p2_image_builder *builder, size_t size);
int p2_image_builder_finish(struct p2_image_builder *builder);

/* The image of now. Gives: p2_image_free, or whoever takes it. P2_E_NOMEM. O(chunks), a few
 * microseconds for 4 MiB. */
int p2_image_take(struct p2_image_builder *builder, struct p2_image **ret_image);

/* An image of bytes that are there already (an import). Copies. P2_E_NOMEM, P2_E_TOO_BIG. */
int p2_image_of(struct p2_span world, struct p2_image **ret_image);

/* NULL is ignored. */
void p2_image_free(struct p2_image *image);

/* Bytes of the world; bytes that no earlier image of its builder held. */
size_t p2_image_size(const struct p2_image *image);
size_t p2_image_fresh(const struct p2_image *image);

/* The chunks, for p2_snapshot_input: chunks[*ret_count]. Borrowed; their digests are filled in by
 * the one thread that writes. */
struct p2_snapshot_chunk *const *p2_image_chunks(const struct p2_image *image, size_t *ret_count);

#endif
