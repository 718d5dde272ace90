/* Options of p2c2rctl. Reads them, and prints what they ask for at once. Thread: one. */
#ifndef P2_CTL_TOOL_OPTIONS_H
#define P2_CTL_TOOL_OPTIONS_H

#include <stdbool.h>

struct p2_ctl_tool_options {
    const char *socket; /* borrowed from argv or static */
    bool is_json;
    double watch_s; /* 0: once */
    long rounds;    /* with watch: 0 for ever */
};

/* Fills `options` from the command line up to the subcommand, at whose place optind then stands.
 * Prints help, version or what is wrong. Returns an exit status, or -1 to go on. */
int p2_ctl_tool_options_parse(struct p2_ctl_tool_options *options, int argc, char **argv);

#endif
