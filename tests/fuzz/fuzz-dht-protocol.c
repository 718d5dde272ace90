/* Messages of p2c2r-dht and its parent, in both directions: what is accepted is written again as
 * the same bytes. Inputs that begin like the library's saved state also go through its reader. */
#include "overlay/dht_protocol.h"
#include "overlay/dht_state.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const uint8_t *data, size_t size, enum p2_dht_from from)
{
    struct p2_dht_message message;
    uint8_t again[P2_DHT_MESSAGE_MAX];
    if (p2_dht_decode(&message, p2_span(data, size), from) == P2_OK) {
        P2_ASSERT(p2_dht_encode(again, &message) == size);
        P2_ASSERT(memcmp(again, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_dht_nodes nodes;
    try(data, size, P2_DHT_FROM_PARENT);
    try(data, size, P2_DHT_FROM_CHILD);
    p2_dht_state_nodes(p2_span(data, size), &nodes);
    for (uint8_t i = 0; i < nodes.count; i++) {
        P2_ASSERT(nodes.list[i].port != 0 && nodes.list[i].ip.family != 0);
    }
    P2_ASSERT(nodes.count <= P2_DHT_NODES_MAX);
    return 0;
}
