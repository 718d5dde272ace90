/* The launcher: a tiny single-threaded process that forks workers for the daemon.
 *
 * Why a process of its own: the cost of fork grows with the parent (0.3 ms small, 11 ms at 500 MB;
 * research/sandbox.md 3.2), the daemon has threads, and its memory holds keys. So p2_launcher_start
 * is called first thing in main: before keys are read, threads made and memory used. Why a fork and
 * not another executable: it needs no path and cannot be of another version than the daemon, and
 * the kernel table goes over as it is. The price: daemon and workers have the same address layout.
 *
 * The launcher holds one end of a socket pair and nothing else, locks itself down, proves with a
 * probe worker that a worker's lock holds, and reports. It dies with the daemon (parent-death
 * signal, and the end of the socket), its workers die with it. A launcher that was lost is not
 * replaced: the daemon has keys by then; the pool fails closed and the daemon must be restarted.
 *
 * Thread: all functions on the thread that called p2_launcher_start, which must be the main thread
 * (a parent-death signal follows the thread, and workers inherit its stack). */
#ifndef P2_EXEC_LAUNCHER_H
#define P2_EXEC_LAUNCHER_H

#include "base/error.h"
#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct p2_launcher;

/* What one worker is started with. Descriptors are borrowed; the launcher gets duplicates. */
struct p2_launcher_worker {
    uint64_t serial;     /* names the worker in events; never used twice; also its generation */
    int slot_fd;         /* p2_slot's memfd */
    int wake_fd;         /* eventfd, blocking */
    int done_fd;         /* eventfd */
    int blob_fd;         /* -1: none */
    uint64_t blob_bytes; /* size of the blob memory */
    int nice;            /* 0 .. 19 */
    bool is_idle;        /* SCHED_IDLE */
    bool poisons_arena;  /* tests */
    bool hides_clock;    /* see lockdown.h */
};

enum p2_launcher_event_kind {
    P2_LAUNCHER_STARTED, /* forked; the worker itself reports when it is ready */
    P2_LAUNCHER_FAILED,  /* could not be forked; `status` is errno */
    P2_LAUNCHER_EXITED   /* dead and reaped; `status` is what wait gave */
};

struct p2_launcher_event {
    enum p2_launcher_event_kind kind;
    uint64_t serial;
    pid_t pid;       /* STARTED: valid until EXITED was read */
    int status;      /* FAILED, EXITED */
    uint64_t cpu_us; /* EXITED: CPU time of the worker's whole life */
};

/* Forks the launcher for `kernels[kernel_count]` (borrowed for the process's life: static tables)
 * and waits until it reports, a few milliseconds. P2_E_INVALID when a kernel of the table breaks
 * the limits of p2c2r/kernel.h, P2_E_UNSUPPORTED when this machine cannot lock a worker down,
 * P2_E_NOMEM, P2_E_IO; `failure` (may be NULL) says which layer and why. Gives the launcher. */
int p2_launcher_start(const struct p2c2r_kernel *const *kernels, size_t kernel_count,
                      struct p2_failure *failure, struct p2_launcher **ret_launcher);

/* The kernel table it was started with. */
const struct p2c2r_kernel *const *p2_launcher_kernels(const struct p2_launcher *launcher,
                                                      size_t *ret_count);

/* P2_LOCK_BIT of every layer that holds in the probe worker, which hides the clock. */
uint32_t p2_launcher_features(const struct p2_launcher *launcher);

pid_t p2_launcher_pid(const struct p2_launcher *launcher);

/* Readable when p2_launcher_next has something to say. */
int p2_launcher_fd(const struct p2_launcher *launcher);

/* Asks for a worker. P2_E_CLOSED when the launcher is gone, P2_E_AGAIN when it does not read. */
int p2_launcher_spawn(struct p2_launcher *launcher, const struct p2_launcher_worker *worker);

/* Asks for a worker's death by SIGKILL; EXITED follows. Asking the launcher, which alone reaps,
 * means that no number of another process can ever be hit. Unknown serials are ignored. Errors as
 * above. */
int p2_launcher_kill(struct p2_launcher *launcher, uint64_t serial);

/* The next event. P2_E_AGAIN when there is none, P2_E_CLOSED when the launcher is gone. */
int p2_launcher_next(struct p2_launcher *launcher, struct p2_launcher_event *ret_event);

/* Ends the launcher and all workers, waits for it (a millisecond) and frees. Accepts NULL. */
void p2_launcher_stop(struct p2_launcher *launcher);

#endif
