#include "tests/lib/test.h"

#include "base/config.h"
#include "base/config_doc.h"
#include "base/units.h"
#include "tests/unit/base/sample-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct p2_config *make(void)
{
    struct p2_config *config = NULL;
    P2_ASSERT_ERROR(p2_config_new(&config, &sample_table), P2_OK);
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_FILE, "a.conf", true), P2_OK);
    return config;
}

static int set(struct p2_config *config, const char *section, const char *name, const char *value,
               struct p2_failure *failure)
{
    const struct p2_config_entry entry = {section, name, value, 7};
    return p2_config_set(config, &entry, failure);
}

/* ---- units ----------------------------------------------------------------------------------- */

static void numbers_are_read_with_their_units(void)
{
    static const struct {
        enum p2_units units;
        const char *text;
        enum p2_units_error error;
        int64_t value;
        const char *canonical;
    } rows[] = {
        {P2_UNITS_NONE, "0", P2_UNITS_OK, 0, "0"},
        {P2_UNITS_NONE, "-12", P2_UNITS_OK, -12, "-12"},
        {P2_UNITS_NONE, "9223372036854775807", P2_UNITS_OK, INT64_MAX, "9223372036854775807"},
        {P2_UNITS_NONE, "9223372036854775808", P2_UNITS_TOO_LARGE, 0, NULL},
        {P2_UNITS_NONE, "99999999999999999999999", P2_UNITS_TOO_LARGE, 0, NULL},
        {P2_UNITS_NONE, "", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_NONE, "-", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_NONE, "+4", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_NONE, "4x", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_NONE, "0x10", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_NONE, "1e3", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_SIZE, "64MiB", P2_UNITS_OK, 67108864, "64MiB"},
        {P2_UNITS_SIZE, "1024 KiB", P2_UNITS_OK, 1048576, "1MiB"},
        {P2_UNITS_SIZE, "1500", P2_UNITS_OK, 1500, "1500B"},
        {P2_UNITS_SIZE, "8388607TiB", P2_UNITS_OK, INT64_C(9223370937343148032), "8388607TiB"},
        {P2_UNITS_SIZE, "8388608TiB", P2_UNITS_TOO_LARGE, 0, NULL},
        {P2_UNITS_SIZE, "64MB", P2_UNITS_BAD_UNIT, 0, NULL},
        {P2_UNITS_SIZE, "64M", P2_UNITS_BAD_UNIT, 0, NULL},
        {P2_UNITS_SIZE, "1.5GiB", P2_UNITS_BAD_UNIT, 0, NULL},
        {P2_UNITS_SIZE, "-1", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_DURATION, "15s", P2_UNITS_OK, 15000, "15s"},
        {P2_UNITS_DURATION, "250ms", P2_UNITS_OK, 250, "250ms"},
        {P2_UNITS_DURATION, "120 s", P2_UNITS_OK, 120000, "2min"},
        {P2_UNITS_DURATION, "24h", P2_UNITS_OK, 86400000, "1d"},
        {P2_UNITS_DURATION, "0", P2_UNITS_OK, 0, "0ms"},
        {P2_UNITS_DURATION, "15", P2_UNITS_BAD_UNIT, 0, NULL},
        {P2_UNITS_DURATION, "15 sec", P2_UNITS_BAD_UNIT, 0, NULL},
        {P2_UNITS_SHARE, "40%", P2_UNITS_OK, 400000, "40%"},
        {P2_UNITS_SHARE, "0.2%", P2_UNITS_OK, 2000, "0.2%"},
        {P2_UNITS_SHARE, "12.3456%", P2_UNITS_OK, 123456, "12.3456%"},
        {P2_UNITS_SHARE, "1.23456%", P2_UNITS_TOO_PRECISE, 0, NULL},
        {P2_UNITS_SHARE, "1.%", P2_UNITS_NOT_A_NUMBER, 0, NULL},
        {P2_UNITS_SHARE, "40", P2_UNITS_BAD_UNIT, 0, NULL},
    };
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        char text[P2_UNITS_TEXT_MAX];
        int64_t value = 0;
        P2_ASSERT_EQUAL(p2_units_parse(&value, rows[i].units, rows[i].text), rows[i].error);
        P2_ASSERT_EQUAL(value, rows[i].value);
        if (rows[i].canonical != NULL) {
            p2_units_format(text, rows[i].units, value);
            CU_ASSERT_STRING_EQUAL(text, rows[i].canonical);
        }
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static void built_in_values_are_typed_and_named(void)
{
    struct p2_config *config = make();
    char source[64];
    CU_ASSERT_FALSE(p2_config_bool(config, SAMPLE_LEND));
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 4);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CACHE), 268435456);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_IDLE), 15000);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_SHARE), 400000);
    P2_ASSERT_EQUAL(p2_config_choice(config, SAMPLE_PEERS), 0);
    CU_ASSERT_PTR_NULL(p2_config_string(config, SAMPLE_STATE));
    CU_ASSERT_FALSE(p2_config_is_set(config, SAMPLE_OFFSET));
    P2_ASSERT_EQUAL(p2_config_i64(config, SAMPLE_OFFSET), 0);
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 0);
    p2_config_format_source(config, SAMPLE_CORES, source, sizeof source);
    CU_ASSERT_STRING_EQUAL(source, "built-in");
    p2_config_free(config);
    p2_config_free(NULL);
}

static void values_of_every_type_are_set(void)
{
    struct p2_config *config = make();
    struct p2_failure failure;
    P2_ASSERT_ERROR(set(config, "", "lend", "on", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "offset", "-12", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "cache", " 64MiB ", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "local-peers", "allow", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "name", "Zo\xc3\xab = x", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "state-dir", "/var/lib/x", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "network", "listen", "65535", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "network", "token", "secret", &failure), P2_OK);
    CU_ASSERT(p2_config_bool(config, SAMPLE_LEND));
    P2_ASSERT_EQUAL(p2_config_i64(config, SAMPLE_OFFSET), -12);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CACHE), 67108864);
    P2_ASSERT_EQUAL(p2_config_choice(config, SAMPLE_PEERS), 1);
    CU_ASSERT_STRING_EQUAL(p2_config_string(config, SAMPLE_NAME), "Zo\xc3\xab = x");
    CU_ASSERT_STRING_EQUAL(p2_config_string(config, SAMPLE_STATE), "/var/lib/x");
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_STATE, 0).line, 7);
    P2_ASSERT_EQUAL(p2_config_source(config, SAMPLE_STATE, 0).layer, P2_LAYER_FILE);
    p2_config_free(config);
}

static void every_refusal_names_place_and_allowed_values(void)
{
    static const struct {
        const char *section, *name, *value, *message;
    } rows[] = {
        {"", "cores", "65", "a.conf:7: cores = 65: out of range; allowed: 1 to 64"},
        {"", "cores", "0", "a.conf:7: cores = 0: out of range; allowed: 1 to 64"},
        {"", "cores", "many", "a.conf:7: cores = many: not a number; allowed: 1 to 64"},
        {"", "cores", "", "a.conf:7: cores = : not a number; allowed: 1 to 64"},
        {"", "cache", "64MB",
         "a.conf:7: cache = 64MB: unknown or missing unit (B, KiB, MiB, GiB or TiB); allowed: "
         "16MiB "
         "to 4GiB"},
        {"", "idle-after", "2h", "a.conf:7: idle-after = 2h: out of range; allowed: 250ms to 1h"},
        {"", "cpu-share", "101%", "a.conf:7: cpu-share = 101%: out of range; allowed: 0% to 100%"},
        {"", "lend", "maybe", "a.conf:7: lend = maybe: not a truth value; allowed: yes or no"},
        {"", "local-peers", "lax",
         "a.conf:7: local-peers = lax: not one of the choices; allowed: strict or allow"},
        {"", "name", "12345678901234567",
         "a.conf:7: name = 12345678901234567: wrong length; allowed: 0 to 16 bytes"},
        {"", "name", "a\x1b[0m",
         "a.conf:7: name = a\\u001b[0m: control characters or no UTF-8; allowed: 0 to 16 bytes"},
        {"", "state-dir", "var",
         "a.conf:7: state-dir = var: not an absolute path; allowed: an absolute path"},
        {"", "authority", "host",
         "a.conf:7: authority = host: wrong syntax; allowed: HOST:PORT#KEY, 1 to 64 bytes"},
        {"", "once", "yes", "a.conf:7: \"once\" is for the command line only"},
        {"", "coers", "4", "a.conf:7: unknown key \"coers\"; did you mean \"cores\"?"},
        {"", "zzz\n", "4", "a.conf:7: unknown key \"zzz\\n\""},
        {"net", "cors", "4",
         "a.conf:7: unknown key \"cors\" in section [net]; did you mean \"cores\"?"},
        {"", "listen", "2000", "a.conf:7: \"listen\" belongs in section [network]"},
        {"network", "cores", "4", "a.conf:7: \"cores\" belongs above the first section"},
        {"network", "token", "abc",
         "a.conf:7: token = (hidden): wrong length; allowed: 4 to 32 bytes"},
    };
    struct p2_config *config = make();
    for (size_t i = 0; i < P2_COUNT_OF(rows); i++) {
        struct p2_failure failure = {0};
        P2_ASSERT_ERROR(set(config, rows[i].section, rows[i].name, rows[i].value, &failure),
                        P2_E_CONFIG);
        CU_ASSERT_STRING_EQUAL(failure.message, rows[i].message);
    }
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 4);
    p2_config_free(config);
}

static void a_key_may_not_repeat_in_its_layer_but_a_later_layer_wins(void)
{
    struct p2_config *config = make();
    struct p2_failure failure;
    char source[64];
    P2_ASSERT_ERROR(set(config, "", "cores", "8", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "cores", "8", &failure), P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, "a.conf:7: \"cores\" was set in line 7 already");
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_OPTIONS, "options", false), P2_OK);
    const struct p2_config_entry entry = {"", "cores", "2", 0};
    P2_ASSERT_ERROR(p2_config_set(config, &entry, &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(config, SAMPLE_CORES), 2);
    p2_config_format_source(config, SAMPLE_CORES, source, sizeof source);
    CU_ASSERT_STRING_EQUAL(source, "option --cores");
    P2_ASSERT_ERROR(p2_config_set(config, &entry, &failure), P2_E_CONFIG);
    CU_ASSERT_STRING_EQUAL(failure.message, "--cores: given twice");
    p2_config_free(config);
}

static void a_list_grows_in_its_layer_and_is_replaced_by_the_next(void)
{
    struct p2_config *config = make();
    struct p2_failure failure;
    P2_ASSERT_ERROR(set(config, "", "authority", "a:1#k", &failure), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "authority", "b:2#k", &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 2);
    CU_ASSERT_STRING_EQUAL(p2_config_at(config, SAMPLE_AUTHORITY, 0), "a:1#k");
    CU_ASSERT_STRING_EQUAL(p2_config_at(config, SAMPLE_AUTHORITY, 1), "b:2#k");
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_FILE, "b.conf", false), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "authority", "c:3#k", &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 1);
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_FILE, "c.conf", false), P2_OK);
    P2_ASSERT_ERROR(set(config, "", "authority", "", &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_count(config, SAMPLE_AUTHORITY), 0);
    for (int i = 0; i < P2_CONFIG_LIST_MAX; i++) {
        P2_ASSERT_ERROR(set(config, "", "authority", "d:4#k", &failure), P2_OK);
    }
    P2_ASSERT_ERROR(set(config, "", "authority", "d:4#k", &failure), P2_E_CONFIG);
    p2_config_free(config);
}

static void secrets_stand_only_in_private_files(void)
{
    struct p2_config *config = make();
    struct p2_failure failure;
    const struct p2_config_entry entry = {"network", "token", "abcd", 3};
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_FILE, "open.conf", false), P2_OK);
    P2_ASSERT_ERROR(p2_config_set(config, &entry, &failure), P2_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "open.conf:3: \"token\" is secret"));
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_OPTIONS, "options", true), P2_OK);
    P2_ASSERT_ERROR(p2_config_set(config, &entry, &failure), P2_E_CONFIG);
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_SETTINGS, "s.conf", true), P2_OK);
    P2_ASSERT_ERROR(p2_config_set(config, &entry, &failure), P2_OK);
    p2_config_free(config);
}

static void layers_are_bounded(void)
{
    struct p2_config *config = make();
    int error = P2_OK;
    for (int i = 0; error == P2_OK && i < 1000; i++) {
        error = p2_config_begin(config, P2_LAYER_FILE, "x", false);
    }
    P2_ASSERT_ERROR(error, P2_E_LIMIT);
    p2_config_free(config);
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void a_reload_names_what_needs_a_restart_and_keeps_it(void)
{
    struct p2_config *running = make(), *fresh = make();
    struct p2_failure failure;
    size_t changed[SAMPLE_COUNT];
    char source[64];
    P2_ASSERT_ERROR(set(running, "", "idle-after", "60s", &failure), P2_OK);
    P2_ASSERT_ERROR(set(fresh, "", "idle-after", "1min", &failure), P2_OK);
    P2_ASSERT_ERROR(set(fresh, "", "cache", "64MiB", &failure), P2_OK);
    CU_ASSERT(p2_config_is_same(running, fresh, SAMPLE_IDLE));
    P2_ASSERT_EQUAL(p2_config_frozen_changes(running, fresh, changed), 0);
    P2_ASSERT_ERROR(set(fresh, "", "cores", "8", &failure), P2_OK);
    P2_ASSERT_ERROR(set(running, "network", "listen", "2000", &failure), P2_OK);
    P2_ASSERT_EQUAL(p2_config_frozen_changes(running, fresh, changed), 2);
    P2_ASSERT_EQUAL(changed[0], SAMPLE_CORES);
    P2_ASSERT_EQUAL(changed[1], SAMPLE_LISTEN);
    P2_ASSERT_ERROR(p2_config_keep_frozen(fresh, running), P2_OK);
    P2_ASSERT_EQUAL(p2_config_u64(fresh, SAMPLE_CORES), 4);
    P2_ASSERT_EQUAL(p2_config_u64(fresh, SAMPLE_LISTEN), 2000);
    P2_ASSERT_EQUAL(p2_config_u64(fresh, SAMPLE_CACHE), 67108864);
    p2_config_free(running); /* `fresh` borrows nothing from it */
    p2_config_format_source(fresh, SAMPLE_LISTEN, source, sizeof source);
    CU_ASSERT_STRING_EQUAL(source, "a.conf:7");
    p2_config_free(fresh);
}

/* ---- table ----------------------------------------------------------------------------------- */

static void a_table_is_checked_for_our_mistakes(void)
{
    static const char *const none[] = {NULL};
    static const struct p2_option good = {
        .name = "good", .type = P2_OPTION_BOOL, .letter = 'g', .doc = "x"};
    const struct p2_option wrong[] = {
        {.name = "Bad", .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "-bad", .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "good", .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "bad", .letter = 'g', .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "bad", .letter = 'h', .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "help", .type = P2_OPTION_BOOL, .doc = "x"},
        {.name = "bad", .type = P2_OPTION_BOOL},
        {.name = "bad", .type = P2_OPTION_CHOICE, .choices = none, .doc = "x"},
        {.name = "bad", .type = P2_OPTION_INTEGER, .min = 2, .max = 1, .doc = "x"},
        {.name = "bad", .type = P2_OPTION_SIZE, .min = -1, .max = 1, .doc = "x"},
        {.name = "bad", .type = P2_OPTION_INTEGER, .max = 9, .default_text = "10", .doc = "x"},
        {.name = "bad", .type = P2_OPTION_STRING, .max = P2_CONFIG_VALUE_MAX, .doc = "x"},
        {.name = "bad",
         .type = P2_OPTION_STRING,
         .max = 9,
         .is_valid = sample_is_address,
         .doc = "x"},
        {.name = "bad",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_FILE | P2_OPTION_COMMAND_LINE,
         .doc = "x"},
        {.name = "bad",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_SECRET | P2_OPTION_COMMAND_LINE,
         .doc = "x"},
    };
    struct p2_failure failure;
    P2_ASSERT_ERROR(p2_option_table_check(&sample_table, &failure), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        const struct p2_option pair[] = {good, wrong[i]};
        const struct p2_option_table table = {pair, 2};
        P2_ASSERT_ERROR(p2_option_table_check(&table, &failure), P2_E_BUG);
        CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "row 1"));
    }
    const struct p2_option scattered[] = {
        {.name = "a", .type = P2_OPTION_BOOL, .section = "s", .doc = "x"},
        {.name = "b", .type = P2_OPTION_BOOL, .doc = "x"},
    };
    const struct p2_option_table table = {scattered, 2};
    P2_ASSERT_ERROR(p2_option_table_check(&table, &failure), P2_E_BUG);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void check_text(const struct p2_buf *buf, const char *expected)
{
    P2_ASSERT_EQUAL(buf->size, strlen(expected));
    if (buf->size == strlen(expected)) {
        P2_ASSERT_BYTES(buf->data, expected, buf->size);
    } else {
        (void)fwrite(buf->data, 1, buf->size, stdout);
    }
}

static const struct p2_option few_options[] = {
    {.name = "cores",
     .type = P2_OPTION_INTEGER,
     .letter = 'n',
     .min = 1,
     .max = 64,
     .default_text = "4",
     .doc = "Cores to lend."},
    {.name = "once",
     .type = P2_OPTION_BOOL,
     .flags = P2_OPTION_COMMAND_LINE,
     .doc = "End after one."},
    {.name = "peer",
     .type = P2_OPTION_STRING,
     .flags = P2_OPTION_LIST | P2_OPTION_RELOADABLE,
     .section = "net",
     .min = 1,
     .max = 9,
     .doc = "A peer."},
    {.name = "key",
     .type = P2_OPTION_STRING,
     .flags = P2_OPTION_SECRET,
     .section = "net",
     .min = 1,
     .max = 9,
     .doc = ".A \\ key. Really."},
};
static const struct p2_option_table few = {few_options, P2_COUNT_OF(few_options)};

static void a_dump_names_each_source_and_hides_secrets(void)
{
    struct p2_config *config = NULL;
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(p2_config_new(&config, &few), P2_OK);
    P2_ASSERT_ERROR(p2_config_begin(config, P2_LAYER_FILE, "/etc/x.conf", true), P2_OK);
    P2_ASSERT_ERROR(set(config, "net", "peer", "a", NULL), P2_OK);
    P2_ASSERT_ERROR(set(config, "net", "peer", "b", NULL), P2_OK);
    P2_ASSERT_ERROR(set(config, "net", "key", "hunter2", NULL), P2_OK);
    P2_ASSERT_ERROR(p2_config_dump(config, &buf), P2_OK);
    check_text(&buf, "# built-in\ncores = 4\n# built-in\n# once = (not set)\n\n[net]\n"
                     "# /etc/x.conf:7\npeer = a\npeer = b\n# /etc/x.conf:7\n# key = (hidden)\n");
    p2_buf_free(&buf);
    p2_config_free(config);
}

static void a_sample_file_shows_every_key_of_files(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(p2_config_sample(&few, &buf), P2_OK);
    check_text(&buf,
               "# Every key with its default. Remove the leading # to change one.\n"
               "# Comments stand on lines of their own.\n\n"
               "# Cores to lend.\n# Allowed: 1 to 64. A change needs a restart.\n#cores = 4\n"
               "\n[net]\n\n# A peer.\n# Allowed: 1 to 9 bytes. May be given more than once.\n"
               "#peer = TEXT\n\n# .A \\ key. Really.\n"
               "# Allowed: 1 to 9 bytes. A change needs a restart. Secret: others must not be\n"
               "# able to read the file.\n#key = TEXT\n");
    p2_buf_free(&buf);
}

static void manual_page_fragments_hold_the_same_facts(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(p2_config_mdoc(&few, P2_MDOC_KEYS, &buf), P2_OK);
    check_text(&buf, ".It Ic cores No = Ar N\nCores to lend.\n"
                     "Allowed: 1 to 64.\nA change needs a restart.\nThe default is\n.Ql 4 .\n"
                     ".It Ic peer No = Ar TEXT\nSection\n.Bq net .\nA peer.\n"
                     "Allowed: 1 to 9 bytes.\nMay be given more than once.\n"
                     ".It Ic key No = Ar TEXT\nSection\n.Bq net .\n\\&.A \\e key.\nReally.\n"
                     "Allowed: 1 to 9 bytes.\nA change needs a restart.\n"
                     "Secret: others must not be able to read the file.\n");
    p2_buf_clear(&buf);
    P2_ASSERT_ERROR(p2_config_mdoc(&few, P2_MDOC_OPTIONS, &buf), P2_OK);
    check_text(&buf, ".It Fl n Ar N , Fl -cores Ns = Ns Ar N\nCores to lend.\n"
                     "Allowed: 1 to 64.\nA change needs a restart.\nThe default is\n.Ql 4 .\n"
                     ".It Fl -once Ns Op = Ns Ar yes|no\nEnd after one.\n"
                     "Allowed: yes or no.\nA change needs a restart.\n"
                     ".It Fl -peer Ns = Ns Ar TEXT\nA peer.\n"
                     "Allowed: 1 to 9 bytes.\nMay be given more than once.\n");
    p2_buf_free(&buf);
}

static void the_list_for_checks_has_one_line_per_option(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 16);
    P2_ASSERT_ERROR(p2_config_list(&few, &buf), P2_OK);
    check_text(&buf, "cores\tn\t-\tinteger\t1 to 64\t4\t-\n"
                     "once\t-\t-\tbool\tyes or no\t-\tcommand-line\n"
                     "peer\t-\tnet\tstring\t1 to 9 bytes\t-\treloadable,list\n"
                     "key\t-\tnet\tstring\t1 to 9 bytes\t-\tsecret\n");
    p2_buf_free(&buf);
}

static void wrapping_breaks_between_words_only(void)
{
    struct p2_buf buf;
    p2_buf_init(&buf, 1 << 10);
    P2_ASSERT_ERROR(p2_text_wrap(&buf, "", 2, 4, 12, "one two three longerthanall x"), P2_OK);
    check_text(&buf, "  one two\n    three\n    longerthanall\n    x\n");
    p2_buf_free(&buf);
}

int main(int argc, char **argv)
{
    CU_TestInfo values[] = {
        P2_TEST(numbers_are_read_with_their_units),
        P2_TEST(built_in_values_are_typed_and_named),
        P2_TEST(values_of_every_type_are_set),
        P2_TEST(every_refusal_names_place_and_allowed_values),
        P2_TEST(a_key_may_not_repeat_in_its_layer_but_a_later_layer_wins),
        P2_TEST(a_list_grows_in_its_layer_and_is_replaced_by_the_next),
        P2_TEST(secrets_stand_only_in_private_files),
        P2_TEST(layers_are_bounded),
        P2_TEST(a_reload_names_what_needs_a_restart_and_keeps_it),
        P2_TEST(a_table_is_checked_for_our_mistakes),
        CU_TEST_INFO_NULL,
    };
    CU_TestInfo texts[] = {
        P2_TEST(a_dump_names_each_source_and_hides_secrets),
        P2_TEST(a_sample_file_shows_every_key_of_files),
        P2_TEST(manual_page_fragments_hold_the_same_facts),
        P2_TEST(the_list_for_checks_has_one_line_per_option),
        P2_TEST(wrapping_breaks_between_words_only),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"config", NULL, NULL, NULL, NULL, values},
                             {"config_doc", NULL, NULL, NULL, NULL, texts},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
