#include "tests/lib/test.h"

#include <string.h>

static void every_error_has_a_name_a_text_and_a_class_of_its_block(void)
{
    static const struct {
        int value;
        const char *name;
        enum p2_error_class class;
    } rows[] = {
#define P2_ERROR(name, value, class, text) {(value), #name, P2_CLASS_##class},
#include "base/error.def"
#undef P2_ERROR
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        CU_ASSERT_STRING_EQUAL(p2_error_name(rows[i].value), rows[i].name);
        P2_ASSERT_EQUAL(p2_error_class(rows[i].value), rows[i].class);
        CU_ASSERT(strlen(p2_error_text(rows[i].value)) > 0);
        P2_ASSERT_EQUAL(-rows[i].value / 100, (int)rows[i].class - (int)P2_CLASS_LOCAL);
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT(rows[i].value != rows[j].value);
        }
    }
}

static void foreign_codes_are_unknown_and_our_fault(void)
{
    CU_ASSERT_STRING_EQUAL(p2_error_name(-9999), "UNKNOWN");
    CU_ASSERT_STRING_EQUAL(p2_error_name(0), "OK");
    P2_ASSERT_EQUAL(p2_error_class(12), P2_CLASS_BUG);
    CU_ASSERT_STRING_EQUAL(p2_error_class_name(P2_CLASS_PEER), "PEER");
    CU_ASSERT_STRING_EQUAL(p2_error_class_name((enum p2_error_class)77), "BUG");
}

static void a_failure_keeps_code_and_message_and_cuts_long_ones(void)
{
    struct p2_failure failure;
    char longer[2 * P2_FAILURE_MESSAGE_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    P2_ASSERT_ERROR(p2_fail(&failure, P2_E_CONFIG, "%s:%d: bad", "file", 3), P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, "file:3: bad");
    P2_ASSERT_ERROR(p2_fail(&failure, P2_E_IO, "%s", longer), P2_E_IO);
    P2_ASSERT_EQUAL(strlen(failure.message), P2_FAILURE_MESSAGE_MAX - 1);
    P2_ASSERT_ERROR(p2_fail(NULL, P2_E_IO, "nobody listens"), P2_E_IO);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(every_error_has_a_name_a_text_and_a_class_of_its_block),
        P2_TEST(foreign_codes_are_unknown_and_our_fault),
        P2_TEST(a_failure_keeps_code_and_message_and_cuts_long_ones),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"error", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
