/* The simulated network; see the header.
 *
 * Values are kept until the simulation is freed: a lookup walks over a list of them while others
 * come and expire. An operation lives until its last event has been handled, since events point to
 * it; `is_over` says that its user must hear nothing any more. */
#include "overlay/overlay_sim.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_GROUP UINT32_MAX
#define SECOND_US   1000000ull
/* How often a waiting lookup looks whether one of the running ones has ended. */
#define RETRY_US 10000u

struct value {
    struct p2_overlay_key key;
    uint64_t at_us;
    int64_t place; /* order under its key */
    uint32_t group;
    size_t size;
    uint8_t bytes[];
};

enum event_kind { EVENT_START, EVENT_VALUE, EVENT_WATCHED, EVENT_END, EVENT_STATE, EVENT_CLOSED };

struct event {
    uint64_t at_us;
    uint64_t order;
    enum event_kind kind;
    struct sim_op *op;
    struct sim_overlay *overlay;
    const struct value *value;
    int result;
};

struct sim_op {
    struct p2_overlay_op base;
    struct sim_op *next;
    struct p2_overlay_limits limits;
    size_t pending; /* events that point here */
    bool is_over;
    bool is_started;
    bool is_stopped; /* P2_OVERLAY_STOP was said */
    uint32_t reported;
    const struct value **found; /* owned; LOOKUP */
    size_t found_count;
    size_t found_next;
    uint64_t window_us; /* WATCH: the second whose values are counted */
    uint32_t window_count;
    size_t size; /* PUBLISH */
    uint8_t bytes[P2_OVERLAY_VALUE_MAX];
};

struct sim_overlay {
    struct p2_overlay base;
    struct p2_overlay_sim *sim;
    struct sim_overlay *next;
    struct p2_overlay_sim_weather weather;
    struct p2_rng rng;
    struct p2_overlay_status status;
    struct sim_op *ops;
    uint32_t group;
    uint32_t lookups; /* running */
    uint32_t alarms;
    uint64_t down_until_us;
    uint64_t starts_us[P2_OVERLAY_STARTS_PER_S]; /* a ring */
    uint32_t start_count;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

struct p2_overlay_sim {
    uint64_t now_us;
    uint64_t cpu_us;
    uint64_t unix_s;
    uint64_t order;
    int64_t front;
    int error; /* sticky */
    struct p2_rng rng;
    uint32_t overlay_count;
    struct sim_overlay *overlays;
    struct sim_op *graves; /* over, with events pending */
    struct event *heap;
    size_t heap_count, heap_capacity;
    struct value **values;
    size_t value_count, value_capacity;
};

static struct sim_overlay *sim_of(struct p2_overlay *overlay)
{
    return (struct sim_overlay *)(void *)overlay;
}

/* ---- events ------------------------------------------------------------------------------------- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap_events(struct event *a, struct event *b)
{
    struct event kept = *a;
    *a = *b;
    *b = kept;
}

static void add_event(struct p2_overlay_sim *sim, struct event event)
{
    if (sim->heap_count == sim->heap_capacity) {
        size_t capacity = sim->heap_capacity > 0 ? sim->heap_capacity * 2 : 64;
        struct event *heap = realloc(sim->heap, capacity * sizeof *heap);
        if (heap == NULL) {
            sim->error = P2_E_NOMEM;
            return;
        }
        sim->heap = heap;
        sim->heap_capacity = capacity;
    }
    event.order = sim->order++;
    size_t at = sim->heap_count++;
    sim->heap[at] = event;
    while (at > 0 && is_before(&sim->heap[at], &sim->heap[(at - 1) / 2])) {
        swap_events(&sim->heap[at], &sim->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    if (event.op != NULL) {
        event.op->pending++;
    }
}

static struct event take_event(struct p2_overlay_sim *sim)
{
    struct event first = sim->heap[0];
    sim->heap[0] = sim->heap[--sim->heap_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < sim->heap_count && is_before(&sim->heap[child], &sim->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        swap_events(&sim->heap[at], &sim->heap[least]);
        at = least;
    }
}

static void op_event(struct sim_op *op, enum event_kind kind, uint64_t delay_us, int result)
{
    struct p2_overlay_sim *sim = sim_of(op->base.overlay)->sim;
    add_event(sim, (struct event){
                       .at_us = sim->now_us + delay_us, .kind = kind, .op = op, .result = result});
}

/* -log2(x / 2^32) in 1/65536 bits, for x in 1..2^32-1: the exponential distribution in integers. */
static uint64_t minus_log2_q16(uint32_t x)
{
    unsigned zeros = (unsigned)__builtin_clz(x);
    uint64_t mantissa = (uint64_t)x << zeros; /* in [2^31, 2^32) */
    uint64_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        mantissa = mantissa * mantissa >> 31;
        bits <<= 1;
        if (mantissa >= (uint64_t)1 << 32) {
            mantissa >>= 1;
            bits |= 1;
        }
    }
    return ((uint64_t)(zeros + 1) << 16) - bits;
}

static uint64_t draw_delay_us(struct sim_overlay *overlay)
{
    const struct p2_overlay_sim_weather *weather = &overlay->weather;
    uint64_t delay = weather->delay_min_us;
    uint32_t x = p2_rng_u32(&overlay->rng) | 1;
    /* mean x ln 2 x -log2(x); ln 2 = 45426 / 65536 */
    delay += ((uint64_t)weather->delay_mean_us * minus_log2_q16(x) >> 16) * 45426 >> 16;
    if (p2_rng_chance_ppm(&overlay->rng, weather->slow_ppm)) {
        delay += weather->slow_us;
    }
    return delay;
}

/* ---- operations --------------------------------------------------------------------------------- */

static void bury(struct sim_op *op)
{
    struct p2_overlay_sim *sim = sim_of(op->base.overlay)->sim;
    if (op->pending > 0) {
        op->next = sim->graves;
        sim->graves = op;
        return;
    }
    free(op->found);
    free(op);
}

static void unlink_op(struct sim_op **list, struct sim_op *op)
{
    while (*list != op) {
        list = &(*list)->next;
    }
    *list = op->next;
}

/* Takes the operation away from its user. */
static void take_away(struct sim_op *op)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    op->is_over = true;
    unlink_op(&overlay->ops, op);
    overlay->status.operations--;
    overlay->alarms -= op->base.kind == P2_OVERLAY_ALARM;
    if (op->base.kind == P2_OVERLAY_LOOKUP) {
        overlay->lookups -= op->is_started;
        overlay->status.looked_up++;
    }
}

static void finish(struct sim_op *op, int result)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    if (op->base.kind == P2_OVERLAY_PUBLISH && result == P2_OK) {
        overlay->status.published++;
    }
    take_away(op);
    op->pending++; /* keeps it for the call */
    op->base.events->on_end(&op->base, result, op->base.ctx);
    op->pending--;
    bury(op);
}

static uint64_t starting_time(struct sim_overlay *overlay)
{
    uint64_t now = overlay->sim->now_us;
    uint64_t *oldest = &overlay->starts_us[overlay->start_count % P2_OVERLAY_STARTS_PER_S];
    uint64_t start = now;
    if (overlay->start_count >= P2_OVERLAY_STARTS_PER_S && *oldest + SECOND_US > now) {
        start = *oldest + SECOND_US;
    }
    *oldest = start;
    overlay->start_count++;
    return start - now;
}

static int sim_start(struct p2_overlay *base, const struct p2_overlay_request *request,
                     struct p2_overlay_op **ret_op)
{
    struct sim_overlay *overlay = sim_of(base);
    bool is_alarm = request->kind == P2_OVERLAY_ALARM;
    if (is_alarm ? overlay->alarms >= P2_OVERLAY_ALARMS_MAX
                 : overlay->status.operations - overlay->alarms >= P2_OVERLAY_OPS_MAX) {
        return P2_E_AGAIN;
    }
    struct sim_op *op = calloc(1, sizeof *op);
    if (op == NULL) {
        return P2_E_NOMEM;
    }
    op->base =
        (struct p2_overlay_op){base, request->kind, request->key, request->events, request->ctx};
    op->limits = request->limits;
    if (request->kind == P2_OVERLAY_PUBLISH) {
        op->size = request->value.size;
        memcpy(op->bytes, request->value.data, request->value.size);
    }
    op->next = overlay->ops;
    overlay->ops = op;
    overlay->status.operations++;
    if (is_alarm) {
        overlay->alarms++;
        uint64_t now_us = overlay->sim->now_us;
        op_event(op, EVENT_END, request->at_us > now_us ? request->at_us - now_us : 0, P2_OK);
        *ret_op = &op->base;
        return P2_OK;
    }
    op_event(op, EVENT_START, starting_time(overlay) + draw_delay_us(overlay), 0);
    if (request->kind == P2_OVERLAY_PUBLISH) {
        op_event(op, EVENT_END, (uint64_t)P2_OVERLAY_PUBLISH_TIMEOUT_MS * 1000, P2_E_TIMEOUT);
    } else if (request->kind == P2_OVERLAY_LOOKUP) {
        op_event(op, EVENT_END, (uint64_t)request->limits.time_ms * 1000, P2_E_TIMEOUT);
    }
    *ret_op = &op->base;
    return P2_OK;
}

static void sim_cancel(struct p2_overlay *overlay, struct p2_overlay_op *base)
{
    struct sim_op *op = (struct sim_op *)(void *)base;
    (void)overlay;
    if (!op->is_over) {
        take_away(op);
        bury(op);
    }
}

/* ---- values ------------------------------------------------------------------------------------- */

static bool is_seen(const struct sim_overlay *overlay, const struct value *value,
                    const struct p2_overlay_key *key, uint64_t young_us)
{
    uint64_t age_us = overlay->sim->now_us - value->at_us;
    return p2_overlay_key_equal(&value->key, key) && age_us < P2_OVERLAY_SIM_LIFE_US &&
           age_us >= young_us && (value->group == EVERY_GROUP || value->group == overlay->group);
}

/* A watch is told. */
static void notify(struct sim_op *op, const struct value *value)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    if (p2_rng_chance_ppm(&overlay->rng, overlay->weather.miss_ppm)) {
        return;
    }
    add_event(overlay->sim, (struct event){.at_us = overlay->sim->now_us + draw_delay_us(overlay),
                                           .kind = EVENT_WATCHED,
                                           .op = op,
                                           .value = value});
}

static int store(struct p2_overlay_sim *sim, const struct p2_overlay_key *key, struct p2_span bytes,
                 uint32_t group, bool in_front)
{
    if (sim->value_count == sim->value_capacity) {
        size_t capacity = sim->value_capacity > 0 ? sim->value_capacity * 2 : 64;
        struct value **values = realloc(sim->values, capacity * sizeof(struct value *));
        if (values == NULL) {
            return P2_E_NOMEM;
        }
        sim->values = values;
        sim->value_capacity = capacity;
    }
    struct value *value = malloc(sizeof *value + bytes.size);
    if (value == NULL) {
        return P2_E_NOMEM;
    }
    value->key = *key;
    value->at_us = sim->now_us;
    value->group = group;
    value->place = in_front ? --sim->front : (int64_t)sim->value_count;
    value->size = bytes.size;
    if (bytes.size > 0) {
        memcpy(value->bytes, bytes.data, bytes.size);
    }
    sim->values[sim->value_count++] = value;
    for (struct sim_overlay *overlay = sim->overlays; overlay != NULL; overlay = overlay->next) {
        for (struct sim_op *op = overlay->ops; op != NULL; op = op->next) {
            if (op->base.kind == P2_OVERLAY_WATCH && op->is_started &&
                is_seen(overlay, value, &op->base.key, 0)) {
                notify(op, value);
            }
        }
    }
    return P2_OK;
}

static int compare_places(const void *a, const void *b)
{
    const struct value *const *left = a;
    const struct value *const *right = b;
    return ((*left)->place > (*right)->place) - ((*left)->place < (*right)->place);
}

/* What a lookup or a new watch sees now, in order. */
static void gather(struct sim_op *op)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    struct p2_overlay_sim *sim = overlay->sim;
    const struct p2_overlay_sim_weather *weather = &overlay->weather;
    free(op->found);
    op->found_count = 0;
    op->found_next = 0;
    op->found = malloc((sim->value_count + 1) * sizeof(const struct value *));
    if (op->found == NULL) {
        sim->error = P2_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < sim->value_count; i++) {
        if (is_seen(overlay, sim->values[i], &op->base.key, weather->stale_us) &&
            !p2_rng_chance_ppm(&overlay->rng, weather->miss_ppm)) {
            op->found[op->found_count++] = sim->values[i];
        }
    }
    qsort(op->found, op->found_count, sizeof(const struct value *), compare_places);
}

/* Reports one value, if it may be reported. */
static void report(struct sim_op *op, const struct value *value)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    if (value->size > P2_OVERLAY_VALUE_MAX) {
        overlay->status.oversized++;
        return;
    }
    op->reported++;
    overlay->status.values++;
    overlay->status.value_bytes += value->size;
    op->pending++;
    enum p2_overlay_verdict verdict =
        op->base.events->on_value(&op->base, p2_span(value->bytes, value->size), op->base.ctx);
    op->pending--;
    if (verdict == P2_OVERLAY_STOP && !op->is_over) {
        op->is_stopped = true;
        op_event(op, EVENT_END, 0, P2_OK);
    }
}

/* ---- handling ----------------------------------------------------------------------------------- */

static void handle_start(struct sim_op *op)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    struct p2_overlay_sim *sim = overlay->sim;
    if (overlay->down_until_us > sim->now_us) {
        op_event(op, EVENT_START, overlay->down_until_us - sim->now_us, 0);
        return;
    }
    if (op->base.kind == P2_OVERLAY_PUBLISH) {
        bool is_lost = p2_rng_chance_ppm(&overlay->rng, overlay->weather.loss_ppm);
        if (!is_lost) {
            int error =
                store(sim, &op->base.key, p2_span(op->bytes, op->size), overlay->group, false);
            sim->error = error != P2_OK ? error : sim->error;
        }
        op_event(op, EVENT_END, 0, P2_OK);
        return;
    }
    if (op->base.kind == P2_OVERLAY_LOOKUP && overlay->lookups >= P2_OVERLAY_LOOKUPS) {
        op_event(op, EVENT_START, RETRY_US, 0);
        return;
    }
    overlay->lookups += op->base.kind == P2_OVERLAY_LOOKUP && !op->is_started;
    op->is_started = true;
    gather(op);
    op_event(op, EVENT_VALUE, 0, 0);
}

static void handle_value(struct sim_op *op)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    bool is_lookup = op->base.kind == P2_OVERLAY_LOOKUP;
    if (op->is_stopped) {
        return;
    }
    if (op->found_next >= op->found_count) {
        if (is_lookup) {
            op_event(op, EVENT_END, 0, P2_OK);
        }
        return;
    }
    if (is_lookup && op->reported >= op->limits.values_max) {
        op->is_stopped = true;
        op_event(op, EVENT_END, 0, P2_E_LIMIT);
        return;
    }
    op_event(op, EVENT_VALUE, overlay->weather.value_us, 0); /* before the call, which may cancel */
    report(op, op->found[op->found_next++]);
}

static void handle_watched(struct sim_op *op, const struct value *value)
{
    struct sim_overlay *overlay = sim_of(op->base.overlay);
    uint64_t now_us = overlay->sim->now_us;
    if (op->is_stopped || overlay->down_until_us > now_us) {
        return;
    }
    if (now_us - op->window_us >= SECOND_US) {
        op->window_us = now_us;
        op->window_count = 0;
    }
    if (op->window_count < P2_OVERLAY_WATCH_VALUES_PER_S) {
        op->window_count++;
        report(op, value);
    }
}

static void change_state(struct sim_overlay *overlay, enum p2_overlay_state state)
{
    if (overlay->status.state != state) {
        overlay->status.state = state;
        if (overlay->base.on_state != NULL) {
            overlay->base.on_state(&overlay->base, overlay->base.on_state_ctx);
        }
    }
}

static void handle_state(struct sim_overlay *overlay)
{
    if (overlay->base.is_closing) {
        return;
    }
    bool is_down = overlay->down_until_us > overlay->sim->now_us;
    if (!is_down && overlay->status.state == P2_OVERLAY_DOWN) {
        overlay->status.restarts++;
        for (struct sim_op *op = overlay->ops; op != NULL; op = op->next) {
            if (op->base.kind == P2_OVERLAY_WATCH && op->is_started) {
                op_event(op, EVENT_START, draw_delay_us(overlay), 0);
            }
        }
    }
    change_state(overlay, is_down ? P2_OVERLAY_DOWN : P2_OVERLAY_CONNECTED);
}

/* Events of `overlay` that are still queued: it is freed after the last. */
static void forget_overlay(struct sim_overlay *overlay)
{
    struct p2_overlay_sim *sim = overlay->sim;
    struct sim_overlay **link = &sim->overlays;
    while (*link != overlay) {
        link = &(*link)->next;
    }
    *link = overlay->next;
    for (size_t i = 0; i < sim->heap_count; i++) {
        if (sim->heap[i].overlay == overlay) {
            sim->heap[i].overlay = NULL;
        }
    }
    for (struct sim_op *op = sim->graves; op != NULL; op = op->next) {
        if (op->base.overlay == &overlay->base) {
            op->base.overlay = NULL;
        }
    }
    free(overlay);
}

static void handle_closed(struct sim_overlay *overlay)
{
    void (*on_closed)(void *ctx) = overlay->on_closed;
    void *ctx = overlay->closed_ctx;
    while (overlay->ops != NULL) {
        finish(overlay->ops, P2_E_CANCELLED);
    }
    if (on_closed != NULL) {
        on_closed(ctx);
    }
    forget_overlay(overlay);
}

static void handle_op(struct sim_op *op, const struct event *event)
{
    switch (event->kind) {
    case EVENT_START:
        handle_start(op);
        break;
    case EVENT_VALUE:
        handle_value(op);
        break;
    case EVENT_WATCHED:
        handle_watched(op, event->value);
        break;
    case EVENT_END:
        finish(op, event->result);
        break;
    case EVENT_STATE:
    case EVENT_CLOSED:
        break;
    }
}

static void handle(struct p2_overlay_sim *sim, const struct event *event)
{
    if (event->op != NULL) {
        struct sim_op *op = event->op;
        if (!op->is_over) {
            handle_op(op, event); /* the event still counts: nothing frees it meanwhile */
        }
        op->pending--;
        if (op->is_over && op->pending == 0) {
            unlink_op(&sim->graves, op);
            free(op->found);
            free(op);
        }
    } else if (event->overlay != NULL && event->kind == EVENT_CLOSED) {
        handle_closed(event->overlay);
    } else if (event->overlay != NULL) {
        handle_state(event->overlay);
    }
}

int p2_overlay_sim_run(struct p2_overlay_sim *sim, uint64_t until_us)
{
    while (sim->error == P2_OK && sim->heap_count > 0 && sim->heap[0].at_us <= until_us) {
        const struct event event = take_event(sim);
        sim->now_us = event.at_us;
        handle(sim, &event);
    }
    sim->now_us = until_us > sim->now_us ? until_us : sim->now_us;
    return sim->error;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static struct p2_overlay_status sim_status(const struct p2_overlay *base)
{
    return ((const struct sim_overlay *)(const void *)base)->status;
}

static struct p2_overlay_now sim_now(const struct p2_overlay *base)
{
    const struct p2_overlay_sim *sim = ((const struct sim_overlay *)(const void *)base)->sim;
    return (struct p2_overlay_now){sim->now_us, sim->cpu_us, sim->unix_s + sim->now_us / SECOND_US};
}

static void sim_close(struct p2_overlay *base, void (*on_closed)(void *ctx), void *ctx)
{
    struct sim_overlay *overlay = sim_of(base);
    overlay->on_closed = on_closed;
    overlay->closed_ctx = ctx;
    add_event(
        overlay->sim,
        (struct event){.at_us = overlay->sim->now_us, .kind = EVENT_CLOSED, .overlay = overlay});
}

static const struct p2_overlay_ops sim_ops = {sim_start, sim_cancel, sim_status, sim_now,
                                              sim_close};

/* ---- making and steering ------------------------------------------------------------------------ */

int p2_overlay_sim_new(struct p2_overlay_sim **ret_sim, uint64_t seed, uint64_t unix_s)
{
    struct p2_overlay_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return P2_E_NOMEM;
    }
    p2_rng_init_u64(&sim->rng, seed, "overlay sim");
    sim->unix_s = unix_s;
    *ret_sim = sim;
    return P2_OK;
}

static void free_ops(struct sim_op *op)
{
    while (op != NULL) {
        struct sim_op *next = op->next;
        free(op->found);
        free(op);
        op = next;
    }
}

void p2_overlay_sim_free(struct p2_overlay_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    for (struct sim_overlay *overlay = sim->overlays; overlay != NULL;) {
        struct sim_overlay *next = overlay->next;
        free_ops(overlay->ops);
        free(overlay);
        overlay = next;
    }
    free_ops(sim->graves);
    for (size_t i = 0; i < sim->value_count; i++) {
        free(sim->values[i]);
    }
    free(sim->values);
    free(sim->heap);
    free(sim);
}

int p2_overlay_sim_open(struct p2_overlay_sim *sim, const struct p2_overlay_sim_weather *weather,
                        struct p2_overlay **ret_overlay)
{
    struct sim_overlay *overlay = calloc(1, sizeof *overlay);
    if (overlay == NULL) {
        return P2_E_NOMEM;
    }
    overlay->base.ops = &sim_ops;
    overlay->sim = sim;
    overlay->weather = *weather;
    overlay->status.state = P2_OVERLAY_CONNECTING;
    p2_rng_split(&overlay->rng, &sim->rng, "node", sim->overlay_count++);
    overlay->next = sim->overlays;
    sim->overlays = overlay;
    add_event(sim, (struct event){.at_us = sim->now_us + draw_delay_us(overlay),
                                  .kind = EVENT_STATE,
                                  .overlay = overlay});
    *ret_overlay = &overlay->base;
    return P2_OK;
}

uint64_t p2_overlay_sim_next_us(const struct p2_overlay_sim *sim)
{
    return sim->heap_count > 0 ? sim->heap[0].at_us : UINT64_MAX;
}

uint64_t p2_overlay_sim_now_us(const struct p2_overlay_sim *sim)
{
    return sim->now_us;
}

void p2_overlay_sim_spend(struct p2_overlay_sim *sim, uint64_t cpu_us)
{
    sim->cpu_us += cpu_us;
}

int p2_overlay_sim_inject(struct p2_overlay_sim *sim, const struct p2_overlay_key *key,
                          struct p2_span value, bool in_front)
{
    return store(sim, key, value, EVERY_GROUP, in_front);
}

static bool lies_there(const struct p2_overlay_sim *sim, const struct value *value,
                       const struct p2_overlay_key *key)
{
    return p2_overlay_key_equal(&value->key, key) &&
           sim->now_us - value->at_us < P2_OVERLAY_SIM_LIFE_US;
}

size_t p2_overlay_sim_count(const struct p2_overlay_sim *sim, const struct p2_overlay_key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->value_count; i++) {
        count += lies_there(sim, sim->values[i], key);
    }
    return count;
}

size_t p2_overlay_sim_value(const struct p2_overlay_sim *sim, const struct p2_overlay_key *key,
                            size_t index, uint8_t *out)
{
    for (size_t i = 0; i < sim->value_count; i++) {
        const struct value *value = sim->values[i];
        if (!lies_there(sim, value, key) || value->size > P2_OVERLAY_VALUE_MAX) {
            continue;
        }
        if (index-- == 0) {
            memcpy(out, value->bytes, value->size);
            return value->size;
        }
    }
    return 0;
}

void p2_overlay_sim_set_weather(struct p2_overlay *overlay,
                                const struct p2_overlay_sim_weather *weather)
{
    sim_of(overlay)->weather = *weather;
}

void p2_overlay_sim_set_group(struct p2_overlay *overlay, uint32_t group)
{
    sim_of(overlay)->group = group;
}

int p2_overlay_sim_set_down(struct p2_overlay *base, uint64_t until_us)
{
    struct sim_overlay *overlay = sim_of(base);
    struct p2_overlay_sim *sim = overlay->sim;
    overlay->down_until_us = until_us;
    add_event(sim, (struct event){.at_us = sim->now_us, .kind = EVENT_STATE, .overlay = overlay});
    add_event(sim, (struct event){.at_us = until_us, .kind = EVENT_STATE, .overlay = overlay});
    return sim->error;
}

size_t p2_overlay_sim_operations(const struct p2_overlay_sim *sim)
{
    size_t count = 0;
    for (const struct sim_overlay *overlay = sim->overlays; overlay != NULL;
         overlay = overlay->next) {
        count += overlay->status.operations;
    }
    return count;
}
