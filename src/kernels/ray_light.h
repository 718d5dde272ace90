/* Light on the surfaces a ray meets, in whole levels, and the palette byte that results.
 *
 * A pixel's level is the sum of four parts, each a whole number of levels, kept within 0..15:
 *   ambient   ambient_level, less on sides and undersides; with P2_RAY_OCCLUSION less (in three
 *             steps) beside neighbours (8 around the voxel in front of the face) and under a roof.
 *             One value per face, not per pixel: noise would not compress (8 against 38 Mbit/s).
 *   sun       with P2_RAY_SUN, sun_on[face] where the sun is seen from the middle of the face's
 *             square (4 x 4 squares a face)
 *   lamps     with P2_RAY_LAMPS, one value per face: lamps seen from its middle
 *   texture   -1 or 0 by voxel, near the camera, with P2_RAY_TEXTURE
 * Because each part is whole, a picture made of parts (a tile without sun plus a shadow mask) is
 * the same bytes as one made at once.
 *
 * Thread: a view belongs to one call. */
#ifndef P2_KERNELS_RAY_LIGHT_H
#define P2_KERNELS_RAY_LIGHT_H

#include "kernels/ray_view.h"

#include <stdbool.h>
#include <stdint.h>

/* What a ray met. */
struct p2_ray_surface {
    struct p2_voxel_hit hit; /* of the sea outside the scene: face, distance and material only */
    bool is_sea;
};

/* The first surface of a ray: a voxel, or the sea outside the scene. False: sky. */
bool p2_ray_surface(struct p2_ray_view *view, const struct p2_ray *ray,
                    struct p2_ray_surface *ret_surface);

/* True when a surface is so far away that it shows as haze, whatever its light. */
bool p2_ray_is_hazy(const struct p2_ray_view *view, const struct p2_ray_surface *surface);

/* Palette byte of the sky in a ray's direction. */
uint8_t p2_ray_sky(const struct p2_ray_view *view, const struct p2_ray *ray);

/* Level of the sky alone (no sun, cloud, glow) for an upward component -1..1. */
int p2_ray_sky_level(const struct p2_ray_view *view, float up);

/* Palette byte of a surface. */
uint8_t p2_ray_surface_byte(struct p2_ray_view *view, const struct p2_ray *ray,
                            const struct p2_ray_surface *surface);

/* Palette byte of a pixel of the tile, out of its 1, 2 or 4 rays: the material most rays met (the
 * earlier ray's at a tie) and the rounded mean of its levels. Rays that meet water or glass are
 * mirrored up to `bounces` times (0: they are not). */
uint8_t p2_ray_pixel(struct p2_ray_view *view, unsigned x, unsigned y, unsigned bounces);

/* True when a ray that meets the surface goes on as its mirror image: the top of water and glass, at
 * a flat angle. */
bool p2_ray_mirrors(const struct p2_ray *ray, const struct p2_ray_surface *surface);

/* A pixel without a surface that takes light (sky, haze, lanterns). */
#define P2_RAY_NO_FACE  0x07
#define P2_RAY_NO_LIGHT 0xff

/* Shadows of the surface a ray meets: face in bits 0..2 (P2_RAY_NO_FACE when there is none), bit 3
 * set where the sun is seen, lamp levels in bits 4..7 (0 without P2_RAY_LAMPS). */
uint8_t p2_ray_shadow_byte(struct p2_ray_view *view, const struct p2_ray *ray);

/* Puts a pixel traced without P2_RAY_SUN and P2_RAY_LAMPS and its shadow byte together; the same
 * byte as a pixel traced with both. */
uint8_t p2_ray_compose(const struct p2_ray_view *view, uint8_t base, uint8_t shadow);

#define P2_RAY_DIRECTIONS_MAX 64u

/* How indirect light is gathered. */
struct p2_ray_gather {
    unsigned count;                                   /* directions, 1..64 */
    struct p2_vec3 directions[P2_RAY_DIRECTIONS_MAX]; /* z along the face's normal, > 0; x and y
                                                           along the next two axes */
    float reach;                                      /* voxels */
    int sky; /* 0..16: share of the ambient light a free direction brings */
};

/* Indirect light at the middle of a face in 1/8 level, 0..120: the mean over the directions of what
 * comes from there: sunlight thrown back by a surface, a lantern, or the sky. */
unsigned p2_ray_gather(struct p2_ray_view *view, const struct p2_ray_gather *gather, int x, int y,
                       int z, unsigned face);

/* The same for the face a ray meets; P2_RAY_NO_LIGHT when there is none. */
uint8_t p2_ray_gather_byte(struct p2_ray_view *view, const struct p2_ray_gather *gather,
                           const struct p2_ray *ray);

/* The point just outside the middle of a face. */
struct p2_vec3 p2_ray_face_middle(int x, int y, int z, unsigned face);

/* True when nothing stands between `from` and the sun. */
bool p2_ray_sun_from(struct p2_ray_view *view, struct p2_vec3 from);

/* Light of one lamp at a point of a face with that normal, in levels (0.0 .. 15.0); 0 when it is
 * too far, behind the face or hidden. The voxel the lamp itself stands in never hides it. */
float p2_ray_lamp_from(struct p2_ray_view *view, const struct p2_ray_lamp *lamp,
                       struct p2_vec3 from, unsigned face);

#endif
