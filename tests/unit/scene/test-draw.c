/* Angles, cameras and drawn entities. */
#include "p2c2r/scene.h"
#include "tests/lib/test.h"

#include <math.h>
#include <string.h>

#define WIDTH  64u
#define HEIGHT 36u

static struct p2c2r_scene_camera camera_at(uint16_t yaw, int16_t pitch)
{
    struct p2c2r_scene_camera camera = {.yaw = yaw, .pitch = pitch};
    p2c2r_scene_camera_turn(&camera, 65536, WIDTH, HEIGHT);
    return camera;
}

static void sines_agree_with_the_c_library(void)
{
    double worst = 0;
    for (uint32_t angle = 0; angle < 65536; angle++) {
        const double exact = sin((double)angle * 3.14159265358979323846 / 32768.0) * 65536.0;
        const double error = fabs((double)p2c2r_scene_sine((uint16_t)angle) - exact);
        worst = error > worst ? error : worst;
    }
    CU_ASSERT(worst <= 12.0);
    P2_ASSERT_EQUAL(p2c2r_scene_sine(0), 0);
    P2_ASSERT_EQUAL(p2c2r_scene_sine(16384), 65536);
    P2_ASSERT_EQUAL(p2c2r_scene_cosine(32768), -65536);
}

static void yaw_zero_looks_along_z_and_a_quarter_along_x(void)
{
    struct p2c2r_scene_camera camera = camera_at(0, 0);
    P2_ASSERT_EQUAL(camera.forward[2], 65536);
    P2_ASSERT_EQUAL(camera.right[0], 65536);
    P2_ASSERT_EQUAL(camera.up[1], 36864); /* 9/16 of the width */
    camera = camera_at(16384, 0);
    P2_ASSERT_EQUAL(camera.forward[0], 65536);
    P2_ASSERT_EQUAL(camera.right[2], -65536);
}

static void a_point_straight_ahead_is_in_the_middle(void)
{
    const struct p2c2r_scene_camera camera = camera_at(0, 0);
    const int32_t ahead[3] = {0, 0, 2560}, right[3] = {1280, 0, 2560}, behind[3] = {0, 0, -2560};
    int32_t pixel[2], depth;
    CU_ASSERT(p2c2r_scene_project(&camera, ahead, WIDTH, HEIGHT, pixel, &depth));
    P2_ASSERT_EQUAL(pixel[0], WIDTH / 2);
    P2_ASSERT_EQUAL(pixel[1], HEIGHT / 2);
    P2_ASSERT_EQUAL(depth, 2560);
    CU_ASSERT(p2c2r_scene_project(&camera, right, WIDTH, HEIGHT, pixel, &depth));
    P2_ASSERT_EQUAL(pixel[0], WIDTH * 3 / 4); /* half of the half width */
    CU_ASSERT(!p2c2r_scene_project(&camera, behind, WIDTH, HEIGHT, pixel, &depth));
}

static unsigned count_of(const uint8_t *pixels, uint8_t byte)
{
    unsigned count = 0;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        count += pixels[i] == byte;
    }
    return count;
}

static struct p2c2r_scene_entity box_at(uint16_t id, int32_t z, uint8_t byte)
{
    struct p2c2r_scene_entity box = {.id = id,
                                     .shape = P2C2R_SHAPE_BOX,
                                     .slices = 15,
                                     .position = {0, -1024, z},
                                     .colour = {byte, byte},
                                     .width = 64,
                                     .height = 128};
    return box;
}

static void the_nearer_entity_covers_the_farther_one(void)
{
    static uint8_t pixels[WIDTH * HEIGHT];
    const struct p2c2r_scene_camera camera = camera_at(0, 0);
    struct p2c2r_scene_entity boxes[2] = {box_at(1, 2048, 0x1f), box_at(2, 4096, 0x2f)};
    p2c2r_scene_draw(&camera, boxes, 2, pixels, WIDTH, HEIGHT);
    CU_ASSERT(count_of(pixels, 0x1f) > 50);
    P2_ASSERT_EQUAL(count_of(pixels, 0x2f), 0);
    /* 4 voxels wide, 8 away, 64 pixels for 16 voxels there: 16 pixels. */
    P2_ASSERT_EQUAL(pixels[(HEIGHT / 2) * WIDTH + 23], 0);
    CU_ASSERT(pixels[(HEIGHT / 2) * WIDTH + 24] != 0);
    CU_ASSERT(pixels[(HEIGHT / 2) * WIDTH + 39] != 0);
    P2_ASSERT_EQUAL(pixels[(HEIGHT / 2) * WIDTH + 40], 0);
}

static void hidden_quarters_are_not_drawn(void)
{
    static uint8_t whole[WIDTH * HEIGHT], upper[WIDTH * HEIGHT];
    const struct p2c2r_scene_camera camera = camera_at(0, 0);
    struct p2c2r_scene_entity box = box_at(1, 4096, 0x1f);
    p2c2r_scene_draw(&camera, &box, 1, whole, WIDTH, HEIGHT);
    box.slices = 12;
    p2c2r_scene_draw(&camera, &box, 1, upper, WIDTH, HEIGHT);
    const unsigned all = WIDTH * HEIGHT - count_of(whole, 0);
    const unsigned half = WIDTH * HEIGHT - count_of(upper, 0);
    CU_ASSERT(all > 0 && half * 2 > all * 3 / 4 && half * 2 < all * 5 / 4);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(sines_agree_with_the_c_library),
        P2_TEST(yaw_zero_looks_along_z_and_a_quarter_along_x),
        P2_TEST(a_point_straight_ahead_is_in_the_middle),
        P2_TEST(the_nearer_entity_covers_the_farther_one),
        P2_TEST(hidden_quarters_are_not_drawn),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"draw", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
