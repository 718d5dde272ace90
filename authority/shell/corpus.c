/* Generated cases. */
#include "authority/shell/corpus.h"

#include "kernels/harness.h"

#include <stdlib.h>
#include <string.h>

/* Generated cases looked at per kernel to find small ones. Chosen. */
#define TRIES_PER_CASE 8u

/* Memory of the blobs in the authority's own pool. */
static int copy_span(struct p2_span from, struct p2_span *ret_copy)
{
    uint8_t *copy = malloc(from.size > 0 ? from.size : 1);
    if (copy == NULL) {
        return P2_E_NOMEM;
    }
    if (from.size > 0) {
        memcpy(copy, from.data, from.size);
    }
    *ret_copy = p2_span(copy, from.size);
    return P2_OK;
}

/* The blob with these bytes, added when it is new. */
static int intern_blob(struct p2_corpus *corpus, struct p2_pool *pool, uint64_t tag,
                       struct p2_span data, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < corpus->blob_count; i++) {
        if (p2_span_equal(corpus->blobs[i].data, data)) {
            *ret_index = i;
            return P2_OK;
        }
    }
    if (corpus->blob_count == P2_CORPUS_BLOBS_MAX) {
        return P2_E_LIMIT;
    }
    struct p2_corpus_blob *blob = &corpus->blobs[corpus->blob_count];
    int error = p2_pool_blob_put(pool, tag, data, &blob->place);
    if (error == P2_OK) {
        error = copy_span(data, &blob->data);
    }
    if (error == P2_OK) {
        *ret_index = corpus->blob_count++;
        corpus->blob_bytes += data.size;
    }
    return error;
}

static int add_case(struct p2_corpus *corpus, struct p2_pool *pool, uint64_t tag, uint32_t kernel,
                    const struct p2_harness *harness)
{
    const struct p2c2r_kernel_case *made = &harness->test_case;
    if (corpus->case_count == P2_CORPUS_MAX) {
        return P2_E_LIMIT;
    }
    struct p2_corpus_case *row = &corpus->cases[corpus->case_count];
    row->kernel = kernel;
    row->cost_us = p2_harness_cost(harness);
    row->blob_count = made->blob_count;
    for (uint32_t i = 0; i < made->blob_count; i++) {
        int error = intern_blob(corpus, pool, tag,
                                p2_span(made->blobs[i].data, made->blobs[i].size), &row->blobs[i]);
        if (error != P2_OK) {
            return error;
        }
        row->places[i] = corpus->blobs[row->blobs[i]].place;
    }
    int error = copy_span(p2_span(made->input, made->input_size), &row->input);
    if (error == P2_OK) {
        corpus->case_count++;
    }
    return error;
}

static int add_kernel(struct p2_corpus *corpus, struct p2_pool *pool, uint64_t tag, uint32_t index,
                      const struct p2c2r_kernel *kernel, uint64_t seed)
{
    struct p2_harness *harness = NULL;
    const uint32_t wanted = kernel->blobs_max > 0 ? P2_CORPUS_RAY_CASES : P2_CORPUS_CASES;
    uint32_t found = 0;
    int error = p2_harness_open(&harness, kernel);
    for (uint32_t i = 0; i < wanted * TRIES_PER_CASE && found < wanted && error == P2_OK; i++) {
        p2_harness_generate(harness, seed, i);
        if (p2_harness_cost(harness) <= P2_CORPUS_COST_MAX) {
            error = add_case(corpus, pool, tag, index, harness);
            found++;
        }
    }
    p2_harness_close(harness);
    return error;
}

int p2_corpus_open(struct p2_pool *pool, uint64_t tag, const struct p2c2r_kernel *const *kernels,
                   const bool *use, size_t count, uint64_t seed, struct p2_corpus **ret_corpus)
{
    struct p2_corpus *corpus = calloc(1, sizeof *corpus);
    int error = corpus != NULL ? P2_OK : P2_E_NOMEM;
    for (size_t i = 0; i < count && error == P2_OK; i++) {
        if (use[i]) {
            error = add_kernel(corpus, pool, tag, (uint32_t)i, kernels[i], seed);
        }
    }
    if (error == P2_OK && corpus->case_count == 0) {
        error = P2_E_NOENT;
    }
    if (error != P2_OK) {
        p2_corpus_close(corpus);
        return error;
    }
    *ret_corpus = corpus;
    return P2_OK;
}

static void free_span(struct p2_span span)
{
    free((void *)(uintptr_t)span.data); /* allocated by copy_span, read-only since */
}

void p2_corpus_close(struct p2_corpus *corpus)
{
    if (corpus == NULL) {
        return;
    }
    for (uint32_t i = 0; i < corpus->case_count; i++) {
        free_span(corpus->cases[i].input);
    }
    for (uint32_t i = 0; i < corpus->blob_count; i++) {
        free_span(corpus->blobs[i].data);
    }
    free(corpus);
}
