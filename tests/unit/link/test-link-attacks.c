/* Attacks on a listener, each over a real socket: every one ends in a named error on its own
 * connection only, while an honest helper keeps working (its p99 is printed). */
#include "tests/unit/link/tcp_fixture.h"

#include "link/mux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct fixture fixture; /* too large for the stack */

/* ---- the honest helper ------------------------------------------------------------------------- */

#define ROUNDS_KEPT 200000 /* the last ones */

static struct side honest;       /* the helper's side: answers each LEASE */
static struct side *honest_host; /* the authority's side */
static uint32_t rounds_us[ROUNDS_KEPT];
static unsigned rounds; /* all of them */
static uint64_t asked_ns;
static int answers_seen;
static uv_prepare_t asker;

/* Asks again as soon as the last answer came. */
static void on_ask(uv_prepare_t *prepare)
{
    (void)prepare;
    if (honest_host->link == NULL || honest_host->messages == answers_seen) {
        return;
    }
    uint64_t now = uv_hrtime();
    if (asked_ns != 0) {
        rounds_us[rounds++ % ROUNDS_KEPT] = (uint32_t)((now - asked_ns) / 1000);
    }
    answers_seen = honest_host->messages;
    asked_ns = now;
    P2_ASSERT_ERROR(p2_link_send(honest_host->link, P2_MSG_LEASE, p2_span("task", 4)), P2_OK);
}

static void start_honest(void (*change)(struct p2_tcp_options *options, bool is_server))
{
    memset(&honest, 0, sizeof honest);
    honest.is_echoing = true;
    fixture_start(&fixture, change);
    honest_host = fixture_connect(&fixture, &honest, P2_CIPHER_CHACHAPOLY);
    rounds = 0;
    asked_ns = 0;
    answers_seen = 0;
    (void)uv_prepare_init(&fixture.loop, &asker);
    (void)uv_prepare_start(&asker, on_ask);
}

static int compare_rounds(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void stop_honest(const char *attack)
{
    unsigned before = rounds;
    while (rounds < before + 20 && honest.closed == 0) { /* it still works after the attack */
        (void)uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    P2_ASSERT_EQUAL(honest.closed, 0);
    P2_ASSERT_EQUAL(honest_host->closed, 0);
    CU_ASSERT_TRUE(rounds >= before + 20);
    unsigned kept = rounds < ROUNDS_KEPT ? rounds : ROUNDS_KEPT;
    qsort(rounds_us, kept, sizeof rounds_us[0], compare_rounds);
    (void)printf("\n    honest peer during %s: %u round trips, p50 %u us, p99 %u us\n", attack,
                 rounds, rounds_us[kept / 2], rounds_us[kept - 1 - kept / 100]);
    uv_close((uv_handle_t *)&asker, NULL);
    fixture_stop(&fixture);
}

/* ---- attacks before a user knows the peer ------------------------------------------------------ */

/* Message 1 with its preamble, made with the noise state of `raw`; returns its size. */
static size_t first_message(struct raw *raw, uint8_t *out, struct p2_span payload)
{
    size_t size = 0;
    memcpy(out, raw->preamble, P2_PREAMBLE_BYTES);
    P2_ASSERT_ERROR(p2_noise_write(&raw->noise, payload, out + P2_PREAMBLE_BYTES, 256, &size),
                    P2_OK);
    return P2_PREAMBLE_BYTES + size;
}

static void garbage(struct raw *raw)
{
    uint8_t bytes[300];
    p2_rng_bytes(&fixture.rng, bytes, sizeof bytes);
    raw_write(raw, bytes, sizeof bytes);
}

static void http(struct raw *raw)
{
    raw_write(raw, "GET / HTTP/1.1\r\n\r\n", 18);
}

/* A preamble changed on its way: the dialler's Noise state has the true one. */
static void change_preamble(struct raw *raw, size_t at, uint8_t value)
{
    uint8_t bytes[300];
    raw_noise(&fixture, raw, &fixture.client_identity, fixture.server_identity.exchange_public);
    size_t size = first_message(raw, bytes, p2_span(NULL, 0));
    bytes[at] = value;
    raw_write(raw, bytes, size);
}

static void changed_version(struct raw *raw)
{
    change_preamble(raw, 4, 2);
}

static void unknown_cipher(struct raw *raw)
{
    change_preamble(raw, 5, 0);
}

static void stripped_cipher(struct raw *raw)
{
    p2_preamble_format(raw->preamble, P2_CIPHER_AESGCM);
    change_preamble(raw, 5, P2_CIPHER_CHACHAPOLY);
}

static void reserved_bytes_used(struct raw *raw)
{
    change_preamble(raw, 7, 1);
}

static void flipped_bit_in_message_1(struct raw *raw)
{
    change_preamble(raw, P2_PREAMBLE_BYTES + 40, 0x99);
}

static void wrong_static_key(struct raw *raw)
{
    uint8_t bytes[300];
    raw_noise(&fixture, raw, &fixture.client_identity, fixture.client_identity.exchange_public);
    raw_write(raw, bytes, first_message(raw, bytes, p2_span(NULL, 0)));
}

static void all_zero_dh_result(struct raw *raw)
{
    uint8_t bytes[P2_PREAMBLE_BYTES + P2_NOISE_MESSAGE_1_BYTES] = {0};
    memcpy(bytes, raw->preamble, P2_PREAMBLE_BYTES); /* e is the point of order 1 */
    raw_write(raw, bytes, sizeof bytes);
}

static void payload_in_message_1(struct raw *raw)
{
    uint8_t bytes[300];
    raw_noise(&fixture, raw, &fixture.client_identity, fixture.server_identity.exchange_public);
    raw_write(raw, bytes, first_message(raw, bytes, p2_span("payload", 7)));
}

/* Up to message 3, whose bytes go to out; returns their number. */
static size_t until_message_3(struct raw *raw, uint8_t *out, struct p2_span payload)
{
    uint8_t bytes[300], none[1];
    size_t size = 0;
    raw_noise(&fixture, raw, &fixture.client_identity, fixture.server_identity.exchange_public);
    raw_write(raw, bytes, first_message(raw, bytes, p2_span(NULL, 0)));
    CU_ASSERT_TRUE(raw_read(&fixture, raw, bytes, P2_NOISE_MESSAGE_2_BYTES));
    P2_ASSERT_ERROR(
        p2_noise_read(&raw->noise, p2_span(bytes, P2_NOISE_MESSAGE_2_BYTES), none, 0, &size),
        P2_OK);
    P2_ASSERT_ERROR(p2_noise_write(&raw->noise, payload, out, 256, &size), P2_OK);
    return size;
}

static void payload_in_message_3(struct raw *raw)
{
    uint8_t bytes[300];
    raw_write(raw, bytes, until_message_3(raw, bytes, p2_span("payload", 7)));
}

static void flipped_bit_in_message_3(struct raw *raw)
{
    uint8_t bytes[300];
    size_t size = until_message_3(raw, bytes, p2_span(NULL, 0));
    bytes[5] ^= 1;
    raw_write(raw, bytes, size);
}

static void hang_up(struct raw *raw)
{
    raw_close(raw);
    raw_connect(&fixture, raw); /* one more, so that there is a socket to close */
    raw_close(raw);
}

static const struct early_attack {
    const char *name;
    void (*run)(struct raw *raw);
    int error;
} early_attacks[] = {
    {"garbage", garbage, P2_E_BAD_MAGIC},
    {"http", http, P2_E_BAD_MAGIC},
    {"changed version", changed_version, P2_E_BAD_VERSION},
    {"unknown cipher", unknown_cipher, P2_E_BAD_CIPHER},
    {"stripped cipher", stripped_cipher, P2_E_HANDSHAKE},
    {"reserved bytes used", reserved_bytes_used, P2_E_MALFORMED},
    {"flipped bit in message 1", flipped_bit_in_message_1, P2_E_HANDSHAKE},
    {"wrong static key", wrong_static_key, P2_E_HANDSHAKE},
    {"all-zero DH result", all_zero_dh_result, P2_E_BAD_KEY},
    {"payload in message 1", payload_in_message_1, P2_E_HANDSHAKE},
    {"payload in message 3", payload_in_message_3, P2_E_HANDSHAKE},
    {"flipped bit in message 3", flipped_bit_in_message_3, P2_E_HANDSHAKE},
    {"hang up", hang_up, P2_E_CLOSED},
};

static void attacks_on_the_handshake_end_in_named_errors(void)
{
    start_honest(NULL);
    for (unsigned i = 0; i < P2_COUNT_OF(early_attacks); i++) {
        struct raw raw;
        unsigned before = fixture.refused_count;
        raw_connect(&fixture, &raw);
        early_attacks[i].run(&raw);
        CU_ASSERT_TRUE(fixture_wait_refused(&fixture, before + 1));
        p2_test_error(fixture.refused[before], early_attacks[i].error, early_attacks[i].name,
                      __FILE__, __LINE__);
        P2_ASSERT_EQUAL(fixture.accepted_count, 1); /* nobody but the honest one got a user */
        if (raw.fd >= 0) {
            raw_close(&raw);
        }
    }
    stop_honest("attacks on the handshake");
}

static void every_truncated_first_message_waits_and_then_is_closed(void)
{
    for (size_t length = 0; length < P2_PREAMBLE_BYTES + P2_NOISE_MESSAGE_1_BYTES; length += 7) {
        struct raw raw;
        uint8_t bytes[300];
        fixture_start(&fixture, NULL);
        raw_connect(&fixture, &raw);
        raw_noise(&fixture, &raw, &fixture.client_identity,
                  fixture.server_identity.exchange_public);
        (void)first_message(&raw, bytes, p2_span(NULL, 0));
        raw_write(&raw, bytes, length);
        raw_close(&raw);
        CU_ASSERT_TRUE(fixture_wait_refused(&fixture, 1));
        P2_ASSERT_ERROR(fixture.refused[0], P2_E_CLOSED);
        fixture_stop(&fixture);
    }
}

/* ---- attacks with a key ------------------------------------------------------------------------ */

static uint8_t plain[P2_RECORD_PLAINTEXT_MAX];
static uint8_t sealed[4][P2_RECORD_BYTES_MAX];

static void hello(struct raw *raw)
{
    raw_send(raw, P2_MSG_HELLO, "hello", 5);
}

static void be_a_helper(struct raw *raw)
{
    unsigned index = fixture.accepted_count - 1;
    hello(raw);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[index].messages, 1));
}

static void stranger_sends_too_much(struct raw *raw)
{
    raw_send(raw, P2_MSG_HELLO, plain, 1100);
}

static void stranger_sends_another_type(struct raw *raw)
{
    raw_send(raw, P2_MSG_RESULT, "x", 1);
}

static void stranger_sends_an_unknown_type(struct raw *raw)
{
    raw_send(raw, 250, "x", 1);
}

static void stranger_sends_a_partial_message(struct raw *raw)
{
    static const uint8_t first[] = {P2_MUX_FIRST, P2_MSG_HELLO, 0, 1, 0, 0, 0, 9, 'x'};
    raw_write(raw, sealed[0], raw_seal(raw, sealed[0], first, sizeof first));
}

static void record_shorter_than_a_tag(struct raw *raw)
{
    raw_write(raw, "\0\x10", 2);
}

static void flipped_bit_in_a_record(struct raw *raw)
{
    size_t size = raw_seal(raw, sealed[0], "\0\1\0\1x", 5);
    sealed[0][size - 1] ^= 0x80;
    raw_write(raw, sealed[0], size);
}

static void id_with_sign_bit_1(struct raw *raw)
{
    static struct p2_id id;
    memcpy(id.bytes, fixture.client_identity.public_key, sizeof id.bytes);
    id.bytes[31] |= 0x80;
    fixture.accepted[fixture.accepted_count - 1].check_id = &id;
    hello(raw);
}

static void id_of_somebody_else(struct raw *raw)
{
    static struct p2_id id;
    memcpy(id.bytes, fixture.server_identity.public_key, sizeof id.bytes);
    fixture.accepted[fixture.accepted_count - 1].check_id = &id;
    hello(raw);
}

static void replayed_record(struct raw *raw)
{
    be_a_helper(raw);
    size_t size = raw_seal(raw, sealed[0], "\0\5\0\1x", 5);
    raw_write(raw, sealed[0], size);
    raw_write(raw, sealed[0], size);
}

static void reordered_records(struct raw *raw)
{
    be_a_helper(raw);
    size_t size = raw_seal(raw, sealed[0], "\0\5\0\1x", 5);
    raw_write(raw, sealed[1], raw_seal(raw, sealed[1], "\0\5\0\1y", 5));
    raw_write(raw, sealed[0], size);
}

static void message_of_another_role(struct raw *raw)
{
    be_a_helper(raw);
    raw_send(raw, P2_MSG_LEASE, "x", 1);
}

static void hello_again(struct raw *raw)
{
    be_a_helper(raw);
    hello(raw);
}

static void oversized_total(struct raw *raw)
{
    static const uint8_t first[] = {P2_MUX_FIRST, P2_MSG_RESULT, 0, 1, 0x7f, 0xff, 0xff, 0xff, 1};
    be_a_helper(raw);
    raw_write(raw, sealed[0], raw_seal(raw, sealed[0], first, sizeof first));
}

static void pong_without_ping(struct raw *raw)
{
    be_a_helper(raw);
    raw_send(raw, P2_MSG_PONG, "\x91\xcf\0\0\0\0\0\0\0\1", P2_PING_BYTES);
}

/* The authority's first PING is answered, and then answered again. */
static void pong_twice(struct raw *raw)
{
    uint8_t record[P2_RECORD_OVERHEAD + P2_MUX_HEADER_BYTES + P2_PING_BYTES];
    be_a_helper(raw);
    CU_ASSERT_TRUE(raw_read(&fixture, raw, record, sizeof record));
    P2_ASSERT_ERROR(p2_record_open(&raw->receive, plain, record + P2_RECORD_HEADER_BYTES,
                                   sizeof record - P2_RECORD_HEADER_BYTES),
                    P2_OK);
    P2_ASSERT_EQUAL(plain[1], P2_MSG_PING);
    uint8_t nonce[P2_PING_BYTES];
    memcpy(nonce, plain + P2_MUX_HEADER_BYTES, sizeof nonce);
    raw_send(raw, P2_MSG_PONG, nonce, sizeof nonce);
    raw_send(raw, P2_MSG_PONG, nonce, sizeof nonce);
}

static void pings_without_reading(struct raw *raw)
{
    be_a_helper(raw);
    for (size_t at = 0; at + 20 < sizeof plain; at += 20) {
        static const uint8_t ping[20] = {P2_MUX_WHOLE, P2_MSG_PING, 0, 16};
        memcpy(plain + at, ping, sizeof ping);
    }
    for (unsigned i = 0; i < 4000 && fixture.accepted[fixture.accepted_count - 1].closed == 0;
         i++) {
        raw_write(raw, sealed[0], raw_seal(raw, sealed[0], plain, sizeof plain / 20 * 20 - 20));
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
}

static const struct late_attack {
    const char *name;
    void (*run)(struct raw *raw);
    int error;
} late_attacks[] = {
    {"stranger sends too much", stranger_sends_too_much, P2_E_TOO_BIG},
    {"stranger sends another type", stranger_sends_another_type, P2_E_NOT_ALLOWED},
    {"stranger sends an unknown type", stranger_sends_an_unknown_type, P2_E_BAD_TYPE},
    {"stranger sends a partial message", stranger_sends_a_partial_message, P2_E_MALFORMED},
    {"record shorter than a tag", record_shorter_than_a_tag, P2_E_TAMPERED},
    {"flipped bit in a record", flipped_bit_in_a_record, P2_E_TAMPERED},
    {"id with sign bit 1", id_with_sign_bit_1, P2_E_BAD_KEY},
    {"id of somebody else", id_of_somebody_else, P2_E_WRONG_PEER},
    {"replayed record", replayed_record, P2_E_TAMPERED},
    {"reordered records", reordered_records, P2_E_TAMPERED},
    {"message of another role", message_of_another_role, P2_E_NOT_ALLOWED},
    {"HELLO again", hello_again, P2_E_NOT_ALLOWED},
    {"oversized total", oversized_total, P2_E_TOO_BIG},
    {"PONG without PING", pong_without_ping, P2_E_UNSOLICITED},
    {"PONG twice", pong_twice, P2_E_UNSOLICITED},
    {"PINGs without reading", pings_without_reading, P2_E_FLOOD},
};

static void attacks_with_a_key_end_in_named_errors(void)
{
    start_honest(NULL);
    for (unsigned i = 0; i < P2_COUNT_OF(late_attacks); i++) {
        struct raw raw;
        unsigned index = fixture.accepted_count;
        raw_connect(&fixture, &raw);
        CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
        CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, index + 1));
        late_attacks[i].run(&raw);
        CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[index].closed, 1));
        /* Who only has a hand on the wire can do what these do: no blame for the peer. */
        CU_ASSERT(late_attacks[i].error != P2_E_TAMPERED ||
                  p2_error_class(fixture.accepted[index].reason) == P2_CLASS_NET);
        p2_test_error(fixture.accepted[index].reason, late_attacks[i].error, late_attacks[i].name,
                      __FILE__, __LINE__);
        raw_close(&raw);
    }
    stop_honest("attacks with a key");
}

static void a_stranger_that_speaks_twice_floods(void)
{
    struct raw raw;
    fixture_start(&fixture, NULL);
    fixture.template.is_undecided = true;
    raw_connect(&fixture, &raw);
    CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
    hello(&raw);
    hello(&raw);
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1));
    CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[0].closed, 1));
    P2_ASSERT_ERROR(fixture.accepted[0].reason, P2_E_FLOOD);
    P2_ASSERT_EQUAL(fixture.accepted[0].messages, 1);
    raw_close(&raw);
    fixture_stop(&fixture);
}

/* ---- attacks in numbers ------------------------------------------------------------------------ */

#define HALF_OPEN 5000
#define PARTIALS  1000

static int sockets[HALF_OPEN];

/* Both ends of every connection are in this process. */
static void need_descriptors(rlim_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count) {
        limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < count) {
        (void)printf("SKIP: needs %llu open files (RLIMIT_NOFILE)\n", (unsigned long long)count);
        exit(77);
    }
}

static void expect_half_open(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->unaccepted_max = HALF_OPEN + 10;
    options->handshake_timeout_ms = 5000;
}

static void five_thousand_half_open_handshakes_only_time_out(void)
{
    start_honest(expect_half_open);
    for (int i = 0; i < HALF_OPEN; i++) {
        struct raw raw;
        raw_connect(&fixture, &raw);
        if (i % 2 == 0) { /* half of them send most of message 1, half nothing */
            raw_write(&raw, raw.preamble, P2_PREAMBLE_BYTES);
            raw_write(&raw, plain, 40);
        }
        sockets[i] = raw.fd;
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
    CU_ASSERT_TRUE(fixture_wait_refused(&fixture, HALF_OPEN));
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_TIMEOUT), HALF_OPEN);
    for (int i = 0; i < HALF_OPEN; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
    stop_honest("5,000 half-open handshakes");
}

static void expect_few(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->unaccepted_max = 50;
    options->handshakes_per_turn = 2;
}

static void half_open_handshakes_beyond_the_limit_push_out_the_oldest(void)
{
    static struct side late;
    memset(&late, 0, sizeof late);
    start_honest(expect_few);
    for (int i = 0; i < 200; i++) {
        struct raw raw;
        raw_connect(&fixture, &raw);
        sockets[i] = raw.fd;
    }
    CU_ASSERT_TRUE(fixture_wait_refused(&fixture, 150));
    (void)fixture_connect(&fixture, &late, P2_CIPHER_CHACHAPOLY); /* an honest one gets in */
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_BUSY), fixture.refused_count);
    CU_ASSERT_TRUE(p2_tcp_stats(fixture.server).unaccepted <= 50);
    for (int i = 0; i < 200; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
    stop_honest("half-open handshakes beyond the limit");
}

static void handshakes_beyond_the_budget_of_a_turn_wait_and_succeed(void)
{
    static struct side many[40];
    memset(many, 0, sizeof many);
    start_honest(expect_few);
    for (unsigned i = 0; i < P2_COUNT_OF(many); i++) {
        P2_ASSERT_ERROR(fixture_dial(&fixture, &many[i], P2_CIPHER_CHACHAPOLY), P2_OK);
    }
    CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, 1 + P2_COUNT_OF(many)));
    CU_ASSERT_TRUE(p2_tcp_stats(fixture.server).handshakes_queued > 0);
    P2_ASSERT_EQUAL(fixture.refused_count, 0);
    stop_honest("40 handshakes at once");
}

static bool has_queued(struct fixture *of, void *ctx)
{
    (void)ctx;
    return p2_tcp_stats(of->server).handshakes_queued > 0;
}

static void waiting_handshakes_can_hang_up(void)
{
    start_honest(expect_few);
    for (int i = 0; i < 20; i++) {
        struct raw raw;
        uint8_t bytes[300];
        raw_connect(&fixture, &raw);
        raw_noise(&fixture, &raw, &fixture.client_identity,
                  fixture.server_identity.exchange_public);
        raw_write(&raw, bytes, first_message(&raw, bytes, p2_span(NULL, 0)));
        sockets[i] = raw.fd;
    }
    CU_ASSERT_TRUE(fixture_run(&fixture, has_queued, NULL));
    uv_close((uv_handle_t *)&asker, NULL);
    fixture_stop(&fixture); /* stops with handshakes on the waiting list */
    for (int i = 0; i < 20; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
}

static void waiting_handshakes_can_be_pushed_out(void)
{
    start_honest(expect_few);
    for (int i = 0; i < 200; i++) {
        struct raw raw;
        uint8_t bytes[300];
        raw_connect(&fixture, &raw);
        raw_noise(&fixture, &raw, &fixture.client_identity,
                  fixture.server_identity.exchange_public);
        raw_write(&raw, bytes, first_message(&raw, bytes, p2_span(NULL, 0)));
        sockets[i] = raw.fd;
        if (i % 10 == 9) { /* more than the budget of a turn: some wait, and are the oldest */
            (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        }
    }
    CU_ASSERT_TRUE(fixture_wait_refused(&fixture, 150));
    P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_BUSY), fixture.refused_count);
    for (int i = 0; i < 200; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
    stop_honest("200 handshakes at once");
}

/* Long enough that a reader is never late only because the machine is busy. */
#define STALL_MS 1000u

static void be_impatient(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->unaccepted_max = PARTIALS + 10;
    options->partial_timeout_ms = 500;
    options->stall_timeout_ms = STALL_MS;
    options->pulse_ms = 50;
    options->memory_max = (size_t)64 << 20;
}

static void a_thousand_links_with_partial_messages_for_ever_time_out(void)
{
    static const uint8_t first[] = {P2_MUX_FIRST, P2_MSG_RESULT, 0, 1, 0, 0x10, 0, 0, 'x'};
    start_honest(be_impatient);
    for (int i = 0; i < PARTIALS; i++) {
        struct raw raw;
        raw_connect(&fixture, &raw);
        CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
        hello(&raw);
        size_t size = raw_seal(&raw, sealed[0], first, sizeof first);
        raw_write(&raw, sealed[0], i % 2 == 0 ? size : size - 1); /* message or record */
        sockets[i] = raw.fd;
    }
    CU_ASSERT_TRUE(p2_tcp_stats(fixture.server).used_bytes < 1024 * PARTIALS);
    for (unsigned i = 1; i <= PARTIALS; i++) {
        CU_ASSERT_TRUE(fixture_wait_accepted(&fixture, i + 1));
        CU_ASSERT_TRUE(fixture_wait(&fixture, &fixture.accepted[i].closed, 1));
        P2_ASSERT_ERROR(fixture.accepted[i].reason, P2_E_TIMEOUT);
    }
    for (int i = 0; i < PARTIALS; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
    stop_honest("1,000 links with partial messages");
}

/* Sends until the link takes no more. */
static void fill(struct side *to)
{
    while (to->link != NULL &&
           p2_link_send(to->link, P2_MSG_LEASE, p2_span(plain, 50000)) == P2_OK) {
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
}

/* Reads at most `size` bytes of what is there. */
static void read_some(struct raw *raw, size_t size)
{
    ssize_t got = 1;
    while (size > 0 && got > 0) {
        got = recv(raw->fd, sealed, size < sizeof sealed ? size : sizeof sealed, MSG_DONTWAIT);
        size -= got > 0 ? (size_t)got : 0;
    }
}

static void a_reader_that_stalls_is_dropped(void)
{
    struct raw raw;
    start_honest(be_impatient);
    raw_connect(&fixture, &raw);
    CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
    be_a_helper(&raw);
    struct side *slow = &fixture.accepted[1];
    fill(slow);
    uint64_t end_ns = uv_hrtime() + (uint64_t)3 * STALL_MS * 1000000, next_ns = 0;
    while (uv_hrtime() < end_ns) { /* slow, but it reads: it may stay */
        if (uv_hrtime() >= next_ns) {
            read_some(&raw, (size_t)1 << 20);
            next_ns = uv_hrtime() + (uint64_t)STALL_MS / 10 * 1000000;
        }
        (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        fill(slow);
    }
    P2_ASSERT_EQUAL(slow->closed, 0);
    CU_ASSERT_TRUE(fixture_wait(&fixture, &slow->closed, 1));
    P2_ASSERT_ERROR(slow->reason, P2_E_STALLED);
    raw_close(&raw);
    stop_honest("a slow reader");
}

static void memory_for_partial_messages_is_bounded_for_all_links_together(void)
{
    static const uint8_t head[] = {P2_MUX_FIRST, P2_MSG_RESULT, 0xf0, 0, 0, 0x10, 0, 0};
    struct raw raw;
    unsigned closed = 0;
    start_honest(be_impatient);
    memcpy(plain, head, sizeof head);
    for (int i = 0; i < PARTIALS && closed == 0; i++) {
        raw_connect(&fixture, &raw);
        CU_ASSERT_TRUE(raw_handshake(&fixture, &raw, &fixture.client_identity));
        be_a_helper(&raw);
        raw_write(&raw, sealed[0], raw_seal(&raw, sealed[0], plain, sizeof head + 0xf000));
        CU_ASSERT_TRUE(p2_tcp_stats(fixture.server).used_bytes <= (size_t)64 << 20);
        for (int turn = 0; turn < 3; turn++) {
            (void)uv_run(&fixture.loop, UV_RUN_NOWAIT);
        }
        for (unsigned k = 1; k < fixture.accepted_count; k++) {
            closed += fixture.accepted[k].closed != 0;
        }
        sockets[i] = raw.fd;
        sockets[i + 1] = -1;
    }
    CU_ASSERT_TRUE(closed > 0); /* by the limit or, on a slow machine, by the deadline */
    for (int i = 0; i < PARTIALS && sockets[i] >= 0; i++) {
        raw_close(&(struct raw){.fd = sockets[i]});
    }
    stop_honest("large partial messages");
}

static void be_strict(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->local_peers = P2_LOCAL_PEERS_STRICT;
    options->per_prefix_max = 3;
}

static void take_few(struct p2_tcp_options *options, bool is_server)
{
    (void)is_server;
    options->connections_max = 3;
}

static void connections_beyond_a_limit_are_refused(void)
{
    static void (*const changes[])(struct p2_tcp_options *, bool) = {be_strict, take_few};
    for (unsigned k = 0; k < P2_COUNT_OF(changes); k++) {
        struct raw raws[4];
        start_honest(changes[k]);
        for (unsigned i = 0; i < P2_COUNT_OF(raws); i++) {
            raw_connect(&fixture, &raws[i]);
        }
        CU_ASSERT_TRUE(fixture_wait_refused(&fixture, 2)); /* the honest one and two are in */
        P2_ASSERT_EQUAL(fixture_refusals(&fixture, P2_E_BUSY), 2);
        for (unsigned i = 0; i < P2_COUNT_OF(raws); i++) {
            raw_close(&raws[i]);
        }
        CU_ASSERT_TRUE(fixture_wait_refused(&fixture, 4));
        struct raw again; /* places come back */
        raw_connect(&fixture, &again);
        CU_ASSERT_TRUE(raw_handshake(&fixture, &again, &fixture.client_identity));
        raw_close(&again);
        stop_honest("too many connections");
    }
}

static void an_unaccepted_connection_costs_less_than_1_kib(void)
{
    struct p2_tcp_footprint footprint = p2_tcp_footprint();
    (void)printf("\n    our memory per connection: handshake %zu, stranger %zu, open and idle %zu "
                 "bytes\n",
                 footprint.handshake, footprint.stranger, footprint.open_idle);
    CU_ASSERT_TRUE(footprint.handshake < 1024);
    CU_ASSERT_TRUE(footprint.stranger < 1024);
    CU_ASSERT_TRUE(footprint.open_idle < 2304);
}

static CU_TestInfo single_tests[] = {
    P2_TEST(attacks_on_the_handshake_end_in_named_errors),
    P2_TEST(every_truncated_first_message_waits_and_then_is_closed),
    P2_TEST(attacks_with_a_key_end_in_named_errors),
    P2_TEST(a_stranger_that_speaks_twice_floods),
    P2_TEST(a_reader_that_stalls_is_dropped),
    P2_TEST(connections_beyond_a_limit_are_refused),
    P2_TEST(an_unaccepted_connection_costs_less_than_1_kib),
    CU_TEST_INFO_NULL};
static CU_TestInfo many_tests[] = {
    P2_TEST(five_thousand_half_open_handshakes_only_time_out),
    P2_TEST(half_open_handshakes_beyond_the_limit_push_out_the_oldest),
    P2_TEST(handshakes_beyond_the_budget_of_a_turn_wait_and_succeed),
    P2_TEST(waiting_handshakes_can_hang_up),
    P2_TEST(waiting_handshakes_can_be_pushed_out),
    P2_TEST(a_thousand_links_with_partial_messages_for_ever_time_out),
    P2_TEST(memory_for_partial_messages_is_bounded_for_all_links_together),
    CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"single attacks", NULL, NULL, NULL, NULL, single_tests},
                             {"attacks in numbers", NULL, NULL, NULL, NULL, many_tests},
                             CU_SUITE_INFO_NULL};
    need_descriptors(2 * HALF_OPEN + 500);
    return p2_test_main(argc, argv, suites);
}
