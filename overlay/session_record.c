/* Sealed session records and the order of their checks; see the header. */
#include "overlay/session_record.h"

#include "overlay/puzzle.h"

#include <string.h>

#define FLAG_LOCKED  1u
#define FLAG_AES     2u
#define RECORD_BYTES (P2_OVERLAY_RECORD_MIN + P2_SESSION_BODY_BYTES)
_Static_assert(P2_SESSION_BODY_BYTES <= P2_OVERLAY_RECORD_BODY_MAX, "the body fits");
_Static_assert(P2_SESSION_VALUE_BYTES <= P2_OVERLAY_VALUE_MAX, "the value fits");

static void write_body(struct p2_overlay_record *raw, const struct p2_overlay_session *record)
{
    struct p2_writer writer;
    unsigned flags = (record->is_locked ? FLAG_LOCKED : 0) | (record->has_aes ? FLAG_AES : 0);
    p2_writer_init(&writer, raw->body, sizeof raw->body);
    p2_writer_bytes(&writer, p2_span(record->salt, P2_SALT_BYTES));
    p2_writer_u8(&writer, (uint8_t)flags);
    p2_endpoints_write(&writer, record->endpoints, record->endpoint_count, P2_SESSION_ENDPOINTS);
    P2_ASSERT(writer.error == P2_OK && writer.size == P2_SESSION_BODY_BYTES);
    raw->body_size = writer.size;
}

int p2_session_seal(uint8_t value[P2_SESSION_VALUE_BYTES], const struct p2_overlay_session *record,
                    const struct p2_overlay_key *key, const struct p2_session_keys *keys,
                    const uint8_t nonce[P2_XNONCE_BYTES], const struct p2_identity *identity,
                    const struct p2_overlay_rules *rules)
{
    uint8_t plain[P2_OVERLAY_RECORD_MAX];
    size_t size = 0;
    struct p2_overlay_record raw = {
        .kind = P2_OVERLAY_RECORD_SESSION,
        .signer = record->authority,
        .key = *key,
        .not_before = record->not_before,
        .expires = record->expires,
        .sequence = record->sequence,
        .puzzle_nonce = record->puzzle_nonce,
    };
    if (record->endpoint_count == 0 || record->endpoint_count > P2_SESSION_ENDPOINTS) {
        return P2_E_RANGE;
    }
    write_body(&raw, record);
    int error = p2_overlay_record_sign(plain, &size, &raw, identity, rules);
    if (error != P2_OK) {
        return error;
    }
    P2_ASSERT(size == RECORD_BYTES);
    memcpy(value, nonce, P2_XNONCE_BYTES);
    p2_xchacha_seal(value + P2_XNONCE_BYTES, plain, size, p2_span(key->bytes, P2_OVERLAY_KEY_BYTES),
                    nonce, keys->seal);
    return P2_OK;
}

static int read_body(struct p2_overlay_session *record, const struct p2_overlay_record *raw)
{
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span(raw->body, raw->body_size));
    struct p2_span salt = p2_reader_bytes(&reader, P2_SALT_BYTES);
    uint8_t flags = p2_reader_u8(&reader);
    if ((flags & ~(FLAG_LOCKED | FLAG_AES)) != 0) {
        p2_reader_fail(&reader, P2_E_RANGE);
    }
    p2_endpoints_read(&reader, record->endpoints, &record->endpoint_count, P2_SESSION_ENDPOINTS);
    int error = p2_reader_end(&reader);
    if (error != P2_OK) {
        return error;
    }
    memcpy(record->salt, salt.data, P2_SALT_BYTES);
    record->is_locked = (flags & FLAG_LOCKED) != 0;
    record->has_aes = (flags & FLAG_AES) != 0;
    record->authority = raw->signer;
    record->not_before = raw->not_before;
    record->expires = raw->expires;
    record->sequence = raw->sequence;
    record->puzzle_nonce = raw->puzzle_nonce;
    return P2_OK;
}

static int decrypt(uint8_t plain[RECORD_BYTES], struct p2_span value,
                   const struct p2_overlay_key *key, const struct p2_session_keys *keys)
{
    if (value.size != P2_SESSION_VALUE_BYTES) {
        return P2_E_MALFORMED;
    }
    return p2_xchacha_open(plain, value.data + P2_XNONCE_BYTES, value.size - P2_XNONCE_BYTES,
                           p2_span(key->bytes, P2_OVERLAY_KEY_BYTES), value.data, keys->seal);
}

static int open_plain(struct p2_overlay_session *ret_record, struct p2_overlay_record *ret_raw,
                      const uint8_t plain[RECORD_BYTES], const struct p2_overlay_key *key,
                      uint64_t unix_s, const struct p2_overlay_rules *rules)
{
    const struct p2_overlay_record_place place = {P2_OVERLAY_RECORD_SESSION, *key, unix_s};
    struct p2_overlay_session record = {0};
    struct p2_overlay_record raw;
    int error = p2_overlay_record_open(&raw, p2_span(plain, RECORD_BYTES), &place, rules);
    if (error == P2_OK) {
        error = read_body(&record, &raw);
    }
    if (error == P2_OK) {
        *ret_record = record;
        if (ret_raw != NULL) {
            *ret_raw = raw;
        }
    }
    return error;
}

int p2_session_unseal(struct p2_overlay_session *ret_record, struct p2_overlay_record *ret_raw,
                      struct p2_span value, const struct p2_overlay_key *key, uint64_t unix_s,
                      const struct p2_session_keys *keys, const struct p2_overlay_rules *rules)
{
    uint8_t plain[RECORD_BYTES];
    int error = decrypt(plain, value, key, keys);
    return error == P2_OK ? open_plain(ret_record, ret_raw, plain, key, unix_s, rules) : error;
}

/* ---- the checker -------------------------------------------------------------------------------- */

void p2_session_checker_init(struct p2_session_checker *checker, const struct p2_session_id *id,
                             const struct p2_id *known_key, const struct p2_session_keys *keys,
                             const struct p2_overlay_rules *rules)
{
    memset(checker, 0, sizeof *checker);
    checker->rules = rules;
    checker->keys = keys;
    checker->id = *id;
    if (known_key != NULL) {
        checker->known_key = *known_key;
        checker->has_known_key = true;
    }
    p2_session_checker_renew(checker);
}

void p2_session_checker_renew(struct p2_session_checker *checker)
{
    checker->argons_left = P2_SESSION_ARGONS;
    checker->puzzles_left = P2_SESSION_PUZZLES;
}

static const int *verdict_on(const struct p2_session_checker *checker, const struct p2_id *key)
{
    for (uint32_t i = 0; i < checker->verdict_count; i++) {
        if (p2_id_equal(&checker->verdicts[i].key, key)) {
            return &checker->verdicts[i].verdict;
        }
    }
    return NULL;
}

static void remember(struct p2_session_checker *checker, const struct p2_id *key, int verdict)
{
    checker->verdicts[checker->next_verdict].key = *key;
    checker->verdicts[checker->next_verdict].verdict = verdict;
    checker->next_verdict = (checker->next_verdict + 1) % P2_SESSION_VERDICTS;
    if (checker->verdict_count < P2_SESSION_VERDICTS) {
        checker->verdict_count++;
    }
}

/* The two slow checks. P2_E_LIMIT and P2_E_NOMEM say nothing about the key. */
static int judge(struct p2_session_checker *checker, const struct p2_overlay_session *record)
{
    struct p2_session_id id;
    if (checker->puzzles_left == 0 || checker->argons_left == 0) {
        return P2_E_LIMIT;
    }
    checker->puzzles_left--;
    checker->puzzles++;
    int error =
        p2_puzzle_check(&record->authority, record->puzzle_nonce, checker->rules->puzzle_bits);
    if (error != P2_OK) {
        return error;
    }
    checker->argons_left--;
    checker->argons++;
    error = p2_session_id_derive(&id, &record->authority, record->salt);
    if (error != P2_OK) {
        return error;
    }
    return p2_session_id_equal(&id, &checker->id) ? P2_OK : P2_E_WRONG_PEER;
}

int p2_session_check(struct p2_session_checker *checker, struct p2_overlay_session *ret_record,
                     struct p2_overlay_record *ret_raw, struct p2_span value,
                     const struct p2_overlay_key *key, uint64_t unix_s)
{
    uint8_t plain[RECORD_BYTES];
    struct p2_overlay_session record;
    struct p2_overlay_record raw;
    checker->decryptions++;
    int error = decrypt(plain, value, key, checker->keys);
    if (error != P2_OK) {
        return error;
    }
    checker->signatures++;
    error = open_plain(&record, &raw, plain, key, unix_s, checker->rules);
    if (error != P2_OK) {
        return error;
    }
    if (checker->has_known_key && !p2_id_equal(&checker->known_key, &record.authority)) {
        return P2_E_WRONG_PEER;
    }
    const int *verdict = verdict_on(checker, &record.authority);
    if (verdict != NULL) {
        error = *verdict;
    } else {
        error = judge(checker, &record);
        if (error != P2_E_LIMIT && error != P2_E_NOMEM) {
            remember(checker, &record.authority, error);
        }
    }
    if (error == P2_OK) {
        *ret_record = record;
        if (ret_raw != NULL) {
            *ret_raw = raw;
        }
    }
    return error;
}
