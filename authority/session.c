/* One session: frames, players, journal. */
#include "authority/session.h"

#include "authority/answers.h"
#include "authority/core.h"
#include "authority/dispatch.h"

#include <string.h>

#define CONTENTS (2u * P2_CORE_BLOBS_MAX)

static struct p2_session *session_at(struct p2_core *core, uint16_t index)
{
    bool is_one = index < core->options.sessions_max && core->sessions[index].is_used;
    return is_one ? &core->sessions[index] : NULL;
}

int p2_session_open(struct p2_core *core, const struct p2_session_options *options,
                    uint16_t *ret_session)
{
    uint32_t index = 0;
    while (index < core->options.sessions_max && core->sessions[index].is_used) {
        index++;
    }
    if (index == core->options.sessions_max) {
        return P2_E_LIMIT;
    }
    struct p2_session *session = &core->sessions[index];
    memset(session, 0, sizeof *session);
    session->index = (uint16_t)index;
    session->game = options->game;
    session->is_deferred = options->is_deferred;
    int error = p2_pipeline_init(&session->pipeline, options->tasks_max, options->memory_max,
                                 options->first_frame, options->start_us);
    if (error != P2_OK) {
        return error;
    }
    error =
        p2_placement_init(&session->placement, &core->helpers, session->index, &core->options.rng);
    if (error != P2_OK) {
        p2_pipeline_free(&session->pipeline);
        return error;
    }
    session->is_used = true;
    p2_session_retie(core, session->index, P2_PEER_NONE);
    *ret_session = session->index;
    return P2_OK;
}

static void drop_task(struct p2_core *core, struct p2_session *session, struct p2_task *task,
                      bool is_delivered, struct p2_outbox *out)
{
    p2_dispatch_release(core, session, task, core->now_us, out);
    p2_pipeline_remove(&session->pipeline, task, is_delivered);
}

int p2_session_close(struct p2_core *core, uint16_t index, struct p2_outbox *out)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL) {
        return P2_E_RANGE;
    }
    p2_pipeline_begin(&session->pipeline);
    for (uint32_t i = 0; i < session->correction_count; i++) {
        p2_pipeline_drop(&session->pipeline, &session->corrections[i].result);
    }
    session->correction_count = 0;
    while (session->pipeline.all.count > 0) {
        drop_task(core, session, p2_pipeline_at(&session->pipeline, session->pipeline.all.first),
                  false, out);
    }
    p2_pipeline_free(&session->pipeline);
    p2_placement_free(&session->placement);
    session->is_used = false;
    return P2_OK;
}

/* ---- what the game calls ---------------------------------------------------------------------- */

int p2_session_submit(struct p2_core *core, uint16_t index, const struct p2_task_spec *spec,
                      uint64_t *ret_task)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || !session->is_in_frame) {
        return P2_E_STATE;
    }
    if (spec->kernel >= core->options.kernel_count) {
        return P2_E_INVALID;
    }
    struct p2_task *task;
    int error = p2_pipeline_submit(&session->pipeline, spec, core->now_us, &task);
    if (error == P2_OK) {
        *ret_task = task->id;
    }
    return error;
}

/* The effects of cancelling go into the outbox of the running step. */
int p2_session_cancel(struct p2_core *core, uint16_t index, uint64_t id)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || !session->is_in_frame) {
        return P2_E_STATE;
    }
    struct p2_task *task = p2_pipeline_find(&session->pipeline, id);
    if (task == NULL) {
        return P2_E_NOENT;
    }
    drop_task(core, session, task, false, session->out);
    return P2_OK;
}

uint32_t p2_session_invalidate(struct p2_core *core, uint16_t index, uint64_t tag)
{
    struct p2_session *session = session_at(core, index);
    uint32_t count = 0;
    if (session == NULL || !session->is_in_frame) {
        return 0;
    }
    uint32_t at = session->pipeline.all.first;
    while (at != P2_TASK_NONE) {
        struct p2_task *task = p2_pipeline_at(&session->pipeline, at);
        at = task->next;
        if (task->tag == tag) {
            drop_task(core, session, task, false, session->out);
            count++;
        }
    }
    return count;
}

/* ---- players ---------------------------------------------------------------------------------- */

static bool is_tied(const struct p2_core *core, const struct p2_session *session,
                    const struct p2_helper *helper)
{
    for (uint32_t i = 0; i < session->linked_count; i++) {
        if (session->linked_owners[i] == helper->owner_key) {
            return true;
        }
    }
    for (size_t i = 0; i < P2_PLAYERS_MAX; i++) {
        const struct p2_player *player = &session->players[i];
        if (!player->is_used) {
            continue;
        }
        if (p2_id_equal(&player->id, &helper->id)) {
            return true;
        }
        if (player->has_ip && p2_ip_prefix_counts(&player->ip, core->options.local_peers) &&
            p2_ip_prefix(&player->ip) == p2_ip_prefix(&helper->ip)) {
            return true;
        }
    }
    return false;
}

void p2_session_retie(struct p2_core *core, uint16_t index, uint32_t peer)
{
    const struct p2_session *session = &core->sessions[index];
    uint64_t bit = UINT64_C(1) << index;
    for (uint32_t i = 0; i < core->helpers.capacity; i++) {
        struct p2_helper *helper = &core->helpers.items[i];
        if ((peer == P2_PEER_NONE || peer == i) && helper->state != P2_HELPER_ABSENT) {
            helper->ties =
                is_tied(core, session, helper) ? helper->ties | bit : helper->ties & ~bit;
        }
    }
}

int p2_session_join(struct p2_core *core, uint16_t index, uint8_t number, const struct p2_id *id,
                    const struct p2_ip *ip)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || number >= P2_PLAYERS_MAX) {
        return P2_E_RANGE;
    }
    struct p2_player *player = &session->players[number];
    memset(player, 0, sizeof *player);
    player->is_used = true;
    player->id = *id;
    if (ip != NULL) {
        player->ip = *ip;
        player->has_ip = true;
    }
    p2_session_retie(core, index, P2_PEER_NONE);
    return P2_OK;
}

int p2_session_leave(struct p2_core *core, uint16_t index, uint8_t number)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || number >= P2_PLAYERS_MAX) {
        return P2_E_RANGE;
    }
    session->players[number].is_used = false;
    p2_session_retie(core, index, P2_PEER_NONE);
    return P2_OK;
}

int p2_session_link_owner(struct p2_core *core, uint16_t index, struct p2_span owner)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL) {
        return P2_E_RANGE;
    }
    if (session->linked_count == P2_CORE_TAGS_MAX) {
        return P2_E_LIMIT;
    }
    session->linked_owners[session->linked_count++] = p2_helper_owner_key(owner);
    p2_session_retie(core, index, P2_PEER_NONE);
    return P2_OK;
}

void p2_session_set_budget(struct p2_core *core, uint16_t index, bool is_spent)
{
    struct p2_session *session = session_at(core, index);
    if (session != NULL) {
        session->is_out_of_budget = is_spent;
    }
}

int p2_session_input(struct p2_core *core, const struct p2_event *event)
{
    struct p2_session *session = session_at(core, event->session);
    if (session == NULL || event->player >= P2_PLAYERS_MAX ||
        !session->players[event->player].is_used) {
        return P2_E_RANGE;
    }
    struct p2_player *player = &session->players[event->player];
    if (event->bytes.size > P2_WIRE_INPUT_MAX || event->sequence <= player->newest ||
        event->sequence - player->newest > P2_INPUT_WINDOW) {
        return P2_E_RANGE; /* old, repeated or wild: not applied */
    }
    if (player->queue_count == P2_INPUT_QUEUE) {
        return P2_E_AGAIN;
    }
    uint32_t at = (player->queue_first + player->queue_count) % P2_INPUT_QUEUE;
    struct p2_input *input = &player->queue[at];
    input->sequence = event->sequence;
    input->size = (uint32_t)event->bytes.size;
    if (input->size > 0) {
        memcpy(input->data, event->bytes.data, input->size);
    }
    player->queue_count++;
    player->newest = event->sequence;
    return P2_OK;
}

/* ---- contents --------------------------------------------------------------------------------- */

/* The place of `key`, or the one where it would stand. */
static uint32_t content_place(const struct p2_session *session, uint64_t key)
{
    uint32_t at = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (CONTENTS - 1);
    while (session->contents[at].key != 0 && session->contents[at].key != key) {
        at = (at + 1) & (CONTENTS - 1);
    }
    return at;
}

/* Removed places keep their keys until the table is built again. */
static void content_compact(struct p2_session *session)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < CONTENTS; i++) {
        if (session->contents[i].bytes.data != NULL) {
            session->scratch[kept++] = session->contents[i];
        }
    }
    memset(session->contents, 0, sizeof session->contents);
    for (uint32_t i = 0; i < kept; i++) {
        session->contents[content_place(session, session->scratch[i].key)] = session->scratch[i];
    }
    session->content_count = kept;
}

int p2_session_content_put(struct p2_core *core, uint16_t index, uint64_t key, struct p2_span bytes)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || key == 0 || bytes.data == NULL || bytes.size > P2_WIRE_BLOB_MAX) {
        return P2_E_INVALID;
    }
    if (p2_session_content(session, key).data != NULL) {
        return P2_E_EXIST;
    }
    if (session->content_count == P2_CORE_BLOBS_MAX) {
        content_compact(session);
    }
    if (session->content_count == P2_CORE_BLOBS_MAX) {
        return P2_E_LIMIT;
    }
    struct p2_content *content = &session->contents[content_place(session, key)];
    session->content_count += content->key == 0 ? 1 : 0;
    *content = (struct p2_content){key, bytes};
    return P2_OK;
}

int p2_session_content_remove(struct p2_core *core, uint16_t index, uint64_t key)
{
    struct p2_session *session = session_at(core, index);
    if (session == NULL || p2_session_content(session, key).data == NULL) {
        return P2_E_NOENT;
    }
    session->contents[content_place(session, key)].bytes = p2_span(NULL, 0);
    return P2_OK;
}

struct p2_span p2_session_content(const struct p2_session *session, uint64_t key)
{
    return key == 0 ? p2_span(NULL, 0) : session->contents[content_place(session, key)].bytes;
}

/* ---- frames ----------------------------------------------------------------------------------- */

static struct p2_effect *journal(struct p2_session *session, enum p2_journal_kind kind)
{
    struct p2_effect *effect = p2_outbox_add(session->out, P2_EFFECT_JOURNAL);
    effect->session = session->index;
    effect->frame = session->pipeline.frame;
    effect->journal = kind;
    return effect;
}

/* One input of each player, in the order of their numbers. */
static void apply_inputs(struct p2_session *session)
{
    for (uint8_t i = 0; i < P2_PLAYERS_MAX; i++) {
        struct p2_player *player = &session->players[i];
        if (!player->is_used || player->queue_count == 0) {
            continue;
        }
        const struct p2_input *input = &player->queue[player->queue_first];
        struct p2_effect *effect = journal(session, P2_JOURNAL_INPUT);
        effect->player = i;
        effect->sequence = input->sequence;
        effect->result = p2_span(input->data, input->size);
        if (session->game.input != NULL) {
            session->game.input(session->game.ctx, i, input->sequence, effect->result);
        }
        player->queue_first = (player->queue_first + 1) % P2_INPUT_QUEUE;
        player->queue_count--;
        session->record.inputs++;
    }
}

static void count_delivery(struct p2_frame_record *record, const struct p2_task *task,
                           bool is_degraded, enum p2_frame_reason reason)
{
    enum p2_tier tier = is_degraded ? P2_TIER_DEGRADED : task->tier;
    record->tasks++;
    record->tiers[tier]++;
    record->cost[tier] += task->cost_units;
    if (is_degraded) {
        record->degraded++;
        record->reasons[reason]++;
        record->required_degraded += (task->flags & P2_TASK_OPTIONAL) == 0 ? 1 : 0;
    }
    if (reason != P2_FRAME_REASON_NONE && record->reason == P2_FRAME_REASON_NONE) {
        record->reason = reason;
    }
    if (!is_degraded && task->class == P2_CLASS_C1) {
        uint64_t took = task->settled_us - task->emitted_us;
        if (took > record->compute_us) {
            record->compute_us = (uint32_t)took;
        }
    }
}

static void deliver(struct p2_core *core, struct p2_session *session, struct p2_task *task)
{
    if (task->state != P2_TASK_SETTLED) {
        (void)p2_answer_kept(core, session, task, core->now_us, session->out);
    }
    bool is_degraded = task->state != P2_TASK_SETTLED;
    enum p2_frame_reason reason = task->reason;
    if (is_degraded && reason == P2_FRAME_REASON_NONE) {
        reason = task->lease_count > 0 ? P2_FRAME_REASON_HELPER_LATE : P2_FRAME_REASON_OVERLOAD;
    }
    struct p2_delivery delivery = {
        .task = task->id,
        .tag = task->tag,
        .frame = task->frame,
        .kernel = task->kernel,
        .is_degraded = is_degraded,
        .reason = reason,
        .tier = is_degraded ? P2_TIER_DEGRADED : task->tier,
        .result = is_degraded ? p2_span(NULL, 0) : p2_span(task->result.data, task->result.size),
    };
    if ((task->flags & P2_TASK_VIEW) == 0) {
        bool is_inline = !is_degraded && delivery.result.size <= P2_JOURNAL_INLINE_MAX;
        struct p2_effect *effect = journal(session, is_degraded ? P2_JOURNAL_DEGRADED
                                                    : is_inline ? P2_JOURNAL_RESULT
                                                                : P2_JOURNAL_RECOMPUTE);
        effect->task = task->id;
        if (is_inline) {
            effect->result = delivery.result;
        }
    }
    count_delivery(&session->record, task, is_degraded, reason);
    drop_task(core, session, task, true, session->out);
    if (session->game.on_result != NULL) {
        session->game.on_result(session->game.ctx, &delivery);
    }
}

int p2_session_correct(struct p2_core *core, const struct p2_event *event)
{
    struct p2_session *session = session_at(core, event->session);
    if (session == NULL) {
        return P2_E_RANGE;
    }
    struct p2_pipeline *pipeline = &session->pipeline;
    struct p2_task *task = p2_pipeline_find(pipeline, event->task);
    if (task != NULL) {
        if (task->state != P2_TASK_SETTLED || event->bytes.size > task->output_max) {
            return P2_E_STATE;
        }
        p2_pipeline_forget(pipeline, task);
        return p2_pipeline_keep(pipeline, task, event->bytes);
    }
    if (session->correction_count == P2_CORRECTIONS_MAX) {
        session->corrections_lost++;
        return P2_E_LIMIT;
    }
    struct p2_correction *correction = &session->corrections[session->correction_count];
    memset(correction, 0, sizeof *correction);
    int error = p2_pipeline_hold(pipeline, &correction->result, event->bytes);
    if (error != P2_OK) {
        session->corrections_lost++;
        return error;
    }
    correction->task = event->task;
    correction->tag = event->tag;
    correction->kernel = event->kernel;
    session->correction_count++;
    return P2_OK;
}

/* What audits found since the last frame: before this frame's results, so that the game repairs what it
 * built on and then goes on. */
static void deliver_corrections(struct p2_session *session)
{
    for (uint32_t i = 0; i < session->correction_count; i++) {
        struct p2_correction *correction = &session->corrections[i];
        struct p2_delivery delivery = {
            .task = correction->task,
            .tag = correction->tag,
            .kernel = correction->kernel,
            .is_corrected = true,
            .reason = P2_FRAME_REASON_RESULT_REFUSED,
            .tier = P2_TIER_LOCAL,
            .result = p2_span(correction->result.data, correction->result.size),
        };
        struct p2_effect *effect = journal(session, P2_JOURNAL_CORRECTED);
        effect->task = correction->task;
        effect->result = delivery.result;
        if (session->game.on_result != NULL) {
            session->game.on_result(session->game.ctx, &delivery);
        }
        p2_pipeline_drop(&session->pipeline, &correction->result);
    }
    session->correction_count = 0;
}

static void ship(struct p2_session *session, uint64_t now_us)
{
    struct p2_pipeline *pipeline = &session->pipeline;
    struct p2_frame_record *record = &session->record;
    bool is_in_slot = now_us < p2_pipeline_slot_us(pipeline, pipeline->frame + 1);
    record->shipped_us = now_us;
    record->is_on_time = is_in_slot && record->required_degraded == 0;
    if (!is_in_slot) {
        record->reason = P2_FRAME_REASON_OVERRUN;
    }
    session->frames++;
    session->frames_on_time += record->is_on_time ? 1 : 0;
    struct p2_effect *effect = p2_outbox_add(session->out, P2_EFFECT_FRAME);
    effect->session = session->index;
    effect->frame = record->frame;
    effect->record = record;
}

/* Everything that is due, then, for a game that runs elsewhere, VIEW results as soon as they are
 * there: nothing depends on when they come. */
static void deliver_all(struct p2_core *core, struct p2_session *session)
{
    struct p2_pipeline *pipeline = &session->pipeline;
    for (struct p2_task *task = p2_pipeline_due(pipeline); task != NULL;
         task = p2_pipeline_due(pipeline)) {
        deliver(core, session, task);
    }
    uint32_t at = session->is_deferred ? pipeline->all.first : P2_TASK_NONE;
    while (at != P2_TASK_NONE) {
        struct p2_task *task = p2_pipeline_at(pipeline, at);
        at = task->next;
        if (task->state == P2_TASK_SETTLED && (task->flags & P2_TASK_VIEW) != 0) {
            deliver(core, session, task);
        }
    }
}

static void end_frame(struct p2_session *session, uint64_t now_us)
{
    session->is_in_frame = false;
    ship(session, now_us);
    if (p2_pipeline_end_frame(&session->pipeline)) {
        journal(session, P2_JOURNAL_DEPTH)->depth = session->pipeline.depth;
    }
}

static void run_frame(struct p2_core *core, struct p2_session *session, uint64_t now_us)
{
    struct p2_pipeline *pipeline = &session->pipeline;
    session->record = (struct p2_frame_record){
        .frame = pipeline->frame,
        .slot_us = p2_pipeline_slot_us(pipeline, pipeline->frame),
        .depth = pipeline->depth,
    };
    session->is_in_frame = true;
    apply_inputs(session);
    if (session->game.tick != NULL) {
        session->game.tick(session->game.ctx, pipeline->frame);
    }
    deliver_corrections(session);
    deliver_all(core, session);
    if (session->game.commit != NULL) {
        session->game.commit(session->game.ctx, pipeline->frame);
    }
    if (session->is_deferred) {
        session->is_pending = true;
    } else {
        end_frame(session, now_us);
    }
}

int p2_session_game(struct p2_core *core, const struct p2_event *event, uint64_t now_us,
                    struct p2_outbox *out)
{
    struct p2_session *session = session_at(core, event->session);
    if (session == NULL) {
        return P2_E_RANGE;
    }
    if (!session->is_pending) {
        return P2_E_STATE;
    }
    session->out = out;
    session->is_pending = false;
    session->game.emit(session->game.ctx, session->pipeline.frame);
    session->record.merge_us = (uint32_t)(now_us - session->record.slot_us);
    end_frame(session, now_us);
    session->out = NULL;
    p2_dispatch_session(core, session, now_us, out);
    return P2_OK;
}

/* One slot a step: a record is shown by its effect until the next step. A caller that comes late
 * calls again at once, because p2_core_wake_us is in the past then. */
void p2_session_run_slots(struct p2_core *core, struct p2_session *session, uint64_t now_us,
                          struct p2_outbox *out)
{
    session->out = out;
    if (!session->is_pending &&
        now_us >= p2_pipeline_slot_us(&session->pipeline, session->pipeline.frame)) {
        run_frame(core, session, now_us);
    }
    session->out = NULL;
}
