/* Standard error and the journal. The one file that includes sd-journal.h. */
#include "base/log_sinks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
/* Code locations would name this file for every record. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

/* Line, time (24 characters), level, spaces and newline. */
#define OUTPUT_LINE_MAX (P2_LOG_LINE_MAX + 64)

/* ---- choice ---------------------------------------------------------------------------------- */

bool p2_log_is_journal_stream(const char *variable, int fd)
{
    struct stat status;
    char expected[48]; /* two numbers of 20 digits and a colon */
    if (variable == NULL || fstat(fd, &status) != 0) {
        return false;
    }
    (void)snprintf(expected, sizeof expected, "%llu:%llu", (unsigned long long)status.st_dev,
                   (unsigned long long)status.st_ino);
    return strcmp(variable, expected) == 0;
}

void p2_log_output_init(struct p2_log_output *output, int fd, const char *program)
{
    *output = (struct p2_log_output){.kind = P2_LOG_OUTPUT_TERMINAL, .fd = fd, .program = program};
    if (p2_log_is_journal_stream(getenv("JOURNAL_STREAM"), fd)) {
#ifdef HAVE_SYSTEMD
        output->kind = P2_LOG_OUTPUT_JOURNAL;
#else
        output->kind = P2_LOG_OUTPUT_PREFIXED;
#endif
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void format_time(char text[32])
{
    struct timespec now = {0, 0};
    struct tm parts;
    char seconds[24] = "";
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    if (gmtime_r(&now.tv_sec, &parts) != NULL) {
        (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    (void)snprintf(text, 32, "%s.%03uZ", seconds, (unsigned)(now.tv_nsec / 1000000) % 1000u);
}

/* One write(2), so that lines of several threads and processes do not mix. */
static void write_line(const struct p2_log_output *output, const struct p2_log_record *record)
{
    char line[OUTPUT_LINE_MAX];
    int length;
    if (output->kind == P2_LOG_OUTPUT_TERMINAL) {
        char time[32];
        format_time(time);
        length = snprintf(line, sizeof line, "%s %s %s\n", time, p2_log_level_name(record->level),
                          record->line);
    } else {
        length = snprintf(line, sizeof line, "<%d>%s\n", (int)record->level, record->line);
    }
    P2_ASSERT(length > 0 && (size_t)length < sizeof line);
    ssize_t written;
    do {
        written = write(output->fd, line, (size_t)length);
    } while (written < 0 && errno == EINTR);
}

/* ---- journal --------------------------------------------------------------------------------- */

/* Appends one "NAME=value" at *at of the text. Names are ASCII of our own. */
static void add_entry(struct p2_log_journal_entry *entry, size_t *at, const char *prefix,
                      const char *name, const char *value)
{
    size_t left = sizeof entry->text - *at;
    char *text = entry->text + *at;
    int length = snprintf(text, left, "%s%.*s=%s", prefix, P2_LOG_NAME_MAX, name, value);
    P2_ASSERT(length > 0 && (size_t)length < left && entry->count < P2_LOG_JOURNAL_ENTRIES_MAX);
    for (char *c = text; *c != '='; c++) {
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    }
    entry->vectors[entry->count++] = (struct iovec){.iov_base = text, .iov_len = (size_t)length};
    *at += (size_t)length + 1;
}

void p2_log_journal_build(struct p2_log_journal_entry *entry, const char *program,
                          const struct p2_log_record *record)
{
    const char priority[2] = {(char)('0' + (int)record->level), '\0'};
    size_t at = 0;
    entry->count = 0;
    add_entry(entry, &at, "", "EVENT", record->event);
    add_entry(entry, &at, "", "PRIORITY", priority);
    add_entry(entry, &at, "", "SYSLOG_IDENTIFIER", program);
    add_entry(entry, &at, "", "MESSAGE", record->line);
    for (size_t i = 0; i < record->field_count; i++) {
        char value[P2_LOG_VALUE_MAX];
        (void)p2_log_format_value(value, &record->fields[i]);
        add_entry(entry, &at, "P2C2R_", record->fields[i].key, value);
    }
}

static void send_to_journal(const struct p2_log_output *output, const struct p2_log_record *record)
{
#ifdef HAVE_SYSTEMD
    struct p2_log_journal_entry entry;
    p2_log_journal_build(&entry, output->program, record);
    (void)sd_journal_sendv(entry.vectors, entry.count); /* a record the journal refuses is lost */
#else
    write_line(output, record);
#endif
}

/* ---- public ---------------------------------------------------------------------------------- */

void p2_log_output_write(void *context, const struct p2_log_record *record)
{
    const struct p2_log_output *output = context;
    int saved_errno = errno; /* logging between a failed call and its errno must not change it */
    if (output->kind == P2_LOG_OUTPUT_JOURNAL) {
        send_to_journal(output, record);
    } else {
        write_line(output, record);
    }
    errno = saved_errno;
}

uint64_t p2_log_now_ms(void *context)
{
    struct timespec now = {0, 0};
    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}
