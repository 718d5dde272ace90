/* Chunks under their digests, snapshots that refer to them. */
#include "store/snapshot.h"

#include "base/text.h"
#include "store/codec.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST       32
#define KEY_SNAPSHOT (8 + 1 + 8)
#define KEY_CHUNK    (8 + DIGEST)
#define HEAD_BYTES   (8 + 8 + 8 + 1)
#define PAYLOAD_MAX  (HEAD_BYTES + P2_SNAPSHOT_NAME_MAX + P2_SNAPSHOT_CHUNKS_MAX * DIGEST)
#define CHUNK_HEAD   4
#define CHUNK_MAX    (CHUNK_HEAD + P2_CODEC_FRAME_MAX(P2_SNAPSHOT_CHUNK))

/* Layout versions of both payloads. */
#define LAYOUT 1

_Static_assert(PAYLOAD_MAX <= P2_STORE_VALUE_MAX, "a snapshot must fit a record");
_Static_assert(P2_SNAPSHOT_CHUNK <= P2_ZSTD_CONTENT_MAX, "a chunk must fit a frame");

/* A snapshot's description as stored; digests point into `bytes`. */
struct manifest {
    struct p2_buf bytes;
    struct p2_snapshot_info info;
    const uint8_t *digests;
    size_t count;
};

/* ---- keys and descriptions -------------------------------------------------------------------- */

static size_t count_chunks(uint64_t world)
{
    return (size_t)((world + P2_SNAPSHOT_CHUNK - 1) / P2_SNAPSHOT_CHUNK);
}

static struct p2_span snapshot_key(uint8_t key[KEY_SNAPSHOT], const struct p2_snapshot_place *place,
                                   enum p2_snapshot_kind kind, uint64_t number)
{
    p2_store_be64(key, place->session);
    key[8] = (uint8_t)kind;
    p2_store_be64(key + 9, number);
    return p2_span(key, KEY_SNAPSHOT);
}

static struct p2_span chunk_key(uint8_t key[KEY_CHUNK], const struct p2_snapshot_place *place,
                                const uint8_t digest[DIGEST])
{
    p2_store_be64(key, place->session);
    memcpy(key + 8, digest, DIGEST);
    return p2_span(key, KEY_CHUNK);
}

/* Fills a manifest from a record. */
static int parse(struct manifest *manifest, struct p2_span key, struct p2_span payload,
                 uint8_t version)
{
    struct p2_snapshot_info *info = &manifest->info;
    struct p2_reader in;
    *info = (struct p2_snapshot_info){0};
    if (key.size != KEY_SNAPSHOT || version != LAYOUT) {
        return P2_E_CORRUPT;
    }
    info->kind = (enum p2_snapshot_kind)key.data[8];
    info->number = p2_load_be64(key.data + 9);
    p2_reader_init(&in, payload);
    info->frame = p2_reader_u64(&in);
    info->made_ms = p2_reader_u64(&in);
    info->bytes = p2_reader_u64(&in);
    struct p2_span name = p2_reader_bytes(&in, p2_reader_u8(&in));
    if (in.error != P2_OK || name.size > P2_SNAPSHOT_NAME_MAX || !p2_text_is_clean(name) ||
        info->bytes > P2_SNAPSHOT_WORLD_MAX || in.left != count_chunks(info->bytes) * DIGEST) {
        return P2_E_CORRUPT;
    }
    memcpy(info->name, name.data, name.size);
    manifest->digests = in.data;
    manifest->count = in.left / DIGEST;
    return P2_OK;
}

static void manifest_init(struct manifest *manifest)
{
    *manifest = (struct manifest){.count = 0};
    p2_buf_init(&manifest->bytes, PAYLOAD_MAX);
}

static void manifest_free(struct manifest *manifest)
{
    p2_buf_free(&manifest->bytes);
}

/* P2_E_NOENT when there is none. */
static int load(struct p2_txn *txn, const struct p2_snapshot_place *place,
                enum p2_snapshot_kind kind, uint64_t number, struct manifest *manifest)
{
    uint8_t bytes[KEY_SNAPSHOT], version = 0;
    struct p2_span key = snapshot_key(bytes, place, kind, number);
    if (!p2_txn_get(txn, place->snapshots, key, &version, &manifest->bytes)) {
        return txn->error != P2_OK ? txn->error : P2_E_NOENT;
    }
    return parse(manifest, key, p2_buf_span(&manifest->bytes), version);
}

/* Calls `visit` for all snapshots of the session, or of one kind (0 = all), newest first; for a
 * damaged one with an error and nothing to look at. */
static int each(struct p2_txn *txn, const struct p2_snapshot_place *place, unsigned kind,
                int (*visit)(void *ctx, const struct manifest *manifest, int error), void *ctx)
{
    uint8_t bytes[KEY_SNAPSHOT];
    struct p2_cursor cursor;
    struct p2_entry entry;
    int error = P2_OK;
    (void)snapshot_key(bytes, place, (enum p2_snapshot_kind)kind, 0);
    p2_cursor_open(&cursor, txn, place->snapshots, p2_span(bytes, kind == 0 ? 8 : 9),
                   P2_CURSOR_DOWN);
    p2_cursor_skip_damaged(&cursor);
    while (error == P2_OK && p2_cursor_next(&cursor, &entry)) {
        struct manifest manifest;
        manifest_init(&manifest);
        error = parse(&manifest, entry.key, entry.payload, entry.version);
        error = visit(ctx, error == P2_OK ? &manifest : NULL, error);
    }
    for (; error == P2_OK && cursor.damaged > 0; cursor.damaged--) {
        error = visit(ctx, NULL, P2_E_CORRUPT);
    }
    p2_cursor_close(&cursor);
    return error != P2_OK ? error : txn->error;
}

/* ---- deleting ------------------------------------------------------------------------------------ */

/* The chunks of a snapshot that goes away. */
struct doomed {
    enum p2_snapshot_kind kind;
    uint64_t number;
    uint8_t (*digests)[DIGEST]; /* sorted */
    bool *is_needed;            /* by another snapshot */
    size_t count;
};

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST);
}

static int keep_needed(void *ctx, const struct manifest *manifest, int error)
{
    struct doomed *doomed = ctx;
    const struct p2_snapshot_info *info = error == P2_OK ? &manifest->info : NULL;
    if (info == NULL || (info->kind == doomed->kind && info->number == doomed->number)) {
        return P2_OK; /* what cannot be read cannot be restored either: it keeps nothing */
    }
    for (size_t i = 0; i < manifest->count; i++) {
        uint8_t(*found)[DIGEST] = bsearch(manifest->digests + i * DIGEST, doomed->digests,
                                          doomed->count, DIGEST, compare_digests);
        if (found != NULL) {
            doomed->is_needed[found - doomed->digests] = true;
        }
    }
    return P2_OK;
}

/* Equal digests stand side by side and bsearch finds any of them: keep the first of each. */
static void drop_equal(struct doomed *doomed)
{
    size_t kept = 0;
    for (size_t i = 0; i < doomed->count; i++) {
        if (kept == 0 || memcmp(doomed->digests[i], doomed->digests[kept - 1], DIGEST) != 0) {
            memmove(doomed->digests[kept++], doomed->digests[i], DIGEST);
        }
    }
    doomed->count = kept;
}

static int delete_chunks(struct p2_txn *txn, const struct p2_snapshot_place *place,
                         const struct manifest *manifest)
{
    struct doomed doomed = {.kind = manifest->info.kind,
                            .number = manifest->info.number,
                            .digests = malloc(manifest->count * DIGEST),
                            .is_needed = calloc(manifest->count, sizeof(bool)),
                            .count = manifest->count};
    int error = doomed.digests == NULL || doomed.is_needed == NULL ? P2_E_NOMEM : P2_OK;
    if (error == P2_OK) {
        memcpy(doomed.digests, manifest->digests, manifest->count * DIGEST);
        qsort(doomed.digests, doomed.count, DIGEST, compare_digests);
        drop_equal(&doomed);
        error = each(txn, place, 0, keep_needed, &doomed);
    }
    for (size_t i = 0; i < doomed.count && error == P2_OK; i++) {
        uint8_t key[KEY_CHUNK];
        if (!doomed.is_needed[i]) {
            /* A chunk that is missing already was damage; it is gone either way. */
            (void)p2_txn_delete(txn, place->chunks, chunk_key(key, place, doomed.digests[i]));
            error = txn->error;
        }
    }
    free(doomed.digests);
    free(doomed.is_needed);
    return error;
}

int p2_snapshot_delete(struct p2_txn *txn, const struct p2_snapshot_place *place,
                       enum p2_snapshot_kind kind, uint64_t number)
{
    uint8_t key[KEY_SNAPSHOT];
    struct manifest manifest;
    manifest_init(&manifest);
    int error = load(txn, place, kind, number, &manifest);
    if (error == P2_OK && manifest.count > 0) {
        error = delete_chunks(txn, place, &manifest);
    }
    /* A description that makes no sense goes as well; its chunks stay until the session goes. */
    if (error == P2_OK || (error == P2_E_CORRUPT && txn->error == P2_OK)) {
        (void)p2_txn_delete(txn, place->snapshots, snapshot_key(key, place, kind, number));
        error = txn->error;
    }
    manifest_free(&manifest);
    return error;
}

/* ---- listing -------------------------------------------------------------------------------------- */

struct listing {
    struct p2_snapshot_info *infos;
    size_t count, damaged;
};

static int list_one(void *ctx, const struct manifest *manifest, int error)
{
    struct listing *listing = ctx;
    if (error != P2_OK) {
        listing->damaged++;
    } else if (listing->count < P2_SNAPSHOTS_MAX) {
        listing->infos[listing->count++] = manifest->info;
    }
    return P2_OK;
}

size_t p2_snapshot_list(struct p2_txn *txn, const struct p2_snapshot_place *place,
                        struct p2_snapshot_info *infos, size_t *ret_damaged)
{
    struct listing listing = {.infos = infos};
    for (unsigned kind = P2_SNAPSHOT_CHECKPOINT; kind <= P2_SNAPSHOT_NAMED; kind++) {
        (void)each(txn, place, kind, list_one, &listing); /* its error stays in the transaction */
    }
    *ret_damaged = listing.damaged;
    return listing.count;
}

struct search {
    const char *name;
    struct p2_snapshot_info info;
};

static int match_name(void *ctx, const struct manifest *manifest, int error)
{
    struct search *search = ctx;
    if (error == P2_OK && strcmp(manifest->info.name, search->name) == 0) {
        search->info = manifest->info;
        return P2_E_EXIST; /* ends the walk */
    }
    return P2_OK;
}

int p2_snapshot_find(struct p2_txn *txn, const struct p2_snapshot_place *place, const char *name,
                     struct p2_snapshot_info *ret_info)
{
    struct search search = {.name = name};
    int error = each(txn, place, P2_SNAPSHOT_NAMED, match_name, &search);
    if (error == P2_E_EXIST) {
        *ret_info = search.info;
        return P2_OK;
    }
    return error == P2_OK ? P2_E_NOENT : error;
}

/* ---- writing -------------------------------------------------------------------------------------- */

struct writing {
    struct p2_txn *txn;
    const struct p2_snapshot_place *place;
    const struct p2_snapshot_input *input;
    struct manifest before; /* what `dirty` counts from; count 0 = nothing to count from */
    struct p2_chunk_codec codec;
    uint8_t *payload;       /* of a chunk, CHUNK_MAX bytes */
    struct p2_buf manifest; /* the new description */
    struct p2_snapshot_written written;
};

static bool is_clean(const struct writing *writing, size_t index)
{
    return index < writing->before.count &&
           (writing->input->dirty[index / 8] & 1u << index % 8) == 0;
}

static int write_chunk(struct writing *writing, struct p2_span content,
                       const uint8_t digest[DIGEST])
{
    uint8_t bytes[KEY_CHUNK];
    struct p2_span key = chunk_key(bytes, writing->place, digest);
    size_t size = 0;
    if (p2_txn_has(writing->txn, writing->place->chunks, key)) {
        return P2_OK;
    }
    p2_store_be32(writing->payload, (uint32_t)content.size);
    int error = p2_codec_compress(&writing->codec, content, writing->payload + CHUNK_HEAD, &size);
    if (error != P2_OK) {
        return error;
    }
    p2_txn_put(writing->txn, writing->place->chunks, key, LAYOUT,
               p2_span(writing->payload, CHUNK_HEAD + size));
    writing->written.new_chunks++;
    writing->written.new_bytes += size;
    return writing->txn->error;
}

/* The digest of chunk `index`, whose content is written when the store has none of that digest. */
static int write_content(struct writing *writing, size_t index, uint8_t digest[DIGEST])
{
    const struct p2_snapshot_input *input = writing->input;
    size_t at = index * P2_SNAPSHOT_CHUNK, left = input->world.size - at;
    struct p2_snapshot_chunk *kept = input->chunks != NULL ? input->chunks[index] : NULL;
    struct p2_span content = p2_span(kept != NULL ? kept->data : input->world.data + at,
                                     left < P2_SNAPSHOT_CHUNK ? left : P2_SNAPSHOT_CHUNK);
    if (kept == NULL) {
        p2_hash(digest, DIGEST, &content, 1);
    } else {
        if (!kept->has_digest || kept->size != content.size) {
            p2_hash(kept->digest, DIGEST, &content, 1);
            kept->size = content.size;
            kept->has_digest = true;
        }
        memcpy(digest, kept->digest, DIGEST);
    }
    return write_chunk(writing, content, digest);
}

static int write_chunks(struct writing *writing)
{
    int error = P2_OK;
    for (size_t i = 0; i < count_chunks(writing->input->world.size) && error == P2_OK; i++) {
        uint8_t digest[DIGEST];
        if (is_clean(writing, i)) {
            memcpy(digest, writing->before.digests + i * DIGEST, DIGEST);
        } else {
            error = write_content(writing, i, digest);
        }
        if (error == P2_OK) {
            error = p2_buf_append(&writing->manifest, p2_span(digest, DIGEST));
        }
        writing->written.chunks++;
    }
    return error;
}

static int write_head(struct writing *writing)
{
    const struct p2_snapshot_input *input = writing->input;
    uint8_t head[HEAD_BYTES + P2_SNAPSHOT_NAME_MAX];
    struct p2_writer out;
    size_t length = input->name == NULL ? 0 : strlen(input->name);
    p2_writer_init(&out, head, sizeof head);
    p2_writer_u64(&out, input->frame);
    p2_writer_u64(&out, input->made_ms);
    p2_writer_u64(&out, input->world.size);
    p2_writer_u8(&out, (uint8_t)length);
    p2_writer_bytes(&out, p2_span(input->name, length));
    return p2_buf_append(&writing->manifest, p2_writer_span(&out));
}

/* Finds the number, refuses a name that is taken and more snapshots than may be. */
static int check_place(struct writing *writing)
{
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    size_t damaged = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    size_t count = p2_snapshot_list(writing->txn, writing->place, infos, &damaged);
    int error = writing->txn->error != P2_OK ? writing->txn->error
                : count >= P2_SNAPSHOTS_MAX  ? P2_E_LIMIT
                                             : P2_OK;
    writing->written.number = 1;
    for (size_t i = 0; i < count && error == P2_OK; i++) {
        if (infos[i].kind == writing->input->kind && infos[i].number >= writing->written.number) {
            writing->written.number = infos[i].number + 1;
        }
        if (writing->input->name != NULL && strcmp(infos[i].name, writing->input->name) == 0) {
            error = P2_E_EXIST;
        }
    }
    free(infos);
    return error;
}

/* Deletes all but the last ones of the kind. */
static int prune(struct writing *writing)
{
    const struct p2_snapshot_input *input = writing->input;
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    struct listing listing = {.infos = infos};
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    int error = each(writing->txn, writing->place, (unsigned)input->kind, list_one, &listing);
    for (size_t i = input->keep; i < listing.count && error == P2_OK; i++) {
        error = p2_snapshot_delete(writing->txn, writing->place, input->kind, infos[i].number);
    }
    free(infos);
    return error;
}

static int check_input(const struct p2_snapshot_input *input)
{
    bool is_named = input->kind == P2_SNAPSHOT_NAMED;
    size_t length = input->name == NULL ? 0 : strnlen(input->name, P2_SNAPSHOT_NAME_MAX + 1);
    bool is_right_name = is_named ? length >= 1 && length <= P2_SNAPSHOT_NAME_MAX &&
                                        p2_text_is_clean(p2_span(input->name, length))
                                  : input->name == NULL;
    bool is_kind = input->kind >= P2_SNAPSHOT_CHECKPOINT && input->kind <= P2_SNAPSHOT_NAMED;
    return is_kind && is_right_name && input->world.size <= P2_SNAPSHOT_WORLD_MAX ? P2_OK
                                                                                  : P2_E_INVALID;
}

static int load_before(struct writing *writing)
{
    const struct p2_snapshot_input *input = writing->input;
    if (input->dirty == NULL || input->chunks != NULL) {
        return P2_OK;
    }
    int error = load(writing->txn, writing->place, input->kind, input->since, &writing->before);
    if (error != P2_OK || writing->before.info.bytes != input->world.size) {
        writing->before.count = 0; /* look at everything */
    }
    return writing->txn->error;
}

int p2_snapshot_write(struct p2_txn *txn, const struct p2_snapshot_place *place,
                      const struct p2_snapshot_input *input,
                      struct p2_snapshot_written *ret_written)
{
    struct writing writing = {.txn = txn, .place = place, .input = input};
    uint8_t key[KEY_SNAPSHOT];
    manifest_init(&writing.before);
    p2_codec_init(&writing.codec);
    p2_buf_init(&writing.manifest, PAYLOAD_MAX);
    writing.payload = malloc(CHUNK_MAX);
    int error = writing.payload == NULL ? P2_E_NOMEM : check_input(input);
    if (error == P2_OK) {
        error = check_place(&writing);
    }
    if (error == P2_OK) {
        error = load_before(&writing);
    }
    if (error == P2_OK) {
        error = write_head(&writing);
    }
    if (error == P2_OK) {
        error = write_chunks(&writing);
    }
    if (error == P2_OK) {
        p2_txn_put(txn, place->snapshots,
                   snapshot_key(key, place, input->kind, writing.written.number), LAYOUT,
                   p2_buf_span(&writing.manifest));
        error = txn->error;
    }
    if (error == P2_OK && input->keep > 0) {
        error = prune(&writing);
    }
    if (error == P2_OK && ret_written != NULL) {
        *ret_written = writing.written;
    }
    free(writing.payload);
    p2_buf_free(&writing.manifest);
    p2_codec_free(&writing.codec);
    manifest_free(&writing.before);
    return error;
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct reading {
    struct p2_txn *txn;
    const struct p2_snapshot_place *place;
    struct p2_chunk_codec codec;
    struct p2_buf chunk; /* as stored */
    uint8_t *content;    /* P2_SNAPSHOT_CHUNK bytes */
};

static int read_chunk(struct reading *reading, const uint8_t digest[DIGEST], size_t size)
{
    uint8_t bytes[KEY_CHUNK], version = 0, actual[DIGEST];
    if (!p2_txn_get(reading->txn, reading->place->chunks, chunk_key(bytes, reading->place, digest),
                    &version, &reading->chunk)) {
        return reading->txn->error != P2_OK ? reading->txn->error : P2_E_CORRUPT;
    }
    struct p2_span stored = p2_buf_span(&reading->chunk);
    if (version != LAYOUT || stored.size < CHUNK_HEAD || p2_load_be32(stored.data) != size) {
        return P2_E_CORRUPT;
    }
    struct p2_span frame = p2_span(stored.data + CHUNK_HEAD, stored.size - CHUNK_HEAD);
    int error = p2_codec_decompress(&reading->codec, frame, reading->content, size);
    if (error != P2_OK) {
        return error == P2_E_MALFORMED ? P2_E_CORRUPT : error;
    }
    struct p2_span content = p2_span(reading->content, size);
    p2_hash(actual, DIGEST, &content, 1);
    return memcmp(actual, digest, DIGEST) == 0 ? P2_OK : P2_E_CORRUPT;
}

static int read_world(struct reading *reading, const struct manifest *manifest,
                      struct p2_buf *world, struct p2_failure *failure)
{
    for (size_t i = 0; i < manifest->count; i++) {
        uint64_t left = manifest->info.bytes - i * P2_SNAPSHOT_CHUNK;
        size_t size = left < P2_SNAPSHOT_CHUNK ? (size_t)left : P2_SNAPSHOT_CHUNK;
        int error = read_chunk(reading, manifest->digests + i * DIGEST, size);
        if (error == P2_OK) {
            error = p2_buf_append(world, p2_span(reading->content, size));
        }
        if (error != P2_OK) {
            return p2_fail(failure, error, "chunk %zu of %zu of this save: %s", i + 1,
                           manifest->count, p2_error_text(error));
        }
    }
    return P2_OK;
}

int p2_snapshot_read(struct p2_txn *txn, const struct p2_snapshot_place *place,
                     enum p2_snapshot_kind kind, uint64_t number, struct p2_buf *world,
                     struct p2_snapshot_info *ret_info, struct p2_failure *failure)
{
    struct reading reading = {.txn = txn, .place = place};
    struct manifest manifest;
    manifest_init(&manifest);
    p2_codec_init(&reading.codec);
    p2_buf_init(&reading.chunk, CHUNK_MAX);
    p2_buf_clear(world);
    reading.content = malloc(P2_SNAPSHOT_CHUNK);
    int error = reading.content == NULL ? P2_E_NOMEM : load(txn, place, kind, number, &manifest);
    if (error != P2_OK) {
        (void)p2_fail(failure, error, "this save: %s", p2_error_text(error));
    } else {
        error = read_world(&reading, &manifest, world, failure);
    }
    if (error != P2_OK) {
        p2_buf_clear(world);
    } else if (ret_info != NULL) {
        *ret_info = manifest.info;
    }
    free(reading.content);
    p2_buf_free(&reading.chunk);
    p2_codec_free(&reading.codec);
    manifest_free(&manifest);
    return error;
}

static int compare_frames(const void *a, const void *b)
{
    const struct p2_snapshot_info *left = a, *right = b;
    return (left->frame < right->frame) - (left->frame > right->frame); /* newest first */
}

int p2_snapshot_newest_good(struct p2_txn *txn, const struct p2_snapshot_place *place,
                            struct p2_buf *world, struct p2_snapshot_info *ret_info)
{
    struct p2_snapshot_info *infos = calloc(P2_SNAPSHOTS_MAX, sizeof *infos);
    size_t damaged = 0;
    if (infos == NULL) {
        return P2_E_NOMEM;
    }
    size_t count = p2_snapshot_list(txn, place, infos, &damaged);
    int error = P2_E_NOENT;
    qsort(infos, count, sizeof *infos, compare_frames);
    for (size_t i = 0; i < count && error != P2_OK; i++) {
        /* Damage of one save is not an error of the search. */
        if (txn->error == P2_E_CORRUPT) {
            txn->error = P2_OK;
        }
        error = p2_snapshot_read(txn, place, infos[i].kind, infos[i].number, world, ret_info, NULL);
    }
    free(infos);
    return error == P2_OK                                      ? P2_OK
           : txn->error != P2_OK && txn->error != P2_E_CORRUPT ? txn->error
                                                               : P2_E_NOENT;
}
