/* The hours of a week in which the owner lends: a bit for each minute of the local week.
 *
 *   mon-fri 18:00-23:30, sat-sun 00:00-24:00     days, or a range of days, and a window
 *   fri 22:00-06:00                              goes on into the next day
 *   07:00-09:00                                  every day
 *   always | never
 *
 * Only the clock on the wall counts, and it is asked anew every time: in the night a clock is set
 * forward the missing hour is not lent, in the night it is set back the repeated one twice. Pure.
 * Thread: reentrant. */
#ifndef P2_HELPER_SCHEDULE_H
#define P2_HELPER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_SCHEDULE_MINUTES  (7u * 24u * 60u)
#define P2_SCHEDULE_TEXT_MAX 512 /* chosen: three windows for every day */

struct p2_schedule {
    uint8_t bits[P2_SCHEDULE_MINUTES / 8]; /* minute 0 is Monday 00:00 */
};

/* Reads `length` characters; upper and lower case are the same. P2_E_MALFORMED, P2_E_TOO_BIG; then
 * nothing changes. */
int p2_schedule_parse(struct p2_schedule *ret_schedule, const char *text, size_t length);

/* The minute of the week at `local_s`, seconds since 1970 of the clock on the wall (UTC and its
 * offset at that time). */
uint32_t p2_schedule_minute(int64_t local_s);

bool p2_schedule_is_open(const struct p2_schedule *schedule, uint32_t minute);

/* Minutes on the wall until it opens: 0 when it is open, P2_SCHEDULE_MINUTES when it never does. */
uint32_t p2_schedule_wait(const struct p2_schedule *schedule, uint32_t minute);

#endif
