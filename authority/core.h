/* The authority's core: all helpers, leases and sessions of one process as one state machine.
 *
 *   step(core, event, now) -> effects
 *
 * The shell turns what happens into events, calls p2_core_step, performs the effects in order and
 * empties the outbox. It calls with P2_EVENT_TIME at p2_core_wake_us. Nothing here reads a clock,
 * draws from a system's random source, touches a socket or allocates after the start (but for the
 * task memory pool, which grows to its limit and is kept).
 *
 * A shell in few words:
 *   link opened            OPENED, then MESSAGE for all it sends (HELLO is the first)
 *   HELLO                  the shell checks node against the handshake's key before the event and
 *                          calls p2_link_accept when the effect ACCEPT comes back
 *   ACCEPT .. BLOB_DROP    p2_effect_encode, p2_link_send; a refused send closes the link
 *   CHECK                  kernel check, then CHECKED with the canonical bytes
 *   COMPUTE                own pool, then COMPUTED
 *   FRAME, JOURNAL, LATE, INTEGRITY, STRIKE, AUDIT   records and policy
 *
 * Thread: one (the loop). */
#ifndef P2_AUTHORITY_CORE_H
#define P2_AUTHORITY_CORE_H

#include "authority/helper.h"
#include "authority/lease.h"
#include "authority/outbox.h"
#include "authority/session.h"
#include "authority/verify.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_SESSION_NONE   UINT16_MAX /* of a warm-up lease */
#define P2_LOCAL_JOBS_MAX 256u /* outstanding COMPUTE; chosen: 2 cores have 0.1 s of work then */

/* A kernel the authority leases. Everything is borrowed for the core's life. */
struct p2_core_kernel {
    const char *name;
    uint32_t version;
    uint8_t digest[P2_WIRE_DIGEST_BYTES]; /* of its known answers */
    struct p2_span warm_input; /* the warm-up task: no contents; empty: ready without one */
    uint8_t warm_digest[P2_DIGEST_BYTES]; /* BLAKE2b-128 of its canonical result */
    uint64_t warm_cost;
    uint32_t warm_output_max;
};

struct p2_core_options {
    const struct p2_core_kernel *kernels; /* kernels[kernel_count], kept */
    uint32_t kernel_count;                /* at most P2_CORE_KERNELS_MAX */
    uint32_t helpers_max;                 /* peers are below it; at most P2_CORE_HELPERS_MAX */
    uint32_t leases_max;                  /* in flight and late, all helpers together */
    uint32_t blobs_each;                  /* contents per helper, at most P2_BLOBS_ENTRIES_MAX */
    uint32_t sessions_max;                /* at most P2_CORE_SESSIONS_MAX */
    uint16_t window_max;                  /* leases in flight per helper */
    uint16_t local_cores;                 /* own cores for fallback; 0: none */
    uint64_t cache_max;                   /* bytes of contents kept at one helper */
    uint64_t price_max;                   /* highest accepted asking price, nd/M */
    uint64_t cloud_units_per_hour;        /* spending limit of cloud helpers, in cost units */
    bool is_open;                         /* admit helpers without token or configured key */
    enum p2_local_peers local_peers;
    struct p2_verify_port verify;
    struct p2_rng rng; /* a stream for sampling; never used for audits */
};

/* An invite's token (overlay): used once, by this key, until it expires. */
struct p2_invite {
    uint8_t token[P2_WIRE_TOKEN_MAX];
    uint32_t token_size; /* 0: unused */
    struct p2_id helper;
    uint64_t expires_us;
};

/* A COMPUTE that was not answered yet, in the order of asking: the first local_cores of them run. */
struct p2_local_job {
    uint64_t task;
    uint64_t started_us; /* asked for, or when a core became free for it */
    uint64_t cost_units;
    uint32_t predicted_us;
    uint16_t session;
    uint8_t kernel;
};

struct p2_core_counters {
    uint64_t results_accepted;
    uint64_t results_refused; /* kernel check failed */
    uint64_t results_late;
    uint64_t results_wrong; /* own recomputation differs */
    uint64_t leases_expired;
    uint64_t leases_lost; /* with their link */
    uint64_t hedges;
    uint64_t strikes;
    uint64_t denied;
    uint64_t cloud_units; /* in this hour */
};

struct p2_core {
    struct p2_core_options options;
    struct p2_helpers helpers;
    struct p2_leases leases;
    struct p2_invite invites[P2_CORE_INVITES_MAX];
    struct p2_id *configured; /* owned; keys that need no token */
    bool *configured_cloud;   /* owned */
    uint32_t configured_count;
    uint32_t configured_capacity;
    struct p2_session *sessions; /* owned; sessions[sessions_max] */
    struct p2_local_job jobs[P2_LOCAL_JOBS_MAX];
    uint32_t job_count;
    uint64_t pressed_us;       /* when own cores last took a task that could not wait for a look */
    uint64_t local_backlog_us; /* predicted time of all jobs, all cores together */
    struct p2_speed local_speed[P2_CORE_KERNELS_MAX];
    uint64_t now_us; /* of the last step */
    uint64_t cloud_hour_us;
    uint64_t warm_ups_us; /* when warm-ups were looked at last */
    struct p2_core_counters counters;
    uint64_t looks;        /* over sessions, ever */
    bool has_leaving;      /* a drained helper's link may have to be closed */
    uint32_t next_session; /* whose turn a free credit is */
};

/* P2_E_INVALID (limits), P2_E_NOMEM. On success free with p2_core_free. */
int p2_core_init(struct p2_core *core, const struct p2_core_options *options);
void p2_core_free(struct p2_core *core);

/* Effects one step of this core can need at most: the capacity of its outbox. */
uint32_t p2_core_outbox_needed(const struct p2_core *core);

/* One event. Errors concern the caller's order of calls and leave the state as it was:
 * P2_E_RANGE (peer or session), P2_E_STATE (OPENED twice, CHECKED of nothing). What peers do wrong
 * is answered by effects. `now_us` is monotonic; an earlier one counts as the last. */
int p2_core_step(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                 struct p2_outbox *out);

/* When P2_EVENT_TIME is wanted next; UINT64_MAX: never. */
uint64_t p2_core_wake_us(const struct p2_core *core);

/* Lets `id` in without a token; `is_cloud`: it is the host's own machine. P2_E_NOMEM, P2_E_EXIST. */
int p2_core_configure(struct p2_core *core, const struct p2_id *id, bool is_cloud);

/* Remembers an invite's token. P2_E_LIMIT, P2_E_INVALID (size). */
int p2_core_invite(struct p2_core *core, struct p2_span token, const struct p2_id *helper,
                   uint64_t expires_us);

/* Asks a helper to drain: no new leases. Within 100 ms after the last one ended (answered, expired or
 * cancelled) CLOSE follows. P2_E_RANGE. */
int p2_core_drain(struct p2_core *core, uint32_t peer);

#endif
