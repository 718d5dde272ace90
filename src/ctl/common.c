/* status, key and log-level. */
#include "ctl/common.h"

#include <unistd.h>

static void on_status(struct p2_ctl_call *call, void *ctx)
{
    const struct p2_ctl_common *common = ctx;
    char id[P2_ID_TEXT_MAX];
    p2_id_format(id, common->id);
    uint64_t uptime_ms = uv_now(p2_ctl_call_loop(call)) - common->started_ms;
    json_t *status = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "program", common->program,
                               "version", common->version, "id", id, "pid", (json_int_t)getpid(),
                               "uptime_s", (json_int_t)(uptime_ms / 1000), "log_level",
                               p2_log_level_name(common->log->level));
    if (status != NULL && common->describe != NULL) {
        common->describe(status, common->ctx);
    }
    p2_ctl_reply(call, status);
}

static void on_key(struct p2_ctl_call *call, void *ctx)
{
    const struct p2_ctl_common *common = ctx;
    char id[P2_ID_TEXT_MAX];
    p2_id_format(id, common->id);
    p2_ctl_reply(call, json_pack("{s:s}", "id", id));
}

/* Shows the level, or sets it when there is an argument "level". */
static void on_log_level(struct p2_ctl_call *call, void *ctx)
{
    const struct p2_ctl_common *common = ctx;
    const char *name = NULL;
    json_error_t problem;
    json_t *arguments = (json_t *)(uintptr_t)p2_ctl_call_arguments(call); /* unpacking only reads */
    if (json_unpack_ex(arguments, &problem, JSON_STRICT, "{s?s}", "level", &name) != 0) {
        p2_ctl_refuse(call, P2_E_INVALID, "arguments of log-level: %s", problem.text);
        return;
    }
    if (name != NULL) {
        enum p2_log_level level;
        if (p2_log_level_parse(&level, name) != P2_OK) {
            p2_ctl_refuse(call, P2_E_INVALID,
                          "no such log level; use error, warn, notice, info or debug");
            return;
        }
        P2_LOG(common->log, P2_LEVEL_NOTICE, "log_level_changed", P2_LOG_STR("level", name),
               P2_LOG_U64("uid", p2_ctl_call_uid(call)));
        p2_log_set_level(common->log, level);
    }
    p2_ctl_reply(call, json_pack("{s:s}", "level", p2_log_level_name(common->log->level)));
}

int p2_ctl_common_add(struct p2_ctl_server *server, const struct p2_ctl_common *common)
{
    void *ctx = (void *)(uintptr_t)common; /* handlers only read it */
    const struct p2_ctl_command commands[] = {
        {"status", P2_CTL_ANYONE, on_status, ctx},
        {"key", P2_CTL_ANYONE, on_key, ctx},
        {"log-level", P2_CTL_ADMIN, on_log_level, ctx},
    };
    int error = P2_OK;
    for (size_t i = 0; i < P2_COUNT_OF(commands) && error == P2_OK; i++) {
        error = p2_ctl_server_add(server, &commands[i]);
    }
    return error;
}
