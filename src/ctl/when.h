/* Times as people type them. Thread: reentrant. */
#ifndef P2_CTL_WHEN_H
#define P2_CTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Seconds of "90" (minutes), "90s", "45min", "2h"; more than 0 and at most a year. */
bool p2_ctl_length(const char *text, int64_t *ret_seconds);

/* The next time the local clock shows "HH:MM" after `now`, in seconds since 1970. */
bool p2_ctl_until(const char *text, time_t now, int64_t *ret_unix_s);

#endif
