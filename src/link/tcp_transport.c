/* The TCP transport itself: making and stopping it, the turns of its loop, deadlines. */
#include "link/tcp_internal.h"

#include <stdlib.h>
#include <string.h>

/* Own handles: prepare, check, idle, timer. */
#define OWN_HANDLES 4u

int p2_tcp_error(int uv_error)
{
    static const struct {
        int uv_error;
        int error;
    } table[] = {
        {UV_EOF, P2_E_CLOSED},
        {UV_ECONNRESET, P2_E_RESET},
        {UV_EPIPE, P2_E_RESET},
        {UV_ECONNABORTED, P2_E_RESET},
        {UV_ECONNREFUSED, P2_E_REFUSED},
        {UV_ETIMEDOUT, P2_E_TIMEOUT},
        {UV_ENETUNREACH, P2_E_UNREACHABLE},
        {UV_EHOSTUNREACH, P2_E_UNREACHABLE},
        {UV_ENETDOWN, P2_E_UNREACHABLE},
        {UV_EADDRINUSE, P2_E_EXIST},
        {UV_EADDRNOTAVAIL, P2_E_ADDRESS},
        {UV_EAFNOSUPPORT, P2_E_ADDRESS},
        {UV_EINVAL, P2_E_ADDRESS},
        {UV_EACCES, P2_E_PERM},
        {UV_EPERM, P2_E_PERM},
        {UV_ENOMEM, P2_E_NOMEM},
        {UV_ENOBUFS, P2_E_NOMEM},
        {UV_EMFILE, P2_E_LIMIT},
        {UV_ENFILE, P2_E_LIMIT},
        {UV_ECANCELED, P2_E_CANCELLED},
    };
    for (size_t i = 0; i < P2_COUNT_OF(table); i++) {
        if (table[i].uv_error == uv_error) {
            return table[i].error;
        }
    }
    return P2_E_IO;
}

struct p2_link_address p2_tcp_address(const struct sockaddr_storage *from)
{
    struct p2_link_address address = {0};
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        uint8_t bytes[4];
        memcpy(bytes, &in.sin_addr, sizeof bytes);
        address.ip = p2_ip_from_v4(bytes);
        address.port = ntohs(in.sin_port);
    } else if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        address.ip = p2_ip_from_v6(in6.sin6_addr.s6_addr);
        address.port = ntohs(in6.sin6_port);
    }
    return address;
}

int p2_tcp_sockaddr(struct sockaddr_storage *ret_to, const struct p2_link_address *address)
{
    memset(ret_to, 0, sizeof *ret_to);
    if (address->ip.family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->ip.bytes, 4);
        memcpy(ret_to, &in, sizeof in);
    } else if (address->ip.family == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
        memcpy(&in6.sin6_addr, address->ip.bytes, 16);
        memcpy(ret_to, &in6, sizeof in6);
    } else {
        return P2_E_ADDRESS;
    }
    return P2_OK;
}

/* ---- deadlines --------------------------------------------------------------------------------- */

static uint64_t list_timeout_ms(const struct tcp *tcp, enum tcp_list list)
{
    switch (list) {
    case LIST_DIALING:
    case LIST_HANDSHAKE:
        return tcp->options.handshake_timeout_ms;
    case LIST_STRANGER:
        return tcp->options.stranger_timeout_ms;
    case LIST_PULSE:
    case LIST_COUNT:
        break;
    }
    return tcp->options.pulse_ms;
}

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct tcp *tcp, uint64_t due_ms)
{
    uint64_t now_ms = uv_now(tcp->options.loop);
    tcp->timer_due_ms = due_ms;
    /* Starting cannot fail: the handle is open and the callback is not NULL. */
    (void)uv_timer_start(&tcp->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

void p2_tcp_wake_after(struct tcp *tcp, uint32_t ms)
{
    uint64_t due_ms = uv_now(tcp->options.loop) + ms;
    if (due_ms < tcp->timer_due_ms) {
        arm_timer(tcp, due_ms);
    }
}

void p2_tcp_list_remove(struct tcp_link *link)
{
    if (link->list == LIST_COUNT) {
        return;
    }
    struct tcp_list_head *head = &link->tcp->lists[link->list];
    *(link->list_previous != NULL ? &link->list_previous->list_next : &head->first) =
        link->list_next;
    *(link->list_next != NULL ? &link->list_next->list_previous : &head->last) =
        link->list_previous;
    link->list_next = NULL;
    link->list_previous = NULL;
    link->list = LIST_COUNT;
}

void p2_tcp_list_append(struct tcp_link *link, enum tcp_list list)
{
    struct tcp *tcp = link->tcp;
    struct tcp_list_head *head = &tcp->lists[list];
    p2_tcp_list_remove(link);
    link->deadline_ms = uv_now(tcp->options.loop) + list_timeout_ms(tcp, list);
    link->list = (uint8_t)list;
    link->list_previous = head->last;
    *(head->last != NULL ? &head->last->list_next : &head->first) = link;
    head->last = link;
    if (link->deadline_ms < tcp->timer_due_ms) {
        arm_timer(tcp, link->deadline_ms);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct tcp *tcp = timer->data;
    uint64_t now_ms = uv_now(tcp->options.loop);
    uint64_t due_ms = UINT64_MAX;
    tcp->timer_due_ms = UINT64_MAX;
    for (unsigned i = 0; i < LIST_COUNT; i++) {
        struct tcp_link *link;
        while ((link = tcp->lists[i].first) != NULL && link->deadline_ms <= now_ms) {
            if (i == LIST_PULSE) {
                p2_tcp_list_append(link, LIST_PULSE); /* first: a pulse may end the link */
                p2_tcp_pulse(link, now_ms);
            } else {
                p2_tcp_link_fail(link, P2_E_TIMEOUT);
            }
        }
        if (link != NULL && link->deadline_ms < due_ms) {
            due_ms = link->deadline_ms;
        }
    }
    if (due_ms != UINT64_MAX) {
        arm_timer(tcp, due_ms);
    }
}

/* ---- turns of the loop ------------------------------------------------------------------------- */

static void on_prepare(uv_prepare_t *prepare)
{
    struct tcp *tcp = prepare->data;
    tcp->handshakes_left = tcp->options.handshakes_per_turn;
    p2_tcp_listeners_retry(tcp);
    p2_tcp_handshake_run_waiting(tcp);
    p2_tcp_flush_all(tcp);
}

static void on_check(uv_check_t *check)
{
    p2_tcp_flush_all(check->data);
}

/* ---- life -------------------------------------------------------------------------------------- */

static void on_own_closed(uv_handle_t *handle)
{
    struct tcp *tcp = handle->data;
    tcp->open_handles--;
    if (tcp->open_handles == 0) {
        tcp->on_stopped(tcp->stopped_ctx);
    }
}

void p2_tcp_check_stopped(struct tcp *tcp)
{
    if (!tcp->is_stopping || tcp->stats.links > 0 || tcp->open_handles != OWN_HANDLES ||
        uv_is_closing((uv_handle_t *)&tcp->timer)) {
        return;
    }
    uv_close((uv_handle_t *)&tcp->prepare, on_own_closed);
    uv_close((uv_handle_t *)&tcp->check, on_own_closed);
    uv_close((uv_handle_t *)&tcp->idle, on_own_closed);
    uv_close((uv_handle_t *)&tcp->timer, on_own_closed);
}

static void tcp_stop(struct p2_transport *transport, bool drain, void (*on_stopped)(void *ctx),
                     void *ctx)
{
    struct tcp *tcp = (struct tcp *)transport;
    P2_ASSERT(!tcp->is_stopping);
    tcp->is_stopping = true;
    tcp->on_stopped = on_stopped;
    tcp->stopped_ctx = ctx;
    for (struct tcp_listener *listener = tcp->listeners; listener != NULL;
         listener = listener->next) {
        p2_tcp_listener_stop(listener);
    }
    for (unsigned i = 0; i < LIST_COUNT; i++) {
        struct tcp_link *next;
        for (struct tcp_link *link = tcp->lists[i].first; link != NULL; link = next) {
            next = link->list_next;
            if (drain && link->state >= LINK_OPEN) {
                p2_link_drain(&link->base);
            } else {
                p2_tcp_link_fail(link, P2_E_CANCELLED);
            }
        }
    }
    p2_tcp_check_stopped(tcp);
}

void p2_tcp_options_init(struct p2_tcp_options *options)
{
    memset(options, 0, sizeof *options);
    options->local_peers = P2_LOCAL_PEERS_STRICT;
    options->connections_max = 8192;      /* DESIGN 14: 5,000 connections, and room */
    options->unaccepted_max = 1024;       /* chosen: 1 MiB of memory */
    options->per_prefix_max = 64;         /* chosen: a home or office behind one address */
    options->handshakes_per_turn = 16;    /* about 1.6 ms of a 16.7 ms frame */
    options->handshake_timeout_ms = 5000; /* chosen: three retransmissions of a lost packet */
    options->stranger_timeout_ms = 5000;
    options->pulse_ms = 1000;
    options->ping_interval_ms = 5000;    /* chosen: 1,000 PINGs/s at 5,000 links */
    options->idle_timeout_ms = 15000;    /* wire: silence of three PINGs is a dead link */
    options->partial_timeout_ms = 30000; /* chosen: 1 MiB at 300 kbit/s */
    options->stall_timeout_ms = 10000;
    options->drain_timeout_ms = 10000;
    options->memory_max = (size_t)256 << 20; /* chosen: 1,000 links with a lease of 256 KiB each */
}

static const struct p2_transport_ops transport_ops = {
    .dial = p2_tcp_dial, .listen = p2_tcp_listen, .stop = tcp_stop};

static bool options_are_valid(const struct p2_tcp_options *options)
{
    return options->loop != NULL && options->identity != NULL && options->rules != NULL &&
           options->entropy != NULL && options->connections_max > 0 &&
           options->unaccepted_max > 0 && options->per_prefix_max > 0 &&
           options->handshakes_per_turn > 0 && options->handshake_timeout_ms > 0 &&
           options->stranger_timeout_ms > 0 && options->pulse_ms > 0 && options->memory_max > 0;
}

static void start_handles(struct tcp *tcp)
{
    uv_loop_t *loop = tcp->options.loop;
    /* None of these can fail in libuv 1.44: they only fill the handles. */
    (void)uv_prepare_init(loop, &tcp->prepare);
    (void)uv_check_init(loop, &tcp->check);
    (void)uv_idle_init(loop, &tcp->idle);
    (void)uv_timer_init(loop, &tcp->timer);
    tcp->prepare.data = tcp;
    tcp->check.data = tcp;
    tcp->idle.data = tcp;
    tcp->timer.data = tcp;
    tcp->open_handles = OWN_HANDLES;
    (void)uv_prepare_start(&tcp->prepare, on_prepare);
    (void)uv_check_start(&tcp->check, on_check);
    /* Links and listeners keep the loop running, not their servants. */
    uv_unref((uv_handle_t *)&tcp->prepare);
    uv_unref((uv_handle_t *)&tcp->check);
    uv_unref((uv_handle_t *)&tcp->timer);
}

static void tcp_free(struct tcp *tcp)
{
    if (tcp == NULL) {
        return;
    }
    while (tcp->listeners != NULL) {
        struct tcp_listener *listener = tcp->listeners;
        tcp->listeners = listener->next;
        free(listener);
    }
    p2_pool_free(&tcp->pool);
    p2_slab_free(&tcp->early_slab);
    p2_slab_free(&tcp->key_slab);
    p2_prefix_free(&tcp->prefixes);
    p2_reserve_drop(&tcp->reserve);
    free(tcp->read_buffer);
    free(tcp->write_buffer);
    free(tcp);
}

/* Unused blocks of the pool kept for reuse. Chosen: one turn of 64 busy links. */
#define POOL_CACHED_MAX ((size_t)16 << 20)

int p2_tcp_new(struct p2_transport **ret_transport, const struct p2_tcp_options *options)
{
    uint64_t seed;
    if (!options_are_valid(options)) {
        return P2_E_INVALID;
    }
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL) {
        return P2_E_NOMEM;
    }
    tcp->base.ops = &transport_ops;
    tcp->base.rules = options->rules;
    tcp->options = *options;
    tcp->timer_due_ms = UINT64_MAX;
    tcp->reserve.fd = -1;
    (void)p2_reserve_fill(&tcp->reserve); /* else at the next need */
    tcp->handshakes_left = options->handshakes_per_turn;
    options->entropy(options->ctx, &seed, sizeof seed);
    p2_pool_init(&tcp->pool, options->memory_max, POOL_CACHED_MAX);
    p2_slab_init(&tcp->early_slab, sizeof(struct tcp_early), options->must_lock_secrets);
    p2_slab_init(&tcp->key_slab, sizeof(struct tcp_keys), options->must_lock_secrets);
    tcp->read_buffer = malloc(READ_HEAD_ROOM + READ_BYTES);
    tcp->write_buffer = malloc(WRITE_BYTES);
    if (tcp->read_buffer == NULL || tcp->write_buffer == NULL ||
        p2_prefix_init(&tcp->prefixes, options->connections_max, seed) != P2_OK) {
        tcp_free(tcp);
        return P2_E_NOMEM;
    }
    start_handles(tcp);
    *ret_transport = &tcp->base;
    return P2_OK;
}

void p2_tcp_free(struct p2_transport *transport)
{
    struct tcp *tcp = (struct tcp *)transport;
    P2_ASSERT(tcp == NULL || (tcp->is_stopping && tcp->open_handles == 0));
    tcp_free(tcp);
}

struct p2_tcp_stats p2_tcp_stats(const struct p2_transport *transport)
{
    const struct tcp *tcp = (const struct tcp *)transport;
    struct p2_tcp_stats stats = tcp->stats;
    stats.used_bytes = tcp->pool.used_bytes;
    stats.locked_bytes = tcp->early_slab.locked_bytes + tcp->key_slab.locked_bytes;
    stats.unlocked_bytes = tcp->early_slab.unlocked_bytes + tcp->key_slab.unlocked_bytes;
    return stats;
}

struct p2_tcp_footprint p2_tcp_footprint(void)
{
    return (struct p2_tcp_footprint){
        .handshake = sizeof(struct tcp_link) + sizeof(struct tcp_early),
        .stranger = sizeof(struct tcp_link) + sizeof(struct tcp_early),
        .open_idle = sizeof(struct tcp_link) + sizeof(struct tcp_session) + sizeof(struct tcp_keys),
    };
}
