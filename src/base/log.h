/* Structured log: records of typed fields, one bounded line each, no global state.
 *
 *   P2_LOG(log, P2_LEVEL_WARN, "lease_expired", P2_LOG_ID("helper", &id),
 *          P2_LOG_U64("age_ms", age));
 *
 * becomes `event=lease_expired helper=... age_ms=512`. Fields cost nothing while the level is off.
 * Only shells and programs log above debug. Secrets, session ids and foreign text beyond what
 * wire/ accepts are never passed in; what is passed in is escaped.
 *
 * Each event name has a token bucket of its own, so that a fault that repeats cannot flood: when
 * the event passes again the record ends with `suppressed=N`.
 *
 * The object calls no clock: `now_ms` comes from the shell (log_sinks.h). Thread: one log belongs
 * to one thread; a second thread has its own, sinks may be shared as log_sinks.h says. */
#ifndef P2_BASE_LOG_H
#define P2_BASE_LOG_H

#include "base/buf.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values are those of syslog(3), which journald and sd-daemon(3) use. */
enum p2_log_level {
    P2_LEVEL_ERROR = 3,
    P2_LEVEL_WARN = 4,
    P2_LEVEL_NOTICE = 5,
    P2_LEVEL_INFO = 6,
    P2_LEVEL_DEBUG = 7
};

/* Longest line with its final zero. Chosen: fits one atomic write to a pipe (PIPE_BUF, 4,096) with
 * room for a time and a prefix, and sixteen fields of usual size. */
#define P2_LOG_LINE_MAX 2048

/* Longest value in a line with its final zero; longer text is cut and ends in "...". Chosen: a
 * path or a message for a person. */
#define P2_LOG_VALUE_MAX 384

/* Most fields of a record; more are left out and counted. Chosen: a line nobody reads is no log. */
#define P2_LOG_FIELDS_MAX 16

/* Event names with a bucket at the same time. Chosen: more than the events one program has under
 * load; when it is full the bucket that was idle longest is given away. */
#define P2_LOG_EVENTS_MAX 64

/* Longest event name or field key, with the final zero. */
#define P2_LOG_NAME_MAX 48

/* Defaults of the rate limit per event. Chosen: a burst fits one screen, one line every two
 * seconds afterwards stays readable for as long as a fault lasts. */
#define P2_LOG_BURST_DEFAULT     20
#define P2_LOG_REFILL_MS_DEFAULT 2000

enum p2_log_kind {
    P2_LOG_KIND_U64,
    P2_LOG_KIND_I64,
    P2_LOG_KIND_BOOL,
    P2_LOG_KIND_TEXT,
    P2_LOG_KIND_BYTES,
    P2_LOG_KIND_ID,
    P2_LOG_KIND_ERROR
};

/* One field. Built by the macros below; borrows key and value for the length of the call. */
struct p2_log_field {
    const char *key; /* lower-case letters, digits and '_', a literal */
    enum p2_log_kind kind;
    union {
        uint64_t u64;
        int64_t i64;
        bool yes;
        const char *text;     /* may be NULL, shown as "-" */
        struct p2_span bytes; /* shown as text */
        const struct p2_id *id;
        int error; /* P2_E_*, shown by its name */
    } value;
};

#define P2_LOG_U64(name, v)                                      \
    {                                                            \
        .key = (name), .kind = P2_LOG_KIND_U64, .value.u64 = (v) \
    }
#define P2_LOG_I64(name, v)                                      \
    {                                                            \
        .key = (name), .kind = P2_LOG_KIND_I64, .value.i64 = (v) \
    }
#define P2_LOG_BOOL(name, v)                                      \
    {                                                             \
        .key = (name), .kind = P2_LOG_KIND_BOOL, .value.yes = (v) \
    }
#define P2_LOG_STR(name, v)                                        \
    {                                                              \
        .key = (name), .kind = P2_LOG_KIND_TEXT, .value.text = (v) \
    }
#define P2_LOG_SPAN(name, v)                                         \
    {                                                                \
        .key = (name), .kind = P2_LOG_KIND_BYTES, .value.bytes = (v) \
    }
#define P2_LOG_ID(name, v)                                     \
    {                                                          \
        .key = (name), .kind = P2_LOG_KIND_ID, .value.id = (v) \
    }
#define P2_LOG_ERROR(v)                                               \
    {                                                                 \
        .key = "error", .kind = P2_LOG_KIND_ERROR, .value.error = (v) \
    }

/* What a sink receives; borrowed for the length of the call. */
struct p2_log_record {
    enum p2_log_level level;
    const char *event;
    const struct p2_log_field *fields;
    size_t field_count;  /* <= P2_LOG_FIELDS_MAX */
    uint64_t suppressed; /* records of this event dropped since the last one that passed */
    const char *line;    /* without level, time and newline; ends with a zero */
    size_t line_size;    /* bytes of it */
};

/* Called once per record that passes level and rate limit. Must not log. */
typedef void p2_log_write_fn(void *context, const struct p2_log_record *record);

struct p2_log_options {
    enum p2_log_level level;
    uint32_t burst;                    /* records at once per event; 0 = the default */
    uint32_t refill_ms;                /* time for one more; 0 = the default */
    uint64_t (*now_ms)(void *context); /* monotonic; required */
    void *now_context;                 /* borrowed for the life of the log */
    p2_log_write_fn *write;            /* required */
    void *write_context;               /* borrowed for the life of the log */
};

/* The bucket of one event name. */
struct p2_log_bucket {
    char event[P2_LOG_NAME_MAX]; /* "" = free */
    uint64_t tokens;             /* records that may pass now */
    uint64_t refilled_ms;        /* when `tokens` was last brought up to date */
    uint64_t used_ms;            /* last record of this event */
    uint64_t suppressed;
};

/* Not opaque so that the level test is inline and a program embeds it without an allocation;
 * fields are private to log.c. */
struct p2_log {
    enum p2_log_level level;
    struct p2_log_options options;
    struct p2_log_bucket buckets[P2_LOG_EVENTS_MAX];
};

/* Starts a log; `options` is copied. Allocates nothing, so there is nothing to free. */
void p2_log_init(struct p2_log *log, const struct p2_log_options *options);

/* Changes the level at run time. */
void p2_log_set_level(struct p2_log *log, enum p2_log_level level);

/* True when a record of `level` would be considered. A NULL log is always off. */
static inline bool p2_log_is_on(const struct p2_log *log, enum p2_log_level level)
{
    return log != NULL && level <= log->level;
}

/* Writes one record, subject to level and rate limit. Use the macros instead. O(line). */
void p2_log_write(struct p2_log *log, enum p2_log_level level, const char *event,
                  const struct p2_log_field *fields, size_t field_count);

/* Reports every suppressed count as `event=log_suppressed name=X count=N`; shells call it every
 * few seconds and before they end, so that a count is not lost when its event never comes again. */
void p2_log_flush(struct p2_log *log);

#define P2_LOG(log, level, event, ...)                                                          \
    do {                                                                                        \
        if (p2_log_is_on((log), (level))) {                                                     \
            const struct p2_log_field p2_log_fields_[] = {__VA_ARGS__};                         \
            p2_log_write((log), (level), (event), p2_log_fields_, P2_COUNT_OF(p2_log_fields_)); \
        }                                                                                       \
    } while (0)

/* A record without fields. */
#define P2_LOG_EVENT(log, level, event)                     \
    do {                                                    \
        if (p2_log_is_on((log), (level))) {                 \
            p2_log_write((log), (level), (event), NULL, 0); \
        }                                                   \
    } while (0)

/* The field's value, escaped but not quoted, into text[P2_LOG_VALUE_MAX]. Returns its length. */
size_t p2_log_format_value(char text[P2_LOG_VALUE_MAX], const struct p2_log_field *field);

/* "error", "warn", "notice", "info", "debug". Static. */
const char *p2_log_level_name(enum p2_log_level level);

/* The level of that name. P2_E_INVALID for others. */
int p2_log_level_parse(enum p2_log_level *ret_level, const char *name);

#endif
