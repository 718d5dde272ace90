/* Compression of chunks: one zstd frame each, in the strict form of kernels/zstd_frame.h, with the
 * scratch memory on the heap. A frame is checked before a byte is decoded, so a hostile one costs
 * no more than its expected size. Thread: a codec belongs to one thread. */
#ifndef P2_STORE_CODEC_H
#define P2_STORE_CODEC_H

#include "base/buf.h"
#include "kernels/zstd_frame.h"

/* The most bytes a frame of `size` bytes may have. */
#define P2_CODEC_FRAME_MAX(size) P2_ZSTD_FRAME_MAX(size)

struct p2_chunk_codec {
    uint8_t *arena; /* allocated at first use */
    size_t arena_size;
};

void p2_codec_init(struct p2_chunk_codec *codec);
void p2_codec_free(struct p2_chunk_codec *codec);

/* Compresses `content` (at most P2_ZSTD_CONTENT_MAX) into frame[P2_CODEC_FRAME_MAX(its size)].
 * P2_E_NOMEM; P2_E_TOO_BIG. */
int p2_codec_compress(struct p2_chunk_codec *codec, struct p2_span content, uint8_t *frame,
                      size_t *ret_size);

/* Decodes `frame` into content[size]. P2_E_MALFORMED when it is anything but the one frame of
 * exactly `size` bytes; P2_E_NOMEM. */
int p2_codec_decompress(struct p2_chunk_codec *codec, struct p2_span frame, uint8_t *content,
                        size_t size);

#endif
