/* What runs on the writer's thread for a session: frames into the chain, images into saves. */
#include "authority/store/session_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- frames ------------------------------------------------------------------------------------------- */

/* The tail the frame must follow; a session that never wrote anything begins with it. */
static int tail_before(struct p2_txn *txn, const struct p2_session_frame *frame,
                       struct p2_tail *tail)
{
    int error = p2_tail_read(txn, frame->session, tail);
    if (error == P2_E_NOENT) {
        struct p2_chain chain;
        p2_session_chain(&chain, frame->session, frame->timeline);
        *tail = (struct p2_tail){
            .timeline = frame->timeline, .first = frame->number, .next = frame->number};
        memcpy(tail->head, chain.head, P2_CHAIN_HEAD);
        error = P2_OK;
    }
    if (error == P2_OK && (tail->timeline != frame->timeline || tail->next != frame->number)) {
        error = P2_E_STATE;
    }
    return error;
}

int p2_session_write_frame(struct p2_txn *txn, void *ctx)
{
    struct p2_session_frame *frame = ctx;
    struct p2_tail tail;
    struct p2_chain chain;
    uint8_t key[P2_JOURNAL_KEY];
    int error = tail_before(txn, frame, &tail);
    if (error != P2_OK) {
        return error;
    }
    struct p2_span entry =
        p2_span(frame->bytes.data + P2_CHAIN_HEAD, frame->bytes.size - P2_CHAIN_HEAD);
    p2_chain_resume(&chain, tail.head, tail.next - tail.first);
    p2_chain_seal(&chain, entry, frame->bytes.data);
    p2_txn_put(txn, p2_authority_table(P2_TABLE_JOURNAL),
               p2_journal_key(key, frame->session, frame->timeline, frame->number),
               P2_SESSION_LAYOUT, p2_buf_span(&frame->bytes));
    memcpy(tail.head, chain.head, P2_CHAIN_HEAD);
    tail.next = frame->number + 1;
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        if ((frame->seats >> i & 1) != 0) {
            tail.sequences[i] = frame->sequences[i];
        }
    }
    p2_tail_write(txn, frame->session, &tail);
    return txn->error;
}

/* ---- checkpoints -------------------------------------------------------------------------------------- */

/* The head of the chain before the image's frame: what the record before it carries. */
static int find_head(struct p2_txn *txn, const struct p2_session_saving *saving,
                     const struct p2_tail *tail, uint8_t head[P2_CHAIN_HEAD])
{
    uint8_t key[P2_JOURNAL_KEY];
    struct p2_chain chain;
    if (saving->frame == tail->next) {
        memcpy(head, tail->head, P2_CHAIN_HEAD);
        return P2_OK;
    }
    if (saving->frame == tail->first) {
        p2_session_chain(&chain, saving->session, tail->timeline);
        memcpy(head, chain.head, P2_CHAIN_HEAD);
        return P2_OK;
    }
    struct p2_buf bytes;
    p2_buf_init(&bytes, P2_STORE_VALUE_MAX);
    int error = P2_OK;
    if (!p2_txn_get(txn, p2_authority_table(P2_TABLE_JOURNAL),
                    p2_journal_key(key, saving->session, tail->timeline, saving->frame - 1), NULL,
                    &bytes) ||
        bytes.size < P2_CHAIN_HEAD) {
        error = txn->error != P2_OK ? txn->error : P2_E_CORRUPT;
    } else {
        memcpy(head, bytes.data, P2_CHAIN_HEAD);
    }
    p2_buf_free(&bytes);
    return error;
}

/* Deletes what a base replaces: all checkpoints and all frames of earlier timelines. */
static int drop_timelines(struct p2_txn *txn, uint64_t session)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    uint8_t key[8];
    size_t damaged = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    size_t count = p2_snapshot_list(txn, &place, infos, &damaged);
    int error = txn->error;
    for (size_t i = 0; i < count && error == P2_OK; i++) {
        if (infos[i].kind == P2_SNAPSHOT_CHECKPOINT) {
            error = p2_session_save_delete(txn, session, infos[i].kind, infos[i].number);
        }
    }
    free(infos);
    p2_store_be64(key, session);
    (void)p2_txn_delete_prefix(txn, p2_authority_table(P2_TABLE_JOURNAL), p2_span(key, sizeof key));
    return error != P2_OK ? error : txn->error;
}

/* The tail of a timeline that begins with the image. Promises stay: no sequence goes back. */
static int begin_timeline(struct p2_txn *txn, struct p2_session_saving *saving,
                          struct p2_tail *tail)
{
    struct p2_tail old = {0};
    struct p2_chain chain;
    int error = p2_tail_read(txn, saving->session, &old);
    if (error == P2_E_CORRUPT) {
        old = (struct p2_tail){0};
        if (txn->error == P2_E_CORRUPT && txn->system == 0) {
            txn->error = P2_OK; /* a wrong checksum: the record is replaced now */
        }
    }
    if (txn->error != P2_OK) {
        return txn->error;
    }
    p2_session_chain(&chain, saving->session, saving->timeline);
    *tail = (struct p2_tail){
        .timeline = saving->timeline, .first = saving->frame, .next = saving->frame};
    memcpy(tail->head, chain.head, P2_CHAIN_HEAD);
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        tail->sequences[i] =
            saving->sequences[i] > old.sequences[i] ? saving->sequences[i] : old.sequences[i];
    }
    error = drop_timelines(txn, saving->session);
    if (error == P2_OK) {
        p2_tail_write(txn, saving->session, tail);
    }
    return error != P2_OK ? error : txn->error;
}

/* Deletes the frames before `until`, which no checkpoint needs any more. */
static int drop_frames(struct p2_txn *txn, const struct p2_session_saving *saving,
                       const struct p2_tail *tail, uint64_t until)
{
    uint8_t key[P2_JOURNAL_KEY];
    struct p2_cursor cursor;
    struct p2_entry entry;
    uint64_t first = until;
    (void)p2_journal_key(key, saving->session, tail->timeline, 0);
    p2_cursor_open(&cursor, txn, p2_authority_table(P2_TABLE_JOURNAL),
                   p2_span(key, P2_JOURNAL_KEY - 8), P2_CURSOR_UP);
    p2_cursor_skip_damaged(&cursor); /* a damaged record that is not needed may go */
    if (p2_cursor_next(&cursor, &entry) && entry.key.size == P2_JOURNAL_KEY) {
        first = p2_load_be64(entry.key.data + 12);
    }
    p2_cursor_close(&cursor);
    for (uint64_t frame = first; frame < until && txn->error == P2_OK; frame++) {
        (void)p2_txn_delete(txn, p2_authority_table(P2_TABLE_JOURNAL),
                            p2_journal_key(key, saving->session, tail->timeline, frame));
    }
    return txn->error;
}

/* Deletes all but the newest `keep` of a kind; the oldest frame that stays to *ret_oldest. */
static int prune(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind, size_t keep,
                 uint64_t *ret_oldest)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    size_t damaged = 0, seen = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    size_t count = p2_snapshot_list(txn, &place, infos, &damaged);
    int error = txn->error;
    for (size_t i = 0; i < count && error == P2_OK; i++) {
        if (infos[i].kind != kind) {
            continue;
        }
        if (++seen > keep) {
            error = p2_session_save_delete(txn, session, kind, infos[i].number);
        } else {
            *ret_oldest = infos[i].frame;
        }
    }
    free(infos);
    return error;
}

/* ---- saves -------------------------------------------------------------------------------------------- */

static int count_named(struct p2_txn *txn, uint64_t session, size_t *ret_count)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    size_t damaged = 0;
    *ret_count = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    size_t count = p2_snapshot_list(txn, &place, infos, &damaged);
    for (size_t i = 0; i < count; i++) {
        *ret_count += infos[i].kind == P2_SNAPSHOT_NAMED;
    }
    free(infos);
    return txn->error;
}

static int write_kind(struct p2_txn *txn, struct p2_session_saving *saving,
                      enum p2_snapshot_kind kind, const struct p2_checkpoint *checkpoint)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(saving->session);
    struct p2_snapshot_written written = {0};
    size_t count = 0;
    struct p2_snapshot_input input = {.kind = kind,
                                      .frame = saving->frame,
                                      .made_ms = saving->made_ms,
                                      .name = kind == P2_SNAPSHOT_NAMED ? saving->name : NULL,
                                      .world = p2_span(NULL, p2_image_size(saving->image)),
                                      .chunks = p2_image_chunks(saving->image, &count)};
    int error = p2_snapshot_write(txn, &place, &input, &written);
    if (error == P2_OK) {
        error = p2_checkpoint_write(txn, saving->session, kind, written.number, checkpoint,
                                    p2_buf_span(&saving->host));
    }
    if (error == P2_OK) {
        saving->written.new_chunks += written.new_chunks;
        saving->written.new_bytes += written.new_bytes;
        saving->saves += kind != P2_SNAPSHOT_CHECKPOINT;
    }
    return error;
}

/* A person's save must not keep the others from being made. */
static int write_named(struct p2_txn *txn, struct p2_session_saving *saving,
                       const struct p2_checkpoint *checkpoint)
{
    struct p2_snapshot_place place = p2_session_snapshot_place(saving->session);
    struct p2_snapshot_info info;
    size_t count = 0;
    int error = p2_snapshot_find(txn, &place, saving->name, &info);
    if (error == P2_OK) {
        saving->name_error = P2_E_EXIST;
        return P2_OK;
    }
    if (error == P2_E_NOENT) {
        error = count_named(txn, saving->session, &count);
    }
    if (error == P2_OK && count >= P2_NAMED_SAVES_MAX) {
        saving->name_error = P2_E_LIMIT;
        return P2_OK;
    }
    return error == P2_OK ? write_kind(txn, saving, P2_SNAPSHOT_NAMED, checkpoint) : error;
}

int p2_session_write_named(struct p2_txn *txn, struct p2_session_saving *saving)
{
    /* It stands in no timeline: frame and schema are all there is to know. */
    struct p2_checkpoint checkpoint = {
        .frame = saving->frame, .first = saving->frame, .schema = saving->schema};
    saving->name_error = P2_OK; /* it may be the second run */
    return write_named(txn, saving, &checkpoint);
}

/* One kind that is kept for a while. */
static int write_kept(struct p2_txn *txn, struct p2_session_saving *saving, unsigned bit,
                      enum p2_snapshot_kind kind, size_t keep,
                      const struct p2_checkpoint *checkpoint, uint64_t *ret_oldest)
{
    if ((saving->kinds & bit) == 0) {
        return P2_OK;
    }
    int error = write_kind(txn, saving, kind, checkpoint);
    return error == P2_OK ? prune(txn, saving->session, kind, keep, ret_oldest) : error;
}

/* Where the image stands in its timeline. */
static int find_place(struct p2_txn *txn, struct p2_session_saving *saving, struct p2_tail *tail,
                      struct p2_checkpoint *checkpoint)
{
    int error = saving->is_base ? begin_timeline(txn, saving, tail)
                                : p2_tail_read(txn, saving->session, tail);
    if (error == P2_E_NOENT) {
        /* Nothing was written yet: the image is of the first frame, and its timeline begins. */
        error = begin_timeline(txn, saving, tail);
    }
    if (error == P2_OK && (tail->timeline != saving->timeline || saving->frame < tail->first ||
                           saving->frame > tail->next)) {
        error = P2_E_STATE;
    }
    *checkpoint = (struct p2_checkpoint){.timeline = tail->timeline,
                                         .frame = saving->frame,
                                         .first = tail->first,
                                         .schema = saving->schema};
    memcpy(checkpoint->sequences, tail->sequences, sizeof checkpoint->sequences);
    return error == P2_OK ? find_head(txn, saving, tail, checkpoint->head) : error;
}

int p2_session_write_image(struct p2_txn *txn, void *ctx)
{
    struct p2_session_saving *saving = ctx;
    struct p2_tail tail;
    struct p2_checkpoint checkpoint;
    uint64_t oldest = 0, ignored = 0;
    saving->name_error = P2_OK; /* it may be the second run */
    saving->written = (struct p2_snapshot_written){0};
    saving->saves = 0;
    int error = find_place(txn, saving, &tail, &checkpoint);
    if (error == P2_OK) {
        error = write_kept(txn, saving, P2_DUE_CHECKPOINT, P2_SNAPSHOT_CHECKPOINT,
                           P2_CHECKPOINTS_KEPT, &checkpoint, &oldest);
    }
    if (error == P2_OK && (saving->kinds & P2_DUE_CHECKPOINT) != 0) {
        error = drop_frames(txn, saving, &tail, oldest);
    }
    if (error == P2_OK) {
        error = write_kept(txn, saving, P2_DUE_AUTOSAVE, P2_SNAPSHOT_AUTOSAVE, P2_AUTOSAVES_KEPT,
                           &checkpoint, &ignored);
    }
    if (error == P2_OK) {
        error = write_kept(txn, saving, P2_DUE_HOURLY, P2_SNAPSHOT_HOURLY, P2_HOURLIES_KEPT,
                           &checkpoint, &ignored);
    }
    if (error == P2_OK && saving->has_name) {
        error = write_named(txn, saving, &checkpoint);
    }
    return error != P2_OK ? error : txn->error;
}
