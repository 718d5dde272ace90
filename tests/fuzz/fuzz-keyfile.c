/* Key files: what decodes must encode to the same bytes; what does not must leave no secret. The
 * second look puts a right check value behind the input, or nothing would ever pass it. */
#include "link/keyfile.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int decode(const uint8_t *bytes, size_t size)
{
    struct p2_identity identity;
    uint8_t again[P2_KEYFILE_BYTES];
    int error = p2_keyfile_decode(&identity, p2_span(bytes, size));
    P2_ASSERT(error == P2_OK || error == P2_E_CORRUPT || error == P2_E_NEW_SCHEMA);
    if (error == P2_OK) {
        p2_keyfile_encode(again, identity.seed);
        P2_ASSERT(size == sizeof again && memcmp(again, bytes, size) == 0);
        P2_ASSERT((identity.public_key[P2_KEY_BYTES - 1] & 0x80) == 0);
    } else {
        P2_ASSERT(p2_secret_is_zero(identity.seed, sizeof identity.seed));
    }
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    P2_ASSERT(p2_crypto_init() == P2_OK);
    (void)decode(data, size); /* its promises are checked inside */
    if (size >= P2_KEY_BYTES) {
        uint8_t bytes[P2_KEYFILE_BYTES];
        p2_keyfile_encode(bytes, data);
        (void)decode(bytes, sizeof bytes);
    }
    return 0;
}
