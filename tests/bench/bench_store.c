/* Durable commits against bare LMDB commits of the same bytes, and the way back after SIGKILL.
 *
 *   p2c2r-bench store [--quick]
 *
 * Both stores lie in the same file system and take turns commit by commit, so that the disk's moods
 * meet both. Lines: D <tab> what <tab> ours <tab> floor <tab> ratio <tab> bar <tab> verdict. */
#include "tests/bench/bench_store.h"

#include "base/crypto.h"
#include "store/writer.h"
#include "tests/lib/test.h"

#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define ROUNDS      7
#define COMMITS_MAX 400
#define KEYS        64          /* each commit overwrites one of these */
#define FILL_BYTES  (64u << 20) /* of the store that is reopened: the issue's */
#define FILL_VALUE  4096u

static const struct p2_table table = {
    .name = "bench", .id = 1, .version = 1, .owner = "bench", .key_layout = "number u64"};
static const struct p2_schema schema = {
    .program = "p2c2r-bench", .tables = &table, .table_count = 1};

struct floor {
    MDB_env *env;
    MDB_dbi dbi;
};

void bench_store_must(bool is_good, const char *what)
{
    if (!is_good) {
        (void)fprintf(stderr, "p2c2r-bench store: %s failed\n", what);
        exit(99);
    }
}

static struct p2_store *open_ours(const char *folder)
{
    struct p2_store_options options = {.folder = folder, .schema = &schema};
    struct p2_failure failure = {0};
    struct p2_store *store = NULL;
    bench_store_must(p2_store_open(&store, &options, &failure) == P2_OK, failure.message);
    return store;
}

static void open_floor(struct floor *floor, const char *folder)
{
    MDB_txn *txn;
    (void)mkdir(folder, 0700);
    bench_store_must(mdb_env_create(&floor->env) == 0 &&
                         mdb_env_set_mapsize(floor->env, P2_STORE_MAP_INITIAL) == 0 &&
                         mdb_env_open(floor->env, folder, 0, 0600) == 0 &&
                         mdb_txn_begin(floor->env, NULL, 0, &txn) == 0 &&
                         mdb_dbi_open(txn, NULL, 0, &floor->dbi) == 0 && mdb_txn_commit(txn) == 0,
                     "LMDB");
}

static void floor_commit(struct floor *floor, uint64_t number, void *bytes, size_t size)
{
    uint8_t name[8];
    MDB_txn *txn;
    p2_store_be64(name, number);
    MDB_val key = {sizeof name, name}, value = {size, bytes};
    bench_store_must(mdb_txn_begin(floor->env, NULL, 0, &txn) == 0 &&
                         mdb_put(txn, floor->dbi, &key, &value, 0) == 0 && mdb_txn_commit(txn) == 0,
                     "a bare commit");
}

static void on_done(void *ctx, int error, const struct p2_failure *failure)
{
    bench_store_must(error == P2_OK, failure->message);
    *(bool *)ctx = true;
}

/* The whole way of a promise: copied into a batch, committed, told. */
static void our_commit(struct p2_store_writer *writer, uint64_t number, const void *bytes,
                       size_t size)
{
    uint8_t name[8];
    bool is_done = false;
    struct p2_batch *batch = p2_batch_new();
    bench_store_must(batch != NULL, "memory");
    p2_store_be64(name, number);
    p2_batch_put(batch, &table, p2_span(name, sizeof name), 1, p2_span(bytes, size));
    bench_store_must(p2_store_writer_submit(writer, batch, on_done, &is_done) == P2_OK, "submit");
    (void)p2_store_writer_run(writer);
    bench_store_must(is_done, "a completion");
}

static int compare(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

double bench_store_quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)((double)(count - 1) * q)];
}

static double elapsed_us(uint64_t begin)
{
    return (double)(uv_hrtime() - begin) / 1000.0;
}

static void print_line(const char *what, double ours, double floor, double bar)
{
    (void)printf("D\t%s\t%.1f us\t%.1f us\t%.3f\t<= %.2f\t%s\n", what, ours, floor, ours / floor,
                 bar, ours / floor <= bar ? "holds" : "MISSED");
}

static void bench_commits(const char *folder, size_t size, size_t commits)
{
    static double ours[COMMITS_MAX], bare[COMMITS_MAX];
    double our_p50[ROUNDS], bare_p50[ROUNDS], our_p99[ROUNDS], bare_p99[ROUNDS], ratio[ROUNDS];
    char path[4200], what[64];
    struct floor floor;
    struct p2_store_writer *writer = NULL;
    uint8_t *bytes = malloc(size);
    bench_store_must(bytes != NULL, "memory");
    memset(bytes, 0x5a, size);
    (void)snprintf(path, sizeof path, "%s/floor-%zu", folder, size);
    open_floor(&floor, path);
    (void)snprintf(path, sizeof path, "%s/ours-%zu", folder, size);
    struct p2_store *store = open_ours(path);
    struct p2_store_writer_options options = {.store = store};
    bench_store_must(p2_store_writer_new(&writer, &options) == P2_OK, "the writer");
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < commits; i++) {
            bytes[i % size]++;
            uint64_t begin = uv_hrtime();
            our_commit(writer, i % KEYS, bytes, size);
            ours[i] = elapsed_us(begin);
            begin = uv_hrtime();
            floor_commit(&floor, i % KEYS, bytes, size);
            bare[i] = elapsed_us(begin);
        }
        our_p50[round] = bench_store_quantile(ours, commits, 0.5);
        bare_p50[round] = bench_store_quantile(bare, commits, 0.5);
        our_p99[round] = bench_store_quantile(ours, commits, 0.99);
        bare_p99[round] = bench_store_quantile(bare, commits, 0.99);
        ratio[round] = our_p50[round] / bare_p50[round];
    }
    double spread_low = bench_store_quantile(ratio, ROUNDS, 0),
           spread_high = bench_store_quantile(ratio, ROUNDS, 1);
    (void)snprintf(what, sizeof what, "commit of %zu KB, p50", size >> 10);
    print_line(what, bench_store_quantile(our_p50, ROUNDS, 0.5),
               bench_store_quantile(bare_p50, ROUNDS, 0.5), 1.25);
    (void)printf(
        "D\tcommit of %zu KB, p99\t%.1f us\t%.1f us\t%.3f\t-\t-\n", size >> 10,
        bench_store_quantile(our_p99, ROUNDS, 0.5), bench_store_quantile(bare_p99, ROUNDS, 0.5),
        bench_store_quantile(our_p99, ROUNDS, 0.5) / bench_store_quantile(bare_p99, ROUNDS, 0.5));
    (void)printf("D\tcommit of %zu KB, ratio of p50 over %d rounds\t%.3f .. %.3f\t-\t-\t-\t-\n",
                 size >> 10, ROUNDS, spread_low, spread_high);
    p2_store_writer_stop(writer, NULL, NULL);
    p2_store_writer_free(writer);
    p2_store_close(store);
    mdb_env_close(floor.env);
    free(bytes);
}

/* ---- after SIGKILL ------------------------------------------------------------------------------ */

static int fill(struct p2_txn *txn, void *ctx)
{
    static uint8_t bytes[FILL_VALUE];
    for (uint64_t i = 0; i < FILL_BYTES / FILL_VALUE; i++) {
        uint8_t name[8];
        p2_store_be64(name, i);
        p2_store_be64(bytes, i);
        p2_txn_put(txn, &table, p2_span(name, sizeof name), 1, p2_span(bytes, sizeof bytes));
    }
    (void)ctx;
    return txn->error;
}

static int put_small(struct p2_txn *txn, void *ctx)
{
    p2_txn_put(txn, &table, p2_span("small", 5), 1, p2_span(ctx, 8));
    return txn->error;
}

/* A child that commits until it is killed. `ready` tells that it does. */
static void kill_a_writer(const char *path, bool is_ours)
{
    int ready[2];
    char byte = 0;
    bench_store_must(pipe(ready) == 0, "a pipe");
    pid_t child = fork();
    if (child == 0) {
        uint64_t number = 0;
        struct floor floor;
        struct p2_store *store = NULL;
        if (is_ours) {
            store = open_ours(path);
        } else {
            open_floor(&floor, path);
        }
        for (;; number++) {
            if (is_ours) {
                bench_store_must(p2_store_write(store, put_small, &number, NULL) == P2_OK,
                                 "a commit");
            } else {
                floor_commit(&floor, UINT64_MAX, &number, sizeof number);
            }
            if (number == 3) {
                bench_store_must(write(ready[1], &byte, 1) == 1, "a pipe");
            }
        }
    }
    bench_store_must(child > 0 && read(ready[0], &byte, 1) == 1 && kill(child, SIGKILL) == 0 &&
                         waitpid(child, NULL, 0) == child,
                     "killing");
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static double reopen_ours(const char *path)
{
    uint64_t number = 0;
    kill_a_writer(path, true);
    uint64_t begin = uv_hrtime();
    struct p2_store *store = open_ours(path);
    bench_store_must(p2_store_write(store, put_small, &number, NULL) == P2_OK, "the first commit");
    double took = elapsed_us(begin);
    p2_store_close(store);
    return took;
}

static double reopen_floor(const char *path)
{
    uint64_t number = 0;
    struct floor floor;
    kill_a_writer(path, false);
    uint64_t begin = uv_hrtime();
    open_floor(&floor, path);
    floor_commit(&floor, UINT64_MAX, &number, sizeof number);
    double took = elapsed_us(begin);
    mdb_env_close(floor.env);
    return took;
}

static void bench_reopen(const char *folder, size_t rounds)
{
    static double ours[64], bare[64];
    char our_path[4200], bare_path[4200];
    static uint8_t bytes[FILL_VALUE];
    struct floor floor;
    (void)snprintf(our_path, sizeof our_path, "%s/ours-large", folder);
    (void)snprintf(bare_path, sizeof bare_path, "%s/floor-large", folder);
    struct p2_store *store = open_ours(our_path);
    bench_store_must(p2_store_write(store, fill, NULL, NULL) == P2_OK, "filling");
    p2_store_close(store);
    open_floor(&floor, bare_path);
    MDB_txn *txn;
    bench_store_must(mdb_txn_begin(floor.env, NULL, 0, &txn) == 0, "LMDB");
    for (uint64_t i = 0; i < FILL_BYTES / FILL_VALUE; i++) {
        uint8_t name[8];
        p2_store_be64(name, i);
        MDB_val key = {sizeof name, name}, value = {sizeof bytes, bytes};
        bench_store_must(mdb_put(txn, floor.dbi, &key, &value, 0) == 0, "LMDB");
    }
    bench_store_must(mdb_txn_commit(txn) == 0, "LMDB");
    mdb_env_close(floor.env);
    for (size_t i = 0; i < rounds; i++) {
        ours[i] = reopen_ours(our_path);
        bare[i] = reopen_floor(bare_path);
    }
    double p50 = bench_store_quantile(ours, rounds, 0.5), worst = ours[rounds - 1];
    (void)printf("D\tSIGKILL to open + first commit, 64 MB, p50\t%.2f ms\t%.2f ms\t%.2f\t<= 30 ms"
                 "\t%s\n",
                 p50 / 1000, bench_store_quantile(bare, rounds, 0.5) / 1000,
                 p50 / bench_store_quantile(bare, rounds, 0.5), p50 <= 30000 ? "holds" : "MISSED");
    (void)printf("D\tSIGKILL to open + first commit, worst of %zu\t%.2f ms\t%.2f ms\t-\t-\t-\n",
                 rounds, worst / 1000, bare[rounds - 1] / 1000);
}

int bench_store_main(int argc, char **argv)
{
    bool is_quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    if (argc > (is_quick ? 2 : 1)) {
        (void)fputs("Usage: p2c2r-bench store [--quick]; TMPDIR chooses the disk\n", stderr);
        return 2;
    }
    const char *folder = p2_test_folder_make();
    (void)printf("D\twhat\tours\tbare LMDB\tratio\tbar\tverdict\n");
    bench_commits(folder, 4u << 10, is_quick ? 50 : COMMITS_MAX);
    bench_commits(folder, 256u << 10, is_quick ? 20 : COMMITS_MAX / 2);
    bench_reopen(folder, is_quick ? 5 : 21);
    bench_session(folder, is_quick);
    p2_test_folder_remove();
    return 0;
}
