/* The option table: its self-check, lookup, and what it says about values (see config.h). */
#include "base/config.h"

#include "base/option_value.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Names options.c and the INI syntax use themselves. */
static const char *const reserved[] = {
    "config",       "check-config", "dump-config", "sample-config",
    "dump-options", "dump-mdoc",    "help",        "version",
};
#define RESERVED_LETTERS "chV"

/* Edits up to which a name is worth proposing. Chosen: a typo, a swap or a missing plural. */
#define SUGGEST_DISTANCE_MAX 2

/* ---- lookup ---------------------------------------------------------------------------------- */

size_t p2_option_find(const struct p2_option_table *table, const char *name)
{
    size_t index = 0;
    while (index < table->count && strcmp(table->options[index].name, name) != 0) {
        index++;
    }
    return index;
}

/* Levenshtein's distance, with one row; both shorter than P2_CONFIG_NAME_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[P2_CONFIG_NAME_MAX];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            size_t shorter = row[j + 1] < row[j] ? row[j + 1] : row[j];
            diagonal = row[j + 1];
            row[j + 1] = replaced < shorter + 1 ? replaced : shorter + 1;
        }
    }
    return row[length];
}

const char *p2_option_suggest(const struct p2_option_table *table, const char *name)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_DISTANCE_MAX + 1;
    if (strnlen(name, P2_CONFIG_NAME_MAX) >= P2_CONFIG_NAME_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t distance = edit_distance(name, table->options[i].name);
        /* A name of three letters is two edits away from much that is no typo. */
        if (distance < best_distance && 2 * distance <= strlen(table->options[i].name)) {
            best = table->options[i].name;
            best_distance = distance;
        }
    }
    return best;
}

/* ---- descriptions ---------------------------------------------------------------------------- */

static void format_choices(const struct p2_option *option, const char *separator,
                           const char *last_separator, char *text, size_t capacity)
{
    size_t size = 0;
    text[0] = '\0';
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        const char *before = i == 0                           ? ""
                             : option->choices[i + 1] == NULL ? last_separator
                                                              : separator;
        int length = snprintf(text + size, capacity - size, "%s%s", before, option->choices[i]);
        size += (size_t)length;
        if (size >= capacity) {
            return; /* cut; P2_OPTION_TEXT_MAX holds the choices a table check lets through */
        }
    }
}

void p2_option_format_range(const struct p2_option *option, char *text, size_t capacity)
{
    char low[P2_UNITS_TEXT_MAX], high[P2_UNITS_TEXT_MAX];
    switch (option->type) {
    case P2_OPTION_BOOL:
        (void)snprintf(text, capacity, "yes or no");
        return;
    case P2_OPTION_CHOICE:
        format_choices(option, ", ", " or ", text, capacity);
        return;
    case P2_OPTION_PATH:
        (void)snprintf(text, capacity, "an absolute path");
        return;
    case P2_OPTION_STRING:
        (void)snprintf(text, capacity, "%s%s%lld to %lld bytes",
                       option->argument != NULL ? option->argument : "",
                       option->argument != NULL ? ", " : "", (long long)option->min,
                       (long long)option->max);
        return;
    case P2_OPTION_INTEGER:
    case P2_OPTION_SIZE:
    case P2_OPTION_DURATION:
    case P2_OPTION_SHARE:
        p2_units_format(low, p2_option_units(option), option->min);
        p2_units_format(high, p2_option_units(option), option->max);
        (void)snprintf(text, capacity, "%s to %s", low, high);
        return;
    }
}

void p2_option_format_argument(const struct p2_option *option, char *text, size_t capacity)
{
    static const char *const names[] = {
        [P2_OPTION_BOOL] = "yes|no",   [P2_OPTION_INTEGER] = "N",   [P2_OPTION_SIZE] = "SIZE",
        [P2_OPTION_DURATION] = "TIME", [P2_OPTION_SHARE] = "SHARE", [P2_OPTION_CHOICE] = "NAME",
        [P2_OPTION_STRING] = "TEXT",   [P2_OPTION_PATH] = "PATH",
    };
    if (option->argument != NULL) {
        (void)snprintf(text, capacity, "%s", option->argument);
    } else if (option->type == P2_OPTION_CHOICE) {
        format_choices(option, "|", "|", text, capacity);
    } else {
        (void)snprintf(text, capacity, "%s", names[option->type]);
    }
}

/* ---- check of the table ---------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t length = name != NULL ? strnlen(name, P2_CONFIG_NAME_MAX) : 0;
    return length > 0 && length < P2_CONFIG_NAME_MAX && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static bool is_unique(const struct p2_option_table *table, size_t index)
{
    const struct p2_option *option = &table->options[index];
    for (size_t i = 0; i < P2_COUNT_OF(reserved); i++) {
        if (strcmp(option->name, reserved[i]) == 0) {
            return false;
        }
    }
    if (option->letter != 0 && strchr(RESERVED_LETTERS, option->letter) != NULL) {
        return false;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(option->name, table->options[i].name) == 0 ||
            (option->letter != 0 && option->letter == table->options[i].letter)) {
            return false;
        }
    }
    return true;
}

static bool is_same_section(const struct p2_option *a, const struct p2_option *b)
{
    return a->section == NULL || b->section == NULL ? a->section == b->section
                                                    : strcmp(a->section, b->section) == 0;
}

/* Options without a section come first, and a section is not taken up again. */
static bool is_in_place(const struct p2_option_table *table, size_t index)
{
    const struct p2_option *option = &table->options[index];
    if (index == 0 || is_same_section(option, &table->options[index - 1])) {
        return true;
    }
    for (size_t i = 0; i < index; i++) {
        if (is_same_section(option, &table->options[i])) {
            return false;
        }
    }
    return option->section != NULL;
}

/* What is wrong with one row besides its default, or NULL. */
static const char *find_fault(const struct p2_option_table *table, size_t index)
{
    const struct p2_option *option = &table->options[index];
    const unsigned one_place = P2_OPTION_COMMAND_LINE | P2_OPTION_FILE;
    bool has_range = option->type != P2_OPTION_BOOL && option->type != P2_OPTION_CHOICE &&
                     option->type != P2_OPTION_PATH;
    bool is_counted = has_range && option->type != P2_OPTION_INTEGER;
    if (!is_name(option->name)) {
        return "the name is not lower-case letters, digits and '-'";
    }
    if (option->section != NULL && !is_name(option->section)) {
        return "the section is not lower-case letters, digits and '-'";
    }
    if (!is_unique(table, index)) {
        return "the name or letter is taken";
    }
    if (!is_in_place(table, index)) {
        return "the options of its section do not stand together";
    }
    if (option->doc == NULL || option->doc[0] == '\0') {
        return "it has no documentation";
    }
    if ((option->flags & one_place) == one_place ||
        ((option->flags & P2_OPTION_SECRET) != 0 &&
         (option->flags & P2_OPTION_COMMAND_LINE) != 0)) {
        return "its flags contradict each other";
    }
    if (option->type == P2_OPTION_CHOICE &&
        (option->choices == NULL || option->choices[0] == NULL)) {
        return "it has no choices";
    }
    if ((has_range && option->min > option->max) || (is_counted && option->min < 0)) {
        return "its range is empty or negative";
    }
    if (option->type == P2_OPTION_STRING && option->max >= P2_CONFIG_VALUE_MAX) {
        return "its range is above P2_CONFIG_VALUE_MAX";
    }
    if (option->is_valid != NULL && option->argument == NULL) {
        return "a syntax check needs an argument that explains it";
    }
    return NULL;
}

int p2_option_table_check(const struct p2_option_table *table, struct p2_failure *failure)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        const char *fault = find_fault(table, i);
        char text[P2_OPTION_REASON_MAX];
        int64_t number;
        if (fault == NULL && option->default_text != NULL &&
            !p2_option_parse(option, option->default_text, true, &number, text)) {
            fault = text;
        }
        if (fault != NULL) {
            return p2_fail(failure, P2_E_BUG, "option table, row %zu (%s): %s", i,
                           option->name != NULL ? option->name : "", fault);
        }
    }
    return P2_OK;
}
