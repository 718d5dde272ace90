/* One process after the other; see the header for the phases. */
#include "overlay/dht_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How often deadlines are looked at. Chosen: a tenth of the shortest that matters in use. */
#define TICK_MS 100

/* Messages taken in one turn of the loop, so that a flood leaves time to others. */
#define READS_PER_TURN 64

enum phase { OFF, STARTING, RUNNING, ENDING };

struct p2_dht_child {
    uv_loop_t *loop;
    uv_timer_t tick;
    uv_process_t process;
    uv_poll_t poll;
    struct p2_dht_child_config config;
    const struct p2_dht_child_events *events;
    void *ctx;
    enum phase phase;
    int fd;           /* our end of the pair, -1: none */
    unsigned open;    /* handles of this process that are not closed */
    bool has_process; /* its exit has not been reported */
    bool has_poll;    /* poll is open */
    bool is_closing;  /* p2_dht_child_close was called */
    bool is_tick_closed;
    uint32_t restarts;
    uint32_t pause_ms;
    uint32_t beat;    /* number of the last BEAT */
    bool is_beat_out; /* it has not been answered */
    uint64_t started_ms;
    uint64_t restart_at_ms;
    uint64_t beat_at_ms; /* when the last was sent or answered */
    uint64_t kill_at_ms; /* ENDING, asked to end */
    uint64_t second_ms;  /* when this second of counting began */
    uint32_t in_second;  /* messages in it */
};

static uint32_t or_default(uint32_t value, uint32_t usual)
{
    return value != 0 ? value : usual;
}

/* ---- the end of a process ----------------------------------------------------------------------- */

static void on_tick_closed(uv_handle_t *handle)
{
    struct p2_dht_child *child = handle->data;
    const struct p2_dht_child_events *events = child->events;
    void *ctx = child->ctx;
    free(child);
    events->on_closed(ctx);
}

/* Everything of the last process is gone. */
static void settle(struct p2_dht_child *child)
{
    child->phase = OFF;
    child->restart_at_ms = uv_now(child->loop) + child->pause_ms;
    if (child->is_closing && !child->is_tick_closed) {
        child->is_tick_closed = true;
        uv_close((uv_handle_t *)&child->tick, on_tick_closed);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct p2_dht_child *child = handle->data;
    child->open--;
    if (child->open == 0) {
        settle(child);
    }
}

static void close_socket(struct p2_dht_child *child)
{
    if (child->has_poll) {
        child->has_poll = false;
        uv_close((uv_handle_t *)&child->poll, on_handle_closed); /* stops it at once */
    }
    if (child->fd >= 0) {
        (void)close(child->fd); /* this also ends a process that still reads */
        child->fd = -1;
    }
}

void p2_dht_child_fail(struct p2_dht_child *child, int error, const char *text)
{
    if (child->phase != STARTING && child->phase != RUNNING) {
        return;
    }
    bool was_good =
        child->phase == RUNNING && uv_now(child->loop) - child->started_ms >= P2_DHT_GOOD_RUN_MS;
    uint32_t first = or_default(child->config.restart_min_ms, P2_DHT_RESTART_MIN_MS);
    uint64_t doubled = (uint64_t)child->pause_ms * 2;
    uint64_t most = first > P2_DHT_RESTART_MAX_MS ? first : P2_DHT_RESTART_MAX_MS;
    child->pause_ms = was_good || child->pause_ms == 0 ? first
                      : doubled < most                 ? (uint32_t)doubled
                                                       : (uint32_t)most;
    child->phase = ENDING;
    child->kill_at_ms = UINT64_MAX;
    if (child->has_process) {
        (void)uv_process_kill(&child->process, SIGKILL); /* it may be gone already */
    }
    close_socket(child);
    child->events->on_down(error, text, child->ctx);
}

/* ---- messages ----------------------------------------------------------------------------------- */

static void refused(struct p2_dht_child *child, const struct p2_dht_message *message)
{
    char text[P2_FAILURE_MESSAGE_MAX];
    const char *reason = strerror((int)(message->system_error & INT32_MAX));
    switch (message->cause) {
    case P2_DHT_CAUSE_PORT_V4:
    case P2_DHT_CAUSE_PORT_V6:
        (void)snprintf(
            text, sizeof text,
            "UDP port %u is in use on %s; choose another or stop the program that has it",
            child->config.port, message->cause == P2_DHT_CAUSE_PORT_V4 ? "IPv4" : "IPv6");
        p2_dht_child_fail(child, P2_E_ADDRESS, text);
        break;
    case P2_DHT_CAUSE_SANDBOX:
        (void)snprintf(text, sizeof text, "the DHT process cannot be confined here: %s", reason);
        p2_dht_child_fail(child, P2_E_UNSUPPORTED, text);
        break;
    case P2_DHT_CAUSE_LIBRARY:
        (void)snprintf(text, sizeof text, "the DHT node does not start: %s", reason);
        p2_dht_child_fail(child, P2_E_UNSUPPORTED, text);
        break;
    }
}

static void garbage(struct p2_dht_child *child, int error)
{
    char text[P2_FAILURE_MESSAGE_MAX];
    (void)snprintf(text, sizeof text, "the DHT process sent what it may not: %s",
                   p2_error_text(error));
    p2_dht_child_fail(child, error, text);
}

static void handle(struct p2_dht_child *child, const struct p2_dht_message *message)
{
    bool is_ending = child->phase == ENDING;
    if (message->kind == P2_DHT_REFUSED && child->phase == STARTING) {
        refused(child, message);
    } else if (message->kind == P2_DHT_READY && child->phase == STARTING) {
        child->phase = RUNNING;
        child->beat_at_ms = uv_now(child->loop);
        child->is_beat_out = false;
        child->events->on_ready(message, child->ctx);
    } else if (child->phase != RUNNING && !is_ending) {
        garbage(child, P2_E_UNSOLICITED);
    } else if (message->kind == P2_DHT_READY || message->kind == P2_DHT_REFUSED) {
        if (!is_ending) {
            garbage(child, P2_E_UNSOLICITED);
        }
    } else if (message->kind == P2_DHT_ALIVE && !is_ending &&
               (!child->is_beat_out || message->number != child->beat)) {
        garbage(child, P2_E_UNSOLICITED);
    } else {
        if (message->kind == P2_DHT_ALIVE) {
            child->is_beat_out = false;
            child->beat_at_ms = uv_now(child->loop);
        }
        child->events->on_message(message, child->ctx);
    }
}

static bool is_flood(struct p2_dht_child *child)
{
    uint64_t now = uv_now(child->loop);
    if (now - child->second_ms >= 1000) {
        child->second_ms = now;
        child->in_second = 0;
    }
    return ++child->in_second > P2_DHT_MESSAGES_PER_S;
}

/* Reads one message; false when there is none or the process was given up. */
static bool receive(struct p2_dht_child *child)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX + 1]; /* one more shows that a message is too long */
    struct p2_dht_message message;
    ssize_t size = recv(child->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (size <= 0) {
        p2_dht_child_fail(child, P2_E_CLOSED, "the DHT process ended");
        close_socket(child); /* also while ENDING: nothing can come any more */
        return false;
    }
    if (is_flood(child)) {
        p2_dht_child_fail(child, P2_E_FLOOD, "the DHT process floods us with messages");
        close_socket(child);
        return false;
    }
    int error = p2_dht_decode(&message, p2_span(bytes, (size_t)size), P2_DHT_FROM_CHILD);
    if (error != P2_OK) {
        garbage(child, error);
    } else {
        handle(child, &message);
    }
    return child->fd >= 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct p2_dht_child *child = poll->data;
    (void)status; /* recv says the same */
    (void)events;
    for (int i = 0; i < READS_PER_TURN && receive(child); i++) {
    }
}

int p2_dht_child_send(struct p2_dht_child *child, const struct p2_dht_message *order)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    if (child->phase != RUNNING) {
        return P2_E_STATE;
    }
    size_t size = p2_dht_encode(bytes, order);
    ssize_t sent = send(child->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* Any other failure is its end, which reading will report. */
    return sent == (ssize_t)size ? P2_OK : P2_E_AGAIN;
}

/* ---- the start of a process ---------------------------------------------------------------------- */

static void on_exited(uv_process_t *process, int64_t status, int number)
{
    struct p2_dht_child *child = process->data;
    (void)status; /* what it said before it ended tells more */
    (void)number;
    child->has_process = false;
    /* Its last words: as many as the socket can hold. */
    for (int i = 0; i < P2_DHT_MESSAGES_PER_S && child->fd >= 0 && receive(child); i++) {
    }
    p2_dht_child_fail(child, P2_E_CLOSED, "the DHT process ended");
    close_socket(child);
    uv_close((uv_handle_t *)process, on_handle_closed);
}

/* Runs the program with an empty environment and descriptor P2_DHT_SOCKET_FD. */
static int run_program(struct p2_dht_child *child, int socket_fd)
{
    char *arguments[] = {(char *)(uintptr_t)child->config.program, NULL}; /* uv does not write it */
    char *environment[] = {NULL};
    uv_stdio_container_t stdio[P2_DHT_SOCKET_FD + 1] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = socket_fd}};
    const uv_process_options_t options = {.exit_cb = on_exited,
                                          .file = child->config.program,
                                          .args = arguments,
                                          .env = environment,
                                          .stdio_count = P2_DHT_SOCKET_FD + 1,
                                          .stdio = stdio};
#ifdef P2_SANITIZED
    stdio[2].flags = UV_INHERIT_FD; /* where its runtime reports to */
    stdio[2].data.fd = 2;
#endif
    int error = uv_spawn(child->loop, &child->process, &options);
    child->process.data = child;
    child->open++; /* also after a failure: uv has made the handle */
    child->has_process = error == 0;
    if (error != 0) {
        uv_close((uv_handle_t *)&child->process, on_handle_closed);
    }
    return error;
}

static void send_start(struct p2_dht_child *child)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    const struct p2_dht_message order = {.kind = P2_DHT_START,
                                         .version = P2_DHT_VERSION,
                                         .network = child->config.network,
                                         .port = child->config.port,
                                         .flags = child->config.finds_lan ? P2_DHT_FLAG_LAN : 0};
    size_t size = p2_dht_encode(bytes, &order);
    /* Fails only when it has ended already, which reading will report. */
    (void)send(child->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Starts a process, phase OFF to STARTING, also when the program cannot be run: p2_dht_child_fail
 * then cleans up. Without a socket the phase stays OFF. */
static int start(struct p2_dht_child *child, struct p2_failure *failure)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        child->restart_at_ms = uv_now(child->loop) + P2_DHT_RESTART_MAX_MS;
        return p2_fail(failure, P2_E_IO, "no socket for the DHT process: %s", strerror(errno));
    }
    int error = run_program(child, pair[1]);
    (void)close(pair[1]); /* the process has its own */
    if (error == 0) {
        error = uv_poll_init(child->loop, &child->poll, pair[0]);
        child->poll.data = child;
        child->open += error == 0;
        child->has_poll = error == 0;
    }
    if (error == 0) {
        error = uv_poll_start(&child->poll, UV_READABLE, on_readable);
    }
    child->fd = pair[0];
    child->phase = STARTING;
    child->started_ms = uv_now(child->loop);
    child->second_ms = child->started_ms;
    child->in_second = 0;
    if (error != 0) {
        return p2_fail(failure, P2_E_IO, "cannot run the DHT process %s: %s", child->config.program,
                       uv_strerror(error));
    }
    send_start(child);
    return P2_OK;
}

static void restart(struct p2_dht_child *child)
{
    struct p2_failure failure;
    child->restarts++;
    int error = start(child, &failure);
    if (error != P2_OK) {
        p2_dht_child_fail(child, error, failure.message);
    }
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void beat(struct p2_dht_child *child, uint64_t now)
{
    uint64_t quiet_ms = now - child->beat_at_ms;
    if (child->is_beat_out && quiet_ms >= or_default(child->config.hang_ms, P2_DHT_HANG_MS)) {
        p2_dht_child_fail(child, P2_E_STALLED, "the DHT process does not answer");
    } else if (!child->is_beat_out &&
               quiet_ms >= or_default(child->config.beat_ms, P2_DHT_BEAT_MS)) {
        const struct p2_dht_message order = {.kind = P2_DHT_BEAT, .number = ++child->beat};
        child->is_beat_out = true; /* one that cannot be sent is one that is not answered */
        child->beat_at_ms = now;
        (void)p2_dht_child_send(child, &order);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct p2_dht_child *child = timer->data;
    uint64_t now = uv_now(child->loop);
    switch (child->phase) {
    case OFF:
        if (!child->is_closing && now >= child->restart_at_ms) {
            restart(child);
        }
        break;
    case STARTING:
        if (now - child->started_ms >= or_default(child->config.start_ms, P2_DHT_START_MS)) {
            p2_dht_child_fail(child, P2_E_STALLED, "the DHT process does not get ready");
        }
        break;
    case RUNNING:
        beat(child, now);
        break;
    case ENDING:
        if (now >= child->kill_at_ms && child->has_process) {
            child->kill_at_ms = UINT64_MAX;
            (void)uv_process_kill(&child->process, SIGKILL); /* it may be gone already */
        }
        break;
    }
}

int p2_dht_child_open(struct p2_dht_child **ret_child, uv_loop_t *loop,
                      const struct p2_dht_child_config *config,
                      const struct p2_dht_child_events *events, void *ctx,
                      struct p2_failure *failure)
{
    size_t size = strlen(config->program) + 1;
    struct p2_dht_child *child = calloc(1, sizeof *child + size);
    if (child == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "no memory for the DHT process");
    }
    child->loop = loop;
    child->config = *config;
    child->config.program = memcpy(child + 1, config->program, size);
    child->events = events;
    child->ctx = ctx;
    child->fd = -1;
    if (access(config->program, X_OK) != 0) {
        int error = p2_fail(failure, P2_E_IO, "cannot run the DHT process %s: %s", config->program,
                            strerror(errno));
        free(child);
        return error;
    }
    (void)uv_timer_init(loop, &child->tick); /* cannot fail */
    child->tick.data = child;
    (void)uv_timer_start(&child->tick, on_tick, 0, TICK_MS); /* cannot fail: it has a callback */
    child->restart_at_ms = 0;
    child->restarts = UINT32_MAX; /* the first start is none */
    *ret_child = child;
    return P2_OK;
}

void p2_dht_child_close(struct p2_dht_child *child)
{
    const struct p2_dht_message order = {.kind = P2_DHT_STOP};
    if (child->is_closing) {
        return;
    }
    child->is_closing = true;
    if (child->phase == OFF) {
        settle(child);
    } else if (child->phase == RUNNING && p2_dht_child_send(child, &order) == P2_OK) {
        child->phase = ENDING;
        child->kill_at_ms = uv_now(child->loop) + P2_DHT_STOP_MS;
    } else if (child->phase != ENDING) {
        child->phase = ENDING;
        child->kill_at_ms = UINT64_MAX;
        (void)uv_process_kill(&child->process, SIGKILL); /* it may be gone already */
    }
}

int p2_dht_child_pid(const struct p2_dht_child *child)
{
    return child->has_process ? uv_process_get_pid(&child->process) : 0;
}

uint32_t p2_dht_child_restarts(const struct p2_dht_child *child)
{
    return child->restarts == UINT32_MAX ? 0 : child->restarts;
}
