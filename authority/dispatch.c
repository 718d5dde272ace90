/* Tasks to leases and back. */
#include "authority/dispatch.h"

#include <string.h>

#define WARM_UP_LOOK_US 100000u
#define DROPS_MAX       P2_WIRE_BLOBS_MAX
#define BLOBS_SENDING   8u /* contents on their way to one helper; chosen: leases are not held up */
/* Backlog per core up to which own cores take tasks without hurry; chosen: half a frame, so that the
 * other half is there for helpers that fail. */
#define LOCAL_SPARE_US 8000u
/* Last calls are made this long before they must be: chosen, two looks, because a look may find that
 * a task before it took the core. */
#define LAST_CALL_US (2u * P2_CORE_POLL_US)
/* How long own cores stay pressed after such a call; chosen: until the tasks that were at risk with it
 * are through. */
#define PRESSED_US (4u * P2_CORE_POLL_US)
/* Jobs per core while what is at risk only just fits: the one that runs and its successor, so that no
 * core waits for a look. */
#define PRESSED_JOBS   2u
#define OUTBOX_RESERVE 1024u /* room kept for answers while tasks are placed */

/* ---- small things ----------------------------------------------------------------------------- */

static void raise_reason(struct p2_task *task, enum p2_frame_reason reason)
{
    if (task->reason == P2_FRAME_REASON_NONE || task->reason == P2_FRAME_REASON_NO_HELPERS) {
        task->reason = reason;
    }
}

void p2_dispatch_refresh(struct p2_session *session, struct p2_task *task)
{
    bool is_out = task->lease_count > 0 || task->checking > 0 || task->local == P2_LOCAL_RUNNING;
    p2_pipeline_set_out(&session->pipeline, task, is_out);
}

static uint32_t timeout_of(enum p2_task_class class)
{
    return class == P2_CLASS_C3 ? P2_LEASE_LONG_US : P2_LEASE_TIMEOUT_US;
}

void p2_dispatch_finish(struct p2_core *core, struct p2_lease *lease)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    if (helper->link == lease->link && helper->state != P2_HELPER_ABSENT) {
        p2_blobs_unpin(&helper->blobs, lease->handles, lease->handle_count);
    }
    p2_verify_released(&core->options.verify, lease->owed_us);
    lease->owed_us = 0;
    int error = p2_lease_move(&core->leases, lease, P2_LEASE_RELEASE, core->now_us);
    P2_ASSERT(error == P2_OK);
}

static void forget(struct p2_core *core, struct p2_lease *lease, uint64_t now_us)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    if (helper->link == lease->link && helper->state != P2_HELPER_ABSENT) {
        helper->forgotten++;
    }
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_FORGET, now_us); /* ended leases can */
    p2_dispatch_finish(core, lease);
}

void p2_dispatch_forget(struct p2_core *core, uint64_t now_us)
{
    struct p2_lease *lease = p2_leases_oldest(&core->leases);
    while (lease != NULL && now_us - lease->ended_us >= P2_LEASE_GRACE_US) {
        forget(core, lease, now_us);
        lease = p2_leases_oldest(&core->leases);
    }
}

void p2_dispatch_detach(struct p2_core *core, struct p2_lease *lease, uint64_t now_us)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    p2_helper_dequeue(helper, &core->leases, lease, now_us);
    if (lease->session == P2_SESSION_NONE) {
        return;
    }
    struct p2_session *session = &core->sessions[lease->session];
    p2_share_remove(&session->placement.share, helper);
    struct p2_task *task = p2_pipeline_find(&session->pipeline, lease->task);
    P2_ASSERT(task != NULL); /* tasks take their leases along */
    uint32_t index = p2_lease_index(&core->leases, lease);
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        if (task->leases[i] == index) {
            task->leases[i] = P2_LEASE_NONE;
            task->lease_count--;
        }
    }
    p2_dispatch_refresh(session, task);
}

void p2_dispatch_cancel(struct p2_core *core, struct p2_lease *lease, const struct p2_task *task,
                        bool is_late, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    p2_dispatch_detach(core, lease, now_us);
    lease->has_expected = task->has_digest && task->state == P2_TASK_SETTLED;
    lease->is_trusted = task->tier == P2_TIER_LOCAL;
    memcpy(lease->expected, task->digest, sizeof lease->expected);
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_CANCEL, now_us); /* live leases can */
    if (is_late) {
        (void)p2_helper_missed(helper, p2_helper_standing(&core->helpers, helper), false, now_us);
    }
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_CANCEL);
    effect->peer = lease->peer;
    effect->lease = lease->id;
}

void p2_dispatch_release(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                         uint64_t now_us, struct p2_outbox *out)
{
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        struct p2_lease *lease = p2_lease_at(&core->leases, task->leases[i]);
        if (lease != NULL) {
            p2_dispatch_cancel(core, lease, task, now_us > lease->hedge_us, now_us, out);
        }
    }
    if (task->local == P2_LOCAL_RUNNING && task->tier != P2_TIER_LOCAL) {
        task->local = P2_LOCAL_NONE;
        struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_COMPUTE_CANCEL);
        effect->session = session->index;
        effect->task = task->id;
    }
}

/* ---- granting --------------------------------------------------------------------------------- */

static struct p2_lease *grant(struct p2_core *core)
{
    struct p2_lease *lease = NULL;
    int error = p2_lease_grant(&core->leases, &lease);
    if (error == P2_E_LIMIT && p2_leases_oldest(&core->leases) != NULL) {
        forget(core, p2_leases_oldest(&core->leases), core->now_us);
        error = p2_lease_grant(&core->leases, &lease);
    }
    return error == P2_OK ? lease : NULL;
}

static void send_lease(struct p2_core *core, const struct p2_lease *lease, uint32_t budget_us,
                       bool is_urgent, struct p2_span input, struct p2_outbox *out)
{
    const struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_LEASE);
    effect->peer = lease->peer;
    effect->lease = lease->id;
    effect->session = lease->session;
    effect->task = lease->task;
    effect->kernel = lease->kernel;
    effect->place = helper->place[lease->kernel];
    effect->version = core->options.kernels[lease->kernel].version;
    effect->flags = (uint8_t)(P2_LEASE_MAY_COMPRESS | (is_urgent ? P2_LEASE_URGENT : 0));
    effect->budget_us = budget_us > 0 ? budget_us : 1;
    effect->output_max = lease->output_max;
    effect->handles = lease->handles;
    effect->handle_count = lease->handle_count;
    effect->input = input;
}

void p2_dispatch_warm_up(struct p2_core *core, uint32_t peer, uint8_t kernel, uint64_t now_us,
                         struct p2_outbox *out)
{
    const struct p2_core_kernel *about = &core->options.kernels[kernel];
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_lease *lease = grant(core);
    if (lease == NULL) {
        return; /* the helper stays without this kernel */
    }
    lease->session = P2_SESSION_NONE;
    lease->peer = peer;
    lease->link = helper->link;
    lease->kernel = kernel;
    lease->offered_us = now_us;
    lease->deadline_us = now_us + P2_ADMISSION_TIMEOUT_US;
    lease->hedge_us = lease->deadline_us;
    lease->cost_units = about->warm_cost;
    lease->output_max = about->warm_output_max;
    lease->exec_us = p2_helper_exec_us(helper, kernel, about->warm_cost);
    lease->expected_us = P2_ADMISSION_TIMEOUT_US;
    lease->handle_count = 0;
    p2_helper_enqueue(helper, &core->leases, lease, now_us);
    send_lease(core, lease, P2_ADMISSION_TIMEOUT_US, false, about->warm_input, out);
}

void p2_dispatch_warm_ups(struct p2_core *core, uint64_t now_us, struct p2_outbox *out)
{
    if (now_us - core->warm_ups_us < WARM_UP_LOOK_US) {
        return;
    }
    core->warm_ups_us = now_us;
    core->has_leaving = false;
    for (uint32_t peer = 0; peer < core->helpers.capacity; peer++) {
        struct p2_helper *helper = &core->helpers.items[peer];
        if (helper->is_leaving && helper->live == 0) {
            helper->is_leaving = false;
            p2_outbox_add(out, P2_EFFECT_CLOSE)->peer = peer;
        }
        core->has_leaving = core->has_leaving || helper->is_leaving;
        struct p2_lease *lease = p2_lease_at(&core->leases, helper->queue_first);
        if (helper->state != P2_HELPER_ABSENT && lease != NULL &&
            lease->session == P2_SESSION_NONE && lease->deadline_us <= now_us) {
            p2_dispatch_detach(core, lease, now_us);
            (void)p2_lease_move(&core->leases, lease, P2_LEASE_EXPIRE, now_us); /* live ones can */
            if (helper->state == P2_HELPER_WARMING) {
                helper->state = P2_HELPER_DRAINING;
                struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_CLOSE);
                effect->peer = peer;
                effect->status = P2_E_TIMEOUT;
            }
        }
    }
}

/* Sends what a helper lacks for a task, a few at a time. The task waits, or goes elsewhere. */
static void send_contents(struct p2_core *core, struct p2_session *session,
                          const struct p2_task *task, uint32_t peer, uint64_t now_us,
                          struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    uint32_t sending = 0;
    for (uint32_t i = 0; i < helper->blobs.capacity; i++) {
        const struct p2_blob_entry *entry = &helper->blobs.entries[i];
        sending += entry->key != 0 && !entry->is_held ? 1 : 0;
    }
    for (uint32_t i = 0; i < task->key_count && sending < BLOBS_SENDING; i++) {
        struct p2_span bytes = p2_session_content(session, task->keys[i]);
        if (bytes.data == NULL || p2_blobs_find(&helper->blobs, task->keys[i]) != NULL) {
            continue;
        }
        uint32_t dropped[1];
        uint32_t count = 0;
        uint32_t size = (uint32_t)bytes.size;
        while (p2_blobs_make_room(&helper->blobs, size, dropped, 1, &count) == P2_OK && count > 0) {
            struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_BLOB_DROP);
            effect->peer = peer;
            effect->handle = dropped[0];
        }
        uint32_t handle;
        if (p2_blobs_add(&helper->blobs, task->keys[i], size, now_us, &handle) == P2_OK) {
            struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_BLOB);
            effect->peer = peer;
            effect->handle = handle;
            effect->input = bytes;
            sending++;
        }
    }
}

static void note_try(struct p2_task *task, uint32_t peer)
{
    if (task->tried_count == P2_TASK_TRIES_MAX) {
        memmove(task->tried, task->tried + 1, (P2_TASK_TRIES_MAX - 1) * sizeof task->tried[0]);
        task->tried_count--;
    }
    task->tried[task->tried_count++] = peer;
}

static void give(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                 const struct p2_placement_choice *choice, struct p2_lease *lease, uint64_t now_us,
                 struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, choice->peer);
    lease->task = task->id;
    lease->session = session->index;
    lease->peer = choice->peer;
    lease->link = helper->link;
    lease->kernel = task->kernel;
    lease->tier = helper->is_cloud         ? P2_TIER_CLOUD
                  : task->tried_count == 0 ? P2_TIER_PEER
                                           : P2_TIER_SECOND;
    lease->offered_us = now_us;
    lease->deadline_us = now_us + timeout_of(task->class);
    lease->hedge_us = now_us + choice->p95_us;
    lease->expected_us = choice->expected_us;
    lease->exec_us = choice->exec_us;
    lease->cost_units = task->cost_units;
    lease->output_max = task->output_max;
    lease->handle_count = task->key_count;
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        if (task->leases[i] == P2_LEASE_NONE) {
            task->leases[i] = p2_lease_index(&core->leases, lease);
            break;
        }
    }
    task->lease_count++;
    note_try(task, choice->peer);
    p2_helper_enqueue(helper, &core->leases, lease, now_us);
    p2_share_add(&session->placement.share, helper);
    p2_dispatch_refresh(session, task);
    const struct p2_verify_ask ask = {
        .helper = helper->id,
        .kernel = task->kernel,
        .weight = task->weight,
        .is_state = (task->flags & P2_TASK_VIEW) == 0,
        .is_cloud = helper->is_cloud,
        .exec_us = p2_dispatch_local_us(core, task),
        .now_us = now_us,
    };
    lease->owed_us = p2_verify_granted(&core->options.verify, &ask);
    if (helper->is_cloud) {
        core->counters.cloud_units += task->cost_units;
    }
    uint64_t end = lease->deadline_us < task->due_us ? lease->deadline_us : task->due_us;
    uint64_t left = end - now_us;
    uint32_t budget = left > helper->rtt_us ? (uint32_t)(left - helper->rtt_us / 2) : 1;
    send_lease(core, lease, budget, task->class == P2_CLASS_C1,
               p2_span(task->input.data, task->input.size), out);
}

/* ---- own cores -------------------------------------------------------------------------------- */

uint32_t p2_dispatch_local_us(const struct p2_core *core, const struct p2_task *task)
{
    uint64_t us = task->cost_units * core->local_speed[task->kernel].mean_ns / 1000u;
    return us < 1 ? 1 : us > P2_WIRE_BUDGET_MAX_US ? P2_WIRE_BUDGET_MAX_US : (uint32_t)us;
}

/* What own cores still have to do. The first of their jobs run; how far those are is known by time. */
static uint64_t local_left_us(const struct p2_core *core, uint64_t now_us)
{
    uint64_t elapsed = 0;
    uint32_t running =
        core->job_count < core->options.local_cores ? core->job_count : core->options.local_cores;
    for (uint32_t i = 0; i < running; i++) {
        const struct p2_local_job *job = &core->jobs[i];
        uint64_t ran = now_us - job->started_us;
        elapsed += ran < job->predicted_us ? ran : job->predicted_us;
    }
    return core->local_backlog_us - elapsed;
}

/* When own cores would be done with all they have and this. */
static uint64_t local_end_us(const struct p2_core *core, uint64_t more_us, uint32_t exec_us,
                             uint64_t now_us)
{
    uint64_t backlog_us = local_left_us(core, now_us) + more_us;
    return now_us + backlog_us / core->options.local_cores + exec_us + P2_LOCAL_MARGIN_US;
}

/* When a helper's answer is wanted. With own cores to fall back on, frame-critical answers are wanted
 * early enough that own cores can still do it when they do not come; without that room (is_hurried)
 * just before the slot. */
static uint64_t latest_us(const struct p2_core *core, const struct p2_task *task, bool is_hurried)
{
    uint64_t latest = task->due_us - P2_DELIVER_MARGIN_US;
    if (task->class == P2_CLASS_C1 && core->options.local_cores > 0 && !is_hurried) {
        latest -= p2_dispatch_local_us(core, task) + P2_LOCAL_MARGIN_US;
    }
    return latest;
}

/* One try on one remote tier. Errors of p2_placement_choose; P2_E_AGAIN also for want of contents or
 * of room in the lease table. */
static int place_on(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                    bool is_cloud, bool is_hurried, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_placement_request request = {
        .kernel = task->kernel,
        .class = task->class,
        .cloud = is_cloud,
        .explore = task->class > P2_CLASS_C1 && task->lease_count == 0 && task->replicas == 1 &&
                   p2_rng_chance_ppm(&session->placement.rng, P2_EXPLORE_PPM),
        .cost_units = task->cost_units,
        .latest_us = latest_us(core, task, is_hurried),
        .keys = task->keys,
        .key_count = task->key_count,
        .avoid = task->tried,
        .avoid_count = task->tried_count,
        .verify = &core->options.verify,
        .weight = task->weight,
        .is_state = (task->flags & P2_TASK_VIEW) == 0,
        .local_us = p2_dispatch_local_us(core, task),
    };
    struct p2_placement_choice choice;
    int error = p2_placement_choose(&session->placement, &core->helpers, &request, now_us, &choice);
    if (error != P2_OK) {
        if (session->placement.is_audit_bound) {
            raise_reason(task, P2_FRAME_REASON_AUDITS);
        }
        if (task->lease_count == 0 && task->replicas == 1) {
            task->tried_count = 0; /* everybody had a try: the next look starts again */
        }
        return error;
    }
    if (choice.lacks_contents) {
        send_contents(core, session, task, choice.peer, now_us, out);
        return P2_E_AGAIN;
    }
    struct p2_lease *lease = grant(core);
    if (lease == NULL) {
        return P2_E_AGAIN;
    }
    struct p2_helper *helper = p2_helper_at(&core->helpers, choice.peer);
    error = p2_blobs_pin(&helper->blobs, task->keys, task->key_count, now_us, lease->handles);
    P2_ASSERT(error == P2_OK); /* the choice holds all */
    give(core, session, task, &choice, lease, now_us, out);
    return P2_OK;
}

/* Peers, then the host's cloud machines. */
static int place(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                 bool is_hurried, uint64_t now_us, struct p2_outbox *out)
{
    if (task->class == P2_CLASS_C0 || task->must_recompute ||
        p2_outbox_room(out) < OUTBOX_RESERVE) {
        return P2_E_NOENT;
    }
    int error = P2_E_NOENT;
    if ((task->flags & P2_TASK_SECRET) == 0 && !session->is_out_of_budget) {
        error = place_on(core, session, task, false, is_hurried, now_us, out);
    } else if (session->is_out_of_budget) {
        raise_reason(task, P2_FRAME_REASON_BUDGET);
    }
    if (error == P2_OK ||
        core->counters.cloud_units + task->cost_units > core->options.cloud_units_per_hour) {
        return error;
    }
    int cloud_error = place_on(core, session, task, true, is_hurried, now_us, out);
    return cloud_error == P2_E_NOENT ? error : cloud_error;
}

bool p2_dispatch_local(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                       uint64_t now_us, struct p2_outbox *out)
{
    if (task->local == P2_LOCAL_RUNNING) {
        return true;
    }
    uint32_t exec_us = p2_dispatch_local_us(core, task);
    if (core->options.local_cores == 0 || core->job_count == P2_LOCAL_JOBS_MAX ||
        task->local == P2_LOCAL_FAILED || task->state == P2_TASK_SETTLED ||
        local_end_us(core, 0, exec_us, now_us) > task->due_us) {
        return false;
    }
    core->jobs[core->job_count++] = (struct p2_local_job){
        .task = task->id,
        .started_us = now_us,
        .cost_units = task->cost_units,
        .predicted_us = exec_us,
        .session = session->index,
        .kernel = task->kernel,
    };
    core->local_backlog_us += exec_us;
    task->local = P2_LOCAL_RUNNING;
    p2_dispatch_refresh(session, task);
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_COMPUTE);
    effect->session = session->index;
    effect->task = task->id;
    effect->kernel = task->kernel;
    effect->output_max = task->output_max;
    effect->budget_us = (uint32_t)(task->due_us - now_us);
    effect->input = p2_span(task->input.data, task->input.size);
    effect->keys = task->keys;
    effect->handle_count = task->key_count;
    return true;
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void expire(struct p2_core *core, struct p2_lease *lease, struct p2_task *task,
                   uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    p2_dispatch_detach(core, lease, now_us);
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_EXPIRE, now_us); /* live leases can */
    (void)p2_helper_missed(helper, p2_helper_standing(&core->helpers, helper), false, now_us);
    core->counters.leases_expired++;
    raise_reason(task, P2_FRAME_REASON_HELPER_LATE);
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_CANCEL);
    effect->peer = lease->peer;
    effect->lease = lease->id;
}

/* Expires what is overdue. True when no lease of the task can be hoped for any more: there is none,
 * or all are later than their 95th percentile. */
static bool review_leases(struct p2_core *core, struct p2_task *task, uint64_t now_us,
                          struct p2_outbox *out)
{
    bool is_hopeful = task->checking > 0;
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        struct p2_lease *lease = p2_lease_at(&core->leases, task->leases[i]);
        if (lease == NULL) {
            continue;
        }
        if (lease->deadline_us <= now_us) {
            expire(core, lease, task, now_us, out);
        } else if (lease->hedge_us > now_us) {
            is_hopeful = true;
        } else {
            raise_reason(task, P2_FRAME_REASON_HELPER_LATE);
        }
    }
    return !is_hopeful;
}

/* What one look over a session knows so far. Tasks of one helper share their fate: when one is late,
 * so are those behind it and those that travelled with it. So own cores keep time for all that one
 * helper has in hand, and take over the last of it while they still can. */
struct look {
    uint64_t risk_us;                                   /* own-core time of tasks at risk */
    uint64_t number;                                    /* of this look */
    bool is_full[P2_CORE_KERNELS_MAX][P2_TASK_CLASSES]; /* placing failed: spare the others */
};

/* Own cores' time for what the task's helper has in hand and is due no later; grows by the task. */
static uint64_t add_to_hand(struct p2_core *core, const struct p2_task *task,
                            const struct look *look)
{
    uint64_t most_us = 0;
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        const struct p2_lease *lease = p2_lease_at(&core->leases, task->leases[i]);
        if (lease != NULL) {
            struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
            if (helper->hand_look != look->number) {
                helper->hand_look = look->number;
                helper->hand_us = 0;
            }
            most_us = helper->hand_us > most_us ? helper->hand_us : most_us;
            helper->hand_us += p2_dispatch_local_us(core, task);
        }
    }
    return most_us;
}

/* Own cores could still do it and all else that would be late with it, but not if we wait for another
 * poll. */
static bool is_last_call(const struct p2_core *core, const struct p2_task *task, uint64_t risk_us,
                         uint64_t now_us)
{
    return core->options.local_cores > 0 &&
           local_end_us(core, risk_us, p2_dispatch_local_us(core, task), now_us) + LAST_CALL_US >=
               task->due_us;
}

/* Own cores: at once for a task that nobody suits, otherwise at the last moment at which they can do
 * it and all else that is at risk. */
static void consider_local(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                           bool is_alone, uint64_t hand_us, struct look *look, uint64_t now_us,
                           struct p2_outbox *out)
{
    if (core->options.local_cores == 0 || task->local != P2_LOCAL_NONE) {
        return;
    }
    uint32_t exec_us = p2_dispatch_local_us(core, task);
    bool is_idle = core->local_backlog_us / core->options.local_cores + exec_us <= LOCAL_SPARE_US;
    bool is_urgent = is_last_call(core, task, look->risk_us + hand_us, now_us);
    bool is_c0 = task->class == P2_CLASS_C0;
    core->pressed_us = is_urgent ? now_us : core->pressed_us;
    bool is_pressed = now_us - core->pressed_us <= PRESSED_US &&
                      core->job_count < PRESSED_JOBS * core->options.local_cores;
    if ((is_alone && (is_c0 || is_idle)) || is_urgent || is_pressed) {
        if (!p2_dispatch_local(core, session, task, now_us, out)) {
            raise_reason(task, P2_FRAME_REASON_OVERLOAD);
        }
    } else {
        look->risk_us += exec_us;
    }
}

static uint32_t wanted_leases(const struct p2_task *task, bool is_late)
{
    uint32_t wanted = (uint32_t)(task->replicas - task->agreed) + (is_late ? 1u : 0u);
    return wanted < P2_TASK_LEASES_MAX ? wanted : P2_TASK_LEASES_MAX;
}

static void look_at(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                    struct look *look, uint64_t now_us, struct p2_outbox *out)
{
    bool is_at_risk = review_leases(core, task, now_us, out);
    bool *is_full = &look->is_full[task->kernel][task->class];
    bool is_hedge = task->lease_count > 0 && is_at_risk;
    int error = P2_OK;
    while (task->local != P2_LOCAL_RUNNING && error == P2_OK && !*is_full &&
           task->lease_count + task->checking < wanted_leases(task, is_hedge)) {
        error = place(core, session, task, false, now_us, out);
        if (error == P2_OK) {
            core->counters.hedges += is_hedge ? 1 : 0;
            is_at_risk = false;
        } else if (task->lease_count == 0 && task->key_count == 0 && task->tried_count == 0) {
            /* Nothing special about this task: others of its kind will fare no better. */
            *is_full = task->class != P2_CLASS_C1 || error == P2_E_NOENT;
        }
    }
    uint64_t hand_us = task->class == P2_CLASS_C1 && !is_at_risk && task->local != P2_LOCAL_RUNNING
                           ? add_to_hand(core, task, look)
                           : 0;
    if (is_at_risk || task->must_recompute ||
        is_last_call(core, task, look->risk_us + hand_us, now_us)) {
        bool is_alone = task->lease_count == 0 && task->checking == 0 &&
                        (task->class <= P2_CLASS_C1 || error == P2_E_NOENT || *is_full);
        if (is_alone && error == P2_E_NOENT && task->class != P2_CLASS_C0) {
            task->reason =
                task->reason == P2_FRAME_REASON_NONE ? P2_FRAME_REASON_NO_HELPERS : task->reason;
        }
        consider_local(core, session, task, is_alone || task->must_recompute, hand_us, look, now_us,
                       out);
        if (is_alone && task->class == P2_CLASS_C1 && task->local != P2_LOCAL_RUNNING) {
            (void)place(core, session, task, true, now_us, out); /* what is left: the last moment */
        }
    }
}

void p2_dispatch_session(struct p2_core *core, struct p2_session *session, uint64_t now_us,
                         struct p2_outbox *out)
{
    struct p2_pipeline *pipeline = &session->pipeline;
    if (pipeline->all.count == 0) {
        return;
    }
    if (session->placement.rotated_us == 0 ||
        now_us - session->placement.rotated_us >= P2_ROTATE_US) {
        p2_placement_rotate(&session->placement, &core->helpers, now_us);
    }
    struct look look = {.number = ++core->looks};
    for (int pass = 0; pass < 2; pass++) { /* frame-critical tasks first */
        uint32_t at = pipeline->open[pass].first;
        while (at != P2_TASK_NONE) {
            struct p2_task *task = p2_pipeline_at(pipeline, at);
            at = task->open_next; /* a look settles nothing */
            /* Nobody has credit for its kind, and there are no own cores: a look would change nothing. */
            bool is_stuck = task->state == P2_TASK_WAITING && core->options.local_cores == 0 &&
                            task->class > P2_CLASS_C1 && look.is_full[task->kernel][task->class];
            if (task->due_us > now_us && !is_stuck) {
                look_at(core, session, task, &look, now_us, out);
            }
        }
    }
}

/* The leases a waiting task wants, as far as there is credit. False when it got none. */
static bool place_all(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                      uint64_t now_us, struct p2_outbox *out)
{
    do {
        if (place(core, session, task, false, now_us, out) != P2_OK) {
            break;
        }
    } while (task->lease_count + task->checking < wanted_leases(task, false));
    return task->lease_count > 0;
}

void p2_dispatch_waiting(struct p2_core *core, uint32_t max, uint64_t now_us, struct p2_outbox *out)
{
    for (uint32_t i = 0; i < core->options.sessions_max && max > 0; i++) {
        core->next_session = (core->next_session + 1) % core->options.sessions_max;
        struct p2_session *session = &core->sessions[core->next_session];
        for (size_t class = P2_CLASS_C1; session->is_used && class < P2_TASK_CLASSES; class ++) {
            struct p2_task *task =
                p2_pipeline_at(&session->pipeline, session->pipeline.waiting[class].first);
            while (task != NULL && max > 0 && task->due_us > now_us) {
                uint32_t next = task->wait_next;
                max--;
                if (!place_all(core, session, task, now_us, out)) {
                    break;
                }
                task = p2_pipeline_at(&session->pipeline, next);
            }
        }
    }
}

void p2_dispatch_lost(struct p2_core *core, uint32_t peer, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_standing *standing = p2_helper_standing(&core->helpers, helper);
    bool had_work = helper->live > 0;
    helper->state = helper->state == P2_HELPER_STRANGER ? P2_HELPER_STRANGER : P2_HELPER_DRAINING;
    while (helper->queue_first != P2_LEASE_NONE) {
        struct p2_lease *lease = p2_lease_at(&core->leases, helper->queue_first);
        struct p2_session *session =
            lease->session == P2_SESSION_NONE ? NULL : &core->sessions[lease->session];
        uint64_t id = lease->task;
        p2_dispatch_detach(core, lease, now_us);
        (void)p2_lease_move(&core->leases, lease, P2_LEASE_SETTLE, now_us); /* live leases can */
        p2_dispatch_finish(core, lease);
        core->counters.leases_lost++;
        struct p2_task *task = session == NULL ? NULL : p2_pipeline_find(&session->pipeline, id);
        if (task != NULL) {
            raise_reason(task, P2_FRAME_REASON_HELPER_LOST);
            session->placement.rotated_us = 0;
        }
    }
    if (standing != NULL && had_work) {
        (void)p2_helper_missed(helper, standing, true, now_us);
    }
    p2_dispatch_waiting(core, P2_TASK_TRIES_MAX, now_us, out);
}
