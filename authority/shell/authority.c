/* The process: start, steps of the core and their effects, end. */
#include "authority/shell/authority.h"

#include "authority/shell/commands.h"
#include "authority/shell/discovery.h"
#include "authority/shell/hosted.h"
#include "authority/shell/peers.h"
#include "authority/shell/seats.h"
#include "base/entropy.h"
#include "base/error.h"
#include "base/notify.h"
#include "exec/blobs.h"
#include "link/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long those who are sent away get to hear it. */
#define SEND_AWAY_MS 300u

/* Workers that verify come before those that a foreground program would want, not after. */
#define NICE 0

/* ---- steps ------------------------------------------------------------------------------------- */

/* Runs the kernel's check of a result. What cannot be checked is no verdict. */
static void perform_check(struct p2_authority *authority, const struct p2_effect *effect)
{
    struct p2_compute_contents contents = {.count = 0};
    struct p2_compute_case what = {.kernel = effect->kernel,
                                   .session = effect->session,
                                   .lease = effect->lease,
                                   .task = effect->task};
    const struct p2_hosted *hosted = p2_hosted_of(authority, effect->session);
    const struct p2_peer *peer = authority->helpers[effect->peer];
    int error = P2_OK;
    if (peer != NULL) {
        what.helper = peer->id;
    }
    if (effect->handle_count > 0) {
        error = hosted == NULL
                    ? P2_E_NOENT
                    : p2_hosted_contents(hosted, effect->keys, effect->handle_count, &contents);
    }
    if (error == P2_OK) {
        error = p2_compute_check(authority->compute, &what, effect->input, effect->result,
                                 effect->codec, effect->output_max, &contents);
    }
    if (error != P2_OK) {
        const struct p2_event event = {
            .type = P2_EVENT_CHECKED, .lease = effect->lease, .status = P2_E_AGAIN};
        p2_authority_post(authority, &event);
    }
}

static void perform_compute(struct p2_authority *authority, const struct p2_effect *effect)
{
    struct p2_compute_contents contents = {.count = 0};
    const struct p2_compute_case what = {
        .kernel = effect->kernel, .session = effect->session, .task = effect->task};
    const struct p2_hosted *hosted = p2_hosted_of(authority, effect->session);
    int error = hosted == NULL
                    ? P2_E_NOENT
                    : p2_hosted_contents(hosted, effect->keys, effect->handle_count, &contents);
    if (error == P2_OK) {
        error = p2_compute_run(authority->compute, &what, effect->input,
                               p2_pool_now_us() + effect->budget_us, &contents);
    }
    if (error != P2_OK) {
        const struct p2_event event = {.type = P2_EVENT_COMPUTED,
                                       .session = effect->session,
                                       .task = effect->task,
                                       .status = P2_E_AGAIN};
        p2_authority_post(authority, &event);
    }
}

static void perform_audit(struct p2_authority *authority, const struct p2_effect *effect)
{
    struct p2_compute_contents contents = {.count = 0};
    const struct p2_hosted *hosted = p2_hosted_of(authority, effect->session);
    const struct p2_compute_case what = {
        .kernel = effect->kernel,
        .session = effect->session,
        .lease = effect->lease,
        .task = effect->task,
        .tag = effect->tag,
        .helper = effect->helper,
    };
    int error = hosted == NULL
                    ? P2_E_NOENT
                    : p2_hosted_contents(hosted, effect->keys, effect->handle_count, &contents);
    if (error == P2_OK) {
        error =
            p2_compute_audit(authority->compute, &what, effect->input, effect->result, &contents);
    }
    if (error != P2_OK) { /* no memory, or the session ends */
        P2_LOG(&authority->daemon->log, P2_LEVEL_WARN, "audit_skipped", P2_LOG_ERROR(error));
    }
}

static void note_integrity(struct p2_authority *authority, const struct p2_effect *effect)
{
    struct p2_id id = effect->helper;
    p2_authority_lie(authority, &id, effect->is_known ? "recomputation" : "check", effect->kernel);
}

static void note_strike(struct p2_authority *authority, const struct p2_effect *effect)
{
    const struct p2_peer *peer = authority->helpers[effect->peer];
    struct p2_policy_row *row = peer == NULL ? NULL : p2_policy_row(&authority->policy, &peer->id);
    authority->unsolicited += effect->status == P2_E_UNSOLICITED ? 1 : 0;
    if (row != NULL) {
        row->strikes++;
    }
    P2_LOG(&authority->daemon->log, P2_LEVEL_INFO, "strike", P2_LOG_ERROR(effect->status));
}

/* A late answer is a free audit when what was right is known. */
static void note_late(struct p2_authority *authority, const struct p2_effect *effect)
{
    const struct p2_peer *peer = authority->helpers[effect->peer];
    struct p2_policy_row *row = peer == NULL ? NULL : p2_policy_row(&authority->policy, &peer->id);
    if (row != NULL) {
        row->late++;
    }
    if (peer != NULL && effect->is_known && !effect->is_equal && effect->codec == P2_CODEC_RAW &&
        authority->daemon->kernels[effect->kernel]->canonical == NULL) {
        struct p2_id id = peer->id;
        p2_authority_lie(authority, &id, "recomputation", effect->kernel);
    }
}

static void note_admitted(struct p2_authority *authority, const struct p2_effect *effect)
{
    const struct p2_peer *peer = authority->helpers[effect->peer];
    struct p2_policy_row *row = peer == NULL ? NULL : p2_policy_row(&authority->policy, &peer->id);
    if (row != NULL && !row->is_admitted) {
        row->is_admitted = true;
        authority->policy.admitted++;
    }
}

static void perform(struct p2_authority *authority, const struct p2_effect *effect,
                    const struct p2_effect *next)
{
    struct p2_hosted *hosted;
    if (effect->type == P2_EFFECT_ACCEPT) {
        note_admitted(authority, effect);
    }
    switch (effect->type) {
    case P2_EFFECT_ACCEPT:
    case P2_EFFECT_DENIED:
    case P2_EFFECT_LEASE:
    case P2_EFFECT_CANCEL:
    case P2_EFFECT_BLOB:
    case P2_EFFECT_BLOB_DROP:
    case P2_EFFECT_CLOSE:
        if (authority->helpers[effect->peer] != NULL) {
            p2_peer_perform(authority->helpers[effect->peer], effect,
                            next != NULL && next->type == P2_EFFECT_CLOSE &&
                                next->peer == effect->peer);
        }
        break;
    case P2_EFFECT_CHECK:
        perform_check(authority, effect);
        break;
    case P2_EFFECT_COMPUTE:
        perform_compute(authority, effect);
        break;
    case P2_EFFECT_COMPUTE_CANCEL:
        p2_compute_cancel(authority->compute, effect->session, effect->task);
        break;
    case P2_EFFECT_AUDIT:
        perform_audit(authority, effect);
        break;
    case P2_EFFECT_LATE:
        note_late(authority, effect);
        break;
    case P2_EFFECT_INTEGRITY:
        note_integrity(authority, effect);
        break;
    case P2_EFFECT_PROVEN:
        authority->policy.audits++;
        break;
    case P2_EFFECT_STRIKE:
        note_strike(authority, effect);
        break;
    case P2_EFFECT_JOURNAL:
        break; /* hosted.c journals what the game is given, which is the same and more */
    case P2_EFFECT_FRAME:
        hosted = p2_hosted_of(authority, effect->session);
        if (hosted != NULL) {
            p2_hosted_shipped(hosted, effect);
        }
        break;
    }
}

void p2_authority_perform(struct p2_authority *authority)
{
    const struct p2_outbox *out = &authority->out;
    for (uint32_t i = 0; i < out->count; i++) {
        perform(authority, &out->items[i], i + 1 < out->count ? &out->items[i + 1] : NULL);
    }
}

static int step_once(struct p2_authority *authority, const struct p2_event *event)
{
    p2_outbox_clear(&authority->out);
    authority->is_stepping = true;
    int error = p2_core_step(&authority->core, event, p2_pool_now_us(), &authority->out);
    p2_authority_perform(authority);
    authority->is_stepping = false;
    return error;
}

/* What an effect caused: after the step, in order. Spans of queued events are empty. */
static void run_queue(struct p2_authority *authority)
{
    while (authority->queue_count > 0) {
        const struct p2_event event = authority->queue[0];
        authority->queue_count--;
        memmove(authority->queue, authority->queue + 1,
                authority->queue_count * sizeof authority->queue[0]);
        (void)step_once(authority, &event); /* about leases and helpers that may be gone */
    }
}

int p2_authority_step(struct p2_authority *authority, const struct p2_event *event)
{
    P2_ASSERT(!authority->is_stepping);
    if (authority->slot_timer == NULL || !authority->has_core) {
        return P2_E_DRAINING; /* links that close at the very end */
    }
    int error = step_once(authority, event);
    run_queue(authority);
    p2_slot_timer_set(authority->slot_timer, p2_core_wake_us(&authority->core));
    return error;
}

void p2_authority_post(struct p2_authority *authority, const struct p2_event *event)
{
    if (!authority->is_stepping) {
        (void)p2_authority_step(authority, event); /* as in run_queue */
    } else if (authority->queue_count < P2_AUTHORITY_QUEUE) {
        authority->queue[authority->queue_count++] = *event;
    }
}

static void on_slot(void *ctx)
{
    struct p2_authority *authority = ctx;
    const struct p2_event event = {.type = P2_EVENT_TIME};
    (void)p2_authority_step(authority, &event); /* cannot fail */
}

int p2_authority_grow(struct p2_authority *authority)
{
    struct p2_outbox fresh;
    uint32_t needed = p2_core_outbox_needed(&authority->core);
    if (needed <= authority->out.capacity) {
        return P2_OK;
    }
    int error = p2_outbox_init(&fresh, needed);
    if (error == P2_OK) {
        p2_outbox_free(&authority->out);
        authority->out = fresh;
    }
    return error;
}

/* ---- what was computed ------------------------------------------------------------------------- */

static void on_checked(void *ctx, const struct p2_compute_case *what, int status,
                       struct p2_span bytes)
{
    struct p2_authority *authority = ctx;
    const struct p2_event event = {
        .type = P2_EVENT_CHECKED, .lease = what->lease, .status = status, .bytes = bytes};
    struct p2_policy_row *row = p2_policy_row(&authority->policy, &what->helper);
    if (row != NULL && status == P2_OK) {
        row->done++;
    }
    (void)p2_authority_step(authority, &event); /* the lease may be gone with its link */
}

static void on_computed(void *ctx, const struct p2_compute_case *what, int status,
                        struct p2_span bytes, uint32_t exec_us)
{
    const struct p2_event event = {.type = P2_EVENT_COMPUTED,
                                   .session = what->session,
                                   .task = what->task,
                                   .status = status,
                                   .exec_us = exec_us,
                                   .bytes = bytes};
    (void)p2_authority_step(ctx, &event); /* the session may be gone */
}

static void on_audited(void *ctx, const struct p2_compute_case *what,
                       enum p2_compute_verdict verdict, struct p2_span right)
{
    struct p2_authority *authority = ctx;
    authority->policy.audits += verdict != P2_COMPUTE_UNKNOWN ? 1 : 0;
    if (verdict == P2_COMPUTE_WRONG) {
        const struct p2_event event = {.type = P2_EVENT_CORRECT,
                                       .session = what->session,
                                       .task = what->task,
                                       .tag = what->tag,
                                       .kernel = (uint8_t)what->kernel,
                                       .bytes = right};
        p2_authority_lie(authority, &what->helper, "recomputation", what->kernel);
        (void)p2_authority_step(authority, &event); /* the session may be gone */
    }
}

static const struct p2_compute_events compute_events = {
    .on_checked = on_checked, .on_computed = on_computed, .on_audited = on_audited};

void p2_authority_lie(struct p2_authority *authority, const struct p2_id *who, const char *how,
                      uint32_t kernel)
{
    const char *name = authority->daemon->kernels[kernel]->name;
    char id[P2_ID_TEXT_MAX];
    p2_id_format(id, who);
    P2_LOG(&authority->daemon->log, P2_LEVEL_WARN, "lie_caught", P2_LOG_ID("helper", who),
           P2_LOG_STR("by", how), P2_LOG_STR("kernel", name));
    (void)json_array_append_new(
        authority->lies, json_pack("{s:s, s:s, s:s}", "helper", id, "by", how, "kernel", name));
    bool is_new = p2_policy_wrong(&authority->policy, who, strcmp(how, "check") != 0, name);
    struct p2_peer *peer = p2_peer_find(authority, who);
    if (is_new && peer != NULL) {
        const struct p2_event ban = {
            .type = P2_EVENT_BAN, .peer = peer->number, .until_us = UINT64_MAX};
        p2_authority_post(authority, &ban);
        p2_peer_deny(peer, P2_DENIED_REASON_BANNED, 3600);
    }
}

/* ---- ending ------------------------------------------------------------------------------------ */

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_authority *authority = handle->data;
    authority->timers--;
    if (authority->timers == 0) {
        p2_daemon_stop(authority->daemon);
    }
}

static void on_discovery_closed(void *ctx);

static void on_compute_closed(void *ctx)
{
    struct p2_authority *authority = ctx;
    authority->compute = NULL;
    p2_discovery_close(authority->discovery, on_discovery_closed, authority);
}

static void on_discovery_closed(void *ctx)
{
    struct p2_authority *authority = ctx;
    authority->discovery = NULL;
    p2_slot_timer_close(authority->slot_timer);
    authority->slot_timer = NULL;
    uv_close((uv_handle_t *)&authority->look_timer, on_timer_closed);
    uv_close((uv_handle_t *)&authority->end_timer, on_timer_closed);
}

static void on_end_timer(uv_timer_t *timer)
{
    struct p2_authority *authority = timer->data;
    p2_compute_close(authority->compute, on_compute_closed, authority);
}

/* Sessions are gone, helpers were told: what is queued leaves, then everything closes. */
static void end_if_idle(struct p2_authority *authority)
{
    if (authority->is_ending && authority->sessions == NULL && !authority->is_closing) {
        authority->is_closing = true;
        for (struct p2_peer *peer = authority->peers; peer != NULL; peer = peer->next) {
            p2_peer_send_away(peer);
        }
        (void)uv_timer_start(&authority->end_timer, on_end_timer, SEND_AWAY_MS, 0);
    }
}

void p2_authority_session_gone(struct p2_authority *authority)
{
    end_if_idle(authority);
}

void p2_authority_finish(struct p2_authority *authority, int outcome)
{
    if (authority->is_ending) {
        return;
    }
    authority->is_ending = true;
    authority->outcome = outcome;
    for (struct p2_hosted *hosted = authority->sessions; hosted != NULL; hosted = hosted->next) {
        p2_hosted_end(hosted, P2_END_REASON_HOST_STOPPED, NULL);
    }
    end_if_idle(authority);
}

static void on_terminate(void *ctx)
{
    p2_authority_finish(ctx, P2_OK);
}

static void on_look(uv_timer_t *timer)
{
    struct p2_authority *authority = timer->data;
    uint64_t now_us = p2_pool_now_us();
    for (uint32_t i = 0; i < P2_AUTHORITY_HELPERS_MAX; i++) {
        const struct p2_peer *peer = authority->helpers[i];
        struct p2_link_rtt rtt = peer == NULL ? (struct p2_link_rtt){0} : p2_link_rtt(peer->link);
        if (rtt.samples > 0) {
            const struct p2_event event = {
                .type = P2_EVENT_RTT, .peer = i, .rtt_us = rtt.rtt_us, .jitter_us = rtt.jitter_us};
            (void)p2_authority_step(authority, &event); /* it is open */
        }
    }
    for (struct p2_hosted *hosted = authority->sessions; hosted != NULL;) {
        struct p2_hosted *next = hosted->next;
        p2_hosted_look(hosted, now_us);
        p2_hosted_start_if_ready(hosted);
        hosted = next;
    }
}

/* ---- starting ---------------------------------------------------------------------------------- */

/* Listens: from now on helpers and gamers may come. */
static int listen_for_all(struct p2_authority *authority)
{
    struct p2_daemon *daemon = authority->daemon;
    const char *text = p2_config_string(authority->config, P2_AUTHORITY_OPTION_LISTEN);
    struct p2_listener *listener = NULL;
    struct p2_listen_options options = {
        .address.port = (uint16_t)p2_config_u64(authority->config, P2_AUTHORITY_OPTION_PORT),
        .own_role = P2_ROLE_AUTHORITY,
        .events = &p2_peer_events,
        .on_peer = p2_peer_on_link,
        .ctx = authority,
    };
    int error = p2_ip_parse(&options.address.ip, text, strlen(text));
    if (error == P2_OK) {
        error = p2_transport_listen(daemon->transport, &options, &listener);
    }
    if (error != P2_OK) {
        return p2_fail(&authority->failure, error, "cannot listen at %s port %u: %s", text,
                       options.address.port, p2_error_text(error));
    }
    struct p2_link_address real = p2_listener_address(listener);
    /* A wildcard is shown as it is: which of this machine's addresses others reach, we do not know. */
    struct p2_address shown = {
        .key = daemon->id, .ip = real.ip, .port = real.port, .is_literal = true};
    p2_ip_format(shown.host, &real.ip);
    p2_address_format(authority->address, &shown);
    P2_LOG(&daemon->log, P2_LEVEL_NOTICE, "listening", P2_LOG_STR("on", authority->address));
    (void)fprintf(stderr, "listening on %s\n", authority->address);
    return p2_discovery_open(&authority->discovery, authority, &real, &authority->failure);
}

static int configure_helpers(struct p2_authority *authority)
{
    static const struct {
        enum p2_authority_option option;
        bool is_cloud;
    } lists[] = {{P2_AUTHORITY_OPTION_HELPER, false}, {P2_AUTHORITY_OPTION_CLOUD_HELPER, true}};
    for (size_t k = 0; k < P2_COUNT_OF(lists); k++) {
        size_t count = p2_config_count(authority->config, lists[k].option);
        for (size_t i = 0; i < count; i++) {
            struct p2_id id;
            const char *text = p2_config_at(authority->config, lists[k].option, i);
            int error = p2_id_parse(&id, text, strlen(text));
            if (error == P2_OK) {
                error = p2_core_configure(&authority->core, &id, lists[k].is_cloud);
            }
            if (error != P2_OK && error != P2_E_EXIST) {
                return error;
            }
        }
    }
    return P2_OK;
}

static int open_core(struct p2_authority *authority)
{
    static const enum p2_local_peers local_peers[] = {P2_LOCAL_PEERS_STRICT, P2_LOCAL_PEERS_ALLOW};
    const struct p2_config *config = authority->config;
    struct p2_core_options options = {
        .kernels = authority->warm.kernels,
        .kernel_count = authority->warm.count,
        .helpers_max = P2_AUTHORITY_HELPERS_MAX,
        .leases_max = P2_AUTHORITY_LEASES_MAX,
        .blobs_each = P2_BLOBS_ENTRIES_MAX,
        .sessions_max = P2_CORE_SESSIONS_MAX,
        .window_max = P2_AUTHORITY_WINDOW,
        .local_cores = (uint16_t)p2_config_u64(config, P2_AUTHORITY_OPTION_CORES),
        .cache_max = P2_AUTHORITY_CACHE_MAX,
        .price_max = P2_WIRE_PRICE_MAX,
        .cloud_units_per_hour =
            p2_config_u64(config, P2_AUTHORITY_OPTION_CLOUD_SECONDS) * UINT64_C(1000000),
        .is_open = p2_config_bool(config, P2_AUTHORITY_OPTION_ALLOW_ANY_HELPER),
        .local_peers = local_peers[p2_config_choice(config, P2_AUTHORITY_OPTION_LOCAL_PEERS)],
        .verify = p2_policy_port(&authority->policy),
    };
    p2_rng_split(&options.rng, &authority->rng, "core", 0);
    int error = p2_core_init(&authority->core, &options);
    if (error == P2_OK) {
        authority->has_core = true;
        error = configure_helpers(authority);
    }
    return error == P2_OK ? p2_authority_grow(authority) : error;
}

static int open_compute(struct p2_authority *authority)
{
    const struct p2_compute_options options = {
        .loop = &authority->daemon->loop,
        .pool = authority->daemon->pool,
        .tag = P2_AUTHORITY_TAG,
        .workers = (uint32_t)p2_config_u64(authority->config, P2_AUTHORITY_OPTION_CORES),
        .kernels = authority->daemon->kernels,
        .kernel_count = (uint32_t)authority->daemon->kernel_count,
        .events = &compute_events,
        .ctx = authority,
        .rng = &authority->rng,
    };
    return p2_compute_open(&options, &authority->compute);
}

static void on_warm(void *ctx)
{
    struct p2_authority *authority = ctx;
    if (authority->is_ending) {
        return;
    }
    int error = open_compute(authority);
    if (error == P2_OK) {
        error = open_core(authority);
    }
    if (error == P2_OK) {
        error = listen_for_all(authority);
    }
    if (error == P2_OK) {
        error = p2_commands_begin(authority, &authority->failure);
    }
    if (error != P2_OK) {
        if (authority->failure.message[0] == '\0') {
            (void)p2_fail(&authority->failure, error, "cannot start: %s", p2_error_text(error));
        }
        p2_authority_finish(authority, error);
        return;
    }
    p2_notify_ready(authority->address);
}

static void on_tested(void *ctx, const struct p2_self_test_row *rows)
{
    struct p2_authority *authority = ctx;
    struct p2_daemon *daemon = authority->daemon;
    int error = p2_pool_authority_add(daemon->pool, P2_AUTHORITY_TAG, P2_BLOBS_BYTES_MAX);
    if (error == P2_OK) {
        error = p2_warm_ups_start(&authority->warm, daemon->pool, P2_AUTHORITY_TAG, daemon->kernels,
                                  (uint32_t)daemon->kernel_count, rows, on_warm, authority);
    }
    if (error != P2_OK) {
        p2_authority_finish(authority, error);
    }
}

static void on_reload(void *ctx)
{
    p2_commands_reload(ctx);
}

static void describe(json_t *status, void *ctx)
{
    p2_commands_describe(ctx, status);
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
    static const enum p2_local_peers local_peers[] = {P2_LOCAL_PEERS_STRICT, P2_LOCAL_PEERS_ALLOW};
    const struct p2_config *config = authority->config;
    const struct p2_daemon_options options = {
        .program = p2_authority_program.name,
        .state_dir = p2_config_string(config, P2_AUTHORITY_OPTION_STATE_DIR),
        .control_socket = p2_config_string(config, P2_AUTHORITY_OPTION_CONTROL_SOCKET),
        .control_group = p2_config_string(config, P2_AUTHORITY_OPTION_CONTROL_GROUP),
        .network = p2_config_string(config, P2_AUTHORITY_OPTION_NETWORK),
        .log_level = p2_authority_log_level(config),
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

static int open_rest(struct p2_authority *authority)
{
    uv_loop_t *loop = &authority->daemon->loop;
    uint8_t seed[P2_KEY_BYTES];
    p2_entropy(seed, sizeof seed);
    p2_rng_init(&authority->rng, seed, "authority");
    p2_secret_wipe(seed, sizeof seed);
    (void)uv_timer_init(loop, &authority->look_timer); /* these cannot fail */
    (void)uv_timer_init(loop, &authority->end_timer);
    authority->look_timer.data = authority->end_timer.data = authority;
    authority->timers = 2;
    (void)uv_timer_start(&authority->look_timer, on_look, P2_AUTHORITY_LOOK_MS,
                         P2_AUTHORITY_LOOK_MS);
    int error = p2_slot_timer_open(loop, on_slot, authority, &authority->slot_timer);
    if (error == P2_OK) {
        uint64_t audit_ppm = p2_config_u64(authority->config, P2_AUTHORITY_OPTION_AUDIT_SHARE);
        error = p2_policy_init(&authority->policy, (uint32_t)audit_ppm, &authority->rng);
    }
    return error == P2_OK ? p2_commands_add(authority) : error;
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
    authority->joins_left = P2_JOINS_BURST;
    p2_buf_init(&authority->scratch, P2_WIRE_SLOT_MSG_MAX + 1024u);
    int error = open_daemon(authority, launcher, failure);
    if (error != P2_OK) {
        p2_authority_close(authority);
        return error;
    }
    error = open_rest(authority);
    if (error != P2_OK) {
        p2_authority_finish(authority, error);
        p2_daemon_run(authority->daemon);
        p2_authority_close(authority);
        return p2_fail(failure, error, "cannot start: %s", p2_error_text(error));
    }
    *ret_authority = authority;
    return P2_OK;
}

int p2_authority_run(struct p2_authority *authority, struct p2_failure *failure)
{
    p2_daemon_run(authority->daemon);
    *failure = authority->failure;
    return authority->outcome;
}

void p2_authority_close(struct p2_authority *authority)
{
    if (authority != NULL) {
        p2_daemon_close(authority->daemon);
        if (authority->has_core) {
            p2_core_free(&authority->core);
        }
        p2_outbox_free(&authority->out);
        p2_warm_ups_free(&authority->warm);
        p2_policy_free(&authority->policy);
        p2_buf_free(&authority->scratch);
        p2_config_free(authority->config);
        json_decref(authority->lies);
        free(authority);
    }
}
