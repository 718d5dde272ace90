/* p2c2r-dht: a node of the Kademlia network in a process of its own, without keys and without
 * files. It is started by overlay_dht.c and speaks dht_protocol.h over descriptor P2_DHT_SOCKET_FD;
 * it ends when that socket closes. The one file that includes the library's header.
 *
 * Threads: main reads the parent's messages and is the only one to send; the library has two of its
 * own and calls back on one of them, holding its lock. A callback copies bytes into the queue below,
 * wakes main and returns. Main never holds `lock` while it calls the library, which would be the
 * other order. Callbacks get the operation's number instead of a pointer: one that comes late finds
 * nobody, and nothing has to live until then. */
#include "overlay/dht_port.h"
#include "overlay/dht_protocol.h"
#include "overlay/dht_sandbox.h"
#include "overlay/dht_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <opendht/opendht_c.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Messages waiting for the parent to read. Chosen: 1 MiB, ten seconds of a watch at its rate. The
 * last places are for ends and answers, so that a flood of values cannot push them out. */
#define QUEUE_MAX   2048u
#define QUEUE_SPARE 512u
#define PACKET_MAX  512u /* above the longest queued one, VALUE */
_Static_assert(1 + 4 + 2 + P2_OVERLAY_VALUE_MAX <= PACKET_MAX, "a value fits");

/* Messages read before the queue is looked at again. */
#define READS_PER_TURN 32

/* How often main looks at its clocks. */
#define TURN_MS 500

/* Without contact for this long the node counts as alone (overlay.h: within the last minute). */
#define CONTACT_MS 60000

/* DESIGN 6: peers are pinged every 10 to 15 s until connected; the library's own retries back off
 * to a day (research/opendht.md 6). */
#define PEERS_MS 12000

/* A lookup of a random key shows whether anyone answers: after this quiet time when connected, and
 * at this distance when not, where it costs nothing as long as no node is known. */
#define PROBE_QUIET_MS 20000
#define PROBE_ALONE_MS 2000
#define PROBE_LOST_MS  20000 /* the library's searches end after 8 s (measured) */

/* A clean end waits this long for the library, which queues the order while it connects (8.4 s
 * measured); then the state is not saved. The library often saves at once and never calls back
 * (measured): a file that has its length for SAVED_MS is taken for whole. A list cut short is still
 * read as far as it goes. */
#define SHUTDOWN_MS 600
#define SAVED_MS    20

/* The library tells the nodes it knows only when it shuts down. So that a crash does not lose them
 * all, a second node is started now and then: it learns other nodes through the first one, shuts
 * down, and what it saved is reported. Chosen: 20 s after the first contact, which is after the
 * first 15 s a young node needs (research/opendht.md 8), then every half hour. */
#define SCOUT_FIRST_MS 20000
#define SCOUT_AGAIN_MS 1800000
#define SCOUT_WORK_MS  10000

/* The parent read so little for so long that a final message does not go out. */
#define FAREWELL_MS 300

struct slot {
    enum p2_dht_kind kind; /* PUT, GET, LISTEN; 0: free */
    uint32_t op;
    struct p2_overlay_key key;
    dht_op_token *token; /* LISTEN; main's */
    uint32_t values_max; /* GET */
    uint32_t values;     /* GET: reported; LISTEN: in this second */
    uint32_t seen;       /* GET: with the oversized */
    uint64_t second_ms;  /* LISTEN: when this second began */
};

struct packet {
    size_t size;
    uint8_t bytes[PACKET_MAX];
};

static struct {
    int socket, wake, state, scout_state; /* descriptors */
    uint32_t network;
    uint16_t port_v4, port_v6;
    dht_runner *runner;
    dht_runner *scout;    /* NULL: none at the moment */
    bool is_scout_ending; /* it was told to shut down */
    uint64_t scout_at_ms; /* of its next step; 0: no contact yet */
    struct p2_dht_nodes peers;
    uint64_t peers_at_ms; /* when they are pinged next */
    uint64_t probe_at_ms;
    pthread_mutex_t lock; /* guards the rest */
    struct slot slots[P2_DHT_SLOTS];
    struct packet queue[QUEUE_MAX];
    size_t first, count;
    uint64_t heard_at_ms; /* 0: never */
    bool is_probing;
    bool is_shut_down;
    uint64_t dropped, oversized;
} node = {.lock = PTHREAD_MUTEX_INITIALIZER};

#ifdef __SANITIZE_THREAD__
/* When a node is shut down the library's UDP thread closes a descriptor that its other thread may be
 * sending to. Nothing of ours opens descriptors meanwhile. Without this line nothing else is
 * reported; with it, races of our callbacks would not be either: look at both. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libopendht.so\n";
}
#endif

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

/* ---- the queue; the lock is held -------------------------------------------------------------- */

static void wake_main(void)
{
    const uint64_t one = 1;
    (void)!write(node.wake, &one, sizeof one); /* full means: it is awake already */
}

static bool push(const struct p2_dht_message *message)
{
    bool is_value = message->kind == P2_DHT_VALUE;
    if (node.count >= QUEUE_MAX - (is_value ? QUEUE_SPARE : 0)) {
        node.dropped += is_value;
        return false;
    }
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    struct packet *packet = &node.queue[(node.first + node.count) % QUEUE_MAX];
    packet->size = p2_dht_encode(bytes, message);
    P2_ASSERT(packet->size <= PACKET_MAX);
    memcpy(packet->bytes, bytes, packet->size);
    node.count++;
    wake_main();
    return true;
}

static struct slot *find(void *user_data)
{
    uint32_t op = (uint32_t)(uintptr_t)user_data;
    struct slot *slot = &node.slots[op % P2_DHT_SLOTS];
    return slot->kind != 0 && slot->op == op ? slot : NULL;
}

static void *to_user_data(uint32_t op)
{
    return (void *)(uintptr_t)op;
}

static void push_end(uint32_t op, enum p2_dht_result result)
{
    (void)push(&(struct p2_dht_message){.kind = P2_DHT_END, .op = op, .result = result});
}

/* Reports a value, or counts why not. */
static bool push_value(uint32_t op, const dht_value *value)
{
    dht_data_view view = dht_value_get_data(value);
    if (view.size == 0 || view.size > P2_OVERLAY_VALUE_MAX) {
        node.oversized += view.size != 0;
        return false;
    }
    return push(&(struct p2_dht_message){
        .kind = P2_DHT_VALUE, .op = op, .value = p2_span(view.data, view.size)});
}

/* ---- callbacks; the library's thread ----------------------------------------------------------- */

static void heard(bool is_answered)
{
    if (is_answered) {
        node.heard_at_ms = now_ms();
    }
}

static void on_put_done(bool ok, void *user_data)
{
    (void)pthread_mutex_lock(&node.lock);
    heard(ok);
    struct slot *slot = find(user_data);
    if (slot != NULL) {
        push_end(slot->op, ok ? P2_DHT_DONE : P2_DHT_ALONE);
        slot->kind = 0;
    }
    (void)pthread_mutex_unlock(&node.lock);
}

static bool on_get_value(const dht_value *value, void *user_data)
{
    bool goes_on = false;
    (void)pthread_mutex_lock(&node.lock);
    struct slot *slot = find(user_data);
    if (slot != NULL) {
        slot->seen++;
        slot->values += push_value(slot->op, value);
        goes_on = slot->values < slot->values_max && slot->seen < P2_OVERLAY_VALUES_MAX;
    }
    (void)pthread_mutex_unlock(&node.lock);
    return goes_on;
}

static void on_get_done(bool ok, void *user_data)
{
    (void)pthread_mutex_lock(&node.lock);
    struct slot *slot = find(user_data);
    if (slot != NULL) {
        bool is_full = slot->values >= slot->values_max || slot->seen >= P2_OVERLAY_VALUES_MAX;
        heard(ok && !is_full); /* a lookup that was ended early is ok although nobody answered */
        push_end(slot->op, is_full ? P2_DHT_ENOUGH : ok ? P2_DHT_DONE : P2_DHT_ALONE);
        slot->kind = 0;
    }
    (void)pthread_mutex_unlock(&node.lock);
}

static bool on_listen_value(const dht_value *value, bool is_expired, void *user_data)
{
    (void)pthread_mutex_lock(&node.lock);
    struct slot *slot = find(user_data);
    if (slot != NULL && !is_expired) {
        uint64_t now = now_ms();
        if (now - slot->second_ms >= 1000) {
            slot->second_ms = now;
            slot->values = 0;
        }
        if (slot->values < P2_OVERLAY_WATCH_VALUES_PER_S) {
            slot->values += push_value(slot->op, value);
        } else {
            node.dropped++;
        }
    }
    (void)pthread_mutex_unlock(&node.lock);
    return slot != NULL;
}

static void on_listen_end(void *user_data)
{
    (void)user_data; /* main knows: only CANCEL ends a watch */
}

static void on_ping_done(bool ok, void *user_data)
{
    (void)user_data;
    (void)pthread_mutex_lock(&node.lock);
    heard(ok);
    (void)pthread_mutex_unlock(&node.lock);
}

static bool on_probe_value(const dht_value *value, void *user_data)
{
    (void)value; /* a random key: nobody meant us */
    (void)user_data;
    return false;
}

static void on_probe_done(bool ok, void *user_data)
{
    (void)user_data;
    (void)pthread_mutex_lock(&node.lock);
    heard(ok);
    node.is_probing = false;
    (void)pthread_mutex_unlock(&node.lock);
}

static void on_shut_down(void *user_data)
{
    (void)user_data;
    (void)pthread_mutex_lock(&node.lock);
    node.is_shut_down = true;
    wake_main();
    (void)pthread_mutex_unlock(&node.lock);
}

/* ---- staying connected ------------------------------------------------------------------------- */

static void ping(const struct p2_dht_address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    if (address->ip.family == 4) {
        memcpy(&v4.sin_addr, address->ip.bytes, sizeof v4.sin_addr);
        dht_runner_ping(node.runner, (struct sockaddr *)&v4, sizeof v4, on_ping_done, NULL);
    } else {
        memcpy(&v6.sin6_addr, address->ip.bytes, sizeof v6.sin6_addr);
        dht_runner_ping(node.runner, (struct sockaddr *)&v6, sizeof v6, on_ping_done, NULL);
    }
}

static void send_now(const struct p2_dht_message *message)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    struct pollfd room = {.fd = node.socket, .events = POLLOUT};
    size_t size = p2_dht_encode(bytes, message);
    (void)poll(&room, 1, FAREWELL_MS); /* then send fails, and the parent learns it from our end */
    (void)send(node.socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The addresses in a saved state, without our own. */
static void send_good_nodes(int state_fd)
{
    static uint8_t state[64u << 10]; /* 64 entries take 5 KiB; the values after them are not read */
    struct p2_dht_message message = {.kind = P2_DHT_GOOD_NODES};
    struct p2_dht_nodes all;
    ssize_t size = pread(state_fd, state, sizeof state, 0);
    p2_dht_state_nodes(p2_span(state, size > 0 ? (size_t)size : 0), &all);
    for (uint8_t i = 0; i < all.count; i++) {
        const struct p2_dht_address *address = &all.list[i];
        bool is_own = p2_ip_scope(&address->ip) == P2_IP_LOOPBACK &&
                      (address->port == node.port_v4 || address->port == node.port_v6);
        if (!is_own) {
            p2_dht_nodes_add(&message.nodes, address);
        }
    }
    send_now(&message);
}

/* ---- the scout ---------------------------------------------------------------------------------- */

static dht_runner *run_node(uint16_t port, int state_fd, bool finds_lan, int *ret_error)
{
    char path[sizeof "/proc/self/fd/" + 10]; /* the library keeps a copy */
    dht_runner_config config;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", state_fd);
    dht_runner_config_default(&config);
    config.dht_config.node_config.network = node.network;
    config.dht_config.node_config.persist_path = path;
    config.peer_discovery = finds_lan;
    config.peer_publish = finds_lan;
    dht_runner *runner = dht_runner_new();
    *ret_error = runner == NULL ? ENOMEM : dht_runner_run_config(runner, port, &config);
    if (runner != NULL && *ret_error != 0) {
        dht_runner_delete(runner);
        runner = NULL;
    }
    return runner;
}

static void on_scout_ping(bool ok, void *user_data)
{
    (void)ok; /* what it learns is what it saves */
    (void)user_data;
}

static void on_scout_down(void *user_data)
{
    (void)user_data; /* its time is over anyway */
}

static void begin_scout(void)
{
    struct p2_dht_port found = p2_dht_port_find(0);
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(node.port_v4),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(node.port_v6),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int error;
    (void)!ftruncate(node.scout_state, 0); /* an old list in it would only be reported again */
    node.scout = found.taken == 0 ? run_node(found.port, node.scout_state, false, &error) : NULL;
    if (node.scout == NULL) {
        return;
    }
    if (node.port_v4 != 0) {
        dht_runner_ping(node.scout, (struct sockaddr *)&v4, sizeof v4, on_scout_ping, NULL);
    }
    if (node.port_v6 != 0) {
        dht_runner_ping(node.scout, (struct sockaddr *)&v6, sizeof v6, on_scout_ping, NULL);
    }
}

/* One step of the scout when its time has come. */
static void scout(uint64_t now)
{
    if (now < node.scout_at_ms) {
        return;
    }
    if (node.scout == NULL) {
        begin_scout();
        node.is_scout_ending = false;
        node.scout_at_ms = now + (node.scout != NULL ? SCOUT_WORK_MS : SCOUT_AGAIN_MS);
    } else if (!node.is_scout_ending) {
        node.is_scout_ending = true;
        dht_runner_shutdown(node.scout, on_scout_down, NULL);
        node.scout_at_ms = now + SHUTDOWN_MS;
    } else {
        dht_runner_delete(node.scout); /* joins its threads: milliseconds */
        node.scout = NULL;
        send_good_nodes(node.scout_state);
        node.scout_at_ms = now + SCOUT_AGAIN_MS;
    }
}

static void upkeep(uint64_t now)
{
    (void)pthread_mutex_lock(&node.lock);
    bool is_alone = node.heard_at_ms == 0 || now > node.heard_at_ms + CONTACT_MS;
    bool is_quiet = is_alone || now > node.heard_at_ms + PROBE_QUIET_MS;
    bool may_probe = is_quiet && now >= node.probe_at_ms &&
                     (!node.is_probing || now >= node.probe_at_ms + PROBE_LOST_MS);
    node.is_probing |= may_probe;
    (void)pthread_mutex_unlock(&node.lock);
    if (may_probe) {
        dht_infohash key;
        dht_infohash_random(&key);
        node.probe_at_ms = now + PROBE_ALONE_MS;
        dht_runner_get(node.runner, &key, on_probe_value, on_probe_done, NULL);
    }
    if (is_alone && now >= node.peers_at_ms) {
        node.peers_at_ms = now + PEERS_MS;
        for (uint8_t i = 0; i < node.peers.count; i++) {
            ping(&node.peers.list[i]);
        }
    }
    if (node.scout_at_ms == 0) {
        node.scout_at_ms = is_alone ? 0 : now + SCOUT_FIRST_MS;
    } else {
        scout(now);
    }
}

/* ---- start -------------------------------------------------------------------------------------- */

static _Noreturn void refuse(unsigned cause, int system_error)
{
    send_now(&(struct p2_dht_message){.kind = P2_DHT_REFUSED,
                                      .cause = (enum p2_dht_cause)cause,
                                      .system_error = (uint32_t)system_error});
    _exit(EXIT_FAILURE);
}

/* The library saves its state to a path; this one leads to memory only. */
static int open_state(void)
{
    int fd = memfd_create("state", MFD_CLOEXEC);
    if (fd < 0) {
        refuse(P2_DHT_CAUSE_SANDBOX, errno);
    }
    return fd;
}

static void start(const struct p2_dht_message *order)
{
    int error = 0;
    node.network = order->network;
    node.state = open_state();
    node.scout_state = open_state();
    /* All were opened one after the other: the last one is the highest. */
    int last_fd = node.wake > node.state ? node.wake : node.state;
    last_fd = node.scout_state > last_fd ? node.scout_state : last_fd;
    if (p2_dht_sandbox_enter((unsigned)last_fd, &error) != P2_OK) {
        refuse(P2_DHT_CAUSE_SANDBOX, error);
    }
    struct p2_dht_port found = p2_dht_port_find(order->port);
    if (found.taken != 0) {
        refuse(found.taken == AF_INET ? P2_DHT_CAUSE_PORT_V4 : P2_DHT_CAUSE_PORT_V6, EADDRINUSE);
    }
    node.runner = run_node(found.port, node.state, (order->flags & P2_DHT_FLAG_LAN) != 0, &error);
    if (node.runner == NULL) {
        refuse(P2_DHT_CAUSE_LIBRARY, error);
    }
    uint16_t v4 = dht_runner_get_bound_port(node.runner, AF_INET);
    uint16_t v6 = dht_runner_get_bound_port(node.runner, AF_INET6);
    if (found.has_v4 && v4 != found.port) {
        refuse(P2_DHT_CAUSE_PORT_V4, EADDRINUSE);
    }
    if (found.has_v6 && v6 != found.port) {
        refuse(P2_DHT_CAUSE_PORT_V6, EADDRINUSE);
    }
    node.port_v4 = v4;
    node.port_v6 = v6;
    send_now(&(struct p2_dht_message){
        .kind = P2_DHT_READY, .version = P2_DHT_VERSION, .port = v4, .port_v6 = v6});
}

/* ---- the parent's orders ------------------------------------------------------------------------ */

/* Takes the slot of an operation; false when its number is in use. */
static bool take_slot(const struct p2_dht_message *order)
{
    (void)pthread_mutex_lock(&node.lock);
    struct slot *slot = &node.slots[order->op % P2_DHT_SLOTS];
    bool is_free = slot->kind == 0;
    if (is_free) {
        *slot = (struct slot){.kind = order->kind,
                              .op = order->op,
                              .key = order->key,
                              .values_max = order->values_max};
    } else if (order->kind != P2_DHT_LISTEN) {
        push_end(order->op, P2_DHT_NO_ROOM);
    }
    (void)pthread_mutex_unlock(&node.lock);
    return is_free;
}

static void begin(const struct p2_dht_message *order)
{
    dht_infohash key;
    void *user_data = to_user_data(order->op);
    _Static_assert(sizeof key.d == sizeof order->key.bytes, "keys are info hashes");
    memcpy(key.d, order->key.bytes, sizeof key.d);
    if (!take_slot(order)) {
        return;
    }
    if (order->kind == P2_DHT_PUT) {
        dht_value *value = dht_value_new(order->value.data, order->value.size);
        dht_runner_put(node.runner, &key, value, on_put_done, user_data, false);
        dht_value_unref(value);
    } else if (order->kind == P2_DHT_GET) {
        dht_runner_get(node.runner, &key, on_get_value, on_get_done, user_data);
    } else {
        node.slots[order->op % P2_DHT_SLOTS].token =
            dht_runner_listen(node.runner, &key, on_listen_value, on_listen_end, user_data);
    }
}

static void cancel(uint32_t op)
{
    dht_op_token *token = NULL;
    dht_infohash key;
    (void)pthread_mutex_lock(&node.lock);
    struct slot *slot = find(to_user_data(op));
    if (slot != NULL) {
        memcpy(key.d, slot->key.bytes, sizeof key.d);
        token = slot->token;
        *slot = (struct slot){.kind = 0};
    }
    (void)pthread_mutex_unlock(&node.lock);
    if (token != NULL) {
        dht_runner_cancel_listen(node.runner, &key, token);
        dht_op_token_delete(token);
    }
}

static void answer_beat(uint32_t number)
{
    /* Takes the library's lock: an answer says that its thread does not hang in there. */
    (void)dht_runner_get_node_id(node.runner);
    (void)dht_runner_get_bound_port(node.runner, AF_INET);
    uint64_t now = now_ms();
    (void)pthread_mutex_lock(&node.lock);
    uint64_t age = now - node.heard_at_ms;
    bool is_never = node.heard_at_ms == 0 || age >= P2_DHT_NEVER;
    (void)push(&(struct p2_dht_message){.kind = P2_DHT_ALIVE,
                                        .number = number,
                                        .heard_ms = is_never ? P2_DHT_NEVER : (uint32_t)age,
                                        .dropped = node.dropped,
                                        .oversized = node.oversized});
    (void)pthread_mutex_unlock(&node.lock);
}

static _Noreturn void stop(void)
{
    uint64_t deadline = now_ms() + SHUTDOWN_MS;
    off_t length = 0, before = 0;
    bool is_saved = false;
    (void)!ftruncate(node.state, 0);
    dht_runner_shutdown(node.runner, on_shut_down, NULL);
    while (!is_saved && now_ms() < deadline) {
        struct pollfd wake = {.fd = node.wake, .events = POLLIN};
        uint64_t count;
        (void)poll(&wake, 1, SAVED_MS); /* also bounded by the deadline */
        (void)!read(node.wake, &count, sizeof count);
        before = length;
        length = lseek(node.state, 0, SEEK_END); /* the library opened the file by itself */
        (void)pthread_mutex_lock(&node.lock);
        is_saved = node.is_shut_down || (length > 0 && length == before);
        (void)pthread_mutex_unlock(&node.lock);
    }
    send_good_nodes(node.state);
    /* The process ends with its threads: joining them could wait, and there is nothing to free. */
    _exit(EXIT_SUCCESS);
}

static void obey(const struct p2_dht_message *order)
{
    switch (order->kind) {
    case P2_DHT_PEERS:
        node.peers = order->nodes;
        node.peers_at_ms = 0;
        break;
    case P2_DHT_PUT:
    case P2_DHT_GET:
    case P2_DHT_LISTEN:
        begin(order);
        break;
    case P2_DHT_CANCEL:
        cancel(order->op);
        break;
    case P2_DHT_BEAT:
        answer_beat(order->number);
        break;
    case P2_DHT_STOP:
        stop();
    case P2_DHT_START: /* only the first message */
    case P2_DHT_READY:
    case P2_DHT_REFUSED:
    case P2_DHT_VALUE:
    case P2_DHT_END:
    case P2_DHT_ALIVE:
    case P2_DHT_GOOD_NODES:
        _exit(EXIT_FAILURE); /* not from our parent */
    }
}

/* ---- main --------------------------------------------------------------------------------------- */

/* Reads one message. False: nothing there. Ends the process when the parent is gone or wrong. */
static bool receive(struct p2_dht_message *ret_message, uint8_t bytes[P2_DHT_MESSAGE_MAX + 1],
                    int flags)
{
    ssize_t size = recv(node.socket, bytes, P2_DHT_MESSAGE_MAX + 1, flags);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (size <= 0) {
        _exit(EXIT_SUCCESS);
    }
    if (p2_dht_decode(ret_message, p2_span(bytes, (size_t)size), P2_DHT_FROM_PARENT) != P2_OK) {
        _exit(EXIT_FAILURE);
    }
    return true;
}

/* Sends what waits, as far as the socket takes it; true when something is left. */
static bool flush(void)
{
    bool is_open = true;
    (void)pthread_mutex_lock(&node.lock);
    while (node.count > 0 && is_open) {
        const struct packet *packet = &node.queue[node.first];
        is_open = send(node.socket, packet->bytes, packet->size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
        if (is_open) {
            node.first = (node.first + 1) % QUEUE_MAX;
            node.count--;
        }
    }
    bool is_left = node.count > 0;
    (void)pthread_mutex_unlock(&node.lock);
    return is_left;
}

static void serve(void)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX + 1];
    struct p2_dht_message order;
    for (;;) {
        short wish = flush() ? POLLIN | POLLOUT : POLLIN;
        struct pollfd fds[] = {{.fd = node.socket, .events = wish},
                               {.fd = node.wake, .events = POLLIN}};
        uint64_t count;
        (void)poll(fds, P2_COUNT_OF(fds), TURN_MS);   /* an interrupted turn is a short one */
        (void)!read(node.wake, &count, sizeof count); /* empty when something else woke us */
        for (int i = 0; i < READS_PER_TURN && receive(&order, bytes, MSG_DONTWAIT); i++) {
            obey(&order);
        }
        upkeep(now_ms());
    }
}

int main(void)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX + 1];
    struct p2_dht_message order;
    int type = 0;
    socklen_t size = sizeof type;
    node.socket = P2_DHT_SOCKET_FD;
    if (getsockopt(node.socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        (void)fprintf(stderr, "p2c2r-dht is started by the daemons of p2c2r, not by hand\n");
        return EXIT_FAILURE;
    }
    node.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (node.wake < 0) {
        refuse(P2_DHT_CAUSE_SANDBOX, errno);
    }
    while (!receive(&order, bytes, 0)) { /* interrupted: once more */
    }
    if (order.kind != P2_DHT_START) {
        return EXIT_FAILURE;
    }
    start(&order);
    serve();
    return EXIT_SUCCESS;
}
