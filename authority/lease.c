/* The lease table; its state machine stands in the header and, as data, below. */
#include "authority/lease.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MAX (1u << 24) /* ids keep 40 bits of generation */

#define NO P2_LEASE_STATES /* the event is not possible */

static const uint8_t next_state[P2_LEASE_STATES][P2_LEASE_EVENTS] = {
    /* event: OFFER, START, ANSWER, EXPIRE, CANCEL, SETTLE, FORGET, RELEASE */
    [P2_LEASE_FREE] = {P2_LEASE_OFFERED, NO, NO, NO, NO, NO, NO, NO},
    [P2_LEASE_OFFERED] = {NO, P2_LEASE_RUNNING, P2_LEASE_ANSWERED, P2_LEASE_EXPIRED,
                          P2_LEASE_CANCELLED, P2_LEASE_SETTLED, NO, NO},
    [P2_LEASE_RUNNING] = {NO, NO, P2_LEASE_ANSWERED, P2_LEASE_EXPIRED, P2_LEASE_CANCELLED,
                          P2_LEASE_SETTLED, NO, NO},
    [P2_LEASE_ANSWERED] = {NO, NO, NO, NO, NO, P2_LEASE_SETTLED, NO, NO},
    [P2_LEASE_EXPIRED] = {NO, NO, P2_LEASE_SETTLED, NO, NO, P2_LEASE_SETTLED, P2_LEASE_SETTLED, NO},
    [P2_LEASE_CANCELLED] = {NO, NO, P2_LEASE_SETTLED, NO, NO, P2_LEASE_SETTLED, P2_LEASE_SETTLED,
                            NO},
    [P2_LEASE_SETTLED] = {NO, NO, NO, NO, NO, NO, NO, P2_LEASE_FREE},
};

static void push_free(struct p2_leases *table, uint32_t index)
{
    table->items[index].next = P2_LEASE_NONE;
    if (table->free_last == P2_LEASE_NONE) {
        table->free_first = index;
    } else {
        table->items[table->free_last].next = index;
    }
    table->free_last = index;
}

static void push_ended(struct p2_leases *table, struct p2_lease *lease)
{
    uint32_t index = p2_lease_index(table, lease);
    lease->prev = table->ended_last;
    lease->next = P2_LEASE_NONE;
    if (table->ended_last == P2_LEASE_NONE) {
        table->ended_first = index;
    } else {
        table->items[table->ended_last].next = index;
    }
    table->ended_last = index;
}

static void remove_ended(struct p2_leases *table, struct p2_lease *lease)
{
    if (lease->prev == P2_LEASE_NONE) {
        table->ended_first = lease->next;
    } else {
        table->items[lease->prev].next = lease->next;
    }
    if (lease->next == P2_LEASE_NONE) {
        table->ended_last = lease->prev;
    } else {
        table->items[lease->next].prev = lease->prev;
    }
}

static bool is_ended(enum p2_lease_state state)
{
    return state == P2_LEASE_EXPIRED || state == P2_LEASE_CANCELLED;
}

int p2_leases_init(struct p2_leases *table, uint32_t capacity)
{
    memset(table, 0, sizeof *table);
    if (capacity == 0 || capacity > CAPACITY_MAX) {
        return P2_E_INVALID;
    }
    table->items = calloc(capacity, sizeof *table->items);
    if (table->items == NULL) {
        return P2_E_NOMEM;
    }
    table->capacity = capacity;
    table->free_first = table->free_last = P2_LEASE_NONE;
    table->ended_first = table->ended_last = P2_LEASE_NONE;
    for (uint32_t i = 0; i < capacity; i++) {
        push_free(table, i);
    }
    table->counts[P2_LEASE_FREE] = capacity;
    return P2_OK;
}

void p2_leases_free(struct p2_leases *table)
{
    free(table->items);
    memset(table, 0, sizeof *table);
}

enum p2_lease_state p2_lease_next(enum p2_lease_state state, enum p2_lease_event event)
{
    return (enum p2_lease_state)next_state[state][event];
}

int p2_lease_grant(struct p2_leases *table, struct p2_lease **ret_lease)
{
    uint32_t index = table->free_first;
    if (index == P2_LEASE_NONE) {
        return P2_E_LIMIT;
    }
    struct p2_lease *lease = &table->items[index];
    table->free_first = lease->next;
    if (table->free_first == P2_LEASE_NONE) {
        table->free_last = P2_LEASE_NONE;
    }
    uint32_t generation = lease->generation + 1;
    memset(lease, 0, offsetof(struct p2_lease, handles));
    lease->generation = generation;
    lease->id = (uint64_t)generation * table->capacity + index;
    lease->prev = lease->next = P2_LEASE_NONE;
    lease->state = p2_lease_next(P2_LEASE_FREE, P2_LEASE_OFFER);
    table->counts[P2_LEASE_FREE]--;
    table->counts[lease->state]++;
    table->granted++;
    *ret_lease = lease;
    return P2_OK;
}

int p2_lease_move(struct p2_leases *table, struct p2_lease *lease, enum p2_lease_event event,
                  uint64_t now_us)
{
    enum p2_lease_state from = lease->state;
    enum p2_lease_state to = p2_lease_next(from, event);
    if (to == NO) {
        return P2_E_STATE;
    }
    if (is_ended(from)) {
        remove_ended(table, lease);
    }
    table->counts[from]--;
    table->counts[to]++;
    lease->state = to;
    if (is_ended(to)) {
        lease->ended_us = now_us;
        push_ended(table, lease);
    } else if (to == P2_LEASE_RUNNING) {
        lease->started_us = now_us;
    } else if (to == P2_LEASE_FREE) {
        lease->id = 0;
        push_free(table, p2_lease_index(table, lease));
    }
    return P2_OK;
}

struct p2_lease *p2_lease_find(struct p2_leases *table, uint64_t id)
{
    struct p2_lease *lease = &table->items[id % table->capacity];
    return id != 0 && lease->id == id ? lease : NULL;
}

bool p2_lease_was_granted(const struct p2_leases *table, uint64_t id)
{
    uint64_t generation = id / table->capacity;
    return generation > 0 && generation <= table->items[id % table->capacity].generation;
}

struct p2_lease *p2_leases_oldest(struct p2_leases *table)
{
    return table->ended_first == P2_LEASE_NONE ? NULL : &table->items[table->ended_first];
}

uint32_t p2_lease_index(const struct p2_leases *table, const struct p2_lease *lease)
{
    return (uint32_t)(lease - table->items);
}

struct p2_lease *p2_lease_at(struct p2_leases *table, uint32_t index)
{
    return index == P2_LEASE_NONE ? NULL : &table->items[index];
}

bool p2_lease_is_live(const struct p2_lease *lease)
{
    return lease->state == P2_LEASE_OFFERED || lease->state == P2_LEASE_RUNNING;
}

const char *p2_lease_state_name(enum p2_lease_state state)
{
    static const char *const names[] = {"FREE",    "OFFERED",   "RUNNING", "ANSWERED",
                                        "EXPIRED", "CANCELLED", "SETTLED"};
    return names[state];
}
