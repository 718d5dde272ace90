/* Commands for people. */
#include "authority/shell/commands.h"

#include "authority/shell/discovery.h"
#include "authority/shell/hosted.h"
#include "authority/shell/peers.h"
#include "authority/shell/seats.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- start ------------------------------------------------------------------------------------- */

static int begin_host(struct p2_authority *authority, struct p2_failure *failure)
{
    const struct p2_config *config = authority->config;
    uint64_t frames = p2_config_u64(config, P2_AUTHORITY_OPTION_FRAMES);
    if (frames == 0) {
        frames = p2_config_u64(config, P2_AUTHORITY_OPTION_SECONDS) * P2_FRAME_HZ;
    }
    const struct p2_hosted_options options = {
        .module = authority->options->operands[0],
        .options = p2_config_string(config, P2_AUTHORITY_OPTION_GAME_OPTIONS),
        .seed = p2_config_u64(config, P2_AUTHORITY_OPTION_SEED),
        .frames_max = frames,
        .robots = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_ROBOTS),
        .is_main = true,
        .is_synctest = p2_config_bool(config, P2_AUTHORITY_OPTION_SYNCTEST),
    };
    return p2_hosted_open(authority, &options, failure);
}

/* One line of the configuration: NAME=MODULE [OPTION]... */
static int begin_line(struct p2_authority *authority, const char *line, struct p2_failure *failure)
{
    char name[P2_HOSTED_NAME_MAX + 1];
    char module[P2_CONFIG_VALUE_MAX];
    size_t name_size = strcspn(line, "=");
    const char *rest = line + name_size + 1;
    size_t module_size = strcspn(rest, " ");
    (void)snprintf(name, sizeof name, "%.*s", (int)name_size, line);
    (void)snprintf(module, sizeof module, "%.*s", (int)module_size, rest);
    const struct p2_hosted_options options = {
        .name = name,
        .module = module,
        .options = rest + module_size + (rest[module_size] == ' ' ? 1 : 0),
        .robots = (uint32_t)p2_config_u64(authority->config, P2_AUTHORITY_OPTION_ROBOTS),
    };
    return p2_hosted_open(authority, &options, failure);
}

int p2_commands_begin(struct p2_authority *authority, struct p2_failure *failure)
{
    if (authority->options->command == P2_AUTHORITY_COMMAND_HOST) {
        return begin_host(authority, failure);
    }
    size_t count = p2_config_count(authority->config, P2_AUTHORITY_OPTION_SESSION);
    for (size_t i = 0; i < count; i++) {
        struct p2_failure why = {0};
        const char *line = p2_config_at(authority->config, P2_AUTHORITY_OPTION_SESSION, i);
        if (begin_line(authority, line, &why) != P2_OK) {
            /* One session that cannot begin keeps the others from nothing. */
            P2_LOG(&authority->daemon->log, P2_LEVEL_ERROR, "session_failed",
                   P2_LOG_STR("session", line), P2_LOG_STR("why", why.message));
        }
    }
    return P2_OK;
}

/* ---- reload ------------------------------------------------------------------------------------ */

void p2_commands_reload(struct p2_authority *authority)
{
    struct p2_config *fresh = NULL;
    struct p2_failure failure = {0};
    int error = p2_options_load(&p2_authority_program, authority->options, "", &fresh, &failure);
    if (error == P2_OK) {
        error = p2_config_keep_frozen(fresh, authority->config);
    }
    if (error != P2_OK) {
        P2_LOG(&authority->daemon->log, P2_LEVEL_ERROR, "reload_failed",
               P2_LOG_STR("why", failure.message), P2_LOG_ERROR(error));
        p2_config_free(fresh);
        return;
    }
    p2_config_free(authority->config);
    authority->config = fresh;
    p2_log_set_level(&authority->daemon->log, p2_authority_log_level(fresh));
    if (authority->has_core) {
        authority->core.options.is_open =
            p2_config_bool(fresh, P2_AUTHORITY_OPTION_ALLOW_ANY_HELPER);
    }
    for (struct p2_hosted *hosted = authority->sessions; hosted != NULL; hosted = hosted->next) {
        (void)p2_hosted_reload(hosted, NULL,
                               &failure); /* those that do not run have nothing to do */
    }
    P2_LOG_EVENT(&authority->daemon->log, P2_LEVEL_NOTICE, "reloaded");
}

/* ---- sessions ---------------------------------------------------------------------------------- */

static json_t *describe_session(const struct p2_hosted *hosted)
{
    json_t *players = json_array();
    for (size_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        const struct p2_seat *seat = &hosted->seats[i];
        if (seat->state != P2_SEAT_FREE) {
            (void)json_array_append_new(players, json_pack("{s:i, s:s, s:b}", "seat", (int)i,
                                                           "name", seat->name, "here",
                                                           seat->peer != NULL || seat->is_robot));
        }
    }
    const struct p2_figures *figures = &hosted->figures;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:b, s:o}", "session", hosted->name,
                     "game", hosted->game_name, "state", p2_hosted_state_name(hosted->state),
                     "frames", (json_int_t)figures->shipped, "on_time",
                     (json_int_t)figures->on_time, "quality", (int)hosted->quality, "overruns",
                     (json_int_t)figures->overruns, "game_max_us", (json_int_t)figures->game_max_us,
                     "locked", hosted->is_locked, "players", players);
}

static void list_sessions(const struct p2_authority *authority, struct p2_ctl_call *call)
{
    json_t *rows = json_array();
    for (const struct p2_hosted *hosted = authority->sessions; hosted != NULL;
         hosted = hosted->next) {
        (void)json_array_append_new(rows, describe_session(hosted));
    }
    p2_ctl_reply(call, rows);
}

static void say_done(struct p2_ctl_call *call, const struct p2_hosted *hosted, const char *what)
{
    p2_ctl_reply(call, json_pack("{s:s, s:s}", "session", hosted->name, "done", what));
}

static void run_console(struct p2_hosted *hosted, struct p2_ctl_call *call, const char *line)
{
    const struct p2_in_item item = {.kind = P2_IN_CONSOLE, .version = (uint64_t)(uintptr_t)call};
    int error = hosted->state != P2_HOSTED_RUNNING
                    ? P2_E_STATE
                    : p2_frame_in_add(hosted->in, &item, p2_span(line, strlen(line)));
    if (error != P2_OK) {
        p2_ctl_refuse(call, error, "the game of %s cannot be asked: %s", hosted->name,
                      p2_error_text(error));
    }
}

static void act(struct p2_hosted *hosted, struct p2_ctl_call *call, const char *action,
                const char *more)
{
    struct p2_failure failure = {0};
    if (strcmp(action, "end") == 0) {
        say_done(call, hosted, "ended");
        p2_hosted_end(hosted, P2_END_REASON_HOST_STOPPED, NULL);
    } else if (strcmp(action, "lock") == 0 || strcmp(action, "unlock") == 0) {
        hosted->is_locked = action[0] == 'l';
        p2_discovery_set_locked(hosted->authority->discovery, hosted->discovered,
                                hosted->is_locked);
        say_done(call, hosted, hosted->is_locked ? "locked" : "unlocked");
    } else if (strcmp(action, "kick") == 0) {
        bool is_number = more != NULL && more[0] >= '0' && more[0] <= '7' && more[1] == '\0';
        int error = is_number ? p2_seat_kick(hosted, (uint8_t)(more[0] - '0')) : P2_E_INVALID;
        if (error == P2_OK) {
            say_done(call, hosted, "kicked");
        } else {
            p2_ctl_refuse(call, error, "kick wants the number of a seat that is taken");
        }
    } else if (strcmp(action, "reload") == 0) {
        if (p2_hosted_reload(hosted, call, &failure) != P2_OK) {
            p2_ctl_refuse(call, failure.code, "%s", failure.message);
        }
    } else if (strcmp(action, "console") == 0) {
        run_console(hosted, call, more != NULL ? more : "");
    } else {
        p2_ctl_refuse(call, P2_E_INVALID,
                      "no such action; use list, end, lock, unlock, kick, reload or console");
    }
}

static void on_sessions(struct p2_ctl_call *call, void *ctx)
{
    struct p2_authority *authority = ctx;
    const char *action = "list";
    const char *name = NULL;
    const char *more = NULL;
    json_error_t problem;
    json_t *arguments = (json_t *)(uintptr_t)p2_ctl_call_arguments(call); /* unpacking only reads */
    if (json_unpack_ex(arguments, &problem, JSON_STRICT, "{s?s, s?s, s?s}", "action", &action,
                       "session", &name, "more", &more) != 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of sessions: %s", problem.text);
        return;
    }
    if (strcmp(action, "list") == 0) {
        list_sessions(authority, call);
        return;
    }
    uid_t uid = p2_ctl_call_uid(call);
    if (uid != 0 && uid != geteuid()) {
        p2_ctl_refuse(call, P2_E_PERM, "only root and the daemon's user may change sessions");
        return;
    }
    struct p2_hosted *hosted = name == NULL ? NULL : p2_hosted_named(authority, name);
    if (hosted == NULL) {
        p2_ctl_refuse(call, P2_E_INVALID, "no session of that name; see sessions list");
        return;
    }
    P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "sessions", P2_LOG_STR("action", action),
           P2_LOG_STR("session", hosted->name), P2_LOG_U64("uid", uid));
    act(hosted, call, action, more);
}

int p2_commands_add(struct p2_authority *authority)
{
    const struct p2_ctl_command command = {"sessions", P2_CTL_ANYONE, on_sessions, authority};
    return p2_ctl_server_add(authority->daemon->control, &command);
}

/* ---- status ------------------------------------------------------------------------------------ */

static json_t *describe_helper(const struct p2_authority *authority,
                               const struct p2_policy_row *row)
{
    char id[P2_ID_TEXT_MAX];
    const struct p2_peer *peer = NULL;
    for (uint32_t i = 0; i < P2_AUTHORITY_HELPERS_MAX && peer == NULL; i++) {
        if (authority->helpers[i] != NULL && p2_id_equal(&authority->helpers[i]->id, &row->id)) {
            peer = authority->helpers[i];
        }
    }
    const struct p2_helper *helper =
        peer == NULL ? NULL : &authority->core.helpers.items[peer->number];
    p2_id_format(id, &row->id);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "helper", id, "state",
                     row->is_banned ? "banned"
                     : peer != NULL ? "connected"
                                    : "away",
                     "rtt_us", (json_int_t)(helper != NULL ? helper->rtt_us : 0), "in_flight",
                     (json_int_t)(helper != NULL ? helper->live : 0), "leases",
                     (json_int_t)row->leases, "done", (json_int_t)row->done, "wrong",
                     (json_int_t)row->wrong, "late", (json_int_t)row->late, "strikes",
                     (json_int_t)row->strikes, "why", row->why);
}

void p2_commands_describe(const struct p2_authority *authority, json_t *status)
{
    json_t *helpers = json_array();
    json_t *sessions = json_array();
    for (uint32_t i = 0; i < authority->policy.count; i++) {
        (void)json_array_append_new(helpers,
                                    describe_helper(authority, &authority->policy.rows[i]));
    }
    for (const struct p2_hosted *hosted = authority->sessions; hosted != NULL;
         hosted = hosted->next) {
        (void)json_array_append_new(sessions, describe_session(hosted));
    }
    /* Failing to add shows as a missing member; the answer itself stays well formed. */
    (void)json_object_set_new(status, "listening", json_string(authority->address));
    p2_daemon_describe_pool(authority->daemon, status);
    for (const struct p2_hosted *hosted = authority->sessions; hosted != NULL;
         hosted = hosted->next) {
        if (hosted->is_main) {
            (void)json_object_set_new(status, "session", p2_hosted_summary(hosted));
        }
    }
    if (authority->discovery != NULL) {
        (void)json_object_set_new(status, "overlay", p2_discovery_describe(authority->discovery));
    }
    (void)json_object_set_new(status, "sessions", sessions);
    (void)json_object_set_new(status, "helpers", helpers);
}
