/* Which task is computed where: round robin over the helpers with a credit window, own cores when a
 * helper cannot make it any more.
 *
 * A task is in exactly one state:
 *
 *   state     event                                  to
 *   WAITING   a helper has credit                    LEASED     effect LEASE
 *   WAITING   its fallback time has come             LOCAL      effect LOCAL
 *   LEASED    its answer came                        CHECKING
 *   LEASED    the helper is gone                     WAITING
 *   LEASED    its fallback time has come             FALLBACK   effect CANCEL
 *   CHECKING  p2_simple_dispatch_failed                     FALLBACK
 *   LEASED    the helper gave up (p2_simple_dispatch_failed after the answer) as CHECKING
 *   FALLBACK                                         LOCAL      effect LOCAL
 *   any       p2_simple_dispatch_settle                     SETTLED
 *   any but SETTLED  it is due                       SETTLED    effect DEGRADE (after CANCEL)
 *
 * A helper whose last P2_SIMPLE_DISPATCH_LATE_ROW answers were all late gets one lease at a time until one is
 * in time again: own cores would have to do its work anyway.
 *
 * A lease that was cancelled keeps its credit until its helper has answered: whoever does not answer
 * gets no more work. Answers to it are LATE and dropped; answers to anything else are UNSOLICITED.
 *
 * Pure: takes the time as an argument; effects are fetched by p2_simple_dispatch_next. Thread: an object
 * belongs to one thread. */
#ifndef P2_AUTHORITY_SHELL_SIMPLE_DISPATCH_H
#define P2_AUTHORITY_SHELL_SIMPLE_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Helpers at once. Chosen: one built-in session cannot feed more. */
#define P2_SIMPLE_DISPATCH_HELPERS_MAX 64u

/* Leases of one helper at once. Chosen: HELLO's default number of slots. */
#define P2_SIMPLE_DISPATCH_WINDOW_MAX 64u

/* Late answers in a row that cost a helper its window. Chosen: one stall of a network is fewer. */
#define P2_SIMPLE_DISPATCH_LATE_ROW 8u

/* Tasks at once. Chosen: 64 tasks a frame and 60 frames of slack. */
#define P2_SIMPLE_DISPATCH_TASKS_MAX 4096u

struct p2_simple_dispatch;

struct p2_simple_dispatch_task {
    uint64_t due_us;      /* settled then, degraded if need be */
    uint64_t fallback_us; /* own cores start then at the latest; at most due_us */
    uint64_t tag;         /* the caller's */
};

enum p2_simple_dispatch_effect_kind {
    P2_SIMPLE_DISPATCH_LEASE,  /* send `lease` of `task` to `helper`, with `budget_us` */
    P2_SIMPLE_DISPATCH_CANCEL, /* tell `helper` that `lease` is not needed any more */
    P2_SIMPLE_DISPATCH_LOCAL,  /* compute `task` on own cores */
    P2_SIMPLE_DISPATCH_DEGRADE /* `task` is due: take its degraded answer; it is settled */
};

struct p2_simple_dispatch_effect {
    enum p2_simple_dispatch_effect_kind kind;
    uint32_t task;
    uint32_t helper; /* LEASE, CANCEL */
    uint64_t lease;  /* LEASE, CANCEL; never used twice */
    uint32_t budget_us;
};

enum p2_simple_dispatch_answer {
    P2_SIMPLE_DISPATCH_TAKEN, /* the task is CHECKING: settle it or call p2_simple_dispatch_failed */
    P2_SIMPLE_DISPATCH_LATE,  /* the lease was cancelled; drop the answer */
    P2_SIMPLE_DISPATCH_UNSOLICITED /* no such lease, or answered before */
};

/* Gives an empty dispatcher. P2_E_NOMEM. */
int p2_simple_dispatch_open(struct p2_simple_dispatch **ret_dispatch);
void p2_simple_dispatch_close(struct p2_simple_dispatch *dispatch);

/* Adds a helper that takes `window` leases at once (1 .. P2_SIMPLE_DISPATCH_WINDOW_MAX, more are cut).
 * P2_E_LIMIT. Its number may be used again once it was removed. */
int p2_simple_dispatch_helper_add(struct p2_simple_dispatch *dispatch, uint32_t window,
                                  uint32_t *ret_helper);

/* No more leases for it; what it has still counts. */
void p2_simple_dispatch_helper_drain(struct p2_simple_dispatch *dispatch, uint32_t helper);

/* Forgets a helper; the tasks it held wait again. */
void p2_simple_dispatch_helper_remove(struct p2_simple_dispatch *dispatch, uint32_t helper);

/* Leases of the helper that are not answered, late ones too. */
uint32_t p2_simple_dispatch_helper_open(const struct p2_simple_dispatch *dispatch, uint32_t helper);

/* Takes a task. P2_E_LIMIT, P2_E_INVALID when it falls back after it is due. */
int p2_simple_dispatch_task_add(struct p2_simple_dispatch *dispatch,
                                const struct p2_simple_dispatch_task *task, uint32_t *ret_task);

/* The caller's number of a task, and whether it was leased more than once. */
uint64_t p2_simple_dispatch_task_tag(const struct p2_simple_dispatch *dispatch, uint32_t task);
bool p2_simple_dispatch_task_is_second(const struct p2_simple_dispatch *dispatch, uint32_t task);

/* May `helper` compute `task` at all (kernel, blobs)? */
typedef bool (*p2_simple_dispatch_may)(void *ctx, uint32_t helper, uint32_t task);

/* The next thing to do at `now_us`; false when there is nothing. Call until it is false after every
 * change and at p2_simple_dispatch_next_us. O(tasks). */
bool p2_simple_dispatch_next(struct p2_simple_dispatch *dispatch, uint64_t now_us,
                             p2_simple_dispatch_may may, void *ctx,
                             struct p2_simple_dispatch_effect *ret_effect);

/* When p2_simple_dispatch_next has something to do at the latest if nothing else happens; UINT64_MAX. */
uint64_t p2_simple_dispatch_next_us(const struct p2_simple_dispatch *dispatch);

/* A helper answered `lease`. For TAKEN the task is named. */
enum p2_simple_dispatch_answer p2_simple_dispatch_answered(struct p2_simple_dispatch *dispatch,
                                                           uint32_t helper, uint64_t lease,
                                                           uint32_t *ret_task);

/* The answer was none, or wrong: own cores compute it. Ignored when the task is settled. */
void p2_simple_dispatch_failed(struct p2_simple_dispatch *dispatch, uint32_t task);

/* The task has its result. True exactly once in its life: false when it is settled already. */
bool p2_simple_dispatch_settle(struct p2_simple_dispatch *dispatch, uint32_t task);

/* Forgets a settled task; its number may be used again. */
void p2_simple_dispatch_task_free(struct p2_simple_dispatch *dispatch, uint32_t task);

#endif
