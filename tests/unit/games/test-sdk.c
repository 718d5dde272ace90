/* libp2c2r against the kernels themselves: what its writers make is accepted, what they would refuse is
 * not written, and its readers find what the kernel computed. */
#include "kernels/harness.h"
#include "kernels/pack.h"
#include "kernels/ray_light.h"
#include "kernels/registry.h"
#include "p2c2r/kernels.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static uint8_t input[P2C2R_INPUT_MAX], kept[P2C2R_OUTPUT_MAX];
static uint8_t blob[P2C2R_SCENE_BLOB];

static int start(void)
{
    return p2_crypto_init();
}

/* Runs the kernel on input[size]; the result is kept in `kept`. */
static struct p2c2r_bytes run(const char *name, size_t size, bool has_blob)
{
    struct p2_harness *harness = NULL;
    struct p2_span result = {NULL, 0};
    const struct p2_span blobs[1] = {{blob, sizeof blob}};
    CU_ASSERT_FATAL(size > 0);
    CU_ASSERT_FATAL(p2_harness_open(&harness, p2_kernel_find(name)) == 0);
    P2_ASSERT_ERROR(p2_harness_load(harness, p2_span(input, size), blobs, has_blob ? 1 : 0), 0);
    P2_ASSERT_EQUAL(p2_harness_run(harness, &result), P2C2R_KERNEL_OK);
    P2_ASSERT_EQUAL(p2_harness_check(harness, result, 1), P2C2R_KERNEL_OK);
    memcpy(kept, result.data, result.size);
    p2_harness_close(harness);
    return (struct p2c2r_bytes){kept, result.size};
}

static void a_falling_ball_is_where_gravity_puts_it(void)
{
    const struct p2c2r_rigid_plane floor = {{0, 1, 0}, 0, 0.5F, 0.2F};
    struct p2c2r_rigid_body ball = {
        .id = 7, .mass = 1, .half = {0.5F}, .position = {0, 100, 0}, .orientation = {1, 0, 0, 0}};
    const struct p2c2r_rigid_world world = {.bodies = &ball,
                                            .planes = &floor,
                                            .body_count = 1,
                                            .plane_count = 1,
                                            .steps = 2,
                                            .iterations = 4,
                                            .dt = 0.03125F,
                                            .gravity = {0, -8, 0}};
    const struct p2c2r_bytes result = run(
        "physics_rigid_body", p2c2r_physics_rigid_body_input(input, sizeof input, &world), false);
    CU_ASSERT(p2c2r_physics_rigid_body_result(result, 0, &ball));
    P2_ASSERT_EQUAL(ball.id, 7);
    CU_ASSERT(ball.velocity[1] == -0.5F); /* two steps of 8 / 32, by hand */
    CU_ASSERT(ball.position[1] == 100.0F - 0.25F / 32 - 0.5F / 32);
    CU_ASSERT(!p2c2r_physics_rigid_body_result(result, 1, &ball));
    struct p2c2r_rigid_world none = world;
    none.body_count = 0;
    P2_ASSERT_EQUAL(p2c2r_physics_rigid_body_input(input, sizeof input, &none), 0);
}

static void water_falls_to_the_floor(void)
{
    static const uint8_t size[3] = {1, 1, 2};
    const uint16_t cells[2] = {0, 1000}; /* the upper one holds it */
    uint16_t low = 0, high = 0;
    const struct p2c2r_bytes result = run(
        "physics_fluid", p2c2r_physics_fluid_input(input, sizeof input, size, 2, 0, cells), false);
    CU_ASSERT(p2c2r_physics_fluid_cell(result, 0, &low));
    CU_ASSERT(p2c2r_physics_fluid_cell(result, 1, &high));
    P2_ASSERT_EQUAL(low, 1000);
    P2_ASSERT_EQUAL(high, 0);
    CU_ASSERT(!p2c2r_physics_fluid_cell(result, 2, &high));
}

static void a_cut_beam_is_a_fragment(void)
{
    static const struct p2c2r_material wood = {100, 50, false};
    static const uint8_t voxels[5] = {1, 1, 1, 1, 1}; /* held at x low only */
    const uint32_t cut = 1;
    const struct p2c2r_destruction block = {.size = {5, 1, 1},
                                            .faces = 1,
                                            .materials = &wood,
                                            .material_count = 1,
                                            .removed = &cut,
                                            .removed_count = 1,
                                            .voxels = voxels};
    struct p2c2r_destruction_head head;
    struct p2c2r_fragment fragment;
    struct p2c2r_run found;
    const struct p2c2r_bytes result = run(
        "physics_destruction", p2c2r_physics_destruction_input(input, sizeof input, &block), false);
    CU_ASSERT(p2c2r_physics_destruction_head(result, &head));
    P2_ASSERT_EQUAL(head.removed, 1);
    P2_ASSERT_EQUAL(head.fragments, 1);
    CU_ASSERT(p2c2r_physics_destruction_fragment(result, 0, &fragment));
    P2_ASSERT_EQUAL(fragment.voxels, 3);
    P2_ASSERT_EQUAL(fragment.low[0], 2);
    P2_ASSERT_EQUAL(fragment.centre[0], 3 * 256 + 128);
    CU_ASSERT(p2c2r_physics_destruction_run(result, fragment.first_run, &found));
    P2_ASSERT_EQUAL(found.first, 2);
    P2_ASSERT_EQUAL(found.count, 3);
    CU_ASSERT(!p2c2r_physics_destruction_run(result, 99, &found));
}

static void paths_are_read_step_by_step(void)
{
    static const uint8_t open[9] = {1, 1, 1, 0, 0, 1, 1, 1, 1}; /* around a wall */
    static const struct p2c2r_path_query queries[3] = {
        {{0, 0}, {2, 0}}, {{0, 0}, {0, 1}}, {{0, 0}, {0, 2}}};
    uint8_t way[8];
    uint32_t steps = 0;
    const struct p2c2r_bytes result =
        run("ai_pathfinding",
            p2c2r_ai_pathfinding_input(input, sizeof input, 3, 3, open, queries, 3), false);
    CU_ASSERT(p2c2r_ai_pathfinding_path(result, 3, 0, way, sizeof way, &steps));
    P2_ASSERT_EQUAL(steps, 2);
    P2_ASSERT_EQUAL(way[0], 0);
    CU_ASSERT(!p2c2r_ai_pathfinding_path(result, 3, 1, way, sizeof way, &steps));
    CU_ASSERT(p2c2r_ai_pathfinding_path(result, 3, 2, way, sizeof way, &steps));
    P2_ASSERT_EQUAL(steps, 6); /* two east, two south, two west: no corner is cut */
    static const uint8_t expected[6] = {0, 0, 2, 2, 4, 4};
    P2_ASSERT_BYTES(way, expected, sizeof expected);
    CU_ASSERT(!p2c2r_ai_pathfinding_path(result, 3, 3, way, sizeof way, &steps));
}

static void a_line_is_made_of_the_given_words(void)
{
    static const char *const words[2] = {"hush listen", "."};
    static const uint16_t followers[3] = {2, 4, 1}; /* start: 0; 0: 1; 1: the end */
    static const uint8_t neutral[2] = {16, 16};
    static const uint32_t random[4] = {0, 0, 0, 0};
    const struct p2c2r_vocabulary vocabulary = {2, words, followers, 2, 1, 1, neutral, neutral};
    const struct p2c2r_line line = {0, 0, 1, 4, 1, 40, random};
    struct p2c2r_bytes text;
    const struct p2c2r_bytes result =
        run("ai_npc_dialogue", p2c2r_ai_npc_dialogue_input(input, sizeof input, &vocabulary, &line),
            false);
    CU_ASSERT(p2c2r_ai_npc_dialogue_text(result, &text));
    P2_ASSERT_EQUAL(text.size, 5);
    P2_ASSERT_BYTES(text.data, "Hush.", 5);
}

static void terrain_has_water_up_to_its_level(void)
{
    const struct p2c2r_terrain terrain = {3, 8, 0, 12, 64, 0, 0, 0};
    uint8_t material = 0;
    const struct p2c2r_bytes result = run(
        "ai_procedural", p2c2r_ai_procedural_input(input, sizeof input, &terrain, -2, 5), false);
    CU_ASSERT(p2c2r_ai_procedural_voxel(result, 3, 11, 9, &material));
    P2_ASSERT_EQUAL(material, P2C2R_WATER);
    CU_ASSERT(p2c2r_ai_procedural_voxel(result, 3, 20, 9, &material));
    P2_ASSERT_EQUAL(material, P2C2R_AIR);
    CU_ASSERT(p2c2r_ai_procedural_voxel(result, 3, 1, 9, &material));
    CU_ASSERT(material != P2C2R_AIR && material != P2C2R_WATER);
    CU_ASSERT(!p2c2r_ai_procedural_voxel(result, 16, 0, 0, &material));
}

/* ---- rays ------------------------------------------------------------------------------------ */

/* A chunk with a stone floor and a lantern on a post, looked at from above the middle. */
static struct p2c2r_ray_view make_view(void)
{
    static uint8_t voxels[P2C2R_BLOB_VOXELS];
    struct p2c2r_ray_view view;
    memset(voxels, 0, sizeof voxels);
    for (size_t i = 0; i < 1024; i++) {
        memset(voxels + i * 64, P2C2R_STONE, 4);
    }
    voxels[(size_t)(20 * 32 + 16) * 64 + 4] = P2C2R_WOOD;
    voxels[(size_t)(20 * 32 + 16) * 64 + 5] = P2C2R_LANTERN;
    p2c2r_scene_blob(blob, voxels);
    memset(&view, 0, sizeof view);
    view.position[0] = view.position[2] = 16 * 65536;
    view.position[1] = 12 * 65536;
    view.forward[1] = -60000;
    view.forward[2] = 20000;
    view.right[0] = 65536;
    view.up[2] = 65536;
    view.picture_w = 64;
    view.picture_h = 60;
    view.tile_w = 64;
    view.tile_h = 60;
    view.sun[1] = 16384;
    view.sun_level = 5;
    view.ambient_level = 3;
    view.fog_start = 200;
    view.rays = 1;
    view.flags = P2C2R_RAY_SUN | P2C2R_RAY_LAMPLIGHT;
    view.chunk_count = view.lamp_count = 1;
    view.lamps[0] = (struct p2c2r_ray_lamp){{16 * 256 + 128, 5 * 256 + 128, 20 * 256 + 128}, 8, 9};
    return view;
}

static void tiles_and_their_parts_fit_together(void)
{
    static uint8_t whole[3840], base[3840];
    struct p2c2r_ray_view view = make_view();
    run("rt_render_tile", p2c2r_rt_render_tile_input(input, sizeof input, &view), true);
    memcpy(whole, kept, sizeof whole);
    view.flags = 0;
    run("rt_render_tile", p2c2r_rt_render_tile_input(input, sizeof input, &view), true);
    memcpy(base, kept, sizeof base);
    view.flags = P2C2R_RAY_SUN | P2C2R_RAY_LAMPLIGHT;
    run("rt_shadows", p2c2r_rt_shadows_input(input, sizeof input, &view, NULL, 0), true);
    unsigned stones = 0, lit = 0;
    for (size_t i = 0; i < sizeof whole; i++) {
        P2_ASSERT_EQUAL(p2c2r_rt_compose(&view, base[i], kept[i]), whole[i]);
        stones += whole[i] >> 4 == P2C2R_STONE;
        lit += whole[i] != base[i];
    }
    CU_ASSERT(stones > 1000 && lit > 1000);
    const struct p2c2r_bytes mirrors =
        run("rt_reflections", p2c2r_rt_reflections_input(input, sizeof input, &view, 2), true);
    P2_ASSERT_BYTES(mirrors.data, whole, sizeof whole); /* nothing here mirrors */
    const struct p2c2r_bytes light =
        run("rt_global_illumination",
            p2c2r_rt_global_illumination_input(input, sizeof input, &view, 16, 20, 8), true);
    P2_ASSERT_EQUAL(light.size, sizeof whole);
}

static void faces_tell_which_lamp_they_see(void)
{
    const struct p2c2r_ray_view view = make_view();
    const struct p2c2r_ray_face faces[2] = {{16, 3, 18, 3}, {16, 3, 2, 3}};
    uint32_t near = 0, far = 0;
    const struct p2c2r_bytes result =
        run("rt_shadows", p2c2r_rt_shadows_input(input, sizeof input, &view, faces, 2), true);
    CU_ASSERT(p2c2r_rt_shadows_face(result, 0, &near));
    CU_ASSERT(p2c2r_rt_shadows_face(result, 1, &far));
    P2_ASSERT_EQUAL(near, 3); /* sun and lamp */
    P2_ASSERT_EQUAL(far, 1);  /* the lamp reaches 9 voxels */
    CU_ASSERT(!p2c2r_rt_shadows_face(result, 2, &far));
}

static void the_reach_of_a_tile_covers_what_its_rays_meet(void)
{
    struct p2c2r_ray_view view = make_view();
    view.position[0] = view.position[2] = 20 * 65536;
    view.forward[0] = view.forward[2] = 46341; /* along the diagonal */
    view.forward[1] = 0;
    view.right[0] = 46341;
    view.right[2] = -46341;
    view.up[0] = view.up[2] = 0;
    view.up[1] = 65536;
    p2c2r_ray_reach(&view, false);
    unsigned diagonal = 0;
    for (unsigned i = 0; i < view.chunk_count; i++) {
        diagonal += view.chunks[i][0] == view.chunks[i][1];
    }
    P2_ASSERT_EQUAL(diagonal, 8);
    view.forward[0] = view.forward[2] = -46341; /* out of the world */
    p2c2r_ray_reach(&view, false);
    CU_ASSERT(view.chunk_count < 16);
}

static void compressed_content_is_smaller(void)
{
    static uint8_t content[5000];
    const struct p2c2r_bytes result = run(
        "compress",
        p2c2r_compress_input(input, sizeof input, 3, (struct p2c2r_bytes){content, sizeof content}),
        false);
    CU_ASSERT(result.size > 0 && result.size < 100);
    P2_ASSERT_EQUAL(p2c2r_compress_input(input, sizeof input, 7, (struct p2c2r_bytes){content, 1}),
                    0);
}

static void fixed_numbers_are_bounded(void)
{
    P2_ASSERT_EQUAL(p2c2r_fixed(1.5F), 98304);
    P2_ASSERT_EQUAL(p2c2r_fixed(-0.00001F), 0);
    P2_ASSERT_EQUAL(p2c2r_fixed(1e30F), 32767 * 65536);
    P2_ASSERT_EQUAL(p2c2r_fixed(p2_f32_of_bits(0x7fc00000)), 0);
    CU_ASSERT(p2c2r_float(-98304) == -1.5F);
    P2_ASSERT_EQUAL(p2c2r_sdk_version(), P2C2R_SDK_VERSION);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_falling_ball_is_where_gravity_puts_it),
        P2_TEST(water_falls_to_the_floor),
        P2_TEST(a_cut_beam_is_a_fragment),
        P2_TEST(paths_are_read_step_by_step),
        P2_TEST(a_line_is_made_of_the_given_words),
        P2_TEST(terrain_has_water_up_to_its_level),
        P2_TEST(tiles_and_their_parts_fit_together),
        P2_TEST(faces_tell_which_lamp_they_see),
        P2_TEST(the_reach_of_a_tile_covers_what_its_rays_meet),
        P2_TEST(compressed_content_is_smaller),
        P2_TEST(fixed_numbers_are_bounded),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"sdk", start, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
