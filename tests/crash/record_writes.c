/* LD_PRELOAD: records what a store writes to its data file, and lets writes fail.
 *
 *   P2_RECORD_LOG=FILE   appends a record per operation, see record_writes.h
 *   P2_FAIL_AT=N         operation N (from 1) on a data file fails
 *   P2_FAIL_HOW=eio      nothing is done, EIO (default); short: half is written, the rest is not
 *                        late: it is done and EIO reported, and the next one is not done
 *   P2_FAIL_MARK=FILE    made when that operation was reached
 *
 * Covers what LMDB and our own code use to write: write, pwrite, writev, pwritev, fsync, fdatasync,
 * msync, ftruncate, rename; and open and close, to know the files. */
#include "tests/crash/record_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX   1024
#define VECTORS_MAX 64

#define EXPORT __attribute__((visibility("default")))

enum { NOT_OURS, DATA, DATA_SYNC, FOLDER };

static unsigned char kinds[FILES_MAX];
static int log_fd = -1;
static unsigned long operations, fail_at;
static bool is_short, is_late, is_ready;

static void prepare(void)
{
    if (is_ready) {
        return;
    }
    is_ready = true;
    const char *log = getenv("P2_RECORD_LOG"), *at = getenv("P2_FAIL_AT");
    const char *how = getenv("P2_FAIL_HOW");
    fail_at = at != NULL ? strtoul(at, NULL, 10) : 0;
    is_short = how != NULL && strcmp(how, "short") == 0;
    is_late = how != NULL && strcmp(how, "late") == 0;
    if (log != NULL) {
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0600);
    }
}

static void record(enum record_kind kind, uint64_t offset, const struct iovec *parts, int count)
{
    struct record_head head = {.kind = kind, .offset = offset};
    struct iovec all[VECTORS_MAX + 1];
    if (log_fd < 0 || count > VECTORS_MAX) {
        return;
    }
    all[0] = (struct iovec){.iov_base = &head, .iov_len = sizeof head};
    for (int i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        head.size += parts[i].iov_len;
    }
    if (syscall(SYS_writev, log_fd, all, count + 1) < 0) {
        abort(); /* a record with holes proves nothing */
    }
}

EXPORT void p2_record_mark(uint64_t number);
void p2_record_mark(uint64_t number)
{
    prepare();
    record(RECORD_MARK, number, NULL, 0);
}

enum fate { WORKS, FAILS, FAILS_AFTER };

/* Counts an operation on a data file and says what becomes of it. */
static enum fate next_fate(void)
{
    operations++;
    if (fail_at > 0 && is_late && operations == fail_at + 1) {
        return FAILS;
    }
    if (operations != fail_at) {
        return WORKS;
    }
    const char *mark = getenv("P2_FAIL_MARK");
    if (mark != NULL) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        (void)syscall(SYS_close, fd);
    }
    return is_late ? FAILS_AFTER : FAILS;
}

static int fail(void)
{
    errno = EIO;
    return -1;
}

static unsigned char kind_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX ? kinds[fd] : NOT_OURS;
}

/* ---- files -------------------------------------------------------------------------------------- */

static int note_open(int fd, const char *path, int flags)
{
    struct stat status;
    size_t length = strlen(path);
    if (fd < 0 || fd >= FILES_MAX) {
        return fd;
    }
    bool is_data = length >= 8 && strcmp(path + length - 8, "data.mdb") == 0;
    kinds[fd] = is_data && (flags & O_ACCMODE) != O_RDONLY
                    ? ((flags & O_DSYNC) != 0 ? DATA_SYNC : DATA)
                : (flags & O_DIRECTORY) != 0 && fstat(fd, &status) == 0 ? FOLDER
                                                                        : NOT_OURS;
    return fd;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    prepare();
    return note_open((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, flags);
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return do_open(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return do_open(path, flags | O_LARGEFILE, mode);
}

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < FILES_MAX) {
        kinds[fd] = NOT_OURS;
    }
    return (int)syscall(SYS_close, fd);
}

EXPORT int rename(const char *from, const char *to)
{
    int result = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    size_t length = strlen(to);
    if (result == 0 && length >= 8 && strcmp(to + length - 8, "data.mdb") == 0) {
        record(RECORD_RENAME, 0, NULL, 0);
    }
    return result;
}

/* ---- writes -------------------------------------------------------------------------------------- */

static ssize_t do_write(int fd, const struct iovec *parts, int count, off_t offset, bool has_offset)
{
    struct iovec half;
    enum fate fate = WORKS;
    unsigned char kind = kind_of(fd);
    if (kind == DATA || kind == DATA_SYNC) {
        uint64_t at = (uint64_t)(has_offset ? offset : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR));
        fate = next_fate();
        if (fate == FAILS && !is_short) {
            return fail();
        }
        if (fate == FAILS) {
            half = (struct iovec){.iov_base = parts[0].iov_base, .iov_len = parts[0].iov_len / 2};
            parts = &half;
            count = 1;
        }
        record(kind == DATA_SYNC ? RECORD_WRITE_SYNC : RECORD_WRITE, at, parts, count);
    }
    ssize_t result = has_offset ? syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L)
                                : syscall(SYS_writev, fd, parts, (long)count);
    return fate == FAILS_AFTER ? fail() : result;
}

static struct iovec one(const void *bytes, size_t size)
{
    union {
        const void *read_only;
        void *any;
    } pointer = {.read_only = bytes};
    return (struct iovec){.iov_base = pointer.any, .iov_len = size};
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
    struct iovec part = one(bytes, size);
    return do_write(fd, &part, 1, 0, false);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    struct iovec part = one(bytes, size);
    return do_write(fd, &part, 1, offset, true);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    struct iovec part = one(bytes, size);
    return do_write(fd, &part, 1, offset, true);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return do_write(fd, parts, count, 0, false);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return do_write(fd, parts, count, offset, true);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return do_write(fd, parts, count, offset, true);
}

static int do_sync(int fd, long call)
{
    unsigned char kind = kind_of(fd);
    if (kind == DATA || kind == DATA_SYNC) {
        if (next_fate() != WORKS) {
            return fail(); /* what a failed sync wrote is unknown */
        }
        record(RECORD_SYNC, 0, NULL, 0);
    } else if (kind == FOLDER) {
        record(RECORD_SYNC_FOLDER, 0, NULL, 0);
    }
    return (int)syscall(call, fd);
}

EXPORT int fsync(int fd)
{
    return do_sync(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return do_sync(fd, SYS_fdatasync);
}

EXPORT int msync(void *address, size_t size, int flags)
{
    record(RECORD_UNEXPECTED, 1, NULL, 0); /* default durability never maps for writing */
    return (int)syscall(SYS_msync, address, size, (long)flags);
}

static int do_truncate(int fd, off_t size)
{
    if (kind_of(fd) == DATA) {
        record(RECORD_TRUNCATE, (uint64_t)size, NULL, 0);
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
    return do_truncate(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return do_truncate(fd, size);
}
