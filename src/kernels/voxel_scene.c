/* Voxel scenes and the walk of a ray: column masks make one step of 64 voxels. */
#include "kernels/voxel_scene.h"

#include <math.h>
#include <string.h>

/* Shorter directions have no reliable unit vector left in binary32. */
#define LENGTH_SQUARED_MIN 0x1p-20F
/* A smaller component counts as this one, so that its reciprocal times 2^20 stays finite. */
#define COMPONENT_MIN 0x1p-20F

#define TOP_AT      4u /* byte of the header that holds the chunk's top */
#define CELLS_SIDE  (P2_VOXEL_SIZE_X / P2_VOXEL_CELL)
#define CELL_SHIFT  2
#define CHUNK_SHIFT 5

/* What a chunk that was not supplied looks like: only its cells are ever read. */
static const uint8_t air_chunk[P2_VOXEL_COLUMNS_AT] = {0};

/* ---- chunks --------------------------------------------------------------------------------- */

static uint64_t column_of(const uint8_t *voxels)
{
    uint64_t mask = 0;
    for (unsigned y = 0; y < P2_VOXEL_SIZE_Y; y++) {
        mask |= (uint64_t)((voxels[y] & 15u) != 0) << y;
    }
    return mask;
}

static unsigned top_of(uint64_t mask)
{
    unsigned top = 0;
    while (top < P2_VOXEL_SIZE_Y && mask >> top != 0) {
        top++;
    }
    return top;
}

void p2_voxel_chunk_pack(uint8_t *blob, const uint8_t *voxels)
{
    uint64_t cells[64] = {0}, all = 0;
    memset(blob, 0, P2_VOXEL_CELLS_AT);
    memcpy(blob, "P2V1", 4);
    for (unsigned z = 0; z < P2_VOXEL_CHUNK; z++) {
        for (unsigned x = 0; x < P2_VOXEL_CHUNK; x++) {
            unsigned at = z * P2_VOXEL_CHUNK + x;
            const uint8_t *column = voxels + (size_t)at * P2_VOXEL_SIZE_Y;
            uint8_t *materials = blob + P2_VOXEL_MATERIALS_AT + (size_t)at * 32;
            uint64_t mask = column_of(column);
            p2_store_le64(blob + P2_VOXEL_COLUMNS_AT + (size_t)at * 8, mask);
            cells[(z >> CELL_SHIFT) * 8 + (x >> CELL_SHIFT)] |= mask;
            all |= mask;
            for (unsigned i = 0; i < 32; i++) {
                materials[i] = (uint8_t)((column[2 * i] & 15u) | (column[2 * i + 1] & 15u) << 4);
            }
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        p2_store_le64(blob + P2_VOXEL_CELLS_AT + (size_t)i * 8, cells[i]);
    }
    blob[TOP_AT] = (uint8_t)top_of(all);
}

static bool header_is_valid(struct p2c2r_bytes blob)
{
    static const uint8_t zero[P2_VOXEL_CELLS_AT] = {0};
    return blob.data != NULL && blob.size == P2_VOXEL_CHUNK_BYTES &&
           memcmp(blob.data, "P2V1", 4) == 0 && blob.data[TOP_AT] <= P2_VOXEL_SIZE_Y &&
           memcmp(blob.data + TOP_AT + 1, zero, P2_VOXEL_CELLS_AT - TOP_AT - 1) == 0;
}

bool p2_voxel_chunk_is_valid(struct p2c2r_bytes blob)
{
    uint64_t cells[64] = {0}, all = 0;
    if (!header_is_valid(blob)) {
        return false;
    }
    for (unsigned at = 0; at < P2_VOXEL_CHUNK * P2_VOXEL_CHUNK; at++) {
        const uint8_t *materials = blob.data + P2_VOXEL_MATERIALS_AT + (size_t)at * 32;
        uint64_t mask = p2_load_le64(blob.data + P2_VOXEL_COLUMNS_AT + (size_t)at * 8), seen = 0;
        for (unsigned i = 0; i < 32; i++) {
            seen |= (uint64_t)((materials[i] & 15u) != 0) << (2 * i);
            seen |= (uint64_t)(materials[i] >> 4 != 0) << (2 * i + 1);
        }
        if (seen != mask) {
            return false;
        }
        cells[(at >> 7) * 8 + ((at & 31u) >> CELL_SHIFT)] |= mask;
        all |= mask;
    }
    for (unsigned i = 0; i < 64; i++) {
        if (p2_load_le64(blob.data + P2_VOXEL_CELLS_AT + (size_t)i * 8) != cells[i]) {
            return false;
        }
    }
    return blob.data[TOP_AT] == top_of(all);
}

/* ---- scenes --------------------------------------------------------------------------------- */

bool p2_voxel_scene_open(struct p2_voxel_scene *scene, const struct p2c2r_bytes *blobs,
                         uint32_t count, const uint8_t *coords)
{
    if (count == 0 || count > P2_VOXEL_CHUNKS) {
        return false;
    }
    for (unsigned i = 0; i < P2_VOXEL_CHUNKS; i++) {
        scene->chunks[i] = air_chunk;
    }
    scene->top = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned cx = coords[2 * i], cz = coords[2 * i + 1];
        if (cx >= P2_VOXEL_CHUNKS_SIDE || cz >= P2_VOXEL_CHUNKS_SIDE ||
            scene->chunks[cz * P2_VOXEL_CHUNKS_SIDE + cx] != air_chunk ||
            !header_is_valid(blobs[i])) {
            return false;
        }
        scene->chunks[cz * P2_VOXEL_CHUNKS_SIDE + cx] = blobs[i].data;
        if (blobs[i].data[TOP_AT] > scene->top) {
            scene->top = blobs[i].data[TOP_AT];
        }
    }
    return true;
}

static const uint8_t *chunk_of(const struct p2_voxel_scene *scene, int x, int z)
{
    return scene->chunks[(z >> CHUNK_SHIFT) * P2_VOXEL_CHUNKS_SIDE + (x >> CHUNK_SHIFT)];
}

static bool is_inside(int x, int z)
{
    return x >= 0 && x < P2_VOXEL_SIZE_X && z >= 0 && z < P2_VOXEL_SIZE_Z;
}

static uint64_t column_at(const uint8_t *chunk, int x, int z)
{
    return p2_load_le64(chunk + P2_VOXEL_COLUMNS_AT + (size_t)((z & 31) * 32 + (x & 31)) * 8);
}

uint64_t p2_voxel_column(const struct p2_voxel_scene *scene, int x, int z)
{
    if (!is_inside(x, z)) {
        return 0;
    }
    const uint8_t *chunk = chunk_of(scene, x, z);
    return chunk != air_chunk ? column_at(chunk, x, z) : 0;
}

bool p2_voxel_has_chunk(const struct p2_voxel_scene *scene, int x, int z)
{
    return chunk_of(scene, x, z) != air_chunk;
}

static unsigned material_at(const uint8_t *chunk, int x, int y, int z)
{
    uint8_t pair =
        chunk[P2_VOXEL_MATERIALS_AT + (size_t)(((z & 31) * 32 + (x & 31)) * 32 + (y >> 1))];
    return (y & 1) != 0 ? pair >> 4 : pair & 15u;
}

unsigned p2_voxel_material(const struct p2_voxel_scene *scene, int x, int y, int z)
{
    if (!is_inside(x, z) || y < 0 || y >= P2_VOXEL_SIZE_Y) {
        return 0;
    }
    const uint8_t *chunk = chunk_of(scene, x, z);
    return chunk != air_chunk ? material_at(chunk, x, y, z) : 0;
}

struct p2_vec3 p2_voxel_normal(unsigned face)
{
    float sign = (face & 1u) != 0 ? 1.0F : -1.0F;
    struct p2_vec3 normal = {0.0F, 0.0F, 0.0F};
    if (face < 2) {
        normal.x = sign;
    } else if (face < 4) {
        normal.y = sign;
    } else {
        normal.z = sign;
    }
    return normal;
}

/* ---- rays ----------------------------------------------------------------------------------- */

static float off_zero(float component)
{
    if (component > -COMPONENT_MIN && component < COMPONENT_MIN) {
        return component < 0.0F ? -COMPONENT_MIN : COMPONENT_MIN;
    }
    return component;
}

void p2_ray_set(struct p2_ray *ray, struct p2_vec3 origin, struct p2_vec3 direction)
{
    float squared = direction.x * direction.x + direction.y * direction.y;
    squared = squared + direction.z * direction.z;
    if (!(squared >= LENGTH_SQUARED_MIN)) {
        direction = (struct p2_vec3){0.0F, -1.0F, 0.0F};
        squared = 1.0F;
    }
    float scale = 1.0F / sqrtf(squared);
    ray->origin = origin;
    ray->direction.x = off_zero(direction.x * scale);
    ray->direction.y = off_zero(direction.y * scale);
    ray->direction.z = off_zero(direction.z * scale);
    ray->inverse.x = 1.0F / ray->direction.x;
    ray->inverse.y = 1.0F / ray->direction.y;
    ray->inverse.z = 1.0F / ray->direction.z;
}

/* The integer at or below `value`, kept in [low, high]; exact for any finite value. */
static inline int floor_within(float value, int low, int high)
{
    if (!(value > (float)low)) {
        return low;
    }
    if (value >= (float)high) {
        return high;
    }
    return (int)value;
}

/* Bits of the voxels between two heights inside one column. */
static inline uint64_t between(float a, float b)
{
    int low = floor_within(a < b ? a : b, 0, P2_VOXEL_SIZE_Y - 1);
    int high = floor_within(a < b ? b : a, 0, P2_VOXEL_SIZE_Y - 1);
    return (~UINT64_C(0) << low) & (~UINT64_C(0) >> (63 - high));
}

static inline int lowest_bit(uint64_t mask)
{
    return __builtin_ctzll(mask);
}

static inline int highest_bit(uint64_t mask)
{
    return 63 - __builtin_clzll(mask);
}

/* A walk through the grid of one level (cells or columns), seen from above. */
struct walk {
    int x, z;             /* square */
    int step_x, step_z;   /* -1 or 1 */
    float exit_x, exit_z; /* distances at which the ray leaves the square */
    unsigned axis;        /* through which it entered: 0 x, 1 y, 2 z */
    float t, y;           /* distance and height at the entry */
};

static inline float exit_at(int square, int step, int size, float origin, float inverse)
{
    int edge = (step > 0 ? square + 1 : square) * size;
    return ((float)edge - origin) * inverse;
}

/* Clips the ray to the part of the scene that can hold anything. */
static bool clip(const struct p2_voxel_scene *scene, const struct p2_ray *ray, float reach,
                 float *ret_near, float *ret_far, unsigned *ret_axis)
{
    const float origin[3] = {ray->origin.x, ray->origin.y, ray->origin.z};
    const float inverse[3] = {ray->inverse.x, ray->inverse.y, ray->inverse.z};
    const float size[3] = {(float)P2_VOXEL_SIZE_X, (float)scene->top, (float)P2_VOXEL_SIZE_Z};
    float near = 0.0F, far = reach;
    unsigned axis = 1;
    for (unsigned i = 0; i < 3; i++) {
        float a = (0.0F - origin[i]) * inverse[i];
        float b = (size[i] - origin[i]) * inverse[i];
        float first = a < b ? a : b, last = a < b ? b : a;
        if (first > near) {
            near = first;
            axis = i;
        }
        far = last < far ? last : far;
    }
    *ret_near = near;
    *ret_far = far;
    *ret_axis = axis;
    return near < far;
}

/* Fills in a hit of the column the walk stands in; `mask` holds the voxels the ray meets there. */
static void hit_in_column(const struct p2_ray *ray, const uint8_t *chunk, const struct walk *walk,
                          uint64_t mask, struct p2_voxel_hit *ret_hit)
{
    bool is_up = ray->direction.y > 0.0F;
    int entry = floor_within(walk->y, 0, P2_VOXEL_SIZE_Y - 1);
    int y = is_up ? lowest_bit(mask) : highest_bit(mask);
    unsigned axis = walk->axis;
    float t = walk->t;
    if (y != entry) {
        float face_t = ((float)(is_up ? y : y + 1) - ray->origin.y) * ray->inverse.y;
        t = face_t > t ? face_t : t;
        axis = 1;
    }
    const float direction[3] = {ray->direction.x, ray->direction.y, ray->direction.z};
    ret_hit->distance = t;
    ret_hit->x = walk->x;
    ret_hit->y = y;
    ret_hit->z = walk->z;
    ret_hit->face = axis * 2 + (direction[axis] < 0.0F ? 1u : 0u);
    ret_hit->material = material_at(chunk, walk->x, y, walk->z);
}

/* Walks the columns of one cell, which the ray enters as `cell` says and leaves at `far`. */
static bool trace_cell(const struct p2_ray *ray, const uint8_t *chunk, const struct walk *cell,
                       float far, struct p2_voxel_hit *ret_hit, uint32_t *steps)
{
    struct walk walk = *cell;
    int x0 = cell->x * P2_VOXEL_CELL, z0 = cell->z * P2_VOXEL_CELL;
    walk.x = floor_within(ray->origin.x + ray->direction.x * cell->t, x0, x0 + 3);
    walk.z = floor_within(ray->origin.z + ray->direction.z * cell->t, z0, z0 + 3);
    walk.exit_x = exit_at(walk.x, walk.step_x, 1, ray->origin.x, ray->inverse.x);
    walk.exit_z = exit_at(walk.z, walk.step_z, 1, ray->origin.z, ray->inverse.z);
    for (unsigned i = 0; i < 2 * P2_VOXEL_CELL; i++) {
        bool is_x = walk.exit_x < walk.exit_z;
        float t = is_x ? walk.exit_x : walk.exit_z;
        t = t < far ? t : far;
        float y = ray->origin.y + ray->direction.y * t;
        uint64_t mask = column_at(chunk, walk.x, walk.z) & between(walk.y, y);
        (*steps)++;
        if (mask != 0) {
            hit_in_column(ray, chunk, &walk, mask, ret_hit);
            return true;
        }
        if (t >= far) {
            return false;
        }
        walk.t = t;
        walk.y = y;
        walk.axis = is_x ? 0 : 2;
        if (is_x) {
            walk.x += walk.step_x;
            walk.exit_x = exit_at(walk.x, walk.step_x, 1, ray->origin.x, ray->inverse.x);
        } else {
            walk.z += walk.step_z;
            walk.exit_z = exit_at(walk.z, walk.step_z, 1, ray->origin.z, ray->inverse.z);
        }
        if ((walk.x ^ x0) >> CELL_SHIFT != 0 || (walk.z ^ z0) >> CELL_SHIFT != 0) {
            return false;
        }
    }
    return false;
}

static inline const uint8_t *cell_chunk(const struct p2_voxel_scene *scene, int x, int z)
{
    return scene->chunks[(z >> 3) * P2_VOXEL_CHUNKS_SIDE + (x >> 3)];
}

bool p2_voxel_trace(const struct p2_voxel_scene *scene, const struct p2_ray *ray, float reach,
                    struct p2_voxel_hit *ret_hit, uint32_t *steps)
{
    struct walk walk;
    float far;
    if (!clip(scene, ray, reach, &walk.t, &far, &walk.axis)) {
        return false;
    }
    *steps += P2_VOXEL_SET_OUT;
    float x = ray->origin.x + ray->direction.x * walk.t;
    float z = ray->origin.z + ray->direction.z * walk.t;
    walk.y = ray->origin.y + ray->direction.y * walk.t;
    walk.x = floor_within(x, 0, P2_VOXEL_SIZE_X - 1) >> CELL_SHIFT;
    walk.z = floor_within(z, 0, P2_VOXEL_SIZE_Z - 1) >> CELL_SHIFT;
    walk.step_x = ray->direction.x > 0.0F ? 1 : -1;
    walk.step_z = ray->direction.z > 0.0F ? 1 : -1;
    walk.exit_x = exit_at(walk.x, walk.step_x, P2_VOXEL_CELL, ray->origin.x, ray->inverse.x);
    walk.exit_z = exit_at(walk.z, walk.step_z, P2_VOXEL_CELL, ray->origin.z, ray->inverse.z);
    for (unsigned i = 0; i < 2 * CELLS_SIDE; i++) {
        bool is_x = walk.exit_x < walk.exit_z;
        float t = is_x ? walk.exit_x : walk.exit_z;
        t = t < far ? t : far;
        float y = ray->origin.y + ray->direction.y * t;
        const uint8_t *chunk = cell_chunk(scene, walk.x, walk.z);
        unsigned at = (unsigned)((walk.z & 7) * 8 + (walk.x & 7));
        (*steps)++;
        if ((p2_load_le64(chunk + P2_VOXEL_CELLS_AT + (size_t)at * 8) & between(walk.y, y)) != 0 &&
            chunk != air_chunk && trace_cell(ray, chunk, &walk, t, ret_hit, steps)) {
            return true;
        }
        if (t >= far) {
            return false;
        }
        walk.t = t;
        walk.y = y;
        walk.axis = is_x ? 0 : 2;
        if (is_x) {
            walk.x += walk.step_x;
            walk.exit_x =
                exit_at(walk.x, walk.step_x, P2_VOXEL_CELL, ray->origin.x, ray->inverse.x);
        } else {
            walk.z += walk.step_z;
            walk.exit_z =
                exit_at(walk.z, walk.step_z, P2_VOXEL_CELL, ray->origin.z, ray->inverse.z);
        }
        if ((unsigned)walk.x >= CELLS_SIDE || (unsigned)walk.z >= CELLS_SIDE) {
            return false;
        }
    }
    return false;
}
