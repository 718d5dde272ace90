/* Session IDs and what follows from them; see the header. */
#include "overlay/session_id.h"

#include <string.h>

#define CHARACTERS 16
#define GROUP      4
#define POLYNOMIAL 0x25 /* a^5 + a^2 + 1, primitive over GF(2) */
_Static_assert(CHARACTERS * 5 == P2_SESSION_ID_BYTES * 8, "75 bits and a check character");

/* Character `index` (0..15) of the coded bytes, as a number of 5 bits. */
static unsigned symbol_at(const uint8_t coded[P2_SESSION_ID_BYTES], unsigned index)
{
    unsigned bit = index * 5;
    unsigned pair = (unsigned)coded[bit / 8] << 8;
    pair |= bit / 8 + 1 < P2_SESSION_ID_BYTES ? coded[bit / 8 + 1] : 0u;
    return pair >> (11 - bit % 8) & 31;
}

static unsigned times_a(unsigned x)
{
    x <<= 1;
    return (x & 32) != 0 ? x ^ POLYNOMIAL : x;
}

/* s0 a^15 + ... + s14 a, by Horner's rule: the value the check character must have. */
static unsigned check_symbol(const uint8_t coded[P2_SESSION_ID_BYTES])
{
    unsigned sum = 0;
    for (unsigned i = 0; i < CHARACTERS - 1; i++) {
        sum = times_a(sum ^ symbol_at(coded, i));
    }
    return sum;
}

int p2_session_id_derive(struct p2_session_id *ret_id, const struct p2_id *authority,
                         const uint8_t salt[P2_SALT_BYTES])
{
    uint8_t out[16];
    int error = p2_argon2id(out, sizeof out, p2_span(authority->bytes, P2_ID_BYTES), salt,
                            P2_SESSION_MEMORY_BYTES, P2_SESSION_PASSES);
    if (error == P2_OK) {
        memcpy(ret_id->bytes, out, P2_SESSION_ID_BYTES);
        ret_id->bytes[P2_SESSION_ID_BYTES - 1] &= 0xe0;
    }
    p2_secret_wipe(out, sizeof out);
    return error;
}

void p2_session_id_format(char text[P2_SESSION_ID_TEXT_MAX], const struct p2_session_id *id)
{
    uint8_t coded[P2_SESSION_ID_BYTES];
    char plain[CHARACTERS];
    memcpy(coded, id->bytes, sizeof coded);
    coded[P2_SESSION_ID_BYTES - 1] =
        (uint8_t)((coded[P2_SESSION_ID_BYTES - 1] & 0xe0) | check_symbol(id->bytes));
    p2_base32_encode(plain, coded, sizeof coded);
    for (unsigned i = 0; i < CHARACTERS; i++) {
        char c = plain[i];
        *text++ = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        if (i % GROUP == GROUP - 1 && i + 1 < CHARACTERS) {
            *text++ = '-';
        }
    }
    *text = '\0';
    p2_secret_wipe(plain, sizeof plain);
    p2_secret_wipe(coded, sizeof coded);
}

/* The 16 characters without hyphens. */
static int plain_characters(char plain[CHARACTERS], const char *text, size_t length)
{
    if (length == CHARACTERS) {
        memcpy(plain, text, CHARACTERS);
        return P2_OK;
    }
    if (length != P2_SESSION_ID_TEXT_LEN) {
        return P2_E_MALFORMED;
    }
    for (size_t i = 0, at = 0; i < length; i++) {
        if (i % (GROUP + 1) != GROUP) {
            plain[at++] = text[i];
        } else if (text[i] != '-') {
            return P2_E_MALFORMED;
        }
    }
    return P2_OK;
}

int p2_session_id_parse(struct p2_session_id *ret_id, const char *text, size_t length)
{
    char plain[CHARACTERS];
    uint8_t coded[P2_SESSION_ID_BYTES];
    int error = plain_characters(plain, text, length);
    if (error != P2_OK) {
        return error;
    }
    error = p2_base32_decode(coded, plain, CHARACTERS);
    if (error == P2_OK && symbol_at(coded, CHARACTERS - 1) != check_symbol(coded)) {
        error = P2_E_CHECKSUM;
    }
    if (error == P2_OK) {
        coded[P2_SESSION_ID_BYTES - 1] &= 0xe0;
        memcpy(ret_id->bytes, coded, sizeof coded);
    }
    p2_secret_wipe(plain, sizeof plain);
    p2_secret_wipe(coded, sizeof coded);
    return error;
}

bool p2_session_id_equal(const struct p2_session_id *a, const struct p2_session_id *b)
{
    return p2_secret_equal(a->bytes, b->bytes, P2_SESSION_ID_BYTES);
}

int p2_session_keys_derive(struct p2_session_keys *ret_keys, const struct p2_session_id *id,
                           const struct p2_overlay_rules *rules)
{
    static const char domain[] = "p2c2r session master";
    const struct p2_span parts[] = {p2_span(domain, sizeof domain),
                                    p2_span(rules->network_id, P2_KEY_BYTES)};
    uint8_t salt[P2_SALT_BYTES];
    uint8_t master[P2_KEY_BYTES];
    p2_hash(salt, sizeof salt, parts, P2_COUNT_OF(parts));
    int error = p2_argon2id(master, sizeof master, p2_span(id->bytes, P2_SESSION_ID_BYTES), salt,
                            P2_SESSION_MEMORY_BYTES, P2_SESSION_PASSES);
    if (error == P2_OK) {
        memcpy(ret_keys->master, master, sizeof master);
        p2_derive_key(ret_keys->seal, master, "p2c2r session seal", p2_span(NULL, 0));
    }
    p2_secret_wipe(master, sizeof master);
    return error;
}

uint64_t p2_session_slot(uint64_t unix_s)
{
    return unix_s / P2_SESSION_SLOT_S;
}

void p2_session_slot_key(struct p2_overlay_key *ret_key, const struct p2_session_keys *keys,
                         unsigned copy, uint64_t slot)
{
    uint8_t context[9];
    uint8_t key[P2_KEY_BYTES];
    P2_ASSERT(copy < P2_SESSION_COPIES);
    context[0] = (uint8_t)copy;
    p2_store_be64(context + 1, slot);
    p2_derive_key(key, keys->master, "p2c2r session key", p2_span(context, sizeof context));
    memcpy(ret_key->bytes, key, P2_OVERLAY_KEY_BYTES);
}
