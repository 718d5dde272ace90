/* The printer: one put function per kind of field, one print function per record. */
#include "wire/print.h"
#include "base/text.h"

#include <string.h>

/* Chosen: enough to recognise a piece of data, short enough for a line. */
#define SHOWN_BYTES    8
#define SHOWN_ELEMENTS 4

static void put(struct p2_writer *writer, const char *text)
{
    p2_writer_bytes(writer, p2_span(text, strlen(text)));
}

static void put_uint(struct p2_writer *writer, uint64_t value)
{
    char text[20]; /* digits of 2^64 */
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    p2_writer_bytes(writer, p2_span(text + at, sizeof text - at));
}

static void put_int(struct p2_writer *writer, int64_t value)
{
    if (value < 0) {
        put(writer, "-");
    }
    put_uint(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_hex(struct p2_writer *writer, struct p2_span bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        p2_writer_u8(writer, (uint8_t)digits[bytes.data[i] >> 4]);
        p2_writer_u8(writer, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

static void put_bytes(struct p2_writer *writer, struct p2_span bytes)
{
    put_uint(writer, bytes.size);
    put(writer, ":");
    put_hex(writer, p2_span(bytes.data, bytes.size < SHOWN_BYTES ? bytes.size : SHOWN_BYTES));
    put(writer, bytes.size > SHOWN_BYTES ? ".." : "");
}

static void put_secret(struct p2_writer *writer, struct p2_span bytes)
{
    put_uint(writer, bytes.size);
    put(writer, ":secret");
}

static void put_string(struct p2_writer *writer, struct p2_span text)
{
    char escaped[6 * P2_WIRE_STRING_MAX + 1]; /* \u001b is the longest escape of one byte */
    size_t size = p2_text_escape(escaped, sizeof escaped, text);
    put(writer, "\"");
    p2_writer_bytes(writer, p2_span(escaped, size));
    put(writer, "\"");
}

/* The value's name, or its number when it has none. */
static void put_enum(struct p2_writer *writer, const char *name, uint64_t value)
{
    if (name != NULL) {
        put(writer, name);
    } else {
        put_uint(writer, value);
    }
}

static void put_id(struct p2_writer *writer, const struct p2_id *id)
{
    char text[P2_ID_TEXT_MAX];
    p2_id_format(text, id);
    put(writer, text);
}

/* Ends a list of `count` elements of which at most SHOWN_ELEMENTS were written. */
static void put_rest(struct p2_writer *writer, uint32_t count)
{
    if (count > SHOWN_ELEMENTS) {
        put(writer, " and ");
        put_uint(writer, count - SHOWN_ELEMENTS);
        put(writer, " more");
    }
    put(writer, "]");
}

#define PRINT_U8(name, of)     put_uint(writer, msg->name);
#define PRINT_U16(name, of)    put_uint(writer, msg->name);
#define PRINT_U32(name, of)    put_uint(writer, msg->name);
#define PRINT_U64(name, of)    put_uint(writer, msg->name);
#define PRINT_I64(name, of)    put_int(writer, msg->name);
#define PRINT_BOOL(name, of)   put(writer, msg->name ? "true" : "false");
#define PRINT_ENUM(name, of)   put_enum(writer, p2_##of##_name(msg->name), msg->name);
#define PRINT_BYTES(name, of)  put_bytes(writer, msg->name);
#define PRINT_SECRET(name, of) put_secret(writer, msg->name);
#define PRINT_STRING(name, of) put_string(writer, msg->name);
#define PRINT_FIXED(name, of)  put_hex(writer, p2_span(msg->name, sizeof msg->name));
#define PRINT_ID(name, of)     put_id(writer, &msg->name);
#define PRINT_NUMBERS(name, of)                                              \
    put(writer, "[");                                                        \
    for (uint32_t i = 0; i < msg->name##_count && i < SHOWN_ELEMENTS; i++) { \
        put(writer, i > 0 ? " " : "");                                       \
        put_uint(writer, msg->name[i]);                                      \
    }                                                                        \
    put_rest(writer, msg->name##_count);
#define PRINT_LIST(name, of)                                                 \
    put(writer, "[");                                                        \
    for (uint32_t i = 0; i < msg->name##_count && i < SHOWN_ELEMENTS; i++) { \
        put(writer, i > 0 ? " {" : "{");                                     \
        print_##of(writer, &msg->name[i]);                                   \
        put(writer, "}");                                                    \
    }                                                                        \
    put_rest(writer, msg->name##_count);

#define P2_GROUP(name, doc)                                                             \
    static void print_##name(struct p2_writer *writer, const struct p2_msg_##name *msg) \
    {                                                                                   \
        const char *gap = "";
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_FIELD(kind, name, of, min, max, unit, doc) \
    put(writer, gap);                                 \
    put(writer, #name "=");                           \
    PRINT_##kind(name, of) gap = " ";
#define P2_GROUP_END(name) \
    (void)gap;             \
    }
#define P2_MESSAGE_END(name) P2_GROUP_END(name)
#include "wire/messages.def"

void p2_wire_print(struct p2_writer *writer, const struct p2_msg *msg)
{
    switch (msg->type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        put(writer, #NAME " ");                                    \
        print_##name(writer, &msg->name);                          \
        return;
#include "wire/messages.def"
    }
    put(writer, "UNKNOWN");
}
