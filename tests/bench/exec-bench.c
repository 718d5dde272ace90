/* What running a task in a locked-down worker costs, against the least that any such worker could
 * cost: a bare process with a memfd and two eventfds, in the same run, interleaved. */
#include "tests/lib/test_pool.h"

#include "exec/lockdown.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS   21u  /* odd, so that a median is one of them */
#define TRIPS    200u /* per round */
#define RESPAWNS 101u
#define SMALL    2000u /* small tasks per round */

/* ---- the floor ----------------------------------------------------------------------------- */

struct bare {
    uint8_t *map; /* input, then output */
    int wake, done;
    pid_t pid;
};

static int bare_start(struct bare *bare, size_t size)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);
    bare->wake = eventfd(0, EFD_CLOEXEC);
    bare->done = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || bare->wake < 0 || bare->done < 0 || ftruncate(fd, (off_t)(2 * size)) != 0) {
        return -1;
    }
    bare->map = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd); /* the mapping keeps it */
    if (bare->map == MAP_FAILED) {
        return -1;
    }
    bare->pid = fork();
    if (bare->pid != 0) {
        return bare->pid > 0 ? 0 : -1;
    }
    for (;;) {
        uint64_t one = 1;
        if (read(bare->wake, &one, sizeof one) != (ssize_t)sizeof one) {
            _exit(0);
        }
        memcpy(bare->map + size, bare->map, size);
        one = 1;
        if (write(bare->done, &one, sizeof one) != (ssize_t)sizeof one) {
            _exit(0);
        }
    }
}

static double bare_trip(const struct bare *bare, const uint8_t *input, uint8_t *output, size_t size)
{
    uint64_t one = 1, began = uv_hrtime();
    memcpy(bare->map, input, size);
    if (write(bare->wake, &one, sizeof one) != (ssize_t)sizeof one ||
        read(bare->done, &one, sizeof one) != (ssize_t)sizeof one) {
        exit(EXIT_FAILURE);
    }
    memcpy(output, bare->map + size, size);
    return (double)(uv_hrtime() - began) / 1000.0;
}

static void bare_stop(struct bare *bare, size_t size)
{
    (void)kill(bare->pid, SIGKILL); /* our own child, not reaped */
    (void)waitpid(bare->pid, NULL, 0);
    (void)munmap(bare->map, 2 * size);
    (void)close(bare->wake);
    (void)close(bare->done);
}

/* ---- the pool ------------------------------------------------------------------------------ */

struct trip {
    uint8_t *output;
    size_t left; /* tasks not ended */
};

static void on_trip(void *ctx, const struct p2_task_result *result)
{
    struct trip *trip = ctx;
    if (result->status != P2_TASK_OK) {
        (void)fprintf(stderr, "a task ended as %s (%s) after %llu us CPU, %llu us\n",
                      p2_task_status_text(result->status), p2_task_trap_text(result->trap),
                      (unsigned long long)result->cpu_us, (unsigned long long)result->wall_us);
        exit(EXIT_FAILURE);
    }
    if (trip->output != NULL) {
        memcpy(trip->output, result->output.data, result->output.size);
    }
    trip->left--;
}

static double pool_trip(struct p2_test_pool *pool, const uint8_t *input, uint8_t *output,
                        size_t size)
{
    struct trip trip = {output, 1};
    struct p2_exec_task task = {.authority = P2_TEST_AUTHORITY,
                                .kernel = P2_TEST_ECHO,
                                .input = {input, size},
                                .output_capacity = size,
                                .budget_us = 5000,
                                .done = on_trip,
                                .ctx = &trip};
    uint64_t began = uv_hrtime();
    if (p2_pool_submit(pool->pool, &task, NULL) != P2_OK) {
        exit(EXIT_FAILURE);
    }
    while (trip.left > 0) {
        (void)uv_run(&pool->loop, UV_RUN_ONCE);
    }
    return (double)(uv_hrtime() - began) / 1000.0;
}

static double pool_small(struct p2_test_pool *pool)
{
    struct trip trip = {NULL, SMALL};
    size_t given = 0;
    struct p2_exec_task task = {.authority = P2_TEST_AUTHORITY,
                                .kernel = P2_TEST_ECHO,
                                .input = {(const uint8_t *)"0123456789abcdef", 16},
                                .output_capacity = 16,
                                .budget_us = 100,
                                .done = on_trip,
                                .ctx = &trip};
    uint64_t began = uv_hrtime();
    while (trip.left > 0) {
        while (given < SMALL && p2_pool_submit(pool->pool, &task, NULL) == P2_OK) {
            given++;
        }
        (void)uv_run(&pool->loop, UV_RUN_ONCE);
    }
    return (double)(uv_hrtime() - began) / 1000.0 / SMALL;
}

/* ---- medians ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static void bench_trips(struct p2_test_pool *pool, size_t size, const char *where)
{
    static double bare_us[ROUNDS * TRIPS], pool_us[ROUNDS * TRIPS];
    uint8_t *input = calloc(1, size), *output = calloc(1, size);
    struct bare bare;
    size_t count = 0;
    if (input == NULL || output == NULL || bare_start(&bare, size) != 0) {
        exit(EXIT_FAILURE);
    }
    (void)pool_trip(pool, input, output, size);
    (void)bare_trip(&bare, input, output, size);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < TRIPS; i++) {
            bare_us[count + i] = bare_trip(&bare, input, output, size);
        }
        for (size_t i = 0; i < TRIPS; i++) {
            pool_us[count + i] = pool_trip(pool, input, output, size);
        }
        count += TRIPS;
    }
    double floor_us = median(bare_us, count), ours_us = median(pool_us, count);
    (void)printf("round trip %6zu B each way, %s: pool %6.2f us (p99 %6.2f), bare %6.2f us "
                 "(p99 %6.2f), ratio %.2f\n",
                 size, where, ours_us, pool_us[count * 99 / 100], floor_us,
                 bare_us[count * 99 / 100], ours_us / floor_us);
    bare_stop(&bare, size);
    free(input);
    free(output);
}

static void bench_respawn(struct p2_test_pool *pool)
{
    static double us[RESPAWNS];
    uint8_t deed = P2_MISDEED_NULL_STORE;
    for (size_t i = 0; i < RESPAWNS; i++) {
        struct p2_test_task task;
        p2_test_task_init(&task, P2_TEST_MISDEED, &deed, 1);
        if (p2_test_submit(pool, &task) != P2_OK) {
            exit(EXIT_FAILURE);
        }
        while (task.calls == 0) {
            (void)uv_run(&pool->loop, UV_RUN_ONCE);
        }
        uint64_t began = uv_hrtime();
        if (!p2_test_wait_ready(pool, 1)) {
            exit(EXIT_FAILURE);
        }
        us[i] = (double)(uv_hrtime() - began) / 1000.0;
    }
    double middle = median(us, RESPAWNS);
    (void)printf("respawn after a crash: median %.0f us, p99 %.0f us\n", middle,
                 us[RESPAWNS * 99 / 100]);
}

static bool start(struct p2_test_pool *pool, bool batches)
{
    struct p2_pool_settings settings = p2_test_settings();
    settings.workers = 1;
    settings.batches = batches;
    return p2_test_pool_start(pool, &settings) && p2_test_wait_ready(pool, 1);
}

int main(void)
{
    static double single[ROUNDS], batched[ROUNDS];
    static const size_t sizes[] = {64, 4096, 65536};
    struct p2_test_pool one, many, free_to_move;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (!start(&free_to_move, false)) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        bench_trips(&free_to_move, sizes[i], "any CPU");
    }
    /* Waking another CPU of a virtual machine takes 50 us, and the scheduler decides by chance who
     * of the two has to: on one CPU the costs themselves can be compared. */
    if (!p2_test_pool_stop(&free_to_move) || sched_setaffinity(0, sizeof first, &first) != 0 ||
        !start(&one, false)) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        bench_trips(&one, sizes[i], "one CPU");
    }
    bench_respawn(&one);
    if (!start(&many, true)) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        single[i] = pool_small(&one);
        batched[i] = pool_small(&many);
    }
    double alone_us = median(single, ROUNDS), together_us = median(batched, ROUNDS);
    (void)printf(
        "small tasks, one worker: %.2f us each alone, %.2f us each in batches, gain %.1f\n",
        alone_us, together_us, alone_us / together_us);
    bool clean = p2_test_pool_stop(&one);
    clean = p2_test_pool_stop(&many) && clean;
    return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}
