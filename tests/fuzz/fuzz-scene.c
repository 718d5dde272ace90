/* Readers of scene v1 and pad v1 on hostile bytes. First byte: which reader. Whatever is accepted is
 * written again, and the reader accepts that too; entities are also drawn. */
#include "base/error.h"
#include "p2c2r/scene.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WIDTH  32u
#define HEIGHT 18u

static uint8_t again[P2C2R_SCENE_CHUNK_MAX];

static struct p2c2r_bytes bytes_of(size_t size)
{
    return (struct p2c2r_bytes){again, size};
}

static void try_chunk(struct p2c2r_bytes in)
{
    static uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS], back[P2C2R_SCENE_CHUNK_VOXELS];
    if (p2c2r_scene_chunk_read(in, voxels)) {
        const size_t size = p2c2r_scene_chunk_write(again, sizeof again, voxels);
        P2_ASSERT(size > 0 && p2c2r_scene_chunk_read(bytes_of(size), back));
        P2_ASSERT(memcmp(voxels, back, sizeof back) == 0);
    }
}

static void try_entities(struct p2c2r_bytes in)
{
    struct p2c2r_scene_entity entities[P2C2R_SCENE_PAGE_ENTITIES];
    struct p2c2r_scene_camera camera = {.yaw = 7000, .pitch = -900};
    static uint8_t pixels[WIDTH * HEIGHT];
    uint32_t count;
    if (p2c2r_scene_entities_read(in, entities, &count)) {
        const size_t size = p2c2r_scene_entities_write(again, sizeof again, entities, count);
        P2_ASSERT(size == in.size && memcmp(again, in.data, size) == 0);
        p2c2r_scene_camera_turn(&camera, 70000, WIDTH, HEIGHT);
        p2c2r_scene_draw(&camera, entities, count, pixels, WIDTH, HEIGHT);
    }
}

static void try_lights(struct p2c2r_bytes in)
{
    struct p2c2r_scene_lamp lamps[P2C2R_SCENE_LAMPS];
    struct p2c2r_scene_sky sky;
    uint32_t count;
    if (p2c2r_scene_lamps_read(in, lamps, &count)) {
        P2_ASSERT(p2c2r_scene_lamps_write(again, sizeof again, lamps, count) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
    }
    if (p2c2r_scene_sky_read(in, &sky)) {
        P2_ASSERT(p2c2r_scene_sky_write(again, sizeof again, &sky) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
    }
}

static void try_words(struct p2c2r_bytes in)
{
    struct p2c2r_scene_event events[P2C2R_SCENE_EVENTS_COUNT];
    struct p2c2r_scene_text text;
    uint32_t count, first;
    if (p2c2r_scene_text_read(in, &text)) {
        P2_ASSERT(p2c2r_scene_text_write(again, sizeof again, &text) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
    }
    if (p2c2r_scene_events_read(in, &first, events, &count)) {
        P2_ASSERT(p2c2r_scene_events_write(again, sizeof again, first, events, count) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
    }
}

static void try_small(struct p2c2r_bytes in)
{
    struct p2c2r_scene_camera camera;
    struct p2c2r_pad pad;
    if (p2c2r_scene_camera_read(in, &camera)) {
        const int32_t point[3] = {1 << 20, -(1 << 20), 77};
        int32_t pixel[2], depth;
        P2_ASSERT(p2c2r_scene_camera_write(again, sizeof again, &camera) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
        (void)p2c2r_scene_project(&camera, point, 640, 360, pixel, &depth);
    }
    if (p2c2r_pad_read(in, &pad)) {
        P2_ASSERT(p2c2r_pad_write(again, sizeof again, &pad) == in.size);
        P2_ASSERT(memcmp(again, in.data, in.size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct p2c2r_bytes) = {try_chunk, try_entities, try_lights,
                                                        try_words, try_small};
    if (size > 0) {
        tries[data[0] % P2_COUNT_OF(tries)]((struct p2c2r_bytes){data + 1, size - 1});
    }
    return 0;
}
