#include "tests/lib/test.h"

#include "base/log.h"
#include "base/log_sinks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sink that keeps the last record. */
struct capture {
    unsigned count;
    enum p2_log_level level;
    uint64_t suppressed;
    char line[P2_LOG_LINE_MAX];
};

static uint64_t now_ms;

static uint64_t fake_now(void *context)
{
    (void)context;
    return now_ms;
}

static void capture_write(void *context, const struct p2_log_record *record)
{
    struct capture *capture = context;
    capture->count++;
    capture->level = record->level;
    capture->suppressed = record->suppressed;
    P2_ASSERT_EQUAL(strlen(record->line), record->line_size);
    (void)snprintf(capture->line, sizeof capture->line, "%s", record->line);
}

static void start(struct p2_log *log, struct capture *capture)
{
    const struct p2_log_options options = {
        .level = P2_LEVEL_INFO,
        .burst = 3,
        .refill_ms = 1000,
        .now_ms = fake_now,
        .write = capture_write,
        .write_context = capture,
    };
    memset(capture, 0, sizeof *capture);
    now_ms = 5000;
    p2_log_init(log, &options);
}

static void a_record_is_one_line_of_typed_fields(void)
{
    struct p2_log log;
    struct capture capture;
    struct p2_id id = {{0}};
    start(&log, &capture);
    P2_LOG(&log, P2_LEVEL_WARN, "lease_expired", P2_LOG_U64("age_ms", UINT64_MAX),
           P2_LOG_I64("delta", -5), P2_LOG_BOOL("audited", true), P2_LOG_STR("tier", "peer"),
           P2_LOG_ERROR(P2_E_TIMEOUT));
    CU_ASSERT_STRING_EQUAL(capture.line, "event=lease_expired age_ms=18446744073709551615 delta=-5 "
                                         "audited=yes tier=peer error=TIMEOUT");
    P2_ASSERT_EQUAL(capture.level, P2_LEVEL_WARN);
    P2_LOG(&log, P2_LEVEL_INFO, "helper", P2_LOG_ID("id", &id));
    CU_ASSERT(strncmp(capture.line, "event=helper id=0000000", 23) == 0);
    P2_ASSERT_EQUAL(strlen(capture.line), 16 + P2_ID_TEXT_LEN);
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "ready");
    CU_ASSERT_STRING_EQUAL(capture.line, "event=ready");
}

static void foreign_text_cannot_break_out_of_its_field(void)
{
    struct p2_log log;
    struct capture capture;
    start(&log, &capture);
    P2_LOG(&log, P2_LEVEL_INFO, "join", P2_LOG_STR("a", "x event=fake"),
           P2_LOG_STR("b", "q\" c=1\nevent=fake"), P2_LOG_SPAN("d", p2_span("\xe2\x80\xae\xff", 4)),
           P2_LOG_STR("e", ""), P2_LOG_STR("f", NULL), P2_LOG_STR("g", "back\\slash"),
           P2_LOG_STR("h", "k=v"));
    CU_ASSERT_STRING_EQUAL(capture.line,
                           "event=join a=\"x event=fake\" b=\"q\\\" c=1\\nevent=fake\" "
                           "d=\"\\u202e\\xff\" e=\"\" f=- g=\"back\\\\slash\" h=\"k=v\"");
}

static void a_line_is_bounded_and_says_what_is_missing(void)
{
    struct p2_log log;
    struct capture capture;
    char longer[3 * P2_LOG_VALUE_MAX];
    struct p2_log_field fields[P2_LOG_FIELDS_MAX + 2];
    start(&log, &capture);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < P2_COUNT_OF(fields); i++) {
        fields[i] = (struct p2_log_field)P2_LOG_STR("key", longer);
    }
    p2_log_write(&log, P2_LEVEL_INFO, "long", fields, P2_COUNT_OF(fields));
    /* 5 values of 383 characters fit into 1,984; 13 of 18 do not. */
    size_t size = strlen(capture.line);
    CU_ASSERT(size < P2_LOG_LINE_MAX);
    CU_ASSERT_STRING_EQUAL(capture.line + size - 11, " omitted=13");
    CU_ASSERT_PTR_NOT_NULL(strstr(capture.line, "xxx... key=xxx"));
}

static unsigned evaluated;

static uint64_t count_evaluation(void)
{
    return ++evaluated;
}

static void a_level_that_is_off_costs_no_field_and_changes_at_run_time(void)
{
    struct p2_log log;
    struct capture capture;
    start(&log, &capture);
    evaluated = 0;
    P2_LOG(&log, P2_LEVEL_DEBUG, "detail", P2_LOG_U64("n", count_evaluation()));
    P2_LOG((struct p2_log *)NULL, P2_LEVEL_ERROR, "nobody", P2_LOG_U64("n", count_evaluation()));
    P2_ASSERT_EQUAL(capture.count, 0);
    P2_ASSERT_EQUAL(evaluated, 0);
    p2_log_set_level(&log, P2_LEVEL_DEBUG);
    P2_LOG(&log, P2_LEVEL_DEBUG, "detail", P2_LOG_U64("n", count_evaluation()));
    CU_ASSERT_STRING_EQUAL(capture.line, "event=detail n=1");
    p2_log_set_level(&log, P2_LEVEL_ERROR);
    P2_LOG_EVENT(&log, P2_LEVEL_WARN, "quiet");
    P2_ASSERT_EQUAL(capture.count, 1);
}

static void an_event_that_repeats_is_limited_and_the_rest_is_counted(void)
{
    struct p2_log log;
    struct capture capture;
    start(&log, &capture);
    for (unsigned i = 0; i < 10; i++) {
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    }
    P2_ASSERT_EQUAL(capture.count, 3);
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "other");
    P2_ASSERT_EQUAL(capture.count, 4);
    now_ms += 999;
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    P2_ASSERT_EQUAL(capture.count, 4);
    now_ms += 1;
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    CU_ASSERT_STRING_EQUAL(capture.line, "event=storm suppressed=8");
    P2_ASSERT_EQUAL(capture.suppressed, 8);
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    P2_ASSERT_EQUAL(capture.count, 5);
    /* A long silence fills the bucket to the burst and no further. */
    now_ms += 1000000;
    for (unsigned i = 0; i < 10; i++) {
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    }
    P2_ASSERT_EQUAL(capture.count, 8);
}

static void flush_reports_counts_of_events_that_never_came_again(void)
{
    struct p2_log log;
    struct capture capture;
    start(&log, &capture);
    for (unsigned i = 0; i < 5; i++) {
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
    }
    p2_log_flush(&log);
    CU_ASSERT_STRING_EQUAL(capture.line, "event=log_suppressed name=storm count=2");
    p2_log_flush(&log);
    P2_ASSERT_EQUAL(capture.count, 4);
}

static void more_event_names_than_buckets_lose_no_record_and_no_count(void)
{
    struct p2_log log;
    struct capture capture;
    char name[16];
    start(&log, &capture);
    for (unsigned i = 0; i < 5; i++) {
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, "first");
    }
    for (unsigned i = 0; i < P2_LOG_EVENTS_MAX - 1; i++) {
        now_ms++;
        (void)snprintf(name, sizeof name, "event_%u", i);
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, name);
    }
    unsigned before = capture.count;
    now_ms++;
    P2_LOG_EVENT(&log, P2_LEVEL_INFO, "one_more");
    /* The bucket of "first" is given away, its count is reported. */
    P2_ASSERT_EQUAL(capture.count, before + 2);
    p2_log_flush(&log);
    P2_ASSERT_EQUAL(capture.count, before + 2);
}

static void a_clock_that_steps_back_refills_nothing(void)
{
    struct p2_log log;
    struct capture capture;
    start(&log, &capture);
    for (unsigned i = 0; i < 5; i++) {
        P2_LOG_EVENT(&log, P2_LEVEL_INFO, "storm");
        now_ms -= 1000;
    }
    P2_ASSERT_EQUAL(capture.count, 3);
}

static void levels_have_names_that_are_read_back(void)
{
    for (enum p2_log_level level = P2_LEVEL_ERROR; level <= P2_LEVEL_DEBUG; level++) {
        enum p2_log_level back = P2_LEVEL_ERROR;
        P2_ASSERT_ERROR(p2_log_level_parse(&back, p2_log_level_name(level)), P2_OK);
        P2_ASSERT_EQUAL(back, level);
    }
    enum p2_log_level untouched = P2_LEVEL_WARN;
    P2_ASSERT_ERROR(p2_log_level_parse(&untouched, "loud"), P2_E_INVALID);
    P2_ASSERT_EQUAL(untouched, P2_LEVEL_WARN);
}

/* ---- sinks ----------------------------------------------------------------------------------- */

static size_t read_pipe(int fd, char *text, size_t capacity)
{
    ssize_t got = read(fd, text, capacity - 1);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static void a_terminal_gets_time_and_level_and_the_journal_a_prefix(void)
{
    int ends[2];
    char text[256];
    const struct p2_log_record record = {
        .level = P2_LEVEL_WARN, .event = "x", .line = "event=x", .line_size = 7};
    CU_ASSERT_FATAL(pipe(ends) == 0);
    struct p2_log_output output = {P2_LOG_OUTPUT_TERMINAL, ends[1], "test"};
    p2_log_output_write(&output, &record);
    P2_ASSERT_EQUAL(read_pipe(ends[0], text, sizeof text), 24 + 1 + 4 + 1 + 7 + 1);
    CU_ASSERT_PTR_EQUAL(strchr(text, 'T'), text + 10);
    CU_ASSERT_STRING_EQUAL(text + 23, "Z warn event=x\n");
    output.kind = P2_LOG_OUTPUT_PREFIXED;
    p2_log_output_write(&output, &record);
    (void)read_pipe(ends[0], text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "<4>event=x\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void the_journal_is_chosen_only_when_it_reads_our_stream(void)
{
    int ends[2];
    char variable[64];
    struct stat status;
    struct p2_log_output output;
    CU_ASSERT_FATAL(pipe(ends) == 0 && fstat(ends[1], &status) == 0);
    (void)snprintf(variable, sizeof variable, "%llu:%llu", (unsigned long long)status.st_dev,
                   (unsigned long long)status.st_ino);
    CU_ASSERT(p2_log_is_journal_stream(variable, ends[1]));
    CU_ASSERT_FALSE(p2_log_is_journal_stream("1:2", ends[1]));
    CU_ASSERT_FALSE(p2_log_is_journal_stream(NULL, ends[1]));
    CU_ASSERT_FALSE(p2_log_is_journal_stream(variable, -1));
    CU_ASSERT(setenv("JOURNAL_STREAM", variable, 1) == 0);
    p2_log_output_init(&output, ends[1], "test");
    CU_ASSERT(output.kind != P2_LOG_OUTPUT_TERMINAL);
    CU_ASSERT(unsetenv("JOURNAL_STREAM") == 0);
    p2_log_output_init(&output, ends[1], "test");
    P2_ASSERT_EQUAL(output.kind, P2_LOG_OUTPUT_TERMINAL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void the_journal_gets_each_field_under_its_own_name(void)
{
    const struct p2_log_field fields[] = {P2_LOG_U64("age_ms", 7), P2_LOG_STR("name", "a\nB=c")};
    const struct p2_log_record record = {.level = P2_LEVEL_ERROR,
                                         .event = "lease_expired",
                                         .fields = fields,
                                         .field_count = 2,
                                         .line = "event=lease_expired age_ms=7"};
    static const char *const expected[] = {
        "EVENT=lease_expired",      "PRIORITY=3",
        "SYSLOG_IDENTIFIER=p2c2rd", "MESSAGE=event=lease_expired age_ms=7",
        "P2C2R_AGE_MS=7",           "P2C2R_NAME=a\\nB=c",
    };
    struct p2_log_journal_entry entry;
    p2_log_journal_build(&entry, "p2c2rd", &record);
    P2_ASSERT_EQUAL(entry.count, P2_COUNT_OF(expected));
    for (size_t i = 0; i < P2_COUNT_OF(expected); i++) {
        P2_ASSERT_EQUAL(entry.vectors[i].iov_len, strlen(expected[i]));
        P2_ASSERT_BYTES(entry.vectors[i].iov_base, expected[i], strlen(expected[i]));
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo records[] = {
        P2_TEST(a_record_is_one_line_of_typed_fields),
        P2_TEST(foreign_text_cannot_break_out_of_its_field),
        P2_TEST(a_line_is_bounded_and_says_what_is_missing),
        P2_TEST(a_level_that_is_off_costs_no_field_and_changes_at_run_time),
        P2_TEST(an_event_that_repeats_is_limited_and_the_rest_is_counted),
        P2_TEST(flush_reports_counts_of_events_that_never_came_again),
        P2_TEST(more_event_names_than_buckets_lose_no_record_and_no_count),
        P2_TEST(a_clock_that_steps_back_refills_nothing),
        P2_TEST(levels_have_names_that_are_read_back),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo sinks[] = {
        P2_TEST(a_terminal_gets_time_and_level_and_the_journal_a_prefix),
        P2_TEST(the_journal_is_chosen_only_when_it_reads_our_stream),
        P2_TEST(the_journal_gets_each_field_under_its_own_name),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"log", NULL, NULL, NULL, NULL, records},
                             {"log_sinks", NULL, NULL, NULL, NULL, sinks},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
