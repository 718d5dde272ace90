/* The slot protocol with a hostile worker: arbitrary bytes in everything a worker can write. What
 * p2_slot_collect takes must lie within what the daemon itself set up. */
#include "exec/slot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p2_slot slot;
static uint8_t *buffer;

/* Fills a hand-over as the first bytes say; the capacity of each task goes to `capacities`. */
static void publish(const uint8_t *data, size_t size, uint32_t capacities[P2_BATCH_MAX])
{
    static const uint8_t input[64];
    uint32_t count = size > 0 ? data[0] % P2_BATCH_MAX + 1 : 1;
    p2_slot_begin(&slot);
    for (uint32_t i = 0; i < count; i++) {
        struct p2_exec_task task = {.input = {input, i % sizeof input}};
        capacities[i] = i + 1 < size ? data[i + 1] * 257u : 0;
        P2_ASSERT(p2_slot_add(&slot, &task, NULL, capacities[i]) == P2_OK);
    }
    p2_slot_publish(&slot);
}

static void check(const struct p2_slot_outcome *outcomes, const uint32_t *capacities)
{
    for (uint32_t i = 0; i < slot.count; i++) {
        struct p2_span output = outcomes[i].output;
        P2_ASSERT(outcomes[i].status <= P2C2R_KERNEL_OK &&
                  outcomes[i].status >= P2C2R_KERNEL_BAD_RESULT);
        P2_ASSERT(output.size <= capacities[i]);
        P2_ASSERT(outcomes[i].status == P2C2R_KERNEL_OK || output.size == 0);
        P2_ASSERT(output.data >= buffer && output.data <= buffer + P2_SLOT_OUTPUT_BYTES);
        P2_ASSERT(output.size <= (size_t)(buffer + P2_SLOT_OUTPUT_BYTES - output.data));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_slot_outcome outcomes[P2_BATCH_MAX];
    uint32_t capacities[P2_BATCH_MAX], features;
    if (buffer == NULL) {
        buffer = malloc(P2_SLOT_OUTPUT_BYTES);
        P2_ASSERT(buffer != NULL && p2_slot_open(&slot) == P2_OK);
    }
    slot.sequence = 0; /* the same input means the same every time */
    p2_slot_serve(&slot, 1);
    publish(data, size, capacities);
    size_t head = 1 + slot.count < size ? 1 + slot.count : size;
    size_t tail = size - head;
    size_t most = P2_SLOT_BYTES - P2_SLOT_REPLY_AT;
    if (tail > 0) {
        memcpy(slot.map + P2_SLOT_REPLY_AT, data + head, tail < most ? tail : most);
    }
    (void)p2_slot_is_ready(&slot, &features);
    if (p2_slot_collect(&slot, outcomes, buffer) == P2_OK) {
        check(outcomes, capacities);
    }
    return 0;
}
