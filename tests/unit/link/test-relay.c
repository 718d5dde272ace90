/* The TCP relay of tests/lib, over loopback: a client talks through it to a server that echoes. All
 * waiting is for events; a deadline ends what hangs. */
#include "tests/lib/relay.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 20000
#define CLIENTS_MAX 40

struct world;

struct client {
    struct world *world;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    size_t sent;
    size_t received;
    uint64_t received_ms; /* of the last bytes */
    int error;            /* libuv's, when the connection ended */
    bool is_wrong;        /* other bytes came than were sent */
    bool is_closed;
};

struct world {
    uv_loop_t loop;
    uv_tcp_t server;
    uv_timer_t deadline;
    struct p2_relay relay;
    struct client clients[CLIENTS_MAX];
    size_t client_count;
    bool is_late;
    bool is_stopped;
    uint8_t *bytes; /* what clients send */
};

/* ---- the server --------------------------------------------------------------------------------- */

struct echo {
    uv_write_t request;
    char *bytes;
};

static void on_echoed(uv_write_t *request, int status)
{
    struct echo *echo = (struct echo *)request;
    (void)status;
    free(echo->bytes);
    free(echo);
}

static void on_free(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_server_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    if (size <= 0) {
        free(buf->base);
        if (size < 0) {
            uv_close((uv_handle_t *)stream, on_free);
        }
        return;
    }
    struct echo *echo = calloc(1, sizeof *echo);
    uv_buf_t out = uv_buf_init(buf->base, (unsigned)size);
    P2_ASSERT(echo != NULL);
    echo->bytes = buf->base;
    P2_ASSERT(uv_write(&echo->request, stream, &out, 1, on_echoed) == 0);
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *tcp = calloc(1, sizeof *tcp);
    P2_ASSERT(status == 0 && tcp != NULL && uv_tcp_init(server->loop, tcp) == 0);
    P2_ASSERT(uv_accept(server, (uv_stream_t *)tcp) == 0);
    P2_ASSERT(uv_read_start((uv_stream_t *)tcp, on_alloc, on_server_read) == 0);
}

/* ---- the clients -------------------------------------------------------------------------------- */

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    client->is_closed = true;
}

static void client_end(struct client *client, int error)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp)) {
        client->error = error;
        uv_close((uv_handle_t *)&client->tcp, on_client_closed);
    }
}

static void on_client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (size > 0) {
        const uint8_t *expected = client->world->bytes + client->received;
        client->is_wrong |= client->received + (size_t)size > client->sent ||
                            memcmp(buf->base, expected, (size_t)size) != 0;
        client->received += (size_t)size;
        client->received_ms = uv_now(stream->loop);
    }
    free(buf->base);
    if (size < 0) {
        client_end(client, (int)size);
    }
}

static void on_client_written(uv_write_t *request, int status)
{
    (void)request;
    (void)status; /* reading tells */
}

static void on_client_connected(uv_connect_t *request, int status)
{
    struct client *client = request->data;
    if (status < 0) {
        client_end(client, status);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)client->world->bytes, (unsigned)client->sent);
    P2_ASSERT(uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_client_read) == 0);
    P2_ASSERT(uv_write(&client->write, (uv_stream_t *)&client->tcp, &buf, 1, on_client_written) ==
              0);
}

/* A client that sends `size` bytes to `port` at once. */
static struct client *client_start(struct world *world, uint16_t port, size_t size)
{
    struct client *client = &world->clients[world->client_count++];
    struct sockaddr_in address;
    client->world = world;
    client->sent = size;
    P2_ASSERT(uv_ip4_addr("127.0.0.1", port, &address) == 0);
    P2_ASSERT(uv_tcp_init(&world->loop, &client->tcp) == 0);
    client->tcp.data = client;
    client->connect.data = client;
    P2_ASSERT(uv_tcp_connect(&client->connect, &client->tcp, (const struct sockaddr *)&address,
                             on_client_connected) == 0);
    return client;
}

/* ---- the world ---------------------------------------------------------------------------------- */

static void on_deadline(uv_timer_t *timer)
{
    struct world *world = timer->data;
    world->is_late = true;
    CU_FAIL("the deadline has passed");
}

static uint16_t server_port(struct world *world)
{
    struct sockaddr_in address;
    int size = sizeof address;
    P2_ASSERT(uv_tcp_getsockname(&world->server, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

static void world_init(struct world *world, const struct p2_relay_rules *rules)
{
    struct sockaddr_in address;
    memset(world, 0, sizeof *world);
    world->bytes = malloc(4u << 20);
    P2_ASSERT(world->bytes != NULL);
    for (size_t i = 0; i < 4u << 20; i++) {
        world->bytes[i] = (uint8_t)(i * 31 + i / 997);
    }
    P2_ASSERT(uv_loop_init(&world->loop) == 0);
    P2_ASSERT(uv_timer_init(&world->loop, &world->deadline) == 0);
    world->deadline.data = world;
    P2_ASSERT(uv_timer_start(&world->deadline, on_deadline, DEADLINE_MS, 0) == 0);
    P2_ASSERT(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    P2_ASSERT(uv_tcp_init(&world->loop, &world->server) == 0);
    P2_ASSERT(uv_tcp_bind(&world->server, (const struct sockaddr *)&address, 0) == 0);
    P2_ASSERT(uv_listen((uv_stream_t *)&world->server, 64, on_connection) == 0);
    P2_ASSERT(uv_ip4_addr("127.0.0.1", server_port(world), &address) == 0);
    P2_ASSERT(p2_relay_init(&world->relay, &world->loop, &address, rules, 1) == 0);
}

static bool is_done(const struct client *client)
{
    return client->received >= client->sent || client->error != 0;
}

static bool all_done(const struct world *world)
{
    for (size_t i = 0; i < world->client_count; i++) {
        if (!is_done(&world->clients[i])) {
            return false;
        }
    }
    return true;
}

static void run_until_done(struct world *world)
{
    while (!world->is_late && !all_done(world)) {
        (void)uv_run(&world->loop, UV_RUN_ONCE);
    }
}

static void on_stopped(void *ctx)
{
    struct world *world = ctx;
    world->is_stopped = true;
}

static void world_free(struct world *world)
{
    for (size_t i = 0; i < world->client_count; i++) {
        client_end(&world->clients[i], 0);
    }
    p2_relay_stop(&world->relay, on_stopped, world);
    uv_close((uv_handle_t *)&world->server, NULL);
    uv_close((uv_handle_t *)&world->deadline, NULL);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    CU_ASSERT(world->is_stopped);
    P2_ASSERT_EQUAL(uv_loop_close(&world->loop), 0);
    free(world->bytes);
}

/* ---- tests -------------------------------------------------------------------------------------- */

static void bytes_pass_unchanged_for_many_connections_at_once(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 2, .jitter_ms = 5};
    world_init(&world, &rules);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        (void)client_start(&world, p2_relay_port(&world.relay), 10000 + i * 1000);
    }
    run_until_done(&world);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        P2_ASSERT_EQUAL(world.clients[i].received, world.clients[i].sent);
        CU_ASSERT_FALSE(world.clients[i].is_wrong);
        P2_ASSERT_EQUAL(world.clients[i].error, 0);
    }
    P2_ASSERT_EQUAL(world.relay.conn_count, CLIENTS_MAX);
    world_free(&world);
}

static void more_than_the_relay_holds_passes_by_back_pressure(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 1};
    world_init(&world, &rules);
    const struct client *client = client_start(&world, p2_relay_port(&world.relay), 4u << 20);
    run_until_done(&world);
    P2_ASSERT_EQUAL(client->received, 4u << 20);
    CU_ASSERT_FALSE(client->is_wrong);
    world_free(&world);
}

/* The time from the start to the last byte of an echo of `size` bytes. */
static uint64_t echo_ms(const struct p2_relay_rules *rules, size_t size)
{
    static struct world world;
    world_init(&world, rules);
    uv_update_time(&world.loop);
    uint64_t start_ms = uv_now(&world.loop);
    const struct client *client = client_start(&world, p2_relay_port(&world.relay), size);
    run_until_done(&world);
    uint64_t took_ms = client->received_ms - start_ms;
    P2_ASSERT_EQUAL(client->received, size);
    CU_ASSERT_FALSE(client->is_wrong);
    world_free(&world);
    return took_ms;
}

static void delay_bandwidth_and_stall_take_their_time(void)
{
    /* Lower bounds only, less one millisecond of libuv's clock per direction: a busy machine may
     * always be slower. */
    static const struct p2_relay_rules delay = {.delay_ms = 30};
    static const struct p2_relay_rules bandwidth = {.bytes_per_s = 1000000};
    static const struct p2_relay_rules stall = {.stall_after_bytes = 10, .stall_ms = 80};
    static const struct p2_relay_rules unused = {.stall_after_bytes = 1000, .stall_ms = 15000};
    CU_ASSERT(echo_ms(&delay, 100) >= 2 * 30 - 2);
    CU_ASSERT(echo_ms(&bandwidth, 100000) >= 100 - 2);
    CU_ASSERT(echo_ms(&stall, 100) >= 2 * 80 - 2);
    CU_ASSERT(echo_ms(&unused, 100) < 15000);
}

static void a_stall_holds_everything_until_it_is_lifted(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 0};
    world_init(&world, &rules);
    CU_ASSERT(p2_relay_command(&world.relay, "stall"));
    const struct client *stalled = client_start(&world, p2_relay_port(&world.relay), 1000);
    while (world.relay.conn_count == 0 && !world.is_late) {
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    /* The clock: ten echoes, one after the other, past the relay. */
    for (size_t i = 0; i < 10; i++) {
        const struct client *direct = client_start(&world, server_port(&world), 1000);
        while (!is_done(direct) && !world.is_late) {
            (void)uv_run(&world.loop, UV_RUN_ONCE);
        }
    }
    P2_ASSERT_EQUAL(stalled->received, 0);
    CU_ASSERT(p2_relay_command(&world.relay, "resume"));
    run_until_done(&world);
    P2_ASSERT_EQUAL(stalled->received, 1000);
    CU_ASSERT_FALSE(stalled->is_wrong);
    world_free(&world);
}

static void a_reset_after_bytes_is_seen_as_a_reset(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.reset_after_bytes = 1000};
    world_init(&world, &rules);
    const struct client *small = client_start(&world, p2_relay_port(&world.relay), 999);
    run_until_done(&world);
    P2_ASSERT_EQUAL(small->error, 0);
    const struct client *large = client_start(&world, p2_relay_port(&world.relay), 1000);
    run_until_done(&world);
    P2_ASSERT_EQUAL(large->error, UV_ECONNRESET);
    P2_ASSERT_EQUAL(large->received, 0);
    world_free(&world);
}

static void a_reset_command_breaks_open_connections_and_not_later_ones(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 0};
    world_init(&world, &rules);
    struct client *client = client_start(&world, p2_relay_port(&world.relay), 10);
    run_until_done(&world);
    client->sent++; /* wait for more, which cannot come */
    CU_ASSERT(p2_relay_command(&world.relay, "reset"));
    run_until_done(&world);
    P2_ASSERT_EQUAL(client->error, UV_ECONNRESET);
    const struct client *later = client_start(&world, p2_relay_port(&world.relay), 10);
    run_until_done(&world);
    P2_ASSERT_EQUAL(later->received, 10);
    world_free(&world);
}

static void a_target_that_refuses_is_a_broken_connection(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 0};
    struct sockaddr_in address;
    struct p2_relay second;
    world_init(&world, &rules);
    /* Port 1 (tcpmux) has had no server on any system for decades. */
    P2_ASSERT(uv_ip4_addr("127.0.0.1", 1, &address) == 0);
    P2_ASSERT(p2_relay_init(&second, &world.loop, &address, &rules, 1) == 0);
    const struct client *client = client_start(&world, p2_relay_port(&second), 10);
    run_until_done(&world);
    CU_ASSERT(client->error == UV_ECONNRESET || client->error == UV_EOF);
    p2_relay_stop(&second, NULL, NULL);
    world_free(&world);
}

static void the_end_of_one_side_reaches_the_other(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 5};
    world_init(&world, &rules);
    struct client *client = client_start(&world, p2_relay_port(&world.relay), 10);
    run_until_done(&world);
    client_end(client, 0);
    while (world.relay.conns != NULL && !world.is_late) { /* closed by both ends' FIN */
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    }
    CU_ASSERT_PTR_NULL(world.relay.conns);
    world_free(&world);
}

static void commands_change_the_rules_and_others_are_refused(void)
{
    static struct world world;
    static const struct p2_relay_rules rules = {.delay_ms = 0};
    static const char *const wrong[] = {"",
                                        "delay",
                                        "delay ",
                                        "delay x",
                                        "delay 1x",
                                        "delay -1",
                                        "delay 4294967296",
                                        "stall 1",
                                        "nonsense",
                                        "bandwidth 99999999999999999999"};
    world_init(&world, &rules);
    CU_ASSERT(p2_relay_command(&world.relay, "delay 4294967295"));
    CU_ASSERT(p2_relay_command(&world.relay, "jitter 7"));
    CU_ASSERT(p2_relay_command(&world.relay, "bandwidth 123456"));
    P2_ASSERT_EQUAL(world.relay.rules.delay_ms, 4294967295);
    P2_ASSERT_EQUAL(world.relay.rules.jitter_ms, 7);
    P2_ASSERT_EQUAL(world.relay.rules.bytes_per_s, 123456);
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        CU_ASSERT_FALSE(p2_relay_command(&world.relay, wrong[i]));
    }
    world_free(&world);
}

static CU_TestInfo tests[] = {
    P2_TEST(bytes_pass_unchanged_for_many_connections_at_once),
    P2_TEST(more_than_the_relay_holds_passes_by_back_pressure),
    P2_TEST(delay_bandwidth_and_stall_take_their_time),
    P2_TEST(a_stall_holds_everything_until_it_is_lifted),
    P2_TEST(a_reset_after_bytes_is_seen_as_a_reset),
    P2_TEST(a_reset_command_breaks_open_connections_and_not_later_ones),
    P2_TEST(a_target_that_refuses_is_a_broken_connection),
    P2_TEST(the_end_of_one_side_reaches_the_other),
    P2_TEST(commands_change_the_rules_and_others_are_refused),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"relay", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
