/* Realistic cases for ai_pathfinding: five kinds of maps, and queries as a crowd would ask them. */
#include "kernels/ai_pathfinding.h"
#include "kernels/path_grid.h"

#include <string.h>

/* Every draw is a statement of its own: C leaves the order of a call's arguments open, and cases
 * must be the same from every compiler.
 *
 * Cells are drawn as bytes (1 = passable) behind the packed input, then packed. */
struct canvas {
    uint8_t *cells;
    int32_t width, height;
    struct p2_kernel_random *random;
};

static uint32_t below(const struct canvas *canvas, int32_t bound)
{
    return p2_kernel_random_below(canvas->random, (uint32_t)bound);
}

static void fill(const struct canvas *canvas, int32_t x, int32_t y, int32_t width, int32_t height,
                 uint8_t value)
{
    for (int32_t j = y < 0 ? 0 : y; j < y + height && j < canvas->height; j++) {
        for (int32_t i = x < 0 ? 0 : x; i < x + width && i < canvas->width; i++) {
            canvas->cells[j * canvas->width + i] = value;
        }
    }
}

/* An open field with rocks and tree trunks. */
static void draw_field(const struct canvas *canvas)
{
    const int32_t area = canvas->width * canvas->height;
    const int32_t percent = 2 + (int32_t)below(canvas, 18);
    fill(canvas, 0, 0, canvas->width, canvas->height, 1);
    for (int32_t left = area / 100 * percent; left > 0;) {
        const int32_t width = 1 + (int32_t)below(canvas, 3);
        const int32_t height = 1 + (int32_t)below(canvas, 3);
        const int32_t x = (int32_t)below(canvas, canvas->width);
        const int32_t y = (int32_t)below(canvas, canvas->height);
        fill(canvas, x, y, width, height, 0);
        left -= width * height;
    }
}

/* Rooms on a grid of walls, each wall with a door or none. */
static void draw_rooms(const struct canvas *canvas)
{
    const int32_t room = 8 + (int32_t)below(canvas, 17);
    fill(canvas, 0, 0, canvas->width, canvas->height, 1);
    for (int32_t y = 0; y < canvas->height; y += room) {
        for (int32_t x = 0; x < canvas->width; x += room) {
            fill(canvas, x, y, room, 1, 0);
            fill(canvas, x, y, 1, room, 0);
            if (below(canvas, 20) != 0) {
                fill(canvas, x + 1 + (int32_t)below(canvas, room - 3), y, 2, 1, 1);
            }
            if (below(canvas, 20) != 0) {
                fill(canvas, x, y + 1 + (int32_t)below(canvas, room - 3), 1, 2, 1);
            }
        }
    }
}

/* Houses of several sizes with streets between them, each with a doorway. */
static void draw_town(const struct canvas *canvas)
{
    const int32_t houses = canvas->width * canvas->height / (150 + (int32_t)below(canvas, 250));
    fill(canvas, 0, 0, canvas->width, canvas->height, 1);
    for (int32_t i = 0; i < houses; i++) {
        const int32_t width = 5 + (int32_t)below(canvas, 10);
        const int32_t height = 5 + (int32_t)below(canvas, 10);
        const int32_t x = (int32_t)below(canvas, canvas->width);
        const int32_t y = (int32_t)below(canvas, canvas->height);
        fill(canvas, x, y, width, height, 0);
        fill(canvas, x + 1, y + 1, width - 2, height - 2, 1);
        fill(canvas, x + 1 + (int32_t)below(canvas, width - 2), y + height - 1, 1, 1, 1);
    }
}

/* Caves: noise smoothed by the rule "a cell is what most of its neighbourhood is". */
static void draw_caves(const struct canvas *canvas)
{
    const int32_t width = canvas->width, height = canvas->height;
    for (int32_t i = 0; i < width * height; i++) {
        canvas->cells[i] = below(canvas, 100) < 60;
    }
    for (unsigned round = 0; round < 4; round++) {
        uint8_t lines[2][P2_PATH_SIDE_MAX]; /* the two rows above, before this round changed them */
        memset(lines, 0, sizeof lines);
        for (int32_t y = 0; y < height; y++) {
            const uint8_t *above = lines[(y + 1) % 2];
            uint8_t *row = canvas->cells + (size_t)y * (size_t)width;
            uint8_t *kept = lines[y % 2];
            memcpy(kept, row, (size_t)width);
            for (int32_t x = 0; x < width; x++) {
                unsigned open = 0;
                for (int32_t i = x - 1; i <= x + 1; i++) {
                    const bool is_inside = i >= 0 && i < width;
                    open += is_inside ? above[i] + kept[i] : 0u;
                    open += is_inside && y + 1 < height ? row[width + i] : 0u;
                }
                row[x] = open >= 5;
            }
        }
    }
}

/* Long winding corridors with gaps: many steps, few choices. */
static void draw_corridors(const struct canvas *canvas)
{
    const int32_t step = 4 + (int32_t)below(canvas, 8);
    fill(canvas, 0, 0, canvas->width, canvas->height, 1);
    for (int32_t y = step; y < canvas->height; y += step) {
        fill(canvas, 0, y, canvas->width, 1, 0);
        for (uint32_t doors = 1 + below(canvas, 4); doors > 0; doors--) {
            fill(canvas, (int32_t)below(canvas, canvas->width - 2), y, 3, 1, 1);
        }
    }
}

/* A random passable cell near (x, y) if there is one after some tries; now and then any cell. */
static void choose_cell(const struct canvas *canvas, int32_t x, int32_t y, int32_t radius,
                        uint16_t *ret_x, uint16_t *ret_y)
{
    int32_t at_x = 0, at_y = 0;
    for (unsigned tries = 0; tries < 30; tries++) {
        at_x = x - radius + (int32_t)below(canvas, 2 * radius + 1);
        at_y = y - radius + (int32_t)below(canvas, 2 * radius + 1);
        at_x = at_x < 0 ? 0 : at_x >= canvas->width ? canvas->width - 1 : at_x;
        at_y = at_y < 0 ? 0 : at_y >= canvas->height ? canvas->height - 1 : at_y;
        if (canvas->cells[at_y * canvas->width + at_x] != 0) {
            break;
        }
    }
    *ret_x = (uint16_t)at_x;
    *ret_y = (uint16_t)at_y;
}

static void pack_map(const struct canvas *canvas, uint8_t *map)
{
    const size_t bytes = ((size_t)canvas->width + 7) / 8;
    memset(map, 0, bytes * (size_t)canvas->height);
    for (int32_t y = 0; y < canvas->height; y++) {
        for (int32_t x = 0; x < canvas->width; x++) {
            if (canvas->cells[y * canvas->width + x] != 0) {
                map[(size_t)y * bytes + (size_t)x / 8] |= (uint8_t)(1u << (x % 8));
            }
        }
    }
}

void p2_path_generate(uint64_t seed, uint32_t index, struct p2c2r_kernel_case *test_case)
{
    static void (*const draw[])(const struct canvas *) = {draw_field, draw_rooms, draw_town,
                                                          draw_caves, draw_corridors};
    struct p2_kernel_random random = p2_kernel_random_start(seed, index);
    struct canvas canvas = {test_case->input + P2C2R_INPUT_MAX - P2_PATH_CELLS_MAX, 128, 128,
                            &random};
    /* Most of a game's batches look at the 128 x 128 cells around a group; few at a whole map. */
    const uint32_t size = p2_kernel_random_below(&random, 100);
    if (test_case->is_small != 0) {
        canvas.width = p2_kernel_random_between(&random, 12, 48);
        canvas.height = p2_kernel_random_between(&random, 12, 48);
    } else if (size >= 97) {
        canvas.width = canvas.height = (int32_t)P2_PATH_SIDE_MAX;
    } else if (size >= 40) {
        canvas.width = p2_kernel_random_between(&random, 48, 256);
        canvas.height = p2_kernel_random_between(&random, 48, 256);
    }
    uint32_t queries = p2_kernel_random_percent(&random, 50)
                           ? 32
                           : (uint32_t)p2_kernel_random_between(&random, 8, 64);
    queries = test_case->is_small != 0 ? 1 + queries / 8 : queries;
    draw[p2_kernel_random_below(&random, 5)](&canvas);

    uint8_t *at = test_case->input;
    p2_store_le16(at, (uint16_t)canvas.width);
    p2_store_le16(at + 2, (uint16_t)canvas.height);
    p2_store_le16(at + 4, (uint16_t)queries);
    p2_store_le16(at + 6, 0);
    pack_map(&canvas, at + P2_PATH_HEADER_BYTES);
    at += P2_PATH_HEADER_BYTES + (size_t)canvas.height * (((size_t)canvas.width + 7) / 8);
    for (uint32_t i = 0; i < queries; i++, at += P2_PATH_QUERY_BYTES) {
        const int32_t longer = canvas.width > canvas.height ? canvas.width : canvas.height;
        const int32_t radius = below(&canvas, 4) != 0 ? longer / 3 : longer;
        uint16_t start_x, start_y, goal_x, goal_y;
        const int32_t x = (int32_t)below(&canvas, canvas.width);
        const int32_t y = (int32_t)below(&canvas, canvas.height);
        choose_cell(&canvas, x, y, 8, &start_x, &start_y);
        choose_cell(&canvas, start_x, start_y, radius, &goal_x, &goal_y);
        p2_store_le16(at, start_x);
        p2_store_le16(at + 2, start_y);
        p2_store_le16(at + 4, goal_x);
        p2_store_le16(at + 6, goal_y);
    }
    test_case->input_size = (size_t)(at - test_case->input);
    test_case->blob_count = 0;
}
