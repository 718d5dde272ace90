/* Light on scenes small enough to know by hand: shadows, lamps, corners, mirrors, sea and sky. */
#include "kernels/palette.h"
#include "kernels/ray_light.h"
#include "tests/lib/test.h"
#include "tests/unit/kernels/ray-world.h"

#include <math.h>
#include <string.h>

static struct ray_world world; /* 128 KiB: not for the stack */

static void put_floor(unsigned y, unsigned material)
{
    for (unsigned z = 0; z < 32; z++) {
        for (unsigned x = 0; x < 32; x++) {
            ray_world_put(&world, x, y, z, material);
        }
    }
}

/* A floor with its top at y = 8. */
static void open_floor(unsigned flags)
{
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, flags);
    CU_ASSERT_FATAL(ray_world_view(&world));
}

static struct p2_ray ray_to(float ox, float oy, float oz, float tx, float ty, float tz)
{
    struct p2_ray ray;
    p2_ray_set(&ray, (struct p2_vec3){ox, oy, oz}, (struct p2_vec3){tx - ox, ty - oy, tz - oz});
    return ray;
}

static uint8_t byte_at(float tx, float ty, float tz)
{
    struct p2_ray ray = ray_to(16.5F, 40.0F, 1.5F, tx, ty, tz);
    struct p2_ray_surface surface;
    CU_ASSERT_FATAL(p2_ray_surface(&world.view, &ray, &surface));
    return p2_ray_surface_byte(&world.view, &ray, &surface);
}

static void level_is_ambient_plus_sun_where_nothing_is_in_the_way(void)
{
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_STONE);
    for (unsigned x = 10; x < 14; x++) { /* a board of 4 x 4 above the floor */
        for (unsigned z = 10; z < 14; z++) {
            ray_world_put(&world, x, 20, z, P2_MATERIAL_WOOD);
        }
    }
    open_floor(P2_RAY_SUN);
    P2_ASSERT_EQUAL(byte_at(25.5F, 8.0F, 20.5F), p2_palette_byte(P2_MATERIAL_STONE, 12));
    P2_ASSERT_EQUAL(byte_at(11.5F, 8.0F, 11.5F), p2_palette_byte(P2_MATERIAL_STONE, 4));
    P2_ASSERT_EQUAL(byte_at(9.9F, 8.0F, 11.5F), p2_palette_byte(P2_MATERIAL_STONE, 12));
    P2_ASSERT_EQUAL(byte_at(10.1F, 8.0F, 11.5F), p2_palette_byte(P2_MATERIAL_STONE, 4));
    P2_ASSERT_EQUAL(byte_at(11.5F, 21.0F, 11.5F), p2_palette_byte(P2_MATERIAL_WOOD, 12));
    /* Without P2_RAY_SUN only the ambient part is left. */
    open_floor(0);
    P2_ASSERT_EQUAL(byte_at(25.5F, 8.0F, 20.5F), p2_palette_byte(P2_MATERIAL_STONE, 4));
}

static void a_low_sun_throws_a_shadow_as_long_as_its_slope_says(void)
{
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_STONE);
    for (unsigned y = 8; y < 12; y++) { /* a pole, 4 high, at x 8..9 */
        ray_world_put(&world, 8, y, 16, P2_MATERIAL_WOOD);
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_SUN);
    world.shot.sun[0] = -14654; /* rises 1 for every 2: sin, cos of 26.57 degrees in Q14 */
    world.shot.sun[1] = 7327;
    world.shot.sun[2] = 0;
    CU_ASSERT_FATAL(ray_world_view(&world));
    /* The shadow runs from x = 9 to x = 8 + 8 + a bit: at 9 + 2 * 4 = 17 its end. */
    P2_ASSERT_EQUAL(world.view.sun_on[P2_FACE_Y_PLUS], 4); /* 8 * 0.447 = 3.6 */
    P2_ASSERT_EQUAL(byte_at(16.6F, 8.0F, 16.5F) & 15, 4);
    P2_ASSERT_EQUAL(byte_at(9.4F, 8.0F, 16.5F) & 15, 4);
    P2_ASSERT_EQUAL(byte_at(17.4F, 8.0F, 16.5F) & 15, 8);
    P2_ASSERT_EQUAL(byte_at(12.5F, 8.0F, 17.5F) & 15, 8);
    P2_ASSERT_EQUAL(byte_at(7.4F, 8.0F, 16.5F) & 15, 8);
}

static void corners_and_roofs_take_ambient_light_away(void)
{
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_STONE);
    for (unsigned z = 0; z < 32; z++) { /* a wall along z at x = 20 */
        ray_world_put(&world, 20, 8, z, P2_MATERIAL_STONE);
    }
    ray_world_put(&world, 5, 30, 20, P2_MATERIAL_STONE); /* a roof of one voxel */
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_OCCLUSION);
    world.shot.ambient_level = 12;
    CU_ASSERT_FATAL(ray_world_view(&world));
    P2_ASSERT_EQUAL(byte_at(10.5F, 8.0F, 20.5F) & 15, 12);
    /* One edge and two corners of 12 + 6 parts: 12 * 14 / 18 = 9.3. */
    P2_ASSERT_EQUAL(byte_at(19.5F, 8.0F, 20.5F) & 15, 9);
    /* Under a roof 9 / 16 are left: 6.75. */
    P2_ASSERT_EQUAL(byte_at(5.5F, 8.0F, 20.5F) & 15, 7);
}

static void lamps_light_what_they_see_and_less_with_distance(void)
{
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_STONE);
    ray_world_put(&world, 10, 10, 16, P2_MATERIAL_LANTERN);
    for (unsigned y = 8; y < 20; y++) { /* a wall at x = 14 hides what is behind */
        for (unsigned z = 8; z < 24; z++) {
            ray_world_put(&world, 14, y, z, P2_MATERIAL_STONE);
        }
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_LAMPS);
    world.shot.ambient_level = 0;
    world.shot.lamp_count = 1;
    world.shot.lamps[0] = (struct p2_island_lamp){10, 10, 16, 12, 10};
    CU_ASSERT_FATAL(ray_world_view(&world));
    /* Straight below: distance 2.5 - 1/64, so 12 * (1 - 0.248) * 1 = 9.02. */
    struct p2_vec3 below = p2_ray_face_middle(10, 7, 16, P2_FACE_Y_PLUS);
    float light = p2_ray_lamp_from(&world.view, &world.view.lamps[0], below, P2_FACE_Y_PLUS);
    CU_ASSERT(fabsf(light - 9.02F) < 0.02F);
    P2_ASSERT_EQUAL(byte_at(6.5F, 8.0F, 16.5F) >> 4, P2_MATERIAL_STONE);
    CU_ASSERT((byte_at(8.5F, 8.0F, 16.5F) & 15) > (byte_at(4.5F, 8.0F, 16.5F) & 15));
    P2_ASSERT_EQUAL(byte_at(18.5F, 8.0F, 16.5F) & 15, 0); /* behind the wall */
    P2_ASSERT_EQUAL(byte_at(25.5F, 8.0F, 30.5F) & 15, 0); /* too far */
    P2_ASSERT_EQUAL(byte_at(10.5F, 11.0F, 16.5F), p2_palette_byte(P2_MATERIAL_LANTERN, 15));
}

/* The byte of the only pixel of a picture that looks along a ray. */
static uint8_t look(struct p2_vec3 eye, struct p2_vec3 target, unsigned bounces)
{
    p2_ray_shot_look(&world.shot, eye, target, 0.01F, 1, 1);
    CU_ASSERT_FATAL(ray_world_view(&world));
    return p2_ray_pixel(&world.view, 0, 0, bounces);
}

static void water_mirrors_what_stands_at_the_equal_angle(void)
{
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_WATER);
    for (unsigned y = 8; y < 40; y++) { /* a wall at z = 28, bricks above y = 20, wood below */
        for (unsigned x = 0; x < 32; x++) {
            ray_world_put(&world, x, y, 28, y >= 20 ? P2_MATERIAL_ROOF : P2_MATERIAL_WOOD);
        }
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_SUN);
    struct p2_vec3 eye = {16.5F, 18.0F, 2.5F};
    /* Down 10 over 10 of way, so up 15.5 over the 15.5 to the wall: height 23.5. */
    struct p2_vec3 near = {16.5F, 8.0F, 12.5F};
    P2_ASSERT_EQUAL(look(eye, near, 0) >> 4, P2_MATERIAL_WATER);
    P2_ASSERT_EQUAL(look(eye, near, 1) >> 4, P2_MATERIAL_ROOF);
    /* Down 10 over 16, so up 5.9 over 9.5: height 13.9. */
    struct p2_vec3 far = {16.5F, 8.0F, 18.5F};
    P2_ASSERT_EQUAL(look(eye, far, 1) >> 4, P2_MATERIAL_WOOD);
    /* A mirrored thing has three quarters of its light: 4 * 11 / 16 = 2.75 -> 3 -> 2. */
    P2_ASSERT_EQUAL(look(eye, far, 1) & 15, 2);
    /* Straight down one looks into the water. */
    struct p2_vec3 above = {16.5F, 30.0F, 12.0F}, below = {16.5F, 8.0F, 12.5F};
    P2_ASSERT_EQUAL(look(above, below, 4), p2_palette_byte(P2_MATERIAL_WATER, 12));
}

static void two_panes_mirror_as_often_as_bounces_allow(void)
{
    ray_world_clear(&world);
    for (unsigned y = 0; y < 40; y++) { /* panes at x = 8 and x = 20 face each other */
        for (unsigned z = 0; z < 32; z++) {
            ray_world_put(&world, 8, y, z, P2_MATERIAL_GLASS);
            ray_world_put(&world, 20, y, z, P2_MATERIAL_GLASS);
        }
    }
    for (unsigned y = 0; y < 40; y++) { /* between them, at the end, a wall */
        for (unsigned x = 9; x < 20; x++) {
            ray_world_put(&world, x, y, 31, P2_MATERIAL_ORE);
        }
    }
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, 0);
    struct p2_vec3 eye = {14.5F, 20.5F, 0.5F};
    /* 5.5 sideways for 6.5 along: panes are met at z = 7, 20 (after 11 more sideways); wall at 31.
     * */
    struct p2_vec3 target = {20.0F, 20.5F, 7.0F};
    P2_ASSERT_EQUAL(look(eye, target, 0) >> 4, P2_MATERIAL_GLASS);
    P2_ASSERT_EQUAL(look(eye, target, 1) >> 4, P2_MATERIAL_GLASS);
    P2_ASSERT_EQUAL(look(eye, target, 2) >> 4, P2_MATERIAL_ORE);
    P2_ASSERT_EQUAL(look(eye, target, 4) >> 4, P2_MATERIAL_ORE);
}

static void the_sea_lies_outside_the_scene_up_to_its_level(void)
{
    struct p2_vec3 eye = {16.5F, 30.0F, 100.0F}, down = {16.5F, 0.0F, 160.0F};
    struct p2_vec3 up = {16.5F, 60.0F, 160.0F};
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_GRASS);
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_SUN);
    P2_ASSERT_EQUAL(look(eye, down, 0) >> 4, P2_MATERIAL_SKY);
    world.shot.sea_level = 14;
    P2_ASSERT_EQUAL(look(eye, down, 0), p2_palette_byte(P2_MATERIAL_WATER, 12));
    P2_ASSERT_EQUAL(look(eye, up, 0) >> 4, P2_MATERIAL_SKY);
    /* A chunk that was supplied is not flooded. */
    struct p2_vec3 over = {16.5F, 30.0F, 10.0F}, floor = {16.5F, 8.0F, 16.5F};
    P2_ASSERT_EQUAL(look(over, floor, 0) >> 4, P2_MATERIAL_GRASS);
}

static void the_sky_goes_from_horizon_to_zenith_with_the_sun_in_it(void)
{
    struct p2_vec3 eye = {16.5F, 30.0F, 100.0F};
    struct p2_vec3 flat = {16.5F, 30.1F, 160.0F}, steep = {46.5F, 130.0F, 100.0F};
    struct p2_vec3 straight = {16.51F, 130.0F, 100.0F};
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_GRASS);
    CU_ASSERT_FATAL(ray_world_open(&world));
    ray_world_plain_shot(&world, P2_RAY_SUN);
    P2_ASSERT_EQUAL(look(eye, flat, 0), p2_palette_byte(P2_MATERIAL_SKY, 9));
    P2_ASSERT_EQUAL(look(eye, steep, 0), p2_palette_byte(P2_MATERIAL_SKY, 5));
    P2_ASSERT_EQUAL(look(eye, straight, 0), p2_palette_byte(P2_MATERIAL_LANTERN, 15));
    world.shot.flags = P2_RAY_MOON;
    P2_ASSERT_EQUAL(look(eye, straight, 0) >> 4, P2_MATERIAL_CLOUD);
}

static void gathered_light_is_what_the_directions_bring(void)
{
    struct p2_ray_gather gather = {.count = 2, .reach = 20.0F, .sky = 16};
    gather.directions[0] = (struct p2_vec3){0, 0, 1};
    gather.directions[1] = (struct p2_vec3){0.8F, 0, 0.6F};
    ray_world_clear(&world);
    put_floor(7, P2_MATERIAL_STONE);
    open_floor(P2_RAY_SUN);
    /* Open sky both ways: the ambient level 4 in eighths. */
    P2_ASSERT_EQUAL(p2_ray_gather(&world.view, &gather, 16, 7, 16, P2_FACE_Y_PLUS), 32);
    gather.sky = 0;
    P2_ASSERT_EQUAL(p2_ray_gather(&world.view, &gather, 16, 7, 16, P2_FACE_Y_PLUS), 0);
    /* Above sunlit stone: 8 levels * 7/16 along the normal; the other ray (v is the x axis for a
     * y face, u the z axis) comes down at 0.6 and meets it too. 8 * 7 / 16 = 3.5 levels. */
    ray_world_put(&world, 16, 12, 16, P2_MATERIAL_WOOD);
    open_floor(P2_RAY_SUN);
    gather.directions[0] = (struct p2_vec3){0.6F, 0, 0.8F};
    P2_ASSERT_EQUAL(p2_ray_gather(&world.view, &gather, 16, 12, 16, P2_FACE_Y_MINUS), 28);
}

static void the_palette_has_a_colour_for_every_byte_and_brightens_with_the_level(void)
{
    uint8_t rgb[P2_PALETTE_SIZE][3];
    memset(rgb, 0, sizeof rgb);
    p2_palette_table(rgb);
    for (unsigned byte = 1; byte < P2_PALETTE_SIZE; byte++) {
        unsigned sum = (unsigned)rgb[byte][0] + rgb[byte][1] + rgb[byte][2];
        unsigned before = (unsigned)rgb[byte - 1][0] + rgb[byte - 1][1] + rgb[byte - 1][2];
        CU_ASSERT(byte % 16 == 0 || sum > before);
        CU_ASSERT(sum > 0);
    }
    P2_ASSERT_EQUAL(p2_palette_add_light(0x12, 5), 0x17);
    P2_ASSERT_EQUAL(p2_palette_add_light(0x12, 50), 0x1f);
    P2_ASSERT_EQUAL(p2_palette_add_light(0x12, -5), 0x10);
    P2_ASSERT_EQUAL(p2_palette_add_light(0x02, 5), 0x02);
    P2_ASSERT_EQUAL(p2_palette_add_light(0xb4, 5), 0xb4);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(level_is_ambient_plus_sun_where_nothing_is_in_the_way),
        P2_TEST(a_low_sun_throws_a_shadow_as_long_as_its_slope_says),
        P2_TEST(corners_and_roofs_take_ambient_light_away),
        P2_TEST(lamps_light_what_they_see_and_less_with_distance),
        P2_TEST(water_mirrors_what_stands_at_the_equal_angle),
        P2_TEST(two_panes_mirror_as_often_as_bounces_allow),
        P2_TEST(the_sea_lies_outside_the_scene_up_to_its_level),
        P2_TEST(the_sky_goes_from_horizon_to_zenith_with_the_sun_in_it),
        P2_TEST(gathered_light_is_what_the_directions_bring),
        P2_TEST(the_palette_has_a_colour_for_every_byte_and_brightens_with_the_level),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"rt-light", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
