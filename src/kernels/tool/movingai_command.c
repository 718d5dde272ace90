/* The command p2c2r-kernel movingai MAP SCEN. */
#include "kernels/tool/commands.h"

#include "kernels/tool/movingai.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Chosen: the benchmark's largest files (2048 x 2048 maps are refused later, by the kernel). */
#define FILE_BYTES_MAX (8u << 20)

static bool read_text(const char *path, uint8_t *data, struct p2_span *ret_text)
{
    FILE *file = fopen(path, "rb");
    const size_t size = file != NULL ? fread(data, 1, FILE_BYTES_MAX, file) : 0;
    const bool is_read = file != NULL && ferror(file) == 0 && size < FILE_BYTES_MAX;
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    if (!is_read) {
        (void)fprintf(stderr, "p2c2r-kernel: cannot read %s (at most %u bytes)\n", path,
                      FILE_BYTES_MAX - 1);
        return false;
    }
    *ret_text = p2_span(data, size);
    return true;
}

int p2_tool_movingai(const struct p2_tool_options *options)
{
    struct p2_span map, scenarios;
    struct p2_movingai_report report;
    int status = P2_TOOL_TROUBLE;
    uint8_t *map_data = malloc(FILE_BYTES_MAX), *list_data = malloc(FILE_BYTES_MAX);
    if (map_data == NULL || list_data == NULL || !read_text(options->operands[0], map_data, &map) ||
        !read_text(options->operands[1], list_data, &scenarios)) {
        goto out;
    }
    const int error = p2_movingai_compare(map, scenarios, options->limit, &report);
    if (error != 0) {
        (void)fprintf(stderr, "p2c2r-kernel: %s or %s: %s\n", options->operands[0],
                      options->operands[1], p2_error_text(error));
        goto out;
    }
    (void)printf("agree %" PRIu32 " of %" PRIu32 "\n", report.agree, report.lines);
    if (report.refused > 0) {
        (void)fprintf(stderr, "p2c2r-kernel: the check refused a batch of its own paths\n");
    }
    status = report.agree == report.lines ? P2_TOOL_OK : P2_TOOL_FAILED;
out:
    free(map_data);
    free(list_data);
    return status;
}
