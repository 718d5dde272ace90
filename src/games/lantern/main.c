/* Lantern Siege as a module: the table of callbacks. The rules stand in night.c, the story in
 * src/games/README.md. */
#include "lantern.h"

#include <stdlib.h>

#define VERSION 1
#define SCHEMA  1

/* ---- state ---------------------------------------------------------------------------------- */

/* The number behind "name=" in the options, or `fallback`; at most an hour in seconds. */
static uint32_t option(const char *options, const char *name, uint32_t fallback)
{
    const char *at = strstr(options, name);
    uint32_t value = 0;
    if (at == NULL) {
        return fallback;
    }
    at += strlen(name);
    while (*at >= '0' && *at <= '9' && value <= 3600) {
        value = value * 10 + (uint32_t)(*at++ - '0');
    }
    return (value > 3600 ? 3600 : value) * LAN_HZ;
}

static int init(const struct p2c2r_host *host, uint64_t seed, const char *options, void **ret_self)
{
    struct lan *lan = calloc(1, sizeof *lan);
    struct lan_state *state = calloc(1, sizeof *state);
    if (lan == NULL || state == NULL) {
        free(lan);
        free(state);
        return -1;
    }
    lan->host = *host;
    lan->s = state;
    lan->s->dusk = option(options, "dusk=", LAN_DUSK);
    lan->s->night = option(options, "night=", LAN_NIGHT);
    lan_world_make(lan, seed);
    *ret_self = lan;
    return 0;
}

static void shutdown_game(void *self)
{
    struct lan *lan = self;
    lan_view_close(lan);
    free(lan->s);
    free(lan);
}

static int join(void *self, uint32_t player, const char *name, char why[P2C2R_GAME_WHY_MAX])
{
    struct lan *lan = self;
    if (player >= LAN_PLAYERS) {
        memcpy(why, "this siege has four places", sizeof "this siege has four places");
        return -1;
    }
    struct lan_player *p = &lan->s->players[player];
    if (p->name[0] == '\0') { /* a seat keeps its belongings for who comes back */
        p->lives = 3;
        p->blocks = 60;
        p->bombs = 5;
        lan_player_place(lan, player);
    }
    memset(p->name, 0, sizeof p->name);
    for (size_t i = 0; i < sizeof p->name - 1 && name[i] != '\0'; i++) {
        p->name[i] = name[i];
    }
    if (p->name[0] == '\0' || !p2c2r_scene_text_is_clean(p->name, strlen(p->name))) {
        memcpy(p->name, "gamer", sizeof "gamer");
    }
    p->is_here = 1;
    lan_view_forget(lan, player);
    return 0;
}

static void leave(void *self, uint32_t player)
{
    struct lan *lan = self;
    if (player < LAN_PLAYERS) {
        lan->s->players[player].is_here = 0;
        memset(&lan->s->players[player].pad, 0, sizeof lan->s->players[player].pad);
        lan_view_forget(lan, player);
    }
}

static void input(void *self, uint32_t player, uint32_t sequence, struct p2c2r_bytes data)
{
    struct lan *lan = self;
    struct p2c2r_pad pad;
    (void)sequence;
    if (player < LAN_PLAYERS && p2c2r_pad_read(data, &pad)) { /* anything else: as before */
        lan->s->players[player].pad = pad;
    }
}

static void tick(void *self, const struct p2c2r_frame *frame)
{
    struct lan *lan = self;
    lan->s->frame = frame->number;
    lan->s->quality = (uint8_t)(frame->quality > 255 ? 255 : frame->quality);
    lan_tasks_tick(lan, frame);
    lan_ruin_tick(lan, frame);
}

static void on_result(void *self, const struct p2c2r_result *result)
{
    lan_tasks_result(self, result);
}

static void commit(void *self, const struct p2c2r_frame *frame)
{
    struct lan *lan = self;
    (void)frame;
    lan_night_tick(lan);
    lan_players_tick(lan);
    lan_folk_tick(lan);
}

/* A path's batch is self-contained: what it says about cells can be seen at once. */
static int check(void *self, const struct p2c2r_task *task, struct p2c2r_bytes result)
{
    (void)self;
    if (task->tag >> 56 == LAN_TASK_SPEECH) {
        struct p2c2r_bytes text;
        return p2c2r_ai_npc_dialogue_text(result, &text) &&
                       p2c2r_scene_text_is_clean((const char *)text.data, text.size)
                   ? 0
                   : -1;
    }
    return 0;
}

static void snapshot(void *self, const struct p2c2r_writer *writer)
{
    lan_save(self, writer);
}

static int restore(void *self, uint32_t schema, struct p2c2r_bytes state)
{
    struct lan *lan = self;
    if (schema != SCHEMA) {
        return -1;
    }
    const int error = lan_load(lan, state);
    if (error == 0) {
        lan_view_close(lan);
    }
    return error;
}

/* ---- view and console ----------------------------------------------------------------------- */

static void view(void *self, uint32_t player, const struct p2c2r_frame *frame,
                 const struct p2c2r_view_writer *writer)
{
    lan_view(self, player, frame, writer);
}

static void on_view_result(void *self, const struct p2c2r_result *result)
{
    lan_view_result(self, result);
}

static void answer_with(char *answer, size_t size, const char *text)
{
    for (size_t i = 0; i < size; i++) {
        answer[i] = *text;
        text += *text != '\0';
    }
    if (size > 0) {
        answer[size - 1] = '\0';
    }
}

/* The next whole number of a line, or -1. */
static int next_number(const char **line)
{
    int value = 0;
    while (**line == ' ') {
        (*line)++;
    }
    if (**line < '0' || **line > '9') {
        return -1;
    }
    while (**line >= '0' && **line <= '9' && value < 100000) {
        value = value * 10 + (*(*line)++ - '0');
    }
    return value;
}

/* Puts a player on top of a column: whoever is stuck, and whoever makes pictures, needs it. */
static bool place(struct lan *lan, const char *line)
{
    const int player = next_number(&line), x = next_number(&line), z = next_number(&line);
    int y = LAN_HEIGHT - 1;
    if (player < 0 || player >= LAN_PLAYERS || x < 2 || x > LAN_SIDE - 3 || z < 2 ||
        z > LAN_SIDE - 3) {
        return false;
    }
    while (y > 0 && !lan_is_solid(lan_voxel(lan->s, x, y, z))) {
        y--;
    }
    struct lan_player *p = &lan->s->players[player];
    p->at[0] = x * LAN_ONE + 128;
    p->at[1] = (y + 1) * LAN_ONE;
    p->at[2] = z * LAN_ONE + 128;
    memset(p->speed, 0, sizeof p->speed);
    return true;
}

/* "night": the dusk is over. "dawn": the night is. "place PLAYER X Z". */
static void console(void *self, const char *line, char *answer, size_t answer_size)
{
    struct lan *lan = self;
    if (strcmp(line, "dawn") == 0) {
        lan->s->dusk = lan->s->phase == LAN_PHASE_DUSK ? 0 : lan->s->dusk;
        lan->s->night = 0;
        answer_with(answer, answer_size, "the night is over");
    } else if (strcmp(line, "night") == 0) {
        lan->s->dusk = 0;
        answer_with(answer, answer_size, "night falls");
    } else if (strncmp(line, "place ", 6) == 0) {
        answer_with(answer, answer_size, place(lan, line + 6) ? "done" : "place PLAYER X Z");
    } else {
        answer_with(answer, answer_size, "lantern knows: night, dawn, place");
    }
}

__attribute__((visibility("default"))) int p2c2r_game_entry(const struct p2c2r_host *host,
                                                            struct p2c2r_game *ret_game)
{
    static uint8_t palette[256][3];
    if (host->abi != P2C2R_GAME_ABI || host->size < sizeof *host ||
        ret_game->size < sizeof *ret_game) {
        return -1;
    }
    p2c2r_palette(palette);
    *ret_game = (struct p2c2r_game){
        .size = sizeof *ret_game,
        .abi = P2C2R_GAME_ABI,
        .name = "lantern",
        .version = VERSION,
        .schema = SCHEMA,
        .players_max = LAN_PLAYERS,
        .palette = palette[0],
        .init = init,
        .shutdown = shutdown_game,
        .join = join,
        .leave = leave,
        .input = input,
        .tick = tick,
        .check = check,
        .on_result = on_result,
        .commit = commit,
        .snapshot = snapshot,
        .restore = restore,
        .view = view,
        .on_view_result = on_view_result,
        .console = console,
    };
    return 0;
}
