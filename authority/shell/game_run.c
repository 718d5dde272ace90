/* A frame of a game; see the header. */
#include "authority/shell/game_run_internal.h"

#include "base/crypto.h"
#include "base/error.h"
#include "kernels/zstd_frame.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_VERSION 1u
#define PACK_LEVEL   1 /* chosen: a frame has a millisecond for all of its tiles */
#define ARENA_ALIGN  64u

/* ---- pictures ---------------------------------------------------------------------------------- */

void p2_game_picture(uint16_t *width, uint16_t *height)
{
    if (*width == 0 || *height == 0) {
        *width = *height = 0;
        return;
    }
    uint32_t w = *width < P2_GAME_PICTURE_WIDTH ? *width : P2_GAME_PICTURE_WIDTH;
    uint32_t h = *height < P2_GAME_PICTURE_HEIGHT ? *height : P2_GAME_PICTURE_HEIGHT;
    /* Whole tiles only, so that every tile is full. */
    w = w < P2_GAME_TILE_WIDTH ? P2_GAME_TILE_WIDTH : w - w % P2_GAME_TILE_WIDTH;
    h = h < P2_GAME_TILE_HEIGHT ? P2_GAME_TILE_HEIGHT : h - h % P2_GAME_TILE_HEIGHT;
    *width = (uint16_t)w;
    *height = (uint16_t)h;
}

static size_t pack(void *ctx, struct p2_span raw, uint8_t *out, size_t capacity)
{
    struct p2_game_run *run = ctx;
    size_t size = 0;
    const struct p2c2r_bytes content = {raw.data, raw.size};
    uintptr_t at = ((uintptr_t)run->arena + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1);
    int status = p2_zstd_frame_compress(content, PACK_LEVEL, out, capacity, (uint8_t *)at,
                                        P2_ZSTD_COMPRESS_ARENA, &size);
    return status == P2C2R_KERNEL_OK ? size : 0;
}

/* ---- life -------------------------------------------------------------------------------------- */

static struct p2_game_run *allocate(const struct p2_game_run_options *options)
{
    struct p2_game_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return NULL;
    }
    run->options = *options;
    run->text = strdup(options->options);
    run->binding = calloc(1, sizeof *run->binding);
    run->options.options = run->text;
    run->arena = options->is_viewed ? malloc(P2_ZSTD_COMPRESS_ARENA + ARENA_ALIGN) : NULL;
    struct p2_buf *bufs[] = {&run->before_host, &run->before_world, &run->after_host,
                             &run->after_world, &run->other_host,   &run->other_world};
    for (size_t i = 0; i < P2_COUNT_OF(bufs); i++) {
        p2_buf_init(bufs[i], P2C2R_GAME_WORLD_MAX);
    }
    p2_frame_out_init(&run->shadow_out);
    if (run->text == NULL || run->binding == NULL || (options->is_viewed && run->arena == NULL) ||
        p2_game_tasks_init(&run->state_tasks, 1) != P2_OK ||
        p2_game_tasks_init(&run->view_tasks, P2_GAME_TASK_VIEW | 1u) != P2_OK) {
        p2_game_run_close(run);
        return NULL;
    }
    p2_game_host_init(run);
    p2_game_streams_init(run);
    return run;
}

static int open_shadow(struct p2_game_run *run, struct p2_failure *failure)
{
    struct p2_game_run_options options = run->options;
    options.is_synctest = false;
    options.is_viewed = false;
    if (run->game.restore == NULL) {
        return p2_fail(failure, P2_E_UNSUPPORTED, "%s cannot be saved: there is nothing to compare",
                       run->game.name);
    }
    return p2_game_run_open(&options, &run->shadow_out, failure, &run->shadow);
}

int p2_game_run_open(const struct p2_game_run_options *options, struct p2_frame_out *out,
                     struct p2_failure *failure, struct p2_game_run **ret_run)
{
    struct p2_game_run *run = allocate(options);
    if (run == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    int error = p2_game_module_table(options->module, &run->binding->host, &run->game, failure);
    if (error == P2_OK) {
        run->out = out;
        run->phase = P2_GAME_INIT;
        if (run->game.init(&run->binding->host, options->seed, run->text, &run->self) != 0) {
            run->self = NULL;
            error =
                p2_fail(failure, P2_E_UNSUPPORTED, "the game %s refuses to begin%s%s",
                        run->game.name, *run->text != '\0' ? " with the options: " : "", run->text);
        }
        run->phase = P2_GAME_OUTSIDE;
    }
    if (error == P2_OK && options->is_synctest) {
        error = open_shadow(run, failure);
    }
    if (error != P2_OK) {
        p2_game_run_close(run);
        return error;
    }
    *ret_run = run;
    return P2_OK;
}

void p2_game_run_close(struct p2_game_run *run)
{
    if (run == NULL) {
        return;
    }
    p2_game_run_close(run->shadow);
    if (run->self != NULL) {
        run->game.shutdown(run->self);
    }
    for (size_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        if (run->seats[i].has_scene) {
            p2_gamer_scene_close(&run->seats[i].scene);
        }
    }
    struct p2_buf *bufs[] = {&run->before_host, &run->before_world, &run->after_host,
                             &run->after_world, &run->other_host,   &run->other_world};
    for (size_t i = 0; i < P2_COUNT_OF(bufs); i++) {
        p2_buf_free(bufs[i]);
    }
    p2_frame_out_free(&run->shadow_out);
    p2_game_tasks_free(&run->state_tasks);
    p2_game_tasks_free(&run->view_tasks);
    free(run->text);
    free(run->binding);
    free(run->arena);
    free(run);
}

const struct p2c2r_game *p2_game_run_game(const struct p2_game_run *run)
{
    return &run->game;
}

/* ---- the STATE half ---------------------------------------------------------------------------- */

static void join(struct p2_game_run *run, const struct p2_in_item *item, struct p2_span bytes)
{
    char name[P2C2R_GAME_NAME_MAX] = {0};
    char why[P2C2R_GAME_WHY_MAX] = {0};
    struct p2_out_item answer = {
        .kind = P2_OUT_JOINED, .player = item->player, .task = item->version};
    if (item->player >= run->game.players_max || run->seats[item->player].is_taken) {
        return;
    }
    if (bytes.size > 0) {
        memcpy(name, bytes.data, bytes.size < sizeof name ? bytes.size : sizeof name - 1);
    }
    answer.status = run->game.join(run->self, item->player, name, why);
    run->seats[item->player].is_taken = answer.status == 0;
    why[sizeof why - 1] = '\0';
    (void)p2_frame_out_add(run->out, &answer, p2_span(why, strlen(why))); /* else it waits on */
}

static void leave(struct p2_game_run *run, uint8_t player)
{
    if (player < P2C2R_PLAYERS_MAX && run->seats[player].is_taken) {
        run->game.leave(run->self, player);
        run->seats[player].is_taken = false;
    }
}

static void console(struct p2_game_run *run, const struct p2_in_item *item, struct p2_span bytes)
{
    char line[1024] = {0};
    char text[4096] = "this game has no console";
    const struct p2_out_item answer = {.kind = P2_OUT_ANSWER, .task = item->version};
    if (bytes.size > 0) {
        memcpy(line, bytes.data, bytes.size < sizeof line ? bytes.size : sizeof line - 1);
    }
    if (run->game.console != NULL) {
        text[0] = '\0';
        run->game.console(run->self, line, text, sizeof text);
        text[sizeof text - 1] = '\0';
    }
    (void)p2_frame_out_add(run->out, &answer, p2_span(text, strlen(text))); /* else none comes */
}

static void deliver(struct p2_game_run *run, const struct p2_in_item *item, struct p2_span bytes,
                    bool is_view)
{
    struct p2_game_task task;
    if (!p2_game_tasks_take(is_view ? &run->view_tasks : &run->state_tasks, item->task, &task)) {
        return; /* cancelled meanwhile */
    }
    const struct p2c2r_result result = {
        .size = sizeof result,
        .status = item->status,
        .task = item->task,
        .tag = task.tag,
        .frame = task.frame,
        .player = task.player,
        .tier = is_view && item->status == P2C2R_RESULT_OK ? item->tier : P2C2R_TIER_NONE,
        .bytes = {bytes.data, bytes.size},
    };
    if (!is_view) {
        run->game.on_result(run->self, &result);
    } else if (run->game.on_view_result != NULL) {
        run->game.on_view_result(run->self, &result);
    }
}

static void correct(struct p2_game_run *run, const struct p2_in_item *item, struct p2_span bytes)
{
    const struct p2c2r_result result = {
        .size = sizeof result,
        .status = P2C2R_RESULT_CORRECTED,
        .task = item->task,
        .tag = item->version,
        .tier = P2C2R_TIER_NONE,
        .bytes = {bytes.data, bytes.size},
    };
    run->game.on_result(run->self, &result);
}

static void run_state(struct p2_game_run *run, const struct p2_frame_in *in,
                      const struct p2c2r_frame *frame)
{
    run->frame = in->frame;
    run->phase = P2_GAME_STATE;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct p2_in_item *item = &in->items[i];
        struct p2_span bytes = p2_frame_in_bytes(in, item);
        if (item->kind == P2_IN_JOIN) {
            join(run, item, bytes);
        } else if (item->kind == P2_IN_LEAVE) {
            leave(run, item->player);
        } else if (item->kind == P2_IN_CONSOLE) {
            console(run, item, bytes);
        } else if (item->kind == P2_IN_INPUT && run->seats[item->player].is_taken) {
            run->game.input(run->self, item->player, item->sequence,
                            (struct p2c2r_bytes){bytes.data, bytes.size});
        }
    }
    run->phase = P2_GAME_TICK;
    run->game.tick(run->self, frame);
    run->phase = P2_GAME_STATE;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct p2_in_item *item = &in->items[i];
        if (item->kind == P2_IN_RESULT) {
            deliver(run, item, p2_frame_in_bytes(in, item), false);
        } else if (item->kind == P2_IN_CORRECTED) {
            correct(run, item, p2_frame_in_bytes(in, item));
        }
    }
    run->game.commit(run->self, frame);
    run->phase = P2_GAME_OUTSIDE;
}

/* ---- the VIEW half ----------------------------------------------------------------------------- */

static struct p2_game_seat *viewer(void *ctx)
{
    struct p2_game_run *run = ctx;
    return &run->seats[run->viewer];
}

static void view_delta(void *ctx, uint32_t kind, uint32_t key, const void *data, size_t size)
{
    const struct p2_game_run *run = ctx;
    (void)p2_gamer_scene_delta(&viewer(ctx)->scene, run->frame, kind, key, p2_span(data, size));
}

static void view_camera(void *ctx, const void *data, size_t size)
{
    (void)p2_gamer_scene_camera(&viewer(ctx)->scene,
                                p2_span(data, size)); /* refusals are counted */
}

static void view_tile(void *ctx, uint32_t index, uint32_t tier, uint32_t age, const uint8_t *pixels)
{
    const struct p2_game_run *run = ctx;
    if (viewer(ctx)->width > 0) {
        (void)p2_gamer_scene_tile(&viewer(ctx)->scene, run->frame, index, tier, age,
                                  p2_span(pixels, P2_GAME_TILE_WIDTH * P2_GAME_TILE_HEIGHT));
    }
}

static void look(struct p2_game_run *run, const struct p2_in_item *item)
{
    struct p2_game_seat *seat = &run->seats[item->player];
    if (!seat->has_scene) {
        if (p2_gamer_scene_open(&seat->scene, pack, run) != P2_OK) {
            return; /* no memory: this client gets no frames, and says so */
        }
        seat->has_scene = true;
    }
    if (!seat->is_looked) {
        p2_gamer_scene_attach(&seat->scene);
    }
    if (seat->width != item->width || seat->height != item->height) {
        p2_gamer_scene_clear(&seat->scene);
    }
    seat->is_looked = true;
    seat->width = item->width;
    seat->height = item->height;
}

/* Clients come, go and acknowledge. Acknowledgements of frames that are too old, or were never sent,
 * change nothing. */
static void hear_clients(struct p2_game_run *run, const struct p2_frame_in *in)
{
    for (uint32_t i = 0; i < in->count; i++) {
        const struct p2_in_item *item = &in->items[i];
        struct p2_game_seat *seat = &run->seats[item->player % P2C2R_PLAYERS_MAX];
        if (item->kind == P2_IN_LOOK) {
            look(run, item);
        } else if (item->kind == P2_IN_AWAY && seat->has_scene) {
            p2_gamer_scene_detach(&seat->scene);
            seat->is_looked = false;
        } else if (item->kind == P2_IN_LEAVE && seat->has_scene) {
            p2_gamer_scene_detach(&seat->scene);
            p2_gamer_scene_clear(&seat->scene);
            seat->is_looked = false;
        } else if (item->kind == P2_IN_ACK && seat->has_scene) {
            (void)p2_gamer_scene_ack(&seat->scene, item->task, item->version);
        }
    }
}

static void run_view(struct p2_game_run *run, const struct p2_frame_in *in,
                     const struct p2c2r_frame *frame)
{
    run->phase = P2_GAME_VIEW;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct p2_in_item *item = &in->items[i];
        if (item->kind == P2_IN_VIEW_RESULT) {
            deliver(run, item, p2_frame_in_bytes(in, item), true);
        }
    }
    for (uint32_t i = 0; i < run->game.players_max; i++) {
        struct p2_game_seat *seat = &run->seats[i];
        if (!seat->is_taken || !seat->is_looked) {
            continue;
        }
        const struct p2c2r_view_writer writer = {
            .size = sizeof writer,
            .ctx = run,
            .picture_width = seat->width,
            .picture_height = seat->height,
            .tile_width = P2_GAME_TILE_WIDTH,
            .tile_height = P2_GAME_TILE_HEIGHT,
            .delta = view_delta,
            .camera = view_camera,
            .tile = view_tile,
        };
        run->viewer = i;
        run->game.view(run->self, i, frame, &writer);
    }
    run->phase = P2_GAME_OUTSIDE;
}

static void encode_frames(struct p2_game_run *run, const struct p2_frame_in *in)
{
    struct p2_gamer_frame frame = {
        .frame = in->frame,
        .depth = in->depth,
        .reason = in->record.reason,
        .compute_us = in->record.compute_us,
        .merge_us = in->record.merge_us,
    };
    memcpy(frame.tiers, in->record.tiers, sizeof frame.tiers);
    for (uint8_t i = 0; i < run->game.players_max; i++) {
        struct p2_game_seat *seat = &run->seats[i];
        struct p2_out_item item = {.kind = P2_OUT_FRAME, .player = i};
        size_t size = 0;
        if (!seat->is_taken || !seat->is_looked) {
            continue;
        }
        frame.applied_input = in->applied[i];
        frame.durable_input = in->durable[i];
        frame.queue_us = in->queue_us[i];
        uint32_t cut = seat->scene.cut;
        size_t offset = run->out->bytes.size;
        int error = p2_gamer_scene_encode(&seat->scene, &frame, &run->out->bytes, &size);
        if (error == P2_OK && size > 0 &&
            p2_frame_out_add(run->out, &item, p2_span(NULL, 0)) == P2_OK) {
            run->out->items[run->out->count - 1].offset = offset;
            run->out->items[run->out->count - 1].size = size;
        }
        run->out->cut += seat->scene.cut - cut;
    }
}

/* ---- a frame ----------------------------------------------------------------------------------- */

/* CPU time of this thread: what others do to the machine is not the game's fault. */
static uint64_t cpu_us(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* always there on Linux */
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_nsec / 1000u;
}

/* The next item that is no line of log, whose number is limited per second. */
static const struct p2_out_item *next_item(const struct p2_frame_out *out, uint32_t *at)
{
    while (*at < out->count && out->items[*at].kind == P2_OUT_LOG) {
        (*at)++;
    }
    return *at < out->count ? &out->items[(*at)++] : NULL;
}

/* Did the frame in the shadow ask for the same? */
static bool is_same_out(const struct p2_frame_out *a, const struct p2_frame_out *b)
{
    uint32_t at_a = 0;
    uint32_t at_b = 0;
    for (;;) {
        const struct p2_out_item *one = next_item(a, &at_a);
        const struct p2_out_item *other = next_item(b, &at_b);
        if (one == NULL || other == NULL) {
            return one == other;
        }
        if (one->kind != other->kind || one->task != other->task ||
            !p2_span_equal(p2_frame_out_bytes(a, one), p2_frame_out_bytes(b, other))) {
            return false;
        }
    }
}

/* The same frame again, from the state before it as bytes. True when it comes to the same. */
static bool run_again(struct p2_game_run *run, const struct p2_frame_in *in,
                      const struct p2c2r_frame *frame)
{
    struct p2_game_run *shadow = run->shadow;
    p2_frame_out_clear(&run->shadow_out);
    p2_buf_clear(&run->after_host);
    p2_buf_clear(&run->after_world);
    p2_buf_clear(&run->other_host);
    p2_buf_clear(&run->other_world);
    if (p2_game_run_restore(shadow, run->game.schema, p2_buf_span(&run->before_host),
                            p2_buf_span(&run->before_world), &run->shadow_out) != P2_OK) {
        return false;
    }
    p2_frame_out_clear(&run->shadow_out);
    shadow->out = &run->shadow_out;
    run_state(shadow, in, frame);
    return p2_game_run_state(run, &run->after_host, &run->after_world) == P2_OK &&
           p2_game_run_state(shadow, &run->other_host, &run->other_world) == P2_OK &&
           p2_span_equal(p2_buf_span(&run->after_host), p2_buf_span(&run->other_host)) &&
           p2_span_equal(p2_buf_span(&run->after_world), p2_buf_span(&run->other_world)) &&
           is_same_out(run->out, &run->shadow_out);
}

static void add_state(struct p2_game_run *run, const struct p2_frame_in *in)
{
    if (p2_game_run_state(run, &run->out->host, &run->out->world) == P2_OK) {
        run->out->hash =
            p2_game_run_hash(p2_buf_span(&run->out->host), p2_buf_span(&run->out->world));
    }
    if (!in->wants_state) {
        p2_buf_clear(&run->out->host);
        p2_buf_clear(&run->out->world);
    }
}

void p2_game_run_frame(struct p2_game_run *run, const struct p2_frame_in *in,
                       struct p2_frame_out *out)
{
    const struct p2c2r_frame frame = {
        .size = sizeof frame, .depth = in->depth, .number = in->frame, .quality = in->quality};
    p2_frame_out_clear(out);
    out->frame = in->frame;
    run->out = out;
    if (run->shadow != NULL) {
        p2_buf_clear(&run->before_host);
        p2_buf_clear(&run->before_world);
        out->is_out_of_sync =
            p2_game_run_state(run, &run->before_host, &run->before_world) != P2_OK;
    }
    uint64_t start_us = cpu_us();
    run_state(run, in, &frame);
    uint64_t state_us = cpu_us() - start_us;
    if (run->shadow != NULL && !run_again(run, in, &frame)) {
        out->is_out_of_sync = true;
    }
    start_us = cpu_us();
    if (run->options.is_viewed) {
        hear_clients(run, in);
        run_view(run, in, &frame);
    }
    out->game_us = (uint32_t)(state_us + cpu_us() - start_us);
    start_us = cpu_us();
    if (run->options.is_viewed) {
        encode_frames(run, in);
    }
    out->frames_us = (uint32_t)(cpu_us() - start_us);
    if (in->wants_hash || in->wants_state) {
        add_state(run, in);
    }
    run->out = NULL;
}

/* ---- the state as bytes ------------------------------------------------------------------------ */

struct put {
    struct p2_buf *buf;
    int error;
};

static void put_bytes(void *ctx, const void *data, size_t size)
{
    struct put *put = ctx;
    if (put->error == P2_OK) {
        put->error = p2_buf_append(put->buf, p2_span(data, size));
    }
}

/* Never called: has_last is false. */
static void put_same(void *ctx, size_t size)
{
    (void)size;
    ((struct put *)ctx)->error = P2_E_STATE;
}

static int put_host(struct p2_game_run *run, struct p2_buf *host)
{
    uint8_t bytes[4 + 8 + P2_GAME_STREAMS * 8 + P2C2R_PLAYERS_MAX + 1];
    struct p2_writer writer;
    p2_writer_init(&writer, bytes, sizeof bytes);
    p2_writer_u32(&writer, HOST_VERSION);
    p2_writer_u64(&writer, run->frame);
    p2_writer_u8(&writer, run->is_ended ? 1 : 0);
    for (size_t i = 0; i < P2_GAME_STREAMS; i++) {
        p2_writer_u64(&writer, run->streams[i].drawn);
    }
    for (size_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        p2_writer_u8(&writer, run->seats[i].is_taken ? 1 : 0);
    }
    int error = p2_buf_append(host, p2_writer_span(&writer));
    return error == P2_OK ? p2_game_tasks_write(&run->state_tasks, host) : error;
}

int p2_game_run_state(struct p2_game_run *run, struct p2_buf *host, struct p2_buf *world)
{
    struct put put = {world, P2_OK};
    const struct p2c2r_writer writer = {
        .size = sizeof writer, .ctx = &put, .put = put_bytes, .same = put_same};
    int error = put_host(run, host);
    if (error == P2_OK) {
        run->game.snapshot(run->self, &writer);
    }
    return error == P2_OK ? put.error : error;
}

uint64_t p2_game_run_hash(struct p2_span host, struct p2_span world)
{
    uint8_t size[8];
    uint8_t digest[16];
    p2_store_be64(size, host.size);
    const struct p2_span parts[] = {p2_span(size, sizeof size), host, world};
    p2_hash(digest, sizeof digest, parts, P2_COUNT_OF(parts));
    return p2_load_be64(digest);
}

static int get_host(struct p2_game_run *run, struct p2_span host)
{
    struct p2_reader reader;
    p2_reader_init(&reader, host);
    if (p2_reader_u32(&reader) != HOST_VERSION) {
        return P2_E_CORRUPT;
    }
    run->frame = p2_reader_u64(&reader);
    run->is_ended = p2_reader_u8(&reader) != 0;
    for (uint32_t i = 0; i < P2_GAME_STREAMS; i++) {
        p2_game_stream_seek(run, i, p2_reader_u64(&reader));
    }
    for (size_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        run->seats[i].is_taken = p2_reader_u8(&reader) != 0;
    }
    int error =
        reader.error == P2_OK ? p2_game_tasks_read(&run->state_tasks, &reader) : P2_E_CORRUPT;
    return error == P2_OK && p2_reader_end(&reader) == P2_OK ? P2_OK : P2_E_CORRUPT;
}

/* The VIEW half starts empty. */
static void forget_view(struct p2_game_run *run)
{
    while (run->view_tasks.count > 0) {
        struct p2_game_task task;
        uint64_t id = run->view_tasks.items[run->view_tasks.count - 1].id;
        const struct p2_out_item item = {.kind = P2_OUT_CANCEL, .task = id};
        (void)p2_game_tasks_take(&run->view_tasks, id, &task);     /* it is there */
        (void)p2_frame_out_add(run->out, &item, p2_span(NULL, 0)); /* else dropped when it comes */
    }
}

int p2_game_run_restore(struct p2_game_run *run, uint32_t schema, struct p2_span host,
                        struct p2_span world, struct p2_frame_out *out)
{
    if (run->game.restore == NULL) {
        return P2_E_UNSUPPORTED;
    }
    int error = get_host(run, host);
    if (error != P2_OK) {
        return error;
    }
    run->out = out;
    run->phase = P2_GAME_INIT;
    int refusal =
        run->game.restore(run->self, schema, (struct p2c2r_bytes){world.data, world.size});
    run->phase = P2_GAME_OUTSIDE;
    forget_view(run);
    run->out = NULL;
    return refusal == 0 ? P2_OK : P2_E_CORRUPT;
}

/* Contents of the old game are taken back: the new one announces its own. */
static void forget_contents(struct p2_game_run *run, struct p2_frame_out *out)
{
    for (uint32_t i = 0; i < run->content_count; i++) {
        const struct p2_out_item item = {.kind = P2_OUT_CONTENT_REMOVE,
                                         .task = run->contents[i].key};
        if (run->contents[i].key != 0) {
            (void)p2_frame_out_add(out, &item, p2_span(NULL, 0)); /* else kept until the end */
        }
    }
    run->content_count = 0;
}

int p2_game_run_swap(struct p2_game_run *run, struct p2_game_module *module,
                     struct p2_frame_out *out, struct p2_failure *failure,
                     struct p2_game_module **ret_old)
{
    struct p2_game_run_options options = run->options;
    struct p2_game_run *fresh = NULL;
    struct p2_frame_out said;
    p2_frame_out_init(&said);
    options.module = module;
    options.is_synctest = false;
    p2_buf_clear(&run->before_host);
    p2_buf_clear(&run->before_world);
    int error = p2_game_run_state(run, &run->before_host, &run->before_world);
    if (error == P2_OK) {
        error = p2_game_run_open(&options, &said, failure, &fresh);
    } else {
        (void)p2_fail(failure, error, "the state cannot be written: %s", p2_error_text(error));
    }
    if (error == P2_OK && strcmp(fresh->game.name, run->game.name) != 0) {
        error = p2_fail(failure, P2_E_UNSUPPORTED, "%s is another game than %s", fresh->game.name,
                        run->game.name);
    }
    if (error == P2_OK) {
        error = p2_game_run_restore(fresh, run->game.schema, p2_buf_span(&run->before_host),
                                    p2_buf_span(&run->before_world), &said);
        if (error != P2_OK) {
            (void)p2_fail(failure, error, "the new %s refuses the state of the old one: %s",
                          fresh->game.name, p2_error_text(error));
        }
    }
    if (error != P2_OK) {
        p2_game_run_close(fresh);
        p2_frame_out_free(&said);
        return error;
    }
    /* The runs change places: `run` keeps its address, seats and ids of VIEW tasks. */
    forget_contents(run, out);
    run->out = out;
    forget_view(run);
    run->out = NULL;
    for (uint32_t i = 0; i < said.count; i++) {
        (void)p2_frame_out_add(out, &said.items[i], p2_frame_out_bytes(&said, &said.items[i]));
    }
    p2_game_run_close(run->shadow); /* it runs the old module's code */
    run->shadow = NULL;
    run->game.shutdown(run->self);
    *ret_old = run->options.module;
    run->options.module = module;
    run->game = fresh->game;
    run->self = fresh->self;
    fresh->self = NULL;
    struct p2_game_binding *binding = run->binding;
    run->binding = fresh->binding;
    run->binding->run = run;
    fresh->binding = binding;
    memcpy(run->contents, fresh->contents, sizeof run->contents);
    run->content_count = fresh->content_count;
    p2_game_run_close(fresh);
    p2_frame_out_free(&said);
    if (run->options.is_synctest) {
        (void)open_shadow(run, failure); /* without memory the second run is over */
    }
    return P2_OK;
}
