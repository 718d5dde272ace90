/* Ads and the shards they stand in; see the header. */
#include "overlay/capacity_ad.h"

#include "overlay/endpoints.h"

#include <string.h>

#define FLAG_AES 1u
_Static_assert(P2_REGION_LEN + 1 + 1 + 2 + 2 + 4 + P2_ENDPOINT_IP_BYTES + 1 +
                       2 * P2_CAPACITY_KERNELS ==
                   P2_CAPACITY_BODY_BYTES,
               "body size");

static bool is_region_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

bool p2_region_is_valid(const char *region)
{
    size_t length = strnlen(region, P2_REGION_MAX);
    for (size_t i = 0; i < length; i++) {
        if (!is_region_char(region[i])) {
            return false;
        }
    }
    return length >= 1 && length <= P2_REGION_LEN;
}

void p2_capacity_hash(const struct p2_id *helper, uint32_t *ret_bits, uint32_t *ret_rank)
{
    static const char domain[] = "p2c2r shard";
    const struct p2_span parts[] = {p2_span(domain, sizeof domain),
                                    p2_span(helper->bytes, P2_ID_BYTES)};
    uint8_t digest[P2_KEY_BYTES];
    p2_hash(digest, sizeof digest, parts, P2_COUNT_OF(parts));
    *ret_bits = p2_load_be32(digest);
    *ret_rank = p2_load_be32(digest + 4);
}

struct p2_shard p2_shard_of(uint32_t bits, uint8_t depth)
{
    P2_ASSERT(depth <= P2_DIRECTORY_DEPTH_MAX);
    uint32_t mask = depth == 0 ? 0 : UINT32_MAX << (32 - depth);
    return (struct p2_shard){bits & mask, depth};
}

void p2_shard_key(struct p2_overlay_key *ret_key, const char *region, struct p2_shard shard,
                  const struct p2_overlay_rules *rules)
{
    uint8_t label[P2_REGION_LEN] = {0};
    uint8_t place[5];
    P2_ASSERT(p2_region_is_valid(region));
    memcpy(label, region, strlen(region));
    place[0] = shard.depth;
    p2_store_be32(place + 1, shard.bits);
    const struct p2_span parts[] = {p2_span(label, sizeof label), p2_span(place, sizeof place)};
    p2_overlay_record_key(ret_key, "p2c2r directory", rules, parts, P2_COUNT_OF(parts));
}

uint16_t p2_capacity_kernel_tag(const char *name, uint32_t version)
{
    static const char domain[] = "p2c2r kernel tag";
    uint8_t number[4];
    uint8_t digest[P2_KEY_BYTES];
    p2_store_be32(number, version);
    const struct p2_span parts[] = {p2_span(domain, sizeof domain), p2_span(name, strlen(name) + 1),
                                    p2_span(number, sizeof number)};
    p2_hash(digest, sizeof digest, parts, P2_COUNT_OF(parts));
    uint16_t tag = p2_load_be16(digest);
    return tag != 0 ? tag : 1; /* 0 is an unused slot */
}

static bool are_fields_valid(const struct p2_capacity_ad *ad)
{
    if (!p2_region_is_valid(ad->region) || ad->depth > P2_DIRECTORY_DEPTH_MAX || ad->cores == 0 ||
        ad->kernel_count > P2_CAPACITY_KERNELS) {
        return false;
    }
    for (uint8_t i = 0; i < ad->kernel_count; i++) {
        if (ad->kernels[i] == 0 || (i > 0 && ad->kernels[i] <= ad->kernels[i - 1])) {
            return false;
        }
    }
    return true;
}

static void write_body(struct p2_overlay_record *raw, const struct p2_capacity_ad *ad)
{
    struct p2_writer writer;
    uint8_t label[P2_REGION_LEN] = {0};
    memcpy(label, ad->region, strlen(ad->region));
    p2_writer_init(&writer, raw->body, sizeof raw->body);
    p2_writer_bytes(&writer, p2_span(label, sizeof label));
    p2_writer_u8(&writer, ad->depth);
    p2_writer_u8(&writer, ad->has_aes ? FLAG_AES : 0);
    p2_writer_u16(&writer, ad->cores);
    p2_writer_u16(&writer, ad->free_slots);
    p2_writer_u32(&writer, ad->price_micro_dollars);
    p2_endpoint_ip_write(&writer, &ad->address);
    p2_writer_u8(&writer, ad->kernel_count);
    for (uint8_t i = 0; i < P2_CAPACITY_KERNELS; i++) {
        p2_writer_u16(&writer, i < ad->kernel_count ? ad->kernels[i] : 0);
    }
    P2_ASSERT(writer.error == P2_OK && writer.size == P2_CAPACITY_BODY_BYTES);
    raw->body_size = writer.size;
}

int p2_capacity_ad_sign(uint8_t out[P2_CAPACITY_VALUE_BYTES], size_t *ret_size,
                        struct p2_overlay_key *ret_key, const struct p2_capacity_ad *ad,
                        const struct p2_identity *identity, const struct p2_overlay_rules *rules)
{
    uint8_t signed_bytes[P2_OVERLAY_RECORD_MAX];
    struct p2_overlay_record raw = {
        .kind = P2_OVERLAY_RECORD_CAPACITY_AD,
        .signer = ad->helper,
        .not_before = ad->not_before,
        .expires = ad->expires,
        .sequence = ad->sequence,
        .puzzle_nonce = ad->puzzle_nonce,
    };
    uint32_t bits, rank;
    if (!are_fields_valid(ad)) {
        return P2_E_RANGE;
    }
    p2_capacity_hash(&ad->helper, &bits, &rank);
    p2_shard_key(&raw.key, ad->region, p2_shard_of(bits, ad->depth), rules);
    write_body(&raw, ad);
    size_t size = 0;
    int error = p2_overlay_record_sign(signed_bytes, &size, &raw, identity, rules);
    if (error == P2_OK) {
        memcpy(out, signed_bytes, size);
        *ret_size = size;
        *ret_key = raw.key;
    }
    return error;
}

static int read_region(char region[P2_REGION_MAX], struct p2_span label)
{
    memcpy(region, label.data, P2_REGION_LEN);
    region[P2_REGION_LEN] = '\0';
    size_t length = strlen(region);
    for (size_t i = length; i < P2_REGION_LEN; i++) {
        if (label.data[i] != 0) {
            return P2_E_NOT_CANONICAL;
        }
    }
    return p2_region_is_valid(region) ? P2_OK : P2_E_MALFORMED;
}

static int read_body(struct p2_capacity_ad *ad, const struct p2_overlay_record *raw)
{
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span(raw->body, raw->body_size));
    struct p2_span label = p2_reader_bytes(&reader, P2_REGION_LEN);
    ad->depth = p2_reader_u8(&reader);
    uint8_t flags = p2_reader_u8(&reader);
    ad->cores = p2_reader_u16(&reader);
    ad->free_slots = p2_reader_u16(&reader);
    ad->price_micro_dollars = p2_reader_u32(&reader);
    p2_endpoint_ip_read(&reader, &ad->address);
    ad->kernel_count = p2_reader_u8(&reader);
    for (uint8_t i = 0; i < P2_CAPACITY_KERNELS; i++) {
        uint16_t tag = p2_reader_u16(&reader);
        if (i < ad->kernel_count) {
            ad->kernels[i] = tag;
        } else if (tag != 0) {
            p2_reader_fail(&reader, P2_E_NOT_CANONICAL);
        }
    }
    int error = p2_reader_end(&reader);
    if (error == P2_OK) {
        error = read_region(ad->region, label);
    }
    if (error == P2_OK && ((flags & ~FLAG_AES) != 0 || !are_fields_valid(ad))) {
        error = P2_E_RANGE;
    }
    ad->has_aes = (flags & FLAG_AES) != 0;
    return error;
}

int p2_capacity_ad_open(struct p2_capacity_ad *ret_ad, struct p2_overlay_record *ret_raw,
                        struct p2_span content, const char *region, struct p2_shard shard,
                        uint64_t unix_s, const struct p2_overlay_rules *rules)
{
    struct p2_overlay_record_place place = {.kind = P2_OVERLAY_RECORD_CAPACITY_AD,
                                            .unix_s = unix_s};
    struct p2_capacity_ad ad = {0};
    struct p2_overlay_record raw;
    uint32_t bits, rank;
    p2_shard_key(&place.key, region, shard, rules);
    int error = p2_overlay_record_open(&raw, content, &place, rules);
    if (error == P2_OK) {
        error = read_body(&ad, &raw);
    }
    if (error != P2_OK) {
        return error;
    }
    p2_capacity_hash(&raw.signer, &bits, &rank);
    if (ad.depth != shard.depth || strcmp(ad.region, region) != 0 ||
        p2_shard_of(bits, shard.depth).bits != shard.bits) {
        return P2_E_UNSOLICITED;
    }
    ad.helper = raw.signer;
    ad.not_before = raw.not_before;
    ad.expires = raw.expires;
    ad.sequence = raw.sequence;
    ad.puzzle_nonce = raw.puzzle_nonce;
    *ret_ad = ad;
    if (ret_raw != NULL) {
        *ret_raw = raw;
    }
    return P2_OK;
}
