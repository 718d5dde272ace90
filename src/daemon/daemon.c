/* The frame of a daemon. */
#include "daemon/daemon.h"

#include "base/config.h"
#include "base/entropy.h"
#include "base/notify.h"
#include "exec/lockdown.h"
#include "kernels/registry.h"
#include "link/keyfile.h"
#include "link/network.h"
#include "link/wire_rules.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct p2c2r_kernel *kernel_table[P2_SELF_TEST_MAX];

int p2_daemon_launch(struct p2_failure *failure, struct p2_launcher **ret_launcher)
{
    size_t count = p2_kernel_count();
    if (count > P2_SELF_TEST_MAX) {
        return p2_fail(failure, P2_E_BUG, "the kernel table has more than %u rows",
                       P2_SELF_TEST_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        kernel_table[i] = p2_kernel_at(i);
    }
    return p2_launcher_start(kernel_table, count, failure, ret_launcher);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static void open_log(struct p2_daemon *daemon, const struct p2_daemon_options *options)
{
    const struct p2_log_options log_options = {
        .level = options->log_level,
        .now_ms = p2_log_now_ms,
        .write = p2_log_output_write,
        .write_context = &daemon->log_output,
    };
    p2_log_output_init(&daemon->log_output, 2, options->program);
    p2_log_init(&daemon->log, &log_options);
}

static int open_identity(struct p2_daemon *daemon, const char *state_dir,
                         struct p2_failure *failure)
{
    char path[P2_CONFIG_VALUE_MAX];
    if (mkdir(state_dir, 0700) != 0 && errno != EEXIST) {
        return p2_fail(failure, errno == EACCES ? P2_E_PERM : P2_E_IO,
                       "cannot make the state folder %s: %s", state_dir, strerror(errno));
    }
    int length = snprintf(path, sizeof path, "%s/identity.key", state_dir);
    if (length < 0 || (size_t)length >= sizeof path) {
        return p2_fail(failure, P2_E_INVALID, "the path of the state folder is too long");
    }
    int error = p2_keyfile_open(&daemon->identity, path, failure);
    if (error == P2_OK) {
        memcpy(daemon->id.bytes, daemon->identity->public_key, sizeof daemon->id.bytes);
    }
    return error;
}

static void draw_entropy(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_entropy(out, size);
}

static void on_refused(void *ctx, const struct p2_link_address *peer, int reason)
{
    struct p2_daemon *daemon = ctx;
    char ip[P2_IP_TEXT_MAX];
    p2_ip_format(ip, &peer->ip);
    P2_LOG(&daemon->log, P2_LEVEL_INFO, "connection_refused", P2_LOG_STR("peer", ip),
           P2_LOG_ERROR(reason));
    if (daemon->events->on_refused != NULL) {
        daemon->events->on_refused(daemon->ctx, peer, reason);
    }
}

static void on_warning(void *ctx, int error, const char *text)
{
    struct p2_daemon *daemon = ctx;
    P2_LOG(&daemon->log, P2_LEVEL_WARN, "transport_warning", P2_LOG_STR("text", text),
           P2_LOG_ERROR(error));
}

static int open_transport(struct p2_daemon *daemon, const struct p2_daemon_options *options)
{
    struct p2_tcp_options tcp;
    p2_tcp_options_init(&tcp);
    tcp.loop = &daemon->loop;
    tcp.identity = daemon->identity;
    tcp.rules = &p2_link_wire_rules;
    tcp.entropy = draw_entropy;
    tcp.on_refused = on_refused;
    tcp.on_warning = on_warning;
    tcp.ctx = daemon;
    tcp.local_peers = options->local_peers;
    tcp.drain_timeout_ms = P2_DAEMON_DRAIN_MS;
    p2_network_id(tcp.network_id, options->network);
    return p2_tcp_new(&daemon->transport, &tcp);
}

static int open_control(struct p2_daemon *daemon, const struct p2_daemon_options *options,
                        struct p2_failure *failure)
{
    const struct p2_ctl_server_options control = {.path = options->control_socket,
                                                  .group = options->control_group};
    daemon->common = (struct p2_ctl_common){
        .program = options->program,
        .version = PACKAGE_VERSION,
        .id = &daemon->id,
        .log = &daemon->log,
        .started_ms = uv_now(&daemon->loop),
        .describe = options->events->describe,
        .ctx = options->ctx,
    };
    int error = p2_ctl_server_start(&daemon->control, &daemon->loop, &control, failure);
    if (error == P2_OK) {
        error = p2_ctl_common_add(daemon->control, &daemon->common);
    }
    return error;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct p2_daemon *daemon = handle->data;
    if (number == SIGHUP) {
        p2_notify_reloading();
        daemon->events->on_reload(daemon->ctx);
        p2_notify_ready("reloaded");
    } else if (daemon->is_terminating) {
        p2_daemon_stop(daemon);
    } else {
        daemon->is_terminating = true;
        P2_LOG(&daemon->log, P2_LEVEL_NOTICE, "terminating", P2_LOG_I64("signal", number));
        p2_notify_stopping();
        daemon->events->on_terminate(daemon->ctx);
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    struct p2_daemon *daemon = timer->data;
    p2_notify_alive();
    p2_log_flush(&daemon->log);
}

/* Signals, and a timer for the service manager's watchdog and for counts the log holds back. */
static int open_handles(struct p2_daemon *daemon)
{
    static const int numbers[P2_COUNT_OF(daemon->signals)] = {SIGTERM, SIGINT, SIGHUP};
    uint64_t watchdog_ms = p2_notify_watchdog_ms();
    uint64_t period_ms = watchdog_ms > 0 && watchdog_ms < 5000 ? watchdog_ms : 5000;
    (void)signal(SIGPIPE, SIG_IGN); /* writing to a closed socket is an error, not a death */
    (void)uv_timer_init(&daemon->loop, &daemon->watchdog); /* cannot fail */
    daemon->watchdog.data = daemon;
    daemon->handles++;
    (void)uv_timer_start(&daemon->watchdog, on_watchdog, period_ms, period_ms);
    for (size_t i = 0; i < P2_COUNT_OF(numbers); i++) {
        if (uv_signal_init(&daemon->loop, &daemon->signals[i]) != 0) {
            return P2_E_IO;
        }
        daemon->signals[i].data = daemon;
        daemon->handles++;
        if (uv_signal_start(&daemon->signals[i], on_signal, numbers[i]) != 0) {
            return P2_E_IO;
        }
    }
    return P2_OK;
}

static void on_tested(void *ctx, const struct p2_self_test_row *rows)
{
    struct p2_daemon *daemon = ctx;
    (void)p2_pool_authority_remove(daemon->pool, P2_DAEMON_TAG_SELF_TEST); /* it was added */
    for (size_t i = 0; i < daemon->kernel_count; i++) {
        bool is_good = rows[i].verdict == P2_HARNESS_OK;
        P2_LOG(&daemon->log, is_good ? P2_LEVEL_INFO : P2_LEVEL_ERROR, "kernel_tested",
               P2_LOG_STR("kernel", daemon->kernels[i]->name),
               P2_LOG_STR("verdict", p2_harness_verdict_text(rows[i].verdict)));
    }
    if (!daemon->is_stopping) {
        daemon->events->on_tested(daemon->ctx, rows);
    }
}

static int start_self_test(struct p2_daemon *daemon)
{
    const struct p2_self_test_options test = {
        .pool = daemon->pool,
        .tag = P2_DAEMON_TAG_SELF_TEST,
        .kernels = daemon->kernels,
        .count = daemon->kernel_count,
        .done = on_tested,
        .ctx = daemon,
    };
    int error = p2_pool_authority_add(daemon->pool, P2_DAEMON_TAG_SELF_TEST,
                                      p2_self_test_blob_bytes(test.kernels, test.count));
    return error == P2_OK ? p2_self_test_start(&test) : error;
}

/* Everything after the pool has taken the launcher. */
static int open_rest(struct p2_daemon *daemon, const struct p2_daemon_options *options,
                     struct p2_failure *failure)
{
    int error = open_identity(daemon, options->state_dir, failure);
    if (error != P2_OK) {
        return error;
    }
    error = open_transport(daemon, options);
    if (error != P2_OK) {
        return p2_fail(failure, error, "cannot set up links: %s", p2_error_text(error));
    }
    error = open_control(daemon, options, failure);
    if (error != P2_OK) {
        return error;
    }
    error = open_handles(daemon);
    if (error == P2_OK) {
        error = start_self_test(daemon);
    }
    return error == P2_OK ? P2_OK
                          : p2_fail(failure, error, "cannot start: %s", p2_error_text(error));
}

int p2_daemon_open(const struct p2_daemon_options *options, struct p2_failure *failure,
                   struct p2_daemon **ret_daemon)
{
    struct p2_daemon *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL || uv_loop_init(&daemon->loop) != 0) {
        p2_launcher_stop(options->launcher);
        free(daemon);
        return p2_fail(failure, P2_E_NOMEM, "no memory for an event loop");
    }
    daemon->has_loop = true;
    daemon->events = options->events;
    daemon->ctx = options->ctx;
    daemon->kernels = p2_launcher_kernels(options->launcher, &daemon->kernel_count);
    daemon->sandbox = p2_launcher_features(options->launcher);
    open_log(daemon, options);
    int error =
        p2_pool_open(&daemon->loop, options->launcher, &options->pool, failure, &daemon->pool);
    if (error == P2_OK) {
        error = open_rest(daemon, options, failure);
    }
    if (error != P2_OK) {
        p2_daemon_close(daemon);
        return error;
    }
    *ret_daemon = daemon;
    return P2_OK;
}

/* ---- closing ----------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void close_handles(struct p2_daemon *daemon)
{
    for (unsigned i = 0; i < daemon->handles; i++) {
        uv_handle_t *handle =
            i == 0 ? (uv_handle_t *)&daemon->watchdog : (uv_handle_t *)&daemon->signals[i - 1];
        uv_close(handle, on_handle_closed);
    }
    daemon->handles = 0;
}

static void on_pool_closed(void *ctx)
{
    struct p2_daemon *daemon = ctx;
    daemon->pool = NULL;
    if (daemon->control != NULL) {
        p2_ctl_server_stop(daemon->control, NULL, NULL);
        daemon->control = NULL;
    }
    close_handles(daemon);
}

static void on_links_closed(void *ctx)
{
    struct p2_daemon *daemon = ctx;
    p2_tcp_free(daemon->transport);
    daemon->transport = NULL;
    if (daemon->pool != NULL) {
        p2_pool_close(daemon->pool, on_pool_closed, daemon);
    } else {
        on_pool_closed(daemon);
    }
}

void p2_daemon_stop(struct p2_daemon *daemon)
{
    if (daemon->is_stopping) {
        return;
    }
    daemon->is_stopping = true;
    if (daemon->transport != NULL) {
        p2_transport_stop(daemon->transport, true, on_links_closed, daemon);
    } else {
        on_links_closed(daemon);
    }
}

void p2_daemon_run(struct p2_daemon *daemon)
{
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
}

void p2_daemon_close(struct p2_daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    p2_daemon_stop(daemon);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    int failed = uv_loop_close(&daemon->loop);
    P2_ASSERT(failed == 0);
    p2_log_flush(&daemon->log);
    p2_secret_free(daemon->identity);
    free(daemon);
}

/* ---- status ------------------------------------------------------------------------------------ */

void p2_daemon_describe_pool(const struct p2_daemon *daemon, json_t *status)
{
    struct p2_pool_counters counters;
    json_t *layers = json_array();
    if (daemon->pool == NULL) {
        json_decref(layers);
        return;
    }
    p2_pool_counters(daemon->pool, &counters);
    for (unsigned step = 0; step < P2_LOCK_STEP_COUNT; step++) {
        if ((daemon->sandbox & P2_LOCK_BIT(step)) != 0) {
            (void)json_array_append_new(layers, json_string(p2_lock_step_text(step)));
        }
    }
    /* Failing to add shows as a missing member; the answer itself stays well formed. */
    (void)json_object_set_new(
        status, "workers",
        json_pack("{s:i, s:i, s:i, s:I, s:I}", "ready", (int)counters.ready, "running",
                  (int)counters.running, "waiting", (int)counters.waiting, "tasks",
                  (json_int_t)counters.submitted, "lost", (json_int_t)counters.workers_lost));
    (void)json_object_set_new(status, "sandbox", layers);
}
