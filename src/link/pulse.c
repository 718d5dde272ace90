/* See the header. */
#include "link/pulse.h"

#include "base/error.h"

int p2_pulse_check(const struct p2_pulse *pulse, uint64_t now, uint64_t idle)
{
    uint64_t alive = pulse->heard > pulse->progress ? pulse->heard : pulse->progress;
    if (now - alive >= idle) {
        return P2_E_TIMEOUT;
    }
    bool is_ignored = pulse->is_ping_out && now - pulse->ping >= P2_PULSE_PING_FACTOR * idle;
    return is_ignored ? P2_E_TIMEOUT : P2_OK;
}
