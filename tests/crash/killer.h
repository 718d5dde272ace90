/* What killer.c kills: a workload runs in a child until the SIGKILL, and checks afterwards what is
 * left of it. */
#ifndef P2_TESTS_CRASH_KILLER_H
#define P2_TESTS_CRASH_KILLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What outlives the child. */
struct killer_shared {
    _Atomic uint64_t submitted, acknowledged;
    _Atomic uint64_t images; /* of these whose writing was confirmed */
    _Atomic int mistake;     /* an error a batch may not have */
};

struct killer_workload {
    const char *name;
    /* Longest life of a child, so that kills fall into opening, into recovery, into the first commits,
     * and into the flow. */
    uint64_t life_max_us;
    /* Works on the store in `folder` for ever. Returns only when something is wrong. */
    int (*run)(const char *folder, struct killer_shared *shared);
    /* Opens the store and checks it. How many units it holds to *ret_count. */
    bool (*verify)(const char *folder, struct killer_shared *shared, uint64_t *ret_count);
};

extern const struct killer_workload killer_accounts, killer_session;

#endif
