/* The policy behind verify.h; the rules stand in the headers. */
#include "authority/trust/trust.h"

#include <stdlib.h>
#include <string.h>

/* ---- records ----------------------------------------------------------------------------------- */

static uint32_t place_of(const struct p2_trust *trust, const struct p2_id *id)
{
    /* Ids are public keys: any eight bytes spread well; who grinds keys only slows his own look-ups,
     * because the table is never more than half full. */
    return (uint32_t)(p2_load_be64(id->bytes + 8) & (trust->capacity - 1));
}

struct p2_reputation *p2_trust_find(struct p2_trust *trust, const struct p2_id *id)
{
    uint32_t at = place_of(trust, id);
    while (trust->items[at] != NULL) {
        if (p2_id_equal(&trust->items[at]->id, id)) {
            return trust->items[at];
        }
        at = (at + 1) & (trust->capacity - 1);
    }
    return NULL;
}

static void insert(struct p2_trust *trust, struct p2_reputation *rep)
{
    uint32_t at = place_of(trust, &rep->id);
    while (trust->items[at] != NULL) {
        at = (at + 1) & (trust->capacity - 1);
    }
    trust->items[at] = rep;
    trust->count++;
}

/* Takes the record out and closes the gap. */
static void take_out(struct p2_trust *trust, uint32_t at)
{
    uint32_t mask = trust->capacity - 1;
    free(trust->items[at]);
    trust->items[at] = NULL;
    trust->count--;
    for (uint32_t next = (at + 1) & mask; trust->items[next] != NULL; next = (next + 1) & mask) {
        struct p2_reputation *rep = trust->items[next];
        trust->items[next] = NULL;
        trust->count--;
        insert(trust, rep);
    }
}

static struct p2_reputation *make(struct p2_trust *trust)
{
    if (trust->count >= trust->options.helpers_max) {
        uint32_t oldest = UINT32_MAX;
        for (uint32_t i = 0; i < trust->capacity; i++) {
            if (trust->items[i] != NULL &&
                (oldest == UINT32_MAX || trust->items[i]->last_s < trust->items[oldest]->last_s)) {
                oldest = i;
            }
        }
        take_out(trust, oldest);
    }
    return calloc(1, sizeof(struct p2_reputation));
}

struct p2_reputation *p2_trust_record(struct p2_trust *trust, const struct p2_id *id)
{
    struct p2_reputation *rep = p2_trust_find(trust, id);
    if (rep == NULL) {
        rep = make(trust);
        if (rep != NULL) {
            p2_reputation_init(rep, id, trust->unix_s);
            insert(trust, rep);
        }
    }
    return rep;
}

int p2_trust_restore(struct p2_trust *trust, const struct p2_reputation *stored)
{
    if (p2_trust_find(trust, &stored->id) != NULL) {
        return P2_E_EXIST;
    }
    struct p2_reputation *rep = make(trust);
    if (rep == NULL) {
        return P2_E_NOMEM;
    }
    *rep = *stored;
    insert(trust, rep);
    return P2_OK;
}

/* ---- the seam ---------------------------------------------------------------------------------- */

static uint64_t state_rate_ppb(const struct p2_trust *trust, const struct p2_reputation *rep,
                               uint8_t kernel, uint8_t weight, bool is_cloud)
{
    if (is_cloud) {
        return P2_AUDIT_MIN_PPB;
    }
    uint64_t n = rep == NULL ? 0 : rep->kernels[kernel].n;
    return n < P2_PROBATION_TASKS ? P2_PPB : p2_audit_rate_ppb(n, weight, trust->k_ppb[kernel]);
}

uint64_t p2_trust_rate_ppb(struct p2_trust *trust, const struct p2_id *id, uint8_t kernel,
                           uint8_t weight, bool is_cloud)
{
    return state_rate_ppb(trust, p2_trust_find(trust, id), kernel, weight, is_cloud);
}

static uint64_t owed_us(struct p2_trust *trust, const struct p2_verify_ask *ask)
{
    uint64_t rate = ask->is_state ? p2_trust_rate_ppb(trust, &ask->helper, ask->kernel, ask->weight,
                                                      ask->is_cloud)
                                  : P2_AUDIT_VIEW_PPB;
    return (rate * ask->exec_us + P2_PPB - 1) / P2_PPB;
}

static bool admit(void *ctx, const struct p2_verify_ask *ask)
{
    struct p2_trust *trust = ctx;
    return p2_audit_budget_allows(&trust->budget, owed_us(trust, ask), ask->is_state, ask->now_us);
}

static uint64_t granted(void *ctx, const struct p2_verify_ask *ask)
{
    struct p2_trust *trust = ctx;
    uint64_t owed = owed_us(trust, ask);
    p2_audit_budget_reserve(&trust->budget, owed);
    return owed;
}

static void released(void *ctx, uint64_t owed)
{
    struct p2_trust *trust = ctx;
    p2_audit_budget_release(&trust->budget, owed);
}

static enum p2_verdict decide(void *ctx, const struct p2_verify_case *item)
{
    struct p2_trust *trust = ctx;
    struct p2_reputation *rep = p2_trust_record(trust, &item->helper);
    uint64_t rate = P2_AUDIT_VIEW_PPB;
    if (rep == NULL) {
        rate = P2_PPB; /* no memory to remember anything: computed here */
    } else if (item->is_state) {
        rate = state_rate_ppb(trust, rep, item->kernel, item->weight, item->is_cloud);
        rep->last_s = trust->unix_s;
    }
    bool is_shadow = item->is_state && !item->is_cloud &&
                     (rep == NULL || rep->kernels[item->kernel].n < P2_PROBATION_TASKS);
    bool is_drawn = is_shadow ||
                    p2_audit_draw(trust->options.key, item->session, item->task, item->lease, rate);
    p2_audit_budget_settle(&trust->budget, item->owed_us, is_drawn ? item->exec_us : 0);
    if (trust->options.work != NULL) {
        trust->options.work(trust->options.work_ctx, &item->helper, item->session,
                            item->cost_units);
    }
    if (is_shadow) {
        trust->counters.shadow++;
        return P2_VERIFY_RECOMPUTE;
    }
    trust->counters.audits += is_drawn ? 1 : 0;
    if (is_drawn) {
        return P2_VERIFY_AUDIT; /* counts as good when it was compared */
    }
    p2_reputation_good(rep, item->kernel, 1, false);
    return P2_VERIFY_ACCEPT;
}

struct p2_verify_port p2_trust_port(struct p2_trust *trust)
{
    return (struct p2_verify_port){
        .decide = decide, .admit = admit, .granted = granted, .released = released, .ctx = trust};
}

/* ---- life -------------------------------------------------------------------------------------- */

int p2_trust_init(struct p2_trust *trust, const struct p2_trust_options *options, uint64_t now_us,
                  uint64_t unix_s)
{
    memset(trust, 0, sizeof *trust);
    if (options->kernel_count > P2_CORE_KERNELS_MAX || options->helpers_max == 0 ||
        options->helpers_max > P2_BANS_MAX * 16u || options->key == NULL) {
        return P2_E_INVALID;
    }
    trust->options = *options;
    trust->capacity = 2;
    while (trust->capacity < 2 * options->helpers_max) {
        trust->capacity *= 2;
    }
    trust->items = calloc(trust->capacity, sizeof *trust->items);
    if (trust->items == NULL) {
        return P2_E_NOMEM;
    }
    for (uint32_t k = 0; k < options->kernel_count; k++) {
        trust->k_ppb[k] = p2_audit_k_ppb(options->kernels[k].delta_ppm);
    }
    uint32_t share = options->audit_ppm == 0 ? P2_AUDIT_SHARE_PPM : options->audit_ppm;
    p2_audit_budget_init(&trust->budget, options->local_cores, share, now_us);
    p2_bans_init(&trust->bans);
    p2_trust_clock(trust, now_us, unix_s);
    return P2_OK;
}

void p2_trust_free(struct p2_trust *trust)
{
    for (uint32_t i = 0; trust->items != NULL && i < trust->capacity; i++) {
        free(trust->items[i]);
    }
    free(trust->items);
    p2_bans_free(&trust->bans);
    memset(trust, 0, sizeof *trust);
}

void p2_trust_clock(struct p2_trust *trust, uint64_t now_us, uint64_t unix_s)
{
    trust->now_us = now_us;
    trust->unix_s = unix_s;
}

const char *p2_trust_refusal(struct p2_trust *trust, const struct p2_id *id, const struct p2_ip *ip,
                             uint64_t *ret_until_s)
{
    const struct p2_ban_entry *entry = p2_bans_find(&trust->bans, id, ip, trust->unix_s);
    if (entry != NULL) {
        *ret_until_s = entry->until_s;
        return entry->reason;
    }
    struct p2_reputation *rep = p2_trust_find(trust, id);
    if (rep != NULL && p2_reputation_is_banned(rep, trust->unix_s)) {
        *ret_until_s = rep->banned_until_s;
        return "wrong results";
    }
    return NULL;
}

/* ---- events ------------------------------------------------------------------------------------ */

struct effects {
    struct p2_trust_effect *items;
    uint32_t count;
};

static struct p2_trust_effect *add(struct effects *effects, enum p2_trust_effect_type type,
                                   const struct p2_trust_event *event)
{
    struct p2_trust_effect *effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    effect->helper = event->helper;
    effect->lease = event->lease;
    memcpy(effect->expected, event->expected, sizeof effect->expected);
    return effect;
}

static void judge(struct p2_trust *trust, struct p2_reputation *rep,
                  const struct p2_trust_event *event, enum p2_fault_cause cause,
                  struct effects *effects)
{
    struct p2_fault fault = {
        .lease = event->lease,
        .kernel = cause == P2_FAULT_PROTOCOL ? P2_CORE_KERNELS_MAX : event->kernel,
        .cause = cause,
    };
    memcpy(fault.input, event->input, sizeof fault.input);
    memcpy(fault.expected, event->expected, sizeof fault.expected);
    memcpy(fault.got, event->got, sizeof fault.got);
    struct p2_judgement judgement = p2_reputation_fault(rep, &fault, trust->unix_s);
    (void)add(effects, P2_TRUST_PERSIST, event);
    if (judgement.must_forfeit) {
        trust->counters.confirmed++;
        (void)add(effects, P2_TRUST_FORFEIT, event);
        (void)add(effects, P2_TRUST_BACKTRACE, event);
    }
    if (judgement.is_banned) {
        trust->counters.bans++;
        struct p2_trust_effect *effect = add(effects, P2_TRUST_BAN, event);
        effect->until_s = rep->banned_until_s;
        effect->why = judgement.why;
    }
}

static void hear_compared(struct p2_trust *trust, struct p2_reputation *rep,
                          const struct p2_trust_event *event, struct effects *effects)
{
    if (!event->is_equal) {
        judge(trust, rep, event, event->is_inside ? P2_FAULT_INSIDE : P2_FAULT_OUTSIDE, effects);
    } else if (!event->is_inside) {
        judge(trust, rep, event, P2_FAULT_TAKEN_BACK, effects);
        p2_reputation_good(rep, event->kernel, 1, true);
    } else {
        p2_reputation_good(rep, event->kernel, 1, true);
    }
}

/* Its check never ran: nothing says that it is outside the bounds. */
static void hear_late(struct p2_trust *trust, struct p2_reputation *rep,
                      const struct p2_trust_event *event, struct effects *effects)
{
    struct p2_trust_event plausible = *event;
    plausible.is_inside = true;
    hear_compared(trust, rep, &plausible, effects);
}

uint32_t p2_trust_hear(struct p2_trust *trust, const struct p2_trust_event *event,
                       struct p2_trust_effect *ret_effects)
{
    struct effects effects = {.items = ret_effects};
    struct p2_reputation *rep = p2_trust_record(trust, &event->helper);
    if (rep == NULL || event->kernel >= P2_CORE_KERNELS_MAX) {
        return 0;
    }
    switch (event->type) {
    case P2_TRUST_REFUSED:
        judge(trust, rep, event, P2_FAULT_REFUSED, &effects);
        break;
    case P2_TRUST_LATE:
        trust->counters.free++;
        hear_late(trust, rep, event, &effects);
        break;
    case P2_TRUST_AUDITED:
        hear_compared(trust, rep, event, &effects);
        break;
    case P2_TRUST_STRIKE:
        judge(trust, rep, event, P2_FAULT_PROTOCOL, &effects);
        break;
    case P2_TRUST_CLEARED:
        p2_reputation_cleared(rep, event->tasks);
        break;
    }
    return effects.count;
}
