/* The overlay: a distributed hash table as the rest of the project sees it (DESIGN 6).
 *
 * It stores small values under 20-byte keys on strangers' machines. Anyone can write under any key,
 * nobody can delete, and nothing it says is true by itself: what a value means is decided by
 * record.h, session_id.h and invite.h, which check every byte.
 *
 * Two implementations stand behind one table of functions: the real one, whose node lives in a
 * child process without keys (its own header declares how it is opened), and the simulated one
 * (overlay_sim.h). A user cannot tell them apart.
 *
 *   operation   callbacks                         ends
 *   publish     on_end                            stored, refused, or no answer in time
 *   lookup      on_value (0..values_max), on_end  all answers are in, a limit, or P2_OVERLAY_STOP
 *   watch       on_value (any number), on_end     P2_OVERLAY_STOP, cancel or close only
 *   alarm       on_end                            its time has come
 *
 * Contracts of the callbacks:
 *   - on_end comes exactly once and last for every operation whose starting call returned 0, unless
 *     it was cancelled; then nothing comes any more. The operation is gone when on_end returns.
 *   - No callback comes before the call that started the operation has returned, and none from
 *     inside any function declared here. All functions may be called inside callbacks, also
 *     p2_overlay_cancel on the operation that calls back, and p2_overlay_close.
 *   - Values are borrowed for the call. They are at most P2_OVERLAY_VALUE_MAX bytes; larger ones
 *     are dropped below and counted in the status. The same value may be reported more than once.
 *   - The implementation may lose its node and get it back (DOWN, then CONNECTED): pending
 *     operations are started again by it, watches are set up again, limits of time go on counting.
 *     A user sees late answers, repeated values, or P2_E_TIMEOUT; never an operation without end.
 *
 * Pace: an implementation starts at most P2_OVERLAY_STARTS_PER_S operations a second and holds at
 * most P2_OVERLAY_LOOKUPS lookups at the node at a time; others wait in order.
 *
 * Thread: an overlay and its operations belong to one thread (the loop's); callbacks come there. */
#ifndef P2_OVERLAY_OVERLAY_H
#define P2_OVERLAY_OVERLAY_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_OVERLAY_KEY_BYTES 20 /* an info hash of the Kademlia network */

/* Largest value, in bytes. DESIGN 6: under 500, so that a value and its headers fit one datagram. */
#define P2_OVERLAY_VALUE_MAX 499

/* Operations one overlay holds, waiting ones included. Chosen: 4 watches and a lookup for each of
 * 32 sessions, and room for publishing; bounds the memory to about 160 KiB. */
#define P2_OVERLAY_OPS_MAX 256

/* Alarms, beside those. Chosen: one for each of 32 sessions, and again as many for the rest. */
#define P2_OVERLAY_ALARMS_MAX 64

/* Nodes drop what comes faster than 1,024 requests a second and address; a lookup of a popular key
 * costs 8 requests per value (measured). */
#define P2_OVERLAY_STARTS_PER_S 20
#define P2_OVERLAY_LOOKUPS      4

/* A publish without an answer ends with P2_E_TIMEOUT after this. Chosen: the library gives up on a
 * value that no node takes after 7.6 s (measured). */
#define P2_OVERLAY_PUBLISH_TIMEOUT_MS 10000

struct p2_overlay;
struct p2_overlay_op;

/* Where a value is stored. Made by hashing (record.h), so that keys spread evenly. */
struct p2_overlay_key {
    uint8_t bytes[P2_OVERLAY_KEY_BYTES];
};

/* What the user of a lookup or watch says to a value. */
enum p2_overlay_verdict {
    P2_OVERLAY_MORE, /* go on */
    P2_OVERLAY_STOP  /* enough: no further value; on_end(0) follows */
};

/* When a lookup ends by itself. CPU time and valid records are counted by the collector
 * (record.h), which knows what a value cost; its answer is P2_OVERLAY_STOP. */
struct p2_overlay_limits {
    uint32_t values_max; /* values reported, 1..P2_OVERLAY_VALUES_MAX */
    uint32_t time_ms;    /* from the call, 1..P2_OVERLAY_TIME_MAX_MS */
};
#define P2_OVERLAY_VALUES_MAX  8192  /* DESIGN 6 */
#define P2_OVERLAY_TIME_MAX_MS 20000 /* DESIGN 6 */

/* What an operation reports. on_value may be NULL for publishes and alarms, on_end never. */
struct p2_overlay_events {
    enum p2_overlay_verdict (*on_value)(struct p2_overlay_op *op, struct p2_span value, void *ctx);
    /* The end. 0: alarm: now; publish: at least one node said it stored the value, which proves nothing (the
     * same call can still be lost); lookup: all nodes asked have answered, or STOP. P2_E_LIMIT: a
     * lookup reached values_max. P2_E_TIMEOUT: time is over; what came until then was reported.
     * P2_E_UNREACHABLE: no node of the network could be asked. P2_E_CANCELLED: p2_overlay_close. */
    void (*on_end)(struct p2_overlay_op *op, int result, void *ctx);
};

enum p2_overlay_state {
    P2_OVERLAY_CONNECTING, /* runs, and has not heard from another node yet */
    P2_OVERLAY_CONNECTED,  /* another node answered within the last minute */
    P2_OVERLAY_DOWN,       /* the node died, hangs or spoke garbage: it is started again */
    P2_OVERLAY_CLOSED      /* p2_overlay_close was called */
};

/* Numbers since the overlay was opened. */
struct p2_overlay_status {
    enum p2_overlay_state state;
    int last_error;       /* why it was DOWN last, P2_E_*; 0: never was */
    uint16_t port_v4;     /* UDP port the node holds, 0: none (yet) */
    uint16_t port_v6;     /* the same for IPv6 */
    uint32_t restarts;    /* of the node */
    uint32_t operations;  /* now, of all kinds, waiting ones included */
    uint64_t published;   /* publishes that ended with 0 */
    uint64_t looked_up;   /* lookups that ended, however */
    uint64_t values;      /* reported */
    uint64_t value_bytes; /* of those */
    uint64_t oversized;   /* dropped for their size */
};

/* Time as the overlay's user needs it. The real overlay reads clocks, the simulated one has its
 * own: policy code takes these as arguments and never asks for itself. */
struct p2_overlay_now {
    uint64_t mono_us; /* steady, from an arbitrary start */
    uint64_t cpu_us;  /* CPU time this thread has used, from an arbitrary start */
    uint64_t unix_s;  /* UTC, seconds since 1970; may jump */
};

/* ---- use -------------------------------------------------------------------------------------- */

/* Sends `value` once to the nodes nearest `key`; they keep it for about 10 minutes. There is no
 * taking it back. `key` and `value` are copied, `events` and `ctx` kept until the end.
 * P2_E_TOO_BIG (more than P2_OVERLAY_VALUE_MAX), P2_E_INVALID (empty), P2_E_AGAIN (too many
 * operations), P2_E_NOMEM, P2_E_DRAINING (after close). `ret_op` may be NULL. */
int p2_overlay_publish(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                       struct p2_span value, const struct p2_overlay_events *events, void *ctx,
                       struct p2_overlay_op **ret_op);

/* Asks the nodes nearest `key` for what they hold. `limits` is copied, the rest as in publish.
 * P2_E_RANGE for limits outside their ranges, else as publish. Finding nothing is no proof that
 * nothing is there (rendezvous.h says how often to ask). */
int p2_overlay_lookup(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                      const struct p2_overlay_limits *limits,
                      const struct p2_overlay_events *events, void *ctx,
                      struct p2_overlay_op **ret_op);

/* Reports what is stored under `key` and then what comes, until cancelled. At most
 * P2_OVERLAY_WATCH_VALUES_PER_S values a second are reported, others dropped: a flood under a key
 * costs its reader a bounded share of time. Errors as publish. */
#define P2_OVERLAY_WATCH_VALUES_PER_S 200 /* chosen: 200 signature checks are below 2 % of a core */
int p2_overlay_watch(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                     const struct p2_overlay_events *events, void *ctx,
                     struct p2_overlay_op **ret_op);

/* Calls on_end(0) once the steady time is `at_us` or later, a millisecond late at most on an idle
 * machine; a time that is over means the next turn of the loop. Does not depend on the node. Errors
 * as publish (P2_E_AGAIN: P2_OVERLAY_ALARMS_MAX are set; the one whose on_end runs does not count).
 * This is how what works on an overlay keeps time on both implementations. */
int p2_overlay_alarm(struct p2_overlay *overlay, uint64_t at_us,
                     const struct p2_overlay_events *events, void *ctx,
                     struct p2_overlay_op **ret_op);

/* Ends an operation at once and without a word: no callback comes after this call, and the
 * operation is gone. What a publish has already sent stays where it is. Accepts NULL. */
void p2_overlay_cancel(struct p2_overlay *overlay, struct p2_overlay_op *op);

/* A copy of the numbers. O(1). */
struct p2_overlay_status p2_overlay_status(const struct p2_overlay *overlay);

/* The time now. O(1). */
struct p2_overlay_now p2_overlay_now(const struct p2_overlay *overlay);

/* Calls `on_change` when the state changed, from the loop, never from inside a function declared
 * here. NULL: nobody. `ctx` is kept. */
void p2_overlay_on_state(struct p2_overlay *overlay,
                         void (*on_change)(struct p2_overlay *overlay, void *ctx), void *ctx);

/* Ends every operation with P2_E_CANCELLED, stops the node, then calls `on_closed` once, not from
 * inside this call; the overlay is freed when it returns. Nothing new is accepted meanwhile. Only
 * the first call counts. Takes at most P2_OVERLAY_CLOSE_MS: a node that does not stop is killed. */
#define P2_OVERLAY_CLOSE_MS 1500 /* chosen: a daemon ends within 2 s of SIGTERM */
void p2_overlay_close(struct p2_overlay *overlay, void (*on_closed)(void *ctx), void *ctx);

/* "connecting", "connected", ... Static. */
const char *p2_overlay_state_name(enum p2_overlay_state state);

bool p2_overlay_key_equal(const struct p2_overlay_key *a, const struct p2_overlay_key *b);

/* ---- for implementations ---------------------------------------------------------------------- */

enum p2_overlay_op_kind {
    P2_OVERLAY_PUBLISH,
    P2_OVERLAY_LOOKUP,
    P2_OVERLAY_WATCH,
    P2_OVERLAY_ALARM
};

/* A request whose arguments overlay.c has checked. Pointers are borrowed for the call. */
struct p2_overlay_request {
    enum p2_overlay_op_kind kind;
    struct p2_overlay_key key;
    struct p2_span value;            /* PUBLISH */
    struct p2_overlay_limits limits; /* LOOKUP */
    uint64_t at_us;                  /* ALARM */
    const struct p2_overlay_events *events;
    void *ctx;
};

/* The table behind an overlay; semantics as above. `status` fills everything but `state` being
 * CLOSED, which overlay.c adds. */
struct p2_overlay_ops {
    int (*start)(struct p2_overlay *overlay, const struct p2_overlay_request *request,
                 struct p2_overlay_op **ret_op);
    void (*cancel)(struct p2_overlay *overlay, struct p2_overlay_op *op);
    struct p2_overlay_status (*status)(const struct p2_overlay *overlay);
    struct p2_overlay_now (*now)(const struct p2_overlay *overlay);
    void (*close)(struct p2_overlay *overlay, void (*on_closed)(void *ctx), void *ctx);
};

/* First member of every implementation's overlay; implementations set ops, overlay.c the rest. */
struct p2_overlay {
    const struct p2_overlay_ops *ops;
    void (*on_state)(struct p2_overlay *overlay, void *ctx); /* may be NULL */
    void *on_state_ctx;
    bool is_closing; /* p2_overlay_close was called */
};

/* First member of every implementation's operation. */
struct p2_overlay_op {
    struct p2_overlay *overlay;
    enum p2_overlay_op_kind kind;
    struct p2_overlay_key key;
    const struct p2_overlay_events *events;
    void *ctx;
};

#endif
