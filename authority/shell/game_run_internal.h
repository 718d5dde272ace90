/* What game_run.c and game_host.c share. */
#ifndef P2_AUTHORITY_SHELL_GAME_RUN_INTERNAL_H
#define P2_AUTHORITY_SHELL_GAME_RUN_INTERNAL_H

#include "authority/shell/game_run.h"
#include "authority/shell/game_tasks.h"
#include "base/rng.h"

/* Which callback runs, and so what it may ask for. */
enum p2_game_phase {
    P2_GAME_OUTSIDE,
    P2_GAME_INIT,  /* contents, random */
    P2_GAME_STATE, /* all of the STATE half but submit */
    P2_GAME_TICK,  /* and submit */
    P2_GAME_VIEW   /* VIEW tasks, contents */
};

struct p2_game_stream {
    struct p2_rng rng;
    uint64_t drawn;
};

struct p2_game_content {
    uint64_t key; /* 0: unused */
    struct p2c2r_bytes bytes;
    bool is_view;
};

struct p2_game_seat {
    bool is_taken;  /* a player has it: part of the state */
    bool is_looked; /* a client wants frames of it */
    bool has_scene;
    uint16_t width, height;
    struct p2_gamer_scene scene;
};

/* The table a game was given. It outlives a change of modules (p2_game_run_swap), after which it
 * belongs to another run: games keep it, or copies of it. */
struct p2_game_binding {
    struct p2c2r_host host;
    struct p2_game_run *run;
};

/* A game and what belongs to its state. */
struct p2_game_run {
    struct p2_game_run_options options;
    char *text;
    struct p2_game_binding *binding; /* owned */
    struct p2c2r_game game;
    void *self;
    enum p2_game_phase phase;
    uint64_t frame;
    struct p2_frame_out *out; /* of the running call */
    struct p2_game_tasks state_tasks;
    struct p2_game_tasks view_tasks;
    struct p2_game_stream streams[P2_GAME_STREAMS];
    struct p2_game_content contents[P2_GAME_CONTENTS_MAX];
    uint32_t content_count; /* places in use so far, unused ones in between */
    struct p2_game_seat seats[P2C2R_PLAYERS_MAX];
    uint32_t viewer; /* whose view is written */
    uint32_t logs_left;
    uint64_t logs_frame;
    bool is_ended;
    uint8_t *arena;             /* for packing; owned */
    struct p2_game_run *shadow; /* of --synctest; owned */
    struct p2_frame_out shadow_out;
    struct p2_buf before_host, before_world, after_host, after_world, other_host, other_world;
};

/* Fills run->binding. */
void p2_game_host_init(struct p2_game_run *run);

/* Starts the random streams, and moves one to where it was. */
void p2_game_streams_init(struct p2_game_run *run);
void p2_game_stream_seek(struct p2_game_run *run, uint32_t stream, uint64_t drawn);

#endif
