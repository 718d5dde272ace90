/* The worker pool: runs tasks in locked-down worker processes, on a libuv loop.
 *
 * Promises
 *   Every submitted task has its callback called exactly once, never before p2_pool_submit has
 *   returned, never after the pool's close callback.
 *   A worker serves one authority at a time. Another authority gets a fresh process, after the old
 *   one is dead and its slot is wiped; blob memories are never shared.
 *   A task that crashes, hangs, grabs memory or lies costs its worker, which is replaced, and
 *   nobody else's task: tasks that shared its hand-over run again, each alone.
 *   Nothing is allocated per task.
 *
 * Order: priority, then earliest deadline, then order of submission, within an authority. Among
 * authorities the one with the earliest task gets a worker, but none loses its worker more often
 * than every P2_TENANCY_US while it has work, and none waits without a worker for ever.
 *
 * A seat is a place for one worker:
 *
 *   state     submit       started+ready   answer     exited      kill
 *   EMPTY     -> STARTING  .               .          .           .
 *   STARTING  .            -> IDLE         .          -> EMPTY    -> DYING
 *   IDLE      -> BUSY      .               .          -> EMPTY    -> DYING
 *   BUSY      .            .               -> IDLE    -> EMPTY    -> DYING
 *   DYING     .            .               .          -> EMPTY    .
 *
 * A task is QUEUED, RUNNING, then SETTLED (its outcome known, its callback due in the loop's next
 * turn) unless an answer arrives, whose callbacks are called at once.
 *
 * Life: p2_pool_open, use, p2_pool_close; the close callback comes last and the pool is freed when
 * it returns. Thread: everything on the loop's thread, which is the launcher's. */
#ifndef P2_EXEC_POOL_H
#define P2_EXEC_POOL_H

#include "exec/launcher.h"
#include "exec/limits.h"
#include "exec/task.h"

#include <uv.h>

#include <stdbool.h>
#include <stdint.h>

struct p2_pool;

struct p2_pool_settings {
    uint32_t workers;        /* processes, 1 .. P2_POOL_WORKERS_MAX */
    uint32_t queue_capacity; /* tasks waiting and running, 1 .. P2_POOL_TASKS_MAX */
    int nice;                /* 0 .. 19 */
    bool is_idle;            /* run in SCHED_IDLE: only when nobody else wants the CPU */
    uint32_t cpu_permille;   /* of the workers' CPUs, 1 .. 1000; 1000 is no limit */
    bool uses_cgroup;        /* limit by a cgroup quota where one can be written, else withhold */
    bool batches;            /* small tasks may share a hand-over */
    bool hides_clock;        /* kernels cannot read the time; see lockdown.h for the price */
    bool poisons_arena;      /* tests: fill the arena before every task */
};

/* What happened since the pool was opened. All only grow, but for the last three. */
struct p2_pool_counters {
    uint64_t submitted;
    uint64_t ended[P2_TASK_STATUS_COUNT]; /* by status; sum = submitted - waiting - running */
    uint64_t traps[P2_TRAP_COUNT];        /* by trap */
    uint64_t refused;                     /* submissions that were not taken */
    uint64_t rerun;              /* tasks that ran again after a neighbour's crash or a pause */
    uint64_t handovers;          /* times a worker was given work */
    uint64_t batched;            /* tasks that shared a hand-over */
    uint64_t workers_started;    /* workers that became ready */
    uint64_t workers_lost;       /* workers that died or were killed */
    uint64_t workers_failed;     /* workers that could not be started */
    uint64_t authority_switches; /* seats wiped for another authority */
    uint64_t spurious_wakeups;   /* signals of workers that carried no answer */
    uint64_t cpu_us;             /* CPU time of all tasks */
    uint64_t withheld_us;        /* time in which the CPU share held work back */
    uint64_t respawn_last_us;    /* from the loss of a worker to a ready one, last time */
    uint32_t waiting;            /* tasks in the queue now */
    uint32_t running;            /* tasks in workers now */
    uint32_t ready;              /* workers idle or busy now */
};

typedef void (*p2_pool_cb)(void *ctx);

/* Microseconds of the monotonic clock, the scale of deadlines. */
uint64_t p2_pool_now_us(void);

/* Opens a pool on `loop` (borrowed). Takes `launcher`, also on failure. P2_E_INVALID for settings
 * outside their ranges, P2_E_NOMEM, P2_E_IO; `failure` may be NULL. Gives the pool. */
int p2_pool_open(uv_loop_t *loop, struct p2_launcher *launcher,
                 const struct p2_pool_settings *settings, struct p2_failure *failure,
                 struct p2_pool **ret_pool);

/* Ends everything: open tasks end as CANCELLED, workers die, then `closed` is called once. Blocks
 * for about a millisecond. Call once; every other function but p2_pool_counters is refused with
 * P2_E_DRAINING afterwards. */
void p2_pool_close(struct p2_pool *pool, p2_pool_cb closed, void *ctx);

/* Lets tasks of the authority `tag` in. With blob_bytes > 0 it has a blob memory of that size.
 * P2_E_EXIST, P2_E_LIMIT, and the errors of p2_blobs_open. */
int p2_pool_authority_add(struct p2_pool *pool, uint64_t tag, uint64_t blob_bytes);

/* Ends its tasks as CANCELLED, its workers, and its blob memory. P2_E_NOENT. */
int p2_pool_authority_remove(struct p2_pool *pool, uint64_t tag);

/* Blobs of an authority; see blobs.h. P2_E_NOENT for an unknown authority or one without blobs. */
int p2_pool_blob_put(struct p2_pool *pool, uint64_t tag, struct p2_span data,
                     struct p2_blob_handle *ret_handle);
int p2_pool_blob_drop(struct p2_pool *pool, uint64_t tag, struct p2_blob_handle handle);

/* Takes a task. On success its callback will be called once and `ret_id` (may be NULL) names it.
 * P2_E_AGAIN when the queue is full, P2_E_NOENT for an unknown authority, kernel or blob,
 * P2_E_INVALID for a budget, priority, operation or blob count outside its range, P2_E_DRAINING,
 * P2_E_STATE when the launcher is lost. Input above the kernel's own limits is taken and ends as
 * BAD_INPUT: it is the peer's fault, not the caller's. O(log tasks) and a copy of the input when a
 * worker is free. */
int p2_pool_submit(struct p2_pool *pool, const struct p2_exec_task *task, uint64_t *ret_id);

/* Ends a task as CANCELLED. A running one takes its worker with it unless it shares a hand-over.
 * P2_E_NOENT for a task whose outcome is settled already, or unknown. */
int p2_pool_cancel(struct p2_pool *pool, uint64_t id);

/* Stops handing out work. What still runs after `grace_us` (UINT64_MAX: never) is stopped and waits
 * in the queue again; queue and workers stay. Pausing again changes the grace. */
void p2_pool_pause(struct p2_pool *pool, uint64_t grace_us);
void p2_pool_resume(struct p2_pool *pool);

/* Refuses new tasks and calls `drained` once when all open ones have ended, in a later turn of the
 * loop; a closing pool calls it, too. P2_E_STATE when it is draining already. */
int p2_pool_drain(struct p2_pool *pool, p2_pool_cb drained, void *ctx);

/* Changes settings of a running pool. Workers of the old priority, and those above the new number,
 * end when their task has. P2_E_INVALID. */
int p2_pool_set_workers(struct p2_pool *pool, uint32_t workers);
int p2_pool_set_priority(struct p2_pool *pool, int nice, bool is_idle);
int p2_pool_set_cpu_share(struct p2_pool *pool, uint32_t cpu_permille);

/* True when a cgroup enforces the CPU share, false when work is withheld. */
bool p2_pool_has_cgroup(const struct p2_pool *pool);

/* True when the launcher is lost: nothing can be computed until the process is restarted. */
bool p2_pool_is_broken(const struct p2_pool *pool);

/* A copy of the counters. */
void p2_pool_counters(const struct p2_pool *pool, struct p2_pool_counters *ret_counters);

#endif
