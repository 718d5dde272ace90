/* Round robin with a credit window. */
#include "authority/shell/simple_dispatch.h"

#include "base/error.h"

#include <stdlib.h>

enum task_state { FREE, WAITING, LEASED, CHECKING, FALLBACK, LOCAL, SETTLED };

struct task {
    struct p2_simple_dispatch_task given;
    enum task_state state;
    uint32_t helper; /* LEASED */
    uint64_t lease;  /* LEASED */
    uint32_t leases; /* how often it was leased */
};

struct lease {
    uint64_t id;
    uint32_t task;
    bool is_cancelled; /* waits for its late answer only; the task went on without it */
};

struct helper {
    bool is_used;
    bool is_draining;
    uint32_t window;
    uint32_t late_row; /* late answers since the last one in time */
    uint32_t lease_count;
    struct lease leases[P2_SIMPLE_DISPATCH_WINDOW_MAX];
};

struct p2_simple_dispatch {
    struct helper helpers[P2_SIMPLE_DISPATCH_HELPERS_MAX];
    struct task tasks[P2_SIMPLE_DISPATCH_TASKS_MAX];
    uint32_t task_end; /* tasks in use are below */
    uint32_t cursor;   /* the helper to ask first */
    uint64_t last_lease;
};

int p2_simple_dispatch_open(struct p2_simple_dispatch **ret_dispatch)
{
    struct p2_simple_dispatch *dispatch = calloc(1, sizeof *dispatch);
    if (dispatch == NULL) {
        return P2_E_NOMEM;
    }
    *ret_dispatch = dispatch;
    return P2_OK;
}

void p2_simple_dispatch_close(struct p2_simple_dispatch *dispatch)
{
    free(dispatch);
}

/* ---- helpers ----------------------------------------------------------------------------------- */

int p2_simple_dispatch_helper_add(struct p2_simple_dispatch *dispatch, uint32_t window,
                                  uint32_t *ret_helper)
{
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_HELPERS_MAX; i++) {
        struct helper *helper = &dispatch->helpers[i];
        if (!helper->is_used) {
            helper->is_used = true;
            helper->is_draining = false;
            helper->lease_count = 0;
            helper->late_row = 0;
            helper->window =
                window < P2_SIMPLE_DISPATCH_WINDOW_MAX ? window : P2_SIMPLE_DISPATCH_WINDOW_MAX;
            *ret_helper = i;
            return P2_OK;
        }
    }
    return P2_E_LIMIT;
}

void p2_simple_dispatch_helper_drain(struct p2_simple_dispatch *dispatch, uint32_t helper)
{
    dispatch->helpers[helper].is_draining = true;
}

void p2_simple_dispatch_helper_remove(struct p2_simple_dispatch *dispatch, uint32_t helper)
{
    struct helper *row = &dispatch->helpers[helper];
    for (uint32_t i = 0; i < row->lease_count; i++) {
        if (!row->leases[i].is_cancelled) {
            dispatch->tasks[row->leases[i].task].state = WAITING;
        }
    }
    row->lease_count = 0;
    row->is_used = false;
}

uint32_t p2_simple_dispatch_helper_open(const struct p2_simple_dispatch *dispatch, uint32_t helper)
{
    return dispatch->helpers[helper].lease_count;
}

/* The lease's place in the helper's table, or its lease_count. */
static uint32_t find_lease(const struct helper *helper, uint64_t lease)
{
    uint32_t at = 0;
    while (at < helper->lease_count && helper->leases[at].id != lease) {
        at++;
    }
    return at;
}

/* ---- tasks ------------------------------------------------------------------------------------- */

int p2_simple_dispatch_task_add(struct p2_simple_dispatch *dispatch,
                                const struct p2_simple_dispatch_task *task, uint32_t *ret_task)
{
    if (task->fallback_us > task->due_us) {
        return P2_E_INVALID;
    }
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_TASKS_MAX; i++) {
        if (dispatch->tasks[i].state == FREE) {
            dispatch->tasks[i] = (struct task){.given = *task, .state = WAITING};
            dispatch->task_end = i >= dispatch->task_end ? i + 1 : dispatch->task_end;
            *ret_task = i;
            return P2_OK;
        }
    }
    return P2_E_LIMIT;
}

uint64_t p2_simple_dispatch_task_tag(const struct p2_simple_dispatch *dispatch, uint32_t task)
{
    return dispatch->tasks[task].given.tag;
}

bool p2_simple_dispatch_task_is_second(const struct p2_simple_dispatch *dispatch, uint32_t task)
{
    return dispatch->tasks[task].leases > 1;
}

void p2_simple_dispatch_task_free(struct p2_simple_dispatch *dispatch, uint32_t task)
{
    P2_ASSERT(dispatch->tasks[task].state == SETTLED);
    dispatch->tasks[task].state = FREE;
    while (dispatch->task_end > 0 && dispatch->tasks[dispatch->task_end - 1].state == FREE) {
        dispatch->task_end--;
    }
}

/* ---- effects ----------------------------------------------------------------------------------- */

/* Ends a task's lease on our side; the credit stays taken until the helper has answered. */
static void cancel(struct p2_simple_dispatch *dispatch, uint32_t at,
                   struct p2_simple_dispatch_effect *effect)
{
    const struct task *task = &dispatch->tasks[at];
    struct helper *helper = &dispatch->helpers[task->helper];
    uint32_t place = find_lease(helper, task->lease);
    P2_ASSERT(place < helper->lease_count);
    helper->leases[place].is_cancelled = true;
    *effect = (struct p2_simple_dispatch_effect){.kind = P2_SIMPLE_DISPATCH_CANCEL,
                                                 .task = at,
                                                 .helper = task->helper,
                                                 .lease = task->lease};
}

static uint32_t credit(const struct helper *helper)
{
    uint32_t window = helper->late_row >= P2_SIMPLE_DISPATCH_LATE_ROW ? 1 : helper->window;
    return helper->lease_count < window ? window - helper->lease_count : 0;
}

/* Leases the task to the next helper that has credit and may compute it. */
static bool lease_out(struct p2_simple_dispatch *dispatch, uint32_t at, uint64_t now_us,
                      p2_simple_dispatch_may may, void *ctx,
                      struct p2_simple_dispatch_effect *effect)
{
    struct task *task = &dispatch->tasks[at];
    for (uint32_t i = 0; i < P2_SIMPLE_DISPATCH_HELPERS_MAX; i++) {
        uint32_t number = (dispatch->cursor + i) % P2_SIMPLE_DISPATCH_HELPERS_MAX;
        struct helper *helper = &dispatch->helpers[number];
        if (!helper->is_used || helper->is_draining || credit(helper) == 0 ||
            !may(ctx, number, at)) {
            continue;
        }
        uint64_t left_us = task->given.fallback_us - now_us;
        dispatch->cursor = (number + 1) % P2_SIMPLE_DISPATCH_HELPERS_MAX;
        task->state = LEASED;
        task->helper = number;
        task->lease = ++dispatch->last_lease;
        task->leases++;
        helper->leases[helper->lease_count++] = (struct lease){.id = task->lease, .task = at};
        *effect = (struct p2_simple_dispatch_effect){
            .kind = P2_SIMPLE_DISPATCH_LEASE,
            .task = at,
            .helper = number,
            .lease = task->lease,
            .budget_us = left_us < UINT32_MAX ? (uint32_t)left_us : UINT32_MAX,
        };
        return true;
    }
    return false;
}

/* What is to be done about one task, if anything. */
static bool next_of(struct p2_simple_dispatch *dispatch, uint32_t at, uint64_t now_us,
                    p2_simple_dispatch_may may, void *ctx, struct p2_simple_dispatch_effect *effect)
{
    struct task *task = &dispatch->tasks[at];
    if (task->state == FREE || task->state == SETTLED) {
        return false;
    }
    if (task->state == LEASED && now_us >= task->given.fallback_us) {
        cancel(dispatch, at, effect);
        task->state = FALLBACK;
        return true;
    }
    *effect = (struct p2_simple_dispatch_effect){.task = at};
    if (now_us >= task->given.due_us) {
        task->state = SETTLED;
        effect->kind = P2_SIMPLE_DISPATCH_DEGRADE;
        return true;
    }
    if (task->state == FALLBACK || (task->state == WAITING && now_us >= task->given.fallback_us)) {
        task->state = LOCAL;
        effect->kind = P2_SIMPLE_DISPATCH_LOCAL;
        return true;
    }
    return task->state == WAITING && lease_out(dispatch, at, now_us, may, ctx, effect);
}

bool p2_simple_dispatch_next(struct p2_simple_dispatch *dispatch, uint64_t now_us,
                             p2_simple_dispatch_may may, void *ctx,
                             struct p2_simple_dispatch_effect *ret_effect)
{
    for (uint32_t i = 0; i < dispatch->task_end; i++) {
        struct p2_simple_dispatch_effect effect;
        if (next_of(dispatch, i, now_us, may, ctx, &effect)) {
            *ret_effect = effect;
            return true;
        }
    }
    return false;
}

uint64_t p2_simple_dispatch_next_us(const struct p2_simple_dispatch *dispatch)
{
    uint64_t next_us = UINT64_MAX;
    for (uint32_t i = 0; i < dispatch->task_end; i++) {
        const struct task *task = &dispatch->tasks[i];
        if (task->state == FREE || task->state == SETTLED) {
            continue;
        }
        bool has_fallback = task->state == WAITING || task->state == LEASED;
        uint64_t at_us = has_fallback ? task->given.fallback_us : task->given.due_us;
        next_us = at_us < next_us ? at_us : next_us;
    }
    return next_us;
}

/* ---- answers ----------------------------------------------------------------------------------- */

enum p2_simple_dispatch_answer p2_simple_dispatch_answered(struct p2_simple_dispatch *dispatch,
                                                           uint32_t helper, uint64_t lease,
                                                           uint32_t *ret_task)
{
    struct helper *row = &dispatch->helpers[helper];
    uint32_t place = find_lease(row, lease);
    if (place == row->lease_count) {
        return P2_SIMPLE_DISPATCH_UNSOLICITED;
    }
    struct lease answered = row->leases[place];
    row->leases[place] = row->leases[--row->lease_count];
    if (answered.is_cancelled) {
        row->late_row++;
        return P2_SIMPLE_DISPATCH_LATE;
    }
    row->late_row = 0;
    struct task *task = &dispatch->tasks[answered.task];
    P2_ASSERT(task->state == LEASED && task->lease == lease);
    task->state = CHECKING;
    *ret_task = answered.task;
    return P2_SIMPLE_DISPATCH_TAKEN;
}

void p2_simple_dispatch_failed(struct p2_simple_dispatch *dispatch, uint32_t task)
{
    if (dispatch->tasks[task].state == CHECKING) {
        dispatch->tasks[task].state = FALLBACK;
    }
}

bool p2_simple_dispatch_settle(struct p2_simple_dispatch *dispatch, uint32_t task)
{
    struct task *row = &dispatch->tasks[task];
    if (row->state == SETTLED || row->state == FREE) {
        return false;
    }
    P2_ASSERT(row->state == CHECKING || row->state == LOCAL);
    row->state = SETTLED;
    return true;
}
