/* The identity file on a real disk, in a folder of its own. */
#include "link/keyfile.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Magic, version 1, reserved, the seed 01 00 00 ..., and the check value: BLAKE2b-128 of the domain
 * and all before it, computed with Python's hashlib. */
#define GOLDEN_HEX                                                     \
    "50324332524b45590000000100000000"                                 \
    "0100000000000000000000000000000000000000000000000000000000000000" \
    "51930717365f3db09b089f7e2bac034b"

static char path[PATH_MAX];

/* A fresh folder; `path` is a key file in it that does not exist yet. */
static void make_folder(void)
{
    (void)snprintf(path, sizeof path, "%s/key", p2_test_folder_make());
}

static void write_file(const uint8_t *bytes, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && fchmod(fd, mode) == 0);
    (void)close(fd);
}

/* Loading must fail with `error` and a message with the path and `reason` in it. */
static void expect_refusal(int error, const char *reason)
{
    struct p2_identity *identity = NULL;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_keyfile_load(&identity, path, &failure), error);
    CU_ASSERT_PTR_NULL(identity);
    P2_ASSERT_EQUAL(failure.code, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, path));
    if (strstr(failure.message, reason) == NULL) {
        (void)fprintf(stderr, "expected '%s' in: %s\n", reason, failure.message);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, reason));
}

static int count_entries(void)
{
    char folder[PATH_MAX];
    int count = 0;
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - strlen("/key")), path);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

static void the_file_is_the_golden_bytes(void)
{
    uint8_t expected[P2_KEYFILE_BYTES];
    uint8_t bytes[P2_KEYFILE_BYTES];
    static const uint8_t seed[P2_KEY_BYTES] = {1};
    P2_ASSERT_EQUAL(p2_test_unhex(expected, GOLDEN_HEX), P2_KEYFILE_BYTES);
    p2_keyfile_encode(bytes, seed);
    P2_ASSERT_BYTES(bytes, expected, sizeof expected);
}

static void the_first_start_creates_and_later_starts_load_the_same_identity(void)
{
    struct p2_identity *first = NULL;
    struct p2_identity *second = NULL;
    struct stat status;
    make_folder();
    mode_t before = umask(0); /* even then nobody else may read it */
    P2_ASSERT_ERROR(p2_keyfile_open(&first, path, NULL), P2_OK);
    (void)umask(before);
    CU_ASSERT(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
    P2_ASSERT_EQUAL(status.st_size, P2_KEYFILE_BYTES);
    P2_ASSERT_EQUAL(status.st_nlink, 1);
    P2_ASSERT_EQUAL(count_entries(), 1);
    P2_ASSERT_ERROR(p2_keyfile_open(&second, path, NULL), P2_OK);
    CU_ASSERT(first != NULL && second != NULL);
    if (first != NULL && second != NULL) {
        P2_ASSERT_BYTES(first, second, sizeof *first);
        CU_ASSERT_FALSE(p2_secret_is_zero(first->seed, P2_KEY_BYTES));
        CU_ASSERT((first->public_key[31] & 0x80) == 0);
    }
    p2_secret_free(first);
    p2_secret_free(second);
    p2_test_folder_remove();
}

static void two_new_identities_differ(void)
{
    struct p2_identity *identities[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; i++) {
        make_folder();
        P2_ASSERT_ERROR(p2_keyfile_create(&identities[i], path, NULL), P2_OK);
        p2_test_folder_remove();
    }
    CU_ASSERT(memcmp(identities[0], identities[1], sizeof *identities[0]) != 0);
    p2_secret_free(identities[0]);
    p2_secret_free(identities[1]);
}

static void creating_never_replaces_a_file(void)
{
    struct p2_identity *identity = NULL;
    struct p2_failure failure = {0};
    struct stat status;
    make_folder();
    write_file((const uint8_t *)"precious", 8, 0600);
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, path, &failure), P2_E_EXIST);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, path));
    CU_ASSERT_PTR_NULL(identity);
    CU_ASSERT(stat(path, &status) == 0 && status.st_size == 8);
    P2_ASSERT_EQUAL(count_entries(), 1);
    p2_test_folder_remove();
}

static void processes_that_start_at_once_end_with_one_identity(void)
{
    uint8_t keys[4][P2_KEY_BYTES];
    int ends[2];
    make_folder();
    CU_ASSERT(pipe(ends) == 0);
    for (size_t i = 0; i < P2_COUNT_OF(keys); i++) {
        pid_t child = fork();
        if (child == 0) {
            struct p2_identity *identity = NULL;
            uint8_t key[P2_KEY_BYTES] = {0};
            if (p2_keyfile_open(&identity, path, NULL) == P2_OK) {
                memcpy(key, identity->public_key, sizeof key);
            }
            _exit(write(ends[1], key, sizeof key) == (ssize_t)sizeof key ? 0 : 1);
        }
        CU_ASSERT(child > 0);
    }
    (void)close(ends[1]);
    for (size_t i = 0; i < P2_COUNT_OF(keys); i++) {
        CU_ASSERT(read(ends[0], keys[i], P2_KEY_BYTES) == P2_KEY_BYTES);
        P2_ASSERT_BYTES(keys[i], keys[0], P2_KEY_BYTES);
    }
    CU_ASSERT_FALSE(p2_secret_is_zero(keys[0], P2_KEY_BYTES));
    (void)close(ends[0]);
    while (wait(NULL) > 0) {
        continue;
    }
    P2_ASSERT_EQUAL(count_entries(), 1);
    p2_test_folder_remove();
}

static void a_missing_file_or_folder_is_named(void)
{
    struct p2_identity *identity = NULL;
    struct p2_failure failure = {0};
    make_folder();
    expect_refusal(P2_E_NOENT, "No such file");
    (void)snprintf(path + strlen(path), 16, "/no/key");
    P2_ASSERT_ERROR(p2_keyfile_open(&identity, path, &failure), P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "cannot create"));
    p2_test_folder_remove();
}

static void a_path_too_long_for_the_system_is_an_error(void)
{
    struct p2_identity *identity = NULL;
    static char longest[PATH_MAX];
    memset(longest, 'x', sizeof longest - 1);
    for (size_t i = 0; i < sizeof longest - 1; i += 200) {
        longest[i] = '/';
    }
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, longest, NULL), P2_E_IO);
    CU_ASSERT_PTR_NULL(identity);
}

static void a_path_without_a_folder_is_in_the_current_one(void)
{
    char before[PATH_MAX];
    struct p2_identity *identity = NULL;
    make_folder();
    CU_ASSERT_PTR_NOT_NULL(getcwd(before, sizeof before));
    path[strlen(path) - strlen("/key")] = '\0';
    CU_ASSERT(chdir(path) == 0);
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, "key", NULL), P2_OK);
    CU_ASSERT(access("key", R_OK) == 0);
    CU_ASSERT(chdir(before) == 0);
    p2_secret_free(identity);
    p2_test_folder_remove();
}

static void files_others_could_read_or_run_are_refused(void)
{
    static const mode_t bad[] = {0644, 0640, 0604, 0660, 0700, 0610, 0601, 04600, 02600, 01600};
    struct p2_identity *identity = NULL;
    make_folder();
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, path, NULL), P2_OK);
    p2_secret_free(identity);
    for (size_t i = 0; i < P2_COUNT_OF(bad); i++) {
        CU_ASSERT(chmod(path, bad[i]) == 0);
        expect_refusal(P2_E_BAD_MODE, "mode");
    }
    CU_ASSERT(chmod(path, 0400) == 0); /* read-only is fine */
    P2_ASSERT_ERROR(p2_keyfile_load(&identity, path, NULL), P2_OK);
    p2_secret_free(identity);
    p2_test_folder_remove();
}

static void a_file_of_another_user_is_refused(void)
{
    struct p2_identity *identity = NULL;
    make_folder();
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, path, NULL), P2_OK);
    p2_secret_free(identity);
    if (geteuid() == 0) { /* only root can give files away */
        CU_ASSERT(chown(path, 12345, 12345) == 0);
        expect_refusal(P2_E_BAD_MODE, "belongs to user 12345");
    }
    p2_test_folder_remove();
}

static void a_folder_closed_to_this_user_is_named(void)
{
    struct p2_identity *identity = NULL;
    bool is_root = geteuid() == 0;
    make_folder();
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - strlen("/key")), path);
    CU_ASSERT(chmod(folder, 0) == 0);
    CU_ASSERT(!is_root || seteuid(65534) == 0); /* no mode stops root */
    expect_refusal(P2_E_PERM, "Permission denied");
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, path, NULL), P2_E_PERM);
    CU_ASSERT(!is_root || seteuid(0) == 0);
    CU_ASSERT(chmod(folder, 0700) == 0);
    p2_test_folder_remove();
}

/* A write that fails half way: the limit on file sizes stands for a full disk. */
static void a_write_that_fails_leaves_nothing_behind(void)
{
    struct p2_identity *identity = NULL;
    struct rlimit before;
    make_folder();
    CU_ASSERT(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const struct rlimit small = {P2_KEYFILE_BYTES / 2, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    int error = p2_keyfile_create(&identity, path, NULL);
    CU_ASSERT(setrlimit(RLIMIT_FSIZE, &before) == 0);
    (void)signal(SIGXFSZ, handler);
    P2_ASSERT_ERROR(error, P2_E_IO);
    CU_ASSERT_PTR_NULL(identity);
    P2_ASSERT_EQUAL(count_entries(), 0);
    p2_test_folder_remove();
}

#ifndef P2_SANITIZED /* sanitizers need address space of their own */
static void no_memory_for_secrets_is_an_error(void)
{
    struct p2_identity *identity = NULL;
    struct p2_failure failure = {0};
    struct rlimit before;
    make_folder();
    CU_ASSERT(getrlimit(RLIMIT_AS, &before) == 0);
    const struct rlimit none = {0, before.rlim_max};
    CU_ASSERT(setrlimit(RLIMIT_AS, &none) == 0);
    int error = p2_keyfile_create(&identity, path, &failure);
    CU_ASSERT(setrlimit(RLIMIT_AS, &before) == 0);
    P2_ASSERT_ERROR(error, P2_E_NOMEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "RLIMIT_MEMLOCK"));
    P2_ASSERT_EQUAL(count_entries(), 0);
    p2_test_folder_remove();
}
#endif

static void links_folders_and_pipes_are_refused(void)
{
    char target[PATH_MAX + 8];
    struct p2_identity *identity = NULL;
    make_folder();
    (void)snprintf(target, sizeof target, "%s.real", path);
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, target, NULL), P2_OK);
    p2_secret_free(identity);
    CU_ASSERT(symlink(target, path) == 0);
    expect_refusal(P2_E_BAD_MODE, "symbolic link");
    P2_ASSERT_ERROR(p2_keyfile_open(&identity, path, NULL), P2_E_BAD_MODE);
    CU_ASSERT(unlink(path) == 0 && mkdir(path, 0700) == 0);
    expect_refusal(P2_E_BAD_MODE, "not a regular file");
    CU_ASSERT(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    expect_refusal(P2_E_BAD_MODE, "not a regular file");
    p2_test_folder_remove();
}

static void every_flipped_bit_and_every_wrong_size_is_refused(void)
{
    uint8_t bytes[P2_KEYFILE_BYTES + 1] = {0};
    struct p2_identity *identity = NULL;
    make_folder();
    P2_ASSERT_ERROR(p2_keyfile_create(&identity, path, NULL), P2_OK);
    p2_keyfile_encode(bytes, identity->seed);
    p2_secret_free(identity);
    for (size_t bit = 0; bit < P2_KEYFILE_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        write_file(bytes, P2_KEYFILE_BYTES, 0600);
        bool newer = bit / 8 >= 8 && bit / 8 < 12 && bit != 11 * 8;
        expect_refusal(newer ? P2_E_NEW_SCHEMA : P2_E_CORRUPT, newer ? "newer" : "damaged");
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < P2_KEYFILE_BYTES; size++) {
        write_file(bytes, size, 0600);
        expect_refusal(P2_E_CORRUPT, "bytes, not 64");
    }
    write_file(bytes, P2_KEYFILE_BYTES + 1, 0600);
    expect_refusal(P2_E_CORRUPT, "bytes, not 64");
    write_file(bytes, P2_KEYFILE_BYTES, 0600);
    P2_ASSERT_ERROR(p2_keyfile_load(&identity, path, NULL), P2_OK);
    p2_secret_free(identity);
    p2_test_folder_remove();
}

/* A seed whose id has sign bit 1 cannot have been written by us, even with a right check value. */
static void a_seed_no_node_can_have_is_corrupt(void)
{
    uint8_t seed[P2_KEY_BYTES] = {0};
    uint8_t bytes[P2_KEYFILE_BYTES];
    struct p2_identity identity;
    while (p2_identity_from_seed(&identity, seed) == P2_OK) {
        seed[0]++;
    }
    p2_keyfile_encode(bytes, seed);
    P2_ASSERT_ERROR(p2_keyfile_decode(&identity, p2_span(bytes, sizeof bytes)), P2_E_CORRUPT);
}

static void decoding_bytes_of_any_size_is_safe(void)
{
    static const uint8_t seed[P2_KEY_BYTES] = {1};
    uint8_t bytes[P2_KEYFILE_BYTES + 1] = {0};
    struct p2_identity identity;
    p2_keyfile_encode(bytes, seed);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        if (size != P2_KEYFILE_BYTES) {
            P2_ASSERT_ERROR(p2_keyfile_decode(&identity, p2_span(bytes, size)), P2_E_CORRUPT);
            CU_ASSERT(p2_secret_is_zero(&identity, sizeof identity));
        }
    }
}

static CU_TestInfo tests[] = {
    P2_TEST(the_file_is_the_golden_bytes),
    P2_TEST(the_first_start_creates_and_later_starts_load_the_same_identity),
    P2_TEST(two_new_identities_differ),
    P2_TEST(creating_never_replaces_a_file),
    P2_TEST(processes_that_start_at_once_end_with_one_identity),
    P2_TEST(a_missing_file_or_folder_is_named),
    P2_TEST(a_path_too_long_for_the_system_is_an_error),
    P2_TEST(a_path_without_a_folder_is_in_the_current_one),
    P2_TEST(files_others_could_read_or_run_are_refused),
    P2_TEST(a_file_of_another_user_is_refused),
    P2_TEST(a_folder_closed_to_this_user_is_named),
    P2_TEST(a_write_that_fails_leaves_nothing_behind),
#ifndef P2_SANITIZED
    P2_TEST(no_memory_for_secrets_is_an_error),
#endif
    P2_TEST(links_folders_and_pipes_are_refused),
    P2_TEST(every_flipped_bit_and_every_wrong_size_is_refused),
    P2_TEST(a_seed_no_node_can_have_is_corrupt),
    P2_TEST(decoding_bytes_of_any_size_is_safe),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"keyfile", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
