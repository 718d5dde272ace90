/* rt_shadows: sun and lamp masks of a tile or of faces. */
#include "kernels/rt_shadows.h"

#include "kernels/ray_cost.h"
#include "kernels/ray_light.h"
#include "kernels/ray_shot.h"

#define KERNEL_VERSION 1
/* Measured on the reference core over 1,200 generated cases: the slowest takes 37. */
#define CHECK_BOUND_US 50
#define FACES_MAX      4096u /* 16 KiB of faces: a few chunks' worth of visible ones */
#define FACE_SAMPLES   48u

enum mode { MODE_TILE = 0, MODE_FACES = 1 };

struct task {
    struct p2_ray_view view;
    unsigned mode, count;
    const uint8_t *faces; /* faces[count][4] */
};

static bool read_input(struct task *task, struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                       uint32_t blob_count)
{
    struct p2_unpack in = p2_unpack_start(input);
    if (!p2_ray_view_read(&task->view, &in, blobs, blob_count)) {
        return false;
    }
    task->mode = p2_unpack_u8(&in);
    unsigned zero = p2_unpack_u8(&in);
    task->count = p2_unpack_u16(&in);
    bool is_sane = zero == 0 &&
                   (task->mode == MODE_TILE
                        ? task->count == 0
                        : task->mode == MODE_FACES && task->count > 0 && task->count <= FACES_MAX);
    task->faces = p2_unpack_bytes(&in, is_sane ? (size_t)task->count * 4 : 0);
    return is_sane && p2_unpack_done(&in) && p2_ray_faces_are_valid(task->faces, task->count);
}

static uint8_t pixel_mask(struct p2_ray_view *view, unsigned x, unsigned y)
{
    struct p2_ray ray;
    p2_ray_view_ray(view, x, y, P2_RAY_MIDDLE, &ray);
    return p2_ray_shadow_byte(view, &ray);
}

static uint32_t face_mask(struct p2_ray_view *view, const uint8_t *face)
{
    struct p2_vec3 middle = p2_ray_face_middle(face[0], face[1], face[2], face[3]);
    uint32_t mask = view->sun_on[face[3]] > 0 && p2_ray_sun_from(view, middle) ? 1u : 0u;
    for (unsigned i = 0; (view->flags & P2_RAY_LAMPS) != 0 && i < view->lamp_count; i++) {
        bool is_lit = p2_ray_lamp_from(view, &view->lamps[i], middle, face[3]) > 0.0F;
        mask |= (is_lit ? 1u : 0u) << (i + 1);
    }
    return mask;
}

static size_t result_size(const struct task *task)
{
    return task->mode == MODE_TILE ? (size_t)task->view.tile_w * task->view.tile_h
                                   : (size_t)task->count * 4;
}

static int run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct task task;
    if (!read_input(&task, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    int room = p2_ray_room(args, result_size(&task));
    if (room != P2C2R_KERNEL_OK) {
        return room;
    }
    struct p2_ray_view *view = &task.view;
    if (task.mode == MODE_FACES) {
        for (unsigned i = 0; i < task.count; i++) {
            p2_store_le32(args->output + (size_t)i * 4,
                          face_mask(view, task.faces + (size_t)i * 4));
        }
        *ret_size = result_size(&task);
        return P2C2R_KERNEL_OK;
    }
    p2_ray_view_remember(view, args->arena);
    for (unsigned y = 0; y < view->tile_h; y++) {
        for (unsigned x = 0; x < view->tile_w; x++) {
            args->output[y * view->tile_w + x] = pixel_mask(view, x, y);
        }
    }
    *ret_size = result_size(&task);
    return P2C2R_KERNEL_OK;
}

/* True for bytes that some pixel of the tile could have: no face is written one way only, and light
 * comes from lamps and a sun there are. Costs no ray, so all pixels are looked at. */
static bool masks_are_possible(const struct p2_ray_view *view, const uint8_t *masks)
{
    bool has_lamps = (view->flags & P2_RAY_LAMPS) != 0 && view->lamp_count > 0, possible[256];
    for (unsigned mask = 0; mask < 256; mask++) {
        unsigned face = mask & 7u;
        possible[mask] = face < P2_FACES && ((mask & 8u) == 0 || view->sun_on[face] > 0) &&
                         (mask >> 4 == 0 || has_lamps);
    }
    possible[P2_RAY_NO_FACE] = true;
    bool is_right = true;
    for (unsigned i = 0; i < view->tile_w * view->tile_h; i++) {
        is_right &= possible[masks[i]];
    }
    return is_right;
}

/* The same for a list of faces: bits of lamps there are, no sun on a face that looks away from it. */
static bool face_masks_are_possible(const struct task *task, const uint8_t *masks)
{
    const struct p2_ray_view *view = &task->view;
    unsigned lamps = (view->flags & P2_RAY_LAMPS) != 0 ? view->lamp_count : 0;
    uint32_t wrong = 0, beyond = ~(uint32_t)((UINT64_C(2) << lamps) - 1);
    for (unsigned i = 0; i < task->count; i++) {
        uint32_t dark = view->sun_on[task->faces[(size_t)i * 4 + 3]] > 0 ? 0u : 1u;
        wrong |= p2_load_le32(masks + (size_t)i * 4) & (beyond | dark);
    }
    return wrong == 0;
}

static bool place_is_right(void *checked, struct p2c2r_bytes result, unsigned at)
{
    struct task *task = checked;
    if (task->mode == MODE_FACES) {
        return p2_load_le32(result.data + (size_t)at * 4) ==
               face_mask(&task->view, task->faces + (size_t)at * 4);
    }
    return result.data[at] ==
           pixel_mask(&task->view, at % task->view.tile_w, at / task->view.tile_w);
}

static int check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result, uint64_t secret)
{
    struct task task;
    if (!read_input(&task, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != result_size(&task) ||
        !(task.mode == MODE_TILE ? masks_are_possible(&task.view, result.data)
                                 : face_masks_are_possible(&task, result.data))) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = p2_kernel_random_start(secret, KERNEL_VERSION);
    struct p2_ray_looks looks;
    if (task.mode == MODE_FACES) {
        p2_ray_looks_list(&looks, task.count, P2_RAY_SPOTS, P2_RAY_CHECK_NS, &random);
    } else {
        p2_ray_looks_tile(&looks, &task.view, result.data, P2_RAY_CHECK_NS, &random);
    }
    return p2_ray_looks_check(&looks, &task.view, result, place_is_right, &task);
}

static void sample(void *task, unsigned x, unsigned y)
{
    (void)pixel_mask(&((struct task *)task)->view, x, y);
}

static uint64_t cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    struct task task;
    if (!read_input(&task, input, blobs, blob_count)) {
        return 0;
    }
    struct p2_ray_view *view = &task.view;
    if (task.mode == MODE_FACES) {
        for (unsigned i = 0; i < FACE_SAMPLES; i++) {
            (void)face_mask(view, task.faces + (size_t)(i * task.count / FACE_SAMPLES) * 4);
        }
        return p2_ray_list_units(view, task.count, FACE_SAMPLES);
    }
    struct p2_ray_sampler sampler;
    view->rays = 1;
    p2_ray_sampler_start(&sampler, view, 4.0F);
    return p2_ray_sampler_tile(&sampler, sample, &task);
}

static void generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    struct p2_ray_shot shot;
    p2_ray_shot_generate(&shot, &random, 4.0F, false, test_case);
    p2_ray_shot_write(&shot, &out);
    unsigned mode = p2_kernel_random_below(&random, 2);
    p2_pack_u16(&out, (uint16_t)mode);
    if (mode == MODE_TILE) {
        p2_pack_u16(&out, 0);
    } else {
        unsigned count = test_case->is_small != 0 ? 1 + p2_kernel_random_below(&random, 40)
                                                  : 64 + p2_kernel_random_below(&random, 1500);
        p2_ray_shot_faces(&shot, &random, count, test_case, &out);
    }
    test_case->input_size = out.size;
}

const struct p2c2r_kernel p2_kernel_rt_shadows = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "rt_shadows",
    .version = KERNEL_VERSION,
    .kind = P2C2R_KERNEL_VIEW,
    .privacy = P2C2R_KERNEL_P1,
    .arena_bytes = P2_RAY_ARENA_BYTES,
    .input_max = P2_RAY_VIEW_MAX + 4 + FACES_MAX * 4,
    .output_max = FACES_MAX * 4,
    .blobs_max = P2_VOXEL_CHUNKS,
    .blob_max = P2_VOXEL_CHUNK_BYTES,
    .check_bound_us = CHECK_BOUND_US,
    .run = run,
    .check = check,
    .cost = cost,
    .canonical = NULL,
    .generate = generate,
};
