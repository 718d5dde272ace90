/* physics_destruction: what a blast takes out of a voxel block, and what falls down after it.
 *
 * STATE, P0, version 1. Integers only.
 *
 * Input
 *   offset type            meaning                                             range
 *   0      u8[3]           nx, ny, nz: voxels along x, y, z; nx*ny*nz at       1 .. 128 each,
 *                          most 229,376                                        product as said
 *   3      u8              faces of the block that hold what touches them,     0 .. 63
 *                          bits 0..5: x low, x high, y low, y high, z low,
 *                          z high
 *   4      u16             m: materials                                        1 .. 254
 *   6      u16             k: blasts                                           0 .. 16
 *   8      u32             r: voxels removed one by one                        0 .. 16,384
 *   12     u32             dust: fragments of fewer voxels are dust            0 .. 65,535
 *   16     m times 4 byte  materials 1 .. m:
 *            u16             mass of a voxel, kg                               1 .. 65,535
 *            u8              strength; 255 survives every blast                0 .. 255
 *            u8              1 when voxels of it hold themselves (bedrock)     0 or 1
 *   then   k times 16 byte blasts:
 *            i32[3]          centre, 1/256 voxel; voxel (x, y, z) has its      -65,536 .. 65,536
 *                            own centre at (256 x + 128, ...)
 *            u16             radius, 1/256 voxel                               1 .. 16,384
 *            u16             power                                             0 .. 65,535
 *   then   r times u32     removed voxels x + nx (y + ny z), ascending         < nx*ny*nz
 *   then   u8[nx*ny*nz]    voxels, x fastest, then y, then z: 0 is air         0 .. m
 *
 * Output
 *   0      u32             removed: voxels taken out (air listed as removed does not count)
 *   4      u32             f: fragments, at most 2,048
 *   8      u32             runs of all fragments
 *   12     u32             runs of dust
 *   16     u32             runs of removed voxels
 *   20     u32             voxels of dust
 *   24     u64             mass of dust, kg
 *   32     u32             voxels that stay
 *   36     u32             zero
 *   40     f times 40 byte fragments:
 *            u32             its first run
 *            u32             its runs
 *            u32             its voxels
 *            u8[3], u8[3]    lowest and highest x, y, z
 *            u16             zero
 *            u64             mass, kg
 *            i32[3]          centre of mass, 1/256 voxel, rounded down
 *   then   runs u32        of fragments, then of dust, then of removed voxels: bits 0..17 the
 *                          first voxel, bits 18..24 the voxels along x less one
 *
 * A blast of radius R and power p takes a voxel at distance d < R when
 * strength * R^2 < p * (R^2 - d^2): full power in the centre, none at the rim. What is left and is
 * connected over faces (6 neighbours) to a holding voxel stays. Every other connected component is
 * a fragment when it has at least `dust` voxels and is among the first 2,048 such; else it is dust.
 * Fragments are ordered by their first voxel, runs by theirs; a run is as long as it can be.
 *
 * Check: everything is computed again and compared: that costs less than proving that nothing stands
 * without support, and no wrong result passes. It costs what a run costs and belongs in a pool.
 *
 * Components are found by run-based labelling with union-find (Rosenfeld and Pfaltz, "Sequential
 * operations in digital picture processing", J. ACM 13, 1966; He, Chao, Suzuki, "A run-based
 * two-scan labeling algorithm", IEEE Trans. Image Processing 17, 2008), linked to the lowest run. */
#ifndef P2_KERNELS_PHYSICS_DESTRUCTION_H
#define P2_KERNELS_PHYSICS_DESTRUCTION_H

#include "p2c2r/kernel.h"

/* The row of the kernel table. */
extern const struct p2c2r_kernel p2_kernel_physics_destruction;

/* Layout and limits, as above. */
#define P2_DESTRUCTION_HEADER     16u
#define P2_DESTRUCTION_MATERIAL   4u
#define P2_DESTRUCTION_BLAST      16u
#define P2_DESTRUCTION_OUT_HEADER 40u
#define P2_DESTRUCTION_FRAGMENT   40u
#define P2_DESTRUCTION_SIDE_MAX   128u
/* One run per voxel and all fragment records fit P2C2R_OUTPUT_MAX. */
#define P2_DESTRUCTION_VOXELS_MAX    229376u
#define P2_DESTRUCTION_MATERIALS_MAX 254u /* 255 marks a removed voxel while computing */
#define P2_DESTRUCTION_BLASTS_MAX    16u
#define P2_DESTRUCTION_REMOVED_MAX   16384u
#define P2_DESTRUCTION_DUST_MAX      65535u
#define P2_DESTRUCTION_FRAGMENTS_MAX 2048u
#define P2_DESTRUCTION_RADIUS_MAX    16384u /* 64 voxels */
#define P2_DESTRUCTION_CENTRE_MAX    65536  /* 256 voxels: a blast may lie outside the block */

#endif
