/* p2c2rctl: one control tool for both daemons. Finds the subcommand, asks the daemon, prints. */
#include "base/error.h"
#include "ctl/client.h"
#include "ctl/subcommands.h"
#include "ctl/table.h"
#include "ctl/tool_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* How long an answer may take. Chosen: a person's patience; daemons answer within a loop turn. */
#define TIMEOUT_MS 10000

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

/* Asks once, or round after round. A connection serves all rounds. */
static int run(const struct p2_ctl_tool_options *options, const struct p2_subcommand *subcommand,
               const json_t *arguments, struct p2_failure *failure)
{
    struct p2_ctl_client *client = NULL;
    int error = p2_ctl_client_open(&client, options->socket, TIMEOUT_MS, failure);
    for (long round = 1; error == P2_OK; round++) {
        json_t *result = NULL;
        error = p2_ctl_client_call(client, subcommand->name, arguments, -1, &result, failure);
        if (error != P2_OK) {
            break;
        }
        if (options->watch_s > 0 && !options->is_json && isatty(STDOUT_FILENO) == 1) {
            (void)fputs("\033[H\033[2J", stdout);
        }
        print_result(options, subcommand, result);
        json_decref(result);
        if (options->watch_s <= 0 || round == options->rounds) {
            break;
        }
        pause_for(options->watch_s);
    }
    p2_ctl_client_close(client);
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
    const char *name = optind < argc ? argv[optind++] : "";
    const struct p2_subcommand *subcommand = p2_subcommand_find(name);
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
        error = run(&options, subcommand, arguments, &failure);
    }
    json_decref(arguments);
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2rctl: %s\n", failure.message);
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? exit_status(error) : EX_IOERR;
}
