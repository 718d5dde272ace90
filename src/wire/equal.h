/* Comparison of messages, for tests and tools: by value, bytes and strings by content. */
#ifndef P2_WIRE_EQUAL_H
#define P2_WIRE_EQUAL_H

#include "wire/messages.h"

/* True when both are of the same known type and all their fields are equal. O(size). */
bool p2_wire_equal(const struct p2_msg *a, const struct p2_msg *b);

#endif
