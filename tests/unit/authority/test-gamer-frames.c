/* A gamer's scene and its frames. The client of these tests is a plain table of bytes. */
#include "authority/gamer_frames.h"

#include "base/rng.h"
#include "tests/lib/test.h"
#include "wire/decode.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 700u /* more than one frame can carry */

struct client {
    uint64_t version;
    uint8_t value[KEYS]; /* of delta CHUNK `key`; 0: unknown */
    uint8_t tile[8];
    uint32_t events;
};

struct fixture {
    struct p2_gamer_scene scene;
    struct p2_buf buf;
    uint64_t frame;
    struct p2_msg_frame *message;
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    P2_ASSERT_ERROR(p2_gamer_scene_open(&f->scene, NULL, NULL), P2_OK);
    p2_buf_init(&f->buf, 4u << 20);
    f->message = calloc(1, sizeof *f->message);
}

static void teardown(struct fixture *f)
{
    p2_gamer_scene_close(&f->scene);
    p2_buf_free(&f->buf);
    free(f->message);
}

/* The next frame's message, or NULL when none is sent. */
static const struct p2_msg_frame *next_frame(struct fixture *f)
{
    const struct p2_gamer_frame frame = {.frame = ++f->frame, .depth = 1};
    size_t size = 0;
    p2_buf_clear(&f->buf);
    P2_ASSERT_ERROR(p2_gamer_scene_encode(&f->scene, &frame, &f->buf, &size), P2_OK);
    if (size == 0) {
        return NULL;
    }
    P2_ASSERT_ERROR(p2_wire_decode_frame(f->message, p2_span(f->buf.data, size)), P2_OK);
    return f->message;
}

/* As a client does it: false when the frame starts from what it does not have. */
static bool apply(struct client *client, const struct p2_msg_frame *frame)
{
    if (frame->base_version > client->version) {
        return false;
    }
    if (frame->base_version == 0) {
        memset(client, 0, sizeof *client);
    }
    for (uint32_t i = 0; i < frame->deltas_count; i++) {
        const struct p2_msg_delta *delta = &frame->deltas[i];
        if (delta->kind == P2_DELTA_KIND_EVENTS) {
            client->events++;
        } else if (delta->key < KEYS && delta->data.size > 0) {
            client->value[delta->key] = delta->data.data[0];
        }
    }
    for (uint32_t i = 0; i < frame->tiles_count; i++) {
        client->tile[frame->tiles[i].index % 8] = frame->tiles[i].data.data[0];
    }
    client->version = frame->state_version;
    return true;
}

static void put(struct fixture *f, uint32_t key, uint8_t value)
{
    uint8_t raw[600];
    memset(raw, value, sizeof raw);
    P2_ASSERT_ERROR(p2_gamer_scene_delta(&f->scene, f->frame + 1, P2_DELTA_KIND_CHUNK, key,
                                         p2_span(raw, sizeof raw)),
                    P2_OK);
}

static void ack(struct fixture *f, const struct p2_msg_frame *frame)
{
    P2_ASSERT_ERROR(p2_gamer_scene_ack(&f->scene, frame->number, frame->state_version), P2_OK);
}

static void nobody_gets_frames_before_a_client_is_there(void)
{
    struct fixture f;
    setup(&f);
    put(&f, 1, 1);
    CU_ASSERT_PTR_NULL(next_frame(&f));
    p2_gamer_scene_attach(&f.scene);
    const struct p2_msg_frame *frame = next_frame(&f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    P2_ASSERT_EQUAL(frame->base_version, 0);
    P2_ASSERT_EQUAL(frame->deltas_count, 1);
    p2_gamer_scene_detach(&f.scene);
    CU_ASSERT_PTR_NULL(next_frame(&f));
    teardown(&f);
}

static void only_what_changed_is_sent_and_equal_bytes_are_no_change(void)
{
    struct fixture f;
    setup(&f);
    p2_gamer_scene_attach(&f.scene);
    put(&f, 1, 1);
    put(&f, 2, 1);
    ack(&f, next_frame(&f));
    put(&f, 1, 1);
    put(&f, 2, 9);
    const struct p2_msg_frame *frame = next_frame(&f);
    P2_ASSERT_EQUAL(frame->deltas_count, 1);
    P2_ASSERT_EQUAL(frame->deltas[0].key, 2);
    frame = next_frame(&f); /* not acknowledged yet: again */
    P2_ASSERT_EQUAL(frame->deltas_count, 1);
    ack(&f, frame);
    P2_ASSERT_EQUAL(next_frame(&f)->deltas_count, 0);
    teardown(&f);
}

static void a_silent_client_gets_a_whole_scene_every_half_second_and_no_more(void)
{
    struct fixture f;
    setup(&f);
    p2_gamer_scene_attach(&f.scene);
    put(&f, 1, 1);
    ack(&f, next_frame(&f));
    uint32_t deltas = 0;
    uint32_t whole = 0;
    for (uint32_t i = 0; i < P2_GAMER_VERSIONS + 4 * P2_GAMER_RESYNC_FRAMES; i++) {
        const struct p2_msg_frame *frame = next_frame(&f);
        deltas += frame != NULL && frame->base_version != 0 ? 1 : 0;
        whole += frame != NULL && frame->base_version == 0 ? 1 : 0;
    }
    P2_ASSERT_EQUAL(deltas, P2_GAMER_VERSIONS);
    P2_ASSERT_EQUAL(whole, 4);
    teardown(&f);
}

static void acknowledgements_of_what_was_not_sent_change_nothing(void)
{
    struct fixture f;
    setup(&f);
    p2_gamer_scene_attach(&f.scene);
    put(&f, 1, 1);
    const struct p2_msg_frame *frame = next_frame(&f);
    uint64_t number = frame->number;
    uint64_t version = frame->state_version;
    P2_ASSERT_ERROR(p2_gamer_scene_ack(&f.scene, number, version + 1), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_gamer_scene_ack(&f.scene, number + 1, version), P2_E_RANGE);
    P2_ASSERT_ERROR(p2_gamer_scene_ack(&f.scene, 0, 0), P2_E_RANGE);
    P2_ASSERT_EQUAL(f.scene.state, P2_GAMER_FRESH);
    P2_ASSERT_ERROR(p2_gamer_scene_ack(&f.scene, number, version), P2_OK);
    P2_ASSERT_EQUAL(f.scene.state, P2_GAMER_FOLLOWING);
    teardown(&f);
}

static void a_large_scene_arrives_in_several_frames(void)
{
    struct fixture f;
    struct client client = {0};
    setup(&f);
    p2_gamer_scene_attach(&f.scene);
    for (uint32_t key = 0; key < KEYS; key++) {
        put(&f, key, (uint8_t)(1 + key % 200));
    }
    const struct p2_msg_frame *frame = next_frame(&f);
    P2_ASSERT_EQUAL(frame->deltas_count, P2_WIRE_DELTAS_MAX);
    CU_ASSERT_TRUE(apply(&client, frame));
    ack(&f, frame);
    frame = next_frame(&f);
    P2_ASSERT_EQUAL(frame->deltas_count, KEYS - P2_WIRE_DELTAS_MAX);
    CU_ASSERT_TRUE(apply(&client, frame));
    for (uint32_t key = 0; key < KEYS; key++) {
        P2_ASSERT_EQUAL(client.value[key], 1 + key % 200);
    }
    teardown(&f);
}

static void an_event_happens_once_and_not_for_those_who_come_later(void)
{
    struct fixture f;
    struct client client = {0};
    setup(&f);
    p2_gamer_scene_attach(&f.scene);
    put(&f, 1, 1);
    const struct p2_msg_frame *frame = next_frame(&f);
    (void)apply(&client, frame);
    ack(&f, frame);
    P2_ASSERT_ERROR(
        p2_gamer_scene_delta(&f.scene, f.frame + 1, P2_DELTA_KIND_EVENTS, 7, p2_span("boom", 4)),
        P2_OK);
    frame = next_frame(&f);
    (void)apply(&client, frame);
    ack(&f, frame);
    (void)apply(&client, next_frame(&f));
    P2_ASSERT_EQUAL(client.events, 1);
    (void)p2_gamer_scene_delta(&f.scene, f.frame + 1, P2_DELTA_KIND_EVENTS, 8, p2_span("boom", 4));
    p2_gamer_scene_attach(&f.scene);
    (void)apply(&client, next_frame(&f));
    P2_ASSERT_EQUAL(client.events, 0);
    P2_ASSERT_EQUAL(client.value[1], 1);
    teardown(&f);
}

static void writes_over_the_limits_are_left_out_and_counted(void)
{
    static uint8_t large[P2_WIRE_DELTA_MAX + 1];
    struct fixture f;
    setup(&f);
    P2_ASSERT_ERROR(
        p2_gamer_scene_delta(&f.scene, 1, P2_DELTA_KIND_CHUNK, 1, p2_span(large, sizeof large)),
        P2_E_INVALID);
    P2_ASSERT_ERROR(p2_gamer_scene_delta(&f.scene, 1, 99, 1, p2_span(large, 1)), P2_E_INVALID);
    P2_ASSERT_ERROR(
        p2_gamer_scene_tile(&f.scene, 1, P2_WIRE_TILES_MAX, P2_TIER_PEER, 0, p2_span(large, 1)),
        P2_E_INVALID);
    P2_ASSERT_ERROR(p2_gamer_scene_camera(&f.scene, p2_span(large, P2_WIRE_CAMERA_MAX + 1)),
                    P2_E_INVALID);
    uint32_t added = 0;
    while (p2_gamer_scene_delta(&f.scene, 1, P2_DELTA_KIND_TEXT, added, p2_span(&added, 4)) ==
           P2_OK) {
        added++;
    }
    P2_ASSERT_EQUAL(added, P2_GAMER_THINGS_MAX);
    P2_ASSERT_EQUAL(f.scene.cut, 5);
    teardown(&f);
}

/* Random writes, lost frames, late acknowledgements, new clients: once the writes end, the client has
 * exactly the scene. */
static void a_client_ends_with_the_scene_whatever_is_lost(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture f;
        struct client client = {0};
        struct p2_rng rng;
        uint8_t truth[KEYS] = {0};
        setup(&f);
        p2_rng_init_u64(&rng, seed, "frames");
        p2_gamer_scene_attach(&f.scene);
        for (uint32_t i = 0; i < 400; i++) {
            for (uint64_t n = i < 300 ? p2_rng_below(&rng, 40) : 0; n > 0; n--) {
                uint32_t key = (uint32_t)p2_rng_below(&rng, KEYS);
                truth[key] = (uint8_t)(1 + p2_rng_below(&rng, 255));
                put(&f, key, truth[key]);
            }
            if (p2_rng_chance_ppm(&rng, 5000)) {
                p2_gamer_scene_attach(&f.scene);
                memset(&client, 0, sizeof client);
            }
            const struct p2_msg_frame *frame = next_frame(&f);
            bool is_lost = i < 300 && p2_rng_chance_ppm(&rng, 300000);
            if (frame != NULL && !is_lost) {
                CU_ASSERT_TRUE(apply(&client, frame));
                if (i >= 300 || p2_rng_chance_ppm(&rng, 500000)) {
                    ack(&f, frame);
                }
            }
        }
        P2_ASSERT_BYTES(client.value, truth, sizeof truth);
        teardown(&f);
    }
}

static CU_TestInfo tests[] = {
    P2_TEST(nobody_gets_frames_before_a_client_is_there),
    P2_TEST(only_what_changed_is_sent_and_equal_bytes_are_no_change),
    P2_TEST(a_silent_client_gets_a_whole_scene_every_half_second_and_no_more),
    P2_TEST(acknowledgements_of_what_was_not_sent_change_nothing),
    P2_TEST(a_large_scene_arrives_in_several_frames),
    P2_TEST(an_event_happens_once_and_not_for_those_who_come_later),
    P2_TEST(writes_over_the_limits_are_left_out_and_counted),
    P2_TEST(a_client_ends_with_the_scene_whatever_is_lost),
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {{"gamer frames", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
