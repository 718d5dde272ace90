/* The arena of a frame. */
#include "store/codec.h"

#include <stdlib.h>

/* zstd's fastest regular level: checkpoints are written every second and read hardly ever. */
#define LEVEL 1

#define ARENA_ALIGNMENT 64 /* zstd_frame.h */

void p2_codec_init(struct p2_chunk_codec *codec)
{
    *codec = (struct p2_chunk_codec){.arena = NULL};
}

void p2_codec_free(struct p2_chunk_codec *codec)
{
    free(codec->arena);
    p2_codec_init(codec);
}

static int need(struct p2_chunk_codec *codec, size_t size)
{
    if (codec->arena_size >= size) {
        return P2_OK;
    }
    p2_codec_free(codec);
    codec->arena = aligned_alloc(ARENA_ALIGNMENT, size);
    if (codec->arena == NULL) {
        return P2_E_NOMEM;
    }
    codec->arena_size = size;
    return P2_OK;
}

int p2_codec_compress(struct p2_chunk_codec *codec, struct p2_span content, uint8_t *frame,
                      size_t *ret_size)
{
    if (content.size > P2_ZSTD_CONTENT_MAX) {
        return P2_E_TOO_BIG;
    }
    int error = need(codec, P2_ZSTD_COMPRESS_ARENA);
    if (error != P2_OK) {
        return error;
    }
    const struct p2c2r_bytes bytes = {.data = content.data, .size = content.size};
    int status = p2_zstd_frame_compress(bytes, LEVEL, frame, P2_CODEC_FRAME_MAX(content.size),
                                        codec->arena, codec->arena_size, ret_size);
    P2_ASSERT(status == P2C2R_KERNEL_OK); /* frame and arena have room for any content */
    return P2_OK;
}

int p2_codec_decompress(struct p2_chunk_codec *codec, struct p2_span frame, uint8_t *content,
                        size_t size)
{
    int error = need(codec, P2_ZSTD_DECOMPRESS_ARENA);
    if (error != P2_OK) {
        return error;
    }
    const struct p2c2r_bytes bytes = {.data = frame.data, .size = frame.size};
    return p2_zstd_frame_decompress(bytes, content, size, codec->arena, codec->arena_size) ==
                   P2C2R_KERNEL_OK
               ? P2_OK
               : P2_E_MALFORMED;
}
