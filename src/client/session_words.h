/* From the command line to what p2_play needs: the ID or link, the key, the show, the script.
 * Thread: the main one. */
#ifndef P2_CLIENT_SESSION_WORDS_H
#define P2_CLIENT_SESSION_WORDS_H

#include "base/options.h"
#include "client/play.h"

#include <limits.h>

#define P2_BOOTSTRAP_MAX 16u /* of overlay_dht.h */

/* What the options point to. */
struct p2_session_words {
    char key_path[PATH_MAX];
    struct p2_identity *master; /* owned */
    struct p2_input_script script;
    FILE *hash_log; /* owned */
    const char *bootstrap[P2_BOOTSTRAP_MAX];
};

/* Fills `play` for the command JOIN, and the key for both commands. The ID of "-" is the first line of
 * standard input. An address inside a link is shown and, unless --yes, asked about: P2_E_CANCELLED
 * when the person says no. Other errors come with a message; free in any case. */
int p2_session_words_read(struct p2_session_words *words, const struct p2_options *options,
                          const struct p2_config *config, struct p2_play_options *play,
                          struct p2_failure *failure);
void p2_session_words_free(struct p2_session_words *words);

#endif
