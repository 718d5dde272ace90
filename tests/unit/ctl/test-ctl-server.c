#include "tests/lib/test.h"

#include "ctl/client.h"
#include "ctl/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Chosen: longer than any machine is busy. */
#define PATIENCE_S 120

/* A loop with a server on it, in a thread of its own, so that the blocking client can be used. */
struct fixture {
    uv_loop_t loop;
    uv_async_t stop;
    struct p2_ctl_server *server;
    pthread_t thread;
    char path[200];
    struct p2_ctl_call *waiting; /* of the command "later" */
    int loop_close;
};

static struct fixture fixture;

static void on_echo(struct p2_ctl_call *call, void *ctx)
{
    (void)ctx;
    p2_ctl_reply(call, json_deep_copy(p2_ctl_call_arguments(call)));
}

static void on_refuse(struct p2_ctl_call *call, void *ctx)
{
    (void)ctx;
    p2_ctl_refuse(call, P2_E_STATE, "not %s", "now");
}

static void on_later(struct p2_ctl_call *call, void *ctx)
{
    struct fixture *f = ctx;
    if (f->waiting == NULL) {
        f->waiting = call;
        return;
    }
    struct p2_ctl_call *first = f->waiting;
    f->waiting = NULL;
    p2_ctl_reply(call, json_string("second"));
    p2_ctl_reply(first, json_string("first"));
}

static void on_fd(struct p2_ctl_call *call, void *ctx)
{
    (void)ctx;
    int fd = p2_ctl_call_take_fd(call);
    ssize_t written = fd >= 0 ? write(fd, "seen", 4) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    p2_ctl_reply(call, json_integer(written));
}

static void on_huge(struct p2_ctl_call *call, void *ctx)
{
    (void)ctx;
    char *text = malloc(P2_CTL_ANSWER_MAX);
    memset(text, 'x', P2_CTL_ANSWER_MAX - 1);
    text[P2_CTL_ANSWER_MAX - 1] = '\0';
    p2_ctl_reply(call, json_string(text));
    free(text);
}

static void on_big(struct p2_ctl_call *call, void *ctx)
{
    (void)ctx;
    char *text = malloc(P2_CTL_ANSWER_MAX / 2);
    memset(text, 'x', P2_CTL_ANSWER_MAX / 2 - 1);
    text[P2_CTL_ANSWER_MAX / 2 - 1] = '\0';
    p2_ctl_reply(call, json_string(text));
    free(text);
}

static void on_stop(uv_async_t *stop)
{
    struct fixture *f = stop->data;
    if (f->waiting != NULL) {
        p2_ctl_reply(f->waiting, json_null());
        f->waiting = NULL;
    }
    p2_ctl_server_stop(f->server, NULL, NULL);
    uv_close((uv_handle_t *)&f->stop, NULL);
}

static void *run(void *ctx)
{
    struct fixture *f = ctx;
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    f->loop_close = uv_loop_close(&f->loop);
    return NULL;
}

static void start_with_group(bool has_group, gid_t group)
{
    struct fixture *f = &fixture;
    const struct p2_ctl_command commands[] = {
        {"echo", P2_CTL_ANYONE, on_echo, f},   {"refuse", P2_CTL_ANYONE, on_refuse, f},
        {"later", P2_CTL_ANYONE, on_later, f}, {"fd", P2_CTL_ANYONE, on_fd, f},
        {"huge", P2_CTL_ANYONE, on_huge, f},   {"admin", P2_CTL_ADMIN, on_echo, f},
        {"big", P2_CTL_ANYONE, on_big, f},
    };
    memset(f, 0, sizeof *f);
    (void)snprintf(f->path, sizeof f->path, "%s/ctl", p2_test_folder_make());
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&f->loop), 0);
    CU_ASSERT_EQUAL_FATAL(uv_async_init(&f->loop, &f->stop, on_stop), 0);
    f->stop.data = f;
    struct p2_ctl_server_options options = {
        .path = f->path, .has_group_id = has_group, .group_id = group};
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_ctl_server_start(&f->server, &f->loop, &options, &failure), P2_OK);
    for (size_t i = 0; i < P2_COUNT_OF(commands); i++) {
        P2_ASSERT_ERROR(p2_ctl_server_add(f->server, &commands[i]), P2_OK);
    }
    P2_ASSERT_ERROR(p2_ctl_server_add(f->server, &commands[0]), P2_E_EXIST);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&f->thread, NULL, run, f), 0);
}

static void start(void)
{
    start_with_group(false, 0);
}

static void stop(void)
{
    struct stat status;
    (void)uv_async_send(&fixture.stop);
    (void)pthread_join(fixture.thread, NULL);
    P2_ASSERT_EQUAL(fixture.loop_close, 0);
    P2_ASSERT_EQUAL(stat(fixture.path, &status), -1);
    p2_test_folder_remove();
}

static struct p2_ctl_client *client_open(void)
{
    struct p2_ctl_client *client = NULL;
    struct p2_failure failure = {0};
    P2_ASSERT_ERROR(p2_ctl_client_open(&client, fixture.path, PATIENCE_S * 1000, &failure), P2_OK);
    return client;
}

static int call(struct p2_ctl_client *client, const char *command, const json_t *arguments,
                json_t **result, struct p2_failure *failure)
{
    *result = NULL;
    return p2_ctl_client_call(client, command, arguments, -1, result, failure);
}

static void raw_connect_with(int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {PATIENCE_S, 0};
    memcpy(address.sun_path, fixture.path, strlen(fixture.path) + 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    P2_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
}

static int raw_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    raw_connect_with(fd);
    return fd;
}

/* One line of the server, without its newline; the empty text when the connection ended. */
static void raw_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && recv(fd, line + length, 1, 0) == 1 && line[length] != '\n') {
        length++;
    }
    line[length] = '\0';
}

static void a_command_is_answered_with_its_result(void)
{
    start();
    struct p2_ctl_client *client = client_open();
    struct p2_failure failure;
    json_t *arguments = json_pack("{s:i}", "n", 5), *result;
    P2_ASSERT_ERROR(call(client, "echo", arguments, &result, &failure), P2_OK);
    CU_ASSERT(json_equal(result, arguments));
    json_decref(result);
    json_decref(arguments);
    P2_ASSERT_ERROR(call(client, "refuse", NULL, &result, &failure), P2_E_STATE);
    CU_ASSERT_STRING_EQUAL(failure.message, "not now");
    P2_ASSERT_ERROR(call(client, "dance", NULL, &result, &failure), P2_E_NOENT);
    P2_ASSERT_ERROR(call(client, "huge", NULL, &result, &failure), P2_E_TOO_BIG);
    P2_ASSERT_ERROR(call(client, "admin", NULL, &result, &failure), P2_OK);
    json_decref(result);
    p2_ctl_client_close(client);
    stop();
}

static void later_answers_find_their_request(void)
{
    start();
    int fd = raw_connect();
    char line[300];
    static const char requests[] = "{\"v\":1,\"id\":1,\"command\":\"later\"}\n"
                                   "{\"v\":1,\"id\":2,\"command\":\"later\"}\n";
    P2_ASSERT_EQUAL(send(fd, requests, strlen(requests), 0), (long)strlen(requests));
    raw_line(fd, line, sizeof line);
    CU_ASSERT_STRING_EQUAL(line, "{\"v\":1,\"id\":2,\"ok\":true,\"result\":\"second\"}");
    raw_line(fd, line, sizeof line);
    CU_ASSERT_STRING_EQUAL(line, "{\"v\":1,\"id\":1,\"ok\":true,\"result\":\"first\"}");
    (void)close(fd);
    stop();
}

static void an_answer_after_the_client_left_goes_nowhere(void)
{
    start();
    int fd = raw_connect();
    static const char request[] = "{\"v\":1,\"id\":1,\"command\":\"later\"}\n";
    P2_ASSERT_EQUAL(send(fd, request, strlen(request), 0), (long)strlen(request));
    (void)close(fd);
    struct p2_ctl_client *client = client_open();
    json_t *result;
    P2_ASSERT_ERROR(call(client, "later", NULL, &result, NULL), P2_OK);
    json_decref(result);
    p2_ctl_client_close(client);
    stop();
}

static void a_descriptor_travels_with_its_request(void)
{
    start();
    struct p2_ctl_client *client = client_open();
    json_t *result = NULL;
    int pipes[2];
    char text[5] = {0};
    CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
    P2_ASSERT_ERROR(p2_ctl_client_call(client, "fd", NULL, pipes[1], &result, NULL), P2_OK);
    P2_ASSERT_EQUAL(json_integer_value(result), 4);
    json_decref(result);
    P2_ASSERT_EQUAL(read(pipes[0], text, 4), 4);
    CU_ASSERT_STRING_EQUAL(text, "seen");
    P2_ASSERT_ERROR(call(client, "fd", NULL, &result, NULL), P2_OK);
    P2_ASSERT_EQUAL(json_integer_value(result), -1);
    json_decref(result);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    p2_ctl_client_close(client);
    stop();
}

static void too_long_and_malformed_lines_are_answered_and_the_connection_goes_on(void)
{
    start();
    int fd = raw_connect();
    char line[300];
    char *long_line = malloc(4 * P2_CTL_REQUEST_MAX);
    memset(long_line, 'y', 4 * P2_CTL_REQUEST_MAX);
    long_line[4 * P2_CTL_REQUEST_MAX - 1] = '\n';
    P2_ASSERT_EQUAL(send(fd, "nonsense\n\n", 10, 0), 10);
    raw_line(fd, line, sizeof line);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"MALFORMED\""));
    size_t sent = 0;
    while (sent < 4 * P2_CTL_REQUEST_MAX) {
        ssize_t got = send(fd, long_line + sent, 4 * P2_CTL_REQUEST_MAX - sent, 0);
        CU_ASSERT_FATAL(got > 0);
        sent += (size_t)got;
    }
    raw_line(fd, line, sizeof line);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"TOO_BIG\""));
    static const char request[] = "{\"v\":1,\"id\":3,\"command\":\"echo\"}\n";
    P2_ASSERT_EQUAL(send(fd, request, strlen(request), 0), (long)strlen(request));
    raw_line(fd, line, sizeof line);
    CU_ASSERT_STRING_EQUAL(line, "{\"v\":1,\"id\":3,\"ok\":true,\"result\":{}}");
    free(long_line);
    (void)close(fd);
    stop();
}

static void many_pipelined_requests_are_all_answered_in_order(void)
{
    start();
    int fd = raw_connect();
    char request[80], line[300], expected[100];
    for (int i = 0; i < 500; i++) {
        int length =
            snprintf(request, sizeof request, "{\"v\":1,\"id\":%d,\"command\":\"echo\"}\n", i);
        P2_ASSERT_EQUAL(send(fd, request, (size_t)length, 0), length);
    }
    for (int i = 0; i < 500; i++) {
        raw_line(fd, line, sizeof line);
        (void)snprintf(expected, sizeof expected, "{\"v\":1,\"id\":%d,\"ok\":true,\"result\":{}}",
                       i);
        CU_ASSERT_STRING_EQUAL(line, expected);
    }
    (void)close(fd);
    stop();
}

static void connections_above_the_limit_are_told_so(void)
{
    start();
    int fds[P2_CTL_CLIENTS_MAX];
    char line[300];
    static const char request[] = "{\"v\":1,\"id\":3,\"command\":\"echo\"}\n";
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        fds[i] = raw_connect();
        P2_ASSERT_EQUAL(send(fds[i], request, strlen(request), 0), (long)strlen(request));
        raw_line(fds[i], line, sizeof line);
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"ok\":true"));
    }
    struct p2_ctl_client *client = client_open();
    struct p2_failure failure;
    json_t *result;
    P2_ASSERT_ERROR(call(client, "echo", NULL, &result, &failure), P2_E_BUSY);
    p2_ctl_client_close(client);
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        (void)close(fds[i]);
    }
    stop();
}

static void a_client_that_does_not_read_is_dropped_and_others_are_served(void)
{
    start();
    int fd = raw_connect();
    static const char request[] = "{\"v\":1,\"id\":3,\"command\":\"big\"}\n";
    bool is_dropped = false;
    for (int i = 0; i < 20000 && !is_dropped; i++) {
        ssize_t sent = send(fd, request, strlen(request), MSG_NOSIGNAL);
        is_dropped = sent < 0;
        struct p2_ctl_client *client = client_open();
        json_t *result;
        P2_ASSERT_ERROR(call(client, "echo", NULL, &result, NULL), P2_OK);
        json_decref(result);
        p2_ctl_client_close(client);
    }
    CU_ASSERT(is_dropped);
    (void)close(fd);
    stop();
}

/* As another user and groups: 0 may administer, 1 refused, 2 may use but not administer. */
static int as_user(uid_t uid, gid_t gid, const gid_t *groups, size_t count)
{
    pid_t child = fork();
    if (child == 0) {
        struct p2_ctl_client *client = NULL;
        struct p2_failure failure = {0};
        json_t *result = NULL;
        if (setgroups(count, groups) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0) {
            _exit(99);
        }
        int error = p2_ctl_client_open(&client, fixture.path, PATIENCE_S * 1000, &failure);
        if (error == P2_OK) {
            error = p2_ctl_client_call(client, "admin", NULL, -1, &result, &failure);
            if (error == P2_E_PERM && strstr(failure.message, "daemon's own user") != NULL) {
                error = p2_ctl_client_call(client, "echo", NULL, -1, &result, &failure);
                _exit(error == P2_OK ? 2 : 98);
            }
        }
        _exit(error == P2_OK ? 0 : error == P2_E_PERM ? 1 : 97);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Other users get as far as the socket itself. */
static void open_folder(void)
{
    char folder[sizeof fixture.path];
    memcpy(folder, fixture.path, sizeof folder);
    *strrchr(folder, '/') = '\0';
    P2_ASSERT_EQUAL(chmod(folder, 0755), 0);
}

static void a_foreign_user_is_refused_by_the_mode_and_by_the_server(void)
{
    if (geteuid() != 0) {
        (void)printf("skipped: needs root to become another user\n");
        return;
    }
    start();
    open_folder();
    P2_ASSERT_EQUAL(as_user(65534, 65534, NULL, 0), 1);
    P2_ASSERT_EQUAL(chmod(fixture.path, 0666), 0);
    P2_ASSERT_EQUAL(as_user(65534, 65534, NULL, 0), 1);
    stop();
}

static void a_group_member_may_use_the_socket_but_not_administer(void)
{
    const gid_t group = 54321, other = 54322;
    struct stat status;
    if (geteuid() != 0) {
        (void)printf("skipped: needs root to become another user\n");
        return;
    }
    start_with_group(true, group);
    open_folder();
    P2_ASSERT_EQUAL(stat(fixture.path, &status), 0);
    P2_ASSERT_EQUAL(status.st_mode & 0777, 0660);
    P2_ASSERT_EQUAL(status.st_gid, group);
    P2_ASSERT_EQUAL(as_user(65534, group, NULL, 0), 2);
    P2_ASSERT_EQUAL(as_user(65534, 65534, &group, 1), 2);
    P2_ASSERT_EQUAL(chmod(fixture.path, 0666), 0);
    P2_ASSERT_EQUAL(as_user(65534, 65534, &other, 1), 1);
    stop();
}

static void a_dead_socket_is_replaced_a_living_one_and_a_file_are_not(void)
{
    start();
    struct p2_ctl_server *second = NULL;
    struct p2_failure failure = {0};
    uv_loop_t loop;
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
    struct p2_ctl_server_options options = {.path = fixture.path};
    P2_ASSERT_ERROR(p2_ctl_server_start(&second, &loop, &options, &failure), P2_E_EXIST);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "already listens"));

    char path[220];
    (void)snprintf(path, sizeof path, "%s-file", fixture.path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    options.path = path;
    P2_ASSERT_ERROR(p2_ctl_server_start(&second, &loop, &options, &failure), P2_E_EXIST);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "not a socket"));

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(path, sizeof path, "%s-dead", fixture.path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    P2_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    P2_ASSERT_ERROR(p2_ctl_server_start(&second, &loop, &options, &failure), P2_OK);
    p2_ctl_server_stop(second, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    P2_ASSERT_ERROR(p2_ctl_server_start(&second, &loop, &options, &failure), P2_E_INVALID);
    options.path = fixture.path;
    options.group = "no-such-group-anywhere";
    P2_ASSERT_ERROR(p2_ctl_server_start(&second, &loop, &options, &failure), P2_E_NOENT);
    P2_ASSERT_EQUAL(uv_loop_close(&loop), 0);
    stop();
}

static void without_descriptors_clients_are_turned_away_and_told_why(void)
{
    struct rlimit old;
    char line[300];
    json_t *result;
    start();
    struct p2_ctl_client *client = client_open();
    P2_ASSERT_ERROR(call(client, "echo", NULL, &result, NULL), P2_OK);
    json_decref(result);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p2_test_forbid_descriptors(&old);
    raw_connect_with(fd);
    raw_line(fd, line, sizeof line);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "no file descriptor left"));
    raw_line(fd, line, sizeof line);
    CU_ASSERT_STRING_EQUAL(line, "");                                  /* and hung up */
    P2_ASSERT_ERROR(call(client, "echo", NULL, &result, NULL), P2_OK); /* others are served */
    json_decref(result);
    p2_test_allow_descriptors(&old);
    struct p2_ctl_client *later = client_open();
    P2_ASSERT_ERROR(call(later, "echo", NULL, &result, NULL), P2_OK);
    json_decref(result);
    p2_ctl_client_close(later);
    p2_ctl_client_close(client);
    (void)close(fd);
    stop();
}

static void a_client_without_a_daemon_says_what_to_do(void)
{
    struct p2_ctl_client *client = NULL;
    struct p2_failure failure = {0};
    char path[300];
    (void)snprintf(path, sizeof path, "%s/none", p2_test_folder_make());
    P2_ASSERT_ERROR(p2_ctl_client_open(&client, path, 100, &failure), P2_E_NOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(failure.message, "is the daemon running?"));
    p2_test_folder_remove();
    p2_ctl_client_close(NULL);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        P2_TEST(a_command_is_answered_with_its_result),
        P2_TEST(later_answers_find_their_request),
        P2_TEST(an_answer_after_the_client_left_goes_nowhere),
        P2_TEST(a_descriptor_travels_with_its_request),
        P2_TEST(too_long_and_malformed_lines_are_answered_and_the_connection_goes_on),
        P2_TEST(many_pipelined_requests_are_all_answered_in_order),
        P2_TEST(connections_above_the_limit_are_told_so),
        P2_TEST(a_client_that_does_not_read_is_dropped_and_others_are_served),
        P2_TEST(a_foreign_user_is_refused_by_the_mode_and_by_the_server),
        P2_TEST(a_group_member_may_use_the_socket_but_not_administer),
        P2_TEST(a_dead_socket_is_replaced_a_living_one_and_a_file_are_not),
        P2_TEST(without_descriptors_clients_are_turned_away_and_told_why),
        P2_TEST(a_client_without_a_daemon_says_what_to_do),
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"ctl-server", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    return p2_test_main(argc, argv, suites);
}
