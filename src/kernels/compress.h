/* compress: one zstd frame of an asset. VIEW, P0, version 1.
 *
 * Input (little-endian):
 *   offset  size  what
 *   0       1     level, 1..6
 *   1       3     0
 *   4       N     content, N <= P2_COMPRESS_CONTENT_MAX bytes
 *
 * Output: exactly one zstd frame (RFC 8878; form and size cap: zstd_frame.h), at most
 * P2_ZSTD_FRAME_MAX(N) bytes. Which frame is up to the version of zstd; results are compared,
 * audited and digested as what they decode to, and judged by round trip only.
 *
 * Check: the frame decodes to the content. Complete: every wrong result is refused. It says nothing
 * about how well the frame is compressed. Up to 3 ms for 1 MiB: it belongs in a pool. */
#ifndef P2_KERNELS_COMPRESS_H
#define P2_KERNELS_COMPRESS_H

#include "kernels/zstd_frame.h"

#define P2_COMPRESS_HEADER_BYTES 4u
/* The largest content whose frame fits the output even when it cannot be made smaller. */
#define P2_COMPRESS_CONTENT_MAX (P2C2R_OUTPUT_MAX - (P2C2R_OUTPUT_MAX >> 8) - 64u)

extern const struct p2c2r_kernel p2_kernel_compress;

#endif
