/* Writes the section VIEW (ray_view.h): for generators, tests, tools and whoever leases tiles.
 * Pure functions. Thread: any. */
#ifndef P2_KERNELS_RAY_SHOT_H
#define P2_KERNELS_RAY_SHOT_H

#include "kernels/island.h"
#include "kernels/pack.h"
#include "kernels/ray_view.h"

#include <stdint.h>

/* The numbers of the section, as in its table. */
struct p2_ray_shot {
    int32_t position[3], forward[3], right[3], up[3];
    uint16_t picture_w, picture_h, tile_x, tile_y;
    uint8_t tile_w, tile_h;
    int16_t sun[3];
    uint8_t sun_level, ambient_level, sky_zenith, sky_horizon, sky_glow, sea_level;
    uint16_t fog_start;
    uint8_t rays, flags, clouds, phase;
    uint8_t chunk_count, lamp_count;
    uint8_t chunks[P2_VOXEL_CHUNKS][2];
    struct p2_island_lamp lamps[P2_RAY_LAMPS_MAX]; /* each stands in the middle of its voxel */
};

enum p2_daytime {
    P2_DAYTIME_MORNING = 0,
    P2_DAYTIME_NOON = 1,
    P2_DAYTIME_AFTERNOON = 2,
    P2_DAYTIME_DUSK = 3,
    P2_DAYTIME_EVENING = 4,
    P2_DAYTIME_NIGHT = 5
};
#define P2_DAYTIMES 6u

/* A picture of w x h pixels seen from `eye` towards `target`; half_width is the tangent of half the
 * horizontal angle of view. The tile becomes the picture's first. */
void p2_ray_shot_look(struct p2_ray_shot *shot, struct p2_vec3 eye, struct p2_vec3 target,
                      float half_width, unsigned w, unsigned h);

/* Sun, sky, clouds, fog and flags (all parts of the light) of a time of day. */
void p2_ray_shot_daytime(struct p2_ray_shot *shot, enum p2_daytime daytime);

/* Tile number `index` (row by row, of 64 x 60) of the picture; the last ones may be smaller.
 * Returns false when there is none. */
bool p2_ray_shot_tile(struct p2_ray_shot *shot, unsigned index);

/* Lists the chunks the tile's rays can reach: those its part of the picture looks into (on to the
 * edge of the scene when `is_mirrored`, as a mirror sends rays on), those within `margin` voxels of
 * them, and those from which the sun throws shadows there. */
void p2_ray_shot_reach(struct p2_ray_shot *shot, float margin, bool is_mirrored);

/* Lists the island's lamps that can light something in the listed chunks. */
void p2_ray_shot_lamps(struct p2_ray_shot *shot, const struct p2_island *island);

/* Writes the section. */
void p2_ray_shot_write(const struct p2_ray_shot *shot, struct p2_pack *out);

/* Packs the listed chunks of the island into the case's blobs; scratch[P2_CHUNK_VOXELS]. */
void p2_ray_shot_blobs(const struct p2_ray_shot *shot, const struct p2_island *island,
                       uint8_t *scratch, struct p2c2r_kernel_case *test_case);

/* Case number `index` of a generator: an island, a player's, bird's or villager's eye on it, any
 * time of day, any tile, and the chunks (see p2_ray_shot_reach) as blobs of the case. Fills in the
 * shot and the case's blobs; uses the second half of the case's input as scratch. */
void p2_ray_shot_generate(struct p2_ray_shot *shot, struct p2_kernel_random *random, float margin,
                          bool is_mirrored, struct p2c2r_kernel_case *test_case);

/* Writes a u16 count and `count` (1..4096) faces of 4 bytes: faces of the case's chunks that look
 * at air. */
void p2_ray_shot_faces(const struct p2_ray_shot *shot, struct p2_kernel_random *random,
                       unsigned count, const struct p2c2r_kernel_case *test_case,
                       struct p2_pack *out);

/* Reads the section VIEW at the start of `out` and appends a u16 count and the u16 indices of the
 * tile's pixels that show water or glass. */
void p2_ray_shot_mirrors(const struct p2c2r_kernel_case *test_case, struct p2_pack *out);

#endif
