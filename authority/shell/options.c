/* What a host can set. */
#include "authority/shell/options.h"

#include "base/id.h"
#include "daemon/options.h"
#include "exec/limits.h"
#include "link/ip.h"

#include <string.h>

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

static const char *const strictness[] = {"strict", "allow", NULL};
static const char *const sessions[] = {"none", "test", NULL};

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
                                  .doc = "The TCP port helpers dial; 0 is any free one."},
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
    [P2_AUTHORITY_OPTION_CONTROL_SOCKET] =
        P2_DAEMON_OPTION_CONTROL_SOCKET("/run/p2c2r-authority/control"),
    [P2_AUTHORITY_OPTION_CONTROL_GROUP] = P2_DAEMON_OPTION_CONTROL_GROUP,
    [P2_AUTHORITY_OPTION_SESSION] =
        {.name = "session",
         .type = P2_OPTION_CHOICE,
         .flags = P2_OPTION_COMMAND_LINE,
         .default_text = "none",
         .choices = sessions,
         .doc = "The session to run. The built-in test session splits 60 frames a second into "
                "tasks made by the kernels' own generators, prints a summary as one line of JSON "
                "and ends the program."},
    [P2_AUTHORITY_OPTION_FRAMES] = {.name = "frames",
                                    .type = P2_OPTION_INTEGER,
                                    .flags = P2_OPTION_COMMAND_LINE,
                                    .min = 0,
                                    .max = 100000000,
                                    .default_text = "0",
                                    .doc = "End the session after so many frames; 0 is never."},
    [P2_AUTHORITY_OPTION_SECONDS] =
        {.name = "seconds",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 0,
         .max = 1000000,
         .default_text = "0",
         .doc = "End the session after so many seconds; 0 is never. Used when no number of "
                "frames is given."},
    [P2_AUTHORITY_OPTION_WAIT_HELPERS] =
        {.name = "wait-helpers",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 0,
         .max = 64,
         .default_text = "0",
         .doc = "Start the session's clock when so many helpers are there."},
    [P2_AUTHORITY_OPTION_TASKS_PER_FRAME] = {.name = "tasks-per-frame",
                                             .type = P2_OPTION_INTEGER,
                                             .flags = P2_OPTION_COMMAND_LINE,
                                             .min = 1,
                                             .max = 64,
                                             .default_text = "8",
                                             .doc = "Tasks of one frame of the test session."},
    [P2_AUTHORITY_OPTION_VIEW_DEPTH] =
        {.name = "view-depth",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = 60,
         .default_text = "3",
         .doc = "Frames from the emission of a picture's task to the frame that shows it."},
    [P2_AUTHORITY_OPTION_STATE_SLACK] =
        {.name = "state-slack",
         .type = P2_OPTION_INTEGER,
         .flags = P2_OPTION_COMMAND_LINE,
         .min = 1,
         .max = 60,
         .default_text = "8",
         .doc = "Frames from the emission of a state task to the frame that applies it."},
    [P2_AUTHORITY_OPTION_AUDIT_SHARE] =
        {.name = "audit-share",
         .type = P2_OPTION_SHARE,
         .min = 0,
         .max = 1000000,
         .default_text = "5%",
         .doc = "Share of helpers' results that is recomputed on own cores."},
};

const struct p2_option_table p2_authority_option_table = {options, P2_AUTHORITY_OPTIONS};

const struct p2_program p2_authority_program = {
    .name = "p2c2r-authority",
    .version = PACKAGE_VERSION,
    .summary = "Runs sessions whose frames are computed by helpers, and verifies what they send.",
    .table = &p2_authority_option_table,
    .state_option = P2_AUTHORITY_OPTION_STATE_DIR,
};
