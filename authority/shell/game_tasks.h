/* The undelivered tasks of one half (STATE or VIEW) of a game, as its thread knows them: whether a
 * task may be submitted is decided here, from the game's own tasks alone, and never by how fast
 * anybody answers. Ids are counted; tasks of both halves never share one. Thread: the session's. */
#ifndef P2_AUTHORITY_SHELL_GAME_TASKS_H
#define P2_AUTHORITY_SHELL_GAME_TASKS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Undelivered tasks of one half. Chosen: half of what the core takes for a session. */
#define P2_GAME_TASKS_MAX 8192u

/* Bytes of their inputs and largest results. Chosen: 8,192 tasks of 32 KiB. */
#define P2_GAME_TASKS_BYTES ((size_t)256 << 20)

/* Ids of VIEW tasks have this bit, so that how many pictures were asked for is nothing that the ids
 * of STATE tasks could depend on. */
#define P2_GAME_TASK_VIEW (UINT64_C(1) << 62)

struct p2_game_task {
    uint64_t id;
    uint64_t tag;
    uint64_t frame; /* submitted in */
    uint32_t player;
    uint32_t kernel;
    size_t bytes;
};

struct p2_game_tasks {
    struct p2_game_task *items; /* owned; items[count], by rising id */
    uint32_t count;
    size_t bytes;
    uint64_t next_id;
};

/* P2_E_NOMEM. `first_id`: 1 or P2_GAME_TASK_VIEW | 1. */
int p2_game_tasks_init(struct p2_game_tasks *tasks, uint64_t first_id);
void p2_game_tasks_free(struct p2_game_tasks *tasks);

/* Adds `task`, whose id is set. P2_E_LIMIT. */
int p2_game_tasks_add(struct p2_game_tasks *tasks, struct p2_game_task *task);

/* Removes the task; false when there is none. O(tasks), a move of memory. */
bool p2_game_tasks_take(struct p2_game_tasks *tasks, uint64_t id, struct p2_game_task *ret_task);

/* The first task with `tag` at or after place `from`; count when there is none. */
uint32_t p2_game_tasks_tagged(const struct p2_game_tasks *tasks, uint64_t tag, uint32_t from);

/* Writes and reads all of it; reading replaces. P2_E_CORRUPT, P2_E_LIMIT, P2_E_NOMEM. */
int p2_game_tasks_write(const struct p2_game_tasks *tasks, struct p2_buf *buf);
int p2_game_tasks_read(struct p2_game_tasks *tasks, struct p2_reader *reader);

#endif
