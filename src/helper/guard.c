/* The owner's guard: sensors in, verdicts out. */
#include "helper/guard.h"

#include "helper/options.h"
#include "helper/sensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between looks. Chosen: traffic is measured in quarters of a second; people's words come by
 * themselves. The machine is looked at every fourth time. */
#define LOOK_MS       250u
#define MACHINE_EVERY 4u

struct p2_guard {
    struct p2_guard_options options;
    uv_timer_t timer;
    struct p2_sensors machine;
    struct p2_lend_limits limits;
    struct p2_lend_sensors sensors;
    struct p2_lending lending;
    struct p2_why why;
    unsigned looks;
    char state_dir[P2_CONFIG_VALUE_MAX];
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static struct p2_lend_now now_of(const struct p2_guard *guard)
{
    struct timespec real = {0};
    struct tm parts = {0};
    (void)clock_gettime(CLOCK_REALTIME, &real); /* always there on Linux */
    time_t seconds = real.tv_sec;
    (void)localtime_r(&seconds, &parts); /* fails for years beyond int only */
    return (struct p2_lend_now){
        .mono_ms = uv_now(guard->options.loop),
        .unix_s = (int64_t)real.tv_sec,
        .offset_s = (int32_t)parts.tm_gmtoff,
        .month = (uint32_t)(parts.tm_year * 12 + parts.tm_mon),
    };
}

void p2_guard_look(struct p2_guard *guard)
{
    struct p2_lend_now now = now_of(guard);
    guard->options.fill(&guard->sensors, guard->options.ctx);
    struct p2_lend_verdict verdict =
        p2_lending_decide(&guard->lending, &guard->limits, &guard->sensors, &now);
    if (p2_why_note(&guard->why, verdict, now.mono_ms, now.unix_s)) {
        guard->options.on_change(&verdict, guard->options.ctx);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct p2_guard *guard = timer->data;
    if (guard->looks++ % MACHINE_EVERY == 0) {
        p2_sensors_look(&guard->machine, guard->options.own_us(guard->options.ctx),
                        &guard->sensors);
    }
    p2_guard_look(guard);
}

int p2_guard_open(struct p2_guard **ret_guard, const struct p2_guard_options *options)
{
    struct p2_guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        return P2_E_NOMEM;
    }
    guard->options = *options;
    guard->machine.root = "";
    (void)snprintf(guard->state_dir, sizeof guard->state_dir, "%s", options->state_dir);
    guard->machine.state_dir = guard->state_dir;
    struct p2_lend_now now = now_of(guard);
    p2_why_begin(&guard->why, (struct p2_lend_verdict){P2_LEND_NOT_ENABLED, 0}, now.mono_ms,
                 now.unix_s);
    (void)uv_timer_init(options->loop, &guard->timer); /* cannot fail */
    guard->timer.data = guard;
    (void)uv_timer_start(&guard->timer, on_timer, 0, LOOK_MS);
    *ret_guard = guard;
    return P2_OK;
}

void p2_guard_configure(struct p2_guard *guard, const struct p2_config *config)
{
    const char *schedule = p2_config_string(config, P2_HELPER_OPTION_SCHEDULE);
    int64_t until_s = p2_config_i64(config, P2_HELPER_OPTION_PAUSED_UNTIL);
    struct p2_lend_limits *limits = &guard->limits;
    limits->is_enabled = p2_config_bool(config, P2_HELPER_OPTION_ENABLED);
    /* The option table has checked the text. */
    (void)p2_schedule_parse(&limits->schedule, schedule, strlen(schedule));
    limits->only_when_idle = p2_config_bool(config, P2_HELPER_OPTION_ONLY_WHEN_IDLE);
    limits->idle_s = (uint32_t)(p2_config_u64(config, P2_HELPER_OPTION_IDLE_AFTER) / 1000);
    limits->load_percent = (uint32_t)p2_config_u64(config, P2_HELPER_OPTION_BUSY_LOAD);
    limits->pressure_percent = (uint32_t)p2_config_u64(config, P2_HELPER_OPTION_BUSY_PRESSURE);
    limits->on_battery = p2_config_bool(config, P2_HELPER_OPTION_ON_BATTERY);
    limits->temperature_c = (int32_t)p2_config_u64(config, P2_HELPER_OPTION_MAX_TEMPERATURE);
    limits->memory_bytes = p2_config_u64(config, P2_HELPER_OPTION_FREE_MEMORY);
    limits->disk_bytes = p2_config_u64(config, P2_HELPER_OPTION_FREE_DISK);
    limits->month_bytes = p2_config_u64(config, P2_HELPER_OPTION_MONTHLY_TRAFFIC);
    limits->rate_bytes_s = p2_config_u64(config, P2_HELPER_OPTION_TRAFFIC_RATE);
    if (until_s == 0) {
        p2_lending_resume(&guard->lending);
    } else {
        p2_lending_pause(&guard->lending, until_s < 0 ? 0 : until_s);
    }
    p2_guard_look(guard);
}

void p2_guard_agent(struct p2_guard *guard, uint32_t input_s, bool is_full_screen)
{
    p2_lending_agent(&guard->lending, input_s, is_full_screen, uv_now(guard->options.loop));
    p2_guard_look(guard);
}

struct p2_lend_verdict p2_guard_verdict(const struct p2_guard *guard)
{
    return guard->why.now;
}

enum p2_pause_reason p2_guard_pause_reason(enum p2_lend_reason reason)
{
    switch ((int)reason) {
    case P2_LEND_SCHEDULE:
        return P2_PAUSE_REASON_SCHEDULE;
    case P2_LEND_BATTERY:
        return P2_PAUSE_REASON_BATTERY;
    case P2_LEND_HOT:
        return P2_PAUSE_REASON_HEAT;
    case P2_LEND_MONTH:
    case P2_LEND_RATE:
        return P2_PAUSE_REASON_TRAFFIC;
    default:
        return p2_lend_may(reason) ? P2_PAUSE_REASON_NONE : P2_PAUSE_REASON_OWNER;
    }
}

/* ---- for people ---------------------------------------------------------------------------------- */

json_t *p2_guard_why(const struct p2_guard *guard)
{
    char text[P2_LEND_TEXT_MAX];
    uint64_t now_ms = uv_now(guard->options.loop);
    uint64_t all_ms = now_ms - guard->why.begin_ms;
    json_t *rows = json_array();
    for (unsigned i = 0; i < P2_LEND_REASONS; i++) {
        uint64_t spent_ms = p2_why_spent_ms(&guard->why, (enum p2_lend_reason)i, now_ms);
        if (spent_ms > 0) {
            (void)json_array_append_new(
                rows,
                json_pack("{s:s, s:f, s:f}", "reason", p2_lend_reason_name((enum p2_lend_reason)i),
                          "seconds", (double)spent_ms / 1e3, "percent",
                          100.0 * (double)spent_ms / (double)(all_ms > 0 ? all_ms : 1)));
        }
    }
    p2_lend_text(text, &guard->why.now);
    return json_pack("{s:s, s:I, s:s, s:f, s:o}", "reason",
                     p2_lend_reason_name(guard->why.now.reason), "number",
                     (json_int_t)guard->why.now.number, "text", text, "seconds",
                     (double)all_ms / 1e3, "time", rows);
}

json_t *p2_guard_history(const struct p2_guard *guard)
{
    json_t *rows = json_array();
    const struct p2_why_change *change;
    for (uint64_t i = 0; (change = p2_why_change_at(&guard->why, i)) != NULL; i++) {
        char when[32] = "?", text[P2_LEND_TEXT_MAX];
        time_t seconds = (time_t)change->unix_s;
        struct tm parts;
        if (localtime_r(&seconds, &parts) != NULL) {
            (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S%z", &parts);
        }
        p2_lend_text(text, &change->verdict);
        (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "since", when, "reason",
                                                    p2_lend_reason_name(change->verdict.reason),
                                                    "text", text));
    }
    return rows;
}

/* Adds a number, or null when it is not known. */
static void add(json_t *object, const char *name, bool is_known, uint64_t number)
{
    /* Failing to add shows as a missing member. */
    (void)json_object_set_new(object, name,
                              is_known ? json_integer((json_int_t)number) : json_null());
}

json_t *p2_guard_sensors(const struct p2_guard *guard)
{
    const struct p2_lend_sensors *sensors = &guard->sensors;
    json_t *object = json_object();
    add(object, "on_battery", sensors->has_battery && sensors->knows_power, sensors->is_on_battery);
    add(object, "charge_percent", sensors->has_battery, sensors->charge_percent);
    add(object, "temperature_c", sensors->knows_temperature, (uint64_t)sensors->temperature_c);
    add(object, "others_load_percent", sensors->knows_load, sensors->load_percent);
    add(object, "pressure_percent", sensors->knows_pressure, sensors->pressure_percent);
    add(object, "memory_available_bytes", sensors->knows_memory, sensors->memory_bytes);
    add(object, "disk_free_bytes", sensors->knows_disk, sensors->disk_bytes);
    add(object, "agent_input_s", guard->lending.has_agent, guard->lending.agent_input_s);
    add(object, "month_traffic_bytes", true, guard->lending.month_used);
    return object;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_guard *guard = handle->data;
    guard->on_closed(guard->closed_ctx);
}

void p2_guard_close(struct p2_guard *guard, void (*on_closed)(void *ctx), void *ctx)
{
    guard->on_closed = on_closed;
    guard->closed_ctx = ctx;
    uv_close((uv_handle_t *)&guard->timer, on_timer_closed);
}

void p2_guard_free(struct p2_guard *guard)
{
    free(guard);
}
