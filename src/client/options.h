/* What a gamer can set. */
#ifndef P2_CLIENT_OPTIONS_H
#define P2_CLIENT_OPTIONS_H

#include "base/options.h"

enum p2_client_option {
    P2_CLIENT_OPTION_NAME,
    P2_CLIENT_OPTION_VIEW,
    P2_CLIENT_OPTION_SIZE,
    P2_CLIENT_OPTION_ADDRESS,
    P2_CLIENT_OPTION_YES,
    P2_CLIENT_OPTION_TTY,
    P2_CLIENT_OPTION_HEADLESS,
    P2_CLIENT_OPTION_SECONDS,
    P2_CLIENT_OPTION_PATIENCE,
    P2_CLIENT_OPTION_DUMP,
    P2_CLIENT_OPTION_DUMP_EVERY,
    P2_CLIENT_OPTION_INPUT,
    P2_CLIENT_OPTION_HASH_LOG,
    P2_CLIENT_OPTION_FIGURES,
    P2_CLIENT_OPTION_VSYNC,
    P2_CLIENT_OPTION_NETWORK,
    P2_CLIENT_OPTION_BOOTSTRAP,
    P2_CLIENT_OPTION_LAN,
    P2_CLIENT_OPTION_PUZZLE_BITS,
    P2_CLIENT_OPTION_KEY_FILE,
    P2_CLIENT_OPTION_DHT_PROGRAM,
    P2_CLIENT_OPTIONS
};

enum p2_client_command { P2_CLIENT_JOIN, P2_CLIENT_KEY };

extern const struct p2_option_table p2_client_option_table;
extern const struct p2_program p2_client_program;

/* WIDTHxHEIGHT, each 64..P2_WIRE_PIXELS_MAX; false for anything else. */
bool p2_client_parse_size(const char *text, uint16_t *ret_width, uint16_t *ret_height);

#endif
