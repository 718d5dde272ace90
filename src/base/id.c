/* Ids and their text form. */
#include "base/id.h"

#include <string.h>

/* 32 bytes of id + 3 bytes of check = 35 bytes = 56 characters. */
#define CHECK_BYTES 3
#define CODED_BYTES (P2_ID_BYTES + CHECK_BYTES)
_Static_assert(CODED_BYTES % 5 == 0 && CODED_BYTES / 5 * 8 == P2_ID_TEXT_LEN, "text length");

static const char alphabet[33] = "0123456789abcdefghjkmnpqrstvwxyz";

bool p2_id_equal(const struct p2_id *a, const struct p2_id *b)
{
    return memcmp(a->bytes, b->bytes, P2_ID_BYTES) == 0;
}

int p2_id_compare(const struct p2_id *a, const struct p2_id *b)
{
    return memcmp(a->bytes, b->bytes, P2_ID_BYTES);
}

static void check_bytes(uint8_t check[16], const uint8_t id[P2_ID_BYTES])
{
    static const char domain[] = "p2c2r id check";
    const struct p2_span parts[] = {p2_span(domain, sizeof domain), p2_span(id, P2_ID_BYTES)};
    p2_hash(check, 16, parts, P2_COUNT_OF(parts));
}

void p2_base32_encode(char *text, const uint8_t *data, size_t size)
{
    P2_ASSERT(size % 5 == 0);
    for (; size > 0; size -= 5, data += 5) {
        uint64_t bits = (uint64_t)data[0] << 32 | p2_load_be32(data + 1);
        for (int shift = 35; shift >= 0; shift -= 5) {
            *text++ = alphabet[bits >> shift & 31];
        }
    }
}

/* The value of a character, or -1. */
static int value_of(char character)
{
    char c = character;
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c - 'A' + 'a');
    }
    if (c == 'o') {
        return 0;
    }
    if (c == 'i' || c == 'l') {
        return 1;
    }
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;
    return found != NULL ? (int)(found - alphabet) : -1;
}

int p2_base32_decode(uint8_t *data, const char *text, size_t length)
{
    if (length % 8 != 0) {
        return P2_E_MALFORMED;
    }
    for (; length > 0; length -= 8, text += 8, data += 5) {
        uint64_t bits = 0;
        for (size_t i = 0; i < 8; i++) {
            int value = value_of(text[i]);
            if (value < 0) {
                return P2_E_MALFORMED;
            }
            bits = bits << 5 | (uint64_t)value;
        }
        data[0] = (uint8_t)(bits >> 32);
        p2_store_be32(data + 1, (uint32_t)bits);
    }
    return P2_OK;
}

void p2_id_format(char text[P2_ID_TEXT_MAX], const struct p2_id *id)
{
    uint8_t coded[CODED_BYTES];
    uint8_t check[16];
    check_bytes(check, id->bytes);
    memcpy(coded, id->bytes, P2_ID_BYTES);
    memcpy(coded + P2_ID_BYTES, check, CHECK_BYTES);
    p2_base32_encode(text, coded, CODED_BYTES);
    text[P2_ID_TEXT_LEN] = '\0';
}

int p2_id_parse(struct p2_id *ret_id, const char *text, size_t length)
{
    uint8_t coded[CODED_BYTES];
    uint8_t check[16];
    if (length != P2_ID_TEXT_LEN) {
        return P2_E_MALFORMED;
    }
    int error = p2_base32_decode(coded, text, length);
    if (error != P2_OK) {
        return error;
    }
    check_bytes(check, coded);
    if (memcmp(check, coded + P2_ID_BYTES, CHECK_BYTES) != 0) {
        return P2_E_CHECKSUM;
    }
    memcpy(ret_id->bytes, coded, P2_ID_BYTES);
    return P2_OK;
}

void p2_id_format_short(char text[P2_ID_SHORT_MAX], const struct p2_id *id)
{
    p2_base32_encode(text, id->bytes, 5);
    text[P2_ID_SHORT_MAX - 1] = '\0';
}
