/* What a gamer can set. */
#include "client/options.h"

#include "link/address.h"
#include "link/network.h"
#include "overlay/puzzle.h"
#include "wire/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MIN 64u /* chosen: one tile */

static bool read_side(const char *text, char **ret_end, uint16_t *ret_side)
{
    errno = 0;
    unsigned long side = strtoul(text, ret_end, 10);
    *ret_side = (uint16_t)side;
    return errno == 0 && *ret_end != text && side >= SIDE_MIN && side <= P2_WIRE_PIXELS_MAX;
}

bool p2_client_parse_size(const char *text, uint16_t *ret_width, uint16_t *ret_height)
{
    char *end = NULL;
    return read_side(text, &end, ret_width) && *end == 'x' &&
           read_side(end + 1, &end, ret_height) && *end == '\0';
}

static bool is_size(const char *value)
{
    uint16_t width = 0, height = 0;
    return p2_client_parse_size(value, &width, &height);
}

static bool is_address(const char *value)
{
    struct p2_address address;
    return p2_address_parse(&address, value, strlen(value), NULL) == P2_OK;
}

static bool is_endpoint(const char *value)
{
    struct p2_address address;
    return p2_address_parse_endpoint(&address, value, strlen(value), NULL) == P2_OK;
}

static const char *const views[] = {"state", "pixels", NULL};

static const struct p2_option options[P2_CLIENT_OPTIONS] = {
    [P2_CLIENT_OPTION_NAME] = {.name = "name",
                               .type = P2_OPTION_STRING,
                               .min = 1,
                               .max = P2_WIRE_STRING_MAX,
                               .default_text = "gamer",
                               .argument = "NAME",
                               .doc = "What the others call you."},
    [P2_CLIENT_OPTION_VIEW] =
        {.name = "view",
         .type = P2_OPTION_CHOICE,
         .default_text = "pixels",
         .choices = views,
         .doc = "pixels: pictures drawn by helpers; needs up to 10 Mbit/s. state: a simpler "
                "picture drawn by this machine; needs up to 3 Mbit/s."},
    [P2_CLIENT_OPTION_SIZE] = {.name = "size",
                               .type = P2_OPTION_STRING,
                               .min = 5,
                               .max = 9,
                               .default_text = "640x360",
                               .argument = "WIDTHxHEIGHT",
                               .is_valid = is_size,
                               .doc = "Pixels of the picture; the window shows it larger."},
    [P2_CLIENT_OPTION_ADDRESS] =
        {.name = "address",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = P2_ADDRESS_TEXT_MAX - 1,
         .argument = "HOST:PORT#KEY",
         .is_valid = is_address,
         .doc = "Where the session is, when you know: it is tried before anything is searched."},
    [P2_CLIENT_OPTION_YES] = {.name = "yes",
                              .type = P2_OPTION_BOOL,
                              .flags = P2_OPTION_COMMAND_LINE,
                              .default_text = "no",
                              .doc = "Connect to the address of a join link without asking."},
    [P2_CLIENT_OPTION_TTY] = {.name = "tty",
                              .type = P2_OPTION_BOOL,
                              .flags = P2_OPTION_COMMAND_LINE,
                              .default_text = "no",
                              .doc = "Play in this terminal; it needs 24-bit colours."},
    [P2_CLIENT_OPTION_HEADLESS] = {.name = "headless",
                                   .type = P2_OPTION_BOOL,
                                   .flags = P2_OPTION_COMMAND_LINE,
                                   .default_text = "no",
                                   .doc = "Show nothing; print figures at the end."},
    [P2_CLIENT_OPTION_SECONDS] = {.name = "seconds",
                                  .type = P2_OPTION_INTEGER,
                                  .flags = P2_OPTION_COMMAND_LINE,
                                  .min = 0,
                                  .max = 86400,
                                  .default_text = "0",
                                  .doc = "Leave so long after the first frame; 0: stay."},
    [P2_CLIENT_OPTION_PATIENCE] =
        {.name = "patience",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 0,
         .max = 86400,
         .default_text = "0",
         .doc = "Give up when no frame has come after so many seconds; 0: never."},
    [P2_CLIENT_OPTION_DUMP] = {.name = "dump",
                               .type = P2_OPTION_PATH,
                               .flags = P2_OPTION_COMMAND_LINE,
                               .min = 1,
                               .max = P2_CONFIG_VALUE_MAX - 64,
                               .argument = "DIR",
                               .doc = "Without a window: write pictures there as PNG."},
    [P2_CLIENT_OPTION_DUMP_EVERY] = {.name = "dump-every",
                                     .type = P2_OPTION_INTEGER,
                                     .flags = P2_OPTION_COMMAND_LINE,
                                     .min = 1,
                                     .max = 1000000,
                                     .default_text = "60",
                                     .doc = "Every how many frames a picture is written."},
    [P2_CLIENT_OPTION_INPUT] = {.name = "input",
                                .type = P2_OPTION_PATH,
                                .flags = P2_OPTION_COMMAND_LINE,
                                .min = 1,
                                .max = P2_CONFIG_VALUE_MAX - 64,
                                .argument = "SCRIPT",
                                .doc = "Without a window: play by this script."},
    [P2_CLIENT_OPTION_HASH_LOG] =
        {.name = "hash-log",
         .type = P2_OPTION_PATH,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = P2_CONFIG_VALUE_MAX - 64,
         .argument = "FILE",
         .doc = "Without a window: a line for each frame with its number, its scene's version "
                "and the digest of its picture."},
    [P2_CLIENT_OPTION_FIGURES] = {.name = "figures",
                                  .type = P2_OPTION_BOOL,
                                  .default_text = "no",
                                  .doc = "Begin with the display of latency and tiers."},
    [P2_CLIENT_OPTION_VSYNC] = {.name = "vsync",
                                .type = P2_OPTION_BOOL,
                                .default_text = "yes",
                                .doc = "Show pictures in step with the screen."},
    [P2_CLIENT_OPTION_NETWORK] =
        {.name = "network",
         .type = P2_OPTION_STRING,
         .min = 1,
         .max = P2_NETWORK_NAME_MAX,
         .default_text = P2_NETWORK_PUBLIC,
         .argument = "NAME",
         .doc = "The network to belong to. Nodes of different networks do not understand each "
                "other."},
    [P2_CLIENT_OPTION_BOOTSTRAP] = {.name = "bootstrap",
                                    .type = P2_OPTION_STRING,
                                    .flags = P2_OPTION_LIST,
                                    .min = 1,
                                    .max = P2_ADDRESS_HOST_LEN + 8,
                                    .argument = "HOST:PORT",
                                    .is_valid = is_endpoint,
                                    .doc = "A node of the overlay to begin with."},
    [P2_CLIENT_OPTION_LAN] = {.name = "lan",
                              .type = P2_OPTION_BOOL,
                              .default_text = "yes",
                              .doc = "Find nodes of the overlay on the local network."},
    [P2_CLIENT_OPTION_PUZZLE_BITS] =
        {.name = "puzzle-bits",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = P2_PUZZLE_BITS_MAX,
         .default_text = "14",
         .doc = "Difficulty of the identity puzzle, the same for everybody in a network."},
    [P2_CLIENT_OPTION_KEY_FILE] =
        {.name = "key-file",
         .type = P2_OPTION_PATH,
         .min = 1,
         .max = P2_CONFIG_VALUE_MAX - 64,
         .argument = "FILE",
         .doc = "Your key; made when it is missing. Hosts see a key derived from it, each another "
                "one. Not set: gamer.key in the folder p2c2r of $XDG_DATA_HOME, which is "
                "~/.local/share when it is not set."},
    [P2_CLIENT_OPTION_DHT_PROGRAM] = {.name = "dht-program",
                                      .type = P2_OPTION_PATH,
                                      .min = 1,
                                      .max = P2_CONFIG_VALUE_MAX - 1,
                                      .argument = "FILE",
                                      .doc = "The program that holds the overlay's node. Not set: "
                                             "the installed one."},
};

const struct p2_option_table p2_client_option_table = {options, P2_CLIENT_OPTIONS};

static const struct p2_options_command commands[] = {
    [P2_CLIENT_JOIN] = {.name = "join",
                        .arguments = "ID|LINK|-",
                        .doc = "Play in the session with this ID or join link; - reads it from "
                               "standard input."},
    [P2_CLIENT_KEY] = {.name = "key", .doc = "Show the file of your key, and make it if missing."},
    {.name = NULL}};

const struct p2_program p2_client_program = {
    .name = "p2c2r",
    .version = PACKAGE_VERSION,
    .summary = "Joins a game session by its ID and plays.",
    .table = &p2_client_option_table,
    .state_option = P2_OPTIONS_NO_STATE,
    .commands = commands,
};
