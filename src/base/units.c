/* One table of units for reading, writing and explaining. */
#include "base/units.h"

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor; /* of what is kept */
};

struct family {
    const struct unit *units; /* ascending; the first is what a bare number means, if it may */
    size_t count;
    bool needs_unit;
    unsigned decimals; /* that may be written */
    const char *names;
};

static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", INT64_C(1) << 40},
};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct unit share_units[] = {{"%", P2_PPM_PER_PERCENT}};
static const struct unit plain_units[] = {{"", 1}};

static const struct family families[] = {
    [P2_UNITS_NONE] = {plain_units, P2_COUNT_OF(plain_units), false, 0, ""},
    [P2_UNITS_SIZE] = {size_units, P2_COUNT_OF(size_units), false, 0, "B, KiB, MiB, GiB or TiB"},
    [P2_UNITS_DURATION] = {duration_units, P2_COUNT_OF(duration_units), true, 0,
                           "ms, s, min, h or d"},
    [P2_UNITS_SHARE] = {share_units, P2_COUNT_OF(share_units), true, 4, "%"},
};

/* Adds digits from *text to *value; counts them. False when int64_t cannot hold it. */
static bool take_digits(const char **text, int64_t *value, unsigned *ret_count)
{
    unsigned count = 0;
    bool fits = true;
    for (; **text >= '0' && **text <= '9'; ++*text, count++) {
        fits = fits && !__builtin_mul_overflow(*value, 10, value) &&
               !__builtin_add_overflow(*value, **text - '0', value);
    }
    *ret_count = count;
    return fits;
}

static const struct unit *find_unit(const struct family *family, const char *name)
{
    for (size_t i = 0; i < family->count; i++) {
        if (strcmp(family->units[i].name, name) == 0) {
            return &family->units[i];
        }
    }
    return NULL;
}

enum p2_units_error p2_units_parse(int64_t *ret_value, enum p2_units units, const char *text)
{
    const struct family *family = &families[units];
    int64_t value = 0;
    unsigned digits = 0, decimals = 0;
    bool is_negative = units == P2_UNITS_NONE && *text == '-';
    text += is_negative;
    bool fits = take_digits(&text, &value, &digits);
    if (digits == 0) {
        return P2_UNITS_NOT_A_NUMBER;
    }
    if (*text == '.' && family->decimals > 0) {
        text++;
        fits = take_digits(&text, &value, &decimals) && fits;
        if (decimals == 0) {
            return P2_UNITS_NOT_A_NUMBER;
        }
    }
    if (decimals > family->decimals) {
        return P2_UNITS_TOO_PRECISE;
    }
    text += strspn(text, " \t");
    const struct unit *unit = find_unit(family, text);
    if (unit == NULL && *text == '\0' && (!family->needs_unit || value == 0)) {
        unit = &family->units[0];
    }
    if (unit == NULL) {
        /* Letters after a plain number are no unit but a mistyped number. */
        return units == P2_UNITS_NONE ? P2_UNITS_NOT_A_NUMBER : P2_UNITS_BAD_UNIT;
    }
    int64_t factor = unit->factor;
    for (unsigned i = 0; i < decimals; i++) {
        factor /= 10; /* exact: families with decimals have factors of 10^decimals */
    }
    if (!fits || __builtin_mul_overflow(value, factor, &value)) {
        return P2_UNITS_TOO_LARGE;
    }
    *ret_value = is_negative ? -value : value;
    return P2_UNITS_OK;
}

static void format_share(char text[P2_UNITS_TEXT_MAX], int64_t value)
{
    int64_t whole = value / P2_PPM_PER_PERCENT;
    unsigned part = (unsigned)(value % P2_PPM_PER_PERCENT);
    int length = snprintf(text, P2_UNITS_TEXT_MAX, "%lld.%04u", (long long)whole, part);
    while (length > 0 && text[length - 1] == '0' && part != 0) {
        length--;
    }
    if (part == 0) {
        length -= 5; /* ".0000" */
    }
    (void)snprintf(text + length, P2_UNITS_TEXT_MAX - (size_t)length, "%%");
}

void p2_units_format(char text[P2_UNITS_TEXT_MAX], enum p2_units units, int64_t value)
{
    const struct family *family = &families[units];
    const struct unit *unit = &family->units[0];
    if (units == P2_UNITS_SHARE) {
        format_share(text, value);
        return;
    }
    for (size_t i = 1; i < family->count && value != 0; i++) {
        if (value % family->units[i].factor == 0) {
            unit = &family->units[i];
        }
    }
    (void)snprintf(text, P2_UNITS_TEXT_MAX, "%lld%s", (long long)(value / unit->factor),
                   unit->name);
}

const char *p2_units_names(enum p2_units units)
{
    return families[units].names;
}
