/* One frame of the journal as bytes: inputs, depth, results, seats, a state hash. Pure.
 *
 *   frame   count u32, then per entry
 *             kind u8, then by kind
 *   1 INPUT      player u8, sequence u32, size u8, bytes
 *   2 DEPTH      depth u8
 *   3 RESULT     task u64, size u32, bytes
 *   4 RECOMPUTE  task u64
 *   5 DEGRADED   task u64
 *   6 JOIN       player u8, size u16, the shell's bytes
 *   7 LEAVE      player u8
 *   8 CONSOLE    size u16, the game console's line
 *   9 HASH       u64: the game's state after this frame; replay must come to the same
 *  10 QUALITY    u8: from this frame's tick on
 *  11 CORRECTED  task u64, size u32, bytes: the right result of a task delivered earlier
 *
 * Entries keep the order in which they were added, which is the order of their effect. */
#ifndef P2_AUTHORITY_STORE_JOURNAL_H
#define P2_AUTHORITY_STORE_JOURNAL_H

#include "authority/outbox.h"

enum p2_entry_kind {
    P2_ENTRY_INPUT = 1,
    P2_ENTRY_DEPTH = 2,
    P2_ENTRY_RESULT = 3,
    P2_ENTRY_RECOMPUTE = 4,
    P2_ENTRY_DEGRADED = 5,
    P2_ENTRY_JOIN = 6,
    P2_ENTRY_LEAVE = 7,
    P2_ENTRY_CONSOLE = 8,
    P2_ENTRY_HASH = 9,
    P2_ENTRY_QUALITY = 10,
    P2_ENTRY_CORRECTED = 11
};

/* Bytes of one frame. Chosen: half of the largest record, so that it always fits with its head;
 * results beyond are journalled as RECOMPUTE, which has the same bits. */
#define P2_JOURNAL_FRAME_MAX ((size_t)8 << 20)

/* Of these, kept for what has no shorter form: the other entries of the fullest frame. */
#define P2_JOURNAL_FRAME_KEPT ((size_t)1 << 20)

#define P2_JOURNAL_TEXT_MAX 1024u /* bytes of a JOIN or CONSOLE entry; chosen */

struct p2_journal_entry {
    enum p2_entry_kind kind;
    uint8_t player;
    uint8_t depth;
    uint8_t quality;
    uint32_t sequence;
    uint64_t task;
    uint64_t hash;
    struct p2_span bytes; /* borrowed */
};

/* The entry of a JOURNAL effect; its frame is the effect's. P2_E_INVALID for other effects. */
int p2_journal_entry_of(const struct p2_effect *effect, struct p2_journal_entry *ret_entry);

/* Begins a frame at the end of `bytes`, which may hold something before it. Errors of p2_buf_append. */
int p2_journal_begin(struct p2_buf *bytes);

/* Appends an entry to the frame that began at byte `start` of `bytes` and is its end. A RESULT that
 * does not fit becomes a RECOMPUTE (a CORRECTED one has no such form: P2_E_LIMIT). P2_E_INVALID (a
 * size or kind), P2_E_LIMIT, P2_E_NOMEM; then unchanged. */
int p2_journal_append(struct p2_buf *bytes, size_t start, const struct p2_journal_entry *entry);

/* Reads a frame: begin, then next until 0 entries are left. */
struct p2_journal_reader {
    struct p2_reader in;
    uint32_t left; /* entries */
};
int p2_journal_reader_init(struct p2_journal_reader *reader, struct p2_span frame);

/* True and the next entry (its bytes borrowed from the frame); false at the end or when the bytes
 * are wrong: p2_journal_reader_end says which (0, or P2_E_CORRUPT). */
bool p2_journal_next(struct p2_journal_reader *reader, struct p2_journal_entry *ret_entry);
int p2_journal_reader_end(const struct p2_journal_reader *reader);

#endif
