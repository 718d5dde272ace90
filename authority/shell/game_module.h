/* Loading a game module: a shared object that exports p2c2r_game_entry (p2c2r/game.h).
 *
 * A module runs with all the rights of the authority, so it is taken only from files that nobody but
 * root and the authority's own user could have written: the file and every folder above it belong to
 * one of the two and are not writable by others (a sticky folder such as /tmp is: nobody but its
 * owner can replace the file in it). The file that was checked is the file that is loaded.
 *
 * Thread: load and unload on the loop; the callbacks belong to the session's thread. */
#ifndef P2_AUTHORITY_SHELL_GAME_MODULE_H
#define P2_AUTHORITY_SHELL_GAME_MODULE_H

#include "base/error.h"
#include "p2c2r/game.h"

struct p2_game_module {
    void *handle;
    int (*entry)(const struct p2c2r_host *host, struct p2c2r_game *ret_game);
    char path[4096];
};

/* Loads a module: a path with a slash, or a name, which is looked up as NAME.so in the installed
 * folder of games. Gives: p2_game_module_free. P2_E_NOENT, P2_E_PERM (owner, mode), P2_E_UNSUPPORTED
 * (not a module), P2_E_NOMEM; `failure` says in words what is wrong and what to do. */
int p2_game_module_load(const char *name, struct p2_failure *failure,
                        struct p2_game_module **ret_module);

/* All of its games must be shut down. Accepts NULL. */
void p2_game_module_free(struct p2_game_module *module);

/* Asks the module for its table and checks it. P2_E_UNSUPPORTED for another ABI, or a table that
 * lacks what must be there, in words. */
int p2_game_module_table(const struct p2_game_module *module, const struct p2c2r_host *host,
                         struct p2c2r_game *ret_game, struct p2_failure *failure);

#endif
