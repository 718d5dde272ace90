/* Reads maps and scenario lists of the MovingAI benchmarks (Sturtevant, "Benchmarks for Grid-Based
 * Pathfinding", IEEE TCIAIG 2012; format: movingai.com/benchmarks/formats.html) and turns them into
 * inputs of the ai_pathfinding kernel. Thread: reentrant. */
#ifndef P2_KERNELS_TOOL_MOVINGAI_H
#define P2_KERNELS_TOOL_MOVINGAI_H

#include "base/buf.h"
#include "kernels/ai_pathfinding.h"

#include <stddef.h>
#include <stdint.h>

#define P2_MOVINGAI_LINES_MAX 20000u /* chosen: the benchmark's longest lists have about 10,000 */

struct p2_movingai_line {
    uint16_t start_x, start_y, goal_x, goal_y;
    double length; /* optimal length as printed, with at least two decimals */
};

struct p2_movingai_list {
    struct p2_movingai_line *lines; /* owned */
    uint32_t count;
};

/* How far a computed length may be from the printed one. The lists of the bg512 set were computed
 * in single precision; summing up to 700 steps there is off by less than this. */
#define P2_MOVINGAI_TOLERANCE 0.02

/* Writes the head and the map of a kernel input with `queries` queries to out[capacity]; the
 * queries follow at *ret_size. '.', 'G' and 'S' are passable. P2_E_MALFORMED, P2_E_RANGE (larger
 * than 512 x 512), P2_E_FULL. */
int p2_movingai_map(struct p2_span text, uint16_t queries, uint8_t *out, size_t capacity,
                    size_t *ret_size);

/* Parses a list, at most `limit` lines (0: all). Gives: free with p2_movingai_list_free.
 * P2_E_MALFORMED, P2_E_LIMIT, P2_E_NOMEM. */
int p2_movingai_list(struct p2_span text, uint32_t limit, struct p2_movingai_list *ret_list);
void p2_movingai_list_free(struct p2_movingai_list *list);

struct p2_movingai_report {
    uint32_t lines;   /* lines tried */
    uint32_t agree;   /* of those: as long as printed, and the path passed the check */
    uint32_t refused; /* paths the check refused */
};

/* Solves the lines in batches and compares. Returns P2_E_* or 0. */
int p2_movingai_compare(struct p2_span map, struct p2_span scenarios, uint32_t limit,
                        struct p2_movingai_report *ret_report);

#endif
