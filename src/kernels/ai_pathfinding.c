/* The kernel around the path search: layouts, check and cost. */
#include "kernels/ai_pathfinding.h"

#include "kernels/path_search.h"

#include <string.h>

/* Of all queries, one and every eighth are solved again by a check. Chosen: the check then costs
 * about a quarter of the run. */
#define RESOLVED_EACH 8u

/* ---- input ---------------------------------------------------------------------------------- */

struct job {
    uint32_t width, height, queries;
    const uint8_t *map;
    const uint8_t *query; /* query[queries * P2_PATH_QUERY_BYTES] */
};

struct query {
    uint32_t start_x, start_y, goal_x, goal_y;
};

static struct query query_at(const struct job *job, uint32_t index)
{
    const uint8_t *p = job->query + (size_t)index * P2_PATH_QUERY_BYTES;
    return (struct query){p2_load_le16(p), p2_load_le16(p + 2), p2_load_le16(p + 4),
                          p2_load_le16(p + 6)};
}

static int parse(struct p2c2r_bytes input, struct job *ret_job)
{
    struct p2_unpack in = p2_unpack_start(input);
    struct job job = {0};
    job.width = p2_unpack_u16(&in);
    job.height = p2_unpack_u16(&in);
    job.queries = p2_unpack_u16(&in);
    const uint16_t zero = p2_unpack_u16(&in);
    if (in.failed || zero != 0 || job.width == 0 || job.width > P2_PATH_SIDE_MAX ||
        job.height == 0 || job.height > P2_PATH_SIDE_MAX || job.queries == 0 ||
        job.queries > P2_PATH_QUERIES_MAX ||
        job.queries * job.width > P2_PATH_WORK_MAX / job.height) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    job.map = p2_unpack_bytes(&in, (size_t)job.height * ((job.width + 7) / 8));
    job.query = p2_unpack_bytes(&in, (size_t)job.queries * P2_PATH_QUERY_BYTES);
    if (!p2_unpack_done(&in)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    for (uint32_t i = 0; i < job.queries; i++) {
        const struct query query = query_at(&job, i);
        if (query.start_x >= job.width || query.goal_x >= job.width ||
            query.start_y >= job.height || query.goal_y >= job.height) {
            return P2C2R_KERNEL_BAD_INPUT;
        }
    }
    if (!p2_path_map_is_clean(job.width, job.height, job.map)) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    *ret_job = job;
    return P2C2R_KERNEL_OK;
}

/* Input, planes and search memory of one call. */
struct solver {
    struct job job;
    struct p2_path_grid grid;
    struct p2_path_search search;
};

static int solver_init(struct solver *solver, const struct p2c2r_kernel_args *args)
{
    struct p2_arena arena = p2_arena_start(args->arena, args->arena_size);
    int status = args->blob_count == 0 ? parse(args->input, &solver->job) : P2C2R_KERNEL_BAD_INPUT;
    if (status == P2C2R_KERNEL_OK) {
        status = p2_path_grid_build(&solver->grid, &arena, solver->job.width, solver->job.height,
                                    solver->job.map);
    }
    if (status == P2C2R_KERNEL_OK) {
        status = p2_path_search_init(&solver->search, &solver->grid, &arena);
    }
    return status;
}

/* Is there a path, by the components of the map? */
static bool is_reachable(const struct p2_path_grid *grid, const struct query *query)
{
    const uint32_t component = p2_path_component(grid, query->start_x, query->start_y);
    return component != P2_PATH_NO_COMPONENT &&
           component == p2_path_component(grid, query->goal_x, query->goal_y);
}

/* The result of one query; its runs can be written until the next call. */
static struct p2_path_length solve(struct solver *solver, uint32_t index)
{
    const struct query query = query_at(&solver->job, index);
    const uint32_t width = solver->job.width;
    const uint32_t start = query.start_y * width + query.start_x;
    const uint32_t goal = query.goal_y * width + query.goal_x;
    struct p2_path_length length = {0, 0, 0};
    if (!is_reachable(&solver->grid, &query)) {
        return (struct p2_path_length){P2_PATH_NO_PATH, P2_PATH_NO_PATH, 0};
    }
    if (start != goal) {
        p2_path_search_solve(&solver->search, start, goal, &length);
    }
    return length;
}

static int path_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    struct solver solver;
    int status = solver_init(&solver, args);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    struct p2_pack summary = p2_pack_start(args->output, args->output_capacity);
    uint8_t *table = p2_pack_space(&summary, (size_t)solver.job.queries * P2_PATH_SUMMARY_BYTES);
    for (uint32_t i = 0; i < solver.job.queries && !summary.failed; i++) {
        const struct p2_path_length length = solve(&solver, i);
        uint8_t *row = table + (size_t)i * P2_PATH_SUMMARY_BYTES;
        uint8_t *runs = p2_pack_space(&summary, (size_t)2 * length.runs);
        p2_store_le32(row, length.straight);
        p2_store_le32(row + 4, length.diagonal);
        p2_store_le32(row + 8, length.runs);
        if (runs != NULL && length.runs > 0) {
            p2_path_search_write(&solver.search, length.runs, runs);
        }
    }
    if (summary.failed) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    *ret_size = summary.size;
    return P2C2R_KERNEL_OK;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* Walks one run. False when it leaves the open cells or cuts a corner. */
static bool walk_run(const struct p2_path_grid *grid, int32_t *x, int32_t *y, unsigned direction,
                     uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        if (!p2_path_step_is_legal(grid, *x, *y, direction)) {
            return false;
        }
        *x += p2_path_dx[direction];
        *y += p2_path_dy[direction];
    }
    return true;
}

/* Is the claimed path legal, canonical at every turn, and as long as it says? */
static bool path_is_sound(const struct p2_path_grid *grid, const struct query *query,
                          const struct p2_path_length *claim, const uint8_t *runs)
{
    int32_t x = (int32_t)query->start_x, y = (int32_t)query->start_y;
    uint64_t steps[2] = {0, 0};
    unsigned before = P2_PATH_DIRECTIONS;
    /* A canonical path visits a cell at most once, so this also bounds the walk. */
    const uint64_t steps_max = (uint64_t)grid->width * grid->height;
    for (uint32_t i = 0; i < claim->runs; i++) {
        const uint16_t run = p2_load_le16(runs + 2 * (size_t)i);
        const unsigned direction = run >> 13;
        const uint32_t length = run & 8191;
        if (length == 0 || (before < P2_PATH_DIRECTIONS &&
                            !p2_path_turn_is_canonical(grid, x, y, before, direction))) {
            return false;
        }
        steps[direction % 2] += length;
        if (steps[0] + steps[1] > steps_max || !walk_run(grid, &x, &y, direction, length)) {
            return false;
        }
        before = direction;
    }
    return x == (int32_t)query->goal_x && y == (int32_t)query->goal_y &&
           steps[0] == claim->straight && steps[1] == claim->diagonal;
}

/* Checks all claims without solving; fills first[i] with the place of the runs of query i. */
static bool claims_are_sound(const struct solver *solver, struct p2c2r_bytes result, size_t *first)
{
    struct p2_unpack in = p2_unpack_start(result);
    const uint8_t *table =
        p2_unpack_bytes(&in, (size_t)solver->job.queries * P2_PATH_SUMMARY_BYTES);
    for (uint32_t i = 0; i < solver->job.queries && table != NULL; i++) {
        const struct query query = query_at(&solver->job, i);
        const uint8_t *row = table + (size_t)i * P2_PATH_SUMMARY_BYTES;
        const struct p2_path_length claim = {p2_load_le32(row), p2_load_le32(row + 4),
                                             p2_load_le32(row + 8)};
        first[i] = result.size - in.left;
        const uint8_t *runs = p2_unpack_bytes(&in, (size_t)2 * claim.runs);
        if (runs == NULL) {
            return false;
        }
        if (!is_reachable(&solver->grid, &query)) {
            if (claim.straight != P2_PATH_NO_PATH || claim.diagonal != P2_PATH_NO_PATH ||
                claim.runs != 0) {
                return false;
            }
        } else if (!path_is_sound(&solver->grid, &query, &claim, runs)) {
            return false;
        }
    }
    return table != NULL && p2_unpack_done(&in);
}

/* Solves query `index` again and compares; the result's claims are sound. */
static bool query_is_optimal(struct solver *solver, struct p2c2r_bytes result, uint32_t index,
                             size_t first)
{
    const uint8_t *row = result.data + (size_t)index * P2_PATH_SUMMARY_BYTES;
    const struct p2_path_length length = solve(solver, index);
    return p2_load_le32(row) == length.straight && p2_load_le32(row + 4) == length.diagonal &&
           p2_load_le32(row + 8) == length.runs &&
           (length.runs == 0 ||
            p2_path_search_matches(&solver->search, length.runs, result.data + first));
}

static int path_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                      uint64_t secret)
{
    struct solver solver;
    size_t first[P2_PATH_QUERIES_MAX];
    int status = solver_init(&solver, args);
    if (status != P2C2R_KERNEL_OK) {
        return status;
    }
    if (!claims_are_sound(&solver, result, first)) {
        return P2C2R_KERNEL_BAD_RESULT;
    }
    struct p2_kernel_random random = {secret};
    for (uint32_t i = 0; i < 1 + solver.job.queries / RESOLVED_EACH; i++) {
        const uint32_t index = p2_kernel_random_below(&random, solver.job.queries);
        if (!query_is_optimal(&solver, result, index, first[index])) {
            return P2C2R_KERNEL_BAD_RESULT;
        }
    }
    return P2C2R_KERNEL_OK;
}

/* ---- cost ----------------------------------------------------------------------------------- */

/* What the cost model looks at: how broken up the map is, and how many walls lie in the way. */
struct terrain {
    uint64_t open;    /* passable cells */
    uint64_t edges;   /* changes between open and wall along rows */
    uint64_t corners; /* ends of such changes down the columns: where jump points are */
};

static uint64_t map_word(const uint8_t *row, size_t bytes, size_t at)
{
    uint64_t word = 0;
    for (size_t i = at; i < bytes && i < at + 8; i++) {
        word |= (uint64_t)row[i] << (8 * (i - at));
    }
    return word;
}

static struct terrain survey(const struct job *job)
{
    struct terrain terrain = {0, 0, 0};
    const size_t bytes = (job->width + 7) / 8;
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t edges_above = 0;
        for (uint32_t y = 0; y < job->height; y++) {
            const uint64_t cells = map_word(job->map + y * bytes, bytes, at);
            const uint64_t edges = (cells ^ cells >> 1) & (UINT64_MAX >> 1);
            terrain.open += (uint64_t)__builtin_popcountll(cells);
            terrain.edges += (uint64_t)__builtin_popcountll(edges);
            terrain.corners += y > 0 ? (uint64_t)__builtin_popcountll(edges ^ edges_above) : 0;
            edges_above = edges;
        }
    }
    return terrain;
}

static bool map_is_open(const struct job *job, uint32_t x, uint32_t y)
{
    return job->map[(size_t)y * ((job->width + 7) / 8) + x / 8] >> (x % 8) & 1;
}

/* How often the straight line from start to goal enters a wall; 0 as well when an end lies in one,
 * for such a query costs nothing. */
static uint32_t walls_between(const struct job *job, const struct query *query)
{
    const int32_t dx = (int32_t)query->goal_x - (int32_t)query->start_x;
    const int32_t dy = (int32_t)query->goal_y - (int32_t)query->start_y;
    const int32_t longer_x = dx < 0 ? -dx : dx, longer_y = dy < 0 ? -dy : dy;
    const int32_t steps = longer_x > longer_y ? longer_x : longer_y;
    uint32_t walls = 0;
    bool was_open = true;
    if (!map_is_open(job, query->start_x, query->start_y) ||
        !map_is_open(job, query->goal_x, query->goal_y)) {
        return 0;
    }
    for (int32_t i = 1; i < steps; i++) {
        const bool is_open = map_is_open(job, (uint32_t)((int32_t)query->start_x + dx * i / steps),
                                         (uint32_t)((int32_t)query->start_y + dy * i / steps));
        walls += was_open && !is_open;
        was_open = is_open;
    }
    return walls;
}

/* A linear model in nanoseconds, fitted (least squares of the logarithm) to 1,600 generated cases:
 * building the planes; per query with a wall in its way a share of the map's corners and of those
 * in the square of its length; per wall in the way the scans around it, longer in open maps. */
static uint64_t path_cost(struct p2c2r_bytes input, const struct p2c2r_bytes *blobs,
                          uint32_t blob_count)
{
    struct job job;
    (void)blobs;
    if (blob_count != 0 || parse(input, &job) != P2C2R_KERNEL_OK) {
        return 0;
    }
    const struct terrain terrain = survey(&job);
    const uint64_t area = (uint64_t)job.width * job.height;
    uint64_t blocked = 0, walls = 0, squares = 0;
    for (uint32_t i = 0; i < job.queries; i++) {
        const struct query query = query_at(&job, i);
        const uint32_t in_the_way = walls_between(&job, &query);
        if (in_the_way > 0) {
            const int64_t dx = (int64_t)query.goal_x - query.start_x;
            const int64_t dy = (int64_t)query.goal_y - query.start_y;
            blocked++;
            walls += in_the_way;
            squares += (uint64_t)(dx * dx + dy * dy);
        }
    }
    const uint64_t nanoseconds = 1000 + area * 47 / 100 + blocked * terrain.corners * 45 / 100 +
                                 squares * terrain.corners / area * 27 / 10 + walls * 404 +
                                 walls * terrain.open * 9 / (terrain.edges + job.width);
    return (nanoseconds + nanoseconds / 16 + 999) / 1000;
}

const struct p2c2r_kernel p2_kernel_ai_pathfinding = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "ai_pathfinding",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .privacy = P2C2R_KERNEL_P0,
    .arena_bytes = P2_PATH_GRID_BYTES + P2_PATH_SEARCH_BYTES,
    .input_max = P2_PATH_HEADER_BYTES + P2_PATH_CELLS_MAX / 8 +
                 (size_t)P2_PATH_QUERIES_MAX * P2_PATH_QUERY_BYTES,
    .output_max = P2C2R_OUTPUT_MAX,
    .blobs_max = 0,
    .blob_max = 0,
    .check_bound_us = 5000,
    .run = path_run,
    .check = path_check,
    .cost = path_cost,
    .canonical = NULL,
    .generate = p2_path_generate,
};
