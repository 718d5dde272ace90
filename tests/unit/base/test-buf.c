#include "tests/lib/test.h"

static void reader_returns_big_endian_numbers_and_borrowed_bytes(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span(bytes, sizeof bytes));
    P2_ASSERT_EQUAL(p2_reader_u8(&reader), 1);
    P2_ASSERT_EQUAL(p2_reader_u16(&reader), 0x0203);
    P2_ASSERT_EQUAL(p2_reader_u32(&reader), 0x04050607);
    P2_ASSERT_EQUAL(p2_reader_u64(&reader), 0x08090a0b0c0d0e0f);
    struct p2_span rest = p2_reader_bytes(&reader, 2);
    CU_ASSERT_PTR_EQUAL(rest.data, bytes + 15);
    P2_ASSERT_ERROR(p2_reader_end(&reader), P2_OK);
}

static void reader_keeps_its_first_error_and_reads_nothing_after_it(void)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span(bytes, sizeof bytes));
    P2_ASSERT_EQUAL(p2_reader_u32(&reader), 0);
    P2_ASSERT_EQUAL(p2_reader_u8(&reader), 0);
    P2_ASSERT_EQUAL(p2_reader_bytes(&reader, 0).size, 0);
    p2_reader_fail(&reader, P2_E_RANGE);
    P2_ASSERT_ERROR(p2_reader_end(&reader), P2_E_TRUNCATED);
}

static void reader_reports_bytes_after_the_end(void)
{
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span("ab", 2));
    (void)p2_reader_u8(&reader);
    P2_ASSERT_ERROR(p2_reader_end(&reader), P2_E_TRAILING);
}

static void reader_refuses_the_largest_length_without_wrapping(void)
{
    struct p2_reader reader;
    p2_reader_init(&reader, p2_span("abcd", 4));
    (void)p2_reader_u8(&reader);
    struct p2_span bytes = p2_reader_bytes(&reader, SIZE_MAX);
    CU_ASSERT_PTR_NULL(bytes.data);
    P2_ASSERT_ERROR(reader.error, P2_E_TRUNCATED);
}

static void writer_writes_what_the_reader_reads(void)
{
    uint8_t storage[17];
    static const uint8_t expected[] = {9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 'o', 'k'};
    struct p2_writer writer;
    p2_writer_init(&writer, storage, sizeof storage);
    p2_writer_u8(&writer, 9);
    p2_writer_u16(&writer, 0x0102);
    p2_writer_u32(&writer, 0x03040506);
    p2_writer_u64(&writer, 0x0708090a0b0c0d0e);
    p2_writer_bytes(&writer, p2_span("ok", 2));
    P2_ASSERT_ERROR(writer.error, P2_OK);
    P2_ASSERT_EQUAL(p2_writer_span(&writer).size, sizeof expected);
    P2_ASSERT_BYTES(storage, expected, sizeof expected);
}

static void writer_never_passes_its_end_and_writes_no_part_of_a_value(void)
{
    uint8_t storage[8] = {0};
    struct p2_writer writer;
    p2_writer_init(&writer, storage, 3);
    p2_writer_u32(&writer, UINT32_MAX);
    p2_writer_u8(&writer, 1);
    P2_ASSERT_ERROR(writer.error, P2_E_FULL);
    P2_ASSERT_EQUAL(writer.size, 0);
    P2_ASSERT_BYTES(storage, "\0\0\0\0\0\0\0", 8);
}

static void buffer_grows_to_its_limit_and_not_beyond(void)
{
    struct p2_buf buf;
    uint8_t block[100] = {7};
    p2_buf_init(&buf, 1000);
    for (int i = 0; i < 10; i++) {
        P2_ASSERT_ERROR(p2_buf_append(&buf, p2_span(block, sizeof block)), P2_OK);
    }
    P2_ASSERT_ERROR(p2_buf_append(&buf, p2_span(block, 1)), P2_E_LIMIT);
    P2_ASSERT_ERROR(p2_buf_reserve(&buf, SIZE_MAX), P2_E_LIMIT);
    P2_ASSERT_EQUAL(buf.size, 1000);
    CU_ASSERT(buf.capacity <= 1000);
    p2_buf_free(&buf);
    P2_ASSERT_EQUAL(buf.limit, 1000);
}

static void buffer_consumes_from_its_front(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, 64);
    P2_ASSERT_ERROR(p2_buf_append(&buf, p2_span("abcdef", 6)), P2_OK);
    p2_buf_consume(&buf, 2);
    P2_ASSERT_BYTES(p2_buf_span(&buf).data, "cdef", 4);
    p2_buf_consume(&buf, 100);
    P2_ASSERT_EQUAL(buf.size, 0);
    p2_buf_free(&buf);
}

static void spans_are_equal_only_with_equal_bytes_and_length(void)
{
    CU_ASSERT(p2_span_equal(p2_span("abc", 3), p2_span("abcd", 3)));
    CU_ASSERT_FALSE(p2_span_equal(p2_span("abc", 3), p2_span("abd", 3)));
    CU_ASSERT_FALSE(p2_span_equal(p2_span("abc", 3), p2_span("abc", 2)));
    CU_ASSERT(p2_span_equal(p2_span(NULL, 0), p2_span("x", 0)));
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(reader_returns_big_endian_numbers_and_borrowed_bytes),
        P2_TEST(reader_keeps_its_first_error_and_reads_nothing_after_it),
        P2_TEST(reader_reports_bytes_after_the_end),
        P2_TEST(reader_refuses_the_largest_length_without_wrapping),
        P2_TEST(writer_writes_what_the_reader_reads),
        P2_TEST(writer_never_passes_its_end_and_writes_no_part_of_a_value),
        P2_TEST(buffer_grows_to_its_limit_and_not_beyond),
        P2_TEST(buffer_consumes_from_its_front),
        P2_TEST(spans_are_equal_only_with_equal_bytes_and_length),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"buf", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
