/* Proof of work on stored values; see the header. */
#include "overlay/stamp.h"

#include <string.h>

unsigned p2_leading_zero_bits(const uint8_t *bytes, size_t size)
{
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++, bits += 8) {
        if (bytes[i] != 0) {
            return bits + (unsigned)__builtin_clz(bytes[i]) - 24;
        }
    }
    return bits;
}

static void content_digest(uint8_t digest[P2_KEY_BYTES], struct p2_span content,
                           const struct p2_overlay_key *key, const struct p2_overlay_rules *rules)
{
    static const char domain[] = "p2c2r stamp";
    const struct p2_span parts[] = {
        p2_span(domain, sizeof domain),
        p2_span(rules->network_id, P2_KEY_BYTES),
        p2_span(key->bytes, P2_OVERLAY_KEY_BYTES),
        content,
    };
    p2_hash(digest, P2_KEY_BYTES, parts, P2_COUNT_OF(parts));
}

static void nonce_digest(uint8_t out[P2_KEY_BYTES], const uint8_t digest[P2_KEY_BYTES],
                         uint64_t nonce)
{
    uint8_t bytes[P2_STAMP_BYTES];
    p2_store_be64(bytes, nonce);
    const struct p2_span parts[] = {p2_span(digest, P2_KEY_BYTES), p2_span(bytes, sizeof bytes)};
    p2_hash(out, P2_KEY_BYTES, parts, P2_COUNT_OF(parts));
}

void p2_stamp_begin(struct p2_stamp_work *work, struct p2_span content,
                    const struct p2_overlay_key *key, const struct p2_overlay_rules *rules)
{
    P2_ASSERT(rules->stamp_bits <= P2_STAMP_BITS_MAX);
    content_digest(work->digest, content, key, rules);
    work->next_nonce = 0;
    work->bits = rules->stamp_bits;
}

bool p2_stamp_step(struct p2_stamp_work *work, uint32_t tries, uint64_t *ret_nonce)
{
    uint8_t out[P2_KEY_BYTES];
    for (uint32_t i = 0; i < tries; i++) {
        uint64_t nonce = work->next_nonce++;
        nonce_digest(out, work->digest, nonce);
        if (p2_leading_zero_bits(out, sizeof out) >= work->bits) {
            *ret_nonce = nonce;
            return true;
        }
    }
    return false;
}

int p2_stamp_append(uint8_t *value, size_t *size, size_t capacity, const struct p2_overlay_key *key,
                    const struct p2_overlay_rules *rules)
{
    struct p2_stamp_work work;
    uint64_t nonce = 0;
    if (*size > capacity || capacity - *size < P2_STAMP_BYTES) {
        return P2_E_FULL;
    }
    p2_stamp_begin(&work, p2_span(value, *size), key, rules);
    while (!p2_stamp_step(&work, 1024, &nonce)) {
        /* 2^24 tries on average at most; 2^64 nonces never run out */
    }
    p2_store_be64(value + *size, nonce);
    *size += P2_STAMP_BYTES;
    return P2_OK;
}

int p2_stamp_check(struct p2_span *ret_content, uint64_t *ret_digest, struct p2_span value,
                   const struct p2_overlay_key *key, const struct p2_overlay_rules *rules)
{
    uint8_t digest[P2_KEY_BYTES];
    uint8_t out[P2_KEY_BYTES];
    if (value.size < P2_STAMP_BYTES) {
        return P2_E_TRUNCATED;
    }
    struct p2_span content = p2_span(value.data, value.size - P2_STAMP_BYTES);
    content_digest(digest, content, key, rules);
    nonce_digest(out, digest, p2_load_be64(value.data + content.size));
    if (p2_leading_zero_bits(out, sizeof out) < rules->stamp_bits) {
        return P2_E_FLOOD;
    }
    *ret_content = content;
    if (ret_digest != NULL) {
        *ret_digest = p2_load_be64(digest); /* of the content: a second stamp changes nothing */
    }
    return P2_OK;
}
