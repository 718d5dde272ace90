/* The byte layouts of scene v1 and pad v1 against bytes put together by hand, and hostile bytes. */
#include "p2c2r/scene.h"
#include "tests/lib/test.h"

#include <string.h>

static uint8_t bytes[P2C2R_SCENE_CHUNK_MAX];
static uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS], back[P2C2R_SCENE_CHUNK_VOXELS];

static struct p2c2r_bytes span(const void *data, size_t size)
{
    return (struct p2c2r_bytes){data, size};
}

/* 1 format; 20 stones (3e 05), 1 grass (10), 15 air (0e 00), and 16348 water (5f, 16348 - 271). */
static const uint8_t chunk_by_hand[] = {1, 0x3e, 5, 0x10, 0x0e, 0, 0x5f, 0xcd, 0x3e};

static void fill_by_hand(void)
{
    memset(voxels, 5, sizeof voxels);
    memset(voxels, 3, 20);
    voxels[20] = 1;
    memset(voxels + 21, 0, 15);
}

static void a_chunk_is_written_as_the_runs_in_the_document(void)
{
    fill_by_hand();
    const size_t size = p2c2r_scene_chunk_write(bytes, sizeof bytes, voxels);
    P2_ASSERT_EQUAL(size, sizeof chunk_by_hand);
    P2_ASSERT_BYTES(bytes, chunk_by_hand, sizeof chunk_by_hand);
    CU_ASSERT(p2c2r_scene_chunk_read(span(chunk_by_hand, sizeof chunk_by_hand), back));
    P2_ASSERT_BYTES(back, voxels, sizeof voxels);
}

static void the_worst_chunk_fits_and_comes_back(void)
{
    for (size_t i = 0; i < sizeof voxels; i++) {
        voxels[i] = (uint8_t)(i & 15u);
    }
    const size_t size = p2c2r_scene_chunk_write(bytes, sizeof bytes, voxels);
    P2_ASSERT_EQUAL(size, P2C2R_SCENE_CHUNK_MAX);
    CU_ASSERT(p2c2r_scene_chunk_read(span(bytes, size), back));
    P2_ASSERT_BYTES(back, voxels, sizeof voxels);
    CU_ASSERT(p2c2r_scene_chunk_write(bytes, size - 1, voxels) == 0);
    voxels[9] = 16;
    CU_ASSERT(p2c2r_scene_chunk_write(bytes, sizeof bytes, voxels) == 0);
}

static void chunks_of_a_wrong_length_are_refused(void)
{
    uint8_t longer[sizeof chunk_by_hand + 1];
    memcpy(longer, chunk_by_hand, sizeof chunk_by_hand);
    longer[sizeof chunk_by_hand] = 0;
    for (size_t size = 0; size < sizeof chunk_by_hand; size++) {
        CU_ASSERT(!p2c2r_scene_chunk_read(span(chunk_by_hand, size), back));
    }
    CU_ASSERT(!p2c2r_scene_chunk_read(span(longer, sizeof longer), back));
    longer[7] = 0xce; /* one voxel too many */
    CU_ASSERT(!p2c2r_scene_chunk_read(span(longer, sizeof chunk_by_hand), back));
}

static const struct p2c2r_scene_entity soldier = {
    .id = 0x0102,
    .shape = P2C2R_SHAPE_FIGURE,
    .slices = 13,
    .position = {-256, 0x010203, 7},
    .yaw = 64,
    .pose = P2C2R_POSE_LANTERN,
    .colour = {0x27, 0x89},
    .width = 13,
    .height = 28,
};
static const uint8_t soldier_by_hand[] = {1, 2, 1, 1, 13, 0,  0xff, 0xff, 0xff, 3,  2, 1,
                                          0, 7, 0, 0, 0,  64, 2,    0x27, 0x89, 13, 28};

static void entities_are_written_as_the_table_in_the_document(void)
{
    struct p2c2r_scene_entity read[P2C2R_SCENE_PAGE_ENTITIES];
    uint32_t count = 0;
    P2_ASSERT_EQUAL(p2c2r_scene_entities_write(bytes, sizeof bytes, &soldier, 1),
                    sizeof soldier_by_hand);
    P2_ASSERT_BYTES(bytes, soldier_by_hand, sizeof soldier_by_hand);
    CU_ASSERT(p2c2r_scene_entities_read(span(bytes, sizeof soldier_by_hand), read, &count));
    P2_ASSERT_EQUAL(count, 1);
    P2_ASSERT_EQUAL(read[0].position[1], 0x010203);
    P2_ASSERT_EQUAL(read[0].pose, P2C2R_POSE_LANTERN);
}

static bool is_entity_taken(struct p2c2r_scene_entity entity)
{
    return p2c2r_scene_entities_write(bytes, sizeof bytes, &entity, 1) != 0;
}

static void entities_outside_their_ranges_are_refused(void)
{
    struct p2c2r_scene_entity entity = soldier;
    CU_ASSERT(is_entity_taken(entity));
    entity.shape = P2C2R_SHAPES;
    CU_ASSERT(!is_entity_taken(entity));
    entity = soldier, entity.width = 0;
    CU_ASSERT(!is_entity_taken(entity));
    entity = soldier, entity.position[2] = P2C2R_SCENE_POSITION_MAX + 1;
    CU_ASSERT(!is_entity_taken(entity));
    entity = soldier, entity.id = P2C2R_SCENE_NOBODY;
    CU_ASSERT(!is_entity_taken(entity));
    struct p2c2r_scene_entity read[P2C2R_SCENE_PAGE_ENTITIES];
    uint32_t count;
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 33; /* a page has 32 */
    CU_ASSERT(!p2c2r_scene_entities_read(span(bytes, 1 + (size_t)33 * P2C2R_SCENE_ENTITY_BYTES),
                                         read, &count));
}

static void lights_come_back_and_broken_ones_do_not(void)
{
    struct p2c2r_scene_sky sky = {{8192, 10158, -9830}, 3, 2, 1, 3, 0, 14, 210, 64, 9, true}, sky2;
    struct p2c2r_scene_lamp lamp = {{1, 2, 3}, 12, 15}, lamps[P2C2R_SCENE_LAMPS];
    uint32_t count;
    size_t size = p2c2r_scene_sky_write(bytes, sizeof bytes, &sky);
    P2_ASSERT_EQUAL(size, P2C2R_SCENE_SKY_BYTES);
    CU_ASSERT(p2c2r_scene_sky_read(span(bytes, size), &sky2));
    P2_ASSERT_EQUAL(sky2.sun[2], -9830);
    CU_ASSERT(sky2.is_moon);
    bytes[7] = 16;
    CU_ASSERT(!p2c2r_scene_sky_read(span(bytes, size), &sky2));
    size = p2c2r_scene_lamps_write(bytes, sizeof bytes, &lamp, 1);
    P2_ASSERT_EQUAL(size, 16);
    CU_ASSERT(p2c2r_scene_lamps_read(span(bytes, size), lamps, &count));
    P2_ASSERT_EQUAL(lamps[0].radius, 15);
    bytes[15] = 33;
    CU_ASSERT(!p2c2r_scene_lamps_read(span(bytes, size), lamps, &count));
}

static bool is_clean(const char *text)
{
    return p2c2r_scene_text_is_clean(text, strlen(text));
}

static void text_with_tricks_is_refused(void)
{
    CU_ASSERT(is_clean("Gr\xc3\xbc\xc3\x9f dich \xe2\x98\xbe \xf0\x9f\x8c\x99"));
    CU_ASSERT(!is_clean("a\nb"));
    CU_ASSERT(!is_clean("\x1b[2J"));
    CU_ASSERT(!is_clean("\xe2\x80\xae")); /* U+202E, right-to-left override */
    CU_ASSERT(!is_clean("\xef\xbb\xbf")); /* U+FEFF */
    CU_ASSERT(!is_clean("\xc0\xaf"));     /* overlong */
    CU_ASSERT(!is_clean("\xe0\x80\xaf"));
    CU_ASSERT(!is_clean("\xed\xa0\x80"));     /* half of a surrogate pair */
    CU_ASSERT(!is_clean("\xf4\x90\x80\x80")); /* above U+10FFFF */
    CU_ASSERT(!is_clean("ab\xe2\x98"));       /* cut off */
    CU_ASSERT(!is_clean("\xc2\x9b"));         /* C1 control */
}

static void text_comes_back_with_its_zero(void)
{
    struct p2c2r_scene_text text = {P2C2R_PLACE_SPEECH, 0x8f, 7, 5, "hello"}, read;
    const uint8_t by_hand[] = {2, 0x8f, 7, 0, 5, 'h', 'e', 'l', 'l', 'o'};
    P2_ASSERT_EQUAL(p2c2r_scene_text_write(bytes, sizeof bytes, &text), sizeof by_hand);
    P2_ASSERT_BYTES(bytes, by_hand, sizeof by_hand);
    CU_ASSERT(p2c2r_scene_text_read(span(by_hand, sizeof by_hand), &read));
    CU_ASSERT_STRING_EQUAL(read.text, "hello");
    text.entity = P2C2R_SCENE_NOBODY; /* speech has a speaker */
    CU_ASSERT(p2c2r_scene_text_write(bytes, sizeof bytes, &text) == 0);
}

static void events_come_back_in_order(void)
{
    const struct p2c2r_scene_event two[2] = {{P2C2R_EVENT_BLAST, 9, {1, 2, 3}},
                                             {P2C2R_EVENT_CRY, 1, {-4, 5, 6}}};
    struct p2c2r_scene_event read[P2C2R_SCENE_EVENTS_COUNT];
    uint32_t first, count;
    const size_t size = p2c2r_scene_events_write(bytes, sizeof bytes, 77, two, 2);
    P2_ASSERT_EQUAL(size, 5 + 28);
    CU_ASSERT(p2c2r_scene_events_read(span(bytes, size), &first, read, &count));
    P2_ASSERT_EQUAL(first, 77);
    P2_ASSERT_EQUAL(count, 2);
    P2_ASSERT_EQUAL(read[1].position[0], -4);
}

static void a_pad_is_twelve_bytes(void)
{
    const struct p2c2r_pad pad = {P2C2R_PAD_THIRD, -127, 100, 0x8001, -300, 4};
    const uint8_t by_hand[P2C2R_PAD_BYTES] = {1, 8, 0x81, 100, 1, 0x80, 0xd4, 0xfe, 4, 0, 0, 0};
    struct p2c2r_pad read;
    P2_ASSERT_EQUAL(p2c2r_pad_write(bytes, sizeof bytes, &pad), P2C2R_PAD_BYTES);
    P2_ASSERT_BYTES(bytes, by_hand, sizeof by_hand);
    CU_ASSERT(p2c2r_pad_read(span(by_hand, sizeof by_hand), &read));
    P2_ASSERT_EQUAL(read.right, -127);
    P2_ASSERT_EQUAL(read.pitch, -300);
    memcpy(bytes, by_hand, sizeof by_hand);
    bytes[2] = 0x80; /* -128 is not a speed */
    CU_ASSERT(!p2c2r_pad_read(span(bytes, P2C2R_PAD_BYTES), &read));
    CU_ASSERT(!p2c2r_pad_read(span(by_hand, P2C2R_PAD_BYTES - 1), &read));
}

static void no_flipped_bit_of_a_page_crashes_or_reads_as_the_same(void)
{
    struct p2c2r_scene_entity read[P2C2R_SCENE_PAGE_ENTITIES];
    uint32_t count;
    uint8_t flipped[sizeof soldier_by_hand];
    for (size_t bit = 0; bit < sizeof flipped * 8; bit++) {
        memcpy(flipped, soldier_by_hand, sizeof flipped);
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (p2c2r_scene_entities_read(span(flipped, sizeof flipped), read, &count)) {
            P2_ASSERT_EQUAL(p2c2r_scene_entities_write(bytes, sizeof bytes, read, count),
                            sizeof flipped);
            P2_ASSERT_BYTES(bytes, flipped, sizeof flipped);
        }
    }
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_chunk_is_written_as_the_runs_in_the_document),
        P2_TEST(the_worst_chunk_fits_and_comes_back),
        P2_TEST(chunks_of_a_wrong_length_are_refused),
        P2_TEST(entities_are_written_as_the_table_in_the_document),
        P2_TEST(entities_outside_their_ranges_are_refused),
        P2_TEST(lights_come_back_and_broken_ones_do_not),
        P2_TEST(text_with_tricks_is_refused),
        P2_TEST(text_comes_back_with_its_zero),
        P2_TEST(events_come_back_in_order),
        P2_TEST(a_pad_is_twelve_bytes),
        P2_TEST(no_flipped_bit_of_a_page_crashes_or_reads_as_the_same),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"scene", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
