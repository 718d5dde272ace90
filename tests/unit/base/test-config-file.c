#include "tests/lib/test.h"
#include "tests/unit/base/sample-table.h"

#include "base/config_doc.h"
#include "base/config_file.h"
#include "base/file.h"
#include "base/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct p2_config *make(void)
{
    struct p2_config *config = NULL;
    P2_ASSERT_ERROR(p2_config_new(&config, &sample_table), P2_OK);
    return config;
}

static int parse(struct p2_config **ret_config, const void *text, size_t size,
                 struct p2_failure *failure)
{
    *ret_config = make();
    P2_ASSERT_ERROR(p2_config_begin(*ret_config, P2_LAYER_FILE, "t.conf", true), P2_OK);
    return p2_config_parse(*ret_config, "t.conf", p2_span(text, size), failure);
}

static void check_refused(const char *text, size_t size, const char *message)
{
    struct p2_config *config;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(parse(&config, text, size, &failure), P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, message);
    p2_config_free(config);
}

#define GOLDEN                                                                 \
    "# a comment\n; another\n\ncores = 8\ncache=64MiB\n  name = a ; b # c\r\n" \
    "authority = a:1#k\nauthority = b:2#k\n[network]\nlisten = 2000"

static void a_file_is_read_line_by_line(void)
{
    struct p2_config *config;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(parse(&config, GOLDEN, sizeof GOLDEN - 1, &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 8);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CACHE), 64 << 20);
    /* What looks like a comment behind a value is part of it. */
    CU_ASSERT_STRING_EQUAL(p2_config_string(config, SAMPLE_NAME), "a ; b # c");
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 2);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_LISTEN), 2000);
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_CORES, 0).line, 4);
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_AUTHORITY, 1).line, 8);
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_LISTEN, 0).line, 10);
    p2_config_free(config);
}

static void errors_name_the_line(void)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"cores = 8\n\ncoers = 9\n", "t.conf:3: unknown key \"coers\"; did you mean \"cores\"?"},
        {"cores = 800\ncores = 9\n", "t.conf:1: cores = 800: out of range; allowed: 1 to 64"},
        {"cores = 8\n#\ncores = 9\n", "t.conf:3: \"cores\" was set in line 1 already"},
        {"\ncores\n", "t.conf:2: expected \"key = value\" or \"[section]\""},
        {"[network\n", "t.conf:1: a section is written [name], with nothing behind it"},
        {"[network] listen = 2000\n",
         "t.conf:1: a section is written [name], with nothing behind it"},
        {"[network]\n[a123456789012345678901234567890123456789012345678901]\n",
         "t.conf:2: unknown section"},
        {"[net]\nlisten = 2000\n", "t.conf:2: \"listen\" belongs in section [network]"},
        {"cores = 8\n 4\n", "t.conf:2: expected \"key = value\" or \"[section]\""},
        {"= 4\n", "t.conf:1: unknown key \"\""},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        check_refused(rows[i].text, strlen(rows[i].text), rows[i].message);
    }
    check_refused("cores = 8\nname = a\0b\n", 21, "t.conf:2: the line holds a zero byte");
}

static void long_lines_are_whole_or_an_error(void)
{
    char text[P2_CONFIG_LINE_MAX + 64];
    struct p2_config *config;
    struct p2_failure failure = {0};
    /* 4,095 characters of path reach us, libinih's default would cut them at 200. */
    size_t head = (size_t)snprintf(text, sizeof text, "state-dir = ");
    memset(text + head, '/', P2_CONFIG_VALUE_MAX - 1);
    memcpy(text + head + P2_CONFIG_VALUE_MAX - 1, "\ncores = 5\n", 12);
    P2_ASSERT_ERROR(parse(&config, text, strlen(text), &failure), P2_OK);
    P2_ASSERT_EQUAL(strlen(p2_config_string(config, SAMPLE_STATE)), P2_CONFIG_VALUE_MAX - 1);
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_CORES, 0).line, 2);
    p2_config_free(config);
    /* One more is too long for a value, and beyond P2_CONFIG_LINE_MAX for a line. */
    memset(text + head, '/', P2_CONFIG_VALUE_MAX);
    text[head + P2_CONFIG_VALUE_MAX] = '\0';
    check_refused(text, strlen(text), "t.conf:1: state-dir is longer than 4095 bytes");
    memset(text, '#', sizeof text);
    check_refused(text, P2_CONFIG_LINE_MAX + 1, "t.conf:1: the line is too long");
    P2_ASSERT_ERROR(parse(&config, text, P2_CONFIG_LINE_MAX, &failure), P2_OK);
    p2_config_free(config);
}

static void damaged_files_are_refused_or_valid_but_never_more(void)
{
    for (size_t size = 0; size <= sizeof GOLDEN - 1; size++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char text[sizeof GOLDEN] = GOLDEN;
            struct p2_config *config;
            struct p2_failure failure = {0};
            text[size] = (char)(text[size] ^ (1 << bit));
            int error = parse(&config, text, bit == 0 ? size : sizeof GOLDEN - 1, &failure);
            CU_ASSERT(error == P2_OK || error == P2_E_CONFIG);
            CU_ASSERT(error == P2_OK || strncmp(failure.message, "t.conf:", 7) == 0);
            CU_ASSERT(p2_config_u64(config, SAMPLE_CORES) <= 64);
            p2_config_free(config);
        }
    }
}

/* ---- files and layers ------------------------------------------------------------------------ */

static char root[PATH_MAX / 2];

static void make_root(void)
{
    char path[PATH_MAX];
    (void)snprintf(root, sizeof root, "%s", p2_test_folder_make());
    static const char *const folders[] = {"etc", "etc/p2c2r", "etc/p2c2r/p2c2rd.conf.d", "state"};
    for (size_t i = 0; i < P2_COUNT_OF(folders); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
    }
}

static const char *put_file(const char *name, const char *text, mode_t mode)
{
    static char path[PATH_MAX];
    struct p2_failure failure = {0};
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    P2_ASSERT_ERROR(
        p2_file_replace(path, p2_span(text, strlen(text)), mode, P2_FILE_VOLATILE, &failure),
        P2_OK);
    return path;
}

static int load(struct p2_config *config, const char *file, struct p2_failure *failure)
{
    char state[PATH_MAX];
    const struct p2_config_places places = {"p2c2rd", root, file};
    (void)snprintf(state, sizeof state, "%s/state", root);
    int error = p2_config_read_files(config, &places, failure);
    return error == P2_OK ? p2_config_read_settings(config, state, failure) : error;
}

static void check_source(const struct p2_config *config, size_t index, const char *end)
{
    char source[PATH_MAX];
    p2_config_format_source(config, index, source, sizeof source);
    size_t length = strlen(source), wanted = strlen(end);
    CU_ASSERT(length >= wanted && strcmp(source + length - wanted, end) == 0);
}

static void layers_come_in_order_and_later_wins(void)
{
    struct p2_config *config = make();
    struct p2_failure failure = {0};
    make_root();
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_OK); /* nothing there yet */
    p2_config_free(config);
    (void)put_file("etc/p2c2r/p2c2rd.conf", "cores = 1\ncache = 16MiB\nname = x\n", 0644);
    (void)put_file("etc/p2c2r/p2c2rd.conf.d/20-b.conf", "cores = 3\n", 0644);
    (void)put_file("etc/p2c2r/p2c2rd.conf.d/10-a.conf", "cores = 2\ncache = 17MiB\n", 0644);
    (void)put_file("etc/p2c2r/p2c2rd.conf.d/30.conf~", "cores = broken\n", 0644);
    (void)put_file("etc/p2c2r/p2c2rd.conf.d/.40.conf", "cores = broken\n", 0644);
    (void)put_file("state/settings.conf", "\nname = y\n[network]\ntoken = hunter2\n", 0600);
    config = make();
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 3);
    check_source(config, SAMPLE_CORES, "/etc/p2c2r/p2c2rd.conf.d/20-b.conf:1");
    check_source(config, SAMPLE_CACHE, "/etc/p2c2r/p2c2rd.conf.d/10-a.conf:2");
    check_source(config, SAMPLE_NAME, "/state/settings.conf:2");
    check_source(config, SAMPLE_IDLE, "built-in");
    CU_ASSERT_STRING_EQUAL(p2_config_string(config, SAMPLE_TOKEN), "hunter2");
    p2_config_free(config);
    p2_test_folder_remove();
}

static void a_named_file_replaces_the_usual_ones_and_must_be_there(void)
{
    struct p2_config *config = make();
    struct p2_failure failure = {0};
    char path[PATH_MAX];
    make_root();
    (void)put_file("etc/p2c2r/p2c2rd.conf", "cores = broken\n", 0644);
    (void)snprintf(path, sizeof path, "%s", put_file("other.conf", "cores = 6\n", 0644));
    P2_ASSERT_ERROR(load(config, path, &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 6);
    (void)snprintf(path, sizeof path, "%s/missing.conf", root);
    P2_ASSERT_ERROR(load(config, path, &failure), P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "missing.conf"));
    p2_config_free(config);
    p2_test_folder_remove();
}

static void files_others_may_write_or_read_are_refused(void)
{
    struct p2_config *config = make();
    struct p2_failure failure = {0};
    char path[PATH_MAX], other[PATH_MAX];
    make_root();
    (void)put_file("etc/p2c2r/p2c2rd.conf", "cores = 2\n", 0646);
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_E_BAD_MODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "has mode 0646; run: chmod 0644 "));
    (void)put_file("etc/p2c2r/p2c2rd.conf", "[network]\ntoken = hunter2\n", 0644);
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_E_CONFIG);
    CU_ASSERT_PTR_NULL(strstr(failure.message, "hunter2"));
    (void)put_file("etc/p2c2r/p2c2rd.conf", "[network]\ntoken = hunter2\n", 0640);
    (void)put_file("state/settings.conf", "cores = 2\n", 0640);
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_E_BAD_MODE);
    /* A link could point at a file somebody else writes. */
    (void)snprintf(path, sizeof path, "%s/state/settings.conf", root);
    (void)snprintf(other, sizeof other, "%s", put_file("elsewhere.conf", "cores = 2\n", 0600));
    CU_ASSERT(unlink(path) == 0 && symlink(other, path) == 0);
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_E_BAD_MODE);
    CU_ASSERT(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    P2_ASSERT_ERROR(load(config, NULL, &failure), P2_E_BAD_MODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "not a regular file"));
    p2_config_free(config);
    p2_test_folder_remove();
}

static void a_file_above_its_limit_is_refused(void)
{
    struct p2_buf buf;
    struct p2_failure failure = {0};
    const struct p2_file_rules rules = {0};
    make_root();
    const char *path = put_file("big", "0123456789", 0600);
    p2_buf_init(&buf, 9);
    P2_ASSERT_ERROR(p2_file_read(&buf, path, &rules, NULL, &failure), P2_E_LIMIT);
    p2_buf_free(&buf);
    p2_buf_init(&buf, 10);
    P2_ASSERT_ERROR(p2_file_read(&buf, path, &rules, NULL, &failure), P2_OK);
    P2_ASSERT_EQUAL(buf.size, 10);
    p2_buf_free(&buf);
    p2_test_folder_remove();
}

static void a_replacement_that_fails_leaves_nothing_behind(void)
{
    char path[PATH_MAX];
    struct p2_failure failure = {0};
    make_root();
    (void)snprintf(path, sizeof path, "%s/state/folder", root);
    CU_ASSERT_FATAL(mkdir(path, 0700) == 0);
    P2_ASSERT_ERROR(p2_file_replace(path, p2_span("x", 1), 0600, P2_FILE_DURABLE, &failure),
                    P2_E_IO); /* a file cannot replace a folder */
    CU_ASSERT(rmdir(path) == 0);
    (void)snprintf(path, sizeof path, "%s/state", root);
    CU_ASSERT(rmdir(path) == 0); /* only an empty folder can be removed */
    p2_test_folder_remove();
}

static void a_dump_is_a_file_that_gives_the_same_values(void)
{
    struct p2_config *config, *again;
    struct p2_failure failure = {0};
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(parse(&config, GOLDEN, sizeof GOLDEN - 1, &failure), P2_OK);
    P2_ASSERT_ERROR(p2_config_dump(config, &buf), P2_OK);
    P2_ASSERT_ERROR(parse(&again, buf.data, buf.size, &failure), P2_OK);
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        CU_ASSERT(p2_config_is_same(config, again, i));
    }
    p2_config_free(again);
    p2_config_free(config);
    p2_buf_free(&buf);
}

/* Removes the # before every key that has a default. Returns how many. */
static size_t uncomment_defaults(struct p2_buf *buf)
{
    size_t count = 0;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        char line[128];
        if (sample_options[i].default_text != NULL) {
            int length = snprintf(line, sizeof line, "\n#%s = %s\n", sample_options[i].name,
                                  sample_options[i].default_text);
            uint8_t *at = memmem(buf->data, buf->size, line, (size_t)length);
            if (at != NULL) {
                at[1] = ' ';
                count++;
            }
        }
    }
    return count;
}

static void the_sample_file_is_valid_with_and_without_its_defaults(void)
{
    struct p2_config *config, *built_in = make();
    struct p2_failure failure = {0};
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(p2_config_sample(&sample_table, &buf), P2_OK);
    P2_ASSERT_ERROR(parse(&config, buf.data, buf.size, &failure), P2_OK);
    p2_config_free(config);
    P2_ASSERT_EQUAL(uncomment_defaults(&buf), 6); /* all but "once", which is for options only */
    P2_ASSERT_ERROR(parse(&config, buf.data, buf.size, &failure), P2_OK);
    check_source(config, SAMPLE_CORES, "t.conf:10");
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        CU_ASSERT(p2_config_is_same(config, built_in, i));
    }
    p2_config_free(config);
    p2_config_free(built_in);
    p2_buf_free(&buf);
}

/* ---- settings -------------------------------------------------------------------------------- */

static int write_setting(const char *name, const char *const *values, size_t count,
                         struct p2_failure *failure)
{
    char state[PATH_MAX];
    (void)snprintf(state, sizeof state, "%s/state", root);
    return p2_settings_write(&sample_table, state, name, values, count, failure);
}

static void check_settings(const char *expected)
{
    char path[PATH_MAX];
    struct p2_buf buf;
    mode_t mode = 0;
    const struct p2_file_rules rules = {0};
    p2_buf_init(&buf, 1 << 16);
    (void)snprintf(path, sizeof path, "%s/state/settings.conf", root);
    P2_ASSERT_ERROR(p2_file_read(&buf, path, &rules, &mode, NULL), P2_OK);
    P2_ASSERT_EQUAL(mode, 0600);
    P2_ASSERT_EQUAL(buf.size, strlen(expected));
    P2_ASSERT_BYTES(buf.data, expected, buf.size < strlen(expected) ? buf.size : strlen(expected));
    p2_buf_free(&buf);
}

static void a_setting_is_changed_and_every_other_line_stays(void)
{
    struct p2_failure failure = {0};
    make_root();
    P2_ASSERT_ERROR(write_setting("cores", (const char *const[]){"8"}, 1, &failure), P2_OK);
    check_settings("cores = 8\n");
    P2_ASSERT_ERROR(write_setting("token", (const char *const[]){"hunter2"}, 1, &failure), P2_OK);
    check_settings("cores = 8\n[network]\ntoken = hunter2\n");
    P2_ASSERT_ERROR(write_setting("name", (const char *const[]){"me"}, 1, &failure), P2_OK);
    check_settings("cores = 8\nname = me\n[network]\ntoken = hunter2\n");
    (void)put_file("state/settings.conf",
                   "# mine\nauthority = a:1#k\n cores : 8\nauthority = b:2#k\n\n[network]\n; end",
                   0600);
    P2_ASSERT_ERROR(write_setting("cores", (const char *const[]){"9"}, 1, &failure), P2_OK);
    check_settings("# mine\nauthority = a:1#k\ncores = 9\nauthority = b:2#k\n\n[network]\n; end\n");
    P2_ASSERT_ERROR(
        write_setting("authority", (const char *const[]){"c:3#k", "d:4#k"}, 2, &failure), P2_OK);
    check_settings("# mine\nauthority = c:3#k\nauthority = d:4#k\ncores = 9\n\n[network]\n; end\n");
    P2_ASSERT_ERROR(write_setting("listen", (const char *const[]){"2000"}, 1, &failure), P2_OK);
    P2_ASSERT_ERROR(write_setting("authority", NULL, 0, &failure), P2_OK);
    check_settings("# mine\ncores = 9\n\n[network]\n; end\nlisten = 2000\n");
    p2_test_folder_remove();
}

static void a_setting_that_is_not_valid_leaves_the_file_alone(void)
{
    struct p2_failure failure = {0};
    make_root();
    (void)put_file("state/settings.conf", "cores = 8\n", 0600);
    P2_ASSERT_ERROR(write_setting("cores", (const char *const[]){"99"}, 1, &failure), P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message,
                           "new value: cores = 99: out of range; allowed: 1 to 64");
    P2_ASSERT_ERROR(write_setting("coers", (const char *const[]){"9"}, 1, &failure), P2_E_CONFIG);
    P2_ASSERT_ERROR(write_setting("once", (const char *const[]){"yes"}, 1, &failure), P2_E_CONFIG);
    P2_ASSERT_ERROR(write_setting("cores", (const char *const[]){"1", "2"}, 2, &failure),
                    P2_E_CONFIG);
    P2_ASSERT_ERROR(write_setting("name", (const char *const[]){"a\ncores = 1"}, 1, &failure),
                    P2_E_CONFIG);
    check_settings("cores = 8\n");
    (void)put_file("state/settings.conf", "gone-option = 8\n", 0600);
    P2_ASSERT_ERROR(write_setting("cores", (const char *const[]){"9"}, 1, &failure), P2_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "settings.conf:1: unknown key"));
    check_settings("gone-option = 8\n");
    p2_test_folder_remove();
}

int main(int argc, char **argv)
{
    CU_TestInfo syntax[] = {
        P2_TEST(a_file_is_read_line_by_line),
        P2_TEST(errors_name_the_line),
        P2_TEST(long_lines_are_whole_or_an_error),
        P2_TEST(damaged_files_are_refused_or_valid_but_never_more),
        P2_TEST(a_dump_is_a_file_that_gives_the_same_values),
        P2_TEST(the_sample_file_is_valid_with_and_without_its_defaults),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo files[] = {
        P2_TEST(layers_come_in_order_and_later_wins),
        P2_TEST(a_named_file_replaces_the_usual_ones_and_must_be_there),
        P2_TEST(files_others_may_write_or_read_are_refused),
        P2_TEST(a_file_above_its_limit_is_refused),
        P2_TEST(a_replacement_that_fails_leaves_nothing_behind),
        P2_TEST(a_setting_is_changed_and_every_other_line_stays),
        P2_TEST(a_setting_that_is_not_valid_leaves_the_file_alone),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"config_file", NULL, NULL, NULL, NULL, syntax},
                             {"files", NULL, NULL, NULL, NULL, files},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
