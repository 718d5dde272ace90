/* Ids: 32-byte public keys, and how people see them.
 *
 * Text form: 56 characters of Crockford base32 (digits and letters without i, l, o, u) = the 256
 * bits of the id followed by 24 bits of BLAKE2b(domain, id). Written in lower case; read in any
 * case, with o for 0 and i or l for 1, as Crockford proposes. Damage is caught with probability 1 - 2^-24. Thread: reentrant. */
#ifndef P2_BASE_ID_H
#define P2_BASE_ID_H

#include "base/crypto.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_ID_BYTES    32
#define P2_ID_TEXT_LEN 56                   /* characters without the final zero */
#define P2_ID_TEXT_MAX (P2_ID_TEXT_LEN + 1) /* with it */

struct p2_id {
    uint8_t bytes[P2_ID_BYTES];
};

bool p2_id_equal(const struct p2_id *a, const struct p2_id *b);

/* <0, 0, >0 as the bytes compare. */
int p2_id_compare(const struct p2_id *a, const struct p2_id *b);

/* Writes the text form with its final zero. */
void p2_id_format(char text[P2_ID_TEXT_MAX], const struct p2_id *id);

/* Reads exactly the `length` characters at `text`. P2_E_MALFORMED for a wrong length or character,
 * P2_E_CHECKSUM when the check characters do not match; `ret_id` is then unchanged. */
int p2_id_parse(struct p2_id *ret_id, const char *text, size_t length);

/* First 8 characters of the text form: enough for a person to tell ids apart in a log line. */
#define P2_ID_SHORT_MAX 9
void p2_id_format_short(char text[P2_ID_SHORT_MAX], const struct p2_id *id);

/* ---- Crockford base32, also used by session ids ---------------------------------------------- */

/* Characters for `size` bytes: 8 for every 5 bytes, so `size` must be a multiple of 5. */
void p2_base32_encode(char *text, const uint8_t *data, size_t size);

/* The inverse for `length` characters (a multiple of 8). P2_E_MALFORMED for other characters. */
int p2_base32_decode(uint8_t *data, const char *text, size_t length);

#endif
