/* Any bytes as a value in an inbox, and as the body of an authentic sealed invite. What is accepted
 * must seal to the same bytes and must not be accepted twice. */
#include "overlay/invite.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000u

static struct p2_overlay_rules rules; /* all zero: no work to do */
static struct p2_identity node;
static bool is_ready;
static struct p2_invite_memory memory;

static void prepare(void)
{
    uint8_t seed[P2_KEY_BYTES] = {0};
    P2_ASSERT(p2_crypto_init() == P2_OK);
    while (p2_identity_from_seed(&node, seed) != P2_OK) {
        seed[0]++;
    }
    is_ready = true;
}

/* The node invites itself with this body. */
static void check_body(const uint8_t *data, size_t size)
{
    const uint8_t ephemeral[P2_KEY_BYTES] = {1};
    uint8_t plain[P2_OVERLAY_RECORD_MAX], value[P2_INVITE_VALUE_BYTES] = {0};
    uint8_t again[P2_INVITE_SEALED_BYTES];
    struct p2_overlay_record record = {
        .kind = P2_OVERLAY_RECORD_INVITE, .not_before = NOW, .expires = NOW + 100};
    struct p2_overlay_invite invite;
    size_t plain_size = 0;
    if (size < P2_INVITE_BODY_BYTES) {
        return;
    }
    memcpy(record.signer.bytes, node.public_key, P2_ID_BYTES);
    p2_invite_inbox(&record.key, &record.signer, 0, &rules);
    record.body_size = P2_INVITE_BODY_BYTES;
    memcpy(record.body, data, P2_INVITE_BODY_BYTES);
    memcpy(record.body, node.public_key, P2_ID_BYTES); /* it names us */
    P2_ASSERT(p2_overlay_record_sign(plain, &plain_size, &record, &node, &rules) == P2_OK);
    P2_ASSERT(p2_box_seal(value, plain, plain_size, ephemeral, node.exchange_public) == P2_OK);
    memset(&memory, 0, sizeof memory);
    if (p2_invite_open(&memory, &invite, p2_span(value, sizeof value), 0, NOW, &node, &rules) ==
        P2_OK) {
        P2_ASSERT(p2_invite_seal(again, &invite, 0, ephemeral, &node, &rules) == P2_OK);
        P2_ASSERT(memcmp(again, value, sizeof again) == 0);
        P2_ASSERT(p2_invite_open(&memory, &invite, p2_span(value, sizeof value), 0, NOW, &node,
                                 &rules) == P2_E_EXIST);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_overlay_invite invite;
    if (!is_ready) {
        prepare();
    }
    memset(&memory, 0, sizeof memory);
    (void)p2_invite_open(&memory, &invite, p2_span(data, size), 0, NOW, &node, &rules);
    check_body(data, size);
    return 0;
}
