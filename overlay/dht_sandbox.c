/* Steps of the confinement; see the header for the order and the reasons. */
#include "overlay/dht_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The user that owns nothing, on every Linux. */
#define NOBODY 65534

/* Newer than the headers of Debian 12. Values from Linux's include/uapi. */
#define LANDLOCK_FS_ABI1     0x1fffull /* thirteen rights */
#define LANDLOCK_FS_REFER    0x2000ull /* ABI 2 */
#define LANDLOCK_FS_TRUNCATE 0x4000ull /* ABI 3 */
#define LANDLOCK_FS_IOCTL    0x8000ull /* ABI 5 */
#define LANDLOCK_NET_TCP     0x3ull    /* ABI 4: bind and connect */
#define LANDLOCK_SCOPE_ALL   0x3ull    /* ABI 6: abstract sockets and signals */

/* The type of a socket without its flags, from Linux's include/linux/net.h. */
#define SOCK_TYPE_BITS 0xf

struct landlock_ruleset {
    uint64_t fs, net, scoped;
};

static int close_descriptors(unsigned last_fd)
{
    return close_range(last_fd + 1, ~0u, 0);
}

static int not_root(void)
{
    if (geteuid() != 0 && getuid() != 0) {
        return 0;
    }
    if (syscall(SYS_setgroups, 0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0) {
        return -1;
    }
    return setresuid(NOBODY, NOBODY, NOBODY);
}

static int no_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* empty unless inherited */
    return (int)syscall(SYS_capset, &header, none);
}

/* No rule follows: nothing of what the ruleset handles is allowed. Files in memory stay reachable
 * through /proc/self/fd, which is how the library saves its state. */
static void restrict_files(void)
{
    struct landlock_ruleset rules = {.fs = LANDLOCK_FS_ABI1};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t size = sizeof rules.fs;
    if (abi < 1) {
        return; /* an older kernel: the user that owns nothing and the filter must do */
    }
    rules.fs |= abi >= 2 ? LANDLOCK_FS_REFER : 0;
    rules.fs |= abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0;
    rules.fs |= abi >= 5 ? LANDLOCK_FS_IOCTL : 0;
    if (abi >= 4) {
        rules.net = LANDLOCK_NET_TCP;
        size += sizeof rules.net;
    }
    if (abi >= 6) {
        rules.scoped = LANDLOCK_SCOPE_ALL;
        size += sizeof rules.scoped;
    }
    long fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd >= 0) {
        (void)syscall(SYS_landlock_restrict_self, fd, 0); /* best effort, as the header says */
        (void)close((int)fd);
    }
}

static int limit(int resource, rlim_t most)
{
    const struct rlimit both = {most, most};
    return setrlimit((__rlimit_resource_t)resource, &both);
}

static int set_limits(void)
{
    /* A file that grows too long is an error to its writer, not a reason to die. */
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return -1;
    }
#ifndef P2_SANITIZED
    if (limit(RLIMIT_AS, P2_DHT_ADDRESS_BYTES) != 0) {
        return -1;
    }
#endif
    if (limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_FSIZE, P2_DHT_FILE_BYTES) != 0 ||
        limit(RLIMIT_MEMLOCK, 0) != 0) {
        return -1;
    }
    return limit(RLIMIT_NOFILE, P2_DHT_DESCRIPTORS);
}

/* ---- the filter ------------------------------------------------------------------------------ */

/* Nothing the node does comes near these. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(memfd_secret),
    SCMP_SYS(open_by_handle_at),
};

#ifndef P2_SANITIZED
/* With any argument. Seen under strace, or what the C library does for threads, time and abort. */
static const int harmless[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(openat),
    SCMP_SYS(fcntl),
    SCMP_SYS(ftruncate),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(bind),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(membarrier),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static int allow(scmp_filter_ctx filter, int call, unsigned count,
                 const struct scmp_arg_cmp *conditions)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, conditions);
}

static int allow_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6};
    int error = 0;
    for (size_t i = 0; i < P2_COUNT_OF(families) && error == 0; i++) {
        const struct scmp_arg_cmp udp[] = {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0),
                                           SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, SOCK_DGRAM)};
        error = allow(filter, SCMP_SYS(socket), P2_COUNT_OF(udp), udp);
    }
    const struct scmp_arg_cmp interfaces[] = {SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
                                              SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0)};
    return error != 0 ? error
                      : allow(filter, SCMP_SYS(socket), P2_COUNT_OF(interfaces), interfaces);
}

static int allow_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable[] = {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)};
    int error = allow(filter, SCMP_SYS(mmap), 1, not_executable);
    return error != 0 ? error : allow(filter, SCMP_SYS(mprotect), 1, not_executable);
}

static int allow_threads(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp thread[] = {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)};
    const struct scmp_arg_cmp name[] = {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0)};
    const struct scmp_arg_cmp asking[] = {SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0)};
    const struct scmp_arg_cmp own[] = {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)};
    int error = allow(filter, SCMP_SYS(clone), 1, thread);
    if (error == 0) { /* its arguments lie in memory; the C library then takes clone */
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    if (error == 0) {
        error = allow(filter, SCMP_SYS(prctl), 1, name);
    }
    if (error == 0) {
        error = allow(filter, SCMP_SYS(prlimit64), P2_COUNT_OF(asking), asking);
    }
    return error != 0 ? error : allow(filter, SCMP_SYS(tgkill), 1, own); /* abort() */
}

static int allow_all(scmp_filter_ctx filter)
{
    static const unsigned long requests[] = {FIONREAD, FIONBIO};
    int error = 0;
    for (size_t i = 0; i < P2_COUNT_OF(harmless) && error == 0; i++) {
        error = allow(filter, harmless[i], 0, NULL);
    }
    for (size_t i = 0; i < P2_COUNT_OF(requests) && error == 0; i++) {
        const struct scmp_arg_cmp request[] = {SCMP_A1(SCMP_CMP_EQ, requests[i], 0)};
        error = allow(filter, SCMP_SYS(ioctl), 1, request);
    }
    if (error == 0) {
        error = allow_sockets(filter);
    }
    if (error == 0) {
        error = allow_memory(filter);
    }
    return error != 0 ? error : allow_threads(filter);
}
#define OTHERWISE SCMP_ACT_ERRNO(EPERM)
#else
static int allow_all(scmp_filter_ctx filter)
{
    (void)filter;
    return 0;
}
#define OTHERWISE SCMP_ACT_ALLOW
#endif

static int load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(OTHERWISE);
    if (filter == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < P2_COUNT_OF(deadly) && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
        error = error == -EDOM ? 0 : error; /* this architecture has no such call */
    }
    if (error == 0) {
        error = allow_all(filter);
    }
    if (error == 0) {
        error = seccomp_load(filter);
    }
    seccomp_release(filter);
    errno = -error;
    return error == 0 ? 0 : -1;
}

int p2_dht_sandbox_enter(unsigned last_fd, int *ret_errno)
{
    bool is_confined = close_descriptors(last_fd) == 0 && not_root() == 0 &&
                       no_capabilities() == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                       prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    if (is_confined) {
        restrict_files();
        is_confined =
            set_limits() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && load_filter() == 0;
    }
    if (!is_confined) {
        *ret_errno = errno;
        return P2_E_UNSUPPORTED;
    }
    return P2_OK;
}
