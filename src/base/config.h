/* Configuration: one table of options per program, and the values of one run.
 *
 * The table is the single source for file keys, command line, --help, the sample file, the manual
 * page and this typed access. Values arrive in layers, later wins: built-in, files, settings of
 * the state directory, command line. A layer that names a list replaces the whole list; inside one
 * layer a list key may repeat, any other key may not. Each value remembers where it came from.
 *
 * Pure: files are read by config_file.h, the command line by options.h. A reload builds a second
 * object, compares it with p2_config_changes and swaps. Thread: an object belongs to one thread;
 * an object that no longer changes may be read by many. */
#ifndef P2_BASE_CONFIG_H
#define P2_BASE_CONFIG_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest value with its final zero. Chosen: PATH_MAX of Linux, the longest thing to configure. */
#define P2_CONFIG_VALUE_MAX 4096

/* Longest key or section name with the final zero. libinih cuts names at 49 characters; the table
 * check keeps ours below. */
#define P2_CONFIG_NAME_MAX 40

/* Most entries of one list. Chosen: an authority with 256 configured peers uses the overlay. */
#define P2_CONFIG_LIST_MAX 256

/* Most layers: built-in, main file, settings, options and the files of a .conf.d folder.
 * Chosen: nobody keeps track of more. */
#define P2_CONFIG_LAYERS_MAX 68

enum p2_option_type {
    P2_OPTION_BOOL,     /* yes/no, true/false, on/off, 1/0; p2_config_bool */
    P2_OPTION_INTEGER,  /* p2_config_i64, p2_config_u64 */
    P2_OPTION_SIZE,     /* bytes, written 64MiB; p2_config_u64 */
    P2_OPTION_DURATION, /* milliseconds, written 15s; p2_config_u64 */
    P2_OPTION_SHARE,    /* millionths, written 40%; p2_config_u64 */
    P2_OPTION_CHOICE,   /* one of `choices`; p2_config_choice gives its index */
    P2_OPTION_STRING,   /* clean UTF-8; min and max are bytes; p2_config_string */
    P2_OPTION_PATH      /* absolute, relative only on the command line; p2_config_string */
};

enum p2_option_flags {
    P2_OPTION_RELOADABLE = 1,   /* a reload may change it while the program runs */
    P2_OPTION_COMMAND_LINE = 2, /* command line only, never in a file */
    P2_OPTION_FILE = 4,         /* files only, never on the command line */
    P2_OPTION_SECRET = 8,       /* only in files others cannot read; never shown; implies FILE */
    P2_OPTION_LIST = 16         /* may repeat; p2_config_count and p2_config_at */
};

struct p2_option {
    const char *name; /* lower-case letters, digits and '-'; also the long option */
    enum p2_option_type type;
    unsigned flags;                      /* enum p2_option_flags */
    char letter;                         /* short option or 0 */
    const char *section;                 /* [section] of the file, NULL = above the first section */
    int64_t min, max;                    /* inclusive; numbers in the kept unit, strings in bytes */
    const char *default_text;            /* as written in a file; NULL = not set (a list: empty) */
    const char *const *choices;          /* CHOICE: names, ending with NULL */
    const char *argument;                /* placeholder such as "HOST:PORT#KEY"; NULL = by type */
    bool (*is_valid)(const char *value); /* STRING: further syntax, explained by `argument` */
    const char *doc;                     /* whole sentences; wrapped wherever it is shown */
};

/* `options` is indexed by an enum of the program. Options of one section stand together, those
 * without a section first. */
struct p2_option_table {
    const struct p2_option *options;
    size_t count;
};

enum p2_config_layer { P2_LAYER_BUILTIN, P2_LAYER_FILE, P2_LAYER_SETTINGS, P2_LAYER_OPTIONS };

/* One entry of a layer, as the parser met it. */
struct p2_config_entry {
    const char *section; /* "" = none; ignored for P2_LAYER_OPTIONS, where names stand alone */
    const char *name;
    const char *value;
    unsigned line; /* 0 for P2_LAYER_OPTIONS and for values that stand in no file yet */
};

struct p2_config;

/* ---- table ----------------------------------------------------------------------------------- */

/* Checks the table itself: names well formed and unique, letters unique, sections together,
 * defaults valid, documentation there. P2_E_BUG with a message. Every program's tests call it. */
int p2_option_table_check(const struct p2_option_table *table, struct p2_failure *failure);

/* Index of the option `name` (names are unique over sections), or table->count. */
size_t p2_option_find(const struct p2_option_table *table, const char *name);

/* The closest name to a misspelt one that is worth proposing, or NULL. Borrowed from the table. */
const char *p2_option_suggest(const struct p2_option_table *table, const char *name);

/* What is allowed, for people: "1 to 64", "16MiB to 4GiB", "yes or no", "strict or allow". */
void p2_option_format_range(const struct p2_option *option, char *text, size_t capacity);

/* The placeholder of the option's value: "SIZE", "yes|no", "strict|allow". */
void p2_option_format_argument(const struct p2_option *option, char *text, size_t capacity);

/* ---- filling --------------------------------------------------------------------------------- */

/* An object with the built-in defaults. Gives *ret_config (p2_config_free); keeps `table`, which
 * must outlive it. P2_E_NOMEM, P2_E_BUG for a table with an invalid default. */
int p2_config_new(struct p2_config **ret_config, const struct p2_option_table *table);

/* Accepts NULL. */
void p2_config_free(struct p2_config *config);

/* Starts a layer; what is set from now on comes from `name` (a file name; copied). `is_private`:
 * only its owner and group can read the file, so that it may hold secrets. P2_E_LIMIT,
 * P2_E_NOMEM. */
int p2_config_begin(struct p2_config *config, enum p2_config_layer layer, const char *name,
                    bool is_private);

/* Sets one value in the current layer. Unknown key, wrong section, bad value, repetition, secret
 * in a readable file: P2_E_CONFIG with a message that starts with file:line or the option and
 * names what is allowed; the object is unchanged then. P2_E_NOMEM. Surrounding blanks are not part
 * of a value. */
int p2_config_set(struct p2_config *config, const struct p2_config_entry *entry,
                  struct p2_failure *failure);

/* ---- reading, O(1) --------------------------------------------------------------------------- */

/* The wrong type or index is our mistake (P2_ASSERT). Numbers and booleans that are not set read
 * as 0, no; strings as NULL. */
bool p2_config_is_set(const struct p2_config *config, size_t index);
bool p2_config_bool(const struct p2_config *config, size_t index);
int64_t p2_config_i64(const struct p2_config *config, size_t index);
/* For options with min >= 0. */
uint64_t p2_config_u64(const struct p2_config *config, size_t index);
/* Index into `choices`; 0 when not set. */
size_t p2_config_choice(const struct p2_config *config, size_t index);
/* Borrowed until the object changes. */
const char *p2_config_string(const struct p2_config *config, size_t index);

/* Entries of a list (0 or 1 for other options), and the text of entry `item` as it would be
 * written; numbers in canonical form. Borrowed until the object changes. */
size_t p2_config_count(const struct p2_config *config, size_t index);
const char *p2_config_at(const struct p2_config *config, size_t index, size_t item);

/* Where entry `item` came from. */
struct p2_config_source {
    enum p2_config_layer layer;
    const char *name; /* of the layer, borrowed from the object */
    unsigned line;    /* 0 for built-in and options */
};
struct p2_config_source p2_config_source(const struct p2_config *config, size_t index, size_t item);

/* "built-in", "FILE:LINE" or "option --name" for the value of an option; an empty list that a layer
 * set names the layer. */
void p2_config_format_source(const struct p2_config *config, size_t index, char *text,
                             size_t capacity);

const struct p2_option_table *p2_config_table(const struct p2_config *config);

/* ---- reload ---------------------------------------------------------------------------------- */

/* True when the option has the same values in both objects (of one table), whatever the source. */
bool p2_config_is_same(const struct p2_config *a, const struct p2_config *b, size_t index);

/* Indexes of the options that differ and need a restart, into ret_indexes[table->count].
 * Returns how many. */
size_t p2_config_frozen_changes(const struct p2_config *running, const struct p2_config *fresh,
                                size_t *ret_indexes);

/* Copies the values of options that are not reloadable from `running` into `fresh`, so that `fresh`
 * says what is in force after the swap. P2_E_NOMEM, P2_E_LIMIT: drop `fresh` then. */
int p2_config_keep_frozen(struct p2_config *fresh, const struct p2_config *running);

#endif
