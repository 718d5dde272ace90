/* What the person sees: the late warp against a picture that was traced for the new angles, the crop,
 * and the state view. */
#include "base/error.h"
#include "client/state_view.h"
#include "client/view.h"
#include "p2c2r/kernels.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE   16u /* chunks of the island each way */
#define HALF   65536
#define WIDTH  P2_STATE_VIEW_WIDTH
#define HEIGHT P2_STATE_VIEW_HEIGHT

static struct p2_gamer gamer; /* large */

static void put_chunk(uint32_t cx, uint32_t cz, const uint8_t *from)
{
    static uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS], raw[P2C2R_SCENE_CHUNK_MAX];
    for (uint32_t z = 0; z < 16; z++) {
        memcpy(voxels + (size_t)z * 16 * 64,
               from + ((size_t)(cz % 2 * 16 + z) * 32 + (size_t)(cx % 2) * 16) * 64, 16 * 64);
    }
    size_t size = p2c2r_scene_chunk_write(raw, sizeof raw, voxels);
    P2_ASSERT_ERROR(p2_scene_store_apply(&gamer.scene, P2C2R_SCENE_CHUNK,
                                         p2c2r_scene_chunk_key(cx, cz), p2_span(raw, size)),
                    P2_OK);
}

static void put_island(void)
{
    static struct p2c2r_island island;
    static uint8_t voxels[32 * 32 * 64];
    uint8_t raw[P2C2R_SCENE_SKY_BYTES];
    const struct p2c2r_scene_sky sky = {.sun = {7000, 13000, 7000},
                                        .sun_level = 9,
                                        .ambient_level = 4,
                                        .zenith = 10,
                                        .horizon = 12,
                                        .sea_level = P2C2R_ISLAND_SEA,
                                        .fog_start = 400};
    p2_scene_store_init(&gamer.scene);
    p2c2r_island_start(&island, 7);
    for (uint32_t at = 0; at < SIDE * SIDE / 4; at++) {
        p2c2r_island_chunk(&island, at % 8, at / 8, voxels);
        for (uint32_t part = 0; part < 4; part++) {
            put_chunk(at % 8 * 2 + part % 2, at / 8 * 2 + part / 2, voxels);
        }
    }
    size_t size = p2c2r_scene_sky_write(raw, sizeof raw, &sky);
    P2_ASSERT_ERROR(p2_scene_store_apply(&gamer.scene, P2C2R_SCENE_LIGHTS, 0, p2_span(raw, size)),
                    P2_OK);
}

static struct p2c2r_scene_camera camera_of(uint16_t yaw, int16_t pitch, uint8_t overscan)
{
    struct p2c2r_scene_camera camera = {.overscan = overscan,
                                        .yaw = yaw,
                                        .pitch = pitch,
                                        .position = {128 << 16, 48 << 16, 40 << 16}};
    p2c2r_scene_camera_turn(&camera, HALF / 256 * (256 + overscan), WIDTH, HEIGHT);
    return camera;
}

/* The gamer holds one picture, all tiles of it drawn with `camera`. */
static void put_picture(const struct p2c2r_scene_camera *camera, const uint8_t *pixels)
{
    P2_ASSERT_ERROR(p2_picture_init(&gamer.picture, WIDTH, HEIGHT, 80, 45), P2_OK);
    memcpy(gamer.picture.pixels, pixels, (size_t)WIDTH * HEIGHT);
    p2_picture_camera(&gamer.picture, 9, camera);
    for (uint32_t i = 0; i < gamer.picture.columns * gamer.picture.rows; i++) {
        gamer.picture.tiles[i].frame = 9;
    }
}

static double psnr(const uint8_t *rgb, const uint8_t *truth)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        for (int c = 0; c < 3; c++) {
            double gap = (double)rgb[3 * i + (size_t)c] - gamer.palette[truth[i]][c];
            sum += gap * gap;
        }
    }
    sum /= (double)WIDTH * HEIGHT * 3;
    return sum > 0 ? 10 * log10(255.0 * 255.0 / sum) : 99;
}

static void open_gamer(void)
{
    const struct p2_gamer_options options = {.name = "a", .agent = "t", .width = 64, .height = 64};
    P2_ASSERT_ERROR(p2_gamer_init(&gamer, &options), P2_OK);
    put_island();
}

static void a_warped_picture_is_near_the_true_one(void)
{
    struct p2_state_view *eyes = NULL;
    struct p2_view view;
    static uint8_t truth[WIDTH * HEIGHT];
    open_gamer();
    P2_ASSERT_ERROR(p2_state_view_open(&eyes), P2_OK);
    P2_ASSERT_ERROR(p2_view_init(&view, WIDTH, HEIGHT), P2_OK);
    const uint16_t yaw = 400; /* 2.2 degrees: 18 degrees a second at 120 ms */
    const int16_t pitch = -1500;
    struct p2c2r_scene_camera old = camera_of(0, -1500, 40), now = camera_of(yaw, pitch, 0);
    const uint8_t *drawn = p2_state_view_draw(eyes, &gamer.scene, &now);
    CU_ASSERT_FATAL(drawn != NULL);
    memcpy(truth, drawn, sizeof truth);
    drawn = p2_state_view_draw(eyes, &gamer.scene, &old);
    CU_ASSERT_FATAL(drawn != NULL);
    put_picture(&old, drawn);
    p2_view_draw(&view, &gamer, &yaw, &pitch);
    double warped = psnr(view.rgb, truth);
    view.is_warped = false;
    p2_view_draw(&view, &gamer, &yaw, &pitch);
    double cropped = psnr(view.rgb, truth);
    (void)printf("late warp: %.1f dB, without it %.1f dB\n", warped, cropped);
    CU_ASSERT(warped > cropped + 1);
    CU_ASSERT(warped >= 15);
    p2_view_free(&view);
    p2_state_view_close(eyes);
    p2_gamer_free(&gamer);
}

static void a_crop_takes_the_overscan_away(void)
{
    struct p2_view view;
    static uint8_t pixels[WIDTH * HEIGHT];
    open_gamer();
    memset(pixels, 3, sizeof pixels);
    for (uint32_t y = 20; y < HEIGHT - 20; y++) {
        memset(pixels + (size_t)y * WIDTH + 36, 200, WIDTH - 72);
    }
    struct p2c2r_scene_camera camera = camera_of(0, 0, 255);
    put_picture(&camera, pixels);
    P2_ASSERT_ERROR(p2_view_init(&view, 32, 18), P2_OK);
    view.is_warped = false;
    p2_view_draw(&view, &gamer, NULL, NULL);
    for (size_t i = 0; i < (size_t)32 * 18; i++) {
        P2_ASSERT_EQUAL(view.pixels[i], 200);
    }
    p2_view_free(&view);
    p2_gamer_free(&gamer);
}

static void the_state_view_shows_the_newest_chunks(void)
{
    struct p2_view view;
    open_gamer();
    P2_ASSERT_ERROR(p2_view_init(&view, WIDTH, HEIGHT), P2_OK);
    p2_view_draw(&view, &gamer, NULL, NULL); /* no camera yet: black */
    CU_ASSERT(view.rgb[0] == 0 && !view.has_camera);
    struct p2c2r_scene_camera camera = camera_of(0, -1500, 0);
    p2_picture_camera(&gamer.picture, 1, &camera);
    p2_view_draw(&view, &gamer, NULL, NULL);
    bool seen[256] = {false};
    unsigned colours = 0;
    static uint8_t before[WIDTH * HEIGHT];
    memcpy(before, view.pixels, sizeof before);
    for (size_t i = 0; i < sizeof before; i++) {
        colours += !seen[before[i]];
        seen[before[i]] = true;
    }
    CU_ASSERT(colours >= 8);
    p2_scene_store_clear(&gamer.scene); /* the scene begins anew, and is another one */
    static uint8_t stone[32 * 32 * 64];
    for (size_t i = 0; i < sizeof stone; i++) {
        stone[i] = i % 64 < 30 ? P2C2R_STONE : 0;
    }
    for (uint32_t at = 0; at < SIDE * SIDE; at++) {
        put_chunk(at % SIDE, at / SIDE, stone);
    }
    p2_view_draw(&view, &gamer, NULL, NULL); /* without a sky the old picture would stay */
    uint8_t raw[P2C2R_SCENE_SKY_BYTES];
    const struct p2c2r_scene_sky sky = {
        .sun = {0, 16384, 0}, .sun_level = 9, .ambient_level = 4, .fog_start = 400};
    size_t size = p2c2r_scene_sky_write(raw, sizeof raw, &sky);
    P2_ASSERT_ERROR(p2_scene_store_apply(&gamer.scene, P2C2R_SCENE_LIGHTS, 0, p2_span(raw, size)),
                    P2_OK);
    p2_view_draw(&view, &gamer, NULL, NULL);
    unsigned changed = 0;
    for (size_t i = 0; i < sizeof before; i++) {
        changed += before[i] != view.pixels[i];
    }
    CU_ASSERT(changed > sizeof before / 4);
    p2_view_free(&view);
    p2_gamer_free(&gamer);
}

/* Every camera a reader lets through can be drawn with; the sanitizers watch. */
static void no_camera_does_harm(void)
{
    struct p2_state_view *eyes = NULL;
    static const int32_t places[] = {0, 1 << 30, -(1 << 30), 256 << 16, -1};
    open_gamer();
    P2_ASSERT_ERROR(p2_state_view_open(&eyes), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(places); i++) {
        struct p2c2r_scene_camera camera = camera_of((uint16_t)(i * 9000), 15360, 255);
        camera.position[0] = places[i];
        camera.position[2] = places[P2_COUNT_OF(places) - 1 - i];
        (void)p2_state_view_draw(eyes, &gamer.scene, &camera);
        memset(camera.up, 0, sizeof camera.up);
        camera.right[0] = 262144;
        (void)p2_state_view_draw(eyes, &gamer.scene, &camera);
    }
    p2_state_view_close(eyes);
    p2_gamer_free(&gamer);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(a_warped_picture_is_near_the_true_one),
                           P2_TEST(a_crop_takes_the_overscan_away),
                           P2_TEST(the_state_view_shows_the_newest_chunks),
                           P2_TEST(no_camera_does_harm), CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"view", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
