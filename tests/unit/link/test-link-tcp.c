/* Links over real sockets on the loopback interface: what they promise to their users. */
#include "tests/unit/link/tcp_fixture.h"

#include "link/mux.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fixture fixture; /* too large for the stack */
static uint8_t big[1 << 20];

static bool is_gone(struct fixture *all, void *ctx)
{
    (void)ctx;
    return p2_tcp_stats(all->server).links == 0 && p2_tcp_stats(all->client).links == 0;
}

/* ---- opening ----------------------------------------------------------------------------------- */

static void messages_pass_both_ways_with_both_ciphers(void)
{
    static const enum p2_cipher ciphers[] = {P2_CIPHER_CHACHAPOLY, P2_CIPHER_AESGCM};
    for (unsigned i = 0; i < P2_COUNT_OF(ciphers); i++) {
        struct side client = {.is_echoing = true};
        if (!p2_cipher_available(ciphers[i])) {
            continue;
        }
        struct p2_id id;
        fixture_start(&fixture, NULL);
        memcpy(id.bytes, fixture.client_identity.public_key, sizeof id.bytes);
        fixture.template.check_id = &id;
        struct side *server = fixture_connect(&fixture, &client, ciphers[i]);
        P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span("task", 4)), P2_OK);
        CU_ASSERT_TRUE(fixture_wait(&fixture, &server->messages, 2));
        P2_ASSERT_EQUAL(server->last_type, P2_MSG_RESULT);
        P2_ASSERT_BYTES(server->last_body, "task", 4);
        P2_ASSERT_EQUAL(client.last_type, P2_MSG_LEASE);
        P2_ASSERT_BYTES(p2_link_peer_static(server->link), fixture.client_identity.exchange_public,
                        P2_KEY_BYTES);
        P2_ASSERT_BYTES(p2_link_binding(server->link), p2_link_binding(client.link), 32);
        CU_ASSERT_FALSE(p2_secret_is_zero(p2_link_binding(client.link), 32));
        P2_ASSERT_EQUAL(p2_link_peer_role(server->link), P2_ROLE_HELPER);
        P2_ASSERT_EQUAL(p2_link_peer_address(server->link).ip.bytes[0], 127);
        CU_ASSERT_PTR_EQUAL(p2_link_ctx(client.link), &client);
        CU_ASSERT_TRUE(p2_id_equal(p2_link_peer_id(server->link), &id));
        P2_ASSERT_BYTES(p2_link_peer_id(client.link)->bytes, fixture.server_identity.public_key,
                        P2_ID_BYTES);
        P2_ASSERT_EQUAL(p2_link_stats(client.link).sent_messages, 2);
        P2_ASSERT_EQUAL(p2_link_stats(client.link).queued_bytes, 0);
        fixture_stop(&fixture);
        P2_ASSERT_EQUAL(client.closed, 1);
        P2_ASSERT_ERROR(client.reason, P2_E_CANCELLED);
    }
}

static void links_work_over_ipv6(void)
{
    static const uint8_t loopback[16] = {[15] = 1};
    struct p2_listener *listener = NULL;
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct p2_listen_options options = ((struct p2_listener *)fixture.listener)->options;
    options.address = (struct p2_link_address){.ip = p2_ip_from_v6(loopback)};
    int error = p2_transport_listen(fixture.server, &options, &listener);
    if (error == P2_OK) {
        fixture.address = p2_listener_address(listener);
        struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
        P2_ASSERT_EQUAL(p2_link_peer_address(server->link).ip.family, 6);
    } else {
        (void)printf("SKIP: no IPv6 on this machine\n");
    }
    fixture_stop(&fixture);
}

static void dialling_fails_with_the_reason(void)
{
    struct side side = {0};
    fixture_start(&fixture, NULL);
    fixture.server_identity.public_key[31] |= 0x80;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_E_BAD_KEY);
    fixture.server_identity.public_key[31] &= 0x7f;
    struct p2_link_address address = fixture.address;
    fixture.address.port = 0;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_E_ADDRESS);
    fixture.address = address;
    fixture.address.ip.family = 0;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_E_ADDRESS);
    fixture.address = address;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, (enum p2_cipher)9), P2_E_UNSUPPORTED);
    memset(fixture.address.ip.bytes, 255, 4); /* broadcast: the system refuses at once */
    CU_ASSERT_TRUE(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY) < 0);
    fixture.address = address;
    fixture.address.port = 1; /* nobody listens there */
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_OK);
    P2_ASSERT_EQUAL(side.closed, 0);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &side.closed, 1));
    P2_ASSERT_ERROR(side.reason, P2_E_REFUSED);
    P2_ASSERT_EQUAL(side.opened, 0);
    fixture_stop(&fixture);
}

static void listening_fails_with_the_reason(void)
{
    struct p2_listener *listener = NULL;
    fixture_start(&fixture, NULL);
    struct p2_listen_options options = fixture.listener->options;
    options.address = fixture.address; /* taken */
    P2_ASSERT_ERROR(p2_transport_listen(fixture.server, &options, &listener), P2_E_EXIST);
    options.address.ip.family = 5;
    P2_ASSERT_ERROR(p2_transport_listen(fixture.server, &options, &listener), P2_E_ADDRESS);
    fixture_stop(&fixture);
}

static void options_without_a_limit_are_refused(void)
{
    struct p2_transport *transport = NULL;
    struct p2_tcp_options options;
    p2_tcp_options_init(&options);
    P2_ASSERT_ERROR(p2_tcp_new(&transport, &options), P2_E_INVALID);
    p2_tcp_free(NULL);
}

static void give_up_handshakes(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->handshake_timeout_ms = 60;
}

static void give_up_strangers(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->stranger_timeout_ms = 60;
}

static void ping_often(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->pulse_ms = 10;
    options->ping_interval_ms = 10;
}

static void give_up_silent_ones(struct p2_tcp_options *options, bool is_server)
{
    ping_often(options, is_server);
    options->idle_timeout_ms = 100;
}

static void a_listener_that_says_nothing_is_given_up(void)
{
    struct side side = {0};
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    fixture_start(&fixture, give_up_handshakes);
    CU_ASSERT_EQUAL(bind(silent, (const struct sockaddr *)&where, sizeof where), 0);
    CU_ASSERT_EQUAL(listen(silent, 1), 0);
    CU_ASSERT_EQUAL(getsockname(silent, (struct sockaddr *)&where, &size), 0);
    fixture.address.port = ntohs(where.sin_port);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &side.closed, 1));
    P2_ASSERT_ERROR(side.reason, P2_E_TIMEOUT);
    (void)close(silent);
    fixture_stop(&fixture);
}

static void a_dial_can_be_given_up_at_once(void)
{
    struct side side = {0};
    fixture_start(&fixture, NULL);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_OK);
    P2_ASSERT_ERROR(p2_link_send(side.link, P2_MSG_HELLO, p2_span("x", 1)), P2_E_STATE);
    P2_ASSERT_ERROR(p2_link_accept(side.link, P2_ROLE_HELPER, NULL), P2_E_STATE);
    p2_link_close(side.link, P2_E_CANCELLED);
    p2_link_close(side.link, P2_E_BUG);
    P2_ASSERT_EQUAL(side.closed, 0);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &side.closed, 1));
    P2_ASSERT_ERROR(side.reason, P2_E_CANCELLED);
    fixture_stop(&fixture);
    P2_ASSERT_EQUAL(side.closed, 1);
}

static void the_user_of_a_listener_may_refuse_a_peer(void)
{
    struct side side = {0};
    fixture_start(&fixture, NULL);
    fixture.peer_error = P2_E_NOT_ALLOWED;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &side.closed, 1));
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_NOT_ALLOWED), 1);
    fixture_stop(&fixture);
}

static void a_listeners_user_may_close_a_link_while_it_is_introduced(void)
{
    struct side side = {0};
    fixture_start(&fixture, NULL);
    fixture.closes_on_peer = true;
    P2_ASSERT_ERROR(fixture_dial(&fixture, &side, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &side.closed, 1));
    P2_ASSERT_EQUAL(fixture.accepted_count, 1);
    P2_ASSERT_EQUAL(fixture.accepted[0].opened, 0);
    P2_ASSERT_EQUAL(fixture.accepted[0].closed, 1);
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_E_BUSY);
    P2_ASSERT_EQUAL(p2_tcp_stats(fixture.server).links, 0);
    fixture_stop(&fixture);
}

/* ---- sending ----------------------------------------------------------------------------------- */

static void the_largest_messages_arrive_whole(void)
{
    struct side client = {.is_echoing = true};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    memset(big, 0x5a, sizeof big);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span(big, sizeof big)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->messages, 2));
    P2_ASSERT_EQUAL(client.last_size, sizeof big);
    P2_ASSERT_EQUAL(server->last_size, sizeof big);
    P2_ASSERT_BYTES(server->last_body, big, sizeof server->last_body);
    fixture_stop(&fixture);
}

static void sends_beyond_the_own_role_are_refused(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    (void)fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_link_send(client.link, P2_MSG_LEASE, p2_span("x", 1)), P2_E_NOT_ALLOWED);
    P2_ASSERT_ERROR(p2_link_send(client.link, P2_MSG_HELLO, p2_span(big, 2000)), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_link_send(client.link, 255, p2_span("x", 1)), P2_E_NOT_ALLOWED);
    fixture_stop(&fixture);
}

static void a_control_message_overtakes_bulk_in_the_queue(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_BLOB, p2_span(big, sizeof big)), P2_OK);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span("l", 1)), P2_OK);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_DRAIN, p2_span("d", 1)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.messages, 3));
    P2_ASSERT_EQUAL(client.sequence[0], P2_MSG_DRAIN);
    P2_ASSERT_EQUAL(client.sequence[1], P2_MSG_LEASE);
    P2_ASSERT_EQUAL(client.sequence[2], P2_MSG_BLOB);
    fixture_stop(&fixture);
}

static void a_turns_messages_share_a_record_and_a_write(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    CU_ASSERT_TRUE(fixture_wait(&fixture, (const int *)&client.link->rtt.samples, 1));
    uint64_t records = p2_link_stats(server->link).sent_records;
    uint64_t writes = p2_tcp_stats(fixture.server).writes;
    for (int i = 0; i < 100; i++) {
        P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span("task", 4)), P2_OK);
    }
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.messages, 100));
    P2_ASSERT_EQUAL(p2_link_stats(server->link).sent_records - records, 1);
    P2_ASSERT_EQUAL(p2_tcp_stats(fixture.server).writes - writes, 1);
    fixture_stop(&fixture);
}

static struct side *connect_gamer(struct side *client)
{
    P2_ASSERT_ERROR(fixture_dial(&fixture, client, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client->opened, 1));
    P2_ASSERT_ERROR(p2_link_send(client->link, P2_MSG_JOIN, p2_span("join", 4)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].messages, 1));
    return &fixture.accepted[0];
}

static void of_unsent_frames_only_the_newest_is_sent(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct side *server = connect_gamer(&client);
    for (uint8_t i = 0; i < 10; i++) {
        memset(big, i, 60000);
        P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_FRAME, p2_span(big, 60000)), P2_OK);
    }
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.messages, 1));
    P2_ASSERT_EQUAL(client.messages, 1);
    P2_ASSERT_EQUAL(client.last_body[0], 9);
    P2_ASSERT_EQUAL(client.last_size, 60000);
    P2_ASSERT_EQUAL(p2_link_stats(server->link).replaced_frames, 9);
    fixture_stop(&fixture);
}

static void a_full_queue_says_again_and_drained_when_there_is_room(void)
{
    struct side client = {0};
    int sent = 0;
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    while (p2_link_send(server->link, P2_MSG_BLOB, p2_span(big, 100000)) == P2_OK) {
        sent++;
    }
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_BLOB, p2_span(big, 100000)), P2_E_AGAIN);
    CU_ASSERT_TRUE(p2_link_stats(server->link).queued_bytes > 4000000);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->drained, 1));
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.messages, sent));
    P2_ASSERT_EQUAL(client.messages, sent);
    P2_ASSERT_EQUAL(server->drained, 1);
    fixture_stop(&fixture);
}

static void round_trips_are_measured_by_both_sides(void)
{
    struct side client = {0};
    fixture_start(&fixture, ping_often);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    CU_ASSERT_TRUE(fixture_wait(&fixture, (const int *)&server->link->rtt.samples, 3));
    CU_ASSERT_TRUE(fixture_wait(&fixture, (const int *)&client.link->rtt.samples, 3));
    struct p2_link_rtt rtt = p2_link_rtt(client.link);
    CU_ASSERT_TRUE(rtt.rtt_us > 0 && rtt.rtt_us < 10000000);
    P2_ASSERT_EQUAL(client.messages, 0); /* PING and PONG are the link's own */
    fixture_stop(&fixture);
}

static void the_mean_and_the_jitter_follow_rfc_6298(void)
{
    struct p2_link_rtt rtt = {0};
    p2_link_rtt_add(&rtt, 1000);
    P2_ASSERT_EQUAL(rtt.rtt_us, 1000);
    P2_ASSERT_EQUAL(rtt.jitter_us, 500);
    p2_link_rtt_add(&rtt, 2000);
    P2_ASSERT_EQUAL(rtt.jitter_us, 625); /* (3 * 500 + 1000) / 4 */
    P2_ASSERT_EQUAL(rtt.rtt_us, 1125);   /* (7 * 1000 + 2000) / 8 */
    p2_link_rtt_add(&rtt, 125);
    P2_ASSERT_EQUAL(rtt.jitter_us, 718); /* (3 * 625 + 1000) / 4 */
    P2_ASSERT_EQUAL(rtt.rtt_us, 1000);   /* (7 * 1125 + 125) / 8 */
    P2_ASSERT_EQUAL(rtt.last_us, 125);
}

static void a_link_survives_the_rekeying_of_both_directions(void)
{
    struct side client = {.is_echoing = true};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    int wanted = (int)P2_RECORD_REKEY_INTERVAL + 10;
    for (int i = 1; i <= wanted && server->closed == 0 && client.closed == 0; i++) {
        (void)p2_link_send(server->link, P2_MSG_LEASE, p2_span("r", 1));
        while (server->messages < i + 1 && server->closed == 0) {
            (void)uv_run(&fixture.loop, UV_RUN_ONCE);
        }
    }
    P2_ASSERT_EQUAL(server->closed, 0);
    P2_ASSERT_EQUAL(server->messages, wanted + 1);
    CU_ASSERT_TRUE(p2_link_stats(server->link).sent_records > P2_RECORD_REKEY_INTERVAL);
    CU_ASSERT_TRUE(p2_link_stats(client.link).sent_records > P2_RECORD_REKEY_INTERVAL);
    fixture_stop(&fixture);
}

/* ---- ending ------------------------------------------------------------------------------------ */

static void a_drained_link_delivers_everything_and_closes_with_0(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    for (int i = 0; i < 3; i++) {
        P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_BLOB, p2_span(big, sizeof big)), P2_OK);
    }
    p2_link_drain(server->link);
    p2_link_drain(server->link);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_BLOB, p2_span("x", 1)), P2_E_DRAINING);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->closed, 1));
    P2_ASSERT_ERROR(server->reason, P2_OK);
    P2_ASSERT_EQUAL(client.bytes, 3 * sizeof big);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.closed, 1));
    P2_ASSERT_ERROR(client.reason, P2_E_CLOSED);
    fixture_stop(&fixture);
}

static void a_link_that_never_sent_drains_at_once(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &client, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1));
    p2_link_drain(fixture.accepted[0].link);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_OK);
    fixture_stop(&fixture);
}

static void a_stranger_can_be_told_why_before_it_is_closed(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &client, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1));
    struct p2_link *link = fixture.accepted[0].link;
    P2_ASSERT_ERROR(p2_link_send(link, P2_MSG_DENIED, p2_span("no", 2)), P2_OK);
    p2_link_drain(link);
    P2_ASSERT_ERROR(p2_link_accept(link, P2_ROLE_HELPER, NULL), P2_E_STATE);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.closed, 1));
    P2_ASSERT_EQUAL(client.last_type, P2_MSG_DENIED);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_OK);
    fixture_stop(&fixture);
}

static void closing_inside_a_message_ends_deliveries_and_reports_once(void)
{
    struct side client = {.closes_on_message = true};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    for (int i = 0; i < 5; i++) {
        P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_LEASE, p2_span("x", 1)), P2_OK);
    }
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->closed, 1));
    CU_ASSERT_TRUE(fixture_wait(&fixture, &client.closed, 1));
    P2_ASSERT_EQUAL(client.messages, 1);
    P2_ASSERT_EQUAL(client.closed, 1);
    P2_ASSERT_ERROR(client.reason, P2_E_CANCELLED);
    fixture_stop(&fixture);
}

static void closing_with_unsent_messages_inside_a_drained_report_is_clean(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    fixture.template.closes_on_drained = true;
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    while (p2_link_send(server->link, P2_MSG_RECEIPT, p2_span(big, 1000)) == P2_OK) {
    }
    CU_ASSERT_TRUE(fixture_wait(&fixture, &server->closed, 1));
    P2_ASSERT_ERROR(server->reason, P2_E_CANCELLED);
    P2_ASSERT_EQUAL(server->drained, 1);
    fixture_stop(&fixture);
}

static void a_reset_by_the_peer_is_found_by_the_next_write(void)
{
    struct raw raw;
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    fixture_start(&fixture, NULL);
    raw_connect(&fixture, &raw);
    CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
    raw_send(&raw, P2_MSG_HELLO, "hello", 5);
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1));
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].messages, 1));
    (void)setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    raw_close(&raw);
    P2_ASSERT_ERROR(p2_link_send(fixture.accepted[0].link, P2_MSG_LEASE, p2_span("x", 1)), P2_OK);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_E_RESET);
    fixture_stop(&fixture);
}

static void stopping_with_drain_finishes_what_was_sent(void)
{
    struct side client = {0};
    fixture_start(&fixture, NULL);
    struct side *server = fixture_connect(&fixture, &client, P2_CIPHER_CHACHAPOLY);
    P2_ASSERT_ERROR(p2_link_send(server->link, P2_MSG_BLOB, p2_span(big, sizeof big)), P2_OK);
    p2_transport_stop(fixture.server, true, fixture_on_stopped, &fixture);
    struct p2_listener *listener = NULL;
    struct p2_link *link = NULL;
    struct p2_link_target target = {
        .address = fixture.address, .cipher = P2_CIPHER_CHACHAPOLY, .events = &side_events};
    P2_ASSERT_ERROR(p2_transport_dial(fixture.server, &target, &link), P2_E_DRAINING);
    struct p2_listen_options options = fixture.listener->options;
    P2_ASSERT_ERROR(p2_transport_listen(fixture.server, &options, &listener), P2_E_DRAINING);
    CU_ASSERT_TRUE(fixture_wait(&fixture, (const int *)&fixture.stopped, 1));
    P2_ASSERT_ERROR(server->reason, P2_OK);
    P2_ASSERT_EQUAL(client.bytes, sizeof big);
    fixture_stop_client(&fixture);
}

static void silence_of_a_peer_ends_its_link(void)
{
    struct raw raw;
    fixture_start(&fixture, give_up_silent_ones);
    raw_connect(&fixture, &raw);
    CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
    raw_send(&raw, P2_MSG_HELLO, "hello", 5);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_E_TIMEOUT);
    raw_close(&raw);
    fixture_stop(&fixture);
}

static void a_stranger_that_says_nothing_is_closed(void)
{
    struct side client = {0};
    fixture_start(&fixture, give_up_strangers);
    P2_ASSERT_ERROR(fixture_dial(&fixture, &client, P2_CIPHER_CHACHAPOLY), P2_OK);
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1));
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_E_TIMEOUT);
    CU_ASSERT_TRUE(fixture_run(&fixture, is_gone, NULL));
    fixture_stop(&fixture);
}

static CU_TestInfo opening_tests[] = {
    P2_TEST(messages_pass_both_ways_with_both_ciphers),
    P2_TEST(links_work_over_ipv6),
    P2_TEST(dialling_fails_with_the_reason),
    P2_TEST(listening_fails_with_the_reason),
    P2_TEST(options_without_a_limit_are_refused),
    P2_TEST(a_listener_that_says_nothing_is_given_up),
    P2_TEST(a_dial_can_be_given_up_at_once),
    P2_TEST(the_user_of_a_listener_may_refuse_a_peer),
    P2_TEST(a_listeners_user_may_close_a_link_while_it_is_introduced),
    CU_TEST_INFO_NULL};
static CU_TestInfo sending_tests[] = {
    P2_TEST(the_largest_messages_arrive_whole),
    P2_TEST(sends_beyond_the_own_role_are_refused),
    P2_TEST(a_control_message_overtakes_bulk_in_the_queue),
    P2_TEST(a_turns_messages_share_a_record_and_a_write),
    P2_TEST(of_unsent_frames_only_the_newest_is_sent),
    P2_TEST(a_full_queue_says_again_and_drained_when_there_is_room),
    P2_TEST(round_trips_are_measured_by_both_sides),
    P2_TEST(the_mean_and_the_jitter_follow_rfc_6298),
    P2_TEST(a_link_survives_the_rekeying_of_both_directions),
    CU_TEST_INFO_NULL};
static CU_TestInfo ending_tests[] = {
    P2_TEST(a_drained_link_delivers_everything_and_closes_with_0),
    P2_TEST(a_link_that_never_sent_drains_at_once),
    P2_TEST(a_stranger_can_be_told_why_before_it_is_closed),
    P2_TEST(closing_inside_a_message_ends_deliveries_and_reports_once),
    P2_TEST(closing_with_unsent_messages_inside_a_drained_report_is_clean),
    P2_TEST(a_reset_by_the_peer_is_found_by_the_next_write),
    P2_TEST(stopping_with_drain_finishes_what_was_sent),
    P2_TEST(silence_of_a_peer_ends_its_link),
    P2_TEST(a_stranger_that_says_nothing_is_closed),
    CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"opening", NULL, NULL, NULL, NULL, opening_tests},
                             {"sending", NULL, NULL, NULL, NULL, sending_tests},
                             {"ending", NULL, NULL, NULL, NULL, ending_tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
