/* The tables about message types and the names of enum values, made from messages.def. */
#include "wire/messages.h"

#include <stddef.h>

/* Sets of roles, as the rows of messages.def write them. */
enum {
    NOBODY = 0,
    STRANGER = 1 << P2_ROLE_STRANGER,
    HELPER = 1 << P2_ROLE_HELPER,
    GAMER = 1 << P2_ROLE_GAMER,
    AUTHORITY = 1 << P2_ROLE_AUTHORITY
};

struct type_info {
    const char *name; /* NULL: no such type */
    uint32_t size_max;
    uint8_t from;
    uint8_t to;
    uint8_t class;
};

static const struct type_info types[UINT8_MAX + 1] = {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    [number] = {#NAME, (size), (from), (to), P2_WIRE_##class},
#include "wire/messages.def"
};

/* What someone who was not accepted yet may make us keep (DESIGN 4). */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc)           \
    _Static_assert(((from)&STRANGER) == 0 || (size) <= P2_WIRE_STRANGER_MAX, \
                   #NAME " is too large for a stranger");
#include "wire/messages.def"

uint32_t p2_wire_max_size(enum p2_role sender, uint8_t type)
{
    return (types[type].from >> sender & 1) != 0 ? types[type].size_max : 0;
}

bool p2_wire_is_for(enum p2_role receiver, uint8_t type)
{
    return (types[type].to >> receiver & 1) != 0;
}

enum p2_wire_class p2_wire_class(uint8_t type)
{
    return types[type].name != NULL ? (enum p2_wire_class)types[type].class : P2_WIRE_BULK;
}

const char *p2_wire_type_name(uint8_t type)
{
    return types[type].name;
}

#define P2_ENUM(type, TYPE, doc)                 \
    const char *p2_##type##_name(uint64_t value) \
    {                                            \
        switch (value) {
#define P2_VALUE(type, TYPE, NAME, value, doc) \
    case (value):                              \
        return #NAME;
#define P2_ENUM_END(type) \
    default:              \
        return NULL;      \
        }                 \
        }
#include "wire/messages.def"
