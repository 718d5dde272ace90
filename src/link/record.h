/* Records: the encrypted units on a link after the handshake (DESIGN 4).
 *
 *   offset  size  what
 *   0       2     length of the ciphertext that follows, big-endian, 17..65535
 *   2       n     AEAD ciphertext of n - 16 plaintext bytes (1..65519), empty associated data
 *
 * Each direction counts its own 64-bit nonce from 0 and rekeys by Noise's REKEY (section 4.2 of
 * the specification) before using a nonce that is a non-zero multiple of 2^14. A record that does
 * not open ends the link: there is no resynchronisation, so replayed, reordered, dropped or changed
 * records all end in P2_E_BAD_TAG. The object holds secrets: keep it in locked memory. */
#ifndef P2_LINK_RECORD_H
#define P2_LINK_RECORD_H

#include "base/crypto.h"

#include <stddef.h>
#include <stdint.h>

#define P2_RECORD_HEADER_BYTES   2
#define P2_RECORD_OVERHEAD       (P2_RECORD_HEADER_BYTES + P2_TAG_BYTES)
#define P2_RECORD_CIPHERTEXT_MIN 17
#define P2_RECORD_CIPHERTEXT_MAX 65535
#define P2_RECORD_PLAINTEXT_MAX  (P2_RECORD_CIPHERTEXT_MAX - P2_TAG_BYTES)
#define P2_RECORD_BYTES_MAX      (P2_RECORD_HEADER_BYTES + P2_RECORD_CIPHERTEXT_MAX)
#define P2_RECORD_REKEY_INTERVAL (UINT64_C(1) << 14) /* DESIGN 4 */

/* One direction. Embedded by value; fields are private to record.c. */
struct p2_record_cipher {
    struct p2_aead aead;
    uint64_t nonce; /* of the next record */
};

/* Starts a direction with a key from p2_noise_split. P2_E_UNSUPPORTED. */
int p2_record_init(struct p2_record_cipher *direction, enum p2_cipher cipher,
                   const uint8_t key[P2_KEY_BYTES]);

/* Seals `size` plaintext bytes (1..P2_RECORD_PLAINTEXT_MAX) into out[size + P2_RECORD_OVERHEAD],
 * header included. In place when `in == out + P2_RECORD_HEADER_BYTES`. P2_E_LIMIT when all nonces
 * are used (2^64 - 1 is reserved); P2_E_INVALID for a size out of range. */
int p2_record_seal(struct p2_record_cipher *direction, uint8_t *out, const uint8_t *in,
                   size_t size);

/* The ciphertext length announced by the header: 17..65535, or P2_E_RANGE (a small negative). */
int p2_record_length(const uint8_t header[P2_RECORD_HEADER_BYTES]);

/* Opens a ciphertext of `size` bytes into out[size - P2_TAG_BYTES]; in place is allowed.
 * P2_E_BAD_TAG, P2_E_TRUNCATED, P2_E_TOO_BIG, P2_E_LIMIT. */
int p2_record_open(struct p2_record_cipher *direction, uint8_t *out, const uint8_t *in,
                   size_t size);

/* Overwrites the keys. */
void p2_record_wipe(struct p2_record_cipher *direction);

#endif
