/* The file of an exported save: world data only, read as hostile input.
 *
 *   0   8  "P2C2RSAV"                 36 n  name length u8, name (0..64 bytes of clean UTF-8)
 *   8   2  version, 1                    n  game length u8, game (1..64, the same)
 *   10  2  0                             32 BLAKE2b-256 of all of the above
 *   12  8  frame                         per chunk of 64 KiB (the last one is shorter):
 *   20  8  made, ms since 1970           4   size of the frame
 *   28  4  bytes of the world            32  BLAKE2b-256 of the content
 *   32  4  the game's schema             n   zstd frame
 *
 * Numbers are big-endian. The head is checked whole, and the world's size against the reader's
 * limit, before anything is decoded; memory grows only with chunks that proved whole. Thread:
 * reentrant. */
#ifndef P2_STORE_SAVE_FILE_H
#define P2_STORE_SAVE_FILE_H

#include "store/snapshot.h"

struct p2_save_head {
    uint64_t frame;
    uint64_t made_ms;
    uint32_t schema;                     /* the game's, of its snapshots */
    char name[P2_SNAPSHOT_NAME_MAX + 1]; /* may be empty */
    char game[P2_SNAPSHOT_NAME_MAX + 1]; /* the game module's name */
};

/* Appends the file of a world to `out`. P2_E_INVALID: a name or the size; errors of p2_buf_append;
 * P2_E_NOMEM. */
int p2_save_file_write(struct p2_buf *out, const struct p2_save_head *head, struct p2_span world);

/* Reads a file; the world, at most `world_max` bytes, replaces what is in `world`. Errors of class
 * PEER say what is wrong (P2_E_BAD_MAGIC, _BAD_VERSION, _TRUNCATED, _TRAILING, _TOO_BIG, _CHECKSUM,
 * _BAD_TEXT, _MALFORMED), P2_E_LIMIT, P2_E_NOMEM; `world` is empty then. */
int p2_save_file_read(struct p2_span file, size_t world_max, struct p2_save_head *ret_head,
                      struct p2_buf *world, struct p2_failure *failure);

#endif
