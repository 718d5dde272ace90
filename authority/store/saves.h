/* The saves of a session as people handle them: list, read, delete, export, import.
 *
 * Reading functions block for as long as the disk takes: on a thread of their own (uv_queue_work),
 * not on the loop. A save that is damaged is refused with the chunk that is wrong and the newest
 * whole save, by name. An imported file is hostile: format, sizes and digests are checked before
 * anything is decoded (store/save_file.h), and it brings world data only; what the world's bytes
 * mean is for the game's `restore` to refuse. */
#ifndef P2_AUTHORITY_STORE_SAVES_H
#define P2_AUTHORITY_STORE_SAVES_H

#include "store/image.h"
#include "store/save_file.h"
#include "store/writer.h"

/* Text of a save's name for people: "autosave-12", "hourly-3", "checkpoint-7", or its own name. A
 * person's name never looks like one of the first three. */
#define P2_SAVE_LABEL_MAX (P2_SNAPSHOT_NAME_MAX + 1)
void p2_save_label(char label[P2_SAVE_LABEL_MAX], const struct p2_snapshot_info *info);

/* May a person name a save so? 1..64 bytes of clean UTF-8, no label of another kind, no control
 * characters, no slash. */
bool p2_save_name_is_good(const char *name);

/* What a save is, beside its world. */
struct p2_save_origin {
    uint32_t schema;    /* of the game's snapshot, for its `restore` */
    struct p2_buf host; /* what the host stored beside the world; empty for an imported save */
};

/* What to say when a save is damaged: the newest whole one of the session, found by reading. */
#define P2_SAVE_OFFER_MAX 192u
void p2_saves_offer(struct p2_store *store, uint64_t session, char offer[P2_SAVE_OFFER_MAX]);

/* Lists the saves of a session into infos[P2_SNAPSHOTS_MAX], newest of each kind first. */
int p2_saves_list(struct p2_store *store, uint64_t session, struct p2_snapshot_info *infos,
                  size_t *ret_count, size_t *ret_damaged);

/* Reads a save by label; replaces what is in `world` and ret_origin->host (may be NULL).
 * P2_E_NOENT, P2_E_CORRUPT: the message offers the newest whole one. */
int p2_saves_read(struct p2_store *store, uint64_t session, const char *label, struct p2_buf *world,
                  struct p2_save_origin *ret_origin, struct p2_snapshot_info *ret_info,
                  struct p2_failure *failure);

/* Deletes a save by label, in `batch`; P2_E_NOENT is the batch's outcome. Checkpoints are refused:
 * P2_E_INVALID at once. */
int p2_saves_delete(struct p2_batch *batch, uint64_t session, const char *label);

/* Writes the file of a save to `fd` (borrowed; a pipe will do). `game` goes into its head. */
int p2_saves_export(struct p2_store *store, uint64_t session, const char *label, const char *game,
                    int fd, struct p2_failure *failure);

/* Reads a file from `fd`, at most what a world of `world_max` bytes can take, and checks it; it must
 * be of `game` (P2_E_INVALID). Gives the image. Errors of p2_save_file_read. */
int p2_saves_import(int fd, const char *game, size_t world_max, struct p2_image **ret_image,
                    struct p2_save_head *ret_head, struct p2_failure *failure);

/* Adds an image as a named save to `batch`, which owns `image` from then on, also on error.
 * P2_E_EXIST and P2_E_LIMIT are the batch's outcome. It is the batch's one work (writer.h). */
int p2_saves_add(struct p2_batch *batch, uint64_t session, const char *name, uint64_t frame,
                 uint32_t schema, uint64_t made_ms, struct p2_image *image);

#endif
