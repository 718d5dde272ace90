/* Sealing and opening of invites; see the header. */
#include "overlay/invite.h"

#include "overlay/puzzle.h"

#include <string.h>

#define FLAG_AES     1u
#define RECORD_BYTES (P2_OVERLAY_RECORD_MIN + P2_INVITE_BODY_BYTES)
_Static_assert(P2_INVITE_VALUE_BYTES <= P2_OVERLAY_VALUE_MAX, "the value fits");

void p2_invite_inbox(struct p2_overlay_key *ret_key, const struct p2_id *helper, unsigned copy,
                     const struct p2_overlay_rules *rules)
{
    const uint8_t number = (uint8_t)copy;
    const struct p2_span parts[] = {p2_span(helper->bytes, P2_ID_BYTES), p2_span(&number, 1)};
    P2_ASSERT(copy < P2_INVITE_COPIES);
    p2_overlay_record_key(ret_key, "p2c2r inbox", rules, parts, P2_COUNT_OF(parts));
}

static void write_body(struct p2_overlay_record *raw, const struct p2_overlay_invite *invite)
{
    struct p2_writer writer;
    p2_writer_init(&writer, raw->body, sizeof raw->body);
    p2_writer_bytes(&writer, p2_span(invite->helper.bytes, P2_ID_BYTES));
    p2_writer_bytes(&writer, p2_span(invite->token, P2_INVITE_TOKEN_BYTES));
    p2_writer_u8(&writer, invite->has_aes ? FLAG_AES : 0);
    p2_endpoints_write(&writer, invite->endpoints, invite->endpoint_count, P2_INVITE_ENDPOINTS);
    P2_ASSERT(writer.error == P2_OK && writer.size == P2_INVITE_BODY_BYTES);
    raw->body_size = writer.size;
}

int p2_invite_seal(uint8_t out[P2_INVITE_SEALED_BYTES], const struct p2_overlay_invite *invite,
                   unsigned copy, const uint8_t ephemeral[P2_KEY_BYTES],
                   const struct p2_identity *identity, const struct p2_overlay_rules *rules)
{
    uint8_t plain[P2_OVERLAY_RECORD_MAX];
    uint8_t recipient[P2_KEY_BYTES];
    size_t size = 0;
    struct p2_overlay_record raw = {
        .kind = P2_OVERLAY_RECORD_INVITE,
        .signer = invite->authority,
        .not_before = invite->not_before,
        .expires = invite->expires,
        .sequence = invite->sequence,
        .puzzle_nonce = invite->puzzle_nonce,
    };
    if (invite->endpoint_count == 0 || invite->endpoint_count > P2_INVITE_ENDPOINTS) {
        return P2_E_RANGE;
    }
    int error = p2_id_to_exchange_key(recipient, invite->helper.bytes);
    if (error != P2_OK) {
        return error;
    }
    p2_invite_inbox(&raw.key, &invite->helper, copy, rules);
    write_body(&raw, invite);
    error = p2_overlay_record_sign(plain, &size, &raw, identity, rules);
    if (error == P2_OK) {
        P2_ASSERT(size == RECORD_BYTES);
        error = p2_box_seal(out, plain, size, ephemeral, recipient);
    }
    p2_secret_wipe(plain, sizeof plain);
    return error;
}

static int read_body(struct p2_overlay_invite *invite, const struct p2_overlay_record *raw)
{
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span(raw->body, raw->body_size));
    struct p2_span helper = p2_reader_bytes(&reader, P2_ID_BYTES);
    struct p2_span token = p2_reader_bytes(&reader, P2_INVITE_TOKEN_BYTES);
    uint8_t flags = p2_reader_u8(&reader);
    if ((flags & ~FLAG_AES) != 0) {
        p2_reader_fail(&reader, P2_E_RANGE);
    }
    p2_endpoints_read(&reader, invite->endpoints, &invite->endpoint_count, P2_INVITE_ENDPOINTS);
    int error = p2_reader_end(&reader);
    if (error != P2_OK) {
        return error;
    }
    memcpy(invite->helper.bytes, helper.data, P2_ID_BYTES);
    memcpy(invite->token, token.data, P2_INVITE_TOKEN_BYTES);
    invite->has_aes = (flags & FLAG_AES) != 0;
    invite->authority = raw->signer;
    invite->not_before = raw->not_before;
    invite->expires = raw->expires;
    invite->sequence = raw->sequence;
    invite->puzzle_nonce = raw->puzzle_nonce;
    return P2_OK;
}

/* ---- a helper's memory --------------------------------------------------------------------------- */

/* The same bytes again cost nothing more: both inboxes and every refresh repeat them. */
static bool is_copy(struct p2_invite_memory *memory, uint64_t digest)
{
    uint64_t wanted = digest != 0 ? digest : 1;
    for (size_t i = 0; i < P2_INVITE_MEMORY; i++) {
        if (memory->copies[i] == wanted) {
            return true;
        }
    }
    memory->copies[memory->next_copy] = wanted;
    memory->next_copy = (memory->next_copy + 1) % P2_INVITE_MEMORY;
    return false;
}

/* Uses the token up. Places of expired invites are used again: those are refused anyway. */
static int use_token(struct p2_invite_memory *memory, const struct p2_overlay_invite *invite,
                     uint64_t unix_s)
{
    size_t place = P2_INVITE_MEMORY;
    for (size_t i = 0; i < P2_INVITE_MEMORY; i++) {
        if (memory->seen[i].expires <= unix_s) {
            place = i;
        } else if (p2_id_equal(&memory->seen[i].authority, &invite->authority) &&
                   memcmp(memory->seen[i].token, invite->token, P2_INVITE_TOKEN_BYTES) == 0) {
            return P2_E_EXIST;
        }
    }
    if (place == P2_INVITE_MEMORY) {
        return P2_E_LIMIT;
    }
    memcpy(memory->seen[place].token, invite->token, P2_INVITE_TOKEN_BYTES);
    memory->seen[place].authority = invite->authority;
    memory->seen[place].expires = invite->expires;
    return P2_OK;
}

/* Stamp, copies and box: what comes before any signature. */
static int unseal(struct p2_invite_memory *memory, uint8_t plain[RECORD_BYTES],
                  struct p2_span value, const struct p2_overlay_key *key,
                  const struct p2_identity *helper, const struct p2_overlay_rules *rules)
{
    struct p2_span sealed;
    uint64_t digest;
    if (value.size != P2_INVITE_VALUE_BYTES) {
        return P2_E_MALFORMED;
    }
    memory->stamps++;
    int error = p2_stamp_check(&sealed, &digest, value, key, rules);
    if (error != P2_OK) {
        return error;
    }
    if (is_copy(memory, digest)) {
        return P2_E_EXIST;
    }
    memory->boxes++;
    return p2_box_open(plain, sealed.data, sealed.size, helper);
}

int p2_invite_open(struct p2_invite_memory *memory, struct p2_overlay_invite *ret_invite,
                   struct p2_span value, unsigned copy, uint64_t unix_s,
                   const struct p2_identity *helper, const struct p2_overlay_rules *rules)
{
    uint8_t plain[RECORD_BYTES];
    struct p2_overlay_record_place place = {.kind = P2_OVERLAY_RECORD_INVITE, .unix_s = unix_s};
    struct p2_overlay_record raw;
    struct p2_overlay_invite invite = {0};
    struct p2_id self;
    memcpy(self.bytes, helper->public_key, P2_ID_BYTES);
    p2_invite_inbox(&place.key, &self, copy, rules);
    int error = unseal(memory, plain, value, &place.key, helper, rules);
    if (error != P2_OK) {
        return error;
    }
    memory->signatures++;
    error = p2_overlay_record_open(&raw, p2_span(plain, sizeof plain), &place, rules);
    if (error == P2_OK) {
        error = read_body(&invite, &raw);
    }
    if (error == P2_OK && !p2_id_equal(&invite.helper, &self)) {
        error = P2_E_WRONG_PEER;
    }
    if (error == P2_OK) {
        memory->puzzles++;
        error = p2_puzzle_check(&invite.authority, invite.puzzle_nonce, rules->puzzle_bits);
    }
    if (error == P2_OK) {
        error = use_token(memory, &invite, unix_s);
    }
    if (error == P2_OK) {
        *ret_invite = invite;
    }
    return error;
}
