/* Any bytes as a join link: what is accepted formats to a link that reads back as the same. */
#include "overlay/join_link.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_join_link link, back;
    struct p2_failure failure = {0};
    char text[P2_JOIN_LINK_MAX], again[P2_JOIN_LINK_MAX];
    P2_ASSERT(p2_crypto_init() == P2_OK);
    int error = p2_join_link_parse(&link, (const char *)data, size, &failure);
    if (error != P2_OK) {
        P2_ASSERT(failure.code == error && failure.message[0] != '\0');
        return 0;
    }
    p2_join_link_format(text, &link);
    P2_ASSERT(p2_join_link_parse(&back, text, strlen(text), NULL) == P2_OK);
    p2_join_link_format(again, &back);
    P2_ASSERT(strcmp(text, again) == 0);
    P2_ASSERT(p2_session_id_equal(&link.id, &back.id) && link.has_address == back.has_address);
    return 0;
}
