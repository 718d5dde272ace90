/* A receiver of records against a stream of genuine, changed and made-up bytes.
 *
 * Input: byte 0 picks the cipher and how close to a rekey the link starts; then operations, each a
 * byte: 0 genuine record, 1 genuine record with one changed byte (position, mask), 2 replay of the
 * last one, 3 made-up record (header from the input, then bytes). Only genuine records in order
 * may open; the first other one ends the link. */
#include "link/record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN_MAX 255

struct link {
    struct p2_record_cipher sender;
    struct p2_record_cipher receiver;
    uint8_t record[PLAIN_MAX + P2_RECORD_OVERHEAD];
    size_t record_size; /* 0 before the first */
};

/* Seals the next genuine record into `record`. Its plaintext is its own length, repeated. */
static void seal_next(struct link *link, uint8_t length)
{
    uint8_t plain[PLAIN_MAX];
    size_t size = length == 0 ? 1 : length;
    memset(plain, (int)size, size);
    P2_ASSERT(p2_record_seal(&link->sender, link->record, plain, size) == P2_OK);
    link->record_size = size + P2_RECORD_OVERHEAD;
}

/* What the transport does with bytes from the network: header, length, open in place. */
static int receive(struct link *link, uint8_t *bytes, size_t size)
{
    if (size < P2_RECORD_HEADER_BYTES) {
        return P2_E_TRUNCATED;
    }
    int length = p2_record_length(bytes);
    if (length < 0) {
        return length;
    }
    if ((size_t)length > size - P2_RECORD_HEADER_BYTES) {
        return P2_E_TRUNCATED;
    }
    return p2_record_open(&link->receiver, bytes + P2_RECORD_HEADER_BYTES,
                          bytes + P2_RECORD_HEADER_BYTES, (size_t)length);
}

/* Returns what receiving gave, after checking it against what must happen. */
static int step(struct link *link, struct p2_reader *reader)
{
    uint8_t operation = p2_reader_u8(reader) % 4;
    uint8_t argument = p2_reader_u8(reader);
    bool genuine = operation == 0;
    uint8_t bytes[sizeof link->record];
    if (operation <= 1) {
        seal_next(link, argument);
    }
    memcpy(bytes, link->record, sizeof bytes);
    size_t size = link->record_size;
    if (operation == 1) {
        size_t at = p2_reader_u8(reader);
        uint8_t mask = p2_reader_u8(reader);
        bytes[at % size] ^= mask;
        genuine = mask == 0;
    } else if (operation == 3) {
        size = argument < reader->left ? argument : reader->left;
        struct p2_span made_up = p2_reader_bytes(reader, size);
        if (size > 0) {
            memcpy(bytes, made_up.data, size);
        }
    }
    int error = receive(link, bytes, size);
    P2_ASSERT((error == P2_OK) == genuine);
    P2_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
    if (genuine) {
        P2_ASSERT(bytes[P2_RECORD_HEADER_BYTES] == size - P2_RECORD_OVERHEAD);
    }
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[P2_KEY_BYTES] = {42};
    struct link link = {.record_size = 0};
    struct p2_reader reader;
    P2_ASSERT(p2_crypto_init() == P2_OK);
    p2_reader_init(&reader, p2_span(data, size));
    uint8_t choice = p2_reader_u8(&reader);
    enum p2_cipher cipher = (choice & 1) != 0 && p2_cipher_available(P2_CIPHER_AESGCM)
                                ? P2_CIPHER_AESGCM
                                : P2_CIPHER_CHACHAPOLY;
    P2_ASSERT(p2_record_init(&link.sender, cipher, key) == P2_OK);
    P2_ASSERT(p2_record_init(&link.receiver, cipher, key) == P2_OK);
    if ((choice & 2) != 0) { /* just before the first rekey */
        link.sender.nonce = P2_RECORD_REKEY_INTERVAL - 1 - (choice >> 6);
        link.receiver.nonce = link.sender.nonce;
    }
    while (reader.error == P2_OK && reader.left > 0 && step(&link, &reader) == P2_OK) {
        continue;
    }
    return 0;
}
