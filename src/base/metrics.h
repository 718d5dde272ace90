/* Metrics: counters, gauges and histograms, rendered as Prometheus text format 0.0.4.
 *
 * A module describes its metrics in a static table and registers it once at start; afterwards
 * nothing is allocated and an update is one addition. Integers throughout: times are kept in
 * microseconds and shares in millionths, and are rendered in seconds and as a ratio.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ Thread: one registry belongs to one
 * thread. */
#ifndef P2_BASE_METRICS_H
#define P2_BASE_METRICS_H

#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Most values of a label. Chosen: values are kinds of things (tiers, kernels), never peers. */
#define P2_METRIC_LABELS_MAX 32

/* Most finite bounds of a histogram. Chosen: twice what one needs per decade over six decades. */
#define P2_METRIC_BOUNDS_MAX 32

enum p2_metric_kind {
    P2_METRIC_COUNTER,  /* only grows; the name ends in _total */
    P2_METRIC_GAUGE,    /* goes up and down */
    P2_METRIC_HISTOGRAM /* how many observations fell below each bound */
};

/* The unit decides the end of the name (before _total) and how a kept number is rendered. */
enum p2_metric_unit {
    P2_METRIC_COUNT,   /* things; no suffix */
    P2_METRIC_SECONDS, /* kept in microseconds; _seconds */
    P2_METRIC_BYTES,   /* _bytes */
    P2_METRIC_RATIO    /* kept in millionths; _ratio */
};

struct p2_metric_descriptor {
    const char *name; /* p2c2r_..., lower-case letters, digits, '_' */
    enum p2_metric_kind kind;
    enum p2_metric_unit unit;
    const char *help;                /* one line */
    const char *label;               /* NULL = none */
    const char *const *label_values; /* label_count names; NULL without a label */
    size_t label_count;
    const uint64_t *bounds; /* HISTOGRAM: ascending upper bounds, inclusive, in the kept unit */
    size_t bound_count;
};

struct p2_metrics;

/* Gives *ret_metrics (p2_metrics_free). P2_E_NOMEM. */
int p2_metrics_new(struct p2_metrics **ret_metrics);

/* Accepts NULL. */
void p2_metrics_free(struct p2_metrics *metrics);

/* Adds the metrics of `table[count]`, all at 0, and gives the id of the first; the others follow.
 * Keeps the table and all it points to. A name that is taken, does not follow the rules above, or
 * a histogram without ascending bounds: P2_E_BUG with a message. P2_E_NOMEM. Nothing is added on
 * error. */
int p2_metrics_register(struct p2_metrics *metrics, const struct p2_metric_descriptor *table,
                        size_t count, size_t *ret_first, struct p2_failure *failure);

/* `label` is the index into label_values, 0 without a label. A wrong id, kind or label is our
 * mistake (P2_ASSERT). Sums stop at the end of uint64_t. O(1). */
void p2_metrics_add(struct p2_metrics *metrics, size_t id, size_t label, uint64_t count);

void p2_metrics_set(struct p2_metrics *metrics, size_t id, size_t label, int64_t value);

/* One observation of a histogram, in the kept unit. O(bounds). */
void p2_metrics_observe(struct p2_metrics *metrics, size_t id, size_t label, uint64_t value);

/* A counter's value; a histogram's number of observations. */
uint64_t p2_metrics_count(const struct p2_metrics *metrics, size_t id, size_t label);
int64_t p2_metrics_gauge(const struct p2_metrics *metrics, size_t id, size_t label);

/* Estimate of the quantile `per_mille` (0..1000) in the kept unit, linear inside a bucket as
 * Prometheus' histogram_quantile; at most the last bound. P2_E_NOENT without observations. */
int p2_metrics_quantile(const struct p2_metrics *metrics, size_t id, size_t label,
                        unsigned per_mille, uint64_t *ret_value);

/* Appends all metrics in order of registration. Errors of p2_buf_append; the buffer may hold a part
 * then. */
int p2_metrics_render(const struct p2_metrics *metrics, struct p2_buf *buf);

#endif
