/* The table of p2c2rctl's subcommands: usage, help, the daemon's command, arguments, output. */
#ifndef P2_CTL_SUBCOMMANDS_H
#define P2_CTL_SUBCOMMANDS_H

#include "base/error.h"

#include <jansson.h>

#include <stddef.h>
#include <stdio.h>

struct p2_subcommand {
    const char *name;      /* as typed, and the daemon's command */
    const char *arguments; /* for --help: "[LEVEL]", or "" */
    const char *help;      /* one line */
    int arguments_min;     /* how many words may follow */
    int arguments_max;
    /* Makes the request's arguments of the words that follow; NULL: there are none.
     * Gives a new reference. P2_E_INVALID with a message. */
    int (*build)(int count, char **words, json_t **ret_arguments, struct p2_failure *failure);
    /* Prints the result for people; NULL: as an object. */
    void (*print)(FILE *out, const json_t *result);
};

/* The subcommand called `name`, or NULL. */
const struct p2_subcommand *p2_subcommand_find(const char *name);

/* Row `index` of the table, NULL after the last. */
const struct p2_subcommand *p2_subcommand_at(size_t index);

#endif
