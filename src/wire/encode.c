/* The encoder: msgpack-c's packer with a callback that writes into the caller's writer. The packer
 * object stands in each put function, so that the compiler sees the callback and inlines it. This
 * is the one file that includes msgpack-c. */
#include "wire/encode.h"
#include "wire/check.h"
#include "wire/schema.h"

#include <msgpack.h>
#include <string.h>

/* msgpack_packer_write. After the first write without room everything is refused. */
static inline int append(void *data, const char *bytes, size_t size)
{
    struct p2_writer *writer = data;
    if (writer->error != P2_OK || size > writer->capacity - writer->size) {
        writer->error = P2_E_FULL;
        return -1;
    }
    if (size > 0) {
        memcpy(writer->data + writer->size, bytes, size);
        writer->size += size;
    }
    return 0;
}

/* The packer's return values repeat the writer's sticky error; ignored for that reason. */
static void put_uint(struct p2_writer *writer, uint64_t value)
{
    msgpack_packer packer = {writer, append};
    (void)msgpack_pack_uint64(&packer, value);
}

static void put_int(struct p2_writer *writer, int64_t value)
{
    msgpack_packer packer = {writer, append};
    (void)msgpack_pack_int64(&packer, value);
}

static void put_bool(struct p2_writer *writer, bool value)
{
    msgpack_packer packer = {writer, append};
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

static void put_array(struct p2_writer *writer, size_t count)
{
    msgpack_packer packer = {writer, append};
    (void)msgpack_pack_array(&packer, count);
}

static void put_bytes(struct p2_writer *writer, struct p2_span bytes)
{
    msgpack_packer packer = {writer, append};
    (void)msgpack_pack_bin(&packer, bytes.size);
    (void)msgpack_pack_bin_body(&packer, bytes.data, bytes.size);
}

static void put_string(struct p2_writer *writer, struct p2_span text)
{
    msgpack_packer packer = {writer, append};
    (void)msgpack_pack_str(&packer, text.size);
    (void)msgpack_pack_str_body(&packer, text.data, text.size);
}

#define PUT_U8(name, of)     put_uint(writer, msg->name);
#define PUT_U16(name, of)    put_uint(writer, msg->name);
#define PUT_U32(name, of)    put_uint(writer, msg->name);
#define PUT_U64(name, of)    put_uint(writer, msg->name);
#define PUT_I64(name, of)    put_int(writer, msg->name);
#define PUT_BOOL(name, of)   put_bool(writer, msg->name);
#define PUT_ENUM(name, of)   put_uint(writer, msg->name);
#define PUT_BYTES(name, of)  put_bytes(writer, msg->name);
#define PUT_SECRET(name, of) put_bytes(writer, msg->name);
#define PUT_STRING(name, of) put_string(writer, msg->name);
#define PUT_FIXED(name, of)  put_bytes(writer, p2_span(msg->name, sizeof msg->name));
#define PUT_ID(name, of)     put_bytes(writer, p2_span(msg->name.bytes, sizeof msg->name.bytes));
#define PUT_NUMBERS(name, of)                          \
    put_array(writer, msg->name##_count);              \
    for (uint32_t i = 0; i < msg->name##_count; i++) { \
        put_uint(writer, msg->name[i]);                \
    }
#define PUT_LIST(name, of)                             \
    put_array(writer, msg->name##_count);              \
    for (uint32_t i = 0; i < msg->name##_count; i++) { \
        put_##of(writer, &msg->name[i]);               \
    }

#define P2_GROUP(name, doc)                                                           \
    static void put_##name(struct p2_writer *writer, const struct p2_msg_##name *msg) \
    {                                                                                 \
        put_array(writer, P2_WIRE_FIELDS_##name);
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_FIELD(kind, name, of, min, max, unit, doc)              PUT_##kind(name, of)
#define P2_GROUP_END(name)                                         }
#define P2_MESSAGE_END(name)                                       P2_GROUP_END(name)
#include "wire/messages.def"

/* Takes back what was written from `start` on unless it is a whole message of allowed size. */
static int finish(struct p2_writer *writer, size_t start, size_t size_max)
{
    int error = writer->error;
    if (error == P2_OK && writer->size - start > size_max) {
        error = P2_E_INVALID;
    }
    if (error != P2_OK) {
        writer->size = start;
    }
    return error;
}

#define P2_MESSAGE(NAME, name, number, from, to, class, size_max, doc)                   \
    int p2_wire_encode_##name(struct p2_writer *writer, const struct p2_msg_##name *msg) \
    {                                                                                    \
        size_t start = writer->size;                                                     \
        if (p2_wire_check_##name(msg) != P2_OK) {                                        \
            return P2_E_INVALID;                                                         \
        }                                                                                \
        put_##name(writer, msg);                                                         \
        return finish(writer, start, size_max);                                          \
    }
#include "wire/messages.def"

int p2_wire_encode(struct p2_writer *writer, const struct p2_msg *msg)
{
    switch (msg->type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        return p2_wire_encode_##name(writer, &msg->name);
#include "wire/messages.def"
    }
    return P2_E_BAD_TYPE;
}

/* ---- how much room a message needs ----------------------------------------------------------- */

#define BOUND_U8(name, of)     P2_WIRE_HEAD_U8
#define BOUND_U16(name, of)    P2_WIRE_HEAD_U16
#define BOUND_U32(name, of)    P2_WIRE_HEAD_U32
#define BOUND_U64(name, of)    P2_WIRE_HEAD_U64
#define BOUND_I64(name, of)    P2_WIRE_HEAD_I64
#define BOUND_BOOL(name, of)   P2_WIRE_HEAD_BOOL
#define BOUND_ENUM(name, of)   P2_WIRE_HEAD_ENUM
#define BOUND_BYTES(name, of)  P2_WIRE_HEAD_BYTES + msg->name.size
#define BOUND_SECRET(name, of) P2_WIRE_HEAD_SECRET + msg->name.size
#define BOUND_STRING(name, of) P2_WIRE_HEAD_STRING + msg->name.size
#define BOUND_FIXED(name, of)  P2_WIRE_HEAD_FIXED + sizeof msg->name
#define BOUND_ID(name, of)     P2_WIRE_HEAD_ID + sizeof msg->name.bytes
#define BOUND_NUMBERS(name, of) \
    P2_WIRE_HEAD_NUMBERS + (size_t)msg->name##_count *P2_WIRE_HEAD_OF_NUMBER_##of
#define BOUND_LIST(name, of) P2_WIRE_HEAD_LIST + bound_all_##of(msg->name, msg->name##_count)

#define P2_GROUP(name, doc)                                                         \
    static size_t bound_all_##name(const struct p2_msg_##name *msg, uint32_t count) \
    {                                                                               \
        size_t sum = 0;                                                             \
        for (; count > 0; count--, msg++) {                                         \
            sum += P2_WIRE_HEAD_RECORD
#define P2_GROUP_END(name) \
    ;                      \
    }                      \
    return sum;            \
    }
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    size_t p2_wire_bound_##name(const struct p2_msg_##name *msg)   \
    {                                                              \
        (void)msg; /* when all fields have a constant size */      \
        return P2_WIRE_HEAD_RECORD
#define P2_MESSAGE_END(name) \
    ;                        \
    }
#define P2_FIELD(kind, name, of, min, max, unit, doc) +BOUND_##kind(name, of)
#include "wire/messages.def"

size_t p2_wire_bound(const struct p2_msg *msg)
{
    switch (msg->type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        return p2_wire_bound_##name(&msg->name);
#include "wire/messages.def"
    }
    return 0;
}
