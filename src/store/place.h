/* The folder of a store: who may see it, who has it open, how a new one comes to be.
 *
 * Owner and mode are checked before a byte is believed. `owner.lock` is locked with flock(2), which
 * a SIGKILL releases; LMDB's own lock stays free for tools that only read. A new store is built in
 * the folder `new` and moved out when it is complete and on the disk, so that a power cut never
 * leaves half a store. Thread: the one that opens the store. */
#ifndef P2_STORE_PLACE_H
#define P2_STORE_PLACE_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>

#define P2_PLACE_DATA "data.mdb" /* the names LMDB gives its files */
#define P2_PLACE_LOCK "lock.mdb"
#define P2_PLACE_NEW  "new"
#define P2_PLACE_MINE "owner.lock"

/* Writes folder/name, or folder/sub/name when sub is not NULL. P2_E_INVALID: too long. */
int p2_place_path(char path[PATH_MAX], const char *folder, const char *sub, const char *name);

/* Makes the folder unless `must_exist`, checks it and its files, takes the lock and removes what a
 * crash left in `new`. Gives the lock's descriptor: closing it gives the lock back. Errors as
 * p2_store_open. */
int p2_place_take(const char *folder, bool must_exist, int *ret_lock, bool *ret_is_new,
                  struct p2_failure *failure);

/* Makes the folder `new`. */
int p2_place_begin_new(const char *folder, struct p2_failure *failure);

/* Moves the finished store out of `new` and syncs the folder. */
int p2_place_end_new(const char *folder, struct p2_failure *failure);

/* True when the file system of `folder` has less than a few pages left for us: LMDB reports a
 * short write, which is what a disk that fills up gives, as EIO. */
bool p2_place_is_full(const char *folder);

#endif
