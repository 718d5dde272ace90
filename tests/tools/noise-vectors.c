/* noise-vectors FILE: checks a file of Noise test vectors in the cacophony JSON format against
 * src/link/noise.c.
 *
 * Every vector of Noise_XK_25519_{ChaChaPoly,AESGCM}_BLAKE2b is run by both sides: each message
 * written must equal the vector's ciphertext, each message read must give the vector's payload,
 * handshake hashes must agree, and so must the transport messages after the handshake. Other
 * protocols are skipped, and so are AES vectors on a machine without AES instructions.
 *
 * Format: https://github.com/haskell-cryptography/cacophony (vectors/cacophony.txt): an object
 * with "vectors", an array of objects. Used fields: protocol_name (or name), init_prologue,
 * resp_prologue, init_static, init_ephemeral, init_remote_static, resp_static, resp_ephemeral,
 * handshake_hash, messages (payload, ciphertext). Prologues, init_remote_static and
 * handshake_hash may be missing; others are not looked at.
 *
 * Prints "N passed, N failed, N skipped". Exit status: 0 nothing failed, 1 a vector failed, 2 the
 * file cannot be read or does not have the format. */
#include "base/crypto.h"
#include "link/noise.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_BAD_FILE 2

/* Longest prologue, payload or ciphertext. Noise 3 limits messages to this. */
#define BYTES_MAX 65535

enum verdict { PASSED, FAILED, SKIPPED, MALFORMED };

struct bytes {
    size_t size;
    uint8_t data[BYTES_MAX];
};

/* One vector, its numbers decoded. Large: there is one, static. */
struct vector {
    size_t index;
    const char *name;
    enum p2_cipher cipher;
    struct bytes init_prologue;
    struct bytes resp_prologue;
    uint8_t init_static[P2_KEY_BYTES];
    uint8_t init_static_public[P2_KEY_BYTES];
    uint8_t init_ephemeral[P2_KEY_BYTES];
    uint8_t init_remote_static[P2_KEY_BYTES];
    uint8_t resp_static[P2_KEY_BYTES];
    uint8_t resp_static_public[P2_KEY_BYTES];
    uint8_t resp_ephemeral[P2_KEY_BYTES];
    bool has_hash;
    struct bytes hash;
    const json_t *messages;
};

/* What both sides keep after the handshake. */
struct transport {
    uint8_t key[P2_KEY_BYTES];
    uint64_t nonce;
};

struct side {
    struct p2_noise noise;
    struct transport send;
    struct transport receive;
};

static enum verdict complain(const struct vector *vector, enum verdict verdict, const char *text,
                             const char *field)
{
    (void)fprintf(stderr, "vector %zu (%s): %s%s%s\n", vector->index,
                  vector->name != NULL ? vector->name : "no name", field,
                  *field != '\0' ? ": " : "", text);
    return verdict;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef";
    char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *found = lower != '\0' ? strchr(digits, lower) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static bool decode_hex(const json_t *value, uint8_t *out, size_t capacity, size_t *ret_size)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (text == NULL || length % 2 != 0 || length / 2 > capacity) {
        return false;
    }
    for (size_t i = 0; i < length / 2; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    *ret_size = length / 2;
    return true;
}

static bool read_key(const struct vector *vector, const json_t *object, const char *field,
                     uint8_t key[P2_KEY_BYTES])
{
    size_t size = 0;
    if (decode_hex(json_object_get(object, field), key, P2_KEY_BYTES, &size) &&
        size == P2_KEY_BYTES) {
        return true;
    }
    (void)complain(vector, MALFORMED, "missing, or not 64 hexadecimal digits", field);
    return false;
}

static bool read_bytes(const struct vector *vector, const json_t *object, const char *field,
                       bool optional, struct bytes *bytes)
{
    const json_t *value = json_object_get(object, field);
    bytes->size = 0;
    if (value == NULL && optional) {
        return true;
    }
    if (decode_hex(value, bytes->data, sizeof bytes->data, &bytes->size)) {
        return true;
    }
    (void)complain(vector, MALFORMED, "missing, or not hexadecimal bytes", field);
    return false;
}

/* Decodes a vector of one of our suites. */
static bool read_vector(struct vector *vector, const json_t *object)
{
    bool read = read_bytes(vector, object, "init_prologue", true, &vector->init_prologue) &&
                read_bytes(vector, object, "resp_prologue", true, &vector->resp_prologue) &&
                read_key(vector, object, "init_static", vector->init_static) &&
                read_key(vector, object, "init_ephemeral", vector->init_ephemeral) &&
                read_key(vector, object, "resp_static", vector->resp_static) &&
                read_key(vector, object, "resp_ephemeral", vector->resp_ephemeral) &&
                read_bytes(vector, object, "handshake_hash", true, &vector->hash);
    if (!read) {
        return false;
    }
    vector->has_hash = json_object_get(object, "handshake_hash") != NULL;
    p2_x25519_public(vector->init_static_public, vector->init_static);
    p2_x25519_public(vector->resp_static_public, vector->resp_static);
    if (json_object_get(object, "init_remote_static") == NULL) {
        memcpy(vector->init_remote_static, vector->resp_static_public, P2_KEY_BYTES);
    } else if (!read_key(vector, object, "init_remote_static", vector->init_remote_static)) {
        return false;
    }
    vector->messages = json_object_get(object, "messages");
    if (!json_is_array(vector->messages) || json_array_size(vector->messages) < 3) {
        (void)complain(vector, MALFORMED, "missing, or fewer than the 3 handshake messages",
                       "messages");
        return false;
    }
    return true;
}

/* ---- checking --------------------------------------------------------------------------------- */

static bool equal(struct p2_span actual, const struct bytes *expected)
{
    return p2_span_equal(actual, p2_span(expected->data, expected->size));
}

static bool start(struct side *initiator, struct side *responder, const struct vector *vector)
{
    const struct p2_noise_options initiator_options = {
        .role = P2_NOISE_INITIATOR,
        .cipher = vector->cipher,
        .prologue = p2_span(vector->init_prologue.data, vector->init_prologue.size),
        .static_secret = vector->init_static,
        .static_public = vector->init_static_public,
        .remote_static = vector->init_remote_static,
        .ephemeral_secret = vector->init_ephemeral,
    };
    const struct p2_noise_options responder_options = {
        .role = P2_NOISE_RESPONDER,
        .cipher = vector->cipher,
        .prologue = p2_span(vector->resp_prologue.data, vector->resp_prologue.size),
        .static_secret = vector->resp_static,
        .static_public = vector->resp_static_public,
        .ephemeral_secret = vector->resp_ephemeral,
    };
    return p2_noise_init(&initiator->noise, &initiator_options) == P2_OK &&
           p2_noise_init(&responder->noise, &responder_options) == P2_OK;
}

/* One handshake message from `sender` to `receiver`. NULL, or what differs. */
static const char *step_handshake(struct side *sender, struct side *receiver,
                                  const struct bytes *payload, const struct bytes *ciphertext)
{
    static uint8_t out[BYTES_MAX];
    size_t size = 0;
    if (p2_noise_write(&sender->noise, p2_span(payload->data, payload->size), out, sizeof out,
                       &size) != P2_OK) {
        return "writing the message failed";
    }
    if (!equal(p2_span(out, size), ciphertext)) {
        return "the written message differs from the ciphertext";
    }
    if (p2_noise_read(&receiver->noise, p2_span(ciphertext->data, ciphertext->size), out,
                      sizeof out, &size) != P2_OK) {
        return "reading the ciphertext failed";
    }
    return equal(p2_span(out, size), payload) ? NULL : "the payload read differs";
}

static const char *finish_handshake(struct side *sides[2], const struct vector *vector)
{
    for (size_t i = 0; i < 2; i++) {
        uint8_t hash[64];
        if (p2_noise_split(&sides[i]->noise, sides[i]->send.key, sides[i]->receive.key, hash) !=
            P2_OK) {
            return "splitting into transport keys failed";
        }
        if (vector->has_hash && !equal(p2_span(hash, sizeof hash), &vector->hash)) {
            return "the handshake hash differs";
        }
    }
    return NULL;
}

static const char *step_transport(struct side *sender, struct side *receiver, enum p2_cipher cipher,
                                  const struct bytes *payload, const struct bytes *ciphertext)
{
    static uint8_t out[BYTES_MAX + P2_TAG_BYTES];
    uint8_t nonce[P2_NONCE_BYTES];
    struct p2_aead aead;
    if (p2_aead_init(&aead, cipher, sender->send.key) != P2_OK) {
        return "the transport cipher cannot start";
    }
    p2_noise_nonce(nonce, cipher, sender->send.nonce++);
    p2_aead_seal(&aead, out, payload->data, payload->size, p2_span(NULL, 0), nonce);
    if (!equal(p2_span(out, payload->size + P2_TAG_BYTES), ciphertext)) {
        return "the sealed transport message differs from the ciphertext";
    }
    if (p2_aead_init(&aead, cipher, receiver->receive.key) != P2_OK) {
        return "the transport cipher cannot start";
    }
    p2_noise_nonce(nonce, cipher, receiver->receive.nonce++);
    if (p2_aead_open(&aead, out, ciphertext->data, ciphertext->size, p2_span(NULL, 0), nonce) !=
        P2_OK) {
        return "opening the transport message failed";
    }
    return equal(p2_span(out, payload->size), payload) ? NULL : "the transport payload differs";
}

static enum verdict check_vector(const struct vector *vector)
{
    static struct bytes payload;
    static struct bytes ciphertext;
    struct side initiator = {0};
    struct side responder = {0};
    struct side *sides[2] = {&initiator, &responder};
    size_t count = json_array_size(vector->messages);
    if (!start(&initiator, &responder, vector)) {
        return complain(vector, FAILED, "the handshake cannot start", "");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *message = json_array_get(vector->messages, i);
        char where[32];
        const char *wrong;
        (void)snprintf(where, sizeof where, "message %zu", i);
        if (!read_bytes(vector, message, "payload", false, &payload) ||
            !read_bytes(vector, message, "ciphertext", false, &ciphertext)) {
            return MALFORMED;
        }
        /* The sides take turns, in the transport phase, too. */
        struct side *sender = sides[i % 2];
        struct side *receiver = sides[1 - i % 2];
        wrong = i < 3 ? step_handshake(sender, receiver, &payload, &ciphertext)
                      : step_transport(sender, receiver, vector->cipher, &payload, &ciphertext);
        if (wrong == NULL && i == 2) {
            wrong = finish_handshake(sides, vector);
        }
        if (wrong != NULL) {
            return complain(vector, FAILED, wrong, where);
        }
    }
    return PASSED;
}

static enum verdict run_vector(size_t index, const json_t *object)
{
    static struct vector vector;
    memset(&vector, 0, sizeof vector);
    vector.index = index;
    vector.name = json_string_value(json_object_get(object, "protocol_name"));
    if (vector.name == NULL) {
        vector.name = json_string_value(json_object_get(object, "name"));
    }
    if (vector.name == NULL) {
        return complain(&vector, MALFORMED, "no object with a protocol_name", "");
    }
    if (strcmp(vector.name, "Noise_XK_25519_ChaChaPoly_BLAKE2b") == 0) {
        vector.cipher = P2_CIPHER_CHACHAPOLY;
    } else if (strcmp(vector.name, "Noise_XK_25519_AESGCM_BLAKE2b") == 0) {
        vector.cipher = P2_CIPHER_AESGCM;
    } else {
        return SKIPPED;
    }
    if (!p2_cipher_available(vector.cipher)) {
        return SKIPPED;
    }
    return read_vector(&vector, object) ? check_vector(&vector) : MALFORMED;
}

static int run_file(const char *path)
{
    json_error_t error;
    size_t counts[4] = {0};
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        (void)fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        return EXIT_BAD_FILE;
    }
    const json_t *vectors = json_object_get(root, "vectors");
    size_t count = json_array_size(vectors); /* 0 when it is no array */
    for (size_t i = 0; i < count; i++) {
        counts[run_vector(i, json_array_get(vectors, i))]++;
    }
    json_decref(root);
    if (count == 0) {
        (void)fprintf(stderr, "%s: no array \"vectors\" with vectors in it\n", path);
        return EXIT_BAD_FILE;
    }
    (void)printf("%zu passed, %zu failed, %zu skipped\n", counts[PASSED],
                 counts[FAILED] + counts[MALFORMED], counts[SKIPPED]);
    if (counts[MALFORMED] > 0) {
        return EXIT_BAD_FILE;
    }
    return counts[FAILED] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        (void)fprintf(stderr, "usage: noise-vectors FILE\n");
        return EXIT_BAD_FILE;
    }
    if (p2_crypto_init() != P2_OK) {
        (void)fprintf(stderr, "the crypto library cannot start\n");
        return EXIT_BAD_FILE;
    }
    return run_file(argv[1]);
}
