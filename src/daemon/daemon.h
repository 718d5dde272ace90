/* The frame of a daemon: everything p2c2rd and p2c2r-authority have in common.
 *
 * Order of life, as exec/launcher.h wants it:
 *   main        p2_daemon_launch first of all, before keys, threads and memory
 *   open        log, key, loop, pool, transport, control socket, signals; the self-test starts
 *   run         on_tested once, then the daemon's own work
 *   stop        links, then pool, then control socket and signals; run returns
 *   close       frees; the loop closes clean or that is our bug
 *
 * Thread: the main thread. */
#ifndef P2_DAEMON_DAEMON_H
#define P2_DAEMON_DAEMON_H

#include "base/log.h"
#include "base/log_sinks.h"
#include "ctl/common.h"
#include "exec/pool.h"
#include "exec/self_test.h"
#include "link/link_tcp.h"

#include <uv.h>

/* The pool tag of the self-test; daemons number their own from P2_DAEMON_TAG_FIRST on. */
#define P2_DAEMON_TAG_SELF_TEST UINT64_C(1)
#define P2_DAEMON_TAG_FIRST     UINT64_C(2)

/* How long unsent messages may take to leave at the end. A daemon ends within 2 s of SIGTERM. */
#define P2_DAEMON_DRAIN_MS 400u

/* What the daemon on top is told. All on the loop. */
struct p2_daemon_events {
    /* The self-test is over: rows[kernel_count] in the pool's order, borrowed for the call. */
    void (*on_tested)(void *ctx, const struct p2_self_test_row *rows);
    /* SIGTERM or SIGINT, the first one: leads to p2_daemon_stop. The second one ends at once. */
    void (*on_terminate)(void *ctx);
    /* SIGHUP. */
    void (*on_reload)(void *ctx);
    /* Adds to the answer of status. */
    void (*describe)(json_t *status, void *ctx);
    /* An incoming connection was refused before it had a user. May be NULL. */
    void (*on_refused)(void *ctx, const struct p2_link_address *peer, int reason);
};

/* Strings are borrowed for p2_daemon_open. */
struct p2_daemon_options {
    const char *program; /* static */
    const char *state_dir;
    const char *control_socket;
    const char *control_group; /* or NULL */
    const char *network;
    enum p2_log_level log_level;
    enum p2_local_peers local_peers;
    struct p2_launcher *launcher; /* taken, also on failure */
    struct p2_pool_settings pool;
    const struct p2_daemon_events *events; /* kept */
    void *ctx;                             /* of the events; kept */
};

/* Read its members, call the functions of their modules, assign nothing. */
struct p2_daemon {
    uv_loop_t loop;
    struct p2_log log;
    struct p2_pool *pool;
    struct p2_transport *transport;
    struct p2_identity *identity; /* locked memory */
    struct p2_id id;
    const struct p2c2r_kernel *const *kernels; /* kernels[kernel_count], the pool's */
    size_t kernel_count;
    uint32_t sandbox; /* P2_LOCK_BIT of every layer that holds */

    /* Private. */
    const struct p2_daemon_events *events;
    void *ctx;
    struct p2_log_output log_output;
    struct p2_ctl_server *control;
    struct p2_ctl_common common;
    uv_signal_t signals[3];
    uv_timer_t watchdog;
    unsigned handles; /* of signals and watchdog that are open */
    bool has_loop;
    bool is_stopping;
    bool is_terminating;
};

/* Forks the launcher with every kernel of the registry. Errors of p2_launcher_start. */
int p2_daemon_launch(struct p2_failure *failure, struct p2_launcher **ret_launcher);

/* Opens everything and starts the self-test. Gives the daemon: p2_daemon_close. `failure` names
 * what could not be opened, and the remedy. */
int p2_daemon_open(const struct p2_daemon_options *options, struct p2_failure *failure,
                   struct p2_daemon **ret_daemon);

/* Turns the loop until p2_daemon_stop has done its work. */
void p2_daemon_run(struct p2_daemon *daemon);

/* Closes links (what is queued still leaves), pool, control socket and signals, in that order. Only
 * the first call counts. The daemon on top closes its own handles before or meanwhile. */
void p2_daemon_stop(struct p2_daemon *daemon);

/* Stops if that was not done, runs the loop to its end, frees. Accepts NULL. */
void p2_daemon_close(struct p2_daemon *daemon);

/* Adds pool and sandbox to an answer of status. */
void p2_daemon_describe_pool(const struct p2_daemon *daemon, json_t *status);

#endif
