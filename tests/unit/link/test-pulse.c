/* When a link counts as dead: the rule on a clock made by hand, and in the simulated transport. */
#include "link/pulse.h"

#include "link/link_sim.h"
#include "tests/lib/handshake.h"
#include "tests/lib/test.h"

#include <string.h>

#define IDLE 15000u

/* ---- the rule ---------------------------------------------------------------------------------- */

static void silence_ends_a_link_exactly_at_the_idle_time_out(void)
{
    struct p2_pulse pulse = {.heard = 1000};
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 1000 + IDLE - 1, IDLE), P2_OK);
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 1000 + IDLE, IDLE), P2_E_TIMEOUT);
    pulse.heard = 2000;
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 1000 + IDLE, IDLE), P2_OK);
}

static void progress_keeps_a_silent_link_alive(void)
{
    struct p2_pulse pulse = {.heard = 1000, .progress = 9000};
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 9000 + IDLE - 1, IDLE), P2_OK);
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 9000 + IDLE, IDLE), P2_E_TIMEOUT);
}

static void an_unanswered_ping_does_not_end_a_link_that_makes_progress(void)
{
    struct p2_pulse pulse = {.heard = 1000, .ping = 1000, .is_ping_out = true};
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, 1000 + IDLE, IDLE), P2_E_TIMEOUT);
    for (uint64_t now = 1000; now < 1000 + P2_PULSE_PING_FACTOR * IDLE; now += 100) {
        pulse.progress = now;
        P2_ASSERT_ERROR(p2_pulse_check(&pulse, now, IDLE), P2_OK);
    }
}

static void a_ping_that_is_never_answered_ends_a_link_at_last(void)
{
    uint64_t last = 1000 + P2_PULSE_PING_FACTOR * IDLE;
    struct p2_pulse pulse = {
        .heard = 1000 + last - IDLE, .progress = last - 1, .ping = 1000, .is_ping_out = true};
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, last - 1, IDLE), P2_OK);
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, last, IDLE), P2_E_TIMEOUT);
    pulse.is_ping_out = false;
    P2_ASSERT_ERROR(p2_pulse_check(&pulse, last, IDLE), P2_OK);
}

/* ---- a slow line ------------------------------------------------------------------------------- */

enum { STRANGER, HELPER, AUTHORITY };
enum { HELLO = 1, DATA, PING, PONG };

#define PART  50000u /* bytes of one message */
#define PARTS 16u

static uint32_t max_size(uint8_t sender, uint8_t type)
{
    (void)sender;
    return type == DATA ? PART : 64;
}

static enum p2_link_class class_of(uint8_t type)
{
    return type == DATA ? P2_LINK_BULK : P2_LINK_CONTROL;
}

static const struct p2_link_rules rules = {max_size, class_of, 3, PING, PONG};

struct end {
    struct p2_link *link;
    unsigned messages;
    int closes;
    int reason;
};

static void on_open(struct p2_link *link, void *ctx)
{
    ((struct end *)ctx)->link = link;
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct end *end = ctx;
    (void)body;
    end->messages += type == DATA;
    if (type == HELLO) {
        P2_ASSERT_ERROR(p2_link_accept(link, HELPER, NULL), P2_OK);
    }
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct end *end = ctx;
    (void)link;
    end->link = NULL;
    end->closes++;
    end->reason = reason;
}

static const struct p2_link_events events = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close};

static int on_peer(struct p2_link *link, void *listener_ctx, void **ret_ctx)
{
    (void)link;
    *ret_ctx = listener_ctx;
    return P2_OK;
}

/* 800 KB to a helper behind 10 KB/s, all of it in the network's buffers at once: 80 s, in which the
 * helper, that has nothing to say, cannot even answer the PING behind it. */
struct slow {
    struct p2_link_sim *sim;
    struct p2_link_sim_node *nodes[2]; /* helper, authority */
    struct end helper;
    struct end authority;
};

static void slow_open(struct slow *slow)
{
    struct p2_link_sim_options options = {
        .seed = 1, .rules = &rules, .path = {.delay_min_us = 10000, .window_bytes = 1u << 20}};
    struct p2_listener *listener;
    struct p2_id ids[2];
    struct p2_ip ips[2];
    memset(slow, 0, sizeof *slow);
    P2_ASSERT_ERROR(p2_link_sim_new(&slow->sim, &options), P2_OK);
    for (uint8_t i = 0; i < 2; i++) {
        struct p2_identity identity;
        p2_test_identity(&identity, (uint8_t)(i + 1));
        memcpy(ids[i].bytes, identity.public_key, P2_ID_BYTES);
        ips[i] = p2_ip_from_v4((const uint8_t[]){192, 0, 2, (uint8_t)(i + 1)});
        P2_ASSERT_ERROR(p2_link_sim_add_node(slow->sim, &ips[i], &ids[i], &slow->nodes[i]), P2_OK);
    }
    struct p2_listen_options listen = {.address = {{.family = 4}, 4242},
                                       .own_role = AUTHORITY,
                                       .events = &events,
                                       .on_peer = on_peer,
                                       .ctx = &slow->authority};
    P2_ASSERT_ERROR(p2_transport_listen(p2_link_sim_transport(slow->nodes[1]), &listen, &listener),
                    P2_OK);
    struct p2_link_target target = {.address = {ips[1], 4242},
                                    .id = ids[1],
                                    .cipher = P2_CIPHER_CHACHAPOLY,
                                    .own_role = HELPER,
                                    .peer_role = AUTHORITY,
                                    .events = &events,
                                    .ctx = &slow->helper};
    P2_ASSERT_ERROR(
        p2_transport_dial(p2_link_sim_transport(slow->nodes[0]), &target, &slow->helper.link),
        P2_OK);
}

static void slow_run(struct slow *slow, uint64_t seconds)
{
    p2_link_sim_run(slow->sim, p2_link_sim_now_us(slow->sim) + seconds * 1000000);
}

static void slow_send(struct slow *slow)
{
    static const uint8_t bytes[PART];
    struct p2_link_sim_path path = {
        .delay_min_us = 10000, .window_bytes = 1u << 20, .bytes_per_s = 10000};
    slow_run(slow, 1);
    CU_ASSERT_FATAL(slow->helper.link != NULL);
    P2_ASSERT_ERROR(p2_link_send(slow->helper.link, HELLO, p2_span("hello", 5)), P2_OK);
    slow_run(slow, 1);
    P2_ASSERT_ERROR(p2_link_sim_set_path(slow->nodes[1], slow->nodes[0], &path), P2_OK);
    for (unsigned i = 0; i < PARTS; i++) {
        P2_ASSERT_ERROR(p2_link_send(slow->authority.link, DATA, p2_span(bytes, PART)), P2_OK);
    }
}

static void a_slow_line_that_makes_progress_delivers_everything(void)
{
    struct slow slow;
    slow_open(&slow);
    slow_send(&slow);
    slow_run(&slow, 100);
    P2_ASSERT_EQUAL(slow.helper.messages, PARTS);
    P2_ASSERT_EQUAL(slow.helper.closes + slow.authority.closes, 0);
    p2_link_sim_free(slow.sim);
}

static void a_slow_line_that_stops_is_given_up(void)
{
    struct slow slow;
    slow_open(&slow);
    slow_send(&slow);
    slow_run(&slow, 30);
    P2_ASSERT_EQUAL(slow.authority.closes, 0);
    P2_ASSERT_ERROR(p2_link_sim_block(slow.nodes[1], slow.nodes[0], P2_LINK_SIM_FOREVER), P2_OK);
    P2_ASSERT_ERROR(p2_link_sim_block(slow.nodes[0], slow.nodes[1], P2_LINK_SIM_FOREVER), P2_OK);
    slow_run(&slow, 15 + 5 + 1); /* deadlines are looked at every 5 s */
    P2_ASSERT_EQUAL(slow.authority.closes, 1);
    P2_ASSERT_ERROR(slow.authority.reason, P2_E_TIMEOUT);
    p2_link_sim_free(slow.sim);
}

static CU_TestInfo rule_tests[] = {
    P2_TEST(silence_ends_a_link_exactly_at_the_idle_time_out),
    P2_TEST(progress_keeps_a_silent_link_alive),
    P2_TEST(an_unanswered_ping_does_not_end_a_link_that_makes_progress),
    P2_TEST(a_ping_that_is_never_answered_ends_a_link_at_last), CU_TEST_INFO_NULL};
static CU_TestInfo line_tests[] = {P2_TEST(a_slow_line_that_makes_progress_delivers_everything),
                                   P2_TEST(a_slow_line_that_stops_is_given_up), CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"pulse", NULL, NULL, NULL, NULL, rule_tests},
                             {"a slow line", NULL, NULL, NULL, NULL, line_tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
