/* A session without players, network or helpers, for what keeps sessions: a world of bytes that
 * follows from its frames, and frames that follow from their number. Whoever knows how many frames
 * were applied knows every byte. */
#ifndef P2_TESTS_LIB_SESSION_MODEL_H
#define P2_TESTS_LIB_SESSION_MODEL_H

#include "authority/store/recovery.h"

#define MODEL_PLAYERS 4u

struct session_model {
    uint8_t *world; /* owned */
    size_t size;
    uint64_t next; /* frame */
    uint32_t sequences[MODEL_PLAYERS];
};

/* The world before frame 1. Aborts when out of memory. */
void model_init(struct session_model *model, size_t size);
void model_free(struct session_model *model);

/* The entries of frame `next` into entries[MODEL_ENTRIES_MAX] with bytes in `scratch`; how many. */
#define MODEL_ENTRIES_MAX 8u
struct model_scratch {
    uint8_t bytes[MODEL_ENTRIES_MAX][256];
};
size_t model_entries(const struct session_model *model,
                     struct p2_journal_entry entries[MODEL_ENTRIES_MAX],
                     struct model_scratch *scratch);

/* Applies one entry of the frame, then closes the frame. */
void model_apply(struct session_model *model, const struct p2_journal_entry *entry);
void model_close(struct session_model *model);

/* Runs frame `next` as a host would; with a store it is journalled too. */
void model_run(struct session_model *model, struct p2_session_store *store);

/* A hash over the whole world and the number of its next frame. */
uint64_t model_hash(const struct session_model *model);

/* Is it the world that this many frames make? O(frames). */
bool model_is_right(const struct session_model *model);

/* Callbacks of recovery: `ctx` is the model, which was initialised. The host's bytes must be its
 * sequences. */
extern const struct p2_recovery_events model_recovery;

/* Fills `image` for the model's state of now with the builder's image; the host's bytes are the
 * model's sequences. */
void model_image(struct session_model *model, struct p2_image_builder *builder, unsigned kinds,
                 struct p2_session_image *image);

#endif
