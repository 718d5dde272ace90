/* Metrics as a file for the textfile collector of Prometheus' node_exporter: no port, no HTTP. */
#ifndef P2_BASE_METRICS_FILE_H
#define P2_BASE_METRICS_FILE_H

#include "base/metrics.h"

/* Most bytes of the file. Chosen: a hundred metrics with full labels and buckets. */
#define P2_METRICS_FILE_MAX (1u << 20)

/* Renders into `scratch` (emptied first; its storage is kept, so a caller that passes the same
 * buffer every time allocates once) and replaces `path` (mode 0644) in one step. Not synced: a
 * power cut may lose it. Errors of p2_metrics_render and p2_file_replace. */
int p2_metrics_write_file(const struct p2_metrics *metrics, struct p2_buf *scratch,
                          const char *path, struct p2_failure *failure);

#endif
