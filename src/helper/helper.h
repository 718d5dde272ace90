/* p2c2rd: the loop that lends cores to the configured authorities.
 *
 * Thread: the main thread. */
#ifndef P2_HELPER_HELPER_H
#define P2_HELPER_HELPER_H

#include "base/options.h"
#include "exec/launcher.h"
#include "link/link.h"

struct p2_helperd;

struct p2_helperd_setup {
    const struct p2_program *program; /* its table is, or begins with, p2_helper_option_table */
    const struct p2_options *options; /* kept: a reload reads the files again */
    struct p2_config *config;         /* taken, also on failure */
    struct p2_launcher *launcher;     /* taken, also on failure */
    /* How messages leave: NULL for p2_link_send. The tests' liar puts itself here. */
    int (*send)(void *ctx, struct p2_link *link, uint8_t type, struct p2_span body);
    void *send_ctx;
};

/* Opens the daemon. Gives the helper: p2_helperd_close. Errors of p2_daemon_open. */
int p2_helperd_open(const struct p2_helperd_setup *setup, struct p2_failure *failure,
                    struct p2_helperd **ret_helper);

/* Runs until SIGTERM or SIGINT. 0, or P2_E_UNSUPPORTED when no kernel passed its self-test. */
int p2_helperd_run(struct p2_helperd *helper);

/* The loop, for timers of whoever set `send`; they must be closed when p2_helperd_run returns. */
struct uv_loop_s *p2_helperd_loop(struct p2_helperd *helper);

/* Accepts NULL. */
void p2_helperd_close(struct p2_helperd *helper);

#endif
