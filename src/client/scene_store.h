/* The scene a gamer's client holds: the newest delta of each kind and key (doc/scene.md).
 *
 * Deltas are foreign bytes: one that is not well formed is refused whole and the old one stays.
 * Memory is bounded by P2_SCENE_CHUNKS_MAX chunks; everything else has a fixed place.
 * Pure but for memory. Thread: one. */
#ifndef P2_CLIENT_SCENE_STORE_H
#define P2_CLIENT_SCENE_STORE_H

#include "base/buf.h"
#include "p2c2r/scene.h"

#include <stdbool.h>
#include <stdint.h>

/* Chosen: the demo game's world has 256; 1,024 are 16 MiB. */
#define P2_SCENE_CHUNKS_MAX 1024u

/* Events kept until the show has taken them. */
#define P2_SCENE_EVENTS_KEPT 64u

struct p2_scene_page {
    uint32_t count;
    struct p2c2r_scene_entity entities[P2C2R_SCENE_PAGE_ENTITIES];
};

struct p2_scene_lamps {
    uint32_t count;
    struct p2c2r_scene_lamp lamps[P2C2R_SCENE_LAMPS];
};

struct p2_scene_chunk {
    uint32_t key;
    uint32_t change; /* a number no other version of any chunk had; not 0 */
    bool is_bundled; /* came in a bundle: a newer bundle may replace it */
    uint8_t voxels[P2C2R_SCENE_CHUNK_VOXELS];
};

/* Read its members, change it by the functions below. */
struct p2_scene_store {
    struct p2_scene_page pages[P2C2R_SCENE_PAGES];
    struct p2_scene_lamps lamp_pages[P2C2R_SCENE_LAMP_PAGES];
    struct p2c2r_scene_text texts[P2C2R_SCENE_TEXTS];
    struct p2c2r_scene_sky sky;
    bool has_sky;
    struct p2_scene_chunk **chunks; /* owned; sorted by key */
    uint32_t chunk_count;
    uint32_t changes;  /* of chunks, all together; never reset */
    uint8_t *unpacked; /* owned; a bundle's content and the decoder's memory, once needed */
    struct p2c2r_scene_event events[P2_SCENE_EVENTS_KEPT]; /* not taken yet, oldest first */
    uint32_t event_count;
    uint32_t next_event; /* number of the first one not seen */
    bool has_events;     /* next_event means something */
};

void p2_scene_store_init(struct p2_scene_store *store);
/* Forgets everything but which events were seen: a whole scene follows. */
void p2_scene_store_clear(struct p2_scene_store *store);
void p2_scene_store_free(struct p2_scene_store *store);

/* Takes one delta, unpacked. P2_E_MALFORMED, P2_E_RANGE (key), P2_E_LIMIT (chunks), P2_E_NOMEM: the
 * scene is as before, but for the chunks of a bundle that came before the one that did not fit. Unknown kinds are P2_OK and ignored: a newer game may send them. */
int p2_scene_store_apply(struct p2_scene_store *store, uint32_t kind, uint32_t key,
                         struct p2_span data);

/* The chunk (cx, cz), or NULL when it was never sent: air. O(log chunks). */
const struct p2_scene_chunk *p2_scene_store_chunk(const struct p2_scene_store *store, uint32_t cx,
                                                  uint32_t cz);

/* Copies all entities to entities[capacity]; how many. */
uint32_t p2_scene_store_entities(const struct p2_scene_store *store,
                                 struct p2c2r_scene_entity *entities, uint32_t capacity);

#endif
