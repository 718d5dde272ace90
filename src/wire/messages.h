/* The messages of helpers, gamers and authorities: types made from messages.def.
 *
 * The type of a message is not part of its payload: it travels in the link's fragment header, so
 * that the link knows the largest size before the payload arrives.
 *
 * Structs hold numbers by value; bytes and strings are spans. A decoded struct borrows them from
 * the received bytes; a struct to be encoded borrows them from the caller. Arrays stand inside the
 * struct, so that decoding allocates nothing: only the first <name>_count elements have a value.
 * Structs of long lists are large (p2_msg_frame: 25 KB): keep one, do not put many on a stack.
 *
 * Thread: everything in src/wire is reentrant and keeps no state. */
#ifndef P2_WIRE_MESSAGES_H
#define P2_WIRE_MESSAGES_H

#include "base/buf.h"
#include "base/id.h"
#include "wire/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Flags of a lease. None of them tells audits, replicas or shadow work from other leases. */
#define P2_LEASE_MAY_COMPRESS 1u /* the result may come back as codec ZSTD */
#define P2_LEASE_URGENT       2u /* frame-critical: run it before leases without this bit */
#define P2_LEASE_FLAGS_ALL    3u

/* Number of every message on the wire: P2_MSG_HELLO, ... Values are stable. */
enum p2_msg_type {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_MSG_##NAME = (number),
#include "wire/messages.def"
};

/* Who a peer is. A peer is a STRANGER until its HELLO or JOIN was accepted; the node that was
 * dialled is the AUTHORITY for whoever dialled it, since the handshake proved its key. */
enum p2_role { P2_ROLE_STRANGER, P2_ROLE_HELPER, P2_ROLE_GAMER, P2_ROLE_AUTHORITY };
#define P2_ROLE_COUNT 4

/* Priority on the link, the first before the last. Order is kept within a class only. */
enum p2_wire_class {
    P2_WIRE_CONTROL = 0, /* small and urgent */
    P2_WIRE_LEASE = 1,   /* leases, cancels and results */
    P2_WIRE_BULK = 2,    /* blobs and lists */
    P2_WIRE_FRAME = 3    /* frames: the newest replaces one that still waits */
};
#define P2_WIRE_CLASS_COUNT 4

/* Greatest payload in bytes that `sender` may send as `type`; 0 when it may not send that, or no
 * such type exists. A STRANGER may send HELLO and JOIN only, P2_WIRE_STRANGER_MAX bytes. */
uint32_t p2_wire_max_size(enum p2_role sender, uint8_t type);

/* True when messages of `type` are meant for `receiver`; false for unknown types. */
bool p2_wire_is_for(enum p2_role receiver, uint8_t type);

/* The priority class of `type`; P2_WIRE_BULK for unknown types, which nobody may send. */
enum p2_wire_class p2_wire_class(uint8_t type);

/* "LEASE" for P2_MSG_LEASE; NULL for unknown types. Static. */
const char *p2_wire_type_name(uint8_t type);

/* ---- enums: enum p2_tier { P2_TIER_PEER = 0, ... } ------------------------------------------- */

#define P2_ENUM(type, TYPE, doc) \
    enum p2_##type               \
    {
#define P2_VALUE(type, TYPE, NAME, value, doc) P2_##TYPE##_##NAME = (value),
#define P2_ENUM_END(type) \
    }                     \
    ;
#include "wire/messages.def"

/* p2_tier_name(value): "PEER", ...; NULL for values that are not in the enum, so that it is also
 * the test whether a foreign number is one. Static. */
#define P2_ENUM(type, TYPE, doc) const char *p2_##type##_name(uint64_t value);
#include "wire/messages.def"

/* ---- structs: struct p2_msg_tile, struct p2_msg_lease, ... ----------------------------------- */

#define P2_WIRE_NUMBER_u16 uint16_t
#define P2_WIRE_NUMBER_u32 uint32_t

#define P2_WIRE_MEMBER_U8(name, of, max)     uint8_t name;
#define P2_WIRE_MEMBER_U16(name, of, max)    uint16_t name;
#define P2_WIRE_MEMBER_U32(name, of, max)    uint32_t name;
#define P2_WIRE_MEMBER_U64(name, of, max)    uint64_t name;
#define P2_WIRE_MEMBER_I64(name, of, max)    int64_t name;
#define P2_WIRE_MEMBER_BOOL(name, of, max)   bool name;
#define P2_WIRE_MEMBER_ENUM(name, of, max)   enum p2_##of name;
#define P2_WIRE_MEMBER_BYTES(name, of, max)  struct p2_span name;
#define P2_WIRE_MEMBER_SECRET(name, of, max) struct p2_span name;
#define P2_WIRE_MEMBER_STRING(name, of, max) struct p2_span name;
#define P2_WIRE_MEMBER_FIXED(name, of, max)  uint8_t name[max];
#define P2_WIRE_MEMBER_ID(name, of, max)     struct p2_id name;
#define P2_WIRE_MEMBER_NUMBERS(name, of, max) \
    uint32_t name##_count;                    \
    P2_WIRE_NUMBER_##of name[max];
#define P2_WIRE_MEMBER_LIST(name, of, max) \
    uint32_t name##_count;                 \
    struct p2_msg_##of name[max];

#define P2_GROUP(name, doc) struct p2_msg_##name {
#define P2_GROUP_END(name) \
    }                      \
    ;
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) struct p2_msg_##name {
#define P2_MESSAGE_END(name) \
    }                        \
    ;
#define P2_FIELD(kind, name, of, min, max, unit, doc) P2_WIRE_MEMBER_##kind(name, of, max)
#include "wire/messages.def"

/* Any message: for tests, logs and tools. Programs use the structs directly. */
struct p2_msg {
    enum p2_msg_type type;
    union {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) struct p2_msg_##name name;
#include "wire/messages.def"
    };
};

#endif
