/* Accounts that must balance, written straight through the writer (workload.h). */
#include "tests/crash/killer.h"

#include "tests/crash/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Chosen: opening takes about 1 ms, a commit 0.3 ms on a fast disk. */
#define LIFE_MAX_US 16000

/* Transfers under way at a time. */
#define AHEAD 16

static struct killer_shared *shared;
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

static int run(const char *folder, struct killer_shared *in)
{
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    uv_loop_t loop;
    shared = in;
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

static bool verify(const char *folder, struct killer_shared *in, uint64_t *ret_count)
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
    if (is_good && (count < atomic_load(&in->acknowledged) ||
                    (count > 0 && count > atomic_load(&in->submitted)))) {
        (void)fprintf(stderr, "%llu transfers, but %llu acknowledged of %llu\n",
                      (unsigned long long)count, (unsigned long long)atomic_load(&in->acknowledged),
                      (unsigned long long)atomic_load(&in->submitted));
        is_good = false;
    }
    *ret_count = count;
    return is_good;
}

const struct killer_workload killer_accounts = {"transfers", LIFE_MAX_US, run, verify};
