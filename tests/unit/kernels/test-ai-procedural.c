/* Terrain by hand where the numbers are simple, and the seams between chunks. */
#include "kernels/ai_procedural.h"
#include "kernels/harness.h"
#include "tests/lib/test.h"

#include <string.h>

static struct p2_harness *harness;

static int open_harness(void)
{
    return p2_crypto_init() == 0 ? p2_harness_open(&harness, &p2_kernel_ai_procedural) : -1;
}

static int close_harness(void)
{
    p2_harness_close(harness);
    return 0;
}

static const struct p2_procedural_world rich_world = {.seed = 99,
                                                      .base = 30,
                                                      .relief = 30,
                                                      .water = 26,
                                                      .snow = 50,
                                                      .caves = 32,
                                                      .trees = 200,
                                                      .ores = 90};

/* Runs the kernel on one chunk of a world; borrowed until the next run. */
static const uint8_t *make_chunk(const struct p2_procedural_world *world, int32_t x, int32_t z)
{
    struct p2_span result = {NULL, 0};
    p2_procedural_input(world, x, z, harness->test_case.input);
    harness->test_case.input_size = P2_CHUNK_INPUT_BYTES;
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(result.size, P2_CHUNK_BYTES);
    P2_ASSERT_EQUAL(p2_harness_check(harness, result, (uint64_t)x), P2C2R_KERNEL_OK);
    return result.data;
}

static void flat_land_without_features_has_the_layers_of_the_header(void)
{
    const struct p2_procedural_world world = {.seed = 3, .base = 30, .water = 10, .snow = 64};
    const uint8_t *chunk = make_chunk(&world, 4, -7);
    for (size_t column = 0; column < 256; column++) {
        const uint8_t *at = chunk + column * P2_CHUNK_HEIGHT;
        CU_ASSERT(at[0] == P2_VOXEL_BEDROCK);
        for (size_t y = 1; y < 27; y++) {
            CU_ASSERT(at[y] == P2_VOXEL_STONE);
        }
        const bool is_grass = at[30] == P2_VOXEL_GRASS;
        CU_ASSERT(is_grass || at[30] == P2_VOXEL_SAND);
        for (size_t y = 27; y < 30; y++) {
            CU_ASSERT(at[y] == (is_grass ? P2_VOXEL_DIRT : P2_VOXEL_SAND));
        }
        for (size_t y = 31; y < P2_CHUNK_HEIGHT; y++) {
            CU_ASSERT(at[y] == P2_VOXEL_AIR);
        }
    }
}

static void land_below_the_water_level_is_flooded(void)
{
    const struct p2_procedural_world world = {.seed = 3, .base = 20, .water = 40, .snow = 64};
    const uint8_t *chunk = make_chunk(&world, 0, 0);
    for (size_t column = 0; column < 256; column++) {
        const uint8_t *at = chunk + column * P2_CHUNK_HEIGHT;
        CU_ASSERT(at[20] == P2_VOXEL_GRAVEL);
        CU_ASSERT(at[21] == P2_VOXEL_WATER && at[40] == P2_VOXEL_WATER);
        CU_ASSERT(at[41] == P2_VOXEL_AIR);
    }
}

/* Columns of the chunk at (x, z) seen from the neighbour in direction (dx, dz) must be its own. */
static unsigned compare_seam(int32_t x, int32_t z, int32_t dx, int32_t dz)
{
    uint8_t here[P2_CHUNK_INPUT_BYTES], there[P2_CHUNK_INPUT_BYTES];
    unsigned leaves = 0;
    p2_procedural_input(&rich_world, x, z, here);
    p2_procedural_input(&rich_world, x + dx, z + dz, there);
    for (int32_t j = -P2_CHUNK_CROWN; j < P2_CHUNK_SIDE + P2_CHUNK_CROWN; j++) {
        for (int32_t i = -P2_CHUNK_CROWN; i < P2_CHUNK_SIDE + P2_CHUNK_CROWN; i++) {
            uint8_t a[P2_CHUNK_HEIGHT], b[P2_CHUNK_HEIGHT];
            const int32_t k = i - dx * P2_CHUNK_SIDE, l = j - dz * P2_CHUNK_SIDE;
            const struct p2c2r_bytes input_a = {here, sizeof here}, input_b = {there, sizeof there};
            if (!p2_procedural_column(input_b, k, l, b)) {
                continue; /* not near the seam */
            }
            CU_ASSERT(p2_procedural_column(input_a, i, j, a));
            P2_ASSERT_BYTES(a, b, sizeof a);
            for (size_t y = 0; y < sizeof a; y++) {
                leaves += a[y] == P2_VOXEL_LEAVES;
            }
        }
    }
    return leaves;
}

static void neighbouring_chunks_agree_on_every_column_near_their_border(void)
{
    unsigned leaves = 0;
    for (int32_t x = -5; x < 5; x++) {
        leaves += compare_seam(x, 2 * x, 1, 0);
        leaves += compare_seam(x, 2 * x, 0, 1);
        leaves += compare_seam(x, 2 * x, 1, 1);
    }
    CU_ASSERT(leaves > 100); /* trees did reach over the borders that were compared */
}

static bool is_ore(uint8_t voxel)
{
    return voxel == P2_VOXEL_COAL || voxel == P2_VOXEL_IRON || voxel == P2_VOXEL_GOLD ||
           voxel == P2_VOXEL_CRYSTAL;
}

/* Writes the word of the ore cell (x, y, z) of the input's table. */
static void put_ore(uint8_t *input, size_t x, size_t y, size_t z, uint32_t word)
{
    for (size_t i = 0; i < 4; i++) {
        input[156 + 4 * ((y * 4 + z) * 4 + x) + i] = (uint8_t)(word >> (8 * i));
    }
}

/* One vein of radius 3 at each of the 8 x 8 places of a cell in turn, in all 4 x 4 cells: the columns
 * it marks are those within 3 of it, on either side of every border of a cell and of the chunk. */
static void a_vein_marks_every_column_in_its_reach_and_no_other(void)
{
    const struct p2_procedural_world world = {.seed = 3, .base = 40, .water = 10, .snow = 64};
    uint8_t *input = harness->test_case.input;
    struct p2_span result = {NULL, 0};
    harness->test_case.input_size = P2_CHUNK_INPUT_BYTES;
    for (uint32_t place = 0; place < 16 * 64; place++) {
        const uint32_t cell_x = place % 4, cell_z = place / 4 % 4;
        const uint32_t in_x = place / 16 % 8, in_z = place / 128;
        p2_procedural_input(&world, 0, 0, input);
        memset(input + 156, 255, 512); /* no chance anywhere */
        input[8] = 1;
        put_ore(input, cell_x, 2, cell_z,
                in_x << 8 | 4u << 11 | in_z << 14 | 3u << 17 | 255u << 24);
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
        const int32_t ore_x = (int32_t)(cell_x * 8 + in_x) - 8;
        const int32_t ore_z = (int32_t)(cell_z * 8 + in_z) - 8;
        unsigned wrong = 0;
        for (int32_t i = 0; i < 256; i++) {
            const int32_t dx = i % 16 - ore_x, dz = i / 16 - ore_z;
            for (int32_t y = 0; y < P2_CHUNK_HEIGHT; y++) {
                /* The vein's middle is at height 2 * 8 + 4, heights count twice, coal is kind 255. */
                const bool inside = dx * dx + dz * dz + 2 * (y - 20) * (y - 20) <= 9;
                const uint8_t voxel = result.data[i * P2_CHUNK_HEIGHT + y];
                wrong += inside ? voxel != P2_VOXEL_COAL : is_ore(voxel);
            }
        }
        P2_ASSERT_EQUAL(wrong, 0);
    }
}

/* The seams above are compared where both chunks know the column; ores must be among them. */
static void veins_cross_the_borders_of_chunks(void)
{
    unsigned crossing = 0;
    for (int32_t x = -8; x < 8; x++) {
        uint8_t west[P2_CHUNK_BYTES];
        memcpy(west, make_chunk(&rich_world, x, x), sizeof west);
        const uint8_t *east = make_chunk(&rich_world, x + 1, x);
        for (size_t z = 0; z < 16; z++) {
            for (size_t y = 1; y < P2_CHUNK_HEIGHT; y++) {
                const uint8_t voxel = west[(z * 16 + 15) * P2_CHUNK_HEIGHT + y];
                crossing += is_ore(voxel) && east[z * 16 * P2_CHUNK_HEIGHT + y] == voxel;
            }
        }
    }
    CU_ASSERT(crossing > 20);
}

static void a_column_of_a_chunk_is_what_the_run_wrote(void)
{
    const uint8_t *chunk = make_chunk(&rich_world, 3, 3);
    for (int32_t i = 0; i < 256; i++) {
        uint8_t column[P2_CHUNK_HEIGHT];
        const struct p2c2r_bytes input = {harness->test_case.input, P2_CHUNK_INPUT_BYTES};
        CU_ASSERT(p2_procedural_column(input, i % 16, i / 16, column));
        P2_ASSERT_BYTES(column, chunk + i * P2_CHUNK_HEIGHT, P2_CHUNK_HEIGHT);
    }
}

static void worlds_have_caves_ores_trees_water_and_hills(void)
{
    unsigned count[64] = {0}, hollow = 0;
    for (int32_t i = 0; i < 40; i++) {
        const uint8_t *chunk = make_chunk(&rich_world, i, -3 * i);
        for (size_t k = 0; k < P2_CHUNK_BYTES; k++) {
            count[chunk[k] & 63]++;
            hollow += k % 64 > 0 && k % 64 < 16 && chunk[k] == P2_VOXEL_AIR;
        }
    }
    CU_ASSERT(hollow > 1000);
    CU_ASSERT(count[P2_VOXEL_COAL] > 0 && count[P2_VOXEL_IRON] > 0 && count[P2_VOXEL_GOLD] > 0 &&
              count[P2_VOXEL_CRYSTAL] > 0);
    CU_ASSERT(count[P2_VOXEL_LOG] > 0 && count[P2_VOXEL_LEAVES] > count[P2_VOXEL_LOG]);
    CU_ASSERT(count[P2_VOXEL_WATER] > 0 && count[P2_VOXEL_SAND] > 0 && count[P2_VOXEL_GRASS] > 0);
}

static void a_wrong_voxel_that_no_cave_explains_is_always_refused(void)
{
    uint8_t wrong[P2_CHUNK_BYTES];
    memcpy(wrong, make_chunk(&rich_world, 7, 7), sizeof wrong);
    for (uint64_t secret = 0; secret < 64; secret++) {
        const size_t at = (size_t)secret * 64 * 4 + 1;
        const uint8_t kept = wrong[at];
        wrong[at] = kept == P2_VOXEL_GOLD ? P2_VOXEL_COAL : P2_VOXEL_GOLD;
        P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(wrong, sizeof wrong), secret),
                        P2C2R_KERNEL_BAD_RESULT);
        wrong[at] = kept;
    }
}

static void an_invented_cave_is_refused_when_its_column_is_sampled(void)
{
    uint8_t wrong[P2_CHUNK_BYTES];
    unsigned refused = 0;
    memcpy(wrong, make_chunk(&rich_world, 7, 7), sizeof wrong);
    for (size_t y = 1; y < 12; y++) {
        wrong[100 * P2_CHUNK_HEIGHT + y] = P2_VOXEL_AIR;
    }
    for (uint64_t secret = 0; secret < 400; secret++) {
        refused += p2_harness_check(harness, p2_span(wrong, sizeof wrong), secret) ==
                   P2C2R_KERNEL_BAD_RESULT;
    }
    CU_ASSERT(refused > 60 && refused < 140); /* a quarter of 400, four standard deviations */
}

static void inputs_outside_the_limits_are_refused(void)
{
    struct p2_span result;
    p2_procedural_input(&rich_world, 0, 0, harness->test_case.input);
    for (size_t size = 0; size < P2_CHUNK_INPUT_BYTES; size += 5) {
        harness->test_case.input_size = size;
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_BAD_INPUT);
        P2_ASSERT_EQUAL(p2_harness_cost(harness), 0);
    }
    harness->test_case.input_size = P2_CHUNK_INPUT_BYTES;
    static const struct {
        uint8_t at, value;
    } wrong[] = {{0, 15}, {0, 64}, {1, 1},  {2, 3}, {2, 57}, {3, 49},
                 {4, 61}, {5, 65}, {6, 65}, {9, 1}, {15, 1}};
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        const uint8_t kept = harness->test_case.input[wrong[i].at];
        harness->test_case.input[wrong[i].at] = wrong[i].value;
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_BAD_INPUT);
        harness->test_case.input[wrong[i].at] = kept;
    }
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(flat_land_without_features_has_the_layers_of_the_header),
        P2_TEST(land_below_the_water_level_is_flooded),
        P2_TEST(neighbouring_chunks_agree_on_every_column_near_their_border),
        P2_TEST(a_vein_marks_every_column_in_its_reach_and_no_other),
        P2_TEST(veins_cross_the_borders_of_chunks),
        P2_TEST(a_column_of_a_chunk_is_what_the_run_wrote),
        P2_TEST(worlds_have_caves_ores_trees_water_and_hills),
        P2_TEST(a_wrong_voxel_that_no_cave_explains_is_always_refused),
        P2_TEST(an_invented_cave_is_refused_when_its_column_is_sampled),
        P2_TEST(inputs_outside_the_limits_are_refused),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"ai_procedural", open_harness, close_harness, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
