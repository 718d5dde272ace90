/* The durable store of a daemon: one LMDB environment in one folder.
 *
 *   folder 0700   data.mdb, lock.mdb   LMDB's own, readable by mdb_stat and mdb_dump
 *                 owner.lock           locked while a daemon has the store open
 *
 * All records live in one tree; entry.h has their layout, schema.h the tables. A commit returns
 * when the bytes are on the disk (LMDB's default durability; no other is offered). The map grows by
 * itself: a transaction that does not fit is undone, the map is grown while no transaction is open,
 * and the transaction runs again.
 *
 * Threads: one thread writes (writer.h), any thread reads. A transaction belongs to the thread that
 * began it and never lives across loop turns: an open read keeps LMDB from reusing pages and the
 * map from growing. The store is not used after fork(). LMDB's rules: lmdb.h, "Caveats". */
#ifndef P2_STORE_STORE_H
#define P2_STORE_STORE_H

#include "store/entry.h"
#include "store/schema.h"

#include <stdbool.h>

struct p2_store;
struct MDB_txn;
struct MDB_cursor;

/* Defaults of the map, the store's address space. Chosen: the first is more than a usual store
 * needs in a day, so growing is rare; the second is more than DESIGN 10 keeps. */
#define P2_STORE_MAP_INITIAL ((size_t)256 << 20)
#define P2_STORE_MAP_MAX     (sizeof(size_t) > 4 ? (size_t)1 << 36 : (size_t)1 << 30)

/* Slots for readers of all processes: LMDB's own default. */
#define P2_STORE_READERS_MAX 126

/* Largest payload. Chosen: a chunk of a checkpoint is 64 KiB, a blob at most a megabyte. */
#define P2_STORE_VALUE_MAX ((size_t)16 << 20)

struct p2_store_options {
    const char *folder;             /* borrowed for the call; made when missing, not its parent */
    const struct p2_schema *schema; /* kept until p2_store_close */
    size_t map_initial_bytes;       /* 0 = P2_STORE_MAP_INITIAL; rounded up to 1 MiB */
    size_t map_max_bytes;           /* 0 = P2_STORE_MAP_MAX; never grown above */
    unsigned readers_max;           /* 0 = P2_STORE_READERS_MAX */
    bool must_exist;                /* do not make a store that is missing */
};

/* Opens the store; makes or migrates it when needed. Gives: p2_store_close. The message names what
 * is wrong and the remedy:
 *   P2_E_NOENT      folder or store missing        P2_E_PERM       no right, read-only file system
 *   P2_E_BAD_MODE   owner, mode or kind of folder or file
 *   P2_E_EXIST      another process has it open    P2_E_NODISK     no room
 *   P2_E_CORRUPT    truncated or damaged, not LMDB, not ours
 *   P2_E_OLD_SCHEMA, P2_E_NEW_SCHEMA               P2_E_INVALID    a wrong option or schema
 *   P2_E_IO, P2_E_NOMEM, P2_E_LIMIT
 * A migration happens whole or not at all. Cost: the pages of the tree are read up to a limit
 * (pages.h), nothing is replayed. */
int p2_store_open(struct p2_store **ret_store, const struct p2_store_options *options,
                  struct p2_failure *failure);

/* All transactions must have ended. NULL is ignored. */
void p2_store_close(struct p2_store *store);

const struct p2_schema *p2_store_schema(const struct p2_store *store);

/* The folder, as given. Borrowed until close. */
const char *p2_store_folder(const struct p2_store *store);

/* ---- transactions --------------------------------------------------------------------------- */

/* Errors are sticky: after the first one every call does nothing and the end reports it (the idea
 * of Knot's knot_lmdb). Embedded by value so that a read allocates nothing of ours; fields are
 * private but for `error`. */
struct p2_txn {
    struct p2_store *store;
    struct MDB_txn *handle; /* NULL when it ended */
    int error;              /* 0 or the first P2_E_* */
    int system;             /* the code behind it, of LMDB or errno; 0 = ours */
    bool is_write;
};

/* Begins to read: what was committed last, unchanged by later commits. Stale readers of dead
 * processes are cleared when no slot is free. */
void p2_txn_begin_read(struct p2_txn *txn, struct p2_store *store);

/* Ends a read; returns the sticky error. */
int p2_txn_end_read(struct p2_txn *txn);

/* Runs in a write transaction; writes through `txn` and leaves errors there or returns one. Runs
 * again from the start when the map had to grow, so it changes nothing but `txn`, or only what a
 * second run repeats. */
typedef int p2_store_write_fn(struct p2_txn *txn, void *ctx);

/* Runs `write` in one transaction and commits; returns when the bytes are on the disk. On an error
 * nothing of it is in the store. The error of `write`, or P2_E_NODISK (disk full: works again when
 * there is room), P2_E_LIMIT (map_max_bytes, or more than 128 Ki pages in one transaction), P2_E_IO,
 * P2_E_CORRUPT, P2_E_NOMEM. */
int p2_store_write(struct p2_store *store, p2_store_write_fn *write, void *ctx,
                   struct p2_failure *failure);

/* Sets the sticky error unless one is set. */
void p2_txn_fail(struct p2_txn *txn, int error);

/* Stores a record; an older one of that key is replaced. Own key: P2_STORE_KEY_MAX bytes, payload:
 * the table's value_max; beyond: P2_E_INVALID. Copies. */
void p2_txn_put(struct p2_txn *txn, const struct p2_table *table, struct p2_span key,
                uint8_t version, struct p2_span payload);

/* As p2_txn_put, but P2_E_EXIST when the key is there. */
void p2_txn_insert(struct p2_txn *txn, const struct p2_table *table, struct p2_span key,
                   uint8_t version, struct p2_span payload);

/* Removes a record. False when there was none, or on error. */
bool p2_txn_delete(struct p2_txn *txn, const struct p2_table *table, struct p2_span key);

/* Removes all records whose own key starts with `prefix`; returns how many. */
size_t p2_txn_delete_prefix(struct p2_txn *txn, const struct p2_table *table,
                            struct p2_span prefix);

/* Is there a record? Does not read its value. */
bool p2_txn_has(struct p2_txn *txn, const struct p2_table *table, struct p2_span key);

/* Replaces what is in `buf` by the payload, which is copied. False when there is none (no error),
 * or on error: P2_E_CORRUPT, or those of p2_buf_append. ret_version may be NULL. */
bool p2_txn_get(struct p2_txn *txn, const struct p2_table *table, struct p2_span key,
                uint8_t *ret_version, struct p2_buf *buf);

/* ---- cursors -------------------------------------------------------------------------------- */

/* One record. `key` and `payload` are copies the cursor owns, good until the next call on it. */
struct p2_entry {
    struct p2_span key; /* the table's own */
    struct p2_span payload;
    uint8_t version;
};

enum p2_cursor_order { P2_CURSOR_UP, P2_CURSOR_DOWN };

/* A walk over part of a table; fields are private. */
struct p2_cursor {
    struct p2_txn *txn;
    struct MDB_cursor *handle;
    struct p2_entry_key low;  /* first key of the range */
    struct p2_entry_key high; /* first key behind it; size 0 = none */
    struct p2_entry_key at;   /* copy of the current key */
    struct p2_buf payload;    /* copy of the current payload */
    enum p2_cursor_order order;
    bool is_started;
    bool skips_damaged; /* see p2_cursor_skip_damaged */
    size_t damaged;     /* records that were skipped */
};

/* Starts a walk over the keys that begin with `prefix` (empty: the whole table). The transaction
 * must outlive it and must not change the table meanwhile. Always end it with p2_cursor_close,
 * before the transaction ends. */
void p2_cursor_open(struct p2_cursor *cursor, struct p2_txn *txn, const struct p2_table *table,
                    struct p2_span prefix, enum p2_cursor_order order);

/* Narrows the walk, before its first record, to own keys >= first and, when `end` is not empty,
 * < end. */
void p2_cursor_range(struct p2_cursor *cursor, struct p2_span first, struct p2_span end);

/* Leaves out records with a wrong checksum and counts them in `damaged`, instead of ending the walk
 * with P2_E_CORRUPT: for lists that show what is left. */
void p2_cursor_skip_damaged(struct p2_cursor *cursor);

/* The next record; false at the end, or on error (sticky in the transaction). */
bool p2_cursor_next(struct p2_cursor *cursor, struct p2_entry *ret_entry);

void p2_cursor_close(struct p2_cursor *cursor);

/* ---- the whole store ------------------------------------------------------------------------- */

/* Writes a compact copy as of now to `fd`, which may be a pipe: the bytes of a data.mdb. Other
 * threads read and write meanwhile; for them the map is first given room for
 * P2_STORE_BACKUP_ROOM, for it cannot grow while the copy runs. Blocks for long: not on the loop.
 * P2_E_NODISK, P2_E_IO. The caller syncs and closes. */
#define P2_STORE_BACKUP_ROOM ((size_t)256 << 20) /* chosen: 60 s of the largest journals */
int p2_store_backup(struct p2_store *store, int fd, struct p2_failure *failure);

struct p2_store_stats {
    uint64_t records;       /* in all tables */
    uint64_t page_bytes;    /* size of a page */
    uint64_t tree_pages;    /* branch, leaf and overflow pages in use */
    uint64_t used_bytes;    /* of the file: up to the last page ever used */
    uint64_t map_bytes;     /* address space now */
    uint64_t last_commit;   /* number of the last commit, LMDB's transaction id */
    unsigned depth;         /* of the tree */
    unsigned readers;       /* slots of readers ever used at the same time, all processes */
    unsigned growths;       /* of the map since open */
    unsigned reopenings;    /* after errors of the disk since open */
    unsigned stale_cleared; /* slots of dead readers freed since open */
};
int p2_store_stats(struct p2_store *store, struct p2_store_stats *ret_stats);

/* Frees slots of readers that died; returns how many. Cheap; a daemon calls it once a minute. */
unsigned p2_store_clear_stale_readers(struct p2_store *store);

/* The file's descriptor, for check.h. Borrowed: never close it. */
int p2_store_file(const struct p2_store *store);

/* The number of the commit a read transaction sees. */
uint64_t p2_txn_number(const struct p2_txn *txn);

/* A walk over all records of all tables, raw: for check.h. `visit` borrows key and value; a result
 * other than 0 ends the walk and is returned. */
int p2_txn_walk(struct p2_txn *txn,
                int (*visit)(void *ctx, struct p2_span key, struct p2_span value), void *ctx);

#endif
