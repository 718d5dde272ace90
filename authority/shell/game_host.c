/* The services that a game may call (p2c2r/game.h). Every call is checked against the callback it
 * comes from; what is allowed goes into the frame's list. */
#include "authority/shell/game_run_internal.h"

#include <stdlib.h>
#include <string.h>

/* Replicas and weights that a task may ask for: the limits of the core. */
#define WEIGHT_MAX 10u

static struct p2_game_run *run_of(void *ctx)
{
    return ((const struct p2_game_binding *)ctx)->run;
}

static uint32_t find_kernel(const struct p2_game_run *run, const char *name)
{
    uint32_t at = 0;
    while (at < run->options.kernel_count && strcmp(run->options.kernels[at]->name, name) != 0) {
        at++;
    }
    return at;
}

static struct p2_game_content *find_content(struct p2_game_run *run, uint64_t key)
{
    for (uint32_t i = 0; i < run->content_count && key != 0; i++) {
        if (run->contents[i].key == key) {
            return &run->contents[i];
        }
    }
    return NULL;
}

/* What the kernel will cost; 0 when it refuses the input or a content is unknown. */
static uint64_t cost_of(struct p2_game_run *run, const struct p2c2r_kernel *kernel,
                        const struct p2c2r_task *task)
{
    struct p2c2r_bytes blobs[P2C2R_BLOBS_MAX];
    for (uint32_t i = 0; i < task->content_count; i++) {
        const struct p2_game_content *content = find_content(run, task->contents[i]);
        if (content == NULL) {
            return 0;
        }
        blobs[i] = content->bytes;
    }
    return kernel->cost(task->input, blobs, task->content_count);
}

static bool is_sound(const struct p2_game_run *run, const struct p2c2r_kernel *kernel,
                     const struct p2c2r_task *task)
{
    bool is_view = run->phase == P2_GAME_VIEW;
    bool is_frame = task->task_class == P2C2R_CLASS_FRAME;
    return (kernel->kind == P2C2R_KERNEL_VIEW) == is_view &&
           task->task_class >= P2C2R_CLASS_FRAME && task->task_class <= P2C2R_CLASS_LATER &&
           (is_frame || (task->slack >= 1 && task->slack <= P2_SLACK_MAX_FRAMES)) &&
           task->replicas <= P2_TASK_LEASES_MAX && task->weight <= WEIGHT_MAX &&
           task->player < P2C2R_PLAYERS_MAX && task->content_count <= kernel->blobs_max &&
           task->input.size <= kernel->input_max &&
           (task->flags & ~(uint32_t)(P2C2R_TASK_OPTIONAL | P2C2R_TASK_SECRET)) == 0;
}

static int host_submit(void *ctx, const struct p2c2r_task *task, uint64_t *ret_task)
{
    struct p2_game_run *run = run_of(ctx);
    if ((run->phase != P2_GAME_TICK && run->phase != P2_GAME_VIEW) || task->size < sizeof *task ||
        task->kernel == NULL) {
        return P2_E_STATE;
    }
    uint32_t at = find_kernel(run, task->kernel);
    if (at == run->options.kernel_count || (run->options.usable >> at & 1u) == 0) {
        return P2_E_NOENT;
    }
    const struct p2c2r_kernel *kernel = run->options.kernels[at];
    uint64_t cost = is_sound(run, kernel, task) ? cost_of(run, kernel, task) : 0;
    if (cost == 0) {
        return P2_E_INVALID;
    }
    bool is_view = run->phase == P2_GAME_VIEW;
    struct p2_game_tasks *tasks = is_view ? &run->view_tasks : &run->state_tasks;
    struct p2_game_task mine = {.tag = task->tag,
                                .frame = run->frame,
                                .player = task->player,
                                .kernel = at,
                                .bytes = task->input.size + kernel->output_max};
    int error = p2_game_tasks_add(tasks, &mine);
    if (error != P2_OK) {
        return error;
    }
    const struct p2_task_spec spec = {
        .id = mine.id,
        .kernel = (uint8_t)at,
        .class = (enum p2_task_class)task->task_class,
        .flags = (uint8_t)((task->flags & P2C2R_TASK_OPTIONAL ? P2_TASK_OPTIONAL : 0) |
                           (task->flags & P2C2R_TASK_SECRET ? P2_TASK_SECRET : 0) |
                           (is_view ? P2_TASK_VIEW : 0)),
        .replicas = (uint8_t)task->replicas,
        .weight = (uint8_t)task->weight,
        .slack_frames = (uint16_t)task->slack,
        .output_max = (uint32_t)kernel->output_max,
        .cost_units = cost,
        .tag = task->tag,
        .input = p2_span(task->input.data, task->input.size),
        .keys = task->contents,
        .key_count = task->content_count,
    };
    error = p2_frame_out_add_task(run->out, &spec);
    if (error == P2_OK) {
        *ret_task = mine.id;
    } else {
        (void)p2_game_tasks_take(tasks, mine.id, &mine); /* it was added */
    }
    return error;
}

static void add_cancel(struct p2_game_run *run, uint64_t task)
{
    const struct p2_out_item item = {.kind = P2_OUT_CANCEL, .task = task};
    if (p2_frame_out_add(run->out, &item, p2_span(NULL, 0)) != P2_OK) {
        run->out->cut++; /* its result will be dropped when it comes */
    }
}

static struct p2_game_tasks *tasks_of_phase(struct p2_game_run *run)
{
    return run->phase == P2_GAME_VIEW                                  ? &run->view_tasks
           : run->phase == P2_GAME_STATE || run->phase == P2_GAME_TICK ? &run->state_tasks
                                                                       : NULL;
}

static void host_cancel(void *ctx, uint64_t task)
{
    struct p2_game_run *run = run_of(ctx);
    struct p2_game_tasks *tasks = tasks_of_phase(run);
    struct p2_game_task mine;
    if (tasks != NULL && p2_game_tasks_take(tasks, task, &mine)) {
        add_cancel(run, task);
    }
}

static void host_invalidate(void *ctx, uint64_t tag)
{
    struct p2_game_run *run = run_of(ctx);
    struct p2_game_tasks *tasks = tasks_of_phase(run);
    uint32_t at = tasks == NULL ? 0 : p2_game_tasks_tagged(tasks, tag, 0);
    while (tasks != NULL && at < tasks->count) {
        struct p2_game_task mine;
        if (p2_game_tasks_take(tasks, tasks->items[at].id, &mine)) {
            add_cancel(run, mine.id);
        }
        at = p2_game_tasks_tagged(tasks, tag, at);
    }
}

static int host_content_put(void *ctx, const struct p2c2r_content *content)
{
    struct p2_game_run *run = run_of(ctx);
    uint32_t at = 0;
    if (run->phase == P2_GAME_OUTSIDE || content->key == 0 || content->bytes.data == NULL ||
        content->bytes.size == 0 || content->bytes.size > P2C2R_BLOB_MAX) {
        return P2_E_INVALID;
    }
    if (find_content(run, content->key) != NULL) {
        return P2_E_EXIST;
    }
    while (at < run->content_count && run->contents[at].key != 0) {
        at++;
    }
    if (at == P2_GAME_CONTENTS_MAX) {
        return P2_E_LIMIT;
    }
    const struct p2_out_item item = {.kind = P2_OUT_CONTENT, .task = content->key};
    int error =
        p2_frame_out_add(run->out, &item, p2_span(content->bytes.data, content->bytes.size));
    if (error == P2_OK) {
        run->contents[at] =
            (struct p2_game_content){content->key, content->bytes, run->phase == P2_GAME_VIEW};
        run->content_count = at == run->content_count ? at + 1 : run->content_count;
    }
    return error;
}

static void host_content_remove(void *ctx, uint64_t key)
{
    struct p2_game_run *run = run_of(ctx);
    struct p2_game_content *content = find_content(run, key);
    if (content != NULL && run->phase != P2_GAME_OUTSIDE) {
        const struct p2_out_item item = {.kind = P2_OUT_CONTENT_REMOVE, .task = key};
        content->key = 0;
        if (p2_frame_out_add(run->out, &item, p2_span(NULL, 0)) != P2_OK) {
            run->out->cut++; /* the host keeps its copy until the session ends */
        }
    }
}

/* ---- random ------------------------------------------------------------------------------------ */

void p2_game_stream_seek(struct p2_game_run *run, uint32_t stream, uint64_t drawn)
{
    struct p2_game_stream *at = &run->streams[stream];
    uint8_t seed[P2_KEY_BYTES] = {0};
    struct p2_rng root;
    uint64_t bytes = drawn * sizeof(uint64_t);
    p2_store_be64(seed, run->options.seed);
    p2_rng_init(&root, seed, "p2c2r game");
    p2_rng_split(&at->rng, &root, "stream", stream);
    /* The key stream is counted in blocks of 64 bytes and drawn by the buffer. */
    at->rng.block = bytes / P2_RNG_BUFFER * (P2_RNG_BUFFER / 64u);
    at->rng.used = P2_RNG_BUFFER;
    for (uint64_t left = bytes % P2_RNG_BUFFER; left > 0; left -= sizeof(uint64_t)) {
        (void)p2_rng_u64(&at->rng);
    }
    at->drawn = drawn;
}

void p2_game_streams_init(struct p2_game_run *run)
{
    for (uint32_t i = 0; i < P2_GAME_STREAMS; i++) {
        p2_game_stream_seek(run, i, 0);
    }
}

static uint64_t host_random(void *ctx, uint32_t stream)
{
    struct p2_game_run *run = run_of(ctx);
    if (run->phase == P2_GAME_OUTSIDE || run->phase == P2_GAME_VIEW || stream >= P2_GAME_STREAMS) {
        return 0; /* numbers of the state are not for the view */
    }
    run->streams[stream].drawn++;
    return p2_rng_u64(&run->streams[stream].rng);
}

/* ---- people ------------------------------------------------------------------------------------ */

static void host_log(void *ctx, int level, const char *text)
{
    struct p2_game_run *run = run_of(ctx);
    if (run->phase == P2_GAME_OUTSIDE || run->out == NULL || text == NULL) {
        return;
    }
    if (run->frame >= run->logs_frame + P2C2R_GAME_TICK_HZ || run->logs_frame == 0) {
        run->logs_frame = run->frame;
        run->logs_left = P2_GAME_LOGS_PER_S;
    }
    if (run->logs_left > 0) {
        const struct p2_out_item item = {.kind = P2_OUT_LOG, .status = level};
        run->logs_left--;
        if (p2_frame_out_add(run->out, &item, p2_span(text, strnlen(text, 512))) != P2_OK) {
            run->out->cut++;
        }
    }
}

static void host_end(void *ctx, const char *why)
{
    struct p2_game_run *run = run_of(ctx);
    if ((run->phase == P2_GAME_STATE || run->phase == P2_GAME_TICK) && !run->is_ended) {
        const struct p2_out_item item = {.kind = P2_OUT_END};
        run->is_ended = true;
        if (p2_frame_out_add(run->out, &item, p2_span(why, why == NULL ? 0 : strnlen(why, 64))) !=
            P2_OK) {
            run->out->cut++;
        }
    }
}

void p2_game_host_init(struct p2_game_run *run)
{
    run->binding->run = run;
    run->binding->host = (struct p2c2r_host){
        .size = sizeof run->binding->host,
        .abi = P2C2R_GAME_ABI,
        .ctx = run->binding,
        .submit = host_submit,
        .cancel = host_cancel,
        .invalidate = host_invalidate,
        .content_put = host_content_put,
        .content_remove = host_content_remove,
        .random = host_random,
        .log = host_log,
        .end = host_end,
    };
}
