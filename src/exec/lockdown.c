/* Lock-down steps; see the header for the order and the reasons. */
#include "exec/lockdown.h"

#include "exec/limits.h"
#include "exec/task.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user that owns nothing, on every Linux. */
#define NOBODY 65534

/* Newer than the headers of Debian 12. Values from Linux's include/uapi. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#define LANDLOCK_FS_ABI1     0x1fffull /* thirteen rights */
#define LANDLOCK_FS_REFER    0x2000ull /* ABI 2 */
#define LANDLOCK_FS_TRUNCATE 0x4000ull /* ABI 3 */
#define LANDLOCK_FS_IOCTL    0x8000ull /* ABI 5 */
#define LANDLOCK_NET_ALL     0x3ull    /* ABI 4: bind and connect */
#define LANDLOCK_SCOPE_ALL   0x3ull    /* ABI 6: abstract sockets and signals */

struct landlock_ruleset {
    uint64_t fs, net, scoped;
};

/* State of a stage that is running. */
struct stage {
    struct p2_lockdown *lock;
    int socket_fd;                       /* launcher */
    const struct p2_lock_worker *worker; /* worker */
};

/* One step: 0, or -1 with errno set. */
typedef int (*step_fn)(struct stage *stage);

struct step {
    enum p2_lock_step name;
    bool is_mandatory;
    step_fn run;
};

/* ---- launcher ------------------------------------------------------------------------------ */

static int empty_environment(struct stage *stage)
{
    (void)stage;
    return clearenv();
}

#ifdef P2_SANITIZED
/* The runtime's report goes to the standard error stream; its frames are several times larger. */
#define KEPT_STREAMS 1u
#define IS_SANITIZED true
#define STACK_BYTES  (8u * P2_WORKER_STACK_BYTES)
#else
#define KEPT_STREAMS 0u
#define IS_SANITIZED false
#define STACK_BYTES  P2_WORKER_STACK_BYTES
#endif

/* Closes everything but descriptors `first` .. `last`. */
static int close_all_but(unsigned first, unsigned last)
{
    if (close_range(0, first - 1 - KEPT_STREAMS, 0) != 0) {
        return -1;
    }
    return close_range(last + 1, ~0u, 0);
}

static int launcher_descriptors(struct stage *stage)
{
    if (stage->socket_fd != P2_LOCK_WAKE_FD &&
        dup3(stage->socket_fd, P2_LOCK_WAKE_FD, O_CLOEXEC) < 0) {
        return -1;
    }
    stage->socket_fd = P2_LOCK_WAKE_FD;
    return close_all_but(P2_LOCK_WAKE_FD, P2_LOCK_WAKE_FD);
}

/* Signals for a person or a service manager go to the daemon, which ends the launcher by closing
 * its socket after it has drained; a terminal's or a unit's signal to all must not cut it short. */
static int default_signals(struct stage *stage)
{
    static const int polite[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t blocked;
    (void)stage;
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP && signal(number, SIG_DFL) == SIG_ERR &&
            errno != EINVAL) { /* EINVAL: the C library keeps two for itself */
            return -1;
        }
    }
    (void)sigemptyset(&blocked); /* cannot fail */
    for (size_t i = 0; i < P2_COUNT_OF(polite); i++) {
        (void)sigaddset(&blocked, polite[i]); /* valid numbers: cannot fail */
    }
    return sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static int own_session(struct stage *stage)
{
    (void)stage;
    return setsid() < 0 ? -1 : 0;
}

static int oom_score(struct stage *stage)
{
    (void)stage;
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t written = write(fd, "1000", 4); /* the worst score, from proc(5) */
    (void)close(fd);                        /* procfs: nothing to lose */
    return written == 4 ? 0 : -1;
}

static int not_root(struct stage *stage)
{
    (void)stage;
    if (geteuid() != 0 && getuid() != 0) {
        return 0;
    }
    if (syscall(SYS_setgroups, 0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0) {
        return -1;
    }
    return 0;
}

static int user_namespace(struct stage *stage)
{
    (void)stage;
    return unshare(CLONE_NEWUSER);
}

static int net_namespace(struct stage *stage)
{
    (void)stage;
    return unshare(CLONE_NEWNET);
}

static int ipc_namespace(struct stage *stage)
{
    (void)stage;
    return unshare(CLONE_NEWIPC);
}

static int mount_namespace(struct stage *stage)
{
    (void)stage;
    return unshare(CLONE_NEWNS);
}

/* From here on children live in a namespace of their own; the first is its init and must stay. */
static int pid_namespace(struct stage *stage)
{
    if (unshare(CLONE_NEWPID) != 0) {
        return -1;
    }
    stage->lock->parent_seen = 0; /* a parent outside the namespace has no number in it */
    return 0;
}

/* An empty file system that cannot be written, mounted where every Linux has a folder; only in our
 * own mount namespace, where nobody else sees it. */
static int empty_root(struct stage *stage)
{
    if ((stage->lock->features & P2_LOCK_BIT(P2_LOCK_MOUNT_NAMESPACE)) == 0) {
        errno = ENOSYS;
        return -1;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("p2c2r", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=4k,nr_inodes=2,mode=0555") != 0 ||
        chdir("/proc") != 0 || chroot(".") != 0) {
        return -1;
    }
    return chdir("/");
}

static int no_capabilities(struct stage *stage)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    (void)stage;
    /* The bounding set only matters for exec, and only a privileged process may shrink it. */
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++) {
        (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* empty unless inherited */
    return (int)syscall(SYS_capset, &header, none);
}

/* ---- worker -------------------------------------------------------------------------------- */

static int parent_death(struct stage *stage)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return -1;
    }
    /* The launcher may have died before the line above. */
    if (getppid() != stage->lock->parent_seen) {
        errno = ESRCH;
        return -1;
    }
    return 0;
}

static int set_priority(struct stage *stage)
{
    struct sched_param zero = {0};
    if (stage->worker->nice > 0 && setpriority(PRIO_PROCESS, 0, stage->worker->nice) != 0) {
        return -1;
    }
    return stage->worker->is_idle ? sched_setscheduler(0, SCHED_IDLE, &zero) : 0;
}

static int worker_descriptors(struct stage *stage)
{
    /* First out of the way of each other's target, then to their places. */
    int wake = fcntl(stage->worker->wake_fd, F_DUPFD_CLOEXEC, 16);
    int done = fcntl(stage->worker->done_fd, F_DUPFD_CLOEXEC, 16);
    if (wake < 0 || done < 0 || dup3(wake, P2_LOCK_WAKE_FD, O_CLOEXEC) < 0 ||
        dup3(done, P2_LOCK_DONE_FD, O_CLOEXEC) < 0) {
        return -1;
    }
    return close_all_but(P2_LOCK_WAKE_FD, P2_LOCK_DONE_FD);
}

void p2_lockdown_reset_float(void)
{
    int failed = fesetenv(FE_DFL_ENV);
    P2_ASSERT(failed == 0);
}

static int floating_point(struct stage *stage)
{
    (void)stage;
    return fesetenv(FE_DFL_ENV) == 0 ? 0 : -1;
}

/* What the fault handler compares addresses with. A process has one stack, hence one variable. */
static uintptr_t stack_top;

/* Bytes around the stack's end that are taken for an overflow: a frame may be large. */
#define STACK_MARGIN (1u << 20)

/* First page that may be mapped on any Linux is above this address (vm.mmap_min_addr). */
#define NULL_MARGIN (64u << 10)

static enum p2_task_trap trap_of(int number, const siginfo_t *info)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    switch (number) {
    case SIGFPE:
        return P2_TRAP_NUMBER;
    case SIGILL:
    case SIGTRAP:
        return P2_TRAP_CODE;
    case SIGSYS:
        return P2_TRAP_ALLOCATE; /* the filter raises it for nothing else */
    default:
        break;
    }
    if (address < stack_top && stack_top - address < STACK_BYTES + STACK_MARGIN) {
        return P2_TRAP_STACK;
    }
    return number == SIGSEGV && info->si_code == SEGV_MAPERR && address < NULL_MARGIN
               ? P2_TRAP_NULL
               : P2_TRAP_ACCESS;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    /* Not _exit: what sanitizers do before a function that does not return is forbidden by now. */
    (void)syscall(SYS_exit_group, P2_LOCK_EXIT_TRAP + (int)trap_of(number, info));
}

/* Handlers only name the trap; without them the same signals would end the process unnamed. */
static int fault_handlers(struct stage *stage)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    static uint8_t alternate[64 << 10]; /* AVX-512 state alone takes 2.7 KiB */
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action;
    stack_top = (uintptr_t)stage->lock->stack_start;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (sigaltstack(&stack, NULL) != 0) {
        return -1;
    }
    for (size_t i = 0; i < P2_COUNT_OF(faults); i++) {
        if (sigaction(faults[i], &action, NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

static int no_new_privs(struct stage *stage)
{
    (void)stage;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int landlock(struct stage *stage)
{
    (void)stage;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return -1;
    }
    struct landlock_ruleset rules = {
        .fs = LANDLOCK_FS_ABI1 | (abi >= 2 ? LANDLOCK_FS_REFER : 0) |
              (abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0) | (abi >= 5 ? LANDLOCK_FS_IOCTL : 0),
        .net = abi >= 4 ? LANDLOCK_NET_ALL : 0,
        .scoped = abi >= 6 ? LANDLOCK_SCOPE_ALL : 0,
    };
    size_t size = abi >= 6   ? sizeof rules
                  : abi >= 4 ? offsetof(struct landlock_ruleset, scoped)
                             : offsetof(struct landlock_ruleset, net);
    long fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0) {
        return -1;
    }
    long result = syscall(SYS_landlock_restrict_self, fd, 0);
    int saved = errno;
    (void)close((int)fd); /* the domain stays */
    errno = saved;
    return result == 0 ? 0 : -1;
}

static int no_exec_memory(struct stage *stage)
{
    (void)stage;
    return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
}

/* Reading the time stamp counter faults, and with it the clocks of the vDSO: no kernel can depend
 * on time or measure another process's caches. x86 only. */
static int no_clock(struct stage *stage)
{
    /* The runtimes of sanitizers read the clock. */
    if (!stage->worker->hides_clock || IS_SANITIZED) {
        errno = ENOTSUP;
        return -1;
    }
    return prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
}

static int rlimits(struct stage *stage)
{
    const uint64_t growth = STACK_BYTES + P2_WORKER_SLACK_BYTES;
    const uint64_t address = stage->lock->address_bytes + stage->worker->mapped_bytes + growth;
    const uint64_t data = stage->lock->data_bytes + growth;
    const struct {
        int which;
        uint64_t most;
    } limits[] = {
        {RLIMIT_AS, IS_SANITIZED ? UINT64_MAX : address},
        {RLIMIT_DATA, IS_SANITIZED ? UINT64_MAX : data},
        {RLIMIT_STACK, STACK_BYTES},
        {RLIMIT_CPU, P2_WORKER_CPU_MAX_S},
        {RLIMIT_FSIZE, 0},
        {RLIMIT_CORE, 0},
        {RLIMIT_NOFILE, 0},
        {RLIMIT_NPROC, 0},
        {RLIMIT_MEMLOCK, 0},
        {RLIMIT_LOCKS, 0},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_RTPRIO, 0},
        {RLIMIT_NICE, 0},
        {RLIMIT_SIGPENDING, 0},
    };
    for (size_t i = 0; i < P2_COUNT_OF(limits); i++) {
        struct rlimit limit = {(rlim_t)limits[i].most, (rlim_t)limits[i].most};
        /* The service manager may have set a lower hard limit; it stays, and is safe. */
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)limits[i].which, &now) != 0) {
            return -1;
        }
        limit.rlim_max = now.rlim_max < limit.rlim_max ? now.rlim_max : limit.rlim_max;
        limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
        if (setrlimit((__rlimit_resource_t)limits[i].which, &limit) != 0) {
            return -1;
        }
    }
    return 0;
}

static int not_dumpable(struct stage *stage)
{
    (void)stage;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int load_filter(struct stage *stage)
{
    int result = seccomp_load(stage->lock->filter);
    errno = -result;
    return result == 0 ? 0 : -1;
}

/* ---- the filter ---------------------------------------------------------------------------- */

#ifdef P2_SANITIZED
/* What the runtimes of ASan, UBSan and TSan were seen to call in a worker. */
static int allow_runtime(scmp_filter_ctx filter)
{
    static const int calls[] = {
        SCMP_SYS(futex),          SCMP_SYS(munmap),       SCMP_SYS(madvise), SCMP_SYS(sched_yield),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),  SCMP_SYS(gettid),  SCMP_SYS(getpid),
        SCMP_SYS(rt_sigreturn),   SCMP_SYS(rt_sigaction),
    };
    int result = 0;
    for (size_t i = 0; i < P2_COUNT_OF(calls) && result == 0; i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }
    if (result == 0) { /* reports */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                                  SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0));
    }
    return result;
}
#else
static int allow_runtime(scmp_filter_ctx filter)
{
    (void)filter;
    return 0;
}
#endif

static int add_rules(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 2,
                                  SCMP_A0(SCMP_CMP_EQ, P2_LOCK_WAKE_FD, 0),
                                  SCMP_A2(SCMP_CMP_EQ, sizeof(uint64_t), 0));
    }
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 2,
                                  SCMP_A0(SCMP_CMP_EQ, P2_LOCK_DONE_FD, 0),
                                  SCMP_A2(SCMP_CMP_EQ, sizeof(uint64_t), 0));
    }
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit_group), 0);
    }
    if (result == 0) {
        result = allow_runtime(filter);
    }
    /* Asking for memory is an honest kernel's mistake; it gets a name of its own. */
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(brk), 0);
    }
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(mremap), 0);
    }
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return result;
}

static int build_filter(struct p2_lockdown *lock)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        errno = EOPNOTSUPP; /* the library does not say why; too old or forbidden, most likely */
        return -1;
    }
    int result = add_rules(filter);
    if (result != 0) {
        seccomp_release(filter);
        errno = -result;
        return -1;
    }
    lock->filter = filter;
    return 0;
}

/* ---- stages -------------------------------------------------------------------------------- */

static const struct step launcher_steps[] = {
    {P2_LOCK_ENVIRONMENT, true, empty_environment},
    {P2_LOCK_LAUNCHER_DESCRIPTORS, true, launcher_descriptors},
    {P2_LOCK_SIGNALS, true, default_signals},
    {P2_LOCK_SESSION, true, own_session},
    {P2_LOCK_OOM_SCORE, false, oom_score},
    {P2_LOCK_UID, false, not_root},
    {P2_LOCK_USER_NAMESPACE, false, user_namespace},
    {P2_LOCK_NET_NAMESPACE, false, net_namespace},
    {P2_LOCK_IPC_NAMESPACE, false, ipc_namespace},
    {P2_LOCK_MOUNT_NAMESPACE, false, mount_namespace},
    {P2_LOCK_PID_NAMESPACE, false, pid_namespace},
    {P2_LOCK_EMPTY_ROOT, false, empty_root},
    {P2_LOCK_CAPABILITIES, true, no_capabilities},
};

static const struct step worker_steps[] = {
    {P2_LOCK_PARENT_DEATH, true, parent_death},
    {P2_LOCK_PRIORITY, false, set_priority},
    {P2_LOCK_DESCRIPTORS, true, worker_descriptors},
    {P2_LOCK_FLOATING_POINT, true, floating_point},
    {P2_LOCK_FAULTS, true, fault_handlers},
    {P2_LOCK_NO_NEW_PRIVS, true, no_new_privs},
    {P2_LOCK_LANDLOCK, false, landlock},
    {P2_LOCK_NO_EXEC_MEMORY, false, no_exec_memory},
    {P2_LOCK_NO_CLOCK, false, no_clock},
    {P2_LOCK_RLIMITS, true, rlimits},
    {P2_LOCK_NOT_DUMPABLE, true, not_dumpable},
    {P2_LOCK_SECCOMP, true, load_filter},
};

static int run_steps(struct stage *stage, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        errno = 0;
        if (steps[i].run(stage) == 0) {
            stage->lock->features |= P2_LOCK_BIT(steps[i].name);
        } else if (steps[i].is_mandatory) {
            stage->lock->failed_step = steps[i].name;
            stage->lock->failed_errno = errno;
            return P2_E_UNSUPPORTED;
        }
    }
    return P2_OK;
}

const char *p2_lock_step_text(unsigned step)
{
    static const char *const texts[] = {
#define P2_LOCK(name, text) text,
        P2_LOCK_STEPS(P2_LOCK)
#undef P2_LOCK
    };
    return step < P2_COUNT_OF(texts) ? texts[step] : "unknown";
}

bool p2_lock_is_mandatory(unsigned step)
{
    for (size_t i = 0; i < P2_COUNT_OF(launcher_steps); i++) {
        if ((unsigned)launcher_steps[i].name == step) {
            return launcher_steps[i].is_mandatory;
        }
    }
    for (size_t i = 0; i < P2_COUNT_OF(worker_steps); i++) {
        if ((unsigned)worker_steps[i].name == step) {
            return worker_steps[i].is_mandatory;
        }
    }
    return false;
}

/* Reads the sizes the rlimits are measured from; procfs is out of reach later. */
static int read_sizes(struct p2_lockdown *lock)
{
    unsigned long long total = 0, data = 0;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return -1;
    }
    int fields = fscanf(file, "%llu %*u %*u %*u %*u %llu", &total, &data);
    (void)fclose(file); /* it was only read */
    if (fields != 2) {
        errno = EIO;
        return -1;
    }
    lock->address_bytes = total * page;
    lock->data_bytes = data * page;
    return 0;
}

int p2_lockdown_launcher(struct p2_lockdown *lock, int socket_fd, int *ret_socket_fd)
{
    struct stage stage = {.lock = lock, .socket_fd = socket_fd};
    *ret_socket_fd = socket_fd; /* where to report, also when a step fails */
    lock->parent_seen = getpid();
    if (read_sizes(lock) != 0) {
        lock->failed_step = P2_LOCK_RLIMITS;
        lock->failed_errno = errno;
        return P2_E_UNSUPPORTED;
    }
    if (build_filter(lock) != 0) {
        lock->failed_step = P2_LOCK_SECCOMP;
        lock->failed_errno = errno;
        return P2_E_UNSUPPORTED;
    }
    int error = run_steps(&stage, launcher_steps, P2_COUNT_OF(launcher_steps));
    *ret_socket_fd = stage.socket_fd;
    return error;
}

int p2_lockdown_worker(struct p2_lockdown *lock, const struct p2_lock_worker *worker)
{
    struct stage stage = {.lock = lock, .socket_fd = -1, .worker = worker};
    return run_steps(&stage, worker_steps, P2_COUNT_OF(worker_steps));
}
