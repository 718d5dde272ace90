/* rt_reflections: mirrors of a tile. */
#include "kernels/rt_reflections.h"

#include "kernels/ray_cost.h"
#include "kernels/ray_light.h"
#include "kernels/ray_shot.h"

#define KERNEL_VERSION 1
/* Measured on the reference core: 99 % of generated cases end within 50, the slowest of 1,400 in 62. */
#define CHECK_BOUND_US 70
#define BOUNCES_MAX    4u
/* Share of a mirrored ray's work that neighbours have not done yet (fitted to generated cases). */
#define MIRRORED_SHARE 0.75F

struct task {
    struct p2_ray_view view;
    unsigned bounces, count;
    const uint8_t *pixels; /* u16 pixels[count], unless count is 0 */
};

static bool are_ascending(const uint8_t *pixels, unsigned count, unsigned end)
{
    unsigned next = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned pixel = p2_load_le16(pixels + (size_t)i * 2);
        if (pixel < next || pixel >= end) {
            return false;
        }
        next = pixel + 1;
    }
    return true;
}

static bool read_input(struct task *task, struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                       uint32_t blob_count)
{
    struct p2_unpack in = p2_unpack_start(input);
    if (!p2_ray_view_read(&task->view, &in, blobs, blob_count)) {
        return false;
    }
    task->bounces = p2_unpack_u8(&in);
    unsigned zero = p2_unpack_u8(&in);
    task->count = p2_unpack_u16(&in);
    task->pixels = p2_unpack_bytes(&in, (size_t)task->count * 2);
    return p2_unpack_done(&in) && zero == 0 && task->bounces >= 1 && task->bounces <= BOUNCES_MAX &&
           are_ascending(task->pixels, task->count, task->view.tile_w * task->view.tile_h);
}

static unsigned result_count(const struct task *task)
{
    return task->count > 0 ? task->count : task->view.tile_w * task->view.tile_h;
}

/* The byte number `index` of the result. */
static uint8_t result_byte(struct task *task, unsigned index)
{
    unsigned pixel = task->count > 0 ? p2_load_le16(task->pixels + (size_t)index * 2) : index;
    return p2_ray_pixel(&task->view, pixel % task->view.tile_w, pixel / task->view.tile_w,
                        task->bounces);
}

static int run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct task task;
    if (!read_input(&task, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    unsigned count = result_count(&task);
    int room = p2_ray_room(args, count);
    if (room != P2C2R_KERNEL_OK) {
        return room;
    }
    p2_ray_view_remember(&task.view, args->arena);
    for (unsigned i = 0; i < count; i++) {
        args->output[i] = result_byte(&task, i);
    }
    *ret_size = count;
    return P2C2R_KERNEL_OK;
}

static bool place_is_right(void *task, struct p2c2r_bytes result, unsigned at)
{
    return result.data[at] == result_byte(task, at);
}

static int check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result, uint64_t secret)
{
    struct task task;
    if (!read_input(&task, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    unsigned count = result_count(&task);
    if (result.size != count) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = p2_kernel_random_start(secret, KERNEL_VERSION);
    struct p2_ray_looks looks;
    if (task.count > 0) {
        p2_ray_looks_pixels(&looks, &task.view, task.pixels, count, result.data, P2_RAY_CHECK_NS,
                            &random);
    } else {
        p2_ray_looks_tile(&looks, &task.view, result.data, P2_RAY_CHECK_NS, &random);
    }
    return p2_ray_looks_check(&looks, &task.view, result, place_is_right, &task);
}

static uint64_t cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    struct task task;
    if (!read_input(&task, input, blobs, blob_count)) {
        return 0;
    }
    struct p2_ray_sampler sampler;
    unsigned count = result_count(&task);
    p2_ray_sampler_start(&sampler, &task.view, 4.0F);
    sampler.mirrored = MIRRORED_SHARE;
    for (unsigned i = 0; i < P2_RAY_SAMPLES; i++) {
        unsigned x, y, at = (2 * i + 1) * count / (2 * P2_RAY_SAMPLES);
        unsigned pixel = task.count > 0 ? p2_load_le16(task.pixels + (size_t)at * 2) : 0;
        if (task.count > 0) {
            x = pixel % task.view.tile_w;
            y = pixel / task.view.tile_w;
        } else {
            p2_ray_sampler_pixel(&sampler, i, &x, &y);
        }
        p2_ray_sampler_begin(&sampler, x, y);
        (void)p2_ray_pixel(&task.view, x, y, task.bounces);
        p2_ray_sampler_end(&sampler);
    }
    return p2_ray_sampler_units(&sampler, count);
}

static void generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    struct p2_ray_shot shot;
    p2_ray_shot_generate(&shot, &random, 4.0F, true, test_case);
    p2_ray_shot_write(&shot, &out);
    p2_pack_u16(&out, (uint16_t)(1 + p2_kernel_random_below(&random, BOUNCES_MAX)));
    if (p2_kernel_random_percent(&random, 50)) {
        p2_pack_u16(&out, 0);
    } else {
        p2_ray_shot_mirrors(test_case, &out);
    }
    test_case->input_size = out.size;
}

const struct p2c2r_kernel p2_kernel_rt_reflections = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "rt_reflections",
    .version = KERNEL_VERSION,
    .kind = P2C2R_KERNEL_VIEW,
    .privacy = P2C2R_KERNEL_P1,
    .arena_bytes = P2_RAY_ARENA_BYTES,
    .input_max = P2_RAY_VIEW_MAX + 4 + P2_RAY_PIXELS_MAX * 2,
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
