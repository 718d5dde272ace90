/* The real overlay: the interface of overlay.h over a node of the Kademlia network, which runs in a
 * child process without keys (dht_process.c). This side holds the operations, paces them, checks
 * what the process says, starts it again when it dies, hangs or speaks garbage, and sets up again
 * what it was asked for.
 *
 * Bounds: P2_OVERLAY_OPS_MAX operations of fixed size, no other memory that grows; values and rates
 * as in overlay.h; dht_child.h for the process. Thread: the loop's. */
#ifndef P2_OVERLAY_OVERLAY_DHT_H
#define P2_OVERLAY_OVERLAY_DHT_H

#include "overlay/overlay.h"

#include <uv.h>

/* Largest list of good nodes, in bytes (dht_protocol.h, PEERS). */
#define P2_OVERLAY_DHT_NODES_BYTES 1218

/* Lists of good nodes come at most this often, but for the last. Chosen: writing them is cheap. */
#define P2_OVERLAY_DHT_NODES_MS 10000

/* Names are looked up again at this distance until the node is connected. Chosen: the host's
 * network may come back with other addresses; a resolver answers from its cache. */
#define P2_OVERLAY_DHT_RESOLVE_MS 30000

struct p2_overlay_dht_config {
    const char *program;          /* path of p2c2r-dht; NULL: where it is installed */
    uint32_t network;             /* separates networks; no secret */
    uint16_t port;                /* UDP, both families; 0: any */
    bool finds_lan;               /* finds and is found by multicast on the local network */
    const char *const *bootstrap; /* host:port, up to 16 */
    size_t bootstrap_count;
    struct p2_span nodes; /* what on_nodes gave in an earlier run; wrong bytes are ignored */

    /* Nodes that answered, to be stored for the next run, each list in place of the one before;
     * `nodes` is borrowed, at most P2_OVERLAY_DHT_NODES_BYTES. Comes half a minute after the first
     * contact and every half hour, so that a crash leaves a list, and while the overlay closes, if
     * the node ended in order and knew any. At most one in P2_OVERLAY_DHT_NODES_MS otherwise. May be
     * NULL. */
    void (*on_nodes)(struct p2_span nodes, void *ctx);
    /* The node does not serve: died, hangs, port taken, ...: `error` as in the status, `text` for a
     * person. Comes from the loop, before the change of state. May be NULL. */
    void (*on_down)(int error, const char *text, void *ctx);
    void *ctx;

    /* Times of dht_child.h in milliseconds; 0: the defaults there. Tests make them short. */
    uint32_t restart_min_ms, start_ms, beat_ms, hang_ms;
};

/* Opens the overlay; the node starts on the loop. `config` is copied. Gives: ends with
 * p2_overlay_close. Refuses with a message in `failure` (may be NULL): P2_E_ADDRESS (the port is in
 * use on IPv4 or IPv6), P2_E_IO (the program cannot be run), P2_E_NOMEM, P2_E_TOO_BIG or an error of
 * p2_address_parse_endpoint (bootstrap). */
int p2_overlay_dht_open(struct p2_overlay **ret_overlay, uv_loop_t *loop,
                        const struct p2_overlay_dht_config *config, struct p2_failure *failure);

/* The node's process number, 0: none at the moment. For tests and reports. */
int p2_overlay_dht_pid(const struct p2_overlay *overlay);

#endif
