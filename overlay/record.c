/* The canonical form of records; see the header. */
#include "overlay/record.h"

#include <string.h>

/* One domain string per kind: a signature of one kind never passes for another. */
static const struct kind_rule {
    const char *domain;
    uint64_t life_s;
} kinds[P2_OVERLAY_RECORD_KINDS + 1] = {
    [P2_OVERLAY_RECORD_CAPACITY_AD] = {"p2c2r overlay capacity ad 1", P2_OVERLAY_RECORD_LIFE_S},
    [P2_OVERLAY_RECORD_INVITE] = {"p2c2r overlay invite 1", P2_INVITE_LIFE_S},
    [P2_OVERLAY_RECORD_SESSION] = {"p2c2r overlay session 1", P2_OVERLAY_RECORD_LIFE_S},
};

/* The rule of a kind as it stands in the bytes, or NULL. */
static const struct kind_rule *rule_of(unsigned kind)
{
    return kind >= 1 && kind <= P2_OVERLAY_RECORD_KINDS ? &kinds[kind] : NULL;
}

uint64_t p2_overlay_record_life_s(enum p2_overlay_record_kind kind)
{
    const struct kind_rule *rule = rule_of(kind);
    P2_ASSERT(rule != NULL);
    return rule->life_s;
}

/* A record that nobody could ever accept; not about now. */
static bool has_possible_times(const struct p2_overlay_record *record, const struct kind_rule *rule)
{
    return record->expires > record->not_before &&
           record->expires - record->not_before <= rule->life_s;
}

int p2_overlay_record_sign(uint8_t out[P2_OVERLAY_RECORD_MAX], size_t *ret_size,
                           const struct p2_overlay_record *record,
                           const struct p2_identity *identity, const struct p2_overlay_rules *rules)
{
    const struct kind_rule *rule = rule_of(record->kind);
    uint8_t signature[P2_SIGNATURE_BYTES];
    struct p2_writer writer;
    P2_ASSERT(memcmp(record->signer.bytes, identity->public_key, P2_ID_BYTES) == 0);
    if (rule == NULL || !has_possible_times(record, rule) ||
        record->body_size > P2_OVERLAY_RECORD_BODY_MAX) {
        return P2_E_RANGE;
    }
    p2_writer_init(&writer, out, P2_OVERLAY_RECORD_MAX);
    p2_writer_u8(&writer, P2_OVERLAY_RECORD_VERSION);
    p2_writer_u8(&writer, (uint8_t)record->kind);
    p2_writer_bytes(&writer, p2_span(record->signer.bytes, P2_ID_BYTES));
    p2_writer_bytes(&writer, p2_span(record->key.bytes, P2_OVERLAY_KEY_BYTES));
    p2_writer_u64(&writer, record->not_before);
    p2_writer_u64(&writer, record->expires);
    p2_writer_u64(&writer, record->sequence);
    p2_writer_u64(&writer, record->puzzle_nonce);
    p2_writer_bytes(&writer, p2_span(record->body, record->body_size));
    int error =
        p2_sign(signature, identity, rule->domain, rules->network_id, p2_writer_span(&writer));
    p2_writer_bytes(&writer, p2_span(signature, sizeof signature));
    P2_ASSERT(error == P2_OK && writer.error == P2_OK); /* the sizes were checked */
    *ret_size = writer.size;
    return P2_OK;
}

/* The fields behind version and kind. The bytes are authentic and of the right number. */
static void read_fields(struct p2_overlay_record *record, struct p2_span value)
{
    struct p2_reader reader;
    p2_reader_init(&reader, value);
    (void)p2_reader_u8(&reader); /* the version was compared before */
    record->kind = (enum p2_overlay_record_kind)p2_reader_u8(&reader);
    memcpy(record->signer.bytes, p2_reader_bytes(&reader, P2_ID_BYTES).data, P2_ID_BYTES);
    memcpy(record->key.bytes, p2_reader_bytes(&reader, P2_OVERLAY_KEY_BYTES).data,
           P2_OVERLAY_KEY_BYTES);
    record->not_before = p2_reader_u64(&reader);
    record->expires = p2_reader_u64(&reader);
    record->sequence = p2_reader_u64(&reader);
    record->puzzle_nonce = p2_reader_u64(&reader);
    record->body_size = value.size - P2_OVERLAY_RECORD_MIN;
    struct p2_span body = p2_reader_bytes(&reader, record->body_size);
    P2_ASSERT(reader.error == P2_OK);
    memset(record->body, 0, sizeof record->body);
    memcpy(record->body, body.data, body.size);
}

static int check_signature(struct p2_span value, const struct kind_rule *rule,
                           const struct p2_overlay_rules *rules)
{
    const uint8_t *signer = value.data + 2;
    size_t signed_size = value.size - P2_SIGNATURE_BYTES;
    if ((signer[P2_ID_BYTES - 1] & 0x80) != 0) {
        return P2_E_BAD_KEY;
    }
    return p2_verify(value.data + signed_size, signer, rule->domain, rules->network_id,
                     p2_span(value.data, signed_size));
}

static int check_time(const struct p2_overlay_record *record, const struct kind_rule *rule,
                      uint64_t unix_s)
{
    if (!has_possible_times(record, rule)) {
        return P2_E_RANGE;
    }
    if (record->not_before > unix_s && record->not_before - unix_s > P2_OVERLAY_RECORD_SKEW_S) {
        return P2_E_RANGE;
    }
    return unix_s < record->expires ? P2_OK : P2_E_EXPIRED;
}

int p2_overlay_record_open(struct p2_overlay_record *ret_record, struct p2_span value,
                           const struct p2_overlay_record_place *place,
                           const struct p2_overlay_rules *rules)
{
    struct p2_overlay_record record;
    if (value.size < P2_OVERLAY_RECORD_MIN) {
        return P2_E_TRUNCATED;
    }
    if (value.size > P2_OVERLAY_RECORD_MAX) {
        return P2_E_TOO_BIG;
    }
    if (value.data[0] != P2_OVERLAY_RECORD_VERSION) {
        return P2_E_BAD_VERSION;
    }
    const struct kind_rule *rule = rule_of(value.data[1]);
    if (rule == NULL) {
        return P2_E_BAD_TYPE;
    }
    int error = check_signature(value, rule, rules);
    if (error != P2_OK) {
        return error;
    }
    read_fields(&record, value);
    if (record.kind != place->kind || !p2_overlay_key_equal(&record.key, &place->key)) {
        return P2_E_UNSOLICITED;
    }
    error = check_time(&record, rule, place->unix_s);
    if (error != P2_OK) {
        return error;
    }
    *ret_record = record;
    return P2_OK;
}

void p2_overlay_record_key(struct p2_overlay_key *ret_key, const char *label,
                           const struct p2_overlay_rules *rules, const struct p2_span *parts,
                           size_t count)
{
    struct p2_span all[P2_OVERLAY_RECORD_KEY_PARTS_MAX + 2];
    uint8_t digest[P2_KEY_BYTES];
    P2_ASSERT(count <= P2_OVERLAY_RECORD_KEY_PARTS_MAX);
    all[0] = p2_span(label, strlen(label) + 1);
    all[1] = p2_span(rules->network_id, P2_KEY_BYTES);
    for (size_t i = 0; i < count; i++) {
        all[2 + i] = parts[i];
    }
    p2_hash(digest, sizeof digest, all, count + 2);
    memcpy(ret_key->bytes, digest, P2_OVERLAY_KEY_BYTES);
}
