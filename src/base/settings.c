/* Line by line, so that what people wrote beside our keys stays. */
#include "base/settings.h"

#include "base/config_doc.h"
#include "base/config_file.h"
#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How an edited file is put together. */
struct edit {
    const struct p2_option *option;
    const char *const *values;
    size_t count;
    struct p2_buf *out;
    int error;       /* sticky */
    bool in_section; /* the current line stands where the option's key belongs */
    bool is_written;
};

static void put(struct edit *edit, const char *text)
{
    if (edit->error == P2_OK) {
        edit->error = p2_buf_append_text(edit->out, text);
    }
}

static void put_values(struct edit *edit)
{
    for (size_t i = 0; i < edit->count && !edit->is_written; i++) {
        put(edit, edit->option->name);
        put(edit, " = ");
        put(edit, edit->values[i]);
        put(edit, "\n");
    }
    edit->is_written = true;
}

/* `line` without blanks around it. */
static struct p2_span trim(struct p2_span line)
{
    while (line.size > 0 && memchr(" \t\r", line.data[0], 3) != NULL) {
        line = p2_span(line.data + 1, line.size - 1);
    }
    while (line.size > 0 && memchr(" \t\r", line.data[line.size - 1], 3) != NULL) {
        line.size--;
    }
    return line;
}

static bool is_text(struct p2_span bytes, const char *text)
{
    return p2_span_equal(bytes, p2_span(text, strlen(text)));
}

/* The key of a line, empty for comments; the file was parsed, so its syntax is right. */
static struct p2_span key_of(struct p2_span line)
{
    size_t size = 0;
    while (size < line.size && line.data[size] != '=' && line.data[size] != ':') {
        size++;
    }
    bool is_comment = line.size > 0 && (line.data[0] == '#' || line.data[0] == ';');
    return trim(p2_span(line.data, is_comment ? 0 : size));
}

/* Copies one line of the old file, unless it sets the option; writes the new values in the place of
 * the first such line, or before the section that follows. */
static void edit_line(struct edit *edit, struct p2_span raw)
{
    struct p2_span line = trim(raw);
    if (line.size > 0 && line.data[0] == '[') {
        if (edit->in_section) {
            put_values(edit);
        }
        const char *section = edit->option->section != NULL ? edit->option->section : "";
        edit->in_section = is_text(p2_span(line.data + 1, line.size - 2), section);
    } else if (edit->in_section && is_text(key_of(line), edit->option->name)) {
        put_values(edit);
        return;
    }
    if (edit->error == P2_OK) {
        edit->error = p2_buf_append(edit->out, raw);
    }
    put(edit, "\n");
}

static int rewrite(struct edit *edit, struct p2_span old)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* some editors start UTF-8 files with it */
    if (old.size >= sizeof mark && memcmp(old.data, mark, sizeof mark) == 0) {
        old = p2_span(old.data + sizeof mark, old.size - sizeof mark);
    }
    edit->in_section = edit->option->section == NULL;
    while (old.size > 0) {
        const uint8_t *newline = memchr(old.data, '\n', old.size);
        size_t length = newline != NULL ? (size_t)(newline - old.data) : old.size;
        size_t taken = newline != NULL ? length + 1 : length;
        edit_line(edit, p2_span(old.data, length));
        old = p2_span(old.data + taken, old.size - taken);
    }
    if (!edit->is_written && !edit->in_section && edit->count > 0) {
        put(edit, "[");
        put(edit, edit->option->section);
        put(edit, "]\n");
    }
    put_values(edit);
    return edit->error;
}

/* Sets `values` in a fresh object to see whether they are valid. */
static int check_values(const struct p2_option_table *table, size_t index,
                        const char *const *values, size_t count, struct p2_failure *failure)
{
    struct p2_config *config = NULL;
    const struct p2_option *option = &table->options[index];
    int error = p2_config_new(&config, table);
    if (error == P2_OK) {
        error = p2_config_begin(config, P2_LAYER_SETTINGS, "new value", true);
    }
    if (error != P2_OK) {
        (void)p2_fail(failure, error, "settings: %s", p2_error_text(error));
    }
    for (size_t i = 0; error == P2_OK && i < count; i++) {
        const char *section = option->section != NULL ? option->section : "";
        const struct p2_config_entry entry = {section, option->name, values[i], 0};
        error = p2_config_set(config, &entry, failure);
    }
    p2_config_free(config);
    return error;
}

/* Parses a whole settings file to see whether it is valid. */
static int check_file(const struct p2_option_table *table, const char *path, struct p2_span bytes,
                      struct p2_failure *failure)
{
    struct p2_config *config = NULL;
    int error = p2_config_new(&config, table);
    if (error == P2_OK) {
        error = p2_config_begin(config, P2_LAYER_SETTINGS, path, true);
    }
    error = error == P2_OK ? p2_config_parse(config, path, bytes, failure)
                           : p2_fail(failure, error, "%s: %s", path, p2_error_text(error));
    p2_config_free(config);
    return error;
}

static int read_old(struct p2_buf *buf, const char *path, struct p2_failure *failure)
{
    const struct p2_file_rules rules = {.forbidden_mode = 0077, .no_symlink = true};
    int error = p2_file_read(buf, path, &rules, NULL, failure);
    if (error == P2_E_NOENT && failure != NULL) {
        *failure = (struct p2_failure){0};
    }
    return error == P2_E_NOENT ? P2_OK : error;
}

int p2_settings_write(const struct p2_option_table *table, const char *state_folder,
                      const char *name, const char *const *values, size_t count,
                      struct p2_failure *failure)
{
    char path[PATH_MAX];
    struct p2_buf old, fresh;
    size_t index = p2_option_find(table, name);
    int length = snprintf(path, sizeof path, "%s/%s", state_folder, P2_CONFIG_SETTINGS_NAME);
    if (length < 0 || (size_t)length >= sizeof path) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", state_folder);
    }
    if (index == table->count) {
        const char *suggestion = p2_option_suggest(table, name);
        return p2_fail(failure, P2_E_CONFIG, "unknown key%s%s",
                       suggestion != NULL ? "; did you mean " : "",
                       suggestion != NULL ? suggestion : "");
    }
    struct edit edit = {&table->options[index], values, count, &fresh, P2_OK, false, false};
    p2_buf_init(&old, P2_CONFIG_FILE_MAX);
    p2_buf_init(&fresh, P2_CONFIG_FILE_MAX);
    int error = check_values(table, index, values, count, failure);
    if (error == P2_OK) {
        error = read_old(&old, path, failure);
    }
    if (error == P2_OK) {
        error = check_file(table, path, p2_buf_span(&old), failure);
    }
    if (error == P2_OK && (error = rewrite(&edit, p2_buf_span(&old))) != P2_OK) {
        (void)p2_fail(failure, error, "%s: %s", path, p2_error_text(error));
    }
    /* The result is checked as a whole: what is written must load at the next start. */
    if (error == P2_OK) {
        error = check_file(table, path, p2_buf_span(&fresh), failure);
    }
    if (error == P2_OK) {
        error = p2_file_replace(path, p2_buf_span(&fresh), 0600, P2_FILE_DURABLE, failure);
    }
    p2_buf_free(&old);
    p2_buf_free(&fresh);
    return error;
}
