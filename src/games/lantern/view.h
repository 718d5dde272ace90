/* The VIEW half: what each player's client holds, and pictures in the making. Starts empty after
 * `restore`; nothing here is read by the STATE half. */
#ifndef LANTERN_VIEW_H
#define LANTERN_VIEW_H

#include "lantern.h"

#define LAN_SIGHT   96  /* voxels: farther things are lost in the dark */
#define LAN_MAP     112 /* voxels: chunks nearer than this are kept up to date at the client */
#define LAN_TILES   256 /* 1280 x 720; the wire's limit */
#define LAN_JOBS    512
#define LAN_SLOTS   128 /* packed chunks: 64 in use, the rest still named by tasks under way */
#define LAN_CAMERAS 64
#define LAN_PARTS   4
#define LAN_PAGES   8
#define LAN_REGIONS 16 /* of 4 x 4 chunks: what a late joiner is sent compressed */
#define LAN_PIXELS  3840
#define LAN_LIGHTER 33 /* levels a byte of rt_global_illumination can mean: (254 + 4) / 8, and 1 */

/* A piece of a player's picture. */
struct lan_tile {
    uint64_t key;    /* of everything it shows; 0: never drawn */
    uint64_t wanted; /* key of the newest job under way */
    uint32_t frame;  /* of its camera */
    uint32_t asked;
    uint32_t serial; /* of the scene it was compared with last */
    uint8_t tier, is_fresh, has_mirror;
    uint8_t pixels[LAN_PIXELS];
};

enum lan_part { LAN_PART_BASE, LAN_PART_SHADOW, LAN_PART_INDIRECT, LAN_PART_MIRROR };

/* A tile under way: up to four tasks whose results make its pixels. */
struct lan_job {
    uint8_t player, want, have, tier, is_used, is_lost;
    uint16_t tile;
    uint32_t frame, number, pixels;
    uint64_t key;
    uint8_t sun_level;
    int16_t sun[3];
    uint8_t part[LAN_PARTS][LAN_PIXELS];
};

struct lan_slot {
    uint64_t key;
    uint32_t retired; /* frame; 0: in use */
    uint8_t is_used;
};

enum lan_region_state { LAN_REGION_UNSENT, LAN_REGION_ASKED, LAN_REGION_READY, LAN_REGION_SENT };

struct lan_eye {
    bool is_open;
    uint64_t page_hash[LAN_PAGES], light_hash[3], text_hash[P2C2R_SCENE_TEXTS];
    uint32_t chunk_sent[LAN_CHUNKS]; /* version + 1 */
    uint8_t region[LAN_REGIONS];     /* enum lan_region_state */
    uint8_t *bundle[LAN_REGIONS];    /* finished deltas on their way */
    size_t bundle_size[LAN_REGIONS];
    uint32_t region_version[LAN_REGIONS][16];
    uint32_t seen_events, event_first, event_count;
    struct p2c2r_scene_event events[P2C2R_SCENE_EVENTS_COUNT];
    struct p2c2r_scene_camera cameras[LAN_CAMERAS]; /* by frame */
    struct p2c2r_scene_camera shown;
    uint32_t asked_width, asked_height; /* of the picture; 0: state view */
    uint32_t width, height, next_tile;
    struct lan_tile *tiles; /* tiles[LAN_TILES] */
    uint8_t slices[LAN_FOLK];
    int8_t light[LAN_FOLK]; /* levels by rt_shadows, -1: unknown */
    uint32_t light_frame;
    uint8_t face_folk[LAN_FOLK];
    uint32_t face_count, face_number;
    struct p2c2r_ray_lamp face_lamps[P2C2R_RAY_LAMPS];
    uint32_t face_lamp_count;
    struct p2c2r_ray_face faces[LAN_FOLK];
};

struct lan_view {
    uint8_t symmetry; /* the session's frame of reference: bits flip x, flip z, swap */
    uint32_t serial;  /* raised when a chunk was packed anew */
    uint32_t number;  /* of jobs */
    uint32_t packed[64], packed_frame[64]; /* sum of versions + 1; 0: not yet */
    uint16_t slot_of[64];
    struct lan_slot slots[LAN_SLOTS];
    uint8_t (*blobs)[P2C2R_SCENE_BLOB];
    struct lan_job *jobs;
    struct lan_eye eyes[LAN_PLAYERS];
    struct p2c2r_ray_lamp lamps[P2C2R_RAY_LAMPS]; /* for the player in turn, in the task's frame */
    uint32_t lamp_count;
    uint8_t lighter[LAN_LIGHTER][256]; /* [levels][byte]: p2c2r_palette_light */
    uint8_t scratch[1u << 18];
};

/* VIEW tags: kind in the high byte, player, number. */
enum lan_view_task { LAN_VIEW_TILE = 1, LAN_VIEW_FACES, LAN_VIEW_BUNDLE };

static inline uint64_t lan_mix(uint64_t hash, uint64_t value)
{
    hash ^= value;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}
uint64_t lan_hash(const void *data, size_t size);

/* ---- scene.c: chunks as contents ------------------------------------------------------------- */
/* Packs a few changed chunks anew. */
void lan_scene_tick(struct lan *lan);
bool lan_scene_is_ready(const struct lan_view *view);
/* World to task: a position in 1/256 voxel units of `one` per voxel, a direction, a cell, a face. */
void lan_scene_point(const struct lan_view *view, int32_t one, int32_t *x, int32_t *z);
void lan_scene_vector(const struct lan_view *view, int32_t *x, int32_t *z);
uint8_t lan_scene_face(const struct lan_view *view, uint8_t face);
/* The contents of the chunks in `ray`, in order; and a hash of their keys. */
uint64_t lan_scene_contents(const struct lan_view *view, const struct p2c2r_ray_view *ray,
                            uint64_t ret_keys[64]);
/* Sky and lamps into `ray`. */
void lan_scene_light(struct lan *lan, struct p2c2r_ray_view *ray);
/* Chooses the lamps for a player: the nearest 31, its own and the torches it sees among them. */
void lan_scene_choose_lamps(struct lan *lan, uint32_t player);

/* ---- tiles.c --------------------------------------------------------------------------------- */
void lan_tiles(struct lan *lan, uint32_t player, const struct p2c2r_frame *frame,
               const struct p2c2r_view_writer *writer);
void lan_tiles_result(struct lan *lan, const struct p2c2r_result *result);
void lan_tiles_forget(struct lan *lan, uint32_t player);

#endif
