/* What every unit test binary shares: CUnit suites in, counts and an exit status out.
 *
 * A binary describes its suites with CUnit's CU_SuiteInfo and calls p2_test_main. It prints the
 * failures, then the line "N passed, N failed" that test.sh adds up. `--list` prints the names of
 * the tests, `--only TEXT` runs the tests whose name contains TEXT. */
#ifndef P2_TESTS_LIB_TEST_H
#define P2_TESTS_LIB_TEST_H

#include "base/buf.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>

#include <stddef.h>
#include <stdint.h>

/* A test whose name is the promise it checks: the function's own name, spoken. */
#define P2_TEST(function)   \
    {                       \
#function, function \
    }

/* Runs `suites` (ends with CU_SUITE_INFO_NULL). Returns the process's exit status: 0 when all
 * passed, 1 when one failed, 99 when the tests could not run. */
int p2_test_main(int argc, char **argv, CU_SuiteInfo *suites);

/* The path of a file below tests/data of the source tree, in a static buffer (for one use). */
const char *p2_test_data_path(const char *name);

/* Reads a whole file of tests/data. Gives: free() the data. Fails the test and returns an empty
 * span when it cannot. */
struct p2_span p2_test_data_read(const char *name);

/* A fresh private folder below $TMPDIR, removed with all in it by p2_test_folder_remove. */
const char *p2_test_folder_make(void);
void p2_test_folder_remove(void);

/* From here to p2_test_allow_descriptors the process can make no descriptor. */
struct rlimit;
void p2_test_forbid_descriptors(struct rlimit *ret_old);
void p2_test_allow_descriptors(const struct rlimit *old);

/* Bytes from hex text. Returns the number of bytes; out has room for strlen(hex) / 2. */
size_t p2_test_unhex(uint8_t *out, const char *hex);

/* CU_ASSERT that prints both numbers when they differ. */
#define P2_ASSERT_EQUAL(actual, expected) \
    p2_test_equal((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)
void p2_test_equal(long long actual, long long expected, const char *what, const char *file,
                   unsigned line);

/* CU_ASSERT that prints the error's name: the call must return exactly `expected`. */
#define P2_ASSERT_ERROR(actual, expected) \
    p2_test_error((actual), (expected), #actual, __FILE__, __LINE__)
void p2_test_error(int actual, int expected, const char *what, const char *file, unsigned line);

/* CU_ASSERT on bytes. */
#define P2_ASSERT_BYTES(actual, expected, size) \
    p2_test_bytes((actual), (expected), (size), #actual, __FILE__, __LINE__)
void p2_test_bytes(const void *actual, const void *expected, size_t size, const char *what,
                   const char *file, unsigned line);

#endif
