/* Cryptography: the one door to libsodium.
 *
 * Pure: nothing here draws randomness; key generation takes a seed (entropy.h has fresh ones).
 * p2_crypto_init() must have returned 0 before anything else is called. Thread: reentrant. */
#ifndef P2_BASE_CRYPTO_H
#define P2_BASE_CRYPTO_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_KEY_BYTES       32 /* every symmetric key, X25519 key, Ed25519 seed and public key */
#define P2_SIGNATURE_BYTES 64 /* Ed25519 (RFC 8032) */
#define P2_TAG_BYTES       16 /* both AEADs */
#define P2_NONCE_BYTES     12 /* both AEADs (RFC 8439; NIST SP 800-38D) */
#define P2_HASH_MAX        64 /* BLAKE2b (RFC 7693) */
#define P2_BLAKE2B_BLOCK   128

/* Prepares libsodium. P2_E_UNSUPPORTED when it cannot start. May be called again. */
int p2_crypto_init(void);

/* ---- comparing and wiping ------------------------------------------------------------------- */

/* Compares `size` bytes in time that does not depend on them. */
bool p2_secret_equal(const void *a, const void *b, size_t size);

/* True when all `size` bytes are zero; constant time. */
bool p2_secret_is_zero(const void *data, size_t size);

/* Overwrites with zeros; never optimised away. */
void p2_secret_wipe(void *data, size_t size);

/* Guarded, locked memory of its own pages for a long-term secret; NULL when there is none.
 * Gives: free with p2_secret_free, which wipes. Costs several pages: not for per-link keys. */
void *p2_secret_alloc(size_t size);
void p2_secret_free(void *data);

/* Locks `size` bytes at `data` into memory and out of core dumps; P2_E_LIMIT when the system's
 * limit (RLIMIT_MEMLOCK) forbids it. Unlocking wipes. */
int p2_secret_lock(void *data, size_t size);
void p2_secret_unlock(void *data, size_t size);

/* ---- hashing -------------------------------------------------------------------------------- */

/* BLAKE2b of the concatenated `parts[count]` into out[out_size], 16..64 bytes. */
void p2_hash(uint8_t *out, size_t out_size, const struct p2_span *parts, size_t count);

/* BLAKE2b in pieces, for bytes that do not lie in one place. `opaque` is libsodium's state. */
struct p2_hasher {
    _Alignas(64) uint8_t opaque[384];
    size_t out_size;
};
void p2_hasher_init(struct p2_hasher *hasher, size_t out_size);
void p2_hasher_add(struct p2_hasher *hasher, struct p2_span bytes);
void p2_hasher_end(struct p2_hasher *hasher, uint8_t *out);

/* HMAC (RFC 2104) with BLAKE2b-512 and its 128-byte block, as Noise wants it. out[64]. */
void p2_hmac(uint8_t out[64], struct p2_span key, const struct p2_span *parts, size_t count);

/* A subkey of `key` for the domain string `label`: keyed BLAKE2b(key, label | context). */
void p2_derive_key(uint8_t out[P2_KEY_BYTES], const uint8_t key[P2_KEY_BYTES], const char *label,
                   struct p2_span context);

/* ---- X25519 (RFC 7748) ---------------------------------------------------------------------- */

/* The public key of `secret`. */
void p2_x25519_public(uint8_t public_key[P2_KEY_BYTES], const uint8_t secret[P2_KEY_BYTES]);

/* The shared secret. P2_E_BAD_KEY when it is all zero (a low-order point), as Noise 12 demands. */
int p2_x25519(uint8_t shared[P2_KEY_BYTES], const uint8_t secret[P2_KEY_BYTES],
              const uint8_t public_key[P2_KEY_BYTES]);

/* ---- Ed25519 (RFC 8032) and its X25519 form --------------------------------------------------- */

/* An identity: one Ed25519 key pair and its X25519 form. Lives in p2_secret_alloc memory. */
struct p2_identity {
    uint8_t seed[P2_KEY_BYTES];            /* what the key file holds */
    uint8_t public_key[P2_KEY_BYTES];      /* the node's id; sign bit always 0 */
    uint8_t signing_key[64];               /* libsodium's expanded secret key */
    uint8_t exchange_secret[P2_KEY_BYTES]; /* X25519, the Noise static key */
    uint8_t exchange_public[P2_KEY_BYTES];
};

/* Fills `identity` from a seed. P2_E_BAD_KEY when the public key's sign bit is 1 (DESIGN 4: such
 * ids are not valid; draw another seed, half of all seeds pass). */
int p2_identity_from_seed(struct p2_identity *identity, const uint8_t seed[P2_KEY_BYTES]);

/* The X25519 form of an id. P2_E_BAD_KEY for sign bit 1, points of small order, or no point. */
int p2_id_to_exchange_key(uint8_t exchange_public[P2_KEY_BYTES], const uint8_t id[P2_KEY_BYTES]);

/* Ed25519 over (domain | 0 | network_id[32] | message): every signature names its purpose.
 * `message` at most P2_SIGNED_MAX bytes, else P2_E_TOO_BIG. */
#define P2_SIGNED_MAX 4096 /* chosen: records are < 500 bytes, receipts < 1 KiB */
int p2_sign(uint8_t signature[P2_SIGNATURE_BYTES], const struct p2_identity *identity,
            const char *domain, const uint8_t network_id[P2_KEY_BYTES], struct p2_span message);

/* 0, or P2_E_BAD_SIGNATURE, or P2_E_TOO_BIG. */
int p2_verify(const uint8_t signature[P2_SIGNATURE_BYTES], const uint8_t id[P2_KEY_BYTES],
              const char *domain, const uint8_t network_id[P2_KEY_BYTES], struct p2_span message);

/* ---- AEAD ----------------------------------------------------------------------------------- */

enum p2_cipher {
    P2_CIPHER_CHACHAPOLY = 1, /* ChaCha20-Poly1305, RFC 8439 */
    P2_CIPHER_AESGCM = 2      /* AES-256-GCM; only where the CPU has AES and carry-less multiply */
};

/* Can this machine do `cipher`? */
bool p2_cipher_available(enum p2_cipher cipher);

/* One direction's key, expanded once. Secret: keep it in locked memory. 16-byte aligned. */
struct p2_aead {
    _Alignas(16) uint8_t state[512]; /* AES round keys, or the ChaCha key in the first 32 bytes */
    enum p2_cipher cipher;
};

/* Expands `key`. P2_E_UNSUPPORTED when this machine cannot do `cipher`. */
int p2_aead_init(struct p2_aead *aead, enum p2_cipher cipher, const uint8_t key[P2_KEY_BYTES]);

/* Seals `size` bytes at `in` to `out[size + P2_TAG_BYTES]`; in and out may be the same place.
 * `nonce` must never repeat under one key. */
void p2_aead_seal(const struct p2_aead *aead, uint8_t *out, const uint8_t *in, size_t size,
                  struct p2_span associated, const uint8_t nonce[P2_NONCE_BYTES]);

/* Opens `size` bytes (tag included) at `in` to `out[size - P2_TAG_BYTES]`; may be the same place.
 * P2_E_BAD_TAG when it does not authenticate (then `out` holds no plaintext), P2_E_TRUNCATED when
 * size < P2_TAG_BYTES. */
int p2_aead_open(const struct p2_aead *aead, uint8_t *out, const uint8_t *in, size_t size,
                 struct p2_span associated, const uint8_t nonce[P2_NONCE_BYTES]);

/* ---- slow hashing (RFC 9106) ------------------------------------------------------------------ */

#define P2_SALT_BYTES 16 /* libsodium's Argon2 takes exactly these */

/* Argon2id version 1.3, one lane: out[out_size], 16..64 bytes. `memory_bytes` at least 8 KiB,
 * rounded down to 1 KiB; `passes` at least 1. P2_E_NOMEM when the memory is not there; `out` is
 * then unchanged. Costs about 0.6 ms per MiB and pass. */
int p2_argon2id(uint8_t *out, size_t out_size, struct p2_span password,
                const uint8_t salt[P2_SALT_BYTES], uint64_t memory_bytes, uint32_t passes);

/* ---- sealing of stored values ------------------------------------------------------------------ */

#define P2_XNONCE_BYTES 24 /* XChaCha20: wide enough to be drawn at random */

/* XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): seals `size` bytes to out[size + P2_TAG_BYTES].
 * `nonce` must never repeat under one key. */
void p2_xchacha_seal(uint8_t *out, const uint8_t *in, size_t size, struct p2_span associated,
                     const uint8_t nonce[P2_XNONCE_BYTES], const uint8_t key[P2_KEY_BYTES]);

/* Opens `size` bytes (tag included) to out[size - P2_TAG_BYTES]. Errors as p2_aead_open. */
int p2_xchacha_open(uint8_t *out, const uint8_t *in, size_t size, struct p2_span associated,
                    const uint8_t nonce[P2_XNONCE_BYTES], const uint8_t key[P2_KEY_BYTES]);

/* Sealed boxes: anyone can seal to an X25519 public key, only its owner opens; the sender stays
 * unnamed. The form is NaCl's crypto_box_seal: ephemeral public key | XSalsa20-Poly1305 with the
 * nonce BLAKE2b-192(ephemeral public key | recipient). */
#define P2_BOX_BYTES (P2_KEY_BYTES + P2_TAG_BYTES) /* what sealing adds */

/* Seals `size` bytes to out[size + P2_BOX_BYTES]; in and out do not overlap. `ephemeral[32]` is a
 * fresh random secret, used for this box only. P2_E_BAD_KEY for a recipient of small order. */
int p2_box_seal(uint8_t *out, const uint8_t *in, size_t size, const uint8_t ephemeral[P2_KEY_BYTES],
                const uint8_t recipient[P2_KEY_BYTES]);

/* Opens `size` bytes to out[size - P2_BOX_BYTES]; in and out do not overlap. P2_E_TRUNCATED,
 * P2_E_BAD_TAG when it was not sealed to this key or was changed. */
int p2_box_open(uint8_t *out, const uint8_t *in, size_t size, const struct p2_identity *identity);

/* ---- key stream ----------------------------------------------------------------------------- */

/* `size` bytes of the ChaCha20 key stream of `key` from 64-byte block `block` on (64-bit counter,
 * zero nonce). */
void p2_stream(uint8_t *out, size_t size, const uint8_t key[P2_KEY_BYTES], uint64_t block);

/* libsodium's version text, for --version. */
const char *p2_crypto_version(void);

#endif
