/* What checks and cost models of the ray kernels share: where to look, and the price of pixels and
 * faces estimated from a few of them. Thread: a view belongs to one call. */
#ifndef P2_KERNELS_RAY_COST_H
#define P2_KERNELS_RAY_COST_H

#include "kernels/ray_view.h"

#include <stdint.h>

#define P2_RAY_SPOTS     32u /* of a tile and of a list that neighbours tell something about */
#define P2_RAY_SPOTS_MIN 8u
#define P2_RAY_SUSPECTS  32u

/* Where a check looks, by turns:
 *   spots     a secret place in each of 32 pieces of the result (a tile cut into 8 x 4 blocks, a list
 *             cut into stretches), in an order only the secret tells: a wrong part that covers a
 *             piece is seen. In results of fewer places pieces share them.
 *   suspects  pixels that differ from all their neighbours (left, right, above, below), then those
 *             that differ from all but one: a right tile has few of them, a damaged pixel or the end
 *             of a damaged run is one. When there are more than P2_RAY_SUSPECTS, secret ones.
 * All of them, unless the work they make passes a budget (many lamps, four rays a pixel), but at
 * least P2_RAY_SPOTS_MIN spots. */
struct p2_ray_looks {
    struct p2_kernel_random *random;
    unsigned width, height;           /* of the result; height 0: a list of `width` places */
    unsigned start;                   /* of the order of spots */
    unsigned spots_max, spots;        /* to be looked at, looked at */
    unsigned suspect_count, suspects; /* found, looked at */
    uint16_t suspect[P2_RAY_SUSPECTS];
    uint32_t budget; /* nanoseconds, as the cost model prices the work */
};

/* Starts to look at a tile; bytes[tile_h][tile_w] is the result. Borrows `random`. */
void p2_ray_looks_tile(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                       const uint8_t *bytes, uint32_t budget, struct p2_kernel_random *random);

/* Starts to look at a list of `count` (1..4096) places, whose neighbours tell nothing: no suspects,
 * and `spots` (a power of two from 32 to 256) instead of P2_RAY_SPOTS places. */
void p2_ray_looks_list(struct p2_ray_looks *looks, unsigned count, unsigned spots, uint32_t budget,
                       struct p2_kernel_random *random);

/* The same for `count` listed pixels of a tile: u16 pixels[count] (little-endian), y * tile_w + x,
 * strictly ascending. Suspects are found among listed neighbours. */
void p2_ray_looks_pixels(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                         const uint8_t *pixels, unsigned count, const uint8_t *bytes,
                         uint32_t budget, struct p2_kernel_random *random);

/* The next place, as a number in the result. Returns false when the check has looked at enough. */
bool p2_ray_looks_next(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                       unsigned *ret_at);

/* Looks at all of them: BAD_RESULT at the first that is_right refuses, OK when none is left. `task`
 * is passed on; its work must be counted in `view`. */
typedef bool (*p2_ray_place_fn)(void *task, struct p2c2r_bytes result, unsigned at);
int p2_ray_looks_check(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                       struct p2c2r_bytes result, p2_ray_place_fn is_right, void *task);

/* What a run needs before it begins: OUTPUT_FULL without room for `size` bytes, ARENA_FULL without
 * the arena of all ray kernels, else OK. */
int p2_ray_room(const struct p2c2r_kernel_args *args, size_t size);

/* The work of a check that ends within 50 us, the most an event loop may spend: the rest is for
 * reading the input, finding suspects, the look that passes the budget, and a cold cache. */
#define P2_RAY_CHECK_NS 15000u

/* Reads `count` faces of 4 bytes each: true when all are inside the scene and name a face. */
bool p2_ray_faces_are_valid(const uint8_t *faces, unsigned count);

#define P2_RAY_SAMPLES 16u

/* Estimates the time of many pixels from P2_RAY_SAMPLES of them: work of a pixel's first ray counts
 * in full, the rest as far as neighbours do not share it (faces far away are one pixel each, near
 * ones hundreds). */
struct p2_ray_sampler {
    struct p2_ray_view *view;
    float pixel_side; /* of a pixel, in voxels at distance 1 */
    float squares;    /* pieces of a face that have work of their own */
    float share_max;  /* 1, or more when a sample does only a part of a pixel's work */
    /* Least share where the first ray meets a mirror: the second one is its own. */
    float mirrored;
    float share;                 /* of this sample's further work */
    uint32_t steps, rays, faces; /* counters of the view behind its first ray */
    uint64_t ns;                 /* of all samples so far */
    unsigned count;
};

/* Starts with a fresh view (nothing remembered); `squares` see above. */
void p2_ray_sampler_start(struct p2_ray_sampler *sampler, struct p2_ray_view *view, float squares);

/* Pixel of sample number `index` of a whole tile. */
void p2_ray_sampler_pixel(const struct p2_ray_sampler *sampler, unsigned index, unsigned *ret_x,
                          unsigned *ret_y);

/* Before and after the work of one sample. */
void p2_ray_sampler_begin(struct p2_ray_sampler *sampler, unsigned x, unsigned y);
void p2_ray_sampler_end(struct p2_ray_sampler *sampler);

/* Cost units of `pixels` pixels. */
uint64_t p2_ray_sampler_units(const struct p2_ray_sampler *sampler, unsigned pixels);

/* All of that for a whole tile; `work` does a pixel's, counted in the sampler's view. */
uint64_t p2_ray_sampler_tile(struct p2_ray_sampler *sampler,
                             void (*work)(void *task, unsigned x, unsigned y), void *task);

/* Cost units of `count` things when the view's counters hold the work of `samples` of them. */
uint64_t p2_ray_list_units(const struct p2_ray_view *view, unsigned count, unsigned samples);

#endif
