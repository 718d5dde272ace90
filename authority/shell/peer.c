/* One helper's link. */
#include "authority/shell/peer.h"

#include "base/error.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

/* How often the transport pings; told in ACCEPT. */
#define PING_MS 5000u

/* For the log: zeros while nobody said who it is. */
static const struct p2_id *id_of(const struct p2_peer *peer)
{
    static const struct p2_id nobody;
    return peer->record != NULL ? &peer->record->id : &nobody;
}

/* ---- sending ----------------------------------------------------------------------------------- */

static int start_message(struct p2_peer *peer, size_t bound, struct p2_writer *writer)
{
    struct p2_buf *scratch = &peer->env->scratch;
    p2_buf_clear(scratch);
    int error = p2_buf_reserve(scratch, bound);
    if (error == P2_OK) {
        p2_writer_init(writer, scratch->data, scratch->capacity);
    }
    return error;
}

/* Encodes `message`, a struct p2_msg_<name>, and sends it; `error` gets the outcome. */
#define SEND(error, peer, TYPE, name, message)                                             \
    do {                                                                                   \
        struct p2_writer writer_;                                                          \
        (error) = start_message((peer), p2_wire_bound_##name(message), &writer_);          \
        if ((error) == P2_OK) {                                                            \
            (error) = p2_wire_encode_##name(&writer_, (message));                          \
        }                                                                                  \
        if ((error) == P2_OK) {                                                            \
            (error) = p2_link_send((peer)->link, P2_MSG_##TYPE, p2_writer_span(&writer_)); \
        }                                                                                  \
    } while (0)

static void send_denied(struct p2_peer *peer, enum p2_denied_reason reason, uint32_t retry_s)
{
    static const char task_data[] = "you only get task data";
    struct p2_msg_denied denied = {.reason = reason, .retry_s = retry_s};
    int error;
    if (reason == P2_DENIED_REASON_TASK_DATA_ONLY) {
        denied.text = p2_span(task_data, sizeof task_data - 1);
    }
    SEND(error, peer, DENIED, denied, &denied);
    (void)error; /* information only: the link's end says the same */
}

void p2_peer_deny(struct p2_peer *peer, enum p2_denied_reason reason, uint32_t retry_s)
{
    if (peer->state != P2_PEER_CLOSING) {
        peer->state = P2_PEER_CLOSING;
        P2_LOG(peer->env->log, P2_LEVEL_NOTICE, "helper_denied",
               P2_LOG_STR("reason", p2_denied_reason_name(reason)),
               P2_LOG_ID("helper", id_of(peer)));
        send_denied(peer, reason, retry_s);
        p2_link_drain(peer->link);
    }
}

/* Counts a strike; returns how many there are. */
static uint64_t count_strike(struct p2_peer *peer)
{
    struct p2_helper_record *record = peer->record;
    uint64_t now_ms = p2_pool_now_us() / 1000u;
    if (record == NULL) {
        return ++peer->strikes;
    }
    if (record->strikes == 0 || now_ms - record->strike_first_ms > P2_PEER_STRIKE_WINDOW_MS) {
        record->strikes = 0;
        record->strike_first_ms = now_ms;
    }
    record->strikes++;
    if (record->strikes >= P2_PEER_STRIKES_MAX) {
        record->barred_until_ms = now_ms + P2_PEER_RETRY_S * 1000u;
    }
    return record->strikes;
}

void p2_peer_strike(struct p2_peer *peer, enum p2_denied_reason reason)
{
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    if (count_strike(peer) >= P2_PEER_STRIKES_MAX) {
        p2_peer_deny(peer, P2_DENIED_REASON_STRIKES, P2_PEER_RETRY_S);
    } else {
        send_denied(peer, reason, 0);
    }
}

void p2_peer_send_away(struct p2_peer *peer, enum p2_drain_reason reason)
{
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    const struct p2_msg_drain drain = {.reason = reason, .deadline_ms = 0};
    int error;
    peer->state = P2_PEER_CLOSING;
    SEND(error, peer, DRAIN, drain, &drain);
    (void)error; /* information only */
    p2_link_drain(peer->link);
}

bool p2_peer_may(const struct p2_peer *peer, const struct p2_corpus_case *work)
{
    if (peer->state != P2_PEER_ADMITTED || peer->place[work->kernel] < 0) {
        return false;
    }
    for (uint32_t i = 0; i < work->blob_count; i++) {
        if (!peer->holds[work->blobs[i]]) {
            return false;
        }
    }
    return true;
}

int p2_peer_lease(struct p2_peer *peer, uint64_t lease, const struct p2_corpus_case *work,
                  uint32_t budget_us)
{
    const struct p2c2r_kernel *kernel = peer->env->kernels[work->kernel];
    struct p2_msg_lease message = {
        .id = lease,
        .kernel = (uint8_t)peer->place[work->kernel],
        .version = kernel->version,
        .flags = kernel->kind == P2C2R_KERNEL_VIEW ? P2_LEASE_URGENT : 0,
        .budget_us = budget_us > 0 ? budget_us : 1,
        .output_max = (uint32_t)kernel->output_max,
        .blobs_count = work->blob_count,
        .input = work->input,
    };
    int error;
    memcpy(message.blobs, work->blobs, work->blob_count * sizeof message.blobs[0]);
    if (message.budget_us > P2_WIRE_BUDGET_MAX_US) {
        message.budget_us = P2_WIRE_BUDGET_MAX_US;
    }
    SEND(error, peer, LEASE, lease, &message);
    if (error == P2_OK) {
        peer->record->leases++;
    }
    return error;
}

void p2_peer_cancel(struct p2_peer *peer, uint64_t lease)
{
    const struct p2_msg_cancel cancel = {.id = lease};
    int error;
    SEND(error, peer, CANCEL, cancel, &cancel);
    (void)error; /* it saves the helper work, no more; a late answer is dropped */
}

void p2_peer_send_blobs(struct p2_peer *peer)
{
    const struct p2_corpus *corpus = peer->env->corpus;
    while (corpus != NULL && peer->state == P2_PEER_ADMITTED &&
           peer->next_blob < corpus->blob_count) {
        const struct p2_msg_blob blob = {.handle = peer->next_blob,
                                         .data = corpus->blobs[peer->next_blob].data};
        int error;
        if (blob.data.size > peer->cache_bytes) {
            return; /* its cache is full: it gets tasks of what it holds */
        }
        SEND(error, peer, BLOB, blob, &blob);
        if (error != P2_OK) {
            return; /* on_drained goes on */
        }
        peer->cache_bytes -= blob.data.size;
        peer->next_blob++;
    }
}

/* ---- admission --------------------------------------------------------------------------------- */

/* Bits of the offered kernels whose version and known answers are ours. */
static uint32_t match_kernels(struct p2_peer *peer, const struct p2_msg_hello *hello)
{
    const struct p2_peer_env *env = peer->env;
    uint32_t bits = 0;
    memset(peer->place, -1, sizeof peer->place);
    for (uint32_t place = 0; place < hello->kernels_count; place++) {
        const struct p2_msg_kernel_offer *offer = &hello->kernels[place];
        for (size_t i = 0; i < env->kernel_count; i++) {
            const struct p2c2r_kernel *kernel = env->kernels[i];
            if (env->use[i] && peer->place[i] < 0 && offer->version == kernel->version &&
                p2_span_equal(offer->name, p2_span(kernel->name, strlen(kernel->name))) &&
                memcmp(offer->digest, env->digests[i], sizeof offer->digest) == 0) {
                peer->place[i] = (int8_t)place;
                bits |= UINT32_C(1) << place;
            }
        }
    }
    return bits;
}

static int send_accept(struct p2_peer *peer, const struct p2_msg_hello *hello)
{
    const struct p2_msg_accept accept = {
        .protocol = P2_WIRE_PROTOCOL,
        .kernels = peer->kernels,
        .window = (uint16_t)peer->window,
        .cache_bytes = hello->cache_bytes,
        .mode = P2_PAY_MODE_POINTS,
        .ping_ms = PING_MS,
    };
    int error;
    SEND(error, peer, ACCEPT, accept, &accept);
    return error;
}

static void take_hello(struct p2_peer *peer, const struct p2_msg_hello *hello)
{
    struct p2_peer_env *env = peer->env;
    enum p2_denied_reason reason = P2_DENIED_REASON_TOKEN;
    if (hello->protocol != P2_WIRE_PROTOCOL) {
        p2_peer_deny(peer, P2_DENIED_REASON_PROTOCOL, P2_PEER_RETRY_S);
        return;
    }
    int error = p2_link_accept(peer->link, P2_ROLE_HELPER, &hello->node);
    if (error != P2_OK) {
        p2_peer_deny(peer, P2_DENIED_REASON_IDENTITY, P2_PEER_RETRY_S);
        return;
    }
    struct p2_helper_record *record = env->admit(env->ctx, &hello->node, &reason);
    if (record == NULL) {
        p2_peer_deny(peer, reason, P2_PEER_RETRY_S);
        return;
    }
    peer->record = record;
    peer->kernels = match_kernels(peer, hello);
    if (peer->kernels == 0) {
        p2_peer_deny(peer, P2_DENIED_REASON_KERNELS, P2_PEER_RETRY_S);
        return;
    }
    peer->window = hello->slots < P2_PEER_WINDOW ? hello->slots : P2_PEER_WINDOW;
    peer->cores = hello->cores;
    peer->cache_bytes = hello->cache_bytes;
    memcpy(peer->agent, hello->agent.data, hello->agent.size); /* the decoder bounds it */
    if (env->on_admitted(env->ctx, peer) != P2_OK) {
        p2_peer_deny(peer, P2_DENIED_REASON_FULL, P2_PEER_RETRY_S);
        return;
    }
    peer->state = P2_PEER_ADMITTED;
    error = send_accept(peer, hello);
    if (error != P2_OK) {
        p2_link_close(peer->link, error);
        return;
    }
    P2_LOG(env->log, P2_LEVEL_NOTICE, "helper_admitted", P2_LOG_ID("helper", &record->id),
           P2_LOG_U64("cores", peer->cores), P2_LOG_U64("window", peer->window),
           P2_LOG_U64("kernels", peer->kernels));
    p2_peer_send_blobs(peer);
    env->on_ready(env->ctx, peer);
}

/* ---- events of the link ------------------------------------------------------------------------ */

int p2_peer_on_link(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    struct p2_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return P2_E_NOMEM;
    }
    peer->env = listener_ctx;
    peer->link = link;
    peer->state = P2_PEER_STRANGER;
    *ret_ctx = peer;
    return P2_OK;
}

static void take_blob_held(struct p2_peer *peer, const struct p2_msg_blob_held *held)
{
    for (uint32_t i = 0; i < held->handles_count; i++) {
        if (held->handles[i] >= peer->next_blob) {
            p2_peer_strike(peer, P2_DENIED_REASON_TASK_DATA_ONLY);
            return;
        }
        peer->holds[held->handles[i]] = true;
    }
    peer->env->on_ready(peer->env->ctx, peer);
}

static void take_message(struct p2_peer *peer, uint8_t type, const struct p2_msg *message)
{
    struct p2_peer_env *env = peer->env;
    if (type == P2_MSG_RESULT) {
        env->on_result(env->ctx, peer, &message->result);
    } else if (type == P2_MSG_BLOB_HELD) {
        take_blob_held(peer, &message->blob_held);
    } else if (type == P2_MSG_DRAIN || (type == P2_MSG_OFFER && message->offer.slots == 0)) {
        peer->state = peer->state == P2_PEER_ADMITTED ? P2_PEER_DRAINING : peer->state;
        env->on_drain(env->ctx, peer);
    } else if (type != P2_MSG_OFFER) {
        p2_peer_strike(peer, P2_DENIED_REASON_TASK_DATA_ONLY);
    }
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    static struct p2_msg message; /* large; one thread, no re-entry from inside */
    struct p2_peer *peer = ctx;
    (void)link;
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    if (!p2_wire_is_for(P2_ROLE_AUTHORITY, type) ||
        (peer->state == P2_PEER_STRANGER) != (type == P2_MSG_HELLO)) {
        p2_peer_strike(peer, P2_DENIED_REASON_TASK_DATA_ONLY);
        return;
    }
    int error = p2_wire_decode(&message, type, body);
    if (error != P2_OK) {
        P2_LOG(peer->env->log, P2_LEVEL_INFO, "helper_malformed", P2_LOG_ID("helper", id_of(peer)),
               P2_LOG_U64("type", type), P2_LOG_ERROR(error));
        p2_peer_strike(peer, P2_DENIED_REASON_MALFORMED);
    } else if (type == P2_MSG_HELLO) {
        take_hello(peer, &message.hello);
    } else {
        take_message(peer, type, &message);
    }
}

static void on_drained(struct p2_link *link, void *ctx)
{
    struct p2_peer *peer = ctx;
    (void)link;
    p2_peer_send_blobs(peer);
    peer->env->on_ready(peer->env->ctx, peer);
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct p2_peer *peer = ctx;
    (void)link;
    P2_LOG(peer->env->log, P2_LEVEL_NOTICE, "helper_gone", P2_LOG_ID("helper", id_of(peer)),
           P2_LOG_ERROR(reason));
    peer->state = P2_PEER_CLOSING;
    peer->env->on_gone(peer->env->ctx, peer);
    free(peer);
}

const struct p2_link_events p2_peer_events = {
    .on_message = on_message,
    .on_drained = on_drained,
    .on_close = on_close,
};
