/* The simulated network: nodes, paths, time and the queue of events. */
#include "link/link_sim_internal.h"

#include <stdlib.h>
#include <string.h>

/* Linux: TCP_RTO_MIN (include/net/tcp.h). */
#define RETRANSMIT_DEFAULT_US 200000u

/* Linux: net.ipv4.tcp_rmem, default of the receive buffer. */
#define WINDOW_DEFAULT_BYTES (128u << 10)

/* Retransmissions of one segment. Linux gives up after tcp_retries2 = 15. */
#define LOSSES_MAX 15

/* Longest exponential draw, in means: it is cut with probability e^-32. */
#define EXPONENTIAL_MAX 32

/* ---- the queue of events ----------------------------------------------------------------------- */

static bool is_before(const struct p2_sim_event *a, const struct p2_sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

int p2_sim_push(struct p2_link_sim *sim, struct p2_sim_event event)
{
    if (sim->event_count == sim->event_capacity) {
        size_t capacity = sim->event_capacity > 0 ? sim->event_capacity * 2 : 256;
        struct p2_sim_event *events = realloc(sim->events, capacity * sizeof *events);
        if (events == NULL) {
            sim->error = P2_E_NOMEM;
            return P2_E_NOMEM;
        }
        sim->events = events;
        sim->event_capacity = capacity;
    }
    event.order = sim->next_order++;
    event.at_us = event.at_us < sim->now_us ? sim->now_us : event.at_us;
    if (event.conn != NULL) {
        event.conn->events++;
    }
    size_t at = sim->event_count++;
    while (at > 0 && is_before(&event, &sim->events[(at - 1) / 2])) {
        sim->events[at] = sim->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->events[at] = event;
    return P2_OK;
}

static struct p2_sim_event pop(struct p2_link_sim *sim)
{
    struct p2_sim_event first = sim->events[0];
    struct p2_sim_event last = sim->events[--sim->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= sim->event_count) {
            break;
        }
        if (child + 1 < sim->event_count &&
            is_before(&sim->events[child + 1], &sim->events[child])) {
            child++;
        }
        if (!is_before(&sim->events[child], &last)) {
            break;
        }
        sim->events[at] = sim->events[child];
        at = child;
    }
    sim->events[at] = last;
    return first;
}

void p2_sim_push_side(struct p2_sim_link *side, uint8_t kind, uint64_t at_us, uint32_t size)
{
    (void)p2_sim_push(side->conn->sim, (struct p2_sim_event){.at_us = at_us,
                                                             .kind = kind,
                                                             .conn = side->conn,
                                                             .side = side->side,
                                                             .size = size}); /* error is sticky */
}

/* ---- paths ------------------------------------------------------------------------------------ */

static struct p2_sim_path_entry *find_entry(const struct p2_link_sim_node *from,
                                            const struct p2_link_sim_node *to)
{
    struct p2_sim_path_entry *entry = from->paths;
    while (entry != NULL && entry->to != to) {
        entry = entry->next;
    }
    return entry;
}

static struct p2_sim_path_entry *need_entry(struct p2_link_sim_node *from,
                                            struct p2_link_sim_node *to)
{
    struct p2_sim_path_entry *entry = find_entry(from, to);
    if (entry == NULL) {
        entry = calloc(1, sizeof *entry);
        if (entry != NULL) {
            entry->to = to;
            entry->next = from->paths;
            from->paths = entry;
        }
    }
    return entry;
}

const struct p2_link_sim_path *p2_sim_path(const struct p2_link_sim_node *from,
                                           const struct p2_link_sim_node *to)
{
    const struct p2_sim_path_entry *entry = find_entry(from, to);
    return entry != NULL && entry->has_path ? &entry->path : &from->sim->options.path;
}

uint64_t p2_sim_blocked_until(const struct p2_link_sim_node *from,
                              const struct p2_link_sim_node *to)
{
    const struct p2_sim_path_entry *entry = find_entry(from, to);
    return entry != NULL ? entry->blocked_until_us : 0;
}

uint32_t p2_sim_window(const struct p2_link_sim_path *path)
{
    return path->window_bytes > 0 ? path->window_bytes : WINDOW_DEFAULT_BYTES;
}

int p2_link_sim_set_path(struct p2_link_sim_node *from, struct p2_link_sim_node *to,
                         const struct p2_link_sim_path *path)
{
    struct p2_sim_path_entry *entry = need_entry(from, to);
    if (entry == NULL) {
        return P2_E_NOMEM;
    }
    entry->path = *path;
    entry->has_path = true;
    return P2_OK;
}

int p2_link_sim_block(struct p2_link_sim_node *from, struct p2_link_sim_node *to, uint64_t until_us)
{
    struct p2_sim_path_entry *entry = need_entry(from, to);
    if (entry == NULL) {
        return P2_E_NOMEM;
    }
    entry->blocked_until_us = until_us;
    if (until_us == P2_LINK_SIM_FOREVER) {
        return P2_OK;
    }
    return p2_sim_push(from->sim,
                       (struct p2_sim_event){
                           .at_us = until_us, .kind = P2_SIM_UNBLOCK, .node = from, .other = to});
}

void p2_link_sim_unblock(struct p2_link_sim_node *from, struct p2_link_sim_node *to)
{
    struct p2_sim_path_entry *entry = find_entry(from, to);
    if (entry == NULL) {
        return;
    }
    entry->blocked_until_us = 0;
    const struct p2_link_sim_path *path = p2_sim_path(from, to);
    for (struct p2_sim_conn *conn = from->sim->conns; conn != NULL; conn = conn->next) {
        for (size_t i = 0; i < 2; i++) {
            struct p2_sim_link *side = &conn->sides[i];
            if (side->node != from || p2_sim_other(side)->node != to) {
                continue;
            }
            uint64_t at_us = from->sim->now_us + path->delay_min_us;
            p2_sim_push_side(side, P2_SIM_ARRIVE, at_us, 0);
            struct p2_sim_link *peer = p2_sim_other(side);
            if (peer->out.held_acks > 0) {
                p2_sim_push_side(peer, P2_SIM_ACK, at_us, peer->out.held_acks);
                peer->out.held_acks = 0;
            }
        }
    }
}

/* ---- sending ---------------------------------------------------------------------------------- */

/* `mean` times a draw from the exponential distribution of mean 1, in integers: von Neumann's
 * method ("Various techniques used in connection with random digits", 1951), which only compares
 * uniform numbers. */
static uint64_t draw_exponential(struct p2_rng *rng, uint32_t mean)
{
    for (uint64_t whole = 0; whole < EXPONENTIAL_MAX; whole++) {
        uint32_t first = p2_rng_u32(rng);
        uint32_t previous = first;
        unsigned length = 1;
        for (;;) {
            uint32_t next = p2_rng_u32(rng);
            if (next >= previous) {
                break;
            }
            previous = next;
            length++;
        }
        if (length % 2 == 1) {
            return mean * whole + ((uint64_t)mean * first >> 32);
        }
    }
    return (uint64_t)mean * EXPONENTIAL_MAX;
}

static uint64_t draw_delay(struct p2_rng *rng, const struct p2_link_sim_path *path)
{
    uint64_t delay = path->delay_min_us + draw_exponential(rng, path->delay_mean_us) +
                     p2_rng_below(rng, (uint64_t)path->jitter_us + 1);
    uint64_t retransmit = path->retransmit_us > 0 ? path->retransmit_us : RETRANSMIT_DEFAULT_US;
    for (unsigned i = 0; i < LOSSES_MAX && p2_rng_chance_ppm(rng, path->loss_ppm); i++) {
        delay += retransmit << i;
    }
    return delay;
}

void p2_sim_send(struct p2_sim_link *side, uint8_t kind, uint8_t step, struct p2_span bytes)
{
    struct p2_link_sim *sim = side->conn->sim;
    struct p2_sim_direction *out = &side->out;
    const struct p2_link_sim_path *path = p2_sim_path(side->node, p2_sim_other(side)->node);
    struct p2_sim_segment *segment = malloc(sizeof *segment + bytes.size);
    if (segment == NULL) {
        sim->error = P2_E_NOMEM;
        return;
    }
    uint64_t start = out->busy_until_us > sim->now_us ? out->busy_until_us : sim->now_us;
    out->busy_until_us = start;
    if (path->bytes_per_s > 0) {
        out->busy_until_us += bytes.size * UINT64_C(1000000) / path->bytes_per_s;
    }
    uint64_t arrival = out->busy_until_us + draw_delay(&out->rng, path);
    out->last_arrival_us = arrival > out->last_arrival_us ? arrival : out->last_arrival_us;
    *segment = (struct p2_sim_segment){.arrival_us = out->last_arrival_us,
                                       .size = (uint32_t)bytes.size,
                                       .kind = kind,
                                       .step = step};
    if (bytes.size > 0) {
        memcpy(segment->data, bytes.data, bytes.size);
    }
    if (out->tail != NULL) {
        out->tail->next = segment;
    } else {
        out->head = segment;
    }
    out->tail = segment;
    out->in_flight += segment->size;
    p2_sim_push_side(side, P2_SIM_ARRIVE, segment->arrival_us, 0);
}

void p2_sim_drop_segments(struct p2_sim_direction *direction)
{
    while (direction->head != NULL) {
        struct p2_sim_segment *next = direction->head->next;
        free(direction->head);
        direction->head = next;
    }
    direction->tail = NULL;
    direction->in_flight = 0;
}

/* ---- running ---------------------------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo) over 64-bit words: quick, and any difference shows. */
static void trace_add(struct p2_link_sim *sim, uint64_t value)
{
    sim->trace = (sim->trace ^ value) * UINT64_C(0x100000001b3);
}

int p2_link_sim_step(struct p2_link_sim *sim)
{
    if (sim->error != P2_OK) {
        return sim->error;
    }
    if (sim->event_count == 0) {
        return P2_E_NOENT;
    }
    struct p2_sim_event event = pop(sim);
    sim->now_us = event.at_us;
    trace_add(sim, event.at_us);
    trace_add(sim, (uint64_t)event.kind << 32 | (uint64_t)event.side << 40 | event.size);
    trace_add(sim, event.conn != NULL ? event.conn->number : UINT64_MAX);
    if (event.kind == P2_SIM_CALL) {
        event.call(event.ctx);
    } else if (event.kind == P2_SIM_UNBLOCK) {
        if (p2_sim_blocked_until(event.node, event.other) <= sim->now_us) {
            p2_link_sim_unblock(event.node, event.other);
        }
    } else {
        p2_sim_handle(sim, &event);
    }
    if (event.conn != NULL) {
        event.conn->events--;
        p2_sim_conn_release(event.conn);
    }
    return sim->error;
}

int p2_link_sim_run(struct p2_link_sim *sim, uint64_t until_us)
{
    while (sim->error == P2_OK && sim->event_count > 0 && sim->events[0].at_us <= until_us) {
        (void)p2_link_sim_step(sim); /* its error is sticky */
    }
    if (sim->error == P2_OK && until_us > sim->now_us) {
        sim->now_us = until_us;
    }
    return sim->error;
}

uint64_t p2_link_sim_now_us(const struct p2_link_sim *sim)
{
    return sim->now_us;
}

int p2_link_sim_at(struct p2_link_sim *sim, uint64_t at_us, void (*call)(void *ctx), void *ctx)
{
    return p2_sim_push(
        sim, (struct p2_sim_event){.at_us = at_us, .kind = P2_SIM_CALL, .call = call, .ctx = ctx});
}

uint64_t p2_link_sim_trace(const struct p2_link_sim *sim)
{
    return sim->trace;
}

size_t p2_link_sim_connections(const struct p2_link_sim *sim)
{
    return sim->conn_count;
}

/* ---- making and freeing ------------------------------------------------------------------------ */

static void set_default(uint32_t *value, uint32_t fallback)
{
    *value = *value > 0 ? *value : fallback;
}

int p2_link_sim_new(struct p2_link_sim **ret_sim, const struct p2_link_sim_options *options)
{
    struct p2_link_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return P2_E_NOMEM;
    }
    sim->options = *options;
    /* The defaults of link_tcp.h. */
    set_default(&sim->options.ping_interval_us, 5000000);
    set_default(&sim->options.idle_us, 15000000);
    set_default(&sim->options.handshake_us, 5000000);
    set_default(&sim->options.drain_us, 10000000);
    set_default(&sim->options.partial_us, 30000000);
    size_t memory_max = options->memory_max > 0 ? options->memory_max : (size_t)1 << 30;
    p2_rng_init_u64(&sim->rng, options->seed, "link sim");
    p2_pool_init(&sim->pool, memory_max, memory_max);
    sim->trace = UINT64_C(0xcbf29ce484222325); /* FNV-1a's offset */
    *ret_sim = sim;
    return P2_OK;
}

static void free_node(struct p2_link_sim_node *node)
{
    while (node->paths != NULL) {
        struct p2_sim_path_entry *next = node->paths->next;
        free(node->paths);
        node->paths = next;
    }
    while (node->listeners != NULL) {
        struct p2_sim_listener *next = node->listeners->next;
        free(node->listeners);
        node->listeners = next;
    }
    free(node);
}

void p2_link_sim_free(struct p2_link_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    while (sim->conns != NULL) {
        p2_sim_conn_free(sim->conns);
    }
    while (sim->nodes != NULL) {
        struct p2_link_sim_node *next = sim->nodes->next;
        free_node(sim->nodes);
        sim->nodes = next;
    }
    p2_pool_free(&sim->pool);
    free(sim->events);
    free(sim);
}

int p2_link_sim_add_node(struct p2_link_sim *sim, const struct p2_ip *ip, const struct p2_id *id,
                         struct p2_link_sim_node **ret_node)
{
    for (const struct p2_link_sim_node *other = sim->nodes; other != NULL; other = other->next) {
        if (p2_ip_equal(&other->ip, ip)) {
            return P2_E_EXIST;
        }
    }
    struct p2_link_sim_node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return P2_E_NOMEM;
    }
    int error = p2_id_to_exchange_key(node->exchange_key, id->bytes);
    if (error != P2_OK) {
        free(node);
        return error;
    }
    node->base = (struct p2_transport){&p2_sim_transport_ops, sim->options.rules};
    node->sim = sim;
    node->id = *id;
    node->ip = *ip;
    node->index = sim->node_count++;
    node->next_port = 49152; /* first dynamic port, RFC 6335 */
    node->next = sim->nodes;
    sim->nodes = node;
    *ret_node = node;
    return P2_OK;
}

struct p2_transport *p2_link_sim_transport(struct p2_link_sim_node *node)
{
    return &node->base;
}
