/* See the header. A timer of zero length starts each step, so that nothing calls back from inside
 * the functions of the header, with names or without. */
#include "overlay/dht_resolver.h"

#include "link/address.h"
#include "overlay/dht_state.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct p2_dht_resolver {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_getaddrinfo_t request;
    const struct p2_dht_resolver_events *events;
    void *ctx;
    struct p2_dht_nodes nodes;
    size_t next;     /* of hosts */
    bool has_timer;  /* the handle exists: since the first round, or the close */
    bool is_running; /* a round */
    bool is_asking;  /* the request is out */
    bool is_closing;
    size_t count;
    struct p2_address hosts[];
};

static void on_timer_closed(uv_handle_t *handle)
{
    struct p2_dht_resolver *resolver = handle->data;
    const struct p2_dht_resolver_events *events = resolver->events;
    void *ctx = resolver->ctx;
    free(resolver);
    events->on_closed(ctx);
}

static void add(struct p2_dht_nodes *nodes, const struct sockaddr *found, uint16_t port)
{
    struct p2_dht_address address = {.port = port};
    uint8_t bytes[16];
    if (found->sa_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)found)->sin_addr, 4);
        address.ip = p2_ip_from_v4(bytes);
    } else if (found->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)found)->sin6_addr, 16);
        address.ip = p2_ip_from_v6(bytes);
    } else {
        return;
    }
    p2_dht_nodes_add(nodes, &address);
}

static void step(uv_timer_t *timer);

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct p2_dht_resolver *resolver = request->data;
    resolver->is_asking = false;
    for (const struct addrinfo *at = list; status == 0 && at != NULL; at = at->ai_next) {
        add(&resolver->nodes, at->ai_addr, resolver->hosts[resolver->next - 1].port);
    }
    uv_freeaddrinfo(list); /* accepts NULL */
    if (resolver->is_closing) {
        uv_close((uv_handle_t *)&resolver->timer, on_timer_closed);
    } else {
        step(&resolver->timer);
    }
}

/* Asks the system's resolver; a name it refuses at once is left out like one it does not know. */
static bool ask(struct p2_dht_resolver *resolver, const struct p2_address *host)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    resolver->request.data = resolver;
    resolver->is_asking =
        uv_getaddrinfo(resolver->loop, &resolver->request, on_found, host->host, NULL, &hints) == 0;
    return resolver->is_asking;
}

static void step(uv_timer_t *timer)
{
    struct p2_dht_resolver *resolver = timer->data;
    while (resolver->next < resolver->count) {
        const struct p2_address *host = &resolver->hosts[resolver->next++];
        const struct p2_dht_address literal = {.ip = host->ip, .port = host->port};
        if (host->is_literal) {
            p2_dht_nodes_add(&resolver->nodes, &literal);
        } else if (ask(resolver, host)) {
            return;
        }
    }
    resolver->is_running = false;
    resolver->events->on_nodes(&resolver->nodes, resolver->ctx);
}

int p2_dht_resolver_open(struct p2_dht_resolver **ret_resolver, uv_loop_t *loop,
                         const char *const *texts, size_t count,
                         const struct p2_dht_resolver_events *events, void *ctx,
                         struct p2_failure *failure)
{
    if (count > P2_DHT_BOOTSTRAP_MAX) {
        return p2_fail(failure, P2_E_TOO_BIG, "more than %d bootstrap nodes", P2_DHT_BOOTSTRAP_MAX);
    }
    struct p2_dht_resolver *resolver =
        calloc(1, sizeof *resolver + count * sizeof resolver->hosts[0]);
    if (resolver == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "no memory for bootstrap nodes");
    }
    for (size_t i = 0; i < count; i++) {
        struct p2_failure reason;
        int error =
            p2_address_parse_endpoint(&resolver->hosts[i], texts[i], strlen(texts[i]), &reason);
        if (error != P2_OK) {
            free(resolver);
            return p2_fail(failure, error, "bootstrap node %zu: %s", i + 1, reason.message);
        }
    }
    resolver->loop = loop;
    resolver->events = events;
    resolver->ctx = ctx;
    resolver->count = count;
    *ret_resolver = resolver;
    return P2_OK;
}

void p2_dht_resolver_free(struct p2_dht_resolver *resolver)
{
    P2_ASSERT(resolver == NULL || !resolver->has_timer);
    free(resolver);
}

static void make_timer(struct p2_dht_resolver *resolver)
{
    if (!resolver->has_timer) {
        (void)uv_timer_init(resolver->loop, &resolver->timer); /* cannot fail */
        resolver->timer.data = resolver;
        resolver->has_timer = true;
    }
}

void p2_dht_resolver_run(struct p2_dht_resolver *resolver)
{
    if (resolver->is_running || resolver->is_closing) {
        return;
    }
    make_timer(resolver);
    resolver->is_running = true;
    resolver->next = 0;
    memset(&resolver->nodes, 0, sizeof resolver->nodes);
    (void)uv_timer_start(&resolver->timer, step, 0, 0); /* cannot fail: it has a callback */
}

void p2_dht_resolver_close(struct p2_dht_resolver *resolver)
{
    if (resolver->is_closing) {
        return;
    }
    make_timer(resolver);
    resolver->is_closing = true;
    (void)uv_timer_stop(&resolver->timer); /* cannot fail */
    if (resolver->is_asking) {
        (void)uv_cancel((uv_req_t *)&resolver->request); /* or it is answered soon */
    } else {
        uv_close((uv_handle_t *)&resolver->timer, on_timer_closed);
    }
}
