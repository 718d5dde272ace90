/* A walk grid as bit planes: what the path search and its check look at.
 *
 * Positions are 0-based cells, x to the east, y to the south. Planes carry a frame of walls: cell
 * (x, y) is bit x + 1 of line y + 1 in row planes and bit y + 1 of line x + 1 in column planes, so
 * no scan needs a bounds test. A stop plane marks walls and, for one direction of travel, cells
 * with a forced neighbour: those where a wall beside the path has just ended. The idea of scanning
 * whole words for them is block-based scanning of Harabor and Grastien, "Improving Jump Point
 * Search", ICAPS 2014; the forced-neighbour rule is the one without corner cutting (see
 * path_search.h). Thread: a grid is written by its building call and only read afterwards. */
#ifndef P2_KERNELS_PATH_GRID_H
#define P2_KERNELS_PATH_GRID_H

#include "kernels/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_PATH_SIDE_MAX  512u /* cells per side: the largest maps of the MovingAI bg512 set */
#define P2_PATH_CELLS_MAX (P2_PATH_SIDE_MAX * P2_PATH_SIDE_MAX)
#define P2_PATH_LINE_WORDS \
    9u /* 64-bit words of the longest framed line: (512 + 2) / 64, rounded up */
#define P2_PATH_PLANE_WORDS ((P2_PATH_SIDE_MAX + 2u) * P2_PATH_LINE_WORDS)
#define P2_PATH_RUNS_MAX    (P2_PATH_SIDE_MAX * (P2_PATH_SIDE_MAX / 2u)) /* open runs of all rows */

/* Directions in clockwise order from east; odd ones are diagonal. */
enum p2_path_direction {
    P2_PATH_E,
    P2_PATH_SE,
    P2_PATH_S,
    P2_PATH_SW,
    P2_PATH_W,
    P2_PATH_NW,
    P2_PATH_N,
    P2_PATH_NE,
    P2_PATH_DIRECTIONS
};

extern const int8_t p2_path_dx[P2_PATH_DIRECTIONS];
extern const int8_t p2_path_dy[P2_PATH_DIRECTIONS];

/* A maximal run of open cells in one row, and its component (a union-find parent). */
struct p2_path_run {
    uint16_t first; /* x of the first cell */
    uint16_t last;  /* x of the last cell */
    uint32_t parent;
};

struct p2_path_grid {
    uint32_t width, height; /* cells, 1..P2_PATH_SIDE_MAX */
    uint32_t row_words;     /* words per line of row planes */
    uint32_t column_words;  /* words per line of column planes */
    uint64_t *rows;         /* bit 1: wall */
    uint64_t *columns;      /* the transposed plane */
    uint64_t *stops[4];     /* wall or forced neighbour, travelling E, S, W, N */
    struct p2_path_run *runs;
    uint32_t *row_runs; /* row_runs[height + 1]: first run of each row */
};

/* Scratch memory a grid of the largest size takes. */
#define P2_PATH_GRID_BYTES                                                                       \
    ((size_t)6 * (P2_PATH_PLANE_WORDS * sizeof(uint64_t) + 64) +                                 \
     P2_PATH_RUNS_MAX * sizeof(struct p2_path_run) + (P2_PATH_SIDE_MAX + 1) * sizeof(uint32_t) + \
     128)

/* True when no row of `map` (see below) has a bit set beyond its width. */
bool p2_path_map_is_clean(uint32_t width, uint32_t height, const uint8_t *map);

/* Builds all planes and components from `map`: height rows of ceil(width / 8) bytes, cell x of a
 * row is bit x % 8 of its byte x / 8, 1 = passable; unused bits of a row must be 0. Memory comes
 * from `arena`. P2C2R_KERNEL_BAD_INPUT for a side of 0 or above the limit or for unused bits,
 * ARENA_FULL. Cost: O(cells / 64) and O(runs). */
int p2_path_grid_build(struct p2_path_grid *grid, struct p2_arena *arena, uint32_t width,
                       uint32_t height, const uint8_t *map);

/* True when the cell (x, y), which may lie one step outside the map, is a wall. */
static inline bool p2_path_is_wall(const struct p2_path_grid *grid, int32_t x, int32_t y)
{
    uint32_t bit = (uint32_t)(x + 1);
    return grid->rows[(size_t)(uint32_t)(y + 1) * grid->row_words + bit / 64] >> (bit % 64) & 1;
}

/* True when one step from the open cell (x, y) is legal: the target is open and, for a diagonal,
 * both orthogonal neighbours are too. */
bool p2_path_step_is_legal(const struct p2_path_grid *grid, int32_t x, int32_t y,
                           unsigned direction);

/* The component of an open cell; two cells have a path between them exactly when theirs are
 * equal. P2_PATH_NO_COMPONENT for a wall. O(log runs of the row). */
#define P2_PATH_NO_COMPONENT UINT32_MAX
uint32_t p2_path_component(const struct p2_path_grid *grid, uint32_t x, uint32_t y);

#endif
