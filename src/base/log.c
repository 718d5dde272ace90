/* Formatting and rate limiting of log records; where they go is the sink's business. */
#include "base/log.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum p2_log_level level;
    const char *name;
} levels[] = {
    {P2_LEVEL_ERROR, "error"}, {P2_LEVEL_WARN, "warn"},   {P2_LEVEL_NOTICE, "notice"},
    {P2_LEVEL_INFO, "info"},   {P2_LEVEL_DEBUG, "debug"},
};

/* Room kept at the end of a line for what says that fields are missing. */
#define TAIL_MAX 64

/* ---- formatting ------------------------------------------------------------------------------ */

size_t p2_log_format_value(char text[P2_LOG_VALUE_MAX], const struct p2_log_field *field)
{
    int length = 0;
    switch (field->kind) {
    case P2_LOG_KIND_U64:
        length = snprintf(text, P2_LOG_VALUE_MAX, "%llu", (unsigned long long)field->value.u64);
        break;
    case P2_LOG_KIND_I64:
        length = snprintf(text, P2_LOG_VALUE_MAX, "%lld", (long long)field->value.i64);
        break;
    case P2_LOG_KIND_BOOL:
        length = snprintf(text, P2_LOG_VALUE_MAX, "%s", field->value.yes ? "yes" : "no");
        break;
    case P2_LOG_KIND_TEXT:
        return p2_text_escape_string(text, P2_LOG_VALUE_MAX,
                                     field->value.text != NULL ? field->value.text : "-");
    case P2_LOG_KIND_BYTES:
        return p2_text_escape(text, P2_LOG_VALUE_MAX, field->value.bytes);
    case P2_LOG_KIND_ID:
        p2_id_format(text, field->value.id);
        return P2_ID_TEXT_LEN;
    case P2_LOG_KIND_ERROR:
        length = snprintf(text, P2_LOG_VALUE_MAX, "%s", p2_error_name(field->value.error));
        break;
    }
    return length > 0 ? (size_t)length : 0;
}

/* logfmt: only a value of visible ASCII without the characters of the format stands bare. Escaped
 * text with a backslash is quoted too, so a reader undoes escapes in quoted values only. */
static bool needs_quotes(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '=' || *c == '\\') {
            return true;
        }
    }
    return text[0] == '\0';
}

/* Appends " key=value" if it fits below `limit`; else writes nothing: false. */
static bool append_pair(char *line, size_t limit, size_t *size, const char *key, const char *value)
{
    const char *quote = needs_quotes(value) ? "\"" : "";
    const char *space = *size > 0 ? " " : "";
    size_t length =
        strlen(space) + strnlen(key, P2_LOG_NAME_MAX) + 1 + 2 * strlen(quote) + strlen(value);
    if (length >= limit - *size) {
        return false;
    }
    int written = snprintf(line + *size, limit - *size, "%s%.*s=%s%s%s", space, P2_LOG_NAME_MAX,
                           key, quote, value, quote);
    P2_ASSERT(written == (int)length);
    *size += length;
    return true;
}

static size_t format_line(char line[P2_LOG_LINE_MAX], const struct p2_log_record *record,
                          size_t left_out)
{
    char value[P2_LOG_VALUE_MAX];
    size_t size = 0;
    (void)append_pair(line, P2_LOG_LINE_MAX - TAIL_MAX, &size, "event", record->event);
    for (size_t i = 0; i < record->field_count; i++) {
        (void)p2_log_format_value(value, &record->fields[i]);
        if (!append_pair(line, P2_LOG_LINE_MAX - TAIL_MAX, &size, record->fields[i].key, value)) {
            left_out++;
        }
    }
    /* Both fit: TAIL_MAX holds two names and two numbers of 20 digits. */
    if (record->suppressed > 0) {
        (void)snprintf(value, sizeof value, "%llu", (unsigned long long)record->suppressed);
        (void)append_pair(line, P2_LOG_LINE_MAX, &size, "suppressed", value);
    }
    if (left_out > 0) {
        (void)snprintf(value, sizeof value, "%zu", left_out);
        (void)append_pair(line, P2_LOG_LINE_MAX, &size, "omitted", value);
    }
    return size;
}

static void emit(struct p2_log *log, enum p2_log_level level, const char *event,
                 const struct p2_log_field *fields, size_t field_count, uint64_t suppressed)
{
    char line[P2_LOG_LINE_MAX];
    size_t kept = field_count < P2_LOG_FIELDS_MAX ? field_count : P2_LOG_FIELDS_MAX;
    struct p2_log_record record = {
        .level = level,
        .event = event,
        .fields = fields,
        .field_count = kept,
        .suppressed = suppressed,
        .line = line,
    };
    record.line_size = format_line(line, &record, field_count - kept);
    log->options.write(log->options.write_context, &record);
}

/* ---- rate limit ------------------------------------------------------------------------------ */

static void report_suppressed(struct p2_log *log, struct p2_log_bucket *bucket)
{
    const struct p2_log_field fields[] = {
        P2_LOG_STR("name", bucket->event),
        P2_LOG_U64("count", bucket->suppressed),
    };
    if (bucket->suppressed > 0) {
        bucket->suppressed = 0;
        emit(log, P2_LEVEL_WARN, "log_suppressed", fields, P2_COUNT_OF(fields), 0);
    }
}

/* The bucket of `event`; a new one takes a free place or that of the event idle longest. */
static struct p2_log_bucket *find_bucket(struct p2_log *log, const char *event, uint64_t now_ms)
{
    struct p2_log_bucket *oldest = &log->buckets[0];
    for (size_t i = 0; i < P2_COUNT_OF(log->buckets); i++) {
        struct p2_log_bucket *bucket = &log->buckets[i];
        if (strncmp(bucket->event, event, sizeof bucket->event - 1) == 0) {
            return bucket;
        }
        if (bucket->event[0] == '\0') {
            oldest = bucket; /* places fill from the front, so no bucket stands behind a free one */
            break;
        }
        if (bucket->used_ms < oldest->used_ms) {
            oldest = bucket;
        }
    }
    report_suppressed(log, oldest);
    *oldest = (struct p2_log_bucket){.tokens = log->options.burst, .refilled_ms = now_ms};
    (void)snprintf(oldest->event, sizeof oldest->event, "%s", event);
    return oldest;
}

/* Takes a token; false when there is none. A clock that steps back refills nothing. */
static bool take_token(struct p2_log *log, struct p2_log_bucket *bucket, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms > bucket->refilled_ms ? now_ms - bucket->refilled_ms : 0;
    uint64_t fresh = elapsed_ms / log->options.refill_ms;
    if (fresh >= log->options.burst - bucket->tokens) {
        bucket->tokens = log->options.burst;
        bucket->refilled_ms = now_ms > bucket->refilled_ms ? now_ms : bucket->refilled_ms;
    } else {
        bucket->tokens += fresh;
        bucket->refilled_ms += fresh * log->options.refill_ms;
    }
    bucket->used_ms = now_ms;
    if (bucket->tokens == 0) {
        return false;
    }
    bucket->tokens--;
    return true;
}

/* ---- public ---------------------------------------------------------------------------------- */

void p2_log_init(struct p2_log *log, const struct p2_log_options *options)
{
    P2_ASSERT(options->now_ms != NULL && options->write != NULL);
    memset(log, 0, sizeof *log);
    log->options = *options;
    if (log->options.burst == 0) {
        log->options.burst = P2_LOG_BURST_DEFAULT;
    }
    if (log->options.refill_ms == 0) {
        log->options.refill_ms = P2_LOG_REFILL_MS_DEFAULT;
    }
    p2_log_set_level(log, options->level);
}

void p2_log_set_level(struct p2_log *log, enum p2_log_level level)
{
    log->level = level;
}

void p2_log_write(struct p2_log *log, enum p2_log_level level, const char *event,
                  const struct p2_log_field *fields, size_t field_count)
{
    if (!p2_log_is_on(log, level)) {
        return;
    }
    uint64_t now_ms = log->options.now_ms(log->options.now_context);
    struct p2_log_bucket *bucket = find_bucket(log, event, now_ms);
    if (!take_token(log, bucket, now_ms)) {
        bucket->suppressed++;
        return;
    }
    uint64_t suppressed = bucket->suppressed;
    bucket->suppressed = 0;
    emit(log, level, event, fields, field_count, suppressed);
}

void p2_log_flush(struct p2_log *log)
{
    for (size_t i = 0; i < P2_COUNT_OF(log->buckets); i++) {
        report_suppressed(log, &log->buckets[i]);
    }
}

const char *p2_log_level_name(enum p2_log_level level)
{
    for (size_t i = 0; i < P2_COUNT_OF(levels); i++) {
        if (levels[i].level == level) {
            return levels[i].name;
        }
    }
    return "debug";
}

int p2_log_level_parse(enum p2_log_level *ret_level, const char *name)
{
    for (size_t i = 0; i < P2_COUNT_OF(levels); i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *ret_level = levels[i].level;
            return P2_OK;
        }
    }
    return P2_E_INVALID;
}
