/* See the header. */
#include "daemon/options.h"

#include <stddef.h>

const char *const p2_daemon_log_levels[] = {"error", "warn", "notice", "info", "debug", NULL};
