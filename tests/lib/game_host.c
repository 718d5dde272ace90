/* The contract of game modules, kept by one thread and the kernels themselves. */
#include "tests/lib/game_host.h"

#include "base/error.h"
#include "kernels/pack.h"
#include "kernels/registry.h"

#include <stdlib.h>
#include <string.h>

#define TASKS_MAX 4096u
#define STREAMS   16u
#define AGAIN     20u /* frames until a result comes a second time */

struct task {
    uint64_t id, tag, frame, due;
    const struct p2c2r_kernel *kernel;
    uint32_t player;
    uint8_t *input; /* owned */
    size_t input_size;
    uint64_t contents[P2C2R_BLOBS_MAX];
    uint32_t content_count;
    bool is_state, is_again;
};

struct queue {
    struct task tasks[TASKS_MAX];
    uint32_t count;
};

struct p2_game_host {
    struct p2c2r_host host;
    struct p2c2r_game game;
    void *self;
    const struct p2_game_settings *settings;
    struct p2_kernel_random streams[STREAMS], kept_streams[STREAMS];
    uint64_t frame, kept_frame, next_id, kept_id, submitted;
    struct queue *queue, *kept;
    struct p2c2r_content contents[P2_GAME_HOST_CONTENTS];
    uint32_t content_count;
    struct p2_game_kernel_count counts[P2_GAME_HOST_KERNELS];
    struct p2_game_screen *screens; /* screens[players] */
    uint8_t *output, *arena;
    struct p2_buf snapshots[2];
    struct p2_buf last; /* the last snapshot, for `same` */
    bool is_over, is_state_half;
    uint32_t player; /* whose view it is */
    void (*watch)(void *context, bool is_inside);
    void *watch_context;
};

static void enter(struct p2_game_host *host, bool is_inside)
{
    if (host->watch != NULL) {
        host->watch(host->watch_context, is_inside);
    }
}

/* ---- services -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return hash;
}

static const struct p2c2r_content *find_content(const struct p2_game_host *host, uint64_t key)
{
    for (uint32_t i = 0; i < host->content_count; i++) {
        if (host->contents[i].key == key) {
            return &host->contents[i];
        }
    }
    return NULL;
}

static uint64_t due_frame(const struct p2_game_host *host, const struct p2c2r_task *order)
{
    return host->frame +
           (order->task_class == P2C2R_CLASS_FRAME ? host->settings->depth : order->slack);
}

static int submit(void *ctx, const struct p2c2r_task *order, uint64_t *ret_task)
{
    struct p2_game_host *host = ctx;
    const struct p2c2r_kernel *kernel = p2_kernel_find(order->kernel);
    if (kernel == NULL || host->queue->count == TASKS_MAX ||
        order->input.size > kernel->input_max || order->content_count > kernel->blobs_max ||
        (kernel->kind == P2C2R_KERNEL_STATE) != host->is_state_half ||
        (!host->is_state_half && order->player != host->player)) {
        return P2_E_INVALID;
    }
    struct task *task = &host->queue->tasks[host->queue->count];
    *task = (struct task){.id = ++host->next_id,
                          .tag = order->tag,
                          .frame = host->frame,
                          .due = due_frame(host, order),
                          .kernel = kernel,
                          .player = order->player,
                          .input = malloc(order->input.size + 1),
                          .input_size = order->input.size,
                          .content_count = order->content_count,
                          .is_state = host->is_state_half};
    P2_ASSERT(task->input != NULL);
    memcpy(task->input, order->input.data, order->input.size);
    for (uint32_t i = 0; i < order->content_count; i++) {
        if (find_content(host, order->contents[i]) == NULL) {
            free(task->input);
            return P2_E_NOENT;
        }
        task->contents[i] = order->contents[i];
    }
    host->queue->count++;
    host->submitted = mix(host->submitted, order->input.data, order->input.size);
    host->submitted = mix(host->submitted, &order->tag, sizeof order->tag);
    *ret_task = task->id;
    return 0;
}

static void drop_task(struct p2_game_host *host, uint32_t at)
{
    free(host->queue->tasks[at].input);
    memmove(&host->queue->tasks[at], &host->queue->tasks[at + 1],
            (host->queue->count - at - 1) * sizeof(struct task));
    host->queue->count--;
}

static void cancel(void *ctx, uint64_t id)
{
    struct p2_game_host *host = ctx;
    for (uint32_t i = 0; i < host->queue->count; i++) {
        if (host->queue->tasks[i].id == id) {
            drop_task(host, i);
            return;
        }
    }
}

static void invalidate(void *ctx, uint64_t tag)
{
    struct p2_game_host *host = ctx;
    for (uint32_t i = host->queue->count; i-- > 0;) {
        if (host->queue->tasks[i].tag == tag &&
            host->queue->tasks[i].is_state == host->is_state_half) {
            drop_task(host, i);
        }
    }
}

static int content_put(void *ctx, const struct p2c2r_content *content)
{
    struct p2_game_host *host = ctx;
    if (content->key == 0 || host->content_count == P2_GAME_HOST_CONTENTS ||
        find_content(host, content->key) != NULL) {
        return P2_E_EXIST;
    }
    host->contents[host->content_count++] = *content;
    return 0;
}

static void content_remove(void *ctx, uint64_t key)
{
    struct p2_game_host *host = ctx;
    for (uint32_t i = 0; i < host->content_count; i++) {
        if (host->contents[i].key == key) {
            host->contents[i] = host->contents[--host->content_count];
            return;
        }
    }
}

static uint64_t draw(void *ctx, uint32_t stream)
{
    struct p2_game_host *host = ctx;
    P2_ASSERT(host->is_state_half && stream < STREAMS);
    return p2_kernel_random_u64(&host->streams[stream]);
}

static void log_line(void *ctx, int level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void end(void *ctx, const char *why)
{
    struct p2_game_host *host = ctx;
    (void)why;
    P2_ASSERT(host->is_state_half);
    host->is_over = true;
}

/* ---- results --------------------------------------------------------------------------------- */

static struct p2_game_kernel_count *count_of(struct p2_game_host *host,
                                             const struct p2c2r_kernel *kernel)
{
    for (unsigned i = 0; i < P2_GAME_HOST_KERNELS; i++) {
        if (host->counts[i].name == NULL) {
            host->counts[i].name = kernel->name;
        }
        if (host->counts[i].name == kernel->name) {
            return &host->counts[i];
        }
    }
    abort(); /* more kernels than the table has */
}

static bool is_dropped(const struct p2_game_host *host, const struct task *task)
{
    struct p2_kernel_random random = p2_kernel_random_start(host->settings->seed + 77, task->id);
    return p2_kernel_random_below(&random, 100) < host->settings->drop_percent;
}

static void run_task(struct p2_game_host *host, const struct task *task,
                     struct p2c2r_result *result)
{
    struct p2_game_kernel_count *count = count_of(host, task->kernel);
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX];
    size_t size = 0;
    count->tasks++;
    count->input_bytes += task->input_size;
    result->status = P2C2R_RESULT_DEGRADED;
    for (uint32_t i = 0; i < task->content_count; i++) {
        const struct p2c2r_content *content = find_content(host, task->contents[i]);
        if (content == NULL) {
            count->degraded++;
            return;
        }
        blobs[i] = content->bytes;
    }
    if (is_dropped(host, task)) {
        count->degraded++;
        return;
    }
    const struct p2c2r_bytes input = {task->input, task->input_size};
    const struct p2c2r_kernel_args args = {.input = input,
                                           .blobs = blobs,
                                           .blob_count = task->content_count,
                                           .output = host->output,
                                           .output_capacity = P2C2R_OUTPUT_MAX,
                                           .arena = host->arena,
                                           .arena_size = task->kernel->arena_bytes};
    count->units += task->kernel->cost(input, blobs, task->content_count);
    if (task->kernel->run(&args, &size) != P2C2R_KERNEL_OK) {
        result->status = P2C2R_RESULT_BAD_INPUT;
        count->bad_input++;
        return;
    }
    count->output_bytes += size;
    result->status = task->is_again ? P2C2R_RESULT_CORRECTED : P2C2R_RESULT_OK;
    result->bytes = (struct p2c2r_bytes){host->output, size};
}

/* Some STATE results come again later, as corrections that change nothing. */
static void send_again(struct p2_game_host *host, const struct task *task)
{
    struct p2_kernel_random random = p2_kernel_random_start(host->settings->seed + 78, task->id);
    if (task->is_again || host->queue->count == TASKS_MAX ||
        p2_kernel_random_below(&random, 100) >= host->settings->again_percent) {
        return;
    }
    struct task *again = &host->queue->tasks[host->queue->count++];
    *again = *task;
    again->due = host->frame + AGAIN;
    again->is_again = true;
    again->input = malloc(task->input_size + 1);
    P2_ASSERT(again->input != NULL);
    memcpy(again->input, task->input, task->input_size);
}

/* The queue is in the order of ids but for corrections; picks the lowest id that is due. */
static bool next_due(const struct p2_game_host *host, bool is_state, uint32_t *ret_at)
{
    bool is_found = false;
    for (uint32_t i = 0; i < host->queue->count; i++) {
        const struct task *task = &host->queue->tasks[i];
        if (task->is_state == is_state && task->due <= host->frame &&
            (!is_found || task->id < host->queue->tasks[*ret_at].id)) {
            *ret_at = i;
            is_found = true;
        }
    }
    return is_found;
}

static void deliver(struct p2_game_host *host, bool is_state)
{
    uint32_t at = 0;
    while (next_due(host, is_state, &at)) {
        const struct task task = host->queue->tasks[at];
        struct p2c2r_result result = {.size = sizeof result,
                                      .task = task.id,
                                      .tag = task.tag,
                                      .frame = task.frame,
                                      .player = task.player,
                                      .tier = is_state ? P2C2R_TIER_NONE : P2C2R_TIER_LOCAL};
        run_task(host, &task, &result);
        host->queue->tasks[at].input = NULL;
        drop_task(host, at);
        enter(host, true);
        if (is_state) {
            host->game.on_result(host->self, &result);
        } else {
            host->game.on_view_result(host->self, &result);
        }
        enter(host, false);
        if (is_state && result.status == P2C2R_RESULT_OK) {
            send_again(host, &task);
        }
        free(task.input);
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

static struct p2c2r_frame frame_of(const struct p2_game_host *host)
{
    return (struct p2c2r_frame){.size = sizeof(struct p2c2r_frame),
                                .depth = host->settings->depth,
                                .number = host->frame,
                                .quality = host->settings->quality};
}

void p2_game_host_state(struct p2_game_host *host, const struct p2c2r_pad *pads)
{
    host->frame++;
    host->is_state_half = true;
    host->submitted = host->frame;
    const struct p2c2r_frame frame = frame_of(host);
    enter(host, true);
    for (uint32_t i = 0; pads != NULL && i < host->settings->players; i++) {
        uint8_t bytes[P2C2R_PAD_BYTES];
        const size_t size = p2c2r_pad_write(bytes, sizeof bytes, &pads[i]);
        host->game.input(host->self, i, (uint32_t)host->frame, (struct p2c2r_bytes){bytes, size});
    }
    host->game.tick(host->self, &frame);
    enter(host, false);
    deliver(host, true);
    enter(host, true);
    host->game.commit(host->self, &frame);
    enter(host, false);
}

static void take_delta(void *ctx, uint32_t kind, uint32_t key, const void *data, size_t size)
{
    struct p2_game_host *host = ctx;
    struct p2_game_screen *screen = &host->screens[host->player];
    const struct p2c2r_bytes bytes = {data, size};
    enter(host, false); /* the bookkeeping is not the game's time */
    static uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS];
    struct p2c2r_scene_lamp lamps[P2C2R_SCENE_LAMPS];
    struct p2c2r_scene_event events[P2C2R_SCENE_EVENTS_COUNT];
    struct p2c2r_scene_sky sky;
    uint32_t count = 0, first;
    bool is_fine = false;
    screen->deltas++;
    screen->delta_bytes += size;
    screen->frame_hash = mix(screen->frame_hash, &kind, sizeof kind);
    screen->frame_hash = mix(screen->frame_hash, &key, sizeof key);
    screen->frame_hash = mix(screen->frame_hash, data, size);
    if (kind == P2C2R_SCENE_CHUNK && key >= P2C2R_SCENE_BUNDLE_KEY) {
        struct p2c2r_bytes packed;
        screen->bundles++;
        is_fine = p2c2r_scene_bundle_open(bytes, &packed, &count);
    } else if (kind == P2C2R_SCENE_CHUNK) {
        screen->chunk_deltas++;
        is_fine = p2c2r_scene_chunk_read(bytes, voxels);
    } else if (kind == P2C2R_SCENE_ENTITIES && key < P2C2R_SCENE_PAGES) {
        is_fine = p2c2r_scene_entities_read(bytes, screen->pages[key], &screen->counts[key]);
    } else if (kind == P2C2R_SCENE_LIGHTS) {
        is_fine = key == 0 ? p2c2r_scene_sky_read(bytes, &sky)
                           : p2c2r_scene_lamps_read(bytes, lamps, &count);
    } else if (kind == P2C2R_SCENE_TEXT && key < P2C2R_SCENE_TEXTS) {
        is_fine = p2c2r_scene_text_read(bytes, &screen->texts[key]);
    } else if (kind == P2C2R_SCENE_EVENTS && key == 0) {
        is_fine = p2c2r_scene_events_read(bytes, &first, events, &count);
    }
    screen->malformed += !is_fine || size > 65536;
    enter(host, true);
}

static void take_camera(void *ctx, const void *data, size_t size)
{
    struct p2_game_host *host = ctx;
    struct p2_game_screen *screen = &host->screens[host->player];
    screen->frame_hash = mix(screen->frame_hash, data, size);
    screen->malformed +=
        !p2c2r_scene_camera_read((struct p2c2r_bytes){data, size}, &screen->camera);
}

static void take_tile(void *ctx, uint32_t index, uint32_t tier, uint32_t age, const uint8_t *pixels)
{
    struct p2_game_host *host = ctx;
    struct p2_game_screen *screen = &host->screens[host->player];
    const uint32_t columns = (host->settings->width + 63) / 64;
    const uint32_t x = index % columns * 64, y = index / columns * 60;
    (void)tier;
    enter(host, false);
    screen->tiles++;
    screen->frame_hash = mix(screen->frame_hash, &index, sizeof index);
    screen->frame_hash = mix(screen->frame_hash, &age, sizeof age);
    screen->frame_hash = mix(screen->frame_hash, pixels, 64u * 60u);
    for (uint32_t row = 0; row < 60 && y + row < host->settings->height; row++) {
        const uint32_t wide = host->settings->width - x < 64 ? host->settings->width - x : 64;
        memcpy(screen->pixels + (size_t)(y + row) * host->settings->width + x,
               pixels + (size_t)row * 64, wide);
    }
    enter(host, true);
}

void p2_game_host_views(struct p2_game_host *host)
{
    const struct p2c2r_frame frame = frame_of(host);
    host->is_state_half = false;
    deliver(host, false);
    for (uint32_t i = 0; i < host->settings->players; i++) {
        const struct p2c2r_view_writer writer = {.size = sizeof writer,
                                                 .ctx = host,
                                                 .picture_width = host->settings->width,
                                                 .picture_height = host->settings->height,
                                                 .tile_width = 64,
                                                 .tile_height = 60,
                                                 .delta = take_delta,
                                                 .camera = take_camera,
                                                 .tile = take_tile};
        host->player = i;
        host->screens[i].frame_hash = host->frame;
        enter(host, true);
        host->game.view(host->self, i, &frame, &writer);
        enter(host, false);
    }
}

void p2_game_host_view_with(struct p2_game_host *host, const struct p2c2r_view_writer *writer,
                            const struct p2c2r_frame *frame)
{
    host->is_state_half = false;
    host->player = 0;
    deliver(host, false);
    host->game.view(host->self, 0, frame, writer);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static void put(void *ctx, const void *data, size_t size)
{
    struct p2_buf *buf = ctx;
    P2_ASSERT(p2_buf_append(buf, p2_span(data, size)) == 0);
}

struct incremental {
    struct p2_buf *buf;
    const struct p2_buf *last;
};

static void put_again(void *ctx, const void *data, size_t size)
{
    struct incremental *incremental = ctx;
    put(incremental->buf, data, size);
}

static void same(void *ctx, size_t size)
{
    struct incremental *incremental = ctx;
    P2_ASSERT(incremental->buf->size + size <= incremental->last->size);
    put(incremental->buf, incremental->last->data + incremental->buf->size, size);
}

static void never_same(void *ctx, size_t size)
{
    (void)ctx;
    P2_ASSERT(size == 0); /* has_last was false */
}

struct p2_span p2_game_host_snapshot(struct p2_game_host *host, unsigned which, bool is_full)
{
    struct p2_buf *buf = &host->snapshots[which];
    struct incremental incremental = {buf, &host->last};
    const struct p2c2r_writer full = {sizeof full, false, buf, put, never_same};
    const struct p2c2r_writer part = {sizeof part, host->last.size > 0, &incremental, put_again,
                                      same};
    p2_buf_clear(buf);
    host->game.snapshot(host->self, is_full || host->last.size == 0 ? &full : &part);
    p2_buf_clear(&host->last);
    P2_ASSERT(p2_buf_append(&host->last, p2_buf_span(buf)) == 0);
    return p2_buf_span(buf);
}

static void free_queue(struct queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        free(queue->tasks[i].input);
    }
    queue->count = 0;
}

static void copy_queue(struct queue *to, const struct queue *from)
{
    free_queue(to);
    for (uint32_t i = 0; i < from->count; i++) {
        to->tasks[i] = from->tasks[i];
        to->tasks[i].input = malloc(from->tasks[i].input_size + 1);
        P2_ASSERT(to->tasks[i].input != NULL);
        memcpy(to->tasks[i].input, from->tasks[i].input, from->tasks[i].input_size);
    }
    to->count = from->count;
}

void p2_game_host_keep(struct p2_game_host *host)
{
    copy_queue(host->kept, host->queue);
    memcpy(host->kept_streams, host->streams, sizeof host->streams);
    host->kept_frame = host->frame;
    host->kept_id = host->next_id;
}

bool p2_game_host_back(struct p2_game_host *host, struct p2_span state)
{
    copy_queue(host->queue, host->kept);
    for (uint32_t i = host->queue->count; i-- > 0;) { /* the VIEW half starts empty */
        if (!host->queue->tasks[i].is_state) {
            drop_task(host, i);
        }
    }
    memcpy(host->streams, host->kept_streams, sizeof host->streams);
    host->frame = host->kept_frame;
    host->next_id = host->kept_id;
    p2_buf_clear(&host->last);
    return host->game.restore(host->self, host->game.schema,
                              (struct p2c2r_bytes){state.data, state.size}) == 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int start_game(struct p2_game_host *host, p2_game_entry *entry)
{
    host->host = (struct p2c2r_host){.size = sizeof host->host,
                                     .abi = P2C2R_GAME_ABI,
                                     .ctx = host,
                                     .submit = submit,
                                     .cancel = cancel,
                                     .invalidate = invalidate,
                                     .content_put = content_put,
                                     .content_remove = content_remove,
                                     .random = draw,
                                     .log = log_line,
                                     .end = end};
    host->game.size = sizeof host->game;
    for (uint32_t i = 0; i < STREAMS; i++) {
        host->streams[i] = p2_kernel_random_start(host->settings->seed, i);
    }
    host->is_state_half = true;
    if (entry(&host->host, &host->game) != 0 || host->game.players_max < host->settings->players ||
        host->game.init(&host->host, host->settings->seed, host->settings->options, &host->self) !=
            0) {
        host->self = NULL;
        return P2_E_STATE;
    }
    for (uint32_t i = 0; i < host->settings->players; i++) {
        char why[P2C2R_GAME_WHY_MAX] = "", name[] = "bot-0";
        name[4] = (char)('0' + i);
        if (host->game.join(host->self, i, name, why) != 0) {
            return P2_E_STATE;
        }
    }
    return P2_OK;
}

static bool allocate(struct p2_game_host *host)
{
    size_t arena = 64;
    for (size_t i = 0; i < p2_kernel_count(); i++) {
        const size_t bytes = p2_kernel_at(i)->arena_bytes;
        arena = bytes > arena ? bytes : arena;
    }
    host->queue = calloc(1, sizeof *host->queue);
    host->kept = calloc(1, sizeof *host->kept);
    host->output = malloc(P2C2R_OUTPUT_MAX);
    host->arena = aligned_alloc(64, (arena + 63) & ~(size_t)63);
    host->screens = calloc(P2C2R_PLAYERS_MAX, sizeof *host->screens);
    bool is_fine = host->queue != NULL && host->kept != NULL && host->output != NULL &&
                   host->arena != NULL && host->screens != NULL;
    for (uint32_t i = 0; is_fine && i < host->settings->players; i++) {
        host->screens[i].pixels =
            calloc(1, (size_t)host->settings->width * host->settings->height + 1);
        is_fine = host->screens[i].pixels != NULL;
    }
    return is_fine;
}

int p2_game_host_open(struct p2_game_host **ret_host, p2_game_entry *entry,
                      const struct p2_game_settings *settings)
{
    struct p2_game_host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return P2_E_NOMEM;
    }
    host->settings = settings;
    p2_buf_init(&host->snapshots[0], P2C2R_GAME_WORLD_MAX);
    p2_buf_init(&host->snapshots[1], P2C2R_GAME_WORLD_MAX);
    p2_buf_init(&host->last, P2C2R_GAME_WORLD_MAX);
    int error = allocate(host) ? start_game(host, entry) : P2_E_NOMEM;
    if (error != P2_OK) {
        p2_game_host_close(host);
        return error;
    }
    *ret_host = host;
    return P2_OK;
}

void p2_game_host_close(struct p2_game_host *host)
{
    if (host == NULL) {
        return;
    }
    if (host->self != NULL) {
        host->game.shutdown(host->self);
    }
    if (host->queue != NULL && host->kept != NULL) {
        free_queue(host->queue);
        free_queue(host->kept);
    }
    for (uint32_t i = 0; host->screens != NULL && i < P2C2R_PLAYERS_MAX; i++) {
        free(host->screens[i].pixels);
    }
    p2_buf_free(&host->snapshots[0]);
    p2_buf_free(&host->snapshots[1]);
    p2_buf_free(&host->last);
    free(host->screens);
    free(host->queue);
    free(host->kept);
    free(host->output);
    free(host->arena);
    free(host);
}

uint64_t p2_game_host_frame(const struct p2_game_host *host)
{
    return host->frame;
}

bool p2_game_host_is_over(const struct p2_game_host *host)
{
    return host->is_over;
}

const struct p2c2r_game *p2_game_host_game(const struct p2_game_host *host, void **ret_self)
{
    *ret_self = host->self;
    return &host->game;
}

const struct p2_game_kernel_count *p2_game_host_kernels(const struct p2_game_host *host)
{
    return host->counts;
}

struct p2_game_screen *p2_game_host_screen(struct p2_game_host *host, uint32_t player)
{
    return &host->screens[player];
}

uint64_t p2_game_host_submitted(const struct p2_game_host *host)
{
    return host->submitted;
}

void p2_game_host_watch(struct p2_game_host *host, void (*watch)(void *context, bool is_inside),
                        void *context)
{
    host->watch = watch;
    host->watch_context = context;
}

struct p2c2r_pad p2_game_bot(uint64_t seed, uint32_t player, uint64_t frame)
{
    /* A mood of a second, the same for all its frames. */
    struct p2_kernel_random mood = p2_kernel_random_start(seed + player * 1000003u, frame / 60);
    struct p2c2r_pad pad = {0};
    const uint32_t what = p2_kernel_random_below(&mood, 100);
    const int32_t turn = p2_kernel_random_between(&mood, -220, 220);
    pad.yaw = (uint16_t)((int32_t)(frame * 37 + player * 16000u) + turn * (int32_t)(frame % 60));
    pad.pitch = (int16_t)p2_kernel_random_between(&mood, -6000, 2000);
    pad.forward = what < 70 ? 127 : 0;
    pad.right = (int8_t)(what % 3 == 0 ? 90 : 0);
    pad.slot = (uint8_t)(what % 5);
    pad.buttons =
        (uint8_t)((what % 4 == 0 ? P2C2R_PAD_JUMP : 0) | (what % 2 == 0 ? P2C2R_PAD_FIRST : 0) |
                  (what % 5 == 1 ? P2C2R_PAD_SECOND : 0) | (what % 11 == 3 ? P2C2R_PAD_THIRD : 0));
    return pad;
}
