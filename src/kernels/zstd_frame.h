/* One zstd frame (RFC 8878) in, one out, in memory the caller supplies: the one door to libzstd.
 *
 * A frame is taken only in the one form the project sends: exactly one standard frame, no
 * dictionary, its content size declared and equal to the expected one, nothing before or after it.
 * Everything else is refused before a byte is decoded. Nothing here allocates.
 * Thread: reentrant when the arenas differ. */
#ifndef P2_KERNELS_ZSTD_FRAME_H
#define P2_KERNELS_ZSTD_FRAME_H

#include "p2c2r/kernel.h"

#include <stddef.h>
#include <stdint.h>

#define P2_ZSTD_LEVEL_MIN 1
#define P2_ZSTD_LEVEL_MAX 6 /* chosen: higher levels double the memory for a few percent */

/* Scratch memory that is enough for any content up to P2_ZSTD_CONTENT_MAX at every level, and for
 * decoding. Measured with zstd 1.5.4: 3.5 MiB and 94 KiB; the rest is for other versions. */
#define P2_ZSTD_COMPRESS_ARENA   (8u << 20)
#define P2_ZSTD_DECOMPRESS_ARENA (256u << 10)

#define P2_ZSTD_CONTENT_MAX (1u << 20) /* bytes: the largest output of a kernel */

/* The most bytes a frame of `content_size` bytes may have here: zstd's own bound (zstd.h,
 * ZSTD_COMPRESSBOUND) for contents above 128 KiB, and no less for smaller ones. */
#define P2_ZSTD_FRAME_MAX(content_size) \
    ((size_t)(content_size) + ((size_t)(content_size) >> 8) + 64)

/* Compresses `content` into frame[frame_capacity]. `arena` is 64-byte aligned. A
 * P2C2R_KERNEL_* status: BAD_INPUT for a level or size outside the limits, OUTPUT_FULL,
 * ARENA_FULL. */
int p2_zstd_frame_compress(struct p2c2r_bytes content, int level, uint8_t *frame,
                           size_t frame_capacity, uint8_t *arena, size_t arena_size,
                           size_t *ret_size);

/* The content size that a frame declares, when it is at most `content_max`; BAD_RESULT when it is not
 * a frame as above, declares none, or a larger one. */
int p2_zstd_frame_content_size(struct p2c2r_bytes frame, size_t content_max, size_t *ret_size);

/* Decodes the one frame of exactly `content_size` bytes into content[content_size]. BAD_RESULT
 * when `frame` is anything else, ARENA_FULL. On failure `content` may be partly written. */
int p2_zstd_frame_decompress(struct p2c2r_bytes frame, uint8_t *content, size_t content_size,
                             uint8_t *arena, size_t arena_size);

/* The content size a frame of the one form declares, or SIZE_MAX when it declares none, one above
 * P2_ZSTD_CONTENT_MAX, or is no such frame. For content whose size the receiver cannot know; it then
 * compares it with its own limit. Looks at the head only. */
size_t p2_zstd_frame_declared(struct p2c2r_bytes frame);

#endif
