/* Sealing and opening records. The rekey happens right after the last nonce of an interval was
 * used, which is the same as "before the next one" and cannot happen twice when a record fails. */
#include "link/record.h"

#include "link/noise.h"

/* Noise 5.1: the last nonce is kept for REKEY. */
#define NONCE_RESERVED UINT64_MAX

/* Noise 4.2, REKEY(k): the first 32 bytes of ENCRYPT(k, 2^64 - 1, no associated data, 32 zeros). */
static void rekey(struct p2_record_cipher *direction)
{
    static const uint8_t zeros[P2_KEY_BYTES];
    uint8_t sealed[P2_KEY_BYTES + P2_TAG_BYTES];
    uint8_t nonce[P2_NONCE_BYTES];
    enum p2_cipher cipher = direction->aead.cipher;
    p2_noise_nonce(nonce, cipher, NONCE_RESERVED);
    p2_aead_seal(&direction->aead, sealed, zeros, sizeof zeros, p2_span(NULL, 0), nonce);
    int error = p2_aead_init(&direction->aead, cipher, sealed); /* takes its first 32 bytes */
    P2_ASSERT(error == P2_OK); /* this machine has had the cipher since p2_record_init */
    p2_secret_wipe(sealed, sizeof sealed);
}

static void advance(struct p2_record_cipher *direction)
{
    direction->nonce++;
    if (direction->nonce % P2_RECORD_REKEY_INTERVAL == 0) {
        rekey(direction);
    }
}

int p2_record_init(struct p2_record_cipher *direction, enum p2_cipher cipher,
                   const uint8_t key[P2_KEY_BYTES])
{
    int error = p2_aead_init(&direction->aead, cipher, key);
    if (error != P2_OK) {
        return error;
    }
    direction->nonce = 0;
    return P2_OK;
}

int p2_record_seal(struct p2_record_cipher *direction, uint8_t *out, const uint8_t *in, size_t size)
{
    uint8_t nonce[P2_NONCE_BYTES];
    if (size == 0 || size > P2_RECORD_PLAINTEXT_MAX) {
        return P2_E_INVALID;
    }
    if (direction->nonce == NONCE_RESERVED) {
        return P2_E_LIMIT;
    }
    p2_noise_nonce(nonce, direction->aead.cipher, direction->nonce);
    p2_aead_seal(&direction->aead, out + P2_RECORD_HEADER_BYTES, in, size, p2_span(NULL, 0), nonce);
    p2_store_be16(out, (uint16_t)(size + P2_TAG_BYTES));
    advance(direction);
    return P2_OK;
}

int p2_record_length(const uint8_t header[P2_RECORD_HEADER_BYTES])
{
    int length = p2_load_be16(header);
    return length >= P2_RECORD_CIPHERTEXT_MIN ? length : P2_E_RANGE;
}

int p2_record_open(struct p2_record_cipher *direction, uint8_t *out, const uint8_t *in, size_t size)
{
    uint8_t nonce[P2_NONCE_BYTES];
    if (size < P2_RECORD_CIPHERTEXT_MIN) {
        return P2_E_TRUNCATED;
    }
    if (size > P2_RECORD_CIPHERTEXT_MAX) {
        return P2_E_TOO_BIG;
    }
    if (direction->nonce == NONCE_RESERVED) {
        return P2_E_LIMIT;
    }
    p2_noise_nonce(nonce, direction->aead.cipher, direction->nonce);
    int error = p2_aead_open(&direction->aead, out, in, size, p2_span(NULL, 0), nonce);
    if (error == P2_OK) {
        advance(direction);
    }
    return error;
}

void p2_record_wipe(struct p2_record_cipher *direction)
{
    p2_secret_wipe(direction, sizeof *direction);
}
