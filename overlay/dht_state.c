/* A reader for exactly one layout; anything else ends it. */
#include "overlay/dht_state.h"

#include <string.h>

/* MessagePack's first bytes: a map of up to 15, bin with an 8-bit size, arrays. */
#define MAP_MASK   0xf0
#define MAP_FIX    0x80
#define BIN_8      0xc4
#define ARRAY_MASK 0xf0
#define ARRAY_FIX  0x90
#define ARRAY_16   0xdc
#define ARRAY_32   0xdd

#define V4_BYTES 16 /* sizeof(struct sockaddr_in): family, port, address, 8 zeros */
#define V6_BYTES 28 /* sizeof(struct sockaddr_in6): family, port, flow, address, scope */

/* The next bytes are exactly these. */
static void expect(struct p2_reader *reader, const char *bytes, size_t size)
{
    struct p2_span span = p2_reader_bytes(reader, size);
    if (span.size != size || memcmp(span.data, bytes, size) != 0) {
        p2_reader_fail(reader, P2_E_MALFORMED);
    }
}

static struct p2_span read_bin(struct p2_reader *reader)
{
    if (p2_reader_u8(reader) != BIN_8) {
        p2_reader_fail(reader, P2_E_MALFORMED);
    }
    return p2_reader_bytes(reader, p2_reader_u8(reader));
}

static uint32_t read_count(struct p2_reader *reader)
{
    uint8_t head = p2_reader_u8(reader);
    if ((head & ARRAY_MASK) == ARRAY_FIX) {
        return head & (uint8_t)~ARRAY_MASK;
    }
    if (head == ARRAY_16) {
        return p2_reader_u16(reader);
    }
    if (head == ARRAY_32) {
        return p2_reader_u32(reader);
    }
    p2_reader_fail(reader, P2_E_MALFORMED);
    return 0;
}

static void add_socket_address(struct p2_dht_nodes *nodes, struct p2_span bytes)
{
    struct p2_dht_address address;
    if (bytes.size != V4_BYTES && bytes.size != V6_BYTES) {
        return;
    }
    address.ip =
        bytes.size == V4_BYTES ? p2_ip_from_v4(bytes.data + 4) : p2_ip_from_v6(bytes.data + 8);
    address.port = p2_load_be16(bytes.data + 2);
    p2_dht_nodes_add(nodes, &address);
}

void p2_dht_nodes_add(struct p2_dht_nodes *nodes, const struct p2_dht_address *address)
{
    enum p2_ip_scope scope = p2_ip_scope(&address->ip);
    if (nodes->count == P2_DHT_NODES_MAX || address->port == 0 || scope == P2_IP_UNSPECIFIED ||
        scope == P2_IP_MULTICAST) {
        return;
    }
    for (uint8_t i = 0; i < nodes->count; i++) {
        if (nodes->list[i].port == address->port && p2_ip_equal(&nodes->list[i].ip, &address->ip)) {
            return;
        }
    }
    nodes->list[nodes->count++] = *address;
}

void p2_dht_state_nodes(struct p2_span state, struct p2_dht_nodes *ret_nodes)
{
    struct p2_reader reader;
    memset(ret_nodes, 0, sizeof *ret_nodes);
    p2_reader_init(&reader, state);
    if ((p2_reader_u8(&reader) & MAP_MASK) != MAP_FIX) {
        return;
    }
    expect(&reader, "\xa1v\x01\xa2id", 6);
    (void)read_bin(&reader); /* our own number, drawn anew each time */
    expect(&reader, "\xa5nodes", 6);
    uint32_t count = read_count(&reader);
    /* The count is foreign: the bytes that are there end the loop. */
    for (uint32_t i = 0; i < count && reader.error == P2_OK; i++) {
        expect(&reader, "\x82\xa2id", 4);
        (void)read_bin(&reader); /* any node may answer there */
        expect(&reader,
               "\xa4"
               "addr",
               5);
        struct p2_span bytes = read_bin(&reader);
        if (reader.error == P2_OK) {
            add_socket_address(ret_nodes, bytes);
        }
    }
}
