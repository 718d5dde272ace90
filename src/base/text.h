/* Text from elsewhere: UTF-8 checked strictly, made harmless before a person or a log sees it.
 *
 * RFC 3629 says what UTF-8 is; Unicode TR 36 (Trojan source) why direction marks are not harmless.
 * Thread: everything here is reentrant. */
#ifndef P2_BASE_TEXT_H
#define P2_BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length in bytes (1..4) of the first character of `bytes`, and the character in ret_scalar;
 * 0 when the bytes do not start with valid UTF-8 (overlong forms and surrogates are not). */
size_t p2_text_decode(struct p2_span bytes, uint32_t *ret_scalar);

/* True for characters that change what a terminal shows without being seen: controls (C0, DEL,
 * C1), bidirectional marks, zero-width characters, line and paragraph separators, byte order
 * mark. */
bool p2_text_is_hidden(uint32_t scalar);

/* True when `bytes` is valid UTF-8 without hidden characters. O(size). */
bool p2_text_is_clean(struct p2_span bytes);

/* Writes `bytes` into out[capacity] so that every byte of it can be seen: quotes and backslashes as
 * \" and \\, \n \r \t, other hidden characters as \u202e, bytes that are no UTF-8 as \xff. Always
 * ends with a zero; when it does not fit it is cut between characters and ends in "...".
 * `capacity` >= 4. Returns the length written. */
size_t p2_text_escape(char *out, size_t capacity, struct p2_span bytes);

/* p2_text_escape for a string that ends with a zero. */
size_t p2_text_escape_string(char *out, size_t capacity, const char *text);

#endif
