/* Text about options, all of it derived from the table. */
#include "base/config_doc.h"

#include "base/option_value.h"

#include <stdio.h>
#include <string.h>

/* Column at which comments wrap. Chosen: a terminal of 80. */
#define COMMENT_WIDTH 79

/* Longest source of a value, see p2_config_format_source. */
#define SOURCE_MAX 192

/* Longest text of format_facts: a range and three sentences. */
#define FACTS_MAX (P2_OPTION_TEXT_MAX + 160)

/* ---- text ------------------------------------------------------------------------------------ */

int p2_buf_append_text(struct p2_buf *buf, const char *text)
{
    return p2_buf_append(buf, p2_span(text, strlen(text)));
}

/* Appends the strings up to NULL, unless *error is set: sticky, as the cursors of buf.h. */
static void put(struct p2_buf *buf, int *error, const char *const *parts)
{
    for (; *parts != NULL && *error == P2_OK; parts++) {
        *error = p2_buf_append_text(buf, *parts);
    }
}

#define PUT(buf, error, ...) put((buf), (error), (const char *const[]){__VA_ARGS__, NULL})

static void put_blanks(struct p2_buf *buf, int *error, size_t count)
{
    while (count-- > 0 && *error == P2_OK) {
        *error = p2_buf_append(buf, p2_span(" ", 1));
    }
}

int p2_text_wrap(struct p2_buf *buf, const char *prefix, size_t column, size_t indent, size_t width,
                 const char *text)
{
    int error = P2_OK;
    bool is_first = true;
    if (column < indent) {
        put_blanks(buf, &error, indent - column);
        column = indent;
    }
    while (error == P2_OK && *text != '\0') {
        size_t length = strcspn(text, " \n");
        if (!is_first && column + 1 + length > width) {
            PUT(buf, &error, "\n", prefix);
            column = strlen(prefix);
            put_blanks(buf, &error, column < indent ? indent - column : 0);
            column = column < indent ? indent : column;
        } else if (!is_first) {
            PUT(buf, &error, " ");
            column++;
        }
        if (error == P2_OK) {
            error = p2_buf_append(buf, p2_span(text, length));
        }
        column += length;
        text += length;
        text += strspn(text, " \n");
        is_first = false;
    }
    PUT(buf, &error, "\n");
    return error;
}

/* "[section]" when `index` starts one. */
static void put_section(struct p2_buf *buf, int *error, const struct p2_option_table *table,
                        size_t index)
{
    const char *section = table->options[index].section;
    const char *before = index > 0 ? table->options[index - 1].section : NULL;
    if (section != NULL && (before == NULL || strcmp(section, before) != 0)) {
        PUT(buf, error, "\n[", section, "]\n");
    }
}

/* ---- values in force ------------------------------------------------------------------------- */

static void dump_one(const struct p2_config *config, size_t index, struct p2_buf *buf, int *error)
{
    const struct p2_option *option = &p2_config_table(config)->options[index];
    size_t count = p2_config_count(config, index);
    const char *lead = (option->flags & P2_OPTION_COMMAND_LINE) != 0 ? "# " : "";
    char source[SOURCE_MAX];
    p2_config_format_source(config, index, source, sizeof source);
    PUT(buf, error, "# ", source, "\n");
    if (count == 0) {
        bool is_list = (option->flags & P2_OPTION_LIST) != 0;
        PUT(buf, error, is_list ? lead : "# ", option->name, " =", is_list ? "" : " (not set)",
            "\n");
    } else if ((option->flags & P2_OPTION_SECRET) != 0) {
        PUT(buf, error, "# ", option->name, " = (hidden)\n");
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = p2_config_at(config, index, i);
        PUT(buf, error, lead, option->name, text[0] != '\0' ? " = " : " =", text, "\n");
    }
}

int p2_config_dump(const struct p2_config *config, struct p2_buf *buf)
{
    const struct p2_option_table *table = p2_config_table(config);
    int error = P2_OK;
    for (size_t i = 0; i < table->count; i++) {
        put_section(buf, &error, table, i);
        dump_one(config, i, buf, &error);
    }
    return error;
}

/* ---- sample file ----------------------------------------------------------------------------- */

/* Range, repetition, restart and secrecy, as sentences with `separator` between them. */
static void format_facts(const struct p2_option *option, const char *separator,
                         char facts[FACTS_MAX])
{
    char range[P2_OPTION_TEXT_MAX];
    const bool is_list = (option->flags & P2_OPTION_LIST) != 0;
    const bool is_frozen = (option->flags & P2_OPTION_RELOADABLE) == 0;
    const bool is_secret = (option->flags & P2_OPTION_SECRET) != 0;
    p2_option_format_range(option, range, sizeof range);
    (void)snprintf(facts, FACTS_MAX, "Allowed: %s.%s%s%s%s%s%s", range, is_list ? separator : "",
                   is_list ? "May be given more than once." : "", is_frozen ? separator : "",
                   is_frozen ? "A change needs a restart." : "", is_secret ? separator : "",
                   is_secret ? "Secret: others must not be able to read the file." : "");
}

int p2_config_sample(const struct p2_option_table *table, struct p2_buf *buf)
{
    char argument[P2_OPTION_TEXT_MAX], facts[FACTS_MAX];
    int error = P2_OK;
    PUT(buf, &error, "# Every key with its default. Remove the leading # to change one.\n",
        "# Comments stand on lines of their own.\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        put_section(buf, &error, table, i);
        if ((option->flags & P2_OPTION_COMMAND_LINE) != 0) {
            continue;
        }
        PUT(buf, &error, "\n# ");
        if (error == P2_OK) {
            error = p2_text_wrap(buf, "# ", 2, 2, COMMENT_WIDTH, option->doc);
        }
        format_facts(option, " ", facts);
        PUT(buf, &error, "# ");
        if (error == P2_OK) {
            error = p2_text_wrap(buf, "# ", 2, 2, COMMENT_WIDTH, facts);
        }
        p2_option_format_argument(option, argument, sizeof argument);
        PUT(buf, &error, "#", option->name, " = ",
            option->default_text != NULL ? option->default_text : argument, "\n");
    }
    return error;
}

/* ---- manual page ----------------------------------------------------------------------------- */

/* mdoc text: a backslash is \e, no line starts with a control character, each sentence starts a
 * line. */
static void put_mdoc(struct p2_buf *buf, int *error, const char *text)
{
    bool is_line_start = true;
    for (; *text != '\0'; text++) {
        const char one[2] = {*text, '\0'};
        if (is_line_start && (*text == '.' || *text == '\'')) {
            PUT(buf, error, "\\&");
        }
        PUT(buf, error, *text == '\\' ? "\\e" : one);
        is_line_start = *text == '\n';
        if (*text == '.' && text[1] == ' ') {
            PUT(buf, error, "\n");
            is_line_start = true;
            text++;
        }
    }
}

static void put_mdoc_facts(struct p2_buf *buf, int *error, const struct p2_option *option)
{
    char facts[FACTS_MAX];
    format_facts(option, "\n", facts);
    put_mdoc(buf, error, facts);
    PUT(buf, error, "\n");
    if (option->default_text != NULL) {
        PUT(buf, error, "The default is\n.Ql ");
        put_mdoc(buf, error, option->default_text);
        PUT(buf, error, " .\n");
    }
}

static void put_mdoc_head(struct p2_buf *buf, int *error, const struct p2_option *option,
                          enum p2_config_mdoc_part part)
{
    char argument[P2_OPTION_TEXT_MAX];
    const char letter[2] = {option->letter, '\0'};
    const bool is_bool = option->type == P2_OPTION_BOOL;
    p2_option_format_argument(option, argument, sizeof argument);
    if (part == P2_MDOC_KEYS) {
        PUT(buf, error, ".It Ic ", option->name, " No = Ar ", argument, "\n");
        if (option->section != NULL) {
            PUT(buf, error, "Section\n.Bq ", option->section, " .\n");
        }
        return;
    }
    PUT(buf, error, ".It ");
    if (option->letter != 0) {
        PUT(buf, error, "Fl ", letter, is_bool ? "" : " Ar ", is_bool ? "" : argument, " , ");
    }
    /* The value of a boolean may be left out. */
    PUT(buf, error, "Fl -", option->name, is_bool ? " Ns Op = Ns Ar " : " Ns = Ns Ar ", argument,
        "\n");
}

int p2_config_mdoc(const struct p2_option_table *table, enum p2_config_mdoc_part part,
                   struct p2_buf *buf)
{
    int error = P2_OK;
    const unsigned elsewhere =
        part == P2_MDOC_KEYS ? P2_OPTION_COMMAND_LINE : P2_OPTION_FILE | P2_OPTION_SECRET;
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        if ((option->flags & elsewhere) != 0) {
            continue;
        }
        put_mdoc_head(buf, &error, option, part);
        put_mdoc(buf, &error, option->doc);
        PUT(buf, &error, "\n");
        put_mdoc_facts(buf, &error, option);
    }
    return error;
}

/* ---- list for checks ------------------------------------------------------------------------- */

static void format_flags(const struct p2_option *option, char *text, size_t capacity)
{
    static const struct {
        unsigned flag;
        const char *name;
    } flags[] = {
        {P2_OPTION_RELOADABLE, "reloadable"},
        {P2_OPTION_COMMAND_LINE, "command-line"},
        {P2_OPTION_FILE, "file"},
        {P2_OPTION_SECRET, "secret"},
        {P2_OPTION_LIST, "list"},
    };
    size_t size = 0;
    (void)snprintf(text, capacity, "-");
    for (size_t i = 0; i < P2_COUNT_OF(flags); i++) {
        if ((option->flags & flags[i].flag) != 0) {
            int length =
                snprintf(text + size, capacity - size, "%s%s", size > 0 ? "," : "", flags[i].name);
            size += (size_t)length;
        }
    }
}

int p2_config_list(const struct p2_option_table *table, struct p2_buf *buf)
{
    static const char *const types[] = {
        [P2_OPTION_BOOL] = "bool",     [P2_OPTION_INTEGER] = "integer",
        [P2_OPTION_SIZE] = "size",     [P2_OPTION_DURATION] = "duration",
        [P2_OPTION_SHARE] = "share",   [P2_OPTION_CHOICE] = "choice",
        [P2_OPTION_STRING] = "string", [P2_OPTION_PATH] = "path",
    };
    char range[P2_OPTION_TEXT_MAX], flags[P2_OPTION_TEXT_MAX];
    int error = P2_OK;
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        const char letter[2] = {option->letter != 0 ? option->letter : '-', '\0'};
        p2_option_format_range(option, range, sizeof range);
        format_flags(option, flags, sizeof flags);
        PUT(buf, &error, option->name, "\t", letter, "\t",
            option->section != NULL ? option->section : "-", "\t", types[option->type], "\t", range,
            "\t", option->default_text != NULL ? option->default_text : "-", "\t", flags, "\n");
    }
    return error;
}
