/* Whether a message's fields are within the ranges of messages.def. The decoder checks while it
 * reads; this is for messages of our own making, before they are sent. */
#ifndef P2_WIRE_CHECK_H
#define P2_WIRE_CHECK_H

#include "wire/messages.h"

/* int p2_wire_check_lease(const struct p2_msg_lease *msg), and so on: 0, or P2_E_RANGE for a
 * number, P2_E_TOO_BIG for a length or count, P2_E_BAD_TEXT for a string. O(elements + text). */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    int p2_wire_check_##name(const struct p2_msg_##name *msg);
#include "wire/messages.def"

/* The same for any message. Also P2_E_BAD_TYPE. */
int p2_wire_check(const struct p2_msg *msg);

#endif
