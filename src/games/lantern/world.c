/* The island: how it begins, where one can walk, what is in sight. */
#include "lantern.h"

#include <stdlib.h>

/* ---- walking -------------------------------------------------------------------------------- */

#define FEET_BELOW 4 /* how far from the natural ground feet are looked for */
#define FEET_ABOVE 7
#define CLIMB      2 /* voxels one can clamber up */

static bool is_floor(uint8_t material)
{
    return lan_is_solid(material) && material != P2C2R_LEAVES;
}

static bool is_passable(uint8_t material)
{
    return material == P2C2R_AIR || material == P2C2R_LEAVES;
}

/* Where feet stand in a column: the place nearest to the natural ground; 0: nowhere. */
static uint8_t find_stand(const struct lan *lan, int x, int z)
{
    const uint8_t *column = lan->s->voxels + lan_at(x, 0, z);
    const int base = lan->s->base[lan_cell(x, z)];
    int best = 0, best_distance = LAN_HEIGHT;
    const int low = base > FEET_BELOW ? base - FEET_BELOW : 1;
    for (int y = low; y <= base + FEET_ABOVE && y < LAN_HEIGHT - 2; y++) {
        const int distance = y < base ? base - y : y - base;
        if (distance < best_distance && is_floor(column[y - 1]) && is_passable(column[y]) &&
            is_passable(column[y + 1])) {
            best = y;
            best_distance = distance;
        }
    }
    return (uint8_t)best;
}

static uint8_t find_open(const struct lan *lan, int x, int z)
{
    static const int8_t sides[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    const int here = lan->stand[lan_cell(x, z)];
    if (here == 0 || x < 1 || z < 1 || x > LAN_SIDE - 2 || z > LAN_SIDE - 2) {
        return 0;
    }
    for (unsigned i = 0; i < 4; i++) { /* the upper edge of a wall or cliff is no way */
        const int there = lan->stand[lan_cell(x + sides[i][0], z + sides[i][1])];
        if (there != 0 && here - there > CLIMB) {
            return 0;
        }
    }
    return 1;
}

static void derive_column(struct lan *lan, int x, int z)
{
    lan->stand[lan_cell(x, z)] = find_stand(lan, x, z);
}

/* The topmost natural material of a column: what villages and walls stand on. */
uint8_t lan_world_base(const struct lan_state *s, int x, int z)
{
    const uint8_t *column = s->voxels + lan_at(x, 0, z);
    for (int y = LAN_HEIGHT - 1; y > 0; y--) {
        switch (column[y]) {
        case P2C2R_GRASS:
        case P2C2R_DIRT:
        case P2C2R_SAND:
        case P2C2R_SNOW:
            return (uint8_t)(y + 1);
        case P2C2R_STONE:
        case P2C2R_ORE: /* a chimney stands on planks, rock on rock */
            if (column[y - 1] == P2C2R_STONE || column[y - 1] == P2C2R_ORE ||
                column[y - 1] == P2C2R_DIRT) {
                return (uint8_t)(y + 1);
            }
            break;
        default:
            break;
        }
    }
    return 1;
}

void lan_world_derive(struct lan *lan)
{
    for (int z = 0; z < LAN_SIDE; z++) {
        for (int x = 0; x < LAN_SIDE; x++) {
            derive_column(lan, x, z);
        }
    }
    for (int z = 0; z < LAN_SIDE; z++) {
        for (int x = 0; x < LAN_SIDE; x++) {
            lan->open[lan_cell(x, z)] = find_open(lan, x, z);
        }
    }
}

void lan_world_set(struct lan *lan, int x, int y, int z, uint8_t material)
{
    uint8_t *voxel;
    if (!lan_is_inside(x, y, z) || y == 0) {
        return;
    }
    voxel = &lan->s->voxels[lan_at(x, y, z)];
    if (*voxel == material) {
        return;
    }
    const bool matters =
        is_floor(*voxel) != is_floor(material) || is_passable(*voxel) != is_passable(material);
    *voxel = material;
    const int chunk = (z >> 4) * 16 + (x >> 4);
    lan->is_changed[chunk] = true;
    lan->version[chunk]++;
    if (!matters) {
        return;
    }
    derive_column(lan, x, z);
    for (int dz = -1; dz <= 1; dz++) {
        for (int dx = -1; dx <= 1; dx++) {
            if (lan_is_inside(x + dx, 0, z + dz)) {
                lan->open[lan_cell(x + dx, z + dz)] = find_open(lan, x + dx, z + dz);
            }
        }
    }
}

void lan_world_refresh(struct lan *lan, int x, int z, int side)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int j = z - pass; j < z + side + pass; j++) {
            for (int i = x - pass; i < x + side + pass; i++) {
                if (!lan_is_inside(i, 0, j)) {
                    continue;
                }
                const int chunk = (j >> 4) * 16 + (i >> 4);
                if (pass == 0) {
                    derive_column(lan, i, j);
                    lan->is_changed[chunk] = true;
                } else {
                    lan->open[lan_cell(i, j)] = find_open(lan, i, j);
                }
            }
        }
    }
    for (int j = z >> 4; j <= (z + side - 1) >> 4; j++) {
        for (int i = x >> 4; i <= (x + side - 1) >> 4; i++) {
            lan->version[j * 16 + i]++;
        }
    }
}

/* ---- sight ---------------------------------------------------------------------------------- */

/* Walks in steps of half a voxel: exact enough for eyes, and one multiplication a step. */
bool lan_world_sees(const struct lan_state *s, const int32_t from[3], const int32_t to[3])
{
    int32_t d[3], longest = 1;
    for (unsigned i = 0; i < 3; i++) {
        d[i] = to[i] - from[i];
        const int32_t size = d[i] < 0 ? -d[i] : d[i];
        longest = size > longest ? size : longest;
    }
    const int32_t steps = longest / (LAN_ONE / 2) + 1;
    for (int32_t i = 1; i < steps; i++) {
        int at[3];
        for (unsigned k = 0; k < 3; k++) {
            at[k] = (from[k] + (int32_t)((int64_t)d[k] * i / steps)) >> 8;
        }
        const uint8_t material = lan_voxel(s, at[0], at[1], at[2]);
        if (lan_is_solid(material) && material != P2C2R_GLASS) {
            return false;
        }
    }
    return true;
}

bool lan_world_ray(const struct lan_state *s, const int32_t from[3], const int32_t direction[3],
                   int32_t reach, int ret_hit[3], int ret_before[3])
{
    int last[3] = {from[0] >> 8, from[1] >> 8, from[2] >> 8};
    for (int32_t t = 0; t <= reach; t += LAN_ONE / 8) {
        int at[3];
        for (unsigned k = 0; k < 3; k++) {
            at[k] = (from[k] + (int32_t)((int64_t)direction[k] * t / 65536)) >> 8;
        }
        if (lan_is_solid(lan_voxel(s, at[0], at[1], at[2]))) {
            for (unsigned k = 0; k < 3; k++) {
                ret_hit[k] = at[k];
                ret_before[k] = last[k];
            }
            return true;
        }
        for (unsigned k = 0; k < 3; k++) {
            last[k] = at[k];
        }
    }
    return false;
}

int lan_world_light(const struct lan_state *s, const int32_t at[3])
{
    int light = 0;
    for (unsigned i = 0; i < s->lamp_count; i++) {
        const struct lan_lamp *lamp = &s->lamps[i];
        const int dx = (at[0] >> 8) - lamp->x, dy = (at[1] >> 8) - lamp->y;
        const int dz = (at[2] >> 8) - lamp->z;
        const int squared = dx * dx + dy * dy + dz * dz, radius = lamp->radius;
        if (lamp->is_lit != 0 && squared < radius * radius) {
            light += lamp->level * (radius * radius - squared) / (radius * radius);
        }
    }
    return light > 12 ? 12 : light;
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void put(struct lan_state *s, int x, int y, int z, uint8_t material)
{
    if (lan_is_inside(x, y, z)) {
        s->voxels[lan_at(x, y, z)] = material;
    }
}

static void add_lamp(struct lan_state *s, int x, int y, int z, unsigned level, unsigned radius)
{
    if (s->lamp_count < LAN_LAMPS && lan_is_inside(x, y, z)) {
        s->lamps[s->lamp_count++] = (struct lan_lamp){(uint8_t)x,     (uint8_t)y,      (uint8_t)z,
                                                      (uint8_t)level, (uint8_t)radius, 1};
        put(s, x, y, z, P2C2R_LANTERN);
    }
}

static int ground_at(const struct lan_state *s, int x, int z)
{
    return lan_is_inside(x, 0, z) ? lan_world_base(s, x, z) : LAN_SEA;
}

#define PALISADE 20 /* voxels from a village's middle */

/* A fence of logs around a village, with a gate to each side and lanterns at the gates. */
static void fence(struct lan_state *s, const uint8_t village[3])
{
    for (int d = -PALISADE; d <= PALISADE; d++) {
        const int sides[4][2] = {{village[0] + d, village[2] - PALISADE},
                                 {village[0] + d, village[2] + PALISADE},
                                 {village[0] - PALISADE, village[2] + d},
                                 {village[0] + PALISADE, village[2] + d}};
        for (unsigned i = 0; i < 4; i++) {
            const int x = sides[i][0], z = sides[i][1], ground = ground_at(s, x, z);
            const bool is_gate = d >= -2 && d <= 2;
            const bool is_post = d == -3 || d == 3;
            if (ground <= LAN_SEA || is_gate) {
                continue;
            }
            const int height = is_post ? 5 : 3 + ((x * 7 + z * 5) & 1);
            for (int y = 0; y < height; y++) {
                put(s, x, ground + y, z, P2C2R_WOOD);
            }
            if (d == 3 && (i & 1u) != 0) {
                add_lamp(s, x, ground + height, z, 7, 12);
            }
        }
    }
}

#define POND 7 /* half a side of the pond */

/* A pond held up by stone walls beside the first village: a breach floods the streets. */
static void dam(struct lan_state *s)
{
    const int mx = s->village[0][0] + (s->village[0][0] < 128 ? 1 : -1) * (PALISADE + POND + 3);
    const int mz = s->village[0][2];
    const int ground = s->village[0][1];
    s->pond[0] = (uint8_t)mx;
    s->pond[1] = (uint8_t)mz;
    for (int dz = -POND; dz <= POND; dz++) {
        for (int dx = -POND; dx <= POND; dx++) {
            const bool is_wall = dx == -POND || dx == POND || dz == -POND || dz == POND;
            for (int y = ground - 5; y < ground + 12; y++) {
                const uint8_t inside = y < ground ? P2C2R_STONE : y < ground + 4 ? P2C2R_WATER : 0;
                const uint8_t wall = y < ground + 5 ? P2C2R_STONE : 0;
                put(s, mx + dx, y, mz + dz, is_wall ? wall : inside);
            }
        }
    }
    add_lamp(s, mx - POND, ground + 5, mz - POND, 6, 11);
    add_lamp(s, mx + POND, ground + 5, mz + POND, 6, 11);
}

/* A row of pines' crowns would hide the night: only what stands on lamps is cleared. */
static void copy_island(struct lan_state *s, const struct p2c2r_island *island, uint8_t *scratch)
{
    for (uint32_t cz = 0; cz < 8; cz++) {
        for (uint32_t cx = 0; cx < 8; cx++) {
            p2c2r_island_chunk(island, cx, cz, scratch);
            for (int i = 0; i < 1024; i++) {
                const int x = (int)cx * 32 + (i & 31), z = (int)cz * 32 + (i >> 5);
                memcpy(s->voxels + lan_at(x, 0, z), scratch + (size_t)i * LAN_HEIGHT, LAN_HEIGHT);
            }
        }
    }
    for (uint32_t i = 0; i < island->lamp_count; i++) {
        add_lamp(s, island->lamps[i].x, island->lamps[i].y, island->lamps[i].z, 7, 13);
    }
}

void lan_world_make(struct lan *lan, uint64_t seed)
{
    struct lan_state *s = lan->s;
    struct p2c2r_island island;
    uint8_t *scratch = lan->input; /* 64 KiB of it */
    p2c2r_island_start(&island, seed);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 3; k++) {
            s->village[i][k] = (uint8_t)island.village[i][k];
        }
    }
    copy_island(s, &island, scratch);
    for (int i = 0; i < LAN_SIDE * LAN_SIDE; i++) {
        lan->s->base[i] = lan_world_base(s, i % LAN_SIDE, i / LAN_SIDE);
    }
    for (unsigned i = 0; i < 3; i++) {
        fence(s, s->village[i]);
    }
    dam(s);
    lan_world_derive(lan);
    memset(lan->is_changed, 1, sizeof lan->is_changed);
}
