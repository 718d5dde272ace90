/* The client's parts one by one: the scene it keeps, tiles, scripts, options. */
#include "base/error.h"
#include "base/options.h"
#include "client/gamer.h"
#include "client/input_script.h"
#include "client/options.h"
#include "kernels/zstd_frame.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static uint8_t arena[P2_ZSTD_COMPRESS_ARENA] __attribute__((aligned(64)));
static uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS];
static uint8_t raw[P2C2R_SCENE_BUNDLE_MAX];

/* ---- scene ------------------------------------------------------------------------------------- */

static int put(struct p2_scene_store *store, uint32_t key, uint8_t material)
{
    memset(voxels, material, sizeof voxels);
    size_t size = p2c2r_scene_chunk_write(raw, sizeof raw, voxels);
    return p2_scene_store_apply(store, P2C2R_SCENE_CHUNK, key, p2_span(raw, size));
}

/* A bundle of chunks (0..count-1, 9), all of one material; its bytes in raw. */
static size_t bundle(uint32_t count, uint8_t material)
{
    static uint8_t content[P2C2R_SCENE_BUNDLE_CONTENT], frame[P2C2R_SCENE_BUNDLE_CONTENT];
    struct p2c2r_scene_bundle out;
    size_t size = 0;
    memset(voxels, material, sizeof voxels);
    p2c2r_scene_bundle_start(&out, content, sizeof content);
    for (uint32_t i = 0; i < count; i++) {
        p2c2r_scene_bundle_add(&out, i, 9, voxels);
    }
    struct p2c2r_bytes whole = p2c2r_scene_bundle_end(&out);
    CU_ASSERT_FATAL(p2_zstd_frame_compress(whole, 1, frame, sizeof frame, arena, sizeof arena,
                                           &size) == P2C2R_KERNEL_OK);
    return p2c2r_scene_bundle_frame(raw, sizeof raw, (uint32_t)whole.size,
                                    (struct p2c2r_bytes){frame, size});
}

static int put_bundle(struct p2_scene_store *store, uint32_t count, uint8_t material)
{
    size_t size = bundle(count, material);
    return p2_scene_store_apply(store, P2C2R_SCENE_CHUNK, P2C2R_SCENE_BUNDLE_KEY + 3,
                                p2_span(raw, size));
}

static uint8_t material_at(const struct p2_scene_store *store, uint32_t cx, uint32_t cz)
{
    const struct p2_scene_chunk *chunk = p2_scene_store_chunk(store, cx, cz);
    return chunk != NULL ? chunk->voxels[0] : 0;
}

static void the_newest_chunk_stays(void)
{
    struct p2_scene_store store;
    p2_scene_store_init(&store);
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(3, 9), 2), P2_OK);
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(1, 0), 5), P2_OK);
    uint32_t before = p2_scene_store_chunk(&store, 3, 9)->change;
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(3, 9), 4), P2_OK);
    P2_ASSERT_EQUAL(material_at(&store, 3, 9), 4);
    P2_ASSERT_EQUAL(material_at(&store, 1, 0), 5);
    P2_ASSERT_EQUAL(store.chunk_count, 2);
    uint32_t after = p2_scene_store_chunk(&store, 3, 9)->change;
    CU_ASSERT(after != before);
    p2_scene_store_clear(&store); /* a version's number is never used again */
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(3, 9), 6), P2_OK);
    CU_ASSERT(p2_scene_store_chunk(&store, 3, 9)->change > after);
    CU_ASSERT_PTR_NULL(p2_scene_store_chunk(&store, 256, 0));
    p2_scene_store_free(&store);
}

static void bundles_do_not_replace_chunks(void)
{
    struct p2_scene_store store;
    p2_scene_store_init(&store);
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(1, 9), 7), P2_OK);
    P2_ASSERT_ERROR(put_bundle(&store, 3, 2), P2_OK);
    P2_ASSERT_EQUAL(store.chunk_count, 3);
    P2_ASSERT_EQUAL(material_at(&store, 0, 9), 2);
    P2_ASSERT_EQUAL(material_at(&store, 1, 9), 7);
    P2_ASSERT_ERROR(put_bundle(&store, 3, 3), P2_OK);
    P2_ASSERT_EQUAL(material_at(&store, 2, 9), 3);
    P2_ASSERT_EQUAL(material_at(&store, 1, 9), 7);
    P2_ASSERT_ERROR(put(&store, p2c2r_scene_chunk_key(2, 9), 8), P2_OK);
    P2_ASSERT_ERROR(put_bundle(&store, 3, 4), P2_OK);
    P2_ASSERT_EQUAL(material_at(&store, 2, 9), 8);
    p2_scene_store_free(&store);
}

static void broken_bundles_change_nothing(void)
{
    struct p2_scene_store store;
    p2_scene_store_init(&store);
    size_t size = bundle(4, 2);
    for (size_t cut = 0; cut < size; cut++) {
        CU_ASSERT(p2_scene_store_apply(&store, P2C2R_SCENE_CHUNK, P2C2R_SCENE_BUNDLE_KEY,
                                       p2_span(raw, cut)) != P2_OK);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int error = p2_scene_store_apply(&store, P2C2R_SCENE_CHUNK, P2C2R_SCENE_BUNDLE_KEY,
                                         p2_span(raw, size));
        CU_ASSERT(error == P2_OK || error == P2_E_MALFORMED);
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        p2_scene_store_clear(&store);
    }
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_CHUNK,
                                         P2C2R_SCENE_BUNDLE_KEY + P2C2R_SCENE_BUNDLES,
                                         p2_span(raw, size)),
                    P2_E_RANGE);
    P2_ASSERT_EQUAL(store.chunk_count, 0);
    p2_scene_store_free(&store);
}

static void chunks_have_a_limit(void)
{
    struct p2_scene_store store;
    p2_scene_store_init(&store);
    for (uint32_t i = 0; i < P2_SCENE_CHUNKS_MAX; i++) { /* from the highest key down */
        P2_ASSERT_ERROR(put(&store, 65535 - i, 1), P2_OK);
    }
    P2_ASSERT_ERROR(put(&store, 0, 1), P2_E_LIMIT);
    P2_ASSERT_ERROR(put(&store, 65535, 9), P2_OK);
    P2_ASSERT_EQUAL(store.chunk_count, P2_SCENE_CHUNKS_MAX);
    for (uint32_t i = 1; i < store.chunk_count; i++) {
        CU_ASSERT(store.chunks[i - 1]->key < store.chunks[i]->key);
    }
    P2_ASSERT_ERROR(put_bundle(&store, 2, 2), P2_E_LIMIT);
    p2_scene_store_free(&store);
}

static int tell_events(struct p2_scene_store *store, uint32_t first, uint32_t count)
{
    struct p2c2r_scene_event events[P2C2R_SCENE_EVENTS_COUNT] = {{0}};
    size_t size = p2c2r_scene_events_write(raw, sizeof raw, first, events, count);
    return p2_scene_store_apply(store, P2C2R_SCENE_EVENTS, 0, p2_span(raw, size));
}

static void events_happen_once(void)
{
    struct p2_scene_store store;
    p2_scene_store_init(&store);
    P2_ASSERT_ERROR(tell_events(&store, UINT32_MAX - 4, 4), P2_OK);
    P2_ASSERT_EQUAL(store.event_count, 0); /* before we came */
    P2_ASSERT_ERROR(tell_events(&store, UINT32_MAX - 2, 8), P2_OK);
    P2_ASSERT_EQUAL(store.event_count, 6); /* across the highest number */
    P2_ASSERT_ERROR(tell_events(&store, UINT32_MAX - 2, 8), P2_OK);
    P2_ASSERT_EQUAL(store.event_count, 6);
    p2_scene_store_clear(&store);
    P2_ASSERT_ERROR(tell_events(&store, 4, 2), P2_OK);
    P2_ASSERT_EQUAL(store.event_count, 7);
    for (uint32_t i = 0; i < 10; i++) {
        P2_ASSERT_ERROR(tell_events(&store, 100 + i * 32, 32), P2_OK);
        CU_ASSERT(store.event_count <= P2_SCENE_EVENTS_KEPT);
    }
    p2_scene_store_free(&store);
}

static void keys_and_kinds_are_checked(void)
{
    struct p2_scene_store store;
    struct p2c2r_scene_entity entity = {.id = 4, .slices = 15, .width = 9, .height = 9}, got[2];
    p2_scene_store_init(&store);
    size_t size = p2c2r_scene_entities_write(raw, sizeof raw, &entity, 1);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_ENTITIES, 63, p2_span(raw, size)),
                    P2_OK);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_ENTITIES, 64, p2_span(raw, size)),
                    P2_E_RANGE);
    P2_ASSERT_EQUAL(p2_scene_store_entities(&store, got, 2), 1);
    P2_ASSERT_EQUAL(p2_scene_store_entities(&store, got, 0), 0);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_LIGHTS, 9, p2_span(raw, size)),
                    P2_E_RANGE);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_LIGHTS, 0, p2_span(raw, 3)),
                    P2_E_MALFORMED);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_TEXT, 32, p2_span(raw, size)),
                    P2_E_RANGE);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, P2C2R_SCENE_EVENTS, 1, p2_span(raw, size)),
                    P2_E_RANGE);
    P2_ASSERT_ERROR(p2_scene_store_apply(&store, 77, 1, p2_span(raw, size)), P2_OK);
    p2_scene_store_free(&store);
}

/* ---- tiles ------------------------------------------------------------------------------------- */

static int take(struct p2_picture *picture, uint32_t index, enum p2_codec codec,
                const uint8_t *data, size_t size)
{
    struct p2_msg_tile tile = {
        .index = (uint16_t)index, .codec = codec, .data = p2_span(data, size)};
    return p2_picture_take(picture, 300, &tile);
}

static void tiles_of_wrong_sizes_are_refused(void)
{
    static uint8_t content[P2_ZSTD_CONTENT_MAX], frame[P2_ZSTD_FRAME_MAX(P2_ZSTD_CONTENT_MAX)];
    struct p2_picture picture;
    const size_t sizes[] = {1, 63, 64 * 60 - 1, 64 * 60 + 1, P2_WIRE_TILE_MAX, 1u << 20};
    P2_ASSERT_ERROR(p2_picture_init(&picture, 130, 61, 64, 60), P2_OK);
    P2_ASSERT_EQUAL(picture.columns * picture.rows, 6);
    memset(content, 9, sizeof content);
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        size_t size = 0;
        struct p2c2r_bytes bytes = {content, sizes[i]};
        P2_ASSERT_EQUAL(
            p2_zstd_frame_compress(bytes, 1, frame, sizeof frame, arena, sizeof arena, &size),
            P2C2R_KERNEL_OK);
        P2_ASSERT_ERROR(take(&picture, 0, P2_CODEC_ZSTD, frame, size), P2_E_MALFORMED);
        P2_ASSERT_ERROR(take(&picture, 0, P2_CODEC_RAW, content, sizes[i]), P2_E_MALFORMED);
    }
    P2_ASSERT_ERROR(take(&picture, 0, P2_CODEC_ZSTD, NULL, 0), P2_E_MALFORMED);
    P2_ASSERT_ERROR(take(&picture, 6, P2_CODEC_RAW, content, 64 * 60), P2_E_RANGE);
    P2_ASSERT_ERROR(take(&picture, 65535, P2_CODEC_RAW, content, 64 * 60), P2_E_RANGE);
    P2_ASSERT_EQUAL(picture.pixels[0], 0);
    P2_ASSERT_EQUAL(picture.refused, 2 * P2_COUNT_OF(sizes) + 3);
    for (uint32_t i = 0; i < 6; i++) { /* those at the edge are cut */
        P2_ASSERT_ERROR(take(&picture, i, P2_CODEC_RAW, content, 64 * 60), P2_OK);
    }
    for (uint32_t i = 0; i < 130 * 61; i++) {
        CU_ASSERT(picture.pixels[i] == 9);
    }
    struct p2_msg_tile old = {.age = 255, .data = p2_span(content, 64 * 60)};
    P2_ASSERT_ERROR(p2_picture_take(&picture, 255, &old), P2_E_RANGE);
    p2_picture_free(&picture);
}

static void pictures_have_limits(void)
{
    static const uint32_t wrong[][4] = {
        {0, 10, 8, 8},          {10, 0, 8, 8},       {10, 10, 0, 8},     {10, 10, 8, 0},
        {7681, 10, 64, 60},     {10, 7681, 64, 60},  {7680, 7680, 1, 1}, {64, 64, 8192, 2},
        {64, 64, 65535, 65535}, {7680, 7680, 64, 60}};
    struct p2_picture picture;
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        P2_ASSERT_ERROR(
            p2_picture_init(&picture, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]),
            P2_E_RANGE);
    }
    P2_ASSERT_ERROR(p2_picture_init(&picture, 1, 1, 8192, 1), P2_OK);
    CU_ASSERT_PTR_NULL(p2_picture_newest(&picture));
    p2_picture_free(&picture);
}

/* ---- scripts ----------------------------------------------------------------------------------- */

static int parse(struct p2_input_script *script, const char *text, struct p2_failure *failure)
{
    memset(failure, 0, sizeof *failure);
    return p2_input_script_parse(script, "s", p2_span(text, strlen(text)), failure);
}

static void scripts_move_the_pad(void)
{
    struct p2_input_script script;
    struct p2_failure failure;
    struct p2c2r_pad pad = {0};
    P2_ASSERT_ERROR(parse(&script,
                          "# a walk\n\n2 walk=127 turn=-1 yaw=0 hold=jump,use slot=15\r\n"
                          "1\tstrafe=-127 tilt=-15360 pitch=100 # down\nrepeat",
                          &failure),
                    P2_OK);
    for (unsigned round = 0; round < 3; round++) {
        CU_ASSERT(p2_input_script_step(&script, &pad));
        P2_ASSERT_EQUAL(pad.yaw, 65535);
        P2_ASSERT_EQUAL(pad.buttons, P2C2R_PAD_JUMP | P2C2R_PAD_USE);
        CU_ASSERT(p2_input_script_step(&script, &pad));
        P2_ASSERT_EQUAL(pad.yaw, 65534);
        P2_ASSERT_EQUAL(pad.slot, 15);
        CU_ASSERT(p2_input_script_step(&script, &pad));
        P2_ASSERT_EQUAL(pad.pitch, 100 - 15360);
        P2_ASSERT_EQUAL(pad.right, -127);
        P2_ASSERT_EQUAL(pad.buttons, 0);
    }
    p2_input_script_free(&script);
    P2_ASSERT_ERROR(parse(&script, "1 walk=5", &failure), P2_OK);
    CU_ASSERT(p2_input_script_step(&script, &pad));
    CU_ASSERT(!p2_input_script_step(&script, &pad));
    P2_ASSERT_EQUAL(pad.forward, 0);
    p2_input_script_free(&script);
}

static void wrong_scripts_are_refused_by_line(void)
{
    static const char *const wrong[] = {"x",
                                        "0",
                                        "1000001",
                                        "1 walk=128",
                                        "1 walk",
                                        "1 yaw=-1",
                                        "1 slot=16",
                                        "1 hold=run",
                                        "1 sing=1",
                                        "repeat",
                                        "1\nrepeat\n1",
                                        "1 tilt=20000",
                                        "1 walk=1x",
                                        "1 turn=",
                                        "-1",
                                        "1 =3",
                                        "99999999999999999999 walk=1"};
    struct p2_input_script script;
    struct p2_failure failure;
    for (size_t i = 0; i < P2_COUNT_OF(wrong); i++) {
        P2_ASSERT_ERROR(parse(&script, wrong[i], &failure), P2_E_CONFIG);
        CU_ASSERT(strncmp(failure.message, "s:", 2) == 0);
        CU_ASSERT_PTR_NULL(script.lines);
    }
    P2_ASSERT_ERROR(p2_input_script_parse(&script, "s", p2_span("1\0x", 3), &failure), P2_E_CONFIG);
    P2_ASSERT_ERROR(
        p2_input_script_parse(&script, "s", p2_span(arena, P2_SCRIPT_BYTES_MAX + 1), &failure),
        P2_E_LIMIT);
    for (unsigned i = 0; i <= P2_SCRIPT_LINES_MAX; i++) {
        memcpy(arena + (size_t)i * 2, "1\n", 2);
    }
    P2_ASSERT_ERROR(p2_input_script_parse(&script, "s",
                                          p2_span(arena, (P2_SCRIPT_LINES_MAX + 1) * (size_t)2),
                                          &failure),
                    P2_E_LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "s:4097"));
}

/* ---- options ----------------------------------------------------------------------------------- */

static void the_option_table_is_sound(void)
{
    struct p2_failure failure = {0};
    uint16_t width = 0, height = 0;
    P2_ASSERT_ERROR(p2_option_table_check(&p2_client_option_table, &failure), P2_OK);
    CU_ASSERT(p2_client_parse_size("640x360", &width, &height) && width == 640 && height == 360);
    CU_ASSERT(!p2_client_parse_size("640x", &width, &height));
    CU_ASSERT(!p2_client_parse_size("63x64", &width, &height));
    CU_ASSERT(!p2_client_parse_size("64x7681", &width, &height));
    CU_ASSERT(!p2_client_parse_size("64x64x", &width, &height));
    CU_ASSERT(!p2_client_parse_size("18446744073709551680x64", &width, &height));
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(the_newest_chunk_stays),
                           P2_TEST(bundles_do_not_replace_chunks),
                           P2_TEST(broken_bundles_change_nothing),
                           P2_TEST(chunks_have_a_limit),
                           P2_TEST(events_happen_once),
                           P2_TEST(keys_and_kinds_are_checked),
                           P2_TEST(tiles_of_wrong_sizes_are_refused),
                           P2_TEST(pictures_have_limits),
                           P2_TEST(scripts_move_the_pad),
                           P2_TEST(wrong_scripts_are_refused_by_line),
                           P2_TEST(the_option_table_is_sound),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"client parts", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
