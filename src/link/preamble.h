/* The preamble: the first 8 bytes on every connection, sent by the dialler in the clear.
 *
 *   offset  size  what
 *   0       4     magic "P2C2"
 *   4       1     version, 1
 *   5       1     cipher, enum p2_cipher
 *   6       2     reserved, zero
 *
 * Nothing is negotiated (DESIGN 4). The preamble is part of the Noise prologue, so a changed one
 * makes message 1 fail: a man in the middle cannot choose cipher or version. Pure. Thread:
 * reentrant. */
#ifndef P2_LINK_PREAMBLE_H
#define P2_LINK_PREAMBLE_H

#include "base/crypto.h"

#include <stdint.h>

#define P2_PREAMBLE_BYTES   8
#define P2_PREAMBLE_VERSION 1

/* First part of every prologue, sent on no wire; with its final zero. */
#define P2_PROLOGUE_DOMAIN "p2c2r link"
#define P2_PROLOGUE_BYTES  (sizeof P2_PROLOGUE_DOMAIN + P2_KEY_BYTES + P2_PREAMBLE_BYTES)

/* Writes the preamble of this version for `cipher`. */
void p2_preamble_format(uint8_t out[P2_PREAMBLE_BYTES], enum p2_cipher cipher);

/* Reads a preamble. P2_E_TRUNCATED or P2_E_TRAILING for another size than 8, P2_E_BAD_MAGIC,
 * P2_E_BAD_VERSION, P2_E_BAD_CIPHER (unknown, or not possible on this machine), P2_E_MALFORMED
 * (reserved bytes not zero), checked in this order. */
int p2_preamble_parse(enum p2_cipher *ret_cipher, struct p2_span bytes);

/* The prologue of both sides: domain string | 0 | network id | the preamble as sent. */
void p2_preamble_prologue(uint8_t out[P2_PROLOGUE_BYTES], const uint8_t network_id[P2_KEY_BYTES],
                          const uint8_t preamble[P2_PREAMBLE_BYTES]);

#endif
