/* One function per record; the first field that is out of range decides. */
#include "wire/check.h"
#include "base/text.h"

/* Functions, because a comparison of an unsigned field with a minimum of 0 written in a macro is a
 * compiler warning. */
static int check_uint(uint64_t value, uint64_t min, uint64_t max)
{
    return value >= min && value <= max ? P2_OK : P2_E_RANGE;
}

static int check_int(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max ? P2_OK : P2_E_RANGE;
}

static int check_size(uint64_t size, uint64_t min, uint64_t max)
{
    return size >= min && size <= max ? P2_OK : P2_E_TOO_BIG;
}

static int check_string(struct p2_span text, uint64_t min, uint64_t max)
{
    int error = check_size(text.size, min, max);
    if (error == P2_OK && !p2_text_is_clean(text)) {
        error = P2_E_BAD_TEXT;
    }
    return error;
}

#define CHECK_U8(name, of, min, max)      error = check_uint(msg->name, min, max);
#define CHECK_U16(name, of, min, max)     error = check_uint(msg->name, min, max);
#define CHECK_U32(name, of, min, max)     error = check_uint(msg->name, min, max);
#define CHECK_U64(name, of, min, max)     error = check_uint(msg->name, min, max);
#define CHECK_I64(name, of, min, max)     error = check_int(msg->name, min, max);
#define CHECK_BOOL(name, of, min, max)    error = check_uint(msg->name, min, max);
#define CHECK_ENUM(name, of, min, max)    error = p2_##of##_name(msg->name) ? P2_OK : P2_E_RANGE;
#define CHECK_BYTES(name, of, min, max)   error = check_size(msg->name.size, min, max);
#define CHECK_SECRET(name, of, min, max)  error = check_size(msg->name.size, min, max);
#define CHECK_STRING(name, of, min, max)  error = check_string(msg->name, min, max);
#define CHECK_FIXED(name, of, min, max)   /* every content is right */
#define CHECK_ID(name, of, min, max)      /* the link checks that it is a key */
#define CHECK_NUMBERS(name, of, min, max) error = check_size(msg->name##_count, min, max);
#define CHECK_LIST(name, of, min, max)                                   \
    error = check_size(msg->name##_count, min, max);                     \
    for (uint32_t i = 0; error == P2_OK && i < msg->name##_count; i++) { \
        error = check_##of(&msg->name[i]);                               \
    }

#define P2_GROUP(name, doc)                                  \
    static int check_##name(const struct p2_msg_##name *msg) \
    {                                                        \
        int error = P2_OK;
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    int p2_wire_check_##name(const struct p2_msg_##name *msg)      \
    {                                                              \
        int error = P2_OK;
#define P2_FIELD(kind, name, of, min, max, unit, doc) \
    if (error == P2_OK) {                             \
        CHECK_##kind(name, of, min, max)              \
    }
#define P2_GROUP_END(name) \
    return error;          \
    }
#define P2_MESSAGE_END(name) P2_GROUP_END(name)
#include "wire/messages.def"

int p2_wire_check(const struct p2_msg *msg)
{
    switch (msg->type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        return p2_wire_check_##name(&msg->name);
#include "wire/messages.def"
    }
    return P2_E_BAD_TYPE;
}
