/* The production core behind the production links: what `dispatch` measures. The driver is a small
 * shell: messages and time become events, effects become messages; a kernel's check is nothing. A
 * game submits tasks 60 times a second, so many that the helpers' credit is always used up; the core
 * keeps the constant window. The peers are processes that answer leases with a no-op. */
#include "tests/bench/bench_link.h"

#include "authority/core.h"
#include "base/entropy.h"
#include "link/link_tcp.h"
#include "link/wire_rules.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LEASES_MAX   8192u
#define TASKS_MAX    P2_CORE_TASKS_MAX
#define SLACK_FRAMES 10u /* 167 ms; what is settled waits for its frame */
#define CHECKS_MAX   1024u
#define SENT_MAX     65536u /* power of two: send times by lease */

struct dispatch_check {
    uint64_t lease;
    struct p2_span bytes; /* of the message, valid in this turn */
};

struct dispatch {
    uv_loop_t loop;
    uv_timer_t timer;
    struct p2_transport *transport;
    struct bench_load *load; /* NULL in a peer */
    const struct bench_case *bench;
    struct p2_core core;
    struct p2_core_kernel kernel;
    struct p2_outbox out;
    uint16_t session;
    bool is_started;
    uint32_t ready;
    uint64_t epoch_ns;
    uint64_t accepted;
    uint64_t accepted_at_tick;
    struct p2_link *links[BENCH_PEERS_MAX];
    struct dispatch_check checks[CHECKS_MAX];
    uint32_t check_count;
    uint64_t sent_ns[SENT_MAX];
    uint8_t payload[65536];
    uint8_t message[65536 + 512];
};

/* What a link's user is: one slot of the table. */
struct dispatch_peer {
    struct dispatch *own;
    uint32_t index;
};

static struct dispatch_peer peers[BENCH_PEERS_MAX];

static void must(int error, const char *what)
{
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2r-bench: %s: %s\n", what, p2_error_text(error));
        exit(99);
    }
}

static void identity_of(struct p2_identity *identity, uint8_t first)
{
    uint8_t seed[P2_KEY_BYTES] = {first};
    while (p2_identity_from_seed(identity, seed) != P2_OK) {
        seed[1]++;
    }
}

static void draw(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_entropy(out, size);
}

static uint64_t now_us(const struct dispatch *own)
{
    return (bench_now_ns() - own->epoch_ns) / 1000u + 1000000u;
}

/* ---- the game ---------------------------------------------------------------------------------- */

/* Keeps two frames' worth of tasks waiting. */
static void tick(void *ctx, uint64_t frame)
{
    struct dispatch *own = ctx;
    const struct p2_pipeline *pipeline = &own->core.sessions[own->session].pipeline;
    if (!own->is_started) {
        return;
    }
    uint64_t done = own->accepted - own->accepted_at_tick;
    own->accepted_at_tick = own->accepted;
    uint64_t wanted = 2 * done + 4u * own->bench->inflight + 64u;
    uint64_t waiting = pipeline->waiting[P2_CLASS_C3].count;
    struct p2_task_spec spec = {.class = P2_CLASS_C3,
                                .slack_frames = SLACK_FRAMES,
                                .weight = 1,
                                .replicas = (uint8_t)own->bench->replicas,
                                .output_max = own->bench->rep_bytes,
                                .cost_units = 5,
                                .tag = frame,
                                .input = p2_span(own->payload, own->bench->req_bytes)};
    for (; waiting < wanted && pipeline->all.count + 1 < TASKS_MAX; waiting++) {
        uint64_t task;
        if (p2_session_submit(&own->core, own->session, &spec, &task) != P2_OK) {
            break;
        }
    }
}

/* ---- the shell --------------------------------------------------------------------------------- */

static void send_effect(struct dispatch *own, const struct p2_effect *effect)
{
    static const struct p2_effect_terms terms = {.ping_ms = 15000};
    struct p2_writer writer;
    uint8_t type = 0;
    p2_writer_init(&writer, own->message, sizeof own->message);
    must(p2_effect_encode(effect, &terms, &writer, &type), "encode");
    if (effect->type == P2_EFFECT_ACCEPT) {
        must(p2_link_accept(own->links[effect->peer], P2_ROLE_HELPER, NULL), "accept");
    }
    must(p2_link_send(own->links[effect->peer], type, p2_writer_span(&writer)), "send");
    if (effect->type == P2_EFFECT_LEASE) {
        own->sent_ns[effect->lease % SENT_MAX] = bench_now_ns();
    }
}

static void step(struct dispatch *own, const struct p2_event *event)
{
    must(p2_core_step(&own->core, event, now_us(own), &own->out), "step");
    for (uint32_t i = 0; i < own->out.count; i++) {
        const struct p2_effect *effect = &own->out.items[i];
        if (effect->type == P2_EFFECT_CHECK && own->check_count < CHECKS_MAX) {
            own->checks[own->check_count++] =
                (struct dispatch_check){effect->lease, effect->result};
        } else if (effect->type <= P2_EFFECT_BLOB_DROP) {
            send_effect(own, effect);
        } else if (effect->type == P2_EFFECT_CLOSE || effect->type == P2_EFFECT_INTEGRITY) {
            bench_die("the core is not content with a helper");
        }
    }
    p2_outbox_clear(&own->out);
}

/* The checks of the message at hand; its bytes are still there. */
static void run_checks(struct dispatch *own)
{
    for (uint32_t i = 0; i < own->check_count; i++) {
        const struct dispatch_check *item = &own->checks[i];
        uint64_t sent_ns = own->sent_ns[item->lease % SENT_MAX];
        step(own, &(struct p2_event){
                      .type = P2_EVENT_CHECKED, .lease = item->lease, .bytes = item->bytes});
        uint64_t accepted = own->core.counters.results_accepted;
        if (accepted > own->accepted) {
            own->accepted = accepted;
            (void)bench_load_count(own->load, sent_ns);
        }
    }
    own->check_count = 0;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct dispatch *own)
{
    uint64_t wake_us = p2_core_wake_us(&own->core);
    uint64_t at_us = now_us(own);
    uint64_t wait_ms = wake_us > at_us ? (wake_us - at_us + 999u) / 1000u : 0;
    (void)uv_timer_start(&own->timer, on_timer, wait_ms < 1000u ? wait_ms : 1000u, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct dispatch *own = timer->data;
    step(own, &(struct p2_event){.type = P2_EVENT_TIME});
    uint32_t active = 0;
    for (uint32_t i = 0; i < own->ready; i++) {
        active += own->core.helpers.items[i].state == P2_HELPER_ACTIVE ? 1 : 0;
    }
    if (!own->is_started && active == own->bench->peers) {
        own->is_started = true;
        bench_load_begin(own->load);
    }
    arm(own);
}

static void driver_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    const struct dispatch_peer *peer = ctx;
    struct dispatch *own = peer->own;
    (void)link;
    if (own->load->is_over) {
        return;
    }
    step(own, &(struct p2_event){
                  .type = P2_EVENT_MESSAGE, .peer = peer->index, .message = type, .bytes = body});
    run_checks(own);
}

static void on_stopped(void *ctx)
{
    (void)ctx;
}

static void driver_close(struct p2_link *link, int reason, void *ctx)
{
    const struct dispatch_peer *peer = ctx;
    (void)link;
    if (!peer->own->load->is_over) {
        must(reason, "a link closed");
    }
}

static const struct p2_link_events driver_events = {.on_message = driver_message,
                                                    .on_close = driver_close};

/* Loopback's round trip is measured by the first pings only; until then the bench says what it is. */
static int on_peer(struct p2_link *link, void *ctx, void **ret_ctx)
{
    struct dispatch *own = ctx;
    if (own->ready == own->bench->peers) {
        return P2_E_LIMIT;
    }
    uint32_t index = own->ready++;
    const uint8_t ip[4] = {127, 0, 0, 1};
    peers[index] = (struct dispatch_peer){own, index};
    own->links[index] = link;
    *ret_ctx = &peers[index];
    step(own, &(struct p2_event){.type = P2_EVENT_OPENED, .peer = index, .ip = p2_ip_from_v4(ip)});
    step(own,
         &(struct p2_event){.type = P2_EVENT_RTT, .peer = index, .rtt_us = 200, .jitter_us = 50});
    return P2_OK;
}

static void stop(struct bench_load *load)
{
    struct dispatch *own = load->ctx;
    (void)uv_timer_stop(&own->timer);
    uv_close((uv_handle_t *)&own->timer, NULL);
    p2_transport_stop(own->transport, false, on_stopped, NULL);
}

static struct p2_link_address loopback(uint16_t port)
{
    static const uint8_t bytes[4] = {127, 0, 0, 1};
    return (struct p2_link_address){.ip = p2_ip_from_v4(bytes), .port = port};
}

static struct dispatch *dispatch_new(const struct bench_case *bench,
                                     const struct p2_identity *identity)
{
    struct p2_tcp_options options;
    struct dispatch *own = calloc(1, sizeof *own);
    if (own == NULL || uv_loop_init(&own->loop) != 0) {
        bench_die("a loop");
    }
    p2_tcp_options_init(&options);
    options.loop = &own->loop;
    options.identity = identity;
    options.rules = &p2_link_wire_rules;
    options.entropy = draw;
    options.local_peers = P2_LOCAL_PEERS_ALLOW;
    must(p2_tcp_new(&own->transport, &options), "transport");
    own->bench = bench;
    own->epoch_ns = bench_now_ns();
    return own;
}

static void dispatch_run(struct dispatch *own)
{
    (void)uv_run(&own->loop, UV_RUN_DEFAULT);
    p2_tcp_free(own->transport);
    if (uv_loop_close(&own->loop) != 0) {
        bench_die("the loop is not empty");
    }
    p2_outbox_free(&own->out);
    p2_core_free(&own->core);
    free(own);
}

/* Classes with slack use three quarters of a helper's window. */
static uint16_t window_of(const struct bench_case *bench)
{
    uint32_t wanted = bench->inflight * (bench->replicas > 1 ? 2u : 1u) / bench->peers;
    uint32_t window = wanted > 0 ? wanted : 1;
    while (window - window / 4 < wanted) {
        window++;
    }
    return (uint16_t)(window < 1024u ? window : 1024u);
}

static void make_core(struct dispatch *own)
{
    const struct bench_case *bench = own->bench;
    own->kernel = (struct p2_core_kernel){.name = "noop",
                                          .version = 1,
                                          .warm_input = p2_span("warm", 4),
                                          .warm_cost = 5,
                                          .warm_output_max = bench->rep_bytes};
    struct p2_span right = p2_span(own->payload, bench->rep_bytes);
    p2_hash(own->kernel.warm_digest, sizeof own->kernel.warm_digest, &right, 1);
    struct p2_core_options options = {.kernels = &own->kernel,
                                      .kernel_count = 1,
                                      .helpers_max = BENCH_PEERS_MAX,
                                      .leases_max = LEASES_MAX,
                                      .blobs_each = 8,
                                      .sessions_max = 1,
                                      .window_max = window_of(bench),
                                      .is_open = true,
                                      .local_peers = P2_LOCAL_PEERS_ALLOW};
    p2_rng_init_u64(&options.rng, 1, "bench");
    must(p2_core_init(&own->core, &options), "core");
    struct p2_session_options session = {.game = {.ctx = own, .tick = tick},
                                         .tasks_max = TASKS_MAX,
                                         .memory_max = (size_t)256 << 20,
                                         .start_us = now_us(own) + 1000u};
    must(p2_session_open(&own->core, &session, &own->session), "session");
    must(p2_outbox_init(&own->out, p2_core_outbox_needed(&own->core)), "outbox");
}

static void drive(struct bench_load *load)
{
    struct p2_identity identity;
    struct p2_listener *listener = NULL;
    identity_of(&identity, 1);
    struct dispatch *own = dispatch_new(load->bench, &identity);
    own->load = load;
    load->stop = stop;
    load->ctx = own;
    make_core(own);
    own->timer.data = own;
    (void)uv_timer_init(&own->loop, &own->timer);
    arm(own);
    struct p2_listen_options options = {.address = loopback(0),
                                        .own_role = P2_ROLE_AUTHORITY,
                                        .events = &driver_events,
                                        .on_peer = on_peer,
                                        .ctx = own};
    must(p2_transport_listen(own->transport, &options, &listener), "listen");
    load->publish(load, p2_listener_address(listener).port);
    dispatch_run(own);
}

/* ---- peer -------------------------------------------------------------------------------------- */

static void peer_open(struct p2_link *link, void *ctx)
{
    struct dispatch *own = ctx;
    uint8_t key[P2_ID_BYTES];
    p2_entropy(key, sizeof key);
    struct p2_msg_hello hello = {
        .protocol = P2_WIRE_PROTOCOL, .cores = 1, .slots = 1024, .kernels_count = 1};
    memcpy(hello.node.bytes, key, sizeof key); /* who it is does not matter here */
    hello.kernels[0].name = p2_span("noop", 4);
    hello.kernels[0].version = 1;
    struct p2_writer writer;
    p2_writer_init(&writer, own->message, P2_WIRE_STRANGER_MAX);
    must(p2_wire_encode_hello(&writer, &hello), "hello");
    must(p2_link_send(link, P2_MSG_HELLO, p2_writer_span(&writer)), "hello");
}

static void peer_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct dispatch *own = ctx;
    struct p2_msg_lease lease;
    if (type != P2_MSG_LEASE) {
        return; /* ACCEPT, CANCEL */
    }
    must(p2_wire_decode_lease(&lease, body), "decode");
    struct p2_msg_result result = {.id = lease.id,
                                   .status = P2_RESULT_STATUS_OK,
                                   .codec = P2_CODEC_RAW,
                                   .exec_us = 5,
                                   .output = p2_span(own->payload, own->bench->rep_bytes)};
    struct p2_writer writer;
    p2_writer_init(&writer, own->message, sizeof own->message);
    must(p2_wire_encode_result(&writer, &result), "encode");
    must(p2_link_send(link, P2_MSG_RESULT, p2_writer_span(&writer)), "send");
}

static void peer_close(struct p2_link *link, int reason, void *ctx)
{
    struct dispatch *own = ctx;
    (void)link;
    (void)reason;
    p2_transport_stop(own->transport, false, on_stopped, NULL);
}

static const struct p2_link_events peer_events = {
    .on_open = peer_open, .on_message = peer_message, .on_close = peer_close};

static void serve(const struct bench_case *bench, uint16_t port)
{
    struct p2_identity identity;
    struct p2_identity driver;
    struct p2_link *link = NULL;
    identity_of(&identity, 2);
    identity_of(&driver, 1);
    struct dispatch *own = dispatch_new(bench, &identity);
    struct p2_link_target target = {.address = loopback(port),
                                    .cipher = bench->cipher,
                                    .own_role = P2_ROLE_HELPER,
                                    .peer_role = P2_ROLE_AUTHORITY,
                                    .events = &peer_events,
                                    .ctx = own};
    memcpy(target.id.bytes, driver.public_key, P2_ID_BYTES);
    must(p2_transport_dial(own->transport, &target, &link), "dial");
    dispatch_run(own);
}

const struct bench_system bench_core = {"core", drive, serve};
