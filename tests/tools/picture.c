/* Pictures of an island out of the four ray kernels' results. */
#include "tests/tools/picture.h"

#include "kernels/palette.h"
#include "kernels/ray_light.h"
#include "kernels/rt_global_illumination.h"
#include "kernels/rt_reflections.h"
#include "kernels/rt_render_tile.h"
#include "kernels/rt_shadows.h"

#include <stdlib.h>
#include <string.h>

#define DIRECTIONS 16u
#define TILE_BYTES P2_RAY_PIXELS_MAX

struct studio {
    struct p2_island island;
    struct p2_ray_shot shot;
    struct p2c2r_kernel_case scene; /* all 64 chunks; its input is not used by the kernels */
    uint8_t *arena;
    p2_picture_tile_cb *on_tile;
    void *context;
    uint8_t input[P2_RAY_VIEW_MAX + 8 + DIRECTIONS * 6 + P2_RAY_PIXELS_MAX * 2];
};

/* ---- camera --------------------------------------------------------------------------------- */

static struct p2_vec3 above(const struct p2_island *island, float x, float z, float height)
{
    int ground = p2_island_ground(island, (int)x, (int)z);
    ground = ground > P2_ISLAND_SEA ? ground : P2_ISLAND_SEA;
    return (struct p2_vec3){x, (float)ground + height, z};
}

/* How far one sees from `eye` towards `target`, 0..1. */
static float clearness(const struct studio *studio, struct p2_vec3 eye, struct p2_vec3 target)
{
    struct p2_voxel_scene scene;
    struct p2_ray ray;
    struct p2_voxel_hit hit;
    uint32_t steps = 0;
    float worst = 1.0F;
    (void)p2_voxel_scene_open(&scene, studio->scene.blobs, studio->scene.blob_count,
                              studio->shot.chunks[0]);
    for (int i = -2; i <= 2; i++) { /* a fan, so that no trunk stands in the middle of it */
        struct p2_vec3 d = {target.x - eye.x, target.y - eye.y, target.z - eye.z};
        d.x += (float)i * d.z * 0.12F;
        d.z -= (float)i * d.x * 0.12F;
        p2_ray_set(&ray, eye, d);
        if (p2_voxel_trace(&scene, &ray, 60.0F, &hit, &steps)) {
            float seen = hit.distance / 60.0F;
            worst = seen < worst ? seen : worst;
        }
    }
    return worst;
}

/* The clearest of 16 places on a ring around the target. */
static struct p2_vec3 place_on_ring(const struct studio *studio, struct p2_vec3 target,
                                    float radius, float height)
{
    static const float ring[16][2] = {
        {1.0F, 0.0F},  {0.92F, 0.38F},   {0.71F, 0.71F},   {0.38F, 0.92F},
        {0.0F, 1.0F},  {-0.38F, 0.92F},  {-0.71F, 0.71F},  {-0.92F, 0.38F},
        {-1.0F, 0.0F}, {-0.92F, -0.38F}, {-0.71F, -0.71F}, {-0.38F, -0.92F},
        {0.0F, -1.0F}, {0.38F, -0.92F},  {0.71F, -0.71F},  {0.92F, -0.38F},
    };
    struct p2_vec3 best = target;
    float best_clear = -1.0F;
    for (unsigned i = 0; i < 16; i++) {
        struct p2_vec3 eye = above(&studio->island, target.x + ring[i][0] * radius,
                                   target.z + ring[i][1] * radius, height);
        float clear = clearness(studio, eye, target);
        if (clear > best_clear) {
            best_clear = clear;
            best = eye;
        }
    }
    return best;
}

static void set_camera(struct studio *studio, const struct p2_picture_order *order)
{
    const struct p2_island *island = &studio->island;
    const int *village = island->village[0];
    struct p2_vec3 eye, target;
    if (order->place == P2_PICTURE_VILLAGE) {
        target = above(island, (float)village[0], (float)village[2], 3.0F);
        eye = place_on_ring(studio, target, 26.0F, 9.0F);
    } else if (order->place == P2_PICTURE_LAKE) {
        target =
            (struct p2_vec3){(float)island->lake[0], P2_ISLAND_SEA + 2, (float)island->lake[1]};
        eye = place_on_ring(studio, target, 24.0F, 5.0F);
    } else {
        target = (struct p2_vec3){128.0F, 22.0F, 128.0F};
        eye = (struct p2_vec3){236.0F, 78.0F, 216.0F};
    }
    p2_ray_shot_look(&studio->shot, eye, target, 1.0F, order->width, order->height);
    p2_ray_shot_daytime(&studio->shot, order->daytime);
    studio->shot.rays = (uint8_t)order->rays;
    studio->shot.phase = 40;
}

/* ---- tiles ---------------------------------------------------------------------------------- */

static int run_kernel(struct studio *studio, const struct p2c2r_kernel *kernel, size_t input_size,
                      uint8_t output[TILE_BYTES])
{
    struct p2c2r_kernel_args args = {
        .input = {studio->input, input_size},
        .blobs = studio->scene.blobs,
        .blob_count = studio->scene.blob_count,
        .output = output,
        .output_capacity = TILE_BYTES,
        .arena = studio->arena,
        .arena_size = kernel->arena_bytes,
    };
    size_t size = 0;
    int status = kernel->run(&args, &size);
    if (status == P2C2R_KERNEL_OK && studio->on_tile != NULL) {
        const struct p2c2r_bytes result = {output, size};
        studio->on_tile(studio->context, kernel->name, &result);
    }
    return status;
}

static struct p2_pack start_input(struct studio *studio, unsigned flags)
{
    struct p2_pack out = p2_pack_start(studio->input, sizeof studio->input);
    struct p2_ray_shot shot = studio->shot;
    shot.flags = (uint8_t)flags;
    p2_ray_shot_write(&shot, &out);
    return out;
}

/* A spiral over the hemisphere with a cosine distribution (Vogel's disc, lifted). */
static void write_directions(struct p2_pack *out)
{
    int32_t cosine = 16384, sine = 0; /* Q14; each step turns by 137.5 degrees */
    for (int i = 0; i < (int)DIRECTIONS; i++) {
        int32_t squared = 16384 * (2 * i + 1) / (2 * (int)DIRECTIONS), radius = 0, up = 0; /* Q14 */
        while (radius * radius <= squared * 16384) {
            radius += 16;
        }
        while (up * up <= (16384 - squared) * 16384) {
            up += 16;
        }
        p2_pack_u16(out, (uint16_t)(cosine * radius / 16384));
        p2_pack_u16(out, (uint16_t)(sine * radius / 16384));
        p2_pack_u16(out, (uint16_t)(up < 16384 ? up : 16384));
        int32_t next = (cosine * -12080 - sine * 11068) / 16384;
        sine = (cosine * 11068 + sine * -12080) / 16384;
        cosine = next;
    }
}

static int add_shadows(struct studio *studio, uint8_t *tile)
{
    uint8_t masks[TILE_BYTES];
    struct p2_ray_view view;
    struct p2_pack out = start_input(studio, studio->shot.flags);
    p2_pack_u32(&out, 0);
    struct p2_unpack in = p2_unpack_start((struct p2c2r_bytes){studio->input, out.size});
    int status = run_kernel(studio, &p2_kernel_rt_shadows, out.size, masks);
    if (status != P2C2R_KERNEL_OK ||
        !p2_ray_view_read(&view, &in, studio->scene.blobs, studio->scene.blob_count)) {
        return -1;
    }
    for (unsigned i = 0; i < view.tile_w * view.tile_h; i++) {
        tile[i] = p2_ray_compose(&view, tile[i], masks[i]);
    }
    return 0;
}

static int add_indirect(struct studio *studio, uint8_t *tile)
{
    uint8_t light[TILE_BYTES];
    struct p2_pack out = start_input(studio, studio->shot.flags);
    const uint8_t tail[8] = {0, DIRECTIONS, 0, 0, 32, 0, 0, 0};
    p2_pack_bytes(&out, tail, sizeof tail);
    write_directions(&out);
    int status = run_kernel(studio, &p2_kernel_rt_global_illumination, out.size, light);
    if (status != P2C2R_KERNEL_OK) {
        return -1;
    }
    for (unsigned i = 0; i < (unsigned)studio->shot.tile_w * studio->shot.tile_h; i++) {
        if (light[i] != P2_RAY_NO_LIGHT) {
            tile[i] = p2_palette_add_light(tile[i], (light[i] + 4) >> 3);
        }
    }
    return 0;
}

static int add_mirrors(struct studio *studio, uint8_t *tile)
{
    uint8_t bytes[TILE_BYTES];
    struct p2_pack out = start_input(studio, studio->shot.flags);
    p2_pack_u16(&out, 2); /* bounces */
    uint8_t *count_at = p2_pack_space(&out, 2);
    unsigned count = 0, pixels = (unsigned)studio->shot.tile_w * studio->shot.tile_h;
    for (unsigned i = 0; i < pixels; i++) {
        unsigned material = p2_palette_material(tile[i]);
        if (material == P2_MATERIAL_WATER || material == P2_MATERIAL_GLASS) {
            p2_pack_u16(&out, (uint16_t)i);
            count++;
        }
    }
    if (count == 0 || count_at == NULL) {
        return 0;
    }
    p2_store_le16(count_at, (uint16_t)count);
    if (run_kernel(studio, &p2_kernel_rt_reflections, out.size, bytes) != P2C2R_KERNEL_OK) {
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        tile[p2_load_le16(count_at + 2 + (size_t)i * 2)] = bytes[i];
    }
    return 0;
}

static int render_tile(struct studio *studio, uint8_t *tile)
{
    unsigned parts = P2_RAY_SUN | P2_RAY_LAMPS;
    struct p2_pack out = start_input(studio, studio->shot.flags & ~parts);
    if (run_kernel(studio, &p2_kernel_rt_render_tile, out.size, tile) != P2C2R_KERNEL_OK) {
        return -1;
    }
    if (add_shadows(studio, tile) != 0 || add_indirect(studio, tile) != 0) {
        return -1;
    }
    return add_mirrors(studio, tile);
}

/* ---- whole pictures ------------------------------------------------------------------------- */

static void build_scene(struct studio *studio, const struct p2_picture_order *order,
                        uint8_t *scratch)
{
    struct p2_ray_shot *shot = &studio->shot;
    p2_island_start(&studio->island, order->seed);
    shot->chunk_count = P2_VOXEL_CHUNKS;
    for (unsigned i = 0; i < P2_VOXEL_CHUNKS; i++) {
        shot->chunks[i][0] = (uint8_t)(i % P2_VOXEL_CHUNKS_SIDE);
        shot->chunks[i][1] = (uint8_t)(i / P2_VOXEL_CHUNKS_SIDE);
    }
    p2_ray_shot_lamps(shot, &studio->island);
    p2_ray_shot_blobs(shot, &studio->island, scratch, &studio->scene);
    set_camera(studio, order);
}

int p2_picture_render(const struct p2_picture_order *order, uint8_t *pixels,
                      p2_picture_tile_cb *on_tile, void *context)
{
    int result = -1;
    struct studio *studio = calloc(1, sizeof *studio);
    uint8_t *scratch = malloc(P2_CHUNK_VOXELS);
    uint8_t *storage = malloc((size_t)P2_VOXEL_CHUNKS * P2_VOXEL_CHUNK_BYTES);
    uint8_t *arena = aligned_alloc(64, P2_RAY_ARENA_BYTES);
    if (studio == NULL || scratch == NULL || storage == NULL || arena == NULL) {
        goto out;
    }
    studio->arena = arena;
    studio->scene.blob_storage = storage;
    studio->on_tile = on_tile;
    studio->context = context;
    build_scene(studio, order, scratch);
    for (unsigned index = 0; p2_ray_shot_tile(&studio->shot, index); index++) {
        const struct p2_ray_shot *shot = &studio->shot;
        uint8_t tile[TILE_BYTES];
        if (render_tile(studio, tile) != 0) {
            goto out;
        }
        for (unsigned y = 0; y < shot->tile_h; y++) {
            memcpy(pixels + (size_t)(shot->tile_y + y) * order->width + shot->tile_x,
                   tile + (size_t)y * shot->tile_w, shot->tile_w);
        }
    }
    result = 0;
out:
    free(arena);
    free(storage);
    free(scratch);
    free(studio);
    return result;
}
