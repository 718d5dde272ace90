/* The tables of the authority's store. Numbers in keys are big-endian, ids are for ever.
 *
 *   table       id  key                                    payload                     owner
 *   sessions     1  session u64                            records.h                   store
 *   journal      2  session u64, timeline u32, frame u64   head[32], journal.h         store
 *   tails        3  session u64                            session_store.h             store
 *   saves        4  session u64, kind u8, number u64       store/snapshot.h            store
 *   chunks       5  session u64, digest[32]                store/snapshot.h            store
 *   checkpoints  6  session u64, kind u8, number u64,      what a save needs beside    store
 *                   part u16                               the world: session_store.h
 *   players      7  session u64, seat u8                   records.h                   store
 *   helpers      8  key[32]                                records.h                   store
 *   reputations  9  key[32]                                the owner's bytes           trust
 *   bans        10  number u64                             the owner's bytes           trust
 *   ledger      11  number u64                             the owner's bytes           trust
 *   accounts    12  the owner's bytes                      the owner's bytes           trust
 *   receipts    13  helper key[32], sequence u64           the signed receipt          trust
 *   settings    14  name                                   text                        shell
 *   policy      15  the owner's bytes                      the owner's bytes           trust
 *
 * Owners whose bytes are not known here write with p2_batch_put and read with p2_txn_get and
 * cursors; each payload carries its own layout version (entry.h), each table its key's. */
#ifndef P2_AUTHORITY_STORE_SCHEMA_H
#define P2_AUTHORITY_STORE_SCHEMA_H

#include "store/schema.h"

enum p2_authority_table {
    P2_TABLE_SESSIONS,
    P2_TABLE_JOURNAL,
    P2_TABLE_TAILS,
    P2_TABLE_SAVES,
    P2_TABLE_CHUNKS,
    P2_TABLE_CHECKPOINTS,
    P2_TABLE_PLAYERS,
    P2_TABLE_HELPERS,
    P2_TABLE_REPUTATIONS,
    P2_TABLE_BANS,
    P2_TABLE_LEDGER,
    P2_TABLE_ACCOUNTS,
    P2_TABLE_RECEIPTS,
    P2_TABLE_SETTINGS,
    P2_TABLE_POLICY,
    P2_AUTHORITY_TABLES /* how many */
};

/* For p2_store_options.schema. Static. */
extern const struct p2_schema p2_authority_schema;

/* One table, for the functions of store.h and writer.h. Static. */
const struct p2_table *p2_authority_table(enum p2_authority_table table);

#endif
