/* --replay: makes a session's state again from its journal, without helpers, and compares hashes. */
#ifndef P2_AUTHORITY_SHELL_REPLAY_H
#define P2_AUTHORITY_SHELL_REPLAY_H

#include "exec/launcher.h"

/* Replays the journal at `path` with the game `module` and prints one line of JSON: frames, hashes
 * compared, the first frame that differs. Results that the journal leaves out are computed in a
 * sandboxed worker. Takes `launcher`. P2_E_CORRUPT when a hash differs or the journal is damaged;
 * errors of loading. Blocks. Thread: the main thread. */
int p2_replay(const char *path, const char *module, struct p2_launcher *launcher,
              struct p2_failure *failure);

#endif
