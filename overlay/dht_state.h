/* The addresses in the state that the DHT library saves when it shuts down.
 *
 * The library (2.4.12) writes MessagePack: a map whose first entries are "v", "id" and "nodes", the
 * last being a list of maps {"id": bin 20, "addr": bin 16 or 28}; an address is the system's struct
 * sockaddr_in or sockaddr_in6 as it lies in memory (seen in a saved file). Which nodes stand there
 * was up to strangers. Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_DHT_STATE_H
#define P2_OVERLAY_DHT_STATE_H

#include "overlay/dht_protocol.h"

/* Reads up to P2_DHT_NODES_MAX different addresses; those without a port, unspecified ones and
 * multicast are left out. What follows the list is ignored, also when it is cut. Nothing
 * recognised: count 0. O(bytes of the list). */
void p2_dht_state_nodes(struct p2_span state, struct p2_dht_nodes *ret_nodes);

/* Adds an address unless it is there, not usable, or the list is full. */
void p2_dht_nodes_add(struct p2_dht_nodes *nodes, const struct p2_dht_address *address);

#endif
