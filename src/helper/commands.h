/* What p2c2rctl asks a helper: the owner's words (enable, pause, limits) and questions (why). What
 * the owner says is written to settings.conf first, so that it outlives the daemon (doc/ctl.md).
 * Thread: the loop's. */
#ifndef P2_HELPER_COMMANDS_H
#define P2_HELPER_COMMANDS_H

#include "base/log.h"
#include "ctl/server.h"
#include "helper/guard.h"

struct p2_helper_commands {
    struct p2_log *log;
    struct p2_guard *guard;
    const struct p2_option_table *table;
    /* The configuration in force; changes with every reload. */
    const struct p2_config *(*config)(void *ctx);
    /* Reads all layers again and applies them. */
    void (*reload)(void *ctx);
    /* Rows about authorities; a new reference. */
    json_t *(*authorities)(void *ctx);
    void *ctx;
};

/* Adds the commands; `commands` is kept until the server stopped. Errors of p2_ctl_server_add. */
int p2_helper_commands_add(struct p2_ctl_server *server, struct p2_helper_commands *commands);

#endif
