/* Villagers and raiders: what they want, and how they walk there. */
#include "lantern.h"

#define VILLAGER_PACE 9 /* 1/256 voxel a frame: 2.1 voxels a second */
#define RAIDER_PACE   13
#define SAIL_FRAMES   (8 * LAN_HZ)
#define BLOW          40 /* frames between two blows */
#define DIG_FRAMES    50 /* a raider needs for a voxel of wall */

static const int8_t directions[8][2] = {{1, 0},  {1, 1},   {0, 1},  {-1, 1},
                                        {-1, 0}, {-1, -1}, {0, -1}, {1, -1}};

static int cell_of(int32_t at)
{
    const int cell = at >> 8;
    return cell < 0 ? 0 : cell > LAN_SIDE - 1 ? LAN_SIDE - 1 : cell;
}

unsigned lan_folk_count(const struct lan_state *s, bool are_villagers)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        const uint8_t kind = s->folk[i].kind;
        count += kind != LAN_NOBODY && (kind == LAN_VILLAGER) == are_villagers;
    }
    return count;
}

unsigned lan_folk_add(struct lan *lan, enum lan_kind kind, int x, int z)
{
    struct lan_state *s = lan->s;
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        struct lan_folk *f = &s->folk[i];
        if (f->kind != LAN_NOBODY || f->speech > 0) {
            continue;
        }
        const uint16_t ask = f->ask;
        memset(f, 0, sizeof *f);
        f->kind = (uint8_t)kind;
        f->ask = ask; /* results for whoever was here before are not taken */
        f->hp = kind == LAN_VILLAGER ? 4 : kind == LAN_SAPPER ? 4 : 3;
        f->target = LAN_FOLK;
        f->at[0] = x * LAN_ONE + 128;
        f->at[1] = lan->stand[lan_cell(x, z)] * LAN_ONE;
        f->at[2] = z * LAN_ONE + 128;
        f->goal[0] = (uint8_t)x;
        f->goal[1] = (uint8_t)z;
        f->wait = (uint16_t)(1 + lan_random(lan, 60));
        return i;
    }
    return LAN_FOLK;
}

void lan_folk_hurt(struct lan *lan, unsigned folk, unsigned damage, uint32_t player)
{
    struct lan_state *s = lan->s;
    struct lan_folk *f = &s->folk[folk];
    if (f->kind == LAN_NOBODY) {
        return;
    }
    lan_event(s, P2C2R_EVENT_HIT, damage, f->at);
    if (damage < f->hp) {
        f->hp = (uint8_t)(f->hp - damage);
        return;
    }
    lan_event(s, P2C2R_EVENT_CRY, f->kind, f->at);
    if (f->kind == LAN_VILLAGER) {
        s->fallen++;
        s->score -= 50;
    } else {
        s->score += 10;
        if (player < LAN_PLAYERS) {
            s->players[player].kills++;
        }
    }
    f->kind = LAN_NOBODY;
    f->speech = 0;
    f->wish = LAN_NO_PATH;
}

void lan_folk_reconsider(struct lan *lan, int x, int z)
{
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        struct lan_folk *f = &lan->s->folk[i];
        const int dx = cell_of(f->at[0]) - x, dz = cell_of(f->at[2]) - z;
        if (f->kind >= LAN_RAIDER && f->wish == LAN_NO_PATH && dx * dx + dz * dz < 40 * 40 &&
            f->doing != LAN_SAILING && f->steps > 0 && f->step + 4 < f->steps) {
            f->wish = LAN_WANTS_PATH;
        }
    }
}

/* ---- choosing ------------------------------------------------------------------------------- */

static int64_t squared_distance(const int32_t a[3], const int32_t b[3])
{
    const int64_t dx = a[0] - b[0], dy = a[1] - b[1], dz = a[2] - b[2];
    return dx * dx + dy * dy + dz * dz;
}

static unsigned nearest_villager(const struct lan_state *s, const struct lan_folk *from)
{
    unsigned best = LAN_FOLK;
    int64_t best_distance = INT64_MAX;
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        if (s->folk[i].kind == LAN_VILLAGER) {
            const int64_t distance = squared_distance(s->folk[i].at, from->at);
            if (distance < best_distance) {
                best = i;
                best_distance = distance;
            }
        }
    }
    return best;
}

static void go_to(struct lan_folk *f, int x, int z)
{
    f->goal[0] = (uint8_t)x;
    f->goal[1] = (uint8_t)z;
    f->wish = LAN_WANTS_PATH;
    f->doing = LAN_WALKING;
}

/* A walkable cell near (x, z), else (x, z) itself. */
static void free_cell(struct lan *lan, int x, int z, int spread, int ret_cell[2])
{
    ret_cell[0] = x;
    ret_cell[1] = z;
    for (unsigned i = 0; i < 6; i++) {
        const int tx = x - spread + (int)lan_random(lan, (uint32_t)spread * 2 + 1);
        const int tz = z - spread + (int)lan_random(lan, (uint32_t)spread * 2 + 1);
        if (lan_is_inside(tx, 0, tz) && lan->open[lan_cell(tx, tz)] != 0) {
            ret_cell[0] = tx;
            ret_cell[1] = tz;
            return;
        }
    }
}

static void think_villager(struct lan *lan, struct lan_folk *f)
{
    const struct lan_state *s = lan->s;
    int cell[2];
    if (s->phase == LAN_PHASE_WON) {
        f->doing = LAN_CHEERING;
        f->wait = 60;
        return;
    }
    const uint8_t *village = s->village[f->home];
    free_cell(lan, village[0], village[2], s->phase == LAN_PHASE_DUSK ? 15 : 10, cell);
    go_to(f, cell[0], cell[1]);
    f->wait = (uint16_t)(240 + lan_random(lan, 360));
}

static void think_raider(struct lan *lan, struct lan_folk *f)
{
    const struct lan_state *s = lan->s;
    f->wait = (uint16_t)(90 + lan_random(lan, 60));
    if (s->phase >= LAN_PHASE_WON) { /* morning: away from the light */
        f->doing = LAN_FLEEING;
        return;
    }
    f->target = (uint8_t)nearest_villager(s, f);
    if (f->kind == LAN_SAPPER && s->waves % 2 == 0) { /* some go for the dam */
        go_to(f, s->pond[0], s->pond[1] + 8);
    } else if (f->target < LAN_FOLK) {
        const struct lan_folk *victim = &s->folk[f->target];
        go_to(f, cell_of(victim->at[0]), cell_of(victim->at[2]));
    }
}

/* ---- walking -------------------------------------------------------------------------------- */

static void settle(const struct lan *lan, struct lan_folk *f)
{
    const int32_t ground = lan->stand[lan_cell(cell_of(f->at[0]), cell_of(f->at[2]))] * LAN_ONE;
    if (ground != 0) {
        const int32_t rise = ground - f->at[1];
        f->at[1] += rise > 40 ? 40 : rise < -60 ? -60 : rise;
    }
}

static void towards(struct lan_folk *f, int32_t x, int32_t z, int32_t pace)
{
    const int32_t dx = x - f->at[0], dz = z - f->at[2];
    f->at[0] += dx > pace ? pace : dx < -pace ? -pace : dx;
    f->at[2] += dz > pace ? pace : dz < -pace ? -pace : dz;
}

/* A step along the path; false when it is over or its next cell is blocked. */
static bool follow(const struct lan *lan, struct lan_folk *f, int32_t pace)
{
    if (f->step >= f->steps) {
        return false;
    }
    const unsigned way = f->path[f->step] & 7u;
    const int x = cell_of(f->at[0]), z = cell_of(f->at[2]);
    const int nx = x + directions[way][0], nz = z + directions[way][1];
    f->yaw = (uint8_t)(64 - 32 * (int)way);
    if (!lan_is_inside(nx, 0, nz) || lan->open[lan_cell(nx, nz)] == 0) {
        return false;
    }
    towards(f, nx * LAN_ONE + 128, nz * LAN_ONE + 128, pace);
    if (cell_of(f->at[0]) == nx && cell_of(f->at[2]) == nz) {
        f->step++;
    }
    return true;
}

/* A raider without a way makes one: it takes away what stands between it and its goal. */
static void dig(struct lan *lan, struct lan_folk *f)
{
    const int x = cell_of(f->at[0]), z = cell_of(f->at[2]), y = f->at[1] >> 8;
    const int dx = f->goal[0] - x, dz = f->goal[1] - z;
    const int ax = dx < 0 ? -dx : dx, az = dz < 0 ? -dz : dz;
    const int nx = x + (2 * ax >= az ? (dx > 0) - (dx < 0) : 0);
    const int nz = z + (2 * az > ax ? (dz > 0) - (dz < 0) : 0);
    f->doing = LAN_DIGGING;
    if (!lan_is_inside(nx, 0, nz)) {
        return;
    }
    const int there = lan->stand[lan_cell(nx, nz)];
    if (there != 0 && there - y <= 2 && y - there <= 3) { /* free: just go */
        towards(f, nx * LAN_ONE + 128, nz * LAN_ONE + 128, RAIDER_PACE / 2);
        return;
    }
    if (++f->digs < DIG_FRAMES) {
        return;
    }
    f->digs = 0;
    for (int h = y + 2; h >= y; h--) {
        if (lan_is_solid(lan_voxel(lan->s, nx, h, nz))) {
            const int32_t at[3] = {nx * LAN_ONE, h * LAN_ONE, nz * LAN_ONE};
            lan_event(lan->s, P2C2R_EVENT_DIG, 1, at);
            lan_world_set(lan, nx, h, nz, P2C2R_AIR);
            lan_ruin_disturb(lan, nx, h, nz);
            return;
        }
    }
    f->wish = LAN_WANTS_PATH; /* water or a cliff: perhaps there is another way by now */
}

static void sail(struct lan *lan, struct lan_folk *f)
{
    const int32_t left = f->wait;
    const int32_t to[2] = {f->goal[0] * LAN_ONE + 128, f->goal[1] * LAN_ONE + 128};
    for (unsigned i = 0; i < 2; i++) {
        f->at[i * 2] = to[i] + (int32_t)((int64_t)(f->from[i] - to[i]) * left / SAIL_FRAMES);
    }
    f->at[1] = LAN_SEA * LAN_ONE;
    f->yaw = (uint8_t)(to[0] > f->from[0] ? 64 : 192);
    if (f->wait == 0) {
        f->doing = LAN_IDLE;
        lan->s->landed++;
        settle(lan, f);
    } else {
        f->wait--;
    }
}

/* The nearest player in reach, or LAN_PLAYERS. */
static unsigned player_near(const struct lan_state *s, const struct lan_folk *f, int32_t reach)
{
    for (unsigned i = 0; i < LAN_PLAYERS; i++) {
        if (s->players[i].is_here != 0 && s->players[i].hp > 0 &&
            squared_distance(s->players[i].at, f->at) < (int64_t)reach * reach) {
            return i;
        }
    }
    return LAN_PLAYERS;
}

/* True when it was busy fighting. */
static bool fight(struct lan *lan, struct lan_folk *f)
{
    struct lan_state *s = lan->s;
    const unsigned player = player_near(s, f, LAN_ONE * 7 / 4);
    const bool is_near = f->target < LAN_FOLK && s->folk[f->target].kind == LAN_VILLAGER &&
                         squared_distance(s->folk[f->target].at, f->at) <
                             (int64_t)(LAN_ONE * 7 / 4) * (LAN_ONE * 7 / 4);
    if (player == LAN_PLAYERS && !is_near) {
        return false;
    }
    f->doing = LAN_FIGHTING;
    if (f->wait > BLOW) {
        f->wait = BLOW;
    }
    if (f->wait == 0) {
        f->wait = BLOW;
        if (player < LAN_PLAYERS) {
            lan_player_hurt(lan, player, 1);
        } else {
            lan_folk_hurt(lan, f->target, 1, LAN_PLAYERS);
        }
    }
    return true;
}

static void burst(struct lan *lan, struct lan_folk *f)
{
    const int32_t speed[3] = {0, 3 * 65536, 0};
    int32_t at[3] = {f->at[0], f->at[1] + LAN_ONE, f->at[2]};
    if (lan_ruin_throw(lan, at, speed, LAN_BOMB, P2C2R_STONE, 60, LAN_PLAYERS)) {
        f->kind = LAN_RAIDER; /* its one charge is spent */
    }
}

static void tick_raider(struct lan *lan, struct lan_folk *f)
{
    if (f->doing == LAN_FLEEING) {
        lan_event(lan->s, P2C2R_EVENT_CRY, 0, f->at);
        f->kind = LAN_NOBODY; /* the light takes them */
        f->speech = 0;
        f->wish = LAN_NO_PATH;
        return;
    }
    if (fight(lan, f)) {
        f->wait = f->wait > 0 ? (uint16_t)(f->wait - 1) : 0;
        return;
    }
    const bool was_walking = follow(lan, f, RAIDER_PACE);
    if (was_walking) {
        f->doing = LAN_WALKING;
    } else if (f->wish == LAN_NO_PATH && f->doing != LAN_IDLE) {
        const int dx = cell_of(f->at[0]) - f->goal[0], dz = cell_of(f->at[2]) - f->goal[1];
        if (f->kind == LAN_SAPPER && dx * dx + dz * dz < 25) {
            burst(lan, f);
        }
        dig(lan, f);
    }
    settle(lan, f);
    if (f->wait == 0) {
        think_raider(lan, f);
    } else {
        f->wait--;
    }
}

static void tick_villager(struct lan *lan, struct lan_folk *f)
{
    if (follow(lan, f, lan->s->phase == LAN_PHASE_NIGHT ? VILLAGER_PACE + 3 : VILLAGER_PACE)) {
        f->doing = LAN_WALKING;
    } else if (f->doing == LAN_WALKING && f->wish == LAN_NO_PATH) {
        f->doing = LAN_IDLE;
    }
    settle(lan, f);
    if (f->wait == 0) {
        think_villager(lan, f);
    } else {
        f->wait--;
    }
}

/* Who stands in water up to the neck drowns in time. */
static void drown(struct lan *lan, unsigned folk)
{
    const struct lan_folk *f = &lan->s->folk[folk];
    if (f->doing != LAN_SAILING && (lan->s->frame + folk) % 60 == 0 &&
        lan_voxel(lan->s, f->at[0] >> 8, (f->at[1] >> 8) + 1, f->at[2] >> 8) == P2C2R_WATER) {
        lan_folk_hurt(lan, folk, 1, LAN_PLAYERS);
    }
}

void lan_folk_tick(struct lan *lan)
{
    struct lan_state *s = lan->s;
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        struct lan_folk *f = &s->folk[i];
        f->speech = f->speech > 0 ? (uint16_t)(f->speech - 1) : 0;
        if (f->kind == LAN_NOBODY) {
            f->speech = 0;
        } else if (f->doing == LAN_SAILING) {
            sail(lan, f);
        } else if (f->kind == LAN_VILLAGER) {
            tick_villager(lan, f);
            drown(lan, i);
        } else {
            tick_raider(lan, f);
            drown(lan, i);
        }
    }
}
