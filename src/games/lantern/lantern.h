/* Lantern Siege: what its files share. The state is `struct lan_state`, whole numbers only: a function
 * of seed, inputs, frames' depth and quality, and results. Everything else in `struct lan` is derived
 * from it (grid) or belongs to the VIEW half (views). Positions of people are in 1/256 voxel, of
 * bodies Q16.16 voxels; y is up; cells are columns (x, z). */
#ifndef LANTERN_H
#define LANTERN_H

#include "p2c2r/game.h"
#include "p2c2r/kernels.h"
#include "p2c2r/scene.h"

#include <string.h>

#define LAN_SIDE    256
#define LAN_HEIGHT  64
#define LAN_ONE     256 /* 1/256 voxel */
#define LAN_CHUNKS  256 /* 16 x 16 chunks of 16 x 64 x 16 */
#define LAN_VOXELS  (LAN_SIDE * LAN_SIDE * LAN_HEIGHT)
#define LAN_PLAYERS 4
#define LAN_FOLK    128 /* villagers and raiders */
#define LAN_PATH    160 /* steps of a path that are kept; longer ones are asked for again */
#define LAN_BODIES  64
#define LAN_GROUPS  4 /* rigid-body islands of LAN_BODIES / LAN_GROUPS bodies */
#define LAN_LAMPS   64
#define LAN_EVENTS  32
#define LAN_SEA     P2C2R_ISLAND_SEA
#define LAN_HZ      60

/* Times in frames. Chosen: a minute of dusk, five of night (the pitch of the game), ten seconds of
 * dawn; option "night=SECONDS" changes the night, "dusk=SECONDS" the dusk. */
#define LAN_DUSK  (20 * LAN_HZ)
#define LAN_NIGHT (300 * LAN_HZ)

enum lan_phase { LAN_PHASE_DUSK, LAN_PHASE_NIGHT, LAN_PHASE_WON, LAN_PHASE_LOST, LAN_PHASES };

enum lan_kind { LAN_NOBODY, LAN_VILLAGER, LAN_RAIDER, LAN_SAPPER, LAN_KINDS };
enum lan_doing {
    LAN_IDLE,
    LAN_WALKING,
    LAN_SAILING,
    LAN_FIGHTING,
    LAN_DIGGING,
    LAN_FLEEING,
    LAN_CHEERING,
    LAN_DOINGS
};
enum lan_wish { LAN_NO_PATH, LAN_WANTS_PATH, LAN_ASKED_PATH, LAN_WISHES };

/* One that walks. */
struct lan_folk {
    uint8_t kind, doing, hp, wish;
    int32_t at[3];   /* feet, 1/256 voxel */
    int32_t from[2]; /* sailing: where the boat set out (x, z) */
    uint8_t goal[2]; /* cell */
    uint8_t home;    /* village */
    uint8_t yaw;     /* 1/256 turn */
    uint8_t target;  /* folk it hunts, or LAN_FOLK */
    uint8_t digs;    /* frames spent at a wall */
    uint16_t wait;   /* frames until the next thought */
    uint16_t ask;    /* number of its last path request */
    uint16_t steps, step;
    uint8_t path[LAN_PATH]; /* directions of ai_pathfinding */
    uint16_t speech;        /* frames its line still shows */
    uint8_t line_size;
    char line[80];
};

struct lan_player {
    uint8_t is_here, hp, lives, slot;
    char name[P2C2R_GAME_NAME_MAX];
    int32_t at[3], speed[3]; /* 1/256 voxel; per frame */
    struct p2c2r_pad pad;
    uint16_t wait_hit, wait_bomb, wait_back; /* frames */
    uint16_t blocks, bombs;
    uint32_t kills;
};

enum lan_body_kind { LAN_NO_BODY, LAN_BOMB, LAN_DEBRIS, LAN_BODY_KINDS };
struct lan_body {
    uint8_t kind, material, is_asleep, owner, is_asked; /* asked: a task holds it */
    uint16_t rest, fuse;                       /* fuse: frames until it bursts or crumbles */
    uint8_t half[3];                           /* 1/32 voxel */
    int32_t at[3], turn[4], speed[3], spin[3]; /* Q16.16; speeds per second */
};

/* A request for a STATE task of the host, so that a result finds where it belongs. `number` is part
 * of the tag: a result of an older request is not taken. */
struct lan_request {
    uint8_t is_open;
    uint16_t number;
    uint32_t since; /* frame, low bits */
};

#define LAN_BATCHES 2
#define LAN_QUERIES 32
struct lan_batch {
    struct lan_request request;
    uint8_t count;
    uint8_t folk[LAN_QUERIES];
    uint16_t ask[LAN_QUERIES];
};

#define LAN_BLOCK_X     40 /* block of a demolition */
#define LAN_BLOCK_Y     32
#define LAN_DEMOLITIONS 6
struct lan_demolition {
    struct lan_request request;
    uint8_t is_used, has_blast;
    uint8_t middle[3];
    uint8_t radius; /* voxels */
    uint8_t origin[3];
};

#define LAN_FLUIDS  2
#define LAN_FLUID_X 32
#define LAN_FLUID_Z 24 /* up */
#define LAN_CELLS   (LAN_FLUID_X * LAN_FLUID_X * LAN_FLUID_Z)
struct lan_fluid {
    struct lan_request request;
    uint8_t is_used, phase, calm;
    uint8_t origin[3]; /* x, y, z of the lowest corner, even */
    uint16_t cells[LAN_CELLS];
};

struct lan_speech {
    struct lan_request request;
    uint8_t folk;
};

#define LAN_ISLES       4
#define LAN_ISLE_CHUNKS 9
#define LAN_ISLE_STAMPS (LAN_ISLES * LAN_ISLE_CHUNKS)
struct lan_lamp {
    uint8_t x, y, z, level, radius, is_lit;
};

struct lan_state {
    uint64_t secret; /* drawn in frame 1: the isles' land, the helpers' frame of reference. The
                        session's seed is no part of the state: saves may be given away. */
    uint64_t frame;
    uint32_t dusk, night; /* frames */
    uint8_t phase, waves, quality, is_over;
    uint32_t phase_frames;
    int32_t score;
    uint16_t fallen, landed;
    uint8_t village[3][3];
    uint8_t pond[2]; /* middle of the raised pond */
    struct lan_player players[LAN_PLAYERS];
    struct lan_folk folk[LAN_FOLK];
    struct lan_body bodies[LAN_BODIES];
    struct lan_request groups[LAN_GROUPS];
    uint8_t group_steps[LAN_GROUPS];
    int32_t group_origin[LAN_GROUPS][3]; /* voxels */
    struct lan_batch batches[LAN_BATCHES];
    struct lan_demolition demolitions[LAN_DEMOLITIONS];
    struct lan_fluid fluids[LAN_FLUIDS];
    struct lan_speech speech;
    uint8_t stamp_next, stamp_open[LAN_ISLE_STAMPS];
    uint32_t stamp_since[LAN_ISLE_STAMPS];
    uint8_t lamp_count;
    struct lan_lamp lamps[LAN_LAMPS];
    uint32_t event_count; /* ever */
    struct p2c2r_scene_event events[LAN_EVENTS];
    uint8_t base[LAN_SIDE * LAN_SIDE]; /* natural ground of a column: layers up to it */
    uint8_t voxels[LAN_VOXELS];        /* chunk by chunk, see lan_at */
};

struct lan_view; /* view.c */

struct lan {
    struct p2c2r_host host;
    struct lan_state *s;
    /* Derived from the voxels, column by column. */
    uint8_t stand[LAN_SIDE * LAN_SIDE]; /* where feet stand, 0: nowhere */
    uint8_t open[LAN_SIDE * LAN_SIDE];  /* 1: people walk there */
    bool is_changed[LAN_CHUNKS];        /* since the last snapshot */
    uint32_t version[LAN_CHUNKS];       /* VIEW: raised at every change of a chunk; not state */
    struct lan_view *views;
    uint8_t input[P2C2R_INPUT_MAX / 4]; /* scratch for task inputs */
};

/* Kinds of STATE tasks, in a tag's high byte; number and index in the rest. */
enum lan_task {
    LAN_TASK_PATH = 1,
    LAN_TASK_RIGID,
    LAN_TASK_BLAST,
    LAN_TASK_FLUID,
    LAN_TASK_SPEECH,
    LAN_TASK_ISLE
};

static inline size_t lan_at(int x, int y, int z)
{
    return (size_t)((z >> 4) * 16 + (x >> 4)) * P2C2R_SCENE_CHUNK_VOXELS +
           (size_t)(((z & 15) * 16 + (x & 15)) * LAN_HEIGHT + y);
}

static inline bool lan_is_inside(int x, int y, int z)
{
    return x >= 0 && x < LAN_SIDE && z >= 0 && z < LAN_SIDE && y >= 0 && y < LAN_HEIGHT;
}

static inline size_t lan_cell(int x, int z)
{
    return (size_t)z * LAN_SIDE + (size_t)x;
}

/* Material, air outside above, water outside up to the sea's level. */
static inline uint8_t lan_voxel(const struct lan_state *s, int x, int y, int z)
{
    if (!lan_is_inside(x, y, z)) {
        return y < 0 ? P2C2R_STONE : y < LAN_SEA ? P2C2R_WATER : P2C2R_AIR;
    }
    return s->voxels[lan_at(x, y, z)];
}

static inline bool lan_is_solid(uint8_t material)
{
    return material != P2C2R_AIR && material != P2C2R_WATER;
}

static inline uint32_t lan_random(struct lan *lan, uint32_t below)
{
    return (uint32_t)(((lan->host.random(lan->host.ctx, 0) >> 32) * below) >> 32);
}

/* ---- world.c -------------------------------------------------------------------------------- */
void lan_world_make(struct lan *lan, uint64_t seed);
/* Everything derived from the voxels, after making or restoring them. */
void lan_world_derive(struct lan *lan);
/* Sets a voxel and brings the derived columns up to date. */
void lan_world_set(struct lan *lan, int x, int y, int z, uint8_t material);
/* The same after columns x .. x + side - 1, z .. z + side - 1 were written directly. */
void lan_world_refresh(struct lan *lan, int x, int z, int side);
/* The topmost natural material of a column and one: what villages and walls stand on. */
uint8_t lan_world_base(const struct lan_state *s, int x, int z);
/* Whether the middle of a voxel-sized step-by-step line between two points (1/256 voxel) is free. */
bool lan_world_sees(const struct lan_state *s, const int32_t from[3], const int32_t to[3]);
/* The first solid voxel along a direction (Q16.16) within `reach` 1/256 voxels, and the free one
 * before it. */
bool lan_world_ray(const struct lan_state *s, const int32_t from[3], const int32_t direction[3],
                   int32_t reach, int ret_hit[3], int ret_before[3]);
/* Light of the lamps at a place in levels, as the crow flies. */
int lan_world_light(const struct lan_state *s, const int32_t at[3]);

/* ---- players.c ------------------------------------------------------------------------------ */
void lan_players_tick(struct lan *lan);
void lan_player_place(struct lan *lan, uint32_t player);
void lan_player_hurt(struct lan *lan, uint32_t player, unsigned damage);
void lan_player_camera(const struct lan_player *player, struct p2c2r_scene_camera *camera,
                       uint64_t frame, uint32_t width, uint32_t height);

/* ---- folk.c --------------------------------------------------------------------------------- */
void lan_folk_tick(struct lan *lan);
/* A free entry of that kind at a cell, or LAN_FOLK. */
unsigned lan_folk_add(struct lan *lan, enum lan_kind kind, int x, int z);
void lan_folk_hurt(struct lan *lan, unsigned folk, unsigned damage, uint32_t player);
unsigned lan_folk_count(const struct lan_state *s, bool are_villagers);
/* Looks for a new way at once: the ground changed. */
void lan_folk_reconsider(struct lan *lan, int x, int z);

/* ---- night.c -------------------------------------------------------------------------------- */
void lan_night_tick(struct lan *lan);
void lan_night_sky(const struct lan_state *s, struct p2c2r_scene_sky *sky);
void lan_event(struct lan_state *s, unsigned kind, unsigned magnitude, const int32_t at[3]);

/* Middle of raiders' isle `isle` (cells). */
void lan_isle_middle(unsigned isle, int ret_cell[2]);

/* ---- tasks.c, ruin.c: STATE tasks ----------------------------------------------------------- */
void lan_tasks_tick(struct lan *lan, const struct p2c2r_frame *frame);
void lan_tasks_result(struct lan *lan, const struct p2c2r_result *result);
bool lan_submit(struct lan *lan, const char *kernel, enum lan_task task, unsigned index,
                struct lan_request *request, size_t size, unsigned class, unsigned slack,
                unsigned weight);
void lan_ruin_tick(struct lan *lan, const struct p2c2r_frame *frame);
void lan_ruin_rigid_result(struct lan *lan, unsigned group, const struct p2c2r_result *result);
void lan_ruin_blast_result(struct lan *lan, unsigned index, const struct p2c2r_result *result);
void lan_ruin_fluid_result(struct lan *lan, unsigned index, const struct p2c2r_result *result);
/* A blast now: hurts at once, demolishes when the kernel has answered. */
void lan_ruin_blast(struct lan *lan, const int32_t at[3], unsigned radius, uint32_t player);
/* A voxel was taken away: what stood on it may fall, water may come. */
void lan_ruin_disturb(struct lan *lan, int x, int y, int z);
bool lan_ruin_throw(struct lan *lan, const int32_t at[3], const int32_t speed[3], unsigned kind,
                    unsigned material, unsigned fuse, uint32_t owner);

/* ---- save.c --------------------------------------------------------------------------------- */
void lan_save(struct lan *lan, const struct p2c2r_writer *writer);
int lan_load(struct lan *lan, struct p2c2r_bytes bytes);

/* ---- view.c, tiles.c: VIEW ------------------------------------------------------------------ */
void lan_view_close(struct lan *lan);
void lan_view_forget(struct lan *lan, uint32_t player);
void lan_view(struct lan *lan, uint32_t player, const struct p2c2r_frame *frame,
              const struct p2c2r_view_writer *writer);
void lan_view_result(struct lan *lan, const struct p2c2r_result *result);

#endif
