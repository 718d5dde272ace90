/* Address lists of fixed size; see the header. */
#include "overlay/endpoints.h"

#include <string.h>

void p2_endpoint_ip_write(struct p2_writer *writer, const struct p2_ip *ip)
{
    p2_writer_u8(writer, ip->family);
    p2_writer_bytes(writer, p2_span(ip->bytes, sizeof ip->bytes));
}

void p2_endpoint_ip_read(struct p2_reader *reader, struct p2_ip *ret_ip)
{
    static const uint8_t zeros[16];
    struct p2_ip ip = {.family = p2_reader_u8(reader)};
    struct p2_span bytes = p2_reader_bytes(reader, sizeof ip.bytes);
    if (reader->error != P2_OK) {
        return;
    }
    memcpy(ip.bytes, bytes.data, sizeof ip.bytes);
    size_t used = ip.family == 6 ? 16 : ip.family == 4 ? 4 : 0;
    if (used == 0 && ip.family != 0) {
        p2_reader_fail(reader, P2_E_RANGE);
        return;
    }
    bool is_hidden_v4 = used == 16 && p2_ip_from_v6(ip.bytes).family != 6;
    if (is_hidden_v4 || memcmp(ip.bytes + used, zeros, 16 - used) != 0) {
        p2_reader_fail(reader, P2_E_NOT_CANONICAL);
        return;
    }
    *ret_ip = ip;
}

void p2_endpoints_write(struct p2_writer *writer, const struct p2_link_address *endpoints,
                        uint8_t count, uint8_t slots)
{
    static const struct p2_link_address none;
    P2_ASSERT(count >= 1 && count <= slots);
    p2_writer_u8(writer, count);
    for (uint8_t i = 0; i < slots; i++) {
        const struct p2_link_address *endpoint = i < count ? &endpoints[i] : &none;
        p2_endpoint_ip_write(writer, &endpoint->ip);
        p2_writer_u16(writer, endpoint->port);
    }
}

void p2_endpoints_read(struct p2_reader *reader, struct p2_link_address *endpoints,
                       uint8_t *ret_count, uint8_t slots)
{
    uint8_t count = p2_reader_u8(reader);
    if (reader->error == P2_OK && (count == 0 || count > slots)) {
        p2_reader_fail(reader, P2_E_RANGE);
    }
    for (uint8_t i = 0; i < slots; i++) {
        struct p2_link_address endpoint = {0};
        p2_endpoint_ip_read(reader, &endpoint.ip);
        endpoint.port = p2_reader_u16(reader);
        bool is_used = i < count;
        if (reader->error == P2_OK &&
            (is_used != (endpoint.ip.family != 0) || is_used != (endpoint.port != 0))) {
            p2_reader_fail(reader, P2_E_RANGE);
        }
        if (reader->error != P2_OK) {
            return;
        }
        endpoints[i] = endpoint;
    }
    *ret_count = count;
}
