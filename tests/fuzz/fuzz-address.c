/* Address texts: what parses must format to a text that parses to the same address and formats to
 * the same text. */
#include "link/address.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ip(const char *text, size_t size)
{
    struct p2_ip ip;
    struct p2_ip again;
    char canonical[P2_IP_TEXT_MAX];
    if (p2_ip_parse(&ip, text, size) != P2_OK) {
        return;
    }
    p2_ip_format(canonical, &ip);
    P2_ASSERT(p2_ip_parse(&again, canonical, strlen(canonical)) == P2_OK);
    P2_ASSERT(p2_ip_equal(&ip, &again));
    P2_ASSERT(p2_ip_prefix(&ip) == p2_ip_prefix(&again) && p2_ip_prefix(&ip) != 0);
    P2_ASSERT(p2_ip_scope(&ip) == p2_ip_scope(&again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_address address;
    struct p2_address again;
    struct p2_failure failure = {0};
    char canonical[P2_ADDRESS_TEXT_MAX];
    char canonical_again[P2_ADDRESS_TEXT_MAX];
    const char *text = (const char *)data;
    P2_ASSERT(p2_crypto_init() == P2_OK);
    check_ip(text, size);
    (void)p2_address_parse_endpoint(&address, text, size, NULL); /* must not crash */
    int error = p2_address_parse(&address, text, size, &failure);
    if (error != P2_OK) {
        P2_ASSERT(failure.code == error && failure.message[0] != '\0');
        return 0;
    }
    p2_address_format(canonical, &address);
    P2_ASSERT(p2_address_parse(&again, canonical, strlen(canonical), NULL) == P2_OK);
    p2_address_format(canonical_again, &again);
    P2_ASSERT(strcmp(canonical, canonical_again) == 0);
    P2_ASSERT(p2_id_equal(&address.key, &again.key) && address.port == again.port);
    return 0;
}
