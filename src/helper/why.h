/* Where the time went: every millisecond since the start belongs to exactly one reason of lending.h.
 * The sum over all reasons is the time from begin to now, always. Pure. Thread: one. */
#ifndef P2_HELPER_WHY_H
#define P2_HELPER_WHY_H

#include "helper/lending.h"

/* Changes of reason that are remembered. Chosen: a screen of history. */
#define P2_WHY_CHANGES 64u

struct p2_why_change {
    int64_t unix_s;
    struct p2_lend_verdict verdict; /* as it was when it began */
};

struct p2_why {
    uint64_t begin_ms, since_ms; /* of all, and of what was not added yet */
    struct p2_lend_verdict now;
    uint64_t spent_ms[P2_LEND_REASONS];
    struct p2_why_change changes[P2_WHY_CHANGES]; /* a ring */
    uint64_t change_count;                        /* ever */
};

void p2_why_begin(struct p2_why *why, struct p2_lend_verdict verdict, uint64_t mono_ms,
                  int64_t unix_s);

/* The verdict from now on; what passed goes to the one before. `mono_ms` never goes back. True when
 * the reason changed. */
bool p2_why_note(struct p2_why *why, struct p2_lend_verdict verdict, uint64_t mono_ms,
                 int64_t unix_s);

/* Time of one reason until `mono_ms`, the current one included. */
uint64_t p2_why_spent_ms(const struct p2_why *why, enum p2_lend_reason reason, uint64_t mono_ms);

/* The change `index` steps back, 0 the newest; NULL when it is not remembered. */
const struct p2_why_change *p2_why_change_at(const struct p2_why *why, uint64_t index);

#endif
