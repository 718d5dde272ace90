/* Kernels of games' minds and chunks on hostile inputs and hostile results.
 *
 * First byte: which kernel. Two bytes (little-endian): how many of the rest are the input; what
 * follows is a result for check and canonical. With bit 7 of the first byte set the rest edits the
 * right result of a generated case: groups of place (3 bytes) and byte. A right result must pass its
 * check, and a kernel that accepts an input must name a cost for it. */
#include "kernels/ai_npc_dialogue.h"
#include "kernels/ai_pathfinding.h"
#include "kernels/ai_procedural.h"
#include "kernels/compress.h"
#include "kernels/harness.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Units of predicted cost above which an input is not run. Chosen: keeps one input below 0.1 s. */
#define COST_MAX 50000u

static const struct p2c2r_kernel *const kernels[] = {&p2_kernel_ai_pathfinding,
                                                     &p2_kernel_ai_npc_dialogue,
                                                     &p2_kernel_ai_procedural, &p2_kernel_compress};

static void try_case(struct p2_harness *harness, struct p2_span hostile)
{
    struct p2_span result, bytes;
    const uint64_t cost = p2_harness_cost(harness);
    if (cost > COST_MAX) {
        return;
    }
    const int status = p2_harness_run(harness, &result);
    P2_ASSERT((status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_OUTPUT_FULL) == (cost > 0));
    (void)p2_harness_check(harness, hostile, hostile.size);
    (void)p2_harness_canonical(harness, hostile, &bytes);
    if (status == P2C2R_KERNEL_OK) {
        P2_ASSERT(p2_harness_check(harness, result, hostile.size) == P2C2R_KERNEL_OK);
    }
}

static void try_edits(struct p2_harness *harness, struct p2_span edits)
{
    struct p2_span result, bytes;
    p2_harness_generate(harness, 1, edits.size % 64);
    P2_ASSERT(p2_harness_run(harness, &result) == P2C2R_KERNEL_OK);
    const size_t size = result.size;
    uint8_t *edited = malloc(size + 1); /* exact but for one: ASan sees what is read too far */
    P2_ASSERT(edited != NULL);
    memcpy(edited, result.data, size);
    for (size_t i = 0; i + 4 <= edits.size && size > 0; i += 4) {
        const size_t at = (size_t)edits.data[i] | (size_t)edits.data[i + 1] << 8 |
                          (size_t)edits.data[i + 2] << 16;
        edited[at % size] = edits.data[i + 3];
    }
    const int status = p2_harness_check(harness, p2_span(edited, size), edits.size);
    P2_ASSERT(status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_BAD_RESULT);
    (void)p2_harness_canonical(harness, p2_span(edited, size), &bytes);
    free(edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p2_harness *harness[P2_COUNT_OF(kernels)]; /* kept: arenas are large */
    if (size < 3) {
        return 0;
    }
    const size_t which = (data[0] & 127) % P2_COUNT_OF(kernels);
    const size_t wanted = (size_t)data[1] | (size_t)data[2] << 8;
    const size_t input = wanted < size - 3 ? wanted : size - 3;
    if (harness[which] == NULL && p2_harness_open(&harness[which], kernels[which]) != 0) {
        abort();
    }
    if ((data[0] & 128) != 0) {
        try_edits(harness[which], p2_span(data + 3, size - 3));
    } else if (p2_harness_load(harness[which], p2_span(data + 3, input), NULL, 0) == 0) {
        try_case(harness[which], p2_span(data + 3 + input, size - 3 - input));
    }
    return 0;
}
