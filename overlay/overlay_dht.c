/* Operations over the child process. Callbacks of users may do anything, so after each one the
 * operation is looked at again: its number tells whether it is still the same. */
#include "overlay/overlay_dht.h"

#include "overlay/dht_child.h"
#include "overlay/dht_port.h"
#include "overlay/dht_protocol.h"
#include "overlay/dht_resolver.h"
#include "overlay/dht_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

_Static_assert(P2_OVERLAY_DHT_NODES_BYTES == P2_DHT_MESSAGE_MAX, "a stored list is a message");

/* overlay.h: connected means that another node answered within the last minute. */
#define CONTACT_MS 60000

/* An order the process had no room for is tried again after this. Chosen: it reads every message
 * at once unless it hangs. */
#define AGAIN_MS 50

/* What has to be closed before the overlay is gone: timer, child, resolver. */
#define PARTS 3

/* Places for operations. */
#define OPS (P2_OVERLAY_OPS_MAX + P2_OVERLAY_ALARMS_MAX)

enum stage {
    FREE,
    WAITING, /* not at the node: its turn has not come, or the node is down */
    SENT,    /* at the node */
    LEAVING  /* over for the user, but the node has not been told */
};

struct op {
    struct p2_overlay_op base; /* first: users hold a pointer to it */
    enum stage stage;
    uint32_t id;          /* slot and number of the slot's users */
    uint64_t order;       /* of starting: the oldest waiting goes first */
    uint64_t deadline_ms; /* UINT64_MAX: none */
    uint32_t values_max;  /* LOOKUP */
    uint32_t values;      /* LOOKUP: reported; WATCH: in this second */
    uint64_t second_ms;   /* WATCH: when this second began */
    uint16_t value_size;
    uint8_t value[P2_OVERLAY_VALUE_MAX]; /* PUBLISH */
};

struct dht {
    struct p2_overlay base; /* first */
    uv_loop_t *loop;
    uv_timer_t timer;
    struct p2_dht_child *child;
    struct p2_dht_resolver *resolver;
    struct p2_overlay_dht_config config;
    struct p2_dht_nodes stored; /* of an earlier run */
    struct p2_dht_nodes peers;  /* bootstrap nodes and stored ones */
    struct p2_overlay_status status;
    uint64_t oversized_before; /* counted by processes that are gone */
    uint64_t resolve_at_ms;
    uint64_t nodes_after_ms; /* the next list of good nodes is taken from then on */
    uint64_t next_order;
    uint64_t starts_ms[P2_OVERLAY_STARTS_PER_S]; /* ring: when the last ones were */
    size_t next_start;
    bool is_ready;  /* the process takes orders */
    unsigned parts; /* open ones of PARTS */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    struct op ops[OPS]; /* the alarms' last: the node never hears of them */
};

static struct dht *to_dht(const struct p2_overlay *overlay)
{
    return (struct dht *)(uintptr_t)overlay;
}

static void on_timer(uv_timer_t *timer);

static void wake_at(struct dht *dht, uint64_t at_ms)
{
    uint64_t now = uv_now(dht->loop);
    uint64_t wait = at_ms > now ? at_ms - now : 0;
    if (uv_is_active((uv_handle_t *)&dht->timer) && uv_timer_get_due_in(&dht->timer) <= wait) {
        return;
    }
    (void)uv_timer_start(&dht->timer, on_timer, wait, 0); /* cannot fail: it has a callback */
}

/* ---- ends ---------------------------------------------------------------------------------------- */

/* The user is done with the operation; the node may have to be told. */
static void leave(struct dht *dht, struct op *op)
{
    const struct p2_dht_message order = {.kind = P2_DHT_CANCEL, .op = op->id};
    bool is_known = op->stage == SENT && dht->is_ready;
    dht->status.operations--;
    op->stage = is_known && p2_dht_child_send(dht->child, &order) != P2_OK ? LEAVING : FREE;
    if (!dht->base.is_closing) {
        wake_at(dht, uv_now(dht->loop) + (op->stage == LEAVING ? AGAIN_MS : 0));
    }
}

/* Ends an operation. `is_told`: the node knows already. */
static void end(struct dht *dht, struct op *op, int result, bool is_told)
{
    uint32_t id = op->id;
    dht->status.published += op->base.kind == P2_OVERLAY_PUBLISH && result == P2_OK;
    dht->status.looked_up += op->base.kind == P2_OVERLAY_LOOKUP;
    if (is_told) {
        op->stage = WAITING;
    }
    if (op->base.kind == P2_OVERLAY_ALARM) { /* its place is free for the next one at once */
        const struct p2_overlay_op base = op->base;
        leave(dht, op);
        base.events->on_end(&op->base, result, base.ctx);
        return;
    }
    op->base.events->on_end(&op->base, result, op->base.ctx);
    if (op->id == id && (op->stage == WAITING || op->stage == SENT)) {
        leave(dht, op);
    }
}

static void set_state(struct dht *dht, enum p2_overlay_state state)
{
    if (dht->status.state == state || dht->base.is_closing) {
        return;
    }
    dht->status.state = state;
    if (dht->base.on_state != NULL) {
        dht->base.on_state(&dht->base, dht->base.on_state_ctx);
    }
}

/* ---- towards the node ------------------------------------------------------------------------------ */

static int send_op(struct dht *dht, struct op *op)
{
    struct p2_dht_message order = {.op = op->id, .key = op->base.key};
    switch (op->base.kind) {
    case P2_OVERLAY_PUBLISH:
        order.kind = P2_DHT_PUT;
        order.value = p2_span(op->value, op->value_size);
        break;
    case P2_OVERLAY_LOOKUP:
        order.kind = P2_DHT_GET;
        order.values_max = op->values_max;
        break;
    case P2_OVERLAY_WATCH:
        order.kind = P2_DHT_LISTEN;
        break;
    case P2_OVERLAY_ALARM: /* never at the node */
        break;
    }
    return p2_dht_child_send(dht->child, &order);
}

/* The oldest operation whose turn may come, or NULL. */
static struct op *next_waiting(struct dht *dht)
{
    struct op *found = NULL;
    uint32_t lookups = 0;
    for (size_t i = 0; i < OPS; i++) {
        const struct op *op = &dht->ops[i];
        lookups += op->stage == SENT && op->base.kind == P2_OVERLAY_LOOKUP;
    }
    for (size_t i = 0; i < OPS; i++) {
        struct op *op = &dht->ops[i];
        bool is_held = op->base.kind == P2_OVERLAY_LOOKUP && lookups >= P2_OVERLAY_LOOKUPS;
        is_held |= op->base.kind == P2_OVERLAY_ALARM;
        if (op->stage == WAITING && !is_held && (found == NULL || op->order < found->order)) {
            found = op;
        }
    }
    return found;
}

/* Tells the node what is over, then starts what waits. Returns when to come again. */
static uint64_t start_waiting(struct dht *dht, uint64_t now)
{
    struct op *op = NULL;
    if (!dht->is_ready) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i < OPS; i++) {
        const struct p2_dht_message order = {.kind = P2_DHT_CANCEL, .op = dht->ops[i].id};
        if (dht->ops[i].stage == LEAVING) {
            if (p2_dht_child_send(dht->child, &order) != P2_OK) {
                return now + AGAIN_MS;
            }
            dht->ops[i].stage = FREE;
        }
    }
    while ((op = next_waiting(dht)) != NULL) {
        uint64_t *oldest = &dht->starts_ms[dht->next_start];
        if (*oldest != 0 && now < *oldest + 1000) {
            return *oldest + 1000;
        }
        if (send_op(dht, op) != P2_OK) {
            return now + AGAIN_MS;
        }
        op->stage = SENT;
        *oldest = now;
        dht->next_start = (dht->next_start + 1) % P2_OVERLAY_STARTS_PER_S;
    }
    return UINT64_MAX;
}

static void send_peers(struct dht *dht)
{
    const struct p2_dht_message order = {.kind = P2_DHT_PEERS, .nodes = dht->peers};
    if (dht->is_ready && dht->peers.count > 0) {
        (void)p2_dht_child_send(dht->child, &order); /* comes again with the next round of names */
    }
}

/* ---- from the node --------------------------------------------------------------------------------- */

static void on_nodes_found(const struct p2_dht_nodes *nodes, void *ctx)
{
    struct dht *dht = ctx;
    dht->peers = *nodes;
    for (uint8_t i = 0; i < dht->stored.count; i++) {
        p2_dht_nodes_add(&dht->peers, &dht->stored.list[i]);
    }
    send_peers(dht);
}

static void on_ready(const struct p2_dht_message *ready, void *ctx)
{
    struct dht *dht = ctx;
    dht->is_ready = true;
    dht->status.port_v4 = ready->port;
    dht->status.port_v6 = ready->port_v6;
    send_peers(dht);
    wake_at(dht, uv_now(dht->loop));
    set_state(dht, P2_OVERLAY_CONNECTING);
}

static void on_down(int error, const char *text, void *ctx)
{
    struct dht *dht = ctx;
    dht->is_ready = false;
    dht->status.last_error = error;
    dht->status.port_v4 = 0;
    dht->status.port_v6 = 0;
    dht->oversized_before = dht->status.oversized;
    for (size_t i = 0; i < OPS; i++) {
        struct op *op = &dht->ops[i];
        op->stage = op->stage == SENT ? WAITING : op->stage == LEAVING ? FREE : op->stage;
    }
    if (dht->config.on_down != NULL && !dht->base.is_closing) {
        dht->config.on_down(error, text, dht->config.ctx);
    }
    set_state(dht, P2_OVERLAY_DOWN);
}

/* True when a watch may report another value in this second. */
static bool may_report(struct dht *dht, struct op *op)
{
    uint64_t now = uv_now(dht->loop);
    if (op->base.kind != P2_OVERLAY_WATCH) {
        return true;
    }
    if (now - op->second_ms >= 1000) {
        op->second_ms = now;
        op->values = 0;
    }
    return op->values < P2_OVERLAY_WATCH_VALUES_PER_S;
}

static void on_value(struct dht *dht, struct op *op, struct p2_span value)
{
    uint32_t id = op->id;
    if (op->base.kind == P2_OVERLAY_PUBLISH) {
        p2_dht_child_fail(dht->child, P2_E_UNSOLICITED,
                          "the DHT process sent a value nobody asked for");
        return;
    }
    if (!may_report(dht, op)) {
        return;
    }
    op->values++;
    dht->status.values++;
    dht->status.value_bytes += value.size;
    enum p2_overlay_verdict verdict = op->base.events->on_value(&op->base, value, op->base.ctx);
    if (op->id != id || op->stage != SENT) {
        return; /* cancelled, or the overlay closes */
    }
    if (verdict == P2_OVERLAY_STOP) {
        end(dht, op, P2_OK, false);
    } else if (op->base.kind == P2_OVERLAY_LOOKUP && op->values >= op->values_max) {
        end(dht, op, P2_E_LIMIT, false);
    }
}

static void on_end(struct dht *dht, struct op *op, enum p2_dht_result result)
{
    if (op->base.kind == P2_OVERLAY_WATCH || result == P2_DHT_NO_ROOM) {
        p2_dht_child_fail(dht->child, P2_E_MALFORMED,
                          "the DHT process ended what does not end that way");
        return;
    }
    end(dht, op,
        result == P2_DHT_DONE    ? P2_OK
        : result == P2_DHT_ALONE ? P2_E_UNREACHABLE
                                 : P2_E_LIMIT,
        true);
}

static void on_good_nodes(struct dht *dht, const struct p2_dht_nodes *nodes)
{
    uint8_t bytes[P2_DHT_MESSAGE_MAX];
    const struct p2_dht_message list = {.kind = P2_DHT_PEERS, .nodes = *nodes};
    uint64_t now = uv_now(dht->loop);
    if (!dht->base.is_closing && now < dht->nodes_after_ms) {
        return;
    }
    dht->nodes_after_ms = now + P2_OVERLAY_DHT_NODES_MS;
    if (dht->config.on_nodes != NULL && nodes->count > 0) {
        size_t size = p2_dht_encode(bytes, &list);
        dht->config.on_nodes(p2_span(bytes, size), dht->config.ctx);
    }
}

static void on_message(const struct p2_dht_message *message, void *ctx)
{
    struct dht *dht = ctx;
    struct op *op = &dht->ops[message->op % P2_OVERLAY_OPS_MAX];
    bool is_known = op->stage == SENT && op->id == message->op && !dht->base.is_closing;
    if (message->kind == P2_DHT_GOOD_NODES) {
        on_good_nodes(dht, &message->nodes);
    } else if (message->kind == P2_DHT_ALIVE) {
        dht->status.oversized = dht->oversized_before + message->oversized;
        set_state(dht,
                  message->heard_ms < CONTACT_MS ? P2_OVERLAY_CONNECTED : P2_OVERLAY_CONNECTING);
    } else if (is_known && message->kind == P2_DHT_VALUE) {
        on_value(dht, op, message->value);
    } else if (is_known && message->kind == P2_DHT_END) {
        on_end(dht, op, message->result);
    } /* else it is late */
}

/* ---- time ------------------------------------------------------------------------------------------ */

/* Ends what is over its time; returns the next deadline. */
static uint64_t end_late(struct dht *dht, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < OPS; i++) {
        struct op *op = &dht->ops[i];
        if ((op->stage == WAITING || op->stage == SENT) && op->deadline_ms <= now) {
            end(dht, op, op->base.kind == P2_OVERLAY_ALARM ? P2_OK : P2_E_TIMEOUT, false);
        }
        if ((op->stage == WAITING || op->stage == SENT) && op->deadline_ms < next) {
            next = op->deadline_ms;
        }
    }
    return next;
}

static void part_closed(struct dht *dht)
{
    void (*on_closed)(void *ctx) = dht->on_closed;
    void *ctx = dht->closed_ctx;
    dht->parts--;
    if (dht->parts == 0) {
        on_closed(ctx);
        free(dht);
    }
}

static void on_part_closed(void *ctx)
{
    part_closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

/* First turn of the loop after p2_overlay_close. */
static void cancel_all(struct dht *dht)
{
    for (size_t i = 0; i < OPS; i++) {
        if (dht->ops[i].stage == WAITING || dht->ops[i].stage == SENT) {
            end(dht, &dht->ops[i], P2_E_CANCELLED, false);
        }
    }
    p2_dht_child_close(dht->child);
    p2_dht_resolver_close(dht->resolver);
    uv_close((uv_handle_t *)&dht->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct dht *dht = timer->data;
    uint64_t now = uv_now(dht->loop);
    if (dht->base.is_closing) {
        cancel_all(dht);
        return;
    }
    if (dht->status.state != P2_OVERLAY_CONNECTED && now >= dht->resolve_at_ms) {
        dht->resolve_at_ms = now + P2_OVERLAY_DHT_RESOLVE_MS;
        p2_dht_resolver_run(dht->resolver);
    }
    uint64_t deadline = end_late(dht, now);
    uint64_t again = dht->base.is_closing ? now : start_waiting(dht, now);
    uint64_t resolve =
        dht->resolve_at_ms > now ? dht->resolve_at_ms : now + P2_OVERLAY_DHT_RESOLVE_MS;
    again = again < deadline ? again : deadline;
    wake_at(dht, again < resolve ? again : resolve);
}

/* ---- the table of overlay.h -------------------------------------------------------------------------- */

static uint64_t clock_us(clockid_t which)
{
    struct timespec time;
    (void)clock_gettime(which, &time); /* cannot fail: the clocks exist */
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t deadline_of(const struct p2_overlay_request *request, uint64_t now)
{
    switch (request->kind) {
    case P2_OVERLAY_PUBLISH:
        return now + P2_OVERLAY_PUBLISH_TIMEOUT_MS;
    case P2_OVERLAY_LOOKUP:
        return now + request->limits.time_ms;
    case P2_OVERLAY_ALARM: { /* the loop's milliseconds are those of the steady clock */
        uint64_t at = request->at_us / 1000 + 1;
        return at > now ? at : now + 1; /* not in this turn: others have a turn too */
    }
    case P2_OVERLAY_WATCH:
        break;
    }
    return UINT64_MAX;
}

static int start(struct p2_overlay *overlay, const struct p2_overlay_request *request,
                 struct p2_overlay_op **ret_op)
{
    struct dht *dht = to_dht(overlay);
    uint64_t now = uv_now(dht->loop);
    struct op *op = NULL;
    bool is_alarm = request->kind == P2_OVERLAY_ALARM;
    size_t end_of_kind = is_alarm ? OPS : P2_OVERLAY_OPS_MAX;
    for (size_t i = is_alarm ? P2_OVERLAY_OPS_MAX : 0; i < end_of_kind && op == NULL; i++) {
        op = dht->ops[i].stage == FREE ? &dht->ops[i] : NULL;
    }
    if (op == NULL) {
        return P2_E_AGAIN;
    }
    op->base = (struct p2_overlay_op){.overlay = overlay,
                                      .kind = request->kind,
                                      .key = request->key,
                                      .events = request->events,
                                      .ctx = request->ctx};
    op->stage = WAITING;
    op->id = op->id + P2_DHT_SLOTS; /* wraps after 16 million users of the slot */
    op->order = dht->next_order++;
    op->values = 0;
    op->values_max = request->limits.values_max;
    op->deadline_ms = deadline_of(request, now);
    op->value_size = (uint16_t)request->value.size;
    if (request->value.size > 0) {
        memcpy(op->value, request->value.data, request->value.size);
    }
    dht->status.operations++;
    wake_at(dht, now);
    *ret_op = &op->base;
    return P2_OK;
}

static void cancel(struct p2_overlay *overlay, struct p2_overlay_op *base)
{
    struct op *op = (struct op *)(void *)base; /* its first member */
    if (op->stage == WAITING || op->stage == SENT) {
        leave(to_dht(overlay), op);
    }
}

static struct p2_overlay_status get_status(const struct p2_overlay *overlay)
{
    struct p2_overlay_status status = to_dht(overlay)->status;
    status.restarts = p2_dht_child_restarts(to_dht(overlay)->child);
    return status;
}

static struct p2_overlay_now get_now(const struct p2_overlay *overlay)
{
    (void)overlay;
    return (struct p2_overlay_now){.mono_us = clock_us(CLOCK_MONOTONIC),
                                   .cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID),
                                   .unix_s = clock_us(CLOCK_REALTIME) / 1000000};
}

static void close_overlay(struct p2_overlay *overlay, void (*on_closed)(void *ctx), void *ctx)
{
    struct dht *dht = to_dht(overlay);
    dht->on_closed = on_closed;
    dht->closed_ctx = ctx;
    (void)uv_timer_start(&dht->timer, on_timer, 0, 0); /* cannot fail: it has a callback */
}

static const struct p2_overlay_ops table = {
    .start = start, .cancel = cancel, .status = get_status, .now = get_now, .close = close_overlay};

/* ---- open ---------------------------------------------------------------------------------------------- */

static const struct p2_dht_child_events child_events = {.on_ready = on_ready,
                                                        .on_message = on_message,
                                                        .on_down = on_down,
                                                        .on_closed = on_part_closed};

static const struct p2_dht_resolver_events resolver_events = {.on_nodes = on_nodes_found,
                                                              .on_closed = on_part_closed};

static int check_port(uint16_t port, struct p2_failure *failure)
{
    struct p2_dht_port found = p2_dht_port_find(port);
    if (port == 0 || found.taken == 0) {
        return P2_OK;
    }
    return p2_fail(failure, P2_E_ADDRESS,
                   "UDP port %u is in use on %s; choose another or stop the program that has it",
                   port, found.taken == AF_INET ? "IPv4" : "IPv6");
}

static void take_stored(struct dht *dht, struct p2_span nodes)
{
    struct p2_dht_message message;
    if (nodes.size > 0 && p2_dht_decode(&message, nodes, P2_DHT_FROM_PARENT) == P2_OK &&
        message.kind == P2_DHT_PEERS) {
        for (uint8_t i = 0; i < message.nodes.count; i++) {
            p2_dht_nodes_add(&dht->stored, &message.nodes.list[i]);
        }
    }
}

int p2_overlay_dht_open(struct p2_overlay **ret_overlay, uv_loop_t *loop,
                        const struct p2_overlay_dht_config *config, struct p2_failure *failure)
{
    const char *program = config->program != NULL ? config->program : P2_DHT_PROGRAM;
    const struct p2_dht_child_config child = {.program = program,
                                              .network = config->network,
                                              .port = config->port,
                                              .finds_lan = config->finds_lan,
                                              .restart_min_ms = config->restart_min_ms,
                                              .start_ms = config->start_ms,
                                              .beat_ms = config->beat_ms,
                                              .hang_ms = config->hang_ms};
    int error = check_port(config->port, failure);
    if (error != P2_OK) {
        return error;
    }
    struct dht *dht = calloc(1, sizeof *dht);
    if (dht == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "no memory for the overlay");
    }
    error = p2_dht_resolver_open(&dht->resolver, loop, config->bootstrap, config->bootstrap_count,
                                 &resolver_events, dht, failure);
    if (error == P2_OK) {
        error = p2_dht_child_open(&dht->child, loop, &child, &child_events, dht, failure);
    }
    if (error != P2_OK) {
        p2_dht_resolver_free(dht->resolver);
        free(dht);
        return error;
    }
    dht->base.ops = &table;
    dht->loop = loop;
    dht->config = *config;
    dht->parts = PARTS;
    dht->status.state = P2_OVERLAY_CONNECTING;
    take_stored(dht, config->nodes);
    for (uint32_t i = 0; i < OPS; i++) {
        dht->ops[i].id = i;
    }
    (void)uv_timer_init(loop, &dht->timer); /* cannot fail */
    dht->timer.data = dht;
    wake_at(dht, uv_now(loop));
    *ret_overlay = &dht->base;
    return P2_OK;
}

int p2_overlay_dht_pid(const struct p2_overlay *overlay)
{
    return p2_dht_child_pid(to_dht(overlay)->child);
}
