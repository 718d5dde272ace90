/* Optimal paths on a walk grid: jump point search without corner cutting, in exact integers.
 *
 * Source: Harabor and Grastien, "Online Graph Pruning for Pathfinding on Grid Maps", AAAI 2011, in
 * the form where a diagonal step needs both orthogonal neighbours open. In that form diagonal
 * steps have no forced neighbours, and a straight step from p to x has them exactly when a cell
 * beside p is a wall while the cell beside x on the same side is open. The search runs over pairs
 * (cell, direction of arrival), so the pruning argument of the paper holds for equal costs as well.
 *
 * Costs are exact. A straight step costs 470,832 and a diagonal one 665,857: 665857/470832 is a
 * convergent of the continued fraction of sqrt(2). Two paths of (a, b) and (c, d) straight and
 * diagonal steps compare like the numbers a + b sqrt(2) and c + d sqrt(2): were the order
 * different, the fraction |a - c| / |b - d| would lie between sqrt(2) and the convergent or be
 * equal to the convergent, so |b - d| >= 470,832; but an optimal path visits a cell at most once
 * and has at most 512 * 512 - 1 = 262,143 steps. So the order of the integers is the true order.
 *
 * The path is canonical: among optimal paths one is chosen by the fixed order of the search (cost,
 * distance, cell index, direction), and diagonal steps come before straight ones wherever they
 * may. p2_path_turn_is_canonical is true for every turn of such a path.
 * Thread: one search per arena. */
#ifndef P2_KERNELS_PATH_SEARCH_H
#define P2_KERNELS_PATH_SEARCH_H

#include "kernels/path_grid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2_PATH_STRAIGHT_COST UINT64_C(470832)
#define P2_PATH_DIAGONAL_COST UINT64_C(665857)

/* What is known of a reached cell; one half of a cache line. */
struct p2_path_cell {
    uint64_t cost;      /* from the start; exact once the cell left the heap */
    uint16_t parent[8]; /* by direction of arrival: steps back, and the parent's own arrival */
    uint32_t heap_at;   /* place in the heap, or P2_PATH_NOT_IN_HEAP */
    uint8_t arrived;    /* bit d: reached in direction d at this cost */
    uint8_t pending;    /* bit d: that arrival was not expanded yet */
    uint8_t expanded;   /* bit d: the jump in direction d was done */
    uint8_t reserved;
};

struct p2_path_search {
    const struct p2_path_grid *grid;
    struct p2_path_cell *cells; /* cells[width * height], valid where `known` says so */
    uint64_t *known;            /* one bit per cell */
    uint64_t *heap;             /* binary heap of keys: estimate, distance, cell index */
    uint32_t heap_size;
    int32_t goal_x, goal_y;
    uint32_t goal; /* cell index of the goal */
};

/* Scratch memory of a search on the largest grid. */
#define P2_PATH_SEARCH_BYTES                                                        \
    ((size_t)P2_PATH_CELLS_MAX * (sizeof(struct p2_path_cell) + sizeof(uint64_t)) + \
     P2_PATH_CELLS_MAX / 8 + 256)

/* A path: numbers of steps, and for the search's result the number of runs it is made of. */
struct p2_path_length {
    uint32_t straight, diagonal; /* steps */
    uint32_t runs;               /* maximal pieces of one direction */
};

/* Takes memory for searches on `grid`, which must outlive it. P2C2R_KERNEL_ARENA_FULL. */
int p2_path_search_init(struct p2_path_search *search, const struct p2_path_grid *grid,
                        struct p2_arena *arena);

/* Finds the path between two different open cells of one component; there always is one.
 * Cost: O(jump points * (length of their scans + log jump points)). */
void p2_path_search_solve(struct p2_path_search *search, uint32_t start, uint32_t goal,
                          struct p2_path_length *ret_length);

/* Writes the runs of the path found last, from start to goal: 16 bits each, little-endian,
 * direction * 8192 + steps. out[2 * runs]. */
void p2_path_search_write(const struct p2_path_search *search, uint32_t runs, uint8_t *out);

/* Are runs[2 * runs] exactly what p2_path_search_write would write? */
bool p2_path_search_matches(const struct p2_path_search *search, uint32_t runs,
                            const uint8_t *bytes);

/* May a canonical path that reached the open cell (x, y) in direction `in` go on in the other
 * direction `out`? Reads cells up to one step around the one before (x, y). */
bool p2_path_turn_is_canonical(const struct p2_path_grid *grid, int32_t x, int32_t y, unsigned in,
                               unsigned out);

#endif
