/* Human-readable output of p2c2rctl. */
#include "ctl/table.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a table; more are left out. Chosen: nobody reads a wider one. */
#define COLUMNS_MAX 24

/* Bytes of one printed value; longer ones are cut. */
#define CELL_MAX 256

/* Columns of a line of a list; longer lists are wrapped. Chosen: the usual terminal. */
#define LINE_MAX_COLUMNS 80

/* Spaces of one level of nesting. */
#define INDENT 2

static void format_value(char cell[CELL_MAX], const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        (void)p2_text_escape_string(cell, CELL_MAX, json_string_value(value));
        return;
    case JSON_INTEGER:
        (void)snprintf(cell, CELL_MAX, "%lld", (long long)json_integer_value(value));
        return;
    case JSON_REAL:
        (void)snprintf(cell, CELL_MAX, "%.3f", json_real_value(value));
        return;
    case JSON_TRUE:
        (void)snprintf(cell, CELL_MAX, "yes");
        return;
    case JSON_FALSE:
        (void)snprintf(cell, CELL_MAX, "no");
        return;
    case JSON_NULL:
        (void)snprintf(cell, CELL_MAX, "-");
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        (void)snprintf(cell, CELL_MAX, "(%zu)",
                       json_is_object(value) ? json_object_size(value) : json_array_size(value));
        return;
    }
    cell[0] = '\0';
}

/* Columns that a terminal shows for `text`: characters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void print_padded(FILE *out, const char *text, size_t width, bool is_right)
{
    int padding = (int)(width - width_of(text));
    (void)fprintf(out, "%*s%s%*s", is_right ? padding : 0, "", text, is_right ? 0 : padding, "");
}

/* The elements of a list one after the other, from column `start` on. */
static void print_list(FILE *out, const json_t *list, size_t start)
{
    size_t index, column = start;
    json_t *element;
    char cell[CELL_MAX];
    json_array_foreach(list, index, element)
    {
        bool is_last = index + 1 == json_array_size(list);
        format_value(cell, element);
        size_t width = width_of(cell) + !is_last; /* its semicolon */
        if (index > 0 && column + 1 + width > LINE_MAX_COLUMNS) {
            (void)fprintf(out, "\n%*s", (int)start, "");
            column = start;
        } else if (index > 0) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fprintf(out, "%s%s", cell, is_last ? "" : ";");
        column += width;
    }
    (void)fputs(json_array_size(list) == 0 ? "none\n" : "\n", out);
}

static void print_member_lines(FILE *out, const json_t *object, int indent);

static void print_member(FILE *out, const char *key, const json_t *value, size_t width, int indent)
{
    char cell[CELL_MAX];
    if (json_is_object(value) && indent < 4 * INDENT) {
        (void)fprintf(out, "%*s%s:\n", indent, "", key);
        print_member_lines(out, value, indent + INDENT);
        return;
    }
    if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
        (void)fprintf(out, "%*s%s:\n", indent, "", key);
        p2_ctl_print_rows(out, value);
        return;
    }
    (void)fprintf(out, "%*s", indent, "");
    print_padded(out, key, width, false);
    (void)fputs("  ", out);
    if (json_is_array(value)) {
        print_list(out, value, (size_t)indent + width + 2);
    } else {
        format_value(cell, value);
        (void)fprintf(out, "%s\n", cell);
    }
}

static void print_member_lines(FILE *out, const json_t *object, int indent)
{
    const char *key;
    json_t *value;
    size_t width = 0;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        width = width_of(key) > width ? width_of(key) : width;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        print_member(out, key, value, width, indent);
    }
}

void p2_ctl_print_object(FILE *out, const json_t *object)
{
    print_member_lines(out, object, 0);
}

struct column {
    const char *key;
    size_t width;
    bool is_number;
};

/* The columns of the table and how wide they must be. */
static size_t measure(struct column columns[COLUMNS_MAX], const json_t *rows)
{
    size_t count = 0, index;
    const char *key;
    json_t *row, *value;
    char cell[CELL_MAX];
    json_object_foreach(json_array_get(rows, 0), key, value)
    {
        if (count < COLUMNS_MAX) {
            columns[count++] = (struct column){key, width_of(key), true};
        }
    }
    json_array_foreach(rows, index, row)
    {
        for (size_t i = 0; i < count; i++) {
            value = json_object_get(row, columns[i].key);
            format_value(cell, value != NULL ? value : json_null());
            columns[i].width =
                width_of(cell) > columns[i].width ? width_of(cell) : columns[i].width;
            columns[i].is_number = columns[i].is_number && (value == NULL || json_is_number(value));
        }
    }
    return count;
}

void p2_ctl_print_rows(FILE *out, const json_t *rows)
{
    struct column columns[COLUMNS_MAX];
    size_t index;
    json_t *row;
    char cell[CELL_MAX];
    if (json_array_size(rows) == 0) {
        (void)fprintf(out, "none\n");
        return;
    }
    size_t count = measure(columns, rows);
    for (size_t i = 0; i < count; i++) {
        print_padded(out, columns[i].key, columns[i].width, columns[i].is_number);
        (void)fputs(i + 1 < count ? "  " : "\n", out);
    }
    json_array_foreach(rows, index, row)
    {
        for (size_t i = 0; i < count; i++) {
            json_t *value = json_object_get(row, columns[i].key);
            format_value(cell, value != NULL ? value : json_null());
            print_padded(out, cell, columns[i].width, columns[i].is_number);
            (void)fputs(i + 1 < count ? "  " : "\n", out);
        }
    }
}
