/* The messages between p2c2r-dht and its parent, and the library's saved state: bytes written by
 * hand, every bit flipped, every length. */
#include "tests/lib/test.h"

#include "overlay/dht_protocol.h"
#include "overlay/dht_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tests/data/overlay/dht-messages.txt: "KIND hex" a line, written by hand from the table in
 * dht_protocol.h. */
static size_t read_golden(const char *name, uint8_t out[P2_DHT_MESSAGE_MAX])
{
    struct p2_span file = p2_test_data_read("overlay/dht-messages.txt");
    char *text = (char *)(uintptr_t)file.data; /* ours, ends with a zero */
    size_t size = 0, length = strlen(name);
    for (char *rest = NULL, *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            size = p2_test_unhex(out, line + length + 1);
        }
    }
    free(text);
    CU_ASSERT_TRUE_FATAL(size > 0);
    return size;
}

static const char *const from_parent[] = {"START",  "PEERS",  "PUT",  "GET",
                                          "LISTEN", "CANCEL", "BEAT", "STOP"};
static const char *const from_child[] = {"READY", "REFUSED", "VALUE", "END", "ALIVE", "GOOD_NODES"};

/* Calls `check` for each golden message. */
static void for_each(void (*check)(const char *name, struct p2_span bytes, enum p2_dht_from from))
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    for (size_t i = 0; i < P2_COUNT_OF(from_parent); i++) {
        size_t size = read_golden(from_parent[i], bytes);
        check(from_parent[i], p2_span(bytes, size), P2_DHT_FROM_PARENT);
    }
    for (size_t i = 0; i < P2_COUNT_OF(from_child); i++) {
        size_t size = read_golden(from_child[i], bytes);
        check(from_child[i], p2_span(bytes, size), P2_DHT_FROM_CHILD);
    }
}

static void check_same(const char *name, struct p2_span bytes, enum p2_dht_from from)
{
    struct p2_dht_message message;
    uint8_t again[P2_DHT_MESSAGE_MAX];
    P2_ASSERT_ERROR(p2_dht_decode(&message, bytes, from), P2_OK);
    CU_ASSERT_STRING_EQUAL(p2_dht_kind_name(message.kind), name);
    size_t size = p2_dht_encode(again, &message);
    P2_ASSERT_EQUAL(size, bytes.size);
    P2_ASSERT_BYTES(again, bytes.data, bytes.size);
}

static void every_message_is_read_and_written_as_documented(void)
{
    for_each(check_same);
}

static void fields_have_the_meaning_of_the_table(void)
{
    struct p2_dht_message message;
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    size_t size = read_golden("START", bytes);
    P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(bytes, size), P2_DHT_FROM_PARENT), P2_OK);
    P2_ASSERT_EQUAL(message.version, 1);
    P2_ASSERT_EQUAL(message.network, 4711);
    P2_ASSERT_EQUAL(message.port, 4222);
    P2_ASSERT_EQUAL(message.flags, P2_DHT_FLAG_LAN);
    size = read_golden("PEERS", bytes);
    P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(bytes, size), P2_DHT_FROM_PARENT), P2_OK);
    P2_ASSERT_EQUAL(message.nodes.count, 2);
    P2_ASSERT_EQUAL(message.nodes.list[0].ip.bytes[0], 192);
    P2_ASSERT_EQUAL(message.nodes.list[0].port, 4222);
    P2_ASSERT_EQUAL(message.nodes.list[1].ip.family, 6);
    size = read_golden("PUT", bytes);
    P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(bytes, size), P2_DHT_FROM_PARENT), P2_OK);
    P2_ASSERT_EQUAL(message.op, 0x107);
    P2_ASSERT_EQUAL(message.key.bytes[19], 0x13);
    P2_ASSERT_EQUAL(message.value.size, 2);
    P2_ASSERT_BYTES(message.value.data, "hi", 2);
    size = read_golden("ALIVE", bytes);
    P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(bytes, size), P2_DHT_FROM_CHILD), P2_OK);
    P2_ASSERT_EQUAL(message.number, 9);
    P2_ASSERT_EQUAL(message.heard_ms, P2_DHT_NEVER);
    P2_ASSERT_EQUAL(message.dropped, 1);
    P2_ASSERT_EQUAL(message.oversized, 2);
}

static void check_cut(const char *name, struct p2_span bytes, enum p2_dht_from from)
{
    struct p2_dht_message message;
    uint8_t longer[P2_DHT_MESSAGE_MAX + 1] = {0};
    (void)name;
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *copy = malloc(size > 0 ? size : 1); /* exact, so that ASan sees one byte more */
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, bytes.data, size);
        P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(copy, size), from), P2_E_TRUNCATED);
        free(copy);
    }
    memcpy(longer, bytes.data, bytes.size);
    P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(longer, bytes.size + 1), from), P2_E_TRAILING);
}

static void a_message_of_another_length_is_refused(void)
{
    for_each(check_cut);
}

static void check_flips(const char *name, struct p2_span bytes, enum p2_dht_from from)
{
    uint8_t flipped[P2_DHT_MESSAGE_MAX], again[P2_DHT_MESSAGE_MAX];
    struct p2_dht_message message;
    (void)name;
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        memcpy(flipped, bytes.data, bytes.size);
        flipped[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (p2_dht_decode(&message, p2_span(flipped, bytes.size), from) == P2_OK) {
            /* What is accepted is exactly what would be written: no bit without a meaning. */
            P2_ASSERT_EQUAL(p2_dht_encode(again, &message), bytes.size);
            P2_ASSERT_BYTES(again, flipped, bytes.size);
        }
    }
}

static void every_flipped_bit_is_refused_or_means_something_else(void)
{
    for_each(check_flips);
}

static void check_direction(const char *name, struct p2_span bytes, enum p2_dht_from from)
{
    struct p2_dht_message message;
    (void)name;
    P2_ASSERT_ERROR(
        p2_dht_decode(&message, bytes,
                      from == P2_DHT_FROM_CHILD ? P2_DHT_FROM_PARENT : P2_DHT_FROM_CHILD),
        P2_E_NOT_ALLOWED);
}

static void neither_side_may_send_the_other_sides_messages(void)
{
    for_each(check_direction);
}

/* A message with one byte or two changed, and the error it must give. */
struct wrong {
    const char *name;
    size_t at;
    uint8_t byte;
    int error;
};

static void values_outside_their_range_are_refused(void)
{
    static const struct wrong wrongs[] = {
        {"START", 2, 2, P2_E_BAD_VERSION},   {"START", 9, 2, P2_E_RANGE},
        {"PEERS", 1, 65, P2_E_RANGE},        {"PEERS", 2, 5, P2_E_RANGE},
        {"PEERS", 2, 0, P2_E_NOT_CANONICAL}, {"PEERS", 10, 1, P2_E_NOT_CANONICAL},
        {"GET", 25, 1, P2_E_RANGE},          {"PUT", 25, 2, P2_E_RANGE},
        {"END", 5, 4, P2_E_RANGE},           {"REFUSED", 1, 0, P2_E_RANGE},
        {"REFUSED", 1, 5, P2_E_RANGE},       {"STOP", 0, 9, P2_E_BAD_TYPE},
    };
    for (size_t i = 0; i < P2_COUNT_OF(wrongs); i++) {
        uint8_t bytes[P2_DHT_MESSAGE_MAX];
        struct p2_dht_message message;
        size_t size = read_golden(wrongs[i].name, bytes);
        bytes[wrongs[i].at] = wrongs[i].byte;
        enum p2_dht_from from = bytes[0] < 0x80 ? P2_DHT_FROM_PARENT : P2_DHT_FROM_CHILD;
        P2_ASSERT_ERROR(p2_dht_decode(&message, p2_span(bytes, size), from), wrongs[i].error);
    }
}

/* ---- the saved state ------------------------------------------------------------------------------- */

/* Begins as a file that the library of Debian 12 wrote: {"v": 1, "id": ..., "nodes": [...]. */
static size_t make_state(uint8_t *out)
{
    static const char hex[] =
        "84a17601a26964c4141ef4c9ae159bd2d39e80e408d4d4863232ed2e3ca56e6f646573"
        "9382a26964c414a5052872b608791d8711f62afe84b49cc76cd3cba461646472c410"
        "0200c4f67f0000010000000000000000"
        "82a26964c414a5052872b608791d8711f62afe84b49cc76cd3cba461646472c41c"
        "0a00c4f600000000000000000000000000000000000000010000000082a26964"
        "c414a5052872b608791d8711f62afe84b49cc76cd3cba461646472c410"
        "0200c4f67f0000010000000000000000a676616c75657390";
    return p2_test_unhex(out, hex);
}

static void addresses_are_read_from_the_saved_state(void)
{
    uint8_t state[512];
    struct p2_dht_nodes nodes;
    size_t size = make_state(state);
    p2_dht_state_nodes(p2_span(state, size), &nodes);
    P2_ASSERT_EQUAL(nodes.count, 2); /* the third is the first again */
    P2_ASSERT_EQUAL(nodes.list[0].ip.family, 4);
    P2_ASSERT_EQUAL(nodes.list[0].ip.bytes[0], 127);
    P2_ASSERT_EQUAL(nodes.list[0].port, 50422);
    P2_ASSERT_EQUAL(nodes.list[1].ip.family, 6);
    P2_ASSERT_EQUAL(nodes.list[1].ip.bytes[15], 1);
    P2_ASSERT_EQUAL(nodes.list[1].port, 50422);
}

static void a_cut_or_damaged_state_gives_fewer_addresses(void)
{
    uint8_t state[512], flipped[512];
    struct p2_dht_nodes nodes;
    size_t size = make_state(state);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, state, cut);
        p2_dht_state_nodes(p2_span(copy, cut), &nodes);
        CU_ASSERT_TRUE(nodes.count <= 2);
        free(copy);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(flipped, state, size);
        flipped[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        p2_dht_state_nodes(p2_span(flipped, size), &nodes);
        CU_ASSERT_TRUE(nodes.count <= 3);
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo messages[] = {P2_TEST(every_message_is_read_and_written_as_documented),
                              P2_TEST(fields_have_the_meaning_of_the_table),
                              P2_TEST(a_message_of_another_length_is_refused),
                              P2_TEST(every_flipped_bit_is_refused_or_means_something_else),
                              P2_TEST(neither_side_may_send_the_other_sides_messages),
                              P2_TEST(values_outside_their_range_are_refused),
                              CU_TEST_INFO_NULL};
    CU_TestInfo state[] = {P2_TEST(addresses_are_read_from_the_saved_state),
                           P2_TEST(a_cut_or_damaged_state_gives_fewer_addresses),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"messages", NULL, NULL, NULL, NULL, messages},
                             {"saved state", NULL, NULL, NULL, NULL, state},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
