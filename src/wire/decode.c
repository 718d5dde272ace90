/* The decoders: the fields of messages.def in their order, each read within its bounds. */
#include "wire/decode.h"
#include "wire/reader.h"
#include "wire/schema.h"

/* A number that names a value of an enum, as its name function tells. */
static uint64_t get_enum(struct p2_mp_reader *reader, const char *(*name_of)(uint64_t))
{
    uint64_t value = p2_mp_uint(reader, 0, UINT8_MAX);
    if (reader->error == P2_OK && name_of(value) == NULL) {
        reader->error = P2_E_RANGE;
    }
    return value;
}

#define GET_U8(name, of, min, max)     msg->name = (uint8_t)p2_mp_uint(reader, min, max);
#define GET_U16(name, of, min, max)    msg->name = (uint16_t)p2_mp_uint(reader, min, max);
#define GET_U32(name, of, min, max)    msg->name = (uint32_t)p2_mp_uint(reader, min, max);
#define GET_U64(name, of, min, max)    msg->name = p2_mp_uint(reader, min, max);
#define GET_I64(name, of, min, max)    msg->name = p2_mp_int(reader, min, max);
#define GET_BOOL(name, of, min, max)   msg->name = p2_mp_bool(reader);
#define GET_ENUM(name, of, min, max)   msg->name = (enum p2_##of)get_enum(reader, p2_##of##_name);
#define GET_BYTES(name, of, min, max)  msg->name = p2_mp_bytes(reader, min, max);
#define GET_SECRET(name, of, min, max) msg->name = p2_mp_bytes(reader, min, max);
#define GET_STRING(name, of, min, max) msg->name = p2_mp_string(reader, min, max);
#define GET_FIXED(name, of, min, max)  p2_mp_fixed(reader, msg->name, max);
#define GET_ID(name, of, min, max)     p2_mp_fixed(reader, msg->name.bytes, max);
#define GET_NUMBERS(name, of, min, max)                                                       \
    msg->name##_count = p2_mp_array(reader, min, max);                                        \
    for (uint32_t i = 0; i < msg->name##_count; i++) {                                        \
        msg->name[i] = (P2_WIRE_NUMBER_##of)p2_mp_uint(reader, 0, (P2_WIRE_NUMBER_##of) - 1); \
    }                                                                                         \
    p2_mp_leave(reader);
#define GET_LIST(name, of, min, max)                                             \
    msg->name##_count = p2_mp_array(reader, min, max);                           \
    for (uint32_t i = 0; i < msg->name##_count && reader->error == P2_OK; i++) { \
        get_##of(reader, &msg->name[i]);                                         \
    }                                                                            \
    p2_mp_leave(reader);

#define P2_GROUP(name, doc)                                                        \
    static void get_##name(struct p2_mp_reader *reader, struct p2_msg_##name *msg) \
    {                                                                              \
        p2_mp_record(reader, P2_WIRE_FIELDS_##name);
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_FIELD(kind, name, of, min, max, unit, doc)              GET_##kind(name, of, min, max)
#define P2_GROUP_END(name) \
    p2_mp_leave(reader);   \
    }
#define P2_MESSAGE_END(name) P2_GROUP_END(name)
#include "wire/messages.def"

#define P2_MESSAGE(NAME, name, number, from, to, class, size_max, doc)        \
    int p2_wire_decode_##name(struct p2_msg_##name *msg, struct p2_span body) \
    {                                                                         \
        struct p2_mp_reader reader;                                           \
        if (body.size > (size_max)) {                                         \
            return P2_E_TOO_BIG;                                              \
        }                                                                     \
        p2_mp_init(&reader, body);                                            \
        get_##name(&reader, msg);                                             \
        return p2_mp_end(&reader);                                            \
    }
#include "wire/messages.def"

int p2_wire_decode(struct p2_msg *msg, uint8_t type, struct p2_span body)
{
    switch (type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        msg->type = P2_MSG_##NAME;                                 \
        return p2_wire_decode_##name(&msg->name, body);
#include "wire/messages.def"
    default:
        return P2_E_BAD_TYPE;
    }
}
