/* A bounded priority queue of task numbers: priority, then deadline, then order of arrival.
 * A binary heap that knows where each task is, so that one can be taken out of the middle.
 * Pure. Thread: an object belongs to one thread. */
#ifndef P2_EXEC_QUEUE_H
#define P2_EXEC_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* What the order is made of. */
struct p2_queue_key {
    uint64_t deadline_us; /* UINT64_MAX: none */
    uint64_t arrival;     /* unique */
    uint32_t priority;    /* 0 first */
};

struct p2_queue_node {
    struct p2_queue_key key;
    uint32_t task;
};

struct p2_queue {
    struct p2_queue_node *nodes; /* nodes[capacity] */
    uint32_t *places;            /* places[capacity]: by task number, its node while queued */
    uint32_t count;
    uint32_t capacity;
};

/* Makes room for `capacity` tasks numbered 0 .. capacity - 1. P2_E_NOMEM. */
int p2_queue_open(struct p2_queue *queue, uint32_t capacity);

/* Accepts a zeroed queue. */
void p2_queue_close(struct p2_queue *queue);

/* True when `a` goes before `b`. */
bool p2_queue_is_before(const struct p2_queue_key *a, const struct p2_queue_key *b);

/* Puts a task in that is not in the queue. O(log n). */
void p2_queue_push(struct p2_queue *queue, uint32_t task, const struct p2_queue_key *key);

/* The first node, or NULL when the queue is empty. Borrowed until the queue changes. */
const struct p2_queue_node *p2_queue_first(const struct p2_queue *queue);

/* Takes a task out that is in the queue. O(log n). */
void p2_queue_remove(struct p2_queue *queue, uint32_t task);

#endif
