/* Encoder and decoder against each other, against msgpack-c's unpacker and against hand-made bytes.
 * msgpack-c sees only what our reader accepted first: on other bytes it may reserve gigabytes. */
#include "tests/lib/test.h"
#include "wire/check.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/equal.h"
#include "wire/print.h"
#include "wire/random.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t types[] = {
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) P2_MSG_##NAME,
#include "wire/messages.def"
};

/* Random messages of each type in the round trips. Chosen: a second at most, under sanitizers. */
#define ROUNDS 400

static uint8_t storage[P2_WIRE_RANDOM_STORAGE];
static uint8_t encoded[P2_WIRE_SLOT_MSG_MAX + 1];
static uint8_t again[P2_WIRE_SLOT_MSG_MAX + 1];
static struct p2_msg msg;
static struct p2_msg decoded;

/* Encodes `from` into out[P2_WIRE_SLOT_MSG_MAX + 1] and returns the payload. */
static struct p2_span encode(const struct p2_msg *from, uint8_t *out)
{
    struct p2_writer writer;
    p2_writer_init(&writer, out, P2_WIRE_SLOT_MSG_MAX + 1);
    P2_ASSERT_ERROR(p2_wire_encode(&writer, from), P2_OK);
    return p2_writer_span(&writer);
}

static struct p2_msg *random_msg(struct p2_rng *rng, uint8_t type)
{
    P2_ASSERT_ERROR(p2_wire_random(&msg, type, rng, storage, sizeof storage), P2_OK);
    return &msg;
}

static void every_message_survives_encoding_and_decoding(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 1, "round trip");
    for (size_t i = 0; i < sizeof types; i++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            struct p2_span body = encode(random_msg(&rng, types[i]), encoded);
            CU_ASSERT(p2_wire_decode(&decoded, types[i], body) == P2_OK);
            CU_ASSERT(p2_wire_equal(&msg, &decoded));
            CU_ASSERT(p2_wire_check(&decoded) == P2_OK);
            CU_ASSERT(p2_span_equal(encode(&decoded, again), body));
            CU_ASSERT(p2_wire_bound(&msg) >= body.size);
        }
    }
}

static void random_messages_reach_the_largest_sizes_and_stay_within_them(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 2, "sizes");
    size_t largest_lease = 0;
    size_t largest_hello = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t lease = encode(random_msg(&rng, P2_MSG_LEASE), encoded).size;
        size_t hello = encode(random_msg(&rng, P2_MSG_HELLO), encoded).size;
        largest_lease = lease > largest_lease ? lease : largest_lease;
        largest_hello = hello > largest_hello ? hello : largest_hello;
    }
    CU_ASSERT(largest_lease > P2_WIRE_SLOT_MAX && largest_lease <= P2_WIRE_SLOT_MSG_MAX);
    CU_ASSERT(largest_hello > 768 && largest_hello <= P2_WIRE_STRANGER_MAX);
}

static void what_we_write_msgpack_c_reads_to_the_last_byte(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 3, "oracle");
    for (size_t i = 0; i < sizeof types; i++) {
        for (unsigned round = 0; round < ROUNDS / 4; round++) {
            struct p2_span body = encode(random_msg(&rng, types[i]), encoded);
            size_t end = 0;
            msgpack_unpacked result;
            msgpack_unpacked_init(&result);
            P2_ASSERT_EQUAL(msgpack_unpack_next(&result, (const char *)body.data, body.size, &end),
                            MSGPACK_UNPACK_SUCCESS);
            P2_ASSERT_EQUAL(end, body.size);
            P2_ASSERT_EQUAL(result.data.type, MSGPACK_OBJECT_ARRAY);
            msgpack_unpacked_destroy(&result);
        }
    }
}

/* An exact copy on the heap, so that ASan sees a read one byte beyond it. */
static int decode_copy(uint8_t type, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, bytes, size);
    int error = p2_wire_decode(&decoded, type, p2_span(copy, size));
    if (error == P2_OK) {
        struct p2_span same = encode(&decoded, again);
        CU_ASSERT(p2_span_equal(same, p2_span(bytes, size)));
        size_t end = 0;
        msgpack_unpacked result;
        msgpack_unpacked_init(&result);
        CU_ASSERT(msgpack_unpack_next(&result, (const char *)bytes, size, &end) ==
                      MSGPACK_UNPACK_SUCCESS &&
                  end == size);
        msgpack_unpacked_destroy(&result);
    } else {
        CU_ASSERT(p2_error_class(error) == P2_CLASS_PEER);
    }
    free(copy);
    return error;
}

static void random_damage_is_an_error_of_the_peer_or_another_canonical_message(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 4, "damage");
    unsigned accepted = 0;
    unsigned refused = 0;
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        uint8_t type = types[p2_rng_below(&rng, sizeof types)];
        P2_ASSERT_ERROR(p2_wire_random(&msg, type, &rng, storage, 2048), P2_OK);
        struct p2_span body = encode(&msg, encoded);
        for (uint64_t hits = p2_rng_between(&rng, 1, 3); hits > 0; hits--) {
            /* Most of the structure is at the front. */
            uint64_t at = p2_rng_below(&rng, body.size);
            encoded[p2_rng_below(&rng, at + 1)] = (uint8_t)p2_rng_u32(&rng);
        }
        if (decode_copy(type, encoded, body.size) == P2_OK) {
            accepted++;
        } else {
            refused++;
        }
    }
    CU_ASSERT(accepted > ROUNDS && refused > ROUNDS);
}

static void random_bytes_never_decode_beyond_their_end(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 5, "noise");
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        uint8_t type = types[p2_rng_below(&rng, sizeof types)];
        size_t size = (size_t)p2_rng_below(&rng, 64);
        p2_rng_bytes(&rng, encoded, size);
        (void)decode_copy(type, encoded, size);
    }
}

static void a_lease_has_the_bytes_computed_by_hand(void)
{
    static const struct p2_msg_lease lease = {.id = 300,
                                              .kernel = 2,
                                              .version = 1,
                                              .flags = P2_LEASE_URGENT,
                                              .budget_us = 33000,
                                              .output_max = 65536,
                                              .blobs_count = 2,
                                              .blobs = {5, 200},
                                              .input = {(const uint8_t *)"abc", 3}};
    uint8_t expected[64];
    size_t size = p2_test_unhex(expected, "98"     /* array of 8 */
                                          "cd012c" /* 300 */
                                          "02"
                                          "01"
                                          "02"
                                          "cd80e8"     /* 33000 */
                                          "ce00010000" /* 65536 */
                                          "9205ccc8"   /* [5, 200] */
                                          "c403616263" /* bin "abc" */);
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, sizeof encoded);
    P2_ASSERT_ERROR(p2_wire_encode_lease(&writer, &lease), P2_OK);
    P2_ASSERT_EQUAL(writer.size, size);
    P2_ASSERT_BYTES(writer.data, expected, size);
    struct p2_msg_lease back;
    P2_ASSERT_ERROR(p2_wire_decode_lease(&back, p2_span(expected, size)), P2_OK);
    P2_ASSERT_EQUAL(back.id, 300);
    P2_ASSERT_EQUAL(back.blobs[1], 200);
    CU_ASSERT_PTR_EQUAL(back.input.data, expected + size - 3);
}

static void messages_that_the_peer_would_refuse_are_not_written(void)
{
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, sizeof encoded);
    p2_writer_u8(&writer, 7);
    struct p2_msg_cancel cancel = {.id = 0}; /* ids start at 1 */
    P2_ASSERT_ERROR(p2_wire_check_cancel(&cancel), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_wire_encode_cancel(&writer, &cancel), P2_E_INVALID);
    struct p2_msg_denied denied = {.text = p2_span("two\nlines", 9)};
    P2_ASSERT_ERROR(p2_wire_check_denied(&denied), P2_E_BAD_TEXT);
    P2_ASSERT_ERROR(p2_wire_encode_denied(&writer, &denied), P2_E_INVALID);
    struct p2_msg_input input = {.sequence = 1, .data = p2_span(storage, 65)};
    P2_ASSERT_ERROR(p2_wire_check_input(&input), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_wire_encode_input(&writer, &input), P2_E_INVALID);
    struct p2_msg_offer offer = {.pause = (enum p2_pause_reason)77, .share_ppk = 1};
    P2_ASSERT_ERROR(p2_wire_check_offer(&offer), P2_E_RANGE);
    P2_ASSERT_EQUAL(writer.size, 1);
    P2_ASSERT_ERROR(writer.error, P2_OK);
    cancel.id = 1;
    P2_ASSERT_ERROR(p2_wire_encode_cancel(&writer, &cancel), P2_OK);
    P2_ASSERT_EQUAL(writer.size, 3);
}

static void a_message_in_range_but_too_large_as_a_whole_is_not_written(void)
{
    static struct p2_msg_hello hello;
    hello = (struct p2_msg_hello){.protocol = 1, .cores = 1, .slots = 1, .kernels_count = 24};
    for (uint32_t i = 0; i < 24; i++) {
        hello.kernels[i].name = p2_span("0123456789012345678901234567890", 31);
        hello.kernels[i].version = UINT32_MAX;
    }
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, sizeof encoded);
    P2_ASSERT_ERROR(p2_wire_check_hello(&hello), P2_OK);
    P2_ASSERT_ERROR(p2_wire_encode_hello(&writer, &hello), P2_E_INVALID);
    P2_ASSERT_EQUAL(writer.size, 0);
    hello.kernels_count = 16;
    P2_ASSERT_ERROR(p2_wire_encode_hello(&writer, &hello), P2_OK);
    /* The decoder refuses by size before it reads. */
    P2_ASSERT_ERROR(p2_wire_decode_hello(&hello, p2_span(storage, 1025)), P2_E_TOO_BIG);
}

static void no_room_writes_nothing_and_is_reported(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 6, "room");
    for (size_t i = 0; i < sizeof types; i++) {
        P2_ASSERT_ERROR(p2_wire_random(&msg, types[i], &rng, storage, 1024), P2_OK);
        size_t size = encode(&msg, encoded).size;
        for (size_t room = 0; room <= size; room++) {
            struct p2_writer writer;
            p2_writer_init(&writer, again, room);
            P2_ASSERT_ERROR(p2_wire_encode(&writer, &msg), room < size ? P2_E_FULL : P2_OK);
            P2_ASSERT_ERROR(writer.error, room < size ? P2_E_FULL : P2_OK);
            P2_ASSERT_EQUAL(writer.size, room < size ? 0 : size);
        }
        struct p2_writer full;
        p2_writer_init(&full, again, sizeof again);
        full.error = P2_E_FULL; /* sticky: nothing more is written */
        P2_ASSERT_ERROR(p2_wire_encode(&full, &msg), P2_E_FULL);
        P2_ASSERT_EQUAL(full.size, 0);
    }
}

static void unknown_types_are_refused_everywhere(void)
{
    struct p2_writer writer;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 7, "types");
    p2_writer_init(&writer, encoded, sizeof encoded);
    msg.type = (enum p2_msg_type)200;
    P2_ASSERT_ERROR(p2_wire_encode(&writer, &msg), P2_E_BAD_TYPE);
    P2_ASSERT_EQUAL(p2_wire_bound(&msg), 0);
    P2_ASSERT_ERROR(p2_wire_check(&msg), P2_E_BAD_TYPE);
    P2_ASSERT_ERROR(p2_wire_decode(&decoded, 200, p2_span("\x90", 1)), P2_E_BAD_TYPE);
    P2_ASSERT_ERROR(p2_wire_random(&decoded, 200, &rng, storage, sizeof storage), P2_E_BAD_TYPE);
    P2_ASSERT_ERROR(p2_wire_random(&decoded, P2_MSG_PING, &rng, storage, 10), P2_E_FULL);
    CU_ASSERT_FALSE(p2_wire_equal(&msg, &msg));
    p2_wire_print(&writer, &msg);
    P2_ASSERT_BYTES(writer.data, "UNKNOWN", 7);
}

static void a_difference_in_any_field_is_seen(void)
{
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 8, "difference");
    static uint8_t other_storage[4096];
    for (size_t i = 0; i < sizeof types; i++) {
        for (unsigned round = 0; round < 50; round++) {
            P2_ASSERT_ERROR(p2_wire_random(&msg, types[i], &rng, storage, 2048), P2_OK);
            P2_ASSERT_ERROR(
                p2_wire_random(&decoded, types[i], &rng, other_storage, sizeof other_storage),
                P2_OK);
            bool is_same = p2_span_equal(encode(&msg, encoded), encode(&decoded, again));
            P2_ASSERT_EQUAL(p2_wire_equal(&msg, &decoded), is_same);
        }
    }
    msg.type = P2_MSG_PING;
    decoded = msg;
    decoded.type = P2_MSG_PONG;
    CU_ASSERT_FALSE(p2_wire_equal(&msg, &decoded));
}

static void expect_line(const struct p2_msg *from, const char *line)
{
    struct p2_writer writer;
    char text[1024];
    p2_writer_init(&writer, (uint8_t *)text, sizeof text - 1);
    p2_wire_print(&writer, from);
    text[writer.size] = '\0';
    CU_ASSERT_STRING_EQUAL(text, line);
}

static void lines_are_short_escaped_and_without_secrets(void)
{
    msg = (struct p2_msg){.type = P2_MSG_END,
                          .end = {.reason = P2_END_REASON_KICKED,
                                  .text = p2_span("bye\x1b[31m\"", 9),
                                  .retry_s = 4000000000u}};
    expect_line(&msg, "END reason=KICKED text=\"bye\\u001b[31m\\\"\" retry_s=4000000000");
    msg = (struct p2_msg){.type = P2_MSG_BLOB_DROP,
                          .blob_drop = {.handles_count = 6, .handles = {1, 2, 3, 4, 5, 6}}};
    expect_line(&msg, "BLOB_DROP handles=[1 2 3 4 and 2 more]");
    msg = (struct p2_msg){.type = P2_MSG_INPUT,
                          .input = {.sequence = 1, .data = p2_span("0123456789", 10)}};
    expect_line(&msg, "INPUT sequence=1 seen_frame=0 data=10:3031323334353637..");
    msg = (struct p2_msg){.type = P2_MSG_OFFER, .offer = {.pause = (enum p2_pause_reason)99}};
    expect_line(&msg, "OFFER pause=99 cores=0 slots=0 share_ppk=0");
    msg = (struct p2_msg){.type = P2_MSG_HELLO, .hello = {.token = p2_span("hunter2", 7)}};
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, sizeof encoded);
    p2_wire_print(&writer, &msg);
    p2_writer_u8(&writer, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr((char *)encoded, "token=7:secret"));
    CU_ASSERT_PTR_NULL(strstr((char *)encoded, "68756e74"));
}

static void a_line_that_does_not_fit_is_cut(void)
{
    struct p2_writer writer;
    p2_writer_init(&writer, encoded, 10);
    msg = (struct p2_msg){.type = P2_MSG_PING, .ping = {.nonce = UINT64_MAX}};
    p2_wire_print(&writer, &msg);
    P2_ASSERT_ERROR(writer.error, P2_E_FULL);
    CU_ASSERT(writer.size <= 10);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(every_message_survives_encoding_and_decoding),
        P2_TEST(random_messages_reach_the_largest_sizes_and_stay_within_them),
        P2_TEST(what_we_write_msgpack_c_reads_to_the_last_byte),
        P2_TEST(random_damage_is_an_error_of_the_peer_or_another_canonical_message),
        P2_TEST(random_bytes_never_decode_beyond_their_end),
        P2_TEST(a_lease_has_the_bytes_computed_by_hand),
        P2_TEST(messages_that_the_peer_would_refuse_are_not_written),
        P2_TEST(a_message_in_range_but_too_large_as_a_whole_is_not_written),
        P2_TEST(no_room_writes_nothing_and_is_reported),
        P2_TEST(unknown_types_are_refused_everywhere),
        P2_TEST(a_difference_in_any_field_is_seen),
        P2_TEST(lines_are_short_escaped_and_without_secrets),
        P2_TEST(a_line_that_does_not_fit_is_cut),
        CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"codec", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
