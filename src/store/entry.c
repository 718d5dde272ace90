/* Key and value layout, checksum. */
#include "store/entry.h"

#include <string.h>

/* Odd numbers with about half of their bits set and no pattern: the first 64 bits behind the point
 * of the square roots of 2, 3, 5 and 7, made odd. */
#define ODD_1 UINT64_C(0x6a09e667f3bcc909)
#define ODD_2 UINT64_C(0xbb67ae8584caa73b)
#define ODD_3 UINT64_C(0x3c6ef372fe94f82b)
#define ODD_4 UINT64_C(0xa54ff53a5f1d36f1)

#define LANES      4
#define WORD_BYTES 8
#define BLOCK      (LANES * WORD_BYTES)

int p2_entry_key(struct p2_entry_key *ret_key, uint16_t table, uint8_t version, struct p2_span own)
{
    if (own.size > P2_STORE_KEY_MAX) {
        return P2_E_INVALID;
    }
    p2_store_be16(ret_key->bytes, table);
    ret_key->bytes[2] = version;
    if (own.size > 0) {
        memcpy(ret_key->bytes + P2_ENTRY_KEY_HEAD, own.data, own.size);
    }
    ret_key->size = P2_ENTRY_KEY_HEAD + own.size;
    return P2_OK;
}

bool p2_entry_key_after(struct p2_entry_key *key)
{
    while (key->size > 0 && key->bytes[key->size - 1] == UINT8_MAX) {
        key->size--;
    }
    if (key->size == 0) {
        return false;
    }
    key->bytes[key->size - 1]++;
    return true;
}

static uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline uint64_t step(uint64_t state, uint64_t word, uint64_t odd)
{
    return ((state << 29 | state >> 35) ^ word) * odd;
}

/* Takes bytes that need not be whole words; the length keeps padding apart from zeros. */
static uint64_t add_short(uint64_t state, struct p2_span bytes)
{
    uint64_t left = bytes.size;
    for (; bytes.size >= WORD_BYTES; bytes.size -= WORD_BYTES, bytes.data += WORD_BYTES) {
        state = step(state, load_le64(bytes.data), ODD_1);
    }
    uint8_t last[WORD_BYTES] = {0};
    if (bytes.size > 0) {
        memcpy(last, bytes.data, bytes.size);
    }
    state = step(state, load_le64(last), ODD_2);
    return step(state, left, ODD_3);
}

uint64_t p2_entry_checksum(struct p2_span key, uint8_t version, struct p2_span payload)
{
    uint64_t lanes[LANES] = {ODD_1, ODD_2, ODD_3, ODD_4};
    uint64_t state = add_short(version, key);
    const uint8_t *data = payload.data;
    size_t left = payload.size;
    for (; left >= BLOCK; left -= BLOCK, data += BLOCK) {
        lanes[0] = step(lanes[0], load_le64(data), ODD_1);
        lanes[1] = step(lanes[1], load_le64(data + WORD_BYTES), ODD_2);
        lanes[2] = step(lanes[2], load_le64(data + 2 * WORD_BYTES), ODD_3);
        lanes[3] = step(lanes[3], load_le64(data + 3 * WORD_BYTES), ODD_4);
    }
    for (size_t i = 0; i < LANES; i++) {
        state = step(state, lanes[i], ODD_4);
    }
    state = step(add_short(state, p2_span(data, left)), payload.size, ODD_1);
    /* The top bits of a product are the good ones: fold them into all. */
    state = (state ^ state >> 32) * ODD_2;
    return state ^ state >> 29;
}

void p2_entry_seal(uint8_t *out, struct p2_span key, uint8_t version, struct p2_span payload)
{
    out[0] = version;
    p2_store_be64(out + 1, p2_entry_checksum(key, version, payload));
    if (payload.size > 0) {
        memcpy(out + P2_ENTRY_VALUE_HEAD, payload.data, payload.size);
    }
}

int p2_entry_open(struct p2_span key, struct p2_span value, uint8_t *ret_version,
                  struct p2_span *ret_payload)
{
    if (value.size < P2_ENTRY_VALUE_HEAD) {
        return P2_E_CORRUPT;
    }
    struct p2_span payload =
        p2_span(value.data + P2_ENTRY_VALUE_HEAD, value.size - P2_ENTRY_VALUE_HEAD);
    if (p2_load_be64(value.data + 1) != p2_entry_checksum(key, value.data[0], payload)) {
        return P2_E_CORRUPT;
    }
    *ret_version = value.data[0];
    *ret_payload = payload;
    return P2_OK;
}
