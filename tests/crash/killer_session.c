/* A session as a host keeps it: every start recovers it, then it journals frames, writes checkpoints
 * and autosaves, until it is killed. What was promised must be there, and the world must be, byte for
 * byte, the one that this many frames make. */
#include "tests/crash/killer.h"

#include "authority/store/schema.h"
#include "tests/lib/session_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Chosen: as for the accounts, and three commits more on a disk that takes 8 ms. */
#define LIFE_MAX_US 40000

#define SESSION          UINT64_C(1)
#define WORLD            ((size_t)160 << 10) /* three chunks */
#define AHEAD            8                   /* frames that are not durable yet */
#define CHECKPOINT_EVERY 7                   /* frames; a second of them is too long for a life */
#define AUTOSAVE_EVERY   28

static struct killer_shared *shared;
static struct session_model model;
static struct p2_session_store *session;
static struct p2_image_builder *builder;
static uint64_t durable;

static int open_store(struct p2_store **ret_store, const char *folder)
{
    struct p2_failure failure = {0};
    struct p2_store_options options = {
        .folder = folder, .schema = &p2_authority_schema, .map_initial_bytes = 1 << 20};
    int error = p2_store_open(ret_store, &options, &failure);
    if (error != P2_OK) {
        (void)fprintf(stderr, "%s\n", failure.message);
    }
    return error;
}

/* The state the store has; P2_E_NOENT is a session that never committed anything. */
static bool recover(struct p2_store *store, struct p2_session_position *position)
{
    struct p2_failure failure = {0};
    int error = p2_session_recover(store, SESSION, 1, &model_recovery, &model, position, &failure);
    if (error != P2_OK && error != P2_E_NOENT) {
        (void)fprintf(stderr, "%s\n", failure.message);
        return false;
    }
    return true;
}

/* ---- the child -------------------------------------------------------------------------------- */

static void on_image(void *ctx, int error, const struct p2_failure *failure)
{
    (void)ctx;
    if (error != P2_OK) {
        (void)fprintf(stderr, "image: %s\n", failure->message);
        atomic_store(&shared->mistake, error);
        return;
    }
    atomic_fetch_add(&shared->images, 1);
}

static void write_image(void)
{
    struct p2_session_image image;
    unsigned kinds = P2_DUE_CHECKPOINT;
    kinds |= model.next % AUTOSAVE_EVERY == 0 ? P2_DUE_AUTOSAVE : 0;
    model_image(&model, builder, kinds, &image);
    if (p2_session_store_write(session, &image, on_image, NULL) != P2_OK) {
        abort();
    }
}

static void play(void)
{
    while (model.next < durable + AHEAD) {
        atomic_store(&shared->submitted, model.next);
        model_run(&model, session);
        if (model.next % CHECKPOINT_EVERY == 0) {
            write_image();
        }
    }
}

static void on_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    (void)ctx;
    (void)sequences;
    durable = next;
    atomic_store(&shared->acknowledged, next - 1);
    play();
}

static void on_trouble(void *ctx, int error, const struct p2_failure *failure)
{
    (void)ctx;
    (void)fprintf(stderr, "journal: %s\n", failure != NULL ? failure->message : "");
    atomic_store(&shared->mistake, error);
}

static int run(const char *folder, struct killer_shared *in)
{
    static const struct p2_session_store_events events = {on_durable, on_trouble};
    struct p2_store *store = NULL;
    struct p2_store_writer *writer = NULL;
    struct p2_session_position position;
    uv_loop_t loop;
    shared = in;
    model_init(&model, WORLD);
    if (open_store(&store, folder) != P2_OK || !recover(store, &position)) {
        atomic_store(&shared->mistake, P2_E_CORRUPT);
        return 1;
    }
    struct p2_store_writer_options options = {.store = store, .loop = &loop};
    if (uv_loop_init(&loop) != 0 || p2_store_writer_new(&writer, &options) != P2_OK ||
        p2_image_builder_new(&builder, WORLD) != P2_OK) {
        return 1;
    }
    struct p2_session_store_options session_options = {
        .writer = writer, .session = SESSION, .position = position, .events = &events};
    if (p2_session_store_open(&session, &session_options) != P2_OK) {
        return 1;
    }
    durable = position.next;
    play();
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}

/* ---- the parent ------------------------------------------------------------------------------- */

/* The reference follows the store: frames never become fewer. */
static bool is_as_reference(void)
{
    static struct session_model reference;
    if (reference.world == NULL) {
        model_init(&reference, WORLD);
    }
    if (model.next < reference.next) {
        (void)fprintf(stderr, "frame %llu after frame %llu was there\n",
                      (unsigned long long)model.next, (unsigned long long)reference.next);
        return false;
    }
    while (reference.next < model.next) {
        model_run(&reference, NULL);
    }
    return memcmp(reference.world, model.world, WORLD) == 0 &&
           memcmp(reference.sequences, model.sequences, sizeof model.sequences) == 0;
}

static bool verify(const char *folder, struct killer_shared *in, uint64_t *ret_count)
{
    struct p2_session_position position;
    struct p2_store *store = NULL;
    if (open_store(&store, folder) != P2_OK) {
        return false;
    }
    model_init(&model, WORLD);
    bool is_good = recover(store, &position);
    p2_store_close(store);
    if (is_good && !is_as_reference()) {
        (void)fprintf(stderr, "another state before frame %llu\n", (unsigned long long)model.next);
        is_good = false;
    }
    for (unsigned i = 0; i < MODEL_PLAYERS && is_good; i++) {
        is_good = position.sequences[i] == model.sequences[i];
    }
    uint64_t count = model.next - 1;
    if (is_good &&
        (count < atomic_load(&in->acknowledged) || count > atomic_load(&in->submitted))) {
        (void)fprintf(stderr, "%llu frames, but %llu promised of %llu\n", (unsigned long long)count,
                      (unsigned long long)atomic_load(&in->acknowledged),
                      (unsigned long long)atomic_load(&in->submitted));
        is_good = false;
    }
    model_free(&model);
    *ret_count = count;
    return is_good;
}

const struct killer_workload killer_session = {"frames", LIFE_MAX_US, run, verify};
