/* The core: one step function over all parts. */
#include "authority/core.h"

#include "authority/admission.h"
#include "authority/answers.h"
#include "authority/dispatch.h"

#include <stdlib.h>
#include <string.h>

/* Effects besides those of tasks that one step can need: a whole helper's leases lost, a rotation's
 * contents, one frame's records. Chosen: ten times what the simulator ever used. */
#define OUTBOX_SPARE 4096u
#define HOUR_US      UINT64_C(3600000000)

#define LOCAL_START_NS     1000u /* a reference core, until measured */
#define LOCAL_DEVIATION_NS 500u

static int allocate(struct p2_core *core)
{
    const struct p2_core_options *options = &core->options;
    int error = p2_helpers_init(&core->helpers, options->helpers_max, options->blobs_each);
    if (error == P2_OK) {
        error = p2_leases_init(&core->leases, options->leases_max);
    }
    if (error != P2_OK) {
        return error;
    }
    core->sessions = calloc(options->sessions_max, sizeof *core->sessions);
    return core->sessions == NULL ? P2_E_NOMEM : P2_OK;
}

int p2_core_init(struct p2_core *core, const struct p2_core_options *options)
{
    memset(core, 0, sizeof *core);
    if (options->kernel_count > P2_CORE_KERNELS_MAX || options->sessions_max == 0 ||
        options->sessions_max > P2_CORE_SESSIONS_MAX || options->window_max == 0) {
        return P2_E_INVALID;
    }
    core->options = *options;
    for (size_t i = 0; i < P2_CORE_KERNELS_MAX; i++) {
        core->local_speed[i] = (struct p2_speed){LOCAL_START_NS, LOCAL_DEVIATION_NS, 0};
    }
    int error = allocate(core);
    if (error != P2_OK) {
        p2_core_free(core);
    }
    return error;
}

void p2_core_free(struct p2_core *core)
{
    for (uint32_t i = 0; core->sessions != NULL && i < core->options.sessions_max; i++) {
        if (core->sessions[i].is_used) {
            p2_pipeline_free(&core->sessions[i].pipeline);
            p2_placement_free(&core->sessions[i].placement);
        }
    }
    free(core->sessions);
    free(core->configured);
    free(core->configured_cloud);
    p2_leases_free(&core->leases);
    p2_helpers_free(&core->helpers);
    memset(core, 0, sizeof *core);
}

/* Per task: journal, lease and hedge or local compute, cancels, check. */
uint32_t p2_core_outbox_needed(const struct p2_core *core)
{
    uint32_t tasks = 0;
    for (uint32_t i = 0; i < core->options.sessions_max; i++) {
        if (core->sessions[i].is_used) {
            tasks += core->sessions[i].pipeline.capacity;
        }
    }
    return OUTBOX_SPARE + 4 * tasks + 2 * core->options.leases_max;
}

int p2_core_configure(struct p2_core *core, const struct p2_id *id, bool is_cloud)
{
    for (uint32_t i = 0; i < core->configured_count; i++) {
        if (p2_id_equal(&core->configured[i], id)) {
            return P2_E_EXIST;
        }
    }
    if (core->configured_count == core->configured_capacity) {
        uint32_t capacity = core->configured_capacity == 0 ? 16 : 2 * core->configured_capacity;
        struct p2_id *ids = realloc(core->configured, capacity * sizeof *ids);
        if (ids == NULL) {
            return P2_E_NOMEM;
        }
        core->configured = ids;
        bool *flags = realloc(core->configured_cloud, capacity * sizeof *flags);
        if (flags == NULL) {
            return P2_E_NOMEM;
        }
        core->configured_cloud = flags;
        core->configured_capacity = capacity;
    }
    core->configured[core->configured_count] = *id;
    core->configured_cloud[core->configured_count++] = is_cloud;
    return P2_OK;
}

int p2_core_invite(struct p2_core *core, struct p2_span token, const struct p2_id *helper,
                   uint64_t expires_us)
{
    if (token.size == 0 || token.size > P2_WIRE_TOKEN_MAX) {
        return P2_E_INVALID;
    }
    for (size_t i = 0; i < P2_CORE_INVITES_MAX; i++) {
        struct p2_invite *invite = &core->invites[i];
        if (invite->token_size == 0 || invite->expires_us <= core->now_us) {
            memcpy(invite->token, token.data, token.size);
            invite->token_size = (uint32_t)token.size;
            invite->helper = *helper;
            invite->expires_us = expires_us;
            return P2_OK;
        }
    }
    return P2_E_LIMIT;
}

int p2_core_drain(struct p2_core *core, uint32_t peer)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, peer);
    if (helper == NULL || helper->state == P2_HELPER_ABSENT) {
        return P2_E_RANGE;
    }
    helper->state = P2_HELPER_DRAINING;
    helper->is_leaving = true;
    core->has_leaving = true;
    return P2_OK;
}

/* ---- step ------------------------------------------------------------------------------------- */

static void step_time(struct p2_core *core, uint64_t now_us, struct p2_outbox *out)
{
    p2_dispatch_forget(core, now_us);
    if (now_us - core->cloud_hour_us >= HOUR_US) {
        core->cloud_hour_us = now_us;
        core->counters.cloud_units = 0;
    }
    for (uint32_t i = 0; i < core->options.sessions_max; i++) {
        struct p2_session *session = &core->sessions[i];
        if (session->is_used) {
            p2_session_run_slots(core, session, now_us, out);
            p2_dispatch_session(core, session, now_us, out);
        }
    }
    p2_dispatch_warm_ups(core, now_us, out);
}

static int step_helper(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                       struct p2_outbox *out)
{
    struct p2_helper *helper = p2_helper_at(&core->helpers, event->peer);
    if (helper == NULL) {
        return P2_E_RANGE;
    }
    if (event->type == P2_EVENT_OPENED) {
        return p2_helper_open(&core->helpers, event->peer, &event->ip, now_us);
    }
    if (helper->state == P2_HELPER_ABSENT) {
        return P2_E_STATE;
    }
    if (event->type == P2_EVENT_MESSAGE) {
        p2_admission_message(core, event->peer, event->message, event->bytes, now_us, out);
    } else if (event->type == P2_EVENT_RTT) {
        helper->rtt_us = event->rtt_us;
        helper->jitter_us = event->jitter_us;
        helper->has_rtt = true;
    } else if (event->type == P2_EVENT_CLOSED) {
        p2_dispatch_lost(core, event->peer, now_us, out);
        p2_helper_close(&core->helpers, event->peer, now_us);
    } else if (helper->standing != P2_PEER_NONE) {
        p2_helper_standing(&core->helpers, helper)->banned_until_us = event->until_us;
    }
    return P2_OK;
}

int p2_core_step(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                 struct p2_outbox *out)
{
    core->now_us = now_us > core->now_us ? now_us : core->now_us;
    for (uint32_t i = 0; i < core->options.sessions_max; i++) {
        if (core->sessions[i].is_used) {
            p2_pipeline_begin(&core->sessions[i].pipeline);
        }
    }
    switch (event->type) {
    case P2_EVENT_TIME:
        step_time(core, core->now_us, out);
        return P2_OK;
    case P2_EVENT_OPENED:
    case P2_EVENT_MESSAGE:
    case P2_EVENT_RTT:
    case P2_EVENT_CLOSED:
    case P2_EVENT_BAN:
        return step_helper(core, event, core->now_us, out);
    case P2_EVENT_CHECKED:
        return p2_answer_checked(core, event, core->now_us, out);
    case P2_EVENT_COMPUTED:
        return p2_answer_computed(core, event, core->now_us, out);
    case P2_EVENT_INPUT:
        return p2_session_input(core, event);
    case P2_EVENT_CORRECT:
        return p2_session_correct(core, event);
    case P2_EVENT_GAME:
        return p2_session_game(core, event, core->now_us, out);
    }
    return P2_E_INVALID;
}

uint64_t p2_core_wake_us(const struct p2_core *core)
{
    uint64_t wake = UINT64_MAX;
    bool is_busy = core->has_leaving || core->leases.counts[P2_LEASE_FREE] < core->leases.capacity;
    for (uint32_t i = 0; i < core->options.sessions_max; i++) {
        const struct p2_session *session = &core->sessions[i];
        if (session->is_used) {
            uint64_t slot = p2_pipeline_slot_us(&session->pipeline, session->pipeline.frame);
            wake = slot < wake && !session->is_pending ? slot : wake;
            is_busy = is_busy || session->pipeline.all.count > 0;
        }
    }
    uint64_t poll = core->now_us + P2_CORE_POLL_US;
    return is_busy && poll < wake ? poll : wake;
}
