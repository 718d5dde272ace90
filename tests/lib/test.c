/* The runner of unit tests; see the header. */
#include "tests/lib/test.h"

#include "base/crypto.h"

#include <CUnit/Basic.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ftw.h>
#include <sys/resource.h>

#define EXIT_TROUBLE 99 /* automake: the test itself could not run */

static char folder[PATH_MAX];

static void list_names(const CU_SuiteInfo *suites)
{
    for (const CU_SuiteInfo *suite = suites; suite->pName != NULL; suite++) {
        for (const CU_TestInfo *test = suite->pTests; test->pName != NULL; test++) {
            (void)printf("%s: %s\n", suite->pName, test->pName);
        }
    }
}

static void keep_only(const char *text)
{
    for (CU_pSuite suite = CU_get_registry()->pSuite; suite != NULL; suite = suite->pNext) {
        for (CU_pTest test = suite->pTest; test != NULL; test = test->pNext) {
            if (strstr(test->pName, text) == NULL) {
                (void)CU_set_test_active(test, CU_FALSE);
            }
        }
    }
    CU_set_fail_on_inactive(CU_FALSE);
}

static int run_and_report(void)
{
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_ErrorCode error = CU_basic_run_tests();
    unsigned run = CU_get_number_of_tests_run();
    unsigned failed = CU_get_number_of_tests_failed() + CU_get_number_of_suites_failed();
    (void)printf("\n%u passed, %u failed\n", run - CU_get_number_of_tests_failed(), failed);
    if (error != CUE_SUCCESS || run == 0) {
        return EXIT_TROUBLE;
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int p2_test_main(int argc, char **argv, CU_SuiteInfo *suites)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_names(suites);
        return EXIT_SUCCESS;
    }
    if (p2_crypto_init() != P2_OK || CU_initialize_registry() != CUE_SUCCESS ||
        CU_register_suites(suites) != CUE_SUCCESS) {
        (void)fprintf(stderr, "cannot set up the tests: %s\n", CU_get_error_msg());
        return EXIT_TROUBLE;
    }
    if (argc == 3 && strcmp(argv[1], "--only") == 0) {
        keep_only(argv[2]);
    }
    int status = run_and_report();
    CU_cleanup_registry();
    p2_test_folder_remove();
    return status;
}

const char *p2_test_data_path(const char *name)
{
    static char path[PATH_MAX];
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, sizeof path, "%s/tests/data/%s", top != NULL ? top : P2_SOURCE_DIR, name);
    return path;
}

struct p2_span p2_test_data_read(const char *name)
{
    FILE *file = fopen(p2_test_data_path(name), "rb");
    uint8_t *data = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
    }
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        data = malloc((size_t)size + 1);
    }
    if (data != NULL && fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        data = NULL;
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    if (data == NULL) {
        (void)fprintf(stderr, "cannot read %s\n", p2_test_data_path(name));
        CU_FAIL("test data is missing");
        return p2_span(NULL, 0);
    }
    data[size] = 0;
    return p2_span(data, (size_t)size);
}

const char *p2_test_folder_make(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/p2c2r-test-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        CU_FAIL("cannot make a temporary folder");
        folder[0] = '\0';
    }
    return folder;
}

void p2_test_forbid_descriptors(struct rlimit *ret_old)
{
    int lowest = open("/", O_PATH | O_CLOEXEC);
    CU_ASSERT_FATAL(lowest >= 0 && getrlimit(RLIMIT_NOFILE, ret_old) == 0);
    struct rlimit none = *ret_old;
    none.rlim_cur = (rlim_t)lowest; /* the number of the first one that is free */
    (void)close(lowest);
    CU_ASSERT_FATAL(setrlimit(RLIMIT_NOFILE, &none) == 0);
}

void p2_test_allow_descriptors(const struct rlimit *old)
{
    CU_ASSERT_FATAL(setrlimit(RLIMIT_NOFILE, old) == 0);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void p2_test_folder_remove(void)
{
    if (folder[0] != '\0') {
        (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* best effort */
        folder[0] = '\0';
    }
}

size_t p2_test_unhex(uint8_t *out, const char *hex)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

void p2_test_equal(long long actual, long long expected, const char *what, const char *file,
                   unsigned line)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s is %lld, expected %lld", what, actual, expected);
    (void)CU_assertImplementation(actual == expected, line, text, file, "", CU_FALSE);
}

void p2_test_error(int actual, int expected, const char *what, const char *file, unsigned line)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s is %s (%d), expected %s (%d)", what,
                   p2_error_name(actual), actual, p2_error_name(expected), expected);
    (void)CU_assertImplementation(actual == expected, line, text, file, "", CU_FALSE);
}

void p2_test_bytes(const void *actual, const void *expected, size_t size, const char *what,
                   const char *file, unsigned line)
{
    const uint8_t *a = actual;
    const uint8_t *b = expected;
    size_t at = 0;
    while (at < size && a[at] == b[at]) {
        at++;
    }
    char text[512];
    (void)snprintf(text, sizeof text, "%s differs at byte %zu of %zu", what, at, size);
    (void)CU_assertImplementation(at == size, line, text, file, "", CU_FALSE);
}
