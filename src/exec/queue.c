/* The task queue; see the header. The heap of Williams, "Algorithm 232", CACM 7 (6), 1964. */
#include "exec/queue.h"

#include "base/error.h"

#include <stdlib.h>

int p2_queue_open(struct p2_queue *queue, uint32_t capacity)
{
    queue->nodes = calloc(capacity, sizeof *queue->nodes);
    queue->places = calloc(capacity, sizeof *queue->places);
    queue->count = 0;
    queue->capacity = capacity;
    if (queue->nodes == NULL || queue->places == NULL) {
        p2_queue_close(queue);
        return P2_E_NOMEM;
    }
    return P2_OK;
}

void p2_queue_close(struct p2_queue *queue)
{
    free(queue->nodes);
    free(queue->places);
    queue->nodes = NULL;
    queue->places = NULL;
    queue->count = 0;
}

bool p2_queue_is_before(const struct p2_queue_key *a, const struct p2_queue_key *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    if (a->deadline_us != b->deadline_us) {
        return a->deadline_us < b->deadline_us;
    }
    return a->arrival < b->arrival;
}

static void put(struct p2_queue *queue, uint32_t place, struct p2_queue_node node)
{
    queue->nodes[place] = node;
    queue->places[node.task] = place;
}

static void move_up(struct p2_queue *queue, uint32_t place)
{
    struct p2_queue_node node = queue->nodes[place];
    while (place > 0 && p2_queue_is_before(&node.key, &queue->nodes[(place - 1) / 2].key)) {
        put(queue, place, queue->nodes[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(queue, place, node);
}

static void move_down(struct p2_queue *queue, uint32_t place)
{
    struct p2_queue_node node = queue->nodes[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < queue->count &&
            p2_queue_is_before(&queue->nodes[child + 1].key, &queue->nodes[child].key)) {
            child++;
        }
        if (child >= queue->count || !p2_queue_is_before(&queue->nodes[child].key, &node.key)) {
            break;
        }
        put(queue, place, queue->nodes[child]);
        place = child;
    }
    put(queue, place, node);
}

void p2_queue_push(struct p2_queue *queue, uint32_t task, const struct p2_queue_key *key)
{
    P2_ASSERT(queue->count < queue->capacity && task < queue->capacity);
    queue->nodes[queue->count] = (struct p2_queue_node){*key, task};
    queue->count++;
    move_up(queue, queue->count - 1);
}

const struct p2_queue_node *p2_queue_first(const struct p2_queue *queue)
{
    return queue->count > 0 ? &queue->nodes[0] : NULL;
}

void p2_queue_remove(struct p2_queue *queue, uint32_t task)
{
    uint32_t place = queue->places[task];
    P2_ASSERT(place < queue->count && queue->nodes[place].task == task);
    queue->count--;
    if (place == queue->count) {
        return;
    }
    put(queue, place, queue->nodes[queue->count]);
    move_up(queue, place);
    move_down(queue, queue->places[queue->nodes[place].task]);
}
