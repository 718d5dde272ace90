/* Walks the pages of an LMDB file without LMDB, believing nothing.
 *
 * LMDB maps its file and follows what it finds there: a damaged page number or offset ends the
 * process with a signal, or makes it overwrite pages that are in use. This walk checks what LMDB
 * relies on: the meta pages, every branch and leaf page (size, order of keys, offsets), the extent
 * of large values, the list of free pages, and that no page is used twice. It knows LMDB's file
 * format 1 with pointers of 64 bits (lmdb 0.9 mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node); on
 * machines with shorter ones it checks nothing and says so. The payload of records is entry.h's
 * matter. LMDB's meta pages carry no checksum: a damaged commit number there can make the commit
 * before the last one the newest. Thread: reentrant. */
#ifndef P2_STORE_PAGES_H
#define P2_STORE_PAGES_H

#include "base/buf.h"
#include "base/error.h"

/* Pages looked at when a store is opened: stores of a few megabytes are checked whole, larger ones
 * from the root on. Chosen: below 2 ms. */
#define P2_PAGES_OPEN_BUDGET 2048

/* No limit. */
#define P2_PAGES_ALL UINT64_MAX

struct p2_pages_report {
    uint64_t commit;     /* the commit that was looked at */
    uint64_t page_bytes; /* size of a page */
    uint64_t last_page;  /* highest page number ever used */
    uint64_t branches;   /* pages seen of each kind, both trees */
    uint64_t leaves;
    uint64_t overflow;    /* pages of large values */
    uint64_t free_pages;  /* on the list of free pages */
    uint64_t unaccounted; /* neither used nor free, when complete; lost room, no damage */
    uint64_t records;     /* of the tree of records */
    bool is_complete;     /* the budget was enough */
};

/* Checks the commit `commit` of `file` (the bytes of a data.mdb), 0 = the newest. Looks at no more
 * than `budget` pages. P2_E_CORRUPT with what is wrong where; P2_E_NEW_SCHEMA: another file format;
 * P2_E_NOENT: that commit is not there (any more); P2_E_NOMEM. O(pages). */
int p2_pages_check(struct p2_span file, uint64_t commit, uint64_t budget,
                   struct p2_pages_report *ret_report, struct p2_failure *failure);

#endif
