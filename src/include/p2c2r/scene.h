/* Scene v1: what a game tells a client to draw, and the pad v1 a client answers with.
 *
 * Game-neutral: a client can draw any game's scene without knowing the game. Byte layouts, units and
 * what a later delta replaces: doc/scene.md. All numbers are little-endian and written byte by byte.
 *
 * Writers give the number of bytes written, or 0 when a value is outside its range or the room is
 * too small. Readers take foreign bytes: false for anything a writer would not have written or that
 * breaks a limit; then *ret is unspecified. Neither allocates. Pure functions; thread: any. */
#ifndef P2C2R_SCENE_H
#define P2C2R_SCENE_H

#include "p2c2r/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define P2C2R_SCENE_VERSION 1

/* The kinds of deltas; enum p2_delta_kind of doc/wire.md. */
enum p2c2r_scene_kind {
    P2C2R_SCENE_CHUNK = 0,
    P2C2R_SCENE_ENTITIES = 1,
    P2C2R_SCENE_LIGHTS = 2,
    P2C2R_SCENE_TEXT = 3,
    P2C2R_SCENE_EVENTS = 4
};

/* A position along one axis is in 1/256 voxel. */
#define P2C2R_SCENE_ONE          256
#define P2C2R_SCENE_POSITION_MAX (1 << 23) /* 32,768 voxels each way; products fit 64 bits */

/* ---- chunks --------------------------------------------------------------------------------- */

#define P2C2R_SCENE_CHUNK_SIDE   16u
#define P2C2R_SCENE_CHUNK_HEIGHT 64u
#define P2C2R_SCENE_CHUNK_VOXELS 16384u
#define P2C2R_SCENE_CHUNK_MAX    (1u + P2C2R_SCENE_CHUNK_VOXELS) /* bytes, the worst case */
#define P2C2R_SCENE_CHUNKS_SIDE  256u /* chunks of a world each way, at most */

/* The key of chunk (cx, cz), each below P2C2R_SCENE_CHUNKS_SIDE. */
static inline uint32_t p2c2r_scene_chunk_key(uint32_t cx, uint32_t cz)
{
    return cz * P2C2R_SCENE_CHUNKS_SIDE + cx;
}

/* voxels[16384] are materials 0..15 (0 air) at (z * 16 + x) * 64 + y. */
size_t p2c2r_scene_chunk_write(uint8_t *out, size_t capacity, const uint8_t *voxels);
bool p2c2r_scene_chunk_read(struct p2c2r_bytes bytes, uint8_t *ret_voxels);

/* Many chunks in one piece for whoever joins late, compressed by the kernel `compress`. Key
 * P2C2R_SCENE_BUNDLE_KEY + a number of the game's. A chunk that came by a delta of its own is newer
 * than any bundle. */
#define P2C2R_SCENE_BUNDLE_KEY     65536u
#define P2C2R_SCENE_BUNDLES        256u
#define P2C2R_SCENE_BUNDLE_HEAD    8u
#define P2C2R_SCENE_BUNDLE_MAX     65536u       /* bytes of the delta */
#define P2C2R_SCENE_BUNDLE_CONTENT (256u << 10) /* bytes it may decode to */

struct p2c2r_scene_bundle {
    uint8_t *out; /* borrowed */
    size_t capacity, size;
    bool is_full;
};
void p2c2r_scene_bundle_start(struct p2c2r_scene_bundle *bundle, uint8_t *out, size_t capacity);
void p2c2r_scene_bundle_add(struct p2c2r_scene_bundle *bundle, uint32_t cx, uint32_t cz,
                            const uint8_t *voxels);
/* What is to be compressed: empty when it did not fit. */
struct p2c2r_bytes p2c2r_scene_bundle_end(const struct p2c2r_scene_bundle *bundle);
/* The delta: a head that names the content's size, and the zstd frame. */
size_t p2c2r_scene_bundle_frame(uint8_t *out, size_t capacity, uint32_t content_size,
                                struct p2c2r_bytes frame);
/* The frame in a delta and the size it must decode to (one zstd frame, no dictionary). */
bool p2c2r_scene_bundle_open(struct p2c2r_bytes delta, struct p2c2r_bytes *ret_frame,
                             uint32_t *ret_content_size);
/* The next chunk of the decoded content, which is cut off from *content. False at its end and for
 * malformed bytes; after the end content->size is 0. */
bool p2c2r_scene_bundle_next(struct p2c2r_bytes *content, uint32_t *ret_key, uint8_t *ret_voxels);

/* ---- entities ------------------------------------------------------------------------------- */

enum p2c2r_scene_shape {
    P2C2R_SHAPE_BOX = 0,
    P2C2R_SHAPE_FIGURE = 1, /* a person: colour[0] clothes, colour[1] head */
    P2C2R_SHAPE_BALL = 2,
    P2C2R_SHAPE_FLAME = 3,
    P2C2R_SHAPE_BOAT = 4,
    P2C2R_SHAPE_MARK = 5, /* points at something; drawn even when hidden */
    P2C2R_SHAPES = 6
};

/* Poses of a figure: bits. */
#define P2C2R_POSE_STEP    1u /* the other leg is in front */
#define P2C2R_POSE_LANTERN 2u /* holds a light */
#define P2C2R_POSE_RAISED  4u /* raises an arm: strikes, throws, cheers */
#define P2C2R_POSE_LYING   8u

#define P2C2R_SCENE_PAGE_ENTITIES 32u
#define P2C2R_SCENE_PAGES         64u
#define P2C2R_SCENE_ENTITY_BYTES  22u
#define P2C2R_SCENE_PAGE_MAX      (1u + P2C2R_SCENE_PAGE_ENTITIES * P2C2R_SCENE_ENTITY_BYTES)

struct p2c2r_scene_entity {
    uint16_t id;
    uint8_t shape;         /* enum p2c2r_scene_shape */
    uint8_t slices;        /* bit i: quarter i, counted from the feet, is in sight; 0..15 */
    int32_t position[3];   /* of the feet's middle, 1/256 voxel */
    uint8_t yaw;           /* 1/256 turn */
    uint8_t pose;          /* P2C2R_POSE_*, 0..15 */
    uint8_t colour[2];     /* palette bytes: material and the light it stands in */
    uint8_t width, height; /* 1/16 voxel, 1..255 */
};

/* The key is the page, below P2C2R_SCENE_PAGES; ids of all pages differ. */
size_t p2c2r_scene_entities_write(uint8_t *out, size_t capacity,
                                  const struct p2c2r_scene_entity *entities, uint32_t count);
bool p2c2r_scene_entities_read(struct p2c2r_bytes bytes,
                               struct p2c2r_scene_entity ret_entities[P2C2R_SCENE_PAGE_ENTITIES],
                               uint32_t *ret_count);

/* ---- lights --------------------------------------------------------------------------------- */

/* Key 0 is the sky, keys 1..8 are pages of lamps. */
#define P2C2R_SCENE_SKY_BYTES  20u
#define P2C2R_SCENE_LAMPS      32u
#define P2C2R_SCENE_LAMP_PAGES 8u
#define P2C2R_SCENE_LAMP_BYTES 14u
#define P2C2R_SCENE_LAMPS_MAX  (2u + P2C2R_SCENE_LAMPS * P2C2R_SCENE_LAMP_BYTES)

/* As in the section VIEW of the ray kernels (doc/kernels.md). */
struct p2c2r_scene_sky {
    int16_t sun[3];                                          /* Q2.14, towards sun or moon */
    uint8_t sun_level, ambient_level, zenith, horizon, glow; /* 0..15 */
    uint8_t sea_level;                                       /* 0..64 */
    uint16_t fog_start;                                      /* 16..1024 voxels */
    uint8_t clouds, phase;
    bool is_moon;
};

struct p2c2r_scene_lamp {
    int32_t position[3]; /* 1/256 voxel */
    uint8_t level;       /* 1..15 */
    uint8_t radius;      /* 1..32 voxels */
};

size_t p2c2r_scene_sky_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_sky *sky);
bool p2c2r_scene_sky_read(struct p2c2r_bytes bytes, struct p2c2r_scene_sky *ret_sky);
size_t p2c2r_scene_lamps_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_lamp *lamps,
                               uint32_t count);
bool p2c2r_scene_lamps_read(struct p2c2r_bytes bytes,
                            struct p2c2r_scene_lamp ret_lamps[P2C2R_SCENE_LAMPS],
                            uint32_t *ret_count);

/* ---- text ----------------------------------------------------------------------------------- */

enum p2c2r_scene_place {
    P2C2R_PLACE_STATUS = 0, /* a line at the picture's top: score, time */
    P2C2R_PLACE_LOG = 1,    /* a line of messages, the lowest key is the newest */
    P2C2R_PLACE_SPEECH = 2, /* over the entity */
    P2C2R_PLACE_TITLE = 3,  /* large, in the middle */
    P2C2R_PLACES = 4
};

#define P2C2R_SCENE_TEXTS    32u  /* keys */
#define P2C2R_SCENE_TEXT_MAX 160u /* bytes of UTF-8 */
#define P2C2R_SCENE_NOBODY   UINT16_MAX

struct p2c2r_scene_text {
    uint8_t place;                       /* enum p2c2r_scene_place */
    uint8_t colour;                      /* palette byte */
    uint16_t entity;                     /* SPEECH: who speaks; else P2C2R_SCENE_NOBODY */
    uint8_t size;                        /* bytes of `text`; 0: nothing stands there (any more) */
    char text[P2C2R_SCENE_TEXT_MAX + 1]; /* clean UTF-8 with a final zero */
};

size_t p2c2r_scene_text_write(uint8_t *out, size_t capacity, const struct p2c2r_scene_text *text);
bool p2c2r_scene_text_read(struct p2c2r_bytes bytes, struct p2c2r_scene_text *ret_text);

/* True when the bytes are valid UTF-8 (RFC 3629) without control, line-breaking or bidirectional
 * formatting characters. */
bool p2c2r_scene_text_is_clean(const char *text, size_t size);

/* ---- events --------------------------------------------------------------------------------- */

enum p2c2r_scene_event_kind {
    P2C2R_EVENT_BLAST = 0,
    P2C2R_EVENT_COLLAPSE = 1,
    P2C2R_EVENT_SPLASH = 2,
    P2C2R_EVENT_HIT = 3,
    P2C2R_EVENT_DIG = 4,
    P2C2R_EVENT_BUILD = 5,
    P2C2R_EVENT_BELL = 6,
    P2C2R_EVENT_CHEER = 7,
    P2C2R_EVENT_CRY = 8,
    P2C2R_EVENT_KINDS = 9
};

#define P2C2R_SCENE_EVENTS_COUNT 32u
#define P2C2R_SCENE_EVENT_BYTES  14u
#define P2C2R_SCENE_EVENTS_MAX   (5u + P2C2R_SCENE_EVENTS_COUNT * P2C2R_SCENE_EVENT_BYTES)

struct p2c2r_scene_event {
    uint8_t kind;      /* enum p2c2r_scene_event_kind */
    uint8_t magnitude; /* 0..255 */
    int32_t position[3];
};

/* Key 0: the last `count` events of a player's list; the first of them has number `first`. A client
 * plays those with numbers it has not played. */
size_t p2c2r_scene_events_write(uint8_t *out, size_t capacity, uint32_t first,
                                const struct p2c2r_scene_event *events, uint32_t count);
bool p2c2r_scene_events_read(struct p2c2r_bytes bytes, uint32_t *ret_first,
                             struct p2c2r_scene_event ret_events[P2C2R_SCENE_EVENTS_COUNT],
                             uint32_t *ret_count);

/* ---- camera --------------------------------------------------------------------------------- */

#define P2C2R_SCENE_CAMERA_BYTES 60u
#define P2C2R_SCENE_PITCH_MAX    15360 /* 1/65536 turn: 84 degrees up or down */

/* The camera a frame's tiles of age 0 were drawn with. Pixel (px, py) of w x h looks along
 * forward + right * (2 (px + 1/2) / w - 1) + up * (1 - 2 (py + 1/2) / h). */
struct p2c2r_scene_camera {
    uint8_t overscan; /* the picture is (256 + overscan) / 256 of what is meant to be shown */
    uint16_t yaw;     /* 1/65536 turn; 0 looks along +z, a quarter along +x */
    int16_t pitch;    /* 1/65536 turn, up positive, within +-P2C2R_SCENE_PITCH_MAX */
    uint32_t frame;   /* the tick it was placed in, low 32 bits */
    int32_t position[3], forward[3], right[3], up[3]; /* Q16.16 voxels */
};

size_t p2c2r_scene_camera_write(uint8_t *out, size_t capacity,
                                const struct p2c2r_scene_camera *camera);
bool p2c2r_scene_camera_read(struct p2c2r_bytes bytes, struct p2c2r_scene_camera *ret_camera);

/* Fills forward, right and up from yaw and pitch; `half_width` (Q16.16) is the tangent of half the
 * horizontal angle of view, overscan included, `width` and `height` the picture's sides. */
void p2c2r_scene_camera_turn(struct p2c2r_scene_camera *camera, int32_t half_width, uint32_t width,
                             uint32_t height);

/* Sine of an angle in 1/65536 turn, Q16.16, within 12 / 65536; the same on every machine. */
int32_t p2c2r_scene_sine(uint16_t angle);
int32_t p2c2r_scene_cosine(uint16_t angle);

/* Draws entities into pixels[height][width] of palette bytes, the farthest first (ties by id);
 * reorders `entities`. What a client and the tests share, so that both show the same. */
void p2c2r_scene_draw(const struct p2c2r_scene_camera *camera, struct p2c2r_scene_entity *entities,
                      uint32_t count, uint8_t *pixels, uint32_t width, uint32_t height);

/* Where a point (1/256 voxel) shows in a picture, in pixels from its upper left corner, and how far
 * away it is along the camera's forward axis (1/256 voxel). False: behind the camera or nearer than
 * half a voxel. */
bool p2c2r_scene_project(const struct p2c2r_scene_camera *camera, const int32_t point[3],
                         uint32_t width, uint32_t height, int32_t ret_pixel[2], int32_t *ret_depth);

/* ---- input ---------------------------------------------------------------------------------- */

#define P2C2R_PAD_BYTES 12u

enum p2c2r_pad_button {
    P2C2R_PAD_JUMP = 1,
    P2C2R_PAD_FIRST = 2,  /* Lantern: dig */
    P2C2R_PAD_SECOND = 4, /* build */
    P2C2R_PAD_THIRD = 8,  /* throw a bomb */
    P2C2R_PAD_USE = 16,   /* talk, ring the bell */
    P2C2R_PAD_BUTTONS = 31
};

/* One player's input of one tick. Angles are absolute, so that a client can warp its picture by the
 * difference between its own angles and the camera's. */
struct p2c2r_pad {
    uint8_t buttons;       /* enum p2c2r_pad_button, held down */
    int8_t right, forward; /* -127..127: how fast, relative to yaw */
    uint16_t yaw;          /* as the camera's */
    int16_t pitch;         /* as the camera's */
    uint8_t slot;          /* 0..15: what is in the hand */
};

size_t p2c2r_pad_write(uint8_t *out, size_t capacity, const struct p2c2r_pad *pad);
bool p2c2r_pad_read(struct p2c2r_bytes bytes, struct p2c2r_pad *ret_pad);

#ifdef __cplusplus
}
#endif

#endif
