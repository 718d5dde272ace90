/* Checkpoint and journal back into a game. */
#include "authority/store/recovery.h"

#include "authority/store/saves.h"
#include "authority/store/session_internal.h"

#include <stdlib.h>
#include <string.h>

struct recovery {
    struct p2_store *store;
    uint64_t session;
    const struct p2_recovery_events *events;
    void *ctx;
    struct p2_failure *failure;
    struct p2_tail tail;
    bool has_tail; /* it is whole */
    bool has_world;
    unsigned passed_over; /* checkpoints that are damaged */
    struct p2_checkpoint checkpoint;
    struct p2_chain chain;
    uint64_t next; /* frame to be replayed */
    uint32_t sequences[P2_PLAYERS_MAX];
};

/* ---- where to begin ----------------------------------------------------------------------------------- */

static int read_tail(struct recovery *recovery)
{
    struct p2_txn txn;
    p2_txn_begin_read(&txn, recovery->store);
    int error = p2_tail_read(&txn, recovery->session, &recovery->tail);
    int end = p2_txn_end_read(&txn);
    recovery->has_tail = error == P2_OK;
    if (error == P2_E_CORRUPT) {
        recovery->tail = (struct p2_tail){0};
        return P2_OK; /* the checkpoints and the chain are still there */
    }
    return error != P2_OK ? error : end;
}

static int list_checkpoints(struct recovery *recovery, struct p2_snapshot_info *infos,
                            size_t *ret_count)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(recovery->session);
    struct p2_txn txn;
    size_t kept = 0, damaged = 0;
    p2_txn_begin_read(&txn, recovery->store);
    size_t count = p2_snapshot_list(&txn, &place, infos, &damaged);
    int error = p2_txn_end_read(&txn);
    for (size_t i = 0; i < count; i++) {
        if (infos[i].kind == P2_SNAPSHOT_CHECKPOINT) {
            infos[kept++] = infos[i];
        }
    }
    *ret_count = kept;
    return error;
}

/* Reads one checkpoint whole. */
static int read_checkpoint(struct recovery *recovery, uint64_t number, struct p2_buf *world,
                           struct p2_buf *host)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(recovery->session);
    struct p2_txn txn;
    p2_txn_begin_read(&txn, recovery->store);
    int error = p2_checkpoint_read(&txn, recovery->session, P2_SNAPSHOT_CHECKPOINT, number,
                                   &recovery->checkpoint, host);
    if (error == P2_OK) {
        error = p2_snapshot_read(&txn, &place, P2_SNAPSHOT_CHECKPOINT, number, world, NULL, NULL);
    }
    int end = p2_txn_end_read(&txn);
    error = error != P2_OK ? error : end;
    bool is_of_timeline =
        !recovery->has_tail || (recovery->checkpoint.timeline == recovery->tail.timeline &&
                                recovery->checkpoint.frame <= recovery->tail.next);
    return error == P2_OK && !is_of_timeline ? P2_E_CORRUPT : error;
}

static void raise_sequences(struct recovery *recovery, const uint32_t sequences[P2_PLAYERS_MAX])
{
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        if (sequences[i] > recovery->sequences[i]) {
            recovery->sequences[i] = sequences[i];
        }
    }
}

/* Hands over the newest checkpoint that is whole. P2_OK also when there is none. */
static int begin_with_checkpoint(struct recovery *recovery)
{
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    struct p2_buf world, host;
    size_t count = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    p2_buf_init(&world, P2_SNAPSHOT_WORLD_MAX);
    p2_buf_init(&host, P2_SESSION_HOST_MAX);
    int error = list_checkpoints(recovery, infos, &count);
    for (size_t i = 0; i < count && error == P2_OK && !recovery->has_world; i++) {
        error = read_checkpoint(recovery, infos[i].number, &world, &host);
        if (error == P2_OK) {
            recovery->has_world = true;
        } else if (error == P2_E_CORRUPT || error == P2_E_NOENT) {
            recovery->passed_over++;
            error = P2_OK;
        }
    }
    if (recovery->has_world) {
        const struct p2_checkpoint *from = &recovery->checkpoint;
        recovery->next = from->frame;
        raise_sequences(recovery, from->sequences);
        p2_chain_resume(&recovery->chain, from->head, from->frame - from->first);
        error = recovery->events->world(recovery->ctx, from->frame, from->schema,
                                        p2_buf_span(&world), p2_buf_span(&host));
        if (error != P2_OK) {
            (void)p2_fail(recovery->failure, error,
                          "session %llu: the state before frame %llu cannot be restored: %s",
                          (unsigned long long)recovery->session, (unsigned long long)from->frame,
                          p2_error_text(error));
        }
    }
    p2_buf_free(&world);
    p2_buf_free(&host);
    free(infos);
    return error;
}

/* ---- replay ------------------------------------------------------------------------------------------- */

static uint32_t timeline_of(const struct recovery *recovery)
{
    return recovery->has_tail ? recovery->tail.timeline : recovery->checkpoint.timeline;
}

/* Reads the next frame and checks its place in the chain. P2_E_NOENT: there is none. */
static int read_frame(struct recovery *recovery, struct p2_buf *record, struct p2_span *ret_frame)
{
    uint8_t key[P2_JOURNAL_KEY], version = 0;
    struct p2_txn txn;
    p2_txn_begin_read(&txn, recovery->store);
    bool is_there =
        p2_txn_get(&txn, p2_authority_table(P2_TABLE_JOURNAL),
                   p2_journal_key(key, recovery->session, timeline_of(recovery), recovery->next),
                   &version, record);
    int error = p2_txn_end_read(&txn);
    if (error != P2_OK || !is_there) {
        return error != P2_OK ? error : P2_E_NOENT;
    }
    if (version != P2_SESSION_LAYOUT) {
        return P2_E_CORRUPT;
    }
    return p2_chain_open(&recovery->chain, p2_buf_span(record), ret_frame);
}

/* The inputs of a frame were promised: that outlives a damaged tail. */
static void note_inputs(struct recovery *recovery, struct p2_span frame)
{
    struct p2_journal_reader entries;
    struct p2_journal_entry entry;
    if (p2_journal_reader_init(&entries, frame) != P2_OK) {
        return;
    }
    while (p2_journal_next(&entries, &entry)) {
        if (entry.kind == P2_ENTRY_INPUT && entry.sequence > recovery->sequences[entry.player]) {
            recovery->sequences[entry.player] = entry.sequence;
        }
    }
}

static int replay_frame(struct recovery *recovery, struct p2_span frame)
{
    struct p2_journal_reader entries;
    int error = p2_journal_reader_init(&entries, frame);
    if (error == P2_OK) {
        error = recovery->events->frame(recovery->ctx, recovery->next, &entries);
        if (error != P2_OK) {
            return p2_fail(recovery->failure, error,
                           "session %llu: frame %llu cannot be replayed: %s",
                           (unsigned long long)recovery->session,
                           (unsigned long long)recovery->next, p2_error_text(error));
        }
    }
    return error;
}

static void tell_progress(const struct recovery *recovery, uint64_t from, bool is_last)
{
    uint64_t done = recovery->next - from;
    uint64_t total =
        recovery->has_tail && recovery->tail.next > from ? recovery->tail.next - from : done;
    bool is_time = is_last || done % P2_RECOVERY_PROGRESS_FRAMES == 0;
    if (recovery->events->progress != NULL && is_time) {
        recovery->events->progress(recovery->ctx, done, total);
    }
}

/* Replays until the tail, the damage or an error. *ret_is_whole: nothing that was promised is
 * missing. */
static int replay(struct recovery *recovery, bool *ret_is_whole)
{
    struct p2_buf record;
    uint64_t from = recovery->next;
    int error = P2_OK;
    p2_buf_init(&record, P2_STORE_VALUE_MAX);
    tell_progress(recovery, from, false);
    while (!recovery->has_tail || recovery->next < recovery->tail.next) {
        struct p2_span frame;
        error = read_frame(recovery, &record, &frame);
        if (error != P2_OK) {
            break; /* NOENT and CORRUPT: the frames end here */
        }
        error = replay_frame(recovery, frame);
        if (error != P2_OK) {
            p2_buf_free(&record);
            return error;
        }
        note_inputs(recovery, frame);
        recovery->next++;
        tell_progress(recovery, from, false);
    }
    p2_buf_free(&record);
    tell_progress(recovery, from, true);
    *ret_is_whole = recovery->has_tail && recovery->next == recovery->tail.next &&
                    memcmp(recovery->chain.head, recovery->tail.head, P2_CHAIN_HEAD) == 0;
    return error == P2_E_NOENT || error == P2_E_CORRUPT ? P2_OK : error;
}

/* ---- outcome ------------------------------------------------------------------------------------------ */

static int say_damage(struct recovery *recovery, bool is_begun)
{
    char offer[P2_SAVE_OFFER_MAX];
    p2_saves_offer(recovery->store, recovery->session, offer);
    if (!is_begun) {
        return p2_fail(recovery->failure, P2_E_CORRUPT,
                       "session %llu: no checkpoint is whole (%u are damaged); %s",
                       (unsigned long long)recovery->session, recovery->passed_over, offer);
    }
    if (!recovery->has_tail || recovery->tail.next <= recovery->next) {
        return p2_fail(recovery->failure, P2_E_CORRUPT,
                       "session %llu: its journal is damaged; what came after frame %llu may be "
                       "lost; %s",
                       (unsigned long long)recovery->session, (unsigned long long)recovery->next,
                       offer);
    }
    return p2_fail(recovery->failure, P2_E_CORRUPT,
                   "session %llu: frames %llu to %llu are lost, the journal is damaged; %s",
                   (unsigned long long)recovery->session, (unsigned long long)recovery->next,
                   (unsigned long long)recovery->tail.next - 1, offer);
}

int p2_session_recover(struct p2_store *store, uint64_t session, uint64_t first,
                       const struct p2_recovery_events *events, void *ctx,
                       struct p2_session_position *ret_position, struct p2_failure *failure)
{
    struct recovery recovery = {.store = store,
                                .session = session,
                                .events = events,
                                .ctx = ctx,
                                .failure = failure,
                                .next = first};
    bool is_whole = false;
    *ret_position = (struct p2_session_position){.next = first};
    int error = read_tail(&recovery);
    if (error != P2_OK) {
        return p2_fail(failure, error, "session %llu: %s", (unsigned long long)session,
                       p2_error_text(error));
    }
    error = begin_with_checkpoint(&recovery);
    if (error != P2_OK) {
        return error;
    }
    /* Without a checkpoint only the session's very first frames can be replayed. */
    bool is_begun = recovery.has_world || (recovery.has_tail && recovery.tail.timeline == 1 &&
                                           recovery.tail.first == first);
    if (is_begun) {
        if (!recovery.has_world) {
            p2_session_chain(&recovery.chain, session, recovery.tail.timeline);
        }
        error = replay(&recovery, &is_whole);
    }
    if (error != P2_OK) {
        return error;
    }
    ret_position->timeline = timeline_of(&recovery);
    ret_position->next = recovery.next;
    raise_sequences(&recovery, recovery.tail.sequences);
    memcpy(ret_position->sequences, recovery.sequences, sizeof ret_position->sequences);
    ret_position->is_damaged = !is_whole;
    return is_whole ? P2_OK : say_damage(&recovery, is_begun);
}
