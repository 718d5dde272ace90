/* The weekly schedule: what is read, and what the clock on the wall makes of it. */
#include "helper/schedule.h"
#include "tests/lib/test.h"

#include <string.h>

#define HOUR 60u
#define DAY  (24u * HOUR)

static struct p2_schedule parsed(const char *text)
{
    struct p2_schedule schedule;
    memset(&schedule, 0, sizeof schedule);
    P2_ASSERT_ERROR(p2_schedule_parse(&schedule, text, strlen(text)), P2_OK);
    return schedule;
}

static uint32_t open_minutes(const struct p2_schedule *schedule)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < P2_SCHEDULE_MINUTES; i++) {
        count += p2_schedule_is_open(schedule, i);
    }
    return count;
}

static void windows_open_on_their_days_from_their_first_minute_to_before_their_last(void)
{
    struct p2_schedule schedule = parsed("Mon-Fri 18:00-23:30, sat 00:00-24:00");
    P2_ASSERT_EQUAL(open_minutes(&schedule), 5 * 330 + DAY);
    CU_ASSERT(!p2_schedule_is_open(&schedule, 18 * HOUR - 1));
    CU_ASSERT(p2_schedule_is_open(&schedule, 18 * HOUR));
    CU_ASSERT(p2_schedule_is_open(&schedule, 23 * HOUR + 29));
    CU_ASSERT(!p2_schedule_is_open(&schedule, 23 * HOUR + 30));
    CU_ASSERT(p2_schedule_is_open(&schedule, 5 * DAY));
    CU_ASSERT(p2_schedule_is_open(&schedule, 6 * DAY - 1));
    CU_ASSERT(!p2_schedule_is_open(&schedule, 6 * DAY + 12 * HOUR));
}

static void a_window_over_midnight_goes_on_into_the_next_day_also_from_sunday_to_monday(void)
{
    struct p2_schedule schedule = parsed("fri 22:00-06:00,sun 23:59-00:01");
    P2_ASSERT_EQUAL(open_minutes(&schedule), 8 * HOUR + 2);
    CU_ASSERT(p2_schedule_is_open(&schedule, 5 * DAY - 1)); /* Friday 23:59 */
    CU_ASSERT(p2_schedule_is_open(&schedule, 5 * DAY));     /* Saturday 00:00 */
    CU_ASSERT(!p2_schedule_is_open(&schedule, 5 * DAY + 6 * HOUR));
    CU_ASSERT(p2_schedule_is_open(&schedule, P2_SCHEDULE_MINUTES - 1));
    CU_ASSERT(p2_schedule_is_open(&schedule, 0));
    CU_ASSERT(!p2_schedule_is_open(&schedule, 1));
}

static void ranges_of_days_may_go_over_the_week_s_end(void)
{
    struct p2_schedule schedule = parsed("sat-mon 10:00-11:00");
    P2_ASSERT_EQUAL(open_minutes(&schedule), 3 * HOUR);
    CU_ASSERT(p2_schedule_is_open(&schedule, 10 * HOUR));
    CU_ASSERT(!p2_schedule_is_open(&schedule, DAY + 10 * HOUR));
}

static void an_empty_week_never_opens_and_a_full_one_never_closes(void)
{
    struct p2_schedule never = parsed("never"), always = parsed(" always ");
    P2_ASSERT_EQUAL(open_minutes(&never), 0);
    P2_ASSERT_EQUAL(open_minutes(&always), P2_SCHEDULE_MINUTES);
    P2_ASSERT_EQUAL(p2_schedule_wait(&never, 77), P2_SCHEDULE_MINUTES);
    P2_ASSERT_EQUAL(p2_schedule_wait(&always, 77), 0);
}

static void the_wait_is_counted_over_the_week_s_end(void)
{
    struct p2_schedule schedule = parsed("mon 08:00-09:00");
    P2_ASSERT_EQUAL(p2_schedule_wait(&schedule, 7 * HOUR), HOUR);
    P2_ASSERT_EQUAL(p2_schedule_wait(&schedule, 8 * HOUR + 59), 0);
    P2_ASSERT_EQUAL(p2_schedule_wait(&schedule, 9 * HOUR), 7 * DAY - HOUR);
}

static void what_is_no_schedule_is_refused_and_changes_nothing(void)
{
    static const char *const bad[] = {
        "",
        ",",
        "mon",
        "mon 08:00",
        "mon 8:00-9:00",
        "24:01-25:00",
        "10:60-11:00",
        "10:00-10:00",
        "mon-xyz 1:00-2:00",
        "always never",
        "10:00-11:00,",
        "10:00-11:00 12:00-13:00",
        "mon- 10:00-11:00",
        "10:00~11:00",
    };
    struct p2_schedule schedule = parsed("never");
    for (size_t i = 0; i < P2_COUNT_OF(bad); i++) {
        P2_ASSERT_ERROR(p2_schedule_parse(&schedule, bad[i], strlen(bad[i])), P2_E_MALFORMED);
        P2_ASSERT_EQUAL(open_minutes(&schedule), 0);
    }
    P2_ASSERT_ERROR(p2_schedule_parse(&schedule, "always", P2_SCHEDULE_TEXT_MAX + 1), P2_E_TOO_BIG);
}

static void cut_and_flipped_texts_are_read_or_refused_without_harm(void)
{
    static const char text[] = "mon-fri 18:00-23:30, sat-sun 00:00-24:00";
    char copy[sizeof text];
    struct p2_schedule schedule;
    for (size_t length = 0; length < sizeof text; length++) {
        (void)p2_schedule_parse(&schedule, text, length);
    }
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        memcpy(copy, text, sizeof text);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        (void)p2_schedule_parse(&schedule, copy, sizeof text - 1);
    }
    CU_PASS();
}

/* Central European time in 2026: summer from March 29, 01:00 UTC, to October 25, 01:00 UTC
 * (Directive 2000/84/EC); the numbers are `date -u -d ... +%s`. */
#define SPRING INT64_C(1774746000)
#define AUTUMN INT64_C(1792890000)

static int64_t berlin(int64_t unix_s)
{
    return unix_s + (unix_s >= SPRING && unix_s < AUTUMN ? 7200 : 3600);
}

/* Minutes of real time it is open from `from_s` on. */
static uint32_t real_minutes(const struct p2_schedule *schedule, int64_t from_s, uint32_t minutes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < minutes; i++) {
        count +=
            p2_schedule_is_open(schedule, p2_schedule_minute(berlin(from_s + 60 * (int64_t)i)));
    }
    return count;
}

static void the_hour_that_is_left_out_in_spring_is_not_lent(void)
{
    struct p2_schedule missing = parsed("sun 02:00-03:00"), around = parsed("sun 01:30-03:30");
    P2_ASSERT_EQUAL(real_minutes(&missing, SPRING - 12 * 3600, DAY), 0);
    P2_ASSERT_EQUAL(real_minutes(&around, SPRING - 12 * 3600, DAY), HOUR);
}

static void the_hour_that_comes_twice_in_autumn_is_lent_twice(void)
{
    struct p2_schedule twice = parsed("sun 02:00-03:00"), around = parsed("sun 01:30-03:30");
    P2_ASSERT_EQUAL(real_minutes(&twice, AUTUMN - 12 * 3600, DAY), 2 * HOUR);
    P2_ASSERT_EQUAL(real_minutes(&around, AUTUMN - 12 * 3600, DAY), 3 * HOUR);
}

static void a_whole_week_is_a_whole_week_in_every_week_of_a_year(void)
{
    struct p2_schedule always = parsed("always"), nights = parsed("22:00-06:00");
    P2_ASSERT_EQUAL(real_minutes(&always, SPRING - 86 * 3600, P2_SCHEDULE_MINUTES),
                    P2_SCHEDULE_MINUTES);
    P2_ASSERT_EQUAL(real_minutes(&nights, SPRING - 86 * 3600, P2_SCHEDULE_MINUTES),
                    7 * 8 * HOUR - HOUR);
    P2_ASSERT_EQUAL(real_minutes(&nights, AUTUMN - 86 * 3600, P2_SCHEDULE_MINUTES),
                    7 * 8 * HOUR + HOUR);
}

static void days_begin_on_monday_also_before_1970(void)
{
    P2_ASSERT_EQUAL(p2_schedule_minute(0), 3 * DAY); /* 1970-01-01 was a Thursday */
    P2_ASSERT_EQUAL(p2_schedule_minute(-1), 3 * DAY - 1);
    P2_ASSERT_EQUAL(p2_schedule_minute(SPRING), 6 * DAY + HOUR); /* a Sunday, 01:00 UTC */
}

int main(int argc, char **argv)
{
    CU_TestInfo text_tests[] = {
        P2_TEST(windows_open_on_their_days_from_their_first_minute_to_before_their_last),
        P2_TEST(a_window_over_midnight_goes_on_into_the_next_day_also_from_sunday_to_monday),
        P2_TEST(ranges_of_days_may_go_over_the_week_s_end),
        P2_TEST(an_empty_week_never_opens_and_a_full_one_never_closes),
        P2_TEST(the_wait_is_counted_over_the_week_s_end),
        P2_TEST(what_is_no_schedule_is_refused_and_changes_nothing),
        P2_TEST(cut_and_flipped_texts_are_read_or_refused_without_harm),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo clock_tests[] = {
        P2_TEST(the_hour_that_is_left_out_in_spring_is_not_lent),
        P2_TEST(the_hour_that_comes_twice_in_autumn_is_lent_twice),
        P2_TEST(a_whole_week_is_a_whole_week_in_every_week_of_a_year),
        P2_TEST(days_begin_on_monday_also_before_1970),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"text", NULL, NULL, NULL, NULL, text_tests},
        {"clock", NULL, NULL, NULL, NULL, clock_tests},
        CU_SUITE_INFO_NULL,
    };
    return p2_test_main(argc, argv, suites);
}
