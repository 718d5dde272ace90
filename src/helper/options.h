/* The options of p2c2rd: one table for files, command line, --help, sample and manual. */
#ifndef P2_HELPER_OPTIONS_H
#define P2_HELPER_OPTIONS_H

#include "base/options.h"

enum p2_helper_option {
    P2_HELPER_OPTION_STATE_DIR,
    P2_HELPER_OPTION_LOG_LEVEL,
    P2_HELPER_OPTION_ENABLED,
    P2_HELPER_OPTION_CORES,
    P2_HELPER_OPTION_CACHE_SIZE,
    P2_HELPER_OPTION_OWNER,
    P2_HELPER_OPTION_AUTHORITY,
    P2_HELPER_OPTION_ADS,
    P2_HELPER_OPTION_BOOTSTRAP,
    P2_HELPER_OPTION_LAN,
    P2_HELPER_OPTION_REGION,
    P2_HELPER_OPTION_PUZZLE_BITS,
    P2_HELPER_OPTION_LOCAL_PEERS,
    P2_HELPER_OPTION_OVERLAY_PORT,
    P2_HELPER_OPTION_DHT_PROGRAM,
    P2_HELPER_OPTION_NETWORK,
    P2_HELPER_OPTION_CONTROL_SOCKET,
    P2_HELPER_OPTION_CONTROL_GROUP,
    P2_HELPER_OPTIONS
};

extern const struct p2_option_table p2_helper_option_table;

/* The program, for p2_options_start. */
extern const struct p2_program p2_helper_program;

#endif
