/* The profiles `policed` and `turned`: the core with the production policy of trust behind it. Three of
 * ten helpers lie in a way that passes every check: new ones, or such that proved themselves before;
 * probation, audits, bans, corrections and the back-trace do the rest. What the shell does with the
 * effects is done here. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

#define UNIX_S  UINT64_C(1700000000)
#define PROVEN  20000u /* tasks each has done well before: q is a third */
#define IDLE_US 20000u /* between two looks of the back-trace */

static uint64_t unix_of(const struct sim *sim)
{
    return UNIX_S + sim->now_us / 1000000u;
}

int sim_police_open(struct sim *sim)
{
    static const struct p2_trust_kernel kernel = {"model", 0};
    static const uint8_t key[P2_KEY_BYTES] = {3, 1, 4};
    struct p2_trust_options options = {.kernels = &kernel,
                                       .kernel_count = 1,
                                       .helpers_max = SIM_HELPERS_MAX,
                                       .local_cores = (uint16_t)sim->config.local_cores,
                                       .key = key};
    int error = p2_trust_init(&sim->trust, &options, 0, UNIX_S);
    return error == P2_OK ? p2_trail_init(&sim->trail) : error;
}

void sim_police_enrol(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->config.helpers; i++) {
        struct sim_helper *helper = &sim->helpers[i];
        /* Alike, so that everybody gets work. */
        helper->ns_per_unit = 1000;
        helper->cores = helper->slots = 1;
        helper->rtt_us = 4000;
        helper->lies = i < sim->config.helpers * 3 / 10 ? SIM_WRONG : 0;
        struct p2_reputation *rep = p2_trust_record(&sim->trust, &helper->id);
        if (rep != NULL && sim->profile == SIM_TURNED) {
            p2_reputation_good(rep, 0, PROVEN, true);
        }
    }
}

void sim_police_close(struct sim *sim)
{
    p2_trust_free(&sim->trust);
    p2_trail_free(&sim->trail);
}

static struct sim_helper *helper_of(struct sim *sim, const struct p2_id *id)
{
    for (uint32_t i = 0; i < sim->config.helpers; i++) {
        if (p2_id_equal(&sim->helpers[i].id, id)) {
            return &sim->helpers[i];
        }
    }
    return NULL;
}

/* The last results of a caught liar, one after the other when there is time. */
static void trace_back(struct sim *sim, const struct p2_id *id)
{
    struct p2_trail_entry entry;
    for (uint32_t i = 0; p2_trail_get(&sim->trail, id, i, &entry); i++) {
        struct sim_event *event = sim_push(sim, sim->now_us + (i + 1) * IDLE_US, SIM_EVENT_AUDITED);
        event->number = entry.task;
        sim_attach(event, entry.input.data, entry.input.size);
        event->status = P2_E_STATE; /* not an audit that was drawn: blames nobody again */
    }
}

static void tell(struct sim *sim, const struct p2_trust_event *what)
{
    struct p2_trust_effect effects[P2_TRUST_EFFECTS_MAX];
    p2_trust_clock(&sim->trust, sim->now_us, unix_of(sim));
    uint32_t count = p2_trust_hear(&sim->trust, what, effects);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_helper *helper = helper_of(sim, &effects[i].helper);
        if (effects[i].type == P2_TRUST_BACKTRACE) {
            trace_back(sim, &effects[i].helper);
        } else if (effects[i].type == P2_TRUST_BAN && helper != NULL) {
            sim->banned_liars += helper->lies != 0 ? 1 : 0;
            sim->banned_honest += helper->lies == 0 ? 1 : 0;
            struct sim_event *event = sim_push(sim, sim->now_us, SIM_EVENT_BAN);
            event->helper = (uint32_t)(helper - sim->helpers);
            event->number = sim->now_us + (effects[i].until_s - unix_of(sim)) * 1000000u;
        }
    }
}

/* What came out of an audit: the task's own bytes against the right ones. */
void sim_police_audited(struct sim *sim, const struct sim_event *event)
{
    struct sim_task *task = sim_task(&sim->plays[0], event->number);
    uint8_t right[SIM_OUTPUT_BYTES];
    sim_model(event->bytes, right);
    bool is_equal = true;
    if (event->status == P2_OK) { /* drawn: input, result and who it was */
        is_equal = memcmp(event->bytes + SIM_INPUT_BYTES, right, sizeof right) == 0;
        struct p2_trust_event what = {
            .type = P2_TRUST_AUDITED, .is_equal = is_equal, .is_inside = true};
        memcpy(what.helper.bytes, event->bytes + SIM_INPUT_BYTES + SIM_OUTPUT_BYTES, P2_ID_BYTES);
        what.lease = event->number;
        tell(sim, &what);
    } else {
        is_equal = task->id != event->number || !task->is_wrong;
    }
    if (!is_equal && task->id == event->number) {
        struct p2_event correct = {.type = P2_EVENT_CORRECT,
                                   .session = sim->plays[0].session,
                                   .task = event->number,
                                   .bytes = p2_span(right, sizeof right)};
        sim_note_candidate(sim, correct.session, event->number, correct.bytes);
        sim_step(sim, &correct);
    }
}

/* Effects the policy hears of. */
void sim_police_effect(struct sim *sim, const struct p2_effect *effect)
{
    struct p2_trust_event what = {.helper = effect->helper,
                                  .lease = effect->lease,
                                  .kernel = 0,
                                  .is_inside = !effect->is_refused};
    if (effect->type == P2_EFFECT_AUDIT) {
        struct sim_event *event = sim_push(
            sim, sim->now_us + sim_task(&sim->plays[0], effect->task)->cost, SIM_EVENT_AUDITED);
        uint8_t bytes[SIM_INPUT_BYTES + SIM_OUTPUT_BYTES + P2_ID_BYTES];
        memcpy(bytes, effect->input.data, SIM_INPUT_BYTES);
        memcpy(bytes + SIM_INPUT_BYTES, effect->result.data, SIM_OUTPUT_BYTES);
        memcpy(bytes + SIM_INPUT_BYTES + SIM_OUTPUT_BYTES, effect->helper.bytes, P2_ID_BYTES);
        event->number = effect->task;
        event->status = P2_OK;
        sim_attach(event, bytes, sizeof bytes);
    } else if (effect->type == P2_EFFECT_PROVEN || effect->type == P2_EFFECT_INTEGRITY) {
        what.type = effect->type == P2_EFFECT_INTEGRITY && !effect->is_known ? P2_TRUST_REFUSED
                                                                             : P2_TRUST_AUDITED;
        what.is_equal = effect->type == P2_EFFECT_PROVEN;
        tell(sim, &what);
    }
}

/* A result passed its check: remembered for the back-trace. */
void sim_police_checked(struct sim *sim, const struct p2_effect *effect)
{
    struct p2_trail_entry entry = {.helper = sim->helpers[effect->peer].id,
                                   .lease = effect->lease,
                                   .task = effect->task,
                                   .input = effect->input};
    if ((sim_task(&sim->plays[0], effect->task)->flags & P2_TASK_VIEW) == 0) {
        (void)p2_trail_add(&sim->trail, &entry);
    }
}

/* The game: a result delivered before was wrong. */
void sim_police_corrected(struct sim_play *play, const struct p2_delivery *delivery)
{
    struct sim *sim = play->sim;
    struct sim_task *task = sim_task(play, delivery->task);
    uint8_t right[SIM_OUTPUT_BYTES];
    sim_model(task->input, right);
    if (task->id != delivery->task || !task->is_delivered || !task->is_wrong ||
        delivery->result.size != sizeof right ||
        memcmp(right, delivery->result.data, sizeof right) != 0) {
        sim_violation(sim, "police", "a correction of nothing, or a wrong one", delivery->task);
    }
    task->is_wrong = false;
    sim->wrong_now--;
    uint64_t took = sim->now_us - task->delivered_us;
    sim->corrected_in_time += took <= P2_SURVIVE_US ? 1 : 0;
    sim->corrected_late += took > P2_SURVIVE_US ? 1 : 0;
}

/* At the end: who is banned, what is left in the state. */
void sim_police_end(struct sim *sim)
{
    uint32_t liars = sim->config.helpers * 3 / 10;
    (void)printf("  policed: liars=%u banned=%u honest_banned=%u wrong_state_applied=%llu "
                 "corrected_200ms=%llu corrected_later=%llu wrong_left=%lld held_audits=%llu "
                 "audits_after=%llu\n",
                 liars, sim->banned_liars, sim->banned_honest, (unsigned long long)sim->wrong_state,
                 (unsigned long long)sim->corrected_in_time,
                 (unsigned long long)sim->corrected_late, (long long)sim->wrong_now,
                 (unsigned long long)(sim->trust.counters.audits - sim->audits_after),
                 (unsigned long long)sim->audits_after);
    if (sim->banned_honest != 0) {
        sim_violation(sim, "police", "an honest helper is banned", sim->banned_honest);
    }
    /* Of new helpers nothing unproven counts. Who was honest before gets through now and then. */
    for (uint32_t i = 0; i < liars; i++) {
        const struct p2_reputation *rep = p2_trust_find(&sim->trust, &sim->helpers[i].id);
        if (rep != NULL && rep->confirmed > P2_CONFIRMED_MAX && !rep->is_untrusted) {
            sim_violation(sim, "police", "a convicted liar is not banned", i);
        }
    }
    if (sim->profile == SIM_POLICED && sim->wrong_state != 0) {
        sim_violation(sim, "police", "wrong results reached the state", sim->wrong_state);
    }
}
