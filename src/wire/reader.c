/* The bounded msgpack reader. Every function first takes the head of a value: its first byte and
 * the number that follows it, in its shortest form. */
#include "wire/reader.h"
#include "base/text.h"

#include <string.h>

/* First bytes of the types we read (msgpack specification, "Overview"). */
enum {
    FIX_ARRAY = 0x90, /* to 0x9f: count in the low 4 bits */
    FIX_STR = 0xa0,   /* to 0xbf: length in the low 5 bits */
    FALSE_ = 0xc2,
    TRUE_ = 0xc3,
    BIN_8 = 0xc4, /* BIN_8 + i: length of 2^i bytes */
    UINT_8 = 0xcc,
    INT_8 = 0xd0,
    STR_8 = 0xd9,
    ARRAY_16 = 0xdc, /* ARRAY_16 + i: count of 2^(i+1) bytes */
    FIX_NEGATIVE = 0xe0
};

void p2_mp_init(struct p2_mp_reader *reader, struct p2_span bytes)
{
    *reader = (struct p2_mp_reader){.at = bytes.data, .left = bytes.size, .depth = 0, .error = 0};
}

static void fail(struct p2_mp_reader *reader, int error)
{
    if (reader->error == P2_OK) {
        reader->error = error;
    }
}

static void skip(struct p2_mp_reader *reader, size_t size)
{
    reader->at += size;
    reader->left -= size;
}

/* True when there is a first byte to look at. */
static bool has_head(struct p2_mp_reader *reader)
{
    if (reader->error == P2_OK && reader->left == 0) {
        fail(reader, P2_E_TRUNCATED);
    }
    return reader->error == P2_OK;
}

/* Takes the first byte and the big-endian number of 2^width_log2 bytes after it. A number below
 * `least` has a shorter encoding. Returns 0 with the error set when it is not there. */
static uint64_t take_wide(struct p2_mp_reader *reader, unsigned width_log2, uint64_t least)
{
    size_t width = (size_t)1 << width_log2;
    if (width > reader->left - 1) {
        fail(reader, P2_E_TRUNCATED);
        return 0;
    }
    const uint8_t *at = reader->at + 1;
    uint64_t value = 0;
    switch (width_log2) {
    case 0:
        value = at[0];
        break;
    case 1:
        value = p2_load_be16(at);
        break;
    case 2:
        value = p2_load_be32(at);
        break;
    default:
        value = p2_load_be64(at);
        break;
    }
    if (value < least) {
        fail(reader, P2_E_NOT_CANONICAL);
        return 0;
    }
    skip(reader, 1 + width);
    return value;
}

/* What a number of 2^width_log2 bytes must at least be, when one byte can hold what is below
 * `fixed` already and each width what is below the next. */
static uint64_t least_of_width(unsigned width_log2, uint64_t fixed)
{
    return width_log2 == 0 ? fixed : UINT64_C(1) << (8u << (width_log2 - 1));
}

uint64_t p2_mp_uint(struct p2_mp_reader *reader, uint64_t min, uint64_t max)
{
    if (!has_head(reader)) {
        return 0;
    }
    uint8_t head = *reader->at;
    uint64_t value = head;
    if (head < 0x80) {
        skip(reader, 1);
    } else if (head >= UINT_8 && head <= UINT_8 + 3) {
        unsigned width_log2 = head - (unsigned)UINT_8;
        value = take_wide(reader, width_log2, least_of_width(width_log2, 0x80));
    } else {
        fail(reader, P2_E_MALFORMED);
    }
    if (reader->error == P2_OK && (value < min || value > max)) {
        fail(reader, P2_E_RANGE);
    }
    return reader->error == P2_OK ? value : 0;
}

/* A negative number of 2^width_log2 bytes in two's complement. */
static int64_t take_negative(struct p2_mp_reader *reader, unsigned width_log2)
{
    uint64_t bits = take_wide(reader, width_log2, 0);
    if (reader->error != P2_OK) {
        return 0;
    }
    unsigned width_bits = 8u << width_log2;
    if (bits >> (width_bits - 1) == 0) {
        fail(reader, P2_E_NOT_CANONICAL); /* not negative: has an unsigned form */
        return 0;
    }
    /* ~bits within the width is the magnitude less one, and never overflows. */
    uint64_t below = ~bits & (UINT64_MAX >> (64 - width_bits));
    uint64_t shorter = width_log2 == 0 ? 32 : UINT64_C(1) << ((8u << (width_log2 - 1)) - 1);
    if (below < shorter) {
        fail(reader, P2_E_NOT_CANONICAL);
        return 0;
    }
    return -(int64_t)below - 1;
}

int64_t p2_mp_int(struct p2_mp_reader *reader, int64_t min, int64_t max)
{
    if (!has_head(reader)) {
        return 0;
    }
    uint8_t head = *reader->at;
    int64_t value = 0;
    if (head >= FIX_NEGATIVE) {
        value = (int64_t)head - 0x100;
        skip(reader, 1);
    } else if (head >= INT_8 && head <= INT_8 + 3) {
        value = take_negative(reader, head - (unsigned)INT_8);
    } else {
        value = (int64_t)p2_mp_uint(reader, 0, INT64_MAX);
    }
    if (reader->error == P2_OK && (value < min || value > max)) {
        fail(reader, P2_E_RANGE);
    }
    return reader->error == P2_OK ? value : 0;
}

bool p2_mp_bool(struct p2_mp_reader *reader)
{
    if (!has_head(reader)) {
        return false;
    }
    uint8_t head = *reader->at;
    if (head != FALSE_ && head != TRUE_) {
        fail(reader, P2_E_MALFORMED);
        return false;
    }
    skip(reader, 1);
    return head == TRUE_;
}

/* The `length` bytes that follow a head, when that is within [min, max]. */
static struct p2_span take_body(struct p2_mp_reader *reader, uint64_t length, size_t min,
                                size_t max)
{
    if (reader->error == P2_OK && length > max) {
        fail(reader, P2_E_TOO_BIG);
    }
    if (reader->error == P2_OK && length < min) {
        fail(reader, P2_E_RANGE);
    }
    if (reader->error == P2_OK && length > reader->left) {
        fail(reader, P2_E_TRUNCATED);
    }
    if (reader->error != P2_OK) {
        return p2_span(NULL, 0);
    }
    struct p2_span body = p2_span(reader->at, (size_t)length);
    skip(reader, (size_t)length);
    return body;
}

struct p2_span p2_mp_bytes(struct p2_mp_reader *reader, size_t min, size_t max)
{
    if (!has_head(reader)) {
        return p2_span(NULL, 0);
    }
    uint8_t head = *reader->at;
    if (head < BIN_8 || head > BIN_8 + 2) {
        fail(reader, P2_E_MALFORMED);
        return p2_span(NULL, 0);
    }
    unsigned width_log2 = head - (unsigned)BIN_8;
    uint64_t length = take_wide(reader, width_log2, least_of_width(width_log2, 0));
    return take_body(reader, length, min, max);
}

struct p2_span p2_mp_string(struct p2_mp_reader *reader, size_t min, size_t max)
{
    if (!has_head(reader)) {
        return p2_span(NULL, 0);
    }
    uint8_t head = *reader->at;
    uint64_t length = head & 0x1fu;
    if (head >= STR_8 && head <= STR_8 + 2) {
        unsigned width_log2 = head - (unsigned)STR_8;
        length = take_wide(reader, width_log2, least_of_width(width_log2, 0x20));
    } else if ((head & 0xe0) == FIX_STR) {
        skip(reader, 1);
    } else {
        fail(reader, P2_E_MALFORMED);
    }
    struct p2_span text = take_body(reader, length, min, max);
    if (!p2_text_is_clean(text)) {
        fail(reader, P2_E_BAD_TEXT);
        return p2_span(NULL, 0);
    }
    return text;
}

void p2_mp_fixed(struct p2_mp_reader *reader, uint8_t *out, size_t size)
{
    struct p2_span bytes = p2_mp_bytes(reader, size, size);
    if (bytes.size == size && size > 0) {
        memcpy(out, bytes.data, size);
    }
}

/* Takes the head of an array and counts one level more. */
static uint64_t enter(struct p2_mp_reader *reader)
{
    if (!has_head(reader)) {
        return 0;
    }
    if (reader->depth == P2_WIRE_DEPTH_MAX) {
        fail(reader, P2_E_TOO_DEEP);
        return 0;
    }
    uint8_t head = *reader->at;
    uint64_t count = head & 0x0fu;
    if (head == ARRAY_16 || head == ARRAY_16 + 1) {
        unsigned width_log2 = head - (unsigned)ARRAY_16 + 1;
        count = take_wide(reader, width_log2, width_log2 == 1 ? 0x10 : UINT64_C(1) << 16);
    } else if ((head & 0xf0) == FIX_ARRAY) {
        skip(reader, 1);
    } else {
        fail(reader, P2_E_MALFORMED);
    }
    reader->depth += reader->error == P2_OK;
    return count;
}

uint32_t p2_mp_array(struct p2_mp_reader *reader, uint32_t min, uint32_t max)
{
    uint64_t count = enter(reader);
    if (reader->error == P2_OK && count > max) {
        fail(reader, P2_E_TOO_BIG);
    }
    if (reader->error == P2_OK && count < min) {
        fail(reader, P2_E_RANGE);
    }
    if (reader->error == P2_OK && count > reader->left) {
        fail(reader, P2_E_TRUNCATED); /* every element has at least one byte */
    }
    return reader->error == P2_OK ? (uint32_t)count : 0;
}

void p2_mp_record(struct p2_mp_reader *reader, uint32_t fields)
{
    uint64_t count = enter(reader);
    if (reader->error == P2_OK && count != fields) {
        fail(reader, P2_E_MALFORMED);
    }
}

void p2_mp_leave(struct p2_mp_reader *reader)
{
    if (reader->error == P2_OK) {
        P2_ASSERT(reader->depth > 0);
        reader->depth--;
    }
}

int p2_mp_end(const struct p2_mp_reader *reader)
{
    if (reader->error != P2_OK) {
        return reader->error;
    }
    return reader->left == 0 ? P2_OK : P2_E_TRAILING;
}
