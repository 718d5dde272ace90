/* Render, then replace. */
#include "base/metrics_file.h"

#include "base/file.h"

int p2_metrics_write_file(const struct p2_metrics *metrics, struct p2_buf *scratch,
                          const char *path, struct p2_failure *failure)
{
    p2_buf_clear(scratch);
    int error = p2_metrics_render(metrics, scratch);
    if (error != P2_OK) {
        return p2_fail(failure, error, "cannot render the metrics for %s: %s", path,
                       p2_error_text(error));
    }
    return p2_file_replace(path, p2_buf_span(scratch), 0644, P2_FILE_VOLATILE, failure);
}
