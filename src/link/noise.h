/* Noise_XK_25519_{ChaChaPoly,AESGCM}_BLAKE2b: the handshake of every link (DESIGN 4).
 *
 * Follows "The Noise Protocol Framework", revision 34 (Perrin, 2018): sections 5 (CipherState,
 * SymmetricState, HandshakeState), 7.5 (XK) and 12 (crypto functions). No I/O, no randomness: the
 * ephemeral key comes in as an argument.
 *
 *   XK:  <- s
 *        ...
 *        -> e, es            message 1: initiator
 *        <- e, ee            message 2: responder
 *        -> s, se            message 3: initiator
 *
 * State machine. Any other call gives P2_E_STATE and changes nothing; any other failure of a write
 * or read wipes the object, which then stays FAILED:
 *
 *   state      initiator            responder
 *   MESSAGE_1  write -> MESSAGE_2   read  -> MESSAGE_2
 *   MESSAGE_2  read  -> MESSAGE_3   write -> MESSAGE_3
 *   MESSAGE_3  write -> DONE        read  -> DONE
 *   DONE       split -> SPLIT
 *
 * The object holds secrets: keep it in locked memory, end it with p2_noise_wipe. Thread: one. */
#ifndef P2_LINK_NOISE_H
#define P2_LINK_NOISE_H

#include "base/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum p2_noise_role { P2_NOISE_INITIATOR, P2_NOISE_RESPONDER };

enum p2_noise_state {
    P2_NOISE_MESSAGE_1,
    P2_NOISE_MESSAGE_2,
    P2_NOISE_MESSAGE_3,
    P2_NOISE_DONE,
    P2_NOISE_SPLIT,
    P2_NOISE_FAILED
};

/* Sizes of the three messages with empty payloads, as on our wire. */
#define P2_NOISE_MESSAGE_1_BYTES 48 /* e 32 + tag 16 */
#define P2_NOISE_MESSAGE_2_BYTES 48 /* e 32 + tag 16 */
#define P2_NOISE_MESSAGE_3_BYTES 64 /* s 32 + tag 16 + tag 16 */

/* Embedded by value so that an unauthenticated connection costs one small object (DESIGN 4: under
 * 1 KiB). Fields are private to noise.c. The ciphers' keys are expanded per message and wiped, so
 * that the 512-byte AES state does not live here. */
struct p2_noise {
    uint8_t chaining_key[64];
    uint8_t hash[64];
    uint8_t key[P2_KEY_BYTES];
    uint8_t ephemeral_secret[P2_KEY_BYTES];
    uint8_t ephemeral_public[P2_KEY_BYTES];
    uint8_t remote_ephemeral[P2_KEY_BYTES];
    uint8_t remote_static[P2_KEY_BYTES];
    const uint8_t *static_secret; /* borrowed until DONE */
    const uint8_t *static_public; /* borrowed until DONE */
    uint64_t nonce;
    uint8_t cipher; /* enum p2_cipher */
    uint8_t role;   /* enum p2_noise_role */
    uint8_t state;  /* enum p2_noise_state */
    bool has_key;
};

/* What a handshake starts from. All pointers but static_* are borrowed for the call only. */
struct p2_noise_options {
    enum p2_noise_role role;
    enum p2_cipher cipher;
    struct p2_span prologue;         /* both sides must use the same bytes */
    const uint8_t *static_secret;    /* [32] own X25519 key; borrowed until DONE */
    const uint8_t *static_public;    /* [32] */
    const uint8_t *remote_static;    /* [32] the responder's key: initiator only, else NULL */
    const uint8_t *ephemeral_secret; /* [32] fresh randomness */
};

/* Starts a handshake. P2_E_UNSUPPORTED when this machine lacks the cipher, P2_E_INVALID when
 * remote_static does not fit the role; the object is then FAILED. */
int p2_noise_init(struct p2_noise *noise, const struct p2_noise_options *options);

/* Writes the next message with `payload` (empty on our links) to out[capacity], its size to
 * *ret_size; the two must not overlap. P2_E_STATE, P2_E_FULL, P2_E_TOO_BIG (above Noise's 65535
 * bytes), P2_E_BAD_KEY (all-zero DH result). */
int p2_noise_write(struct p2_noise *noise, struct p2_span payload, uint8_t *out, size_t capacity,
                   size_t *ret_size);

/* Reads the next message; its payload goes to out[capacity], the size to *ret_size; the two must
 * not overlap. A caller that wants empty payloads passes (NULL, 0) and gets P2_E_FULL for others.
 * P2_E_TRUNCATED, P2_E_TOO_BIG, P2_E_BAD_TAG, P2_E_BAD_KEY, P2_E_FULL, P2_E_STATE. */
int p2_noise_read(struct p2_noise *noise, struct p2_span message, uint8_t *out, size_t capacity,
                  size_t *ret_size);

/* After DONE: the two transport keys, named from this side, and the handshake hash. Wipes the rest.
 * P2_E_STATE before DONE. */
int p2_noise_split(struct p2_noise *noise, uint8_t send_key[P2_KEY_BYTES],
                   uint8_t receive_key[P2_KEY_BYTES], uint8_t handshake_hash[64]);

/* The peer's X25519 static key; known to the responder after message 3. P2_E_STATE before. */
int p2_noise_remote_static(const struct p2_noise *noise, uint8_t remote_static[P2_KEY_BYTES]);

/* Overwrites everything; the object is then FAILED. */
void p2_noise_wipe(struct p2_noise *noise);

/* The 12 nonce bytes of message number `nonce` for `cipher` (Noise 12: ChaChaPoly little-endian,
 * AESGCM big-endian, both after 4 zero bytes). */
void p2_noise_nonce(uint8_t out[P2_NONCE_BYTES], enum p2_cipher cipher, uint64_t nonce);

#endif
