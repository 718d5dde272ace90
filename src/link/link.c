/* What all transports share: argument checks and forwarding to the implementation's table. */
#include "link/link.h"

#include "link/peer_id.h"

int p2_transport_dial(struct p2_transport *transport, const struct p2_link_target *target,
                      struct p2_link **ret_link)
{
    P2_ASSERT(target->events != NULL && target->events->on_close != NULL);
    P2_ASSERT(target->own_role < transport->rules->role_count);
    P2_ASSERT(target->peer_role < transport->rules->role_count);
    if (target->address.port == 0) {
        return P2_E_ADDRESS;
    }
    return transport->ops->dial(transport, target, ret_link);
}

int p2_transport_listen(struct p2_transport *transport, const struct p2_listen_options *options,
                        struct p2_listener **ret_listener)
{
    P2_ASSERT(options->events != NULL && options->events->on_close != NULL);
    P2_ASSERT(options->on_peer != NULL && options->own_role < transport->rules->role_count);
    return transport->ops->listen(transport, options, ret_listener);
}

struct p2_link_address p2_listener_address(const struct p2_listener *listener)
{
    return listener->address;
}

void p2_transport_stop(struct p2_transport *transport, bool drain, void (*on_stopped)(void *ctx),
                       void *ctx)
{
    transport->ops->stop(transport, drain, on_stopped, ctx);
}

int p2_link_send(struct p2_link *link, uint8_t type, struct p2_span body)
{
    if (link->is_closing || !link->is_open) {
        return P2_E_STATE;
    }
    if (link->is_draining) {
        return P2_E_DRAINING;
    }
    uint32_t max_size = link->rules->max_size(link->own_role, type);
    if (max_size == 0) {
        max_size = link->rules->max_size(0, type);
    }
    if (max_size == 0) {
        return P2_E_NOT_ALLOWED;
    }
    if (body.size > max_size) {
        return P2_E_TOO_BIG;
    }
    return link->ops->send(link, type, body);
}

int p2_link_accept(struct p2_link *link, uint8_t peer_role, const struct p2_id *id)
{
    P2_ASSERT(peer_role != 0 && peer_role < link->rules->role_count);
    if (link->is_closing || link->is_draining || !link->is_open || link->peer_role != 0) {
        return P2_E_STATE;
    }
    if (id != NULL) {
        int error = p2_peer_id_check(id, link->peer_static);
        if (error != P2_OK) {
            return error;
        }
    }
    int error = link->ops->accept(link, peer_role);
    if (error != P2_OK) {
        return error;
    }
    link->peer_role = peer_role;
    if (id != NULL) {
        link->peer_id = *id;
        link->has_peer_id = true;
    }
    return P2_OK;
}

void p2_link_drain(struct p2_link *link)
{
    if (!link->is_closing && !link->is_draining) {
        link->is_draining = true;
        link->ops->drain(link);
    }
}

void p2_link_close(struct p2_link *link, int reason)
{
    if (!link->is_closing) {
        link->is_closing = true;
        link->ops->close(link, reason);
    }
}

const uint8_t *p2_link_peer_static(const struct p2_link *link)
{
    return link->peer_static;
}

const uint8_t *p2_link_binding(const struct p2_link *link)
{
    return link->binding;
}

const struct p2_id *p2_link_peer_id(const struct p2_link *link)
{
    return link->has_peer_id ? &link->peer_id : NULL;
}

uint8_t p2_link_peer_role(const struct p2_link *link)
{
    return link->peer_role;
}

struct p2_link_address p2_link_peer_address(const struct p2_link *link)
{
    return link->peer_address;
}

struct p2_link_rtt p2_link_rtt(const struct p2_link *link)
{
    return link->rtt;
}

struct p2_link_stats p2_link_stats(const struct p2_link *link)
{
    return link->ops->stats(link);
}

void *p2_link_ctx(const struct p2_link *link)
{
    return link->ctx;
}

void p2_link_rtt_add(struct p2_link_rtt *rtt, uint32_t sample_us)
{
    rtt->last_us = sample_us;
    if (rtt->samples == 0) { /* RFC 6298, 2.2 */
        rtt->rtt_us = sample_us;
        rtt->jitter_us = sample_us / 2;
    } else { /* RFC 6298, 2.3: jitter first, with the old mean */
        uint32_t distance =
            sample_us > rtt->rtt_us ? sample_us - rtt->rtt_us : rtt->rtt_us - sample_us;
        rtt->jitter_us = (uint32_t)((UINT64_C(3) * rtt->jitter_us + distance) / 4);
        rtt->rtt_us = (uint32_t)((UINT64_C(7) * rtt->rtt_us + sample_us) / 8);
    }
    if (rtt->samples < UINT32_MAX) {
        rtt->samples++;
    }
}
