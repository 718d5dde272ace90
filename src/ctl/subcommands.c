/* Subcommands of p2c2rctl. A new one is a row here, a command of a daemon and a paragraph of the
 * manual (a test compares the two). */
#include "ctl/subcommands.h"

#include <stdint.h>
#include <string.h>

static int build_level(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    json_t *arguments = count == 0 ? json_object() : json_pack("{s:s}", "level", words[0]);
    if (arguments == NULL) {
        return p2_fail(failure, P2_E_INVALID, "not text: the argument of log-level");
    }
    *ret_arguments = arguments;
    return P2_OK;
}

/* One value alone, so that scripts can use it: `key=$(p2c2rctl key)`. */
static void print_only_value(FILE *out, const json_t *result)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)result, key, value)
    {
        (void)fprintf(out, "%s\n", json_is_string(value) ? json_string_value(value) : "-");
    }
}

/* [ACTION [SESSION [MORE]]]; without words the list. */
static int build_sessions(int count, char **words, json_t **ret_arguments,
                          struct p2_failure *failure)
{
    static const char *const names[] = {"action", "session", "more"};
    json_t *arguments = json_object();
    for (int i = 0; i < count && arguments != NULL; i++) {
        if (json_object_set_new(arguments, names[i], json_string(words[i])) != 0) {
            json_decref(arguments);
            arguments = NULL;
        }
    }
    if (arguments == NULL) {
        return p2_fail(failure, P2_E_INVALID, "not text: an argument of sessions");
    }
    *ret_arguments = arguments;
    return P2_OK;
}

static const struct p2_subcommand table[] = {
    {"status", "", "what the daemon is and does", 0, 0, NULL, NULL},
    {"key", "", "the node's public key", 0, 0, NULL, print_only_value},
    {"log-level", "[LEVEL]", "show or set the log level: error, warn, notice, info, debug", 0, 1,
     build_level, print_only_value},
    {"sessions", "[ACTION [SESSION [MORE]]]",
     "list the sessions of an authority; end, lock, unlock, kick, reload, console", 0, 3,
     build_sessions, NULL},
};

const struct p2_subcommand *p2_subcommand_at(size_t index)
{
    return index < P2_COUNT_OF(table) ? &table[index] : NULL;
}

const struct p2_subcommand *p2_subcommand_find(const char *name)
{
    for (size_t i = 0; i < P2_COUNT_OF(table); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}
