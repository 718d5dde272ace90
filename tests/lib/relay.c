/* The TCP relay; see the header. A connection has two directions, each with a queue of pieces that
 * wait for their time and one timer for the first of them. */
#include "tests/lib/relay.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Waiting bytes of a direction above which its sender is not read. Chosen: above what a 64 KiB read
 * adds at once, well below what tests send to see back-pressure. */
#define WAITING_MAX (256u << 10)

#define READ_MAX (64u << 10) /* libuv suggests 64 KiB for reads */

#define BACKLOG 128

struct piece {
    struct piece *next;
    uint64_t due_ms;
    size_t size;
    uint8_t data[];
};

/* A write on its way; the bytes are the piece's. */
struct write {
    uv_write_t request;
    struct piece *piece;
    struct direction *direction;
};

struct direction {
    struct p2_relay_conn *conn;
    uv_tcp_t *from;
    uv_tcp_t *to;
    uv_timer_t timer; /* of the first piece */
    struct piece *head;
    struct piece *tail;
    uint64_t last_due_ms;
    uint64_t busy_until_us; /* the bandwidth is taken until then */
    uint64_t stalled_until_ms;
    uint64_t bytes;   /* read so far */
    size_t waiting;   /* bytes in pieces and writes */
    bool has_stalled; /* the stall of the rules is over or going on */
    bool is_reading;
    bool is_at_end; /* the sender has closed */
    bool is_shut;   /* and the receiver was told */
    uv_shutdown_t shutdown;
};

struct p2_relay_conn {
    struct p2_relay_conn *next;
    struct p2_relay_conn *previous;
    struct p2_relay *relay;
    uv_tcp_t client;
    uv_tcp_t target;
    uv_connect_t connect;
    struct direction directions[2]; /* client to target, target to client */
    unsigned open_handles;
    bool is_connected;
    bool is_closing;
};

static void update(struct direction *direction);

/* ---- closing ----------------------------------------------------------------------------------- */

static void check_stopped(struct p2_relay *relay)
{
    if (relay->on_stopped != NULL && relay->is_server_closed && relay->conns == NULL) {
        void (*on_stopped)(void *ctx) = relay->on_stopped;
        relay->on_stopped = NULL;
        on_stopped(relay->ctx);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct p2_relay_conn *conn = handle->data;
    if (--conn->open_handles > 0) {
        return;
    }
    struct p2_relay *relay = conn->relay;
    for (size_t i = 0; i < 2; i++) {
        while (conn->directions[i].head != NULL) {
            struct piece *next = conn->directions[i].head->next;
            free(conn->directions[i].head);
            conn->directions[i].head = next;
        }
    }
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        relay->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    free(conn);
    check_stopped(relay);
}

static void conn_close(struct p2_relay_conn *conn, bool reset)
{
    if (conn->is_closing) {
        return;
    }
    conn->is_closing = true;
    uv_tcp_t *sockets[2] = {&conn->client, &conn->target};
    for (size_t i = 0; i < 2; i++) {
        /* libuv refuses a reset after a shutdown; then an ordinary close must do. */
        if (!reset || uv_tcp_close_reset(sockets[i], on_handle_closed) != 0) {
            uv_close((uv_handle_t *)sockets[i], on_handle_closed);
        }
        uv_close((uv_handle_t *)&conn->directions[i].timer, on_handle_closed);
    }
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    struct direction *direction = write->direction;
    direction->waiting -= write->piece->size;
    free(write->piece);
    free(write);
    if (status < 0) {
        conn_close(direction->conn, false);
    } else {
        update(direction);
    }
}

static void write_first(struct direction *direction)
{
    struct piece *piece = direction->head;
    struct write *write = malloc(sizeof *write);
    if (write == NULL) {
        conn_close(direction->conn, true);
        return;
    }
    direction->head = piece->next;
    direction->tail = direction->head != NULL ? direction->tail : NULL;
    write->piece = piece;
    write->direction = direction;
    uv_buf_t buf = uv_buf_init((char *)piece->data, (unsigned)piece->size);
    if (uv_write(&write->request, (uv_stream_t *)direction->to, &buf, 1, on_written) != 0) {
        free(piece);
        free(write);
        conn_close(direction->conn, false);
    }
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct p2_relay_conn *conn = request->data;
    (void)status; /* a peer that is gone needs no end of stream */
    if (conn->directions[0].is_shut && conn->directions[1].is_shut) {
        conn_close(conn, false);
    }
}

static void on_due(uv_timer_t *timer)
{
    struct direction *direction =
        (struct direction *)((uint8_t *)timer - offsetof(struct direction, timer));
    update(direction);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    struct piece *piece = malloc(sizeof *piece + READ_MAX);
    *buf = piece != NULL ? uv_buf_init((char *)piece->data, READ_MAX) : uv_buf_init(NULL, 0);
}

/* When a piece that was read now may go out. */
static uint64_t due_time(struct direction *direction, size_t size)
{
    struct p2_relay *relay = direction->conn->relay;
    const struct p2_relay_rules *rules = &relay->rules;
    uint64_t now_ms = uv_now(relay->loop);
    uint64_t start_us = now_ms * 1000;
    if (rules->bytes_per_s > 0) {
        start_us = direction->busy_until_us > start_us ? direction->busy_until_us : start_us;
        start_us += size * UINT64_C(1000000) / rules->bytes_per_s;
        direction->busy_until_us = start_us;
    }
    uint64_t due_ms = start_us / 1000 + rules->delay_ms +
                      p2_rng_below(&relay->rng, (uint64_t)rules->jitter_ms + 1);
    direction->last_due_ms = due_ms > direction->last_due_ms ? due_ms : direction->last_due_ms;
    return direction->last_due_ms;
}

static void take_piece(struct direction *direction, struct piece *piece, size_t size)
{
    struct p2_relay *relay = direction->conn->relay;
    const struct p2_relay_rules *rules = &relay->rules;
    piece->next = NULL;
    piece->size = size;
    piece->due_ms = due_time(direction, size);
    if (direction->tail != NULL) {
        direction->tail->next = piece;
    } else {
        direction->head = piece;
    }
    direction->tail = piece;
    direction->waiting += size;
    direction->bytes += size;
    if (rules->stall_ms > 0 && !direction->has_stalled &&
        direction->bytes > rules->stall_after_bytes) {
        direction->has_stalled = true;
        direction->stalled_until_ms = uv_now(relay->loop) + rules->stall_ms;
    }
    if (rules->reset_after_bytes > 0 && direction->bytes >= rules->reset_after_bytes) {
        conn_close(direction->conn, true);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct p2_relay_conn *conn = stream->data;
    struct direction *direction = &conn->directions[stream == (uv_stream_t *)&conn->target];
    struct piece *piece = NULL;
    if (buf->base != NULL) {
        piece = (struct piece *)(void *)(buf->base - offsetof(struct piece, data));
    }
    if (size > 0) {
        take_piece(direction, piece, (size_t)size);
        update(direction);
        return;
    }
    free(piece);
    if (size == UV_EOF) {
        direction->is_at_end = true;
        update(direction);
    } else if (size < 0) {
        conn_close(conn, true); /* what one side suffered the other shall see */
    }
}

/* ---- a direction -------------------------------------------------------------------------------- */

static void update_reading(struct direction *direction)
{
    bool wanted = !direction->is_at_end && direction->waiting < WAITING_MAX;
    if (wanted && !direction->is_reading) {
        (void)uv_read_start((uv_stream_t *)direction->from, on_alloc,
                            on_read); /* it is connected */
    } else if (!wanted && direction->is_reading) {
        (void)uv_read_stop((uv_stream_t *)direction->from); /* always succeeds */
    }
    direction->is_reading = wanted;
}

/* Does whatever is possible now: writes what is due, sets the timer for what is not, passes the end
 * on, reads on or stops reading. */
static void update(struct direction *direction)
{
    struct p2_relay_conn *conn = direction->conn;
    struct p2_relay *relay = conn->relay;
    uint64_t now_ms = uv_now(relay->loop);
    while (!conn->is_closing && !relay->is_stalled && direction->head != NULL &&
           direction->head->due_ms <= now_ms && direction->stalled_until_ms <= now_ms) {
        write_first(direction);
    }
    if (conn->is_closing || !conn->is_connected) {
        return;
    }
    if (direction->head != NULL && !relay->is_stalled) {
        uint64_t due_ms = direction->head->due_ms > direction->stalled_until_ms
                              ? direction->head->due_ms
                              : direction->stalled_until_ms;
        (void)uv_timer_start(&direction->timer, on_due, due_ms - now_ms, 0); /* has a callback */
    }
    if (direction->is_at_end && direction->waiting == 0 && !direction->is_shut &&
        !relay->is_stalled) {
        direction->is_shut = true;
        direction->shutdown.data = conn;
        if (uv_shutdown(&direction->shutdown, (uv_stream_t *)direction->to, on_shut) != 0) {
            conn_close(conn, false);
            return;
        }
    }
    update_reading(direction);
}

/* ---- connections ------------------------------------------------------------------------------- */

static void on_connected(uv_connect_t *request, int status)
{
    struct p2_relay_conn *conn = request->data;
    if (conn->is_closing) {
        return;
    }
    if (status < 0) {
        conn_close(conn, true); /* the nearest to "refused" that is left */
        return;
    }
    conn->is_connected = true;
    update(&conn->directions[0]);
    if (!conn->is_closing) {
        update(&conn->directions[1]);
    }
}

static void direction_init(struct direction *direction, struct p2_relay_conn *conn, uv_tcp_t *from,
                           uv_tcp_t *to)
{
    direction->conn = conn;
    direction->from = from;
    direction->to = to;
    (void)uv_timer_init(conn->relay->loop, &direction->timer); /* cannot fail */
    direction->timer.data = conn;
    conn->open_handles++;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct p2_relay *relay = server->data;
    struct p2_relay_conn *conn = status == 0 ? calloc(1, sizeof *conn) : NULL;
    if (conn == NULL) {
        return;
    }
    conn->relay = relay;
    conn->next = relay->conns;
    if (conn->next != NULL) {
        conn->next->previous = conn;
    }
    relay->conns = conn;
    relay->conn_count++;
    uv_tcp_t *sockets[2] = {&conn->client, &conn->target};
    for (size_t i = 0; i < 2; i++) {
        (void)uv_tcp_init(relay->loop, sockets[i]); /* cannot fail without a socket */
        sockets[i]->data = conn;
        conn->open_handles++;
        direction_init(&conn->directions[i], conn, sockets[i], sockets[1 - i]);
    }
    conn->connect.data = conn;
    if (uv_accept(server, (uv_stream_t *)&conn->client) != 0 ||
        uv_tcp_connect(&conn->connect, &conn->target, (const struct sockaddr *)&relay->target,
                       on_connected) != 0) {
        conn_close(conn, false);
        return;
    }
    (void)uv_tcp_nodelay(&conn->client, 1); /* only costs speed when it fails */
    (void)uv_tcp_nodelay(&conn->target, 1);
}

/* ---- the relay --------------------------------------------------------------------------------- */

static void on_server_closed(uv_handle_t *handle)
{
    struct p2_relay *relay = handle->data;
    relay->is_server_closed = true;
    check_stopped(relay);
}

int p2_relay_init(struct p2_relay *relay, uv_loop_t *loop, const struct sockaddr_in *target,
                  const struct p2_relay_rules *rules, uint64_t seed)
{
    struct sockaddr_in address;
    memset(relay, 0, sizeof *relay);
    relay->rules = *rules;
    relay->loop = loop;
    relay->target = *target;
    p2_rng_init_u64(&relay->rng, seed, "relay");
    int error = uv_ip4_addr("127.0.0.1", 0, &address);
    error = error == 0 ? uv_tcp_init(loop, &relay->server) : error;
    if (error != 0) {
        return error;
    }
    relay->server.data = relay;
    error = uv_tcp_bind(&relay->server, (const struct sockaddr *)&address, 0);
    return error == 0 ? uv_listen((uv_stream_t *)&relay->server, BACKLOG, on_connection) : error;
}

uint16_t p2_relay_port(const struct p2_relay *relay)
{
    struct sockaddr_in address;
    int size = sizeof address;
    memset(&address, 0, sizeof address);
    (void)uv_tcp_getsockname(&relay->server, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

/* Calls update on everything: the rules of waiting have changed. */
static void update_all(struct p2_relay *relay)
{
    for (struct p2_relay_conn *conn = relay->conns; conn != NULL; conn = conn->next) {
        for (size_t i = 0; i < 2 && conn->is_connected; i++) {
            update(&conn->directions[i]);
        }
    }
}

void p2_relay_stall(struct p2_relay *relay, bool is_stalled)
{
    relay->is_stalled = is_stalled;
    update_all(relay);
}

void p2_relay_reset(struct p2_relay *relay)
{
    for (struct p2_relay_conn *conn = relay->conns; conn != NULL; conn = conn->next) {
        conn_close(conn, true);
    }
}

void p2_relay_stop(struct p2_relay *relay, void (*on_stopped)(void *ctx), void *ctx)
{
    relay->on_stopped = on_stopped;
    relay->ctx = ctx;
    for (struct p2_relay_conn *conn = relay->conns; conn != NULL; conn = conn->next) {
        conn_close(conn, false);
    }
    uv_close((uv_handle_t *)&relay->server, on_server_closed);
}

/* "word NUMBER" with a number of at most `max`. */
static bool take_number(const char *line, const char *word, uint64_t max, uint64_t *ret_value)
{
    size_t length = strlen(word);
    if (strncmp(line, word, length) != 0 || line[length] != ' ') {
        return false;
    }
    const char *digits = line + length + 1;
    uint64_t value = 0;
    if (*digits == '\0') {
        return false;
    }
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        if (value > (max - (uint64_t)(*digits - '0')) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(*digits - '0');
    }
    if (*digits != '\0') {
        return false;
    }
    *ret_value = value;
    return true;
}

bool p2_relay_command(struct p2_relay *relay, const char *line)
{
    uint64_t value = 0;
    if (take_number(line, "delay", UINT32_MAX, &value)) {
        relay->rules.delay_ms = (uint32_t)value;
    } else if (take_number(line, "jitter", UINT32_MAX, &value)) {
        relay->rules.jitter_ms = (uint32_t)value;
    } else if (take_number(line, "bandwidth", UINT64_MAX / 10, &value)) {
        relay->rules.bytes_per_s = value;
    } else if (strcmp(line, "stall") == 0) {
        p2_relay_stall(relay, true);
    } else if (strcmp(line, "resume") == 0) {
        p2_relay_stall(relay, false);
    } else if (strcmp(line, "reset") == 0) {
        p2_relay_reset(relay);
    } else {
        return false;
    }
    return true;
}
