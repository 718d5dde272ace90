/* Inputs and outputs of the ray kernels, chunks as blobs, and the generated island. */
#include "kernels/island.h"
#include "kernels/palette.h"
#include "kernels/ray_view.h"
#include "kernels/voxel_scene.h"
#include "p2c2r/kernels.h"

#include <string.h>

_Static_assert(P2C2R_SCENE_BLOB == P2_VOXEL_CHUNK_BYTES, "the public size of a blob");
_Static_assert(P2C2R_RAY_LAMPS == P2_RAY_LAMPS_MAX, "the public number of lamps");
_Static_assert(P2C2R_RAY_TILE_W == P2_RAY_TILE_W && P2C2R_RAY_TILE_H == P2_RAY_TILE_H, "tiles");
_Static_assert(sizeof(struct p2_island) <= sizeof(uint32_t[128]), "room for the island");

static size_t size_of(const struct p2_pack *out)
{
    return out->failed ? 0 : out->size;
}

void p2c2r_palette(uint8_t rgb[256][3])
{
    p2_palette_table(rgb);
}

uint8_t p2c2r_palette_light(uint8_t byte, int levels)
{
    return p2_palette_add_light(byte, levels);
}

void p2c2r_scene_blob(uint8_t *blob, const uint8_t *voxels)
{
    p2_voxel_chunk_pack(blob, voxels);
}

/* ---- chunks in reach ------------------------------------------------------------------------ */

#define STEP   12 /* voxels between two looks along a ray: chunks are 32 wide, margins 16 */
#define STEPS  64 /* 768 voxels: P2_RAY_REACH */
#define MARGIN 16
/* How far shadows are followed towards the sun: the highest hill over its valley. */
#define RISE 40

struct marks {
    uint64_t chunks; /* bit cz * 8 + cx */
};

static void mark(struct marks *marks, int x, int z)
{
    if (x >= 0 && x < P2_VOXEL_SIZE_X && z >= 0 && z < P2_VOXEL_SIZE_Z) {
        marks->chunks |= UINT64_C(1) << ((z >> 5) * P2_VOXEL_CHUNKS_SIDE + (x >> 5));
    }
}

static void mark_around(struct marks *marks, const struct p2c2r_ray_view *view, int x, int z)
{
    const int up = view->sun[1] > 2048 ? view->sun[1] : 2048;
    mark(marks, x - MARGIN, z - MARGIN);
    mark(marks, x + MARGIN, z - MARGIN);
    mark(marks, x - MARGIN, z + MARGIN);
    mark(marks, x + MARGIN, z + MARGIN);
    for (int k = 1; k <= 2; k++) {
        mark(marks, x + view->sun[0] * RISE * k / (2 * up), z + view->sun[2] * RISE * k / (2 * up));
    }
}

static void mark_ray(struct marks *marks, const struct p2c2r_ray_view *view, const int64_t d[3],
                     bool is_mirrored)
{
    int64_t longest = 1;
    for (unsigned i = 0; i < 3; i++) {
        const int64_t size = d[i] < 0 ? -d[i] : d[i];
        longest = size > longest ? size : longest;
    }
    for (int i = 0; i < STEPS; i++) {
        int at[3];
        for (unsigned k = 0; k < 3; k++) {
            at[k] = (int)((view->position[k] + d[k] * i * STEP * 65536 / longest) >> 16);
        }
        if ((at[1] > P2_VOXEL_SIZE_Y && d[1] >= 0) || (at[1] < -STEP && !is_mirrored)) {
            return;
        }
        for (unsigned k = 0; k < 3; k += 2) { /* past the edge of the world and on its way out */
            if ((at[k] < -2 * MARGIN - RISE && d[k] <= 0) ||
                (at[k] > P2_VOXEL_SIZE_X + 2 * MARGIN + RISE && d[k] >= 0)) {
                return;
            }
        }
        if (at[1] <= P2_VOXEL_SIZE_Y + STEP) {
            mark_around(marks, view, at[0], at[2]);
        }
    }
}

void p2c2r_ray_reach(struct p2c2r_ray_view *view, bool is_mirrored)
{
    struct marks marks = {0};
    for (int row = 0; row <= 2; row++) {
        for (int column = 0; column <= 2; column++) {
            /* Q16 of the picture's half sides. */
            const int64_t px = view->tile_x * 2 + view->tile_w * column;
            const int64_t py = view->tile_y * 2 + view->tile_h * row;
            const int64_t u = px * 65536 / view->picture_w - 65536;
            const int64_t v = 65536 - py * 65536 / view->picture_h;
            int64_t d[3];
            for (unsigned i = 0; i < 3; i++) {
                d[i] = view->forward[i] + ((view->right[i] * u + view->up[i] * v) >> 16);
            }
            mark_ray(&marks, view, d, is_mirrored);
        }
    }
    view->chunk_count = 0;
    for (unsigned i = 0; i < P2_VOXEL_CHUNKS; i++) {
        if ((marks.chunks >> i & 1u) != 0) {
            view->chunks[view->chunk_count][0] = (uint8_t)(i % P2_VOXEL_CHUNKS_SIDE);
            view->chunks[view->chunk_count++][1] = (uint8_t)(i / P2_VOXEL_CHUNKS_SIDE);
        }
    }
    if (view->chunk_count == 0) { /* only sky: a task has at least one chunk */
        view->chunks[0][0] = view->chunks[0][1] = P2_VOXEL_CHUNKS_SIDE / 2;
        view->chunk_count = 1;
    }
}

/* ---- section VIEW --------------------------------------------------------------------------- */

static void put_vector(struct p2_pack *out, const int32_t vector[3])
{
    for (unsigned i = 0; i < 3; i++) {
        p2_pack_i32(out, vector[i]);
    }
}

static void put_view(struct p2_pack *out, const struct p2c2r_ray_view *view, unsigned flags)
{
    p2_pack_u16(out, P2_RAY_VIEW_FORMAT);
    p2_pack_u8(out, view->chunk_count);
    p2_pack_u8(out, view->lamp_count);
    put_vector(out, view->position);
    put_vector(out, view->forward);
    put_vector(out, view->right);
    put_vector(out, view->up);
    p2_pack_u16(out, view->picture_w);
    p2_pack_u16(out, view->picture_h);
    p2_pack_u16(out, view->tile_x);
    p2_pack_u16(out, view->tile_y);
    p2_pack_u8(out, view->tile_w);
    p2_pack_u8(out, view->tile_h);
    for (unsigned i = 0; i < 3; i++) {
        p2_pack_u16(out, (uint16_t)view->sun[i]);
    }
    const uint8_t sky[] = {view->sun_level,   view->ambient_level, view->sky_zenith,
                           view->sky_horizon, view->sky_glow,      view->sea_level};
    p2_pack_bytes(out, sky, sizeof sky);
    p2_pack_u16(out, view->fog_start);
    const uint8_t rest[] = {view->rays, (uint8_t)flags, view->clouds, view->phase, 0, 0, 0, 0};
    p2_pack_bytes(out, rest, sizeof rest);
    p2_pack_bytes(out, view->chunks[0], (size_t)view->chunk_count * 2);
    for (unsigned i = 0; i < view->lamp_count; i++) {
        const struct p2c2r_ray_lamp *lamp = &view->lamps[i];
        for (unsigned k = 0; k < 3; k++) {
            p2_pack_u16(out, lamp->position[k]);
        }
        p2_pack_u8(out, lamp->level);
        p2_pack_u8(out, lamp->radius);
    }
    if (view->chunk_count < 1 || view->chunk_count > P2_VOXEL_CHUNKS ||
        view->lamp_count > P2_RAY_LAMPS_MAX) {
        out->failed = true;
    }
}

size_t p2c2r_rt_render_tile_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    put_view(&pack, view, view->flags);
    return size_of(&pack);
}

size_t p2c2r_rt_shadows_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view,
                              const struct p2c2r_ray_face *faces, uint32_t face_count)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (face_count > 4096) {
        return 0;
    }
    put_view(&pack, view, view->flags);
    p2_pack_u8(&pack, face_count > 0 ? 1 : 0);
    p2_pack_u8(&pack, 0);
    p2_pack_u16(&pack, (uint16_t)face_count);
    for (uint32_t i = 0; i < face_count; i++) {
        const uint8_t face[4] = {faces[i].x, faces[i].y, faces[i].z, faces[i].face};
        p2_pack_bytes(&pack, face, sizeof face);
    }
    return size_of(&pack);
}

size_t p2c2r_rt_reflections_input(uint8_t *out, size_t capacity, const struct p2c2r_ray_view *view,
                                  uint8_t bounces)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    put_view(&pack, view, view->flags);
    p2_pack_u16(&pack, bounces);
    p2_pack_u16(&pack, 0);
    return size_of(&pack);
}

/* A spiral over the hemisphere with a cosine distribution (Vogel, "A better way to construct the
 * sunflower head", Mathematical Biosciences 44, 1979, lifted from its disc). */
static void put_directions(struct p2_pack *out, unsigned count)
{
    int32_t cosine = 16384, sine = 0; /* Q14; each turns by 137.5 degrees */
    for (unsigned i = 0; i < count; i++) {
        const int32_t squared = (int32_t)(16384u * (2 * i + 1) / (2 * count)); /* Q14 */
        int32_t radius = 0, up = 0;
        while (radius * radius <= squared * 16384) {
            radius += 16;
        }
        while (up * up <= (16384 - squared) * 16384) {
            up += 16;
        }
        p2_pack_u16(out, (uint16_t)(cosine * radius / 16384));
        p2_pack_u16(out, (uint16_t)(sine * radius / 16384));
        p2_pack_u16(out, (uint16_t)(up < 16384 ? up : 16384));
        const int32_t next = (cosine * -12080 - sine * 11068) / 16384;
        sine = (cosine * 11068 + sine * -12080) / 16384;
        cosine = next;
    }
}

size_t p2c2r_rt_global_illumination_input(uint8_t *out, size_t capacity,
                                          const struct p2c2r_ray_view *view, uint8_t directions,
                                          uint8_t reach, uint8_t sky)
{
    struct p2_pack pack = p2_pack_start(out, capacity);
    if (directions < 1 || directions > 64 || reach < 1 || reach > 128 || sky > 16) {
        return 0;
    }
    put_view(&pack, view, view->flags);
    const uint8_t tail[8] = {0, directions, 0, 0, reach, sky, 0, 0};
    p2_pack_bytes(&pack, tail, sizeof tail);
    put_directions(&pack, directions);
    return size_of(&pack);
}

/* ---- results -------------------------------------------------------------------------------- */

uint8_t p2c2r_rt_compose(const struct p2c2r_ray_view *view, uint8_t base, uint8_t shadow)
{
    const unsigned face = shadow & 7u;
    int levels = shadow >> 4;
    if (face >= P2_FACES) {
        return base;
    }
    if ((shadow & 8u) != 0) { /* as ray_view.c rounds it: a face sees one component of the sun */
        const int sign = face % 2 == 0 ? -1 : 1;
        const int sun = (view->sun_level * view->sun[face / 2] * sign + 8192) / 16384;
        levels += sun > 0 ? sun : 0;
    }
    return p2_palette_add_light(base, levels);
}

bool p2c2r_rt_shadows_face(struct p2c2r_bytes result, uint32_t index, uint32_t *ret_mask)
{
    if (index >= result.size / 4) {
        return false;
    }
    *ret_mask = p2_load_le32(result.data + (size_t)index * 4);
    return true;
}

/* ---- island --------------------------------------------------------------------------------- */

void p2c2r_island_start(struct p2c2r_island *island, uint64_t seed)
{
    struct p2_island plan;
    memset(island, 0, sizeof *island);
    p2_island_start(&plan, seed);
    memcpy(island->opaque, &plan, sizeof plan);
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        for (unsigned k = 0; k < 3; k++) {
            island->village[i][k] = plan.village[i][k];
        }
    }
    island->lake[0] = plan.lake[0];
    island->lake[1] = plan.lake[1];
    island->lamp_count = plan.lamp_count;
    for (unsigned i = 0; i < plan.lamp_count; i++) {
        island->lamps[i] =
            (struct p2c2r_ray_face){plan.lamps[i].x, plan.lamps[i].y, plan.lamps[i].z, 0};
    }
}

void p2c2r_island_chunk(const struct p2c2r_island *island, uint32_t cx, uint32_t cz,
                        uint8_t *voxels)
{
    struct p2_island plan;
    memcpy(&plan, island->opaque, sizeof plan);
    p2_island_chunk(&plan, cx, cz, voxels);
}
