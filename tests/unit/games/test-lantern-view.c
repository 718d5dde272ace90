/* What players of Lantern Siege are shown: hidden things change no byte, late joiners get the map,
 * pictures are the kernels' own, in whatever frame of reference. */
#include "games/lantern/view.h"
#include "kernels/zstd_frame.h"
#include "tests/lib/game_host.h"
#include "tests/lib/test.h"

#include <stdlib.h>

struct night {
    struct p2_game_settings settings;
    struct p2_game_host *host;
    struct lan *lan;
};

static void open_night(struct night *night, uint32_t width, uint32_t height, uint32_t quality)
{
    void *self;
    night->settings = (struct p2_game_settings){.seed = 5,
                                                .options = "dusk=0 night=60",
                                                .players = 1,
                                                .depth = 1,
                                                .quality = quality,
                                                .width = width,
                                                .height = height};
    P2_ASSERT_ERROR(p2_game_host_open(&night->host, p2c2r_game_entry, &night->settings), 0);
    (void)p2_game_host_game(night->host, &self);
    night->lan = self;
}

static void frame(struct night *night, const struct p2c2r_pad *pads)
{
    p2_game_host_state(night->host, pads);
    p2_game_host_views(night->host);
}

/* ---- twin worlds ----------------------------------------------------------------------------- */

/* A boat beyond sight, a stone in the ground: where, only the twin's number knows. */
static void hide(struct lan *lan, int where)
{
    struct lan_state *s = lan->s;
    struct lan_folk *f = &s->folk[LAN_FOLK - 1];
    struct lan_body *b = &s->bodies[LAN_BODIES - 1];
    const int x = s->players[0].at[0] >> 8, z = s->players[0].at[2] >> 8;
    const int sea = x < 128 ? 250 : 5;
    memset(f, 0, sizeof *f);
    f->kind = LAN_RAIDER;
    f->doing = LAN_SAILING;
    f->hp = 3;
    f->target = LAN_FOLK;
    f->wait = (uint16_t)(400 + where * 50);
    f->goal[0] = (uint8_t)sea;
    f->goal[1] = (uint8_t)(20 + where * 10);
    f->from[0] = sea * LAN_ONE;
    f->from[1] = (30 + where * 40) * LAN_ONE;
    memset(b, 0, sizeof *b);
    b->kind = LAN_DEBRIS;
    b->material = P2C2R_STONE;
    b->is_asleep = 1;
    b->fuse = 900;
    b->half[0] = b->half[1] = b->half[2] = 10;
    b->at[0] = (x + 3 + where) * 65536;
    b->at[1] = 5 * 65536;
    b->at[2] = (z + 2) * 65536;
}

static void compare_twins(uint32_t width, uint32_t height, unsigned frames)
{
    struct night a, b;
    open_night(&a, width, height, 140);
    open_night(&b, width, height, 140);
    for (unsigned i = 0; i < frames; i++) {
        struct p2c2r_pad pad = p2_game_bot(2, 0, i);
        pad.buttons = 0; /* digging would bring hidden things to light */
        pad.forward = 0;
        pad.right = 0;
        if (i == 3) {
            hide(a.lan, 0);
            hide(b.lan, 1);
        }
        frame(&a, &pad);
        frame(&b, &pad);
        P2_ASSERT_EQUAL(p2_game_host_screen(a.host, 0)->frame_hash,
                        p2_game_host_screen(b.host, 0)->frame_hash);
    }
    CU_ASSERT(!p2_span_equal(p2_game_host_snapshot(a.host, 0, true),
                             p2_game_host_snapshot(b.host, 0, true)));
    P2_ASSERT_EQUAL(p2_game_host_screen(a.host, 0)->malformed, 0);
    p2_game_host_close(a.host);
    p2_game_host_close(b.host);
}

static void twin_worlds_give_the_same_frames_in_the_state_view(void)
{
    compare_twins(0, 0, 120);
}

static void twin_worlds_give_the_same_frames_in_the_pixel_view(void)
{
    compare_twins(128, 60, 60);
}

static void a_thing_in_sight_does_change_the_frame(void)
{
    struct night a;
    uint32_t seen = 0;
    open_night(&a, 0, 0, 140);
    frame(&a, NULL);
    struct lan_state *s = a.lan->s;
    struct p2_game_screen *screen = p2_game_host_screen(a.host, 0);
    for (unsigned i = 0; i < LAN_FOLK; i++) {
        s->folk[i].kind = LAN_NOBODY;
    }
    frame(&a, NULL);
    for (unsigned i = 0; i < P2C2R_SCENE_PAGES; i++) {
        seen += screen->counts[i];
    }
    P2_ASSERT_EQUAL(seen, 0);
    p2_game_host_state(a.host, NULL);
    (void)lan_folk_add(a.lan, LAN_VILLAGER, s->village[0][0] + 2, s->village[0][2] - 2);
    p2_game_host_views(a.host);
    for (unsigned i = 0; i < P2C2R_SCENE_PAGES; i++) {
        seen += screen->counts[i];
    }
    P2_ASSERT_EQUAL(seen, 1);
    p2_game_host_close(a.host);
}

/* ---- late joiners ---------------------------------------------------------------------------- */

static struct lan *joined;
static unsigned bundled, wrong;

static void take(void *ctx, uint32_t kind, uint32_t key, const void *data, size_t size)
{
    struct p2c2r_bytes packed, delta = {data, size};
    uint32_t content_size = 0, chunk;
    (void)ctx;
    if (kind != P2C2R_SCENE_CHUNK || key < P2C2R_SCENE_BUNDLE_KEY) {
        return;
    }
    uint8_t *content = malloc(P2C2R_SCENE_BUNDLE_CONTENT), voxels[P2C2R_SCENE_CHUNK_VOXELS];
    uint8_t *arena = aligned_alloc(64, P2_ZSTD_DECOMPRESS_ARENA);
    CU_ASSERT_FATAL(content != NULL && arena != NULL);
    CU_ASSERT_FATAL(p2c2r_scene_bundle_open(delta, &packed, &content_size));
    P2_ASSERT_EQUAL(
        p2_zstd_frame_decompress(packed, content, content_size, arena, P2_ZSTD_DECOMPRESS_ARENA),
        P2C2R_KERNEL_OK);
    struct p2c2r_bytes left = {content, content_size};
    while (p2c2r_scene_bundle_next(&left, &chunk, voxels)) {
        const size_t index =
            (size_t)(chunk / P2C2R_SCENE_CHUNKS_SIDE) * 16 + chunk % P2C2R_SCENE_CHUNKS_SIDE;
        bundled++;
        wrong += memcmp(voxels, joined->s->voxels + index * P2C2R_SCENE_CHUNK_VOXELS,
                        sizeof voxels) != 0;
    }
    P2_ASSERT_EQUAL(left.size, 0);
    free(arena);
    free(content);
}

static void ignore_bytes(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    (void)data;
    (void)size;
}

static void ignore_tile(void *ctx, uint32_t index, uint32_t tier, uint32_t age,
                        const uint8_t *pixels)
{
    (void)ctx;
    (void)index;
    (void)tier;
    (void)age;
    (void)pixels;
}

static void a_late_joiner_gets_the_map_compressed(void)
{
    struct night a;
    const struct p2c2r_view_writer writer = {
        .size = sizeof writer, .delta = take, .camera = ignore_bytes, .tile = ignore_tile};
    open_night(&a, 0, 0, 140);
    joined = a.lan;
    bundled = wrong = 0;
    for (unsigned i = 0; i < 90; i++) {
        p2_game_host_state(a.host, NULL);
        const struct p2c2r_frame now = {
            .size = sizeof now, .depth = 1, .number = p2_game_host_frame(a.host), .quality = 140};
        p2_game_host_view_with(a.host, &writer, &now);
    }
    CU_ASSERT(bundled >= 16 * 6);   /* what lies within LAN_MAP of the first village */
    CU_ASSERT(wrong * 8 < bundled); /* but for chunks that changed on the way */
    p2_game_host_close(a.host);
}

/* ---- pictures -------------------------------------------------------------------------------- */

static void a_still_picture_shows_the_same_in_every_frame_of_reference(void)
{
    const struct p2c2r_pad still = {.yaw = 30000, .pitch = -800};
    uint8_t *first = NULL;
    for (uint8_t symmetry = 0; symmetry < 8; symmetry++) {
        struct night a;
        open_night(&a, 128, 120, 60);
        frame(&a, &still);
        lan_view_close(a.lan);
        frame(&a, &still);                 /* opens a view of its own, */
        a.lan->views->symmetry = symmetry; /* in another frame of reference from the start */
        for (unsigned i = 0; i < LAN_SLOTS; i++) {
            if (a.lan->views->slots[i].is_used != 0) {
                a.lan->host.content_remove(a.lan->host.ctx, a.lan->views->slots[i].key);
                a.lan->views->slots[i].is_used = 0;
            }
        }
        memset(a.lan->views->packed, 0, sizeof a.lan->views->packed);
        for (unsigned i = 0; i < 60; i++) {
            frame(&a, &still);
        }
        const struct p2_game_screen *screen = p2_game_host_screen(a.host, 0);
        CU_ASSERT(screen->tiles >= 4);
        if (first == NULL) {
            first = malloc(128 * 120);
            CU_ASSERT_FATAL(first != NULL);
            memcpy(first, screen->pixels, 128 * 120);
        }
        unsigned differ = 0;
        for (unsigned i = 0; i < 128 * 120; i++) {
            differ += first[i] != screen->pixels[i];
        }
        /* The texture of a voxel is hashed by its place: levels differ by one, things do not. */
        unsigned materials = 0;
        for (unsigned i = 0; i < 128 * 120; i++) {
            materials += first[i] >> 4 != screen->pixels[i] >> 4;
        }
        CU_ASSERT(materials * 50 < 128 * 120);
        CU_ASSERT(symmetry == 0 ? differ == 0 : true);
        p2_game_host_close(a.host);
    }
    free(first);
}

static void a_still_camera_asks_for_no_tiles(void)
{
    struct night a;
    const struct p2c2r_pad still = {.yaw = 30000, .pitch = -800};
    open_night(&a, 128, 120, 255);
    struct lan_state *s = a.lan->s;
    for (unsigned i = 0; i < 100; i++) {
        frame(&a, &still);
        for (unsigned k = 0; k < LAN_FOLK; k++) { /* torches would light other voxels */
            s->folk[k].kind = LAN_NOBODY;
        }
        s->phase = LAN_PHASE_DUSK;
        s->phase_frames = 1;
        s->dusk = 6000;
    }
    const uint64_t before = p2_game_host_screen(a.host, 0)->tiles;
    for (unsigned i = 0; i < 15; i++) {
        frame(&a, &still);
        s->phase_frames = 1;
    }
    P2_ASSERT_EQUAL(p2_game_host_screen(a.host, 0)->tiles, before);
    p2_game_host_close(a.host);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(twin_worlds_give_the_same_frames_in_the_state_view),
        P2_TEST(twin_worlds_give_the_same_frames_in_the_pixel_view),
        P2_TEST(a_thing_in_sight_does_change_the_frame),
        P2_TEST(a_late_joiner_gets_the_map_compressed),
        P2_TEST(a_still_picture_shows_the_same_in_every_frame_of_reference),
        P2_TEST(a_still_camera_asks_for_no_tiles),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"lantern_view", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
