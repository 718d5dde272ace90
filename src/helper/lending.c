/* The owner comes first. */
#include "helper/lending.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

/* ---- what holds until it is better by a margin --------------------------------------------------- */

/* Is there less than `limit`? Ends an eighth above it. */
static bool is_short(bool was_short, bool is_known, uint64_t bytes, uint64_t limit)
{
    return limit > 0 && is_known && bytes < (was_short ? limit + limit / 8 : limit);
}

static bool is_hot(bool was_hot, int32_t temperature, int32_t limit)
{
    return temperature >= (was_hot ? limit - P2_LEND_COOLER_C + 1 : limit);
}

/* From the limit on, until it was below 3/4 of it for P2_LEND_QUIET_MS. */
static bool is_above(bool was_above, uint32_t percent, uint32_t limit, uint64_t *last_ms,
                     uint64_t now_ms)
{
    if (percent >= limit || (was_above && 4 * (uint64_t)percent >= 3 * (uint64_t)limit)) {
        *last_ms = now_ms;
        return true;
    }
    return was_above && now_ms - *last_ms < P2_LEND_QUIET_MS;
}

/* ---- groups of reasons --------------------------------------------------------------------------- */

static bool say(struct p2_lend_verdict *verdict, enum p2_lend_reason reason, uint64_t number)
{
    *verdict = (struct p2_lend_verdict){reason, number};
    return true;
}

static bool check_will(struct p2_lending *lending, const struct p2_lend_limits *limits,
                       const struct p2_lend_sensors *sensors, const struct p2_lend_now *now,
                       struct p2_lend_verdict *verdict)
{
    if (sensors->is_stopping) {
        return say(verdict, P2_LEND_STOPPING, 0);
    }
    if (!limits->is_enabled) {
        return say(verdict, P2_LEND_NOT_ENABLED, 0);
    }
    if (lending->is_paused && lending->pause_until_s != 0 &&
        lending->pause_until_s <= now->unix_s) {
        lending->is_paused = false;
    }
    if (lending->is_paused) {
        return say(verdict, P2_LEND_PAUSED,
                   lending->pause_until_s == 0 ? 0
                                               : (uint64_t)(lending->pause_until_s - now->unix_s));
    }
    if (!sensors->is_tested) {
        return say(verdict, P2_LEND_STARTING, 0);
    }
    if (!sensors->has_sandbox) {
        return say(verdict, P2_LEND_NO_SANDBOX, 0);
    }
    uint32_t minute = p2_schedule_minute(now->unix_s + now->offset_s);
    if (!p2_schedule_is_open(&limits->schedule, minute)) {
        return say(verdict, P2_LEND_SCHEDULE, p2_schedule_wait(&limits->schedule, minute));
    }
    return false;
}

static bool check_machine(struct p2_lending *lending, const struct p2_lend_limits *limits,
                          const struct p2_lend_sensors *sensors, struct p2_lend_verdict *verdict)
{
    if (!limits->on_battery && sensors->has_battery &&
        (!sensors->knows_power || sensors->is_on_battery)) {
        return say(verdict, P2_LEND_BATTERY, sensors->charge_percent);
    }
    lending->is_hot = limits->temperature_c > 0 && sensors->knows_temperature &&
                      is_hot(lending->is_hot, sensors->temperature_c, limits->temperature_c);
    return lending->is_hot && say(verdict, P2_LEND_HOT, (uint64_t)sensors->temperature_c);
}

/* Seconds since the last input, as the agent or else the session manager says. */
static bool input_of(const struct p2_lending *lending, const struct p2_lend_sensors *sensors,
                     const struct p2_lend_now *now, uint64_t *ret_input_s)
{
    uint64_t age_ms = now->mono_ms - lending->agent_ms;
    if (lending->has_agent && age_ms <= P2_LEND_AGENT_MS) {
        *ret_input_s = lending->agent_input_s + age_ms / 1000;
        return true;
    }
    *ret_input_s = sensors->input_s;
    return sensors->knows_input;
}

static bool check_people(struct p2_lending *lending, const struct p2_lend_limits *limits,
                         const struct p2_lend_sensors *sensors, const struct p2_lend_now *now,
                         struct p2_lend_verdict *verdict)
{
    uint64_t input_s = 0, age_ms = now->mono_ms - lending->agent_ms;
    if (lending->has_agent && lending->is_full_screen && age_ms <= P2_LEND_AGENT_MS) {
        return say(verdict, P2_LEND_FULL_SCREEN, 0);
    }
    if (!limits->only_when_idle) {
        lending->is_loaded = lending->is_pressed = false;
        return false;
    }
    if (!input_of(lending, sensors, now, &input_s) || !sensors->knows_load) {
        return say(verdict, P2_LEND_NO_IDLE_SENSOR, lending->has_agent ? age_ms / 1000 : 0);
    }
    if (input_s < limits->idle_s) {
        return say(verdict, P2_LEND_USER, input_s);
    }
    lending->is_loaded =
        limits->load_percent > 0 && is_above(lending->is_loaded, sensors->load_percent,
                                             limits->load_percent, &lending->load_ms, now->mono_ms);
    if (lending->is_loaded) {
        return say(verdict, P2_LEND_LOAD, sensors->load_percent);
    }
    lending->is_pressed = limits->pressure_percent > 0 && sensors->knows_pressure &&
                          is_above(lending->is_pressed, sensors->pressure_percent,
                                   limits->pressure_percent, &lending->pressure_ms, now->mono_ms);
    return lending->is_pressed && say(verdict, P2_LEND_PRESSURE, sensors->pressure_percent);
}

static bool check_room(struct p2_lending *lending, const struct p2_lend_limits *limits,
                       const struct p2_lend_sensors *sensors, struct p2_lend_verdict *verdict)
{
    lending->is_short_of_memory = is_short(lending->is_short_of_memory, sensors->knows_memory,
                                           sensors->memory_bytes, limits->memory_bytes);
    if (lending->is_short_of_memory) {
        return say(verdict, P2_LEND_MEMORY, sensors->memory_bytes / MIB);
    }
    lending->is_short_of_disk = is_short(lending->is_short_of_disk, sensors->knows_disk,
                                         sensors->disk_bytes, limits->disk_bytes);
    if (lending->is_short_of_disk) {
        return say(verdict, P2_LEND_DISK, sensors->disk_bytes / MIB);
    }
    if (limits->month_bytes > 0 && lending->month_used >= limits->month_bytes) {
        return say(verdict, P2_LEND_MONTH, lending->month_used / MIB);
    }
    if (limits->rate_bytes_s > 0 && lending->credit_bytes < 0) {
        return say(verdict, P2_LEND_RATE, ((uint64_t)-lending->credit_bytes + 1023) / 1024);
    }
    return false;
}

/* A second's worth of traffic may come at once; what is above it is paid back by waiting. */
static void count_traffic(struct p2_lending *lending, const struct p2_lend_limits *limits,
                          const struct p2_lend_sensors *sensors, const struct p2_lend_now *now)
{
    uint64_t bytes = lending->has_traffic ? sensors->traffic_bytes - lending->traffic_bytes : 0;
    uint64_t passed_ms = lending->has_traffic ? now->mono_ms - lending->traffic_ms : 0;
    if (lending->month != now->month) {
        lending->month = now->month;
        lending->month_used = 0;
    }
    lending->month_used += bytes;
    if (limits->rate_bytes_s > 0) {
        int64_t most = (int64_t)limits->rate_bytes_s;
        /* A gap of an hour and no limit of ours can overflow this; beyond it the credit is full. */
        int64_t gained = passed_ms > 3600000 || !lending->has_traffic
                             ? INT64_MAX / 4
                             : (int64_t)(limits->rate_bytes_s * passed_ms / 1000);
        int64_t credit = lending->credit_bytes - (int64_t)bytes + gained;
        lending->credit_bytes = credit > most ? most : credit;
    } else {
        lending->credit_bytes = 0;
    }
    lending->has_traffic = true;
    lending->traffic_bytes = sensors->traffic_bytes;
    lending->traffic_ms = now->mono_ms;
}

/* ---- public -------------------------------------------------------------------------------------- */

struct p2_lend_verdict p2_lending_decide(struct p2_lending *lending,
                                         const struct p2_lend_limits *limits,
                                         const struct p2_lend_sensors *sensors,
                                         const struct p2_lend_now *now)
{
    struct p2_lend_verdict verdict = {P2_LEND_LENDING, sensors->leases};
    count_traffic(lending, limits, sensors, now);
    if (check_will(lending, limits, sensors, now, &verdict) ||
        check_machine(lending, limits, sensors, &verdict) ||
        check_people(lending, limits, sensors, now, &verdict) ||
        check_room(lending, limits, sensors, &verdict)) {
        return verdict;
    }
    if (sensors->links_working == 0) {
        (void)say(&verdict, P2_LEND_NO_AUTHORITY, sensors->links);
    } else if (sensors->leases == 0) {
        (void)say(&verdict, P2_LEND_NO_LEASES, sensors->links_working);
    }
    return verdict;
}

void p2_lending_pause(struct p2_lending *lending, int64_t until_s)
{
    lending->is_paused = true;
    lending->pause_until_s = until_s;
}

void p2_lending_resume(struct p2_lending *lending)
{
    lending->is_paused = false;
    lending->pause_until_s = 0;
}

void p2_lending_agent(struct p2_lending *lending, uint32_t input_s, bool is_full_screen,
                      uint64_t mono_ms)
{
    lending->has_agent = true;
    lending->agent_input_s = input_s;
    lending->is_full_screen = is_full_screen;
    lending->agent_ms = mono_ms;
}

bool p2_lend_may(enum p2_lend_reason reason)
{
    return reason >= P2_LEND_NO_AUTHORITY;
}

static const struct {
    const char *name;
    const char *before, *after; /* the number; NULL: there is none */
} texts[P2_LEND_REASONS] = {
    [P2_LEND_STOPPING] = {"stopping", "the daemon ends", NULL},
    [P2_LEND_NOT_ENABLED] = {"not-enabled", "not enabled: p2c2rctl enable", NULL},
    [P2_LEND_PAUSED] = {"paused", "paused for ", " s more"},
    [P2_LEND_STARTING] = {"starting", "the kernels are being tested", NULL},
    [P2_LEND_NO_SANDBOX] = {"no-sandbox", "workers cannot be started: restart the daemon", NULL},
    [P2_LEND_SCHEDULE] = {"schedule", "outside the schedule for ", " min more"},
    [P2_LEND_BATTERY] = {"on-battery", "on battery, ", " % left"},
    [P2_LEND_HOT] = {"hot", "too hot: ", " degrees"},
    [P2_LEND_FULL_SCREEN] = {"full-screen", "a program fills the screen", NULL},
    [P2_LEND_NO_IDLE_SENSOR] = {"no-idle-sensor",
                                "nobody tells whether the machine is in use (last word ",
                                " s ago)"},
    [P2_LEND_USER] = {"user", "in use: last input ", " s ago"},
    [P2_LEND_LOAD] = {"load", "other programs use ", " % of the cores"},
    [P2_LEND_PRESSURE] = {"pressure", "programs wait for a core ", " % of the time"},
    [P2_LEND_MEMORY] = {"memory", "memory available: only ", " MiB"},
    [P2_LEND_DISK] = {"disk", "disk free: only ", " MiB"},
    [P2_LEND_MONTH] = {"month", "the month's traffic is used up: ", " MiB"},
    [P2_LEND_RATE] = {"rate", "traffic above its rate by ", " KiB"},
    [P2_LEND_NO_AUTHORITY] = {"no-authority", "no authority takes work; known: ", ""},
    [P2_LEND_NO_LEASES] = {"no-leases", "no task at the moment; authorities: ", ""},
    [P2_LEND_LENDING] = {"lending", "lending; tasks in hand: ", ""},
};

const char *p2_lend_reason_name(enum p2_lend_reason reason)
{
    P2_ASSERT((unsigned)reason < P2_LEND_REASONS);
    return texts[reason].name;
}

void p2_lend_text(char text[P2_LEND_TEXT_MAX], const struct p2_lend_verdict *verdict)
{
    P2_ASSERT((unsigned)verdict->reason < P2_LEND_REASONS);
    if (verdict->reason == P2_LEND_PAUSED && verdict->number == 0) {
        (void)snprintf(text, P2_LEND_TEXT_MAX, "paused until p2c2rctl resume");
    } else if (texts[verdict->reason].after != NULL) {
        (void)snprintf(text, P2_LEND_TEXT_MAX, "%s%" PRIu64 "%s", texts[verdict->reason].before,
                       verdict->number, texts[verdict->reason].after);
    } else {
        (void)snprintf(text, P2_LEND_TEXT_MAX, "%s", texts[verdict->reason].before);
    }
}
