/* Lengths and times of the day. */
#include "ctl/when.h"

#include <stdlib.h>
#include <string.h>

#define YEAR_S (INT64_C(366) * 86400)

bool p2_ctl_length(const char *text, int64_t *ret_seconds)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 60}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    long long number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *ret_seconds = number <= YEAR_S ? number * units[i].seconds : YEAR_S + 1;
            return *ret_seconds > 0 && *ret_seconds <= YEAR_S;
        }
    }
    return false;
}

bool p2_ctl_until(const char *text, time_t now, int64_t *ret_unix_s)
{
    struct tm parts;
    if (strlen(text) != 5 || strspn(text, "0123456789:") != 5 || text[2] != ':' || text[0] == ':' ||
        text[1] == ':' || text[3] == ':' || text[4] == ':' || localtime_r(&now, &parts) == NULL) {
        return false;
    }
    parts.tm_hour = (text[0] - '0') * 10 + text[1] - '0';
    parts.tm_min = (text[3] - '0') * 10 + text[4] - '0';
    parts.tm_sec = 0;
    parts.tm_isdst = -1; /* the clock may be changed before then */
    if (parts.tm_hour > 23 || parts.tm_min > 59) {
        return false;
    }
    struct tm today = parts;
    time_t when = mktime(&today);
    if (when <= now) {
        parts.tm_mday++;
        when = mktime(&parts);
    }
    *ret_unix_s = (int64_t)when;
    return when > now;
}
