/* What all ray kernels are given: a scene, a camera with a tile of its picture, sky, sun and lamps.
 *
 * Section VIEW, the first bytes of every ray kernel's input. Little-endian; Q16.16 and the like are
 * two's complement fixed point. Positions are in voxels of the task's own frame of reference.
 *
 *   offset  type      field         range
 *        0  u16       format        1
 *        2  u8        chunk_count   1..64, equal to the number of blobs
 *        3  u8        lamp_count    0..31
 *        4  i32[3]    position      Q16.16; x and z -256..512, y -64..256
 *       16  i32[3]    forward       Q16.16, each -4..4, length at least 1/4
 *       28  i32[3]    right         Q16.16, each -4..4: from the picture's middle to its right edge
 *       40  i32[3]    up            Q16.16, each -4..4: from its middle to its upper edge
 *       52  u16       picture_w     1..4096 pixels
 *       54  u16       picture_h     1..4096 pixels
 *       56  u16       tile_x        left pixel of the tile
 *       58  u16       tile_y        upper pixel of the tile
 *       60  u8        tile_w        1..64, inside the picture
 *       61  u8        tile_h        1..60, inside the picture
 *       62  i16[3]    sun           Q2.14, towards sun or moon; squared length 0.9..1.1
 *       68  u8        sun_level     0..15, light of a face that looks at the sun
 *       69  u8        ambient_level 0..15, light of an open face
 *       70  u8        sky_zenith    0..15, level of the sky above
 *       71  u8        sky_horizon   0..15
 *       72  u8        sky_glow      0..15, glow around a low sun
 *       73  u8        sea_level     0..64: outside the scene the world is water up to here; 0 none
 *       74  u16       fog_start     16..1024 voxels: where land becomes haze
 *       76  u8        rays          1, 2 or 4 per pixel
 *       77  u8        flags         P2_RAY_*
 *       78  u8        clouds        0..255, share of the sky under clouds; 0 none
 *       79  u8        phase         0..255, drift of clouds and ripples
 *       80  u32       reserved      0
 *       84  u8[2]     chunk[chunk_count]  (cx, cz), 0..7, no two equal; blob i is chunk i
 *        .  8 bytes   lamp[lamp_count]    u16 x, y, z (Q8.8), u8 level 1..15, u8 radius 1..32
 *
 * The direction of pixel (px, py) of the picture is forward + right * (2 (px + 1/2) / w - 1) + up *
 * (1 - 2 (py + 1/2) / h): the basis comes ready, so no kernel needs an angle.
 *
 * Thread: a view belongs to one call. */
#ifndef P2_KERNELS_RAY_VIEW_H
#define P2_KERNELS_RAY_VIEW_H

#include "kernels/pack.h"
#include "kernels/voxel_scene.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_RAY_VIEW_FORMAT 1u
#define P2_RAY_VIEW_FIXED  84u /* bytes before the chunk list */
#define P2_RAY_LAMPS_MAX   31u /* one bit each beside the sun's in a mask of 32 */
#define P2_RAY_LAMP_BYTES  8u
#define P2_RAY_VIEW_MAX    (P2_RAY_VIEW_FIXED + 2u * P2_VOXEL_CHUNKS + 8u * P2_RAY_LAMPS_MAX)
#define P2_RAY_TILE_W      64u /* 60 tiles make 640 x 360 */
#define P2_RAY_TILE_H      60u
#define P2_RAY_PIXELS_MAX  3840u
#define P2_RAY_REACH       768.0F /* voxels; a scene's diagonal is 368, cameras stand outside too */

enum p2_ray_flag {
    P2_RAY_SUN = 1,       /* add sunlight where the sun is seen */
    P2_RAY_LAMPS = 2,     /* add lamp light */
    P2_RAY_OCCLUSION = 4, /* darken corners and roofed places */
    P2_RAY_MOON = 8,      /* the sun is the moon: another disc, and stars */
    P2_RAY_TEXTURE = 16   /* vary near voxels by a level */
};
#define P2_RAY_FLAGS 31u

struct p2_ray_lamp {
    struct p2_vec3 position;
    float radius; /* voxels; no light beyond */
    float level;
};

/* Light of a face, remembered while a tile is traced. */
struct p2_ray_face {
    uint32_t key;   /* voxel and face plus one; 0 is empty */
    uint16_t known; /* one bit for each of its 4 x 4 squares whose sun was looked for */
    uint16_t lit;   /* and was seen */
    uint8_t ambient;
    uint8_t lamps;
    uint8_t indirect; /* in 1/8 level */
    uint8_t has_indirect;
};

#define P2_RAY_FACES       4096u /* entries: a power of two above the pixels of a tile */
#define P2_RAY_ARENA_BYTES (P2_RAY_FACES * 12u)

struct p2_ray_view {
    struct p2_voxel_scene scene;
    struct p2_vec3 position, forward, right, up, sun;
    unsigned picture_w, picture_h, tile_x, tile_y, tile_w, tile_h;
    int sun_level, ambient_level, sky_zenith, sky_horizon, sky_glow, sea_level;
    float fog_start;
    unsigned rays, flags, clouds, phase;
    unsigned lamp_count;
    struct p2_ray_lamp lamps[P2_RAY_LAMPS_MAX];
    int sun_on[P2_FACES];      /* levels the sun adds to a face that sees it */
    struct p2_ray_face *faces; /* faces[P2_RAY_FACES] or NULL: nothing is remembered */
    uint32_t steps;            /* work counters for cost models */
    uint32_t ray_count;
    uint32_t face_count; /* faces whose light was computed */
};

/* Reads the section and opens the scene; leaves `in` behind it. Borrows the blobs. No face is
 * remembered until p2_ray_view_remember. Returns false when anything is outside its range. */
bool p2_ray_view_read(struct p2_ray_view *view, struct p2_unpack *in,
                      const struct p2c2r_bytes *blobs, uint32_t blob_count);

/* Lets the view remember faces in memory[P2_RAY_ARENA_BYTES] (aligned to 4), which it borrows. The
 * results do not depend on it. */
void p2_ray_view_remember(struct p2_ray_view *view, void *memory);

/* The ray through a pixel's middle, for kernels that trace one per pixel. */
#define P2_RAY_MIDDLE 4u

/* The ray number `sample` (0 .. view->rays - 1, or P2_RAY_MIDDLE) of a pixel of the tile. */
void p2_ray_view_ray(const struct p2_ray_view *view, unsigned x, unsigned y, unsigned sample,
                     struct p2_ray *ret_ray);

#endif
