/* A bounded pull reader for the msgpack that peers send.
 *
 * The caller says what must come next and within which bounds; anything else is an error. Work and
 * memory are bounded by the bytes that are really there: a length or count is compared with what is
 * left before anything is done with it, so that `df 00 ff ff ff` costs as much as `00`. Nothing is
 * allocated, nothing recurses.
 *
 * Only the shortest encoding of a number, length or count is accepted, as msgpack-c writes it:
 * equal messages have equal bytes. There are no maps, floats, extensions and no nil.
 *
 * Errors are sticky (base/buf.h): after the first, each call returns 0 or an empty span. All are of
 * class PEER:
 *   P2_E_TRUNCATED      the bytes end before the value does, or before the elements announced
 *   P2_E_MALFORMED      another type of value, or another number of fields
 *   P2_E_RANGE          a number outside its range, a length or count below its minimum
 *   P2_E_TOO_BIG        a length or count above its maximum
 *   P2_E_TOO_DEEP       arrays nested deeper than P2_WIRE_DEPTH_MAX
 *   P2_E_NOT_CANONICAL  a shorter encoding exists
 *   P2_E_BAD_TEXT       not UTF-8, or hidden characters (base/text.h)
 *   P2_E_TRAILING       bytes follow the value
 *
 * msgpack: https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef P2_WIRE_READER_H
#define P2_WIRE_READER_H

#include "base/buf.h"
#include "wire/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct p2_mp_reader {
    const uint8_t *at; /* next byte */
    size_t left;       /* bytes from `at` to the end */
    uint32_t depth;    /* arrays entered and not left */
    int error;         /* 0 or the first error */
};

/* Starts at the first byte of `bytes`, which must outlive the reader and the spans it returns. */
void p2_mp_init(struct p2_mp_reader *reader, struct p2_span bytes);

/* The next number, which must be within [min, max]. */
uint64_t p2_mp_uint(struct p2_mp_reader *reader, uint64_t min, uint64_t max);
int64_t p2_mp_int(struct p2_mp_reader *reader, int64_t min, int64_t max);

/* The next true or false. */
bool p2_mp_bool(struct p2_mp_reader *reader);

/* The next bin or str of min to max bytes, borrowed from the input. Strings are clean text. */
struct p2_span p2_mp_bytes(struct p2_mp_reader *reader, size_t min, size_t max);
struct p2_span p2_mp_string(struct p2_mp_reader *reader, size_t min, size_t max);

/* Copies a bin of exactly `size` bytes to out[size]; on error out is not written. */
void p2_mp_fixed(struct p2_mp_reader *reader, uint8_t *out, size_t size);

/* Enters an array of min to max elements and returns their number, never more than the bytes left.
 * p2_mp_leave leaves it again, after its elements were read. */
uint32_t p2_mp_array(struct p2_mp_reader *reader, uint32_t min, uint32_t max);

/* Enters an array of exactly `fields` elements; another number is P2_E_MALFORMED. */
void p2_mp_record(struct p2_mp_reader *reader, uint32_t fields);
void p2_mp_leave(struct p2_mp_reader *reader);

/* The sticky error, or P2_E_TRAILING when bytes are left, or 0. */
int p2_mp_end(const struct p2_mp_reader *reader);

#endif
