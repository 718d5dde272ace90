/* Fragments, pool, prefix table and slab: everything below the sockets. */
#include "link/mux.h"
#include "link/prefix.h"
#include "link/slab.h"
#include "tests/lib/test.h"

#include "base/rng.h"

#include <string.h>

#define NOW_MS 1000

/* Rules of these tests: types 1..8 by class (type & 3), at most 100,000 bytes; role 1 may send all
 * of them, role 2 only type 8, the stranger nothing. */
static uint32_t max_size(uint8_t sender, uint8_t type)
{
    if (type == 0 || type > 8) {
        return 0;
    }
    if (sender == 1) {
        return 100000;
    }
    return sender == 2 && type == 8 ? 10 : 0;
}

static enum p2_link_class class_of(uint8_t type)
{
    return (enum p2_link_class)(type & 3);
}

static const struct p2_link_rules rules = {
    .max_size = max_size, .class = class_of, .role_count = 3, .ping_type = 9, .pong_type = 10};

/* By class: CONTROL 4 and 8, LEASE 1 and 5, BULK 2 and 6, FRAME 3 and 7. */
enum { CONTROL = 4, LEASE = 1, BULK = 2, FRAME = 3 };

static struct p2_pool pool;
static struct p2_mux_reader reader;
static struct p2_mux_writer writer;
static uint8_t plain[65519];
static uint8_t body[100000];

static void set_up(void)
{
    p2_pool_init(&pool, 16 << 20, 1 << 20);
    p2_mux_reader_init(&reader, &pool);
    p2_mux_writer_init(&writer, &pool);
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)(i * 7 + i / 256);
    }
}

static void tear_down(void)
{
    p2_mux_reader_free(&reader);
    p2_mux_writer_free(&writer);
    CU_ASSERT_EQUAL(pool.used_bytes, 0);
    p2_pool_free(&pool);
}

/* Reads one message of a record given in hex from role 1: 1, 0 or an error. */
static int read_hex(const char *hex, struct p2_mux_message *message)
{
    static uint8_t record[256];
    struct p2_reader cursor;
    p2_reader_init(&cursor, p2_span(record, p2_test_unhex(record, hex)));
    return p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, message);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void a_whole_message_is_delivered_from_the_record_without_a_copy(void)
{
    static uint8_t record[] = {0, 4, 0, 2, 'a', 'b', 0, 1, 0, 0};
    struct p2_mux_message message;
    struct p2_reader cursor;
    p2_reader_init(&cursor, p2_span(record, sizeof record));
    P2_ASSERT_EQUAL(p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message), 1);
    P2_ASSERT_EQUAL(message.type, 4);
    P2_ASSERT_EQUAL(message.body.size, 2);
    CU_ASSERT_PTR_EQUAL(message.body.data, record + 4);
    P2_ASSERT_EQUAL(p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message), 1);
    P2_ASSERT_EQUAL(message.type, 1);
    P2_ASSERT_EQUAL(message.body.size, 0);
    P2_ASSERT_EQUAL(p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message), 0);
    P2_ASSERT_EQUAL(pool.used_bytes, 0);
}

static void fragments_of_the_header_comment_become_the_message(void)
{
    struct p2_mux_message message;
    P2_ASSERT_EQUAL(read_hex("01040002000000056162", &message), 0);
    P2_ASSERT_EQUAL(p2_mux_oldest_ms(&reader), NOW_MS);
    P2_ASSERT_EQUAL(read_hex("02040003636465", &message), 1);
    P2_ASSERT_EQUAL(message.type, 4);
    P2_ASSERT_EQUAL(message.body.size, 5);
    P2_ASSERT_BYTES(message.body.data, "abcde", 5);
    CU_ASSERT_EQUAL(p2_mux_oldest_ms(&reader), UINT64_MAX);
    P2_ASSERT_EQUAL(read_hex("", &message), 0);
    P2_ASSERT_EQUAL(pool.used_bytes, 0);
}

static void fragments_of_different_classes_interleave(void)
{
    struct p2_mux_message message;
    P2_ASSERT_EQUAL(read_hex("0102000100000002aa"
                             "0101000100000002bb",
                             &message),
                    0);
    P2_ASSERT_EQUAL(read_hex("00040001cc", &message), 1);
    P2_ASSERT_EQUAL(message.type, 4);
    P2_ASSERT_EQUAL(read_hex("02010001dd", &message), 1);
    P2_ASSERT_BYTES(message.body.data, "\xbb\xdd", 2);
    P2_ASSERT_EQUAL(read_hex("02020001ee", &message), 1);
    P2_ASSERT_BYTES(message.body.data, "\xaa\xee", 2);
}

struct hostile {
    const char *hex;
    int error;
    const char *before; /* a record read first, or NULL */
};

static void hostile_fragments_end_in_named_errors(void)
{
    static const struct hostile table[] = {
        {"00", P2_E_TRUNCATED, NULL},
        {"000400", P2_E_TRUNCATED, NULL},
        {"0004000261", P2_E_TRUNCATED, NULL},
        {"0104000100000061", P2_E_TRUNCATED, NULL},
        {"0304000161", P2_E_MALFORMED, NULL},
        {"ff04000161", P2_E_MALFORMED, NULL},
        {"0009000161", P2_E_BAD_TYPE, NULL},
        {"0000000161", P2_E_BAD_TYPE, NULL},
        {"0104000100000001aa", P2_E_MALFORMED, NULL},                 /* FIRST with all of it */
        {"0104000200000001aaaa", P2_E_MALFORMED, NULL},               /* FIRST with more */
        {"0104000000000002", P2_E_MALFORMED, NULL},                   /* FIRST with nothing */
        {"0104000100000000aa", P2_E_MALFORMED, NULL},                 /* total 0 */
        {"01040001ffffffffaa", P2_E_TOO_BIG, NULL},                   /* 4 GiB declared */
        {"01040001000186a1aa", P2_E_TOO_BIG, NULL},                   /* 100,001 */
        {"0204000161", P2_E_MALFORMED, NULL},                         /* MORE of nothing */
        {"02080001aa", P2_E_MALFORMED, "0104000100000003aa"},         /* other type, same class */
        {"02040000", P2_E_MALFORMED, "0104000100000003aa"},           /* empty MORE */
        {"02040003aabbcc", P2_E_MALFORMED, "0104000100000003aa"},     /* beyond the total */
        {"00040001aa", P2_E_MALFORMED, "0104000100000003aa"},         /* WHOLE in an open class */
        {"0108000100000003aa", P2_E_MALFORMED, "0104000100000003aa"}, /* second FIRST */
    };
    for (unsigned i = 0; i < P2_COUNT_OF(table); i++) {
        struct p2_mux_message message;
        if (table[i].before != NULL) {
            P2_ASSERT_EQUAL(read_hex(table[i].before, &message), 0);
        }
        int error = read_hex(table[i].hex, &message);
        if (error != table[i].error) {
            p2_test_error(error, table[i].error, table[i].hex, __FILE__, __LINE__);
        }
        CU_ASSERT_EQUAL(p2_error_class(error), P2_CLASS_PEER);
        p2_mux_reader_free(&reader);
    }
}

static void the_role_of_the_sender_decides_type_and_size(void)
{
    static uint8_t record[] = {0, 8, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct p2_mux_message message;
    struct p2_reader cursor;
    p2_reader_init(&cursor, p2_span(record, sizeof record));
    P2_ASSERT_ERROR(p2_mux_read(&reader, &rules, 2, NOW_MS, &cursor, &message), P2_E_TOO_BIG);
    p2_reader_init(&cursor, p2_span(record, sizeof record));
    P2_ASSERT_ERROR(p2_mux_read(&reader, &rules, 0, NOW_MS, &cursor, &message), P2_E_NOT_ALLOWED);
    p2_reader_init(&cursor, p2_span(record, sizeof record));
    P2_ASSERT_EQUAL(p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message), 1);
}

static void memory_follows_what_came_and_not_what_was_declared(void)
{
    struct p2_mux_message message;
    P2_ASSERT_EQUAL(read_hex("01010001000186a0aa", &message), 0); /* 100,000 declared, 1 came */
    CU_ASSERT_TRUE(pool.used_bytes <= 256);
}

static void partial_messages_beyond_our_memory_are_our_limit(void)
{
    struct p2_mux_message message;
    pool.used_max = 0;
    P2_ASSERT_ERROR(read_hex("0104000100000003aa", &message), P2_E_LIMIT);
    pool.used_max = 16 << 20;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void small_messages_share_a_record(void)
{
    static const char golden[] = "000400026162"
                                 "00010003636465"
                                 "00020000";
    uint8_t expected[64];
    size_t size = p2_test_unhex(expected, golden);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_BULK, BULK, p2_span(NULL, 0)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span("cde", 3)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_CONTROL, CONTROL, p2_span("ab", 2)), P2_OK);
    P2_ASSERT_EQUAL(p2_mux_queued_bytes(&writer), 5 + 15);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, sizeof plain), size);
    P2_ASSERT_BYTES(plain, expected, size);
    CU_ASSERT_FALSE(p2_mux_pending(&writer));
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, sizeof plain), 0);
    P2_ASSERT_EQUAL(pool.used_bytes, 0);
}

static void a_control_message_passes_a_bulk_message_that_has_begun(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_BULK, BULK, p2_span(body, 5000)), P2_OK);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 2000), 2000);
    P2_ASSERT_EQUAL(plain[0], P2_MUX_FIRST);
    P2_ASSERT_EQUAL(p2_load_be32(plain + 4), 5000);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_CONTROL, CONTROL, p2_span("now", 3)), P2_OK);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 2000), 2000);
    P2_ASSERT_BYTES(plain, "\x00\x04\x00\x03now\x02\x02", 9);
}

static void a_message_that_fits_one_record_is_not_split(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span(body, 600)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span(body, 600)), P2_OK);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 1000), 604);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 1000), 604);
    P2_ASSERT_EQUAL(plain[0], P2_MUX_WHOLE);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 1000), 0);
}

static void the_newest_frame_replaces_an_unsent_one(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span("1", 1)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span(body, 3000)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span("3", 1)), P2_OK);
    P2_ASSERT_EQUAL(writer.replaced_frames, 2);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, sizeof plain), 5);
    P2_ASSERT_BYTES(plain,
                    "\x00\x03\x00\x01"
                    "3",
                    5);
    CU_ASSERT_FALSE(p2_mux_pending(&writer));
}

static void a_frame_that_has_begun_is_finished_before_the_newest(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span(body, 3000)), P2_OK);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, 2000), 2000);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span("2", 1)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span("3", 1)), P2_OK);
    P2_ASSERT_EQUAL(writer.replaced_frames, 1);
    P2_ASSERT_EQUAL(p2_mux_queued_bytes(&writer), 3000 - 1992 + 1);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, sizeof plain), 4 + 1008 + 5);
    P2_ASSERT_EQUAL(plain[0], P2_MUX_MORE);
    P2_ASSERT_BYTES(plain + 4 + 1008,
                    "\x00\x03\x00\x01"
                    "3",
                    5);
}

static void a_full_queue_says_again_and_later_that_it_drained(void)
{
    unsigned count = 0;
    int error;
    while ((error = p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span(body, 65000))) == P2_OK) {
        count++;
    }
    P2_ASSERT_ERROR(error, P2_E_AGAIN);
    P2_ASSERT_EQUAL(count, P2_MUX_QUEUE_MAX / 65005);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_CONTROL, CONTROL, p2_span("x", 1)), P2_OK);
    CU_ASSERT_FALSE(p2_mux_take_drained(&writer));
    for (unsigned i = 0; i < count; i++) {
        CU_ASSERT_TRUE(p2_mux_fill(&writer, plain, sizeof plain) > 0);
    }
    CU_ASSERT_TRUE(p2_mux_take_drained(&writer));
    CU_ASSERT_FALSE(p2_mux_take_drained(&writer));
}

static void an_empty_queue_takes_a_message_above_its_bound(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_CONTROL, CONTROL, p2_span(body, 100000)), P2_OK);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_CONTROL, CONTROL, p2_span("x", 1)), P2_E_AGAIN);
}

static void a_send_without_memory_changes_nothing(void)
{
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span("first", 5)), P2_OK);
    pool.used_max = pool.used_bytes;
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_LEASE, LEASE, p2_span(body, 50000)), P2_E_NOMEM);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_BULK, BULK, p2_span(body, 50)), P2_E_NOMEM);
    P2_ASSERT_ERROR(p2_mux_write(&writer, P2_LINK_FRAME, FRAME, p2_span(body, 50)), P2_E_NOMEM);
    P2_ASSERT_EQUAL(p2_mux_queued_bytes(&writer), 10);
    P2_ASSERT_EQUAL(p2_mux_fill(&writer, plain, sizeof plain), 9);
    P2_ASSERT_BYTES(plain + 4, "first", 5);
    pool.used_max = 16 << 20;
}

static void a_ping_is_the_shortest_msgpack_of_its_nonce(void)
{
    uint8_t ping[P2_PING_BYTES];
    p2_ping_format(ping, UINT64_C(0x8123456789abcdef));
    P2_ASSERT_BYTES(ping, "\x91\xcf\x81\x23\x45\x67\x89\xab\xcd\xef", P2_PING_BYTES);
}

/* ---- both -------------------------------------------------------------------------------------- */

static void what_the_writer_writes_the_reader_reads_in_the_order_of_each_class(void)
{
    struct p2_rng rng;
    uint32_t sent[P2_LINK_CLASSES] = {0}, seen[P2_LINK_CLASSES] = {0};
    p2_rng_init_u64(&rng, 7, "mux");
    for (unsigned round = 0; round < 400; round++) {
        uint8_t type = (uint8_t)(round % 2 == 0 ? CONTROL : p2_rng_between(&rng, 1, 2));
        size_t size = p2_rng_between(&rng, 4, round % 7 == 0 ? 100000 : 3000);
        memcpy(body, &sent[type & 3], 4);
        sent[type & 3] += p2_mux_write(&writer, class_of(type), type, p2_span(body, size)) == P2_OK;
        for (unsigned i = 0; i < 2; i++) {
            struct p2_mux_message message;
            struct p2_reader cursor;
            size_t room = p2_rng_between(&rng, 64, sizeof plain);
            p2_reader_init(&cursor, p2_span(plain, p2_mux_fill(&writer, plain, room)));
            while (p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message) == 1) {
                uint32_t number;
                memcpy(&number, message.body.data, 4);
                P2_ASSERT_EQUAL(number, seen[message.type & 3]++);
                P2_ASSERT_BYTES(message.body.data + 4, body + 4, message.body.size - 4);
            }
            P2_ASSERT_EQUAL(cursor.left, 0);
        }
    }
    CU_ASSERT_TRUE(seen[CONTROL & 3] > 190 && seen[LEASE] > 50);
}

static void flipped_and_shortened_records_never_crash_the_reader(void)
{
    static const char golden[] = "00040003616263"
                                 "0101000300000006616263"
                                 "00020001ff"
                                 "02010003646566";
    uint8_t record[64], damaged[64];
    size_t size = p2_test_unhex(record, golden);
    for (size_t bit = 0; bit < size * 8; bit++) {
        for (size_t length = bit / 8 + 1; length <= size; length++) {
            struct p2_mux_message message;
            struct p2_reader cursor;
            memcpy(damaged, record, length);
            damaged[bit / 8] ^= (uint8_t)(1 << bit % 8);
            p2_reader_init(&cursor, p2_span(damaged, length));
            int result;
            do {
                result = p2_mux_read(&reader, &rules, 1, NOW_MS, &cursor, &message);
            } while (result == 1);
            CU_ASSERT_TRUE(result == 0 || p2_error_class(result) == P2_CLASS_PEER);
            p2_mux_reader_free(&reader);
        }
    }
}

/* ---- pool, prefixes, slab ---------------------------------------------------------------------- */

static void the_pool_counts_bounds_and_reuses(void)
{
    size_t a = 0, b = 0;
    struct p2_pool small;
    p2_pool_init(&small, 1000, 256);
    void *first = p2_pool_take(&small, 1, &a);
    void *second = p2_pool_take(&small, 257, &b);
    P2_ASSERT_EQUAL(a, 256);
    P2_ASSERT_EQUAL(b, 512);
    P2_ASSERT_EQUAL(small.used_bytes, 768);
    CU_ASSERT_PTR_NULL(p2_pool_take(&small, 1, &a));
    CU_ASSERT_PTR_NULL(p2_pool_take(&small, SIZE_MAX, &a));
    p2_pool_give(&small, first, 256);
    p2_pool_give(&small, second, 512); /* beyond what is cached */
    p2_pool_give(&small, NULL, 0);
#ifndef P2_SANITIZED
    P2_ASSERT_EQUAL(small.cached_bytes, 256);
    CU_ASSERT_PTR_EQUAL(p2_pool_take(&small, 200, &a), first);
    p2_pool_give(&small, first, 256);
#endif
    p2_pool_free(&small);
}

static void the_prefix_table_counts_like_a_plain_array(void)
{
    struct p2_prefix_table table;
    struct p2_rng rng;
    uint64_t counts[64] = {0};
    P2_ASSERT_ERROR(p2_prefix_init(&table, 64, 99), P2_OK);
    p2_rng_init_u64(&rng, 3, "prefix");
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t key = p2_rng_below(&rng, 64);
        if (p2_rng_below(&rng, 2) == 0 || counts[key] == 0) {
            p2_prefix_add(&table, key + 1);
            counts[key]++;
        } else {
            p2_prefix_remove(&table, key + 1);
            counts[key]--;
        }
        uint64_t other = p2_rng_below(&rng, 64);
        P2_ASSERT_EQUAL(p2_prefix_count(&table, other + 1), counts[other]);
    }
    p2_prefix_free(&table);
}

static void a_slab_wipes_what_comes_back_and_reuses_it(void)
{
    struct p2_slab slab;
    p2_slab_init(&slab, 100, false);
    unsigned char *slot = p2_slab_take(&slab);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
    CU_ASSERT_EQUAL((uintptr_t)slot % 16, 0);
    memset(slot, 0xee, 100);
    p2_slab_give(&slab, slot);
    p2_slab_give(&slab, NULL);
    unsigned char *again = p2_slab_take(&slab);
    CU_ASSERT_PTR_EQUAL(again, slot);
    CU_ASSERT_TRUE(p2_secret_is_zero(again, 100));
    CU_ASSERT_EQUAL(slab.locked_bytes + slab.unlocked_bytes, 65536);
    p2_slab_give(&slab, again);
    p2_slab_free(&slab);
}

static CU_TestInfo reading_tests[] = {
    P2_TEST(a_whole_message_is_delivered_from_the_record_without_a_copy),
    P2_TEST(fragments_of_the_header_comment_become_the_message),
    P2_TEST(fragments_of_different_classes_interleave),
    P2_TEST(hostile_fragments_end_in_named_errors),
    P2_TEST(the_role_of_the_sender_decides_type_and_size),
    P2_TEST(memory_follows_what_came_and_not_what_was_declared),
    P2_TEST(partial_messages_beyond_our_memory_are_our_limit),
    CU_TEST_INFO_NULL};
static CU_TestInfo writing_tests[] = {
    P2_TEST(small_messages_share_a_record),
    P2_TEST(a_control_message_passes_a_bulk_message_that_has_begun),
    P2_TEST(a_message_that_fits_one_record_is_not_split),
    P2_TEST(the_newest_frame_replaces_an_unsent_one),
    P2_TEST(a_frame_that_has_begun_is_finished_before_the_newest),
    P2_TEST(a_full_queue_says_again_and_later_that_it_drained),
    P2_TEST(an_empty_queue_takes_a_message_above_its_bound),
    P2_TEST(a_send_without_memory_changes_nothing),
    P2_TEST(a_ping_is_the_shortest_msgpack_of_its_nonce),
    CU_TEST_INFO_NULL};
static CU_TestInfo both_tests[] = {
    P2_TEST(what_the_writer_writes_the_reader_reads_in_the_order_of_each_class),
    P2_TEST(flipped_and_shortened_records_never_crash_the_reader), CU_TEST_INFO_NULL};
static CU_TestInfo memory_tests[] = {
    P2_TEST(the_pool_counts_bounds_and_reuses), P2_TEST(the_prefix_table_counts_like_a_plain_array),
    P2_TEST(a_slab_wipes_what_comes_back_and_reuses_it), CU_TEST_INFO_NULL};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"reading", NULL, NULL, set_up, tear_down, reading_tests},
                             {"writing", NULL, NULL, set_up, tear_down, writing_tests},
                             {"both", NULL, NULL, set_up, tear_down, both_tests},
                             {"memory", NULL, NULL, NULL, NULL, memory_tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
