/* What an owner can set. */
#include "helper/options.h"

#include "base/id.h"
#include "daemon/options.h"
#include "exec/limits.h"
#include "link/address.h"
#include "overlay/capacity_ad.h"
#include "overlay/puzzle.h"
#include "wire/limits.h"

#include <string.h>

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

/* Names of enum p2_local_peers, in its order. */
static const char *const strictness[] = {"strict", "allow", NULL};

static const struct p2_option options[P2_HELPER_OPTIONS] = {
    [P2_HELPER_OPTION_STATE_DIR] = P2_DAEMON_OPTION_STATE_DIR("/var/lib/p2c2rd", "this helper's"),
    [P2_HELPER_OPTION_LOG_LEVEL] = P2_DAEMON_OPTION_LOG_LEVEL,
    [P2_HELPER_OPTION_ENABLED] =
        {.name = "enabled",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_RELOADABLE,
         .default_text = "no",
         .doc = "Lend this machine's cores. Without it the daemon runs but contacts nobody and "
                "computes nothing. Whoever this helper works for sees its network address."},
    [P2_HELPER_OPTION_CORES] =
        {.name = "cores",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_RELOADABLE,
         .min = 1,
         .max = P2_POOL_WORKERS_MAX,
         .default_text = "1",
         .doc = "How many processor cores are lent at most. They work at the lowest priority."},
    [P2_HELPER_OPTION_CACHE_SIZE] =
        {.name = "cache-size",
         .type = P2_OPTION_SIZE,
         .min = 1 << 20,
         .max = (int64_t)P2_BLOBS_BYTES_MAX,
         .default_text = "128MiB",
         .doc = "Memory each authority may fill with parts of a scene that its tasks read."},
    [P2_HELPER_OPTION_OWNER] =
        {.name = "owner",
         .type = P2_OPTION_STRING,
         .min = 1,
         .max = P2_WIRE_STRING_MAX,
         .argument = "TAG",
         .doc = "A name that all machines of one owner share, told to authorities so that two "
                "copies of a task do not go to the same owner. Nobody verifies it."},
    [P2_HELPER_OPTION_AUTHORITY] =
        {.name = "authority",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_RELOADABLE | P2_OPTION_LIST,
         .letter = 'a',
         .min = 1,
         .max = P2_ADDRESS_TEXT_MAX - 1,
         .argument = "HOST:PORT#KEY",
         .is_valid = is_address,
         .doc = "An authority to work for. The key is what its log and its status show; without "
                "it nobody could tell the authority from whoever answers there."},
    [P2_HELPER_OPTION_ADS] =
        {.name = "ads",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_RELOADABLE,
         .default_text = "yes",
         .doc = "Let authorities find this helper: publish in the overlay what is lent, and follow "
                "invites. Needs bootstrap or lan. Without it only the configured authorities are "
                "worked for."},
    [P2_HELPER_OPTION_BOOTSTRAP] = {.name = "bootstrap",
                                    .type = P2_OPTION_STRING,
                                    .flags = P2_OPTION_LIST,
                                    .min = 1,
                                    .max = P2_ADDRESS_HOST_LEN + 8,
                                    .argument = "HOST:PORT",
                                    .is_valid = is_endpoint,
                                    .doc = "A node of the overlay to begin with."},
    [P2_HELPER_OPTION_LAN] =
        {.name = "lan",
         .type = P2_OPTION_BOOL,
         .default_text = "no",
         .doc = "Find nodes of the overlay on the local network, and be found by them. Everybody "
                "there can see it."},
    [P2_HELPER_OPTION_REGION] =
        {.name = "region",
         .type = P2_OPTION_STRING,
         .min = 1,
         .max = P2_REGION_LEN,
         .argument = "LABEL",
         .is_valid = p2_region_is_valid,
         .doc =
             "Where authorities look for this helper: characters a-z, 0-9, + and -. Not set: the "
             "offset of the local time from UTC without summer time, such as utc+1."},
    [P2_HELPER_OPTION_PUZZLE_BITS] =
        {.name = "puzzle-bits",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = P2_PUZZLE_BITS_MAX,
         .default_text = "14",
         .doc = "Difficulty of the identity puzzle, the same for everybody in a network."},
    [P2_HELPER_OPTION_LOCAL_PEERS] =
        {.name = "local-peers",
         .type = P2_OPTION_CHOICE,
         .default_text = "strict",
         .choices = strictness,
         .doc = "Whether invites may name loopback and private addresses: for a LAN party and for "
                "tests. Configured authorities may always."},
    [P2_HELPER_OPTION_OVERLAY_PORT] = {.name = "overlay-port",
                                       .type = P2_OPTION_INTEGER,
                                       .min = 0,
                                       .max = UINT16_MAX,
                                       .default_text = "0",
                                       .doc = "The UDP port of the overlay's node; 0: any."},
    [P2_HELPER_OPTION_DHT_PROGRAM] = {.name = "dht-program",
                                      .type = P2_OPTION_PATH,
                                      .min = 1,
                                      .max = P2_CONFIG_VALUE_MAX - 1,
                                      .argument = "FILE",
                                      .doc = "The program that holds the overlay's node. Not set: "
                                             "the installed one."},
    [P2_HELPER_OPTION_NETWORK] = P2_DAEMON_OPTION_NETWORK,
    [P2_HELPER_OPTION_CONTROL_SOCKET] = P2_DAEMON_OPTION_CONTROL_SOCKET("/run/p2c2rd/control"),
    [P2_HELPER_OPTION_CONTROL_GROUP] = P2_DAEMON_OPTION_CONTROL_GROUP,
};

const struct p2_option_table p2_helper_option_table = {options, P2_HELPER_OPTIONS};

const struct p2_program p2_helper_program = {
    .name = "p2c2rd",
    .version = PACKAGE_VERSION,
    .summary = "Lends spare processor cores to game sessions of people nearby.",
    .table = &p2_helper_option_table,
    .state_option = P2_HELPER_OPTION_STATE_DIR,
};
