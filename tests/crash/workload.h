/* Work whose result can be checked at any point: transfer n moves an amount that follows from n
 * between two accounts (their sum stays 0), adds entry n to a journal (an insert: a second
 * application fails), and hashes it into the state. After m transfers everything in the store
 * follows from m. */
#ifndef P2_TESTS_CRASH_WORKLOAD_H
#define P2_TESTS_CRASH_WORKLOAD_H

#include "store/check.h"
#include "store/writer.h"

/* Entries the journal keeps. */
#define CRASH_JOURNAL_KEEP 500

/* Opens the store of the workload, with a map so small that it grows. */
int crash_open(struct p2_store **ret_store, const char *folder, struct p2_failure *failure);

/* Transfers in the store; UINT64_MAX when it cannot be read. */
uint64_t crash_count(struct p2_store *store);

/* A batch that is transfer `n`. */
struct p2_batch *crash_batch(uint64_t n);

/* Checks pages, records, balance, journal and state hash. Gives the number of transfers and returns
 * true; false with what is wrong on standard error. */
bool crash_verify(struct p2_store *store, uint64_t *ret_count);

#endif
