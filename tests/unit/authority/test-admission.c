/* Admission and answers, through the core's step function: what helpers may say and what follows. */
#include "authority/core.h"
#include "tests/lib/test.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

static struct p2_core core;
static struct p2_outbox out;
static struct p2_core_kernel kernel;
static uint64_t clock_us;

static struct p2_span answer_of(const char *text)
{
    return p2_span(text, strlen(text));
}

static void start(bool is_open)
{
    p2_core_free(&core);
    p2_outbox_free(&out);
    kernel = (struct p2_core_kernel){.name = "model",
                                     .version = 3,
                                     .warm_input = p2_span("warm", 4),
                                     .warm_cost = 100,
                                     .warm_output_max = 64};
    struct p2_span right = answer_of("right");
    p2_hash(kernel.warm_digest, sizeof kernel.warm_digest, &right, 1);
    struct p2_core_options options = {.kernels = &kernel,
                                      .kernel_count = 1,
                                      .helpers_max = 8,
                                      .leases_max = 64,
                                      .blobs_each = 4,
                                      .sessions_max = 1,
                                      .window_max = 8,
                                      .cache_max = 1000,
                                      .price_max = 100,
                                      .is_open = is_open};
    p2_rng_init_u64(&options.rng, 5, "test");
    P2_ASSERT_ERROR(p2_core_init(&core, &options), P2_OK);
    P2_ASSERT_ERROR(p2_outbox_init(&out, p2_core_outbox_needed(&core)), P2_OK);
    clock_us = 1000000;
}

static void step(const struct p2_event *event)
{
    p2_outbox_clear(&out);
    P2_ASSERT_ERROR(p2_core_step(&core, event, clock_us, &out), P2_OK);
}

static const struct p2_effect *find(enum p2_effect_type type)
{
    for (uint32_t i = 0; i < out.count; i++) {
        if (out.items[i].type == type) {
            return &out.items[i];
        }
    }
    return NULL;
}

/* The same where the test cannot go on without it. */
static struct p2_effect must_find(enum p2_effect_type type)
{
    const struct p2_effect *effect = find(type);
    P2_ASSERT(effect != NULL);
    return *effect;
}

static void say(uint32_t peer, uint8_t type, struct p2_span body)
{
    step(
        &(struct p2_event){.type = P2_EVENT_MESSAGE, .peer = peer, .message = type, .bytes = body});
}

static struct p2_msg_hello good_hello(uint8_t key)
{
    struct p2_msg_hello hello = {.protocol = P2_WIRE_PROTOCOL,
                                 .cores = 2,
                                 .slots = 4,
                                 .cache_bytes = 5000,
                                 .kernels_count = 1};
    hello.node.bytes[0] = key;
    hello.kernels[0].name = p2_span("model", 5);
    hello.kernels[0].version = 3;
    return hello;
}

static void greet(uint32_t peer, const struct p2_msg_hello *hello)
{
    uint8_t ip[4] = {11, 1, (uint8_t)peer, 1};
    uint8_t body[P2_WIRE_STRANGER_MAX];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    P2_ASSERT_ERROR(p2_wire_encode_hello(&writer, hello), P2_OK);
    step(&(struct p2_event){.type = P2_EVENT_OPENED, .peer = peer, .ip = p2_ip_from_v4(ip)});
    say(peer, P2_MSG_HELLO, p2_writer_span(&writer));
}

static void answer(uint32_t peer, uint64_t lease, struct p2_span output)
{
    struct p2_msg_result result = {.id = lease, .output = output};
    uint8_t body[256];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    P2_ASSERT_ERROR(p2_wire_encode_result(&writer, &result), P2_OK);
    say(peer, P2_MSG_RESULT, p2_writer_span(&writer));
}

/* The whole way to ACTIVE. */
static void admit(uint32_t peer, uint8_t key)
{
    struct p2_msg_hello hello = good_hello(key);
    greet(peer, &hello);
    struct p2_effect lease = must_find(P2_EFFECT_LEASE);
    uint64_t id = lease.lease;
    answer(peer, id, answer_of("right"));
    step(&(struct p2_event){.type = P2_EVENT_CHECKED, .lease = id, .bytes = answer_of("right")});
}

static void a_helper_works_only_after_its_warm_up_was_right(void)
{
    start(true);
    struct p2_msg_hello hello = good_hello(1);
    greet(0, &hello);
    struct p2_effect accept = must_find(P2_EFFECT_ACCEPT);
    P2_ASSERT_EQUAL(accept.window, 4);         /* its slots: fewer than ours */
    P2_ASSERT_EQUAL(accept.cache_bytes, 1000); /* ours: less than its */
    struct p2_effect lease = must_find(P2_EFFECT_LEASE);
    uint64_t id = lease.lease;
    P2_ASSERT_EQUAL(core.helpers.items[0].state, P2_HELPER_WARMING);
    answer(0, id, answer_of("wrong"));
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_CHECK));
    step(&(struct p2_event){.type = P2_EVENT_CHECKED, .lease = id, .bytes = answer_of("wrong")});
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_INTEGRITY));
    P2_ASSERT_EQUAL(core.helpers.items[0].ready_kernels, 0);
    P2_ASSERT_EQUAL(core.helpers.items[0].state, P2_HELPER_WARMING);
    admit(1, 2);
    P2_ASSERT_EQUAL(core.helpers.items[1].state, P2_HELPER_ACTIVE);
    P2_ASSERT_EQUAL(core.helpers.items[1].ready_kernels, 1);
}

static void expect_denied(const struct p2_msg_hello *hello, enum p2_denied_reason reason)
{
    static uint32_t peer;
    greet(peer, hello);
    struct p2_effect denied = must_find(P2_EFFECT_DENIED);
    P2_ASSERT_EQUAL(denied.denied, reason);
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_CLOSE));
    CU_ASSERT_PTR_NULL(find(P2_EFFECT_LEASE));
    step(&(struct p2_event){.type = P2_EVENT_CLOSED, .peer = peer});
    peer = (peer + 1) % 8;
}

static void each_refusal_names_its_reason(void)
{
    start(true);
    struct p2_msg_hello hello = good_hello(1);
    hello.protocol = 99;
    expect_denied(&hello, P2_DENIED_REASON_PROTOCOL);
    hello = good_hello(1);
    hello.price = 101;
    expect_denied(&hello, P2_DENIED_REASON_PRICE);
    hello = good_hello(1);
    hello.kernels[0].digest[3] = 1;
    expect_denied(&hello, P2_DENIED_REASON_KERNELS);
    hello = good_hello(1);
    hello.kernels[0].version = 2;
    expect_denied(&hello, P2_DENIED_REASON_KERNELS);
    start(false);
    hello = good_hello(1);
    expect_denied(&hello, P2_DENIED_REASON_TOKEN);
}

static void a_token_works_once_for_its_helper_until_it_expires(void)
{
    start(false);
    struct p2_msg_hello hello = good_hello(1);
    hello.token = p2_span("0123456789abcdef", 16);
    P2_ASSERT_ERROR(p2_core_invite(&core, hello.token, &hello.node, clock_us + 10), P2_OK);
    greet(0, &hello);
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_ACCEPT));
    struct p2_msg_hello other = good_hello(2);
    other.token = hello.token;
    expect_denied(&other, P2_DENIED_REASON_TOKEN);
    P2_ASSERT_ERROR(p2_core_invite(&core, hello.token, &hello.node, clock_us + 10), P2_OK);
    expect_denied(&other, P2_DENIED_REASON_TOKEN); /* somebody else's, and used up by that */
    P2_ASSERT_ERROR(p2_core_invite(&core, other.token, &other.node, clock_us + 10), P2_OK);
    clock_us += 10;
    expect_denied(&other, P2_DENIED_REASON_TOKEN);
    P2_ASSERT_ERROR(p2_core_configure(&core, &other.node, true), P2_OK);
    greet(7, &other);
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_ACCEPT));
    CU_ASSERT(core.helpers.items[7].is_cloud);
}

static void whoever_asks_for_more_is_told_that_it_only_gets_task_data(void)
{
    start(true);
    admit(0, 1);
    for (int i = 1; i <= 3; i++) {
        say(0, P2_MSG_SAVES, p2_span("x", 1));
        struct p2_effect denied = must_find(P2_EFFECT_DENIED);
        CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_STRIKE));
        CU_ASSERT_PTR_NULL(find(P2_EFFECT_INTEGRITY));
        P2_ASSERT_EQUAL(denied.denied,
                        i < 3 ? P2_DENIED_REASON_TASK_DATA_ONLY : P2_DENIED_REASON_STRIKES);
        P2_ASSERT_EQUAL(find(P2_EFFECT_CLOSE) != NULL, i == 3);
    }
    struct p2_effect denied = {.type = P2_EFFECT_DENIED, .denied = P2_DENIED_REASON_TASK_DATA_ONLY};
    struct p2_effect_terms terms = {.ping_ms = 1000};
    uint8_t body[128];
    uint8_t type = 0;
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    P2_ASSERT_ERROR(p2_effect_encode(&denied, &terms, &writer, &type), P2_OK);
    P2_ASSERT_EQUAL(type, P2_MSG_DENIED);
    CU_ASSERT_PTR_NOT_NULL(memmem(body, writer.size, "you only get task data", 22));
}

static void an_answer_nobody_asked_for_is_a_strike(void)
{
    start(true);
    admit(0, 1);
    admit(1, 2);
    struct p2_msg_hello hello = good_hello(3);
    greet(2, &hello);
    uint64_t id = must_find(P2_EFFECT_LEASE).lease;
    answer(0, id, answer_of("right")); /* the lease is helper 2's */
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_STRIKE));
    CU_ASSERT_PTR_NULL(find(P2_EFFECT_CHECK));
    answer(0, 123456789, answer_of("right"));
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_STRIKE));
    answer(2, id, answer_of("right"));
    CU_ASSERT_PTR_NULL(find(P2_EFFECT_STRIKE));
    answer(2, id, answer_of("right")); /* replayed while the first is checked */
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_STRIKE));
    CU_ASSERT_PTR_NULL(find(P2_EFFECT_CHECK));
}

static void broken_results_never_count_and_never_cost_integrity(void)
{
    for (size_t flip = 0; flip < 8 * 20; flip++) {
        start(true);
        struct p2_msg_hello hello = good_hello(1);
        greet(0, &hello);
        struct p2_msg_result result = {.id = must_find(P2_EFFECT_LEASE).lease,
                                       .output = answer_of("right")};
        uint8_t body[64];
        struct p2_writer writer;
        p2_writer_init(&writer, body, sizeof body);
        (void)p2_wire_encode_result(&writer, &result);
        if (flip / 8 < writer.size) {
            body[flip / 8] ^= (uint8_t)(1u << flip % 8);
        }
        say(0, P2_MSG_RESULT, p2_writer_span(&writer));
        CU_ASSERT_PTR_NULL(find(P2_EFFECT_INTEGRITY));
        say(0, P2_MSG_RESULT, p2_span(body, flip % 20));
        CU_ASSERT_PTR_NULL(find(P2_EFFECT_INTEGRITY));
    }
}

static void messages_beyond_the_rate_are_a_flood(void)
{
    start(true);
    admit(0, 1);
    struct p2_msg_offer offer = {.cores = 1, .slots = 1};
    uint8_t body[64];
    struct p2_writer writer;
    p2_writer_init(&writer, body, sizeof body);
    (void)p2_wire_encode_offer(&writer, &offer);
    for (uint32_t i = 0; i < P2_RATE_MESSAGES_BURST; i++) {
        say(0, P2_MSG_OFFER, p2_writer_span(&writer));
        P2_ASSERT_EQUAL(out.count, 0);
    }
    say(0, P2_MSG_OFFER, p2_writer_span(&writer));
    P2_ASSERT_EQUAL(must_find(P2_EFFECT_DENIED).denied, P2_DENIED_REASON_RATE);
    clock_us += 1000000; /* a second later ten more are fine */
    say(0, P2_MSG_OFFER, p2_writer_span(&writer));
    P2_ASSERT_EQUAL(out.count, 0);
}

static void a_paused_helper_gets_no_work_until_it_lends_again(void)
{
    start(true);
    admit(0, 1);
    struct p2_msg_offer offer = {.pause = P2_PAUSE_REASON_OWNER};
    for (int i = 0; i < 2; i++) {
        uint8_t body[64];
        struct p2_writer writer;
        p2_writer_init(&writer, body, sizeof body);
        (void)p2_wire_encode_offer(&writer, &offer);
        say(0, P2_MSG_OFFER, p2_writer_span(&writer));
        P2_ASSERT_EQUAL(core.helpers.items[0].state, i == 0 ? P2_HELPER_PAUSED : P2_HELPER_ACTIVE);
        offer = (struct p2_msg_offer){.cores = 1, .slots = 2};
    }
    P2_ASSERT_EQUAL(core.helpers.items[0].window, 2);
}

static void strikes_and_back_off_survive_a_reconnect(void)
{
    start(true);
    admit(0, 1);
    for (int i = 0; i < 3; i++) {
        say(0, P2_MSG_SAVES, p2_span("x", 1));
    }
    step(&(struct p2_event){.type = P2_EVENT_CLOSED, .peer = 0});
    struct p2_msg_hello hello = good_hello(1);
    expect_denied(&hello, P2_DENIED_REASON_STRIKES);
    clock_us += P2_BACKOFF_FIRST_US;
    greet(6, &hello);
    CU_ASSERT_PTR_NOT_NULL(find(P2_EFFECT_ACCEPT));
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_helper_works_only_after_its_warm_up_was_right),
        P2_TEST(each_refusal_names_its_reason),
        P2_TEST(a_token_works_once_for_its_helper_until_it_expires),
        P2_TEST(whoever_asks_for_more_is_told_that_it_only_gets_task_data),
        P2_TEST(an_answer_nobody_asked_for_is_a_strike),
        P2_TEST(broken_results_never_count_and_never_cost_integrity),
        P2_TEST(messages_beyond_the_rate_are_a_flood),
        P2_TEST(a_paused_helper_gets_no_work_until_it_lends_again),
        P2_TEST(strikes_and_back_off_survive_a_reconnect),
        CU_TEST_INFO_NULL,
    };
    (void)p2_crypto_init();
    CU_SuiteInfo suites[] = {{"admission", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    int status = p2_test_main(argc, argv, suites);
    p2_core_free(&core);
    p2_outbox_free(&out);
    return status;
}
