/* What the files of this folder share. */
#ifndef P2_AUTHORITY_SHELL_AUTHORITY_INTERNAL_H
#define P2_AUTHORITY_SHELL_AUTHORITY_INTERNAL_H

#include "authority/core.h"
#include "authority/shell/authority.h"
#include "authority/shell/compute.h"
#include "authority/shell/options.h"
#include "authority/shell/policy.h"
#include "authority/shell/slot_timer.h"
#include "authority/shell/warm_ups.h"
#include "daemon/daemon.h"
#include "link/address.h"

#include <jansson.h>

struct p2_peer;
struct p2_hosted;
struct p2_discovery;

/* Links of helpers at a time. DESIGN 13 aims at 1,000. */
#define P2_AUTHORITY_HELPERS_MAX 1024u

/* Leases in flight and late, all helpers together. Chosen: 16 for each. */
#define P2_AUTHORITY_LEASES_MAX 16384u

/* Leases in flight of one helper at most. Chosen: deep enough for 150 ms of round trip at 60 Hz and
 * a handful of tasks a frame; worth a factor of 11 (DESIGN 14). */
#define P2_AUTHORITY_WINDOW 64u

/* Contents kept at one helper, bytes. Chosen: the demo's world is 4 MiB. */
#define P2_AUTHORITY_CACHE_MAX ((uint64_t)256 << 20)

/* How often helpers' round trips are read, seats and ends are looked at. Chosen: a link measures
 * once a ping. */
#define P2_AUTHORITY_LOOK_MS 250u

/* The pool's authority of everything that is computed here: all sessions are the host's own. */
#define P2_AUTHORITY_TAG P2_DAEMON_TAG_FIRST

/* Events that wait until the effects of a step are performed. One step asks for at most
 * P2_LOCAL_JOBS_MAX own results that may fail at once; as many again for checks and bans. */
#define P2_AUTHORITY_QUEUE (2u * P2_LOCAL_JOBS_MAX)

struct p2_authority {
    struct p2_daemon *daemon;
    const struct p2_options *options;
    struct p2_config *config;
    struct p2_failure failure; /* why it ends, in words */
    int outcome;
    bool is_ending;
    bool is_closing; /* sessions are gone */

    struct p2_core core;
    bool has_core;
    struct p2_outbox out;
    struct p2_event queue[P2_AUTHORITY_QUEUE];
    uint32_t queue_count;
    bool is_stepping;
    struct p2_slot_timer *slot_timer;
    uv_timer_t look_timer;
    uv_timer_t end_timer;
    unsigned timers; /* open ones of the two */

    struct p2_warm_ups warm;
    struct p2_compute *compute;
    struct p2_policy policy;
    struct p2_rng rng; /* fresh randomness: secrets, draws */

    struct p2_peer *peers;                             /* every link */
    struct p2_peer *helpers[P2_AUTHORITY_HELPERS_MAX]; /* by the core's number */
    uint32_t helper_hint;                              /* where to look for a free number */
    uint64_t joins_refill_us;
    uint32_t joins_left;

    struct p2_hosted *sessions;     /* every one, newest first */
    struct p2_discovery *discovery; /* NULL: not found by anybody who does not know the address */
    uint64_t sessions_made;
    uint64_t unsolicited;
    json_t *lies;                      /* who was caught, how */
    char address[P2_ADDRESS_TEXT_MAX]; /* where helpers and gamers reach us, HOST:PORT#KEY */
    struct p2_buf scratch;
};

/* One event of the core, and its effects. Events that effects cause follow. P2_E_* of
 * p2_core_step; P2_E_DRAINING at the end, when nothing is performed any more. */
int p2_authority_step(struct p2_authority *authority, const struct p2_event *event);

/* The same after the running step, or at once when none runs. */
void p2_authority_post(struct p2_authority *authority, const struct p2_event *event);

/* A session opened: the core needs more room for effects. P2_E_NOMEM. Not inside a step. */
int p2_authority_grow(struct p2_authority *authority);

/* Performs the effects in the outbox. Not inside a step. */
void p2_authority_perform(struct p2_authority *authority);

/* Ends the process with `outcome`; only the first call counts. */
void p2_authority_finish(struct p2_authority *authority, int outcome);

/* A session is over and gone from the list. */
void p2_authority_session_gone(struct p2_authority *authority);

/* Somebody's result was wrong: found by "check" or "recomputation". Logs, bans, closes. */
void p2_authority_lie(struct p2_authority *authority, const struct p2_id *who, const char *how,
                      uint32_t kernel);

#endif
