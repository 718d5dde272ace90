/* A gamer and what an authority sends: both ends of WELCOME, FRAME, ACK, INPUT and END, and bytes no
 * authority would send. */
#include "authority/gamer_frames.h"
#include "base/error.h"
#include "client/gamer.h"
#include "client/hud.h"
#include "kernels/zstd_frame.h"
#include "tests/lib/test.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

#define TICK_US 16667u

struct pair {
    struct p2_gamer gamer; /* large */
    struct p2_gamer_scene scene;
    struct p2_buf frame;
    uint64_t number, now_us;
    int send_result;
    unsigned inputs, acks, joins, views, ends; /* messages the gamer sent */
    uint32_t first_sequence, last_sequence;    /* of INPUTs since the counters were cleared */
    struct p2_msg_ack ack;
};
static struct pair pair;
static uint8_t pack_arena[P2_ZSTD_COMPRESS_ARENA] __attribute__((aligned(64)));

static size_t pack(void *ctx, struct p2_span raw, uint8_t *out, size_t capacity)
{
    size_t size = 0;
    struct p2c2r_bytes bytes = {raw.data, raw.size};
    (void)ctx;
    int status =
        p2_zstd_frame_compress(bytes, 1, out, capacity, pack_arena, sizeof pack_arena, &size);
    return status == P2C2R_KERNEL_OK && size < raw.size ? size : 0;
}

static int hear(void *ctx, uint8_t type, struct p2_span body)
{
    struct pair *p = ctx;
    struct p2_msg_input input;
    if (p->send_result != P2_OK) {
        return p->send_result;
    }
    p->joins += type == P2_MSG_JOIN;
    p->views += type == P2_MSG_VIEW;
    p->ends += type == P2_MSG_END;
    if (type == P2_MSG_INPUT) {
        P2_ASSERT_ERROR(p2_wire_decode_input(&input, body), P2_OK);
        p->first_sequence = p->inputs == 0 ? input.sequence : p->first_sequence;
        CU_ASSERT(p->inputs == 0 || input.sequence == p->last_sequence + 1);
        p->last_sequence = input.sequence;
        p->inputs++;
    }
    if (type == P2_MSG_ACK) {
        P2_ASSERT_ERROR(p2_wire_decode_ack(&p->ack, body), P2_OK);
        p->acks++;
    }
    return P2_OK;
}

static void join(void)
{
    static const struct p2_session_keys keys;
    static const struct p2_id id;
    static const uint8_t binding[P2_KEY_BYTES];
    P2_ASSERT_ERROR(p2_gamer_join(&pair.gamer, &keys, &id, &id, binding), P2_OK);
}

static void open_pair(enum p2_view_mode view)
{
    const struct p2_gamer_options options = {.name = "anna",
                                             .agent = "test",
                                             .view = view,
                                             .width = 128,
                                             .height = 120,
                                             .send = hear,
                                             .ctx = &pair};
    memset(&pair, 0, sizeof pair);
    P2_ASSERT_ERROR(p2_gamer_init(&pair.gamer, &options), P2_OK);
    P2_ASSERT_ERROR(p2_gamer_scene_open(&pair.scene, pack, NULL), P2_OK);
    p2_buf_init(&pair.frame, P2_WIRE_FRAME_MAX + 64);
    join();
    P2_ASSERT_EQUAL(pair.joins, 1);
}

static void close_pair(void)
{
    p2_gamer_free(&pair.gamer);
    p2_gamer_scene_close(&pair.scene);
    p2_buf_free(&pair.frame);
}

static int tell(const struct p2_msg *msg)
{
    static uint8_t bytes[P2_WIRE_FRAME_MAX];
    struct p2_writer writer;
    p2_writer_init(&writer, bytes, sizeof bytes);
    P2_ASSERT_ERROR(p2_wire_encode(&writer, msg), P2_OK);
    return p2_gamer_message(&pair.gamer, (uint8_t)msg->type, p2_writer_span(&writer), pair.now_us);
}

static struct p2_msg welcome_of(enum p2_view_mode view)
{
    static const char game[] = "lantern";
    return (struct p2_msg){.type = P2_MSG_WELCOME,
                           .welcome = {.protocol = P2_WIRE_PROTOCOL,
                                       .seat = 1,
                                       .seats = 4,
                                       .game = p2_span(game, sizeof game - 1),
                                       .game_version = 1,
                                       .scene_version = P2C2R_SCENE_VERSION,
                                       .tick_hz = 60,
                                       .next_input = 1,
                                       .view = view,
                                       .width = view == P2_VIEW_MODE_PIXELS ? 128 : 1,
                                       .height = view == P2_VIEW_MODE_PIXELS ? 120 : 1,
                                       .tile_width = 64,
                                       .tile_height = 60}};
}

static void sit_down(enum p2_view_mode view)
{
    struct p2_msg msg = welcome_of(view);
    open_pair(view);
    P2_ASSERT_ERROR(tell(&msg), P2_OK);
    P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_PLAYING);
    p2_gamer_scene_attach(&pair.scene);
}

/* Encodes the next frame as the authority does and gives it to the gamer; true when there was one. */
static bool next_frame(uint32_t applied, uint32_t durable, bool is_lost)
{
    size_t size = 0;
    const struct p2_gamer_frame frame = {.frame = ++pair.number,
                                         .applied_input = applied,
                                         .durable_input = durable,
                                         .depth = 1,
                                         .tiers = {3, 0, 0, 1, 0}};
    p2_buf_clear(&pair.frame);
    pair.now_us += TICK_US;
    P2_ASSERT_ERROR(p2_gamer_scene_encode(&pair.scene, &frame, &pair.frame, &size), P2_OK);
    if (size > 0 && !is_lost) {
        unsigned acks = pair.acks;
        P2_ASSERT_ERROR(p2_gamer_message(&pair.gamer, P2_MSG_FRAME,
                                         p2_span(pair.frame.data, pair.frame.size), pair.now_us),
                        P2_OK);
        if (pair.acks > acks) {
            P2_ASSERT_ERROR(p2_gamer_scene_ack(&pair.scene, pair.ack.frame, pair.ack.state_version),
                            P2_OK);
        }
    }
    return size > 0;
}

static void say(uint32_t key, const char *words)
{
    uint8_t raw[256];
    struct p2c2r_scene_text text = {.place = P2C2R_PLACE_STATUS,
                                    .colour = 255,
                                    .entity = P2C2R_SCENE_NOBODY,
                                    .size = (uint8_t)strlen(words)};
    memcpy(text.text, words, strlen(words));
    size_t size = p2c2r_scene_text_write(raw, sizeof raw, &text);
    CU_ASSERT(size > 0);
    P2_ASSERT_ERROR(p2_gamer_scene_delta(&pair.scene, pair.number + 1, P2C2R_SCENE_TEXT, key,
                                         p2_span(raw, size)),
                    P2_OK);
}

static void fill_tile(uint32_t index, uint8_t colour)
{
    static uint8_t raw[64 * 60];
    memset(raw, colour, sizeof raw);
    P2_ASSERT_ERROR(
        p2_gamer_scene_tile(&pair.scene, pair.number + 1, index, 0, 0, p2_span(raw, sizeof raw)),
        P2_OK);
}

/* ---- both ends --------------------------------------------------------------------------------- */

static void frames_bring_text_and_tiles_and_are_acknowledged(void)
{
    sit_down(P2_VIEW_MODE_PIXELS);
    say(0, "first");
    fill_tile(3, 77);
    CU_ASSERT(next_frame(0, 0, false));
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[0].text, "first");
    P2_ASSERT_EQUAL(pair.gamer.picture.pixels[0], 0);
    P2_ASSERT_EQUAL(pair.gamer.picture.pixels[60 * 128 + 64], 77);
    P2_ASSERT_EQUAL(pair.gamer.picture.pixels[120 * 128 - 1], 77);
    P2_ASSERT_EQUAL(pair.acks, 1);
    CU_ASSERT(p2_gamer_take_fresh(&pair.gamer));
    CU_ASSERT(!p2_gamer_take_fresh(&pair.gamer));
    say(0, "second");
    say(1, "more");
    CU_ASSERT(next_frame(0, 0, false));
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[0].text, "second");
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[1].text, "more");
    P2_ASSERT_EQUAL(pair.gamer.figures.refused, 0);
    P2_ASSERT_EQUAL(pair.gamer.figures.tier_sums[0], 6);
    close_pair();
}

static void a_lost_frame_is_made_up_for(void)
{
    sit_down(P2_VIEW_MODE_PIXELS);
    say(0, "a");
    CU_ASSERT(next_frame(0, 0, false));
    say(1, "b");
    CU_ASSERT(next_frame(0, 0, true));
    say(2, "c");
    CU_ASSERT(next_frame(0, 0, false));
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[1].text, "b");
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[2].text, "c");
    P2_ASSERT_EQUAL(pair.gamer.figures.frames_missed, 1);
    close_pair();
}

static int plain_frame(uint64_t number, uint64_t base, uint64_t version)
{
    static struct p2_msg_frame frame; /* large */
    static uint8_t bytes[4096];
    struct p2_writer writer;
    memset(&frame, 0, sizeof frame);
    frame.number = number;
    frame.base_version = base;
    frame.state_version = version;
    frame.depth = 1;
    frame.tiers_count = 5;
    p2_writer_init(&writer, bytes, sizeof bytes);
    P2_ASSERT_ERROR(p2_wire_encode_frame(&writer, &frame), P2_OK);
    return p2_gamer_message(&pair.gamer, P2_MSG_FRAME, p2_writer_span(&writer),
                            pair.now_us += TICK_US);
}

static void a_frame_from_an_unknown_scene_is_left_out(void)
{
    sit_down(P2_VIEW_MODE_PIXELS);
    say(0, "kept");
    CU_ASSERT(next_frame(0, 0, false));
    uint64_t version = pair.gamer.version;
    P2_ASSERT_ERROR(plain_frame(5, version + 1, version + 2), P2_OK);
    P2_ASSERT_EQUAL(pair.gamer.figures.frames_unfit, 1);
    P2_ASSERT_EQUAL(pair.acks, 1);
    P2_ASSERT_EQUAL(pair.gamer.version, version);
    P2_ASSERT_ERROR(plain_frame(1, version, version), P2_OK); /* repeated */
    P2_ASSERT_EQUAL(pair.gamer.figures.frames, 1);
    P2_ASSERT_ERROR(plain_frame(6, 0, version + 1), P2_OK); /* from nothing */
    P2_ASSERT_EQUAL(pair.gamer.scene.texts[0].size, 0);
    P2_ASSERT_ERROR(plain_frame(UINT64_MAX, 0, UINT64_MAX), P2_OK);
    P2_ASSERT_EQUAL(pair.gamer.version == UINT64_MAX, 1);
    close_pair();
}

static void switching_views_is_answered_by_a_welcome(void)
{
    struct p2_msg pixels = welcome_of(P2_VIEW_MODE_PIXELS), state = welcome_of(P2_VIEW_MODE_STATE);
    sit_down(P2_VIEW_MODE_STATE);
    say(0, "stays");
    CU_ASSERT(next_frame(0, 0, false));
    CU_ASSERT_PTR_NULL(pair.gamer.picture.pixels);
    P2_ASSERT_ERROR(p2_gamer_switch(&pair.gamer, P2_VIEW_MODE_PIXELS), P2_OK);
    P2_ASSERT_EQUAL(pair.views, 1);
    P2_ASSERT_ERROR(tell(&pixels), P2_OK);
    CU_ASSERT_PTR_NOT_NULL(pair.gamer.picture.pixels);
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[0].text, "stays");
    fill_tile(0, 9);
    CU_ASSERT(next_frame(0, 0, false));
    P2_ASSERT_EQUAL(pair.gamer.figures.frames_unfit, 0);
    P2_ASSERT_EQUAL(pair.gamer.picture.pixels[0], 9);
    P2_ASSERT_EQUAL(pair.gamer.rejoined, 0);
    P2_ASSERT_ERROR(tell(&state), P2_OK);
    CU_ASSERT_PTR_NULL(pair.gamer.picture.pixels);
    close_pair();
}

/* ---- inputs ------------------------------------------------------------------------------------ */

static void make_inputs(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        P2_ASSERT_ERROR(p2_gamer_input(&pair.gamer, p2_span("xy", 2), pair.now_us), P2_OK);
    }
}

static void what_is_not_durable_is_sent_again(void)
{
    struct p2_msg again = welcome_of(P2_VIEW_MODE_PIXELS);
    sit_down(P2_VIEW_MODE_PIXELS);
    make_inputs(10);
    P2_ASSERT_EQUAL(pair.last_sequence, 10);
    say(0, "x");
    CU_ASSERT(next_frame(8, 6, false));
    P2_ASSERT_EQUAL(pair.gamer.first_input, 7);
    p2_gamer_lost(&pair.gamer);
    P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_AWAY);
    P2_ASSERT_ERROR(p2_gamer_input(&pair.gamer, p2_span("xy", 2), 1), P2_E_STATE);
    CU_ASSERT_STRING_EQUAL(pair.gamer.scene.texts[0].text, "x"); /* stays on show */
    join();
    pair.inputs = 0;
    again.welcome.is_resumed = true;
    again.welcome.next_input = 8;
    P2_ASSERT_ERROR(tell(&again), P2_OK);
    P2_ASSERT_EQUAL(pair.inputs, 3);
    P2_ASSERT_EQUAL(pair.first_sequence, 8);
    P2_ASSERT_EQUAL(pair.gamer.rejoined, 1);
    P2_ASSERT_EQUAL(pair.gamer.scene.texts[0].size, 0); /* a whole scene follows */
    close_pair();
}

static void a_new_seat_begins_anew(void)
{
    struct p2_msg again = welcome_of(P2_VIEW_MODE_PIXELS);
    sit_down(P2_VIEW_MODE_PIXELS);
    make_inputs(10);
    p2_gamer_lost(&pair.gamer);
    join();
    pair.inputs = 0;
    again.welcome.next_input = 4;
    P2_ASSERT_ERROR(tell(&again), P2_OK);
    P2_ASSERT_EQUAL(pair.inputs, 0);
    make_inputs(1);
    P2_ASSERT_EQUAL(pair.first_sequence, 4);
    p2_gamer_lost(&pair.gamer); /* a seat whose inputs another program made */
    join();
    pair.inputs = 0;
    again.welcome.is_resumed = true;
    again.welcome.next_input = 4000000000u;
    P2_ASSERT_ERROR(tell(&again), P2_OK);
    P2_ASSERT_EQUAL(pair.inputs, 0);
    make_inputs(1);
    P2_ASSERT_EQUAL(pair.first_sequence, 4000000000u);
    close_pair();
}

/* An authority that was not ready refused a second of inputs; later ones must still count. */
static void inputs_never_run_out_of_the_window(void)
{
    sit_down(P2_VIEW_MODE_PIXELS);
    for (unsigned i = 0; i < 5000; i++) {
        pair.inputs = 0;
        make_inputs(1);
        CU_ASSERT(pair.last_sequence <= P2_GAMER_INPUTS_AHEAD);
    }
    say(0, "x");
    CU_ASSERT(next_frame(30, 0, false));
    for (unsigned i = 0; i < 200; i++) {
        pair.inputs = 0;
        make_inputs(1);
        CU_ASSERT(pair.last_sequence <= 30 + P2_GAMER_INPUTS_AHEAD);
    }
    for (uint32_t applied = 31; applied < 3000; applied++) { /* nothing becomes durable */
        while (pair.gamer.next_input <= applied + 1) {
            pair.inputs = 0;
            make_inputs(1);
        }
        say(0, applied % 2 == 0 ? "even" : "odd");
        CU_ASSERT(next_frame(applied, 0, false));
        CU_ASSERT(pair.gamer.next_input - pair.gamer.first_input <= P2_GAMER_INPUTS_KEPT);
    }
    close_pair();
}

static void a_link_that_is_full_is_no_error(void)
{
    sit_down(P2_VIEW_MODE_PIXELS);
    pair.send_result = P2_E_AGAIN;
    make_inputs(5);
    pair.send_result = P2_OK;
    make_inputs(1);
    P2_ASSERT_EQUAL(pair.first_sequence, 1);
    static const uint8_t large[P2_WIRE_INPUT_MAX + 1];
    P2_ASSERT_ERROR(p2_gamer_input(&pair.gamer, p2_span(large, sizeof large), 1), P2_E_TOO_BIG);
    close_pair();
}

/* ---- ends -------------------------------------------------------------------------------------- */

static void an_end_has_words(void)
{
    static const char text[] = "good night";
    struct p2_msg msg = {.type = P2_MSG_END,
                         .end = {.reason = P2_END_REASON_FULL,
                                 .text = p2_span(text, sizeof text - 1),
                                 .retry_s = 7}};
    open_pair(P2_VIEW_MODE_PIXELS);
    P2_ASSERT_ERROR(tell(&msg), P2_E_CANCELLED);
    P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_ENDED);
    CU_ASSERT_STRING_EQUAL(pair.gamer.end_text, "good night");
    CU_ASSERT_STRING_EQUAL(p2_gamer_end_text(pair.gamer.end), "the session is full");
    CU_ASSERT(!p2_gamer_may_return(pair.gamer.end));
    CU_ASSERT(p2_gamer_may_return(P2_END_REASON_RESTART));
    CU_ASSERT_PTR_NOT_NULL(p2_gamer_end_text((enum p2_end_reason)9999));
    close_pair();
}

static void another_version_ends_in_words(void)
{
    struct p2_msg msg = welcome_of(P2_VIEW_MODE_PIXELS);
    open_pair(P2_VIEW_MODE_PIXELS);
    msg.welcome.scene_version = P2C2R_SCENE_VERSION + 1;
    P2_ASSERT_ERROR(tell(&msg), P2_E_BAD_VERSION);
    P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_ENDED);
    CU_ASSERT_PTR_NOT_NULL(strstr(p2_gamer_end_text(pair.gamer.end), "update p2c2r"));
    close_pair();
}

static void pictures_beyond_limits_end_the_session(void)
{
    struct p2_msg msg = welcome_of(P2_VIEW_MODE_PIXELS);
    open_pair(P2_VIEW_MODE_PIXELS);
    msg.welcome.width = P2_WIRE_PIXELS_MAX;
    msg.welcome.height = P2_WIRE_PIXELS_MAX;
    msg.welcome.tile_width = msg.welcome.tile_height = 1;
    P2_ASSERT_ERROR(tell(&msg), P2_E_RANGE);
    P2_ASSERT_EQUAL(pair.gamer.end, P2_END_REASON_MALFORMED);
    close_pair();
}

static void messages_before_their_time_end_the_session(void)
{
    open_pair(P2_VIEW_MODE_PIXELS);
    P2_ASSERT_ERROR(plain_frame(1, 0, 1), P2_E_STATE);
    P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_ENDED);
    struct p2_msg late = welcome_of(P2_VIEW_MODE_PIXELS);
    P2_ASSERT_ERROR(tell(&late), P2_E_STATE);
    close_pair();
    open_pair(P2_VIEW_MODE_PIXELS);
    P2_ASSERT_ERROR(p2_gamer_message(&pair.gamer, P2_MSG_LEASE, p2_span("x", 1), 1), P2_E_BAD_TYPE);
    P2_ASSERT_EQUAL(pair.gamer.end, P2_END_REASON_MALFORMED);
    close_pair();
    sit_down(P2_VIEW_MODE_PIXELS);
    p2_gamer_leave(&pair.gamer);
    P2_ASSERT_EQUAL(pair.ends, 1);
    close_pair();
}

/* ---- damage ------------------------------------------------------------------------------------ */

static void try_damaged(uint8_t type, const uint8_t *bytes, size_t size, bool is_playing)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    CU_ASSERT_FATAL(copy != NULL);
    memcpy(copy, bytes, size);
    pair.gamer.phase = is_playing ? P2_SEAT_PLAYING : P2_SEAT_JOINING;
    pair.gamer.figures.frame = 0;
    pair.gamer.version = UINT64_MAX;
    int error = p2_gamer_message(&pair.gamer, type, p2_span(copy, size), pair.now_us);
    CU_ASSERT(error == P2_OK || pair.gamer.phase == P2_SEAT_ENDED);
    free(copy);
}

static unsigned damage(uint8_t type, const uint8_t *bytes, size_t size, bool is_playing)
{
    static uint8_t flipped[16384];
    unsigned tried = 0;
    CU_ASSERT_FATAL(size <= sizeof flipped);
    for (size_t cut = 0; cut < size; cut++, tried++) {
        try_damaged(type, bytes, cut, is_playing);
        P2_ASSERT_EQUAL(pair.gamer.phase, P2_SEAT_ENDED);
    }
    memcpy(flipped, bytes, size);
    for (size_t bit = 0; bit < size * 8; bit++, tried++) {
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        try_damaged(type, flipped, size, is_playing);
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    return tried;
}

/* One bit wrong, or an end cut off: the session ends with a reason, or goes on; nothing else. */
static void damaged_messages_do_no_harm(void)
{
    static const char *const names[] = {"wire/welcome.hex", "wire/frame.hex"};
    static const uint8_t types[] = {P2_MSG_WELCOME, P2_MSG_FRAME};
    unsigned tried = 0;
    sit_down(P2_VIEW_MODE_PIXELS);
    for (size_t i = 0; i < 2; i++) {
        struct p2_span file = p2_test_data_read(names[i]);
        char *text = calloc(1, file.size + 1), *rest = NULL;
        CU_ASSERT_FATAL(text != NULL);
        memcpy(text, file.data, file.size);
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            static uint8_t bytes[16384];
            if (strncmp(line, "hex ", 4) == 0 && strlen(line) / 2 < sizeof bytes) {
                size_t size = p2_test_unhex(bytes, line + 4);
                tried += damage(types[i], bytes, size, types[i] == P2_MSG_FRAME);
            }
        }
        free(text);
        free((void *)(uintptr_t)file.data);
    }
    CU_ASSERT(tried > 1000);
    /* A frame as it really comes, with packed deltas and tiles. */
    close_pair();
    sit_down(P2_VIEW_MODE_PIXELS);
    say(0, "words");
    fill_tile(1, 3);
    CU_ASSERT(next_frame(0, 0, true));
    (void)damage(P2_MSG_FRAME, pair.frame.data, pair.frame.size, true);
    close_pair();
}

/* What a hostile game writes shows in no other line and moves no cursor: it is refused. */
static void hostile_words_are_refused(void)
{
    static const char *const words[] = {"\x1b[2Jgone", "a\nb", "\xe2\x80\xaezzz", "\xc3\x28",
                                        "\xff"};
    struct p2_hud hud = {.shows_figures = true, .notice = "notice"};
    struct p2_glyphs *glyphs = p2_glyphs_open(12); /* NULL without a font: then nothing is drawn */
    sit_down(P2_VIEW_MODE_PIXELS);
    struct p2_view view;
    P2_ASSERT_ERROR(p2_view_init(&view, 40, 20), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(words); i++) {
        uint8_t raw[64] = {0};
        size_t length = strlen(words[i]);
        struct p2c2r_scene_text text = {
            .place = P2C2R_PLACE_TITLE, .entity = P2C2R_SCENE_NOBODY, .size = (uint8_t)length};
        memset(text.text, 'a', length);
        size_t size = p2c2r_scene_text_write(raw, sizeof raw, &text);
        CU_ASSERT_FATAL(size > length);
        memcpy(raw + size - length, words[i], length);
        CU_ASSERT(p2_scene_store_apply(&pair.gamer.scene, P2C2R_SCENE_TEXT, 0,
                                       p2_span(raw, size)) != P2_OK);
    }
    for (uint8_t place = 0; place < P2C2R_PLACES; place++) { /* long ones are cut at the edge */
        struct p2c2r_scene_text *text = &pair.gamer.scene.texts[place];
        *text = (struct p2c2r_scene_text){.place = place, .size = P2C2R_SCENE_TEXT_MAX};
        memset(text->text, 'W', P2C2R_SCENE_TEXT_MAX);
    }
    p2_hud_draw(&hud, glyphs, &view, &pair.gamer);
    p2_hud_draw(&hud, NULL, &view, &pair.gamer);
    p2_view_free(&view);
    p2_glyphs_close(glyphs);
    close_pair();
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {P2_TEST(frames_bring_text_and_tiles_and_are_acknowledged),
                           P2_TEST(a_lost_frame_is_made_up_for),
                           P2_TEST(a_frame_from_an_unknown_scene_is_left_out),
                           P2_TEST(switching_views_is_answered_by_a_welcome),
                           P2_TEST(what_is_not_durable_is_sent_again),
                           P2_TEST(a_new_seat_begins_anew),
                           P2_TEST(inputs_never_run_out_of_the_window),
                           P2_TEST(a_link_that_is_full_is_no_error),
                           P2_TEST(an_end_has_words),
                           P2_TEST(another_version_ends_in_words),
                           P2_TEST(pictures_beyond_limits_end_the_session),
                           P2_TEST(messages_before_their_time_end_the_session),
                           P2_TEST(damaged_messages_do_no_harm),
                           P2_TEST(hostile_words_are_refused),
                           CU_TEST_INFO_NULL};
    CU_SuiteInfo suites[] = {{"gamer side", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
