/* The codec: one table says which kind has which fields, one switch how a field is written, and one
 * how it is read. */
#include "overlay/dht_protocol.h"

#include "overlay/endpoints.h"

#include <string.h>

#define BIT(name) (UINT32_C(1) << P2_DHT_FIELD_##name)

struct layout {
    enum p2_dht_kind kind;
    enum p2_dht_from from;
    uint32_t fields;
    const char *name;
};

static const struct layout layouts[] = {
    {P2_DHT_START, P2_DHT_FROM_PARENT, BIT(VERSION) | BIT(NETWORK) | BIT(PORT) | BIT(FLAGS),
     "START"},
    {P2_DHT_PEERS, P2_DHT_FROM_PARENT, BIT(NODES), "PEERS"},
    {P2_DHT_PUT, P2_DHT_FROM_PARENT, BIT(OP) | BIT(KEY) | BIT(VALUE), "PUT"},
    {P2_DHT_GET, P2_DHT_FROM_PARENT, BIT(OP) | BIT(KEY) | BIT(VALUES_MAX), "GET"},
    {P2_DHT_LISTEN, P2_DHT_FROM_PARENT, BIT(OP) | BIT(KEY), "LISTEN"},
    {P2_DHT_CANCEL, P2_DHT_FROM_PARENT, BIT(OP), "CANCEL"},
    {P2_DHT_BEAT, P2_DHT_FROM_PARENT, BIT(NUMBER), "BEAT"},
    {P2_DHT_STOP, P2_DHT_FROM_PARENT, 0, "STOP"},
    {P2_DHT_READY, P2_DHT_FROM_CHILD, BIT(VERSION) | BIT(PORT) | BIT(PORT_V6), "READY"},
    {P2_DHT_REFUSED, P2_DHT_FROM_CHILD, BIT(CAUSE) | BIT(SYSTEM_ERROR), "REFUSED"},
    {P2_DHT_VALUE, P2_DHT_FROM_CHILD, BIT(OP) | BIT(VALUE), "VALUE"},
    {P2_DHT_END, P2_DHT_FROM_CHILD, BIT(OP) | BIT(RESULT), "END"},
    {P2_DHT_ALIVE, P2_DHT_FROM_CHILD, BIT(NUMBER) | BIT(HEARD) | BIT(DROPPED) | BIT(OVERSIZED),
     "ALIVE"},
    {P2_DHT_GOOD_NODES, P2_DHT_FROM_CHILD, BIT(NODES), "GOOD_NODES"},
};

static const struct layout *find(unsigned kind)
{
    for (size_t i = 0; i < P2_COUNT_OF(layouts); i++) {
        if ((unsigned)layouts[i].kind == kind) {
            return &layouts[i];
        }
    }
    return NULL;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void write_nodes(struct p2_writer *writer, const struct p2_dht_nodes *nodes)
{
    P2_ASSERT(nodes->count <= P2_DHT_NODES_MAX);
    p2_writer_u8(writer, nodes->count);
    for (uint8_t i = 0; i < nodes->count; i++) {
        P2_ASSERT(nodes->list[i].port != 0);
        p2_endpoint_ip_write(writer, &nodes->list[i].ip);
        p2_writer_u16(writer, nodes->list[i].port);
    }
}

static void write_field(struct p2_writer *writer, enum p2_dht_field field,
                        const struct p2_dht_message *message)
{
    switch (field) {
    case P2_DHT_FIELD_VERSION:
        p2_writer_u16(writer, message->version);
        break;
    case P2_DHT_FIELD_NETWORK:
        p2_writer_u32(writer, message->network);
        break;
    case P2_DHT_FIELD_PORT:
        p2_writer_u16(writer, message->port);
        break;
    case P2_DHT_FIELD_PORT_V6:
        p2_writer_u16(writer, message->port_v6);
        break;
    case P2_DHT_FIELD_FLAGS:
        p2_writer_u8(writer, message->flags);
        break;
    case P2_DHT_FIELD_CAUSE:
        p2_writer_u8(writer, (uint8_t)message->cause);
        break;
    case P2_DHT_FIELD_SYSTEM_ERROR:
        p2_writer_u32(writer, message->system_error);
        break;
    case P2_DHT_FIELD_OP:
        p2_writer_u32(writer, message->op);
        break;
    case P2_DHT_FIELD_KEY:
        p2_writer_bytes(writer, p2_span(message->key.bytes, sizeof message->key.bytes));
        break;
    case P2_DHT_FIELD_VALUES_MAX:
        p2_writer_u32(writer, message->values_max);
        break;
    case P2_DHT_FIELD_RESULT:
        p2_writer_u8(writer, (uint8_t)message->result);
        break;
    case P2_DHT_FIELD_NUMBER:
        p2_writer_u32(writer, message->number);
        break;
    case P2_DHT_FIELD_HEARD:
        p2_writer_u32(writer, message->heard_ms);
        break;
    case P2_DHT_FIELD_DROPPED:
        p2_writer_u64(writer, message->dropped);
        break;
    case P2_DHT_FIELD_OVERSIZED:
        p2_writer_u64(writer, message->oversized);
        break;
    case P2_DHT_FIELD_NODES:
        write_nodes(writer, &message->nodes);
        break;
    case P2_DHT_FIELD_VALUE:
        P2_ASSERT(message->value.size >= 1 && message->value.size <= P2_OVERLAY_VALUE_MAX);
        p2_writer_u16(writer, (uint16_t)message->value.size);
        p2_writer_bytes(writer, message->value);
        break;
    case P2_DHT_FIELD_COUNT:
        break;
    }
}

size_t p2_dht_encode(uint8_t *out, const struct p2_dht_message *message)
{
    const struct layout *layout = find((unsigned)message->kind);
    struct p2_writer writer;
    P2_ASSERT(layout != NULL);
    p2_writer_init(&writer, out, P2_DHT_MESSAGE_MAX);
    p2_writer_u8(&writer, (uint8_t)message->kind);
    for (unsigned field = 0; field < P2_DHT_FIELD_COUNT; field++) {
        if ((layout->fields & (UINT32_C(1) << field)) != 0) {
            write_field(&writer, (enum p2_dht_field)field, message);
        }
    }
    P2_ASSERT(writer.error == P2_OK);
    return writer.size;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* A number within [min, max]; else the reader fails and `min` is returned. */
static uint32_t within(struct p2_reader *reader, uint32_t value, uint32_t min, uint32_t max)
{
    if (value < min || value > max) {
        p2_reader_fail(reader, P2_E_RANGE);
        return min;
    }
    return value;
}

static void read_nodes(struct p2_reader *reader, struct p2_dht_nodes *nodes)
{
    nodes->count = (uint8_t)within(reader, p2_reader_u8(reader), 0, P2_DHT_NODES_MAX);
    for (uint8_t i = 0; i < nodes->count && reader->error == P2_OK; i++) {
        p2_endpoint_ip_read(reader, &nodes->list[i].ip);
        nodes->list[i].port = (uint16_t)within(reader, p2_reader_u16(reader), 1, UINT16_MAX);
        if (reader->error == P2_OK && nodes->list[i].ip.family == 0) {
            p2_reader_fail(reader, P2_E_RANGE);
        }
    }
}

static void read_version(struct p2_reader *reader, struct p2_dht_message *message)
{
    message->version = p2_reader_u16(reader);
    if (reader->error == P2_OK && message->version != P2_DHT_VERSION) {
        p2_reader_fail(reader, P2_E_BAD_VERSION);
    }
}

static void read_field(struct p2_reader *reader, enum p2_dht_field field,
                       struct p2_dht_message *message)
{
    struct p2_span span;
    switch (field) {
    case P2_DHT_FIELD_VERSION:
        read_version(reader, message);
        break;
    case P2_DHT_FIELD_NETWORK:
        message->network = p2_reader_u32(reader);
        break;
    case P2_DHT_FIELD_PORT:
        message->port = p2_reader_u16(reader);
        break;
    case P2_DHT_FIELD_PORT_V6:
        message->port_v6 = p2_reader_u16(reader);
        break;
    case P2_DHT_FIELD_FLAGS:
        message->flags = (uint8_t)within(reader, p2_reader_u8(reader), 0, P2_DHT_FLAG_LAN);
        break;
    case P2_DHT_FIELD_CAUSE:
        message->cause = (enum p2_dht_cause)within(reader, p2_reader_u8(reader),
                                                   P2_DHT_CAUSE_SANDBOX, P2_DHT_CAUSE_LIBRARY);
        break;
    case P2_DHT_FIELD_SYSTEM_ERROR:
        message->system_error = p2_reader_u32(reader);
        break;
    case P2_DHT_FIELD_OP:
        message->op = p2_reader_u32(reader);
        break;
    case P2_DHT_FIELD_KEY:
        span = p2_reader_bytes(reader, sizeof message->key.bytes);
        if (span.size == sizeof message->key.bytes) {
            memcpy(message->key.bytes, span.data, span.size);
        }
        break;
    case P2_DHT_FIELD_VALUES_MAX:
        message->values_max = within(reader, p2_reader_u32(reader), 1, P2_OVERLAY_VALUES_MAX);
        break;
    case P2_DHT_FIELD_RESULT:
        message->result =
            (enum p2_dht_result)within(reader, p2_reader_u8(reader), P2_DHT_DONE, P2_DHT_NO_ROOM);
        break;
    case P2_DHT_FIELD_NUMBER:
        message->number = p2_reader_u32(reader);
        break;
    case P2_DHT_FIELD_HEARD:
        message->heard_ms = p2_reader_u32(reader);
        break;
    case P2_DHT_FIELD_DROPPED:
        message->dropped = p2_reader_u64(reader);
        break;
    case P2_DHT_FIELD_OVERSIZED:
        message->oversized = p2_reader_u64(reader);
        break;
    case P2_DHT_FIELD_NODES:
        read_nodes(reader, &message->nodes);
        break;
    case P2_DHT_FIELD_VALUE:
        message->value.size = within(reader, p2_reader_u16(reader), 1, P2_OVERLAY_VALUE_MAX);
        message->value = p2_reader_bytes(reader, message->value.size);
        break;
    case P2_DHT_FIELD_COUNT:
        break;
    }
}

int p2_dht_decode(struct p2_dht_message *ret_message, struct p2_span bytes, enum p2_dht_from from)
{
    struct p2_dht_message message;
    struct p2_reader reader;
    memset(&message, 0, sizeof message);
    p2_reader_init(&reader, bytes);
    unsigned kind = p2_reader_u8(&reader);
    if (reader.error != P2_OK) {
        return reader.error;
    }
    const struct layout *layout = find(kind);
    if (layout == NULL) {
        return P2_E_BAD_TYPE;
    }
    if (layout->from != from) {
        return P2_E_NOT_ALLOWED;
    }
    message.kind = layout->kind;
    for (unsigned field = 0; field < P2_DHT_FIELD_COUNT; field++) {
        if ((layout->fields & (UINT32_C(1) << field)) != 0) {
            read_field(&reader, (enum p2_dht_field)field, &message);
        }
    }
    int error = p2_reader_end(&reader);
    if (error == P2_OK) {
        *ret_message = message;
    }
    return error;
}

const char *p2_dht_kind_name(enum p2_dht_kind kind)
{
    const struct layout *layout = find((unsigned)kind);
    return layout != NULL ? layout->name : "?";
}
