/* Simple and hostile kernels; see the header. */
#include "tests/lib/test_kernels.h"

#include "base/error.h"
#include "exec/lockdown.h"
#include "exec/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static void put_le(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)from[i] << (8 * i);
    }
    return value;
}

/* ---- simple -------------------------------------------------------------------------------- */

static int echo_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    if (args->input.size > args->output_capacity) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    memcpy(args->output, args->input.data, args->input.size);
    *ret_size = args->input.size;
    return P2C2R_KERNEL_OK;
}

static int echo_check(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                      uint64_t secret)
{
    if (secret != 42) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    return result.size == args->input.size &&
                   memcmp(result.data, args->input.data, result.size) == 0
               ? P2C2R_KERNEL_OK
               : P2C2R_KERNEL_BAD_RESULT;
}

static int echo_canonical(const struct p2c2r_kernel_args *args, struct p2c2r_bytes result,
                          size_t *ret_size)
{
    if (result.size > args->output_capacity) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    for (size_t i = 0; i < result.size; i++) {
        args->output[i] = result.data[result.size - 1 - i];
    }
    *ret_size = result.size;
    return P2C2R_KERNEL_OK;
}

static int sum_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < args->input.size; i++) {
        sum += args->input.data[i];
    }
    for (uint32_t b = 0; b < args->blob_count; b++) {
        for (size_t i = 0; i < args->blobs[b].size; i++) {
            sum += args->blobs[b].data[i];
        }
    }
    if (args->output_capacity < 8) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    put_le(args->output, sum, 8);
    *ret_size = 8;
    return P2C2R_KERNEL_OK;
}

static int work_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    if (args->input.size != 4) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    uint64_t steps = get_le(args->input.data, 4) * 1000, value = 1;
    for (uint64_t i = 0; i < steps; i++) {
        value = value * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    }
    put_le(args->output, value, 8);
    *ret_size = 8;
    return P2C2R_KERNEL_OK;
}

static int float_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    volatile float small = 1e-39f, half = 0.5f;
    if (args->input.size != 1) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
#if defined(__x86_64__)
    if (args->input.data[0] == 1) {
        _mm_setcsr(_mm_getcsr() | 0x8040u); /* FTZ and DAZ */
    }
#endif
    args->output[0] = small * half == 0.0f;
    args->output[1] = fegetround() != FE_TONEAREST;
    if (args->input.data[0] == 1) {
        (void)fesetround(FE_UPWARD);
    }
    *ret_size = 2;
    return P2C2R_KERNEL_OK;
}

static int arena_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    if (args->arena_size < 32 || (uintptr_t)args->arena % 64 != 0) {
        return P2C2R_KERNEL_ARENA_FULL;
    }
    memcpy(args->output, args->arena, 16);
    memcpy(args->output + 16, args->arena + args->arena_size - 16, 16);
    memset(args->arena, 1, args->arena_size);
    *ret_size = 32;
    return P2C2R_KERNEL_OK;
}

static size_t in_units(size_t size)
{
    return (size + 63) / 64 * 64;
}

static uint32_t count_in(const uint8_t *area, size_t size, const uint8_t pattern[16])
{
    uint32_t count = 0;
    for (size_t i = 0; i + 16 <= size; i++) {
        count += area[i] == pattern[0] && memcmp(area + i, pattern, 16) == 0;
    }
    return count;
}

/* Knows the layout of the slot and reads all of it, as a hostile kernel would. */
static int search_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    uint8_t pattern[16];
    if (args->input.size != sizeof pattern) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (uint8_t)~args->input.data[i];
    }
    const uint8_t *read_end = args->input.data + in_units(args->input.size);
    const uint8_t *write_end = args->output + in_units(args->output_capacity);
    const uint8_t *output = write_end - P2_SLOT_OUTPUT_BYTES;
    const uint8_t *reply = output - 2 * P2_SLOT_AREA_BYTES;
    uint32_t count = count_in(read_end - P2_SLOT_REPLY_AT, P2_SLOT_REPLY_AT, pattern);
    count += count_in(output, P2_SLOT_OUTPUT_BYTES, pattern);
    count += count_in(reply, P2_SLOT_AREA_BYTES, pattern);
    for (uint32_t i = 0; i < args->blob_count; i++) {
        /* Backwards to the start of the blob memory: the test puts its blob second. */
        count += count_in(args->blobs[i].data - 64, args->blobs[i].size + 64, pattern);
    }
    put_le(args->output, count, 4);
    *ret_size = 4;
    return P2C2R_KERNEL_OK;
}

/* ---- misdeeds ------------------------------------------------------------------------------ */

static volatile uint64_t sink;

/* volatile hides from the compiler that this never ends well. */
__attribute__((noinline)) static uint64_t recurse(volatile uint64_t depth)
{
    volatile uint8_t frame[256];
    frame[depth % sizeof frame] = (uint8_t)depth;
    return depth == UINT64_MAX ? 0 : recurse(depth + 1) + frame[depth % sizeof frame];
}

static void store(uintptr_t address)
{
    volatile uintptr_t hidden = address; /* compilers know that it is wrong */
    *(volatile uint8_t *)hidden = 1;
}

static void grab_memory(bool uses_mmap)
{
    for (size_t i = 0; i < 1u << 20; i++) {
        size_t size = 1u << 20;
        uint8_t *memory =
            uses_mmap ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : malloc(size);
        if (memory == NULL || memory == MAP_FAILED) {
            return;
        }
        memset(memory, 1, size);
        sink += memory[size / 2];
    }
}

static struct p2_slot_reply *reply_of(const struct p2c2r_kernel_args *args)
{
    uint8_t *output = args->output + in_units(args->output_capacity) - P2_SLOT_OUTPUT_BYTES;
    return (struct p2_slot_reply *)(void *)(output - 2 * P2_SLOT_AREA_BYTES);
}

static void signal_daemon(uint64_t times)
{
    uint64_t one = 1;
    for (uint64_t i = 0; i < times; i++) {
        (void)syscall(SYS_write, P2_LOCK_DONE_FD, &one, sizeof one);
    }
}

static void touch_memory(enum p2_test_misdeed misdeed, const struct p2c2r_kernel_args *args)
{
    uint8_t *output_end = args->output + in_units(args->output_capacity);
    switch ((int)misdeed) {
    case P2_MISDEED_WILD_STORE:
        store((uintptr_t)0x123456789000);
        break;
    case P2_MISDEED_NULL_STORE:
        store(8);
        break;
    case P2_MISDEED_CODE_STORE:
        store((uintptr_t)&touch_memory);
        break;
    case P2_MISDEED_INPUT_STORE:
        store((uintptr_t)args->input.data);
        break;
    case P2_MISDEED_INPUT_BEYOND:
        sink = *(const volatile uint8_t *)(args->input.data + in_units(args->input.size));
        break;
    case P2_MISDEED_OUTPUT_BEYOND:
        store((uintptr_t)output_end);
        break;
    case P2_MISDEED_OUTPUT_BEFORE:
        store((uintptr_t)(output_end - P2_SLOT_OUTPUT_BYTES - 1));
        break;
    case P2_MISDEED_ARENA_BEYOND:
        store((uintptr_t)(args->arena + in_units(args->arena_size)));
        break;
    case P2_MISDEED_BLOB_STORE:
        store((uintptr_t)(args->blob_count > 0 ? args->blobs[0].data : NULL));
        break;
    default:
        break;
    }
}

static void end_badly(enum p2_test_misdeed misdeed)
{
    volatile int zero = 0;
    switch ((int)misdeed) {
    case P2_MISDEED_DIVIDE:
        sink = (uint64_t)(7 / zero);
#if !defined(__x86_64__)
        (void)raise(SIGFPE); /* the hardware gives zero */
#endif
        break;
    case P2_MISDEED_ABORT:
        abort();
    case P2_MISDEED_ILLEGAL:
        __builtin_trap();
    case P2_MISDEED_EXIT:
        _exit(0);
    case P2_MISDEED_CLOCK:
#if defined(__x86_64__)
        sink = __rdtsc();
#endif
        break;
    default:
        break;
    }
}

static int misdeed_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    uint64_t count;
    enum p2_test_misdeed misdeed = (enum p2_test_misdeed)args->input.data[0];
    switch ((int)misdeed) {
    case P2_MISDEED_LOOP:
        for (;;) {
            sink++;
        }
    case P2_MISDEED_SLEEP:
        (void)syscall(SYS_read, P2_LOCK_WAKE_FD, &count, sizeof count);
        break;
    case P2_MISDEED_MALLOC:
    case P2_MISDEED_MMAP:
        grab_memory(misdeed == P2_MISDEED_MMAP);
        break;
    case P2_MISDEED_RECURSE:
        sink = recurse(0);
        break;
    case P2_MISDEED_LIE_LENGTH:
        *ret_size = args->output_capacity + 1;
        return P2C2R_KERNEL_OK;
    case P2_MISDEED_LIE_HUGE:
        *ret_size = SIZE_MAX;
        return P2C2R_KERNEL_OK;
    case P2_MISDEED_LIE_STATUS:
        return 7;
    case P2_MISDEED_LIE_PROTOCOL:
        atomic_store(&reply_of(args)->sequence, UINT64_MAX - 1);
        signal_daemon(1);
        for (;;) {
            sink++;
        }
    case P2_MISDEED_SIGNALS:
        signal_daemon(UINT64_MAX);
        break;
    default:
        touch_memory(misdeed, args);
        end_badly(misdeed);
        break;
    }
    *ret_size = 1;
    args->output[0] = 1;
    return P2C2R_KERNEL_OK;
}

/* ---- escapes ------------------------------------------------------------------------------- */

static uint8_t page[4096]; /* scratch for arguments */
static struct rlimit limit_of_nothing;
static char *const no_words[] = {NULL};

static long try_exec_page(void)
{
    return syscall(SYS_mprotect, (uintptr_t)page & ~(uintptr_t)4095, 4096,
                   PROT_READ | PROT_WRITE | PROT_EXEC);
}

static long try_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 9};
    address.sin_addr.s_addr = 0x0100007f; /* 127.0.0.1 */
    return syscall(SYS_connect, P2_LOCK_DONE_FD, &address, sizeof address);
}

static long try_io_uring(void)
{
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    return syscall(SYS_io_uring_setup, 4, &parameters);
}

static long try_perf(void)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static long try_readv(pid_t pid)
{
    struct iovec here = {page, 16}, there = {page, 16};
    return syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0);
}

static long try_writev(pid_t pid)
{
    struct iovec here = {page, 16}, there = {page, 16};
    return syscall(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0);
}

/* ESCAPE(name, action): `pid` is the daemon's process. */
#define ESCAPES(ESCAPE)                                                                            \
    ESCAPE("openat /etc/passwd", syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))           \
    ESCAPE("openat a new file", syscall(SYS_openat, AT_FDCWD, "/tmp/x", O_CREAT | O_WRONLY, 0600)) \
    ESCAPE("socket INET", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))                            \
    ESCAPE("socket UNIX", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))                            \
    ESCAPE("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, page))                   \
    ESCAPE("connect", try_connect())                                                               \
    ESCAPE("fork", fork())                                                                         \
    ESCAPE("clone thread",                                                                         \
           syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0))                \
    ESCAPE("clone3", syscall(SYS_clone3, page, 64))                                                \
    ESCAPE("execve", syscall(SYS_execve, "/bin/sh", no_words, no_words))                           \
    ESCAPE("ptrace the daemon", syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0))                      \
    ESCAPE("kill the daemon", syscall(SYS_kill, pid, SIGTERM))                                     \
    ESCAPE("kill everybody", syscall(SYS_kill, -1, SIGTERM))                                       \
    ESCAPE("tgkill the daemon", syscall(SYS_tgkill, pid, pid, SIGTERM))                            \
    ESCAPE("kill itself", syscall(SYS_kill, 0, SIGTERM))                                           \
    ESCAPE("prlimit the daemon",                                                                   \
           syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &limit_of_nothing, NULL))                    \
    ESCAPE("raise own limit", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit_of_nothing, NULL))   \
    ESCAPE("mmap executable",                                                                      \
           syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))  \
    ESCAPE("mmap wake eventfd",                                                                    \
           syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, P2_LOCK_WAKE_FD, 0))                  \
    ESCAPE("mprotect executable", try_exec_page())                                                 \
    ESCAPE("mprotect the request", syscall(SYS_mprotect, page, 4096, PROT_READ))                   \
    ESCAPE("io_uring_setup", try_io_uring())                                                       \
    ESCAPE("userfaultfd", syscall(SYS_userfaultfd, 0))                                             \
    ESCAPE("memfd_create", syscall(SYS_memfd_create, "x", 0))                                      \
    ESCAPE("eventfd", syscall(SYS_eventfd2, 0, 0))                                                 \
    ESCAPE("pipe", syscall(SYS_pipe2, page, 0))                                                    \
    ESCAPE("dup", syscall(SYS_dup, P2_LOCK_DONE_FD))                                               \
    ESCAPE("fcntl", syscall(SYS_fcntl, P2_LOCK_DONE_FD, F_DUPFD, 0))                               \
    ESCAPE("unshare", syscall(SYS_unshare, CLONE_NEWUSER))                                         \
    ESCAPE("setns", syscall(SYS_setns, P2_LOCK_WAKE_FD, 0))                                        \
    ESCAPE("mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL))                             \
    ESCAPE("chroot", syscall(SYS_chroot, "/"))                                                     \
    ESCAPE("keyctl", syscall(SYS_keyctl, 0, -3, 1))                                                \
    ESCAPE("personality", syscall(SYS_personality, 0x0040000))                                     \
    ESCAPE("bpf", syscall(SYS_bpf, 0, page, 64))                                                   \
    ESCAPE("perf_event_open", try_perf())                                                          \
    ESCAPE("pidfd_open", syscall(SYS_pidfd_open, pid, 0))                                          \
    ESCAPE("process_vm_readv", try_readv(pid))                                                     \
    ESCAPE("process_vm_writev", try_writev(pid))                                                   \
    ESCAPE("prctl", syscall(SYS_prctl, 4, 1, 0, 0, 0)) /* PR_SET_DUMPABLE */                       \
    ESCAPE("seccomp", syscall(SYS_seccomp, 0, 0, NULL))                                            \
    ESCAPE("setuid 0", syscall(SYS_setuid, 0))                                                     \
    ESCAPE("setpriority", syscall(SYS_setpriority, PRIO_PROCESS, 0, -20))                          \
    ESCAPE("sched_setscheduler", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, page))             \
    ESCAPE("clock_gettime call", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, page))                \
    ESCAPE("nanosleep", syscall(SYS_nanosleep, page, NULL))                                        \
    ESCAPE("getrandom", syscall(SYS_getrandom, page, 16, 0))                                       \
    ESCAPE("uname", syscall(SYS_uname, page))                                                      \
    ESCAPE("read descriptor 0", syscall(SYS_read, 0, page, 8))                                     \
    ESCAPE("read descriptor 5", syscall(SYS_read, 5, page, 8))                                     \
    ESCAPE("read from the done eventfd", syscall(SYS_read, P2_LOCK_DONE_FD, page, 8))              \
    ESCAPE("write descriptor 1", syscall(SYS_write, 1, page, 8))                                   \
    ESCAPE("write to the wake eventfd", syscall(SYS_write, P2_LOCK_WAKE_FD, page, 8))              \
    ESCAPE("write another length", syscall(SYS_write, P2_LOCK_DONE_FD, page, 16))                  \
    ESCAPE("call number 1000", syscall(1000))

static long run_escape(size_t index, pid_t pid)
{
    size_t at = 0;
#define ESCAPE_TRY(name, action) \
    if (at++ == index) {         \
        return (action);         \
    }
    ESCAPES(ESCAPE_TRY)
#undef ESCAPE_TRY
    return 0;
}

size_t p2_test_escape_count(void)
{
    size_t count = 0;
#define ESCAPE_COUNT(name, action) count++;
    ESCAPES(ESCAPE_COUNT)
#undef ESCAPE_COUNT
    return count;
}

const char *p2_test_escape_name(size_t index)
{
    static const char *const names[] = {
#define ESCAPE_NAME(name, action) name,
        ESCAPES(ESCAPE_NAME)
#undef ESCAPE_NAME
    };
    return index < P2_COUNT_OF(names) ? names[index] : "unknown";
}

static int escape_run(const struct p2c2r_kernel_args *args, size_t *ret_size)
{
    if (args->input.size != 5) {
        return P2C2R_KERNEL_BAD_INPUT;
    }
    errno = 0;
    long result = run_escape(args->input.data[0], (pid_t)get_le(args->input.data + 1, 4));
    int error = errno;
    put_le(args->output, (uint64_t)result, 8);
    put_le(args->output + 8, (uint64_t)error, 4);
    *ret_size = 12;
    return P2C2R_KERNEL_OK;
}

/* ---- the table ----------------------------------------------------------------------------- */

#define KERNEL(kernel_name, arena, run_function)                                           \
    {                                                                                      \
        .size = sizeof(struct p2c2r_kernel), .abi = P2C2R_KERNEL_ABI, .name = kernel_name, \
        .version = 1, .kind = P2C2R_KERNEL_STATE, .arena_bytes = (arena),                  \
        .input_max = P2C2R_INPUT_MAX, .output_max = P2C2R_OUTPUT_MAX,                      \
        .blobs_max = P2C2R_BLOBS_MAX, .blob_max = P2C2R_BLOB_MAX, .run = (run_function),   \
    }

static const struct p2c2r_kernel echo = {
    .size = sizeof(struct p2c2r_kernel),
    .abi = P2C2R_KERNEL_ABI,
    .name = "test_echo",
    .version = 1,
    .kind = P2C2R_KERNEL_STATE,
    .input_max = P2C2R_INPUT_MAX,
    .output_max = P2C2R_OUTPUT_MAX,
    .run = echo_run,
    .check = echo_check,
    .canonical = echo_canonical,
};
static const struct p2c2r_kernel sum = KERNEL("test_sum", 0, sum_run);
static const struct p2c2r_kernel work = KERNEL("test_work", 0, work_run);
static const struct p2c2r_kernel floats = KERNEL("test_float", 0, float_run);
static const struct p2c2r_kernel arena = KERNEL("test_arena", 1u << 20, arena_run);
static const struct p2c2r_kernel search = KERNEL("test_search", 0, search_run);
static const struct p2c2r_kernel misdeed = KERNEL("test_misdeed", 4096, misdeed_run);
static const struct p2c2r_kernel escape = KERNEL("test_escape", 0, escape_run);

const struct p2c2r_kernel *const p2_test_kernels[P2_TEST_KERNEL_COUNT] = {
    [P2_TEST_ECHO] = &echo,       [P2_TEST_SUM] = &sum,       [P2_TEST_WORK] = &work,
    [P2_TEST_FLOAT] = &floats,    [P2_TEST_ARENA] = &arena,   [P2_TEST_SEARCH] = &search,
    [P2_TEST_MISDEED] = &misdeed, [P2_TEST_ESCAPE] = &escape,
};
