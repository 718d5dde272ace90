/* Bootstrap nodes by name: host:port texts become addresses, one name at a time, off the loop's
 * thread. The DHT library would resolve on its own thread and block it. Thread: the loop's. */
#ifndef P2_OVERLAY_DHT_RESOLVER_H
#define P2_OVERLAY_DHT_RESOLVER_H

#include "overlay/dht_protocol.h"

#include <stdbool.h>
#include <uv.h>

struct p2_dht_resolver;

/* Names and addresses of one configuration. Chosen: a handful is enough, and half of
 * P2_DHT_NODES_MAX stays for nodes of earlier runs when each name has two addresses. */
#define P2_DHT_BOOTSTRAP_MAX 16

struct p2_dht_resolver_events {
    /* A round is over; `nodes` (borrowed) are all addresses found. */
    void (*on_nodes)(const struct p2_dht_nodes *nodes, void *ctx);
    void (*on_closed)(void *ctx); /* the resolver is freed */
};

/* `texts[count]` are host:port, copied; `events` and `ctx` are kept. Gives: ends with
 * p2_dht_resolver_close. P2_E_TOO_BIG (count), P2_E_NOMEM, errors of p2_address_parse_endpoint;
 * `failure` (may be NULL) says which. */
int p2_dht_resolver_open(struct p2_dht_resolver **ret_resolver, uv_loop_t *loop,
                         const char *const *texts, size_t count,
                         const struct p2_dht_resolver_events *events, void *ctx,
                         struct p2_failure *failure);

/* Frees a resolver that never ran a round and was not closed, at once and without a word. Accepts
 * NULL. */
void p2_dht_resolver_free(struct p2_dht_resolver *resolver);

/* Begins a round unless one runs. on_nodes comes from the loop. */
void p2_dht_resolver_run(struct p2_dht_resolver *resolver);

/* Ends it; on_closed comes once, not inside this call, at the latest when the system's resolver
 * gives up on the name it is at, if it cannot be called off. */
void p2_dht_resolver_close(struct p2_dht_resolver *resolver);

#endif
