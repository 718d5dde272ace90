/* The weekly schedule. */
#include "helper/schedule.h"

#include "base/error.h"

#include <string.h>

#define DAY_MINUTES 1440u

/* 1970-01-01 was a Thursday: day 3 counted from Monday. */
#define EPOCH_DAY 3

struct cursor {
    const char *at, *end;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t')) {
        cursor->at++;
    }
}

static bool take(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (lower(cursor->at[i]) != word[i]) {
            return false;
        }
    }
    cursor->at += length;
    return true;
}

static bool take_day(struct cursor *cursor, unsigned *ret_day)
{
    static const char *const days[7] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (unsigned day = 0; day < 7; day++) {
        if (take(cursor, days[day])) {
            *ret_day = day;
            return true;
        }
    }
    return false;
}

static bool take_two_digits(struct cursor *cursor, unsigned *ret_number)
{
    if (cursor->end - cursor->at < 2 || cursor->at[0] < '0' || cursor->at[0] > '9' ||
        cursor->at[1] < '0' || cursor->at[1] > '9') {
        return false;
    }
    *ret_number = (unsigned)(cursor->at[0] - '0') * 10u + (unsigned)(cursor->at[1] - '0');
    cursor->at += 2;
    return true;
}

/* "hh:mm", 00:00 to 24:00, as minutes. */
static bool take_time(struct cursor *cursor, unsigned *ret_minute)
{
    unsigned hour, minute;
    if (!take_two_digits(cursor, &hour) || !take(cursor, ":") ||
        !take_two_digits(cursor, &minute) || minute > 59 || hour * 60 + minute > DAY_MINUTES) {
        return false;
    }
    *ret_minute = hour * 60 + minute;
    return true;
}

static void open_minutes(struct p2_schedule *schedule, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned minute = (from + i) % P2_SCHEDULE_MINUTES;
        schedule->bits[minute / 8] |= (uint8_t)(1u << minute % 8);
    }
}

/* One window, with its days. */
static bool take_window(struct cursor *cursor, struct p2_schedule *schedule)
{
    unsigned first = 0, last = 6, from, to;
    if (take_day(cursor, &first)) {
        last = first;
        if (take(cursor, "-") && !take_day(cursor, &last)) {
            return false;
        }
        skip_blanks(cursor);
    }
    if (!take_time(cursor, &from) || !take(cursor, "-") || !take_time(cursor, &to) || from == to) {
        return false; /* nobody can tell whether 08:00-08:00 is all day or nothing */
    }
    unsigned length = to > from ? to - from : DAY_MINUTES - from + to;
    for (unsigned day = first;; day = (day + 1) % 7) {
        open_minutes(schedule, day * DAY_MINUTES + from, length);
        if (day == last) {
            return true;
        }
    }
}

int p2_schedule_parse(struct p2_schedule *ret_schedule, const char *text, size_t length)
{
    struct p2_schedule schedule = {{0}};
    struct cursor cursor = {text, text + length};
    if (length > P2_SCHEDULE_TEXT_MAX) {
        return P2_E_TOO_BIG;
    }
    skip_blanks(&cursor);
    if (take(&cursor, "always")) {
        memset(schedule.bits, 0xff, sizeof schedule.bits);
    } else if (!take(&cursor, "never")) {
        do {
            skip_blanks(&cursor);
            if (!take_window(&cursor, &schedule)) {
                return P2_E_MALFORMED;
            }
            skip_blanks(&cursor);
        } while (take(&cursor, ","));
    }
    skip_blanks(&cursor);
    if (cursor.at != cursor.end) {
        return P2_E_MALFORMED;
    }
    *ret_schedule = schedule;
    return P2_OK;
}

uint32_t p2_schedule_minute(int64_t local_s)
{
    const int64_t week_s = (int64_t)P2_SCHEDULE_MINUTES * 60;
    int64_t second = (local_s % week_s + week_s + (int64_t)EPOCH_DAY * 86400) % week_s;
    return (uint32_t)(second / 60);
}

bool p2_schedule_is_open(const struct p2_schedule *schedule, uint32_t minute)
{
    return (schedule->bits[minute / 8] >> minute % 8 & 1u) != 0;
}

uint32_t p2_schedule_wait(const struct p2_schedule *schedule, uint32_t minute)
{
    uint32_t wait = 0;
    while (wait < P2_SCHEDULE_MINUTES &&
           !p2_schedule_is_open(schedule, (minute + wait) % P2_SCHEDULE_MINUTES)) {
        wait++;
    }
    return wait;
}
