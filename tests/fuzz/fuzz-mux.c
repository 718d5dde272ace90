/* The reader of fragments. Input: a byte for the sender's role, then records of (u8 length, bytes).
 * Whatever comes, messages keep to the rules' sizes and memory to what really came. */
#include "link/mux.h"
#include "link/wire_rules.h"
#include "wire/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_pool pool;
    struct p2_mux_reader reader;
    struct p2_reader input;
    p2_pool_init(&pool, (size_t)4 << 20, 0);
    p2_mux_reader_init(&reader, &pool);
    p2_reader_init(&input, p2_span(data, size));
    uint8_t role = p2_reader_u8(&input) % P2_ROLE_COUNT;
    int result = 0;
    while (input.left > 0 && result >= 0) {
        size_t length = p2_reader_u8(&input);
        struct p2_reader record;
        struct p2_mux_message message;
        p2_reader_init(&record, p2_reader_bytes(&input, length < input.left ? length : input.left));
        while ((result = p2_mux_read(&reader, &p2_link_wire_rules, role, 1, &record, &message)) >
               0) {
            P2_ASSERT(message.body.size <= p2_link_wire_rules.max_size(role, message.type));
        }
        P2_ASSERT(result < 0 || record.left == 0);
        P2_ASSERT(pool.used_bytes <= 4 * size + P2_LINK_CLASSES * P2_POOL_BLOCK_MIN);
    }
    P2_ASSERT(result >= 0 || p2_error_class(result) == P2_CLASS_PEER);
    p2_mux_reader_free(&reader);
    P2_ASSERT(pool.used_bytes == 0);
    p2_pool_free(&pool);
    return 0;
}
