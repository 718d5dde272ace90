/* Sessions in the overlay: publishing them, and finding them by ID (DESIGN 6).
 *
 * Both objects work on an overlay (overlay.h) and on the time they are given. The caller calls the
 * tick when `due_us` comes and after whatever changed something.
 *
 * The publisher puts the sealed record under both copies of the current hour's keys: at once, again
 * after 15 s (an `ok` proves nothing), then every 4 minutes +-20 %; it expires after 9. It watches
 * its own keys and puts again every 5 s while it sees values there that are not its own.
 *
 *   state of a resolver   event                                   next
 *   IDLE                  p2_resolver_start                       SEARCHING, or FOUND (cached)
 *   SEARCHING             a valid record                          GATHERING for 200 ms
 *   GATHERING             a newer record                          (kept instead)
 *   GATHERING             200 ms over, or all lookups ended       FOUND
 *   SEARCHING             all lookups of a round ended            PAUSING: 1 s, then 5 s
 *   SEARCHING             all of the third round ended            NOT_FOUND
 *   SEARCHING             a round was cut short by junk           PAUSING: 1 s, for 20 s in all
 *   PAUSING               time is over                            SEARCHING
 *
 * A round looks under both copies of this hour's keys first, then under those of the hours beside
 * it. Thread: one. */
#ifndef P2_OVERLAY_RENDEZVOUS_H
#define P2_OVERLAY_RENDEZVOUS_H

#include "base/rng.h"
#include "overlay/collector.h"
#include "overlay/session_record.h"

#define P2_PUBLISH_AGAIN_US   15000000ull  /* DESIGN 6 */
#define P2_PUBLISH_REFRESH_US 240000000ull /* DESIGN 6, +-20 % */
#define P2_PUBLISH_JUNK_US    5000000ull   /* DESIGN 6 */

struct p2_session_publisher_options {
    struct p2_overlay *overlay; /* borrowed, as all pointers here */
    const struct p2_overlay_rules *rules;
    const struct p2_identity *identity; /* the authority's */
    uint64_t puzzle_nonce;              /* its solution */
    uint64_t first_sequence;            /* above every one used before: unix seconds will do */
};

struct p2_session_publisher {
    struct p2_session_publisher_options options;
    struct p2_rng rng;
    struct p2_session_id id;
    struct p2_session_keys keys;
    struct p2_overlay_session record; /* what is said now */
    uint64_t sequence;                /* of the last put */
    uint64_t slot;                    /* of the keys in use */
    uint64_t next_us;                 /* of the next put */
    uint64_t last_us;                 /* of the last one */
    uint32_t puts_since_change;
    bool is_running;
    bool has_slot;
    bool sees_junk; /* since the last put */
    struct p2_overlay_op *watches[P2_SESSION_COPIES];
    uint64_t puts; /* values published, both copies counted */
    uint64_t junk; /* foreign values seen */
};

/* Makes the ID from the record's salt and starts: puts follow at the next tick. Of `record`,
 * authority, lifetimes, sequence and puzzle nonce are set by the publisher. `rng` is copied.
 * P2_E_NOMEM, P2_E_RANGE (endpoints). 18 ms. */
int p2_session_publisher_start(struct p2_session_publisher *publisher,
                               const struct p2_session_publisher_options *options,
                               const struct p2_overlay_session *record, const struct p2_rng *rng);

/* New endpoints or flags: put at the next tick with the next sequence. The salt is kept. */
int p2_session_publisher_change(struct p2_session_publisher *publisher,
                                const struct p2_overlay_session *record);

/* A new ID from a new salt: the old one is no longer refreshed and ends within 9 minutes. P2_E_NOMEM;
 * then the old ID goes on. 18 ms. */
int p2_session_publisher_rotate(struct p2_session_publisher *publisher,
                                const uint8_t salt[P2_SALT_BYTES]);

/* Does what is due. Returns when to call again (steady time). */
uint64_t p2_session_publisher_tick(struct p2_session_publisher *publisher);

/* Stops and wipes the keys. The record expires by itself. Accepts a stopped one. */
void p2_session_publisher_stop(struct p2_session_publisher *publisher);

/* ---- finding ------------------------------------------------------------------------------------ */

#define P2_RESOLVER_ROUNDS 3 /* measurements: retry after 1 s, then 5 s */
#define P2_RESOLVER_GATHER_US \
    200000ull /* chosen: the p95 of a lookup at 50 ms round trip is 145 ms */
/* With so much junk before the first valid record it is taken at once: what is read meanwhile costs
 * CPU time. Chosen: four times the valid values a key can hold. */
#define P2_RESOLVER_FLOOD 256

/* A search that junk cut short (the collector's CPU limit) goes on with rounds a second apart until
 * then. DESIGN 6: 20 s. */
#define P2_RESOLVER_JUNK_US 20000000ull
#define P2_RESOLVER_LOOKUPS 6 /* 2 copies x this hour, the last and the next */

enum p2_resolver_state {
    P2_RESOLVER_IDLE,
    P2_RESOLVER_SEARCHING,
    P2_RESOLVER_GATHERING,
    P2_RESOLVER_PAUSING,
    P2_RESOLVER_FOUND,
    P2_RESOLVER_NOT_FOUND
};

struct p2_resolver;

struct p2_resolver_options {
    struct p2_overlay *overlay; /* borrowed, as the rules */
    const struct p2_overlay_rules *rules;
    const struct p2_id *known_key; /* from a join link, copied; NULL: none */
    /* The overlay brought something: call the tick soon. From inside an overlay's callback, where
     * the tick may be called too; NULL: the caller ticks after each event of the overlay. */
    void (*on_change)(void *ctx);
    void *ctx;
};

/* One of the six lookups of a round; `resolver` first looks itself up here. */
struct p2_resolver_lookup {
    struct p2_resolver *resolver;
    struct p2_overlay_op *op; /* NULL: not running */
};

struct p2_resolver {
    struct p2_resolver_options options;
    enum p2_resolver_state state;
    struct p2_session_id id;
    struct p2_session_keys keys;
    bool has_keys;
    unsigned round;
    uint64_t began_us; /* of the search */
    uint64_t due_us;
    unsigned running; /* lookups */
    unsigned refused; /* lookups the overlay did not take: P2_E_AGAIN and the like */
    struct p2_resolver_lookup lookups[P2_RESOLVER_LOOKUPS];
    struct p2_session_checker checker;
    struct p2_collector collector;
    bool has_record;
    struct p2_overlay_session record; /* the newest valid one; kept as cache until it expires */
};

/* Zeroes it. */
void p2_resolver_init(struct p2_resolver *resolver);

/* Starts the search for `id`. A record found before for the same ID and not yet expired is FOUND
 * at once; p2_resolver_forget makes a caller whose endpoints all failed ask again. P2_E_STATE
 * while another search runs, P2_E_NOMEM. 9 ms. */
int p2_resolver_start(struct p2_resolver *resolver, const struct p2_resolver_options *options,
                      const struct p2_session_id *id);

/* Does what is due. Returns when to call again (steady time, UINT64_MAX: an event of the overlay
 * will change something; ask again after each). */
uint64_t p2_resolver_tick(struct p2_resolver *resolver);

/* Drops the cached record. */
void p2_resolver_forget(struct p2_resolver *resolver);

/* Ends a running search and wipes everything. */
void p2_resolver_stop(struct p2_resolver *resolver);

const char *p2_resolver_state_name(enum p2_resolver_state state);

#endif
