/* Images share what did not change and never change themselves. */
#include "base/crypto.h"
#include "store/image.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK P2_SNAPSHOT_CHUNK
#define WORLD (3 * CHUNK + 100)

static uint8_t world[WORLD];
static struct p2_image_builder *builder;

static void begin(void)
{
    for (size_t i = 0; i < WORLD; i++) {
        world[i] = (uint8_t)(i * 7 + i / 251);
    }
    P2_ASSERT_ERROR(p2_image_builder_new(&builder, WORLD), P2_OK);
    P2_ASSERT_ERROR(p2_image_builder_update(builder, p2_span(world, WORLD), NULL), P2_OK);
}

static struct p2_image *take(void)
{
    struct p2_image *image = NULL;
    P2_ASSERT_ERROR(p2_image_take(builder, &image), P2_OK);
    return image;
}

static bool holds(const struct p2_image *image, struct p2_span bytes)
{
    size_t count = 0;
    struct p2_snapshot_chunk *const *chunks = p2_image_chunks(image, &count);
    if (p2_image_size(image) != bytes.size || count != (bytes.size + CHUNK - 1) / CHUNK) {
        return false;
    }
    for (size_t at = 0; at < bytes.size; at += CHUNK) {
        size_t part = bytes.size - at < CHUNK ? bytes.size - at : CHUNK;
        if (memcmp(chunks[at / CHUNK]->data, bytes.data + at, part) != 0) {
            return false;
        }
    }
    return true;
}

static void an_image_stays_while_its_builder_goes_on(void)
{
    uint8_t *before = malloc(WORLD);
    begin();
    CU_ASSERT_PTR_NOT_NULL_FATAL(before);
    memcpy(before, world, WORLD);
    struct p2_image *first = take();
    world[5]++;
    world[CHUNK + 1]++;
    P2_ASSERT_ERROR(p2_image_builder_write(builder, 5, p2_span(world + 5, CHUNK)), P2_OK);
    struct p2_image *second = take();
    CU_ASSERT(holds(first, p2_span(before, WORLD)));
    CU_ASSERT(holds(second, p2_span(world, WORLD)));
    P2_ASSERT_EQUAL(p2_image_fresh(first), p2_image_fresh(first));
    size_t count = 0;
    CU_ASSERT(p2_image_chunks(first, &count)[0] != p2_image_chunks(second, &count)[0]);
    CU_ASSERT(p2_image_chunks(first, &count)[1] != p2_image_chunks(second, &count)[1]);
    CU_ASSERT(p2_image_chunks(first, &count)[2] == p2_image_chunks(second, &count)[2]);
    p2_image_builder_free(builder);
    CU_ASSERT(holds(second, p2_span(world, WORLD)));
    p2_image_free(first);
    CU_ASSERT(holds(second, p2_span(world, WORLD)));
    p2_image_free(second);
    free(before);
}

static void equal_bytes_change_no_chunk(void)
{
    begin();
    struct p2_image *first = take();
    P2_ASSERT_ERROR(p2_image_builder_update(builder, p2_span(world, WORLD), NULL), P2_OK);
    P2_ASSERT_ERROR(p2_image_builder_write(builder, 9, p2_span(world + 9, 1000)), P2_OK);
    struct p2_image *second = take();
    P2_ASSERT_EQUAL(p2_image_fresh(second), 0);
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT(p2_image_chunks(first, &count)[i] == p2_image_chunks(second, &count)[i]);
    }
    p2_image_free(first);
    p2_image_free(second);
    p2_image_builder_free(builder);
}

static void clean_chunks_are_not_looked_at(void)
{
    uint8_t dirty = 1u << 2;
    begin();
    uint8_t *expected = malloc(WORLD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    memcpy(expected, world, WORLD);
    world[0]++; /* the caller says it did not change */
    world[2 * CHUNK]++;
    expected[2 * CHUNK]++;
    P2_ASSERT_ERROR(p2_image_builder_update(builder, p2_span(world, WORLD), &dirty), P2_OK);
    struct p2_image *image = take();
    CU_ASSERT(holds(image, p2_span(expected, WORLD)));
    p2_image_free(image);
    p2_image_builder_free(builder);
    free(expected);
}

static void a_run_of_puts_and_sames_is_the_world_in_order(void)
{
    begin();
    world[CHUNK + 3]++;
    p2_image_builder_rewind(builder);
    p2_image_builder_same(builder, CHUNK);
    p2_image_builder_put(builder, p2_span(world + CHUNK, 10));
    p2_image_builder_same(builder, 1000);
    P2_ASSERT_ERROR(p2_image_builder_finish(builder), P2_OK);
    struct p2_image *image = take();
    CU_ASSERT(holds(image, p2_span(world, CHUNK + 1010)));
    p2_image_free(image);
    /* What was cut off is zero when the world grows again. */
    memset(world + CHUNK + 1010, 0, WORLD - CHUNK - 1010);
    P2_ASSERT_ERROR(p2_image_builder_resize(builder, WORLD), P2_OK);
    image = take();
    CU_ASSERT(holds(image, p2_span(world, WORLD)));
    p2_image_free(image);
    p2_image_builder_rewind(builder);
    p2_image_builder_put(builder, p2_span(world, WORLD));
    p2_image_builder_put(builder, p2_span(world, 1));
    P2_ASSERT_ERROR(p2_image_builder_finish(builder), P2_E_TOO_BIG);
    p2_image_builder_rewind(builder);
    p2_image_builder_same(builder, WORLD + 1);
    P2_ASSERT_ERROR(p2_image_builder_finish(builder), P2_E_RANGE);
    p2_image_builder_free(builder);
}

static void limits_hold(void)
{
    struct p2_image *image = NULL;
    P2_ASSERT_ERROR(p2_image_builder_new(&builder, P2_SNAPSHOT_WORLD_MAX + 1), P2_E_INVALID);
    P2_ASSERT_ERROR(p2_image_builder_new(&builder, CHUNK), P2_OK);
    P2_ASSERT_ERROR(p2_image_builder_resize(builder, CHUNK + 1), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(p2_image_builder_write(builder, 1, p2_span(world, 1)), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_image_take(builder, &image), P2_OK);
    P2_ASSERT_EQUAL(p2_image_size(image), 0);
    p2_image_free(image);
    p2_image_builder_free(builder);
    P2_ASSERT_ERROR(p2_image_of(p2_span(world, WORLD), &image), P2_OK);
    CU_ASSERT(holds(image, p2_span(world, WORLD)));
    p2_image_free(image);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(an_image_stays_while_its_builder_goes_on),
        P2_TEST(equal_bytes_change_no_chunk),
        P2_TEST(clean_chunks_are_not_looked_at),
        P2_TEST(a_run_of_puts_and_sames_is_the_world_in_order),
        P2_TEST(limits_hold),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"image", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
