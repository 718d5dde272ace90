/* Two enums of the same values meet here, so that link.h does not need the messages. */
#include "link/wire_rules.h"

#include "wire/messages.h"

_Static_assert((int)P2_LINK_CONTROL == (int)P2_WIRE_CONTROL, "classes agree");
_Static_assert((int)P2_LINK_LEASE == (int)P2_WIRE_LEASE, "classes agree");
_Static_assert((int)P2_LINK_BULK == (int)P2_WIRE_BULK, "classes agree");
_Static_assert((int)P2_LINK_FRAME == (int)P2_WIRE_FRAME, "classes agree");
_Static_assert((int)P2_LINK_CLASSES == (int)P2_WIRE_CLASS_COUNT, "classes agree");
_Static_assert(P2_ROLE_STRANGER == 0, "role 0 is the stranger");
_Static_assert(P2_WIRE_STRANGER_MAX == P2_LINK_STRANGER_MESSAGE_MAX, "a stranger's bound agrees");

static uint32_t max_size(uint8_t sender, uint8_t type)
{
    return p2_wire_max_size((enum p2_role)sender, type);
}

static enum p2_link_class class_of(uint8_t type)
{
    return (enum p2_link_class)p2_wire_class(type);
}

const struct p2_link_rules p2_link_wire_rules = {.max_size = max_size,
                                                 .class = class_of,
                                                 .role_count = P2_ROLE_COUNT,
                                                 .ping_type = P2_MSG_PING,
                                                 .pong_type = P2_MSG_PONG};
