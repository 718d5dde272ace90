/* Every limit and constant of the authority's core, each with where its number comes from. Times are
 * microseconds, shares are millionths (ppm), sizes are bytes. */
#ifndef P2_AUTHORITY_LIMITS_H
#define P2_AUTHORITY_LIMITS_H

#include "wire/limits.h"

#include <stdint.h>

/* ---- sizes ----------------------------------------------------------------------------------- */

#define P2_CORE_HELPERS_MAX  4096u /* DESIGN 13 aims at 1,000; chosen: four times that */
#define P2_CORE_SESSIONS_MAX 64u   /* DESIGN 13: dozens; a helper's ties are one bit for each */
#define P2_CORE_KERNELS_MAX  P2_WIRE_KERNELS_MAX
#define P2_CORE_TASKS_MAX    16384u /* undelivered tasks of a session; a burst of 10,000 must fit */
#define P2_CORE_INVITES_MAX  256u   /* outstanding invites; chosen: they live 120 s (DESIGN 6) */
#define P2_CORE_BLOBS_MAX    1024u /* contents a session shares; four times the demo's 256 chunks */
#define P2_CORE_TAGS_MAX     64u   /* declared links of a session; chosen: its seats */

/* Leases of one task alive at once: first, hedge, two replicas more. Chosen: a task that needs more
 * is cheaper to compute here. */
#define P2_TASK_LEASES_MAX 4u

/* Helpers one task was tried on, so that a retry goes to somebody else. Chosen: in 200 ms nobody
 * gets further. */
#define P2_TASK_TRIES_MAX 8u

/* Helpers a session chooses among for each task. Chosen: at the demo's 60 tasks a frame this is
 * 4,000 estimates, 0.1 ms, whatever the number of connected helpers. */
#define P2_PLACEMENT_ACTIVE 64u

/* Of those, places for helpers that were not measured lately (rotation). Chosen: an eighth. */
#define P2_PLACEMENT_FRESH 8u

/* ---- time ------------------------------------------------------------------------------------ */

#define P2_FRAME_HZ         60u      /* DESIGN 8 */
#define P2_LEASE_TIMEOUT_US 200000u  /* DESIGN 8: hard timeout */
#define P2_LEASE_LONG_US    2000000u /* the same for class C3, whose tasks take seconds */
#define P2_LEASE_GRACE_US   2000000u /* late answers are recognised this long; chosen: 10 timeouts */
#define P2_ADMISSION_TIMEOUT_US \
    5000000u /* for warm-up tasks; chosen: start of a worker and a bad network */
#define P2_CORE_POLL_US \
    1000u /* while work is out, time is looked at this often; chosen: libuv's timer step */
#define P2_DELIVER_MARGIN_US 1000u /* results must be here that long before their slot; one poll */
#define P2_LOCAL_MARGIN_US \
    2000u                    /* the same for own cores: a poll, and the way to the pool and back */
#define P2_ROTATE_US 250000u /* the active helpers are chosen again; chosen: four a second */

/* Round trips a class tolerates (games.md 2.2): C1 about 30 ms, to which 5 ms are added because a
 * smoothed round trip wavers by that on a home network; C2 150 ms; C3 within its timeout. */
#define P2_CLASS_C1_RTT_US 35000u
#define P2_CLASS_C2_RTT_US 150000u
#define P2_CLASS_C3_RTT_US 1000000u

/* ---- pipeline -------------------------------------------------------------------------------- */

#define P2_DEPTH_MIN         1u
#define P2_DEPTH_MAX         P2_WIRE_DEPTH_FRAMES
#define P2_DEPTH_CALM_FRAMES 120u  /* two seconds without need before the depth falls; chosen */
#define P2_SLACK_MAX_FRAMES  1023u /* 17 s: classes with seconds of slack (DESIGN 8) fit */
#define P2_JOURNAL_INLINE_MAX \
    16384u /* larger STATE results are journalled as `recompute`: the bits are the same; chosen */

/* ---- helpers --------------------------------------------------------------------------------- */

#define P2_AVAILABILITY_START 800000u /* ppm; chosen: below a helper that proved itself */
#define P2_AVAILABILITY_FLOOR 50000u  /* ppm, so that a weight stays finite */
#define P2_BACKOFF_FIRST_US   UINT64_C(15000000)  /* DESIGN 9: 15 s */
#define P2_BACKOFF_MAX_US     UINT64_C(600000000) /* DESIGN 9: 10 min */
#define P2_BACKOFF_MISSES     3u /* timeouts in a row before the first back-off; chosen: one is noise */
#define P2_BACKOFF_CLEAR \
    64u /* answers in time that halve the next back-off; chosen: a second's work */
#define P2_STRIKES_MAX       3u /* DESIGN 9: protocol strikes an hour */
#define P2_STRIKE_WINDOW_US  UINT64_C(3600000000)
#define P2_CAP_SHARE_PERCENT 25u /* DESIGN 9: of a session's leases in flight per owner or prefix */
#define P2_EXPLORE_PPM       62500u /* of C2 and C3 leases go to the least measured helper; one in 16 */

/* Messages that answer nothing (OFFER, DRAIN, odd ones): 10 a second, 50 at once. Chosen: an owner
 * at the keyboard changes OFFER a few times a second; answers are bounded by what was asked. */
#define P2_RATE_MESSAGES_PER_S 10u
#define P2_RATE_MESSAGES_BURST 50u
/* Their bytes: the largest control message each. */
#define P2_RATE_BYTES_PER_S (P2_RATE_MESSAGES_PER_S * P2_WIRE_CONTROL_MAX)
#define P2_RATE_BYTES_BURST (P2_RATE_MESSAGES_BURST * P2_WIRE_CONTROL_MAX)

/* ---- gamers ---------------------------------------------------------------------------------- */

#define P2_PLAYERS_MAX  P2_WIRE_SEATS_MAX
#define P2_INPUT_QUEUE  8u  /* games: queue of 8 inputs per player */
#define P2_INPUT_WINDOW 64u /* sequence numbers ahead that are believed */

#endif
