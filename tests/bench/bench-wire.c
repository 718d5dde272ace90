/* What a message costs: encode and decode of the two messages of which there are thousands a
 * second, warm, one thread. Prints the median of several runs in nanoseconds; nothing passes or
 * fails here. */
#include "wire/decode.h"
#include "wire/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS  9       /* odd, for a median */
#define CALLS 200000u /* about 10 ms a run */

static uint8_t input[1024];
static uint8_t room[4096];
static volatile uint64_t sink; /* keeps the compiler from dropping the work */

static uint64_t now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail for this clock */
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void encode_lease(void)
{
    static struct p2_msg_lease lease = {.id = 1000000,
                                        .kernel = 3,
                                        .version = 1,
                                        .budget_us = 33000,
                                        .output_max = 65536,
                                        .input = {input, sizeof input}};
    struct p2_writer writer;
    p2_writer_init(&writer, room, sizeof room);
    lease.id++;
    sink += (uint64_t)p2_wire_encode_lease(&writer, &lease) + writer.size;
}

static void encode_result(void)
{
    static struct p2_msg_result result = {.id = 1000000, .exec_us = 900, .output = {input, 64}};
    struct p2_writer writer;
    p2_writer_init(&writer, room, sizeof room);
    result.id++;
    sink += (uint64_t)p2_wire_encode_result(&writer, &result) + writer.size;
}

static struct p2_span encoded;

static void decode_lease(void)
{
    static struct p2_msg_lease lease;
    sink += (uint64_t)p2_wire_decode_lease(&lease, encoded) + lease.input.size;
}

static void decode_result(void)
{
    static struct p2_msg_result result;
    sink += (uint64_t)p2_wire_decode_result(&result, encoded) + result.output.size;
}

/* Leaves an encoded message in `encoded` for the decoder that follows. */
static void keep(void (*encode)(void), size_t size)
{
    encode();
    encoded = p2_span(room, size);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, void (*call)(void))
{
    double ns[RUNS];
    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t start = now_ns();
        for (unsigned i = 0; i < CALLS; i++) {
            call();
        }
        ns[run] = (double)(now_ns() - start) / CALLS;
    }
    qsort(ns, RUNS, sizeof ns[0], compare);
    (void)printf("wire\t%s\tns=%.1f\n", name, ns[RUNS / 2]);
}

/* The size of what `encode` writes. */
static size_t size_of(void (*encode)(void))
{
    uint64_t before = sink;
    encode();
    return (size_t)(sink - before);
}

int main(void)
{
    measure("encode_lease_1KiB", encode_lease);
    keep(encode_lease, size_of(encode_lease));
    measure("decode_lease_1KiB", decode_lease);
    measure("encode_result_64", encode_result);
    keep(encode_result, size_of(encode_result));
    measure("decode_result_64", decode_result);
    return EXIT_SUCCESS;
}
