/* A store in a fresh folder, with two tables, for the unit tests of src/store. */
#ifndef P2_TESTS_UNIT_STORE_FIXTURE_H
#define P2_TESTS_UNIT_STORE_FIXTURE_H

#include "store/check.h"
#include "store/store.h"
#include "store/writer.h"
#include "tests/lib/test.h"

enum { TABLE_A, TABLE_B };
extern const struct p2_table fixture_tables[2];
extern const struct p2_schema fixture_schema;

/* Path of the store in the test's folder, and of a file in it (static buffers). */
const char *fixture_folder(void);
const char *fixture_path(const char *name);

/* Makes the folder and opens a store in it; NULL fails the test. Then again after closing. */
struct p2_store *fixture_open(void);
struct p2_store *fixture_reopen(const struct p2_schema *schema);
void fixture_close(struct p2_store *store);

/* Expects that opening fails with `error` and a message that contains `words`. */
void fixture_refuses(const struct p2_store_options *options, int error, const char *words);
struct p2_store_options fixture_options(void);

/* One record in a transaction of its own. */
int fixture_put(struct p2_store *store, int table, uint64_t key, const void *bytes, size_t size);

/* True when the record holds just these bytes. */
bool fixture_holds(struct p2_store *store, int table, uint64_t key, const void *bytes, size_t size);

/* `size` bytes that depend on `seed`, static, at most 1 MiB. */
struct p2_span fixture_bytes(uint64_t seed, size_t size);

/* The bytes of a file; gives: free(). */
struct p2_span fixture_read_file(const char *path);
void fixture_write_file(const char *path, struct p2_span bytes);

#endif
