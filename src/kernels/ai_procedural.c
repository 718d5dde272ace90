/* Terrain, caves, ores and trees of one chunk. */
#include "kernels/ai_procedural.h"

#include "kernels/pack.h"

#include <string.h>

/* Fixed point: one lattice cell, one unit of a gradient and one of a fade are all this. */
#define ONE       256
#define ONE_BITS  8
#define NOISE_ONE (ONE * ONE) /* of noise values */

#define HEIGHT_MIN      2
#define HEIGHT_MAX      60
#define DRY             (-NOISE_ONE / 5) /* moisture below it makes sand instead of grass */
#define SOIL_DEPTH      3
#define LATTICE_64      16u
#define LATTICE_32      25u
#define LATTICE_16      34u
#define LATTICE_8       50u
#define LATTICE_WET     75u
#define TREE_WORDS      84u
#define TREE_CELLS      6
#define ORE_WORDS       156u
#define ORE_CELLS       4
#define ORE_LAYERS      8
#define CAVES_A         668u
#define CAVES_B         812u
#define CAVE_SIDE       4
#define CAVE_LAYERS     9
#define CAVE_SPACING    16
#define CAVE_Y_SPACING  8
#define SAMPLED_COLUMNS 64u /* chosen: a quarter; the check then costs about half a run */

struct tree {
    int32_t x, z, ground; /* trunk column and the height it stands on */
    int32_t trunk;        /* voxels */
    bool is_pine;
};

struct chunk {
    const uint8_t *input;
    int32_t base, relief, water, snow, cave_width;
    uint32_t tree_chance, ore_chance;
    struct tree trees[P2_CHUNK_TREES_MAX];
    uint32_t tree_count;
};

/* ---- noise ---------------------------------------------------------------------------------- */

/* v / 2^bits, rounded down, for either sign. */
static int32_t shift_down(int32_t v, unsigned bits)
{
    return v >= 0 ? v >> bits : -((-v + (1 << bits) - 1) >> bits);
}

/* 6 t^5 - 15 t^4 + 10 t^3 for t in 0..ONE. */
static int32_t fade(int32_t t)
{
    const int64_t wide = t;
    const int64_t inner = wide * (6 * wide - 15 * ONE) + 10 * NOISE_ONE;
    return (int32_t)((wide * wide * wide * inner) >> (4 * ONE_BITS));
}

static int32_t mix(int32_t a, int32_t b, int32_t weight)
{
    return a + shift_down((b - a) * weight, ONE_BITS);
}

/* 16 directions: ONE * cos and sin of multiples of 22.5 degrees. */
static const int16_t gradients2[16][2] = {
    {256, 0},    {237, 98},  {181, 181},  {98, 237},   {0, 256},     {-98, 237},
    {-181, 181}, {-237, 98}, {-256, 0},   {-237, -98}, {-181, -181}, {-98, -237},
    {0, -256},   {98, -237}, {181, -181}, {237, -98},
};

/* The twelve edges of a cube, four of them twice (Perlin 2002). */
static const int8_t gradients3[16][3] = {
    {1, 1, 0}, {-1, 1, 0}, {1, -1, 0}, {-1, -1, 0}, {1, 0, 1}, {-1, 0, 1}, {1, 0, -1}, {-1, 0, -1},
    {0, 1, 1}, {0, -1, 1}, {0, 1, -1}, {0, -1, -1}, {1, 1, 0}, {0, -1, 1}, {-1, 1, 0}, {0, -1, -1},
};

/* Where a column lies in a lattice of one axis: index of the point before it and fraction of ONE. */
struct place {
    int32_t index, part;
};

static struct place place_in(int32_t column, uint32_t phase, int32_t spacing)
{
    /* Distances from the lattice's first point; the phase counts modulo the spacing. */
    const int32_t origin = (int32_t)phase % spacing;
    const int32_t first = origin < P2_CHUNK_MARGIN ? -spacing : 0;
    const int32_t distance = origin + column - first;
    return (struct place){distance / spacing, distance % spacing * (ONE / spacing)};
}

static int32_t corner2(const uint8_t *lattice, int32_t side, struct place x, struct place z,
                       int32_t right, int32_t down)
{
    const int16_t *gradient = gradients2[lattice[(z.index + down) * side + x.index + right] & 15];
    return gradient[0] * (x.part - right * ONE) + gradient[1] * (z.part - down * ONE);
}

/* Noise of about -0.7..0.7 times NOISE_ONE. */
static int32_t noise2(const struct chunk *chunk, uint32_t lattice_at, int32_t side, int32_t spacing,
                      int32_t x, int32_t z)
{
    const uint8_t *lattice = chunk->input + lattice_at;
    const struct place at_x = place_in(x, chunk->input[0], spacing);
    const struct place at_z = place_in(z, chunk->input[1], spacing);
    const int32_t weight = fade(at_x.part);
    const int32_t upper = mix(corner2(lattice, side, at_x, at_z, 0, 0),
                              corner2(lattice, side, at_x, at_z, 1, 0), weight);
    const int32_t lower = mix(corner2(lattice, side, at_x, at_z, 0, 1),
                              corner2(lattice, side, at_x, at_z, 1, 1), weight);
    return mix(upper, lower, fade(at_z.part));
}

/* ---- the surface ---------------------------------------------------------------------------- */

static int32_t height_at(const struct chunk *chunk, int32_t x, int32_t z)
{
    const int32_t sum =
        8 * noise2(chunk, LATTICE_64, 3, 64, x, z) + 4 * noise2(chunk, LATTICE_32, 3, 32, x, z) +
        2 * noise2(chunk, LATTICE_16, 4, 16, x, z) + noise2(chunk, LATTICE_8, 5, 8, x, z);
    /* The sum of the octaves is at most about ten times NOISE_ONE: relief is what ten eighths of
     * the first octave reach. */
    const int32_t height = chunk->base + shift_down(sum / 8 * chunk->relief, 2 * ONE_BITS);
    return height < HEIGHT_MIN ? HEIGHT_MIN : height > HEIGHT_MAX ? HEIGHT_MAX : height;
}

static uint8_t surface_at(const struct chunk *chunk, int32_t x, int32_t z, int32_t height)
{
    if (height < chunk->water - 4) {
        return P2_VOXEL_GRAVEL;
    }
    if (height <= chunk->water + 1) {
        return P2_VOXEL_SAND;
    }
    if (height >= chunk->snow) {
        return P2_VOXEL_SNOW;
    }
    return noise2(chunk, LATTICE_WET, 3, 64, x, z) < DRY ? P2_VOXEL_SAND : P2_VOXEL_GRASS;
}

/* ---- caves ---------------------------------------------------------------------------------- */

/* One cave noise along one column: at each lattice layer it is constant + slope * (y distance). */
struct cave_column {
    int32_t constant[CAVE_LAYERS], slope[CAVE_LAYERS];
};

static void cave_column_init(struct cave_column *column, const struct chunk *chunk,
                             uint32_t lattice_at, int32_t x, int32_t z)
{
    const struct place at_x = place_in(x, 0, CAVE_SPACING), at_z = place_in(z, 0, CAVE_SPACING);
    const int32_t weight_x = fade(at_x.part), weight_z = fade(at_z.part);
    for (int32_t layer = 0; layer < CAVE_LAYERS; layer++) {
        int32_t constant[2][2], slope[2][2];
        for (int32_t down = 0; down < 2; down++) {
            for (int32_t right = 0; right < 2; right++) {
                const int32_t at =
                    (layer * CAVE_SIDE + at_z.index + down) * CAVE_SIDE + at_x.index + right;
                const int8_t *gradient = gradients3[chunk->input[lattice_at + (uint32_t)at] & 15];
                constant[down][right] = (gradient[0] * (at_x.part - right * ONE) +
                                         gradient[2] * (at_z.part - down * ONE)) *
                                        ONE;
                slope[down][right] = gradient[1] * ONE;
            }
        }
        column->constant[layer] = mix(mix(constant[0][0], constant[0][1], weight_x),
                                      mix(constant[1][0], constant[1][1], weight_x), weight_z);
        column->slope[layer] = mix(mix(slope[0][0], slope[0][1], weight_x),
                                   mix(slope[1][0], slope[1][1], weight_x), weight_z);
    }
}

/* The noise's absolute value at height y. */
static int32_t cave_value(const struct cave_column *column, int32_t y)
{
    const int32_t layer = y / CAVE_Y_SPACING;
    const int32_t part = y % CAVE_Y_SPACING * (ONE / CAVE_Y_SPACING);
    const int32_t value =
        mix(column->constant[layer] + column->slope[layer] * part,
            column->constant[layer + 1] + column->slope[layer + 1] * (part - ONE), fade(part));
    return value < 0 ? -value : value;
}

/* The highest voxel a cave may open in a column of this height: never the bed of water. */
static int32_t cave_top(const struct chunk *chunk, int32_t height)
{
    return height <= chunk->water + 1 ? height - SOIL_DEPTH - 1 : height;
}

static bool is_cave(const struct chunk *chunk, const struct cave_column column[2], int32_t height,
                    int32_t y)
{
    /* Openings in the soil are rarer: there both noises must be within half the width. */
    const int32_t width = chunk->cave_width * ONE / (y > height - SOIL_DEPTH ? 2 : 1);
    return y >= 1 && y <= cave_top(chunk, height) && cave_value(&column[0], y) < width &&
           cave_value(&column[1], y) < width;
}

static void caves_init(struct cave_column column[2], const struct chunk *chunk, int32_t x,
                       int32_t z)
{
    cave_column_init(&column[0], chunk, CAVES_A, x, z);
    cave_column_init(&column[1], chunk, CAVES_B, x, z);
}

/* ---- trees ---------------------------------------------------------------------------------- */

/* The tree of cell (cell_x, cell_z), or false. Looks at nothing but the trunk's own column. */
static bool plant(const struct chunk *chunk, int32_t cell_x, int32_t cell_z, struct tree *tree)
{
    const uint32_t word =
        p2_load_le16(chunk->input + TREE_WORDS + 2 * (size_t)(cell_z * TREE_CELLS + cell_x));
    struct cave_column caves[2];
    if ((word & 255) >= chunk->tree_chance) {
        return false;
    }
    tree->x = cell_x * 4 - P2_CHUNK_MARGIN + (int32_t)(word >> 8 & 3);
    tree->z = cell_z * 4 - P2_CHUNK_MARGIN + (int32_t)(word >> 10 & 3);
    tree->trunk = 3 + (int32_t)(word >> 12 & 3);
    tree->is_pine = word >> 14 == 3;
    tree->ground = height_at(chunk, tree->x, tree->z);
    const uint8_t surface = surface_at(chunk, tree->x, tree->z, tree->ground);
    if (surface != P2_VOXEL_GRASS && !(surface == P2_VOXEL_SNOW && tree->is_pine)) {
        return false;
    }
    caves_init(caves, chunk, tree->x, tree->z);
    return !is_cave(chunk, caves, tree->ground, tree->ground);
}

/* Half the side of the crown at a height above the ground; -1: none. */
static int32_t crown_radius(const struct tree *tree, int32_t above)
{
    const int32_t below_top = tree->trunk + 1 - above; /* 0: the topmost leaves */
    if (below_top < 0 || above < 2) {
        return -1;
    }
    if (tree->is_pine) {
        return below_top == 0 ? 0 : below_top % 2 == 0 ? P2_CHUNK_CROWN : 1;
    }
    return below_top > 3 ? -1 : below_top < 2 ? 1 : P2_CHUNK_CROWN;
}

/* What trees put into (x, y, z): a log, leaves, or air. Logs win. */
static uint8_t tree_voxel(const struct tree *tree, int32_t x, int32_t y, int32_t z)
{
    const int32_t dx = x < tree->x ? tree->x - x : x - tree->x;
    const int32_t dz = z < tree->z ? tree->z - z : z - tree->z;
    const int32_t above = y - tree->ground;
    const int32_t radius = crown_radius(tree, above);
    if (dx == 0 && dz == 0 && above >= 1 && above <= tree->trunk) {
        return P2_VOXEL_LOG;
    }
    /* Crowns have no corners, except the narrow ones of a single column. */
    const bool is_corner = dx == radius && dz == radius && radius > 0;
    return dx <= radius && dz <= radius && !is_corner ? P2_VOXEL_LEAVES : P2_VOXEL_AIR;
}

/* Fills crown[] of a column with logs and leaves. */
static void grow_trees(const struct chunk *chunk, int32_t x, int32_t z,
                       uint8_t crown[P2_CHUNK_HEIGHT])
{
    memset(crown, P2_VOXEL_AIR, P2_CHUNK_HEIGHT);
    for (uint32_t i = 0; i < chunk->tree_count; i++) {
        const struct tree *tree = &chunk->trees[i];
        const int32_t top = tree->ground + tree->trunk + 1;
        if (x < tree->x - P2_CHUNK_CROWN || x > tree->x + P2_CHUNK_CROWN ||
            z < tree->z - P2_CHUNK_CROWN || z > tree->z + P2_CHUNK_CROWN) {
            continue;
        }
        for (int32_t y = tree->ground + 1; y <= top && y < P2_CHUNK_HEIGHT; y++) {
            const uint8_t voxel = tree_voxel(tree, x, y, z);
            if (voxel != P2_VOXEL_AIR && crown[y] != P2_VOXEL_LOG) {
                crown[y] = voxel;
            }
        }
    }
}

/* ---- ores ----------------------------------------------------------------------------------- */

/* The ore a vein at height y is made of. */
static uint8_t ore_kind(uint32_t roll, int32_t y)
{
    if (y < 12 && roll < 48) {
        return P2_VOXEL_CRYSTAL;
    }
    if (y < 24 && roll < 96) {
        return P2_VOXEL_GOLD;
    }
    return roll < 160 && y < 44 ? P2_VOXEL_IRON : P2_VOXEL_COAL;
}

/* Marks the vein of one cell in a column of stone; cells are visited in a fixed order and the first
 * vein of a voxel stays. */
static void mark_vein(uint32_t word, int32_t cell_x, int32_t cell_y, int32_t cell_z, int32_t x,
                      int32_t z, uint8_t column[P2_CHUNK_HEIGHT])
{
    static const int32_t squares[4] = {2, 4, 6, 9}; /* squared radii, at most 3 voxels */
    const int32_t dx = cell_x * 8 - 8 + (int32_t)(word >> 8 & 7) - x;
    const int32_t dz = cell_z * 8 - 8 + (int32_t)(word >> 14 & 7) - z;
    const int32_t centre = cell_y * 8 + (int32_t)(word >> 11 & 7);
    const int32_t square = squares[word >> 17 & 3];
    const uint8_t kind = ore_kind(word >> 24, centre);
    for (int32_t y = centre - 2; y <= centre + 2; y++) {
        /* Veins are flat: heights count twice. */
        if (y >= 0 && y < P2_CHUNK_HEIGHT && column[y] == P2_VOXEL_STONE &&
            dx * dx + dz * dz + 2 * (y - centre) * (y - centre) <= square) {
            column[y] = kind;
        }
    }
}

static void mark_ores(const struct chunk *chunk, int32_t x, int32_t z,
                      uint8_t column[P2_CHUNK_HEIGHT])
{
    /* Only cells within three columns can reach this one. */
    const int32_t first_x = (x + 5) / 8, last_x = (x + 11) / 8;
    const int32_t first_z = (z + 5) / 8, last_z = (z + 11) / 8;
    const uint8_t *words = chunk->input + ORE_WORDS;
    for (int32_t y = 0; y < ORE_LAYERS; y++) {
        for (int32_t cell_z = first_z; cell_z <= last_z; cell_z++) {
            for (int32_t cell_x = first_x; cell_x <= last_x; cell_x++) {
                const int32_t at = (y * ORE_CELLS + cell_z) * ORE_CELLS + cell_x;
                const uint32_t word = p2_load_le32(words + 4 * (size_t)at);
                if ((word & 255) < chunk->ore_chance) {
                    mark_vein(word, cell_x, y, cell_z, x, z, column);
                }
            }
        }
    }
}

/* ---- columns -------------------------------------------------------------------------------- */

/* A column before caves and trees: ground, ores, water. */
static void lay_ground(const struct chunk *chunk, int32_t x, int32_t z, int32_t height,
                       uint8_t column[P2_CHUNK_HEIGHT])
{
    const uint8_t surface = surface_at(chunk, x, z, height);
    const uint8_t soil =
        surface == P2_VOXEL_GRASS || surface == P2_VOXEL_SNOW ? P2_VOXEL_DIRT : surface;
    for (int32_t y = 0; y < P2_CHUNK_HEIGHT; y++) {
        if (y > height) {
            column[y] = y <= chunk->water ? P2_VOXEL_WATER : P2_VOXEL_AIR;
        } else if (y == height) {
            column[y] = surface;
        } else {
            column[y] = y >= height - SOIL_DEPTH ? soil : P2_VOXEL_STONE;
        }
    }
    mark_ores(chunk, x, z, column);
    column[0] = P2_VOXEL_BEDROCK;
}

/* A column in parts: the ground without caves, and what stands in a voxel that is air. */
struct layers {
    int32_t height;
    uint8_t ground[P2_CHUNK_HEIGHT];
    uint8_t crown[P2_CHUNK_HEIGHT];
};

static void layers_init(struct layers *layers, const struct chunk *chunk, int32_t x, int32_t z)
{
    layers->height = height_at(chunk, x, z);
    lay_ground(chunk, x, z, layers->height, layers->ground);
    grow_trees(chunk, x, z, layers->crown);
    for (int32_t y = 0; y < P2_CHUNK_HEIGHT; y++) {
        if (layers->ground[y] == P2_VOXEL_AIR) {
            layers->ground[y] = layers->crown[y];
        }
    }
}

static void fill_column(const struct chunk *chunk, int32_t x, int32_t z,
                        uint8_t column[P2_CHUNK_HEIGHT])
{
    struct layers layers;
    struct cave_column caves[2];
    layers_init(&layers, chunk, x, z);
    memcpy(column, layers.ground, P2_CHUNK_HEIGHT);
    if (chunk->cave_width == 0) {
        return;
    }
    caves_init(caves, chunk, x, z);
    for (int32_t y = 1; y <= cave_top(chunk, layers.height); y++) {
        if (is_cave(chunk, caves, layers.height, y)) {
            column[y] = layers.crown[y];
        }
    }
}

/* ---- kernel --------------------------------------------------------------------------------- */

static bool parse(struct p2c2r_bytes input, struct chunk *chunk)
{
    const uint8_t *p = input.data;
    if (input.size != P2_CHUNK_INPUT_BYTES || p[0] % 16 != 0 || p[0] > 48 || p[1] % 16 != 0 ||
        p[1] > 48 || p[2] < 4 || p[2] > 56 || p[3] > 48 || p[4] > 60 || p[5] > 64 || p[6] > 64) {
        return false;
    }
    for (unsigned i = 9; i < LATTICE_64; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    *chunk = (struct chunk){.input = p,
                            .base = p[2],
                            .relief = p[3],
                            .water = p[4],
                            .snow = p[5],
                            .cave_width = p[6],
                            .tree_chance = p[7],
                            .ore_chance = p[8]};
    return true;
}

/* Parses and plants the trees. */
static bool chunk_init(struct chunk *chunk, struct p2c2r_bytes input)
{
    if (!parse(input, chunk)) {
        return false;
    }
    for (int32_t z = 0; z < TREE_CELLS; z++) {
        for (int32_t x = 0; x < TREE_CELLS; x++) {
            chunk->tree_count += plant(chunk, x, z, &chunk->trees[chunk->tree_count]);
        }
    }
    return true;
}

bool p2_procedural_column(struct p2c2r_bytes input, int32_t x, int32_t z,
                          uint8_t ret_column[P2_CHUNK_HEIGHT])
{
    struct chunk chunk;
    const int32_t low = -P2_CHUNK_CROWN, high = P2_CHUNK_SIDE + P2_CHUNK_CROWN;
    if (x < low || x >= high || z < low || z >= high || !chunk_init(&chunk, input)) {
        return false;
    }
    fill_column(&chunk, x, z, ret_column);
    return true;
}

static int procedural_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct chunk chunk;
    if (args->blob_count != 0 || !chunk_init(&chunk, args->input)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (args->output_capacity < P2_CHUNK_BYTES) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    for (int32_t z = 0; z < P2_CHUNK_SIDE; z++) {
        for (int32_t x = 0; x < P2_CHUNK_SIDE; x++) {
            fill_column(&chunk, x, z, args->output + (z * P2_CHUNK_SIDE + x) * P2_CHUNK_HEIGHT);
        }
    }
    *ret_size = P2_CHUNK_BYTES;
    return P2C2R_KERNEL_OK;
}

/* Could this column be right, with some caves? */
static bool column_is_possible(const struct chunk *chunk, int32_t x, int32_t z,
                               const uint8_t column[P2_CHUNK_HEIGHT])
{
    struct layers layers;
    layers_init(&layers, chunk, x, z);
    const int32_t top = chunk->cave_width > 0 ? cave_top(chunk, layers.height) : 0;
    for (int32_t y = 0; y < P2_CHUNK_HEIGHT; y++) {
        const bool may_be_cave = y >= 1 && y <= top;
        if (column[y] != layers.ground[y] && !(may_be_cave && column[y] == layers.crown[y])) {
            return false;
        }
    }
    return true;
}

static int procedural_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                            uint64_t secret)
{
    struct chunk chunk;
    struct p2_kernel_random random = {secret};
    uint64_t sampled[P2_CHUNK_SIDE * P2_CHUNK_SIDE / 64] = {0, 0, 0, 0};
    if (args->blob_count != 0 || !chunk_init(&chunk, args->input)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    if (result.size != P2_CHUNK_BYTES) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    for (uint32_t left = SAMPLED_COLUMNS; left > 0;) {
        const uint32_t at = p2_kernel_random_below(&random, P2_CHUNK_SIDE * P2_CHUNK_SIDE);
        left -= (sampled[at / 64] >> (at % 64) & 1) == 0;
        sampled[at / 64] |= UINT64_C(1) << (at % 64);
    }
    for (int32_t i = 0; i < P2_CHUNK_SIDE * P2_CHUNK_SIDE; i++) {
        const uint8_t *column = result.data + (size_t)i * P2_CHUNK_HEIGHT;
        const int32_t x = i % P2_CHUNK_SIDE, z = i / P2_CHUNK_SIDE;
        uint8_t expected[P2_CHUNK_HEIGHT];
        if ((sampled[i / 64] >> (i % 64) & 1) == 0) {
            if (!column_is_possible(&chunk, x, z, column)) {
                return P2C2R_KERNEL_BAD_RESULT;
            }
            continue;
        }
        fill_column(&chunk, x, z, expected);
        if (memcmp(expected, column, P2_CHUNK_HEIGHT) != 0) {
            return P2C2R_KERNEL_BAD_RESULT;
        }
    }
    return P2C2R_KERNEL_OK;
}

static uint64_t procedural_cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                                uint32_t blob_count)
{
    struct chunk chunk;
    (void)blobs;
    if (blob_count != 0 || !parse(input, &chunk)) {
        return 0;
    }
    /* Nearly constant: every column is computed, caves cost when there are any, and per voxel of
     * the base height. Fitted to 500 generated cases. */
    return 45 + (chunk.cave_width > 0 ? 55 + 3 * (uint64_t)chunk.base / 2 : 0) +
           chunk.ore_chance / 16;
}

const struct p2c2r_kernel p2_kernel_ai_procedural = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "ai_procedural",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = 0,
    .input_max = P2_CHUNK_INPUT_BYTES,
    .output_max = P2_CHUNK_BYTES,
    .blobs_max = 0,
    .blob_max = 0,
    .check_bound_us = 2000,
    .run = procedural_run,
    .check = procedural_check,
    .cost = procedural_cost,
    .canonical = NULL,
    .generate = p2_procedural_generate,
};
