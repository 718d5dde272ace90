/* The bounded decoder on hostile frames. First two bytes (little-endian): the expected size. What
 * it accepts must be exactly that long, and must come back when it is compressed again. */
#include "base/error.h"
#include "kernels/zstd_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t arena[P2_ZSTD_COMPRESS_ARENA] __attribute__((aligned(64)));
    static uint8_t frame[P2_ZSTD_FRAME_MAX(CONTENT_MAX)], back[CONTENT_MAX];
    if (size < 2) {
        return 0;
    }
    const size_t expected = (size_t)data[0] | (size_t)data[1] << 8;
    /* Of exactly the expected size, so that a byte too many is seen. */
    uint8_t *content = malloc(expected > 0 ? expected : 1);
    size_t again = 0;
    if (content != NULL &&
        p2_zstd_frame_decompress((struct p2c2r_bytes){data + 2, size - 2}, content, expected, arena,
                                 P2_ZSTD_DECOMPRESS_ARENA) == P2C2R_KERNEL_OK) {
        P2_ASSERT(p2_zstd_frame_compress((struct p2c2r_bytes){content, expected}, 1, frame,
                                         sizeof frame, arena, sizeof arena,
                                         &again) == P2C2R_KERNEL_OK);
        P2_ASSERT(p2_zstd_frame_decompress((struct p2c2r_bytes){frame, again}, back, expected,
                                           arena, P2_ZSTD_DECOMPRESS_ARENA) == P2C2R_KERNEL_OK);
        P2_ASSERT(memcmp(content, back, expected) == 0);
    }
    free(content);
    return 0;
}
