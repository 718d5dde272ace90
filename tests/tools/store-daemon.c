/* A daemon that has nothing but a store with one session in it, for tests of p2c2rctl:
 * store-daemon STORE SOCKET recovers the session, prints "ready" and its next frame, and runs it,
 * serving save, backup and store commands, until its standard input ends. */
#include "authority/store/commands.h"
#include "authority/store/schema.h"
#include "base/crypto.h"
#include "ctl/common.h"
#include "daemon/store_commands.h"
#include "tests/lib/session_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SESSION UINT64_C(7)
#define WORLD   ((size_t)200000)

static struct p2_log log_object;
static uv_pipe_t input;
static uv_timer_t timer;
static struct p2_ctl_server *server;
static struct p2_store *store;
static struct p2_store_writer *writer;
static struct p2_session_store *session;
static struct p2_image_builder *builder;
static struct session_model model;
static uint64_t durable;

static uint64_t now_ms(void *context)
{
    return uv_now(context);
}

static void write_log(void *context, const struct p2_log_record *record)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", record->line);
}

static void describe(json_t *status, void *ctx)
{
    (void)ctx;
    (void)json_object_set_new(status, "next", json_integer((json_int_t)model.next));
    (void)json_object_set_new(status, "durable", json_integer((json_int_t)durable));
    (void)json_object_set_new(status, "right", json_boolean(model_is_right(&model)));
}

/* ---- the session ------------------------------------------------------------------------------ */

static void on_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    (void)ctx;
    (void)sequences;
    durable = next;
}

static int write_image(unsigned kinds, const char *name, p2_batch_done_fn *done, void *ctx)
{
    struct p2_session_image image;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* always there on Linux */
    model_image(&model, builder, kinds, &image);
    image.name = name;
    image.made_ms = (uint64_t)now.tv_sec * 1000;
    image.now_ms = uv_now(uv_default_loop());
    return p2_session_store_write(session, &image, done, ctx);
}

static void on_tick(uv_timer_t *handle)
{
    (void)handle;
    model_run(&model, session);
    unsigned kinds = p2_session_store_due(session, uv_now(uv_default_loop()));
    if (kinds != 0) {
        (void)write_image(kinds, NULL, NULL, NULL); /* tried again when due */
    }
}

static int find(void *ctx, uint64_t number, struct p2_save_session *ret_session)
{
    (void)ctx;
    if (number != 0 && number != SESSION) {
        return P2_E_NOENT;
    }
    *ret_session = (struct p2_save_session){SESSION, "model", WORLD};
    return P2_OK;
}

static int create(void *ctx, uint64_t number, const char *name, p2_save_done_fn *done,
                  void *done_ctx)
{
    (void)ctx;
    (void)number;
    return write_image(0, name, done, done_ctx);
}

static int restore(void *ctx, uint64_t number, struct p2_buf *world, struct p2_save_origin *origin,
                   const struct p2_snapshot_info *info, p2_save_done_fn *done, void *done_ctx)
{
    int error = world->size == WORLD && origin->schema == 3 ? P2_OK : P2_E_MALFORMED;
    (void)ctx;
    (void)number;
    if (error == P2_OK) {
        memcpy(model.world, world->data, WORLD);
        model.next = info->frame;
        memset(model.sequences, 0, sizeof model.sequences); /* an import has no host's part */
        for (unsigned i = 0; i < MODEL_PLAYERS && origin->host.size == 4 * MODEL_PLAYERS; i++) {
            model.sequences[i] = p2_load_be32(origin->host.data + 4 * (size_t)i);
        }
        p2_session_store_restart(session, model.next);
        error = write_image(P2_DUE_CHECKPOINT, NULL, done, done_ctx);
    }
    p2_buf_free(world);
    p2_buf_free(&origin->host);
    return error;
}

static const struct p2_save_port port = {find, create, restore};
static struct p2_save_commands saves;
static struct p2_store_commands commands;

/* ---- life ------------------------------------------------------------------------------------- */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char ignored[64];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(ignored, sizeof ignored);
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    (void)buf;
    if (got < 0) {
        p2_ctl_server_stop(server, NULL, NULL);
        uv_close((uv_handle_t *)stream, NULL);
        uv_close((uv_handle_t *)&timer, NULL);
        p2_session_store_close(session);
        p2_store_writer_stop(writer, NULL, NULL);
    }
}

/* Opens store and session; a message on standard error when it cannot. */
static int open_session(const char *folder, uv_loop_t *loop)
{
    static const struct p2_session_store_events events = {on_durable, NULL};
    struct p2_store_options options = {.folder = folder, .schema = &p2_authority_schema};
    struct p2_session_position position;
    struct p2_failure failure = {0};
    int error = p2_store_open(&store, &options, &failure);
    model_init(&model, WORLD);
    if (error == P2_OK) {
        error = p2_session_recover(store, SESSION, 1, &model_recovery, &model, &position, &failure);
        error = error == P2_E_NOENT ? P2_OK : error;
    }
    if (error != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return error;
    }
    struct p2_store_writer_options writer_options = {.store = store, .loop = loop};
    error = p2_store_writer_new(&writer, &writer_options);
    struct p2_session_store_options session_options = {.writer = writer,
                                                       .session = SESSION,
                                                       .position = position,
                                                       .events = &events,
                                                       .now_ms = uv_now(loop)};
    error = error == P2_OK ? p2_session_store_open(&session, &session_options) : error;
    return error == P2_OK ? p2_image_builder_new(&builder, WORLD) : error;
}

int main(int argc, char **argv)
{
    struct p2_failure failure = {0};
    struct p2_id id = {{1, 2, 3}};
    uv_loop_t *loop = uv_default_loop();
    struct p2_log_options log_options = {
        .level = P2_LEVEL_NOTICE, .now_ms = now_ms, .now_context = loop, .write = write_log};
    struct p2_ctl_server_options options = {.path = argc == 3 ? argv[2] : ""};
    struct p2_ctl_common common = {.program = "store-daemon",
                                   .version = PACKAGE_VERSION,
                                   .id = &id,
                                   .log = &log_object,
                                   .started_ms = uv_now(loop),
                                   .describe = describe};
    p2_log_init(&log_object, &log_options);
    if (argc != 3 || p2_crypto_init() != P2_OK || open_session(argv[1], loop) != P2_OK) {
        return EXIT_FAILURE;
    }
    saves = (struct p2_save_commands){.store = store, .writer = writer, .port = &port, .ctx = NULL};
    commands = (struct p2_store_commands){.store = store, .writer = writer};
    if (p2_ctl_server_start(&server, loop, &options, &failure) != P2_OK ||
        p2_ctl_common_add(server, &common) != P2_OK ||
        p2_save_commands_add(server, &saves) != P2_OK ||
        p2_store_commands_add(server, &commands) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return EXIT_FAILURE;
    }
    if (uv_pipe_init(loop, &input, 0) != 0 || uv_pipe_open(&input, 0) != 0 ||
        uv_timer_init(loop, &timer) != 0) {
        return EXIT_FAILURE;
    }
    (void)uv_read_start((uv_stream_t *)&input, allocate, on_input);
    (void)uv_timer_start(&timer, on_tick, 10, 10);
    (void)printf("ready %llu\n", (unsigned long long)model.next);
    (void)fflush(stdout);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    p2_store_writer_free(writer);
    p2_store_close(store);
    p2_image_builder_free(builder);
    model_free(&model);
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
