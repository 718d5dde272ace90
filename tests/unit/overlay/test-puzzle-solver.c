/* The puzzle solved in the background, kept and taken up again. */
#include "tests/unit/overlay/overlay_fixture.h"

#include "overlay/puzzle_solver.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uv_loop_t loop;
static struct p2_id key;
static struct p2_puzzle_solver *solver;
static unsigned solved, closed;
static uint64_t solution;

static void on_solved(uint64_t nonce, int stored, void *ctx)
{
    (void)ctx;
    solved++;
    solution = nonce;
    P2_ASSERT_ERROR(stored, P2_OK);
}

static void on_closed(void *ctx)
{
    (void)ctx;
    closed++;
}

static void close_inside(uint64_t nonce, int stored, void *ctx)
{
    on_solved(nonce, stored, ctx);
    p2_puzzle_solver_close(solver, on_closed, NULL);
}

static const struct p2_puzzle_solver_events events = {.on_solved = on_solved};
static const struct p2_puzzle_solver_events closing = {.on_solved = close_inside};

static void open_solver(const char *folder, uint8_t bits,
                        const struct p2_puzzle_solver_events *which)
{
    struct p2_identity identity;
    make_node(&identity, 1);
    key = id_of(&identity);
    solved = closed = 0;
    P2_ASSERT_EQUAL(uv_loop_init(&loop), 0);
    P2_ASSERT_ERROR(p2_puzzle_solver_open(&solver, &loop, folder, &key, bits, which, NULL), P2_OK);
    P2_ASSERT_EQUAL(solved, 0); /* never from inside */
}

static void finish(void)
{
    p2_puzzle_solver_close(solver, on_closed, NULL);
    P2_ASSERT_EQUAL(closed, 0);
    P2_ASSERT_EQUAL(uv_run(&loop, UV_RUN_DEFAULT), 0);
    P2_ASSERT_EQUAL(closed, 1);
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

static void a_solved_puzzle_is_stored_and_not_solved_again(void)
{
    const char *folder = p2_test_folder_make();
    char path[512];
    struct stat info;
    struct p2_puzzle other;
    open_solver(folder, 6, &events);
    P2_ASSERT_EQUAL(uv_run(&loop, UV_RUN_DEFAULT), 0);
    P2_ASSERT_EQUAL(solved, 1);
    CU_ASSERT(p2_puzzle_solver_is_solved(solver));
    P2_ASSERT_EQUAL(p2_puzzle_solver_progress_ppm(solver), 1000000);
    P2_ASSERT_ERROR(p2_puzzle_check(&key, solution, 6), P2_OK);
    finish();
    (void)snprintf(path, sizeof path, "%s/%s", folder, P2_PUZZLE_FILE);
    P2_ASSERT_EQUAL(stat(path, &info), 0);
    P2_ASSERT_EQUAL(info.st_mode & 0777, 0600);
    uint64_t first = solution;
    open_solver(folder, 6, &closing);
    P2_ASSERT_EQUAL(uv_run(&loop, UV_RUN_DEFAULT), 0); /* closed inside on_solved */
    P2_ASSERT_EQUAL(closed, 1);
    P2_ASSERT_EQUAL(solution, first);
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    /* A file that claims more than it holds is not believed. */
    uint8_t bytes[P2_PUZZLE_STORED_BYTES];
    p2_puzzle_begin(&other, &key, 6);
    other.is_solved = true;
    P2_ASSERT_ERROR(p2_puzzle_check(&key, other.nonce, 6), P2_E_NOT_ALLOWED);
    p2_puzzle_encode(bytes, &other);
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    P2_ASSERT_EQUAL(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    P2_ASSERT_EQUAL(fclose(file), 0);
    open_solver(folder, 6, &events);
    P2_ASSERT_EQUAL(uv_run(&loop, UV_RUN_DEFAULT), 0);
    P2_ASSERT_EQUAL(solution, first);
    finish();
    p2_test_folder_remove();
}

static void an_interrupted_solver_goes_on_where_it_was(void)
{
    const char *folder = p2_test_folder_make();
    char path[512];
    struct p2_span stored;
    struct p2_puzzle puzzle;
    open_solver(folder, P2_PUZZLE_BITS_MAX, &events);
    while (p2_puzzle_solver_progress_ppm(solver) == 0) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    finish();
    P2_ASSERT_EQUAL(solved, 0);
    (void)snprintf(path, sizeof path, "%s/%s", folder, P2_PUZZLE_FILE);
    uint8_t bytes[P2_PUZZLE_STORED_BYTES + 1];
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    stored = p2_span(bytes, fread(bytes, 1, sizeof bytes, file));
    (void)fclose(file);
    P2_ASSERT_ERROR(p2_puzzle_decode(&puzzle, stored), P2_OK);
    CU_ASSERT(puzzle.nonce >= 16 && !puzzle.is_solved);
    p2_test_folder_remove();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(a_solved_puzzle_is_stored_and_not_solved_again),
                           P2_TEST(an_interrupted_solver_goes_on_where_it_was), CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"puzzle solver", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
