/* Reading and writing the value of one option. */
#include "base/option_value.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum p2_units p2_option_units(const struct p2_option *option)
{
    switch (option->type) {
    case P2_OPTION_INTEGER:
        return P2_UNITS_NONE;
    case P2_OPTION_SIZE:
        return P2_UNITS_SIZE;
    case P2_OPTION_DURATION:
        return P2_UNITS_DURATION;
    case P2_OPTION_SHARE:
        return P2_UNITS_SHARE;
    case P2_OPTION_BOOL:
    case P2_OPTION_CHOICE:
    case P2_OPTION_STRING:
    case P2_OPTION_PATH:
        break;
    }
    P2_ASSERT(false);
    return P2_UNITS_NONE;
}

static bool refuse(const struct p2_option *option, const char *what, char *reason)
{
    char range[P2_OPTION_TEXT_MAX];
    p2_option_format_range(option, range, sizeof range);
    (void)snprintf(reason, P2_OPTION_REASON_MAX, "%s; allowed: %s", what, range);
    return false;
}

static bool parse_bool(const struct p2_option *option, const char *text, int64_t *ret_number,
                       char *reason)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < P2_COUNT_OF(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_number = (int64_t)(i % 2);
            return true;
        }
    }
    return refuse(option, "not a truth value", reason);
}

static bool parse_choice(const struct p2_option *option, const char *text, int64_t *ret_number,
                         char *reason)
{
    for (int64_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *ret_number = i;
            return true;
        }
    }
    return refuse(option, "not one of the choices", reason);
}

static bool parse_number(const struct p2_option *option, const char *text, int64_t *ret_number,
                         char *reason)
{
    enum p2_units units = p2_option_units(option);
    int64_t number = 0;
    char what[64];
    switch (p2_units_parse(&number, units, text)) {
    case P2_UNITS_OK:
        break;
    case P2_UNITS_NOT_A_NUMBER:
        return refuse(option, "not a number", reason);
    case P2_UNITS_BAD_UNIT:
        (void)snprintf(what, sizeof what, "unknown or missing unit (%s)", p2_units_names(units));
        return refuse(option, what, reason);
    case P2_UNITS_TOO_PRECISE:
        return refuse(option, "more decimals than are kept", reason);
    case P2_UNITS_TOO_LARGE:
        return refuse(option, "out of range", reason);
    }
    if (number < option->min || number > option->max) {
        return refuse(option, "out of range", reason);
    }
    *ret_number = number;
    return true;
}

static bool parse_text(const struct p2_option *option, const char *text, bool is_command_line,
                       char *reason)
{
    size_t length = strnlen(text, P2_CONFIG_VALUE_MAX);
    if (option->type == P2_OPTION_PATH) {
        if (length == 0 || (text[0] != '/' && !is_command_line)) {
            return refuse(option, "not an absolute path", reason);
        }
        return true;
    }
    if ((int64_t)length < option->min || (int64_t)length > option->max) {
        return refuse(option, "wrong length", reason);
    }
    if (option->is_valid != NULL && !option->is_valid(text)) {
        return refuse(option, "wrong syntax", reason);
    }
    return true;
}

bool p2_option_parse(const struct p2_option *option, const char *text, bool is_command_line,
                     int64_t *ret_number, char *reason)
{
    size_t length = strnlen(text, P2_CONFIG_VALUE_MAX);
    if (length >= P2_CONFIG_VALUE_MAX) {
        (void)snprintf(reason, P2_OPTION_REASON_MAX, "longer than %d bytes",
                       P2_CONFIG_VALUE_MAX - 1);
        return false;
    }
    if (!p2_text_is_clean(p2_span(text, length))) {
        return refuse(option, "control characters or no UTF-8", reason);
    }
    switch (option->type) {
    case P2_OPTION_BOOL:
        return parse_bool(option, text, ret_number, reason);
    case P2_OPTION_CHOICE:
        return parse_choice(option, text, ret_number, reason);
    case P2_OPTION_STRING:
    case P2_OPTION_PATH:
        *ret_number = 0;
        return parse_text(option, text, is_command_line, reason);
    case P2_OPTION_INTEGER:
    case P2_OPTION_SIZE:
    case P2_OPTION_DURATION:
    case P2_OPTION_SHARE:
        return parse_number(option, text, ret_number, reason);
    }
    return refuse(option, "unknown type", reason);
}

void p2_option_format(const struct p2_option *option, int64_t number, const char *given, char *text)
{
    char formatted[P2_UNITS_TEXT_MAX];
    const char *shown = given;
    switch (option->type) {
    case P2_OPTION_BOOL:
        shown = number != 0 ? "yes" : "no";
        break;
    case P2_OPTION_CHOICE:
        shown = option->choices[number];
        break;
    case P2_OPTION_INTEGER:
    case P2_OPTION_SIZE:
    case P2_OPTION_DURATION:
    case P2_OPTION_SHARE:
        p2_units_format(formatted, p2_option_units(option), number);
        shown = formatted;
        break;
    case P2_OPTION_STRING:
    case P2_OPTION_PATH:
        break;
    }
    (void)snprintf(text, P2_CONFIG_VALUE_MAX, "%s", shown);
}
