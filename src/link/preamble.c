/* The preamble and the prologue made of it; see the header. */
#include "link/preamble.h"

#include <string.h>

static const uint8_t magic[4] = {'P', '2', 'C', '2'};

void p2_preamble_format(uint8_t out[P2_PREAMBLE_BYTES], enum p2_cipher cipher)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_PREAMBLE_BYTES);
    p2_writer_bytes(&writer, p2_span(magic, sizeof magic));
    p2_writer_u8(&writer, P2_PREAMBLE_VERSION);
    p2_writer_u8(&writer, (uint8_t)cipher);
    p2_writer_u16(&writer, 0);
    P2_ASSERT(writer.error == P2_OK && writer.size == P2_PREAMBLE_BYTES);
}

int p2_preamble_parse(enum p2_cipher *ret_cipher, struct p2_span bytes)
{
    struct p2_reader reader;
    p2_reader_init(&reader, bytes);
    struct p2_span start = p2_reader_bytes(&reader, sizeof magic);
    uint8_t version = p2_reader_u8(&reader);
    uint8_t cipher = p2_reader_u8(&reader);
    uint16_t reserved = p2_reader_u16(&reader);
    int error = p2_reader_end(&reader);
    if (error != P2_OK) {
        return error;
    }
    if (!p2_span_equal(start, p2_span(magic, sizeof magic))) {
        return P2_E_BAD_MAGIC;
    }
    if (version != P2_PREAMBLE_VERSION) {
        return P2_E_BAD_VERSION;
    }
    if (!p2_cipher_available((enum p2_cipher)cipher)) {
        return P2_E_BAD_CIPHER;
    }
    if (reserved != 0) {
        return P2_E_MALFORMED;
    }
    *ret_cipher = (enum p2_cipher)cipher;
    return P2_OK;
}

void p2_preamble_prologue(uint8_t out[P2_PROLOGUE_BYTES], const uint8_t network_id[P2_KEY_BYTES],
                          const uint8_t preamble[P2_PREAMBLE_BYTES])
{
    memcpy(out, P2_PROLOGUE_DOMAIN, sizeof P2_PROLOGUE_DOMAIN);
    memcpy(out + sizeof P2_PROLOGUE_DOMAIN, network_id, P2_KEY_BYTES);
    memcpy(out + sizeof P2_PROLOGUE_DOMAIN + P2_KEY_BYTES, preamble, P2_PREAMBLE_BYTES);
}
