/* A daemon that has nothing but the control socket, for tests of p2c2rctl:
 * ctl-daemon SOCKET prints "ready" and serves until its standard input ends. */
#include "base/crypto.h"
#include "ctl/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct p2_log log_object;
static uv_pipe_t input;

static uint64_t now_ms(void *context)
{
    return uv_now(context);
}

static void write_log(void *context, const struct p2_log_record *record)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", record->line);
}

static void add_hostile_text(json_t *status, void *ctx)
{
    (void)ctx;
    /* What a peer may have sent: p2c2rctl must show it harmlessly. */
    (void)json_object_set_new(status, "peer_name", json_string("\033[31mred\nline\u202e"));
    (void)json_object_set_new(status, "helpers",
                              json_pack("[{s:s, s:i}, {s:s, s:i}]", "name", "k\u00e4fer", "leases",
                                        7, "name", "b", "leases", 12345));
}

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
        p2_ctl_server_stop(stream->data, NULL, NULL);
        uv_close((uv_handle_t *)stream, NULL);
    }
}

int main(int argc, char **argv)
{
    struct p2_ctl_server *server = NULL;
    struct p2_failure failure = {0};
    struct p2_id id = {{1, 2, 3}};
    uv_loop_t *loop = uv_default_loop();
    struct p2_log_options log_options = {
        .level = P2_LEVEL_NOTICE, .now_ms = now_ms, .now_context = loop, .write = write_log};
    struct p2_ctl_server_options options = {.path = argc == 2 ? argv[1] : ""};
    struct p2_ctl_common common = {.program = "ctl-daemon",
                                   .version = PACKAGE_VERSION,
                                   .id = &id,
                                   .log = &log_object,
                                   .started_ms = uv_now(loop),
                                   .describe = add_hostile_text};
    p2_log_init(&log_object, &log_options);
    if (p2_crypto_init() != P2_OK ||
        p2_ctl_server_start(&server, loop, &options, &failure) != P2_OK ||
        p2_ctl_common_add(server, &common) != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return EXIT_FAILURE;
    }
    input.data = server;
    if (uv_pipe_init(loop, &input, 0) != 0 || uv_pipe_open(&input, 0) != 0) {
        return EXIT_FAILURE;
    }
    input.data = server;
    (void)uv_read_start((uv_stream_t *)&input, allocate, on_input);
    (void)puts("ready");
    (void)fflush(stdout);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
