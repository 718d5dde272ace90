/* rt_render_tile: a ray-cast tile of a voxel scene, one palette byte per pixel.
 *
 * VIEW, P1, version 1. Up to 64 blobs: the chunks (voxel_scene.h) its rays can reach.
 *
 * Input, little-endian, at most 464 bytes:
 *   offset  type     field
 *        0  VIEW     see ray_view.h; `flags` choose the parts of the light, `rays` the quality
 *        .  end      nothing may follow
 * Output: u8 pixel[tile_h][tile_w], palette bytes (palette.h), rows from top to bottom. Canonical.
 *
 * Algorithm: Amanatides and Woo 1987 over columns (voxel_scene.h); sun and lamp shadows by further
 * rays; occlusion per face from the 8 neighbours in front of it (the idea of Lysenko, "Ambient
 * occlusion for Minecraft-like worlds", 2013); everything in whole levels (ray_light.h).
 * Limits: 64 x 60 pixels, 4 rays a pixel, 31 lamps; a ray ends after P2_VOXEL_STEPS_MAX steps.
 *
 * check: traces again, within a budget of work (ray_cost.h), by turns
 *   - one secret pixel in each of 32 blocks of the tile (8 x 4), in a secret order, at least 8: a
 *     wrong part that covers a block is always seen when all are looked at;
 *   - up to 32 pixels that differ from all their neighbours, or all but one: a right tile has few of
 *     them (the median is none), a pixel damaged by chance is one.
 * n wrong pixels that blend in with their neighbours are missed with a probability of about
 * (1 - n / 3840)^32. It ends within 50 us and may run on an event loop. */
#ifndef P2_KERNELS_RT_RENDER_TILE_H
#define P2_KERNELS_RT_RENDER_TILE_H

#include "p2c2r/kernel.h"

extern const struct p2c2r_kernel p2_kernel_rt_render_tile;

#endif
