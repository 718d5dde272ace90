/* The control socket's server: uv_poll over plain sockets, because requests may carry descriptors,
 * which libuv's pipes pass on only together with framing of their own. */
#include "ctl/server.h"

#include "base/reserve.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Supplementary groups looked at. Chosen: far above what people have (the kernel's own NGROUPS_MAX
 * of 65,536 would be 256 KiB of stack). */
#define GROUPS_MAX 256

/* Bytes read from a client at once. Chosen: most requests are below 1 KiB. */
#define READ_CHUNK 4096

/* Unsent answer bytes of one client; beyond that it does not read and is dropped. Room for four of
 * the longest answers. */
#define OUTPUT_MAX (4u * P2_CTL_ANSWER_MAX)

/* How long the listener rests when it cannot even turn a client away for want of a descriptor.
 * Chosen: a moment for the machine, not long for a person. */
#define REST_MS 100

/* Longest message of an error answer. */
#define MESSAGE_MAX P2_FAILURE_MESSAGE_MAX

struct client {
    struct p2_ctl_server *server;
    uv_poll_t poll;
    int fd;
    uid_t uid;
    unsigned open_calls;
    unsigned references; /* the poll handle + each open call */
    bool is_closing;
    bool is_discarding; /* inside a line that is too long */
    int passed_fd;      /* came with the bytes now in `input`, waits for its request; or -1 */
    struct p2_buf input;
    struct p2_buf output;
    size_t output_sent; /* bytes of `output` already sent */
};

struct p2_ctl_call {
    struct client *client;
    struct p2_ctl_request request;
    int fd; /* descriptor that came along, or -1 */
};

struct p2_ctl_server {
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t rest; /* runs while the listener rests */
    struct p2_reserve reserve;
    uv_idle_t idle; /* runs while clients have requests left over from the last turn */
    int fd;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    bool has_group;
    gid_t group;
    struct client *clients[P2_CTL_CLIENTS_MAX];
    struct p2_ctl_command commands[P2_CTL_COMMANDS_MAX];
    size_t command_count;
    unsigned references; /* own handles + clients not yet freed */
    bool is_stopping;
    struct p2_ctl_server_stats stats;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

static void client_event(uv_poll_t *poll, int status, int events);
static void serve_left_over(uv_idle_t *idle);

/* ---- life and death ----------------------------------------------------------------------------- */

static void server_release(struct p2_ctl_server *server)
{
    P2_ASSERT(server->references > 0);
    if (--server->references > 0) {
        return;
    }
    void (*on_closed)(void *ctx) = server->on_closed;
    void *ctx = server->on_closed_ctx;
    free(server);
    if (on_closed != NULL) {
        on_closed(ctx);
    }
}

static void client_release(struct client *client)
{
    P2_ASSERT(client->references > 0);
    if (--client->references == 0) {
        struct p2_ctl_server *server = client->server;
        free(client);
        server_release(server);
    }
}

static void client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    (void)close(client->fd); /* nothing to do about a failing close */
    client_release(client);
}

static void drop_passed_fd(struct client *client)
{
    if (client->passed_fd >= 0) {
        (void)close(client->passed_fd);
        client->passed_fd = -1;
    }
}

static void client_close(struct client *client)
{
    struct p2_ctl_server *server = client->server;
    if (client->is_closing) {
        return;
    }
    client->is_closing = true;
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        if (server->clients[i] == client) {
            server->clients[i] = NULL;
        }
    }
    server->stats.clients--;
    drop_passed_fd(client);
    p2_buf_free(&client->input);
    p2_buf_free(&client->output);
    uv_close((uv_handle_t *)&client->poll, client_closed);
}

/* ---- output ------------------------------------------------------------------------------------- */

static bool has_line(const struct client *client)
{
    return client->input.size > 0 && memchr(client->input.data, '\n', client->input.size) != NULL;
}

/* Polls for what can be done now. A client with whole lines waiting, or too many calls open, is not
 * read: its bytes stay in the kernel and it feels the back-pressure. */
static void update_poll(struct client *client)
{
    int events = 0;
    if (client->open_calls < P2_CTL_CALLS_MAX && !has_line(client)) {
        events |= UV_READABLE;
    }
    if (client->output_sent < client->output.size) {
        events |= UV_WRITABLE;
    }
    if (events == 0) {
        (void)uv_poll_stop(&client->poll); /* cannot fail */
    } else {
        (void)uv_poll_start(&client->poll, events,
                            client_event); /* fails on closing handles only */
    }
}

/* Sends what is queued as far as the socket takes it. Closes the client when it is gone. */
static void flush(struct client *client)
{
    while (client->output_sent < client->output.size) {
        ssize_t sent = send(client->fd, client->output.data + client->output_sent,
                            client->output.size - client->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (sent < 0) {
            client_close(client);
            return;
        }
        client->output_sent += (size_t)sent;
    }
    p2_buf_clear(&client->output);
    client->output_sent = 0;
}

/* Takes `line`. NULL (out of memory, or an answer above its limit) closes the client, which then
 * at least does not wait for ever. */
static void client_send(struct client *client, char *line)
{
    if (!client->is_closing) {
        if (client->output_sent > 0) {
            p2_buf_consume(&client->output, client->output_sent);
            client->output_sent = 0;
        }
        if (line == NULL || p2_buf_append(&client->output, p2_span(line, strlen(line))) != P2_OK) {
            client_close(client);
        } else {
            flush(client);
        }
    }
    if (!client->is_closing) {
        update_poll(client);
    }
    free(line);
}

/* ---- calls --------------------------------------------------------------------------------------- */

static void call_end(struct p2_ctl_call *call, char *line)
{
    struct client *client = call->client;
    client->open_calls--;
    client->server->stats.served++;
    if (call->fd >= 0) {
        (void)close(call->fd);
    }
    p2_ctl_request_free(&call->request);
    free(call);
    client_send(client, line);
    if (!client->is_closing && has_line(client)) {
        (void)uv_idle_start(&client->server->idle, serve_left_over);
    }
    client_release(client);
}

const json_t *p2_ctl_call_arguments(const struct p2_ctl_call *call)
{
    return call->request.arguments;
}

uv_loop_t *p2_ctl_call_loop(const struct p2_ctl_call *call)
{
    return call->client->server->loop;
}

uid_t p2_ctl_call_uid(const struct p2_ctl_call *call)
{
    return call->client->uid;
}

int p2_ctl_call_take_fd(struct p2_ctl_call *call)
{
    int fd = call->fd;
    call->fd = -1;
    return fd;
}

void p2_ctl_reply(struct p2_ctl_call *call, json_t *result)
{
    if (result == NULL) {
        p2_ctl_refuse(call, P2_E_NOMEM, "out of memory");
        return;
    }
    char *line = p2_ctl_answer_line(call->request.id, result);
    json_decref(result);
    if (line == NULL) {
        line = p2_ctl_error_line(call->request.id, P2_E_TOO_BIG, "the answer is too long");
    }
    call_end(call, line);
}

void p2_ctl_refuse(struct p2_ctl_call *call, int error, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) {
        text[0] = '\0';
    }
    va_end(arguments);
    call->client->server->stats.refused++;
    call_end(call, p2_ctl_error_line(call->request.id, error, text));
}

static const struct p2_ctl_command *find_command(const struct p2_ctl_server *server,
                                                 const char *name)
{
    for (size_t i = 0; i < server->command_count; i++) {
        if (strcmp(server->commands[i].name, name) == 0) {
            return &server->commands[i];
        }
    }
    return NULL;
}

/* Takes the request. */
static void call_begin(struct client *client, const struct p2_ctl_request *request)
{
    struct p2_ctl_server *server = client->server;
    const struct p2_ctl_command *command = find_command(server, request->command);
    struct p2_ctl_call *call = malloc(sizeof *call);
    if (call == NULL) {
        json_decref(request->arguments);
        client_close(client);
        return;
    }
    *call = (struct p2_ctl_call){client, *request, client->passed_fd};
    client->passed_fd = -1;
    client->open_calls++;
    client->references++;
    if (command == NULL) {
        p2_ctl_refuse(call, P2_E_NOENT, "this daemon has no command \"%s\"", request->command);
    } else if (command->access == P2_CTL_ADMIN && client->uid != 0 && client->uid != geteuid()) {
        p2_ctl_refuse(call, P2_E_PERM, "\"%s\" is for root and the daemon's own user",
                      request->command);
    } else {
        command->handler(call, command->ctx);
    }
}

/* ---- input --------------------------------------------------------------------------------------- */

static void serve_line(struct client *client, struct p2_span line)
{
    struct p2_ctl_request request;
    struct p2_failure failure = {0};
    if (p2_ctl_request_parse(&request, line, &failure) == P2_OK) {
        call_begin(client, &request);
        return;
    }
    client->server->stats.refused++;
    drop_passed_fd(client);
    client_send(client, p2_ctl_error_line(request.id, failure.code, failure.message));
}

/* Serves a few of the whole lines that are there. The client may be closing afterwards. */
static void serve_lines(struct client *client)
{
    for (int i = 0; i < P2_CTL_REQUESTS_PER_TURN; i++) {
        const uint8_t *data = client->input.data;
        const uint8_t *end = client->input.size > 0 && client->open_calls < P2_CTL_CALLS_MAX
                                 ? memchr(data, '\n', client->input.size)
                                 : NULL;
        if (end == NULL) {
            break;
        }
        size_t length = (size_t)(end - data);
        if (client->is_discarding) {
            client->is_discarding = false;
        } else if (length > 0) {
            serve_line(client, p2_span(data, length));
        }
        if (client->is_closing) {
            return;
        }
        p2_buf_consume(&client->input, length + 1);
    }
    if (has_line(client)) {
        (void)uv_idle_start(&client->server->idle, serve_left_over);
    } else if (client->input.size > P2_CTL_REQUEST_MAX || client->is_discarding) {
        if (!client->is_discarding) {
            client->is_discarding = true;
            client->server->stats.refused++;
            client_send(client, p2_ctl_error_line(0, P2_E_TOO_BIG, "the request is too long"));
        }
        if (!client->is_closing) {
            p2_buf_clear(&client->input);
        }
    }
    if (!client->is_closing) {
        update_poll(client);
    }
}

static void serve_left_over(uv_idle_t *idle)
{
    struct p2_ctl_server *server = idle->data;
    bool is_more = false;
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        struct client *client = server->clients[i];
        if (client != NULL && client->open_calls < P2_CTL_CALLS_MAX && has_line(client)) {
            client->references++; /* serving may close it */
            serve_lines(client);
            is_more = is_more || (!client->is_closing && has_line(client) &&
                                  client->open_calls < P2_CTL_CALLS_MAX);
            client_release(client);
        }
        if (server->is_stopping) {
            return;
        }
    }
    if (!is_more) {
        (void)uv_idle_stop(idle);
    }
}

/* Keeps the last descriptor of the message, closes all others. */
static void keep_descriptor(struct client *client, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            drop_passed_fd(client);
            memcpy(&client->passed_fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
    }
}

/* Reads once. Returns false when the client is gone. */
static bool read_some(struct client *client)
{
    uint8_t chunk[READ_CHUNK];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {chunk, sizeof chunk};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    }
    keep_descriptor(client, &message);
    return got > 0 && p2_buf_append(&client->input, p2_span(chunk, (size_t)got)) == P2_OK;
}

static void client_event(uv_poll_t *poll, int status, int events)
{
    struct client *client = poll->data;
    client->references++; /* serving may close it */
    if (status < 0) {
        client_close(client);
    }
    if (!client->is_closing && (events & UV_WRITABLE) != 0) {
        flush(client);
        if (!client->is_closing) {
            update_poll(client);
        }
    }
    if (!client->is_closing && (events & UV_READABLE) != 0) {
        if (read_some(client)) {
            serve_lines(client);
        } else {
            client_close(client);
        }
    }
    client_release(client);
}

/* ---- accepting ----------------------------------------------------------------------------------- */

/* May this peer talk to us at all? */
static bool is_welcome(const struct p2_ctl_server *server, int fd, uid_t *ret_uid)
{
    struct ucred who;
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        return false;
    }
    *ret_uid = who.uid;
    if (who.uid == 0 || who.uid == geteuid()) {
        return true;
    }
    if (!server->has_group) {
        return false;
    }
    size = sizeof groups;
    if (who.gid == server->group) {
        return true;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        return false;
    }
    for (size_t i = 0; i < size / sizeof groups[0]; i++) {
        if (groups[i] == server->group) {
            return true;
        }
    }
    return false;
}

/* Says why, as far as the socket takes it at once, and hangs up. */
static void turn_away(struct p2_ctl_server *server, int fd, int error, const char *text)
{
    char *line = p2_ctl_error_line(0, error, text);
    server->stats.refused++;
    if (line != NULL) {
        (void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT); /* a courtesy only */
        free(line);
    }
    (void)close(fd);
}

static struct client **free_place(struct p2_ctl_server *server)
{
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        if (server->clients[i] == NULL) {
            return &server->clients[i];
        }
    }
    return NULL;
}

static void admit(struct p2_ctl_server *server, int fd)
{
    uid_t uid;
    if (!is_welcome(server, fd, &uid)) {
        turn_away(server, fd, P2_E_PERM, "you are not in the group that may control this daemon");
        return;
    }
    struct client **place = free_place(server);
    struct client *client = place != NULL ? calloc(1, sizeof *client) : NULL;
    if (client == NULL || uv_poll_init(server->loop, &client->poll, fd) != 0) {
        free(client);
        turn_away(server, fd, P2_E_BUSY, "too many control connections");
        return;
    }
    client->server = server;
    client->poll.data = client;
    client->fd = fd;
    client->uid = uid;
    client->references = 1;
    client->passed_fd = -1;
    p2_buf_init(&client->input, P2_CTL_REQUEST_MAX + READ_CHUNK);
    p2_buf_init(&client->output, OUTPUT_MAX);
    server->references++;
    server->stats.clients++;
    *place = client;
    update_poll(client);
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *rest)
{
    struct p2_ctl_server *server = rest->data;
    (void)uv_poll_start(&server->poll, UV_READABLE, on_connection); /* cannot fail when open */
}

/* No descriptor is left for a client. False: no more can be done for now. */
static bool turn_away_with_reserve(struct p2_ctl_server *server)
{
    int fd = p2_reserve_accept(&server->reserve, server->fd);
    if (fd >= 0) {
        turn_away(server, fd, P2_E_LIMIT, "the daemon has no file descriptor left");
        (void)p2_reserve_fill(&server->reserve); /* else at the next need */
        return true;
    }
    if (p2_reserve_is_needed(errno)) { /* the client waits; without a rest the loop would spin */
        (void)uv_poll_stop(&server->poll);                          /* cannot fail */
        (void)uv_timer_start(&server->rest, on_rested, REST_MS, 0); /* cannot fail when open */
    }
    return false;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct p2_ctl_server *server = poll->data;
    (void)events;
    for (int i = 0; status == 0 && i < P2_CTL_CLIENTS_MAX; i++) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(server, fd);
        } else if (!p2_reserve_is_needed(errno) || !turn_away_with_reserve(server)) {
            return;
        }
    }
}

/* ---- start and stop ------------------------------------------------------------------------------ */

/* Removes the socket of a daemon that is gone. */
static int clear_path(const struct sockaddr_un *address, struct p2_failure *failure)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0) {
        return P2_OK;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return p2_fail(failure, P2_E_EXIST, "%s exists and is not a socket; remove it",
                       address->sun_path);
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return p2_fail(failure, P2_E_IO, "cannot make a socket: %s", strerror(errno));
    }
    bool is_alive =
        connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    (void)close(probe);
    if (is_alive) {
        return p2_fail(failure, P2_E_EXIST, "a daemon already listens on %s", address->sun_path);
    }
    (void)unlink(address->sun_path); /* if it fails, bind will say so */
    return P2_OK;
}

static int find_group(struct p2_ctl_server *server, const struct p2_ctl_server_options *options,
                      struct p2_failure *failure)
{
    server->has_group = options->has_group_id;
    server->group = options->group_id;
    if (options->group != NULL) {
        const struct group *group = getgrnam(options->group);
        if (group == NULL) {
            return p2_fail(failure, P2_E_NOENT, "there is no group %s", options->group);
        }
        server->has_group = true;
        server->group = group->gr_gid;
    }
    return P2_OK;
}

/* Binds with no rights for others, then opens it for the group alone. */
static int open_socket(struct p2_ctl_server *server, struct p2_failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server->path, sizeof address.sun_path);
    int error = clear_path(&address, failure);
    if (error != P2_OK) {
        return error;
    }
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    bool is_bound =
        server->fd >= 0 && bind(server->fd, (const struct sockaddr *)&address, sizeof address) == 0;
    int reason = errno;
    (void)umask(mask);
    if (is_bound && server->has_group &&
        (chown(server->path, (uid_t)-1, server->group) != 0 || chmod(server->path, 0660) != 0)) {
        is_bound = false;
        reason = errno;
        (void)unlink(server->path);
    }
    if (is_bound && listen(server->fd, P2_CTL_CLIENTS_MAX) == 0) {
        return P2_OK;
    }
    if (server->fd >= 0) {
        (void)close(server->fd);
    }
    return p2_fail(failure, reason == EACCES || reason == EPERM ? P2_E_PERM : P2_E_IO,
                   "cannot listen on %s: %s", server->path, strerror(reason));
}

int p2_ctl_server_start(struct p2_ctl_server **ret_server, uv_loop_t *loop,
                        const struct p2_ctl_server_options *options, struct p2_failure *failure)
{
    struct p2_ctl_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    int error = P2_OK;
    if (strlen(options->path) >= sizeof server->path || options->path[0] == '\0') {
        error = p2_fail(failure, P2_E_INVALID, "a socket's path has 1 to %zu characters: %s",
                        sizeof server->path - 1, options->path);
        goto out;
    }
    memcpy(server->path, options->path, strlen(options->path) + 1);
    server->loop = loop;
    error = find_group(server, options, failure);
    if (error == P2_OK) {
        error = open_socket(server, failure);
    }
    if (error != P2_OK) {
        goto out;
    }
    if (uv_poll_init(loop, &server->poll, server->fd) != 0) {
        (void)close(server->fd);
        error = p2_fail(failure, P2_E_IO, "cannot poll %s", server->path);
        goto out;
    }
    (void)uv_idle_init(loop, &server->idle);  /* cannot fail */
    (void)uv_timer_init(loop, &server->rest); /* cannot fail */
    server->reserve.fd = -1;
    (void)p2_reserve_fill(&server->reserve); /* else at the next need */
    server->rest.data = server;
    server->poll.data = server;
    server->idle.data = server;
    server->references = 3;
    (void)uv_poll_start(&server->poll, UV_READABLE, on_connection); /* cannot fail when open */
    *ret_server = server;
    server = NULL;
out:
    free(server);
    return error;
}

int p2_ctl_server_add(struct p2_ctl_server *server, const struct p2_ctl_command *command)
{
    if (find_command(server, command->name) != NULL) {
        return P2_E_EXIST;
    }
    if (server->command_count == P2_CTL_COMMANDS_MAX || strlen(command->name) >= P2_CTL_NAME_MAX) {
        return P2_E_LIMIT;
    }
    server->commands[server->command_count++] = *command;
    return P2_OK;
}

static void listener_closed(uv_handle_t *handle)
{
    struct p2_ctl_server *server = handle->data;
    (void)close(server->fd);
    p2_reserve_drop(&server->reserve);
    server_release(server);
}

static void handle_closed(uv_handle_t *handle)
{
    server_release(handle->data);
}

void p2_ctl_server_stop(struct p2_ctl_server *server, void (*on_closed)(void *ctx), void *ctx)
{
    P2_ASSERT(!server->is_stopping);
    server->is_stopping = true;
    server->on_closed = on_closed;
    server->on_closed_ctx = ctx;
    (void)unlink(server->path); /* it may be gone already */
    for (size_t i = 0; i < P2_CTL_CLIENTS_MAX; i++) {
        if (server->clients[i] != NULL) {
            client_close(server->clients[i]);
        }
    }
    uv_close((uv_handle_t *)&server->idle, handle_closed);
    uv_close((uv_handle_t *)&server->rest, handle_closed);
    uv_close((uv_handle_t *)&server->poll, listener_closed);
}

struct p2_ctl_server_stats p2_ctl_server_stats(const struct p2_ctl_server *server)
{
    return server->stats;
}
