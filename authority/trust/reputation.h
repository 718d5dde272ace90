/* What a key has done: score, proven work per kernel, faults with their evidence, bans.
 *
 *   event                                        consequence (DESIGN 9)
 *   REFUSED     the kernel's check fails         -10; recomputed
 *   INSIDE      recomputation differs, the       -10; n = 0 for all kernels; held pay forfeited
 *               check had passed
 *   OUTSIDE     recomputation differs, the       -50 in all (-40 after REFUSED of the same lease);
 *               check had failed                 n = 0; held pay forfeited
 *   RIGHT       recomputation is equal           n + 1; after REFUSED of the same lease: that -10 is
 *                                                taken back (a fault of our check)
 *   CLEARED     1,000 cleared tasks              +1, to at most 100
 *   PROTOCOL    a strike                         recorded; no score (admission disconnects)
 *   GAME_FAULT  the game's check refuses, the    recorded with the game; nothing here
 *               recomputation is equal
 *   late, missing, disconnected                  not here: availability (authority/helper.h)
 *
 * More than 3 confirmed in 30 days, or a score of 0 or less: UNTRUSTED, banned 1 hour, the next time
 * 24 hours, then for good. After a ban work starts anew: probation, score 50.
 * Time is Unix seconds, so that it survives restarts. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_REPUTATION_H
#define P2_AUTHORITY_TRUST_REPUTATION_H

#include "authority/lease.h"
#include "authority/trust/limits.h"
#include "base/buf.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_fault_cause {
    P2_FAULT_REFUSED,    /* the kernel's check fails */
    P2_FAULT_INSIDE,     /* confirmed, had passed the check */
    P2_FAULT_OUTSIDE,    /* confirmed, had failed the check */
    P2_FAULT_PROTOCOL,   /* malformed or unsolicited */
    P2_FAULT_TAKEN_BACK, /* a REFUSED that our recomputation found right */
    P2_FAULT_CAUSES
};

/* One fault as it is shown and stored: what was asked, what is right, what came. */
struct p2_fault {
    uint64_t at_s; /* Unix */
    uint64_t lease;
    uint8_t kernel; /* index in the core's table; P2_CORE_KERNELS_MAX: none */
    enum p2_fault_cause cause;
    int16_t change;                    /* of the score */
    uint8_t input[P2_DIGEST_BYTES];    /* BLAKE2b-128 of the task's input */
    uint8_t expected[P2_DIGEST_BYTES]; /* of the right canonical result; zero: not known */
    uint8_t got[P2_DIGEST_BYTES];      /* of what came; zero: nothing decodable */
    uint64_t forfeited_nd;
};

/* Work of one kernel. */
struct p2_kernel_record {
    uint64_t n;         /* good tasks since the last confirmed lie */
    uint64_t tasks;     /* ever */
    uint64_t audits;    /* of them compared with our own result, and equal */
    uint32_t confirmed; /* of them wrong */
};

struct p2_reputation {
    struct p2_id id;
    int16_t score;
    bool is_untrusted; /* banned at least once since it was last admitted */
    uint8_t bans;      /* so far, by this table (not by people) */
    uint64_t banned_until_s;
    uint64_t first_s, last_s;
    uint64_t cleared;                           /* tasks towards the next +1 */
    uint64_t confirmed_s[P2_CONFIRMED_MAX + 1]; /* the newest, a ring */
    uint32_t confirmed;                         /* ever */
    uint32_t refused;
    uint32_t protocol;
    uint32_t faults; /* ever; the newest P2_EVIDENCE_MAX are kept */
    struct p2_fault evidence[P2_EVIDENCE_MAX];
    struct p2_kernel_record kernels[P2_CORE_KERNELS_MAX];
};

/* What an event led to. */
struct p2_judgement {
    int16_t change;      /* of the score */
    bool must_forfeit;   /* held pay is lost */
    bool must_backtrace; /* its last results are to be looked at again */
    bool is_banned;      /* now, until `banned_until_s` of the reputation */
    const char *why;     /* of the ban; static; NULL without */
};

void p2_reputation_init(struct p2_reputation *rep, const struct p2_id *id, uint64_t now_s);

/* REFUSED, INSIDE or OUTSIDE, PROTOCOL, TAKEN_BACK. Copies `fault`, fills its change. OUTSIDE knows
 * whether the same lease was REFUSED before. */
struct p2_judgement p2_reputation_fault(struct p2_reputation *rep, const struct p2_fault *fault,
                                        uint64_t now_s);

/* `tasks` of `kernel` counted: they passed their check, and where `is_compared` our own result too. */
void p2_reputation_good(struct p2_reputation *rep, uint8_t kernel, uint64_t tasks,
                        bool is_compared);

/* `tasks` more cleared (ledger): +1 for every 1,000. */
void p2_reputation_cleared(struct p2_reputation *rep, uint64_t tasks);

/* Is it banned by this table? Ends a ban whose time is over (probation starts anew). */
bool p2_reputation_is_banned(struct p2_reputation *rep, uint64_t now_s);

/* A person lifts the ban of this table: as if its time were over. */
void p2_reputation_pardon(struct p2_reputation *rep);

/* "check-failed", "wrong-plausible", ... Static. */
const char *p2_fault_cause_name(enum p2_fault_cause cause);

/* ---- as stored (table helpers; key: the id) ----------------------------------------------------- */

/* Kernels are stored by name, so that the core's table may change its order. */
struct p2_kernel_names {
    const char *const *names;
    uint32_t count;
};

#define P2_REPUTATION_VERSION   1
#define P2_REPUTATION_BYTES_MAX 4096u

/* out[P2_REPUTATION_BYTES_MAX]; the size. */
size_t p2_reputation_encode(uint8_t *out, const struct p2_reputation *rep,
                            const struct p2_kernel_names *names);

/* P2_E_CORRUPT; P2_E_NEW_SCHEMA. Kernels that are not in `names` are dropped. */
int p2_reputation_decode(struct p2_reputation *ret_rep, struct p2_span bytes,
                         const struct p2_kernel_names *names);

#endif
