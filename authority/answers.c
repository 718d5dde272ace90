/* Results, checks, own computations. */
#include "authority/answers.h"

#include "authority/admission.h"
#include "authority/dispatch.h"
#include "base/crypto.h"
#include "wire/decode.h"

#include <string.h>

#define WAITING_PER_ANSWER \
    4u /* tasks looked at when credit comes back; chosen: one credit, few tries */

/* ---- late and strange ------------------------------------------------------------------------- */

/* Compares raw bytes at once; packed ones are the shell's to unpack (the digest goes along). */
static void report_late(struct p2_core *core, const struct p2_lease *lease,
                        const struct p2_msg_result *result, struct p2_outbox *out)
{
    core->counters.results_late++;
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_LATE);
    effect->peer = lease->peer;
    effect->lease = lease->id;
    effect->task = lease->task;
    effect->session = lease->session;
    effect->kernel = lease->kernel;
    effect->codec = (uint8_t)result->codec;
    effect->status = (int)result->status;
    if (result->status != P2_RESULT_STATUS_OK) {
        return;
    }
    effect->result = result->output;
    effect->has_digest = lease->has_expected;
    effect->is_known = lease->has_expected && lease->is_trusted;
    memcpy(effect->digest, lease->expected, sizeof effect->digest);
    if (lease->has_expected && result->codec == P2_CODEC_RAW) {
        uint8_t digest[P2_DIGEST_BYTES];
        p2_hash(digest, sizeof digest, &result->output, 1);
        effect->is_equal = memcmp(digest, lease->expected, sizeof digest) == 0;
    }
}

/* An answer within the hard timeout after all: the silence was the network's, not the helper's. */
static void forgive(struct p2_helper *helper, struct p2_standing *standing,
                    const struct p2_lease *lease, uint64_t now_us)
{
    helper->misses = 0;
    if (standing->backoff_until_us > now_us && standing->backoff_level == 1 &&
        now_us - lease->offered_us <= P2_LEASE_TIMEOUT_US) {
        standing->backoff_until_us = now_us;
        standing->backoff_level = 0;
    }
}

/* An id that is not in the table: forgotten, or never the peer's. */
static void hear_unknown(struct p2_core *core, uint32_t peer, uint64_t id, uint64_t now_us,
                         struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    if (helper->forgotten > 0 && p2_lease_was_granted(&core->leases, id)) {
        helper->forgotten--;
        helper->owed--;
        core->counters.results_late++;
        return;
    }
    p2_admission_strike(core, peer, P2_DENIED_REASON_TASK_DATA_ONLY, P2_E_UNSOLICITED, now_us, out);
}

/* ---- live ------------------------------------------------------------------------------------- */

static struct p2_session *session_of(struct p2_core *core, const struct p2_lease *lease)
{
    return lease->session == P2_SESSION_NONE ? NULL : &core->sessions[lease->session];
}

static struct p2_task *task_of(struct p2_core *core, const struct p2_lease *lease)
{
    struct p2_session *session = session_of(core, lease);
    return session == NULL || !session->is_used ? NULL
                                                : p2_pipeline_find(&session->pipeline, lease->task);
}

/* The helper could not: no blame beyond availability, and somebody else tries. */
static void hear_failure(struct p2_core *core, struct p2_lease *lease, enum p2_result_status status,
                         uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    struct p2_task *task = task_of(core, lease);
    bool is_excused = status == P2_RESULT_STATUS_BUSY || status == P2_RESULT_STATUS_PAUSED ||
                      status == P2_RESULT_STATUS_CANCELLED || status == P2_RESULT_STATUS_NO_BLOB ||
                      status == P2_RESULT_STATUS_UNPAID;
    if (!is_excused) {
        (void)p2_helper_missed(helper, p2_helper_standing(&core->helpers, helper), false, now_us);
    } else if (status == P2_RESULT_STATUS_BUSY && helper->window > 1) {
        helper->window--;
    }
    if (task != NULL && task->state != P2_TASK_SETTLED && task->reason == P2_FRAME_REASON_NONE) {
        task->reason = P2_FRAME_REASON_HELPER_LATE;
    }
    if (task != NULL) {
        task->checking--;
        p2_dispatch_refresh(session_of(core, lease), task);
    }
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_SETTLE, now_us); /* it was ANSWERED */
    p2_dispatch_finish(core, lease);
    p2_dispatch_waiting(core, WAITING_PER_ANSWER, now_us, out);
}

static void ask_check(struct p2_core *core, const struct p2_lease *lease,
                      const struct p2_msg_result *result, struct p2_outbox *out)
{
    struct p2_task *task = task_of(core, lease);
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_CHECK);
    effect->peer = lease->peer;
    effect->lease = lease->id;
    effect->session = lease->session;
    effect->task = lease->task;
    effect->kernel = lease->kernel;
    effect->codec = (uint8_t)result->codec;
    effect->output_max = lease->output_max;
    effect->result = result->output;
    effect->input = lease->session == P2_SESSION_NONE
                        ? core->options.kernels[lease->kernel].warm_input
                        : p2_span(task->input.data, task->input.size);
    if (lease->session != P2_SESSION_NONE) {
        effect->keys = task->keys;
        effect->handle_count = task->key_count;
    }
}

static void hear_live(struct p2_core *core, struct p2_lease *lease,
                      const struct p2_msg_result *result, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    uint32_t peer = lease->peer;
    helper->owed--;
    if (result->status == P2_RESULT_STATUS_OK) {
        p2_helper_answered(helper, p2_helper_standing(&core->helpers, helper), lease, now_us);
    }
    struct p2_task *task = task_of(core, lease);
    if (task != NULL) {
        task->checking++; /* it does not go to somebody else while this is looked at */
    }
    p2_dispatch_detach(core, lease, now_us);
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_ANSWER, now_us); /* live leases can */
    if (result->status != P2_RESULT_STATUS_OK) {
        hear_failure(core, lease, result->status, now_us, out);
    } else if (result->codec == P2_CODEC_RAW && result->output.size > lease->output_max) {
        hear_failure(core, lease, P2_RESULT_STATUS_OUTPUT_FULL, now_us, out);
        p2_admission_strike(core, peer, P2_DENIED_REASON_MALFORMED, P2_E_TOO_BIG, now_us, out);
    } else {
        ask_check(core, lease, result, out);
        p2_dispatch_waiting(core, WAITING_PER_ANSWER, now_us, out);
    }
}

void p2_answer_result(struct p2_core *core, uint32_t peer, struct p2_span body, uint64_t now_us,
                      struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    struct p2_msg_result result;
    int error = p2_wire_decode_result(&result, body);
    if (error != P2_OK) {
        p2_admission_strike(core, peer, P2_DENIED_REASON_MALFORMED, error, now_us, out);
        return;
    }
    struct p2_lease *lease = p2_lease_find(&core->leases, result.id);
    if (lease == NULL || lease->link != helper->link) {
        hear_unknown(core, peer, result.id, now_us, out);
    } else if (lease->state == P2_LEASE_ANSWERED) {
        p2_admission_strike(core, peer, P2_DENIED_REASON_TASK_DATA_ONLY, P2_E_UNSOLICITED, now_us,
                            out);
    } else if (p2_lease_is_live(lease)) {
        hear_live(core, lease, &result, now_us, out);
    } else {
        helper->owed--;
        report_late(core, lease, &result, out);
        forgive(helper, p2_helper_standing(&core->helpers, helper), lease, now_us);
        (void)p2_lease_move(&core->leases, lease, P2_LEASE_ANSWER, now_us); /* ended leases can */
        p2_dispatch_finish(core, lease);
        p2_dispatch_waiting(core, WAITING_PER_ANSWER, now_us, out);
    }
    if (helper->state == P2_HELPER_DRAINING && helper->owed == 0) {
        helper->is_leaving = false;
        p2_outbox_add(out, P2_EFFECT_CLOSE)->peer = peer;
    }
}

/* ---- checked ---------------------------------------------------------------------------------- */

/* A helper's answer that passed or failed its check; `bytes` may be empty. */
static void note_answer(struct p2_core *core, struct p2_task *task, const struct p2_lease *lease,
                        struct p2_span bytes, bool is_refused)
{
    if (task->answer_count == P2_TASK_LEASES_MAX) {
        memmove(task->answers, task->answers + 1,
                (P2_TASK_LEASES_MAX - 1) * sizeof task->answers[0]);
        task->answer_count--;
    }
    struct p2_task_answer *answer = &task->answers[task->answer_count++];
    memset(answer, 0, sizeof *answer);
    answer->helper = p2_helper_at(&core->helpers, lease->peer)->id;
    answer->peer = lease->peer;
    answer->lease = lease->id;
    answer->is_refused = is_refused;
    if (bytes.data != NULL) {
        p2_hash(answer->digest, sizeof answer->digest, &bytes, 1);
    }
}

static struct p2_effect *report(const struct p2_task *task, const struct p2_task_answer *answer,
                                enum p2_effect_type type, struct p2_outbox *out)
{
    struct p2_effect *effect = p2_outbox_add(out, type);
    effect->peer = answer->peer;
    effect->helper = answer->helper;
    effect->lease = answer->lease;
    effect->task = task->id;
    effect->kernel = task->kernel;
    effect->status = type == P2_EFFECT_PROVEN ? P2_OK : P2_E_BAD_RESULT;
    effect->input = p2_span(task->input.data, task->input.size);
    effect->is_refused = answer->is_refused;
    memcpy(effect->got, answer->digest, sizeof effect->got);
    return effect;
}

/* A result that failed its check: never accepted, recomputed here if there is time, otherwise asked
 * of somebody else. It also counts as a miss, so that work goes elsewhere at once. */
static void refuse(struct p2_core *core, struct p2_lease *lease, struct p2_span bytes,
                   uint64_t now_us, struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    (void)p2_helper_missed(helper, p2_helper_standing(&core->helpers, helper), false, now_us);
    core->counters.results_refused++;
    struct p2_task *task = task_of(core, lease);
    if (task != NULL) {
        note_answer(core, task, lease, bytes, true);
        (void)report(task, &task->answers[task->answer_count - 1], P2_EFFECT_INTEGRITY, out);
    } else {
        struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_INTEGRITY);
        effect->peer = lease->peer;
        effect->helper = helper->id;
        effect->lease = lease->id;
        effect->kernel = lease->kernel;
        effect->status = P2_E_BAD_RESULT;
        effect->is_refused = true;
    }
    if (task != NULL && task->state != P2_TASK_SETTLED) {
        task->reason = P2_FRAME_REASON_RESULT_REFUSED;
        if (task->lease_count == 0) {
            (void)p2_dispatch_local(core, session_of(core, lease), task, now_us, out);
        }
    }
}

static void settle(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                   enum p2_tier tier, uint64_t now_us, struct p2_outbox *out)
{
    int error = p2_pipeline_settle(&session->pipeline, task, tier, now_us);
    P2_ASSERT(error == P2_OK);
    p2_dispatch_release(core, session, task, now_us, out);
}

/* Counts equal results of different parties. 1: enough; 0: more are wanted; -1: they differ. */
static int count_replica(struct p2_task *task, struct p2_session *session, struct p2_span bytes)
{
    uint8_t digest[P2_DIGEST_BYTES];
    p2_hash(digest, sizeof digest, &bytes, 1);
    if (task->has_digest && memcmp(digest, task->digest, sizeof digest) != 0) {
        return -1;
    }
    if (!task->has_digest && p2_pipeline_keep(&session->pipeline, task, bytes) != P2_OK) {
        return 0;
    }
    task->agreed++;
    return task->agreed >= task->replicas ? 1 : 0;
}

static void ask_audit(const struct p2_session *session, const struct p2_task_answer *answer,
                      const struct p2_task *task, struct p2_outbox *out)
{
    struct p2_effect *effect = p2_outbox_add(out, P2_EFFECT_AUDIT);
    effect->peer = answer->peer;
    effect->helper = answer->helper;
    effect->tag = task->tag;
    effect->lease = answer->lease;
    effect->session = session->index;
    effect->task = task->id;
    effect->kernel = task->kernel;
    effect->output_max = task->output_max;
    effect->input = p2_span(task->input.data, task->input.size);
    effect->result = p2_span(task->result.data, task->result.size);
    effect->keys = task->keys;
    effect->handle_count = task->key_count;
}

static enum p2_verdict decide(struct p2_core *core, struct p2_lease *lease,
                              const struct p2_task *task, uint64_t now_us)
{
    const struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    struct p2_verify_case item = {
        .helper = helper->id,
        .lease = lease->id,
        .task = task->id,
        .session = lease->session,
        .kernel = task->kernel,
        .weight = task->weight,
        .is_state = (task->flags & P2_TASK_VIEW) == 0,
        .is_cloud = helper->is_cloud,
        .is_agreed = task->replicas > 1,
        .cost_units = task->cost_units,
        .exec_us = p2_dispatch_local_us(core, task),
        .owed_us = lease->owed_us,
        .now_us = now_us,
    };
    lease->owed_us = 0;
    return p2_verify_decide(&core->options.verify, &item);
}

/* Own cores must say what is right. The helper's result stays for comparison. */
static void demand_recompute(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                             uint64_t now_us, struct p2_outbox *out)
{
    task->must_recompute = true;
    (void)p2_dispatch_local(core, session, task, now_us, out);
}

/* A result that passed its check, for a task that still wants one. */
static void consider(struct p2_core *core, struct p2_lease *lease, struct p2_task *task,
                     struct p2_span bytes, uint64_t now_us, struct p2_outbox *out)
{
    struct p2_session *session = session_of(core, lease);
    note_answer(core, task, lease, bytes, false);
    if (task->must_recompute) {
        return;
    }
    int agreed = count_replica(task, session, bytes);
    if (agreed < 0) {
        task->reason = P2_FRAME_REASON_RESULT_REFUSED;
        demand_recompute(core, session, task, now_us, out);
        return;
    }
    if (agreed == 0) {
        return;
    }
    enum p2_verdict verdict = decide(core, lease, task, now_us);
    if (verdict == P2_VERIFY_RECOMPUTE) {
        demand_recompute(core, session, task, now_us, out);
        return;
    }
    if (verdict == P2_VERIFY_AUDIT) {
        bool is_state = (task->flags & P2_TASK_VIEW) == 0;
        if (is_state && p2_dispatch_local(core, session, task, now_us, out)) {
            task->must_recompute = task->may_count = true;
            task->kept_tier = lease->tier;
            return;
        }
        ask_audit(session, &task->answers[task->answer_count - 1], task, out);
    }
    core->counters.results_accepted++;
    settle(core, session, task, lease->tier, now_us, out);
}

bool p2_answer_kept(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                    uint64_t now_us, struct p2_outbox *out)
{
    if (!task->may_count || !task->has_digest || task->state == P2_TASK_SETTLED) {
        return false;
    }
    for (uint32_t i = 0; i < task->answer_count; i++) {
        const struct p2_task_answer *answer = &task->answers[i];
        if (!answer->is_refused &&
            memcmp(answer->digest, task->digest, sizeof answer->digest) == 0) {
            ask_audit(session, answer, task, out);
            break;
        }
    }
    core->counters.results_accepted++;
    settle(core, session, task, task->kept_tier, now_us, out);
    return true;
}

int p2_answer_checked(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                      struct p2_outbox *out)
{
    struct p2_lease *lease = p2_lease_find(&core->leases, event->lease);
    if (lease == NULL || lease->state != P2_LEASE_ANSWERED) {
        return P2_E_STATE;
    }
    struct p2_task *task = task_of(core, lease);
    const struct p2_helper *helper = p2_helper_at(&core->helpers, lease->peer);
    if (helper->link != lease->link || helper->state == P2_HELPER_ABSENT) {
        /* The link went meanwhile: nobody is left to answer for it. */
    } else if (lease->session == P2_SESSION_NONE) {
        uint8_t digest[P2_DIGEST_BYTES];
        p2_hash(digest, sizeof digest, &event->bytes, 1);
        bool is_right =
            event->status == P2_OK &&
            memcmp(digest, core->options.kernels[lease->kernel].warm_digest, sizeof digest) == 0;
        p2_admission_warm(core, lease->peer, lease->id, lease->kernel, is_right, out);
    } else if (event->status == P2_E_BAD_RESULT ||
               (event->status == P2_OK && event->bytes.size > lease->output_max)) {
        refuse(core, lease, event->bytes, now_us, out);
    } else if (event->status == P2_OK && task != NULL && task->state != P2_TASK_SETTLED) {
        consider(core, lease, task, event->bytes, now_us, out);
    }
    if (task != NULL) {
        task->checking--;
        p2_dispatch_refresh(session_of(core, lease), task);
    }
    (void)p2_lease_move(&core->leases, lease, P2_LEASE_SETTLE, now_us); /* it was ANSWERED */
    p2_dispatch_finish(core, lease);
    return P2_OK;
}

/* ---- computed --------------------------------------------------------------------------------- */

/* Jobs keep their order. The pool takes the most urgent one next, not the oldest: which one runs is
 * not known here, only how many. */
static bool take_job(struct p2_core *core, uint16_t session, uint64_t task, uint64_t now_us,
                     struct p2_local_job *ret_job)
{
    for (uint32_t i = 0; i < core->job_count; i++) {
        if (core->jobs[i].session == session && core->jobs[i].task == task) {
            *ret_job = core->jobs[i];
            core->job_count--;
            memmove(&core->jobs[i], &core->jobs[i + 1],
                    (core->job_count - i) * sizeof core->jobs[0]);
            uint32_t next = core->options.local_cores - 1u;
            if (i <= next && next < core->job_count) {
                core->jobs[next].started_us = now_us;
            }
            core->local_backlog_us -= ret_job->predicted_us;
            return true;
        }
    }
    return false;
}

static void learn_speed(struct p2_core *core, const struct p2_local_job *job, uint32_t exec_us)
{
    struct p2_speed *speed = &core->local_speed[job->kernel];
    uint64_t ns = (uint64_t)exec_us * 1000u / (job->cost_units > 0 ? job->cost_units : 1);
    uint32_t sample = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    speed->mean_ns = sample > speed->mean_ns ? speed->mean_ns + (sample - speed->mean_ns) / 8
                                             : speed->mean_ns - (speed->mean_ns - sample) / 8;
    speed->samples++;
}

/* Our own result is the truth: it settles the task, or judges what was accepted before. */
static void apply_truth(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                        struct p2_span bytes, uint64_t now_us, struct p2_outbox *out)
{
    uint8_t digest[P2_DIGEST_BYTES];
    p2_hash(digest, sizeof digest, &bytes, 1);
    bool differs = task->has_digest && memcmp(digest, task->digest, sizeof digest) != 0;
    for (uint32_t i = 0; i < task->answer_count; i++) {
        const struct p2_task_answer *answer = &task->answers[i];
        bool is_equal = memcmp(digest, answer->digest, sizeof digest) == 0;
        core->counters.results_wrong += is_equal ? 0 : 1;
        struct p2_effect *effect =
            report(task, answer, is_equal ? P2_EFFECT_PROVEN : P2_EFFECT_INTEGRITY, out);
        effect->is_known = true;
        memcpy(effect->digest, digest, sizeof effect->digest);
    }
    task->answer_count = 0;
    if (task->state == P2_TASK_SETTLED) {
        return;
    }
    if (differs) {
        p2_pipeline_forget(&session->pipeline, task);
    }
    if (!task->has_digest && p2_pipeline_keep(&session->pipeline, task, bytes) != P2_OK) {
        return; /* no memory: it stays open and is delivered degraded */
    }
    settle(core, session, task, P2_TIER_LOCAL, now_us, out);
}

int p2_answer_computed(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                       struct p2_outbox *out)
{
    struct p2_local_job job;
    if (!take_job(core, event->session, event->task, now_us, &job)) {
        return P2_E_STATE;
    }
    struct p2_session *session = &core->sessions[event->session];
    struct p2_task *task =
        session->is_used ? p2_pipeline_find(&session->pipeline, event->task) : NULL;
    if (event->status == P2_OK) {
        learn_speed(core, &job, event->exec_us);
    }
    if (task == NULL) {
        return P2_OK;
    }
    if (event->status == P2_OK && event->bytes.size <= task->output_max) {
        apply_truth(core, session, task, event->bytes, now_us, out);
    } else if (task->state != P2_TASK_SETTLED && task->local == P2_LOCAL_RUNNING) {
        task->local = P2_LOCAL_FAILED;
        p2_dispatch_refresh(session, task);
    }
    return P2_OK;
}
