/* ai_pathfinding: optimal paths for a batch of queries on one walk grid. STATE, P0, version 1.
 *
 * 8-connected; a diagonal step is legal only if both orthogonal neighbours are passable (no corner
 * cutting); a straight step has length 1, a diagonal one sqrt(2). Algorithm, exactness of costs and
 * the rule that makes a path canonical: path_search.h.
 *
 * Input (little-endian):
 *   offset  size  what
 *   0       2     width W, cells, 1..512
 *   2       2     height H, cells, 1..512
 *   4       2     queries Q, 1..256 and Q * W * H <= 2^24
 *   6       2     0
 *   8       H*B   map: H rows of B = ceil(W / 8) bytes; cell x is bit x % 8 of byte x / 8 of its
 *                 row, 1 = passable; unused bits are 0
 *   8+H*B   Q*8   queries: start x, start y, goal x, goal y, 2 bytes each, inside the map
 *
 * Output:
 *   0       Q*12  per query: straight steps, diagonal steps, runs, 4 bytes each. A start or goal
 *                 inside a wall, or no path: 2^32 - 1, 2^32 - 1, 0. Start = goal: 0, 0, 0
 *   Q*12    2*R   the runs of all paths one after another: direction * 8192 + steps (1..511);
 *                 directions are 0 E, 1 SE, 2 S, 3 SW, 4 W, 5 NW, 6 N, 7 NE (x grows to the east,
 *                 y to the south); neighbouring runs differ in direction
 * A batch whose paths need more than P2C2R_OUTPUT_MAX bytes ends as OUTPUT_FULL; that takes mazes
 * made for it.
 *
 * Check: every path is walked (connected, walkable, no corner cut, counts right) and every turn
 * must be one a canonical path can take, which refuses all locally longer paths; "no path" is
 * compared with the components of the map; a secret 1 + Q / 8 of the queries are solved again and
 * compared, which is what finds a canonical path around the wrong side of an obstacle. Worst generated
 * case 1.3 ms, declared bound 5 ms: it belongs in a pool. */
#ifndef P2_KERNELS_AI_PATHFINDING_H
#define P2_KERNELS_AI_PATHFINDING_H

#include "p2c2r/kernel.h"

#define P2_PATH_QUERIES_MAX   256u       /* chosen: six frames of the demo game's queries */
#define P2_PATH_WORK_MAX      (1u << 24) /* cells * queries: 64 queries on the largest map */
#define P2_PATH_HEADER_BYTES  8u
#define P2_PATH_QUERY_BYTES   8u
#define P2_PATH_SUMMARY_BYTES 12u
#define P2_PATH_NO_PATH       UINT32_MAX /* in place of both step counts */

extern const struct p2c2r_kernel p2_kernel_ai_pathfinding;

/* The generator of cases, in path_maps.c. */
void p2_path_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case);

#endif
