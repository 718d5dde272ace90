/* Links of helpers and gamers. */
#include "authority/shell/peers.h"

#include "authority/shell/discovery.h"
#include "authority/shell/seats.h"
#include "base/error.h"
#include "link/peer_id.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

/* How often the transport pings; told in ACCEPT. */
#define PING_MS 5000u

/* How long somebody who was sent away is asked to stay away, in s. */
#define RETRY_S 60u

/* ---- sending ----------------------------------------------------------------------------------- */

int p2_peer_writer(struct p2_authority *authority, size_t bound, struct p2_writer *ret_writer)
{
    p2_buf_clear(&authority->scratch);
    int error = p2_buf_reserve(&authority->scratch, bound);
    if (error == P2_OK) {
        p2_writer_init(ret_writer, authority->scratch.data, authority->scratch.capacity);
    }
    return error;
}

void p2_peer_deny(struct p2_peer *peer, enum p2_denied_reason reason, uint32_t retry_s)
{
    static const char task_data[] = "you only get task data";
    struct p2_msg_denied denied = {.reason = reason, .retry_s = retry_s};
    int error;
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    if (reason == P2_DENIED_REASON_TASK_DATA_ONLY) {
        denied.text = p2_span(task_data, sizeof task_data - 1);
    }
    P2_LOG(&peer->authority->daemon->log, P2_LEVEL_NOTICE, "helper_denied",
           P2_LOG_STR("reason", p2_denied_reason_name(reason)), P2_LOG_ID("helper", &peer->id));
    P2_PEER_SEND(error, peer, DENIED, denied, &denied);
    (void)error; /* information only: the link's end says the same */
    peer->state = P2_PEER_CLOSING;
    p2_link_drain(peer->link);
}

void p2_peer_end(struct p2_peer *peer, enum p2_end_reason reason, const char *text,
                 uint32_t retry_s)
{
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    const struct p2_msg_end end = {
        .reason = reason,
        .text = text == NULL ? p2_span(NULL, 0) : p2_span(text, strnlen(text, P2_WIRE_STRING_MAX)),
        .retry_s = retry_s,
    };
    int error;
    P2_LOG(&peer->authority->daemon->log, P2_LEVEL_NOTICE, "gamer_ended",
           P2_LOG_STR("reason", p2_end_reason_name(reason)), P2_LOG_ID("gamer", &peer->id));
    P2_PEER_SEND(error, peer, END, end, &end);
    (void)error; /* information only */
    p2_seat_left(peer);
    peer->state = P2_PEER_CLOSING;
    p2_link_drain(peer->link);
}

void p2_peer_send_away(struct p2_peer *peer)
{
    if (peer->state == P2_PEER_GAMER) {
        p2_peer_end(peer, P2_END_REASON_HOST_STOPPED, NULL, 0);
    } else if (peer->state != P2_PEER_CLOSING) {
        const struct p2_msg_drain drain = {.reason = P2_DRAIN_REASON_SHUTDOWN};
        int error = P2_OK;
        if (peer->is_accepted) {
            P2_PEER_SEND(error, peer, DRAIN, drain, &drain);
        }
        (void)error; /* information only */
        peer->state = P2_PEER_CLOSING;
        p2_link_drain(peer->link);
    }
}

static void send_effect(struct p2_peer *peer, const struct p2_effect *effect)
{
    const struct p2_effect_terms terms = {.ping_ms = PING_MS, .mode = P2_PAY_MODE_POINTS};
    struct p2_writer writer;
    uint8_t type = 0;
    int error = p2_peer_writer(peer->authority, p2_effect_bound(effect), &writer);
    if (error == P2_OK) {
        error = p2_effect_encode(effect, &terms, &writer, &type);
    }
    if (error == P2_OK) {
        error = p2_link_send(peer->link, type, p2_writer_span(&writer));
    }
    if (error != P2_OK && error != P2_E_DRAINING) {
        p2_link_close(peer->link, error);
    }
}

static void perform_accept(struct p2_peer *peer, const struct p2_effect *effect)
{
    struct p2_log *log = &peer->authority->daemon->log;
    int error = p2_link_accept(peer->link, P2_ROLE_HELPER, &peer->id);
    if (error != P2_OK) {
        p2_link_close(peer->link, error);
        return;
    }
    peer->is_accepted = true;
    peer->kernels = effect->kernels;
    P2_LOG(log, P2_LEVEL_NOTICE, "helper_admitted", P2_LOG_ID("helper", &peer->id),
           P2_LOG_U64("window", effect->window), P2_LOG_U64("kernels", effect->kernels));
    send_effect(peer, effect);
}

void p2_peer_perform(struct p2_peer *peer, const struct p2_effect *effect, bool is_final)
{
    struct p2_authority *authority = peer->authority;
    struct p2_policy_row *row = p2_policy_row(&authority->policy, &peer->id);
    if (peer->state == P2_PEER_CLOSING) {
        return;
    }
    if (effect->type == P2_EFFECT_ACCEPT) {
        perform_accept(peer, effect);
        return;
    }
    if (effect->type == P2_EFFECT_CLOSE) {
        peer->state = P2_PEER_CLOSING;
        p2_link_drain(peer->link);
        return;
    }
    if (effect->type == P2_EFFECT_DENIED) {
        P2_LOG(&authority->daemon->log, is_final ? P2_LEVEL_NOTICE : P2_LEVEL_INFO,
               is_final ? "helper_denied" : "helper_warned",
               P2_LOG_STR("reason", p2_denied_reason_name(effect->denied)),
               P2_LOG_ID("helper", &peer->id));
    } else if (effect->type == P2_EFFECT_LEASE && row != NULL) {
        row->leases++;
    }
    send_effect(peer, effect);
}

struct p2_peer *p2_peer_find(struct p2_authority *authority, const struct p2_id *id)
{
    for (uint32_t i = 0; i < P2_AUTHORITY_HELPERS_MAX; i++) {
        if (authority->helpers[i] != NULL && p2_id_equal(&authority->helpers[i]->id, id)) {
            return authority->helpers[i];
        }
    }
    return NULL;
}

/* ---- strangers --------------------------------------------------------------------------------- */

static uint32_t free_number(struct p2_authority *authority)
{
    for (uint32_t i = 0; i < P2_AUTHORITY_HELPERS_MAX; i++) {
        uint32_t at = (authority->helper_hint + i) % P2_AUTHORITY_HELPERS_MAX;
        if (authority->helpers[at] == NULL) {
            authority->helper_hint = at + 1;
            return at;
        }
    }
    return P2_PEER_NUMBER_NONE;
}

static void step_message(struct p2_peer *peer, uint8_t type, struct p2_span body)
{
    const struct p2_event event = {
        .type = P2_EVENT_MESSAGE, .peer = peer->number, .message = type, .bytes = body};
    (void)p2_authority_step(peer->authority, &event); /* what peers do wrong becomes effects */
}

/* A key works here once: whoever comes again replaces the link that may be dead. */
static void replace_older(struct p2_peer *peer)
{
    struct p2_peer *other = p2_peer_find(peer->authority, &peer->id);
    if (other != NULL && other != peer) {
        const struct p2_event event = {.type = P2_EVENT_CLOSED, .peer = other->number};
        uint32_t number = other->number;
        other->state = P2_PEER_CLOSING;
        other->number = P2_PEER_NUMBER_NONE;
        peer->authority->helpers[number] = NULL;
        (void)p2_authority_step(peer->authority, &event); /* it was open */
        p2_link_close(other->link, P2_E_CANCELLED);
    }
}

static void hear_hello(struct p2_peer *peer, struct p2_span body)
{
    struct p2_authority *authority = peer->authority;
    struct p2_msg_hello hello;
    int error = p2_wire_decode_hello(&hello, body);
    if (error == P2_OK && p2_peer_id_check(&hello.node, p2_link_peer_static(peer->link)) != P2_OK) {
        p2_peer_deny(peer, P2_DENIED_REASON_IDENTITY, RETRY_S);
        return;
    }
    uint32_t number = free_number(authority);
    if (error != P2_OK || !authority->has_core || authority->is_ending ||
        number == P2_PEER_NUMBER_NONE) {
        p2_peer_deny(peer, error != P2_OK ? P2_DENIED_REASON_MALFORMED : P2_DENIED_REASON_FULL,
                     RETRY_S);
        return;
    }
    const struct p2_ip ip = p2_link_peer_address(peer->link).ip;
    if (p2_discovery_hello(authority->discovery, &hello, &ip) != P2_OK) {
        p2_peer_deny(peer, P2_DENIED_REASON_FULL, RETRY_S);
        return;
    }
    peer->id = hello.node;
    peer->cores = hello.cores;
    memcpy(peer->agent, hello.agent.data, hello.agent.size); /* the decoder bounds it */
    replace_older(peer);
    peer->state = P2_PEER_HELPER;
    peer->number = number;
    authority->helpers[number] = peer;
    const struct p2_event opened = {
        .type = P2_EVENT_OPENED, .peer = number, .ip = p2_link_peer_address(peer->link).ip};
    (void)p2_authority_step(authority, &opened); /* the number is free */
    step_message(peer, P2_MSG_HELLO, body);
}

static void hear_stranger(struct p2_peer *peer, uint8_t type, struct p2_span body)
{
    if (type == P2_MSG_HELLO) {
        hear_hello(peer, body);
    } else if (type == P2_MSG_JOIN) {
        p2_seat_join(peer, body);
    } else {
        p2_peer_deny(peer, P2_DENIED_REASON_TASK_DATA_ONLY, RETRY_S);
    }
}

/* ---- events of the link ------------------------------------------------------------------------ */

int p2_peer_on_link(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    struct p2_authority *authority = listener_ctx;
    struct p2_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return P2_E_NOMEM;
    }
    peer->authority = authority;
    peer->link = link;
    peer->number = P2_PEER_NUMBER_NONE;
    peer->next = authority->peers;
    if (peer->next != NULL) {
        peer->next->prev = peer;
    }
    authority->peers = peer;
    *ret_ctx = peer;
    return P2_OK;
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct p2_peer *peer = ctx;
    (void)link;
    switch (peer->state) {
    case P2_PEER_STRANGER:
        hear_stranger(peer, type, body);
        break;
    case P2_PEER_HELPER:
        step_message(peer, type, body);
        break;
    case P2_PEER_GAMER:
        p2_seat_message(peer, type, body);
        break;
    case P2_PEER_CLOSING:
        break;
    }
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct p2_peer *peer = ctx;
    struct p2_authority *authority = peer->authority;
    (void)link;
    if (peer->number != P2_PEER_NUMBER_NONE) {
        const struct p2_event event = {.type = P2_EVENT_CLOSED, .peer = peer->number};
        P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "helper_gone",
               P2_LOG_ID("helper", &peer->id), P2_LOG_ERROR(reason));
        authority->helpers[peer->number] = NULL;
        p2_discovery_gone(authority->discovery, &peer->id);
        (void)p2_authority_step(authority, &event); /* it was open */
    } else if (peer->hosted != NULL) {
        P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "gamer_gone",
               P2_LOG_ID("gamer", &peer->id), P2_LOG_ERROR(reason));
        p2_seat_lost(peer);
    }
    if (peer->next != NULL) {
        peer->next->prev = peer->prev;
    }
    if (peer->prev != NULL) {
        peer->prev->next = peer->next;
    } else {
        authority->peers = peer->next;
    }
    free(peer);
}

const struct p2_link_events p2_peer_events = {.on_message = on_message, .on_close = on_close};
