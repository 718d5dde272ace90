/* The tables of a store: declared by their owner, written down in the store, migrated at open.
 *
 * The store holds a description of its tables under the reserved table 0. When a program's
 * table has a higher version than the stored one, its `migrate` runs once per step; all steps of
 * all tables and the new description are one transaction. A store that a newer program wrote is
 * refused. Tables are never renumbered; a table that is no longer used stays in the schema.
 *
 *   description   1 n  program   u8 length, bytes
 *                   2  count     u16
 *                      per table u16 id, u8 version, u8 length, name */
#ifndef P2_STORE_SCHEMA_H
#define P2_STORE_SCHEMA_H

#include "base/buf.h"
#include "base/error.h"

struct p2_store;
struct p2_txn;
struct p2_table;

/* Moves all records of `from` (version n) to `to` (version n + 1) of the same table, leaving none
 * behind. Both borrow from the call. Returns 0 or an error, sticky ones are seen as well. */
typedef int p2_table_migrate_fn(struct p2_txn *txn, const struct p2_table *from,
                                const struct p2_table *to);

/* One table. Static data of its owner. */
struct p2_table {
    const char *name;             /* 1..P2_TABLE_NAME_MAX characters a-z 0-9 _ */
    uint16_t id;                  /* 1..65,535, for ever */
    uint8_t version;              /* 1..255, of the key layout */
    const char *owner;            /* who writes it: the module, for people */
    const char *key_layout;       /* "session u64, entry u64", for people */
    size_t value_max;             /* largest payload in bytes; 0 = P2_STORE_VALUE_MAX */
    p2_table_migrate_fn *migrate; /* NULL while version is 1 */
};

#define P2_TABLE_NAME_MAX    31 /* chosen: a word or two */
#define P2_SCHEMA_TABLES_MAX 64 /* chosen: six times DESIGN 10 */

struct p2_schema {
    const char *program; /* whose store this is: "p2c2r-authority"; as table names plus '-' */
    const struct p2_table *tables;
    size_t table_count; /* 1..P2_SCHEMA_TABLES_MAX */
};

/* Is the declaration itself right? P2_E_INVALID says what is wrong with which table. */
int p2_schema_validate(const struct p2_schema *schema, struct p2_failure *failure);

/* Brings an open store to `schema`: writes the description into an empty store, runs migrations,
 * or refuses (P2_E_CORRUPT not ours or damaged, P2_E_OLD_SCHEMA no migration, P2_E_NEW_SCHEMA). */
int p2_schema_apply(struct p2_store *store, const struct p2_schema *schema,
                    struct p2_failure *failure);

/* The table of that id, or NULL. */
const struct p2_table *p2_schema_find(const struct p2_schema *schema, uint16_t id);

/* Is this key the description's own? */
#define P2_SCHEMA_TABLE_ID 0

#endif
