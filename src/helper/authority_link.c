/* One dialled authority. */
#include "helper/authority_link.h"

#include "exec/limits.h"
#include "helper/backoff.h"
#include "helper/blob_cache.h"
#include "helper/lease_run.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From HELLO to ACCEPT. Chosen: the authority may be busy, but not for long. */
#define GREETING_TIMEOUT_MS 10000u

/* An authority that ends or restarts is not asked again at once. Chosen: a restart takes a second. */
#define RESTART_MS 2000u

/* How long an authority gets in DRAIN to see its last answers; p2c2rd ends within 2 s. */
#define LEAVE_DEADLINE_MS 1500u

/* An authority whose bytes or key were wrong is left alone for so long at least. Chosen: it is
 * broken or not ours, and neither heals within seconds. */
#define DISTRUST_MS 60000u

enum state { WAITING, RESOLVING, DIALING, GREETING, WORKING, LEAVING, GONE };

static const char *const state_names[] = {
    [WAITING] = "waiting",   [RESOLVING] = "resolving", [DIALING] = "dialing",
    [GREETING] = "greeting", [WORKING] = "working",     [LEAVING] = "leaving",
    [GONE] = "gone",
};

/* A message the link's queue had no room for. */
struct unsent {
    struct unsent *next;
    size_t size;
    uint8_t type;
    uint8_t body[];
};

struct p2_authority_link {
    struct p2_helper_env *env;
    struct p2_address address;
    enum state state;
    uv_timer_t timer; /* the back-off, or the deadline of a greeting */
    uv_getaddrinfo_t resolver;
    bool is_resolving; /* `resolver` is under way */
    bool is_leaving;
    bool is_invited;
    bool is_reported; /* how the first dial of an invited one ended */
    bool has_worked;
    bool has_token; /* `token` was not sent yet */
    uint8_t token[P2_INVITE_TOKEN_BYTES];
    enum p2_cipher cipher;
    struct p2_link *link; /* NULL unless DIALING .. LEAVING */
    struct p2_backoff backoff;
    uint64_t accepted_ms; /* when ACCEPT came; 0: not on this link */
    uint64_t advice_ms;   /* what the authority asked us to wait; 0: nothing */
    uint32_t kernels;     /* bits of the offers it took */
    uint64_t tag;         /* in the pool; 0: not added */
    struct p2_blob_cache *cache;
    struct p2_lease_runs *runs;
    struct unsent *unsent, **unsent_end;
    uint64_t leases_done;
    char trouble[96];
};

static void try_again(struct p2_authority_link *link, const char *trouble, bool is_distrusted);

/* ---- sending ----------------------------------------------------------------------------------- */

/* Keeps a message until the queue has room. */
static int keep(struct p2_authority_link *link, uint8_t type, struct p2_span body)
{
    struct unsent *unsent = malloc(sizeof *unsent + body.size);
    if (unsent == NULL) {
        return P2_E_NOMEM;
    }
    *unsent = (struct unsent){.size = body.size, .type = type};
    memcpy(unsent->body, body.data, body.size);
    *link->unsent_end = unsent;
    link->unsent_end = &unsent->next;
    return P2_OK;
}

static void send_body(struct p2_authority_link *link, uint8_t type, struct p2_span body)
{
    struct p2_helper_env *env = link->env;
    int error =
        link->unsent == NULL ? env->send(env->send_ctx, link->link, type, body) : P2_E_AGAIN;
    if (error == P2_E_AGAIN) {
        error = keep(link, type, body);
    }
    if (error != P2_OK) {
        p2_link_close(link->link, error);
    }
}

static void on_drained(struct p2_link *transport_link, void *ctx)
{
    struct p2_authority_link *link = ctx;
    (void)transport_link;
    while (link->unsent != NULL) {
        struct unsent *first = link->unsent;
        int error = link->env->send(link->env->send_ctx, link->link, first->type,
                                    p2_span(first->body, first->size));
        if (error == P2_E_AGAIN) {
            return;
        }
        link->unsent = first->next;
        if (link->unsent == NULL) {
            link->unsent_end = &link->unsent;
        }
        free(first);
        if (error != P2_OK) {
            p2_link_close(link->link, error);
            return;
        }
    }
    if (link->state == LEAVING && p2_lease_runs_count(link->runs) == 0) {
        p2_link_drain(link->link);
    }
}

/* Room for a message of at most `bound` bytes in the shared scratch; false closes the link. */
static bool start_message(struct p2_authority_link *link, size_t bound, struct p2_writer *writer)
{
    struct p2_buf *scratch = &link->env->scratch;
    p2_buf_clear(scratch);
    int error = p2_buf_reserve(scratch, bound);
    if (error != P2_OK) {
        p2_link_close(link->link, error);
        return false;
    }
    p2_writer_init(writer, scratch->data, scratch->capacity);
    return true;
}

/* Sends what was encoded with result `error`. */
static void end_message(struct p2_authority_link *link, uint8_t type, int error,
                        const struct p2_writer *writer)
{
    if (error != P2_OK) {
        p2_link_close(link->link, error);
    } else {
        send_body(link, type, p2_writer_span(writer));
    }
}

/* Encodes and sends `message`, a struct p2_msg_<name>. */
#define SEND(link, TYPE, name, message)                                                    \
    do {                                                                                   \
        struct p2_writer writer_;                                                          \
        if (start_message((link), p2_wire_bound_##name(message), &writer_)) {              \
            end_message((link), P2_MSG_##TYPE, p2_wire_encode_##name(&writer_, (message)), \
                        &writer_);                                                         \
        }                                                                                  \
    } while (0)

static void on_answer(void *ctx, const struct p2_msg_result *result)
{
    struct p2_authority_link *link = ctx;
    struct p2_helper_env *env = link->env;
    if (result->status == P2_RESULT_STATUS_OK) {
        link->leases_done++;
        env->leases_done++;
    } else {
        env->leases_failed++;
    }
    SEND(link, RESULT, result, result);
    if (link->state == LEAVING && p2_lease_runs_count(link->runs) == 0 && link->unsent == NULL) {
        p2_link_drain(link->link);
    }
}

/* ---- messages ---------------------------------------------------------------------------------- */

/* Makes room in the pool for this authority: blobs and leases. */
static int start_work(struct p2_authority_link *link)
{
    struct p2_helper_env *env = link->env;
    const uint64_t cache_bytes = env->hello.cache_bytes;
    const struct p2_lease_runs_options options = {.pool = env->pool,
                                                  .tag = env->next_tag,
                                                  .capacity = env->hello.slots,
                                                  .on_answer = on_answer,
                                                  .ctx = link};
    int error = p2_pool_authority_add(env->pool, options.tag, cache_bytes);
    if (error == P2_OK) {
        link->tag = env->next_tag++;
        error = p2_blob_cache_open(cache_bytes, P2_BLOBS_MAX, &link->cache);
    }
    if (error == P2_OK) {
        error = p2_lease_runs_open(&options, &link->runs);
    }
    return error;
}

/* Gives back what start_work took; also after a part of it. */
static void end_work(struct p2_authority_link *link)
{
    p2_lease_runs_close(link->runs);
    link->runs = NULL;
    if (link->tag != 0) {
        /* Fails only when the pool is closing, which ends the authority's tasks as well. */
        (void)p2_pool_authority_remove(link->env->pool, link->tag);
        link->tag = 0;
    }
    p2_blob_cache_close(link->cache);
    link->cache = NULL;
    while (link->unsent != NULL) {
        struct unsent *next = link->unsent->next;
        free(link->unsent);
        link->unsent = next;
    }
    link->unsent_end = &link->unsent;
    link->accepted_ms = 0;
}

static int take_accept(struct p2_authority_link *link, const struct p2_msg_accept *accept)
{
    if (link->state != GREETING) {
        return P2_E_UNSOLICITED;
    }
    if (accept->protocol != P2_WIRE_PROTOCOL) {
        return P2_E_BAD_VERSION;
    }
    int error = start_work(link);
    if (error != P2_OK) {
        return error;
    }
    (void)uv_timer_stop(&link->timer);
    link->kernels = accept->kernels;
    link->accepted_ms = uv_now(link->env->loop);
    link->has_worked = true;
    link->state = WORKING;
    link->trouble[0] = '\0';
    P2_LOG(link->env->log, P2_LEVEL_NOTICE, "authority_accepted",
           P2_LOG_ID("authority", &link->address.key), P2_LOG_U64("window", accept->window),
           P2_LOG_U64("kernels", accept->kernels));
    return P2_OK;
}

static void refuse_lease(struct p2_authority_link *link, uint64_t id, enum p2_result_status status)
{
    const struct p2_msg_result result = {.id = id, .status = status, .codec = P2_CODEC_RAW};
    on_answer(link, &result);
}

static void take_lease(struct p2_authority_link *link, const struct p2_msg_lease *lease)
{
    const struct p2_helper_env *env = link->env;
    struct p2_blob_handle blobs[P2_WIRE_BLOBS_MAX];
    if (lease->kernel >= env->hello.kernels_count || (link->kernels >> lease->kernel & 1u) == 0 ||
        env->offers[lease->kernel].version != lease->version) {
        refuse_lease(link, lease->id, P2_RESULT_STATUS_NO_KERNEL);
        return;
    }
    for (uint32_t i = 0; i < lease->blobs_count; i++) {
        if (p2_blob_cache_find(link->cache, lease->blobs[i], &blobs[i]) != P2_OK) {
            refuse_lease(link, lease->id, P2_RESULT_STATUS_NO_BLOB);
            return;
        }
    }
    const struct p2_lease_place place = {.kernel = env->offers[lease->kernel].kernel,
                                         .blobs = blobs};
    p2_lease_runs_take(link->runs, lease, &place);
}

static int take_blob(struct p2_authority_link *link, const struct p2_msg_blob *blob)
{
    struct p2_blob_handle place;
    int error = p2_blob_cache_admit(link->cache, blob->handle, blob->data.size);
    if (error == P2_OK) {
        error = p2_pool_blob_put(link->env->pool, link->tag, blob->data, &place);
    }
    if (error == P2_E_FULL || error == P2_E_LIMIT) {
        return P2_OK; /* fragmented memory: not held, which the missing BLOB_HELD says */
    }
    if (error != P2_OK) {
        return error == P2_E_EXIST ? P2_E_MALFORMED : error;
    }
    p2_blob_cache_put(link->cache, blob->handle, blob->data.size, place);
    const struct p2_msg_blob_held held = {.handles_count = 1, .handles = {blob->handle}};
    SEND(link, BLOB_HELD, blob_held, &held);
    return P2_OK;
}

static void take_blob_drop(struct p2_authority_link *link, const struct p2_msg_blob_drop *drop)
{
    for (uint32_t i = 0; i < drop->handles_count; i++) {
        struct p2_blob_handle place;
        if (p2_blob_cache_drop(link->cache, drop->handles[i], &place) == P2_OK) {
            /* Held by the cache, so the pool knows it, unless the pool is closing. */
            (void)p2_pool_blob_drop(link->env->pool, link->tag, place);
        }
    }
}

/* Is only one message of ours refused, and not ourselves? */
static bool is_about_a_message(enum p2_denied_reason reason)
{
    return reason == P2_DENIED_REASON_TASK_DATA_ONLY || reason == P2_DENIED_REASON_MALFORMED ||
           reason == P2_DENIED_REASON_RATE;
}

static void take_denied(struct p2_authority_link *link, const struct p2_msg_denied *denied)
{
    P2_LOG(link->env->log, P2_LEVEL_WARN, "denied", P2_LOG_ID("authority", &link->address.key),
           P2_LOG_STR("reason", p2_denied_reason_name(denied->reason)),
           P2_LOG_SPAN("text", denied->text), P2_LOG_U64("retry_s", denied->retry_s));
    if (link->state != GREETING && is_about_a_message(denied->reason)) {
        return; /* the authority closes when it has had enough */
    }
    link->advice_ms = (uint64_t)denied->retry_s * 1000u;
    (void)snprintf(link->trouble, sizeof link->trouble, "denied: %s",
                   p2_denied_reason_name(denied->reason));
    p2_link_close(link->link, P2_E_REFUSED);
}

/* The authority wants no more of us: it closes when its last lease is answered. */
static void take_drain(struct p2_authority_link *link, const struct p2_msg_drain *drain)
{
    P2_LOG(link->env->log, P2_LEVEL_NOTICE, "authority_drains",
           P2_LOG_ID("authority", &link->address.key),
           P2_LOG_STR("reason", p2_drain_reason_name(drain->reason)));
    link->advice_ms = RESTART_MS;
    (void)snprintf(link->trouble, sizeof link->trouble, "sent away: %s",
                   p2_drain_reason_name(drain->reason));
}

static int take_working(struct p2_authority_link *link, const struct p2_msg *message)
{
    switch ((int)message->type) {
    case P2_MSG_LEASE:
        take_lease(link, &message->lease);
        return P2_OK;
    case P2_MSG_CANCEL:
        p2_lease_runs_cancel(link->runs, message->cancel.id);
        return P2_OK;
    case P2_MSG_BLOB:
        return take_blob(link, &message->blob);
    case P2_MSG_BLOB_DROP:
        take_blob_drop(link, &message->blob_drop);
        return P2_OK;
    case P2_MSG_FAULT:
        P2_LOG(link->env->log, P2_LEVEL_WARN, "accused", P2_LOG_ID("authority", &link->address.key),
               P2_LOG_U64("lease", message->fault.id));
        return P2_OK;
    case P2_MSG_RECEIPT: /* nothing is stored by this daemon yet, and nothing owed */
        return P2_OK;
    default:
        return P2_E_NOT_ALLOWED;
    }
}

static void on_message(struct p2_link *transport_link, uint8_t type, struct p2_span body, void *ctx)
{
    static struct p2_msg message; /* large; one thread, no re-entry from inside */
    struct p2_authority_link *link = ctx;
    int error = P2_E_NOT_ALLOWED;
    if (p2_wire_is_for(P2_ROLE_HELPER, type) || type == P2_MSG_DENIED) {
        error = p2_wire_decode(&message, type, body);
    }
    if (error == P2_OK && type == P2_MSG_ACCEPT) {
        error = take_accept(link, &message.accept);
    } else if (error == P2_OK && type == P2_MSG_DENIED) {
        take_denied(link, &message.denied);
    } else if (error == P2_OK && type == P2_MSG_DRAIN) {
        take_drain(link, &message.drain);
    } else if (error == P2_OK) {
        error = link->runs != NULL ? take_working(link, &message) : P2_E_UNSOLICITED;
    }
    if (error != P2_OK) {
        P2_LOG(link->env->log, P2_LEVEL_WARN, "authority_broke_protocol",
               P2_LOG_ID("authority", &link->address.key), P2_LOG_U64("type", type),
               P2_LOG_ERROR(error));
        p2_link_close(transport_link, error);
    }
}

/* ---- the link's life --------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle);

/* What a dial that ended before it was open says about the address (overlay/dial_policy.h). */
static enum p2_dial_outcome outcome_of(int reason)
{
    if (p2_error_class(reason) == P2_CLASS_PEER || reason == P2_E_CLOSED || reason == P2_E_RESET ||
        reason == P2_E_TAMPERED) {
        return P2_DIAL_HANDSHAKE_FAILED; /* whoever closes or resets was connected */
    }
    return p2_error_class(reason) == P2_CLASS_NET && reason != P2_E_CANCELLED ? P2_DIAL_UNREACHED
                                                                              : P2_DIAL_GIVEN_UP;
}

static void report_dial(struct p2_authority_link *link, enum p2_dial_outcome outcome)
{
    if (link->is_invited && !link->is_reported) {
        const struct p2_link_address address = {link->address.ip, link->address.port};
        link->is_reported = true;
        link->env->on_dialled(link->env, &address, outcome);
    }
}

/* Frees when nothing is under way any more. */
static void free_if_gone(struct p2_authority_link *link)
{
    if (link->is_leaving && link->link == NULL && !link->is_resolving && link->state != GONE) {
        report_dial(link, P2_DIAL_GIVEN_UP);
        link->state = GONE;
        uv_close((uv_handle_t *)&link->timer, on_timer_closed);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_authority_link *link = handle->data;
    struct p2_helper_env *env = link->env;
    env->on_gone(env, link);
    free(link);
}

static void on_greeting_timeout(uv_timer_t *timer)
{
    struct p2_authority_link *link = timer->data;
    p2_link_close(link->link, P2_E_TIMEOUT);
}

static void on_open(struct p2_link *transport_link, void *ctx)
{
    struct p2_authority_link *link = ctx;
    (void)transport_link;
    struct p2_msg_hello hello = link->env->hello;
    report_dial(link, P2_DIAL_OPENED);
    link->state = GREETING;
    (void)uv_timer_start(&link->timer, on_greeting_timeout, GREETING_TIMEOUT_MS, 0);
    if (link->has_token) {
        hello.token = p2_span(link->token, sizeof link->token);
        link->has_token = false;
    }
    SEND(link, HELLO, hello, &hello);
}

static void on_close(struct p2_link *transport_link, int reason, void *ctx)
{
    struct p2_authority_link *link = ctx;
    (void)transport_link;
    link->link = NULL;
    report_dial(link, outcome_of(reason)); /* of an open one it was reported already */
    P2_LOG(link->env->log, link->state == DIALING ? P2_LEVEL_DEBUG : P2_LEVEL_NOTICE,
           "authority_closed", P2_LOG_ID("authority", &link->address.key), P2_LOG_ERROR(reason));
    try_again(link, link->trouble[0] != '\0' ? link->trouble : p2_error_text(reason),
              p2_error_class(reason) == P2_CLASS_PEER);
}

static const struct p2_link_events link_events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_drained = on_drained,
    .on_close = on_close,
};

static void dial(struct p2_authority_link *link, const struct p2_ip *ip)
{
    const struct p2_link_target target = {
        .address = {.ip = *ip, .port = link->address.port},
        .id = link->address.key,
        .cipher = link->cipher,
        .own_role = P2_ROLE_HELPER,
        .peer_role = P2_ROLE_AUTHORITY,
        .events = &link_events,
        .ctx = link,
    };
    link->state = DIALING;
    link->trouble[0] = '\0';
    int error = p2_transport_dial(link->env->transport, &target, &link->link);
    if (error != P2_OK) {
        link->link = NULL;
        try_again(link, p2_error_text(error), error == P2_E_BAD_KEY);
    }
}

/* The first address of a family we know; false when there is none. */
static bool pick_address(const struct addrinfo *list, struct p2_ip *ret_ip)
{
    for (; list != NULL; list = list->ai_next) {
        if (list->ai_family == AF_INET) {
            struct sockaddr_in in;
            uint8_t bytes[4];
            memcpy(&in, list->ai_addr, sizeof in);
            memcpy(bytes, &in.sin_addr, sizeof bytes);
            *ret_ip = p2_ip_from_v4(bytes);
            return true;
        }
        if (list->ai_family == AF_INET6) {
            struct sockaddr_in6 in6;
            memcpy(&in6, list->ai_addr, sizeof in6);
            *ret_ip = p2_ip_from_v6(in6.sin6_addr.s6_addr);
            return true;
        }
    }
    return false;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct p2_authority_link *link = request->data;
    struct p2_ip ip;
    bool has_address = status == 0 && pick_address(list, &ip);
    uv_freeaddrinfo(list);
    link->is_resolving = false;
    if (link->is_leaving) {
        free_if_gone(link);
    } else if (has_address) {
        dial(link, &ip);
    } else {
        try_again(link, status != 0 ? uv_strerror(status) : "the name has no address", false);
    }
}

static void start_try(uv_timer_t *timer)
{
    struct p2_authority_link *link = timer->data;
    if (link->address.is_literal) {
        dial(link, &link->address.ip);
        return;
    }
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    link->state = RESOLVING;
    link->resolver.data = link;
    int failed = uv_getaddrinfo(link->env->loop, &link->resolver, on_resolved, link->address.host,
                                NULL, &hints);
    if (failed != 0) {
        try_again(link, uv_strerror(failed), false);
        return;
    }
    link->is_resolving = true;
}

/* Ends a try or a link: waits, or goes for good. `trouble` may be link->trouble. */
static void try_again(struct p2_authority_link *link, const char *trouble, bool is_distrusted)
{
    struct p2_helper_env *env = link->env;
    uint64_t worked_ms = link->accepted_ms != 0 ? uv_now(env->loop) - link->accepted_ms + 1 : 0;
    uint64_t advice_ms = link->advice_ms;
    end_work(link);
    if (link->is_leaving) {
        free_if_gone(link);
        return;
    }
    if (trouble != link->trouble) {
        (void)snprintf(link->trouble, sizeof link->trouble, "%s", trouble);
    }
    if (is_distrusted && advice_ms < DISTRUST_MS) {
        advice_ms = DISTRUST_MS;
    }
    uint64_t wait_ms = p2_backoff_wait_ms(&link->backoff, worked_ms, advice_ms, &env->rng);
    if (link->is_invited && (!link->has_worked || link->backoff.failures >= P2_BACKOFF_LONG)) {
        link->is_leaving = true; /* another invite may come */
        free_if_gone(link);
        return;
    }
    link->advice_ms = 0;
    link->state = WAITING;
    P2_LOG(env->log, P2_LEVEL_INFO, "authority_retry", P2_LOG_ID("authority", &link->address.key),
           P2_LOG_STR("why", link->trouble), P2_LOG_U64("wait_ms", wait_ms));
    (void)uv_timer_start(&link->timer, start_try, wait_ms, 0);
}

/* ---- public ------------------------------------------------------------------------------------ */

int p2_authority_link_open(struct p2_helper_env *env, const struct p2_address *address,
                           struct p2_authority_link **ret_link)
{
    struct p2_authority_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return P2_E_NOMEM;
    }
    link->env = env;
    link->address = *address;
    link->cipher = P2_CIPHER_CHACHAPOLY; /* all that is known to be there */
    link->unsent_end = &link->unsent;
    p2_backoff_init(&link->backoff);
    (void)uv_timer_init(env->loop, &link->timer); /* cannot fail */
    link->timer.data = link;
    (void)uv_timer_start(&link->timer, start_try, 0, 0);
    *ret_link = link;
    return P2_OK;
}

int p2_authority_link_open_invited(struct p2_helper_env *env, const struct p2_presence_dial *dial,
                                   struct p2_authority_link **ret_link)
{
    struct p2_address address = {.key = dial->authority,
                                 .ip = dial->address.ip,
                                 .is_literal = true,
                                 .port = dial->address.port};
    p2_ip_format(address.host, &address.ip);
    int error = p2_authority_link_open(env, &address, ret_link);
    if (error != P2_OK) {
        return error;
    }
    struct p2_authority_link *link = *ret_link;
    link->is_invited = true;
    link->has_token = true;
    memcpy(link->token, dial->token, sizeof link->token);
    if (dial->has_aes && p2_cipher_available(P2_CIPHER_AESGCM)) {
        link->cipher = P2_CIPHER_AESGCM;
    }
    return P2_OK;
}

void p2_authority_link_leave(struct p2_authority_link *link, enum p2_drain_reason reason)
{
    if (link->is_leaving) {
        return;
    }
    link->is_leaving = true;
    (void)uv_timer_stop(&link->timer);
    if (link->is_resolving) {
        /* BUSY: it is being resolved; its callback comes then and frees. */
        (void)uv_cancel((uv_req_t *)&link->resolver);
    } else if (link->state == WORKING) {
        const struct p2_msg_drain drain = {.reason = reason, .deadline_ms = LEAVE_DEADLINE_MS};
        link->state = LEAVING;
        SEND(link, DRAIN, drain, &drain);
        if (p2_lease_runs_count(link->runs) == 0 && link->unsent == NULL) {
            p2_link_drain(link->link);
        }
    } else if (link->link != NULL) {
        p2_link_close(link->link, P2_E_CANCELLED);
    } else {
        free_if_gone(link);
    }
}

void p2_authority_link_cut(struct p2_authority_link *link)
{
    if (link->link != NULL) {
        p2_link_close(link->link, P2_E_CANCELLED);
    }
}

void p2_authority_link_offer(struct p2_authority_link *link)
{
    if (link->state == WORKING) {
        const struct p2_msg_offer offer = {.pause = P2_PAUSE_REASON_NONE,
                                           .cores = link->env->hello.cores,
                                           .slots = link->env->hello.slots,
                                           .share_ppk = 1000};
        SEND(link, OFFER, offer, &offer);
    }
}

struct p2_authority_link_view p2_authority_link_view(const struct p2_authority_link *link)
{
    struct p2_authority_link_view view = {
        .address = &link->address,
        .state = state_names[link->state],
        .leases_done = link->leases_done,
        .failures = link->backoff.failures,
        .is_invited = link->is_invited,
        .trouble = link->trouble,
    };
    if (link->link != NULL) {
        view.rtt = p2_link_rtt(link->link);
    }
    if (link->runs != NULL) {
        view.leases_open = p2_lease_runs_count(link->runs);
        view.blobs = p2_blob_cache_count(link->cache);
        view.blob_bytes = p2_blob_cache_bytes(link->cache);
    }
    return view;
}
