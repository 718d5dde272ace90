/* Kills a writing process at random instants, thousands of times, on one store.
 *
 *   killer [KILLS] [SEED]
 *
 * The child runs the real writer thread and notes each acknowledged transfer in shared memory. After
 * each SIGKILL the parent opens the store: every acknowledged transfer is there, none twice, the
 * accounts balance, journal and state hash are those of the reference. */
#include "tests/crash/workload.h"

#include "base/crypto.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#ifdef P2_SANITIZED
#define KILLS_DEFAULT 100 /* everything is ten times slower there */
#else
#define KILLS_DEFAULT 2000
#endif

/* Longest life of a child. Chosen: opening takes about 1 ms, a commit 0.3 ms; so kills fall into
 * opening, into the first commits, and into the flow. */
#define LIFE_MAX_US 16000

/* Transfers under way at a time. */
#define AHEAD 16

/* What outlives the child. */
struct shared {
    _Atomic uint64_t submitted, acknowledged;
    _Atomic int mistake; /* an error a batch may not have */
};
static struct shared *shared;
static struct p2_store_writer *writer;
static uint64_t next;

static void on_done(void *ctx, int error, const struct p2_failure *failure);

static void submit_next(void)
{
    atomic_store(&shared->submitted, next);
    if (p2_store_writer_submit(writer, crash_batch(next), on_done, (void *)(uintptr_t)next) !=
        P2_OK) {
        abort();
    }
    next++;
}

static void on_done(void *ctx, int error, const struct p2_failure *failure)
{
    if (error != P2_OK) {
        (void)fprintf(stderr, "transfer %llu: %s\n", (unsigned long long)(uintptr_t)ctx,
                      failure->message);
        atomic_store(&shared->mistake, error);
        return;
    }
    atomic_store(&shared->acknowledged, (uintptr_t)ctx);
    submit_next();
}

static int run_child(const char *folder)
{
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    uv_loop_t loop;
    if (crash_open(&store, folder, &failure) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        atomic_store(&shared->mistake, failure.code);
        return 1;
    }
    struct p2_store_writer_options options = {.store = store, .loop = &loop};
    if (uv_loop_init(&loop) != 0 || p2_store_writer_new(&writer, &options) != P2_OK) {
        return 1;
    }
    next = crash_count(store) + 1;
    for (unsigned i = 0; i < AHEAD; i++) {
        submit_next();
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}

static uint64_t draw(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool kill_once(const char *folder, uint64_t life_us)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(run_child(folder));
    }
    struct timespec life = {.tv_nsec = (long)life_us * 1000};
    (void)nanosleep(&life, NULL); /* the instant is random anyhow: waking early is fine */
    int status = 0;
    if (child < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && atomic_load(&shared->mistake) == 0;
}

static bool verify(const char *folder, uint64_t *ret_count)
{
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    uint64_t count = 0;
    if (crash_open(&store, folder, &failure) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return false;
    }
    bool is_good = crash_verify(store, &count);
    p2_store_close(store);
    if (is_good && (count < atomic_load(&shared->acknowledged) ||
                    (count > 0 && count > atomic_load(&shared->submitted)))) {
        (void)fprintf(stderr, "%llu transfers, but %llu acknowledged of %llu\n",
                      (unsigned long long)count,
                      (unsigned long long)atomic_load(&shared->acknowledged),
                      (unsigned long long)atomic_load(&shared->submitted));
        is_good = false;
    }
    *ret_count = count;
    return is_good;
}

int main(int argc, char **argv)
{
    uint64_t kills = argc > 1 ? strtoull(argv[1], NULL, 10) : KILLS_DEFAULT;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    uint64_t state = seed, count = 0, done = 0;
    if (p2_crypto_init() != P2_OK) {
        return 99;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return 99;
    }
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s/store", p2_test_folder_make());
    (void)printf("seed %llu\n", (unsigned long long)seed);
    while (done < kills) {
        if (!kill_once(folder, draw(&state) % LIFE_MAX_US) || !verify(folder, &count)) {
            (void)printf("FAILED: kill %llu of seed %llu\n", (unsigned long long)done + 1,
                         (unsigned long long)seed);
            break;
        }
        done++;
    }
    p2_test_folder_remove();
    (void)printf("figure: killer: %llu kills, %llu transfers, none lost, none twice\n",
                 (unsigned long long)done, (unsigned long long)count);
    (void)printf("%d passed, %d failed\n", done == kills, done != kills);
    return done == kills && count > 0 ? 0 : 1;
}
