/* Paths against hand-made maps, a plain Dijkstra search, and the MovingAI lists. */
#include "kernels/ai_pathfinding.h"
#include "kernels/harness.h"
#include "kernels/pack.h"
#include "kernels/path_search.h"
#include "kernels/tool/movingai.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static struct p2_harness *harness;

static int open_harness(void)
{
    return p2_crypto_init() == 0 ? p2_harness_open(&harness, &p2_kernel_ai_pathfinding) : -1;
}

static int close_harness(void)
{
    p2_harness_close(harness);
    return 0;
}

/* Loads a map drawn with '.' and '#', rows ended by '\n', and one query. */
static void load_drawing(const char *drawing, uint16_t sx, uint16_t sy, uint16_t gx, uint16_t gy)
{
    const size_t width = strcspn(drawing, "\n"), height = strlen(drawing) / (width + 1);
    const size_t bytes = (width + 7) / 8;
    uint8_t input[8 + 64 * 8 + 8] = {0};
    const uint16_t query[4] = {sx, sy, gx, gy};
    p2_store_le16(input, (uint16_t)width);
    p2_store_le16(input + 2, (uint16_t)height);
    p2_store_le16(input + 4, 1);
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            if (drawing[y * (width + 1) + x] == '.') {
                input[8 + y * bytes + x / 8] |= (uint8_t)(1u << (x % 8));
            }
        }
    }
    for (size_t i = 0; i < 4; i++) {
        p2_store_le16(input + 8 + height * bytes + 2 * i, query[i]);
    }
    P2_ASSERT_ERROR(p2_harness_load(harness, p2_span(input, 8 + height * bytes + 8), NULL, 0), 0);
}

/* Runs the loaded query; the result must have these numbers and runs, and pass the check. */
static void expect_path(uint32_t straight, uint32_t diagonal, const uint16_t *runs, uint32_t count)
{
    struct p2_span result = {NULL, 0};
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(result.size, 12 + 2 * count);
    if (result.size == 12 + 2 * (size_t)count) {
        P2_ASSERT_EQUAL(p2_load_le32(result.data), straight);
        P2_ASSERT_EQUAL(p2_load_le32(result.data + 4), diagonal);
        P2_ASSERT_EQUAL(p2_load_le32(result.data + 8), count);
        for (uint32_t i = 0; i < count; i++) {
            P2_ASSERT_EQUAL(p2_load_le16(result.data + 12 + 2 * (size_t)i), runs[i]);
        }
    }
    P2_ASSERT_EQUAL(p2_harness_check(harness, result, 1), P2C2R_KERNEL_OK);
}

#define RUN(direction, steps) (uint16_t)((direction)*8192 + (steps))

static void open_ground_is_crossed_diagonally_first(void)
{
    load_drawing("......\n......\n......\n......\n", 0, 0, 5, 3);
    expect_path(2, 3, (const uint16_t[]){RUN(P2_PATH_SE, 3), RUN(P2_PATH_E, 2)}, 2);
}

static void corners_are_never_cut(void)
{
    /* Around the wall's end the path must pass both cells beside the corner. */
    load_drawing("...\n##.\n...\n", 0, 0, 0, 2);
    expect_path(6, 0, (const uint16_t[]){RUN(P2_PATH_E, 2), RUN(P2_PATH_S, 2), RUN(P2_PATH_W, 2)},
                3);
    /* A diagonal gap between two walls is closed. */
    load_drawing(".#\n#.\n", 0, 0, 1, 1);
    expect_path(P2_PATH_NO_PATH, P2_PATH_NO_PATH, NULL, 0);
}

static void no_path_and_no_way_to_go_are_told_apart(void)
{
    load_drawing("..#..\n..#..\n", 0, 0, 4, 1);
    expect_path(P2_PATH_NO_PATH, P2_PATH_NO_PATH, NULL, 0);
    load_drawing("..#..\n..#..\n", 1, 1, 1, 1);
    expect_path(0, 0, NULL, 0);
    load_drawing("..#..\n..#..\n", 2, 1, 2, 1); /* start and goal in the same wall */
    expect_path(P2_PATH_NO_PATH, P2_PATH_NO_PATH, NULL, 0);
}

static void step_costs_are_a_convergent_of_the_root_of_two(void)
{
    /* Pell's equation p^2 - 2 q^2 = 1 holds exactly for convergents from above. */
    CU_ASSERT(P2_PATH_DIAGONAL_COST * P2_PATH_DIAGONAL_COST -
                  2 * P2_PATH_STRAIGHT_COST * P2_PATH_STRAIGHT_COST ==
              1);
    CU_ASSERT(P2_PATH_STRAIGHT_COST > P2_PATH_CELLS_MAX);
}

/* ---- another implementation: Dijkstra with a list, in doubles ---------------------------------- */

struct reference {
    int32_t width, height;
    const uint8_t *map;
    double distance[128 * 128];
    bool is_done[128 * 128];
};

static bool reference_is_open(const struct reference *r, int32_t x, int32_t y)
{
    return x >= 0 && y >= 0 && x < r->width && y < r->height &&
           (r->map[y * ((r->width + 7) / 8) + x / 8] >> (x % 8) & 1) != 0;
}

/* Distances from (sx, sy) to all cells, by relaxing until nothing changes (Bellman-Ford). */
static void reference_solve(struct reference *r, int32_t sx, int32_t sy)
{
    for (int32_t i = 0; i < r->width * r->height; i++) {
        r->distance[i] = 1e30;
    }
    if (!reference_is_open(r, sx, sy)) {
        return;
    }
    r->distance[sy * r->width + sx] = 0;
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (int32_t y = 0; y < r->height; y++) {
            for (int32_t x = 0; x < r->width; x++) {
                for (int32_t k = 0; k < 9; k++) {
                    const int32_t dx = k % 3 - 1, dy = k / 3 - 1;
                    const double step = dx != 0 && dy != 0 ? 1.4142135623730951 : 1.0;
                    double *to = &r->distance[y * r->width + x];
                    if (!reference_is_open(r, x, y) || !reference_is_open(r, x + dx, y + dy) ||
                        !reference_is_open(r, x + dx, y) || !reference_is_open(r, x, y + dy)) {
                        continue;
                    }
                    const double via = r->distance[(y + dy) * r->width + x + dx] + step;
                    if ((dx != 0 || dy != 0) && via < *to - 1e-9) {
                        *to = via;
                        is_changed = true;
                    }
                }
            }
        }
    }
}

static void lengths_are_those_of_a_plain_search(void)
{
    struct reference *r = malloc(sizeof *r);
    unsigned compared = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    for (uint32_t index = 0; index < 8; index++) {
        struct p2_span result = {NULL, 0};
        p2_harness_generate(harness, 77, index);
        const uint8_t *input = harness->test_case.input;
        r->width = p2_load_le16(input);
        r->height = p2_load_le16(input + 2);
        r->map = input + 8;
        if (r->width * r->height > 128 * 128) {
            continue;
        }
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
        const uint8_t *query = r->map + r->height * ((r->width + 7) / 8);
        for (uint32_t i = 0; i < 4; i++, query += 8) {
            const uint32_t straight = p2_load_le32(result.data + (size_t)i * 12);
            const uint32_t diagonal = p2_load_le32(result.data + (size_t)i * 12 + 4);
            reference_solve(r, p2_load_le16(query), p2_load_le16(query + 2));
            const double expected =
                r->distance[p2_load_le16(query + 6) * r->width + p2_load_le16(query + 4)];
            const double length =
                straight == P2_PATH_NO_PATH ? 1e30 : straight + diagonal * 1.4142135623730951;
            const double off = length - expected;
            CU_ASSERT(off < 1e-6 && off > -1e-6);
            compared++;
        }
    }
    free(r);
    CU_ASSERT(compared >= 12);
}

static void the_longest_winding_way_is_walked_to_its_end(void)
{
    /* Rows joined at alternating ends: 256 corridors of 512 cells; 255 joints of two steps. */
    uint8_t *input = harness->test_case.input;
    memset(input, 0xff, 8 + 512 * 64);
    p2_store_le16(input, 512);
    p2_store_le16(input + 2, 512);
    p2_store_le16(input + 4, 1);
    p2_store_le16(input + 6, 0);
    for (size_t y = 1; y < 512; y += 2) {
        memset(input + 8 + y * 64, 0, 64);
        if (y % 4 == 1) {
            input[8 + y * 64 + 63] = 0x80;
        } else {
            input[8 + y * 64] = 0x01;
        }
    }
    const uint16_t goal_x = 0; /* the last corridor, 510, is walked from east to west */
    uint8_t *query = input + 8 + 512 * 64;
    p2_store_le16(query, 0);
    p2_store_le16(query + 2, 0);
    p2_store_le16(query + 4, goal_x);
    p2_store_le16(query + 6, 510);
    harness->test_case.input_size = 8 + 512 * 64 + 8;
    struct p2_span result = {NULL, 0};
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(p2_load_le32(result.data), 256 * 511 + 255 * 2);
    P2_ASSERT_EQUAL(p2_load_le32(result.data + 4), 0);
    P2_ASSERT_EQUAL(p2_load_le32(result.data + 8), 256 + 255);
    P2_ASSERT_EQUAL(p2_harness_check(harness, result, 3), P2C2R_KERNEL_OK);
}

/* ---- check ---------------------------------------------------------------------------------- */

static void a_false_no_path_is_always_refused(void)
{
    static const uint8_t no_path[12] = {255, 255, 255, 255, 255, 255, 255, 255};
    load_drawing(".....\n.###.\n.....\n", 0, 0, 4, 2);
    for (uint64_t secret = 0; secret < 50; secret++) {
        P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(no_path, 12), secret),
                        P2C2R_KERNEL_BAD_RESULT);
    }
}

static void an_equally_long_path_in_another_order_is_refused(void)
{
    /* E before SE in open ground: as long, but not canonical. */
    uint8_t bytes[16] = {2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0};
    p2_store_le16(bytes + 12, RUN(P2_PATH_E, 2));
    p2_store_le16(bytes + 14, RUN(P2_PATH_SE, 3));
    load_drawing("......\n......\n......\n......\n", 0, 0, 5, 3);
    P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(bytes, 16), 5), P2C2R_KERNEL_BAD_RESULT);
}

static void a_detour_around_the_wrong_side_is_refused_when_its_query_is_solved_again(void)
{
    /* The short way is by the north (row 0), the long one by the south; both are canonical. */
    uint8_t bytes[12 + 6] = {0};
    load_drawing(".....\n..#..\n..#..\n.....\n", 1, 1, 3, 1);
    expect_path(4, 0, (const uint16_t[]){RUN(P2_PATH_N, 1), RUN(P2_PATH_E, 2), RUN(P2_PATH_S, 1)},
                3);
    p2_store_le32(bytes, 6);
    p2_store_le32(bytes + 8, 3);
    p2_store_le16(bytes + 12, RUN(P2_PATH_S, 2));
    p2_store_le16(bytes + 14, RUN(P2_PATH_E, 2));
    p2_store_le16(bytes + 16, RUN(P2_PATH_N, 2));
    P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(bytes, 18), 5), P2C2R_KERNEL_BAD_RESULT);
}

static void damaged_inputs_end_in_bad_input_or_a_checked_result(void)
{
    p2_harness_generate(harness, 5, 6);
    const size_t size = harness->test_case.input_size;
    struct p2_rng rng;
    p2_rng_init_u64(&rng, 1, "damaged inputs");
    for (size_t cut = 0; cut < size; cut += 1 + cut / 16) {
        harness->test_case.input_size = cut;
        struct p2_span result;
        P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_BAD_INPUT);
        P2_ASSERT_EQUAL(p2_harness_check(harness, p2_span(NULL, 0), 0), P2C2R_KERNEL_BAD_INPUT);
        P2_ASSERT_EQUAL(p2_harness_cost(harness), 0);
    }
    harness->test_case.input_size = size;
    for (unsigned i = 0; i < 300; i++) {
        const size_t at = i < 64 ? i / 8 : (size_t)p2_rng_below(&rng, size);
        const uint8_t bit = (uint8_t)(1u << (i % 8));
        struct p2_span result;
        harness->test_case.input[at] ^= bit;
        const int status = p2_harness_run(harness, &result);
        CU_ASSERT(status == P2C2R_KERNEL_BAD_INPUT || status == P2C2R_KERNEL_OK);
        CU_ASSERT((p2_harness_cost(harness) > 0) == (status == P2C2R_KERNEL_OK));
        if (status == P2C2R_KERNEL_OK) {
            P2_ASSERT_EQUAL(p2_harness_check(harness, result, i), P2C2R_KERNEL_OK);
        }
        harness->test_case.input[at] ^= bit;
    }
}

static void no_byte_is_written_beyond_a_small_output(void)
{
    uint8_t output[64];
    load_drawing("......\n......\n......\n......\n", 0, 0, 5, 3);
    for (size_t capacity = 0; capacity < 16; capacity++) {
        size_t size = 0;
        const struct p2c2r_kernel_args args = {
            .input = {harness->test_case.input, harness->test_case.input_size},
            .output = output,
            .output_capacity = capacity,
            .arena = harness->arena,
            .arena_size = p2_kernel_ai_pathfinding.arena_bytes,
        };
        memset(output, 0x77, sizeof output);
        P2_ASSERT_EQUAL(p2_kernel_ai_pathfinding.run(&args, &size), P2C2R_KERNEL_OUTPUT_FULL);
        CU_ASSERT(output[capacity] == 0x77 && size == 0);
    }
}

/* ---- MovingAI ------------------------------------------------------------------------------- */

static void agree_with_list(const char *map_name, const char *list_name)
{
    struct p2_movingai_report report = {0, 0, 0};
    const struct p2_span map = p2_test_data_read(map_name);
    const struct p2_span list = p2_test_data_read(list_name);
    P2_ASSERT_ERROR(p2_movingai_compare(map, list, 320, &report), 0);
    P2_ASSERT_EQUAL(report.lines, 320);
    P2_ASSERT_EQUAL(report.agree, 320);
    P2_ASSERT_EQUAL(report.refused, 0);
    free((void *)(uintptr_t)map.data);
    free((void *)(uintptr_t)list.data);
}

static void lengths_agree_with_the_movingai_lists(void)
{
    agree_with_list("movingai/AR0011SR.map", "movingai/AR0011SR.map.scen");
    agree_with_list("movingai/AR0205SR.map", "movingai/AR0205SR.map.scen");
    agree_with_list("movingai/AR0400SR.map", "movingai/AR0400SR.map.scen");
}

static void a_wrong_length_in_a_list_is_noticed(void)
{
    static const char map[] = "type octile\nheight 2\nwidth 3\nmap\n...\n..@\n";
    static const char right[] = "version 1.0\n0 m 3 2 0 0 1 1 1.41\n0 m 3 2 0 0 2 0 2.00\n";
    static const char wrong[] = "version 1.0\n0 m 3 2 0 0 1 1 1.41\n0 m 3 2 0 0 2 0 2.05\n";
    static const char broken[] = "version 1.0\n0 m 3 2 0 0 one 1 1.41\n";
    struct p2_movingai_report report = {0, 0, 0};
    const struct p2_span map_text = p2_span(map, sizeof map - 1);
    P2_ASSERT_ERROR(p2_movingai_compare(map_text, p2_span(right, sizeof right - 1), 0, &report), 0);
    P2_ASSERT_EQUAL(report.agree, 2);
    P2_ASSERT_ERROR(p2_movingai_compare(map_text, p2_span(wrong, sizeof wrong - 1), 0, &report), 0);
    P2_ASSERT_EQUAL(report.agree, 1);
    P2_ASSERT_ERROR(p2_movingai_compare(map_text, p2_span(broken, sizeof broken - 1), 0, &report),
                    P2_E_MALFORMED);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(open_ground_is_crossed_diagonally_first),
        P2_TEST(corners_are_never_cut),
        P2_TEST(no_path_and_no_way_to_go_are_told_apart),
        P2_TEST(step_costs_are_a_convergent_of_the_root_of_two),
        P2_TEST(lengths_are_those_of_a_plain_search),
        P2_TEST(the_longest_winding_way_is_walked_to_its_end),
        P2_TEST(a_false_no_path_is_always_refused),
        P2_TEST(an_equally_long_path_in_another_order_is_refused),
        P2_TEST(a_detour_around_the_wrong_side_is_refused_when_its_query_is_solved_again),
        P2_TEST(damaged_inputs_end_in_bad_input_or_a_checked_result),
        P2_TEST(no_byte_is_written_beyond_a_small_output),
        P2_TEST(lengths_agree_with_the_movingai_lists),
        P2_TEST(a_wrong_length_in_a_list_is_noticed),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"ai_pathfinding", open_harness, close_harness, NULL, NULL, tests},
                             CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
