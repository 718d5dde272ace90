/* Gamers: walking, digging, building, throwing. */
#include "lantern.h"

#define WIDE     77  /* half a player's width, 1/256 voxel */
#define TALL     440 /* 1.7 voxels */
#define EYES     400
#define WALK     20 /* 1/256 voxel a frame: 4.7 voxels a second */
#define JUMP     44
#define FALL     2 /* a frame and frame */
#define FALL_MAX 200
#define REACH    (5 * LAN_ONE)
#define SWING    9            /* frames between two strokes */
#define THROW    45           /* frames between two bombs */
#define FUSE     80           /* frames until a bomb bursts */
#define BACK     (5 * LAN_HZ) /* frames until a fallen player is back */
#define HP       10

static bool is_free(const struct lan_state *s, const int32_t at[3])
{
    const int low[3] = {(at[0] - WIDE) >> 8, at[1] >> 8, (at[2] - WIDE) >> 8};
    const int high[3] = {(at[0] + WIDE) >> 8, (at[1] + TALL) >> 8, (at[2] + WIDE) >> 8};
    for (int z = low[2]; z <= high[2]; z++) {
        for (int x = low[0]; x <= high[0]; x++) {
            for (int y = low[1]; y <= high[1]; y++) {
                const uint8_t material = lan_voxel(s, x, y, z);
                if (lan_is_solid(material) && material != P2C2R_LEAVES) {
                    return false;
                }
            }
        }
    }
    return true;
}

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

void lan_player_place(struct lan *lan, uint32_t player)
{
    struct lan_state *s = lan->s;
    struct lan_player *p = &s->players[player];
    static const int8_t spots[LAN_PLAYERS][2] = {{2, -4}, {-3, -4}, {3, 5}, {-4, 4}};
    const int x = s->village[0][0] + spots[player][0], z = s->village[0][2] + spots[player][1];
    int y = s->base[lan_cell(x, z)];
    int32_t at[3] = {x * LAN_ONE + 128, y * LAN_ONE, z * LAN_ONE + 128};
    while (!is_free(s, at) && y < LAN_HEIGHT) {
        at[1] = ++y * LAN_ONE;
    }
    memcpy(p->at, at, sizeof at);
    memset(p->speed, 0, sizeof p->speed);
    p->hp = HP;
}

/* One axis at a time, in steps below half a voxel, so that no wall is passed. */
static bool move_axis(const struct lan_state *s, struct lan_player *p, unsigned axis, int32_t by)
{
    while (by != 0) {
        const int32_t step = clamp(by, -100, 100);
        int32_t to[3] = {p->at[0], p->at[1], p->at[2]};
        to[axis] += step;
        if (axis != 1) {
            to[axis] = clamp(to[axis], 2 * LAN_ONE, (LAN_SIDE - 2) * LAN_ONE);
        }
        if (!is_free(s, to)) {
            return false;
        }
        p->at[axis] = to[axis];
        by -= step;
    }
    return true;
}

static void walk(const struct lan_state *s, struct lan_player *p)
{
    const int32_t sine = p2c2r_scene_sine(p->pad.yaw), cosine = p2c2r_scene_cosine(p->pad.yaw);
    const int32_t right = p->pad.right, forward = p->pad.forward;
    const bool is_wet =
        lan_voxel(s, p->at[0] >> 8, (p->at[1] + 100) >> 8, p->at[2] >> 8) == P2C2R_WATER;
    int32_t pace = is_wet ? WALK / 2 : WALK;
    if (right != 0 && forward != 0) {
        pace = pace * 181 / 256;
    }
    const int64_t vx = (int64_t)sine * forward + (int64_t)cosine * right;
    const int64_t vz = (int64_t)cosine * forward - (int64_t)sine * right;
    const int32_t by[2] = {(int32_t)(vx * pace / (127 * 65536)),
                           (int32_t)(vz * pace / (127 * 65536))};
    for (unsigned i = 0; i < 2; i++) {
        if (!move_axis(s, p, i * 2, by[i])) { /* a step of one voxel is taken, not stopped at */
            const int32_t feet = p->at[1];
            p->at[1] += LAN_ONE + 8;
            if (!is_free(s, p->at) || !move_axis(s, p, i * 2, by[i])) {
                p->at[1] = feet;
            }
        }
    }
    if ((p->pad.buttons & P2C2R_PAD_JUMP) != 0) {
        int32_t below[3] = {p->at[0], p->at[1] - 4, p->at[2]};
        if (is_wet) {
            p->speed[1] = JUMP / 2;
        } else if (p->speed[1] <= 0 && !is_free(s, below)) {
            p->speed[1] = JUMP;
        }
    }
    p->speed[1] =
        is_wet ? clamp(p->speed[1] - 1, -24, JUMP) : clamp(p->speed[1] - FALL, -FALL_MAX, JUMP);
    if (!move_axis(s, p, 1, p->speed[1])) {
        p->speed[1] = 0;
    }
}

static void look(const struct lan_player *p, int32_t ret_eye[3], int32_t ret_direction[3])
{
    const int64_t cosine = p2c2r_scene_cosine((uint16_t)p->pad.pitch);
    ret_eye[0] = p->at[0];
    ret_eye[1] = p->at[1] + EYES;
    ret_eye[2] = p->at[2];
    ret_direction[0] = (int32_t)(p2c2r_scene_sine(p->pad.yaw) * cosine / 65536);
    ret_direction[1] = p2c2r_scene_sine((uint16_t)p->pad.pitch);
    ret_direction[2] = (int32_t)(p2c2r_scene_cosine(p->pad.yaw) * cosine / 65536);
}

/* The raider in reach in front of a player, or LAN_FOLK. */
static unsigned struck(const struct lan_state *s, const int32_t eye[3], const int32_t direction[3])
{
    unsigned best = LAN_FOLK;
    int64_t best_along = 3 * LAN_ONE + LAN_ONE / 2;
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        const struct lan_folk *f = &s->folk[i];
        if (f->kind != LAN_RAIDER && f->kind != LAN_SAPPER) {
            continue;
        }
        const int64_t d[3] = {f->at[0] - eye[0], f->at[1] + LAN_ONE - eye[1], f->at[2] - eye[2]};
        const int64_t along =
            (d[0] * direction[0] + d[1] * direction[1] + d[2] * direction[2]) / 65536;
        const int64_t squared = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
        if (along > 0 && along < best_along && squared - along * along < LAN_ONE * LAN_ONE) {
            best = i;
            best_along = along;
        }
    }
    return best;
}

static void strike(struct lan *lan, uint32_t player)
{
    struct lan_state *s = lan->s;
    struct lan_player *p = &s->players[player];
    int32_t eye[3], direction[3];
    int hit[3], before[3];
    look(p, eye, direction);
    p->wait_hit = SWING;
    const unsigned raider = struck(s, eye, direction);
    if (raider < LAN_FOLK) {
        lan_folk_hurt(lan, raider, 2, player);
        return;
    }
    if (lan_world_ray(s, eye, direction, REACH, hit, before) && hit[1] > 0) {
        const int32_t at[3] = {hit[0] * LAN_ONE, hit[1] * LAN_ONE, hit[2] * LAN_ONE};
        const uint8_t material = lan_voxel(s, hit[0], hit[1], hit[2]);
        lan_event(s, P2C2R_EVENT_DIG, material, at);
        lan_world_set(lan, hit[0], hit[1], hit[2], P2C2R_AIR);
        p->blocks = p->blocks < 999 ? (uint16_t)(p->blocks + 1) : p->blocks;
        lan_ruin_disturb(lan, hit[0], hit[1], hit[2]);
        lan_folk_reconsider(lan, hit[0], hit[2]);
    }
}

/* What the slots of the hand build. */
static const uint8_t slot_materials[] = {P2C2R_PLANKS, P2C2R_STONE, P2C2R_DIRT, P2C2R_GLASS,
                                         P2C2R_LANTERN};

static bool is_taken(const struct lan_state *s, const int cell[3])
{
    for (unsigned i = 0; i < LAN_PLAYERS; i++) {
        const struct lan_player *p = &s->players[i];
        if (p->is_here != 0 && p->at[0] >> 8 == cell[0] && p->at[2] >> 8 == cell[2] &&
            cell[1] >= p->at[1] >> 8 && cell[1] <= (p->at[1] + TALL) >> 8) {
            return true;
        }
    }
    return false;
}

static void build(struct lan *lan, uint32_t player)
{
    struct lan_state *s = lan->s;
    struct lan_player *p = &s->players[player];
    int32_t eye[3], direction[3];
    int hit[3], before[3];
    look(p, eye, direction);
    p->wait_hit = SWING;
    if (p->blocks == 0 || !lan_world_ray(s, eye, direction, REACH, hit, before) ||
        !lan_is_inside(before[0], before[1], before[2]) || is_taken(s, before)) {
        return;
    }
    const uint8_t material = slot_materials[p->slot < sizeof slot_materials ? p->slot : 0];
    if (material == P2C2R_LANTERN) {
        if (s->lamp_count == LAN_LAMPS) {
            return;
        }
        s->lamps[s->lamp_count++] =
            (struct lan_lamp){(uint8_t)before[0], (uint8_t)before[1], (uint8_t)before[2], 7, 12, 1};
    }
    const int32_t at[3] = {before[0] * LAN_ONE, before[1] * LAN_ONE, before[2] * LAN_ONE};
    p->blocks--;
    lan_world_set(lan, before[0], before[1], before[2], material);
    lan_event(s, P2C2R_EVENT_BUILD, material, at);
    lan_folk_reconsider(lan, before[0], before[2]);
}

static void throw_bomb(struct lan *lan, uint32_t player)
{
    struct lan_player *p = &lan->s->players[player];
    int32_t eye[3], direction[3], speed[3];
    look(p, eye, direction);
    for (unsigned i = 0; i < 3; i++) { /* 14 voxels a second, a little upwards */
        eye[i] += direction[i] / 256;
        speed[i] = direction[i] * 14 + (i == 1 ? 4 * 65536 : 0);
    }
    if (p->bombs > 0 && lan_ruin_throw(lan, eye, speed, LAN_BOMB, P2C2R_STONE, FUSE, player)) {
        p->bombs--;
        p->wait_bomb = THROW;
    }
}

void lan_player_hurt(struct lan *lan, uint32_t player, unsigned damage)
{
    struct lan_state *s = lan->s;
    struct lan_player *p = &s->players[player];
    if (p->is_here == 0 || p->hp == 0) {
        return;
    }
    lan_event(s, P2C2R_EVENT_HIT, damage, p->at);
    p->hp = damage >= p->hp ? 0 : (uint8_t)(p->hp - damage);
    if (p->hp == 0) {
        p->wait_back = BACK;
        p->lives = p->lives > 0 ? (uint8_t)(p->lives - 1) : 0;
        s->score -= 25;
    }
}

static void act(struct lan *lan, uint32_t player)
{
    struct lan_player *p = &lan->s->players[player];
    p->wait_hit = p->wait_hit > 0 ? (uint16_t)(p->wait_hit - 1) : 0;
    p->wait_bomb = p->wait_bomb > 0 ? (uint16_t)(p->wait_bomb - 1) : 0;
    if (p->wait_hit == 0 && (p->pad.buttons & P2C2R_PAD_FIRST) != 0) {
        strike(lan, player);
    } else if (p->wait_hit == 0 && (p->pad.buttons & P2C2R_PAD_SECOND) != 0) {
        build(lan, player);
    }
    if (p->wait_bomb == 0 && (p->pad.buttons & P2C2R_PAD_THIRD) != 0) {
        throw_bomb(lan, player);
    }
}

void lan_players_tick(struct lan *lan)
{
    struct lan_state *s = lan->s;
    for (uint32_t i = 0; i < LAN_PLAYERS; i++) {
        struct lan_player *p = &s->players[i];
        if (p->is_here == 0) {
            continue;
        }
        p->slot = p->pad.slot;
        if (p->hp == 0) {
            if (p->wait_back > 0 && --p->wait_back == 0 && p->lives > 0) {
                lan_player_place(lan, i);
            }
            continue;
        }
        walk(s, p);
        act(lan, i);
        if (s->frame % (10 * LAN_HZ) == 0 && p->bombs < 9) {
            p->bombs++;
        }
    }
}

/* Tangent of half the horizontal angle of view, Q16.16, without overscan: 84 degrees. */
#define HALF_WIDTH 59000
#define OVERSCAN   20 /* of 256: 8 % (research on late warp) */

void lan_player_camera(const struct lan_player *p, struct p2c2r_scene_camera *camera,
                       uint64_t frame, uint32_t width, uint32_t height)
{
    memset(camera, 0, sizeof *camera);
    camera->overscan = OVERSCAN;
    camera->yaw = p->pad.yaw;
    camera->pitch = p->pad.pitch;
    camera->frame = (uint32_t)frame;
    camera->position[0] = p->at[0] * 256;
    camera->position[1] = (p->at[1] + (p->hp > 0 ? EYES : EYES / 4)) * 256;
    camera->position[2] = p->at[2] * 256;
    p2c2r_scene_camera_turn(camera, HALF_WIDTH * (256 + OVERSCAN) / 256, width, height);
}
