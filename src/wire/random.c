/* The generator. Lengths draw on a budget of bytes, so that the message as a whole stays within its
 * largest size: the budget starts with what is left when every field takes its least. */
#include "wire/random.h"
#include "wire/schema.h"

#include <string.h>

struct maker {
    struct p2_rng *rng;
    struct p2_writer content; /* where bytes and strings are put */
    size_t budget;            /* bytes lengths may still add to the encoding */
};

/* A number in [min, max]: its ends, near its lower end, of any number of bits, or uniform. */
static uint64_t any_uint(struct maker *maker, uint64_t min, uint64_t max)
{
    uint64_t width = max - min;
    switch (p2_rng_below(maker->rng, 6)) {
    case 0:
        return min;
    case 1:
        return max;
    case 2:
        return min + p2_rng_between(maker->rng, 0, width < 20 ? width : 20);
    case 3:
        return p2_rng_between(maker->rng, min, max);
    default:
        width = p2_rng_u64(maker->rng) >> p2_rng_below(maker->rng, 64);
        return width <= max - min ? min + width : max - p2_rng_below(maker->rng, max - min + 1);
    }
}

static int64_t any_int(struct maker *maker, int64_t min, int64_t max)
{
    uint64_t distance = any_uint(maker, 0, (uint64_t)max - (uint64_t)min);
    int64_t value = (int64_t)((uint64_t)min + distance);
    /* Half of them around zero, where the short encodings are. */
    int64_t near = (int64_t)any_uint(maker, 0, UINT32_MAX) - (INT64_C(1) << 31);
    return p2_rng_chance_ppm(maker->rng, 500000) && near >= min && near <= max ? near : value;
}

/* How many of at most `max` items of `item_size` bytes to add, within the budget. */
static size_t any_extra(struct maker *maker, uint64_t max, size_t item_size)
{
    uint64_t most = maker->budget / item_size;
    size_t extra = (size_t)any_uint(maker, 0, max < most ? max : most);
    maker->budget -= extra * item_size;
    return extra;
}

/* Room for `size` bytes in the storage. The budget never exceeds the storage. */
static uint8_t *take_room(struct maker *maker, size_t size)
{
    uint8_t *room = maker->content.data + maker->content.size;
    P2_ASSERT(size <= maker->content.capacity - maker->content.size);
    maker->content.size += size;
    return room;
}

static struct p2_span any_bytes(struct maker *maker, size_t min, size_t max)
{
    size_t size = min + any_extra(maker, max - min, 1);
    uint8_t *room = take_room(maker, size);
    p2_rng_bytes(maker->rng, room, size);
    return p2_span(room, size);
}

/* Characters of one to four bytes in UTF-8, two of which the printer escapes. */
static struct p2_span any_string(struct maker *maker, size_t min, size_t max)
{
    static const char *const characters[] = {"a", "Z", "7", " ", "\"", "\\", "é", "ж", "語", "🏮"};
    size_t size = min + any_extra(maker, max - min, 1);
    struct p2_writer text;
    p2_writer_init(&text, take_room(maker, size), size);
    while (text.size < size) {
        const char *next = characters[p2_rng_below(maker->rng, P2_COUNT_OF(characters))];
        size_t length = strlen(next) <= size - text.size ? strlen(next) : 1;
        p2_writer_bytes(&text, p2_span(length == strlen(next) ? next : "x", length));
    }
    return p2_writer_span(&text);
}

/* A value of the enum whose names `name_of` knows. Every enum has a value 0. */
static uint64_t any_enum(struct maker *maker, const char *(*name_of)(uint64_t))
{
    uint64_t count = 0;
    while (name_of(count) != NULL) {
        count++;
    }
    return p2_rng_below(maker->rng, count);
}

/* Bytes of a record when every length has its minimum, heads counted at their longest. */
#define LEAST_U8(of, min)      P2_WIRE_HEAD_U8
#define LEAST_U16(of, min)     P2_WIRE_HEAD_U16
#define LEAST_U32(of, min)     P2_WIRE_HEAD_U32
#define LEAST_U64(of, min)     P2_WIRE_HEAD_U64
#define LEAST_I64(of, min)     P2_WIRE_HEAD_I64
#define LEAST_BOOL(of, min)    P2_WIRE_HEAD_BOOL
#define LEAST_ENUM(of, min)    P2_WIRE_HEAD_ENUM
#define LEAST_BYTES(of, min)   P2_WIRE_HEAD_BYTES + (min)
#define LEAST_SECRET(of, min)  P2_WIRE_HEAD_SECRET + (min)
#define LEAST_STRING(of, min)  P2_WIRE_HEAD_STRING + (min)
#define LEAST_FIXED(of, min)   P2_WIRE_HEAD_FIXED + (min)
#define LEAST_ID(of, min)      P2_WIRE_HEAD_ID + (min)
#define LEAST_NUMBERS(of, min) P2_WIRE_HEAD_NUMBERS + (min)*P2_WIRE_HEAD_OF_NUMBER_##of
#define LEAST_LIST(of, min)    P2_WIRE_HEAD_LIST + (min)*LEAST_##of

#define P2_GROUP(name, doc)                           enum { LEAST_##name = P2_WIRE_HEAD_RECORD
#define P2_FIELD(kind, name, of, min, max, unit, doc) +LEAST_##kind(of, min)
#define P2_GROUP_END(name) \
    }                      \
    ;
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_MESSAGE_END(name)                                       P2_GROUP_END(name)
#include "wire/messages.def"

#define MAKE_U8(name, of, min, max)     msg->name = (uint8_t)any_uint(maker, min, max);
#define MAKE_U16(name, of, min, max)    msg->name = (uint16_t)any_uint(maker, min, max);
#define MAKE_U32(name, of, min, max)    msg->name = (uint32_t)any_uint(maker, min, max);
#define MAKE_U64(name, of, min, max)    msg->name = any_uint(maker, min, max);
#define MAKE_I64(name, of, min, max)    msg->name = any_int(maker, min, max);
#define MAKE_BOOL(name, of, min, max)   msg->name = any_uint(maker, min, max) != 0;
#define MAKE_ENUM(name, of, min, max)   msg->name = (enum p2_##of)any_enum(maker, p2_##of##_name);
#define MAKE_BYTES(name, of, min, max)  msg->name = any_bytes(maker, min, max);
#define MAKE_SECRET(name, of, min, max) msg->name = any_bytes(maker, min, max);
#define MAKE_STRING(name, of, min, max) msg->name = any_string(maker, min, max);
#define MAKE_FIXED(name, of, min, max)  p2_rng_bytes(maker->rng, msg->name, max);
#define MAKE_ID(name, of, min, max)     p2_rng_bytes(maker->rng, msg->name.bytes, max);
#define MAKE_NUMBERS(name, of, min, max)                                                   \
    msg->name##_count =                                                                    \
        (uint32_t)((min) + any_extra(maker, (max) - (min), P2_WIRE_HEAD_OF_NUMBER_##of));  \
    for (uint32_t i = 0; i < msg->name##_count; i++) {                                     \
        msg->name[i] = (P2_WIRE_NUMBER_##of)any_uint(maker, 0, (P2_WIRE_NUMBER_##of) - 1); \
    }
#define MAKE_LIST(name, of, min, max)                                                    \
    msg->name##_count = (uint32_t)((min) + any_extra(maker, (max) - (min), LEAST_##of)); \
    for (uint32_t i = 0; i < msg->name##_count; i++) {                                   \
        make_##of(maker, &msg->name[i]);                                                 \
    }

#define P2_GROUP(name, doc)                                                 \
    static void make_##name(struct maker *maker, struct p2_msg_##name *msg) \
    {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_GROUP(name, doc)
#define P2_FIELD(kind, name, of, min, max, unit, doc)              MAKE_##kind(name, of, min, max)
#define P2_GROUP_END(name)                                         }
#define P2_MESSAGE_END(name)                                       P2_GROUP_END(name)
#include "wire/messages.def"

int p2_wire_random(struct p2_msg *msg, uint8_t type, struct p2_rng *rng, uint8_t *storage,
                   size_t size)
{
    struct maker maker = {.rng = rng};
    p2_writer_init(&maker.content, storage, size);
    if (size < P2_WIRE_STRANGER_MAX) {
        return P2_E_FULL;
    }
    switch (type) {
#define P2_MESSAGE(NAME, name, number, from, to, class, size_max, doc)         \
    case P2_MSG_##NAME:                                                        \
        msg->type = P2_MSG_##NAME;                                             \
        maker.budget = ((size_max) < size ? (size_max) : size) - LEAST_##name; \
        make_##name(&maker, &msg->name);                                       \
        return P2_OK;
#include "wire/messages.def"
    default:
        return P2_E_BAD_TYPE;
    }
}
