/* Inputs and outputs of the built-in kernels, for game modules (libp2c2r).
 *
 * Names: p2c2r_KERNEL_input writes what `submit` takes, p2c2r_KERNEL_... reads what `on_result` or
 * `on_view_result` brings. What a kernel computes, its limits and its algorithm: doc/kernels.md and
 * the kernel's section there.
 *
 * Writers write to out[capacity] and give the number of bytes, 0 when a value is outside its range
 * or there is no room. Readers take a result that passed the kernel's check; they are bounded all
 * the same and give false for anything malformed. Nothing allocates. Pure functions; thread: any.
 * Floats are exact binary32 numbers; whoever keeps them in a game's state stores their bits or, as
 * Lantern does, whole numbers made by p2c2r_fixed. */
#ifndef P2C2R_KERNELS_H
#define P2C2R_KERNELS_H

#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header; p2c2r_sdk_version() is that of the library a module was linked with. */
#define P2C2R_SDK_VERSION 1u
uint32_t p2c2r_sdk_version(void);

/* A float as a whole number of 1/65536, rounded towards zero; outside +-32,767: the nearest end, NaN
 * as 0. And back, exactly for |value| < 2^24. */
int32_t p2c2r_fixed(float value);
float p2c2r_float(int32_t fixed);

/* ---- physics_rigid_body ---------------------------------------------------------------------- */

#define P2C2R_RIGID_BODIES  128u
#define P2C2R_RIGID_STATICS 256u
#define P2C2R_RIGID_PLANES  8u

struct p2c2r_rigid_plane {
    float normal[3], offset, friction, restitution;
};

struct p2c2r_rigid_static {
    float centre[3], half[3], friction, restitution;
};

struct p2c2r_rigid_body {
    uint32_t id;
    bool is_box; /* else a sphere of radius half[0] */
    bool is_asleep;
    uint16_t rest;
    float mass, friction, restitution;
    float half[3], position[3], orientation[4] /* w x y z */, velocity[3], spin[3];
};

struct p2c2r_rigid_world {
    const struct p2c2r_rigid_body *bodies;
    const struct p2c2r_rigid_static *statics;
    const struct p2c2r_rigid_plane *planes;
    uint32_t body_count, static_count, plane_count;
    uint8_t steps, iterations;
    float dt, gravity[3];
};

size_t p2c2r_physics_rigid_body_input(uint8_t *out, size_t capacity,
                                      const struct p2c2r_rigid_world *world);

/* Body `index` after the last step: id, asleep, rest, position, orientation, velocity, spin; the
 * other fields stay as they are. */
bool p2c2r_physics_rigid_body_result(struct p2c2r_bytes result, uint32_t index,
                                     struct p2c2r_rigid_body *body);

/* ---- physics_fluid --------------------------------------------------------------------------- */

#define P2C2R_FLUID_SOLID 65535u
#define P2C2R_FLUID_FULL  4032u
#define P2C2R_FLUID_SIDE  64u

/* cells[nx * ny * nz], x fastest, then y, then z (up). The result is the same array. */
size_t p2c2r_physics_fluid_input(uint8_t *out, size_t capacity, const uint8_t size[3],
                                 uint8_t steps, uint8_t phase, const uint16_t *cells);
bool p2c2r_physics_fluid_cell(struct p2c2r_bytes result, size_t index, uint16_t *ret_cell);

/* ---- physics_destruction --------------------------------------------------------------------- */

struct p2c2r_blast {
    int32_t centre[3]; /* 1/256 voxel of the block */
    uint16_t radius, power;
};

struct p2c2r_material {
    uint16_t mass;
    uint8_t strength; /* 255 survives every blast */
    bool holds;       /* needs no support */
};

struct p2c2r_destruction {
    uint8_t size[3]; /* nx, ny, nz: 1..128 each, together at most 229,376 voxels */
    uint8_t faces;   /* bits: x low, x high, y low, y high, z low, z high hold what touches them */
    uint32_t dust;   /* fragments of fewer voxels are dust */
    const struct p2c2r_material *materials; /* of voxel values 1 .. material_count */
    uint32_t material_count;
    const struct p2c2r_blast *blasts;
    uint32_t blast_count;
    const uint32_t *removed; /* ascending voxels */
    uint32_t removed_count;
    const uint8_t *voxels; /* x fastest, then y, then z */
};

size_t p2c2r_physics_destruction_input(uint8_t *out, size_t capacity,
                                       const struct p2c2r_destruction *block);

struct p2c2r_destruction_head {
    uint32_t removed, fragments, fragment_runs, dust_runs, removed_runs;
};
struct p2c2r_fragment {
    uint32_t first_run, runs, voxels;
    uint8_t low[3], high[3];
    int32_t centre[3]; /* 1/256 voxel */
};
struct p2c2r_run {
    uint32_t first, count; /* voxels along x */
};

/* Runs are numbered: those of fragments, then of dust, then of removed voxels. */
bool p2c2r_physics_destruction_head(struct p2c2r_bytes result,
                                    struct p2c2r_destruction_head *ret_head);
bool p2c2r_physics_destruction_fragment(struct p2c2r_bytes result, uint32_t index,
                                        struct p2c2r_fragment *ret_fragment);
bool p2c2r_physics_destruction_run(struct p2c2r_bytes result, uint32_t index,
                                   struct p2c2r_run *ret_run);

/* ---- ai_pathfinding -------------------------------------------------------------------------- */

#define P2C2R_PATH_QUERIES 256u

struct p2c2r_path_query {
    uint16_t start[2], goal[2]; /* x, y */
};

/* open[height][width]: not 0 where one can walk. */
size_t p2c2r_ai_pathfinding_input(uint8_t *out, size_t capacity, uint32_t width, uint32_t height,
                                  const uint8_t *open, const struct p2c2r_path_query *queries,
                                  uint32_t count);

/* The first `capacity` directions (0 E, 1 SE, 2 S, 3 SW, 4 W, 5 NW, 6 N, 7 NE; y grows to the south)
 * of path `index` of a batch of `count`; *ret_steps are all its steps. False: no path. O(count +
 * steps). */
bool p2c2r_ai_pathfinding_path(struct p2c2r_bytes result, uint32_t count, uint32_t index,
                               uint8_t *ret_directions, uint32_t capacity, uint32_t *ret_steps);

/* ---- ai_npc_dialogue ------------------------------------------------------------------------- */

/* A vocabulary by word classes: a word of a class may be followed by any word of the classes in its
 * `followers`. Bit `class_count` means that a line may end there; row `class_count` is its start. */
struct p2c2r_vocabulary {
    uint32_t class_count;      /* 1..15 */
    const char *const *words;  /* words[class_count]: words of a class, one space between them */
    const uint16_t *followers; /* followers[class_count + 1] */
    uint16_t joined;           /* bit: words of this class follow without a space (a comma) */
    uint32_t mood_count, topic_count;
    /* Affinity of a class to a mood and a topic, [class][mood] and [class][topic]; 16 is neutral. */
    const uint8_t *mood_affinity, *topic_affinity;
};

struct p2c2r_line {
    uint8_t mood, topic, fewest, most, candidates; /* words; candidates 1..32 */
    uint16_t bytes_max;                            /* 1..1024 */
    const uint32_t *random; /* random[candidates * most], never from a seed */
};

size_t p2c2r_ai_npc_dialogue_input(uint8_t *out, size_t capacity,
                                   const struct p2c2r_vocabulary *vocabulary,
                                   const struct p2c2r_line *line);
/* The line's text, borrowed from the result; not zero-terminated. */
bool p2c2r_ai_npc_dialogue_text(struct p2c2r_bytes result, struct p2c2r_bytes *ret_text);

/* ---- ai_procedural --------------------------------------------------------------------------- */

#define P2C2R_PROCEDURAL_INPUT 956u
#define P2C2R_PROCEDURAL_SIDE  16u

struct p2c2r_terrain {
    uint64_t seed; /* stays with the game: the input holds lattice values only */
    uint8_t base, relief, water, snow, caves, trees, ores;
};

size_t p2c2r_ai_procedural_input(uint8_t *out, size_t capacity, const struct p2c2r_terrain *terrain,
                                 int32_t chunk_x, int32_t chunk_z);
/* The material of a voxel as enum p2c2r_material_code; x and z 0..15, y 0..63. */
bool p2c2r_ai_procedural_voxel(struct p2c2r_bytes result, uint32_t x, uint32_t y, uint32_t z,
                               uint8_t *ret_material);

/* ---- ray kernels ----------------------------------------------------------------------------- */

/* Materials of voxels and of palette bytes (byte = material * 16 + light). */
enum p2c2r_material_code {
    P2C2R_AIR = 0,
    P2C2R_GRASS = 1,
    P2C2R_DIRT = 2,
    P2C2R_STONE = 3,
    P2C2R_SAND = 4,
    P2C2R_WATER = 5,
    P2C2R_WOOD = 6,
    P2C2R_LEAVES = 7,
    P2C2R_PLANKS = 8,
    P2C2R_ROOF = 9,
    P2C2R_GLASS = 10,
    P2C2R_LANTERN = 11,
    P2C2R_SNOW = 12,
    P2C2R_ORE = 13,
    P2C2R_HAZE = 14,
    P2C2R_GLOW = 15
};

/* The fixed colours of palette bytes: rgb[256][3]. */
void p2c2r_palette(uint8_t rgb[256][3]);
/* `byte` with `levels` more light, within 0..15; sky and things that shine stay as they are. */
uint8_t p2c2r_palette_light(uint8_t byte, int levels);

#define P2C2R_SCENE_BLOB   41536u /* bytes of a packed chunk of 32 x 64 x 32 voxels */
#define P2C2R_BLOB_SIDE    32u
#define P2C2R_BLOB_VOXELS  65536u
#define P2C2R_RAY_LAMPS    31u
#define P2C2R_RAY_TILE_W   64u
#define P2C2R_RAY_TILE_H   60u
#define P2C2R_RAY_NO_LIGHT 0xffu /* rt_global_illumination: a pixel that shows no voxel */

/* Packs voxels[32][32][64] ([z][x][y], materials 0..15) into blob[P2C2R_SCENE_BLOB]. 50-100 us. */
void p2c2r_scene_blob(uint8_t *blob, const uint8_t *voxels);

enum p2c2r_ray_flags {
    P2C2R_RAY_SUN = 1,
    P2C2R_RAY_LAMPLIGHT = 2,
    P2C2R_RAY_OCCLUSION = 4,
    P2C2R_RAY_MOON = 8,
    P2C2R_RAY_TEXTURE = 16
};

struct p2c2r_ray_lamp {
    uint16_t position[3];  /* 1/256 voxel */
    uint8_t level, radius; /* 1..15; 1..32 voxels */
};

/* What all ray kernels are given: camera, tile, sky, chunks, lamps. */
struct p2c2r_ray_view {
    int32_t position[3], forward[3], right[3], up[3]; /* Q16.16 */
    uint16_t picture_w, picture_h, tile_x, tile_y;
    uint8_t tile_w, tile_h;
    int16_t sun[3]; /* Q2.14 */
    uint8_t sun_level, ambient_level, sky_zenith, sky_horizon, sky_glow, sea_level;
    uint16_t fog_start;
    uint8_t rays, flags, clouds, phase; /* rays 1, 2 or 4; enum p2c2r_ray_flags */
    uint8_t chunk_count, lamp_count;
    uint8_t chunks[64][2]; /* (cx, cz), 0..7, in the order of the task's contents */
    struct p2c2r_ray_lamp lamps[P2C2R_RAY_LAMPS];
};

struct p2c2r_ray_face {
    uint8_t x, y, z, face; /* face: x-, x+, y-, y+ (top), z-, z+ */
};

/* Lists the chunks the tile's rays can reach: what its part of the picture looks at (to the edge of
 * the scene when `is_mirrored`), 16 voxels around that, and what may shade it from the sun. */
void p2c2r_ray_reach(struct p2c2r_ray_view *view, bool is_mirrored);

size_t p2c2r_rt_render_tile_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view);
/* A mask per pixel of the tile, or per face when there are faces. */
size_t p2c2r_rt_shadows_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view,
                              const struct p2c2r_ray_face *faces, uint32_t face_count);
/* The whole tile, mirrors included. */
size_t p2c2r_rt_reflections_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view,
                                  uint8_t bounces);
/* Light in 1/8 level per pixel; `directions` 1..64, spread by their cosine. */
size_t p2c2r_rt_global_illumination_input(uint8_t *out, size_t capacity,
                                          const struct p2c2r_ray_view *view, uint8_t directions,
                                          uint8_t reach, uint8_t sky);

/* A pixel traced without sun and lamps and its byte of rt_shadows, put together: the pixel traced
 * with both. */
uint8_t p2c2r_rt_compose(const struct p2c2r_ray_view *view, uint8_t base, uint8_t shadow);
/* Entry `index` of rt_shadows' answer for faces: bit 0 sun, bit i + 1 lamp i. */
bool p2c2r_rt_shadows_face(struct p2c2r_bytes result, uint32_t index, uint32_t *ret_mask);

/* ---- compress -------------------------------------------------------------------------------- */

/* Level 1..6. The result is one zstd frame that decodes to the content. */
size_t p2c2r_compress_input(uint8_t *out, size_t capacity, uint8_t level,
                            struct p2c2r_bytes content);

/* ---- a world to start from ------------------------------------------------------------------- */

/* A generated island of 256 x 64 x 256 voxels: hills, a lake, woods, caves, three villages with
 * lanterns; sea level 14. A function of its seed. */
struct p2c2r_island {
    uint32_t opaque[128];
    int32_t village[3][3]; /* x, ground, z of the middle */
    int32_t lake[2];       /* x, z of the middle */
    uint32_t lamp_count;
    struct p2c2r_ray_face lamps[31]; /* x, y, z; face unused */
};
#define P2C2R_ISLAND_SEA 14

void p2c2r_island_start(struct p2c2r_island *island, uint64_t seed);
/* Chunk (cx, cz), 0..7, of 32 x 32 columns: voxels[32][32][64] as p2c2r_scene_blob reads them. */
void p2c2r_island_chunk(const struct p2c2r_island *island, uint32_t cx, uint32_t cz,
                        uint8_t *voxels);

#ifdef __cplusplus
}
#endif

#endif
