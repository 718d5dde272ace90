/* `store check`: reads everything and says what is wrong.
 *
 * Two walks: over the pages (pages.h), then over all records: each belongs to a table and version
 * of the schema and has a right checksum. Blocks for as long as reading the file takes and holds
 * a read transaction meanwhile: not on the loop. Thread: any. */
#ifndef P2_STORE_CHECK_H
#define P2_STORE_CHECK_H

#include "store/pages.h"
#include "store/store.h"

struct p2_table_report {
    uint64_t records;
    uint64_t bytes;   /* keys and payloads with their heads */
    uint64_t damaged; /* records with a wrong checksum */
};

struct p2_store_report {
    struct p2_pages_report pages;
    struct p2_table_report tables[P2_SCHEMA_TABLES_MAX]; /* as in the schema */
    uint64_t records;                                    /* with the description of the tables */
    uint64_t damaged;                                    /* wrong checksum, all tables */
    uint64_t unknown;                                    /* of no table of the schema */
};

/* Checks an open store while it is used. P2_E_CORRUPT when anything is wrong; the report is then
 * filled as far as it got and the message names the first damage. Other errors as of reading. */
int p2_store_check(struct p2_store *store, struct p2_store_report *report,
                   struct p2_failure *failure);

/* Checks the pages of the file `path`, which nobody has open for writing, up to `budget` pages. */
int p2_store_check_file(const char *path, uint64_t budget, struct p2_failure *failure);

#endif
