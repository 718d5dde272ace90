/* The life of one TCP link: made, opened, ended. */
#include "link/tcp_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- the end ----------------------------------------------------------------------------------- */

static void remove_dirty(struct tcp_link *link)
{
    struct tcp_link **at = &link->tcp->dirty;
    while (*at != link) {
        at = &(*at)->dirty_next;
    }
    *at = link->dirty_next;
}

static void link_free(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    if (link->is_dirty) {
        remove_dirty(link);
    }
    if (link->session != NULL) {
        p2_mux_reader_free(&link->session->reader);
        p2_mux_writer_free(&link->session->writer);
        free(link->session);
    }
    p2_slab_give(&tcp->early_slab, link->early);
    p2_slab_give(&tcp->key_slab, link->keys);
    p2_pool_give(&tcp->pool, link->carry, link->carry_capacity);
    tcp->incoming -= link->listener != NULL;
    tcp->stats.links--;
    free(link);
    p2_tcp_check_stopped(tcp);
}

static void on_link_closed(uv_handle_t *handle)
{
    struct tcp_link *link = handle->data;
    if (link->has_user) {
        link->base.events->on_close(&link->base, link->close_reason, link->base.ctx);
    }
    if (link->is_waiting) {
        link->is_closed = true; /* freed when its turn on the waiting list comes */
        return;
    }
    link_free(link);
}

void p2_tcp_link_free_if_closed(struct tcp_link *link)
{
    if (link->is_closed) {
        link_free(link);
    }
}

void p2_tcp_link_fail(struct tcp_link *link, int reason)
{
    struct tcp *tcp = link->tcp;
    if (link->state == LINK_CLOSING) {
        return;
    }
    link->state = LINK_CLOSING;
    link->base.is_closing = true;
    link->close_reason = reason;
    p2_tcp_list_remove(link);
    if (link->prefix != 0) {
        p2_prefix_remove(&tcp->prefixes, link->prefix);
    }
    tcp->stats.unaccepted -= link->is_unaccepted;
    link->is_unaccepted = false;
    if (link->listener != NULL && !link->has_user) {
        tcp->stats.refused++;
        if (tcp->options.on_refused != NULL) {
            tcp->options.on_refused(tcp->options.ctx, &link->base.peer_address, reason);
        }
    }
    /* Memory stays until the close callback: a message being delivered may lie in it. */
    uv_close((uv_handle_t *)&link->handle, on_link_closed);
}

/* ---- the beginning ----------------------------------------------------------------------------- */

struct tcp_link *p2_tcp_link_new(struct tcp *tcp, struct p2_listener *listener)
{
    struct tcp_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    link->base.ops = &p2_tcp_link_ops;
    link->base.rules = tcp->options.rules;
    link->tcp = tcp;
    link->listener = listener;
    link->list = LIST_COUNT;
    link->handle.data = link;
    if (listener != NULL) {
        link->base.events = listener->options.events;
        link->base.own_role = listener->options.own_role;
        tcp->incoming++;
    }
    tcp->stats.links++;
    (void)uv_tcp_init(tcp->options.loop, &link->handle); /* only fills the handle */
    return link;
}

void p2_tcp_link_accepted(struct tcp_link *link)
{
    link->state = LINK_HANDSHAKE;
    p2_tcp_list_append(link, LIST_HANDSHAKE);
    int error = p2_tcp_read_start(link);
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
    }
}

static void on_connect(uv_connect_t *request, int status)
{
    struct tcp_link *link = request->data;
    free(request);
    if (link->state == LINK_CLOSING) {
        return;
    }
    int error = status == 0 ? P2_OK : p2_tcp_error(status);
    if (error == P2_OK) {
        link->state = LINK_HANDSHAKE;
        error = p2_tcp_read_start(link);
    }
    if (error == P2_OK) {
        error = p2_tcp_handshake_start(link);
    }
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
    }
}

static int start_connect(struct tcp_link *link, const struct sockaddr_storage *to)
{
    uv_connect_t *request = malloc(sizeof *request);
    if (request == NULL) {
        return P2_E_NOMEM;
    }
    request->data = link;
    int failed = uv_tcp_connect(request, &link->handle, (const struct sockaddr *)to, on_connect);
    if (failed != 0) {
        free(request);
        return p2_tcp_error(failed);
    }
    return P2_OK;
}

int p2_tcp_dial(struct p2_transport *transport, const struct p2_link_target *target,
                struct p2_link **ret_link)
{
    struct tcp *tcp = (struct tcp *)transport;
    struct sockaddr_storage to;
    uint8_t peer_static[P2_KEY_BYTES];
    if (tcp->is_stopping) {
        return P2_E_DRAINING;
    }
    if (!p2_cipher_available(target->cipher)) {
        return P2_E_UNSUPPORTED;
    }
    int error = p2_tcp_sockaddr(&to, &target->address);
    if (error == P2_OK) {
        error = p2_id_to_exchange_key(peer_static, target->id.bytes);
    }
    if (error != P2_OK) {
        return error;
    }
    struct tcp_link *link = p2_tcp_link_new(tcp, NULL);
    if (link == NULL) {
        return P2_E_NOMEM;
    }
    link->base.events = target->events;
    link->base.ctx = target->ctx;
    link->base.peer_address = target->address;
    link->base.peer_id = target->id;
    link->base.has_peer_id = true;
    link->base.own_role = target->own_role;
    link->base.peer_role = target->peer_role;
    link->cipher = (uint8_t)target->cipher;
    memcpy(link->base.peer_static, peer_static, sizeof peer_static);
    error = start_connect(link, &to);
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
        return error;
    }
    p2_tcp_list_append(link, LIST_DIALING);
    link->has_user = true;
    *ret_link = &link->base;
    return P2_OK;
}

/* ---- what a user asks for ---------------------------------------------------------------------- */

int p2_tcp_link_session(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    if (link->session != NULL) {
        return P2_OK;
    }
    int error = p2_tcp_link_keys(link);
    if (error != P2_OK) {
        return error;
    }
    link->session = calloc(1, sizeof *link->session);
    if (link->session == NULL) {
        return P2_E_NOMEM;
    }
    p2_mux_reader_init(&link->session->reader, &tcp->pool);
    p2_mux_writer_init(&link->session->writer, &tcp->pool);
    return P2_OK;
}

static int link_accept(struct p2_link *base, uint8_t peer_role)
{
    struct tcp_link *link = (struct tcp_link *)base;
    (void)peer_role;
    int error = p2_tcp_link_session(link);
    if (error != P2_OK) {
        return error;
    }
    link->state = LINK_OPEN;
    link->is_unaccepted = false;
    link->tcp->stats.unaccepted--;
    p2_tcp_list_append(link, LIST_PULSE);
    link->session->may_ping = true;
    return p2_tcp_send_ping(link);
}

static void link_drain(struct p2_link *base)
{
    struct tcp_link *link = (struct tcp_link *)base;
    struct tcp *tcp = link->tcp;
    if (link->session == NULL) {
        p2_tcp_link_fail(link, P2_OK); /* nothing was ever sent */
        return;
    }
    link->session->finish_deadline_ms = uv_now(tcp->options.loop) + tcp->options.drain_timeout_ms;
    p2_tcp_list_append(link, LIST_PULSE); /* a stranger's deadline ends here as well */
    p2_tcp_mark_dirty(link);
}

static void link_close(struct p2_link *base, int reason)
{
    p2_tcp_link_fail((struct tcp_link *)base, reason);
}

static struct p2_link_stats link_stats(const struct p2_link *base)
{
    const struct tcp_session *session = ((const struct tcp_link *)base)->session;
    struct p2_link_stats stats = {0};
    if (session != NULL) {
        stats = session->stats;
        stats.replaced_frames = session->writer.replaced_frames;
        stats.queued_bytes = p2_mux_queued_bytes(&session->writer);
    }
    return stats;
}

const struct p2_link_ops p2_tcp_link_ops = {.send = p2_tcp_link_send,
                                            .accept = link_accept,
                                            .drain = link_drain,
                                            .close = link_close,
                                            .stats = link_stats};
