/* The limits of a reader; see the header. */
#include "overlay/collector.h"

#include <string.h>

struct p2_collector_limits p2_collector_default_limits(void)
{
    return (struct p2_collector_limits){
        .records = P2_COLLECTOR_RECORDS,
        .values = P2_COLLECTOR_VALUES,
        .cpu_us = P2_COLLECTOR_CPU_US,
        .time_us = P2_COLLECTOR_TIME_US,
    };
}

void p2_collector_reset(struct p2_collector *collector, const struct p2_collector_limits *limits,
                        const struct p2_overlay_now *now)
{
    P2_ASSERT(limits->records >= 1 && limits->records <= P2_COLLECTOR_RECORDS);
    memset(collector, 0, sizeof *collector);
    collector->limits = *limits;
    collector->start_us = now->mono_us;
}

/* Charges the time since `begin`. Called at the end of each check, so that what the thread did
 * between two values is not the reader's. */
static void charge(struct p2_collector *collector, const struct p2_overlay_now *now)
{
    if (collector->is_checking && now->cpu_us > collector->mark_cpu_us) {
        collector->spent_cpu_us += now->cpu_us - collector->mark_cpu_us;
    }
    collector->is_checking = false;
}

static enum p2_collector_end limit_reached(const struct p2_collector *collector,
                                           const struct p2_overlay_now *now)
{
    if (collector->count >= collector->limits.records) {
        return P2_COLLECTOR_END_RECORDS;
    }
    if (collector->values >= collector->limits.values) {
        return P2_COLLECTOR_END_VALUES;
    }
    if (collector->spent_cpu_us >= collector->limits.cpu_us) {
        return P2_COLLECTOR_END_CPU;
    }
    if (now->mono_us - collector->start_us >= collector->limits.time_us) {
        return P2_COLLECTOR_END_TIME;
    }
    return P2_COLLECTOR_RUNNING;
}

bool p2_collector_begin(struct p2_collector *collector, const struct p2_overlay_now *now)
{
    charge(collector, now); /* of a value whose caller said neither keep nor reject */
    collector->end = limit_reached(collector, now);
    if (collector->end != P2_COLLECTOR_RUNNING) {
        return false;
    }
    collector->values++;
    collector->is_checking = true;
    collector->mark_cpu_us = now->cpu_us;
    return true;
}

bool p2_collector_is_copy(struct p2_collector *collector, uint64_t digest)
{
    uint64_t wanted = digest != 0 ? digest : 1;
    size_t slot = (size_t)wanted & (P2_COLLECTOR_SEEN_SLOTS - 1);
    while (collector->seen[slot] != 0) {
        if (collector->seen[slot] == wanted) {
            collector->copies++;
            return true;
        }
        slot = (slot + 1) & (P2_COLLECTOR_SEEN_SLOTS - 1);
    }
    if (collector->seen_count < P2_COLLECTOR_SEEN_SLOTS / 2) {
        collector->seen[slot] = wanted;
        collector->seen_count++;
    }
    return false;
}

void p2_collector_keep(struct p2_collector *collector, const struct p2_overlay_record *record,
                       const struct p2_overlay_now *now)
{
    charge(collector, now);
    for (uint32_t i = 0; i < collector->count; i++) {
        struct p2_overlay_record *kept = &collector->records[i];
        if (kept->kind != record->kind || !p2_id_equal(&kept->signer, &record->signer)) {
            continue;
        }
        if (record->sequence > kept->sequence) {
            *kept = *record;
        } else {
            collector->stale++;
        }
        return;
    }
    if (collector->count < collector->limits.records) {
        collector->records[collector->count++] = *record;
    }
}

void p2_collector_reject(struct p2_collector *collector, const struct p2_overlay_now *now)
{
    charge(collector, now);
    collector->junk++;
}

const char *p2_collector_end_name(enum p2_collector_end end)
{
    static const char *const names[] = {"running", "records", "values", "cpu", "time"};
    return (size_t)end < P2_COUNT_OF(names) ? names[end] : "?";
}
