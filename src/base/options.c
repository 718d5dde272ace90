/* getopt_long(3) over the option table. */
#include "base/options.h"

#include "base/config_file.h"
#include "base/options_help.h"
#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Values of getopt_long for long options; letters are below. */
#define ID_COMMON 0x100
#define ID_TABLE  0x1000
#define ID_EXTRA  0x8000

const struct p2_options_common p2_options_common[] = {
    {"config", 'c', "FILE", "Read FILE instead of the configuration files.", P2_ACTION_RUN},
    {"check-config", 0, NULL, "Check the configuration and end.", P2_ACTION_CHECK_CONFIG},
    {"dump-config", 0, NULL, "Print every value in force and where it comes from.",
     P2_ACTION_DUMP_CONFIG},
    {"sample-config", 0, NULL, "Print a commented configuration file with every default.",
     P2_ACTION_SAMPLE_CONFIG},
    {"help", 'h', NULL, "Print this text.", P2_ACTION_HELP},
    {"version", 'V', NULL, "Print the versions of the program and its libraries.",
     P2_ACTION_VERSION},
    {"dump-options", 0, NULL, NULL, P2_ACTION_DUMP_OPTIONS},
    {"dump-mdoc", 0, NULL, NULL, P2_ACTION_DUMP_MDOC},
    {NULL, 0, NULL, NULL, P2_ACTION_RUN},
};
#define COMMON_COUNT (P2_COUNT_OF(p2_options_common) - 1)

/* ---- tables for getopt ----------------------------------------------------------------------- */

struct getopt_tables {
    struct option *longs; /* owned */
    char *shorts;         /* owned */
    size_t long_count;
    size_t short_size;
};

static size_t count_extras(const struct p2_program *program)
{
    size_t count = 0;
    while (program->extras != NULL && program->extras[count].name != NULL) {
        count++;
    }
    return count;
}

static void add_option(struct getopt_tables *tables, const char *name, char letter,
                       int has_argument, int id)
{
    tables->longs[tables->long_count++] = (struct option){name, has_argument, NULL, id};
    if (letter != 0) {
        tables->shorts[tables->short_size++] = letter;
        if (has_argument == required_argument) {
            tables->shorts[tables->short_size++] = ':';
        }
    }
}

static bool is_on_command_line(const struct p2_option *option)
{
    return (option->flags & (P2_OPTION_FILE | P2_OPTION_SECRET)) == 0;
}

static int make_tables(const struct p2_program *program, struct getopt_tables *tables)
{
    const struct p2_option_table *table = program->table;
    size_t extras = count_extras(program);
    size_t count = COMMON_COUNT + table->count + extras;
    tables->longs = calloc(count + 1, sizeof *tables->longs);
    tables->shorts = calloc(2 * count + 3, 1);
    if (tables->longs == NULL || tables->shorts == NULL) {
        return P2_E_NOMEM;
    }
    /* '+': stop at the first operand, whatever POSIXLY_CORRECT says; ':': we write the messages. */
    memcpy(tables->shorts, "+:", 2);
    tables->short_size = 2;
    for (size_t i = 0; i < COMMON_COUNT; i++) {
        const struct p2_options_common *common = &p2_options_common[i];
        add_option(tables, common->name, common->letter,
                   common->argument != NULL ? required_argument : no_argument, ID_COMMON + (int)i);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct p2_option *option = &table->options[i];
        if (is_on_command_line(option)) {
            add_option(tables, option->name, option->letter,
                       option->type == P2_OPTION_BOOL ? optional_argument : required_argument,
                       ID_TABLE + (int)i);
        }
    }
    for (size_t i = 0; i < extras; i++) {
        const struct p2_options_extra *extra = &program->extras[i];
        add_option(tables, extra->name, extra->letter,
                   extra->argument != NULL ? required_argument : no_argument, ID_EXTRA + (int)i);
    }
    return P2_OK;
}

/* The id of a short option. */
static int id_of_letter(const struct p2_program *program, int letter)
{
    for (size_t i = 0; i < COMMON_COUNT; i++) {
        if (p2_options_common[i].letter == letter) {
            return ID_COMMON + (int)i;
        }
    }
    for (size_t i = 0; i < program->table->count; i++) {
        if (program->table->options[i].letter == letter) {
            return ID_TABLE + (int)i;
        }
    }
    for (size_t i = 0; i < count_extras(program); i++) {
        if (program->extras[i].letter == letter) {
            return ID_EXTRA + (int)i;
        }
    }
    return letter;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static int take_common(size_t index, const char *argument, struct p2_options *options)
{
    if (p2_options_common[index].argument != NULL) {
        options->config_file = argument;
    } else {
        options->action = p2_options_common[index].action;
    }
    return P2_OK;
}

static int take_table(size_t index, const char *argument, struct p2_options *options,
                      struct p2_failure *failure)
{
    if (options->given_count == P2_OPTIONS_GIVEN_MAX) {
        return p2_fail(failure, P2_E_LIMIT, "more than %d options", P2_OPTIONS_GIVEN_MAX);
    }
    options->given[options->given_count].index = index;
    options->given[options->given_count].value = argument != NULL ? argument : "yes";
    options->given_count++;
    return P2_OK;
}

/* '?' and ':' of getopt: what stands at argv[optind - 1], or the letter in optopt. */
static int complain(const struct p2_program *program, char **argv, int result,
                    struct p2_failure *failure)
{
    char shown[64] = "", name[P2_CONFIG_NAME_MAX] = "";
    const char *word = argv[optind - 1];
    const char *suggestion = NULL;
    if (optopt > 0 && optopt < ID_COMMON) {
        const char letter[2] = {(char)optopt, '\0'};
        shown[0] = '-';
        (void)p2_text_escape_string(shown + 1, sizeof shown - 1, letter);
    } else {
        (void)p2_text_escape_string(shown, sizeof shown, word);
    }
    if (result == ':') {
        return p2_fail(failure, P2_E_INVALID, "option %s needs a value", shown);
    }
    if (optopt > 0 && optopt >= ID_COMMON) {
        return p2_fail(failure, P2_E_INVALID, "option %s takes no value", shown);
    }
    if (optopt == 0 && strncmp(word, "--", 2) == 0) {
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
        if (p2_option_find(program->table, name) < program->table->count) {
            return p2_fail(failure, P2_E_INVALID, "option --%s belongs in a configuration file",
                           name);
        }
        suggestion = p2_option_suggest(program->table, name);
    }
    return p2_fail(failure, P2_E_INVALID, "unknown or ambiguous option %s%s%s%s", shown,
                   suggestion != NULL ? "; did you mean --" : "",
                   suggestion != NULL ? suggestion : "", suggestion != NULL ? "?" : "");
}

static int take_options(const struct p2_program *program, const struct getopt_tables *tables,
                        int argc, char **argv, struct p2_options *options,
                        struct p2_failure *failure)
{
    int error = P2_OK;
    optind = 0; /* GNU: start over, also for a second command line in one process */
    opterr = 0;
    while (error == P2_OK) {
        optopt = 0;
        int id = getopt_long(argc, argv, tables->shorts, tables->longs, NULL);
        if (id == -1) {
            break;
        }
        if (id == '?' || id == ':') {
            return complain(program, argv, id, failure);
        }
        id = id < ID_COMMON ? id_of_letter(program, id) : id;
        if (id >= ID_EXTRA) {
            error = program->extras[id - ID_EXTRA].take(program->extra_context, optarg, failure);
        } else if (id >= ID_TABLE) {
            error = take_table((size_t)(id - ID_TABLE), optarg, options, failure);
        } else {
            error = take_common((size_t)(id - ID_COMMON), optarg, options);
        }
    }
    options->operands = argv + optind;
    options->operand_count = argc - optind;
    return error;
}

static int take_command(const struct p2_program *program, struct p2_options *options,
                        struct p2_failure *failure)
{
    const struct p2_options_command *commands = program->commands;
    char shown[64];
    if (commands == NULL) {
        if (options->operand_count > 0 && program->operands == NULL) {
            (void)p2_text_escape_string(shown, sizeof shown, options->operands[0]);
            return p2_fail(failure, P2_E_INVALID, "unexpected argument %s", shown);
        }
        return P2_OK;
    }
    if (options->operand_count == 0) {
        return options->action == P2_ACTION_RUN ? p2_fail(failure, P2_E_INVALID, "missing command")
                                                : P2_OK;
    }
    for (size_t i = 0; commands[i].name != NULL; i++) {
        if (strcmp(commands[i].name, options->operands[0]) == 0) {
            options->command = i;
            options->operands++;
            options->operand_count--;
            return P2_OK;
        }
    }
    (void)p2_text_escape_string(shown, sizeof shown, options->operands[0]);
    return p2_fail(failure, P2_E_INVALID, "unknown command %s", shown);
}

int p2_options_parse(const struct p2_program *program, int argc, char **argv,
                     struct p2_options *ret_options, struct p2_failure *failure)
{
    struct getopt_tables tables = {0};
    struct p2_options options = {.action = P2_ACTION_RUN};
    int error = make_tables(program, &tables);
    if (error != P2_OK) {
        (void)p2_fail(failure, error, "out of memory");
        goto out;
    }
    error = take_options(program, &tables, argc, argv, &options, failure);
    if (error == P2_OK) {
        error = take_command(program, &options, failure);
    }
    if (error == P2_OK) {
        *ret_options = options;
    }
out:
    free(tables.longs);
    free(tables.shorts);
    return error;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* The state folder decides where a layer is read from, so the command line's word for it counts
 * before its turn. */
static const char *find_state_folder(const struct p2_program *program,
                                     const struct p2_options *options,
                                     const struct p2_config *config)
{
    if (program->state_option == P2_OPTIONS_NO_STATE) {
        return NULL;
    }
    for (size_t i = 0; i < options->given_count; i++) {
        if (options->given[i].index == program->state_option) {
            return options->given[i].value;
        }
    }
    return p2_config_string(config, program->state_option);
}

static int apply_options(const struct p2_program *program, const struct p2_options *options,
                         struct p2_config *config, struct p2_failure *failure)
{
    int error = p2_config_begin(config, P2_LAYER_OPTIONS, "options", false);
    if (error != P2_OK) {
        return p2_fail(failure, error, "options: %s", p2_error_text(error));
    }
    for (size_t i = 0; error == P2_OK && i < options->given_count; i++) {
        const struct p2_config_entry entry = {
            .section = "",
            .name = program->table->options[options->given[i].index].name,
            .value = options->given[i].value,
        };
        error = p2_config_set(config, &entry, failure);
    }
    return error;
}

int p2_options_load(const struct p2_program *program, const struct p2_options *options,
                    const char *prefix, struct p2_config **ret_config, struct p2_failure *failure)
{
    const struct p2_config_places places = {program->name, prefix, options->config_file};
    struct p2_config *config = NULL;
    int error = p2_option_table_check(program->table, failure);
    if (error != P2_OK) {
        return error;
    }
    error = p2_config_new(&config, program->table);
    if (error != P2_OK) {
        return p2_fail(failure, error, "configuration: %s", p2_error_text(error));
    }
    error = p2_config_read_files(config, &places, failure);
    if (error == P2_OK) {
        const char *folder = find_state_folder(program, options, config);
        error = folder != NULL ? p2_config_read_settings(config, folder, failure) : P2_OK;
    }
    if (error == P2_OK) {
        error = apply_options(program, options, config, failure);
    }
    if (error != P2_OK) {
        p2_config_free(config);
        return error;
    }
    *ret_config = config;
    return P2_OK;
}

/* ---- start ----------------------------------------------------------------------------------- */

static int exit_status(int error)
{
    switch (error) {
    case P2_OK:
        return EX_OK;
    case P2_E_INVALID:
        return EX_USAGE;
    case P2_E_CONFIG:
    case P2_E_BAD_MODE:
        return EX_CONFIG;
    case P2_E_NOENT:
    case P2_E_PERM:
        return EX_NOINPUT;
    case P2_E_IO:
        return EX_IOERR;
    default:
        return p2_error_class(error) == P2_CLASS_BUG ? EX_SOFTWARE : EX_OSERR;
    }
}

static int print_action(const struct p2_program *program, enum p2_options_action action,
                        const struct p2_config *config)
{
    struct p2_buf buf;
    p2_buf_init(&buf, P2_OPTIONS_TEXT_MAX);
    int error = p2_options_text(program, action, config, &buf);
    if (error == P2_OK &&
        (fwrite(buf.data, 1, buf.size, stdout) != buf.size || fflush(stdout) != 0)) {
        error = P2_E_IO;
    }
    p2_buf_free(&buf);
    return exit_status(error);
}

int p2_options_start(const struct p2_program *program, int argc, char **argv,
                     struct p2_options *ret_options, struct p2_config **ret_config)
{
    struct p2_failure failure = {0};
    struct p2_options options;
    struct p2_config *config = NULL;
    int error = p2_options_parse(program, argc, argv, &options, &failure);
    if (error != P2_OK) {
        (void)fprintf(stderr, "%s: %s\nSee %s --help.\n", program->name, failure.message,
                      program->name);
        return exit_status(error);
    }
    bool needs_config = options.action == P2_ACTION_RUN ||
                        options.action == P2_ACTION_CHECK_CONFIG ||
                        options.action == P2_ACTION_DUMP_CONFIG;
    if (needs_config) {
        error = p2_options_load(program, &options, "", &config, &failure);
    }
    if (error != P2_OK) {
        (void)fprintf(stderr, "%s: %s\n", program->name, failure.message);
        return exit_status(error);
    }
    if (options.action == P2_ACTION_RUN) {
        *ret_options = options;
        *ret_config = config;
        return P2_OPTIONS_GO_ON;
    }
    int status = print_action(program, options.action, config);
    p2_config_free(config);
    return status;
}
