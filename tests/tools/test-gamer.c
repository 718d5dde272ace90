/* A gamer without eyes: joins a session by its link, plays for a number of frames and checks what it
 * is told. Ends with one line of JSON; the exit status is 0 when nothing was wrong.
 *
 *   test-gamer [OPTION]... LINK
 *     --name NAME      who plays                          --frames N    ends after so many (60)
 *     --inputs         sends one for every frame          --pixels      asks for pictures
 *     --ack-every N    acknowledges every Nth frame, 0: never (1)
 *     --reconnect      drops the link in the middle and comes back with the same key
 *     --wrong-proof    shows that it does not know the ID
 *     --garbage        sends what is no message in the middle
 *     --flood          sends acknowledgements without end
 *
 * What it checks: versions never go back and every frame starts from one it has; the line of text that
 * src/games/steady writes for every frame names that frame; the newest input is applied in order. */
#include "base/entropy.h"
#include "link/link_tcp.h"
#include "link/network.h"
#include "link/wire_rules.h"
#include "overlay/join_link.h"
#include "overlay/join_proof.h"
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Nothing is measured here: whoever waits that long waits for ever. */
#define PATIENCE_MS 120000u

#define FLOOD_MESSAGES 2000u

struct gamer {
    uv_loop_t loop;
    uv_timer_t patience;
    struct p2_transport *transport;
    struct p2_link *link;
    struct p2_identity identity;
    struct p2_id id;
    struct p2_join_link target;
    struct p2_session_keys keys;
    const char *name;
    uint64_t frames_max, ack_every;
    bool sends_inputs, wants_pixels, reconnects, is_wrong, is_garbage, floods;

    bool is_ending, has_welcome, was_resumed, has_ended;
    uint64_t frames, whole, deltas, tiles, bytes, wrong, missing;
    uint64_t number, version;
    uint32_t input, applied, seat;
    enum p2_end_reason reason;
    char reason_text[P2_WIRE_STRING_MAX + 1];
};

static void draw_entropy(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_entropy(out, size);
}

static void complain(struct gamer *gamer, const char *what)
{
    gamer->wrong++;
    (void)fprintf(stderr, "test-gamer: %s in frame %llu\n", what,
                  (unsigned long long)gamer->number);
}

#define SEND(gamer, TYPE, type, message)                                                \
    do {                                                                                \
        static uint8_t bytes_[2048];                                                    \
        struct p2_writer writer_;                                                       \
        p2_writer_init(&writer_, bytes_, sizeof bytes_);                                \
        if (p2_wire_encode_##type(&writer_, (message)) == P2_OK) {                      \
            (void)p2_link_send((gamer)->link, P2_MSG_##TYPE, p2_writer_span(&writer_)); \
        }                                                                               \
    } while (0)

/* ---- ending ------------------------------------------------------------------------------------ */

static void on_stopped(void *ctx)
{
    struct gamer *gamer = ctx;
    uv_close((uv_handle_t *)&gamer->patience, NULL);
}

static void end(struct gamer *gamer)
{
    if (!gamer->is_ending) {
        gamer->is_ending = true;
        p2_transport_stop(gamer->transport, true, on_stopped, gamer);
    }
}

static void on_patience(uv_timer_t *timer)
{
    complain(timer->data, "nothing came");
    end(timer->data);
}

/* ---- playing ----------------------------------------------------------------------------------- */

static void dial(struct gamer *gamer);

static void check_frame(struct gamer *gamer, const struct p2_msg_frame *frame)
{
    char expected[64];
    bool has_text = false;
    if (frame->base_version != 0 && frame->base_version > gamer->version) {
        complain(gamer, "a frame starts from a version that was never there");
    }
    if (frame->number <= gamer->number && gamer->number != 0) {
        complain(gamer, "a frame is not newer");
    }
    if (frame->applied_input < gamer->applied) {
        complain(gamer, "an input is taken back");
    }
    gamer->missing += gamer->number != 0 ? frame->number - gamer->number - 1 : 0;
    gamer->number = frame->number;
    gamer->version = frame->state_version;
    gamer->applied = frame->applied_input;
    int length =
        snprintf(expected, sizeof expected, "frame %llu,", (unsigned long long)frame->number);
    for (uint32_t i = 0; i < frame->deltas_count; i++) {
        const struct p2_msg_delta *delta = &frame->deltas[i];
        if (delta->kind == P2_DELTA_KIND_TEXT && delta->data.size > (size_t)length) {
            has_text = memcmp(delta->data.data, expected, (size_t)length) == 0;
        }
    }
    if (!has_text) {
        complain(gamer, "the game's line of text is missing or old");
    }
    gamer->whole += frame->base_version == 0 ? 1 : 0;
    gamer->deltas += frame->deltas_count;
    gamer->tiles += frame->tiles_count;
}

static void misbehave(struct gamer *gamer)
{
    if (gamer->is_garbage) {
        static const uint8_t garbage[] = {0xc1, 0xff, 0x00, 0x93};
        (void)p2_link_send(gamer->link, P2_MSG_INPUT, p2_span(garbage, sizeof garbage));
    }
    for (uint32_t i = 0; gamer->floods && i < FLOOD_MESSAGES; i++) {
        const struct p2_msg_ack ack = {.frame = i, .state_version = i};
        SEND(gamer, ACK, ack, &ack);
    }
}

static void hear_frame(struct gamer *gamer, struct p2_span body)
{
    static struct p2_msg_frame frame; /* large */
    int error = p2_wire_decode_frame(&frame, body);
    if (error != P2_OK) {
        complain(gamer, "a frame is malformed");
        return;
    }
    gamer->frames++;
    gamer->bytes += body.size;
    check_frame(gamer, &frame);
    if (gamer->ack_every > 0 && gamer->frames % gamer->ack_every == 0) {
        const struct p2_msg_ack ack = {.frame = frame.number, .state_version = frame.state_version};
        SEND(gamer, ACK, ack, &ack);
    }
    if (gamer->sends_inputs) {
        const struct p2_msg_input input = {.sequence = ++gamer->input,
                                           .seen_frame = frame.number,
                                           .data = p2_span(gamer->name, strlen(gamer->name))};
        SEND(gamer, INPUT, input, &input);
    }
    if (gamer->frames == gamer->frames_max / 2) {
        misbehave(gamer);
        if (gamer->reconnects) {
            p2_link_close(gamer->link, P2_E_CANCELLED);
            return;
        }
    }
    if (gamer->frames == gamer->frames_max) {
        const struct p2_msg_end over = {.reason = P2_END_REASON_LEFT};
        SEND(gamer, END, end, &over);
        end(gamer);
    }
}

static void hear_welcome(struct gamer *gamer, struct p2_span body)
{
    struct p2_msg_welcome welcome;
    if (p2_wire_decode_welcome(&welcome, body) != P2_OK) {
        complain(gamer, "WELCOME is malformed");
        return;
    }
    if (gamer->has_welcome && (!welcome.is_resumed || welcome.seat != gamer->seat)) {
        complain(gamer, "the seat was not kept");
    }
    gamer->was_resumed = welcome.is_resumed;
    gamer->has_welcome = true;
    gamer->seat = welcome.seat;
    gamer->version = 0; /* the scene is gone with the link */
    if (welcome.next_input > gamer->input + 1) {
        gamer->input = welcome.next_input - 1;
    }
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct gamer *gamer = ctx;
    (void)link;
    if (gamer->is_ending) {
        return;
    }
    if (type == P2_MSG_FRAME) {
        hear_frame(gamer, body);
    } else if (type == P2_MSG_WELCOME) {
        hear_welcome(gamer, body);
    } else if (type == P2_MSG_END) {
        struct p2_msg_end over;
        gamer->has_ended = p2_wire_decode_end(&over, body) == P2_OK;
        gamer->reason = over.reason;
        if (gamer->has_ended && over.text.size > 0) {
            memcpy(gamer->reason_text, over.text.data, over.text.size);
        }
        end(gamer);
    }
}

static void on_open(struct p2_link *link, void *ctx)
{
    struct gamer *gamer = ctx;
    uint8_t proof[P2_WIRE_PROOF_BYTES];
    struct p2_msg_join join = {
        .protocol = P2_WIRE_PROTOCOL,
        .node = gamer->id,
        .name = p2_span(gamer->name, strlen(gamer->name)),
        .view = gamer->wants_pixels ? P2_VIEW_MODE_PIXELS : P2_VIEW_MODE_STATE,
        .width = 1280,
        .height = 720,
    };
    p2_join_tag(join.session, &gamer->keys, &gamer->target.address.key);
    p2_join_proof(proof, &gamer->keys, p2_link_binding(link), &gamer->id);
    proof[0] ^= gamer->is_wrong ? 1 : 0;
    join.proof = p2_span(proof, sizeof proof);
    SEND(gamer, JOIN, join, &join);
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct gamer *gamer = ctx;
    (void)link;
    gamer->link = NULL;
    if (gamer->reconnects && reason == P2_E_CANCELLED && !gamer->is_ending) {
        gamer->reconnects = false;
        dial(gamer);
    } else {
        end(gamer);
    }
}

static const struct p2_link_events link_events = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close};

static void dial(struct gamer *gamer)
{
    const struct p2_link_target target = {
        .address = {.ip = gamer->target.address.ip, .port = gamer->target.address.port},
        .id = gamer->target.address.key,
        .cipher = P2_CIPHER_CHACHAPOLY,
        .own_role = P2_ROLE_GAMER,
        .peer_role = P2_ROLE_AUTHORITY,
        .events = &link_events,
        .ctx = gamer,
    };
    if (p2_transport_dial(gamer->transport, &target, &gamer->link) != P2_OK) {
        complain(gamer, "cannot dial");
        end(gamer);
    }
}

/* ---- start ------------------------------------------------------------------------------------- */

static bool take_arguments(struct gamer *gamer, int argc, char **argv)
{
    int i = 1;
    for (; i < argc - 1; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--name") == 0) {
            gamer->name = argv[++i];
        } else if (strcmp(word, "--frames") == 0) {
            gamer->frames_max = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(word, "--ack-every") == 0) {
            gamer->ack_every = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(word, "--inputs") == 0) {
            gamer->sends_inputs = true;
        } else if (strcmp(word, "--pixels") == 0) {
            gamer->wants_pixels = true;
        } else if (strcmp(word, "--reconnect") == 0) {
            gamer->reconnects = true;
        } else if (strcmp(word, "--wrong-proof") == 0) {
            gamer->is_wrong = true;
        } else if (strcmp(word, "--garbage") == 0) {
            gamer->is_garbage = true;
        } else if (strcmp(word, "--flood") == 0) {
            gamer->floods = true;
        } else {
            return false;
        }
    }
    return i == argc - 1 &&
           p2_join_link_parse(&gamer->target, argv[i], strlen(argv[i]), NULL) == P2_OK &&
           gamer->target.has_address;
}

static int open_gamer(struct gamer *gamer)
{
    struct p2_tcp_options tcp;
    struct p2_overlay_rules rules = {0};
    p2_tcp_options_init(&tcp);
    p2_identity_generate(&gamer->identity);
    memcpy(gamer->id.bytes, gamer->identity.public_key, sizeof gamer->id.bytes);
    tcp.loop = &gamer->loop;
    tcp.identity = &gamer->identity;
    tcp.rules = &p2_link_wire_rules;
    tcp.entropy = draw_entropy;
    tcp.local_peers = P2_LOCAL_PEERS_ALLOW;
    p2_network_id(tcp.network_id, P2_NETWORK_PUBLIC);
    memcpy(rules.network_id, tcp.network_id, sizeof rules.network_id);
    int error = p2_session_keys_derive(&gamer->keys, &gamer->target.id, &rules);
    return error == P2_OK ? p2_tcp_new(&gamer->transport, &tcp) : error;
}

static void print_summary(const struct gamer *gamer)
{
    (void)printf("{\"frames\":%llu,\"missing\":%llu,\"whole\":%llu,\"deltas\":%llu,\"tiles\":%llu,"
                 "\"bytes\":%llu,\"inputs\":%u,\"applied\":%u,\"seat\":%u,\"resumed\":%d,"
                 "\"end\":\"%s\",\"text\":\"%s\",\"wrong\":%llu}\n",
                 (unsigned long long)gamer->frames, (unsigned long long)gamer->missing,
                 (unsigned long long)gamer->whole, (unsigned long long)gamer->deltas,
                 (unsigned long long)gamer->tiles, (unsigned long long)gamer->bytes, gamer->input,
                 gamer->applied, gamer->seat, gamer->was_resumed ? 1 : 0,
                 gamer->has_ended ? p2_end_reason_name(gamer->reason) : "", gamer->reason_text,
                 (unsigned long long)gamer->wrong);
}

int main(int argc, char **argv)
{
    static struct gamer gamer = {.name = "tester", .frames_max = 60, .ack_every = 1};
    if (!take_arguments(&gamer, argc, argv)) {
        (void)fprintf(stderr, "usage: test-gamer [OPTION]... p2c2r://join/ID?at=...&key=...\n");
        return 64;
    }
    if (p2_crypto_init() != P2_OK || uv_loop_init(&gamer.loop) != 0 ||
        open_gamer(&gamer) != P2_OK) {
        (void)fprintf(stderr, "test-gamer: cannot start\n");
        return 71;
    }
    (void)uv_timer_init(&gamer.loop, &gamer.patience); /* cannot fail */
    gamer.patience.data = &gamer;
    (void)uv_timer_start(&gamer.patience, on_patience, PATIENCE_MS, 0);
    dial(&gamer);
    (void)uv_run(&gamer.loop, UV_RUN_DEFAULT);
    p2_tcp_free(gamer.transport);
    if (uv_loop_close(&gamer.loop) != 0) {
        gamer.wrong++;
    }
    print_summary(&gamer);
    return gamer.wrong == 0 ? 0 : 1;
}
