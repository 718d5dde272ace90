/* rt_render_tile: palette tiles of a voxel scene. */
#include "kernels/rt_render_tile.h"

#include "kernels/ray_cost.h"
#include "kernels/ray_light.h"
#include "kernels/ray_shot.h"

#define KERNEL_VERSION 1
/* Measured on the reference core over 1,800 generated cases: the slowest takes 45. */
#define CHECK_BOUND_US 50

static bool read_input(struct p2_ray_view *view, struct p2c2r_bytes input,
                       const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    struct p2_unpack in = p2_unpack_start(input);
    return p2_ray_view_read(view, &in, blobs, blob_count) && p2_unpack_done(&in);
}

static int run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct p2_ray_view view;
    if (!read_input(&view, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    size_t size = (size_t)view.tile_w * view.tile_h;
    int room = p2_ray_room(args, size);
    if (room != P2C2R_KERNEL_OK) {
        return room;
    }
    p2_ray_view_remember(&view, args->arena);
    for (unsigned y = 0; y < view.tile_h; y++) {
        for (unsigned x = 0; x < view.tile_w; x++) {
            args->output[y * view.tile_w + x] = p2_ray_pixel(&view, x, y, 0);
        }
    }
    *ret_size = size;
    return P2C2R_KERNEL_OK;
}

static bool pixel_is_right(void *task, struct p2c2r_bytes result, unsigned at)
{
    struct p2_ray_view *view = task;
    return result.data[at] == p2_ray_pixel(view, at % view->tile_w, at / view->tile_w, 0);
}

static int check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result, uint64_t secret)
{
    struct p2_ray_view view;
    if (!read_input(&view, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != (size_t)view.tile_w * view.tile_h) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = p2_kernel_random_start(secret, KERNEL_VERSION);
    struct p2_ray_looks looks;
    p2_ray_looks_tile(&looks, &view, result.data, P2_RAY_CHECK_NS, &random);
    return p2_ray_looks_check(&looks, &view, result, pixel_is_right, &view);
}

static void sample(void *task, unsigned x, unsigned y)
{
    (void)p2_ray_pixel(task, x, y, 0);
}

static uint64_t cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    struct p2_ray_view view;
    if (!read_input(&view, input, blobs, blob_count)) {
        return 0;
    }
    struct p2_ray_sampler sampler;
    p2_ray_sampler_start(&sampler, &view, 4.0F);
    return p2_ray_sampler_tile(&sampler, sample, &view);
}

static void generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    struct p2_ray_shot shot;
    p2_ray_shot_generate(&shot, &random, 4.0F, false, test_case);
    p2_ray_shot_write(&shot, &out);
    test_case->input_size = out.size;
}

const struct p2c2r_kernel p2_kernel_rt_render_tile = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "rt_render_tile",
    .version = KERNEL_VERSION,
    .kind = P2C2R_KERNEL_VIEW,
    .privacy = P2C2R_KERNEL_P1,
    .arena_bytes = P2_RAY_ARENA_BYTES,
    .input_max = P2_RAY_VIEW_MAX,
    .output_max = P2_RAY_PIXELS_MAX,
    .blobs_max = P2_VOXEL_CHUNKS,
    .blob_max = P2_VOXEL_CHUNK_BYTES,
    .check_bound_us = CHECK_BOUND_US,
    .run = run,
    .check = check,
    .cost = cost,
    .canonical = NULL,
    .generate = generate,
};
