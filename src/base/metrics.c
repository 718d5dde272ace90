/* One array of cells; a metric knows where its cells start. */
#include "base/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PREFIX "p2c2r_"

/* Longest name, so that a line of text fits LINE_MAX_SIZE with label and number. */
#define NAME_LENGTH_MAX 96

#define LINE_MAX_SIZE 1024

/* Kept numbers of seconds and ratios are millionths. */
#define MICRO 1000000u

struct metric {
    const struct p2_metric_descriptor *descriptor;
    size_t cell; /* index of its first cell */
};

struct p2_metrics {
    struct metric *metrics; /* owned */
    size_t count;
    uint64_t *cells; /* owned; gauges as two's complement */
    size_t cell_count;
};

/* ---- shape ----------------------------------------------------------------------------------- */

static size_t label_count(const struct p2_metric_descriptor *descriptor)
{
    return descriptor->label != NULL ? descriptor->label_count : 1;
}

/* Cells per label value: one number, or the buckets (the last unbounded) and the sum. */
static size_t cells_per_label(const struct p2_metric_descriptor *descriptor)
{
    return descriptor->kind == P2_METRIC_HISTOGRAM ? descriptor->bound_count + 2 : 1;
}

static bool has_suffix(const char *text, size_t length, const char *suffix)
{
    size_t size = strlen(suffix);
    return length > size && memcmp(text + length - size, suffix, size) == 0;
}

static bool is_identifier(const char *name)
{
    size_t length = name != NULL ? strnlen(name, NAME_LENGTH_MAX) : 0;
    return length > 0 && length < NAME_LENGTH_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* Prefix, then _total exactly for counters, then the unit's suffix before it. */
static bool is_well_named(const struct p2_metric_descriptor *descriptor)
{
    static const char *const suffixes[] = {
        [P2_METRIC_COUNT] = "",
        [P2_METRIC_SECONDS] = "_seconds",
        [P2_METRIC_BYTES] = "_bytes",
        [P2_METRIC_RATIO] = "_ratio",
    };
    static const char *const taken[] = {"_bucket", "_sum", "_count"};
    const char *name = descriptor->name;
    if (!is_identifier(name) || strncmp(name, NAME_PREFIX, sizeof NAME_PREFIX - 1) != 0) {
        return false;
    }
    size_t length = strlen(name);
    for (size_t i = 0; i < P2_COUNT_OF(taken); i++) {
        if (has_suffix(name, length, taken[i])) {
            return false;
        }
    }
    if (has_suffix(name, length, "_total") != (descriptor->kind == P2_METRIC_COUNTER)) {
        return false;
    }
    if (descriptor->kind == P2_METRIC_COUNTER) {
        length -= sizeof "_total" - 1;
    }
    for (size_t i = P2_METRIC_SECONDS; i < P2_COUNT_OF(suffixes); i++) {
        if (has_suffix(name, length, suffixes[i]) != (i == (size_t)descriptor->unit)) {
            return false;
        }
    }
    return true;
}

static const char *find_fault(const struct p2_metric_descriptor *descriptor)
{
    if (!is_well_named(descriptor)) {
        return "the name does not follow the rules";
    }
    if (descriptor->help == NULL || descriptor->help[0] == '\0') {
        return "it has no help";
    }
    if (descriptor->label != NULL &&
        (!is_identifier(descriptor->label) || strcmp(descriptor->label, "le") == 0 ||
         descriptor->label_count == 0 || descriptor->label_count > P2_METRIC_LABELS_MAX)) {
        return "its label is not valid";
    }
    for (size_t i = 0; descriptor->label != NULL && i < descriptor->label_count; i++) {
        if (!is_identifier(descriptor->label_values[i])) {
            return "a label value is not lower-case letters, digits and '_'";
        }
    }
    if ((descriptor->kind == P2_METRIC_HISTOGRAM) != (descriptor->bound_count > 0) ||
        descriptor->bound_count > P2_METRIC_BOUNDS_MAX) {
        return "a histogram, and only a histogram, has 1 to 32 bounds";
    }
    for (size_t i = 1; i < descriptor->bound_count; i++) {
        if (descriptor->bounds[i] <= descriptor->bounds[i - 1]) {
            return "its bounds do not ascend";
        }
    }
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

int p2_metrics_new(struct p2_metrics **ret_metrics)
{
    struct p2_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) {
        return P2_E_NOMEM;
    }
    *ret_metrics = metrics;
    return P2_OK;
}

void p2_metrics_free(struct p2_metrics *metrics)
{
    if (metrics != NULL) {
        free(metrics->metrics);
        free(metrics->cells);
        free(metrics);
    }
}

static bool is_taken(const struct p2_metrics *metrics, const struct p2_metric_descriptor *table,
                     size_t index)
{
    for (size_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->metrics[i].descriptor->name, table[index].name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(table[i].name, table[index].name) == 0) {
            return true;
        }
    }
    return false;
}

int p2_metrics_register(struct p2_metrics *metrics, const struct p2_metric_descriptor *table,
                        size_t count, size_t *ret_first, struct p2_failure *failure)
{
    size_t extra = 0;
    for (size_t i = 0; i < count; i++) {
        const char *fault = find_fault(&table[i]);
        if (fault == NULL && is_taken(metrics, table, i)) {
            fault = "the name is taken";
        }
        if (fault != NULL) {
            return p2_fail(failure, P2_E_BUG, "metric %zu (%s): %s", i,
                           table[i].name != NULL ? table[i].name : "", fault);
        }
        extra += label_count(&table[i]) * cells_per_label(&table[i]);
    }
    size_t cell = metrics->cell_count;
    struct metric *list = realloc(metrics->metrics, (metrics->count + count + 1) * sizeof *list);
    if (list == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "metrics: out of memory");
    }
    metrics->metrics = list;
    uint64_t *cells = realloc(metrics->cells, (cell + extra + 1) * sizeof *cells);
    if (cells == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "metrics: out of memory");
    }
    metrics->cells = cells;
    memset(cells + cell, 0, extra * sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        list[metrics->count + i] = (struct metric){&table[i], cell};
        cell += label_count(&table[i]) * cells_per_label(&table[i]);
    }
    *ret_first = metrics->count;
    metrics->count += count;
    metrics->cell_count = cell;
    return P2_OK;
}

/* ---- updates --------------------------------------------------------------------------------- */

static uint64_t *cells_of(const struct p2_metrics *metrics, size_t id, size_t label,
                          const struct p2_metric_descriptor **ret_descriptor)
{
    P2_ASSERT(id < metrics->count);
    const struct metric *metric = &metrics->metrics[id];
    P2_ASSERT(label < label_count(metric->descriptor));
    *ret_descriptor = metric->descriptor;
    return metrics->cells + metric->cell + label * cells_per_label(metric->descriptor);
}

static void add_up(uint64_t *cell, uint64_t count)
{
    if (__builtin_add_overflow(*cell, count, cell)) {
        *cell = UINT64_MAX;
    }
}

void p2_metrics_add(struct p2_metrics *metrics, size_t id, size_t label, uint64_t count)
{
    const struct p2_metric_descriptor *descriptor;
    uint64_t *cell = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind == P2_METRIC_COUNTER);
    add_up(cell, count);
}

void p2_metrics_set(struct p2_metrics *metrics, size_t id, size_t label, int64_t value)
{
    const struct p2_metric_descriptor *descriptor;
    uint64_t *cell = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind == P2_METRIC_GAUGE);
    *cell = (uint64_t)value;
}

void p2_metrics_observe(struct p2_metrics *metrics, size_t id, size_t label, uint64_t value)
{
    const struct p2_metric_descriptor *descriptor;
    uint64_t *cells = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind == P2_METRIC_HISTOGRAM);
    size_t bucket = 0;
    while (bucket < descriptor->bound_count && value > descriptor->bounds[bucket]) {
        bucket++;
    }
    add_up(&cells[bucket], 1);
    add_up(&cells[descriptor->bound_count + 1], value);
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint64_t observations(const struct p2_metric_descriptor *descriptor, const uint64_t *cells)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= descriptor->bound_count; i++) {
        add_up(&count, cells[i]);
    }
    return count;
}

uint64_t p2_metrics_count(const struct p2_metrics *metrics, size_t id, size_t label)
{
    const struct p2_metric_descriptor *descriptor;
    const uint64_t *cells = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind != P2_METRIC_GAUGE);
    return descriptor->kind == P2_METRIC_COUNTER ? *cells : observations(descriptor, cells);
}

int64_t p2_metrics_gauge(const struct p2_metrics *metrics, size_t id, size_t label)
{
    const struct p2_metric_descriptor *descriptor;
    const uint64_t *cells = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind == P2_METRIC_GAUGE);
    return (int64_t)*cells;
}

/* a * b / c for b <= c without overflow in between. Counts above 2^32 lose their lowest bits, which
 * an estimate does not miss. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    while (c > UINT32_MAX) {
        b >>= 1;
        c >>= 1;
    }
    uint64_t high = (a >> 32) * b, low = (a & UINT32_MAX) * b;
    uint64_t carried = (high % c) << 32; /* c < 2^32, so this does not overflow */
    return ((high / c) << 32) + carried / c + low / c + (carried % c + low % c) / c;
}

int p2_metrics_quantile(const struct p2_metrics *metrics, size_t id, size_t label,
                        unsigned per_mille, uint64_t *ret_value)
{
    const struct p2_metric_descriptor *descriptor;
    const uint64_t *cells = cells_of(metrics, id, label, &descriptor);
    P2_ASSERT(descriptor->kind == P2_METRIC_HISTOGRAM && per_mille <= 1000);
    uint64_t total = observations(descriptor, cells);
    if (total == 0) {
        return P2_E_NOENT;
    }
    uint64_t rank = scale(total, per_mille, 1000), below = 0;
    for (size_t i = 0; i < descriptor->bound_count; i++) {
        uint64_t low = i > 0 ? descriptor->bounds[i - 1] : 0;
        if (cells[i] > 0 && rank <= below + cells[i]) {
            *ret_value = low + scale(descriptor->bounds[i] - low, rank - below, cells[i]);
            return P2_OK;
        }
        below += cells[i];
    }
    *ret_value = descriptor->bounds[descriptor->bound_count - 1];
    return P2_OK;
}

/* ---- rendering ------------------------------------------------------------------------------- */

/* Appends a formatted line unless *error is set: sticky, as the cursors of buf.h. */
static void append(struct p2_buf *buf, int *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(struct p2_buf *buf, int *error, const char *format, ...)
{
    char line[LINE_MAX_SIZE];
    va_list arguments;
    if (*error != P2_OK) {
        return;
    }
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    *error = length < 0 || (size_t)length >= sizeof line
                 ? P2_E_LIMIT
                 : p2_buf_append(buf, p2_span(line, (size_t)length));
}

static void format_number(char text[48], enum p2_metric_unit unit, bool is_negative,
                          uint64_t magnitude)
{
    const char *sign = is_negative ? "-" : "";
    if (unit == P2_METRIC_COUNT || unit == P2_METRIC_BYTES) {
        (void)snprintf(text, 48, "%s%llu", sign, (unsigned long long)magnitude);
        return;
    }
    int length = snprintf(text, 48, "%s%llu.%06u", sign, (unsigned long long)(magnitude / MICRO),
                          (unsigned)(magnitude % MICRO));
    while (text[length - 1] == '0') {
        length--;
    }
    length -= text[length - 1] == '.';
    text[length] = '\0';
}

/* Backslash and newline, as the format asks for HELP lines. */
static void append_help(struct p2_buf *buf, int *error,
                        const struct p2_metric_descriptor *descriptor)
{
    append(buf, error, "# HELP %s ", descriptor->name);
    for (const char *c = descriptor->help; *c != '\0'; c++) {
        if (*c == '\\' || *c == '\n') {
            append(buf, error, "\\%c", *c == '\n' ? 'n' : '\\');
        } else {
            append(buf, error, "%c", *c);
        }
    }
    append(buf, error, "\n");
}

static void append_histogram(struct p2_buf *buf, int *error,
                             const struct p2_metric_descriptor *descriptor, size_t label,
                             const uint64_t *cells)
{
    char pair[2 * NAME_LENGTH_MAX + 8] = "";
    char number[48];
    uint64_t cumulative = 0;
    if (descriptor->label != NULL) {
        (void)snprintf(pair, sizeof pair, "%s=\"%s\"", descriptor->label,
                       descriptor->label_values[label]);
    }
    const char *comma = pair[0] != '\0' ? "," : "";
    for (size_t i = 0; i <= descriptor->bound_count; i++) {
        add_up(&cumulative, cells[i]);
        if (i < descriptor->bound_count) {
            format_number(number, descriptor->unit, false, descriptor->bounds[i]);
        } else {
            (void)snprintf(number, sizeof number, "+Inf");
        }
        append(buf, error, "%s_bucket{%s%sle=\"%s\"} %llu\n", descriptor->name, pair, comma, number,
               (unsigned long long)cumulative);
    }
    const char *open = pair[0] != '\0' ? "{" : "";
    const char *close = pair[0] != '\0' ? "}" : "";
    format_number(number, descriptor->unit, false, cells[descriptor->bound_count + 1]);
    append(buf, error, "%s_sum%s%s%s %s\n", descriptor->name, open, pair, close, number);
    append(buf, error, "%s_count%s%s%s %llu\n", descriptor->name, open, pair, close,
           (unsigned long long)cumulative);
}

static void append_value(struct p2_buf *buf, int *error,
                         const struct p2_metric_descriptor *descriptor, size_t label, uint64_t cell)
{
    char number[48];
    bool is_negative = descriptor->kind == P2_METRIC_GAUGE && (int64_t)cell < 0;
    format_number(number, descriptor->unit, is_negative, is_negative ? 0 - cell : cell);
    if (descriptor->label != NULL) {
        append(buf, error, "%s{%s=\"%s\"} %s\n", descriptor->name, descriptor->label,
               descriptor->label_values[label], number);
    } else {
        append(buf, error, "%s %s\n", descriptor->name, number);
    }
}

int p2_metrics_render(const struct p2_metrics *metrics, struct p2_buf *buf)
{
    static const char *const kinds[] = {
        [P2_METRIC_COUNTER] = "counter",
        [P2_METRIC_GAUGE] = "gauge",
        [P2_METRIC_HISTOGRAM] = "histogram",
    };
    int error = P2_OK;
    for (size_t id = 0; id < metrics->count; id++) {
        const struct p2_metric_descriptor *descriptor = metrics->metrics[id].descriptor;
        append_help(buf, &error, descriptor);
        append(buf, &error, "# TYPE %s %s\n", descriptor->name, kinds[descriptor->kind]);
        for (size_t label = 0; label < label_count(descriptor); label++) {
            const uint64_t *cells = cells_of(metrics, id, label, &descriptor);
            if (descriptor->kind == P2_METRIC_HISTOGRAM) {
                append_histogram(buf, &error, descriptor, label, cells);
            } else {
                append_value(buf, &error, descriptor, label, *cells);
            }
        }
    }
    return error;
}
