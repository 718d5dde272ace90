/* What store.c (LMDB) and open.c (everything around opening) share. */
#ifndef P2_STORE_STORE_INTERNAL_H
#define P2_STORE_STORE_INTERNAL_H

#include "store/store.h"

#include <limits.h>
#include <pthread.h>

/* Maps are multiples of this; larger than every page size. */
#define P2_ENV_UNIT ((size_t)1 << 20)

struct MDB_env;

struct p2_store {
    struct MDB_env *env;   /* NULL when it could not be opened again after an error of the disk */
    unsigned tree;         /* LMDB's handle of the one tree */
    pthread_rwlock_t gate; /* shared: a transaction; alone: the map moves, env is replaced */
    const struct p2_schema *schema;
    char folder[PATH_MAX];
    int lock; /* descriptor of owner.lock */
    size_t map_max;
    size_t map_size; /* guarded by the gate */
    unsigned readers_max;
    unsigned growths, reopenings; /* guarded by the gate */
    unsigned stale_cleared;       /* any thread, atomic */
};

/* Rounds up to whole P2_ENV_UNITs. */
size_t p2_env_round(size_t size);

/* Opens the environment in the folder `path` and sets env, tree and map_size; a message on error. */
int p2_env_open(struct p2_store *store, const char *path, struct p2_failure *failure);

/* Closes it when it is open. */
void p2_env_close(struct p2_store *store);

/* Writes the message for `error`; `system` is the code behind it or 0. Returns `error`. */
int p2_store_explain(const struct p2_store *store, int error, int system,
                     struct p2_failure *failure);

#endif
