/* The one file that includes libinih.
 *
 * libinih gets its lines from reader() below, which sees each of them whole and first: there the
 * line number is counted (the handler gets none in Debian's build) and everything libinih would cut
 * without a word is refused. */
#include "base/config_file.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest file name in a message; a longer one is cut at its end. */
#define NAME_SHOWN_MAX 160

struct parse {
    struct p2_config *config;
    const char *name;
    struct p2_span left;
    unsigned line; /* of the last line handed to libinih */
    int error;     /* first error of reader or handler */
    struct p2_failure *failure;
};

/* ---- syntax ---------------------------------------------------------------------------------- */

static int fail_line(struct parse *parse, unsigned line, const char *what)
{
    char name[NAME_SHOWN_MAX];
    (void)p2_text_escape_string(name, sizeof name, parse->name);
    return p2_fail(parse->failure, P2_E_CONFIG, "%s:%u: %s", name, line, what);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What libinih would misread in silence, or NULL. `line` has no newline. */
static const char *find_trap(struct p2_span line)
{
    if (line.size > P2_CONFIG_LINE_MAX) {
        return "the line is too long";
    }
    if (line.size > 0 && memchr(line.data, '\0', line.size) != NULL) {
        return "the line holds a zero byte";
    }
    size_t first = 0, end = line.size;
    while (first < end && is_blank(line.data[first])) {
        first++;
    }
    while (end > first && is_blank(line.data[end - 1])) {
        end--;
    }
    if (first < end && line.data[first] == '[') {
        const uint8_t *close = memchr(line.data + first, ']', end - first);
        if (close != line.data + end - 1) {
            return "a section is written [name], with nothing behind it";
        }
        if (end - first > P2_CONFIG_NAME_MAX + 2) {
            return "unknown section";
        }
    }
    return NULL;
}

/* fgets for libinih: the next line with its newline, or NULL at the end or after an error. `size`
 * always holds a line that find_trap lets through, so lines arrive whole. */
static char *reader(char *out, int size, void *context)
{
    struct parse *parse = context;
    if (parse->error != P2_OK || parse->left.size == 0) {
        return NULL;
    }
    const uint8_t *newline = memchr(parse->left.data, '\n', parse->left.size);
    size_t length = newline != NULL ? (size_t)(newline - parse->left.data) : parse->left.size;
    size_t taken = newline != NULL ? length + 1 : length;
    const char *trap = find_trap(p2_span(parse->left.data, length));
    parse->line++;
    if (trap != NULL || size < 0 || taken >= (size_t)size) {
        parse->error = fail_line(parse, parse->line, trap != NULL ? trap : "the line is too long");
        return NULL;
    }
    memcpy(out, parse->left.data, taken);
    out[taken] = '\0';
    parse->left = p2_span(parse->left.data + taken, parse->left.size - taken);
    return out;
}

/* Called by libinih for each key; 0 stops it. */
static int handler(void *context, const char *section, const char *name, const char *value)
{
    struct parse *parse = context;
    const struct p2_config_entry entry = {section, name, value, parse->line};
    if (parse->error == P2_OK) {
        parse->error = p2_config_set(parse->config, &entry, parse->failure);
    }
    return parse->error == P2_OK;
}

/* Debian's libinih is set up by variables; their defaults cut lines at 200 bytes, join indented
 * lines to the one before, and end values at " ;". */
static void set_up_libinih(void)
{
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_max_line = P2_CONFIG_LINE_MAX + 3; /* newline, final zero and one to spare */
    ini_initial_alloc = P2_CONFIG_LINE_MAX + 3;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
}

int p2_config_parse(struct p2_config *config, const char *name, struct p2_span bytes,
                    struct p2_failure *failure)
{
    struct parse parse = {.config = config, .name = name, .left = bytes, .failure = failure};
    set_up_libinih();
    int line = ini_parse_stream(reader, &parse, handler, &parse);
    if (parse.error != P2_OK) {
        return parse.error;
    }
    if (line > 0) {
        return fail_line(&parse, (unsigned)line, "expected \"key = value\" or \"[section]\"");
    }
    return line == 0 ? P2_OK : p2_fail(failure, P2_E_NOMEM, "%s: out of memory", name);
}

/* ---- files ----------------------------------------------------------------------------------- */

int p2_config_read_file(struct p2_config *config, enum p2_config_layer layer, const char *path,
                        struct p2_failure *failure)
{
    const bool is_settings = layer == P2_LAYER_SETTINGS;
    const struct p2_file_rules rules = {
        .forbidden_mode = is_settings ? 0077 : 0002,
        .no_symlink = is_settings,
    };
    struct p2_buf buf;
    mode_t mode = 0;
    p2_buf_init(&buf, P2_CONFIG_FILE_MAX);
    int error = p2_file_read(&buf, path, &rules, &mode, failure);
    if (error == P2_OK) {
        error = p2_config_begin(config, layer, path, (mode & 0007) == 0);
        if (error != P2_OK) {
            (void)p2_fail(failure, error, "%s: %s", path,
                          error == P2_E_LIMIT ? "too many configuration files"
                                              : p2_error_text(error));
        }
    }
    if (error == P2_OK) {
        error = p2_config_parse(config, path, p2_buf_span(&buf), failure);
    }
    p2_buf_free(&buf);
    return error;
}

/* As p2_config_read_file, but a file that is not there is no error. */
static int read_if_there(struct p2_config *config, enum p2_config_layer layer, const char *path,
                         struct p2_failure *failure)
{
    int error = p2_config_read_file(config, layer, path, failure);
    if (error == P2_E_NOENT && failure != NULL) {
        *failure = (struct p2_failure){0};
    }
    return error == P2_E_NOENT ? P2_OK : error;
}

static int is_configuration(const struct dirent *entry)
{
    const char suffix[] = ".conf";
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length >= sizeof suffix &&
           strcmp(entry->d_name + length - (sizeof suffix - 1), suffix) == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static int read_folder(struct p2_config *config, const char *folder, struct p2_failure *failure)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_configuration, compare_names);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return P2_OK;
    }
    if (count < 0) {
        return p2_fail(failure, errno == EACCES ? P2_E_PERM : P2_E_IO, "cannot read %s: %s", folder,
                       strerror(errno));
    }
    int error = P2_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (error == P2_OK && (length < 0 || (size_t)length >= sizeof path)) {
            error = p2_fail(failure, P2_E_INVALID, "%s: the path is too long", folder);
        }
        if (error == P2_OK) {
            error = p2_config_read_file(config, P2_LAYER_FILE, path, failure);
        }
        free(entries[i]);
    }
    free(entries);
    return error;
}

int p2_config_read_files(struct p2_config *config, const struct p2_config_places *places,
                         struct p2_failure *failure)
{
    char path[PATH_MAX];
    if (places->file != NULL) {
        return p2_config_read_file(config, P2_LAYER_FILE, places->file, failure);
    }
    int length =
        snprintf(path, sizeof path - 2, "%s/etc/p2c2r/%s.conf", places->prefix, places->program);
    if (length < 0 || (size_t)length >= sizeof path - 2) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", places->prefix);
    }
    int error = read_if_there(config, P2_LAYER_FILE, path, failure);
    if (error != P2_OK) {
        return error;
    }
    (void)snprintf(path + length, sizeof path - (size_t)length, ".d"); /* 2 bytes are left for it */
    return read_folder(config, path, failure);
}

int p2_config_read_settings(struct p2_config *config, const char *state_folder,
                            struct p2_failure *failure)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", state_folder, P2_CONFIG_SETTINGS_NAME);
    if (length < 0 || (size_t)length >= sizeof path) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", state_folder);
    }
    return read_if_there(config, P2_LAYER_SETTINGS, path, failure);
}
