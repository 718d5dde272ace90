/* Opening and closing: the folder, the lock, a new store, the tables. */
#include "store/check.h"
#include "store/pages.h"
#include "store/place.h"
#include "store/store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int validate(const struct p2_store_options *options, struct p2_failure *failure)
{
    if (options->folder == NULL || options->folder[0] == '\0' ||
        strlen(options->folder) >= PATH_MAX) {
        return p2_fail(failure, P2_E_INVALID, "a store needs a folder");
    }
    return p2_schema_validate(options->schema, failure);
}

static struct p2_store *make(const struct p2_store_options *options)
{
    struct p2_store *store = calloc(1, sizeof *store);
    if (store == NULL || pthread_rwlock_init(&store->gate, NULL) != 0) {
        free(store);
        return NULL;
    }
    size_t map =
        options->map_initial_bytes != 0 ? options->map_initial_bytes : P2_STORE_MAP_INITIAL;
    size_t max = options->map_max_bytes != 0 ? options->map_max_bytes : P2_STORE_MAP_MAX;
    store->lock = -1;
    store->schema = options->schema;
    store->map_max = p2_env_round(max);
    store->map_size = p2_env_round(map < max ? map : max);
    store->readers_max = options->readers_max != 0 ? options->readers_max : P2_STORE_READERS_MAX;
    memcpy(store->folder, options->folder, strlen(options->folder) + 1);
    return store;
}

/* The new store is complete before it gets its name. */
static int make_new(struct p2_store *store, struct p2_failure *failure)
{
    char path[PATH_MAX];
    int error = p2_place_path(path, store->folder, NULL, P2_PLACE_NEW);
    if (error == P2_OK) {
        error = p2_place_begin_new(store->folder, failure);
    }
    if (error != P2_OK) {
        return error;
    }
    error = p2_env_open(store, path, failure);
    if (error == P2_OK) {
        error = p2_schema_apply(store, store->schema, failure);
    }
    p2_env_close(store);
    return error == P2_OK ? p2_place_end_new(store->folder, failure) : error;
}

static int open_old(struct p2_store *store, struct p2_failure *failure)
{
    char path[PATH_MAX];
    int error = p2_place_path(path, store->folder, NULL, P2_PLACE_DATA);
    if (error == P2_OK) {
        /* LMDB believes what it maps: a damaged tree would end the daemon, not the open. */
        error = p2_store_check_file(path, P2_PAGES_OPEN_BUDGET, failure);
    }
    if (error != P2_OK) {
        return error;
    }
    error = p2_env_open(store, store->folder, failure);
    return error == P2_OK ? p2_schema_apply(store, store->schema, failure) : error;
}

int p2_store_open(struct p2_store **ret_store, const struct p2_store_options *options,
                  struct p2_failure *failure)
{
    int error = validate(options, failure);
    if (error != P2_OK) {
        return error;
    }
    struct p2_store *store = make(options);
    if (store == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "%s: out of memory", options->folder);
    }
    bool is_new = false;
    error = p2_place_take(store->folder, options->must_exist, &store->lock, &is_new, failure);
    if (error == P2_OK && is_new) {
        error = make_new(store, failure);
    }
    if (error == P2_OK) {
        error = open_old(store, failure);
    }
    if (error != P2_OK) {
        p2_store_close(store);
        return error;
    }
    *ret_store = store;
    return P2_OK;
}

void p2_store_close(struct p2_store *store)
{
    if (store == NULL) {
        return;
    }
    p2_env_close(store);
    if (store->lock >= 0) {
        (void)close(store->lock); /* gives the lock back */
    }
    (void)pthread_rwlock_destroy(&store->gate); /* nobody holds it: all transactions ended */
    free(store);
}

const struct p2_schema *p2_store_schema(const struct p2_store *store)
{
    return store->schema;
}

const char *p2_store_folder(const struct p2_store *store)
{
    return store->folder;
}
