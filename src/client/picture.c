/* Tiles to a picture. */
#include "client/picture.h"

#include "base/error.h"
#include "kernels/zstd_frame.h"

#include <stdlib.h>
#include <string.h>

int p2_picture_init(struct p2_picture *picture, uint32_t width, uint32_t height,
                    uint32_t tile_width, uint32_t tile_height)
{
    memset(picture, 0, sizeof *picture);
    if (width == 0 || height == 0 || width > P2_WIRE_PIXELS_MAX || height > P2_WIRE_PIXELS_MAX ||
        tile_width == 0 || tile_height == 0 || tile_width > P2_WIRE_TILE_MAX / tile_height) {
        return P2_E_RANGE;
    }
    uint32_t columns = (width + tile_width - 1) / tile_width;
    uint32_t rows = (height + tile_height - 1) / tile_height;
    if (columns > P2_WIRE_TILES_MAX || rows > P2_WIRE_TILES_MAX / columns) {
        return P2_E_RANGE;
    }
    picture->pixels = calloc(height, width);
    picture->scratch = aligned_alloc(64, P2_WIRE_TILE_MAX + P2_ZSTD_DECOMPRESS_ARENA);
    picture->tiles = calloc((size_t)columns * rows, sizeof *picture->tiles);
    if (picture->pixels == NULL || picture->scratch == NULL || picture->tiles == NULL) {
        p2_picture_free(picture);
        return P2_E_NOMEM;
    }
    picture->width = width;
    picture->height = height;
    picture->tile_width = tile_width;
    picture->tile_height = tile_height;
    picture->columns = columns;
    picture->rows = rows;
    return P2_OK;
}

void p2_picture_free(struct p2_picture *picture)
{
    free(picture->pixels);
    free(picture->scratch);
    free(picture->tiles);
    memset(picture, 0, sizeof *picture);
}

void p2_picture_camera(struct p2_picture *picture, uint64_t frame,
                       const struct p2c2r_scene_camera *camera)
{
    picture->cameras[frame % P2_PICTURE_CAMERAS].frame = frame;
    picture->cameras[frame % P2_PICTURE_CAMERAS].camera = *camera;
    picture->newest = frame;
}

/* The tile's bytes, or NULL. */
static const uint8_t *unpack(struct p2_picture *picture, const struct p2_msg_tile *tile)
{
    size_t size = (size_t)picture->tile_width * picture->tile_height;
    if (tile->codec == P2_CODEC_RAW) {
        return tile->data.size == size ? tile->data.data : NULL;
    }
    struct p2c2r_bytes frame = {tile->data.data, tile->data.size};
    int status =
        p2_zstd_frame_decompress(frame, picture->scratch, size, picture->scratch + P2_WIRE_TILE_MAX,
                                 P2_ZSTD_DECOMPRESS_ARENA);
    return status == P2C2R_KERNEL_OK ? picture->scratch : NULL;
}

int p2_picture_take(struct p2_picture *picture, uint64_t frame, const struct p2_msg_tile *tile)
{
    if (tile->index >= picture->columns * picture->rows || tile->age >= frame) {
        picture->refused++;
        return P2_E_RANGE;
    }
    const uint8_t *from = unpack(picture, tile);
    if (from == NULL) {
        picture->refused++;
        return P2_E_MALFORMED;
    }
    uint32_t left = tile->index % picture->columns * picture->tile_width;
    uint32_t top = tile->index / picture->columns * picture->tile_height;
    uint32_t width =
        picture->width - left < picture->tile_width ? picture->width - left : picture->tile_width;
    for (uint32_t y = 0; y < picture->tile_height && top + y < picture->height; y++) {
        memcpy(picture->pixels + (size_t)(top + y) * picture->width + left,
               from + (size_t)y * picture->tile_width, width);
    }
    picture->tiles[tile->index].frame = frame - tile->age;
    picture->tiles[tile->index].tier = (uint8_t)tile->tier;
    return P2_OK;
}

const struct p2c2r_scene_camera *p2_picture_camera_of(const struct p2_picture *picture,
                                                      uint32_t tile)
{
    uint64_t frame = picture->tiles[tile].frame;
    size_t at = frame % P2_PICTURE_CAMERAS;
    return frame != 0 && picture->cameras[at].frame == frame ? &picture->cameras[at].camera : NULL;
}

const struct p2c2r_scene_camera *p2_picture_newest(const struct p2_picture *picture)
{
    size_t at = picture->newest % P2_PICTURE_CAMERAS;
    return picture->newest != 0 ? &picture->cameras[at].camera : NULL;
}
