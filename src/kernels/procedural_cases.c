/* Inputs of ai_procedural: lattice values of a world, cut out for one chunk. */
#include "kernels/ai_procedural.h"
#include "kernels/pack.h"

#include <string.h>

/* Which of a world's lattices a value belongs to. */
enum lattice {
    OCTAVE_64 = 1,
    OCTAVE_32,
    OCTAVE_16,
    OCTAVE_8,
    MOISTURE,
    TREES,
    ORES,
    CAVES_1,
    CAVES_2
};

/* The world's value at one point of a lattice. */
static uint64_t value_at(uint64_t seed, enum lattice lattice, int32_t x, int32_t y, int32_t z)
{
    struct p2_kernel_random random =
        p2_kernel_random_start(seed ^ (uint64_t)lattice << 56 ^ (uint64_t)(uint32_t)y << 40,
                               (uint64_t)(uint32_t)x << 32 | (uint32_t)z);
    return p2_kernel_random_u64(&random);
}

/* The index of the last multiple of `spacing` not after `column`. */
static int32_t floor_index(int32_t column, int32_t spacing)
{
    return column >= 0 ? column / spacing : -((-column + spacing - 1) / spacing);
}

/* A lattice around the chunk at column (x, z) of the world: `side` points per axis of `bytes` bytes
 * each, in `layers` layers, from `margin` columns before the chunk. Returns the end. */
static uint8_t *put_lattice(uint8_t *out, uint64_t seed, enum lattice lattice, int32_t x, int32_t z,
                            int32_t spacing, int32_t side, int32_t layers, int32_t margin,
                            size_t bytes)
{
    const int32_t first_x = floor_index(x - margin, spacing);
    const int32_t first_z = floor_index(z - margin, spacing);
    for (int32_t k = 0; k < layers; k++) {
        for (int32_t j = 0; j < side; j++) {
            for (int32_t i = 0; i < side; i++, out += bytes) {
                uint8_t value[8];
                p2_store_le64(value, value_at(seed, lattice, first_x + i, k, first_z + j));
                memcpy(out, value, bytes);
            }
        }
    }
    return out;
}

void p2_procedural_input(const struct p2_procedural_world *world, int32_t chunk_x, int32_t chunk_z,
                         uint8_t *out)
{
    const int32_t x = chunk_x * P2_CHUNK_SIDE, z = chunk_z * P2_CHUNK_SIDE;
    const int32_t margin = P2_CHUNK_MARGIN;
    const uint64_t seed = world->seed;
    memset(out, 0, 16);
    out[0] = (uint8_t)(x - floor_index(x, 64) * 64);
    out[1] = (uint8_t)(z - floor_index(z, 64) * 64);
    out[2] = world->base;
    out[3] = world->relief;
    out[4] = world->water;
    out[5] = world->snow;
    out[6] = world->caves;
    out[7] = world->trees;
    out[8] = world->ores;
    out = put_lattice(out + 16, seed, OCTAVE_64, x, z, 64, 3, 1, margin, 1);
    out = put_lattice(out, seed, OCTAVE_32, x, z, 32, 3, 1, margin, 1);
    out = put_lattice(out, seed, OCTAVE_16, x, z, 16, 4, 1, margin, 1);
    out = put_lattice(out, seed, OCTAVE_8, x, z, 8, 5, 1, margin, 1);
    out = put_lattice(out, seed, MOISTURE, x, z, 64, 3, 1, margin, 1);
    out = put_lattice(out, seed, TREES, x, z, 4, 6, 1, margin, 2);
    out = put_lattice(out, seed, ORES, x, z, 8, 4, 8, 8, 4);
    out = put_lattice(out, seed, CAVES_1, x, z, 16, 4, 9, margin, 1);
    (void)put_lattice(out, seed, CAVES_2, x, z, 16, 4, 9, margin, 1);
}

void p2_procedural_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct p2_procedural_world world;
    /* One draw per statement: C leaves the order within an initialiser or a call open. */
    world.seed = p2_kernel_random_u64(&random);
    world.base = (uint8_t)p2_kernel_random_between(&random, 20, 36);
    world.relief = (uint8_t)p2_kernel_random_between(&random, 8, 40);
    world.water = (uint8_t)p2_kernel_random_between(&random, 16, 32);
    world.snow = (uint8_t)p2_kernel_random_between(&random, 40, 64);
    const uint8_t cave_width = (uint8_t)p2_kernel_random_between(&random, 16, 40);
    world.caves = p2_kernel_random_percent(&random, 85) ? cave_width : 0;
    world.trees = (uint8_t)p2_kernel_random_between(&random, 0, 160);
    world.ores = (uint8_t)p2_kernel_random_between(&random, 20, 120);
    const int32_t chunk_x = p2_kernel_random_between(&random, -50, 50);
    const int32_t chunk_z = p2_kernel_random_between(&random, -50, 50);
    p2_procedural_input(&world, chunk_x, chunk_z, test_case->input);
    test_case->input_size = P2_CHUNK_INPUT_BYTES;
    test_case->blob_count = 0;
}
