/* The options every daemon has: entries of its option table (base/config.h), so that they mean and
 * say the same everywhere. What differs is a parameter. */
#ifndef P2_DAEMON_OPTIONS_H
#define P2_DAEMON_OPTIONS_H

#include "base/config.h"
#include "link/network.h"

/* Names of enum p2_log_level, in its order. */
extern const char *const p2_daemon_log_levels[];

/* `whose`: "this helper's", as in the sentence. */
#define P2_DAEMON_OPTION_STATE_DIR(path, whose)                                                 \
    {                                                                                           \
        .name = "state-dir", .type = P2_OPTION_PATH, .min = 1, .max = P2_CONFIG_VALUE_MAX - 64, \
        .default_text = path,                                                                   \
        .doc = "Folder of " whose " key and settings. It is made when it is missing."           \
    }

#define P2_DAEMON_OPTION_LOG_LEVEL                                                    \
    {                                                                                 \
        .name = "log-level", .type = P2_OPTION_CHOICE, .flags = P2_OPTION_RELOADABLE, \
        .default_text = "notice", .choices = p2_daemon_log_levels,                    \
        .doc = "The least important messages that are logged."                        \
    }

#define P2_DAEMON_OPTION_NETWORK                                                               \
    {                                                                                          \
        .name = "network", .type = P2_OPTION_STRING, .min = 1, .max = P2_NETWORK_NAME_MAX,     \
        .default_text = P2_NETWORK_PUBLIC, .argument = "NAME",                                 \
        .doc = "The network to belong to. Nodes of different networks do not understand each " \
               "other."                                                                        \
    }

/* 107: sun_path of Linux without its final zero. */
#define P2_DAEMON_OPTION_CONTROL_SOCKET(path)                                               \
    {                                                                                       \
        .name = "control-socket", .type = P2_OPTION_PATH, .min = 1, .max = 107,             \
        .default_text = path, .doc = "The socket p2c2rctl talks to. Its folder must exist." \
    }

#define P2_DAEMON_OPTION_CONTROL_GROUP                                                    \
    {                                                                                     \
        .name = "control-group", .type = P2_OPTION_STRING, .min = 1, .max = 64,           \
        .argument = "GROUP",                                                              \
        .doc = "The group whose members may use the control socket besides root and the " \
               "daemon's own user. Without it nobody else may."                           \
    }

#endif
