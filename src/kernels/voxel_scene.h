/* A voxel scene out of read-only blobs, and the walk of a ray through it.
 *
 * A scene is a grid of 256 x 64 x 256 voxels (x, y up, z) in the task's own frame of reference, cut
 * into 8 x 8 chunks of 32 x 64 x 32. Every chunk is one blob, so a whole world is exactly the 64
 * blobs a task may have, and a task gets only the chunks its rays can reach; a chunk that was not
 * supplied is empty. (Chunks of 16 x 64 x 16 would need 256 blobs.)
 *
 * Chunk blob, 41,536 bytes, little-endian. Columns are (x, z); bit y of a mask stands for height y:
 *
 *   offset  size  field
 *        0     4  "P2V1"
 *        4     1  top: number of layers up to the highest occupied one, 0..64
 *        5    59  zero
 *       64   512  u64 cell[8][8]: union of the masks of 4 x 4 columns, cell[z / 4][x / 4]
 *      576  8192  u64 column[32][32]: occupancy of a column, column[z][x]
 *     8768 32768  material[32][32][32]: nibbles, material[z][x][y / 2], even y in the low nibble
 *
 * The masks are part of the blob because a scene is packed once and traced by thousands of tasks:
 * opening it costs nothing per voxel. A blob whose masks disagree with its materials is not noticed
 * by `open` (that would cost more than the tile); rays then simply see the masks. Whoever packs
 * chunks uses p2_voxel_chunk_pack, which cannot disagree.
 *
 * The walk is that of Amanatides and Woo, "A Fast Voxel Traversal Algorithm for Ray Tracing"
 * (Eurographics 1987), taken over columns instead of voxels: a column is 64 bits, so the voxels a
 * ray meets inside it are one AND, and 4 x 4 columns without any of them are passed in one step.
 * The next boundary is computed from its index, never summed up, so errors do not grow.
 * Floats use + - * / only, every conversion to integer is range-checked before.
 *
 * Pure functions; a scene borrows its blobs. Thread: a scene is read-only once opened. */
#ifndef P2_KERNELS_VOXEL_SCENE_H
#define P2_KERNELS_VOXEL_SCENE_H

#include "kernels/pack.h"
#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_VOXEL_SIZE_X      256 /* voxels of a scene */
#define P2_VOXEL_SIZE_Y      64  /* one mask of 64 bits */
#define P2_VOXEL_SIZE_Z      256
#define P2_VOXEL_CHUNK       32 /* columns of a chunk each way */
#define P2_VOXEL_CHUNKS_SIDE 8  /* chunks of a scene each way: 8 * 8 == P2C2R_BLOBS_MAX */
#define P2_VOXEL_CHUNKS      64
#define P2_VOXEL_CELL        4 /* columns of a cell each way */

#define P2_VOXEL_CELLS_AT     64u
#define P2_VOXEL_COLUMNS_AT   576u
#define P2_VOXEL_MATERIALS_AT 8768u
#define P2_VOXEL_CHUNK_BYTES  41536u

/* What a ray that enters the scene counts before its first step, in steps (measured). */
#define P2_VOXEL_SET_OUT 4u
/* Steps a ray can take at most: 64 + 64 cells and, in each, 4 + 4 columns; and setting out. */
#define P2_VOXEL_STEPS_MAX 1280u

/* Faces of a voxel, named by their outward normal. Axis is face / 2, sign is face % 2. */
enum p2_voxel_face {
    P2_FACE_X_MINUS = 0,
    P2_FACE_X_PLUS = 1,
    P2_FACE_Y_MINUS = 2,
    P2_FACE_Y_PLUS = 3, /* the top */
    P2_FACE_Z_MINUS = 4,
    P2_FACE_Z_PLUS = 5
};
#define P2_FACES 6u

struct p2_voxel_scene {
    const uint8_t *chunks[P2_VOXEL_CHUNKS]; /* [cz * 8 + cx], the blob or a chunk of air */
    int top;                                /* layers up to the highest occupied one of all */
};

struct p2_vec3 {
    float x, y, z;
};

/* A ray with a unit direction and the reciprocals of its components. */
struct p2_ray {
    struct p2_vec3 origin;
    struct p2_vec3 direction;
    struct p2_vec3 inverse;
};

struct p2_voxel_hit {
    float distance;    /* voxels from the origin */
    int x, y, z;       /* voxel, inside the scene */
    unsigned face;     /* enum p2_voxel_face the ray came through */
    unsigned material; /* 0..15 */
};

/* Packs voxels[32][32][64] ([z][x][y], one material of 0..15 a byte, 0 is air; higher bits are
 * dropped) into blob[P2_VOXEL_CHUNK_BYTES]. */
void p2_voxel_chunk_pack(uint8_t *blob, const uint8_t *voxels);

/* True when the blob has the right size and header and its masks agree with its materials. For
 * whoever receives a chunk, once; costs 10-50 us. */
bool p2_voxel_chunk_is_valid(struct p2c2r_bytes blob);

/* Opens `count` (1..64) chunks; coords[count][2] are their (cx, cz), 0..7, no two equal. Borrows
 * the blobs. Returns false when a blob has a wrong size or header, or a coordinate is wrong. */
bool p2_voxel_scene_open(struct p2_voxel_scene *scene, const struct p2c2r_bytes *blobs,
                         uint32_t count, const uint8_t *coords);

/* Occupancy of the column (x, z); 0 outside the scene and where no chunk was supplied. */
uint64_t p2_voxel_column(const struct p2_voxel_scene *scene, int x, int z);

/* True when the chunk of the column (x, z), which must be inside the scene, was supplied. */
bool p2_voxel_has_chunk(const struct p2_voxel_scene *scene, int x, int z);

/* Material of a voxel; 0 outside. */
unsigned p2_voxel_material(const struct p2_voxel_scene *scene, int x, int y, int z);

/* A ray from `origin` (any finite numbers up to 2^20) along `direction` (any finite numbers; a
 * direction shorter than 2^-10 becomes straight down). */
void p2_ray_set(struct p2_ray *ray, struct p2_vec3 origin, struct p2_vec3 direction);

/* The first occupied voxel within `reach` voxels of the origin (0 < reach <= 1024). A ray that
 * starts inside a voxel hits that one at distance 0 through a y face. Adds the steps taken to
 * *steps (at most P2_VOXEL_STEPS_MAX). Returns false, and leaves *ret_hit alone, when nothing is
 * hit. */
bool p2_voxel_trace(const struct p2_voxel_scene *scene, const struct p2_ray *ray, float reach,
                    struct p2_voxel_hit *ret_hit, uint32_t *steps);

/* Unit normal of a face. */
struct p2_vec3 p2_voxel_normal(unsigned face);

#endif
