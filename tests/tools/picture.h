/* A whole picture of a generated island, put together out of the results of all four ray kernels:
 * rt_render_tile without sun and lamps, the masks of rt_shadows, what rt_global_illumination
 * gathers, and rt_reflections for pixels that show water or glass. Thread: any, one picture each. */
#ifndef P2_TESTS_TOOLS_PICTURE_H
#define P2_TESTS_TOOLS_PICTURE_H

#include "kernels/ray_shot.h"

#include <stddef.h>
#include <stdint.h>

enum p2_picture_place {
    P2_PICTURE_VILLAGE = 0, /* the edge of a village */
    P2_PICTURE_LAKE = 1,    /* across the lake */
    P2_PICTURE_BIRD = 2     /* the island from above */
};
#define P2_PICTURE_PLACES 3u

struct p2_picture_order {
    uint64_t seed;
    enum p2_picture_place place;
    enum p2_daytime daytime;
    unsigned width, height; /* pixels, at most 4096 each */
    unsigned rays;          /* 1, 2 or 4 */
};

/* Called for each tile of each kernel with its result, if not NULL: for measuring. */
typedef void p2_picture_tile_cb(void *context, const char *kernel,
                                const struct p2c2r_bytes *result);

/* Renders into pixels[height][width]. Returns 0, or a negative number when memory is short or a
 * kernel refuses its input. */
int p2_picture_render(const struct p2_picture_order *order, uint8_t *pixels,
                      p2_picture_tile_cb *on_tile, void *context);

#endif
