/* The only file that includes lmdb.h. */
#include "store/store.h"

#include "base/file.h"
#include "store/place.h"
#include "store/store_internal.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---------------------------------------------------------------------------------- */

static int from_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return P2_OK;
    case MDB_NOTFOUND:
        return P2_E_NOENT;
    case MDB_KEYEXIST:
        return P2_E_EXIST;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return P2_E_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return P2_E_NEW_SCHEMA;
    case MDB_MAP_FULL:
        return P2_E_FULL;
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
        return P2_E_LIMIT;
    case MDB_BAD_VALSIZE:
        return P2_E_INVALID;
    case MDB_BAD_TXN:
        return P2_E_BUG;
    case MDB_PANIC:
        return P2_E_IO;
    default:
        return p2_file_error(code);
    }
}

int p2_store_explain(const struct p2_store *store, int error, int system,
                     struct p2_failure *failure)
{
    if (error == P2_E_NODISK) {
        return p2_fail(failure, error,
                       "the disk of %s is full; nothing was written, it works again when there is"
                       " room",
                       store->folder);
    }
    if (error == P2_E_LIMIT && system == MDB_MAP_FULL) {
        return p2_fail(failure, error, "the store %s reached its limit of %zu MiB", store->folder,
                       store->map_max / P2_ENV_UNIT);
    }
    return p2_fail(failure, error, "the store %s: %s (%s)", store->folder, p2_error_text(error),
                   system != 0 ? mdb_strerror(system) : p2_error_name(error));
}

/* ---- environment ----------------------------------------------------------------------------- */

size_t p2_env_round(size_t size)
{
    return size > SIZE_MAX - P2_ENV_UNIT ? size / P2_ENV_UNIT * P2_ENV_UNIT
                                         : (size + P2_ENV_UNIT - 1) / P2_ENV_UNIT * P2_ENV_UNIT;
}

static int open_raw(struct p2_store *store, const char *path)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_envinfo info;
    int dead = 0;
    int code = mdb_env_create(&env);
    if (code == 0) {
        code = mdb_env_set_maxreaders(env, store->readers_max);
    }
    if (code == 0) {
        code = mdb_env_set_mapsize(env, store->map_size);
    }
    if (code == 0) {
        code = mdb_env_open(env, path, MDB_NOTLS, 0600);
    }
    if (code == 0) {
        code = mdb_reader_check(env, &dead);
    }
    if (code == 0) {
        code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    }
    if (code == 0) {
        code = mdb_dbi_open(txn, NULL, 0, &store->tree);
        mdb_txn_abort(txn); /* a handle of the unnamed tree needs no commit */
    }
    if (code == 0 && mdb_env_info(env, &info) == 0) {
        store->map_size = info.me_mapsize; /* a larger file asks for more */
        store->env = env;
        return P2_OK;
    }
    mdb_env_close(env);
    return code;
}

int p2_env_open(struct p2_store *store, const char *path, struct p2_failure *failure)
{
    int code = open_raw(store, path);
    int error = from_lmdb(code);
    if (error == P2_E_CORRUPT || error == P2_E_NEW_SCHEMA) {
        return p2_fail(failure, error, "%s holds no store this program can read (%s)", path,
                       mdb_strerror(code));
    }
    return error == P2_OK ? P2_OK : p2_store_explain(store, error, code, failure);
}

void p2_env_close(struct p2_store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

static void lock_shared(struct p2_store *store)
{
    P2_ASSERT(pthread_rwlock_rdlock(&store->gate) == 0);
}

static void lock_alone(struct p2_store *store)
{
    P2_ASSERT(pthread_rwlock_wrlock(&store->gate) == 0);
}

static void unlock(struct p2_store *store)
{
    P2_ASSERT(pthread_rwlock_unlock(&store->gate) == 0);
}

/* After an error while writing its meta page LMDB refuses to go on until the file is opened anew. */
static int reopen(struct p2_store *store)
{
    lock_alone(store);
    p2_env_close(store);
    int code = open_raw(store, store->folder);
    store->reopenings++;
    unlock(store);
    return code;
}

static int set_map(struct p2_store *store, size_t size)
{
    lock_alone(store);
    size_t before = store->map_size;
    int code = store->env == NULL ? MDB_PANIC : mdb_env_set_mapsize(store->env, size);
    MDB_envinfo info;
    if (code == 0 && mdb_env_info(store->env, &info) == 0) {
        store->map_size = info.me_mapsize;
        store->growths++;
    }
    unlock(store);
    if (code != 0) {
        store->map_size = before;
        (void)reopen(store); /* the old map is gone; the error of the growth is what counts */
    }
    return code;
}

static int grow(struct p2_store *store)
{
    size_t size = store->map_size;
    if (size >= store->map_max) {
        return MDB_MAP_FULL;
    }
    return set_map(store, size > store->map_max / 2 ? store->map_max : 2 * size);
}

/* ---- transactions ------------------------------------------------------------------------------ */

static void fail_system(struct p2_txn *txn, int code)
{
    if (txn->error == P2_OK) {
        txn->error = from_lmdb(code);
        txn->system = code;
    }
}

void p2_txn_fail(struct p2_txn *txn, int error)
{
    if (txn->error == P2_OK) {
        txn->error = error;
    }
}

unsigned p2_store_clear_stale_readers(struct p2_store *store)
{
    int dead = 0;
    lock_shared(store);
    if (store->env != NULL && mdb_reader_check(store->env, &dead) == 0 && dead > 0) {
        (void)__atomic_add_fetch(&store->stale_cleared, (unsigned)dead, __ATOMIC_RELAXED);
    }
    unlock(store);
    return dead > 0 ? (unsigned)dead : 0;
}

/* Begins with the gate held; gives it back on error. */
static int begin(struct p2_txn *txn, unsigned flags)
{
    lock_shared(txn->store);
    int code = txn->store->env == NULL ? MDB_PANIC
                                       : mdb_txn_begin(txn->store->env, NULL, flags, &txn->handle);
    if (code != 0) {
        txn->handle = NULL;
        unlock(txn->store);
    }
    return code;
}

/* Begins; what can be repaired is repaired, once. */
static void begin_repaired(struct p2_txn *txn, struct p2_store *store, bool is_write)
{
    unsigned flags = is_write ? 0 : MDB_RDONLY;
    *txn = (struct p2_txn){.store = store, .is_write = is_write};
    int code = begin(txn, flags);
    if (code == MDB_READERS_FULL) {
        (void)p2_store_clear_stale_readers(store);
        code = begin(txn, flags);
    } else if (code == MDB_MAP_RESIZED) {
        code = set_map(store, 0); /* another process grew it: take its size */
        code = code == 0 ? begin(txn, flags) : code;
    } else if (code == MDB_PANIC && is_write) {
        code = reopen(store);
        code = code == 0 ? begin(txn, flags) : code;
    }
    if (code != 0) {
        fail_system(txn, code);
    }
}

void p2_txn_begin_read(struct p2_txn *txn, struct p2_store *store)
{
    begin_repaired(txn, store, false);
}

static void abort_txn(struct p2_txn *txn)
{
    if (txn->handle != NULL) {
        mdb_txn_abort(txn->handle);
        txn->handle = NULL;
        unlock(txn->store);
    }
}

int p2_txn_end_read(struct p2_txn *txn)
{
    P2_ASSERT(!txn->is_write);
    abort_txn(txn);
    return txn->error;
}

uint64_t p2_txn_number(const struct p2_txn *txn)
{
    return txn->handle != NULL ? mdb_txn_id(txn->handle) : 0;
}

/* Writes the first record over itself, so that a commit happens. */
static int commit_again(struct p2_store *store)
{
    struct p2_txn txn;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    begin_repaired(&txn, store, true);
    int code = txn.handle == NULL ? MDB_PANIC : mdb_cursor_open(txn.handle, store->tree, &cursor);
    if (code == 0) {
        code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        void *copy = code == 0 ? malloc(value.mv_size) : NULL;
        if (copy != NULL) {
            memcpy(copy, value.mv_data, value.mv_size);
            value.mv_data = copy;
            code = mdb_cursor_put(cursor, &key, &value, MDB_CURRENT);
            free(copy);
        } else {
            code = code == 0 ? ENOMEM : code;
        }
        mdb_cursor_close(cursor);
    }
    if (code == 0) {
        code = mdb_txn_commit(txn.handle);
        txn.handle = NULL;
        unlock(store);
    }
    abort_txn(&txn);
    return code;
}

/* A commit failed with `code`. When it failed while its meta page was written, the page may have
 * reached the file: then the next commit decides. LMDB syncs all data before it writes the meta
 * page, and that of the next commit goes to the other place, so when it succeeds the earlier one is
 * durable as well. Returns 0 when the commit holds after all. */
static int settle_commit(struct p2_store *store, size_t number, int code)
{
    struct p2_txn txn = {.store = store};
    MDB_envinfo info;
    int now = begin(&txn, MDB_RDONLY);
    abort_txn(&txn);
    if (now != MDB_PANIC) {
        return code; /* it failed before the meta page: undone */
    }
    if (reopen(store) != 0 || mdb_env_info(store->env, &info) != 0 || info.me_last_txnid < number) {
        return code;
    }
    return commit_again(store);
}

static int end_write(struct p2_txn *txn)
{
    struct p2_store *store = txn->store;
    if (txn->error != P2_OK) {
        abort_txn(txn);
        return txn->error;
    }
    size_t number = mdb_txn_id(txn->handle);
    int code = mdb_txn_commit(txn->handle);
    txn->handle = NULL;
    unlock(store);
    if (code != 0 && code != MDB_MAP_FULL) {
        code = settle_commit(store, number, code);
    }
    if (code != 0) {
        fail_system(txn, code == EIO && p2_place_is_full(store->folder) ? ENOSPC : code);
    }
    return txn->error;
}

int p2_store_write(struct p2_store *store, p2_store_write_fn *write, void *ctx,
                   struct p2_failure *failure)
{
    struct p2_txn txn;
    for (;;) {
        begin_repaired(&txn, store, true);
        if (txn.error == P2_OK) {
            p2_txn_fail(&txn, write(&txn, ctx));
        }
        if (end_write(&txn) != P2_E_FULL || txn.system != MDB_MAP_FULL) {
            break;
        }
        int code = grow(store);
        if (code != 0) {
            txn.error = code == MDB_MAP_FULL ? P2_E_LIMIT : from_lmdb(code);
            txn.system = code;
            break;
        }
    }
    return txn.error == P2_OK ? P2_OK : p2_store_explain(store, txn.error, txn.system, failure);
}

/* ---- records ------------------------------------------------------------------------------------ */

static bool make_key(struct p2_txn *txn, struct p2_entry_key *key, MDB_val *ret_val,
                     const struct p2_table *table, struct p2_span own)
{
    if (txn->error != P2_OK) {
        return false;
    }
    int error = p2_entry_key(key, table->id, table->version, own);
    if (error != P2_OK) {
        p2_txn_fail(txn, error);
        return false;
    }
    *ret_val = (MDB_val){.mv_size = key->size, .mv_data = key->bytes};
    return true;
}

static void put(struct p2_txn *txn, const struct p2_table *table, struct p2_span own,
                uint8_t version, struct p2_span payload, unsigned flags)
{
    struct p2_entry_key key;
    MDB_val where, value;
    size_t max = table->value_max != 0 ? table->value_max : P2_STORE_VALUE_MAX;
    P2_ASSERT(txn->is_write);
    if (!make_key(txn, &key, &where, table, own)) {
        return;
    }
    if (payload.size > max) {
        p2_txn_fail(txn, P2_E_INVALID);
        return;
    }
    value = (MDB_val){.mv_size = P2_ENTRY_VALUE_HEAD + payload.size};
    int code = mdb_put(txn->handle, txn->store->tree, &where, &value, flags | MDB_RESERVE);
    if (code != 0) {
        fail_system(txn, code);
        return;
    }
    p2_entry_seal(value.mv_data, p2_span(key.bytes, key.size), version, payload);
}

void p2_txn_put(struct p2_txn *txn, const struct p2_table *table, struct p2_span key,
                uint8_t version, struct p2_span payload)
{
    put(txn, table, key, version, payload, 0);
}

void p2_txn_insert(struct p2_txn *txn, const struct p2_table *table, struct p2_span key,
                   uint8_t version, struct p2_span payload)
{
    put(txn, table, key, version, payload, MDB_NOOVERWRITE);
}

bool p2_txn_delete(struct p2_txn *txn, const struct p2_table *table, struct p2_span own)
{
    struct p2_entry_key key;
    MDB_val where;
    P2_ASSERT(txn->is_write);
    if (!make_key(txn, &key, &where, table, own)) {
        return false;
    }
    int code = mdb_del(txn->handle, txn->store->tree, &where, NULL);
    if (code != 0 && code != MDB_NOTFOUND) {
        fail_system(txn, code);
    }
    return code == 0;
}

size_t p2_txn_delete_prefix(struct p2_txn *txn, const struct p2_table *table, struct p2_span prefix)
{
    struct p2_entry_key low;
    MDB_cursor *cursor = NULL;
    MDB_val where, value;
    size_t count = 0;
    P2_ASSERT(txn->is_write);
    if (!make_key(txn, &low, &where, table, prefix)) {
        return 0;
    }
    int code = mdb_cursor_open(txn->handle, txn->store->tree, &cursor);
    while (code == 0) {
        where = (MDB_val){.mv_size = low.size, .mv_data = low.bytes};
        code = mdb_cursor_get(cursor, &where, &value, MDB_SET_RANGE);
        if (code != 0 || where.mv_size < low.size ||
            memcmp(where.mv_data, low.bytes, low.size) != 0) {
            break;
        }
        code = mdb_cursor_del(cursor, 0);
        count += code == 0;
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    if (code != 0 && code != MDB_NOTFOUND) {
        fail_system(txn, code);
    }
    return count;
}

bool p2_txn_has(struct p2_txn *txn, const struct p2_table *table, struct p2_span own)
{
    struct p2_entry_key key;
    MDB_val where, value;
    if (!make_key(txn, &key, &where, table, own)) {
        return false;
    }
    int code = mdb_get(txn->handle, txn->store->tree, &where, &value);
    if (code != 0 && code != MDB_NOTFOUND) {
        fail_system(txn, code);
    }
    return code == 0;
}

/* Checks a value in the map and copies its payload. */
static bool copy_value(struct p2_txn *txn, struct p2_span key, const MDB_val *value,
                       uint8_t *ret_version, struct p2_buf *buf)
{
    struct p2_span payload;
    uint8_t version;
    int error = p2_entry_open(key, p2_span(value->mv_data, value->mv_size), &version, &payload);
    if (error == P2_OK) {
        p2_buf_clear(buf);
        error = p2_buf_append(buf, payload);
    }
    if (error != P2_OK) {
        p2_txn_fail(txn, error);
        return false;
    }
    if (ret_version != NULL) {
        *ret_version = version;
    }
    return true;
}

bool p2_txn_get(struct p2_txn *txn, const struct p2_table *table, struct p2_span own,
                uint8_t *ret_version, struct p2_buf *buf)
{
    struct p2_entry_key key;
    MDB_val where, value;
    if (!make_key(txn, &key, &where, table, own)) {
        return false;
    }
    int code = mdb_get(txn->handle, txn->store->tree, &where, &value);
    if (code != 0) {
        if (code != MDB_NOTFOUND) {
            fail_system(txn, code);
        }
        return false;
    }
    return copy_value(txn, p2_span(key.bytes, key.size), &value, ret_version, buf);
}

/* ---- cursors ------------------------------------------------------------------------------------ */

void p2_cursor_open(struct p2_cursor *cursor, struct p2_txn *txn, const struct p2_table *table,
                    struct p2_span prefix, enum p2_cursor_order order)
{
    *cursor = (struct p2_cursor){.txn = txn, .order = order};
    p2_buf_init(&cursor->payload, P2_STORE_VALUE_MAX);
    MDB_val unused;
    if (!make_key(txn, &cursor->low, &unused, table, prefix)) {
        return;
    }
    cursor->high = cursor->low;
    if (!p2_entry_key_after(&cursor->high)) {
        cursor->high.size = 0;
    }
    int code = mdb_cursor_open(txn->handle, txn->store->tree, &cursor->handle);
    if (code != 0) {
        fail_system(txn, code);
    }
}

void p2_cursor_range(struct p2_cursor *cursor, struct p2_span first, struct p2_span end)
{
    P2_ASSERT(!cursor->is_started);
    if (cursor->txn->error != P2_OK) {
        return;
    }
    uint16_t table = p2_load_be16(cursor->low.bytes);
    uint8_t version = cursor->low.bytes[2];
    int error = p2_entry_key(&cursor->low, table, version, first);
    if (error == P2_OK && end.size > 0) {
        error = p2_entry_key(&cursor->high, table, version, end);
    }
    if (error != P2_OK) {
        p2_txn_fail(cursor->txn, error);
    }
}

static int compare(const MDB_val *a, const struct p2_entry_key *b)
{
    size_t common = a->mv_size < b->size ? a->mv_size : b->size;
    int order = memcmp(a->mv_data, b->bytes, common);
    return order != 0 ? order : (a->mv_size > b->size) - (a->mv_size < b->size);
}

static int first_record(struct p2_cursor *cursor, MDB_val *key, MDB_val *value)
{
    const struct p2_entry_key *start = cursor->order == P2_CURSOR_UP ? &cursor->low : &cursor->high;
    uint8_t bytes[P2_ENTRY_KEY_MAX];
    if (start->size == 0) {
        return mdb_cursor_get(cursor->handle, key, value, MDB_LAST);
    }
    memcpy(bytes, start->bytes, start->size);
    *key = (MDB_val){.mv_size = start->size, .mv_data = bytes};
    int code = mdb_cursor_get(cursor->handle, key, value, MDB_SET_RANGE);
    if (cursor->order == P2_CURSOR_UP) {
        return code;
    }
    /* The first key behind the range, or none: one step back is the last one of it. */
    return code == 0              ? mdb_cursor_get(cursor->handle, key, value, MDB_PREV)
           : code == MDB_NOTFOUND ? mdb_cursor_get(cursor->handle, key, value, MDB_LAST)
                                  : code;
}

/* Moves by one; false at the end of the range or on error. */
static bool move_cursor(struct p2_cursor *cursor, MDB_val *ret_value)
{
    struct p2_txn *txn = cursor->txn;
    MDB_val key;
    if (txn->error != P2_OK || cursor->handle == NULL) {
        return false;
    }
    int code = !cursor->is_started
                   ? first_record(cursor, &key, ret_value)
                   : mdb_cursor_get(cursor->handle, &key, ret_value,
                                    cursor->order == P2_CURSOR_UP ? MDB_NEXT : MDB_PREV);
    cursor->is_started = true;
    if (code != 0) {
        if (code != MDB_NOTFOUND) {
            fail_system(txn, code);
        }
        return false;
    }
    if (compare(&key, &cursor->low) < 0 ||
        (cursor->high.size > 0 && compare(&key, &cursor->high) >= 0)) {
        return false;
    }
    P2_ASSERT(key.mv_size >= P2_ENTRY_KEY_HEAD && key.mv_size <= P2_ENTRY_KEY_MAX);
    memcpy(cursor->at.bytes, key.mv_data, key.mv_size);
    cursor->at.size = key.mv_size;
    return true;
}

void p2_cursor_skip_damaged(struct p2_cursor *cursor)
{
    cursor->skips_damaged = true;
}

bool p2_cursor_next(struct p2_cursor *cursor, struct p2_entry *ret_entry)
{
    struct p2_txn *txn = cursor->txn;
    MDB_val value;
    while (move_cursor(cursor, &value)) {
        const struct p2_entry_key *at = &cursor->at;
        if (copy_value(txn, p2_span(at->bytes, at->size), &value, &ret_entry->version,
                       &cursor->payload)) {
            ret_entry->key = p2_span(at->bytes + P2_ENTRY_KEY_HEAD, at->size - P2_ENTRY_KEY_HEAD);
            ret_entry->payload = p2_buf_span(&cursor->payload);
            return true;
        }
        if (!cursor->skips_damaged || txn->error != P2_E_CORRUPT) {
            return false;
        }
        txn->error = P2_OK;
        cursor->damaged++;
    }
    return false;
}

void p2_cursor_close(struct p2_cursor *cursor)
{
    if (cursor->handle != NULL) {
        mdb_cursor_close(cursor->handle);
        cursor->handle = NULL;
    }
    p2_buf_free(&cursor->payload);
}

/* ---- the whole store ------------------------------------------------------------------------------ */

static size_t used_bytes(struct p2_store *store, const MDB_envinfo *info)
{
    MDB_stat stat;
    return mdb_env_stat(store->env, &stat) == 0 ? (info->me_last_pgno + 1) * stat.ms_psize : 0;
}

int p2_store_backup(struct p2_store *store, int fd, struct p2_failure *failure)
{
    MDB_envinfo info;
    lock_shared(store);
    size_t need = store->env != NULL && mdb_env_info(store->env, &info) == 0
                      ? used_bytes(store, &info) + P2_STORE_BACKUP_ROOM
                      : 0;
    size_t map = store->map_size;
    unlock(store);
    if (need > map && map < store->map_max) {
        int code = set_map(store, need < store->map_max ? p2_env_round(need) : store->map_max);
        if (code != 0) {
            return p2_store_explain(store, from_lmdb(code), code, failure);
        }
    }
    lock_shared(store);
    int code = store->env == NULL ? MDB_PANIC : mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);
    unlock(store);
    if (code != 0) {
        return p2_fail(failure, from_lmdb(code), "the backup of %s failed: %s", store->folder,
                       mdb_strerror(code));
    }
    return P2_OK;
}

int p2_store_stats(struct p2_store *store, struct p2_store_stats *ret_stats)
{
    MDB_stat tree;
    MDB_envinfo info;
    lock_shared(store);
    int code = store->env == NULL ? MDB_PANIC : mdb_env_stat(store->env, &tree);
    if (code == 0) {
        code = mdb_env_info(store->env, &info);
    }
    if (code == 0) {
        *ret_stats = (struct p2_store_stats){
            .records = tree.ms_entries,
            .page_bytes = tree.ms_psize,
            .tree_pages = tree.ms_branch_pages + tree.ms_leaf_pages + tree.ms_overflow_pages,
            .used_bytes = used_bytes(store, &info),
            .map_bytes = info.me_mapsize,
            .last_commit = info.me_last_txnid,
            .depth = tree.ms_depth,
            .readers = info.me_numreaders,
            .growths = store->growths,
            .reopenings = store->reopenings,
            .stale_cleared = __atomic_load_n(&store->stale_cleared, __ATOMIC_RELAXED),
        };
    }
    unlock(store);
    return from_lmdb(code);
}

int p2_store_file(const struct p2_store *store)
{
    int fd = -1;
    return store->env != NULL && mdb_env_get_fd(store->env, &fd) == 0 ? fd : -1;
}

int p2_txn_walk(struct p2_txn *txn,
                int (*visit)(void *ctx, struct p2_span key, struct p2_span value), void *ctx)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int error = P2_OK;
    if (txn->error != P2_OK) {
        return txn->error;
    }
    int code = mdb_cursor_open(txn->handle, txn->store->tree, &cursor);
    while (code == 0 && error == P2_OK) {
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (code == 0) {
            error = visit(ctx, p2_span(key.mv_data, key.mv_size),
                          p2_span(value.mv_data, value.mv_size));
        }
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    if (code != 0 && code != MDB_NOTFOUND) {
        fail_system(txn, code);
        return txn->error;
    }
    return error;
}
