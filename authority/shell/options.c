/* What a host can set. */
#include "authority/shell/options.h"

#include "base/id.h"
#include "daemon/options.h"
#include "exec/limits.h"
#include "link/address.h"
#include "link/ip.h"
#include "overlay/capacity_ad.h"
#include "overlay/puzzle.h"
#include "p2c2r/game.h"

#include <string.h>

/* Bytes of a session's name: P2_HOSTED_NAME_MAX. */
#define NAME_MAX_BYTES 32u

static bool is_key(const char *value)
{
    struct p2_id id;
    return p2_id_parse(&id, value, strlen(value)) == P2_OK;
}

static bool is_ip(const char *value)
{
    struct p2_ip ip;
    return p2_ip_parse(&ip, value, strlen(value)) == P2_OK;
}

static bool is_endpoint(const char *value)
{
    struct p2_address address;
    return p2_address_parse_endpoint(&address, value, strlen(value), NULL) == P2_OK;
}

static bool is_ip_endpoint(const char *value)
{
    struct p2_address address;
    return p2_address_parse_endpoint(&address, value, strlen(value), NULL) == P2_OK &&
           address.is_literal;
}

/* NAME=MODULE [OPTION]... */
static bool is_session(const char *value)
{
    size_t name = strcspn(value, "=");
    size_t module = value[name] == '=' ? strcspn(value + name + 1, " ") : 0;
    return name > 0 && name <= NAME_MAX_BYTES && module > 0 &&
           strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == name;
}

static const char *const strictness[] = {"strict", "allow", NULL};

static const struct p2_option options[P2_AUTHORITY_OPTIONS] = {
    [P2_AUTHORITY_OPTION_STATE_DIR] =
        P2_DAEMON_OPTION_STATE_DIR("/var/lib/p2c2r-authority", "this authority's"),
    [P2_AUTHORITY_OPTION_LOG_LEVEL] = P2_DAEMON_OPTION_LOG_LEVEL,
    [P2_AUTHORITY_OPTION_LISTEN] =
        {.name = "listen",
         .type = P2_OPTION_STRING,
         .min = 1,
         .max = P2_IP_TEXT_MAX - 1,
         .default_text = "::",
         .argument = "IP",
         .is_valid = is_ip,
         .doc = "The address to listen at; :: is every address of this machine."},
    [P2_AUTHORITY_OPTION_PORT] = {.name = "port",
                                  .type = P2_OPTION_INTEGER,
                                  .min = 0,
                                  .max = 65535,
                                  .default_text = "4242",
                                  .doc =
                                      "The TCP port helpers and gamers dial; 0 is any free one."},
    [P2_AUTHORITY_OPTION_CORES] =
        {.name = "cores",
         .type = P2_OPTION_INTEGER,
         .min = 1,
         .max = P2_POOL_WORKERS_MAX,
         .default_text = "1",
         .doc = "How many own cores check results, recompute shares of them, and compute what no "
                "helper can deliver in time."},
    [P2_AUTHORITY_OPTION_HELPER] =
        {.name = "helper",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_RELOADABLE | P2_OPTION_LIST,
         .min = 1,
         .max = P2_ID_TEXT_LEN,
         .argument = "KEY",
         .is_valid = is_key,
         .doc = "The key of a helper that may work here, as p2c2rctl key shows it there."},
    [P2_AUTHORITY_OPTION_ALLOW_ANY_HELPER] =
        {.name = "allow-any-helper",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_RELOADABLE,
         .default_text = "no",
         .doc = "Admit every helper that dials in, for a network of friends or a demonstration."},
    [P2_AUTHORITY_OPTION_LOCAL_PEERS] =
        {.name = "local-peers",
         .type = P2_OPTION_CHOICE,
         .default_text = "strict",
         .choices = strictness,
         .doc = "Whether limits per network prefix also hold for loopback and private addresses."},
    [P2_AUTHORITY_OPTION_NETWORK] = P2_DAEMON_OPTION_NETWORK,
    [P2_AUTHORITY_OPTION_BOOTSTRAP] =
        {.name = "bootstrap",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_LIST,
         .min = 1,
         .max = P2_ADDRESS_HOST_LEN + 8,
         .argument = "HOST:PORT",
         .is_valid = is_endpoint,
         .doc = "A node of the overlay to begin with. Sessions are published and helpers invited "
                "when this or lan is set."},
    [P2_AUTHORITY_OPTION_LAN] =
        {.name = "lan",
         .type = P2_OPTION_BOOL,
         .default_text = "no",
         .doc = "Find nodes of the overlay on the local network, and be found by them. Everybody "
                "there can see it."},
    [P2_AUTHORITY_OPTION_REGION] =
        {.name = "region",
         .type = P2_OPTION_STRING,
         .min = 1,
         .max = P2_REGION_LEN,
         .argument = "LABEL",
         .is_valid = p2_region_is_valid,
         .doc = "Where helpers are looked for: characters a-z, 0-9, + and -. Not set: the offset "
                "of the local time from UTC without summer time, such as utc+1."},
    [P2_AUTHORITY_OPTION_REACHABLE_AT] =
        {.name = "reachable-at",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_LIST,
         .min = 1,
         .max = P2_IP_TEXT_MAX + 8,
         .argument = "IP:PORT",
         .is_valid = is_ip_endpoint,
         .doc = "Where helpers and gamers reach this authority, best first. Not set: listen, or, "
                "when that is every address, this machine's own global ones."},
    [P2_AUTHORITY_OPTION_WANT_HELPERS] =
        {.name = "want-helpers",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = 1000,
         .default_text = "16",
         .doc = "How many helpers are invited through the overlay; 0: none."},
    [P2_AUTHORITY_OPTION_INVITES_PER_MINUTE] =
        {.name = "invites-per-minute",
         .type = P2_OPTION_INTEGER,
         .min = 1,
         .max = 600,
         .default_text = "60",
         .doc = "How many invites are sent at most. Each costs a small proof of work."},
    [P2_AUTHORITY_OPTION_PUZZLE_BITS] =
        {.name = "puzzle-bits",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = P2_PUZZLE_BITS_MAX,
         .default_text = "14",
         .doc = "Difficulty of the identity puzzle, the same for everybody in a network."},
    [P2_AUTHORITY_OPTION_OVERLAY_PORT] = {.name = "overlay-port",
                                          .type = P2_OPTION_INTEGER,
                                          .min = 0,
                                          .max = UINT16_MAX,
                                          .default_text = "0",
                                          .doc = "The UDP port of the overlay's node; 0: any."},
    [P2_AUTHORITY_OPTION_DHT_PROGRAM] =
        {.name = "dht-program",
         .type = P2_OPTION_PATH,
         .min = 1,
         .max = P2_CONFIG_VALUE_MAX - 1,
         .argument = "FILE",
         .doc = "The program that holds the overlay's node. Not set: the installed one."},
    [P2_AUTHORITY_OPTION_CONTROL_SOCKET] =
        P2_DAEMON_OPTION_CONTROL_SOCKET("/run/p2c2r-authority/control"),
    [P2_AUTHORITY_OPTION_CONTROL_GROUP] = P2_DAEMON_OPTION_CONTROL_GROUP,
    [P2_AUTHORITY_OPTION_SESSION] =
        {.name = "session",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_LIST,
         .min = 3,
         .max = P2_CONFIG_VALUE_MAX - 64,
         .argument = "NAME=MODULE [OPTION]...",
         .is_valid = is_session,
         .doc = "A session that serve runs: its name, the game module as in host, and options of "
                "the game."},
    [P2_AUTHORITY_OPTION_CLOUD_HELPER] =
        {.name = "cloud-helper",
         .type = P2_OPTION_STRING,
         .flags = P2_OPTION_LIST,
         .min = 1,
         .max = P2_ID_TEXT_LEN,
         .argument = "KEY",
         .is_valid = is_key,
         .doc = "The key of a helper on a machine the host pays for: it is used when no other "
                "helper can deliver in time, and for secret tasks."},
    [P2_AUTHORITY_OPTION_CLOUD_SECONDS] =
        {.name = "cloud-seconds",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = 86400000,
         .default_text = "3600",
         .doc = "How many core seconds an hour all cloud helpers together may be given."},
    [P2_AUTHORITY_OPTION_AUDIT_SHARE] =
        {.name = "audit-share",
         .type = P2_OPTION_SHARE,
         .min = 0,
         .max = 1000000,
         .default_text = "5%",
         .doc = "Share of helpers' results that is recomputed on own cores."},
    [P2_AUTHORITY_OPTION_WAIT_HELPERS] =
        {.name = "wait-helpers",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = 64,
         .default_text = "0",
         .doc = "Start the clock of a session when so many helpers have been admitted."},
    [P2_AUTHORITY_OPTION_ROBOTS] =
        {.name = "robots",
         .type = P2_OPTION_INTEGER,
         .min = 0,
         .max = P2C2R_PLAYERS_MAX,
         .default_text = "0",
         .doc = "Seats of a session that the host takes itself: players who look at everything and "
                "never move, for tests and measurements."},
    [P2_AUTHORITY_OPTION_GAME_OPTIONS] = {.name = "game-options",
                                          .type = P2_OPTION_STRING,
                                          .flags = P2_OPTION_COMMAND_LINE,
                                          .min = 0,
                                          .max = P2_CONFIG_VALUE_MAX - 64,
                                          .default_text = "",
                                          .argument = "TEXT",
                                          .doc = "Options of the game of host, as it documents "
                                                 "them."},
    [P2_AUTHORITY_OPTION_FRAMES] = {.name = "frames",
                                    .type = P2_OPTION_INTEGER,
                                    .flags = P2_OPTION_COMMAND_LINE,
                                    .min = 0,
                                    .max = 100000000,
                                    .default_text = "0",
                                    .doc = "End the session of host after so many frames; 0 is "
                                           "never."},
    [P2_AUTHORITY_OPTION_SECONDS] =
        {.name = "seconds",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 0,
         .max = 1000000,
         .default_text = "0",
         .doc = "End the session of host after so many seconds of play; 0 is never. Used when no "
                "number of frames is given."},
    [P2_AUTHORITY_OPTION_SEED] =
        {.name = "seed",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 0,
         .max = INT64_MAX,
         .default_text = "0",
         .doc = "The seed of the world of host, for tests: whoever knows it knows what will "
                "happen. 0 is a fresh one."},
    [P2_AUTHORITY_OPTION_SYNCTEST] =
        {.name = "synctest",
         .type = P2_OPTION_BOOL,
         .flags = P2_OPTION_COMMAND_LINE,
         .default_text = "no",
         .doc =
             "Run each frame twice, the second time in another copy of the game from a snapshot, "
             "and compare what comes of it."},
    [P2_AUTHORITY_OPTION_JOURNAL] =
        {.name = "journal",
         .type = P2_OPTION_PATH,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = P2_CONFIG_VALUE_MAX - 64,
         .doc = "Write what the state of the session of host depends on to this new file. It holds "
                "the seed."},
    [P2_AUTHORITY_OPTION_REPLAY] =
        {.name = "replay",
         .type = P2_OPTION_PATH,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = P2_CONFIG_VALUE_MAX - 64,
         .doc = "Instead of hosting, run the module with this journal, without helpers and "
                "gamers, and compare the state with the hashes in it."},
};

const struct p2_option_table p2_authority_option_table = {options, P2_AUTHORITY_OPTIONS};

enum p2_log_level p2_authority_log_level(const struct p2_config *config)
{
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_NOTICE,
                                               P2_LEVEL_INFO, P2_LEVEL_DEBUG};
    return levels[p2_config_choice(config, P2_AUTHORITY_OPTION_LOG_LEVEL)];
}

static const struct p2_options_command commands[] = {
    [P2_AUTHORITY_COMMAND_HOST] = {"host", "MODULE",
                                   "Host one session of a game module in the foreground: a name of "
                                   "an installed module, or a path with a slash. Prints how to "
                                   "join, and a summary at the end."},
    [P2_AUTHORITY_COMMAND_SERVE] = {"serve", NULL,
                                    "Run the sessions of the configuration until told to end."},
    {NULL, NULL, NULL},
};

const struct p2_program p2_authority_program = {
    .name = "p2c2r-authority",
    .version = PACKAGE_VERSION,
    .summary = "Hosts games whose frames are computed by helpers, and verifies what they send.",
    .table = &p2_authority_option_table,
    .state_option = P2_AUTHORITY_OPTION_STATE_DIR,
    .commands = commands,
};
