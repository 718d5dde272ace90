/* The command line, from the same table as the configuration files.
 *
 * Every option of the table is a long option `--name=VALUE` (booleans also plain `--name`), plus
 * what every program has: --config, --check-config, --dump-config, --sample-config, --help, --version,
 * and the hidden --dump-options and --dump-mdoc from which checks and manual pages are made. A main
 * file describes its program and calls p2_options_start.
 *
 * Thread: getopt(3) keeps state in global variables; one thread, at start. */
#ifndef P2_BASE_OPTIONS_H
#define P2_BASE_OPTIONS_H

#include "base/buf.h"
#include "base/config.h"

#include <stddef.h>

/* Most options of the table given on one command line. Chosen: generous for people and scripts. */
#define P2_OPTIONS_GIVEN_MAX 256

/* Longest text of --help and the like. */
#define P2_OPTIONS_TEXT_MAX (1u << 20)

/* No option of the table names the state folder. */
#define P2_OPTIONS_NO_STATE SIZE_MAX

/* An option of one program that is no configuration (an action, a mode). */
struct p2_options_extra {
    const char *name;
    char letter;          /* or 0 */
    const char *argument; /* placeholder, NULL = takes none */
    const char *doc;
    /* Called in order of the command line; `argument` is borrowed from argv or NULL. */
    int (*take)(void *context, const char *argument, struct p2_failure *failure);
};

struct p2_options_command {
    const char *name;
    const char *arguments; /* "MODULE [ARGUMENT]..."; NULL = none */
    const char *doc;
};

struct p2_options_library {
    const char *name;
    const char *version; /* of the library at run time */
};

/* All borrowed, static in a main file. Lists end with an entry whose name is NULL; NULL = none. */
struct p2_program {
    const char *name; /* of the binary and its configuration file */
    const char *version;
    const char *summary;  /* one sentence */
    const char *operands; /* "[FILE]..." for programs without commands; NULL = none */
    const struct p2_option_table *table;
    size_t state_option; /* index of the PATH option of the state folder, P2_OPTIONS_NO_STATE */
    const struct p2_options_extra *extras;
    void *extra_context; /* for p2_options_extra.take */
    const struct p2_options_command *commands;
    const struct p2_options_library *libraries;
};

enum p2_options_action {
    P2_ACTION_RUN,
    P2_ACTION_HELP,
    P2_ACTION_VERSION,
    P2_ACTION_CHECK_CONFIG,
    P2_ACTION_DUMP_CONFIG,
    P2_ACTION_SAMPLE_CONFIG,
    P2_ACTION_DUMP_OPTIONS,
    P2_ACTION_DUMP_MDOC
};

/* What a command line said. Borrows from argv. */
struct p2_options {
    enum p2_options_action action; /* the last one given */
    const char *config_file;       /* --config or NULL */
    size_t command;                /* index into commands, when there are any and action is RUN */
    char **operands;               /* what follows the options and the command */
    int operand_count;
    struct {
        size_t index; /* into the table */
        const char *value;
    } given[P2_OPTIONS_GIVEN_MAX];
    size_t given_count;
};

/* Reads argv, which getopt leaves in its order: options end at the first operand. Unknown or
 * ambiguous option, missing argument or command, operands that are not wanted: P2_E_INVALID with a
 * message; P2_E_LIMIT, P2_E_NOMEM; what an extra's `take` returns. */
int p2_options_parse(const struct p2_program *program, int argc, char **argv,
                     struct p2_options *ret_options, struct p2_failure *failure);

/* All layers in order: built-in, files below `prefix` ("" on a real machine) or --config, settings
 * of the state folder, command line. Gives *ret_config (p2_config_free). Errors of
 * p2_config_read_files and p2_config_set. A reload calls this again. */
int p2_options_load(const struct p2_program *program, const struct p2_options *options,
                    const char *prefix, struct p2_config **ret_config, struct p2_failure *failure);

/* Appends what an action other than RUN prints. `config` is needed for DUMP_CONFIG, else NULL. */
int p2_options_text(const struct p2_program *program, enum p2_options_action action,
                    const struct p2_config *config, struct p2_buf *buf);

/* What p2_options_start returns when the program is to go on. */
#define P2_OPTIONS_GO_ON (-1)

/* The start of every main: parses, loads, prints what was asked for or what is wrong. Returns
 * P2_OPTIONS_GO_ON with *ret_options and *ret_config (given; p2_config_free), or the exit status of
 * sysexits.h: 0, EX_USAGE, EX_CONFIG, EX_NOINPUT, EX_IOERR, EX_OSERR. */
int p2_options_start(const struct p2_program *program, int argc, char **argv,
                     struct p2_options *ret_options, struct p2_config **ret_config);

#endif
