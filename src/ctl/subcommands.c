/* Subcommands of p2c2rctl. A new one is a row here, a command of a daemon and a paragraph of the
 * manual (a test compares the two). */
#include "ctl/subcommands.h"

#include "ctl/new_game.h"
#include "ctl/receipts.h"
#include "ctl/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
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

/* A session's number, when the word is there. */
static int set_session(json_t *arguments, int count, char **words, int at,
                       struct p2_failure *failure)
{
    if (count <= at) {
        return P2_OK;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(words[at], &end, 10);
    if (errno != 0 || end == words[at] || *end != '\0' || number <= 0) {
        return p2_fail(failure, P2_E_INVALID, "\"%s\" is not the number of a session", words[at]);
    }
    return json_object_set_new(arguments, "session", json_integer(number)) == 0 ? P2_OK
                                                                                : P2_E_NOMEM;
}

/* {"name": word `name_at`, "session": word `session_at`}, each when it is there; -1: never. */
static int build_save(int count, char **words, int name_at, int session_at, json_t **ret_arguments,
                      struct p2_failure *failure)
{
    json_t *arguments = json_object();
    int error = set_session(arguments, count, words, session_at, failure);
    if (error == P2_OK && name_at >= 0 && count > name_at &&
        json_object_set_new(arguments, "name", json_string(words[name_at])) != 0) {
        error = p2_fail(failure, P2_E_INVALID, "not text: the name of a save");
    }
    if (error != P2_OK) {
        json_decref(arguments);
        return error;
    }
    *ret_arguments = arguments;
    return P2_OK;
}

static int build_session(int count, char **words, json_t **ret_arguments,
                         struct p2_failure *failure)
{
    return build_save(count, words, -1, 0, ret_arguments, failure);
}

static int build_name(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    return build_save(count, words, 0, 1, ret_arguments, failure);
}

static int build_name_file(int count, char **words, json_t **ret_arguments,
                           struct p2_failure *failure)
{
    return build_save(count, words, 0, 2, ret_arguments, failure);
}

static int build_file_name(int count, char **words, json_t **ret_arguments,
                           struct p2_failure *failure)
{
    return build_save(count, words, 1, 2, ret_arguments, failure);
}

/* The saves, and a line when some are damaged. */
static void print_saves(FILE *out, const json_t *result)
{
    p2_ctl_print_rows(out, json_object_get(result, "saves"));
    json_int_t damaged = json_integer_value(json_object_get(result, "damaged"));
    if (damaged > 0) {
        (void)fprintf(out, "%lld more cannot be read\n", (long long)damaged);
    }
}

/* {"key": word 0} */
static int build_key(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    (void)count;
    *ret_arguments = json_pack("{s:s}", "key", words[0]);
    return *ret_arguments != NULL ? P2_OK : p2_fail(failure, P2_E_INVALID, "not text: the key");
}

static int build_ban(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    json_t *arguments = json_pack("{s:s, s:s}", "who", words[0], "reason", words[1]);
    if (arguments == NULL) {
        return p2_fail(failure, P2_E_INVALID, "not text: the arguments of ban");
    }
    if (count == 3) {
        char *end = NULL;
        errno = 0;
        long long hours = strtoll(words[2], &end, 10);
        if (errno != 0 || end == words[2] || *end != '\0' || hours < 1) {
            json_decref(arguments);
            return p2_fail(failure, P2_E_INVALID, "\"%s\" is not a number of hours", words[2]);
        }
        (void)json_object_set_new(arguments, "hours", json_integer(hours));
    }
    *ret_arguments = arguments;
    return P2_OK;
}

static int build_credit(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    (void)count;
    *ret_arguments = json_pack("{s:s, s:s}", "key", words[0], "amount", words[1]);
    return *ret_arguments != NULL
               ? P2_OK
               : p2_fail(failure, P2_E_INVALID, "not text: the arguments of ledger credit");
}

static int build_format(int count, char **words, json_t **ret_arguments, struct p2_failure *failure)
{
    (void)count;
    *ret_arguments = json_pack("{s:s}", "format", words[0]);
    return *ret_arguments != NULL ? P2_OK : p2_fail(failure, P2_E_INVALID, "not text: the format");
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
    {"save list", "[SESSION]", "the saves of a session", 0, 1, build_session, print_saves},
    {"save create", "NAME [SESSION]", "save a session now", 1, 2, build_name, print_only_value},
    {"save restore", "NAME [SESSION]", "go back to a save", 1, 2, build_name, print_only_value},
    {"save delete", "NAME [SESSION]", "delete a save", 1, 2, build_name, print_only_value},
    {"save export", "NAME FILE [SESSION]", "write a save to a file", 2, 3, build_name_file, NULL},
    {"save import", "FILE [NAME [SESSION]]", "take a save from a file", 1, 3, build_file_name,
     print_only_value},
    {"backup", "FILE", "copy the whole store to a file", 1, 1, NULL, NULL},
    {"store stats", "", "figures of the store", 0, 0, NULL, NULL},
    {"store check", "", "read the whole store and say what is wrong", 0, 0, NULL, NULL},
    {"new-game", "FOLDER [TEMPLATE]", "begin a game module; asks no daemon", 1, 2, NULL, NULL},
    {"helper", "KEY", "score, faults with evidence, proven work and pay of a helper", 1, 1,
     build_key, NULL},
    {"bans", "", "who is banned, until when, by whom and why", 0, 0, NULL, NULL},
    {"ban", "KEY|ADDRESS REASON [HOURS]", "ban a key, or the /24 or /48 of an address", 2, 3,
     build_ban, NULL},
    {"unban", "KEY|ADDRESS REASON", "lift a ban", 2, 2, build_ban, NULL},
    {"ledger show", "", "all accounts and their sum, which is 0", 0, 0, NULL, NULL},
    {"ledger credit", "KEY|host AMOUNT", "note prepaid dollars of a gamer or the host", 2, 2,
     build_credit, NULL},
    {"ledger explain", "", "what prices cover, what was used, and any shortfall", 0, 0, NULL, NULL},
    {"ledger export", "csv|json FILE", "write all entries of the ledger to a file", 2, 2,
     build_format, NULL},
    {"payouts", "", "payouts under way, and those whose end is not known", 0, 0, NULL, NULL},
    {"receipts verify", "FILE AUTHORITY [HELPER [NETWORK]]", "check a receipt, without any daemon",
     2, 4, NULL, NULL},
};

/* Those that have to do with a file, or take long. */
static const struct p2_subcommand_io io_table[] = {
    {"save restore", P2_FILE_NONE, 0, true, NULL},
    {"save export", P2_FILE_WRITE, 1, true, NULL},
    {"save import", P2_FILE_READ, 0, true, NULL},
    {"backup", P2_FILE_WRITE, 0, true, NULL},
    {"store check", P2_FILE_NONE, 0, true, NULL},
    {"ledger export", P2_FILE_WRITE, 1, true, NULL},
    {"receipts verify", P2_FILE_NONE, 0, false, p2_receipts_verify},
    {"new-game", P2_FILE_NONE, 0, false, p2_new_game_offline},
};

const struct p2_subcommand_io *p2_subcommand_io(const struct p2_subcommand *subcommand)
{
    static const struct p2_subcommand_io none = {"", P2_FILE_NONE, 0, false, NULL};
    for (size_t i = 0; i < P2_COUNT_OF(io_table); i++) {
        if (strcmp(io_table[i].name, subcommand->name) == 0) {
            return &io_table[i];
        }
    }
    return &none;
}

const struct p2_subcommand *p2_subcommand_at(size_t index)
{
    return index < P2_COUNT_OF(table) ? &table[index] : NULL;
}

/* Are these the words of `name`? Gives how many there are, 0: no. */
static int count_words(const char *name, int count, char *const *words)
{
    const char *space = strchr(name, ' ');
    size_t length = space == NULL ? strlen(name) : (size_t)(space - name);
    if (count < 1 || strlen(words[0]) != length || memcmp(words[0], name, length) != 0) {
        return 0;
    }
    if (space == NULL) {
        return 1;
    }
    return count >= 2 && strcmp(space + 1, words[1]) == 0 ? 2 : 0;
}

const struct p2_subcommand *p2_subcommand_find(int count, char *const *words, int *ret_used)
{
    *ret_used = 0;
    for (size_t i = 0; i < P2_COUNT_OF(table); i++) {
        *ret_used = count_words(table[i].name, count, words);
        if (*ret_used > 0) {
            return &table[i];
        }
    }
    return NULL;
}

void p2_subcommand_command(const struct p2_subcommand *subcommand, char *command, size_t size)
{
    (void)snprintf(command, size, "%s", subcommand->name);
    for (char *at = command; *at != '\0'; at++) {
        *at = *at == ' ' ? '-' : *at;
    }
}
