/* physics_fluid: n substeps of water in a closed block of cells, with exact volume.
 *
 * STATE, P0, version 1. Integers only.
 *
 * Input
 *   offset type            meaning                                             range
 *   0      u8              nx: cells along x                                   1 .. 64
 *   1      u8              ny: cells along y                                   1 .. 64
 *   2      u8              nz: cells along z, which points up                  1 .. 64
 *   3      u8              n: substeps                                         1 .. 8
 *   4      u8              phase: parity of the first substep. A game that     0 or 1
 *                          continues a block passes (phase + n) & 1 next
 *   5      u8[3]           zero
 *   8      u16[nx*ny*nz]   cells, x fastest, then y, then z: 65535 is solid,   0 .. 32512,
 *                          else the amount of water                            65535
 * Output
 *   0      u16[nx*ny*nz]   the cells after n substeps, in the same form
 *
 * A cell is full at 4032 units. Water under pressure is slightly compressible: a cell below a full
 * one holds up to 64 units more than it, which is what makes water rise in the other arm of a
 * U-tube. (The idea of compressible cells is Janis Elsts', "Simple fluid simulation with cellular
 * automata", w-shadow.com, 2009; pairing by parity is Margolus, "Physics-like models of
 * computation", Physica D 10, 1984.)
 *
 * Substep number s (counted from `phase`) has three passes over disjoint pairs of neighbours whose
 * lower coordinate has the parity of s, so the order within a pass does not matter:
 *   1. (z, z+1): of the sum t the lower cell keeps min(t, max(3969 + t/64, (t + 64)/2, rounded
 *      down)), at most 32512; the upper one keeps the rest.
 *   2. (x, x+1): half of the difference, rounded towards zero, moves to the emptier cell, if the
 *      giving cell stands on the floor, on a solid or on a full cell (as pass 1 left it).
 *   3. (y, y+1): the same, standing on what pass 2 left.
 * A pair with a solid cell does nothing and the block's faces are walls.
 *
 * A lake of several blocks: a substep of a cell depends on one cell to each side and above and on
 * three below (one per pass: who falls, what stands on what fell, what stands on that). So blocks
 * are cut with n further cells at each side and above and 3 n below (less where the lake has a wall
 * there anyway), at even coordinates of the lake, so that pairs are the same, and only the inner
 * cells of each result are taken.
 *
 * Check: everything is computed again and compared, so no wrong result passes; it costs what a run
 * costs (at most 1.5 ms for 64 x 64 x 64 cells and 8 substeps) and belongs in a pool, not on a loop.
 *
 * Promises: the sum of all water is equal before and after; solids stay; no water moves more than
 * one cell per axis and substep; calm water (each pair in balance) does not change. */
#ifndef P2_KERNELS_PHYSICS_FLUID_H
#define P2_KERNELS_PHYSICS_FLUID_H

#include "p2c2r/kernel.h"

/* The row of the kernel table. */
extern const struct p2c2r_kernel p2_kernel_physics_fluid;

/* Layout and limits, as above. */
#define P2_FLUID_HEADER    8u
#define P2_FLUID_SIDE_MAX  64u
#define P2_FLUID_STEPS_MAX 8u     /* chosen: 2 frames; margins between blocks grow with n */
#define P2_FLUID_SOLID     65535u /* a wall */
#define P2_FLUID_FULL      4032u  /* 63 * 64: makes the balance below exact in shifts */
#define P2_FLUID_PRESS     64u    /* units a cell holds more than the full cell above it */
#define P2_FLUID_LEVEL_MAX 32512u /* two of them and P2_FLUID_PRESS fit 16 bits */

#endif
