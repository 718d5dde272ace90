/* The island: value noise for the land, then features drawn over it, each clipped to the chunk. */
#include "kernels/island.h"

#include "kernels/palette.h"

#include <string.h>

#define TREE_CELL      7  /* voxels: at most one tree in a square of this side */
#define FEATURE_REACH  8  /* voxels a tree or house sticks out of its own square */
#define VILLAGE_RADIUS 17 /* voxels of flattened ground */
#define LAKE_RADIUS    26
#define CAVE_STEPS     12
#define HOUSES         5
#define POSTS          6

static uint32_t hash3(uint32_t seed, int x, int z)
{
    uint32_t h = seed ^ (uint32_t)(x + 32768) * 0x9e3779b1u ^ (uint32_t)(z + 32768) * 0x85ebca77u;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}

/* Value noise 0..255 with lattice points every `size` voxels; x, z >= -1024. */
static int noise(uint32_t seed, int x, int z, int size)
{
    int bx = x + 1024, bz = z + 1024;
    int lx = bx / size, lz = bz / size;
    int tx = bx % size * 256 / size, tz = bz % size * 256 / size;
    int sx = tx * tx * (768 - 2 * tx) >> 16, sz = tz * tz * (768 - 2 * tz) >> 16;
    int a = (int)(hash3(seed, lx, lz) & 255u), b = (int)(hash3(seed, lx + 1, lz) & 255u);
    int c = (int)(hash3(seed, lx, lz + 1) & 255u), d = (int)(hash3(seed, lx + 1, lz + 1) & 255u);
    int near = a * (256 - sx) + b * sx, far = c * (256 - sx) + d * sx;
    return (near * (256 - sz) + far * sz) >> 16;
}

static int squared(int dx, int dz)
{
    return dx * dx + dz * dz;
}

/* ---- land ----------------------------------------------------------------------------------- */

static int raw_ground(const struct p2_island *island, int x, int z)
{
    int inland = 256 - squared(x - 128, z - 128) * 256 / (122 * 122);
    int hills = (noise(island->seed, x, z, 60) * 6 + noise(island->seed + 1, x, z, 26) * 2) / 8;
    inland += (noise(island->seed + 3, x, z, 40) - 128) / 3;
    if (inland < -40) {
        return 3;
    }
    int height = 9 + inland * (9 + hills * hills / 1150) / 256;
    int lake = squared(x - island->lake[0], z - island->lake[1]);
    int shore = P2_ISLAND_SEA + 2 + (lake - LAKE_RADIUS * LAKE_RADIUS) / (LAKE_RADIUS * 4);
    height = lake >= LAKE_RADIUS * LAKE_RADIUS && height > shore ? shore : height;
    if (lake < LAKE_RADIUS * LAKE_RADIUS) {
        int depth = 11 - lake * 11 / (LAKE_RADIUS * LAKE_RADIUS);
        int bed = P2_ISLAND_SEA + 2 - depth + noise(island->seed + 4, x, z, 11) / 80;
        height = height < bed ? height : bed;
    }
    return height < 1 ? 1 : height > 60 ? 60 : height;
}

int p2_island_ground(const struct p2_island *island, int x, int z)
{
    int height = raw_ground(island, x, z);
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        const int *village = island->village[i];
        int distance = squared(x - village[0], z - village[2]);
        int inner = VILLAGE_RADIUS * VILLAGE_RADIUS, outer = 2 * inner;
        if (distance < inner) {
            return village[1];
        }
        if (distance < outer) {
            height = village[1] + (height - village[1]) * (distance - inner) / (outer - inner);
        }
    }
    return height < 1 ? 1 : height;
}

/* ---- planning ------------------------------------------------------------------------------- */

static void add_lamp(struct p2_island *island, int x, int y, int z, int level, int radius)
{
    if (island->lamp_count < P2_ISLAND_LAMPS && x >= 0 && x < 256 && z >= 0 && z < 256 && y >= 0 &&
        y < 64) {
        island->lamps[island->lamp_count++] = (struct p2_island_lamp){
            (uint8_t)x, (uint8_t)y, (uint8_t)z, (uint8_t)level, (uint8_t)radius};
    }
}

/* Middles of houses and posts around a village's middle. */
static const int8_t house_at[HOUSES][2] = {{-10, -7}, {9, -9}, {10, 6}, {-8, 9}, {0, -14}};
static const int8_t post_at[POSTS][2] = {{0, 0}, {-5, -1}, {5, -3}, {4, 9}, {-2, 7}, {-3, -9}};

static void plan_villages(struct p2_island *island, struct p2_kernel_random *random)
{
    static const int8_t sites[4][2] = {{-52, -22}, {38, -50}, {44, 40}, {-30, 50}};
    unsigned skip = p2_kernel_random_below(random, 4), used = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (i == skip) {
            island->lake[0] = 128 + sites[i][0] * 3 / 4;
            island->lake[1] = 128 + sites[i][1] * 3 / 4;
            continue;
        }
        int *village = island->village[used++];
        village[0] = 128 + sites[i][0] + p2_kernel_random_between(random, -6, 6);
        village[2] = 128 + sites[i][1] + p2_kernel_random_between(random, -6, 6);
    }
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        int *village = island->village[i];
        int ground = raw_ground(island, village[0], village[2]);
        village[1] = ground < P2_ISLAND_SEA + 2 ? P2_ISLAND_SEA + 2 : ground > 34 ? 34 : ground;
    }
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        const int *village = island->village[i];
        for (unsigned k = 0; k < POSTS; k++) {
            add_lamp(island, village[0] + post_at[k][0], village[1] + 3, village[2] + post_at[k][1],
                     12, 15);
        }
        for (unsigned k = 0; k < 2; k++) {
            add_lamp(island, village[0] + house_at[k][0], village[1] + 2,
                     village[2] + house_at[k][1], 11, 10);
        }
    }
}

static void plan_caves(struct p2_island *island, struct p2_kernel_random *random)
{
    for (unsigned i = 0; i < P2_ISLAND_CAVES; i++) {
        int best_x = 128, best_z = 128, best = -1;
        for (unsigned k = 0; k < 12; k++) { /* the steepest of a few places */
            int x = p2_kernel_random_between(random, 70, 186);
            int z = p2_kernel_random_between(random, 70, 186);
            int rise = p2_island_ground(island, x + 8, z) - p2_island_ground(island, x, z);
            if (rise > best && p2_island_ground(island, x, z) > P2_ISLAND_SEA + 1) {
                best = rise, best_x = x, best_z = z;
            }
        }
        island->cave[i][0] = best_x;
        island->cave[i][1] = p2_island_ground(island, best_x, best_z) + 1;
        island->cave[i][2] = best_z;
        island->cave[i][3] = 16;
        island->cave[i][4] = p2_kernel_random_between(random, -8, 8);
        add_lamp(island, best_x + 10, island->cave[i][1], best_z + island->cave[i][4] * 10 / 16, 11,
                 12);
    }
}

void p2_island_start(struct p2_island *island, uint64_t seed)
{
    struct p2_kernel_random random = p2_kernel_random_start(seed, 0);
    memset(island, 0, sizeof *island);
    island->seed = p2_kernel_random_u32(&random);
    plan_villages(island, &random);
    plan_caves(island, &random);
}

/* ---- drawing -------------------------------------------------------------------------------- */

struct canvas {
    uint8_t *voxels;
    int x0, z0; /* of the chunk */
};

static uint8_t *voxel_at(const struct canvas *canvas, int x, int y, int z)
{
    int dx = x - canvas->x0, dz = z - canvas->z0;
    if (dx < 0 || dx >= P2_VOXEL_CHUNK || dz < 0 || dz >= P2_VOXEL_CHUNK || y < 0 ||
        y >= P2_VOXEL_SIZE_Y) {
        return NULL;
    }
    return canvas->voxels + (size_t)(dz * P2_VOXEL_CHUNK + dx) * P2_VOXEL_SIZE_Y + y;
}

static void put(const struct canvas *canvas, int x, int y, int z, enum p2_material material)
{
    uint8_t *voxel = voxel_at(canvas, x, y, z);
    if (voxel != NULL) {
        *voxel = (uint8_t)material;
    }
}

/* `slope`: how much higher the ground is at x + 1. */
static void draw_column(const struct p2_island *island, const struct canvas *canvas, int x, int z,
                        int ground, int slope)
{
    uint8_t *column = voxel_at(canvas, x, 0, z);
    int ragged = (int)(hash3(island->seed + 7, x, z) & 3u);
    enum p2_material cover = P2_MATERIAL_GRASS, under = P2_MATERIAL_DIRT;
    if (ground <= P2_ISLAND_SEA + 1) {
        cover = under = P2_MATERIAL_SAND;
    } else if (ground + ragged > 46) {
        cover = P2_MATERIAL_CLOUD;
        under = P2_MATERIAL_STONE;
    } else if (slope > 2 || slope < -2 || ground + ragged > 40) {
        cover = under = P2_MATERIAL_STONE;
    }
    for (int y = 0; y < ground; y++) {
        bool is_ore = y < ground - 4 && (hash3(island->seed + 9, x * 64 + y, z) & 127u) == 0;
        column[y] = (uint8_t)(y == ground - 1   ? cover
                              : y >= ground - 4 ? under
                              : is_ore          ? P2_MATERIAL_ORE
                                                : P2_MATERIAL_STONE);
    }
    for (int y = ground; y < P2_ISLAND_SEA; y++) {
        column[y] = P2_MATERIAL_WATER;
    }
}

static void draw_cave(const struct p2_island *island, const struct canvas *canvas, unsigned index)
{
    const int *cave = island->cave[index];
    for (int i = 0; i < CAVE_STEPS; i++) {
        int mx = cave[0] + cave[3] * i * 2 / 16, mz = cave[2] + cave[4] * i * 2 / 16;
        int my = cave[1], radius = 3;
        for (int dz = -radius; dz <= radius; dz++) {
            for (int dx = -radius; dx <= radius; dx++) {
                for (int dy = -1; dy <= radius; dy++) {
                    uint8_t *voxel = voxel_at(canvas, mx + dx, my + dy, mz + dz);
                    if (voxel != NULL && *voxel != P2_MATERIAL_WATER &&
                        dx * dx + dy * dy + dz * dz <= radius * radius) {
                        *voxel = 0;
                    }
                }
            }
        }
    }
}

static bool is_near_village(const struct p2_island *island, int x, int z)
{
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        if (squared(x - island->village[i][0], z - island->village[i][2]) < 21 * 21) {
            return true;
        }
    }
    return false;
}

static void draw_tree(const struct p2_island *island, const struct canvas *canvas, int cell_x,
                      int cell_z)
{
    uint32_t h = hash3(island->seed + 11, cell_x, cell_z);
    int x = cell_x * TREE_CELL + (int)(h & 7u) % TREE_CELL;
    int z = cell_z * TREE_CELL + (int)(h >> 4 & 7u) % TREE_CELL;
    int ground = p2_island_ground(island, x, z), wood = noise(island->seed + 5, x, z, 34);
    if (ground < P2_ISLAND_SEA + 2 || ground > 39 || is_near_village(island, x, z) ||
        (int)(h >> 8 & 255u) > wood + 10 || wood < 90) {
        return;
    }
    int trunk = 4 + (int)(h >> 16 & 3u), radius = 2 + (int)(h >> 18 & 1u);
    int top = ground + trunk;
    for (int dy = -radius; dy <= radius; dy++) {
        for (int dz = -radius; dz <= radius; dz++) {
            for (int dx = -radius; dx <= radius; dx++) {
                uint8_t *voxel = voxel_at(canvas, x + dx, top + dy, z + dz);
                bool is_ragged = (hash3(h, x + dx + dy * 64, z + dz) & 7u) == 0;
                int distance = dx * dx + dy * dy + dz * dz - (is_ragged ? 0 : radius);
                if (voxel != NULL && *voxel == 0 && distance <= radius * radius) {
                    *voxel = P2_MATERIAL_LEAVES;
                }
            }
        }
    }
    for (int y = ground; y < top; y++) {
        put(canvas, x, y, z, P2_MATERIAL_WOOD);
    }
}

/* A house of 9 x 7 with a ridged roof, a door to the south and windows. */
static void draw_house(const struct canvas *canvas, int mx, int ground, int mz, bool has_lamp)
{
    for (int dz = -3; dz <= 3; dz++) {
        for (int dx = -4; dx <= 4; dx++) {
            bool is_wall = dx == -4 || dx == 4 || dz == -3 || dz == 3;
            bool is_corner = (dx == -4 || dx == 4) && (dz == -3 || dz == 3);
            bool is_window = is_wall && !is_corner && (dx == -2 || dx == 2 || dz == 0);
            put(canvas, mx + dx, ground - 1, mz + dz, P2_MATERIAL_STONE);
            for (int y = 0; y < 4; y++) {
                enum p2_material material = !is_wall                          ? P2_MATERIAL_SKY
                                            : is_corner                       ? P2_MATERIAL_WOOD
                                            : is_window && (y == 1 || y == 2) ? P2_MATERIAL_GLASS
                                                                              : P2_MATERIAL_PLANKS;
                if (dz == 3 && dx == 0 && y < 3) {
                    material = P2_MATERIAL_SKY;
                }
                put(canvas, mx + dx, ground + y, mz + dz, material);
            }
        }
    }
    for (int dx = -5; dx <= 5; dx++) {
        for (int dz = -4; dz <= 4; dz++) {
            int rise = 4 - (dz < 0 ? -dz : dz);
            put(canvas, mx + dx, ground + 4 + rise, mz + dz, P2_MATERIAL_ROOF);
            for (int y = 4; (dx == -4 || dx == 4) && y < 4 + rise; y++) {
                put(canvas, mx + dx, ground + y, mz + dz, P2_MATERIAL_PLANKS);
            }
        }
    }
    put(canvas, mx + 2, ground + 8, mz - 2, P2_MATERIAL_STONE);
    put(canvas, mx + 2, ground + 7, mz - 2, P2_MATERIAL_STONE);
    if (has_lamp) {
        put(canvas, mx, ground + 2, mz, P2_MATERIAL_LANTERN);
    }
}

static void draw_village(const struct p2_island *island, const struct canvas *canvas,
                         unsigned index)
{
    const int *village = island->village[index];
    for (unsigned i = 0; i < POSTS; i++) {
        int x = village[0] + post_at[i][0], z = village[2] + post_at[i][1];
        for (int y = 0; y < 3; y++) {
            put(canvas, x, village[1] + y, z, P2_MATERIAL_WOOD);
        }
        put(canvas, x, village[1] + 3, z, P2_MATERIAL_LANTERN);
    }
    for (int d = -12; d <= 12; d++) { /* two paths of trodden earth */
        for (int w = 0; w < 2; w++) {
            put(canvas, village[0] + d, village[1] - 1, village[2] + 2 + w, P2_MATERIAL_DIRT);
            put(canvas, village[0] + 1 + w, village[1] - 1, village[2] + d, P2_MATERIAL_DIRT);
        }
    }
    for (unsigned i = 0; i < HOUSES; i++) {
        draw_house(canvas, village[0] + house_at[i][0], village[1], village[2] + house_at[i][1],
                   i < 2);
    }
}

void p2_island_chunk(const struct p2_island *island, unsigned cx, unsigned cz, uint8_t *voxels)
{
    struct canvas canvas = {voxels, (int)cx * P2_VOXEL_CHUNK, (int)cz * P2_VOXEL_CHUNK};
    memset(voxels, 0, P2_CHUNK_VOXELS);
    for (int z = canvas.z0; z < canvas.z0 + P2_VOXEL_CHUNK; z++) {
        int ground = p2_island_ground(island, canvas.x0, z);
        for (int x = canvas.x0; x < canvas.x0 + P2_VOXEL_CHUNK; x++) {
            int next = p2_island_ground(island, x + 1, z);
            draw_column(island, &canvas, x, z, ground, next - ground);
            ground = next;
        }
    }
    for (unsigned i = 0; i < P2_ISLAND_CAVES; i++) {
        draw_cave(island, &canvas, i);
    }
    int first_x = (canvas.x0 - FEATURE_REACH) / TREE_CELL - 1;
    int first_z = (canvas.z0 - FEATURE_REACH) / TREE_CELL - 1;
    int count = (P2_VOXEL_CHUNK + 2 * FEATURE_REACH) / TREE_CELL + 3;
    for (int z = first_z; z < first_z + count; z++) {
        for (int x = first_x; x < first_x + count; x++) {
            draw_tree(island, &canvas, x, z);
        }
    }
    for (unsigned i = 0; i < P2_ISLAND_VILLAGES; i++) {
        draw_village(island, &canvas, i);
    }
    for (unsigned i = 0; i < island->lamp_count; i++) {
        const struct p2_island_lamp *lamp = &island->lamps[i];
        put(&canvas, lamp->x, lamp->y, lamp->z, P2_MATERIAL_LANTERN);
    }
}
