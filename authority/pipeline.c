/* Frames and tasks; the rules stand in the header. */
#include "authority/pipeline.h"

#include "authority/trust/limits.h"

#include <stdlib.h>
#include <string.h>

#define RETIRED_PER_TASK 2u /* input and result */
/* Blocks retired beside those: corrections of a frame, and a result that was replaced. */
#define RETIRED_SPARE (P2_CORRECTIONS_MAX + 1u)
/* The pool rounds up to powers of two, and what is retired waits for the next step. */
#define POOL_FACTOR 4u
#define SECOND_US   UINT64_C(1000000)
#define DUE_SLOTS   (P2_SLACK_MAX_FRAMES + 1u) /* a power of two */

/* ---- lists ------------------------------------------------------------------------------------ */

static void list_clear(struct p2_task_list *list)
{
    list->first = list->last = P2_TASK_NONE;
    list->count = 0;
}

static void all_push(struct p2_pipeline *pipeline, struct p2_task *task, uint32_t index)
{
    task->prev = pipeline->all.last;
    task->next = P2_TASK_NONE;
    if (task->prev == P2_TASK_NONE) {
        pipeline->all.first = index;
    } else {
        pipeline->items[task->prev].next = index;
    }
    pipeline->all.last = index;
    pipeline->all.count++;
}

static void all_remove(struct p2_pipeline *pipeline, struct p2_task *task)
{
    if (task->prev == P2_TASK_NONE) {
        pipeline->all.first = task->next;
    } else {
        pipeline->items[task->prev].next = task->next;
    }
    if (task->next == P2_TASK_NONE) {
        pipeline->all.last = task->prev;
    } else {
        pipeline->items[task->next].prev = task->prev;
    }
    pipeline->all.count--;
}

static struct p2_task_list *open_list(struct p2_pipeline *pipeline, const struct p2_task *task)
{
    return &pipeline->open[task->class <= P2_CLASS_C1 ? 0 : 1];
}

static void open_push(struct p2_pipeline *pipeline, struct p2_task *task, uint32_t index)
{
    struct p2_task_list *list = open_list(pipeline, task);
    task->open_prev = list->last;
    task->open_next = P2_TASK_NONE;
    if (task->open_prev == P2_TASK_NONE) {
        list->first = index;
    } else {
        pipeline->items[task->open_prev].open_next = index;
    }
    list->last = index;
    list->count++;
}

static void open_remove(struct p2_pipeline *pipeline, const struct p2_task *task)
{
    struct p2_task_list *list = open_list(pipeline, task);
    if (task->open_prev == P2_TASK_NONE) {
        list->first = task->open_next;
    } else {
        pipeline->items[task->open_prev].open_next = task->open_next;
    }
    if (task->open_next == P2_TASK_NONE) {
        list->last = task->open_prev;
    } else {
        pipeline->items[task->open_next].open_prev = task->open_prev;
    }
    list->count--;
}

/* By id: a task that comes back from a lost lease is older than those that never left. */
static void wait_insert(struct p2_pipeline *pipeline, struct p2_task *task, uint32_t index)
{
    struct p2_task_list *list = &pipeline->waiting[task->class];
    uint32_t after = list->last;
    if (list->first != P2_TASK_NONE && pipeline->items[list->first].id > task->id) {
        after = P2_TASK_NONE;
    }
    while (after != P2_TASK_NONE && pipeline->items[after].id > task->id) {
        after = pipeline->items[after].wait_prev;
    }
    task->wait_prev = after;
    task->wait_next = after == P2_TASK_NONE ? list->first : pipeline->items[after].wait_next;
    if (after == P2_TASK_NONE) {
        list->first = index;
    } else {
        pipeline->items[after].wait_next = index;
    }
    if (task->wait_next == P2_TASK_NONE) {
        list->last = index;
    } else {
        pipeline->items[task->wait_next].wait_prev = index;
    }
    list->count++;
}

static void wait_remove(struct p2_pipeline *pipeline, struct p2_task *task)
{
    struct p2_task_list *list = &pipeline->waiting[task->class];
    if (task->wait_prev == P2_TASK_NONE) {
        list->first = task->wait_next;
    } else {
        pipeline->items[task->wait_prev].wait_next = task->wait_next;
    }
    if (task->wait_next == P2_TASK_NONE) {
        list->last = task->wait_prev;
    } else {
        pipeline->items[task->wait_next].wait_prev = task->wait_prev;
    }
    list->count--;
}

/* Ids only grow, so appending keeps a due list sorted. */
static void due_push(struct p2_pipeline *pipeline, struct p2_task *task, uint32_t index)
{
    struct p2_task_list *list = &pipeline->due[task->due_frame % DUE_SLOTS];
    task->due_next = P2_TASK_NONE;
    if (list->last == P2_TASK_NONE) {
        list->first = index;
    } else {
        pipeline->items[list->last].due_next = index;
    }
    list->last = index;
    list->count++;
}

static void due_remove(struct p2_pipeline *pipeline, const struct p2_task *task, uint32_t index)
{
    struct p2_task_list *list = &pipeline->due[task->due_frame % DUE_SLOTS];
    uint32_t before = P2_TASK_NONE;
    uint32_t at = list->first;
    while (at != index) {
        before = at;
        at = pipeline->items[at].due_next;
    }
    if (before == P2_TASK_NONE) {
        list->first = task->due_next;
    } else {
        pipeline->items[before].due_next = task->due_next;
    }
    if (list->last == index) {
        list->last = before;
    }
    list->count--;
}

static void hash_remove(struct p2_pipeline *pipeline, const struct p2_task *task, uint32_t index)
{
    uint32_t *link = &pipeline->buckets[task->id & (pipeline->capacity - 1)];
    while (*link != index) {
        link = &pipeline->items[*link].hash_next;
    }
    *link = task->hash_next;
}

/* ---- memory ----------------------------------------------------------------------------------- */

static int block_fill(struct p2_pipeline *pipeline, struct p2_block *block, struct p2_span bytes)
{
    *block = (struct p2_block){0};
    if (bytes.size == 0) {
        return P2_OK;
    }
    block->data = p2_pool_take(&pipeline->pool, bytes.size, &block->capacity);
    if (block->data == NULL) {
        return P2_E_LIMIT;
    }
    memcpy(block->data, bytes.data, bytes.size);
    block->size = bytes.size;
    return P2_OK;
}

/* Effects of this step may show the bytes: they are given back when the next one begins. */
static void block_retire(struct p2_pipeline *pipeline, struct p2_block *block)
{
    if (block->data != NULL) {
        P2_ASSERT(pipeline->retired_count < RETIRED_PER_TASK * pipeline->capacity + RETIRED_SPARE);
        pipeline->retired[pipeline->retired_count++] = *block;
        *block = (struct p2_block){0};
    }
}

void p2_pipeline_begin(struct p2_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->retired_count; i++) {
        p2_pool_give(&pipeline->pool, pipeline->retired[i].data, pipeline->retired[i].capacity);
    }
    pipeline->retired_count = 0;
}

/* ---- life ------------------------------------------------------------------------------------- */

int p2_pipeline_init(struct p2_pipeline *pipeline, uint32_t tasks_max, size_t memory_max,
                     uint64_t first_frame, uint64_t start_us)
{
    memset(pipeline, 0, sizeof *pipeline);
    if (tasks_max == 0 || tasks_max > P2_CORE_TASKS_MAX) {
        return P2_E_INVALID;
    }
    uint32_t capacity = 1;
    while (capacity < tasks_max) {
        capacity *= 2;
    }
    pipeline->capacity = capacity;
    pipeline->items = calloc(capacity, sizeof *pipeline->items);
    pipeline->buckets = calloc(capacity, sizeof *pipeline->buckets);
    pipeline->due = calloc(DUE_SLOTS, sizeof *pipeline->due);
    pipeline->retired =
        calloc((size_t)RETIRED_PER_TASK * capacity + RETIRED_SPARE, sizeof *pipeline->retired);
    pipeline->memory_max = memory_max;
    p2_pool_init(&pipeline->pool, POOL_FACTOR * memory_max, POOL_FACTOR * memory_max);
    if (pipeline->items == NULL || pipeline->buckets == NULL || pipeline->due == NULL ||
        pipeline->retired == NULL) {
        p2_pipeline_free(pipeline);
        return P2_E_NOMEM;
    }
    list_clear(&pipeline->all);
    list_clear(&pipeline->open[0]);
    list_clear(&pipeline->open[1]);
    for (size_t i = 0; i < P2_TASK_CLASSES; i++) {
        list_clear(&pipeline->waiting[i]);
    }
    for (uint32_t i = 0; i < DUE_SLOTS; i++) {
        list_clear(&pipeline->due[i]);
    }
    for (uint32_t i = 0; i < capacity; i++) {
        pipeline->buckets[i] = P2_TASK_NONE;
        pipeline->items[i].next = i + 1 < capacity ? i + 1 : P2_TASK_NONE;
    }
    pipeline->next_id = 1;
    pipeline->epoch_us = start_us;
    pipeline->first_frame = first_frame;
    pipeline->frame = first_frame;
    pipeline->depth = P2_DEPTH_MAX;
    return P2_OK;
}

void p2_pipeline_free(struct p2_pipeline *pipeline)
{
    if (pipeline->items != NULL && pipeline->retired != NULL) {
        p2_pipeline_begin(pipeline);
        for (uint32_t i = pipeline->all.first; i != P2_TASK_NONE; i = pipeline->items[i].next) {
            struct p2_task *task = &pipeline->items[i];
            p2_pool_give(&pipeline->pool, task->input.data, task->input.capacity);
            p2_pool_give(&pipeline->pool, task->result.data, task->result.capacity);
        }
    }
    p2_pool_free(&pipeline->pool);
    free(pipeline->items);
    free(pipeline->buckets);
    free(pipeline->due);
    free(pipeline->retired);
    memset(pipeline, 0, sizeof *pipeline);
}

uint64_t p2_pipeline_slot_us(const struct p2_pipeline *pipeline, uint64_t frame)
{
    uint64_t frames = frame - pipeline->first_frame;
    return pipeline->epoch_us + frames / P2_FRAME_HZ * SECOND_US +
           frames % P2_FRAME_HZ * SECOND_US / P2_FRAME_HZ;
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static bool is_valid(const struct p2_task_spec *spec)
{
    return spec->class <= P2_CLASS_C3 && spec->cost_units > 0 &&
           spec->kernel < P2_CORE_KERNELS_MAX && spec->key_count <= P2_WIRE_BLOBS_MAX &&
           spec->input.size <= P2_WIRE_SLOT_MAX && spec->output_max <= P2_WIRE_SLOT_MAX &&
           spec->replicas <= P2_TASK_LEASES_MAX &&
           (spec->class == P2_CLASS_C1 ||
            (spec->slack_frames >= 1 && spec->slack_frames <= P2_SLACK_MAX_FRAMES));
}

static void fill_task(const struct p2_pipeline *pipeline, struct p2_task *task,
                      const struct p2_task_spec *spec, uint64_t now_us)
{
    task->state = P2_TASK_WAITING;
    task->kernel = spec->kernel;
    task->class = spec->class;
    task->flags = spec->flags;
    task->replicas = spec->replicas > 1 ? spec->replicas : 1;
    task->weight = spec->weight;
    task->frame = pipeline->frame;
    task->due_frame =
        pipeline->frame + (spec->class == P2_CLASS_C1 ? pipeline->depth : spec->slack_frames);
    task->due_us = p2_pipeline_slot_us(pipeline, task->due_frame);
    task->emitted_us = now_us;
    task->cost_units = spec->cost_units;
    task->tag = spec->tag;
    task->output_max = spec->output_max;
    task->key_count = spec->key_count;
    for (uint32_t i = 0; i < spec->key_count; i++) {
        task->keys[i] = spec->keys[i];
    }
    for (uint32_t i = 0; i < P2_TASK_LEASES_MAX; i++) {
        task->leases[i] = P2_LEASE_NONE;
    }
}

static size_t task_bytes(size_t input, size_t output)
{
    return (input > P2_POOL_BLOCK_MIN ? input : P2_POOL_BLOCK_MIN) +
           (output > P2_POOL_BLOCK_MIN ? output : P2_POOL_BLOCK_MIN);
}

int p2_pipeline_submit(struct p2_pipeline *pipeline, const struct p2_task_spec *spec,
                       uint64_t now_us, struct p2_task **ret_task)
{
    if (!is_valid(spec)) {
        return P2_E_INVALID;
    }
    uint32_t index = pipeline->free_first;
    if (index == P2_TASK_NONE ||
        task_bytes(spec->input.size, spec->output_max) >
            pipeline->memory_max - pipeline->reserved ||
        pipeline->retired_count + RETIRED_PER_TASK * (pipeline->all.count + 1) >
            RETIRED_PER_TASK * pipeline->capacity) {
        return P2_E_LIMIT;
    }
    if (spec->id != 0 && p2_pipeline_find(pipeline, spec->id) != NULL) {
        return P2_E_EXIST;
    }
    struct p2_block input;
    int error = block_fill(pipeline, &input, spec->input);
    if (error != P2_OK) {
        return error;
    }
    struct p2_task *task = &pipeline->items[index];
    pipeline->free_first = task->next;
    memset(task, 0, sizeof *task);
    task->id = spec->id != 0 ? spec->id : pipeline->next_id++;
    task->input = input;
    task->reserved = task_bytes(spec->input.size, spec->output_max);
    pipeline->reserved += task->reserved;
    fill_task(pipeline, task, spec, now_us);
    uint32_t *bucket = &pipeline->buckets[task->id & (pipeline->capacity - 1)];
    task->hash_next = *bucket;
    *bucket = index;
    all_push(pipeline, task, index);
    open_push(pipeline, task, index);
    wait_insert(pipeline, task, index);
    due_push(pipeline, task, index);
    pipeline->submitted++;
    *ret_task = task;
    return P2_OK;
}

struct p2_task *p2_pipeline_find(struct p2_pipeline *pipeline, uint64_t id)
{
    uint32_t at = pipeline->buckets[id & (pipeline->capacity - 1)];
    while (at != P2_TASK_NONE && pipeline->items[at].id != id) {
        at = pipeline->items[at].hash_next;
    }
    return at == P2_TASK_NONE ? NULL : &pipeline->items[at];
}

struct p2_task *p2_pipeline_at(struct p2_pipeline *pipeline, uint32_t index)
{
    return index == P2_TASK_NONE ? NULL : &pipeline->items[index];
}

uint32_t p2_pipeline_index(const struct p2_pipeline *pipeline, const struct p2_task *task)
{
    return (uint32_t)(task - pipeline->items);
}

int p2_pipeline_keep(struct p2_pipeline *pipeline, struct p2_task *task, struct p2_span result)
{
    P2_ASSERT(task->result.data == NULL && !task->has_digest);
    int error = block_fill(pipeline, &task->result, result);
    if (error != P2_OK) {
        return error;
    }
    p2_hash(task->digest, sizeof task->digest, &result, 1);
    task->has_digest = true;
    return P2_OK;
}

void p2_pipeline_forget(struct p2_pipeline *pipeline, struct p2_task *task)
{
    block_retire(pipeline, &task->result);
    task->has_digest = false;
    task->agreed = 0;
}

int p2_pipeline_hold(struct p2_pipeline *pipeline, struct p2_block *block, struct p2_span bytes)
{
    return block_fill(pipeline, block, bytes);
}

void p2_pipeline_drop(struct p2_pipeline *pipeline, struct p2_block *block)
{
    block_retire(pipeline, block);
}

int p2_pipeline_settle(struct p2_pipeline *pipeline, struct p2_task *task, enum p2_tier tier,
                       uint64_t now_us)
{
    if (task->state == P2_TASK_SETTLED || !task->has_digest) {
        return P2_E_STATE;
    }
    p2_pipeline_set_out(pipeline, task, true);
    open_remove(pipeline, task);
    task->state = P2_TASK_SETTLED;
    task->tier = tier;
    task->settled_us = now_us;
    block_retire(pipeline, &task->input);
    if (task->class == P2_CLASS_C1) {
        uint64_t took = now_us - task->emitted_us;
        if (tier == P2_TIER_LOCAL) {
            /* Own cores start as late as they can: how long they took says nothing. */
            took = task->due_us - task->emitted_us;
            pipeline->is_strained |= task->reason == P2_FRAME_REASON_HELPER_LATE;
        }
        pipeline->need_us = took > pipeline->need_us ? took : pipeline->need_us;
    }
    return P2_OK;
}

void p2_pipeline_set_out(struct p2_pipeline *pipeline, struct p2_task *task, bool is_out)
{
    if (is_out && task->state == P2_TASK_WAITING) {
        wait_remove(pipeline, task);
        task->state = P2_TASK_OUT;
    } else if (!is_out && task->state == P2_TASK_OUT) {
        wait_insert(pipeline, task, p2_pipeline_index(pipeline, task));
        task->state = P2_TASK_WAITING;
    }
}

struct p2_task *p2_pipeline_due(struct p2_pipeline *pipeline)
{
    return p2_pipeline_at(pipeline, pipeline->due[pipeline->frame % DUE_SLOTS].first);
}

void p2_pipeline_remove(struct p2_pipeline *pipeline, struct p2_task *task, bool is_delivered)
{
    uint32_t index = p2_pipeline_index(pipeline, task);
    P2_ASSERT(task->state != P2_TASK_GONE && task->lease_count == 0);
    if (is_delivered && task->class == P2_CLASS_C1 && task->state != P2_TASK_SETTLED) {
        pipeline->is_strained = true;
        pipeline->need_us = task->due_us - task->emitted_us;
    }
    p2_pipeline_set_out(pipeline, task, true);
    if (task->state != P2_TASK_SETTLED) {
        open_remove(pipeline, task);
    }
    all_remove(pipeline, task);
    due_remove(pipeline, task, index);
    hash_remove(pipeline, task, index);
    block_retire(pipeline, &task->input);
    block_retire(pipeline, &task->result);
    pipeline->reserved -= task->reserved;
    task->state = P2_TASK_GONE;
    task->next = pipeline->free_first;
    pipeline->free_first = index;
    if (is_delivered) {
        pipeline->delivered++;
    } else {
        pipeline->cancelled++;
    }
}

bool p2_pipeline_end_frame(struct p2_pipeline *pipeline)
{
    uint64_t slot = SECOND_US / P2_FRAME_HZ;
    uint8_t before = pipeline->depth;
    if (pipeline->is_strained) {
        pipeline->calm_frames = 0;
        if (pipeline->depth < P2_DEPTH_MAX) {
            pipeline->depth++;
        }
    } else if (pipeline->need_us > 0) {
        bool is_calm =
            pipeline->depth > P2_DEPTH_MIN &&
            pipeline->need_us + 2 * P2_DELIVER_MARGIN_US <= (pipeline->depth - 1u) * slot;
        pipeline->calm_frames = is_calm ? pipeline->calm_frames + 1 : 0;
        if (pipeline->calm_frames >= P2_DEPTH_CALM_FRAMES) {
            pipeline->depth--;
            pipeline->calm_frames = 0;
        }
    }
    pipeline->need_us = 0;
    pipeline->is_strained = false;
    pipeline->frame++;
    return pipeline->depth != before;
}
