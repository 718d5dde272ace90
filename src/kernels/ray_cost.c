/* Where a check looks, and prices of pixels and faces. */
#include "kernels/ray_cost.h"

#include "kernels/ray_light.h"

#include <math.h>

/* Nanoseconds on the reference core (-O2), fitted to generated cases. */
#define STEP_NS  6u
#define RAY_NS   12u
#define FACE_NS  45u
#define PIXEL_NS 14u /* making the ray and the byte */
/* A face out of a list: its lamps' distances, and memory no neighbour has touched before. */
#define ITEM_NS      10u
#define ITEM_LAMP_NS 2u
/* Reading the input; for tiles also clearing the remembered faces. */
#define START_TILE_NS 4000u
#define START_LIST_NS 500u

static uint64_t price_ns(uint64_t steps, uint64_t rays, uint64_t faces)
{
    return steps * STEP_NS + rays * RAY_NS + faces * FACE_NS;
}

/* ---- where to look -------------------------------------------------------------------------- */

/* How many of the neighbours of bytes[y][x] are equal to it; 4 for most of a right tile. */
static unsigned equal_neighbours(const uint8_t *bytes, unsigned width, unsigned height, unsigned x,
                                 unsigned y)
{
    const uint8_t *p = bytes + (size_t)y * width + x;
    unsigned equal = x > 0 && p[-1] == *p;
    equal += x + 1 < width && p[1] == *p;
    equal += y > 0 && *(p - width) == *p;
    equal += y + 1 < height && p[width] == *p;
    return equal;
}

/* Places drawn evenly from a stream of unknown length (reservoir sampling: Vitter, "Random sampling
 * with a reservoir", ACM TOMS 11, 1985, algorithm R). */
struct reservoir {
    uint16_t at[P2_RAY_SUSPECTS];
    unsigned seen;
};

static void reservoir_add(struct reservoir *reservoir, unsigned at, struct p2_kernel_random *random)
{
    unsigned slot = reservoir->seen++;
    if (slot >= P2_RAY_SUSPECTS) {
        slot = p2_kernel_random_below(random, reservoir->seen);
    }
    if (slot < P2_RAY_SUSPECTS) {
        reservoir->at[slot] = (uint16_t)at;
    }
}

static void keep_suspects(struct p2_ray_looks *looks, const struct reservoir *reservoir)
{
    for (unsigned i = 0;
         i < reservoir->seen && i < P2_RAY_SUSPECTS && looks->suspect_count < P2_RAY_SUSPECTS;
         i++) {
        looks->suspect[looks->suspect_count++] = reservoir->at[i];
    }
}

static void find_suspects(struct p2_ray_looks *looks, const uint8_t *bytes)
{
    struct reservoir found[2] = {{.seen = 0}, {.seen = 0}}; /* by equal neighbours */
    for (unsigned y = 0; y < looks->height; y++) {
        for (unsigned x = 0; x < looks->width; x++) {
            unsigned equal = equal_neighbours(bytes, looks->width, looks->height, x, y);
            if (equal < 2) {
                reservoir_add(&found[equal], y * looks->width + x, looks->random);
            }
        }
    }
    keep_suspects(looks, &found[0]);
    keep_suspects(looks, &found[1]);
}

/* A list of pixels and their bytes. `above` and `below` follow a walk along it. */
struct listing {
    const uint8_t *pixels, *bytes;
    unsigned count, width, above, below;
};

static unsigned listed(const struct listing *list, unsigned index)
{
    return p2_load_le16(list->pixels + (size_t)2 * index);
}

/* As equal_neighbours, for number `index` of a list; called for rising numbers. Two equal ones are
 * enough to know. The end of a row counts as a neighbour of the next one: that hides a suspect at
 * worst, and saves a division for each pixel. */
static unsigned equal_listed(struct listing *list, unsigned index)
{
    unsigned pixel = listed(list, index), equal = 0;
    uint8_t byte = list->bytes[index];
    equal += index > 0 && list->bytes[index - 1] == byte && listed(list, index - 1) + 1 == pixel;
    equal += index + 1 < list->count && list->bytes[index + 1] == byte &&
             listed(list, index + 1) == pixel + 1;
    if (equal == 2) {
        return equal;
    }
    while (listed(list, list->above) + list->width < pixel) {
        list->above++; /* stops at `index` at the latest */
    }
    while (list->below < list->count && listed(list, list->below) < pixel + list->width) {
        list->below++;
    }
    equal += list->bytes[list->above] == byte && listed(list, list->above) + list->width == pixel;
    equal += list->below < list->count && list->bytes[list->below] == byte &&
             listed(list, list->below) == pixel + list->width;
    return equal;
}

void p2_ray_looks_pixels(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                         const uint8_t *pixels, unsigned count, const uint8_t *bytes,
                         uint32_t budget, struct p2_kernel_random *random)
{
    struct listing list = {pixels, bytes, count, view->tile_w, 0, 0};
    struct reservoir found[2] = {{.seen = 0}, {.seen = 0}};
    p2_ray_looks_list(looks, count, P2_RAY_SPOTS, budget, random);
    for (unsigned i = 0; i < count; i++) {
        unsigned equal = equal_listed(&list, i);
        if (equal < 2) {
            reservoir_add(&found[equal], i, random);
        }
    }
    keep_suspects(looks, &found[0]);
    keep_suspects(looks, &found[1]);
}

void p2_ray_looks_list(struct p2_ray_looks *looks, unsigned count, unsigned spots, uint32_t budget,
                       struct p2_kernel_random *random)
{
    *looks = (struct p2_ray_looks){
        .random = random, .width = count, .spots_max = spots, .budget = budget};
    looks->start = p2_kernel_random_below(random, spots);
}

void p2_ray_looks_tile(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                       const uint8_t *bytes, uint32_t budget, struct p2_kernel_random *random)
{
    p2_ray_looks_list(looks, view->tile_w, P2_RAY_SPOTS, budget, random);
    looks->height = view->tile_h;
    find_suspects(looks, bytes);
}

/* A secret place of stretch `index` of 0 .. count - 1, cut into `pieces`. A stretch that is empty
 * because there are more of them than places gives its first one. */
static unsigned pick(unsigned count, unsigned index, unsigned pieces,
                     struct p2_kernel_random *random)
{
    unsigned first = index * count / pieces, end = (index + 1) * count / pieces;
    return first + p2_kernel_random_below(random, end - first);
}

/* Nothing is remembered from look to look, so each pays for the face it meets and its lamps. */
static uint64_t looks_ns(const struct p2_ray_looks *looks, const struct p2_ray_view *view)
{
    uint64_t work = price_ns(view->steps, view->ray_count, view->face_count);
    return work + (uint64_t)view->face_count * view->lamp_count * ITEM_LAMP_NS +
           (uint64_t)(looks->spots + looks->suspects) * PIXEL_NS * view->rays;
}

bool p2_ray_looks_next(struct p2_ray_looks *looks, const struct p2_ray_view *view, unsigned *ret_at)
{
    bool is_spent = looks_ns(looks, view) > looks->budget;
    if (is_spent && looks->spots >= P2_RAY_SPOTS_MIN) {
        return false;
    }
    bool has_spots = looks->spots < looks->spots_max;
    if (!is_spent && looks->suspects < looks->suspect_count &&
        (looks->suspects < looks->spots || !has_spots)) {
        *ret_at = looks->suspect[looks->suspects++];
        return true;
    }
    if (!has_spots) {
        return false;
    }
    /* 13 is odd, so every spot comes once, neighbours far apart. */
    unsigned piece = (looks->start + 13u * looks->spots) % looks->spots_max;
    looks->spots++;
    if (looks->height == 0) {
        *ret_at = pick(looks->width, piece, looks->spots_max, looks->random);
    } else {
        unsigned x = pick(looks->width, piece & 7u, 8, looks->random);
        *ret_at = pick(looks->height, piece >> 3, 4, looks->random) * looks->width + x;
    }
    return true;
}

int p2_ray_looks_check(struct p2_ray_looks *looks, const struct p2_ray_view *view,
                       struct p2c2r_bytes result, p2_ray_place_fn is_right, void *task)
{
    unsigned at;
    while (p2_ray_looks_next(looks, view, &at)) {
        if (!is_right(task, result, at)) {
            return P2C2R_KERNEL_BAD_RESULT;
        }
    }
    return P2C2R_KERNEL_OK;
}

int p2_ray_room(const struct p2c2r_kernel_args *args, size_t size)
{
    if (args->output_capacity < size) {
        return P2C2R_KERNEL_OUTPUT_FULL;
    }
    return args->arena_size < P2_RAY_ARENA_BYTES ? P2C2R_KERNEL_ARENA_FULL : P2C2R_KERNEL_OK;
}

bool p2_ray_faces_are_valid(const uint8_t *faces, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (faces[4 * i + 1] >= P2_VOXEL_SIZE_Y || faces[4 * i + 3] >= P2_FACES) {
            return false;
        }
    }
    return true;
}

/* ---- prices --------------------------------------------------------------------------------- */

void p2_ray_sampler_start(struct p2_ray_sampler *sampler, struct p2_ray_view *view, float squares)
{
    float squared = view->right.x * view->right.x + view->right.y * view->right.y;
    squared = squared + view->right.z * view->right.z;
    *sampler = (struct p2_ray_sampler){
        .view = view,
        .pixel_side = 2.0F * sqrtf(squared) / (float)view->picture_w,
        .squares = squares,
        .share_max = 1.0F,
    };
}

void p2_ray_sampler_pixel(const struct p2_ray_sampler *sampler, unsigned index, unsigned *ret_x,
                          unsigned *ret_y)
{
    *ret_x = ((index & 3u) * 2 + 1) * sampler->view->tile_w / 8;
    *ret_y = ((index >> 2 & 3u) * 2 + 1) * sampler->view->tile_h / 8;
}

void p2_ray_sampler_begin(struct p2_ray_sampler *sampler, unsigned x, unsigned y)
{
    struct p2_ray_view *view = sampler->view;
    struct p2_ray_surface surface;
    struct p2_ray ray;
    view->steps = view->ray_count = view->face_count = 0;
    p2_ray_view_ray(view, x, y, P2_RAY_MIDDLE, &ray);
    float distance = p2_ray_surface(view, &ray, &surface) ? surface.hit.distance : 1024.0F;
    float side = sampler->pixel_side * distance;
    float share = side * side * sampler->squares;
    if (distance < 1024.0F && share < sampler->mirrored && p2_ray_mirrors(&ray, &surface)) {
        share = sampler->mirrored;
    }
    sampler->share = share < sampler->share_max ? share : sampler->share_max;
    sampler->steps = view->steps;
    sampler->rays = view->ray_count;
    sampler->faces = view->face_count;
}

void p2_ray_sampler_end(struct p2_ray_sampler *sampler)
{
    const struct p2_ray_view *view = sampler->view;
    /* The first ray was traced once by begin and view->rays times by the work. */
    uint64_t first = price_ns(sampler->steps, 1, 0);
    uint64_t all = price_ns(view->steps, view->ray_count, view->face_count);
    uint64_t own = first * view->rays;
    uint64_t shared = all > own + first ? all - own - first : 0;
    float kept = (float)shared * sampler->share;
    sampler->ns += own + (uint64_t)kept + PIXEL_NS * view->rays;
    sampler->count++;
}

uint64_t p2_ray_sampler_units(const struct p2_ray_sampler *sampler, unsigned pixels)
{
    return 1 + (START_TILE_NS + sampler->ns * pixels / sampler->count) / 1000u;
}

uint64_t p2_ray_sampler_tile(struct p2_ray_sampler *sampler,
                             void (*work)(void *task, unsigned x, unsigned y), void *task)
{
    for (unsigned i = 0; i < P2_RAY_SAMPLES; i++) {
        unsigned x, y;
        p2_ray_sampler_pixel(sampler, i, &x, &y);
        p2_ray_sampler_begin(sampler, x, y);
        work(task, x, y);
        p2_ray_sampler_end(sampler);
    }
    return p2_ray_sampler_units(sampler, sampler->view->tile_w * sampler->view->tile_h);
}

uint64_t p2_ray_list_units(const struct p2_ray_view *view, unsigned count, unsigned samples)
{
    uint64_t ns = price_ns(view->steps, view->ray_count, view->face_count);
    uint64_t own = ITEM_NS + (uint64_t)ITEM_LAMP_NS * view->lamp_count;
    return 1 + (START_LIST_NS + own * count + ns * count / samples) / 1000u;
}
