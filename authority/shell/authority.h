/* p2c2r-authority: the loop that admits helpers and runs a session.
 *
 * Thread: the main thread. */
#ifndef P2_AUTHORITY_SHELL_AUTHORITY_H
#define P2_AUTHORITY_SHELL_AUTHORITY_H

#include "base/options.h"
#include "exec/launcher.h"

struct p2_authority;

/* Opens the daemon. Takes `config` and `launcher`, also on failure; keeps `options`: a reload reads
 * the files again. Gives the authority: p2_authority_close. Errors of p2_daemon_open and
 * p2_transport_listen. */
int p2_authority_open(const struct p2_options *options, struct p2_config *config,
                      struct p2_launcher *launcher, struct p2_failure *failure,
                      struct p2_authority **ret_authority);

/* Runs until the session is over, or SIGTERM or SIGINT; prints the session's summary on standard
 * output. 0, or what kept the session from running. */
int p2_authority_run(struct p2_authority *authority);

/* Accepts NULL. */
void p2_authority_close(struct p2_authority *authority);

#endif
