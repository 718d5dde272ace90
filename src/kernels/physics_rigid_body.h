/* physics_rigid_body: n steps of an island of boxes and spheres among static boxes and planes.
 *
 * STATE, P0, version 1. Binary32 with + - * / sqrt in a fixed order. SI units: m, kg, s, rad.
 *
 * Input
 *   offset type            meaning                                             range
 *   0      u16             b: bodies                                           1 .. 128
 *   2      u16             s: static boxes                                     0 .. 256
 *   4      u8              p: planes                                           0 .. 8
 *   5      u8              n: steps                                            1 .. 8
 *   6      u8              iterations of the velocity solver per step          1 .. 32
 *   7      u8              zero
 *   8      f32             dt: length of a step                                0.001 .. 0.05
 *   12     f32[3]          gravity                                             -50 .. 50
 *   24     p times 24 byte planes; bodies stay on the side the normal points to:
 *            f32[3]          normal, of length 1 within 0.001                  -2 .. 2
 *            f32             offset: points with normal . x = offset           -2048 .. 2048
 *            f32             friction                                          0 .. 2
 *            f32             restitution                                       0 .. 1
 *   then   s times 32 byte static boxes with sides along the axes (merged voxels):
 *            f32[3]          centre                                            -1024 .. 1024
 *            f32[3]          half sides                                        0.01 .. 256
 *            f32             friction                                          0 .. 2
 *            f32             restitution                                       0 .. 1
 *   then   b times 84 byte bodies:
 *            u32             id, only copied                                   any
 *            u8              0 sphere, 1 box                                   0 or 1
 *            u8              1 asleep: velocity and spin zero, rest >= 30       0 or 1
 *            u16             rest: steps in a row that it was slow             any
 *            f32             mass                                              0.001 .. 100,000
 *            f32             friction                                          0 .. 2
 *            f32             restitution                                       0 .. 1
 *            f32[3]          half sides; a sphere: radius, 0, 0                0.01 .. 16
 *            f32[3]          position of the centre                            -1024 .. 1024
 *            f32[4]          orientation, quaternion w x y z of length 1       -2 .. 2
 *                            within 0.001
 *            f32[3]          velocity                                          -256 .. 256
 *            f32[3]          spin                                              -128 .. 128
 *   NaN and infinities are malformed, minus zero reads as zero.
 *
 * Output
 *   0      u16             b
 *   2      u8              n
 *   3      u8              zero
 *   4      b times 36 byte bodies, in the input's order, after n steps:
 *            u32             id
 *            u8              asleep
 *            u8              zero
 *            u16             rest
 *            f32[3]          position
 *            f32[4]          orientation
 *   then   n times b times 24 byte: velocity f32[3] and spin f32[3] at the end of each step
 *   The last step's velocities are the state; the earlier ones (none when n is 1) show how the
 *   bodies got there, so that check can follow every position bit by bit without solving a contact
 *   (a certifying result: McConnell, Mehlhorn et al., "Certifying algorithms", 2011).
 *
 * A step: contacts with a speculative margin (collide.h); gravity and an implicit gyroscopic term
 * (Catto, "Numerical methods", GDC 2015); sequential impulses with accumulated clamping, warm
 * started from the step before within the call (its first step makes four times the iterations
 * instead), in alternating order, friction in Coulomb's cone, Baumgarte
 * stabilisation with slop (Catto, "Iterative dynamics with temporal coherence", GDC 2005); a
 * restitution pass over contacts that were hit at 0.5 m/s or faster; then positions move with the
 * new velocities (semi-implicit Euler). A group of bodies that touch falls asleep when each was
 * slower than 0.1 m/s and 0.1 rad/s for 30 steps, and wakes as a whole when it touches one that is
 * awake.
 * Check: see the kernel's section of doc/kernels.md. A busy island of one step takes milliseconds (9 ms
 * the worst generated one, 120 ms the declared bound): it belongs in a pool.
 * Bounds: speed 200 m/s, spin 100 rad/s, 1,024 touching pairs per step (further ones, in order of
 * body numbers, are ignored: that many need bodies inside each other). A body that moves farther
 * than half a thin obstacle in one step may pass it: the game chooses dt. */
#ifndef P2_KERNELS_PHYSICS_RIGID_BODY_H
#define P2_KERNELS_PHYSICS_RIGID_BODY_H

#include "p2c2r/kernel.h"

/* The row of the kernel table. */
extern const struct p2c2r_kernel p2_kernel_physics_rigid_body;

/* Layout and limits, as above. */
#define P2_RIGID_HEADER     24u
#define P2_RIGID_PLANE      24u
#define P2_RIGID_STATIC     32u
#define P2_RIGID_BODY       84u
#define P2_RIGID_OUT_HEADER 4u
#define P2_RIGID_OUT_BODY   36u
#define P2_RIGID_OUT_MOTION 24u
#define P2_RIGID_OUTPUT_MAX \
    (P2_RIGID_OUT_HEADER +  \
     P2_RIGID_BODIES_MAX * (P2_RIGID_OUT_BODY + P2_RIGID_OUT_MOTION * P2_RIGID_STEPS_MAX))
#define P2_RIGID_BODIES_MAX     128u /* an island of debris: larger ones are split by the game */
#define P2_RIGID_STATICS_MAX    256u
#define P2_RIGID_PLANES_MAX     8u
#define P2_RIGID_STEPS_MAX      8u
#define P2_RIGID_ITERATIONS_MAX 32u

#endif
