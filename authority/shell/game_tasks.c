/* A sorted array: ids only grow, so adding is appending, finding is a binary search, and tasks are
 * taken near the front, where they are oldest. */
#include "authority/shell/game_tasks.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#define TASK_BYTES 44u /* of a stored task */

/* Least bytes a task counts as. Chosen: the blocks the core keeps them in (link/pool.h). */
#define BLOCK_BYTES 1024u

int p2_game_tasks_init(struct p2_game_tasks *tasks, uint64_t first_id)
{
    memset(tasks, 0, sizeof *tasks);
    tasks->items = calloc(P2_GAME_TASKS_MAX, sizeof *tasks->items);
    tasks->next_id = first_id;
    return tasks->items == NULL ? P2_E_NOMEM : P2_OK;
}

void p2_game_tasks_free(struct p2_game_tasks *tasks)
{
    free(tasks->items);
    memset(tasks, 0, sizeof *tasks);
}

int p2_game_tasks_add(struct p2_game_tasks *tasks, struct p2_game_task *task)
{
    task->bytes += 2 * BLOCK_BYTES;
    if (tasks->count == P2_GAME_TASKS_MAX || task->bytes > P2_GAME_TASKS_BYTES - tasks->bytes) {
        return P2_E_LIMIT;
    }
    task->id = tasks->next_id++;
    tasks->items[tasks->count++] = *task;
    tasks->bytes += task->bytes;
    return P2_OK;
}

/* The place of the first task whose id is not below `id`. */
static uint32_t place_of(const struct p2_game_tasks *tasks, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = tasks->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tasks->items[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool p2_game_tasks_take(struct p2_game_tasks *tasks, uint64_t id, struct p2_game_task *ret_task)
{
    uint32_t at = place_of(tasks, id);
    if (at == tasks->count || tasks->items[at].id != id) {
        return false;
    }
    *ret_task = tasks->items[at];
    tasks->bytes -= ret_task->bytes;
    tasks->count--;
    memmove(&tasks->items[at], &tasks->items[at + 1], (tasks->count - at) * sizeof *tasks->items);
    return true;
}

uint32_t p2_game_tasks_tagged(const struct p2_game_tasks *tasks, uint64_t tag, uint32_t from)
{
    while (from < tasks->count && tasks->items[from].tag != tag) {
        from++;
    }
    return from;
}

int p2_game_tasks_write(const struct p2_game_tasks *tasks, struct p2_buf *buf)
{
    int error = p2_buf_reserve(buf, 12 + (size_t)tasks->count * TASK_BYTES);
    if (error != P2_OK) {
        return error;
    }
    struct p2_writer writer;
    p2_writer_init(&writer, buf->data + buf->size, buf->capacity - buf->size);
    p2_writer_u64(&writer, tasks->next_id);
    p2_writer_u32(&writer, tasks->count);
    for (uint32_t i = 0; i < tasks->count; i++) {
        const struct p2_game_task *task = &tasks->items[i];
        p2_writer_u64(&writer, task->id);
        p2_writer_u64(&writer, task->tag);
        p2_writer_u64(&writer, task->frame);
        p2_writer_u32(&writer, task->player);
        p2_writer_u64(&writer, task->kernel);
        p2_writer_u64(&writer, task->bytes);
    }
    buf->size += writer.size;
    return writer.error;
}

int p2_game_tasks_read(struct p2_game_tasks *tasks, struct p2_reader *reader)
{
    uint64_t next_id = p2_reader_u64(reader);
    uint32_t count = p2_reader_u32(reader);
    if (reader->error != P2_OK || count > P2_GAME_TASKS_MAX) {
        return P2_E_CORRUPT;
    }
    tasks->next_id = next_id;
    tasks->count = 0;
    tasks->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct p2_game_task *task = &tasks->items[i];
        task->id = p2_reader_u64(reader);
        task->tag = p2_reader_u64(reader);
        task->frame = p2_reader_u64(reader);
        task->player = p2_reader_u32(reader);
        task->kernel = (uint32_t)p2_reader_u64(reader);
        task->bytes = (size_t)p2_reader_u64(reader);
        bool is_sorted = i == 0 || task->id > tasks->items[i - 1].id;
        if (reader->error != P2_OK || !is_sorted || task->id >= next_id ||
            task->bytes > P2_GAME_TASKS_BYTES - tasks->bytes) {
            tasks->count = 0;
            return P2_E_CORRUPT;
        }
        tasks->bytes += task->bytes;
        tasks->count = i + 1;
    }
    return P2_OK;
}
