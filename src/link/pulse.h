/* Is an open link still alive? The rule, for every transport.
 *
 * Alive is who is heard or makes progress: the peer's bytes come, or ours are acknowledged. A PING
 * may wait behind megabytes on a slow line, and its PONG likewise, so that a PING without PONG says
 * nothing while there is progress; it ends a link only after a multiple of the idle time-out.
 *
 * Pure. Thread: reentrant. */
#ifndef P2_LINK_PULSE_H
#define P2_LINK_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/* A PING may stay without PONG for so many idle time-outs. Chosen: 8 times 15 s is how long Linux's
 * largest send buffer (tcp_wmem: 4 MiB) takes at 300 kbit/s. */
#define P2_PULSE_PING_FACTOR 8u

/* Points in time and durations of one link, all in one unit of the caller. */
struct p2_pulse {
    uint64_t heard;    /* when bytes last came */
    uint64_t progress; /* when the peer last acknowledged bytes; 0: never */
    uint64_t ping;     /* when the PING left that waits for its PONG */
    bool is_ping_out;  /* there is one */
};

/* P2_OK, or P2_E_TIMEOUT when the link is dead at `now` with an idle time-out of `idle`. */
int p2_pulse_check(const struct p2_pulse *pulse, uint64_t now, uint64_t idle);

#endif
