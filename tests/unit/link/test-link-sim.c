/* The simulated transport: it keeps the contracts of link.h, models a network, and repeats itself
 * exactly. Expected times come from the formulas in link_sim.h, by hand. */
#include "link/link_sim.h"
#include "tests/lib/handshake.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRANGER, HELPER, AUTHORITY };
enum { HELLO = 1, LEASE, BULK, FRAME, CANCEL, PING, PONG };
#define BULK_MAX (1u << 20)

static uint32_t max_size(uint8_t sender, uint8_t type)
{
    switch (type) {
    case HELLO:
        return sender == STRANGER ? P2_LINK_STRANGER_MESSAGE_MAX : 0;
    case CANCEL:
    case PING:
    case PONG:
        return sender == STRANGER ? 0 : 64;
    case LEASE:
    case BULK:
    case FRAME:
        return sender == STRANGER ? 0 : BULK_MAX;
    default:
        return 0;
    }
}

static enum p2_link_class class_of(uint8_t type)
{
    return type == LEASE   ? P2_LINK_LEASE
           : type == BULK  ? P2_LINK_BULK
           : type == FRAME ? P2_LINK_FRAME
                           : P2_LINK_CONTROL;
}

static const struct p2_link_rules rules = {max_size, class_of, 3, PING, PONG};

/* One end as its user sees it. */
struct end {
    struct p2_link *link; /* NULL before open or after close */
    struct p2_link_sim *sim;
    uint64_t opened_us;
    uint64_t closed_us;
    uint64_t received_us; /* of the last message */
    uint64_t bytes;
    unsigned messages;
    unsigned opens;
    unsigned closes;
    unsigned drained;
    int reason;
    int refuse;        /* on_peer returns this */
    uint8_t types[64]; /* of the first messages */
    bool is_accepting; /* accepts at the first message */
    bool is_inside;    /* a call is in progress: no callback may come */
    const struct p2_id *accept_id;
    int accept_error;
};

static void on_open(struct p2_link *link, void *ctx)
{
    struct end *end = ctx;
    CU_ASSERT_FALSE(end->is_inside);
    end->link = link;
    end->opens++;
    end->opened_us = p2_link_sim_now_us(end->sim);
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct end *end = ctx;
    CU_ASSERT_FALSE(end->is_inside);
    if (end->messages < sizeof end->types) {
        end->types[end->messages] = type;
    }
    end->messages++;
    end->bytes += body.size;
    end->received_us = p2_link_sim_now_us(end->sim);
    for (size_t i = 0; i < body.size; i += 97) { /* the pattern of send_bytes */
        if (body.data[i] != (uint8_t)i) {
            CU_FAIL("a body was changed");
            break;
        }
    }
    if (end->is_accepting && p2_link_peer_role(link) == STRANGER) {
        end->accept_error = p2_link_accept(link, HELPER, end->accept_id);
    }
}

static void on_drained(struct p2_link *link, void *ctx)
{
    struct end *end = ctx;
    (void)link;
    CU_ASSERT_FALSE(end->is_inside);
    end->drained++;
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct end *end = ctx;
    (void)link;
    CU_ASSERT_FALSE(end->is_inside);
    end->link = NULL;
    end->closes++;
    end->reason = reason;
    end->closed_us = p2_link_sim_now_us(end->sim);
}

static const struct p2_link_events events = {on_open, on_message, on_drained, on_close};

static int on_peer(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    struct end *end = listener_ctx;
    (void)link;
    *ret_ctx = end;
    return end->refuse;
}

/* A helper that dials an authority. */
struct world {
    struct p2_link_sim *sim;
    struct p2_link_sim_node *helper;
    struct p2_link_sim_node *authority;
    struct p2_id ids[2];
    struct end dialled;
    struct end accepted;
    struct p2_listener *listener;
    unsigned stopped;
};

static void add_nodes(struct world *world)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct p2_identity identity;
        struct p2_ip ip = p2_ip_from_v4((const uint8_t[]){192, 0, 2, (uint8_t)(i + 1)});
        p2_test_identity(&identity, (uint8_t)(i + 1));
        memcpy(world->ids[i].bytes, identity.public_key, P2_ID_BYTES);
        P2_ASSERT_ERROR(p2_link_sim_add_node(world->sim, &ip, &world->ids[i],
                                             i == 0 ? &world->helper : &world->authority),
                        P2_OK);
    }
}

static void world_init(struct world *world, uint64_t seed, const struct p2_link_sim_path *path)
{
    const struct p2_link_sim_options options = {.seed = seed, .rules = &rules, .path = *path};
    memset(world, 0, sizeof *world);
    P2_ASSERT_ERROR(p2_link_sim_new(&world->sim, &options), P2_OK);
    add_nodes(world);
    world->dialled.sim = world->sim;
    world->accepted.sim = world->sim;
    world->accepted.is_accepting = true;
    world->accepted.accept_id = &world->ids[0];
    const struct p2_listen_options listen = {.address = {{.family = 4}, 4242},
                                             .own_role = AUTHORITY,
                                             .events = &events,
                                             .on_peer = on_peer,
                                             .ctx = &world->accepted};
    P2_ASSERT_ERROR(
        p2_transport_listen(p2_link_sim_transport(world->authority), &listen, &world->listener),
        P2_OK);
}

static struct p2_link_target target_of(struct world *world)
{
    return (struct p2_link_target){
        .address = {p2_ip_from_v4((const uint8_t[]){192, 0, 2, 2}), 4242},
        .id = world->ids[1],
        .cipher = P2_CIPHER_CHACHAPOLY,
        .own_role = HELPER,
        .peer_role = AUTHORITY,
        .events = &events,
        .ctx = &world->dialled};
}

static int dial(struct world *world, const struct p2_link_target *target)
{
    struct p2_link *link = NULL;
    world->dialled.is_inside = true;
    int error = p2_transport_dial(p2_link_sim_transport(world->helper), target, &link);
    world->dialled.is_inside = false;
    if (error == P2_OK) {
        world->dialled.link = link;
    }
    return error;
}

static int send_bytes(struct end *end, uint8_t type, size_t size)
{
    static uint8_t body[BULK_MAX + 1];
    if (end->link == NULL) {
        return P2_E_STATE;
    }
    for (size_t i = 97; i < size; i += 97) {
        body[i] = (uint8_t)i;
    }
    end->is_inside = true;
    int error = p2_link_send(end->link, type, p2_span(body, size));
    end->is_inside = false;
    return error;
}

static void run_for(struct world *world, uint64_t span_us)
{
    P2_ASSERT_ERROR(p2_link_sim_run(world->sim, p2_link_sim_now_us(world->sim) + span_us), P2_OK);
}

static const struct p2_link_sim_path ten_ms = {.delay_min_us = 10000};

/* Dials, says HELLO, is accepted. */
static void world_open(struct world *world, uint64_t seed, const struct p2_link_sim_path *path)
{
    world_init(world, seed, path);
    const struct p2_link_target target = target_of(world);
    P2_ASSERT_ERROR(dial(world, &target), P2_OK);
    run_for(world, 1000000);
    P2_ASSERT_EQUAL(world->dialled.opens, 1);
    P2_ASSERT_ERROR(send_bytes(&world->dialled, HELLO, 100), P2_OK);
    run_for(world, 1000000);
    P2_ASSERT_EQUAL(world->accepted.messages, 1);
    P2_ASSERT_ERROR(world->accepted.accept_error, P2_OK);
    world->accepted.messages = 0;
    world->accepted.bytes = 0;
}

static void world_free(struct world *world)
{
    CU_ASSERT(world->dialled.closes <= 1 && world->accepted.closes <= 1);
    p2_link_sim_free(world->sim);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static void opening_takes_the_round_trips_of_tcp_and_noise(void)
{
    struct world world;
    world_init(&world, 1, &ten_ms);
    const struct p2_link_target target = target_of(&world);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, HELLO, 1), P2_E_STATE); /* not open yet */
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.dialled.opened_us, 40000);  /* 4 times 10 ms */
    P2_ASSERT_EQUAL(world.accepted.opened_us, 50000); /* 5 times */
    struct p2_identity helper;
    p2_test_identity(&helper, 1);
    P2_ASSERT_BYTES(p2_link_peer_static(world.accepted.link), helper.exchange_public, 32);
    P2_ASSERT_BYTES(p2_link_binding(world.accepted.link), p2_link_binding(world.dialled.link), 32);
    P2_ASSERT_EQUAL(p2_link_peer_address(world.accepted.link).ip.bytes[3], 1);
    P2_ASSERT_EQUAL(p2_link_peer_role(world.accepted.link), STRANGER);
    P2_ASSERT_EQUAL(p2_listener_address(world.listener).port, 4242);
    world_free(&world);
}

static void dials_that_cannot_work_end_with_their_reason(void)
{
    struct world world;
    struct p2_link_target target;
    static const struct {
        uint8_t last_byte;
        uint16_t port;
        uint8_t id;
        int reason;
    } cases[] = {
        {2, 9, 1, P2_E_REFUSED}, {77, 4242, 1, P2_E_UNREACHABLE}, {2, 4242, 0, P2_E_CLOSED}};
    for (size_t i = 0; i < P2_COUNT_OF(cases); i++) {
        world_init(&world, 1, &ten_ms);
        target = target_of(&world);
        target.address.ip.bytes[3] = cases[i].last_byte;
        target.address.port = cases[i].port;
        target.id = world.ids[cases[i].id];
        P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
        run_for(&world, 30000000);
        P2_ASSERT_EQUAL(world.dialled.closes, 1);
        P2_ASSERT_EQUAL(world.dialled.opens + world.accepted.opens + world.accepted.closes, 0);
        P2_ASSERT_ERROR(world.dialled.reason, cases[i].reason);
        P2_ASSERT_EQUAL(p2_link_sim_connections(world.sim), 0);
        world_free(&world);
    }
    world_init(&world, 1, &ten_ms);
    target = target_of(&world);
    target.id.bytes[31] |= 0x80;
    P2_ASSERT_ERROR(dial(&world, &target), P2_E_BAD_KEY);
    target = target_of(&world);
    target.address.port = 0;
    P2_ASSERT_ERROR(dial(&world, &target), P2_E_ADDRESS);
    world_free(&world);
}

static void a_listener_may_refuse_a_peer(void)
{
    struct world world;
    world_init(&world, 1, &ten_ms);
    world.accepted.refuse = P2_E_BUSY;
    const struct p2_link_target target = target_of(&world);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    run_for(&world, 30000000);
    P2_ASSERT_EQUAL(world.accepted.opens + world.accepted.closes, 0);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_CLOSED);
    world_free(&world);
}

static void listening_checks_address_port_and_state(void)
{
    struct world world;
    struct p2_listener *listener = NULL;
    world_init(&world, 1, &ten_ms);
    struct p2_transport *transport = p2_link_sim_transport(world.authority);
    struct p2_listen_options options = {.address = {{.family = 4}, 4242},
                                        .events = &events,
                                        .on_peer = on_peer,
                                        .ctx = &world.accepted};
    P2_ASSERT_ERROR(p2_transport_listen(transport, &options, &listener), P2_E_EXIST);
    options.address.port = 0;
    P2_ASSERT_ERROR(p2_transport_listen(transport, &options, &listener), P2_OK);
    CU_ASSERT(p2_listener_address(listener).port != 0);
    options.address.ip = p2_ip_from_v4((const uint8_t[]){192, 0, 2, 99});
    P2_ASSERT_ERROR(p2_transport_listen(transport, &options, &listener), P2_E_ADDRESS);
    p2_transport_stop(transport, false, NULL, NULL);
    P2_ASSERT_ERROR(p2_transport_listen(transport, &options, &listener), P2_E_DRAINING);
    struct p2_link_sim_node *node = NULL;
    struct p2_ip ip = p2_ip_from_v4((const uint8_t[]){192, 0, 2, 1});
    P2_ASSERT_ERROR(p2_link_sim_add_node(world.sim, &ip, &world.ids[0], &node), P2_E_EXIST);
    struct p2_id bad = world.ids[0];
    bad.bytes[31] |= 0x80;
    ip.bytes[3] = 50;
    P2_ASSERT_ERROR(p2_link_sim_add_node(world.sim, &ip, &bad, &node), P2_E_BAD_KEY);
    world_free(&world);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static void a_stranger_says_one_thing_and_nothing_more(void)
{
    struct world world;
    world_init(&world, 1, &ten_ms);
    world.accepted.is_accepting = false;
    const struct p2_link_target target = target_of(&world);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, HELLO, P2_LINK_STRANGER_MESSAGE_MAX), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, HELLO, P2_LINK_STRANGER_MESSAGE_MAX + 1),
                    P2_E_TOO_BIG);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, HELLO, 1), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 1);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_FLOOD);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_CLOSED);
    world_free(&world);
}

static void a_stranger_that_sends_what_only_helpers_may_is_cut_off(void)
{
    struct world world;
    world_init(&world, 1, &ten_ms);
    const struct p2_link_target target = target_of(&world);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 1), P2_OK); /* we are a helper ... */
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_NOT_ALLOWED); /* ... but nobody knows yet */
    world_free(&world);
}

static void hello_with_another_nodes_id_is_the_wrong_peer(void)
{
    struct world world;
    world_init(&world, 1, &ten_ms);
    world.accepted.accept_id = &world.ids[1];
    const struct p2_link_target target = target_of(&world);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, HELLO, 5), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(world.accepted.accept_error, P2_E_WRONG_PEER);
    P2_ASSERT_EQUAL(p2_link_peer_role(world.accepted.link), STRANGER);
    world_free(&world);
}

static void messages_of_one_turn_arrive_together_in_order_of_class(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    uint64_t sent_us = p2_link_sim_now_us(world.sim);
    uint64_t records = p2_link_stats(world.dialled.link).sent_records;
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, 1000), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 100), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, CANCEL, 10), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 3);
    P2_ASSERT_BYTES(world.accepted.types, ((const uint8_t[]){CANCEL, LEASE, BULK}), 3);
    P2_ASSERT_EQUAL(world.accepted.received_us, sent_us + 10000);
    P2_ASSERT_EQUAL(p2_link_stats(world.dialled.link).sent_records, records + 1);
    P2_ASSERT_EQUAL(p2_link_stats(world.accepted.link).received_bytes, 100 + 1110);
    world_free(&world);
}

static void a_large_message_arrives_whole(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, BULK_MAX), P2_OK);
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 1);
    P2_ASSERT_EQUAL(world.accepted.bytes, BULK_MAX);
    world_free(&world);
}

static void a_full_queue_pushes_back_and_reports_when_it_drained(void)
{
    struct world world;
    struct p2_link_sim_path slow = {.delay_min_us = 10000, .bytes_per_s = 10000000};
    world_open(&world, 1, &slow);
    unsigned sent = 0;
    while (send_bytes(&world.dialled, LEASE, 100000) == P2_OK) {
        sent++;
    }
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 100000), P2_E_AGAIN);
    P2_ASSERT_EQUAL(sent, (4u << 20) / 100005);                     /* P2_MUX_QUEUE_MAX, by hand */
    P2_ASSERT_ERROR(send_bytes(&world.dialled, CANCEL, 10), P2_OK); /* another class */
    P2_ASSERT_EQUAL(world.dialled.drained, 0);
    run_for(&world, 10000000);
    P2_ASSERT_EQUAL(world.dialled.drained, 1);
    P2_ASSERT_EQUAL(world.accepted.messages, sent + 1);
    P2_ASSERT_EQUAL(world.accepted.types[0], CANCEL);
    world_free(&world);
}

static void bandwidth_limits_how_fast_bytes_arrive(void)
{
    struct world world;
    struct p2_link_sim_path slow = {.bytes_per_s = 1000000, .window_bytes = 1u << 30};
    world_open(&world, 1, &slow);
    uint64_t start_us = p2_link_sim_now_us(world.sim);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, 1000000), P2_OK);
    run_for(&world, 3000000);
    uint64_t took_us = world.accepted.received_us - start_us;
    CU_ASSERT(took_us >= 1000000 && took_us < 1002000); /* 1 s, and a little for headers */
    world_free(&world);
}

static void the_newest_frame_replaces_an_unsent_one(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    for (unsigned i = 0; i < 5; i++) {
        P2_ASSERT_ERROR(send_bytes(&world.dialled, FRAME, 1000), P2_OK);
    }
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 1);
    P2_ASSERT_EQUAL(p2_link_stats(world.dialled.link).replaced_frames, 4);
    world_free(&world);
}

/* ---- the network ------------------------------------------------------------------------------- */

static void pings_measure_the_round_trip(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.accepted, LEASE, 1), P2_OK); /* now both know each other */
    run_for(&world, 60000000);
    CU_ASSERT(p2_link_rtt(world.dialled.link).samples > 5);
    P2_ASSERT_EQUAL(p2_link_rtt(world.dialled.link).rtt_us, 20000);
    P2_ASSERT_EQUAL(p2_link_rtt(world.accepted.link).rtt_us, 20000);
    P2_ASSERT_EQUAL(world.dialled.messages, 1); /* pings are not shown */
    world_free(&world);
}

static void delays_have_the_given_mean_and_keep_order(void)
{
    struct world world;
    /* A message alone each time, so that no one waits for another: 5 ms + Exp(20 ms) + U(0, 10). */
    struct p2_link_sim_path path = {
        .delay_min_us = 5000, .delay_mean_us = 20000, .jitter_us = 10000};
    world_open(&world, 7, &path);
    uint64_t sum = 0;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t sent_us = p2_link_sim_now_us(world.sim);
        P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 8), P2_OK);
        run_for(&world, 1000000);
        uint64_t delay = world.accepted.received_us - sent_us;
        sum += delay;
        least = delay < least ? delay : least;
    }
    P2_ASSERT_EQUAL(world.accepted.messages, 2000);
    CU_ASSERT(least >= 5000 && least < 6500);
    /* mean 30 ms; its standard error is 20.2 ms / sqrt(2000) = 0.45 ms */
    CU_ASSERT(sum / 2000 > 28000 && sum / 2000 < 32000);
    world_free(&world);
}

static void a_lost_segment_stalls_all_behind_it_but_nothing_is_lost(void)
{
    struct world world;
    struct p2_link_sim_path lossy = {.delay_min_us = 10000};
    world_open(&world, 3, &lossy);
    lossy.loss_ppm = 500000;
    P2_ASSERT_ERROR(p2_link_sim_set_path(world.helper, world.authority, &lossy), P2_OK);
    uint64_t start_us = p2_link_sim_now_us(world.sim);
    for (unsigned i = 0; i < 40; i++) {
        P2_ASSERT_ERROR(send_bytes(&world.dialled, CANCEL, 8), P2_OK);
        run_for(&world, 1000);
    }
    run_for(&world, 19000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 40);
    CU_ASSERT(world.accepted.received_us > start_us + 40000 + 200000);
    world_free(&world);
}

static void a_one_way_partition_stops_one_way_and_heals(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(p2_link_sim_block(world.helper, world.authority, P2_LINK_SIM_FOREVER), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 10), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.accepted, LEASE, 10), P2_OK);
    run_for(&world, 5000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 0);
    P2_ASSERT_EQUAL(world.dialled.messages, 1);
    p2_link_sim_unblock(world.helper, world.authority);
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 1);
    P2_ASSERT_EQUAL(world.dialled.closes + world.accepted.closes, 0);
    p2_link_sim_unblock(world.authority, world.helper); /* never blocked: nothing happens */
    world_free(&world);
}

static void a_partition_without_end_is_a_timeout_on_both_sides(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.accepted, LEASE, 1), P2_OK);
    P2_ASSERT_ERROR(p2_link_sim_block(world.helper, world.authority, P2_LINK_SIM_FOREVER), P2_OK);
    P2_ASSERT_ERROR(p2_link_sim_block(world.authority, world.helper, P2_LINK_SIM_FOREVER), P2_OK);
    run_for(&world, 60000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_TIMEOUT);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_TIMEOUT);
    P2_ASSERT_EQUAL(world.dialled.closes, 1);
    P2_ASSERT_EQUAL(world.accepted.closes, 1);
    P2_ASSERT_EQUAL(p2_link_sim_connections(world.sim), 0);
    world_free(&world);
}

static void a_clog_holds_everything_back_until_its_end(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    uint64_t end_us = p2_link_sim_now_us(world.sim) + 3000000;
    P2_ASSERT_ERROR(p2_link_sim_block(world.helper, world.authority, end_us), P2_OK);
    for (unsigned i = 0; i < 3; i++) {
        P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 10), P2_OK);
        run_for(&world, 100000);
    }
    P2_ASSERT_EQUAL(world.accepted.messages, 0);
    run_for(&world, 4000000);
    P2_ASSERT_EQUAL(world.accepted.messages, 3);
    P2_ASSERT_EQUAL(world.accepted.received_us, end_us + 10000);
    world_free(&world);
}

static void acknowledgements_wait_for_the_way_back(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(p2_link_sim_block(world.authority, world.helper, P2_LINK_SIM_FOREVER), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, BULK_MAX), P2_OK);
    run_for(&world, 3000000);
    CU_ASSERT(p2_link_stats(world.dialled.link).queued_bytes > BULK_MAX / 2);
    p2_link_sim_unblock(world.authority, world.helper);
    run_for(&world, 3000000);
    P2_ASSERT_EQUAL(world.accepted.bytes, BULK_MAX);
    world_free(&world);
}

static void a_reset_ends_both_sides(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 10), P2_OK);
    p2_link_sim_reset(world.authority, world.helper);
    P2_ASSERT_EQUAL(world.dialled.closes, 0); /* not from inside the call */
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_RESET);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_RESET);
    P2_ASSERT_EQUAL(world.accepted.messages, 0);
    world_free(&world);
}

/* ---- closing, stopping, crashing ---------------------------------------------------------------- */

static void a_drained_link_delivers_all_and_closes_with_0(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, BULK_MAX), P2_OK);
    p2_link_drain(world.dialled.link);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 1), P2_E_DRAINING);
    run_for(&world, 3000000);
    P2_ASSERT_EQUAL(world.accepted.bytes, BULK_MAX);
    P2_ASSERT_EQUAL(world.dialled.closes, 1);
    P2_ASSERT_ERROR(world.dialled.reason, P2_OK);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_CLOSED);
    world_free(&world);
}

static void draining_to_a_peer_that_hears_nothing_stalls(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(p2_link_sim_block(world.helper, world.authority, P2_LINK_SIM_FOREVER), P2_OK);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, BULK, BULK_MAX), P2_OK);
    p2_link_drain(world.dialled.link);
    run_for(&world, 11000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_STALLED);
    world_free(&world);
}

static void closing_reports_the_first_reason_once_and_not_from_inside(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    world.dialled.is_inside = true;
    p2_link_close(world.dialled.link, P2_E_BAD_RESULT);
    p2_link_close(world.dialled.link, P2_E_BUG);
    P2_ASSERT_ERROR(p2_link_send(world.dialled.link, LEASE, p2_span(NULL, 0)), P2_E_STATE);
    world.dialled.is_inside = false;
    run_for(&world, 1000000);
    P2_ASSERT_EQUAL(world.dialled.closes, 1);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_BAD_RESULT);
    P2_ASSERT_ERROR(world.accepted.reason, P2_E_CLOSED);
    run_for(&world, 20000000);
    P2_ASSERT_EQUAL(p2_link_sim_connections(world.sim), 0);
    world_free(&world);
}

static void on_stopped(void *ctx)
{
    struct world *world = ctx;
    CU_ASSERT_EQUAL(world->accepted.closes, 1); /* after the last on_close */
    world->stopped++;
}

static void stopping_drains_or_cancels_all_links_then_reports_once(void)
{
    for (int drain = 0; drain < 2; drain++) {
        struct world world;
        world_open(&world, 1, &ten_ms);
        P2_ASSERT_ERROR(send_bytes(&world.accepted, BULK, 100000), P2_OK);
        p2_transport_stop(p2_link_sim_transport(world.authority), drain != 0, on_stopped, &world);
        P2_ASSERT_EQUAL(world.stopped, 0);
        run_for(&world, 3000000);
        P2_ASSERT_EQUAL(world.stopped, 1);
        P2_ASSERT_ERROR(world.accepted.reason, drain != 0 ? P2_OK : P2_E_CANCELLED);
        P2_ASSERT_EQUAL(world.dialled.bytes, drain != 0 ? 100000 : 0);
        const struct p2_link_target target = target_of(&world);
        P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
        run_for(&world, 1000000);
        P2_ASSERT_ERROR(world.dialled.reason, P2_E_REFUSED); /* nobody listens any more */
        world.dialled.closes = 1;
        p2_link_sim_free(world.sim);
    }
}

static void a_killed_process_resets_its_peers_and_hears_nothing(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    P2_ASSERT_ERROR(send_bytes(&world.dialled, LEASE, 1), P2_OK);
    p2_link_sim_crash(world.authority, false);
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_RESET);
    P2_ASSERT_EQUAL(world.accepted.closes + world.accepted.messages, 0);
    run_for(&world, 30000000);
    P2_ASSERT_EQUAL(p2_link_sim_connections(world.sim), 0);
    world_free(&world);
}

static void a_node_without_power_is_a_timeout_and_can_come_back(void)
{
    struct world world;
    world_open(&world, 1, &ten_ms);
    p2_link_sim_crash(world.authority, true);
    const struct p2_link_target target = target_of(&world);
    run_for(&world, 40000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_TIMEOUT);
    P2_ASSERT_EQUAL(world.accepted.closes, 0);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK);
    run_for(&world, 30000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_TIMEOUT);
    P2_ASSERT_EQUAL(world.dialled.closes, 2);
    p2_link_sim_restart(world.authority);
    P2_ASSERT_ERROR(dial(&world, &target), P2_OK); /* up, but nobody listens */
    run_for(&world, 1000000);
    P2_ASSERT_ERROR(world.dialled.reason, P2_E_REFUSED);
    p2_link_sim_free(world.sim);
}

/* ---- repeating --------------------------------------------------------------------------------- */

static void send_some(void *ctx)
{
    struct world *world = ctx;
    (void)send_bytes(&world->dialled, LEASE, 5000);
    (void)send_bytes(&world->accepted, BULK, 50000);
    if (p2_link_sim_now_us(world->sim) < 30000000) {
        (void)p2_link_sim_at(world->sim, p2_link_sim_now_us(world->sim) + 37000, send_some, world);
    }
}

static uint64_t run_with_seed(uint64_t seed)
{
    struct world world;
    struct p2_link_sim_path path = {.delay_min_us = 3000,
                                    .delay_mean_us = 4000,
                                    .jitter_us = 1000,
                                    .loss_ppm = 20000,
                                    .bytes_per_s = 5000000};
    world_open(&world, seed, &path);
    send_some(&world);
    run_for(&world, 10000000);
    P2_ASSERT_ERROR(
        p2_link_sim_block(world.authority, world.helper, p2_link_sim_now_us(world.sim) + 500000),
        P2_OK);
    run_for(&world, 30000000);
    uint64_t trace = p2_link_sim_trace(world.sim);
    CU_ASSERT(world.accepted.messages > 500);
    world_free(&world);
    return trace;
}

static void the_same_seed_gives_the_same_trace_and_another_a_different_one(void)
{
    uint64_t trace = run_with_seed(42);
    CU_ASSERT(run_with_seed(42) == trace);
    CU_ASSERT(run_with_seed(43) != trace);
}

static void stepping_ends_when_nothing_is_left_to_happen(void)
{
    struct p2_link_sim *sim = NULL;
    const struct p2_link_sim_options options = {.rules = &rules};
    P2_ASSERT_ERROR(p2_link_sim_new(&sim, &options), P2_OK);
    P2_ASSERT_ERROR(p2_link_sim_step(sim), P2_E_NOENT);
    P2_ASSERT_ERROR(p2_link_sim_run(sim, 1000), P2_OK);
    P2_ASSERT_EQUAL(p2_link_sim_now_us(sim), 1000);
    p2_link_sim_free(sim);
    p2_link_sim_free(NULL);
}

static CU_TestInfo tests[] = {
    P2_TEST(opening_takes_the_round_trips_of_tcp_and_noise),
    P2_TEST(dials_that_cannot_work_end_with_their_reason),
    P2_TEST(a_listener_may_refuse_a_peer),
    P2_TEST(listening_checks_address_port_and_state),
    P2_TEST(a_stranger_says_one_thing_and_nothing_more),
    P2_TEST(a_stranger_that_sends_what_only_helpers_may_is_cut_off),
    P2_TEST(hello_with_another_nodes_id_is_the_wrong_peer),
    P2_TEST(messages_of_one_turn_arrive_together_in_order_of_class),
    P2_TEST(a_large_message_arrives_whole),
    P2_TEST(a_full_queue_pushes_back_and_reports_when_it_drained),
    P2_TEST(bandwidth_limits_how_fast_bytes_arrive),
    P2_TEST(the_newest_frame_replaces_an_unsent_one),
    P2_TEST(pings_measure_the_round_trip),
    P2_TEST(delays_have_the_given_mean_and_keep_order),
    P2_TEST(a_lost_segment_stalls_all_behind_it_but_nothing_is_lost),
    P2_TEST(a_one_way_partition_stops_one_way_and_heals),
    P2_TEST(a_partition_without_end_is_a_timeout_on_both_sides),
    P2_TEST(a_clog_holds_everything_back_until_its_end),
    P2_TEST(acknowledgements_wait_for_the_way_back),
    P2_TEST(a_reset_ends_both_sides),
    P2_TEST(a_drained_link_delivers_all_and_closes_with_0),
    P2_TEST(draining_to_a_peer_that_hears_nothing_stalls),
    P2_TEST(closing_reports_the_first_reason_once_and_not_from_inside),
    P2_TEST(stopping_drains_or_cancels_all_links_then_reports_once),
    P2_TEST(a_killed_process_resets_its_peers_and_hears_nothing),
    P2_TEST(a_node_without_power_is_a_timeout_and_can_come_back),
    P2_TEST(the_same_seed_gives_the_same_trace_and_another_a_different_one),
    P2_TEST(stepping_ends_when_nothing_is_left_to_happen),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"link-sim", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
