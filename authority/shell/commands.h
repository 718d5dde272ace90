/* What people ask of a running authority: p2c2rctl status and sessions, SIGHUP, and what the command
 * line asks at the start. Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_COMMANDS_H
#define P2_AUTHORITY_SHELL_COMMANDS_H

#include "authority/shell/authority_internal.h"

/* Adds the commands of the control socket. Errors of p2_ctl_server_add. */
int p2_commands_add(struct p2_authority *authority);

/* Begins what `host MODULE` or `serve` asks for. */
int p2_commands_begin(struct p2_authority *authority, struct p2_failure *failure);

/* SIGHUP: the configuration is read again, and the modules of running sessions are loaded again. */
void p2_commands_reload(struct p2_authority *authority);

/* Adds to the answer of status. */
void p2_commands_describe(const struct p2_authority *authority, json_t *status);

#endif
