/* What links cost: no allocation per message, secrets in locked pages; and what happens when memory
 * or descriptors run out. */
#include "tests/unit/link/tcp_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY 65534 /* Debian's user without rights */

static struct fixture fixture; /* too large for the stack */
/* ---- counting allocations ---------------------------------------------------------------------- */

#ifndef P2_SANITIZED
/* The program's own malloc family: counts, and forwards to glibc. Every library in the process
 * uses it, libuv included. A sanitizer has its own; then this test is skipped. */
#define EXPORTED __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static unsigned long allocations;
static unsigned refusals_left; /* of calloc */
static uint8_t big[300000];

EXPORTED void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    allocations++;
    if (refusals_left > 0) {
        refusals_left--;
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

EXPORTED void *realloc(void *block, size_t size)
{
    allocations++;
    return __libc_realloc(block, size);
}

/* A hundred small messages, a large one in fragments, and all of it back. */
static void exchange(struct side *server)
{
    int wanted = server->messages + 101;
    for (int i = 0; i < 100; i++) {
        (void)p2_link_send(server->link, P2_MSG_LEASE, p2_span(big, 1000));
    }
    (void)p2_link_send(server->link, P2_MSG_LEASE, p2_span(big, sizeof big));
    while (server->messages < wanted && server->closed == 0) {
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
}

static void a_message_in_steady_state_allocates_nothing(void)
{
    struct side client = {.is_echoing = true};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    for (int i = 0; i < 50; i++) {
        exchange(server);
    }
    /* On a busy machine more may wait at once than ever before, and the pool grows once more: the
     * state is steady when it did not. */
    unsigned long before = 0, made = 1;
    int rounds = 0;
    for (; rounds < 20 && made > 0; rounds++) {
        before = allocations;
        for (int i = 0; i < 200; i++) {
            exchange(server);
        }
        made = allocations - before;
    }
    P2_ASSERT_EQUAL(made, 0);
    P2_ASSERT_EQUAL(server->messages, 1 + (50 + 200 * rounds) * 101);
    CU_ASSERT_TRUE(before > 0); /* the counter is in place */
    (void)printf("\n    %d messages, %lu allocations\n", 200 * 101 * 2, made);
    fixture_stop(&fixture);
}

static bool has_accepted(struct fixture *unused, void *ctx)
{
    (void)unused;
    (void)ctx;
    return p2_tcp_stats(fixture.server).accepted == 1;
}

/* The deadline of the connection, once it is taken, is what ends the wait. */
static void give_up_handshakes(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->handshake_timeout_ms = 200;
}

static void a_connection_that_found_no_memory_is_taken_when_there_is_some(void)
{
    struct raw raw;
    fixture_start(&fixture, give_up_handshakes);
    raw_connect(&fixture, &raw);
    /* When it arrives, and in the turn after; then nothing happens that would wake the loop. */
    refusals_left = 2;
    CU_ASSERT_TRUE(fixture_run(&fixture, has_accepted, NULL));
    raw_close(&raw);
    fixture_stop(&fixture);
}
#else
static void a_connection_that_found_no_memory_is_taken_when_there_is_some(void)
{
    (void)printf("\n    SKIP: a sanitizer has its own malloc\n");
}

static void a_message_in_steady_state_allocates_nothing(void)
{
    (void)printf("\n    SKIP: a sanitizer replaces malloc\n");
}
#endif

/* ---- locked memory ----------------------------------------------------------------------------- */

#ifndef P2_SANITIZED
static void must_lock(struct p2_tcp_options *options, bool is_server)
{
    options->must_lock_secrets = is_server;
}

/* Takes the right to lock memory away until allow_locking. Root may lock without limit, so the test
 * is somebody else meanwhile. */
static void forbid_locking(struct rlimit *old)
{
    struct rlimit none;
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_MEMLOCK, old), 0);
    none = *old;
    none.rlim_cur = 0;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    if (getuid() == 0) {
        CU_ASSERT_EQUAL(seteuid(NOBODY), 0);
    }
}

static void allow_locking(const struct rlimit *old)
{
    if (getuid() == 0) {
        CU_ASSERT_EQUAL(seteuid(0), 0);
    }
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_MEMLOCK, old), 0);
}

#endif

static void keys_of_links_lie_in_locked_memory(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    (void)fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    struct p2_tcp_stats stats = p2_tcp_stats(fixture.server);
    CU_ASSERT_TRUE(stats.locked_bytes + stats.unlocked_bytes == 2 * 65536);
    if (stats.unlocked_bytes > 0) {
        CU_ASSERT_TRUE(fixture.warnings > 0);
    }
    fixture_stop(&fixture);
}

#ifndef P2_SANITIZED
static void without_locked_memory_links_work_and_warn_once(void)
{
    struct rlimit old;
    struct side clients[2] = {{0}, {0}};
    forbid_locking(&old);
    fixture_start(&fixture, NULL);
    (void)fixture_connect(&fixture, &clients[0], P2_CIPHER_CHACHAPOLY);
    (void)fixture_connect(&fixture, &clients[1], P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_EQUAL(fixture.warnings, 2); /* one for each transport */
    CU_ASSERT_TRUE(p2_tcp_stats(fixture.server).unlocked_bytes > 0);
    fixture_stop(&fixture);
    allow_locking(&old);
}

static void a_transport_that_must_lock_refuses_links_without_it(void)
{
    struct rlimit old;
    struct side client = {0};
    forbid_locking(&old);
    fixture_start(&fixture, must_lock);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &client, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.closed, 1));
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_LIMIT), 1);
    fixture_stop(&fixture);
    allow_locking(&old);
}
#else
static void without_locked_memory_links_work_and_warn_once(void)
{
    (void)printf("\n    SKIP: a sanitizer replaces mlock\n");
}

static void a_transport_that_must_lock_refuses_links_without_it(void)
{
    (void)printf("\n    SKIP: a sanitizer replaces mlock\n");
}
#endif

/* ---- descriptors ------------------------------------------------------------------------------- */

static unsigned turns;

static void on_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    turns++;
}

static bool has_hung_up(struct fixture *unused, void *ctx)
{
    struct raw *raw = ctx;
    uint8_t byte;
    (void)unused;
    ssize_t got = recv(raw->fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static void on_moment(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static bool is_true(struct fixture *unused, void *ctx)
{
    (void)unused;
    return *(bool *)ctx;
}

/* The loop sleeps in the next 100 ms: a loop that spins makes thousands of turns. */
static void expect_sleep(void)
{
    uv_prepare_t counter;
    uv_timer_t moment;
    bool has_passed = false;
    (void)uv_prepare_init(&fixture.loop, &counter);
    (void)uv_timer_init(&fixture.loop, &moment);
    (void)uv_prepare_start(&counter, on_turn);
    moment.data = &has_passed;
    (void)uv_timer_start(&moment, on_moment, 100, 0);
    turns = 0;
    CU_ASSERT_TRUE(fixture_run(&fixture, is_true, &has_passed));
    CU_ASSERT_TRUE(turns < 20);
    uv_close((uv_handle_t *)&counter, NULL);
    uv_close((uv_handle_t *)&moment, NULL);
    (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
}

/* With no descriptor left, and libuv's own reserve lost as well when `is_lost`. */
static void connect_without_descriptors(bool is_lost)
{
    struct rlimit old;
    struct raw raws[3], again;
    struct side client = {.is_echoing = true};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    for (unsigned i = 0; i < P2_COUNT_OF(raws); i++) {
        raw_connect(&fixture, &raws[i]);
    }
    if (is_lost) { /* as when another thread opens a file in the moment libuv uses it */
        CU_ASSERT_FATAL(fixture.loop.emfile_fd >= 0);
        (void)close(fixture.loop.emfile_fd);
        fixture.loop.emfile_fd = -1;
    }
    p2_test_forbid_descriptors(&old);
    for (unsigned i = 0; i < P2_COUNT_OF(raws); i++) {
        CU_ASSERT_TRUE(fixture_run(&fixture, has_hung_up, &raws[i]));
    }
    expect_sleep();
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span("task", 4)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->messages, 2)); /* HELLO and the answer */
    p2_test_allow_descriptors(&old);
    raw_connect(&fixture, &again);
    CU_ASSERT_TRUE(raw_handshake(&fixture, &again, &fixture.client_identity));
    raw_close(&again);
    for (unsigned i = 0; i < P2_COUNT_OF(raws); i++) {
        raw_close(&raws[i]);
    }
    fixture_stop(&fixture);
}

static void without_descriptors_connections_are_turned_away_and_links_go_on(void)
{
    connect_without_descriptors(false);
}

static void a_reserve_that_libuv_lost_does_not_stop_the_loop(void)
{
    connect_without_descriptors(true);
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_LIMIT), 1);
}

static CU_TestInfo memory_tests[] = {
    P2_TEST(a_message_in_steady_state_allocates_nothing),
    P2_TEST(a_connection_that_found_no_memory_is_taken_when_there_is_some),
    P2_TEST(keys_of_links_lie_in_locked_memory),
    P2_TEST(without_locked_memory_links_work_and_warn_once),
    P2_TEST(a_transport_that_must_lock_refuses_links_without_it),
    CU_TEST_INFO_NULL};
static CU_TestInfo descriptor_tests[] = {
    P2_TEST(without_descriptors_connections_are_turned_away_and_links_go_on),
    P2_TEST(a_reserve_that_libuv_lost_does_not_stop_the_loop), CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"memory", NULL, NULL, NULL, NULL, memory_tests},
                             {"descriptors", NULL, NULL, NULL, NULL, descriptor_tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
