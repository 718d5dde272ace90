/* p2c2rctl's end of the control socket: blocking calls with a deadline. */
#ifndef P2_CTL_CLIENT_H
#define P2_CTL_CLIENT_H

#include "ctl/protocol.h"

struct p2_ctl_client;

/* Connects to the daemon's socket. P2_E_NOENT (no socket: not running), P2_E_REFUSED (nobody
 * listens), P2_E_PERM, P2_E_INVALID (path too long), P2_E_IO; `failure` says what to do. */
int p2_ctl_client_open(struct p2_ctl_client **ret_client, const char *path, int timeout_ms,
                       struct p2_failure *failure);
void p2_ctl_client_close(struct p2_ctl_client *client);

/* Sends a request, with descriptor `fd` when it is not -1 (borrowed), and waits for its answer.
 * Gives the result: json_decref. P2_E_TIMEOUT, P2_E_CLOSED, or the daemon's error. */
int p2_ctl_client_call(struct p2_ctl_client *client, const char *command, const json_t *arguments,
                       int fd, json_t **ret_result, struct p2_failure *failure);

#endif
