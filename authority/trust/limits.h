/* Every number of trust and money in one table, each with where it comes from (DESIGN 9 and
 * research volunteer-and-trust, here "V&T"). Shares are millionths (ppm) or billionths (ppb), money is
 * nano-dollars (nd), work is cost units (microseconds of a reference core). */
#ifndef P2_AUTHORITY_TRUST_LIMITS_H
#define P2_AUTHORITY_TRUST_LIMITS_H

#include <stdint.h>

/* ---- audits ---------------------------------------------------------------------------------- */

#define P2_PROBATION_TASKS 1000u /* DESIGN 9: in shadow, per helper and kernel (V&T 2.3 point 2) */
#define P2_PPB             UINT64_C(1000000000)
#define P2_AUDIT_MIN_PPB   UINT64_C(2000000)  /* q_min = 0.002 (DESIGN 9, V&T 2.3 point 3) */
#define P2_AUDIT_VIEW_PPB  UINT64_C(10000000) /* VIEW audits at 0.01 (DESIGN 9) */
/* K = eps / (c_max (1 - delta)) with eps = 1e-6 and c_max = 1 % (V&T 2.3): eps / c_max = 1e-4. */
#define P2_AUDIT_K_PPB UINT64_C(100000)
/* The catch rate a kernel is credited with at most. Chosen: what a corpus shows of chance damage
 * proves little about crafted lies, and K stays finite. */
#define P2_AUDIT_DELTA_MAX_PPM 990000u
#define P2_AUDIT_WEIGHT_MAX    10u     /* criticality 1..10 (DESIGN 9) */
#define P2_AUDIT_SHARE_PPM     100000u /* 10 % of own cores (DESIGN 9) */
/* Audit time that may be saved up while little is owed, and how much VIEW audits may overdraw before
 * VIEW work waits as well. Chosen: a second of the budget; a player notices nothing shorter. */
#define P2_AUDIT_BURST_US  UINT64_C(1000000)
#define P2_BACKTRACE_MAX   64u    /* DESIGN 9: results of a caught liar that are looked at again */
#define P2_TRAIL_ENTRIES   16384u /* chosen: 64 each of 256 busy helpers */
#define P2_TRAIL_BYTES     (32u << 20)      /* chosen: inputs of 2 KiB each */
#define P2_SURVIVE_US      UINT64_C(200000) /* DESIGN 9: a wrong result corrected later "survived" */
#define P2_CORRECTIONS_MAX 64u /* waiting for one session's next frame; the back-trace's size */

/* ---- reputation ------------------------------------------------------------------------------ */

#define P2_SCORE_START    100   /* DESIGN 9 */
#define P2_SCORE_MAX      100   /* DESIGN 9 */
#define P2_SCORE_REFUSED  (-10) /* the kernel's check fails */
#define P2_SCORE_INSIDE   (-10) /* recomputation differs, inside the kernel's bounds */
#define P2_SCORE_OUTSIDE  (-50) /* recomputation differs, outside them */
#define P2_SCORE_RETURN   50 /* after a ban; chosen: one more lie outside the bounds bans again */
#define P2_SCORE_TASKS    1000u             /* cleared tasks for +1 (DESIGN 9) */
#define P2_CONFIRMED_MAX  3u                /* more confirmed lies in the window ban (DESIGN 9) */
#define P2_CONFIRMED_S    UINT64_C(2592000) /* 30 days (DESIGN 9) */
#define P2_BAN_FIRST_S    UINT64_C(3600)    /* DESIGN 9: 1 hour, 24 hours, for good */
#define P2_BAN_SECOND_S   UINT64_C(86400)
#define P2_BAN_FOR_GOOD   UINT64_MAX
#define P2_EVIDENCE_MAX   16u   /* newest faults kept per helper; chosen: four bans' worth */
#define P2_BANS_MAX       4096u /* chosen: as many as helpers can connect */
#define P2_BAN_REASON_MAX 120u  /* bytes; chosen: a line */
#define P2_BAN_ACTOR_MAX  32u   /* bytes of the name of who did it */

/* ---- money ----------------------------------------------------------------------------------- */

#define P2_ND_PER_DOLLAR UINT64_C(1000000000)
/* $0.15 per helper-hour (DESIGN 9): 3,600 million units. 41,666.67, rounded down. */
#define P2_PRICE_HELPER_ND_M UINT64_C(41666)
#define P2_PRICE_GAMER_ND_H  UINT64_C(10000000) /* $0.01 per gamer-hour (DESIGN 9) */
#define P2_CLEAR_S           UINT64_C(3600)     /* held pay clears after 1 h ... */
#define P2_CLEAR_TASKS       UINT64_C(10000)    /* ... and 10,000 further tasks (DESIGN 9) */
/* Held pay is kept in lots. A lot closes when it is 60 s old and holds 160 tasks, so at most
 * max(60, 63) closed lots are not cleared yet. */
#define P2_LOT_S         60u
#define P2_LOT_TASKS     160u
#define P2_LOTS_MAX      64u
#define P2_ACCOUNTS_MAX  65536u /* in memory; chosen: 13 MB of helpers and gamers */
#define P2_RECEIPT_TASKS 1000u  /* a receipt is due after so many paid tasks, */
#define P2_RECEIPT_S     60u /* or so long after the first unreported one; V&T 3, point 9: a minute */
#define P2_PAYOUTS_MAX   256u /* under way or unknown; chosen */

/* ---- data ------------------------------------------------------------------------------------ */

/* Share of a session's contents one helper (and one owner) may hold for P1 tasks. Chosen: a quarter,
 * as the cap of leases (DESIGN 9). */
#define P2_WORLD_SHARE_PPM 250000u

#endif
