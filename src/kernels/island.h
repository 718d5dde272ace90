/* A voxel island for generators, tests and pictures: hills, a lake, woods, caves, and villages with
 * lanterns. 256 x 64 x 256 voxels, a function of its seed alone, made chunk by chunk; integers
 * only, so it is the same on every machine. Thread: an island is read-only once started. */
#ifndef P2_KERNELS_ISLAND_H
#define P2_KERNELS_ISLAND_H

#include "kernels/voxel_scene.h"

#include <stdint.h>

#define P2_ISLAND_SEA      14 /* sea level: water fills y 0..13 */
#define P2_ISLAND_VILLAGES 3
#define P2_ISLAND_CAVES    4
#define P2_ISLAND_LAMPS    31 /* at most; P2_RAY_LAMPS_MAX */
#define P2_CHUNK_VOXELS    65536u

struct p2_island_lamp {
    uint8_t x, y, z; /* voxel */
    uint8_t level, radius;
};

struct p2_island {
    uint32_t seed;
    int village[P2_ISLAND_VILLAGES][3]; /* x, ground, z of the middle */
    int cave[P2_ISLAND_CAVES][5];       /* x, y, z of the mouth, direction x, z in 1/16 */
    int lake[2];                        /* x, z of the middle */
    unsigned lamp_count;
    struct p2_island_lamp lamps[P2_ISLAND_LAMPS];
};

/* Plans the island of a seed. */
void p2_island_start(struct p2_island *island, uint64_t seed);

/* Number of solid layers (without water, trees and houses) of a column, 1..60. */
int p2_island_ground(const struct p2_island *island, int x, int z);

/* Writes the materials of chunk (cx, cz), 0..7, to voxels[P2_CHUNK_VOXELS] as p2_voxel_chunk_pack
 * reads them. */
void p2_island_chunk(const struct p2_island *island, unsigned cx, unsigned cz, uint8_t *voxels);

#endif
