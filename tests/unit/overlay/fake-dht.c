/* A process that plays p2c2r-dht for test-overlay-dht. Its file name says how it misbehaves; the
 * file NAME.runs counts its runs, and after the first most names behave. */
#include "overlay/dht_protocol.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STORE_MAX   64
#define WATCHES_MAX 256

static struct {
    struct p2_overlay_key key;
    uint8_t value[P2_OVERLAY_VALUE_MAX];
    size_t size;
} store[STORE_MAX];

static struct {
    struct p2_overlay_key key;
    uint32_t op;
    bool is_used;
} watches[WATCHES_MAX];

static size_t stored;
static const char *name;
static long run;

static void send_bytes(const void *bytes, size_t size)
{
    if (send(P2_DHT_SOCKET_FD, bytes, size, MSG_NOSIGNAL) < 0) {
        exit(EXIT_SUCCESS);
    }
}

static void say(struct p2_dht_message message)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    send_bytes(bytes, p2_dht_encode(bytes, &message));
}

/* True in the first run under that name, in every run when the name ends so. */
static bool is(const char *what)
{
    size_t length = strlen(what);
    return strncmp(name, what, length) == 0 &&
           (name[length] == '\0' ? run == 1 : strcmp(name + length, "-always") == 0);
}

static void say_value(uint32_t op, const void *data, size_t size)
{
    say((struct p2_dht_message){.kind = P2_DHT_VALUE, .op = op, .value = p2_span(data, size)});
}

static void put(const struct p2_dht_message *order)
{
    if (is("answers-put-with-value")) {
        say_value(order->op, "x", 1);
    }
    if (stored < STORE_MAX) {
        store[stored].key = order->key;
        store[stored].size = order->value.size;
        memcpy(store[stored].value, order->value.data, order->value.size);
        stored++;
    }
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        if (watches[i].is_used && p2_overlay_key_equal(&watches[i].key, &order->key)) {
            say_value(watches[i].op, order->value.data, order->value.size);
        }
    }
}

static void report(const struct p2_dht_message *order)
{
    for (size_t i = 0; i < stored; i++) {
        if (p2_overlay_key_equal(&store[i].key, &order->key)) {
            say_value(order->op, store[i].value, store[i].size);
        }
    }
}

static void misbehave(const struct p2_dht_message *order)
{
    if (is("dies")) {
        exit(EXIT_FAILURE);
    }
    if (is("hangs")) {
        for (;;) {
            (void)pause();
        }
    }
    if (is("garbage")) {
        send_bytes("\x7f\x00\x01", 3);
    }
    if (is("too-long")) {
        static const uint8_t zeros[P2_DHT_MESSAGE_MAX + 100] = {P2_DHT_VALUE};
        send_bytes(zeros, sizeof zeros);
    }
    if (is("floods")) {
        for (;;) {
            say_value(order->op + P2_DHT_SLOTS, "flood", 5);
        }
    }
    if (is("ends-watch") && order->kind == P2_DHT_LISTEN) {
        say((struct p2_dht_message){.kind = P2_DHT_END, .op = order->op});
    }
    if (is("says-too-much") && order->kind == P2_DHT_GET) {
        for (int i = 0; i < 100; i++) {
            say_value(order->op, "again", 5);
        }
    }
    if (is("strays")) {
        say_value(order->op + P2_DHT_SLOTS, "late", 4);
        say((struct p2_dht_message){.kind = P2_DHT_END, .op = order->op - P2_DHT_SLOTS});
    }
}

static void operate(const struct p2_dht_message *order)
{
    misbehave(order);
    if (is("silent")) {
        return;
    }
    if (order->kind == P2_DHT_PUT) {
        put(order);
    } else {
        report(order);
    }
    if (order->kind == P2_DHT_LISTEN) {
        size_t slot = order->op % WATCHES_MAX;
        watches[slot].key = order->key;
        watches[slot].op = order->op;
        watches[slot].is_used = true;
        if (is("watch-flood")) {
            for (int i = 0; i < 2000; i++) {
                say_value(order->op, "junk", 4);
            }
        }
    } else {
        say((struct p2_dht_message){.kind = P2_DHT_END,
                                    .op = order->op,
                                    .result = is("alone") ? P2_DHT_ALONE : P2_DHT_DONE});
    }
}

static void tell_nodes(void)
{
    struct p2_dht_message list = {.kind = P2_DHT_GOOD_NODES, .nodes = {.count = 1}};
    list.nodes.list[0].ip = p2_ip_from_v4((const uint8_t[]){192, 0, 2, 1});
    list.nodes.list[0].port = 4222;
    say(list);
}

static void stop(void)
{
    if (is("ignores-stop")) {
        for (;;) {
            (void)pause();
        }
    }
    tell_nodes();
    exit(EXIT_SUCCESS);
}

static void obey(const struct p2_dht_message *order)
{
    switch ((unsigned)order->kind) {
    case P2_DHT_PUT:
    case P2_DHT_GET:
    case P2_DHT_LISTEN:
        operate(order);
        break;
    case P2_DHT_CANCEL:
        watches[order->op % WATCHES_MAX].is_used = false;
        break;
    case P2_DHT_BEAT:
        say((struct p2_dht_message){.kind = P2_DHT_ALIVE,
                                    .number = order->number + (is("wrong-beat") ? 1 : 0),
                                    .heard_ms = is("never-heard") ? P2_DHT_NEVER : 0});
        break;
    case P2_DHT_STOP:
        stop();
        break;
    default:
        break;
    }
}

static void count_run(const char *path)
{
    char counter[4096];
    (void)snprintf(counter, sizeof counter, "%s.runs", path);
    FILE *file = fopen(counter, "ab");
    if (file == NULL || fputc('x', file) == EOF || (run = ftell(file)) < 0 || fclose(file) != 0) {
        exit(99);
    }
}

static void start(void)
{
    if (is("never-ready")) {
        for (;;) {
            (void)pause();
        }
    }
    if (is("refuses-v6")) {
        say((struct p2_dht_message){.kind = P2_DHT_REFUSED, .cause = P2_DHT_CAUSE_PORT_V6});
        exit(EXIT_FAILURE);
    }
    if (is("dies-at-once")) {
        exit(EXIT_FAILURE);
    }
    if (is("answers-early")) {
        say((struct p2_dht_message){.kind = P2_DHT_END, .op = 0});
    }
    say((struct p2_dht_message){
        .kind = P2_DHT_READY, .version = P2_DHT_VERSION, .port = 4222, .port_v6 = 4222});
    for (int i = 0; i < 5 && is("tells-nodes"); i++) {
        tell_nodes();
    }
    if (is("ready-twice")) {
        say((struct p2_dht_message){.kind = P2_DHT_READY, .version = P2_DHT_VERSION, .port = 1});
    }
}

int main(int argc, char **argv)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    struct p2_dht_message order;
    extern char **environ;
    const char *slash = strrchr(argv[0], '/');
    name = slash != NULL ? slash + 1 : argv[0];
    if (argc != 1 || environ[0] != NULL) {
        return EXIT_FAILURE; /* nothing of ours may come that way */
    }
    count_run(argv[0]);
    for (;;) {
        ssize_t size = recv(P2_DHT_SOCKET_FD, bytes, sizeof bytes, 0);
        if (size <= 0 ||
            p2_dht_decode(&order, p2_span(bytes, (size_t)size), P2_DHT_FROM_PARENT) != P2_OK) {
            return EXIT_SUCCESS;
        }
        if (order.kind == P2_DHT_START) {
            start();
        } else {
            obey(&order);
        }
    }
}
