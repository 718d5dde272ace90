/* The table of p2c2rctl's subcommands: usage, help, the daemon's command, arguments, output. */
#ifndef P2_CTL_SUBCOMMANDS_H
#define P2_CTL_SUBCOMMANDS_H

#include "base/error.h"

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct p2_subcommand {
    const char *name;      /* as typed; the daemon's command has '-' for ' ' */
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

/* What a subcommand does with a file: the tool opens it, the daemon gets the descriptor. */
enum p2_subcommand_file { P2_FILE_NONE, P2_FILE_READ, P2_FILE_WRITE };

struct p2_subcommand_io {
    const char *name; /* of the subcommand */
    enum p2_subcommand_file file;
    int file_word; /* which of the words that follow names it; "-" is standard input or output */
    bool is_long;  /* reads or writes much: the answer may take minutes */
    /* Needs no daemon: does it here, of the words that follow. Gives the result. NULL: asks. */
    int (*offline)(int count, char **words, json_t **ret_result, struct p2_failure *failure);
};

/* What a subcommand reads and writes; never NULL. */
const struct p2_subcommand_io *p2_subcommand_io(const struct p2_subcommand *subcommand);

/* The subcommand that `words[count]` begin with, one or two of them, or NULL; how many to *ret_used. */
const struct p2_subcommand *p2_subcommand_find(int count, char *const *words, int *ret_used);

/* The daemon's command of a subcommand into command[size]. */
void p2_subcommand_command(const struct p2_subcommand *subcommand, char *command, size_t size);

/* Row `index` of the table, NULL after the last. */
const struct p2_subcommand *p2_subcommand_at(size_t index);

#endif
