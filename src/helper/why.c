/* Accounting of time by reason. */
#include "helper/why.h"

#include <string.h>

static void remember(struct p2_why *why, int64_t unix_s)
{
    why->changes[why->change_count++ % P2_WHY_CHANGES] =
        (struct p2_why_change){.unix_s = unix_s, .verdict = why->now};
}

void p2_why_begin(struct p2_why *why, struct p2_lend_verdict verdict, uint64_t mono_ms,
                  int64_t unix_s)
{
    memset(why, 0, sizeof *why);
    why->begin_ms = why->since_ms = mono_ms;
    why->now = verdict;
    remember(why, unix_s);
}

bool p2_why_note(struct p2_why *why, struct p2_lend_verdict verdict, uint64_t mono_ms,
                 int64_t unix_s)
{
    bool is_new = verdict.reason != why->now.reason;
    why->spent_ms[why->now.reason] += mono_ms - why->since_ms;
    why->since_ms = mono_ms;
    why->now = verdict;
    if (is_new) {
        remember(why, unix_s);
    }
    return is_new;
}

uint64_t p2_why_spent_ms(const struct p2_why *why, enum p2_lend_reason reason, uint64_t mono_ms)
{
    return why->spent_ms[reason] + (reason == why->now.reason ? mono_ms - why->since_ms : 0);
}

const struct p2_why_change *p2_why_change_at(const struct p2_why *why, uint64_t index)
{
    if (index >= why->change_count || index >= P2_WHY_CHANGES) {
        return NULL;
    }
    return &why->changes[(why->change_count - 1 - index) % P2_WHY_CHANGES];
}
