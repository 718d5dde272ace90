/* Packing messages: msgpack arrays in the order of messages.def, written by msgpack-c.
 *
 * Nothing is allocated. A message is checked first (check.h): what the other side would have to
 * refuse is never written. */
#ifndef P2_WIRE_ENCODE_H
#define P2_WIRE_ENCODE_H

#include "wire/messages.h"

/* int p2_wire_encode_lease(struct p2_writer *writer, const struct p2_msg_lease *msg), and so on.
 *
 * Appends the payload of `msg` (borrows it) to `writer`. O(bytes written).
 * P2_E_INVALID: a field is outside its range, or the payload would be larger than the message's
 * largest size; nothing is appended, the writer stays usable.
 * P2_E_FULL: no room; nothing is appended, the writer's error is set. */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    int p2_wire_encode_##name(struct p2_writer *writer, const struct p2_msg_##name *msg);
#include "wire/messages.def"

/* Bytes that are enough for the payload of `msg`, so that the caller can reserve them; not less
 * than what is written, and at most a few bytes per field more. Undefined for invalid messages. */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    size_t p2_wire_bound_##name(const struct p2_msg_##name *msg);
#include "wire/messages.def"

/* The same for any message. P2_E_BAD_TYPE when msg->type is none. */
int p2_wire_encode(struct p2_writer *writer, const struct p2_msg *msg);
size_t p2_wire_bound(const struct p2_msg *msg);

#endif
