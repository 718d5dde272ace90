/* Bit planes and components of a walk grid. */
#include "kernels/path_grid.h"

#include <string.h>

const int8_t p2_path_dx[P2_PATH_DIRECTIONS] = {1, 1, 0, -1, -1, -1, 0, 1};
const int8_t p2_path_dy[P2_PATH_DIRECTIONS] = {0, 1, 1, 1, 0, -1, -1, -1};

/* ---- planes --------------------------------------------------------------------------------- */

/* 64 cells of a row from byte `first` on; bytes beyond `bytes` read as 0 (wall). */
static uint64_t load_cells(const uint8_t *row, size_t bytes, size_t first)
{
    uint64_t cells = 0;
    if (first + 8 <= bytes) {
        return p2_load_le64(row + first);
    }
    for (size_t i = first; i < bytes; i++) {
        cells |= (uint64_t)row[i] << (8 * (i - first));
    }
    return cells;
}

/* Fills the row plane. */
static void build_rows(struct p2_path_grid *grid, const uint8_t *map)
{
    const size_t bytes = (grid->width + 7) / 8;
    const size_t words = grid->row_words;
    memset(grid->rows, 0xff, words * sizeof(uint64_t));
    for (uint32_t y = 0; y < grid->height; y++) {
        const uint8_t *row = map + y * bytes;
        uint64_t *line = grid->rows + (y + 1) * words;
        uint64_t before = 0;
        for (size_t i = 0; i < words; i++) {
            uint64_t cells = load_cells(row, bytes, 8 * i);
            line[i] = ~(cells << 1 | before >> 63);
            before = cells;
        }
    }
    memset(grid->rows + (grid->height + 1) * words, 0xff, words * sizeof(uint64_t));
}

/* Transposes 64 words of 64 bits in place: bit c of word r becomes bit r of word c. By halves, as
 * in Warren, Hacker's Delight, 2nd edition, 7-3. */
static void transpose64(uint64_t block[64])
{
    uint64_t mask = UINT64_C(0x00000000ffffffff);
    for (unsigned half = 32; half != 0; half >>= 1, mask ^= mask << half) {
        for (unsigned row = 0; row < 64; row = ((row | half) + 1) & ~half) {
            uint64_t swap = (block[row] >> half ^ block[row | half]) & mask;
            block[row] ^= swap << half;
            block[row | half] ^= swap;
        }
    }
}

static void build_columns(struct p2_path_grid *grid)
{
    const uint32_t row_lines = grid->height + 2, column_lines = grid->width + 2;
    for (uint32_t j = 0; j < grid->row_words; j++) {
        for (uint32_t i = 0; i < grid->column_words; i++) {
            uint64_t block[64];
            for (uint32_t k = 0; k < 64; k++) {
                uint32_t line = 64 * i + k;
                block[k] =
                    line < row_lines ? grid->rows[(size_t)line * grid->row_words + j] : UINT64_MAX;
            }
            transpose64(block);
            for (uint32_t k = 0; k < 64 && 64 * j + k < column_lines; k++) {
                grid->columns[(size_t)(64 * j + k) * grid->column_words + i] = block[k];
            }
        }
    }
}

/* Open cells of a line whose predecessor (in the sense of travel) is a wall: where a wall ends. */
static uint64_t wall_ends(const uint64_t *line, size_t words, size_t i, bool is_forward)
{
    uint64_t before = 0;
    if (is_forward) {
        before = line[i] << 1 | (i > 0 ? line[i - 1] >> 63 : 1);
    } else {
        before = line[i] >> 1 | (i + 1 < words ? line[i + 1] << 63 : UINT64_C(1) << 63);
    }
    return before & ~line[i];
}

/* Fills two stop planes, travelling to rising and to falling bits, from one wall plane. */
static void build_stops(const uint64_t *walls, uint32_t lines, uint32_t words, uint64_t *forward,
                        uint64_t *backward)
{
    const size_t total = (size_t)lines * words;
    memcpy(forward, walls, total * sizeof(uint64_t));
    memcpy(backward, walls, total * sizeof(uint64_t));
    for (uint32_t line = 1; line + 1 < lines; line++) {
        const uint64_t *above = walls + (size_t)(line - 1) * words;
        const uint64_t *below = walls + (size_t)(line + 1) * words;
        for (uint32_t i = 0; i < words; i++) {
            size_t at = (size_t)line * words + i;
            forward[at] |= wall_ends(above, words, i, true) | wall_ends(below, words, i, true);
            backward[at] |= wall_ends(above, words, i, false) | wall_ends(below, words, i, false);
        }
    }
}

/* ---- components ----------------------------------------------------------------------------- */

static uint32_t find_root(const struct p2_path_run *runs, uint32_t run)
{
    while (runs[run].parent != run) {
        run = runs[run].parent;
    }
    return run;
}

/* Joins two components; the smaller index stays root. Paths are halved on the way. */
static void join(struct p2_path_run *runs, uint32_t a, uint32_t b)
{
    uint32_t ends[2] = {a, b};
    for (unsigned i = 0; i < 2; i++) {
        while (runs[ends[i]].parent != ends[i]) {
            runs[ends[i]].parent = runs[runs[ends[i]].parent].parent;
            ends[i] = runs[ends[i]].parent;
        }
    }
    if (ends[0] < ends[1]) {
        runs[ends[1]].parent = ends[0];
    } else {
        runs[ends[0]].parent = ends[1];
    }
}

/* Appends the runs of open cells of row y. Returns the new number of runs. */
static uint32_t append_runs(struct p2_path_grid *grid, uint32_t y, uint32_t count)
{
    const uint64_t *line = grid->rows + (size_t)(y + 1) * grid->row_words;
    bool is_open = false;
    for (uint32_t i = 0; i < grid->row_words; i++) {
        /* Bits where open and wall change; `carry` is the state of the bit before. */
        uint64_t open = ~line[i];
        uint64_t edges = open ^ (open << 1 | (is_open ? 1 : 0));
        while (edges != 0) {
            uint32_t x = 64 * i + (uint32_t)__builtin_ctzll(edges) - 1;
            edges &= edges - 1;
            if (is_open) {
                grid->runs[count - 1].last = (uint16_t)(x - 1);
            } else {
                grid->runs[count] = (struct p2_path_run){(uint16_t)x, (uint16_t)x, count};
                count++;
            }
            is_open = !is_open;
        }
    }
    return count;
}

/* Joins the runs of two neighbouring rows that share a column. A legal diagonal step implies two
 * legal straight ones, so components are those of 4-connectivity. */
static void join_rows(struct p2_path_grid *grid, uint32_t y)
{
    uint32_t a = grid->row_runs[y - 1], b = grid->row_runs[y];
    while (a < grid->row_runs[y] && b < grid->row_runs[y + 1]) {
        const struct p2_path_run *upper = &grid->runs[a], *lower = &grid->runs[b];
        if (upper->first <= lower->last && lower->first <= upper->last) {
            join(grid->runs, a, b);
        }
        if (upper->last < lower->last) {
            a++;
        } else {
            b++;
        }
    }
}

static void build_components(struct p2_path_grid *grid)
{
    uint32_t count = 0;
    for (uint32_t y = 0; y < grid->height; y++) {
        grid->row_runs[y] = count;
        count = append_runs(grid, y, count);
    }
    grid->row_runs[grid->height] = count;
    for (uint32_t y = 1; y < grid->height; y++) {
        join_rows(grid, y);
    }
    for (uint32_t i = 0; i < count; i++) {
        grid->runs[i].parent = find_root(grid->runs, i);
    }
}

/* ---- public --------------------------------------------------------------------------------- */

bool p2_path_map_is_clean(uint32_t width, uint32_t height, const uint8_t *map)
{
    const size_t bytes = (width + 7) / 8;
    const unsigned used = width % 8;
    unsigned beyond = 0;
    for (uint32_t y = 0; y < height && used != 0; y++) {
        beyond |= (unsigned)map[y * bytes + bytes - 1] >> used;
    }
    return beyond == 0;
}

int p2_path_grid_build(struct p2_path_grid *grid, struct p2_arena *arena, uint32_t width,
                       uint32_t height, const uint8_t *map)
{
    if (width == 0 || height == 0 || width > P2_PATH_SIDE_MAX || height > P2_PATH_SIDE_MAX ||
        !p2_path_map_is_clean(width, height, map)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    grid->width = width;
    grid->height = height;
    grid->row_words = (width + 2 + 63) / 64;
    grid->column_words = (height + 2 + 63) / 64;
    const size_t row_plane = (size_t)(height + 2) * grid->row_words;
    const size_t column_plane = (size_t)(width + 2) * grid->column_words;
    grid->rows = p2_arena_take(arena, row_plane, sizeof(uint64_t));
    grid->columns = p2_arena_take(arena, column_plane, sizeof(uint64_t));
    for (unsigned i = 0; i < 4; i++) {
        grid->stops[i] =
            p2_arena_take(arena, i % 2 == 0 ? row_plane : column_plane, sizeof(uint64_t));
    }
    grid->runs =
        p2_arena_take(arena, (size_t)height * ((width + 1) / 2), sizeof(struct p2_path_run));
    grid->row_runs = p2_arena_take(arena, height + 1, sizeof(uint32_t));
    if (arena->failed) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    build_rows(grid, map);
    build_columns(grid);
    build_stops(grid->rows, height + 2, grid->row_words, grid->stops[0], grid->stops[2]);
    build_stops(grid->columns, width + 2, grid->column_words, grid->stops[1], grid->stops[3]);
    build_components(grid);
    return P2C2R_KERNEL_OK;
}

bool p2_path_step_is_legal(const struct p2_path_grid *grid, int32_t x, int32_t y,
                           unsigned direction)
{
    const int32_t dx = p2_path_dx[direction], dy = p2_path_dy[direction];
    if (p2_path_is_wall(grid, x + dx, y + dy)) {
        return false;
    }
    return direction % 2 == 0 ||
           (!p2_path_is_wall(grid, x + dx, y) && !p2_path_is_wall(grid, x, y + dy));
}

uint32_t p2_path_component(const struct p2_path_grid *grid, uint32_t x, uint32_t y)
{
    uint32_t low = grid->row_runs[y], high = grid->row_runs[y + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct p2_path_run *run = &grid->runs[middle];
        if (x > run->last) {
            low = middle + 1;
        } else if (x < run->first) {
            high = middle;
        } else {
            return run->parent;
        }
    }
    return P2_PATH_NO_COMPONENT;
}
