/* Both roles of the handshake against attacker-controlled bytes, with fixed keys.
 *
 * Input: byte 0 picks the cipher (bit 0), the role of the victim (bit 1), how many genuine messages
 * are exchanged first (bits 2, 3) and whether genuine messages are changed instead of replaced
 * (bit 4). The rest is the stream of the attacker: as responder the victim first reads a preamble
 * from it; a replaced message is a length byte and that many bytes, a changed one is XORed with
 * the next bytes of the stream. Nothing the attacker writes may complete a handshake. */
#include "link/preamble.h"
#include "tests/lib/handshake.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p2_test_pair pairs[2]; /* by cipher; made once, the keys never change */

static struct p2_test_pair *pair_of(enum p2_cipher cipher)
{
    struct p2_test_pair *pair = &pairs[cipher == P2_CIPHER_AESGCM];
    if (pair->initiator_options.static_secret == NULL) {
        P2_ASSERT(p2_crypto_init() == P2_OK);
        p2_test_pair_init(pair, cipher);
    }
    return pair;
}

/* A message the attacker made up. */
static struct p2_span take_message(struct p2_reader *reader)
{
    size_t length = p2_reader_u8(reader);
    return p2_reader_bytes(reader, length < reader->left ? length : reader->left);
}

/* A genuine message with the attacker's bits flipped. Returns true when it is unchanged. */
static bool change_message(struct p2_reader *reader, uint8_t *message, size_t size)
{
    size_t count = size < reader->left ? size : reader->left;
    struct p2_span mask = p2_reader_bytes(reader, count);
    bool unchanged = true;
    for (size_t i = 0; i < mask.size; i++) {
        message[i] ^= mask.data[i];
        unchanged = unchanged && mask.data[i] == 0;
    }
    return unchanged;
}

static void attack(struct p2_noise *victim, struct p2_noise *peer, struct p2_reader *reader,
                   bool changing)
{
    uint8_t message[P2_TEST_MESSAGE_MAX];
    uint8_t payload[P2_TEST_MESSAGE_MAX];
    bool genuine = true;
    size_t size = 0;
    while (victim->state < P2_NOISE_DONE && peer->state <= P2_NOISE_DONE) {
        size_t got = 0;
        if (p2_noise_write(victim, p2_span(NULL, 0), message, sizeof message, &size) == P2_OK) {
            if (p2_noise_read(peer, p2_span(message, size), payload, sizeof payload, &got) !=
                P2_OK) {
                return;
            }
            continue;
        }
        struct p2_span bytes = take_message(reader);
        if (changing) {
            if (p2_noise_write(peer, p2_span(NULL, 0), message, sizeof message, &size) != P2_OK) {
                return;
            }
            genuine = change_message(reader, message, size) && genuine;
            bytes = p2_span(message, size);
        } else {
            genuine = false;
        }
        int error = p2_noise_read(victim, bytes, payload, sizeof payload, &got);
        P2_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
        P2_ASSERT((error == P2_OK) == genuine);
        P2_ASSERT(error == P2_OK || victim->state == P2_NOISE_FAILED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_reader reader;
    enum p2_cipher cipher;
    p2_reader_init(&reader, p2_span(data, size));
    uint8_t choice = p2_reader_u8(&reader);
    cipher = (choice & 1) != 0 && p2_cipher_available(P2_CIPHER_AESGCM) ? P2_CIPHER_AESGCM
                                                                        : P2_CIPHER_CHACHAPOLY;
    bool responder = (choice & 2) != 0;
    if (responder) {
        enum p2_cipher asked;
        struct p2_span preamble = p2_reader_bytes(
            &reader, reader.left < P2_PREAMBLE_BYTES ? reader.left : P2_PREAMBLE_BYTES);
        int error = p2_preamble_parse(&asked, preamble);
        P2_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
        if (error != P2_OK) {
            return 0;
        }
    }
    struct p2_test_pair *pair = pair_of(cipher);
    P2_ASSERT(p2_test_pair_start(pair) == P2_OK);
    int count = choice >> 2 & 3;
    P2_ASSERT(p2_test_pair_run(pair, count) == P2_OK);
    attack(responder ? &pair->responder : &pair->initiator,
           responder ? &pair->initiator : &pair->responder, &reader, (choice & 16) != 0);
    return 0;
}
