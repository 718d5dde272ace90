#include "tests/sim/sim_store.h"

#include "authority/store/recovery.h"
#include "authority/store/saves.h"
#include "authority/store/schema.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS         8192u /* digests of frames that the world keeps: one chunk */
#define WORLD         (SLOTS * 8)
#define CUT_ONE_IN    150u   /* frames; chosen: a power cut every 2.5 s of play */
#define FULL_ONE_IN   300u   /* frames; a disk that is full for one commit */
#define COMMIT_MAX_US 40000u /* of the simulated disk; chosen: a tired one */
#define SECOND_US     1000000u

/* What a session's journal adds up to. The digest is over all entries in order, so that it is the
 * same only when each of them is. */
struct kept {
    uint64_t digest;
    uint64_t next;
    uint64_t world[SLOTS];
};

/* What is known of a frame that was closed. */
struct past {
    uint64_t digest; /* after it */
    uint64_t state;  /* of the game */
};

struct session {
    struct sim_store *all;
    uint64_t number;
    struct p2_session_store *store;
    struct p2_image_builder *builder;
    struct kept live;
    struct past *past; /* owned; past[frame - first] */
    size_t past_count, past_capacity;
    uint64_t promised; /* frames below are durable */
    uint32_t sequences[P2_PLAYERS_MAX];
    uint64_t hash; /* of the last replayed frame */
};

struct sim_store {
    struct sim *sim;
    struct p2_rng rng;
    char folder[64];
    uint64_t first;
    struct p2_store *store;
    struct p2_store_writer *writer;
    struct session *sessions; /* owned; sessions[count] */
    uint32_t count;
    uint64_t commit_us; /* when the next commit is through */
    uint64_t now_us;
    struct sim_store_figures figures;
};

/* ---- what a journal adds up to ---------------------------------------------------------------- */

static void keep_entry(struct kept *kept, const struct p2_journal_entry *entry)
{
    uint64_t value = sim_mix((uint64_t)entry->kind, entry->task);
    value = sim_mix(value,
                    (uint64_t)entry->player << 40 | (uint64_t)entry->depth << 32 | entry->sequence);
    kept->digest =
        sim_mix(kept->digest, sim_mix(value, sim_hash(entry->bytes.data, entry->bytes.size)));
}

static void keep_frame(struct kept *kept)
{
    kept->digest = sim_mix(kept->digest, kept->next);
    kept->world[kept->next % SLOTS] = kept->digest;
    kept->next++;
}

/* ---- recovery --------------------------------------------------------------------------------- */

static int on_world(void *ctx, uint64_t frame, uint32_t schema, struct p2_span world,
                    struct p2_span host)
{
    struct session *session = ctx;
    if (world.size != WORLD || schema != 1 || host.size != 8) {
        return P2_E_BUG;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        session->live.world[i] = p2_load_be64(world.data + 8 * i);
    }
    session->live.digest = p2_load_be64(host.data);
    session->live.next = frame;
    return P2_OK;
}

static int on_frame(void *ctx, uint64_t frame, struct p2_journal_reader *entries)
{
    struct session *session = ctx;
    struct p2_journal_entry entry;
    if (frame != session->live.next) {
        return P2_E_BUG;
    }
    while (p2_journal_next(entries, &entry)) {
        if (entry.kind == P2_ENTRY_HASH) {
            session->hash = entry.hash;
        } else {
            keep_entry(&session->live, &entry);
        }
    }
    keep_frame(&session->live);
    session->all->figures.replayed++;
    const struct past *past = &session->past[frame - session->all->first];
    if (session->live.digest != past->digest || session->hash != past->state) {
        sim_violation(session->all->sim, "store", "a frame came back changed", frame);
    }
    return p2_journal_reader_end(entries);
}

/* Is what came back what was there before frame `next`, and all that was promised? */
static void check_recovered(struct session *session, const struct p2_session_position *position)
{
    struct sim *sim = session->all->sim;
    uint64_t first = session->all->first, next = position->next;
    if (next < session->promised || next > first + session->past_count) {
        sim_violation(sim, "store", "promised frames are lost, or frames came from nowhere", next);
        return;
    }
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        if (position->sequences[i] < session->sequences[i]) {
            sim_violation(sim, "store", "a promised input is lost", position->sequences[i]);
        }
    }
    for (uint64_t frame = next; frame > first && next - frame < SLOTS; frame--) {
        const struct past *past = &session->past[frame - 1 - first];
        if (session->live.world[(frame - 1) % SLOTS] != past->digest) {
            sim_violation(sim, "store", "the recovered world is another one", frame);
            return;
        }
    }
}

/* ---- the store -------------------------------------------------------------------------------- */

static void on_durable(void *ctx, uint64_t next, const uint32_t *sequences)
{
    struct session *session = ctx;
    if (next < session->promised) {
        sim_violation(session->all->sim, "store", "a promise was taken back", next);
    }
    session->promised = next;
    session->all->figures.durable++;
    memcpy(session->sequences, sequences, sizeof session->sequences);
}

static void open_session(struct session *session, const struct p2_session_position *position)
{
    static const struct p2_session_store_events events = {on_durable, NULL};
    struct p2_session_store_options options = {.writer = session->all->writer,
                                               .session = session->number,
                                               .position = *position,
                                               .events = &events,
                                               .ctx = session,
                                               .now_ms = session->all->now_us / 1000};
    if (p2_session_store_open(&session->store, &options) != P2_OK) {
        abort();
    }
}

static bool open_store(struct sim_store *store)
{
    struct p2_failure failure = {0};
    struct p2_store_options options = {
        .folder = store->folder, .schema = &p2_authority_schema, .map_initial_bytes = 1 << 20};
    if (p2_store_open(&store->store, &options, &failure) != P2_OK) {
        (void)fprintf(stderr, "the simulator's store: %s\n", failure.message);
        return false;
    }
    struct p2_store_writer_options writer = {.store = store->store};
    return p2_store_writer_new(&store->writer, &writer) == P2_OK;
}

/* The plug is pulled: what was not committed is gone. Each session is recovered and checked; the
 * simulated game did not stop meanwhile, so it begins a new timeline where it is now. */
static void cut_power(struct sim_store *store)
{
    for (uint32_t i = 0; i < store->count; i++) {
        p2_session_store_close(store->sessions[i].store);
    }
    p2_store_writer_forget(store->writer);
    p2_store_writer_free(store->writer);
    p2_store_close(store->store);
    if (!open_store(store)) {
        abort();
    }
    store->figures.cuts++;
    for (uint32_t i = 0; i < store->count; i++) {
        static const struct p2_recovery_events events = {.world = on_world, .frame = on_frame};
        struct session *session = &store->sessions[i];
        struct p2_session_position position;
        struct p2_failure failure = {0};
        struct kept live = session->live;
        session->live = (struct kept){.next = store->first};
        int error = p2_session_recover(store->store, session->number, store->first, &events,
                                       session, &position, &failure);
        if (error != P2_OK && error != P2_E_NOENT) {
            (void)fprintf(stderr, "%s\n", failure.message);
            sim_violation(store->sim, "store", "a session cannot be recovered", session->number);
        }
        check_recovered(session, &position);
        session->live = live;
        open_session(session, &position);
        p2_session_store_restart(session->store, session->live.next);
    }
}

/* Stands for a disk that is full while one group is written. */
static int refuse(struct p2_txn *txn, void *ctx)
{
    (void)ctx;
    p2_txn_fail(txn, P2_E_NODISK);
    return P2_E_NODISK;
}

static void fill_disk(struct sim_store *store)
{
    struct p2_batch *batch = p2_batch_new();
    if (batch == NULL) {
        abort();
    }
    p2_batch_work(batch, refuse, NULL, 1);
    if (p2_store_writer_submit(store->writer, batch, NULL, NULL) != P2_OK) {
        p2_batch_free(batch);
        return;
    }
    store->figures.full++;
}

static void write_image(struct session *session, unsigned kinds)
{
    static uint8_t bytes[WORLD];
    uint8_t host[8];
    struct p2_image *image = NULL;
    for (size_t i = 0; i < SLOTS; i++) {
        p2_store_be64(bytes + 8 * i, session->live.world[i]);
    }
    p2_store_be64(host, session->live.digest);
    if (p2_image_builder_update(session->builder, p2_span(bytes, WORLD), NULL) != P2_OK ||
        p2_image_take(session->builder, &image) != P2_OK) {
        abort();
    }
    struct p2_session_image out = {.kinds = kinds,
                                   .frame = session->live.next,
                                   .schema = 1,
                                   .made_ms = session->all->now_us / 1000,
                                   .now_ms = session->all->now_us / 1000,
                                   .image = image,
                                   .host = p2_span(host, sizeof host)};
    int error = p2_session_store_write(session->store, &out, NULL, NULL);
    if (error != P2_OK && error != P2_E_AGAIN) {
        sim_violation(session->all->sim, "store", "an image was refused", (uint64_t)-error);
    }
    session->all->figures.checkpoints++;
}

/* ---- what the simulator calls ----------------------------------------------------------------- */

void sim_store_journal(struct sim_store *store, uint32_t number, const struct p2_effect *effect)
{
    struct session *session = &store->sessions[number];
    struct p2_journal_entry entry;
    if (p2_journal_entry_of(effect, &entry) != P2_OK) {
        abort();
    }
    keep_entry(&session->live, &entry);
    p2_session_store_effect(session->store, effect);
}

static void note_past(struct session *session, uint64_t state)
{
    if (session->past_count == session->past_capacity) {
        size_t capacity = session->past_capacity > 0 ? 2 * session->past_capacity : 1024;
        struct past *past = realloc(session->past, capacity * sizeof *past);
        if (past == NULL) {
            abort();
        }
        session->past = past;
        session->past_capacity = capacity;
    }
    session->past[session->past_count++] = (struct past){session->live.digest, state};
}

static void pass_time(struct sim_store *store)
{
    if (store->now_us >= store->commit_us) {
        (void)p2_store_writer_run(store->writer);
        store->commit_us = store->now_us + p2_rng_below(&store->rng, COMMIT_MAX_US);
    }
    if (p2_rng_below(&store->rng, FULL_ONE_IN) == 0) {
        fill_disk(store);
    }
    if (p2_rng_below(&store->rng, CUT_ONE_IN) == 0) {
        cut_power(store);
    }
}

void sim_store_frame(struct sim_store *store, uint32_t number, uint64_t frame, uint64_t state,
                     uint64_t now_us)
{
    struct session *session = &store->sessions[number];
    store->now_us = now_us;
    store->figures.frames++;
    keep_frame(&session->live);
    note_past(session, state);
    p2_session_store_add(session->store,
                         &(struct p2_journal_entry){.kind = P2_ENTRY_HASH, .hash = state});
    if (p2_session_store_frame(session->store, frame) != P2_OK) {
        sim_violation(store->sim, "store", "a frame is not the next one", frame);
    }
    unsigned kinds = p2_session_store_due(session->store, now_us / 1000);
    if (kinds != 0) {
        write_image(session, kinds);
    }
    pass_time(store);
}

struct sim_store_figures sim_store_figures(const struct sim_store *store)
{
    return store->figures;
}

/* ---- life ------------------------------------------------------------------------------------- */

struct sim_store *sim_store_open(struct sim *sim, uint32_t sessions, uint64_t first)
{
    const char *tmpdir = getenv("TMPDIR");
    const char *home = access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                       : tmpdir != NULL              ? tmpdir
                                                     : "/tmp";
    struct sim_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    store->sim = sim;
    store->first = first;
    store->count = sessions;
    store->sessions = calloc(sessions, sizeof *store->sessions);
    p2_rng_init_u64(&store->rng, sim->seed, "store");
    int length = snprintf(store->folder, sizeof store->folder, "%s/p2c2r-sim-XXXXXX", home);
    if (store->sessions == NULL || length < 0 || (size_t)length >= sizeof store->folder ||
        mkdtemp(store->folder) == NULL || !open_store(store)) {
        free(store->sessions);
        free(store);
        return NULL;
    }
    for (uint32_t i = 0; i < sessions; i++) {
        struct session *session = &store->sessions[i];
        session->all = store;
        session->number = i + 1;
        session->promised = first;
        session->live.next = first;
        if (p2_image_builder_new(&session->builder, WORLD) != P2_OK) {
            abort();
        }
        open_session(session, &(struct p2_session_position){.next = first});
    }
    return store;
}

static void remove_folder(const char *folder)
{
    DIR *list = opendir(folder);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        (void)unlinkat(dirfd(list), entry->d_name, 0); /* "." and ".." stay */
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    (void)rmdir(folder);
}

void sim_store_close(struct sim_store *store)
{
    if (store == NULL) {
        return;
    }
    for (uint32_t i = 0; i < store->count; i++) {
        struct session *session = &store->sessions[i];
        p2_session_store_close(session->store);
        p2_image_builder_free(session->builder);
        free(session->past);
    }
    p2_store_writer_stop(store->writer, NULL, NULL);
    p2_store_writer_free(store->writer);
    p2_store_close(store->store);
    remove_folder(store->folder);
    free(store->sessions);
    free(store);
}
