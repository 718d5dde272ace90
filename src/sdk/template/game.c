/* A game module to begin with: a flat meadow, players who walk, and a figure that follows the first of
 * them along paths which a helper found. The contract is p2c2r/game.h; what a client draws is
 * p2c2r/scene.h; the kernels' inputs are p2c2r/kernels.h. Build: make. */
#include <p2c2r/game.h>
#include <p2c2r/kernels.h>
#include <p2c2r/scene.h>

#include <stdlib.h>
#include <string.h>

#define PLAYERS 4
#define SIDE    64 /* voxels */

/* STATE: all of it is what snapshot writes, and nothing else. */
struct state {
    uint32_t is_here[PLAYERS];
    int32_t at[PLAYERS][2];   /* x, z in 1/256 voxel */
    int32_t go[PLAYERS][2];   /* a frame, as the last pad said */
    int32_t look[PLAYERS][2]; /* yaw, pitch */
    int32_t dog[2];           /* the figure */
    uint32_t steps, waiting;  /* of its path; frames until it asks again */
    uint8_t path[32];         /* directions of ai_pathfinding */
};

struct game {
    struct p2c2r_host host;
    struct state s;
    int has_ground[PLAYERS]; /* VIEW: this player was sent the meadow */
};

static int init(const struct p2c2r_host *host, uint64_t seed, const char *options, void **ret_self)
{
    struct game *game = calloc(1, sizeof *game);
    (void)seed;
    (void)options;
    if (game == NULL) {
        return -1;
    }
    game->host = *host;
    game->s.dog[0] = game->s.dog[1] = SIDE / 2 * 256;
    for (unsigned i = 0; i < PLAYERS; i++) {
        game->s.at[i][0] = game->s.at[i][1] = (10 + (int32_t)i * 4) * 256;
    }
    *ret_self = game;
    return 0;
}

static void shutdown_game(void *self)
{
    free(self);
}

static int join(void *self, uint32_t player, const char *name, char why[P2C2R_GAME_WHY_MAX])
{
    struct game *game = self;
    (void)name;
    if (player >= PLAYERS) {
        memcpy(why, "the meadow is full", sizeof "the meadow is full");
        return -1;
    }
    game->s.is_here[player] = 1;
    game->has_ground[player] = 0;
    return 0;
}

static void leave(void *self, uint32_t player)
{
    struct game *game = self;
    if (player < PLAYERS) {
        game->s.is_here[player] = 0;
        memset(game->s.go[player], 0, sizeof game->s.go[player]);
    }
}

static void input(void *self, uint32_t player, uint32_t sequence, struct p2c2r_bytes data)
{
    struct game *game = self;
    struct p2c2r_pad pad;
    (void)sequence;
    if (player < PLAYERS && p2c2r_pad_read(data, &pad)) {
        const int64_t sine = p2c2r_scene_sine(pad.yaw), cosine = p2c2r_scene_cosine(pad.yaw);
        const int64_t x = sine * pad.forward + cosine * pad.right;
        const int64_t z = cosine * pad.forward - sine * pad.right;
        game->s.go[player][0] = (int32_t)(x * 20 / (127 * 65536));
        game->s.go[player][1] = (int32_t)(z * 20 / (127 * 65536));
        game->s.look[player][0] = pad.yaw;
        game->s.look[player][1] = pad.pitch;
    }
}

static int32_t clamp(int32_t value)
{
    return value < 256 ? 256 : value > (SIDE - 1) * 256 ? (SIDE - 1) * 256 : value;
}

/* Asks for the dog's way to the first player who is here. */
static void ask(struct game *game)
{
    static uint8_t open[SIDE * SIDE];
    uint8_t bytes[4096];
    uint64_t id;
    uint32_t player = 0;
    while (player < PLAYERS && game->s.is_here[player] == 0) {
        player++;
    }
    if (player == PLAYERS) {
        return;
    }
    memset(open, 1, sizeof open);
    const struct p2c2r_path_query query = {
        {(uint16_t)(game->s.dog[0] >> 8), (uint16_t)(game->s.dog[1] >> 8)},
        {(uint16_t)(game->s.at[player][0] >> 8), (uint16_t)(game->s.at[player][1] >> 8)}};
    struct p2c2r_task task = {.size = sizeof task,
                              .kernel = "ai_pathfinding",
                              .task_class = P2C2R_CLASS_SOON,
                              .slack = 6,
                              .weight = 1};
    task.input.data = bytes;
    task.input.size = p2c2r_ai_pathfinding_input(bytes, sizeof bytes, SIDE, SIDE, open, &query, 1);
    game->s.waiting = 30;
    if (task.input.size > 0) {
        (void)game->host.submit(game->host.ctx, &task, &id); /* refused: it asks again later */
    }
}

static void tick(void *self, const struct p2c2r_frame *frame)
{
    struct game *game = self;
    (void)frame;
    if (game->s.waiting == 0) {
        ask(game);
    } else {
        game->s.waiting--;
    }
}

static void on_result(void *self, const struct p2c2r_result *result)
{
    struct game *game = self;
    uint32_t steps = 0;
    if ((result->status == P2C2R_RESULT_OK || result->status == P2C2R_RESULT_CORRECTED) &&
        p2c2r_ai_pathfinding_path(result->bytes, 1, 0, game->s.path, sizeof game->s.path, &steps)) {
        game->s.steps = steps < sizeof game->s.path ? steps : sizeof game->s.path;
    } /* degraded: the dog stays where it is */
}

static void commit(void *self, const struct p2c2r_frame *frame)
{
    static const int8_t ways[8][2] = {{1, 0},  {1, 1},   {0, 1},  {-1, 1},
                                      {-1, 0}, {-1, -1}, {0, -1}, {1, -1}};
    struct game *game = self;
    for (uint32_t i = 0; i < PLAYERS; i++) {
        game->s.at[i][0] = clamp(game->s.at[i][0] + game->s.go[i][0]);
        game->s.at[i][1] = clamp(game->s.at[i][1] + game->s.go[i][1]);
    }
    if (game->s.steps > 0 && frame->number % 16 == 0) {
        for (unsigned k = 0; k < 2; k++) {
            game->s.dog[k] = clamp(game->s.dog[k] + ways[game->s.path[0] & 7][k] * 256);
        }
        memmove(game->s.path, game->s.path + 1, sizeof game->s.path - 1);
        game->s.steps--;
    }
}

/* Whole numbers of four bytes, the lowest first: the same on every machine. */
static void snapshot(void *self, const struct p2c2r_writer *writer)
{
    const struct game *game = self;
    uint32_t words[sizeof game->s / 4];
    memcpy(words, &game->s, sizeof words);
    for (size_t i = 0; i < sizeof words / 4; i++) {
        const uint8_t bytes[4] = {(uint8_t)words[i], (uint8_t)(words[i] >> 8),
                                  (uint8_t)(words[i] >> 16), (uint8_t)(words[i] >> 24)};
        writer->put(writer->ctx, bytes, sizeof bytes);
    }
}

static int restore(void *self, uint32_t schema, struct p2c2r_bytes from)
{
    struct game *game = self;
    struct state s;
    uint32_t words[sizeof s / 4];
    if (schema != 1 || from.size != sizeof words) {
        return -1;
    }
    for (size_t i = 0; i < sizeof words / 4; i++) {
        const uint8_t *at = from.data + i * 4;
        words[i] =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
    memcpy(&s, words, sizeof s);
    for (unsigned i = 0; i < PLAYERS; i++) { /* an imported save is a stranger's */
        if (s.is_here[i] > 1 || s.at[i][0] != clamp(s.at[i][0]) ||
            s.at[i][1] != clamp(s.at[i][1]) || s.go[i][0] != s.go[i][0] % 64 ||
            s.go[i][1] != s.go[i][1] % 64) {
            return -1;
        }
    }
    if (s.steps > sizeof s.path || s.dog[0] != clamp(s.dog[0]) || s.dog[1] != clamp(s.dog[1])) {
        return -1;
    }
    game->s = s;
    memset(game->has_ground, 0, sizeof game->has_ground);
    return 0;
}

/* ---- view: what a player sees -------------------------------------------------------------- */

static void send_ground(const struct p2c2r_view_writer *writer)
{
    uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS], bytes[P2C2R_SCENE_CHUNK_MAX];
    for (size_t i = 0; i < sizeof voxels; i++) {
        voxels[i] = i % 64 < 9 ? P2C2R_DIRT : i % 64 == 9 ? P2C2R_GRASS : P2C2R_AIR;
    }
    const size_t size = p2c2r_scene_chunk_write(bytes, sizeof bytes, voxels);
    for (uint32_t i = 0; i < SIDE / 16 * (SIDE / 16); i++) {
        writer->delta(writer->ctx, P2C2R_SCENE_CHUNK,
                      p2c2r_scene_chunk_key(i % (SIDE / 16), i / (SIDE / 16)), bytes, size);
    }
}

static struct p2c2r_scene_entity figure(uint16_t id, const int32_t at[2], uint8_t colour)
{
    struct p2c2r_scene_entity entity = {.id = id,
                                        .shape = P2C2R_SHAPE_FIGURE,
                                        .slices = 15,
                                        .position = {at[0], 10 * 256, at[1]},
                                        .colour = {colour, P2C2R_SAND << 4 | 13},
                                        .width = 14,
                                        .height = 28};
    return entity;
}

static void view(void *self, uint32_t player, const struct p2c2r_frame *frame,
                 const struct p2c2r_view_writer *writer)
{
    struct game *game = self;
    struct p2c2r_scene_entity entities[PLAYERS + 1];
    struct p2c2r_scene_camera camera;
    uint8_t bytes[P2C2R_SCENE_PAGE_MAX];
    uint32_t count = 0;
    if (player >= PLAYERS) {
        return;
    }
    if (!game->has_ground[player]) {
        game->has_ground[player] = 1;
        send_ground(writer);
    }
    for (uint16_t i = 0; i < PLAYERS; i++) {
        if (game->s.is_here[i] != 0 && i != player) {
            entities[count++] = figure(i, game->s.at[i], P2C2R_WATER << 4 | 12);
        }
    }
    entities[count++] = figure(PLAYERS, game->s.dog, P2C2R_WOOD << 4 | 12);
    size_t size = p2c2r_scene_entities_write(bytes, sizeof bytes, entities, count);
    writer->delta(writer->ctx, P2C2R_SCENE_ENTITIES, 0, bytes, size);
    memset(&camera, 0, sizeof camera);
    camera.yaw = (uint16_t)game->s.look[player][0];
    camera.pitch = (int16_t)game->s.look[player][1];
    camera.frame = (uint32_t)frame->number;
    camera.position[0] = game->s.at[player][0] * 256;
    camera.position[1] = (10 * 256 + 400) * 256;
    camera.position[2] = game->s.at[player][1] * 256;
    p2c2r_scene_camera_turn(&camera, 65536, 16, 9);
    size = p2c2r_scene_camera_write(bytes, sizeof bytes, &camera);
    writer->camera(writer->ctx, bytes, size);
}

__attribute__((visibility("default"))) int p2c2r_game_entry(const struct p2c2r_host *host,
                                                            struct p2c2r_game *ret_game)
{
    static uint8_t palette[256][3];
    if (host->abi != P2C2R_GAME_ABI || ret_game->size < sizeof *ret_game) {
        return -1;
    }
    p2c2r_palette(palette);
    memset(ret_game, 0, sizeof *ret_game);
    ret_game->size = sizeof *ret_game;
    ret_game->abi = P2C2R_GAME_ABI;
    ret_game->name = "meadow";
    ret_game->version = 1;
    ret_game->schema = 1;
    ret_game->players_max = PLAYERS;
    ret_game->palette = palette[0];
    ret_game->init = init;
    ret_game->shutdown = shutdown_game;
    ret_game->join = join;
    ret_game->leave = leave;
    ret_game->input = input;
    ret_game->tick = tick;
    ret_game->on_result = on_result;
    ret_game->commit = commit;
    ret_game->snapshot = snapshot;
    ret_game->restore = restore;
    ret_game->view = view;
    return 0;
}
