/* When to dial again: jittered exponential back-off that never gives up.
 *
 *   failures in a row   wait before the next try
 *   1, 2, 3, ...        0.25 s doubling to P2_BACKOFF_MAX_MS
 *   P2_BACKOFF_LONG     from there on P2_BACKOFF_LONG_MS
 *
 * The real wait is drawn between half of that and all of it, so that helpers that lost the same
 * authority do not come back in one instant (full-jitter family; AWS Architecture Blog 2015,
 * "Exponential Backoff And Jitter"). Pure: time and randomness are arguments. Thread: an object
 * belongs to one thread. */
#ifndef P2_HELPER_BACKOFF_H
#define P2_HELPER_BACKOFF_H

#include "base/rng.h"

#include <stdint.h>

/* First wait. Chosen: a restarted authority is back within it. */
#define P2_BACKOFF_MIN_MS UINT64_C(250)

/* Longest wait at first. An authority that heals must have its helpers back within 5 s. */
#define P2_BACKOFF_MAX_MS UINT64_C(4000)

/* After so many failures in a row, about six minutes, it is no hiccup any more. Chosen. */
#define P2_BACKOFF_LONG    100u
#define P2_BACKOFF_LONG_MS UINT64_C(60000)

/* A link must have worked this long before the failures before it are forgotten: an authority that
 * accepts and drops at once is still failing. Chosen: a session has come to speed by then. */
#define P2_BACKOFF_PROVEN_MS UINT64_C(5000)

struct p2_backoff {
    uint32_t failures; /* in a row */
};

/* Forgets everything: the first try comes at once. */
void p2_backoff_init(struct p2_backoff *backoff);

/* A try failed, or a link that had worked for `worked_ms` ended (0: never worked). Returns how long
 * to wait in ms, at least `advice_ms` (what the peer asked for; 0: nothing). */
uint64_t p2_backoff_wait_ms(struct p2_backoff *backoff, uint64_t worked_ms, uint64_t advice_ms,
                            struct p2_rng *rng);

#endif
