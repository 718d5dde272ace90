/* `p2c2rctl save list|create|restore|delete|export|import`: the authority's end.
 *
 * The commands are "save-list", "save-create", ...; arguments {"session": N or absent when there is
 * one, "name": LABEL}. Files come as open descriptors. What takes long runs on libuv's thread pool,
 * changes go through the writer, answers come when the disk has it. Listing is for anyone on the
 * socket, the rest for root and the daemon's user. Thread: the loop. */
#ifndef P2_AUTHORITY_STORE_COMMANDS_H
#define P2_AUTHORITY_STORE_COMMANDS_H

#include "authority/store/saves.h"
#include "ctl/server.h"

/* Answers a request of the shell's part, exactly once, on the loop. */
typedef void p2_save_done_fn(void *ctx, int error, const struct p2_failure *failure);

/* A session the commands may touch. */
struct p2_save_session {
    uint64_t session;
    const char *game; /* borrowed while it runs */
    size_t world_max; /* largest world its game takes */
};

/* What only the shell can do. */
struct p2_save_port {
    /* The session with that number, 0 = the only one there is. P2_E_NOENT; P2_E_INVALID: say which. */
    int (*find)(void *ctx, uint64_t session, struct p2_save_session *ret_session);
    /* Has an image taken at the next frame boundary and written under `name` (borrowed):
     * p2_session_store_write with that name. */
    int (*create)(void *ctx, uint64_t session, const char *name, p2_save_done_fn *done,
                  void *done_ctx);
    /* Gives a state to the game at the next frame boundary: its `restore`, then
     * p2_session_store_restart and a base checkpoint; `done` when that one is on the disk, or when
     * the game refused. Takes what is in `world` and `origin` (moves
     * the buffers: p2_buf_free when done), also on error. */
    int (*restore)(void *ctx, uint64_t session, struct p2_buf *world, struct p2_save_origin *origin,
                   const struct p2_snapshot_info *info, p2_save_done_fn *done, void *done_ctx);
};

struct p2_save_commands {
    struct p2_store *store; /* all borrowed until the server stopped and calls ended */
    struct p2_store_writer *writer;
    const struct p2_save_port *port;
    void *ctx;      /* of the port */
    unsigned calls; /* under way; 0 before and after. Do not stop the writer before it is 0. */
};

/* Adds the commands; `commands` is kept until the server stopped. Errors of p2_ctl_server_add. */
int p2_save_commands_add(struct p2_ctl_server *server, struct p2_save_commands *commands);

#endif
