/* Numbers about each row group of messages.def that encoder, decoder and generator share.
 * Internal to src/wire. */
#ifndef P2_WIRE_SCHEMA_H
#define P2_WIRE_SCHEMA_H

#include "wire/messages.h"

/* P2_WIRE_FIELDS_lease: fields of a record, the element count of its msgpack array. */
#define P2_GROUP(name, doc)                                        enum { P2_WIRE_FIELDS_##name = 0
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_FIELD(kind, name, of, min, max, unit, doc)              +1
#define P2_GROUP_END(name) \
    }                      \
    ;
#define P2_MESSAGE_END(name) P2_GROUP_END(name)
#include "wire/messages.def"

/* Most bytes of an encoded field without the content whose size varies: its head and number. */
#define P2_WIRE_HEAD_U8            2
#define P2_WIRE_HEAD_U16           3
#define P2_WIRE_HEAD_U32           5
#define P2_WIRE_HEAD_U64           9
#define P2_WIRE_HEAD_I64           9
#define P2_WIRE_HEAD_BOOL          1
#define P2_WIRE_HEAD_ENUM          2
#define P2_WIRE_HEAD_BYTES         5
#define P2_WIRE_HEAD_SECRET        5
#define P2_WIRE_HEAD_STRING        2 /* longest string: 64 bytes */
#define P2_WIRE_HEAD_FIXED         2 /* longest fixed field: 64 bytes */
#define P2_WIRE_HEAD_ID            2
#define P2_WIRE_HEAD_NUMBERS       3 /* longest list: 512 elements */
#define P2_WIRE_HEAD_LIST          3
#define P2_WIRE_HEAD_RECORD        3
#define P2_WIRE_HEAD_OF_NUMBER_u16 3
#define P2_WIRE_HEAD_OF_NUMBER_u32 5

#endif
