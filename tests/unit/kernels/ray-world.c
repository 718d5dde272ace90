/* Small hand-made scenes and kernel calls. */
#include "tests/unit/kernels/ray-world.h"

#include <stdlib.h>
#include <string.h>

void ray_world_clear(struct ray_world *world)
{
    memset(world, 0, sizeof *world);
}

void ray_world_put(struct ray_world *world, unsigned x, unsigned y, unsigned z, unsigned material)
{
    world->voxels[(z * 32 + x) * 64 + y] = (uint8_t)material;
}

bool ray_world_open(struct ray_world *world)
{
    static const uint8_t coords[2] = {0, 0};
    p2_voxel_chunk_pack(world->blob, world->voxels);
    world->blobs[0] = (struct p2c2r_bytes){world->blob, sizeof world->blob};
    return p2_voxel_scene_open(&world->scene, world->blobs, 1, coords);
}

void ray_world_plain_shot(struct ray_world *world, unsigned flags)
{
    struct p2_ray_shot *shot = &world->shot;
    struct p2_vec3 eye = {16.5F, 40.0F, 4.5F}, target = {16.5F, 8.0F, 16.5F};
    memset(shot, 0, sizeof *shot);
    p2_ray_shot_look(shot, eye, target, 0.5F, 64, 60);
    shot->sun[1] = 16384;
    shot->sun_level = 8;
    shot->ambient_level = 4;
    shot->sky_zenith = 5;
    shot->sky_horizon = 9;
    shot->fog_start = 500;
    shot->flags = (uint8_t)flags;
    shot->chunk_count = 1;
}

bool ray_world_view(struct ray_world *world)
{
    struct p2_pack out = p2_pack_start(world->input, sizeof world->input);
    p2_ray_shot_write(&world->shot, &out);
    struct p2_unpack in = p2_unpack_start((struct p2c2r_bytes){world->input, out.size});
    return !out.failed && p2_ray_view_read(&world->view, &in, world->blobs, 1) &&
           p2_unpack_done(&in);
}

bool ray_bench_open(struct ray_bench *bench, const struct p2c2r_kernel *kernel)
{
    memset(bench, 0, sizeof *bench);
    bench->kernel = kernel;
    bench->test_case.blob_capacity = (size_t)kernel->blobs_max * kernel->blob_max;
    bench->test_case.input = malloc(P2C2R_INPUT_MAX);
    bench->test_case.blob_storage = malloc(bench->test_case.blob_capacity);
    bench->arena = aligned_alloc(64, kernel->arena_bytes);
    bench->output = malloc(kernel->output_max);
    return bench->test_case.input != NULL && bench->test_case.blob_storage != NULL &&
           bench->arena != NULL && bench->output != NULL;
}

void ray_bench_close(struct ray_bench *bench)
{
    free(bench->test_case.input);
    free(bench->test_case.blob_storage);
    free(bench->arena);
    free(bench->output);
}

static struct p2c2r_kernel_args args_of(struct ray_bench *bench, uint8_t *input, size_t input_size)
{
    struct p2c2r_kernel_args args = {
        .input = {input, input_size},
        .blobs = bench->test_case.blobs,
        .blob_count = bench->test_case.blob_count,
        .output = bench->output,
        .output_capacity = bench->kernel->output_max,
        .arena = bench->arena,
        .arena_size = bench->kernel->arena_bytes,
    };
    return args;
}

int ray_bench_run(struct ray_bench *bench, size_t input_size, uint8_t pattern)
{
    uint8_t *input = malloc(input_size > 0 ? input_size : 1);
    if (input == NULL) {
        return 1;
    }
    memcpy(input, bench->test_case.input, input_size);
    memset(bench->arena, pattern, bench->kernel->arena_bytes);
    struct p2c2r_kernel_args args = args_of(bench, input, input_size);
    size_t size = 0;
    int status = bench->kernel->run(&args, &size);
    if (status == P2C2R_KERNEL_OK) {
        bench->size = size;
    }
    free(input);
    return status;
}

int ray_bench_check(struct ray_bench *bench, const uint8_t *result, size_t size, uint64_t secret)
{
    struct p2c2r_kernel_args args =
        args_of(bench, bench->test_case.input, bench->test_case.input_size);
    return bench->kernel->check(&args, (struct p2c2r_bytes){result, size}, secret);
}
