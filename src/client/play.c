/* The evening's loop. */
#include "client/play.h"

#include "base/text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define TICK_MS     16u /* of the first try; then exact by the clock */
#define TICK_HZ     60u
#define SECOND_US   UINT64_C(1000000)
#define TEXT_PIXELS 12u /* height of a line: readable at 360 rows */
#define SIGNALS     3u

struct play {
    struct p2_play_options *options;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t signals[SIGNALS];
    struct p2_gamer gamer;
    struct p2_connection *connection;
    struct p2_show *show;
    struct p2_view view;
    struct p2_hud hud;
    struct p2_glyphs *glyphs;
    struct p2c2r_pad pad;
    struct p2_failure failure;
    uint64_t began_us;   /* the clock's start */
    uint64_t started_us; /* of the ticks: moved when the machine slept */
    uint64_t first_frame_us, linked_us;
    uint64_t ticks; /* since the loop began */
    uint64_t shown; /* pictures */
    uint64_t second_us, shown_in_second;
    int status;
    bool is_ending;
};

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void close_own(struct play *play)
{
    uv_close((uv_handle_t *)&play->tick, NULL);
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_close((uv_handle_t *)&play->signals[i], NULL);
    }
}

static void on_connection_closed(void *ctx)
{
    close_own(ctx);
}

static void finish(struct play *play, int status)
{
    if (play->is_ending) {
        return;
    }
    play->is_ending = true;
    play->status = status;
    play->linked_us = p2_connection_opened_us(play->connection);
    (void)uv_timer_stop(&play->tick);
    p2_connection_close(play->connection, on_connection_closed, play);
}

static void say_end(const struct play *play)
{
    char words[P2_WIRE_STRING_MAX * 6 + 4];
    const struct p2_gamer *gamer = &play->gamer;
    p2_text_escape_string(words, sizeof words, gamer->end_text);
    (void)fprintf(stderr, "p2c2r: %s%s%s\n", p2_gamer_end_text(gamer->end),
                  gamer->end_text[0] != '\0' ? ": " : "", words);
}

/* ---- a tick --------------------------------------------------------------------------------------- */

static void obey(struct play *play, const struct p2_intent *intent)
{
    play->hud.shows_figures ^= intent->toggles_figures;
    play->view.is_tinted ^= intent->toggles_tint;
    play->view.is_warped ^= intent->toggles_warp;
    if (intent->toggles_view) {
        bool has_pixels = play->gamer.wanted_view == P2_VIEW_MODE_PIXELS;
        (void)p2_gamer_switch(&play->gamer, has_pixels ? P2_VIEW_MODE_STATE : P2_VIEW_MODE_PIXELS);
    }
    play->pad = intent->pad;
}

static void send_input(struct play *play)
{
    uint8_t data[P2C2R_PAD_BYTES];
    size_t size = p2c2r_pad_write(data, sizeof data, &play->pad);
    if (size > 0) {
        (void)p2_gamer_input(&play->gamer, p2_span(data, size), now_us()); /* no seat: not sent */
    }
}

static int fit_view(struct play *play)
{
    uint32_t width = 0, height = 0;
    play->options->show->size(play->show, &width, &height);
    if (width == play->view.width && height == play->view.height) {
        return P2_OK;
    }
    bool is_tinted = play->view.is_tinted, is_warped = play->view.is_warped;
    p2_view_free(&play->view);
    int error = p2_view_init(&play->view, width, height);
    play->view.is_tinted = is_tinted;
    play->view.is_warped = is_warped;
    return error;
}

/* What the program itself has to say over the picture. */
static void set_notice(struct play *play)
{
    bool is_playing = play->gamer.phase == P2_SEAT_PLAYING && play->gamer.figures.frame != 0;
    play->hud.notice = is_playing ? NULL : p2_connection_text(play->connection);
    struct p2_link_rtt rtt = p2_connection_rtt(play->connection);
    play->hud.rtt_us = rtt.rtt_us;
    play->hud.rtt_jitter_us = rtt.jitter_us;
}

static int show_picture(struct play *play)
{
    bool is_fresh = p2_gamer_take_fresh(&play->gamer);
    int error = fit_view(play);
    if (error != P2_OK) {
        return error;
    }
    set_notice(play);
    p2_view_draw(&play->view, &play->gamer, &play->pad.yaw, &play->pad.pitch);
    p2_hud_draw(&play->hud, play->glyphs, &play->view, &play->gamer);
    play->shown++;
    play->shown_in_second++;
    return play->options->show->present(play->show, &play->view, &play->gamer, is_fresh,
                                        &play->failure);
}

/* Is the time over, or the patience? */
static bool is_over(struct play *play, uint64_t now)
{
    const struct p2_play_options *options = play->options;
    if (play->first_frame_us == 0 && play->gamer.figures.frames > 0) {
        play->first_frame_us = now;
    }
    if (play->first_frame_us != 0) {
        return options->seconds != 0 && now - play->first_frame_us >= options->seconds * SECOND_US;
    }
    if (options->patience_s != 0 && now - play->began_us >= options->patience_s * SECOND_US) {
        (void)fprintf(stderr, "p2c2r: %s; gave up after %" PRIu64 " s\n",
                      p2_connection_text(play->connection), options->patience_s);
        play->status = EX_UNAVAILABLE;
        return true;
    }
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct play *play = timer->data;
    struct p2_intent intent = {.pad = play->pad};
    uint64_t now = now_us();
    play->options->show->poll(play->show, &intent);
    obey(play, &intent);
    send_input(play);
    int error = show_picture(play);
    if (error != P2_OK) {
        (void)fprintf(stderr, "p2c2r: %s\n", play->failure.message);
        finish(play, EX_IOERR);
    } else if (intent.quits || is_over(play, now)) {
        finish(play, play->status);
    } else if (p2_connection_state(play->connection) == P2_CONNECTION_OVER) {
        say_end(play);
        finish(play, EX_UNAVAILABLE);
    }
    if (now - play->second_us >= SECOND_US) {
        play->hud.fps = (uint32_t)play->shown_in_second;
        play->shown_in_second = 0;
        play->second_us = now;
    }
    /* The next tick stands at a fixed distance from the first: no drift. */
    play->ticks++;
    uint64_t due = play->started_us + play->ticks * SECOND_US / TICK_HZ;
    now = now_us();
    if (now > due + SECOND_US / 4) { /* the machine slept */
        play->started_us += now - due;
        due = now;
    }
    if (!play->is_ending) {
        (void)uv_timer_start(timer, on_tick, due > now ? (due - now) / 1000 : 0, 0);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    finish(handle->data, ((struct play *)handle->data)->status);
}

/* ---- summary -------------------------------------------------------------------------------------- */

static void print_summary(const struct play *play)
{
    const struct p2_gamer_figures *figures = &play->gamer.figures;
    uint64_t opened = play->linked_us;
    (void)printf("{\"frames\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"unfit\":%" PRIu64
                 ",\"refused\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"last_frame\":%" PRIu64
                 ",\"rejoined\":%" PRIu64 ",\"durable_input\":%u,\"input_us\":%u,\"jitter_us\":%u",
                 figures->frames, figures->frames_missed, figures->frames_unfit, figures->refused,
                 figures->bytes, figures->frame, play->gamer.rejoined, figures->durable_input,
                 figures->input_us, figures->jitter_us);
    (void)printf(",\"first_frame_ms\":%" PRIu64 ",\"linked_ms\":%" PRIu64 ",\"shown\":%" PRIu64
                 ",\"tiers\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]}\n",
                 play->first_frame_us != 0 ? (play->first_frame_us - play->began_us) / 1000 : 0,
                 opened > play->began_us ? (opened - play->began_us) / 1000 : 0, play->shown,
                 figures->tier_sums[0], figures->tier_sums[1], figures->tier_sums[2],
                 figures->tier_sums[3], figures->tier_sums[4]);
}

/* ---- the beginning -------------------------------------------------------------------------------- */

static int open_loop(struct play *play)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    if (uv_loop_init(&play->loop) != 0) {
        return P2_E_IO;
    }
    (void)uv_timer_init(&play->loop, &play->tick);
    play->tick.data = play;
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)uv_signal_init(&play->loop, &play->signals[i]);
        play->signals[i].data = play;
        (void)uv_signal_start(&play->signals[i], on_signal, numbers[i]);
    }
    return P2_OK;
}

/* The gamer sends before there is a connection to borrow: by way of this. */
static int send_by(void *ctx, uint8_t type, struct p2_span body)
{
    return p2_connection_send(((struct play *)ctx)->connection, type, body);
}

static int open_all(struct play *play)
{
    struct p2_play_options *options = play->options;
    options->gamer.send = send_by;
    options->gamer.ctx = play;
    options->connection.gamer = &play->gamer;
    options->connection.loop = &play->loop;
    options->connection.on_change = NULL;
    options->connection.on_message = NULL;
    int error = p2_gamer_init(&play->gamer, &options->gamer);
    if (error == P2_OK) {
        error = options->show->open(&play->show, &options->show_options, &play->failure);
    }
    if (error == P2_OK) {
        error = fit_view(play);
    }
    if (error == P2_OK) {
        error = p2_connection_open(&play->connection, &options->connection, &play->failure);
    }
    return error;
}

int p2_play(struct p2_play_options *options)
{
    struct play *play = calloc(1, sizeof *play);
    if (play == NULL || open_loop(play) != P2_OK) {
        free(play);
        return EX_OSERR;
    }
    play->options = options;
    play->view.is_warped = true;
    play->hud.shows_figures = options->shows_figures;
    play->glyphs = p2_glyphs_open(TEXT_PIXELS);
    play->began_us = play->started_us = play->second_us = now_us();
    int error = open_all(play);
    if (error == P2_OK) {
        (void)uv_timer_start(&play->tick, on_tick, TICK_MS, 0);
    } else {
        (void)fprintf(stderr, "p2c2r: %s\n",
                      play->failure.message[0] != '\0' ? play->failure.message
                                                       : p2_error_text(error));
        play->status = error == P2_E_UNSUPPORTED ? EX_UNAVAILABLE : EX_OSERR;
        close_own(play);
    }
    (void)uv_run(&play->loop, UV_RUN_DEFAULT);
    P2_ASSERT(uv_loop_close(&play->loop) == 0);
    options->show->close(play->show);
    if (options->prints_summary && error == P2_OK) {
        print_summary(play);
    }
    int status = play->status;
    p2_view_free(&play->view);
    p2_glyphs_close(play->glyphs);
    p2_gamer_free(&play->gamer);
    free(play);
    return status;
}
