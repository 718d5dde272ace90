/* Comparison, one function per record; elements beyond a count have no value and are not read. */
#include "wire/equal.h"

#include <string.h>

#define EQUAL_U8(name, of)     a->name == b->name
#define EQUAL_U16(name, of)    a->name == b->name
#define EQUAL_U32(name, of)    a->name == b->name
#define EQUAL_U64(name, of)    a->name == b->name
#define EQUAL_I64(name, of)    a->name == b->name
#define EQUAL_BOOL(name, of)   a->name == b->name
#define EQUAL_ENUM(name, of)   a->name == b->name
#define EQUAL_BYTES(name, of)  p2_span_equal(a->name, b->name)
#define EQUAL_SECRET(name, of) p2_span_equal(a->name, b->name)
#define EQUAL_STRING(name, of) p2_span_equal(a->name, b->name)
#define EQUAL_FIXED(name, of)  memcmp(a->name, b->name, sizeof a->name) == 0
#define EQUAL_ID(name, of)     p2_id_equal(&a->name, &b->name)
#define EQUAL_NUMBERS(name, of) \
    a->name##_count ==          \
        b->name##_count &&memcmp(a->name, b->name, a->name##_count * sizeof a->name[0]) == 0
#define EQUAL_LIST(name, of) \
    a->name##_count == b->name##_count &&equal_all_##of(a->name, b->name, a->name##_count)

#define P2_FIELD(kind, name, of, min, max, unit, doc) &&EQUAL_##kind(name, of)
#define P2_GROUP(name, doc)                                                                    \
    static bool equal_all_##name(const struct p2_msg_##name *a, const struct p2_msg_##name *b, \
                                 uint32_t count)                                               \
    {                                                                                          \
        bool is_equal = true;                                                                  \
        for (; is_equal && count > 0; count--, a++, b++) {                                     \
            is_equal = true
#define P2_GROUP_END(name) \
    ;                      \
    }                      \
    return is_equal;       \
    }
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc)                         \
    static bool equal_##name(const struct p2_msg_##name *a, const struct p2_msg_##name *b) \
    {                                                                                      \
        return true
#define P2_MESSAGE_END(name) \
    ;                        \
    }
#include "wire/messages.def"

bool p2_wire_equal(const struct p2_msg *a, const struct p2_msg *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    case P2_MSG_##NAME:                                            \
        return equal_##name(&a->name, &b->name);
#include "wire/messages.def"
    }
    return false;
}
