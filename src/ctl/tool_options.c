/* The options of p2c2rctl; see the header. */
#include "ctl/tool_options.h"

#include "ctl/subcommands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { OPTION_JSON = 256, OPTION_VERSION, OPTION_ROUNDS };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},           {"daemon", required_argument, NULL, 'd'},
    {"json", no_argument, NULL, OPTION_JSON},           {"watch", optional_argument, NULL, 'w'},
    {"rounds", required_argument, NULL, OPTION_ROUNDS}, {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},     {NULL, 0, NULL, 0},
};

static void print_help(FILE *out)
{
    (void)fprintf(out, "Usage: p2c2rctl [OPTION...] SUBCOMMAND [ARGUMENT...]\n"
                       "Asks or steers a running p2c2rd or p2c2r-authority.\n\n"
                       "Subcommands:\n");
    for (size_t i = 0; p2_subcommand_at(i) != NULL; i++) {
        const struct p2_subcommand *row = p2_subcommand_at(i);
        (void)fprintf(out, "  %-15s %-33s %s\n", row->name, row->arguments, row->help);
    }
    (void)fprintf(out, "\nOptions:\n"
                       "  -d, --daemon=NAME      p2c2rd (the default) or p2c2r-authority\n"
                       "  -s, --socket=PATH      the control socket of the daemon\n"
                       "      --json             print the answer as one line of JSON\n"
                       "  -w, --watch[=SECONDS]  ask again and again, every 2 seconds or as given\n"
                       "      --rounds=N         with --watch: stop after N answers\n"
                       "  -h, --help             print this\n"
                       "      --version          print the version\n");
}

/* A number above zero and at most a day, or -1. */
static double parse_seconds(const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);
    return end != text && *end == '\0' && seconds > 0 && seconds <= 86400 ? seconds : -1;
}

static const char *socket_of(const char *daemon)
{
    if (strcmp(daemon, "p2c2rd") == 0) {
        return "/run/p2c2rd/control";
    }
    return strcmp(daemon, "p2c2r-authority") == 0 ? "/run/p2c2r-authority/control" : NULL;
}

int p2_ctl_tool_options_parse(struct p2_ctl_tool_options *options, int argc, char **argv)
{
    *options = (struct p2_ctl_tool_options){.socket = socket_of("p2c2rd")};
    int option;
    while ((option = getopt_long(argc, argv, "+s:d:w::h", long_options, NULL)) != -1) {
        switch (option) {
        case 's':
            options->socket = optarg;
            break;
        case 'd':
            options->socket = socket_of(optarg);
            break;
        case 'w':
            options->watch_s = optarg != NULL ? parse_seconds(optarg) : 2;
            break;
        case OPTION_ROUNDS:
            options->rounds = (long)parse_seconds(optarg);
            break;
        case OPTION_JSON:
            options->is_json = true;
            break;
        case 'h':
            print_help(stdout);
            return EX_OK;
        case OPTION_VERSION:
            (void)printf("p2c2rctl %s (jansson %s)\n", PACKAGE_VERSION, JANSSON_VERSION);
            return EX_OK;
        default:
            return EX_USAGE;
        }
    }
    if (options->socket == NULL || options->watch_s < 0 || options->rounds < 0) {
        (void)fprintf(stderr, "p2c2rctl: the value of an option is out of range; see --help\n");
        return EX_USAGE;
    }
    return -1;
}
