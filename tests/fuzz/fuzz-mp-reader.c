/* The bounded reader, driven by the input: the first byte says how many bytes choose calls, the
 * rest is read. Every span must lie inside the input, nothing may be read after an error, and a
 * number that is accepted must be the one in msgpack-c's encoding of it. */
#include "wire/reader.h"

#include <msgpack.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_inside(struct p2_span span, struct p2_span input)
{
    P2_ASSERT(span.size <= input.size);
    P2_ASSERT(span.size == 0 ||
              (span.data >= input.data && span.data + span.size <= input.data + input.size));
}

/* The bytes from `start` to the reader are what msgpack-c writes for the number. */
static void expect_shortest(const struct p2_mp_reader *reader, const uint8_t *start, uint64_t value,
                            bool is_signed)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    if (is_signed) {
        (void)msgpack_pack_int64(&packer, (int64_t)value);
    } else {
        (void)msgpack_pack_uint64(&packer, value);
    }
    P2_ASSERT((size_t)(reader->at - start) == buffer.size);
    P2_ASSERT(memcmp(start, buffer.data, buffer.size) == 0);
    msgpack_sbuffer_destroy(&buffer);
}

static void call(struct p2_mp_reader *reader, uint8_t choice, struct p2_span input)
{
    const uint8_t *start = reader->at;
    uint8_t fixed[32];
    uint64_t bound = choice >> 3;
    uint64_t value = 0;
    switch (choice & 7) {
    case 0:
        value = p2_mp_uint(reader, 0, bound == 31 ? UINT64_MAX : UINT64_C(1) << bound);
        break;
    case 1:
        value = (uint64_t)p2_mp_int(reader, INT64_MIN, bound == 31 ? INT64_MAX : 100);
        break;
    case 2:
        (void)p2_mp_bool(reader);
        break;
    case 3:
        expect_inside(p2_mp_bytes(reader, bound & 1, bound == 31 ? SIZE_MAX : bound), input);
        break;
    case 4:
        expect_inside(p2_mp_string(reader, bound & 1, P2_WIRE_STRING_MAX), input);
        break;
    case 5:
        P2_ASSERT(p2_mp_array(reader, bound & 1, UINT32_MAX) <= reader->left);
        break;
    case 6:
        p2_mp_fixed(reader, fixed, bound);
        break;
    default:
        if (reader->depth > 0) {
            p2_mp_leave(reader);
        }
        break;
    }
    if (reader->error == P2_OK && (choice & 7) < 2) {
        expect_shortest(reader, start, value, (choice & 7) == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] > size - 1) {
        return 0;
    }
    const uint8_t *choices = data + 1;
    struct p2_span input = p2_span(choices + data[0], size - 1 - data[0]);
    struct p2_mp_reader reader;
    p2_mp_init(&reader, input);
    for (size_t i = 0; i < data[0]; i++) {
        struct p2_mp_reader before = reader;
        call(&reader, choices[i], input);
        P2_ASSERT(reader.depth <= P2_WIRE_DEPTH_MAX && reader.left <= before.left);
        P2_ASSERT(reader.at == input.data + (input.size - reader.left));
        P2_ASSERT(before.error == P2_OK ||
                  (reader.error == before.error && reader.left == before.left));
    }
    int error = p2_mp_end(&reader);
    P2_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
    return 0;
}
