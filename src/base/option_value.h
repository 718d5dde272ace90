/* One value of one option: text to number, and why not. Used by option.c and config.c only. */
#ifndef P2_BASE_OPTION_VALUE_H
#define P2_BASE_OPTION_VALUE_H

#include "base/config.h"
#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>

/* Longest range or placeholder with its final zero. Chosen: a line of a terminal and a half. */
#define P2_OPTION_TEXT_MAX 128

/* Longest reason with its final zero: a range and a sentence. */
#define P2_OPTION_REASON_MAX 256

/* The units of a numeric option. P2_ASSERT for others. */
enum p2_units p2_option_units(const struct p2_option *option);

/* Checks `text` against the option. ret_number gets the number, the choice's index, 0 or 1, or 0
 * for text. False writes why, with the allowed range, into reason[P2_OPTION_REASON_MAX].
 * `is_command_line` allows relative paths. */
bool p2_option_parse(const struct p2_option *option, const char *text, bool is_command_line,
                     int64_t *ret_number, char *reason);

/* The canonical text of a number, boolean or choice into text[P2_CONFIG_VALUE_MAX]; text options
 * copy `given`. */
void p2_option_format(const struct p2_option *option, int64_t number, const char *given,
                      char *text);

#endif
