/* The daemon's end of the control socket.
 *
 * Lives on the daemon's libuv loop. Who may talk: root, the daemon's own user, and members of one
 * group, as the kernel reports them (SO_PEERCRED, SO_PEERGROUPS); commands marked ADMIN only root
 * and the daemon's user. All sizes and counts are bounded, and at most P2_CTL_REQUESTS_PER_TURN
 * requests of a client are served per loop turn, so that a busy client cannot delay leases.
 *
 * start -> stop(cb): the object counts its open handles, the last close callback calls `cb` and
 * frees. Thread: the loop's. */
#ifndef P2_CTL_SERVER_H
#define P2_CTL_SERVER_H

#include "ctl/protocol.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#define P2_CTL_CLIENTS_MAX       32 /* chosen: people and scripts, not a crowd */
#define P2_CTL_CALLS_MAX         64 /* unanswered requests of one client; chosen */
#define P2_CTL_REQUESTS_PER_TURN 4  /* of one client: 32 clients x 4 x ~5 us is below 1 ms */
#define P2_CTL_COMMANDS_MAX      64 /* chosen: twice what DESIGN names */

struct p2_ctl_server;
struct p2_ctl_call; /* one request that waits for its answer */

/* Serves one request: must lead to exactly one p2_ctl_reply or p2_ctl_refuse, now or later. */
typedef void (*p2_ctl_handler)(struct p2_ctl_call *call, void *ctx);

enum p2_ctl_access {
    P2_CTL_ANYONE, /* whoever may talk to the socket */
    P2_CTL_ADMIN   /* root and the daemon's own user */
};

struct p2_ctl_command {
    const char *name; /* as in the request; static */
    enum p2_ctl_access access;
    p2_ctl_handler handler;
    void *ctx;
};

struct p2_ctl_server_options {
    const char *path;  /* of the socket; its folder must exist; borrowed for the call */
    const char *group; /* whose members may talk, or NULL; borrowed for the call */
    bool has_group_id; /* use `group_id` instead of looking `group` up */
    gid_t group_id;
};

/* Opens the socket and serves. A left-over socket of a dead daemon is replaced; a living one gives
 * P2_E_EXIST. Other errors: P2_E_INVALID (path too long), P2_E_NOENT (group), P2_E_PERM, P2_E_IO. */
int p2_ctl_server_start(struct p2_ctl_server **ret_server, uv_loop_t *loop,
                        const struct p2_ctl_server_options *options, struct p2_failure *failure);

/* Adds a command. P2_E_EXIST for a name that is there, P2_E_LIMIT. Copies `command`. */
int p2_ctl_server_add(struct p2_ctl_server *server, const struct p2_ctl_command *command);

/* Closes the socket and all clients, removes the path. Calls still open stay valid: their answers
 * go nowhere. `on_closed` (may be NULL) runs once, after which the server is freed. */
void p2_ctl_server_stop(struct p2_ctl_server *server, void (*on_closed)(void *ctx), void *ctx);

/* Counters for metrics and tests. */
struct p2_ctl_server_stats {
    unsigned clients;           /* connected now */
    unsigned long long served;  /* requests answered */
    unsigned long long refused; /* connections and requests refused */
};
struct p2_ctl_server_stats p2_ctl_server_stats(const struct p2_ctl_server *server);

/* ---- in a handler ----------------------------------------------------------------------------- */

/* The request's arguments: an object, borrowed until the answer. */
const json_t *p2_ctl_call_arguments(const struct p2_ctl_call *call);

/* The loop the server lives on. */
uv_loop_t *p2_ctl_call_loop(const struct p2_ctl_call *call);

/* The caller's user id. */
uid_t p2_ctl_call_uid(const struct p2_ctl_call *call);

/* Takes the descriptor that came with the request, or -1. The caller closes it. */
int p2_ctl_call_take_fd(struct p2_ctl_call *call);

/* Ends the call with a result. Takes `result`; NULL (out of memory while building) answers NOMEM. */
void p2_ctl_reply(struct p2_ctl_call *call, json_t *result);

/* Ends the call with an error and a message for a person. */
void p2_ctl_refuse(struct p2_ctl_call *call, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
