/* A listener's connection over a real loopback socket. Input: a byte that says how far an honest
 * dialler went before, then the bytes.
 *
 *   first byte even   nothing: the bytes are the connection from its beginning
 *   first byte odd    the handshake is done: the bytes are plaintexts of records (u8 length, bytes),
 *                     sealed with the true keys
 *
 * Whatever comes, the connection ends or waits, and nothing of it is left afterwards. */
#include "base/rng.h"
#include "link/link_tcp.h"
#include "link/noise.h"
#include "link/preamble.h"
#include "link/record.h"
#include "link/wire_rules.h"
#include "wire/messages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How long the kernel may take to bring bytes or a reset over loopback. Chosen: it is a matter of
 * microseconds, but on a busy machine another process may have the CPU for a while. */
#define PATIENCE_NS (20 * (uint64_t)1000000000)

/* Turns of the loop before it waits, and how long it then waits at most before it looks again.
 * Chosen: what is needed has nearly always happened after two or three. */
#define EAGER_TURNS 8
#define SLICE_MS    10

/* Nothing may end by a deadline here: longer than any input takes. */
#define NEVER_MS (3600u * 1000u)

static struct {
    uv_loop_t loop;
    struct p2_rng rng;
    struct p2_identity identity;
    struct p2_transport *transport;
    struct p2_listener *listener;
    bool is_ready;
} target;

static void draw(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_rng_bytes(&target.rng, out, size);
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    (void)ctx;
    if (p2_link_peer_role(link) == P2_ROLE_STRANGER) {
        (void)p2_link_accept(link, type == P2_MSG_JOIN ? P2_ROLE_GAMER : P2_ROLE_HELPER, NULL);
    } else if (type == P2_MSG_RESULT) {
        (void)p2_link_send(link, P2_MSG_LEASE, body);
    }
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    (void)link;
    (void)reason;
    (void)ctx;
}

static int on_peer(struct p2_link *link, void *ctx, void **ret_ctx)
{
    (void)link;
    *ret_ctx = ctx;
    return P2_OK;
}

static void set_up(void)
{
    static const struct p2_link_events events = {.on_message = on_message, .on_close = on_close};
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    uint8_t seed[P2_KEY_BYTES] = {0};
    struct p2_tcp_options options;
    P2_ASSERT(p2_crypto_init() == P2_OK && uv_loop_init(&target.loop) == 0);
    p2_rng_init_u64(&target.rng, 1, "fuzz");
    while (p2_identity_from_seed(&target.identity, seed) != P2_OK) {
        seed[0]++;
    }
    p2_tcp_options_init(&options);
    options.loop = &target.loop;
    options.identity = &target.identity;
    options.rules = &p2_link_wire_rules;
    options.entropy = draw;
    options.local_peers = P2_LOCAL_PEERS_ALLOW;
    options.handshake_timeout_ms = NEVER_MS;
    options.stranger_timeout_ms = NEVER_MS;
    P2_ASSERT(p2_tcp_new(&target.transport, &options) == P2_OK);
    struct p2_listen_options listen = {.address = {.ip = p2_ip_from_v4(loopback)},
                                       .own_role = P2_ROLE_AUTHORITY,
                                       .events = &events,
                                       .on_peer = on_peer};
    P2_ASSERT(p2_transport_listen(target.transport, &listen, &target.listener) == P2_OK);
    target.is_ready = true;
}

/* Runs the loop until is_done(ctx), sleeping in the kernel when nothing happens. `fd` may become
 * readable for is_done; -1: no such. */
static void run_until(bool (*is_done)(void *ctx), void *ctx, int fd)
{
    uint64_t end_ns = uv_hrtime() + PATIENCE_NS;
    struct pollfd what[2] = {{.fd = uv_backend_fd(&target.loop), .events = POLLIN},
                             {.fd = fd, .events = POLLIN}};
    for (unsigned turn = 0; !is_done(ctx); turn++) {
        (void)uv_run(&target.loop, UV_RUN_NOWAIT);
        if (turn >= EAGER_TURNS) {
            P2_ASSERT(uv_hrtime() < end_ns);
            (void)poll(what, 2, SLICE_MS); /* a failure only means another look */
        }
    }
}

/* Connections the listener has seen, whatever became of them. */
static uint64_t seen(void)
{
    struct p2_tcp_stats stats = p2_tcp_stats(target.transport);
    return stats.accepted + stats.refused;
}

static bool has_seen_more(void *ctx)
{
    return seen() > *(const uint64_t *)ctx;
}

static bool has_no_links(void *ctx)
{
    (void)ctx;
    return p2_tcp_stats(target.transport).links == 0;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(p2_listener_address(target.listener).port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* Closing resets: no address lingers, or a long run would use up the ports. */
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    uint64_t before = seen();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    P2_ASSERT(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    run_until(has_seen_more, &before, -1);
    return fd;
}

static void write_all(int fd, const uint8_t *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT); /* the listener may have closed */
    (void)uv_run(&target.loop, UV_RUN_NOWAIT);
}

struct reading {
    int fd;
    uint8_t *data;
    size_t left;
};

static bool has_read(void *ctx)
{
    struct reading *reading = ctx;
    ssize_t got = recv(reading->fd, reading->data, reading->left, MSG_DONTWAIT);
    P2_ASSERT(got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
    if (got > 0) {
        reading->data += got;
        reading->left -= (size_t)got;
    }
    return reading->left == 0;
}

static void receive(int fd, uint8_t *data, size_t size)
{
    struct reading reading = {fd, data, size};
    run_until(has_read, &reading, fd);
}

/* An honest dialler's handshake; its sending keys. */
static void handshake(int fd, struct p2_record_cipher *send)
{
    static const uint8_t network_id[P2_KEY_BYTES];
    static const uint8_t ephemeral[P2_KEY_BYTES] = {7};
    uint8_t bytes[128], prologue[P2_PROLOGUE_BYTES], keys[2][P2_KEY_BYTES], hash[64];
    struct p2_noise noise;
    size_t size = 0;
    p2_preamble_format(bytes, P2_CIPHER_CHACHAPOLY);
    p2_preamble_prologue(prologue, network_id, bytes);
    struct p2_noise_options options = {.role = P2_NOISE_INITIATOR,
                                       .cipher = P2_CIPHER_CHACHAPOLY,
                                       .prologue = p2_span(prologue, sizeof prologue),
                                       .static_secret = target.identity.exchange_secret,
                                       .static_public = target.identity.exchange_public,
                                       .remote_static = target.identity.exchange_public,
                                       .ephemeral_secret = ephemeral};
    P2_ASSERT(p2_noise_init(&noise, &options) == P2_OK);
    P2_ASSERT(p2_noise_write(&noise, p2_span(NULL, 0), bytes + P2_PREAMBLE_BYTES, 100, &size) ==
              P2_OK);
    write_all(fd, bytes, P2_PREAMBLE_BYTES + size);
    receive(fd, bytes, P2_NOISE_MESSAGE_2_BYTES);
    P2_ASSERT(p2_noise_read(&noise, p2_span(bytes, P2_NOISE_MESSAGE_2_BYTES), hash, 0, &size) ==
              P2_OK);
    P2_ASSERT(p2_noise_write(&noise, p2_span(NULL, 0), bytes, sizeof bytes, &size) == P2_OK);
    write_all(fd, bytes, size);
    P2_ASSERT(p2_noise_split(&noise, keys[0], keys[1], hash) == P2_OK);
    P2_ASSERT(p2_record_init(send, P2_CIPHER_CHACHAPOLY, keys[0]) == P2_OK);
}

static void send_records(int fd, struct p2_reader *input)
{
    struct p2_record_cipher send;
    uint8_t record[256 + P2_RECORD_OVERHEAD];
    handshake(fd, &send);
    while (input->left > 1) {
        size_t length = p2_reader_u8(input);
        length = length == 0 ? 1 : length;
        struct p2_span plain = p2_reader_bytes(input, length < input->left ? length : input->left);
        P2_ASSERT(p2_record_seal(&send, record, plain.data, plain.size) == P2_OK);
        write_all(fd, record, plain.size + P2_RECORD_OVERHEAD);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_reader input;
    if (!target.is_ready) {
        set_up();
    }
    p2_reader_init(&input, p2_span(data, size));
    bool has_handshake = p2_reader_u8(&input) % 2 == 1;
    int fd = dial();
    if (has_handshake) {
        send_records(fd, &input);
    } else if (input.left > 0) {
        write_all(fd, input.data, input.left);
    }
    (void)uv_run(&target.loop, UV_RUN_NOWAIT);
    (void)close(fd);
    run_until(has_no_links, NULL, -1);
    P2_ASSERT(p2_tcp_stats(target.transport).used_bytes == 0);
    return 0;
}
