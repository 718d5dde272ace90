/* Trust as one state machine: the policy behind verify.h, reputation, bans.
 *
 *   the core asks      decide, admit, granted, released   (p2_trust_port)
 *   the shell tells    AUDITED, LATE, REFUSED, STRIKE, CLEARED ... (p2_trust_hear)
 *   it answers with    effects: to store, to forfeit, to ban, to look at again
 *
 * Order of the shell for every effect list: store PERSIST and the ledger's entries in one transaction,
 * then BAN (p2_core_step with P2_EVENT_BAN, DENIED, close) and the rest. Time: `now_us` is monotonic,
 * `unix_s` the calendar. Nothing here reads a clock or draws. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_TRUST_H
#define P2_AUTHORITY_TRUST_TRUST_H

#include "authority/trust/audit.h"
#include "authority/trust/ban.h"
#include "authority/trust/reputation.h"
#include "authority/verify.h"

#include <stdbool.h>
#include <stdint.h>

struct p2_trust_kernel {
    const char *name;
    uint32_t delta_ppm; /* share of crafted lies its check catches; 0 when a liar can pass it */
};

struct p2_trust_options {
    const struct p2_trust_kernel *kernels; /* in the order of the core's table; kept */
    uint32_t kernel_count;
    uint32_t helpers_max; /* records in memory: more than can be connected */
    uint16_t local_cores; /* own cores */
    uint32_t audit_ppm;   /* of them, for audits; 0: P2_AUDIT_SHARE_PPM */
    /* Called for every result that may earn something, with its verified-or-checked cost: gather and
     * post it (ledger.h). What turns out wrong later forfeits all held pay. NULL: nobody is paid. */
    void (*work)(void *ctx, const struct p2_id *helper, uint16_t session, uint64_t units);
    void *work_ctx;
    const uint8_t *key; /* key[P2_KEY_BYTES] from the system's random source; kept, locked by the
                             * shell; never a game seed, never stored, never logged */
};

enum p2_trust_event_type {
    P2_TRUST_REFUSED, /* INTEGRITY with !is_known: the kernel's check failed */
    P2_TRUST_AUDITED, /* a result was compared with our own: is_equal; is_inside: its check passed */
    P2_TRUST_LATE,    /* LATE with is_known: a free audit: is_equal */
    P2_TRUST_STRIKE,  /* a protocol strike */
    P2_TRUST_CLEARED  /* the ledger cleared `tasks` */
};

struct p2_trust_event {
    enum p2_trust_event_type type;
    struct p2_id helper;
    uint64_t lease;
    uint64_t tasks;
    uint8_t kernel;
    bool is_equal;
    bool is_inside;
    uint8_t input[P2_DIGEST_BYTES];
    uint8_t expected[P2_DIGEST_BYTES];
    uint8_t got[P2_DIGEST_BYTES];
};

enum p2_trust_effect_type {
    P2_TRUST_PERSIST,  /* helper: store its reputation now */
    P2_TRUST_FORFEIT,  /* helper, lease, expected: p2_ledger_forfeit */
    P2_TRUST_BAN,      /* helper, until_s, why: stop it and close its link */
    P2_TRUST_BACKTRACE /* helper: look at its last results again, at idle priority (trail.h) */
};

struct p2_trust_effect {
    enum p2_trust_effect_type type;
    struct p2_id helper;
    uint64_t lease;
    uint8_t expected[P2_DIGEST_BYTES];
    uint64_t until_s;
    const char *why; /* static */
};

#define P2_TRUST_EFFECTS_MAX 4u /* of one event */

struct p2_trust_counters {
    uint64_t shadow;    /* results computed here as well, in probation */
    uint64_t audits;    /* drawn */
    uint64_t free;      /* late answers compared */
    uint64_t confirmed; /* wrong ones found */
    uint64_t bans;
};

struct p2_trust {
    struct p2_trust_options options;
    uint64_t k_ppb[P2_CORE_KERNELS_MAX];
    struct p2_reputation **items; /* owned; open addressing by id */
    uint32_t capacity;            /* power of two */
    uint32_t count;
    uint64_t unix_s; /* as told by p2_trust_clock */
    uint64_t now_us;
    struct p2_audit_budget budget;
    struct p2_bans bans;
    struct p2_trust_counters counters;
};

/* P2_E_NOMEM, P2_E_INVALID. */
int p2_trust_init(struct p2_trust *trust, const struct p2_trust_options *options, uint64_t now_us,
                  uint64_t unix_s);
void p2_trust_free(struct p2_trust *trust);

/* What time it is; every second at least. */
void p2_trust_clock(struct p2_trust *trust, uint64_t now_us, uint64_t unix_s);

/* The table for p2_core_options.verify. Borrows `trust` for the core's life. */
struct p2_verify_port p2_trust_port(struct p2_trust *trust);

/* May a helper be let in? NULL: yes; else why not (static or of the ban), and until when. */
const char *p2_trust_refusal(struct p2_trust *trust, const struct p2_id *id, const struct p2_ip *ip,
                             uint64_t *ret_until_s);

/* One event; effects into ret_effects[P2_TRUST_EFFECTS_MAX], how many is returned. Events of keys that
 * are not known are those of new helpers. */
uint32_t p2_trust_hear(struct p2_trust *trust, const struct p2_trust_event *event,
                       struct p2_trust_effect *ret_effects);

/* A helper's record; NULL: it is not in memory (the store may have it: p2_trust_restore before the
 * helper is let in). Borrowed until another record is made. */
struct p2_reputation *p2_trust_find(struct p2_trust *trust, const struct p2_id *id);
/* The same, made if need be; the record that was used least lately makes room. NULL: no memory. */
struct p2_reputation *p2_trust_record(struct p2_trust *trust, const struct p2_id *id);
/* Puts a stored record in. P2_E_NOMEM, P2_E_EXIST. */
int p2_trust_restore(struct p2_trust *trust, const struct p2_reputation *rep);

/* Audit rate that holds for its next STATE result, in ppb (1e9 in probation). */
uint64_t p2_trust_rate_ppb(struct p2_trust *trust, const struct p2_id *id, uint8_t kernel,
                           uint8_t weight, bool is_cloud);

#endif
