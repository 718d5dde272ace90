/* Keys and small records of a session. */
#include "authority/store/session_internal.h"

#include "store/codec.h"

#include <stdlib.h>
#include <string.h>

#define SEATS_MAX      (1 + P2_PLAYERS_MAX * 5)
#define TAIL_MAX       (4 + 8 + 8 + P2_CHAIN_HEAD + SEATS_MAX)
#define CHECKPOINT_KEY (8 + 1 + 8 + 2)
#define CHECKPOINT_MAX (4 + 8 + 8 + P2_CHAIN_HEAD + 4 + 4 + SEATS_MAX)

/* A part of the host's bytes. Chosen: four chunks; small enough to stay off the writer's way. */
#define SLICE      ((size_t)256 << 10)
#define SLICE_HEAD 4

_Static_assert(SLICE <= P2_ZSTD_CONTENT_MAX, "a slice must fit a frame");
_Static_assert(P2_SESSION_HOST_MAX / SLICE < UINT16_MAX, "parts are numbered by a u16");

struct p2_span p2_journal_key(uint8_t key[P2_JOURNAL_KEY], uint64_t session, uint32_t timeline,
                              uint64_t frame)
{
    p2_store_be64(key, session);
    p2_store_be32(key + 8, timeline);
    p2_store_be64(key + 12, frame);
    return p2_span(key, P2_JOURNAL_KEY);
}

void p2_session_chain(struct p2_chain *chain, uint64_t session, uint32_t timeline)
{
    uint8_t name[7 + 8 + 4];
    memcpy(name, "journal", 7);
    p2_store_be64(name + 7, session);
    p2_store_be32(name + 15, timeline);
    p2_chain_init(chain, p2_span(name, sizeof name));
}

struct p2_snapshot_place p2_session_snapshot_place(uint64_t session)
{
    return (struct p2_snapshot_place){.snapshots = p2_authority_table(P2_TABLE_SAVES),
                                      .chunks = p2_authority_table(P2_TABLE_CHUNKS),
                                      .session = session};
}

/* ---- sequences ---------------------------------------------------------------------------------------- */

/* seats u8, then per seat u8 and its sequence u32; those without an input are left out. */
static void write_sequences(struct p2_writer *out, const uint32_t sequences[P2_PLAYERS_MAX])
{
    uint8_t seats = 0;
    for (unsigned i = 0; i < P2_PLAYERS_MAX; i++) {
        seats = (uint8_t)(seats + (sequences[i] != 0));
    }
    p2_writer_u8(out, seats);
    for (uint8_t i = 0; i < P2_PLAYERS_MAX; i++) {
        if (sequences[i] != 0) {
            p2_writer_u8(out, i);
            p2_writer_u32(out, sequences[i]);
        }
    }
}

static void read_sequences(struct p2_reader *in, uint32_t sequences[P2_PLAYERS_MAX])
{
    for (unsigned left = p2_reader_u8(in); left > 0 && in->error == P2_OK; left--) {
        uint8_t seat = p2_reader_u8(in);
        uint32_t sequence = p2_reader_u32(in);
        if (seat >= P2_PLAYERS_MAX) {
            p2_reader_fail(in, P2_E_CORRUPT);
        } else {
            sequences[seat] = sequence;
        }
    }
}

/* ---- tail --------------------------------------------------------------------------------------------- */

static int parse_tail(struct p2_span payload, struct p2_tail *tail)
{
    struct p2_reader in;
    *tail = (struct p2_tail){0};
    p2_reader_init(&in, payload);
    tail->timeline = p2_reader_u32(&in);
    tail->first = p2_reader_u64(&in);
    tail->next = p2_reader_u64(&in);
    struct p2_span head = p2_reader_bytes(&in, P2_CHAIN_HEAD);
    read_sequences(&in, tail->sequences);
    if (p2_reader_end(&in) != P2_OK || tail->next < tail->first) {
        return P2_E_CORRUPT;
    }
    memcpy(tail->head, head.data, P2_CHAIN_HEAD);
    return P2_OK;
}

int p2_tail_read(struct p2_txn *txn, uint64_t session, struct p2_tail *ret_tail)
{
    uint8_t key[8], version = 0;
    struct p2_buf bytes;
    p2_store_be64(key, session);
    p2_buf_init(&bytes, TAIL_MAX);
    int error = P2_E_NOENT;
    if (p2_txn_get(txn, p2_authority_table(P2_TABLE_TAILS), p2_span(key, sizeof key), &version,
                   &bytes)) {
        error =
            version == P2_SESSION_LAYOUT ? parse_tail(p2_buf_span(&bytes), ret_tail) : P2_E_CORRUPT;
    }
    p2_buf_free(&bytes);
    return txn->error != P2_OK ? txn->error : error;
}

void p2_tail_write(struct p2_txn *txn, uint64_t session, const struct p2_tail *tail)
{
    uint8_t key[8], bytes[TAIL_MAX];
    struct p2_writer out;
    p2_store_be64(key, session);
    p2_writer_init(&out, bytes, sizeof bytes);
    p2_writer_u32(&out, tail->timeline);
    p2_writer_u64(&out, tail->first);
    p2_writer_u64(&out, tail->next);
    p2_writer_bytes(&out, p2_span(tail->head, P2_CHAIN_HEAD));
    write_sequences(&out, tail->sequences);
    P2_ASSERT(out.error == P2_OK); /* TAIL_MAX is enough for all seats */
    p2_txn_put(txn, p2_authority_table(P2_TABLE_TAILS), p2_span(key, sizeof key), P2_SESSION_LAYOUT,
               p2_writer_span(&out));
}

/* ---- checkpoints -------------------------------------------------------------------------------------- */

static struct p2_span checkpoint_key(uint8_t key[CHECKPOINT_KEY], uint64_t session,
                                     enum p2_snapshot_kind kind, uint64_t number, size_t part)
{
    p2_store_be64(key, session);
    key[8] = (uint8_t)kind;
    p2_store_be64(key + 9, number);
    p2_store_be16(key + 17, (uint16_t)part);
    return p2_span(key, CHECKPOINT_KEY);
}

static int write_host(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                      uint64_t number, struct p2_span host)
{
    struct p2_chunk_codec codec;
    p2_codec_init(&codec);
    uint8_t *slice = malloc(SLICE_HEAD + P2_CODEC_FRAME_MAX(SLICE));
    int error = slice == NULL ? P2_E_NOMEM : P2_OK;
    for (size_t at = 0; at < host.size && error == P2_OK; at += SLICE) {
        uint8_t key[CHECKPOINT_KEY];
        size_t left = host.size - at, part = left < SLICE ? left : SLICE, size = 0;
        p2_store_be32(slice, (uint32_t)part);
        error = p2_codec_compress(&codec, p2_span(host.data + at, part), slice + SLICE_HEAD, &size);
        if (error == P2_OK) {
            p2_txn_put(txn, p2_authority_table(P2_TABLE_CHECKPOINTS),
                       checkpoint_key(key, session, kind, number, 1 + at / SLICE),
                       P2_SESSION_LAYOUT, p2_span(slice, SLICE_HEAD + size));
            error = txn->error;
        }
    }
    free(slice);
    p2_codec_free(&codec);
    return error;
}

int p2_checkpoint_write(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                        uint64_t number, const struct p2_checkpoint *checkpoint,
                        struct p2_span host)
{
    uint8_t key[CHECKPOINT_KEY], bytes[CHECKPOINT_MAX];
    struct p2_writer out;
    p2_writer_init(&out, bytes, sizeof bytes);
    p2_writer_u32(&out, checkpoint->timeline);
    p2_writer_u64(&out, checkpoint->frame);
    p2_writer_u64(&out, checkpoint->first);
    p2_writer_bytes(&out, p2_span(checkpoint->head, P2_CHAIN_HEAD));
    p2_writer_u32(&out, checkpoint->schema);
    p2_writer_u32(&out, (uint32_t)host.size);
    write_sequences(&out, checkpoint->sequences);
    P2_ASSERT(out.error == P2_OK); /* CHECKPOINT_MAX is enough for all seats */
    p2_txn_put(txn, p2_authority_table(P2_TABLE_CHECKPOINTS),
               checkpoint_key(key, session, kind, number, 0), P2_SESSION_LAYOUT,
               p2_writer_span(&out));
    return host.size == 0 ? txn->error : write_host(txn, session, kind, number, host);
}

static int parse_checkpoint(struct p2_span payload, struct p2_checkpoint *checkpoint)
{
    struct p2_reader in;
    *checkpoint = (struct p2_checkpoint){0};
    p2_reader_init(&in, payload);
    checkpoint->timeline = p2_reader_u32(&in);
    checkpoint->frame = p2_reader_u64(&in);
    checkpoint->first = p2_reader_u64(&in);
    struct p2_span head = p2_reader_bytes(&in, P2_CHAIN_HEAD);
    checkpoint->schema = p2_reader_u32(&in);
    checkpoint->host_bytes = p2_reader_u32(&in);
    read_sequences(&in, checkpoint->sequences);
    if (p2_reader_end(&in) != P2_OK || checkpoint->frame < checkpoint->first ||
        checkpoint->host_bytes > P2_SESSION_HOST_MAX) {
        return P2_E_CORRUPT;
    }
    memcpy(checkpoint->head, head.data, P2_CHAIN_HEAD);
    return P2_OK;
}

/* One slice from its record into content[part]. */
static int read_slice(struct p2_chunk_codec *codec, const struct p2_buf *record, uint8_t version,
                      uint8_t *content, size_t part)
{
    struct p2_span stored = p2_buf_span(record);
    if (version != P2_SESSION_LAYOUT || stored.size < SLICE_HEAD ||
        p2_load_be32(stored.data) != part) {
        return P2_E_CORRUPT;
    }
    int error = p2_codec_decompress(
        codec, p2_span(stored.data + SLICE_HEAD, stored.size - SLICE_HEAD), content, part);
    return error == P2_E_MALFORMED ? P2_E_CORRUPT : error;
}

static int read_host(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                     uint64_t number, size_t size, struct p2_buf *host)
{
    struct p2_chunk_codec codec;
    struct p2_buf record;
    p2_codec_init(&codec);
    p2_buf_init(&record, SLICE_HEAD + P2_CODEC_FRAME_MAX(SLICE));
    uint8_t *content = malloc(SLICE);
    int error = content == NULL ? P2_E_NOMEM : P2_OK;
    for (size_t at = 0; at < size && error == P2_OK; at += SLICE) {
        uint8_t key[CHECKPOINT_KEY], version = 0;
        size_t part = size - at < SLICE ? size - at : SLICE;
        if (!p2_txn_get(txn, p2_authority_table(P2_TABLE_CHECKPOINTS),
                        checkpoint_key(key, session, kind, number, 1 + at / SLICE), &version,
                        &record)) {
            error = txn->error != P2_OK ? txn->error : P2_E_CORRUPT;
        } else {
            error = read_slice(&codec, &record, version, content, part);
        }
        if (error == P2_OK) {
            error = p2_buf_append(host, p2_span(content, part));
        }
    }
    free(content);
    p2_buf_free(&record);
    p2_codec_free(&codec);
    return error;
}

int p2_checkpoint_read(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                       uint64_t number, struct p2_checkpoint *ret_checkpoint, struct p2_buf *host)
{
    uint8_t key[CHECKPOINT_KEY], version = 0;
    struct p2_buf bytes;
    p2_buf_init(&bytes, CHECKPOINT_MAX);
    int error = P2_E_NOENT;
    if (p2_txn_get(txn, p2_authority_table(P2_TABLE_CHECKPOINTS),
                   checkpoint_key(key, session, kind, number, 0), &version, &bytes)) {
        error = version == P2_SESSION_LAYOUT ? parse_checkpoint(p2_buf_span(&bytes), ret_checkpoint)
                                             : P2_E_CORRUPT;
    }
    p2_buf_free(&bytes);
    error = txn->error != P2_OK ? txn->error : error;
    if (host != NULL) {
        p2_buf_clear(host);
        if (error == P2_OK) {
            error = read_host(txn, session, kind, number, ret_checkpoint->host_bytes, host);
        }
    }
    return error;
}

int p2_session_save_delete(struct p2_txn *txn, uint64_t session, enum p2_snapshot_kind kind,
                           uint64_t number)
{
    uint8_t key[CHECKPOINT_KEY];
    struct p2_snapshot_place place = p2_session_snapshot_place(session);
    int error = p2_snapshot_delete(txn, &place, kind, number);
    if (error == P2_OK) {
        (void)checkpoint_key(key, session, kind, number, 0);
        (void)p2_txn_delete_prefix(txn, p2_authority_table(P2_TABLE_CHECKPOINTS),
                                   p2_span(key, CHECKPOINT_KEY - 2)); /* how many does not matter */
        error = txn->error;
    }
    return error;
}
