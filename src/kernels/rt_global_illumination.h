/* rt_global_illumination: indirect light gathered over supplied directions, for the pixels of a
 * tile or for a list of faces.
 *
 * VIEW, P1, version 1. Up to 64 blobs: the chunks (voxel_scene.h) its rays can reach.
 *
 * Input, little-endian:
 *   offset  type     field
 *        0  VIEW     see ray_view.h; `rays` and `flags` are not used
 *        .  u8       mode        0 tile, 1 faces
 *        .  u8       directions  1..64
 *        .  u16      count       faces, 1..4096; 0 in mode 0
 *        .  u8       reach       1..128 voxels a gathering ray goes
 *        .  u8       sky         0..16: share of the ambient light a free direction brings, in 1/16
 *        .  u16      zero
 *        .  i16[3]   direction[directions]: Q2.14, (u, v, n) relative to a face: n > 0 along its
 *                    normal, u and v along the next two axes; squared length 0.9..1.1
 *        .  u8[4]    face[count]: x, y (0..63), z, face (0..5, enum p2_voxel_face)
 * Output: u8 light[count] (or [tile_h][tile_w]): indirect light of the face in 1/8 level, 0..120;
 *   in mode 0 255 for a pixel that shows no voxel (sky, sea, haze, a lantern). Canonical.
 *
 * The mean over the directions of what comes from there: sunlight thrown back by the first surface
 * (one bounce, with a shadow ray), a lantern, or the sky; a Monte Carlo gather (Kajiya, "The
 * rendering equation", SIGGRAPH 1986) whose directions the caller supplies, distributed by their
 * cosine. One value per face: noise per pixel would not compress. With sky 0 the result is what
 * rt_render_tile lacks and can be added to its levels. Limits as rt_render_tile.
 *
 * check: no value above 120 (or 255 in a tile); then what secret and conspicuous pixels of a tile (as
 * in rt_render_tile.h) or one secret face in each of 128 stretches of a list get is gathered again.
 * Its bound, 600 us, is more than an event loop has: a host runs it in its pool. */
#ifndef P2_KERNELS_RT_GLOBAL_ILLUMINATION_H
#define P2_KERNELS_RT_GLOBAL_ILLUMINATION_H

#include "p2c2r/kernel.h"

extern const struct p2c2r_kernel p2_kernel_rt_global_illumination;

#endif
