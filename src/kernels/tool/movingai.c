/* MovingAI maps and scenario lists against the path kernel. */
#include "kernels/tool/movingai.h"

#include "kernels/harness.h"
#include "kernels/pack.h"
#include "kernels/path_grid.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 600u /* a row of the largest map, or a scenario line */
#define BATCH          32u  /* queries per run, as the demo game asks */

/* The next line of `text` without its end, as a string; false at the end or when it is too long. */
static bool next_line(struct p2_span *text, char line[LINE_MAX_BYTES])
{
    const uint8_t *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    size_t size = end != NULL ? (size_t)(end - text->data) : text->size;
    const size_t used = end != NULL ? size + 1 : size;
    if (text->size == 0 || size >= LINE_MAX_BYTES) {
        return false;
    }
    memcpy(line, text->data, size);
    size -= size > 0 && line[size - 1] == '\r';
    line[size] = '\0';
    *text = p2_span(text->data + used, text->size - used);
    return true;
}

int p2_movingai_map(struct p2_span text, uint16_t queries, uint8_t *out, size_t capacity,
                    size_t *ret_size)
{
    char line[LINE_MAX_BYTES];
    unsigned width = 0, height = 0;
    if (!next_line(&text, line) || strcmp(line, "type octile") != 0 || !next_line(&text, line) ||
        sscanf(line, "height %u", &height) != 1 || !next_line(&text, line) ||
        sscanf(line, "width %u", &width) != 1 || !next_line(&text, line) ||
        strcmp(line, "map") != 0) {
        return P2_E_MALFORMED;
    }
    if (width == 0 || height == 0 || width > P2_PATH_SIDE_MAX || height > P2_PATH_SIDE_MAX) {
        return P2_E_RANGE;
    }
    const size_t row_bytes = (width + 7) / 8;
    const size_t size = P2_PATH_HEADER_BYTES + row_bytes * height;
    if (size > capacity) {
        return P2_E_FULL;
    }
    memset(out, 0, size);
    p2_store_le16(out, (uint16_t)width);
    p2_store_le16(out + 2, (uint16_t)height);
    p2_store_le16(out + 4, queries);
    for (unsigned y = 0; y < height; y++) {
        uint8_t *row = out + P2_PATH_HEADER_BYTES + y * row_bytes;
        if (!next_line(&text, line) || strlen(line) != width) {
            return P2_E_MALFORMED;
        }
        for (unsigned x = 0; x < width; x++) {
            if (line[x] == '.' || line[x] == 'G' || line[x] == 'S') {
                row[x / 8] |= (uint8_t)(1u << (x % 8));
            }
        }
    }
    *ret_size = size;
    return 0;
}

int p2_movingai_list(struct p2_span text, uint32_t limit, struct p2_movingai_list *ret_list)
{
    char line[LINE_MAX_BYTES];
    struct p2_movingai_list list = {NULL, 0};
    int error = 0;
    if (!next_line(&text, line) || strncmp(line, "version", 7) != 0) {
        return P2_E_MALFORMED;
    }
    list.lines = calloc(P2_MOVINGAI_LINES_MAX, sizeof *list.lines);
    if (list.lines == NULL) {
        return P2_E_NOMEM;
    }
    while ((limit == 0 || list.count < limit) && next_line(&text, line)) {
        unsigned sx, sy, gx, gy;
        double length;
        if (list.count == P2_MOVINGAI_LINES_MAX) {
            error = P2_E_LIMIT;
            break;
        }
        if (sscanf(line, "%*u %*s %*u %*u %u %u %u %u %lf", &sx, &sy, &gx, &gy, &length) != 5 ||
            sx > UINT16_MAX || sy > UINT16_MAX || gx > UINT16_MAX || gy > UINT16_MAX) {
            error = P2_E_MALFORMED;
            break;
        }
        list.lines[list.count++] = (struct p2_movingai_line){(uint16_t)sx, (uint16_t)sy,
                                                             (uint16_t)gx, (uint16_t)gy, length};
    }
    if (error != 0) {
        p2_movingai_list_free(&list);
        return error;
    }
    *ret_list = list;
    return 0;
}

void p2_movingai_list_free(struct p2_movingai_list *list)
{
    free(list->lines);
    list->lines = NULL;
    list->count = 0;
}

static void put_queries(uint8_t *out, const struct p2_movingai_line *lines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, out += P2_PATH_QUERY_BYTES) {
        p2_store_le16(out, lines[i].start_x);
        p2_store_le16(out + 2, lines[i].start_y);
        p2_store_le16(out + 4, lines[i].goal_x);
        p2_store_le16(out + 6, lines[i].goal_y);
    }
}

/* Runs the loaded batch, checks it as often as needed that every query is likely solved again, and
 * counts the lengths that agree. */
static int compare_batch(struct p2_harness *harness, const struct p2_movingai_line *lines,
                         uint32_t count, struct p2_movingai_report *report)
{
    struct p2_span result;
    if (p2_harness_run(harness, &result) != P2C2R_KERNEL_OK) {
        return P2_E_RANGE;
    }
    if (p2_harness_check(harness, result, report->lines) != P2C2R_KERNEL_OK) {
        report->refused += count;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = result.data + (size_t)i * P2_PATH_SUMMARY_BYTES;
        /* 1.414...: what a diagonal step is long; only compared, so a double is good enough. */
        const double length =
            (double)p2_load_le32(row) + (double)p2_load_le32(row + 4) * 1.4142135623730951;
        const double off = length - lines[i].length;
        report->agree += off <= P2_MOVINGAI_TOLERANCE && off >= -P2_MOVINGAI_TOLERANCE;
    }
    report->lines += count;
    return 0;
}

int p2_movingai_compare(struct p2_span map, struct p2_span scenarios, uint32_t limit,
                        struct p2_movingai_report *ret_report)
{
    struct p2_movingai_report report = {0, 0, 0};
    struct p2_movingai_list list = {NULL, 0};
    struct p2_harness *harness = NULL;
    int error = p2_movingai_list(scenarios, limit, &list);
    if (error == 0) {
        error = p2_harness_open(&harness, &p2_kernel_ai_pathfinding);
    }
    for (uint32_t first = 0; error == 0 && first < list.count; first += BATCH) {
        const uint32_t count = list.count - first < BATCH ? list.count - first : BATCH;
        size_t size = 0;
        uint8_t *input = harness->test_case.input;
        error = p2_movingai_map(map, (uint16_t)count, input, P2C2R_INPUT_MAX / 2, &size);
        if (error == 0) {
            put_queries(input + size, list.lines + first, count);
            harness->test_case.input_size = size + (size_t)count * P2_PATH_QUERY_BYTES;
            error = compare_batch(harness, list.lines + first, count, &report);
        }
    }
    p2_harness_close(harness);
    p2_movingai_list_free(&list);
    if (error == 0) {
        report.agree = report.refused > 0 ? 0 : report.agree;
        *ret_report = report;
    }
    return error;
}
