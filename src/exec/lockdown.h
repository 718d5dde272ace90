/* Lock-down: what turns the launcher, and then each worker, into a process that can compute and
 * nothing else. Two tables of steps run in a fixed order; the first mandatory step that fails ends
 * the attempt (fail closed), an optional one that fails is only missing from the report.
 *
 *   launcher, once                      worker, each
 *   environment   empty       must     parent death   dies with the launcher       must
 *   descriptors   one socket  must     priority       nice, idle class             best effort
 *   signals       default     must     descriptors    two eventfds                 must
 *   session       own         must     floating point default environment          must
 *   oom score     worst       best     faults         handlers that name a trap    must
 *   uid           not root    best     privileges     no_new_privs                 must
 *   user, net, ipc, mount and          landlock       no file, port, abstract      best effort
 *   pid namespace             best                    socket or foreign signal
 *   root folder   empty       best     no exec memory, no clock                    best effort
 *   capabilities  none        must     rlimits        all that exist               must
 *                                      dumpable       no                           must
 *                                      seccomp        read, write, exit_group      must, last
 *
 * Measured reasons for the order and for each layer: seccomp is the strong one, the others are the
 * second wall; Landlock needs a descriptor, so it comes before the rlimits.
 *
 * The filter: read from descriptor P2_LOCK_WAKE_FD, write to P2_LOCK_DONE_FD, exit_group. Asking
 * for memory (brk, mmap and mremap without execution) raises a fault that is reported as such.
 * Every other call, number or architecture kills the process. In builds with a sanitizer
 * (P2_SANITIZED) the address-space limits are lifted and the calls its runtime makes are let
 * through: such a build is for finding bugs, not for running strangers' work.
 *
 * Hiding the clock is a choice, since it was measured to add 10 us to a round trip on a virtual
 * machine (a privileged register is written at every switch of processes). Without it a kernel can
 * read the time, which breaks its determinism and is found out by an audit.
 *
 * This is the one file here that uses libseccomp. Thread: single-threaded processes only. */
#ifndef P2_EXEC_LOCKDOWN_H
#define P2_EXEC_LOCKDOWN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a worker finds its eventfds. Above the standard streams, so that nothing that prints can
 * speak to the daemon by accident. */
#define P2_LOCK_WAKE_FD 3 /* the worker reads: work is there */
#define P2_LOCK_DONE_FD 4 /* the worker writes: an answer is there */

/* P2_LOCK(name, text): every step of both stages, in the order they run. */
#define P2_LOCK_STEPS(P2_LOCK)                            \
    P2_LOCK(ENVIRONMENT, "empty environment")             \
    P2_LOCK(LAUNCHER_DESCRIPTORS, "launcher descriptors") \
    P2_LOCK(SIGNALS, "default signals")                   \
    P2_LOCK(SESSION, "own session")                       \
    P2_LOCK(OOM_SCORE, "first to go when memory ends")    \
    P2_LOCK(UID, "not root")                              \
    P2_LOCK(USER_NAMESPACE, "user namespace")             \
    P2_LOCK(NET_NAMESPACE, "network namespace")           \
    P2_LOCK(IPC_NAMESPACE, "ipc namespace")               \
    P2_LOCK(MOUNT_NAMESPACE, "mount namespace")           \
    P2_LOCK(PID_NAMESPACE, "pid namespace")               \
    P2_LOCK(EMPTY_ROOT, "empty root folder")              \
    P2_LOCK(CAPABILITIES, "no capabilities")              \
    P2_LOCK(PARENT_DEATH, "dies with its parent")         \
    P2_LOCK(PRIORITY, "priority")                         \
    P2_LOCK(DESCRIPTORS, "worker descriptors")            \
    P2_LOCK(FLOATING_POINT, "floating point environment") \
    P2_LOCK(FAULTS, "fault handlers")                     \
    P2_LOCK(NO_NEW_PRIVS, "no_new_privs")                 \
    P2_LOCK(LANDLOCK, "landlock")                         \
    P2_LOCK(NO_EXEC_MEMORY, "no executable memory")       \
    P2_LOCK(NO_CLOCK, "no clock, on request")             \
    P2_LOCK(RLIMITS, "rlimits")                           \
    P2_LOCK(NOT_DUMPABLE, "not dumpable")                 \
    P2_LOCK(SECCOMP, "seccomp")

enum p2_lock_step {
#define P2_LOCK(name, text) P2_LOCK_##name,
    P2_LOCK_STEPS(P2_LOCK)
#undef P2_LOCK
        P2_LOCK_STEP_COUNT
};
_Static_assert(P2_LOCK_STEP_COUNT <= 32, "the feature mask has a bit for each step");

/* The bit of a step in a feature mask. */
#define P2_LOCK_BIT(step) (UINT32_C(1) << (unsigned)(step))

/* "seccomp", ... Static; "unknown" outside the enumeration. */
const char *p2_lock_step_text(unsigned step);

/* True when workers are refused without this step. */
bool p2_lock_is_mandatory(unsigned step);

/* Carries the launcher's stage over into its workers. */
struct p2_lockdown {
    uint32_t features;       /* P2_LOCK_BIT of each step that holds */
    unsigned failed_step;    /* of the mandatory step that failed */
    int failed_errno;        /* why */
    void *filter;            /* libseccomp's, built once by the launcher */
    uint64_t address_bytes;  /* address space in use when the launcher was locked */
    uint64_t data_bytes;     /* of it private and writable */
    pid_t parent_seen;       /* what getppid gives in a worker whose launcher lives */
    const void *stack_start; /* near the top of the stack that workers inherit */
};

/* What one worker needs. */
struct p2_lock_worker {
    int wake_fd, done_fd;  /* any descriptors; moved to P2_LOCK_WAKE_FD and P2_LOCK_DONE_FD */
    uint64_t mapped_bytes; /* shared memory mapped for it since the launcher was locked */
    int nice;              /* 0 .. 19 */
    bool is_idle;          /* SCHED_IDLE: runs only when nothing else wants the CPU */
    bool hides_clock;      /* reading the time stamp counter, and so the vDSO's clocks, traps */
};

/* Runs the launcher's stage in the calling process, a fresh fork that keeps only `socket_fd`
 * (given back as its new number) and builds the filter. P2_E_UNSUPPORTED when a mandatory step
 * fails; failed_step and failed_errno say which. The process must then end. */
int p2_lockdown_launcher(struct p2_lockdown *lock, int socket_fd, int *ret_socket_fd);

/* Runs the worker's stage in the calling process, a fresh fork of the locked launcher. As above. */
int p2_lockdown_worker(struct p2_lockdown *lock, const struct p2_lock_worker *worker);

/* Resets rounding, exception masks and the flushing of small numbers: a library linked with
 * -ffast-math sets the latter in every thread it is loaded into (research/sandbox.md 4). */
void p2_lockdown_reset_float(void);

/* Exit status of a worker that a fault handler ended: P2_LOCK_EXIT_TRAP plus an enum p2_task_trap;
 * of one whose lock-down failed: P2_LOCK_EXIT_STEP plus the step. Others mean "ended itself". */
#define P2_LOCK_EXIT_TRAP 100
#define P2_LOCK_EXIT_STEP 160

#endif
