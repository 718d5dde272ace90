/* Lengths and times of the day, as people type them. */
#include "ctl/when.h"
#include "tests/lib/test.h"

#include <stdlib.h>

static void lengths_are_minutes_unless_they_say_otherwise(void)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"90", 5400}, {"90s", 90},    {"45min", 2700},
                {"2h", 7200}, {"3d", 259200}, {"366d", 31622400}};
    static const char *const bad[] = {"",
                                      "0",
                                      "-5",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      "5m",
                                      "h",
                                      "1.5h",
                                      "367d",
                                      "99999999999999999999h",
                                      "9223372036854775807s"};
    int64_t seconds = 0;
    for (size_t i = 0; i < P2_COUNT_OF(good); i++) {
        CU_ASSERT(p2_ctl_length(good[i].text, &seconds));
        P2_ASSERT_EQUAL(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < P2_COUNT_OF(bad); i++) {
        CU_ASSERT(!p2_ctl_length(bad[i], &seconds));
    }
}

static void a_time_of_the_day_is_the_next_one(void)
{
    int64_t when = 0;
    P2_ASSERT_EQUAL(setenv("TZ", "UTC0", 1), 0);
    tzset();
    CU_ASSERT(p2_ctl_until("18:30", 0, &when));
    P2_ASSERT_EQUAL(when, 18 * 3600 + 30 * 60);
    CU_ASSERT(p2_ctl_until("00:00", 0, &when)); /* it is that now: tomorrow */
    P2_ASSERT_EQUAL(when, 86400);
    CU_ASSERT(p2_ctl_until("05:59", 6 * 3600, &when));
    P2_ASSERT_EQUAL(when, 86400 + 6 * 3600 - 60);
}

static void a_night_with_a_change_of_the_clock_has_its_own_length(void)
{
    int64_t when = 0;
    P2_ASSERT_EQUAL(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    /* Saturday 2026-03-28, 23:00 CET; Sunday 07:00 CEST is 7 hours later. */
    CU_ASSERT(p2_ctl_until("07:00", 1774735200, &when));
    P2_ASSERT_EQUAL(when, 1774735200 + 7 * 3600);
    /* Saturday 2026-10-24, 23:00 CEST; Sunday 07:00 CET is 9 hours later. */
    CU_ASSERT(p2_ctl_until("07:00", 1792875600, &when));
    P2_ASSERT_EQUAL(when, 1792875600 + 9 * 3600);
}

static void what_is_no_time_is_refused(void)
{
    static const char *const bad[] = {"",     "7:00",   "24:00", "12:60", "12-30",
                                      "12:3", "12:300", "::::",  "1:234", "ab:cd"};
    int64_t when = 0;
    for (size_t i = 0; i < P2_COUNT_OF(bad); i++) {
        CU_ASSERT(!p2_ctl_until(bad[i], 0, &when));
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(lengths_are_minutes_unless_they_say_otherwise),
        P2_TEST(a_time_of_the_day_is_the_next_one),
        P2_TEST(a_night_with_a_change_of_the_clock_has_its_own_length),
        P2_TEST(what_is_no_time_is_refused),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"when", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
