/* Unpacking messages with the bounded reader (reader.h). Nothing is allocated. */
#ifndef P2_WIRE_DECODE_H
#define P2_WIRE_DECODE_H

#include "wire/messages.h"

/* int p2_wire_decode_lease(struct p2_msg_lease *msg, struct p2_span body), and so on.
 *
 * Reads the whole payload `body` into `msg`, whose spans then borrow from it. The payload must be
 * the one canonical encoding of a message whose fields are in range: accepted bytes are exactly
 * those that encoding `msg` again would write. O(size of body).
 * Errors are all of class PEER: P2_E_TRUNCATED, P2_E_TRAILING, P2_E_MALFORMED, P2_E_RANGE,
 * P2_E_TOO_BIG, P2_E_NOT_CANONICAL, P2_E_BAD_TEXT. On error the content of `msg` is unspecified:
 * structs are filled in place, because copying the large ones would cost more than decoding. */
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    int p2_wire_decode_##name(struct p2_msg_##name *msg, struct p2_span body);
#include "wire/messages.def"

/* The same for any type, which it writes into msg->type. Also P2_E_BAD_TYPE. */
int p2_wire_decode(struct p2_msg *msg, uint8_t type, struct p2_span body);

#endif
