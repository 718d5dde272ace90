/* rt_reflections: what water and glass mirror, for the pixels of a tile.
 *
 * VIEW, P1, version 1. Up to 64 blobs: the chunks (voxel_scene.h) its rays can reach.
 *
 * Input, little-endian:
 *   offset  type     field
 *        0  VIEW     see ray_view.h
 *        .  u8       bounces  1..4: mirrors a ray may meet
 *        .  u8       zero
 *        .  u16      count    listed pixels, 0..3840; 0 means every pixel of the tile
 *        .  u16      pixel[count]: y * tile_w + x, strictly ascending
 * Output: u8 byte[count] (or [tile_h][tile_w]), palette bytes. A pixel that shows no mirror gets
 *   the byte rt_render_tile would give it, so putting a picture together is replacing bytes.
 *   Canonical.
 * Rays that meet the top of water or glass at a flat angle go on in the mirrored direction: voxel
 * faces are axis-parallel, so one component changes its sign; water has ripples (a triangle wave
 * moved by `phase`). Mirrored sky takes the mirror's material, mirrored things lose a quarter of
 * their light, lanterns and the sun stay as they are. Algorithm and limits as rt_render_tile.
 *
 * check: secret and conspicuous pixels of those asked for, as in rt_render_tile.h (neighbours of a
 * listed pixel are listed ones), are traced again. 99 % of
 * generated cases end within 50 us; the bound of 70 us is more than an event loop has: pool. */
#ifndef P2_KERNELS_RT_REFLECTIONS_H
#define P2_KERNELS_RT_REFLECTIONS_H

#include "p2c2r/kernel.h"

extern const struct p2c2r_kernel p2_kernel_rt_reflections;

#endif
