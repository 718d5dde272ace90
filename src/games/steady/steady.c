/* No game: every frame asks for the same number of tasks, which are cases of the kernels' own
 * generators, so that all of the host can be tested and measured without one.
 *
 * Options, separated by blanks:
 *   tasks=N    STATE tasks a frame (4)             views=N    VIEW tasks a frame and player (2)
 *   slack=N    frames a STATE task has (8)         depth=N    the same for VIEW tasks (8)
 *   class=1|2  STATE tasks of class FRAME or SOON (2); slack counts for SOON
 *   cost=US    most predicted cost of a case (1500)
 *   cases=N    cases of a kernel (12); fewer are made faster
 *
 * The state is a hash over everything that happened and a few counters, so a single wrong bit
 * anywhere shows in all that follows. */
#include "kernels/registry.h"
#include "p2c2r/game.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA 1u

#define CASES_EACH     12u /* of a kernel; chosen: the same one returns after seconds */
#define CASES_RAYS     4u  /* of a kernel with contents: a few tiles of a few scenes */
#define TRIES_EACH     8u  /* generated cases looked at for each one taken */
#define CASES_MAX      (CASES_EACH * 32u)
#define CONTENTS_MAX   512u
#define TILES          240u /* of a picture of 1280x720 */
#define STATE_BYTES    (8u * 5u)
#define TILE_BYTES_MAX 8192u

struct work {
    const struct p2c2r_kernel *kernel;
    uint8_t *input;
    size_t input_size;
    uint64_t contents[P2C2R_BLOBS_MAX];
    uint32_t content_count;
};

struct settings {
    uint32_t tasks, views, slack, depth, task_class, cost, cases;
};

/* STATE: what snapshot writes. */
struct state {
    uint64_t hash;
    uint64_t frame;
    uint64_t next;    /* case */
    uint64_t results; /* delivered */
    uint64_t inputs;
};

struct steady {
    const struct p2c2r_host *host;
    struct settings settings;
    struct state state;
    /* Made by init from the seed, never changed. */
    struct work state_work[CASES_MAX], view_work[CASES_MAX];
    uint32_t state_count, view_count;
    struct p2c2r_content contents[CONTENTS_MAX];
    uint32_t content_count;
    /* VIEW */
    uint64_t next_view;
    uint64_t views; /* results that came */
    uint8_t tile[TILE_BYTES_MAX];
    uint32_t tile_tier;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * UINT64_C(0x9e3779b97f4a7c15));
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static uint64_t mix_bytes(uint64_t hash, struct p2c2r_bytes bytes)
{
    hash = mix(hash, bytes.size);
    for (size_t i = 0; i < bytes.size; i++) {
        hash = mix(hash, bytes.data[i]);
    }
    return hash;
}

/* ---- making ------------------------------------------------------------------------------------ */

static int take_setting(struct settings *settings, const char *text, size_t length)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t min, max;
    } rows[] = {
        {"tasks=", offsetof(struct settings, tasks), 0, 512},
        {"views=", offsetof(struct settings, views), 0, 512},
        {"slack=", offsetof(struct settings, slack), 1, 1000},
        {"depth=", offsetof(struct settings, depth), 1, 1000},
        {"class=", offsetof(struct settings, task_class), 1, 2},
        {"cost=", offsetof(struct settings, cost), 10, 1000000},
        {"cases=", offsetof(struct settings, cases), 1, CASES_EACH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t name = strlen(rows[i].name);
        if (length > name && length < name + 10 && strncmp(text, rows[i].name, name) == 0) {
            uint32_t value = 0;
            for (size_t k = name; k < length; k++) {
                if (text[k] < '0' || text[k] > '9') {
                    return -1;
                }
                value = value * 10 + (uint32_t)(text[k] - '0');
            }
            memcpy((char *)settings + rows[i].offset, &value, sizeof value);
            return value >= rows[i].min && value <= rows[i].max ? 0 : -1;
        }
    }
    return -1;
}

static int take_settings(struct settings *settings, const char *text)
{
    *settings = (struct settings){.tasks = 4,
                                  .views = 2,
                                  .slack = 8,
                                  .depth = 8,
                                  .task_class = 2,
                                  .cost = 1500,
                                  .cases = CASES_EACH};
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (length > 0 && take_setting(settings, text, length) != 0) {
            return -1;
        }
        text += length + (text[length] == ' ' ? 1 : 0);
    }
    return 0;
}

/* The key of a content with these bytes, announced when it is new; 0 when there is no room. */
static uint64_t share(struct steady *steady, struct p2c2r_bytes bytes)
{
    for (uint32_t i = 0; i < steady->content_count; i++) {
        const struct p2c2r_content *content = &steady->contents[i];
        if (content->bytes.size == bytes.size &&
            memcmp(content->bytes.data, bytes.data, bytes.size) == 0) {
            return content->key;
        }
    }
    uint8_t *copy = steady->content_count < CONTENTS_MAX ? malloc(bytes.size) : NULL;
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, bytes.data, bytes.size);
    struct p2c2r_content *content = &steady->contents[steady->content_count];
    *content = (struct p2c2r_content){steady->content_count + 1u, {copy, bytes.size}};
    if (steady->host->content_put(steady->host->ctx, content) != 0) {
        free(copy);
        return 0;
    }
    steady->content_count++;
    return content->key;
}

static int add_work(struct steady *steady, const struct p2c2r_kernel *kernel,
                    const struct p2c2r_kernel_case *made)
{
    bool is_view = kernel->kind == P2C2R_KERNEL_VIEW;
    uint32_t *count = is_view ? &steady->view_count : &steady->state_count;
    struct work *work = &(is_view ? steady->view_work : steady->state_work)[*count];
    work->kernel = kernel;
    work->content_count = made->blob_count;
    for (uint32_t i = 0; i < made->blob_count; i++) {
        work->contents[i] = share(steady, made->blobs[i]);
        if (work->contents[i] == 0) {
            return 0; /* the scene is full: this case is left out */
        }
    }
    work->input = malloc(made->input_size > 0 ? made->input_size : 1);
    if (work->input == NULL) {
        return -1;
    }
    memcpy(work->input, made->input, made->input_size);
    work->input_size = made->input_size;
    (*count)++;
    return 0;
}

static int add_kernel(struct steady *steady, const struct p2c2r_kernel *kernel, uint64_t seed,
                      struct p2c2r_kernel_case *made)
{
    uint32_t wanted = steady->settings.cases;
    uint32_t found = 0;
    int error = 0;
    wanted = kernel->blobs_max > 0 && wanted > CASES_RAYS ? CASES_RAYS : wanted;
    made->blob_capacity = (size_t)kernel->blobs_max * kernel->blob_max;
    made->blob_storage = malloc(made->blob_capacity > 0 ? made->blob_capacity : 1);
    if (made->blob_storage == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < wanted * TRIES_EACH && found < wanted && error == 0; i++) {
        kernel->generate(seed, i, made);
        struct p2c2r_bytes input = {made->input, made->input_size};
        uint64_t cost = kernel->cost(input, made->blobs, made->blob_count);
        if (cost > 0 && cost <= steady->settings.cost) {
            error = add_work(steady, kernel, made);
            found++;
        }
    }
    free(made->blob_storage);
    return error;
}

static int add_kernels(struct steady *steady, uint64_t seed)
{
    struct p2c2r_kernel_case *made = calloc(1, sizeof *made);
    int error = made == NULL ? -1 : 0;
    if (error == 0) {
        made->input = malloc(P2C2R_INPUT_MAX);
        error = made->input == NULL ? -1 : 0;
    }
    for (size_t i = 0;
         error == 0 && i < p2_kernel_count() && steady->state_count + CASES_EACH <= CASES_MAX &&
         steady->view_count + CASES_EACH <= CASES_MAX;
         i++) {
        error = add_kernel(steady, p2_kernel_at(i), seed, made);
    }
    if (made != NULL) {
        free(made->input);
    }
    free(made);
    return error;
}

static void on_shutdown(void *self)
{
    struct steady *steady = self;
    for (uint32_t i = 0; i < steady->state_count; i++) {
        free(steady->state_work[i].input);
    }
    for (uint32_t i = 0; i < steady->view_count; i++) {
        free(steady->view_work[i].input);
    }
    for (uint32_t i = 0; i < steady->content_count; i++) {
        free((void *)(uintptr_t)steady->contents[i].bytes.data); /* allocated by share */
    }
    free(steady);
}

static int on_init(const struct p2c2r_host *host, uint64_t seed, const char *options,
                   void **ret_self)
{
    struct steady *steady = calloc(1, sizeof *steady);
    if (steady == NULL) {
        return -1;
    }
    steady->host = host;
    steady->state.hash = seed;
    if (take_settings(&steady->settings, options) != 0 || add_kernels(steady, seed) != 0) {
        on_shutdown(steady);
        return -1;
    }
    *ret_self = steady;
    return 0;
}

/* ---- STATE ------------------------------------------------------------------------------------- */

static int on_join(void *self, uint32_t player, const char *name, char why[P2C2R_GAME_WHY_MAX])
{
    struct steady *steady = self;
    if (strcmp(name, "nobody") == 0) {
        (void)snprintf(why, P2C2R_GAME_WHY_MAX, "nobody may not play");
        return -1;
    }
    steady->state.hash = mix(steady->state.hash, player + 1000u);
    return 0;
}

static void on_leave(void *self, uint32_t player)
{
    struct steady *steady = self;
    steady->state.hash = mix(steady->state.hash, player + 2000u);
}

static void on_input(void *self, uint32_t player, uint32_t sequence, struct p2c2r_bytes data)
{
    struct steady *steady = self;
    steady->state.hash =
        mix_bytes(mix(steady->state.hash, (uint64_t)player << 32 | sequence), data);
    steady->state.inputs++;
}

static int submit(struct steady *steady, const struct work *work, uint32_t task_class,
                  uint32_t slack, uint32_t player, uint64_t tag, uint64_t *ret_task)
{
    const struct p2c2r_task task = {
        .size = sizeof task,
        .kernel = work->kernel->name,
        .task_class = task_class,
        .slack = slack,
        .weight = 1,
        .player = player,
        .tag = tag,
        .input = {work->input, work->input_size},
        .contents = work->contents,
        .content_count = work->content_count,
    };
    return steady->host->submit(steady->host->ctx, &task, ret_task);
}

static void on_tick(void *self, const struct p2c2r_frame *frame)
{
    struct steady *steady = self;
    struct state *state = &steady->state;
    state->frame = frame->number;
    state->hash = mix(state->hash, (uint64_t)frame->depth << 8 | frame->quality);
    for (uint32_t i = 0; i < steady->settings.tasks && steady->state_count > 0; i++) {
        const struct work *work = &steady->state_work[state->next % steady->state_count];
        uint64_t task = 0;
        /* A stride that shares no factor with the number of cases would be 1; a random one mixes
         * kernels and shows that random numbers are the same again. */
        state->next += 1 + steady->host->random(steady->host->ctx, 0) % 7;
        int error = submit(steady, work, steady->settings.task_class, steady->settings.slack, 0,
                           state->next, &task);
        state->hash = mix(state->hash, error == 0 ? task : 0);
    }
}

static void on_result(void *self, const struct p2c2r_result *result)
{
    struct steady *steady = self;
    struct state *state = &steady->state;
    state->hash = mix(state->hash, result->task);
    state->hash = mix(state->hash, result->tag ^ result->frame << 32);
    state->hash = mix_bytes(mix(state->hash, result->status), result->bytes);
    state->results++;
}

static void on_commit(void *self, const struct p2c2r_frame *frame)
{
    struct steady *steady = self;
    steady->state.hash = mix(steady->state.hash, frame->number);
}

static void store(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t load(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

static void on_snapshot(void *self, const struct p2c2r_writer *writer)
{
    const struct steady *steady = self;
    uint8_t bytes[STATE_BYTES];
    store(bytes, steady->state.hash);
    store(bytes + 8, steady->state.frame);
    store(bytes + 16, steady->state.next);
    store(bytes + 24, steady->state.results);
    store(bytes + 32, steady->state.inputs);
    writer->put(writer->ctx, bytes, sizeof bytes);
}

static int on_restore(void *self, uint32_t schema, struct p2c2r_bytes bytes)
{
    struct steady *steady = self;
    if (schema != SCHEMA || bytes.size != STATE_BYTES) {
        return -1;
    }
    steady->state = (struct state){load(bytes.data), load(bytes.data + 8), load(bytes.data + 16),
                                   load(bytes.data + 24), load(bytes.data + 32)};
    steady->next_view = steady->views = 0;
    memset(steady->tile, 0, sizeof steady->tile);
    return 0;
}

/* ---- VIEW -------------------------------------------------------------------------------------- */

static void on_view(void *self, uint32_t player, const struct p2c2r_frame *frame,
                    const struct p2c2r_view_writer *writer)
{
    struct steady *steady = self;
    for (uint32_t i = 0; i < steady->settings.views && steady->view_count > 0; i++) {
        const struct work *work = &steady->view_work[steady->next_view++ % steady->view_count];
        uint64_t task;
        /* A refusal means that there are too many: the next frame tries again. */
        (void)submit(steady, work, P2C2R_CLASS_SOON, steady->settings.depth, player, frame->number,
                     &task);
    }
    char line[96];
    int length =
        snprintf(line, sizeof line, "frame %llu, %llu results, %llu inputs, player %u",
                 (unsigned long long)steady->state.frame, (unsigned long long)steady->state.results,
                 (unsigned long long)steady->state.inputs, player);
    writer->delta(writer->ctx, 3, 0, line, (size_t)length);
    if (writer->picture_width > 0 &&
        writer->tile_width * writer->tile_height <= sizeof steady->tile) {
        uint32_t across = writer->picture_width / writer->tile_width;
        uint32_t down = writer->picture_height / writer->tile_height;
        /* One tile of the newest picture a frame, over the whole of it. */
        writer->tile(writer->ctx, (uint32_t)(frame->number % (across * down)), steady->tile_tier, 0,
                     steady->tile);
    }
}

static void on_view_result(void *self, const struct p2c2r_result *result)
{
    struct steady *steady = self;
    steady->views++;
    if (result->status == P2C2R_RESULT_OK) {
        size_t size =
            result->bytes.size < sizeof steady->tile ? result->bytes.size : sizeof steady->tile;
        memcpy(steady->tile, result->bytes.data, size);
        steady->tile_tier = result->tier;
    }
}

static void on_console(void *self, const char *line, char *answer, size_t answer_size)
{
    struct steady *steady = self;
    struct p2c2r_bytes bytes = {(const uint8_t *)line, strlen(line)};
    steady->state.hash = mix_bytes(steady->state.hash, bytes);
    (void)snprintf(answer, answer_size, "frame %llu", (unsigned long long)steady->state.frame);
}

__attribute__((visibility("default"))) int p2c2r_game_entry(const struct p2c2r_host *host,
                                                            struct p2c2r_game *ret_game)
{
    static uint8_t palette[256 * 3];
    ret_game->abi = P2C2R_GAME_ABI;
    if (host->abi != P2C2R_GAME_ABI || host->size < sizeof *host ||
        ret_game->size < sizeof *ret_game) {
        return -1;
    }
    for (size_t i = 0; i < sizeof palette; i++) {
        palette[i] = (uint8_t)(i / 3); /* grey */
    }
    *ret_game = (struct p2c2r_game){
        .size = sizeof *ret_game,
        .abi = P2C2R_GAME_ABI,
        .name = "steady",
        .version = 1,
        .schema = SCHEMA,
        .players_max = P2C2R_PLAYERS_MAX,
        .palette = palette,
        .init = on_init,
        .shutdown = on_shutdown,
        .join = on_join,
        .leave = on_leave,
        .input = on_input,
        .tick = on_tick,
        .on_result = on_result,
        .commit = on_commit,
        .snapshot = on_snapshot,
        .restore = on_restore,
        .view = on_view,
        .on_view_result = on_view_result,
        .console = on_console,
    };
    return 0;
}
