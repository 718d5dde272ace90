/* The slot's layout and protocol; see the header. The only code that reads what a worker wrote. */
#include "exec/slot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Kernels may use vector loads on their spans; a cache line is the largest alignment in use. */
#define ALIGNMENT 64u

_Static_assert(P2_SLOT_BYTES % P2_SLOT_AREA_BYTES == 0, "areas are whole pages");

static struct p2_slot_request *request_of(const struct p2_slot *slot)
{
    return (struct p2_slot_request *)(void *)slot->map;
}

static struct p2_slot_reply *reply_of(const struct p2_slot *slot)
{
    return (struct p2_slot_reply *)(void *)(slot->map + P2_SLOT_REPLY_AT);
}

int p2_slot_open(struct p2_slot *slot)
{
    int error = P2_E_NOMEM;
    memset(slot, 0, sizeof *slot);
    slot->fd = memfd_create("p2c2r-slot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (slot->fd < 0 || ftruncate(slot->fd, P2_SLOT_BYTES) != 0) {
        goto out;
    }
    if (fcntl(slot->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        error = P2_E_UNSUPPORTED;
        goto out;
    }
    void *map = mmap(NULL, P2_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, slot->fd, 0);
    if (map == MAP_FAILED) {
        goto out;
    }
    slot->map = map;
    return P2_OK;
out:
    p2_slot_close(slot);
    return error;
}

void p2_slot_close(struct p2_slot *slot)
{
    if (slot->map != NULL) {
        (void)munmap(slot->map, P2_SLOT_BYTES); /* our own mapping: cannot fail */
        slot->map = NULL;
    }
    if (slot->fd >= 0) {
        (void)close(slot->fd); /* memory only: nothing to lose */
        slot->fd = -1;
    }
}

int p2_slot_wipe(struct p2_slot *slot)
{
    if (fallocate(slot->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, P2_SLOT_BYTES) != 0) {
        return P2_E_IO;
    }
    return P2_OK;
}

void p2_slot_serve(struct p2_slot *slot, uint64_t generation)
{
    slot->generation = generation;
    slot->count = 0;
    memset(reply_of(slot), 0, sizeof(struct p2_slot_reply));
    request_of(slot)->generation = generation;
    atomic_store_explicit(&request_of(slot)->sequence, slot->sequence, memory_order_release);
}

void p2_slot_begin(struct p2_slot *slot)
{
    slot->count = 0;
    slot->input_used = 0;
    slot->result_used = 0;
    slot->output_used = 0;
}

/* Bytes that `size` takes in an area, a multiple of ALIGNMENT. `size` is at most 1 MiB. */
static uint32_t rounded(size_t size)
{
    return ((uint32_t)size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int p2_slot_add(struct p2_slot *slot, const struct p2_exec_task *task,
                const struct p2_slot_blob *blobs, size_t output_capacity)
{
    if (task->input.size > P2_SLOT_INPUT_BYTES || task->result.size > P2_SLOT_RESULT_BYTES ||
        output_capacity > P2_SLOT_OUTPUT_BYTES || task->blob_count > P2C2R_BLOBS_MAX) {
        return P2_E_TOO_BIG;
    }
    uint32_t input = rounded(task->input.size);
    uint32_t result = rounded(task->result.size);
    uint32_t output = rounded(output_capacity);
    if (slot->count == P2_BATCH_MAX || input > P2_SLOT_INPUT_BYTES - slot->input_used ||
        result > P2_SLOT_RESULT_BYTES - slot->result_used ||
        output > P2_SLOT_OUTPUT_BYTES - slot->output_used) {
        return P2_E_FULL;
    }
    struct p2_slot_entry *entry = &request_of(slot)->entries[slot->count];
    slot->input_used += input;
    slot->output_used += output;
    entry->kernel = task->kernel;
    entry->operation = (uint32_t)task->operation;
    entry->secret = task->secret;
    entry->input_offset = P2_SLOT_INPUT_BYTES - slot->input_used;
    entry->input_size = (uint32_t)task->input.size;
    entry->result_offset = slot->result_used;
    entry->result_size = (uint32_t)task->result.size;
    entry->output_offset = P2_SLOT_OUTPUT_BYTES - slot->output_used;
    entry->output_capacity = (uint32_t)output_capacity;
    entry->blob_count = task->blob_count;
    entry->reserved = 0;
    slot->result_used += result;
    if (task->input.size > 0) {
        memcpy(slot->map + P2_SLOT_INPUT_AT + entry->input_offset, task->input.data,
               task->input.size);
    }
    if (task->result.size > 0) {
        memcpy(slot->map + P2_SLOT_RESULT_AT + entry->result_offset, task->result.data,
               task->result.size);
    }
    if (task->blob_count > 0) {
        memcpy(entry->blobs, blobs, task->blob_count * sizeof *blobs);
    }
    slot->entries[slot->count].output_offset = entry->output_offset;
    slot->entries[slot->count].output_capacity = entry->output_capacity;
    slot->count++;
    return P2_OK;
}

void p2_slot_publish(struct p2_slot *slot)
{
    P2_ASSERT(slot->count > 0 && slot->count <= P2_BATCH_MAX);
    slot->sequence++;
    P2_ASSERT(slot->sequence != P2_SLOT_READY);
    request_of(slot)->count = slot->count;
    atomic_store_explicit(&request_of(slot)->sequence, slot->sequence, memory_order_release);
}

/* One read of shared memory each, whatever the compiler thinks: the worker may change the value
 * between two reads. */
static uint32_t read_once32(const uint32_t *at)
{
    return *(const volatile uint32_t *)at;
}

static uint64_t read_once64(const uint64_t *at)
{
    return *(const volatile uint64_t *)at;
}

bool p2_slot_is_ready(const struct p2_slot *slot, uint32_t *ret_features)
{
    struct p2_slot_reply *reply = reply_of(slot);
    if (atomic_load_explicit(&reply->sequence, memory_order_acquire) != P2_SLOT_READY ||
        read_once64(&reply->generation) != slot->generation) {
        return false;
    }
    *ret_features = read_once32(&reply->features);
    return true;
}

bool p2_slot_has_answer(const struct p2_slot *slot)
{
    return atomic_load_explicit(&reply_of(slot)->sequence, memory_order_acquire) == slot->sequence;
}

/* True when a worker's status and size can be: status known, no output without success. */
static bool is_possible(int32_t status, uint64_t size, uint32_t capacity)
{
    if (status > P2C2R_KERNEL_OK || status < P2C2R_KERNEL_BAD_RESULT) {
        return false;
    }
    return status == P2C2R_KERNEL_OK ? size <= capacity : size == 0;
}

int p2_slot_collect(struct p2_slot *slot, struct p2_slot_outcome outcomes[P2_BATCH_MAX],
                    uint8_t *buffer)
{
    struct p2_slot_reply *reply = reply_of(slot);
    int32_t statuses[P2_BATCH_MAX];
    uint32_t sizes[P2_BATCH_MAX];
    uint64_t sequence = atomic_load_explicit(&reply->sequence, memory_order_acquire);
    P2_ASSERT(slot->count > 0 && slot->count <= P2_BATCH_MAX);
    /* Old numbers are what an honest worker shows before it answers; new ones it cannot know. */
    if (sequence != slot->sequence) {
        return sequence < slot->sequence || sequence == P2_SLOT_READY ? P2_E_AGAIN : P2_E_MALFORMED;
    }
    if (read_once64(&reply->generation) != slot->generation ||
        read_once32(&reply->count) != slot->count) {
        return P2_E_MALFORMED;
    }
    for (uint32_t i = 0; i < slot->count; i++) {
        uint64_t size = read_once64(&reply->outcomes[i].size);
        statuses[i] = *(const volatile int32_t *)&reply->outcomes[i].status;
        if (!is_possible(statuses[i], size, slot->entries[i].output_capacity)) {
            return P2_E_MALFORMED;
        }
        sizes[i] = (uint32_t)size;
    }
    for (uint32_t i = 0; i < slot->count; i++) {
        uint8_t *to = buffer + slot->entries[i].output_offset;
        memcpy(to, slot->map + P2_SLOT_OUTPUT_AT + slot->entries[i].output_offset, sizes[i]);
        outcomes[i].status = statuses[i];
        outcomes[i].output = p2_span(to, sizes[i]);
    }
    return P2_OK;
}

int p2_slot_view_open(struct p2_slot_view *view, int fd)
{
    /* Guards before, between and after the parts: reserve all, then map into it. */
    size_t guard = P2_SLOT_AREA_BYTES;
    uint8_t *base = mmap(NULL, P2_SLOT_BYTES + 4 * guard, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return P2_E_NOMEM;
    }
    uint8_t *read_part = base + guard;
    uint8_t *reply = read_part + P2_SLOT_REPLY_AT + guard;
    uint8_t *output = reply + P2_SLOT_AREA_BYTES + guard;
    if (mmap(read_part, P2_SLOT_REPLY_AT, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
        mmap(reply, P2_SLOT_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             P2_SLOT_REPLY_AT) == MAP_FAILED ||
        mmap(output, P2_SLOT_OUTPUT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
             P2_SLOT_OUTPUT_AT) == MAP_FAILED) {
        return P2_E_NOMEM; /* the reservation goes with the process */
    }
    view->request = (const struct p2_slot_request *)(const void *)read_part;
    view->result = read_part + P2_SLOT_RESULT_AT;
    view->input = read_part + P2_SLOT_INPUT_AT;
    view->reply = (struct p2_slot_reply *)(void *)reply;
    view->output = output;
    return P2_OK;
}
