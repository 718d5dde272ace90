/* confine UNIT CALLS USER GROUP PROGRAM ARGUMENT...
 *
 * Runs PROGRAM under the restrictions of a systemd unit without systemd, where no system manager
 * runs: a build machine, a clean Debian tree. CALLS is a file with the names of the system calls the
 * unit's SystemCallFilter allows, one a line (systemd-analyze syscall-filter expands its sets).
 *
 * Replayed: the user, the group, no new privileges, no capabilities, the system call list, address
 * families, namespaces, write-and-execute memory, realtime, set-user-id, personality, limits,
 * umask, a read-only file system but for the state and runtime folders, a private /tmp, no core.
 * A restriction in the unit that is in neither of the two tables below is an error: nothing is left
 * out silently. Those in `not_replayed` are printed. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define CAPABILITIES   64 /* more than the kernel knows; unknown ones are refused */

struct confinement {
    scmp_filter_ctx allowed; /* the list of calls */
    scmp_filter_ctx refused; /* calls with some arguments: a filter of its own, as under systemd,
                                since one with and without arguments would lose the former */
    char state[256];         /* "" = none */
    char runtime[256];       /* "" = none */
    bool is_read_only;
    bool has_private_tmp;
    bool families[AF_MAX];
    bool limits_families;
    unsigned seen;
};

static void die(const char *what, const char *object)
{
    (void)fprintf(stderr, "confine: %s: %s: %s\n", what, object, strerror(errno));
    exit(1);
}

/* What the machine's manager does and this tool cannot, or need not to show that the daemon runs. */
static const char *const not_replayed[] = {"PrivateUsers",
                                           "PrivateDevices",
                                           "PrivateMounts",
                                           "ProtectHostname",
                                           "ProtectClock",
                                           "ProtectKernelTunables",
                                           "ProtectKernelModules",
                                           "ProtectKernelLogs",
                                           "ProtectControlGroups",
                                           "ProtectProc",
                                           "ProtectHome",
                                           "RemoveIPC",
                                           "KeyringMode",
                                           "DevicePolicy",
                                           "CPUWeight",
                                           "CPUSchedulingPolicy",
                                           "IOSchedulingClass",
                                           "TasksMax",
                                           NULL};

/* No restrictions: how the daemon is started and stopped. */
static const char *const plain[] = {"Type",
                                    "NotifyAccess",
                                    "ExecStart",
                                    "ExecReload",
                                    "WatchdogSec",
                                    "Restart",
                                    "RestartSec",
                                    "User",
                                    "Group",
                                    "TimeoutStopSec",
                                    "Nice",
                                    "OOMScoreAdjust",
                                    "StateDirectoryMode",
                                    "RuntimeDirectoryMode",
                                    "UMask",
                                    "SystemCallFilter",
                                    "SystemCallArchitectures",
                                    "SystemCallErrorNumber",
                                    "NoNewPrivileges",
                                    "CapabilityBoundingSet",
                                    "AmbientCapabilities",
                                    NULL};

static bool is_in(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

static void refuse(struct confinement *c, int call, unsigned count, const struct scmp_arg_cmp *args)
{
    if (seccomp_rule_add_array(c->refused, SCMP_ACT_ERRNO(EPERM), call, count, args) != 0) {
        die("seccomp", "rule");
    }
}

static void no_namespaces(struct confinement *c)
{
    static const unsigned long kinds[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                          CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct scmp_arg_cmp has = SCMP_A0(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]);
        refuse(c, SCMP_SYS(unshare), 1, &has);
        refuse(c, SCMP_SYS(clone), 1, &has);
    }
    refuse(c, SCMP_SYS(setns), 0, NULL);
    /* Its flags lie in memory; the C library falls back to clone, as under systemd. */
    (void)seccomp_rule_add(c->refused, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static void no_writable_code(struct confinement *c)
{
    struct scmp_arg_cmp both =
        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC);
    struct scmp_arg_cmp code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
    refuse(c, SCMP_SYS(mmap), 1, &both);
    refuse(c, SCMP_SYS(mprotect), 1, &code);
    refuse(c, SCMP_SYS(pkey_mprotect), 1, &code);
    struct scmp_arg_cmp shared = SCMP_A2(SCMP_CMP_MASKED_EQ, 0100000, 0100000); /* SHM_EXEC */
    refuse(c, SCMP_SYS(shmat), 1, &shared);
}

static void no_realtime(struct confinement *c)
{
    static const int policies[] = {SCHED_FIFO, SCHED_RR, 6 /* SCHED_DEADLINE */};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)policies[i], 0);
        refuse(c, SCMP_SYS(sched_setscheduler), 1, &is);
    }
}

static void no_set_user_id(struct confinement *c)
{
    static const mode_t bits[] = {S_ISUID, S_ISGID};
    for (size_t i = 0; i < 2; i++) {
        struct scmp_arg_cmp second = SCMP_A1(SCMP_CMP_MASKED_EQ, bits[i], bits[i]);
        struct scmp_arg_cmp third = SCMP_A2(SCMP_CMP_MASKED_EQ, bits[i], bits[i]);
        refuse(c, SCMP_SYS(chmod), 1, &second);
        refuse(c, SCMP_SYS(fchmod), 1, &second);
        refuse(c, SCMP_SYS(fchmodat), 1, &third);
    }
}

static void only_families(struct confinement *c, const char *names)
{
    static const struct {
        const char *name;
        int family;
    } known[] = {{"AF_INET", AF_INET},
                 {"AF_INET6", AF_INET6},
                 {"AF_UNIX", AF_UNIX},
                 {"AF_NETLINK", AF_NETLINK}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *at = strstr(names, known[i].name);
        size_t length = strlen(known[i].name);
        c->families[known[i].family] = at != NULL && (at[length] == '\0' || at[length] == ' ' ||
                                                      strstr(at + 1, known[i].name));
    }
    for (int family = 0; family < AF_MAX; family++) {
        if (!c->families[family]) {
            struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0);
            refuse(c, SCMP_SYS(socket), 1, &is);
        }
    }
}

static void limit(int resource, const char *value)
{
    char *end = NULL;
    unsigned long long number = strtoull(value, &end, 10);
    if (*end == 'M') {
        number <<= 20;
    }
    struct rlimit both;
    if (getrlimit((__rlimit_resource_t)resource, &both) != 0) {
        die("getrlimit", value);
    }
    if (number > both.rlim_max) { /* root without all capabilities cannot raise it: stricter */
        (void)fprintf(stderr, "confine: %s is clipped to this machine's limit\n", value);
        number = both.rlim_max;
    }
    both = (struct rlimit){.rlim_cur = number, .rlim_max = number};
    if (setrlimit((__rlimit_resource_t)resource, &both) != 0) {
        die("setrlimit", value);
    }
}

static void folder(char *out, size_t capacity, const char *parent, const char *name)
{
    if (snprintf(out, capacity, "%s/%s", parent, name) >= (int)capacity) {
        die("name too long", name);
    }
}

/* One "Name=value" line of [Service]. */
static void apply(struct confinement *c, const char *name, const char *value)
{
    c->seen++;
    if (strcmp(name, "RestrictNamespaces") == 0) {
        no_namespaces(c);
    } else if (strcmp(name, "MemoryDenyWriteExecute") == 0) {
        no_writable_code(c);
    } else if (strcmp(name, "RestrictRealtime") == 0) {
        no_realtime(c);
    } else if (strcmp(name, "RestrictSUIDSGID") == 0) {
        no_set_user_id(c);
    } else if (strcmp(name, "LockPersonality") == 0) {
        refuse(c, SCMP_SYS(personality), 0, NULL);
    } else if (strcmp(name, "RestrictAddressFamilies") == 0) {
        only_families(c, value);
    } else if (strcmp(name, "LimitNOFILE") == 0) {
        limit(RLIMIT_NOFILE, value);
    } else if (strcmp(name, "LimitMEMLOCK") == 0) {
        limit(RLIMIT_MEMLOCK, value);
    } else if (strcmp(name, "LimitCORE") == 0) {
        limit(RLIMIT_CORE, value);
    } else if (strcmp(name, "StateDirectory") == 0) {
        folder(c->state, sizeof c->state, "/var/lib", value);
    } else if (strcmp(name, "RuntimeDirectory") == 0) {
        folder(c->runtime, sizeof c->runtime, "/run", value);
    } else if (strcmp(name, "ProtectSystem") == 0) {
        c->is_read_only = true;
    } else if (strcmp(name, "PrivateTmp") == 0) {
        c->has_private_tmp = true;
    } else if (is_in(not_replayed, name)) {
        (void)fprintf(stderr, "confine: not replayed: %s=%s\n", name, value);
    } else if (!is_in(plain, name)) {
        errno = ENOTSUP;
        die("unknown line of the unit", name);
    }
}

static void read_unit(struct confinement *c, const char *path)
{
    char line[LINE_MAX_BYTES];
    bool is_service = false;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        die("open", path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *equals = strchr(line, '=');
        if (line[0] == '[') {
            is_service = strcmp(line, "[Service]") == 0;
        } else if (is_service && line[0] != '#' && equals != NULL) {
            *equals = '\0';
            apply(c, line, equals + 1);
        }
    }
    (void)fclose(file);
}

static void allow_calls(struct confinement *c, const char *path)
{
    char name[LINE_MAX_BYTES];
    unsigned count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        die("open", path);
    }
    while (fgets(name, sizeof name, file) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        int call = seccomp_syscall_resolve_name(name);
        if (call != __NR_SCMP_ERROR && call >= 0) {
            if (seccomp_rule_add(c->allowed, SCMP_ACT_ALLOW, call, 0) != 0) {
                die("seccomp", name);
            }
            count++;
        }
    }
    (void)fclose(file);
    if (count < 100) {
        errno = EINVAL;
        die("hardly any system call is allowed", path);
    }
}

static void own_folder(const char *path, uid_t user, gid_t group, mode_t mode)
{
    if (path[0] != '\0' && ((mkdir(path, mode) != 0 && errno != EEXIST) ||
                            chown(path, user, group) != 0 || chmod(path, mode) != 0)) {
        die("folder", path);
    }
}

static void writable(const char *path)
{
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
    if (path[0] != '\0' &&
        (mount(path, path, NULL, MS_BIND, NULL) != 0 ||
         syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof attr) != 0)) {
        die("make writable", path);
    }
}

static void close_file_system(const struct confinement *c)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        die("mount namespace", "/");
    }
    if (c->has_private_tmp && mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL) != 0) {
        die("mount", "/tmp");
    }
    if (c->is_read_only) {
        if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof attr) != 0) {
            die("read-only", "/");
        }
        writable(c->state);
        writable(c->runtime);
        if (c->has_private_tmp) {
            writable("/tmp");
        }
    }
}

static void become(const struct passwd *user, gid_t group)
{
    for (int capability = 0; capability < CAPABILITIES; capability++) {
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    if (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(user->pw_uid) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        die("become", user->pw_name);
    }
    (void)umask(0077);
}

int main(int argc, char **argv)
{
    struct confinement c = {.allowed = seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                            .refused = seccomp_init(SCMP_ACT_ALLOW)};
    if (argc < 6) {
        (void)fprintf(stderr, "usage: confine UNIT CALLS USER GROUP PROGRAM ARGUMENT...\n");
        return 64;
    }
    const struct passwd *user = getpwnam(argv[3]);
    const struct group *group = getgrnam(argv[4]);
    if (c.allowed == NULL || c.refused == NULL || user == NULL || group == NULL) {
        die("no such user or group", argv[3]);
    }
    gid_t gid = group->gr_gid;
    allow_calls(&c, argv[2]);
    read_unit(&c, argv[1]);
    own_folder(c.state, user->pw_uid, gid, 0700);
    own_folder(c.runtime, user->pw_uid, gid, 0755);
    close_file_system(&c);
    become(user, gid);
    if (seccomp_load(c.refused) != 0 || seccomp_load(c.allowed) != 0) {
        die("seccomp", "load");
    }
    (void)execv(argv[5], argv + 5);
    die("exec", argv[5]);
    return 1;
}
