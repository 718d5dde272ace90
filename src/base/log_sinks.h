/* Where log records go on a real machine: standard error or systemd's journal.
 *
 * The journal gets EVENT=, PRIORITY=, MESSAGE= and each field as P2C2R_KEY=, so that
 * `journalctl EVENT=lease_expired P2C2R_HELPER=...` works. Standard error gets one line in one
 * write(2), with the time in UTC unless the journal reads it, which stamps lines itself. */
#ifndef P2_BASE_LOG_SINKS_H
#define P2_BASE_LOG_SINKS_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum p2_log_output_kind {
    P2_LOG_OUTPUT_TERMINAL, /* `fd`, each line with time and level */
    P2_LOG_OUTPUT_PREFIXED, /* `fd` read by the journal: "<4>" before each line, no time */
    P2_LOG_OUTPUT_JOURNAL   /* the journal's own socket */
};

/* May be shared by the logs of several threads: it is never changed after p2_log_output_init. */
struct p2_log_output {
    enum p2_log_output_kind kind;
    int fd; /* borrowed */
    const char *program;
};

/* Chooses by JOURNAL_STREAM (systemd.exec(5)): the journal when it reads `fd` (normally 2), else
 * lines on `fd`. Borrows `program` (a literal, for SYSLOG_IDENTIFIER). */
void p2_log_output_init(struct p2_log_output *output, int fd, const char *program);

/* True when `variable`, the value of JOURNAL_STREAM or NULL, names the file open as `fd`. */
bool p2_log_is_journal_stream(const char *variable, int fd);

/* The p2_log_write_fn of an output: context is the struct p2_log_output. A failed write is dropped:
 * there is nobody left to tell. */
void p2_log_output_write(void *context, const struct p2_log_record *record);

/* CLOCK_MONOTONIC in milliseconds, as p2_log_options wants it; `context` is not used. */
uint64_t p2_log_now_ms(void *context);

/* Four fixed entries and one per field. */
#define P2_LOG_JOURNAL_ENTRIES_MAX (4 + P2_LOG_FIELDS_MAX)

/* Storage for one record as the journal wants it. */
struct p2_log_journal_entry {
    char
        text[P2_LOG_LINE_MAX + P2_LOG_FIELDS_MAX * (P2_LOG_NAME_MAX + P2_LOG_VALUE_MAX + 16) + 256];
    struct iovec vectors[P2_LOG_JOURNAL_ENTRIES_MAX];
    int count;
};

/* Builds the "NAME=value" vectors of a record; they point into entry->text. */
void p2_log_journal_build(struct p2_log_journal_entry *entry, const char *program,
                          const struct p2_log_record *record);

#endif
