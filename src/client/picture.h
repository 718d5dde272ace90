/* The picture of tiles: palette bytes, and for each tile the camera it was drawn with.
 *
 * A tile is foreign bytes: RAW of exactly the tile's size, or one zstd frame that says it unpacks to
 * exactly that; anything else is refused and the old tile stays. Pure but for memory. Thread: one. */
#ifndef P2_CLIENT_PICTURE_H
#define P2_CLIENT_PICTURE_H

#include "p2c2r/scene.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stdint.h>

/* Cameras kept: tiles may be up to 255 frames old (doc/wire.md, tile.age). */
#define P2_PICTURE_CAMERAS 256u

struct p2_picture_tile {
    uint64_t frame; /* it was drawn for; 0: never drawn */
    uint8_t tier;   /* enum p2_tier */
};

struct p2_picture {
    uint32_t width, height; /* pixels */
    uint32_t tile_width, tile_height;
    uint32_t columns, rows;
    uint8_t *pixels;               /* owned; pixels[height][width], palette bytes */
    uint8_t *scratch;              /* owned; one tile, and the decoder's memory */
    struct p2_picture_tile *tiles; /* owned; tiles[rows * columns] */
    struct {
        uint64_t frame; /* 0: unused */
        struct p2c2r_scene_camera camera;
    } cameras[P2_PICTURE_CAMERAS]; /* by frame modulo */
    uint64_t newest;               /* frame of the newest camera; 0: none yet */
    uint32_t refused;              /* tiles that were not what they should be */
};

/* All black and without a camera. P2_E_RANGE for sizes no WELCOME may have (0, or more than
 * P2_WIRE_TILES_MAX tiles, or tiles above P2_WIRE_TILE_MAX bytes), P2_E_NOMEM. On success free. */
int p2_picture_init(struct p2_picture *picture, uint32_t width, uint32_t height,
                    uint32_t tile_width, uint32_t tile_height);
/* Accepts one that is all zero. */
void p2_picture_free(struct p2_picture *picture);

/* The camera of frame `frame` (not 0). */
void p2_picture_camera(struct p2_picture *picture, uint64_t frame,
                       const struct p2c2r_scene_camera *camera);

/* Takes a tile of frame `frame`. P2_E_RANGE (index), P2_E_MALFORMED: counted as refused. */
int p2_picture_take(struct p2_picture *picture, uint64_t frame, const struct p2_msg_tile *tile);

/* The camera a tile was drawn with, or NULL when it is not known (any more). */
const struct p2c2r_scene_camera *p2_picture_camera_of(const struct p2_picture *picture,
                                                      uint32_t tile);
/* The newest camera, or NULL. */
const struct p2c2r_scene_camera *p2_picture_newest(const struct p2_picture *picture);

#endif
