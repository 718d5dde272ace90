/* UTF-8, strictly, and escaping. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The longest escape of one character is \U0010ffff; with its final zero. */
#define ESCAPE_MAX 11

/* What replaces the rest of a text that does not fit. */
#define CUT_MARK "..."

/* Length and payload of a sequence by its first byte; 0 for bytes that start none. */
static size_t sequence_length(uint8_t first, uint32_t *ret_bits)
{
    if (first < 0x80) {
        *ret_bits = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        *ret_bits = first & 0x1f;
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *ret_bits = first & 0x0f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *ret_bits = first & 0x07;
        return 4;
    }
    return 0;
}

size_t p2_text_decode(struct p2_span bytes, uint32_t *ret_scalar)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t scalar = 0;
    size_t length = bytes.size > 0 ? sequence_length(bytes.data[0], &scalar) : 0;
    if (length == 0 || length > bytes.size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        scalar = scalar << 6 | (bytes.data[i] & 0x3f);
    }
    if (scalar < smallest[length] || scalar > 0x10ffff || (scalar >= 0xd800 && scalar <= 0xdfff)) {
        return 0;
    }
    *ret_scalar = scalar;
    return length;
}

bool p2_text_is_hidden(uint32_t scalar)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } hidden[] = {
        {0x00, 0x1f},       /* C0 controls */
        {0x7f, 0x9f},       /* DEL and C1 controls */
        {0xad, 0xad},       /* soft hyphen */
        {0x61c, 0x61c},     /* Arabic letter mark */
        {0x180e, 0x180e},   /* Mongolian vowel separator */
        {0x200b, 0x200f},   /* zero width, left-to-right and right-to-left marks */
        {0x2028, 0x202e},   /* line and paragraph separators, embeddings and overrides */
        {0x2060, 0x206f},   /* word joiner, isolates, deprecated format characters */
        {0xfeff, 0xfeff},   /* byte order mark */
        {0xfff9, 0xfffb},   /* interlinear annotation */
        {0xe0000, 0xe007f}, /* tags */
    };
    for (size_t i = 0; i < P2_COUNT_OF(hidden); i++) {
        if (scalar >= hidden[i].first && scalar <= hidden[i].last) {
            return true;
        }
    }
    return false;
}

bool p2_text_is_clean(struct p2_span bytes)
{
    while (bytes.size > 0) {
        uint32_t scalar = 0;
        size_t length = p2_text_decode(bytes, &scalar);
        if (length == 0 || p2_text_is_hidden(scalar)) {
            return false;
        }
        bytes.data += length;
        bytes.size -= length;
    }
    return true;
}

/* The text for the first character of `bytes`; returns its length, the bytes used in ret_used. */
static size_t escape_one(char out[ESCAPE_MAX], struct p2_span bytes, size_t *ret_used)
{
    uint32_t scalar = 0;
    size_t used = p2_text_decode(bytes, &scalar);
    int length = 0;
    *ret_used = used > 0 ? used : 1;
    if (used == 0) {
        length = snprintf(out, ESCAPE_MAX, "\\x%02x", (unsigned)bytes.data[0]);
    } else if (scalar == '"' || scalar == '\\') {
        length = snprintf(out, ESCAPE_MAX, "\\%c", (char)scalar);
    } else if (scalar == '\n' || scalar == '\r' || scalar == '\t') {
        char letter = scalar == '\n' ? 'n' : scalar == '\r' ? 'r' : 't';
        length = snprintf(out, ESCAPE_MAX, "\\%c", letter);
    } else if (p2_text_is_hidden(scalar)) {
        length = snprintf(out, ESCAPE_MAX, scalar > 0xffff ? "\\U%08x" : "\\u%04x", scalar);
    } else {
        memcpy(out, bytes.data, used);
        out[used] = '\0';
        length = (int)used;
    }
    return (size_t)length;
}

size_t p2_text_escape(char *out, size_t capacity, struct p2_span bytes)
{
    const size_t mark = sizeof CUT_MARK - 1;
    size_t size = 0, whole = 0; /* `whole`: the last length that leaves room for the mark */
    P2_ASSERT(capacity > mark);
    while (bytes.size > 0) {
        char piece[ESCAPE_MAX];
        size_t used = 0;
        size_t length = escape_one(piece, bytes, &used);
        if (length > capacity - 1 - size) {
            memcpy(out + whole, CUT_MARK, mark);
            size = whole + mark;
            break;
        }
        memcpy(out + size, piece, length);
        size += length;
        if (size + mark <= capacity - 1) {
            whole = size;
        }
        bytes.data += used;
        bytes.size -= used;
    }
    out[size] = '\0';
    return size;
}

size_t p2_text_escape_string(char *out, size_t capacity, const char *text)
{
    return p2_text_escape(out, capacity, p2_span(text, strlen(text)));
}
