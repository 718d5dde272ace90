/* See the header. */
#include "tests/unit/link/tcp_fixture.h"

#include "link/mux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Chosen: longer than any machine is busy. */
#define PATIENCE_MS 120000
#define NEVER_MS    (3600u * 1000u)

/* ---- callbacks --------------------------------------------------------------------------------- */

static void on_open(struct p2_link *link, void *ctx)
{
    struct side *side = ctx;
    side->opened++;
    CU_ASSERT_EQUAL(side->closed, 0);
    side->link = link;
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct side *side = ctx;
    CU_ASSERT_EQUAL(side->closed, 0);
    if (side->messages < (int)sizeof side->sequence) {
        side->sequence[side->messages] = type;
    }
    side->messages++;
    side->last_type = type;
    side->last_size = body.size;
    side->bytes += body.size;
    size_t part = body.size < sizeof side->last_body ? body.size : sizeof side->last_body;
    if (part > 0) {
        memcpy(side->last_body, body.data, part);
    }
    if (side->closes_on_message) {
        p2_link_close(link, P2_E_CANCELLED);
        CU_ASSERT_EQUAL(side->closed, 0);
        return;
    }
    if ((type == P2_MSG_HELLO || type == P2_MSG_JOIN) && !side->is_undecided) {
        uint8_t role = type == P2_MSG_HELLO ? P2_ROLE_HELPER : P2_ROLE_GAMER;
        side->accept_error = p2_link_accept(link, role, side->check_id);
        if (side->accept_error != P2_OK) {
            p2_link_close(link, side->accept_error);
        }
    }
    if (type == P2_MSG_LEASE && side->is_echoing) {
        (void)p2_link_send(link, P2_MSG_RESULT, body);
    }
}

static void on_drained(struct p2_link *link, void *ctx)
{
    struct side *side = ctx;
    side->drained++;
    if (side->closes_on_drained) {
        P2_ASSERT_ERROR(p2_link_send(link, P2_MSG_LEASE, p2_span("x", 1)), P2_OK);
        p2_link_close(link, P2_E_CANCELLED);
    }
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct side *side = ctx;
    (void)link;
    side->closed++;
    side->reason = reason;
    side->link = NULL;
}

const struct p2_link_events side_events = {
    .on_open = on_open, .on_message = on_message, .on_drained = on_drained, .on_close = on_close};

static int on_peer(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    struct fixture *fixture = listener_ctx;
    if (fixture->peer_error != P2_OK || fixture->accepted_count == SIDES_MAX) {
        return fixture->peer_error != P2_OK ? fixture->peer_error : P2_E_LIMIT;
    }
    struct side *side = &fixture->accepted[fixture->accepted_count++];
    *side = fixture->template;
    *ret_ctx = side;
    if (fixture->closes_on_peer) {
        p2_link_close(link, P2_E_BUSY);
    }
    return P2_OK;
}

static void on_refused(void *ctx, const struct p2_link_address *peer, int reason)
{
    struct fixture *fixture = ctx;
    (void)peer;
    if (fixture->refused_count < REFUSED_MAX) {
        fixture->refused[fixture->refused_count++] = reason;
    }
}

static void on_warning(void *ctx, int error, const char *text)
{
    struct fixture *fixture = ctx;
    (void)text;
    P2_ASSERT_ERROR(error, P2_E_LIMIT);
    fixture->warnings++;
}

static void draw(void *ctx, void *out, size_t size)
{
    struct fixture *fixture = ctx;
    p2_rng_bytes(&fixture->rng, out, size);
}

/* ---- the two transports ------------------------------------------------------------------------ */

static void make_identity(struct fixture *fixture, struct p2_identity *identity)
{
    uint8_t seed[P2_KEY_BYTES];
    do {
        p2_rng_bytes(&fixture->rng, seed, sizeof seed);
    } while (p2_identity_from_seed(identity, seed) != P2_OK);
}

static struct p2_transport *make_transport(struct fixture *fixture,
                                           const struct p2_identity *identity, bool is_server,
                                           void (*change)(struct p2_tcp_options *, bool))
{
    struct p2_transport *transport = NULL;
    struct p2_tcp_options options;
    p2_tcp_options_init(&options);
    options.loop = &fixture->loop;
    options.identity = identity;
    options.rules = &p2_link_wire_rules;
    options.entropy = draw;
    options.on_refused = on_refused;
    options.on_warning = on_warning;
    options.ctx = fixture;
    options.local_peers = P2_LOCAL_PEERS_ALLOW;
    /* On a busy machine no deadline may pass that is not the test's. */
    options.handshake_timeout_ms = NEVER_MS;
    options.stranger_timeout_ms = NEVER_MS;
    options.idle_timeout_ms = NEVER_MS;
    options.partial_timeout_ms = NEVER_MS;
    options.stall_timeout_ms = NEVER_MS;
    options.drain_timeout_ms = NEVER_MS;
    if (change != NULL) {
        change(&options, is_server);
    }
    P2_ASSERT_ERROR(p2_tcp_new(&transport, &options), P2_OK);
    return transport;
}

void fixture_start(struct fixture *fixture,
                   void (*change)(struct p2_tcp_options *options, bool is_server))
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    memset(fixture, 0, sizeof *fixture);
    p2_rng_init_u64(&fixture->rng, 1, "test");
    CU_ASSERT_EQUAL(uv_loop_init(&fixture->loop), 0);
    make_identity(fixture, &fixture->server_identity);
    make_identity(fixture, &fixture->client_identity);
    fixture->server = make_transport(fixture, &fixture->server_identity, true, change);
    fixture->client = make_transport(fixture, &fixture->client_identity, false, change);
    struct p2_listen_options options = {.address = {.ip = p2_ip_from_v4(loopback)},
                                        .own_role = P2_ROLE_AUTHORITY,
                                        .events = &side_events,
                                        .on_peer = on_peer,
                                        .ctx = fixture};
    P2_ASSERT_ERROR(p2_transport_listen(fixture->server, &options, &fixture->listener), P2_OK);
    fixture->address = p2_listener_address(fixture->listener);
}

void fixture_on_stopped(void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->stopped++;
}

static bool is_stopped(struct fixture *fixture, void *ctx)
{
    (void)ctx;
    return fixture->stopped == 2;
}

void fixture_stop(struct fixture *fixture)
{
    p2_transport_stop(fixture->server, false, fixture_on_stopped, fixture);
    CU_ASSERT_EQUAL(fixture->stopped, 0);
    fixture_stop_client(fixture);
}

void fixture_stop_client(struct fixture *fixture)
{
    p2_transport_stop(fixture->client, false, fixture_on_stopped, fixture);
    CU_ASSERT_TRUE(fixture_run(fixture, is_stopped, NULL));
    CU_ASSERT_EQUAL(p2_tcp_stats(fixture->server).links, 0);
    CU_ASSERT_EQUAL(p2_tcp_stats(fixture->server).used_bytes, 0);
    p2_tcp_free(fixture->client);
    p2_tcp_free(fixture->server);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&fixture->loop), 0);
}

static void on_watchdog(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

bool fixture_run(struct fixture *fixture, bool (*is_done)(struct fixture *fixture, void *ctx),
                 void *ctx)
{
    static uv_timer_t watchdog;
    bool is_over = false;
    (void)uv_timer_init(&fixture->loop, &watchdog);
    watchdog.data = &is_over;
    (void)uv_timer_start(&watchdog, on_watchdog, PATIENCE_MS, 0);
    while (!is_done(fixture, ctx) && !is_over) {
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&watchdog, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    return !is_over;
}

struct wanted {
    const int *counter;
    int count;
};

static bool is_reached(struct fixture *fixture, void *ctx)
{
    const struct wanted *wanted = ctx;
    (void)fixture;
    return *wanted->counter >= wanted->count;
}

bool fixture_wait(struct fixture *fixture, const int *counter, int wanted)
{
    return fixture_run(fixture, is_reached, &(struct wanted){counter, wanted});
}

static bool is_refused(struct fixture *fixture, void *ctx)
{
    return fixture->refused_count >= *(unsigned *)ctx;
}

bool fixture_wait_refused(struct fixture *fixture, unsigned wanted)
{
    return fixture_run(fixture, is_refused, &wanted);
}

static bool is_accepted(struct fixture *fixture, void *ctx)
{
    return fixture->accepted_count >= *(unsigned *)ctx;
}

bool fixture_wait_accepted(struct fixture *fixture, unsigned wanted)
{
    return fixture_run(fixture, is_accepted, &wanted);
}

unsigned fixture_refusals(const struct fixture *fixture, int reason)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fixture->refused_count; i++) {
        count += fixture->refused[i] == reason;
    }
    return count;
}

int fixture_dial(struct fixture *fixture, struct side *side, enum p2_cipher cipher)
{
    struct p2_link_target target = {.address = fixture->address,
                                    .cipher = cipher,
                                    .own_role = P2_ROLE_HELPER,
                                    .peer_role = P2_ROLE_AUTHORITY,
                                    .events = &side_events,
                                    .ctx = side};
    memcpy(target.id.bytes, fixture->server_identity.public_key, P2_ID_BYTES);
    return p2_transport_dial(fixture->client, &target, &side->link);
}

struct side *fixture_connect(struct fixture *fixture, struct side *side, enum p2_cipher cipher)
{
    unsigned index = fixture->accepted_count;
    P2_ASSERT_ERROR(fixture_dial(fixture, side, cipher), P2_OK);
    CU_ASSERT_EQUAL(side->opened, 0);
    CU_ASSERT_TRUE(fixture_wait(fixture, &side->opened, 1));
    P2_ASSERT_ERROR(p2_link_send(side->link, P2_MSG_HELLO, p2_span("hello", 5)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(fixture, &fixture->accepted[index].messages, 1));
    P2_ASSERT_ERROR(fixture->accepted[index].accept_error, P2_OK);
    return &fixture->accepted[index];
}

/* ---- a peer by hand ---------------------------------------------------------------------------- */

void raw_connect(struct fixture *fixture, struct raw *raw)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(fixture->address.port)};
    int on = 1;
    memcpy(&to.sin_addr, fixture->address.ip.bytes, 4);
    memset(raw, 0, sizeof *raw);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_TRUE_FATAL(raw->fd >= 0);
    CU_ASSERT_EQUAL(connect(raw->fd, (const struct sockaddr *)&to, sizeof to), 0);
    (void)setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    p2_preamble_format(raw->preamble, P2_CIPHER_CHACHAPOLY);
}

void raw_write(struct raw *raw, const void *data, size_t size)
{
    /* A server that has closed already is one of the expected outcomes. */
    (void)!send(raw->fd, data, size, MSG_NOSIGNAL);
}

struct reading {
    int fd;
    uint8_t *data;
    size_t left;
    bool has_ended;
};

static bool has_read(struct fixture *fixture, void *ctx)
{
    struct reading *reading = ctx;
    ssize_t got = 1;
    (void)fixture;
    while (reading->left > 0 && got > 0) {
        got = recv(reading->fd, reading->data, reading->left, MSG_DONTWAIT);
        if (got > 0) {
            reading->data += got;
            reading->left -= (size_t)got;
        }
    }
    reading->has_ended = got == 0 || (got < 0 && errno != EAGAIN);
    return reading->left == 0 || reading->has_ended;
}

static void on_spin(uv_idle_t *spin)
{
    (void)spin;
}

bool raw_read(struct fixture *fixture, struct raw *raw, void *data, size_t size)
{
    struct reading reading = {raw->fd, data, size, false};
    uv_idle_t spin; /* our socket is not in the loop: it must not sleep */
    (void)uv_idle_init(&fixture->loop, &spin);
    (void)uv_idle_start(&spin, on_spin);
    bool is_done = fixture_run(fixture, has_read, &reading);
    uv_close((uv_handle_t *)&spin, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    return is_done && reading.left == 0;
}

void raw_noise(struct fixture *fixture, struct raw *raw, const struct p2_identity *identity,
               const uint8_t server_key[P2_KEY_BYTES])
{
    uint8_t prologue[P2_PROLOGUE_BYTES];
    uint8_t ephemeral[P2_KEY_BYTES];
    static const uint8_t network_id[P2_KEY_BYTES];
    p2_preamble_prologue(prologue, network_id, raw->preamble);
    p2_rng_bytes(&fixture->rng, ephemeral, sizeof ephemeral);
    struct p2_noise_options options = {.role = P2_NOISE_INITIATOR,
                                       .cipher = P2_CIPHER_CHACHAPOLY,
                                       .prologue = p2_span(prologue, sizeof prologue),
                                       .static_secret = identity->exchange_secret,
                                       .static_public = identity->exchange_public,
                                       .remote_static = server_key,
                                       .ephemeral_secret = ephemeral};
    P2_ASSERT_ERROR(p2_noise_init(&raw->noise, &options), P2_OK);
}

bool raw_handshake(struct fixture *fixture, struct raw *raw, const struct p2_identity *identity)
{
    uint8_t bytes[128];
    uint8_t keys[2][P2_KEY_BYTES];
    uint8_t hash[64];
    size_t size = 0;
    raw_noise(fixture, raw, identity, fixture->server_identity.exchange_public);
    memcpy(bytes, raw->preamble, P2_PREAMBLE_BYTES);
    P2_ASSERT_ERROR(p2_noise_write(&raw->noise, p2_span(NULL, 0), bytes + P2_PREAMBLE_BYTES,
                                   sizeof bytes - P2_PREAMBLE_BYTES, &size),
                    P2_OK);
    raw_write(raw, bytes, P2_PREAMBLE_BYTES + size);
    if (!raw_read(fixture, raw, bytes, P2_NOISE_MESSAGE_2_BYTES)) {
        return false;
    }
    uint8_t payload[1];
    P2_ASSERT_ERROR(
        p2_noise_read(&raw->noise, p2_span(bytes, P2_NOISE_MESSAGE_2_BYTES), payload, 0, &size),
        P2_OK);
    P2_ASSERT_ERROR(p2_noise_write(&raw->noise, p2_span(NULL, 0), bytes, sizeof bytes, &size),
                    P2_OK);
    raw_write(raw, bytes, size);
    P2_ASSERT_ERROR(p2_noise_split(&raw->noise, keys[0], keys[1], hash), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(&raw->send, P2_CIPHER_CHACHAPOLY, keys[0]), P2_OK);
    P2_ASSERT_ERROR(p2_record_init(&raw->receive, P2_CIPHER_CHACHAPOLY, keys[1]), P2_OK);
    return true;
}

size_t raw_seal(struct raw *raw, uint8_t *out, const void *plaintext, size_t size)
{
    P2_ASSERT_ERROR(p2_record_seal(&raw->send, out, plaintext, size), P2_OK);
    return size + P2_RECORD_OVERHEAD;
}

void raw_send(struct raw *raw, uint8_t type, const void *body, size_t size)
{
    static uint8_t plaintext[P2_RECORD_PLAINTEXT_MAX];
    static uint8_t record[P2_RECORD_BYTES_MAX];
    plaintext[0] = P2_MUX_WHOLE;
    plaintext[1] = type;
    p2_store_be16(plaintext + 2, (uint16_t)size);
    memcpy(plaintext + P2_MUX_HEADER_BYTES, body, size);
    raw_write(raw, record, raw_seal(raw, record, plaintext, P2_MUX_HEADER_BYTES + size));
}

void raw_close(struct raw *raw)
{
    (void)close(raw->fd);
    raw->fd = -1;
}
