/* --help, --version and the other texts of a program. */
#include "base/options_help.h"

#include "base/config_doc.h"
#include "base/option_value.h"

#include <stdio.h>
#include <string.h>

/* Columns of --help. Chosen: a terminal of 80 and the usual length of `-x, --name=VALUE`. */
#define HELP_INDENT 28
#define HELP_WIDTH  79

static void put(struct p2_buf *buf, int *error, const char *text)
{
    if (*error == P2_OK) {
        *error = p2_buf_append_text(buf, text);
    }
}

/* "  -x, --name=VALUE" and its text from HELP_INDENT on. */
static void put_option(struct p2_buf *buf, int *error, char letter, const char *name,
                       const char *argument, bool is_optional, const char *doc)
{
    char head[P2_CONFIG_NAME_MAX + P2_OPTION_TEXT_MAX + 16];
    char short_form[8] = "    ";
    if (letter != 0) {
        (void)snprintf(short_form, sizeof short_form, "-%c, ", letter);
    }
    bool has_argument = argument != NULL;
    int length =
        snprintf(head, sizeof head, "  %s--%s%s%s%s%s", short_form, name, is_optional ? "[" : "",
                 has_argument ? "=" : "", has_argument ? argument : "", is_optional ? "]" : "");
    put(buf, error, head);
    size_t column = (size_t)length;
    if (column + 2 > HELP_INDENT) {
        put(buf, error, "\n");
        column = 0;
    }
    if (*error == P2_OK) {
        *error = p2_text_wrap(buf, "", column, HELP_INDENT, HELP_WIDTH, doc);
    }
}

static void put_table_option(struct p2_buf *buf, int *error, const struct p2_option *option)
{
    char argument[P2_OPTION_TEXT_MAX], range[P2_OPTION_TEXT_MAX];
    char doc[P2_CONFIG_VALUE_MAX];
    bool is_bool = option->type == P2_OPTION_BOOL;
    p2_option_format_argument(option, argument, sizeof argument);
    p2_option_format_range(option, range, sizeof range);
    (void)snprintf(doc, sizeof doc, "%s %s%s%s%s%s", option->doc,
                   (option->flags & P2_OPTION_LIST) != 0 ? "May be repeated. " : "Allowed: ",
                   (option->flags & P2_OPTION_LIST) != 0 ? "Allowed: " : "", range,
                   option->default_text != NULL ? "; default: " : "",
                   option->default_text != NULL ? option->default_text : "");
    put_option(buf, error, option->letter, option->name, argument, is_bool, doc);
}

static void put_commands(struct p2_buf *buf, int *error, const struct p2_program *program)
{
    if (program->commands == NULL) {
        return;
    }
    put(buf, error, "\nCommands:\n");
    for (const struct p2_options_command *c = program->commands; c->name != NULL; c++) {
        const char *arguments = c->arguments != NULL ? c->arguments : "";
        size_t column = 2 + strlen(c->name) + (c->arguments != NULL) + strlen(arguments);
        put(buf, error, "  ");
        put(buf, error, c->name);
        put(buf, error, c->arguments != NULL ? " " : "");
        put(buf, error, arguments);
        if (column + 2 > HELP_INDENT) {
            put(buf, error, "\n");
            column = 0;
        }
        if (*error == P2_OK) {
            *error = p2_text_wrap(buf, "", column, HELP_INDENT, HELP_WIDTH, c->doc);
        }
    }
}

static void put_table(struct p2_buf *buf, int *error, const struct p2_option_table *table)
{
    const char *shown = ""; /* heading above the last option; "" = none yet */
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        const char *section = option->section != NULL ? option->section : "Configuration";
        if ((option->flags & (P2_OPTION_FILE | P2_OPTION_SECRET)) != 0) {
            continue;
        }
        if (strcmp(shown, section) != 0) {
            put(buf, error, "\n");
            put(buf, error, section);
            put(buf, error, ":\n");
            shown = section;
        }
        put_table_option(buf, error, option);
    }
}

static int put_help(struct p2_buf *buf, const struct p2_program *program)
{
    int error = P2_OK;
    put(buf, &error, "Usage: ");
    put(buf, &error, program->name);
    put(buf, &error, program->commands != NULL ? " [OPTION]... COMMAND" : " [OPTION]...");
    put(buf, &error, program->operands != NULL ? " " : "");
    put(buf, &error, program->operands != NULL ? program->operands : "");
    put(buf, &error, "\n");
    put(buf, &error, program->summary);
    put(buf, &error, "\n");
    put_commands(buf, &error, program);
    put(buf, &error, "\nOptions:\n");
    for (const struct p2_options_extra *e = program->extras; e != NULL && e->name != NULL; e++) {
        put_option(buf, &error, e->letter, e->name, e->argument, false, e->doc);
    }
    for (const struct p2_options_common *c = p2_options_common; c->name != NULL; c++) {
        if (c->doc != NULL) {
            put_option(buf, &error, c->letter, c->name, c->argument, false, c->doc);
        }
    }
    put_table(buf, &error, program->table);
    return error;
}

static int put_version(struct p2_buf *buf, const struct p2_program *program)
{
    int error = P2_OK;
    put(buf, &error, program->name);
    put(buf, &error, " ");
    put(buf, &error, program->version);
    put(buf, &error, "\n");
    for (const struct p2_options_library *l = program->libraries; l != NULL && l->name != NULL;
         l++) {
        put(buf, &error, l->name);
        put(buf, &error, " ");
        put(buf, &error, l->version);
        put(buf, &error, "\n");
    }
    return error;
}

/* The options that are no configuration too, in the form of p2_config_list, so that a check of the
 * manual page sees every option. */
static int put_list(struct p2_buf *buf, const struct p2_program *program)
{
    int error = P2_OK;
    for (const struct p2_options_common *c = p2_options_common; c->name != NULL; c++) {
        char line[P2_CONFIG_NAME_MAX + 64];
        (void)snprintf(line, sizeof line, "%s\t%c\t-\tprogram\t%s\t-\tcommand-line%s\n", c->name,
                       c->letter != 0 ? c->letter : '-', c->argument != NULL ? c->argument : "-",
                       c->doc == NULL ? ",hidden" : "");
        put(buf, &error, line);
    }
    for (const struct p2_options_extra *e = program->extras; e != NULL && e->name != NULL; e++) {
        char line[P2_CONFIG_NAME_MAX + 128];
        (void)snprintf(line, sizeof line, "%s\t%c\t-\tprogram\t%s\t-\tcommand-line\n", e->name,
                       e->letter != 0 ? e->letter : '-', e->argument != NULL ? e->argument : "-");
        put(buf, &error, line);
    }
    return error == P2_OK ? p2_config_list(program->table, buf) : error;
}

static int put_check(struct p2_buf *buf, const struct p2_program *program)
{
    int error = P2_OK;
    put(buf, &error, program->name);
    put(buf, &error, ": the configuration is valid\n");
    return error;
}

int p2_options_text(const struct p2_program *program, enum p2_options_action action,
                    const struct p2_config *config, struct p2_buf *buf)
{
    switch (action) {
    case P2_ACTION_RUN:
        return P2_OK;
    case P2_ACTION_HELP:
        return put_help(buf, program);
    case P2_ACTION_VERSION:
        return put_version(buf, program);
    case P2_ACTION_CHECK_CONFIG:
        return put_check(buf, program);
    case P2_ACTION_DUMP_CONFIG:
        return p2_config_dump(config, buf);
    case P2_ACTION_SAMPLE_CONFIG:
        return p2_config_sample(program->table, buf);
    case P2_ACTION_DUMP_OPTIONS:
        return put_list(buf, program);
    case P2_ACTION_DUMP_MDOC: {
        int error = p2_config_mdoc(program->table, P2_MDOC_OPTIONS, buf);
        return error == P2_OK ? p2_config_mdoc(program->table, P2_MDOC_KEYS, buf) : error;
    }
    }
    return P2_E_INVALID;
}
