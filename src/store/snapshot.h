/* Checkpoints, autosaves and named saves: the state of a world, in chunks.
 *
 * A world is a run of bytes the game serialised. It is cut into chunks of 64 KiB; a chunk is stored
 * once, compressed, under the digest of its content, and every snapshot of the session that holds
 * it refers to it. So a snapshot writes only the chunks that changed, a checkpoint, an autosave and
 * a named save of one moment share everything, and each chunk is proved whole when it is read.
 *
 *   chunk      key   session u64, digest[32]            payload  size u32, zstd frame
 *   snapshot   key   session u64, kind u8, number u64   payload  below
 *
 *   0   8  frame of the state
 *   8   8  made, ms since 1970
 *   16  8  bytes of the world
 *   24  1  length of the name (0..64), the name
 *       n  digests[32] of its chunks, in order
 *
 * The two tables are the caller's (in its schema). Snapshots are written in the work of a batch
 * (writer.h), so hashing and compression cost the loop nothing. Thread: that of the transaction. */
#ifndef P2_STORE_SNAPSHOT_H
#define P2_STORE_SNAPSHOT_H

#include "base/crypto.h"
#include "store/store.h"

#define P2_SNAPSHOT_CHUNK      ((size_t)64 << 10)  /* chosen: 64 of them in a world of 4 MiB */
#define P2_SNAPSHOT_WORLD_MAX  ((size_t)256 << 20) /* chosen: 64 times the world of DESIGN 10 */
#define P2_SNAPSHOT_CHUNKS_MAX (P2_SNAPSHOT_WORLD_MAX / P2_SNAPSHOT_CHUNK)
#define P2_SNAPSHOT_NAME_MAX   64 /* bytes of clean UTF-8, as every foreign string (DESIGN 5) */

/* Snapshots of one session. Chosen: 2 checkpoints, 10 autosaves, 24 hourly ones, and room for
 * people. */
#define P2_SNAPSHOTS_MAX 256

enum p2_snapshot_kind {
    P2_SNAPSHOT_CHECKPOINT = 1, /* for crashes: every second, last 2 (DESIGN 10) */
    P2_SNAPSHOT_AUTOSAVE = 2,   /* for people: every minute, last 10 */
    P2_SNAPSHOT_HOURLY = 3,     /* last 24 */
    P2_SNAPSHOT_NAMED = 4       /* kept until deleted */
};

/* Where snapshots live; both tables are kept until the store is closed. */
struct p2_snapshot_place {
    const struct p2_table *snapshots;
    const struct p2_table *chunks;
    uint64_t session;
};

struct p2_snapshot_info {
    enum p2_snapshot_kind kind;
    uint64_t number; /* rises with each one of the session and kind */
    uint64_t frame;
    uint64_t made_ms;                    /* since 1970, by the caller's clock */
    uint64_t bytes;                      /* of the world */
    char name[P2_SNAPSHOT_NAME_MAX + 1]; /* "" unless NAMED */
};

/* One chunk of a world that is kept in chunks (image.h). */
struct p2_snapshot_chunk {
    const uint8_t *data; /* P2_SNAPSHOT_CHUNK bytes; the last one of a world may use fewer */
    bool has_digest;     /* `digest` and `size` are right; set by p2_snapshot_write */
    size_t size;         /* bytes the digest covers */
    uint8_t digest[32];
};

/* What is to be written. Borrowed for the call. */
struct p2_snapshot_input {
    enum p2_snapshot_kind kind;
    uint64_t frame, made_ms;
    const char *name;     /* NAMED: 1..64 bytes of clean UTF-8, unique in the session; else NULL */
    struct p2_span world; /* 0..P2_SNAPSHOT_WORLD_MAX bytes; with `chunks` only its size counts */
    /* The world in chunks instead; NULL: `world`. A chunk with a digest is not hashed again, one
     * whose digest the store has is not read at all. */
    struct p2_snapshot_chunk *const *chunks;
    /* One bit per chunk, lowest first, set = it differs from snapshot `since` of the same kind;
     * clear ones are not hashed. NULL = look at all of them. Ignored with `chunks`, and when
     * `since` is gone or of another size. */
    const uint8_t *dirty;
    uint64_t since;
    unsigned keep; /* then delete all but the last `keep` of the kind; 0 = delete none */
};

struct p2_snapshot_written {
    uint64_t number;
    uint64_t chunks, new_chunks; /* in the snapshot; of these not in the store before */
    uint64_t new_bytes;          /* compressed */
};

/* Writes a snapshot. P2_E_INVALID (name, size), P2_E_EXIST (name taken), P2_E_LIMIT (too many),
 * P2_E_NOMEM and those of the transaction. ret_written may be NULL. */
int p2_snapshot_write(struct p2_txn *txn, const struct p2_snapshot_place *place,
                      const struct p2_snapshot_input *input,
                      struct p2_snapshot_written *ret_written);

/* Fills infos[P2_SNAPSHOTS_MAX] with what the session has, newest of each kind first, in order of
 * kind; returns how many. Damaged descriptions are left out and counted in ret_damaged. */
size_t p2_snapshot_list(struct p2_txn *txn, const struct p2_snapshot_place *place,
                        struct p2_snapshot_info *infos, size_t *ret_damaged);

/* The info of a named save. P2_E_NOENT. */
int p2_snapshot_find(struct p2_txn *txn, const struct p2_snapshot_place *place, const char *name,
                     struct p2_snapshot_info *ret_info);

/* Replaces what is in `world` by the world, every chunk checked. P2_E_NOENT; P2_E_CORRUPT with the
 * chunk that is missing or damaged; P2_E_LIMIT (the buffer's), P2_E_NOMEM. ret_info may be NULL. */
int p2_snapshot_read(struct p2_txn *txn, const struct p2_snapshot_place *place,
                     enum p2_snapshot_kind kind, uint64_t number, struct p2_buf *world,
                     struct p2_snapshot_info *ret_info, struct p2_failure *failure);

/* The newest snapshot, by frame, that can be read whole: what to offer when another is damaged.
 * The world is left in `world`. P2_E_NOENT when there is none. */
int p2_snapshot_newest_good(struct p2_txn *txn, const struct p2_snapshot_place *place,
                            struct p2_buf *world, struct p2_snapshot_info *ret_info);

/* Deletes a snapshot and the chunks no other one of the session needs. P2_E_NOENT. */
int p2_snapshot_delete(struct p2_txn *txn, const struct p2_snapshot_place *place,
                       enum p2_snapshot_kind kind, uint64_t number);

#endif
