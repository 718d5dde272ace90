#include "tests/lib/test.h"

#include "ctl/protocol.h"

#include <stdlib.h>
#include <string.h>

static int parse(const char *text, struct p2_ctl_request *request, struct p2_failure *failure)
{
    return p2_ctl_request_parse(request, p2_span(text, strlen(text)), failure);
}

static void a_request_gives_its_id_command_and_arguments(void)
{
    struct p2_ctl_request request;
    P2_ASSERT_ERROR(parse("{\"v\":1,\"id\":7,\"command\":\"log-level\","
                          "\"arguments\":{\"level\":\"debug\"}}",
                          &request, NULL),
                    P2_OK);
    P2_ASSERT_EQUAL(request.id, 7);
    CU_ASSERT_STRING_EQUAL(request.command, "log-level");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(request.arguments, "level")), "debug");
    p2_ctl_request_free(&request);
    P2_ASSERT_ERROR(parse("{\"v\":1,\"id\":-9,\"command\":\"status\"}", &request, NULL), P2_OK);
    P2_ASSERT_EQUAL(json_object_size(request.arguments), 0);
    p2_ctl_request_free(&request);
}

static void what_is_wrong_with_a_request_is_said_in_words(void)
{
    static const struct {
        const char *text;
        int error;
        const char *words;
    } rows[] = {
        {"", P2_E_MALFORMED, "not JSON"},
        {"[1]", P2_E_MALFORMED, "not a JSON object"},
        {"{\"v\":1}", P2_E_MALFORMED, "\"id\""},
        {"{\"id\":1,\"command\":\"x\"}", P2_E_MALFORMED, "\"v\""},
        {"{\"v\":2,\"id\":1,\"command\":\"x\"}", P2_E_BAD_VERSION, "control protocol 2"},
        {"{\"v\":1,\"id\":1}", P2_E_MALFORMED, "\"command\""},
        {"{\"v\":1,\"id\":1,\"command\":\"\"}", P2_E_MALFORMED, "\"command\""},
        {"{\"v\":1,\"id\":1,\"command\":5}", P2_E_MALFORMED, "\"command\""},
        {"{\"v\":1,\"id\":1,\"command\":\"0123456789012345678901234567890123456789\"}",
         P2_E_MALFORMED, "\"command\""},
        {"{\"v\":1,\"id\":1,\"command\":\"x\",\"arguments\":[]}", P2_E_MALFORMED, "\"arguments\""},
        {"{\"v\":1,\"id\":1,\"command\":\"x\",\"argument\":{}}", P2_E_MALFORMED, "\"argument\""},
        {"{\"v\":1,\"id\":1,\"id\":2,\"command\":\"x\"}", P2_E_MALFORMED, "duplicate"},
        {"{\"v\":1,\"id\":1,\"command\":\"x\"} trailing", P2_E_MALFORMED, "not JSON"},
        {"{\"a\":[[[[[[[[[[]]]]]]]]]]}", P2_E_TOO_DEEP, "nested"},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        struct p2_ctl_request request;
        struct p2_failure failure = {0};
        P2_ASSERT_ERROR(parse(rows[i].text, &request, &failure), rows[i].error);
        CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, rows[i].words));
    }
}

static void brackets_in_strings_do_not_count_as_nesting(void)
{
    struct p2_ctl_request request;
    P2_ASSERT_ERROR(parse("{\"v\":1,\"id\":1,\"command\":\"x\","
                          "\"arguments\":{\"a\":\"[[[[[[[[[[[\\\"[[[[[[\"}}",
                          &request, NULL),
                    P2_OK);
    p2_ctl_request_free(&request);
}

static void a_request_above_the_limit_is_refused_unread(void)
{
    struct p2_ctl_request request;
    struct p2_failure failure = {0};
    char *line = calloc(1, P2_CTL_REQUEST_MAX + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    P2_ASSERT_ERROR(p2_ctl_request_parse(&request, p2_span(line, P2_CTL_REQUEST_MAX + 1), &failure),
                    P2_E_TOO_BIG);
    free(line);
}

static void every_flipped_bit_of_a_request_is_an_error_or_another_request(void)
{
    static const char golden[] = "{\"v\":1,\"id\":7,\"command\":\"log-level\","
                                 "\"arguments\":{\"level\":\"debug\",\"list\":[1,2.5,true,null]}}";
    char line[sizeof golden];
    for (size_t bit = 0; bit < 8 * (sizeof golden - 1); bit++) {
        struct p2_ctl_request request;
        memcpy(line, golden, sizeof golden);
        line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
        int error = p2_ctl_request_parse(&request, p2_span(line, sizeof golden - 1), NULL);
        CU_ASSERT(error == P2_OK || p2_error_class(error) == P2_CLASS_PEER);
        if (error == P2_OK) {
            p2_ctl_request_free(&request);
        }
    }
    for (size_t size = 0; size < sizeof golden - 1; size++) {
        struct p2_ctl_request request;
        P2_ASSERT_ERROR(p2_ctl_request_parse(&request, p2_span(golden, size), NULL),
                        P2_E_MALFORMED);
    }
}

static void requests_and_answers_read_back(void)
{
    struct p2_ctl_request request;
    struct p2_failure failure;
    json_t *arguments = json_pack("{s:s}", "name", "K\xc3\xa4the\n");
    char *line = p2_ctl_request_line(12, "say", arguments);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    P2_ASSERT_EQUAL(strchr(line, '\n') - line, (long)strlen(line) - 1);
    P2_ASSERT_ERROR(p2_ctl_request_parse(&request, p2_span(line, strlen(line) - 1), NULL), P2_OK);
    CU_ASSERT(json_equal(request.arguments, arguments));
    p2_ctl_request_free(&request);
    free(line);

    json_t *result = NULL;
    line = p2_ctl_answer_line(12, arguments);
    P2_ASSERT_ERROR(p2_ctl_answer_parse(&result, p2_span(line, strlen(line)), 12, &failure), P2_OK);
    CU_ASSERT(json_equal(result, arguments));
    json_decref(result);
    P2_ASSERT_ERROR(p2_ctl_answer_parse(&result, p2_span(line, strlen(line)), 13, &failure),
                    P2_E_MALFORMED);
    free(line);

    line = p2_ctl_error_line(12, P2_E_PERM, "not for you");
    P2_ASSERT_ERROR(p2_ctl_answer_parse(&result, p2_span(line, strlen(line)), 12, &failure),
                    P2_E_PERM);
    CU_ASSERT_STRING_EQUAL(failure.message, "not for you");
    free(line);
    json_decref(arguments);
}

static void broken_answers_are_named(void)
{
    static const char *const rows[] = {
        "nonsense",
        "{\"v\":1}",
        "{\"v\":1,\"id\":1,\"ok\":true}",
        "{\"v\":1,\"id\":1,\"ok\":false}",
        "{\"v\":1,\"id\":1,\"ok\":false,\"error\":{\"name\":\"NEW\",\"text\":\"t\"}}",
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        json_t *result = NULL;
        P2_ASSERT_ERROR(p2_ctl_answer_parse(&result, p2_span(rows[i], strlen(rows[i])), 1, NULL),
                        P2_E_MALFORMED);
    }
}

/* "%.32s" of the unknown member ends within the last character. */
static void a_text_cut_within_a_character_still_makes_an_answer(void)
{
    static const char request[] = "{\"v\":1,\"id\":5,\"command\":\"status\","
                                  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9\":1}";
    struct p2_ctl_request parsed;
    struct p2_failure failure = {0};
    json_t *result = NULL;
    P2_ASSERT_ERROR(p2_ctl_request_parse(&parsed, p2_span(request, sizeof request - 1), &failure),
                    P2_E_MALFORMED);
    char *line = p2_ctl_error_line(parsed.id, failure.code, failure.message);
    CU_ASSERT_FATAL(line != NULL);
    P2_ASSERT_ERROR(p2_ctl_answer_parse(&result, p2_span(line, strlen(line) - 1), 5, &failure),
                    P2_E_MALFORMED);
    CU_ASSERT_STRING_EQUAL(failure.message, "unknown member \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    free(line);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_request_gives_its_id_command_and_arguments),
        P2_TEST(what_is_wrong_with_a_request_is_said_in_words),
        P2_TEST(a_text_cut_within_a_character_still_makes_an_answer),
        P2_TEST(brackets_in_strings_do_not_count_as_nesting),
        P2_TEST(a_request_above_the_limit_is_refused_unread),
        P2_TEST(every_flipped_bit_of_a_request_is_an_error_or_another_request),
        P2_TEST(requests_and_answers_read_back),
        P2_TEST(broken_answers_are_named),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"ctl-protocol", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
