/* Is a UDP port free on both IP families? The DHT library does not tell when it got only one of the
 * two (research: it reports success with IPv6 alone). Thread: reentrant. */
#ifndef P2_OVERLAY_DHT_PORT_H
#define P2_OVERLAY_DHT_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct p2_dht_port {
    uint16_t port; /* free a moment ago on all families that exist */
    bool has_v4;   /* the machine has IPv4 */
    bool has_v6;
    int taken; /* AF_INET or AF_INET6: `port` is in use there; 0: free */
};

/* Binds both families to `wish` without sharing, closes again. 0: any port free on both; after a
 * few tries `taken` names the family that was in the way. Another program may still be faster. */
struct p2_dht_port p2_dht_port_find(uint16_t wish);

#endif
