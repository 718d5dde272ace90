/* Blocking client of the control socket. */
#include "ctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

struct p2_ctl_client {
    int fd;
    int64_t next_id;
    struct p2_buf input;
};

static int connect_failed(struct p2_failure *failure, const char *path, int reason)
{
    switch (reason) {
    case ENOENT:
        return p2_fail(failure, P2_E_NOENT,
                       "no control socket at %s; is the daemon running? (or give --socket PATH)",
                       path);
    case ECONNREFUSED:
        return p2_fail(failure, P2_E_REFUSED,
                       "nobody listens on %s; the daemon is not running any more", path);
    case EACCES:
    case EPERM:
        return p2_fail(failure, P2_E_PERM, "you may not use %s; join the group p2c2r or use sudo",
                       path);
    default:
        return p2_fail(failure, P2_E_IO, "cannot connect to %s: %s", path, strerror(reason));
    }
}

int p2_ctl_client_open(struct p2_ctl_client **ret_client, const char *path, int timeout_ms,
                       struct p2_failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (strlen(path) >= sizeof address.sun_path) {
        return p2_fail(failure, P2_E_INVALID, "the socket's path is too long: %s", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct p2_ctl_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    p2_buf_init(&client->input, P2_CTL_ANSWER_MAX);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = connect_failed(failure, path, errno);
        p2_ctl_client_close(client);
        return error;
    }
    *ret_client = client;
    return P2_OK;
}

void p2_ctl_client_close(struct p2_ctl_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    p2_buf_free(&client->input);
    free(client);
}

static int io_failed(struct p2_failure *failure, ssize_t result)
{
    if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return p2_fail(failure, P2_E_TIMEOUT, "the daemon did not answer in time");
    }
    return p2_fail(failure, P2_E_CLOSED, "the daemon closed the connection");
}

/* Sends the whole line; the descriptor goes with its first byte. */
static int send_line(struct p2_ctl_client *client, char *line, int fd, struct p2_failure *failure)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    size_t left = strlen(line);
    for (char *at = line; left > 0;) {
        struct iovec part = {at, left};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (fd >= 0) {
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof control.bytes;
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(header), &fd, sizeof fd);
        }
        ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            /* A daemon that turned us away has said why before it hung up: read that first. */
            return errno == EPIPE ? P2_OK : io_failed(failure, sent);
        }
        fd = -1;
        at += sent;
        left -= (size_t)sent;
    }
    return P2_OK;
}

/* Reads until a line is there; its length without the newline goes to *ret_length. */
static int receive_line(struct p2_ctl_client *client, size_t *ret_length,
                        struct p2_failure *failure)
{
    for (;;) {
        const uint8_t *end =
            client->input.size > 0 ? memchr(client->input.data, '\n', client->input.size) : NULL;
        if (end != NULL) {
            *ret_length = (size_t)(end - client->input.data);
            return P2_OK;
        }
        uint8_t chunk[16384];
        ssize_t got = recv(client->fd, chunk, sizeof chunk, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return io_failed(failure, got);
        }
        if (p2_buf_append(&client->input, p2_span(chunk, (size_t)got)) != P2_OK) {
            return p2_fail(failure, P2_E_TOO_BIG, "the daemon's answer is too long");
        }
    }
}

int p2_ctl_client_call(struct p2_ctl_client *client, const char *command, const json_t *arguments,
                       int fd, json_t **ret_result, struct p2_failure *failure)
{
    int64_t id = ++client->next_id;
    size_t length = 0;
    char *line = p2_ctl_request_line(id, command, arguments);
    if (line == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    int error = send_line(client, line, fd, failure);
    free(line);
    if (error == P2_OK) {
        error = receive_line(client, &length, failure);
    }
    if (error == P2_OK) {
        error = p2_ctl_answer_parse(ret_result, p2_span(client->input.data, length), id, failure);
        p2_buf_consume(&client->input, length + 1);
    }
    return error;
}
