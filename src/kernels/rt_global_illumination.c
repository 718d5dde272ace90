/* rt_global_illumination: indirect light of faces. */
#include "kernels/rt_global_illumination.h"

#include "kernels/ray_cost.h"
#include "kernels/ray_light.h"
#include "kernels/ray_shot.h"

#define KERNEL_VERSION 1
/* Measured over generated cases: the slowest takes 0.51 ms on a busy machine. */
#define CHECK_BOUND_US 600
#define FACES_MAX      4096u /* 16 KiB of faces: a few chunks' worth of visible ones */
/* The work of a check within the bound; gathering needs more than an event loop has. */
#define CHECK_NS 200000u
/* Faces of a list that are gathered again. Measured with `p2c2r-kernel mutate`, all cases: 32 faces
 * catch 0.85 of random damage, 64 catch 0.87, 128 catch 0.91 (0.92 with more work), 256 catch 0.95;
 * a check then takes a tenth, a sixth, a fifth and a quarter of a run. */
#define LIST_SPOTS 128u
#define LIGHT_MAX  120u /* 1/8 levels: P2_LEVEL_MAX */
#define REACH_MAX  128u /* voxels: half a scene; light from further away is sky */

enum mode { MODE_TILE = 0, MODE_FACES = 1 };

struct task {
    struct p2_ray_view view;
    struct p2_ray_gather gather;
    unsigned mode, count;
    const uint8_t *faces; /* faces[count][4] */
};

static float read_q14(struct p2_unpack *in)
{
    uint16_t bits = p2_unpack_u16(in);
    int value = bits < 0x8000u ? (int)bits : (int)bits - 0x10000;
    return (float)value * 0x1p-14F;
}

static bool read_directions(struct p2_ray_gather *gather, struct p2_unpack *in)
{
    for (unsigned i = 0; i < gather->count; i++) {
        struct p2_vec3 *d = &gather->directions[i];
        d->x = read_q14(in);
        d->y = read_q14(in);
        d->z = read_q14(in);
        float squared = d->x * d->x + d->y * d->y;
        squared = squared + d->z * d->z;
        if (squared < 0.9F || squared > 1.1F || d->z <= 0.0F) {
            return false;
        }
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
    task->mode = p2_unpack_u8(&in);
    task->gather.count = p2_unpack_u8(&in);
    task->count = p2_unpack_u16(&in);
    unsigned reach = p2_unpack_u8(&in), sky = p2_unpack_u8(&in), zero = p2_unpack_u16(&in);
    task->gather.reach = (float)reach;
    task->gather.sky = (int)sky;
    bool is_sane = task->mode == MODE_TILE
                       ? task->count == 0
                       : task->mode == MODE_FACES && task->count > 0 && task->count <= FACES_MAX;
    if (!is_sane || zero != 0 || sky > 16 || reach < 1 || reach > REACH_MAX ||
        task->gather.count < 1 || task->gather.count > P2_RAY_DIRECTIONS_MAX ||
        !read_directions(&task->gather, &in)) {
        return false;
    }
    task->faces = p2_unpack_bytes(&in, (size_t)task->count * 4);
    return p2_unpack_done(&in) && p2_ray_faces_are_valid(task->faces, task->count);
}

static uint8_t pixel_light(struct task *task, unsigned x, unsigned y)
{
    struct p2_ray ray;
    p2_ray_view_ray(&task->view, x, y, P2_RAY_MIDDLE, &ray);
    return p2_ray_gather_byte(&task->view, &task->gather, &ray);
}

static uint8_t face_light(struct task *task, unsigned index)
{
    const uint8_t *face = task->faces + (size_t)index * 4;
    return (uint8_t)p2_ray_gather(&task->view, &task->gather, face[0], face[1], face[2], face[3]);
}

static size_t result_size(const struct task *task)
{
    return task->mode == MODE_TILE ? (size_t)task->view.tile_w * task->view.tile_h : task->count;
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
    if (task.mode == MODE_FACES) {
        for (unsigned i = 0; i < task.count; i++) {
            args->output[i] = face_light(&task, i);
        }
        *ret_size = task.count;
        return P2C2R_KERNEL_OK;
    }
    p2_ray_view_remember(&task.view, args->arena);
    for (unsigned y = 0; y < task.view.tile_h; y++) {
        for (unsigned x = 0; x < task.view.tile_w; x++) {
            args->output[y * task.view.tile_w + x] = pixel_light(&task, x, y);
        }
    }
    *ret_size = result_size(&task);
    return P2C2R_KERNEL_OK;
}

/* True when every value is one that a face can have; 255 only where a pixel may show none. */
static bool lights_are_possible(const struct task *task, struct p2c2r_bytes result)
{
    bool is_right = true;
    for (size_t i = 0; i < result.size; i++) {
        is_right &= result.data[i] <= LIGHT_MAX ||
                    (task->mode == MODE_TILE && result.data[i] == P2_RAY_NO_LIGHT);
    }
    return is_right;
}

static bool place_is_right(void *checked, struct p2c2r_bytes result, unsigned at)
{
    struct task *task = checked;
    uint8_t right = task->mode == MODE_FACES
                        ? face_light(task, at)
                        : pixel_light(task, at % task->view.tile_w, at / task->view.tile_w);
    return result.data[at] == right;
}

static int check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result, uint64_t secret)
{
    struct task task;
    if (!read_input(&task, args->input, args->blobs, args->blob_count)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != result_size(&task) || !lights_are_possible(&task, result)) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = p2_kernel_random_start(secret, KERNEL_VERSION);
    struct p2_ray_looks looks;
    if (task.mode == MODE_FACES) {
        p2_ray_looks_list(&looks, task.count, LIST_SPOTS, CHECK_NS, &random);
    } else {
        p2_ray_looks_tile(&looks, &task.view, result.data, CHECK_NS, &random);
    }
    return p2_ray_looks_check(&looks, &task.view, result, place_is_right, &task);
}

static void sample(void *task, unsigned x, unsigned y)
{
    (void)pixel_light(task, x, y);
}

static uint64_t cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs, uint32_t blob_count)
{
    struct task task;
    if (!read_input(&task, input, blobs, blob_count)) {
        return 0;
    }
    struct p2_ray_view *view = &task.view;
    /* A few directions stand for all, or the estimate would cost as much as a check. */
    unsigned directions = task.gather.count, few = directions < 4 ? directions : 4;
    for (unsigned i = 0; i < few; i++) {
        task.gather.directions[i] = task.gather.directions[i * directions / few];
    }
    task.gather.count = few;
    if (task.mode == MODE_FACES) {
        for (unsigned i = 0; i < P2_RAY_SAMPLES; i++) {
            (void)face_light(&task, i * task.count / P2_RAY_SAMPLES);
        }
        return p2_ray_list_units(view, task.count * directions / few, P2_RAY_SAMPLES);
    }
    struct p2_ray_sampler sampler;
    view->rays = 1;
    p2_ray_sampler_start(&sampler, view, 1.5F * (float)directions / (float)few);
    sampler.share_max = (float)directions / (float)few;
    return p2_ray_sampler_tile(&sampler, sample, &task);
}

/* Directions of a cosine distribution: a point of the unit disc, lifted to the sphere (Malley). */
static void write_directions(unsigned count, struct p2_kernel_random *random, struct p2_pack *out)
{
    for (unsigned i = 0; i < count;) {
        int u = p2_kernel_random_between(random, -16000, 16000);
        int v = p2_kernel_random_between(random, -16000, 16000);
        int squared = u * u + v * v, n = 1;
        if (squared >= 16000 * 16000) {
            continue;
        }
        while ((n + 64) * (n + 64) <= 16384 * 16384 - squared) {
            n += 64;
        }
        p2_pack_u16(out, (uint16_t)u);
        p2_pack_u16(out, (uint16_t)v);
        p2_pack_u16(out, (uint16_t)n);
        i++;
    }
}

static void generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    struct p2_ray_shot shot;
    p2_ray_shot_generate(&shot, &random, 24.0F, false, test_case);
    p2_ray_shot_write(&shot, &out);
    unsigned mode = p2_kernel_random_below(&random, 2);
    unsigned directions = 4 + p2_kernel_random_below(&random, 21);
    unsigned count = 64 + p2_kernel_random_below(&random, 700);
    if (test_case->is_small != 0) {
        directions = 1 + directions % 8;
        count = 1 + count % 16;
    }
    struct p2_pack list =
        p2_pack_start(test_case->input + P2C2R_INPUT_MAX / 2, P2C2R_INPUT_MAX / 2);
    p2_ray_shot_faces(&shot, &random, count, test_case, &list);
    p2_pack_u8(&out, (uint8_t)mode);
    p2_pack_u8(&out, (uint8_t)directions);
    p2_pack_u16(&out, (uint16_t)(mode == MODE_TILE ? 0 : count));
    p2_pack_u8(&out, (uint8_t)(16 + p2_kernel_random_below(&random, 33)));
    p2_pack_u8(&out, (uint8_t)(p2_kernel_random_below(&random, 2) * 16));
    p2_pack_u16(&out, 0);
    write_directions(directions, &random, &out);
    if (mode == MODE_FACES) {
        p2_pack_bytes(&out, list.data + 2, (size_t)count * 4);
    }
    test_case->input_size = out.size;
}

const struct p2c2r_kernel p2_kernel_rt_global_illumination = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "rt_global_illumination",
    .version = KERNEL_VERSION,
    .kind = P2C2R_KERNEL_VIEW,
    .privacy = P2C2R_KERNEL_P1,
    .arena_bytes = P2_RAY_ARENA_BYTES,
    .input_max = P2_RAY_VIEW_MAX + 8 + P2_RAY_DIRECTIONS_MAX * 6 + FACES_MAX * 4,
    .output_max = FACES_MAX,
    .blobs_max = P2_VOXEL_CHUNKS,
    .blob_max = P2_VOXEL_CHUNK_BYTES,
    .check_bound_us = CHECK_BOUND_US,
    .run = run,
    .check = check,
    .cost = cost,
    .canonical = NULL,
    .generate = generate,
};
