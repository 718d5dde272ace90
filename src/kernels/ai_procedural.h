/* ai_procedural: one 16 x 64 x 16 chunk of voxel terrain from lattice values. STATE, P0, version 1.
 *
 * Height: four octaves of gradient noise (Perlin, "Improving Noise", SIGGRAPH 2002: quintic fade) in
 * fixed point. Caves: where two 3-D gradient noises are both near 0. Ores: ellipsoids, one for some
 * cells of 8 x 8 x 8 voxels. Trees: one for some cells of 4 x 4 columns, with crowns that reach two
 * columns over the chunk's border. All of it follows from lattice values of the chunk's
 * neighbourhood, so neighbouring chunks agree without knowing each other; the input holds no world
 * seed and no place in the world.
 *
 * Coordinates: x and z are columns, 0..15 inside the chunk; y is 0..63 upwards. A lattice of
 * spacing s begins at the last multiple of s (in the world) not after column -4. Lattices are rows
 * of z, then x; 3-D ones are layers of y, then z, then x.
 *
 * Input (little-endian):
 *   offset  size   what
 *   0       1, 1   phase x and z: the chunk's origin in the world modulo 64, a multiple of 16
 *   2       1      base height, 4..56
 *   3       1      relief, 0..48: height of the largest hills above the base
 *   4       1      water level, 0..60: air up to it is water
 *   5       1      snow line, 0..64: surfaces from it on are snow
 *   6       1      cave width, 0..64 (0: none)
 *   7       1, 1   tree density and ore density: chance of a cell, in 1/256
 *   9       7      0
 *   16      9      gradients, spacing 64 (3 x 3); the low four bits of each byte count
 *   25      9      gradients, spacing 32 (3 x 3)
 *   34      16     gradients, spacing 16 (4 x 4)
 *   50      25     gradients, spacing 8 (5 x 5)
 *   75      9      moisture gradients, spacing 64 (3 x 3)
 *   84      72     tree words, 2 bytes, cells of 4 columns from column -4 (6 x 6): bits 0-7 chance,
 *                  8-9 x, 10-11 z in the cell, 12-13 trunk height - 3, 14-15 kind (3: pine)
 *   156     512    ore words, 4 bytes, cells of 8 voxels from column -8 (8 layers of 4 x 4): bits
 *                  0-7 chance, 8-10 x, 11-13 y, 14-16 z in the cell, 17-18 size, 24-31 kind
 *   668     144    cave gradients A, spacing 16 columns and 8 layers (9 layers of 4 x 4)
 *   812     144    cave gradients B
 *
 * Output: 16384 bytes, enum p2_voxel, at (z * 16 + x) * 64 + y.
 *
 * Check: every voxel of every column is compared with what it may be with or without a cave; a
 * secret quarter of the columns is computed in full. A wrong cave in another column passes.
 * About 0.1 ms: it belongs in a pool. */
#ifndef P2_KERNELS_AI_PROCEDURAL_H
#define P2_KERNELS_AI_PROCEDURAL_H

#include "p2c2r/kernel.h"

#include <stdbool.h>

#define P2_CHUNK_SIDE        16
#define P2_CHUNK_HEIGHT      64
#define P2_CHUNK_BYTES       (P2_CHUNK_SIDE * P2_CHUNK_SIDE * P2_CHUNK_HEIGHT)
#define P2_CHUNK_INPUT_BYTES 956u
#define P2_CHUNK_MARGIN      4 /* columns around the chunk the lattices cover */
#define P2_CHUNK_CROWN       2 /* columns a tree's crown reaches from its trunk */
#define P2_CHUNK_TREES_MAX   36

/* Materials. Codes differ in at least two bits, so that a flipped bit is never another material. */
enum p2_voxel {
    P2_VOXEL_AIR = 0,
    P2_VOXEL_STONE = 3,
    P2_VOXEL_DIRT = 5,
    P2_VOXEL_GRASS = 6,
    P2_VOXEL_SAND = 9,
    P2_VOXEL_WATER = 10,
    P2_VOXEL_SNOW = 12,
    P2_VOXEL_GRAVEL = 17,
    P2_VOXEL_COAL = 18,
    P2_VOXEL_IRON = 20,
    P2_VOXEL_GOLD = 24,
    P2_VOXEL_CRYSTAL = 33,
    P2_VOXEL_LOG = 34,
    P2_VOXEL_LEAVES = 36,
    P2_VOXEL_BEDROCK = 40
};

extern const struct p2c2r_kernel p2_kernel_ai_procedural;

/* Column (x, z) of the chunk `input` describes, for x and z from -P2_CHUNK_CROWN to
 * P2_CHUNK_SIDE - 1 + P2_CHUNK_CROWN: columns outside belong to the neighbours and show that
 * chunks fit together. False for malformed input. */
bool p2_procedural_column(struct p2c2r_bytes input, int32_t x, int32_t z,
                          uint8_t ret_column[P2_CHUNK_HEIGHT]);

/* What a world is like; see the input's table for units. */
struct p2_procedural_world {
    uint64_t seed;
    uint8_t base, relief, water, snow, caves, trees, ores;
};

/* Writes the kernel's input for chunk (chunk_x, chunk_z) of a world to out[P2_CHUNK_INPUT_BYTES].
 * For the side that knows the world; the seed does not leave it. In procedural_cases.c. */
void p2_procedural_input(const struct p2_procedural_world *world, int32_t chunk_x, int32_t chunk_z,
                         uint8_t *out);
void p2_procedural_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case);

#endif
