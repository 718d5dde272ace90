/* Jump point search over bit planes. */
#include "kernels/path_search.h"

#include <string.h>

#define P2_PATH_NOT_IN_HEAP UINT32_MAX
#define P2_PATH_FROM_START  8u /* in place of a parent's arrival direction */

/* A heap key holds, from the top: the estimate (38 bits: at most 262,143 diagonal steps and the
 * heuristic's 511), a coarse distance to the goal (7 bits, nearer first), the cell (18 bits). */
#define KEY_DISTANCE_SHIFT 18
#define KEY_ESTIMATE_SHIFT 25
#define KEY_CELL_MASK      ((UINT64_C(1) << KEY_DISTANCE_SHIFT) - 1)

/* ---- heap ----------------------------------------------------------------------------------- */

static void heap_place(struct p2_path_search *search, uint32_t at, uint64_t key)
{
    search->heap[at] = key;
    search->cells[key & KEY_CELL_MASK].heap_at = at;
}

static void heap_rise(struct p2_path_search *search, uint32_t at, uint64_t key)
{
    while (at > 0) {
        uint32_t up = (at - 1) / 2;
        if (search->heap[up] <= key) {
            break;
        }
        heap_place(search, at, search->heap[up]);
        at = up;
    }
    heap_place(search, at, key);
}

static uint32_t heap_pop(struct p2_path_search *search)
{
    uint32_t cell = (uint32_t)(search->heap[0] & KEY_CELL_MASK);
    uint64_t key = search->heap[--search->heap_size];
    uint32_t at = 0;
    search->cells[cell].heap_at = P2_PATH_NOT_IN_HEAP;
    if (search->heap_size == 0) {
        return cell;
    }
    for (uint32_t down = 1; down < search->heap_size; down = 2 * at + 1) {
        if (down + 1 < search->heap_size && search->heap[down + 1] < search->heap[down]) {
            down++;
        }
        if (search->heap[down] >= key) {
            break;
        }
        heap_place(search, at, search->heap[down]);
        at = down;
    }
    heap_place(search, at, key);
    return cell;
}

/* ---- jumps ---------------------------------------------------------------------------------- */

/* The first set bit of a line after `from`. The line's frame is set, so there always is one. */
static uint32_t next_bit(const uint64_t *line, uint32_t from)
{
    uint32_t i = (from + 1) / 64;
    uint64_t word = line[i] & UINT64_MAX << ((from + 1) % 64);
    while (word == 0) {
        word = line[++i];
    }
    return 64 * i + (uint32_t)__builtin_ctzll(word);
}

/* The last set bit of a line before `from`, which is at least 1. */
static uint32_t previous_bit(const uint64_t *line, uint32_t from)
{
    uint32_t i = (from - 1) / 64;
    uint64_t word = line[i] & UINT64_MAX >> (63 - (from - 1) % 64);
    while (word == 0) {
        word = line[--i];
    }
    return 64 * i + 63 - (uint32_t)__builtin_clzll(word);
}

/* Steps from (x, y) in a straight direction to the first jump point or the goal; 0 when a wall
 * comes first. */
static uint32_t jump_straight(const struct p2_path_search *search, int32_t x, int32_t y,
                              unsigned direction)
{
    const struct p2_path_grid *grid = search->grid;
    const bool is_row = direction == P2_PATH_E || direction == P2_PATH_W;
    const uint32_t words = is_row ? grid->row_words : grid->column_words;
    const uint32_t line = (uint32_t)(is_row ? y : x) + 1;
    const uint32_t from = (uint32_t)(is_row ? x : y) + 1;
    const uint32_t goal_line = (uint32_t)(is_row ? search->goal_y : search->goal_x) + 1;
    const uint32_t goal = (uint32_t)(is_row ? search->goal_x : search->goal_y) + 1;
    const uint64_t *walls = (is_row ? grid->rows : grid->columns) + (size_t)line * words;
    const uint64_t *stops = grid->stops[direction / 2] + (size_t)line * words;
    if (direction == P2_PATH_E || direction == P2_PATH_S) {
        uint32_t stop = next_bit(stops, from);
        if (goal_line == line && goal > from && goal <= stop) {
            return goal - from;
        }
        return walls[stop / 64] >> (stop % 64) & 1 ? 0 : stop - from;
    }
    uint32_t stop = previous_bit(stops, from);
    if (goal_line == line && goal < from && goal >= stop) {
        return from - goal;
    }
    return walls[stop / 64] >> (stop % 64) & 1 ? 0 : from - stop;
}

/* The same for a diagonal direction: a cell is a jump point when a straight jump from it in one of
 * the two component directions finds one. */
static uint32_t jump_diagonal(const struct p2_path_search *search, int32_t x, int32_t y,
                              unsigned direction)
{
    const int32_t dx = p2_path_dx[direction], dy = p2_path_dy[direction];
    const unsigned left = direction - 1, right = (direction + 1) % P2_PATH_DIRECTIONS;
    uint32_t steps = 0;
    while (p2_path_step_is_legal(search->grid, x, y, direction)) {
        x += dx;
        y += dy;
        steps++;
        if ((x == search->goal_x && y == search->goal_y) ||
            jump_straight(search, x, y, left) != 0 || jump_straight(search, x, y, right) != 0) {
            return steps;
        }
    }
    return 0;
}

/* ---- search --------------------------------------------------------------------------------- */

static uint64_t key_of(const struct p2_path_search *search, uint32_t cell, uint64_t cost)
{
    int32_t x = (int32_t)(cell % search->grid->width), y = (int32_t)(cell / search->grid->width);
    uint64_t dx = (uint64_t)(x < search->goal_x ? search->goal_x - x : x - search->goal_x);
    uint64_t dy = (uint64_t)(y < search->goal_y ? search->goal_y - y : y - search->goal_y);
    uint64_t longer = dx > dy ? dx : dy, shorter = dx > dy ? dy : dx;
    uint64_t estimate =
        cost + (longer - shorter) * P2_PATH_STRAIGHT_COST + shorter * P2_PATH_DIAGONAL_COST;
    return estimate << KEY_ESTIMATE_SHIFT | (longer / 4) << KEY_DISTANCE_SHIFT | cell;
}

/* A cell was reached: remembers the arrival when it is the cheapest or as cheap and new. */
static void arrive(struct p2_path_search *search, uint32_t cell, uint64_t cost, unsigned direction,
                   uint16_t parent)
{
    struct p2_path_cell *record = &search->cells[cell];
    const uint64_t bit = UINT64_C(1) << (cell % 64);
    if ((search->known[cell / 64] & bit) == 0 || cost < record->cost) {
        if ((search->known[cell / 64] & bit) == 0) {
            search->known[cell / 64] |= bit;
            record->heap_at = P2_PATH_NOT_IN_HEAP;
        }
        record->cost = cost;
        record->arrived = record->pending = record->expanded = 0;
    } else if (cost > record->cost || (record->arrived >> direction & 1) != 0) {
        return;
    }
    record->arrived = (uint8_t)(record->arrived | 1u << direction);
    record->pending = (uint8_t)(record->pending | 1u << direction);
    record->parent[direction] = parent;
    if (record->heap_at == P2_PATH_NOT_IN_HEAP) {
        record->heap_at = search->heap_size++;
    }
    heap_rise(search, record->heap_at, key_of(search, cell, cost));
}

/* The directions a canonical path may take after arriving in direction `in`, as bits. */
static unsigned successors(const struct p2_path_grid *grid, int32_t x, int32_t y, unsigned in)
{
    const unsigned left = (in + 7) % 8, right = (in + 1) % 8;
    if (in % 2 != 0) {
        return 1u << in | 1u << left | 1u << right;
    }
    unsigned out = 1u << in;
    const int32_t before_x = x - p2_path_dx[in], before_y = y - p2_path_dy[in];
    for (unsigned side = 2; side <= 6; side += 4) {
        const unsigned turn = (in + side) % 8;
        const int32_t dx = p2_path_dx[turn], dy = p2_path_dy[turn];
        if (p2_path_is_wall(grid, before_x + dx, before_y + dy) &&
            !p2_path_is_wall(grid, x + dx, y + dy)) {
            out |= 1u << turn | 1u << (side == 2 ? right : left);
        }
    }
    return out;
}

/* Jumps from a cell in all directions of `out` that were not tried from it before. */
static void expand(struct p2_path_search *search, uint32_t cell, unsigned out, unsigned in)
{
    const int32_t width = (int32_t)search->grid->width;
    const int32_t x = (int32_t)cell % width, y = (int32_t)cell / width;
    struct p2_path_cell *record = &search->cells[cell];
    out &= ~(unsigned)record->expanded;
    record->expanded = (uint8_t)(record->expanded | out);
    for (unsigned direction = 0; direction < P2_PATH_DIRECTIONS; direction++) {
        if ((out >> direction & 1) == 0) {
            continue;
        }
        uint32_t steps = direction % 2 == 0 ? jump_straight(search, x, y, direction)
                                            : jump_diagonal(search, x, y, direction);
        if (steps == 0) {
            continue;
        }
        int32_t to_x = x + (int32_t)steps * p2_path_dx[direction];
        int32_t to_y = y + (int32_t)steps * p2_path_dy[direction];
        uint64_t step_cost = direction % 2 == 0 ? P2_PATH_STRAIGHT_COST : P2_PATH_DIAGONAL_COST;
        arrive(search, (uint32_t)(to_y * width + to_x), record->cost + steps * step_cost, direction,
               (uint16_t)(in << 9 | steps));
    }
}

/* Walks the parents from the goal back to the start; calls of this see one jump at a time. */
struct backtrack {
    const struct p2_path_search *search;
    int32_t x, y;
    unsigned direction; /* of the arrival at (x, y); P2_PATH_FROM_START at the start */
};

static struct backtrack backtrack_start(const struct p2_path_search *search)
{
    const struct p2_path_cell *record = &search->cells[search->goal];
    return (struct backtrack){search, search->goal_x, search->goal_y,
                              (unsigned)__builtin_ctz(record->arrived)};
}

/* The steps of the last jump towards (x, y); moves to where it began. */
static uint32_t backtrack_jump(struct backtrack *walk)
{
    const int32_t width = (int32_t)walk->search->grid->width;
    const struct p2_path_cell *record = &walk->search->cells[walk->y * width + walk->x];
    const uint16_t parent = record->parent[walk->direction];
    const int32_t steps = parent & 511;
    walk->x -= steps * p2_path_dx[walk->direction];
    walk->y -= steps * p2_path_dy[walk->direction];
    walk->direction = parent >> 9;
    return (uint32_t)steps;
}

/* One run of the path, found walking back. */
struct backtrack_run {
    struct backtrack walk;
    unsigned direction;
    uint32_t steps;
};

/* The run that ends where `run->walk` is; false at the start. */
static bool backtrack_run(struct backtrack_run *run)
{
    if (run->walk.direction == P2_PATH_FROM_START) {
        return false;
    }
    run->direction = run->walk.direction;
    run->steps = 0;
    while (run->walk.direction == run->direction) {
        run->steps += backtrack_jump(&run->walk);
    }
    return true;
}

static uint16_t run_code(const struct backtrack_run *run)
{
    return (uint16_t)(run->direction << 13 | run->steps);
}

/* ---- public --------------------------------------------------------------------------------- */

int p2_path_search_init(struct p2_path_search *search, const struct p2_path_grid *grid,
                        struct p2_arena *arena)
{
    const size_t count = (size_t)grid->width * grid->height;
    search->grid = grid;
    search->cells = p2_arena_take(arena, count, sizeof(struct p2_path_cell));
    search->heap = p2_arena_take(arena, count, sizeof(uint64_t));
    search->known = p2_arena_take(arena, (count + 63) / 64, sizeof(uint64_t));
    return arena->failed ? P2C2R_KERNEL_ARENA_FULL : P2C2R_KERNEL_OK;
}

void p2_path_search_solve(struct p2_path_search *search, uint32_t start, uint32_t goal,
                          struct p2_path_length *ret_length)
{
    const uint32_t width = search->grid->width;
    memset(search->known, 0, ((size_t)width * search->grid->height + 63) / 64 * sizeof(uint64_t));
    search->heap_size = 0;
    search->goal = goal;
    search->goal_x = (int32_t)(goal % width);
    search->goal_y = (int32_t)(goal / width);
    search->known[start / 64] |= UINT64_C(1) << (start % 64);
    search->cells[start] = (struct p2_path_cell){.heap_at = P2_PATH_NOT_IN_HEAP};
    expand(search, start, 0xff, P2_PATH_FROM_START);
    while (search->heap_size > 0) {
        uint32_t cell = heap_pop(search);
        struct p2_path_cell *record = &search->cells[cell];
        if (cell == goal) {
            break;
        }
        unsigned pending = record->pending;
        record->pending = 0;
        for (; pending != 0; pending &= pending - 1) {
            unsigned in = (unsigned)__builtin_ctz(pending);
            expand(search, cell,
                   successors(search->grid, (int32_t)(cell % width), (int32_t)(cell / width), in),
                   in);
        }
    }
    struct p2_path_length length = {0, 0, 0};
    struct backtrack_run run = {backtrack_start(search), 0, 0};
    while (backtrack_run(&run)) {
        *(run.direction % 2 == 0 ? &length.straight : &length.diagonal) += run.steps;
        length.runs++;
    }
    *ret_length = length;
}

void p2_path_search_write(const struct p2_path_search *search, uint32_t runs, uint8_t *out)
{
    struct backtrack_run run = {backtrack_start(search), 0, 0};
    while (backtrack_run(&run)) {
        runs--;
        p2_store_le16(out + 2 * (size_t)runs, run_code(&run));
    }
}

bool p2_path_search_matches(const struct p2_path_search *search, uint32_t runs,
                            const uint8_t *bytes)
{
    struct backtrack_run run = {backtrack_start(search), 0, 0};
    while (backtrack_run(&run)) {
        runs--;
        if (p2_load_le16(bytes + 2 * (size_t)runs) != run_code(&run)) {
            return false;
        }
    }
    return true;
}

bool p2_path_turn_is_canonical(const struct p2_path_grid *grid, int32_t x, int32_t y, unsigned in,
                               unsigned out)
{
    return in != out && (successors(grid, x, y, in) >> out & 1) != 0;
}
