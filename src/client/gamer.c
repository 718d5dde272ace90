/* A gamer's seat: joins, keeps the newest frame, resends what is not durable. */
#include "client/gamer.h"

#include "base/error.h"
#include "kernels/palette.h"
#include "kernels/zstd_frame.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX 4096u /* the largest message a gamer sends is JOIN, P2_WIRE_STRANGER_MAX */

/* Weights of a moving mean, as for round trips (RFC 6298). */
#define MEAN_SHIFT 3

static struct p2_span text_span(const char *text)
{
    return p2_span(text, strlen(text));
}

static void copy_text(char out[P2_WIRE_STRING_MAX + 1], struct p2_span text)
{
    size_t size = text.size < P2_WIRE_STRING_MAX ? text.size : P2_WIRE_STRING_MAX;
    if (size > 0) {
        memcpy(out, text.data, size);
    }
    out[size] = '\0';
}

int p2_gamer_init(struct p2_gamer *gamer, const struct p2_gamer_options *options)
{
    memset(gamer, 0, sizeof *gamer);
    gamer->options = *options;
    gamer->view = gamer->wanted_view = options->view;
    gamer->first_input = gamer->next_input = 1;
    p2_scene_store_init(&gamer->scene);
    p2_buf_init(&gamer->out, OUT_MAX);
    p2_palette_table(gamer->palette);
    gamer->message = calloc(1, sizeof *gamer->message);
    gamer->unpacked = aligned_alloc(64, P2_WIRE_DELTA_MAX + P2_ZSTD_DECOMPRESS_ARENA);
    return gamer->message == NULL || gamer->unpacked == NULL ? P2_E_NOMEM : P2_OK;
}

void p2_gamer_free(struct p2_gamer *gamer)
{
    p2_scene_store_free(&gamer->scene);
    p2_picture_free(&gamer->picture);
    p2_buf_free(&gamer->out);
    free(gamer->message);
    free(gamer->unpacked);
    gamer->message = NULL;
    gamer->unpacked = NULL;
}

/* ---- sending ------------------------------------------------------------------------------------ */

static int send(struct p2_gamer *gamer, const struct p2_msg *msg)
{
    struct p2_writer writer;
    p2_buf_clear(&gamer->out);
    int error = p2_buf_reserve(&gamer->out, p2_wire_bound(msg));
    if (error != P2_OK) {
        return error;
    }
    p2_writer_init(&writer, gamer->out.data, gamer->out.capacity);
    error = p2_wire_encode(&writer, msg);
    return error != P2_OK ? error
                          : gamer->options.send(gamer->options.ctx, (uint8_t)msg->type,
                                                p2_writer_span(&writer));
}

int p2_gamer_join(struct p2_gamer *gamer, const struct p2_session_keys *keys,
                  const struct p2_id *authority, const struct p2_id *self, const uint8_t *binding)
{
    uint8_t proof[P2_WIRE_PROOF_BYTES];
    struct p2_msg msg = {.type = P2_MSG_JOIN,
                         .join = {.protocol = P2_WIRE_PROTOCOL,
                                  .node = *self,
                                  .agent = text_span(gamer->options.agent),
                                  .name = text_span(gamer->options.name),
                                  .view = gamer->wanted_view,
                                  .width = gamer->options.width,
                                  .height = gamer->options.height}};
    p2_join_tag(msg.join.session, keys, authority);
    p2_join_proof(proof, keys, binding, self);
    msg.join.proof = p2_span(proof, sizeof proof);
    int error = send(gamer, &msg);
    p2_secret_wipe(proof, sizeof proof);
    p2_secret_wipe(gamer->out.data, gamer->out.capacity);
    gamer->phase = error == P2_OK ? P2_SEAT_JOINING : gamer->phase;
    return error;
}

static int send_input(struct p2_gamer *gamer, const struct p2_gamer_input *input)
{
    struct p2_msg msg = {.type = P2_MSG_INPUT,
                         .input = {.sequence = input->sequence,
                                   .seen_frame = input->seen_frame,
                                   .data = p2_span(input->data, input->size)}};
    return send(gamer, &msg);
}

int p2_gamer_input(struct p2_gamer *gamer, struct p2_span data, uint64_t now_us)
{
    if (gamer->phase != P2_SEAT_PLAYING) {
        return P2_E_STATE;
    }
    if (data.size > P2_WIRE_INPUT_MAX) {
        return P2_E_TOO_BIG;
    }
    if (gamer->next_input - gamer->seen_input > P2_GAMER_INPUTS_AHEAD) {
        gamer->next_input = gamer->seen_input + 1;
    }
    /* Room for this one; and a host may have promised more than it showed. */
    if (gamer->next_input - gamer->first_input >= P2_GAMER_INPUTS_KEPT) {
        bool is_full = gamer->next_input - gamer->first_input == P2_GAMER_INPUTS_KEPT;
        gamer->first_input = is_full ? gamer->first_input + 1 : gamer->next_input;
    }
    struct p2_gamer_input *input = &gamer->inputs[gamer->next_input % P2_GAMER_INPUTS_KEPT];
    *input = (struct p2_gamer_input){.sequence = gamer->next_input,
                                     .size = (uint32_t)data.size,
                                     .made_us = now_us,
                                     .seen_frame = gamer->figures.frame};
    if (data.size > 0) {
        memcpy(input->data, data.data, data.size);
    }
    int error = send_input(gamer, input);
    if (error == P2_E_AGAIN) {
        return P2_OK;
    }
    gamer->next_input += error == P2_OK ? 1 : 0;
    return error;
}

int p2_gamer_switch(struct p2_gamer *gamer, enum p2_view_mode view)
{
    struct p2_msg msg = {
        .type = P2_MSG_VIEW,
        .view = {.view = view, .width = gamer->options.width, .height = gamer->options.height}};
    if (gamer->phase != P2_SEAT_PLAYING) {
        return P2_E_STATE;
    }
    int error = send(gamer, &msg);
    gamer->wanted_view = error == P2_OK ? view : gamer->wanted_view;
    return error;
}

void p2_gamer_leave(struct p2_gamer *gamer)
{
    struct p2_msg msg = {.type = P2_MSG_END, .end = {.reason = P2_END_REASON_LEFT}};
    if (gamer->phase == P2_SEAT_JOINING || gamer->phase == P2_SEAT_PLAYING) {
        (void)send(gamer, &msg); /* the link is closed next */
        gamer->phase = P2_SEAT_ENDED;
        gamer->end = P2_END_REASON_LEFT;
    }
}

static int acknowledge(struct p2_gamer *gamer)
{
    struct p2_msg msg = {.type = P2_MSG_ACK,
                         .ack = {.frame = gamer->figures.frame,
                                 .state_version = gamer->version,
                                 .jitter_us = gamer->figures.jitter_us}};
    int error = send(gamer, &msg);
    return error == P2_E_AGAIN ? P2_OK : error; /* the next frame is acknowledged as well */
}

/* ---- WELCOME -------------------------------------------------------------------------------------- */

/* What is not durable is sent again, in order. */
static int resend(struct p2_gamer *gamer, uint32_t from)
{
    int error = P2_OK;
    gamer->first_input = from;
    for (uint32_t sequence = from; sequence != gamer->next_input && error == P2_OK; sequence++) {
        error = send_input(gamer, &gamer->inputs[sequence % P2_GAMER_INPUTS_KEPT]);
    }
    return error == P2_E_AGAIN ? P2_OK : error;
}

static int take_seat(struct p2_gamer *gamer, const struct p2_msg_welcome *msg)
{
    struct p2_picture picture = {0};
    if (msg->protocol != P2_WIRE_PROTOCOL || msg->scene_version != P2C2R_SCENE_VERSION) {
        gamer->phase = P2_SEAT_ENDED;
        gamer->end = P2_END_REASON_PROTOCOL;
        return P2_E_BAD_VERSION;
    }
    if (msg->view == P2_VIEW_MODE_PIXELS) {
        int error =
            p2_picture_init(&picture, msg->width, msg->height, msg->tile_width, msg->tile_height);
        if (error != P2_OK) {
            return error;
        }
    }
    p2_picture_free(&gamer->picture);
    gamer->picture = picture;
    if (gamer->phase != P2_SEAT_PLAYING) { /* otherwise it answers VIEW: the scene goes on */
        p2_scene_store_clear(&gamer->scene);
        gamer->version = 0;
        gamer->figures.frame = 0;
    }
    gamer->seat = msg->seat;
    gamer->seats = msg->seats;
    gamer->tick_hz = msg->tick_hz;
    gamer->view = msg->view;
    copy_text(gamer->game, msg->game);
    if (msg->palette.size == sizeof gamer->palette) {
        memcpy(gamer->palette, msg->palette.data, sizeof gamer->palette);
        gamer->has_palette = true;
    }
    return P2_OK;
}

static int welcome(struct p2_gamer *gamer, struct p2_span body)
{
    struct p2_msg_welcome msg;
    bool is_asked = gamer->phase == P2_SEAT_JOINING || gamer->phase == P2_SEAT_PLAYING;
    int error = is_asked ? p2_wire_decode_welcome(&msg, body) : P2_E_STATE;
    if (error == P2_OK) {
        error = take_seat(gamer, &msg);
    }
    if (error != P2_OK) {
        return error;
    }
    if (gamer->phase == P2_SEAT_PLAYING) {
        return P2_OK;
    }
    gamer->phase = P2_SEAT_PLAYING;
    gamer->rejoined += msg.is_resumed ? 1 : 0;
    gamer->is_resumed = msg.is_resumed;
    bool is_ours = msg.is_resumed &&
                   msg.next_input - gamer->first_input <= gamer->next_input - gamer->first_input;
    if (!is_ours) { /* a new seat, or one whose inputs another program made */
        gamer->first_input = gamer->next_input = msg.next_input;
    }
    gamer->seen_input = msg.next_input - 1;
    return resend(gamer, is_ours ? msg.next_input : gamer->next_input);
}

/* ---- FRAME ---------------------------------------------------------------------------------------- */

static int apply_delta(struct p2_gamer *gamer, const struct p2_msg_delta *delta)
{
    struct p2_span data = delta->data;
    if (delta->codec == P2_CODEC_ZSTD) {
        struct p2c2r_bytes frame = {data.data, data.size};
        size_t size = p2_zstd_frame_declared(frame);
        if (size > P2_WIRE_DELTA_MAX ||
            p2_zstd_frame_decompress(frame, gamer->unpacked, size,
                                     gamer->unpacked + P2_WIRE_DELTA_MAX,
                                     P2_ZSTD_DECOMPRESS_ARENA) != P2C2R_KERNEL_OK) {
            return P2_E_MALFORMED;
        }
        data = p2_span(gamer->unpacked, size);
    }
    return p2_scene_store_apply(&gamer->scene, (uint32_t)delta->kind, delta->key, data);
}

static void apply_picture(struct p2_gamer *gamer, const struct p2_msg_frame *msg)
{
    struct p2c2r_scene_camera camera;
    struct p2c2r_bytes bytes = {msg->camera.data, msg->camera.size};
    /* Tiles in the state view are left from the other one: nothing is wrong with them. */
    if (msg->camera.size > 0 && p2c2r_scene_camera_read(bytes, &camera)) {
        p2_picture_camera(&gamer->picture, msg->number, &camera);
    } else if (msg->camera.size > 0) {
        gamer->figures.refused++;
    }
    for (uint32_t i = 0; i < msg->tiles_count && gamer->picture.pixels != NULL; i++) {
        bool is_taken = p2_picture_take(&gamer->picture, msg->number, &msg->tiles[i]) == P2_OK;
        gamer->figures.refused += is_taken ? 0 : 1;
    }
}

static void measure(struct p2_gamer *gamer, const struct p2_msg_frame *msg, uint64_t now_us)
{
    struct p2_gamer_figures *figures = &gamer->figures;
    if (gamer->arrived_us != 0 && gamer->tick_hz > 0) {
        uint64_t took = now_us - gamer->arrived_us;
        uint64_t due = (msg->number - figures->frame) * 1000000u / gamer->tick_hz;
        uint64_t error = took > due ? took - due : due - took;
        error = error > UINT32_MAX ? UINT32_MAX : error;
        figures->jitter_us += (uint32_t)(error >> MEAN_SHIFT) - (figures->jitter_us >> MEAN_SHIFT);
    }
    gamer->arrived_us = now_us;
    const struct p2_gamer_input *input = &gamer->inputs[msg->applied_input % P2_GAMER_INPUTS_KEPT];
    if (msg->applied_input != figures->applied_input && input->sequence == msg->applied_input &&
        msg->applied_input != 0 && now_us >= input->made_us) {
        uint64_t took = now_us - input->made_us;
        took = took > UINT32_MAX ? UINT32_MAX : took;
        figures->input_us = figures->input_us == 0
                                ? (uint32_t)took
                                : figures->input_us - (figures->input_us >> MEAN_SHIFT) +
                                      (uint32_t)(took >> MEAN_SHIFT);
    }
}

static void note(struct p2_gamer *gamer, const struct p2_msg_frame *msg, size_t size)
{
    struct p2_gamer_figures *figures = &gamer->figures;
    if (figures->frame != 0) {
        figures->frames_missed += msg->number - figures->frame - 1;
    }
    figures->frame = msg->number;
    figures->frames++;
    figures->bytes += size;
    figures->applied_input = msg->applied_input;
    figures->durable_input = msg->durable_input;
    figures->queue_us = msg->queue_us;
    figures->compute_us = msg->compute_us;
    figures->merge_us = msg->merge_us;
    figures->depth = msg->depth;
    figures->reason = msg->reason;
    for (size_t i = 0; i < 5; i++) {
        figures->tiers[i] = msg->tiers[i];
        figures->tier_sums[i] += msg->tiers[i];
    }
    if (msg->applied_input - gamer->seen_input <= gamer->next_input - 1 - gamer->seen_input) {
        gamer->seen_input = msg->applied_input;
    }
    uint32_t durable = msg->durable_input + 1;
    if (durable - gamer->first_input <= gamer->next_input - gamer->first_input) {
        gamer->first_input = durable;
    }
}

static int frame(struct p2_gamer *gamer, struct p2_span body, uint64_t now_us)
{
    struct p2_msg_frame *msg = gamer->message;
    int error = p2_wire_decode_frame(msg, body);
    if (error != P2_OK || gamer->phase != P2_SEAT_PLAYING) {
        return error != P2_OK ? error : P2_E_STATE;
    }
    if (msg->number <= gamer->figures.frame) {
        return P2_OK; /* newest wins */
    }
    if (msg->base_version > gamer->version) {
        gamer->figures.frames_unfit++;
        return P2_OK; /* not acknowledged: the authority starts again from nothing */
    }
    if (msg->base_version == 0 && gamer->version != 0) {
        p2_scene_store_clear(&gamer->scene);
    }
    for (uint32_t i = 0; i < msg->deltas_count; i++) {
        error = apply_delta(gamer, &msg->deltas[i]);
        if (error == P2_E_NOMEM) {
            return error;
        }
        gamer->figures.refused += error == P2_OK ? 0 : 1;
    }
    apply_picture(gamer, msg);
    measure(gamer, msg, now_us);
    note(gamer, msg, body.size);
    gamer->version = msg->state_version;
    gamer->is_fresh = true;
    return acknowledge(gamer);
}

/* ---- others --------------------------------------------------------------------------------------- */

static int end(struct p2_gamer *gamer, struct p2_span body)
{
    struct p2_msg_end msg;
    int error = p2_wire_decode_end(&msg, body);
    if (error != P2_OK) {
        return error;
    }
    gamer->phase = P2_SEAT_ENDED;
    gamer->end = msg.reason;
    gamer->end_retry_s = msg.retry_s;
    copy_text(gamer->end_text, msg.text);
    return P2_E_CANCELLED;
}

int p2_gamer_message(struct p2_gamer *gamer, uint8_t type, struct p2_span body, uint64_t now_us)
{
    int error = P2_OK;
    switch (type) {
    case P2_MSG_WELCOME:
        error = welcome(gamer, body);
        break;
    case P2_MSG_FRAME:
        error = frame(gamer, body, now_us);
        break;
    case P2_MSG_END:
        error = end(gamer, body);
        break;
    case P2_MSG_SAVES: { /* shown by the host's own tools; checked like everything else */
        struct p2_msg_saves saves;
        error = p2_wire_decode_saves(&saves, body);
        break;
    }
    default:
        error = P2_E_BAD_TYPE;
        break;
    }
    if (error != P2_OK && error != P2_E_CANCELLED && error != P2_E_NOMEM &&
        gamer->phase != P2_SEAT_ENDED) {
        gamer->phase = P2_SEAT_ENDED;
        gamer->end = P2_END_REASON_MALFORMED;
    }
    return error;
}

void p2_gamer_lost(struct p2_gamer *gamer)
{
    if (gamer->phase != P2_SEAT_ENDED) {
        gamer->phase = P2_SEAT_AWAY;
    }
    gamer->arrived_us = 0;
}

bool p2_gamer_take_fresh(struct p2_gamer *gamer)
{
    bool is_fresh = gamer->is_fresh;
    gamer->is_fresh = false;
    return is_fresh;
}

const char *p2_gamer_end_text(enum p2_end_reason reason)
{
    static const char *const texts[] = {
        [P2_END_REASON_LEFT] = "you left",
        [P2_END_REASON_OVER] = "the game is over",
        [P2_END_REASON_HOST_STOPPED] = "the host stopped the session",
        [P2_END_REASON_RESTART] = "the host restarts",
        [P2_END_REASON_UNKNOWN_SESSION] = "the host knows no such session",
        [P2_END_REASON_FULL] = "the session is full",
        [P2_END_REASON_LOCKED] = "the session takes no new players",
        [P2_END_REASON_KICKED] = "the host sent you away",
        [P2_END_REASON_PROTOCOL] =
            "your version and the host's do not fit; update p2c2r, or ask the host to",
        [P2_END_REASON_MALFORMED] = "what came did not follow the protocol",
        [P2_END_REASON_RATE] = "too many messages",
        [P2_END_REASON_CREDIT] = "the prepaid credit is used up",
        [P2_END_REASON_REPLACED] = "you joined from elsewhere",
        [P2_END_REASON_GAME_FAULT] = "the game module failed",
        [P2_END_REASON_IDENTITY] = "your key does not fit the connection",
    };
    size_t count = sizeof texts / sizeof *texts;
    return (size_t)reason < count && texts[reason] != NULL ? texts[reason] : "the session ended";
}

bool p2_gamer_may_return(enum p2_end_reason reason)
{
    return reason == P2_END_REASON_RESTART || reason == P2_END_REASON_RATE;
}
