/* The launcher process and the daemon's end of it; see the header. */
#include "exec/launcher.h"

#include "exec/limits.h"
#include "exec/lockdown.h"
#include "exec/slot.h"
#include "exec/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Workers alive at a time: each seat may have one dying while the next one starts. */
#define CHILDREN_MAX (2u * P2_POOL_WORKERS_MAX)

/* Descriptors of one message: slot, wake, done, blobs. */
#define MESSAGE_FDS_MAX 4u

/* Patience with a launcher that does not report. Chosen: milliseconds on a quiet machine; making a
 * network namespace waits for the clean-up of others', which takes seconds on a busy one. */
#define HELLO_TIMEOUT_MS 60000

/* Bytes of every guard around the arena; see P2_SLOT_AREA_BYTES. */
#define ARENA_GUARD P2_SLOT_AREA_BYTES

enum message_kind {
    MESSAGE_HELLO = 1, /* launcher: features, or the step that failed */
    MESSAGE_SPAWN,     /* daemon: with descriptors */
    MESSAGE_KILL,      /* daemon */
    MESSAGE_STARTED,   /* launcher */
    MESSAGE_FAILED,    /* launcher */
    MESSAGE_EXITED     /* launcher */
};

/* One datagram of the socket pair; both ends are the same program, and workers have no end. */
struct message {
    uint32_t kind;
    uint32_t features;
    uint32_t failed_step;
    int32_t status; /* errno, wait status, or P2_E_* in a HELLO */
    int32_t pid;
    int32_t nice;
    uint32_t is_idle;
    uint32_t poisons_arena;
    uint32_t fd_count;
    uint32_t hides_clock;
    uint64_t serial;
    uint64_t blob_bytes;
    uint64_t cpu_us; /* EXITED: CPU time of the worker's life */
};

struct p2_launcher {
    int fd;
    pid_t pid;
    uint32_t features;
    const struct p2c2r_kernel *const *kernels;
    size_t kernel_count;
};

/* State of the launcher process. */
struct parent {
    int socket_fd;
    int signal_fd;
    pid_t init;   /* of the workers' pid namespace; 0: there is none */
    int alive_fd; /* a pipe that init reads: it ends with this process */
    struct p2_lockdown lock;
    struct p2_worker worker; /* what all workers share */
    struct {
        uint64_t serial;
        pid_t pid; /* 0: free */
    } children[CHILDREN_MAX];
};

/* Libraries register handlers for fork that make no sense here: libuv's would close two descriptors
 * by their numbers in the daemon, which are a worker's slot here. All processes that come this way
 * have one thread, so there is nothing to handle. */
static pid_t bare_fork(void)
{
    return _Fork();
}

/* ---- messages ------------------------------------------------------------------------------ */

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
};

static int send_message(int fd, const struct message *message, const int *fds, int flags)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
    union control control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (message->fd_count > 0) {
        size_t bytes = message->fd_count * sizeof(int);
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *entry = CMSG_FIRSTHDR(&header);
        entry->cmsg_level = SOL_SOCKET;
        entry->cmsg_type = SCM_RIGHTS;
        entry->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(entry), fds, bytes);
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &header, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? P2_E_AGAIN : P2_E_CLOSED;
    }
    return P2_OK;
}

/* Receives one message; fds[MESSAGE_FDS_MAX] get its descriptors, *ret_count of them. */
static int receive_message(int fd, struct message *message, int *fds, size_t *ret_count, int flags)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    union control control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do {
        got = recvmsg(fd, &header, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return P2_E_AGAIN;
    }
    if (got != (ssize_t)sizeof *message) {
        return P2_E_CLOSED;
    }
    size_t count = 0;
    struct cmsghdr *entry = CMSG_FIRSTHDR(&header);
    if (entry != NULL && entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SCM_RIGHTS) {
        count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(entry), count * sizeof(int));
    }
    *ret_count = count;
    return P2_OK;
}

/* ---- the launcher process ------------------------------------------------------------------ */

static void end_child(pid_t pid)
{
    if (pid > 0) {
        (void)kill(pid, SIGKILL); /* not reaped yet: the number is its */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

/* Ends all children, and itself. Closing the socket is how the daemon asks for it. When the
 * launcher is gone none is left: their cgroup could not be removed else. */
static _Noreturn void finish(struct parent *parent)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (parent->children[i].pid > 0) {
            (void)kill(parent->children[i].pid, SIGKILL); /* all first: they die side by side */
        }
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        end_child(parent->children[i].pid);
    }
    end_child(parent->init);
    _exit(EXIT_SUCCESS);
}

static void report(struct parent *parent, const struct message *message)
{
    if (send_message(parent->socket_fd, message, NULL, 0) != P2_OK) {
        finish(parent);
    }
}

static void spawn(struct parent *parent, const struct message *order, const int *fds)
{
    struct message answer = {.kind = MESSAGE_FAILED, .serial = order->serial, .status = EAGAIN};
    size_t place = 0;
    while (place < CHILDREN_MAX && parent->children[place].pid > 0) {
        place++;
    }
    if (place == CHILDREN_MAX) {
        report(parent, &answer);
        return;
    }
    struct p2_worker worker = parent->worker;
    worker.slot_fd = fds[0];
    worker.blob_fd = order->fd_count == MESSAGE_FDS_MAX ? fds[3] : -1;
    worker.blob_bytes = order->blob_bytes;
    worker.generation = order->serial;
    worker.poisons_arena = order->poisons_arena != 0;
    worker.lock.wake_fd = fds[1];
    worker.lock.done_fd = fds[2];
    worker.lock.nice = order->nice;
    worker.lock.is_idle = order->is_idle != 0;
    worker.lock.hides_clock = order->hides_clock != 0;
    worker.lock.mapped_bytes = P2_SLOT_BYTES + 4u * P2_SLOT_AREA_BYTES + order->blob_bytes;
    pid_t pid = bare_fork();
    if (pid == 0) {
        p2_worker_main(&parent->lock, &worker);
    }
    if (pid < 0) {
        answer.status = errno;
    } else {
        parent->children[place].serial = order->serial;
        parent->children[place].pid = pid;
        answer.kind = MESSAGE_STARTED;
        answer.pid = pid;
        answer.status = 0;
    }
    report(parent, &answer);
}

static void kill_child(const struct parent *parent, uint64_t serial)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (parent->children[i].pid > 0 && parent->children[i].serial == serial) {
            (void)kill(parent->children[i].pid, SIGKILL); /* at worst it is dead already */
        }
    }
}

static uint64_t in_us(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static void reap(struct parent *parent)
{
    struct rusage usage;
    struct signalfd_siginfo information;
    int status;
    pid_t pid;
    ssize_t cleared = read(parent->signal_fd, &information, sizeof information);
    (void)cleared; /* a spurious wake-up costs one waitpid */
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (pid == parent->init) {
            parent->init = 0;
            finish(parent); /* all workers died with it, and no other can be forked */
        }
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
            if (parent->children[i].pid == pid) {
                struct message answer = {.kind = MESSAGE_EXITED,
                                         .serial = parent->children[i].serial,
                                         .pid = pid,
                                         .status = status,
                                         .cpu_us = in_us(usage.ru_utime) + in_us(usage.ru_stime)};
                parent->children[i].pid = 0;
                report(parent, &answer);
            }
        }
    }
}

static void obey(struct parent *parent)
{
    struct message order;
    int fds[MESSAGE_FDS_MAX];
    size_t count = 0;
    if (receive_message(parent->socket_fd, &order, fds, &count, 0) != P2_OK) {
        finish(parent);
    }
    if (order.kind == MESSAGE_SPAWN && count == order.fd_count && count + 1 >= MESSAGE_FDS_MAX) {
        spawn(parent, &order, fds);
    } else if (order.kind == MESSAGE_KILL) {
        kill_child(parent, order.serial);
    }
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]); /* duplicates: the daemon keeps its own */
    }
}

/* Runs `body` in a worker of the launcher's own making, which waits on `wake_fd` (taken; -1 with
 * errno: it could not be made). Returns its pid, or -1 with errno. */
static pid_t fork_own(struct parent *parent, const struct p2_slot *slot, int wake_fd,
                      void (*body)(struct p2_lockdown *, const struct p2_worker *))
{
    struct p2_worker worker = parent->worker;
    pid_t pid = -1;
    worker.slot_fd = slot->fd;
    worker.blob_fd = -1;
    worker.generation = slot->generation;
    worker.lock.hides_clock = true; /* to learn whether it can */
    worker.lock.mapped_bytes = P2_SLOT_BYTES + 4u * P2_SLOT_AREA_BYTES;
    worker.lock.wake_fd = wake_fd;
    worker.lock.done_fd = wake_fd >= 0 ? eventfd(0, EFD_CLOEXEC) : -1;
    if (worker.lock.done_fd >= 0) {
        pid = bare_fork();
    }
    if (pid == 0) {
        body(&parent->lock, &worker);
    }
    int saved = errno;
    (void)close(worker.lock.wake_fd); /* the child has its own */
    (void)close(worker.lock.done_fd);
    errno = saved;
    return pid;
}

/* Proves with a worker that tries to break out that the lock holds. */
static int probe(struct parent *parent, uint32_t *ret_features)
{
    struct p2_slot slot;
    int status = 0;
    int error = p2_slot_open(&slot);
    parent->lock.failed_step = P2_LOCK_SECCOMP;
    parent->lock.failed_errno = errno;
    if (error != P2_OK) {
        return error;
    }
    p2_slot_serve(&slot, 1);
    pid_t pid = fork_own(parent, &slot, eventfd(0, EFD_CLOEXEC), p2_worker_probe);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        parent->lock.failed_errno = errno;
        error = P2_E_UNSUPPORTED;
    } else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS ||
               !p2_slot_is_ready(&slot, ret_features)) {
        const struct p2_slot_reply *reply =
            (const struct p2_slot_reply *)(const void *)(slot.map + P2_SLOT_REPLY_AT);
        parent->lock.failed_step = reply->failed_step != 0 ? reply->failed_step : P2_LOCK_SECCOMP;
        parent->lock.failed_errno = reply->failed_errno;
        error = P2_E_UNSUPPORTED;
    }
    p2_slot_close(&slot);
    return error;
}

/* With a pid namespace, the first child is its init: when that ends, all end. It ends with the
 * launcher by the parent-death signal, and by the end of a pipe should the launcher die before the
 * signal is ordered: from inside the namespace the parent cannot be asked for. */
static int hold_namespace(struct parent *parent)
{
    struct p2_slot slot;
    int ends[2] = {-1, -1};
    if ((parent->lock.features & P2_LOCK_BIT(P2_LOCK_PID_NAMESPACE)) == 0) {
        return P2_OK;
    }
    int error = p2_slot_open(&slot);
    if (error == P2_OK) {
        parent->init =
            pipe2(ends, O_CLOEXEC) == 0 ? fork_own(parent, &slot, ends[0], p2_worker_hold) : -1;
        parent->alive_fd = ends[1];
    }
    if (parent->init < 0) {
        parent->lock.failed_step = P2_LOCK_PID_NAMESPACE;
        parent->lock.failed_errno = errno;
        error = P2_E_UNSUPPORTED;
    }
    p2_slot_close(&slot);
    return error;
}

static int prepare(struct parent *parent, pid_t daemon)
{
    sigset_t children;
    int error = p2_lockdown_launcher(&parent->lock, parent->socket_fd, &parent->socket_fd);
    if (error != P2_OK) {
        return error;
    }
    /* After the change of user, which clears it; the daemon may be gone by now. In a namespace of
     * its own the launcher still sees its parent: only its children moved. */
    parent->lock.failed_step = P2_LOCK_PARENT_DEATH;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != daemon) {
        parent->lock.failed_errno = errno;
        return P2_E_UNSUPPORTED;
    }
    parent->lock.failed_step = P2_LOCK_SIGNALS;
    (void)sigemptyset(&children); /* valid arguments: neither can fail */
    (void)sigaddset(&children, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &children, NULL) != 0 ||
        (parent->signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
        parent->lock.failed_errno = errno;
        return P2_E_UNSUPPORTED;
    }
    return hold_namespace(parent);
}

static _Noreturn void launcher_main(struct parent *parent, pid_t daemon)
{
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.status = prepare(parent, daemon);
    if (hello.status == P2_OK) {
        hello.status = probe(parent, &hello.features);
    }
    hello.failed_step = parent->lock.failed_step;
    hello.pid = parent->lock.failed_errno;
    report(parent, &hello);
    if (hello.status != P2_OK) {
        finish(parent);
    }
    struct pollfd sources[] = {
        {.fd = parent->socket_fd, .events = POLLIN},
        {.fd = parent->signal_fd, .events = POLLIN},
    };
    for (;;) {
        if (poll(sources, P2_COUNT_OF(sources), -1) < 0 && errno != EINTR) {
            finish(parent);
        }
        if (sources[1].revents != 0) {
            reap(parent);
        }
        if (sources[0].revents != 0) {
            obey(parent);
        }
    }
}

/* Reserves the arena that all workers inherit untouched. */
static int map_arena(struct p2_worker_arena *arena, size_t bytes)
{
    size_t size = (bytes + ARENA_GUARD - 1) / ARENA_GUARD * ARENA_GUARD;
    uint8_t *base = mmap(NULL, size + 2 * ARENA_GUARD, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return -1;
    }
    arena->data = base + ARENA_GUARD;
    arena->size = size;
    return size == 0 ? 0 : mprotect(arena->data, size, PROT_READ | PROT_WRITE);
}

static _Noreturn void launcher_child(int socket_fd, pid_t daemon, struct p2_launcher *launcher)
{
    static struct parent parent; /* of this process alone */
    size_t arena_bytes = 0;
    int marker = 0;
    for (size_t i = 0; i < launcher->kernel_count; i++) {
        size_t bytes = launcher->kernels[i]->arena_bytes;
        arena_bytes = bytes > arena_bytes ? bytes : arena_bytes;
    }
    parent.socket_fd = socket_fd;
    parent.worker.kernels = launcher->kernels;
    parent.worker.kernel_count = launcher->kernel_count;
    parent.lock.stack_start = &marker;
    if (map_arena(&parent.worker.arena, arena_bytes) != 0) {
        _exit(EXIT_FAILURE);
    }
    launcher_main(&parent, daemon);
}

/* ---- the daemon's end ---------------------------------------------------------------------- */

static bool is_valid_kernel(const struct p2c2r_kernel *kernel)
{
    return kernel->size >= sizeof *kernel && kernel->abi == P2C2R_KERNEL_ABI &&
           kernel->arena_bytes <= P2C2R_ARENA_MAX && kernel->input_max <= P2C2R_INPUT_MAX &&
           kernel->output_max <= P2C2R_OUTPUT_MAX && kernel->blobs_max <= P2C2R_BLOBS_MAX &&
           kernel->blob_max <= P2C2R_BLOB_MAX && kernel->run != NULL;
}

/* Waits for the launcher's report. */
static int hear_hello(struct p2_launcher *launcher, struct p2_failure *failure)
{
    struct pollfd source = {.fd = launcher->fd, .events = POLLIN};
    struct message hello;
    int fds[MESSAGE_FDS_MAX];
    size_t count = 0;
    int ready;
    do {
        ready = poll(&source, 1, HELLO_TIMEOUT_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0 || receive_message(launcher->fd, &hello, fds, &count, MSG_DONTWAIT) != P2_OK ||
        hello.kind != MESSAGE_HELLO) {
        return p2_fail(failure, P2_E_IO,
                       "the launcher of task workers did not report; nothing can be computed");
    }
    if (hello.status != P2_OK) {
        return p2_fail(failure, hello.status,
                       "task workers cannot be locked down on this machine: %s: %s; "
                       "refusing to run task code without it",
                       p2_lock_step_text(hello.failed_step),
                       hello.pid != 0 ? strerror(hello.pid) : "it does not hold");
    }
    launcher->features = hello.features;
    return P2_OK;
}

int p2_launcher_start(const struct p2c2r_kernel *const *kernels, size_t kernel_count,
                      struct p2_failure *failure, struct p2_launcher **ret_launcher)
{
    int pair[2] = {-1, -1};
    pid_t daemon = getpid();
    for (size_t i = 0; i < kernel_count; i++) {
        if (!is_valid_kernel(kernels[i])) {
            return p2_fail(failure, P2_E_INVALID, "kernel number %zu breaks the limits of its ABI",
                           i);
        }
    }
    struct p2_launcher *launcher = calloc(1, sizeof *launcher);
    if (launcher == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "no memory for the launcher of task workers");
    }
    launcher->kernels = kernels;
    launcher->kernel_count = kernel_count;
    launcher->fd = -1;
    int error = P2_OK;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
        (launcher->pid = bare_fork()) < 0) {
        error = p2_fail(failure, P2_E_IO, "cannot start the launcher of task workers: %s",
                        strerror(errno));
        launcher->pid = 0;
        goto out;
    }
    if (launcher->pid == 0) {
        launcher_child(pair[1], daemon, launcher);
    }
    launcher->fd = pair[0];
    pair[0] = -1;
    (void)close(pair[1]); /* the launcher has it */
    pair[1] = -1;
    error = hear_hello(launcher, failure);
out:
    if (pair[0] >= 0) {
        (void)close(pair[0]); /* never used */
        (void)close(pair[1]);
    }
    if (error != P2_OK) {
        p2_launcher_stop(launcher);
        return error;
    }
    *ret_launcher = launcher;
    return P2_OK;
}

const struct p2c2r_kernel *const *p2_launcher_kernels(const struct p2_launcher *launcher,
                                                      size_t *ret_count)
{
    *ret_count = launcher->kernel_count;
    return launcher->kernels;
}

uint32_t p2_launcher_features(const struct p2_launcher *launcher)
{
    return launcher->features;
}

pid_t p2_launcher_pid(const struct p2_launcher *launcher)
{
    return launcher->pid;
}

int p2_launcher_fd(const struct p2_launcher *launcher)
{
    return launcher->fd;
}

int p2_launcher_spawn(struct p2_launcher *launcher, const struct p2_launcher_worker *worker)
{
    int fds[MESSAGE_FDS_MAX] = {worker->slot_fd, worker->wake_fd, worker->done_fd, worker->blob_fd};
    struct message order = {
        .kind = MESSAGE_SPAWN,
        .serial = worker->serial,
        .nice = worker->nice,
        .is_idle = worker->is_idle,
        .poisons_arena = worker->poisons_arena,
        .hides_clock = worker->hides_clock,
        .blob_bytes = worker->blob_bytes,
        .fd_count = worker->blob_fd >= 0 ? MESSAGE_FDS_MAX : MESSAGE_FDS_MAX - 1,
    };
    return send_message(launcher->fd, &order, fds, MSG_DONTWAIT);
}

int p2_launcher_kill(struct p2_launcher *launcher, uint64_t serial)
{
    struct message order = {.kind = MESSAGE_KILL, .serial = serial};
    return send_message(launcher->fd, &order, NULL, MSG_DONTWAIT);
}

int p2_launcher_next(struct p2_launcher *launcher, struct p2_launcher_event *ret_event)
{
    struct message message;
    int fds[MESSAGE_FDS_MAX];
    size_t count = 0;
    int error = receive_message(launcher->fd, &message, fds, &count, MSG_DONTWAIT);
    if (error != P2_OK) {
        return error;
    }
    ret_event->kind = message.kind == MESSAGE_STARTED  ? P2_LAUNCHER_STARTED
                      : message.kind == MESSAGE_FAILED ? P2_LAUNCHER_FAILED
                                                       : P2_LAUNCHER_EXITED;
    ret_event->serial = message.serial;
    ret_event->pid = message.pid;
    ret_event->status = message.status;
    ret_event->cpu_us = message.cpu_us;
    return P2_OK;
}

void p2_launcher_stop(struct p2_launcher *launcher)
{
    if (launcher == NULL) {
        return;
    }
    if (launcher->fd >= 0) {
        (void)close(launcher->fd); /* this is the order to end */
    }
    if (launcher->pid > 0) {
        while (waitpid(launcher->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    free(launcher);
}
