/* A task as the pool takes it, and what came of it. */
#ifndef P2_EXEC_TASK_H
#define P2_EXEC_TASK_H

#include "base/buf.h"
#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stdint.h>

/* Which function of the kernel runs. */
enum p2_task_operation {
    P2_TASK_RUN = 0,      /* compute the result */
    P2_TASK_CHECK = 1,    /* cheap validity test of a result */
    P2_TASK_CANONICAL = 2 /* decode a result into the bytes that are compared */
};

/* How a task ended. Only OK is an answer; BAD_INPUT and BAD_RESULT are the kernel's word about the
 * bytes it was given; the others say nothing about them and are never hashed or compared. */
enum p2_task_status {
    P2_TASK_OK = 0,
    P2_TASK_BAD_INPUT,    /* the kernel refuses the input, or the input is above its limits */
    P2_TASK_BAD_RESULT,   /* check and canonical only: the result is wrong for this input */
    P2_TASK_NO_ROOM,      /* the output span or the arena is too small for the result */
    P2_TASK_TRAP,         /* the kernel crashed or tried something forbidden; see the trap */
    P2_TASK_TIMEOUT,      /* its CPU time or the wall backstop ran out, or it began too late */
    P2_TASK_MEMORY,       /* it asked for memory, or the machine ran out */
    P2_TASK_CANCELLED,    /* by p2_pool_cancel, by removing its authority, by closing the pool */
    P2_TASK_WORKER_ERROR, /* no worker could be had, or its answer broke the protocol */
    P2_TASK_STATUS_COUNT
};

/* Why, in more detail: for people and counters, never for decisions, since a worker that was taken
 * over can choose how it dies. */
enum p2_task_trap {
    P2_TRAP_NONE = 0,
    P2_TRAP_NULL,      /* touched an address near zero */
    P2_TRAP_STACK,     /* ran out of stack */
    P2_TRAP_ACCESS,    /* touched memory it may not */
    P2_TRAP_NUMBER,    /* integer division by zero or overflow */
    P2_TRAP_CODE,      /* an illegal instruction, or an assertion */
    P2_TRAP_CALL,      /* a forbidden system call */
    P2_TRAP_EXIT,      /* ended its process */
    P2_TRAP_LIE,       /* answered with lengths or numbers that cannot be */
    P2_TRAP_SILENT,    /* timeout: the wall backstop, its CPU time was not used up */
    P2_TRAP_LATE,      /* timeout: not begun before its deadline */
    P2_TRAP_ALLOCATE,  /* memory: asked for more after lock-down */
    P2_TRAP_SYSTEM,    /* memory: killed by the system, most likely for want of memory */
    P2_TRAP_NO_WORKER, /* worker error: none could be started */
    P2_TRAP_COUNT
};

/* "ok", "bad input", ...; "wild access", ... Static; "unknown" outside the enumeration. */
const char *p2_task_status_text(enum p2_task_status status);
const char *p2_task_trap_text(enum p2_task_trap trap);

/* Names a blob of one authority; of no meaning in another. */
struct p2_blob_handle {
    uint32_t index;      /* below P2_BLOBS_MAX */
    uint32_t generation; /* of this index; 0 never names a blob */
};

struct p2_task_result {
    uint64_t id; /* as p2_pool_submit returned it */
    enum p2_task_status status;
    enum p2_task_trap trap;
    struct p2_span output; /* borrowed for the call; empty unless OK and not a check */
    uint64_t cpu_us;       /* CPU time used; a batch's time is shared out by budget */
    uint64_t wall_us;      /* from hand-over to answer; 0 when it never ran */
    uint32_t batch;        /* tasks of its hand-over; 0 when it never ran */
};

/* Called exactly once for every submitted task, on the loop's thread, never before p2_pool_submit
 * has returned. May call every function of the pool. */
typedef void (*p2_task_done_cb)(void *ctx, const struct p2_task_result *result);

struct p2_exec_task {
    uint64_t authority; /* tag of p2_pool_authority_add */
    uint32_t kernel;    /* index into the pool's kernel table */
    enum p2_task_operation operation;
    struct p2_span input;               /* borrowed until the callback */
    struct p2_span result;              /* check and canonical: borrowed until the callback */
    const struct p2_blob_handle *blobs; /* blobs[blob_count], copied by submit */
    uint32_t blob_count;                /* at most P2C2R_BLOBS_MAX */
    uint64_t secret;                    /* check only */
    size_t output_capacity;             /* bytes; 0 means the kernel's output_max */
    uint32_t budget_us;                 /* CPU time, 1 .. P2_TASK_BUDGET_MAX_US */
    uint64_t deadline_us;               /* p2_pool_now_us scale; orders the queue; 0 is last */
    bool expires;                       /* not begun at its deadline: it ends as TIMEOUT */
    uint32_t priority;                  /* 0 (first) .. P2_TASK_PRIORITIES - 1 */
    p2_task_done_cb done;
    void *ctx; /* kept for `done` */
};

#endif
