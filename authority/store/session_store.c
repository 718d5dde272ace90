/* The loop's side of one session's store: collects frames, submits, keeps the promises' books. */
#include "authority/store/session_internal.h"

#include <stdlib.h>
#include <string.h>

struct p2_session_store {
    struct p2_session_store_options options;
    bool is_waiting, is_closed;
    bool is_saving;      /* an image is under way */
    bool is_frame_lost;  /* the frame that is collected cannot be replayed */
    bool is_told;        /* that the journal stopped */
    bool has_attempted;  /* a checkpoint, since open */
    unsigned owed;       /* P2_DUE_* bits of images that could not be written */
    unsigned references; /* batches under way, and one while open */
    uint32_t timeline;   /* of frames that are submitted now */
    uint64_t next;       /* the frame that is collected */
    struct p2_session_frame *collected;
    bool has_early; /* a depth for frame next + 1 */
    uint8_t early_depth;
    struct p2_session_frame *kept_first, *kept_last;
    size_t kept_bytes;
    uint32_t applied[P2_PLAYERS_MAX]; /* highest input of all closed frames */
    uint32_t durable[P2_PLAYERS_MAX];
    uint64_t checkpoint_ms, autosave_ms, hourly_ms; /* when the last one was taken */
    struct p2_session_store_stats stats;
};

/* ---- life of frames ----------------------------------------------------------------------------------- */

static void frame_free(struct p2_session_frame *frame)
{
    if (frame != NULL) {
        p2_buf_free(&frame->bytes);
        free(frame);
    }
}

static struct p2_session_frame *frame_new(struct p2_session_store *store)
{
    static const uint8_t head[P2_CHAIN_HEAD];
    struct p2_session_frame *frame = calloc(1, sizeof *frame);
    if (frame == NULL) {
        return NULL;
    }
    frame->owner = store;
    frame->session = store->options.session;
    p2_buf_init(&frame->bytes, P2_CHAIN_HEAD + P2_JOURNAL_FRAME_MAX);
    if (p2_buf_append(&frame->bytes, p2_span(head, sizeof head)) != P2_OK ||
        p2_journal_begin(&frame->bytes) != P2_OK) {
        frame_free(frame);
        return NULL;
    }
    return frame;
}

static void release(struct p2_session_store *store)
{
    if (--store->references == 0) {
        free(store);
    }
}

/* The batch of a frame is over, one way or the other. */
static void release_frame(void *ctx)
{
    struct p2_session_frame *frame = ctx;
    struct p2_session_store *store = frame->owner;
    if (!frame->is_refused) {
        frame_free(frame);
    }
    release(store);
}

static struct p2_session_frame *kept_pop(struct p2_session_store *store)
{
    struct p2_session_frame *frame = store->kept_first;
    store->kept_first = frame->next;
    if (store->kept_first == NULL) {
        store->kept_last = NULL;
    }
    store->kept_bytes -= frame->bytes.size;
    store->stats.frames_kept--;
    frame->next = NULL;
    return frame;
}

static void kept_push(struct p2_session_store *store, struct p2_session_frame *frame)
{
    if (store->kept_last != NULL) {
        store->kept_last->next = frame;
    } else {
        store->kept_first = frame;
    }
    store->kept_last = frame;
    store->kept_bytes += frame->bytes.size;
    store->stats.frames_kept++;
}

static void kept_drop_all(struct p2_session_store *store)
{
    while (store->kept_first != NULL) {
        frame_free(kept_pop(store));
    }
}

/* ---- trouble ------------------------------------------------------------------------------------------ */

/* The journal stops: what cannot follow without a gap is not written. */
static void stop_journal(struct p2_session_store *store, int error,
                         const struct p2_failure *failure)
{
    store->stats.last_error = error;
    store->is_waiting = store->stats.is_waiting = true;
    if (store->is_told) {
        return;
    }
    store->is_told = true;
    if (!store->is_closed && store->options.events->on_trouble != NULL) {
        store->options.events->on_trouble(store->options.ctx, error, failure);
    }
}

static void stop_journal_because(struct p2_session_store *store, int error, const char *what)
{
    struct p2_failure failure;
    (void)p2_fail(&failure, error, "session %llu: %s: %s",
                  (unsigned long long)store->options.session, what, p2_error_text(error));
    stop_journal(store, error, &failure);
}

/* ---- frames ------------------------------------------------------------------------------------------- */

static void tell_durable(struct p2_session_store *store)
{
    if (!store->is_closed && store->options.events->on_durable != NULL) {
        store->options.events->on_durable(store->options.ctx, store->stats.next_durable,
                                          store->durable);
    }
}

static void on_frame_done(void *ctx, int error, const struct p2_failure *failure)
{
    struct p2_session_frame *frame = ctx;
    struct p2_session_store *store = frame->owner;
    if (error != P2_OK) {
        /* Frames of an older timeline may fail after a base replaced it; they are in the base. */
        if (frame->timeline == store->timeline) {
            stop_journal(store, error, failure);
        }
        return;
    }
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        if ((frame->seats >> i & 1) != 0 && frame->sequences[i] > store->durable[i]) {
            store->durable[i] = frame->sequences[i];
        }
    }
    store->stats.frames++;
    store->stats.frame_bytes += frame->bytes.size;
    if (frame->timeline == store->timeline) {
        store->stats.next_durable = frame->number + 1;
    }
    tell_durable(store);
}

/* Submits a frame; on error it is still the caller's. */
static int submit_frame(struct p2_session_store *store, struct p2_session_frame *frame)
{
    struct p2_batch *batch = p2_batch_new();
    if (batch == NULL) {
        return P2_E_NOMEM;
    }
    frame->timeline = store->timeline;
    frame->is_refused = false;
    store->references++;
    p2_batch_own(batch, release_frame, frame);
    p2_batch_work(batch, p2_session_write_frame, frame, frame->bytes.size);
    p2_batch_set_stream(batch, store->options.session);
    int error = p2_store_writer_submit(store->options.writer, batch, on_frame_done, frame);
    if (error != P2_OK) {
        frame->is_refused = true;
        p2_batch_free(batch);
    }
    return error;
}

/* Submits what is kept, as far as the writer takes it. */
static void submit_kept(struct p2_session_store *store)
{
    while (store->kept_first != NULL && !store->is_waiting) {
        struct p2_session_frame *frame = store->kept_first;
        int error = submit_frame(store, frame);
        if (error == P2_E_AGAIN) {
            return; /* the writer is busy: at the next frame again */
        }
        if (error != P2_OK) {
            stop_journal_because(store, error, "the journal cannot be written");
            return;
        }
        /* The batch has it; taking it out of the queue touches nothing the writer reads. */
        (void)kept_pop(store);
    }
}

/* Memory has a limit: the oldest frames go, and a base must come after them. */
static void limit_kept(struct p2_session_store *store)
{
    while (store->stats.frames_kept > P2_SESSION_KEEP_FRAMES ||
           store->kept_bytes > P2_SESSION_KEEP_BYTES) {
        stop_journal_because(store, P2_E_AGAIN, "the disk is too slow for the journal");
        frame_free(kept_pop(store));
    }
}

static void note_input(struct p2_session_store *store, const struct p2_journal_entry *entry)
{
    struct p2_session_frame *frame = store->collected;
    uint64_t seat = UINT64_C(1) << entry->player;
    if ((frame->seats & seat) == 0) {
        frame->seats |= seat;
        frame->before[entry->player] = store->applied[entry->player];
    }
    if (entry->sequence > store->applied[entry->player]) {
        store->applied[entry->player] = entry->sequence;
    }
    frame->sequences[entry->player] = store->applied[entry->player];
}

void p2_session_store_add(struct p2_session_store *store, const struct p2_journal_entry *entry)
{
    int error = store->collected == NULL
                    ? P2_E_NOMEM
                    : p2_journal_append(&store->collected->bytes, P2_CHAIN_HEAD, entry);
    if (error != P2_OK) {
        store->is_frame_lost = true;
        stop_journal_because(store, error, "a frame cannot be journalled");
    } else if (entry->kind == P2_ENTRY_INPUT) {
        note_input(store, entry);
    }
}

void p2_session_store_effect(struct p2_session_store *store, const struct p2_effect *effect)
{
    struct p2_journal_entry entry;
    P2_ASSERT(p2_journal_entry_of(effect, &entry) == P2_OK); /* JOURNAL effects only */
    if (entry.kind == P2_ENTRY_DEPTH && effect->frame == store->next + 1) {
        store->has_early = true;
        store->early_depth = entry.depth;
    } else {
        p2_session_store_add(store, &entry);
    }
}

/* Begins to collect frame `next`. */
static void collect(struct p2_session_store *store)
{
    store->is_frame_lost = false;
    store->collected = frame_new(store);
    if (store->has_early) {
        store->has_early = false;
        p2_session_store_add(
            store, &(struct p2_journal_entry){.kind = P2_ENTRY_DEPTH, .depth = store->early_depth});
    }
}

int p2_session_store_frame(struct p2_session_store *store, uint64_t frame)
{
    if (frame != store->next) {
        return P2_E_STATE;
    }
    struct p2_session_frame *closed = store->collected;
    if (closed == NULL || store->is_frame_lost) {
        /* A base must be of a later frame: what came before cannot follow it. */
        stop_journal_because(store, closed == NULL ? P2_E_NOMEM : P2_E_LIMIT,
                             "a frame cannot be journalled");
        frame_free(closed);
        kept_drop_all(store);
    } else {
        closed->number = frame;
        kept_push(store, closed);
        limit_kept(store);
    }
    store->next++;
    collect(store);
    submit_kept(store);
    return P2_OK;
}

/* ---- images ------------------------------------------------------------------------------------------- */

unsigned p2_session_store_due(const struct p2_session_store *store, uint64_t now_ms)
{
    const struct p2_session_store_options *options = &store->options;
    unsigned kinds = 0;
    if (store->is_saving) {
        return 0;
    }
    if (!store->has_attempted || now_ms - store->checkpoint_ms >= options->checkpoint_every_ms) {
        kinds |= P2_DUE_CHECKPOINT;
    }
    if (now_ms - store->autosave_ms >= options->autosave_every_ms) {
        kinds |= P2_DUE_CHECKPOINT | P2_DUE_AUTOSAVE;
    }
    if (now_ms - store->hourly_ms >= options->hourly_every_ms) {
        kinds |= P2_DUE_CHECKPOINT | P2_DUE_HOURLY;
    }
    return kinds != 0 ? kinds | store->owed : 0;
}

static void release_saving(void *ctx)
{
    struct p2_session_saving *saving = ctx;
    struct p2_session_store *store = saving->owner;
    p2_image_free(saving->image);
    p2_buf_free(&saving->host);
    free(saving);
    release(store);
}

/* A base is on the disk: the state it holds keeps what was promised of it. */
static void base_done(struct p2_session_store *store, const struct p2_session_saving *saving)
{
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        if (saving->sequences[i] > store->durable[i]) {
            store->durable[i] = saving->sequences[i];
        }
    }
    if (saving->timeline != store->timeline) {
        return; /* a newer one is under way */
    }
    store->stats.next_durable = saving->frame;
    store->stats.is_waiting = store->is_waiting;
    store->stats.last_error = store->is_waiting ? store->stats.last_error : P2_OK;
    if (!store->is_waiting && store->is_told) {
        store->is_told = false;
        if (!store->is_closed && store->options.events->on_trouble != NULL) {
            store->options.events->on_trouble(store->options.ctx, P2_OK, NULL);
        }
    }
    tell_durable(store);
}

static void on_image_done(void *ctx, int error, const struct p2_failure *failure)
{
    struct p2_session_saving *saving = ctx;
    struct p2_session_store *store = saving->owner;
    struct p2_failure named = {0};
    store->is_saving = false;
    if (error == P2_OK) {
        bool is_checkpoint = (saving->kinds & P2_DUE_CHECKPOINT) != 0;
        store->stats.checkpoints += is_checkpoint;
        store->stats.saves += saving->saves;
        store->stats.chunks += saving->written.new_chunks;
        store->stats.chunk_bytes += saving->written.new_bytes;
        store->stats.checkpoint_at = is_checkpoint ? saving->frame : store->stats.checkpoint_at;
        if (saving->is_base) {
            base_done(store, saving);
        }
        if (saving->name_error != P2_OK) {
            error = p2_fail(&named, saving->name_error, "save \"%s\": %s", saving->name,
                            saving->name_error == P2_E_EXIST
                                ? "there is one of that name; delete it first"
                                : "too many named saves; delete some first");
            failure = &named;
        }
    } else {
        store->owed |= saving->kinds & (P2_DUE_AUTOSAVE | P2_DUE_HOURLY);
        if (saving->is_base && saving->timeline == store->timeline) {
            stop_journal(store, error, failure);
        }
    }
    if (saving->done != NULL) {
        saving->done(saving->done_ctx, error, failure);
    }
}

/* The highest inputs of all frames before `frame`. */
static void sequences_before(const struct p2_session_store *store, uint64_t frame,
                             uint32_t sequences[P2_PLAYERS_MAX])
{
    uint64_t known = 0; /* seats whose value is that before the first later input */
    memcpy(sequences, store->applied, sizeof store->applied);
    const struct p2_session_frame *at = store->kept_first;
    bool is_collected = at == NULL;
    for (at = is_collected ? store->collected : at; at != NULL;) {
        if (is_collected || at->number >= frame) {
            for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
                if ((at->seats & ~known) >> i & 1) {
                    sequences[i] = at->before[i];
                    known |= UINT64_C(1) << i;
                }
            }
        }
        if (is_collected) {
            break;
        }
        is_collected = at->next == NULL;
        at = is_collected ? store->collected : at->next;
    }
}

/* Can the image be the beginning of a timeline that the kept frames follow? */
static bool can_be_base(const struct p2_session_store *store, const struct p2_session_image *image)
{
    uint64_t first = store->kept_first != NULL ? store->kept_first->number : store->next;
    return (image->kinds & P2_DUE_CHECKPOINT) != 0 && image->frame >= first &&
           image->frame <= store->next;
}

/* From here on frames are of a new timeline, which begins with the image. */
static void begin_base(struct p2_session_store *store, struct p2_session_saving *saving)
{
    sequences_before(store, saving->frame, saving->sequences);
    while (store->kept_first != NULL && store->kept_first->number < saving->frame) {
        frame_free(kept_pop(store));
    }
    saving->is_base = true;
    saving->timeline = ++store->timeline;
    store->is_waiting = false; /* stats.is_waiting stays until it is on the disk */
}

static int saving_new(struct p2_session_store *store, const struct p2_session_image *image,
                      struct p2_session_saving **ret_saving)
{
    size_t length = image->name == NULL ? 0 : strnlen(image->name, P2_SNAPSHOT_NAME_MAX + 1);
    if (length > P2_SNAPSHOT_NAME_MAX || image->host.size > P2_SESSION_HOST_MAX) {
        return P2_E_INVALID;
    }
    struct p2_session_saving *saving = calloc(1, sizeof *saving);
    if (saving == NULL) {
        return P2_E_NOMEM;
    }
    p2_buf_init(&saving->host, P2_SESSION_HOST_MAX);
    if (p2_buf_append(&saving->host, image->host) != P2_OK) {
        free(saving);
        return P2_E_NOMEM;
    }
    saving->owner = store;
    saving->session = store->options.session;
    saving->kinds = image->kinds;
    saving->timeline = store->timeline;
    saving->frame = image->frame;
    saving->made_ms = image->made_ms;
    saving->schema = image->schema;
    saving->has_name = image->name != NULL;
    if (length > 0) {
        memcpy(saving->name, image->name, length);
    }
    saving->image = image->image;
    *ret_saving = saving;
    return P2_OK;
}

static void note_attempt(struct p2_session_store *store, const struct p2_session_image *image)
{
    if ((image->kinds & P2_DUE_CHECKPOINT) != 0) {
        store->has_attempted = true;
        store->checkpoint_ms = image->now_ms;
    }
    if ((image->kinds & P2_DUE_AUTOSAVE) != 0) {
        store->autosave_ms = image->now_ms;
    }
    if ((image->kinds & P2_DUE_HOURLY) != 0) {
        store->hourly_ms = image->now_ms;
    }
}

/* Takes `saving`, also on error. */
static int submit_image(struct p2_session_store *store, struct p2_session_saving *saving)
{
    struct p2_batch *batch = p2_batch_new();
    store->references++;
    if (batch == NULL) {
        release_saving(saving);
        return P2_E_NOMEM;
    }
    bool is_base = saving->is_base;
    p2_batch_own(batch, release_saving, saving);
    p2_batch_work(batch, p2_session_write_image, saving,
                  p2_image_fresh(saving->image) + saving->host.size);
    /* A base and the frames behind it stand or fall together; others may fail alone. */
    p2_batch_set_stream(batch, is_base ? store->options.session : 0);
    int error = p2_store_writer_submit(store->options.writer, batch, on_image_done, saving);
    if (error != P2_OK) {
        p2_batch_free(batch);
        if (is_base) {
            stop_journal_because(store, error, "a checkpoint cannot be written");
        }
        return error;
    }
    store->is_saving = true;
    store->owed &= ~saving->kinds;
    return P2_OK;
}

int p2_session_store_write(struct p2_session_store *store, const struct p2_session_image *image,
                           p2_batch_done_fn *done, void *ctx)
{
    struct p2_session_saving *saving = NULL;
    note_attempt(store, image);
    int error = image->frame > store->next ? P2_E_INVALID
                : store->is_waiting && !can_be_base(store, image)
                    ? P2_E_STATE
                    : saving_new(store, image, &saving);
    if (error != P2_OK) {
        p2_image_free(image->image);
        return error;
    }
    saving->done = done;
    saving->done_ctx = ctx;
    if (store->is_waiting) {
        begin_base(store, saving);
    }
    error = submit_image(store, saving);
    submit_kept(store);
    return error;
}

void p2_session_store_restart(struct p2_session_store *store, uint64_t next)
{
    kept_drop_all(store);
    frame_free(store->collected);
    store->has_early = false;
    store->has_attempted = false; /* a base is wanted at once */
    store->is_waiting = store->stats.is_waiting = true;
    store->next = next;
    collect(store);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

int p2_session_store_open(struct p2_session_store **ret_store,
                          const struct p2_session_store_options *options)
{
    struct p2_session_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return P2_E_NOMEM;
    }
    const struct p2_session_position *position = &options->position;
    store->options = *options;
    store->options.checkpoint_every_ms =
        or_default(options->checkpoint_every_ms, P2_CHECKPOINT_EVERY_MS);
    store->options.autosave_every_ms = or_default(options->autosave_every_ms, P2_AUTOSAVE_EVERY_MS);
    store->options.hourly_every_ms = or_default(options->hourly_every_ms, P2_HOURLY_EVERY_MS);
    store->autosave_ms = store->hourly_ms = options->now_ms;
    store->references = 1;
    store->timeline = position->timeline != 0 ? position->timeline : 1;
    store->next = store->stats.next_durable = position->next;
    store->is_waiting = store->stats.is_waiting = position->is_damaged;
    store->stats.last_error = position->is_damaged ? P2_E_CORRUPT : P2_OK;
    memcpy(store->applied, position->sequences, sizeof store->applied);
    memcpy(store->durable, position->sequences, sizeof store->durable);
    collect(store);
    if (store->collected == NULL) {
        free(store);
        return P2_E_NOMEM;
    }
    *ret_store = store;
    return P2_OK;
}

void p2_session_store_close(struct p2_session_store *store)
{
    if (store != NULL) {
        store->is_closed = true;
        kept_drop_all(store);
        frame_free(store->collected);
        store->collected = NULL;
        release(store);
    }
}

struct p2_session_store_stats p2_session_store_stats(const struct p2_session_store *store)
{
    return store->stats;
}

uint64_t p2_session_store_session(const struct p2_session_store *store)
{
    return store->options.session;
}
