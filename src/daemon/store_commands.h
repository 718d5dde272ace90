/* `p2c2rctl store check|stats` and `p2c2rctl backup FILE`, for every daemon that has a store.
 *
 * The commands are "store-check", "store-stats" and "backup"; the backup's file is the client's
 * open descriptor. Check and backup read the whole store: they run on libuv's thread pool, one at a
 * time, while the daemon works on. Thread: the loop. */
#ifndef P2_DAEMON_STORE_COMMANDS_H
#define P2_DAEMON_STORE_COMMANDS_H

#include "ctl/server.h"
#include "store/writer.h"

struct p2_store_commands {
    struct p2_store *store;         /* borrowed until the server stopped and calls ended */
    struct p2_store_writer *writer; /* for its figures; NULL: none */
    unsigned calls; /* under way; 0 before and after. Do not close the store before it is 0. */
};

/* Adds the commands; `commands` is kept until the server stopped. Errors of p2_ctl_server_add. */
int p2_store_commands_add(struct p2_ctl_server *server, struct p2_store_commands *commands);

#endif
