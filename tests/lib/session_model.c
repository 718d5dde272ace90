#include "tests/lib/session_model.h"

#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void model_init(struct session_model *model, size_t size)
{
    *model = (struct session_model){.size = size, .next = 1};
    model->world = malloc(size);
    if (model->world == NULL) {
        abort();
    }
    for (size_t i = 0; i + 8 <= size; i += 8) {
        p2_store_be64(model->world + i, i / 4096); /* compresses, but not to nothing */
    }
}

void model_free(struct session_model *model)
{
    free(model->world);
    model->world = NULL;
}

size_t model_entries(const struct session_model *model,
                     struct p2_journal_entry entries[MODEL_ENTRIES_MAX],
                     struct model_scratch *scratch)
{
    uint64_t draw = mix(model->next);
    size_t count = 0;
    for (uint8_t i = 0; i < MODEL_PLAYERS; i++) {
        if ((draw >> i & 1) != 0) {
            size_t size = mix(draw + i) % (P2_WIRE_INPUT_MAX + 1);
            memset(scratch->bytes[count], (int)(draw >> 8 & 0xff), size);
            entries[count] = (struct p2_journal_entry){
                .kind = P2_ENTRY_INPUT,
                .player = i,
                .sequence = model->sequences[i] + 1 + (uint32_t)(mix(draw + 7) % 3),
                .bytes = p2_span(scratch->bytes[count], size)};
            count++;
        }
    }
    if (draw % 5 == 0) {
        entries[count++] =
            (struct p2_journal_entry){.kind = P2_ENTRY_DEPTH, .depth = (uint8_t)(1 + draw % 3)};
    }
    if (draw % 2 == 0) {
        memset(scratch->bytes[count], (int)(draw >> 16 & 0xff), 200);
        entries[count] = (struct p2_journal_entry){.kind = P2_ENTRY_RESULT,
                                                   .task = model->next,
                                                   .bytes = p2_span(scratch->bytes[count], 200)};
        count++;
    }
    if (draw % 7 == 0) {
        entries[count++] =
            (struct p2_journal_entry){.kind = P2_ENTRY_RECOMPUTE, .task = model->next};
    }
    return count;
}

/* Changes eight bytes somewhere, and the state word at the beginning. */
static void touch(struct session_model *model, uint64_t value)
{
    uint64_t state = mix(p2_load_be64(model->world) ^ value);
    size_t at = 8 * (size_t)(state % (model->size / 8));
    p2_store_be64(model->world + at, state ^ value);
    p2_store_be64(model->world, state);
}

void model_apply(struct session_model *model, const struct p2_journal_entry *entry)
{
    uint64_t value = (uint64_t)entry->kind << 56 ^ entry->task << 20 ^ (uint64_t)entry->depth;
    for (size_t i = 0; i < entry->bytes.size; i++) {
        value = mix(value ^ entry->bytes.data[i]);
    }
    if (entry->kind == P2_ENTRY_INPUT && entry->player < MODEL_PLAYERS) {
        value ^= mix((uint64_t)entry->player << 32 | entry->sequence);
        model->sequences[entry->player] = entry->sequence;
    }
    touch(model, value);
}

void model_close(struct session_model *model)
{
    touch(model, model->next);
    model->next++;
}

uint64_t model_hash(const struct session_model *model)
{
    uint8_t next[8], digest[32];
    p2_store_be64(next, model->next);
    struct p2_span parts[] = {p2_span(next, sizeof next), p2_span(model->world, model->size)};
    p2_hash(digest, sizeof digest, parts, P2_COUNT_OF(parts));
    return p2_load_be64(digest);
}

void model_run(struct session_model *model, struct p2_session_store *store)
{
    struct p2_journal_entry entries[MODEL_ENTRIES_MAX];
    struct model_scratch scratch;
    uint64_t frame = model->next;
    size_t count = model_entries(model, entries, &scratch);
    for (size_t i = 0; i < count; i++) {
        model_apply(model, &entries[i]);
        if (store != NULL) {
            p2_session_store_add(store, &entries[i]);
        }
    }
    model_close(model);
    if (store != NULL) {
        p2_session_store_add(store, &(struct p2_journal_entry){.kind = P2_ENTRY_HASH,
                                                               .hash = p2_load_be64(model->world)});
        if (p2_session_store_frame(store, frame) != P2_OK) {
            abort();
        }
    }
}

bool model_is_right(const struct session_model *model)
{
    struct session_model reference;
    model_init(&reference, model->size);
    while (reference.next < model->next) {
        model_run(&reference, NULL);
    }
    bool is_right = memcmp(reference.world, model->world, model->size) == 0 &&
                    memcmp(reference.sequences, model->sequences, sizeof model->sequences) == 0;
    model_free(&reference);
    return is_right;
}

static int on_world(void *ctx, uint64_t frame, uint32_t schema, struct p2_span world,
                    struct p2_span host)
{
    struct session_model *model = ctx;
    if (world.size != model->size || schema != 3 || host.size != 4 * MODEL_PLAYERS) {
        return P2_E_BUG;
    }
    memcpy(model->world, world.data, world.size);
    model->next = frame;
    for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
        model->sequences[i] = p2_load_be32(host.data + 4 * (size_t)i);
    }
    return P2_OK;
}

static int on_frame(void *ctx, uint64_t frame, struct p2_journal_reader *entries)
{
    struct session_model *model = ctx;
    struct p2_journal_entry entry;
    bool has_hash = false;
    uint64_t hash = 0;
    if (frame != model->next) {
        return P2_E_BUG;
    }
    while (p2_journal_next(entries, &entry)) {
        if (entry.kind == P2_ENTRY_HASH) {
            has_hash = true;
            hash = entry.hash;
        } else {
            model_apply(model, &entry);
        }
    }
    model_close(model);
    int error = p2_journal_reader_end(entries);
    return error != P2_OK                                   ? error
           : has_hash && hash == p2_load_be64(model->world) ? P2_OK
                                                            : P2_E_BUG;
}

const struct p2_recovery_events model_recovery = {.world = on_world, .frame = on_frame};

void model_image(struct session_model *model, struct p2_image_builder *builder, unsigned kinds,
                 struct p2_session_image *image)
{
    static uint8_t host[4 * MODEL_PLAYERS];
    for (unsigned i = 0; i < MODEL_PLAYERS; i++) {
        p2_store_be32(host + 4 * (size_t)i, model->sequences[i]);
    }
    *image = (struct p2_session_image){.kinds = kinds,
                                       .frame = model->next,
                                       .schema = 3,
                                       .made_ms = 1000 * model->next,
                                       .now_ms = model->next * 1000 / 60,
                                       .host = p2_span(host, sizeof host)};
    if (p2_image_builder_update(builder, p2_span(model->world, model->size), NULL) != P2_OK ||
        p2_image_take(builder, &image->image) != P2_OK) {
        abort();
    }
}
