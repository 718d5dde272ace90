/* The waits between tries to reach an authority. */
#include "helper/backoff.h"

void p2_backoff_init(struct p2_backoff *backoff)
{
    backoff->failures = 0;
}

static uint64_t full_wait_ms(uint32_t failures)
{
    if (failures >= P2_BACKOFF_LONG) {
        return P2_BACKOFF_LONG_MS;
    }
    uint64_t wait_ms = P2_BACKOFF_MIN_MS;
    for (uint32_t i = 1; i < failures && wait_ms < P2_BACKOFF_MAX_MS; i++) {
        wait_ms *= 2;
    }
    return wait_ms < P2_BACKOFF_MAX_MS ? wait_ms : P2_BACKOFF_MAX_MS;
}

uint64_t p2_backoff_wait_ms(struct p2_backoff *backoff, uint64_t worked_ms, uint64_t advice_ms,
                            struct p2_rng *rng)
{
    if (worked_ms >= P2_BACKOFF_PROVEN_MS) {
        backoff->failures = 0;
    }
    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    uint64_t full_ms = full_wait_ms(backoff->failures);
    uint64_t wait_ms = p2_rng_between(rng, full_ms / 2, full_ms);
    return wait_ms > advice_ms ? wait_ms : advice_ms;
}
