#include "tests/tools/swarm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct swarm swarm;

static bool is_late;

void swarm_begin(const char *program, uint32_t network)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)uv_loop_init(&swarm.loop);
    swarm.program = program;
    swarm.network = network;
    swarm.hang_ms = SWARM_PATIENCE_MS;
}

uint64_t swarm_now_us(void)
{
    return uv_hrtime() / 1000;
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    is_late = true;
}

static bool run(bool (*done)(void *ctx), void *ctx, uint64_t most_ms)
{
    uv_timer_t timer;
    (void)uv_timer_init(&swarm.loop, &timer);
    uv_update_time(&swarm.loop);
    is_late = false;
    (void)uv_timer_start(&timer, on_patience, most_ms, 0);
    while (!(done != NULL && done(ctx)) && !is_late) {
        (void)uv_run(&swarm.loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&swarm.loop, UV_RUN_NOWAIT);
    return !is_late;
}

bool swarm_run_until(bool (*done)(void *ctx), void *ctx)
{
    return run(done, ctx, SWARM_PATIENCE_MS);
}

void swarm_run_for(uint64_t us)
{
    (void)run(NULL, NULL, us / 1000);
}

void swarm_expect(bool is_true, const char *format, ...)
{
    va_list arguments;
    (void)printf("%s: ", is_true ? "ok" : "FAILED");
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
    swarm.failures += !is_true;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t swarm_figure(const char *what, uint64_t *us, size_t n)
{
    if (n == 0) {
        return 0;
    }
    qsort(us, n, sizeof *us, compare);
    uint64_t p95 = us[n * 95 / 100 < n ? n * 95 / 100 : n - 1];
    (void)printf("figure: %s: p50 %.1f ms, p95 %.1f ms, max %.1f ms (%zu)\n", what,
                 (double)us[n / 2] / 1000, (double)p95 / 1000, (double)us[n - 1] / 1000, n);
    return p95;
}

static void on_nodes(struct p2_span list, void *ctx)
{
    (void)ctx;
    memcpy(swarm.stored, list.data, list.size);
    swarm.stored_size = list.size;
}

static void on_down(int error, const char *text, void *ctx)
{
    (void)printf("node %d: %s: %s\n", (int)(intptr_t)ctx, p2_error_name(error), text);
}

bool swarm_open(int i, uint16_t bootstrap, uint32_t restart_ms)
{
    char text[32];
    const char *list[] = {text};
    struct p2_failure failure = {0};
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", bootstrap);
    const struct p2_overlay_dht_config config = {.program = swarm.program,
                                                 .network = swarm.network,
                                                 .bootstrap = list,
                                                 .bootstrap_count = bootstrap != 0,
                                                 .restart_min_ms = restart_ms,
                                                 .hang_ms = swarm.hang_ms,
                                                 .start_ms = SWARM_PATIENCE_MS,
                                                 .on_nodes = on_nodes,
                                                 .on_down = on_down,
                                                 .ctx = (void *)(intptr_t)i};
    if (p2_overlay_dht_open(&swarm.nodes[i], &swarm.loop, &config, &failure) != P2_OK) {
        (void)printf("node %d: %s\n", i, failure.message);
        return false;
    }
    return true;
}

bool swarm_has_port(void *ctx)
{
    return p2_overlay_status(swarm.nodes[*(int *)ctx]).port_v4 != 0;
}

bool swarm_is_connected(void *ctx)
{
    return p2_overlay_status(swarm.nodes[*(int *)ctx]).state == P2_OVERLAY_CONNECTED;
}

static bool are_connected(void *ctx)
{
    (void)ctx;
    int good = 0;
    for (int i = 0; i < swarm.count; i++) {
        good += swarm_is_connected(&i);
    }
    return good == swarm.count;
}

void swarm_connect(int mortals, uint16_t bootstrap)
{
    uint64_t from = swarm_now_us();
    /* Without a bootstrap node the last of ours is one: it stays to the end. */
    if (bootstrap == 0) {
        int last = swarm.count - 1;
        if (!swarm_open(last, 0, 0) || !swarm_run_until(swarm_has_port, &last)) {
            exit(99);
        }
        bootstrap = p2_overlay_status(swarm.nodes[last]).port_v4;
    }
    for (int i = 0; i < swarm.count; i++) {
        if (swarm.nodes[i] == NULL &&
            !swarm_open(i, bootstrap, i < mortals ? 10 * SWARM_PATIENCE_MS : 0)) {
            exit(99);
        }
    }
    swarm_expect(swarm_run_until(are_connected, NULL), "all %d nodes are connected", swarm.count);
    uint64_t took = swarm_now_us() - from;
    (void)swarm_figure("all nodes started and connected", &took, 1);
}

static bool are_down(void *ctx)
{
    int down = 0, *most = ctx;
    for (int i = 0; i < *most; i++) {
        down += p2_overlay_dht_pid(swarm.nodes[i]) == 0;
    }
    return down == *most;
}

void swarm_kill(int count)
{
    for (int i = 0; i < count; i++) {
        (void)kill(p2_overlay_dht_pid(swarm.nodes[i]), SIGKILL);
    }
    swarm_expect(swarm_run_until(are_down, &count), "%d nodes are killed with -9", count);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    swarm.closed++;
}

static bool is_all_closed(void *ctx)
{
    return swarm.closed == *(int *)ctx;
}

int swarm_end(void)
{
    uint64_t from = swarm_now_us();
    int open = 0;
    swarm.closed = 0;
    for (int i = 0; i < swarm.count; i++) {
        if (swarm.nodes[i] != NULL) {
            p2_overlay_close(swarm.nodes[i], on_closed, NULL);
            open++;
        }
    }
    swarm_expect(swarm_run_until(is_all_closed, &open), "all nodes close");
    uint64_t took = swarm_now_us() - from;
    (void)swarm_figure("all nodes closed", &took, 1);
    swarm_expect(uv_loop_close(&swarm.loop) == 0, "the loop is empty");
    return swarm.failures == 0 ? 0 : 1;
}
