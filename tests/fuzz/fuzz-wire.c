/* All decoders: the first byte is the type, the rest the payload. What is accepted must pass the
 * validator, print, and encode to the very same bytes. */
#include "base/error.h"
#include "wire/check.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/equal.h"
#include "wire/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p2_msg msg;
static struct p2_msg same;
static uint8_t encoded[P2_WIRE_SLOT_MSG_MAX];
static uint8_t line[8192];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct p2_span body = p2_span(data + 1, size - 1);
    int error = p2_wire_decode(&msg, data[0], body);
    if (error != P2_OK) {
        P2_ASSERT(p2_error_class(error) == P2_CLASS_PEER);
        return 0;
    }
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, sizeof encoded);
    P2_ASSERT(p2_wire_check(&msg) == P2_OK);
    P2_ASSERT(p2_wire_encode(&writer, &msg) == P2_OK);
    P2_ASSERT(p2_span_equal(p2_writer_span(&writer), body));
    P2_ASSERT(p2_wire_bound(&msg) >= body.size);
    P2_ASSERT(p2_wire_decode(&same, data[0], p2_writer_span(&writer)) == P2_OK);
    P2_ASSERT(p2_wire_equal(&msg, &same));
    p2_writer_init(&writer, line, sizeof line);
    p2_wire_print(&writer, &msg);
    for (size_t i = 0; i < writer.size; i++) {
        P2_ASSERT(line[i] >= 0x20 && line[i] != 0x7f);
    }
    return 0;
}
