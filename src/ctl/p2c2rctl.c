/* p2c2rctl: one control tool for both daemons. Finds the subcommand, asks the daemon, prints. */
#include "base/error.h"
#include "ctl/client.h"
#include "ctl/subcommands.h"
#include "ctl/table.h"
#include "ctl/tool_options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* How long an answer may take. Chosen: a person's patience; daemons answer within a loop turn. */
#define TIMEOUT_MS 10000

/* The same for what reads or writes much. Chosen: a store of 64 GiB at 100 MB/s. */
#define LONG_TIMEOUT_MS 660000

/* The exit status for an error, from sysexits.h; listed in the manual. */
static int exit_status(int error)
{
    switch (error) {
    case P2_OK:
        return EX_OK;
    case P2_E_NOENT:
    case P2_E_REFUSED:
    case P2_E_CLOSED:
        return EX_UNAVAILABLE;
    case P2_E_PERM:
        return EX_NOPERM;
    case P2_E_TIMEOUT:
    case P2_E_BUSY:
        return EX_TEMPFAIL;
    case P2_E_INVALID:
        return EX_USAGE;
    default:
        return EXIT_FAILURE;
    }
}

static void print_result(const struct p2_ctl_tool_options *options,
                         const struct p2_subcommand *subcommand, const json_t *result)
{
    if (options->is_json) {
        json_t *line = json_pack("{s:i, s:s, s:O}", "v", P2_CTL_VERSION, "command",
                                 subcommand->name, "result", result);
        (void)json_dumpf(line, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(line);
    } else if (subcommand->print != NULL) {
        subcommand->print(stdout, result);
    } else if (json_is_object(result)) {
        p2_ctl_print_object(stdout, result);
    } else {
        p2_ctl_print_rows(stdout, result);
    }
    (void)fflush(stdout); /* its error shows at the end */
}

static void pause_for(double seconds)
{
    struct timespec time = {(time_t)seconds, 0};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    (void)nanosleep(&time, NULL); /* a signal only shortens the wait */
}

/* Opens the file that the words name, as this user; -1: there is none. A file that is there already
 * is not written over. */
static int open_file(const struct p2_subcommand_io *io, char **words, int *ret_fd,
                     struct p2_failure *failure)
{
    *ret_fd = -1;
    if (io->file == P2_FILE_NONE) {
        return P2_OK;
    }
    bool is_output = io->file == P2_FILE_WRITE;
    const char *path = words[io->file_word];
    if (strcmp(path, "-") == 0) {
        *ret_fd = is_output ? STDOUT_FILENO : STDIN_FILENO;
        return is_output && isatty(STDOUT_FILENO) == 1
                   ? p2_fail(failure, P2_E_INVALID, "standard output is a terminal")
                   : P2_OK;
    }
    int flags = is_output ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY;
    *ret_fd = open(path, flags | O_CLOEXEC, 0600);
    return *ret_fd >= 0 ? P2_OK
                        : p2_fail(failure, errno == EACCES ? P2_E_PERM : P2_E_INVALID, "%s: %s",
                                  path, strerror(errno));
}

/* Closes the file; what was written of one that failed is removed. */
static void close_file(const struct p2_subcommand_io *io, char **words, int fd, int error)
{
    if (fd > STDERR_FILENO) {
        (void)close(fd); /* the daemon synced it */
        if (error != P2_OK && io->file == P2_FILE_WRITE) {
            (void)unlink(words[io->file_word]); /* the error is told already */
        }
    }
}

/* The answer must not stand among the bytes of a file. */
static bool is_quiet(const struct p2_subcommand_io *io, char **words)
{
    return io->file == P2_FILE_WRITE && strcmp(words[io->file_word], "-") == 0;
}

/* Asks once, or round after round. A connection serves all rounds. */
static int run(const struct p2_ctl_tool_options *options, const struct p2_subcommand *subcommand,
               const json_t *arguments, char **words, struct p2_failure *failure)
{
    struct p2_ctl_client *client = NULL;
    const struct p2_subcommand_io *io = p2_subcommand_io(subcommand);
    char command[P2_CTL_NAME_MAX];
    int fd = -1;
    p2_subcommand_command(subcommand, command, sizeof command);
    int error = open_file(io, words, &fd, failure);
    if (error == P2_OK) {
        error = p2_ctl_client_open(&client, options->socket,
                                   io->is_long ? LONG_TIMEOUT_MS : TIMEOUT_MS, failure);
    }
    for (long round = 1; error == P2_OK; round++) {
        json_t *result = NULL;
        error = p2_ctl_client_call(client, command, arguments, fd, &result, failure);
        if (error != P2_OK) {
            break;
        }
        if (options->watch_s > 0 && !options->is_json && isatty(STDOUT_FILENO) == 1) {
            (void)fputs("\033[H\033[2J", stdout);
        }
        if (!is_quiet(io, words)) {
            print_result(options, subcommand, result);
        }
        json_decref(result);
        if (options->watch_s <= 0 || fd >= 0 || round == options->rounds) {
            break;
        }
        pause_for(options->watch_s);
    }
    p2_ctl_client_close(client);
    close_file(io, words, fd, error);
    return error;
}

/* What needs no daemon. */
static int run_offline(const struct p2_ctl_tool_options *options,
                       const struct p2_subcommand *subcommand, int count, char **words,
                       struct p2_failure *failure)
{
    json_t *result = NULL;
    int error = p2_subcommand_io(subcommand)->offline(count, words, &result, failure);
    if (error == P2_OK) {
        print_result(options, subcommand, result);
    }
    json_decref(result);
    return error;
}

int main(int argc, char **argv)
{
    struct p2_ctl_tool_options options;
    struct p2_failure failure = {0};
    json_t *arguments = NULL;
    int status = p2_ctl_tool_options_parse(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    int used = 0;
    const char *name = optind < argc ? argv[optind] : "";
    const struct p2_subcommand *subcommand =
        p2_subcommand_find(argc - optind, argv + optind, &used);
    optind += used;
    int count = argc - optind;
    if (subcommand == NULL || count < subcommand->arguments_min ||
        count > subcommand->arguments_max) {
        (void)fprintf(stderr,
                      subcommand == NULL ? "p2c2rctl: no subcommand \"%s\"; see --help\n"
                                         : "p2c2rctl: wrong arguments of %s; see --help\n",
                      name);
        return EX_USAGE;
    }
    int error = subcommand->build != NULL
                    ? subcommand->build(count, argv + optind, &arguments, &failure)
                    : P2_OK;
    if (error == P2_OK) {
        error = p2_subcommand_io(subcommand)->offline != NULL
                    ? run_offline(&options, subcommand, count, argv + optind, &failure)
                    : run(&options, subcommand, arguments, argv + optind, &failure);
    }
    json_decref(arguments);
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2rctl: %s\n", failure.message);
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? exit_status(error) : EX_IOERR;
}
