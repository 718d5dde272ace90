/* rt_shadows: where sun and lamps are seen, for the pixels of a tile or for a list of faces.
 *
 * VIEW, P1, version 1. Up to 64 blobs: the chunks (voxel_scene.h) its rays can reach.
 *
 * Input, little-endian:
 *   offset  type     field
 *        0  VIEW     see ray_view.h; `rays` is not used, of `flags` only P2_RAY_LAMPS is
 *        .  u8       mode     0 tile, 1 faces
 *        .  u8       zero
 *        .  u16      count    faces, 1..4096; 0 in mode 0
 *        .  u8[4]    face[count]: x, y (0..63), z, face (0..5, enum p2_voxel_face)
 * Output of mode 0: u8 mask[tile_h][tile_w]: bits 0..2 the face the pixel's middle shows (7: sky,
 *   haze or a lantern), bit 3 set where it sees the sun, bits 4..7 the lamps' light in levels. A
 *   tile traced without sun and lamps and this mask make the full tile (p2_ray_compose), bit for
 * bit. Output of mode 1: u32 mask[count]: bit 0 set where the face's middle sees the sun, bit i + 1
 *   where it gets light from lamp i. A face that looks away from the sun or the lamp sees neither.
 * Both are canonical.
 *
 * Algorithm and limits as rt_render_tile. check: every byte or mask must be one that the face, the sun
 * and the lamps allow; then, of a tile, secret and conspicuous pixels as in rt_render_tile.h, of a
 * list, one secret face in each of 32 stretches are traced again. Within 50 us: may run on a loop. */
#ifndef P2_KERNELS_RT_SHADOWS_H
#define P2_KERNELS_RT_SHADOWS_H

#include "p2c2r/kernel.h"

extern const struct p2c2r_kernel p2_kernel_rt_shadows;

#endif
