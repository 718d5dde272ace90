/* A host that sends anything: records of u8 type, u16 size (little-endian) and a body go to a gamer that
 * has asked for a seat; what is left is drawn as the person would see it. */
#include "base/error.h"
#include "client/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WIDTH  96u
#define HEIGHT 54u

static int swallow(void *ctx, uint8_t type, struct p2_span body)
{
    (void)ctx;
    (void)type;
    P2_ASSERT(body.size <= P2_WIRE_STRANGER_MAX);
    return P2_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p2_gamer gamer; /* large */
    const struct p2_gamer_options options = {.name = "f",
                                             .agent = "f",
                                             .view = P2_VIEW_MODE_PIXELS,
                                             .width = 64,
                                             .height = 60,
                                             .send = swallow};
    struct p2_session_keys keys = {0};
    struct p2_id id = {{0}};
    uint8_t binding[64] = {0};
    struct p2_view view;
    uint64_t now = 1;
    P2_ASSERT(p2_gamer_init(&gamer, &options) == P2_OK);
    P2_ASSERT(p2_gamer_join(&gamer, &keys, &id, &id, binding) == P2_OK);
    int error = P2_OK;
    while (size >= 3 && error == P2_OK) {
        size_t length = data[1] | (size_t)data[2] << 8;
        length = length < size - 3 ? length : size - 3;
        error = p2_gamer_message(&gamer, data[0], p2_span(data + 3, length), now += 16667);
        (void)p2_gamer_input(&gamer, p2_span(data, size < 12 ? size : 12), now);
        data += 3 + length;
        size -= 3 + length;
    }
    P2_ASSERT(error == P2_OK || error == P2_E_NOMEM || gamer.phase == P2_SEAT_ENDED);
    P2_ASSERT(gamer.next_input - gamer.first_input <= P2_GAMER_INPUTS_KEPT);
    P2_ASSERT(gamer.scene.chunk_count <= P2_SCENE_CHUNKS_MAX);
    P2_ASSERT(p2_view_init(&view, WIDTH, HEIGHT) == P2_OK);
    const uint16_t yaw = 3000;
    const int16_t pitch = -2000;
    p2_view_draw(&view, &gamer, &yaw, &pitch);
    view.is_warped = false;
    view.is_tinted = true;
    p2_view_draw(&view, &gamer, NULL, NULL);
    p2_view_free(&view);
    p2_gamer_free(&gamer);
    return 0;
}
