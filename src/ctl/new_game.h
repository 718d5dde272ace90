/* `p2c2rctl new-game DIR`: a game module to begin with. */
#ifndef P2_CTL_NEW_GAME_H
#define P2_CTL_NEW_GAME_H

#include "base/error.h"

#include <jansson.h>

/* Makes the folder `folder`, which must not exist, and copies the template's files into it. `from` is
 * the template's folder; NULL: the installed one. P2_E_EXIST, P2_E_NOENT, P2_E_IO with a message. A
 * folder half filled is left for the person to look at. */
int p2_new_game(const char *folder, const char *from, struct p2_failure *failure);

/* The subcommand: words are the folder and perhaps the template's. Gives {"folder": ...}. */
int p2_new_game_offline(int count, char **words, json_t **ret_result, struct p2_failure *failure);

#endif
