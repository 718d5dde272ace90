/* Physics kernels on hostile inputs, and their checks on hostile results.
 *
 * First byte: which kernel (low two bits) and whether the rest is an input (bit 2 clear) or a
 * result that is checked against a generated case. Inputs are cut to INPUT_CAP so that the
 * fuzzer's time goes into variety. */
#include "kernels/pack.h"
#include "kernels/physics_destruction.h"
#include "kernels/physics_fluid.h"
#include "kernels/physics_rigid_body.h"

#include <stdlib.h>

#define INPUT_CAP 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct p2c2r_kernel_args args_of(const struct p2c2r_kernel *kernel, const uint8_t *input,
                                        size_t size)
{
    static uint8_t output[P2C2R_OUTPUT_MAX];
    static _Alignas(64) uint8_t arena[8u << 20];
    must(kernel->arena_bytes <= sizeof arena);
    memset(arena, 0xa5, kernel->arena_bytes < 65536 ? kernel->arena_bytes : 65536);
    return (struct p2c2r_kernel_args){.input = {input, size},
                                      .output = output,
                                      .output_capacity = kernel->output_max,
                                      .arena = arena,
                                      .arena_size = kernel->arena_bytes};
}

static void fuzz_input(const struct p2c2r_kernel *kernel, const uint8_t *data, size_t size)
{
    struct p2c2r_kernel_args args = args_of(kernel, data, size);
    size_t result_size = 0;
    int status = kernel->run(&args, &result_size);
    uint64_t cost = kernel->cost(args.input, NULL, 0);
    must(status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_BAD_INPUT);
    must((cost == 0) == (status == P2C2R_KERNEL_BAD_INPUT));
    if (status != P2C2R_KERNEL_OK) {
        return;
    }
    must(result_size <= kernel->output_max);
    /* Exact copies: a byte read too far is seen by ASan. A right result always passes. */
    uint8_t *copy = malloc(result_size + 1);
    must(copy != NULL);
    memcpy(copy, args.output, result_size);
    struct p2c2r_bytes result = {copy, result_size};
    must(kernel->check(&args, result, size) == P2C2R_KERNEL_OK);
    free(copy);
}

static void fuzz_result(const struct p2c2r_kernel *kernel, const uint8_t *data, size_t size)
{
    static uint8_t input[P2C2R_INPUT_MAX];
    struct p2c2r_kernel_case test_case = {.input = input};
    kernel->generate(1, size > 0 ? data[0] : 0, &test_case);
    struct p2c2r_kernel_args args = args_of(kernel, input, test_case.input_size);
    size_t result_size = 0;
    must(kernel->run(&args, &result_size) == P2C2R_KERNEL_OK);
    /* Half are edits of a right result: pairs of place and byte. */
    uint8_t *result = malloc(result_size + size + 1);
    must(result != NULL);
    memcpy(result, args.output, result_size);
    struct p2c2r_bytes claimed = {result, result_size};
    if (size > 1 && (data[1] & 1) != 0) {
        claimed = (struct p2c2r_bytes){data, size};
    } else {
        for (size_t i = 2; i + 5 <= size; i += 5) {
            result[p2_load_le32(data + i) % result_size] = data[i + 4];
        }
    }
    int status = kernel->check(&args, claimed, size);
    must(status == P2C2R_KERNEL_OK || status == P2C2R_KERNEL_BAD_RESULT);
    free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct p2c2r_kernel *const kernels[4] = {
        &p2_kernel_physics_rigid_body, &p2_kernel_physics_fluid, &p2_kernel_physics_destruction,
        &p2_kernel_physics_rigid_body};
    if (size == 0 || size > INPUT_CAP) {
        return 0;
    }
    const struct p2c2r_kernel *kernel = kernels[data[0] & 3];
    if ((data[0] & 4) == 0) {
        fuzz_input(kernel, data + 1, size - 1);
    } else {
        fuzz_result(kernel, data + 1, size - 1);
    }
    return 0;
}
