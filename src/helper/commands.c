/* The helper's commands. */
#include "helper/commands.h"

#include "base/settings.h"
#include "helper/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Watts of a busy core above an idle one, for the estimate. Chosen: desktop processors of 65 W have
 * six to eight cores; a laptop's take a third of it. */
#define CORE_WATTS 10u

/* Longest pause that is counted in seconds. Chosen: a year; beyond it one means: until resumed. */
#define PAUSE_MAX_S (INT64_C(366) * 86400)

static json_t *arguments_of(const struct p2_ctl_call *call)
{
    return (json_t *)(uintptr_t)p2_ctl_call_arguments(call); /* unpacking only reads */
}

/* Sets an option for good and applies it; false: the call was answered with what is wrong. */
static bool set(struct p2_helper_commands *commands, struct p2_ctl_call *call, const char *name,
                const char *value)
{
    struct p2_failure failure = {0};
    const char *folder =
        p2_config_string(commands->config(commands->ctx), P2_HELPER_OPTION_STATE_DIR);
    int error =
        p2_settings_write(commands->table, folder, name, &value, value != NULL ? 1 : 0, &failure);
    if (error != P2_OK) {
        p2_ctl_refuse(call, error == P2_E_CONFIG ? P2_E_INVALID : error, "%s", failure.message);
        return false;
    }
    P2_LOG(commands->log, P2_LEVEL_NOTICE, "setting_changed", P2_LOG_STR("option", name),
           P2_LOG_STR("value", value != NULL ? value : ""),
           P2_LOG_U64("uid", p2_ctl_call_uid(call)));
    commands->reload(commands->ctx);
    return true;
}

static void reply_verdict(const struct p2_helper_commands *commands, struct p2_ctl_call *call)
{
    char text[P2_LEND_TEXT_MAX];
    const struct p2_lend_verdict verdict = p2_guard_verdict(commands->guard);
    p2_lend_text(text, &verdict);
    p2_ctl_reply(
        call, json_pack("{s:s, s:s}", "reason", p2_lend_reason_name(verdict.reason), "text", text));
}

/* ---- consent ------------------------------------------------------------------------------------- */

static json_t *consent(const struct p2_config *config)
{
    char lent[160], energy[160], limits[256];
    unsigned cores = (unsigned)p2_config_u64(config, P2_HELPER_OPTION_CORES);
    unsigned percent = (unsigned)(p2_config_u64(config, P2_HELPER_OPTION_CPU_SHARE) / 10000);
    unsigned watts = cores * CORE_WATTS * percent / 100;
    (void)snprintf(lent, sizeof lent,
                   "%u cores, %u %% of their time at the lowest priority, for tasks of games that "
                   "others play; up to %" PRIu64 " MiB of memory for each authority",
                   cores, percent, p2_config_u64(config, P2_HELPER_OPTION_CACHE_SIZE) >> 20);
    (void)snprintf(energy, sizeof energy,
                   "at most about %u W more than an idle machine, %u kWh in a month without a "
                   "pause (%u W a core, an estimate)",
                   watts, watts * 24 * 30 / 1000, CORE_WATTS);
    (void)snprintf(limits, sizeof limits,
                   "schedule %.120s; only when idle: %s; on battery: %s; see p2c2rctl limits",
                   p2_config_string(config, P2_HELPER_OPTION_SCHEDULE),
                   p2_config_bool(config, P2_HELPER_OPTION_ONLY_WHEN_IDLE) ? "yes" : "no",
                   p2_config_bool(config, P2_HELPER_OPTION_ON_BATTERY) ? "yes" : "no");
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "lent", lent, "seen",
        "every authority worked for, and the nodes of the overlay, see this machine's network "
        "address; tasks see nothing of this machine",
        "limits", limits, "energy", energy, "undo", "p2c2rctl pause, p2c2rctl disable");
}

/* Without "agree" it only says what is asked for. */
static void on_enable(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    int agrees = 0;
    json_error_t problem;
    if (json_unpack_ex(arguments_of(call), &problem, JSON_STRICT, "{s?b}", "agree", &agrees) != 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of enable: %s", problem.text);
        return;
    }
    if (agrees != 0 && !set(commands, call, "enabled", "yes")) {
        return;
    }
    json_t *answer = consent(commands->config(commands->ctx));
    bool is_enabled = p2_config_bool(commands->config(commands->ctx), P2_HELPER_OPTION_ENABLED);
    if (answer != NULL) {
        /* Failing to add shows as a missing member. */
        (void)json_object_set_new(answer, "enabled", json_boolean(is_enabled));
        (void)json_object_set_new(
            answer, "next",
            json_string(is_enabled ? "p2c2rctl why" : "to agree: p2c2rctl enable yes"));
    }
    p2_ctl_reply(call, answer);
}

static void on_disable(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    if (!set(commands, call, "enabled", "no")) {
        return;
    }
    if (p2_config_bool(commands->config(commands->ctx), P2_HELPER_OPTION_ENABLED)) {
        p2_ctl_refuse(call, P2_E_STATE,
                      "the daemon was started with --enabled: it lends until it is stopped");
        return;
    }
    reply_verdict(commands, call);
}

/* ---- pauses -------------------------------------------------------------------------------------- */

/* {"seconds": N}, {"until": unix seconds}, or nothing: until resumed. */
static void on_pause(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    json_int_t seconds = 0, until_s = -1;
    char text[32];
    json_error_t problem;
    int64_t now_s = (int64_t)time(NULL);
    if (json_unpack_ex(arguments_of(call), &problem, JSON_STRICT, "{s?I, s?I}", "seconds", &seconds,
                       "until", &until_s) != 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of pause: %s", problem.text);
        return;
    }
    if (seconds != 0) {
        until_s = seconds > 0 && seconds <= PAUSE_MAX_S ? now_s + seconds : 0;
    }
    if (until_s != -1 && (until_s <= now_s || until_s > now_s + PAUSE_MAX_S)) {
        p2_ctl_refuse(call, P2_E_INVALID, "a pause ends within a year, and not in the past");
        return;
    }
    (void)snprintf(text, sizeof text, "%lld", (long long)until_s);
    if (set(commands, call, "paused-until", text)) {
        reply_verdict(commands, call);
    }
}

static void on_resume(struct p2_ctl_call *call, void *ctx)
{
    if (set(ctx, call, "paused-until", NULL)) {
        reply_verdict(ctx, call);
    }
}

/* ---- limits -------------------------------------------------------------------------------------- */

/* What an owner may change by p2c2rctl: all that a reload takes. */
static bool is_limit(const struct p2_option *option)
{
    return (option->flags & P2_OPTION_RELOADABLE) != 0 && (option->flags & P2_OPTION_LIST) == 0;
}

static void on_limits(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    const struct p2_config *config = commands->config(commands->ctx);
    json_t *rows = json_array();
    for (size_t i = 0; i < commands->table->count; i++) {
        const struct p2_option *option = &commands->table->options[i];
        char range[128]; /* longer ones are cut */
        if (is_limit(option)) {
            const char *value =
                p2_config_count(config, i) > 0 ? p2_config_at(config, i, 0) : "not set";
            p2_option_format_range(option, range, sizeof range);
            (void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "limit", option->name,
                                                        "value", value, "allowed", range));
        }
    }
    p2_ctl_reply(call, rows);
}

static void on_limits_set(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    const char *name, *value;
    json_error_t problem;
    if (json_unpack_ex(arguments_of(call), &problem, JSON_STRICT, "{s:s, s:s}", "limit", &name,
                       "value", &value) != 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of limits set: %s", problem.text);
        return;
    }
    size_t index = p2_option_find(commands->table, name);
    if (index == commands->table->count || !is_limit(&commands->table->options[index]) ||
        index == P2_HELPER_OPTION_ENABLED) {
        p2_ctl_refuse(call, P2_E_INVALID, "no limit that can be set here: see p2c2rctl limits");
        return;
    }
    if (set(commands, call, name, value)) {
        reply_verdict(commands, call);
    }
}

/* ---- questions, and the agent -------------------------------------------------------------------- */

static void on_why(struct p2_ctl_call *call, void *ctx)
{
    p2_ctl_reply(call, p2_guard_why(((struct p2_helper_commands *)ctx)->guard));
}

static void on_history(struct p2_ctl_call *call, void *ctx)
{
    p2_ctl_reply(call, p2_guard_history(((struct p2_helper_commands *)ctx)->guard));
}

static void on_sensors(struct p2_ctl_call *call, void *ctx)
{
    p2_ctl_reply(call, p2_guard_sensors(((struct p2_helper_commands *)ctx)->guard));
}

static void on_authorities(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    p2_ctl_reply(call, commands->authorities(commands->ctx));
}

/* The agent of the owner's session says when input came last. */
static void on_idle_report(struct p2_ctl_call *call, void *ctx)
{
    struct p2_helper_commands *commands = ctx;
    json_int_t input_s = 0;
    int is_full_screen = 0;
    json_error_t problem;
    if (json_unpack_ex(arguments_of(call), &problem, JSON_STRICT, "{s:I, s?b}", "input_s", &input_s,
                       "full_screen", &is_full_screen) != 0 ||
        input_s < 0 || input_s > UINT32_MAX / 2) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of idle-report: input_s, full_screen");
        return;
    }
    p2_guard_agent(commands->guard, (uint32_t)input_s, is_full_screen != 0);
    reply_verdict(commands, call);
}

int p2_helper_commands_add(struct p2_ctl_server *server, struct p2_helper_commands *commands)
{
    const struct p2_ctl_command rows[] = {
        {"enable", P2_CTL_ADMIN, on_enable, commands},
        {"disable", P2_CTL_ANYONE, on_disable, commands},
        {"pause", P2_CTL_ANYONE, on_pause, commands},
        {"resume", P2_CTL_ANYONE, on_resume, commands},
        {"limits", P2_CTL_ANYONE, on_limits, commands},
        {"limits-set", P2_CTL_ADMIN, on_limits_set, commands},
        {"why", P2_CTL_ANYONE, on_why, commands},
        {"history", P2_CTL_ANYONE, on_history, commands},
        {"sensors", P2_CTL_ANYONE, on_sensors, commands},
        {"authorities", P2_CTL_ANYONE, on_authorities, commands},
        {"idle-report", P2_CTL_ANYONE, on_idle_report, commands},
    };
    int error = P2_OK;
    for (size_t i = 0; i < P2_COUNT_OF(rows) && error == P2_OK; i++) {
        error = p2_ctl_server_add(server, &rows[i]);
    }
    return error;
}
