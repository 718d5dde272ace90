/* Ours: the real transport and the real messages, with a no-op in place of a kernel. */
#include "tests/bench/bench_link.h"

#include "base/entropy.h"
#include "link/link_tcp.h"
#include "link/wire_rules.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct ours {
    uv_loop_t loop;
    struct p2_transport *transport;
    struct bench_load *load; /* NULL in a peer */
    const struct bench_case *bench;
    uint8_t payload[65536];
    uint8_t message[65536 + 512];
};

static void check(int error, const char *what)
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

static struct ours *ours_new(const struct bench_case *bench, const struct p2_identity *identity)
{
    struct p2_tcp_options options;
    struct ours *ours = calloc(1, sizeof *ours);
    if (ours == NULL || uv_loop_init(&ours->loop) != 0) {
        bench_die("a loop");
    }
    p2_tcp_options_init(&options);
    options.loop = &ours->loop;
    options.identity = identity;
    options.rules = &p2_link_wire_rules;
    options.entropy = draw;
    options.local_peers = P2_LOCAL_PEERS_ALLOW;
    check(p2_tcp_new(&ours->transport, &options), "transport");
    ours->bench = bench;
    return ours;
}

static void ours_run(struct ours *ours)
{
    (void)uv_run(&ours->loop, UV_RUN_DEFAULT);
    p2_tcp_free(ours->transport);
    if (uv_loop_close(&ours->loop) != 0) {
        bench_die("the loop is not empty");
    }
    free(ours);
}

static void on_stopped(void *ctx)
{
    (void)ctx;
}

/* ---- driver ------------------------------------------------------------------------------------ */

static void send_request(void *peer, uint32_t slot)
{
    struct p2_link *link = peer;
    struct ours *ours = p2_link_ctx(link);
    struct p2_msg_lease lease = {.id = slot + UINT64_C(1),
                                 .version = 1,
                                 .budget_us = 10000,
                                 .output_max = ours->bench->rep_bytes,
                                 .input = p2_span(ours->payload, ours->bench->req_bytes)};
    struct p2_writer writer;
    p2_writer_init(&writer, ours->message, sizeof ours->message);
    check(p2_wire_encode_lease(&writer, &lease), "encode");
    check(p2_link_send(link, P2_MSG_LEASE, p2_writer_span(&writer)), "send");
}

static void driver_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct ours *ours = ctx;
    if (type == P2_MSG_HELLO) {
        check(p2_link_accept(link, P2_ROLE_HELPER, NULL), "accept");
        bench_load_ready(ours->load, link);
        return;
    }
    struct p2_msg_result result;
    check(p2_wire_decode_result(&result, body), "decode");
    bench_load_reply(ours->load, link, (uint32_t)(result.id - 1), result.output);
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct ours *ours = ctx;
    (void)link;
    if (ours->load == NULL) {
        p2_transport_stop(ours->transport, false, on_stopped, NULL);
    } else if (!ours->load->is_over) {
        check(reason, "a link closed");
    }
}

static const struct p2_link_events driver_events = {.on_message = driver_message,
                                                    .on_close = on_close};

static int on_peer(struct p2_link *link, void *ctx, void **ret_ctx)
{
    (void)link;
    *ret_ctx = ctx;
    return P2_OK;
}

static void stop(struct bench_load *load)
{
    struct ours *ours = load->ctx;
    p2_transport_stop(ours->transport, false, on_stopped, NULL);
}

static struct p2_link_address loopback(uint16_t port)
{
    static const uint8_t bytes[4] = {127, 0, 0, 1};
    return (struct p2_link_address){.ip = p2_ip_from_v4(bytes), .port = port};
}

static void drive(struct bench_load *load)
{
    struct p2_identity identity;
    struct p2_listener *listener = NULL;
    identity_of(&identity, 1);
    struct ours *ours = ours_new(load->bench, &identity);
    ours->load = load;
    load->send = send_request;
    load->stop = stop;
    load->ctx = ours;
    struct p2_listen_options options = {.address = loopback(0),
                                        .own_role = P2_ROLE_AUTHORITY,
                                        .events = &driver_events,
                                        .on_peer = on_peer,
                                        .ctx = ours};
    check(p2_transport_listen(ours->transport, &options, &listener), "listen");
    load->publish(load, p2_listener_address(listener).port);
    ours_run(ours);
}

/* ---- peer -------------------------------------------------------------------------------------- */

static void peer_open(struct p2_link *link, void *ctx)
{
    (void)ctx;
    check(p2_link_send(link, P2_MSG_HELLO, p2_span("hello", 5)), "hello");
}

static void peer_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct ours *ours = ctx;
    struct p2_msg_lease lease;
    (void)type;
    check(p2_wire_decode_lease(&lease, body), "decode");
    struct p2_msg_result result = {.id = lease.id,
                                   .status = P2_RESULT_STATUS_OK,
                                   .codec = P2_CODEC_RAW,
                                   .exec_us = 5,
                                   .output = p2_span(ours->payload, ours->bench->rep_bytes)};
    struct p2_writer writer;
    p2_writer_init(&writer, ours->message, sizeof ours->message);
    check(p2_wire_encode_result(&writer, &result), "encode");
    check(p2_link_send(link, P2_MSG_RESULT, p2_writer_span(&writer)), "send");
}

static const struct p2_link_events peer_events = {
    .on_open = peer_open, .on_message = peer_message, .on_close = on_close};

static void serve(const struct bench_case *bench, uint16_t port)
{
    struct p2_identity identity;
    struct p2_identity driver;
    struct p2_link *link = NULL;
    identity_of(&identity, 2);
    identity_of(&driver, 1);
    struct ours *ours = ours_new(bench, &identity);
    struct p2_link_target target = {.address = loopback(port),
                                    .cipher = bench->cipher,
                                    .own_role = P2_ROLE_HELPER,
                                    .peer_role = P2_ROLE_AUTHORITY,
                                    .events = &peer_events,
                                    .ctx = ours};
    memcpy(target.id.bytes, driver.public_key, P2_ID_BYTES);
    check(p2_transport_dial(ours->transport, &target, &link), "dial");
    ours_run(ours);
}

const struct bench_system bench_ours = {"ours", drive, serve};
