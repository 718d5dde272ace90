#include "tests/lib/test.h"

#include "base/metrics.h"
#include "base/metrics_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LEASES, LINKS, RTT, SHARE, METRIC_COUNT };

static const char *const tiers[] = {"peer", "cloud"};
static const uint64_t bounds[] = {1000, 10000, 100000}; /* 1, 10, 100 ms */

static const struct p2_metric_descriptor table[METRIC_COUNT] = {
    [LEASES] = {.name = "p2c2r_leases_total",
                .kind = P2_METRIC_COUNTER,
                .help = "Leases sent, by \\ tier.",
                .label = "tier",
                .label_values = tiers,
                .label_count = 2},
    [LINKS] = {.name = "p2c2r_links", .kind = P2_METRIC_GAUGE, .help = "Open links."},
    [RTT] = {.name = "p2c2r_rtt_seconds",
             .kind = P2_METRIC_HISTOGRAM,
             .unit = P2_METRIC_SECONDS,
             .help = "Round trips.",
             .bounds = bounds,
             .bound_count = 3},
    [SHARE] = {.name = "p2c2r_on_time_ratio",
               .kind = P2_METRIC_GAUGE,
               .unit = P2_METRIC_RATIO,
               .help = "Frames on time."},
};

static struct p2_metrics *make(void)
{
    struct p2_metrics *metrics = NULL;
    size_t first = 99;
    P2_ASSERT_ERROR(p2_metrics_new(&metrics), P2_OK);
    P2_ASSERT_ERROR(p2_metrics_register(metrics, table, METRIC_COUNT, &first, NULL), P2_OK);
    P2_ASSERT_EQUAL(first, 0);
    return metrics;
}

/* Written by hand after the examples of the format's description. */
static const char expected_text[] = "# HELP p2c2r_leases_total Leases sent, by \\\\ tier.\n"
                                    "# TYPE p2c2r_leases_total counter\n"
                                    "p2c2r_leases_total{tier=\"peer\"} 12\n"
                                    "p2c2r_leases_total{tier=\"cloud\"} 0\n"
                                    "# HELP p2c2r_links Open links.\n"
                                    "# TYPE p2c2r_links gauge\n"
                                    "p2c2r_links -3\n"
                                    "# HELP p2c2r_rtt_seconds Round trips.\n"
                                    "# TYPE p2c2r_rtt_seconds histogram\n"
                                    "p2c2r_rtt_seconds_bucket{le=\"0.001\"} 2\n"
                                    "p2c2r_rtt_seconds_bucket{le=\"0.01\"} 3\n"
                                    "p2c2r_rtt_seconds_bucket{le=\"0.1\"} 3\n"
                                    "p2c2r_rtt_seconds_bucket{le=\"+Inf\"} 4\n"
                                    "p2c2r_rtt_seconds_sum 2.0065\n"
                                    "p2c2r_rtt_seconds_count 4\n"
                                    "# HELP p2c2r_on_time_ratio Frames on time.\n"
                                    "# TYPE p2c2r_on_time_ratio gauge\n"
                                    "p2c2r_on_time_ratio 0.9985\n";

static void fill(struct p2_metrics *metrics)
{
    p2_metrics_add(metrics, LEASES, 0, 5);
    p2_metrics_add(metrics, LEASES, 0, 7);
    p2_metrics_set(metrics, LINKS, 0, -3);
    p2_metrics_observe(metrics, RTT, 0, 500);
    p2_metrics_observe(metrics, RTT, 0, 1000); /* bounds are inclusive */
    p2_metrics_observe(metrics, RTT, 0, 5000);
    p2_metrics_observe(metrics, RTT, 0, 2000000);
    p2_metrics_set(metrics, SHARE, 0, 998500);
}

static void rendering_follows_the_text_format(void)
{
    struct p2_metrics *metrics = make();
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    fill(metrics);
    P2_ASSERT_ERROR(p2_metrics_render(metrics, &buf), P2_OK);
    P2_ASSERT_EQUAL(buf.size, sizeof expected_text - 1);
    P2_ASSERT_BYTES(buf.data, expected_text,
                    buf.size < sizeof expected_text ? buf.size : sizeof expected_text - 1);
    P2_ASSERT_EQUAL(p2_metrics_count(metrics, LEASES, 0), 12);
    P2_ASSERT_EQUAL(p2_metrics_count(metrics, RTT, 0), 4);
    P2_ASSERT_EQUAL(p2_metrics_gauge(metrics, LINKS, 0), -3);
    p2_buf_free(&buf);
    p2_metrics_free(metrics);
}

static void a_buffer_that_is_too_small_is_an_error(void)
{
    struct p2_metrics *metrics = make();
    for (size_t limit = 0; limit < sizeof expected_text - 1; limit += 50) {
        struct p2_buf buf;
        p2_buf_init(&buf, limit);
        fill(metrics);
        P2_ASSERT_ERROR(p2_metrics_render(metrics, &buf), P2_E_LIMIT);
        p2_buf_free(&buf);
    }
    p2_metrics_free(metrics);
}

static void quantiles_are_linear_inside_a_bucket(void)
{
    struct p2_metrics *metrics = make();
    uint64_t value = 77;
    P2_ASSERT_ERROR(p2_metrics_quantile(metrics, RTT, 0, 500, &value), P2_E_NOENT);
    P2_ASSERT_EQUAL(value, 77);
    for (unsigned i = 0; i < 10; i++) {
        p2_metrics_observe(metrics, RTT, 0, 2000); /* all in (1 ms, 10 ms] */
    }
    /* Prometheus: 1000 + 9000 * 5 / 10 and 1000 + 9000 * 9 / 10. */
    P2_ASSERT_ERROR(p2_metrics_quantile(metrics, RTT, 0, 500, &value), P2_OK);
    P2_ASSERT_EQUAL(value, 5500);
    P2_ASSERT_ERROR(p2_metrics_quantile(metrics, RTT, 0, 900, &value), P2_OK);
    P2_ASSERT_EQUAL(value, 9100);
    for (unsigned i = 0; i < 90; i++) {
        p2_metrics_observe(metrics, RTT, 0, UINT64_MAX);
    }
    P2_ASSERT_ERROR(p2_metrics_quantile(metrics, RTT, 0, 990, &value), P2_OK);
    P2_ASSERT_EQUAL(value, 100000);
    p2_metrics_free(metrics);
}

static void counters_stop_at_their_end(void)
{
    struct p2_metrics *metrics = make();
    p2_metrics_add(metrics, LEASES, 1, UINT64_MAX);
    p2_metrics_add(metrics, LEASES, 1, 5);
    CU_ASSERT(p2_metrics_count(metrics, LEASES, 1) == UINT64_MAX);
    p2_metrics_free(metrics);
}

static void names_that_break_the_rules_are_refused(void)
{
    static const uint64_t falling[] = {5, 5};
    static const char *const odd[] = {"a\"b"};
    static const struct p2_metric_descriptor wrong[] = {
        {.name = "leases_total", .kind = P2_METRIC_COUNTER, .help = "x"},
        {.name = "p2c2r_leases", .kind = P2_METRIC_COUNTER, .help = "x"},
        {.name = "p2c2r_links_total", .kind = P2_METRIC_GAUGE, .help = "x"},
        {.name = "p2c2r_rtt", .kind = P2_METRIC_GAUGE, .unit = P2_METRIC_SECONDS, .help = "x"},
        {.name = "p2c2r_used_bytes", .kind = P2_METRIC_GAUGE, .help = "x"},
        {.name = "p2c2r_Links", .kind = P2_METRIC_GAUGE, .help = "x"},
        {.name = "p2c2r_x_count", .kind = P2_METRIC_GAUGE, .help = "x"},
        {.name = "p2c2r_links", .kind = P2_METRIC_GAUGE, .help = "taken"},
        {.name = "p2c2r_other", .kind = P2_METRIC_GAUGE},
        {.name = "p2c2r_depth", .kind = P2_METRIC_HISTOGRAM, .help = "x"},
        {.name = "p2c2r_depth",
         .kind = P2_METRIC_HISTOGRAM,
         .help = "x",
         .bounds = falling,
         .bound_count = 2},
        {.name = "p2c2r_odd",
         .kind = P2_METRIC_GAUGE,
         .help = "x",
         .label = "k",
         .label_values = odd,
         .label_count = 1},
        {.name = "p2c2r_le",
         .kind = P2_METRIC_GAUGE,
         .help = "x",
         .label = "le",
         .label_values = tiers,
         .label_count = 2},
    };
    struct p2_metrics *metrics = make();
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        struct p2_failure failure;
        size_t first = 99;
        P2_ASSERT_ERROR(p2_metrics_register(metrics, &wrong[i], 1, &first, &failure), P2_E_BUG);
        P2_ASSERT_EQUAL(first, 99);
        CU_ASSERT(strstr(failure.message, "metric 0") == failure.message);
    }
    static const struct p2_metric_descriptor more = {
        .name = "p2c2r_more_bytes", .kind = P2_METRIC_GAUGE, .unit = P2_METRIC_BYTES, .help = "x"};
    size_t first = 0;
    P2_ASSERT_ERROR(p2_metrics_register(metrics, &more, 1, &first, NULL), P2_OK);
    P2_ASSERT_EQUAL(first, METRIC_COUNT);
    p2_metrics_free(metrics);
}

static void the_file_is_replaced_whole_and_readable_by_all(void)
{
    struct p2_metrics *metrics = make();
    struct p2_buf scratch;
    struct p2_failure failure;
    struct stat status;
    char path[PATH_MAX], text[sizeof expected_text];
    p2_buf_init(&scratch, P2_METRICS_FILE_MAX);
    (void)snprintf(path, sizeof path, "%s/metrics.prom", p2_test_folder_make());
    P2_ASSERT_ERROR(p2_metrics_write_file(metrics, &scratch, path, &failure), P2_OK);
    fill(metrics);
    P2_ASSERT_ERROR(p2_metrics_write_file(metrics, &scratch, path, &failure), P2_OK);
    CU_ASSERT_FATAL(stat(path, &status) == 0);
    P2_ASSERT_EQUAL(status.st_mode & 07777, 0644);
    P2_ASSERT_EQUAL(status.st_size, sizeof expected_text - 1);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    P2_ASSERT_EQUAL(fread(text, 1, sizeof text, file), sizeof expected_text - 1);
    P2_ASSERT_BYTES(text, expected_text, sizeof expected_text - 1);
    (void)fclose(file);
    P2_ASSERT_ERROR(p2_metrics_write_file(metrics, &scratch, "/nonexistent/x/y", &failure),
                    P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "/nonexistent/x/y"));
    p2_test_folder_remove();
    p2_buf_free(&scratch);
    p2_metrics_free(metrics);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(rendering_follows_the_text_format),
        P2_TEST(a_buffer_that_is_too_small_is_an_error),
        P2_TEST(quantiles_are_linear_inside_a_bucket),
        P2_TEST(counters_stop_at_their_end),
        P2_TEST(names_that_break_the_rules_are_refused),
        P2_TEST(the_file_is_replaced_whole_and_readable_by_all),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"metrics", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
