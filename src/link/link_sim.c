/* Links over simulated connections: opening, messages, deadlines, closing. Callbacks of users come
 * from events only, never from inside a call, so nothing here is entered twice. */
#include "link/link_sim_internal.h"

#include "link/pulse.h"

#include <stdlib.h>
#include <string.h>

static const struct p2_link_ops link_ops;

static uint64_t now_ms(const struct p2_link_sim *sim)
{
    return sim->now_us / 1000;
}

static bool is_live(const struct p2_sim_link *side)
{
    return side->state == P2_SIM_OPEN && !side->base.is_closing;
}

static void schedule_flush(struct p2_sim_link *side)
{
    if (!side->is_flush_due) {
        side->is_flush_due = true;
        p2_sim_push_side(side, P2_SIM_FLUSH, side->conn->sim->now_us, 0);
    }
}

/* ---- connections ------------------------------------------------------------------------------- */

/* The side exists no more; the user, if there is one, was told or is dead. */
static void side_end(struct p2_sim_link *side)
{
    if (side->state == P2_SIM_OPENING || side->state == P2_SIM_OPEN) {
        p2_mux_writer_free(&side->writer);
        p2_mux_reader_free(&side->reader);
    }
    if (side->is_reported) {
        side->is_reported = false;
        side->node->link_count--;
    }
    side->state = P2_SIM_GONE;
}

static void side_start(struct p2_sim_link *side, const struct p2_link_events *events, void *ctx)
{
    struct p2_link_sim *sim = side->conn->sim;
    side->base.ops = &link_ops;
    side->base.rules = sim->options.rules;
    side->base.events = events;
    side->base.ctx = ctx;
    side->state = P2_SIM_OPENING;
    side->started_us = sim->now_us;
    side->heard_us = sim->now_us;
    p2_mux_writer_init(&side->writer, &sim->pool);
    p2_mux_reader_init(&side->reader, &sim->pool);
    p2_sim_push_side(side, P2_SIM_TICK, sim->now_us + sim->options.handshake_us, 0);
}

static struct p2_sim_conn *conn_new(struct p2_link_sim_node *from, struct p2_link_sim_node *to)
{
    struct p2_link_sim *sim = from->sim;
    struct p2_sim_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->sim = sim;
    conn->number = sim->next_conn++;
    for (uint8_t i = 0; i < 2; i++) {
        conn->sides[i].conn = conn;
        conn->sides[i].side = i;
        conn->sides[i].node = i == 0 ? from : to;
        p2_rng_split(&conn->sides[i].out.rng, &sim->rng, "direction", conn->number * 2 + i);
    }
    conn->next = sim->conns;
    if (conn->next != NULL) {
        conn->next->previous = conn;
    }
    sim->conns = conn;
    sim->conn_count++;
    return conn;
}

void p2_sim_conn_free(struct p2_sim_conn *conn)
{
    struct p2_link_sim *sim = conn->sim;
    for (size_t i = 0; i < 2; i++) {
        side_end(&conn->sides[i]);
        p2_sim_drop_segments(&conn->sides[i].out);
    }
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        sim->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    sim->conn_count--;
    free(conn);
}

static bool is_over(const struct p2_sim_link *side)
{
    return side->state == P2_SIM_NONE || side->state == P2_SIM_GONE;
}

void p2_sim_conn_release(struct p2_sim_conn *conn)
{
    if (conn->events == 0 && is_over(&conn->sides[0]) && is_over(&conn->sides[1])) {
        p2_sim_conn_free(conn);
    }
}

/* ---- closing ----------------------------------------------------------------------------------- */

/* Drops what is queued and lets on_close follow. Without a user the side just ends. */
static void begin_close(struct p2_sim_link *side, int reason, bool tell_peer)
{
    side->base.is_closing = true;
    side->reason = reason;
    p2_mux_writer_free(&side->writer);
    if (tell_peer && !side->is_fin_sent) {
        side->is_fin_sent = true;
        p2_sim_send(side, P2_SIM_FIN, 0, p2_span(NULL, 0));
    }
    if (side->is_reported) {
        p2_sim_push_side(side, P2_SIM_CLOSE, side->conn->sim->now_us, 0);
    } else {
        side_end(side);
    }
}

/* An error ends the link, unless it ends already. */
void p2_sim_abort(struct p2_sim_link *side, int reason)
{
    if (!is_over(side) && !side->base.is_closing) {
        begin_close(side, reason, true);
    }
}

/* As p2_sim_abort when the network broke the connection: nothing can be sent any more. */
static void side_break(struct p2_sim_link *side, int reason)
{
    if (!is_over(side) && !side->base.is_closing) {
        begin_close(side, reason, false);
    }
}

static void check_stopped(struct p2_link_sim_node *node)
{
    if (node->is_stopping && node->link_count == 0) {
        (void)p2_sim_push(node->sim, (struct p2_sim_event){.kind = P2_SIM_STOPPED, .node = node});
    }
}

static void on_close(struct p2_sim_link *side)
{
    if (!side->is_reported) {
        return; /* its node crashed in between */
    }
    struct p2_link_sim_node *node = side->node;
    side->base.events->on_close(&side->base, side->reason, side->base.ctx);
    if (side->is_reported) { /* the callback did not crash the node */
        side_end(side);
        check_stopped(node);
    }
}

/* ---- opening ----------------------------------------------------------------------------------- */

static struct p2_sim_listener *find_listener(struct p2_link_sim_node *node, uint16_t port)
{
    struct p2_sim_listener *listener = node->listeners;
    while (listener != NULL && listener->base.address.port != port) {
        listener = listener->next;
    }
    return listener;
}

/* Fills what both sides know from now on. */
static void open_side(struct p2_sim_link *side)
{
    struct p2_sim_link *peer = p2_sim_other(side);
    struct p2_rng rng;
    p2_rng_split(&rng, &side->conn->sim->rng, "binding", side->conn->number);
    p2_rng_bytes(&rng, side->base.binding, sizeof side->base.binding);
    memcpy(side->base.peer_static, peer->node->exchange_key, P2_KEY_BYTES);
    side->state = P2_SIM_OPEN;
    side->base.is_open = true;
    struct p2_link_sim *sim = side->conn->sim;
    p2_sim_push_side(side, P2_SIM_TICK, sim->now_us + sim->options.ping_interval_us, 1);
    if (side->base.is_draining) {
        schedule_flush(side);
    }
    if (side->base.events->on_open != NULL) {
        side->base.events->on_open(&side->base, side->base.ctx);
    }
}

/* The last message of the handshake reached the listener. */
static void open_accepted(struct p2_sim_link *side)
{
    struct p2_listener *listener = side->conn->listener;
    void *ctx = NULL;
    memcpy(side->base.peer_static, p2_sim_other(side)->node->exchange_key, P2_KEY_BYTES);
    int error = listener->options.on_peer(&side->base, listener->options.ctx, &ctx);
    if (is_over(side)) {
        return; /* the callback crashed the node */
    }
    if (error != P2_OK) {
        p2_sim_abort(side, error);
        return;
    }
    side->base.ctx = ctx;
    side->is_reported = true;
    side->node->link_count++;
    open_side(side);
}

/* SYN: there must be a process that listens. */
static void on_syn(struct p2_sim_link *side)
{
    struct p2_link_sim_node *node = side->node;
    uint16_t port = p2_sim_other(side)->base.peer_address.port;
    struct p2_sim_listener *listener = find_listener(node, port);
    if (node->is_crashed && node->is_silent) {
        return;
    }
    if (listener == NULL) {
        p2_sim_send(side, P2_SIM_RST, 0, p2_span(NULL, 0));
        return;
    }
    side->conn->listener = &listener->base;
    side->base.own_role = listener->base.options.own_role;
    side->base.peer_address =
        (struct p2_link_address){p2_sim_other(side)->node->ip, side->conn->port};
    side_start(side, listener->base.options.events, NULL);
    p2_sim_send(side, P2_SIM_HANDSHAKE, 1, p2_span(NULL, 0));
}

/* Steps as in struct p2_sim_segment; each is answered by the next. */
static void on_handshake(struct p2_sim_link *side, uint8_t step)
{
    if (step == 0 && side->state == P2_SIM_NONE) {
        on_syn(side);
        return;
    }
    if (side->state != P2_SIM_OPENING || side->base.is_closing) {
        return;
    }
    if (step == 2 && !p2_id_equal(&side->conn->wanted, &side->node->id)) {
        p2_sim_abort(side, P2_E_BAD_TAG); /* message 1 was for another key */
        return;
    }
    if (step < 4) {
        p2_sim_send(side, P2_SIM_HANDSHAKE, (uint8_t)(step + 1), p2_span(NULL, 0));
    }
    if (step == 3) {
        open_side(side);
    } else if (step == 4) {
        open_accepted(side);
    }
}

/* ---- messages ---------------------------------------------------------------------------------- */

/* A PING or PONG of the link itself. */
static int send_own(struct p2_sim_link *side, uint8_t type, struct p2_span body)
{
    int error = p2_mux_write(&side->writer, P2_LINK_CONTROL, type, body);
    schedule_flush(side);
    return error;
}

static void on_pong(struct p2_sim_link *side, struct p2_span body)
{
    if (!side->has_ping || !p2_span_equal(body, p2_span(side->ping, sizeof side->ping))) {
        p2_sim_abort(side, P2_E_UNSOLICITED);
        return;
    }
    uint64_t sample = side->conn->sim->now_us - side->ping_us;
    side->has_ping = false;
    p2_link_rtt_add(&side->base.rtt, sample < UINT32_MAX ? (uint32_t)sample : UINT32_MAX);
}

static void on_message(struct p2_sim_link *side, const struct p2_mux_message *message)
{
    const struct p2_link_rules *rules = side->base.rules;
    side->was_heard = true;
    if (message->type == rules->ping_type) {
        if (send_own(side, rules->pong_type, message->body) == P2_E_AGAIN) {
            p2_sim_abort(side, P2_E_FLOOD); /* it asks and does not read our answers */
        }
        return;
    }
    if (message->type == rules->pong_type) {
        on_pong(side, message->body);
        return;
    }
    if (side->base.peer_role == 0 && side->stranger_messages++ > 0) {
        p2_sim_abort(side, P2_E_FLOOD);
        return;
    }
    side->stats.received_messages++;
    side->stats.received_bytes += message->body.size;
    if (side->base.events->on_message != NULL) {
        side->base.events->on_message(&side->base, message->type, message->body, side->base.ctx);
    }
}

static void on_record(struct p2_sim_link *side, const struct p2_sim_segment *segment)
{
    struct p2_link_sim *sim = side->conn->sim;
    struct p2_reader cursor;
    p2_reader_init(&cursor, p2_span(segment->data, segment->size));
    side->stats.received_records++;
    while (is_live(side)) {
        struct p2_mux_message message;
        int result = p2_mux_read(&side->reader, side->base.rules, side->base.peer_role, now_ms(sim),
                                 &cursor, &message);
        if (result < 0) {
            p2_sim_abort(side, result);
        }
        if (result <= 0) {
            return;
        }
        on_message(side, &message);
    }
}

static void on_fin(struct p2_sim_link *side)
{
    bool clean = side->base.is_draining && !p2_mux_pending(&side->writer);
    p2_sim_abort(side, clean ? P2_OK : P2_E_CLOSED);
}

static void on_segment(struct p2_sim_link *side, const struct p2_sim_segment *segment)
{
    struct p2_link_sim *sim = side->conn->sim;
    bool is_refusal = side->state == P2_SIM_OPENING && side->side == 0 && !side->was_answered;
    switch ((enum p2_sim_segment_kind)segment->kind) {
    case P2_SIM_HANDSHAKE:
        side->was_answered = true;
        on_handshake(side, segment->step);
        break;
    case P2_SIM_RECORD:
        on_record(side, segment);
        break;
    case P2_SIM_FIN:
        on_fin(side);
        break;
    case P2_SIM_RST:
        side_break(side, is_refusal ? P2_E_REFUSED : P2_E_RESET);
        break;
    }
    side->heard_us = sim->now_us;
}

/* Tells the sender that its bytes arrived, or keeps that for the end of a block. */
static void acknowledge(struct p2_sim_link *sender, uint32_t size)
{
    struct p2_link_sim *sim = sender->conn->sim;
    struct p2_sim_link *receiver = p2_sim_other(sender);
    if (p2_sim_blocked_until(receiver->node, sender->node) > sim->now_us) {
        sender->out.held_acks += size;
        return;
    }
    uint64_t delay = p2_sim_path(receiver->node, sender->node)->delay_min_us;
    p2_sim_push_side(sender, P2_SIM_ACK, sim->now_us + delay, size);
}

static void on_arrive(struct p2_sim_link *sender)
{
    struct p2_link_sim *sim = sender->conn->sim;
    struct p2_sim_link *receiver = p2_sim_other(sender);
    struct p2_sim_direction *out = &sender->out;
    while (out->head != NULL && out->head->arrival_us <= sim->now_us &&
           p2_sim_blocked_until(sender->node, receiver->node) <= sim->now_us) {
        struct p2_sim_segment *segment = out->head;
        out->head = segment->next;
        out->tail = out->head != NULL ? out->tail : NULL;
        on_segment(receiver, segment);
        if (segment->size > 0) {
            acknowledge(sender, segment->size);
        }
        free(segment);
    }
}

/* Hands to the network what it takes, then looks whether the user may send again or is done. */
static void flush(struct p2_sim_link *side)
{
    struct p2_link_sim *sim = side->conn->sim;
    if (!is_live(side)) {
        return;
    }
    uint32_t window = p2_sim_window(p2_sim_path(side->node, p2_sim_other(side)->node));
    while (side->out.in_flight < window) {
        size_t size = p2_mux_fill(&side->writer, sim->record, sizeof sim->record);
        if (size == 0) {
            break;
        }
        side->stats.sent_records++;
        p2_sim_send(side, P2_SIM_RECORD, 0, p2_span(sim->record, size));
    }
    if (side->base.is_draining && !p2_mux_pending(&side->writer)) {
        if (!side->is_fin_sent) {
            side->is_fin_sent = true;
            p2_sim_send(side, P2_SIM_FIN, 0, p2_span(NULL, 0));
        }
        if (side->out.in_flight == 0) {
            begin_close(side, P2_OK, false);
        }
    } else if (p2_mux_take_drained(&side->writer) && side->base.events->on_drained != NULL) {
        side->base.events->on_drained(&side->base, side->base.ctx);
    }
}

/* ---- deadlines --------------------------------------------------------------------------------- */

static void ping(struct p2_sim_link *side)
{
    const struct p2_link_rules *rules = side->base.rules;
    bool is_known = side->side == 1 ? side->base.peer_role != 0 : side->was_heard;
    if (side->has_ping || !is_known ||
        rules->max_size(side->base.own_role, rules->ping_type) < P2_PING_BYTES) {
        return;
    }
    p2_ping_format(side->ping, p2_rng_u64(&side->out.rng) | UINT64_C(1) << 63);
    side->ping_us = side->conn->sim->now_us;
    side->has_ping =
        send_own(side, rules->ping_type, p2_span(side->ping, sizeof side->ping)) == P2_OK;
}

/* The deadline that has passed, or 0. */
static int passed_deadline(const struct p2_sim_link *side)
{
    const struct p2_link_sim *sim = side->conn->sim;
    const struct p2_link_sim_options *options = &sim->options;
    uint64_t oldest_ms = p2_mux_oldest_ms(&side->reader);
    if (side->state == P2_SIM_OPENING) {
        return sim->now_us - side->started_us >= options->handshake_us ? P2_E_TIMEOUT : P2_OK;
    }
    if (side->base.is_draining && sim->now_us - side->drain_us >= options->drain_us) {
        return P2_E_STALLED;
    }
    if (oldest_ms != UINT64_MAX && now_ms(sim) - oldest_ms >= options->partial_us / 1000) {
        return P2_E_TIMEOUT;
    }
    struct p2_pulse pulse = {.heard = side->heard_us,
                             .progress = side->acked_us,
                             .ping = side->ping_us,
                             .is_ping_out = side->has_ping};
    return p2_pulse_check(&pulse, sim->now_us, options->idle_us);
}

static void on_tick(struct p2_sim_link *side, bool is_periodic)
{
    if (is_over(side) || side->base.is_closing) {
        return;
    }
    int error = passed_deadline(side);
    if (error != P2_OK) {
        p2_sim_abort(side, error);
        return;
    }
    if (is_periodic) {
        ping(side);
        const struct p2_link_sim *sim = side->conn->sim;
        p2_sim_push_side(side, P2_SIM_TICK, sim->now_us + sim->options.ping_interval_us, 1);
    }
}

static void on_ack(struct p2_sim_link *side, uint32_t size)
{
    side->out.in_flight -= size < side->out.in_flight ? size : side->out.in_flight;
    side->acked_us = side->conn->sim->now_us;
    flush(side);
}

void p2_sim_handle(struct p2_link_sim *sim, const struct p2_sim_event *event)
{
    (void)sim;
    if (event->kind == P2_SIM_STOPPED) {
        struct p2_link_sim_node *node = event->node;
        void (*on_stopped)(void *ctx) = node->on_stopped;
        node->on_stopped = NULL; /* once */
        if (on_stopped != NULL) {
            on_stopped(node->stopped_ctx);
        }
        return;
    }
    struct p2_sim_link *side = &event->conn->sides[event->side];
    switch ((enum p2_sim_event_kind)event->kind) {
    case P2_SIM_ARRIVE:
        on_arrive(side);
        break;
    case P2_SIM_ACK:
        on_ack(side, event->size);
        break;
    case P2_SIM_FLUSH:
        side->is_flush_due = false;
        flush(side);
        break;
    case P2_SIM_TICK:
        on_tick(side, event->size == 1);
        break;
    case P2_SIM_CLOSE:
        on_close(side);
        break;
    case P2_SIM_CALL:
    case P2_SIM_STOPPED:
    case P2_SIM_UNBLOCK:
        break; /* handled before */
    }
}

/* ---- the tables of link.h ---------------------------------------------------------------------- */

static int op_send(struct p2_link *link, uint8_t type, struct p2_span body)
{
    struct p2_sim_link *side = (struct p2_sim_link *)(void *)link;
    int error = p2_mux_write(&side->writer, link->rules->class(type), type, body);
    if (error == P2_OK) {
        side->stats.sent_messages++;
        side->stats.sent_bytes += body.size;
        schedule_flush(side);
    }
    return error;
}

static int op_accept(struct p2_link *link, uint8_t peer_role)
{
    (void)link;
    (void)peer_role;
    return P2_OK; /* nothing to allocate here */
}

static void op_drain(struct p2_link *link)
{
    struct p2_sim_link *side = (struct p2_sim_link *)(void *)link;
    struct p2_link_sim *sim = side->conn->sim;
    side->drain_us = sim->now_us;
    p2_sim_push_side(side, P2_SIM_TICK, sim->now_us + sim->options.drain_us, 0);
    schedule_flush(side);
}

static void op_close(struct p2_link *link, int reason)
{
    struct p2_sim_link *side = (struct p2_sim_link *)(void *)link;
    begin_close(side, reason, true);
}

static struct p2_link_stats op_stats(const struct p2_link *link)
{
    const struct p2_sim_link *side = (const struct p2_sim_link *)(const void *)link;
    struct p2_link_stats stats = side->stats;
    stats.replaced_frames = side->writer.replaced_frames;
    stats.queued_bytes = p2_mux_queued_bytes(&side->writer);
    return stats;
}

static const struct p2_link_ops link_ops = {op_send, op_accept, op_drain, op_close, op_stats};

static int op_dial(struct p2_transport *transport, const struct p2_link_target *target,
                   struct p2_link **ret_link)
{
    struct p2_link_sim_node *node = (struct p2_link_sim_node *)(void *)transport;
    struct p2_link_sim_node *to = node->sim->nodes;
    uint8_t exchange[P2_KEY_BYTES];
    if (node->is_stopping) {
        return P2_E_DRAINING;
    }
    int error = p2_id_to_exchange_key(exchange, target->id.bytes);
    if (error != P2_OK) {
        return error;
    }
    while (to != NULL && !p2_ip_equal(&to->ip, &target->address.ip)) {
        to = to->next;
    }
    struct p2_sim_conn *conn = conn_new(node, to != NULL ? to : node);
    if (conn == NULL) {
        return P2_E_NOMEM;
    }
    struct p2_sim_link *side = &conn->sides[0];
    conn->wanted = target->id;
    side->base.own_role = target->own_role;
    side->base.peer_role = target->peer_role;
    side->base.peer_address = target->address;
    side->base.peer_id = target->id;
    side->base.has_peer_id = true;
    conn->port = node->next_port;
    node->next_port = node->next_port < UINT16_MAX ? (uint16_t)(node->next_port + 1) : 49152;
    side_start(side, target->events, target->ctx);
    side->is_reported = true;
    node->link_count++;
    if (to != NULL) {
        p2_sim_send(side, P2_SIM_HANDSHAKE, 0, p2_span(NULL, 0));
    } else {
        side_break(side, P2_E_UNREACHABLE);
    }
    *ret_link = &side->base;
    return P2_OK;
}

static int op_listen(struct p2_transport *transport, const struct p2_listen_options *options,
                     struct p2_listener **ret_listener)
{
    struct p2_link_sim_node *node = (struct p2_link_sim_node *)(void *)transport;
    bool any = p2_ip_scope(&options->address.ip) == P2_IP_UNSPECIFIED;
    uint16_t port = options->address.port;
    if (node->is_stopping) {
        return P2_E_DRAINING;
    }
    if (!any && !p2_ip_equal(&options->address.ip, &node->ip)) {
        return P2_E_ADDRESS;
    }
    if (port == 0) {
        for (port = 1024; find_listener(node, port) != NULL; port++) {
            continue; /* listeners are few */
        }
    }
    if (find_listener(node, port) != NULL) {
        return P2_E_EXIST;
    }
    struct p2_sim_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return P2_E_NOMEM;
    }
    listener->base.transport = transport;
    listener->base.options = *options;
    listener->base.address = (struct p2_link_address){node->ip, port};
    listener->next = node->listeners;
    node->listeners = listener;
    *ret_listener = &listener->base;
    return P2_OK;
}

static void free_listeners(struct p2_link_sim_node *node)
{
    while (node->listeners != NULL) {
        struct p2_sim_listener *next = node->listeners->next;
        free(node->listeners);
        node->listeners = next;
    }
}

static void op_stop(struct p2_transport *transport, bool drain, void (*on_stopped)(void *ctx),
                    void *ctx)
{
    struct p2_link_sim_node *node = (struct p2_link_sim_node *)(void *)transport;
    node->is_stopping = true;
    node->on_stopped = on_stopped;
    node->stopped_ctx = ctx;
    free_listeners(node);
    for (struct p2_sim_conn *conn = node->sim->conns; conn != NULL; conn = conn->next) {
        for (size_t i = 0; i < 2; i++) {
            struct p2_sim_link *side = &conn->sides[i];
            if (side->node != node || is_over(side)) {
                continue;
            }
            if (!side->is_reported) {
                p2_sim_abort(side, P2_E_CANCELLED);
            } else if (drain) {
                p2_link_drain(&side->base);
            } else {
                p2_link_close(&side->base, P2_E_CANCELLED);
            }
        }
    }
    check_stopped(node);
}

const struct p2_transport_ops p2_sim_transport_ops = {op_dial, op_listen, op_stop};

/* ---- faults ------------------------------------------------------------------------------------ */

void p2_link_sim_reset(struct p2_link_sim_node *a, struct p2_link_sim_node *b)
{
    for (struct p2_sim_conn *conn = a->sim->conns; conn != NULL; conn = conn->next) {
        const struct p2_link_sim_node *from = conn->sides[0].node;
        const struct p2_link_sim_node *to = conn->sides[1].node;
        if ((from != a || to != b) && (from != b || to != a)) {
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            p2_sim_drop_segments(&conn->sides[i].out);
            side_break(&conn->sides[i], P2_E_RESET);
        }
    }
}

void p2_link_sim_crash(struct p2_link_sim_node *node, bool silent)
{
    node->is_crashed = true;
    node->is_silent = silent;
    node->is_stopping = false;
    node->on_stopped = NULL;
    free_listeners(node);
    struct p2_sim_conn *next = NULL;
    for (struct p2_sim_conn *conn = node->sim->conns; conn != NULL; conn = next) {
        next = conn->next;
        for (size_t i = 0; i < 2; i++) {
            struct p2_sim_link *side = &conn->sides[i];
            if (side->node != node || is_over(side)) {
                continue;
            }
            side_end(side);
            if (!silent) {
                p2_sim_send(side, P2_SIM_RST, 0, p2_span(NULL, 0));
            }
        }
    }
}

void p2_link_sim_restart(struct p2_link_sim_node *node)
{
    node->is_crashed = false;
    node->is_silent = false;
    node->is_stopping = false;
}
