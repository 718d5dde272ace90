/* The only includer of zstd.h. */
#include "kernels/zstd_frame.h"

/* Static contexts (ZSTD_initStaticCCtx and its kin) are in this part of the interface; Debian's
 * shared library exports it. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

static int compress_status(size_t code)
{
    return ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall ? P2C2R_KERNEL_OUTPUT_FULL
                                                                  : P2C2R_KERNEL_ARENA_FULL;
}

int p2_zstd_frame_compress(struct p2c2r_bytes content, int level, uint8_t *frame,
                           size_t frame_capacity, uint8_t *arena, size_t arena_size,
                           size_t *ret_size)
{
    if (level < P2_ZSTD_LEVEL_MIN || level > P2_ZSTD_LEVEL_MAX ||
        content.size > P2_ZSTD_CONTENT_MAX) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    ZSTD_CCtx *context = ZSTD_initStaticCCtx(arena, arena_size);
    if (context == NULL) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    const size_t limit = P2_ZSTD_FRAME_MAX(content.size);
    size_t code = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    if (ZSTD_isError(code) == 0) {
        code = ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1);
    }
    if (ZSTD_isError(code) == 0) {
        code = ZSTD_compress2(context, frame, frame_capacity < limit ? frame_capacity : limit,
                              content.data, content.size);
    }
    if (ZSTD_isError(code) != 0) {
        return compress_status(code);
    }
    *ret_size = code;
    return P2C2R_KERNEL_OK;
}

int p2_zstd_frame_content_size(struct p2c2r_bytes frame, size_t content_max, size_t *ret_size)
{
    ZSTD_frameHeader header;
    if (frame.size == 0 || ZSTD_getFrameHeader(&header, frame.data, frame.size) != 0 ||
        header.frameType != ZSTD_frame || header.dictID != 0 ||
        header.frameContentSize > content_max) { /* unknown sizes are the largest numbers */
        return P2C2R_KERNEL_BAD_RESULT;
    }
    *ret_size = (size_t)header.frameContentSize;
    return P2C2R_KERNEL_OK;
}

int p2_zstd_frame_decompress(struct p2c2r_bytes frame, uint8_t *content, size_t content_size,
                             uint8_t *arena, size_t arena_size)
{
    ZSTD_frameHeader header;
    if (frame.size == 0 || frame.size > P2_ZSTD_FRAME_MAX(content_size) ||
        ZSTD_getFrameHeader(&header, frame.data, frame.size) != 0 ||
        header.frameType != ZSTD_frame || header.dictID != 0 ||
        header.frameContentSize != content_size ||
        ZSTD_findFrameCompressedSize(frame.data, frame.size) != frame.size) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(arena, arena_size);
    if (context == NULL) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    const size_t size = ZSTD_decompressDCtx(context, content, content_size, frame.data, frame.size);
    return size == content_size ? P2C2R_KERNEL_OK : P2C2R_KERNEL_BAD_RESULT;
}

size_t p2_zstd_frame_declared(struct p2c2r_bytes frame)
{
    ZSTD_frameHeader header;
    if (frame.size == 0 || ZSTD_getFrameHeader(&header, frame.data, frame.size) != 0 ||
        header.frameType != ZSTD_frame || header.dictID != 0 ||
        header.frameContentSize > P2_ZSTD_CONTENT_MAX) {
        return SIZE_MAX;
    }
    return (size_t)header.frameContentSize;
}
