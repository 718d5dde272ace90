/* Frames, tasks and who computes them. */
#include "authority/shell/test_session.h"

#include "authority/shell/simple_dispatch.h"
#include "authority/shell/verify.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Hard timeout of a lease (DESIGN 8). */
#define LEASE_MAX_US UINT64_C(200000)

/* Own cores start this long plus twice the predicted cost before a task is due. Chosen: one frame,
 * so that a few local runs in a row still finish. */
#define LOCAL_MARGIN_US UINT64_C(16000)

/* CPU time of a local run. Chosen as in verify.c. */
#define LOCAL_BUDGET_US 500000u
#define LOCAL_PRIORITY  1u

/* Frames whose counts are remembered: more than any slack. */
#define FRAMES_KEPT 128u

struct frame {
    uint64_t degraded; /* tasks due at it that took their degraded answer */
};

/* A task's own part; indexed like the dispatcher's tasks. */
struct item {
    const struct p2_corpus_case *work;
    uint64_t due_frame;
    uint64_t due_us;
    uint64_t serial; /* tells a late callback of an older task of the same index */
    enum p2_tier tier;
    bool is_local;   /* a local run is in the pool: the index must not be reused */
    bool is_checked; /* a check is in the pool */
    bool is_settled;
};

struct p2_test_session {
    struct p2_test_session_options options;
    struct p2_simple_dispatch *dispatch;
    struct p2_verifier *verifier;
    struct p2_rng rng;
    uv_timer_t clock;  /* the next frame */
    uv_timer_t events; /* the dispatcher's next time */
    unsigned handles;
    struct p2_peer *peers[P2_SIMPLE_DISPATCH_HELPERS_MAX];
    struct item items[P2_SIMPLE_DISPATCH_TASKS_MAX];
    struct frame kept[FRAMES_KEPT];
    uint64_t start_us;
    uint64_t next_frame;
    uint32_t next_case;
    uint32_t local_runs;
    bool is_over; /* the last frame has shipped */
    bool is_closing;
    bool is_pumping;
    void (*on_closed)(void *ctx);
    void *closed_ctx;

    uint64_t shipped, on_time, missed_slots;
    uint64_t emitted, settled, refused;
    uint64_t tiers[P2_TIER_DEGRADED + 1];
    uint64_t lies_check, lies_audit, audits, unknown;
    uint64_t late, unsolicited, failed;
    uint64_t units_peer, units_all; /* cost units settled */
};

static uint64_t slot_us(const struct p2_test_session *session, uint64_t frame)
{
    return session->start_us + frame * 1000000u / P2_TEST_SESSION_HZ;
}

/* ---- settling ---------------------------------------------------------------------------------- */

/* Gives the index back when nothing refers to it any more. */
static void free_item(struct p2_test_session *session, uint32_t task)
{
    const struct item *item = &session->items[task];
    if (item->is_settled && !item->is_local && !item->is_checked) {
        p2_simple_dispatch_task_free(session->dispatch, task);
    }
}

static void count_settled(struct p2_test_session *session, uint32_t task, enum p2_tier tier)
{
    struct item *item = &session->items[task];
    P2_ASSERT(!item->is_settled); /* exactly once */
    item->is_settled = true;
    session->settled++;
    session->tiers[tier]++;
    session->units_all += item->work->cost_us;
    if (tier == P2_TIER_PEER || tier == P2_TIER_SECOND) {
        session->units_peer += item->work->cost_us;
    }
    if (tier == P2_TIER_DEGRADED) {
        session->kept[item->due_frame % FRAMES_KEPT].degraded++;
    }
}

static void on_local(void *ctx, const struct p2_task_result *result);

/* What a local run comes back with: the session and the task's index. */
struct local_run {
    struct p2_test_session *session;
    uint32_t task;
};

static void run_local(struct p2_test_session *session, uint32_t at)
{
    struct item *item = &session->items[at];
    struct local_run *run = malloc(sizeof *run);
    if (run == NULL) {
        return; /* the task will be degraded */
    }
    *run = (struct local_run){.session = session, .task = at};
    const struct p2_task task = {
        .authority = session->options.tag,
        .kernel = item->work->kernel,
        .operation = P2_TASK_RUN,
        .input = item->work->input,
        .blobs = item->work->places,
        .blob_count = item->work->blob_count,
        .budget_us = LOCAL_BUDGET_US,
        .deadline_us = item->due_us,
        .expires = true,
        .priority = LOCAL_PRIORITY,
        .done = on_local,
        .ctx = run,
    };
    if (p2_pool_submit(session->options.pool, &task, NULL) != P2_OK) {
        free(run);
        return;
    }
    item->is_local = true;
    session->local_runs++;
}

static void free_if_closed(struct p2_test_session *session);

static void on_local(void *ctx, const struct p2_task_result *result)
{
    struct local_run *run = ctx;
    struct p2_test_session *session = run->session;
    uint32_t task = run->task;
    free(run);
    session->items[task].is_local = false;
    session->local_runs--;
    if (session->is_closing) {
        free_if_closed(session);
        return;
    }
    if (result->status == P2_TASK_OK && p2_simple_dispatch_settle(session->dispatch, task)) {
        count_settled(session, task, P2_TIER_LOCAL);
    }
    free_item(session, task);
    p2_test_session_pump(session);
}

/* ---- results of helpers ------------------------------------------------------------------------ */

static void report_lie(struct p2_test_session *session, const struct p2_verify *verify,
                       const char *how)
{
    verify->who->wrong++;
    session->options.on_lie(session->options.ctx, verify->who, how,
                            session->options.env->kernels[verify->work->kernel]->name);
}

static void on_checked(void *ctx, const struct p2_verify *verify, enum p2_verdict verdict)
{
    struct p2_test_session *session = ctx;
    uint32_t task = verify->task;
    session->items[task].is_checked = false;
    if (verdict != P2_VERDICT_RIGHT) {
        p2_simple_dispatch_failed(session->dispatch, task);
    } else if (p2_simple_dispatch_settle(session->dispatch, task)) {
        verify->who->done++;
        count_settled(session, task, session->items[task].tier);
    }
    free_item(session, task);
    if (verdict == P2_VERDICT_WRONG) {
        session->lies_check++;
        report_lie(session, verify, "check");
    }
    session->unknown += verdict == P2_VERDICT_UNKNOWN;
    p2_test_session_pump(session);
}

static void end_if_over(struct p2_test_session *session)
{
    if (session->is_over && p2_verifier_count(session->verifier) == 0 && !session->is_closing) {
        session->options.on_end(session->options.ctx);
    }
}

static void on_audited(void *ctx, const struct p2_verify *verify, enum p2_verdict verdict)
{
    struct p2_test_session *session = ctx;
    session->audits += verdict != P2_VERDICT_UNKNOWN;
    if (verdict == P2_VERDICT_WRONG) {
        session->lies_audit++;
        report_lie(session, verify, "recomputation");
    }
}

static void verify_result(struct p2_test_session *session, struct p2_peer *peer, uint32_t task,
                          const struct p2_msg_result *result)
{
    struct item *item = &session->items[task];
    const struct p2_verify verify = {
        .work = item->work, .lease = result->id, .task = task, .who = peer->record};
    /* Drawn after the result arrived, so that nobody can know it before. */
    uint64_t secret = p2_rng_u64(&session->rng);
    bool is_drawn = p2_rng_chance_ppm(&session->rng, session->options.audit_ppm);
    item->tier =
        p2_simple_dispatch_task_is_second(session->dispatch, task) ? P2_TIER_SECOND : P2_TIER_PEER;
    if (p2_verifier_take(session->verifier, &verify, result->output, secret, is_drawn,
                         item->due_us) != P2_OK) {
        p2_simple_dispatch_failed(session->dispatch, task);
        return;
    }
    item->is_checked = true;
}

void p2_test_session_result(struct p2_test_session *session, struct p2_peer *peer,
                            const struct p2_msg_result *result)
{
    uint32_t task = 0;
    switch (p2_simple_dispatch_answered(session->dispatch, peer->number, result->id, &task)) {
    case P2_SIMPLE_DISPATCH_TAKEN:
        if (result->status == P2_RESULT_STATUS_OK && result->codec == P2_CODEC_RAW) {
            verify_result(session, peer, task, result);
        } else {
            session->failed++;
            peer->record->failed++;
            p2_simple_dispatch_failed(session->dispatch, task);
        }
        break;
    case P2_SIMPLE_DISPATCH_LATE:
        session->late++;
        peer->record->late++;
        break;
    case P2_SIMPLE_DISPATCH_UNSOLICITED:
        session->unsolicited++;
        peer->record->unsolicited++;
        p2_peer_strike(peer, P2_DENIED_REASON_TASK_DATA_ONLY);
        break;
    }
    if (peer->state == P2_PEER_DRAINING &&
        p2_simple_dispatch_helper_open(session->dispatch, peer->number) == 0) {
        p2_link_drain(peer->link);
    }
    p2_test_session_pump(session);
}

/* ---- peers ------------------------------------------------------------------------------------- */

int p2_test_session_join(struct p2_test_session *session, struct p2_peer *peer)
{
    int error = p2_simple_dispatch_helper_add(session->dispatch, peer->window, &peer->number);
    if (error == P2_OK) {
        session->peers[peer->number] = peer;
    }
    return error;
}

void p2_test_session_leave(struct p2_test_session *session, struct p2_peer *peer)
{
    if (p2_simple_dispatch_helper_open(session->dispatch, peer->number) > 0) {
        peer->record->lost++;
    }
    p2_simple_dispatch_helper_remove(session->dispatch, peer->number);
    session->peers[peer->number] = NULL;
    p2_test_session_pump(session);
}

void p2_test_session_drain(struct p2_test_session *session, struct p2_peer *peer)
{
    p2_simple_dispatch_helper_drain(session->dispatch, peer->number);
    if (p2_simple_dispatch_helper_open(session->dispatch, peer->number) == 0) {
        p2_link_drain(peer->link);
    }
}

uint32_t p2_test_session_open_leases(const struct p2_test_session *session,
                                     const struct p2_peer *peer)
{
    return p2_simple_dispatch_helper_open(session->dispatch, peer->number);
}

/* ---- effects ----------------------------------------------------------------------------------- */

static bool may(void *ctx, uint32_t helper, uint32_t task)
{
    const struct p2_test_session *session = ctx;
    return p2_peer_may(session->peers[helper], session->items[task].work);
}

static void send_lease(struct p2_test_session *session,
                       const struct p2_simple_dispatch_effect *effect)
{
    struct p2_peer *peer = session->peers[effect->helper];
    uint32_t task = 0;
    uint64_t budget_us = effect->budget_us < LEASE_MAX_US ? effect->budget_us : LEASE_MAX_US;
    int error =
        p2_peer_lease(peer, effect->lease, session->items[effect->task].work, (uint32_t)budget_us);
    if (error == P2_OK) {
        return;
    }
    /* It never left: takes it back as if the helper had given it up at once. */
    (void)p2_simple_dispatch_answered(session->dispatch, effect->helper, effect->lease, &task);
    p2_simple_dispatch_failed(session->dispatch, effect->task);
    if (error != P2_E_AGAIN && error != P2_E_DRAINING) {
        p2_link_close(peer->link, error);
    }
}

static void on_events(uv_timer_t *timer)
{
    p2_test_session_pump(timer->data);
}

void p2_test_session_pump(struct p2_test_session *session)
{
    struct p2_simple_dispatch_effect effect;
    uint64_t now_us = p2_pool_now_us();
    if (session->is_pumping || session->is_closing) {
        return; /* closing a link inside reports back later, never from inside */
    }
    session->is_pumping = true;
    while (p2_simple_dispatch_next(session->dispatch, now_us, may, session, &effect)) {
        switch (effect.kind) {
        case P2_SIMPLE_DISPATCH_LEASE:
            send_lease(session, &effect);
            break;
        case P2_SIMPLE_DISPATCH_CANCEL:
            p2_peer_cancel(session->peers[effect.helper], effect.lease);
            break;
        case P2_SIMPLE_DISPATCH_LOCAL:
            run_local(session, effect.task);
            break;
        case P2_SIMPLE_DISPATCH_DEGRADE:
            count_settled(session, effect.task, P2_TIER_DEGRADED);
            free_item(session, effect.task);
            break;
        }
    }
    session->is_pumping = false;
    uint64_t next_us = p2_simple_dispatch_next_us(session->dispatch);
    if (next_us == UINT64_MAX) {
        (void)uv_timer_stop(&session->events);
        return;
    }
    uint64_t wait_ms = next_us > now_us ? (next_us - now_us + 999u) / 1000u : 1;
    (void)uv_timer_start(&session->events, on_events, wait_ms, 0);
}

/* ---- the clock --------------------------------------------------------------------------------- */

static void emit(struct p2_test_session *session, uint64_t frame)
{
    const struct p2_test_session_options *options = &session->options;
    for (uint32_t i = 0; i < options->tasks_per_frame; i++) {
        const struct p2_corpus_case *work =
            &options->corpus->cases[session->next_case++ % options->corpus->case_count];
        bool is_view = options->env->kernels[work->kernel]->kind == P2C2R_KERNEL_VIEW;
        uint64_t due_frame = frame + (is_view ? options->depth_frames : options->slack_frames);
        uint64_t due_us = slot_us(session, due_frame);
        uint64_t lead_us = LOCAL_MARGIN_US + 2 * work->cost_us;
        uint64_t emitted_us = slot_us(session, frame);
        uint32_t task = 0;
        const struct p2_simple_dispatch_task row = {
            .due_us = due_us,
            .fallback_us = due_us - lead_us > emitted_us ? due_us - lead_us : emitted_us};
        session->emitted++;
        if (p2_simple_dispatch_task_add(session->dispatch, &row, &task) != P2_OK) {
            session->refused++; /* overload: degraded at once */
            session->settled++;
            session->tiers[P2_TIER_DEGRADED]++;
            session->kept[due_frame % FRAMES_KEPT].degraded++;
            continue;
        }
        session->items[task] =
            (struct item){.work = work, .due_frame = due_frame, .due_us = due_us};
    }
}

static void ship(struct p2_test_session *session, uint64_t frame, uint64_t now_us)
{
    struct frame *kept = &session->kept[frame % FRAMES_KEPT];
    bool is_in_slot = now_us < slot_us(session, frame + 1);
    session->shipped++;
    session->missed_slots += !is_in_slot;
    session->on_time += is_in_slot && kept->degraded == 0;
    kept->degraded = 0;
}

static void on_clock(uv_timer_t *timer)
{
    struct p2_test_session *session = timer->data;
    const struct p2_test_session_options *options = &session->options;
    uint64_t now_us = p2_pool_now_us();
    while (!session->is_over && slot_us(session, session->next_frame) <= now_us) {
        uint64_t frame = session->next_frame++;
        p2_test_session_pump(session); /* settles what is due at this frame */
        ship(session, frame, now_us);
        session->is_over = options->frames > 0 && session->next_frame >= options->frames;
        /* Tasks that no frame would wait for are not emitted. */
        uint32_t most = options->depth_frames > options->slack_frames ? options->depth_frames
                                                                      : options->slack_frames;
        if (options->frames == 0 || frame + most < options->frames) {
            emit(session, frame);
            p2_test_session_pump(session);
        }
    }
    if (session->is_over) {
        end_if_over(session);
        /* Audits that are owed are never skipped: asks again until they are done. */
        (void)uv_timer_start(&session->clock, on_clock, 5, 0);
        return;
    }
    uint64_t next_us = slot_us(session, session->next_frame);
    (void)uv_timer_start(&session->clock, on_clock, (next_us - now_us + 999u) / 1000u, 0);
}

/* ---- life -------------------------------------------------------------------------------------- */

int p2_test_session_open(const struct p2_test_session_options *options,
                         struct p2_test_session **ret_session)
{
    struct p2_test_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return P2_E_NOMEM;
    }
    session->options = *options;
    p2_rng_init(&session->rng, options->seed, "audits");
    const struct p2_verifier_options verifier = {
        .pool = options->pool,
        .tag = options->tag,
        .kernels = options->env->kernels,
        .ctx = session,
        .on_checked = on_checked,
        .on_audited = on_audited,
    };
    int error = p2_simple_dispatch_open(&session->dispatch);
    if (error == P2_OK) {
        error = p2_verifier_open(&verifier, &session->verifier);
    }
    if (error != P2_OK) {
        p2_simple_dispatch_close(session->dispatch);
        free(session);
        return error;
    }
    (void)uv_timer_init(options->loop, &session->clock); /* these cannot fail */
    (void)uv_timer_init(options->loop, &session->events);
    session->clock.data = session;
    session->events.data = session;
    session->handles = 2;
    session->start_us = p2_pool_now_us();
    (void)uv_timer_start(&session->clock, on_clock, 0, 0);
    *ret_session = session;
    return P2_OK;
}

static void free_if_closed(struct p2_test_session *session)
{
    if (session->handles == 0 && session->local_runs == 0) {
        p2_verifier_close(session->verifier);
        p2_simple_dispatch_close(session->dispatch);
        session->on_closed(session->closed_ctx);
        free(session);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct p2_test_session *session = handle->data;
    session->handles--;
    free_if_closed(session);
}

void p2_test_session_close(struct p2_test_session *session, void (*on_closed)(void *ctx), void *ctx)
{
    session->is_closing = true;
    session->on_closed = on_closed;
    session->closed_ctx = ctx;
    uv_close((uv_handle_t *)&session->clock, on_handle_closed);
    uv_close((uv_handle_t *)&session->events, on_handle_closed);
}

json_t *p2_test_session_summary(const struct p2_test_session *session)
{
    double all = session->shipped > 0 ? (double)session->shipped : 1;
    double units = session->units_all > 0 ? (double)session->units_all : 1;
    json_t *tiers = json_object();
    for (int tier = 0; tier <= P2_TIER_DEGRADED; tier++) {
        (void)json_object_set_new(tiers, p2_tier_name((uint64_t)tier),
                                  json_integer((json_int_t)session->tiers[tier]));
    }
    return json_pack(
        "{s:I, s:I, s:I, s:f, s:I, s:I, s:o, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "frames",
        (json_int_t)session->next_frame, "shipped", (json_int_t)session->shipped, "on_time",
        (json_int_t)session->on_time, "on_time_percent", 100.0 * (double)session->on_time / all,
        "missed_slots", (json_int_t)session->missed_slots, "tasks", (json_int_t)session->emitted,
        "tiers", tiers, "peer_units_percent", 100.0 * (double)session->units_peer / units,
        "settled", (json_int_t)session->settled, "lies_by_check", (json_int_t)session->lies_check,
        "lies_by_recomputation", (json_int_t)session->lies_audit, "audits",
        (json_int_t)session->audits, "late_answers", (json_int_t)session->late, "unsolicited",
        (json_int_t)session->unsolicited, "failed_answers", (json_int_t)session->failed);
}
