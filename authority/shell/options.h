/* The options of p2c2r-authority: one table for files, command line, --help, sample and manual. */
#ifndef P2_AUTHORITY_SHELL_OPTIONS_H
#define P2_AUTHORITY_SHELL_OPTIONS_H

#include "base/log.h"
#include "base/options.h"

enum p2_authority_option {
    P2_AUTHORITY_OPTION_STATE_DIR,
    P2_AUTHORITY_OPTION_LOG_LEVEL,
    P2_AUTHORITY_OPTION_LISTEN,
    P2_AUTHORITY_OPTION_PORT,
    P2_AUTHORITY_OPTION_CORES,
    P2_AUTHORITY_OPTION_HELPER,
    P2_AUTHORITY_OPTION_ALLOW_ANY_HELPER,
    P2_AUTHORITY_OPTION_LOCAL_PEERS,
    P2_AUTHORITY_OPTION_NETWORK,
    P2_AUTHORITY_OPTION_CONTROL_SOCKET,
    P2_AUTHORITY_OPTION_CONTROL_GROUP,
    P2_AUTHORITY_OPTION_SESSION,
    P2_AUTHORITY_OPTION_CLOUD_HELPER,
    P2_AUTHORITY_OPTION_CLOUD_SECONDS,
    P2_AUTHORITY_OPTION_AUDIT_SHARE,
    P2_AUTHORITY_OPTION_WAIT_HELPERS,
    P2_AUTHORITY_OPTION_ROBOTS,
    P2_AUTHORITY_OPTION_GAME_OPTIONS,
    P2_AUTHORITY_OPTION_FRAMES,
    P2_AUTHORITY_OPTION_SECONDS,
    P2_AUTHORITY_OPTION_SEED,
    P2_AUTHORITY_OPTION_SYNCTEST,
    P2_AUTHORITY_OPTION_JOURNAL,
    P2_AUTHORITY_OPTION_REPLAY,
    P2_AUTHORITY_OPTIONS
};

/* Indexes into p2_authority_program.commands. */
enum p2_authority_command { P2_AUTHORITY_COMMAND_HOST, P2_AUTHORITY_COMMAND_SERVE };

/* The configured log level. */
enum p2_log_level p2_authority_log_level(const struct p2_config *config);

extern const struct p2_option_table p2_authority_option_table;
extern const struct p2_program p2_authority_program;

#endif
