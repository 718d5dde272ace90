/* Any bytes as a stored value: a stamped ad, a bare record, a sealed session. Signatures and seals
 * stop a fuzzer at the door, so the bytes are also tried as the body of an authentic record. What is
 * accepted must sign to the same bytes. */
#include "overlay/capacity_ad.h"
#include "overlay/session_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000u

static struct p2_overlay_rules rules; /* all zero: no work to do */
static struct p2_identity node;
static bool is_ready;

static void prepare(void)
{
    uint8_t seed[P2_KEY_BYTES] = {0};
    P2_ASSERT(p2_crypto_init() == P2_OK);
    while (p2_identity_from_seed(&node, seed) != P2_OK) {
        seed[0]++;
    }
    is_ready = true;
}

static void check_body(enum p2_overlay_record_kind kind, const uint8_t *data, size_t size)
{
    uint8_t bytes[P2_OVERLAY_RECORD_MAX], again[P2_CAPACITY_VALUE_BYTES];
    size_t record_size = 0, again_size = 0;
    struct p2_overlay_record record = {.kind = kind, .not_before = NOW, .expires = NOW + 100};
    struct p2_capacity_ad ad;
    struct p2_overlay_key key;
    uint32_t bits, rank;
    memcpy(record.signer.bytes, node.public_key, P2_ID_BYTES);
    p2_capacity_hash(&record.signer, &bits, &rank);
    const struct p2_shard shard = p2_shard_of(bits, size > 16 ? data[16] % 21 : 0);
    p2_shard_key(&record.key, "utc+1", shard, &rules);
    record.body_size = size < P2_OVERLAY_RECORD_BODY_MAX ? size : P2_OVERLAY_RECORD_BODY_MAX;
    memcpy(record.body, data, record.body_size);
    P2_ASSERT(p2_overlay_record_sign(bytes, &record_size, &record, &node, &rules) == P2_OK);
    if (p2_capacity_ad_open(&ad, NULL, p2_span(bytes, record_size), "utc+1", shard, NOW, &rules) ==
        P2_OK) {
        P2_ASSERT(p2_capacity_ad_sign(again, &again_size, &key, &ad, &node, &rules) == P2_OK);
        P2_ASSERT(again_size == record_size && memcmp(again, bytes, record_size) == 0);
    }
}

static void check_sealed_body(const uint8_t *data, size_t size)
{
    const struct p2_overlay_key key = {{1}};
    const struct p2_session_keys keys = {{2}, {3}};
    const uint8_t nonce[P2_XNONCE_BYTES] = {4};
    uint8_t plain[P2_OVERLAY_RECORD_MAX], value[P2_SESSION_VALUE_BYTES],
        again[P2_SESSION_VALUE_BYTES];
    struct p2_overlay_record record = {
        .kind = P2_OVERLAY_RECORD_SESSION, .key = key, .not_before = NOW, .expires = NOW + 100};
    struct p2_overlay_session session;
    size_t plain_size = 0;
    if (size < P2_SESSION_BODY_BYTES) {
        return;
    }
    memcpy(record.signer.bytes, node.public_key, P2_ID_BYTES);
    record.body_size = P2_SESSION_BODY_BYTES;
    memcpy(record.body, data, P2_SESSION_BODY_BYTES);
    P2_ASSERT(p2_overlay_record_sign(plain, &plain_size, &record, &node, &rules) == P2_OK);
    memcpy(value, nonce, sizeof nonce);
    p2_xchacha_seal(value + sizeof nonce, plain, plain_size, p2_span(key.bytes, sizeof key.bytes),
                    nonce, keys.seal);
    if (p2_session_unseal(&session, NULL, p2_span(value, sizeof value), &key, NOW, &keys, &rules) ==
        P2_OK) {
        P2_ASSERT(p2_session_seal(again, &session, &key, &keys, nonce, &node, &rules) == P2_OK);
        P2_ASSERT(memcmp(again, value, sizeof value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct p2_overlay_record_place place = {P2_OVERLAY_RECORD_CAPACITY_AD, {{0}}, NOW};
    const struct p2_session_keys keys = {{0}, {0}};
    struct p2_overlay_session session;
    struct p2_overlay_record record;
    struct p2_span content;
    if (!is_ready) {
        prepare();
    }
    (void)p2_stamp_check(&content, NULL, p2_span(data, size), &place.key, &rules);
    (void)p2_overlay_record_open(&record, p2_span(data, size), &place, &rules);
    (void)p2_session_unseal(&session, NULL, p2_span(data, size), &place.key, NOW, &keys, &rules);
    check_body(P2_OVERLAY_RECORD_CAPACITY_AD, data, size);
    check_sealed_body(data, size);
    return 0;
}
