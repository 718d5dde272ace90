/* What this machine says about itself: /proc and /sys, read a few files at a time.
 *
 *   power        /sys/class/power_supply/: a Battery that Discharges, or no online Mains
 *   heat         /sys/class/thermal/thermal_zone*: the hottest
 *   load         /proc/stat, less the CPU time of this daemon and its workers
 *   pressure     /proc/pressure/cpu, "some avg10"; it counts the workers' own waiting, too
 *   memory       MemAvailable of /proc/meminfo
 *   disk         statvfs(3) of the state folder
 *
 * Blocks for the time of reading some 20 kernel files, below a millisecond. Thread: one. */
#ifndef P2_HELPER_SENSORS_H
#define P2_HELPER_SENSORS_H

#include "helper/lending.h"

struct p2_sensors {
    const char *root;      /* "" on a real machine; kept */
    const char *state_dir; /* kept */
    bool has_before;
    uint64_t total, busy; /* ticks of all cores at the last look */
    uint64_t own_us;
};

/* Fills what the machine says; the daemon's own members are left alone. `own_us` is the CPU time of
 * this daemon and its workers so far. The load is known from the second look on. */
void p2_sensors_look(struct p2_sensors *sensors, uint64_t own_us, struct p2_lend_sensors *ret);

#endif
