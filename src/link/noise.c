/* The Noise XK handshake. The pattern is data (the table below); one function walks it. */
#include "link/noise.h"

#include <string.h>

/* Noise 3: no message is longer than this. */
#define NOISE_MESSAGE_MAX 65535

/* Noise 5.1: the last nonce is never used for a message. */
#define NOISE_NONCE_RESERVED UINT64_MAX

enum token { TOKEN_END, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE };

/* One row per message: who sends it, what it carries, how much longer than its payload it is. */
struct message_row {
    enum p2_noise_role sender;
    enum p2_noise_state next;
    uint8_t tokens[3]; /* enum token, closed by TOKEN_END */
    uint8_t overhead;  /* bytes */
};

static const struct message_row message_rows[] = {
    [P2_NOISE_MESSAGE_1] = {P2_NOISE_INITIATOR,
                            P2_NOISE_MESSAGE_2,
                            {TOKEN_E, TOKEN_ES, TOKEN_END},
                            P2_NOISE_MESSAGE_1_BYTES},
    [P2_NOISE_MESSAGE_2] = {P2_NOISE_RESPONDER,
                            P2_NOISE_MESSAGE_3,
                            {TOKEN_E, TOKEN_EE, TOKEN_END},
                            P2_NOISE_MESSAGE_2_BYTES},
    [P2_NOISE_MESSAGE_3] = {P2_NOISE_INITIATOR,
                            P2_NOISE_DONE,
                            {TOKEN_S, TOKEN_SE, TOKEN_END},
                            P2_NOISE_MESSAGE_3_BYTES},
};

/* ---- symmetric state (Noise 5.2) -------------------------------------------------------------- */

void p2_noise_nonce(uint8_t out[P2_NONCE_BYTES], enum p2_cipher cipher, uint64_t nonce)
{
    memset(out, 0, 4);
    if (cipher == P2_CIPHER_AESGCM) {
        p2_store_be64(out + 4, nonce);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        out[4 + i] = (uint8_t)(nonce >> (8 * i));
    }
}

static void mix_hash(struct p2_noise *noise, struct p2_span bytes)
{
    const struct p2_span parts[] = {p2_span(noise->hash, sizeof noise->hash), bytes};
    p2_hash(noise->hash, sizeof noise->hash, parts, P2_COUNT_OF(parts));
}

/* HKDF with two outputs (Noise 4.3). `out1` may be `chaining_key`. */
static void hkdf(uint8_t out1[64], uint8_t out2[64], const uint8_t chaining_key[64],
                 struct p2_span input)
{
    static const uint8_t one = 1;
    static const uint8_t two = 2;
    uint8_t temp_key[64];
    p2_hmac(temp_key, p2_span(chaining_key, 64), &input, 1);
    const struct p2_span first = p2_span(&one, 1);
    p2_hmac(out1, p2_span(temp_key, sizeof temp_key), &first, 1);
    const struct p2_span second[] = {p2_span(out1, 64), p2_span(&two, 1)};
    p2_hmac(out2, p2_span(temp_key, sizeof temp_key), second, P2_COUNT_OF(second));
    p2_secret_wipe(temp_key, sizeof temp_key);
}

static void mix_key(struct p2_noise *noise, const uint8_t shared[P2_KEY_BYTES])
{
    uint8_t key[64];
    hkdf(noise->chaining_key, key, noise->chaining_key, p2_span(shared, P2_KEY_BYTES));
    memcpy(noise->key, key, sizeof noise->key); /* HASHLEN 64: truncated to 32 (Noise 5.2) */
    noise->has_key = true;
    noise->nonce = 0;
    p2_secret_wipe(key, sizeof key);
}

/* Every encrypted part of XK comes after a DH, so unlike in the general EncryptAndHash there is
 * always a key. The nonce cannot run out: no key sees more than two messages. */
static int prepare_cipher(struct p2_noise *noise, struct p2_aead *aead,
                          uint8_t nonce[P2_NONCE_BYTES])
{
    P2_ASSERT(noise->has_key && noise->nonce < NOISE_NONCE_RESERVED);
    p2_noise_nonce(nonce, (enum p2_cipher)noise->cipher, noise->nonce);
    return p2_aead_init(aead, (enum p2_cipher)noise->cipher, noise->key);
}

/* EncryptAndHash: writes plain.size + 16 bytes. */
static int encrypt_and_hash(struct p2_noise *noise, struct p2_span plain, uint8_t *out)
{
    struct p2_aead aead;
    uint8_t nonce[P2_NONCE_BYTES];
    int error = prepare_cipher(noise, &aead, nonce);
    if (error == P2_OK) {
        p2_aead_seal(&aead, out, plain.data, plain.size, p2_span(noise->hash, sizeof noise->hash),
                     nonce);
        noise->nonce++;
        mix_hash(noise, p2_span(out, plain.size + P2_TAG_BYTES));
    }
    p2_secret_wipe(&aead, sizeof aead);
    return error;
}

/* DecryptAndHash: writes sealed.size - 16 bytes. `out` must not overlap `sealed`, which is hashed
 * afterwards. */
static int decrypt_and_hash(struct p2_noise *noise, struct p2_span sealed, uint8_t *out)
{
    struct p2_aead aead;
    uint8_t nonce[P2_NONCE_BYTES];
    int error = prepare_cipher(noise, &aead, nonce);
    if (error == P2_OK) {
        error = p2_aead_open(&aead, out, sealed.data, sealed.size,
                             p2_span(noise->hash, sizeof noise->hash), nonce);
    }
    if (error == P2_OK) {
        noise->nonce++;
        mix_hash(noise, sealed);
    }
    p2_secret_wipe(&aead, sizeof aead);
    return error;
}

/* ---- tokens (Noise 5.3) ----------------------------------------------------------------------- */

static int mix_dh(struct p2_noise *noise, enum token token)
{
    bool initiator = noise->role == P2_NOISE_INITIATOR;
    /* "es" is the initiator's ephemeral and the responder's static key, "se" the reverse. */
    bool own_static = token == (initiator ? TOKEN_SE : TOKEN_ES);
    bool remote_static = token == (initiator ? TOKEN_ES : TOKEN_SE);
    uint8_t shared[P2_KEY_BYTES];
    int error = p2_x25519(shared, own_static ? noise->static_secret : noise->ephemeral_secret,
                          remote_static ? noise->remote_static : noise->remote_ephemeral);
    if (error == P2_OK) {
        mix_key(noise, shared);
    }
    p2_secret_wipe(shared, sizeof shared);
    return error;
}

static int write_token(struct p2_noise *noise, enum token token, struct p2_writer *writer)
{
    uint8_t sealed[P2_KEY_BYTES + P2_TAG_BYTES];
    int error;
    switch (token) {
    case TOKEN_E:
        /* Computed only now: a listener pays for it after message 1 has proved genuine. */
        p2_x25519_public(noise->ephemeral_public, noise->ephemeral_secret);
        p2_writer_bytes(writer, p2_span(noise->ephemeral_public, P2_KEY_BYTES));
        mix_hash(noise, p2_span(noise->ephemeral_public, P2_KEY_BYTES));
        return P2_OK;
    case TOKEN_S:
        error = encrypt_and_hash(noise, p2_span(noise->static_public, P2_KEY_BYTES), sealed);
        p2_writer_bytes(writer, p2_span(sealed, sizeof sealed));
        return error;
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
        return mix_dh(noise, token);
    case TOKEN_END:
        break;
    }
    return P2_E_BUG;
}

static int read_token(struct p2_noise *noise, enum token token, struct p2_reader *reader)
{
    struct p2_span bytes;
    switch (token) {
    case TOKEN_E:
        bytes = p2_reader_bytes(reader, P2_KEY_BYTES);
        memcpy(noise->remote_ephemeral, bytes.data, P2_KEY_BYTES);
        mix_hash(noise, bytes);
        return P2_OK;
    case TOKEN_S:
        bytes = p2_reader_bytes(reader, P2_KEY_BYTES + P2_TAG_BYTES);
        return decrypt_and_hash(noise, bytes, noise->remote_static);
    case TOKEN_EE:
    case TOKEN_ES:
    case TOKEN_SE:
        return mix_dh(noise, token);
    case TOKEN_END:
        break;
    }
    return P2_E_BUG;
}

/* ---- the state machine ------------------------------------------------------------------------ */

/* The row of the message that is due, or NULL when this side may not write (or read) now. */
static const struct message_row *due_row(const struct p2_noise *noise, bool writing)
{
    if (noise->state >= P2_COUNT_OF(message_rows)) {
        return NULL;
    }
    const struct message_row *row = &message_rows[noise->state];
    return ((uint8_t)row->sender == noise->role) == writing ? row : NULL;
}

/* The one function that moves: on to the row's next state, or to FAILED with everything wiped. */
static int move(struct p2_noise *noise, const struct message_row *row, int error)
{
    if (error != P2_OK) {
        p2_noise_wipe(noise);
        return error;
    }
    noise->state = (uint8_t)row->next;
    if (row->next == P2_NOISE_DONE) {
        p2_secret_wipe(noise->ephemeral_secret, sizeof noise->ephemeral_secret);
        p2_secret_wipe(noise->key, sizeof noise->key);
        noise->static_secret = NULL;
        noise->static_public = NULL;
    }
    return P2_OK;
}

static const char *protocol_name(enum p2_cipher cipher)
{
    return cipher == P2_CIPHER_AESGCM ? "Noise_XK_25519_AESGCM_BLAKE2b"
                                      : "Noise_XK_25519_ChaChaPoly_BLAKE2b";
}

int p2_noise_init(struct p2_noise *noise, const struct p2_noise_options *options)
{
    bool initiator = options->role == P2_NOISE_INITIATOR;
    p2_noise_wipe(noise);
    if (!p2_cipher_available(options->cipher)) {
        return P2_E_UNSUPPORTED;
    }
    if (initiator != (options->remote_static != NULL)) {
        return P2_E_INVALID;
    }
    noise->cipher = (uint8_t)options->cipher;
    noise->role = (uint8_t)options->role;
    noise->static_secret = options->static_secret;
    noise->static_public = options->static_public;
    memcpy(noise->ephemeral_secret, options->ephemeral_secret, P2_KEY_BYTES);
    if (initiator) {
        memcpy(noise->remote_static, options->remote_static, P2_KEY_BYTES);
    }
    /* Names of at most HASHLEN bytes are padded with zeros, not hashed (Noise 5.2). */
    const char *name = protocol_name(options->cipher);
    memcpy(noise->hash, name, strlen(name));
    memcpy(noise->chaining_key, noise->hash, sizeof noise->chaining_key);
    mix_hash(noise, options->prologue);
    mix_hash(noise,
             p2_span(initiator ? noise->remote_static : options->static_public, P2_KEY_BYTES));
    noise->state = P2_NOISE_MESSAGE_1;
    return P2_OK;
}

int p2_noise_write(struct p2_noise *noise, struct p2_span payload, uint8_t *out, size_t capacity,
                   size_t *ret_size)
{
    const struct message_row *row = due_row(noise, true);
    struct p2_writer writer;
    int error = P2_OK;
    if (row == NULL) {
        return P2_E_STATE;
    }
    if (payload.size > NOISE_MESSAGE_MAX - (size_t)row->overhead) {
        return move(noise, row, P2_E_TOO_BIG);
    }
    size_t size = payload.size + row->overhead;
    if (size > capacity) {
        return move(noise, row, P2_E_FULL);
    }
    p2_writer_init(&writer, out, capacity);
    for (const uint8_t *token = row->tokens; error == P2_OK && *token != TOKEN_END; token++) {
        error = write_token(noise, (enum token) * token, &writer);
    }
    if (error == P2_OK) {
        error = encrypt_and_hash(noise, payload, out + writer.size);
    }
    error = move(noise, row, error);
    if (error == P2_OK) {
        *ret_size = size;
    }
    return error;
}

int p2_noise_read(struct p2_noise *noise, struct p2_span message, uint8_t *out, size_t capacity,
                  size_t *ret_size)
{
    const struct message_row *row = due_row(noise, false);
    struct p2_reader reader;
    int error = P2_OK;
    if (row == NULL) {
        return P2_E_STATE;
    }
    if (message.size > NOISE_MESSAGE_MAX) {
        return move(noise, row, P2_E_TOO_BIG);
    }
    if (message.size < row->overhead) {
        return move(noise, row, P2_E_TRUNCATED);
    }
    size_t size = message.size - row->overhead;
    if (size > capacity) {
        return move(noise, row, P2_E_FULL);
    }
    p2_reader_init(&reader, message);
    for (const uint8_t *token = row->tokens; error == P2_OK && *token != TOKEN_END; token++) {
        error = read_token(noise, (enum token) * token, &reader);
    }
    if (error == P2_OK) {
        error = decrypt_and_hash(noise, p2_reader_bytes(&reader, reader.left), out);
    }
    error = move(noise, row, error);
    if (error == P2_OK) {
        *ret_size = size;
    }
    return error;
}

int p2_noise_split(struct p2_noise *noise, uint8_t send_key[P2_KEY_BYTES],
                   uint8_t receive_key[P2_KEY_BYTES], uint8_t handshake_hash[64])
{
    uint8_t first[64];
    uint8_t second[64];
    if (noise->state != P2_NOISE_DONE) {
        return P2_E_STATE;
    }
    /* The first key carries what the initiator sends (Noise 5.3). */
    bool initiator = noise->role == P2_NOISE_INITIATOR;
    hkdf(first, second, noise->chaining_key, p2_span(NULL, 0));
    memcpy(send_key, initiator ? first : second, P2_KEY_BYTES);
    memcpy(receive_key, initiator ? second : first, P2_KEY_BYTES);
    memcpy(handshake_hash, noise->hash, sizeof noise->hash);
    p2_secret_wipe(first, sizeof first);
    p2_secret_wipe(second, sizeof second);
    /* The peer's key stays readable; all else is of no more use. */
    uint8_t remote_static[P2_KEY_BYTES];
    memcpy(remote_static, noise->remote_static, sizeof remote_static);
    p2_noise_wipe(noise);
    memcpy(noise->remote_static, remote_static, sizeof remote_static);
    noise->state = P2_NOISE_SPLIT;
    return P2_OK;
}

int p2_noise_remote_static(const struct p2_noise *noise, uint8_t remote_static[P2_KEY_BYTES])
{
    bool known = noise->state == P2_NOISE_DONE || noise->state == P2_NOISE_SPLIT ||
                 (noise->role == P2_NOISE_INITIATOR && noise->state != P2_NOISE_FAILED);
    if (!known) {
        return P2_E_STATE;
    }
    memcpy(remote_static, noise->remote_static, P2_KEY_BYTES);
    return P2_OK;
}

void p2_noise_wipe(struct p2_noise *noise)
{
    p2_secret_wipe(noise, sizeof *noise);
    noise->state = P2_NOISE_FAILED;
}
