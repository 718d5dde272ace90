/* ZeroMQ with CURVE: leases from a ROUTER to DEALERs, a constant window, the same payloads. */
#include "tests/bench/bench_link.h"

#if defined(P2_HAVE_ZMQ)

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* The key pair of the library's own manual, zmq_curve(7); the workers' too. */
#define PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

#define MESSAGE_MAX (65536u + 64u)

struct zmq_peer {
    uint8_t identity[64];
    size_t size;
};

static void *socket_of;
static struct zmq_peer zmq_peers[BENCH_PEERS_MAX];
static const struct bench_case *running;
static uint8_t message[MESSAGE_MAX];

const char *bench_zmq_lacks(void)
{
    return zmq_has("curve") != 0 ? NULL : "libzmq without CURVE";
}

static void send_request(void *peer, uint32_t slot)
{
    const struct zmq_peer *to = peer;
    p2_store_be32(message, slot);
    if (zmq_send(socket_of, to->identity, to->size, ZMQ_SNDMORE) < 0 ||
        zmq_send(socket_of, message, 4u + running->req_bytes, 0) < 0) {
        bench_die("zmq_send");
    }
}

static void stop(struct bench_load *load)
{
    (void)load;
}

static struct zmq_peer *peer_of(struct bench_load *load, const uint8_t *identity, size_t size,
                                bool *ret_is_new)
{
    for (uint32_t i = 0; i < load->ready; i++) {
        struct zmq_peer *peer = load->peers[i];
        if (peer->size == size && memcmp(peer->identity, identity, size) == 0) {
            *ret_is_new = false;
            return peer;
        }
    }
    struct zmq_peer *peer = &zmq_peers[load->ready];
    memcpy(peer->identity, identity, size);
    peer->size = size;
    *ret_is_new = true;
    return peer;
}

static void drive(struct bench_load *load)
{
    int one = 1;
    int none = 0;
    char endpoint[128];
    size_t size = sizeof endpoint;
    void *context = zmq_ctx_new();
    running = load->bench;
    load->send = send_request;
    load->stop = stop;
    if (context == NULL || (socket_of = zmq_socket(context, ZMQ_ROUTER)) == NULL ||
        zmq_setsockopt(socket_of, ZMQ_CURVE_SERVER, &one, sizeof one) != 0 ||
        zmq_setsockopt(socket_of, ZMQ_CURVE_SECRETKEY, SECRET, 41) != 0 ||
        zmq_setsockopt(socket_of, ZMQ_SNDHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(socket_of, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(socket_of, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_bind(socket_of, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket_of, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        bench_die("a ROUTER with CURVE");
    }
    load->publish(load, (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10));
    while (!load->is_over) {
        uint8_t identity[64];
        int id_size = zmq_recv(socket_of, identity, sizeof identity, 0);
        int got = zmq_recv(socket_of, message, sizeof message, 0);
        if (id_size < 0 || id_size > (int)sizeof identity || got < 4 || got > (int)sizeof message) {
            bench_die("zmq_recv");
        }
        bool is_new;
        struct zmq_peer *peer = peer_of(load, identity, (size_t)id_size, &is_new);
        if (is_new) {
            bench_load_ready(load, peer);
        } else {
            bench_load_reply(load, peer, p2_load_be32(message),
                             p2_span(message + 4, (size_t)got - 4u));
        }
    }
    static const uint8_t end[4] = {0xff, 0xff, 0xff, 0xff};
    int linger_ms = 1000;
    (void)zmq_setsockopt(socket_of, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    for (uint32_t i = 0; i < load->ready; i++) {
        (void)zmq_send(socket_of, zmq_peers[i].identity, zmq_peers[i].size, ZMQ_SNDMORE);
        (void)zmq_send(socket_of, end, sizeof end, 0);
    }
    (void)zmq_close(socket_of);
    (void)zmq_ctx_term(context);
}

static void serve(const struct bench_case *bench, uint16_t port)
{
    int none = 0;
    char endpoint[64];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
    void *context = zmq_ctx_new();
    void *socket = context == NULL ? NULL : zmq_socket(context, ZMQ_DEALER);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, PUBLIC, 41) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, PUBLIC, 41) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, SECRET, 41) != 0 ||
        zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) != 0 ||
        zmq_connect(socket, endpoint) != 0 || zmq_send(socket, "hello", 5, 0) < 0) {
        bench_die("a DEALER with CURVE");
    }
    for (;;) {
        int got = zmq_recv(socket, message, sizeof message, 0);
        if (got <= 4) {
            break; /* the end, or an error */
        }
        if (zmq_send(socket, message, 4u + bench->rep_bytes, 0) < 0) {
            break;
        }
    }
    (void)zmq_close(socket);
    (void)zmq_ctx_term(context);
}

#else

static const char *const lacks = "built without libzmq3-dev";

const char *bench_zmq_lacks(void)
{
    return lacks;
}

static void drive(struct bench_load *load)
{
    (void)load;
    bench_die(lacks);
}

static void serve(const struct bench_case *bench, uint16_t port)
{
    (void)bench;
    (void)port;
    bench_die(lacks);
}

#endif

const struct bench_system bench_zmq = {"zmq-curve", drive, serve};
