/* The authority's loop: listener, helpers, session, end. */
#include "authority/shell/authority.h"

#include "authority/shell/options.h"
#include "authority/shell/test_session.h"
#include "base/entropy.h"
#include "base/notify.h"
#include "daemon/daemon.h"
#include "link/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys the authority remembers. Chosen: more than a built-in session can use at once. */
#define RECORDS_MAX 1024u

/* How long helpers get at the end to answer what they have in hand. */
#define SEND_AWAY_MS 300u

/* Workers that verify come before those that a foreground program would want, not after. */
#define NICE 0

struct p2_authority {
    struct p2_daemon *daemon;
    const struct p2_options *options;
    struct p2_config *config;
    struct p2_peer_env env;
    struct p2_peer *peers; /* every link */
    uint32_t admitted;
    struct p2_helper_record records[RECORDS_MAX];
    uint32_t record_count;
    struct p2_corpus *corpus;
    struct p2_test_session *session;
    json_t *lies; /* who was caught, how */
    char address[P2_ADDRESS_TEXT_MAX];
    uv_timer_t end_timer;
    bool has_timer;
    bool is_ending;
    int outcome;
};

/* ---- ending ------------------------------------------------------------------------------------ */

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_authority *authority = handle->data;
    authority->has_timer = false;
    p2_daemon_stop(authority->daemon);
}

static void on_end_timer(uv_timer_t *timer)
{
    if (!uv_is_closing((uv_handle_t *)timer)) {
        uv_close((uv_handle_t *)timer, on_timer_closed);
    }
}

/* The session's objects are gone: nothing but links is left. */
static void on_session_closed(void *ctx)
{
    struct p2_authority *authority = ctx;
    authority->session = NULL;
    (void)uv_timer_start(&authority->end_timer, on_end_timer, SEND_AWAY_MS, 0);
}

static void print_summary(struct p2_authority *authority)
{
    json_t *summary = p2_test_session_summary(authority->session);
    if (summary != NULL) {
        (void)json_object_set(summary, "lies", authority->lies);
        (void)json_dumpf(summary, stdout, JSON_COMPACT);
        (void)putchar('\n');
        if (fflush(stdout) != 0) {
            authority->outcome = P2_E_IO;
        }
        json_decref(summary);
    }
}

/* Ends the session if there is one, sends helpers away, then ends the daemon. */
static void finish(struct p2_authority *authority, int outcome)
{
    if (authority->is_ending) {
        return;
    }
    authority->is_ending = true;
    authority->outcome = outcome;
    for (struct p2_peer *peer = authority->peers; peer != NULL; peer = peer->next) {
        p2_peer_send_away(peer, P2_DRAIN_REASON_SHUTDOWN);
    }
    if (authority->session != NULL) {
        print_summary(authority);
        p2_test_session_close(authority->session, on_session_closed, authority);
    } else {
        on_session_closed(authority);
    }
}

static void on_end(void *ctx)
{
    finish(ctx, P2_OK);
}

static void on_terminate(void *ctx)
{
    finish(ctx, P2_OK);
}

/* ---- helpers ----------------------------------------------------------------------------------- */

static bool is_configured(const struct p2_authority *authority, const struct p2_id *id)
{
    size_t count = p2_config_count(authority->config, P2_AUTHORITY_OPTION_HELPER);
    for (size_t i = 0; i < count; i++) {
        struct p2_id configured;
        const char *text = p2_config_at(authority->config, P2_AUTHORITY_OPTION_HELPER, i);
        if (p2_id_parse(&configured, text, strlen(text)) == P2_OK && p2_id_equal(&configured, id)) {
            return true;
        }
    }
    return p2_config_bool(authority->config, P2_AUTHORITY_OPTION_ALLOW_ANY_HELPER);
}

static struct p2_helper_record *find_record(struct p2_authority *authority, const struct p2_id *id)
{
    for (uint32_t i = 0; i < authority->record_count; i++) {
        if (p2_id_equal(&authority->records[i].id, id)) {
            return &authority->records[i];
        }
    }
    if (authority->record_count == RECORDS_MAX) {
        return NULL;
    }
    struct p2_helper_record *record = &authority->records[authority->record_count++];
    record->id = *id;
    return record;
}

static struct p2_helper_record *admit(void *ctx, const struct p2_id *id,
                                      enum p2_denied_reason *ret_reason)
{
    struct p2_authority *authority = ctx;
    if (!is_configured(authority, id)) {
        *ret_reason = P2_DENIED_REASON_TOKEN;
        return NULL;
    }
    struct p2_helper_record *record = find_record(authority, id);
    if (record == NULL || authority->is_ending) {
        *ret_reason = P2_DENIED_REASON_FULL;
        return NULL;
    }
    if (record->is_banned) {
        *ret_reason = P2_DENIED_REASON_BANNED;
        return NULL;
    }
    if (p2_pool_now_us() / 1000u < record->barred_until_ms) {
        *ret_reason = P2_DENIED_REASON_STRIKES;
        return NULL;
    }
    return record;
}

/* A key works here once: whoever comes again replaces the link that may be dead. */
static void replace_older(struct p2_authority *authority, const struct p2_peer *peer)
{
    for (struct p2_peer *other = authority->peers; other != NULL; other = other->next) {
        if (other != peer && other->record == peer->record) {
            p2_link_close(other->link, P2_E_CANCELLED);
        }
    }
}

static void start_session(struct p2_authority *authority);

static int on_admitted(void *ctx, struct p2_peer *peer)
{
    struct p2_authority *authority = ctx;
    int error = authority->session != NULL ? p2_test_session_join(authority->session, peer) : P2_OK;
    if (error == P2_OK) {
        replace_older(authority, peer);
        authority->admitted++;
        peer->is_joined = true;
    }
    return error;
}

static void on_ready(void *ctx, struct p2_peer *peer)
{
    struct p2_authority *authority = ctx;
    (void)peer;
    if (authority->session != NULL) {
        p2_test_session_pump(authority->session);
    } else {
        start_session(authority);
    }
}

static void on_result(void *ctx, struct p2_peer *peer, const struct p2_msg_result *result)
{
    struct p2_authority *authority = ctx;
    if (authority->session != NULL && peer->is_joined) {
        p2_test_session_result(authority->session, peer, result);
    } else if (!authority->is_ending) {
        p2_peer_strike(peer, P2_DENIED_REASON_TASK_DATA_ONLY);
    }
}

static void on_drain(void *ctx, struct p2_peer *peer)
{
    struct p2_authority *authority = ctx;
    if (authority->session != NULL && peer->is_joined) {
        p2_test_session_drain(authority->session, peer);
    } else {
        p2_link_drain(peer->link);
    }
}

static void on_gone(void *ctx, struct p2_peer *peer)
{
    struct p2_authority *authority = ctx;
    struct p2_peer **at = &authority->peers;
    while (*at != NULL && *at != peer) {
        at = &(*at)->next;
    }
    if (*at == peer) {
        *at = peer->next;
    }
    if (peer->is_joined) {
        authority->admitted--;
        if (authority->session != NULL) {
            p2_test_session_leave(authority->session, peer);
        }
    }
}

static int on_link(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    struct p2_authority *authority = listener_ctx;
    void *made = NULL;
    int error = p2_peer_on_link(link, &authority->env, &made);
    if (error == P2_OK) {
        struct p2_peer *peer = made;
        peer->next = authority->peers;
        authority->peers = peer;
        *ret_ctx = peer;
    }
    return error;
}

/* A wrong result: the key is banned for as long as this process lives. */
static void on_lie(void *ctx, struct p2_helper_record *who, const char *how, const char *kernel)
{
    struct p2_authority *authority = ctx;
    char id[P2_ID_TEXT_MAX];
    p2_id_format(id, &who->id);
    P2_LOG(&authority->daemon->log, P2_LEVEL_WARN, "lie_caught", P2_LOG_ID("helper", &who->id),
           P2_LOG_STR("by", how), P2_LOG_STR("kernel", kernel));
    (void)json_array_append_new(
        authority->lies, json_pack("{s:s, s:s, s:s}", "helper", id, "by", how, "kernel", kernel));
    who->is_banned = true;
    (void)snprintf(who->why, sizeof who->why, "wrong %s, found by %s", kernel, how);
    for (struct p2_peer *peer = authority->peers; peer != NULL; peer = peer->next) {
        if (peer->record == who) {
            p2_peer_deny(peer, P2_DENIED_REASON_BANNED, P2_PEER_RETRY_S);
        }
    }
}

/* ---- session ----------------------------------------------------------------------------------- */

static bool wants_session(const struct p2_authority *authority)
{
    return p2_config_choice(authority->config, P2_AUTHORITY_OPTION_SESSION) ==
           P2_AUTHORITY_SESSION_TEST;
}

static uint64_t frames_of(const struct p2_config *config)
{
    uint64_t frames = p2_config_u64(config, P2_AUTHORITY_OPTION_FRAMES);
    return frames > 0 ? frames
                      : p2_config_u64(config, P2_AUTHORITY_OPTION_SECONDS) * P2_TEST_SESSION_HZ;
}

/* Starts the clock when enough helpers are there; those that are there join. */
static void start_session(struct p2_authority *authority)
{
    const struct p2_config *config = authority->config;
    if (authority->corpus == NULL || authority->session != NULL || authority->is_ending ||
        authority->admitted < p2_config_u64(config, P2_AUTHORITY_OPTION_WAIT_HELPERS)) {
        return;
    }
    struct p2_test_session_options options = {
        .loop = &authority->daemon->loop,
        .pool = authority->daemon->pool,
        .env = &authority->env,
        .tag = P2_DAEMON_TAG_FIRST,
        .corpus = authority->corpus,
        .frames = frames_of(config),
        .tasks_per_frame = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_TASKS_PER_FRAME),
        .depth_frames = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_VIEW_DEPTH),
        .slack_frames = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_STATE_SLACK),
        .audit_ppm = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_AUDIT_SHARE),
        .ctx = authority,
        .on_lie = on_lie,
        .on_end = on_end,
    };
    p2_entropy(options.seed, sizeof options.seed);
    int error = p2_test_session_open(&options, &authority->session);
    if (error != P2_OK) {
        finish(authority, error);
        return;
    }
    P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "session_started",
           P2_LOG_U64("helpers", authority->admitted), P2_LOG_U64("frames", options.frames));
    for (struct p2_peer *peer = authority->peers; peer != NULL; peer = peer->next) {
        if (peer->is_joined && p2_test_session_join(authority->session, peer) != P2_OK) {
            p2_peer_send_away(peer, P2_DRAIN_REASON_NOT_NEEDED);
        }
    }
}

static int make_corpus(struct p2_authority *authority)
{
    struct p2_daemon *daemon = authority->daemon;
    uint64_t seed = 0;
    p2_entropy(&seed, sizeof seed);
    int error = p2_pool_authority_add(daemon->pool, P2_DAEMON_TAG_FIRST, P2_BLOBS_BYTES_MAX);
    if (error == P2_OK) {
        error = p2_corpus_open(daemon->pool, P2_DAEMON_TAG_FIRST, daemon->kernels,
                               authority->env.use, daemon->kernel_count, seed, &authority->corpus);
    }
    authority->env.corpus = authority->corpus;
    return error;
}

/* ---- events of the daemon ---------------------------------------------------------------------- */

/* Listens: from now on helpers may come. */
static int listen_for_helpers(struct p2_authority *authority)
{
    struct p2_daemon *daemon = authority->daemon;
    const char *text = p2_config_string(authority->config, P2_AUTHORITY_OPTION_LISTEN);
    struct p2_listener *listener = NULL;
    struct p2_listen_options options = {
        .address.port = (uint16_t)p2_config_u64(authority->config, P2_AUTHORITY_OPTION_PORT),
        .own_role = P2_ROLE_AUTHORITY,
        .events = &p2_peer_events,
        .on_peer = on_link,
        .ctx = authority,
    };
    int error = p2_ip_parse(&options.address.ip, text, strlen(text));
    if (error == P2_OK) {
        error = p2_transport_listen(daemon->transport, &options, &listener);
    }
    if (error != P2_OK) {
        P2_LOG(&daemon->log, P2_LEVEL_ERROR, "cannot_listen", P2_LOG_STR("address", text),
               P2_LOG_U64("port", options.address.port), P2_LOG_ERROR(error));
        return error;
    }
    struct p2_link_address real = p2_listener_address(listener);
    /* A wildcard is shown as it is: which of this machine's addresses others reach, we do not know. */
    struct p2_address shown = {
        .key = daemon->id, .ip = real.ip, .port = real.port, .is_literal = true};
    p2_ip_format(shown.host, &real.ip);
    p2_address_format(authority->address, &shown);
    P2_LOG(&daemon->log, P2_LEVEL_NOTICE, "listening", P2_LOG_STR("on", authority->address));
    (void)fprintf(stderr, "listening on %s\n", authority->address);
    return P2_OK;
}

static void on_tested(void *ctx, const struct p2_self_test_row *rows)
{
    struct p2_authority *authority = ctx;
    struct p2_daemon *daemon = authority->daemon;
    authority->env.kernels = daemon->kernels;
    authority->env.kernel_count = daemon->kernel_count;
    for (size_t i = 0; i < daemon->kernel_count; i++) {
        authority->env.use[i] = rows[i].verdict == P2_HARNESS_OK;
        memcpy(authority->env.digests[i], rows[i].digest, P2_WIRE_DIGEST_BYTES);
    }
    int error = wants_session(authority) ? make_corpus(authority) : P2_OK;
    if (error == P2_OK) {
        error = listen_for_helpers(authority);
    }
    if (error != P2_OK) {
        finish(authority, error);
        return;
    }
    p2_notify_ready(authority->address);
    start_session(authority);
}

static void on_reload(void *ctx)
{
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_NOTICE,
                                               P2_LEVEL_INFO, P2_LEVEL_DEBUG};
    struct p2_authority *authority = ctx;
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
    p2_log_set_level(&authority->daemon->log,
                     levels[p2_config_choice(fresh, P2_AUTHORITY_OPTION_LOG_LEVEL)]);
    P2_LOG_EVENT(&authority->daemon->log, P2_LEVEL_NOTICE, "reloaded");
}

/* The row of one known helper, with its link if there is one. */
static json_t *describe_helper(const struct p2_authority *authority,
                               const struct p2_helper_record *record)
{
    char id[P2_ID_TEXT_MAX];
    const struct p2_peer *peer = authority->peers;
    while (peer != NULL && peer->record != record) {
        peer = peer->next;
    }
    bool is_working = peer != NULL && peer->is_joined && authority->session != NULL;
    p2_id_format(id, &record->id);
    return json_pack("{s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:s}", "helper", id, "state",
                     record->is_banned                                    ? "banned"
                     : p2_pool_now_us() / 1000u < record->barred_until_ms ? "barred"
                     : peer != NULL                                       ? "connected"
                                                                          : "away",
                     "rtt_us", (json_int_t)(peer != NULL ? p2_link_rtt(peer->link).rtt_us : 0),
                     "in_flight",
                     is_working ? (int)p2_test_session_open_leases(authority->session, peer) : 0,
                     "leases", (json_int_t)record->leases, "done", (json_int_t)record->done,
                     "wrong", (json_int_t)record->wrong, "late", (json_int_t)record->late, "failed",
                     (json_int_t)record->failed, "why", record->why);
}

static void describe(json_t *status, void *ctx)
{
    struct p2_authority *authority = ctx;
    json_t *helpers = json_array();
    for (uint32_t i = 0; i < authority->record_count; i++) {
        (void)json_array_append_new(helpers, describe_helper(authority, &authority->records[i]));
    }
    /* Failing to add shows as a missing member; the answer itself stays well formed. */
    (void)json_object_set_new(status, "listening", json_string(authority->address));
    p2_daemon_describe_pool(authority->daemon, status);
    if (authority->session != NULL) {
        (void)json_object_set_new(status, "session", p2_test_session_summary(authority->session));
    }
    (void)json_object_set_new(status, "helpers", helpers);
}

static const struct p2_daemon_events daemon_events = {
    .on_tested = on_tested,
    .on_terminate = on_terminate,
    .on_reload = on_reload,
    .describe = describe,
};

/* ---- opening and closing ----------------------------------------------------------------------- */

static int open_daemon(struct p2_authority *authority, struct p2_launcher *launcher,
                       struct p2_failure *failure)
{
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_NOTICE,
                                               P2_LEVEL_INFO, P2_LEVEL_DEBUG};
    static const enum p2_local_peers local_peers[] = {P2_LOCAL_PEERS_STRICT, P2_LOCAL_PEERS_ALLOW};
    const struct p2_config *config = authority->config;
    const struct p2_daemon_options options = {
        .program = p2_authority_program.name,
        .state_dir = p2_config_string(config, P2_AUTHORITY_OPTION_STATE_DIR),
        .control_socket = p2_config_string(config, P2_AUTHORITY_OPTION_CONTROL_SOCKET),
        .control_group = p2_config_string(config, P2_AUTHORITY_OPTION_CONTROL_GROUP),
        .network = p2_config_string(config, P2_AUTHORITY_OPTION_NETWORK),
        .log_level = levels[p2_config_choice(config, P2_AUTHORITY_OPTION_LOG_LEVEL)],
        .local_peers = local_peers[p2_config_choice(config, P2_AUTHORITY_OPTION_LOCAL_PEERS)],
        .launcher = launcher,
        .pool = {.workers = (uint32_t)p2_config_u64(config, P2_AUTHORITY_OPTION_CORES),
                 .queue_capacity = P2_POOL_TASKS_MAX,
                 .nice = NICE,
                 .cpu_permille = 1000,
                 .batches = true},
        .events = &daemon_events,
        .ctx = authority,
    };
    return p2_daemon_open(&options, failure, &authority->daemon);
}

static void fill_env(struct p2_authority *authority)
{
    authority->env.log = &authority->daemon->log;
    authority->env.ctx = authority;
    authority->env.admit = admit;
    authority->env.on_admitted = on_admitted;
    authority->env.on_ready = on_ready;
    authority->env.on_result = on_result;
    authority->env.on_drain = on_drain;
    authority->env.on_gone = on_gone;
    p2_buf_init(&authority->env.scratch, P2_WIRE_SLOT_MSG_MAX + 64u);
}

int p2_authority_open(const struct p2_options *options, struct p2_config *config,
                      struct p2_launcher *launcher, struct p2_failure *failure,
                      struct p2_authority **ret_authority)
{
    struct p2_authority *authority = calloc(1, sizeof *authority);
    if (authority == NULL) {
        p2_launcher_stop(launcher);
        p2_config_free(config);
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    authority->options = options;
    authority->config = config;
    authority->lies = json_array();
    int error = open_daemon(authority, launcher, failure);
    if (error != P2_OK) {
        p2_authority_close(authority);
        return error;
    }
    fill_env(authority);
    (void)uv_timer_init(&authority->daemon->loop, &authority->end_timer); /* cannot fail */
    authority->end_timer.data = authority;
    authority->has_timer = true;
    *ret_authority = authority;
    return P2_OK;
}

int p2_authority_run(struct p2_authority *authority)
{
    p2_daemon_run(authority->daemon);
    return authority->outcome;
}

void p2_authority_close(struct p2_authority *authority)
{
    if (authority != NULL) {
        p2_daemon_close(authority->daemon);
        p2_corpus_close(authority->corpus);
        p2_buf_free(&authority->env.scratch);
        p2_config_free(authority->config);
        json_decref(authority->lies);
        free(authority);
    }
}
