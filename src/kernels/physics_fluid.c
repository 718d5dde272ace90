/* Water in cells: pairwise exchanges of integers, so that no unit is ever lost. */
#include "kernels/physics_fluid.h"

#include "kernels/pack.h"

#define CELLS_MAX (P2_FLUID_SIDE_MAX * P2_FLUID_SIDE_MAX * P2_FLUID_SIDE_MAX)

/* A block. */
struct grid {
    uint16_t *cell; /* cell[nx * ny * nz] */
    uint32_t size[3];
};

struct fluid_input {
    uint32_t size[3];
    uint32_t steps;
    uint32_t phase;
    uint32_t cells;      /* size[0] * size[1] * size[2] */
    const uint8_t *data; /* data[2 * cells], borrowed from the input */
};

/* True when each cell is solid or at most P2_FLUID_LEVEL_MAX (0x7f00). Four cells at a time: a lane
 * without its top bit must not reach it by adding 0xff, a lane with it must be 0xffff. */
static bool fluid_levels_are_valid(const uint8_t *data, uint32_t cells)
{
    const uint64_t tops = UINT64_C(0x8000800080008000), ones = UINT64_C(0x0001000100010001);
    uint64_t bad = 0;
    uint32_t i = 0;
    for (; i + 4 <= cells; i += 4) {
        uint64_t lanes = p2_load_le64(data + (size_t)2 * i);
        uint64_t top = lanes & tops, low = lanes & ~tops;
        bad |= (low + ones * 0xff) & tops & ~top;
        bad |= top & ~(low + ones);
    }
    for (; i < cells; i++) {
        uint32_t level = p2_load_le16(data + (size_t)2 * i);
        bad |= level > P2_FLUID_LEVEL_MAX && level != P2_FLUID_SOLID;
    }
    return bad == 0;
}

static int fluid_parse(struct p2c2r_bytes bytes, struct fluid_input *ret_input)
{
    struct p2_unpack in = p2_unpack_start(bytes);
    struct fluid_input input = {0};
    for (size_t axis = 0; axis < 3; axis++) {
        input.size[axis] = p2_unpack_u8(&in);
    }
    input.steps = p2_unpack_u8(&in);
    input.phase = p2_unpack_u8(&in);
    uint32_t reserved = p2_unpack_u8(&in);
    reserved |= p2_unpack_u16(&in);
    for (size_t axis = 0; axis < 3; axis++) {
        if (input.size[axis] < 1 || input.size[axis] > P2_FLUID_SIDE_MAX) {
            return P2C2R_KERNEL_BAD_INPUT;
        }
    }
    if (in.failed || reserved != 0 || input.phase > 1 || input.steps < 1 ||
        input.steps > P2_FLUID_STEPS_MAX) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    input.cells = input.size[0] * input.size[1] * input.size[2];
    input.data = p2_unpack_bytes(&in, (size_t)2 * input.cells);
    if (!p2_unpack_done(&in) || !fluid_levels_are_valid(input.data, input.cells)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    *ret_input = input;
    return P2C2R_KERNEL_OK;
}

/* ---- the automaton -------------------------------------------------------------------------- */

/* What the lower of two cells keeps of their water: everything while it is not full, then a little
 * more than the upper one. The three branches meet at 4032 and at 8128 units. */
static inline uint32_t fluid_lower_share(uint32_t total)
{
    uint32_t nearly_full = 3969u + (total >> 6);
    uint32_t pressed = (total + P2_FLUID_PRESS) >> 1;
    uint32_t lower = nearly_full > pressed ? nearly_full : pressed;
    lower = lower < total ? lower : total;
    return lower < P2_FLUID_LEVEL_MAX ? lower : P2_FLUID_LEVEL_MAX;
}

/* Eight cells at once, in the vector types gcc and clang share: every lane computes what the scalar
 * rule says, so the bits are those of a plain loop, in two thirds of its time. Comparisons give lanes of
 * all ones or zero. */
#define LANES 8u
typedef uint16_t fluid_lanes __attribute__((vector_size(16)));
typedef uint32_t fluid_pairs __attribute__((vector_size(16)));

static inline fluid_lanes fluid_lanes_load(const uint16_t *cell)
{
    fluid_lanes lanes;
    memcpy(&lanes, cell, sizeof lanes);
    return lanes;
}

static inline fluid_lanes fluid_lanes_choose(fluid_lanes mask, fluid_lanes yes, fluid_lanes no)
{
    return (mask & yes) | (~mask & no);
}

/* fluid_lower_share, and what both cells are left with; the sum of two waters fits 16 bits. */
static inline void fluid_fall_lanes(uint16_t *lower, uint16_t *upper)
{
    const fluid_lanes low = fluid_lanes_load(lower), high = fluid_lanes_load(upper);
    const fluid_lanes total = low + high;
    const fluid_lanes nearly_full = (fluid_lanes)(total >> 6) + (uint16_t)3969;
    const fluid_lanes pressed = (fluid_lanes)(total + (uint16_t)P2_FLUID_PRESS) >> 1;
    const fluid_lanes most = (fluid_lanes){0} + (uint16_t)P2_FLUID_LEVEL_MAX;
    fluid_lanes share =
        fluid_lanes_choose((fluid_lanes)(nearly_full > pressed), nearly_full, pressed);
    share = fluid_lanes_choose((fluid_lanes)(share < total), share, total);
    share = fluid_lanes_choose((fluid_lanes)(share < most), share, most);
    const fluid_lanes solid = (fluid_lanes)(low == (uint16_t)P2_FLUID_SOLID) |
                              (fluid_lanes)(high == (uint16_t)P2_FLUID_SOLID);
    share = fluid_lanes_choose(solid, low, share);
    const fluid_lanes rest = fluid_lanes_choose(solid, high, total - share);
    memcpy(lower, &share, sizeof share);
    memcpy(upper, &rest, sizeof rest);
}

static void fluid_pass_down(const struct grid *grid, uint32_t parity)
{
    uint32_t layer = grid->size[0] * grid->size[1];
    for (uint32_t z = parity; z + 1 < grid->size[2]; z += 2) {
        uint16_t *lower = grid->cell + (size_t)z * layer;
        uint16_t *upper = lower + layer;
        uint32_t i = 0;
        for (; i + LANES <= layer; i += LANES) {
            fluid_fall_lanes(lower + i, upper + i);
        }
        for (; i < layer; i++) {
            uint32_t low = lower[i], high = upper[i];
            if (low == P2_FLUID_SOLID || high == P2_FLUID_SOLID) {
                continue;
            }
            uint32_t share = fluid_lower_share(low + high);
            lower[i] = (uint16_t)share;
            upper[i] = (uint16_t)(low + high - share);
        }
    }
}

/* Exchange between a[i * stride] and b[i * stride] for i < count. `below_a` and `below_b` are the
 * cells under them, NULL on the floor. */
static inline void fluid_level_out(uint16_t *a, uint16_t *b, const uint16_t *below_a,
                                   const uint16_t *below_b, uint32_t count, uint32_t stride)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t at = (size_t)i * stride;
        int32_t first = a[at], second = b[at];
        if (first == second || first == (int32_t)P2_FLUID_SOLID ||
            second == (int32_t)P2_FLUID_SOLID) {
            continue;
        }
        int32_t moved = (first - second) / 2;
        const uint16_t *below = moved > 0 ? below_a : below_b;
        /* A solid is 65535, so one comparison covers solid and full. */
        if (below != NULL && below[at] < P2_FLUID_FULL) {
            continue;
        }
        a[at] = (uint16_t)(first - moved);
        b[at] = (uint16_t)(second + moved);
    }
}

/* What moves between cells `own` and `other`, and in `ret_gives` which of the lanes give it. */
static inline fluid_lanes fluid_flow_lanes(fluid_lanes own, fluid_lanes other,
                                           fluid_lanes below_own, fluid_lanes below_other,
                                           fluid_lanes *ret_gives)
{
    const fluid_lanes gives = (fluid_lanes)(own > other);
    const fluid_lanes half = fluid_lanes_choose(gives, own - other, other - own) >> 1;
    const fluid_lanes below = fluid_lanes_choose(gives, below_own, below_other);
    const fluid_lanes stands = (fluid_lanes)(below >= (uint16_t)P2_FLUID_FULL);
    const fluid_lanes solid = (fluid_lanes)(own == (uint16_t)P2_FLUID_SOLID) |
                              (fluid_lanes)(other == (uint16_t)P2_FLUID_SOLID);
    *ret_gives = gives;
    return half & stands & ~solid;
}

/* Four pairs side by side; `below` are the cells under them, NULL on the floor. Turning a pair's 32
 * bits by 16 swaps its cells in either byte order. */
static inline void fluid_level_pairs(uint16_t *cells, const uint16_t *below)
{
    const fluid_lanes own = fluid_lanes_load(cells);
    const fluid_lanes under = below != NULL ? fluid_lanes_load(below) : ~(fluid_lanes){0};
    const fluid_lanes other = (fluid_lanes)((fluid_pairs)own << 16 | (fluid_pairs)own >> 16);
    const fluid_lanes other_under =
        (fluid_lanes)((fluid_pairs)under << 16 | (fluid_pairs)under >> 16);
    fluid_lanes gives;
    const fluid_lanes moved = fluid_flow_lanes(own, other, under, other_under, &gives);
    const fluid_lanes after = fluid_lanes_choose(gives, own - moved, own + moved);
    memcpy(cells, &after, sizeof after);
}

/* Eight cells and those of the next row. */
static inline void fluid_level_rows(uint16_t *a, uint16_t *b, const uint16_t *below_a,
                                    const uint16_t *below_b)
{
    const fluid_lanes floor = ~(fluid_lanes){0};
    const fluid_lanes own = fluid_lanes_load(a), other = fluid_lanes_load(b);
    fluid_lanes gives;
    const fluid_lanes moved =
        fluid_flow_lanes(own, other, below_a != NULL ? fluid_lanes_load(below_a) : floor,
                         below_b != NULL ? fluid_lanes_load(below_b) : floor, &gives);
    const fluid_lanes own_after = fluid_lanes_choose(gives, own - moved, own + moved);
    const fluid_lanes other_after = fluid_lanes_choose(gives, other + moved, other - moved);
    memcpy(a, &own_after, sizeof own_after);
    memcpy(b, &other_after, sizeof other_after);
}

/* From the top down, so that the layer below still is as the previous pass left it. */
static void fluid_pass_x(const struct grid *grid, uint32_t parity)
{
    uint32_t nx = grid->size[0], layer = nx * grid->size[1];
    uint32_t pairs = nx > parity ? (nx - parity) / 2 : 0;
    for (uint32_t z = grid->size[2]; z-- > 0;) {
        for (uint32_t y = 0; y < grid->size[1]; y++) {
            uint16_t *row = grid->cell + (size_t)z * layer + (size_t)y * nx + parity;
            const uint16_t *below = z > 0 ? row - layer : NULL;
            uint32_t i = 0;
            for (; i + LANES / 2 <= pairs; i += LANES / 2) {
                fluid_level_pairs(row + (size_t)2 * i,
                                  below != NULL ? below + (size_t)2 * i : NULL);
            }
            row += (size_t)2 * i;
            below = z > 0 ? row - layer : NULL;
            fluid_level_out(row, row + 1, below, below != NULL ? below + 1 : NULL, pairs - i, 2);
        }
    }
}

static void fluid_pass_y(const struct grid *grid, uint32_t parity)
{
    uint32_t nx = grid->size[0], layer = nx * grid->size[1];
    for (uint32_t z = grid->size[2]; z-- > 0;) {
        for (uint32_t y = parity; y + 1 < grid->size[1]; y += 2) {
            uint16_t *row = grid->cell + (size_t)z * layer + (size_t)y * nx;
            uint32_t left = nx;
            for (; left >= LANES; left -= LANES, row += LANES) {
                const uint16_t *under = z > 0 ? row - layer : NULL;
                fluid_level_rows(row, row + nx, under, under != NULL ? under + nx : NULL);
            }
            const uint16_t *below = z > 0 ? row - layer : NULL;
            fluid_level_out(row, row + nx, below, below != NULL ? below + nx : NULL, left, 1);
        }
    }
}

static void fluid_simulate(const struct grid *grid, uint32_t steps, uint32_t phase)
{
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t parity = (phase + step) & 1;
        fluid_pass_down(grid, parity);
        fluid_pass_x(grid, parity);
        fluid_pass_y(grid, parity);
    }
}

/* Computes the cells of a parsed input into the arena. */
static int fluid_compute(const struct fluid_input *input, const struct p2c2r_kernel_args *args,
                         const uint16_t **ret_cells)
{
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    struct grid grid = {p2_arena_take(&arena, input->cells, sizeof *grid.cell),
                        {input->size[0], input->size[1], input->size[2]}};
    if (arena.failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    for (uint32_t i = 0; i < input->cells; i++) {
        grid.cell[i] = p2_load_le16(input->data + (size_t)2 * i);
    }
    fluid_simulate(&grid, input->steps, input->phase);
    *ret_cells = grid.cell;
    return P2C2R_KERNEL_OK;
}

static int fluid_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct fluid_input input;
    const uint16_t *cells;
    if (fluid_parse(args->input, &input) != P2C2R_KERNEL_OK || args->blob_count != 0) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (args->output_capacity < (size_t)2 * input.cells) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    int error = fluid_compute(&input, args, &cells);
    if (error != P2C2R_KERNEL_OK) {
        return error;
    }
    for (uint32_t i = 0; i < input.cells; i++) {
        p2_store_le16(args->output + (size_t)2 * i, cells[i]);
    }
    *ret_size = (size_t)2 * input.cells;
    return P2C2R_KERNEL_OK;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* Computes the result again: a look at volume, walls and reach and a few recomputed windows would
 * cost as much as the substeps do, and miss small exchanges of water that keep the volume. */
static int fluid_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                       uint64_t secret)
{
    struct fluid_input input;
    const uint16_t *cells;
    (void)secret; /* everything is looked at */
    if (fluid_parse(args->input, &input) != P2C2R_KERNEL_OK || args->blob_count != 0) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != (size_t)2 * input.cells) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    int error = fluid_compute(&input, args, &cells);
    if (error != P2C2R_KERNEL_OK) {
        return error;
    }
    uint32_t differ = 0;
    for (uint32_t i = 0; i < input.cells; i++) {
        differ |= p2_load_le16(result.data + (size_t)2 * i) ^ (uint32_t)cells[i];
    }
    return differ == 0 ? P2C2R_KERNEL_OK : P2C2R_KERNEL_BAD_RESULT;
}

/* ---- cost ----------------------------------------------------------------------------------- */

/* Picoseconds, fitted to 600 generated cases of seed 9 at -O2 by least squares of the relative
 * error. Dry cells take as long as wet ones. */
#define COST_CELL      880u /* per cell: reading and writing */
#define COST_STEP_CELL 630u /* per cell and substep */

static uint64_t fluid_cost(struct p2c2r_bytes bytes, const struct p2c2r_bytes *blobs,
                           uint32_t blob_count)
{
    struct fluid_input input;
    (void)blobs; /* this kernel takes none */
    if (blob_count != 0 || fluid_parse(bytes, &input) != P2C2R_KERNEL_OK) {
        return 0;
    }
    uint64_t picoseconds = (uint64_t)input.cells * (COST_CELL + COST_STEP_CELL * input.steps);
    return 1 + picoseconds / 1000000u;
}

/* ---- generated cases ------------------------------------------------------------------------ */

struct fluid_scene {
    struct p2_kernel_random random;
    uint32_t size[3];
    uint8_t *cells;
};

static void fluid_put(struct fluid_scene *scene, uint32_t x, uint32_t y, uint32_t z, uint32_t level)
{
    if (x < scene->size[0] && y < scene->size[1] && z < scene->size[2]) {
        size_t at = x + scene->size[0] * (y + (size_t)scene->size[1] * z);
        p2_store_le16(scene->cells + 2 * at, (uint16_t)level);
    }
}

static void fluid_fill(struct fluid_scene *scene, const uint32_t low[3], const uint32_t high[3],
                       uint32_t level)
{
    for (uint32_t z = low[2]; z < high[2]; z++) {
        for (uint32_t y = low[1]; y < high[1]; y++) {
            for (uint32_t x = low[0]; x < high[0]; x++) {
                fluid_put(scene, x, y, z, level);
            }
        }
    }
}

/* Water from the floor up to `surface`, at rest: full cells, each pressed by those above. */
static void fluid_fill_calm(struct fluid_scene *scene, uint32_t x0, uint32_t x1, uint32_t surface)
{
    for (uint32_t z = 0; z < surface; z++) {
        uint32_t low[3] = {x0, 0, z}, high[3] = {x1, scene->size[1], z + 1};
        fluid_fill(scene, low, high, P2_FLUID_FULL + P2_FLUID_PRESS * (surface - 1 - z));
    }
}

/* Rolling ground: heights of a coarse lattice, interpolated in integers. */
static void fluid_ground(struct fluid_scene *scene)
{
    uint32_t height[10][10];
    uint32_t top = scene->size[2] / 3 + 1;
    for (size_t i = 0; i < 100; i++) {
        height[i / 10][i % 10] = p2_kernel_random_below(&scene->random, top * 8);
    }
    for (uint32_t y = 0; y < scene->size[1]; y++) {
        for (uint32_t x = 0; x < scene->size[0]; x++) {
            const uint32_t *a = &height[y / 8][x / 8], *b = &height[y / 8 + 1][x / 8];
            uint32_t near = a[0] * (8 - x % 8) + a[1] * (x % 8);
            uint32_t far = b[0] * (8 - x % 8) + b[1] * (x % 8);
            uint32_t ground = (near * (8 - y % 8) + far * (y % 8)) / 512;
            fluid_fill(scene, (uint32_t[3]){x, y, 0}, (uint32_t[3]){x + 1, y + 1, ground},
                       P2_FLUID_SOLID);
        }
    }
}

/* A lake behind a wall with a hole in it. */
static void fluid_breached_lake(struct fluid_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t wall = size[0] / 4 + p2_kernel_random_below(&scene->random, size[0] / 2);
    uint32_t surface = size[2] / 3 + p2_kernel_random_below(&scene->random, size[2] / 2);
    uint32_t hole_y = p2_kernel_random_below(&scene->random, size[1]);
    uint32_t hole_z = p2_kernel_random_below(&scene->random, surface + 1);
    uint32_t radius = 1 + p2_kernel_random_below(&scene->random, 5);
    fluid_fill_calm(scene, 0, wall, surface);
    fluid_fill(scene, (uint32_t[3]){wall, 0, 0}, (uint32_t[3]){wall + 2, size[1], size[2]},
               P2_FLUID_SOLID);
    fluid_fill(scene, (uint32_t[3]){wall, hole_y, hole_z},
               (uint32_t[3]){wall + 2, hole_y + radius, hole_z + radius}, 0);
}

/* A vessel of two arms joined at the bottom, filled unevenly. */
static void fluid_two_arms(struct fluid_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t wall = 2 + p2_kernel_random_below(&scene->random, size[0] - 4);
    uint32_t gap = 1 + p2_kernel_random_below(&scene->random, 3);
    fluid_fill(scene, (uint32_t[3]){wall, 0, gap}, (uint32_t[3]){wall + 1, size[1], size[2]},
               P2_FLUID_SOLID);
    fluid_fill_calm(scene, 0, wall, p2_kernel_random_below(&scene->random, size[2]));
    fluid_fill_calm(scene, wall + 1, size[0], p2_kernel_random_below(&scene->random, size[2]));
}

/* Drops and slabs that fall over rolling ground, some of it partly full. */
static void fluid_downpour(struct fluid_scene *scene)
{
    const uint32_t *size = scene->size;
    fluid_ground(scene);
    uint32_t drops = 1 + p2_kernel_random_below(&scene->random, 40);
    for (uint32_t i = 0; i < drops; i++) {
        uint32_t low[3], high[3];
        for (size_t axis = 0; axis < 3; axis++) {
            low[axis] = p2_kernel_random_below(&scene->random, size[axis]);
            high[axis] = low[axis] + 1 + p2_kernel_random_below(&scene->random, 6);
        }
        low[2] = size[2] / 3 + 1 + low[2] / 2; /* above the ground */
        high[2] = high[2] / 2 + size[2] / 3 + 2;
        fluid_fill(scene, low, high, 1 + p2_kernel_random_below(&scene->random, P2_FLUID_FULL));
    }
}

/* A lake in rolling ground, disturbed where a body fell in. */
static void fluid_splash(struct fluid_scene *scene)
{
    const uint32_t *size = scene->size;
    uint32_t surface = size[2] / 3 + p2_kernel_random_below(&scene->random, size[2] / 3);
    fluid_fill_calm(scene, 0, size[0], surface);
    fluid_ground(scene);
    uint32_t x = p2_kernel_random_below(&scene->random, size[0]);
    uint32_t y = p2_kernel_random_below(&scene->random, size[1]);
    uint32_t depth = p2_kernel_random_below(&scene->random, surface);
    fluid_fill(scene, (uint32_t[3]){x, y, surface - depth}, (uint32_t[3]){x + 4, y + 4, surface},
               0);
    fluid_fill(scene, (uint32_t[3]){x, y, surface}, (uint32_t[3]){x + 4, y + 4, surface + 3},
               P2_FLUID_FULL);
}

static void fluid_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    static void (*const scenes[])(struct fluid_scene * scene) = {
        fluid_breached_lake, fluid_two_arms, fluid_downpour, fluid_splash};
    struct fluid_scene scene = {p2_kernel_random_start(seed, index), {0, 0, 0}, NULL};
    struct p2_pack out = p2_pack_start(test_case->input, P2C2R_INPUT_MAX);
    size_t cells = 1;
    for (size_t axis = 0; axis < 3; axis++) {
        const int32_t most = test_case->is_small != 0 ? 16 : 64;
        scene.size[axis] = (uint32_t)p2_kernel_random_between(&scene.random, 8, most);
        cells *= scene.size[axis];
        p2_pack_u8(&out, (uint8_t)scene.size[axis]);
    }
    p2_pack_u8(&out, (uint8_t)p2_kernel_random_between(&scene.random, 1, P2_FLUID_STEPS_MAX));
    p2_pack_u8(&out, (uint8_t)p2_kernel_random_below(&scene.random, 2));
    p2_pack_u8(&out, 0);
    p2_pack_u16(&out, 0);
    scene.cells = p2_pack_space(&out, 2 * cells);
    memset(scene.cells, 0, 2 * cells);
    scenes[p2_kernel_random_below(&scene.random, sizeof scenes / sizeof *scenes)](&scene);
    test_case->input_size = out.size;
    test_case->blob_count = 0;
}

const struct p2c2r_kernel p2_kernel_physics_fluid = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "physics_fluid",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = 2 * CELLS_MAX + 64,
    .input_max = P2_FLUID_HEADER + 2 * CELLS_MAX,
    .output_max = 2 * CELLS_MAX,
    .check_bound_us = 2500,
    .run = fluid_run,
    .check = fluid_check,
    .cost = fluid_cost,
    .generate = fluid_generate,
};
