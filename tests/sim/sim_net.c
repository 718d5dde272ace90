/* The queue of events and the network: delays, order, loss as delay, blocks. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define LOSS_DELAY_US 200000u /* TCP's minimum retransmission time-out on Linux */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

struct sim_event *sim_push(struct sim *sim, uint64_t at_us, enum sim_kind kind)
{
    if (sim->heap_count == sim->heap_capacity) {
        size_t capacity = sim->heap_capacity == 0 ? 1024 : 2 * sim->heap_capacity;
        struct sim_event *heap = realloc(sim->heap, capacity * sizeof *heap);
        P2_ASSERT(heap != NULL);
        sim->heap = heap;
        sim->heap_capacity = capacity;
    }
    struct sim_event event = {
        .at_us = at_us > sim->now_us ? at_us : sim->now_us, .order = sim->order++, .kind = kind};
    size_t at = sim->heap_count++;
    while (at > 0 && is_before(&event, &sim->heap[(at - 1) / 2])) {
        sim->heap[at] = sim->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim->heap[at] = event;
    return &sim->heap[at];
}

void sim_attach(struct sim_event *event, const void *bytes, size_t size)
{
    event->bytes = malloc(size > 0 ? size : 1);
    P2_ASSERT(event->bytes != NULL);
    if (size > 0) {
        memcpy(event->bytes, bytes, size);
    }
    event->size = (uint32_t)size;
}

bool sim_pop(struct sim *sim, struct sim_event *ret_event)
{
    if (sim->heap_count == 0) {
        return false;
    }
    *ret_event = sim->heap[0];
    struct sim_event last = sim->heap[--sim->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sim->heap_count) {
            break;
        }
        if (child + 1 < sim->heap_count && is_before(&sim->heap[child + 1], &sim->heap[child])) {
            child++;
        }
        if (!is_before(&sim->heap[child], &last)) {
            break;
        }
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    if (sim->heap_count > 0) {
        sim->heap[at] = last;
    }
    return true;
}

static uint64_t arrival(struct sim *sim, const struct sim_helper *helper, uint64_t blocked_us,
                        uint64_t last_us)
{
    uint64_t at =
        sim->now_us + helper->rtt_us / 2 + p2_rng_below(&sim->net, sim->config.jitter_us / 2 + 1);
    if (p2_rng_chance_ppm(&sim->net, sim->config.loss_ppm) && !sim->is_healing) {
        at += LOSS_DELAY_US;
    }
    at = at > blocked_us ? at : blocked_us;
    return at > last_us ? at : last_us;
}

void sim_send_up(struct sim *sim, uint32_t index, uint8_t type, const void *body, size_t size)
{
    struct sim_helper *helper = &sim->helpers[index];
    if (helper->link.up_sent_us != sim->now_us) {
        helper->link.up_sent_us = sim->now_us;
        helper->link.up_last_us =
            arrival(sim, helper, helper->link.up_blocked_us, helper->link.up_last_us);
    }
    struct sim_event *event = sim_push(sim, helper->link.up_last_us, SIM_EVENT_UP);
    event->helper = index;
    event->epoch = helper->link.epoch;
    event->type = type;
    sim_attach(event, body, size);
}

void sim_send_down(struct sim *sim, uint32_t index, uint8_t type, const void *body, size_t size)
{
    struct sim_helper *helper = &sim->helpers[index];
    if (helper->link.down_sent_us != sim->now_us) {
        helper->link.down_sent_us = sim->now_us;
        helper->link.down_last_us =
            arrival(sim, helper, helper->link.down_blocked_us, helper->link.down_last_us);
    }
    struct sim_event *event = sim_push(sim, helper->link.down_last_us, SIM_EVENT_DOWN);
    event->helper = index;
    event->epoch = helper->link.epoch;
    event->type = type;
    sim_attach(event, body, size);
}
