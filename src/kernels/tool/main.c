/* p2c2r-kernel: lists, tests, runs and measures the task kernels. */
#include "kernels/tool/commands.h"

#include "base/crypto.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    const char *operands; /* as in --help; "[" marks optional ones */
    int operands_min, operands_max;
    int (*call)(const struct p2_tool_options *options);
    const char *help;
};

static const struct command commands[] = {
    {"list", "", 0, 0, p2_tool_list, "name, version, kind, privacy and limits of every kernel"},
    {"selftest", "[NAME]", 0, 1, p2_tool_selftest, "compare known answers; fails when one differs"},
    {"generate", "NAME", 1, 1, p2_tool_generate, "write a generated input to stdout"},
    {"run", "NAME", 1, 1, p2_tool_run, "input from stdin, result to stdout"},
    {"check", "NAME", 1, 1, p2_tool_check, "check a result (--result) for the input on stdin"},
    {"bench", "[NAME]", 0, 1, p2_tool_bench, "time, cost error and throughput of generated cases"},
    {"digest", "[NAME]", 0, 1, p2_tool_digest, "one digest per kernel over canonical outputs"},
    {"mutate", "NAME", 1, 1, p2_tool_mutate, "catch rate of the check on mutated results"},
    {"movingai", "MAP SCEN", 2, 2, p2_tool_movingai, "compare path lengths with a scenario list"},
};

enum option_id {
    OPT_HELP = 'h',
    OPT_VERSION = 'V',
    OPT_BLOB = 256,
    OPT_RESULT,
    OPT_SMALL,
    OPT_SEED,
    OPT_SECRET,
    OPT_CASES,
    OPT_INDEX,
    OPT_LIMIT
};

static const struct option long_options[] = {
    {"blob", required_argument, NULL, OPT_BLOB},
    {"cases", required_argument, NULL, OPT_CASES},
    {"help", no_argument, NULL, OPT_HELP},
    {"index", required_argument, NULL, OPT_INDEX},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"result", required_argument, NULL, OPT_RESULT},
    {"secret", required_argument, NULL, OPT_SECRET},
    {"seed", required_argument, NULL, OPT_SEED},
    {"small", no_argument, NULL, OPT_SMALL},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    (void)printf("usage: p2c2r-kernel SUBCOMMAND [OPTION]...\n\nSubcommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)printf("  %-9s %-9s %s\n", commands[i].name, commands[i].operands, commands[i].help);
    }
    (void)printf("\nOptions:\n"
                 "  --cases N     number of generated cases (bench, digest, mutate)\n"
                 "  --seed S      series of generated cases, default 1\n"
                 "  --small       generate small cases of the same shapes\n"
                 "  --index I     number of the case (generate), default 0\n"
                 "  --blob FILE   next read-only blob (run, check); where generate writes it\n"
                 "  --result FILE the result to check\n"
                 "  --secret N    what a check looks at, default 0\n"
                 "  --limit N     first N lines of the scenario list (movingai), default all\n"
                 "  --help        print this\n"
                 "  --version     print the version\n\n"
                 "exit status: 0 all right, 1 something was found wrong, 2 usage, 3 trouble\n");
}

/* A decimal number up to `most`. False when the text is anything else. */
static bool parse_number(const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > most) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* Takes one option. False when its argument is wrong. */
static bool take_option(struct p2_tool_options *options, int id, const char *argument)
{
    uint64_t number = 0;
    if (id == OPT_BLOB) {
        if (options->blob_count == P2C2R_BLOBS_MAX) {
            return false;
        }
        options->blobs[options->blob_count++] = argument;
        return true;
    }
    if (id == OPT_RESULT) {
        options->result = argument;
        return true;
    }
    if (id == OPT_SMALL) {
        options->is_small = true;
        return true;
    }
    const bool is_wide = id == OPT_SEED || id == OPT_SECRET;
    if (id < OPT_SEED || !parse_number(argument, is_wide ? UINT64_MAX : UINT32_MAX, &number)) {
        return false;
    }
    options->seed = id == OPT_SEED ? number : options->seed;
    options->secret = id == OPT_SECRET ? number : options->secret;
    options->cases = id == OPT_CASES ? (uint32_t)number : options->cases;
    options->index = id == OPT_INDEX ? (uint32_t)number : options->index;
    options->limit = id == OPT_LIMIT ? (uint32_t)number : options->limit;
    return true;
}

static int usage_error(void)
{
    (void)fprintf(stderr, "p2c2r-kernel: wrong arguments; see p2c2r-kernel --help\n");
    return P2_TOOL_USAGE;
}

int main(int argc, char **argv)
{
    struct p2_tool_options options = {.seed = 1};
    for (int id; (id = getopt_long(argc, argv, "hV", long_options, NULL)) != -1;) {
        if (id == OPT_HELP) {
            print_help();
            return P2_TOOL_OK;
        }
        if (id == OPT_VERSION) {
            (void)printf("p2c2r-kernel %s\n", PACKAGE_VERSION);
            return P2_TOOL_OK;
        }
        if (id == '?' || !take_option(&options, id, optarg)) {
            return usage_error();
        }
    }
    const int operands = argc - optind - 1;
    for (size_t i = 0; operands >= 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[optind], commands[i].name) != 0) {
            continue;
        }
        if (operands < commands[i].operands_min || operands > commands[i].operands_max) {
            break;
        }
        for (int k = 0; k < operands; k++) {
            options.operands[k] = argv[optind + 1 + k];
        }
        return p2_crypto_init() == 0 ? commands[i].call(&options) : P2_TOOL_TROUBLE;
    }
    return usage_error();
}
