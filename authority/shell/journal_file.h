/* A session's journal as a file: with it, the module and nobody's help the game's state can be made
 * again, frame for frame (--replay).
 *
 *   file    magic "p2c2r journal 1\n", then records
 *   record  size u32 (bytes after it), kind u8, then by kind
 *   'S'     game name (u8 size, bytes), game version u32, schema u32, seed u64, options (u16 size,
 *           bytes)                                       once, first
 *   'F'     frame u64, depth u8, quality u8, items u32, then per item
 *             kind u8 (enum p2_in_kind), player u8, status u8, sequence u32, task u64, version u64,
 *             size u32, bytes; size UINT32_MAX: a result to be computed again
 *   'H'     frame u64, hash u64: of the state after that frame
 *
 * Only what the state depends on is in it: JOIN, LEAVE, CONSOLE, INPUT, RESULT, CORRECTED. Numbers
 * are big-endian. Writing is buffered and may block on a slow disk: for tests and people who look for
 * faults; what promises players something is the store. Thread: one. */
#ifndef P2_AUTHORITY_SHELL_JOURNAL_FILE_H
#define P2_AUTHORITY_SHELL_JOURNAL_FILE_H

#include "authority/shell/frame_batch.h"
#include "base/error.h"

struct p2_journal_file;

#define P2_JOURNAL_FILE_OPTIONS_MAX 4096u

struct p2_journal_file_head {
    char game[P2C2R_GAME_NAME_MAX];
    uint32_t version, schema;
    uint64_t seed;
    char options[P2_JOURNAL_FILE_OPTIONS_MAX];
};

/* Makes the file, which must not exist, 0600: it holds the seed. Errors of the system in `failure`. */
int p2_journal_file_create(struct p2_journal_file **ret_journal, const char *path,
                           const struct p2_journal_file_head *head, struct p2_failure *failure);
/* Sticky: errors show at close. Results beyond `inline_max` bytes are left to be computed again. */
void p2_journal_file_frame(struct p2_journal_file *journal, const struct p2_frame_in *in,
                           size_t inline_max);
void p2_journal_file_hash(struct p2_journal_file *journal, uint64_t frame, uint64_t hash);

int p2_journal_file_open(struct p2_journal_file **ret_journal, const char *path,
                         struct p2_journal_file_head *ret_head, struct p2_failure *failure);
enum p2_journal_file_record { P2_JOURNAL_FILE_END, P2_JOURNAL_FILE_FRAME, P2_JOURNAL_FILE_HASH };
/* The next record: a frame into `in`, where results to be computed again have status
 * P2_JOURNAL_FILE_COMPUTE and no bytes, or a hash. P2_E_CORRUPT, P2_E_IO. */
#define P2_JOURNAL_FILE_COMPUTE 255u
int p2_journal_file_read(struct p2_journal_file *journal, enum p2_journal_file_record *ret_record,
                         struct p2_frame_in *in, uint64_t *ret_frame, uint64_t *ret_hash);

/* The first error of writing. Accepts NULL. */
int p2_journal_file_close(struct p2_journal_file *journal);

#endif
