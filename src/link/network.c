/* Network ids. */
#include "link/network.h"

#include <string.h>

void p2_network_id(uint8_t ret_id[P2_KEY_BYTES], const char *name)
{
    static const char domain[] = "p2c2r network"; /* its final zero separates it from the name */
    const struct p2_span parts[] = {p2_span(domain, sizeof domain), p2_span(name, strlen(name))};
    p2_hash(ret_id, P2_KEY_BYTES, parts, P2_COUNT_OF(parts));
}

uint32_t p2_network_number(const char *name)
{
    uint8_t id[P2_KEY_BYTES];
    p2_network_id(id, name);
    return (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
}
