/* The frame pipeline of one session: 60 slots a second, tasks delivered exactly at their frames.
 *
 * Frame n has the slot epoch + n / 60 s. In it, in this order: inputs, the game's tick (which emits
 * tasks), delivery of all tasks with due_frame n sorted by id, the game's commit, shipping. A frame
 * never waits: what is not settled is delivered as the game's degraded answer with a reason. When
 * time was lost, missed slots are run one after the other and are late, never skipped.
 *
 *   task state   entered by                              left by
 *   WAITING      submit; all its leases ended            a lease, local compute, due
 *   OUT          a lease or local compute is under way   settled, all ended, due
 *   SETTLED      an accepted result                      due (delivered), cancelled
 *   gone         delivered or cancelled: exactly once
 *
 * due_frame is fixed at emission: n + depth for C1, n + slack for the other classes. Depth adapts
 * 1..3: it rises at once when a C1 task of the last frames would have needed it, and falls after two
 * seconds in which one frame less would have been enough.
 *
 * The pipeline knows nothing of helpers; dispatch.h moves its tasks to them. It is the one owner of
 * task memory: inputs until settled, results until delivered, from a pool with a limit.
 * Thread: one. */
#ifndef P2_AUTHORITY_PIPELINE_H
#define P2_AUTHORITY_PIPELINE_H

#include "authority/lease.h"
#include "authority/outbox.h"
#include "authority/placement.h"
#include "link/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define P2_TASK_OPTIONAL 1u /* degraded without harm to "on time" */
#define P2_TASK_SECRET   2u /* never to peers: cloud and own cores (DESIGN 7) */
#define P2_TASK_VIEW     4u /* pixels and bytes for a client: not journalled (DESIGN 7) */

/* What the game asks for. Borrowed; copied by submit. */
struct p2_task_spec {
    uint64_t id;    /* chosen by the caller, never used before; 0: the next of the session */
    uint8_t kernel; /* index into the core's table */
    enum p2_task_class class;
    uint8_t flags;    /* P2_TASK_* */
    uint8_t replicas; /* results that must agree, of different owners and prefixes; 0 and 1: one */
    uint8_t weight;   /* criticality 1..10, for the policy of audits */
    uint16_t slack_frames; /* classes but C1: due_frame = frame + slack, 1..P2_SLACK_MAX_FRAMES */
    uint32_t output_max;   /* bytes */
    uint64_t cost_units;   /* from the kernel's cost model; at least 1 */
    uint64_t tag;          /* the game's, for invalidate */
    struct p2_span input;
    const uint64_t *keys; /* contents the kernel reads, keys[key_count], in its order */
    uint32_t key_count;   /* at most P2_WIRE_BLOBS_MAX */
};

enum p2_task_state { P2_TASK_GONE, P2_TASK_WAITING, P2_TASK_OUT, P2_TASK_SETTLED };

/* Local compute of a task: none, asked for, or over. */
enum p2_local_state { P2_LOCAL_NONE, P2_LOCAL_RUNNING, P2_LOCAL_FAILED };

/* Bytes in the pool. */
struct p2_block {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* A helper's result: our own one judges it, also when the helper is gone by then. */
struct p2_task_answer {
    struct p2_id helper;
    uint32_t peer;
    uint64_t lease;
    bool is_refused; /* its check failed: only whether it was right after all is of interest */
    uint8_t digest[P2_DIGEST_BYTES];
};

struct p2_task {
    /* What a look over all unsettled tasks reads comes first: one cache line each. */
    uint64_t id;                   /* counted from 1 per session; the same in a replay */
    uint64_t due_us;               /* slot of due_frame */
    uint32_t open_next, open_prev; /* of those not SETTLED, by id */
    enum p2_task_state state;
    enum p2_task_class class;
    uint32_t lease_count;
    uint32_t checking; /* results whose check is under way */
    enum p2_local_state local;
    uint32_t leases[P2_TASK_LEASES_MAX]; /* not ended ones; P2_LEASE_NONE: free */
    uint8_t kernel;
    uint8_t flags;
    uint8_t replicas;
    uint8_t weight;
    enum p2_tier tier;                                 /* who settled it */
    struct p2_task_answer answers[P2_TASK_LEASES_MAX]; /* that passed their check, the newest */
    uint32_t answer_count;
    enum p2_frame_reason reason; /* the worst that happened so far */
    bool must_recompute; /* verification wants our own result: helpers' answers only compare */
    bool may_count; /* ... but a kept result may count when own cores do not make it: then it is
                          * audited afterwards */
    enum p2_tier kept_tier; /* whose result is kept then */
    uint64_t frame;         /* emitted in */
    uint64_t due_frame;
    uint64_t emitted_us;
    uint64_t settled_us;
    uint64_t cost_units;
    uint64_t tag;
    uint32_t output_max;
    uint32_t local_us; /* predicted, while RUNNING */
    size_t reserved;   /* bytes of memory_max */
    struct p2_block input;
    struct p2_block result;
    uint8_t digest[P2_DIGEST_BYTES]; /* of `result`, once there is one */
    bool has_digest;
    uint8_t agreed;                    /* equal results so far, while replicas > 1 */
    uint32_t tried[P2_TASK_TRIES_MAX]; /* peers that had a lease of it */
    uint32_t tried_count;
    uint32_t key_count;
    uint64_t keys[P2_WIRE_BLOBS_MAX];
    uint32_t next, prev;           /* of all undelivered tasks, by id */
    uint32_t wait_next, wait_prev; /* of those WAITING, by id */
    uint32_t due_next;             /* of those due in the same frame, by id */
    uint32_t hash_next;
};

#define P2_TASK_NONE UINT32_MAX

struct p2_task_list {
    uint32_t first, last;
    uint32_t count;
};

struct p2_pipeline {
    struct p2_task *items;    /* owned; items[capacity] */
    uint32_t *buckets;        /* owned; by id */
    struct p2_task_list *due; /* owned; [P2_SLACK_MAX_FRAMES + 1], by due_frame */
    struct p2_block *retired; /* owned; given back when the next step begins */
    uint32_t capacity;        /* power of two */
    uint32_t retired_count;
    uint32_t free_first;
    struct p2_task_list all;
    struct p2_task_list open[2]; /* of those, not SETTLED: C0 and C1, the others; by id */
    struct p2_task_list waiting[P2_TASK_CLASSES];
    struct p2_pool pool;
    size_t memory_max;
    size_t reserved; /* bytes that inputs and results of undelivered tasks may take */
    uint64_t next_id;
    uint64_t epoch_us; /* slot of first_frame */
    uint64_t first_frame;
    uint64_t frame; /* the one that runs now or next */
    uint8_t depth;
    uint32_t calm_frames; /* since less depth was not enough */
    uint64_t need_us;     /* longest C1 settling since the depth was looked at */
    bool is_strained;     /* a C1 task missed, or needed own cores although helpers suit it */
    uint64_t submitted;   /* ever */
    uint64_t delivered;   /* ever, degraded ones too */
    uint64_t cancelled;   /* ever */
};

/* `tasks_max` undelivered tasks (at most P2_CORE_TASKS_MAX) with together `memory_max` bytes of
 * inputs and results. Frame `first_frame` has its slot at `start_us`. P2_E_NOMEM, P2_E_INVALID. */
int p2_pipeline_init(struct p2_pipeline *pipeline, uint32_t tasks_max, size_t memory_max,
                     uint64_t first_frame, uint64_t start_us);
void p2_pipeline_free(struct p2_pipeline *pipeline);

/* Slot of a frame: exact, without drift. */
uint64_t p2_pipeline_slot_us(const struct p2_pipeline *pipeline, uint64_t frame);

/* Gives back the memory whose bytes the last step's effects showed. */
void p2_pipeline_begin(struct p2_pipeline *pipeline);

/* A task of the frame that runs now. Room for its input and its largest result is reserved until it
 * is delivered, so that whether there is room does not depend on when helpers answer (a replay must
 * see the same). P2_E_INVALID (class C0 without own cores is the caller's
 * affair; slack 0 or too long; sizes), P2_E_EXIST (id), P2_E_LIMIT (tasks or memory). O(input). */
int p2_pipeline_submit(struct p2_pipeline *pipeline, const struct p2_task_spec *spec,
                       uint64_t now_us, struct p2_task **ret_task);

/* An undelivered task, or NULL. O(1). */
struct p2_task *p2_pipeline_find(struct p2_pipeline *pipeline, uint64_t id);

struct p2_task *p2_pipeline_at(struct p2_pipeline *pipeline, uint32_t index);
uint32_t p2_pipeline_index(const struct p2_pipeline *pipeline, const struct p2_task *task);

/* Keeps the first result of a task with its digest, not settled yet. P2_E_LIMIT (memory). */
int p2_pipeline_keep(struct p2_pipeline *pipeline, struct p2_task *task, struct p2_span result);

/* Forgets a kept result that turned out wrong or disputed. */
void p2_pipeline_forget(struct p2_pipeline *pipeline, struct p2_task *task);

/* Copies `bytes` into a block of the pool / gives the block back when the next step begins.
 * P2_E_LIMIT (memory). */
int p2_pipeline_hold(struct p2_pipeline *pipeline, struct p2_block *block, struct p2_span bytes);
void p2_pipeline_drop(struct p2_pipeline *pipeline, struct p2_block *block);

/* Settles a task whose result is kept. P2_E_STATE when it is SETTLED. */
int p2_pipeline_settle(struct p2_pipeline *pipeline, struct p2_task *task, enum p2_tier tier,
                       uint64_t now_us);

/* Moves between WAITING and OUT; no effect on SETTLED tasks. */
void p2_pipeline_set_out(struct p2_pipeline *pipeline, struct p2_task *task, bool is_out);

/* The first task due in the frame that runs now, or NULL; it is removed by p2_pipeline_remove. */
struct p2_task *p2_pipeline_due(struct p2_pipeline *pipeline);

/* Delivered (is_delivered) or cancelled: gone, exactly once. Its leases are the caller's. */
void p2_pipeline_remove(struct p2_pipeline *pipeline, struct p2_task *task, bool is_delivered);

/* Ends the frame: looks at the depth. True when it changed (from the next tick on). */
bool p2_pipeline_end_frame(struct p2_pipeline *pipeline);

#endif
