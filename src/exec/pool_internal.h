/* What the parts of the pool share: pool.c (life, settings, tasks), pool_seat.c (workers and who
 * gets which task) and pool_time.c (clocks). Nobody else includes this. */
#ifndef P2_EXEC_POOL_INTERNAL_H
#define P2_EXEC_POOL_INTERNAL_H

#include "exec/blobs.h"
#include "exec/pool.h"
#include "exec/queue.h"
#include "exec/share.h"
#include "exec/slot.h"

#include <time.h>

/* Marks the absence of a task in a list or a hand-over. */
#define P2_NO_JOB UINT32_MAX

enum p2_job_state {
    P2_JOB_FREE,
    P2_JOB_QUEUED,  /* in its authority's queue */
    P2_JOB_RUNNING, /* in a seat's hand-over */
    P2_JOB_SETTLED  /* outcome known, callback due */
};

/* One submitted task. */
struct p2_job {
    enum p2_job_state state;
    uint32_t generation;      /* of this index; upper half of the id */
    uint32_t next;            /* in the list of free or of settled jobs */
    bool is_alone;            /* never shares a hand-over: it, or a neighbour, lost a worker */
    struct p2_exec_task task; /* `blobs` is not used */
    size_t output_capacity;   /* bytes, at most the kernel's output_max */
    struct p2_queue_key key;
    struct p2_authority *authority;
    struct p2_blob_handle handles[P2C2R_BLOBS_MAX]; /* held until settled */
    struct p2_slot_blob places[P2C2R_BLOBS_MAX];
    struct p2_task_result result; /* once settled */
};

struct p2_authority {
    bool is_open;
    uint64_t tag;
    uint64_t serial;        /* never used twice: tells a tag that came back from the old one */
    struct p2_blobs *blobs; /* or NULL */
    struct p2_queue queue;
    uint32_t live;     /* seats STARTING, IDLE or BUSY for it */
    uint32_t starting; /* of them STARTING */
    uint32_t idle;     /* of them IDLE */
};

enum p2_seat_state {
    P2_SEAT_EMPTY,
    P2_SEAT_STARTING,
    P2_SEAT_IDLE,
    P2_SEAT_BUSY,
    P2_SEAT_DYING, /* its death was ordered */
    P2_SEAT_STATE_COUNT
};

/* A place for one worker. */
struct p2_seat {
    struct p2_pool *pool;
    enum p2_seat_state state;
    uint32_t index;
    struct p2_slot slot;
    int wake_fd;                    /* of the present worker */
    int done_fd;                    /* of the seat */
    uv_poll_t done;                 /* on done_fd */
    struct p2_authority *authority; /* served, while STARTING, IDLE or BUSY */
    uint64_t slot_serial;           /* authority whose bytes the slot may hold; 0: clean */
    uint64_t serial;                /* of the present worker */
    uint32_t epoch;                 /* of the settings it was started with */
    pid_t pid;                      /* 0 until STARTED was heard */
    clockid_t clock;                /* its CPU time */
    bool is_ready;                  /* it has reported through the slot */
    uint32_t spurious;              /* signals without an answer */
    uint64_t tenancy_us;            /* since when the authority has the seat */
    uint64_t lost_us;               /* when the last worker was lost, 0: none was */
    uint64_t cpu_us;                /* its CPU time when it was given the hand-over */
    uint64_t dead_cpu_us;           /* CPU time of its whole life; 0: it lives */
    uint64_t handed_us;             /* when that was */
    uint64_t budget_us;             /* of the hand-over */
    uint64_t wall_us;               /* backstop, monotonic */
    uint64_t check_us;              /* when to look at its CPU time next, monotonic */
    uint64_t wall_used_us;          /* CPU time of the hand-over at the last renewal of wall_us */
    uint32_t renewals;              /* of wall_us, in this hand-over */
    bool was_over;                  /* its CPU time was seen used up once */
    bool owes_signal;               /* its answer was taken before its signal was seen */
    uint32_t jobs[P2_BATCH_MAX];    /* of the hand-over; P2_NO_JOB: cancelled meanwhile */
    uint32_t job_count;             /* 0 unless BUSY */
};

struct p2_pool {
    uv_loop_t *loop;
    struct p2_launcher *launcher;
    const struct p2c2r_kernel *const *kernels;
    size_t kernel_count;
    struct p2_pool_settings settings;
    uint32_t epoch; /* of nice and is_idle */
    struct p2_pool_counters counters;

    struct p2_job *jobs;                  /* jobs[settings.queue_capacity] */
    uint32_t free_jobs;                   /* list */
    uint32_t open_jobs;                   /* not FREE */
    uint32_t settled_first, settled_last; /* list, in order */
    uint64_t arrivals;
    uint8_t *output; /* P2_SLOT_OUTPUT_BYTES: the outputs now being delivered */

    struct p2_authority authorities[P2_POOL_AUTHORITIES_MAX];
    struct p2_seat *seats; /* seats[P2_POOL_WORKERS_MAX]; handles open up to seat_count */
    uint32_t seat_count;   /* seats ever used; those from settings.workers on run empty */
    uint64_t serials;      /* of workers and authorities */

    struct p2_share *share; /* or NULL */
    int64_t allowance_us;   /* CPU time that may be spent now (without a cgroup) */
    uint64_t allowance_at;  /* when it was computed */
    uint64_t withheld_at;   /* since when work is held back; 0: it is not */

    uint32_t failures_in_row; /* workers that could not be started */
    uint64_t retry_us;        /* no start before; 0: none failed */
    bool is_paused;
    uint64_t grace_us; /* when running tasks are stopped; UINT64_MAX: done, or never */
    bool is_broken;
    bool is_closing;
    bool is_draining;
    p2_pool_cb drained;
    void *drained_ctx;
    p2_pool_cb closed;
    void *closed_ctx;

    uv_poll_t events; /* on the launcher's socket */
    uv_poll_t timer;  /* on timer_fd: libuv's own timers count whole milliseconds */
    int timer_fd;
    uint64_t armed_us; /* when it fires; UINT64_MAX: not set */
    uv_idle_t settle;  /* runs while callbacks are due */
    uint32_t handles;  /* open ones */
};

/* ---- pool.c -------------------------------------------------------------------------------- */

/* Records a job's outcome; its callback is called in the loop's next turn. */
void p2_pool_settle(struct p2_pool *pool, uint32_t job, enum p2_task_status status,
                    enum p2_task_trap trap);

/* Calls the callbacks of the jobs settled so far. */
void p2_pool_deliver(struct p2_pool *pool);

/* Puts a running job back into its queue. */
void p2_pool_requeue(struct p2_pool *pool, uint32_t job, bool is_alone);

/* Makes the timer fire at `at_us` or earlier. */
void p2_pool_arm(struct p2_pool *pool, uint64_t at_us);

/* ---- pool_seat.c --------------------------------------------------------------------------- */

/* Opens slot, eventfd and handle of the seat after the last. P2_E_NOMEM, P2_E_IO. */
int p2_seat_open(struct p2_pool *pool);

/* Closes what p2_seat_open opened, but the handle. */
void p2_seat_close(struct p2_seat *seat);

/* Orders the worker's death. The hand-over must have been dealt with. */
void p2_seat_kill(struct p2_seat *seat);

/* Deals with the hand-over of a worker that is lost or is about to be: a job on its own ends so,
 * jobs that shared it run again alone. */
void p2_seat_fail(struct p2_seat *seat, enum p2_task_status status, enum p2_task_trap trap);

/* CPU time of the present hand-over so far, in us. */
uint64_t p2_seat_used_us(const struct p2_seat *seat);

/* The same, taken off the allowance and added to the counters; later calls count from here. */
uint64_t p2_seat_charge(struct p2_seat *seat);

/* Takes the answer of a BUSY seat whose signal was not seen yet, as if it had been: calls callbacks.
 * False when there is none. */
bool p2_seat_take_early(struct p2_seat *seat);

/* Gives work to idle workers, starts and ends workers. Calls no callback. */
void p2_pool_pump(struct p2_pool *pool);

/* Handler of the launcher's socket. */
void p2_pool_on_events(uv_poll_t *handle, int status, int events);

/* ---- pool_time.c --------------------------------------------------------------------------- */

/* Handler of the timer. */
void p2_pool_on_timer(uv_poll_t *handle, int status, int events);

#endif
