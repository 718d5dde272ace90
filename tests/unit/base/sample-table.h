/* An option table with one option of every kind, for the tests of the configuration. */
#ifndef P2_TESTS_UNIT_BASE_SAMPLE_TABLE_H
#define P2_TESTS_UNIT_BASE_SAMPLE_TABLE_H

#include "base/config.h"

#include <string.h>

enum sample_option {
    SAMPLE_LEND,
    SAMPLE_CORES,
    SAMPLE_OFFSET,
    SAMPLE_CACHE,
    SAMPLE_IDLE,
    SAMPLE_SHARE,
    SAMPLE_PEERS,
    SAMPLE_NAME,
    SAMPLE_STATE,
    SAMPLE_AUTHORITY,
    SAMPLE_ONCE,
    SAMPLE_LISTEN,
    SAMPLE_TOKEN,
    SAMPLE_COUNT
};

static inline bool sample_is_address(const char *value)
{
    return strchr(value, ':') != NULL && strchr(value, '#') != NULL;
}

static const char *const sample_peers[] = {"strict", "allow", NULL};

static const struct p2_option sample_options[SAMPLE_COUNT] = {
    [SAMPLE_LEND] = {.name = "lend",
                     .type = P2_OPTION_BOOL,
                     .flags = P2_OPTION_RELOADABLE,
                     .letter = 'l',
                     .default_text = "no",
                     .doc = "Lend this machine."},
    [SAMPLE_CORES] = {.name = "cores",
                      .type = P2_OPTION_INTEGER,
                      .letter = 'n',
                      .min = 1,
                      .max = 64,
                      .default_text = "4",
                      .doc = "Cores to lend."},
    [SAMPLE_OFFSET] = {.name = "offset",
                       .type = P2_OPTION_INTEGER,
                       .min = -12,
                       .max = 14,
                       .doc = "Hours from UTC."},
    [SAMPLE_CACHE] = {.name = "cache",
                      .type = P2_OPTION_SIZE,
                      .flags = P2_OPTION_RELOADABLE,
                      .min = 16 << 20,
                      .max = INT64_C(4) << 30,
                      .default_text = "256MiB",
                      .doc = "Memory for blobs."},
    [SAMPLE_IDLE] = {.name = "idle-after",
                     .type = P2_OPTION_DURATION,
                     .flags = P2_OPTION_RELOADABLE,
                     .min = 250,
                     .max = 3600000,
                     .default_text = "15s",
                     .doc = "Time without input after which the machine counts as idle."},
    [SAMPLE_SHARE] = {.name = "cpu-share",
                      .type = P2_OPTION_SHARE,
                      .min = 0,
                      .max = 1000000,
                      .default_text = "40%",
                      .doc = "Share of each core."},
    [SAMPLE_PEERS] = {.name = "local-peers",
                      .type = P2_OPTION_CHOICE,
                      .choices = sample_peers,
                      .default_text = "strict",
                      .doc = "Rules for private addresses."},
    [SAMPLE_NAME] = {.name = "name",
                     .type = P2_OPTION_STRING,
                     .flags = P2_OPTION_RELOADABLE,
                     .min = 0,
                     .max = 16,
                     .doc = "What others see."},
    [SAMPLE_STATE] = {.name = "state-dir",
                      .type = P2_OPTION_PATH,
                      .doc = "Folder of keys and settings."},
    [SAMPLE_AUTHORITY] = {.name = "authority",
                          .type = P2_OPTION_STRING,
                          .flags = P2_OPTION_LIST | P2_OPTION_RELOADABLE,
                          .min = 1,
                          .max = 64,
                          .argument = "HOST:PORT#KEY",
                          .is_valid = sample_is_address,
                          .doc = "An authority to dial."},
    [SAMPLE_ONCE] = {.name = "once",
                     .type = P2_OPTION_BOOL,
                     .flags = P2_OPTION_COMMAND_LINE,
                     .default_text = "no",
                     .doc = "End after one lease."},
    [SAMPLE_LISTEN] = {.name = "listen",
                       .type = P2_OPTION_INTEGER,
                       .section = "network",
                       .min = 1024,
                       .max = 65535,
                       .doc = "Port to listen on."},
    [SAMPLE_TOKEN] = {.name = "token",
                      .type = P2_OPTION_STRING,
                      .flags = P2_OPTION_SECRET,
                      .section = "network",
                      .min = 4,
                      .max = 32,
                      .doc = "Shared with the bootstrap node."},
};

static const struct p2_option_table sample_table = {sample_options, SAMPLE_COUNT};

#endif
