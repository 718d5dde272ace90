/* The worker process: maps its memory, locks itself down, then runs hand-overs until it is killed.
 * Runs only in a fresh fork of the launcher. Nothing here returns. */
#ifndef P2_EXEC_WORKER_H
#define P2_EXEC_WORKER_H

#include "exec/lockdown.h"
#include "exec/slot.h"
#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stdint.h>

/* The scratch memory all workers inherit from the launcher, between guard pages, never touched
 * there: each worker sees its own zeroes. */
struct p2_worker_arena {
    uint8_t *data; /* 64-byte aligned */
    size_t size;   /* the largest arena of the kernel table, rounded up to whole pages */
};

struct p2_worker {
    const struct p2c2r_kernel *const *kernels; /* kernels[kernel_count] */
    size_t kernel_count;
    struct p2_worker_arena arena;
    int slot_fd;
    int blob_fd;         /* -1: this worker's authority has no blobs */
    uint64_t blob_bytes; /* size of the blob memory */
    uint64_t generation; /* echoed in every reply */
    bool poisons_arena;  /* tests: fill the arena before every task */
    struct p2_lock_worker lock;
};

/* Serves the slot. Ends with P2_LOCK_EXIT_STEP plus the step when lock-down fails. */
_Noreturn void p2_worker_main(struct p2_lockdown *lock, const struct p2_worker *worker);

/* Locks down as p2_worker_main does, reports its features through the slot, then tries to open a
 * socket: only death by SIGSYS proves that the lock holds. */
_Noreturn void p2_worker_probe(struct p2_lockdown *lock, const struct p2_worker *worker);

/* Locks down as p2_worker_main does and blocks until the other end of its wake descriptor, a pipe,
 * is gone: the init of the pid namespace. */
_Noreturn void p2_worker_hold(struct p2_lockdown *lock, const struct p2_worker *worker);

#endif
