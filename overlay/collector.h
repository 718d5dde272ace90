/* What one lookup keeps, and when it has seen enough (DESIGN 6).
 *
 * Strangers decide how many values lie under a key; the collector decides how many we look at. It
 * ends a lookup at the first of four limits, drops copies of what it has seen before they cost a
 * signature check, and keeps of each signer the record with the highest sequence.
 *
 *   for every value:  p2_collector_begin -> false: stop (P2_OVERLAY_STOP)
 *                     the caller checks the value
 *                     p2_collector_keep or p2_collector_reject
 *
 * CPU time is charged between begin and the next begin. Pure: time comes in. Thread: one. */
#ifndef P2_OVERLAY_COLLECTOR_H
#define P2_OVERLAY_COLLECTOR_H

#include "overlay/record.h"

#define P2_COLLECTOR_RECORDS 64     /* DESIGN 6: valid records that count */
#define P2_COLLECTOR_VALUES  8192   /* DESIGN 6 */
#define P2_COLLECTOR_CPU_US  100000 /* DESIGN 6: 100 ms */
#define P2_COLLECTOR_TIME_US 20000000

/* Values remembered to recognise copies. Chosen: more than the signature checks that fit into
 * P2_COLLECTOR_CPU_US (1,200 at 80 us). A power of two; half of the slots are used at most. */
#define P2_COLLECTOR_SEEN_SLOTS 4096

enum p2_collector_end {
    P2_COLLECTOR_RUNNING,
    P2_COLLECTOR_END_RECORDS, /* as many valid records as count */
    P2_COLLECTOR_END_VALUES,
    P2_COLLECTOR_END_CPU,
    P2_COLLECTOR_END_TIME
};

struct p2_collector_limits {
    uint32_t records; /* 1..P2_COLLECTOR_RECORDS */
    uint32_t values;
    uint64_t cpu_us;
    uint64_t time_us;
};

struct p2_collector {
    struct p2_collector_limits limits;
    enum p2_collector_end end;
    uint64_t start_us;     /* steady time of the reset */
    uint64_t spent_cpu_us; /* charged so far */
    uint64_t mark_cpu_us;  /* the thread's CPU time at the last begin; charged while checking */
    bool is_checking;      /* between begin and keep or reject */
    uint32_t values;       /* looked at */
    uint32_t junk;         /* rejected */
    uint32_t copies;       /* recognised as seen before */
    uint32_t stale;        /* valid, and older than what is kept of the signer */
    uint32_t count;        /* records kept */
    uint32_t seen_count;
    struct p2_overlay_record records[P2_COLLECTOR_RECORDS]; /* the kept ones, [count] */
    uint64_t seen[P2_COLLECTOR_SEEN_SLOTS];                 /* digests, 0: free */
};

/* The limits of DESIGN 6. */
struct p2_collector_limits p2_collector_default_limits(void);

/* Empties it and starts its clocks. */
void p2_collector_reset(struct p2_collector *collector, const struct p2_collector_limits *limits,
                        const struct p2_overlay_now *now);

/* Counts a value. False when a limit is reached (see `end`): the caller stops the lookup. */
bool p2_collector_begin(struct p2_collector *collector, const struct p2_overlay_now *now);

/* Was a value with this digest (stamp.h) offered before? Remembers it. O(1) on average. */
bool p2_collector_is_copy(struct p2_collector *collector, uint64_t digest);

/* A valid record. Kept unless one of the same signer and kind with the same or a higher sequence
 * is; when it replaces one, the count stays. */
void p2_collector_keep(struct p2_collector *collector, const struct p2_overlay_record *record,
                       const struct p2_overlay_now *now);

/* The value was junk. */
void p2_collector_reject(struct p2_collector *collector, const struct p2_overlay_now *now);

/* "running", "records", ... Static. */
const char *p2_collector_end_name(enum p2_collector_end end);

#endif
