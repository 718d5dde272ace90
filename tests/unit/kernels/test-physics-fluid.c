#include "tests/lib/kernel-lab.h"
#include "tests/lib/test.h"

#include "kernels/physics_fluid.h"

#include <stdio.h>
#include <stdlib.h>

static struct p2_lab lab;

static int open_lab(void)
{
    return p2_lab_open(&lab, &p2_kernel_physics_fluid);
}

static int close_lab(void)
{
    p2_lab_close(&lab);
    return 0;
}

/* ---- small blocks --------------------------------------------------------------------------- */

static uint32_t side[3];

static void block(uint32_t nx, uint32_t ny, uint32_t nz, uint32_t steps)
{
    const uint8_t header[8] = {(uint8_t)nx, (uint8_t)ny, (uint8_t)nz, (uint8_t)steps};
    side[0] = nx, side[1] = ny, side[2] = nz;
    memcpy(lab.test_case.input, header, sizeof header);
    memset(lab.test_case.input + 8, 0, (size_t)2 * nx * ny * nz);
    lab.test_case.input_size = 8 + (size_t)2 * nx * ny * nz;
}

static uint8_t *cell(uint8_t *cells, uint32_t x, uint32_t y, uint32_t z)
{
    return cells + 2 * (x + side[0] * (y + (size_t)side[1] * z));
}

static void put(uint32_t x, uint32_t y, uint32_t z, uint32_t level)
{
    p2_store_le16(cell(lab.test_case.input + 8, x, y, z), (uint16_t)level);
}

static uint32_t input_at(uint32_t x, uint32_t y, uint32_t z)
{
    return p2_load_le16(cell(lab.test_case.input + 8, x, y, z));
}

static uint32_t output_at(uint32_t x, uint32_t y, uint32_t z)
{
    return p2_load_le16(cell(lab.output, x, y, z));
}

/* Runs, checks, and makes the result the next input. */
static void advance(void)
{
    uint8_t *input = lab.test_case.input;
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    input[4] = (uint8_t)((input[4] + input[3]) & 1);
    memcpy(input + 8, lab.output, lab.size);
}

static uint64_t volume(void)
{
    uint64_t sum = 0;
    for (size_t i = 8; i < lab.test_case.input_size; i += 2) {
        uint32_t level = p2_load_le16(lab.test_case.input + i);
        sum += level == P2_FLUID_SOLID ? 0 : level;
    }
    return sum;
}

/* ---- promises ------------------------------------------------------------------------------- */

static void a_drop_falls_one_cell_per_substep(void)
{
    block(1, 1, 10, 8);
    put(0, 0, 9, 1000);
    lab.test_case.input[4] = 0; /* pairs (0,1), (2,3), .. (8,9) first: it moves from the start */
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(output_at(0, 0, 1), 1000);
    lab.test_case.input[4] = 1; /* the pair (8,9) only in the second substep */
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(output_at(0, 0, 2), 1000);
}

static void the_shares_of_two_cells_are_those_of_the_contract(void)
{
    /* total, lower: by hand from min(t, max(3969 + t/64, (t + 64)/2)). */
    static const uint32_t expected[][2] = {{100, 100},     {4032, 4032},  {4096, 4033},
                                           {6000, 4062},   {8128, 4096},  {8130, 4097},
                                           {20001, 10032}, {65024, 32512}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        uint32_t total = expected[i][0];
        block(1, 1, 2, 1);
        put(0, 0, 0, total / 2);
        put(0, 0, 1, total - total / 2);
        CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
        P2_ASSERT_EQUAL(output_at(0, 0, 0), expected[i][1]);
        P2_ASSERT_EQUAL(output_at(0, 0, 1), total - expected[i][1]);
    }
}

static void water_over_a_ledge_does_not_spread_in_the_air(void)
{
    block(4, 1, 3, 1);
    lab.test_case.input[4] = 1; /* x pair (1,2); z pair (1,2): the drop at z = 1 stays this once */
    put(1, 0, 1, 3000);
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(output_at(1, 0, 1), 3000);
    P2_ASSERT_EQUAL(output_at(2, 0, 1), 0);
    put(1, 0, 0, P2_FLUID_SOLID); /* now it stands on a solid: half of it moves */
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(output_at(1, 0, 1), 1500);
    P2_ASSERT_EQUAL(output_at(2, 0, 1), 1500);
}

static void volume_is_exact_over_1000_steps_and_the_surface_settles_flat(void)
{
    block(16, 12, 12, 8);
    for (uint32_t z = 0; z < 10; z++) {
        for (uint32_t y = 0; y < 12; y++) {
            put(0, y, z, 4000 + y);
            put(1, y, z, 3001);
        }
    }
    uint64_t before = volume();
    for (uint32_t step = 0; step < 1000; step += 8) {
        advance();
        P2_ASSERT_EQUAL(volume(), before);
    }
    /* 2 * 12 * 10 cells of about 3,500 units over 192 columns: one full layer and part of one. */
    uint32_t lowest = UINT32_MAX, highest = 0;
    for (uint32_t i = 0; i < 192; i++) {
        uint32_t column = 0;
        for (uint32_t z = 0; z < 12; z++) {
            column += input_at(i % 16, i / 16, z);
        }
        lowest = column < lowest ? column : lowest;
        highest = column > highest ? column : highest;
    }
    CU_ASSERT(lowest * 192 <= before && (uint64_t)highest * 192 >= before);
    CU_ASSERT(highest - lowest <= 32); /* under one percent of a cell */
}

static void water_rises_in_the_other_arm(void)
{
    block(5, 2, 12, 8);
    for (uint32_t z = 1; z < 12; z++) {
        put(2, 0, z, P2_FLUID_SOLID);
        put(2, 1, z, P2_FLUID_SOLID);
    }
    for (uint32_t z = 0; z < 10; z++) {
        for (uint32_t i = 0; i < 4; i++) {
            put(i & 1, i >> 1, z, P2_FLUID_FULL);
        }
    }
    uint64_t before = volume();
    for (uint32_t step = 0; step < 4000; step += 8) {
        advance();
    }
    P2_ASSERT_EQUAL(volume(), before);
    /* 40 cells of water over 8 columns and the tunnel's 2: about 4.8 cells high on both sides. */
    CU_ASSERT(input_at(3, 0, 3) >= P2_FLUID_FULL && input_at(0, 0, 3) >= P2_FLUID_FULL);
    P2_ASSERT_EQUAL(input_at(0, 0, 6), 0);
    P2_ASSERT_EQUAL(input_at(4, 1, 6), 0);
}

static void calm_water_keeps_every_bit(void)
{
    block(6, 5, 4, 8);
    for (uint32_t i = 0; i < 30; i++) {
        put(i % 6, i / 6, 0, P2_FLUID_FULL + P2_FLUID_PRESS);
        put(i % 6, i / 6, 1, P2_FLUID_FULL);
        put(i % 6, i / 6, 2, 0);
    }
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    P2_ASSERT_BYTES(lab.output, lab.test_case.input + 8, lab.size);
}

static void a_wrong_level_or_header_is_refused(void)
{
    block(3, 3, 3, 2);
    put(1, 1, 1, P2_FLUID_LEVEL_MAX);
    P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_OK);
    for (uint32_t i = 0; i < 27; i++) { /* every lane of the four-at-a-time test and its tail */
        block(3, 3, 3, 2);
        put(i % 3, i / 3 % 3, i / 9, P2_FLUID_LEVEL_MAX + 1);
        P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_BAD_INPUT);
        put(i % 3, i / 3 % 3, i / 9, P2_FLUID_SOLID - 1);
        P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_BAD_INPUT);
    }
    static const uint8_t bad[][2] = {{0, 0}, {1, 65}, {3, 0}, {3, 9}, {4, 2}, {5, 1}, {7, 128}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        block(3, 3, 3, 2);
        lab.test_case.input[bad[i][0]] = bad[i][1];
        P2_ASSERT_EQUAL(p2_lab_run(&lab), P2C2R_KERNEL_BAD_INPUT);
    }
}

/* Any mixture of water, air and walls. */
static void fill_at_random(uint32_t seed)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, side[0]);
    for (uint32_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        uint32_t level = p2_kernel_random_below(&random, 9000);
        level = p2_kernel_random_percent(&random, 3) ? P2_FLUID_LEVEL_MAX - level / 9 : level;
        level = level % 3 == 0 ? 0 : level;
        put(i % side[0], i / side[0] % side[1], i / (side[0] * side[1]),
            level % 7 == 1 ? P2_FLUID_SOLID : level);
    }
}

/* ---- the contract, read cell by cell -------------------------------------------------------- */

static uint32_t plain[64 * 64 * 64], before_pass[64 * 64 * 64];

static size_t plain_at(uint32_t x, uint32_t y, uint32_t z)
{
    return x + side[0] * (y + (size_t)side[1] * z);
}

static void plain_pass(uint32_t axis, uint32_t parity)
{
    const uint32_t step[3] = {axis == 1, axis == 2, axis == 0};
    memcpy(before_pass, plain, sizeof plain);
    for (uint32_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        const uint32_t x = i % side[0], y = i / side[0] % side[1], z = i / (side[0] * side[1]);
        const uint32_t along = step[0] * x + step[1] * y + step[2] * z;
        const uint32_t u = x + step[0], v = y + step[1], w = z + step[2];
        if (along % 2 != parity || u >= side[0] || v >= side[1] || w >= side[2]) {
            continue;
        }
        const uint32_t first = plain[i], second = plain[plain_at(u, v, w)];
        uint32_t keeps = first;
        if (first == P2_FLUID_SOLID || second == P2_FLUID_SOLID) {
            continue;
        }
        const uint32_t sum = first + second;
        if (axis == 0) {
            const uint32_t more = 3969 + sum / 64, half = (sum + 64) / 2;
            keeps = more > half ? more : half;
            keeps = keeps < sum ? keeps : sum;
            keeps = keeps < 32512 ? keeps : 32512;
        } else {
            const bool gives = first > second;
            const uint32_t moved = (gives ? first - second : second - first) / 2;
            const bool stands =
                z == 0 ||
                before_pass[gives ? plain_at(x, y, z - 1) : plain_at(u, v, z - 1)] >= 4032;
            keeps = !stands ? first : gives ? first - moved : first + moved;
        }
        plain[i] = keeps;
        plain[plain_at(u, v, w)] = sum - keeps;
    }
}

/* Pairs of a pass do not touch each other, so the order of cells in plain_pass does not matter. */
static void every_cell_is_what_a_plain_reading_of_the_contract_gives(void)
{
    static const uint8_t sides[][3] = {{1, 1, 9},   {2, 3, 5},    {7, 1, 8},   {8, 2, 3}, {9, 9, 9},
                                       {17, 5, 12}, {31, 16, 10}, {64, 3, 11}, {3, 64, 7}};
    for (uint32_t i = 0; i < 2 * 8 * sizeof sides / sizeof *sides; i++) {
        const uint8_t *n = sides[i / 16];
        const uint32_t steps = i % 8 + 1, phase = i / 8 % 2;
        block(n[0], n[1], n[2], steps);
        lab.test_case.input[4] = (uint8_t)phase;
        fill_at_random(i);
        for (size_t at = 0; at < (size_t)n[0] * n[1] * n[2]; at++) {
            plain[at] = p2_load_le16(lab.test_case.input + 8 + 2 * at);
        }
        for (uint32_t step = 0; step < steps; step++) {
            for (uint32_t axis = 0; axis < 3; axis++) {
                plain_pass(axis, (phase + step) % 2);
            }
        }
        CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
        unsigned different = 0;
        for (size_t at = 0; at < (size_t)n[0] * n[1] * n[2]; at++) {
            different += p2_load_le16(lab.output + 2 * at) != plain[at];
        }
        P2_ASSERT_EQUAL(different, 0);
    }
}

/* ---- lakes of several blocks ---------------------------------------------------------------- */

/* Water about full, so that little decides what stands on it, with some air and few walls. */
static void fill_nearly_full(uint32_t seed)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, side[0]);
    for (uint32_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        uint32_t level = 3900 + p2_kernel_random_below(&random, 300);
        uint32_t kind = p2_kernel_random_below(&random, 40);
        level = kind == 0 ? P2_FLUID_SOLID : kind < 6 ? 40 * kind - 40 : level;
        put(i % side[0], i / side[0] % side[1], i / (side[0] * side[1]), level);
    }
}

/* Cuts the block from `low` to `high` out of a 32 x 32 x 40 one, runs both and counts the cells at
 * least `margin` from the cut faces that differ. */
static unsigned compare_cut(uint32_t seed, uint32_t steps, const uint32_t low[3],
                            const uint32_t high[3], uint32_t sides, uint32_t above, uint32_t below)
{
    static uint8_t whole[2 * 32 * 32 * 40], whole_after[2 * 32 * 32 * 40];
    unsigned different = 0;
    block(32, 32, 40, steps);
    lab.test_case.input[4] = (uint8_t)(seed % 2);
    fill_nearly_full(seed);
    memcpy(whole, lab.test_case.input + 8, sizeof whole);
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    memcpy(whole_after, lab.output, sizeof whole_after);
    block(high[0] - low[0], high[1] - low[1], high[2] - low[2], steps);
    lab.test_case.input[4] = (uint8_t)(seed % 2);
    for (uint32_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        const uint32_t x = i % side[0], y = i / side[0] % side[1], z = i / (side[0] * side[1]);
        const size_t at = x + low[0] + 32 * (y + low[1] + (size_t)32 * (z + low[2]));
        put(x, y, z, p2_load_le16(whole + 2 * at));
    }
    CU_ASSERT_FATAL(p2_lab_run(&lab) == P2C2R_KERNEL_OK);
    for (uint32_t z = below; z + above < side[2]; z++) {
        for (uint32_t y = sides; y + sides < side[1]; y++) {
            for (uint32_t x = sides; x + sides < side[0]; x++) {
                const size_t at = x + low[0] + 32 * (y + low[1] + (size_t)32 * (z + low[2]));
                different += output_at(x, y, z) != p2_load_le16(whole_after + 2 * at);
            }
        }
    }
    return different;
}

static void blocks_that_overlap_by_n_and_3n_below_agree_and_narrower_ones_do_not(void)
{
    static const uint32_t low[3] = {4, 6, 2}, high[3] = {28, 30, 38};
    unsigned narrow_sides = 0, narrow_above = 0, narrow_below = 0;
    for (uint32_t steps = 1; steps <= 8; steps++) {
        for (uint32_t seed = 0; seed < 4; seed++) {
            P2_ASSERT_EQUAL(compare_cut(seed, steps, low, high, steps, steps, 3 * steps), 0);
            narrow_sides += compare_cut(seed, steps, low, high, steps - 1, steps, 3 * steps);
            narrow_above += compare_cut(seed, steps, low, high, steps, steps - 1, 3 * steps);
            narrow_below += compare_cut(seed, steps, low, high, steps, steps, 3 * steps - 1);
        }
    }
    (void)printf("cells that differ with one cell less: sides %u, above %u, below %u\n",
                 narrow_sides, narrow_above, narrow_below);
    CU_ASSERT(narrow_sides > 0);
    CU_ASSERT(narrow_above > 0);
    CU_ASSERT(narrow_below > 0);
}

static void generated_cases_run_and_pass_their_check(void)
{
    p2_lab_generated_cases_pass(&lab, 150);
}

static void output_does_not_depend_on_the_arena(void)
{
    p2_lab_arena_does_not_matter(&lab, 30);
}

static void malformed_input_is_refused_and_nothing_else_happens(void)
{
    p2_lab_malformed_input_is_refused(&lab, 4, 60);
}

/* ---- mutations ------------------------------------------------------------------------------ */

static bool own_mutation(struct p2_lab *l, uint32_t kind, struct p2_kernel_random *random,
                         uint8_t *result, size_t *size)
{
    uint32_t cells = (uint32_t)*size / 2;
    uint32_t a = p2_kernel_random_below(random, cells), b = p2_kernel_random_below(random, cells);
    uint32_t first = p2_load_le16(result + 2 * a), second = p2_load_le16(result + 2 * b);
    uint8_t *steps = &l->test_case.input[3];
    switch (kind) {
    case 0: /* nothing happened */
        memcpy(result, l->test_case.input + 8, *size);
        return true;
    case 1: /* one substep too few or too many: by the kernel itself */
    case 2: {
        uint8_t right = *steps;
        if (kind == 1 ? right == 1 : right == P2_FLUID_STEPS_MAX) {
            return false;
        }
        uint8_t *keep = malloc(*size);
        CU_ASSERT_FATAL(keep != NULL);
        memcpy(keep, l->output, *size);
        *steps = (uint8_t)(kind == 1 ? right - 1 : right + 1);
        CU_ASSERT_FATAL(p2_lab_run(l) == P2C2R_KERNEL_OK);
        memcpy(result, l->output, *size);
        memcpy(l->output, keep, *size);
        free(keep);
        *steps = right;
        return true;
    }
    case 3: /* water moved to any other place, volume kept */
        if (first == 0 || first == P2_FLUID_SOLID || second >= P2_FLUID_FULL) {
            return false;
        }
        p2_store_le16(result + 2 * a, 0);
        p2_store_le16(result + 2 * b, (uint16_t)(first + second));
        return true;
    default: /* one unit moved between two wet cells */
        if (first < 2 || first > P2_FLUID_FULL || second < 2 || second > P2_FLUID_FULL) {
            return false;
        }
        p2_store_le16(result + 2 * a, (uint16_t)(first - 1));
        p2_store_le16(result + 2 * b, (uint16_t)(second + 1));
        return true;
    }
}

static void check_catches_wrong_results(void)
{
    static const char *const names[] = {"unchanged input", "a substep too few",
                                        "a substep too many", "water moved far", "one unit moved"};
    const struct p2_lab_mutations own = {own_mutation, names, 5};
    P2_ASSERT_EQUAL(p2_lab_catch_rate_ppm(&lab, 100, &own), 1000000); /* it computes all again */
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_drop_falls_one_cell_per_substep),
        P2_TEST(the_shares_of_two_cells_are_those_of_the_contract),
        P2_TEST(water_over_a_ledge_does_not_spread_in_the_air),
        P2_TEST(volume_is_exact_over_1000_steps_and_the_surface_settles_flat),
        P2_TEST(water_rises_in_the_other_arm),
        P2_TEST(calm_water_keeps_every_bit),
        P2_TEST(a_wrong_level_or_header_is_refused),
        P2_TEST(every_cell_is_what_a_plain_reading_of_the_contract_gives),
        P2_TEST(blocks_that_overlap_by_n_and_3n_below_agree_and_narrower_ones_do_not),
        P2_TEST(generated_cases_run_and_pass_their_check),
        P2_TEST(output_does_not_depend_on_the_arena),
        P2_TEST(malformed_input_is_refused_and_nothing_else_happens),
        P2_TEST(check_catches_wrong_results),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"physics_fluid", open_lab, close_lab, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
