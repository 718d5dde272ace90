/* A frame's entries to bytes and back. */
#include "authority/store/journal.h"

#include <string.h>

#define COUNT_BYTES 4
#define HEAD_MAX    (1 + 8 + 4) /* the longest entry's bytes before its own */

int p2_journal_entry_of(const struct p2_effect *effect, struct p2_journal_entry *ret_entry)
{
    static const enum p2_entry_kind kinds[] = {
        [P2_JOURNAL_INPUT] = P2_ENTRY_INPUT,       [P2_JOURNAL_DEPTH] = P2_ENTRY_DEPTH,
        [P2_JOURNAL_RESULT] = P2_ENTRY_RESULT,     [P2_JOURNAL_RECOMPUTE] = P2_ENTRY_RECOMPUTE,
        [P2_JOURNAL_DEGRADED] = P2_ENTRY_DEGRADED, [P2_JOURNAL_CORRECTED] = P2_ENTRY_CORRECTED,
    };
    if (effect->type != P2_EFFECT_JOURNAL || (size_t)effect->journal >= P2_COUNT_OF(kinds)) {
        return P2_E_INVALID;
    }
    *ret_entry = (struct p2_journal_entry){.kind = kinds[effect->journal],
                                           .player = effect->player,
                                           .depth = effect->depth,
                                           .sequence = effect->sequence,
                                           .task = effect->task,
                                           .bytes = effect->result};
    return P2_OK;
}

int p2_journal_begin(struct p2_buf *bytes)
{
    static const uint8_t none[COUNT_BYTES];
    return p2_buf_append(bytes, p2_span(none, sizeof none));
}

/* Largest `bytes` of a kind. */
static size_t bytes_max(enum p2_entry_kind kind)
{
    switch (kind) {
    case P2_ENTRY_INPUT:
        return P2_WIRE_INPUT_MAX;
    case P2_ENTRY_RESULT:
    case P2_ENTRY_CORRECTED:
        return P2_JOURNAL_FRAME_MAX;
    case P2_ENTRY_JOIN:
    case P2_ENTRY_CONSOLE:
        return P2_JOURNAL_TEXT_MAX;
    case P2_ENTRY_DEPTH:
    case P2_ENTRY_RECOMPUTE:
    case P2_ENTRY_DEGRADED:
    case P2_ENTRY_LEAVE:
    case P2_ENTRY_HASH:
    case P2_ENTRY_QUALITY:
        break;
    }
    return 0;
}

/* What stands before an entry's bytes. */
static void write_head(struct p2_writer *out, const struct p2_journal_entry *entry)
{
    p2_writer_u8(out, (uint8_t)entry->kind);
    switch (entry->kind) {
    case P2_ENTRY_INPUT:
        p2_writer_u8(out, entry->player);
        p2_writer_u32(out, entry->sequence);
        p2_writer_u8(out, (uint8_t)entry->bytes.size);
        break;
    case P2_ENTRY_DEPTH:
        p2_writer_u8(out, entry->depth);
        break;
    case P2_ENTRY_RESULT:
    case P2_ENTRY_CORRECTED:
        p2_writer_u64(out, entry->task);
        p2_writer_u32(out, (uint32_t)entry->bytes.size);
        break;
    case P2_ENTRY_RECOMPUTE:
    case P2_ENTRY_DEGRADED:
        p2_writer_u64(out, entry->task);
        break;
    case P2_ENTRY_JOIN:
        p2_writer_u8(out, entry->player);
        p2_writer_u16(out, (uint16_t)entry->bytes.size);
        break;
    case P2_ENTRY_LEAVE:
        p2_writer_u8(out, entry->player);
        break;
    case P2_ENTRY_CONSOLE:
        p2_writer_u16(out, (uint16_t)entry->bytes.size);
        break;
    case P2_ENTRY_HASH:
        p2_writer_u64(out, entry->hash);
        break;
    case P2_ENTRY_QUALITY:
        p2_writer_u8(out, entry->quality);
        break;
    }
}

static bool is_good(const struct p2_journal_entry *entry)
{
    bool has_player = entry->kind == P2_ENTRY_INPUT || entry->kind == P2_ENTRY_JOIN ||
                      entry->kind == P2_ENTRY_LEAVE;
    return entry->kind >= P2_ENTRY_INPUT && entry->kind <= P2_ENTRY_CORRECTED &&
           entry->bytes.size <= bytes_max(entry->kind) &&
           (!has_player || entry->player < P2_PLAYERS_MAX);
}

int p2_journal_append(struct p2_buf *bytes, size_t start, const struct p2_journal_entry *entry)
{
    struct p2_journal_entry short_form = *entry;
    uint8_t head[HEAD_MAX];
    struct p2_writer out;
    P2_ASSERT(bytes->size >= start + COUNT_BYTES);
    size_t size = bytes->size - start;
    if (!is_good(entry)) {
        return P2_E_INVALID;
    }
    size_t room = P2_JOURNAL_FRAME_MAX - P2_JOURNAL_FRAME_KEPT;
    if (entry->kind == P2_ENTRY_RESULT &&
        (size > room || HEAD_MAX + entry->bytes.size > room - size)) {
        short_form.kind = P2_ENTRY_RECOMPUTE;
        short_form.bytes = p2_span(NULL, 0);
    }
    p2_writer_init(&out, head, sizeof head);
    write_head(&out, &short_form);
    P2_ASSERT(out.error == P2_OK); /* HEAD_MAX is enough */
    size_t needed = out.size + short_form.bytes.size;
    if (needed > P2_JOURNAL_FRAME_MAX - size) {
        return P2_E_LIMIT;
    }
    int error = p2_buf_reserve(bytes, needed);
    if (error == P2_OK) {
        (void)p2_buf_append(bytes, p2_writer_span(&out)); /* there is room */
        (void)p2_buf_append(bytes, short_form.bytes);
        p2_store_be32(bytes->data + start, p2_load_be32(bytes->data + start) + 1);
    }
    return error;
}

int p2_journal_reader_init(struct p2_journal_reader *reader, struct p2_span frame)
{
    p2_reader_init(&reader->in, frame);
    reader->left = p2_reader_u32(&reader->in);
    return reader->in.error == P2_OK ? P2_OK : P2_E_CORRUPT;
}

static void read_entry(struct p2_reader *in, struct p2_journal_entry *entry)
{
    size_t size = 0;
    *entry = (struct p2_journal_entry){.kind = (enum p2_entry_kind)p2_reader_u8(in)};
    switch (entry->kind) {
    case P2_ENTRY_INPUT:
        entry->player = p2_reader_u8(in);
        entry->sequence = p2_reader_u32(in);
        size = p2_reader_u8(in);
        break;
    case P2_ENTRY_DEPTH:
        entry->depth = p2_reader_u8(in);
        break;
    case P2_ENTRY_RESULT:
    case P2_ENTRY_CORRECTED:
        entry->task = p2_reader_u64(in);
        size = p2_reader_u32(in);
        break;
    case P2_ENTRY_RECOMPUTE:
    case P2_ENTRY_DEGRADED:
        entry->task = p2_reader_u64(in);
        break;
    case P2_ENTRY_JOIN:
        entry->player = p2_reader_u8(in);
        size = p2_reader_u16(in);
        break;
    case P2_ENTRY_LEAVE:
        entry->player = p2_reader_u8(in);
        break;
    case P2_ENTRY_CONSOLE:
        size = p2_reader_u16(in);
        break;
    case P2_ENTRY_HASH:
        entry->hash = p2_reader_u64(in);
        break;
    case P2_ENTRY_QUALITY:
        entry->quality = p2_reader_u8(in);
        break;
    default:
        p2_reader_fail(in, P2_E_CORRUPT);
        break;
    }
    entry->bytes = p2_reader_bytes(in, size);
    if (in->error == P2_OK && !is_good(entry)) {
        p2_reader_fail(in, P2_E_CORRUPT);
    }
}

bool p2_journal_next(struct p2_journal_reader *reader, struct p2_journal_entry *ret_entry)
{
    if (reader->left == 0 || reader->in.error != P2_OK) {
        return false;
    }
    reader->left--;
    read_entry(&reader->in, ret_entry);
    return reader->in.error == P2_OK;
}

int p2_journal_reader_end(const struct p2_journal_reader *reader)
{
    bool is_whole = reader->left == 0 && p2_reader_end(&reader->in) == P2_OK;
    return is_whole ? P2_OK : P2_E_CORRUPT;
}
