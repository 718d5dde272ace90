/* p2c2r-authority: one process that admits helpers and gamers on one port and runs sessions.
 *
 * The loop owns everything but the games: links, the core (authority/core.h), the worker pool,
 * seats, figures. What happens becomes an event of the core; its effects are performed in order.
 *
 *   file          what it owns
 *   authority.c   start and end of the process, the core's steps and their effects
 *   peers.c       links: strangers become helpers or gamers
 *   hosted.c      a session: its thread, the exchange with the core, contents, figures
 *   seats.c       who plays: JOIN, INPUT, FRAME, ACK, VIEW, END
 *   compute.c     checks, own results and audits in the pool
 *   policy.c      which result is audited, who is banned
 *   journal_file.c, replay.c   what a replay needs
 *   commands.c    p2c2rctl sessions ...
 *
 * Thread: the main thread. */
#ifndef P2_AUTHORITY_SHELL_AUTHORITY_H
#define P2_AUTHORITY_SHELL_AUTHORITY_H

#include "base/options.h"
#include "exec/launcher.h"

struct p2_authority;

/* Opens the daemon. Takes `config` and `launcher`, also on failure; keeps `options`: a reload reads
 * the files again. Gives the authority: p2_authority_close. Errors of p2_daemon_open. */
int p2_authority_open(const struct p2_options *options, struct p2_config *config,
                      struct p2_launcher *launcher, struct p2_failure *failure,
                      struct p2_authority **ret_authority);

/* Runs until it is told to end; prints the summary of `host` on standard output. 0, or what kept the
 * session from running, in words in `failure`. */
int p2_authority_run(struct p2_authority *authority, struct p2_failure *failure);

/* Accepts NULL. */
void p2_authority_close(struct p2_authority *authority);

#endif
