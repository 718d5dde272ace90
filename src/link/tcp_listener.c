/* Taking connections: limits first, then a link. */
#include "link/tcp_internal.h"

#include <stdlib.h>
#include <string.h>

/* Connections the system holds for us between two turns. Chosen: the usual SOMAXCONN is 4096. */
#define BACKLOG 1024

/* Longest wait before a connection is tried again that could not be taken for want of memory.
 * Chosen: a moment for the system, not long for the peer. */
#define RETRY_MS 100u

/* Makes room among the connections that are not accepted yet. The oldest handshake gives way: an
 * honest peer needs one round trip, a half-open one stays for ever. */
static int make_room(struct tcp *tcp)
{
    if (tcp->stats.unaccepted < tcp->options.unaccepted_max) {
        return P2_OK;
    }
    struct tcp_link *oldest = tcp->lists[LIST_HANDSHAKE].first;
    if (oldest == NULL) {
        return P2_E_BUSY;
    }
    p2_tcp_link_fail(oldest, P2_E_BUSY);
    return P2_OK;
}

/* May this connection, whose address is known, stay? */
static int admit(struct tcp *tcp, struct tcp_link *link)
{
    if (tcp->is_stopping) {
        return P2_E_DRAINING;
    }
    if (tcp->incoming > tcp->options.connections_max) {
        return P2_E_BUSY;
    }
    const struct p2_ip *ip = &link->base.peer_address.ip;
    if (p2_ip_prefix_counts(ip, tcp->options.local_peers)) {
        uint64_t prefix = p2_ip_prefix(ip);
        if (p2_prefix_count(&tcp->prefixes, prefix) >= tcp->options.per_prefix_max) {
            return P2_E_BUSY;
        }
        p2_prefix_add(&tcp->prefixes, prefix);
        link->prefix = prefix;
    }
    int error = make_room(tcp);
    if (error != P2_OK) {
        return error;
    }
    tcp->stats.unaccepted++;
    link->is_unaccepted = true;
    return P2_OK;
}

/* No descriptor is left. libuv keeps one back for this and turns the waiting connections away with
 * it; but when somebody else took that one meanwhile, it calls back again and again without another
 * turn of the loop. Every new handle makes it take one back: here it can have ours. */
static void revive_reserve(struct tcp *tcp, struct tcp_listener *listener)
{
    p2_reserve_drop(&tcp->reserve);
    struct tcp_link *link = p2_tcp_link_new(tcp, &listener->base);
    if (link != NULL) {
        p2_tcp_link_fail(link, P2_E_LIMIT); /* stands for those that are turned away */
    }
    (void)p2_reserve_fill(&tcp->reserve); /* else at the next need */
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct tcp_listener *listener = stream->data;
    struct tcp *tcp = (struct tcp *)listener->base.transport;
    struct sockaddr_storage from;
    int size = sizeof from;
    if (status == UV_EMFILE || status == UV_ENFILE) {
        revive_reserve(tcp, listener);
    }
    if (status != 0) {
        return; /* the connection is gone already; the next one comes by itself */
    }
    struct tcp_link *link = p2_tcp_link_new(tcp, &listener->base);
    listener->is_owed = link == NULL; /* libuv calls back no more until uv_accept was called */
    if (link == NULL) {
        p2_tcp_wake_after(tcp, RETRY_MS); /* there may be no other turn */
        return;
    }
    int failed = uv_accept(stream, (uv_stream_t *)&link->handle);
    if (failed == 0) {
        failed = uv_tcp_getpeername(&link->handle, (struct sockaddr *)&from, &size);
    }
    if (failed != 0) {
        p2_tcp_link_fail(link, p2_tcp_error(failed));
        return;
    }
    link->base.peer_address = p2_tcp_address(&from);
    int error = admit(tcp, link);
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
        return;
    }
    tcp->stats.accepted++;
    p2_tcp_link_accepted(link);
}

void p2_tcp_listeners_retry(struct tcp *tcp)
{
    for (struct tcp_listener *listener = tcp->listeners; listener != NULL;
         listener = listener->next) {
        if (listener->is_owed && !uv_is_closing((uv_handle_t *)&listener->handle)) {
            on_connection((uv_stream_t *)&listener->handle, 0);
        }
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct tcp_listener *listener = handle->data;
    struct tcp *tcp = (struct tcp *)listener->base.transport;
    tcp->open_handles--;
    p2_tcp_check_stopped(tcp);
}

void p2_tcp_listener_stop(struct tcp_listener *listener)
{
    if (!uv_is_closing((uv_handle_t *)&listener->handle)) {
        uv_close((uv_handle_t *)&listener->handle, on_listener_closed);
    }
}

static int start_listening(struct tcp_listener *listener, const struct sockaddr_storage *where)
{
    struct sockaddr_storage real;
    int size = sizeof real;
    unsigned flags = where->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    int failed = uv_tcp_bind(&listener->handle, (const struct sockaddr *)where, flags);
    if (failed == 0) {
        failed = uv_listen((uv_stream_t *)&listener->handle, BACKLOG, on_connection);
    }
    if (failed == 0) {
        failed = uv_tcp_getsockname(&listener->handle, (struct sockaddr *)&real, &size);
    }
    if (failed == 0) {
        listener->base.address = p2_tcp_address(&real);
    }
    return failed == 0 ? P2_OK : p2_tcp_error(failed);
}

int p2_tcp_listen(struct p2_transport *transport, const struct p2_listen_options *options,
                  struct p2_listener **ret_listener)
{
    struct tcp *tcp = (struct tcp *)transport;
    struct sockaddr_storage where;
    if (tcp->is_stopping) {
        return P2_E_DRAINING;
    }
    int error = p2_tcp_sockaddr(&where, &options->address);
    if (error != P2_OK) {
        return error;
    }
    struct tcp_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return P2_E_NOMEM;
    }
    listener->base.transport = transport;
    listener->base.options = *options;
    listener->handle.data = listener;
    (void)uv_tcp_init(tcp->options.loop, &listener->handle); /* only fills the handle */
    listener->next = tcp->listeners;
    tcp->listeners = listener;
    tcp->open_handles++;
    error = start_listening(listener, &where);
    if (error != P2_OK) {
        p2_tcp_listener_stop(listener); /* stays on the list; freed with the transport */
        return error;
    }
    *ret_listener = &listener->base;
    return P2_OK;
}
