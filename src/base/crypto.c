/* The only file that includes libsodium. Everything cryptographic goes through it, so that a
 * change of library, or a check of how it is used, concerns one file. */
#include "base/crypto.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= 384, "hasher state fits");
_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= 512, "AES state fits");
_Static_assert(crypto_aead_chacha20poly1305_IETF_NPUBBYTES == P2_NONCE_BYTES, "nonce size");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == P2_NONCE_BYTES, "nonce size");
_Static_assert(crypto_sign_BYTES == P2_SIGNATURE_BYTES, "signature size");
_Static_assert(crypto_pwhash_argon2id_SALTBYTES == P2_SALT_BYTES, "salt size");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == P2_XNONCE_BYTES, "nonce size");
_Static_assert(crypto_box_SEALBYTES == P2_BOX_BYTES, "box size");

/* Longest domain string of a signature or key derivation. Chosen: they are literals in our code. */
#define DOMAIN_MAX 64

int p2_crypto_init(void)
{
    return sodium_init() >= 0 ? P2_OK : P2_E_UNSUPPORTED;
}

bool p2_secret_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

bool p2_secret_is_zero(const void *data, size_t size)
{
    return sodium_is_zero(data, size) == 1;
}

void p2_secret_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}

void *p2_secret_alloc(size_t size)
{
    void *data = sodium_malloc(size);
    if (data != NULL) {
        sodium_memzero(data, size);
    }
    return data;
}

void p2_secret_free(void *data)
{
    sodium_free(data);
}

int p2_secret_lock(void *data, size_t size)
{
    return sodium_mlock(data, size) == 0 ? P2_OK : P2_E_LIMIT;
}

void p2_secret_unlock(void *data, size_t size)
{
    (void)sodium_munlock(data, size); /* wipes first; unlocking cannot fail in a way that matters */
}

/* ---- hashing -------------------------------------------------------------------------------- */

static crypto_generichash_state *hasher_state(struct p2_hasher *hasher)
{
    return (crypto_generichash_state *)(void *)hasher->opaque;
}

void p2_hasher_init(struct p2_hasher *hasher, size_t out_size)
{
    P2_ASSERT(out_size >= crypto_generichash_BYTES_MIN && out_size <= P2_HASH_MAX);
    hasher->out_size = out_size;
    (void)crypto_generichash_init(hasher_state(hasher), NULL, 0, out_size); /* sizes checked */
}

void p2_hasher_add(struct p2_hasher *hasher, struct p2_span bytes)
{
    if (bytes.size > 0) {
        (void)crypto_generichash_update(hasher_state(hasher), bytes.data, bytes.size);
    }
}

void p2_hasher_end(struct p2_hasher *hasher, uint8_t *out)
{
    (void)crypto_generichash_final(hasher_state(hasher), out, hasher->out_size);
}

void p2_hash(uint8_t *out, size_t out_size, const struct p2_span *parts, size_t count)
{
    struct p2_hasher hasher;
    p2_hasher_init(&hasher, out_size);
    for (size_t i = 0; i < count; i++) {
        p2_hasher_add(&hasher, parts[i]);
    }
    p2_hasher_end(&hasher, out);
}

void p2_hmac(uint8_t out[64], struct p2_span key, const struct p2_span *parts, size_t count)
{
    uint8_t block[P2_BLAKE2B_BLOCK] = {0};
    uint8_t inner[64];
    if (key.size > sizeof block) {
        p2_hash(block, 64, &key, 1);
    } else if (key.size > 0) {
        memcpy(block, key.data, key.size);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36;
    }
    struct p2_hasher hasher;
    p2_hasher_init(&hasher, 64);
    p2_hasher_add(&hasher, p2_span(block, sizeof block));
    for (size_t i = 0; i < count; i++) {
        p2_hasher_add(&hasher, parts[i]);
    }
    p2_hasher_end(&hasher, inner);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    p2_hasher_init(&hasher, 64);
    p2_hasher_add(&hasher, p2_span(block, sizeof block));
    p2_hasher_add(&hasher, p2_span(inner, sizeof inner));
    p2_hasher_end(&hasher, out);
    sodium_memzero(block, sizeof block);
    sodium_memzero(inner, sizeof inner);
    sodium_memzero(&hasher, sizeof hasher);
}

void p2_derive_key(uint8_t out[P2_KEY_BYTES], const uint8_t key[P2_KEY_BYTES], const char *label,
                   struct p2_span context)
{
    size_t label_size = strlen(label) + 1; /* with its zero: no label is another's beginning */
    P2_ASSERT(label_size <= DOMAIN_MAX);
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, key, P2_KEY_BYTES, P2_KEY_BYTES);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, label_size);
    if (context.size > 0) {
        (void)crypto_generichash_update(&state, context.data, context.size);
    }
    (void)crypto_generichash_final(&state, out, P2_KEY_BYTES);
    sodium_memzero(&state, sizeof state);
}

/* ---- X25519 and Ed25519 ---------------------------------------------------------------------- */

void p2_x25519_public(uint8_t public_key[P2_KEY_BYTES], const uint8_t secret[P2_KEY_BYTES])
{
    (void)crypto_scalarmult_base(public_key, secret); /* cannot fail for X25519 */
}

int p2_x25519(uint8_t shared[P2_KEY_BYTES], const uint8_t secret[P2_KEY_BYTES],
              const uint8_t public_key[P2_KEY_BYTES])
{
    int failed = crypto_scalarmult(shared, secret, public_key);
    if (failed != 0 || sodium_is_zero(shared, P2_KEY_BYTES)) {
        sodium_memzero(shared, P2_KEY_BYTES);
        return P2_E_BAD_KEY;
    }
    return P2_OK;
}

static bool has_sign_bit(const uint8_t id[P2_KEY_BYTES])
{
    return (id[P2_KEY_BYTES - 1] & 0x80) != 0;
}

int p2_identity_from_seed(struct p2_identity *identity, const uint8_t seed[P2_KEY_BYTES])
{
    uint8_t public_key[P2_KEY_BYTES];
    uint8_t signing_key[64];
    int error = P2_OK;
    (void)crypto_sign_seed_keypair(public_key, signing_key, seed); /* cannot fail */
    if (has_sign_bit(public_key) ||
        crypto_sign_ed25519_pk_to_curve25519(identity->exchange_public, public_key) != 0) {
        error = P2_E_BAD_KEY;
        goto out;
    }
    memmove(identity->seed, seed, P2_KEY_BYTES);
    memcpy(identity->public_key, public_key, P2_KEY_BYTES);
    memcpy(identity->signing_key, signing_key, sizeof signing_key);
    (void)crypto_sign_ed25519_sk_to_curve25519(identity->exchange_secret, signing_key);
out:
    sodium_memzero(signing_key, sizeof signing_key);
    return error;
}

int p2_id_to_exchange_key(uint8_t exchange_public[P2_KEY_BYTES], const uint8_t id[P2_KEY_BYTES])
{
    if (has_sign_bit(id) || crypto_sign_ed25519_pk_to_curve25519(exchange_public, id) != 0) {
        return P2_E_BAD_KEY;
    }
    return P2_OK;
}

/* The bytes that are really signed: domain | 0 | network id | message. Returns their number. */
static size_t signed_bytes(uint8_t *out, const char *domain, const uint8_t network_id[P2_KEY_BYTES],
                           struct p2_span message)
{
    size_t size = strlen(domain) + 1;
    P2_ASSERT(size <= DOMAIN_MAX);
    memcpy(out, domain, size);
    memcpy(out + size, network_id, P2_KEY_BYTES);
    size += P2_KEY_BYTES;
    if (message.size > 0) {
        memcpy(out + size, message.data, message.size);
    }
    return size + message.size;
}

int p2_sign(uint8_t signature[P2_SIGNATURE_BYTES], const struct p2_identity *identity,
            const char *domain, const uint8_t network_id[P2_KEY_BYTES], struct p2_span message)
{
    uint8_t bytes[DOMAIN_MAX + P2_KEY_BYTES + P2_SIGNED_MAX];
    if (message.size > P2_SIGNED_MAX) {
        return P2_E_TOO_BIG;
    }
    size_t size = signed_bytes(bytes, domain, network_id, message);
    (void)crypto_sign_detached(signature, NULL, bytes, size, identity->signing_key);
    return P2_OK;
}

int p2_verify(const uint8_t signature[P2_SIGNATURE_BYTES], const uint8_t id[P2_KEY_BYTES],
              const char *domain, const uint8_t network_id[P2_KEY_BYTES], struct p2_span message)
{
    uint8_t bytes[DOMAIN_MAX + P2_KEY_BYTES + P2_SIGNED_MAX];
    if (message.size > P2_SIGNED_MAX) {
        return P2_E_TOO_BIG;
    }
    size_t size = signed_bytes(bytes, domain, network_id, message);
    int failed = crypto_sign_verify_detached(signature, bytes, size, id);
    return failed == 0 ? P2_OK : P2_E_BAD_SIGNATURE;
}

/* ---- AEAD ----------------------------------------------------------------------------------- */

static const crypto_aead_aes256gcm_state *aes_state(const struct p2_aead *aead)
{
    return (const crypto_aead_aes256gcm_state *)(const void *)aead->state;
}

bool p2_cipher_available(enum p2_cipher cipher)
{
    switch (cipher) {
    case P2_CIPHER_CHACHAPOLY:
        return true;
    case P2_CIPHER_AESGCM:
        return crypto_aead_aes256gcm_is_available() == 1;
    }
    return false;
}

int p2_aead_init(struct p2_aead *aead, enum p2_cipher cipher, const uint8_t key[P2_KEY_BYTES])
{
    if (!p2_cipher_available(cipher)) {
        return P2_E_UNSUPPORTED;
    }
    aead->cipher = cipher;
    if (cipher == P2_CIPHER_AESGCM) {
        (void)crypto_aead_aes256gcm_beforenm((crypto_aead_aes256gcm_state *)(void *)aead->state,
                                             key); /* cannot fail */
    } else {
        memcpy(aead->state, key, P2_KEY_BYTES);
    }
    return P2_OK;
}

void p2_aead_seal(const struct p2_aead *aead, uint8_t *out, const uint8_t *in, size_t size,
                  struct p2_span associated, const uint8_t nonce[P2_NONCE_BYTES])
{
    if (aead->cipher == P2_CIPHER_AESGCM) {
        (void)crypto_aead_aes256gcm_encrypt_afternm(out, NULL, in, size, associated.data,
                                                    associated.size, NULL, nonce, aes_state(aead));
    } else {
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, size, associated.data,
                                                        associated.size, NULL, nonce, aead->state);
    }
}

int p2_aead_open(const struct p2_aead *aead, uint8_t *out, const uint8_t *in, size_t size,
                 struct p2_span associated, const uint8_t nonce[P2_NONCE_BYTES])
{
    if (size < P2_TAG_BYTES) {
        return P2_E_TRUNCATED;
    }
    int failed =
        aead->cipher == P2_CIPHER_AESGCM
            ? crypto_aead_aes256gcm_decrypt_afternm(out, NULL, NULL, in, size, associated.data,
                                                    associated.size, nonce, aes_state(aead))
            : crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, size, associated.data,
                                                        associated.size, nonce, aead->state);
    return failed == 0 ? P2_OK : P2_E_BAD_TAG;
}

/* ---- slow hashing ---------------------------------------------------------------------------- */

int p2_argon2id(uint8_t *out, size_t out_size, struct p2_span password,
                const uint8_t salt[P2_SALT_BYTES], uint64_t memory_bytes, uint32_t passes)
{
    P2_ASSERT(out_size >= crypto_pwhash_argon2id_BYTES_MIN && out_size <= P2_HASH_MAX);
    P2_ASSERT(memory_bytes >= crypto_pwhash_argon2id_MEMLIMIT_MIN && memory_bytes <= SIZE_MAX);
    P2_ASSERT(passes >= crypto_pwhash_argon2id_OPSLIMIT_MIN);
    int failed =
        crypto_pwhash_argon2id(out, out_size, (const char *)password.data, password.size, salt,
                               passes, (size_t)memory_bytes, crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return failed == 0 ? P2_OK : P2_E_NOMEM; /* the arguments are right: only memory is left */
}

/* ---- sealing of stored values ----------------------------------------------------------------- */

void p2_xchacha_seal(uint8_t *out, const uint8_t *in, size_t size, struct p2_span associated,
                     const uint8_t nonce[P2_XNONCE_BYTES], const uint8_t key[P2_KEY_BYTES])
{
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, size, associated.data,
                                                     associated.size, NULL, nonce, key);
}

int p2_xchacha_open(uint8_t *out, const uint8_t *in, size_t size, struct p2_span associated,
                    const uint8_t nonce[P2_XNONCE_BYTES], const uint8_t key[P2_KEY_BYTES])
{
    if (size < P2_TAG_BYTES) {
        return P2_E_TRUNCATED;
    }
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, NULL, NULL, in, size, associated.data, associated.size, nonce, key);
    return failed == 0 ? P2_OK : P2_E_BAD_TAG;
}

/* crypto_box_seal draws its ephemeral key itself, which would make a simulated run unrepeatable:
 * the same bytes from its parts, with the key as an argument. */
int p2_box_seal(uint8_t *out, const uint8_t *in, size_t size, const uint8_t ephemeral[P2_KEY_BYTES],
                const uint8_t recipient[P2_KEY_BYTES])
{
    uint8_t nonce[crypto_box_NONCEBYTES];
    crypto_generichash_state state;
    (void)crypto_scalarmult_base(out, ephemeral); /* cannot fail for X25519 */
    (void)crypto_generichash_init(&state, NULL, 0, sizeof nonce);
    (void)crypto_generichash_update(&state, out, P2_KEY_BYTES);
    (void)crypto_generichash_update(&state, recipient, P2_KEY_BYTES);
    (void)crypto_generichash_final(&state, nonce, sizeof nonce);
    int failed = crypto_box_easy(out + P2_KEY_BYTES, in, size, nonce, recipient, ephemeral);
    return failed == 0 ? P2_OK : P2_E_BAD_KEY;
}

int p2_box_open(uint8_t *out, const uint8_t *in, size_t size, const struct p2_identity *identity)
{
    if (size < P2_BOX_BYTES) {
        return P2_E_TRUNCATED;
    }
    int failed =
        crypto_box_seal_open(out, in, size, identity->exchange_public, identity->exchange_secret);
    return failed == 0 ? P2_OK : P2_E_BAD_TAG;
}

void p2_stream(uint8_t *out, size_t size, const uint8_t key[P2_KEY_BYTES], uint64_t block)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    memset(out, 0, size);
    (void)crypto_stream_chacha20_xor_ic(out, out, size, nonce, block, key);
}

const char *p2_crypto_version(void)
{
    return sodium_version_string();
}
