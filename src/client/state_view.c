/* Traces the scene's chunks with the ray kernel, in this process: our own scene, our own eyes. */
#include "client/state_view.h"

#include "base/error.h"
#include "kernels/rt_render_tile.h"
#include "p2c2r/kernels.h"

#include <stdlib.h>
#include <string.h>

#define SIDE        8u /* packed chunks each way */
#define PARTS       4u /* chunks of the scene in a packed one: 2 x 2 */
#define INPUT_MAX   512u
#define PACK_SIDE   32u
#define PACK_VOXELS (PACK_SIDE * PACK_SIDE * P2C2R_SCENE_CHUNK_HEIGHT)
#define ARENA_ALIGN 64u

struct p2_state_view {
    uint8_t (*blobs)[P2C2R_SCENE_BLOB];  /* [SIDE * SIDE] */
    uint32_t packed[SIDE * SIDE][PARTS]; /* version of each part that was packed; 0: air */
    uint8_t *voxels;                     /* one packed chunk, unpacked */
    uint8_t *arena;
    uint8_t pixels[P2_STATE_VIEW_HEIGHT][P2_STATE_VIEW_WIDTH];
    uint8_t tile[P2C2R_RAY_TILE_H * P2C2R_RAY_TILE_W];
};

int p2_state_view_open(struct p2_state_view **ret_view)
{
    struct p2_state_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return P2_E_NOMEM;
    }
    size_t arena = p2_kernel_rt_render_tile.arena_bytes;
    arena = (arena + ARENA_ALIGN) / ARENA_ALIGN * ARENA_ALIGN;
    view->blobs = calloc((size_t)SIDE * SIDE, sizeof *view->blobs);
    view->voxels = malloc(PACK_VOXELS);
    view->arena = aligned_alloc(ARENA_ALIGN, arena);
    if (view->blobs == NULL || view->voxels == NULL || view->arena == NULL) {
        p2_state_view_close(view);
        return P2_E_NOMEM;
    }
    memset(view->packed, 0xff, sizeof view->packed);
    *ret_view = view;
    return P2_OK;
}

void p2_state_view_close(struct p2_state_view *view)
{
    if (view != NULL) {
        free(view->blobs);
        free(view->voxels);
        free(view->arena);
        free(view);
    }
}

static const struct p2_scene_chunk *part(const struct p2_scene_store *scene, uint32_t at,
                                         uint32_t index)
{
    return p2_scene_store_chunk(scene, at % SIDE * 2 + index % 2, at / SIDE * 2 + index / 2);
}

static void pack(struct p2_state_view *view, const struct p2_scene_store *scene, uint32_t at)
{
    memset(view->voxels, 0, PACK_VOXELS);
    for (uint32_t index = 0; index < PARTS; index++) {
        const struct p2_scene_chunk *chunk = part(scene, at, index);
        for (uint32_t z = 0; z < P2C2R_SCENE_CHUNK_SIDE && chunk != NULL; z++) {
            size_t row = (size_t)(index / 2 * P2C2R_SCENE_CHUNK_SIDE + z) * PACK_SIDE +
                         (size_t)(index % 2) * P2C2R_SCENE_CHUNK_SIDE;
            size_t length = (size_t)P2C2R_SCENE_CHUNK_SIDE * P2C2R_SCENE_CHUNK_HEIGHT;
            memcpy(view->voxels + row * P2C2R_SCENE_CHUNK_HEIGHT, chunk->voxels + z * length,
                   length);
        }
    }
    p2c2r_scene_blob(view->blobs[at], view->voxels);
}

static void pack_changes(struct p2_state_view *view, const struct p2_scene_store *scene)
{
    for (uint32_t at = 0; at < SIDE * SIDE; at++) {
        uint32_t versions[PARTS];
        for (uint32_t index = 0; index < PARTS; index++) {
            const struct p2_scene_chunk *chunk = part(scene, at, index);
            versions[index] = chunk != NULL ? chunk->change : 0;
        }
        if (memcmp(versions, view->packed[at], sizeof versions) != 0) {
            pack(view, scene, at);
            memcpy(view->packed[at], versions, sizeof versions);
        }
    }
}

/* The nearest lamps: a kernel takes no more than P2C2R_RAY_LAMPS. */
static void choose_lamps(struct p2c2r_ray_view *rays, const struct p2_scene_store *scene,
                         const struct p2c2r_scene_camera *camera)
{
    int64_t distance[P2C2R_RAY_LAMPS];
    for (uint32_t page = 0; page < P2C2R_SCENE_LAMP_PAGES; page++) {
        for (uint32_t i = 0; i < scene->lamp_pages[page].count; i++) {
            const struct p2c2r_scene_lamp *lamp = &scene->lamp_pages[page].lamps[i];
            int64_t far = 0;
            bool is_inside = true;
            for (int axis = 0; axis < 3; axis++) {
                int64_t gap = lamp->position[axis] - (camera->position[axis] >> 8);
                far += gap * gap;
                is_inside = is_inside && lamp->position[axis] >= 0 && lamp->position[axis] <= 65535;
            }
            uint32_t at = rays->lamp_count;
            while (at > 0 && distance[at - 1] > far) {
                at--;
            }
            if (!is_inside || at == P2C2R_RAY_LAMPS) {
                continue;
            }
            uint32_t kept =
                rays->lamp_count < P2C2R_RAY_LAMPS ? rays->lamp_count : P2C2R_RAY_LAMPS - 1;
            memmove(distance + at + 1, distance + at, (kept - at) * sizeof *distance);
            memmove(rays->lamps + at + 1, rays->lamps + at, (kept - at) * sizeof *rays->lamps);
            distance[at] = far;
            rays->lamps[at] =
                (struct p2c2r_ray_lamp){{(uint16_t)lamp->position[0], (uint16_t)lamp->position[1],
                                         (uint16_t)lamp->position[2]},
                                        lamp->level,
                                        lamp->radius};
            rays->lamp_count = (uint8_t)(kept + 1);
        }
    }
}

static void describe(struct p2c2r_ray_view *rays, const struct p2_scene_store *scene,
                     const struct p2c2r_scene_camera *camera)
{
    const struct p2c2r_scene_sky *sky = &scene->sky;
    *rays = (struct p2c2r_ray_view){
        .picture_w = P2_STATE_VIEW_WIDTH,
        .picture_h = P2_STATE_VIEW_HEIGHT,
        .sun = {sky->sun[0], sky->sun[1], sky->sun[2]},
        .sun_level = sky->sun_level,
        .ambient_level = sky->ambient_level,
        .sky_zenith = sky->zenith,
        .sky_horizon = sky->horizon,
        .sky_glow = sky->glow,
        .sea_level = sky->sea_level,
        .fog_start = sky->fog_start,
        .rays = 1,
        .flags = (uint8_t)(P2C2R_RAY_SUN | P2C2R_RAY_LAMPLIGHT | P2C2R_RAY_OCCLUSION |
                           (sky->is_moon ? P2C2R_RAY_MOON : 0)),
        .clouds = sky->clouds,
        .phase = sky->phase,
    };
    for (int axis = 0; axis < 3; axis++) {
        rays->position[axis] = camera->position[axis];
        rays->forward[axis] = camera->forward[axis];
        rays->right[axis] = camera->right[axis];
        rays->up[axis] = camera->up[axis];
    }
    choose_lamps(rays, scene, camera);
}

static void trace_tile(struct p2_state_view *view, struct p2c2r_ray_view *rays)
{
    uint8_t input[INPUT_MAX];
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX];
    size_t size = 0;
    rays->chunk_count = 0;
    p2c2r_ray_reach(rays, false);
    size_t input_size = p2c2r_rt_render_tile_input(input, sizeof input, rays);
    for (uint32_t i = 0; i < rays->chunk_count; i++) {
        blobs[i] = (struct p2c2r_bytes){view->blobs[rays->chunks[i][1] * SIDE + rays->chunks[i][0]],
                                        P2C2R_SCENE_BLOB};
    }
    struct p2c2r_kernel_args args = {.input = {input, input_size},
                                     .blobs = blobs,
                                     .blob_count = rays->chunk_count,
                                     .output = view->tile,
                                     .output_capacity = sizeof view->tile,
                                     .arena = view->arena,
                                     .arena_size = p2_kernel_rt_render_tile.arena_bytes};
    if (input_size == 0 || p2_kernel_rt_render_tile.run(&args, &size) != P2C2R_KERNEL_OK) {
        return; /* a camera outside the kernel's limits: the old picture stays */
    }
    for (uint32_t y = 0; y < rays->tile_h; y++) {
        memcpy(&view->pixels[rays->tile_y + y][rays->tile_x], view->tile + (size_t)y * rays->tile_w,
               rays->tile_w);
    }
}

const uint8_t *p2_state_view_draw(struct p2_state_view *view, const struct p2_scene_store *scene,
                                  const struct p2c2r_scene_camera *camera)
{
    struct p2c2r_ray_view rays;
    if (!scene->has_sky || scene->chunk_count == 0) {
        return NULL;
    }
    pack_changes(view, scene);
    describe(&rays, scene, camera);
    for (uint32_t y = 0; y < P2_STATE_VIEW_HEIGHT; y += P2C2R_RAY_TILE_H) {
        for (uint32_t x = 0; x < P2_STATE_VIEW_WIDTH; x += P2C2R_RAY_TILE_W) {
            uint32_t width = P2_STATE_VIEW_WIDTH - x, height = P2_STATE_VIEW_HEIGHT - y;
            rays.tile_x = (uint16_t)x;
            rays.tile_y = (uint16_t)y;
            rays.tile_w = (uint8_t)(width < P2C2R_RAY_TILE_W ? width : P2C2R_RAY_TILE_W);
            rays.tile_h = (uint8_t)(height < P2C2R_RAY_TILE_H ? height : P2C2R_RAY_TILE_H);
            trace_tile(view, &rays);
        }
    }
    return &view->pixels[0][0];
}
