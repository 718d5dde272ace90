/* Lets the n-th write or sync of a store fail, for every n until none is reached any more.
 *
 * A run (this program with --work, under record_writes) opens a store and makes transfers; one that
 * fails is tried again. A transfer that was reported as failed and is there nevertheless makes its
 * repetition fail, one that was acknowledged and is not there makes the next one fail. */
#include "tests/crash/workload.h"

#include "base/crypto.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRANSFERS 16 /* two blobs among them, and a growing map */
#define TRIES     4  /* one operation fails, so the second one must do */
#define RUNS_MAX  1000

/* Exit statuses of a run. */
enum { RUN_GOOD, RUN_BAD, RUN_NOT_OPENED };

static int outcome;

static void on_done(void *ctx, int error, const struct p2_failure *failure)
{
    (void)ctx;
    outcome = error;
    if (error != P2_OK && strlen(failure->message) < 20) {
        outcome = P2_E_BUG; /* no message for a person */
    }
}

static int run_work(const char *folder)
{
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    struct p2_store_writer *writer = NULL;
    uint64_t count = 0;
    if (crash_open(&store, folder, &failure) != P2_OK) {
        /* LMDB calls a short write of its first pages a full disk. */
        bool is_clear = (failure.code == P2_E_IO || failure.code == P2_E_NODISK) &&
                        strlen(failure.message) > 20;
        return is_clear ? RUN_NOT_OPENED : RUN_BAD;
    }
    struct p2_store_writer_options options = {.store = store};
    if (p2_store_writer_new(&writer, &options) != P2_OK) {
        return RUN_BAD;
    }
    for (uint64_t n = 1; n <= TRANSFERS; n++) {
        int tries = 0;
        do {
            if (p2_store_writer_submit(writer, crash_batch(n), on_done, NULL) != P2_OK ||
                !p2_store_writer_run(writer)) {
                return RUN_BAD;
            }
        } while (outcome == P2_E_IO && ++tries < TRIES);
        if (outcome != P2_OK || crash_count(store) != n) {
            (void)fprintf(stderr, "transfer %llu: %s\n", (unsigned long long)n,
                          p2_error_text(outcome));
            return RUN_BAD;
        }
    }
    bool is_good = crash_verify(store, &count) && count == TRANSFERS;
    p2_store_writer_stop(writer, NULL, NULL);
    p2_store_writer_free(writer);
    p2_store_close(store);
    return is_good ? RUN_GOOD : RUN_BAD;
}

static int run_failing(const char *folder, unsigned at, const char *how)
{
    char self[4096], library[4200], number[16];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        return RUN_BAD;
    }
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(library, sizeof library, "%s/record_writes.so", self);
    (void)snprintf(number, sizeof number, "%u", at);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("LD_PRELOAD", library, 1);
        (void)setenv("P2_FAIL_AT", number, 1);
        (void)setenv("P2_FAIL_HOW", how, 1);
        (void)execl("/proc/self/exe", "disk-errors", "--work", folder, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return RUN_BAD;
    }
    return WEXITSTATUS(status);
}

/* After the run, without failures: what was promised is there. */
static bool check_after(const char *folder, int run)
{
    struct p2_store *store = NULL;
    uint64_t count = 0;
    bool is_good = crash_open(&store, folder, NULL) == P2_OK && crash_verify(store, &count) &&
                   count == (run == RUN_GOOD ? TRANSFERS : 0);
    p2_store_close(store);
    return is_good;
}

/* How many operations a run has; 0 when one of the runs failed. */
static unsigned fail_each(const char *how)
{
    unsigned not_opened = 0;
    for (unsigned at = 1; at < RUNS_MAX; at++) {
        char store[4096], mark[4096 + 16];
        (void)snprintf(store, sizeof store, "%s/store", p2_test_folder_make());
        (void)snprintf(mark, sizeof mark, "%s/../reached", store);
        (void)setenv("P2_FAIL_MARK", mark, 1);
        int run = run_failing(store, at, how);
        bool is_good = (run == RUN_GOOD || run == RUN_NOT_OPENED) && check_after(store, run);
        bool was_reached = access(mark, F_OK) == 0;
        p2_test_folder_remove();
        not_opened += run == RUN_NOT_OPENED;
        if (!is_good) {
            (void)printf("FAILED: %s at operation %u (status %d)\n", how, at, run);
            return 0;
        }
        if (!was_reached) {
            (void)printf("figure: disk errors: %s at each of %u operations, %u while opening\n",
                         how, at - 1, not_opened);
            return at - 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
#ifdef P2_SANITIZED
    (void)puts("skipped: a sanitizer must be loaded before any other library");
    (void)argc;
    (void)argv;
    return 77;
#endif
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    if (argc == 3 && strcmp(argv[1], "--work") == 0) {
        return run_work(argv[2]);
    }
    int good = (fail_each("eio") >= TRANSFERS) + (fail_each("short") >= TRANSFERS) +
               (fail_each("late") >= TRANSFERS);
    (void)printf("%d passed, %d failed\n", good, 3 - good);
    return good == 3 ? 0 : 1;
}
