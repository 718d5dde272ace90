/* May this machine be lent now, and if not, why: the owner's limits against what the sensors say.
 *
 * Checked in this order; the first that holds is the reason, with the number that caused it:
 *
 *   reason         number                              holds
 *   STOPPING       0                                   the daemon ends
 *   NOT_ENABLED    0                                   the owner has not said yes
 *   PAUSED         seconds left, 0: until resumed      p2_lending_pause
 *   STARTING       0                                   the kernels' self-test is running
 *   NO_SANDBOX     0                                   the workers' launcher is lost
 *   SCHEDULE       minutes until it opens              outside the week's windows
 *   BATTERY        charge in percent                   on battery; also when nobody can tell
 *                                                      although there is one
 *   HOT            degrees Celsius                     from the limit on, until 5 below it
 *   FULL_SCREEN    0                                   the agent sees a program that fills the screen
 *   NO_IDLE_SENSOR seconds since the agent's word      only-when-idle, and nobody tells
 *   USER           seconds since the last input        only-when-idle, less than `idle_s`
 *   LOAD           percent of all cores, by others     only-when-idle; until 30 s below 3/4
 *   PRESSURE       percent of time tasks waited        the same
 *   MEMORY         MiB available                       below the limit, until 1/8 above it
 *   DISK           MiB free                            the same
 *   MONTH          MiB this month                      the month's traffic is used up
 *   RATE           KiB above the allowance             traffic was faster than the limit
 *   NO_AUTHORITY   links that do not work              none takes our work
 *   NO_LEASES      working links                       nobody has a task at the moment
 *   LENDING        leases in hand                      it works
 *
 * The last three are lending as far as the owner is concerned (p2_lend_may). Integers only. Pure:
 * time and sensors are arguments. Thread: an object belongs to one thread. */
#ifndef P2_HELPER_LENDING_H
#define P2_HELPER_LENDING_H

#include "helper/schedule.h"

enum p2_lend_reason {
    P2_LEND_STOPPING,
    P2_LEND_NOT_ENABLED,
    P2_LEND_PAUSED,
    P2_LEND_STARTING,
    P2_LEND_NO_SANDBOX,
    P2_LEND_SCHEDULE,
    P2_LEND_BATTERY,
    P2_LEND_HOT,
    P2_LEND_FULL_SCREEN,
    P2_LEND_NO_IDLE_SENSOR,
    P2_LEND_USER,
    P2_LEND_LOAD,
    P2_LEND_PRESSURE,
    P2_LEND_MEMORY,
    P2_LEND_DISK,
    P2_LEND_MONTH,
    P2_LEND_RATE,
    P2_LEND_NO_AUTHORITY,
    P2_LEND_NO_LEASES,
    P2_LEND_LENDING
};
#define P2_LEND_REASONS 20

#define P2_LEND_COOLER_C 5 /* chosen: fans settle within it */

/* Quiet time before a loaded machine counts as idle again. Chosen: a compiler pauses for less. */
#define P2_LEND_QUIET_MS UINT64_C(30000)

/* An agent that was not heard of for so long tells nothing. Chosen: it reports every 2 s. */
#define P2_LEND_AGENT_MS UINT64_C(10000)

/* What the owner allows. 0 is no limit. */
struct p2_lend_limits {
    bool is_enabled;
    struct p2_schedule schedule;
    bool only_when_idle;
    uint32_t idle_s;           /* without input */
    uint32_t load_percent;     /* of all cores, used by others */
    uint32_t pressure_percent; /* "some" of /proc/pressure/cpu */
    bool on_battery;           /* lend then, too */
    int32_t temperature_c;
    uint64_t memory_bytes; /* to be left available */
    uint64_t disk_bytes;   /* to be left free in the state folder */
    uint64_t month_bytes;
    uint64_t rate_bytes_s;
};

/* What the machine says; what is not known is marked so. */
struct p2_lend_sensors {
    bool has_battery, knows_power, is_on_battery;
    uint32_t charge_percent;
    bool knows_temperature;
    int32_t temperature_c; /* of the hottest zone */
    bool knows_input;      /* the session manager's word */
    uint32_t input_s;      /* since the last input */
    bool knows_load;
    uint32_t load_percent;
    bool knows_pressure;
    uint32_t pressure_percent;
    bool knows_memory, knows_disk;
    uint64_t memory_bytes, disk_bytes;
    /* The daemon itself. */
    bool is_stopping, is_tested, has_sandbox;
    uint32_t links, links_working, leases;
    uint64_t traffic_bytes; /* on all links, ever; only grows */
};

/* Three clocks. */
struct p2_lend_now {
    uint64_t mono_ms;
    int64_t unix_s;
    int32_t offset_s; /* of local time from UTC, now */
    uint32_t month;   /* any number that changes with the month */
};

struct p2_lend_verdict {
    enum p2_lend_reason reason;
    uint64_t number;
};

/* What is remembered; zero it to begin. The first group is kept over restarts by the user. */
struct p2_lending {
    bool is_paused;
    int64_t pause_until_s; /* 0: until resumed */
    uint32_t month;
    uint64_t month_used; /* bytes */

    bool has_agent, is_full_screen;
    uint32_t agent_input_s;
    uint64_t agent_ms;
    bool is_hot, is_short_of_memory, is_short_of_disk;
    bool is_loaded, is_pressed;
    uint64_t load_ms, pressure_ms; /* when it was last above 3/4 of the limit */
    bool has_traffic;
    uint64_t traffic_bytes; /* counted so far */
    uint64_t traffic_ms;
    int64_t credit_bytes; /* of the rate */
};

/* Decides. To be called about every 250 ms, and at once when something changed. */
struct p2_lend_verdict p2_lending_decide(struct p2_lending *lending,
                                         const struct p2_lend_limits *limits,
                                         const struct p2_lend_sensors *sensors,
                                         const struct p2_lend_now *now);

/* Until `until_s`, or with 0 until resumed. */
void p2_lending_pause(struct p2_lending *lending, int64_t until_s);
void p2_lending_resume(struct p2_lending *lending);

/* The word of the owner's session: seconds since the last input, and whether a program fills the
 * screen. */
void p2_lending_agent(struct p2_lending *lending, uint32_t input_s, bool is_full_screen,
                      uint64_t mono_ms);

/* Does this reason let leases be computed? */
bool p2_lend_may(enum p2_lend_reason reason);

/* "on-battery", ...: stable names for --json, and a sentence with the number for people, e.g.
 * "on battery, 57 % left". Names are static. */
const char *p2_lend_reason_name(enum p2_lend_reason reason);
#define P2_LEND_TEXT_MAX 96
void p2_lend_text(char text[P2_LEND_TEXT_MAX], const struct p2_lend_verdict *verdict);

#endif
