/* Folder, modes, lock. */
#include "store/place.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bits nobody but the owner may have. */
#define OTHERS 0077

/* Room below which a short write means a full disk. Chosen: what one small commit touches. */
#define FULL_BYTES (256u << 10)

bool p2_place_is_full(const char *folder)
{
    struct statvfs room;
    return statvfs(folder, &room) == 0 &&
           (unsigned long long)room.f_bavail * room.f_frsize < FULL_BYTES;
}

static int fail_errno(struct p2_failure *failure, const char *doing, const char *path)
{
    int number = errno;
    if (number == EROFS) {
        return p2_fail(failure, P2_E_PERM,
                       "cannot %s %s: the file system is read-only; mount it for writing", doing,
                       path);
    }
    return p2_fail(failure, p2_file_error(number), "cannot %s %s: %s", doing, path,
                   strerror(number));
}

int p2_place_path(char path[PATH_MAX], const char *folder, const char *sub, const char *name)
{
    int length = sub == NULL ? snprintf(path, PATH_MAX, "%s/%s", folder, name)
                             : snprintf(path, PATH_MAX, "%s/%s/%s", folder, sub, name);
    return length < 0 || length >= PATH_MAX ? P2_E_INVALID : P2_OK;
}

static int check_owner(const struct stat *status, const char *path, struct p2_failure *failure)
{
    if (status->st_uid != geteuid()) {
        return p2_fail(failure, P2_E_BAD_MODE,
                       "%s belongs to user %u, not to user %u; run the daemon as its owner or chown"
                       " the store",
                       path, (unsigned)status->st_uid, (unsigned)geteuid());
    }
    if ((status->st_mode & OTHERS) != 0) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s has mode %04o; run: chmod %04o %s", path,
                       (unsigned)(status->st_mode & 07777),
                       (unsigned)(status->st_mode & 07777 & ~(unsigned)OTHERS), path);
    }
    return P2_OK;
}

static int check_folder(const char *folder, bool must_exist, struct p2_failure *failure)
{
    struct stat status;
    if (!must_exist && mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return fail_errno(failure, "make the folder", folder);
    }
    if (stat(folder, &status) != 0) {
        return fail_errno(failure, "open the store", folder);
    }
    if (!S_ISDIR(status.st_mode)) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s is not a folder", folder);
    }
    return check_owner(&status, folder, failure);
}

/* A file that may be missing. */
static int check_file(const char *folder, const char *name, bool *ret_exists,
                      struct p2_failure *failure)
{
    char path[PATH_MAX];
    struct stat status;
    if (p2_place_path(path, folder, NULL, name) != P2_OK) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", folder);
    }
    if (lstat(path, &status) != 0) {
        *ret_exists = false;
        return errno == ENOENT ? P2_OK : fail_errno(failure, "examine", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return p2_fail(failure, P2_E_BAD_MODE, "%s is not a regular file", path);
    }
    *ret_exists = true;
    return check_owner(&status, path, failure);
}

/* Who holds the lock, as the holder wrote it; for the message only. */
static long read_holder(int fd)
{
    char text[24] = "";
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

static int take_lock(const char *folder, int *ret_lock, struct p2_failure *failure)
{
    char path[PATH_MAX];
    if (p2_place_path(path, folder, NULL, P2_PLACE_MINE) != P2_OK) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", folder);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0) {
        return fail_errno(failure, "open", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno == EWOULDBLOCK
                        ? p2_fail(failure, P2_E_EXIST,
                                  "another process (%ld) has the store %s open; stop it first",
                                  read_holder(fd), folder)
                        : fail_errno(failure, "lock", path);
        (void)close(fd); /* nothing was written */
        return error;
    }
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Only a hint for the message above: a full disk must not keep the store closed. */
    if (ftruncate(fd, 0) == 0) {
        ssize_t written = pwrite(fd, text, (size_t)length, 0);
        (void)written; /* see above */
    }
    *ret_lock = fd;
    return P2_OK;
}

/* What a crash left while a store was made; nothing in it was ever promised. */
static void remove_new(const char *folder)
{
    static const char *const names[] = {P2_PLACE_DATA, P2_PLACE_LOCK};
    char path[PATH_MAX];
    for (size_t i = 0; i < P2_COUNT_OF(names); i++) {
        if (p2_place_path(path, folder, P2_PLACE_NEW, names[i]) == P2_OK) {
            (void)unlink(path); /* often not there */
        }
    }
    if (p2_place_path(path, folder, NULL, P2_PLACE_NEW) == P2_OK) {
        (void)rmdir(path); /* often not there; p2_place_begin_new finds what stays */
    }
}

int p2_place_take(const char *folder, bool must_exist, int *ret_lock, bool *ret_is_new,
                  struct p2_failure *failure)
{
    bool has_data = false, has_lock = false;
    int lock = -1;
    int error = check_folder(folder, must_exist, failure);
    if (error == P2_OK) {
        error = check_file(folder, P2_PLACE_DATA, &has_data, failure);
    }
    if (error == P2_OK) {
        error = check_file(folder, P2_PLACE_LOCK, &has_lock, failure);
    }
    if (error == P2_OK && !has_data && must_exist) {
        error = p2_fail(failure, P2_E_NOENT, "%s holds no store (no %s)", folder, P2_PLACE_DATA);
    }
    if (error == P2_OK) {
        error = take_lock(folder, &lock, failure);
    }
    if (error != P2_OK) {
        return error;
    }
    remove_new(folder);
    *ret_lock = lock;
    *ret_is_new = !has_data;
    return P2_OK;
}

int p2_place_begin_new(const char *folder, struct p2_failure *failure)
{
    char path[PATH_MAX];
    if (p2_place_path(path, folder, NULL, P2_PLACE_NEW) != P2_OK) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", folder);
    }
    return mkdir(path, 0700) == 0 ? P2_OK : fail_errno(failure, "make the folder", path);
}

int p2_place_end_new(const char *folder, struct p2_failure *failure)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (p2_place_path(from, folder, P2_PLACE_NEW, P2_PLACE_DATA) != P2_OK ||
        p2_place_path(to, folder, NULL, P2_PLACE_DATA) != P2_OK) {
        return p2_fail(failure, P2_E_INVALID, "%s: the path is too long", folder);
    }
    if (rename(from, to) != 0) {
        return fail_errno(failure, "make", to);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int synced = fd < 0 ? -1 : fsync(fd);
    int error = synced == 0 ? P2_OK : fail_errno(failure, "sync the folder", folder);
    if (fd >= 0) {
        (void)close(fd); /* it was only synced */
    }
    remove_new(folder);
    return error;
}
