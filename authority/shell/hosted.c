/* A session and its exchange with the core and the thread. */
#include "authority/shell/hosted.h"

#include "authority/shell/seats.h"
#include "base/entropy.h"
#include "base/error.h"
#include "link/network.h"
#include "authority/shell/discovery.h"
#include "overlay/join_link.h"
#include "overlay/join_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Undelivered tasks and their bytes: both halves of a game (game_tasks.h). */
#define TASKS_MAX  P2_CORE_TASKS_MAX
#define MEMORY_MAX ((size_t)512 << 20)

/* How often the journal of a file holds the state's hash. Chosen: a second. */
#define HASH_FRAMES 60u

/* The first slot is that far away: the loop's turn that opens a session has more to do. */
#define START_DELAY_US 20000u

/* Quality falls by this in a frame of which more than an eighth was degraded, or anything that was
 * required, and rises by one in a frame without any. Chosen: half a second of trouble halves the work,
 * two of calm bring it back. */
#define QUALITY_FALL 4u
#define QUALITY_MIN  16u

/* ---- contents ---------------------------------------------------------------------------------- */

static struct p2_hosted_content *find_content(const struct p2_hosted *hosted, uint64_t key)
{
    for (uint32_t i = 0; i < P2_CORE_BLOBS_MAX && key != 0; i++) {
        if (hosted->contents[i].key == key) {
            return &hosted->contents[i];
        }
    }
    return NULL;
}

static void put_content(struct p2_hosted *hosted, uint64_t key, struct p2_span bytes)
{
    struct p2_pool *pool = hosted->authority->daemon->pool;
    struct p2_hosted_content *content = find_content(hosted, key);
    if (content != NULL) {
        /* The same bytes again: a key names them for ever. */
        hosted->removed -= content->is_removed ? 1 : 0;
        content->is_removed = false;
        return;
    }
    for (uint32_t i = 0; i < P2_CORE_BLOBS_MAX; i++) {
        content = &hosted->contents[i];
        if (content->key == 0) {
            break;
        }
    }
    uint8_t *copy = content->key == 0 ? malloc(bytes.size) : NULL;
    if (copy == NULL) {
        return; /* tasks that name it are delivered degraded */
    }
    memcpy(copy, bytes.data, bytes.size);
    *content = (struct p2_hosted_content){.key = key, .data = copy, .size = bytes.size};
    if (p2_pool_blob_put(pool, P2_AUTHORITY_TAG, bytes, &content->place) != P2_OK) {
        content->place = (struct p2_blob_handle){0, 0}; /* helpers only */
    }
    if (hosted->is_open) {
        /* Fails only when there are too many: those tasks are for own cores. */
        (void)p2_session_content_put(&hosted->authority->core, hosted->session, key,
                                     p2_span(copy, bytes.size));
    }
}

static void free_content(struct p2_hosted *hosted, struct p2_hosted_content *content)
{
    if (hosted->is_open) {
        (void)p2_session_content_remove(&hosted->authority->core, hosted->session,
                                        content->key); /* or it never fitted */
    }
    if (content->place.generation != 0 && hosted->authority->daemon->pool != NULL) {
        (void)p2_pool_blob_drop(hosted->authority->daemon->pool, P2_AUTHORITY_TAG,
                                content->place); /* or the pool is closing */
    }
    free(content->data);
    *content = (struct p2_hosted_content){0};
}

static bool is_named(const struct p2_hosted *hosted, uint64_t key)
{
    const struct p2_pipeline *pipeline =
        &hosted->authority->core.sessions[hosted->session].pipeline;
    for (uint32_t at = pipeline->all.first; at != P2_TASK_NONE; at = pipeline->items[at].next) {
        const struct p2_task *task = &pipeline->items[at];
        for (uint32_t i = 0; i < task->key_count; i++) {
            if (task->keys[i] == key) {
                return true;
            }
        }
    }
    return false;
}

/* Contents the game took back go when no task names them any more. Not inside a step: effects show
 * their bytes. */
static void drop_contents(struct p2_hosted *hosted)
{
    for (uint32_t i = 0; i < P2_CORE_BLOBS_MAX && hosted->removed > 0 && hosted->is_open; i++) {
        struct p2_hosted_content *content = &hosted->contents[i];
        if (content->key != 0 && content->is_removed && !is_named(hosted, content->key)) {
            free_content(hosted, content);
            hosted->removed--;
        }
    }
}

int p2_hosted_contents(const struct p2_hosted *hosted, const uint64_t *keys, uint32_t count,
                       struct p2_compute_contents *ret_contents)
{
    ret_contents->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct p2_hosted_content *content = find_content(hosted, keys[i]);
        if (content == NULL || content->place.generation == 0) {
            return P2_E_NOENT;
        }
        ret_contents->bytes[i] = (struct p2c2r_bytes){content->data, content->size};
        ret_contents->places[i] = content->place;
        ret_contents->count = i + 1;
    }
    return P2_OK;
}

/* ---- what the core calls ----------------------------------------------------------------------- */

static void add_in(struct p2_hosted *hosted, const struct p2_in_item *item, struct p2_span bytes)
{
    if (p2_frame_in_add(hosted->in, item, bytes) != P2_OK && item->kind == P2_IN_RESULT) {
        /* No memory for the bytes: the game gets its degraded answer. */
        struct p2_in_item short_item = *item;
        short_item.status = P2C2R_RESULT_DEGRADED;
        (void)p2_frame_in_add(hosted->in, &short_item, p2_span(NULL, 0)); /* or nothing works */
    }
}

static void on_input(void *ctx, uint8_t player, uint32_t sequence, struct p2_span data)
{
    struct p2_hosted *hosted = ctx;
    const struct p2_in_item item = {.kind = P2_IN_INPUT, .player = player, .sequence = sequence};
    if (player < P2C2R_PLAYERS_MAX) {
        hosted->seats[player].applied = sequence;
        add_in(hosted, &item, data);
    }
}

static void on_result(void *ctx, const struct p2_delivery *delivery)
{
    struct p2_hosted *hosted = ctx;
    bool is_view = (delivery->task & P2_GAME_TASK_VIEW) != 0;
    if (delivery->is_corrected) {
        const struct p2_in_item corrected = {.kind = P2_IN_CORRECTED,
                                             .status = P2C2R_RESULT_CORRECTED,
                                             .task = delivery->task,
                                             .version = delivery->tag};
        hosted->figures.corrected++;
        if (!is_view) { /* pictures are gone by now */
            add_in(hosted, &corrected, delivery->result);
        }
        return;
    }
    const struct p2_in_item item = {
        .kind = is_view ? P2_IN_VIEW_RESULT : P2_IN_RESULT,
        .task = delivery->task,
        .status = delivery->is_degraded ? P2C2R_RESULT_DEGRADED : P2C2R_RESULT_OK,
        .tier = (uint8_t)delivery->tier,
    };
    hosted->figures.settled++;
    add_in(hosted, &item, delivery->result);
}

/* The list is whole: hands it over. */
static void hand_over(struct p2_hosted *hosted)
{
    struct p2_frame_in *in = hosted->in;
    hosted->in = in == &hosted->lists[0] ? &hosted->lists[1] : &hosted->lists[0];
    p2_frame_in_clear(hosted->in);
    p2_game_thread_frame(hosted->thread, in, &hosted->out);
}

static void on_commit(void *ctx, uint64_t frame)
{
    struct p2_hosted *hosted = ctx;
    const struct p2_session *session = &hosted->authority->core.sessions[hosted->session];
    struct p2_frame_in *in = hosted->in;
    uint64_t now_us = p2_pool_now_us();
    in->frame = frame;
    in->depth = session->pipeline.depth;
    in->quality = hosted->quality;
    in->record = session->record;
    in->wants_hash =
        hosted->journal != NULL && (frame % HASH_FRAMES == 0 || frame == hosted->frames_max);
    for (uint32_t i = 0; i < P2C2R_PLAYERS_MAX; i++) {
        struct p2_seat *seat = &hosted->seats[i];
        uint64_t waited = seat->input_us == 0 ? 0 : now_us - seat->input_us;
        /* Without a store a crash ends the session: nothing outlives it, so nothing has to be sent
         * again. */
        seat->durable = seat->applied;
        in->applied[i] = seat->applied;
        in->durable[i] = seat->durable;
        in->queue_us[i] = waited < UINT32_MAX ? (uint32_t)waited : UINT32_MAX;
    }
    if (hosted->journal != NULL) {
        p2_journal_file_frame(hosted->journal, in, P2_JOURNAL_INLINE_MAX);
    }
    if (p2_game_thread_is_busy(hosted->thread)) {
        hosted->is_waiting = true; /* a module is being changed */
    } else {
        hand_over(hosted);
    }
}

/* A task the core does not take is delivered in the next frame, degraded: the same in a replay. */
static void emit_task(struct p2_hosted *hosted, const struct p2_out_item *item)
{
    uint64_t keys[P2_WIRE_BLOBS_MAX];
    struct p2_task_spec spec = item->spec;
    uint64_t given;
    if (spec.key_count > 0) {
        memcpy(keys, hosted->out.bytes.data + item->keys_offset, spec.key_count * sizeof keys[0]);
    }
    spec.keys = keys;
    spec.input = p2_frame_out_bytes(&hosted->out, item);
    hosted->figures.tasks++;
    if (p2_session_submit(&hosted->authority->core, hosted->session, &spec, &given) != P2_OK) {
        const struct p2_in_item failed = {
            .kind = (spec.flags & P2_TASK_VIEW) != 0 ? P2_IN_VIEW_RESULT : P2_IN_RESULT,
            .task = spec.id,
            .status = P2C2R_RESULT_DEGRADED,
            .tier = P2_TIER_DEGRADED};
        hosted->figures.settled++;
        hosted->figures.tiers[P2_TIER_DEGRADED]++;
        add_in(hosted, &failed, p2_span(NULL, 0));
    }
}

static void cancel_task(struct p2_hosted *hosted, uint64_t task)
{
    if (p2_session_cancel(&hosted->authority->core, hosted->session, task) == P2_OK) {
        hosted->figures.cancelled++;
        hosted->figures.settled++;
    }
}

static void remove_content(struct p2_hosted *hosted, uint64_t key)
{
    struct p2_hosted_content *content = find_content(hosted, key);
    if (content != NULL && !content->is_removed) {
        content->is_removed = true;
        hosted->removed++;
    }
}

static void take_out(struct p2_hosted *hosted, const struct p2_frame_out *out, bool is_in_frame)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct p2_out_item *item = &out->items[i];
        if (item->kind == P2_OUT_SUBMIT && is_in_frame) {
            emit_task(hosted, item);
        } else if (item->kind == P2_OUT_CANCEL && is_in_frame) {
            cancel_task(hosted, item->task);
        } else if (item->kind == P2_OUT_CONTENT) {
            put_content(hosted, item->task, p2_frame_out_bytes(out, item));
        } else if (item->kind == P2_OUT_CONTENT_REMOVE) {
            remove_content(hosted, item->task);
        }
    }
}

static void on_emit(void *ctx, uint64_t frame)
{
    struct p2_hosted *hosted = ctx;
    (void)frame;
    take_out(hosted, &hosted->out, true);
}

/* ---- what the thread says ---------------------------------------------------------------------- */

static void log_game(struct p2_hosted *hosted, const struct p2_out_item *item, struct p2_span bytes)
{
    static const enum p2_log_level levels[] = {P2_LEVEL_ERROR, P2_LEVEL_WARN, P2_LEVEL_INFO,
                                               P2_LEVEL_DEBUG};
    char text[513];
    size_t size = bytes.size < sizeof text - 1 ? bytes.size : sizeof text - 1;
    if (size > 0) {
        memcpy(text, bytes.data, size);
    }
    text[size] = '\0';
    enum p2_log_level level = levels[item->status < 0 ? 0 : item->status > 3 ? 3 : item->status];
    P2_LOG(&hosted->authority->daemon->log, level, "game", P2_LOG_STR("session", hosted->name),
           P2_LOG_STR("text", text));
}

static void hear_item(struct p2_hosted *hosted, const struct p2_out_item *item)
{
    struct p2_span bytes = p2_frame_out_bytes(&hosted->out, item);
    if (item->kind == P2_OUT_FRAME) {
        hosted->figures.frames_sent++;
        hosted->figures.frame_bytes += bytes.size;
        p2_seat_frame(hosted, item->player, bytes);
    } else if (item->kind == P2_OUT_JOINED) {
        p2_seat_answered(hosted, item->player, item->task, item->status, bytes);
    } else if (item->kind == P2_OUT_ANSWER) {
        struct p2_ctl_call *call = (struct p2_ctl_call *)(uintptr_t)item->task;
        json_t *text = json_stringn((const char *)bytes.data, bytes.size);
        p2_ctl_reply(call, json_pack("{s:o}", "answer", text != NULL ? text : json_string("")));
    } else if (item->kind == P2_OUT_LOG) {
        log_game(hosted, item, bytes);
    } else if (item->kind == P2_OUT_END) {
        char why[P2_WIRE_STRING_MAX + 1] = {0};
        memcpy(why, bytes.data, bytes.size < sizeof why ? bytes.size : sizeof why - 1);
        p2_hosted_end(hosted, P2_END_REASON_OVER, why);
    }
}

static void count_out(struct p2_hosted *hosted)
{
    const struct p2_frame_out *out = &hosted->out;
    struct p2_figures *figures = &hosted->figures;
    figures->game_us += out->game_us;
    figures->game_max_us =
        out->game_us > figures->game_max_us ? out->game_us : figures->game_max_us;
    figures->overruns += out->game_us > P2_HOSTED_BUDGET_US ? 1 : 0;
    figures->cut += out->cut;
    if (out->is_out_of_sync) {
        if (figures->out_of_sync == 0) {
            P2_LOG(&hosted->authority->daemon->log, P2_LEVEL_ERROR, "out_of_sync",
                   P2_LOG_STR("session", hosted->name), P2_LOG_U64("frame", out->frame));
        }
        figures->out_of_sync++;
    }
    if (hosted->journal != NULL && out->hash != 0) {
        p2_journal_file_hash(hosted->journal, out->frame, out->hash);
    }
}

static void begin_swap(struct p2_hosted *hosted);

static void on_frame(void *ctx, struct p2_frame_in *in, struct p2_frame_out *out)
{
    struct p2_hosted *hosted = ctx;
    const struct p2_event event = {.type = P2_EVENT_GAME, .session = hosted->session};
    (void)in;
    count_out(hosted);
    if (hosted->state != P2_HOSTED_RUNNING) {
        return;
    }
    (void)p2_authority_step(hosted->authority, &event); /* the session waits for it */
    for (uint32_t i = 0; i < out->count; i++) {
        hear_item(hosted, &out->items[i]);
    }
    drop_contents(hosted);
    if (hosted->wants_reload && hosted->state == P2_HOSTED_RUNNING) {
        begin_swap(hosted);
    }
    if (hosted->frames_max > 0 && hosted->figures.shipped >= hosted->frames_max) {
        p2_hosted_end(hosted, P2_END_REASON_OVER, NULL);
    }
}

/* What is known of the game while its thread has it. */
static void copy_game(struct p2_hosted *hosted)
{
    hosted->game = *p2_game_thread_game(hosted->thread);
    (void)snprintf(hosted->game_name, sizeof hosted->game_name, "%s", hosted->game.name);
    hosted->palette_size = 0;
    if (hosted->game.palette != NULL) {
        memcpy(hosted->palette, hosted->game.palette, sizeof hosted->palette);
        hosted->palette_size = sizeof hosted->palette;
    }
}

static void print_join(const struct p2_hosted *hosted)
{
    struct p2_join_link link = {.id = hosted->id};
    char text[P2_JOIN_LINK_MAX];
    struct p2_authority *authority = hosted->authority;
    link.has_address = p2_address_parse(&link.address, authority->address,
                                        strlen(authority->address), NULL) == P2_OK;
    p2_join_link_format(text, &link);
    /* For the host's eyes: IDs are secrets, they are never logged. */
    (void)fprintf(stderr, "join %s with: p2c2r join '%s'\n", hosted->name, text);
    p2_secret_wipe(text, sizeof text);
}

static int open_journal(struct p2_hosted *hosted, const char *path, struct p2_failure *failure)
{
    struct p2_journal_file_head head = {
        .version = hosted->game.version, .schema = hosted->game.schema, .seed = hosted->seed};
    (void)snprintf(head.game, sizeof head.game, "%s", hosted->game_name);
    (void)snprintf(head.options, sizeof head.options, "%s", hosted->options);
    return p2_journal_file_create(&hosted->journal, path, &head, failure);
}

static void fail(struct p2_hosted *hosted, int error, const struct p2_failure *failure)
{
    P2_LOG(&hosted->authority->daemon->log, P2_LEVEL_ERROR, "session_failed",
           P2_LOG_STR("session", hosted->name), P2_LOG_STR("why", failure->message),
           P2_LOG_ERROR(error));
    hosted->outcome = error;
    if (hosted->is_main) {
        hosted->authority->failure = *failure;
    }
    p2_hosted_end(hosted, P2_END_REASON_GAME_FAULT, NULL);
}

static void on_ready(void *ctx, int error, const struct p2_failure *failure,
                     const struct p2_frame_out *out)
{
    struct p2_hosted *hosted = ctx;
    const char *path = p2_config_string(hosted->authority->config, P2_AUTHORITY_OPTION_JOURNAL);
    struct p2_failure why = *failure;
    if (error == P2_OK) {
        copy_game(hosted);
        if (hosted->name[0] == '\0') {
            (void)snprintf(hosted->name, sizeof hosted->name, "%.*s", (int)P2_HOSTED_NAME_MAX,
                           hosted->game_name);
        }
        error = hosted->is_main && path != NULL ? open_journal(hosted, path, &why) : P2_OK;
    }
    if (error != P2_OK) {
        fail(hosted, error, &why);
        return;
    }
    take_out(hosted, out, false);
    P2_LOG(&hosted->authority->daemon->log, P2_LEVEL_NOTICE, "session_ready",
           P2_LOG_STR("session", hosted->name), P2_LOG_STR("game", hosted->game_name),
           P2_LOG_U64("version", hosted->game.version));
    print_join(hosted);
    if (p2_discovery_publish(hosted->authority->discovery, hosted->salt, &hosted->discovered) !=
        P2_OK) {
        P2_LOG_EVENT(&hosted->authority->daemon->log, P2_LEVEL_ERROR, "session_not_published");
    }
    hosted->state = P2_HOSTED_READY;
    p2_hosted_start_if_ready(hosted);
}

static void on_swapped(void *ctx, int error, const struct p2_failure *failure,
                       const struct p2_frame_out *out)
{
    struct p2_hosted *hosted = ctx;
    struct p2_log *log = &hosted->authority->daemon->log;
    struct p2_ctl_call *call = hosted->reload_call;
    hosted->reload_call = NULL;
    if (error == P2_OK) {
        copy_game(hosted);
        take_out(hosted, out, false);
        P2_LOG(log, P2_LEVEL_NOTICE, "module_reloaded", P2_LOG_STR("session", hosted->name),
               P2_LOG_U64("version", hosted->game.version));
    } else {
        P2_LOG(log, P2_LEVEL_ERROR, "module_refused", P2_LOG_STR("session", hosted->name),
               P2_LOG_STR("why", failure->message), P2_LOG_ERROR(error));
    }
    if (call != NULL && error == P2_OK) {
        p2_ctl_reply(call, json_pack("{s:s, s:I}", "session", hosted->name, "version",
                                     (json_int_t)hosted->game.version));
    } else if (call != NULL) {
        p2_ctl_refuse(call, error, "%s", failure->message);
    }
    if (hosted->is_waiting) {
        hosted->is_waiting = false;
        hand_over(hosted);
    }
}

static void on_stopped(void *ctx)
{
    struct p2_hosted *hosted = ctx;
    struct p2_authority *authority = hosted->authority;
    struct p2_hosted **at = &authority->sessions;
    while (*at != hosted) {
        at = &(*at)->next;
    }
    *at = hosted->next;
    for (uint32_t i = 0; hosted->contents != NULL && i < P2_CORE_BLOBS_MAX; i++) {
        if (hosted->contents[i].key != 0) {
            free_content(hosted, &hosted->contents[i]);
        }
    }
    int error = p2_journal_file_close(hosted->journal);
    if (error != P2_OK) {
        P2_LOG(&authority->daemon->log, P2_LEVEL_ERROR, "journal_failed", P2_LOG_ERROR(error));
    }
    if (hosted->is_main) {
        authority->outcome = hosted->outcome != P2_OK ? hosted->outcome : error;
    }
    p2_frame_in_free(&hosted->lists[0]);
    p2_frame_in_free(&hosted->lists[1]);
    p2_frame_out_free(&hosted->out);
    p2_discovery_withdraw(authority->discovery, hosted->discovered);
    p2_secret_wipe(hosted->salt, sizeof hosted->salt);
    p2_secret_free(hosted->keys);
    p2_secret_wipe(&hosted->id, sizeof hosted->id);
    bool is_main = hosted->is_main;
    free(hosted->contents);
    free(hosted->module_path);
    free(hosted->options);
    free(hosted);
    if (is_main) {
        p2_authority_finish(authority, authority->outcome);
    }
    p2_authority_session_gone(authority);
}

static const struct p2_game_thread_events thread_events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_swapped = on_swapped, .on_stopped = on_stopped};

/* ---- opening ----------------------------------------------------------------------------------- */

/* A fresh ID. 18 ms. */
static int make_id(struct p2_hosted *hosted)
{
    struct p2_authority *authority = hosted->authority;
    struct p2_overlay_rules rules = {0};
    p2_entropy(hosted->salt, sizeof hosted->salt);
    p2_network_id(rules.network_id,
                  p2_config_string(authority->config, P2_AUTHORITY_OPTION_NETWORK));
    hosted->keys = p2_secret_alloc(sizeof *hosted->keys);
    if (hosted->keys == NULL) {
        return P2_E_NOMEM;
    }
    int error = p2_session_id_derive(&hosted->id, &authority->daemon->id, hosted->salt);
    if (error == P2_OK) {
        error = p2_session_keys_derive(hosted->keys, &hosted->id, &rules);
    }
    if (error == P2_OK) {
        p2_join_tag(hosted->tag, hosted->keys, &authority->daemon->id);
    }
    return error;
}

static struct p2_hosted *allocate(struct p2_authority *authority,
                                  const struct p2_hosted_options *options)
{
    struct p2_hosted *hosted = calloc(1, sizeof *hosted);
    if (hosted == NULL) {
        return NULL;
    }
    hosted->authority = authority;
    hosted->contents = calloc(P2_CORE_BLOBS_MAX, sizeof *hosted->contents);
    hosted->module_path = strdup(options->module);
    hosted->options = strdup(options->options != NULL ? options->options : "");
    (void)snprintf(hosted->name, sizeof hosted->name, "%s",
                   options->name != NULL ? options->name : "");
    hosted->seed = options->seed;
    while (hosted->seed == 0) {
        p2_entropy(&hosted->seed, sizeof hosted->seed);
    }
    hosted->frames_max = options->frames_max;
    hosted->robots = options->robots;
    hosted->is_main = options->is_main;
    hosted->is_synctest = options->is_synctest;
    hosted->quality = P2C2R_QUALITY_FULL;
    hosted->end_reason = P2_END_REASON_HOST_STOPPED;
    p2_frame_in_init(&hosted->lists[0]);
    p2_frame_in_init(&hosted->lists[1]);
    p2_frame_out_init(&hosted->out);
    hosted->in = &hosted->lists[0];
    return hosted;
}

static void discard(struct p2_hosted *hosted)
{
    p2_secret_free(hosted->keys);
    free(hosted->contents);
    free(hosted->module_path);
    free(hosted->options);
    free(hosted);
}

int p2_hosted_open(struct p2_authority *authority, const struct p2_hosted_options *options,
                   struct p2_failure *failure)
{
    struct p2_game_module *module = NULL;
    int error = p2_game_module_load(options->module, failure, &module);
    if (error != P2_OK) {
        return error;
    }
    struct p2_hosted *hosted = allocate(authority, options);
    error = hosted == NULL || hosted->contents == NULL || hosted->module_path == NULL ||
                    hosted->options == NULL
                ? P2_E_NOMEM
                : make_id(hosted);
    if (error != P2_OK) {
        p2_game_module_free(module);
        if (hosted != NULL) {
            discard(hosted);
        }
        return p2_fail(failure, error, "cannot make a session: %s", p2_error_text(error));
    }
    const struct p2_game_run_options run = {
        .kernels = authority->daemon->kernels,
        .kernel_count = (uint32_t)authority->daemon->kernel_count,
        .usable = authority->warm.usable,
        .seed = hosted->seed,
        .options = hosted->options,
        .is_viewed = true,
        .is_synctest = hosted->is_synctest,
    };
    hosted->next = authority->sessions;
    authority->sessions = hosted;
    error = p2_game_thread_start(&authority->daemon->loop, &run, module, &thread_events, hosted,
                                 &hosted->thread);
    if (error == P2_E_NOMEM) {
        authority->sessions = hosted->next;
        discard(hosted);
    } else if (error != P2_OK) {
        hosted->state = P2_HOSTED_ENDING; /* on_stopped comes */
        hosted->outcome = error;
    }
    return error == P2_OK
               ? P2_OK
               : p2_fail(failure, error, "cannot start a thread: %s", p2_error_text(error));
}

/* ---- running ----------------------------------------------------------------------------------- */

static int open_core_session(struct p2_hosted *hosted)
{
    struct p2_authority *authority = hosted->authority;
    const struct p2_session_options options = {
        .game = {.ctx = hosted,
                 .input = on_input,
                 .on_result = on_result,
                 .commit = on_commit,
                 .emit = on_emit},
        .tasks_max = TASKS_MAX,
        .memory_max = MEMORY_MAX,
        .first_frame = 1,
        .start_us = p2_pool_now_us() + START_DELAY_US,
        .is_deferred = true,
    };
    int error = p2_session_open(&authority->core, &options, &hosted->session);
    if (error != P2_OK) {
        return error;
    }
    hosted->is_open = true;
    for (uint32_t i = 0; i < P2_CORE_BLOBS_MAX; i++) {
        const struct p2_hosted_content *content = &hosted->contents[i];
        if (content->key != 0) {
            /* Fails only when there are too many: those tasks are for own cores. */
            (void)p2_session_content_put(&authority->core, hosted->session, content->key,
                                         p2_span(content->data, content->size));
        }
    }
    return p2_authority_grow(authority);
}

void p2_hosted_start_if_ready(struct p2_hosted *hosted)
{
    struct p2_authority *authority = hosted->authority;
    uint64_t wanted = p2_config_u64(authority->config, P2_AUTHORITY_OPTION_WAIT_HELPERS);
    if (hosted->state != P2_HOSTED_READY || authority->is_stepping ||
        authority->policy.admitted < wanted) {
        return;
    }
    int error = open_core_session(hosted);
    if (error != P2_OK) {
        struct p2_failure failure = {0};
        (void)p2_fail(&failure, error, "cannot begin the session: %s", p2_error_text(error));
        fail(hosted, error, &failure);
        return;
    }
    hosted->state = P2_HOSTED_RUNNING;
    P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "session_started",
           P2_LOG_STR("session", hosted->name), P2_LOG_U64("helpers", authority->policy.admitted),
           P2_LOG_U64("frames", hosted->frames_max));
    p2_seats_begin(hosted);
    const struct p2_event event = {.type = P2_EVENT_TIME};
    (void)p2_authority_step(authority, &event); /* sets the alarm */
}

void p2_hosted_shipped(struct p2_hosted *hosted, const struct p2_effect *effect)
{
    const struct p2_frame_record *record = effect->record;
    struct p2_figures *figures = &hosted->figures;
    figures->shipped++;
    figures->on_time += record->is_on_time ? 1 : 0;
    figures->missed_slots += record->shipped_us >= record->slot_us + 1000000u / P2_FRAME_HZ ? 1 : 0;
    for (size_t i = 0; i < P2_COUNT_OF(record->tiers); i++) {
        figures->tiers[i] += record->tiers[i];
        figures->cost[i] += record->cost[i];
    }
    if (record->required_degraded > 0 || record->degraded > record->tasks / 8) {
        hosted->quality = hosted->quality > QUALITY_MIN + QUALITY_FALL
                              ? (uint8_t)(hosted->quality - QUALITY_FALL)
                              : QUALITY_MIN;
    } else if (record->degraded == 0 && hosted->quality < P2C2R_QUALITY_FULL) {
        hosted->quality++;
    }
}

/* ---- reload ------------------------------------------------------------------------------------ */

static void begin_swap(struct p2_hosted *hosted)
{
    struct p2_game_module *module = NULL;
    struct p2_failure failure = {0};
    hosted->wants_reload = false;
    int error = p2_game_module_load(hosted->module_path, &failure, &module);
    if (error != P2_OK) {
        on_swapped(hosted, error, &failure, NULL);
    } else {
        p2_game_thread_swap(hosted->thread, module);
    }
}

int p2_hosted_reload(struct p2_hosted *hosted, struct p2_ctl_call *call, struct p2_failure *failure)
{
    if (hosted->state != P2_HOSTED_RUNNING || hosted->wants_reload || hosted->reload_call != NULL) {
        return p2_fail(failure, P2_E_STATE, "the session %s is %s", hosted->name,
                       hosted->state == P2_HOSTED_RUNNING ? "being reloaded" : "not running");
    }
    hosted->wants_reload = true;
    hosted->reload_call = call;
    return P2_OK;
}

/* ---- ending ------------------------------------------------------------------------------------ */

/* Audits that are owed are never skipped: they end first. */
static void stop_if_settled(struct p2_hosted *hosted)
{
    struct p2_authority *authority = hosted->authority;
    if (hosted->state != P2_HOSTED_CLOSING || p2_compute_audits(authority->compute) > 0) {
        return;
    }
    hosted->state = P2_HOSTED_ENDING;
    if (hosted->is_main) {
        json_t *summary = p2_hosted_summary(hosted);
        (void)json_dumpf(summary, stdout, JSON_COMPACT);
        (void)putchar('\n');
        hosted->outcome = fflush(stdout) != 0 ? P2_E_IO : hosted->outcome;
        json_decref(summary);
    }
    p2_game_thread_stop(hosted->thread);
}

void p2_hosted_end(struct p2_hosted *hosted, enum p2_end_reason reason, const char *text)
{
    struct p2_authority *authority = hosted->authority;
    if (hosted->state >= P2_HOSTED_CLOSING) {
        return;
    }
    bool was_running = hosted->state == P2_HOSTED_RUNNING;
    hosted->state = P2_HOSTED_CLOSING;
    p2_seats_end(hosted, reason, text);
    if (hosted->reload_call != NULL) {
        p2_ctl_refuse(hosted->reload_call, P2_E_CANCELLED, "the session ends");
        hosted->reload_call = NULL;
    }
    P2_LOG(&authority->daemon->log, P2_LEVEL_NOTICE, "session_ended",
           P2_LOG_STR("session", hosted->name), P2_LOG_STR("reason", p2_end_reason_name(reason)),
           P2_LOG_U64("frames", hosted->figures.shipped));
    if (!was_running) {
        hosted->state = P2_HOSTED_ENDING;
        p2_game_thread_stop(hosted->thread);
    }
}

void p2_hosted_look(struct p2_hosted *hosted, uint64_t now_us)
{
    struct p2_authority *authority = hosted->authority;
    p2_seats_look(hosted, now_us);
    if (hosted->state == P2_HOSTED_CLOSING && hosted->is_open && !authority->is_stepping) {
        p2_outbox_clear(&authority->out);
        (void)p2_session_close(&authority->core, hosted->session, &authority->out); /* it is open */
        hosted->is_open = false;
        p2_authority_perform(authority);
    }
    stop_if_settled(hosted);
}

/* ---- for people -------------------------------------------------------------------------------- */

struct p2_hosted *p2_hosted_of(struct p2_authority *authority, uint16_t session)
{
    struct p2_hosted *hosted = authority->sessions;
    while (hosted != NULL && (!hosted->is_open || hosted->session != session)) {
        hosted = hosted->next;
    }
    return hosted;
}

struct p2_hosted *p2_hosted_named(struct p2_authority *authority, const char *name)
{
    struct p2_hosted *hosted = authority->sessions;
    while (hosted != NULL && strcmp(hosted->name, name) != 0) {
        hosted = hosted->next;
    }
    return hosted;
}
