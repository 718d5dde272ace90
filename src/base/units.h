/* Numbers with units, as people write them in configuration files: 64MiB, 15s, 250ms, 40%.
 *
 * Integers throughout. Parsing accepts blanks between number and unit, nothing else around them.
 * Thread: reentrant. */
#ifndef P2_BASE_UNITS_H
#define P2_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Longest formatted number with unit and final zero. */
#define P2_UNITS_TEXT_MAX 32

/* One written percent in the micro-units a share is kept in. */
#define P2_PPM_PER_PERCENT 10000

enum p2_units {
    P2_UNITS_NONE,     /* a plain integer, may be negative */
    P2_UNITS_SIZE,     /* kept in bytes; B KiB MiB GiB TiB, none = B */
    P2_UNITS_DURATION, /* kept in ms; ms s min h d, needed unless the number is 0 */
    P2_UNITS_SHARE     /* kept in millionths; %, needed; up to four decimals */
};

enum p2_units_error {
    P2_UNITS_OK,
    P2_UNITS_NOT_A_NUMBER,
    P2_UNITS_BAD_UNIT,   /* unknown, or needed and missing */
    P2_UNITS_TOO_LARGE,  /* more than int64_t holds */
    P2_UNITS_TOO_PRECISE /* more decimals than are kept */
};

/* Reads the whole of `text`. ret_value is written only for P2_UNITS_OK. */
enum p2_units_error p2_units_parse(int64_t *ret_value, enum p2_units units, const char *text);

/* Writes `value` with the largest unit that divides it; p2_units_parse reads it back. */
void p2_units_format(char text[P2_UNITS_TEXT_MAX], enum p2_units units, int64_t value);

/* "B, KiB, MiB, GiB or TiB", "ms, s, min, h or d", "%"; "" for plain integers. Static. */
const char *p2_units_names(enum p2_units units);

#endif
