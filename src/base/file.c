/* open, fstat, read; write, fsync, rename. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes asked for at once. Chosen: configuration files fit. */
#define READ_CHUNK 4096

int p2_file_error(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return P2_E_NOENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return P2_E_PERM;
    case ELOOP:
        return P2_E_BAD_MODE;
    case ENOSPC:
    case EDQUOT:
        return P2_E_NODISK;
    case ENOMEM:
        return P2_E_NOMEM;
    default:
        return P2_E_IO;
    }
}

static int fail_errno(struct p2_failure *failure, const char *doing, const char *path)
{
    int number = errno;
    return p2_fail(failure, p2_file_error(number), "cannot %s %s: %s", doing, path, strerror(number));
}

static int check_status(const struct stat *status, const char *path,
                        const struct p2_file_rules *rules, struct p2_failure *failure)
{
    if (!S_ISREG(status->st_mode)) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s is not a regular file", path);
    }
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s belongs to user %u; it must be root's or ours",
                       path, (unsigned)status->st_uid);
    }
    if ((status->st_mode & rules->forbidden_mode) != 0) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s has mode %04o; run: chmod %04o %s", path,
                       (unsigned)(status->st_mode & 07777),
                       (unsigned)(status->st_mode & 07777 & ~rules->forbidden_mode), path);
    }
    return P2_OK;
}

static int read_all(struct p2_buf *buf, int fd, const char *path, struct p2_failure *failure)
{
    for (;;) {
        uint8_t chunk[READ_CHUNK];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno(failure, "read", path);
        }
        if (got == 0) {
            return P2_OK;
        }
        int error = p2_buf_append(buf, p2_span(chunk, (size_t)got));
        if (error != P2_OK) {
            return error == P2_E_LIMIT
                       ? p2_fail(failure, error, "%s is longer than %zu bytes", path, buf->limit)
                       : p2_fail(failure, error, "%s: out of memory", path);
        }
    }
}

int p2_file_read(struct p2_buf *buf, const char *path, const struct p2_file_rules *rules,
                 mode_t *ret_mode, struct p2_failure *failure)
{
    struct stat status;
    /* O_NONBLOCK: a FIFO at that place must not stop the program. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
                            (rules->no_symlink ? O_NOFOLLOW : 0));
    if (fd < 0) {
        return fail_errno(failure, "open", path);
    }
    int error = fstat(fd, &status) == 0 ? check_status(&status, path, rules, failure)
                                        : fail_errno(failure, "examine", path);
    if (error == P2_OK) {
        error = read_all(buf, fd, path, failure);
    }
    (void)close(fd); /* it was only read */
    if (error == P2_OK && ret_mode != NULL) {
        *ret_mode = status.st_mode & 07777;
    }
    return error;
}

static int write_all(int fd, struct p2_span bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return -1;
        }
        bytes.data += written;
        bytes.size -= (size_t)written;
    }
    return 0;
}

/* Makes the rename itself survive a power cut. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    (void)snprintf(folder, sizeof folder, "%.*s", (int)length, path);
    int fd = open(length > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int result = fsync(fd);
    (void)close(fd); /* it was only synced */
    return result;
}

int p2_file_replace(const char *path, struct p2_span bytes, mode_t mode,
                    enum p2_file_durability durability, struct p2_failure *failure)
{
    char temporary[PATH_MAX];
    bool is_durable = durability == P2_FILE_DURABLE;
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(failure, "make a file beside", path);
    }
    int error = P2_OK;
    if (fchmod(fd, mode) != 0 || write_all(fd, bytes) != 0 || (is_durable && fsync(fd) != 0)) {
        error = fail_errno(failure, "write", temporary);
    }
    if (close(fd) != 0 && error == P2_OK) {
        error = fail_errno(failure, "write", temporary);
    }
    if (error == P2_OK && rename(temporary, path) != 0) {
        error = fail_errno(failure, "replace", path);
    }
    if (error != P2_OK) {
        (void)unlink(temporary); /* best effort: the error is reported already */
        return error;
    }
    return is_durable && sync_folder(path) != 0 ? fail_errno(failure, "sync the folder of", path)
                                                : P2_OK;
}
