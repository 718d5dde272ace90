/* The commands every daemon has: status, key, log-level. */
#ifndef P2_CTL_COMMON_H
#define P2_CTL_COMMON_H

#include "base/id.h"
#include "base/log.h"
#include "ctl/server.h"

struct p2_ctl_common {
    const char *program;    /* "p2c2rd"; static */
    const char *version;    /* static */
    const struct p2_id *id; /* the node's key; borrowed until the server stopped */
    struct p2_log *log;     /* whose level is shown and changed; borrowed likewise */
    uint64_t started_ms;    /* uv_now of the daemon's start */
    /* Adds the daemon's own members to the answer of status; may be NULL. */
    void (*describe)(json_t *status, void *ctx);
    void *ctx; /* of describe; borrowed likewise */
};

/* Adds the commands. `common` is kept until the server stopped. Errors of p2_ctl_server_add. */
int p2_ctl_common_add(struct p2_ctl_server *server, const struct p2_ctl_common *common);

#endif
