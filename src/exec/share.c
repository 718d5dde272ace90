/* CPU quota by cgroup; see the header. File formats: Linux's Documentation/admin-guide/cgroup-v2.rst
 * and Documentation/scheduler/sched-bwc.rst. */
#include "exec/share.h"

#include "base/error.h"
#include "exec/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest line of /proc/mounts or /proc/self/cgroup that is understood. */
#define LINE_MAX_BYTES (2u * PATH_MAX)

struct p2_share {
    char folder[PATH_MAX]; /* the workers' group */
    bool is_v2;
    int fd;           /* the group's folder */
    int flags;        /* of open, for the group's files */
    const char *root; /* before every absolute path */
};

void p2_share_quota(uint32_t permille, uint32_t cpus, uint64_t *ret_quota_us,
                    uint64_t *ret_period_us)
{
    uint64_t parts = (uint64_t)permille * cpus;
    uint64_t period = P2_SHARE_PERIOD_US;
    P2_ASSERT(parts > 0);
    /* Below 1 ms the kernel refuses the quota: the period grows instead. */
    if (parts * period < 1000u * P2_SHARE_QUOTA_MIN_US) {
        period = 1000u * P2_SHARE_QUOTA_MIN_US / parts;
    }
    uint64_t quota = parts * period / 1000u;
    *ret_quota_us = quota < P2_SHARE_QUOTA_MIN_US ? P2_SHARE_QUOTA_MIN_US : quota;
    *ret_period_us = period;
}

/* Writes `text` to folder/name. */
static int put(const struct p2_share *share, int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, share->flags, 0644);
    if (fd < 0) {
        return P2_E_IO;
    }
    size_t size = strlen(text);
    ssize_t written = write(fd, text, size);
    int failed = close(fd);
    return written == (ssize_t)size && failed == 0 ? P2_OK : P2_E_IO;
}

static int put_pid(const struct p2_share *share, int folder, pid_t pid)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%ld", (long)pid); /* fits: a long has 20 characters */
    return put(share, folder, "cgroup.procs", text);
}

/* True when the comma list `list` has `word`. */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += size) {
        bool starts = at == list || at[-1] == ',';
        bool ends = at[size] == '\0' || at[size] == ',';
        if (starts && ends) {
            return true;
        }
    }
    return false;
}

static FILE *open_list(const struct p2_share *share, const char *path)
{
    char whole[PATH_MAX];
    int length = snprintf(whole, sizeof whole, "%s%s", share->root, path);
    return length > 0 && (size_t)length < sizeof whole ? fopen(whole, "re") : NULL;
}

/* Where the hierarchy with the cpu controller (version 1), or version 2, is mounted. */
static bool find_mount(const struct p2_share *share, bool is_v2, char out[PATH_MAX])
{
    char line[LINE_MAX_BYTES], folder[PATH_MAX], kind[32], options[PATH_MAX];
    bool found = false;
    FILE *file = open_list(share, "/proc/self/mounts");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%*s %4095s %31s %4095s", folder, kind, options) != 3) {
            continue;
        }
        found = is_v2 ? strcmp(kind, "cgroup2") == 0
                      : strcmp(kind, "cgroup") == 0 && has_word(options, "cpu");
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    if (found) {
        memcpy(out, folder, sizeof folder);
    }
    return found;
}

/* The caller's own group in that hierarchy, relative to its mount. */
static bool find_own(const struct p2_share *share, bool is_v2, char out[PATH_MAX])
{
    char line[LINE_MAX_BYTES];
    bool found = false;
    FILE *file = open_list(share, "/proc/self/cgroup");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL) {
            continue;
        }
        *path = '\0';
        path[strcspn(path + 1, "\n") + 1] = '\0';
        found = is_v2 ? controllers[1] == '\0' : has_word(controllers + 1, "cpu");
        if (found && (size_t)snprintf(out, PATH_MAX, "%s", path + 1) >= PATH_MAX) {
            found = false;
        }
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    return found;
}

/* Lets children of the own group have CPU limits (version 2). The group must be free of processes,
 * so this process moves to a leaf first if that is what is missing. */
static int delegate_cpu(const struct p2_share *share, int own)
{
    if (put(share, own, "cgroup.subtree_control", "+cpu") == P2_OK) {
        return P2_OK;
    }
    if (mkdirat(own, "p2c2r-daemon", 0755) != 0 && errno != EEXIST) {
        return P2_E_IO;
    }
    int leaf = openat(own, "p2c2r-daemon", O_DIRECTORY | O_CLOEXEC);
    int error = leaf >= 0 ? put_pid(share, leaf, getpid()) : P2_E_IO;
    if (error == P2_OK) {
        error = put(share, own, "cgroup.subtree_control", "+cpu");
        if (error != P2_OK) {
            (void)put_pid(share, own,
                          getpid()); /* back to where we were; else the leaf is as good */
        }
    }
    if (leaf >= 0) {
        (void)close(leaf); /* a folder: nothing to lose */
    }
    if (error != P2_OK) {
        (void)unlinkat(own, "p2c2r-daemon", AT_REMOVEDIR); /* best effort */
    }
    return error;
}

/* Tries one version. On success share->fd is open and `pid` has moved. */
static int try_version(struct p2_share *share, bool is_v2, pid_t pid)
{
    char mount[PATH_MAX], path[PATH_MAX], name[64];
    share->is_v2 = is_v2;
    if (!find_mount(share, is_v2, mount) || !find_own(share, is_v2, path) ||
        (size_t)snprintf(share->folder, sizeof share->folder, "%s%s%s", share->root, mount,
                         strcmp(path, "/") == 0 ? "" : path) >= sizeof share->folder) {
        return P2_E_UNSUPPORTED;
    }
    int own = open(share->folder, O_DIRECTORY | O_CLOEXEC);
    if (own < 0) {
        return P2_E_UNSUPPORTED;
    }
    (void)snprintf(name, sizeof name, "p2c2r-workers-%ld", (long)pid); /* fits */
    int error = is_v2 ? delegate_cpu(share, own) : P2_OK;
    if (error == P2_OK && mkdirat(own, name, 0755) != 0) {
        error = P2_E_UNSUPPORTED;
    }
    size_t used = strlen(share->folder);
    if (error == P2_OK && (size_t)snprintf(share->folder + used, sizeof share->folder - used, "/%s",
                                           name) >= sizeof share->folder - used) {
        error = P2_E_UNSUPPORTED;
    }
    if (error == P2_OK) {
        share->fd = openat(own, name, O_DIRECTORY | O_CLOEXEC);
        /* The files must be there: a version 2 mount may have its CPU controller elsewhere. */
        bool can = share->fd >= 0 && p2_share_set(share, 1000, 1) == P2_OK &&
                   put_pid(share, share->fd, pid) == P2_OK;
        if (!can) {
            (void)unlinkat(own, name, AT_REMOVEDIR); /* best effort */
            error = P2_E_UNSUPPORTED;
        }
    }
    (void)close(own); /* a folder: nothing to lose */
    if (error != P2_OK && share->fd >= 0) {
        (void)close(share->fd);
        share->fd = -1;
    }
    return error;
}

int p2_share_open(pid_t pid, struct p2_share **ret_share)
{
    return p2_share_open_in(NULL, pid, ret_share);
}

int p2_share_open_in(const char *fake_root, pid_t pid, struct p2_share **ret_share)
{
    struct p2_share *share = calloc(1, sizeof *share);
    if (share == NULL) {
        return P2_E_NOMEM;
    }
    share->fd = -1;
    share->root = fake_root != NULL ? fake_root : "";
    share->flags = O_WRONLY | O_CLOEXEC | (fake_root != NULL ? O_CREAT | O_TRUNC : 0);
    if (try_version(share, true, pid) != P2_OK && try_version(share, false, pid) != P2_OK) {
        free(share);
        return P2_E_UNSUPPORTED;
    }
    *ret_share = share;
    return P2_OK;
}

int p2_share_set(struct p2_share *share, uint32_t permille, uint32_t cpus)
{
    uint64_t quota, period;
    char text[64];
    bool is_limited = permille < 1000;
    p2_share_quota(permille, cpus, &quota, &period);
    if (share->is_v2) {
        if (is_limited) {
            (void)snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64, quota, period); /* fits */
        } else {
            (void)snprintf(text, sizeof text, "max %u", P2_SHARE_PERIOD_US);
        }
        return put(share, share->fd, "cpu.max", text);
    }
    /* A period is refused while the old quota does not go with it, so the limit is lifted first. */
    int error = put(share, share->fd, "cpu.cfs_quota_us", "-1");
    if (error == P2_OK) {
        (void)snprintf(text, sizeof text, "%" PRIu64, is_limited ? period : P2_SHARE_PERIOD_US);
        error = put(share, share->fd, "cpu.cfs_period_us", text);
    }
    if (error == P2_OK && is_limited) {
        (void)snprintf(text, sizeof text, "%" PRIu64, quota);
        error = put(share, share->fd, "cpu.cfs_quota_us", text);
    }
    return error;
}

void p2_share_close(struct p2_share *share)
{
    if (share == NULL) {
        return;
    }
    (void)close(share->fd);     /* a folder: nothing to lose */
    (void)rmdir(share->folder); /* best effort: an empty group costs nothing */
    free(share);
}
