/* The options every program has, shared by options.c (parsing) and options_help.c (text). */
#ifndef P2_BASE_OPTIONS_HELP_H
#define P2_BASE_OPTIONS_HELP_H

#include "base/options.h"

struct p2_options_common {
    const char *name;
    char letter;          /* or 0 */
    const char *argument; /* NULL = none; then it sets `action` */
    const char *doc;      /* NULL = hidden */
    enum p2_options_action action;
};

/* Ends with a NULL name. */
extern const struct p2_options_common p2_options_common[];

#endif
