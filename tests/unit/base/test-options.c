#include "tests/lib/test.h"
#include "tests/unit/base/sample-table.h"

#include "base/file.h"
#include "base/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static unsigned taken;
static char taken_argument[32];

static int take_trace(void *context, const char *argument, struct p2_failure *failure)
{
    (void)context;
    taken++;
    (void)snprintf(taken_argument, sizeof taken_argument, "%s", argument);
    return strcmp(argument, "bad") == 0 ? p2_fail(failure, P2_E_INVALID, "--trace: bad") : P2_OK;
}

static const struct p2_options_extra extras[] = {
    {.name = "trace",
     .letter = 't',
     .argument = "FILE",
     .doc = "Trace to FILE.",
     .take = take_trace},
    {.name = NULL},
};
static const struct p2_options_command commands[] = {
    {.name = "host", .arguments = "MODULE", .doc = "Run one game."},
    {.name = "serve", .doc = "Run the sessions of the configuration."},
    {.name = NULL},
};
static const struct p2_options_library libraries[] = {{"libsodium", "1.0.18"}, {NULL, NULL}};

static const struct p2_program daemon_program = {
    .name = "p2c2rd",
    .version = "0.1.0",
    .summary = "Lends spare cores.",
    .table = &sample_table,
    .state_option = SAMPLE_STATE,
    .extras = extras,
    .libraries = libraries,
};
static const struct p2_program command_program = {
    .name = "p2c2r-authority",
    .version = "0.1.0",
    .summary = "Hosts games.",
    .table = &sample_table,
    .state_option = P2_OPTIONS_NO_STATE,
    .commands = commands,
};

/* A command line from words that end with NULL. */
static int parse(const struct p2_program *program, const char *const *words,
                 struct p2_options *options, struct p2_failure *failure)
{
    static char copies[16][64];
    static char *argv[17];
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    return p2_options_parse(program, argc, argv, options, failure);
}

#define PARSE(program, options, failure, ...) \
    parse((program), (const char *const[]){"prog", __VA_ARGS__, NULL}, (options), (failure))

static void options_come_from_the_table_in_every_usual_form(void)
{
    struct p2_options options;
    struct p2_failure failure;
    struct p2_config *config = NULL;
    P2_ASSERT_ERROR(PARSE(&daemon_program, &options, &failure, "--cores=8", "--cache", "64MiB",
                          "--lend", "--authority", "a:1#k", "--authority=b:2#k", "-t", "x"),
                    P2_OK);
    P2_ASSERT_EQUAL(options.action, P2_ACTION_RUN);
    CU_ASSERT_STRING_EQUAL(taken_argument, "x");
    P2_ASSERT_ERROR(p2_options_load(&daemon_program, &options, "/nonexistent", &config, &failure),
                    P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 8);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CACHE), 64 << 20);
    CU_ASSERT(p2_config_bool(config, SAMPLE_LEND));
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 2);
    p2_config_free(config);
    P2_ASSERT_ERROR(PARSE(&daemon_program, &options, &failure, "-n", "3", "--lend=no", "--once"),
                    P2_OK);
    P2_ASSERT_ERROR(p2_options_load(&daemon_program, &options, "/nonexistent", &config, &failure),
                    P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 3);
    CU_ASSERT_FALSE(p2_config_bool(config, SAMPLE_LEND));
    CU_ASSERT(p2_config_bool(config, SAMPLE_ONCE));
    p2_config_free(config);
}

static void wrong_command_lines_say_what_is_wrong(void)
{
    static const struct {
        const char *words[4];
        const char *message;
    } rows[] = {
        {{"prog", "--coers=4", NULL},
         "unknown or ambiguous option --coers=4; did you mean --cores?"},
        {{"prog", "--zzz", NULL}, "unknown or ambiguous option --zzz"},
        {{"prog", "-x", NULL}, "unknown or ambiguous option -x"},
        {{"prog", "--cores", NULL}, "option --cores needs a value"},
        {{"prog", "-n", NULL}, "option -n needs a value"},
        {{"prog", "--help=yes", NULL}, "option --help=yes takes no value"},
        {{"prog", "--token=abcd", NULL}, "option --token belongs in a configuration file"},
        {{"prog", "extra", NULL}, "unexpected argument extra"},
        {{"prog", "--trace", "bad", NULL}, "--trace: bad"},
        {{"prog", "--\x1b[0m", NULL}, "unknown or ambiguous option --\\u001b[0m"},
    };
    struct p2_options options;
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        struct p2_failure failure = {0};
        P2_ASSERT_ERROR(parse(&daemon_program, rows[i].words, &options, &failure), P2_E_INVALID);
        CU_ASSERT_STRING_EQUAL(failure.message, rows[i].message);
    }
}

static void bad_values_name_option_and_range(void)
{
    struct p2_options options;
    struct p2_failure failure;
    struct p2_config *config = NULL;
    P2_ASSERT_ERROR(PARSE(&daemon_program, &options, &failure, "--cores=99"), P2_OK);
    P2_ASSERT_ERROR(p2_options_load(&daemon_program, &options, "/nonexistent", &config, &failure),
                    P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, "--cores: cores = 99: out of range; allowed: 1 to 64");
    P2_ASSERT_ERROR(PARSE(&daemon_program, &options, &failure, "--cores=9", "-n", "9"), P2_OK);
    P2_ASSERT_ERROR(p2_options_load(&daemon_program, &options, "/nonexistent", &config, &failure),
                    P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, "--cores: given twice");
    CU_ASSERT_PTR_NULL(config);
}

static void commands_take_what_follows_them(void)
{
    struct p2_options options;
    struct p2_failure failure;
    P2_ASSERT_ERROR(
        PARSE(&command_program, &options, &failure, "--cores=2", "host", "game.so", "--cores=3"),
        P2_OK);
    P2_ASSERT_EQUAL(options.command, 0);
    P2_ASSERT_EQUAL(options.operand_count, 2);
    CU_ASSERT_STRING_EQUAL(options.operands[0], "game.so");
    P2_ASSERT_EQUAL(options.given_count, 1);
    P2_ASSERT_ERROR(PARSE(&command_program, &options, &failure, "dance"), P2_E_INVALID);
    CU_ASSERT_STRING_EQUAL(failure.message, "unknown command dance");
    P2_ASSERT_ERROR(PARSE(&command_program, &options, &failure, "-n", "2"), P2_E_INVALID);
    CU_ASSERT_STRING_EQUAL(failure.message, "missing command");
    P2_ASSERT_ERROR(PARSE(&command_program, &options, &failure, "--help"), P2_OK);
    P2_ASSERT_EQUAL(options.action, P2_ACTION_HELP);
}

static void the_command_line_wins_and_names_the_state_folder_early(void)
{
    char root[PATH_MAX / 2], path[PATH_MAX], argument[PATH_MAX];
    struct p2_options options;
    struct p2_failure failure = {0};
    struct p2_config *config = NULL;
    static const char text[] = "cores = 5\nname = kept\n";
    (void)snprintf(root, sizeof root, "%s", p2_test_folder_make());
    (void)snprintf(path, sizeof path, "%s/settings.conf", root);
    P2_ASSERT_ERROR(
        p2_file_replace(path, p2_span(text, sizeof text - 1), 0600, P2_FILE_VOLATILE, &failure),
        P2_OK);
    (void)snprintf(argument, sizeof argument, "--state-dir=%s", root);
    char *argv[] = {(char[]){"prog"}, argument, (char[]){"--cores=6"}, NULL};
    P2_ASSERT_ERROR(p2_options_parse(&daemon_program, 3, argv, &options, &failure), P2_OK);
    P2_ASSERT_ERROR(p2_options_load(&daemon_program, &options, root, &config, &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 6);
    CU_ASSERT_STRING_EQUAL(p2_config_string(config, SAMPLE_NAME), "kept");
    p2_config_free(config);
    p2_test_folder_remove();
}

static void check_contains(const struct p2_buf *buf, const char *text)
{
    bool is_there = memmem(buf->data, buf->size, text, strlen(text)) != NULL;
    if (!is_there) {
        (void)printf("missing \"%s\" in:\n%.*s", text, (int)buf->size, (const char *)buf->data);
    }
    CU_ASSERT(is_there);
}

static void help_shows_every_option_within_80_columns(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, P2_OPTIONS_TEXT_MAX);
    P2_ASSERT_ERROR(p2_options_text(&daemon_program, P2_ACTION_HELP, NULL, &buf), P2_OK);
    check_contains(&buf, "Usage: p2c2rd [OPTION]...\nLends spare cores.\n");
    check_contains(&buf,
                   "  -n, --cores=N             Cores to lend. Allowed: 1 to 64; default: 4\n");
    check_contains(&buf, "  -l, --lend[=yes|no]       Lend this machine.");
    check_contains(&buf, "  -t, --trace=FILE          Trace to FILE.\n");
    check_contains(&buf, "network:\n      --listen=N");
    check_contains(&buf, "--local-peers=strict|allow\n                            Rules for");
    CU_ASSERT_PTR_NULL(memmem(buf.data, buf.size, "token", 5));
    CU_ASSERT_PTR_NULL(memmem(buf.data, buf.size, "dump-mdoc", 9));
    size_t width = 0;
    for (size_t i = 0; i < buf.size; i++) {
        width = buf.data[i] == '\n' ? 0 : width + 1;
        CU_ASSERT(width < 80);
    }
    p2_buf_clear(&buf);
    P2_ASSERT_ERROR(p2_options_text(&command_program, P2_ACTION_HELP, NULL, &buf), P2_OK);
    check_contains(&buf, "Usage: p2c2r-authority [OPTION]... COMMAND\n");
    check_contains(&buf, "\nCommands:\n  host MODULE               Run one game.\n");
    p2_buf_free(&buf);
}

static void version_and_list_are_complete(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, P2_OPTIONS_TEXT_MAX);
    P2_ASSERT_ERROR(p2_options_text(&daemon_program, P2_ACTION_VERSION, NULL, &buf), P2_OK);
    check_contains(&buf, "p2c2rd 0.1.0\nlibsodium 1.0.18\n");
    p2_buf_clear(&buf);
    P2_ASSERT_ERROR(p2_options_text(&daemon_program, P2_ACTION_DUMP_OPTIONS, NULL, &buf), P2_OK);
    check_contains(&buf, "config\tc\t-\tprogram\tFILE\t-\tcommand-line\n");
    check_contains(&buf, "dump-mdoc\t-\t-\tprogram\t-\t-\tcommand-line,hidden\n");
    check_contains(&buf, "trace\tt\t-\tprogram\tFILE\t-\tcommand-line\n");
    size_t lines = 0;
    for (size_t i = 0; i < buf.size; i++) {
        lines += buf.data[i] == '\n';
    }
    P2_ASSERT_EQUAL(lines, 8 + 1 + SAMPLE_COUNT);
    p2_buf_clear(&buf);
    P2_ASSERT_ERROR(p2_options_text(&daemon_program, P2_ACTION_DUMP_MDOC, NULL, &buf), P2_OK);
    check_contains(&buf, ".It Fl l , Fl -lend Ns Op = Ns Ar yes|no\n");
    p2_buf_free(&buf);
}

/* p2_options_start with one option and a configuration file of `text`. */
static int start_with(const char *option, const char *text, struct p2_config **ret_config)
{
    char path[PATH_MAX / 2], argument[PATH_MAX];
    char program[] = "prog", first[64];
    struct p2_options options;
    (void)snprintf(path, sizeof path, "%s/x.conf", p2_test_folder_make());
    P2_ASSERT_ERROR(
        p2_file_replace(path, p2_span(text, strlen(text)), 0600, P2_FILE_VOLATILE, NULL), P2_OK);
    (void)snprintf(argument, sizeof argument, "--config=%s", path);
    (void)snprintf(first, sizeof first, "%s", option);
    char *argv[] = {program, argument, first, NULL};
    int status = p2_options_start(&daemon_program, 3, argv, &options, ret_config);
    p2_test_folder_remove();
    return status;
}

static void a_start_goes_on_or_prints_what_was_asked_for(void)
{
    struct p2_config *config = NULL;
    P2_ASSERT_EQUAL(start_with("--check-config", "cores = 2\n", &config), EX_OK);
    P2_ASSERT_EQUAL(start_with("--check-config", "cores = 200\n", &config), EX_CONFIG);
    P2_ASSERT_EQUAL(start_with("--version", "cores = 200\n", &config), EX_OK);
    CU_ASSERT_PTR_NULL(config);
    P2_ASSERT_EQUAL(start_with("--lend", "cores = 2\n", &config), P2_OPTIONS_GO_ON);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 2);
    CU_ASSERT(p2_config_bool(config, SAMPLE_LEND));
    p2_config_free(config);
}

static void a_start_ends_with_the_exit_status_of_what_was_wrong(void)
{
    struct p2_options options;
    struct p2_config *config = NULL;
    char program[] = "prog", unknown[] = "--zzz", missing[] = "--config=/nonexistent/x";
    char *wrong[] = {program, unknown, NULL};
    char *absent[] = {program, missing, NULL};
    P2_ASSERT_EQUAL(p2_options_start(&daemon_program, 2, wrong, &options, &config), EX_USAGE);
    P2_ASSERT_EQUAL(p2_options_start(&daemon_program, 2, absent, &options, &config), EX_NOINPUT);
    CU_ASSERT_PTR_NULL(config);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(options_come_from_the_table_in_every_usual_form),
        P2_TEST(wrong_command_lines_say_what_is_wrong),
        P2_TEST(bad_values_name_option_and_range),
        P2_TEST(commands_take_what_follows_them),
        P2_TEST(the_command_line_wins_and_names_the_state_folder_early),
        P2_TEST(help_shows_every_option_within_80_columns),
        P2_TEST(version_and_list_are_complete),
        P2_TEST(a_start_goes_on_or_prints_what_was_asked_for),
        P2_TEST(a_start_ends_with_the_exit_status_of_what_was_wrong),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"options", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
