/* The golden messages of tests/data/wire, written by the independent tests/tools/wire-golden.py:
 * per vector a type, the line the printer must give, and the payload. */
#include "tests/lib/test.h"
#include "wire/decode.h"
#include "wire/encode.h"
#include "wire/equal.h"
#include "wire/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct p2_msg msg;
static struct p2_msg original;

struct vector {
    uint8_t type;
    char line[4096];
    uint8_t body[4096];
    size_t size;
};

/* What a test does with each vector. */
typedef void visit(const struct vector *vector);

static struct p2_span whole(const struct vector *vector)
{
    return p2_span(vector->body, vector->size);
}

static void encode(struct p2_writer *writer)
{
    static uint8_t storage[8192];
    p2_writer_init(writer, storage, sizeof storage);
    P2_ASSERT_ERROR(p2_wire_encode(writer, &msg), P2_OK);
}

/* Takes the next line of `text`, ended by a zero in place; NULL at its end. */
static char *next_line(char **text)
{
    char *line = *text;
    char *end = line != NULL ? strchr(line, '\n') : NULL;
    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    *text = end + 1;
    return line;
}

/* Visits the vectors of one file and returns how many there are. */
static unsigned visit_text(char *text, uint8_t type, visit *visitor)
{
    static struct vector vector;
    unsigned count = 0;
    for (char *line; (line = next_line(&text)) != NULL;) {
        if (strncmp(line, "type ", 5) == 0) {
            vector.type = (uint8_t)strtoul(line + 5, NULL, 10);
            P2_ASSERT_EQUAL(vector.type, type);
        } else if (strncmp(line, "text ", 5) == 0 && strlen(line + 5) < sizeof vector.line) {
            memcpy(vector.line, line + 5, strlen(line + 5) + 1);
        } else if (strncmp(line, "hex ", 4) == 0 && strlen(line + 4) / 2 <= sizeof vector.body) {
            vector.size = p2_test_unhex(vector.body, line + 4);
            visitor(&vector);
            count++;
        } else if (line[0] != '#') {
            CU_FAIL("a golden file has a line that is none");
        }
    }
    return count;
}

static void visit_file(const char *name, uint8_t type, visit *visitor)
{
    char path[64];
    (void)snprintf(path, sizeof path, "wire/%s.hex", name);
    struct p2_span file = p2_test_data_read(path);
    char *text = malloc(file.size + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memcpy(text, file.data, file.size);
    text[file.size] = '\0';
    CU_ASSERT(visit_text(text, type, visitor) >= 2);
    free(text);
    free((void *)(uintptr_t)file.data);
}

/* Every message has its file, because the list is the schema's. */
static void visit_all(visit *visitor)
{
#define P2_MESSAGE(NAME, name, number, from, to, class, size, doc) \
    visit_file(#name, (number), visitor);
#include "wire/messages.def"
}

static void expect_meaning(const struct vector *vector)
{
    char text[sizeof vector->line];
    struct p2_writer writer;
    P2_ASSERT_ERROR(p2_wire_decode(&msg, vector->type, whole(vector)), P2_OK);
    p2_writer_init(&writer, (uint8_t *)text, sizeof text - 1);
    p2_wire_print(&writer, &msg);
    text[writer.size] = '\0';
    CU_ASSERT_STRING_EQUAL(text, vector->line);
    if (strcmp(text, vector->line) != 0) {
        (void)printf("expected %s\nprinted  %s\n", vector->line, text);
    }
}

static void golden_messages_mean_what_the_other_implementation_meant(void)
{
    visit_all(expect_meaning);
}

static void expect_same_bytes(const struct vector *vector)
{
    struct p2_writer writer;
    P2_ASSERT_ERROR(p2_wire_decode(&msg, vector->type, whole(vector)), P2_OK);
    encode(&writer);
    P2_ASSERT_EQUAL(writer.size, vector->size);
    P2_ASSERT_BYTES(writer.data, vector->body, vector->size);
    CU_ASSERT(p2_wire_bound(&msg) >= vector->size);
}

static void golden_messages_are_encoded_to_the_same_bytes(void)
{
    visit_all(expect_same_bytes);
}

/* Decodes from an exact copy on the heap, so that ASan sees a read beyond the end. */
static int decode_exact(uint8_t type, struct p2_span body)
{
    static uint8_t *copy;
    free(copy); /* the last one: `msg` borrowed from it */
    copy = malloc(body.size > 0 ? body.size : 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    if (body.size > 0) {
        memcpy(copy, body.data, body.size);
    }
    int error = p2_wire_decode(&msg, type, p2_span(copy, body.size));
    if (error == P2_OK) {
        struct p2_writer writer;
        encode(&writer);
        CU_ASSERT(p2_span_equal(p2_writer_span(&writer), body));
    }
    return error;
}

static void flip_each_bit(const struct vector *vector)
{
    static uint8_t flipped[sizeof vector->body];
    memcpy(flipped, vector->body, vector->size);
    P2_ASSERT_ERROR(p2_wire_decode(&original, vector->type, whole(vector)), P2_OK);
    for (size_t bit = 0; bit < 8 * vector->size; bit++) {
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = decode_exact(vector->type, p2_span(flipped, vector->size));
        CU_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
        CU_ASSERT(error != P2_OK || !p2_wire_equal(&msg, &original));
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void each_flipped_bit_is_an_error_or_another_canonical_message(void)
{
    visit_all(flip_each_bit);
}

static void cut_everywhere(const struct vector *vector)
{
    for (size_t size = 0; size < vector->size; size++) {
        int error = decode_exact(vector->type, p2_span(vector->body, size));
        CU_ASSERT(p2_error_class(error) == P2_CLASS_PEER);
    }
}

static void no_part_of_a_message_is_a_message(void)
{
    visit_all(cut_everywhere);
}

static void append_a_byte(const struct vector *vector)
{
    static uint8_t longer[sizeof vector->body + 1];
    memcpy(longer, vector->body, vector->size);
    longer[vector->size] = 0;
    P2_ASSERT_ERROR(decode_exact(vector->type, p2_span(longer, vector->size + 1)), P2_E_TRAILING);
}

static void a_byte_after_a_message_is_refused(void)
{
    visit_all(append_a_byte);
}

static void widen(const struct vector *vector)
{
    /* The array's head in its 16-bit form: the same value, a longer encoding. */
    static uint8_t longer[sizeof vector->body + 2] = {0xdc, 0};
    if ((vector->body[0] & 0xf0) != 0x90) {
        return; /* more than 15 fields: it has this form already */
    }
    longer[2] = vector->body[0] & 0x0f;
    memcpy(longer + 3, vector->body + 1, vector->size - 1);
    P2_ASSERT_ERROR(decode_exact(vector->type, p2_span(longer, vector->size + 2)),
                    P2_E_NOT_CANONICAL);
}

static void a_longer_encoding_of_the_same_message_is_refused(void)
{
    visit_all(widen);
}

static void decode_as_others(const struct vector *vector)
{
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        int error = decode_exact((uint8_t)type, whole(vector));
        CU_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
    }
}

static void a_message_under_a_wrong_type_never_breaks_a_decoder(void)
{
    visit_all(decode_as_others);
    (void)decode_exact(P2_MSG_PING, p2_span("", 0)); /* frees what the last visit kept */
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(golden_messages_mean_what_the_other_implementation_meant),
                           P2_TEST(golden_messages_are_encoded_to_the_same_bytes),
                           P2_TEST(each_flipped_bit_is_an_error_or_another_canonical_message),
                           P2_TEST(no_part_of_a_message_is_a_message),
                           P2_TEST(a_byte_after_a_message_is_refused),
                           P2_TEST(a_longer_encoding_of_the_same_message_is_refused),
                           P2_TEST(a_message_under_a_wrong_type_never_breaks_a_decoder),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"golden", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
