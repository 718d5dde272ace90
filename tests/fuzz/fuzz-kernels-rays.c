/* Hostile inputs, chunks and results for the four ray kernels.
 *
 * The first byte chooses the kernel; the rest is the task's input. The chunks are of one fixed small
 * scene, except that the input's last byte spoils a byte of it, so that lying masks are met too. A
 * run that ends well must end within the declared output and pass its own check; the same result
 * with the input's bytes written over its first ones, or cut, must get a verdict. */
#include "kernels/ray_shot.h"
#include "kernels/rt_global_illumination.h"
#include "kernels/rt_reflections.h"
#include "kernels/rt_render_tile.h"
#include "kernels/rt_shadows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KERNELS 4u
static const struct p2c2r_kernel *const kernels[KERNELS] = {
    &p2_kernel_rt_render_tile,
    &p2_kernel_rt_shadows,
    &p2_kernel_rt_reflections,
    &p2_kernel_rt_global_illumination,
};

static uint8_t chunk[P2_VOXEL_CHUNK_BYTES];

/* Makes the chunk afresh, from a copy made once. */
static void build_chunk(void)
{
    static uint8_t voxels[P2_CHUNK_VOXELS], copy[P2_VOXEL_CHUNK_BYTES];
    struct p2_island island;
    if (copy[0] == 0) {
        p2_island_start(&island, 1);
        p2_island_chunk(&island, 4, 4, voxels);
        p2_voxel_chunk_pack(copy, voxels);
    }
    memcpy(chunk, copy, sizeof chunk);
}

/* A copy of the exact size, so that ASan sees a byte read too far. */
static void judge_edited(const struct p2c2r_kernel *kernel, const struct p2c2r_kernel_args *args,
                         const uint8_t *right, size_t made)
{
    const size_t cut = args->input.data[0] % 4u == 0 ? 1 : 0, size = made - (made > 1 ? cut : 0);
    const size_t edited = size < args->input.size ? size : args->input.size;
    uint8_t *result = malloc(size);
    assert(result != NULL);
    memcpy(result, right, size);
    memcpy(result, args->input.data, edited);
    int verdict = kernel->check(args, (struct p2c2r_bytes){result, size}, args->input.size);
    assert(verdict == P2C2R_KERNEL_OK || verdict == P2C2R_KERNEL_BAD_RESULT);
    assert(verdict == P2C2R_KERNEL_BAD_RESULT || size == made);
    free(result);
}

static void run_one(const struct p2c2r_kernel *kernel, const uint8_t *input, size_t size)
{
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX];
    uint32_t count = size > 2 && input[2] <= P2C2R_BLOBS_MAX ? input[2] : 1;
    uint8_t *arena = aligned_alloc(64, kernel->arena_bytes);
    uint8_t *output = malloc(kernel->output_max);
    assert(arena != NULL && output != NULL);
    memset(arena, 0xa5, kernel->arena_bytes);
    for (uint32_t i = 0; i < count; i++) {
        blobs[i] = (struct p2c2r_bytes){chunk, sizeof chunk};
    }
    struct p2c2r_kernel_args args = {
        .input = {input, size},
        .blobs = blobs,
        .blob_count = count,
        .output = output,
        .output_capacity = kernel->output_max,
        .arena = arena,
        .arena_size = kernel->arena_bytes,
    };
    size_t made = 0;
    int status = kernel->run(&args, &made);
    uint64_t cost = kernel->cost(args.input, blobs, count);
    assert((status == P2C2R_KERNEL_OK) == (cost > 0));
    if (status == P2C2R_KERNEL_OK) {
        assert(made <= kernel->output_max);
        assert(kernel->check(&args, (struct p2c2r_bytes){output, made}, size) == P2C2R_KERNEL_OK);
        judge_edited(kernel, &args, output, made);
    }
    /* The input itself as a result: any length, any bytes. */
    int verdict = kernel->check(&args, args.input, size);
    assert(verdict == P2C2R_KERNEL_OK || verdict == P2C2R_KERNEL_BAD_RESULT ||
           verdict == P2C2R_KERNEL_BAD_INPUT);
    free(output);
    free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    build_chunk();
    size_t spoiled = (size_t)data[size - 1] * 163u % sizeof chunk;
    chunk[spoiled] ^= data[size / 2] & 1u ? data[size - 1] : 0;
    run_one(kernels[data[0] % KERNELS], data + 1, size - 1);
    return 0;
}
